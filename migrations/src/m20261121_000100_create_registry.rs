//! Accounts and groups as people set them up while the program runs.

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
-- The newest version; the ones before are in the journal.
CREATE TABLE registry (
    kind TEXT NOT NULL CHECK (kind IN ('account', 'group')),
    id TEXT NOT NULL,
    version {int} NOT NULL CHECK (version > 0),
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) {keyed_table};
";
