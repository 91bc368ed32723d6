//! One folder and one database, from the first start to the last comparison.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox_brokers::fake::fault::{Arm, Fault};
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_domain::broker::Level;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::database::Database;
use super::figures::Figures;
use super::gives_nothing;
use super::line::Line;
use super::person::Person;
use super::points::{When, when};
use super::reckon::reckon;
use crate::drill::driver::{Driver, SYMBOL, Unknown};
use crate::drill::program::{Program, now, spawn};
use crate::drill::{Dice, PASSWORD};
use crate::fake_broker::{Control, Process, Teller};

const CONNECTIONS: u64 = 3;
const PAUSE_MS: u64 = 60;
const CASH: i64 = 100_000_000;
const SHARES: i64 = 1_000_000;
/// The market clock of the first life. It never goes back, and the session ends two hours later.
const OPENS_MINUTE: u64 = 9 * 60 + 31;
const SESSION: Duration = Duration::from_secs(115 * 60);
/// What is not sent by then is taken back unsent.
const DRAINS_WITHIN: Duration = Duration::from_secs(15);
/// A named point that is not passed within this time of traffic is missed.
const PASSED_WITHIN: Duration = Duration::from_secs(4);
/// Told to end, or robbed of its database, it is gone after so long.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// As the program says that it ended itself because it could not write.
const FATAL: i32 = 70;
const SIGKILL: i32 = 9;
const SIGABRT: i32 = 6;
/// What an honest broker's line does to its orders.
const FAULTS: [Fault; 4] =
    [Fault::SubmitAcceptNoReply, Fault::SubmitReplyLate, Fault::SubmitErrorButLive, Fault::CancelAckLost];

/// The programs.
#[derive(Debug, Clone)]
pub struct Exes {
    pub shipped: PathBuf,
    /// The same with named crash points.
    pub with_points: PathBuf,
    pub broker: PathBuf,
}

/// What shall happen on one database.
#[derive(Debug, Clone)]
pub struct Plan {
    pub exes: Exes,
    pub kills: u64,
    pub levels: Vec<Level>,
    pub seed: u64,
    /// Kills between two comparisons.
    pub every: u64,
    /// Kills of one folder.
    pub per_folder: u64,
    /// One of so many kills is at a named point; 0: none.
    pub points: u64,
    pub per_mille: u32,
    pub over: Option<Duration>,
    pub plant: Option<Fault>,
}

impl Plan {
    /// Nothing is killed and nothing goes wrong.
    #[must_use]
    pub const fn is_calm(&self) -> bool {
        self.kills == 0 && self.per_mille == 0 && self.plant.is_none()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Run<'a> {
    plan: &'a Plan,
    database: &'a Database,
    database_name: String,
    folder: PathBuf,
    conf: PathBuf,
    pub log: PathBuf,
    broker: Process,
    line: Arc<Line>,
    accounts: Vec<String>,
    driver: Option<Driver>,
    person: Arc<Mutex<Person>>,
    dice: Dice,
    began: Instant,
    figures: Figures,
    first_kill: u64,
}

impl<'a> Run<'a> {
    /// Broker, line, database and administrator.
    ///
    /// # Panics
    /// When one of them does not come up.
    pub async fn begin(plan: &'a Plan, database: &'a Database, folder: &Path, n: u64, mut figures: Figures) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let broker = Process::start_with(&plan.exes.broker, &folder.join("broker.ledger"), &["--fees"]);
        let mut accounts = Vec::new();
        for level in &plan.levels {
            let account = format!("{level:?}").to_lowercase();
            let holdings = vec![(Symbol::parse(SYMBOL).unwrap(), Qty::new(SHARES))];
            let (cash, name) = (Money::from_units(CASH), account.clone());
            broker.control(&Control::Open { account: name, level: *level, cash, holdings }).await;
            accounts.push(account);
        }
        let symbol = Symbol::parse(SYMBOL).unwrap();
        broker.control(&Control::Price { symbol, px: Price::from_e4(20_000) }).await;
        broker.control(&Control::Fills { account: None, policy: FillPolicy::Random { ms: 150 } }).await;
        let line = Arc::new(Line::to(broker.at()).await);
        let database_name = format!("torture_{}_{n}", plan.seed);
        let url = database.make(&database_name).await;
        let (conf, log) = (folder.join("signalbox.toml"), folder.join("signalbox.log"));
        std::fs::write(&conf, settings(folder, &url, &line.url(), &accounts, plan.is_calm())).unwrap();
        let mut command = Command::new(&plan.exes.shipped);
        command
            .args(["user", "add", "admin", "--role", "admin", "--clock", &clock(Duration::ZERO), "--conf"])
            .arg(&conf);
        let added = command.env("SIGNALBOX_PASSWORD", PASSWORD).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        figures.skipped = skipped(database, &plan.levels);
        Self {
            plan,
            database,
            database_name,
            folder: folder.to_owned(),
            conf,
            log,
            broker,
            line,
            accounts,
            driver: None,
            person: Arc::default(),
            dice: Dice::new(plan.seed.wrapping_add(n << 32)),
            began: now(),
            first_kill: figures.killed(),
            figures,
        }
    }

