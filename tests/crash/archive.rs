//! Killed while old lines of the journal go to files, the program loses none and has none twice.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use signalbox::store::{LINES_KEPT, LINES_PER_FILE, Store, StoreConf};
use signalbox_actors::journal::{Entry, Journal as _};
use signalbox_domain::event::Event;
use signalbox_domain::ids::StrategyId;
use signalbox_domain::row::Row;
use signalbox_domain::strategy::{StrategyConf, StrategyState};
use signalbox_domain::units::Timestamp;

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
