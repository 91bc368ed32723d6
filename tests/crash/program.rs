//! The program under test as an operator handles it: start, wait until it is ready, kill, stop.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

pub(crate) use signalbox_support::drill::PASSWORD;
use signalbox_support::drill::program;
pub(crate) use signalbox_support::drill::program::{Program, now};

/// The setting of the database's address.
pub(crate) const DATABASE: &str = "SIGNALBOX__STORE__URL";

const BINARY: &str = env!("CARGO_BIN_EXE_signalbox");

/// Starts on the folder without waiting for anything.
#[must_use]
pub(crate) fn spawn(data: &Path, clock: &str) -> Child {
    program::spawn(&mut command(data, clock), &log_of(data))
}

/// What is started, for a test that has something to add.
#[must_use]
pub(crate) fn command(data: &Path, clock: &str) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["demo", "--no-strategies", "--listen", "127.0.0.1:0", "--clock", clock, "--data"]).arg(data);
    command.env("SIGNALBOX_ADMIN_PASSWORD", PASSWORD);
    command
}

/// Beside the data folder, because that is what is under test.
#[must_use]
pub(crate) fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

pub(crate) async fn start(data: &Path, clock: &str) -> Program {
    Program::ready(now(), spawn(data, clock), &log_of(data)).await
}

/// Runs a subcommand to its end.
#[must_use]
pub(crate) fn run(args: &[&str], data: &Path) -> Output {
    run_on(args, data, None)
}

/// The same on another database than the folder's.
#[must_use]
pub(crate) fn run_on(args: &[&str], data: &Path, database: Option<&str>) -> Output {
    let mut command = Command::new(BINARY);
    command.args(args).arg("--data").arg(data).env("RUST_LOG", "error");
    if let Some(database) = database {
        command.env(DATABASE, database);
    }
    command.output().unwrap()
}

/// Runs a subcommand that has to succeed; what it printed.
pub(crate) fn succeed(args: &[&str], data: &Path) -> String {
    let output = run(args, data);
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "signalbox {}: {said}{complained}", args.join(" "));
    said.into_owned()
}

/// The end of the program's log.
#[must_use]
pub(crate) fn tail(data: &Path) -> String {
    program::tail(&log_of(data))
}
