//! A server of its own for each test, and the people who knock at it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, Response};
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use signalbox::clock::ManualClock;
use signalbox::conf::Settings;
use signalbox::http;
use signalbox::http::limits::LimitsConf;
use signalbox::market::instruments;
use signalbox::people::password::Cost;
use signalbox::people::{Action, Grant, Pattern, People, PeopleConf, Role};
use signalbox::store::{Store, StoreConf};
use signalbox::system::{ClockStart, Signalbox};
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::instrument::Currency;
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf};
use signalbox_domain::units::{Span, Timestamp};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const JWT_SECRET: &str = "a signing key for tests, 32 bytes or more";
/// 2019-02-01T10:00:00+08:00, on the market clock.
const TEN_O_CLOCK: Timestamp = Timestamp::from_us(1_548_986_400_000_000);
/// The tests' servers tell the time by hand.
const START: Timestamp = Timestamp::from_us(1_790_000_000_000_000);

pub(crate) struct TestApp {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) people: Arc<People>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Store,
    server: ServerHandle,
    trading: Trading,
    folder: tempfile::TempDir,
}

/// The thread of the actors. It ends when this is dropped.
struct Trading {
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

/// The demonstration's accounts, and two strategies: one that goes to `paper-a`, one to `paper-b`.
fn settings(folder: &Path, options: &Options) -> Settings {
    let mut settings = Settings::demo().unwrap();
    settings.data_dir = folder.to_owned();
    let paper_c = settings.accounts.last_mut().unwrap();
    paper_c.currency = options.paper_c_in;
    Arc::make_mut(&mut paper_c.limits).currency = options.paper_c_in;
    settings.limits = options.limits.clone();
    for (name, account) in [("small-cap", "paper-a"), ("elsewhere", "paper-b")] {
        let to = RouteTo::Account(AccountId::parse(account).unwrap());
        settings.strategies.push(Arc::new(StrategyConf {
            id: StrategyId::parse(name).unwrap(),
            kind: "external".into(),
            routes: vec![Route::plain(to)],
        }));
    }
    settings
}

/// Starts the actors on a thread of their own, at ten o'clock of a trading day.
async fn trade(
    store: Store,
    people: Arc<People>,
    settings: Settings,
    (start, speed): (Timestamp, u32),
) -> (Signalbox, Trading) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        actix::System::new().block_on(async move {
            let start = ClockStart::At { start, speed };
            let system = Signalbox::with_people(settings, store, people, start).await.unwrap();
            let desk = system.desk.clone();
            assert!(tell.send(system).is_ok());
            let _ = stopped.await; // told, or left alone by a test that is over
            let _ = desk.drain().await;
        });
    });
    (told.await.unwrap(), Trading { stop, thread })
}

pub(crate) struct Options {
    pub(crate) cost: Cost,
    pub(crate) limits: LimitsConf,
    /// The currency of the account `paper-c`.
    pub(crate) paper_c_in: Currency,
    /// On the market clock.
    pub(crate) begins: Timestamp,
    /// How fast that clock runs.
    pub(crate) speed: u32,
    /// A table of instruments beside those that come with the program: its name, and its text.
    pub(crate) imported: Option<(&'static str, &'static str)>,
}

impl Default for Options {
    fn default() -> Self {
        let many = NonZeroU32::new(1_000_000).unwrap();
        let limits = LimitsConf {
            logins_per_min: many,
            logins_burst: many,
            logins_per_address_per_min: many,
            logins_per_username_per_min: many,
            refreshes_per_address_per_min: many,
            ..LimitsConf::default()
        };
        // The tests log in hundreds of times.
        let cost = Cost { memory_kib: 8, passes: 1 };
        Self { cost, limits, paper_c_in: Currency::Cny, begins: TEN_O_CLOCK, speed: 1, imported: None }
    }
}

