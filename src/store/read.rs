//! Questions to the store: one thing by its id, or a page of many, newest first.

use std::sync::Arc;

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use signalbox_domain::denial::Denial;
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::{AccountId, ClientId, OrderId, SignalId, StrategyId};
use signalbox_domain::ledger::{Book, ContractBook};
use signalbox_domain::manner::RouteMode;
use signalbox_domain::order::{Order, OrderTerms};
use signalbox_domain::parent::{Decided, Parent};
use signalbox_domain::reconcile::exception::Exception;
use signalbox_domain::row::{AccountRow, Fill, SignalRow};
use signalbox_domain::signal::Signal;
use signalbox_domain::strategy::{StrategyConf, StrategyState};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::Timestamp;

use super::entity::{
    accounts, books, contract_books, exceptions, fills, orders, parents, signals, strategies, trading_states,
};
use super::{Store, StoreError, parse};

/// Lines of one page. A page is answered in one piece, so that it stays small in memory and on the wire.
pub const PAGE_MAX: u64 = 1_000;

#[derive(Debug, Clone)]
pub struct StoredSignal {
    pub signal: Arc<Signal>,
    pub row: SignalRow,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredParent {
    pub parent: Parent,
    pub strategy: StrategyId,
    pub symbol: Symbol,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredOrder {
    /// Its `exec_ids` are filled in by a restore only; readers ask for the order's fills.
    Live(Box<Order>),
    Denied {
        terms: Arc<OrderTerms>,
        denials: Arc<[Denial]>,
        at: Timestamp,
    },
}

impl StoredOrder {
    #[must_use]
    pub fn terms(&self) -> &Arc<OrderTerms> {
        match self {
            Self::Live(order) => &order.terms,
            Self::Denied { terms, .. } => terms,
        }
    }
}

#[derive(Debug, Clone)]
pub struct StoredFill {
    /// Its place in the order of bookings, for the cursor of a list.
    pub id: u64,
    pub fill: Fill,
}

#[derive(Debug, Clone)]
pub struct StoredStrategy {
    pub conf: Arc<StrategyConf>,
    pub state: StrategyState,
    pub version: u32,
}

#[derive(Debug, Clone)]
pub struct StoredTradingState {
    pub scope: Scope,
    pub state: TradingState,
    pub who: Arc<str>,
    pub reason: Arc<str>,
    pub at: Timestamp,
}

/// Which lines a page shows. What is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// The accounts that the reader may see. A signal counts when it was sent to, or became a parent order in, one of
    /// them.
    pub accounts: Option<Vec<AccountId>>,
    /// The strategies that the reader may see, of signals only: then a signal counts when it is one of theirs or was
    /// sent to one of `accounts`, and a leg in one of the accounts is not enough.
    pub strategies: Option<Vec<StrategyId>>,
    pub strategy: Option<StrategyId>,
    pub symbol: Option<Symbol>,
    /// Of signals only.
    pub basket: Option<String>,
    /// Of a signal its status, of an order the reported one; fills have none.
    pub statuses: Option<Vec<&'static str>>,
    /// Received, created or filled at or after `from` and before `to`.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// The cursor: the id of the last line of the page before.
    pub before: Option<u64>,
    /// At most [`PAGE_MAX`]; 0 stands for that.
    pub limit: u64,
}

impl ListFilter {
    fn limit(&self) -> u64 {
        if self.limit == 0 { PAGE_MAX } else { self.limit.min(PAGE_MAX) }
    }
}

/// The columns that the lists have in common.
struct ListColumns<C> {
    id: C,
    account: C,
    strategy: C,
    symbol: C,
    status: Option<C>,
    at_us: C,
}

/// Everything but the accounts, which mean something else for each list.
fn page<E: EntityTrait>(select: Select<E>, columns: &ListColumns<E::Column>, filter: &ListFilter) -> Select<E> {
    let mut condition = Condition::all();
    if let Some(strategy) = &filter.strategy {
        condition = condition.add(columns.strategy.eq(strategy.as_str()));
    }
    if let Some(symbol) = &filter.symbol {
        condition = condition.add(columns.symbol.eq(symbol.as_str()));
    }
    if let (Some(status), Some(statuses)) = (&columns.status, &filter.statuses) {
        condition = condition.add(status.is_in(statuses.iter().copied()));
    }
    if let Some(from) = filter.from {
        condition = condition.add(columns.at_us.gte(from.us()));
    }
    if let Some(to) = filter.to {
        condition = condition.add(columns.at_us.lt(to.us()));
    }
    if let Some(before) = filter.before {
        condition = condition.add(columns.id.lt(i64::try_from(before).unwrap_or(i64::MAX)));
    }
    select.filter(condition).order_by_desc(columns.id).limit(filter.limit())
}

fn names(accounts: &[AccountId]) -> impl Iterator<Item = &str> {
    accounts.iter().map(|id| id.as_str())
}

impl Store {
    /// # Errors
    /// When the database cannot be read; so for all questions below.
    pub async fn signal(&self, id: SignalId) -> Result<Option<StoredSignal>, StoreError> {
        let found = signals::Entity::find_by_id(id.get() as i64).one(self.reads()).await?;
        found.map(parse::signal).transpose()
    }

