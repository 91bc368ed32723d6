//! Signals at the door: each key once, whatever comes at the same time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use signalbox::store::{Hooks, INGEST_BATCH_MAX, IngestError, Ingested, Store};

use crate::support::{Database, new_signal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f05_of_requests_with_one_key_exactly_one_is_accepted() {
    for database in Database::all().await {
        let store = database.open().await;
        let tasks = (0..32).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut results = Vec::new();
                for key in ["a", "b", "c", "d", "e"] {
                    match store.ingest(new_signal(key)).await.unwrap() {
                        Ingested::Accepted(signal) => results.push((key, signal.id, true)),
                        Ingested::Replayed(signal) => results.push((key, signal.id, false)),
                        Ingested::Reused => panic!("the body was the same"),
                    }
                }
                results
            })
        });
        let (mut accepted, mut ids) = (HashMap::new(), HashMap::new());
        for result in futures_util::future::join_all(tasks).await {
            for (key, id, first) in result.unwrap() {
                *accepted.entry(key).or_insert(0) += u32::from(first);
                assert_eq!(*ids.entry(key).or_insert(id), id, "all are told the same id");
            }
        }
        assert_eq!(accepted.len(), 5);
        assert!(accepted.values().all(|count| *count == 1), "{accepted:?}");
        assert_eq!(store.verify_chain(1).await.unwrap().lines, 5);
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn signals_that_belong_together_are_accepted_as_one_or_not_at_all() {
    for database in Database::all().await {
        let store = database.open().await;
        let named = |names: &[&str]| names.iter().map(|name| new_signal(name)).collect::<Vec<_>>();
        let all = store.ingest_all(named(&["a", "b"])).await.unwrap().unwrap();
        assert_eq!(all.iter().map(|signal| signal.id.get()).collect::<Vec<_>>(), [1, 2]);
        // The same request and another one: also what would be a repeat by itself takes nothing in.
        for names in [["a", "b"], ["c", "b"], ["b", "c"]] {
            assert!(store.ingest_all(named(&names)).await.unwrap().is_none(), "{names:?}");
        }
        let at_once = tokio::join!(store.ingest_all(named(&["c", "d"])), store.ingest_all(named(&["d", "e"])));
        assert!(at_once.0.unwrap().is_some() && at_once.1.unwrap().is_none());
        let Ingested::Accepted(next) = store.ingest(new_signal("e")).await.unwrap() else { panic!("it is new") };
        assert_eq!(next.id.get(), 5);
        assert_eq!(store.ingest_all(Vec::new()).await.unwrap(), Some(Vec::new()));
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn f04_a_key_with_another_body_is_refused_also_after_a_restart_and_inside_one_batch() {
    for database in Database::all().await {
        let store = database.open().await;
        let mut other = new_signal("a");
        other.body_hash = [8; 32];
        let batch = vec![new_signal("a"), other.clone(), new_signal("a"), new_signal("b")];
        let answers = store.ingest_batch(batch).await.unwrap();
        let [Ingested::Accepted(a), Ingested::Reused, Ingested::Replayed(again), Ingested::Accepted(b)] = &answers[..]
        else {
            panic!("{answers:?}");
        };
        assert_eq!((a, a.id.get(), b.id.get()), (again, 1, 2));
        store.close();

        let store = database.open().await;
        assert!(matches!(store.ingest(other).await.unwrap(), Ingested::Reused));
        assert!(matches!(store.ingest(new_signal("a")).await.unwrap(), Ingested::Replayed(stored) if stored == *a));
        assert!(matches!(store.ingest(new_signal("c")).await.unwrap(), Ingested::Accepted(c) if c.id.get() == 3));
        store.close();
        assert!(matches!(store.ingest(new_signal("d")).await, Err(IngestError::Unavailable)));
        database.remove().await;
    }
}

#[tokio::test]
async fn f47_what_is_too_much_is_refused() {
    let database = Database::sqlite();
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let hook = free.clone();
    let hooks = Hooks { free_bytes: Box::new(move |_| Ok(hook.load(Ordering::Relaxed))), ..Hooks::default() };
    let store = Store::open_with(database.conf.clone(), hooks).await.unwrap();
    let many = |count: usize| (0..count).map(|n| new_signal(&n.to_string())).collect::<Vec<_>>();
    assert_eq!(store.ingest_batch(many(INGEST_BATCH_MAX + 1)).await.unwrap_err(), IngestError::TooMany);
    assert_eq!(store.ingest_batch(many(INGEST_BATCH_MAX)).await.unwrap().len(), INGEST_BATCH_MAX);
    // All are queued before the first one is awaited, and more than the queue holds.
    let floods = futures_util::future::join_all((0..400).map(|_| store.ingest_batch(many(INGEST_BATCH_MAX)))).await;
    assert!(floods.iter().any(|result| matches!(result, Err(IngestError::Busy))));

    free.store(1, Ordering::Relaxed);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(store.ingest(new_signal("0")).await.unwrap_err(), IngestError::DiskLow);
}

#[tokio::test]
async fn room_is_kept_for_a_full_disk_where_that_leaves_enough() {
    const MIB: u64 = 1 << 20;
    let database = Database::sqlite();
    let held = || std::fs::metadata(database.folder().join("ballast")).map_or(0, |found| found.len());
    for (ballast, free, wanted) in [(2, 11, 0), (2, 12, 2), (2, 10, 2), (2, 9, 2), (3, 10, 2), (3, 11, 3), (0, 99, 0)] {
        let mut conf = database.conf.clone();
        (conf.disk_floor_bytes, conf.ballast_bytes) = (10 * MIB, ballast * MIB);
        let hooks = Hooks { free_bytes: Box::new(move |_| Ok(free * MIB)), ..Hooks::default() };
        Store::open_with(conf, hooks).await.unwrap().close();
        assert_eq!(held(), wanted * MIB, "{ballast} MiB wanted, {free} free");
    }
}
