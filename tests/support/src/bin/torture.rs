//! `torture`: kills Signalbox, its fake broker, the line between them and its database at random instants and at named
//! ones, and compares what all remember with what the clients were answered. `ops/torture` builds and starts it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use signalbox_brokers::fake::fault::Fault;
use signalbox_domain::broker::Level;
use signalbox_support::drill::program::{now, tail};
use signalbox_support::torture::database::{Database, Server};
use signalbox_support::torture::figures::Figures;
use signalbox_support::torture::run::{Exes, Plan, Run};

const LEVELS: [(&str, Level); 5] =
    [("L0", Level::L0), ("L1", Level::L1), ("L2", Level::L2), ("L3", Level::L3), ("L4", Level::L4)];

#[derive(Debug, Parser)]
#[command(about = "Kills Signalbox, its broker and its database, and compares their memories")]
struct Args {
    /// None: a run without any kill, for `--seconds` (30).
    #[arg(long, default_value_t = 100)]
    kills: u64,
    #[arg(long, default_value = "mixed", value_parser = ["L0", "L1", "L2", "L3", "L4", "mixed"])]
    level: String,
    #[arg(long)]
    seed: Option<u64>,
    /// `mixed`: half of the kills on each.
    #[arg(long, default_value = "sqlite", value_parser = ["sqlite", "postgres", "mixed"])]
    database: String,
    /// Kills between two comparisons.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Kills of one folder and database; then a fresh one.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    per_folder: u64,
    /// One of so many kills is at a named crash point; 0: none, and the binary that is shipped only.
    #[arg(long, default_value_t = 3)]
    points: u64,
    /// How many of a thousand submits or cancels each fault strikes.
    #[arg(long, default_value_t = 15)]
    per_mille: u32,
    /// Begin no kill after so many seconds, and compare.
    #[arg(long)]
    seconds: Option<u64>,
    /// A fault that nobody survives, such as submit_placed_twice: the comparison has to find it.
    #[arg(long, value_parser = fault)]
    plant: Option<Fault>,
    #[arg(long)]
    report: Option<PathBuf>,
    /// Where all sides write; kept when something is wrong.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Keep the folder in any case.
    #[arg(long)]
    keep: bool,
}

fn fault(text: &str) -> Result<Fault, String> {
    serde_json::from_value(json!(text)).map_err(|e| e.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()));
    let folder = args.folder.clone();
    let folder = folder.unwrap_or_else(|| std::env::temp_dir().join(format!("signalbox-torture-{seed}")));
    // What an earlier run with the same seed left is another run's.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let databases = databases(&args.database);
    println!("torture: {} kills at {} on {}, seed {seed}", args.kills, args.level, args.database);

    let (mut reports, mut wrong) = (Map::new(), Vec::new());
    for (n, database) in (0_u64..).zip(&databases) {
        let kills = args.kills / databases.len() as u64;
        let plan = plan(&args, kills, databases.len() as u64, seed.wrapping_add(n));
        let (figures, end) = torment(plan, database, &folder).await;
        println!("{}", figures.line(database.name()));
        let mut report = figures.report();
        if let Err(faults) = end {
            report["faults"] = json!(faults);
            let shown = faults[..faults.len().min(20)].join("\n");
            wrong.push(format!("{}: {} faults, seed {seed}:\n{shown}", database.name(), faults.len()));
        }
        reports.insert(database.name().to_owned(), report);
    }
    let report = json!({
        "level": args.level, "seed": seed, "per_mille": args.per_mille, "databases": Value::Object(reports),
    });
    println!("{report}");
    if let Some(path) = &args.report {
        std::fs::write(path, format!("{report:#}\n")).unwrap();
    }
    if wrong.is_empty() {
        if !args.keep {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        return ExitCode::SUCCESS;
    }
    eprintln!("torture: kept in {}\n{}", folder.display(), wrong.join("\n"));
    ExitCode::FAILURE
}

fn databases(which: &str) -> Vec<Database> {
    let postgres = || {
        let variable =
            |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: use ops/torture"));
        Database::Postgres(Server {
            url: variable("SIGNALBOX_TORTURE_POSTGRES"),
            restart: variable("SIGNALBOX_TORTURE_POSTGRES_RESTART"),
        })
    };
    match which {
        "sqlite" => vec![Database::Sqlite],
        "postgres" => vec![postgres()],
        _ => vec![Database::Sqlite, postgres()],
    }
}

fn plan(args: &Args, kills: u64, databases: u64, seed: u64) -> Plan {
    let beside = |name: &str| std::env::current_exe().unwrap().with_file_name(name);
    let levels = LEVELS.into_iter().filter(|(name, _)| args.level == "mixed" || args.level == *name);
    Plan {
        exes: Exes {
            shipped: beside("signalbox"),
            with_points: beside("signalbox-crash-points"),
            broker: beside("fake-broker"),
        },
        kills,
        levels: levels.map(|(_, level)| level).collect(),
        seed,
        every: args.every,
        per_folder: args.per_folder,
        points: args.points,
        per_mille: args.per_mille,
        over: args.seconds.map(|seconds| Duration::from_secs(seconds / databases)),
        plant: args.plant,
    }
}

/// All folders of one database.
async fn torment(plan: Plan, database: &Database, folder: &Path) -> (Figures, Result<(), Vec<String>>) {
    let bar = ProgressBar::new(plan.kills);
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} kills  {elapsed}  {msg}");
    bar.set_style(style.unwrap());
    bar.set_prefix(database.name());
    let quiet = !std::io::stderr().is_terminal();
    let tell = |figures: &Figures| {
        bar.set_position(figures.killed());
        bar.set_message(figures.progress());
        if quiet {
            println!("{}: {} kills, {}: all agree", database.name(), figures.killed(), figures.progress());
        }
    };
    let (began, mut figures, mut end) = (now(), Figures::default(), Ok(()));
    let (mut n, kills, over) = (0, plan.kills, plan.over);
    while end.is_ok() {
        let own = folder.join(format!("{}-{n}", database.name()));
        let mut run = Run::begin(&plan, database, &own, n, figures).await;
        end = run.go(&tell).await;
        if end.is_err() {
            eprintln!("{}", tail(&run.log));
        }
        figures = run.end().await;
        n += 1;
        if figures.killed() >= kills || over.is_some_and(|over| began.elapsed() > over) {
            break;
        }
        figures.turn_page();
    }
    figures.took = began.elapsed();
    bar.finish_and_clear();
    let end = end.and_then(|()| figures.promised(&plan).map_err(|words| vec![words]));
    (figures, end)
}