    /// Kills and compares until the folder is full or the run is over.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub async fn go(&mut self, tell: &impl Fn(&Figures)) -> Result<(), Vec<String>> {
        let over = self.plan.over.unwrap_or(SESSION).min(SESSION);
        if self.plan.kills == 0 {
            self.live_calmly(self.plan.over.unwrap_or(Duration::from_secs(30))).await?;
        } else {
            // The clients get their key.
            let _ = self.start().await?.killed(); // by us
        }
        for cycle in 0.. {
            let of_folder = self.figures.killed() - self.first_kill;
            let last = self.figures.killed() >= self.plan.kills
                || of_folder >= self.plan.per_folder
                || self.began.elapsed() > over;
            if last || (cycle > 0 && cycle % self.plan.every == 0) {
                self.compare().await?;
                tell(&self.figures);
            }
            if last {
                return self.prove();
            }
            self.arm().await;
            if self.plan.points > 0 && self.dice.one_in(self.plan.points) {
                self.die_at_a_point(cycle).await?;
            } else {
                self.die_somewhere(cycle).await?;
            }
            self.driver().nothing_is_on_the_way();
            if self.dice.one_in(10) {
                self.kill_broker();
            }
            while self.dice.one_in(6) {
                self.kill_in_recovery();
            }
        }
        Ok(())
    }

    /// Gives back the figures, and what is not needed any more.
    ///
    /// # Panics
    /// When the database cannot be removed.
    pub async fn end(mut self) -> Figures {
        self.broker.kill();
        self.database.remove(&self.database_name).await;
        self.figures.decisions += self.person.lock().await.decisions;
        self.figures
    }

    fn driver(&self) -> &Driver {
        self.driver.as_ref().unwrap()
    }

    fn kill_broker(&mut self) {
        self.broker.kill_and_restart();
        self.figures.broker_kills += 1;
    }

    async fn arm(&mut self) {
        self.broker.control(&Control::Disarm).await;
        for fault in FAULTS.into_iter().chain(self.plan.plant) {
            // Late is later than anybody waits.
            self.broker.arm(Arm { per_mille: Some(self.plan.per_mille), ..Arm::once(fault).ms(1_500) }).await;
        }
    }

    fn command(&self, exe: &Path) -> Command {
        let mut command = Command::new(exe);
        command.args(["serve", "--clock", &clock(self.began.elapsed()), "--conf"]).arg(&self.conf);
        command
    }

    /// The binary that is shipped has to become ready.
    async fn start(&mut self) -> Result<Program, Vec<String>> {
        let begun = self.try_start(self.command(&self.plan.exes.shipped)).await;
        begun.map_err(|status| vec![format!("the program did not start: {status}")])
    }

    async fn try_start(&mut self, mut command: Command) -> Result<Program, ExitStatus> {
        let program = Program::comes_up(now(), spawn(&mut command, &self.log), &self.log).await?;
        self.figures.started(&program);
        self.driver = Some(match self.driver.take() {
            Some(driver) => driver.reconnected(&program.url),
            None => {
                let strategies = self.accounts.iter().map(|account| format!("to-{account}")).collect();
                Driver::new(&program.url, &self.folder.join("clients.ledger")).await.to_each(strategies, PAUSE_MS)
            }
        });
        Ok(program)
    }

    /// A random instant, perhaps after something else has died.
    async fn die_somewhere(&mut self, cycle: u64) -> Result<(), Vec<String>> {
        let mut program = self.start().await?;
        let clients = self.clients(cycle).await;
        let life = if self.dice.one_in(4) { self.dice.millis(500, 2_000) } else { self.dice.millis(20, 500) };
        tokio::time::sleep(life / 2).await;
        let mut by = "sigkill";
        match self.dice.between(0, 15) {
            0 | 1 => self.kill_broker(),
            2 | 3 => {
                self.figures.line_cuts += 1;
                self.line.cut(self.dice.millis(0, 300)).await;
            }
            4 => {
                by = "sigstop then sigkill";
                program.signal("STOP");
                tokio::time::sleep(self.dice.millis(1_000, 5_000)).await;
                program.signal("CONT");
            }
            5 | 6 => by = self.kill_database().await.unwrap_or(by),
            _ => {}
        }
        let status = if by.starts_with("postgres") {
            match program.ended_within(GONE_WITHIN).await {
                Some(status) => status,
                None => program.killed(),
            }
        } else {
            tokio::time::sleep(life / 2).await;
            program.killed()
        };
        self.figures.kill(by);
        join(clients).await;
        let may = [Some(SIGKILL), None].contains(&status.signal())
            && (status.code().is_none() || (by.starts_with("postgres") && status.code() == Some(FATAL)));
        if may { Ok(()) } else { Err(vec![format!("the program ended by itself ({by}): {status}")]) }
    }

    /// What was done to the server, if there is one.
    async fn kill_database(&mut self) -> Option<&'static str> {
        let Database::Postgres(server) = self.database else { return None };
        if self.dice.one_in(3) {
            server.kill_and_restart();
            Some("postgres killed")
        } else {
            server.drop_connections().await;
            Some("postgres connections ended")
        }
    }

    /// The next of the named points.
    async fn die_at_a_point(&mut self, cycle: u64) -> Result<(), Vec<String>> {
        let (point, before) = self.figures.rounds.next(&self.figures.skipped, &mut self.dice);
        let mut command = self.command(&self.plan.exes.with_points);
        command.env("FAILPOINTS", format!("{point}={before}*off->return"));
        let status = match self.try_start(command).await {
            Err(status) => status,
            Ok(mut program) => {
                let mut clients = self.clients(cycle).await;
                if point.starts_with("change") {
                    clients.push(tokio::spawn(log_in_until_it_dies(self.driver().clone())));
                }
                let limit = match when(point) {
                    When::Starting | When::Trading => PASSED_WITHIN,
                    When::Ending => {
                        tokio::time::sleep(self.dice.millis(20, 300)).await;
                        program.signal("TERM");
                        GONE_WITHIN
                    }
                };
                let status = match program.ended_within(limit).await {
                    Some(status) => status,
                    None => program.killed(),
                };
                join(clients).await;
                status
            }
        };
        let hit = status.signal() == Some(SIGABRT);
        self.figures.rounds.note(point, hit);
        match (hit, status.signal(), status.code()) {
            (true, ..) => self.figures.kill("crash point"),
            (_, Some(SIGKILL), _) => self.figures.kill("sigkill"),
            (_, _, Some(0)) if when(point) == When::Ending => {}
            _ => return Err(vec![format!("the program ended by itself ({point}): {status}")]),
        }
        Ok(())
    }

    /// Nobody is killed.
    async fn live_calmly(&mut self, life: Duration) -> Result<(), Vec<String>> {
        self.arm().await;
        let program = self.start().await?;
        let clients = self.clients(0).await;
        tokio::time::sleep(life).await;
        for client in clients {
            client.abort();
            let _ = client.await; // aborted
        }
        // Whoever was cut off asks again.
        let asked = self.driver().ask_again().await;
        asked.map_err(|Unknown| vec!["the program does not answer".to_owned()])?;
        let status = program.stop().await;
        self.driver().nothing_is_on_the_way();
        if status.success() { Ok(()) } else { Err(vec![format!("told to stop it ended so: {status}")]) }
    }

    /// Several clients at once, the first of which asks again for what the last life left open; and the person.
    async fn clients(&mut self, cycle: u64) -> Vec<JoinHandle<()>> {
        let driver = self.driver().clone();
        let _ = driver.put_quote(199, 200, 100_000).await; // market orders need one; the program may be dead already
        let client = |n: u64, dice: Dice| {
            let driver = driver.clone();
            tokio::spawn(async move {
                if n == 0 && driver.ask_again().await.is_err() {
                    return;
                }
                driver.trade_until_it_dies(format!("{cycle:04}-{n}"), dice).await;
            })
        };
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|n| client(n, Dice::new(self.dice.next()))).collect();
        clients.push(tokio::spawn(decide_until_it_dies(driver, self.broker.teller(), self.person.clone())));
        clients
    }

    /// Recovery has to survive its own death.
    fn kill_in_recovery(&mut self) {
        let mut child = spawn(&mut self.command(&self.plan.exes.shipped), &self.log);
        std::thread::sleep(self.dice.millis(1, 150));
        child.kill().unwrap();
        child.wait().unwrap();
        self.figures.kill("in recovery");
    }

    /// Nothing is wrong any more, and everything comes to rest.
    async fn compare(&mut self) -> Result<(), Vec<String>> {
        self.broker.control(&Control::Disarm).await;
        let program = self.start().await?;
        let driver = self.driver().clone();
        let asked = async {
            driver.put_quote(199, 200, 100_000).await?;
            driver.ask_again().await
        };
        asked.await.map_err(|Unknown| vec!["the program does not answer".to_owned()])?;
        self.drain(&driver).await;
        // Where the broker gives nothing, a cancel only makes one more doubt that nobody can settle.
        for account in self.accounts.iter().filter(|account| !gives_nothing(account)) {
            driver.must(&format!("/v1/accounts/{account}/cancel-all"), &Value::Null).await;
        }
        let mut person = self.person.lock().await;
        let outcome = reckon(&driver, &self.broker, &mut person, &mut self.figures).await;
        if outcome.is_err() {
            let dump = json!({
                "signals": driver.all("/v1/signals").await, "orders": driver.all("/v1/orders").await,
                "exceptions": driver.get("/v1/exceptions?limit=500").await, "broker": self.broker.truth().await,
            });
            std::fs::write(self.folder.join("both.json"), dump.to_string()).unwrap();
        }
        let status = program.killed();
        if status.signal() == Some(SIGKILL) {
            outcome
        } else {
            Err(vec![format!("the program ended by itself at rest: {status}")])
        }
    }

    /// Lets what queues reach the broker before it is taken back: below L3 orders of one shape go one after the other.
    async fn drain(&self, driver: &Driver) {
        let began = now();
        while began.elapsed() < DRAINS_WITHIN {
            let orders = driver.all("/v1/orders").await;
            let waits = |order: &&Value| {
                ["pending_new", "in_doubt", "parked"].iter().any(|status| order["status"] == *status)
                    && !order["account"].as_str().is_some_and(gives_nothing)
            };
            if !orders.iter().any(|order| waits(&order)) {
                return;
            }
            let _ = self.person.lock().await.decide(driver, &orders, &self.broker.truth().await).await; // again soon
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The chain of hashes is whole, and the rows are what the journal tells.
    fn prove(&self) -> Result<(), Vec<String>> {
        for proof in [&["audit", "verify"][..], &["replay"]] {
            let out = Command::new(&self.plan.exes.shipped).args(proof).arg("--conf").arg(&self.conf).output().unwrap();
            if !out.status.success() {
                let said = [out.stdout, out.stderr].concat();
                return Err(vec![format!("{}: {}", proof.join(" "), String::from_utf8_lossy(&said))]);
            }
        }
        Ok(())
    }
}

impl Figures {
    /// Whether the run kept what is promised of parks.
    ///
    /// # Errors
    /// What it did not keep, in words.
    pub fn promised(&self, plan: &Plan) -> Result<(), String> {
        let [doubts, parks, unjustified] = self.doubts_and_parks();
        if plan.is_calm() && parks > 0 {
            return Err(format!("{parks} parks, and nothing went wrong"));
        }
        if plan.plant.is_none() && unjustified * 100 >= doubts.max(100) {
            return Err(format!("{unjustified} of {doubts} doubts were parked without need"));
        }
        Ok(())
    }
}

async fn join(clients: Vec<JoinHandle<()>>) {
    for client in clients {
        client.await.unwrap();
    }
}

async fn decide_until_it_dies(driver: Driver, broker: Teller, person: Arc<Mutex<Person>>) {
    const LOOKS_EVERY: Duration = Duration::from_millis(150);
    loop {
        let Ok(open) = driver.ask("/v1/exceptions?limit=500").await else { return };
        let orders: Vec<Value> = open["items"].as_array().unwrap().iter().map(|item| item["order"].clone()).collect();
        if let Some(truth) = broker.truth().await
            && person.lock().await.decide(&driver, &orders, &truth).await.is_err()
        {
            return;
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}

/// Each login is a change that people make.
async fn log_in_until_it_dies(driver: Driver) {
    while driver.log_in().await.is_ok() {}
}

/// Points that nothing leads to here.
fn skipped(database: &Database, levels: &[Level]) -> Vec<&'static str> {
    let mut skipped = Vec::new();
    if matches!(database, Database::Postgres(_)) {
        skipped.extend(["open.checked", "fold.before", "fold.after"]);
    }
    if !levels.contains(&Level::L0) {
        skipped.extend(["park.before_append", "resolve.asked", "resolve.before_answer"]);
    }
    if !levels.iter().any(|level| [Level::L0, Level::L4].contains(level)) {
        skipped.extend(["find.durable", "broker.before_find", "broker.after_find"]);
    }
    if levels.iter().all(|level| *level == Level::L0) {
        skipped.extend(["read.durable", "broker.before_read", "broker.after_read", "broker.said"]);
    }
    skipped
}

/// The market clock after the drill went on for so long.
fn clock(elapsed: Duration) -> String {
    let time = Duration::from_secs(OPENS_MINUTE * 60) + elapsed;
    let (secs, ms) = (time.as_secs(), time.subsec_millis());
    format!("2025-03-03T{:02}:{:02}:{:02}.{ms:03}+08:00", secs / 3_600, secs / 60 % 60, secs % 60)
}

/// A few hundred milliseconds are to this drill what ten seconds are to a terminal on a desk.
fn settings(folder: &Path, database: &str, broker: &str, accounts: &[String], calm: bool) -> String {
    // When nothing goes wrong, a busy machine alone shall not make an answer late.
    let patience = if calm {
        ""
    } else {
        ", answer_ms = 400, connect_ms = 500, call_ms = 1000, read_ms = 1000, queue_ms = 2000, backoff_ms = 20, \
         backoff_max_ms = 200"
    };
    let data = folder.join("data");
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\ndata_dir = {:?}\nurl = {database:?}\ndisk_floor_mib = 1\n\
         [people]\nadmin_trades = true\n\
         [limits]\nwrites_per_s = 5000\nwrites_burst = 10000\nreads_per_s = 2000\nreads_burst = 4000\n\
         cancels_per_s = 1000\ncancels_burst = 2000\n",
        data.display().to_string()
    );
    for account in accounts {
        let level = account.to_uppercase();
        text.push_str(&format!(
            "[[accounts]]\nid = {account:?}\ncash = \"{CASH}\"\n\
             broker = {{ kind = \"fake\", url = {broker:?}, account = {account:?}, level = {level:?}{patience} }}\n\
             holdings = [{{ symbol = \"{SYMBOL}\", strategy = \"to-{account}\", quantity = {SHARES}, cost = \"10.00\" }}]\n\
             doubt = {{ visibility_ms = 100, quiet_ms = 60, absent_after_ms = 300, blind_after_ms = 10000, \
             seen_within_ms = 2000, read_in_doubt_ms = 100, read_every_ms = 500, compare_every_ms = 2000, \
             baseline_for_ms = 500, skew_ms = 50 }}\n\
             [accounts.risk]\nprogram_report = \"on_file\"\norder_value = \"0.60\"\nposition = \"1.00\"\n\
             quote_age_market_s = 3600\nquote_age_limit_s = 3600\nduplicate_window_s = 0\nmessages_per_second = 1000\n\
             message_ceiling = 10000000\nsymbol_orders_max = 1000000\nstrategy_orders_max = 10000000\n\
             notional_minute = \"1000\"\nnotional_day = \"1000\"\ncrossing = \"warn\"\ncrossing_hold_s = 0\n\
             [[strategies]]\nid = \"to-{account}\"\nroutes = [{{ account = {account:?} }}]\n",
        ));
    }
    text
}
