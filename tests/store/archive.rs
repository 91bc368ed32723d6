//! The journal's old lines leave the table, and nothing is missing.

use std::path::PathBuf;
use std::sync::Arc;

use signalbox::replay::{Rows, prove};
use signalbox::store::{
    ArchiveError, Archived, ChainError, EventFilter, LINES_KEPT, LINES_PER_FILE, Store, StoreError, upkeep,
};
use signalbox_actors::journal::{Entry, Journal as _};
use signalbox_domain::event::Event;
use signalbox_domain::ids::StrategyId;
use signalbox_domain::row::Row;
use signalbox_domain::strategy::{StrategyConf, StrategyState};
use signalbox_domain::units::{Span, Timestamp};

use crate::support::{AT, Database, durable, entry, new_signal, strategy};

/// As many lines as are kept, and three files more.
const LINES: u64 = LINES_KEPT + 3 * LINES_PER_FILE;

fn hour(n: u64) -> Timestamp {
    AT.plus(Span::from_secs(3_600 * n as i64))
}

fn conf() -> Arc<StrategyConf> {
    Arc::new(StrategyConf { id: strategy(), kind: "external".into(), routes: Vec::new() })
}

/// A signal, and then every thousand lines an hour later.
async fn fill(store: &Store) {
    store.ingest(new_signal("first")).await.unwrap();
    let (mut ticket, mut configured) = (0, 0);
    for n in 0..LINES / 1_000 {
        let count = if n == 0 { 999 } else { 1_000 };
        configured += count as u32;
        let row = Row::Strategy { conf: conf(), state: StrategyState::Active, version: configured };
        let lines = entry(vec![Event::StrategyConfigured(conf()); count], vec![row]);
        ticket = store.append(Entry { at: hour(n), ..lines });
    }
    durable(store, ticket).await;
}

async fn in_table(store: &Store) -> Vec<u64> {
    use sea_orm::{EntityTrait as _, QueryOrder as _};
    use signalbox::store::entity::journal;
    let lines = journal::Entity::find().order_by_asc(journal::Column::Seq).all(store.reads()).await.unwrap();
    lines.iter().map(|line| line.seq as u64).collect()
}

