//! The program from outside: how soon it is ready, how much memory it takes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::report::{Report, median};

pub(crate) fn start(report: &mut Report) {
    let mut ready = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, seconds) = serve(folder.path());
        ready.push(seconds);
        std::thread::sleep(std::time::Duration::from_millis(500));
        memory.push(resident_mib(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    report.at_most("start to ready, empty", median(ready), "s", 0.3);
    report.at_most("memory, idle server", median(memory), "MiB", 60.0);
}

/// An order that trades to its end at once writes so many lines.
const LINES_PER_SIGNAL: u64 = 6;

/// A million signals, each traded to its end: what stays in memory, and how long the next start takes; and the start
/// upon a million lines.
pub(crate) fn memory(report: &mut Report) {
    let one = child_says(&["accounts", "1"]);
    let many = child_says(&["accounts", "10001"]);
    report.at_most("memory, each idle account", (many - one) * 1024.0 / 10_000.0, "KiB", 8.0);
    let traded = |signals: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mib = child_says(&["signals", &signals.to_string(), folder.path().to_str().unwrap()]);
        let ready = (0..3).map(|_| {
            let (mut child, seconds) = serve(folder.path());
            child.kill().unwrap();
            child.wait().unwrap();
            seconds
        });
        (mib, median(ready.collect()))
    };
    let (_, ready) = traded(1_000_000_u64.div_ceil(LINES_PER_SIGNAL));
    report.at_most("start to ready, 1,000,000 journal events", ready, "s", 3.0);
    let (mib, ready) = traded(1_000_000);
    report.at_most("memory after 1,000,000 signals", mib, "MiB", 100.0);
    report.tell("start to ready, 6,000,000 journal events", ready, "s");
}

/// Runs this program again and reads the number that it prints.
fn child_says(args: &[&str]) -> f64 {
    let me = std::env::current_exe().unwrap();
    let output = Command::new(me).arg("child").args(args).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the child measured");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// What the child does: builds a world and prints how much memory it takes, in MiB.
pub(crate) fn child(mut args: impl Iterator<Item = String>) {
    match args.next().as_deref() {
        Some("accounts") => crate::desk::idle(args.next().unwrap().parse().unwrap(), || {
            println!("{}", resident_mib(std::process::id()));
        }),
        Some("signals") => {
            let (count, folder) = (args.next().unwrap().parse().unwrap(), args.next().unwrap());
            crate::desk::durable(Path::new(&folder), "sqlite:signalbox.db".to_owned(), count, || {
                println!("{}", resident_mib(std::process::id()));
            });
        }
        _ => unreachable!("children are started by this program"),
    }
}

fn serve(folder: &Path) -> (Child, f64) {
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_signalbox"))
        .args(["demo", "--no-strategies", "--listen", "127.0.0.1:0", "--clock", "2025-03-03T10:00:00+08:00", "--data"])
        .arg(folder)
        .env("SIGNALBOX_ADMIN_PASSWORD", "correct horse battery")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.any(|line| line.is_ok_and(|line| line.contains("listens on")));
    assert!(ready, "the server started");
    let seconds = begin.elapsed().as_secs_f64();
    // The pipe stays open for as long as the process lives.
    std::mem::forget(lines);
    (child, seconds)
}

fn resident_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
