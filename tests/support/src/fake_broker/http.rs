//! The HTTP shell: clock, timers, cut lines, and no decisions.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::{Bytes, Data, Json};
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use signalbox_brokers::fake::fault::Fault;
use signalbox_brokers::fake::wire::{
    CancelRequest, ConnectRequest, Control, FindRequest, ListRequest, PushRequest, SubmitRequest,
};
use signalbox_brokers::fake::{Answer, FakeBroker, FakeConf, How};
use signalbox_domain::units::{Span, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ledger::Ledger;

/// A fake broker that runs.
pub struct Running {
    pub at: SocketAddr,
    pub server: Server,
    pub handle: ServerHandle,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Starts on a ledger; `open` are accounts that shall exist.
///
/// # Errors
/// When the address or the ledger cannot be used.
pub fn start(listen: SocketAddr, ledger: &Path, conf: FakeConf, open: Vec<Control>) -> io::Result<Running> {
    let listener = TcpListener::bind(listen)?;
    let at = listener.local_addr()?;
    let (ledger, lines) = Ledger::open(ledger)?;
    // A stream's number differs from that of every earlier life, because each life writes lines.
    let broker = FakeBroker::resume(conf, &lines, lines.len() as u64 + 1);
    let origin = (broker.now(), now());
    let shop = Data::new(Shop { counter: Mutex::new(Counter { broker, ledger, origin }), moved: Notify::new() });
    for control in open {
        // An account that an earlier life opened is open.
        let _ = shop.at_counter(None, |broker, at| broker.control(at, control));
    }
    let timers = shop.clone().into_inner();
    rt::spawn(async move { timers.keep_time().await });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shop.clone())
            .route("/connect", web::post().to(connect))
            .route("/submit", web::post().to(submit))
            .route("/cancel", web::post().to(cancel))
            .route("/find", web::post().to(find))
            .route("/list", web::post().to(list))
            .route("/pushes", web::post().to(pushes))
            .route("/control", web::post().to(control))
            .route("/faults", web::get().to(faults))
            .route("/truth", web::get().to(truth))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok(Running { at, server, handle })
}

struct Shop {
    counter: Mutex<Counter>,
    /// Rung when something happened that somebody may wait for.
    moved: Notify,
}

struct Counter {
    broker: FakeBroker,
    ledger: Ledger,
    /// The clients' clock, and when it was told.
    origin: (Timestamp, Instant),
}

impl Counter {
    fn clock(&self) -> Timestamp {
        let passed = i64::try_from(now().duration_since(self.origin.1).as_micros()).unwrap_or(i64::MAX);
        self.origin.0.plus(Span::from_us(passed))
    }
}

impl Shop {
    /// Does something at the broker; what it wrote is durable before this returns.
    fn at_counter<R>(&self, told: Option<Timestamp>, act: impl FnOnce(&mut FakeBroker, Timestamp) -> R) -> R {
        let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = told {
            counter.origin = (told, now());
        }
        let at = counter.clock();
        let result = act(&mut counter.broker, at);
        let lines = counter.broker.take_ledger();
        if let Err(error) = counter.ledger.append(&lines) {
            eprintln!("the ledger cannot be written: {error}");
            std::process::exit(74); // EX_IOERR: what is not in the ledger was never said
        }
        if !lines.is_empty() {
            self.moved.notify_waiters();
        }
        result
    }

    /// Waits as long as the account hangs.
    async fn hang(&self, told: Option<Timestamp>, account: &str) {
        let mut told = told;
        while let Some(left) = self.at_counter(told.take(), |broker, at| broker.hangs(at, account)) {
            // It may be let go of earlier.
            tokio::time::sleep(real(left).min(Duration::from_millis(20))).await;
        }
    }

    async fn keep_time(&self) {
        loop {
            let next = self.at_counter(None, |broker, at| {
                broker.tick(at);
                broker.next_due().map(|due| due.since(at))
            });
            let moved = self.moved.notified();
            let wait = next.map_or(Duration::from_secs(1), real).min(Duration::from_secs(1));
            // What was written between the look and the wait is seen a moment later.
            let _ = tokio::time::timeout(wait.clamp(Duration::from_millis(1), Duration::from_millis(20)), moved).await;
        }
    }
}

fn real(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.us()).unwrap_or(0))
}

