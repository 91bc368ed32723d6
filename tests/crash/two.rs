//! Two instances at once. The lock on the data folder, and PostgreSQL's, keep an honest second one out. Where a lock is
//! lost (somebody removed its file, the server dropped a connection) the epoch of the lease shuts the first one out:
//! it is stopped (SIGSTOP) in the midst of its orders, a second one takes over, and the first goes on. It has to end
//! without a further order, and at the broker every order is there once.
//!
//! The broker is the fake one, in this process: its ledger is the truth.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use signalbox_brokers::fake::wire::{Control, FillPolicy};
use signalbox_brokers::fake::{AccountTruth, FakeConf};
use signalbox_domain::broker::Level;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Qty};
use signalbox_support::drill::program as drilled;
use signalbox_support::fake_broker;
use signalbox_support::postgres::Server;

use crate::Dice;
use crate::driver::{Driver, SYMBOL};
use crate::postgres::{person, terminate};
use crate::program::{PASSWORD, Program, log_of, now, tail};

const BINARY: &str = env!("CARGO_BIN_EXE_signalbox");
const CLOCK: &str = "2025-03-03T10:00:00+08:00";
/// One account where a doubt is looked up by id, one where lists have to tell.
const LEVELS: [(&str, Level); 2] = [("l4", Level::L4), ("l2", Level::L2)];
/// Of the settings below.
const QUEUE: Duration = Duration::from_secs(2);
const UNDER_WAY: [&str; 4] = ["in_doubt", "parked", "pending_new", "pending_cancel"];
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f38_a_stopped_instance_whose_folder_was_taken_over_ends_without_a_further_order() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let desk = Desk::new(&folder.path().join(round.to_string()), "sqlite:signalbox.db");
        // The lock is a file, and whoever removes it locks another one.
        let take_over = async || std::fs::remove_file(desk.data("a").join("lock")).unwrap();
        desk.taken_over(round, "a", "another process took the database over", take_over).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f38_a_stopped_instance_whose_connection_to_postgresql_was_dropped_ends_without_a_further_order() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path()) else {
        println!("there is no PostgreSQL on this machine: nothing was tested");
        return;
    };
    for round in 0..3 {
        let name = format!("round_{round}");
        let url = server.url();
        let own = format!("{}/{name}", url.strip_suffix("/postgres").unwrap());
        person(&url).await.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        let desk = Desk::new(&folder.path().join(round.to_string()), &own);
        // As a partition does: the server believes that the first one is gone, and its lock with it.
        desk.taken_over(round, "b", "the journal cannot be written", async || terminate(&person(&url).await).await)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_on_the_same_postgresql_is_refused_in_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path()) else {
        println!("there is no PostgreSQL on this machine: nothing was tested");
        return;
    };
    let desk = Desk::new(&folder.path().join("desk"), &server.url());
    desk.add_admin();
    let first = desk.start("a").await.unwrap();
    let refused = desk.start("b").await.expect_err("the database is in use");
    assert_eq!(refused.code(), Some(1));
    let said = tail(&log_of(&desk.data("b")).to_owned());
    assert!(said.contains("the database is in use by the data folder"), "{said}");
    // The first one never noticed.
    let driver = desk.driver(&first).await;
    driver.put_quote(199, 200, 100_000).await.unwrap();
    assert_eq!(first.stop().await.code(), Some(0));
}

/// Instances that share a database and a broker, each with a folder by its name.
struct Desk {
    folder: PathBuf,
    database: String,
    broker: SocketAddr,
    http: reqwest::Client,
}

