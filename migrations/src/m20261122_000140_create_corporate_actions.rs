//! What went ex in the books: one row for each account, symbol and ex-date, never changed.

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
CREATE TABLE corporate_actions (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    ex_date {int} NOT NULL,
    at_us {int} NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, symbol, ex_date)
) {keyed_table};
";
