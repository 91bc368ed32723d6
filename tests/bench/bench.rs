//! Measures Signalbox against limits measured in the same run: a table of ratios, and a JSON file.
//!
//! `./ops/bench [section ..]`; sections are `cores actors many journal halt door postgres slow start memory`, default all. Figures are
//! medians of interleaved rounds. Nothing here asserts: a measurement informs, a test decides.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot run has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]

mod cores;
mod desk;
mod door;
mod process;
mod report;

use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // A life of its own, so that its memory is its own.
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        return process::child(args);
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let runs = |section: &str| wanted.is_empty() || wanted.iter().any(|w| w == section);
    let mut report = Report::default();
    if runs("cores") {
        cores::run(&mut report);
    }
    if runs("actors") {
        desk::memory(&mut report);
    }
    if runs("many") {
        desk::many(&mut report);
    }
    if runs("journal") {
        desk::sqlite(&mut report);
    }
    if runs("halt") {
        desk::halt(&mut report);
    }
    if runs("door") {
        door::run(&mut report, std::time::Duration::ZERO);
    }
    // Where a server is at hand: `ops/bench` starts one.
    if let Ok(server) = std::env::var("SIGNALBOX_BENCH_POSTGRES")
        && runs("postgres")
    {
        desk::postgres(&mut report, &server);
        door::postgres(&mut report, &server);
    }
    if runs("slow") {
        door::run(&mut report, std::time::Duration::from_millis(5));
    }
    if runs("start") {
        process::start(&mut report);
    }
    if runs("memory") {
        process::memory(&mut report);
    }
    report.print();
    report.save();
}
