//! Kill, restart, repeat.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Dice;
use crate::driver::Driver;
use crate::program::{Program, now, spawn, start, succeed, tail};
use crate::reckoning::{ACCOUNTS, Opening, State, holdings, reckon};

const CONNECTIONS: u64 = 4;
/// The mornings of the trading days of March 2025. Each restart may be on a later one: what was bought can be sold
/// then, and what rested has expired.
const DAYS: [u64; 15] = [3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21];
/// A test run may take a minute; the full run takes what it takes.
const KILLS: u64 = 40;

#[derive(Debug, Default)]
struct Figures {
    kills: u64,
    /// Of those, before the program was ready.
    kills_in_recovery: u64,
    recoveries: Vec<Duration>,
    behind: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_f10_f66_killed_at_any_instant_it_loses_nothing_and_doubles_nothing() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let kills = number("CRASH_KILLS").unwrap_or(KILLS);
    let seed = number("CRASH_SEED").unwrap_or_else(fresh_seed);
    println!("CRASH_SEED={seed} CRASH_KILLS={kills}");
    let began = now();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut dice = Dice::new(seed);
    let mut figures = Figures::default();
    let (each_reckoning, each_day) = (kills.div_ceil(5), kills.div_ceil(DAYS.len() as u64));

    let mut program = start(&data, &clock(0)).await;
    let mut driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    let opening = holdings(&driver).await;
    for cycle in 0.. {
        traffic(&driver, cycle, &mut dice, program).await;
        figures.kills += 1;
        let day = clock(figures.kills / each_day);
        if dice.one_in(4) {
            figures.behind += proofs(&data, false);
        }
        while dice.one_in(5) {
            kill_in_recovery(&data, &day, &mut dice);
            figures.kills += 1;
            figures.kills_in_recovery += 1;
        }
        program = start(&data, &day).await;
        figures.recoveries.push(program.recovery);
        driver = driver.reconnected(&program.url);
        if figures.kills >= kills || (cycle + 1) % each_reckoning == 0 {
            driver.put_quote(199, 200, 5_000).await.unwrap();
            driver.ask_again().await.unwrap();
            reckon(&driver, &opening).await.unwrap_or_else(|faults| fail(seed, &data, &faults));
        }
        if figures.kills >= kills {
            break;
        }
    }
    let state = come_to_rest(&driver, &opening, seed, &data).await;
    assert_eq!(program.stop().await.code(), Some(0), "{}", tail(&data));
    assert_eq!(proofs(&data, true), 0);
    let program = start(&data, &clock(0)).await;
    let again = reckon(&driver.reconnected(&program.url), &opening).await;
    let again = again.unwrap_or_else(|faults| fail(seed, &data, &faults));
    assert_eq!(same(&state), same(&again), "an orderly restart changed something");
    program.kill();
    report(&driver, &state, figures, began.elapsed());
}

/// Several clients at once; the program dies while they talk.
async fn traffic(driver: &Driver, cycle: u64, dice: &mut Dice, program: Program) {
    let mut clients = Vec::new();
    for connection in 0..CONNECTIONS {
        let (driver, dice) = (driver.reconnected(&program.url), Dice::new(dice.next()));
        clients.push(tokio::spawn(async move {
            // The first of them asks again for what the last life left open, while the others go on.
            if connection == 0 && driver.ask_again().await.is_err() {
                return;
            }
            driver.trade_until_it_dies(format!("{cycle:03}-{connection}"), dice).await;
        }));
    }
    tokio::time::sleep(dice.millis(20, 500)).await;
    program.kill();
    for client in clients {
        client.await.unwrap();
    }
    driver.nothing_is_on_the_way();
}

