//! F28: a terminal that was restarted may give other numbers to the same orders. Ours is the number under which a valid
//! read showed an order first; a read with other numbers is translated, if that can be done in one way only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::validity::{Seen, SeenRows};
use crate::broker::{ListedOrder, Snapshot};
use crate::ids::BrokerOrderId;
use crate::units::Qty;

/// From the number that the terminal shows now to the one that is ours.
pub type Renumbered = BTreeMap<BrokerOrderId, BrokerOrderId>;

/// The read in our numbers. Where it cannot be told which row is which, it is left as it is, and is invalid then:
/// something that was listed is not listed any more, or is another order. Of a person's own orders (`external`) those
/// that look the same may stand for each other: only their sum is booked. A row that bears the number of an order of ours
/// and looks like it (`claimed`) is another one's only where no other row can be.
#[must_use]
pub fn translated(
    snapshot: Arc<Snapshot>,
    seen: &SeenRows,
    external: impl Fn(&BrokerOrderId) -> bool,
    claimed: impl Fn(&ListedOrder) -> bool,
) -> (Arc<Snapshot>, Renumbered) {
    let listed: BTreeMap<&BrokerOrderId, &ListedOrder> = snapshot.orders.iter().map(|row| (&row.no, row)).collect();
    let same = |no: &BrokerOrderId, seen: &Seen| listed.get(no).is_some_and(|row| seen.is_named(row));
    let mut missing: Vec<(&BrokerOrderId, &Seen)> = Vec::new();
    let mut found = BTreeSet::new();
    for (no, seen) in seen.of(snapshot.trade_date) {
        if same(no, seen) {
            found.insert(no);
        } else {
            missing.push((no, seen));
        }
    }
    if missing.is_empty() {
        return (snapshot, Renumbered::new());
    }
    let new: Vec<&ListedOrder> = snapshot.orders.iter().filter(|row| !found.contains(&row.no)).collect();
    let mut renumbered = Renumbered::new();
    for (no, seen) in &missing {
        let fits: Vec<&ListedOrder> = new.iter().filter(|row| seen.is_exactly(row)).copied().collect();
        let free: Vec<&ListedOrder> = fits.iter().filter(|row| !claimed(row)).copied().collect();
        let one = match (&fits[..], &free[..]) {
            ([one], _) | (_, [one]) => *one,
            _ => match stand_in(no, seen, &missing, fits, &external) {
                Some(one) => one,
                None => return (snapshot, Renumbered::new()),
            },
        };
        if renumbered.insert(one.no.clone(), (*no).clone()).is_some() {
            return (snapshot, Renumbered::new());
        }
    }
    // A row that is new has the number of another one now.
    let ours: BTreeSet<&BrokerOrderId> = renumbered.values().collect();
    if new.iter().any(|row| ours.contains(&row.no) && !renumbered.contains_key(&row.no)) {
        return (snapshot, Renumbered::new());
    }
    (Arc::new(with_numbers(&snapshot, &renumbered)), renumbered)
}

/// The row for one of several orders of a person that look the same: the one that has filled as far in their order. None
/// where one of them is not a person's, or there are more or fewer rows than orders.
fn stand_in<'a>(
    no: &BrokerOrderId,
    seen: &Seen,
    missing: &[(&BrokerOrderId, &Seen)],
    mut rows: Vec<&'a ListedOrder>,
    external: impl Fn(&BrokerOrderId) -> bool,
) -> Option<&'a ListedOrder> {
    let mut alike: Vec<(Qty, &BrokerOrderId)> =
        missing.iter().filter(|(_, other)| other.looks_like(seen)).map(|(no, other)| (other.cum_qty, *no)).collect();
    if alike.len() != rows.len() || !alike.iter().all(|(_, no)| external(no)) {
        return None;
    }
    alike.sort_unstable();
    rows.sort_unstable_by_key(|row| (row.cum_qty, &row.no));
    let place = alike.iter().position(|(_, other)| *other == no)?;
    rows.get(place).copied()
}

/// The read with some of its numbers replaced.
#[must_use]
pub fn with_numbers(snapshot: &Snapshot, ours: &Renumbered) -> Snapshot {
    let mut snapshot = snapshot.clone();
    for row in &mut snapshot.orders {
        row.no = ours.get(&row.no).unwrap_or(&row.no).clone();
    }
    for trade in &mut snapshot.trades {
        trade.no = ours.get(&trade.no).unwrap_or(&trade.no).clone();
    }
    snapshot
}
