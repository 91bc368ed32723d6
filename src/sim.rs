//! `signalbox sim`: the desk through as many days as one likes, every one from a number.

use std::num::NonZeroU64;
use std::rc::Rc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
#[cfg(feature = "seeded-bugs")]
use signalbox_domain::seeded::SeededBug;
use signalbox_sim::campaign::{self, Campaign, Outcome};
use signalbox_sim::trouble::Faults;
use signalbox_sim::{day, desk};

/// What to live through.
#[derive(Debug, clap::Args)]
pub struct Sim {
    /// The seed of the first day; the others follow it. Default: one that nobody chose.
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, default_value = "1000")]
    days: NonZeroU64,
    #[arg(long, default_value_t = threads())]
    threads: usize,
    /// Tell everything that happens on the first day, and no more.
    #[arg(long)]
    trace: bool,
    /// With a known mistake in everything; `list` tells all of them.
    #[cfg(feature = "seeded-bugs")]
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// Lives through the days and tells how it went.
///
/// # Errors
/// When a promise was broken on one of them.
pub fn run(sim: &Sim) -> anyhow::Result<()> {
    #[cfg(feature = "seeded-bugs")]
    match sim.bug.as_deref() {
        None => {}
        Some("list") => {
            for bug in SeededBug::all() {
                crate::say!("{bug}: {}", bug.says());
            }
            return Ok(());
        }
        Some(name) => {
            let bug = name.parse().map_err(|_| anyhow::anyhow!("there is no mistake {name:?}"))?;
            signalbox_domain::seeded::plant(Some(bug));
        }
    }
    let seed = match sim.seed {
        Some(seed) => seed,
        None => fresh_seed()?,
    };
    if sim.trace {
        let (end, story) = day::tell(&Rc::new(desk::market()), seed, Faults::of(seed));
        crate::say!("{story}");
        return end.map_err(|broken| anyhow::anyhow!("day {seed}: {broken}"));
    }
    crate::say!("days {seed} and the {} after it", sim.days.get() - 1);
    let bar = ProgressBar::new(sim.days.get());
    bar.enable_steady_tick(Duration::from_millis(500));
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} days  {per_sec}  {eta} left")?);
    let since = crate::clock::stopwatch();
    let campaign = Campaign { first_seed: seed, days: sim.days.get(), threads: sim.threads, faults: Faults::of };
    let Outcome { tally, broken } = campaign::run(campaign, &|over| bar.set_position(over));
    let seconds = since.elapsed().as_secs_f64();
    bar.finish_and_clear();
    for (what, times) in &tally.met {
        crate::say!("  {what}: {times}");
    }
    let lived = tally.days + broken.len() as u64;
    crate::say!("{lived} days, {} steps, {:.0} days/s: {} broken", tally.steps, lived as f64 / seconds, broken.len());
    for one in &broken {
        let promise = one.promise.lines().next().unwrap_or_default();
        crate::say!("day {}: {promise}\n  with {:?}\n  again: signalbox sim --seed {0} --trace", one.seed, one.faults);
    }
    anyhow::ensure!(broken.is_empty(), "a promise was broken");
    Ok(())
}

fn fresh_seed() -> anyhow::Result<u64> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    // Short enough to be read out.
    Ok(u64::from_le_bytes(bytes) % 1_000_000_000_000)
}
