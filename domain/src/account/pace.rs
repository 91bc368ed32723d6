//! How fast an account sends: so many messages per second and per minute, and slower once the day has seen many. What may
//! not wait (cancels) is counted, and the next order waits the longer.

use crate::units::{Span, Timestamp};

/// The numbers. They make orders wait, and never refuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    pub per_second: u32,
    pub per_minute: u32,
    /// From so many messages a day on the pace per minute is a quarter: what is left of the day does not reach the hard
    /// stop.
    pub per_day: u32,
}

impl Pacing {
    /// The product's proportions, P3: 5 a second, 120 a minute, 2,000 a day.
    #[must_use]
    pub const fn of_second(n: u32) -> Self {
        Self { per_second: n, per_minute: n.saturating_mul(24), per_day: n.saturating_mul(400) }
    }
}

/// Pure, so that it replays.
#[derive(Debug)]
pub(super) struct Pace {
    pacing: Pacing,
    /// In millionths of a message; so many at once, refilled evenly.
    tokens: i64,
    refilled_at: Option<Timestamp>,
    minute: Minute,
}

impl Pace {
    const MESSAGE: i64 = 1_000_000;

    pub(super) fn new(pacing: Pacing) -> Self {
        let mut pace = Self { pacing, tokens: 0, refilled_at: None, minute: Minute::default() };
        pace.set(pacing);
        pace.tokens = pace.per_second() * Self::MESSAGE;
        pace
    }

    /// Goes on at another pace, with what was sent so far.
    pub(super) fn set(&mut self, pacing: Pacing) {
        self.pacing = pacing;
        self.tokens = self.tokens.min(self.per_second() * Self::MESSAGE);
    }

    fn per_second(&self) -> i64 {
        i64::from(self.pacing.per_second.max(1))
    }

    fn per_minute(&self, today: u32) -> u32 {
        let slowed = if today >= self.pacing.per_day { self.pacing.per_minute / 4 } else { self.pacing.per_minute };
        slowed.max(1)
    }

    /// `today` counts the messages of the day so far.
    pub(super) fn may_send(&mut self, at: Timestamp, today: u32) -> bool {
        self.refill(at);
        self.tokens >= Self::MESSAGE && self.minute.total < self.per_minute(today)
    }

    pub(super) fn refill(&mut self, at: Timestamp) {
        let last = *self.refilled_at.get_or_insert(at);
        let passed = at.since(last).us().max(0);
        let per_second = self.per_second();
        self.tokens = (self.tokens.saturating_add(passed.saturating_mul(per_second))).min(per_second * Self::MESSAGE);
        self.refilled_at = Some(last.max(at));
        self.minute.forget(at);
    }

    /// What may not wait can borrow from the seconds to come.
    pub(super) fn sent(&mut self, at: Timestamp) {
        self.tokens -= Self::MESSAGE;
        self.minute.count(at);
    }

    /// A message of an earlier life: the minute that it belongs to may not be over.
    pub(super) fn sent_before(&mut self, at: Timestamp) {
        self.minute.count(at);
    }

    /// When the next message may go, if one waits for its turn.
    pub(super) fn wake_at(&self, nothing_waits: bool, today: u32) -> Option<Timestamp> {
        if nothing_waits {
            return None;
        }
        let missing = Self::MESSAGE - self.tokens;
        let token =
            self.refilled_at.filter(|_| missing > 0).map(|at| at.plus(Span::from_us(missing / self.per_second() + 1)));
        let room = (self.minute.total >= self.per_minute(today)).then(|| self.minute.room_at()).flatten();
        token.max(room)
    }
}

/// The messages of the last minute, by second: each counts for a second too long rather than too short.
#[derive(Debug)]
struct Minute {
    seconds: [u32; Self::LEN as usize],
    /// The newest second that is counted.
    newest: i64,
    total: u32,
}

impl Default for Minute {
    fn default() -> Self {
        Self { seconds: [0; Self::LEN as usize], newest: 0, total: 0 }
    }
}

