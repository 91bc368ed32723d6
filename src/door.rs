//! The door for signals of our own: they become durable like everyone's, once per key.

use std::time::Duration;

use signalbox_actors::journal::Door;
use signalbox_domain::signal::Signal;
use tracing::{error, info, warn};

use crate::store::{Ingested, NewSignal, Store, body_hash};

/// How long the store is left alone after it could not take one.
const PAUSE: Duration = Duration::from_secs(1);
/// A store that cannot write for so long is being closed, or the front door says so to everybody.
const TRIES: u32 = 600;

/// See the module.
#[derive(Debug, Clone)]
pub struct StoreDoor(pub Store);

impl Door for StoreDoor {
    fn enter(&self, signal: Signal) {
        let store = self.0.clone();
        tokio::spawn(async move {
            let (body_hash, key) = (body_hash(&signal), signal.client_signal_id.clone());
            for _ in 0..TRIES {
                match store.ingest(NewSignal { signal: signal.clone(), body_hash }).await {
                    Ok(Ingested::Accepted(taken)) => {
                        let (strategy, why) = (&taken.strategy, taken.tag.as_deref().unwrap_or_default());
                        info!(signal.id = %taken.id, strategy.id = %strategy, "a monitor gives a position up: {why}");
                        return;
                    }
                    // An earlier life of ours was faster.
                    Ok(Ingested::Replayed(_) | Ingested::Reused) => return,
                    Err(error) => {
                        warn!(%key, "a monitor's signal cannot be stored yet: {error}");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            error!(%key, "a monitor's signal was not stored: it looks again at the next start");
        });
    }
}
