//! Instruments that did not come with the program: known after an import, and traded by the rules of their boards.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};
use signalbox_domain::instrument::Currency;

use crate::sizes::settled;
use crate::support::{Options, TestApp, unique};

const TABLE: &str = "symbol,name,board,st,settle,etf_20pct,listed_on,currency
113011.SH,光大转债,convertible,0,ordinary,0,2017-04-05,CNY
900901.SH,云赛B股,b_share,0,ordinary,0,,USD
";

/// An order by hand at its limit, and what became of it.
async fn order(app: &TestApp, ann: &str, account: &str, terms: (&str, &str, u32, &str)) -> Value {
    let (symbol, side, quantity, px) = terms;
    let body = json!({ "account": account, "symbol": symbol, "side": side, "quantity": quantity, "limit_price": px,
        "client_signal_id": unique() });
    let sent = app.call("POST", "/v1/orders", ann, body).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    settled(app, ann, &sent.headers["location"], &["accepted", "working"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_convertible_bond_is_sold_on_the_day_it_was_bought_and_a_b_share_is_of_its_currency() {
    let imported = Some(("cn_equity.csv", TABLE));
    let app = TestApp::start_with(Options { imported, paper_c_in: Currency::Usd, ..Options::default() }).await;
    let everywhere = Grant::account(Pattern::all(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![everywhere]).await;
    let quote = |symbol: &str, bid: &str, ask: &str| {
        json!({ "symbol": symbol, "last": ask, "bid": bid, "ask": ask, "bid_size": 100_000, "ask_size": 100_000,
            "prev_close": ask })
    };
    let feed = app.key(json!({ "name": "feed", "scopes": ["quotes:write"] })).await.1;
    let quotes = json!({ "quotes": [quote("113011.SH", "104.999", "105.000"), quote("900901.SH", "0.599", "0.600")] });
    let taken = app.call("POST", "/v1/quotes", &feed, quotes).await;
    assert_eq!(taken.status, 200, "{taken:?}");
    let ann = app.login("ann").await.access;
    let bond = app.get("/v1/instruments/113011.SH", &ann).await;
    assert_eq!((bond.status, &bond.body["name"]), (200, &json!("光大转债")), "{bond:?}");

    let bought = order(&app, &ann, "paper-a", ("113011.SH", "buy", 20, "105.000")).await;
    assert_eq!((&bought["status"], &bought["parents"][0]["cum_qty"]), (&json!("done"), &json!("20")), "{bought}");
    let sold = order(&app, &ann, "paper-a", ("113011.SH", "sell", 20, "104.999")).await;
    assert_eq!((&sold["status"], &sold["parents"][0]["cum_qty"]), (&json!("done"), &json!("20")), "{sold}");

    let bought = order(&app, &ann, "paper-c", ("900901.SH", "buy", 100, "0.600")).await;
    assert_eq!((&bought["status"], &bought["parents"][0]["cum_qty"]), (&json!("done"), &json!("100")), "{bought}");
    let same_day = order(&app, &ann, "paper-c", ("900901.SH", "sell", 100, "0.599")).await;
    assert_eq!(same_day["denials"][0]["code"], "SELLABLE", "{same_day}");
    let elsewhere = order(&app, &ann, "paper-a", ("900901.SH", "buy", 100, "0.600")).await;
    assert_eq!(elsewhere["denials"][0]["code"], "CURRENCY", "{elsewhere}");
}
