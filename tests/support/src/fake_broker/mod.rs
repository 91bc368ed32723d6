//! The fake broker as a process of its own: the machine of `signalbox_brokers::fake` behind HTTP on the loopback, with a
//! ledger on disk that is durable before any answer leaves and is read back at the start.

mod http;
mod ledger;
mod process;

pub use http::{Running, start};
pub use ledger::{Ledger, read};
pub use process::{Control, Process, Teller};
