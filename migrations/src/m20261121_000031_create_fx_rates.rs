//! Exchange rates as they were stated, the newest of each pair.

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
CREATE TABLE fx_rates (
    currency TEXT NOT NULL,
    base TEXT NOT NULL,
    rate_e6 {int} NOT NULL CHECK (rate_e6 > 0),
    source TEXT NOT NULL,
    as_of_us {int} NOT NULL,
    PRIMARY KEY (currency, base)
) {keyed_table};
";
