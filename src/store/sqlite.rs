//! Writing to SQLite: one connection, prepared statements, every commit flushed to the disk.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionState, params, params_from_iter};
use sea_orm::sea_query::Value as SeaValue;
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{DatabaseConnection, Statement};

use super::backend::{Backend, LAST_SIGNAL, Opened, StoredSignal};
use super::batch::{Batch, JournalLine, SignalInsert};
use super::book_columns::{self, BookColumns};
use super::chain::GENESIS;
use super::columns::{self, OrderColumns};
use super::fold::{Folder, fold};
use super::open::{Claim, LogHooks};
use super::{ChangeError, Expect, StoreError};

/// Up to 3.51.2 a checkpoint could lose a committed write (WAL-reset fault).
const VERSION_FLOOR: &str = "3.51.3";

/// Lists and status requests are short; writes do not pass here.
const READERS: u32 = 4;

/// A restart waits so long for the look at the file, which is enough for some hundred megabytes. What is left is looked
/// at while we trade.
const CHECK_BEFORE: std::time::Duration = std::time::Duration::from_secs(1);

/// The file that `sqlite:name` means: inside the data folder, so that the folder's lock covers it.
pub(super) fn file(url: &str, data_dir: &Path) -> Result<PathBuf, StoreError> {
    let name = url.strip_prefix("sqlite:").unwrap_or_default();
    let plain = !name.is_empty() && !name.contains(['/', '\\', '?', ':']) && name != "..";
    if plain { Ok(data_dir.join(name)) } else { Err(StoreError::Url(url.to_owned())) }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .busy_timeout(std::time::Duration::from_secs(5))
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

/// A connection for the migrations, which also makes the file.
pub(super) async fn connect_for_migrations(file: &Path) -> Result<DatabaseConnection, StoreError> {
    let options =
        options(file).create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
    pool.map(Into::into).map_err(|error| StoreError::database("the database file cannot be opened", error))
}

/// In turns nobody may have to wait until another one has given its connection back.
pub(super) async fn connect_readers(file: &Path, in_turns: bool) -> Result<DatabaseConnection, StoreError> {
    let readers = if in_turns { 8 * READERS } else { READERS };
    let pool = SqlitePoolOptions::new().max_connections(readers).connect_with(options(file).read_only(true)).await;
    pool.map(Into::into).map_err(|error| StoreError::database("the database file cannot be read", error))
}

/// Looks at every page before anything is written: a process that trades on a damaged file makes it worse. On a large
/// file it ends early; `false` then, and [`check_all_pages`] has to look at the rest.
pub(super) fn check_pages(file: &Path) -> Result<bool, StoreError> {
    if file.exists() { look_at_pages(file, Some(CHECK_BEFORE)) } else { Ok(true) }
}

/// The same without an end, while others write. They cannot empty the write-ahead log meanwhile.
pub(super) fn check_all_pages(file: &Path) -> Result<(), StoreError> {
    look_at_pages(file, None).map(drop)
}

/// Whether all were looked at.
fn look_at_pages(file: &Path, within: Option<std::time::Duration>) -> Result<bool, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { file: file.to_owned(), detail };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed("the database file cannot be opened"))?;
    // Whoever repairs the file shall find it as it was.
    let keep = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(keep, true).map_err(failed("the database file cannot be opened"))?;
    let interrupt = connection.get_interrupt_handle();
    let (done, waits) = std::sync::mpsc::channel::<()>();
    let watch = within.map(|within| {
        std::thread::spawn(move || {
            if waits.recv_timeout(within) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        })
    });
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    drop(done);
    let _ = watch.map(std::thread::JoinHandle::join); // it has nothing to say
    match found {
        Ok(found) if found == "ok" => Ok(true),
        Ok(found) => Err(damaged(found.replace('\n', " "))),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Ok(false),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Err(damaged(error.to_string())),
            _ => Err(failed("the database file cannot be checked")(error)),
        },
    }
}