impl Minute {
    /// One more than a minute has: its first and its last second are parts of seconds.
    const LEN: i64 = 61;

    fn second(at: Timestamp) -> i64 {
        at.us().div_euclid(1_000_000)
    }

    fn slot(&mut self, second: i64) -> &mut u32 {
        &mut self.seconds[second.rem_euclid(Self::LEN) as usize]
    }

    /// A second that is over for a minute counts no more. A clock that goes back changes nothing.
    fn forget(&mut self, at: Timestamp) {
        let now = Self::second(at);
        for second in self.newest.max(now - Self::LEN) + 1..=now {
            let old = std::mem::take(self.slot(second));
            self.total -= old;
        }
        self.newest = self.newest.max(now);
    }

    fn count(&mut self, at: Timestamp) {
        self.forget(at);
        let second = Self::second(at);
        if second > self.newest - Self::LEN {
            *self.slot(second) += 1;
            self.total += 1;
        }
    }

    /// When the oldest second that counts is forgotten.
    fn room_at(&self) -> Option<Timestamp> {
        let oldest = (self.newest - Self::LEN + 1..=self.newest)
            .find(|second| self.seconds[second.rem_euclid(Self::LEN) as usize] > 0)?;
        Some(Timestamp::from_us((oldest + Self::LEN) * 1_000_000))
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as the pace lets it, and returns when each message went.
    fn send(pace: &mut Pace, from: Timestamp, count: u32) -> Vec<i64> {
        let (mut at, mut sent) = (from, Vec::new());
        while sent.len() < count as usize {
            if pace.may_send(at, sent.len() as u32) {
                pace.sent(at);
                sent.push(at.since(from).us());
            } else {
                let next = pace.wake_at(false, sent.len() as u32).expect("it says when");
                assert!(next > at, "it wakes up for something");
                at = next;
            }
        }
        sent
    }

    fn most_in(sent: &[i64], span: i64) -> usize {
        (0..sent.len()).map(|i| sent[i..].iter().take_while(|at| **at < sent[i] + span).count()).max().unwrap_or(0)
    }

    #[test]
    fn no_minute_has_more_than_its_messages_and_the_rest_waits() {
        let mut pace = Pace::new(Pacing { per_second: 5, per_minute: 120, per_day: 2_000 });
        let sent = send(&mut pace, Timestamp::from_us(7_300_000), 500);
        assert_eq!(most_in(&sent, 60_000_000), 120);
        assert!(most_in(&sent, 1_000_000) <= 10, "five at once, and five more as they come back");
        assert!(*sent.last().expect("some") < 300_000_000, "500 messages need no more than five minutes");
    }

    #[test]
    fn a_day_of_many_messages_goes_on_at_a_quarter() {
        let mut pace = Pace::new(Pacing { per_second: 50, per_minute: 120, per_day: 240 });
        let sent = send(&mut pace, Timestamp::from_us(0), 400);
        assert_eq!(most_in(&sent[240..], 60_000_000), 30);
    }

    #[test]
    fn a_cancel_is_counted_and_the_next_order_waits_for_it() {
        let at = Timestamp::from_us(0);
        let mut pace = Pace::new(Pacing { per_second: 100, per_minute: 2, per_day: 100 });
        pace.refill(at);
        (0..3).for_each(|_| pace.sent(at));
        assert!(!pace.may_send(at, 3));
        assert_eq!(pace.wake_at(false, 3), Some(Timestamp::from_us(61_000_000)));
        assert!(pace.may_send(Timestamp::from_us(61_000_000), 3));
    }

    #[test]
    fn what_an_earlier_life_sent_counts_until_its_minute_is_over() {
        let mut pace = Pace::new(Pacing { per_second: 100, per_minute: 2, per_day: 100 });
        pace.sent_before(Timestamp::from_us(50_000_000));
        pace.sent_before(Timestamp::from_us(20_000_000));
        assert!(!pace.may_send(Timestamp::from_us(60_000_000), 2));
        assert!(pace.may_send(Timestamp::from_us(81_000_000), 2));
    }
}
