//! Killed while old lines of the journal go to files and old rows are dropped, the program loses none and has none twice.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use signalbox::store::{Ingested, LINES_KEPT, LINES_PER_FILE, NewSignal, Store, StoreConf, body_hash};
use signalbox_actors::journal::{Entry, Journal as _};
use signalbox_domain::event::Event;
use signalbox_domain::ids::{ClientId, SignalId, StrategyId};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::row::{Row, SignalRow};
use signalbox_domain::signal::{Notes, Signal, SignalStatus, Size, Source};
use signalbox_domain::strategy::{StrategyConf, StrategyState};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Span, Timestamp};

use crate::Dice;
use crate::program::succeed;

const AT: Timestamp = Timestamp::from_us(1_548_984_600_000_000);

/// A journal of old days: so many files, and what is kept.
async fn old_journal(data: &Path, files: u64) -> u64 {
    let store = Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, data)).await.unwrap();
    let conf =
        Arc::new(StrategyConf { id: StrategyId::parse("s").unwrap(), kind: "external".into(), routes: Vec::new() });
    let thousands = (LINES_KEPT + files * LINES_PER_FILE) / 1_000;
    for n in 0..thousands {
        let row = Row::Strategy { conf: conf.clone(), state: StrategyState::Active, version: (n as u32 + 1) * 1_000 };
        store.append(Entry {
            at: AT,
            actor: "strategy:s".into(),
            cause: "test".into(),
            events: vec![Event::StrategyConfigured(conf.clone()); 1_000],
            rows: vec![row],
        });
    }
    store.close();
    1_000 * thousands
}

fn archiving(data: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
    command.args(["archive", "--days", "30", "--data"]).arg(data).env("RUST_LOG", "error");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// How many lines are in the files. The chain is whole and has every line once, and the state is what it was.
fn whole(data: &Path, lines: u64, state: &str) -> u64 {
    let sizes = succeed(&["storage"], data);
    let archived = sizes.lines().find_map(|line| line.strip_prefix("the archive has ")).unwrap();
    let archived: u64 = archived.split(' ').next().unwrap().parse().unwrap();
    // Each file is told by one line.
    let expected = format!("the chain is whole: {} lines\n", lines + archived / LINES_PER_FILE);
    assert_eq!(succeed(&["audit", "verify"], data), expected, "{sizes}");
    assert_eq!(state_of(data), state);
    archived
}

fn state_of(data: &Path) -> String {
    let told = succeed(&["replay", "--settled"], data);
    assert!(told.starts_with("state equal to the replay"), "{told}");
    told.rsplit(' ').next().unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_it_moves_the_rest_the_next_time() {
    const FILES: u64 = 8;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lines = old_journal(&data, FILES).await;
    let state = state_of(&data);
    let seed = std::env::var("CRASH_SEED").map_or(u64::from(std::process::id()), |text| text.parse().unwrap());
    println!("CRASH_SEED={seed}");
    let (mut dice, mut kills, mut archived) = (Dice::new(seed), 0, 0);
    while archived < FILES * LINES_PER_FILE {
        let mut child = archiving(&data);
        // On a busy machine it needs longer to begin.
        std::thread::sleep(dice.millis(50, 600 + 300 * kills));
        child.kill().unwrap();
        kills += u64::from(!child.wait().unwrap().success());
        let now = whole(&data, lines, &state);
        assert!(now >= archived);
        archived = now;
    }
    println!("{kills} kills");
    assert_eq!(succeed(&["archive", "--days", "30"], &data).split(' ').next(), Some("0"));
    assert!(succeed(&["compact"], &data).contains("MiB before"));
    assert_eq!(whole(&data, lines, &state), FILES * LINES_PER_FILE);
}

/// So many signals that have ended, with a row each, and a week after them the newest lines: the others are in files.
async fn old_signals(data: &Path, signals: usize) {
    let store = Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, data)).await.unwrap();
    let strategy = StrategyId::parse("s").unwrap();
    for batch in 0..signals / 500 {
        let keys = (0..500).map(|n| ended_signal(&strategy, 500 * batch + n)).collect();
        let ids: Vec<_> = store
            .ingest_batch(keys)
            .await
            .unwrap()
            .into_iter()
            .map(|ingested| match ingested {
                Ingested::Accepted(signal) => signal.id,
                other => panic!("{other:?}"),
            })
            .collect();
        store.append(Entry {
            at: AT,
            actor: "strategy:s".into(),
            cause: "test".into(),
            events: ids.iter().map(|id| Event::SignalExpired { strategy: strategy.clone(), signal: *id }).collect(),
            rows: ids.iter().map(|id| ended_row(*id)).collect(),
        });
    }
    store.close();
    drop(store);
    let store = Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, data)).await.unwrap();
    let conf = Arc::new(StrategyConf { id: strategy, kind: "external".into(), routes: Vec::new() });
    let later = AT.plus(Span::from_secs(7 * 86_400));
    for n in 0..(LINES_KEPT + LINES_PER_FILE) / 1_000 {
        store.append(Entry {
            at: later,
            actor: "strategy:s".into(),
            cause: "test".into(),
            events: vec![Event::StrategyConfigured(conf.clone()); 1_000],
            rows: vec![Row::Strategy {
                conf: conf.clone(),
                state: StrategyState::Active,
                version: 1_000 * (n as u32 + 1),
            }],
        });
    }
    store.close();
    drop(store);
    let store = Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, data)).await.unwrap();
    store.archive(later, later, u64::MAX).await.unwrap();
    store.close();
}

