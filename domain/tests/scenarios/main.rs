//! Stories of the desk, told as a trader would: what comes in at what time, and after `->` what goes out.

#[path = "../desk/mod.rs"]
mod desk;
mod stage;
mod stories;
