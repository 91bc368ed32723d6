//! How signals come in: durable before anybody is told, each key once.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::signal::{Notes, Signal, Size};
use tokio::sync::oneshot;

use super::queue::{Refused, Together};
use super::{Store, StoreConf};

/// One request may carry so many: what a page of a bulk upload holds, and a small part of one commit.
pub const INGEST_BATCH_MAX: usize = 500;

/// A signal that was parsed and may come in. Its `id` is set when it is accepted.
#[derive(Debug, Clone)]
pub struct NewSignal {
    pub signal: Signal,
    /// [`body_hash`], to tell a repeat from another signal with the same key.
    pub body_hash: [u8; 32],
}

/// The same for two requests that mean the same, however they were written.
#[must_use]
pub fn body_hash(signal: &Signal) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut number = |tag: u8, value: i64| {
        let mut bytes = [tag; 9];
        bytes[1..].copy_from_slice(&value.to_be_bytes());
        hasher.update(bytes);
    };
    let (size, amount) = match signal.size {
        Size::Quantity(qty) => (1, qty.get()),
        Size::TargetQuantity(qty) => (2, qty.get()),
        Size::Amount(sum) => (11, sum.e4()),
        Size::Percent(share) => (12, share.e6()),
        Size::All => (13, 0),
        Size::AllIn => (16, 0),
        Size::TargetWeight(share) => (14, share.e6()),
        Size::TargetAmount(sum) => (15, sum.e4()),
    };
    let side = signal.side.map_or(0, |side| match side {
        Side::Buy => 1,
        Side::Sell => 2,
    });
    number(size, amount);
    number(
        3,
        side * 100
            + i64::from(signal.ord_type == OrdType::Limit) * 10
            + i64::from(signal.time_in_force == TimeInForce::Ioc),
    );
    number(4, signal.limit_price.map_or(-1, |px| px.e4()));
    number(5, signal.valid_until.map_or(-1, |at| at.us()));
    let notes = &signal.notes;
    if !notes.is_blank() {
        number(6, i64::from(notes.priority) * 2 + i64::from(notes.test));
        number(7, notes.signal_time.map_or(-1, |at| at.us()));
        let basket = notes.basket.as_deref().unwrap_or_default();
        number(8, basket.len() as i64);
        hasher.update(basket);
        hasher.update(said_since(notes));
    }
    let account = signal.account.as_ref().map_or("", |account| account.as_str());
    // Its fields have one order, and what is not said is left out.
    let execution = signal.execution.as_ref().and_then(|it| serde_json::to_string(it).ok()).unwrap_or_default();
    let tag = signal.tag.as_deref().unwrap_or_default();
    let texts = [signal.strategy.as_str(), account, signal.symbol.as_str(), tag];
    for text in texts.into_iter().chain(Some(&*execution).filter(|text| !text.is_empty())) {
        // With its length before it, so that no two different requests read the same.
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    hasher.finalize().into()
}

/// What signals could not say when the first of them were hashed. It is left out where it is not said, so that a repeat is
/// known however old it is.
fn said_since(notes: &Notes) -> Vec<u8> {
    let mut bytes = Vec::new();
    let flat = notes.only_if_flat.then_some(1);
    let said = [(9, notes.bar_time.map(|at| at.us())), (10, notes.ref_price.map(|px| px.e4())), (17, flat)];
    for (tag, value) in said.into_iter().filter_map(|(tag, value)| Some((tag, value?))) {
        bytes.push(tag);
        bytes.extend(value.to_be_bytes());
    }
    bytes
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
        self.queue(signals, Together::No).await
    }

    /// Accepts signals that belong together, however many they are: all of them in one transaction, or none and `None`
    /// when the key of one was used before.
    ///
    /// # Errors
    /// As [`Self::ingest_batch`].
    pub async fn ingest_all(&self, signals: Vec<NewSignal>) -> Result<Option<Vec<Arc<Signal>>>, IngestError> {
        let accepted = self.queue(signals, Together::AllOrNone).await?.into_iter().map(|ingested| match ingested {
            Ingested::Accepted(signal) => Some(signal),
            Ingested::Replayed(_) | Ingested::Reused => None,
        });
        Ok(accepted.collect())
    }

    async fn queue(&self, signals: Vec<NewSignal>, together: Together) -> Result<Vec<Ingested>, IngestError> {
        if signals.is_empty() {
            return Ok(Vec::new());
        }
        if self.inner.disk.is_low() {
            return Err(IngestError::DiskLow);
        }
        let (answer, answered) = oneshot::channel();
        self.inner.queue.ingest(signals, together, answer).map_err(|refused| match refused {
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
