//! What the session's task promises, on paused time: nobody waits for a broker, one thing at a time, what gets no
//! answer is lost, and a session that dies is opened again.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use signalbox_actors::clock::{Machine, MarketClock, ThisMachine};
use signalbox_actors::port::tell;
use signalbox_actors::root::{Boot, Root, boot};
use signalbox_actors::session::{Connection, Patience};
use signalbox_actors::{account, market};
use signalbox_brokers::{Broker, BrokerError};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, Level, ReadFailed, Report, Snapshot};
use signalbox_domain::ids::{BrokerOrderId, ExecId, OrderId, SignalId};
use signalbox_domain::order::{Order, OrderFact};
use signalbox_domain::units::{Price, Qty, Timestamp};
use signalbox_support::desk;
use signalbox_support::store::MemoryStore;
use tokio::sync::Notify;

/// How the broker behaves from now on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    /// Makes the order and never answers.
    Hangs,
    Panics,
    /// Panics while it listens.
    PanicsUnasked,
    NoSession,
    /// Opens, and the line is dead at once.
    Flaps,
}

#[derive(Debug)]
struct Desk {
    mood: Mood,
    /// Orders that exist at the broker.
    orders: Vec<OrderId>,
    submits: usize,
    connects: Vec<Duration>,
    under_way: usize,
    most_under_way: usize,
    adapters: usize,
    most_adapters: usize,
    to_tell: Vec<BrokerReport>,
}

/// A broker in memory that answers after a moment.
#[derive(Debug, Clone)]
struct Far {
    desk: Arc<Mutex<Desk>>,
    bell: Arc<Notify>,
    began: tokio::time::Instant,
}

#[derive(Debug)]
struct Adapter(Far);

impl Far {
    fn new() -> Self {
        let desk = Desk {
            mood: Mood::Fine,
            orders: Vec::new(),
            submits: 0,
            connects: Vec::new(),
            under_way: 0,
            most_under_way: 0,
            adapters: 0,
            most_adapters: 0,
            to_tell: Vec::new(),
        };
        Self { desk: Arc::new(Mutex::new(desk)), bell: Arc::default(), began: now() }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls under way, submits, sessions that were opened, and the most that there were at once.
    fn counts(&self) -> [usize; 4] {
        let desk = self.desk();
        [desk.under_way, desk.submits, desk.connects.len(), desk.most_adapters]
    }

    fn mood(&self, mood: Mood) {
        self.desk().mood = mood;
        self.bell.notify_one();
    }

    fn tell(&self, reports: Vec<BrokerReport>) {
        self.desk().to_tell.extend(reports);
        self.bell.notify_one();
    }

    fn connection(&self) -> Connection {
        let far = self.clone();
        let open = move || {
            let mut desk = far.desk();
            desk.adapters += 1;
            desk.most_adapters = desk.most_adapters.max(desk.adapters);
            Ok(Box::new(Adapter(far.clone())) as Box<dyn Broker>)
        };
        Connection::Session { open: Arc::new(open), patience: patience() }
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.0.desk().adapters -= 1;
    }
}

/// Counts what is under way, also when it is dropped half-way.
struct UnderWay<'a>(&'a Far);

impl<'a> UnderWay<'a> {
    fn new(far: &'a Far) -> Self {
        let mut desk = far.desk();
        desk.under_way += 1;
        desk.most_under_way = desk.most_under_way.max(desk.under_way);
        Self(far)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.desk().under_way -= 1;
    }
}

#[async_trait]
impl Broker for Adapter {
    fn capabilities(&self) -> Capabilities {
        capabilities()
    }

    async fn connect(&mut self, _: Timestamp, _: &[Order]) -> Result<(), BrokerError> {
        let mut desk = self.0.desk();
        desk.connects.push(now().duration_since(self.0.began));
        match desk.mood {
            Mood::NoSession => Err(BrokerError::Unreachable("closed".into())),
            _ => Ok(()),
        }
    }

