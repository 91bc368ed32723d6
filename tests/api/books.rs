//! Whose the shares are, and what is remembered of them.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};
use signalbox_domain::instrument::Currency;

use crate::support::{Answer, Options, TestApp, unique};

const BANK: &str = "000001.SZ";

async fn quote(app: &TestApp, last: &str) {
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    let quote = json!({ "symbol": BANK, "last": last, "ask": last, "ask_size": 100_000,
        "prev_close": "10.40" });
    assert_eq!(app.call("POST", "/v1/quotes", &feed, json!({ "quotes": [quote] })).await.status, 200);
}

async fn books(app: &TestApp, token: &str) -> Vec<Value> {
    app.get("/v1/accounts/paper-a/books", token).await.body["items"].as_array().unwrap().clone()
}

fn of<'a>(books: &'a [Value], strategy: &str) -> &'a Value {
    books.iter().find(|book| book["strategy"] == strategy).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_gives_what_was_there_to_strategies_and_a_restart_remembers_it() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    // The demonstration's account opens with 5,000 shares of the book `external`, which is a strategy of that name.
    let csv = format!(
        "strategy,symbol,quantity,cost,entry_date\nsmall-cap,{BANK},300,9.50,2019-01-15\nEXTERNAL,{BANK},200,10,\n"
    );
    let body = json!({ "account": "paper-a", "csv": csv, "note": "joined" });
    let done = app.call("POST", "/v1/books/import", &admin, body.clone()).await;
    assert_eq!(done.status, 200, "{done:?}");
    let again = app.call("POST", "/v1/books/import", &admin, body).await;
    assert_eq!((again.status, again.code()), (409, "conflict"), "{again:?}");

    let claim = json!({ "account": "paper-a", "from": "EXTERNAL", "to": "manual", "symbol": BANK, "quantity": 50,
        "expect_quantity": 200, "note": "the desk takes them" });
    assert_eq!(app.call("POST", "/v1/books/transfer", &admin, claim.clone()).await.status, 200);
    assert_eq!(app.call("POST", "/v1/books/transfer", &admin, claim).await.status, 409, "a repeat is refused");

    quote(&app, "10.80").await;
    quote(&app, "10.26").await;
    let app = app.restart().await;
    let admin = app.login("admin").await.access;
    quote(&app, "10.30").await;
    let kept = books(&app, &admin).await;
    let held: Vec<_> =
        kept.iter().map(|book| (book["strategy"].as_str().unwrap(), book["quantity"].as_str().unwrap())).collect();
    assert_eq!(held, [("EXTERNAL", "150"), ("external", "5000"), ("manual", "50"), ("small-cap", "300")]);
    let own = of(&kept, "small-cap");
    assert_eq!((&own["entry_date"], &own["avg_cost"]), (&json!("2019-01-15"), &json!("9.50")), "{own}");
    assert_eq!((&own["high_since_entry"], &own["low_since_entry"]), (&json!("10.80"), &json!("9.50")), "{own}");
    assert_eq!((&own["drawdown"], &own["day_pnl"]), (&json!("0.046296"), &json!("-30.00")), "{own}");

    let positions = app.get("/v1/accounts/paper-a/positions", &admin).await.body;
    let position = &positions["items"][0];
    assert_eq!((&position["quantity"], &position["entry_date"]), (&json!("5500"), &json!("2019-01-15")), "{position}");
    assert_eq!(
        (&position["high_since_entry"], &position["day_pnl"]),
        (&json!("10.80"), &json!("-550.00")),
        "{position}"
    );
    let lines = app.get("/v1/audit?limit=500", &admin).await.body;
    let of_kind = |kind: &str| lines["items"].as_array().unwrap().iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of_kind("books_imported"), of_kind("book_transferred")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bought_share_knows_its_entry_and_both_costs() {
    let app = TestApp::start().await;
    let on_b = Grant::account(Pattern::try_from("paper-b".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![on_b]).await;
    let ann = app.login("ann").await.access;
    quote(&app, "10.50").await;
    let order = json!({ "account": "paper-b", "symbol": BANK, "side": "buy", "quantity": 200, "limit_price": "10.50",
        "client_signal_id": unique() });
    let sent = app.call("POST", "/v1/orders", &ann, order).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    for _ in 0..300 {
        let books = app.get("/v1/accounts/paper-b/books", &ann).await.body;
        if let Some(book) = books["items"].as_array().unwrap().iter().find(|b| b["strategy"] == "manual") {
            assert_eq!((&book["entry_date"], &book["avg_cost"]), (&json!("2019-02-01"), &json!("10.5252")), "{book}");
            assert_eq!((&book["broker_cost"], &book["day_pnl"]), (&json!("10.5252"), &json!("-5.04")), "{book}");
            assert!(book["opened_at"].as_str().unwrap().starts_with("2019-02-01T10:0"), "{book}");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the order is not filled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_booked_is_refused_by_field_and_changes_nothing() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    let item = |strategy: &str, quantity: Value, day: &str| {
        json!({ "account": "paper-a", "note": "n", "items": [{ "strategy": strategy, "symbol": BANK, "cost": "1",
            "quantity": quantity, "entry_date": day }] })
    };
    let to = |to: &str, quantity: u32| json!({ "account": "paper-a", "from": "external", "to": to, "symbol": BANK, "quantity": quantity, "note": "n" });
    let cash =
        |amount: &str, note: &str| json!({ "account": "paper-a", "direction": "add", "amount": amount, "note": note });
    let less = |amount: &str| json!({ "account": "paper-a", "direction": "remove", "amount": amount, "note": "n" });
    let of = |symbol: &str| {
        json!({ "account": "paper-a", "direction": "add", "strategy": "EXTERNAL", "symbol": symbol, "quantity": 1,
            "note": "n" })
    };
    let before = app.settled().await;
    for (path, body, status, field) in [
        ("adjust", of("AAPL.US"), 422, "symbol"),
        ("adjust", of("700.HK"), 422, "symbol"),
        ("adjust", of("rb1905.SHFE"), 422, "symbol"),
        ("adjust", of("204001.SH"), 422, "symbol"),
        ("adjust", less("1000000.01"), 409, ""),
        ("import", item("small-cap", json!(1), "2099-01-15"), 422, "items[0].entry_date"),
        ("import", item("nobody", json!(1), "2019-01-15"), 422, "items[0].strategy"),
        ("import", item("small-cap", json!(0), "2019-01-15"), 422, "items[0].quantity"),
        ("import", item("small-cap", json!(1), "yesterday"), 422, "items[0].entry_date"),
        ("import", item("external", json!(1), "2019-01-15"), 409, ""),
        ("import", json!({ "account": "paper-a", "note": "n" }), 422, "items"),
        ("import", json!({ "account": "paper-a", "note": "n", "csv": "a,b\n1,2\n" }), 422, "csv"),
        ("transfer", to("nobody", 1), 422, "to"),
        ("transfer", to("external", 1), 422, "quantity"),
        ("transfer", to("manual", 5_001), 409, ""),
        ("adjust", cash("-1", "n"), 422, "amount"),
        ("adjust", cash("1000.555", "n"), 422, "amount"),
        ("adjust", cash("1", " "), 422, "note"),
        ("adjust", json!({ "account": "paper-a", "direction": "add", "note": "n" }), 422, "strategy"),
    ] {
        let answer = app.call("POST", &format!("/v1/books/{path}"), &admin, body.clone()).await;
        let found = answer.body["field"].as_str().unwrap_or_default();
        assert_eq!((answer.status, found), (status, field), "{path} {body}: {answer:?}");
    }
    assert_eq!(app.settled().await, before);
    let done = app.call("POST", "/v1/books/adjust", &admin, cash("5000", "bank transfer")).await;
    assert_eq!((done.status, &done.body["cash"]), (200, &json!("1005000.00")), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_that_says_what_is_there_is_made_once() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    let with = |more: Value| {
        let mut body = json!({ "account": "paper-a", "direction": "add", "note": "n" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let shares = |more: Value| {
        let mut body = with(json!({ "strategy": "small-cap", "symbol": BANK, "quantity": 100 }));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for body in
        [with(json!({ "amount": "5000", "expect_cash": "1000000.00" })), shares(json!({ "expect_quantity": 0 }))]
    {
        let (once, twice) = tokio::join!(
            app.call("POST", "/v1/books/adjust", &admin, body.clone()),
            app.call("POST", "/v1/books/adjust", &admin, body.clone()),
        );
        let mut statuses = [once.status, twice.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{body}: {once:?} {twice:?}");
    }
    let before = app.settled().await;
    for (body, status, field) in [
        (with(json!({ "amount": "5000", "expect_cash": "much" })), 422, "expect_cash"),
        (with(json!({ "amount": "5000", "expect_quantity": 1 })), 422, "expect_quantity"),
        (shares(json!({ "expect_cash": "1005000.00" })), 422, "expect_cash"),
        (shares(json!({ "expect_quantity": -1 })), 422, "expect_quantity"),
    ] {
        let refused = app.call("POST", "/v1/books/adjust", &admin, body.clone()).await;
        assert_eq!((refused.status, &refused.body["field"]), (status, &json!(field)), "{body}: {refused:?}");
    }
    let request = app.http.post(format!("{}/v1/books/adjust", app.base)).bearer_auth(&admin);
    let keyed = request.header("Idempotency-Key", "k-1").json(&with(json!({ "amount": "5000" }))).send().await.unwrap();
    let keyed = Answer::of(keyed).await;
    assert_eq!((keyed.status, &keyed.body["field"]), (400, &json!("Idempotency-Key")), "{keyed:?}");
    assert_eq!(app.settled().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_currencies_are_added_by_a_stated_rate_and_never_silently() {
    let app = TestApp::start_with(Options { paper_c_in: Currency::Hkd, ..Options::default() }).await;
    let admin = app.login("admin").await.access;
    let overview = app.get("/v1/overview", &admin).await.body;
    // The holdings of the demonstration are quoted in CNY and stand at their cost without a quote.
    let cash = |currency: &str| {
        let of_all = |t: &&Value| t["group"] == "all" && t["currency"] == currency;
        overview["totals"].as_array().unwrap().iter().find(of_all).unwrap()["cash"].clone()
    };
    assert_eq!((cash("CNY"), cash("HKD")), (json!("1500000.00"), json!("200000.00")), "{overview}");
    let converted = &overview["converted"][0];
    assert_eq!((&converted["equity"], &converted["missing"]), (&Value::Null, &json!(["HKD"])), "{converted}");

    let rate = json!({ "base": "CNY", "rate": "0.92", "source": "a test", "as_of": "2019-02-01T09:15:00+08:00" });
    assert_eq!(app.call("PUT", "/v1/fx-rates/HKD", &admin, rate).await.status, 200);
    let converted = app.get("/v1/overview", &admin).await.body["converted"][0].clone();
    // 1,500,000 + 200,000 × 0.92 in cash, and 8,500 shares at 10.00.
    assert_eq!((&converted["cash"], &converted["equity"]), (&json!("1684000.00"), &json!("1769000.00")), "{converted}");
    assert_eq!(converted["rates"][0]["source"], "a test");
    let back = app.get("/v1/overview?base=HKD", &admin).await.body["converted"][0].clone();
    assert_eq!(
        (&back["equity"], &back["missing"]),
        (&Value::Null, &json!(["CNY"])),
        "no rate is made of another: {back}"
    );
    assert_eq!(app.get("/v1/overview?base=XXX", &admin).await.status, 422);

    let app = app.restart().await;
    let admin = app.login("admin").await.access;
    let kept = app.get("/v1/fx-rates", &admin).await.body;
    assert_eq!((&kept["items"][0]["currency"], &kept["items"][0]["rate"]), (&json!("HKD"), &json!("0.92")), "{kept}");
}
