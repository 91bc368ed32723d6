//! A copy that was made while we traded, and what becomes of a system that begins with it.

use signalbox::store::upkeep::{self, UpkeepError};
use signalbox::store::{Change, Ingested, Store, StoreError};
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::SignalId;

use crate::support::{AT, Database, administered, new_signal};

async fn ingest(store: &Store, key: &str) -> SignalId {
    match store.ingest(new_signal(key)).await.unwrap() {
        Ingested::Accepted(signal) => signal.id,
        other => panic!("{other:?}"),
    }
}

async fn change(store: &Store, action: &str) {
    store.change(AT, Change { statements: Vec::new(), event: administered(action) }).await.unwrap();
}

#[tokio::test]
async fn a_copy_of_a_running_system_is_whole_and_begins_halted_beyond_every_number_given_out() {
    let database = Database::sqlite();
    let store = database.open().await;
    let first = ingest(&store, "k1").await;
    let copy = database.folder().join("copy.db");
    let verified = upkeep::backup(&database.conf, &copy).unwrap();
    assert_eq!(verified.lines, store.verify_chain(1).await.unwrap().lines);
    assert!(matches!(upkeep::backup(&database.conf, &copy), Err(UpkeepError::Exists(_))), "nothing is overwritten");

    // After the copy: a signal that the copy does not know, at brokers that have seen its orders.
    let second = ingest(&store, "k2").await;
    let tables = store.tables().await.unwrap();
    assert_eq!(tables.signals.len(), 2);
    assert!(matches!(upkeep::restore(&database.conf, &copy).await, Err(UpkeepError::Store(_))), "it is in use");
    let epoch = store.epoch();
    store.close();
    drop(store);

    let (kept, restored) = upkeep::restore(&database.conf, &copy).await.unwrap();
    assert_eq!(restored, verified);
    assert!(kept.unwrap().is_file(), "what was there is kept");
    let store = database.open().await;
    assert!(store.epoch() > epoch + 1_000, "{} fences off {epoch}", store.epoch());
    let states = store.trading_states().await.unwrap();
    assert!(states.iter().any(|s| s.scope == Scope::Global && s.state == TradingState::Halted), "{states:?}");
    assert!(store.signal(second).await.unwrap().is_none());
    assert!(store.signal(first).await.unwrap().is_some());
    let third = ingest(&store, "k2").await;
    assert!(third.get() >= second.get() + 1_000_000 - 1, "{third} is beyond {second}");
    assert_eq!(store.verify_chain(1).await.unwrap().lines, verified.lines + 2, "the mark and the new signal");
    let proof = signalbox::replay::prove(&store, signalbox::replay::Rows::AsTheyAre).await.unwrap();
    assert!(proof.differences.is_empty(), "{:?}", proof.differences);
}

#[tokio::test]
async fn a_copy_that_was_changed_or_cut_is_not_restored() {
    let database = Database::sqlite();
    let store = database.open().await;
    for n in 0..3 {
        change(&store, &format!("a{n}")).await;
    }
    let spoilt = |name: &str, sql: &str| {
        let file = database.folder().join(name);
        upkeep::backup(&database.conf, &file).unwrap();
        rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        file
    };
    let changed = spoilt("changed.db", "UPDATE journal SET payload = replace(payload, 'a1', 'b1') WHERE seq = 2");
    let cut = spoilt("cut.db", "DELETE FROM journal WHERE seq = 2");
    store.close();
    drop(store);
    for file in [changed, cut] {
        let refused = upkeep::restore(&database.conf, &file).await;
        assert!(matches!(refused, Err(UpkeepError::Chain(_))), "{}: {refused:?}", file.display());
    }
    let store = database.open().await;
    assert_eq!(store.verify_chain(1).await.unwrap().lines, 3, "nothing was touched");
}

#[tokio::test]
async fn a_restore_that_was_cut_off_is_no_database_until_it_is_done_again() {
    let database = Database::sqlite();
    let store = database.open().await;
    ingest(&store, "k1").await;
    let (copy, half) = (database.folder().join("copy.db"), database.folder().join("half.db"));
    for file in [&copy, &half] {
        upkeep::backup(&database.conf, file).unwrap();
    }
    store.close();
    drop(store);
    // Its journal is whole, and it gets its name; but it cannot be marked.
    rusqlite::Connection::open(&half).unwrap().execute_batch("DROP TABLE meta").unwrap();
    upkeep::restore(&database.conf, &half).await.unwrap_err();
    let Err(refused) = Store::open(database.conf.clone()).await else { panic!("numbers would be given out twice") };
    assert!(matches!(refused, StoreError::RestoreCutOff(_)), "{refused}");
    upkeep::restore(&database.conf, &copy).await.unwrap();
    let states = database.open().await.trading_states().await.unwrap();
    assert!(states.iter().any(|s| s.scope == Scope::Global && s.state == TradingState::Halted), "{states:?}");
}