fn ended_signal(strategy: &StrategyId, n: usize) -> NewSignal {
    let signal = Signal {
        id: SignalId::new(0),
        source: Source::Signal,
        strategy: strategy.clone(),
        account: None,
        client: ClientId::parse("c").unwrap(),
        client_signal_id: format!("k{n}").into(),
        symbol: Symbol::parse("600000.SH").unwrap(),
        side: Some(Side::Buy),
        position_effect: None,
        size: Size::Quantity(Qty::new(100)),
        ord_type: OrdType::Limit,
        limit_price: Some(Price::from_e4(100_000)),
        time_in_force: TimeInForce::Day,
        valid_until: None,
        execution: None,
        tag: None,
        received_at: AT,
        notes: Notes::default(),
    };
    NewSignal { body_hash: body_hash(&signal), signal }
}

fn ended_row(id: SignalId) -> Row {
    Row::Signal(SignalRow {
        id,
        status: SignalStatus::Expired,
        waiting_for: None,
        until: None,
        residual: Qty::ZERO,
        denials: Arc::from([]),
        cancel_requested: false,
        held: None,
        updated_at: AT,
    })
}

/// How many signals have no rows any more, by what the program says of itself.
fn dropped(data: &Path) -> usize {
    let sizes = succeed(&["storage"], data);
    let said = sizes.lines().find_map(|line| line.strip_prefix("the rows of ")).unwrap();
    said.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_rows_are_dropped_it_drops_the_rest_and_forgets_no_key() {
    const SIGNALS: usize = 8_000;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    old_signals(&data, SIGNALS).await;
    let state = state_of(&data);
    let seed = std::env::var("CRASH_SEED").map_or(u64::from(std::process::id()), |text| text.parse().unwrap());
    println!("CRASH_SEED={seed}");
    let (mut dice, mut kills, mut gone, mut between) = (Dice::new(seed), 0, 0, 0);
    while gone < SIGNALS {
        let mut child = archiving(&data);
        // On a busy machine it needs longer to begin.
        std::thread::sleep(dice.millis(20, 300 + 50 * kills));
        child.kill().unwrap();
        kills += u64::from(!child.wait().unwrap().success());
        let now = dropped(&data);
        assert!(now >= gone && now.is_multiple_of(500), "{gone} {now}");
        between += usize::from(now > 0 && now < SIGNALS);
        if now > gone {
            assert_eq!(state_of(&data), state);
        }
        gone = now;
    }
    println!("{kills} kills, {between} of them between the first transaction and the last");
    succeed(&["audit", "verify"], &data);
    let store = Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, &data)).await.unwrap();
    let strategy = StrategyId::parse("s").unwrap();
    for batch in 0..SIGNALS / 500 {
        let again = (0..500).map(|n| ended_signal(&strategy, 500 * batch + n)).collect();
        for (n, told) in store.ingest_batch(again).await.unwrap().into_iter().enumerate() {
            let id = (500 * batch + n + 1) as u64;
            assert!(matches!(&told, Ingested::Replayed(signal) if signal.id.get() == id), "{id}: {told:?}");
        }
    }
    let told = store.ingest(ended_signal(&strategy, SIGNALS)).await.unwrap();
    assert!(matches!(told, Ingested::Accepted(signal) if signal.id.get() == SIGNALS as u64 + 1));
    store.close();
}
