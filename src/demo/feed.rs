//! Plays a recorded day into the market at the speed of the market clock.

use std::time::Duration;

use signalbox_actors::clock::Clock as _;
use signalbox_actors::desk::DeskError;
use signalbox_domain::quote::Print;
use tracing::warn;

use crate::market::prints::RecordedDay;
use crate::system::Signalbox;

/// Prints of one message. The market actor works them off in one step.
const PRINTS_MAX: usize = 256;

/// A desk that is busy has worked off most of its commands by then.
const BUSY: Duration = Duration::from_millis(100);

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
    if !fed(|| system.desk.quotes(opening.clone())).await {
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
        if !fed(|| system.desk.prints(batch.to_vec())).await {
            return;
        }
        batch.iter().for_each(&mut seen);
    }
}

/// Tries until the desk takes it: a market that skips a piece is another market. `false` when the process is ending.
async fn fed<F: Future<Output = Result<(), DeskError>>>(mut feed: impl FnMut() -> F) -> bool {
    loop {
        match feed().await {
            Ok(()) => return true,
            Err(DeskError::Busy) => {
                warn!("the recorded day waits: the desk is busy");
                tokio::time::sleep(BUSY).await;
            }
            Err(error @ (DeskError::Closed | DeskError::Absent)) => {
                warn!("the recorded day stops: {error}");
                return false;
            }
        }
    }
}
