//! `torture`: kills Signalbox and its fake broker at random instants, and compares what both remember with what the
//! clients were answered. `ops/torture` builds and starts it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use signalbox_brokers::fake::fault::{Arm, Fault};
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_domain::broker::Level;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Qty};
use signalbox_support::drill::driver::{Driver, SYMBOL};
use signalbox_support::drill::program::{Program, now, spawn, tail};
use signalbox_support::drill::{Dice, PASSWORD};
use signalbox_support::fake_broker::{Control, Process};
use signalbox_support::torture::{Figures, reckon};

const CONNECTIONS: u64 = 3;
const PAUSE_MS: u64 = 60;
const CASH: i64 = 100_000_000;
const SHARES: i64 = 1_000_000;
/// The market clock of the first life. It never goes back, and the session ends two hours later.
const OPENS_MINUTE: u64 = 9 * 60 + 31;
const SESSION: Duration = Duration::from_secs(115 * 60);
/// What is not sent by then is taken back unsent.
const DRAINS_WITHIN: Duration = Duration::from_secs(10);
/// What an honest broker's line does to its orders.
const FAULTS: [Fault; 4] =
    [Fault::SubmitAcceptNoReply, Fault::SubmitReplyLate, Fault::SubmitErrorButLive, Fault::CancelAckLost];

#[derive(Debug, Parser)]
#[command(about = "Kills Signalbox and its broker, and compares their memories")]
struct Args {
    #[arg(long, default_value_t = 100)]
    kills: u64,
    #[arg(long, default_value = "mixed", value_parser = ["L1", "L2", "L3", "L4", "mixed"])]
    level: String,
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, default_value = "sqlite", value_parser = ["sqlite"])]
    database: String,
    /// Kills between two comparisons.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
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
    /// Where both sides write; kept when something is wrong.
    #[arg(long)]
    folder: Option<PathBuf>,
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
    println!("torture: {} kills at {}, seed {seed}", args.kills, args.level);
    let mut torture = Torture::begin(&args, seed, &folder).await;
    let end = torture.run(&args).await;
    let figures = torture.figures.line(&args.level, seed, torture.began.elapsed());
    let report = torture.figures.report(&args.level, seed, torture.began.elapsed(), end.as_ref().err());
    println!("{figures}");
    println!("{report}");
    if let Some(path) = &args.report {
        std::fs::write(path, format!("{report}\n")).unwrap();
    }
    match end {
        Ok(()) => {
            torture.broker.kill();
            std::fs::remove_dir_all(&folder).unwrap();
            ExitCode::SUCCESS
        }
        Err(faults) => {
            let shown = faults[..faults.len().min(20)].join("\n");
            eprintln!("torture: {} faults, seed {seed}, kept in {}:\n{shown}", faults.len(), folder.display());
            eprintln!("{}", tail(&torture.log));
            ExitCode::FAILURE
        }
    }
}

struct Torture {
    exe: PathBuf,
    conf: PathBuf,
    log: PathBuf,
    broker: Process,
    driver: Option<Driver>,
    accounts: Vec<String>,
    dice: Dice,
    began: Instant,
    figures: Figures,
    folder: PathBuf,
}

impl Torture {
    async fn begin(args: &Args, seed: u64, folder: &Path) -> Self {
        let beside = |name: &str| std::env::current_exe().unwrap().with_file_name(name);
        let broker = Process::start(&beside("fake-broker"), &folder.join("broker.ledger"));
        let levels: Vec<Level> = match args.level.as_str() {
            "L1" => vec![Level::L1],
            "L2" => vec![Level::L2],
            "L3" => vec![Level::L3],
            "L4" => vec![Level::L4],
            _ => vec![Level::L1, Level::L2, Level::L3, Level::L4],
        };
        let mut accounts = Vec::new();
        for level in levels {
            let account = format!("{level:?}").to_lowercase();
            let holdings = vec![(Symbol::parse(SYMBOL).unwrap(), Qty::new(SHARES))];
            let (cash, name) = (Money::from_units(CASH), account.clone());
            broker.control(&Control::Open { account: name, level, cash, holdings }).await;
            accounts.push(account);
        }
        broker.control(&Control::Fills { account: None, policy: FillPolicy::Random { ms: 150 } }).await;
        let conf = folder.join("signalbox.toml");
        std::fs::write(&conf, settings(folder, &broker.url(), &accounts)).unwrap();
        let (exe, log) = (beside("signalbox"), folder.join("signalbox.log"));
        let mut command = Command::new(&exe);
        command
            .args(["user", "add", "admin", "--role", "admin", "--clock", &clock(Duration::ZERO), "--conf"])
            .arg(&conf);
        let added = command.env("SIGNALBOX_PASSWORD", PASSWORD).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        Self {
            exe,
            conf,
            log,
            broker,
            driver: None,
            accounts,
            dice: Dice::new(seed),
            began: now(),
            figures: Figures::default(),
            folder: folder.to_owned(),
        }
    }

