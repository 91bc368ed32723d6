//! Kills the real program at random instants and proves afterwards that nothing is lost and nothing is doubled.
//!
//! A driver with its own fsynced ledger of keys and answers sends signals over several connections; the program is
//! killed (SIGKILL), started again on the same folder, and asked again with the same keys for everything that it did
//! not answer. What it tells of itself then is reckoned up independently of it.
//!
//! `CRASH_KILLS` says how often (40 by default, 200 for the full run), `CRASH_SEED` repeats the driver's choices. Where
//! a kill hits is up to the machine's scheduler, so a seed repeats the traffic and not the instant.
//!
//! SIGKILL leaves the page cache alive: a power cut is another test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod drill;
mod driver;
mod orderly;
mod program;
mod reckoning;
mod torture;

use std::time::Duration;

/// SplitMix64: enough randomness for a driver, and the same from the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    #[must_use]
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `from` to `to`, both included.
    pub(crate) const fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    pub(crate) const fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    pub(crate) const fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(self.between(from * 1_000, to * 1_000))
    }
}
