//! What a run has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::points::Rounds;
use super::{gives_nothing, level_of};
use crate::drill::program::Program;

/// A start that took longer says in the report what it waited for.
const SLOW: Duration = Duration::from_secs(1);

/// Of one database.
#[derive(Debug, Default)]
pub struct Figures {
    /// How often the program died, by what killed it.
    pub kills: BTreeMap<&'static str, u64>,
    pub broker_kills: u64,
    pub line_cuts: u64,
    pub recoveries: Vec<Duration>,
    /// Starts that took longer than [`SLOW`], in the order in which they were made.
    slow_starts: Vec<Value>,
    pub rounds: Rounds,
    /// Points that cannot be passed here.
    pub skipped: Vec<&'static str>,
    pub comparisons: usize,
    /// Folders before this one.
    pub folders: usize,
    pub keys: usize,
    keys_before: usize,
    pub decisions: usize,
    pub accounts: BTreeMap<String, Account>,
    pub took: Duration,
}

/// Of one account, over all folders of the run.
#[derive(Debug, Default)]
pub struct Account {
    pub before: Counts,
    pub now: Counts,
    pub doubts: BTreeSet<String>,
    /// The reason of each park, and whether the evidence left no choice.
    pub parks: BTreeMap<String, Park>,
}

#[derive(Debug, Clone)]
pub struct Park {
    pub reason: String,
    pub justified: bool,
    pub evidence: Value,
}

/// What is counted anew in each folder.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub orders: usize,
    pub at_broker: usize,
    pub fills: usize,
    /// How the orders ended, with the first reason of a refusal.
    pub ends: BTreeMap<String, usize>,
    pub lost: usize,
    pub doubled: usize,
    pub wrong_binds: usize,
    pub other_faults: usize,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.at_broker += other.at_broker;
        self.fills += other.fills;
        for (end, count) in &other.ends {
            *self.ends.entry(end.clone()).or_default() += count;
        }
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.wrong_binds += other.wrong_binds;
        self.other_faults += other.other_faults;
    }
}

impl Account {
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.before.clone();
        counts.add(&self.now);
        counts
    }

    fn unjustified(&self) -> usize {
        self.parks.values().filter(|park| !park.justified).count()
    }

    fn report(&self) -> Value {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for park in self.parks.values() {
            let how = if park.justified { "" } else { " unjustified" };
            *reasons.entry(format!("{}{how}", park.reason)).or_default() += 1;
        }
        let unjustified = self.parks.values().filter(|park| !park.justified).map(|park| park.evidence.clone());
        let counts = self.counts();
        json!({
            "orders": counts.orders, "orders_at_broker": counts.at_broker, "order_ends": counts.ends, "fills": counts.fills,
            "doubts": self.doubts.len(), "parks": self.parks.len(), "unjustified_parks": self.unjustified(),
            "park_reasons": reasons, "unjustified": unjustified.take(5).collect::<Vec<_>>(), "lost": counts.lost, "doubled": counts.doubled, "wrong_binds": counts.wrong_binds,
            "other_faults": counts.other_faults,
        })
    }
}

impl Figures {
    #[must_use]
    pub fn killed(&self) -> u64 {
        self.kills.values().sum()
    }

    pub fn kill(&mut self, by: &'static str) {
        *self.kills.entry(by).or_default() += 1;
    }

    /// A new folder begins: what was counted stays counted.
    pub fn turn_page(&mut self) {
        self.folders += 1;
        self.keys_before += std::mem::take(&mut self.keys);
        for account in self.accounts.values_mut() {
            account.before.add(&std::mem::take(&mut account.now));
        }
    }

    #[must_use]
    pub fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        for account in self.accounts.values() {
            sum.add(&account.counts());
        }
        sum
    }

    /// Doubts and parks where something can be decided without a person.
    #[must_use]
    pub fn doubts_and_parks(&self) -> [usize; 3] {
        let able = || self.accounts.iter().filter(|(name, _)| !gives_nothing(name)).map(|(_, account)| account);
        [
            able().map(|account| account.doubts.len()).sum(),
            able().map(|account| account.parks.len()).sum(),
            able().map(Account::unjustified).sum(),
        ]
    }

    /// A start that ended with a program that was ready.
    pub fn started(&mut self, program: &Program) {
        self.recoveries.push(program.recovery);
        if program.recovery > SLOW {
            self.slow_starts.push(json!({
                "after_kills": self.killed(),
                "ms": program.recovery.as_millis(),
                "door_open_after_ms": program.opened.as_millis(),
                "waited_for": program.waited_for,
            }));
        }
    }

    /// Median, 99th percentile and maximum, in milliseconds.
    #[must_use]
    pub fn recovery(&self) -> [u128; 3] {
        let mut sorted = self.recoveries.clone();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get((sorted.len().max(1) - 1) * percent / 100).map_or(0, Duration::as_millis);
        [at(50), at(99), at(100)]
    }

    #[must_use]
    pub fn progress(&self) -> String {
        let (sum, [doubts, parks, unjustified]) = (self.sum(), self.doubts_and_parks());
        format!(
            "{} keys, {} orders, {} fills, {doubts} doubts, {parks} parks ({unjustified} unjustified)",
            self.keys_before + self.keys,
            sum.orders,
            sum.fills
        )
    }

    #[must_use]
    pub fn line(&self, database: &str) -> String {
        let ([median, p99, max], [doubts, parks, unjustified]) = (self.recovery(), self.doubts_and_parks());
        let (sum, hit) = (self.sum(), self.rounds.hits.values().filter(|hits| **hits > 0).count());
        let never = self.rounds.never_hit(&self.skipped);
        let kills: Vec<String> = self.kills.iter().map(|(by, count)| format!("{count} {by}")).collect();
        format!(
            "{database}: {} kills ({}), {} of the broker, {} cuts of its line; {} keys, {} orders ({} at the broker), {} \
             fills; {} lost, {} doubled, {} wrong binds, {} other faults\n{database}: above L0 {doubts} doubts, {parks} \
             parks, {unjustified} of them unjustified; recovery {median}/{p99}/{max} ms (median/p99/max) of {}; {hit} \
             crash points hit, never: {never:?}; {} s",
            self.killed(),
            kills.join(", "),
            self.broker_kills,
            self.line_cuts,
            self.keys_before + self.keys,
            sum.orders,
            sum.at_broker,
            sum.fills,
            sum.lost,
            sum.doubled,
            sum.wrong_binds,
            sum.other_faults,
            self.recoveries.len(),
            self.took.as_secs()
        )
    }

    #[must_use]
    pub fn report(&self) -> Value {
        let ([median, p99, max], [doubts, parks, unjustified]) = (self.recovery(), self.doubts_and_parks());
        let levels = self.accounts.iter().map(|(name, account)| (level_of(name), account.report()));
        json!({
            "seconds": self.took.as_secs(), "kills": self.killed(), "kills_by": self.kills,
            "broker_kills": self.broker_kills, "line_cuts": self.line_cuts, "comparisons": self.comparisons,
            "keys": self.keys_before + self.keys, "decisions": self.decisions, "doubts_above_l0": doubts, "parks_above_l0": parks,
            "unjustified_parks": unjustified,
            "recovery_ms": {"count": self.recoveries.len(), "median": median, "p99": p99, "max": max},
            "slow_starts": self.slow_starts,
            "crash_points": self.rounds.hits, "crash_points_never_hit": self.rounds.never_hit(&self.skipped),
            "levels": levels.collect::<serde_json::Map<_, _>>(),
        })
    }
}