    pub async fn signal_by_key(
        &self,
        client: &ClientId,
        client_signal_id: &str,
    ) -> Result<Option<StoredSignal>, StoreError> {
        let found = signals::Entity::find()
            .filter(signals::Column::Client.eq(client.as_str()))
            .filter(signals::Column::ClientSignalId.eq(client_signal_id))
            .one(self.reads())
            .await?;
        found.map(parse::signal).transpose()
    }

    pub async fn signals(&self, filter: &ListFilter) -> Result<Vec<StoredSignal>, StoreError> {
        use signals::Column as C;
        let columns = ListColumns {
            id: C::Id,
            account: C::Account,
            strategy: C::Strategy,
            symbol: C::Symbol,
            status: Some(C::Status),
            at_us: C::ReceivedAtUs,
        };
        let mut select = page(signals::Entity::find(), &columns, filter);
        if let Some(basket) = &filter.basket {
            select = select.filter(C::Basket.eq(basket.as_str()));
        }
        if let Some(accounts) = &filter.accounts {
            // All parents of a signal are one range of their ids.
            let legs = parents::Entity::find()
                .select_only()
                .expr(Expr::val(1))
                .filter(Expr::cust("parents.id >= signals.id * 65536 AND parents.id < (signals.id + 1) * 65536"))
                .filter(parents::Column::Account.is_in(names(accounts)));
            let mut seen = Condition::any()
                .add(columns.account.is_in(names(accounts)))
                .add(Expr::exists(sea_orm::QueryTrait::into_query(legs)));
            if let Some(strategies) = &filter.strategies {
                seen = seen.add(columns.strategy.is_in(strategies.iter().map(|id| id.as_str())));
            }
            select = select.filter(seen);
        }
        select.all(self.reads()).await?.into_iter().map(parse::signal).collect()
    }

    pub async fn orders(&self, filter: &ListFilter) -> Result<Vec<StoredOrder>, StoreError> {
        use orders::Column as C;
        let columns = ListColumns {
            id: C::Id,
            account: C::Account,
            strategy: C::Strategy,
            symbol: C::Symbol,
            status: Some(C::Reported),
            at_us: C::CreatedAtUs,
        };
        let mut select = page(orders::Entity::find(), &columns, filter);
        if let Some(accounts) = &filter.accounts {
            select = select.filter(columns.account.is_in(names(accounts)));
        }
        select.all(self.reads()).await?.into_iter().map(parse::order).collect()
    }

    pub async fn fills(&self, filter: &ListFilter) -> Result<Vec<StoredFill>, StoreError> {
        use fills::Column as C;
        let columns = ListColumns {
            id: C::Id,
            account: C::Account,
            strategy: C::Strategy,
            symbol: C::Symbol,
            status: None,
            at_us: C::AtUs,
        };
        let mut select = page(fills::Entity::find(), &columns, filter);
        if let Some(accounts) = &filter.accounts {
            select = select.filter(columns.account.is_in(names(accounts)));
        }
        select.all(self.reads()).await?.into_iter().map(parse::fill).collect()
    }

