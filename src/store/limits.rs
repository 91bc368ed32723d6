//! Limits and their warnings, as people ask for them.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use signalbox_domain::event::Scope;
use signalbox_domain::ids::AccountId;
use signalbox_domain::risk::{EquityMark, LimitFact, LimitWarning};

use super::entity::{equity_marks, risk_limits, risk_warnings};
use super::{Store, StoreError, columns, parse};

impl Store {
    /// The limits of each scope as they were set last, in no order.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn newest_limits(&self) -> Result<Vec<LimitFact>, StoreError> {
        newest(self.reads()).await
    }

    /// Every version of the limits of one scope or of all, the newest first.
    ///
    /// # Errors
    /// As [`Self::newest_limits`].
    pub async fn limits_history(&self, scope: Option<&Scope>) -> Result<Vec<LimitFact>, StoreError> {
        let mut query = risk_limits::Entity::find();
        if let Some(scope) = scope {
            let (kind, id) = columns::scope(scope);
            query = query.filter(risk_limits::Column::ScopeKind.eq(kind)).filter(risk_limits::Column::ScopeId.eq(id));
        }
        let query = query
            .order_by_desc(risk_limits::Column::AtUs)
            .order_by_desc(risk_limits::Column::Version)
            .limit(HISTORY_MAX);
        query.all(self.reads()).await?.iter().map(parse::limits).collect()
    }

    /// What was told of limits that are nearly used up, the newest first.
    ///
    /// # Errors
    /// As [`Self::newest_limits`].
    pub async fn limit_warnings(&self, accounts: &[AccountId]) -> Result<Vec<LimitWarning>, StoreError> {
        let query = risk_warnings::Entity::find()
            .filter(risk_warnings::Column::Account.is_in(accounts.iter().map(AccountId::as_str)))
            .order_by_desc(risk_warnings::Column::AtUs)
            .limit(HISTORY_MAX);
        query.all(self.reads()).await?.iter().map(parse::warning).collect()
    }
}

/// Nobody reads on behind so many.
const HISTORY_MAX: u64 = 10_000;

pub(super) async fn newest(read: &impl ConnectionTrait) -> Result<Vec<LimitFact>, StoreError> {
    let rows = risk_limits::Entity::find().order_by_asc(risk_limits::Column::Version).all(read).await?;
    let mut newest = std::collections::BTreeMap::new();
    for row in &rows {
        newest.insert((&row.scope_kind, &row.scope_id), row);
    }
    newest.into_values().map(parse::limits).collect()
}

pub(super) async fn marks(read: &impl ConnectionTrait) -> Result<Vec<EquityMark>, StoreError> {
    equity_marks::Entity::find().all(read).await?.iter().map(parse::equity_mark).collect()
}

/// Those of each account's newest days: the day of a restart may not have begun yet.
pub(super) async fn recent_warnings(read: &impl ConnectionTrait) -> Result<Vec<LimitWarning>, StoreError> {
    let newest = risk_warnings::Entity::find()
        .select_only()
        .column(risk_warnings::Column::TradeDate)
        .order_by_desc(risk_warnings::Column::TradeDate)
        .into_tuple::<i64>()
        .one(read)
        .await?;
    let Some(date) = newest else { return Ok(Vec::new()) };
    let rows = risk_warnings::Entity::find().filter(risk_warnings::Column::TradeDate.eq(date)).all(read).await?;
    rows.iter().map(parse::warning).collect()
}
