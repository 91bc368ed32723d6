//! Upkeep of the database: how large it is and where, a copy to keep, and what has to be done before a copy is used.
//!
//! A copy is made and looked at while we trade. It is whole or not there: it gets its name when its pages and its whole
//! chain of hashes have been read again. What happened after a copy is not in it, so a restored database begins with
//! trading halted, far from every number that may have been given out since, and with an epoch that fences off whoever
//! used the database before.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, Statement};
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::units::{Span, Timestamp};

use super::archive::Floor;
use super::backend::LAST_SIGNAL;
use super::entity::{journal, journal_archives};
use super::open::{Hooks, io, is_postgres, lock_folder, sync_folder};
use super::{
    ChainError, Change, ChangeError, Expect, Store, StoreConf, StoreError, Verified, parse, postgres, private, sqlite,
};
use crate::clock::{SystemClock, WallClock as _};

/// Signals that were taken after the copy have used numbers, and so have their orders at the brokers: a restored database
/// begins so much further on. At a thousand signals a second it is a quarter of an hour, at a person's pace for ever.
const SKIPPED: u64 = 1_000_000;

/// Whoever wrote to the database after the copy was made had an epoch above the copy's.
const EPOCHS_SKIPPED: u64 = 1_000_000;

/// Lies in the data folder from before the old database moves until the new one is marked: what stands there meanwhile,
/// nothing included, would give out again the numbers that brokers know. Nobody else opens it.
const CUT_OFF: &str = "restore-in-progress";

pub(super) fn is_cut_off(data_dir: &Path) -> bool {
    data_dir.join(CUT_OFF).exists()
}

/// What one table takes, its indexes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    pub table: String,
    /// Counted in SQLite, estimated by PostgreSQL.
    pub rows: u64,
    pub bytes: u64,
}

/// Why a copy cannot be made, or not be used.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the copy's chain of hashes does not hold")]
    Chain(#[from] ChainError),
    #[error("{} is there already: nothing is overwritten", .0.display())]
    Exists(PathBuf),
    #[error("compacting needs {needed} bytes on the disk, and {free} are free")]
    NoRoom { free: u64, needed: u64 },
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    #[error("a PostgreSQL database is copied by pg_dump and pg_restore: see the documents")]
    Postgres,
    #[error("the restored database cannot be marked")]
    Mark(#[from] ChangeError),
}

/// The tables by size, the largest first. Others may write meanwhile.
///
/// # Errors
/// When the database cannot be read.
pub async fn sizes(conf: &StoreConf) -> Result<Vec<TableSize>, UpkeepError> {
    let mut sizes = if is_postgres(&conf.url) {
        let reads = postgres::connect_readers(&conf.url).await?;
        let sql = "SELECT c.relname::text AS name, greatest(c.reltuples, 0)::bigint AS rows,
                pg_total_relation_size(c.oid)::bigint AS bytes
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname = current_schema()";
        let found = reads.query_all_raw(Statement::from_string(reads.get_database_backend(), sql)).await;
        let size = |row: &sea_orm::QueryResult| {
            let (table, rows, bytes): (String, i64, i64) =
                (row.try_get("", "name")?, row.try_get("", "rows")?, row.try_get("", "bytes")?);
            Ok(TableSize { table, rows: rows as u64, bytes: bytes as u64 })
        };
        let sizes = found.and_then(|rows| rows.iter().map(size).collect::<Result<Vec<_>, _>>());
        sizes.map_err(|error| StoreError::database("the sizes cannot be read", error))?
    } else {
        let connection = read_only(&sqlite::file(&conf.url, &conf.data_dir)?)?;
        sizes_of(&connection).map_err(|error| StoreError::database("the sizes cannot be read", error))?
    };
    sizes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.table.cmp(&b.table)));
    Ok(sizes)
}

/// How fast the database grows, and what of the journal is in files or could go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Rows of the last days by table, per day.
    pub rows_per_day: Vec<(&'static str, u64)>,
    pub archived_lines: u64,
    pub archived_bytes: u64,
    /// Of which only the key is left.
    pub dropped_signals: u64,
    /// Lines in the table that are older than they have to be kept.
    pub old_lines: u64,
}

