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
