//! Two strategies that want the opposite of each other, over HTTP.

use serde_json::json;

use crate::sizes::{open, settled};
use crate::support::unique;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_strategies_want_of_each_other_is_crossed_told_and_kept() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let admin = app.login("admin").await.access;
    let net = json!({ "scope": "account:paper-a", "limits": { "crossing": "net" }, "reason": "one book less" });
    let set = app.call("PUT", "/v1/risk/limits", &admin, net).await;
    assert_eq!(set.status, 200, "{set:?}");
    let give = json!({ "account": "paper-a", "from": "external", "to": "small-cap", "symbol": "000001.SZ",
        "quantity": 1000, "expect_quantity": 5000, "note": "its own" });
    assert_eq!(app.call("POST", "/v1/books/transfer", &admin, give).await.status, 200);
    let before = app.get("/v1/accounts/paper-a/balance", &ann).await.body;

    let one = |strategy: &str, side: &str, quantity: u32, limit: &str| {
        json!({ "strategy": strategy, "symbol": "000001.SZ", "side": side, "quantity": quantity, "limit_price": limit,
            "client_signal_id": unique() })
    };
    let both = json!({ "signals": [one("half", "buy", 500, "10.05"), one("small-cap", "sell", 500, "9.95")] });
    let sent = app.call("POST", "/v1/signals/batch", &ann, both).await;
    assert!(sent.status < 300, "{sent:?}");
    let items = sent.body["items"].as_array().unwrap();
    for item in items {
        let place = format!("/v1/signals/{}", item["id"].as_str().unwrap());
        let signal = settled(&app, &ann, &place, &["accepted", "working"]).await;
        let leg = &signal["parents"][0];
        assert_eq!(
            (&signal["status"], &leg["netted_qty"], &leg["cum_qty"]),
            (&json!("done"), &json!("500"), &json!("500"))
        );
        let order = &leg["orders"][0];
        assert_eq!(
            (&order["status"], &order["sent_at"], &order["fees"]),
            (&json!("filled"), &json!(null), &json!("0.00"))
        );
        let fill = &order["fills"][0];
        assert_eq!((&fill["last_px"], &fill["fee"]), (&json!("10.00"), &json!("0.00")), "{fill}");
        assert!(fill["exec_id"].as_str().unwrap().starts_with("net-ord-"), "{fill}");
    }
    let after = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    assert_eq!(before["cash"], after["cash"]);

    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    let place = format!("/v1/signals/{}", items[0]["id"].as_str().unwrap());
    let kept = app.get(&place, &ann).await.body;
    assert_eq!(kept["parents"][0]["orders"][0]["netted_qty"], "500", "{kept}");
}