/// A signal's key is in one of the two tables.
const FIND_SIGNAL: &str =
    "SELECT id, body_hash, received_at_us, payload FROM signals WHERE client = ?1 AND client_signal_id = ?2
     UNION ALL
     SELECT id, body_hash, received_at_us, NULL FROM signal_keys WHERE client = ?1 AND client_signal_id = ?2";

/// Waits of `busy_timeout` for another process that holds the database's lock: a minute, longer than any backup holds it.
const LOCK_WAITS: u32 = 12;

#[derive(Debug)]
pub(super) struct Sqlite {
    connection: Connection,
    epoch: i64,
    folder: Folder,
}

thread_local! {
    /// Pages in the write-ahead log after this thread's last commit, as SQLite tells its hook.
    static LOG_PAGES: Cell<i32> = const { Cell::new(0) };
}

fn failed(context: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| StoreError::database(context, error)
}

impl Sqlite {
    pub(super) fn open(file: &Path, claim: &Claim, log: LogHooks) -> Result<(Self, Opened), StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(file, flags).map_err(failed("the database file cannot be opened"))?;
        check_version(&connection)?;
        configure(&connection, log.synchronous)?;
        let opened = take_over(&mut connection, claim).map_err(failed("the lease cannot be taken"))?;
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(pages);
            Ok(())
        }));
        let folder = Folder::start(file, log.fold_pages).map_err(failed("the log's folder cannot start"))?;
        Ok((Self { connection, epoch: opened.epoch as i64, folder }, opened))
    }

    fn run_statements(&self, statements: &[(Statement, Expect)]) -> Result<Result<(), ChangeError>, rusqlite::Error> {
        for (statement, expect) in statements {
            let values = statement.values.iter().flat_map(|values| &values.0).map(value);
            let changed = self.connection.prepare_cached(&statement.sql)?.execute(params_from_iter(values))?;
            if !expect.holds(changed as u64) {
                return Ok(Err(ChangeError::Conflict));
            }
        }
        Ok(Ok(()))
    }

    /// An error that undid the whole transaction, or may have, leaves nothing to go on with.
    fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
            && matches!(self.connection.transaction_state(None::<&str>), Ok(TransactionState::Write))
    }
}

impl Backend for Sqlite {
    fn begin(&mut self) -> Result<(), StoreError> {
        let context = "a transaction cannot begin";
        let mut waits = 0;
        while let Err(error) = self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.execute([])) {
            waits += 1;
            // What has not begun is not in doubt, and is begun again.
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || waits == LOCK_WAITS {
                return Err(failed(context)(error));
            }
            tracing::warn!("another process holds the database's lock: nothing is stored until it lets go");
        }
        let epoch: i64 = self
            .connection
            .prepare_cached("SELECT epoch FROM lease WHERE id = 1")
            .and_then(|mut s| s.query_row([], |row| row.get(0)))
            .map_err(failed(context))?;
        if epoch == self.epoch { Ok(()) } else { Err(StoreError::Fenced { ours: self.epoch as u64 }) }
    }

    fn find_signals(&mut self, keys: &[(&str, &str)]) -> Result<Vec<Option<StoredSignal>>, StoreError> {
        let find = || {
            let mut select = self.connection.prepare_cached(FIND_SIGNAL)?;
            let stored = |row: &rusqlite::Row<'_>| {
                Ok(StoredSignal {
                    id: row.get(0)?,
                    body_hash: row.get(1)?,
                    received_at_us: row.get(2)?,
                    payload: row.get(3)?,
                })
            };
            keys.iter().map(|key| select.query_row(*key, stored).optional()).collect::<rusqlite::Result<Vec<_>>>()
        };
        find().map_err(failed("signals cannot be looked up"))
    }

    fn change(&mut self, statements: &[(Statement, Expect)]) -> Result<Result<(), ChangeError>, StoreError> {
        let context = "a change cannot be written";
        self.connection.execute_batch("SAVEPOINT change").map_err(failed(context))?;
        let result = match self.run_statements(statements) {
            Ok(result) => result,
            Err(error) if !self.in_transaction() => return Err(failed(context)(error)),
            Err(error) => Err(refusal(error)?),
        };
        let end = if result.is_ok() { "RELEASE change" } else { "ROLLBACK TO change; RELEASE change" };
        self.connection.execute_batch(end).map_err(failed(context))?;
        Ok(result)
    }

    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        write(&self.connection, batch)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("COMMIT")
            .and_then(|mut s| s.execute([]))
            .map(|_| ())
            .map(|_| ())
            .map_err(failed("the commit failed"))
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.folder.after_commit(LOG_PAGES.get()) {
            fold(&self.connection).map_err(failed("the write-ahead log cannot be folded"))?;
        }
        Ok(())
    }
}