    async fn run(&mut self, args: &Args) -> Result<(), Vec<String>> {
        for cycle in 0.. {
            let over = args.seconds.map_or(SESSION, Duration::from_secs).min(SESSION);
            let last = self.figures.kills >= args.kills || self.began.elapsed() > over;
            if last || (cycle > 0 && cycle % args.every == 0) {
                self.compare().await?;
                println!("{}", self.figures.progress(self.began.elapsed()));
            }
            if last {
                return Ok(());
            }
            self.arm(args).await;
            let program = self.start().await;
            let mut clients = self.clients(cycle).await;
            let life = self.dice.millis(20, 500);
            if self.dice.one_in(8) {
                tokio::time::sleep(life / 2).await;
                self.kill_broker();
                tokio::time::sleep(life / 2).await;
            } else {
                tokio::time::sleep(life).await;
            }
            program.kill();
            self.figures.kills += 1;
            for client in clients.drain(..) {
                client.await.unwrap();
            }
            self.driver().nothing_is_on_the_way();
            if self.dice.one_in(10) {
                self.kill_broker();
            }
            while self.dice.one_in(5) {
                self.kill_in_recovery();
            }
        }
        Ok(())
    }

    fn driver(&self) -> &Driver {
        self.driver.as_ref().unwrap()
    }

    fn kill_broker(&mut self) {
        self.broker.kill_and_restart();
        self.figures.broker_kills += 1;
    }

    async fn arm(&mut self, args: &Args) {
        self.broker.control(&Control::Disarm).await;
        for fault in FAULTS.into_iter().chain(args.plant) {
            // Late is later than anybody waits.
            self.broker.arm(Arm { per_mille: Some(args.per_mille), ..Arm::once(fault).ms(1_500) }).await;
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.exe);
        command.args(["serve", "--clock", &clock(self.began.elapsed()), "--conf"]).arg(&self.conf);
        command
    }

    async fn start(&mut self) -> Program {
        let program = Program::ready(now(), spawn(&mut self.command(), &self.log), &self.log).await;
        self.figures.recoveries.push(program.recovery);
        self.driver = Some(match self.driver.take() {
            Some(driver) => driver.reconnected(&program.url),
            None => {
                let strategies = self.accounts.iter().map(|account| format!("to-{account}")).collect();
                Driver::new(&program.url, &self.folder.join("clients.ledger")).await.to_each(strategies, PAUSE_MS)
            }
        });
        program
    }

    /// Several clients at once; the first of them asks again for what the last life left open.
    async fn clients(&mut self, cycle: u64) -> Vec<tokio::task::JoinHandle<()>> {
        let driver = self.driver().clone();
        let _ = driver.put_quote(199, 200, 100_000).await; // market orders need one; the program lives still
        let client = |n: u64, dice: Dice| {
            let driver = driver.clone();
            tokio::spawn(async move {
                if n == 0 && driver.ask_again().await.is_err() {
                    return;
                }
                driver.trade_until_it_dies(format!("{cycle:04}-{n}"), dice).await;
            })
        };
        (0..CONNECTIONS).map(|n| client(n, Dice::new(self.dice.next()))).collect()
    }

