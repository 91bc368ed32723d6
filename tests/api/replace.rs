//! An order at another limit, or for less, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox::replay::{Rows, prove};

use crate::sizes::{open, settled};
use crate::support::{TestApp, unique};

/// The orders of the signal, the oldest first, once there are so many.
async fn orders(app: &TestApp, token: &str, signal: &str, count: usize) -> Vec<Value> {
    for _ in 0..300 {
        let page = app.get("/v1/accounts/paper-a/orders", token).await.body;
        let own = page["items"].as_array().unwrap().iter().filter(|order| order["signal_id"] == signal);
        let own: Vec<Value> = own.rev().cloned().collect();
        if own.len() == count && own[count - 1]["status"] != "pending_new" {
            return own;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("signal {signal} never had {count} orders");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_replaced_by_one_at_another_limit_and_for_less() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let body = json!({ "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 500,
        "limit_price": "9.50", "client_signal_id": unique() });
    let sent = app.call("POST", "/v1/orders", &ann, body).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    let signal = sent.body["id"].as_str().unwrap().to_owned();
    let first = orders(&app, &ann, &signal, 1).await.remove(0);
    let place = format!("/v1/orders/{}", first["id"].as_str().unwrap());

    for (body, status, code) in [
        (json!({}), 400, "missing_field"),
        (json!({ "limit_price": "9.505" }), 422, "TICK_SIZE"),
        (json!({ "quantity": 150 }), 422, "LOT_SIZE"),
        (json!({ "quantity": 600 }), 422, "INVALID_QUANTITY"),
        (json!({ "limit_price": "9.60", "side": "sell" }), 400, "unknown_field"),
    ] {
        let refused = app.call("PATCH", &place, &ann, body.clone()).await;
        assert_eq!((refused.status, &refused.body["code"]), (status, &json!(code)), "{body}: {refused:?}");
    }
    let body = json!({ "limit_price": "9.60", "quantity": 300 });
    let replaced = app.call("PATCH", &place, &ann, body.clone()).await;
    assert_eq!(replaced.status, 202, "{replaced:?}");
    let told = json!({ "id": first["id"], "signal_id": signal, "quantity": "300", "limit_price": "9.60",
        "how": "cancel_and_new" });
    assert_eq!(replaced.body, told);

    let both = orders(&app, &ann, &signal, 2).await;
    assert_eq!((&both[0]["status"], &both[0]["cum_qty"]), (&json!("canceled"), &json!("0")), "{both:?}");
    assert_eq!((&both[1]["quantity"], &both[1]["limit_price"]), (&json!("300"), &json!("9.60")), "{both:?}");
    assert_eq!((&both[1]["status"], &both[1]["attempt"]), (&json!("new"), &json!(2)), "{both:?}");
    // What it bound of the cash is what the second one binds: 2,880 and its fees.
    let balance = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    assert_eq!(balance["frozen"], "2885.06", "{balance}");

    // The first one is over; the second one is replaced by what it is already.
    let late = app.call("PATCH", &place, &ann, body.clone()).await;
    assert_eq!((late.status, &late.body["code"]), (409, &json!("too_late")), "{late:?}");
    let second = format!("/v1/orders/{}", both[1]["id"].as_str().unwrap());
    let again = app.call("PATCH", &second, &ann, body).await;
    assert_eq!((again.status, &*again.headers["idempotency-replayed"]), (202, "true"), "{again:?}");
    assert_eq!(orders(&app, &ann, &signal, 2).await[1]["status"], "new", "nothing was taken back");

    // A cancel of one that is being replaced ends what would follow as well.
    let body = json!({ "limit_price": "9.61" });
    assert_eq!(app.call("PATCH", &second, &ann, body).await.status, 202);
    let canceled = app.call("POST", &format!("{second}/cancel"), &ann, json!({})).await;
    assert_eq!(canceled.status, 202, "{canceled:?}");
    let ended = settled(&app, &ann, &format!("/v1/signals/{signal}"), &["working"]).await;
    assert_eq!((&ended["status"], &ended["parents"][0]["cum_qty"]), (&json!("canceled"), &json!("0")), "{ended}");

    let timeline = app.get(&format!("{place}?timeline=1"), &ann).await.body;
    let lines = timeline["timeline"].as_array().unwrap();
    let line = lines.iter().find(|line| line["kind"] == "order_replaced").unwrap_or_else(|| panic!("{timeline}"));
    assert_eq!((&line["data"]["limit_price"], &line["data"]["quantity"]), (&json!("9.60"), &json!("300")), "{line}");
    // What the leg shall be is in its row, where the next life finds it.
    assert_eq!(ended["parents"][0]["quantity"], "300", "{ended}");
    let proof = prove(&app.store, Rows::AsTheyAre).await.unwrap();
    assert!(proof.differences.is_empty(), "{:#?}", proof.differences);
}
