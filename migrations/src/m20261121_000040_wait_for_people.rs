//! Legs that wait, for a person or for cash, and what was decided of them; more that a signal can wait for; baskets.

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
-- How the leg's route sends; of earlier legs all was sent at once.
ALTER TABLE parents ADD COLUMN mode TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE parents ADD COLUMN short_of_cash TEXT NOT NULL DEFAULT 'wait:600';
ALTER TABLE parents ADD COLUMN waiting_for TEXT;
ALTER TABLE parents ADD COLUMN wait_until_us {int};
-- What a person or the shadow made of it.
ALTER TABLE parents ADD COLUMN decided TEXT;

-- The column that was there listed its words, and SQLite takes no other list for a column that is there.
ALTER TABLE signals ADD COLUMN waits_for TEXT;
UPDATE signals SET waits_for = waiting_for WHERE waiting_for IS NOT NULL;
ALTER TABLE signals DROP COLUMN waiting_for;
ALTER TABLE signals RENAME COLUMN waits_for TO waiting_for;

ALTER TABLE signals ADD COLUMN basket TEXT;
-- Whoever looks at a basket.
CREATE INDEX signals_basket ON signals (basket, id) WHERE basket IS NOT NULL;
";
