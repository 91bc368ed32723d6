//! The actix shell around the cores: mailboxes, supervision, timers and the hand-over to the journal, and no decisions.

pub mod account;
pub mod board;
pub mod clock;
pub mod crash;
pub mod desk;
pub mod gate;
pub mod journal;
pub mod market;
pub mod port;
pub mod registrar;
pub mod risk;
pub mod root;
pub mod session;
pub mod strategy;
pub mod supervise;
