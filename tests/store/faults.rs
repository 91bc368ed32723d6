//! A disk that fails at the N-th write, flush, truncation, making or removing of a file: what was answered is there
//! after the next start, once, and the rest as a whole or not at all.
//!
//! The process under test is this test program started again as [`under_faults`], with the shim of
//! `tests/support/shim/disk.c` before libc. It drives the store alone, so that N can be every number in bounded time;
//! `tests/crash/disk.rs` does the same by sample to the whole program. Each step waits for the one before, so the N-th
//! operation is the same in every run, but for those of the thread that folds the log.
//!
//! `STORAGE_ALL=1` (see `ops/storage`) takes every N for each kind of fault, or every `STORAGE_STEP`-th;
//! `STORAGE_KINDS` names some kinds, `STORAGE_SEED` repeats a sample, `STORAGE_REPORT` names a file for the figures.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use signalbox::store::{Hooks, Ingested, LogHooks, Store, StoreConf};
use signalbox_actors::journal::{Entry, Inbox as _, Journal as _};
use signalbox_domain::ids::SignalId;
use signalbox_support::disk::{Disk, Fault, Kind, PLANS, Seen};
use signalbox_support::drill::Dice;
use tokio::sync::Notify;

use crate::support::{entry, life, new_signal, strategy};

/// Intents: 200 in twenty rounds, half of them in a second life on the same folder.
const ROUNDS: usize = 20;
const PER_ROUND: usize = 10;
const FILLS_PER_SIGNAL: usize = 2;
/// Some dozen commits: folding is under way in much of the run.
const FOLD_PAGES: i32 = 200;
/// A sample takes a few seconds.
const SAMPLE: usize = 40;

/// Given back where the disk is full.
const BALLAST: u64 = 1 << 20;
/// The whole scenario takes a tenth of a second.
const HANGS_AFTER: Duration = Duration::from_secs(30);

const FOLDER: &str = "SIGNALBOX_FAULTS_FOLDER";
const SYNCHRONOUS: &str = "SIGNALBOX_FAULTS_SYNCHRONOUS";

