//! Sessions: refresh tokens are good once, and what ends a session ends it at once.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use serde_json::json;
use signalbox::people::{Role, UserPatch};
use signalbox_domain::ids::ClientId;
use signalbox_domain::units::Span;

use crate::support::{Answer, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_used_again_by_the_thief_ends_the_session() {
    let app = TestApp::start().await;
    let stolen = app.login("admin").await;
    let owner = app.refresh(&stolen.refresh).await;
    assert_eq!(owner.status, 200);
    let thief = app.refresh(&stolen.refresh).await;
    assert_eq!((thief.status, thief.code()), (401, "refresh_token_reused"));
    let owner_again = app.refresh(owner.body["refresh_token"].as_str().unwrap()).await;
    assert_eq!((owner_again.status, owner_again.code()), (401, "refresh_token_invalid"), "both have to log in");
    let access = app.get("/v1/me", owner.body["access_token"].as_str().unwrap()).await;
    assert_eq!((access.status, access.code()), (401, "token_revoked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thief_who_refreshes_first_is_thrown_out_when_the_owner_comes() {
    let app = TestApp::start().await;
    let stolen = app.login("admin").await;
    let thief = app.refresh(&stolen.refresh).await;
    let second = app.refresh(thief.body["refresh_token"].as_str().unwrap()).await;
    assert_eq!(second.status, 200, "he went on before anybody noticed");
    assert_eq!(
        app.refresh(&stolen.refresh).await.code(),
        "refresh_token_reused",
        "older than the one before counts too"
    );
    assert_eq!(app.refresh(second.body["refresh_token"].as_str().unwrap()).await.status, 401);
    assert_eq!(app.get("/v1/me", second.body["access_token"].as_str().unwrap()).await.code(), "token_revoked");
    assert_eq!(app.get("/v1/me", &app.login("admin").await.access).await.status, 200, "other sessions live on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_refreshes_at_once_one_wins_and_the_others_end_the_session() {
    let app = TestApp::start().await;
    let session = app.login("admin").await;
    let all = futures_util::future::join_all((0..50).map(|_| app.refresh(&session.refresh))).await;
    let winners: Vec<&Answer> = all.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(winners.len(), 1);
    assert!(all.iter().all(|answer| matches!(answer.status, 200 | 401)));
    assert_eq!(
        all.iter().filter(|answer| answer.code() == "refresh_token_reused").count(),
        1,
        "the first of the others"
    );
    let next = winners[0].body["refresh_token"].as_str().unwrap();
    assert_eq!(app.refresh(next).await.status, 401, "nobody knows who the winner was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshing_one_after_the_other_works_for_twelve_hours() {
    let app = TestApp::start().await;
    let mut token = app.login("admin").await.refresh;
    for _ in 0..11 {
        app.clock.advance(Span::from_secs(60 * 60));
        let answer = app.refresh(&token).await;
        assert_eq!(answer.status, 200);
        assert_eq!(app.get("/v1/me", answer.body["access_token"].as_str().unwrap()).await.status, 200);
        token = answer.body["refresh_token"].as_str().unwrap().to_owned();
    }
    app.clock.advance(Span::from_secs(60 * 60));
    assert_eq!(app.refresh(&token).await.code(), "refresh_token_invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_ends_with_logout_password_role_disabling_and_removal() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    let change = |body: serde_json::Value| {
        let (app, admin) = (&app, &admin);
        async move {
            let answer = app.call("PATCH", "/v1/users/bob", admin, body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    };
    app.user("bob", &[Role::Trader], vec![]).await;

    let bob = app.login("bob").await;
    assert_eq!(app.send("POST", "/v1/auth/logout", Some(&bob.access), None).await.status(), 204);
    assert_eq!(app.get("/v1/me", &bob.access).await.code(), "token_revoked");
    assert_eq!(app.refresh(&bob.refresh).await.code(), "refresh_token_invalid");

    let bob = app.login("bob").await;
    change(json!({ "roles": ["viewer"] })).await;
    assert_eq!(app.get("/v1/me", &bob.access).await.code(), "token_revoked", "he was somebody else then");
    let again = app.refresh(&bob.refresh).await;
    assert_eq!(again.status, 200, "he need not log in");
    let access = again.body["access_token"].as_str().unwrap();
    assert_eq!(app.get("/v1/me", access).await.body["roles"], json!(["viewer"]));

    change(json!({ "grants": [{ "account": "a", "actions": ["read"] }] })).await;
    let me = app.get("/v1/me", access).await;
    assert_eq!(me.body["grants"], json!([{ "account": "a", "actions": ["read"] }]), "grants count at once");

    let bob = app.login("bob").await;
    change(json!({ "password": "another horse battery" })).await;
    assert_eq!(app.get("/v1/me", &bob.access).await.code(), "token_revoked");
    assert_eq!(app.refresh(&bob.refresh).await.code(), "refresh_token_invalid");
    let old = app.post("/v1/auth/login", json!({ "username": "bob", "password": crate::support::PASSWORD })).await;
    assert_eq!(old.code(), "invalid_credentials");

    change(json!({ "password": crate::support::PASSWORD })).await;
    let bob = app.login("bob").await;
    change(json!({ "disabled": true })).await;
    assert_eq!(app.get("/v1/me", &bob.access).await.code(), "token_revoked");
    assert_eq!(app.refresh(&bob.refresh).await.code(), "refresh_token_invalid");
    let disabled = app.post("/v1/auth/login", json!({ "username": "bob", "password": crate::support::PASSWORD })).await;
    assert_eq!(disabled.code(), "invalid_credentials", "as for everybody else");
    change(json!({ "disabled": false })).await;
    assert_eq!(app.get("/v1/me", &bob.access).await.code(), "token_revoked", "what was revoked stays so");

    let bob = app.login("bob").await;
    assert_eq!(app.send("DELETE", "/v1/users/bob", Some(&admin), None).await.status(), 204);
    app.user("bob", &[Role::Admin], vec![]).await;
    assert_eq!(app.get("/v1/me", &bob.access).await.code(), "token_revoked", "another person of the same name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_works_until_it_or_its_owner_goes() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    app.user("owner", &[Role::Viewer], vec![]).await;
    let body = json!({ "name": "robot", "scopes": ["signals:write"], "owner": "owner" });
    let (id, secret) = app.key(body.clone()).await;
    let me = app.get("/v1/me", &secret).await;
    assert_eq!((me.body["kind"].as_str(), me.body["id"].as_str()), (Some("api_key"), Some(&*id)));
    let keys = app.get("/v1/api-keys", &admin).await;
    assert!(keys.body["items"][0]["last_used_at"].is_string() && keys.body["items"][0].get("secret").is_none());

    app.call("PATCH", "/v1/users/owner", &admin, json!({ "disabled": true })).await;
    assert_eq!(app.get("/v1/me", &secret).await.code(), "token_revoked");
    app.call("PATCH", "/v1/users/owner", &admin, json!({ "disabled": false })).await;
    assert_eq!(app.get("/v1/me", &secret).await.status, 200);

    assert_eq!(app.send("DELETE", &format!("/v1/api-keys/{id}"), Some(&admin), None).await.status(), 204);
    assert_eq!(app.get("/v1/me", &secret).await.code(), "token_invalid");
    let (_, secret) = app.key(body).await;
    assert_eq!(app.send("DELETE", "/v1/users/owner", Some(&admin), None).await.status(), 204);
    assert_eq!(app.get("/v1/me", &secret).await.code(), "token_invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_cannot_be_lost() {
    let app = TestApp::start().await;
    let admin = app.login("admin").await.access;
    app.user("second", &[Role::Admin], vec![]).await;
    let disabled = app.call("PATCH", "/v1/users/second", &admin, json!({ "disabled": true })).await;
    assert_eq!(disabled.status, 200);
    for body in [json!({ "disabled": true }), json!({ "roles": ["trader"] })] {
        let answer = app.call("PATCH", "/v1/users/admin", &admin, body).await;
        assert_eq!((answer.status, answer.code()), (409, "last_admin"), "a disabled one does not count");
    }
    let answer = Answer::of(app.send("DELETE", "/v1/users/admin", Some(&admin), None).await).await;
    assert_eq!((answer.status, answer.code()), (409, "last_admin"));
    app.call("PATCH", "/v1/users/second", &admin, json!({ "disabled": false })).await;
    assert_eq!(app.send("DELETE", "/v1/users/admin", Some(&admin), None).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_nobody_and_forgives_nobody() {
    let app = TestApp::start().await;
    let (kept, ended) = (app.login("admin").await, app.login("admin").await);
    let (_, secret) = app.key(json!({ "name": "robot", "scopes": ["signals:write"] })).await;
    app.send("POST", "/v1/auth/logout", Some(&ended.access), None).await;
    assert_eq!(app.get("/v1/me", &secret).await.status, 200);
    app.people.save_usage().await.unwrap();

    let app = app.restart().await;
    assert_eq!(app.get("/v1/me", &kept.access).await.status, 200);
    assert_eq!(app.get("/v1/me", &ended.access).await.code(), "token_revoked");
    let keys = app.get("/v1/api-keys", &kept.access).await;
    assert!(keys.body["items"][0]["last_used_at"].is_string(), "{keys:?}");
    assert_eq!(app.get("/v1/me", &secret).await.status, 200);
    assert_eq!(app.refresh(&kept.refresh).await.status, 200);
    assert_eq!(app.refresh(&kept.refresh).await.code(), "refresh_token_reused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages() {
    let app = TestApp::start().await;
    for n in 0..5 {
        app.clock.advance(Span::from_secs(1));
        app.user(&format!("user-{n}"), &[Role::Viewer], vec![]).await;
    }
    let admin = app.login("admin").await.access;
    let first = app.get("/v1/users?limit=4", &admin).await;
    let names = |answer: &Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().unwrap().iter();
        items.map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["user-4", "user-3", "user-2", "user-1"]);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/users?limit=4&cursor={cursor}"), &admin).await;
    assert_eq!(names(&second), ["user-0", "admin"]);
    assert!(second.body["next_cursor"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_client_hangs_up_is_made_all_the_same() {
    let app = TestApp::start().await;
    app.user("bob", &[Role::Viewer], vec![]).await;
    let bob = app.login("bob").await;
    let admin = ClientId::parse("admin").unwrap();
    // A disk may be faster than the first look at the change: then there is nobody to hang up, and it is tried again.
    let mut hung_up = false;
    for _ in 0..100 {
        let disabled = !app.people.user("bob").unwrap().disabled;
        let patch = UserPatch { disabled: Some(disabled), ..UserPatch::default() };
        {
            let mut change = std::pin::pin!(app.people.change_user("bob", patch, &admin));
            hung_up = poll_fn(|cx| Poll::Ready(change.as_mut().poll(cx).is_pending())).await;
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while app.people.user("bob").unwrap().disabled != disabled {
            assert!(Instant::now() < deadline, "he is changed in the table, but not in memory");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if hung_up && disabled {
            break;
        }
    }
    assert!(hung_up, "on its way to the disk");
    assert_eq!(app.get("/v1/me", &bob.access).await.status, 401);
}
