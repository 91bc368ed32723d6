//! The orderly ways: stop and start again, and a second process on the same folder.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::driver::Driver;
use crate::program::{run, spawn, start, succeed, tail};
use crate::reckoning::{holdings, reckon};
use crate::torture::same;

const CLOCK: &str = "2025-03-03T10:00:00+08:00";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_it_drains_and_the_next_start_shows_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = start(&data, CLOCK).await;
    let driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    let opening = holdings(&driver).await;
    driver.put_quote(199, 200, 100_000).await.unwrap();
    let filled = json!({"strategy": "external", "symbol": "000001.SZ", "side": "buy", "quantity": 1700, "client_signal_id": "stop-1"});
    let resting = json!({"strategy": "solo", "symbol": "000001.SZ", "side": "buy", "quantity": 300, "limit_price": "1.90", "client_signal_id": "stop-2"});
    for body in [filled, resting] {
        driver.accept(body).await;
    }
    let before = reckon(&driver, &opening).await.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(before.fills.len(), 3);
    assert!(before.orders.iter().any(|order| order["status"] == "new"));

    // Told to stop in the middle of requests: each of them is answered, or knows that it was not.
    let busy = driver.clone();
    let client = tokio::spawn(async move { busy.trade_until_it_dies("busy".to_owned(), crate::Dice::new(7)).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(program.stop().await.code(), Some(0), "{}", tail(&data));
    client.await.unwrap();

    succeed(&["audit", "verify"], &data);
    succeed(&["replay"], &data);
    let program = start(&data, CLOCK).await;
    let driver = driver.reconnected(&program.url);
    // What was still in the inbox waits for a price of this life.
    driver.put_quote(199, 200, 100_000).await.unwrap();
    driver.ask_again().await.unwrap();
    let started = reckon(&driver, &opening).await.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(program.stop().await.code(), Some(0));
    assert!(succeed(&["replay", "--settled"], &data).contains("state equal to the replay"));

    let program = start(&data, CLOCK).await;
    let again = reckon(&driver.reconnected(&program.url), &opening).await.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(same(&started), same(&again));
    program.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f42_a_damaged_page_is_found_at_the_start_and_told_in_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(start(&data, CLOCK).await.stop().await.code(), Some(0));
    let file = data.join("signalbox.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let (page, last) = (4_096, bytes.len() / 4_096 - 1);
    for n in last.div_ceil(2)..=last {
        bytes[n * page..(n + 1) * page].fill(0xa5);
    }
    std::fs::write(&file, &bytes).unwrap();

    let started = tokio::task::spawn_blocking({
        let data = data.clone();
        move || spawn(&data, CLOCK).wait().unwrap()
    });
    assert_eq!(started.await.unwrap().code(), Some(1));
    let said = format!("signalbox: the database file {} is damaged: ", file.display());
    assert!(tail(&data).contains(&said), "{}", tail(&data));
    assert!(tail(&data).contains("restore it from a backup"));
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f53_a_second_process_on_the_same_folder_is_refused_in_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let program = start(&data, CLOCK).await;
    let second = tokio::task::spawn_blocking({
        let data = data.clone();
        move || spawn(&data, CLOCK).wait().unwrap()
    });
    assert_eq!(second.await.unwrap().code(), Some(1));
    let refusal = format!("the data folder {} is in use by another process", data.display());
    assert!(tail(&data).contains(&refusal), "{}", tail(&data));
    for command in [&["audit", "verify"][..], &["replay"]] {
        let output = run(command, &data);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(&refusal));
    }
    // The first one never noticed.
    let driver = Driver::new(&program.url, &folder.path().join("ledger")).await;
    driver.put_quote(199, 200, 100_000).await.unwrap();
    assert_eq!(program.stop().await.code(), Some(0));
    assert!(succeed(&["replay", "--settled"], &data).contains("state equal to the replay"));
}

/// What is said on the way to serving, on a folder with one paper account.
fn said_at_start(conf: &std::path::Path, clock: &str) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
    command.args(["serve", "--clock", clock, "--conf"]).arg(conf).env("RUST_LOG", "error");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let up = line.starts_with("Signalbox listens on ");
        said.push(line);
        if up {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn a_person_who_is_made_today_does_not_forbid_a_drill_of_the_past() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("signalbox.toml");
    let data = folder.path().join("data");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\ndata_dir = {:?}\n[[accounts]]\nid = \"play\"\ncash = \"100000\"\n",
        data.display().to_string()
    );
    std::fs::write(&conf, text).unwrap();
    for (name, works) in [("admin", true), ("ann", true), ("ann", false)] {
        let mut add = Command::new(env!("CARGO_BIN_EXE_signalbox"));
        add.args(["user", "add", name, "--role", "admin", "--conf"]).arg(&conf);
        let added = add.env("SIGNALBOX_PASSWORD", crate::program::PASSWORD).output().unwrap();
        assert_eq!(added.status.success(), works, "{}", String::from_utf8_lossy(&added.stderr));
    }
    let said = said_at_start(&conf, CLOCK);
    assert_eq!(said[0], format!("The market clock starts at {CLOCK}."), "{said:?}");
    // The accounts were opened then: nothing of the market comes before that.
    let said = said_at_start(&conf, "2025-03-03T09:00:00+08:00");
    let overruled = "The market clock starts at 2025-03-03T10:00:";
    assert!(said[0].starts_with(overruled) && said[0].contains(", not at 2025-03-03T09:00:00+08:00: "), "{said:?}");
    succeed(&["audit", "verify"], &data);
    succeed(&["replay"], &data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_archives_hears_why_lines_stay() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(start(&data, CLOCK).await.stop().await.code(), Some(0));
    let said = succeed(&["archive", "--days", "30"], &data);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines.len()), ("0 lines of the journal went to files", 3));
    assert_eq!(lines[1], "the rows of 0 signals that these files tell of were dropped");
    assert!(lines[2].contains(" stay in the database: its newest 20000 lines always do"), "{said}");
    // Nothing here is as old as that.
    let said = succeed(&["archive", "--days", "36500"], &data);
    assert!(said.contains("no line from before ") && said.ends_with(" is left in the database\n"), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for arguments in [
        ["instruments", "show", "--data", data].as_slice(),
        &["instruments", "show", "60", "--data", data],
        &["calendars", "show", "--data", data],
        &["completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
        let ended = command.args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let complained = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*complained), (Some(0), ""), "{arguments:?}");
    }
}
