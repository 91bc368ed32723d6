//! The proof that rows and journal agree: the state is built a second time, from the journal alone, and held against
//! every stored row.
//!
//! Accounts, books, orders, fills, strategies and trading states are written in the transaction of their events, so
//! they agree at every instant, also right after a crash. The rows of signals and their legs are not: a strategy
//! writes them when it hears of its orders, one step after the event. When a process dies in between, they stay
//! behind until the next start brings them up. So a row that is *behind* (not final yet, and with no more filled than
//! the journal tells) is counted and forgiven, unless [`Rows::Settled`] says that the last run came to rest before it
//! ended; a row that is *ahead* of the journal, or says something else, never is.
//!
//! Of a signal that was dropped only its key is kept, which is held against the journal as well; no other row of it may be
//! there. Every column is held against the journal but those of [`NOT_COMPARED`].

use signalbox_domain::event::Event;
use signalbox_domain::ids::SignalId;
use signalbox_domain::parent::Parent;
use signalbox_domain::replay::{Difference, Replay, ReplayError, SignalState};
use signalbox_domain::row::SignalRow;
use signalbox_domain::signal::SignalStatus;
use signalbox_domain::tables::Tables;

use crate::people::ToldPeople;
use crate::store::{DROPPED, Held, Store, StoreError};

/// What is not compared: the table, the column (all of them, where there is none), and why.
pub const NOT_COMPARED: &[(&str, Option<&str>, &str)] = &[
    ("journal", None, "it is what the rows are held against; its hashes are for `signalbox audit verify`"),
    ("journal_archives", None, "the files hold journal lines, whose hashes `signalbox audit verify` computes"),
    ("lease", None, "it says who may write now"),
    ("meta", None, "it holds the number that a restored database passes over"),
    ("seaql_migrations", None, "it says which migrations have run"),
    ("signals", Some("updated_at_us"), "a step without an event can write a row, and nothing decides by it"),
    ("accounts", Some("updated_at_us"), "a step without an event can write a row"),
    ("accounts", Some("messages_today"), "looks for lost orders count too and are no facts; fewer than told is found"),
    ("fills", Some("at_us"), "the broker's own time is in no fact; of a crossed fill it is compared"),
    ("users", Some("password_hash"), "no secret is in the journal"),
    ("users", Some("created_at_us"), "the clock is read before the line is written"),
    ("users", Some("updated_at_us"), "the clock is read before the line is written"),
    ("api_keys", Some("key_hash"), "no secret is in the journal"),
    ("api_keys", Some("created_at_us"), "the clock is read before the line is written"),
    ("api_keys", Some("last_used_at_us"), "a use is no fact"),
    ("sessions", Some("current_hash"), "no secret is in the journal"),
    ("sessions", Some("previous_hash"), "no secret is in the journal"),
    ("sessions", Some("created_at_us"), "the clock is read before the line is written"),
    ("sessions", Some("expires_at_us"), "the clock is read before the line is written"),
    ("sessions", Some("last_used_at_us"), "the clock is read before the line is written"),
    ("sessions", Some("user_agent"), "devices are not in the journal"),
    (
        "sessions",
        Some("revoked"),
        "the oldest of too many ends untold; one that was told to have ended and is open is found",
    ),
];

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
    /// Of the signals, those of which only the key is kept.
    pub dropped: usize,
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
    let (mut replay, mut people) = (Replay::new(), ToldPeople::default());
    let (mut events, mut told_dropped) = (0, 0);
    let mut journal = store.replay(1);
    loop {
        let chunk = journal.next_chunk().await?;
        if chunk.is_empty() {
            break;
        }
        for line in chunk {
            replay.apply(line.at, &line.event).map_err(|source| ProofError::Replay { seq: line.seq, source })?;
            people.apply(&line.event);
            told_dropped += dropped_by(&line.event);
            events += 1;
        }
    }
    let Held { mut tables, dropped, mut differences } = store.held_against(&replay).await?;
    let (signals_told, orders_told, fills_told) = (replay.signals.len(), replay.orders.len(), replay.fills.len());
    let state_hash = replay.state_hash();
    if told_dropped != dropped.len() as u64 {
        differences.push(difference("the number of dropped signals".into(), &told_dropped, &dropped.len()));
    }
    replay.forget(&dropped);
    differences.append(&mut signals(&replay, &tables));
    differences.append(&mut people.differences(store).await.map_err(StoreError::from)?);
    differences.append(&mut store.odd_archives().await?);
    let behind = match rows {
        Rows::AsTheyAre => bring_up(&replay, &mut tables),
        Rows::Settled => 0,
    };
    differences.append(&mut replay.differences(&tables));
    Ok(Proof {
        events,
        signals: signals_told,
        orders: orders_told,
        fills: fills_told,
        dropped: dropped.len(),
        behind,
        differences,
        state_hash,
    })
}

/// How many signals the line says that were dropped.
fn dropped_by(event: &Event) -> u64 {
    #[derive(serde::Deserialize)]
    struct Detail {
        signals: u64,
    }
    match event {
        Event::Administered { action, detail, .. } if &**action == DROPPED => {
            serde_json::from_str(detail).map_or(0, |Detail { signals }| signals)
        }
        _ => 0,
    }
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

fn signals(replay: &Replay, tables: &Tables) -> Vec<Difference> {
    let mut found = Vec::new();
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
