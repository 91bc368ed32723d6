//! The rows of signals that ended long ago leave the database: the journal's files tell everything that was in them.
//!
//! What stays of a signal is its key in `signal_keys`, so that a repeat is a repeat for ever and no number is given out
//! twice. Its rows and those of its legs, orders and fills go in the one transaction that keeps the key and says so in
//! the journal. All conditions are asked again in that transaction: what has changed since it was looked at undoes it.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use signalbox_actors::crash::crash_point;
use signalbox_domain::event::Event;
use signalbox_domain::ids::{AccountId, ClientId, SignalId, StrategyId};
use signalbox_domain::signal::{Signal, SignalStatus};
use signalbox_domain::units::{Span, Timestamp};

use super::entity::{exceptions, signal_keys, signals};
use super::{Change, ChangeError, Expect, Store, StoreError, parse};

/// Signals that are looked at together, and of which one transaction drops what may go: some ten milliseconds of the
/// writer's time.
const SIGNALS_AT_ONCE: u64 = 500;

/// Lines are nearly in the order of their times: what is older by this than a line has its own before it.
const NEARLY: Span = Span::from_secs(86_400);

/// An account that starts looks for what ended on its last trading days; no holiday is longer.
const ACCOUNT_DAYS: Span = Span::from_secs(15 * 86_400);

/// The action of the journal's line that tells of it.
pub(crate) const ACTION: &str = "signals_dropped";

/// What was dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    pub signals: u64,
}

/// Why no more rows were dropped.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the rows cannot be dropped")]
    Change(#[from] ChangeError),
}

/// What is known of a signal whose rows were dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    pub id: SignalId,
    pub client: ClientId,
    pub strategy: StrategyId,
    pub account: Option<AccountId>,
    pub body_hash: Vec<u8>,
    /// As it ended.
    pub status: SignalStatus,
    pub received_at: Timestamp,
}

impl KeptKey {
    /// The signal that was stored, by a repeat of it: the same request means the same signal.
    #[must_use]
    pub fn of(&self, repeat: &Signal) -> Signal {
        Signal { id: self.id, received_at: self.received_at, ..repeat.clone() }
    }
}

impl Store {
    /// Drops the rows of signals that ended before the instant and whose lines are all in files, the oldest first, in up
    /// to so many transactions. While others write it takes its turns between them.
    ///
    /// # Errors
    /// [`DropError`], also when a file of the archive is away; what was dropped before is dropped.
    pub async fn drop_ended(&self, now: Timestamp, before: Timestamp, batches_max: u64) -> Result<Dropped, DropError> {
        let mut dropped = Dropped::default();
        let Some(oldest_line) = self.oldest_after_files().await? else { return Ok(dropped) };
        self.all_files_there().await?;
        let before = before.min(Timestamp::from_us(oldest_line.us().saturating_sub(NEARLY.us())));
        let (mut after, mut batches) = (0, 0);
        while batches < batches_max {
            let page = signals::Entity::find()
                .select_only()
                .columns([signals::Column::Id, signals::Column::ReceivedAtUs])
                .filter(signals::Column::Id.gt(after))
                .order_by_asc(signals::Column::Id)
                .limit(SIGNALS_AT_ONCE)
                .into_tuple::<(i64, i64)>()
                .all(self.reads())
                .await
                .map_err(StoreError::from)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            // Ids rise with the times: behind young signals there are no old ones.
            if page.iter().all(|(_, received_at_us)| *received_at_us >= before.us()) {
                break;
            }
            after = last.0;
            let signals = self.drop_of((first.0, last.0), now, before).await?;
            dropped.signals += signals;
            batches += u64::from(signals > 0);
        }
        Ok(dropped)
    }

