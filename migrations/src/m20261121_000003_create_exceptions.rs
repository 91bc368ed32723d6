//! Doubt: why a person has to end it, what was known before the order was sent, and everything that waits for a person.

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
ALTER TABLE orders ADD COLUMN doubt_since_us {int};
ALTER TABLE orders ADD COLUMN parked TEXT;
ALTER TABLE orders ADD COLUMN baseline TEXT;

-- Never deleted: a decision closes a row, and the same matter later opens another one.
CREATE TABLE exceptions (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    opened_at_us {int} NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('doubt', 'ghost', 'break', 'external', 'reads')),
    open {bool} NOT NULL,
    updated_at_us {int} NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, key, opened_at_us)
) {keyed_table};
-- A restart, and everybody who asks what waits for him.
CREATE INDEX exceptions_open ON exceptions (account) WHERE open;
";
