//! Strategies that are made while the program runs.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::support::{TestApp, unique};

fn to(account: &str) -> Value {
    json!({ "routes": [{ "account": account }] })
}

/// Sends a signal for the strategy and waits for its end; the answer's status when it is refused.
async fn outcome(app: &TestApp, strategy: &str) -> Result<Value, u16> {
    let quote = json!({ "symbol": "600000.SH", "last": "10.48", "bid": "10.47", "ask": "10.48", "bid_size": 100_000,
        "ask_size": 100_000, "prev_close": "10.40" });
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await.status, 200);
    let trader = app.login("ann").await.access;
    let signal = json!({ "strategy": strategy, "symbol": "600000.SH", "side": "buy", "quantity": 200,
        "limit_price": "10.48", "client_signal_id": unique() });
    let sent = app.call("POST", "/v1/signals", &trader, signal).await;
    if sent.status != 202 {
        return Err(sent.status);
    }
    for _ in 0..300 {
        let signal = app.get(&sent.headers["location"], &trader).await.body;
        if !["accepted", "working"].iter().any(|status| signal["status"] == *status) {
            return Ok(signal);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the signal does not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strategy_that_is_made_while_we_run_trades_at_once_and_after_a_restart() {
    let app = TestApp::start().await;
    let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![on_a]).await;
    assert_eq!(outcome(&app, "newborn").await.unwrap_err(), 404);

    let admin = app.login("admin").await.access;
    let made = app.call("PUT", "/v1/strategies/newborn", &admin, to("paper-a")).await;
    assert_eq!((made.status, &made.headers["location"]), (201, &"/v1/strategies/newborn".to_owned()), "{made:?}");
    assert_eq!((&made.body["version"], &made.body["state"]), (&json!(1), &json!("active")), "{made:?}");
    assert_eq!(app.get("/v1/strategies/newborn", &admin).await.body, made.body);
    assert_eq!(outcome(&app, "newborn").await.unwrap()["status"], "done");

    // The second time it is a change: the same strategy with other routes.
    let changed = app.call("PUT", "/v1/strategies/newborn", &admin, to("paper-b")).await;
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)), "{changed:?}");
    assert_eq!(outcome(&app, "newborn").await.unwrap_err(), 404, "ann has no paper-b");
    assert_eq!(app.call("PUT", "/v1/strategies/newborn", &admin, to("paper-a")).await.status, 200);

    let app = app.restart().await;
    let admin = app.login("admin").await.access;
    let kept = app.get("/v1/strategies/newborn", &admin).await.body;
    assert_eq!((&kept["version"], &kept["routes"][0]["account"]), (&json!(3), &json!("paper-a")), "{kept}");
    assert_eq!(outcome(&app, "newborn").await.unwrap()["parents"][0]["cum_qty"], "200");
    let by_state = json!({ "state": "stopped", "reason": "enough" });
    let trader = app.login("ann").await.access;
    assert_eq!(app.call("PUT", "/v1/strategies/newborn/state", &trader, by_state).await.status, 200);
    assert_eq!(outcome(&app, "newborn").await.unwrap()["denials"][0]["code"], "STRATEGY_STOPPED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_routed_is_refused_and_makes_nothing() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    let both = json!({ "routes": [{ "account": "paper-b" }, { "group": "all-paper" }] });
    for (name, body, status, code, field) in [
        ("s", to("nobody"), 422, "validation_failed", json!("routes[0].account")),
        ("s", json!({ "routes": [{ "group": "nobody" }] }), 422, "validation_failed", json!("routes[0].group")),
        ("s", both.clone(), 422, "routes_overlap", json!("routes")),
        ("small-cap", both, 422, "routes_overlap", json!("routes")),
        ("manual", to("paper-a"), 404, "not_found", Value::Null),
        ("EXTERNAL", to("paper-a"), 404, "not_found", Value::Null),
    ] {
        let before = app.content_hash();
        let answer = app.call("PUT", &format!("/v1/strategies/{name}"), &admin, body).await;
        assert_eq!((answer.status, answer.code(), &answer.body["field"]), (status, code, &field), "{name}: {answer:?}");
        assert_eq!(app.content_hash(), before, "{name}");
    }
    assert_eq!(app.get("/v1/strategies/s", &admin).await.status, 404);
}
