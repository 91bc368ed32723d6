//! Contracts over HTTP: opened, shown with margin and day, closed; and rows that tell the same as the journal.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};
use signalbox::replay::{Rows, prove};
use signalbox_domain::units::Timestamp;

use crate::support::{Options, TestApp, unique};

const STEEL: &str = "rb2505.SHFE";
/// 2025-03-03T10:00:00+08:00, a Monday.
const MONDAY: Timestamp = Timestamp::from_us(1_740_967_200_000_000);

/// A bid at the ask would be an auction.
async fn quote(app: &TestApp, last: &str, bid: &str, ask: &str) {
    let feed = app.key(json!({ "name": unique(), "scopes": ["quotes:write"] })).await.1;
    let quote = json!({ "symbol": STEEL, "last": last, "ask": ask, "ask_size": 50, "bid": bid, "bid_size": 50 });
    let shown = app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await;
    assert_eq!(shown.status, 200, "{shown:?}");
}

fn order(side: &str, lots: u32, price: &str) -> Value {
    json!({ "account": "paper-a", "symbol": STEEL, "side": side, "quantity": lots, "limit_price": price,
        "client_signal_id": unique() })
}

/// Waits until the account's lots are as wanted.
async fn position(app: &TestApp, token: &str, wanted: impl Fn(Option<&Value>) -> bool) -> Option<Value> {
    for _ in 0..500 {
        let body = app.get("/v1/accounts/paper-a/positions", token).await.body;
        let found = body["items"].as_array().unwrap().iter().find(|item| item["symbol"] == STEEL);
        if wanted(found) {
            return found.cloned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let signals = app.get("/v1/signals", token).await.body;
    panic!("the lots never were as wanted: {signals:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_is_found_by_its_name_elsewhere_and_shown_with_what_it_asks() {
    let app = TestApp::start_with(Options { begins: MONDAY, ..Options::default() }).await;
    let admin = app.login("admin").await.access;
    let meant = app.get("/v1/symbols/resolve?q=RB2505.XSGE", &admin).await.body;
    assert_eq!((&meant["symbol"], &meant["known"]), (&json!(STEEL), &json!(true)), "{meant}");
    let shown = app.get(&format!("/v1/instruments/{STEEL}"), &admin).await;
    assert_eq!((&shown.body["board"], &shown.body["name"]), (&json!("future"), &meant["name"]), "{shown:?}");
    let rules = &shown.body["rules"];
    assert_eq!((&rules["tick"], &rules["min_holding_days"]), (&json!("1.00"), &json!(0)), "{shown:?}");
    assert_eq!(rules["contract"], json!({ "multiplier": "10", "margin_ratio": "0.15" }), "{shown:?}");
    let share = app.get("/v1/instruments/600000.SH", &admin).await.body;
    assert_eq!(share["rules"]["contract"], Value::Null, "{share}");
    assert_eq!(app.get("/v1/instruments/zz2505.SHFE", &admin).await.status, 404);
    let unknown = app.get("/v1/symbols/resolve?q=zz2505.SHFE", &admin).await;
    assert!(unknown.status == 422 || unknown.body["known"] == false, "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lots_are_opened_shown_with_their_margin_and_closed_with_the_flag_of_their_day() {
    let app = TestApp::start_with(Options { begins: MONDAY, ..Options::default() }).await;
    let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![on_a]).await;
    let ann = app.login("ann").await.access;
    quote(&app, "3500", "3499", "3500").await;

    let sent = app.call("POST", "/v1/orders", &ann, order("buy", 2, "3500")).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    let held = position(&app, &ann, |held| held.is_some()).await.unwrap();
    let of = |name: &str| held[name].as_str().unwrap().to_owned();
    assert_eq!((of("direction"), of("quantity"), of("today_qty")), ("long".into(), "2".into(), "2".into()), "{held}");
    assert_eq!((of("multiplier"), of("margin"), of("avg_cost")), ("10".into(), "10500.00".into(), "3500.00".into()));
    quote(&app, "3510", "3510", "3511").await;
    let held = position(&app, &ann, |held| held.is_some_and(|held| held["last"] == "3510.00")).await.unwrap();
    assert_eq!((&held["unrealized_pnl"], &held["day_pnl"]), (&json!("200.00"), &json!("200.00")), "{held}");
    let balance = app.get("/v1/accounts/paper-a/balance", &ann).await.body;
    assert!(balance.to_string().contains("\"margin\":\"10500.00\""), "{balance}");

    let check = json!({ "account": "paper-a", "symbol": STEEL, "side": "sell", "quantity": 2, "limit_price": "3510" });
    let said = app.call("POST", "/v1/risk/check", &ann, check).await.body;
    assert!(
        said["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| { line["code"] == "POSITION_EFFECT" && line["outcome"] == "denied" }),
        "{said}"
    );

    let sent = app.call("POST", "/v1/orders", &ann, order("sell", 2, "3510")).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    position(&app, &ann, |held| held.is_none()).await;
    let orders = app.get("/v1/accounts/paper-a/orders", &ann).await.body;
    let effects: Vec<&str> =
        orders["items"].as_array().unwrap().iter().filter_map(|order| order["position_effect"].as_str()).collect();
    assert!(effects.contains(&"open") && effects.contains(&"close_today"), "{orders}");

    app.settled().await;
    // Nothing is held any more, and the day has brought what the cash has gained: the lots' 200 less their fees.
    let feed = app.key(json!({ "name": unique(), "scopes": ["quotes:write"] })).await.1;
    let still = json!({ "symbol": "000001.SZ", "last": "10.00", "prev_close": "10.00" });
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [still] })).await.status, 200);
    let balance = app.get("/v1/accounts/paper-a/balance", &ann).await.body["balances"][0].clone();
    let yuan = |name: &str| balance[name].as_str().unwrap_or("nothing").parse::<f64>().unwrap();
    let gained = ((yuan("cash") - 1_000_000.0) * 100.0).round() / 100.0;
    assert!(gained > 150.0 && gained < 200.0, "{balance}");
    assert_eq!((yuan("realized_pnl"), yuan("day_pnl"), yuan("unrealized_pnl")), (gained, gained, 0.0), "{balance}");
    let proof = prove(&app.store, Rows::AsTheyAre).await.unwrap();
    assert!(proof.differences.is_empty() && proof.fills == 2, "{:#?}", proof.differences);
    let restored = app.store.restore().await.unwrap();
    let contracts: Vec<_> = restored.accounts.iter().flat_map(|account| &account.contracts).collect();
    assert!(contracts.iter().any(|book| book.qty().is_zero() && book.realized_pnl.to_string() == "200.00"));
}
