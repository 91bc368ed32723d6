//! The cores through their actors: with a journal in memory, with the real one, with many accounts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _};
use signalbox::restore::StoreRestorer;
use signalbox::store::{NewSignal, Store, StoreConf, body_hash};
use signalbox_actors::desk::Desk;
use signalbox_actors::journal::{Inbox, Journal, MemoryJournal, Restorer};
use signalbox_actors::market::Quotes;
use signalbox_actors::port::tell;
use signalbox_actors::root::{Root, boot};
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::execution::{Conditions, Execution};
use signalbox_domain::signal::Signal;
use signalbox_domain::units::Price;
use signalbox_support::desk;
use tokio::sync::Notify;

use crate::report::{Report, median};

fn system<R>(work: impl Future<Output = R>) -> R {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(work)
}

async fn start(
    accounts: usize,
    everywhere: bool,
    journal: Arc<dyn Journal>,
    committed: Arc<Notify>,
    inbox: Arc<dyn Inbox>,
    restorer: Arc<dyn Restorer>,
) -> Root {
    let root = boot(desk::boot(accounts, everywhere, journal, committed, inbox, restorer)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let quote = desk::quote(desk::monday_morning(), 100_000);
    tell(&root.market, Quotes { quotes: vec![quote], answer: None });
    tokio::time::sleep(Duration::from_millis(100)).await;
    root
}

/// The shares that all accounts hold.
fn held(root: &Root, accounts: usize) -> i64 {
    let ledgers = root.board.ledgers.borrow();
    let of = |n| ledgers.get(&desk::account_id(n)).map_or(0, |l| l.holding(desk::symbol()).qty.get());
    if accounts == 1 { of(0) } else { (0..accounts).map(of).sum() }
}

async fn until_held(root: &Root, accounts: usize, shares: i64) {
    while held(root, accounts) < shares {
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

pub(crate) fn memory(report: &mut Report) {
    let rounds = (0..5).map(|_| memory_round(1, false, 100_000)).collect();
    report.at_most("through the actors, memory journal", median(rounds), "us/order", 15.0);
}

/// Microseconds per order of signals sent through all actors.
fn memory_round(accounts: usize, everywhere: bool, signals: u64) -> f64 {
    system(async move {
        let inbox = Arc::new(desk::MemoryInbox::default());
        let journal = Arc::new(MemoryJournal::default());
        let root = start(accounts, everywhere, journal, Arc::default(), inbox.clone(), Arc::new(desk::Nothing)).await;
        let orders = signals * if everywhere { accounts as u64 } else { 1 };
        let signals: Vec<_> = (1..=signals).map(|id| desk::buy(id, desk::monday_morning())).collect();
        let start = Instant::now();
        signals.into_iter().for_each(|signal| inbox.put(signal));
        root.poke(&desk::strategy_id());
        until_held(&root, accounts, 100 * orders as i64).await;
        start.elapsed().as_secs_f64() * 1e6 / orders as f64
    })
}

pub(crate) fn many(report: &mut Report) {
    let fanned: Vec<f64> = (0..5).map(|_| memory_round(10_000, true, 1) * 10_000.0 / 1_000.0).collect();
    report.at_most("one signal to 10,000 accounts, filled", median(fanned), "ms", 150.0);
    let one = median((0..3).map(|_| memory_round(1, false, 100_000)).collect());
    let ten_thousand = median((0..3).map(|_| memory_round(10_000, true, 10)).collect());
    report.at_least("rate at 10,000 accounts / at 1", one / ten_thousand, "", 0.60);
    let early = median((0..3).map(|_| memory_round(1, false, 10_000)).collect());
    let late = memory_round(1, false, 1_000_000);
    report.at_most("cost per order of 1,000,000 / of 10,000", late / early, "", 1.3);
}

const IN_FLIGHT: u64 = 256;
const DURABLE_ORDERS: u64 = 40_000;

/// The real store: every row of the protocol, 256 signals in flight.
pub(crate) fn sqlite(report: &mut Report) {
    let rounds = (0..3).map(|_| durable_round(format!("sqlite:{}", "bench.db"))).collect();
    report.at_least("through the actors, SQLite journal", median(rounds), "orders/s", 8_000.0);
}

/// The same on PostgreSQL: `server` is where databases can be made.
pub(crate) fn postgres(report: &mut Report, server: &str) {
    let rounds = (0..3).map(|_| durable_round(fresh_database(server))).collect();
    report.tell("through the actors, PostgreSQL journal", median(rounds), "orders/s");
}

/// The address of a new database on the server.
pub(crate) fn fresh_database(server: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("bench_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options: PgConnectOptions = format!("{server}/postgres").parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    });
    format!("{server}/{name}")
}

fn durable_round(url: String) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    durable(folder.path(), url, DURABLE_ORDERS, || {})
}

/// Accounts that do nothing; `look` is called when they all stand.
pub(crate) fn idle(accounts: usize, look: impl FnOnce()) {
    system(async move {
        let journal = Arc::new(MemoryJournal::default());
        let inbox = Arc::new(desk::MemoryInbox::default());
        let _root = start(accounts, false, journal, Arc::default(), inbox, Arc::new(desk::Nothing)).await;
        look();
    });
}

/// The system with one account on the real store.
async fn on_store(folder: &std::path::Path, url: String) -> (Store, Root, Desk) {
    let store = Store::open(StoreConf::new(url, folder)).await.unwrap();
    let committed = Arc::new(Notify::new());
    let bell = committed.clone();
    store.on_commit(Box::new(move |_| bell.notify_one()));
    let slot: Arc<std::sync::OnceLock<Desk>> = Arc::default();
    let doorbell = slot.clone();
    let inbox = Arc::new(store.inbox(Box::new(move |strategy| {
        if let Some(desk) = doorbell.get() {
            desk.poke(strategy);
        }
    })));
    let restorer = Arc::new(StoreRestorer(store.clone()));
    let root = start(1, false, Arc::new(store.clone()), committed, inbox, restorer).await;
    let desk = Desk::new(root.clone());
    let _ = slot.set(desk.clone());
    (store, root, desk)
}

async fn send(store: &Store, signals: impl Iterator<Item = Signal>) {
    let news = signals.map(|signal| NewSignal { body_hash: body_hash(&signal), signal });
    store.ingest_batch(news.collect()).await.unwrap();
}

/// What one price sets off in the worst case.
const HELD: u64 = 8_000;

/// How soon a halt is durable while one price sets off thousands of conditions; the limit is one while nothing happens.
pub(crate) fn halt(report: &mut Report) {
    let (quiet, busy): (Vec<f64>, Vec<f64>) = (0..3).map(|_| halt_round()).unzip();
    report.tell("a halt while nothing happens", median(quiet), "ms");
    report.at_most("a halt while one price sets off 8,000 conditions", median(busy), "ms", 250.0);
}

fn halt_round() -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_owned();
    system(async move {
        let (store, root, desk) = on_store(&folder, "sqlite:bench.db".to_owned()).await;
        let stop = Some(Price::from_e4(105_000));
        let conditions = Some(Conditions { stop, take_profit: None, trail: None });
        let execution = Arc::new(Execution { conditions, ..Execution::default() });
        for first in (1..=HELD).step_by(100) {
            let held = |id| Signal {
                execution: Some(execution.clone()),
                limit_price: Some(Price::from_e4(106_000)),
                ..Signal::clone(&desk::buy(id, desk::monday_morning()))
            };
            send(&store, (first..first + 100).map(held)).await;
        }
        at_rest(&root).await;
        let set = async |state: TradingState| {
            let start = Instant::now();
            desk.set_trading_state(Scope::Global, state, "ann".into(), "".into()).await.unwrap();
            start.elapsed().as_secs_f64() * 1e3
        };
        let quiet = set(TradingState::Halted).await;
        set(TradingState::Active).await;
        let quote = desk::quote(root.board.clock.now(), 105_000);
        let decided = || root.board.journal.newest();
        let before = decided();
        tell(&root.market, Quotes { quotes: vec![quote], answer: None });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let begun = decided();
        let busy = set(TradingState::Halted).await;
        let heard = decided();
        at_rest(&root).await;
        assert!(before < begun && heard < decided(), "the halt came in the midst of it");
        root.drain().await;
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        (quiet, busy)
    })
}

/// Nothing has been decided for half a second.
async fn at_rest(root: &Root) {
    let mut seen = None;
    while seen != Some(root.board.journal.newest()) {
        seen = Some(root.board.journal.newest());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Orders per second with the real store; `look` is called when everything is durable and the system still stands.
pub(crate) fn durable(folder: &std::path::Path, url: String, orders: u64, look: impl FnOnce()) -> f64 {
    let folder = folder.to_owned();
    system(async move {
        let (store, root, _) = on_store(&folder, url).await;
        let start = Instant::now();
        let mut sent = 0;
        while sent < orders {
            // Signals come in slices, so that about 256 are between the door and their fill.
            let filled = held(&root, 1) as u64 / 100;
            let room = (IN_FLIGHT - (sent - filled)).min(orders - sent);
            if room < (IN_FLIGHT / 4).min(orders - sent) {
                tokio::time::sleep(Duration::from_micros(200)).await;
                continue;
            }
            let news = (sent + 1..=sent + room).map(|id| Signal::clone(&desk::buy(id, desk::monday_morning())));
            send(&store, news).await;
            sent += room;
        }
        until_held(&root, 1, 100 * orders as i64).await;
        root.drain().await;
        let rate = orders as f64 / start.elapsed().as_secs_f64();
        look();
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        rate
    })
}
