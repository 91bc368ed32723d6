//! What waits for a person, in pages, and a doubt that is not to be settled too early.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};
use signalbox::store::StoredOrder;
use signalbox_actors::journal::{Entry, Journal as _};
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::{AccountId, OrderId};
use signalbox_domain::order::OrderFact;
use signalbox_domain::reconcile::exception::{Decision, Evidence, Exception, ExceptionKind};
use signalbox_domain::risk::HOLDER;
use signalbox_domain::row::Row;
use signalbox_domain::units::{Span, Timestamp};

use crate::support::TestApp;
use crate::trading::Desk;

const AT: Timestamp = Timestamp::from_us(1_548_986_400_000_000);

async fn stored(app: &TestApp, rows: Vec<Row>) {
    let entry = Entry { at: AT, actor: "test".into(), cause: "test".into(), events: Vec::new(), rows };
    let ticket = app.store.append(entry);
    while app.store.durable() < ticket {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn exception(key: &str, s: i64, settled: bool) -> Row {
    let at = AT.plus(Span::from_secs(s));
    Row::Exception(Arc::new(Exception {
        account: AccountId::parse("paper-a").unwrap(),
        key: key.into(),
        kind: ExceptionKind::Break,
        order: None,
        opened_at: at,
        updated_at: at,
        evidence: Evidence::default(),
        decision: settled.then(|| Decision { what: "adjust".into(), by: "ann".into(), note: "".into(), at }),
    }))
}

/// All pages of the list, with so many on each.
async fn pages(desk: &Desk, state: &str, limit: usize) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("/v1/exceptions?state={state}&limit={limit}{cursor}")).await;
        pages.push(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { return pages };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_person_comes_in_pages() {
    let desk = Desk::open().await;
    // Three at one instant, and what risk holds among them.
    let mut rows: Vec<Row> =
        [("b", 5), ("A", 5), ("a", 5), ("c", 1), ("d", 9)].map(|(key, s)| exception(key, s, false)).into();
    rows.extend([("x", 2), ("y", 2), ("z", 3)].map(|(key, s)| exception(key, s, true)));
    rows.push(Row::TradingState {
        scope: Scope::Account(AccountId::parse("paper-a").unwrap()),
        state: TradingState::Reducing,
        who: HOLDER.into(),
        reason: "lost".into(),
        at: AT.plus(Span::from_secs(5)),
    });
    stored(&desk.app, rows).await;
    for (state, known) in [("open", 6), ("settled", 3)] {
        let whole = pages(&desk, state, 500).await.concat();
        assert_eq!(whole.len(), known, "{whole:?}");
        let times: Vec<&str> = whole.iter().map(|item| item["updated_at"].as_str().unwrap()).collect();
        assert!(if state == "open" { times.is_sorted() } else { times.is_sorted_by(|a, b| a >= b) }, "{times:?}");
        for limit in 1..=known {
            let pages = pages(&desk, state, limit).await;
            assert!(pages.iter().all(|page| page.len() <= limit));
            assert_eq!(pages.len(), known.div_ceil(limit), "{limit}");
            assert_eq!(pages.concat(), whole, "{limit}");
        }
        let ids: HashSet<String> = whole.iter().map(|item| item["id"].to_string()).collect();
        assert_eq!(ids.len(), known);
    }
    for (query, code) in [("limit=0", "invalid_query"), ("limit=501", "invalid_query"), ("cursor=x", "invalid_cursor")]
    {
        let answer = desk.app.get(&format!("/v1/exceptions?{query}"), &desk.trader).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_may_be_on_its_way_is_absent_only_for_who_says_that_he_knows_better() {
    let desk = Desk::open().await;
    let id = desk.resting().await;
    let path = format!("/v1/orders/{id}/resolve");
    let resolve = async |body: Value| desk.app.call("POST", &path, &desk.trader, body).await;
    let long = json!({ "decision": "works", "note": "x".repeat(501) });
    let answer = resolve(long).await;
    assert_eq!((answer.status, answer.code(), &answer.body["field"]), (422, "validation_failed", &json!("note")));
    assert!(answer.body["detail"].as_str().unwrap().starts_with("a note"), "{answer:?}");

    let absent = json!({ "decision": "absent", "symbol": "600000.SH" });
    let surely = json!({ "decision": "absent", "symbol": "600000.SH", "override": true });
    let StoredOrder::Live(mut order) = desk.app.store.order(OrderId::parse(&id).unwrap()).await.unwrap().unwrap()
    else {
        panic!("it is live");
    };
    let now = order.updated_at;
    order.apply(now, &OrderFact::InDoubt { cause: "no list has it".into() }).unwrap();
    for (since, code) in [(now, "too_early"), (Timestamp::from_us(now.us() - 61_000_000), "conflict")] {
        order.doubt_since = Some(since);
        stored(&desk.app, vec![Row::Order(Arc::new((*order).clone()))]).await;
        let answer = resolve(absent.clone()).await;
        assert_eq!((answer.status, answer.code()), (409, code), "{answer:?}");
        if code == "too_early" {
            assert_eq!(answer.body["field"], "override");
        }
        // The account itself knows of no doubt, and has the last word.
        let answer = resolve(surely.clone()).await;
        assert_eq!((answer.status, answer.code()), (409, "conflict"), "{answer:?}");
    }
}
