//! Old lines of the journal are in files: one row for each file, the oldest first.

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
-- Where the chain of hashes stands at the end of each file. The newest of them is where the table `journal` goes on.
CREATE TABLE journal_archives (
    last_seq {int} PRIMARY KEY,
    first_seq {int} NOT NULL CHECK (first_seq > 0 AND first_seq <= last_seq),
    -- The earliest and the latest instant of its lines: where a signal's lines may be.
    first_at_us {int} NOT NULL,
    last_at_us {int} NOT NULL,
    -- Hexadecimal.
    last_hash TEXT NOT NULL CHECK (length(last_hash) = 64),
    -- Below the archive's folder, with slashes.
    file TEXT NOT NULL,
    bytes {int} NOT NULL
) {table};
";
