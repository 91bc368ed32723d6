//! The rows of signals that ended long ago are dropped: exactly those, and nothing is doubled or forgotten by it.

use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use signalbox::replay::{Rows, prove};
use signalbox::store::{DropError, Dropped, Expect, Ingested, LINES_KEPT, LINES_PER_FILE, Store, StoreError, upkeep};
use signalbox_actors::journal::{Entry, Journal as _};
use signalbox_domain::denial::{Denial, DenialCode, Measure};
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::ids::SignalId;
use signalbox_domain::order::{OrderTerms, Side};
use signalbox_domain::parent::Leg;
use signalbox_domain::reconcile::exception::{Evidence, Exception, ExceptionKind};
use signalbox_domain::replay::Replay;
use signalbox_domain::row::Row;
use signalbox_domain::signal::{SignalStatus, WaitingFor};
use signalbox_domain::strategy::{StrategyConf, StrategyState};
use signalbox_domain::units::{Money, Qty, Span, Timestamp};

use crate::columns::rows;
use crate::support::{AT, Database, account, change, durable, life, new_signal, strategy, terms, trade_date};

/// As many lines as the newest ones that are kept, and three files more.
const LINES: u64 = LINES_KEPT + 3 * LINES_PER_FILE;

fn day(n: u64) -> Timestamp {
    AT.plus(Span::from_secs(86_400 * n as i64))
}

/// A journal and what it tells; its rows are written once, of what has become of everything in the end.
struct House {
    store: Store,
    told: Replay,
}

impl House {
    async fn of(store: Store) -> Self {
        let mut told = Replay::new();
        let mut journal = store.replay(1);
        loop {
            let chunk = journal.next_chunk().await.unwrap();
            if chunk.is_empty() {
                return Self { store, told };
            }
            chunk.iter().for_each(|line| told.apply(line.at, &line.event).unwrap());
        }
    }

    async fn signal(&mut self, key: &str, at: Timestamp) -> SignalId {
        let mut new = new_signal(key);
        new.signal.received_at = at;
        let Ingested::Accepted(signal) = self.store.ingest(new).await.unwrap() else { panic!("{key} is new") };
        self.told.apply(at, &Event::SignalAccepted(signal.clone())).unwrap();
        signal.id
    }

    fn tell(&mut self, at: Timestamp, events: Vec<Event>) {
        events.iter().for_each(|event| self.told.apply(at, event).unwrap());
        let actor = "account:paper-a".into();
        self.store.append(Entry { at, actor, cause: "test".into(), events, rows: Vec::new() });
    }

    fn trades(&mut self, signal: SignalId, at: Timestamp, fills: usize) {
        self.tell(at, life(signal, fills).into_iter().flat_map(|step| step.events).collect());
    }

    /// A thousand lines.
    fn passes(&mut self, at: Timestamp) {
        let conf = Arc::new(StrategyConf { id: strategy(), kind: "external".into(), routes: Vec::new() });
        self.tell(at, vec![Event::StrategyConfigured(conf); 1_000]);
    }

    /// The rows of these signals, and all that are of none. The account has been in use until today.
    async fn write(&self, signals: impl Fn(SignalId) -> bool, today: Timestamp) {
        let mut written = rows(&self.told);
        written.retain(|row| match row {
            Row::Signal(row) => signals(row.id),
            Row::Parent { parent, .. } => signals(parent.leg.parent.signal()),
            Row::Order(order) => signals(order.id().signal()),
            Row::DeniedOrder { terms, .. } => signals(terms.id.signal()),
            Row::Fill(fill) => signals(fill.order.signal()),
            _ => true,
        });
        for row in &mut written {
            if let Row::Account(row) = row {
                row.updated_at = today;
            }
        }
        let actor = "account:paper-a".into();
        let rows = Entry { at: today, actor, cause: "test".into(), events: Vec::new(), rows: written };
        let ticket = self.store.append(rows);
        durable(&self.store, ticket).await;
    }

    async fn opens(&mut self) {
        self.tell(
            AT,
            vec![
                Event::AccountOpened { account: account(), cash: Money::from_units(100_000), holdings: [].into() },
                Event::DayStarted { account: account(), trade_date: trade_date() },
                Event::StrategyStateSet {
                    strategy: strategy(),
                    state: StrategyState::Active,
                    who: "ann".into(),
                    reason: "test".into(),
                },
                Event::TradingStateSet {
                    scope: Scope::Global,
                    state: TradingState::Active,
                    who: "ann".into(),
                    reason: "test".into(),
                },
            ],
        );
    }
}