/// Seen from the newest signal back. Others may write meanwhile.
///
/// # Errors
/// When the database cannot be read.
pub async fn growth(conf: &StoreConf, days: u32, keep_days: u32) -> Result<Growth, UpkeepError> {
    let reads = readers(conf).await?;
    let number = async |sql: String| -> Result<i64, StoreError> {
        let row = reads.query_one_raw(Statement::from_string(reads.get_database_backend(), sql)).await?;
        Ok(row.map(|row| row.try_get::<Option<i64>>("", "n")).transpose()?.flatten().unwrap_or(0))
    };
    let newest = number("SELECT max(received_at_us) AS n FROM signals".to_owned()).await?;
    let ago = |days: u32| newest.saturating_sub(Span::from_secs(i64::from(days) * 86_400).us());
    let mut rows_per_day = Vec::new();
    for (table, time) in
        [("journal", "at_us"), ("signals", "received_at_us"), ("orders", "created_at_us"), ("fills", "at_us")]
    {
        let sql = format!("SELECT count(*) AS n FROM {table} WHERE {time} > {}", ago(days));
        rows_per_day.push((table, number(sql).await? as u64 / u64::from(days.max(1))));
    }
    let old = format!("SELECT count(*) AS n FROM journal WHERE at_us < {}", ago(keep_days));
    let old_lines = if keep_days == 0 { 0 } else { number(old).await? as u64 };
    let dropped_signals = number("SELECT count(*) AS n FROM signal_keys".to_owned()).await? as u64;
    let files = journal_archives::Entity::find().all(&reads).await.map_err(StoreError::from)?;
    Ok(Growth {
        rows_per_day,
        archived_lines: files.last().map_or(0, |file| file.last_seq as u64),
        dropped_signals,
        archived_bytes: files.iter().map(|file| file.bytes as u64).sum(),
        old_lines,
    })
}

/// Gives the room of what was removed back to the disk: what the database took before, and what it takes now. Nothing else
/// may use it meanwhile. Cut off, nothing has changed.
///
/// # Errors
/// [`UpkeepError`].
pub async fn compact(conf: &StoreConf) -> Result<(u64, u64), UpkeepError> {
    if is_postgres(&conf.url) {
        let total = async || sizes(conf).await.map(|sizes| sizes.iter().map(|size| size.bytes).sum::<u64>());
        let before = total().await?;
        // Nobody else may be at work: their locks would be waited for, and ours by them.
        let store = Store::open(conf.clone()).await?;
        let connection = sea_orm::Database::connect(&conf.url).await.map_err(StoreError::from)?;
        let compacted = connection.execute_unprepared("VACUUM (FULL, ANALYZE)").await;
        compacted.map_err(|error| StoreError::database("the database cannot be compacted", error))?;
        connection.close().await.map_err(StoreError::from)?;
        store.close();
        return Ok((before, total().await?));
    }
    let (lock, _) = lock_folder(&conf.data_dir)?;
    let file = sqlite::file(&conf.url, &conf.data_dir)?;
    if !file.is_file() {
        return Err(UpkeepError::Missing(file));
    }
    if is_cut_off(&conf.data_dir) {
        return Err(StoreError::RestoreCutOff(conf.data_dir.clone()).into());
    }
    let failed = |error| StoreError::database("the database cannot be compacted", error);
    let connection = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    let fold = || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed);
    let size = || file.metadata().map(|metadata| metadata.len()).map_err(io("the database file cannot be measured"));
    fold()?;
    let before = size()?;
    // A new file is written beside the old one, and then over it by way of the log.
    let free = fs4::available_space(&conf.data_dir).map_err(io("the disk cannot be measured"))?;
    if free < 2 * before {
        return Err(UpkeepError::NoRoom { free, needed: 2 * before });
    }
    connection.execute_batch("VACUUM").map_err(failed)?;
    fold()?;
    connection.close().map_err(|(_, error)| failed(error))?;
    sqlite::check_all_pages(&file)?;
    let after = size()?;
    drop(lock);
    Ok((before, after))
}

