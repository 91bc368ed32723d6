//! The journal: in order, without gaps, and not to be changed by hand.

use std::sync::{Arc, Mutex};

use sea_orm::{ConnectionTrait, Database as Connect};
use signalbox::store::{ChainError, EventFilter};
use signalbox_actors::journal::Journal;
use signalbox_domain::event::Event;

use crate::support::{Database, administered, durable, entry, new_signal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_stand_in_the_order_of_the_tickets_without_gaps() {
    for database in Database::all().await {
        let store = database.open().await;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = heard.clone();
        store.on_commit(Box::new(move |committed| {
            listener.lock().unwrap().extend(committed.lines.iter().map(|line| line.seq));
        }));
        let order = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (store, order) = (store.clone(), order.clone());
                std::thread::spawn(move || {
                    for n in 0..250 {
                        let action = format!("{thread}-{n}");
                        let ticket = store.append(entry(vec![administered(&action)], Vec::new()));
                        order.lock().unwrap().push((ticket, action));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        durable(&store, 1_000).await;
        let mut order = std::mem::take(&mut *order.lock().unwrap());
        order.sort();
        let mut replay = store.replay(1);
        let mut lines = Vec::new();
        loop {
            let chunk = replay.next_chunk().await.unwrap();
            if chunk.is_empty() {
                break;
            }
            lines.extend(chunk);
        }
        for (place, ((ticket, action), line)) in order.iter().zip(&lines).enumerate() {
            assert_eq!((*ticket, line.seq), (place as u64 + 1, place as u64 + 1));
            assert_eq!(line.event, administered(action));
        }
        assert_eq!(lines.len(), 1_000);
        store.close();
        assert_eq!(*heard.lock().unwrap(), (1..=1_000).collect::<Vec<_>>());
        database.remove().await;
    }
}

#[tokio::test]
async fn f42_a_changed_byte_a_missing_line_and_a_cut_are_found() {
    let database = Database::sqlite();
    let store = database.open().await;
    let mut ticket = 0;
    for n in 0..50 {
        ticket = store.append(entry(vec![administered(&n.to_string())], Vec::new()));
    }
    durable(&store, ticket).await;
    let whole = store.verify_chain(1).await.unwrap();
    assert_eq!((whole.lines, whole.last_seq), (50, 50));
    assert_eq!(store.verify_chain(40).await.unwrap().last_hash, whole.last_hash);

    let file = format!("sqlite:{}", database.folder().join("signalbox.db").display());
    let hand = Connect::connect(file).await.unwrap();
    hand.execute_unprepared("UPDATE journal SET payload = replace(payload, 'ann', 'bob') WHERE seq = 30")
        .await
        .unwrap();
    assert!(matches!(store.verify_chain(1).await, Err(ChainError::Broken(30))));
    assert!(store.verify_chain(31).await.is_ok());
    assert!(matches!(store.verify_newest(21).await, Err(ChainError::Broken(30))));
    assert_eq!(store.verify_newest(20).await.unwrap().lines, 20);
    assert!(matches!(store.verify_newest(1_000).await, Err(ChainError::Broken(30))));
    hand.execute_unprepared("DELETE FROM journal WHERE seq = 20").await.unwrap();
    assert!(matches!(store.verify_chain(1).await, Err(ChainError::Missing(20))));
    hand.execute_unprepared("DELETE FROM journal WHERE seq = 50").await.unwrap();
    assert_ne!(store.verify_chain(31).await.unwrap().last_hash, whole.last_hash);
}

#[tokio::test]
async fn the_stream_and_the_table_tell_the_same() {
    for database in Database::all().await {
        let store = database.open().await;
        let mut stream = store.subscribe();
        store.ingest(new_signal("a")).await.unwrap();
        let committed = stream.recv().await.unwrap();
        let lines = store.events_since(0, &EventFilter::default(), 10).await.unwrap();
        assert_eq!(committed.lines, lines);
        assert_eq!(committed.signals.len(), 1);
        let event: Event = serde_json::from_str(&lines[0].payload).unwrap();
        assert_eq!(event, Event::SignalAccepted(committed.signals[0].clone()));
        let nobody = EventFilter { accounts: Some(Vec::new()), ..EventFilter::default() };
        assert!(store.events_since(0, &nobody, 10).await.unwrap().is_empty() && !nobody.matches(&lines[0]));
        let strategist = EventFilter { strategies: vec![committed.signals[0].strategy.clone()], ..nobody };
        assert_eq!(store.events_since(0, &strategist, 10).await.unwrap(), lines);
        assert!(strategist.matches(&lines[0]));
        store.close();
        database.remove().await;
    }
}
