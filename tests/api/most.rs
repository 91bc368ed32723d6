//! What an account could buy or sell now, several orders taken back at once, and lists that are read now.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::sizes::settled;
use crate::support::unique;
use crate::trading::Desk;

impl Desk {
    async fn most(&self, query: &str) -> Value {
        self.get(&format!("/v1/accounts/paper-a/max-qty?{query}")).await
    }

    /// An order of somebody else that rests in `paper-b`.
    async fn foreign(&self) -> String {
        let on_b = Grant::account(Pattern::try_from("paper-b".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
        self.app.user("bob", &[Role::Trader], vec![on_b]).await;
        let bob = self.app.login("bob").await.access;
        let order = json!({
            "account": "paper-b", "symbol": "600000.SH", "side": "buy", "quantity": 100, "limit_price": "10.00",
            "client_signal_id": unique(),
        });
        let sent = self.app.call("POST", "/v1/orders", &bob, order).await;
        let signal = settled(&self.app, &bob, &sent.headers["location"], &["accepted", "waiting"]).await;
        let order = signal["parents"][0]["orders"][0]["id"].as_str().unwrap().to_owned();
        for _ in 0..200 {
            if self.app.get(&format!("/v1/orders/{order}"), &bob).await.body["status"] == "new" {
                return order;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{order} does not rest");
    }
}

fn told(answer: &Value) -> (&str, &str, Vec<(&str, &str, &str)>) {
    let denials = answer["denials"].as_array().unwrap().iter();
    let numbers = denials.map(|d| ["code", "value", "limit"].map(|key| d[key].as_str().unwrap_or_default()));
    let numbers = numbers.map(|[code, value, limit]| (code, value, limit)).collect();
    (answer["max_qty"].as_str().unwrap(), answer["next_qty"].as_str().unwrap(), numbers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_is_told_with_what_denies_a_lot_more() {
    let desk = Desk::open().await;
    let held = json!({ "symbol": "000001.SZ", "last": "10.00", "prev_close": "10.00" });
    assert_eq!(desk.app.call("POST", "/v1/quotes", &desk.feed, json!({ "quotes": [held] })).await.status, 200);
    let before = desk.app.settled().await;
    // A million in cash and 5,000 shares at 10.00; an order may be six tenths of that.
    let buy = desk.most("symbol=600000.SH&side=buy&limit_price=10.50").await;
    let denials = vec![("ORDER_VALUE", "631050.00", "630000.00")];
    assert_eq!(told(&buy), ("60000", "60100", denials), "{buy}");
    let sell = desk.most("symbol=000001.SZ&side=sell").await;
    assert_eq!(told(&sell), ("5000", "5100", vec![("SELLABLE", "5100", "5000")]), "{sell}");
    let of_a_book = desk.most("symbol=000001.SZ&side=sell&strategy=small-cap").await;
    assert_eq!(told(&of_a_book), ("0", "100", vec![("SELLABLE", "100", "0")]), "it holds nothing: {of_a_book}");
    let contract = desk.most("symbol=600000.SH&side=buy&position_effect=open").await;
    assert_eq!((&contract["max_qty"], &contract["denials"][0]["code"]), (&json!("0"), &json!("POSITION_EFFECT")));
    assert_eq!(desk.app.settled().await, before, "asking leaves nothing behind");

    // The other route says the same, and so does the desk.
    for (quantity, outcome) in [(60_000, "passed"), (60_100, "denied")] {
        let order = json!({
            "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": quantity, "limit_price": "10.50",
        });
        assert_eq!(desk.check(order).await["outcome"], outcome, "{quantity}");
    }
    let order = json!({
        "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 60_000, "limit_price": "10.50",
        "client_signal_id": unique(),
    });
    let sent = desk.order(order).await;
    desk.until(&sent.headers["location"], "status", "done").await;
    // 371,200 are left, less the fees.
    let rest = desk.most("symbol=600000.SH&side=buy&limit_price=10.50").await;
    let (most, next, denials) = told(&rest);
    assert_eq!((most, next, denials.len(), denials[0].0), ("35300", "35400", 1, "CASH"), "{rest}");
    let bought_today = desk.most("symbol=600000.SH&side=sell").await;
    assert_eq!(told(&bought_today), ("0", "100", vec![("SELLABLE", "100", "0")]), "{bought_today}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_cannot_be_is_refused_with_its_parameter() {
    let desk = Desk::open().await;
    for (query, field) in [
        ("symbol=nothing&side=buy", "symbol"),
        ("side=buy", "symbol"),
        ("symbol=600000.SH", "side"),
        ("symbol=600000.SH&side=buy&limit_price=10.12345", "limit_price"),
        ("symbol=600000.SH&side=buy&limit_price=cheap", "limit_price"),
        ("symbol=600000.SH&side=buy&quantity=100", "quantity"),
    ] {
        let answer = desk.app.get(&format!("/v1/accounts/paper-a/max-qty?{query}"), &desk.trader).await;
        let code = answer.code();
        assert_eq!((answer.status, code, &answer.body["field"]), (400, "invalid_query", &json!(field)), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_orders_are_taken_back_and_each_has_its_outcome() {
    let desk = Desk::open().await;
    let (one, other, stays) = (desk.resting().await, desk.resting().await, desk.resting().await);
    let foreign = desk.foreign().await;
    let orders = [&one, &foreign, &other, "ord-99", "nothing", &one];
    let answer = desk.app.call("POST", "/v1/orders/cancel", &desk.trader, json!({ "orders": orders })).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let item =
        |order: &str| json!({ "order_id": order, "account": "paper-a", "outcome": "canceled", "status": "canceled" });
    let nothing = |order: &str| json!({ "order_id": order, "account": null, "outcome": "not_found", "status": null });
    let items = [item(&one), nothing(&foreign), item(&other), nothing("ord-99"), nothing("nothing")];
    assert_eq!(answer.body, json!({ "items": items, "proved": 2, "pending": 0, "refused": 3 }), "one answer for each");
    assert_eq!(desk.get(&format!("/v1/orders/{stays}")).await["status"], "new");
    let rick = desk.app.login("rick").await.access;
    let of_b = desk.app.get(&format!("/v1/orders/{foreign}"), &rick).await.body;
    assert_eq!((&of_b["account"], &of_b["status"]), (&json!("paper-b"), &json!("new")), "it works as before");

    let many: Vec<String> = (1..=201).map(|n| format!("ord-{n}")).collect();
    let answer = desk.app.call("POST", "/v1/orders/cancel", &desk.trader, json!({ "orders": many })).await;
    assert_eq!((answer.status, answer.code()), (422, "validation_failed"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paper_account_has_no_lists_to_read_and_says_so() {
    let desk = Desk::open().await;
    let before = desk.app.settled().await;
    let answer = desk.app.call("POST", "/v1/accounts/paper-a/reconnect", &desk.trader, json!({})).await;
    assert_eq!((answer.status, &answer.body["outcome"]), (202, &json!("no_session")), "{answer:?}");
    let answer = desk.app.call("POST", "/v1/accounts/paper-a/refresh", &desk.trader, json!({})).await;
    assert_eq!((answer.status, &answer.body), (202, &json!({ "account": "paper-a", "outcome": "no_lists" })));
    assert_eq!(desk.app.settled().await, before);
    let foreign = desk.app.call("POST", "/v1/accounts/paper-b/refresh", &desk.trader, json!({})).await;
    let missing = desk.app.call("POST", "/v1/accounts/nobody/refresh", &desk.trader, json!({})).await;
    assert_eq!((foreign.status, foreign.code()), (404, "not_found"));
    assert_eq!((missing.status, missing.code()), (404, "not_found"));
}
