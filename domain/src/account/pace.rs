//! How many messages a second the broker sees at the most.

use crate::units::{Span, Timestamp};

/// Messages per second: so many at once, refilled evenly. Pure, so that it replays.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: i64,
    /// In millionths of a message.
    tokens: i64,
    refilled_at: Option<Timestamp>,
}

impl Pace {
    const MESSAGE: i64 = 1_000_000;

    pub(super) fn new(per_second: u32) -> Self {
        let per_second = i64::from(per_second.max(1));
        Self { per_second, tokens: per_second * Self::MESSAGE, refilled_at: None }
    }

    pub(super) fn may_send(&mut self, at: Timestamp) -> bool {
        self.refill(at);
        self.tokens >= Self::MESSAGE
    }

    pub(super) fn refill(&mut self, at: Timestamp) {
        let last = *self.refilled_at.get_or_insert(at);
        let passed = at.since(last).us().max(0);
        self.tokens =
            (self.tokens.saturating_add(passed.saturating_mul(self.per_second))).min(self.per_second * Self::MESSAGE);
        self.refilled_at = Some(last.max(at));
    }

    /// What may not wait can borrow from the seconds to come.
    pub(super) fn sent(&mut self) {
        self.tokens -= Self::MESSAGE;
    }

    /// When the next message may go, if one waits for its turn.
    pub(super) fn wake_at(&self, nothing_waits: bool) -> Option<Timestamp> {
        if nothing_waits || self.tokens >= Self::MESSAGE {
            return None;
        }
        let missing = Self::MESSAGE - self.tokens;
        self.refilled_at.map(|at| at.plus(Span::from_us(missing / self.per_second + 1)))
    }
}
