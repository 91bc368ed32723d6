//! Contracts: whether an order opens or closes, and the lots in the books.
//!
//! Nothing in `effect` means a share, as in all rows that are older than this.

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
ALTER TABLE parents ADD COLUMN effect TEXT CHECK (effect IN ('open', 'close', 'close_today', 'close_yesterday'));
ALTER TABLE orders ADD COLUMN effect TEXT CHECK (effect IN ('open', 'close', 'close_today', 'close_yesterday'));

CREATE TABLE contract_books (
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    strategy TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('long', 'short')),
    -- JSON of the book.
    body TEXT NOT NULL,
    PRIMARY KEY (account, symbol, strategy, direction)
) {keyed_table};
";
