//! A hundred thousand random worlds, each held against an oracle at every step.
//!
//! A world is three accounts, three strategies and a person, brokers that lose, repeat and reorder what they say, and a
//! process that ends when it likes. It is made from one number. When a promise is broken, the steps that do not matter
//! are taken out and the rest is printed with the number; add that to `seeds.txt`, and it is played for ever.

use std::rc::Rc;

use signalbox_sim::desk;
use signalbox_sim::world::{Op, World, ops};

const WORLDS: u64 = 100_000;
/// The tests run beside each other.
const SLICES: u64 = 4;

fn play(market: &Rc<signalbox_domain::market::Market>, ops: &[Op]) -> Result<(), String> {
    let mut world = World::new(market.clone());
    let steps = |world: &mut World| {
        for op in ops {
            world.act(*op)?;
        }
        world.end()
    };
    steps(&mut world).map_err(|broken| format!("{broken}\n{}", world.story()))
}

fn check(market: &Rc<signalbox_domain::market::Market>, seed: u64) {
    let mut ops = ops(seed);
    let Err(first) = play(market, &ops) else { return };
    // Take out whatever the failure does not need, in smaller and smaller pieces.
    let mut size = ops.len() / 2;
    let mut tries = 500;
    while size > 0 {
        let mut from = 0;
        while from < ops.len() && tries > 0 {
            tries -= 1;
            let mut fewer = ops.clone();
            fewer.drain(from..(from + size).min(fewer.len()));
            if play(market, &fewer).is_err() {
                ops = fewer;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    let last = play(market, &ops).err().unwrap_or_default();
    let first = first.lines().next().unwrap_or_default();
    panic!("world {seed} breaks a promise: {first}\nat its smallest: {last}");
}

fn slice(n: u64) {
    let market = Rc::new(desk::market());
    for seed in (0..WORLDS).filter(|seed| seed % SLICES == n) {
        check(&market, seed);
    }
}

#[test]
fn worlds_that_broke_a_promise_once_keep_it_now() {
    let market = Rc::new(desk::market());
    for line in include_str!("seeds.txt").lines().filter(|line| !line.starts_with('#')) {
        check(&market, line.trim().parse().expect("a seed"));
    }
}

#[test]
fn the_promises_hold_in_the_first_quarter_of_the_worlds() {
    slice(0);
}

#[test]
fn the_promises_hold_in_the_second_quarter_of_the_worlds() {
    slice(1);
}

#[test]
fn the_promises_hold_in_the_third_quarter_of_the_worlds() {
    slice(2);
}

#[test]
fn the_promises_hold_in_the_last_quarter_of_the_worlds() {
    slice(3);
}
