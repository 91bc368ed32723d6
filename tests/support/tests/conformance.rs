//! Every card at every adapter: paper, and the fake broker at each of its levels, as a process over HTTP.

use std::path::Path;

use futures_util::future::join_all;
use signalbox_domain::broker::Level;
use signalbox_support::conformance::{FakeHarness, Miss, PaperHarness, Verdict, cards, play, row};

const LEVELS: [Level; 5] = [Level::L0, Level::L1, Level::L2, Level::L3, Level::L4];

#[tokio::test]
async fn every_adapter_holds_every_card_of_its_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut columns = vec![on_paper().await];
    // A broker each: one card kills its own.
    columns.extend(join_all(LEVELS.map(|level| at_level(level, folder.path()))).await);
    let mut table = String::from("card   paper L0    L1    L2    L3    L4\n");
    let mut failed = Vec::new();
    for (n, card) in cards().iter().enumerate() {
        for (place, column) in columns.iter().enumerate() {
            if let Err(Miss::Failed(what)) = &column[n] {
                let adapter = place.checked_sub(1).map_or("paper".to_owned(), |n| format!("{:?}", LEVELS[n]));
                failed.push(format!("{} at {adapter}: {what}", card.id));
            }
        }
        row(&mut table, card, columns.iter().map(|column| &column[n]));
    }
    assert!(failed.is_empty(), "{table}\n{}", failed.join("\n"));
    insta::assert_snapshot!(table);
}

async fn on_paper() -> Vec<Verdict> {
    let mut column = Vec::new();
    for card in cards() {
        column.push(play(&card, Box::new(PaperHarness::default())).await);
    }
    column
}

async fn at_level(level: Level, folder: &Path) -> Vec<Verdict> {
    let ledger = folder.join(format!("{level:?}"));
    let broker = FakeHarness::process(env!("CARGO_BIN_EXE_fake-broker"), ledger);
    let mut column = Vec::new();
    for card in cards() {
        let harness = FakeHarness::new(broker.clone(), card.id, level).await;
        column.push(play(&card, Box::new(harness)).await);
    }
    column
}
