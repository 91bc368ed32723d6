//! Signalbox: the program around the cores.

pub mod store;
