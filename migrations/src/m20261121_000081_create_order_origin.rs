//! Who is behind an order, where that is neither a signal's sender nor a person: a monitor of a position. SQLite cannot
//! change what a column allows, so such an order is `signal` in its column, and told apart here.

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
ALTER TABLE orders ADD COLUMN origin TEXT CHECK (origin IN ('monitor'));
";
