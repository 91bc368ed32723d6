//! A broker that does not exist: several accounts at any level of trust, a ledger that tells the truth, and a switch for
//! each thing that was seen to go wrong at a real one.
//!
//! The machine is pure, so that a simulator can run it without a network. A process of its own puts it behind HTTP
//! (`fake-broker` among the test programs); [`adapter::FakeAdapter`] is the adapter that talks to it.

pub mod adapter;
mod apply;
#[cfg(feature = "fake")]
pub mod client;
pub mod fault;
mod lists;
mod oracle;
mod parse;
mod state;
pub mod truth;
pub mod wire;

pub use lists::renumbered;
pub use oracle::{AccountTruth, OrderTruth};
pub use state::{Answer, FakeBroker, FakeConf, How, names_nothing, show_no};
