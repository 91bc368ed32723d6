//! Administrative changes.

use sea_orm::ConnectionTrait;
use signalbox::store::{ChangeError, Expect};

use crate::support::{AT, Database, change};

#[tokio::test]
async fn a_change_is_durable_and_a_conflict_undoes_all_of_it() {
    let database = Database::sqlite();
    let store = database.open().await;
    let backend = store.reads().get_database_backend();
    let insert = "INSERT INTO meta (key, value) VALUES ('colour', 'red')";
    assert_eq!(store.change(AT, change(backend, insert, Expect::One)).await, Ok(()));
    assert_eq!(store.change(AT, change(backend, insert, Expect::One)).await, Err(ChangeError::Duplicate));
    let mut two = change(backend, "UPDATE meta SET value = 'blue' WHERE key = 'colour'", Expect::One);
    two.statements.extend(change(backend, "UPDATE meta SET value = 'x' WHERE key = 'none'", Expect::One).statements);
    assert_eq!(store.change(AT, two).await, Err(ChangeError::Conflict));
    let wrong = change(backend, "UPDATE nowhere SET value = 'x'", Expect::Any);
    assert_eq!(store.change(AT, wrong).await, Err(ChangeError::Unavailable));

    drop(store);
    let store = database.open().await;
    let row =
        store.reads().query_one_raw(change(backend, "SELECT value FROM meta", Expect::Any).statements.remove(0).0);
    assert_eq!(row.await.unwrap().unwrap().try_get::<String>("", "value").unwrap(), "red");
    assert_eq!(store.epoch(), 2);
}
