//! Drills: panics that are planted while clients trade. Accounts and strategies heal while the others go on; where others
//! rely on what was lost in memory, the process ends with code 70 and the next start goes on.
//!
//! The process under drill is this test program started again as [`under_drill`]: the whole of Signalbox, and an ear for
//! lines on its standard input that say where to panic. The shipped program has no such ear.

use std::io::BufRead as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use signalbox::conf::Settings;
use signalbox::people::Role;
use signalbox::system::{ClockStart, Signalbox};
use signalbox_actors::desk::Planted;
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::units::{Money, Timestamp};

use crate::Dice;
use crate::driver::{Driver, SYMBOL};
use crate::program::{self, PASSWORD, Program, log_of, now, tail};
use crate::reckoning::{Opening, State, holdings, reckon};
use crate::torture::proofs;

const CLOCK: &str = "2025-03-03T10:00:00+08:00";
/// The same instant.
const TEN_O_CLOCK: Timestamp = Timestamp::from_us(1_740_967_200_000_000);
const FOLDER: &str = "SIGNALBOX_DRILL_FOLDER";
/// As the drilled process says by its exit code that it ended itself.
const FATAL: i32 = 70;
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_and_a_strategy_that_panic_are_rebuilt_while_the_others_trade_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut program = start(&data).await;
    let driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    let opening = holdings(&driver).await;
    driver.put_quote(199, 200, 100_000_000).await.unwrap();
    let clients = clients(&driver, 3);

    let mut by_hand_sent = Vec::new();
    for (n, planted) in ["account paper-a", "strategy external"].into_iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(300)).await;
        program.tell(planted);
        let said = format!("{} panicked and is rebuilt", planted);
        until(&format!("the log says: {said}"), async || log(&data).contains(&said)).await;
        // Somebody else's order, sent while the life is over or new, is filled.
        let key = format!("meanwhile-{n}");
        let order = by_hand(&key);
        driver.put_quote(196, 197, 100_000_000).await.unwrap();
        let id = text(&driver.must("/v1/orders", &order).await["id"]);
        trades_on(&driver, &id).await;
        by_hand_sent.push((key, order, id));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for client in clients {
        client.abort();
        let _ = client.await; // aborted
    }
    // Only now: clients repeat what the ledger has as a signal, and these were orders.
    for (key, order, id) in &by_hand_sent {
        driver.adopt(key, order, id);
    }
    driver.ask_again().await.unwrap();
    let healed = reckon(&driver, &opening).await.unwrap_or_else(|faults| panic!("{faults:#?}\n{}", tail(&data)));
    assert!(!healed.fills.is_empty());

    // A second panic within ten minutes is no accident: that account is suspended, named, and the others trade on.
    program.tell("account paper-a");
    until("paper-a is suspended", async || log(&data).contains("paper-a panicked again and is suspended")).await;
    let ready = reqwest::get(format!("{}/readyz", program.url)).await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("paper-a"));
    driver.put_quote(196, 197, 100_000_000).await.unwrap(); // what the last quote had is given out once
    let order = by_hand("others");
    let id = text(&driver.must("/v1/orders", &order).await["id"]);
    trades_on(&driver, &id).await;
    driver.adopt("others", &order, &id);

    program.kill();
    comes_back(&data, &driver, &opening).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_risk_ends_the_process_and_the_next_start_goes_on() {
    fatal("risk", "planted panic in risk").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_journals_writer_ends_the_process_and_the_next_start_goes_on() {
    fatal("writer", "planted panic in the writer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_market_feed_ends_the_process_and_the_next_start_goes_on() {
    fatal("market", "planted panic in the market feed").await;
}

/// Clients trade, the panic is planted among their requests, the process ends, and nothing is lost or doubled.
async fn fatal(planted: &str, said: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut program = start(&data).await;
    let driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    let opening = holdings(&driver).await;
    driver.put_quote(199, 200, 5_000).await.unwrap();
    let clients = clients(&driver, 4);
    tokio::time::sleep(Duration::from_millis(700)).await;

    program.tell(planted);
    let status = tokio::time::timeout(SOON, program.ended()).await.expect("the process ends by itself");
    assert_eq!(status.code(), Some(FATAL), "{}", tail(&data));
    assert!(log(&data).contains(said), "{}", tail(&data));
    for client in clients {
        client.await.unwrap();
    }
    driver.nothing_is_on_the_way();
    comes_back(&data, &driver, &opening).await;
}

/// The rows are what the journal tells, and the shipped program goes on with what was unfinished.
async fn comes_back(data: &Path, driver: &Driver, opening: &Opening) {
    proofs(data, false);
    let program = program::start(data, CLOCK).await;
    let driver = driver.reconnected(&program.url);
    driver.put_quote(199, 200, 100_000_000).await.unwrap();
    driver.ask_again().await.unwrap();
    let State { signals, fills, .. } =
        reckon(&driver, opening).await.unwrap_or_else(|faults| panic!("{faults:#?}\n{}", tail(data)));
    assert!(!signals.is_empty() && !fills.is_empty(), "there was nothing to lose");
    assert_eq!(program.stop().await.code(), Some(0), "{}", tail(data));
    proofs(data, true);
}

fn clients(driver: &Driver, count: u64) -> Vec<tokio::task::JoinHandle<()>> {
    let client = |n| {
        let driver = driver.reconnected(&driver.url);
        tokio::spawn(async move { driver.trade_until_it_dies(format!("drill-{n}"), Dice::new(n)).await })
    };
    (0..count).map(client).collect()
}

/// An order in an account that no drill hits: within the cage wherever the clients move the market.
fn by_hand(key: &str) -> Value {
    json!({"account": "paper-b", "symbol": SYMBOL, "side": "buy", "quantity": 100, "type": "limit",
        "limit_price": "1.97", "client_signal_id": key})
}

async fn trades_on(driver: &Driver, signal: &str) {
    let began = now();
    loop {
        let signal = driver.get(&format!("/v1/signals/{signal}")).await;
        if signal["status"] == "done" {
            return;
        }
        assert!(began.elapsed() < SOON, "paper-b does not trade on: {signal}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn log(data: &Path) -> String {
    std::fs::read_to_string(log_of(data)).unwrap_or_default()
}

async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let began = now();
    while !is().await {
        assert!(began.elapsed() < SOON, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn start(data: &Path) -> Program {
    let log = std::fs::File::create(log_of(data)).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["drill::under_drill", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    Program::ready(now(), child, &log_of(data)).await
}

/// Not a test: the process that the drills start.
#[test]
#[ignore = "is started by the drills"]
fn under_drill() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    signalbox::telemetry::install(signalbox::telemetry::Told::Warnings);
    actix::System::new().block_on(async move {
        let mut settings = Settings::demo().unwrap();
        settings.data_dir = folder.clone().into();
        settings.people.folder = folder.into();
        // The slower the machine, the longer the clients trade; what they have shall not run out.
        settings.accounts.iter_mut().for_each(|account| account.cash = Money::from_units(1_000_000_000));
        let start = ClockStart::At { start: TEN_O_CLOCK, speed: 1 };
        let system = Signalbox::build(settings, start).await.unwrap();
        let password = SecretString::from(PASSWORD);
        system.people.ensure_user("admin", password, vec![Role::Admin], Vec::new()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("Signalbox listens on http://{}", listener.local_addr().unwrap());
        let door = signalbox::http::serve(listener, 2, signalbox::http::install(&system).unwrap()).unwrap();
        std::thread::spawn(move || std::io::stdin().lock().lines().for_each(|line| plant(&system, &line.unwrap())));
        door.await.unwrap();
    });
}

fn plant(system: &Signalbox, line: &str) {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("risk", _) => system.desk.plant_panic(Planted::Risk),
        ("market", _) => system.desk.plant_panic(Planted::Market),
        ("account", name) => system.desk.plant_panic(Planted::Account(AccountId::parse(name).unwrap())),
        ("strategy", name) => system.desk.plant_panic(Planted::Strategy(StrategyId::parse(name).unwrap())),
        // What hears of a commit runs on the writer's thread.
        ("writer", _) => system.store.on_commit(Box::new(|_| panic!("planted panic in the writer"))),
        other => panic!("no drill is called {other:?}"),
    }
}
