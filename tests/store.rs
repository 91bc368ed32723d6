//! The store against a real database: SQLite always, PostgreSQL where `SIGNALBOX_TEST_POSTGRES` names a server.

#[path = "store/support.rs"]
mod support;

#[path = "store/change.rs"]
mod change;
