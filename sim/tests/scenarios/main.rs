//! Stories of the desk, told as a trader would: what comes in at what time, and after `->` what goes out.

mod stage;
mod stories;
