//! The inbox: accepted signals at hand for their strategies, the rest in the table.
//!
//! A commit puts new signals into their strategy's ring. A full ring takes no more and remembers only that the table
//! has more, so a strategy that is paused for weeks costs no memory; what was left out is read back in the background
//! once the ring has room. The rule that makes the hand-over exact: `seen` is the highest id that the lane has dealt
//! with, and both roads, commit and table, pass only what is above it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use signalbox_actors::journal::Inbox;
use signalbox_domain::ids::StrategyId;
use signalbox_domain::signal::Signal;

use super::entity::signals;
use super::writer::Committed;
use super::{Store, StoreError, parse, turns};

/// Signals at hand per strategy: half a second of the fastest door, some 4 MB.
const RING: usize = 8_192;

/// After a failed read the table is asked again; a database that is away seldom comes back sooner.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Rings the doorbell of a strategy. Must not wait.
pub type Poke = Box<dyn Fn(&StrategyId) + Send + Sync>;

/// Clones share one inbox.
#[derive(Clone)]
pub struct StoreInbox {
    shared: Arc<Shared>,
}

struct Shared {
    lanes: Mutex<HashMap<StrategyId, Lane<Arc<Signal>>>>,
    reads: DatabaseConnection,
    runtime: tokio::runtime::Handle,
    /// See [`super::Turns`].
    in_turns: bool,
    poke: Poke,
}

impl fmt::Debug for StoreInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreInbox")
    }
}

impl Store {
    /// The inbox of all strategies. `poke` is called when a commit or a read from the table brought something; a
    /// strategy that starts takes without being poked. Made once per store, inside a tokio runtime, which then runs
    /// the background reads.
    #[must_use]
    pub fn inbox(&self, poke: Poke) -> StoreInbox {
        let shared = Arc::new(Shared {
            lanes: Mutex::default(),
            reads: self.reads().clone(),
            runtime: tokio::runtime::Handle::current(),
            in_turns: self.inner.in_turns,
            poke,
        });
        let listener = shared.clone();
        self.on_commit(Box::new(move |committed| listener.committed(committed)));
        StoreInbox { shared }
    }
}