fn files(database: &Database) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![database.folder().join("archive")];
    while let Some(folder) = folders.pop() {
        for it in std::fs::read_dir(folder).unwrap() {
            let path = it.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_lines_go_to_files_and_the_chain_and_the_replay_begin_with_them() {
    for database in Database::all().await {
        let store = database.open().await;
        fill(&store).await;
        let whole = store.verify_chain(1).await.unwrap();
        let state = prove(&store, Rows::Settled).await.unwrap().state_hash;

        // The first file ends with line 2,000, of the hour 1, and the second with one of the hour 3.
        assert_eq!(store.archive(AT, hour(1), 10).await.unwrap(), Archived::default());
        assert_eq!(store.archive(AT, hour(4), 1).await.unwrap(), Archived { files: 1, lines: LINES_PER_FILE });
        assert_eq!(store.archive(AT, hour(4), 10).await.unwrap(), Archived { files: 1, lines: LINES_PER_FILE });
        assert_eq!(in_table(&store).await[0], 2 * LINES_PER_FILE + 1);
        #[cfg(unix)]
        for file in files(&database) {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{} is for its owner alone", file.display());
        }
        // Whatever their age, the newest stay.
        assert_eq!(store.archive(AT, hour(1_000), 10).await.unwrap().files, 1);
        assert_eq!(store.archive(AT, hour(1_000), 10).await.unwrap().files, 0);
        let told = 3;
        let table = in_table(&store).await;
        assert_eq!((table[0], table.len() as u64), (3 * LINES_PER_FILE + 1, LINES_KEPT + told));

        for _ in 0..2 {
            let verified = store.verify_chain(1).await.unwrap();
            assert_eq!((verified.lines, verified.last_seq), (LINES + told, LINES + told));
            for from in [LINES_PER_FILE, LINES_PER_FILE + 1, 3 * LINES_PER_FILE + 1, LINES] {
                assert_eq!(store.verify_chain(from).await.unwrap().last_hash, verified.last_hash, "from {from}");
            }
            let proof = prove(&store, Rows::Settled).await.unwrap();
            assert_eq!((proof.differences.len(), proof.state_hash), (0, state), "{:?}", proof.differences);
        }
        // The lines that were there before are what they were.
        let lines = store.events_since(LINES - 1, &EventFilter::default(), 1).await.unwrap();
        assert_eq!(lines[0].hash, whole.last_hash);
        store.close();
        drop(store);
        let store = database.open().await;
        assert_eq!(store.verify_chain(1).await.unwrap().lines, LINES + told, "a start changes nothing");
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_from_the_files_into_the_table_without_a_gap() {
    for database in Database::all().await {
        let store = database.open().await;
        fill(&store).await;
        store.archive(AT, hour(1_000), 10).await.unwrap();
        let all = EventFilter::default();
        let floor = 3 * LINES_PER_FILE;
        let seqs = async |since, filter: &EventFilter, limit| {
            let lines = store.events_since(since, filter, limit).await.unwrap();
            lines.iter().map(|line| line.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs(floor - 2, &all, 4).await, [floor - 1, floor, floor + 1, floor + 2]);
        assert_eq!(seqs(0, &all, 10_000).await.len() as u64, LINES_PER_FILE, "a page");
        let signal = EventFilter { signal: Some(signalbox_domain::ids::SignalId::new(1)), ..EventFilter::default() };
        assert_eq!(seqs(0, &signal, 10).await, [1]);
        let archived = async |from, until| store.archived_between(&signal, (from, until)).await.unwrap().len();
        assert_eq!((archived(AT, AT).await, archived(hour(2), hour(9)).await), (1, 0), "by the time of its life");
        let foreign =
            EventFilter { strategies: vec![StrategyId::parse("other").unwrap()], accounts: Some(Vec::new()), ..all };
        assert!(seqs(0, &foreign, 10).await.is_empty());

        let page = async |before, limit| {
            let lines = store.journal_page(&EventFilter::default(), before, limit).await.unwrap();
            lines.iter().map(|line| line.seq).collect::<Vec<_>>()
        };
        assert_eq!(page(Some(floor + 3), 4).await, [floor + 2, floor + 1, floor, floor - 1]);
        assert_eq!(page(Some(3), 4).await, [2, 1]);
        let page_across = page(Some(LINES_PER_FILE + 2), 3).await;
        assert_eq!(page_across, [LINES_PER_FILE + 1, LINES_PER_FILE, LINES_PER_FILE - 1]);
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_off_is_done_again_and_a_file_that_was_touched_is_found() {
    let database = Database::sqlite();
    let store = database.open().await;
    fill(&store).await;
    // As a kill leaves it: a draft that is half written, and one that had its name before its lines were removed.
    let folder = database.folder().join("archive");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("draft"), b"half").unwrap();
    let copy = database.folder().join("copy.db");
    upkeep::backup(&database.conf, &copy).unwrap();
    store.archive(AT, hour(4), 10).await.unwrap();
    let (first, verified) = (files(&database), store.verify_chain(1).await.unwrap());
    assert_eq!(first.len(), 2, "{first:?}");
    let before: Vec<Vec<u8>> = first.iter().map(|file| std::fs::read(file).unwrap()).collect();
    store.close();
    drop(store);

    upkeep::restore(&database.conf, &copy).await.unwrap();
    let store = database.open().await;
    assert_eq!(in_table(&store).await[0], 1, "the copy had all lines");
    store.archive(AT, hour(4), 10).await.unwrap();
    assert_eq!(files(&database), first, "the same files again");
    let again: Vec<Vec<u8>> = first.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(before == again);
    assert_eq!(store.verify_chain(1).await.unwrap().lines, verified.lines + 1, "and the mark of the restore");

    // A copy that was made later goes on where the files end.
    let later = database.folder().join("later.db");
    let proof = upkeep::backup(&database.conf, &later).unwrap();
    assert_eq!(proof.lines + 2 * LINES_PER_FILE, proof.last_seq);

    // One line of a file changed by hand.
    use std::io::{Read as _, Write as _};
    let mut text = String::new();
    flate2::read::GzDecoder::new(&again[1][..]).read_to_string(&mut text).unwrap();
    let text = text.replacen("account:paper-a", "account:paper-b", 1);
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    std::fs::write(&first[1], out.finish().unwrap()).unwrap();
    let broken = store.verify_chain(1).await;
    assert!(matches!(broken, Err(ChainError::Broken(seq)) if seq == LINES_PER_FILE + 1), "{broken:?}");
    std::fs::remove_file(&first[1]).unwrap();
    assert!(matches!(store.verify_chain(1).await, Err(ChainError::Store(StoreError::Io { .. }))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_was_changed_stays_where_it_is() {
    let database = Database::sqlite();
    let store = database.open().await;
    fill(&store).await;
    let hand = rusqlite::Connection::open(database.folder().join("signalbox.db")).unwrap();
    hand.execute_batch("UPDATE journal SET actor = 'mallory' WHERE seq = 2500").unwrap();
    let refused = store.archive(AT, hour(1_000), 10).await;
    assert!(matches!(refused, Err(ArchiveError::Chain(ChainError::Broken(2_500)))), "{refused:?}");
    assert_eq!(in_table(&store).await[0], LINES_PER_FILE + 1, "what was whole has gone");
    assert_eq!(files(&database).iter().filter(|file| file.extension().is_some_and(|e| e == "gz")).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compacting_gives_the_room_back_and_growth_is_told() {
    for database in Database::all().await {
        let store = database.open().await;
        fill(&store).await;
        let growth = upkeep::growth(&database.conf, 7, 0).await.unwrap();
        assert_eq!((growth.archived_lines, growth.old_lines), (0, 0));
        assert!(growth.rows_per_day.contains(&("journal", LINES / 7)), "{growth:?}");
        store.archive(AT, hour(1_000), 10).await.unwrap();
        let growth = upkeep::growth(&database.conf, 7, 30).await.unwrap();
        assert_eq!(growth.archived_lines, 3 * LINES_PER_FILE);
        assert!(growth.archived_bytes > 10_000, "{growth:?}");
        let refused = upkeep::compact(&database.conf).await;
        assert!(matches!(refused, Err(upkeep::UpkeepError::Store(StoreError::FolderInUse(_)))), "{refused:?}");
        let verified = store.verify_chain(1).await.unwrap();
        store.close();
        drop(store);
        let (before, after) = upkeep::compact(&database.conf).await.unwrap();
        assert!(after < before, "{before} {after}");
        let store = database.open().await;
        assert_eq!(store.verify_chain(1).await.unwrap(), verified);
        store.close();
        database.remove().await;
    }
}
