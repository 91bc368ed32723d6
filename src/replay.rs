//! The proof that rows and journal agree: the state is built a second time, from the journal alone, and held against
//! every stored row.
//!
//! Accounts, books, orders, fills, strategies and trading states are written in the transaction of their events, so
//! they agree at every instant, also right after a crash. The rows of signals and their legs are not: a strategy
//! writes them when it hears of its orders, one step after the event. When a process dies in between, they stay
//! behind until the next start brings them up. So a row that is *behind* (not final yet, and with no more filled than
//! the journal tells) is counted and forgiven, unless [`Rows::Settled`] says that the last run came to rest before it
//! ended; a row that is *ahead* of the journal, or says something else, never is.

use std::collections::BTreeMap;

use signalbox_domain::ids::{ExecId, OrderId, SignalId};
use signalbox_domain::parent::Parent;
use signalbox_domain::replay::{Difference, Replay, ReplayError, SignalState};
use signalbox_domain::row::{Fill, SignalRow};
use signalbox_domain::signal::SignalStatus;
use signalbox_domain::strategy::StrategyState;
use signalbox_domain::tables::Tables;
use signalbox_domain::units::{Money, Qty};

use crate::store::{Store, StoreError};

/// In which state the last run left the rows of signals and legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// It may have died at any instant.
    AsTheyAre,
    /// It came to rest before it ended: nothing may be behind.
    Settled,
}

/// The journal cannot be told again.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("line {seq} of the journal cannot follow the lines before it")]
    Replay { seq: u64, source: ReplayError },
}

/// What the comparison found.
#[derive(Debug)]
pub struct Proof {
    pub events: u64,
    pub signals: usize,
    pub orders: usize,
    pub fills: usize,
    /// Rows of signals and legs that the next start brings up.
    pub behind: usize,
    pub differences: Vec<Difference>,
    /// Equal states have equal numbers.
    pub state_hash: u64,
}

/// Tells the whole journal again and compares. Nothing else may write meanwhile.
///
/// # Errors
/// [`ProofError`], when the store cannot be read or the journal tells what cannot have happened.
pub async fn prove(store: &Store, rows: Rows) -> Result<Proof, ProofError> {
    let mut replay = Replay::new();
    let mut events = 0;
    let mut journal = store.replay(1);
    loop {
        let chunk = journal.next_chunk().await?;
        if chunk.is_empty() {
            break;
        }
        for line in chunk {
            replay.apply(line.at, &line.event).map_err(|source| ProofError::Replay { seq: line.seq, source })?;
            events += 1;
        }
    }
    let mut tables = store.tables().await?;
    let fills = tables.fills.len();
    let mut differences = fills_of_orders(&replay, &tables);
    differences.append(&mut strategies(&replay, &tables));
    differences.append(&mut store.odd_columns().await?);
    let behind = match rows {
        Rows::AsTheyAre => bring_up(&replay, &mut tables),
        Rows::Settled => 0,
    };
    differences.append(&mut replay.differences(&tables));
    Ok(Proof {
        events,
        signals: replay.signals.len(),
        orders: replay.orders.len(),
        fills,
        behind,
        differences,
        state_hash: replay.state_hash(),
    })
}

/// Replaces rows that are behind by what the journal tells; how many there were.
fn bring_up(replay: &Replay, tables: &mut Tables) -> usize {
    let mut behind = 0;
    for (id, told) in &replay.parents {
        if let Some(row) = tables.parents.get_mut(id)
            && leg_is_behind(row, told)
        {
            row.clone_from(told);
            behind += 1;
        }
    }
    for (id, told) in &replay.signals {
        if let Some(row) = tables.signals.get_mut(id)
            && signal_is_behind(row, told)
        {
            row.status = told.status;
            row.waiting_for = told.waiting_for;
            row.denials = told.denials.clone();
            behind += 1;
        }
    }
    behind
}

/// A leg that was final is behind only by fills that came late.
fn leg_is_behind(row: &Parent, told: &Parent) -> bool {
    let late = row.cum_qty < told.cum_qty;
    row != told && row.leg == told.leg && (late || (!row.status.is_final() && row.cum_qty == told.cum_qty))
}

/// Its own decisions (the plan with its residual, a cancel) are written with their events: those may not lag.
fn signal_is_behind(row: &SignalRow, told: &SignalState) -> bool {
    let same = row.status == told.status && row.waiting_for == told.waiting_for && row.denials == told.denials;
    // What was final has filled since.
    let late =
        matches!(told.status, SignalStatus::Done | SignalStatus::PartiallyDone) && row.status != SignalStatus::Done;
    !same
        && (!row.status.is_final() || late)
        && row.residual == told.residual
        && row.cancel_requested == told.cancel_requested
        && told.denials.starts_with(&row.denials)
}

/// The fills of each order by number, and what they add up to.
fn fills_of_orders(replay: &Replay, tables: &Tables) -> Vec<Difference> {
    let mut stored: BTreeMap<OrderId, Vec<&Fill>> = BTreeMap::new();
    for fill in tables.fills.values() {
        stored.entry(fill.order).or_default().push(fill);
    }
    let mut found = Vec::new();
    for (id, order) in &replay.orders {
        let fills = stored.remove(id).unwrap_or_default();
        let mut told: Vec<&ExecId> = order.exec_ids.iter().collect();
        let mut written: Vec<&ExecId> = fills.iter().map(|fill| &fill.exec_id).collect();
        told.sort_unstable();
        written.sort_unstable();
        let told = (told, order.cum_qty, order.cum_amount, order.fees);
        let qty: Qty = fills.iter().map(|fill| fill.qty).sum();
        let amount: Money = fills.iter().map(|fill| fill.px.times(fill.qty)).sum();
        let written = (written, qty, amount, fills.iter().map(|fill| fill.fee).sum());
        if told != written {
            found.push(difference(format!("the fills of order {id}"), &told, &written));
        }
    }
    found.extend(stored.iter().map(|(id, fills)| difference(format!("the fills of order {id}"), &"no order", fills)));
    found
}

fn strategies(replay: &Replay, tables: &Tables) -> Vec<Difference> {
    let mut found = Vec::new();
    for (id, (conf, state, _)) in &tables.strategies {
        let told = (replay.confs.get(id), replay.strategies.get(id).copied().unwrap_or(StrategyState::Active));
        if told != (Some(conf), *state) {
            found.push(difference(format!("strategy {id}"), &told, &(conf, state)));
        }
    }
    for id in replay.confs.keys().filter(|id| !tables.strategies.contains_key(*id)) {
        found.push(difference(format!("strategy {id}"), &"configured", &"nothing"));
    }
    // A signal that nobody has looked at has the row of its acceptance.
    for id in replay.signals.keys().filter(|id| !tables.signals.contains_key(*id)) {
        found.push(difference(format!("signal {id}"), &"accepted", &"nothing"));
    }
    let unknown = tables.signals.keys().filter(|id: &&SignalId| !replay.signals.contains_key(*id));
    found.extend(unknown.map(|id| difference(format!("signal {id}"), &"nothing", &"a row")));
    found
}

fn difference(what: String, journal: &impl std::fmt::Debug, rows: &impl std::fmt::Debug) -> Difference {
    Difference { what, journal: format!("{journal:?}"), rows: format!("{rows:?}") }
}
