//! The inbox against a real table: more signals than the ring holds, while more come in.

use std::sync::Arc;

use signalbox::store::INGEST_BATCH_MAX;
use signalbox_actors::journal::Inbox;

use crate::support::{Database, new_signal, strategy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_beyond_the_ring_are_handed_out_once_and_in_order() {
    const SIGNALS: usize = 12_000;
    for database in Database::all().await {
        let store = database.open().await;
        let bell = Arc::new(tokio::sync::Notify::new());
        let ring = bell.clone();
        let inbox = store.inbox(Box::new(move |_| ring.notify_one()));
        let door = tokio::spawn({
            let store = store.clone();
            async move {
                for chunk in (0..SIGNALS).collect::<Vec<_>>().chunks(INGEST_BATCH_MAX) {
                    store.ingest_batch(chunk.iter().map(|n| new_signal(&n.to_string())).collect()).await.unwrap();
                }
            }
        });
        let mut taken = Vec::new();
        // A slow start, so that the ring overflows; then as fast as the bell rings.
        while taken.len() < SIGNALS {
            if taken.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            } else {
                let rung = tokio::time::timeout(std::time::Duration::from_secs(20), bell.notified()).await;
                assert!(rung.is_ok(), "{} taken, and nobody rings", taken.len());
            }
            loop {
                let some = inbox.take(&strategy(), 700);
                if some.is_empty() {
                    break;
                }
                taken.extend(some.iter().map(|signal| signal.id.get()));
            }
            if taken.is_empty() {
                bell.notified().await;
                taken.extend(inbox.take(&strategy(), 1).iter().map(|signal| signal.id.get()));
            }
        }
        assert_eq!(taken, (1..=SIGNALS as u64).collect::<Vec<_>>());
        door.await.unwrap();
        assert!(inbox.take(&strategy(), 10).is_empty());
        store.close();
        database.remove().await;
    }
}
