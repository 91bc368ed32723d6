//! Who has a say, and what comes together: confirming, trading by hand, shadows, tests, baskets, catching up.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};
use signalbox_domain::units::Timestamp;

use crate::sizes::{open, sent, settled};
use crate::support::{Options, unique};

const UNDER_WAY: &[&str] = &["accepted", "working"];

fn buy() -> Value {
    json!({ "side": "buy", "quantity": 200, "limit_price": "10" })
}

fn place(signal: &Value, verb: &str) -> String {
    format!("/v1/signals/{}/{verb}", signal["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_alone_confirms_and_once_is_once() {
    let (app, ann) = open(json!({ "account": "paper-a", "mode": "confirm" })).await;
    let on_b = Grant::account(Pattern::try_from("paper-b".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    let sees_half = Grant::strategy(Pattern::try_from("half".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("bob", &[Role::Trader], vec![on_b, sees_half]).await;
    let first = sent(&app, &ann, "half", buy(), UNDER_WAY).await;
    assert_eq!((&first["status"], &first["waiting_for"]), (&json!("waiting"), &json!("confirmation")), "{first}");
    assert_eq!(first["parents"][0]["waiting_for"], "confirmation");
    assert_eq!(first["parents"][0]["orders"], json!([]));

    let key = json!({ "name": "sender", "scopes": ["signals:write", "signals:read"], "strategies": ["half"] });
    let program = app.key(key).await.1;
    let admin = app.login("admin").await.access;
    let bob = app.login("bob").await.access;
    for (who, token) in [("a program", &program), ("an administrator", &admin), ("bob", &bob)] {
        let refused = app.call("POST", &place(&first, "confirm"), token, Value::Null).await;
        assert_eq!(refused.status, 403, "{who}: {refused:?}");
    }

    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    for replayed in [false, true, true] {
        let confirmed = app.call("POST", &place(&first, "confirm"), &ann, Value::Null).await;
        assert_eq!(confirmed.status, 202, "{confirmed:?}");
        assert_eq!(confirmed.headers.contains_key("idempotency-replayed"), replayed, "{confirmed:?}");
    }
    // The quotes did not survive the restart, so risk refused what was confirmed: one order, of one confirmation.
    let first = settled(&app, &ann, &format!("/v1/signals/{}", first["id"].as_str().unwrap()), UNDER_WAY).await;
    assert_eq!(first["parents"][0]["orders"].as_array().map(Vec::len), Some(1), "{first}");
    assert_eq!(
        (&first["parents"][0]["decided"]["what"], &first["parents"][0]["decided"]["by"]),
        (&json!("confirmed"), &json!("ann"))
    );

    let second = sent(&app, &ann, "half", buy(), UNDER_WAY).await;
    let declined = app.call("POST", &place(&second, "decline"), &ann, json!({ "reason": "not today" })).await;
    assert_eq!((declined.status, &declined.body["status"]), (202, &json!("canceled")), "{declined:?}");
    let late = app.call("POST", &place(&second, "confirm"), &ann, Value::Null).await;
    assert_eq!((late.status, late.code()), (409, "too_late"), "{late:?}");
    assert!(late.body["detail"].as_str().unwrap().contains("not today (ann)"), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_traded_by_hand_is_held_against_the_signal() {
    let (app, ann) = open(json!({ "account": "paper-a", "mode": "notify_only" })).await;
    let signal = sent(&app, &ann, "half", buy(), UNDER_WAY).await;
    assert_eq!((&signal["waiting_for"], &signal["parents"][0]["mode"]), (&json!("hand"), &json!("notify_only")));
    let by_hand = |quantity: u32, price: &str| json!({ "account": "paper-a", "broker_order_id": "240011", "quantity": quantity, "price": price });
    for (body, field) in [
        (json!({ "account": "paper-a", "broker_order_id": "240011" }), "order_id"),
        (json!({ "account": "paper-a", "order_id": "ord-1" }), "order_id"),
        (json!({ "account": "paper-b", "order_id": "ord-1" }), "account"),
        (by_hand(300, "9.98"), "quantity"),
        (by_hand(200, "10.01"), "price"),
    ] {
        let refused = app.call("POST", &place(&signal, "complete"), &ann, body).await;
        assert_eq!((refused.status, &refused.body["field"]), (422, &json!(field)), "{refused:?}");
    }
    for replayed in [false, true] {
        let done = app.call("POST", &place(&signal, "complete"), &ann, by_hand(200, "9.98")).await;
        assert_eq!((done.status, &done.body["status"]), (202, &json!("done")), "{done:?}");
        assert_eq!(done.headers.contains_key("idempotency-replayed"), replayed, "{done:?}");
    }
    let other = app.call("POST", &place(&signal, "complete"), &ann, by_hand(100, "9.98")).await;
    assert_eq!((other.status, other.code()), (409, "conflict"), "{other:?}");
    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    let signal = app.get(&format!("/v1/signals/{}", signal["id"].as_str().unwrap()), &ann).await.body;
    assert_eq!((&signal["parents"][0]["cum_qty"], &signal["parents"][0]["avg_px"]), (&json!("200"), &json!("9.98")));
    assert_eq!(signal["parents"][0]["decided"]["order"], "240011", "{signal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trade_completes_one_signal() {
    let (app, ann) = open(json!({ "account": "paper-a", "mode": "notify_only" })).await;
    let mut signals = Vec::new();
    for _ in 0..4 {
        signals.push(sent(&app, &ann, "half", buy(), UNDER_WAY).await);
    }
    let order = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 200, "limit_price": "10",
        "client_signal_id": unique() });
    let order = app.call("POST", "/v1/orders", &ann, order).await;
    let order = settled(&app, &ann, &order.headers["location"], &["accepted", "working"]).await;
    let ours = json!({ "account": "paper-a", "order_id": order["parents"][0]["orders"][0]["id"] });
    let theirs = json!({ "account": "paper-a", "broker_order_id": "240011", "quantity": 200, "price": "9.98" });
    let numbered = order["parents"][0]["orders"][0]["broker_order_id"].clone();
    assert!(numbered.is_string(), "{order}");
    for (body, first, second) in [(ours, &signals[0], &signals[1]), (theirs.clone(), &signals[1], &signals[2])] {
        for (signal, status) in [(first, 202), (second, 409), (first, 202)] {
            let told = app.call("POST", &place(signal, "complete"), &ann, body.clone()).await;
            assert_eq!(told.status, status, "{body}: {told:?}");
        }
    }
    // Told by its number here before.
    let again = json!({ "account": "paper-a", "broker_order_id": numbered, "quantity": 200, "price": "9.98" });
    let told = app.call("POST", &place(&signals[2], "complete"), &ann, again).await;
    assert_eq!((told.status, told.code()), (409, "conflict"), "{told:?}");

    let twice = json!({ "account": "paper-a", "broker_order_id": "240\"012", "quantity": 200, "price": "9.98" });
    let (one, other) = (place(&signals[2], "complete"), place(&signals[3], "complete"));
    let (one, other) =
        tokio::join!(app.call("POST", &one, &ann, twice.clone()), app.call("POST", &other, &ann, twice.clone()));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409], "{one:?} {other:?}");

    // The broker counts anew on the next day.
    let next = Timestamp::from_us(1_549_850_400_000_000);
    let app = app.restart_with(Options { begins: next, ..Options::default() }).await;
    let ann = app.login("ann").await.access;
    let signal = sent(&app, &ann, "half", buy(), UNDER_WAY).await;
    let told = app.call("POST", &place(&signal, "complete"), &ann, theirs).await;
    assert_eq!(told.status, 202, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_tells_what_it_would_have_sent() {
    let (app, ann) = open(json!({ "account": "paper-a", "mode": "shadow", "short_of_cash": "shrink:60" })).await;
    let admin = app.login("admin").await.access;
    let route = &app.get("/v1/strategies/half", &admin).await.body["routes"][0];
    assert_eq!((&route["mode"], &route["short_of_cash"]), (&json!("shadow"), &json!("shrink:60")));
    let bad = json!({ "routes": [{ "account": "paper-a", "short_of_cash": "wait" }] });
    let refused = app.call("PUT", "/v1/strategies/half", &admin, bad).await;
    assert_eq!((refused.status, &refused.body["field"]), (422, &json!("routes[0].short_of_cash")), "{refused:?}");

    let signal = sent(&app, &ann, "half", buy(), UNDER_WAY).await;
    assert_eq!((&signal["status"], &signal["parents"][0]["orders"]), (&json!("done"), &json!([])), "{signal}");
    let decided = &signal["parents"][0]["decided"];
    assert_eq!((&decided["what"], &decided["would_send"]["quantity"]), (&json!("shadow"), &json!("200")), "{signal}");
    let signal =
        sent(&app, &ann, "half", json!({ "side": "buy", "quantity": 200, "limit_price": "20" }), UNDER_WAY).await;
    assert_eq!(signal["status"], "denied", "{signal}");
    assert_eq!(signal["parents"][0]["decided"]["denials"][0]["code"], "PRICE_LIMIT", "{signal}");
    assert_eq!(app.get("/v1/orders?strategy=half", &ann).await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_is_shown_as_one_and_trades_on_paper() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let body = |extra: Value| {
        let mut body = buy();
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    for (extra, test) in [
        (json!({ "test": true }), true),
        (json!({ "signal_time": "2018-05-04T10:00:00+08:00" }), true),
        (json!({ "signal_time": "2019-02-01T09:45:00+08:00", "priority": -3 }), false),
    ] {
        let signal = sent(&app, &ann, "half", body(extra), UNDER_WAY).await;
        assert_eq!((&signal["test"], &signal["status"]), (&json!(test), &json!("done")), "{signal}");
    }
    for (extra, field) in [
        (json!({ "priority": 1_001 }), "priority"),
        (json!({ "basket_id": "" }), "basket_id"),
        (json!({ "signal_time": "yesterday" }), "signal_time"),
    ] {
        let mut signal = body(extra);
        let named = json!({ "strategy": "half", "symbol": "600000.SH", "client_signal_id": unique() });
        signal.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
        let refused = app.call("POST", "/v1/signals", &ann, signal).await;
        assert_eq!((refused.status, &refused.body["field"]), (422, &json!(field)), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_signal_says_of_itself_is_shown_and_its_key_covers_it() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let key = unique();
    let told = json!({ "bar_time": "2019-02-01T09:30:00+08:00", "ref_price": "9.98", "only_if_flat": true });
    let signal = |with: &Value| {
        let mut signal = json!({ "strategy": "half", "symbol": "000001.SZ", "side": "buy", "quantity": 100,
            "limit_price": "10", "client_signal_id": key });
        signal.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        signal
    };
    let place = app.call("POST", "/v1/signals", &ann, signal(&told)).await;
    assert_eq!(place.status, 202, "{place:?}");
    let shown = settled(&app, &ann, &place.headers["location"], &["accepted"]).await;
    assert_eq!((&shown["ref_price"], &shown["only_if_flat"]), (&json!("9.98"), &json!(true)), "{shown}");
    assert!(shown["bar_time"].as_str().is_some_and(|at| at.starts_with("2019-02-01T09:30:00")), "{shown}");
    let again = app.call("POST", "/v1/signals", &ann, signal(&told)).await;
    assert_eq!(again.headers.get("idempotency-replayed").map(String::as_str), Some("true"), "{again:?}");
    for (field, value) in [("bar_time", json!(null)), ("ref_price", json!("9.99")), ("only_if_flat", json!(false))] {
        let mut other = told.clone();
        other[field] = value;
        let refused = app.call("POST", "/v1/signals", &ann, signal(&other)).await;
        assert_eq!((refused.status, refused.code()), (422, "SIGNAL_ID_REUSED"), "{field}: {refused:?}");
    }
    // What it bought, or may still buy, is known to the next life.
    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    let denied = sent(
        &app,
        &ann,
        "half",
        json!({ "symbol": "000001.SZ", "side": "buy", "quantity": 100, "limit_price": "10", "only_if_flat": true }),
        UNDER_WAY,
    )
    .await;
    assert_eq!((&denied["status"], &denied["denials"][0]["code"]), (&json!("denied"), &json!("NOT_FLAT")), "{denied}");
    let value = denied["denials"][0]["value"].as_str();
    assert!(value.is_some_and(|value| value.ends_with(" in paper-a")), "{denied}");
    let refused = app.call("POST", "/v1/signals", &ann, signal(&json!({ "client_signal_id": "  " }))).await;
    assert_eq!((refused.status, &refused.body["field"]), (422, &json!("client_signal_id")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_basket_is_shown_together_and_its_key_covers_it() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let key = unique();
    let signal = |basket: &str| {
        json!({ "strategy": "half", "symbol": "600000.SH", "side": "buy", "quantity": 100, "limit_price": "10",
            "client_signal_id": key, "basket_id": basket })
    };
    let place = app.call("POST", "/v1/signals", &ann, signal("switch")).await;
    assert_eq!(place.status, 202, "{place:?}");
    let again = app.call("POST", "/v1/signals", &ann, signal("switch")).await;
    assert_eq!(again.headers.get("idempotency-replayed").map(String::as_str), Some("true"), "{again:?}");
    let other = app.call("POST", "/v1/signals", &ann, signal("other")).await;
    assert_eq!((other.status, other.code()), (422, "SIGNAL_ID_REUSED"), "{other:?}");

    sent(&app, &ann, "half", buy(), UNDER_WAY).await;
    let gathered = settled(&app, &ann, &place.headers["location"], &["accepted", "waiting", "working"]).await;
    assert_eq!((&gathered["status"], &gathered["basket_id"]), (&json!("done"), &json!("switch")), "{gathered}");
    let listed = app.get("/v1/signals?basket_id=switch", &ann).await.body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["items"][0]["id"], gathered["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_leg_is_caught_up_once() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let failed =
        sent(&app, &ann, "half", json!({ "side": "buy", "quantity": 200, "limit_price": "20" }), UNDER_WAY).await;
    assert_eq!(
        (&failed["status"], &failed["denials"][0]["code"]),
        (&json!("denied"), &json!("PRICE_LIMIT")),
        "{failed}"
    );
    let mut signals = Vec::new();
    for replayed in [false, true] {
        let body = json!({ "account": "paper-a", "limit_price": "10" });
        let caught = app.call("POST", &place(&failed, "catch-up"), &ann, body).await;
        assert_eq!((caught.status, &caught.body["items"][0]["replayed"]), (202, &json!(replayed)), "{caught:?}");
        signals.push(caught.body["items"][0]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(signals[0], signals[1]);
    let done = settled(&app, &ann, &format!("/v1/signals/{}", signals[0]), UNDER_WAY).await;
    assert_eq!((&done["status"], &done["parents"][0]["cum_qty"]), (&json!("done"), &json!("200")), "{done}");
    assert_eq!((&done["catch_up_of"], &done["catch_up_by"]), (&failed["parents"][0]["id"], &json!("ann")), "{done}");
    let nothing = app.call("POST", &place(&done, "catch-up"), &ann, json!({})).await;
    assert_eq!((nothing.status, nothing.code()), (409, "conflict"), "{nothing:?}");
    let admin = app.login("admin").await.access;
    assert_eq!(app.call("POST", &place(&failed, "catch-up"), &admin, json!({})).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_trade_one_leg_alone_finds_the_signal_and_confirms_that_leg() {
    let (app, _) = open(json!({ "account": "paper-a" })).await;
    let on =
        |account: &str| Grant::account(Pattern::try_from(account.to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("eve", &[Role::Trader], vec![on("*")]).await;
    app.user("bob", &[Role::Trader], vec![on("paper-b")]).await;
    app.user("cid", &[Role::Trader], vec![on("paper-c")]).await;
    let admin = app.login("admin").await.access;
    let routes = json!({ "routes": [{ "account": "paper-a" }, { "account": "paper-b", "mode": "confirm" }] });
    assert_eq!(app.call("PUT", "/v1/strategies/both", &admin, routes).await.status, 201);
    let eve = app.login("eve").await.access;
    let signal = sent(&app, &eve, "both", buy(), &["accepted"]).await;
    let one = format!("/v1/signals/{}", signal["id"].as_str().unwrap());

    let bob = app.login("bob").await.access;
    let listed = app.get("/v1/signals", &bob).await.body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let seen = app.get(&one, &bob).await.body;
    let legs = seen["parents"].as_array().unwrap();
    assert_eq!((legs.len(), &legs[0]["account"]), (1, &json!("paper-b")), "a foreign leg is shown: {seen}");
    let confirmed = app.call("POST", &place(&signal, "confirm"), &bob, Value::Null).await;
    assert_eq!(confirmed.status, 202, "{confirmed:?}");
    let ended = settled(&app, &eve, &one, &["accepted", "waiting", "working"]).await;
    assert_eq!(ended["status"], "done", "{ended}");

    let cid = app.login("cid").await.access;
    assert_eq!(app.get(&one, &cid).await.status, 404);
    assert_eq!(app.get("/v1/signals", &cid).await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_names_accounts_or_strategies_reaches_no_others() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let admin = app.login("admin").await.access;
    let on_b = json!({ "routes": [{ "account": "paper-b" }] });
    assert_eq!(app.call("PUT", "/v1/strategies/there", &admin, on_b).await.status, 201);
    let scopes = ["signals:write", "signals:read", "orders:write", "orders:read", "accounts:read"];
    let of_a = app.key(json!({ "name": "of a", "scopes": scopes, "accounts": ["paper-a"] })).await.1;
    let of_half = app.key(json!({ "name": "of half", "scopes": scopes, "strategies": ["half"] })).await.1;
    let signal = |strategy: &str| {
        let mut body = buy();
        body["strategy"] = json!(strategy);
        body["symbol"] = json!("600000.SH");
        body["client_signal_id"] = json!(unique());
        body
    };
    let order = |account: &str| {
        let mut body = buy();
        body["account"] = json!(account);
        body["symbol"] = json!("600000.SH");
        body["client_signal_id"] = json!(unique());
        body
    };
    for (key, path, body, status) in [
        (&of_a, "/v1/signals", signal("half"), 202),
        (&of_a, "/v1/signals", signal("there"), 404),
        (&of_a, "/v1/orders", order("paper-a"), 202),
        (&of_a, "/v1/orders", order("paper-b"), 404),
        (&of_half, "/v1/signals", signal("half"), 202),
        (&of_half, "/v1/signals", signal("there"), 404),
        (&of_half, "/v1/orders", order("paper-a"), 404),
    ] {
        let answer = app.call("POST", path, key, body.clone()).await;
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
    }
    assert_eq!(app.get("/v1/accounts", &of_half).await.body["items"], json!([]));

    // A strategy's grant for all of them is none for what people order by hand.
    let everything = Grant::strategy(Pattern::all(), &[Action::Read]);
    app.user("bob", &[Role::Viewer], vec![everything]).await;
    let bob = app.login("bob").await.access;
    let by_hand = app.call("POST", "/v1/orders", &ann, order("paper-a")).await;
    assert_eq!(by_hand.status, 202, "{by_hand:?}");
    let listed = app.get("/v1/signals", &bob).await.body;
    let strategies: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|row| row["strategy"].as_str().unwrap()).collect();
    assert_eq!(strategies, ["half", "half"], "{listed}");
}
