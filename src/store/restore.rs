//! What a start needs: the rows of everything that still lives, and never the journal.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, FromQueryResult,
    IsolationLevel, QueryFilter, QueryOrder, QuerySelect, Statement, TransactionTrait,
};
use signalbox_domain::calendar::days_later;
use signalbox_domain::ids::{AccountId, ExecId, SignalId};
use signalbox_domain::ledger::{Book, BookedAction, ContractBook};
use signalbox_domain::order::Order;
use signalbox_domain::reconcile::exception::Exception;
use signalbox_domain::registry::Fact;
use signalbox_domain::risk::{EquityMark, LimitFact, LimitWarning};
use signalbox_domain::row::AccountRow;
use signalbox_domain::units::{Span, Timestamp, TradeDate};

use super::entity::{
    accounts, books, contract_books, corporate_actions, exceptions, journal, orders, parents, registry, signals,
    strategies, trading_states,
};
use super::read::{StoredOrder, StoredParent, StoredSignal, StoredStrategy, StoredTradingState};
use super::{Store, StoreError, limits, parse};

/// Everything that the cores are rebuilt from. Signals that nobody looked at yet stay in the inbox.
#[derive(Debug)]
pub struct Restored {
    pub accounts: Vec<RestoredAccount>,
    pub strategies: Vec<StoredStrategy>,
    pub trading_states: Vec<StoredTradingState>,
    pub limits: Vec<LimitFact>,
    pub warnings: Vec<LimitWarning>,
    pub marks: Vec<EquityMark>,
    /// Accounts and groups that people have set up.
    pub registered: Vec<Fact>,
    pub signals: Vec<RestoredSignal>,
    /// The number of the journal's last line; 0 for an empty one.
    pub last_seq: u64,
    /// The latest instant of the market clock that the journal's newest lines know.
    pub last_at: Option<Timestamp>,
}

#[derive(Debug)]
pub struct RestoredAccount {
    pub row: AccountRow,
    pub books: Vec<Book>,
    pub contracts: Vec<ContractBook>,
    /// Those that may still trade, with the ids of their fills.
    pub live: Vec<Order>,
    /// Those that ended on the account's last two trading days, with the ids of their fills.
    pub ended: Vec<Order>,
    /// Those that are open, and the latest orders of others that were found in the broker's lists.
    pub exceptions: Vec<Exception>,
    /// What went ex in its books lately.
    pub booked: Vec<Arc<BookedAction>>,
}

/// A signal that waits, works or is in doubt; or a final one that does not know yet what its orders have filled since.
#[derive(Debug)]
pub struct RestoredSignal {
    pub signal: StoredSignal,
    pub parents: Vec<StoredParent>,
}

/// The actors run on clocks that agree within one commit, whose newest lines these are.
const NEWEST_LINES: u64 = 1_000;

/// How many orders are read at once, and in all, for those that ended today.
const ENDED_PAGE: u64 = 2_000;
const ENDED_READ_MAX: u64 = 64_000;

/// A broker lists the orders of one trading day; no holiday is longer.
const EXTERNAL_DAYS: i64 = 15;

#[derive(Debug, FromQueryResult)]
struct Execution {
    order_id: i64,
    exec_id: String,
}

