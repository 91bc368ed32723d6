//! What went ex in the books of an account, as people ask for it.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use signalbox_domain::ids::AccountId;
use signalbox_domain::ledger::BookedAction;
use signalbox_domain::units::Timestamp;

use super::entity::corporate_actions::{Column, Entity};
use super::{Store, StoreError, parse};

impl Store {
    /// With the instant of each, the newest ex-date first.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn booked_actions(&self, account: &AccountId) -> Result<Vec<(BookedAction, Timestamp)>, StoreError> {
        let query = Entity::find()
            .filter(Column::Account.eq(account.as_str()))
            .order_by_desc(Column::ExDate)
            .order_by_asc(Column::Symbol)
            .limit(LISTED_MAX);
        let rows = query.all(self.reads()).await?;
        rows.iter().map(|row| parse::corporate_action(row).map(|(_, booked, at)| (booked, at))).collect()
    }
}

/// A year or more of an account that holds hundreds of shares.
const LISTED_MAX: u64 = 500;