/// Only what the statements themselves are to blame for may be refused; a sick disk or memory is fatal.
fn refusal(error: rusqlite::Error) -> Result<ChangeError, StoreError> {
    const UNIQUE: i32 = rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
    const PRIMARY_KEY: i32 = rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY;
    match error.sqlite_error() {
        Some(e) if e.code == ErrorCode::ConstraintViolation => {
            if matches!(e.extended_code, UNIQUE | PRIMARY_KEY) {
                return Ok(ChangeError::Duplicate);
            }
            tracing::error!(%error, "a change broke a constraint");
            Ok(ChangeError::Conflict)
        }
        Some(e)
            if matches!(
                e.code,
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::OutOfMemory
                    | ErrorCode::NotADatabase
                    | ErrorCode::CannotOpen
            ) =>
        {
            Err(failed("a change cannot be written")(error))
        }
        _ => {
            tracing::error!(%error, "a statement of a change is wrong");
            Ok(ChangeError::Unavailable)
        }
    }
}

fn check_version(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection
        .query_row("SELECT sqlite_version()", [], |row| row.get(0))
        .map_err(failed("the version of SQLite cannot be read"))?;
    if version(&found) >= version(VERSION_FLOOR) {
        Ok(())
    } else {
        Err(StoreError::SqliteTooOld { found, floor: VERSION_FLOOR })
    }
}

fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

fn configure(connection: &Connection, synchronous: &'static str) -> Result<(), StoreError> {
    // Name, what to set, what to read afterwards: a setting that is silently ignored must not be relied on.
    let settings = [
        ("journal_mode", "WAL", "wal"),
        ("synchronous", synchronous, if synchronous == "FULL" { "2" } else { "1" }),
        ("foreign_keys", "ON", "1"),
        ("busy_timeout", "5000", "5000"),
        ("trusted_schema", "OFF", "0"),
    ];
    let context = "the database cannot be configured";
    for (setting, set, wanted) in settings {
        connection.pragma_update_and_check(None, setting, set, |_| Ok(())).or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            other => Err(failed(context)(other)),
        })?;
        let found: Value = connection.pragma_query_value(None, setting, |row| row.get(0)).map_err(failed(context))?;
        let found = match found {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        if found != wanted {
            return Err(StoreError::Setting { setting, found, wanted });
        }
    }
    // Setting the hook below turns SQLite's own checkpoints inside commits off.
    // KiB: the newest pages of every index stay at hand; the others are in the system's cache.
    connection.pragma_update(None, "cache_size", -16_384).map_err(failed(context))?;
    connection.set_prepared_statement_cache_capacity(64); // the writer's own and the usual administrative ones
    Ok(())
}

fn take_over(connection: &mut Connection, claim: &Claim) -> rusqlite::Result<Opened> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let (epoch, installation) = transaction.query_row(
        "INSERT INTO lease (id, epoch, installation, holder, started_at_us) VALUES (1, 1, ?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1, holder = excluded.holder,
            started_at_us = excluded.started_at_us
         RETURNING epoch, installation",
        params![claim.installation, claim.holder, claim.at_us],
        |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)),
    )?;
    let last: Option<(i64, [u8; 32])> = transaction
        .query_row("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let max = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let last_signal = max(LAST_SIGNAL)?;
    let last_fill = max("SELECT coalesce(max(id), 0) FROM fills")?;
    transaction.commit()?;
    let (last_seq, last_hash) = last.unwrap_or((0, GENESIS));
    Ok(Opened {
        epoch: epoch as u64,
        installation,
        last_seq: last_seq as u64,
        last_hash,
        last_signal: last_signal as u64,
        last_fill: last_fill as u64,
    })
}

