//! A store in memory: keeps what is appended, hands signals out, rebuilds from rows. Durability can be held by hand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use signalbox_actors::journal::{AccountRest, Entry, Inbox, Journal, RestoreError, Restorer, StrategyRest, Ticket};
use signalbox_domain::event::Event;
use signalbox_domain::ids::{AccountId, SignalId, StrategyId};
use signalbox_domain::order::OrderFact;
use signalbox_domain::signal::Signal;
use signalbox_domain::strategy::{StrategyConf, StrategyState, Unfinished};
use signalbox_domain::tables::Tables;
use tokio::sync::Notify;

/// See the module.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// Rung at every commit, as the journal's writer does.
    pub committed: Arc<Notify>,
    shelves: Mutex<Shelves>,
    /// Real milliseconds between the reading of a rest and its arrival.
    pub reading_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct Shelves {
    entries: Vec<Entry>,
    durable: usize,
    by_hand: bool,
    /// Made of what is durable.
    tables: Tables,
    signals: BTreeMap<SignalId, Arc<Signal>>,
    waiting: BTreeMap<StrategyId, VecDeque<Arc<Signal>>>,
    /// A strategy that has no row yet is configured as it was booted.
    booted: BTreeMap<StrategyId, Arc<StrategyConf>>,
}

impl MemoryStore {
    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration that a strategy was booted with.
    pub fn booted(&self, conf: Arc<StrategyConf>) {
        self.shelves().booted.insert(conf.id.clone(), conf);
    }

    /// Takes a signal in at the door; its strategy is not told.
    pub fn accept(&self, signal: Arc<Signal>) {
        let mut shelves = self.shelves();
        shelves.signals.insert(signal.id, signal.clone());
        shelves.waiting.entry(signal.strategy.clone()).or_default().push_back(signal);
    }

    async fn read<R>(&self, read: impl FnOnce(&Shelves) -> R) -> R {
        let rest = read(&self.shelves());
        let reading = self.reading_ms.load(Ordering::Relaxed);
        if reading > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(reading)).await;
        }
        rest
    }

    /// From now on nothing becomes durable before [`MemoryStore::release`].
    pub fn hold(&self) {
        self.shelves().by_hand = true;
    }

    /// Makes durable what was appended so far.
    pub fn release(&self) {
        self.shelves().commit();
        self.committed.notify_one();
    }

    /// Ends the holding.
    pub fn release_for_ever(&self) {
        self.shelves().by_hand = false;
        self.release();
    }

    /// Signals that nobody took out of the inbox.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shelves().waiting.values().map(VecDeque::len).sum()
    }

    /// Looks at the durable rows.
    pub fn rows<R>(&self, look: impl FnOnce(&Tables) -> R) -> R {
        look(&self.shelves().tables)
    }

    /// Every fact of an order so far, durable or not, as `(account, signal, fact)` in the order of the journal.
    #[must_use]
    pub fn facts(&self) -> Vec<(AccountId, SignalId, OrderFact)> {
        let shelves = self.shelves();
        let facts = shelves.entries.iter().flat_map(|entry| &entry.events).filter_map(|event| match event {
            Event::Order { account, order, fact } => Some((account.clone(), order.signal(), fact.clone())),
            _ => None,
        });
        facts.collect()
    }

    #[must_use]
    pub fn appended(&self) -> usize {
        self.shelves().entries.len()
    }
}

impl Shelves {
    fn commit(&mut self) {
        for entry in &self.entries[self.durable..] {
            for row in &entry.rows {
                if let Err(error) = self.tables.put(row.clone()) {
                    unreachable!("{error}"); // as a unique index would say
                }
            }
        }
        self.durable = self.entries.len();
    }
}

impl Journal for MemoryStore {
    fn append(&self, entry: Entry) -> Ticket {
        let mut shelves = self.shelves();
        shelves.entries.push(entry);
        let ticket = shelves.entries.len() as Ticket;
        if !shelves.by_hand {
            shelves.commit();
            self.committed.notify_one();
        }
        ticket
    }

    fn newest(&self) -> Ticket {
        self.shelves().entries.len() as Ticket
    }

    fn durable(&self) -> Ticket {
        self.shelves().durable as Ticket
    }
}

impl Inbox for MemoryStore {
    fn take(&self, strategy: &StrategyId, max: usize) -> Vec<Arc<Signal>> {
        let mut shelves = self.shelves();
        let Some(waiting) = shelves.waiting.get_mut(strategy) else { return Vec::new() };
        let n = waiting.len().min(max);
        waiting.drain(..n).collect()
    }
}

#[async_trait]
impl Restorer for MemoryStore {
    async fn account(&self, id: &AccountId) -> Result<Option<AccountRest>, RestoreError> {
        Ok(self
            .read(|shelves| {
                let ledger = shelves.tables.ledger(id)?;
                let messages_today = shelves.tables.accounts.get(id).map_or(0, |row| row.messages_today);
                Some(AccountRest { ledger, messages_today, orders: shelves.tables.orders_rest(id) })
            })
            .await)
    }

    async fn strategy(&self, id: &StrategyId) -> Result<Option<StrategyRest>, RestoreError> {
        Ok(self
            .read(|shelves| {
                let stored = shelves.tables.strategies.get(id).cloned();
                let booted = || shelves.booted.get(id).map(|conf| (conf.clone(), StrategyState::Active, 1));
                let (conf, state, version) = stored.or_else(booted)?;
                let own = shelves.signals.values().filter(|signal| signal.strategy == *id);
                Some(StrategyRest { conf, version, state, unfinished: shelves.tables.unfinished(own) })
            })
            .await)
    }

    async fn signal(&self, id: SignalId) -> Result<Option<Unfinished>, RestoreError> {
        let all = self.read(|shelves| shelves.tables.unfinished(shelves.signals.get(&id).into_iter())).await;
        Ok(all.into_iter().next())
    }
}
