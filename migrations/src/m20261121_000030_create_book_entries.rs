//! What a book remembers of its time: since when it is held, what its price has seen, and where its day began.
//!
//! Nothing in these columns means "not known": rows that are older than this say nothing until they are written again.

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
ALTER TABLE accounts ADD COLUMN prev_equity_e4 {int};

ALTER TABLE books ADD COLUMN entry_on {int};
ALTER TABLE books ADD COLUMN entry_at_us {int};
ALTER TABLE books ADD COLUMN high_e4 {int};
ALTER TABLE books ADD COLUMN low_e4 {int};
-- There is an entry exactly where this is known.
ALTER TABLE books ADD COLUMN seen_until_us {int};
ALTER TABLE books ADD COLUMN entry_realized_e4 {int};
-- There is a day exactly where this is known.
ALTER TABLE books ADD COLUMN day_qty {int};
ALTER TABLE books ADD COLUMN day_flow_e4 {int};
ALTER TABLE books ADD COLUMN prev_close_e4 {int};
ALTER TABLE books ADD COLUMN close_e4 {int};
";
