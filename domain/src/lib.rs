//! The cores of Signalbox: everything that decides, and nothing that waits.
//!
//! No async, no clock, no input or output, no randomness without a seed: time comes in as an argument, decisions go
//! out as [`event::Event`]s and requests. Each stateful core has the same face, `handle(at, input, &mut effects)`, and
//! changes itself only by applying its own events, so that a replay of the journal gives the same state.

pub mod account;
pub mod allocation;
pub mod broker;
pub mod calendar;
pub mod capital;
#[cfg(test)]
mod cases;
pub mod contract;
pub mod corporate;
mod csv;
pub mod daily;
pub mod denial;
pub mod event;
pub mod execution;
pub mod extremes;
pub mod fees;
pub mod futures;
pub mod fx;
pub mod hash;
pub mod ids;
pub mod instrument;
pub mod issues;
pub mod ledger;
pub mod manner;
pub mod market;
pub mod netting;
pub mod order;
pub mod paper;
pub mod parent;
pub mod plan;
pub mod quote;
pub mod reconcile;
pub mod registry;
pub mod replay;
pub mod repo;
pub mod risk;
pub mod row;
pub mod rules;
pub mod seeded;
pub mod signal;
pub mod standing;
pub mod strategy;
pub mod symbol;
pub mod symbols;
pub mod tables;
pub mod units;
pub mod view;