impl Store {
    /// Reads one consistent state.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn restore(&self) -> Result<Restored, StoreError> {
        // A read transaction of SQLite is a snapshot as it is, and knows no other levels.
        let read = if self.reads().get_database_backend() == DbBackend::Sqlite {
            self.reads().begin().await?
        } else {
            let isolation = Some(IsolationLevel::RepeatableRead);
            self.reads().begin_with_config(isolation, Some(AccessMode::ReadOnly)).await?
        };
        let newest = journal::Entity::find()
            .select_only()
            .columns([journal::Column::Seq, journal::Column::AtUs])
            // People are administered on the wall clock, which may be years away from the market's.
            .filter(journal::Column::Kind.ne("administered"))
            .order_by_desc(journal::Column::Seq)
            .limit(NEWEST_LINES)
            .into_tuple::<(i64, i64)>()
            .all(&read)
            .await?;
        let last_seq = journal::Entity::find()
            .select_only()
            .column(journal::Column::Seq)
            .order_by_desc(journal::Column::Seq)
            .into_tuple::<i64>()
            .one(&read)
            .await?
            .map_or(0, |seq| seq as u64);
        let strategies = strategies::Entity::find().all(&read).await?;
        let trading_states = trading_states::Entity::find().all(&read).await?;
        let accounts = restore_accounts(&read).await?;
        let first_ended = accounts.iter().flat_map(|account| &account.ended).map(|order| order.id().get()).min();
        // In these words, so that the partial index serves.
        let mut signals = restore_signals(&read, "status IN ('waiting', 'working', 'in_doubt')").await?;
        if let Some(filled_late) = filled_late(&read, first_ended).await? {
            signals.extend(restore_signals(&read, &filled_late).await?);
        }
        let restored = Restored {
            accounts,
            strategies: strategies.iter().map(parse::strategy).collect::<Result<_, _>>()?,
            trading_states: trading_states.into_iter().map(parse::trading_state).collect::<Result<_, _>>()?,
            limits: limits::newest(&read).await?,
            warnings: limits::recent_warnings(&read).await?,
            marks: limits::marks(&read).await?,
            registered: {
                let registered = registry::Entity::find().all(&read).await?;
                registered.iter().map(parse::registered).collect::<Result<_, _>>()?
            },
            signals,
            last_seq,
            last_at: newest.iter().map(|(_, at_us)| Timestamp::from_us(*at_us)).max(),
        };
        read.commit().await?;
        Ok(restored)
    }
}

async fn restore_accounts(read: &DatabaseTransaction) -> Result<Vec<RestoredAccount>, StoreError> {
    let mut books_of: HashMap<AccountId, Vec<Book>> = HashMap::new();
    for model in books::Entity::find().all(read).await? {
        let (account, book) = parse::book(&model)?;
        books_of.entry(account).or_default().push(book);
    }

    let mut contracts_of: HashMap<AccountId, Vec<ContractBook>> = HashMap::new();
    for model in contract_books::Entity::find().all(read).await? {
        let (account, book) = parse::contract(&model)?;
        contracts_of.entry(account).or_default().push(book);
    }

    let mut executions = executions(read, "SELECT id FROM orders WHERE NOT closed AND cum_qty > 0").await?;

    let mut orders_of: HashMap<AccountId, Vec<Order>> = HashMap::new();
    // In these words and this order, so that the partial index serves: by id alone the whole table would be read.
    let open = orders::Entity::find()
        .filter(Expr::cust("NOT closed"))
        .order_by_asc(orders::Column::Account)
        .order_by_asc(orders::Column::Id)
        .all(read)
        .await?;
    for model in open {
        let id = model.id;
        if let StoredOrder::Live(mut order) = parse::order(model)? {
            order.exec_ids = executions.remove(&id).unwrap_or_default();
            orders_of.entry(order.terms.account.clone()).or_default().push(*order);
        }
    }

    let rows = accounts::Entity::find().order_by_asc(accounts::Column::Id).all(read).await?;
    let rows = rows.iter().map(parse::account).collect::<Result<Vec<_>, _>>()?;
    let mut ended_of = restore_ended(read, &rows).await?;
    let mut exceptions_of = restore_exceptions(read, &rows).await?;
    let mut booked_of = restore_booked(read, &rows).await?;
    rows.into_iter()
        .map(|row| {
            let books = books_of.remove(&row.account).unwrap_or_default();
            let contracts = contracts_of.remove(&row.account).unwrap_or_default();
            let live = orders_of.remove(&row.account).unwrap_or_default();
            let ended = ended_of.remove(&row.account).unwrap_or_default();
            let exceptions = exceptions_of.remove(&row.account).unwrap_or_default();
            let booked = booked_of.remove(&row.account).unwrap_or_default();
            Ok(RestoredAccount { row, books, contracts, live, ended, exceptions, booked })
        })
        .collect()
}

