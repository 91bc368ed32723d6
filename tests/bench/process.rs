//! The program from outside: how soon it is ready, how much memory it takes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::report::{Report, median};

pub(crate) fn run(report: &mut Report) {
    let mut ready = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, seconds) = start(folder.path());
        ready.push(seconds);
        std::thread::sleep(std::time::Duration::from_millis(500));
        memory.push(resident_mib(&child));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    report.at_most("start to ready, empty", median(ready), "s", 0.3);
    report.at_most("memory, idle server", median(memory), "MiB", 60.0);
}

fn start(folder: &Path) -> (Child, f64) {
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

fn resident_mib(child: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
