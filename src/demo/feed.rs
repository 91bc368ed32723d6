//! Plays a recorded day into the market at the speed of the market clock.

use std::time::Duration;

use signalbox_actors::clock::Clock as _;
use signalbox_domain::quote::Print;
use tracing::warn;

use crate::market::prints::RecordedDay;
use crate::system::Signalbox;

/// Prints of one message. The market actor works them off in one step.
const PRINTS_MAX: usize = 256;

/// Feeds everything that happens from now on; what lies before the clock was played by an earlier run, and only its
/// last prices are told. `seen` hears every print that was fed.
pub async fn play(system: &Signalbox, day: &RecordedDay, mut seen: impl FnMut(&Print)) {
    let start = system.clock.now();
    let mut opening = day.opening_quotes(start);
    let next = day.prints.partition_point(|print| print.at <= start);
    for print in &day.prints[..next] {
        if let Some(quote) = opening.iter_mut().find(|quote| quote.symbol == print.symbol) {
            quote.last = print.price;
        }
    }
    system.quotes.put(opening.iter().cloned());
    if system.desk.quotes(opening).await.is_err() {
        return;
    }
    let mut rest = &day.prints[next..];
    while let Some(first) = rest.first() {
        let wait = system.clock.real(first.at.since(system.clock.now()));
        // Small enough that the market moves smoothly, large enough that most prints need no timer of their own.
        tokio::time::sleep(wait.max(Duration::from_millis(2))).await;
        let now = system.clock.now();
        let due = rest.partition_point(|print| print.at <= now).min(PRINTS_MAX);
        let (batch, later) = rest.split_at(due);
        rest = later;
        if batch.is_empty() {
            continue;
        }
        system.quotes.print(batch);
        if let Err(error) = system.desk.prints(batch.to_vec()).await {
            warn!("the recorded day stops: {error}");
            return;
        }
        batch.iter().for_each(&mut seen);
    }
}
