//! What accounts, strategies and all together are worth, the newest of each.

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
CREATE TABLE equity_marks (
    scope_kind TEXT NOT NULL CHECK (scope_kind IN ('global', 'account', 'strategy')),
    -- Empty for the global scope.
    scope_id TEXT NOT NULL,
    at_us {int} NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (scope_kind, scope_id)
) {keyed_table};
";