fn denials() -> Arc<[Denial]> {
    let (value, limit) = (Measure::Money(Money::from_units(2)), Measure::Money(Money::from_units(1)));
    Arc::from([Denial { code: DenialCode::Cash, value, limit }])
}

fn exception(signal: SignalId) -> Event {
    Event::Exception(Arc::new(Exception {
        account: account(),
        key: "revived:1".into(),
        kind: ExceptionKind::Revived,
        order: Some(signal.parent(0).order(1)),
        opened_at: AT,
        updated_at: AT,
        evidence: Evidence::default(),
        decision: None,
    }))
}

/// Seven signals of which the first, the fifth and the sixth ended long ago and are asked about by nobody.
async fn seven(database: &Database) -> House {
    let mut house = House::of(database.open().await).await;
    house.opens().await;
    let [filled, waits, works, asked, expired, denied] = {
        let mut ids = [SignalId::new(0); 6];
        for (id, key) in ids.iter_mut().zip(["filled", "waits", "works", "asked", "expired", "denied"]) {
            *id = house.signal(key, AT).await;
        }
        ids
    };
    house.trades(filled, AT, 2);
    let (waiting_for, until) = (WaitingFor::Strategy, AT.plus(Span::from_secs(60)));
    house.tell(AT, vec![Event::SignalWaiting { strategy: strategy(), signal: waits, waiting_for, until }]);
    house.trades(works, AT, 1);
    house.trades(asked, AT, 2);
    house.tell(AT, vec![exception(asked), Event::SignalExpired { strategy: strategy(), signal: expired }]);
    let leg = Leg::plain(denied.parent(0), account(), Side::Buy, Qty::new(100));
    let refused = Arc::new(OrderTerms { id: denied.parent(0).order(1), ..(*terms(denied.parent(0))).clone() });
    house.tell(
        AT,
        vec![
            Event::SignalPlanned { strategy: strategy(), signal: denied, legs: [leg].into(), residual: Qty::ZERO },
            Event::OrderDenied { terms: refused, denials: denials() },
        ],
    );
    for n in 0..5 {
        house.passes(day(n));
    }
    let young = house.signal("young", day(5).plus(Span::from_secs(3_600))).await;
    house.trades(young, day(5).plus(Span::from_secs(3_600)), 2);
    for n in 6..=LINES / 1_000 + 1 {
        house.passes(day(n));
    }
    house.write(|_| true, day(40)).await;
    house
}

async fn ids(store: &Store, sql: &str) -> Vec<i64> {
    let statement = Statement::from_string(store.reads().get_database_backend(), sql);
    let rows = store.reads().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "id").unwrap()).collect()
}

