//! Limits as their managers set them, while everybody trades on.

use serde_json::{Value, json};

use crate::support::Answer;
use crate::trading::Desk;

struct Manager {
    desk: Desk,
    token: String,
}

impl Manager {
    async fn open() -> Self {
        let desk = Desk::open().await;
        let token = desk.app.login("rick").await.access;
        Self { desk, token }
    }

    async fn set(&self, body: Value) -> Answer {
        self.desk.app.call("PUT", "/v1/risk/limits", &self.token, body).await
    }

    async fn history(&self, scope: &str) -> Vec<Value> {
        let path = format!("/v1/risk/limits/history?scope={scope}");
        self.desk.app.get(&path, &self.token).await.body["items"].as_array().unwrap().clone()
    }

    async fn checked(&self, quantity: u32) -> Value {
        let order = json!({
            "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": quantity, "limit_price": "10.50",
            "strategy": "small-cap",
        });
        self.desk.check(order).await
    }
}

fn outcome<'a>(answer: &'a Value, code: &str) -> &'a Value {
    let line = answer["checks"].as_array().unwrap().iter().find(|line| line["code"] == code);
    &line.unwrap()["outcome"]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_a_fact_with_who_and_why_and_holds_at_once() {
    let manager = Manager::open().await;
    assert_eq!(outcome(&manager.checked(1_000).await, "ORDER_VALUE"), "passed");
    let tightened = json!({
        "scope": "account:paper-a", "limits": {"order_value": 0.009, "open_orders_max": 7}, "reason": "a new strategy",
        "version": 0,
    });
    let answer = manager.set(tightened.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!((&answer.body["version"], &answer.body["loosened"]), (&json!(1), &json!([])));
    assert_eq!(outcome(&manager.checked(1_000).await, "ORDER_VALUE"), "denied");
    assert_eq!(outcome(&manager.checked(800).await, "ORDER_VALUE"), "warned");
    let again = manager.set(tightened).await;
    assert_eq!((again.status, again.code()), (409, "conflict"), "it was read before the change");

    let looser = json!({ "scope": "account:paper-a", "limits": {"order_value": "0.5"}, "reason": "it went well" });
    let answer = manager.set(looser).await;
    assert_eq!(answer.body["loosened"], json!(["order_value", "open_orders_max"]), "what is left away is loose again");
    assert_eq!(answer.body["previous"], json!({"order_value": "0.009", "open_orders_max": "7"}));
    assert_eq!(outcome(&manager.checked(1_000).await, "ORDER_VALUE"), "passed");

    let history = manager.history("account:paper-a").await;
    let told: Vec<_> = history.iter().map(|fact| (&fact["version"], &fact["who"], &fact["reason"])).collect();
    let (one, two, rick) = (json!(1), json!(2), json!("rick"));
    assert_eq!(told, [(&two, &rick, &json!("it went well")), (&one, &rick, &json!("a new strategy"))]);

    // Another run knows them as well.
    let Manager { desk, .. } = manager;
    let app = desk.app.restart().await;
    let rick = app.login("rick").await.access;
    let limits = app.get("/v1/risk/limits", &rick).await.body;
    let of_a = limits["items"].as_array().unwrap().iter().find(|item| item["account"] == "paper-a").unwrap();
    assert_eq!((&of_a["limits"]["order_value"], &of_a["version"]), (&json!("0.5"), &json!(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_limits_without_sense_or_reason_is_refused() {
    let manager = Manager::open().await;
    for (limits, reason) in [
        (json!({"order_value": "0.1"}), " "),
        (json!({"order_valeu": "0.1"}), "why"),
        (json!({"order_value": "much"}), "why"),
        (json!({"order_value": "-0.1"}), "why"),
        (json!({"open_orders_max": -1}), "why"),
        (json!({"messages_per_second": 0}), "why"),
    ] {
        let answer = manager.set(json!({ "scope": "global", "limits": limits, "reason": reason })).await;
        assert_eq!((answer.status, answer.code()), (422, "validation_failed"), "{limits} {answer:?}");
    }
    let paced = json!({ "scope": "strategy:small-cap", "limits": {"messages_per_second": 1}, "reason": "why" });
    assert_eq!(manager.set(paced).await.status, 422, "a pace is an account's");
    let nowhere = json!({ "scope": "everywhere", "limits": {}, "reason": "why" });
    assert_eq!(manager.set(nowhere).await.status, 422);
    assert!(manager.history("global").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_change_under_load_lose_no_signal() {
    let manager = Manager::open().await;
    let (desk, mut ids) = (&manager.desk, Vec::new());
    for round in 0..30 {
        let value = if round % 2 == 0 { "0.0001" } else { "0.25" };
        let body = json!({ "scope": "global", "limits": {"order_value": value}, "reason": format!("round {round}") });
        let signals: Vec<Value> = (0..5)
            .map(|n| {
                json!({
                    "strategy": "small-cap", "symbol": "600000.SH", "side": "buy", "quantity": 100, "type": "limit",
                    "limit_price": "10.50", "client_signal_id": format!("load-{round}-{n}"),
                })
            })
            .collect();
        let batch = json!({ "signals": signals });
        let (set, sent) = tokio::join!(manager.set(body), desk.batch(batch));
        assert_eq!((set.status, sent.status), (200, 202), "{set:?} {sent:?}");
        ids.extend(sent.body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(ids.len(), 150);
    let (mut done, mut denied) = (0, 0);
    for id in ids {
        let path = format!("/v1/signals/{id}");
        let mut status = Value::Null;
        for _ in 0..400 {
            status = desk.get(&path).await["status"].clone();
            if status == "done" || status == "denied" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        match status.as_str() {
            Some("done") => done += 1,
            Some("denied") => denied += 1,
            other => panic!("{id} is {other:?}"),
        }
    }
    assert_eq!(done + denied, 150);
    assert!(done > 0 && denied > 0, "{done} done, {denied} denied: the limits held and let go");
    assert_eq!(manager.history("global").await.len(), 30);
}