fn value(value: &SeaValue) -> Value {
    fn of<T, V: From<T>>(value: Option<T>, wrap: fn(V) -> Value) -> Value {
        value.map_or(Value::Null, |value| wrap(value.into()))
    }
    match value {
        SeaValue::Bool(v) => of(v.map(i64::from), Value::Integer),
        SeaValue::TinyInt(v) => of(*v, Value::Integer),
        SeaValue::SmallInt(v) => of(*v, Value::Integer),
        SeaValue::Int(v) => of(*v, Value::Integer),
        SeaValue::BigInt(v) => of(*v, Value::Integer),
        SeaValue::TinyUnsigned(v) => of(*v, Value::Integer),
        SeaValue::SmallUnsigned(v) => of(*v, Value::Integer),
        SeaValue::Unsigned(v) => of(*v, Value::Integer),
        SeaValue::BigUnsigned(v) => of(v.map(|v| v as i64), Value::Integer),
        SeaValue::Float(v) => of(*v, Value::Real),
        SeaValue::Double(v) => of(*v, Value::Real),
        SeaValue::String(v) => of(v.clone(), Value::Text),
        SeaValue::Char(v) => of(v.map(String::from), Value::Text),
        SeaValue::Bytes(v) => of(v.clone(), Value::Blob),
        // The writer refuses a change with any other kind before it comes here.
        _ => Value::Null,
    }
}

/// One prepared statement per table, taken once per batch: looking it up costs as much as running it.
fn write(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    write_journal(connection, batch).map_err(failed("the journal cannot be written"))?;
    write_signals(connection, batch)?;
    write_parents(connection, batch)?;
    write_orders(connection, batch)?;
    write_contracts(connection, batch)?;
    write_exceptions(connection, batch)?;
    write_accounts(connection, batch).map_err(failed("accounts cannot be written"))?;
    write_settings(connection, batch)
}

/// Lines of one statement: half of a statement's cost is to begin and to end it.
const LINES: usize = 8;

static INSERT_LINE: LazyLock<String> = LazyLock::new(|| insert_lines(1));
static INSERT_LINES: LazyLock<String> = LazyLock::new(|| insert_lines(LINES));

fn insert_lines(lines: usize) -> String {
    let values = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; lines].join(", ");
    format!(
        "INSERT INTO journal (seq, at_us, actor, cause, kind, account, strategy, signal_id, order_id, payload, hash)
         VALUES {values}"
    )
}

fn write_journal(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let (chunks, rest) = batch.lines.as_chunks::<LINES>();
    let mut insert = connection.prepare_cached(&INSERT_LINES)?;
    for chunk in chunks {
        insert_journal(&mut insert, chunk)?;
    }
    let mut insert = connection.prepare_cached(&INSERT_LINE)?;
    for line in rest {
        insert_journal(&mut insert, std::slice::from_ref(line))?;
    }
    Ok(())
}

fn insert_journal(insert: &mut rusqlite::Statement<'_>, lines: &[JournalLine]) -> rusqlite::Result<()> {
    let mut place = 0;
    for line in lines {
        let mut next = || {
            place += 1;
            place
        };
        insert.raw_bind_parameter(next(), line.seq as i64)?;
        insert.raw_bind_parameter(next(), line.at.us())?;
        insert.raw_bind_parameter(next(), &*line.actor)?;
        insert.raw_bind_parameter(next(), &*line.cause)?;
        insert.raw_bind_parameter(next(), &*line.kind)?;
        insert.raw_bind_parameter(next(), line.account.as_ref().map(|id| id.as_str()))?;
        insert.raw_bind_parameter(next(), line.strategy.as_ref().map(|id| id.as_str()))?;
        insert.raw_bind_parameter(next(), line.signal.map(|id| id.get() as i64))?;
        insert.raw_bind_parameter(next(), line.order.map(|id| id.get() as i64))?;
        insert.raw_bind_parameter(next(), &*line.payload)?;
        insert.raw_bind_parameter(next(), line.hash)?;
    }
    insert.raw_execute()?;
    Ok(())
}

