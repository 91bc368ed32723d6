//! An account day by day, over a close on which shares go ex: 600000.SH paid 1.6 yuan and gave 3 shares for 10 on 2011-06-03.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};
use signalbox::replay::{Rows, prove};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::units::{Timestamp, TradeDate};

use crate::sizes::settled;
use crate::support::{Options, TestApp, unique};

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

async fn quote(app: &TestApp, last: &str, prev_close: &str) {
    let feed = app.key(json!({ "name": unique(), "scopes": ["quotes:write"] })).await.1;
    let bid = format!("{:.2}", last.parse::<f64>().unwrap() - 0.01);
    let quote = json!({ "symbol": PUFA, "last": last, "bid": bid, "ask": last, "bid_size": 100_000, "ask_size": 100_000,
        "prev_close": prev_close });
    // The account was opened with 5,000 of these.
    let held = json!({ "symbol": "000001.SZ", "last": "10.00", "prev_close": "10.00" });
    let taken = app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote, held] })).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}

/// Waits for the market clock.
async fn wait_until(app: &TestApp, token: &str, time: &str) {
    while app.get("/v1/calendar", token).await.body["now"].as_str().unwrap() < time {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn days(app: &TestApp, token: &str, what: &str) -> Vec<Value> {
    let answer = app.get(&format!("/v1/accounts/paper-a/{what}"), token).await;
    assert_eq!((answer.status, &answer.body["currency"]), (200, &json!("CNY")), "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

/// Every cause of a day, in the order in which they are shown.
fn causes(day: &Value) -> [&str; 10] {
    ["trade_date", "opening_cash", "trades", "fees", "loans", "settlements", "corporate_actions", "adjustments", "cash"]
        .map(|key| day[key].as_str().unwrap())
        .into_iter()
        .chain([if day["closed"] == true { "closed" } else { "open" }])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_day_names_what_moved_its_cash_and_what_the_account_was_worth() {
    let app = TestApp::start_with(until_the_night(at("2011-06-02", 14, 45, 0))).await;
    let admin = app.login("admin").await.access;
    let csv = format!("strategy,symbol,quantity,cost,entry_date\nsmall-cap,{PUFA},1000,13,\n");
    let join = json!({ "account": "paper-a", "csv": csv, "note": "joined" });
    assert_eq!(app.call("POST", "/v1/books/import", &admin, join).await.status, 200);
    let paid = json!({ "account": "paper-a", "direction": "add", "amount": "5000", "note": "bank transfer" });
    assert_eq!(app.call("POST", "/v1/books/adjust", &admin, paid).await.status, 200);
    quote(&app, "13.21", "13.74").await;
    for _ in 0..1_200 {
        if days(&app, &admin, "equity").await.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let flows = days(&app, &admin, "cash-flows").await;
    let before =
        ["2011-06-02", "1000000.00", "0.00", "0.00", "0.00", "0.00", "0.00", "5000.00", "1005000.00", "closed"];
    let after = ["2011-06-03", "1005000.00", "0.00", "0.00", "0.00", "0.00", "160.00", "0.00", "1005160.00", "open"];
    assert_eq!(flows.iter().map(causes).collect::<Vec<_>>(), [before, after]);

    let app = app.restart_with(options(at("2011-06-03", 10, 0, 0))).await;
    let ann = app.login("admin").await.access;
    quote(&app, "10.09", "10.04").await;
    let out = json!({ "account": "paper-a", "direction": "remove", "amount": "2000", "note": "bank transfer" });
    assert_eq!(app.call("POST", "/v1/books/adjust", &ann, out).await.status, 200);
    let flows = days(&app, &ann, "cash-flows").await;
    let now = ["2011-06-03", "1005000.00", "0.00", "0.00", "0.00", "0.00", "160.00", "-2000.00", "1003160.00", "open"];
    assert_eq!(flows.iter().map(causes).collect::<Vec<_>>(), [before, now]);

    let curve = days(&app, &ann, "equity").await;
    // The close of the second of June without the dividend and the shares that went ex: within a cent a share of 13,210.
    let close: f64 = curve[0]["equity"].as_str().unwrap().parse().unwrap();
    assert!((close - 1_068_210.0).abs() < 13.0, "{curve:?}");
    let now: f64 = curve[1]["equity"].as_str().unwrap().parse().unwrap();
    assert_eq!((now * 100.0).round(), 100_316_000.0 + 1_300.0 * 1_009.0 + 5_000.0 * 1_000.0, "{curve:?}");
    let nav: f64 = curve[1]["nav"].as_str().unwrap().parse().unwrap();
    assert!((nav - now / (close - 2_000.0)).abs() < 0.000_001, "{curve:?}");
    assert_eq!((&curve[0]["closed"], &curve[1]["closed"]), (&json!(true), &json!(false)));

    for (query, dates) in [
        ("?limit=1", &["2011-06-03"][..]),
        ("?to=2011-06-02", &["2011-06-02"]),
        ("?from=2011-06-03&to=2011-06-03", &["2011-06-03"]),
        ("?from=2011-06-04", &[]),
    ] {
        let found = days(&app, &ann, &format!("equity{query}")).await;
        assert_eq!(found.iter().map(|day| day["trade_date"].as_str().unwrap()).collect::<Vec<_>>(), dates, "{query}");
    }
    for query in ["?limit=0", "?limit=2501", "?from=yesterday", "?to=2011-13-01", "?days=3"] {
        for what in ["equity", "cash-flows"] {
            let refused = app.get(&format!("/v1/accounts/paper-a/{what}{query}"), &ann).await;
            assert_eq!((refused.status, refused.code()), (400, "invalid_query"), "{what}{query}");
        }
    }
    let proof = prove(&app.store, Rows::AsTheyAre).await.unwrap();
    assert!(proof.differences.is_empty(), "{:#?}", proof.differences);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_and_their_fees_are_told_apart() {
    let app = TestApp::start_with(Options::default()).await;
    let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![on_a]).await;
    let ann = app.login("ann").await.access;
    quote(&app, "10.09", "10.04").await;
    let buy = json!({ "account": "paper-a", "symbol": PUFA, "side": "buy", "quantity": 1000, "limit_price": "10.09",
        "client_signal_id": unique() });
    let sent = app.call("POST", "/v1/orders", &ann, buy).await;
    settled(&app, &ann, &sent.headers["location"], &["accepted", "waiting"]).await;
    quote(&app, "10.09", "10.04").await;
    let done = settled(&app, &ann, &sent.headers["location"], &["accepted", "waiting", "working"]).await;
    assert_eq!(done["status"], "done", "{done}");
    app.settled().await;
    let cents = |text: &Value| (text.as_str().unwrap().parse::<f64>().unwrap() * 100.0).round();
    let fills = app.get("/v1/accounts/paper-a/fills", &ann).await.body["items"].as_array().unwrap().clone();
    let fees: f64 = fills.iter().map(|fill| cents(&fill["fee"])).sum();
    assert!(fees >= 500.0, "five yuan of commission at the least: {fills:?}");
    let flows = days(&app, &ann, "cash-flows").await;
    let [today] = flows.as_slice() else { panic!("one day, not {flows:?}") };
    assert_eq!((&today["opening_cash"], &today["trades"]), (&json!("1000000.00"), &json!("-10090.00")), "{today}");
    assert_eq!((cents(&today["fees"]), cents(&today["cash"])), (-fees, 98_991_000.0 - fees));
    let balance = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    assert_eq!(today["cash"], balance["cash"], "{balance}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_close_holdings_and_risk_count_from_the_new_day() {
    let app = TestApp::start_with(until_the_night(at("2019-02-01", 14, 45, 0))).await;
    let admin = app.login("admin").await.access;
    let feed = app.key(json!({ "name": unique(), "scopes": ["quotes:write"] })).await.1;
    // The account was opened with 5,000 of these.
    let held = json!({ "symbol": "000001.SZ", "last": "10.00", "prev_close": "9.50" });
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [held] })).await.status, 200);
    let day_pnl = async || {
        let balances = app.get("/v1/accounts/paper-a/balance", &admin).await.body;
        balances["balances"][0]["day_pnl"].clone()
    };
    assert_eq!(day_pnl().await, "2500.00");
    // A source tells what it told until the morning; its close before is of the day that is over.
    wait_until(&app, &admin, "2019-02-01T15:05").await;
    let slip = json!({ "symbol": "000001.SZ", "last": "12.00" });
    let refused = app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [slip] })).await;
    assert_eq!(
        (refused.status, &refused.body["field"]),
        (422, &json!("quotes[0].last")),
        "the day's limits: {refused:?}"
    );
    let again = json!({ "symbol": "000001.SZ", "last": "10.00", "prev_close": "9.50" });
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [again] })).await.status, 200);
    assert_eq!(day_pnl().await, "2500.00");
    let instrument = app.get("/v1/instruments/000001.SZ", &admin).await.body;
    let rules = &instrument["rules"];
    assert_eq!((&rules["trade_date"], &rules["limit_up"]), (&json!("2019-02-11"), &json!("11.00")), "{instrument}");
    for _ in 0..1_200 {
        if days(&app, &admin, "equity").await.len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The newest quote is still of the day that is over, and so is the close that it counts from.
    assert_eq!(day_pnl().await, "0.00");
    let risk = app.get("/v1/risk", &admin).await.body;
    let row = risk["items"].as_array().unwrap().iter().find(|row| row["scope"] == "account:paper-a").unwrap();
    // The next trading day comes after the holidays.
    assert_eq!((&row["trade_date"], &row["gain"]), (&json!("2019-02-11"), &json!("0.00")), "{row}");
    assert_eq!(row["opened"], row["equity"], "{row}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_stops_between_the_close_and_the_end_of_the_day_knows_what_its_shares_were_worth() {
    let app = TestApp::start_with(Options { speed: 60, ..options(at("2019-01-30", 14, 58, 0)) }).await;
    let admin = app.login("admin").await.access;
    let feed = app.key(json!({ "name": unique(), "scopes": ["quotes:write"] })).await.1;
    let held = json!({ "symbol": "000001.SZ", "last": "11.00", "prev_close": "10.90" });
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [held] })).await.status, 200);
    wait_until(&app, &admin, "2019-01-30T15:01").await;
    assert_eq!(days(&app, &admin, "equity").await.len(), 1, "the day is not over");

    let app = app.restart_with(options(at("2019-01-31", 9, 0, 0))).await;
    let curve = days(&app, &app.login("admin").await.access, "equity").await;
    // 5,000 shares at the close that was shown, and not at what they had cost.
    assert_eq!((&curve[0]["equity"], &curve[0]["closed"]), (&json!("1055000.00"), &json!(true)), "{curve:?}");
}