    async fn call(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport> {
        let _under_way = UnderWay::new(&self.0);
        let order = request.order();
        if let BrokerRequest::Submit { .. } = request {
            let mut desk = self.0.desk();
            desk.submits += 1;
            desk.orders.push(order);
        }
        let mood = self.0.desk().mood;
        match mood {
            Mood::Panics => panic!("planted"),
            Mood::Hangs => std::future::pending().await,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        if self.0.desk().orders.contains(&order) {
            said(order, at)
        } else {
            vec![BrokerReport { order, what: Report::NotFound }]
        }
    }

    async fn read(&mut self, _: Timestamp) -> Result<Snapshot, ReadFailed> {
        std::future::pending().await
    }

    async fn next(&mut self) -> Result<Vec<BrokerReport>, BrokerError> {
        loop {
            let rung = self.0.bell.notified();
            {
                let mut desk = self.0.desk();
                match desk.mood {
                    Mood::PanicsUnasked => panic!("planted"),
                    Mood::Flaps => return Err(BrokerError::Unreachable("flap".into())),
                    _ if !desk.to_tell.is_empty() => return Ok(std::mem::take(&mut desk.to_tell)),
                    _ => {}
                }
            }
            rung.await;
        }
    }
}

/// Accepted and filled.
fn said(order: OrderId, at: Timestamp) -> Vec<BrokerReport> {
    let broker_order_id = BrokerOrderId(format!("B{}", order.get()).into());
    let exec_id = ExecId(format!("E{}", order.get()).into());
    let fill = Report::Filled { exec_id, qty: Qty::new(100), px: Price::from_e4(100_000), at };
    vec![BrokerReport { order, what: Report::Accepted { broker_order_id } }, BrokerReport { order, what: fill }]
}

const fn capabilities() -> Capabilities {
    Capabilities { level: Level::L4, in_flight_max: 4, market_orders: true, lists: false }
}

fn patience() -> Patience {
    Patience {
        connect: Duration::from_secs(1),
        call: Duration::from_secs(1),
        read: Duration::from_secs(1),
        queue: Duration::from_secs(2),
        backoff: Duration::from_millis(100),
        backoff_max: Duration::from_secs(4),
    }
}

#[expect(clippy::disallowed_methods, reason = "tests look at their paused clock")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

struct Shop {
    root: Root,
    store: Arc<MemoryStore>,
    next: AtomicUsize,
}

/// A desk on paused time: account 0 is at the far broker, the others trade on paper.
async fn open(accounts: usize, far: &Far) -> Shop {
    open_with(accounts, far, |_| {}).await
}

async fn open_with(accounts: usize, far: &Far, change: impl FnOnce(&mut Boot)) -> Shop {
    let store = Arc::new(MemoryStore::default());
    let committed = store.committed.clone();
    let mut parts = desk::boot(accounts, true, store.clone(), committed, store.clone(), store.clone());
    parts.accounts[0].connection = far.connection();
    parts.accounts[0].conf.capabilities = capabilities();
    change(&mut parts);
    for strategy in &parts.strategies {
        store.booted(strategy.conf.clone());
    }
    let shop = Shop { root: boot(parts).await, store, next: AtomicUsize::new(1) };
    let quotes = vec![desk::quote(shop.root.board.clock.now(), 100_000)];
    tell(&shop.root.market, market::Quotes { quotes, answer: None });
    shop.pass(1).await;
    shop
}

impl Shop {
    async fn pass(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// One lot in every account.
    async fn buy(&self) -> SignalId {
        let id = self.next.fetch_add(1, Ordering::Relaxed) as u64;
        self.store.accept(desk::buy(id, self.root.board.clock.now()));
        self.root.poke(&desk::strategy_id());
        self.pass(1).await;
        SignalId::new(id)
    }

    async fn reconnect(&self, account: usize) -> bool {
        let (tx, answer) = tokio::sync::oneshot::channel();
        let account = self.root.board.directory.account(&desk::account_id(account)).expect("an account");
        tell(&account, account::Reconnect(tx));
        answer.await.expect("its mailbox moves")
    }

    fn holds(&self, account: usize) -> i64 {
        let ledgers = self.root.board.ledgers.borrow();
        ledgers.get(&desk::account_id(account)).map_or(-1, |ledger| ledger.holding(desk::symbol()).qty.get())
    }

    fn doubts(&self) -> usize {
        let facts = self.store.facts();
        facts.iter().filter(|(_, _, fact)| matches!(fact, OrderFact::InDoubt { .. })).count()
    }
}

#[actix::test]
async fn a_hung_broker_slows_neither_its_neighbours_nor_its_own_mailbox() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(2, &far).await;
    far.mood(Mood::Hangs);
    for _ in 0..50 {
        shop.buy().await;
    }
    assert_eq!(shop.holds(1), 5_000, "all of the neighbour's orders are filled");
    assert_eq!((shop.holds(0), far.desk().under_way), (0, 1), "while the first of the sick one still hangs");

    let (tx, health) = tokio::sync::oneshot::channel();
    let sick = shop.root.board.directory.account(&desk::account_id(0)).expect("an account");
    tell(&sick, account::Observe(tx));
    let health = health.await.expect("its mailbox moves");
    assert_eq!(health.live_orders, 50);
}

#[actix::test]
async fn no_answer_in_time_is_lost_and_found_again_when_the_session_is_back() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(1, &far).await;
    far.mood(Mood::Hangs);
    shop.buy().await;
    shop.pass(900).await;
    assert_eq!(shop.doubts(), 0, "it may still come");
    shop.pass(200).await;
    assert_eq!(shop.doubts(), 1);
    far.mood(Mood::Fine);
    shop.pass(6_000).await;
    assert_eq!((shop.holds(0), far.desk().submits), (100, 1), "found, and not sent again");
}

#[actix::test]
async fn a_late_answer_is_heard_when_it_comes_unasked() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(1, &far).await;
    far.mood(Mood::Hangs);
    let signal = shop.buy().await;
    shop.pass(1_100).await;
    assert_eq!((shop.doubts(), shop.holds(0)), (1, 0));
    far.tell(said(signal.parent(0).order(1), shop.root.board.clock.now()));
    shop.pass(1_500).await;
    assert_eq!(shop.holds(0), 100, "though every call hangs");
}