    /// Recovery has to survive its own death.
    fn kill_in_recovery(&mut self) {
        let mut child = spawn(&mut self.command(), &self.log);
        std::thread::sleep(self.dice.millis(1, 150));
        child.kill().unwrap();
        child.wait().unwrap();
        self.figures.kills += 1;
        self.figures.kills_in_recovery += 1;
    }

    /// Nothing is wrong any more, and everything comes to rest.
    async fn compare(&mut self) -> Result<(), Vec<String>> {
        self.broker.control(&Control::Disarm).await;
        let program = self.start().await;
        let driver = self.driver().clone();
        let asked = async {
            driver.put_quote(199, 200, 100_000).await?;
            driver.ask_again().await
        };
        asked.await.map_err(|_| vec!["the program does not answer".to_owned()])?;
        drain(&driver).await;
        for account in &self.accounts {
            driver.must(&format!("/v1/accounts/{account}/cancel-all"), &Value::Null).await;
        }
        let outcome = reckon(&driver, &self.broker, &mut self.figures).await;
        if outcome.is_err() {
            let dump = json!({"signals": driver.all("/v1/signals").await, "orders": driver.all("/v1/orders").await, "broker": self.broker.truth().await});
            std::fs::write(self.folder.join("both.json"), dump.to_string()).unwrap();
        }
        program.kill();
        outcome
    }
}

/// Lets what queues reach the broker before it is taken back: below L3 orders of one shape go one after the other.
async fn drain(driver: &Driver) {
    let began = now();
    while began.elapsed() < DRAINS_WITHIN {
        let orders = driver.all("/v1/orders").await;
        if !orders.iter().any(|order| order["status"] == "pending_new" || order["status"] == "in_doubt") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The market clock after the drill went on for so long.
fn clock(elapsed: Duration) -> String {
    let time = Duration::from_secs(OPENS_MINUTE * 60) + elapsed;
    let (secs, ms) = (time.as_secs(), time.subsec_millis());
    format!("2025-03-03T{:02}:{:02}:{:02}.{ms:03}+08:00", secs / 3_600, secs / 60 % 60, secs % 60)
}

/// A few hundred milliseconds are to this drill what ten seconds are to a terminal on a desk.
fn settings(folder: &Path, url: &str, accounts: &[String]) -> String {
    let data = folder.join("data");
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\ndata_dir = {:?}\ndisk_floor_mib = 1\n[people]\nadmin_trades = true\n\
         [limits]\nwrites_per_s = 5000\nwrites_burst = 10000\nreads_per_s = 2000\nreads_burst = 4000\n\
         cancels_per_s = 1000\ncancels_burst = 2000\n",
        data.display().to_string()
    );
    for account in accounts {
        let level = account.to_uppercase();
        text.push_str(&format!(
            "[[accounts]]\nid = {account:?}\ncash = \"{CASH}\"\n\
             broker = {{ kind = \"fake\", url = {url:?}, account = {account:?}, level = {level:?}, answer_ms = 400, \
             connect_ms = 500, call_ms = 1000, read_ms = 1000, queue_ms = 2000, backoff_ms = 20, \
             backoff_max_ms = 200 }}\n\
             holdings = [{{ symbol = \"{SYMBOL}\", strategy = \"to-{account}\", quantity = {SHARES}, cost = \"10.00\" }}]\n\
             doubt = {{ visibility_ms = 200, quiet_ms = 60, absent_after_ms = 1000, blind_after_ms = 10000, \
             seen_within_ms = 2000, read_in_doubt_ms = 100, read_every_ms = 1000, compare_every_ms = 5000, \
             baseline_for_ms = 500, skew_ms = 50 }}\n\
             [accounts.risk]\norder_value = \"0.60\"\nposition = \"1.00\"\nquote_age_market_s = 3600\n\
             quote_age_limit_s = 3600\nduplicate_window_s = 0\nmessages_per_second = 1000\n\
             message_ceiling = 10000000\n\
             [[strategies]]\nid = \"to-{account}\"\nroutes = [{{ account = {account:?} }}]\n",
        ));
    }
    text
}
