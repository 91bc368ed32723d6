//! One more kind of what waits for a person: an order that ended here and works at the broker. SQLite cannot change what a
//! column allows, so the table is made anew, without a list of kinds: the program that writes them knows them.

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
ALTER TABLE exceptions RENAME TO exceptions_before;
DROP INDEX exceptions_open;
CREATE TABLE exceptions (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    opened_at_us {int} NOT NULL,
    kind TEXT NOT NULL,
    open {bool} NOT NULL,
    updated_at_us {int} NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, key, opened_at_us)
) {keyed_table};
INSERT INTO exceptions (account, key, opened_at_us, kind, open, updated_at_us, body)
    SELECT account, key, opened_at_us, kind, open, updated_at_us, body FROM exceptions_before;
DROP TABLE exceptions_before;
CREATE INDEX exceptions_open ON exceptions (account) WHERE open;
";