/// The orders that were sent and ended on their accounts' last two trading days: after the close the new day has begun,
/// and the broker still lists the old one. Ids rise with the signals, so the days' orders
/// are the last ones: read backwards until a page has none of them.
async fn restore_ended(
    read: &DatabaseTransaction,
    accounts: &[AccountRow],
) -> Result<HashMap<AccountId, Vec<Order>>, StoreError> {
    let mut days: HashMap<&AccountId, LastDays> =
        accounts.iter().map(|row| (&row.account, LastDays { today: row.trade_date, before: None })).collect();
    let mut ended_of: HashMap<AccountId, Vec<Order>> = HashMap::new();
    let (mut below, mut left) = (i64::MAX, ENDED_READ_MAX);
    while left > 0 {
        let page = orders::Entity::find()
            .filter(orders::Column::Id.lt(below))
            .order_by_desc(orders::Column::Id)
            .limit(ENDED_PAGE)
            .all(read)
            .await?;
        let (Some(first), Some(last)) = (page.first().map(|m| m.id), page.last().map(|m| m.id)) else { break };
        below = last;
        left = left.saturating_sub(ENDED_PAGE);
        let within = format!("SELECT id FROM orders WHERE id BETWEEN {last} AND {first} AND closed AND cum_qty > 0");
        let mut executions = executions(read, &within).await?;
        let mut of_today = false;
        for model in page {
            let id = model.id;
            let StoredOrder::Live(mut order) = parse::order(model)? else { continue };
            if !days.get_mut(&order.terms.account).is_some_and(|days| days.has(order.approval.trade_date)) {
                continue;
            }
            of_today = true;
            if order.status.is_terminal() && order.send_no > 0 {
                order.exec_ids = executions.remove(&id).unwrap_or_default();
                ended_of.entry(order.terms.account.clone()).or_default().push(*order);
            }
        }
        if !of_today {
            break;
        }
    }
    Ok(ended_of)
}

async fn restore_exceptions(
    read: &DatabaseTransaction,
    accounts: &[AccountRow],
) -> Result<HashMap<AccountId, Vec<Exception>>, StoreError> {
    let mut all: HashMap<AccountId, Vec<Exception>> = HashMap::new();
    // In these words, so that the partial index serves.
    for model in exceptions::Entity::find().filter(Expr::cust("open")).all(read).await? {
        let exception = parse::exception(&model)?;
        all.entry(exception.account.clone()).or_default().push(exception);
    }
    for account in accounts {
        let since = account.updated_at.plus(Span::from_secs(-EXTERNAL_DAYS * 86_400));
        let closed = exceptions::Entity::find()
            .filter(exceptions::Column::Account.eq(account.account.as_str()))
            .filter(exceptions::Column::Kind.is_in(["external", "doubt"]))
            .filter(exceptions::Column::OpenedAtUs.gt(since.us()))
            .filter(Expr::cust("NOT open"))
            .all(read)
            .await?;
        let closed = closed.iter().map(parse::exception).collect::<Result<Vec<_>, _>>()?;
        let closed = closed.into_iter().filter(Exception::outlives_its_life);
        all.entry(account.account.clone()).or_default().extend(closed);
    }
    Ok(all)
}

/// What a broker may still book later than we did.
async fn restore_booked(
    read: &DatabaseTransaction,
    accounts: &[AccountRow],
) -> Result<HashMap<AccountId, Vec<Arc<BookedAction>>>, StoreError> {
    let mut all: HashMap<AccountId, Vec<Arc<BookedAction>>> = HashMap::new();
    let Some(oldest) = accounts.iter().filter_map(|row| row.trade_date).min() else { return Ok(all) };
    let since = days_later(oldest, -EXTERNAL_DAYS).yyyymmdd();
    let lately = corporate_actions::Entity::find().filter(corporate_actions::Column::ExDate.gte(i64::from(since)));
    for model in lately.all(read).await? {
        let (account, booked, _) = parse::corporate_action(&model)?;
        all.entry(account).or_default().push(booked.into());
    }
    Ok(all)
}