    pub async fn fill_count(&self, account: &AccountId) -> Result<usize, StoreError> {
        let count =
            fills::Entity::find().filter(fills::Column::Account.eq(account.as_str())).count(self.reads()).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// # Errors
    /// As all reads.
    pub async fn order(&self, id: OrderId) -> Result<Option<StoredOrder>, StoreError> {
        let found = orders::Entity::find_by_id(id.get() as i64).one(self.reads()).await?;
        found.map(parse::order).transpose()
    }

    /// Orders that may still trade.
    pub async fn open_orders(&self, account: &AccountId) -> Result<Vec<StoredOrder>, StoreError> {
        let found = orders::Entity::find()
            .filter(orders::Column::Account.eq(account.as_str()))
            .filter(Expr::cust("NOT closed")) // in these words, so that the partial index serves
            .order_by_asc(orders::Column::Id)
            .all(self.reads())
            .await?;
        found.into_iter().map(parse::order).collect()
    }

    pub async fn fills_of_order(&self, id: OrderId) -> Result<Vec<StoredFill>, StoreError> {
        let found = fills::Entity::find()
            .filter(fills::Column::OrderId.eq(id.get() as i64))
            .order_by_asc(fills::Column::Id)
            .all(self.reads())
            .await?;
        found.into_iter().map(parse::fill).collect()
    }

    pub async fn parents_of_signal(&self, id: SignalId) -> Result<Vec<StoredParent>, StoreError> {
        let found = parents::Entity::find()
            .filter(parents::Column::Id.between(id.parent(0).get() as i64, id.parent(u16::MAX).get() as i64))
            .order_by_asc(parents::Column::Id)
            .all(self.reads())
            .await?;
        found.iter().map(parse::parent).collect()
    }

    /// The legs in the account that a person traded with this order: one of ours, or the broker's number of one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn legs_traded_by(&self, account: &AccountId, order: &str) -> Result<Vec<Parent>, StoreError> {
        let mut traded = parents::Entity::find()
            .filter(parents::Column::Account.eq(account.as_str()))
            .filter(parents::Column::Mode.eq(<&str>::from(RouteMode::NotifyOnly)))
            .filter(parents::Column::Decided.contains("\"by_hand\""));
        // Not every text stands in JSON as it is.
        if order.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            traded = traded.filter(parents::Column::Decided.contains(format!("\"order\":\"{order}\"")));
        }
        let mut legs = Vec::new();
        for model in traded.all(self.reads()).await? {
            let leg = parse::parent(&model)?.parent;
            if matches!(leg.decided.as_deref(), Some(Decided::ByHand { order: by, .. }) if &**by == order) {
                legs.push(leg);
            }
        }
        Ok(legs)
    }

