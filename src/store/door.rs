//! How signals come in: durable before anybody is told, each key once.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use signalbox_domain::signal::Signal;
use tokio::sync::oneshot;

use super::queue::Refused;
use super::{Store, StoreConf};

/// One request may carry so many: what a page of a bulk upload holds, and a small part of one commit.
pub const INGEST_BATCH_MAX: usize = 500;

/// A signal that was parsed and may come in. Its `id` is set when it is accepted.
#[derive(Debug, Clone)]
pub struct NewSignal {
    pub signal: Signal,
    /// Of the request as the client sent it, to tell a repeat from another signal with the same key.
    pub body_hash: [u8; 32],
}

/// What became of a new signal. It is durable, whichever it is.
#[derive(Debug, Clone)]
pub enum Ingested {
    Accepted(Arc<Signal>),
    /// The same request was accepted before.
    Replayed(Arc<Signal>),
    /// The key belongs to another request.
    Reused,
}

/// Why a signal was not looked at. Trying again with the same key is safe and can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    #[error("too many signals wait to be stored")]
    Busy,
    #[error("the disk is nearly full")]
    DiskLow,
    #[error("more than {INGEST_BATCH_MAX} signals in one batch")]
    TooMany,
    /// The answer is not known: the signal may be stored or not.
    #[error("the store cannot write now")]
    Unavailable,
}

impl Store {
    /// Makes the signal durable, or finds the one that was stored with its key.
    ///
    /// # Errors
    /// [`IngestError`]; all of them mean "repeat with the same key".
    pub async fn ingest(&self, signal: NewSignal) -> Result<Ingested, IngestError> {
        self.ingest_batch(vec![signal]).await?.pop().ok_or(IngestError::Unavailable)
    }

    /// The same for up to [`INGEST_BATCH_MAX`] signals in one transaction; answers stand in the order of the signals.
    ///
    /// # Errors
    /// [`IngestError`]; none of the signals was accepted then, unless it says that the answer is not known.
    pub async fn ingest_batch(&self, signals: Vec<NewSignal>) -> Result<Vec<Ingested>, IngestError> {
        if signals.len() > INGEST_BATCH_MAX {
            return Err(IngestError::TooMany);
        }
        if signals.is_empty() {
            return Ok(Vec::new());
        }
        if self.inner.disk.is_low() {
            return Err(IngestError::DiskLow);
        }
        let (answer, answered) = oneshot::channel();
        self.inner.queue.ingest(signals, answer).map_err(|refused| match refused {
            Refused::Full => IngestError::Busy,
            Refused::Closed => IngestError::Unavailable,
        })?;
        answered.await.map_err(|_| IngestError::Unavailable)
    }
}

/// Whether the disk has room for more than the results of what is out already.
pub(super) struct Disk {
    folder: PathBuf,
    floor_bytes: u64,
    free_bytes: FreeBytes,
    since: Instant,
    /// Milliseconds since `since`.
    next_look_ms: AtomicU64,
    low: AtomicBool,
}

/// Measures the free space of the folder's disk.
pub type FreeBytes = Box<dyn Fn(&std::path::Path) -> std::io::Result<u64> + Send + Sync>;

/// Filling the floor within this time would take a writer faster than any disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Disk {
    pub(super) fn new(conf: &StoreConf, free_bytes: FreeBytes) -> Self {
        let floor_bytes = if conf.url.starts_with("sqlite:") { conf.disk_floor_bytes } else { 0 };
        Self {
            folder: conf.data_dir.clone(),
            floor_bytes,
            free_bytes,
            since: crate::clock::stopwatch(),
            next_look_ms: AtomicU64::new(0),
            low: AtomicBool::new(false),
        }
    }

    fn is_low(&self) -> bool {
        if self.floor_bytes == 0 {
            return false;
        }
        let now_ms = self.since.elapsed().as_millis() as u64;
        let due_ms = self.next_look_ms.load(Ordering::Relaxed);
        let next_ms = now_ms + LOOK_EVERY.as_millis() as u64;
        // One caller measures, the others take the last result.
        if now_ms >= due_ms
            && self.next_look_ms.compare_exchange(due_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            match (self.free_bytes)(&self.folder) {
                Ok(free) => {
                    let low = free < self.floor_bytes;
                    if low != self.low.swap(low, Ordering::Relaxed) {
                        tracing::warn!(disk.free_bytes = free, disk.low = low, "free space crossed the floor");
                    }
                }
                Err(error) => tracing::warn!(%error, "free space could not be measured"),
            }
        }
        self.low.load(Ordering::Relaxed)
    }
}
