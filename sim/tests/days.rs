//! Simulated days: always the same thousand, and for ever those that broke a promise once. `SIM_SEED` and `SIM_DAYS` choose
//! others; new ones each time would now and then meet what docs/VERIFICATION.md lists as open.

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
fn the_promises_hold_on_a_thousand_days() {
    let first_seed = std::env::var("SIM_SEED").map_or(1, |seed| seed.parse().expect("a seed"));
    let days = std::env::var("SIM_DAYS").map_or(1_000, |days| days.parse().expect("a number"));
    let outcome = campaign::run(Campaign { first_seed, days, threads: 2, faults: Faults::of }, &|_| {});
    for broken in &outcome.broken {
        let first: String = broken.promise.lines().next().unwrap_or_default().to_owned();
        eprintln!("seed {}: {first}\n   {:?}", broken.seed, broken.faults);
    }
    eprintln!("{:?}", outcome.tally);
    assert!(outcome.broken.is_empty(), "{}", outcome.broken[0].promise);
}