/// Makes a copy of a SQLite database under a name that is not there yet. Others may write meanwhile: the copy is of one
/// instant. What it proves about itself is returned; kept elsewhere, the hash shows later that nothing was cut off.
///
/// # Errors
/// [`UpkeepError`]; then there is no file of that name.
pub fn backup(conf: &StoreConf, to: &Path) -> Result<Verified, UpkeepError> {
    if is_postgres(&conf.url) {
        return Err(UpkeepError::Postgres);
    }
    let from = sqlite::file(&conf.url, &conf.data_dir)?;
    let draft = beside(to, "part");
    for file in [to, &draft] {
        if file.exists() {
            return Err(UpkeepError::Exists(file.to_owned()));
        }
    }
    let copied = copy_and_verify(&from, &draft).and_then(|verified| {
        File::open(&draft).and_then(|file| file.sync_all()).map_err(io("the copy cannot be flushed"))?;
        std::fs::rename(&draft, to).map_err(io("the copy cannot get its name"))?;
        sync_parent(to)?;
        Ok(verified)
    });
    if copied.is_err() {
        let _ = std::fs::remove_file(&draft); // it may not be there
    }
    copied
}

/// Puts a copy in the place of the database, which has to be out of use, and marks it: see [`mark_restored`]. What was
/// there is kept beside it under another name. Returns that name, and what the copy proves about itself.
///
/// # Errors
/// [`UpkeepError`]; until the copy was read as a whole nothing has changed. What is cut off after that is refused by every
/// start, until it is done again.
pub async fn restore(conf: &StoreConf, from: &Path) -> Result<(Option<PathBuf>, Verified), UpkeepError> {
    if is_postgres(&conf.url) {
        return Err(UpkeepError::Postgres);
    }
    if !from.is_file() {
        return Err(UpkeepError::Missing(from.to_owned()));
    }
    let file = sqlite::file(&conf.url, &conf.data_dir)?;
    let (lock, _) = lock_folder(&conf.data_dir)?;
    let draft = beside(&file, "restoring");
    let verified = drafted(from, &draft).inspect_err(|_| drop(forget(&draft, &PARTS)))?;
    let (name, all_kept) = match Cut::read(&conf.data_dir)? {
        Some(Cut { name, all_kept }) => (name, all_kept),
        None => (format!("before-restore-{}", SystemClock.now().us()), false),
    };
    if all_kept {
        // What is in place is of the try that was cut off.
        forget(&file, &["-wal", "-shm"])?;
    } else {
        Cut { name: name.clone(), all_kept: false }.write(&conf.data_dir)?;
        for suffix in PARTS {
            let part = with_suffix(&file, suffix);
            if part.exists() {
                std::fs::rename(&part, with_suffix(&beside(&file, &name), suffix)).map_err(io("it cannot be kept"))?;
            }
        }
        Cut { name: name.clone(), all_kept: true }.write(&conf.data_dir)?;
    }
    let kept = Some(beside(&file, &name)).filter(|kept| kept.exists());
    std::fs::rename(&draft, &file).map_err(io("the copy cannot get its name"))?;
    sync_folder(&conf.data_dir).map_err(io("the data folder cannot be flushed"))?;
    drop(lock);
    mark_restored(conf).await?;
    Ok((kept, verified))
}

/// The files of a database: the newest commits may be in its log alone.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// A copy of a database with what its log has, as one file; its chain is whole.
fn drafted(from: &Path, draft: &Path) -> Result<Verified, UpkeepError> {
    forget(draft, &PARTS)?; // of an earlier try
    for suffix in ["", "-wal"] {
        let (part, copy) = (with_suffix(from, suffix), with_suffix(draft, suffix));
        if part.exists() {
            std::fs::copy(part, &copy).and_then(|_| private::close(&copy)).map_err(io("the copy cannot be copied"))?;
        }
    }
    if with_suffix(draft, "-wal").exists() {
        let failed = |error| StoreError::database("the copy's log cannot be taken in", error);
        let connection = Connection::open(draft).map_err(failed)?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
        connection.close().map_err(|(_, error)| failed(error))?;
    }
    let verified = verify(draft)?;
    forget(draft, &["-wal", "-shm"])?;
    File::open(draft).and_then(|file| file.sync_all()).map_err(io("the copy cannot be flushed"))?;
    Ok(verified)
}

