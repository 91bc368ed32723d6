//! Who may do what: every cell of `policy.csv` against a running server.
//!
//! A row is one route in one relation to the thing that it names; a column from `anonymous` on is somebody who asks; a
//! cell is the status that he gets. To add a route, add its rows:
//!
//! * `example`: a path to ask for; empty when `path` has no parameters.
//! * `body`: JSON; empty for the example of the OpenAPI document; `none` for no body.
//! * in both, `{n}` becomes a number never used before, `{user}`, `{key}` and `{refresh}` a fresh user, key and token,
//!   `{signal}` and `{order}` a fresh signal and its order in `paper-a`, `{foreign_signal}` and `{foreign_order}` the
//!   same in `paper-b`, `{account}` a fresh account and `{group}` a fresh group of `paper-c` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use signalbox::people::Role;

use crate::support::{Answer, TestApp, principals};

const WHO: [&str; 10] = [
    "anonymous",
    "viewer",
    "trader",
    "risk",
    "admin",
    "key_signals",
    "key_other",
    "disabled",
    "expired",
    "refresh_as_access",
];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[derive(Debug, serde::Deserialize)]
struct Row {
    method: String,
    path: String,
    example: String,
    relation: String,
    body: String,
    class: String,
    #[serde(flatten)]
    cells: BTreeMap<String, u16>,
}

fn policy() -> Vec<Row> {
    let text = include_str!("../policy.csv");
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(|row| row.expect("a row of policy.csv")).collect()
}

fn document() -> Value {
    serde_json::to_value(signalbox::http::openapi()).unwrap()
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let document = document();
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        routes.extend(METHODS.iter().filter(|m| item.get(m).is_some()).map(|m| (m.to_uppercase(), path.clone())));
    }
    let rows: BTreeSet<_> = policy().into_iter().map(|row| (row.method, row.path)).collect();
    let without_row: Vec<_> = routes.difference(&rows).collect();
    let without_route: Vec<_> = rows.difference(&routes).collect();
    assert!(without_row.is_empty(), "add rows to tests/policy.csv for {without_row:?}");
    assert!(without_route.is_empty(), "tests/policy.csv has rows for no route: {without_route:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_do_what_the_policy_says_and_nothing_else() {
    let app = TestApp::start().await;
    let document = document();
    let mut wrong = Vec::new();
    for row in policy() {
        assert!(["login", "read", "write", "cancel"].contains(&&*row.class), "{row:?}");
        // Anew for each row: some rows end the sessions that they are asked with.
        let tokens = principals(&app).await;
        for who in WHO {
            let expected = *row.cells.get(who).unwrap_or_else(|| panic!("no column {who}"));
            let (path, body) = instance(&app, &document, &row).await;
            let before = app.settled().await;
            let token = tokens[who].as_deref();
            let answer = Answer::of(app.send(&row.method, &path, token, body).await).await;
            let cell = format!("{} {} ({}) as {who}", row.method, row.path, row.relation);
            if answer.status != expected {
                wrong.push(format!("{cell}: {} instead of {expected}: {}", answer.status, answer.body));
            }
            if answer.status >= 400 && app.content_hash() != before {
                wrong.push(format!("{cell}: refused, and yet something changed"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The row's path and body with everything filled in.
async fn instance(app: &TestApp, document: &Value, row: &Row) -> (String, Option<String>) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let path = if row.example.is_empty() { row.path.clone() } else { row.example.clone() };
    let body = match &*row.body {
        "none" => None,
        "" => Some(example(document, row).to_string()),
        text => Some(text.to_owned()),
    };
    let n = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    let mut both = [path, body.clone().unwrap_or_default()];
    let has = |both: &[String; 2], what: &str| both.iter().any(|text| text.contains(what));
    let replace = |both: &mut [String; 2], what: &str, with: &str| {
        for text in both {
            *text = text.replace(what, with);
        }
    };
    replace(&mut both, "{n}", &n);
    if has(&both, "{user}") {
        let username = format!("passing-{n}");
        app.user(&username, &[Role::Viewer], vec![]).await;
        replace(&mut both, "{user}", &username);
    }
    if has(&both, "{key}") {
        let (id, _) = app.key(json!({ "name": "passing", "scopes": ["signals:read"] })).await;
        replace(&mut both, "{key}", &id);
    }
    for (what, place, body) in [
        ("{account}", "/v1/accounts", json!({ "id": format!("passing-{n}"), "cash": "0" })),
        ("{group}", "/v1/groups", json!({ "id": format!("passing-{n}"), "accounts": ["paper-c"] })),
    ] {
        if has(&both, what) {
            let admin = app.login("admin").await.access;
            assert_eq!(app.call("POST", place, &admin, body).await.status, 201);
            replace(&mut both, what, &format!("passing-{n}"));
        }
    }
    for (signal, order, strategy) in
        [("{signal}", "{order}", "small-cap"), ("{foreign_signal}", "{foreign_order}", "elsewhere")]
    {
        if has(&both, signal) || has(&both, order) {
            let id = app.signal(strategy).await;
            replace(&mut both, signal, &format!("sig-{id}"));
            replace(&mut both, order, &format!("ord-{}", id << 24 | 1));
        }
    }
    if has(&both, "{refresh}") {
        let session = app.login("spare").await;
        replace(&mut both, "{refresh}", &session.refresh);
    }
    let [path, text] = both;
    (path, body.map(|_| text))
}

/// The example of the request body in the document.
fn example<'a>(document: &'a Value, row: &Row) -> &'a Value {
    let operation = &document["paths"][&row.path][row.method.to_lowercase()];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let reference =
        schema["$ref"].as_str().or_else(|| schema["oneOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str()));
    let name = reference.and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
    let example = &document["components"]["schemas"][name]["example"];
    assert!(example.is_object(), "{} {} has no example body in the document: {schema}", row.method, row.path);
    example
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_says_what_is_served() {
    let app = TestApp::start().await;
    let served = Answer::of(app.send("GET", "/openapi.json", None, None).await).await;
    assert_eq!(served.body, document());
    let mut ids = BTreeSet::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(method).is_some()) {
            let id = item[method]["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "two handlers are called {id}: clients are generated by these names");
            let responses = item[method]["responses"].as_object().unwrap();
            for status in ["400", "401", "429", "500", "503"] {
                assert!(responses.contains_key(status), "{method} {path} does not say {status}");
            }
        }
    }
}
