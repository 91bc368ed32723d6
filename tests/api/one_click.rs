//! What a person does with an account at once, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::sizes::{open, sent, settled};
use crate::support::{Answer, unique};

const UNDER_WAY: &[&str] = &["accepted", "working"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_in_buys_for_the_cash_that_is_there_and_takes_its_permission() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    // A million in cash: 99,900 shares at 10.00 with their fees.
    let body = json!({ "side": "buy", "all_in": true, "limit_price": "10" });
    let bought = sent(&app, &ann, "half", body, UNDER_WAY).await;
    assert_eq!((&bought["status"], &bought["all_in"]), (&json!("done"), &json!(true)), "{bought}");
    assert_eq!(bought["parents"][0]["cum_qty"], "99900", "{bought}");
    let balance = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    // The commission of 249.75 and, until 2022, a transfer fee of 0.002 %.
    assert_eq!(balance["cash"], "730.27", "{balance}");

    let key = unique();
    let body = json!({ "symbol": "600000.SH", "limit_price": "10", "client_signal_id": key });
    let lacking = app.call("POST", "/v1/accounts/paper-a/all-in", &ann, body.clone()).await;
    assert_eq!(lacking.status, 202, "{lacking:?}");
    let lacking = settled(&app, &ann, &lacking.headers["location"], UNDER_WAY).await;
    assert_eq!((&lacking["status"], &lacking["denials"][0]["code"]), (&json!("denied"), &json!("CASH")), "{lacking}");
    let again = app.call("POST", "/v1/accounts/paper-a/all-in", &ann, body).await;
    assert_eq!((again.status, &*again.headers["idempotency-replayed"]), (202, "true"), "{again:?}");

    for (body, status) in [
        (json!({ "symbol": "600000.SH" }), 400),
        (json!({ "symbol": "999999.SH", "client_signal_id": unique() }), 422),
        (json!({ "symbol": "600000.SH", "type": "market", "limit_price": "10", "client_signal_id": unique() }), 422),
    ] {
        let refused = app.call("POST", "/v1/accounts/paper-a/all-in", &ann, body.clone()).await;
        assert_eq!(refused.status, status, "{body}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_cleared_and_what_stays_is_told() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let body = json!({ "side": "buy", "quantity": 300, "limit_price": "10" });
    sent(&app, &ann, "half", body, UNDER_WAY).await;
    let resting = json!({ "side": "buy", "quantity": 100, "limit_price": "9.5" });
    sent(&app, &ann, "half", resting, &["accepted"]).await;

    let body = json!({ "cancel_working": true, "client_signal_id": unique() });
    let cleared = app.call("POST", "/v1/accounts/paper-a/clear", &ann, body.clone()).await;
    assert_eq!(cleared.status, 202, "{cleared:?}");
    assert_eq!(cleared.body["canceled"]["proved"], 1, "{cleared:?}");
    let stays = json!([{ "symbol": "600000.SH", "quantity": "300", "reason": "bought_today" }]);
    assert_eq!(cleared.body["stays"], stays, "{cleared:?}");
    let items = cleared.body["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["side"], &items[0]["symbol"]), (1, &json!("sell"), &json!("000001.SZ")));
    let place = format!("/v1/signals/{}", items[0]["id"].as_str().unwrap());
    let sold = settled(&app, &ann, &place, UNDER_WAY).await;
    assert_eq!((&sold["status"], &sold["parents"][0]["cum_qty"]), (&json!("done"), &json!("5000")), "{sold}");

    let again = app.call("POST", "/v1/accounts/paper-a/clear", &ann, body).await;
    assert_eq!((again.status, &*again.headers["idempotency-replayed"]), (202, "true"), "{again:?}");
    assert_eq!(again.body["items"][0]["id"], items[0]["id"], "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_clears_an_account_is_that_requests_alone() {
    let (app, _) = open(json!({ "account": "paper-a" })).await;
    let everywhere = Grant::account(Pattern::all(), &[Action::Read, Action::Trade]);
    app.user("bob", &[Role::Trader], vec![everywhere]).await;
    let (bob, admin) = (app.login("bob").await.access, app.login("admin").await.access);
    for symbol in ["000001.SZ", "600000.SH"] {
        let body = json!({ "account": "paper-b", "direction": "add", "strategy": "elsewhere", "symbol": symbol,
            "quantity": 100, "cost": "10", "note": "given" });
        assert_eq!(app.call("POST", "/v1/books/adjust", &admin, body).await.status, 200);
    }
    let key = unique();
    let body = json!({ "client_signal_id": key });
    let first = app.call("POST", "/v1/accounts/paper-a/clear", &bob, body.clone()).await;
    assert_eq!((first.status, &first.body["items"][0]["symbol"]), (202, &json!("000001.SZ")), "{first:?}");
    let place = format!("/v1/signals/{}", first.body["items"][0]["id"].as_str().unwrap());
    settled(&app, &bob, &place, UNDER_WAY).await;
    let made = app.settled().await;

    let with_cancels = json!({ "client_signal_id": key, "cancel_working": true });
    let slowly = json!({ "client_signal_id": key, "execution": { "policy": "once" } });
    let order = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100,
        "limit_price": "9.00", "client_signal_id": key });
    for (path, other) in [
        ("/v1/accounts/paper-b/clear", body.clone()),
        ("/v1/accounts/paper-a/clear", with_cancels),
        ("/v1/accounts/paper-a/clear", slowly),
        ("/v1/orders", order),
    ] {
        let refused = app.call("POST", path, &bob, other.clone()).await;
        assert_eq!((refused.status, refused.code()), (422, "SIGNAL_ID_REUSED"), "{path} {other}: {refused:?}");
        assert_eq!(app.settled().await, made, "{path} {other}");
    }
    let again = app.call("POST", "/v1/accounts/paper-a/clear", &bob, body).await;
    assert_eq!((again.status, &*again.headers["idempotency-replayed"]), (202, "true"), "{again:?}");
    assert_eq!(again.body["items"][0]["id"], first.body["items"][0]["id"], "{again:?}");

    // A key of somebody's own that one of the signals would have: none of them is made.
    let key = unique();
    let own = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100,
        "limit_price": "9.00", "client_signal_id": format!("{key}/600000.SH/sell") });
    assert_eq!(app.call("POST", "/v1/orders", &bob, own).await.status, 202);
    let made = app.settled().await;
    let body = json!({ "client_signal_id": key });
    let refused = app.call("POST", "/v1/accounts/paper-b/clear", &bob, body).await;
    assert_eq!((refused.status, refused.code()), (422, "SIGNAL_ID_REUSED"), "{refused:?}");
    assert_eq!(app.settled().await, made);

    let body = json!({ "client_signal_id": unique() });
    let (once, twice) = tokio::join!(
        app.call("POST", "/v1/accounts/paper-b/clear", &bob, body.clone()),
        app.call("POST", "/v1/accounts/paper-b/clear", &bob, body),
    );
    let named = |answer: &Answer| {
        let items = answer.body["items"].as_array().unwrap().iter();
        items.map(|item| (item["symbol"].clone(), item["side"].clone(), item["id"].clone())).collect::<Vec<_>>()
    };
    assert_eq!((named(&once).len(), once.status, twice.status), (2, 202, 202), "{once:?} {twice:?}");
    assert_eq!(named(&once), named(&twice));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_cash_is_lent_and_is_part_of_the_equity() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let feed = app.key(json!({ "name": "rates", "scopes": ["quotes:write"] })).await.1;
    let quote = json!({ "symbol": "204001.SH", "last": "2.000", "bid": "2.000", "ask": "2.005",
        "bid_size": 1_000_000, "ask_size": 1_000_000 });
    let show = async || app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await;
    assert_eq!(show().await.status, 200);
    let before = app.get("/v1/accounts/paper-a/balance", &ann).await.body;

    let body = json!({ "client_signal_id": unique() });
    let lent = app.call("POST", "/v1/accounts/paper-a/repo", &ann, body).await;
    assert_eq!(lent.status, 202, "{lent:?}");
    let lent = settled(&app, &ann, &lent.headers["location"], UNDER_WAY).await;
    // Shanghai lent by the hundred thousand until 2022.
    assert_eq!((&lent["status"], &lent["parents"][0]["cum_qty"]), (&json!("done"), &json!("9000")), "{lent}");
    let balance = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    assert_eq!((&balance["cash"], &balance["lent"]), (&json!("99991.00"), &json!("900000.00")), "{balance}");
    let cents = |sum: &Value| (sum.as_str().unwrap().parse::<f64>().unwrap() * 100.0).round();
    assert_eq!(
        cents(&balance["equity"]),
        cents(&before["equity"]) - 900.0,
        "what is lent is worth what it was: {balance}"
    );
    let admin = app.login("admin").await.access;
    let worth = async || {
        let risk = app.get("/v1/risk", &admin).await.body;
        let mut rows = risk["items"].as_array().unwrap().iter();
        rows.find(|row| row["scope"] == "account:paper-a").map(|row| row["equity"].clone())
    };
    for _ in 0..200 {
        if worth().await.as_ref() == Some(&balance["equity"]) {
            break;
        }
        show().await; // every price has the losses looked at
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(worth().await, Some(balance["equity"].clone()));

    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    let again = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    assert_eq!((&again["cash"], &again["lent"]), (&balance["cash"], &balance["lent"]), "{again}");
    for (body, status) in [
        (json!({ "symbol": "600000.SH", "client_signal_id": unique() }), 422),
        (json!({ "amount": 0, "client_signal_id": unique() }), 422),
        (json!({}), 400),
    ] {
        let refused = app.call("POST", "/v1/accounts/paper-a/repo", &ann, body.clone()).await;
        assert_eq!(refused.status, status, "{body}: {refused:?}");
    }
    let target =
        json!({ "strategy": "half", "symbol": "204001.SH", "target_quantity": 10, "client_signal_id": unique() });
    assert_eq!(app.call("POST", "/v1/signals", &ann, target).await.status, 422);
}
