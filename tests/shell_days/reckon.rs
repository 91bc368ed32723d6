//! What holds when the day is over: of the clients, of the broker, of the journal and its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use signalbox::replay::{Rows, prove};
use signalbox::store::{Store, StoreConf};
use signalbox_domain::broker::Level;
use signalbox_domain::ids::AccountId;
use signalbox_domain::signal::SignalStatus;
use signalbox_sim::books::Truth;
use signalbox_sim::oracle::Oracle;

use crate::house::{ACCOUNTS, account, symbols};
use crate::world::World;

/// What the same seed gives again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) lines: u64,
    /// Of the last line: the whole journal is in it.
    pub(crate) hash: [u8; 32],
    pub(crate) orders: usize,
    pub(crate) fills: usize,
    pub(crate) story: String,
}

pub(crate) fn levels(world: &World) -> BTreeMap<AccountId, Level> {
    ACCOUNTS.iter().map(|name| account(name)).zip(world.levels).collect()
}

/// # Errors
/// The promise that was broken.
pub(crate) fn reckon(world: &World, folder: &Path, told: &mut Option<Told>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, folder)).await.unwrap();
        let reckoned = settle_up(world, &store, told).await;
        store.close();
        reckoned
    })
}

async fn settle_up(world: &World, store: &Store, told: &mut Option<Told>) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let chain = store.verify_chain(1).await.map_err(|error| text(&error))?;
    let mut oracle = Oracle::default();
    let levels = levels(world);
    oracle.enforced = levels.iter().filter(|(_, level)| **level >= Level::L3).map(|(id, _)| id.clone()).collect();
    oracle.one_at_a_time = levels.keys().filter(|id| !oracle.enforced.contains(*id)).cloned().collect();
    oracle.lenient = world.faults.dishonest() || world.faults.alters();
    let (mut accepted, mut broken, mut story) = (BTreeSet::new(), None, String::new());
    let mut journal = store.replay(1);
    loop {
        let chunk = journal.next_chunk().await.map_err(|error| text(&error))?;
        if chunk.is_empty() {
            break;
        }
        for line in chunk {
            let of_day = line.at.us() % 86_400_000_000 / 1_000;
            story.push_str(&format!("{} {of_day} {} {:?}\n", line.seq, line.actor, line.event));
            oracle.at = Some(line.at);
            if let Err(promise) = oracle.apply(&line.event, true) {
                broken.get_or_insert(format!("line {}: {promise}", line.seq));
            }
            if let signalbox_domain::event::Event::SignalAccepted(signal) = &line.event {
                accepted.insert((signal.client_signal_id.to_string(), signal.id));
            }
        }
    }
    let tables = store.tables().await.map_err(|error| text(&error))?;
    *told = Some(Told {
        lines: chain.lines,
        hash: chain.last_hash,
        orders: tables.orders.len(),
        fills: tables.fills.len(),
        story,
    });
    if let Some(broken) = broken {
        return Err(broken);
    }

    // Clients: what they were answered is there once, and nothing else is.
    let answered: BTreeSet<_> = world.sent.iter().filter_map(|(key, sent)| Some((key.clone(), sent.answer?))).collect();
    if answered.len() != world.sent.len() {
        return Err(format!(
            "{} of {} requests were never answered",
            world.sent.len() - answered.len(),
            world.sent.len()
        ));
    }
    if answered != accepted {
        return Err(format!("clients were answered {answered:?}, and the journal has {accepted:?}"));
    }
    let waits = tables.signals.values().find(|row| row.status == SignalStatus::Accepted);
    if let Some(row) = waits {
        return Err(format!("nobody worked on signal {}", row.id));
    }
    let forgotten = oracle.forgotten_legs();
    if forgotten > 0 {
        return Err(format!("{forgotten} legs became neither an order nor a denial"));
    }

    // The broker.
    if !(world.faults.dishonest() || world.faults.alters()) {
        let accounts = world.broker.truth();
        let truth = Truth {
            accounts: &accounts,
            levels: &levels,
            installation: store.installation(),
            overnight: &BTreeSet::new(),
        };
        truth.agrees_on_orders(tables.orders.values().map(|order| &**order))?;
        for id in levels.keys() {
            let ledger = tables.ledger(id).ok_or("no ledger")?;
            truth.agrees_on_holdings(id, &ledger, &symbols())?;
        }
        let seen = levels.values().all(|level| *level > Level::L0);
        if let Some(row) = tables.signals.values().find(|row| seen && !row.status.is_final()) {
            return Err(format!("all orders have ended, and signal {} is {:?}", row.id, row.status));
        }
        let blind = |id: &AccountId| levels.get(id) == Some(&Level::L0);
        let parked = tables.orders.values().filter(|o| o.parked.is_some() && !blind(&o.terms.account)).count();
        if parked > 0 {
            return Err(format!("{parked} orders are still parked"));
        }
    }

    // Journal and rows.
    let proof = prove(store, Rows::Settled).await.map_err(|error| text(&error))?;
    if !proof.differences.is_empty() {
        return Err(format!("journal and rows differ: {:#?}", proof.differences));
    }
    Ok(())
}
