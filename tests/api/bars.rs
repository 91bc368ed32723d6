//! Bars from a source, over HTTP.

use serde_json::{Value, json};

use crate::sizes::{open, sent, settled};
use crate::support::unique;

fn bar(low: &str, close: &str, volume: u64) -> Value {
    json!({ "symbol": "600000.SH", "open": "9.90", "high": "10.05", "low": low, "close": close, "volume": volume,
        "at": "2019-02-01T10:00:30+08:00" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_fill_what_rests_and_set_off_what_is_held() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let feed = app.key(json!({ "name": "bars", "scopes": ["quotes:write"] })).await.1;
    let resting = json!({ "side": "buy", "quantity": 300, "limit_price": "9.50" });
    let rests = sent(&app, &ann, "half", resting, &["accepted"]).await;
    assert_eq!(rests["status"], "working", "{rests}");
    // Held until the price rises to it.
    let held = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100,
        "limit_price": "9.60", "stop_price": "10.05", "client_signal_id": unique() });
    let held = app.call("POST", "/v1/orders", &ann, held).await;
    let held = settled(&app, &ann, &held.headers["location"], &["accepted"]).await;
    assert_eq!((&held["status"], &held["waiting_for"]), (&json!("waiting"), &json!("trigger")), "{held}");

    for (body, field) in [
        (json!({ "bars": [bar("9.92", "9.91", 100)] }), "bars[0].low"),
        (json!({ "bars": [bar("9.40", "10.06", 100)] }), "bars[0].high"),
        (json!({ "bars": [] }), "bars"),
    ] {
        let refused = app.call("POST", "/v1/bars", &feed, body).await;
        assert_eq!((refused.status, &refused.body["field"]), (422, &json!(field)), "{refused:?}");
    }
    // One that is wrong keeps all of them out.
    let both = json!({ "bars": [bar("9.40", "9.50", 10_000), bar("9.40", "10.06", 100)] });
    assert_eq!(app.call("POST", "/v1/bars", &feed, both).await.status, 422);
    let still = app.get(&format!("/v1/signals/{}", rests["id"].as_str().unwrap()), &ann).await.body;
    assert_eq!(still["parents"][0]["cum_qty"], "0", "{still}");

    // What was traded before the newest quote was not traded with what rests now.
    let mut old = bar("9.40", "9.50", 10_000);
    old["at"] = json!("2019-02-01T09:59:00+08:00");
    assert_eq!(app.call("POST", "/v1/bars", &feed, json!({ "bars": [old] })).await.status, 200);
    let still = app.get(&format!("/v1/signals/{}", rests["id"].as_str().unwrap()), &ann).await.body;
    assert_eq!(still["parents"][0]["cum_qty"], "0", "{still}");

    let taken = app.call("POST", "/v1/bars", &feed, json!({ "bars": [bar("9.40", "9.50", 10_000)] })).await;
    assert_eq!((taken.status, &taken.body["accepted"]), (200, &json!(1)), "{taken:?}");
    let filled = settled(&app, &ann, &format!("/v1/signals/{}", rests["id"].as_str().unwrap()), &["working"]).await;
    assert_eq!((&filled["status"], &filled["parents"][0]["avg_px"]), (&json!("done"), &json!("9.50")), "{filled}");
    // Its high was at the stop, and its close is the last price.
    let gone =
        settled(&app, &ann, &format!("/v1/signals/{}", held["id"].as_str().unwrap()), &["waiting", "accepted"]).await;
    assert_eq!(gone["status"], "working", "{gone}");
    let quotes = app.get("/v1/quotes?symbols=600000.SH", &ann).await.body;
    assert_eq!((&quotes["items"][0]["last"], &quotes["items"][0]["prev_close"]), (&json!("9.50"), &json!("10.00")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_outside_of_the_days_limits_is_a_slip_and_sets_nothing_off() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    let stop = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "sell", "quantity": 100,
        "limit_price": "9.00", "stop_price": "9.20", "client_signal_id": unique() });
    let held = app.call("POST", "/v1/orders", &ann, stop).await;
    let place = held.headers["location"].clone();
    settled(&app, &ann, &place, &["accepted"]).await;
    // 10.00 was the close before: 9.00 to 11.00 on the day.
    let quote = |last: &str, prev_close: Value| json!({ "quotes": [{ "symbol": "600000.SH", "last": last, "bid": "9.99", "ask": "10.00", "prev_close": prev_close }] });
    for body in [quote("0.04", json!("10.00")), quote("0.04", Value::Null), quote("11.01", json!("10.00"))] {
        let refused = app.call("POST", "/v1/quotes", &feed, body).await;
        assert_eq!((refused.status, &refused.body["field"]), (422, &json!("quotes[0].last")), "{refused:?}");
        assert!(refused.body["detail"].as_str().unwrap().contains("9.00 to 11.00"), "{refused:?}");
    }
    let refused = app.call("POST", "/v1/bars", &feed, json!({ "bars": [bar("8.99", "9.91", 100)] })).await;
    assert_eq!((refused.status, &refused.body["field"]), (422, &json!("bars[0].low")), "{refused:?}");
    let still = app.get(&place, &ann).await.body;
    assert_eq!((&still["status"], &still["waiting_for"]), (&json!("waiting"), &json!("trigger")), "{still}");
    let taken = app.call("POST", "/v1/quotes", &feed, quote("11.00", json!("10.00"))).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}