/// Recovery has to survive its own death.
fn kill_in_recovery(data: &Path, clock: &str, dice: &mut Dice) {
    let mut child = spawn(data, clock);
    std::thread::sleep(dice.millis(1, 150));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The chain of hashes is whole and the rows are what the journal tells; how many rows were behind.
pub(crate) fn proofs(data: &Path, settled: bool) -> u64 {
    let whole = succeed(&["audit", "verify"], data);
    assert!(whole.starts_with("the chain is whole: "), "{whole}");
    let equal = succeed(if settled { &["replay", "--settled"] } else { &["replay"] }, data);
    assert!(equal.contains("state equal to the replay: "), "{equal}");
    let behind = equal.lines().find(|line| line.contains("are behind"));
    behind.and_then(|line| line.split(' ').next()).map_or(0, |count| count.parse().unwrap())
}

/// The market meets every resting order of the last lives: a buy that was forgotten would stay. Then the rest is taken
/// back, and everything has to end.
async fn come_to_rest(driver: &Driver, opening: &Opening, seed: u64, data: &Path) -> State {
    let meet = async || {
        for (bid, ask) in [(180, 181), (219, 220)] {
            driver.put_quote(bid, ask, 100_000_000).await.unwrap();
        }
        reckon(driver, opening).await.unwrap_or_else(|faults| fail(seed, data, &faults))
    };
    // What waited for a quote goes out with the first of them, and may come to the market after the last.
    meet().await;
    let state = meet().await;
    let forgotten: Vec<_> = state.orders.iter().filter(|order| open(order)).map(|order| &order["id"]).collect();
    assert!(forgotten.is_empty(), "seed {seed}: the market did not meet {forgotten:?}");
    for account in ACCOUNTS {
        driver.must(&format!("/v1/accounts/{account}/cancel-all"), &Value::Null).await;
    }
    let state = reckon(driver, opening).await.unwrap_or_else(|faults| fail(seed, data, &faults));
    assert!(!state.signals.iter().any(|signal| signal["status"] == "working"), "seed {seed}: a signal did not end");
    state
}

fn open(order: &Value) -> bool {
    ["new", "partially_filled"].iter().any(|status| order["status"] == *status)
}

/// What an orderly restart must leave as it is.
pub(crate) fn same(state: &State) -> (&[Value], &[Value], &[Value], &Opening) {
    (&state.signals, &state.orders, &state.fills, &state.holdings)
}

fn fail(seed: u64, data: &Path, faults: &[String]) -> ! {
    let shown = faults[..faults.len().min(20)].join("\n");
    panic!("CRASH_SEED={seed}: {} faults:\n{shown}\n{}", faults.len(), tail(data));
}

fn report(driver: &Driver, state: &State, mut figures: Figures, took: Duration) {
    let ledger = driver.ledger();
    figures.recoveries.sort_unstable();
    let recovery = |percent: usize| figures.recoveries[(figures.recoveries.len() - 1) * percent / 100].as_millis();
    let count = |list: &[Value], status: &str| list.iter().filter(|item| item["status"] == status).count();
    println!(
        "{} kills ({} of them during a recovery): {} keys, {} signals, {} orders, {} fills; 0 lost, 0 doubled",
        figures.kills,
        figures.kills_in_recovery,
        ledger.sent.len(),
        state.signals.len(),
        state.orders.len(),
        state.fills.len()
    );
    println!("{} requests were asked again, {} answers were replays", ledger.repeated, ledger.replayed);
    for (name, list) in [("signals", &state.signals), ("orders", &state.orders)] {
        let words =
            ["done", "partially_done", "filled", "denied", "canceled", "expired", "rejected", "absent", "never_sent"];
        let counts: Vec<String> = words
            .iter()
            .map(|word| (word, count(list, word)))
            .filter(|(_, n)| *n > 0)
            .map(|(word, n)| format!("{n} {word}"))
            .collect();
        println!("{name}: {}", counts.join(", "));
    }
    println!("rows of signals and legs that were behind right after a kill: {}", figures.behind);
    println!(
        "ready after a start: {} ms at best, {} ms median, {} ms p95, {} ms at worst; the run took {} s",
        recovery(0),
        recovery(50),
        recovery(95),
        recovery(100),
        took.as_secs()
    );
}

fn clock(day: u64) -> String {
    let day = DAYS[(day as usize).min(DAYS.len() - 1)];
    format!("2025-03-{day:02}T10:00:00+08:00")
}

fn fresh_seed() -> u64 {
    u64::from(std::process::id()) << 32 ^ now().elapsed().as_nanos() as u64 ^ address()
}

/// Where the system put this process: different each time.
fn address() -> u64 {
    std::ptr::from_ref(&Box::new(0_u8)) as u64
}
