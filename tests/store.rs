//! The store against a real database: SQLite always, PostgreSQL where `SIGNALBOX_TEST_POSTGRES` names a server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "store/change.rs"]
mod change;
#[path = "store/inbox.rs"]
mod inbox;
#[path = "store/ingest.rs"]
mod ingest;
#[path = "store/journal.rs"]
mod journal;
#[path = "store/lists.rs"]
mod lists;
#[path = "store/restart.rs"]
mod restart;
#[path = "store/support.rs"]
mod support;
#[path = "store/versions.rs"]
mod versions;
