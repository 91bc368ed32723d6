//! The trading days of an account, as people ask for them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use signalbox_domain::ids::AccountId;
use signalbox_domain::ledger::DayOver;
use signalbox_domain::units::TradeDate;

use super::entity::account_days::{Column, Entity};
use super::{Store, StoreError, parse};

impl Store {
    /// Those that are over, from one to another, both included; the newest of them, up to a bound, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn account_days(
        &self,
        account: &AccountId,
        (from, to): (Option<TradeDate>, Option<TradeDate>),
        most: u64,
    ) -> Result<Vec<DayOver>, StoreError> {
        let mut query = Entity::find().filter(Column::Account.eq(account.as_str()));
        if let Some(from) = from {
            query = query.filter(Column::TradeDate.gte(i64::from(from.yyyymmdd())));
        }
        if let Some(to) = to {
            query = query.filter(Column::TradeDate.lte(i64::from(to.yyyymmdd())));
        }
        let rows = query.order_by_desc(Column::TradeDate).limit(most).all(self.reads()).await?;
        rows.iter().rev().map(|row| parse::account_day(row).map(|(_, over)| over)).collect()
    }
}
