//! A signal that ended long ago, of which only the key is kept: what is still said of it, and to whom.

use sea_orm::{DbBackend, Statement};
use serde_json::{Value, json};
use signalbox::people::Role;
use signalbox::replay::{Rows, prove};
use signalbox::store::{Change, Expect, Store};
use signalbox_domain::event::Event;
use signalbox_domain::units::Timestamp;

use crate::sizes::{open, settled};
use crate::support::TestApp;

/// As the store does it once the lines are in files, which takes more of them than a test sends.
async fn drop_rows(store: &Store, id: u64) {
    let rows_of = |table: &str, column: &str, width: u64| {
        format!("DELETE FROM {table} WHERE {column} >= {} AND {column} < {}", id * width, (id + 1) * width)
    };
    let statements = [
        format!(
            "INSERT INTO signal_keys SELECT id, client, client_signal_id, body_hash, strategy, account, status,
                received_at_us FROM signals WHERE id = {id}"
        ),
        rows_of("fills", "order_id", 1 << 24),
        rows_of("orders", "id", 1 << 24),
        rows_of("parents", "id", 1 << 16),
        format!("DELETE FROM signals WHERE id = {id}"),
    ];
    let statements = statements.map(|sql| (Statement::from_string(DbBackend::Sqlite, sql), Expect::Any)).into();
    let event = Event::Administered {
        who: "retention".into(),
        action: "signals_dropped".into(),
        subject: format!("sig-{id}").into(),
        detail: format!(r#"{{"signals":1,"through":{id}}}"#).into(),
    };
    store.change(Timestamp::from_us(1_548_986_400_000_000), Change { statements, event }).await.unwrap();
}

async fn refused(app: &TestApp, method: &str, path: &str, token: &str) -> (u16, String) {
    let answer = app.call(method, path, token, Value::Null).await;
    (answer.status, answer.code().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_gone_for_who_might_see_it_and_its_key_is_taken_for_ever() {
    let (app, ann) = open(json!({ "account": "paper-a" })).await;
    let body = json!({ "strategy": "half", "symbol": "600000.SH", "side": "buy", "quantity": 200, "limit_price": "10",
        "client_signal_id": "long-ago" });
    let sent = app.call("POST", "/v1/signals", &ann, body.clone()).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    let place = sent.headers["location"].clone();
    let whole = settled(&app, &ann, &place, &["accepted", "working"]).await;
    assert_eq!(whole["status"], "done", "{whole}");
    let order = format!("/v1/orders/{}", whole["parents"][0]["orders"][0]["id"].as_str().unwrap());
    assert_eq!(app.get(&order, &ann).await.status, 200);
    let id = sent.body["id"].as_str().unwrap().strip_prefix("sig-").unwrap().parse().unwrap();
    app.settled().await;
    drop_rows(&app.store, id).await;
    assert_eq!(prove(&app.store, Rows::Settled).await.unwrap().differences, []);

    let gone = app.get(&place, &ann).await;
    assert_eq!((gone.status, gone.code()), (410, "archived"), "{gone:?}");
    assert!(gone.body["detail"].as_str().unwrap().contains(" ended long ago as done: "), "{gone:?}");
    for (method, path) in [
        ("GET", order.clone()),
        ("POST", format!("{order}/cancel")),
        ("POST", format!("{place}/cancel")),
        ("POST", format!("{place}/catch-up")),
    ] {
        assert_eq!(refused(&app, method, &path, &ann).await, (410, "archived".to_owned()), "{path}");
    }
    // Who could not see it learns nothing.
    app.user("bob", &[Role::Trader], Vec::new()).await;
    let bob = app.login("bob").await.access;
    for path in [&place, &order] {
        assert_eq!(refused(&app, "GET", path, &bob).await, (404, "not_found".to_owned()), "{path}");
    }
    for list in ["/v1/signals", "/v1/orders", "/v1/fills"] {
        assert_eq!(app.get(list, &ann).await.body["items"], json!([]), "{list}");
    }

    let check = async |app: &TestApp, ann: &str| {
        let repeat = app.call("POST", "/v1/signals", ann, body.clone()).await;
        assert_eq!((repeat.status, &repeat.body), (202, &sent.body), "{repeat:?}");
        assert_eq!((&repeat.headers["idempotency-replayed"][..], &repeat.headers["location"]), ("true", &place));
        let mut other = body.clone();
        other["quantity"] = json!(300);
        let other = app.call("POST", "/v1/signals", ann, other).await;
        assert_eq!((other.status, other.code()), (422, "SIGNAL_ID_REUSED"), "{other:?}");
        let both = app.call("POST", "/v1/signals/batch", ann, json!({ "signals": [body.clone()] })).await;
        assert_eq!(both.body["items"][0]["replayed"], json!(true), "{both:?}");
    };
    check(&app, &ann).await;
    let app = app.restart().await;
    let ann = app.login("ann").await.access;
    check(&app, &ann).await;
    // Also where a new one would be refused.
    let admin = app.login("admin").await.access;
    let deleted = app.call("DELETE", "/v1/strategies/half", &admin, Value::Null).await;
    let changed = app.call("PATCH", "/v1/users/ann", &admin, json!({ "grants": [] })).await;
    assert_eq!(changed.status, 200, "{changed:?} {deleted:?}");
    let ann = app.login("ann").await.access;
    let mut new = body.clone();
    new["client_signal_id"] = json!("another");
    let refused = app.call("POST", "/v1/signals", &ann, new).await;
    assert!(matches!(refused.status, 403 | 404), "{refused:?}");
    check(&app, &ann).await;
    assert_eq!(app.get(&place, &ann).await.status, 410, "its sender may ask");
}
