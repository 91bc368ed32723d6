//! What the demonstration shows in the terminal: one line per account, again and again.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use signalbox_domain::calendar::china_date_time;
use signalbox_domain::ids::AccountId;
use signalbox_domain::units::{Money, Timestamp};

use crate::store::StoreError;
use crate::system::Signalbox;

/// Prints to the terminal until it is dropped.
pub async fn show(system: Signalbox, from: Timestamp, to: Timestamp) {
    let span = u64::try_from(to.since(from).us() / 1_000_000).unwrap_or(0);
    let bar = ProgressBar::new(span);
    let style = ProgressStyle::with_template("{prefix} {bar:40} {percent}%");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let live = std::io::stderr().is_terminal();
    // A log file wants a line now and then, a terminal wants to move.
    let every = if live { Duration::from_secs(2) } else { Duration::from_secs(5) };
    let mut last = String::new();
    loop {
        tokio::time::sleep(every).await;
        let now = system.desk.now();
        bar.set_prefix(clock_text(now));
        bar.set_position(u64::try_from(now.since(from).us() / 1_000_000).unwrap_or(0).min(span));
        match accounts(&system).await {
            Ok(text) if text != last => {
                let line = format!("{}  {text}", clock_text(now));
                if live {
                    bar.println(line)
                } else {
                    crate::say!("{line}")
                }
                last = text;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("the summary cannot be read: {error}"),
        }
    }
}

/// `2019-02-01 09:31:05`, in China.
#[must_use]
pub fn clock_text(at: Timestamp) -> String {
    let (date, us) = china_date_time(at);
    let s = us / 1_000_000;
    format!("{date} {:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

async fn accounts(system: &Signalbox) -> Result<String, StoreError> {
    let mut fills: HashMap<AccountId, usize> = HashMap::new();
    let mut text = Vec::new();
    for account in system.store.accounts().await? {
        let books = system.store.books(&account.account).await?;
        let held = books.iter().filter(|book| book.qty.is_positive()).count();
        let cost: Money = books.iter().map(|book| book.cost).sum();
        let count = system.store.fill_count(&account.account).await?;
        fills.insert(account.account.clone(), count);
        text.push(format!(
            "{}: {count} fills, cash {}, {held} positions at cost {}",
            account.account,
            account.cash.round_to_cent(),
            cost.round_to_cent(),
        ));
    }
    Ok(text.join("   "))
}
