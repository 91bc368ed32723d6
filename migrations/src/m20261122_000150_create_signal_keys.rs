//! The keys of signals whose rows were dropped.

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
-- What stays of a signal that ended long ago: a repeat is a repeat for ever, and its number is never given again. The
-- journal tells the rest. A signal is here or in `signals`, never in both.
CREATE TABLE signal_keys (
    id {int} PRIMARY KEY CHECK (id > 0),
    client TEXT NOT NULL,
    client_signal_id TEXT NOT NULL,
    body_hash {blob} NOT NULL CHECK (length(body_hash) = 32),
    -- Who may hear of it.
    strategy TEXT NOT NULL,
    account TEXT,
    status TEXT NOT NULL CHECK (status IN ('done', 'partially_done', 'denied', 'expired', 'canceled')),
    received_at_us {int} NOT NULL
) {table};
CREATE UNIQUE INDEX signal_keys_client_key ON signal_keys (client, client_signal_id);
";
