//! Days of the shell: the real actors, sessions and store of the program, from one number, on paused time.
//!
//! The simulator plays the cores alone, some hundred days a second. Here the same trouble meets what is around them:
//! mailboxes, timers, the gate between journal and broker, sessions with their patience, the inbox, the writer with its
//! transactions and everything that a restart reads. A process that dies is dropped in the middle of things, and the next
//! one opens the same data folder.
//!
//! `SIGNALBOX_SIM_SEED` and `SIGNALBOX_SIM_DAYS` choose other days than those of every run; the seed `new` is one that
//! nobody chose, and is printed first. `SIGNALBOX_SIM_STORY` prints the journal of each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "the rate of the days, and seeds that nobody chose")]

mod house;
mod life;
mod line;
mod reckon;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use life::End;
use rand_chacha::rand_core::RngCore as _;
use reckon::Told;
use signalbox_sim::trouble::Faults;
use world::{Death, Shared, World, lock};

/// A day, and what it left behind.
struct Day {
    end: Result<(), String>,
    told: Option<Told>,
    lives: u32,
    met: BTreeMap<&'static str, u64>,
}

fn day(seed: u64, faults: Faults) -> Day {
    quiet();
    let folder = folder();
    house::install(folder.path());
    let world: Shared = Arc::new(Mutex::new(World::dawn(seed, faults)));
    let mut told = None;
    let end = loop {
        match life::live(&world, folder.path()) {
            // Before the night and after it: a start mends much.
            Ok(End::Over) => {
                let mut world = lock(&world);
                let reckoned = reckon::reckon(&world, folder.path(), &mut told);
                if world.night || reckoned.is_err() {
                    break reckoned;
                }
                world.night = true;
            }
            Ok(End::Died) => {
                let mut world = lock(&world);
                world.died();
                // Somebody starts it again, sooner or later.
                let down = world.network.next_u32();
                let most = if down.is_multiple_of(4) { 60_000 } else { 3_000 };
                world.now = world.now.plus(world::ms(100 + down / 4 % most));
                // One in three dies while it takes up what the last one left.
                let again = world.network.next_u32();
                world.death = again
                    .is_multiple_of(3)
                    .then_some(Death::AtCommit { left: again / 3 % 6, made: (again / 18).is_multiple_of(2) });
                if world.lives >= LIVES_MAX {
                    world.death = None;
                }
            }
            Err(broken) => break Err(broken),
        }
    };
    let world = lock(&world);
    Day { end, told, lives: world.lives, met: world.met.clone() }
}

/// Panics that were wanted are not worth a word.
fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload_as_str().is_some_and(|text| text.starts_with("planted panic")) {
                loud(info);
            }
        }));
    });
}

/// In memory where that is possible: a flush costs nothing there, and a process that dies takes no page with it.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

#[test]
fn a_day_without_trouble_at_the_broker_passes_on_paused_time() {
    let day = day(3, Faults::default());
    assert_eq!(day.end, Ok(()));
    assert!(day.lives >= 2, "the day, and the night");
    assert!(day.told.unwrap().orders > 0);
}

/// As the dice fall now: whoever changes them looks for such days again.
#[test]
fn days_that_broke_a_promise_once_keep_it_now() {
    const SEEDS: &[u64] = &[
        64, // a fill came after its order's end and in the same step: the leg's row counted what the journal did not
    ];
    for &seed in SEEDS {
        assert_eq!(day(seed, Faults::of(seed)).end, Ok(()), "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_journal() {
    for seed in 1..=6 {
        let (one, two) = (day(seed, Faults::of(seed)), day(seed, Faults::of(seed)));
        let (one, two) = (one.told.unwrap(), two.told.unwrap());
        let differ = one.story.lines().zip(two.story.lines()).find(|(a, b)| a != b);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(one, two, "seed {seed}");
    }
}

#[test]
fn the_promises_hold_on_these_days() {
    let number = |text: String| text.parse::<u64>().unwrap();
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() * 10_000);
    let first =
        std::env::var("SIGNALBOX_SIM_SEED").map_or(1, |text| if text == "new" { fresh() } else { number(text) });
    let days = std::env::var("SIGNALBOX_SIM_DAYS").map_or(DAYS, number);
    println!("again: SIGNALBOX_SIM_SEED={first} SIGNALBOX_SIM_DAYS={days}");
    let began = Instant::now();
    let (mut met, mut lives, mut broken) = (BTreeMap::<&str, u64>::new(), 0, Vec::new());
    let mut journals = 0_u64;
    for seed in first..first + days {
        let faults = Faults::of(seed);
        let day = day(seed, faults.clone());
        lives += day.lives;
        for (what, times) in day.met {
            *met.entry(what).or_default() += times;
        }
        if std::env::var("SIGNALBOX_SIM_STORY").is_ok()
            && let Some(told) = &day.told
        {
            println!("{}", told.story);
        }
        if let Some(told) = &day.told {
            let hash = told.hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            journals = journals.rotate_left(1) ^ hash;
        }
        if let Err(promise) = day.end {
            println!("seed {seed}: {promise}\n   {faults:?}");
            broken.push((seed, promise));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{days} days, {lives} lives in {seconds:.1} s, {:.1} days/s: {met:?}", days as f64 / seconds);
    println!("all journals together: {journals:016x}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Each life costs as much as ten minutes of a day.
const LIVES_MAX: u32 = 12;

/// Some twenty seconds of a debug build.
const DAYS: u64 = 40;
