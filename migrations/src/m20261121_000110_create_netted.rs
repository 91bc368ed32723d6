//! What of orders and of their parents was crossed inside the account, and for how much.

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
ALTER TABLE orders ADD COLUMN netted_qty {int} NOT NULL DEFAULT 0 CHECK (netted_qty >= 0);
ALTER TABLE orders ADD COLUMN netted_amount_e4 {int} NOT NULL DEFAULT 0;
ALTER TABLE parents ADD COLUMN netted_qty {int} NOT NULL DEFAULT 0 CHECK (netted_qty >= 0);
";