#[actix::test]
async fn an_adapter_that_panics_costs_its_session_and_nothing_else() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(2, &far).await;
    for mood in [Mood::Panics, Mood::PanicsUnasked] {
        far.mood(mood);
        shop.buy().await;
        shop.pass(300).await;
        far.mood(Mood::Fine);
        shop.pass(10_000).await;
    }
    assert_eq!((shop.holds(0), shop.holds(1)), (200, 200));
    assert_eq!(far.desk().submits, 2, "never twice");
    assert_eq!(far.desk().most_adapters, 1);
    assert!(far.desk().connects.len() >= 3);
}

#[actix::test]
async fn what_waited_too_long_for_a_session_is_not_sent_any_more() {
    tokio::time::pause();
    let far = Far::new();
    far.mood(Mood::NoSession);
    let shop = open(1, &far).await;
    shop.buy().await;
    shop.pass(1_900).await;
    assert_eq!(shop.doubts(), 0);
    shop.pass(200).await;
    assert_eq!((shop.doubts(), far.desk().submits), (1, 0), "lost, and never sent");
    far.mood(Mood::Fine);
    shop.pass(15_000).await;
    assert_eq!((shop.holds(0), far.desk().submits), (100, 1), "not found, so it is sent once");
}

#[actix::test]
async fn what_waited_too_long_for_the_journal_is_not_sent_any_more() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(1, &far).await;
    shop.store.hold();
    shop.buy().await;
    shop.pass(2_100).await;
    shop.store.release_for_ever();
    shop.pass(15_000).await;
    assert_eq!(shop.doubts(), 1, "what was decided then is lost");
    assert_eq!((shop.holds(0), far.desk().submits), (100, 1), "it was looked up, not found, and is sent once");
}

#[actix::test]
async fn a_session_that_does_not_hold_is_opened_ever_more_slowly() {
    tokio::time::pause();
    let far = Far::new();
    let _shop = open(1, &far).await;
    for mood in [Mood::Flaps, Mood::NoSession] {
        far.mood(mood);
        far.desk().connects.clear();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let tries = far.desk().connects.len();
        assert!((10..=50).contains(&tries), "{mood:?}: {tries} tries in a minute");
    }
}

#[actix::test]
async fn a_person_gets_a_new_session_after_what_is_under_way_and_before_what_waits() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(2, &far).await;
    for _ in 0..3 {
        shop.buy().await;
    }
    // The first call takes five milliseconds, and three have passed.
    assert_eq!(far.counts(), [1, 1, 1, 1]);
    assert!(shop.reconnect(0).await);
    shop.pass(1_000).await;
    assert_eq!((shop.holds(0), shop.doubts()), (300, 0));
    assert_eq!(far.counts(), [0, 3, 2, 1], "nothing is sent twice, and never are there two sessions");
    assert!(!shop.reconnect(1).await, "paper has no session");
    assert!(shop.reconnect(0).await);
    shop.pass(2_900).await;
    assert_eq!(far.counts()[2], 2, "each is a login: the next one waits");
    shop.pass(200).await;
    assert_eq!(far.counts()[2], 3, "and is not forgotten");
}

#[actix::test]
async fn a_person_does_not_wait_for_the_next_try() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(1, &far).await;
    for mood in [Mood::Flaps, Mood::NoSession] {
        far.mood(mood);
        shop.pass(60_000).await;
        let [_, _, before, _] = far.counts();
        far.desk().mood = Mood::Fine;
        shop.pass(50).await;
        assert_eq!(far.counts(), [0, 0, before, 1], "{mood:?}: it waits");
        assert!(shop.reconnect(0).await);
        shop.pass(10).await;
        assert_eq!(far.counts(), [0, 0, before + 1, 1], "{mood:?}");
        shop.pass(60_000).await;
        assert_eq!(far.counts(), [0, 0, before + 1, 1], "{mood:?}: once");
    }
}

