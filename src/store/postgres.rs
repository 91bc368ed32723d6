//! Writing to PostgreSQL: one connection on the writer's thread, one statement per table and commit.

use std::str::FromStr;
use std::time::Duration;

use sea_orm::sea_query::Value as SeaValue;
use sea_orm::sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Postgres as Db, Row as _,
};
use sea_orm::{DatabaseConnection, Statement};
use tokio::runtime::Runtime;

use super::backend::{Backend, LAST_SIGNAL, Opened, StoredSignal};
use super::batch::Batch;
use super::chain::GENESIS;
use super::open::{self, Claim};
use super::{ChangeError, Expect, StoreError, postgres_rows};

/// Lists and status requests are short; writes do not pass here.
const READERS: u32 = 8;

/// Beside the epoch, which decides, this lock only makes a mistaken second start visible at once. "signalbx" in ASCII.
const LOCK: i64 = 0x7369_676e_616c_6278;

/// A server needs a moment to notice that the connection of the process before us is closed.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The writer looks rows up by their keys and by nothing else. A plan that was made while a table was empty would read
/// the whole of it for every commit, for as long as nobody has counted its rows.
const BY_KEY: [(&str, &str); 3] = [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")];

pub(super) struct Postgres {
    runtime: Runtime,
    connection: PgConnection,
    epoch: i64,
}

fn failed(context: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| StoreError::database(context, error)
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    // The address holds a password: it is not repeated in the error.
    let options = PgConnectOptions::from_str(url).map_err(failed("the database address cannot be read"))?;
    Ok(options.application_name("signalbox").disable_statement_logging())
}

pub(super) async fn connect_readers(url: &str) -> Result<DatabaseConnection, StoreError> {
    let options = options(url)?.options([("default_transaction_read_only", "on")]);
    let pool = PgPoolOptions::new().max_connections(READERS).connect_with(options).await;
    pool.map(Into::into).map_err(failed("the database cannot be read"))
}

impl Postgres {
    pub(super) fn open(url: &str, runtime: Runtime, claim: &Claim) -> Result<(Self, Opened), StoreError> {
        let (connection, opened) = runtime.block_on(connect(url, claim))?;
        Ok((Self { runtime, connection, epoch: opened.epoch as i64 }, opened))
    }

    fn wait<T>(
        &mut self,
        context: &'static str,
        run: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(run(&mut self.connection)).map_err(failed(context))
    }
}

async fn connect(url: &str, claim: &Claim) -> Result<(PgConnection, Opened), StoreError> {
    let context = "the database cannot be opened";
    let options = options(url)?.options([("synchronous_commit", "on")]).options(BY_KEY);
    let mut connection = options.connect().await.map_err(failed(context))?;
    for (setting, must) in [("synchronous_commit", true), ("fsync", false), ("full_page_writes", false)] {
        let row = connection.fetch_one(AssertSqlSafe(format!("SHOW {setting}"))).await.map_err(failed(context))?;
        let found: String = row.try_get(0).map_err(failed(context))?;
        if found != "on" && must {
            return Err(StoreError::Setting { setting, found, wanted: "on" });
        }
        if found != "on" {
            tracing::warn!(setting, found, "the server may lose what it said was committed");
        }
    }
    lock(&mut connection, claim).await?;

    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed(context))?;
    let migrating = DatabaseConnection::from(pool);
    open::migrate(&migrating).await?;
    migrating.close().await?;
    let opened = take_over(&mut connection, claim).await.map_err(failed("the lease cannot be taken"))?;
    Ok((connection, opened))
}

/// Whoever holds our own data folder may follow a process of that folder whose connection hangs: the lock on the
/// folder proves that it is gone, and the epoch shuts it out. Nobody else may.
async fn lock(connection: &mut PgConnection, claim: &Claim) -> Result<(), StoreError> {
    let context = "the database cannot be locked";
    for _ in 0..LOCK_TRIES {
        let got: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed(context))?;
        if got {
            return Ok(());
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    let known: bool = sqlx::query_scalar("SELECT to_regclass('lease') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed(context))?;
    let mut holder = None;
    if known {
        holder = sqlx::query_scalar::<_, String>("SELECT holder FROM lease WHERE id = 1")
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed(context))?;
    }
    let number = |holder: &str| holder.split(' ').next().map(str::to_owned);
    match holder {
        Some(holder) if number(&holder) == number(&claim.holder) => Ok(()),
        Some(holder) => Err(StoreError::DatabaseInUse { holder: format!("the data folder {holder}") }),
        None => Err(StoreError::DatabaseInUse { holder: "another process".to_owned() }),
    }
}

async fn take_over(connection: &mut PgConnection, claim: &Claim) -> Result<Opened, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let lease = sqlx::query(
        "INSERT INTO lease (id, epoch, installation, holder, started_at_us) VALUES (1, 1, $1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET epoch = lease.epoch + 1, holder = excluded.holder,
            started_at_us = excluded.started_at_us
         RETURNING epoch, installation",
    )
    .bind(&claim.installation)
    .bind(&claim.holder)
    .bind(claim.at_us)
    .fetch_one(&mut *transaction)
    .await?;
    let last = sqlx::query("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut *transaction)
        .await?;
    let (last_seq, last_hash) = match last {
        Some(row) => (row.try_get::<i64, _>(0)?, row.try_get::<Vec<u8>, _>(1)?),
        None => (0, GENESIS.to_vec()),
    };
    let last_signal: i64 = sqlx::query_scalar(LAST_SIGNAL).fetch_one(&mut *transaction).await?;
    let last_fill: i64 =
        sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM fills").fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Opened {
        epoch: lease.try_get::<i64, _>(0)? as u64,
        installation: lease.try_get(1)?,
        last_seq: last_seq as u64,
        // The column's check lets no other length in.
        last_hash: last_hash.try_into().unwrap_or(GENESIS),
        last_signal: last_signal as u64,
        last_fill: last_fill as u64,
    })
}

