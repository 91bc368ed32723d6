//! Day orders of paper accounts whose day ends while no program runs.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::units::{Timestamp, TradeDate};

use crate::support::{Options, TestApp, unique};

const PUFA: &str = "600000.SH";

fn at(date: &str, hh: u32, mm: u32) -> Timestamp {
    china_instant(TradeDate::parse(date).unwrap(), hh, mm, 0)
}

fn begins(begins: Timestamp) -> Options {
    Options { begins, ..Options::default() }
}

async fn quote(app: &TestApp, ask: &str) {
    let feed = app.key(json!({ "name": unique(), "scopes": ["quotes:write"] })).await.1;
    let quote = json!({ "symbol": PUFA, "last": ask, "bid": "9.50", "ask": ask, "bid_size": 100_000,
        "ask_size": 100_000, "prev_close": "10.40" });
    let taken = app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}

async fn order(app: &TestApp, token: &str) -> Value {
    let orders = app.get("/v1/accounts/paper-a/orders", token).await.body["items"].as_array().unwrap().clone();
    let [one] = orders.as_slice() else { return Value::Null };
    one.clone()
}

async fn until(app: &TestApp, token: &str, status: &str) -> Value {
    for _ in 0..300 {
        let order = order(app, token).await;
        if order["status"] == status {
            return order;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the order did not become {status}: {}", order(app, token).await);
}

async fn available(app: &TestApp, token: &str) -> Value {
    app.get("/v1/accounts/paper-a/balance", token).await.body["available"].clone()
}

/// A program that takes an order at ten o'clock on Friday, 2019-02-01, which nobody meets, and ends.
async fn rested() -> (TestApp, Value) {
    let app = TestApp::start_with(begins(at("2019-02-01", 10, 0))).await;
    let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![on_a]).await;
    let ann = app.login("ann").await.access;
    quote(&app, "10.48").await;
    let before = available(&app, &ann).await;
    let body = json!({ "account": "paper-a", "symbol": PUFA, "side": "buy", "quantity": 1000,
        "limit_price": "10.00", "client_signal_id": unique() });
    assert_eq!(app.call("POST", "/v1/orders", &ann, body).await.status, 202);
    until(&app, &ann, "new").await;
    assert_ne!(available(&app, &ann).await, before, "its cash is kept");
    (app, before)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_order_expires_with_its_day_also_when_nobody_saw_it_end() {
    // After the close of its day, on the next one before it opens, and on the Monday after the holidays.
    for start in [at("2019-02-01", 15, 1), at("2019-02-11", 8, 30), at("2019-02-11", 10, 0)] {
        let (app, before) = rested().await;
        let app = app.restart_with(begins(start)).await;
        let ann = app.login("ann").await.access;
        let order = until(&app, &ann, "expired").await;
        assert_eq!((&order["cum_qty"], available(&app, &ann).await), (&json!("0"), before), "{start:?}");
        quote(&app, "9.90").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        until(&app, &ann, "expired").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_order_works_on_when_its_day_is_not_over() {
    let (app, _) = rested().await;
    let app = app.restart_with(begins(at("2019-02-01", 14, 30))).await;
    let ann = app.login("ann").await.access;
    until(&app, &ann, "new").await;
    quote(&app, "9.90").await;
    until(&app, &ann, "filled").await;
}
