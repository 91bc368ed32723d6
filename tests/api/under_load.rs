//! Everything is set up anew while signals come in without a pause: each that was accepted has its outcome, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};
use signalbox::replay::{Rows, prove};
use signalbox::store::StoredOrder;
use signalbox_domain::ids::SignalId;
use signalbox_domain::manner::RouteMode;
use signalbox_domain::signal::{SignalStatus, WaitingFor};
use signalbox_domain::units::Qty;

use crate::support::{Answer, TestApp, unique};

const CLIENTS: usize = 4;
const ROUNDS: usize = 24;
const ASKED: i64 = 200;

/// What the clients know: to whom they may send, and what was accepted, by key.
#[derive(Default)]
struct Sent {
    strategies: Mutex<Vec<String>>,
    accepted: Mutex<BTreeMap<String, (SignalId, String)>>,
    over: AtomicBool,
}

/// Who followed in the group `family`, at any time.
#[derive(Default)]
struct Family {
    members: BTreeSet<String>,
    opted_out: BTreeSet<String>,
    disabled: BTreeSet<String>,
    ever: BTreeSet<BTreeSet<String>>,
}

impl Family {
    fn note(&mut self) {
        let out = |name: &&String| !self.opted_out.contains(*name) && !self.disabled.contains(*name);
        let now = self.members.iter().filter(out).cloned().collect();
        self.ever.insert(now);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_signal_is_lost_or_doubled_while_everything_is_set_up_anew() {
    let app = Arc::new(TestApp::start().await);
    let everywhere = Grant::account(Pattern::all(), &[Action::Read, Action::Trade]);
    let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    let sees = Grant::strategy(Pattern::try_from("asked".to_owned()).unwrap(), &[Action::Read]);
    app.user("ann", &[Role::Trader], vec![everywhere]).await;
    app.user("bob", &[Role::Trader], vec![on_a.clone()]).await;
    app.user("cid", &[Role::Trader], vec![on_a, sees]).await;
    let (admin, ann) = (app.login("admin").await.access, app.login("ann").await.access);
    quote(&app).await;
    let mut family = Family::default();
    begin(&app, &admin, &mut family).await;

    let sent = Arc::new(Sent::default());
    let first = ["small-cap", "elsewhere", "follower", "follower", "shadowy", "asked", "turning"];
    sent.strategies.lock().unwrap().extend(first.map(str::to_owned));
    let clients: Vec<_> = (0..CLIENTS).map(|n| tokio::spawn(send(app.clone(), ann.clone(), sent.clone(), n))).collect();
    for round in 0..ROUNDS {
        change(&app, &admin, &ann, &sent, &mut family, round).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    sent.over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let accepted = sent.accepted.lock().unwrap().clone();
    assert!(accepted.len() > 10 * ROUNDS, "that is no load: {}", accepted.len());

    come_to_rest(&app, &ann, &accepted).await;
    let told = look(&app, &accepted, &family).await;
    for what in ["done", "shadow", "confirmation", "STRATEGY_STOPPED"] {
        assert!(told.get(what).is_some_and(|times| *times > 0), "nothing was {what}: {told:?}");
    }
    let orders = app.get("/v1/orders?strategy=shadowy", &ann).await.body;
    assert_eq!(orders["items"], json!([]), "a shadow sends nothing");

    let asked: Vec<SignalId> =
        accepted.values().filter(|(_, strategy)| strategy == "asked").map(|(id, _)| *id).take(5).collect();
    confirm(&app, &ann, &asked).await;
    let proof = prove(&app.store, Rows::Settled).await.unwrap();
    assert!(proof.differences.is_empty(), "{:#?}", proof.differences);
    println!("{} signals, {} orders, {} fills; {told:?}", accepted.len(), proof.orders, proof.fills);
}

async fn ok(answer: Answer, what: &str) -> Value {
    assert!((200..300).contains(&answer.status), "{what}: {answer:?}");
    answer.body
}

async fn quote(app: &TestApp) {
    let quote = json!({ "symbol": "600000.SH", "last": "10.00", "bid": "9.99", "ask": "10.00", "bid_size": 1_000_000_000,
        "ask_size": 1_000_000_000, "prev_close": "10.00" });
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await.status, 200);
}

async fn begin(app: &TestApp, admin: &str, family: &mut Family) {
    open(app, admin, "paper-d").await;
    open(app, admin, "paper-y").await;
    family.members.extend(["paper-c".to_owned(), "paper-d".to_owned()]);
    family.note();
    let body = json!({ "id": "family", "accounts": ["paper-c", "paper-d"] });
    ok(app.call("POST", "/v1/groups", admin, body).await, "a group").await;
    for (name, route) in [
        ("follower", json!({ "group": "family" })),
        ("shadowy", json!({ "account": "paper-c", "mode": "shadow" })),
        ("asked", json!({ "account": "paper-y", "mode": "confirm" })),
        ("turning", json!({ "account": "paper-c" })),
    ] {
        ok(app.call("PUT", &format!("/v1/strategies/{name}"), admin, json!({ "routes": [route] })).await, name).await;
    }
}

/// Opens an account without a pace that anybody would notice.
async fn open(app: &TestApp, admin: &str, name: &str) {
    ok(app.call("POST", "/v1/accounts", admin, json!({ "id": name, "cash": "100000000" })).await, name).await;
    limit(app, admin, name, 1_000).await;
}

async fn limit(app: &TestApp, admin: &str, name: &str, pace: usize) {
    let limits = json!({ "messages_per_second": pace, "messages_per_minute": 100_000, "messages_per_day": 1_000_000,
        "message_ceiling": 1_000_000, "quote_age_limit_s": 3_600, "strategy_orders_max": 1_000_000,
        "symbol_orders_max": 1_000_000, "notional_minute": "1000", "notional_day": "1000", "position": "1" });
    let body = json!({ "scope": format!("account:{name}"), "limits": limits, "reason": "load" });
    ok(app.call("PUT", "/v1/risk/limits", admin, body).await, "limits").await;
}

/// Sends without a pause, and one in five again with the same key.
async fn send(app: Arc<TestApp>, ann: String, sent: Arc<Sent>, client: usize) {
    let mut turn = client;
    while !sent.over.load(Ordering::SeqCst) {
        turn += 1;
        let strategy = {
            let strategies = sent.strategies.lock().unwrap();
            strategies[turn % strategies.len()].clone()
        };
        let (key, price) = (unique(), if turn.is_multiple_of(7) { "9.50" } else { "10" });
        let body = json!({ "strategy": strategy, "symbol": "600000.SH", "side": "buy", "quantity": ASKED,
            "limit_price": price, "client_signal_id": key });
        let answer = app.call("POST", "/v1/signals", &ann, body.clone()).await;
        assert_eq!(answer.status, 202, "{strategy}: {answer:?}");
        let id = number(&answer.body);
        if turn.is_multiple_of(5) {
            let again = app.call("POST", "/v1/signals", &ann, body).await;
            assert_eq!((again.status, number(&again.body)), (202, id), "{again:?}");
        }
        assert!(sent.accepted.lock().unwrap().insert(key, (id, strategy)).is_none());
    }
}

fn number(body: &Value) -> SignalId {
    SignalId::parse(body["id"].as_str().unwrap()).unwrap()
}

/// One round of everything that people change while the others trade.
async fn change(app: &TestApp, admin: &str, ann: &str, sent: &Sent, family: &mut Family, round: usize) {
    let made = format!("load-{round}");
    let routes =
        json!({ "routes": [{ "account": if round.is_multiple_of(2) { "paper-a" } else { "paper-d" } }], "version": 0 });
    ok(app.call("PUT", &format!("/v1/strategies/{made}"), admin, routes).await, &made).await;
    sent.strategies.lock().unwrap().push(made);
    if round >= 4 {
        let place = format!("/v1/strategies/load-{}/state", round - 4);
        ok(app.call("PUT", &place, ann, json!({ "state": "stopped", "reason": "load" })).await, "stopped").await;
    }

    let mode = if round.is_multiple_of(2) { "shadow" } else { "auto" };
    let routes = json!({ "routes": [{ "account": "paper-c", "mode": mode }] });
    ok(app.call("PUT", "/v1/strategies/turning", admin, routes).await, "turning").await;
    limit(app, admin, "paper-d", 500 + round).await;
    let step = if round.is_multiple_of(2) { "share:0.5" } else { "all" };
    ok(app.call("PATCH", "/v1/accounts/paper-d", admin, json!({ "step": step })).await, "a step").await;

    if round.is_multiple_of(3) {
        family.opted_out =
            BTreeSet::from(["paper-c".to_owned()]).into_iter().filter(|_| round.is_multiple_of(2)).collect();
    }
    if round % 6 == 5 {
        let name = format!("paper-x{round}");
        open(app, admin, &name).await;
        family.members.insert(name);
    }
    family.note();
    let group = json!({ "accounts": family.members, "opted_out": family.opted_out });
    ok(app.call("PATCH", "/v1/groups/family", admin, group).await, "the group").await;

    if round % 4 == 2 {
        out_of_use(app, admin, ann, family).await;
    }
}

/// Takes `paper-d` out of use for a moment, as soon as nothing of it may still trade.
async fn out_of_use(app: &TestApp, admin: &str, ann: &str, family: &mut Family) {
    family.disabled.insert("paper-d".to_owned());
    family.note();
    let disable = json!({ "state": "disabled", "reason": "load" });
    let state = |state: &'static str| json!({ "state": state, "reason": "load" });
    let place = "/v1/accounts/paper-d/trading-state";
    ok(app.call("PUT", place, admin, state("halted")).await, "halted").await;
    let mut disabled = false;
    for _ in 0..20 {
        ok(app.call("POST", "/v1/accounts/paper-d/cancel-all", ann, json!({})).await, "cancel").await;
        let answer = app.call("PATCH", "/v1/accounts/paper-d", admin, disable.clone()).await;
        disabled = answer.status == 200;
        if disabled {
            break;
        }
        assert_eq!((answer.status, answer.code()), (409, "live_orders"), "{answer:?}");
    }
    assert!(disabled, "nothing of it could trade any more, and yet it is in use");
    tokio::time::sleep(Duration::from_millis(30)).await;
    ok(app.call("PATCH", "/v1/accounts/paper-d", admin, json!({ "state": "enabled" })).await, "enabled").await;
    ok(app.call("PUT", place, admin, state("active")).await, "active").await;
    family.disabled.clear();
}

/// Takes back what rests, until nothing is under way.
async fn come_to_rest(app: &TestApp, ann: &str, accepted: &BTreeMap<String, (SignalId, String)>) {
    let accounts = app.get("/v1/accounts?limit=500", ann).await.body;
    let mut open = Vec::new();
    for _ in 0..100 {
        for account in accounts["items"].as_array().unwrap() {
            let place = format!("/v1/accounts/{}/cancel-all", account["id"].as_str().unwrap());
            ok(app.call("POST", &place, ann, json!({})).await, "cancel").await;
        }
        open.clear();
        for (id, strategy) in accepted.values() {
            let row = app.store.signal(*id).await.unwrap().expect("what was accepted is there").row;
            if !row.status.is_final() && row.waiting_for != Some(WaitingFor::Confirmation) {
                open.push((*id, strategy.clone(), row.status, row.waiting_for));
            }
        }
        if open.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} signals were accepted and have no outcome: {:?}", open.len(), &open[..open.len().min(10)]);
}

/// Holds every signal against what was asked; how often what was seen.
async fn look(
    app: &TestApp,
    accepted: &BTreeMap<String, (SignalId, String)>,
    family: &Family,
) -> BTreeMap<String, usize> {
    let ids: BTreeSet<SignalId> = accepted.values().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), accepted.len(), "two keys have one signal");
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let mut note = |what: &str| *told.entry(what.to_owned()).or_default() += 1;
    for (key, (id, strategy)) in accepted {
        let stored = app.store.signal(*id).await.unwrap().unwrap();
        assert_eq!((&*stored.signal.client_signal_id, stored.signal.strategy.as_str()), (&**key, &**strategy));
        note(&stored.row.status.to_string());
        stored.row.denials.iter().for_each(|denial| note(&denial.code.to_string()));
        let legs: Vec<_> = app.store.parents_of_signal(*id).await.unwrap().into_iter().map(|p| p.parent).collect();
        let reached: BTreeSet<String> = legs.iter().map(|leg| leg.leg.account.to_string()).collect();
        assert_eq!(reached.len(), legs.len(), "{id} reaches an account twice");
        let planned: Qty = legs.iter().map(|leg| leg.leg.qty).sum();
        let whole = Qty::new(ASKED * legs.len() as i64);
        if !legs.is_empty() {
            assert_eq!(planned + stored.row.residual, whole, "{id}: something was lost or invented");
        }
        if strategy == "follower" && !legs.is_empty() {
            assert!(family.ever.contains(&reached), "{id} went to {reached:?}, which the group never was");
        }
        let orders = app.store.orders_of_signal(*id).await.unwrap();
        for leg in &legs {
            let own: Vec<&StoredOrder> = orders.iter().filter(|o| o.terms().id.parent() == leg.leg.parent).collect();
            let filled: Qty = own
                .iter()
                .map(|order| match order {
                    StoredOrder::Live(order) => order.cum_qty,
                    StoredOrder::Denied { .. } => Qty::ZERO,
                })
                .sum();
            assert!(own.len() <= 1 && filled == leg.cum_qty && filled <= leg.leg.qty, "{id}: {leg:?} has {own:?}");
            match leg.leg.mode {
                RouteMode::Shadow => {
                    assert!(own.is_empty(), "{id} is a shadow's, and was sent: {own:?}");
                    note("shadow");
                }
                RouteMode::Confirm => {
                    assert!(own.is_empty(), "{id} went out without its owner: {own:?}");
                    note("confirmation");
                }
                RouteMode::Auto | RouteMode::NotifyOnly => {}
            }
        }
    }
    told
}