#[tokio::test]
async fn f40_f41_whatever_the_disk_does_at_the_nth_operation_what_was_answered_is_kept() {
    let rig = Rig::new();
    let total = rig.count().await;
    let seed = number("STORAGE_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let all = number("STORAGE_ALL").is_some();
    let step = number("STORAGE_STEP").unwrap_or(1);
    let kinds = std::env::var("STORAGE_KINDS").ok();
    println!("STORAGE_SEED={seed}: {total} operations");
    let mut dice = Dice::new(seed);
    let mut report = format!("{total} operations of 200 intents, seed {seed}\n");
    let mut faults = Vec::new();
    for plan in PLANS.iter().filter(|plan| kinds.as_ref().is_none_or(|kinds| kinds.split(',').any(|k| k == plan.name)))
    {
        let places: Vec<u64> = if all {
            (1..=total).step_by(step as usize).collect()
        } else {
            (0..SAMPLE.div_ceil(PLANS.len())).map(|_| dice.between(1, total)).collect()
        };
        let mut ends = Ends::default();
        let bar = ProgressBar::new(places.len() as u64).with_message(plan.name);
        bar.set_style(ProgressStyle::with_template("{msg:>8} {wide_bar} {pos}/{len}, {eta} left").unwrap());
        for at in &places {
            let fault = plan.at(*at, &mut dice);
            let run = rig.run(fault, "FULL");
            ends.count(&run);
            let wrong = rig.reckon(&run).await.err().unwrap_or_default();
            for wrong in wrong.into_iter().take(3) {
                faults.push(format!("{} {fault:?} ({}): {wrong}", plan.name, run.seen.what));
                bar.suspend(|| eprintln!("{}", faults[faults.len() - 1]));
            }
            bar.inc(1);
        }
        bar.finish();
        writeln!(report, "{}: {} runs, {}", plan.name, places.len(), ends.text()).unwrap();
    }
    writeln!(report, "{} wrong", faults.len()).unwrap();
    println!("{report}");
    if let Ok(path) = std::env::var("STORAGE_REPORT") {
        std::fs::write(path, format!("{report}{}\n", faults.join("\n"))).unwrap();
    }
    assert!(faults.is_empty(), "{} wrong:\n{}", faults.len(), faults[..faults.len().min(10)].join("\n"));
}

/// The control: where the database is told not to flush each commit, and where the disk only says that it flushed, the
/// same reckoning finds that answered signals are lost.
#[tokio::test]
async fn less_than_full_flushing_loses_answered_signals_and_the_reckoning_sees_it() {
    let rig = Rig::new();
    let total = rig.count().await;
    let (mut normal, mut lying) = (0, 0);
    for tenth in 4..9 {
        let at = total * tenth / 10;
        let run = rig.run(Fault { kind: Kind::Lost, at, cut: None, seed: tenth }, "NORMAL");
        normal += usize::from(lost(&rig.reckon(&run).await));
        let run = rig.run(Fault { kind: Kind::Lie, at, cut: Some(total / 10), seed: tenth }, "FULL");
        lying += usize::from(lost(&rig.reckon(&run).await));
    }
    println!("of 5 power cuts each, {normal} lost something with synchronous=NORMAL, {lying} with a disk that lies");
    assert!(normal > 0 && lying > 0, "{normal}, {lying}");
}

fn lost(found: &Result<(), Vec<String>>) -> bool {
    found.as_ref().is_err_and(|wrong| wrong.iter().any(|wrong| wrong.starts_with("lost: ")))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// How the processes ended.
#[derive(Debug, Default)]
struct Ends(BTreeMap<&'static str, usize>);

impl Ends {
    fn count(&mut self, run: &Run) {
        let end = match (run.code, run.seen.met) {
            (_, false) => "not met",
            (None, _) => "killed",
            (Some(0), _) => "went on",
            (Some(70), _) => "ended itself",
            (Some(1), _) => "refused to start",
            _ => "ended otherwise",
        };
        *self.0.entry(end).or_default() += 1;
    }

    fn text(&self) -> String {
        self.0.iter().map(|(end, count)| format!("{count} {end}")).collect::<Vec<_>>().join(", ")
    }
}

/// What one process did on a folder of its own, before the fault and after it.
struct Run {
    fault: Fault,
    data: PathBuf,
    seen: Seen,
    /// `None`: killed.
    code: Option<i32>,
    /// Key and id of each answered signal.
    answered: BTreeMap<String, u64>,
    /// Rounds whose fills were said to be durable, and how many of each signal.
    durable: BTreeMap<usize, usize>,
    /// Why the store could not be opened.
    refusal: Option<String>,
}

struct Rig {
    folder: tempfile::TempDir,
    disk: Disk,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::compile(folder.path());
        Self { folder, disk }
    }

    /// Runs without a fault: how many operations there are.
    async fn count(&self) -> u64 {
        let run = self.run(Fault { kind: Kind::Count, at: 0, cut: None, seed: 0 }, "FULL");
        assert_eq!((run.code, run.answered.len()), (Some(0), ROUNDS * PER_ROUND));
        self.reckon(&run).await.unwrap();
        run.seen.operations
    }

    fn run(&self, fault: Fault, synchronous: &str) -> Run {
        let data = self.folder.path().join("data");
        let _ = std::fs::remove_dir_all(&data); // of the run before
        std::fs::create_dir(&data).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["faults::under_faults", "--exact", "--ignored", "--nocapture"]);
        command.env(FOLDER, &data).env(SYNCHRONOUS, synchronous).stdin(Stdio::null()).stderr(Stdio::null());
        self.disk.under(&mut command, &data, fault);
        let output = command.output().unwrap();
        let mut run = Run {
            fault,
            data,
            seen: self.disk.seen(),
            code: output.status.code(),
            answered: BTreeMap::new(),
            durable: BTreeMap::new(),
            refusal: None,
        };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["#", "answered", key, id] => {
                    let before = run.answered.insert(key.to_owned(), id.parse().unwrap());
                    assert_eq!(before, None, "the scenario asks once");
                }
                ["#", "durable", round, fills] => {
                    run.durable.insert(round.parse().unwrap(), fills.parse().unwrap());
                }
                ["#", "refused:", ..] => run.refusal = Some(line.to_owned()),
                _ => {}
            }
        }
        run
    }

    /// Starts on what is left, on a sound disk, and holds it against what was answered. Then everything is asked for
    /// again, as clients do.
    async fn reckon(&self, run: &Run) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        // A disk that failed may keep a process from starting; then it has to say so.
        match (run.code, &run.refusal) {
            (None | Some(0 | 70), None) | (None | Some(1), Some(_)) => {}
            (code, refusal) => wrong.push(format!("ended: with {code:?}, and said {refusal:?}")),
        }
        // A process that met a full disk and ended itself left room for the next one.
        let full = run.fault.kind == Kind::Full && run.code == Some(70) && run.seen.what.starts_with("write");
        if full && run.data.join("ballast").exists() {
            wrong.push("ballast: it was not given back".to_owned());
        }
        let store = match Store::open(conf(&run.data)).await {
            Ok(store) => store,
            Err(error) => return Err(vec![format!("refused: {}", chain_of(&error))]),
        };
        if let Err(error) = store.verify_chain(1).await {
            wrong.push(format!("chain: {error}"));
        }
        rows(run, &mut wrong);
        let keys: Vec<String> = (0..ROUNDS * PER_ROUND).map(|n| format!("key-{n}")).collect();
        let again = store.ingest_batch(keys.iter().map(|key| new_signal(key)).collect()).await.unwrap();
        for (key, answer) in keys.iter().zip(again) {
            match (answer, run.answered.get(key)) {
                (Ingested::Replayed(signal), Some(id)) if signal.id.get() == *id => {}
                (Ingested::Replayed(_) | Ingested::Accepted(_), None) => {}
                (answer, known) => wrong.push(format!("lost: {key}, answered as {known:?}, is {answer:?} now")),
            }
        }
        let signals = count(&run.data, "SELECT count(*) FROM signals");
        if signals != (ROUNDS * PER_ROUND) as i64 {
            wrong.push(format!("doubled: {signals} signals after all were asked for again"));
        }
        if let Err(error) = store.verify_chain(1).await {
            wrong.push(format!("chain: after going on: {error}"));
        }
        store.close();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// What the tables hold, read past the store.
