//! How long a planted mistake stays unseen: days of all kinds, worlds, and days on which people click beside what hangs, in
//! the order of their seeds, up to the first that breaks a promise.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use signalbox_domain::market::Market;

use crate::trouble::Faults;
use crate::world::{World, ops};
use crate::{campaign, desk};

/// The first seed that broke a promise.
#[derive(Debug, Clone)]
pub struct Found {
    pub seed: u64,
    /// How many seeds it took, this one included.
    pub seeds: u64,
    /// The promise, in one line.
    pub promise: String,
}

/// Looks among the days of `count` seeds from `first` on.
#[must_use]
pub fn among_days(first: u64, count: u64, threads: usize) -> Option<Found> {
    among(first, count, threads, |market, seed| campaign::live(market, seed, Faults::of(seed)).map(drop))
}

/// Looks among days on which orders hang and somebody acts by hand.
#[must_use]
pub fn among_days_by_hand(first: u64, count: u64, threads: usize) -> Option<Found> {
    among(first, count, threads, |market, seed| campaign::live(market, seed, Faults::by_hand()).map(drop))
}

/// Looks among the worlds of `count` seeds from `first` on.
#[must_use]
pub fn among_worlds(first: u64, count: u64, threads: usize) -> Option<Found> {
    among(first, count, threads, |market, seed| campaign::unpanicked(|| play(market, seed)))
}

fn play(market: &Rc<Market>, seed: u64) -> Result<(), String> {
    let mut world = World::new(market.clone());
    for op in ops(seed) {
        world.act(op)?;
    }
    world.end()
}

/// Seeds are given out in order and none is left half-way, so the lowest broken one is the first whatever the threads do.
fn among(first: u64, count: u64, threads: usize, live: fn(&Rc<Market>, u64) -> Result<(), String>) -> Option<Found> {
    let (next, found) = (AtomicU64::new(0), Mutex::new(None::<Found>));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let market = Rc::new(desk::market());
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let seed = first.wrapping_add(n);
                    let Err(broken) = live(&market, seed) else { continue };
                    next.store(count, Ordering::Relaxed);
                    let promise = in_one_line(&broken);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    if found.as_ref().is_none_or(|before| n < before.seeds - 1) {
                        *found = Some(Found { seed, seeds: n + 1, promise });
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The promise without the story behind it. One that tells differences goes on for some lines.
fn in_one_line(broken: &str) -> String {
    let lines = if broken.lines().next().is_some_and(|first| first.ends_with('[')) { 5 } else { 1 };
    let words: Vec<&str> = broken.lines().take(lines).flat_map(str::split_whitespace).collect();
    words.join(" ").chars().take(PROMISE_MAX).collect()
}

const PROMISE_MAX: usize = 110;
