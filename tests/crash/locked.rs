//! Another process holds the database's lock, as a backup or a curious person does.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use crate::Dice;
use crate::driver::{Driver, SYMBOL};
use crate::program::{spawn, start, tail};
use crate::reckoning::{holdings, reckon};
use crate::torture::proofs;

const CLOCK: &str = "2025-03-03T10:00:00+08:00";
/// SQLite itself waits for five seconds.
const HELD_MS: [u64; 5] = [100, 500, 1_000, 2_500, 7_000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f39_a_database_that_somebody_else_locks_answers_late_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = start(&data, CLOCK).await;
    let driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    let opening = holdings(&driver).await;
    driver.put_quote(199, 200, 100_000_000).await.unwrap();
    let clients: Vec<_> = (0..3)
        .map(|n| {
            let driver = driver.reconnected(&driver.url);
            tokio::spawn(async move { driver.trade_until_it_dies(format!("locked-{n}"), Dice::new(n)).await })
        })
        .collect();
    let other = Connection::open(data.join("signalbox.db")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    for (n, held_ms) in HELD_MS.into_iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let held = Duration::from_millis(held_ms);
        let began = crate::program::now();
        let key = format!("meanwhile-{n}");
        let body =
            json!({"strategy": "solo", "symbol": SYMBOL, "side": "buy", "quantity": 100, "client_signal_id": key});
        let release = async {
            tokio::time::sleep(held).await;
            other.execute_batch("ROLLBACK").unwrap();
        };
        tokio::join!(release, driver.accept(body));
        assert!(began.elapsed() >= held, "nothing is answered that is not durable");
    }
    for client in &clients {
        assert!(!client.is_finished(), "a client met a broken connection: {}", tail(&data));
        client.abort();
    }
    for client in clients {
        let _ = client.await; // aborted
    }
    driver.ask_again().await.unwrap();
    let state = reckon(&driver, &opening).await.unwrap_or_else(|faults| panic!("{faults:#?}\n{}", tail(&data)));
    assert!(!state.fills.is_empty());
    assert_eq!(program.stop().await.code(), Some(0), "{}", tail(&data));
    proofs(&data, true);

    // A start meanwhile is refused in clear words, and changes nothing.
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = tokio::task::spawn_blocking({
        let data = data.clone();
        move || spawn(&data, CLOCK).wait().unwrap()
    });
    assert_eq!(refused.await.unwrap().code(), Some(1));
    assert!(tail(&data).contains("database is locked"), "{}", tail(&data));
    other.execute_batch("ROLLBACK").unwrap();
    start(&data, CLOCK).await.kill();
}
