//! The store against a real database: SQLite always, PostgreSQL where `SIGNALBOX_TEST_POSTGRES` names a server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "store/archive.rs"]
mod archive;
#[path = "store/change.rs"]
mod change;
#[path = "store/columns.rs"]
mod columns;
#[path = "store/dropped.rs"]
mod dropped;
#[cfg(target_os = "linux")]
#[path = "store/faults.rs"]
mod faults;
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
#[path = "store/upkeep.rs"]
mod upkeep;
#[path = "store/versions.rs"]
mod versions;