fn write_signals(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let context = failed("signals cannot be written");
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO signals (id, client, client_signal_id, body_hash, strategy, account, symbol, payload, status,
                waiting_for, until_us, residual_qty, denials, cancel_requested, received_at_us, updated_at_us, basket)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'accepted', NULL, NULL, 0, NULL, 0, ?9, ?9, ?10)",
        )
        .map_err(&context)?;
    for SignalInsert { signal, body_hash, payload } in &batch.signals {
        insert
            .execute(params![
                signal.id.get() as i64,
                signal.client.as_str(),
                &*signal.client_signal_id,
                body_hash,
                signal.strategy.as_str(),
                signal.account.as_ref().map(|id| id.as_str()),
                signal.symbol.as_str(),
                payload,
                signal.received_at.us(),
                signal.notes.basket.as_deref(),
            ])
            .map_err(&context)?;
    }
    let mut update = connection
        .prepare_cached(
            "UPDATE signals SET status = ?2, waiting_for = ?3, until_us = ?4, residual_qty = ?5, denials = ?6,
                cancel_requested = ?7, updated_at_us = ?8, held = ?9
             WHERE id = ?1",
        )
        .map_err(&context)?;
    for row in batch.signal_rows.rows() {
        let denials = columns::denials(&row.denials)?;
        let held = columns::held(row)?;
        let changed = update
            .execute(params![
                row.id.get() as i64,
                <&str>::from(row.status),
                row.waiting_for.map(<&str>::from),
                row.until.map(|at| at.us()),
                row.residual.get(),
                denials,
                row.cancel_requested,
                row.updated_at.us(),
                held,
            ])
            .map_err(&context)?;
        if changed != 1 {
            return Err(StoreError::corrupt("signal", format!("{} is not there", row.id)));
        }
    }
    Ok(())
}

fn write_parents(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let context = failed("parent orders cannot be written");
    let mut upsert = connection
        .prepare_cached(
            "INSERT INTO parents (id, signal_id, account, strategy, symbol, side, qty, cum_qty, cum_amount_e4, status,
                working_order_id, mode, short_of_cash, waiting_for, wait_until_us, decided, effect, progress,
                netted_qty)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
             ON CONFLICT (id) DO UPDATE SET qty = excluded.qty, cum_qty = excluded.cum_qty, cum_amount_e4 = excluded.cum_amount_e4,
                status = excluded.status, working_order_id = excluded.working_order_id,
                waiting_for = excluded.waiting_for, wait_until_us = excluded.wait_until_us,
                decided = excluded.decided, progress = excluded.progress, netted_qty = excluded.netted_qty",
        )
        .map_err(&context)?;
    for row in batch.parents.rows() {
        let parent = &row.parent;
        let (short_of_cash, decided) = columns::of_parent(parent)?;
        let progress = columns::progress(parent)?;
        upsert
            .execute(params![
                parent.leg.parent.get() as i64,
                parent.leg.parent.signal().get() as i64,
                parent.leg.account.as_str(),
                row.strategy.as_str(),
                row.symbol.as_str(),
                <&str>::from(parent.leg.side),
                parent.leg.qty.get(),
                parent.cum_qty.get(),
                parent.cum_amount.e4(),
                <&str>::from(parent.status),
                parent.working.map(|id| id.get() as i64),
                <&str>::from(parent.leg.mode),
                short_of_cash,
                parent.waits_for().map(<&str>::from),
                parent.waits.and_then(|wait| wait.until).map(|until| until.us()),
                decided,
                parent.leg.effect.map(<&str>::from),
                progress,
                parent.netted.get(),
            ])
            .map_err(&context)?;
    }
    Ok(())
}