impl TestApp {
    /// With the administrator `admin`.
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(START)), options).await
    }

    async fn start_in(folder: tempfile::TempDir, clock: Arc<ManualClock>, options: Options) -> Self {
        let store = Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, folder.path())).await.unwrap();
        let conf = PeopleConf {
            folder: folder.path().to_owned(),
            jwt_secret: Some(JWT_SECRET.into()),
            password_cost: options.cost,
            ..PeopleConf::default()
        };
        let people = People::open(store.clone(), conf, clock.clone()).await.unwrap();
        people.ensure_user("admin", PASSWORD.into(), vec![Role::Admin], vec![]).await.unwrap();

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        if let Some((name, text)) = options.imported {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            instruments::import(folder.path(), &[file]).unwrap();
        }
        let settings = settings(folder.path(), &options);
        let (system, trading) = trade(store.clone(), people.clone(), settings, (options.begins, options.speed)).await;
        let server = http::serve(listener, 2, http::install(&system).unwrap()).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        Self { base, http: reqwest::Client::new(), people, clock, store, server: handle, trading, folder }
    }

    /// The same data folder, a new process as far as one can tell.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(Options::default()).await
    }

    pub(crate) async fn restart_with(self, options: Options) -> Self {
        let Self { server, people, store, clock, trading, folder, .. } = self;
        server.stop(true).await;
        let _ = trading.stop.send(());
        tokio::task::spawn_blocking(|| trading.thread.join().unwrap()).await.unwrap();
        drop(people);
        store.close();
        drop(store);
        // The workers let go of their shares of the store a moment after they stopped.
        for _ in 0..200 {
            if Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, folder.path())).await.is_ok() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Self::start_in(folder, clock, options).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<String>) -> Response {
        let mut request =
            self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        Answer::of(self.send("GET", path, Some(token), None).await).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        Answer::of(self.send(method, path, Some(token), Some(body.to_string())).await).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.send("POST", path, None, Some(body.to_string())).await).await
    }

    pub(crate) async fn login(&self, username: &str) -> Session {
        let answer = self.post("/v1/auth/login", json!({ "username": username, "password": PASSWORD })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = |key: &str| answer.body[key].as_str().unwrap().to_owned();
        Session { access: text("access_token"), refresh: text("refresh_token") }
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("/v1/auth/refresh", json!({ "refresh_token": token })).await
    }

    pub(crate) async fn user(&self, username: &str, roles: &[Role], grants: Vec<Grant>) {
        self.people.ensure_user(username, PASSWORD.into(), roles.to_vec(), grants).await.unwrap();
    }

    pub(crate) async fn key(&self, body: Value) -> (String, String) {
        let admin = self.login("admin").await;
        let answer = self.call("POST", "/v1/api-keys", &admin.access, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |key: &str| answer.body[key].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    /// The number of a fresh signal, with its order, of somebody who may trade everywhere.
    pub(crate) async fn signal(&self, strategy: &str) -> u64 {
        let everywhere = Grant::account(Pattern::all(), &[Action::Read, Action::Trade]);
        self.user("boss", &[Role::Trader], vec![everywhere]).await;
        let boss = self.login("boss").await.access;
        let signal = json!({
            "strategy": strategy, "symbol": "600000.SH", "side": "buy", "quantity": 100, "limit_price": "9.00",
            "client_signal_id": unique(),
        });
        let answer = self.call("POST", "/v1/signals", &boss, signal).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        self.settled().await;
        answer.body["id"].as_str().unwrap().strip_prefix("sig-").unwrap().parse().unwrap()
    }

    /// Every row of every table, but for those that grow with each refusal.
    pub(crate) fn content(&self) -> String {
        self.dump(|table| !matches!(table, "journal" | "lease" | "meta" | "seaql_migrations"))
    }

    pub(crate) fn content_hash(&self) -> String {
        Sha256::digest(self.content().as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    }

    /// The same, once the actors have done what there was to do.
    pub(crate) async fn settled(&self) -> String {
        let (mut seen, mut times) = (self.content_hash(), 0);
        while times < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            let now = self.content_hash();
            times = if now == seen { times + 1 } else { 0 };
            seen = now;
        }
        seen
    }

    pub(crate) fn dump(&self, wanted: impl Fn(&str) -> bool) -> String {
        let file = self.folder.path().join("signalbox.db");
        let db = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
        let tables: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut text = String::new();
        for table in tables.iter().filter(|table| wanted(table)) {
            let mut query = db.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1")).unwrap();
            let columns = query.column_count();
            let mut rows = query.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                write!(text, "{table}|").unwrap();
                for column in 0..columns {
                    match row.get_ref(column).unwrap() {
                        // As it was written, so that one can search it.
                        ValueRef::Text(value) => text.push_str(std::str::from_utf8(value).unwrap()),
                        other => write!(text, "{other:?}").unwrap(),
                    }
                    text.push('|');
                }
                text.push('\n');
            }
        }
        text
    }
}

/// A text never used before.
pub(crate) fn unique() -> String {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    format!("test-{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// An answer, read and checked for what every answer promises.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let endless = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let text = |v: &reqwest::header::HeaderValue| v.to_str().unwrap_or_default().to_owned();
        let headers: BTreeMap<_, _> = response.headers().iter().map(|(k, v)| (k.to_string(), text(v))).collect();
        let bytes = if endless { Default::default() } else { response.bytes().await.unwrap() };
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let answer = Self { status, headers, body };
        if status >= 400 {
            let kind = answer.headers.get("content-type").map(String::as_str);
            assert_eq!(kind, Some("application/problem+json"), "{answer:?}");
            assert_eq!(answer.body["status"], status, "{answer:?}");
            assert!(answer.body["code"].is_string() && answer.body["title"].is_string(), "{answer:?}");
        }
        assert_eq!(status == 401, answer.headers.contains_key("www-authenticate"), "{answer:?}");
        assert_eq!(matches!(status, 429 | 503), answer.headers.contains_key("retry-after"), "{answer:?}");
        assert_eq!(answer.headers.get("cache-control").map(String::as_str), Some("no-store"), "{answer:?}");
        answer
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// The tokens of everybody in the matrix, by the names of its columns. `None`: no token.
pub(crate) async fn principals(app: &TestApp) -> BTreeMap<&'static str, Option<String>> {
    let on =
        |account: &str, actions: &[Action]| Grant::account(Pattern::try_from(account.to_owned()).unwrap(), actions);
    app.user("viewer", &[Role::Viewer], vec![on("paper-a", &[Action::Read])]).await;
    app.user("trader", &[Role::Trader], vec![on("paper-a", &[Action::Read, Action::Trade])]).await;
    app.user("risk", &[Role::Risk], vec![]).await;
    app.user("late", &[Role::Admin], vec![]).await;
    app.user("gone", &[Role::Admin], vec![]).await;
    app.user("spare", &[Role::Viewer], vec![]).await;

    let admin = app.login("admin").await.access;
    app.call("PATCH", "/v1/users/gone", &admin, json!({ "disabled": false })).await;
    let expired = app.login("late").await.access;
    app.clock.advance(Span::from_secs(11 * 60));
    let admin = app.login("admin").await.access;
    let disabled = app.login("gone").await.access;
    app.call("PATCH", "/v1/users/gone", &admin, json!({ "disabled": true })).await;
    let signals = json!({ "name": "robot", "scopes": ["signals:write"], "strategies": ["small-cap"], "accounts": [] });
    let other = json!({ "name": "screen", "scopes": ["accounts:read"], "strategies": [], "accounts": ["paper-b"] });
    BTreeMap::from([
        ("anonymous", None),
        ("viewer", Some(app.login("viewer").await.access)),
        ("trader", Some(app.login("trader").await.access)),
        ("risk", Some(app.login("risk").await.access)),
        ("admin", Some(admin)),
        ("key_signals", Some(app.key(signals).await.1)),
        ("key_other", Some(app.key(other).await.1)),
        ("disabled", Some(disabled)),
        ("expired", Some(expired)),
        ("refresh_as_access", Some(app.login("admin").await.refresh)),
    ])
}
