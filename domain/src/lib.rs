//! The cores of Signalbox: everything that decides, and nothing that waits.
//!
//! No async, no clock, no input or output, no randomness without a seed: time comes in as an argument, decisions go
//! out as [`event::Event`]s and requests. Each stateful core has the same face, `handle(at, input, &mut effects)`, and
//! changes itself only by applying its own events, so that a replay of the journal gives the same state.

pub mod ids;
pub mod order;
pub mod paper;
pub mod quote;
pub mod symbol;
pub mod units;
