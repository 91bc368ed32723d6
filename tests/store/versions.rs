//! Schemas that are older or newer than the program.

use sea_orm::ConnectionTrait;
use signalbox::store::Store;
use signalbox_actors::journal::Journal as _;
use signalbox_migrations::{Migrator, MigratorTrait as _};

use crate::support::{Database, durable, entry};

/// A connection of the kind that migrations run on.
async fn connect(database: &Database) -> sea_orm::DatabaseConnection {
    let url = &database.conf.url;
    let file = || format!("sqlite://{}?mode=rwc", database.folder().join("signalbox.db").display());
    let url = if url.starts_with("postgres") { url.clone() } else { file() };
    sea_orm::Database::connect(url).await.unwrap()
}

#[tokio::test]
async fn f57_an_update_that_ended_after_any_of_its_steps_is_finished_by_the_next_start() {
    for steps in 0..=Migrator::migrations().len() {
        for database in Database::all().await {
            let connection = connect(&database).await;
            Migrator::up(&connection, Some(u32::try_from(steps).unwrap())).await.unwrap();
            connection.close().await.unwrap();
            let store = database.open().await;
            let ticket = store.append(entry(Vec::new(), Vec::new()));
            durable(&store, ticket).await;
            drop(store);
            database.remove().await;
        }
    }
}

#[test]
fn f57_a_step_of_an_update_is_made_as_a_whole_or_not_at_all() {
    for step in Migrator::migrations() {
        assert_eq!(step.use_transaction(), Some(true), "{}", step.name());
    }
}

#[tokio::test]
async fn f52_a_program_older_than_the_database_refuses_it() {
    for database in Database::all().await {
        drop(database.open().await);
        let connection = connect(&database).await;
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_newer', 0)";
        connection.execute_unprepared(newer).await.unwrap();
        connection.close().await.unwrap();
        let error = Store::open(database.conf.clone()).await.unwrap_err();
        let told =
            format!("{error}: {}", std::error::Error::source(&error).map_or_else(String::new, ToString::to_string));
        assert!(told.contains("m29990101_000001_newer"), "{told}");
        database.remove().await;
    }
}
