//! Signalbox: the program around the cores.

pub mod clock;
pub mod http;
pub mod market;
pub mod people;
pub mod store;