impl Inbox for StoreInbox {
    fn take(&self, strategy: &StrategyId, max: usize) -> Vec<Arc<Signal>> {
        let (taken, refill) = {
            let mut lanes = self.shared.lock();
            lanes.entry(strategy.clone()).or_insert_with(|| Lane::new(RING)).take(max)
        };
        if let Some(refill) = refill {
            let (shared, strategy) = (self.shared.clone(), strategy.clone());
            self.shared.runtime.spawn(shared.refill(strategy, refill));
        }
        taken
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<StrategyId, Lane<Arc<Signal>>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn committed(&self, committed: &Committed) {
        let mut rung: Vec<&StrategyId> = Vec::new();
        {
            let mut lanes = self.lock();
            for signal in &committed.signals {
                let lane = match lanes.get_mut(&signal.strategy) {
                    Some(lane) => lane,
                    None => lanes.entry(signal.strategy.clone()).or_insert_with(|| Lane::new(RING)),
                };
                lane.committed(signal.id.get(), signal);
                if !rung.contains(&&signal.strategy) {
                    rung.push(&signal.strategy);
                }
            }
        }
        for strategy in rung {
            (self.poke)(strategy);
        }
    }

    async fn refill(self: Arc<Self>, strategy: StrategyId, mut refill: Refill) {
        loop {
            let read = self.read(&strategy, refill);
            match if self.in_turns { turns::at_once(read).await } else { read.await } {
                Ok(found) => {
                    let again = {
                        let mut lanes = self.lock();
                        lanes.get_mut(&strategy).and_then(|lane| lane.refilled(refill, found))
                    };
                    (self.poke)(&strategy);
                    match again {
                        Some(next) => refill = next,
                        None => return,
                    }
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, strategy.id = %strategy, "the inbox cannot be read, trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    async fn read(&self, strategy: &StrategyId, refill: Refill) -> Result<Vec<(u64, Arc<Signal>)>, StoreError> {
        let found = signals::Entity::find()
            .filter(Expr::cust("status = 'accepted'")) // in these words, so that the partial index serves
            .filter(signals::Column::Strategy.eq(strategy.as_str()))
            .filter(signals::Column::Id.gt(refill.after as i64))
            .order_by_asc(signals::Column::Id)
            .limit(refill.limit as u64)
            .all(&self.reads)
            .await?;
        found.into_iter().map(|model| Ok((model.id as u64, Arc::new(parse::json("signal", &model.payload)?)))).collect()
    }
}

/// A read of the table that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refill {
    after: u64,
    limit: usize,
    /// The newest committed id when the read was asked for: a read that finds less than `limit` has seen all up to it.
    newest: u64,
}

/// One strategy's signals.
#[derive(Debug)]
struct Lane<T> {
    ring: VecDeque<T>,
    capacity: usize,
    /// Every signal up to here went through the ring, or is no business of the inbox any more.
    seen: u64,
    /// The newest committed id that is known.
    newest: u64,
    /// The table may have signals above `seen` that are not in the ring.
    more: bool,
    refilling: bool,
}

impl<T: Clone> Lane<T> {
    /// Nothing is known of the table yet, so it may have more.
    fn new(capacity: usize) -> Self {
        Self { ring: VecDeque::new(), capacity, seen: 0, newest: 0, more: true, refilling: false }
    }

    fn committed(&mut self, id: u64, item: &T) {
        self.newest = self.newest.max(id);
        // A read of the table can overtake the news of the commit.
        if id <= self.seen {
            return;
        }
        if self.more || self.ring.len() >= self.capacity {
            self.more = true;
        } else {
            self.ring.push_back(item.clone());
            self.seen = id;
        }
    }

    fn take(&mut self, max: usize) -> (Vec<T>, Option<Refill>) {
        let count = max.min(self.ring.len());
        let taken = self.ring.drain(..count).collect();
        // Half a ring is read at once, so that a slow taker does not cause a query per signal.
        let refill = (self.more && !self.refilling && self.ring.len() <= self.capacity / 2).then(|| self.ask());
        (taken, refill)
    }

    fn ask(&mut self) -> Refill {
        self.refilling = true;
        Refill { after: self.seen, limit: self.capacity - self.ring.len(), newest: self.newest }
    }

    /// Takes what a read found; when commits came while it was under way and there is room, asks for the next.
    fn refilled(&mut self, asked: Refill, found: Vec<(u64, T)>) -> Option<Refill> {
        self.refilling = false;
        let all = found.len() < asked.limit;
        for (id, item) in found {
            self.seen = id;
            self.ring.push_back(item);
        }
        if all {
            self.seen = self.seen.max(asked.newest);
            self.more = self.newest > self.seen;
        }
        (self.more && self.ring.len() <= self.capacity / 2).then(|| self.ask())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A read that is under way, and what it saw once it has looked.
    type Reading = Option<(Refill, Option<Vec<(u64, u64)>>)>;

    #[derive(Debug, Clone)]
    enum Step {
        /// So many signals become durable; the inbox hears of it later.
        Commit(usize),
        /// The inbox hears of the oldest commit that it does not know.
        Hear,
        Take(usize),
        /// The read under way looks at the table.
        Look,
        /// What it saw arrives.
        Arrive,
        /// Somebody cancels the signal that is the oldest in the table and not handed out.
        Cancel,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (1_usize..6).prop_map(Step::Commit),
            3 => Just(Step::Hear),
            3 => (1_usize..6).prop_map(Step::Take),
            2 => Just(Step::Look),
            2 => Just(Step::Arrive),
            1 => Just(Step::Cancel),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn every_signal_is_handed_out_once_and_in_order(old in 0_u64..12, steps in steps()) {
            const CAPACITY: usize = 4;
            let mut lane = Lane::new(CAPACITY);
            // The oracle: what the table accepted and nobody cancelled before it could be read.
            let mut accepted: Vec<u64> = (1..=old).collect();
            let mut cancelled: Vec<u64> = Vec::new();
            let mut last = old;
            let mut unheard: VecDeque<Vec<u64>> = VecDeque::new();
            let mut reading: Reading = None;
            let mut handed: Vec<u64> = Vec::new();

            // Afterwards everything is brought to rest.
            let rest = std::iter::repeat_n([Step::Hear, Step::Look, Step::Arrive, Step::Take(9)], 500).flatten();
            for step in steps.into_iter().chain(rest) {
                match step {
                    Step::Commit(count) => {
                        let new: Vec<u64> = (last + 1..=last + count as u64).collect();
                        last += count as u64;
                        accepted.extend(&new);
                        unheard.push_back(new);
                    }
                    Step::Hear => for id in unheard.pop_front().unwrap_or_default() {
                        lane.committed(id, &id);
                    },
                    Step::Take(max) => {
                        let (taken, refill) = lane.take(max);
                        handed.extend(taken);
                        if let Some(refill) = refill {
                            prop_assert!(reading.is_none(), "two reads at once");
                            reading = Some((refill, None));
                        }
                    }
                    Step::Look => if let Some((refill, seen @ None)) = &mut reading {
                        let table = accepted.iter().filter(|id| **id > refill.after && !cancelled.contains(id));
                        *seen = Some(table.take(refill.limit).map(|id| (*id, *id)).collect());
                    },
                    Step::Arrive => if let Some((refill, Some(found))) = reading.take_if(|(_, seen)| seen.is_some()) {
                        reading = lane.refilled(refill, found).map(|next| (next, None));
                    },
                    Step::Cancel => {
                        let open = accepted.iter().find(|id| !handed.contains(id) && !cancelled.contains(id));
                        cancelled.extend(open.copied());
                    }
                }
                prop_assert!(lane.ring.len() <= CAPACITY);
            }
            prop_assert!(handed.is_sorted_by(|a, b| a < b), "twice or out of order: {handed:?}");
            let missing = accepted.iter().find(|id| !handed.contains(id) && !cancelled.contains(id));
            prop_assert_eq!(missing, None);
        }
    }
}
