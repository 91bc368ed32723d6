//! Kills the real program at random instants and proves afterwards that nothing is lost and nothing is doubled.
//!
//! A driver with its own fsynced ledger of keys and answers sends signals over several connections; the program is
//! killed (SIGKILL), started again on the same folder, and asked again with the same keys for everything that it did
//! not answer. What it tells of itself then is reckoned up independently of it.
//!
//! `CRASH_KILLS` says how often (40 by default, 200 for the full run), `CRASH_SEED` repeats the driver's choices. Where
//! a kill hits is up to the machine's scheduler, so a seed repeats the traffic and not the instant.
//!
//! SIGKILL leaves the page cache alive: a power cut is another test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(unix)]
mod archive;
#[cfg(target_os = "linux")]
mod disk;
mod drill;
#[cfg(unix)]
mod locked;
mod orderly;
#[cfg(unix)]
mod postgres;
mod program;
mod reckoning;
mod torture;
#[cfg(unix)]
mod two;

use signalbox_support::drill::{Dice, driver};