/// What is not there is forgotten already. What stays there would be taken for the log of the next file of that name.
fn forget(file: &Path, parts: &[&str]) -> Result<(), UpkeepError> {
    for suffix in parts {
        match std::fs::remove_file(with_suffix(file, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io("what is left of an earlier try cannot be removed")(error).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// How far a restore came, in the file that tells of it. Whoever does it again goes on with the same names: a log beside
/// another database than its own would damage it.
struct Cut {
    /// Under which what was there is kept.
    name: String,
    /// All of it is.
    all_kept: bool,
}

impl Cut {
    fn read(data_dir: &Path) -> Result<Option<Self>, UpkeepError> {
        if !is_cut_off(data_dir) {
            return Ok(None);
        }
        let text =
            std::fs::read_to_string(data_dir.join(CUT_OFF)).map_err(io("how far the restore came is not known"))?;
        Ok(text.split_once(' ').map(|(how_far, name)| Self { name: name.to_owned(), all_kept: how_far == KEPT }))
    }

    fn write(&self, data_dir: &Path) -> Result<(), UpkeepError> {
        let (marker, draft) = (data_dir.join(CUT_OFF), data_dir.join(CUT_OFF).with_extension("new"));
        let text = format!("{} {}", if self.all_kept { KEPT } else { KEEPING }, self.name);
        std::fs::write(&draft, text)
            .and_then(|()| File::open(&draft)?.sync_all())
            .and_then(|()| std::fs::rename(&draft, &marker))
            .map_err(io("how far the restore came cannot be kept"))?;
        Ok(sync_folder(data_dir).map_err(io("the data folder cannot be flushed"))?)
    }
}

const KEEPING: &str = "keeping";
const KEPT: &str = "kept";

/// What every restored database needs before its first use, also one that came by `pg_restore`: trading is halted until a
/// person has looked, numbers of signals and orders that may have been given out since the copy are passed over, and
/// whoever used the database before is fenced off.
///
/// # Errors
/// [`UpkeepError`].
pub async fn mark_restored(conf: &StoreConf) -> Result<(), UpkeepError> {
    let store = Store::open_with(conf.clone(), Hooks { restoring: true, ..Hooks::default() }).await?;
    let at = store.restore().await?.last_at.unwrap_or(Timestamp::from_us(0));
    let backend = store.reads().get_database_backend();
    let reason = "restored from a copy: look at what the brokers show before you trade";
    let sql = [
        format!(
            "INSERT INTO meta (key, value)
             SELECT 'signal_floor', CAST(max(id) + {SKIPPED} AS TEXT) FROM ({LAST_SIGNAL}) AS last WHERE 1 = 1
             ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        ),
        format!(
            "INSERT INTO trading_states (scope_kind, scope_id, state, who, reason, at_us)
             VALUES ('global', '', 'halted', 'restore', '{reason}', {})
             ON CONFLICT (scope_kind, scope_id) DO UPDATE SET state = excluded.state, who = excluded.who,
                reason = excluded.reason, at_us = excluded.at_us",
            at.us()
        ),
        // The last of all: from here on this process cannot write any more either.
        format!("UPDATE lease SET epoch = epoch + {EPOCHS_SKIPPED}"),
    ];
    let statements = sql.into_iter().map(|sql| (Statement::from_string(backend, sql), Expect::One)).collect();
    let (scope, state) = (Scope::Global, TradingState::Halted);
    let event = Event::TradingStateSet { scope, state, who: "restore".into(), reason: reason.into() };
    store.change(at, Change { statements, event }).await?;
    store.close();
    if is_cut_off(&conf.data_dir) {
        std::fs::remove_file(conf.data_dir.join(CUT_OFF)).map_err(io("the restore cannot end"))?;
        sync_folder(&conf.data_dir).map_err(io("the data folder cannot be flushed"))?;
    }
    Ok(())
}

async fn readers(conf: &StoreConf) -> Result<DatabaseConnection, UpkeepError> {
    if is_postgres(&conf.url) {
        return Ok(postgres::connect_readers(&conf.url).await?);
    }
    let file = sqlite::file(&conf.url, &conf.data_dir)?;
    if !file.is_file() {
        return Err(UpkeepError::Missing(file));
    }
    Ok(sqlite::connect_readers(&file, false).await?)
}

fn read_only(file: &Path) -> Result<Connection, UpkeepError> {
    if !file.is_file() {
        return Err(UpkeepError::Missing(file.to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).and_then(|connection| {
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(connection)
    });
    Ok(connection.map_err(|error| StoreError::database("the database file cannot be read", error))?)
}

fn sizes_of(connection: &Connection) -> rusqlite::Result<Vec<TableSize>> {
    let mut tables = connection.prepare(
        "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat('main', 1) s JOIN sqlite_schema m ON m.name = s.name
         GROUP BY m.tbl_name",
    )?;
    let found = tables.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    found
        .map(|size| {
            let (table, bytes) = size?;
            // A name out of the schema itself.
            let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| row.get(0))?;
            Ok(TableSize { table, rows: rows as u64, bytes: bytes as u64 })
        })
        .collect()
}

fn copy_and_verify(from: &Path, to: &Path) -> Result<Verified, UpkeepError> {
    let connection = read_only(from)?;
    // SQLite fills an empty file, and would make one for everybody.
    private::make_file(to).map_err(io("the copy cannot be made"))?;
    let name = to.to_string_lossy();
    let copied = connection.execute("VACUUM INTO ?1", [&*name]);
    copied.map_err(|error| StoreError::database("the database cannot be copied", error))?;
    verify(to)
}

/// Reads every page and the whole chain of hashes.
fn verify(file: &Path) -> Result<Verified, UpkeepError> {
    sqlite::check_all_pages(file)?;
    let connection = read_only(file)?;
    let failed = |error| StoreError::database("the copy's journal cannot be read", error);
    let mut journal = connection
        .prepare(
            "SELECT seq, at_us, actor, cause, kind, account, strategy, signal_id, order_id, payload, hash FROM journal
             ORDER BY seq",
        )
        .map_err(failed)?;
    let mut rows = journal.query([]).map_err(failed)?;
    // What was archived before is in files, which are copied as files are.
    let (mut last, mut lines) = (floor(&connection).map_err(failed)?, 0);
    while let Some(row) = rows.next().map_err(failed)? {
        let line = parse::journal_line(model(row).map_err(failed)?)?;
        last = last.followed_by(&line)?;
        lines += 1;
    }
    Ok(Verified { lines, last_seq: last.seq, last_hash: last.hash })
}

/// Where the copy's own lines begin.
fn floor(connection: &Connection) -> rusqlite::Result<Floor> {
    // The copy may be older than the archive.
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = 'journal_archives'";
    if connection.query_row(known, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Floor::GENESIS);
    }
    let newest = "SELECT last_seq, last_hash FROM journal_archives ORDER BY last_seq DESC LIMIT 1";
    let newest = connection.query_row(newest, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
    match newest.optional()? {
        None => Ok(Floor::GENESIS),
        Some((seq, hash)) => {
            Floor::read(seq, &hash).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        }
    }
}

fn model(row: &rusqlite::Row<'_>) -> rusqlite::Result<journal::Model> {
    Ok(journal::Model {
        seq: row.get(0)?,
        at_us: row.get(1)?,
        actor: row.get(2)?,
        cause: row.get(3)?,
        kind: row.get(4)?,
        account: row.get(5)?,
        strategy: row.get(6)?,
        signal_id: row.get(7)?,
        order_id: row.get(8)?,
        payload: row.get(9)?,
        hash: row.get(10)?,
    })
}

fn beside(file: &Path, word: &str) -> PathBuf {
    with_suffix(file, &format!(".{word}"))
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn sync_parent(file: &Path) -> Result<(), StoreError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(folder).map_err(io("the folder of the copy cannot be flushed"))
}