/// An account's trading day, and the one before it on which it had an order.
#[derive(Debug)]
struct LastDays {
    today: Option<TradeDate>,
    before: Option<TradeDate>,
}

impl LastDays {
    /// Asked for dates that fall, or nearly so.
    fn has(&mut self, date: TradeDate) -> bool {
        if Some(date) >= self.today {
            return true;
        }
        *self.before.get_or_insert(date) == date
    }
}

/// The numbers of the fills of the orders that the query names.
async fn executions(read: &DatabaseTransaction, of: &str) -> Result<HashMap<i64, Vec<ExecId>>, StoreError> {
    let statement = Statement::from_string(
        read.get_database_backend(),
        format!("SELECT order_id, exec_id FROM fills WHERE order_id IN ({of}) ORDER BY id"),
    );
    let mut executions: HashMap<i64, Vec<ExecId>> = HashMap::new();
    for execution in Execution::find_by_statement(statement).all(read).await? {
        executions.entry(execution.order_id).or_default().push(ExecId(execution.exec_id.into()));
    }
    Ok(executions)
}

/// Which final signals have legs that know of fewer fills than their orders: the process ended between a late fill and
/// its telling.
async fn filled_late(read: &DatabaseTransaction, first_ended: Option<u64>) -> Result<Option<String>, StoreError> {
    let Some(first) = first_ended else { return Ok(None) };
    let statement = Statement::from_string(
        read.get_database_backend(),
        format!(
            "SELECT DISTINCT signals.id AS signal FROM orders
             JOIN parents ON parents.id = orders.id / 256 JOIN signals ON signals.id = orders.id / 16777216
             WHERE orders.id >= {first} AND orders.closed
               AND (orders.cum_qty > parents.cum_qty OR (parents.progress IS NOT NULL AND parents.cum_qty <
                   (SELECT SUM(kin.cum_qty) FROM orders AS kin
                    WHERE kin.id >= parents.id * 256 AND kin.id < (parents.id + 1) * 256)))
               AND NOT signals.status IN ('waiting', 'working', 'in_doubt')"
        ),
    );
    let found = read.query_all_raw(statement).await?;
    let found = found.iter().map(|row| row.try_get::<i64>("", "signal")).collect::<Result<Vec<_>, _>>()?;
    let listed = found.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    Ok((!listed.is_empty()).then(|| format!("id IN ({listed})")))
}

async fn restore_signals(read: &DatabaseTransaction, which: &str) -> Result<Vec<RestoredSignal>, StoreError> {
    let mut parents_of: HashMap<SignalId, Vec<StoredParent>> = HashMap::new();
    let statement = Statement::from_string(
        read.get_database_backend(),
        format!(
            "SELECT parents.* FROM (SELECT id FROM signals WHERE {which}) AS open_signals
             JOIN parents ON parents.id >= open_signals.id * 65536 AND parents.id < (open_signals.id + 1) * 65536
             ORDER BY parents.id"
        ),
    );
    for model in parents::Entity::find().from_raw_sql(statement).all(read).await? {
        let parent = parse::parent(&model)?;
        parents_of.entry(parent.parent.leg.parent.signal()).or_default().push(parent);
    }
    let open = signals::Entity::find()
        .filter(Expr::cust(which.to_owned()))
        .order_by_asc(signals::Column::Id)
        .all(read)
        .await?;
    open.into_iter()
        .map(|model| {
            let signal = parse::signal(model)?;
            let parents = parents_of.remove(&signal.row.id).unwrap_or_default();
            Ok(RestoredSignal { signal, parents })
        })
        .collect()
}
