//! The simulator: every core of Signalbox in a world that is made from one number, held against an oracle.
//!
//! Nothing in here waits, asks the time or throws dice that the seed did not make, so a seed that fails once fails for
//! ever, on every machine.

pub mod books;
pub mod campaign;
pub mod day;
pub mod desk;
mod house;
pub mod hunt;
mod line;
pub mod oracle;
pub mod trouble;
pub mod world;
