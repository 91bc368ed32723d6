//! The actix shell around the cores: mailboxes, supervision, timers and the hand-over to the journal, and no decisions.

pub mod journal;
