//! How signals are executed, and what they are held for, over HTTP.

use serde_json::{Value, json};
use signalbox_domain::units::Timestamp;

use crate::sizes::{open, sent, settled};
use crate::support::{Options, TestApp, unique};

const UNDER_WAY: &[&str] = &["accepted"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_read_followed_shown_and_kept() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let execution = json!({ "policy": "iceberg", "display": 200, "price": "opposite_best" });
    let body = json!({ "side": "buy", "quantity": 500, "execution": execution });
    let bought = sent(&app, &ann, "half", body, &["accepted", "working"]).await;
    assert_eq!((&bought["status"], &bought["type"]), (&json!("done"), &json!("limit")), "{bought}");
    assert_eq!(bought["execution"]["display"], "200", "{bought}");
    let leg = &bought["parents"][0];
    assert_eq!((&leg["cum_qty"], &leg["ending"]), (&json!("500"), &json!("filled")), "{bought}");
    let shown: Vec<_> = leg["orders"].as_array().unwrap().iter().map(|o| (&o["quantity"], &o["policy"])).collect();
    let tip = |n: &str| (json!(n), json!("iceberg"));
    assert_eq!(shown.len(), 3, "{leg}");
    assert_eq!((shown[0].0.clone(), shown[0].1.clone()), tip("200"), "{leg}");

    // A buy that is given up waits ten seconds at the least: it works, and survives a restart.
    let execution = json!({ "policy": "buy_then_give_up", "wait_s": 3600, "attempts": 2 });
    let body = json!({ "side": "buy", "quantity": 100, "limit_price": "9.50", "execution": execution });
    let works = sent(&app, &ann, "half", body, UNDER_WAY).await;
    assert_eq!(works["status"], "working", "{works}");
    let place = format!("/v1/signals/{}", works["id"].as_str().unwrap());
    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    let kept = settled(&app, &ann, &place, UNDER_WAY).await;
    assert_eq!((&kept["status"], &kept["execution"]["wait_s"]), (&json!("working"), &json!(3_600)), "{kept}");
    assert_eq!(app.call("POST", &format!("{place}/cancel"), &ann, json!({})).await.status, 202);
    let ended = settled(&app, &ann, &place, &["working"]).await;
    assert_eq!((&ended["status"], &ended["parents"][0]["ending"]), (&json!("canceled"), &json!("canceled")), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_policy_takes_is_refused_and_a_key_is_of_one_execution() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let signal = |more: Value| {
        let mut signal = json!({ "strategy": "half", "symbol": "600000.SH", "side": "buy", "quantity": 100 });
        signal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signal
    };
    for (more, field) in [
        (json!({ "execution": { "policy": "sell_until_done", "every_s": 30 } }), "execution.policy"),
        (json!({ "execution": { "policy": "twap", "duration_s": 600 } }), "execution.slices"),
        (json!({ "execution": { "policy": "reprice", "every_s": 5, "max": 3 } }), "execution.every_s"),
        (json!({ "execution": { "attempts": 3 } }), "execution.attempts"),
        (json!({ "execution": { "price": "last" }, "limit_price": "10" }), "execution.price"),
        (json!({ "stop_loss": "11", "take_profit": "9" }), "take_profit"),
        (json!({ "trailing_amount": "1", "trailing_percent": 5 }), "trailing_percent"),
        (json!({ "symbol": "rb2505.SHFE", "stop_loss": "9" }), "position_effect"),
        (
            json!({ "symbol": "rb2505.SHFE", "stop_loss": "9", "take_profit": "8", "position_effect": "open" }),
            "take_profit",
        ),
        (json!({ "not_before": "soon" }), "not_before"),
        (
            json!({ "not_before": "2019-02-01T14:00:00+08:00", "valid_until": "2019-02-01T14:00:00+08:00" }),
            "not_before",
        ),
        (json!({ "not_before": "2119-02-01T14:00:00+08:00" }), "not_before"),
    ] {
        let mut body = signal(more);
        body["client_signal_id"] = json!(unique());
        let refused = app.call("POST", "/v1/signals", &ann, body.clone()).await;
        assert_eq!((refused.status, refused.body["field"].as_str()), (422, Some(field)), "{body} {refused:?}");
    }
    let key = json!(unique());
    let mut first =
        signal(json!({ "execution": { "policy": "reprice", "every_s": 30, "max": 3 }, "limit_price": "9.5" }));
    first["client_signal_id"] = key.clone();
    assert_eq!(app.call("POST", "/v1/signals", &ann, first.clone()).await.status, 202);
    assert_eq!(app.call("POST", "/v1/signals", &ann, first.clone()).await.status, 202);
    first["execution"]["max"] = json!(4);
    let reused = app.call("POST", "/v1/signals", &ann, first).await;
    assert_eq!((reused.status, reused.code()), (422, "SIGNAL_ID_REUSED"), "{reused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_held_over_a_restart_and_comes_true_by_a_quote() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let body = json!({ "side": "buy", "quantity": 100, "stop_price": "10.20", "limit_price": "10.30" });
    let held = sent(&app, &ann, "half", body, UNDER_WAY).await;
    assert_eq!((&held["status"], &held["waiting_for"]), (&json!("waiting"), &json!("trigger")), "{held}");
    assert_eq!(held["held"]["stop_price"], "10.20", "{held}");
    let place = format!("/v1/signals/{}", held["id"].as_str().unwrap());
    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    let kept = settled(&app, &ann, &place, UNDER_WAY).await;
    assert_eq!((&kept["status"], &kept["waiting_for"]), (&json!("waiting"), &json!("trigger")), "{kept}");
    let quote = json!({ "symbol": "600000.SH", "last": "10.25", "bid": "10.24", "ask": "10.25", "bid_size": 1_000_000,
        "ask_size": 1_000_000, "prev_close": "10.00" });
    let feed = app.key(json!({ "name": "feed-2", "scopes": ["quotes:write"] })).await.1;
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await.status, 200);
    let done = settled(&app, &ann, &place, &["waiting", "working", "accepted"]).await;
    assert_eq!((&done["status"], &done["held"]["fired"]), (&json!("done"), &json!("stop")), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_by_hand_is_executed_and_held_like_a_signal() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let by_hand = |more: Value| {
        let mut order = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 500 });
        order["client_signal_id"] = json!(unique());
        order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        order
    };
    let execution = json!({ "policy": "iceberg", "display": "200", "price": "opposite_best" });
    let taken = app.call("POST", "/v1/orders", &ann, by_hand(json!({ "execution": execution }))).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let bought = settled(&app, &ann, &taken.headers["location"], &["accepted", "working"]).await;
    let orders = bought["parents"][0]["orders"].as_array().unwrap();
    assert_eq!((&bought["status"], orders.len()), (&json!("done"), 3), "{bought}");
    assert!(orders.iter().all(|order| order["source"] == "manual" && order["strategy"] == "manual"), "{bought}");

    // The market is at 10: a buy that waits for 10.50 is held, and goes back without an order.
    let taken = app.call("POST", "/v1/orders", &ann, by_hand(json!({ "stop_price": "10.50" }))).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let held = settled(&app, &ann, &taken.headers["location"], UNDER_WAY).await;
    assert_eq!((&held["status"], &held["waiting_for"]), (&json!("waiting"), &json!("trigger")), "{held}");
    let place = format!("/v1/signals/{}/cancel", held["id"].as_str().unwrap());
    assert_eq!(app.call("POST", &place, &ann, json!({})).await.status, 202);
    let wrong = app.call("POST", "/v1/orders", &ann, by_hand(json!({ "stop_loss": "11", "take_profit": "9" }))).await;
    assert_eq!((wrong.status, &wrong.body["field"]), (422, &json!("take_profit")), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_trade_before_a_later_session_lives_until_its_end() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let waits = async |app: &TestApp, ann: &str, not_before: &str| {
        let body = json!({ "side": "buy", "quantity": 100, "limit_price": "9.5", "not_before": not_before });
        sent(app, ann, "half", body, UNDER_WAY).await
    };
    // The trading day after the tests' one is the eleventh.
    for (not_before, until) in [
        ("2019-02-01T14:00:00+08:00", "2019-02-01T15:00:00+08:00"),
        ("2019-02-01T15:00:00+08:00", "2019-02-11T15:00:00+08:00"),
        ("2019-02-11T10:00:00+08:00", "2019-02-11T15:00:00+08:00"),
        ("2019-02-12T16:00:00+08:00", "2019-02-13T15:00:00+08:00"),
    ] {
        let waiting = waits(&app, &ann, not_before).await;
        let shown = (&waiting["waiting_for"], &waiting["until"], &waiting["valid_until"]);
        assert_eq!(shown, (&json!("time"), &json!(until), &json!(until)), "{not_before}: {waiting}");
    }
    let past = waits(&app, &ann, "2019-01-31T10:00:00+08:00").await;
    assert_eq!((&past["status"], &past["valid_until"]), (&json!("working"), &Value::Null), "{past}");

    // Its repeat is one still when its time has come.
    let body = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100, "limit_price": "9.5",
        "not_before": "2019-02-01T10:30:00+08:00", "client_signal_id": unique() });
    let first = app.call("POST", "/v1/orders", &ann, body.clone()).await;
    let eleven = Timestamp::from_us(1_548_990_000_000_000);
    let app = app.restart_with(Options { begins: eleven, ..Options::default() }).await;
    let ann = app.login("ann").await.access;
    let again = app.call("POST", "/v1/orders", &ann, body).await;
    assert_eq!((first.status, again.status, &first.body["id"]), (202, 202, &again.body["id"]), "{again:?}");
    assert_eq!(again.headers["idempotency-replayed"], "true", "{again:?}");
}
