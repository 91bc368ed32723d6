//! Plants known mistakes, one after the other, and looks for the first day that each of them breaks, and where no day
//! does, for the first world. `ops/seeded-bugs` builds and runs it.

use std::process::ExitCode;
use std::thread::available_parallelism;

use signalbox_domain::seeded::{SeededBug, plant};
use signalbox_sim::hunt::{Found, among_days, among_days_by_hand, among_worlds};

const USAGE: &str = "seeded-bugs [--days N] [--worlds N] [--seed FIRST] [--list] [NAME ...]";

/// What the days and worlds do not show: `ops/seeded-bugs` lets a test show it.
const BY_TEST: &[SeededBug] = &[SeededBug::ClaimNotUnique];

struct Args {
    days: u64,
    worlds: u64,
    seed: u64,
    bugs: Vec<SeededBug>,
}

fn main() -> ExitCode {
    let args = match read_args() {
        Ok(Some(args)) => args,
        Ok(None) => return ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A core that panics breaks a promise, and is told as one.
    std::panic::set_hook(Box::new(|_| {}));
    match hunt(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::FAILURE
        }
    }
}

fn read_args() -> Result<Option<Args>, String> {
    let mut args = Args { days: 5_000, worlds: 30_000, seed: 1, bugs: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse().ok()).ok_or(format!("{word} needs a number"));
        match word.as_str() {
            "--days" => args.days = number()?,
            "--worlds" => args.worlds = number()?,
            "--seed" => args.seed = number()?,
            "--list" => {
                for bug in SeededBug::all() {
                    println!("{bug}: {}", bug.says());
                }
                return Ok(None);
            }
            name => args.bugs.push(name.parse().map_err(|_| format!("there is no mistake {name:?}"))?),
        }
    }
    if args.bugs.is_empty() {
        args.bugs = SeededBug::all().filter(|bug| !BY_TEST.contains(bug)).collect();
    }
    Ok(Some(args))
}

fn hunt(args: &Args) -> Result<(), String> {
    let threads = available_parallelism().map_or(1, Into::into);
    let days = || among_days(args.seed, args.days, threads);
    let worlds = || among_worlds(args.seed, args.worlds, threads);
    let by_hand = || among_days_by_hand(args.seed, args.days, threads);
    if let Some(found) = days().or_else(worlds).or_else(by_hand) {
        return Err(format!("without any mistake seed {} breaks a promise: {}", found.seed, found.promise));
    }
    println!(
        "without a mistake: {0} days, {1} worlds and {0} days with people beside from seed {2} on keep every promise\n",
        args.days, args.worlds, args.seed
    );
    println!("| Mistake | Seen after | Broken promise |\n|---|---|---|");
    let mut unseen = Vec::new();
    for bug in &args.bugs {
        plant(Some(*bug));
        let found = days()
            .map(|found| ("days", found))
            .or_else(|| worlds().map(|found| ("worlds", found)))
            .or_else(|| by_hand().map(|found| ("days with people beside", found)));
        match found {
            Some((of, Found { seeds, promise, .. })) => println!("| `{bug}` | {seeds} {of} | {promise} |"),
            None => {
                println!("| `{bug}` | **not seen** | |");
                unseen.push(bug.to_string());
            }
        }
    }
    match unseen.as_slice() {
        [] => Ok(()),
        _ => Err(format!("not found: {}", unseen.join(", "))),
    }
}
