//! Accounts and groups that are set up while the program runs.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::sizes::{sent, settled};
use crate::support::{Answer, TestApp};

const UNDER_WAY: &[&str] = &["accepted", "working"];

fn buy(quantity: u32, limit: &str) -> Value {
    json!({ "side": "buy", "quantity": quantity, "limit_price": limit })
}

/// Ann trades everywhere; the strategy `follower` routes to the group `family` of `paper-a` and `paper-d`, which is opened here
/// with a million.
async fn open() -> (TestApp, String, String) {
    let app = TestApp::start().await;
    let everywhere = Grant::account(Pattern::all(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![everywhere]).await;
    let admin = app.login("admin").await.access;
    let body = json!({ "id": "paper-d", "display_name": "Ann's fourth", "cash": "1000000", "reason": "to grow" });
    let opened = app.call("POST", "/v1/accounts", &admin, body).await;
    assert_eq!((opened.status, &*opened.headers["location"]), (201, "/v1/accounts/paper-d"), "{opened:?}");
    let body = json!({ "id": "family", "accounts": ["paper-a", "paper-d"] });
    let made = app.call("POST", "/v1/groups", &admin, body).await;
    assert_eq!((made.status, &made.body["version"]), (201, &json!(1)), "{made:?}");
    let routes = json!({ "routes": [{ "group": "family" }], "version": 0 });
    assert_eq!(app.call("PUT", "/v1/strategies/follower", &admin, routes).await.status, 201);
    quote(&app).await;
    let ann = app.login("ann").await.access;
    (app, admin, ann)
}

async fn quote(app: &TestApp) {
    let quote = json!({ "symbol": "600000.SH", "last": "10.00", "bid": "9.99", "ask": "10.00", "bid_size": 1_000_000,
        "ask_size": 1_000_000, "prev_close": "10.00" });
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await.status, 200);
}

/// The filled quantity of each account's leg.
fn filled(signal: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    signal["parents"].as_array().unwrap().iter().map(|leg| (text(&leg["account"]), text(&leg["cum_qty"]))).collect()
}

fn each(legs: &[(&str, &str)]) -> Vec<(String, String)> {
    legs.iter().map(|(account, qty)| ((*account).to_owned(), (*qty).to_owned())).collect()
}

