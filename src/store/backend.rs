//! What the writer needs of a database: one transaction at a time, on one connection that nobody else uses.

use sea_orm::Statement;

use super::batch::Batch;
use super::{ChangeError, Expect, StoreError};

/// A signal that is stored under a key.
#[derive(Debug)]
pub(super) struct StoredSignal {
    pub(super) id: i64,
    pub(super) body_hash: Vec<u8>,
    pub(super) received_at_us: i64,
    /// None when its rows were dropped.
    pub(super) payload: Option<String>,
}

/// Those of dropped signals are given out too, and a restored database passes over the numbers that may have been since its
/// copy.
pub(super) const LAST_SIGNAL: &str = "SELECT max(id) AS id FROM (
    SELECT coalesce(max(id), 0) AS id FROM signals
    UNION ALL SELECT coalesce(max(id), 0) FROM signal_keys
    UNION ALL SELECT coalesce(max(CAST(value AS BIGINT)), 0) FROM meta WHERE key = 'signal_floor') AS given";

/// Every error is fatal: the transaction's fate is not known any more.
pub(super) trait Backend {
    /// Begins the transaction and asserts the lease's epoch in it.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// The stored signals of `(client, client_signal_id)`, in the order of the keys.
    fn find_signals(&mut self, keys: &[(&str, &str)]) -> Result<Vec<Option<StoredSignal>>, StoreError>;

    /// Runs the statements inside a savepoint. The inner error undid exactly them.
    fn change(&mut self, statements: &[(Statement, Expect)]) -> Result<Result<(), ChangeError>, StoreError>;

    fn write(&mut self, batch: &Batch) -> Result<(), StoreError>;

    fn commit(&mut self) -> Result<(), StoreError>;

    /// What has to be done now and then, when nobody waits for the last commit any more.
    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Where the sequences stand, and who may write from now on.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) epoch: u64,
    pub(super) installation: String,
    pub(super) last_seq: u64,
    pub(super) last_hash: [u8; 32],
    pub(super) last_signal: u64,
    pub(super) last_fill: u64,
}
