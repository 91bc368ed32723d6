//! The market clock: the only place where the shell reads the time.
//!
//! Sessions, validity and events follow it. It may be started at any instant of the past (replays, demonstrations) and
//! then runs at the speed it was given.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use signalbox_domain::units::{Span, Timestamp};
use tokio::time::Instant;

/// What the market clock shows.
pub trait Clock: Send + Sync + fmt::Debug {
    fn now(&self) -> Timestamp;

    /// How long to wait in real time until the clock has moved on by `span`.
    fn real(&self, span: Span) -> Duration;

    /// How far the wall clock has gone from the monotonic one, in real time from any beginning. A change of it says that
    /// somebody set the clock, or that the machine slept.
    fn drift(&self) -> Span;
}

/// The machine's two clocks, which nobody here can set.
pub trait Machine: Send + Sync + fmt::Debug {
    /// Only ever goes on; not the runtime's, which tests let stand still.
    fn monotonic(&self) -> std::time::Instant;

    /// The date and time, as somebody or something has set it.
    fn wall(&self) -> SystemTime;
}

/// This machine.
#[derive(Debug, Clone, Copy)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn monotonic(&self) -> std::time::Instant {
        std::time::Instant::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Runs from a starting instant along the monotonic clock, at a speed.
#[derive(Debug)]
pub struct MarketClock {
    origin: Mutex<(Instant, Timestamp)>,
    /// Market microseconds per real microsecond.
    speed: i64,
    /// Never shown twice in the wrong order, whatever the arithmetic does.
    shown: AtomicI64,
    machine: Box<dyn Machine>,
    /// Both of its clocks at the beginning.
    began: (std::time::Instant, SystemTime),
}

impl MarketClock {
    /// A clock that shows `start` now and follows real time `speed` times as fast.
    #[must_use]
    pub fn starting_at(start: Timestamp, speed: u32) -> Self {
        Self::on(Box::new(ThisMachine), start, speed)
    }

    /// The same on a machine whose clocks a test sets.
    #[must_use]
    pub fn on(machine: Box<dyn Machine>, start: Timestamp, speed: u32) -> Self {
        let origin = Mutex::new((now(), start));
        let began = (machine.monotonic(), machine.wall());
        Self { origin, speed: i64::from(speed.max(1)), shown: AtomicI64::new(start.us()), machine, began }
    }

    /// Sets the clock forward to `to`; a clock that is further on stays where it is.
    pub fn jump(&self, to: Timestamp) {
        if to > self.now() {
            let mut origin = self.origin.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *origin = (now(), to);
        }
    }
}

impl Clock for MarketClock {
    fn now(&self) -> Timestamp {
        let (real, market) = *self.origin.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let passed = i64::try_from(now().duration_since(real).as_micros()).unwrap_or(i64::MAX);
        let us = market.plus(Span::from_us(passed.saturating_mul(self.speed))).us();
        Timestamp::from_us(self.shown.fetch_max(us, Ordering::Relaxed).max(us))
    }

    fn real(&self, span: Span) -> Duration {
        Duration::from_micros(u64::try_from(span.us() / self.speed).unwrap_or(0))
    }

    fn drift(&self) -> Span {
        let (monotonic, wall) = self.began;
        let us = |passed: Duration| i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let since = |then: SystemTime| match self.machine.wall().duration_since(then) {
            Ok(passed) => us(passed),
            Err(backwards) => -us(backwards.duration()),
        };
        Span::from_us(since(wall) - us(self.machine.monotonic().duration_since(monotonic)))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn now() -> Instant {
    Instant::now()
}
