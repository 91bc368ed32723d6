//! The seam to durable storage: what a step made true goes in, "durable up to here" comes out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use signalbox_domain::account::OrdersRest;
use signalbox_domain::event::Event;
use signalbox_domain::ids::{AccountId, SignalId, StrategyId};
use signalbox_domain::ledger::Ledger;
use signalbox_domain::risk::{EquityMark, LimitFact, LimitWarning};
use signalbox_domain::row::Row;
use signalbox_domain::signal::Signal;
use signalbox_domain::strategy::{StrategyConf, StrategyState, Unfinished};
use signalbox_domain::units::Timestamp;

/// The place of an entry in the order of appends, from 1. An entry is durable once [`Journal::durable`] has reached it.
/// Not the sequence number of the journal table: that one also counts what came through the door.
pub type Ticket = u64;

/// What one step of one core made true. Stored whole or not at all.
#[derive(Debug)]
pub struct Entry {
    /// The market clock at the step.
    pub at: Timestamp,
    /// Whose step it was, such as `account:paper-a`.
    pub actor: Arc<str>,
    /// What the step was about, such as `broker_reply` or a request id.
    pub cause: Cow<'static, str>,
    pub events: Vec<Event>,
    pub rows: Vec<Row>,
}

/// Where the cores' facts become durable. One writer, in the order of the appends, many entries per flush.
pub trait Journal: Send + Sync + fmt::Debug {
    /// Takes the entry and returns at once. Never refuses: the amount of work in progress is bounded where work enters
    /// (inbox, ports), not here. A write error ends the process, since everything decided ahead was never seen outside.
    fn append(&self, entry: Entry) -> Ticket;

    /// The ticket of the last entry that was taken.
    fn newest(&self) -> Ticket;

    /// The last ticket whose entry, and all before it, survived a power cut from now on.
    fn durable(&self) -> Ticket;
}

/// Where accepted signals wait for their strategy. The inbox is the queue; a poke is only a doorbell.
pub trait Inbox: Send + Sync + fmt::Debug {
    /// Hands out at most `max` signals of the strategy in the order of their acceptance, each once per process.
    /// When more are stored than are at hand, they are fetched in the background and the strategy is poked again.
    fn take(&self, strategy: &StrategyId, max: usize) -> Vec<Arc<Signal>>;
}

/// Where signals of our own go in: durable before anybody takes them, and once per key.
pub trait Door: Send + Sync + fmt::Debug {
    /// Takes the signal; it is tried until it is durable.
    fn enter(&self, signal: Signal);
}

/// A journal that keeps nothing: for measuring what the actors cost, and for tests of the shell.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    tickets: std::sync::atomic::AtomicU64,
}

impl Journal for MemoryJournal {
    fn append(&self, _entry: Entry) -> Ticket {
        self.tickets.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
    }

    fn newest(&self) -> Ticket {
        self.durable()
    }

    fn durable(&self) -> Ticket {
        self.tickets.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Door for MemoryJournal {
    fn enter(&self, _signal: Signal) {}
}

/// What an account's next life is built from.
#[derive(Debug)]
pub struct AccountRest {
    pub ledger: Ledger,
    pub messages_today: u32,
    pub orders: OrdersRest,
}

/// What a strategy's next life is built from.
#[derive(Debug)]
pub struct StrategyRest {
    pub conf: Arc<StrategyConf>,
    pub version: u32,
    pub state: StrategyState,
    /// Its signals that are planned or wait, and are not final. What is still in the inbox is not among them.
    pub unfinished: Vec<Unfinished>,
}

/// What an earlier run left of the risk engine beside the accounts' orders.
#[derive(Debug, Default)]
pub struct RiskRest {
    /// The newest of each scope.
    pub limits: Vec<Arc<LimitFact>>,
    pub warnings: Vec<LimitWarning>,
    pub marks: Vec<EquityMark>,
}

impl StrategyRest {
    /// How a strategy that the store does not know yet becomes stored. Afterwards the stored configuration counts,
    /// because people change it while the program runs.
    #[must_use]
    pub fn first_entry(&self, at: Timestamp, cause: &'static str) -> Entry {
        let Self { conf, version, state, .. } = self;
        Entry {
            at,
            actor: format!("strategy:{}", conf.id).into(),
            cause: cause.into(),
            events: vec![Event::StrategyConfigured(conf.clone())],
            rows: vec![Row::Strategy { conf: conf.clone(), state: *state, version: *version }],
        }
    }
}

/// Where the next life of an actor finds what the last one had made durable.
#[async_trait]
pub trait Restorer: Send + Sync + fmt::Debug {
    /// `None` when the account was never opened.
    async fn account(&self, id: &AccountId) -> Result<Option<AccountRest>, RestoreError>;

    /// `None` when the strategy was never stored.
    async fn strategy(&self, id: &StrategyId) -> Result<Option<StrategyRest>, RestoreError>;

    /// One signal with its legs and orders, also when it is final. `None` when it was never begun.
    async fn signal(&self, id: SignalId) -> Result<Option<Unfinished>, RestoreError>;
}

/// The store cannot be read. Nothing can be rebuilt then, and the process ends.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be read: {0}")]
pub struct RestoreError(pub String);
