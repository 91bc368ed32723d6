//! F28: a terminal that was restarted may give other numbers to the same orders. Ours is the number under which a valid
//! read showed an order first; a read with other numbers is translated, if that can be done in one way only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::validity::{Seen, SeenRows};
use crate::broker::{ListedOrder, Snapshot};
use crate::ids::BrokerOrderId;

/// From the number that the terminal shows now to the one that is ours.
pub type Renumbered = BTreeMap<BrokerOrderId, BrokerOrderId>;

/// The read in our numbers. Where it cannot be told which row is which, it is left as it is, and is invalid then:
/// something that was listed is not listed any more, or is another order.
#[must_use]
pub fn translated(snapshot: Arc<Snapshot>, seen: &SeenRows) -> (Arc<Snapshot>, Renumbered) {
    let listed: BTreeMap<&BrokerOrderId, &ListedOrder> = snapshot.orders.iter().map(|row| (&row.no, row)).collect();
    let same = |no: &BrokerOrderId, seen: &Seen| listed.get(no).is_some_and(|row| seen.is(row));
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
        let mut fits = new.iter().filter(|row| seen.is_exactly(row));
        let (Some(one), None) = (fits.next(), fits.next()) else { return (snapshot, Renumbered::new()) };
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