fn write_orders(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let context = failed("orders cannot be written");
    let mut upsert = connection.prepare_cached(&columns::UPSERT_ORDER).map_err(&context)?;
    for row in batch.orders.rows() {
        let c = OrderColumns::of(row)?;
        upsert
            .execute(params![
                c.id,
                c.signal_id,
                c.parent_id,
                c.account,
                c.strategy,
                c.source,
                c.symbol,
                c.side,
                c.ord_type,
                c.limit_price_e4,
                c.time_in_force,
                c.qty,
                c.valid_until_us,
                c.approval,
                c.denials,
                c.status,
                c.reported,
                c.closed,
                c.in_flight,
                c.in_doubt,
                c.cancel_wanted,
                c.send_no,
                c.cum_qty,
                c.cum_amount_e4,
                c.fees_e4,
                c.overfilled,
                c.reserved_cash_e4,
                c.reserved_qty,
                c.broker_order_id,
                c.reason,
                c.created_at_us,
                c.sent_at_us,
                c.acked_at_us,
                c.first_fill_at_us,
                c.updated_at_us,
                c.doubt_since_us,
                c.parked,
                c.baseline,
                c.effect,
                c.all_in,
                c.origin,
                c.netted_qty,
                c.netted_amount_e4,
            ])
            .map_err(&context)?;
    }
    Ok(())
}

