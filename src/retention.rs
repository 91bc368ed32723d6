//! Keeping the database from growing for ever: while the markets are closed the journal's old lines go to files, and then
//! the rows of signals that these tell of are dropped.

use std::time::Duration;

use signalbox_domain::calendar::china_date_time;
use signalbox_domain::units::{Span, Timestamp};
use tracing::{error, info};

use crate::http::dto::At;
use crate::store::{ArchiveError, Archived, DropError, Dropped, LINES_KEPT, LINES_PER_FILE, Store, StoreError};

/// How often it is looked whether there is something to do.
const EVERY: Duration = Duration::from_secs(600);

/// What one look moves at most: two hundred thousand lines, in as many small transactions as there are files.
const FILES_AT_ONCE: u64 = 100;

/// And what it drops at most: fifty thousand signals.
const DROPS_AT_ONCE: u64 = 100;

/// The hours of China's clock in which no market trades that we know of: after the night of the futures and New York until
/// the first auction, and after Hong Kong's close until the next night.
const QUIET: [(i64, i64); 2] = [(5 * 60 + 15, 8 * 60 + 45), (16 * 60 + 30, 20 * 60 + 45)];

const US_PER_MINUTE: i64 = 60_000_000;

/// The instant before which lines may go, or none when all stay.
#[must_use]
pub fn before(now: Timestamp, keep_days: u32) -> Option<Timestamp> {
    let days = Span::from_secs(i64::from(keep_days) * 86_400);
    (keep_days > 0).then(|| Timestamp::from_us(now.us().saturating_sub(days.us())))
}

/// Does it again and again, for as long as the program runs. What fails is told, and tried again.
pub async fn keep(store: Store, keep_days: u32, now: impl Fn() -> Timestamp) {
    loop {
        let Some(before) = before(now(), keep_days) else { return };
        if is_quiet(now())
            && let Err(error) = look(&store, now(), before).await
        {
            error!(error = &*error, "what is old in the database stays where it is");
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What the files cannot tell again is not dropped: where the lines do not go, the rows stay.
async fn look(store: &Store, now: Timestamp, before: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
    let Archived { files, lines } = store.archive(now, before, FILES_AT_ONCE).await?;
    if files > 0 {
        info!(files, lines, "{lines} old lines of the journal went to {files} files");
    }
    let Dropped { signals } = store.drop_ended(now, before, DROPS_AT_ONCE).await?;
    if signals > 0 {
        info!(signals, "the rows of {signals} signals of long ago were dropped");
    }
    Ok(())
}

/// All of it at once, for a program that does not serve.
///
/// # Errors
/// [`ArchiveError`].
pub async fn all(store: &Store, now: Timestamp, before: Timestamp) -> Result<Archived, ArchiveError> {
    store.archive(now, before, u64::MAX).await
}

/// The same for the rows of signals whose lines are in files.
///
/// # Errors
/// [`DropError`].
pub async fn drop_all(store: &Store, now: Timestamp, before: Timestamp) -> Result<Dropped, DropError> {
    store.drop_ended(now, before, u64::MAX).await
}

/// Why no more lines went, for a person who asked for it.
///
/// # Errors
/// When the database cannot be read.
pub async fn what_stays(store: &Store, before: Timestamp) -> Result<String, StoreError> {
    Ok(match store.lines_before(before).await? {
        0 => format!("no line from before {} is left in the database", At(before)),
        old => format!(
            "{old} lines from before {} stay in the database: its newest {LINES_KEPT} lines always do, and a file takes \
             {LINES_PER_FILE}, all of them old",
            At(before)
        ),
    })
}

fn is_quiet(now: Timestamp) -> bool {
    let minute = china_date_time(now).1 / US_PER_MINUTE;
    QUIET.iter().any(|(from, to)| (*from..*to).contains(&minute))
}

#[cfg(test)]
mod tests {
    use signalbox_domain::calendar::china_instant;
    use signalbox_domain::units::TradeDate;

    use super::*;

    #[test]
    fn nothing_is_moved_while_a_market_trades() {
        let day = TradeDate::from_yyyymmdd(20_261_120).expect("a date");
        let quiet = |hh, mm| is_quiet(china_instant(day, hh, mm, 0));
        assert!(quiet(5, 15) && quiet(8, 44) && quiet(16, 30) && quiet(20, 44));
        // New York in winter, the first auction, Hong Kong's last, the night of the futures.
        assert!(!quiet(4, 59) && !quiet(8, 55) && !quiet(16, 10) && !quiet(21, 0));
    }

    #[test]
    fn days_are_counted_back_and_none_means_for_ever() {
        let now = Timestamp::from_us(1_000 * 86_400_000_000);
        assert_eq!(before(now, 400), Some(Timestamp::from_us(600 * 86_400_000_000)));
        assert_eq!(before(now, 0), None);
    }
}
