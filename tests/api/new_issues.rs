//! New issues over HTTP: what a day has, one click for all of them, and that they stay. The codes are made up.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::sizes::settled;
use crate::support::{Options, TestApp, unique};

/// The tests' day is 2019-02-01.
const TABLE: &str = "symbol,name,board,listing,subscribe_on,issue_price,unit,quantity_max,source
732999.SH,甲,main,603999.SH,2019-02-01,12.34,500,13500,made up
787999.SH,乙,star,688999.SH,2019-02-01,56.78,500,9000,made up
301999.SZ,丙,chinext,301999.SZ,2019-02-01,7.50,500,10500,made up
889999.BJ,丁,bse,920999.BJ,2019-02-01,9.10,100,900000,made up
732998.SH,戊,main,603998.SH,2019-02-11,20.00,500,13500,made up
";

/// Ann trades everywhere.
async fn open() -> (TestApp, String) {
    let app = TestApp::start_with(options()).await;
    let everywhere = Grant::account(Pattern::all(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![everywhere]).await;
    let ann = app.login("ann").await.access;
    (app, ann)
}

fn options() -> Options {
    Options { imported: Some(("new_issues.csv", TABLE)), ..Options::default() }
}

/// Symbol and quantity of each signal, in their order.
fn asked(body: &Value) -> Vec<(&str, &str)> {
    let items = body["items"].as_array().unwrap().iter();
    items.map(|item| (item["symbol"].as_str().unwrap(), item["quantity"].as_str().unwrap())).collect()
}

/// The one order of a signal, once it works.
async fn order_of(app: &TestApp, ann: &str, signal: &Value) -> Value {
    let place = format!("/v1/signals/{}", signal["id"].as_str().unwrap());
    for _ in 0..500 {
        let found = app.get(&place, ann).await.body;
        let order = found["parents"][0]["orders"][0].clone();
        if order["status"] == "new" {
            return order;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{place} does not work: {}", app.get(&place, ann).await.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_click_subscribes_to_the_issues_of_the_day_within_the_quotas() {
    let (app, ann) = open().await;
    let day = app.get("/v1/new-issues", &ann).await;
    assert_eq!((day.status, &day.body["date"]), (200, &json!("2019-02-01")), "{day:?}");
    let all: Vec<_> = day.body["items"].as_array().unwrap().iter().map(|issue| issue["market"].clone()).collect();
    assert_eq!(all, ["SZ", "SH", "STAR", "BJ"]);
    let first = json!({ "symbol": "301999.SZ", "name": "丙", "market": "SZ", "board": "chinext", "listing": "301999.SZ",
        "subscribe_on": "2019-02-01", "issue_price": "7.50", "unit": "500", "quantity_max": "10500",
        "binds_cash": false, "source": "made up" });
    assert_eq!(day.body["items"][0], first);
    let later = app.get("/v1/new-issues?date=2019-02-11", &ann).await;
    assert_eq!(later.body["items"][0]["symbol"], "732998.SH", "{later:?}");
    assert_eq!(app.get("/v1/new-issues?date=2019-02-12", &ann).await.body["items"], json!([]));
    assert_eq!(app.get("/v1/new-issues?date=soon", &ann).await.status, 400);

    let key = unique();
    let body = json!({ "quotas": { "SH": 12_999, "STAR": "499", "BJ": 50_000 }, "client_signal_id": key });
    let clicked = app.call("POST", "/v1/accounts/paper-a/ipo", &ann, body.clone()).await;
    assert_eq!(clicked.status, 202, "{clicked:?}");
    let expected = [("301999.SZ", "10500"), ("732999.SH", "12500"), ("889999.BJ", "50000")];
    assert_eq!(asked(&clicked.body), expected, "{clicked:?}");
    let left_out = json!([{ "symbol": "787999.SH", "reason": "quota_too_small" }]);
    assert_eq!(clicked.body["left_out"], left_out, "{clicked:?}");
    for item in clicked.body["items"].as_array().unwrap() {
        let order = order_of(&app, &ann, item).await;
        assert_eq!((&order["limit_price"], &order["quantity"]), (&item["limit_price"], &item["quantity"]), "{order}");
    }
    // Nothing but Beijing's sum is set aside.
    let balance = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    assert_eq!((&balance["cash"], &balance["frozen"]), (&json!("1000000.00"), &json!("455000.00")), "{balance}");

    let again = app.call("POST", "/v1/accounts/paper-a/ipo", &ann, body.clone()).await;
    assert_eq!((again.status, &*again.headers["idempotency-replayed"]), (202, "true"), "{again:?}");
    assert_eq!(asked(&again.body), expected, "{again:?}");
    let more = json!({ "client_signal_id": key });
    for (path, other) in [("/v1/accounts/paper-a/ipo", more), ("/v1/accounts/paper-b/ipo", body)] {
        let before = app.settled().await;
        let refused = app.call("POST", path, &ann, other).await;
        assert_eq!((refused.status, refused.code()), (422, "SIGNAL_ID_REUSED"), "{refused:?}");
        assert_eq!(app.settled().await, before);
    }
    let other = app.call("POST", "/v1/accounts/paper-a/ipo", &ann, json!({ "client_signal_id": unique() })).await;
    assert_eq!(asked(&other.body), [("787999.SH", "9000")], "{other:?}");
    let reasons = other.body["left_out"].as_array().unwrap().iter().map(|left| left["reason"].as_str().unwrap());
    assert_eq!(reasons.collect::<Vec<_>>(), ["already_subscribed"; 3], "{other:?}");

    for (body, status, code) in [
        (json!({}), 400, "idempotency_key_required"),
        (json!({ "symbol": "600000.SH", "client_signal_id": unique() }), 422, "UNKNOWN_SYMBOL"),
        (json!({ "symbol": "732998.SH", "client_signal_id": unique() }), 422, "SUBSCRIPTION_CLOSED"),
        (json!({ "quotas": { "SH": "1.5" }, "client_signal_id": unique() }), 422, "INVALID_QUANTITY"),
        (json!({ "quotas": { "HK": 500 }, "client_signal_id": unique() }), 400, "unknown_field"),
    ] {
        let refused = app.call("POST", "/v1/accounts/paper-b/ipo", &ann, body.clone()).await;
        assert_eq!((refused.status, &refused.body["code"]), (status, &json!(code)), "{body}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_is_not_taken_back_nor_filled_nor_lost_by_a_restart() {
    let (app, ann) = open().await;
    let body = json!({ "symbol": "787999.SH", "quotas": { "STAR": 1000 }, "client_signal_id": unique() });
    let clicked = app.call("POST", "/v1/accounts/paper-a/ipo", &ann, body).await;
    assert_eq!(asked(&clicked.body), [("787999.SH", "1000")], "{clicked:?}");
    let order = order_of(&app, &ann, &clicked.body["items"][0]).await;
    let resting = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100,
        "limit_price": "9.50", "client_signal_id": unique() });
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    let quote = |symbol: &str, px: &str, prev: &str| json!({ "symbol": symbol, "last": px, "bid": px, "ask": px, "prev_close": prev });
    let quotes = json!({ "quotes": [quote("600000.SH", "10.00", "10.00"), quote("787999.SH", "50.00", "56.78")] });
    assert_eq!(app.call("POST", "/v1/quotes", &feed, quotes).await.status, 200);
    let sent = app.call("POST", "/v1/orders", &ann, resting).await;
    let sent = settled(&app, &ann, &sent.headers["location"], &["accepted"]).await;

    let id = order["id"].as_str().unwrap();
    let signal = clicked.body["items"][0]["id"].as_str().unwrap();
    for place in [format!("/v1/orders/{id}/cancel"), format!("/v1/signals/{signal}/cancel")] {
        let refused = app.call("POST", &place, &ann, json!({})).await;
        assert_eq!((refused.status, &refused.body["code"]), (409, &json!("not_cancelable")), "{place}: {refused:?}");
    }
    let all = app.call("POST", "/v1/accounts/paper-a/cancel-all", &ann, json!({})).await;
    assert_eq!((all.status, &all.body["proved"], &all.body["pending"]), (200, &json!(1), &json!(0)), "{all:?}");
    assert_eq!(all.body["not_cancelable"], 1, "{all:?}");
    let outcomes: Vec<_> = all.body["items"].as_array().unwrap().iter().map(|item| item["outcome"].clone()).collect();
    assert_eq!(outcomes, ["canceled", "not_cancelable"], "{all:?}");
    let cleared = json!({ "cancel_working": true, "client_signal_id": unique() });
    let cleared = app.call("POST", "/v1/accounts/paper-a/clear", &ann, cleared).await;
    assert_eq!(cleared.body["canceled"]["items"][0]["outcome"], "not_cancelable", "{cleared:?}");
    assert_eq!(cleared.body["canceled"]["items"][0]["order_id"], id, "{cleared:?}");
    assert_ne!(sent["status"], "denied", "{sent}");

    let app = app.restart_with(options()).await;
    let ann = app.login("ann").await.access;
    let kept = app.get(&format!("/v1/orders/{id}"), &ann).await.body;
    assert_eq!((&kept["status"], &kept["cum_qty"]), (&json!("new"), &json!("0")), "{kept}");
    let by_hand = json!({ "account": "paper-a", "symbol": "787999.SH", "side": "buy", "quantity": 500,
        "limit_price": "56.78", "client_signal_id": unique() });
    let second = app.call("POST", "/v1/orders", &ann, by_hand).await;
    let second = settled(&app, &ann, &second.headers["location"], &["accepted", "working"]).await;
    assert_eq!(second["denials"][0]["code"], "ALREADY_SUBSCRIBED", "{second}");
    let refused = app.call("POST", &format!("/v1/orders/{id}/cancel"), &ann, json!({})).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    let all_in = json!({ "symbol": "732999.SH", "limit_price": "12.34", "client_signal_id": unique() });
    assert_eq!(app.call("POST", "/v1/accounts/paper-a/all-in", &ann, all_in).await.status, 422);
}