    /// How many signals of those from the first to the last were dropped.
    async fn drop_of(&self, (first, last): (i64, i64), now: Timestamp, before: Timestamp) -> Result<u64, DropError> {
        let within = format!("id BETWEEN {first} AND {last}");
        let mut droppable = format!("{within} AND {}", ended(before));
        let excepted = self.with_open_exceptions().await?;
        let excepted: Vec<_> = excepted.iter().filter(|id| (first..=last).contains(id)).map(i64::to_string).collect();
        if !excepted.is_empty() {
            droppable.push_str(&format!(" AND id NOT IN ({})", excepted.join(", ")));
        }
        let backend = self.reads().get_database_backend();
        let sql = format!("SELECT count(*) AS n, max(id) AS last FROM signals WHERE {droppable}");
        let found = self.reads().query_one_raw(Statement::from_string(backend, sql)).await.map_err(StoreError::from)?;
        let number = |name| found.as_ref().map_or(Ok(None), |row| row.try_get::<Option<i64>>("", name));
        let count = number("n").map_err(StoreError::from)?.unwrap_or(0) as u64;
        let Some(through) = number("last").map_err(StoreError::from)? else { return Ok(0) };
        let gone = format!("IN (SELECT id FROM signal_keys WHERE {within})");
        let rows_of = |table: &str, id: &str, width: i64| {
            let (first, end) = (first * width, (last + 1) * width);
            format!("DELETE FROM {table} WHERE {id} >= {first} AND {id} < {end} AND {id} / {width} {gone}")
        };
        let keep = "INSERT INTO signal_keys (id, client, client_signal_id, body_hash, strategy, account, status,
            received_at_us) SELECT id, client, client_signal_id, body_hash, strategy, account, status, received_at_us";
        let statements = [
            (format!("{keep} FROM signals WHERE {droppable}"), Expect::Rows(count)),
            (rows_of("fills", "order_id", ORDERS), Expect::Any),
            (rows_of("orders", "id", ORDERS), Expect::Any),
            (rows_of("parents", "id", PARENTS), Expect::Any),
            (format!("DELETE FROM signals WHERE {within} AND id {gone}"), Expect::Rows(count)),
        ];
        let statements = statements.map(|(sql, expect)| (Statement::from_string(backend, sql), expect));
        let event = Event::Administered {
            who: "retention".into(),
            action: ACTION.into(),
            subject: SignalId::new(through as u64).to_string().into(),
            detail: format!(r#"{{"signals":{count},"through":{through}}}"#).into(),
        };
        crash_point("archive.before_drop");
        self.change(now, Change { statements: statements.into(), event }).await?;
        crash_point("archive.dropped");
        Ok(count)
    }

    /// Signals with an order that waits for a person. They are few.
    async fn with_open_exceptions(&self) -> Result<Vec<i64>, StoreError> {
        // In this word, so that the partial index serves.
        let open = exceptions::Entity::find().filter(Expr::cust("open")).all(self.reads()).await?;
        let mut found = Vec::new();
        for model in open {
            found.extend(parse::exception(&model)?.order.map(|order| order.signal().get() as i64));
        }
        Ok(found)
    }

    /// The signal, if its rows were dropped.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn kept_key(&self, id: SignalId) -> Result<Option<KeptKey>, StoreError> {
        let found = signal_keys::Entity::find_by_id(id.get() as i64).one(self.reads()).await?;
        found.map(parse::kept_key).transpose()
    }

    /// The same by its sender's key.
    ///
    /// # Errors
    /// As [`Self::kept_key`].
    pub async fn kept_by_key(&self, client: &ClientId, client_signal_id: &str) -> Result<Option<KeptKey>, StoreError> {
        let found = signal_keys::Entity::find()
            .filter(signal_keys::Column::Client.eq(client.as_str()))
            .filter(signal_keys::Column::ClientSignalId.eq(client_signal_id))
            .one(self.reads())
            .await?;
        found.map(parse::kept_key).transpose()
    }
}

/// Numbers of legs and of orders that a signal has.
const PARENTS: i64 = 1 << 16;
const ORDERS: i64 = 1 << 24;

/// Which signals nothing will happen to any more, and nothing has for long. The newest fill stays: its number is where the
/// next start counts on.
fn ended(before: Timestamp) -> String {
    let (before, account_days) = (before.us(), ACCOUNT_DAYS.us());
    format!(
        "status IN {FINAL} AND received_at_us < {before} AND updated_at_us < {before}
         AND NOT EXISTS (SELECT 1 FROM parents
            WHERE parents.id >= signals.id * {PARENTS} AND parents.id < (signals.id + 1) * {PARENTS}
              AND (parents.status NOT IN {FINAL} OR parents.waiting_for IS NOT NULL))
         AND NOT EXISTS (SELECT 1 FROM orders
            WHERE orders.id >= signals.id * {ORDERS} AND orders.id < (signals.id + 1) * {ORDERS}
              AND (NOT orders.closed OR orders.in_doubt OR orders.parked IS NOT NULL OR orders.in_flight IS NOT NULL
                   OR orders.updated_at_us >= {before}
                   OR EXISTS (SELECT 1 FROM accounts WHERE accounts.id = orders.account
                        AND orders.updated_at_us >= accounts.updated_at_us - {account_days})))
         AND NOT EXISTS (SELECT 1 FROM fills
            WHERE fills.order_id >= signals.id * {ORDERS} AND fills.order_id < (signals.id + 1) * {ORDERS}
              AND fills.id = (SELECT max(id) FROM fills))"
    )
}

const FINAL: &str = "('done', 'partially_done', 'denied', 'expired', 'canceled')";