    /// The orders of ours in the account to which the broker gave this number, on whatever day.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn orders_numbered(&self, account: &AccountId, number: &str) -> Result<Vec<StoredOrder>, StoreError> {
        let found = orders::Entity::find()
            .filter(orders::Column::Account.eq(account.as_str()))
            .filter(orders::Column::BrokerOrderId.eq(number))
            .all(self.reads())
            .await?;
        found.into_iter().map(parse::order).collect()
    }

    pub async fn orders_of_signal(&self, id: SignalId) -> Result<Vec<StoredOrder>, StoreError> {
        let (first, last) = order_range(id);
        let found = orders::Entity::find()
            .filter(orders::Column::Id.between(first, last))
            .order_by_asc(orders::Column::Id)
            .all(self.reads())
            .await?;
        found.into_iter().map(parse::order).collect()
    }

    pub async fn fills_of_signal(&self, id: SignalId) -> Result<Vec<StoredFill>, StoreError> {
        let (first, last) = order_range(id);
        let found = fills::Entity::find()
            .filter(fills::Column::OrderId.between(first, last))
            .order_by_asc(fills::Column::Id)
            .all(self.reads())
            .await?;
        found.into_iter().map(parse::fill).collect()
    }

    pub async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        accounts::Entity::find().all(self.reads()).await?.iter().map(parse::account).collect()
    }

    pub async fn account(&self, id: &AccountId) -> Result<Option<AccountRow>, StoreError> {
        let found = accounts::Entity::find_by_id(id.as_str()).one(self.reads()).await?;
        found.as_ref().map(parse::account).transpose()
    }

    pub async fn books(&self, account: &AccountId) -> Result<Vec<Book>, StoreError> {
        let found = books::Entity::find().filter(books::Column::Account.eq(account.as_str())).all(self.reads()).await?;
        found.iter().map(|model| parse::book(model).map(|(_, book)| book)).collect()
    }

    pub async fn contracts(&self, account: &AccountId) -> Result<Vec<ContractBook>, StoreError> {
        let own = contract_books::Column::Account.eq(account.as_str());
        let found = contract_books::Entity::find().filter(own).all(self.reads()).await?;
        found.iter().map(|model| parse::contract(model).map(|(_, book)| book)).collect()
    }

    pub async fn strategies(&self) -> Result<Vec<StoredStrategy>, StoreError> {
        strategies::Entity::find().all(self.reads()).await?.iter().map(parse::strategy).collect()
    }

    pub async fn strategy(&self, id: &StrategyId) -> Result<Option<StoredStrategy>, StoreError> {
        let found = strategies::Entity::find_by_id(id.as_str()).one(self.reads()).await?;
        found.as_ref().map(parse::strategy).transpose()
    }

    /// What waits for a person, oldest first; or with `open` false, what was settled, newest first. With `after`, those behind
    /// the one with this time and id.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn exceptions(
        &self,
        accounts: Option<&[AccountId]>,
        open: bool,
        after: Option<(i64, &str)>,
        limit: u64,
    ) -> Result<Vec<Exception>, StoreError> {
        let mut query = exceptions::Entity::find().filter(Expr::cust(if open { "open" } else { "NOT open" }));
        if let Some(accounts) = accounts {
            query = query.filter(exceptions::Column::Account.is_in(accounts.iter().map(AccountId::as_str)));
        }
        // As clients are told it, and in the order of its bytes on both databases.
        let bytes = if self.reads().get_database_backend() == DbBackend::Sqlite { "BINARY" } else { "\"C\"" };
        let id = format!("(account || ':' || key || ':' || opened_at_us) COLLATE {bytes}");
        let (time, order) = match open {
            true => (exceptions::Column::OpenedAtUs, sea_orm::Order::Asc),
            false => (exceptions::Column::UpdatedAtUs, sea_orm::Order::Desc),
        };
        if let Some((us, after)) = after {
            let further = if open { time.gt(us) } else { time.lt(us) };
            let behind = {
                use sea_orm::ExprTrait as _;
                let id = Expr::cust(id.clone());
                if open { id.gt(after) } else { id.lt(after) }
            };
            query = query.filter(Condition::any().add(further).add(Condition::all().add(time.eq(us)).add(behind)));
        }
        let query = query.order_by(time, order.clone()).order_by(Expr::cust(id), order);
        query.limit(limit).all(self.reads()).await?.iter().map(parse::exception).collect()
    }

    /// One of them, by its whole key.
    ///
    /// # Errors
    /// As [`Self::exceptions`].
    pub async fn exception(
        &self,
        account: &AccountId,
        key: &str,
        opened_at: Timestamp,
    ) -> Result<Option<Exception>, StoreError> {
        let id = (account.as_str().to_owned(), key.to_owned(), opened_at.us());
        let found = exceptions::Entity::find_by_id(id).one(self.reads()).await?;
        found.as_ref().map(parse::exception).transpose()
    }

    pub async fn trading_states(&self) -> Result<Vec<StoredTradingState>, StoreError> {
        let found = trading_states::Entity::find().all(self.reads()).await?;
        found.into_iter().map(parse::trading_state).collect()
    }
}

/// All orders of a signal are one range of their ids.
fn order_range(signal: SignalId) -> (i64, i64) {
    (signal.parent(0).order(0).get() as i64, signal.parent(u16::MAX).order(u8::MAX).get() as i64)
}
