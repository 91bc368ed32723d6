//! The front door as its users and its enemies see it: real HTTP against a real server with its own data folder.

mod attacks;
mod bad_input;
mod matrix;
mod sessions;
mod support;
