//! Bad input: always a 4xx with a code that says what is wrong, and the field where there is one.

use reqwest::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::json;

use crate::support::{Answer, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_understood_is_refused_by_name() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    let long_name =
        format!(r#"{{"username":"{}","password":"correct horse battery","roles":["viewer"]}}"#, "x".repeat(65));
    for (body, status, code, pointer) in [
        ("", 400, "malformed_json", None),
        ("{", 400, "malformed_json", None),
        ("NaN", 400, "malformed_json", None),
        ("\u{feff}{}", 400, "malformed_json", None),
        ("[]", 400, "invalid_field", None),
        (r#"["bob","correct horse battery",["admin"]]"#, 400, "invalid_field", None),
        ("{}", 400, "missing_field", Some("/username")),
        (r#"{"username":null}"#, 400, "invalid_field", Some("/username")),
        (r#"{"username":"bob","username":"bob"}"#, 400, "duplicate_field", Some("/username")),
        (r#"{"username":"bob","is_admin":true}"#, 400, "unknown_field", Some("/is_admin")),
        (r#"{"username":"bob","password":12345678}"#, 400, "invalid_field", Some("/password")),
        (r#"{"username":"bob","password":"x","roles":["root"]}"#, 400, "invalid_field", Some("/roles/0")),
        (
            r#"{"username":"b b","password":"correct horse battery","roles":["viewer"]}"#,
            422,
            "validation_failed",
            Some("/username"),
        ),
        (&long_name, 422, "validation_failed", Some("/username")),
        (
            r#"{"username":"key-1","password":"correct horse battery","roles":["viewer"]}"#,
            422,
            "validation_failed",
            Some("/username"),
        ),
        (r#"{"username":"bob","password":"password","roles":["viewer"]}"#, 422, "password_refused", Some("/password")),
        (r#"{"username":"bob","password":"short","roles":["viewer"]}"#, 422, "password_refused", Some("/password")),
        (
            r#"{"username":"bob","password":"bell\u0007 bell bell","roles":["viewer"]}"#,
            422,
            "password_refused",
            Some("/password"),
        ),
        (r#"{"username":"bob","password":"nul\u0000nul nul","roles":["viewer"]}"#, 400, "invalid_field", None),
        (
            r#"{"username":"bob","password":"correct horse battery","roles":[]}"#,
            422,
            "validation_failed",
            Some("/roles"),
        ),
        (r#"{"username":"ADMIN","password":"correct horse battery","roles":["viewer"]}"#, 409, "already_exists", None),
        (
            r#"{"username":"bob","password":"correct horse battery","roles":["viewer"],"grants":[{"account":"a","actions":[]}]}"#,
            422,
            "validation_failed",
            Some("/grants"),
        ),
    ] {
        let answer = Answer::of(app.send("POST", "/v1/users", Some(&admin), Some(body.to_owned())).await).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{body}: {answer:?}");
        assert_eq!(answer.body["pointer"].as_str(), pointer, "{body}: {answer:?}");
        let text = answer.body.to_string();
        assert!(!text.contains("12345678") && !text.contains("battery"), "a password came back: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_and_sizes_of_bodies_are_bounded() {
    let app = TestApp::start().await;
    let url = format!("{}/v1/auth/login", app.base);
    let body = json!({ "username": "admin", "password": crate::support::PASSWORD }).to_string();
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")] {
        let mut request = app.http.post(&url).body(body.clone());
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (415, "unsupported_media_type"), "{kind:?}");
    }
    let request = app.http.post(&url).header(CONTENT_TYPE, "application/json; charset=utf-8").body(body.clone());
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 200);
    let request =
        app.http.post(&url).header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, "gzip").body(body);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 415);

    let large = json!({ "username": "admin", "password": "x".repeat(1 << 20) }).to_string();
    let answer = Answer::of(app.send("POST", "/v1/auth/login", None, Some(large)).await).await;
    assert_eq!((answer.status, answer.code()), (413, "payload_too_large"));
    let fits = json!({ "username": "admin", "password": "x".repeat(60_000) });
    assert_eq!(app.post("/v1/auth/login", fits).await.code(), "invalid_credentials");
    let deep = format!(r#"{{"username":{}"#, "[".repeat(10_000));
    assert_eq!(Answer::of(app.send("POST", "/v1/auth/login", None, Some(deep)).await).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_paths_methods_and_queries_are_told_apart() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    for path in
        ["/", "/v1", "/v1/nothing", "/v1/users/", "//v1/users", "/v1/users/a/b", "/v1/../v1/nothing", "/V1/users"]
    {
        assert_eq!(app.get(path, &admin).await.code(), "not_found", "{path}");
    }
    for name in ["%00", "%FF", "..%2F..", "%E5%90%8D", "a%20b", &"x".repeat(5_000)] {
        assert_eq!(app.get(&format!("/v1/users/{name}"), &admin).await.code(), "not_found", "{name}");
    }
    for (method, path, allowed) in [
        ("PUT", "/v1/users", "GET, POST"),
        ("POST", "/v1/users/admin", "GET, PATCH, DELETE"),
        ("GET", "/v1/auth/login", "POST"),
        ("TRACE", "/v1/me", "GET"),
        ("BREW", "/v1/me", "GET"),
    ] {
        let response = app.send(method, path, Some(&admin), None).await;
        assert_eq!(response.headers().get(ALLOW).and_then(|v| v.to_str().ok()), Some(allowed), "{method} {path}");
        assert_eq!(Answer::of(response).await.code(), "method_not_allowed", "{method} {path}");
    }
    for (query, code) in [
        ("limit=0", "invalid_query"),
        ("limit=501", "invalid_query"),
        ("limit=-1", "invalid_query"),
        ("limit=x", "invalid_query"),
        ("limit=", "invalid_query"),
        ("limit=1&limit=2", "invalid_query"),
        ("limt=1", "invalid_query"),
        ("cursor=x", "invalid_cursor"),
        ("cursor=%00", "invalid_cursor"),
    ] {
        let answer = app.get(&format!("/v1/users?{query}"), &admin).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{query}");
        assert!(answer.body["field"].is_string(), "{query}: {answer:?}");
    }
}

/// What the document says of a query is also what is checked: one character too many, in each parameter of each list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_longer_than_documented_is_refused() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    let document = serde_json::to_value(signalbox::http::openapi()).unwrap();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for parameter in operations["get"]["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let Some(max) = parameter["schema"]["maxLength"].as_u64() else { continue };
            if parameter["in"] != "query" {
                continue;
            }
            // Each is what the parameter could be, but for its length.
            let word = match name {
                "status" => "new,",
                "symbols" => "600000.SH,",
                "cursor" => "MTIzLmFh",
                _ => "0",
            };
            let max = usize::try_from(max).unwrap();
            let mut value = word.repeat(max / word.len() + 1);
            value.truncate(value.trim_end_matches(',').len());
            value.push_str(if value.len() <= max { "00" } else { "" });
            let path = path.replace("{id}", "1").replace("{name}", "a").replace("{symbol}", "600000.SH");
            let answer = Answer::of(app.send("GET", &format!("{path}?{name}={value}"), Some(&admin), None).await).await;
            assert!(matches!(answer.status, 400 | 404 | 422), "{path} took {} characters of {name}", value.len());
            tried += usize::from(answer.status == 400);
        }
    }
    assert!(tried >= 20, "only {tried} parameters were refused");
}