async fn change(app: &TestApp, admin: &str, account: &str, body: Value) -> Answer {
    app.call("PATCH", &format!("/v1/accounts/{account}"), admin, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_opened_while_we_run_trades_at_once_and_after_a_restart() {
    let (app, _, ann) = open().await;
    let signal = sent(&app, &ann, "follower", buy(300, "10"), UNDER_WAY).await;
    assert_eq!(filled(&signal), each(&[("paper-a", "300"), ("paper-d", "300")]), "{signal}");

    let app = app.restart().await;
    let (admin, ann) = (app.login("admin").await.access, app.login("ann").await.access);
    let account = app.get("/v1/accounts/paper-d", &ann).await.body;
    let shown = ["display_name", "broker", "mode", "step", "state", "version", "groups"].map(|field| &account[field]);
    let wanted = [
        json!("Ann's fourth"),
        json!("paper"),
        json!("paper"),
        json!("all"),
        json!("ready"),
        json!(1),
        json!(["family"]),
    ];
    assert_eq!(shown.map(Clone::clone), wanted, "{account}");
    quote(&app).await;
    let signal = sent(&app, &ann, "follower", buy(200, "10"), UNDER_WAY).await;
    assert_eq!(filled(&signal), each(&[("paper-a", "200"), ("paper-d", "200")]), "{signal}");
    let held = app.get("/v1/accounts/paper-d/positions", &ann).await.body;
    assert_eq!(held["items"][0]["quantity"], "500", "{held}");

    for (body, status, code, field) in [
        (json!({ "id": "paper-d", "cash": "1" }), 409, "already_exists", json!("id")),
        (json!({ "id": "paper-e", "cash": "1", "broker": "nobody" }), 422, "validation_failed", json!("broker")),
        (json!({ "id": "paper-e", "cash": "1", "mode": "live" }), 422, "validation_failed", json!("mode")),
        (json!({ "id": "paper-e", "cash": "1", "step": "half" }), 422, "validation_failed", json!("step")),
        (json!({ "id": "paper e", "cash": "1" }), 422, "validation_failed", json!("id")),
        (json!({ "id": "paper-e", "cash": "-1" }), 422, "INVALID_SIZE", json!("cash")),
        (json!({ "id": "paper-e", "cash": "1.001" }), 422, "INVALID_SIZE", json!("cash")),
        (json!({ "id": "paper-e", "cash": "1", "password": "x" }), 400, "unknown_field", json!("password")),
    ] {
        let refused = app.call("POST", "/v1/accounts", &admin, body.clone()).await;
        assert_eq!((refused.status, refused.code(), &refused.body["field"]), (status, code, &field), "{body}");
    }
}

async fn limits_of(app: &TestApp, account: &str) -> Value {
    let admin = app.login("admin").await.access;
    let all = app.get("/v1/risk/limits", &admin).await.body;
    all["items"].as_array().unwrap().iter().find(|item| item["account"] == account).cloned().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_opened_has_the_limits_of_conf_and_they_can_be_set_at_once() {
    let (app, admin, ann) = open().await;
    let body = json!({ "id": "paper-hk", "currency": "HKD", "cash": "1000000", "reason": "Hong Kong" });
    let opened = app.call("POST", "/v1/accounts", &admin, body).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let defaults = signalbox_domain::risk::Limits::default().texts();
    let limits = limits_of(&app, "paper-hk").await;
    assert_eq!((&limits["limits"], &limits["version"]), (&json!(defaults), &json!(0)));

    let order = json!({ "account": "paper-hk", "strategy": "follower", "symbol": "700.HK", "side": "buy",
        "quantity": 100, "limit_price": "500" });
    let checked = app.call("POST", "/v1/risk/check", &ann, order).await.body;
    let outcome = |code: &str| checked["checks"].as_array().unwrap().iter().find(|line| line["code"] == code).cloned();
    assert_eq!(outcome("CURRENCY").unwrap()["outcome"], "passed", "its money is Hong Kong's: {checked}");
    assert_eq!(outcome("PROGRAM_REPORT").unwrap()["outcome"], "skipped", "{checked}");

    let set = json!({ "scope": "account:paper-hk", "limits": {"concentration": "0.4", "crossing_hold_s": 10,
        "cancel_ratio": "0.9", "order_volume": "0.01", "program_report": "on_file"}, "reason": "the first ones" });
    let answer = app.call("PUT", "/v1/risk/limits", &admin, set).await;
    assert_eq!((answer.status, &answer.body["loosened"]), (200, &json!(["program_report"])), "{answer:?}");
    let app = app.restart().await;
    let limits = limits_of(&app, "paper-hk").await;
    let set = ["concentration", "crossing_hold_s", "cancel_ratio", "order_volume", "program_report", "order_value"];
    let shown = set.map(|name| limits["limits"][name].as_str().unwrap().to_owned());
    assert_eq!(shown.each_ref().map(String::as_str), ["0.4", "10", "0.9", "0.01", "on_file", "0.25"], "{limits}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_goes_out_of_use_when_nothing_of_it_can_trade_and_comes_back() {
    let (app, admin, ann) = open().await;
    // It rests below the market.
    let resting = sent(&app, &ann, "follower", buy(100, "9.50"), &["accepted"]).await;
    let place = format!("/v1/signals/{}", resting["id"].as_str().unwrap());
    let mut order = Value::Null;
    for _ in 0..300 {
        let leg = app.get(&place, &ann).await.body["parents"][1]["orders"][0].clone();
        if leg["status"] == "new" {
            order = leg["id"].clone();
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let disable = json!({ "state": "disabled", "reason": "the broker moves" });
    let refused = change(&app, &admin, "paper-d", disable.clone()).await;
    assert_eq!((refused.status, refused.code(), &refused.body["orders"]), (409, "live_orders", &json!([order])));
    for other in [json!({ "mode": "shadow" }), json!({ "step": "read_only" })] {
        assert_eq!(change(&app, &admin, "paper-d", other).await.code(), "live_orders");
    }
    assert_eq!(app.call("DELETE", "/v1/accounts/paper-d", &admin, Value::Null).await.code(), "in_use");
    let renamed = change(&app, &admin, "paper-d", json!({ "display_name": "D", "version": 1 })).await;
    assert_eq!((renamed.status, &renamed.body["version"]), (200, &json!(2)), "{renamed:?}");
    let late = change(&app, &admin, "paper-d", json!({ "display_name": "E", "version": 1 })).await;
    assert_eq!((late.status, late.code()), (409, "conflict"), "{late:?}");

    let canceled = app.call("POST", "/v1/accounts/paper-d/cancel-all", &ann, json!({})).await;
    assert_eq!((canceled.status, &canceled.body["proved"]), (200, &json!(1)), "{canceled:?}");
    let disabled = change(&app, &admin, "paper-d", disable).await;
    assert_eq!((disabled.status, &disabled.body["state"]), (200, &json!("disabled")), "{disabled:?}");
    // Who is not in use does not follow; who is asked for by name refuses.
    let signal = sent(&app, &ann, "follower", buy(100, "10"), UNDER_WAY).await;
    assert_eq!(filled(&signal), each(&[("paper-a", "100")]), "{signal}");
    let routes = json!({ "routes": [{ "account": "paper-d" }] });
    assert_eq!(app.call("PUT", "/v1/strategies/alone", &admin, routes).await.status, 201);
    let signal = sent(&app, &ann, "alone", buy(100, "10"), UNDER_WAY).await;
    let denials = &signal["denials"][0];
    assert_eq!((&denials["code"], &denials["value"]), (&json!("ACCOUNT_NOT_READY"), &json!("disabled")), "{signal}");
    assert_eq!(app.send("GET", "/readyz", None, None).await.status(), 200, "nobody waits for it");
    let nothing = app.call("POST", "/v1/accounts/paper-d/cancel-all", &ann, json!({})).await;
    assert_eq!((nothing.status, &nothing.body["items"]), (200, &json!([])), "{nothing:?}");

    let app = app.restart().await;
    let (admin, ann) = (app.login("admin").await.access, app.login("ann").await.access);
    assert_eq!(app.get("/v1/accounts/paper-d/health", &ann).await.body["status"], "disabled");
    let enabled = change(&app, &admin, "paper-d", json!({ "state": "enabled" })).await;
    assert_eq!((enabled.status, &enabled.body["version"]), (200, &json!(4)), "{enabled:?}");
    quote(&app).await;
    let signal = sent(&app, &ann, "follower", buy(100, "10"), UNDER_WAY).await;
    assert_eq!(filled(&signal), each(&[("paper-a", "100"), ("paper-d", "100")]), "{signal}");

    // Retired is for ever, and needs that nobody relies on it.
    assert_eq!(app.call("DELETE", "/v1/accounts/paper-d", &admin, Value::Null).await.code(), "in_use");
    assert_eq!(app.call("PUT", "/v1/strategies/alone", &admin, json!({ "routes": [] })).await.status, 200);
    let leave = json!({ "accounts": ["paper-a"] });
    assert_eq!(app.call("PATCH", "/v1/groups/family", &admin, leave).await.status, 200);
    assert_eq!(app.call("DELETE", "/v1/accounts/paper-d", &admin, Value::Null).await.status, 204);
    assert_eq!(app.get("/v1/accounts/paper-d", &ann).await.body["state"], "retired");
    assert_eq!(change(&app, &admin, "paper-d", json!({ "state": "enabled" })).await.code(), "conflict");
    let back = app.call("PATCH", "/v1/groups/family", &admin, json!({ "accounts": ["paper-d"] })).await;
    assert_eq!((back.status, &back.body["field"]), (422, &json!("accounts")), "{back:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_lets_in_a_part_of_every_signal_and_a_shadow_sends_nothing() {
    let (app, admin, ann) = open().await;
    let all = |part: &str| each(&[("paper-a", "1000"), ("paper-d", part)]);
    for (step, part, left) in [("one_lot", "100", "900"), ("share:0.25", "200", "800")] {
        assert_eq!(change(&app, &admin, "paper-d", json!({ "step": step })).await.body["step"], step);
        let signal = sent(&app, &ann, "follower", buy(1_000, "10"), UNDER_WAY).await;
        assert_eq!((filled(&signal), &signal["residual"]), (all(part), &json!(left)), "{step}: {signal}");
    }
    // A target is smaller in the same way, and reaching it again adds nothing.
    for _ in 0..2 {
        let target = json!({ "target_quantity": 4_000 });
        sent(&app, &ann, "follower", target, UNDER_WAY).await;
    }
    let book = app.get("/v1/accounts/paper-d/positions", &ann).await.body;
    assert_eq!(book["items"][0]["quantity"], "1000", "{book}");

    assert_eq!(change(&app, &admin, "paper-d", json!({ "step": "canary" })).await.status, 200);
    let signal = sent(&app, &ann, "follower", buy(1_000, "10"), UNDER_WAY).await;
    let leg = &signal["parents"][1];
    assert_eq!((&leg["quantity"], &leg["waiting_for"]), (&json!("100"), &json!("confirmation")), "{signal}");
    let place = format!("/v1/signals/{}", signal["id"].as_str().unwrap());
    assert_eq!(app.call("POST", &format!("{place}/confirm"), &ann, Value::Null).await.status, 202);
    let signal = settled(&app, &ann, &place, &["accepted", "working", "waiting"]).await;
    assert_eq!(filled(&signal), all("100"), "{signal}");

    assert_eq!(change(&app, &admin, "paper-d", json!({ "step": "all", "mode": "shadow" })).await.status, 200);
    let signal = sent(&app, &ann, "follower", buy(1_000, "10"), UNDER_WAY).await;
    let leg = &signal["parents"][1];
    assert_eq!(
        (&leg["mode"], &leg["orders"], &leg["cum_qty"]),
        (&json!("shadow"), &json!([]), &json!("0")),
        "{signal}"
    );
    assert_eq!(leg["decided"]["would_send"]["quantity"], "1000", "{signal}");

    let live = change(&app, &admin, "paper-d", json!({ "mode": "live" })).await;
    assert_eq!((live.status, &live.body["field"]), (422, &json!("mode")), "{live:?}");
    assert_eq!(change(&app, &admin, "paper-d", json!({ "step": "read_only", "mode": "paper" })).await.status, 200);
    let signal = sent(&app, &ann, "follower", buy(1_000, "10"), UNDER_WAY).await;
    assert_eq!(filled(&signal), each(&[("paper-a", "1000")]), "{signal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_changed_as_a_whole_or_not_at_all() {
    let (app, admin, ann) = open().await;
    let patch = |body: Value| app.call("PATCH", "/v1/groups/family", &admin, body);
    let out = patch(json!({ "opted_out": ["paper-a"], "version": 1 })).await;
    assert_eq!((out.status, &out.body["version"]), (200, &json!(2)), "{out:?}");
    let signal = sent(&app, &ann, "follower", buy(100, "10"), UNDER_WAY).await;
    assert_eq!(filled(&signal), each(&[("paper-d", "100")]), "{signal}");
    for (body, status, code) in [
        (json!({ "opted_out": [], "version": 1 }), 409, "conflict"),
        (json!({ "accounts": ["paper-a", "paper-a"] }), 422, "validation_failed"),
        (json!({ "accounts": ["paper-a", "nobody"] }), 422, "validation_failed"),
        (json!({ "opted_out": ["paper-b"] }), 422, "validation_failed"),
    ] {
        let refused = patch(body.clone()).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{body}: {refused:?}");
    }
    // Two routes of one strategy never reach one account, whichever side comes closer.
    let routes = json!({ "routes": [{ "group": "family" }, { "account": "paper-b" }] });
    assert_eq!(app.call("PUT", "/v1/strategies/both", &admin, routes).await.status, 201);
    let refused = patch(json!({ "accounts": ["paper-b", "paper-d"] })).await;
    assert_eq!((refused.status, refused.code()), (422, "routes_overlap"), "{refused:?}");
    assert_eq!(app.call("DELETE", "/v1/groups/family", &admin, Value::Null).await.code(), "in_use");

    let app = app.restart().await;
    let (admin, ann) = (app.login("admin").await.access, app.login("ann").await.access);
    let group = app.get("/v1/groups/family", &ann).await.body;
    assert_eq!((&group["opted_out"], &group["version"]), (&json!(["paper-a"]), &json!(2)), "{group}");
    // A group of conf that was changed stays as it was set.
    let two = json!({ "accounts": ["paper-a", "paper-b"] });
    assert_eq!(app.call("PATCH", "/v1/groups/all-paper", &admin, two).await.body["version"], 1);
    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    assert_eq!(app.get("/v1/groups/all-paper", &ann).await.body["accounts"], json!(["paper-a", "paper-b"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_says_who_set_up_what_and_why() {
    let (app, admin, _) = open().await;
    let lines = app.get("/v1/audit?limit=500", &admin).await.body;
    let of_kind = |kind: &str| -> Vec<&Value> {
        lines["items"].as_array().unwrap().iter().filter(|line| line["kind"] == kind).collect()
    };
    let opened = of_kind("account_configured");
    assert_eq!(opened.len(), 1, "{lines}");
    let text = opened[0].to_string();
    assert!(text.contains("to grow") && text.contains("\"admin\"") && text.contains("paper-d"), "{text}");
    assert_eq!(of_kind("group_configured").len(), 1);
    let configured = of_kind("strategy_configured");
    assert!(configured.iter().any(|line| line["cause"] == "configured by admin"), "{configured:?}");
}
