//! All rows at once, as they stand: what a proof holds against the journal.

use sea_orm::{AccessMode, EntityTrait, IsolationLevel, TransactionTrait};
use signalbox_domain::row::Row;
use signalbox_domain::tables::Tables;

use super::entity::{
    accounts, books, exceptions, fills, fx_rates, orders, parents, signals, strategies, trading_states,
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
        for model in fx_rates::Entity::find().all(&read).await? {
            tables.fx_rates.put(parse::fx_rate(model)?);
        }
        read.commit().await?;
        Ok(tables)
    }
}