/// The owner alone confirms; to others it is not there, or not theirs.
async fn confirm(app: &TestApp, ann: &str, asked: &[SignalId]) {
    let program = json!({ "name": "sender", "scopes": ["signals:write", "signals:read"], "strategies": ["asked"] });
    let program = app.key(program).await.1;
    let (bob, cid) = (app.login("bob").await.access, app.login("cid").await.access);
    assert!(!asked.is_empty());
    for id in asked {
        let place = format!("/v1/signals/{id}/confirm");
        for (token, status) in [(&bob, 404), (&cid, 403), (&program, 403)] {
            assert_eq!(app.call("POST", &place, token, Value::Null).await.status, status, "{id}");
        }
        let row = app.store.signal(*id).await.unwrap().unwrap().row;
        assert_eq!(row.waiting_for, Some(WaitingFor::Confirmation));
        assert_eq!(app.call("POST", &place, ann, Value::Null).await.status, 202);
        for _ in 0..200 {
            if app.store.signal(*id).await.unwrap().unwrap().row.status.is_final() {
                break;
            }
            let body = json!({ "reason": "load" });
            tokio::time::sleep(Duration::from_millis(10)).await;
            // A limit below the market rests: it is confirmed, and that is enough.
            app.call("POST", &format!("/v1/signals/{id}/cancel"), ann, body).await;
        }
        let legs = app.store.parents_of_signal(*id).await.unwrap();
        let orders = app.store.orders_of_signal(*id).await.unwrap();
        assert_eq!((legs.len(), orders.len()), (1, 1), "{id}: one confirmation is one order");
        let status = app.store.signal(*id).await.unwrap().unwrap().row.status;
        assert!(matches!(status, SignalStatus::Done | SignalStatus::Canceled | SignalStatus::PartiallyDone));
    }
}
