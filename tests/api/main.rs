//! The front door as its users and its enemies see it: real HTTP against a real server with its own data folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::disallowed_methods, reason = "tests wait for servers, on the real clock")]

mod attacks;
mod bad_input;
mod bars;
mod books;
mod contracts;
mod corporate;
mod days;
mod exceptions;
mod execution;
mod imported;
mod matrix;
mod most;
mod netting;
mod new_issues;
mod one_click;
mod over_night;
mod past;
mod people;
mod refusals;
mod replace;
mod risk;
mod sessions;
mod setup;
mod sizes;
mod strategies;
mod support;
mod trading;
mod under_load;
mod watch;
