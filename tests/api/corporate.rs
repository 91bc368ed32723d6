//! Shares that go ex under the whole program, with rows of the table that comes with it and the recorded closes of the days:
//! 600000.SH paid 1.6 yuan and gave 3 shares for 10 on 2011-06-03, and 1.5 yuan and 3 shares on 2010-06-10.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox::replay::{Rows, prove};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::units::{Timestamp, TradeDate};

use crate::support::{Options, TestApp};

const PUFA: &str = "600000.SH";

fn at(date: &str, hh: u32, mm: u32, ss: u32) -> Timestamp {
    china_instant(TradeDate::parse(date).unwrap(), hh, mm, ss)
}

/// A quarter of an hour before shares close, and three before the day ends, at two minutes a second.
fn until_the_night(begins: Timestamp) -> Options {
    Options { speed: 120, ..options(begins) }
}

fn options(begins: Timestamp) -> Options {
    Options { begins, ..Options::default() }
}

/// 1,000 shares of a strategy and five that nobody claims.
async fn join(app: &TestApp, admin: &str) {
    let csv = format!("strategy,symbol,quantity,cost,entry_date\nsmall-cap,{PUFA},1000,15,\nEXTERNAL,{PUFA},5,15,\n");
    let body = json!({ "account": "paper-a", "csv": csv, "note": "joined" });
    let done = app.call("POST", "/v1/books/import", admin, body).await;
    assert_eq!(done.status, 200, "{done:?}");
}

async fn quote(app: &TestApp, last: &str, prev_close: &str) {
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    let quote = json!({ "symbol": PUFA, "last": last, "prev_close": prev_close });
    let taken = app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}

async fn booked(app: &TestApp, token: &str) -> Vec<Value> {
    let answer = app.get("/v1/accounts/paper-a/corporate-actions", token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

async fn book(app: &TestApp, token: &str, strategy: &str) -> Value {
    let books = app.get("/v1/accounts/paper-a/books", token).await.body["items"].as_array().unwrap().clone();
    books.into_iter().find(|book| book["symbol"] == PUFA && book["strategy"] == strategy).unwrap()
}

async fn equity(app: &TestApp, token: &str) -> (f64, String) {
    let balance = app.get("/v1/accounts/paper-a/balance", token).await.body;
    let of = &balance["items"][0];
    let of = if of.is_null() { &balance } else { of };
    (of["equity"].as_str().unwrap().parse().unwrap(), of["cash"].as_str().unwrap().to_owned())
}

async fn is_proved(app: &TestApp) {
    let proof = prove(&app.store, Rows::AsTheyAre).await.unwrap();
    assert!(proof.differences.is_empty(), "{:#?}", proof.differences);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_roll_of_the_day_books_what_goes_ex_and_no_profit_jumps() {
    let app = TestApp::start_with(until_the_night(at("2011-06-02", 14, 45, 0))).await;
    let admin = app.login("admin").await.access;
    join(&app, &admin).await;
    quote(&app, "13.21", "13.74").await;
    let (before, cash) = equity(&app, &admin).await;
    assert_eq!((booked(&app, &admin).await.len(), cash.as_str()), (0, "1000000.00"));
    for _ in 0..1_200 {
        if !booked(&app, &admin).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = booked(&app, &admin).await;
    let [one] = all.as_slice() else { panic!("one action, not {all:?}") };
    let told = ["symbol", "ex_date", "held", "new_shares", "cash"].map(|key| one[key].as_str().unwrap());
    assert_eq!(told, [PUFA, "2011-06-03", "1005", "301", "160.80"]);
    let (own, rest) = (book(&app, &admin, "small-cap").await, book(&app, &admin, "EXTERNAL").await);
    assert_eq!((&own["quantity"], &rest["quantity"]), (&json!("1300"), &json!("6")));
    // 15,000 less 160, for 1,300; (15.00 − 0.16) ÷ 1.3 and (13.21 − 0.16) ÷ 1.3.
    assert_eq!(own["avg_cost"], "11.4154");
    assert_eq!((&own["high_since_entry"], &own["low_since_entry"]), (&json!("11.4154"), &json!("10.0385")));
    // In the evening the newest price is one of before. Half a share is the depository's.
    let (after, cash) = equity(&app, &admin).await;
    assert_eq!(cash, "1000160.80");
    assert!((before - after - 5.02).abs() < 0.2, "{before} {after}");

    let app = app.restart_with(options(at("2011-06-03", 10, 0, 0))).await;
    let admin = app.login("admin").await.access;
    // The exchange reckons from 10.04, and the day closed at 10.09.
    quote(&app, "10.09", "10.04").await;
    let own = book(&app, &admin, "small-cap").await;
    assert_eq!((&own["quantity"], &own["day_pnl"]), (&json!("1300"), &json!("65.00")), "{own}");
    assert_eq!(booked(&app, &admin).await.len(), 1);
    let table = app.get(&format!("/v1/instruments/{PUFA}/corporate-actions"), &admin).await.body;
    assert_eq!(table["items"].as_array().unwrap().len(), 12);
    is_proved(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_ex_while_the_program_was_off_is_booked_by_the_next_start_and_by_none_after_it() {
    let app = TestApp::start_with(options(at("2010-06-09", 10, 0, 0))).await;
    let admin = app.login("admin").await.access;
    join(&app, &admin).await;
    let mut app = app.restart_with(options(at("2011-06-08", 10, 0, 0))).await;
    for _ in 0..2 {
        let admin = app.login("admin").await.access;
        for _ in 0..200 {
            if booked(&app, &admin).await.len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let all = booked(&app, &admin).await;
        let dates: Vec<&str> = all.iter().map(|one| one["ex_date"].as_str().unwrap()).collect();
        assert_eq!(dates, ["2011-06-03", "2010-06-10"]);
        let (own, rest) = (book(&app, &admin, "small-cap").await, book(&app, &admin, "EXTERNAL").await);
        assert_eq!((&own["quantity"], &rest["quantity"]), (&json!("1690"), &json!("7")));
        assert_eq!(equity(&app, &admin).await.1, "1000359.71");
        is_proved(&app).await;
        app = app.restart_with(options(at("2011-06-09", 10, 0, 0))).await;
    }
}
