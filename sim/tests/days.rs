//! Simulated days. New seeds each time, and for ever those that broke a promise once.

use std::rc::Rc;

use signalbox_sim::campaign::{self, Campaign};
use signalbox_sim::trouble::Faults;
use signalbox_sim::{day, desk};

#[test]
fn days_that_broke_a_promise_once_keep_it_now() {
    let market = Rc::new(desk::market());
    for line in include_str!("days.txt").lines().filter(|line| !line.starts_with('#')) {
        let seed = line.trim().parse().expect("a seed");
        if let Err(broken) = day::live(&market, seed, Faults::of(seed)) {
            panic!("day {seed}: {broken}");
        }
    }
}

#[test]
fn the_promises_hold_on_days_that_nobody_chose() {
    let first_seed = std::env::var("SIM_SEED").map_or_else(|_| fresh_seed(), |seed| seed.parse().expect("a seed"));
    let days = std::env::var("SIM_DAYS").map_or(2_000, |days| days.parse().expect("a number"));
    let outcome = campaign::run(Campaign { first_seed, days, threads: 2, faults: Faults::of }, &|_| {});
    for broken in &outcome.broken {
        let first: String = broken.promise.lines().next().unwrap_or_default().to_owned();
        eprintln!("seed {}: {first}\n   {:?}", broken.seed, broken.faults);
    }
    eprintln!("{:?}", outcome.tally);
    assert!(outcome.broken.is_empty(), "{}", outcome.broken[0].promise);
}

/// Another one in every process: the standard map's keys come from the system.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0) % 1_000_000_000_000
}
