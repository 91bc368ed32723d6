//! The shell's few promises, on paused time: durable before sent, panics that stay where they are, nobody waits for a
//! neighbour, an orderly end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use signalbox_actors::journal::Journal;
use signalbox_actors::port::tell;
use signalbox_actors::root::{Boot, Root, boot};
use signalbox_actors::{account, market, risk, strategy};
use signalbox_brokers::Broker;
use signalbox_brokers::paper::{PaperBroker, PaperExchange};
use signalbox_domain::broker::{BrokerRequest, Report};
use signalbox_domain::denial::DenialCode;
use signalbox_domain::ids::SignalId;
use signalbox_domain::order::OrderFact;
use signalbox_domain::signal::{Signal, SignalStatus};
use signalbox_domain::units::{Price, Qty};
use signalbox_support::desk;
use signalbox_support::store::MemoryStore;
use tokio::sync::oneshot;

struct Shop {
    root: Root,
    store: Arc<MemoryStore>,
    exchange: PaperExchange,
    next: AtomicUsize,
}

/// A desk on paused time that trades everywhere, with a quote at 10.00.
async fn open(accounts: usize) -> Shop {
    open_with(accounts, |_| {}).await
}

async fn open_with(accounts: usize, change: impl FnOnce(&mut Boot)) -> Shop {
    tokio::time::pause();
    let store = Arc::new(MemoryStore::default());
    let committed = store.committed.clone();
    let mut parts = desk::boot(accounts, true, store.clone(), committed, store.clone(), store.clone());
    change(&mut parts);
    for strategy in &parts.strategies {
        store.booted(strategy.conf.clone());
    }
    let exchange = parts.exchange.clone();
    let shop = Shop { root: boot(parts).await, store, exchange, next: AtomicUsize::new(1) };
    shop.quote(100_000).await;
    shop
}

impl Shop {
    /// Lets everybody finish what is at hand. Time stands still but for a moment.
    async fn quiet(&self) {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
    }

    async fn quote(&self, last_e4: i64) {
        let quotes = vec![desk::quote(self.root.board.clock.now(), last_e4)];
        tell(&self.root.market, market::Quotes { quotes, answer: None });
        self.quiet().await;
    }

    fn accept(&self, limit_e4: i64) -> SignalId {
        let id = self.next.fetch_add(1, Ordering::Relaxed) as u64;
        let buy = Signal {
            limit_price: Some(Price::from_e4(limit_e4)),
            ..(*desk::buy(id, self.root.board.clock.now())).clone()
        };
        self.store.accept(Arc::new(buy));
        SignalId::new(id)
    }

    fn poke(&self) {
        self.root.poke(&desk::strategy_id());
    }

    /// One lot in every account, at the limit.
    async fn buy(&self, limit_e4: i64) -> SignalId {
        let id = self.accept(limit_e4);
        self.poke();
        self.quiet().await;
        id
    }

    fn holds(&self, account: usize) -> i64 {
        let ledgers = self.root.board.ledgers.borrow();
        ledgers.get(&desk::account_id(account)).map_or(-1, |ledger| ledger.holding(desk::symbol()).qty.get())
    }

    /// What the venue knows of the signal's order in the account.
    fn at_broker(&self, signal: SignalId, account: usize) -> Vec<Report> {
        let mut broker = PaperBroker::new(desk::account_id(account), self.exchange.clone());
        let order = signal.parent(account as u16).order(1);
        let now = self.root.board.clock.now();
        let answer = broker.call(now, &BrokerRequest::Find { order }).now_or_never().expect("paper answers at once");
        answer.into_iter().map(|report| report.what).collect()
    }

    fn status(&self, signal: SignalId) -> Option<SignalStatus> {
        self.store.rows(|tables| tables.signals.get(&signal).map(|row| row.status))
    }

    fn sends(&self, signal: SignalId) -> usize {
        let facts = self.store.facts();
        facts.iter().filter(|(_, of, fact)| *of == signal && matches!(fact, OrderFact::Sending { .. })).count()
    }

    fn panic_account(&self, n: usize) {
        let address = self.root.board.directory.account(&desk::account_id(n)).expect("an account");
        tell(&address, account::Panic);
    }

    /// Long enough for a new life.
    async fn rebuilt(&self) {
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.quiet().await;
    }
}

