//! The sizes of signals over HTTP: what each comes to, and what is refused.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::support::{TestApp, unique};

/// Ann trades `paper-a`; the strategy `half` goes there with half of the equity as its capital base.
pub(crate) async fn open(route: Value) -> (TestApp, String) {
    let app = TestApp::start().await;
    let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![on_a]).await;
    let admin = app.login("admin").await.access;
    let made = app.call("PUT", "/v1/strategies/half", &admin, json!({ "routes": [route] })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let quote = json!({ "symbol": "600000.SH", "last": "10.00", "bid": "9.99", "ask": "10.00", "bid_size": 1_000_000,
        "ask_size": 1_000_000, "prev_close": "10.00" });
    let other = json!({ "symbol": "000001.SZ", "last": "10.00", "prev_close": "10.00" });
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote, other] })).await.status, 200);
    let ann = app.login("ann").await.access;
    (app, ann)
}

/// Sends it and asks until its status is none of these.
pub(crate) async fn sent(app: &TestApp, who: &str, strategy: &str, size: Value, not: &[&str]) -> Value {
    let mut signal = json!({ "strategy": strategy, "symbol": "600000.SH", "client_signal_id": unique() });
    signal.as_object_mut().unwrap().extend(size.as_object().unwrap().clone());
    let sent = app.call("POST", "/v1/signals", who, signal).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    settled(app, who, &sent.headers["location"], not).await
}

pub(crate) async fn settled(app: &TestApp, who: &str, place: &str, not: &[&str]) -> Value {
    for _ in 0..500 {
        let signal = app.get(place, who).await.body;
        if !not.iter().any(|status| signal["status"] == *status) {
            return signal;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{place} does not settle: {}", app.get(place, who).await.body);
}

const UNDER_WAY: &[&str] = &["accepted", "working"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_parts_and_shares_of_the_capital_base_become_whole_lots() {
    let route = json!({ "account": "paper-a", "capital_base": "equity:0.5", "follow_ratio": "1" });
    let (app, ann) = open(route).await;
    // A million in cash and 5,000 shares at 10.00: half of 1,050,000, of which a tenth.
    let bought =
        sent(&app, &ann, "half", json!({ "side": "buy", "percent": 10, "limit_price": "10" }), UNDER_WAY).await;
    assert_eq!((&bought["status"], &bought["percent"]), (&json!("done"), &json!("10")), "{bought}");
    assert_eq!((&bought["parents"][0]["cum_qty"], &bought["residual"]), (&json!("5200"), &json!("50")), "{bought}");
    assert_eq!((&bought["quantity"], &bought["target_weight"]), (&Value::Null, &Value::Null));

    let body = json!({ "side": "buy", "amount": "12999.99", "limit_price": "10" });
    let bought = sent(&app, &ann, "half", body, UNDER_WAY).await;
    assert_eq!((&bought["parents"][0]["cum_qty"], &bought["residual"]), (&json!("1200"), &json!("99")), "{bought}");

    // Bought today, so nothing of it can be sold: all of it is left over.
    let sold = sent(&app, &ann, "half", json!({ "side": "sell", "all": true }), UNDER_WAY).await;
    assert_eq!((&sold["status"], &sold["residual"], &sold["all"]), (&json!("done"), &json!("6400"), &json!(true)));

    let denied = sent(&app, &ann, "small-cap", json!({ "target_weight": "0.25" }), UNDER_WAY).await;
    assert_eq!((&denied["status"], &denied["denials"][0]["code"]), (&json!("denied"), &json!("CAPITAL_BASE")));

    let app = app.restart().await;
    let admin = app.login("admin").await.access;
    let kept = app.get("/v1/strategies/half", &admin).await.body;
    assert_eq!(kept["routes"][0]["capital_base"], "equity:0.5", "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_is_none_or_two_or_none_of_this_world_is_refused() {
    let (app, ann) = open(json!({ "group": "all-paper", "allocation": "available_cash", "except": ["paper-b"] })).await;
    for (size, code) in [
        (json!({ "side": "buy" }), "validation_failed"),
        (json!({ "side": "buy", "quantity": 100, "percent": 5 }), "validation_failed"),
        (json!({ "target_quantity": 100, "target_weight": "0.1" }), "validation_failed"),
        (json!({ "target_weight": 25 }), "INVALID_SIZE"),
        (json!({ "side": "buy", "percent": 101 }), "INVALID_SIZE"),
        (json!({ "side": "buy", "amount": 0 }), "INVALID_SIZE"),
        (json!({ "side": "buy", "all": true }), "validation_failed"),
        (json!({ "amount": 1000 }), "validation_failed"),
    ] {
        let mut signal = json!({ "strategy": "small-cap", "symbol": "600000.SH", "client_signal_id": unique() });
        signal.as_object_mut().unwrap().extend(size.as_object().unwrap().clone());
        let answer = app.call("POST", "/v1/signals", &ann, signal).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{size}: {answer:?}");
    }
    let admin = app.login("admin").await.access;
    for (route, field) in [
        (json!({ "account": "paper-a", "capital_base": "equity:2" }), "routes[0].capital_base"),
        (json!({ "account": "paper-a", "except": ["paper-b"] }), "routes[0].except"),
    ] {
        let answer = app.call("PUT", "/v1/strategies/s", &admin, json!({ "routes": [route] })).await;
        assert_eq!((answer.status, &answer.body["field"]), (422, &json!(field)), "{answer:?}");
    }
}