#[tokio::test]
async fn sizes_name_every_table_and_the_largest_first() {
    for database in Database::all().await {
        let store = database.open().await;
        for n in 0..200 {
            change(&store, &format!("a{n}")).await;
        }
        let sizes = upkeep::sizes(&database.conf).await.unwrap();
        let of = |table: &str| sizes.iter().find(|size| size.table == table).unwrap();
        assert!(of("journal").bytes > of("fills").bytes, "{sizes:?}");
        assert!(sizes.is_sorted_by(|a, b| a.bytes >= b.bytes));
        if database.conf.url.starts_with("sqlite") {
            assert_eq!(of("journal").rows, 200);
        }
        store.close();
        database.remove().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_stored_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let give = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let database = Database::sqlite();
    let mut conf = database.conf.clone();
    conf.data_dir = database.folder().join("new/data");
    let store = Store::open(conf.clone()).await.unwrap();
    ingest(&store, "k1").await;
    for folder in ["", "archive"] {
        assert_eq!(mode(&conf.data_dir.join(folder)), 0o700, "{folder}");
    }
    for file in ["signalbox.db", "signalbox.db-wal", "signalbox.db-shm", "lock"] {
        assert_eq!(mode(&conf.data_dir.join(file)), 0o600, "{file}");
    }
    let copy = database.folder().join("copy.db");
    upkeep::backup(&conf, &copy).unwrap();
    assert_eq!(mode(&copy), 0o600);
    store.close();
    drop(store);
    give(&copy, 0o644);
    upkeep::restore(&conf, &copy).await.unwrap();
    assert_eq!(mode(&conf.data_dir.join("signalbox.db")), 0o600, "whatever the copy was");

    // As earlier versions made them: what others may is taken away, what the group may is left.
    give(&conf.data_dir.join("signalbox.db"), 0o644);
    give(&conf.data_dir.join("archive"), 0o755);
    let store = Store::open(conf.clone()).await.unwrap();
    assert_eq!(mode(&conf.data_dir.join("signalbox.db")), 0o640);
    assert_eq!(mode(&conf.data_dir.join("archive")), 0o750);
    store.close();
}

/// The files of a database as a kill leaves them: what was committed last is in the log alone.
fn as_killed(database: &Database, to: &std::path::Path) {
    for suffix in ["", "-wal"] {
        let part = |file: &std::path::Path| format!("{}{suffix}", file.display());
        std::fs::copy(part(&database.folder().join("signalbox.db")), part(to)).unwrap();
    }
}

async fn has(database: &Database, signal: SignalId) -> bool {
    let store = database.open().await;
    let found = store.signal(signal).await.unwrap().is_some();
    store.close();
    found
}

#[tokio::test]
async fn what_only_the_log_of_a_copy_has_is_restored_as_well() {
    let database = Database::sqlite();
    let store = database.open().await;
    let signal = ingest(&store, "k1").await;
    let lines = store.verify_chain(1).await.unwrap().lines;
    let killed = database.folder().join("killed.db");
    as_killed(&database, &killed);
    ingest(&store, "k2").await;
    store.close();
    drop(store);
    let log = std::fs::read(database.folder().join("killed.db-wal")).unwrap();
    assert!(!log.is_empty());
    let (_, restored) = upkeep::restore(&database.conf, &killed).await.unwrap();
    assert_eq!(restored.lines, lines);
    assert!(has(&database, signal).await);
    assert_eq!(std::fs::read(database.folder().join("killed.db-wal")).unwrap(), log, "the copy is as it was");
}

/// A folder whose newest signal is in the log alone, a copy of before, and the signal.
async fn killed_after_a_copy() -> (Database, std::path::PathBuf, SignalId) {
    let database = Database::sqlite();
    let store = database.open().await;
    ingest(&store, "k1").await;
    let copy = database.folder().join("copy.db");
    upkeep::backup(&database.conf, &copy).unwrap();
    let newest = ingest(&store, "k2").await;
    let killed = database.folder().join("killed.db");
    as_killed(&database, &killed);
    store.close();
    drop(store);
    for suffix in ["", "-wal"] {
        let part = |name: &str| database.folder().join(format!("{name}{suffix}"));
        std::fs::rename(part("killed.db"), part("signalbox.db")).unwrap();
    }
    (database, copy, newest)
}

#[tokio::test]
async fn a_restore_that_was_cut_off_between_two_names_keeps_what_belongs_together() {
    let (database, copy, newest) = killed_after_a_copy().await;
    let part = |name: &str| database.folder().join(name);
    // The database has its new name, and its log has not.
    std::fs::write(part("restore-in-progress"), "keeping before-restore-7").unwrap();
    std::fs::rename(part("signalbox.db"), part("signalbox.db.before-restore-7")).unwrap();
    let (kept, _) = upkeep::restore(&database.conf, &copy).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!(kept, part("signalbox.db.before-restore-7"));
    assert!(!has(&database, newest).await);
    upkeep::restore(&database.conf, &kept).await.unwrap();
    assert!(has(&database, newest).await, "what was there is kept with its log");
}

#[tokio::test]
async fn a_restore_that_was_cut_off_later_leaves_what_is_kept_alone() {
    let (database, copy, newest) = killed_after_a_copy().await;
    let part = |name: &str| database.folder().join(name);
    for suffix in ["", "-wal"] {
        let to = part(&format!("signalbox.db.before-restore-7{suffix}"));
        std::fs::rename(part(&format!("signalbox.db{suffix}")), to).unwrap();
    }
    let log = std::fs::read(part("signalbox.db.before-restore-7-wal")).unwrap();
    std::fs::write(part("restore-in-progress"), "kept before-restore-7").unwrap();
    std::fs::copy(&copy, part("signalbox.db")).unwrap();
    std::fs::write(part("signalbox.db-wal"), "the log of the try that was cut off").unwrap();
    let (kept, _) = upkeep::restore(&database.conf, &copy).await.unwrap();
    assert_eq!(std::fs::read(part("signalbox.db.before-restore-7-wal")).unwrap(), log);
    assert!(!has(&database, newest).await);
    upkeep::restore(&database.conf, &kept.unwrap()).await.unwrap();
    assert!(has(&database, newest).await);
}