impl Desk {
    fn new(folder: &Path, database: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let conf = FakeConf { fills: FillPolicy::Random { ms: 150 }, ..FakeConf::default() };
        let open = LEVELS.map(|(account, level)| Control::Open {
            account: account.to_owned(),
            level,
            cash: Money::from_units(100_000_000),
            holdings: vec![(Symbol::parse(SYMBOL).unwrap(), Qty::new(1_000_000))],
        });
        let (told, at) = std::sync::mpsc::channel();
        let ledger = folder.join("broker.ledger");
        std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let running = fake_broker::start("127.0.0.1:0".parse().unwrap(), &ledger, conf, open.into()).unwrap();
                told.send(running.at).unwrap();
                running.server.await.unwrap();
            });
        });
        let (folder, database) = (folder.to_owned(), database.to_owned());
        Self { folder, database, broker: at.recv().unwrap(), http: reqwest::Client::new() }
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command(&self, sub: &[&str], name: &str) -> Command {
        let conf = self.folder.join(format!("{name}.toml"));
        std::fs::write(&conf, settings(&self.data(name), &self.database, self.broker)).unwrap();
        let mut command = Command::new(BINARY);
        command.args(sub).args(["--clock", CLOCK, "--conf"]).arg(conf);
        command
    }

    /// # Errors
    /// How it ended instead of starting.
    async fn start(&self, name: &str) -> Result<Program, ExitStatus> {
        let log = log_of(&self.data(name));
        Program::comes_up(now(), drilled::spawn(&mut self.command(&["serve"], name), &log), &log).await
    }

    fn add_admin(&self) {
        let mut add = self.command(&["user", "add", "admin", "--role", "admin"], "a");
        let added = add.env("SIGNALBOX_PASSWORD", PASSWORD).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }

    async fn driver(&self, program: &Program) -> Driver {
        let driver = Driver::new(&program.url, &self.folder.join("clients")).await;
        driver.to_each(LEVELS.map(|(account, _)| format!("to-{account}")).into(), 30)
    }

    /// Stops the first instance while clients trade, lets a second one in, and the first go on.
    async fn taken_over(&self, round: u64, second: &str, said: &str, let_in: impl AsyncFn()) {
        self.add_admin();
        let first = self.start("a").await.unwrap();
        let driver = self.driver(&first).await;
        driver.put_quote(199, 200, 100_000).await.unwrap();
        let mut dice = Dice::new(round);
        let clients: Vec<_> = (0..3)
            .map(|n| {
                let (driver, dice) = (driver.reconnected(&first.url), Dice::new(dice.next()));
                tokio::spawn(async move { driver.trade_until_it_dies(format!("{round}-{n}"), dice).await })
            })
            .collect();
        tokio::time::sleep(dice.millis(400, 900)).await;
        signal(&first, "STOP");
        let_in().await;
        // Stopped with the database's lock in its hand it holds up the second one, which then refuses to start.
        let mut tries = 0;
        let second = loop {
            match self.start(second).await {
                Ok(program) => break program,
                Err(status) => {
                    tries += 1;
                    let log = tail(&log_of(&self.data(second)));
                    assert!(status.code() == Some(1) && tries < 12, "the second one does not start: {status}\n{log}");
                    signal(&first, "CONT");
                    tokio::time::sleep(dice.millis(50, 250)).await;
                    signal(&first, "STOP");
                }
            }
        };
        // Longer than anything that was decided before may wait for its turn.
        tokio::time::sleep(QUEUE + Duration::from_millis(500)).await;
        let after = driver.reconnected(&second.url);
        self.quiet(&after).await;
        let at_broker = self.orders().await;
        signal(&first, "CONT");
        let status = tokio::time::timeout(SOON, first.ended()).await.expect("the first one ends by itself");
        let log = log_of(&self.data("a"));
        assert_eq!(status.code(), Some(70), "{}", tail(&log));
        assert!(tail(&log).contains(said), "{}", tail(&log));
        let late: Vec<String> = self.orders().await.into_iter().filter(|order| !at_broker.contains(order)).collect();
        self.are_ghosts(&after, &late).await;
        for client in clients {
            client.await.unwrap();
        }
        driver.nothing_is_on_the_way();
        let driver = after;
        driver.put_quote(199, 200, 100_000).await.unwrap();
        driver.ask_again().await.unwrap();
        self.rests(&driver, &late).await.unwrap_or_else(|faults| panic!("round {round}: {faults:#?}\n{}", tail(&log)));
        assert_eq!(second.stop().await.code(), Some(0));
    }

    /// Waits until nothing of what the first one left is under way any more.
    async fn quiet(&self, driver: &Driver) {
        let began = now();
        loop {
            let orders = driver.all("/v1/orders").await;
            self.settle(driver, &orders).await;
            let open: Vec<&Value> = orders.iter().filter(|order| UNDER_WAY.contains(&text(&order["status"]))).collect();
            if open.is_empty() {
                return;
            }
            assert!(began.elapsed() < SOON, "the second one does not come to rest: {open:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A person with the broker's ledger in hand decides what is parked.
    async fn settle(&self, driver: &Driver, orders: &[Value]) {
        for order in orders.iter().filter(|order| order["status"] == "parked") {
            let truth = self.truth().await;
            let made = &truth[text(&order["account"])].orders;
            let decision = match made.iter().find(|made| order["client_order_id"] == *made.hidden) {
                Some(made) => json!({"decision": "bind", "broker_order_id": made.no, "note": "the ledger says so"}),
                None => {
                    json!({"decision": "absent", "symbol": order["symbol"], "override": true, "note": "the ledger says so"})
                }
            };
            driver.resolve(text(&order["id"]), &decision).await.unwrap();
        }
    }

    /// A request that was on its way inside of the first process when it was stopped leaves when it goes on, one in each
    /// account at most: only the broker could refuse it. It has to be seen and to wait for a person.
    async fn are_ghosts(&self, driver: &Driver, late: &[String]) {
        assert!(late.len() <= LEVELS.len(), "{late:?} came from the instance that had lost the lease");
        let began = now();
        for id in late {
            println!("{id} was on its way already");
            while !items(&driver.get("/v1/exceptions?limit=500").await)
                .iter()
                .any(|item| item["kind"] == "ghost" && item["order"]["client_order_id"] == **id)
            {
                assert!(
                    began.elapsed() < SOON,
                    "{id} came from the instance that had lost the lease, and nobody saw it"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn truth(&self) -> BTreeMap<String, AccountTruth> {
        self.http.get(format!("http://{}/truth", self.broker)).send().await.unwrap().json().await.unwrap()
    }

    /// Our ids of the orders at the broker.
    async fn orders(&self) -> Vec<String> {
        self.truth().await.into_values().flat_map(|account| account.orders).map(|order| order.hidden).collect()
    }

    /// Waits until clients, the second instance and the broker agree.
    async fn rests(&self, driver: &Driver, ghosts: &[String]) -> Result<(), Vec<String>> {
        let began = now();
        loop {
            let mut truth = self.truth().await;
            for account in truth.values_mut() {
                account.orders.retain(|order| !ghosts.contains(&order.hidden));
            }
            let orders = driver.all("/v1/orders").await;
            self.settle(driver, &orders).await;
            let faults = faults(driver, &driver.all("/v1/signals").await, &orders, &truth);
            if faults.is_empty() {
                let orders: usize = truth.values().map(|account| account.orders.len()).sum();
                println!("{} keys, {orders} orders at the broker, each once", driver.ledger().sent.len());
                return Ok(());
            }
            if began.elapsed() > SOON {
                return Err(faults);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn faults(driver: &Driver, signals: &[Value], orders: &[Value], truth: &BTreeMap<String, AccountTruth>) -> Vec<String> {
    let ledger = driver.ledger();
    let mut faults = ledger.faults.clone();
    for (key, sent) in &ledger.sent {
        let stored: Vec<&Value> =
            signals.iter().filter(|s| s["client_signal_id"] == **key).map(|signal| &signal["id"]).collect();
        if stored.len() != 1 || sent.id.as_deref() != stored[0].as_str() {
            faults.push(format!("key {key} was answered as {:?} and is {stored:?}", sent.id));
        }
    }
    let mut made: BTreeMap<(&str, &str), (usize, i64)> = BTreeMap::new();
    for (account, at_broker) in truth {
        for order in &at_broker.orders {
            let one = made.entry((account, &order.hidden)).or_default();
            *one = (one.0 + 1, one.1 + order.cum_qty.get());
        }
    }
    for order in orders {
        let key = (text(&order["account"]), text(&order["client_order_id"]));
        let (count, filled) = made.remove(&key).unwrap_or_default();
        let cum: i64 = text(&order["cum_qty"]).parse().unwrap();
        let status = text(&order["status"]);
        if count > 1 {
            faults.push(format!("doubled: {} is at the broker {count} times", order["id"]));
        }
        if cum != filled || UNDER_WAY.contains(&status) {
            faults.push(format!("{} is {status} with {cum} filled, at the broker {filled}", order["id"]));
        }
    }
    faults.extend(made.keys().map(|key| format!("{key:?} is at the broker and nobody's order")));
    faults
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn signal(program: &Program, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &program.pid().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn settings(data: &Path, database: &str, broker: SocketAddr) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\ndata_dir = {:?}\nurl = {database:?}\ndisk_floor_mib = 1\n[people]\n\
         admin_trades = true\n[limits]\nwrites_per_s = 5000\nwrites_burst = 10000\nreads_per_s = 2000\n\
         reads_burst = 4000\ncancels_per_s = 1000\ncancels_burst = 2000\n",
        data.display().to_string()
    );
    for (account, level) in LEVELS {
        text.push_str(&format!(
            "[[accounts]]\nid = {account:?}\ncash = \"100000000\"\n\
             broker = {{ kind = \"fake\", url = \"http://{broker}\", account = {account:?}, level = \"{level:?}\", \
             answer_ms = 400, connect_ms = 500, call_ms = 1000, read_ms = 1000, queue_ms = 2000, backoff_ms = 20, \
             backoff_max_ms = 200 }}\n\
             holdings = [{{ symbol = \"{SYMBOL}\", strategy = \"to-{account}\", quantity = 1000000, cost = \"10.00\" }}]\n\
             doubt = {{ visibility_ms = 200, quiet_ms = 60, absent_after_ms = 1000, blind_after_ms = 10000, \
             seen_within_ms = 2000, read_in_doubt_ms = 100, read_every_ms = 1000, compare_every_ms = 5000, \
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
