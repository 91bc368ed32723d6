//! The named crash points, so that each gets its turn.

use std::collections::BTreeMap;

use signalbox_actors::crash::POINTS;

use crate::drill::Dice;

/// When a point is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the program is ready: nobody has to trade.
    Starting,
    Trading,
    /// When it is told to end.
    Ending,
}

#[must_use]
pub fn when(point: &str) -> When {
    match point.split('.').next() {
        Some("open" | "restore" | "boot") => When::Starting,
        Some("drain") => When::Ending,
        _ if point == "door.before_listen" => When::Starting,
        _ => When::Trading,
    }
}

/// No day of this traffic is old enough to be archived: `tests/crash/archive.rs` has its kills.
fn is_elsewhere(point: &str) -> bool {
    point.starts_with("archive.")
}

/// How often each point was tried and hit.
#[derive(Debug, Default)]
pub struct Rounds {
    tried: BTreeMap<&'static str, u64>,
    pub hits: BTreeMap<&'static str, u64>,
    missed: BTreeMap<&'static str, bool>,
}

impl Rounds {
    /// The point whose turn it is, and how often it is passed before.
    pub fn next(&mut self, skipped: &[&str], dice: &mut Dice) -> (&'static str, u64) {
        let able = POINTS.iter().copied().filter(|point| !skipped.contains(point) && !is_elsewhere(point));
        let point = able.min_by_key(|point| self.tried.get(point).copied().unwrap_or_default()).unwrap_or(POINTS[0]);
        *self.tried.entry(point).or_default() += 1;
        // What is passed often is not always hit the first time; what was missed is.
        const RARE: &[&str] = &["broker.before_connect", "broker.connected", "change", "fold", "park", "resolve"];
        let rare = RARE.iter().any(|rare| point.starts_with(rare));
        let often = when(point) == When::Trading && !rare && !self.missed.get(point).copied().unwrap_or_default();
        (point, if often { dice.between(0, 9) } else { 0 })
    }

    pub fn note(&mut self, point: &'static str, hit: bool) {
        *self.hits.entry(point).or_default() += u64::from(hit);
        self.missed.insert(point, !hit);
    }

    /// Points that were in turn and never hit, or never in turn.
    #[must_use]
    pub fn never_hit(&self, skipped: &[&str]) -> Vec<&'static str> {
        let hit = |point: &&str| self.hits.get(point).copied().unwrap_or_default() > 0;
        POINTS.iter().copied().filter(|point| !skipped.contains(point) && !is_elsewhere(point) && !hit(point)).collect()
    }
}
