//! What risk looks after while nobody asks: losses that hold an account, and monitors that give positions up.

use serde_json::{Value, json};
use signalbox::replay::{Rows, prove};

use crate::support::TestApp;

const BANK: &str = "000001.SZ";

struct Watched {
    app: TestApp,
    admin: String,
    rick: String,
    feed: String,
}

impl Watched {
    /// `small-cap` holds 5,000 shares of the bank in `paper-a`, at 10.00.
    async fn open() -> Self {
        let app = TestApp::start().await;
        app.user("rick", &[signalbox::people::Role::Risk], vec![]).await;
        let (admin, rick) = (app.login("admin").await.access, app.login("rick").await.access);
        let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
        let transfer = json!({ "account": "paper-a", "from": "external", "to": "small-cap", "symbol": BANK,
            "quantity": 5_000, "expect_quantity": 5_000, "note": "small-cap takes them" });
        let answer = app.call("POST", "/v1/books/transfer", &admin, transfer).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self { app, admin, rick, feed }
    }

    async fn restart(self) -> Self {
        let app = self.app.restart().await;
        let (admin, rick) = (app.login("admin").await.access, app.login("rick").await.access);
        Self { app, admin, rick, feed: self.feed }
    }

    async fn quote(&self, last: &str) {
        let ask = format!("{:.2}", last.parse::<f64>().unwrap() + 0.01);
        let quote = json!({ "symbol": BANK, "last": last, "bid": last, "ask": ask, "bid_size": 1_000_000,
            "ask_size": 1_000_000, "prev_close": "10.00" });
        let answer = self.app.call("POST", "/v1/quotes", &self.feed, json!({ "quotes": [quote] })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn limits(&self, limits: Value) {
        let body = json!({ "scope": "account:paper-a", "limits": limits, "reason": "the test" });
        let answer = self.app.call("PUT", "/v1/risk/limits", &self.rick, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    async fn items(&self, path: &str) -> Vec<Value> {
        let answer = self.app.get(path, &self.rick).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body["items"].as_array().unwrap().clone()
    }

    /// The one line of the list in which the field is as said, and what is asked of it holds.
    async fn until(&self, path: &str, field: &str, is: &str, holds: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..400 {
            let found = self.items(path).await.into_iter().find(|item| item[field] == is);
            if let Some(found) = found.filter(&holds) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{path} does not come to it: {:?}", self.items(path).await)
    }

    async fn proved(&self) {
        let proof = prove(&self.app.store, Rows::AsTheyAre).await.unwrap();
        assert!(proof.differences.is_empty(), "{:?}", proof.differences);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_loses_too_much_holds_the_account_over_a_restart_until_a_person_lets_it_go() {
    let watched = Watched::open().await;
    watched.limits(json!({ "daily_loss": "0.002", "daily_loss_warn": "0.001" })).await;
    watched.quote("10.00").await;
    let quiet = watched.until("/v1/risk", "scope", "account:paper-a", |item| item["unpriced"] == 0).await;
    assert_eq!((&quiet["day"], &quiet["gain"]), (&json!("quiet"), &json!("0.00")), "{quiet}");
    watched.quote("9.40").await;
    let tripped = |item: &Value| item["day"] == "tripped";
    let lost = watched.until("/v1/risk", "scope", "account:paper-a", tripped).await;
    assert_eq!((&lost["gain"], &lost["holds"]), (&json!("-3000.00"), &json!("day")), "{lost}");
    let held = watched.until("/v1/exceptions", "scope", "account:paper-a", |item| item["kind"] == "held").await;
    assert!(held["text"].as_str().unwrap().starts_with("reducing: daily loss 3000.00"), "{held}");

    let watched = watched.restart().await;
    let kept = watched.until("/v1/exceptions", "scope", "account:paper-a", |_| true).await;
    assert_eq!(kept["opened_at"], held["opened_at"]);
    watched.quote("9.41").await;
    let body = json!({ "state": "active", "reason": "looked at" });
    let path = "/v1/accounts/paper-a/trading-state";
    assert_eq!(watched.app.call("PUT", path, &watched.rick, body).await.status, 200);
    watched.quote("9.39").await;
    let let_go = watched.until("/v1/risk", "scope", "account:paper-a", |item| item["gain"] == "-3050.00").await;
    assert_eq!((&let_go["day"], &let_go["holds"]), (&json!("tripped"), &json!(null)), "{let_go}");
    assert!(watched.items("/v1/exceptions").await.iter().all(|item| item["scope"] != "account:paper-a"));
    watched.proved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_gives_a_position_up_once() {
    let watched = Watched::open().await;
    watched.limits(json!({ "stop_loss": "0.05", "atr_stop": "14x2" })).await;
    watched.quote("9.60").await;
    let armed = watched.until("/v1/monitors", "kind", "stop_loss", |_| true).await;
    assert_eq!(
        (&armed["state"], &armed["level"], &armed["strategy"]),
        (&json!("armed"), &json!("9.50"), &json!("small-cap"))
    );
    let ranges = watched.until("/v1/monitors", "kind", "atr_stop", |_| true).await;
    assert_eq!((&ranges["state"], &ranges["reason"]), (&json!("not_armed"), &json!("too few days are known")));
    let run = watched.app.call("POST", "/v1/monitors/run", &watched.admin, json!({})).await;
    assert_eq!(run.status, 403, "an administrator is no trader: {run:?}");

    watched.quote("9.45").await;
    let sold = watched.until("/v1/signals", "source", "monitor", |item| item["status"] == "done").await;
    assert_eq!((&sold["strategy"], &sold["account"]), (&json!("small-cap"), &json!("paper-a")), "{sold}");
    assert_eq!(sold["tag"], "stop_loss at 9.50: last 9.45", "{sold}");
    let orders = watched.items("/v1/orders?account=paper-a").await;
    let sources: Vec<&Value> = orders.iter().map(|order| &order["source"]).collect();
    assert_eq!((sources, &orders[0]["cum_qty"]), (vec![&json!("monitor")], &json!("5000")), "{orders:?}");

    let watched = watched.restart().await;
    watched.quote("9.30").await;
    watched.until("/v1/risk", "scope", "account:paper-a", |item| item["unpriced"] == 0).await;
    assert_eq!(watched.items("/v1/signals").await.len(), 1, "once");
    watched.proved().await;
}