#[actix::test]
async fn nothing_reaches_the_broker_before_it_is_durable() {
    let shop = open(1).await;
    shop.store.hold();
    let signal = shop.buy(100_000).await;
    assert_eq!(shop.sends(signal), 1, "decided");
    assert_eq!(shop.at_broker(signal, 0), [Report::NotFound]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((shop.at_broker(signal, 0), shop.holds(0)), (vec![Report::NotFound], 0));

    shop.store.release_for_ever();
    shop.quiet().await;
    assert_eq!(shop.holds(0), 100);
    assert_eq!(shop.status(signal), Some(SignalStatus::Done));
}

/// Accounts begin before strategies, and what a restart finds out at once would be told to nobody.
#[actix::test]
async fn everybody_has_an_address_before_anybody_acts() {
    let store = Arc::new(MemoryStore::default());
    let parts = desk::boot(2, true, store.clone(), store.committed.clone(), store.clone(), store.clone());
    let root = boot(parts).now_or_never().expect("nobody has had a turn yet");
    let directory = &root.board.directory;
    assert!(directory.risk.borrow().is_some());
    assert!((0..2).all(|n| directory.account(&desk::account_id(n)).is_some()));
    assert!(directory.strategy(&desk::strategy_id()).is_some());
}

#[actix::test]
async fn f07_f44_an_account_that_panics_is_rebuilt_and_finds_what_it_missed_while_the_others_trade_on() {
    let shop = open(2).await;
    let resting = shop.buy(99_000).await;
    shop.panic_account(0);
    shop.quiet().await;
    // Between its two lives the market comes down to the order, and a new signal comes in.
    shop.quote(98_000).await;
    assert_eq!((shop.holds(0), shop.holds(1)), (0, 100));
    let next = shop.buy(99_000).await;
    assert_eq!((shop.holds(0), shop.holds(1)), (0, 200), "the other account does not notice");

    shop.rebuilt().await;
    assert_eq!((shop.holds(0), shop.holds(1)), (200, 200));
    for signal in [resting, next] {
        assert_eq!(shop.status(signal), Some(SignalStatus::Done));
        assert_eq!(shop.sends(signal), 2, "once in each account");
    }
}

#[actix::test]
async fn what_comes_in_while_the_store_is_read_waits_for_the_new_life() {
    let shop = open(2).await;
    let resting = shop.buy(99_000).await;
    shop.store.reading_ms.store(50, Ordering::Relaxed);
    shop.panic_account(0);
    let strategy = shop.root.board.directory.strategy(&desk::strategy_id()).expect("a strategy");
    tell(&strategy, strategy::Panic);
    tokio::time::sleep(Duration::from_millis(120)).await; // both have read, and neither lives
    shop.quote(98_000).await;
    let next = shop.accept(98_000);
    shop.poke();
    shop.rebuilt().await;
    assert_eq!((shop.holds(0), shop.holds(1)), (200, 200));
    assert_eq!((shop.status(resting), shop.status(next)), (Some(SignalStatus::Done), Some(SignalStatus::Done)));

    // The same with an account alone: its order is approved after it has read.
    shop.store.reading_ms.store(0, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(700)).await;
    shop.quote(98_000).await;
    shop.store.reading_ms.store(50, Ordering::Relaxed);
    shop.panic_account(0);
    tokio::time::sleep(Duration::from_millis(120)).await;
    let last = shop.buy(98_000).await;
    shop.rebuilt().await;
    assert_eq!((shop.holds(0), shop.holds(1)), (300, 300));
    assert_eq!((shop.status(last), shop.sends(last)), (Some(SignalStatus::Done), 2));
}

#[actix::test]
async fn an_account_that_panics_twice_is_suspended_and_risk_refuses_its_orders() {
    let shop = open(2).await;
    shop.panic_account(0);
    shop.rebuilt().await;
    shop.panic_account(0);
    shop.rebuilt().await;
    assert!(shop.root.board.directory.account(&desk::account_id(0)).is_none());

    let signal = shop.buy(100_000).await;
    assert_eq!(shop.holds(1), 100);
    assert_eq!(shop.status(signal), Some(SignalStatus::PartiallyDone));
    let denied = shop.store.rows(|tables| tables.signals[&signal].denials.iter().map(|d| d.code).collect::<Vec<_>>());
    assert_eq!(denied, [DenialCode::AccountNotReady]);
}

#[actix::test]
async fn a_strategy_that_panics_is_rebuilt_and_goes_on_without_a_second_order() {
    let shop = open(2).await;
    let (resting, open) = (shop.buy(99_000).await, shop.buy(97_000).await);
    let address = shop.root.board.directory.strategy(&desk::strategy_id()).expect("a strategy");
    tell(&address, strategy::Panic);
    shop.quiet().await;
    // Nobody leads the orders now: what they do is told to the next life.
    shop.quote(98_000).await;
    let meanwhile = shop.accept(98_000);
    shop.poke();
    shop.rebuilt().await;
    assert_eq!(shop.status(resting), Some(SignalStatus::Done));
    assert_eq!(shop.status(open), Some(SignalStatus::Working));
    assert_eq!(shop.status(meanwhile), Some(SignalStatus::Done));
    shop.quote(96_000).await;
    assert_eq!(shop.status(open), Some(SignalStatus::Done));
    for signal in [resting, open, meanwhile] {
        assert_eq!(shop.sends(signal), 2, "once in each account");
    }
    assert_eq!((shop.holds(0), shop.holds(1)), (300, 300));
}

#[actix::test]
async fn a_strategy_that_panics_before_its_orders_are_durable_does_not_ask_twice() {
    let shop = open(2).await;
    shop.store.hold();
    let signal = shop.accept(100_000);
    shop.poke();
    let address = shop.root.board.directory.strategy(&desk::strategy_id()).expect("a strategy");
    tell(&address, strategy::Panic);
    shop.rebuilt().await;
    shop.store.release_for_ever();
    shop.rebuilt().await;
    // The signal is either still in its inbox or was taken once: in both cases one order in each account at the most.
    assert!(shop.sends(signal) <= 2);
    assert!(shop.holds(0) <= 100 && shop.holds(1) <= 100);
}

#[actix::test]
async fn f45_a_panic_in_risk_ends_the_process() {
    let (fatal, heard) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (words, count) = (fatal.clone(), heard.clone());
    let shop = open_with(1, |boot| {
        boot.on_fatal = Arc::new(move |what| {
            words.lock().expect("no panic").push(what.to_owned());
            count.fetch_add(1, Ordering::Relaxed);
        });
    })
    .await;
    tell(shop.root.board.directory.risk.borrow().as_ref().expect("risk"), risk::Panic);
    shop.quiet().await;
    assert_eq!(heard.load(Ordering::Relaxed), 1);
    assert!(fatal.lock().expect("no panic")[0].contains("planted panic in risk"));
}

#[actix::test]
async fn a_cancel_that_overtakes_its_order_stops_it() {
    let shop = open(1).await;
    let signal = shop.accept(100_000);
    shop.poke();
    let (answer, answered) = oneshot::channel();
    let address = shop.root.board.directory.strategy(&desk::strategy_id()).expect("a strategy");
    tell(&address, strategy::CancelSignal { signal, who: "ann".into(), answer });
    assert!(answered.await.expect("an answer"));
    shop.quiet().await;
    assert_eq!(shop.at_broker(signal, 0), [Report::NotFound]);
    assert_eq!(shop.status(signal), Some(SignalStatus::Canceled));
    assert_eq!((shop.sends(signal), shop.holds(0)), (0, 0));
}

#[actix::test]
async fn signals_wait_in_the_inbox_while_the_journal_is_far_behind() {
    const SIGNALS: usize = 4_000;
    let shop = open(10).await;
    shop.store.hold();
    for _ in 0..SIGNALS {
        shop.accept(100_000);
    }
    let before = shop.store.appended();
    shop.poke();
    shop.quiet().await;
    let (waiting, ahead) = (shop.store.waiting(), shop.store.appended() - before);
    assert!(waiting >= SIGNALS / 3, "{waiting} wait, {ahead} entries were decided ahead");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(shop.store.waiting(), waiting, "nothing more is taken");

    shop.store.release_for_ever();
    for _ in 0..100 {
        shop.quiet().await;
    }
    assert_eq!((shop.store.waiting(), shop.holds(0), shop.holds(9)), (0, 400_000, 400_000));
}

#[actix::test]
async fn a_wide_signal_does_not_hold_up_a_narrow_one() {
    const WIDE: usize = 2_000;
    let shop = open_with(WIDE, |boot| {
        let mut narrow = desk::strategy(false);
        let mut conf = (*narrow.conf).clone();
        conf.id = signalbox_domain::ids::StrategyId::parse("narrow").expect("a name");
        narrow.conf = Arc::new(conf);
        boot.strategies.push(narrow);
    })
    .await;
    let wide = shop.accept(100_000);
    let narrow = SignalId::new(1_000_000);
    let buy = (*desk::buy(narrow.get(), shop.root.board.clock.now())).clone();
    let of = signalbox_domain::ids::StrategyId::parse("narrow").expect("a name");
    shop.store.accept(Arc::new(Signal { strategy: of.clone(), ..buy }));
    shop.poke();
    shop.root.poke(&of);
    shop.quiet().await;
    assert_eq!((shop.status(wide), shop.status(narrow)), (Some(SignalStatus::Done), Some(SignalStatus::Done)));
    let facts = shop.store.facts();
    let place = |signal: SignalId| facts.iter().position(|(_, of, _)| *of == signal).expect("a fact");
    let last = facts.iter().rposition(|(_, of, _)| *of == wide).expect("a fact");
    assert!(place(narrow) < last / 2, "the narrow order came at {} of {last}", place(narrow));
}

#[actix::test]
async fn a_drain_takes_nothing_new_and_waits_for_the_journal() {
    let shop = open(1).await;
    shop.store.hold();
    let taken = shop.buy(100_000).await;
    let root = shop.root.clone();
    let drained = actix::spawn(async move { root.drain().await });
    shop.quiet().await;
    let late = shop.buy(100_000).await;
    assert!(!drained.is_finished(), "the journal is behind");
    assert_eq!((shop.store.waiting(), shop.sends(late)), (1, 0));

    shop.store.release_for_ever();
    drained.await.expect("an end");
    shop.quiet().await;
    assert_eq!(shop.sends(taken), 1);
    assert_eq!(shop.store.newest(), shop.store.durable());
    assert_eq!(shop.store.waiting(), 1, "what is in the inbox waits for the next start");
    assert_eq!(Qty::new(shop.holds(0)), Qty::new(100));
}