fn rows(run: &Run, wrong: &mut Vec<String>) {
    let connection = rusqlite::Connection::open(file(&run.data)).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    if sound != "ok" {
        wrong.push(format!("integrity: {sound}"));
    }
    let mut stored: HashMap<String, u64> = HashMap::new();
    let mut select = connection.prepare("SELECT client_signal_id, id FROM signals").unwrap();
    let found = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64))).unwrap();
    for (key, id) in found.map(Result::unwrap) {
        if let Some(other) = stored.insert(key.clone(), id) {
            wrong.push(format!("doubled: {key} is {other} and {id}"));
        }
    }
    for (key, id) in &run.answered {
        if stored.get(key) != Some(id) {
            wrong.push(format!("lost: {key} was answered as {id} and is {:?}", stored.get(key)));
        }
    }
    // Each round's fills come in two transactions: all ten signals have the same number.
    let mut select = connection
        .prepare(
            "SELECT signals.client_signal_id, count(fills.id) FROM signals
             LEFT JOIN orders ON orders.id >> 24 = signals.id LEFT JOIN fills ON fills.order_id = orders.id
             GROUP BY signals.id",
        )
        .unwrap();
    let found = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as usize))).unwrap();
    let mut rounds: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (key, fills) in found.map(Result::unwrap) {
        let n: usize = key.trim_start_matches("key-").parse().unwrap();
        rounds.entry(n / PER_ROUND).or_default().push(fills);
    }
    for (round, fills) in &rounds {
        let least = run.durable.get(round).copied().unwrap_or(0);
        if fills.len() != PER_ROUND || fills.iter().any(|count| count != &fills[0]) {
            wrong.push(format!("half: round {round} has {fills:?} fills"));
        } else if fills[0] < least || fills[0] > FILLS_PER_SIGNAL {
            wrong.push(format!("lost: round {round} has {} fills of each signal, {least} were durable", fills[0]));
        }
    }
    for round in run.durable.keys().filter(|round| !rounds.contains_key(round)) {
        wrong.push(format!("lost: round {round} is gone"));
    }
}