/// Carries a request out whether its client waits or not, as a terminal does.
async fn apart(work: impl Future<Output = HttpResponse> + 'static) -> HttpResponse {
    rt::spawn(work).await.unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}

async fn answer<T: Serialize>(answer: Answer<T>) -> HttpResponse {
    match answer.how {
        How::Now => {}
        How::AfterMs(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        How::Cut => {
            let cut = stream::once(async { Err::<Bytes, io::Error>(io::ErrorKind::ConnectionReset.into()) });
            return HttpResponse::Ok().streaming(cut);
        }
    }
    HttpResponse::Ok().json(answer.what)
}

async fn connect(shop: Data<Shop>, request: Json<ConnectRequest>) -> HttpResponse {
    apart(async move {
        let mut request = request.into_inner();
        shop.hang(Some(request.at), &request.account).await;
        let said = shop.at_counter(None, |broker, at| {
            request.at = at;
            broker.connect(&request)
        });
        answer(said).await
    })
    .await
}

async fn submit(shop: Data<Shop>, request: Json<SubmitRequest>) -> HttpResponse {
    apart(async move {
        let mut request = request.into_inner();
        shop.hang(Some(request.at), &request.account).await;
        let said = shop.at_counter(None, |broker, at| {
            request.at = at;
            broker.submit(&request)
        });
        answer(said).await
    })
    .await
}

async fn cancel(shop: Data<Shop>, request: Json<CancelRequest>) -> HttpResponse {
    apart(async move {
        let mut request = request.into_inner();
        shop.hang(Some(request.at), &request.account).await;
        let said = shop.at_counter(None, |broker, at| {
            request.at = at;
            broker.cancel(&request)
        });
        answer(said).await
    })
    .await
}

async fn find(shop: Data<Shop>, request: Json<FindRequest>) -> HttpResponse {
    let mut request = request.into_inner();
    shop.hang(Some(request.at), &request.account).await;
    let said = shop.at_counter(None, |broker, at| {
        request.at = at;
        broker.find(&request)
    });
    answer(said).await
}

async fn list(shop: Data<Shop>, request: Json<ListRequest>) -> HttpResponse {
    let mut request = request.into_inner();
    shop.hang(Some(request.at), &request.account).await;
    let said = shop.at_counter(None, |broker, at| {
        request.at = at;
        broker.list(&request)
    });
    answer(said).await
}

/// A long poll.
async fn pushes(shop: Data<Shop>, request: Json<PushRequest>) -> HttpResponse {
    let over = now() + Duration::from_millis(request.wait_ms);
    loop {
        let moved = shop.moved.notified();
        shop.hang(None, &request.account).await;
        let pushes = shop.at_counter(None, |broker, _| broker.pushes(&request));
        if !pushes.items.is_empty() || now() >= over {
            return HttpResponse::Ok().json(pushes);
        }
        let wait = over.duration_since(now()).min(Duration::from_millis(50));
        let _ = tokio::time::timeout(wait, moved).await;
    }
}

async fn control(shop: Data<Shop>, request: Json<Control>) -> HttpResponse {
    match shop.at_counter(None, |broker, at| broker.control(at, request.into_inner())) {
        Ok(()) => HttpResponse::Ok().json(json!({ "ok": true })),
        Err(what) => HttpResponse::BadRequest().json(json!({ "ok": false, "text": what })),
    }
}

/// Every fault there is, and those that are armed.
async fn faults(shop: Data<Shop>) -> HttpResponse {
    let all: Vec<_> = Fault::all().map(|fault| json!({ "fault": fault, "group": fault.group() })).collect();
    let armed = shop.at_counter(None, |broker, _| broker.armed());
    HttpResponse::Ok().json(json!({ "all": all, "armed": armed }))
}

/// What really happened.
async fn truth(shop: Data<Shop>) -> HttpResponse {
    HttpResponse::Ok().json(shop.at_counter(None, |broker, _| broker.truth()))
}

#[expect(clippy::disallowed_methods, reason = "this is the broker's clock")]
fn now() -> Instant {
    Instant::now()
}
