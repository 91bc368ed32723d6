//! One sick account beside a healthy one, at the same broker: a real process, real sessions, real time. What is measured
//! are orders, not milliseconds.

use std::sync::Arc;
use std::time::Duration;

use signalbox_actors::port::tell;
use signalbox_actors::root::{Root, boot};
use signalbox_actors::session::{Connection, Patience};
use signalbox_actors::{account, market};
use signalbox_brokers::Broker;
use signalbox_brokers::fake::client::{FakeLink, FakeSession};
use signalbox_brokers::fake::fault::{Arm, Fault};
use signalbox_domain::broker::Level;
use signalbox_support::conformance::installation;
use signalbox_support::desk;
use signalbox_support::fake_broker::Process;
use signalbox_support::store::MemoryStore;
use tokio::sync::oneshot;

const SIGNALS: u64 = 40;

fn at(broker: &Process, account: usize) -> FakeLink {
    FakeLink {
        url: broker.url(),
        account: desk::account_id(account).to_string(),
        level: Level::L4,
        answer_within: Duration::from_secs(90),
        in_flight_max: 4,
    }
}

fn connection(link: FakeLink) -> Connection {
    let open = move || Ok(Box::new(FakeSession::new(link.clone(), installation())?) as Box<dyn Broker>);
    // Nothing is given up here: the sick account has to be waited for as long as it takes.
    let patience = Patience { call: Duration::from_secs(90), queue: Duration::from_secs(90), ..Patience::default() };
    Connection::Session { open: Arc::new(open), patience }
}

/// Waits until it holds; a machine may be slow, so the limit says no more than that it does not hang.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..2_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

async fn live_orders(root: &Root, account: usize) -> usize {
    let (tx, health) = oneshot::channel();
    let address = root.board.directory.account(&desk::account_id(account)).expect("an account");
    tell(&address, account::Observe(tx));
    health.await.expect("its mailbox moves").live_orders
}

fn holds(root: &Root, account: usize) -> i64 {
    let ledgers = root.board.ledgers.borrow();
    ledgers.get(&desk::account_id(account)).map_or(0, |ledger| ledger.holding(desk::symbol()).qty.get())
}

#[actix::test]
async fn an_account_whose_broker_hangs_for_a_minute_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Process::start(env!("CARGO_BIN_EXE_fake-broker").as_ref(), &folder.path().join("ledger"));
    let store = Arc::new(MemoryStore::default());
    let mut parts = desk::boot(2, true, store.clone(), store.committed.clone(), store.clone(), store.clone());
    for (n, account) in parts.accounts.iter_mut().enumerate() {
        let link = at(&broker, n);
        account.conf.capabilities = link.capabilities();
        account.connection = connection(link);
    }
    for strategy in &parts.strategies {
        store.booted(strategy.conf.clone());
    }
    let root = boot(parts).await;
    let quotes = vec![desk::quote(root.board.clock.now(), 100_000)];
    tell(&root.market, market::Quotes { quotes, answer: None });
    until("both sessions", async || broker.truth().await.len() == 2).await;
    broker.arm(Arm::once(Fault::SubmitHung).on(desk::account_id(0).as_str()).ms(60_000)).await;

    for id in 1..=SIGNALS {
        store.accept(desk::buy(id, root.board.clock.now()));
    }
    root.poke(&desk::strategy_id());
    until("the healthy account's fills", async || holds(&root, 1) == 100 * SIGNALS as i64).await;

    assert_eq!(holds(&root, 0), 0, "the sick account's first order still hangs");
    assert_eq!(live_orders(&root, 0).await, SIGNALS as usize);
    let truth = broker.truth().await;
    let made = |n: usize| truth[desk::account_id(n).as_str()].orders.len();
    assert_eq!((made(0), made(1)), (0, SIGNALS as usize), "and the broker says the same");
}