fn count(data: &Path, sql: &str) -> i64 {
    rusqlite::Connection::open(file(data)).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn conf(data: &Path) -> StoreConf {
    StoreConf { disk_floor_bytes: 0, ballast_bytes: BALLAST, ..StoreConf::new(StoreConf::SQLITE_DEFAULT, data) }
}

fn file(data: &Path) -> PathBuf {
    data.join("signalbox.db")
}

fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        write!(text, ": {cause}").unwrap();
        next = cause.source();
    }
    text
}

/// Not a test: the process that the tests start.
#[test]
#[ignore = "is started by the tests of the disk"]
fn under_faults() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let synchronous = if std::env::var(SYNCHRONOUS).unwrap() == "NORMAL" { "NORMAL" } else { "FULL" };
    println!(); // the test runner leaves its line open
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scenario = async {
        for rounds in [0..ROUNDS / 2, ROUNDS / 2..ROUNDS] {
            let hooks = Hooks { log: LogHooks { fold_pages: FOLD_PAGES, synchronous }, ..Hooks::default() };
            let store = match Store::open_with(conf(Path::new(&folder)), hooks).await {
                Ok(store) => store,
                Err(error) => {
                    println!("# refused: {}", chain_of(&error));
                    std::process::exit(1);
                }
            };
            let inbox = store.inbox(Box::new(|_| {}));
            let committed = Arc::new(Notify::new());
            let bell = committed.clone();
            store.on_commit(Box::new(move |_| bell.notify_one()));
            for round in rounds {
                trade(&store, &committed, round).await;
                let _ = inbox.take(&strategy(), PER_ROUND);
            }
            store.close();
        }
    };
    let code = runtime.block_on(async { tokio::time::timeout(HANGS_AFTER, scenario).await.map_or(3, |()| 0) });
    std::process::exit(code);
}

/// One round: the door, then the lives of its orders in three transactions.
async fn trade(store: &Store, committed: &Notify, round: usize) {
    let keys: Vec<String> = (0..PER_ROUND).map(|n| format!("key-{}", round * PER_ROUND + n)).collect();
    let Ok(answers) = store.ingest_batch(keys.iter().map(|key| new_signal(key)).collect()).await else { hang().await };
    let mut ids: Vec<SignalId> = Vec::new();
    for (key, answer) in keys.iter().zip(answers) {
        let Ingested::Accepted(signal) = answer else { panic!("{key} is new") };
        println!("# answered {key} {}", signal.id.get());
        ids.push(signal.id);
    }
    let lives: Vec<Vec<Entry>> = ids.iter().map(|id| life(*id, FILLS_PER_SIGNAL)).collect();
    for (fills, steps) in [(0, 0..4), (1, 4..5), (2, 5..7)] {
        let mut together = entry(Vec::new(), Vec::new());
        for step in lives.iter().flat_map(|life| &life[steps.clone()]) {
            together.events.extend(step.events.iter().cloned());
            together.rows.extend(step.rows.iter().cloned());
        }
        let ticket = store.append(together);
        while store.durable() < ticket {
            committed.notified().await;
        }
        println!("# durable {round} {fills}");
    }
}

/// The writer failed, and is about to end the process.
async fn hang() -> ! {
    std::future::pending().await
}
