//! Many days in a row, on every core, and what came of them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use signalbox_domain::market::Market;

use crate::day;
use crate::desk;
use crate::trouble::Faults;

/// Which days to live through.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    pub first_seed: u64,
    pub days: u64,
    pub threads: usize,
    /// Which trouble a seed's day has.
    pub faults: fn(u64) -> Faults,
}

/// What happened on all days together.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub days: u64,
    pub steps: u64,
    /// How often each thing happened that is rare in life: who never met it has not tested it.
    pub met: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.days += other.days;
        self.steps += other.steps;
        for (what, times) in &other.met {
            *self.met.entry(what).or_default() += times;
        }
    }
}

/// A day that broke a promise.
#[derive(Debug, Clone)]
pub struct Broken {
    pub seed: u64,
    /// The promise, and how it was broken.
    pub promise: String,
    /// The faults that are needed for it.
    pub faults: Faults,
}

#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub tally: Tally,
    /// In the order of their seeds.
    pub broken: Vec<Broken>,
}

/// After so many broken days more of them tell nothing new.
const BROKEN_MAX: usize = 20;

/// Lives through the days; `progress` hears how many are over, from any thread.
pub fn run(campaign: Campaign, progress: &(dyn Fn(u64) + Sync)) -> Outcome {
    let (next, over) = (AtomicU64::new(0), AtomicU64::new(0));
    let enough = AtomicBool::new(false);
    let whole = Mutex::new(Outcome::default());
    std::thread::scope(|scope| {
        for _ in 0..campaign.threads.max(1) {
            scope.spawn(|| {
                let market = Rc::new(desk::market());
                let mut mine = Tally::default();
                while !enough.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= campaign.days {
                        break;
                    }
                    let seed = campaign.first_seed.wrapping_add(n);
                    match live(&market, seed, (campaign.faults)(seed)) {
                        Ok(tally) => mine.add(&tally),
                        Err(_) => {
                            let broken = smallest(&market, seed, (campaign.faults)(seed));
                            let mut whole = whole.lock().unwrap_or_else(PoisonError::into_inner);
                            whole.broken.push(broken);
                            enough.fetch_or(whole.broken.len() >= BROKEN_MAX, Ordering::Relaxed);
                        }
                    }
                    progress(over.fetch_add(1, Ordering::Relaxed) + 1);
                }
                whole.lock().unwrap_or_else(PoisonError::into_inner).tally.add(&mine);
            });
        }
    });
    let mut outcome = whole.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.broken.sort_by_key(|broken| broken.seed);
    outcome
}

/// A core that panics breaks a promise too.
pub(crate) fn live(market: &Rc<Market>, seed: u64, faults: Faults) -> Result<Tally, String> {
    unpanicked(|| day::live(market, seed, faults))
}

pub(crate) fn unpanicked<T>(play: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.unwrap_or_else(|| "a panic without a text".to_owned()))
    })
}

/// Takes away the faults that the broken promise does not need, one after the other. Each component draws from a stream
/// of its own, so that taking one away leaves the others as they were.
fn smallest(market: &Rc<Market>, seed: u64, mut faults: Faults) -> Broken {
    let mut promise = live(market, seed, faults.clone()).err().unwrap_or_default();
    for one in faults.clone().iter() {
        let without = faults.without(one);
        if let Err(still) = live(market, seed, without.clone()) {
            (faults, promise) = (without, still);
        }
    }
    Broken { seed, promise, faults }
}