fn write_accounts(connection: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO fills (id, account, trade_date, exec_id, order_id, strategy, symbol, side, qty, px_e4, fee_e4,
            at_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for (id, fill) in &batch.fills {
        insert.execute(params![
            *id as i64,
            fill.account.as_str(),
            fill.trade_date.yyyymmdd(),
            &*fill.exec_id.0,
            fill.order.get() as i64,
            fill.strategy.as_str(),
            fill.symbol.as_str(),
            <&str>::from(fill.side),
            fill.qty.get(),
            fill.px.e4(),
            fill.fee.e4(),
            fill.at.us(),
        ])?;
    }
    let mut upsert = connection.prepare_cached(
        "INSERT INTO accounts (id, cash_e4, trade_date, messages_today, updated_at_us, prev_equity_e4, loans, flows)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET cash_e4 = excluded.cash_e4, trade_date = excluded.trade_date,
            messages_today = excluded.messages_today, updated_at_us = excluded.updated_at_us,
            prev_equity_e4 = excluded.prev_equity_e4, loans = excluded.loans, flows = excluded.flows",
    )?;
    for row in batch.accounts.rows() {
        let odd = |error: StoreError| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
        let (loans, flows) = (columns::loans(row).map_err(odd)?, columns::flows(row).map_err(odd)?);
        upsert.execute(params![
            row.account.as_str(),
            row.cash.e4(),
            row.trade_date.map(|date| date.yyyymmdd()),
            row.messages_today,
            row.updated_at.us(),
            row.prev_equity.map(|money| money.e4()),
            loans,
            flows,
        ])?;
    }
    let mut upsert = connection.prepare_cached(&book_columns::UPSERT)?;
    for (account, book) in batch.books.rows() {
        let BookColumns { key, ints } = BookColumns::of(account, book);
        for (n, name) in key.iter().enumerate() {
            upsert.raw_bind_parameter(n + 1, name)?;
        }
        for (n, int) in ints.iter().enumerate() {
            upsert.raw_bind_parameter(key.len() + n + 1, int)?;
        }
        upsert.raw_execute()?;
    }
    Ok(())
}

fn write_contracts(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let context = failed("contracts cannot be written");
    let mut upsert = connection.prepare_cached(columns::UPSERT_CONTRACT).map_err(&context)?;
    for (account, book) in batch.contracts.rows() {
        let body = columns::json("contract", book)?;
        let (symbol, strategy, direction) =
            (book.symbol.as_str(), book.strategy.as_str(), <&str>::from(book.direction));
        upsert.execute(params![account.as_str(), symbol, strategy, direction, body]).map_err(&context)?;
    }
    Ok(())
}

fn write_exceptions(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let context = failed("exceptions cannot be written");
    let mut upsert = connection
        .prepare_cached(
            "INSERT INTO exceptions (account, key, opened_at_us, kind, open, updated_at_us, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (account, key, opened_at_us) DO UPDATE SET open = excluded.open,
                updated_at_us = excluded.updated_at_us, body = excluded.body",
        )
        .map_err(&context)?;
    for row in batch.exceptions.rows() {
        let body = columns::json("exception", &**row)?;
        upsert
            .execute(params![
                row.account.as_str(),
                &*row.key,
                row.opened_at.us(),
                <&str>::from(row.kind),
                row.is_open(),
                row.updated_at.us(),
                body,
            ])
            .map_err(&context)?;
    }
    Ok(())
}

fn write_settings(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let context = failed("settings cannot be written");
    let mut upsert = connection
        .prepare_cached(
            "INSERT INTO strategies (id, conf, state, version) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET conf = excluded.conf, state = excluded.state, version = excluded.version",
        )
        .map_err(&context)?;
    for row in batch.strategies.rows() {
        let conf = columns::json("strategy", &*row.conf)?;
        upsert.execute(params![row.conf.id.as_str(), conf, <&str>::from(row.state), row.version]).map_err(&context)?;
    }
    let mut upsert = connection
        .prepare_cached(
            "INSERT INTO trading_states (scope_kind, scope_id, state, who, reason, at_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (scope_kind, scope_id) DO UPDATE SET state = excluded.state, who = excluded.who,
                reason = excluded.reason, at_us = excluded.at_us",
        )
        .map_err(&context)?;
    for row in batch.trading_states.rows() {
        let (kind, id) = columns::scope(&row.scope);
        upsert
            .execute(params![kind, id, <&str>::from(row.state), &*row.who, &*row.reason, row.at.us()])
            .map_err(&context)?;
    }
    write_limits(connection, batch)
}

fn write_limits(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let context = failed("limits cannot be written");
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO risk_limits (scope_kind, scope_id, version, at_us, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .map_err(&context)?;
    for fact in &batch.limits {
        let (kind, id) = columns::scope(&fact.scope);
        let body = columns::json("limits", &**fact)?;
        insert.execute(params![kind, id, fact.version, fact.at.us(), body]).map_err(&context)?;
    }
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO risk_warnings (account, trade_date, code, at_us, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .map_err(&context)?;
    for row in &batch.warnings {
        let (date, code) = (row.trade_date.yyyymmdd(), <&str>::from(row.code));
        let body = columns::json("warning", &**row)?;
        insert.execute(params![row.account.as_str(), date, code, row.at.us(), body]).map_err(&context)?;
    }
    let mut upsert = connection
        .prepare_cached(
            "INSERT INTO equity_marks (scope_kind, scope_id, at_us, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (scope_kind, scope_id) DO UPDATE SET at_us = excluded.at_us, body = excluded.body",
        )
        .map_err(&context)?;
    for mark in batch.marks.rows() {
        let (kind, id) = columns::scope(&mark.scope);
        let body = columns::json("equity mark", &**mark)?;
        upsert.execute(params![kind, id, mark.at.us(), body]).map_err(&context)?;
    }
    for (account, booked, at) in &batch.corporate_actions {
        let (action, body) = (&booked.action, columns::json("corporate action", &**booked)?);
        let insert = connection.prepare_cached(
            "INSERT INTO corporate_actions (account, symbol, ex_date, at_us, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        );
        let row = params![account.as_str(), action.symbol.as_str(), action.ex_date.yyyymmdd(), at.us(), body];
        insert.and_then(|mut insert| insert.execute(row)).map_err(&context)?;
    }
    for (account, over) in &batch.account_days {
        let body = columns::json("day", over)?;
        let insert =
            connection.prepare_cached("INSERT INTO account_days (account, trade_date, body) VALUES (?1, ?2, ?3)");
        let row = params![account.as_str(), over.date.yyyymmdd(), body];
        insert.and_then(|mut insert| insert.execute(row)).map_err(&context)?;
    }
    for fact in batch.registered.rows() {
        let ((kind, id), body) = (fact.key(), columns::json("registry", fact)?);
        let upsert = connection.prepare_cached(columns::UPSERT_REGISTERED);
        upsert.and_then(|mut upsert| upsert.execute(params![kind, id, fact.version(), body])).map_err(&context)?;
    }
    Ok(())
}