/// The signals that have rows, by table, and those of which the key is kept.
async fn left(store: &Store) -> [Vec<i64>; 5] {
    [
        ids(store, "SELECT id FROM signals ORDER BY id").await,
        ids(store, "SELECT DISTINCT id / 65536 AS id FROM parents ORDER BY 1").await,
        ids(store, "SELECT DISTINCT id / 16777216 AS id FROM orders ORDER BY 1").await,
        ids(store, "SELECT DISTINCT order_id / 16777216 AS id FROM fills ORDER BY 1").await,
        ids(store, "SELECT id FROM signal_keys ORDER BY id").await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_what_ended_long_ago_is_dropped_and_the_journal_still_tells_it() {
    for database in Database::all().await {
        let house = seven(&database).await;
        let store = house.store.clone();
        let told = prove(&store, Rows::Settled).await.unwrap();
        assert_eq!((&told.differences[..], told.dropped), (&[][..], 0));
        let whole = [vec![1, 2, 3, 4, 5, 6, 7], vec![1, 3, 4, 6, 7], vec![1, 3, 4, 6, 7], vec![1, 3, 4, 7], vec![]];
        assert_eq!(left(&store).await, whole);

        // While their lines are in the table, nothing goes, and neither before they are old enough.
        assert_eq!(store.drop_ended(AT, day(1_000), 10).await.unwrap(), Dropped::default());
        assert_eq!(store.archive(AT, day(1_000), 10).await.unwrap().files, 3);
        assert_eq!(store.drop_ended(AT, AT, 10).await.unwrap(), Dropped::default());
        assert_eq!(left(&store).await, whole);

        let lines = store.verify_chain(1).await.unwrap().lines;
        assert_eq!(store.drop_ended(AT, day(1_000), 10).await.unwrap(), Dropped { signals: 3 });
        let rest = [vec![2, 3, 4, 7], vec![3, 4, 7], vec![3, 4, 7], vec![3, 4, 7], vec![1, 5, 6]];
        assert_eq!(left(&store).await, rest);
        assert_eq!(store.drop_ended(AT, day(1_000), 10).await.unwrap(), Dropped::default(), "once");
        assert_eq!(store.verify_chain(1).await.unwrap().lines, lines + 1, "one line tells of all three");
        let kept = store.kept_key(SignalId::new(6)).await.unwrap().unwrap();
        assert_eq!((kept.status, &kept.strategy), (SignalStatus::Denied, &strategy()));
        let growth = upkeep::growth(&database.conf, 7, 0).await.unwrap();
        assert_eq!(growth.dropped_signals, 3);

        let proof = prove(&store, Rows::Settled).await.unwrap();
        assert_eq!((&proof.differences[..], proof.dropped, proof.state_hash), (&[][..], 3, told.state_hash));
        assert_eq!((proof.signals, proof.orders, proof.fills), (told.signals, told.orders, told.fills));

        // A start reads what is left, and settling the exception lets its signal go as well.
        store.close();
        drop((store, house));
        let store = database.open().await;
        let restored = store.restore().await.unwrap();
        assert_eq!(restored.signals.iter().map(|it| it.signal.row.id.get()).collect::<Vec<_>>(), [2, 3]);
        store.check_unfinished(1_000).await.unwrap();
        assert_eq!(left(&store).await, rest);
        let backend = store.reads().get_database_backend();
        let settle = change(backend, &format!("UPDATE exceptions SET open = {}", no(backend)), Expect::One);
        store.change(AT, settle).await.unwrap();
        assert_eq!(store.drop_ended(AT, day(1_000), 10).await.unwrap(), Dropped { signals: 1 });
        assert_eq!(left(&store).await[0], [2, 3, 7]);
        store.close();
        database.remove().await;
    }
}

fn no(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Sqlite { "0" } else { "FALSE" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_a_dropped_signal_is_a_repeat_whenever_it_comes() {
    for database in Database::all().await {
        let house = seven(&database).await;
        let store = house.store;
        store.archive(AT, day(1_000), 10).await.unwrap();
        // While they are dropped, somebody repeats them without an end.
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let repeats: Vec<_> = ["filled", "expired", "denied"]
            .into_iter()
            .map(|key| {
                let (store, stop) = (store.clone(), stop.clone());
                tokio::spawn(async move {
                    let mut seen = std::collections::BTreeSet::new();
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        match store.ingest(new_signal(key)).await.unwrap() {
                            Ingested::Replayed(signal) => seen.insert(signal.id.get()),
                            other => panic!("{key}: {other:?}"),
                        };
                    }
                    seen
                })
            })
            .collect();
        assert_eq!(store.drop_ended(AT, day(1_000), 10).await.unwrap(), Dropped { signals: 3 });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for (repeat, id) in repeats.into_iter().zip([1, 5, 6]) {
            assert_eq!(repeat.await.unwrap().into_iter().collect::<Vec<_>>(), [id]);
        }

        let check = async |store: &Store| {
            // As it came then, at its own time.
            let mut again = new_signal("filled");
            again.signal.received_at = day(50);
            let Ingested::Replayed(signal) = store.ingest(again).await.unwrap() else { panic!("a repeat") };
            let mut first = new_signal("filled").signal;
            first.id = SignalId::new(1);
            assert_eq!(*signal, first);
            let mut other = new_signal("denied");
            other.body_hash = [8; 32];
            // In one transaction with others, new and old.
            let batch = vec![other, new_signal("waits"), new_signal("expired"), new_signal("expired")];
            let told = store.ingest_batch(batch).await.unwrap();
            let told: Vec<_> = told
                .iter()
                .map(|ingested| match ingested {
                    Ingested::Accepted(signal) => ("accepted", signal.id.get()),
                    Ingested::Replayed(signal) => ("replayed", signal.id.get()),
                    Ingested::Reused => ("reused", 0),
                })
                .collect();
            assert_eq!(told, [("reused", 0), ("replayed", 2), ("replayed", 5), ("replayed", 5)]);
            assert_eq!(left(store).await[0], [2, 3, 4, 7]);
        };
        check(&store).await;
        store.close();
        drop(store);
        let store = database.open().await;
        check(&store).await;
        // A key that is forgotten is found.
        let backend = store.reads().get_database_backend();
        let forget = change(backend, "DELETE FROM signal_keys WHERE id = 5", Expect::One);
        store.change(AT, forget).await.unwrap();
        let differences = prove(&store, Rows::Settled).await.unwrap().differences;
        let found: Vec<&str> = differences.iter().map(|differs| &*differs.what).collect();
        assert_eq!(found, ["the number of dropped signals", "signal sig-5", "signal sig-5"]);
        store.close();
        database.remove().await;
    }
}

/// Of a day on which only two signals came, both dropped or droppable: the next start goes on behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_signals_and_fills_go_on_behind_those_that_were_dropped() {
    for database in Database::all().await {
        let mut house = House::of(database.open().await).await;
        house.opens().await;
        let [first, second, third] =
            [house.signal("1", AT).await, house.signal("2", AT).await, house.signal("3", AT).await];
        house.trades(first, AT, 2);
        house.trades(second, AT, 2);
        house.tell(AT, vec![Event::SignalExpired { strategy: strategy(), signal: third }]);
        for n in 1..=LINES / 1_000 + 1 {
            house.passes(day(n));
        }
        house.write(|_| true, day(40)).await;
        let store = &house.store;
        store.archive(AT, day(1_000), 10).await.unwrap();
        assert_eq!(store.drop_ended(AT, day(1_000), 10).await.unwrap(), Dropped { signals: 2 });
        assert_eq!(left(store).await[0], [2], "it has the newest fill");
        assert_eq!(ids(store, "SELECT id FROM fills ORDER BY id").await, [3, 4]);
        store.close();
        drop(house);

        let mut house = House::of(database.open().await).await;
        let fourth = house.signal("4", day(40)).await;
        assert_eq!(fourth.get(), 4);
        house.trades(fourth, day(40), 1);
        house.write(|signal| signal == fourth, day(40)).await;
        assert_eq!(ids(&house.store, "SELECT id FROM fills ORDER BY id").await, [3, 4, 5]);
        let proof = prove(&house.store, Rows::Settled).await.unwrap();
        assert_eq!((&proof.differences[..], proof.dropped), (&[][..], 2));
        house.store.close();
        if !database.conf.url.starts_with("sqlite:") {
            database.remove().await;
            continue;
        }
        drop(house);

        // The copy has the keys, and passes over far more numbers.
        let copy = database.folder().join("copy.db");
        upkeep::backup(&database.conf, &copy).unwrap();
        upkeep::restore(&database.conf, &copy).await.unwrap();
        let store = database.open().await;
        assert!(matches!(store.ingest(new_signal("3")).await.unwrap(), Ingested::Replayed(it) if it.id == third));
        let Ingested::Accepted(next) = store.ingest(new_signal("5")).await.unwrap() else { panic!("it is new") };
        assert_eq!(next.id.get(), 1_000_005);
        store.close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_stay_while_a_file_of_the_archive_is_away_and_a_row_that_comes_back_is_found() {
    let database = Database::sqlite();
    let store = seven(&database).await.store;
    store.archive(AT, day(1_000), 10).await.unwrap();
    let file = a_file(&database);
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    let refused = store.drop_ended(AT, day(1_000), 10).await;
    assert!(matches!(refused, Err(DropError::Store(StoreError::Io { .. }))), "{refused:?}");
    let bytes = std::fs::read(&aside).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let refused = store.drop_ended(AT, day(1_000), 10).await;
    assert!(matches!(refused, Err(DropError::Store(StoreError::Corrupt { .. }))), "{refused:?}");
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(store.drop_ended(AT, day(1_000), 10).await.unwrap().signals, 3);

    let back =
        "INSERT INTO parents (id, signal_id, account, strategy, symbol, side, qty, cum_qty, cum_amount_e4, status,
        working_order_id, mode, short_of_cash) SELECT 65536, 1, account, strategy, symbol, side, qty, cum_qty,
        cum_amount_e4, status, working_order_id, mode, short_of_cash FROM parents WHERE signal_id = 7";
    store.change(AT, change(DbBackend::Sqlite, back, Expect::One)).await.unwrap();
    let differences = prove(&store, Rows::AsTheyAre).await.unwrap().differences;
    assert!(differences.iter().any(|differs| differs.what == "parent par-65536"), "{differences:?}");
}

fn a_file(database: &Database) -> std::path::PathBuf {
    let mut folders = vec![database.folder().join("archive")];
    while let Some(folder) = folders.pop() {
        for it in std::fs::read_dir(folder).unwrap() {
            let path = it.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "gz") {
                return path;
            }
        }
    }
    panic!("there is no file")
}
