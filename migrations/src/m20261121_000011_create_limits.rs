//! Limits as people set them, version by version, and what was told of limits that are nearly used up.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, UP).await
    }

    /// A half-made schema is worse than none.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const UP: &str = "
-- Never changed and never deleted: the newest version of a scope is in force.
CREATE TABLE risk_limits (
    scope_kind TEXT NOT NULL CHECK (scope_kind IN ('global', 'account', 'strategy')),
    -- Empty for the global scope.
    scope_id TEXT NOT NULL,
    version {int} NOT NULL CHECK (version > 0),
    at_us {int} NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (scope_kind, scope_id, version)
) {keyed_table};

CREATE TABLE risk_warnings (
    account TEXT NOT NULL,
    trade_date {int} NOT NULL,
    code TEXT NOT NULL,
    at_us {int} NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, trade_date, code)
) {keyed_table};
";