#[actix::test]
async fn a_person_who_asks_for_sessions_again_and_again_has_one_in_the_longest_pause_between_tries() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(1, &far).await;
    for mood in [Mood::Fine, Mood::NoSession] {
        shop.pass(10_000).await;
        far.mood(mood);
        let [_, _, before, _] = far.counts();
        for _ in 0..100 {
            assert!(shop.reconnect(0).await);
            shop.pass(90).await;
        }
        let [_, _, after, _] = far.counts();
        // Nine seconds, and one in four of them; where none opens, those that are tried anyway, after 100, 200 .. 3,200 ms.
        let most = if mood == Mood::Fine { 3 } else { 9 };
        assert!((2..=most).contains(&(after - before)), "{mood:?}: {}", after - before);
    }
}

#[actix::test]
async fn a_broker_is_asked_one_thing_at_a_time() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(1, &far).await;
    for _ in 0..20 {
        shop.buy().await;
    }
    shop.pass(500).await;
    assert_eq!((shop.holds(0), far.desk().most_under_way), (2_000, 1));
}

#[actix::test]
async fn an_account_that_is_rebuilt_gets_a_session_of_its_own_and_the_old_one_ends() {
    tokio::time::pause();
    let far = Far::new();
    let shop = open(1, &far).await;
    far.mood(Mood::Hangs);
    shop.buy().await;
    let address = shop.root.board.directory.account(&desk::account_id(0)).expect("an account");
    tell(&address, account::Panic);
    shop.pass(300).await;
    far.mood(Mood::Fine);
    assert_eq!(far.desk().adapters, 1);
    assert_eq!(far.desk().most_adapters, 1, "never two at once");
    shop.pass(6_000).await;
    assert_eq!((shop.holds(0), far.desk().submits), (100, 1));
}

/// A machine whose wall clock somebody has set by so many milliseconds.
#[derive(Debug, Clone, Default)]
struct SetMachine(Arc<AtomicI64>);

impl Machine for SetMachine {
    fn monotonic(&self) -> Instant {
        ThisMachine.monotonic()
    }

    fn wall(&self) -> SystemTime {
        let by = self.0.load(Ordering::Relaxed);
        let span = Duration::from_millis(by.unsigned_abs());
        if by < 0 { ThisMachine.wall() - span } else { ThisMachine.wall() + span }
    }
}

#[actix::test]
async fn f38_what_was_decided_before_the_machine_slept_is_not_sent_when_it_wakes() {
    tokio::time::pause();
    for (asleep_ms, doubts) in [(0, 0), (1_900, 0), (8 * 3_600_000, 1), (-8 * 3_600_000, 0)] {
        let (far, machine) = (Far::new(), SetMachine::default());
        let clock = MarketClock::on(Box::new(machine.clone()), desk::monday_morning(), 1);
        let shop = open_with(1, &far, |boot| boot.clock = Arc::new(clock)).await;
        shop.store.hold();
        shop.buy().await;
        // While it sleeps only the wall clock goes on.
        machine.0.store(asleep_ms, Ordering::Relaxed);
        shop.store.release_for_ever();
        shop.pass(15_000).await;
        assert_eq!((shop.doubts(), shop.holds(0)), (doubts, 100), "asleep for {asleep_ms} ms");
        assert_eq!(far.desk().submits, 1);
    }
}

#[actix::test]
async fn f37_a_wall_clock_that_is_set_is_noticed_and_an_id_of_before_is_not_sent_again() {
    tokio::time::pause();
    // Set by so many milliseconds, once or twice: whether the order is sent again.
    for (set, again) in [
        (&[0][..], true),
        (&[1_000], true), // the network's time does as much
        (&[900_000], false),
        (&[-900_000], false),
        (&[1_500, 3_000], false), // bit by bit
        (&[3_000, 0], false),
    ] {
        let (far, machine) = (Far::new(), SetMachine::default());
        let clock = MarketClock::on(Box::new(machine.clone()), desk::monday_morning(), 1);
        let shop = open_with(1, &far, |boot| {
            boot.clock = Arc::new(clock);
            // Here an id lives for minutes: within them it may be sent again.
            boot.accounts[0].conf.capabilities.level = Level::L3;
        })
        .await;
        far.mood(Mood::Hangs);
        shop.buy().await;
        for by in set {
            machine.0.store(*by, Ordering::Relaxed);
            // Any step looks at the clocks.
            let account = shop.root.board.directory.account(&desk::account_id(0)).expect("an account");
            tell(&account, account::TradingStateSet);
            shop.pass(1).await;
        }
        shop.pass(1_100).await;
        assert_eq!(shop.doubts(), 1);
        far.mood(Mood::Fine);
        shop.pass(5_000).await;
        assert_eq!(far.desk().submits > 1, again, "set by {set:?} ms");
    }
}
