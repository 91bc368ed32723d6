//! Simulated days: two thousand that nobody has seen, some that are always the same, and for ever those that broke a
//! promise once. The first seed is printed first; `SIGNALBOX_SIM_SEED` and `SIGNALBOX_SIM_DAYS` choose others.

#![expect(clippy::disallowed_methods, reason = "the rate of the days, and seeds that nobody chose")]

use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use signalbox_brokers::fake::fault::Fault;
use signalbox_sim::campaign::{self, Campaign};
use signalbox_sim::trouble::{Faults, Trouble};
use signalbox_sim::{day, desk};

/// What the oldest of the kept days were lived without.
const SPARED_THEN: &[Fault] =
    &[Fault::SubmitSuccessButNothing, Fault::SubmitNumberOfAnother, Fault::SubmitWrongAccount, Fault::ListRenumbered];

#[test]
fn days_that_broke_a_promise_once_keep_it_now() {
    let market = Rc::new(desk::market());
    for line in include_str!("days.txt").lines().filter(|line| !line.starts_with('#')) {
        let seed = line.trim().parse().expect("a seed");
        let plain = Faults::with_plain_orders(seed);
        let by_day = plain.without(Trouble::Night);
        for faults in [by_day.sparing(SPARED_THEN), by_day, plain, Faults::of(seed)] {
            if let Err(broken) = day::live(&market, seed, faults) {
                panic!("day {seed}: {broken}");
            }
        }
    }
}

#[test]
fn the_promises_hold_on_days_that_are_always_the_same() {
    hold_on(1, 500);
}

#[test]
fn the_promises_hold_on_days_on_which_somebody_clicks_beside_what_hangs() {
    hold_on_days_of(1, 300, |_| Faults::by_hand());
}

#[test]
fn the_promises_hold_on_two_thousand_days_that_nobody_has_seen() {
    let number = |text: String| text.parse::<u64>().expect("a number");
    // Far from the seeds that people choose, and short enough to be read out.
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() * 10_000);
    let first_seed = std::env::var("SIGNALBOX_SIM_SEED")
        .map_or_else(|_| fresh(), |text| if text == "new" { fresh() } else { number(text) });
    hold_on(first_seed, std::env::var("SIGNALBOX_SIM_DAYS").map_or(2_000, number));
}

fn hold_on(first_seed: u64, days: u64) {
    hold_on_days_of(first_seed, days, Faults::of);
}

fn hold_on_days_of(first_seed: u64, days: u64, faults: fn(u64) -> Faults) {
    println!("again: SIGNALBOX_SIM_SEED={first_seed} SIGNALBOX_SIM_DAYS={days}");
    let threads = std::thread::available_parallelism().map_or(2, Into::into);
    let began = Instant::now();
    let outcome = campaign::run(Campaign { first_seed, days, threads, faults }, &|_| {});
    let seconds = began.elapsed().as_secs_f64();
    println!("{days} days in {seconds:.1} s, {:.0} days/s: {:?}", days as f64 / seconds, outcome.tally);
    for broken in &outcome.broken {
        let first = broken.promise.lines().next().unwrap_or_default();
        println!("seed {}: {first}\n   {:?}", broken.seed, broken.faults);
    }
    assert!(outcome.broken.is_empty(), "{}", outcome.broken[0].promise);
}
