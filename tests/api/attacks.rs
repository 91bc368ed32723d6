//! What people try who have no right to come in.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384};
use signalbox::http::limits::LimitsConf;
use signalbox::people::Role;
use signalbox::people::password::Cost;
use signalbox_domain::units::Span;

use crate::support::{Answer, JWT_SECRET, Options, PASSWORD, TestApp};

fn hs256(key: &str, signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

/// A token with this header and these claims, well signed with our key.
fn forge(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    format!("{signed}.{}", hs256(JWT_SECRET, &signed))
}

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

async fn refused(app: &TestApp, token: &str, why: &str) {
    let answer = app.get("/v1/me", token).await;
    assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{why}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_our_signature_opens_nothing() {
    let app = TestApp::start().await;
    let good = app.login("admin").await.access;
    let [header, claims, signature] = <[&str; 3]>::try_from(good.split('.').collect::<Vec<_>>()).unwrap();
    let text = String::from_utf8(BASE64.decode(claims).unwrap()).unwrap();
    assert_eq!(app.get("/v1/me", &forge(HEADER, &text)).await.status, 200, "the forge itself works");

    for alg in ["none", "None", "NONE", "nOnE", "", "none ", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256"] {
        let header = BASE64.encode(format!(r#"{{"typ":"JWT","alg":"{alg}"}}"#));
        for end in ["", signature, &hs256(JWT_SECRET, &format!("{header}.{claims}"))] {
            refused(&app, &format!("{header}.{claims}.{end}"), &format!("alg {alg:?}")).await;
        }
    }
    let longer = BASE64.encode(r#"{"typ":"JWT","alg":"HS384"}"#);
    let mut mac = Hmac::<Sha384>::new_from_slice(JWT_SECRET.as_bytes()).unwrap();
    mac.update(format!("{longer}.{claims}").as_bytes());
    let end = BASE64.encode(mac.finalize().into_bytes());
    refused(&app, &format!("{longer}.{claims}.{end}"), "another algorithm with our key").await;

    for (token, why) in [
        (format!("{header}.{claims}."), "empty signature"),
        (format!("{header}.{claims}"), "two parts"),
        (format!("{header}.{claims}.{signature}.x.y"), "five parts"),
        (format!("..{signature}"), "nothing but a signature"),
        ("..".to_owned(), "dots"),
        (format!("{header}.{claims}.{}", signature.to_uppercase()), "another spelling"),
        (format!("{header}.{claims}.{signature}="), "padding"),
        (format!("{header}.{claims}.{}", &signature[1..]), "a shorter signature"),
        (format!("{}{}", "sbk_", "A".repeat(43)), "a key of nobody"),
        ("sbk_".to_owned(), "a key of nothing"),
        (format!("sbk_{}", "A".repeat(10_000)), "a long key"),
        ("x".repeat(20_000), "a long token"),
    ] {
        refused(&app, &token, why).await;
    }
    for extra in [
        r#""kid":"../../../../dev/null""#,
        r#""kid":"' OR 1=1 --""#,
        r#""jku":"http://127.0.0.1:1/keys""#,
        r#""x5u":"http://127.0.0.1:1/cert""#,
        r#""jwk":{"kty":"oct","k":"YXR0YWNrZXI"}"#,
        r#""crit":["exp"]"#,
    ] {
        let header = BASE64.encode(format!(r#"{{"alg":"HS256",{extra}}}"#));
        let signed = format!("{header}.{claims}");
        for key in ["attacker", "", "null"] {
            refused(&app, &format!("{signed}.{}", hs256(key, &signed)), extra).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_token_with_other_claims_opens_nothing() {
    let app = TestApp::start().await;
    let good = claims_of(&app.login("admin").await.access);
    let (iat, exp) = (good["iat"].as_i64().unwrap(), good["exp"].as_i64().unwrap());
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        forge(HEADER, &claims.to_string())
    };
    for (name, value) in [
        ("aud", json!("another-api")),
        ("aud", json!(["signalbox-api", "another-api"])),
        ("aud", json!("")),
        ("aud", Value::Null),
        ("iss", json!("someone")),
        ("iss", json!(["signalbox"])),
        ("typ", json!("refresh")),
        ("typ", json!("ACCESS")),
        ("typ", Value::Null),
        ("sub", Value::Null),
        ("sub", json!(1)),
        // CVE-2026-25537: a text where a number belongs must not count as "no expiry".
        ("exp", json!(exp.to_string())),
        ("exp", json!("never")),
        ("exp", json!(exp as f64 + 0.5)),
        ("exp", json!(true)),
        ("exp", json!([exp])),
        ("exp", Value::Null),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(i64::MIN)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(1e300)),
        ("exp", json!(exp + 1)),
        ("iat", json!(iat.to_string())),
        ("iat", json!(i64::MIN)),
        ("iat", json!(iat + 1)),
        ("epoch", json!("0")),
        ("epoch", Value::Null),
        ("roles", json!(["admin"])),
        ("nbf", json!("x")),
    ] {
        refused(&app, &with(name, value.clone()), &format!("{name} = {value}")).await;
    }
    for name in ["aud", "iss", "typ", "sub", "sid", "exp", "iat", "epoch"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        refused(&app, &forge(HEADER, &claims.to_string()), &format!("no {name}")).await;
    }
    let doubled = good.to_string().replacen('{', &format!(r#"{{"exp":{},"#, exp + 100_000), 1);
    refused(&app, &forge(HEADER, &doubled), "exp twice").await;
    for text in ["", "null", "[]", "{}", "{", &"[".repeat(900)] {
        refused(&app, &forge(HEADER, text), "no claims").await;
    }

    let ahead = json!({ "iat": iat + 3600, "exp": exp + 3600 });
    let mut claims = good.clone();
    for name in ["iat", "exp"] {
        claims[name] = ahead[name].clone();
    }
    refused(&app, &forge(HEADER, &claims.to_string()), "issued in the future").await;
    for (name, value) in [("sub", json!("nobody")), ("sid", json!("x")), ("epoch", json!(1)), ("epoch", json!(-1))] {
        let answer = app.get("/v1/me", &with(name, value)).await;
        assert_eq!((answer.status, answer.code()), (401, "token_revoked"), "{name}");
    }
    app.clock.advance(Span::from_secs(604));
    assert_eq!(app.get("/v1/me", &with("x", Value::Null)).await.code(), "token_invalid");
    let text = good.to_string();
    assert_eq!(app.get("/v1/me", &forge(HEADER, &text)).await.status, 200, "five seconds of leeway");
    app.clock.advance(Span::from_secs(1));
    assert_eq!(app.get("/v1/me", &forge(HEADER, &text)).await.code(), "token_expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_is_not_one_bearer_token_opens_nothing() {
    let app = TestApp::start().await;
    let session = app.login("admin").await;
    let url = format!("{}/v1/me", app.base);
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YWRtaW46YWRtaW4=",
        &format!("Bearer  {}", session.access),
        &format!("Bearer {} {}", session.access, session.access),
        &format!("Bearer {},Bearer {}", session.access, session.access),
        &session.access.clone(),
    ] {
        let answer = Answer::of(app.http.get(&url).header(AUTHORIZATION, value).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (401, "authorization_malformed"), "{value}");
    }
    let bearer = format!("Bearer {}", session.access);
    let two = app.http.get(&url).header(AUTHORIZATION, &bearer).header(AUTHORIZATION, &bearer);
    assert_eq!(Answer::of(two.send().await.unwrap()).await.code(), "authorization_malformed");
    let lower = app.http.get(&url).header(AUTHORIZATION, format!("bearer {}", session.access));
    assert_eq!(Answer::of(lower.send().await.unwrap()).await.status, 200, "the scheme has no case");
    assert_eq!(app.get("/v1/me", &session.refresh).await.code(), "token_wrong_kind");
    let query = app.send("GET", &format!("/v1/me?access_token={}", session.access), None, None).await;
    assert_eq!(Answer::of(query).await.code(), "authentication_required", "addresses end up in logs");

    let megabyte = "x".repeat(1 << 20);
    // By a client of its own: the server resets this connection, and no other request shall be put on it.
    let other = reqwest::Client::new();
    match other.get(&url).header(AUTHORIZATION, format!("Bearer {megabyte}")).send().await {
        Ok(response) => assert!(response.status().is_client_error(), "{}", response.status()),
        Err(error) => assert!(!error.is_builder(), "the server hung up: {error}"),
    }
    assert_eq!(app.get("/v1/me", &session.access).await.status, 200, "and it still serves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_tokens_of_nobody_are_refused_and_hurt_nobody() {
    let app = TestApp::start().await;
    let session = app.login("admin").await;
    let mut flipped = session.refresh.clone();
    let first = if flipped.remove(4) == 'A' { 'B' } else { 'A' };
    flipped.insert(4, first);
    for token in ["", "sbr_", &"sbr_A".repeat(13), &flipped, &session.access, &"x".repeat(60_000)] {
        let answer = app.refresh(token).await;
        assert_eq!((answer.status, answer.code()), (401, "refresh_token_invalid"), "{token:.80}");
    }
    let answer = app.refresh("sbr_\u{0}").await;
    assert_eq!((answer.status, answer.code()), (400, "invalid_field"), "no text holds a NUL");
    assert_eq!(app.refresh(&session.refresh).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_himself_more_than_he_is() {
    let app = TestApp::start().await;
    app.user("trader", &[Role::Trader], vec![]).await;
    let trader = app.login("trader").await.access;
    let admin = app.login("admin").await.access;
    let before = app.content_hash();
    let everything = json!([{ "account": "*", "actions": ["read", "trade", "approve"] }]);
    for (method, path, body) in [
        ("PATCH", "/v1/users/trader", json!({ "roles": ["admin"] })),
        ("PATCH", "/v1/users/trader", json!({ "grants": everything })),
        ("PATCH", "/v1/users/admin", json!({ "password": "another horse battery" })),
        ("POST", "/v1/users", json!({ "username": "x", "password": "another horse", "roles": ["admin"] })),
        ("POST", "/v1/api-keys", json!({ "name": "x", "scopes": ["orders:write"] })),
    ] {
        let answer = app.call(method, path, &trader, body).await;
        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{method} {path}");
    }
    let body = json!({ "username": "trader", "password": PASSWORD, "roles": ["admin"] });
    assert_eq!(app.post("/v1/auth/login", body).await.code(), "unknown_field");
    for field in ["token_epoch", "username", "password_hash", "created_at", "id"] {
        let answer = app.call("PATCH", "/v1/users/trader", &admin, json!({ field: 0 })).await;
        assert_eq!((answer.status, answer.code()), (400, "unknown_field"), "{field}");
    }
    for field in ["id", "key_hash", "secret", "disabled"] {
        let body = json!({ "name": "x", "scopes": ["signals:write"], field: "x" });
        assert_eq!(app.call("POST", "/v1/api-keys", &admin, body).await.code(), "unknown_field", "{field}");
    }
    let body = json!({ "name": "x", "scopes": ["signals:write"], "owner": "nobody" });
    assert_eq!(app.call("POST", "/v1/api-keys", &admin, body).await.status, 422);
    assert_eq!(app.content_hash(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_passwords_is_slow_for_the_guesser_only() {
    let ten = NonZeroU32::new(10).unwrap();
    let limits = LimitsConf { logins_burst: ten, ..LimitsConf::default() };
    let app = TestApp::start_with(Options { limits, ..Options::default() }).await;
    app.user("bob", &[Role::Viewer], vec![]).await;
    let attempt =
        |username: &str| app.post("/v1/auth/login", json!({ "username": username, "password": "wrong horse" }));
    for _ in 0..10 {
        assert_eq!(attempt("admin").await.code(), "invalid_credentials");
    }
    let refused = attempt("admin").await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"));
    let wait: u64 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=7).contains(&wait), "ten a minute is one in six seconds: {wait}");
    assert_eq!(refused.body["retry_after"], wait);
    let other = app.post("/v1/auth/login", json!({ "username": "bob", "password": PASSWORD })).await;
    assert_eq!(other.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_too_long_to_be_one_costs_nothing() {
    let app = TestApp::start().await;
    for password in ["x".repeat(257), "x".repeat(60_000), String::new()] {
        let answer = app.post("/v1/auth/login", json!({ "username": "admin", "password": password })).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_credentials"));
    }
    for username in ["", "admin ", "ADMIN", "' OR 1=1 --", &"a".repeat(10_000)] {
        let answer = app.post("/v1/auth/login", json!({ "username": username, "password": PASSWORD })).await;
        assert_eq!(answer.code(), "invalid_credentials", "{username:.80}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_user_is_refused_as_late_as_a_known_one() {
    // The real cost: with a cheap hash one would measure the network.
    let app = TestApp::start_with(Options { cost: Cost::default(), ..Options::default() }).await;
    let time = async |username: &str| {
        let start = Instant::now();
        let answer = app.post("/v1/auth/login", json!({ "username": username, "password": "wrong horse" })).await;
        assert_eq!(answer.code(), "invalid_credentials");
        start.elapsed()
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        // In turns, so that whatever else this machine does slows both.
        known.push(time("admin").await);
        unknown.push(time("nobody").await);
    }
    // The fastest of each: what else this machine does only adds to the others. Without the hash it would be a fiftieth.
    let fastest = |times: &[Duration]| times.iter().min().unwrap().as_secs_f64();
    let ratio = fastest(&unknown) / fastest(&known);
    assert!((0.5..2.0).contains(&ratio), "the unknown user took {ratio:.2} times as long");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_is_refused_with_a_time_to_come_back() {
    let app = TestApp::start_with(Options { cost: Cost::default(), ..Options::default() }).await;
    let session = app.login("admin").await;
    let login = || app.post("/v1/auth/login", json!({ "username": "admin", "password": "wrong horse" }));
    let flood = futures_util::future::join_all((0..120).map(|_| login()));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = Instant::now();
        assert_eq!(app.get("/v1/me", &session.access).await.status, 200);
        start.elapsed()
    };
    let (answers, waited) = tokio::join!(flood, meanwhile);
    assert!(answers.iter().all(|answer| matches!(answer.code(), "invalid_credentials" | "busy")));
    assert!(answers.iter().any(|answer| answer.status == 503), "somebody was sent away");
    assert!(waited < Duration::from_secs(1), "others are served meanwhile: {waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_nowhere_but_in_their_answers() {
    let app = TestApp::start().await;
    let session = app.login("admin").await;
    let (_, secret) = app.key(json!({ "name": "robot", "scopes": ["signals:write"] })).await;
    let body = json!({ "username": "bob", "password": "a very secret horse", "roles": ["viewer"] });
    app.call("POST", "/v1/users", &session.access, body).await;
    app.call("PATCH", "/v1/users/bob", &session.access, json!({ "password": "another secret horse" })).await;
    let refreshed = app.refresh(&session.refresh).await;
    let everything = app.dump(|_| true);
    assert!(everything.contains("user.changed") && everything.contains("$argon2id$"), "the dump sees the tables");
    let audit = app.dump(|table| table == "journal");
    let debug = format!("{:?}", app.people);
    let answers = [app.get("/v1/users", &session.access).await, app.get("/v1/api-keys", &session.access).await];
    let answers = format!("{answers:?}");
    for secret in [
        "a very secret horse",
        "another secret horse",
        PASSWORD,
        &secret,
        &session.refresh,
        refreshed.body["refresh_token"].as_str().unwrap(),
        &session.access,
        JWT_SECRET,
    ] {
        for (place, text) in [("tables", &everything), ("debug", &debug), ("answers", &answers)] {
            assert!(!text.contains(secret), "{secret} is in the {place}");
        }
    }
    for (place, text) in [("audit", &audit), ("debug", &debug), ("answers", &answers)] {
        assert!(!text.contains("$argon2id$"), "a password hash is in the {place}");
    }
}
