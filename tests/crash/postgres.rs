//! PostgreSQL dies, or ends our connections, while transactions commit. The process ends itself, because the fate of its
//! last transaction is not known, and the next start finds out.
//!
//! The server is a private one, made for the test. `POSTGRES_KILLS` says how often each happens (3). Without PostgreSQL's
//! programs on the machine there is nothing to test.

use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use signalbox_support::drill::program as drilled;
use signalbox_support::postgres::Server;

use crate::Dice;
use crate::driver::Driver;
use crate::program::{DATABASE, Program, command, log_of, now, run_on, tail};
use crate::reckoning::{holdings, reckon};

const CLOCK: &str = "2025-03-03T10:00:00+08:00";
const CONNECTIONS: u64 = 4;
const ENDS_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f06_postgresql_that_dies_at_a_commit_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path()) else {
        println!("there is no PostgreSQL on this machine: nothing was tested");
        return;
    };
    let times = std::env::var("POSTGRES_KILLS").map_or(3, |text| text.parse::<u64>().unwrap());
    let (data, url) = (folder.path().join("data"), server.url());
    let mut dice = Dice::new(7);
    let mut program = start(&data, &url).await;
    let mut driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    let opening = holdings(&driver).await;
    let mut at_commit = 0;
    for turn in 0..2 * times {
        driver.put_quote(199, 200, 5_000).await.unwrap();
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|n| {
                let (driver, dice) = (driver.reconnected(&driver.url), Dice::new(dice.next()));
                tokio::spawn(async move { driver.trade_until_it_dies(format!("{turn:03}-{n}"), dice).await })
            })
            .collect();
        tokio::time::sleep(dice.millis(200, 600)).await;
        if turn % 2 == 0 {
            server.kill();
        } else {
            at_commit += u64::from(terminate_at_commit(&url).await);
        }
        let status = tokio::time::timeout(ENDS_WITHIN, program.ended()).await.expect("the process ends by itself");
        assert_eq!(status.code(), Some(70), "{}", tail(&data));
        for client in clients {
            client.await.unwrap();
        }
        driver.nothing_is_on_the_way();
        if turn % 2 == 0 {
            server.restart();
        }
        proofs(&data, &url, false);
        program = start(&data, &url).await;
        driver = driver.reconnected(&program.url);
        driver.put_quote(199, 200, 5_000).await.unwrap();
        driver.ask_again().await.unwrap();
        reckon(&driver, &opening).await.unwrap_or_else(|faults| panic!("turn {turn}: {faults:#?}\n{}", tail(&data)));
    }
    assert_eq!(program.stop().await.code(), Some(0), "{}", tail(&data));
    proofs(&data, &url, true);
    let ledger = driver.ledger();
    println!(
        "{times} kills of the server, {times} ends of its connections ({at_commit} of them seen inside of a COMMIT): {} \
         keys, {} asked again, {} replays; 0 lost, 0 doubled",
        ledger.sent.len(),
        ledger.repeated,
        ledger.replayed
    );
}

pub(crate) async fn start(data: &Path, url: &str) -> Program {
    let child = drilled::spawn(command(data, CLOCK).env("SIGNALBOX_DATABASE_URL", url), &log_of(data));
    Program::ready(now(), child, &log_of(data)).await
}

pub(crate) fn proofs(data: &Path, url: &str, settled: bool) {
    let replay: &[&str] = if settled { &["replay", "--settled"] } else { &["replay"] };
    for (args, word) in [(&["audit", "verify"][..], "the chain is whole: "), (replay, "state equal to the replay: ")] {
        let output = run_on(args, data, Some(url));
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.contains(word), "{args:?} ({DATABASE}): {said}{complained}");
    }
}

pub(crate) async fn person(url: &str) -> DatabaseConnection {
    sea_orm::Database::connect(url).await.unwrap()
}

/// Ends every connection of the program, if possible while it commits; whether it was.
async fn terminate_at_commit(url: &str) -> bool {
    let person = person(url).await;
    let mut seen = false;
    let began = now();
    while !seen && began.elapsed() < Duration::from_secs(2) {
        let ended = person
            .execute_unprepared(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'signalbox' AND state = 'active' AND query = 'COMMIT'",
            )
            .await
            .unwrap();
        seen = ended.rows_affected() > 0;
    }
    terminate(&person).await;
    seen
}

pub(crate) async fn terminate(person: &DatabaseConnection) {
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signalbox'";
    person.execute_unprepared(all).await.unwrap();
}
