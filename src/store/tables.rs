//! All rows at once, as they stand: what a proof holds against the journal.

use sea_orm::{AccessMode, ConnectionTrait, EntityTrait, IsolationLevel, Statement, TransactionTrait};
use signalbox_domain::replay::Difference;
use signalbox_domain::row::Row;
use signalbox_domain::tables::Tables;

use super::entity::{
    accounts, books, contract_books, corporate_actions, equity_marks, exceptions, fills, fx_rates, orders, parents,
    registry, risk_limits, risk_warnings, signals, strategies, trading_states,
};
use super::read::{StoredOrder, StoredParent, StoredStrategy, StoredTradingState};
use super::{Store, StoreError, parse};

impl Store {
    /// Every row of trading in one consistent state. For proofs: it takes the memory that the tables take.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn tables(&self) -> Result<Tables, StoreError> {
        let isolation = Some(IsolationLevel::RepeatableRead);
        let read = self.reads().begin_with_config(isolation, Some(AccessMode::ReadOnly)).await?;
        let mut tables = Tables::default();
        let mut put = |row| tables.put(row).map_err(|twice| StoreError::corrupt("fill", twice));
        for model in signals::Entity::find().all(&read).await? {
            put(Row::Signal(parse::signal(model)?.row))?;
        }
        for model in parents::Entity::find().all(&read).await? {
            let StoredParent { parent, strategy, symbol } = parse::parent(&model)?;
            put(Row::Parent { parent, strategy, symbol })?;
        }
        for model in orders::Entity::find().all(&read).await? {
            put(match parse::order(model)? {
                StoredOrder::Live(order) => Row::Order((*order).into()),
                StoredOrder::Denied { terms, denials, at } => Row::DeniedOrder { terms, denials, at },
            })?;
        }
        for model in fills::Entity::find().all(&read).await? {
            put(Row::Fill(parse::fill(model)?.fill))?;
        }
        for model in accounts::Entity::find().all(&read).await? {
            put(Row::Account(parse::account(&model)?))?;
        }
        for model in books::Entity::find().all(&read).await? {
            let (account, book) = parse::book(&model)?;
            put(Row::Book { account, book })?;
        }
        for model in contract_books::Entity::find().all(&read).await? {
            let (account, book) = parse::contract(&model)?;
            put(Row::Contract { account, book })?;
        }
        for model in corporate_actions::Entity::find().all(&read).await? {
            let (account, booked, at) = parse::corporate_action(&model)?;
            put(Row::CorporateAction { account, booked: booked.into(), at })?;
        }
        for model in exceptions::Entity::find().all(&read).await? {
            put(Row::Exception(parse::exception(&model)?.into()))?;
        }
        for model in strategies::Entity::find().all(&read).await? {
            let StoredStrategy { conf, state, version } = parse::strategy(&model)?;
            put(Row::Strategy { conf, state, version })?;
        }
        for model in trading_states::Entity::find().all(&read).await? {
            let StoredTradingState { scope, state, who, reason, at } = parse::trading_state(model)?;
            put(Row::TradingState { scope, state, who, reason, at })?;
        }
        for model in risk_limits::Entity::find().all(&read).await? {
            put(Row::Limits(parse::limits(&model)?.into()))?;
        }
        for model in risk_warnings::Entity::find().all(&read).await? {
            put(Row::LimitWarning(parse::warning(&model)?.into()))?;
        }
        for model in equity_marks::Entity::find().all(&read).await? {
            put(Row::EquityMark(parse::equity_mark(&model)?.into()))?;
        }
        for model in registry::Entity::find().all(&read).await? {
            put(Row::Registered(parse::registered(&model)?))?;
        }
        for model in fx_rates::Entity::find().all(&read).await? {
            tables.fx_rates.put(parse::fx_rate(model)?);
        }
        read.commit().await?;
        Ok(tables)
    }

    /// Columns that say again what other columns say, for the sake of an index, and say something else. Nothing here
    /// reads them as facts, so only a hand in the database makes them differ.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn odd_columns(&self) -> Result<Vec<Difference>, StoreError> {
        let mut found = Vec::new();
        for (what, query) in ODD {
            let statement = Statement::from_string(self.reads().get_database_backend(), *query);
            for row in self.reads().query_all_raw(statement).await? {
                let id: String = row.try_get("", "id")?;
                let difference = Difference {
                    what: format!("{what} {id}"),
                    journal: "as its other columns".into(),
                    rows: "another one".into(),
                };
                found.push(difference);
            }
        }
        Ok(found)
    }
}

/// Rows whose columns contradict each other.
const ODD: &[(&str, &str)] = &[
    (
        "the openness of order",
        "SELECT CAST(id AS TEXT) AS id FROM orders
         WHERE closed <> (status NOT IN ('initialized', 'new', 'partially_filled'))",
    ),
    (
        "the signal or leg of order",
        "SELECT CAST(id AS TEXT) AS id FROM orders WHERE parent_id <> id / 256 OR signal_id <> id / 16777216",
    ),
    (
        "the account, strategy, symbol or side of fill",
        "SELECT CAST(fills.id AS TEXT) AS id FROM fills JOIN orders ON orders.id = fills.order_id
         WHERE fills.account <> orders.account OR fills.strategy <> orders.strategy
            OR fills.symbol <> orders.symbol OR fills.side <> orders.side",
    ),
    (
        "the first line of the archive's file that ends with line",
        "SELECT CAST(last_seq AS TEXT) AS id FROM journal_archives
         WHERE first_seq <> 1 + coalesce((SELECT max(before.last_seq) FROM journal_archives AS before
            WHERE before.last_seq < journal_archives.last_seq), 0)",
    ),
    ("the openness of exception", r#"SELECT key AS id FROM exceptions WHERE open <> (body LIKE '%"decision":null%')"#),
];
