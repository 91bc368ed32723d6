//! Orders that buy for all the cash there is, by a permission and not by the limits of orders and positions; and money
//! that is lent, as JSON of the loans: nothing means none.

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
ALTER TABLE orders ADD COLUMN all_in {bool} NOT NULL DEFAULT FALSE;
ALTER TABLE accounts ADD COLUMN loans TEXT;
";
