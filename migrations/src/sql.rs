//! One text of SQL for both databases: the few words that differ are written in braces.
//!
//! Text instead of builder calls, because the schema is the last line of defence (checks, partial indexes, tables
//! without rowid) and is read more often than written.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

const WORDS: [(&str, &str, &str); 5] = [
    // (word, SQLite, PostgreSQL)
    ("{int}", "INTEGER", "BIGINT"),
    ("{bool}", "INTEGER", "BOOLEAN"),
    ("{blob}", "BLOB", "BYTEA"),
    ("{table}", "STRICT", ""),
    // For small tables that are always found by their whole key.
    ("{keyed_table}", "STRICT, WITHOUT ROWID", ""),
];

/// Runs all statements of the text.
pub(crate) async fn run(manager: &SchemaManager<'_>, text: &str) -> Result<(), DbErr> {
    let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
    let mut sql = text.to_owned();
    for (word, on_sqlite, on_postgres) in WORDS {
        sql = sql.replace(word, if sqlite { on_sqlite } else { on_postgres });
    }
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
