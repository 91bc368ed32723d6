//! Doubt at brokers that cannot look our ids up: a pocket desk, and a broker whose lists the test writes.
//!
//! The names of the tests begin with the failure's number in the reliability design.

mod altered;
mod answers;
mod broker;
mod late;
mod levels;
mod lists;
mod orders;
mod persons;
mod settle;
