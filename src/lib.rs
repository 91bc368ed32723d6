//! Signalbox: the program around the cores.

pub mod clock;
pub mod conf;
pub mod demo;
pub mod door;
pub mod http;
pub mod market;
pub mod people;
pub mod registered;
pub mod replay;
pub mod restore;
pub mod retention;
pub mod say;
pub mod sim;
pub mod store;
pub mod system;
pub mod telemetry;
