//! What the orders of a leg have come to whose policy may place more than one of them, and what a signal is held for.
//!
//! Nothing in these columns means that the leg has one order, and that the signal was never held.

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
ALTER TABLE parents ADD COLUMN progress TEXT;
-- While it is held, the word for what stands here too.
ALTER TABLE signals ADD COLUMN held TEXT;
";
