//! Administrative changes: all or nothing, and nobody else's business.

use sea_orm::ConnectionTrait;
use signalbox::store::{ChangeError, EventFilter, Expect, Store};
use signalbox_actors::journal::Journal;

use crate::support::{AT, Database, administered, change, durable, entry};

async fn value(store: &Store) -> String {
    let select =
        change(store.reads().get_database_backend(), "SELECT value FROM meta WHERE key = 'colour'", Expect::Any);
    let row = store.reads().query_one_raw(select.statements.into_iter().next().unwrap().0).await.unwrap().unwrap();
    row.try_get("", "value").unwrap()
}

#[tokio::test]
async fn a_change_is_durable_and_a_refused_one_leaves_no_trace() {
    for database in Database::all().await {
        let store = database.open().await;
        let backend = store.reads().get_database_backend();
        let insert = "INSERT INTO meta (key, value) VALUES ('colour', 'red')";
        assert_eq!(store.change(AT, change(backend, insert, Expect::One)).await, Ok(()));
        assert_eq!(store.change(AT, change(backend, insert, Expect::One)).await, Err(ChangeError::Duplicate));
        let mut two = change(backend, "UPDATE meta SET value = 'blue' WHERE key = 'colour'", Expect::One);
        let second = change(backend, "UPDATE meta SET value = 'x' WHERE key = 'none'", Expect::One);
        two.statements.extend(second.statements);
        assert_eq!(store.change(AT, two).await, Err(ChangeError::Conflict));
        let wrong = change(backend, "UPDATE nowhere SET value = 'x'", Expect::Any);
        assert_eq!(store.change(AT, wrong).await, Err(ChangeError::Unavailable));

        store.close();
        let store = database.open().await;
        assert_eq!(value(&store).await, "red");
        assert_eq!(store.epoch(), 2);
        assert_eq!(store.events_since(0, &EventFilter::default(), 10).await.unwrap().len(), 1);
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn a_refused_change_leaves_the_rest_of_its_batch() {
    for database in Database::all().await {
        let store = database.open().await;
        let backend = store.reads().get_database_backend();
        let insert = "INSERT INTO meta (key, value) VALUES ('colour', 'red')";
        let (mut before, mut after) = (0, 0);
        let changes = futures_util::future::join_all((0..20).map(|_| {
            // Queued together, so that some of them share a transaction.
            before = store.append(entry(vec![administered("before")], Vec::new()));
            let done = store.change(AT, change(backend, insert, Expect::One));
            after = store.append(entry(vec![administered("after")], Vec::new()));
            done
        }));
        let results = changes.await;
        assert!(before < after);
        durable(&store, after).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(store.events_since(0, &EventFilter::default(), 100).await.unwrap().len(), 41);
        assert_eq!(store.verify_chain(1).await.unwrap().lines, 41);
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_compare_and_set_exactly_one_wins() {
    for database in Database::all().await {
        let store = database.open().await;
        let backend = store.reads().get_database_backend();
        let insert = change(backend, "INSERT INTO meta (key, value) VALUES ('colour', '0')", Expect::One);
        store.change(AT, insert).await.unwrap();
        let tasks = (1..=32).map(|n| {
            let store = store.clone();
            let sql = format!("UPDATE meta SET value = '{n}' WHERE key = 'colour' AND value = '0'");
            tokio::spawn(async move { (n, store.change(AT, change(backend, &sql, Expect::One)).await) })
        });
        let mut winners = Vec::new();
        for result in futures_util::future::join_all(tasks).await {
            match result.unwrap() {
                (n, Ok(())) => winners.push(n.to_string()),
                (_, Err(error)) => assert_eq!(error, ChangeError::Conflict),
            }
        }
        assert_eq!(winners, [value(&store).await]);
        store.close();
        database.remove().await;
    }
}
