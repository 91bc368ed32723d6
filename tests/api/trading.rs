//! Trading over HTTP: signals that are never lost nor doubled, orders by hand, the brake, and what one sees of it.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::support::{Answer, TestApp, unique};

pub(crate) struct Desk {
    pub(crate) app: TestApp,
    pub(crate) trader: String,
    pub(crate) feed: String,
}

impl Desk {
    /// A trader of `paper-a`, a source of quotes, and one quote.
    pub(crate) async fn open() -> Self {
        let app = TestApp::start().await;
        let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
        app.user("ann", &[Role::Trader], vec![on_a]).await;
        app.user("rick", &[Role::Risk], vec![]).await;
        let trader = app.login("ann").await.access;
        let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
        let desk = Self { app, trader, feed };
        desk.quote().await;
        desk
    }

    async fn quote(&self) {
        let quote = json!({
            "symbol": "600000.SH", "last": "10.48", "bid": "10.47", "ask": 10.48, "bid_size": 100_000,
            "ask_size": 100_000, "prev_close": "10.40",
        });
        let answer = self.app.call("POST", "/v1/quotes", &self.feed, json!({ "quotes": [quote] })).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(1)), "{answer:?}");
    }

    pub(crate) async fn send(&self, body: Value) -> Answer {
        self.app.call("POST", "/v1/signals", &self.trader, body).await
    }

    pub(crate) async fn order(&self, body: Value) -> Answer {
        self.app.call("POST", "/v1/orders", &self.trader, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.app.get(path, &self.trader).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    pub(crate) async fn batch(&self, body: Value) -> Answer {
        self.app.call("POST", "/v1/signals/batch", &self.trader, body).await
    }

    /// What risk control says of an order.
    pub(crate) async fn check(&self, body: Value) -> Value {
        let answer = self.app.call("POST", "/v1/risk/check", &self.trader, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Asks until the field is as expected.
    pub(crate) async fn until(&self, path: &str, field: &str, value: &str) -> Value {
        for _ in 0..200 {
            let body = self.get(path).await;
            if body[field] == value {
                return body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{path}: {field} did not become {value}: {}", self.get(path).await);
    }

    /// A limit order that rests below the market.
    pub(crate) async fn resting(&self) -> String {
        let body = json!({
            "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100, "limit_price": "10.00",
            "client_signal_id": unique(),
        });
        let answer = self.order(body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let signal = answer.headers["location"].clone();
        self.until(&signal, "status", "working").await;
        // The signal is planned a moment before risk approves its order.
        let mut order = None;
        for _ in 0..200 {
            order = self.get(&signal).await["parents"][0]["orders"][0]["id"].as_str().map(str::to_owned);
            if order.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let order = order.unwrap();
        self.until(&format!("/v1/orders/{order}"), "status", "new").await;
        order
    }
}

fn signal(key: &str) -> Value {
    json!({
        "strategy": "small-cap", "symbol": "600000.XSHG", "side": "buy", "quantity": 1000, "type": "limit",
        "limit_price": "10.50", "client_signal_id": key,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f02_a_signal_becomes_orders_and_fills_and_a_repeat_becomes_nothing() {
    let desk = Desk::open().await;
    let first = desk.send(signal("s-1")).await;
    assert_eq!(first.status, 202, "{first:?}");
    assert_eq!(first.body["status"], "accepted");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let place = &first.headers["location"];
    let done = desk.until(place, "status", "done").await;
    let order = &done["parents"][0]["orders"][0];
    assert_eq!(
        (&order["status"], &order["cum_qty"], &order["avg_px"]),
        (&json!("filled"), &json!("1000"), &json!("10.48"))
    );
    assert_eq!(order["fills"][0]["last_px"], "10.48");

    // Written otherwise, meant the same.
    let mut same = signal("s-1");
    same["quantity"] = json!("1000.0");
    same["limit_price"] = json!(10.5);
    same["symbol"] = json!("SSE:600000");
    same.as_object_mut().unwrap().remove("type");
    let again = desk.send(same).await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");

    let mut other = signal("s-1");
    other["quantity"] = json!(1100);
    let other = desk.send(other).await;
    assert_eq!((other.status, other.code()), (422, "SIGNAL_ID_REUSED"));
    assert_eq!(desk.get("/v1/signals").await["items"].as_array().unwrap().len(), 1);

    let positions = desk.get("/v1/accounts/paper-a/positions").await;
    let held = positions["items"].as_array().unwrap().iter().find(|p| p["symbol"] == "600000.SH").unwrap();
    // Bought today, so not to be sold today.
    assert_eq!(
        (&held["quantity"], &held["sellable_qty"], &held["today_qty"]),
        (&json!("1000"), &json!("0"), &json!("1000"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_signal_from_many_hands_at_once_is_one() {
    let desk = Desk::open().await;
    let sends = (0..20).map(|_| desk.send(signal("race")));
    let answers = futures_util::future::join_all(sends).await;
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.body == answers[0].body), "{answers:?}");
    let fresh = answers.iter().filter(|answer| !answer.headers.contains_key("idempotency-replayed")).count();
    assert_eq!(fresh, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_answered_the_same_when_trading_is_halted_or_the_right_is_gone() {
    let desk = Desk::open().await;
    let first = desk.send(signal("h-1")).await;
    let risk = desk.app.login("rick").await.access;
    let halt = json!({ "state": "halted", "reason": "drill" });
    assert_eq!(desk.app.call("PUT", "/v1/trading-state", &risk, halt).await.status, 200);
    let again = desk.send(signal("h-1")).await;
    assert_eq!((again.status, &again.body), (202, &first.body));

    // Durable all the same, and denied with the reason.
    let new = desk.send(signal("h-2")).await;
    assert_eq!(new.status, 202);
    let denied = desk.until(&new.headers["location"], "status", "denied").await;
    assert_eq!(
        denied["denials"][0]["code"].as_str().or(denied["parents"][0]["orders"][0]["denials"][0]["code"].as_str()),
        Some("TRADING_STATE")
    );

    let admin = desk.app.login("admin").await.access;
    let change = json!({ "grants": [{ "account": "paper-b", "actions": ["read", "trade"] }] });
    assert_eq!(desk.app.call("PATCH", "/v1/users/ann", &admin, change).await.status, 200);
    let trader = desk.app.login("ann").await.access;
    let again = desk.app.call("POST", "/v1/signals", &trader, signal("h-1")).await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    let refused = desk.app.call("POST", "/v1/signals", &trader, signal("h-3")).await;
    assert_eq!((refused.status, refused.code()), (404, "not_found"));
    let mut unknown = signal("h-4");
    unknown["strategy"] = json!("nobody");
    assert_eq!(desk.app.call("POST", "/v1/signals", &trader, unknown).await.body, refused.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_cannot_be_is_refused_by_field_and_leaves_nothing() {
    let desk = Desk::open().await;
    let before = desk.app.settled().await;
    let change = |field: &str, value: Value| {
        let mut body = signal("bad");
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = signal("bad");
        body.as_object_mut().unwrap().remove(field);
        body
    };
    for (body, status, code, pointer) in [
        (change("quantity", json!(0)), 422, "INVALID_QUANTITY", "/quantity"),
        (change("quantity", json!(-100)), 422, "INVALID_QUANTITY", "/quantity"),
        (change("quantity", json!(100.5)), 422, "INVALID_QUANTITY", "/quantity"),
        (change("quantity", json!("NaN")), 422, "INVALID_QUANTITY", "/quantity"),
        (change("quantity", json!(1e18)), 422, "INVALID_QUANTITY", "/quantity"),
        (change("quantity", json!(null)), 422, "validation_failed", "/quantity"),
        (change("quantity", json!(true)), 400, "invalid_field", "/quantity"),
        (change("target_quantity", json!(0)), 422, "validation_failed", "/target_quantity"),
        (change("limit_price", json!("10.50001")), 422, "INVALID_PRICE", "/limit_price"),
        (change("limit_price", json!("1e9")), 422, "INVALID_PRICE", "/limit_price"),
        (change("limit_price", json!(0)), 422, "INVALID_PRICE", "/limit_price"),
        (change("type", json!("market")), 422, "validation_failed", "/limit_price"),
        (change("type", json!("stop")), 400, "invalid_field", "/type"),
        (change("symbol", json!("600001.SH")), 422, "UNKNOWN_SYMBOL", "/symbol"),
        (change("symbol", json!("AAPL")), 422, "UNKNOWN_SYMBOL", "/symbol"),
        (change("symbol", json!("000001.SH")), 422, "UNKNOWN_SYMBOL", "/symbol"),
        (change("valid_until", json!("tomorrow")), 422, "validation_failed", "/valid_until"),
        (change("client_signal_id", json!("")), 422, "validation_failed", "/client_signal_id"),
        (change("client_signal_id", json!("x".repeat(129))), 422, "validation_failed", "/client_signal_id"),
        (change("client_signal_id", json!("a\nb")), 422, "validation_failed", "/client_signal_id"),
        (change("client_signal_id", json!("a\u{200b}b")), 422, "validation_failed", "/client_signal_id"),
        (change("client_signal_id", json!("a\u{a0}b")), 422, "validation_failed", "/client_signal_id"),
        (change("tag", json!("x".repeat(300))), 422, "validation_failed", "/tag"),
        (change("account", json!("paper-a")), 400, "unknown_field", "/account"),
        (without("client_signal_id"), 400, "idempotency_key_required", "/client_signal_id"),
        (without("side"), 422, "validation_failed", "/side"),
        (without("symbol"), 400, "missing_field", "/symbol"),
    ] {
        let answer = desk.send(body.clone()).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{body}: {answer:?}");
        assert_eq!(answer.body["pointer"], pointer, "{body}: {answer:?}");
    }
    assert_eq!(desk.app.settled().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_may_stand_in_the_header_but_not_differ_from_the_body() {
    let desk = Desk::open().await;
    let send = async |header: &str, body: Value| {
        let request = desk.app.http.post(format!("{}/v1/signals", desk.app.base));
        let request =
            request.header(AUTHORIZATION, format!("Bearer {}", desk.trader)).header(CONTENT_TYPE, "application/json");
        Answer::of(request.header("Idempotency-Key", header).body(body.to_string()).send().await.unwrap()).await
    };
    let mut body = signal("k-1");
    body.as_object_mut().unwrap().remove("client_signal_id");
    let first = send("k-1", body).await;
    assert_eq!(first.status, 202, "{first:?}");
    let again = desk.send(signal("k-1")).await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    let differs = send("k-2", signal("k-1")).await;
    assert_eq!((differs.status, differs.code()), (422, "validation_failed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_one_key_at_most_and_it_can_be_seen() {
    let desk = Desk::open().await;
    let before = desk.app.settled().await;
    let mut body = signal("");
    body.as_object_mut().unwrap().remove("client_signal_id");
    let long = "x".repeat(129);
    for keys in [
        &[&b"twice-1"[..], b"twice-2"][..],
        &[b"twice", b"twice"],
        &[b"with a space"],
        &[b"with\ta tab"],
        &["\u{200b}seen".as_bytes()],
        &["钥匙".as_bytes()],
        &[b"\xff"],
        &[b""],
        &[long.as_bytes()],
    ] {
        for path in ["/v1/signals", "/v1/orders"] {
            let mut body = body.clone();
            if path == "/v1/orders" {
                let order = body.as_object_mut().unwrap();
                order.remove("strategy");
                order.insert("account".to_owned(), json!("paper-a"));
            }
            let mut request = desk.app.http.post(format!("{}{path}", desk.app.base));
            request = request.header(AUTHORIZATION, format!("Bearer {}", desk.trader));
            request = request.header(CONTENT_TYPE, "application/json");
            for key in keys {
                request = request.header("Idempotency-Key", HeaderValue::from_bytes(key).unwrap());
            }
            let answer = Answer::of(request.body(body.to_string()).send().await.unwrap()).await;
            assert_eq!((answer.status, answer.code()), (400, "idempotency_key_invalid"), "{path} {keys:?}: {answer:?}");
            assert_eq!(answer.body["field"], "Idempotency-Key", "{keys:?}");
        }
    }
    assert_eq!(desk.app.settled().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_json_is_taken_as_it_is_written_or_not_at_all() {
    let desk = Desk::open().await;
    let before = desk.app.settled().await;
    for (quantity, price, code) in [
        ("99.99999999999999999", "10.50", "INVALID_QUANTITY"),
        ("1e400", "10.50", "INVALID_QUANTITY"),
        ("100", "10.480000000000001", "INVALID_PRICE"),
        ("100", "10.4799999999999999999", "INVALID_PRICE"),
    ] {
        let body = format!(
            r#"{{"strategy":"small-cap","symbol":"600000.SH","side":"buy","quantity":{quantity},"limit_price":{price},"client_signal_id":"exact"}}"#
        );
        let answer = Answer::of(desk.app.send("POST", "/v1/signals", Some(&desk.trader), Some(body)).await).await;
        assert_eq!((answer.status, answer.code()), (422, code), "{quantity} {price}: {answer:?}");
    }
    assert_eq!(desk.app.settled().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_answers_each_signal_by_itself() {
    let desk = Desk::open().await;
    let mut bad = signal("b-2");
    bad["quantity"] = json!(1.5);
    let mut foreign = signal("b-3");
    foreign["strategy"] = json!("elsewhere");
    let mut other = signal("b-1");
    other["quantity"] = json!(1);
    let body = json!({ "signals": [signal("b-1"), bad, foreign, signal("b-1"), other] });
    let answer = desk.app.call("POST", "/v1/signals/batch", &desk.trader, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!((&items[0]["status"], &items[0]["replayed"]), (&json!("accepted"), &json!(false)));
    assert_eq!(items[1]["error"]["pointer"], "/signals/1/quantity");
    assert_eq!(items[2]["error"]["status"], 404);
    assert_eq!((&items[3]["id"], &items[3]["replayed"]), (&items[0]["id"], &json!(true)));
    assert_eq!(items[4]["error"]["code"], "SIGNAL_ID_REUSED");

    let many = |n: usize| json!({ "signals": (0..n).map(|n| signal(&format!("m-{n}"))).collect::<Vec<_>>() });
    let full = desk.app.call("POST", "/v1/signals/batch", &desk.trader, many(500)).await;
    assert_eq!(full.body["items"].as_array().map(Vec::len), Some(500), "{:?}", full.status);
    for n in [0, 501] {
        assert_eq!(desk.app.call("POST", "/v1/signals/batch", &desk.trader, many(n)).await.status, 422, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_by_hand_is_refused_at_once_where_it_can_never_trade() {
    let desk = Desk::open().await;
    let order = |quantity: u32, price: &str| {
        json!({
            "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": quantity, "limit_price": price,
            "client_signal_id": unique(),
        })
    };
    let lot = desk.order(order(150, "10.00")).await;
    assert_eq!((lot.status, lot.code()), (422, "LOT_SIZE"), "{lot:?}");
    assert_eq!((&lot.body["denials"][0]["value"], &lot.body["denials"][0]["limit"]), (&json!("150"), &json!("100")));
    let tick = desk.order(order(100, "10.005")).await;
    assert_eq!((tick.status, tick.code()), (422, "TICK_SIZE"), "{tick:?}");
    // Nothing held is sold, and that is for risk control to say.
    let mut sell = order(100, "10.60");
    sell["side"] = json!("sell");
    let sell = desk.order(sell).await;
    assert_eq!(sell.status, 202, "{sell:?}");
    desk.until(&sell.headers["location"], "status", "denied").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_can_be_taken_back_and_tells_its_story() {
    let desk = Desk::open().await;
    let order = desk.resting().await;
    let balance = desk.get("/v1/accounts/paper-a/balance").await;
    assert_eq!(balance["frozen"], "1005.02");
    let cancel = async |order: &str| {
        let path = format!("/v1/orders/{order}/cancel");
        Answer::of(desk.app.send("POST", &path, Some(&desk.trader), None).await).await
    };
    assert_eq!(cancel(&order).await.status, 202);
    let path = format!("/v1/orders/{order}?timeline=1");
    let gone = desk.until(&path, "status", "canceled").await;
    let kinds: Vec<&str> = gone["timeline"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    insta::assert_json_snapshot!(kinds, @r#"
    [
      "signal_accepted",
      "signal_planned",
      "order_approved",
      "order_sending",
      "order_accepted",
      "order_cancel_requested",
      "order_cancel_sending",
      "order_canceled"
    ]
    "#);
    let again = cancel(&order).await;
    assert_eq!((again.status, &again.body["outcome"]), (202, &json!("final")));
    assert_eq!(desk.get("/v1/accounts/paper-a/balance").await["frozen"], "0.00");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brake_takes_working_orders_back_and_proves_it() {
    let desk = Desk::open().await;
    let (first, second) = (desk.resting().await, desk.resting().await);
    let nothing =
        desk.app.call("POST", "/v1/accounts/paper-a/cancel-all", &desk.trader, json!({ "side": "sell" })).await;
    assert_eq!((nothing.status, &nothing.body["items"]), (200, &json!([])));
    let risk = desk.app.login("rick").await.access;
    let halt = json!({ "state": "halted", "reason": "drill", "cancel_working": true });
    let answer = desk.app.call("PUT", "/v1/trading-state", &risk, halt).await;
    assert_eq!((answer.status, &answer.body["canceled"]["proved"]), (200, &json!(2)), "{answer:?}");
    let items = answer.body["canceled"]["items"].as_array().unwrap();
    for order in [first, second] {
        assert!(items.iter().any(|item| item["order_id"] == order.as_str() && item["outcome"] == "canceled"));
    }
    assert_eq!(desk.get("/v1/trading-state").await["state"], "halted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_strategy_keeps_its_signals_for_a_person() {
    let desk = Desk::open().await;
    let state = |state: &str| json!({ "state": state, "reason": "lunch" });
    let set = async |to: &str| desk.app.call("PUT", "/v1/strategies/small-cap/state", &desk.trader, state(to)).await;
    assert_eq!(set("paused").await.body["state"], "paused");
    let kept = desk.send(signal("w-1")).await;
    let waiting = desk.until(&kept.headers["location"], "status", "waiting").await;
    assert_eq!(waiting["waiting_for"], "strategy");
    assert_eq!(set("held").await.status, 400);
    assert_eq!(set("active").await.body["state"], "active");
    desk.until(&kept.headers["location"], "status", "done").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_foreign_looks_like_what_is_not_there() {
    let desk = Desk::open().await;
    let foreign = desk.app.signal("elsewhere").await;
    let own = desk.app.signal("small-cap").await;
    let same = async |foreign: &str, missing: &str| {
        let (foreign, missing) = (desk.app.get(foreign, &desk.trader).await, desk.app.get(missing, &desk.trader).await);
        assert_eq!((foreign.status, &foreign.body), (404, &missing.body));
    };
    same(&format!("/v1/signals/sig-{foreign}"), "/v1/signals/sig-999999").await;
    same(&format!("/v1/orders/ord-{}", foreign << 24 | 1), "/v1/orders/ord-99999999999").await;
    same("/v1/accounts/paper-b", "/v1/accounts/nobody").await;
    same("/v1/strategies/elsewhere", "/v1/strategies/nobody").await;
    let ids = |list: &Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&desk.get("/v1/signals").await), [format!("sig-{own}")]);
    assert_eq!(ids(&desk.get("/v1/orders").await), [format!("ord-{}", own << 24 | 1)]);
    assert_eq!(ids(&desk.get("/v1/orders?account=paper-b").await), Vec::<String>::new());
    assert_eq!(ids(&desk.get("/v1/accounts").await), ["paper-a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_in_order_and_go_on_where_they_stopped() {
    let desk = Desk::open().await;
    let listen = async |last: Option<u64>| {
        let mut request = desk.app.http.get(format!("{}/v1/events", desk.app.base));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.header(AUTHORIZATION, format!("Bearer {}", desk.trader)).send().await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        response
    };
    // The numbers of what comes, until something has this kind.
    async fn numbers(mut stream: reqwest::Response, until: &str) -> Vec<u64> {
        let mut text = String::new();
        let ended = format!("event: {until}\n");
        while !text.contains(&ended) || !text.ends_with("\n\n") {
            let next = tokio::time::timeout(std::time::Duration::from_secs(10), stream.chunk()).await;
            let chunk = next.expect("an event in time").unwrap().expect("no end");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect()
    }
    let live = listen(None).await;
    desk.app.signal("elsewhere").await;
    desk.send(signal("e-1")).await;
    let seen = numbers(live, "order_filled").await;
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert!(seen.len() >= 5, "{seen:?}");
    let resumed = numbers(listen(Some(seen[1])).await, "order_filled").await;
    assert_eq!(resumed, seen[2..2 + resumed.len()]);
    // The other strategy's facts lie between, and were not shown.
    let admin = desk.app.login("admin").await.access;
    let audit = desk.app.get("/v1/audit?limit=500", &admin).await;
    let lines = audit.body["items"].as_array().unwrap();
    let foreign = lines.iter().find(|e| e["strategy"] == "elsewhere" && e["kind"] == "signal_accepted");
    assert!(!seen.contains(&foreign.unwrap()["seq"].as_u64().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_is_a_mistake_of_the_asker() {
    let desk = Desk::open().await;
    let long = "x".repeat(5_000);
    for path in [
        "/v1/orders?limit=0",
        "/v1/orders?limit=501",
        "/v1/orders?cursor=!",
        "/v1/orders?cursor=LTEu",
        "/v1/orders?status=foo",
        "/v1/orders?from=yesterday",
        "/v1/orders?symbol=nothing",
        "/v1/orders?foo=1",
        "/v1/signals?status=new",
        "/v1/fills?status=new",
        "/v1/calendar?from=x",
        "/v1/quotes?symbols=x",
        "/v1/symbols/resolve",
        "/v1/events?last_event_id=-1",
        "/v1/orders/ord-18446744073709551615",
        "/v1/signals/sig-18446744073709551615",
        "/v1/accounts/%00",
        "/v1/accounts/..%2f..",
        "/v1/instruments/%F0%9F%98%80",
    ] {
        let answer = Answer::of(desk.app.send("GET", path, Some(&desk.trader), None).await).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
    }
    let answer = desk.app.get(&format!("/v1/accounts/{long}"), &desk.trader).await;
    assert_eq!(answer.status, 404);
    for method in ["DELETE", "PATCH"] {
        let answer = Answer::of(
            desk.app
                .http
                .request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}/v1/signals", desk.app.base))
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, POST"));
    }
}

#[test]
fn the_list_of_routes_is_what_clients_rely_on() {
    let document = serde_json::to_value(signalbox::http::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            routes.push(format!("{path} {}", method.to_uppercase()));
        }
    }
    routes.sort();
    insta::assert_json_snapshot!(routes);
}
