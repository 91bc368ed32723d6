//! Durable ingest over HTTP: Signalbox with its strategy paused against the barest server that gives the same promise.
//!
//! The limit is actix-web, one HMAC, one JSON parse and one group-committed row, answered after the commit: in SQLite
//! with WAL and FULL, in PostgreSQL with one statement per commit. Both are driven by the same client in the same
//! process, in turn.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _};
use signalbox::conf::Settings;
use signalbox::http;
use signalbox::people::Role;
use signalbox::store::{Hooks, Store, StoreConf};
use signalbox::system::{ClockStart, Signalbox};
use signalbox_domain::ids::StrategyId;
use signalbox_domain::strategy::StrategyState;
use signalbox_support::desk;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::report::{Report, median};

const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;
const SECRET: &[u8] = b"a secret that both sides know";

/// Measured in one round with one number of connections.
#[derive(Debug, Clone, Copy)]
struct Round {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

/// On PostgreSQL: `server` is where databases can be made.
pub(crate) fn postgres(report: &mut Report, server: &str) {
    let limit = serve_limit(postgres_rows(&crate::desk::fresh_database(server)));
    let ours = serve_signalbox(Duration::ZERO, Some(crate::desk::fresh_database(server)));
    let login = format!("Authorization: Bearer {}\r\n", ours.token);
    let (mut bare, mut full) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(drive(limit, 64, "").per_second);
        full.push(drive(ours.address, 64, &login).per_second);
    }
    let (bare, full) = (median(bare), median(full));
    report.tell("bare limit on PostgreSQL, 64 connections", bare, "req/s");
    report.tell("Signalbox on PostgreSQL, 64 connections", full, "req/s");
    report.at_least("durable ingest on PostgreSQL, 64 connections / its limit", full / bare, "", 0.40);
}

pub(crate) fn run(report: &mut Report, flush_delay: Duration) {
    let limit = serve_limit(sqlite_rows(flush_delay));
    let ours = serve_signalbox(flush_delay, None);
    let login = format!("Authorization: Bearer {}\r\n", ours.token);
    let slow = !flush_delay.is_zero();
    let widths: &[usize] = if slow { &[256] } else { &[1, 64] };
    for &connections in widths {
        let (mut bare, mut full) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(drive(limit, connections, ""));
            full.push(drive(ours.address, connections, &login));
        }
        let of = |rounds: &[Round], what: fn(&Round) -> f64| median(rounds.iter().map(what).collect());
        let rate = of(&full, |r| r.per_second) / of(&bare, |r| r.per_second);
        let suffix = if slow { ", 5 ms slower flush" } else { "" };
        report.tell(&format!("bare limit, {connections} connections{suffix}"), of(&bare, |r| r.per_second), "req/s");
        report.tell(&format!("Signalbox, {connections} connections{suffix}"), of(&full, |r| r.per_second), "req/s");
        match connections {
            1 => {
                let p50 = of(&full, |r| r.p50_us) / of(&bare, |r| r.p50_us);
                report.tell("bare limit, 1 connection, p50", of(&bare, |r| r.p50_us), "us");
                report.at_most("1 connection, p50 / the limit's", p50, "", 2.5);
            }
            64 => {
                let p99 = of(&full, |r| r.p99_us) / of(&bare, |r| r.p99_us);
                report.at_least("durable ingest, 64 connections / the limit", rate, "", 0.40);
                report.at_most("64 connections, p99 / the limit's", p99, "", 3.0);
            }
            _ => report.at_least("with 5 ms added to each flush, 256 connections / the limit", rate, "", 0.70),
        }
    }
}

/// Drives a server for one round.
fn drive(address: SocketAddr, connections: usize, headers: &str) -> Round {
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = Instant::now();
    let mut latencies: Vec<u64> = runtime.block_on(async {
        let clients = (0..connections).map(|_| {
            let headers = headers.to_owned();
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut buffer, mut latencies) = (vec![0_u8; 8_192], Vec::new());
                while start.elapsed() < ROUND {
                    let key = KEYS.fetch_add(1, Ordering::Relaxed);
                    let body = format!(
                        "{{\"strategy\":\"solo\",\"symbol\":\"000001.SZ\",\"side\":\"buy\",\"quantity\":100,\
                         \"type\":\"limit\",\"limit_price\":\"10.00\",\"client_signal_id\":\"b{key:012}\"}}"
                    );
                    let signature = sign(body.as_bytes());
                    let request = format!(
                        "POST /v1/signals HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{headers}\
                         X-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let begin = Instant::now();
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let status = answer(&mut stream, &mut buffer).await;
                    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&buffer[..400]));
                    latencies.push(begin.elapsed().as_micros() as u64);
                }
                latencies
            })
        });
        let clients: Vec<_> = clients.collect();
        let mut all = Vec::new();
        for client in clients {
            all.append(&mut client.await.unwrap());
        }
        all
    });
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64;
    Round { per_second: latencies.len() as f64 / seconds, p50_us: at(0.50), p99_us: at(0.99) }
}

