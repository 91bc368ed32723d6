//! Brokers: the trait that an adapter implements, and the adapters.

use async_trait::async_trait;
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, ReadFailed, Snapshot};
use signalbox_domain::order::Order;
use signalbox_domain::units::Timestamp;

pub mod fake;
pub mod paper;

/// Why a broker could not be reached. Only for connecting: what happens to an order is always told by reports.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Trying again later can help.
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    /// Trying again cannot help: wrong credentials, wrong account.
    #[error("the broker refuses the session: {0}")]
    Refused(String),
}

/// One logged-in session with one broker account. Used by one task at a time, so an adapter needs no locks of its own;
/// that is what serializes a UI robot's clicks.
///
/// `at` is the market clock at the call. Every outcome of a request is a report, also the outcome "no answer"
/// ([`signalbox_domain::broker::Report::Lost`]): a timeout is never an error that somebody could mistake for "not
/// done". A call that is dropped half-way counts as lost.
#[async_trait]
pub trait Broker: Send {
    fn capabilities(&self) -> Capabilities;

    /// Opens the session. `working` are the orders that the broker should know, for adapters that must be told.
    ///
    /// # Errors
    /// [`BrokerError`], which says whether trying again can help.
    async fn connect(&mut self, at: Timestamp, working: &[Order]) -> Result<(), BrokerError>;

    /// Carries out one request and returns what the broker said to it, fills that came with the answer included. What the
    /// broker tells of an order of another symbol, side, quantity or limit under our mark is not told as ours, here or in
    /// [`Broker::next`]: the lists show it to a person (F18).
    async fn call(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport>;

    /// Reads every list of the account. Must not answer from a cache.
    ///
    /// # Errors
    /// [`ReadFailed`] when any list could not be read whole and for certain: a failed read is not an empty one.
    async fn read(&mut self, _at: Timestamp) -> Result<Snapshot, ReadFailed> {
        Err(ReadFailed("this broker has no lists".into()))
    }

    /// Waits for what the broker says unasked. May be dropped at any await without losing a report. A broker that never
    /// speaks unasked waits for ever. What it says of an earlier trading day is left out: numbers begin anew each day.
    ///
    /// # Errors
    /// [`BrokerError`] when the line is dead: the session has to be opened again.
    async fn next(&mut self) -> Result<Vec<BrokerReport>, BrokerError> {
        std::future::pending().await
    }
}
