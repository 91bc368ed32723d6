//! What an account was worth at each close, and what moved its cash.

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
-- Of the present day, as JSON; nothing until the first day that begins after this.
ALTER TABLE accounts ADD COLUMN flows TEXT;

CREATE TABLE account_days (
    account TEXT NOT NULL,
    trade_date {int} NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, trade_date)
) {keyed_table};
";
