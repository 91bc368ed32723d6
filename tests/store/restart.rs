//! A second process, and what a restart finds.

use std::sync::Arc;

use sea_orm::Iterable as _;
use signalbox::store::{ChangeError, Expect, Hooks, Store, StoreError, StoredOrder};
use signalbox_actors::journal::Journal;
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::ids::{SignalId, StrategyId};
use signalbox_domain::order::{OrdStatus, ReportedStatus};
use signalbox_domain::reconcile::exception::{Decision, Evidence, Exception, ExceptionKind};
use signalbox_domain::row::Row;
use signalbox_domain::signal::SignalStatus;
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf, StrategyState};
use signalbox_domain::units::Qty;

use crate::support::{
    AT, Database, account, account_row, book, change, durable, entry, life, new_signal, strategy, terms,
};

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_is_gone() {
    for database in Database::all().await {
        let store = database.open().await;
        let Err(error @ StoreError::FolderInUse(_)) = Store::open(database.conf.clone()).await else {
            panic!("the folder is in use");
        };
        assert!(error.to_string().contains(&database.folder().display().to_string()));
        assert_eq!(store.epoch(), 1);
        let installation = store.installation();
        drop(store);
        let store = database.open().await;
        assert_eq!((store.epoch(), store.installation()), (2, installation));
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn a_restart_finds_what_lives_and_nothing_else() {
    for database in Database::all().await {
        let store = database.open().await;
        for key in ["done", "half", "untouched"] {
            store.ingest(new_signal(key)).await.unwrap();
        }
        let conf = Arc::new(StrategyConf {
            id: strategy(),
            kind: "external".into(),
            routes: vec![Route::plain(RouteTo::Account(account()))],
        });
        let mut steps = life(SignalId::new(1), 2);
        steps.extend(life(SignalId::new(2), 1));
        steps.push(entry(
            vec![Event::StrategyConfigured(conf.clone())],
            vec![
                Row::Strategy { conf: conf.clone(), state: StrategyState::Active, version: 1 },
                Row::Strategy { conf: conf.clone(), state: StrategyState::Paused, version: 2 },
                Row::TradingState {
                    scope: Scope::Account(account()),
                    state: TradingState::Reducing,
                    who: "ann".into(),
                    reason: "test".into(),
                    at: AT,
                },
                Row::DeniedOrder { terms: terms(SignalId::new(2).parent(1)), denials: Arc::from([]), at: AT },
            ],
        ));
        let mut ticket = 0;
        let mut expected = None;
        for step in steps {
            for row in &step.rows {
                if let Row::Order(order) = row {
                    expected = Some(order.clone());
                }
            }
            ticket = store.append(step);
        }
        durable(&store, ticket).await;
        store.close();

        let store = database.open().await;
        let restored = store.restore().await.unwrap();
        let [one] = &restored.accounts[..] else { panic!("{restored:?}") };
        assert_eq!((&one.row, &one.books), (&account_row(2), &vec![book(100)]));
        assert_eq!(one.live, [expected.unwrap().as_ref().clone()], "with its one fill");
        assert_eq!(one.live[0].exec_ids.len(), 1);
        let [ended] = &one.ended[..] else { panic!("{:?}", one.ended) };
        assert_eq!((ended.id().signal().get(), ended.exec_ids.len()), (1, 2), "with both of its fills");
        let [half] = &restored.signals[..] else { panic!("{restored:?}") };
        assert_eq!((half.signal.row.id.get(), half.signal.row.status), (2, SignalStatus::Working));
        assert_eq!(half.parents.len(), 1);
        assert_eq!(half.parents[0].parent.cum_qty, Qty::new(50));
        assert_eq!((&restored.strategies[0].conf, restored.strategies[0].version), (&conf, 2));
        assert_eq!(restored.trading_states[0].state, TradingState::Reducing);
        assert_eq!(restored.last_at, Some(AT));
        assert_eq!(restored.last_seq, store.verify_chain(1).await.unwrap().last_seq);

        let done = store.order(SignalId::new(1).parent(0).order(1)).await.unwrap().unwrap();
        assert!(matches!(done, StoredOrder::Live(order) if order.reported() == ReportedStatus::Filled));
        assert_eq!(store.fills_of_signal(SignalId::new(1)).await.unwrap().len(), 2);
        assert_eq!(store.orders_of_signal(SignalId::new(2)).await.unwrap().len(), 2);
        let taken = take(&store, &strategy()).await;
        assert_eq!(taken, ["untouched"]);
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn a_final_signal_that_does_not_know_of_a_late_fill_is_found_again() {
    for database in Database::all().await {
        let store = database.open().await;
        for key in ["told", "behind"] {
            store.ingest(new_signal(key)).await.unwrap();
        }
        let mut steps = life(SignalId::new(1), 2);
        steps.extend(life(SignalId::new(2), 2));
        // The process ended before the leg and the signal were told of the last fill.
        let rows = steps.iter().rev().flat_map(|step| &step.rows);
        let mut parent = rows.clone().find(|row| matches!(row, Row::Parent { .. })).unwrap().clone();
        if let Row::Parent { parent, .. } = &mut parent {
            (parent.cum_qty, parent.status) = (Qty::new(50), SignalStatus::Canceled);
        }
        steps.push(entry(Vec::new(), vec![parent]));
        let mut ticket = 0;
        for step in steps {
            ticket = store.append(step);
        }
        durable(&store, ticket).await;
        store.close();
        let store = database.open().await;
        let restored = store.restore().await.unwrap();
        let [behind] = &restored.signals[..] else { panic!("{:?}", restored.signals) };
        assert_eq!((behind.signal.row.id.get(), behind.signal.row.status), (2, SignalStatus::Done));
        assert_eq!(behind.parents[0].parent.cum_qty, Qty::new(50));
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn every_kind_of_exception_is_stored() {
    for database in Database::all().await {
        let store = database.open().await;
        let mut ticket = 0;
        for (n, kind) in (0..).zip(ExceptionKind::iter()) {
            let exception = Exception {
                account: account(),
                key: format!("{kind}:1").into(),
                kind,
                order: None,
                opened_at: AT,
                updated_at: AT,
                evidence: Evidence::default(),
                decision: (n % 2 == 0).then(|| Decision {
                    what: "external".into(),
                    by: "ann".into(),
                    note: r#"she said "decision":null"#.into(),
                    at: AT,
                }),
            };
            ticket = store.append(entry(Vec::new(), vec![Row::Exception(Arc::new(exception))]));
        }
        durable(&store, ticket).await;
        assert_eq!(store.tables().await.unwrap().exceptions.len(), ExceptionKind::iter().len());
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn a_new_life_knows_what_is_open_whose_rows_are_a_persons_and_what_one_has_bound() {
    for database in Database::all().await {
        let store = database.open().await;
        let mut rows = vec![Row::Account(account_row(1).into())];
        let said = [
            ("doubt:1", ExceptionKind::Doubt, Some("bind")),
            ("doubt:2", ExceptionKind::Doubt, Some("bind_late")),
            ("doubt:3", ExceptionKind::Doubt, Some("listed")),
            ("doubt:4", ExceptionKind::Doubt, None),
            ("external:5", ExceptionKind::External, Some("external")),
            ("ghost:6", ExceptionKind::Ghost, Some("external")),
        ];
        for (key, kind, what) in said {
            let decision = what.map(|what| Decision { what: what.into(), by: "ann".into(), note: "".into(), at: AT });
            let (key, evidence) = (key.into(), Evidence::default());
            let exception = Exception {
                account: account(),
                key,
                kind,
                order: None,
                opened_at: AT,
                updated_at: AT,
                evidence,
                decision,
            };
            rows.push(Row::Exception(Arc::new(exception)));
        }
        let ticket = store.append(entry(Vec::new(), rows));
        durable(&store, ticket).await;
        let restored = store.restore().await.unwrap();
        let [one] = &restored.accounts[..] else { panic!("{restored:?}") };
        let mut known: Vec<&str> = one.exceptions.iter().map(|exception| &*exception.key).collect();
        known.sort_unstable();
        assert_eq!(known, ["doubt:1", "doubt:2", "doubt:4", "external:5"]);
        store.close();
        database.remove().await;
    }
}

async fn take(store: &Store, strategy: &StrategyId) -> Vec<String> {
    use signalbox_actors::journal::Inbox;
    let (poked, mut pokes) = tokio::sync::mpsc::unbounded_channel();
    let inbox = store.inbox(Box::new(move |_| poked.send(()).unwrap_or_default()));
    assert!(inbox.take(strategy, 10).is_empty());
    pokes.recv().await.unwrap();
    inbox.take(strategy, 10).iter().map(|signal| signal.client_signal_id.to_string()).collect()
}

#[tokio::test]
async fn of_a_row_that_changes_often_the_newest_state_is_kept() {
    for database in Database::all().await {
        let store = database.open().await;
        let mut ticket = 0;
        for cash in 1..=5_000 {
            ticket = store.append(entry(Vec::new(), vec![Row::Account(account_row(cash).into())]));
        }
        durable(&store, ticket).await;
        assert_eq!(store.accounts().await.unwrap(), [account_row(5_000)]);
        store.close();
        database.remove().await;
    }
}

#[tokio::test]
async fn an_overfill_is_kept_and_a_fill_booked_twice_ends_the_process() {
    for database in Database::all().await {
        let (told, fatal) = tokio::sync::oneshot::channel();
        let on_fatal = Box::new(move |error: &StoreError| told.send(error.to_string()).unwrap_or_default());
        let hooks = Hooks { on_fatal, ..Hooks::default() };
        let store = Store::open_with(database.conf.clone(), hooks).await.unwrap();
        store.ingest(new_signal("a")).await.unwrap();
        let mut steps = life(SignalId::new(1), 3);
        let twice = steps.remove(4);
        let rows = twice.rows.clone();
        let mut ticket = store.append(twice);
        for step in steps {
            ticket = store.append(step);
        }
        durable(&store, ticket).await;
        let order = store.order(SignalId::new(1).parent(0).order(1)).await.unwrap();
        let Some(StoredOrder::Live(order)) = order else { panic!("{order:?}") };
        assert_eq!((order.status, order.cum_qty), (OrdStatus::Filled, Qty::new(150)));

        let lost = store.append(entry(Vec::new(), rows));
        fatal.await.unwrap();
        assert!(store.durable() < lost);
        assert!(store.ingest(new_signal("b")).await.is_err());
        drop(store);
        database.remove().await;
    }
}

#[tokio::test]
async fn f54_whoever_lost_the_lease_writes_nothing_more() {
    for database in Database::all().await {
        let (told, fatal) = tokio::sync::oneshot::channel();
        let on_fatal = Box::new(move |error: &StoreError| told.send(error.to_string()).unwrap_or_default());
        let store = Store::open_with(database.conf.clone(), Hooks { on_fatal, ..Hooks::default() }).await.unwrap();
        let backend = store.reads().get_database_backend();
        // Stands for another process that took over: from the next transaction on, ours is fenced.
        let usurp = change(backend, "UPDATE lease SET epoch = epoch + 1", Expect::One);
        store.change(AT, usurp).await.unwrap();
        let ticket = store.append(life(SignalId::new(1), 1).swap_remove(0));
        assert!(fatal.await.unwrap().contains("took the database over"));
        assert!(store.durable() < ticket);
        let late = change(backend, "UPDATE lease SET epoch = 0", Expect::One);
        assert_eq!(store.change(AT, late).await, Err(ChangeError::Unavailable));
        drop(store);
        database.remove().await;
    }
}
