//! The seam to durable storage: what a step made true goes in, "durable up to here" comes out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use signalbox_domain::event::Event;
use signalbox_domain::ids::StrategyId;
use signalbox_domain::row::Row;
use signalbox_domain::signal::Signal;
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

    /// The last ticket whose entry, and all before it, survived a power cut from now on.
    fn durable(&self) -> Ticket;
}

/// Where accepted signals wait for their strategy. The inbox is the queue; a poke is only a doorbell.
pub trait Inbox: Send + Sync + fmt::Debug {
    /// Hands out at most `max` signals of the strategy in the order of their acceptance, each once per process.
    /// When more are stored than are at hand, they are fetched in the background and the strategy is poked again.
    fn take(&self, strategy: &StrategyId, max: usize) -> Vec<Arc<Signal>>;
}
