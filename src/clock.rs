//! The wall clock: the only place that asks the machine for the date and time. Everything else is told.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use signalbox_domain::units::{Span, Timestamp};

/// Tells the date and time. People's sessions and the records of administration use it; trading uses the shell's clock.
pub trait WallClock: fmt::Debug + Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the wall clock")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is a machine without a battery: the epoch itself is as wrong and does not panic.
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_us(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
    }
}

/// So far the machine's clock may have been set back while nothing ran: the market clock goes on where it was, and is
/// ahead by as much until the next start. No session or deadline is as narrow.
const BEHIND_MAX: Span = Span::from_secs(60);

/// The machine's clock is far before what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock of this machine is {} s before the newest stored event: what was sent before would count as sent later. \
     Set the clock, and start again",
    .0.us() / 1_000_000
)]
pub struct ClockIsBehind(pub Span);

/// When the market clock of a new life begins: now, and never before what is stored. Reads and durations of earlier lives
/// are compared with those of this one (F37).
///
/// # Errors
/// [`ClockIsBehind`].
pub fn not_before(stored: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, ClockIsBehind> {
    let Some(stored) = stored.filter(|stored| *stored > now) else { return Ok(now) };
    let behind = stored.since(now);
    if behind > BEHIND_MAX { Err(ClockIsBehind(behind)) } else { Ok(stored) }
}

/// For measuring how long something takes; no decision about trading looks at it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the stopwatch")]
pub fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}

/// A clock that stands still until it is moved: for tests and replays.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.us()))
    }

    pub fn advance(&self, span: Span) {
        self.0.fetch_add(span.us(), Ordering::SeqCst);
    }
}

impl WallClock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_us(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f37_the_market_clock_never_begins_before_what_is_stored() {
        let at = |s: i64| Timestamp::from_us(s * 1_000_000);
        assert_eq!(not_before(None, at(100)), Ok(at(100)));
        assert_eq!(not_before(Some(at(90)), at(100)), Ok(at(100)));
        assert_eq!(not_before(Some(at(160)), at(100)), Ok(at(160)));
        assert_eq!(not_before(Some(at(161)), at(100)), Err(ClockIsBehind(Span::from_secs(61))));
    }
}