/// Reads one answer and returns its status.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> u16 {
    let mut have = 0;
    loop {
        let read = stream.read(&mut buffer[have..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        have += read;
        let text = std::str::from_utf8(&buffer[..have]).unwrap();
        let Some(head) = text.find("\r\n\r\n") else { continue };
        let length = text[..head]
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
            .map_or(0, |length| length.parse::<usize>().unwrap());
        if have >= head + 4 + length {
            return text[9..12].parse().unwrap();
        }
    }
}

fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

type Waiting = (String, oneshot::Sender<()>);

/// What makes the rows of one commit durable, used on a thread of its own.
type Rows = Box<dyn FnMut(&[Waiting]) + Send>;

fn sqlite_rows(flush_delay: Duration) -> Rows {
    let folder = tempfile::tempdir().unwrap();
    let mut db = rusqlite::Connection::open(folder.path().join("limit.db")).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)",
    )
    .unwrap();
    Box::new(move |batch| {
        let _keep = &folder;
        let tx = db.transaction().unwrap();
        for (body, _) in batch {
            tx.prepare_cached("INSERT INTO t(body) VALUES (?)").unwrap().execute([body]).unwrap();
        }
        if !flush_delay.is_zero() {
            std::thread::sleep(flush_delay);
        }
        tx.commit().unwrap();
    })
}

fn postgres_rows(url: &str) -> Rows {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = runtime.block_on(options.disable_statement_logging().connect()).unwrap();
    let create = "CREATE TABLE t(id BIGINT PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body TEXT)";
    runtime.block_on(sqlx::query(create).execute(&mut connection)).unwrap();
    Box::new(move |batch| {
        let bodies: Vec<&str> = batch.iter().map(|(body, _)| body.as_str()).collect();
        let insert = sqlx::query("INSERT INTO t(body) SELECT unnest($1::text[])").bind(bodies);
        runtime.block_on(insert.execute(&mut connection)).unwrap();
    })
}

/// The barest server with the same promise, on a thread of its own.
fn serve_limit(mut rows: Rows) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (queue, jobs) = mpsc::channel::<Waiting>();
    std::thread::spawn(move || {
        while let Ok(first) = jobs.recv() {
            let batch: Vec<Waiting> = std::iter::once(first).chain(jobs.try_iter()).collect();
            rows(&batch);
            for (_, answer) in batch {
                let _ = answer.send(());
            }
        }
    });
    std::thread::spawn(move || {
        actix::System::new().block_on(async move {
            HttpServer::new(move || {
                App::new().app_data(web::Data::new(queue.clone())).route("/v1/signals", web::post().to(take))
            })
            .workers(1)
            .listen(listener)
            .unwrap()
            .run()
            .await
            .unwrap();
        });
    });
    address
}

async fn take(request: HttpRequest, body: web::Bytes, queue: web::Data<mpsc::Sender<Waiting>>) -> HttpResponse {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(&body);
    let expected: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    if request.headers().get("x-signature").is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return HttpResponse::Unauthorized().finish();
    }
    let Ok(parsed) = serde_json::from_slice::<serde_json::Value>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let (answer, committed) = oneshot::channel();
    queue.send((parsed.to_string(), answer)).unwrap();
    committed.await.unwrap();
    HttpResponse::Accepted().json(serde_json::json!({"id": "1", "status": "accepted"}))
}

struct Ours {
    address: SocketAddr,
    token: String,
}

/// The whole of Signalbox with its strategies paused, on a thread of its own.
fn serve_signalbox(flush_delay: Duration, database: Option<String>) -> Ours {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        actix::System::with_tokio_rt(runtime).block_on(async move {
            let folder = tempfile::tempdir().unwrap();
            let mut settings = Settings::demo().unwrap();
            settings.data_dir = folder.path().to_owned();
            settings.database = database.unwrap_or(settings.database);
            settings.people.folder = folder.path().to_owned();
            let many = std::num::NonZeroU32::new(100_000_000).unwrap();
            settings.limits.writes_per_s = many;
            settings.limits.writes_burst = many;
            let store = Store::open_with(
                StoreConf::new(settings.database.clone(), folder.path()),
                Hooks { flush_delay, ..Hooks::default() },
            )
            .await
            .unwrap();
            let start = ClockStart::At { start: desk::monday_morning(), speed: 1 };
            let system = Signalbox::on_store(settings, store, start).await.unwrap();
            let solo = StrategyId::parse("solo").unwrap();
            system.desk.set_strategy_state(solo, StrategyState::Paused, "bench".into(), "bench".into()).await.unwrap();
            let password = "correct horse battery";
            system.people.ensure_user("admin", password.to_owned().into(), vec![Role::Admin], vec![]).await.unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = http::serve(listener, 1, http::install(&system).unwrap()).unwrap();
            actix::spawn(async move {
                let login = format!("{{\"username\":\"admin\",\"password\":\"{password}\"}}");
                let client = reqwest::Client::new();
                let answer = client
                    .post(format!("http://{address}/v1/auth/login"))
                    .header("content-type", "application/json")
                    .body(login)
                    .send()
                    .await
                    .unwrap();
                let answer: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
                tell.send(Ours { address, token: answer["access_token"].as_str().unwrap().to_owned() }).unwrap();
            });
            server.await.unwrap();
        });
    });
    told.recv().unwrap()
}
