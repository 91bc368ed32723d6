//! The store: inbox, journal, projections and people, on SQLite or PostgreSQL.

use sea_orm::Statement;
use signalbox_domain::event::Event;

/// An administrative change: statements built with sea-orm, run by the one writer together with the audit event, all
/// or nothing.
#[derive(Debug)]
pub struct Change {
    pub statements: Vec<(Statement, Expect)>,
    pub event: Event,
}

/// How many rows a statement of a [`Change`] must touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Any,
    /// Exactly one, otherwise the whole change is undone: compare-and-set by a `WHERE` clause.
    One,
}

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("the row was changed by somebody else, or is gone")]
    Conflict,
    #[error("a row with this key exists")]
    Duplicate,
    #[error("the store cannot write now")]
    Unavailable,
}
