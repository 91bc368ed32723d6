//! What is refused leaves one line in the journal, and nothing else.

use serde_json::{Value, json};
use signalbox::people::{Action, Grant, Pattern, Role};

use crate::support::TestApp;

/// The lines about refusals, oldest first.
async fn lines(app: &TestApp, admin: &str) -> Vec<Value> {
    let mut lines = app.get("/v1/audit?limit=500", admin).await.body["items"].as_array().unwrap().clone();
    lines.retain(|line| line["kind"] == "request_refused" || line["kind"] == "requests_refused");
    lines.reverse();
    lines
}

/// The same, once there is one more than there was: the answer does not wait for its line.
async fn lines_after(app: &TestApp, admin: &str, known: usize) -> Vec<Value> {
    for _ in 0..200 {
        let now = lines(app, admin).await;
        if now.len() > known {
            return now;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no line was written within ten seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_leaves_one_line_in_the_audit_and_nothing_else() {
    let app = TestApp::start().await;
    let on_a = Grant::account(Pattern::try_from("paper-a".to_owned()).unwrap(), &[Action::Read, Action::Trade]);
    app.user("ann", &[Role::Trader], vec![on_a]).await;
    app.user("vic", &[Role::Viewer], vec![]).await;
    let admin = app.login("admin").await.access;
    let (ann, vic) = (app.login("ann").await.access, app.login("vic").await.access);
    let signal = |strategy: &str, quantity: i64| {
        json!({ "strategy": strategy, "symbol": "600000.SH", "side": "buy", "quantity": quantity,
            "client_signal_id": "refused" })
    };
    let user = json!({ "username": "ann", "password": "correct horse battery", "roles": ["viewer"] });
    let halt = json!({ "state": "halted", "reason": "x" });
    for (method, path, route, token, body, who, status, code) in [
        ("POST", "/v1/signals", "/v1/signals", None, signal("small-cap", 100), None, 401, "authentication_required"),
        ("POST", "/v1/signals", "/v1/signals", Some(&vic), signal("small-cap", 100), Some("vic"), 403, "forbidden"),
        ("POST", "/v1/signals", "/v1/signals", Some(&ann), signal("elsewhere", 100), Some("ann"), 404, "not_found"),
        (
            "POST",
            "/v1/signals",
            "/v1/signals",
            Some(&ann),
            signal("small-cap", 0),
            Some("ann"),
            422,
            "INVALID_QUANTITY",
        ),
        ("POST", "/v1/users", "/v1/users", Some(&admin), user, Some("admin"), 409, "already_exists"),
        ("PUT", "/v1/trading-state", "/v1/trading-state", Some(&ann), halt, Some("ann"), 403, "forbidden"),
        (
            "DELETE",
            "/v1/users/no-one",
            "/v1/users/{username}",
            Some(&admin),
            json!({}),
            Some("admin"),
            404,
            "not_found",
        ),
    ] {
        let (before, known) = (app.settled().await, lines(&app, &admin).await);
        let answer = app.send(method, path, token.map(String::as_str), Some(body.to_string())).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(app.settled().await, before, "{method} {path} changed something");
        let now = lines_after(&app, &admin, known.len()).await;
        assert_eq!(now.len(), known.len() + 1, "{method} {path}: {now:?}");
        let said = json!({ "who": who, "method": method, "route": route, "status": status, "code": code,
            "request_id": id });
        assert_eq!(now.last().unwrap()["data"], said);
    }
    // Who only looks leaves nothing.
    let known = lines(&app, &admin).await.len();
    assert_eq!(app.get("/v1/users", &ann).await.status, 403);
    assert_eq!(lines(&app, &admin).await.len(), known);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_is_counted_and_does_not_flood_the_journal() {
    const FLOOD: u64 = 400;
    let app = TestApp::start().await;
    let began = std::time::Instant::now();
    for _ in 0..FLOOD {
        assert_eq!(app.send("POST", "/v1/signals", None, Some("{}".to_owned())).await.status().as_u16(), 401);
    }
    // Twenty a second, in the seconds that were begun.
    let most = 20 * (began.elapsed().as_secs() + 2);
    let admin = app.login("admin").await.access;
    // The sum comes a second after the first refusal that it counts.
    let mut lines = lines_after(&app, &admin, 0).await;
    let told = |lines: &[Value]| lines.iter().filter_map(|line| line["data"]["unwritten"].as_u64()).sum::<u64>();
    let ones = |lines: &[Value]| lines.iter().filter(|line| line["kind"] == "request_refused").count() as u64;
    for _ in 0..200 {
        if ones(&lines) + told(&lines) >= FLOOD {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        lines = self::lines(&app, &admin).await;
    }
    let (written, unwritten) = (ones(&lines), told(&lines));
    assert_eq!(written + unwritten, FLOOD, "every refusal is told or counted: {lines:?}");
    assert!(unwritten > 0 && written <= most, "{written} lines, {most} at most");
}
