//! The whole program on a disk that fails, by sample: clients trade, the N-th operation of the disk goes wrong, the
//! program dies or ends itself, and the next start on a sound disk is reckoned up. Every N is taken in
//! `tests/store/faults.rs`, where a run takes a tenth of a second and not three.
//!
//! `STORAGE_LIVES` says how many lives (7), `STORAGE_SEED` repeats the choices.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::Duration;

use signalbox_support::disk::{Disk, PLANS};
use signalbox_support::drill::program as drilled;

use crate::Dice;
use crate::driver::Driver;
use crate::program::{Program, command, log_of, now, start, tail};
use crate::reckoning::{holdings, reckon};
use crate::torture::proofs;

const CLOCK: &str = "2025-03-03T10:00:00+08:00";
const CONNECTIONS: u64 = 4;
/// A start takes some ten operations, a second of traffic some thousand.
const OPERATIONS: u64 = 2_000;
/// Traffic that no fault ended by then is ended by a kill.
const TRADES_FOR: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_on_a_disk_that_fails_loses_nothing_and_doubles_nothing() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let lives = number("STORAGE_LIVES").unwrap_or(7);
    let seed = number("STORAGE_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("STORAGE_SEED={seed} STORAGE_LIVES={lives}");
    let mut dice = Dice::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let disk = Disk::compile(folder.path());
    let mut program = start(&data, CLOCK).await;
    let mut driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    let opening = holdings(&driver).await;
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for life in 0..lives {
        // Both ways to begin: on a folded log, and on one that a kill left.
        if life % 2 == 0 {
            assert_eq!(program.stop().await.code(), Some(0), "{}", tail(&data));
        } else {
            program.kill();
        }
        let plan = PLANS[(life + seed) as usize % PLANS.len()];
        let within = if dice.one_in(5) { 40 } else { OPERATIONS };
        let fault = plan.at(dice.between(1, within), &mut dice);
        let mut command = command(&data, CLOCK);
        disk.under(&mut command, &data, fault);
        let child = drilled::spawn(&mut command, &log_of(&data));
        let end = match Program::comes_up(now(), child, &log_of(&data)).await {
            Ok(program) => traffic(&driver, life, &mut dice, program).await,
            Err(status) => Some(status),
        };
        driver.nothing_is_on_the_way();
        let context = format!("STORAGE_SEED={seed} life {life}: {} {fault:?} at {}", plan.name, disk.seen().what);
        let code = end.and_then(|status| status.code());
        assert!(matches!(code, None | Some(1 | 70)), "{context}: ended with {code:?}\n{}", tail(&data));
        *ends.entry(format!("{}: {}", plan.name, ending(end))).or_default() += 1;

        proofs(&data, false);
        program = start(&data, CLOCK).await;
        driver = driver.reconnected(&program.url);
        driver.put_quote(199, 200, 5_000).await.unwrap();
        driver.ask_again().await.unwrap();
        if let Err(faults) = reckon(&driver, &opening).await {
            panic!(
                "{context}: {} faults:\n{}\n{}",
                faults.len(),
                faults[..faults.len().min(20)].join("\n"),
                tail(&data)
            );
        }
    }
    assert_eq!(program.stop().await.code(), Some(0), "{}", tail(&data));
    proofs(&data, true);
    for (end, count) in &ends {
        println!("{count} x {end}");
    }
    let ledger = driver.ledger();
    println!("{} keys, {} asked again; 0 lost, 0 doubled", ledger.sent.len(), ledger.repeated);
}

/// Clients trade until the program has ended; `None`: nothing ended it, so it was killed.
async fn traffic(driver: &Driver, life: u64, dice: &mut Dice, mut program: Program) -> Option<ExitStatus> {
    let mut clients = Vec::new();
    for connection in 0..CONNECTIONS {
        let (driver, dice) = (driver.reconnected(&program.url), Dice::new(dice.next()));
        clients.push(tokio::spawn(async move {
            driver.trade_until_it_dies(format!("{life:03}-{connection}"), dice).await;
        }));
    }
    let began = now();
    let mut end = None;
    while end.is_none() && began.elapsed() < TRADES_FOR {
        tokio::time::sleep(Duration::from_millis(10)).await;
        end = program.has_ended();
    }
    if end.is_none() {
        program.kill();
    }
    for client in clients {
        client.await.unwrap();
    }
    end
}

fn ending(end: Option<ExitStatus>) -> &'static str {
    match end.map(|status| status.code()) {
        None => "nothing happened",
        Some(None) => "killed",
        Some(Some(70)) => "ended itself",
        Some(Some(_)) => "refused to start",
    }
}