impl Backend for Postgres {
    fn begin(&mut self) -> Result<(), StoreError> {
        // Locked, so that a successor's new epoch waits for this commit and no later one of ours passes. In one text,
        // since each way to the server and back is time in which nothing is written.
        const BEGIN: &str = "BEGIN; SELECT epoch FROM lease WHERE id = 1 FOR UPDATE";
        let epoch = self.wait("a transaction cannot begin", async |connection| {
            sqlx::raw_sql(BEGIN).fetch_one(connection).await?.try_get::<i64, _>(0)
        })?;
        if epoch == self.epoch { Ok(()) } else { Err(StoreError::Fenced { ours: self.epoch as u64 }) }
    }

    fn find_signals(&mut self, keys: &[(&str, &str)]) -> Result<Vec<Option<StoredSignal>>, StoreError> {
        let (clients, ids): (Vec<&str>, Vec<&str>) = keys.iter().copied().unzip();
        self.wait("signals cannot be looked up", async |connection| {
            // A signal's key is in one of the two tables.
            let rows = sqlx::query(
                "WITH keys AS (SELECT * FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY
                     AS keys (client, client_signal_id, place))
                 SELECT keys.place, id, body_hash, received_at_us, payload FROM keys
                     JOIN signals USING (client, client_signal_id)
                 UNION ALL
                 SELECT keys.place, id, body_hash, received_at_us, NULL FROM keys
                     JOIN signal_keys USING (client, client_signal_id)",
            )
            .bind(clients)
            .bind(ids)
            .fetch_all(connection)
            .await?;
            let mut found: Vec<Option<StoredSignal>> = keys.iter().map(|_| None).collect();
            for row in rows {
                let place = row.try_get::<i64, _>(0)? as usize - 1;
                found[place] = Some(StoredSignal {
                    id: row.try_get(1)?,
                    body_hash: row.try_get(2)?,
                    received_at_us: row.try_get(3)?,
                    payload: row.try_get(4)?,
                });
            }
            Ok(found)
        })
    }

    fn change(&mut self, statements: &[(Statement, Expect)]) -> Result<Result<(), ChangeError>, StoreError> {
        let context = "a change cannot be written";
        self.wait(context, async |connection| connection.execute("SAVEPOINT change").await)?;
        let ran = self.runtime.block_on(run_statements(&mut self.connection, statements));
        let result = match ran {
            Ok(result) => result,
            Err(error) => Err(refusal(error)?),
        };
        let end = if result.is_ok() { "RELEASE change" } else { "ROLLBACK TO change" };
        self.wait(context, async |connection| connection.execute(end).await)?;
        Ok(result)
    }

    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.runtime.block_on(postgres_rows::write(&mut self.connection, batch))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.wait("the commit failed", async |connection| connection.execute("COMMIT").await.map(drop))
    }
}

async fn run_statements(
    connection: &mut PgConnection,
    statements: &[(Statement, Expect)],
) -> Result<Result<(), ChangeError>, sqlx::Error> {
    for (statement, expect) in statements {
        let mut query = sqlx::query(AssertSqlSafe(statement.sql.as_str()));
        for value in statement.values.iter().flat_map(|values| &values.0) {
            query = bind(query, value);
        }
        let changed = query.execute(&mut *connection).await?.rows_affected();
        if !expect.holds(changed) {
            return Ok(Err(ChangeError::Conflict));
        }
    }
    Ok(Ok(()))
}

/// Only what the statements themselves are to blame for may be refused; a lost connection or a sick server is fatal.
fn refusal(error: sqlx::Error) -> Result<ChangeError, StoreError> {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    match code.as_str() {
        "23505" => Ok(ChangeError::Duplicate),
        // Integrity constraint violation.
        code if code.starts_with("23") => {
            tracing::error!(%error, "a change broke a constraint");
            Ok(ChangeError::Conflict)
        }
        // Data exception; syntax error or access rule violation.
        code if code.starts_with("22") || code.starts_with("42") => {
            tracing::error!(%error, "a statement of a change is wrong");
            Ok(ChangeError::Unavailable)
        }
        _ => Err(failed("a change cannot be written")(error)),
    }
}

fn bind<'q>(query: Query<'q, Db, PgArguments>, value: &'q SeaValue) -> Query<'q, Db, PgArguments> {
    match value {
        SeaValue::Bool(v) => query.bind(*v),
        SeaValue::TinyInt(v) => query.bind(v.map(i16::from)),
        SeaValue::SmallInt(v) => query.bind(*v),
        SeaValue::Int(v) => query.bind(*v),
        SeaValue::BigInt(v) => query.bind(*v),
        SeaValue::TinyUnsigned(v) => query.bind(v.map(i16::from)),
        SeaValue::SmallUnsigned(v) => query.bind(v.map(i32::from)),
        SeaValue::Unsigned(v) => query.bind(v.map(i64::from)),
        SeaValue::BigUnsigned(v) => query.bind(v.map(|v| v as i64)),
        SeaValue::Float(v) => query.bind(*v),
        SeaValue::Double(v) => query.bind(*v),
        SeaValue::String(v) => query.bind(v.as_deref()),
        SeaValue::Char(v) => query.bind(v.map(String::from)),
        SeaValue::Bytes(v) => query.bind(v.as_deref()),
        // The writer refuses a change with any other kind before it comes here.
        _ => query.bind(None::<&str>),
    }
}
