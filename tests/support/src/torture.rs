//! What must hold between clients, Signalbox and broker once everything is at rest, and the figures of a run.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Value, json};
use signalbox_brokers::fake::wire::Status;
use signalbox_brokers::fake::{AccountTruth, OrderTruth};

use crate::drill::driver::Driver;
use crate::drill::program::now;
use crate::fake_broker::Process;

/// Within this time after the last kill every doubt is settled or a person's.
const RESTS_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// What a run has seen.
#[derive(Debug, Default)]
pub struct Figures {
    pub kills: u64,
    pub kills_in_recovery: u64,
    pub broker_kills: u64,
    pub recoveries: Vec<Duration>,
    keys: usize,
    orders: usize,
    at_broker: usize,
    /// How the orders ended, with the first reason of a refusal.
    ends: BTreeMap<String, usize>,
    fills: usize,
    comparisons: usize,
    doubts: BTreeSet<String>,
    parks: BTreeMap<String, String>,
    decisions: usize,
    lost: usize,
    doubled: usize,
    wrong_binds: usize,
    other_faults: usize,
}

impl Figures {
    #[must_use]
    pub fn progress(&self, took: Duration) -> String {
        format!(
            "{:>5} s: {} kills, {} keys, {} orders, {} fills, {} doubts, {} parks: all three agree",
            took.as_secs(),
            self.kills,
            self.keys,
            self.orders,
            self.fills,
            self.doubts.len(),
            self.parks.len()
        )
    }

    /// Median, 99th percentile and maximum, in milliseconds.
    fn recovery(&self) -> [u128; 3] {
        let mut sorted = self.recoveries.clone();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get((sorted.len().max(1) - 1) * percent / 100).map_or(0, Duration::as_millis);
        [at(50), at(99), at(100)]
    }

    #[must_use]
    pub fn line(&self, level: &str, seed: u64, took: Duration) -> String {
        let [median, p99, max] = self.recovery();
        format!(
            "{level} seed {seed}: {} kills ({} in recovery) and {} of the broker, {} keys, {} orders, {} fills, \
             {} doubts, {} parks; {} lost, {} doubled, {} wrong binds, {} other faults; \
             recovery {median}/{p99}/{max} ms; {} s",
            self.kills,
            self.kills_in_recovery,
            self.broker_kills,
            self.keys,
            self.orders,
            self.fills,
            self.doubts.len(),
            self.parks.len(),
            self.lost,
            self.doubled,
            self.wrong_binds,
            self.other_faults,
            took.as_secs()
        )
    }

    #[must_use]
    pub fn report(&self, level: &str, seed: u64, took: Duration, faults: Option<&Vec<String>>) -> Value {
        let [median, p99, max] = self.recovery();
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in self.parks.values() {
            *reasons.entry(reason).or_default() += 1;
        }
        json!({
            "level": level, "seed": seed, "seconds": took.as_secs(), "kills": self.kills,
            "kills_in_recovery": self.kills_in_recovery, "broker_kills": self.broker_kills,
            "comparisons": self.comparisons, "keys": self.keys, "orders": self.orders,
            "orders_at_broker": self.at_broker, "order_ends": self.ends, "fills": self.fills, "doubts": self.doubts.len(),
            "parks": self.parks.len(), "park_reasons": reasons, "decisions": self.decisions, "lost": self.lost,
            "doubled": self.doubled, "wrong_binds": self.wrong_binds, "other_faults": self.other_faults,
            "recovery_ms": {"median": median, "p99": p99, "max": max}, "faults": faults,
        })
    }
}

/// One kind of fault that was found, and the words for it.
enum Found {
    Lost(String),
    Doubled(String),
    WrongBind(String),
    Other(String),
}

/// Waits until everything is at rest, settles what waits for a person by the truth, and compares the three memories.
///
/// # Errors
/// Everything that is still wrong after the time allowed.
pub async fn reckon(driver: &Driver, broker: &Process, figures: &mut Figures) -> Result<(), Vec<String>> {
    let began = now();
    loop {
        let (orders, truth) = (driver.all("/v1/orders").await, broker.truth().await);
        settle(driver, &orders, &truth, figures).await;
        let signals = driver.all("/v1/signals").await;
        let fills = driver.all("/v1/fills").await;
        exceptions(driver, figures).await;
        let found = faults(driver, &signals, &orders, &fills, &truth);
        let count = |wanted: fn(&Found) -> bool| found.iter().filter(|f| wanted(f)).count();
        if found.is_empty() || began.elapsed() > RESTS_WITHIN {
            figures.comparisons += 1;
            figures.keys = driver.ledger().sent.len();
            figures.orders = orders.len();
            figures.ends = ends(&orders);
            figures.fills = fills.len();
            figures.at_broker = truth.values().map(|account| account.orders.len()).sum();
            figures.lost = count(|f| matches!(f, Found::Lost(_)));
            figures.doubled = count(|f| matches!(f, Found::Doubled(_)));
            figures.wrong_binds = count(|f| matches!(f, Found::WrongBind(_)));
            figures.other_faults = count(|f| matches!(f, Found::Other(_)));
            let words = found.into_iter().map(|found| match found {
                Found::Lost(text) => format!("lost: {text}"),
                Found::Doubled(text) => format!("doubled: {text}"),
                Found::WrongBind(text) => format!("wrong bind: {text}"),
                Found::Other(text) => text,
            });
            let words: Vec<String> = words.collect();
            return if words.is_empty() { Ok(()) } else { Err(words) };
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A person with the broker's ledger in hand decides every parked doubt.
async fn settle(driver: &Driver, orders: &[Value], truth: &BTreeMap<String, AccountTruth>, figures: &mut Figures) {
    for order in orders.iter().filter(|order| order["status"] == "parked") {
        let made = truth.get(text(&order["account"]));
        let made = made.and_then(|account| account.orders.iter().find(|made| made.hidden == order["client_order_id"]));
        let decision = match made {
            Some(made) => json!({"decision": "bind", "broker_order_id": made.no, "note": "the ledger says so"}),
            None => json!({"decision": "absent", "symbol": order["symbol"], "note": "the ledger says so"}),
        };
        if driver.resolve(text(&order["id"]), &decision).await.is_ok_and(|status| status.is_success()) {
            figures.decisions += 1;
        }
    }
}

/// Takes note of the doubts and parks of the past and of now.
async fn exceptions(driver: &Driver, figures: &mut Figures) {
    for state in ["open", "settled"] {
        let page = driver.get(&format!("/v1/exceptions?state={state}")).await;
        for item in page["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "doubt") {
            let id = text(&item["id"]).to_owned();
            if let Some(reason) = item["parked"].as_str() {
                figures.parks.insert(id.clone(), reason.to_owned());
            }
            figures.doubts.insert(id);
        }
    }
}

fn faults(
    driver: &Driver,
    signals: &[Value],
    orders: &[Value],
    fills: &[Value],
    truth: &BTreeMap<String, AccountTruth>,
) -> Vec<Found> {
    let mut found = Vec::new();
    keys(driver, signals, &mut found);
    rest(signals, orders, &mut found);
    let mut filled: HashMap<&str, i64> = HashMap::new();
    for fill in fills {
        *filled.entry(text(&fill["order_id"])).or_default() += whole(&fill["last_qty"]);
    }
    let mut made: HashMap<(&str, &str), Vec<&OrderTruth>> = HashMap::new();
    for (account, orders) in truth {
        for order in &orders.orders {
            made.entry((account, &order.hidden)).or_default().push(order);
        }
    }
    for order in orders {
        let (id, status, cum) = (text(&order["id"]), text(&order["status"]), whole(&order["cum_qty"]));
        if filled.get(id).copied().unwrap_or_default() != cum {
            found.push(Found::Other(format!("{id} says {cum} are filled, its fills say another sum")));
        }
        let Some(client_id) = order["client_order_id"].as_str() else { continue };
        let made = made.remove(&(text(&order["account"]), client_id)).unwrap_or_default();
        one(order, &made, &mut found);
        let open = made.iter().any(|made| made.status == Status::Working);
        if open != ["new", "partially_filled"].contains(&status) {
            found.push(Found::Other(format!("{id} is {status}, and works at the broker: {open}")));
        }
    }
    for ((account, hidden), orders) in made {
        let numbers: Vec<_> = orders.iter().map(|order| &order.no).collect();
        found.push(Found::Other(format!("{account} has {numbers:?} for {hidden:?}, which is no order of ours")));
    }
    found
}

/// Every signal has ended, or has an order that works.
fn rest(signals: &[Value], orders: &[Value], found: &mut Vec<Found>) {
    let works =
        orders.iter().filter(|order| ["new", "partially_filled"].iter().any(|status| order["status"] == *status));
    let works: BTreeSet<&str> = works.map(|order| text(&order["signal_id"])).collect();
    for signal in signals {
        let (id, status) = (text(&signal["id"]), text(&signal["status"]));
        let ended = ["done", "partially_done", "denied", "expired", "canceled"].contains(&status);
        if ended == works.contains(id) || !(ended || status == "working") {
            found.push(Found::Other(format!(
                "signal {id} stays {status}, an order of it works: {}",
                works.contains(id)
            )));
        }
    }
}

/// One order of ours and what the broker made of it.
fn one(order: &Value, made: &[&OrderTruth], found: &mut Vec<Found>) {
    let (id, status) = (text(&order["id"]), text(&order["status"]));
    if made.len() > 1 {
        let numbers: Vec<_> = made.iter().map(|made| &made.no).collect();
        found.push(Found::Doubled(format!("{id} is at the broker as {numbers:?}")));
    }
    let at_broker: i64 = made.iter().map(|made| made.cum_qty.get()).sum();
    if at_broker != whole(&order["cum_qty"]) {
        found.push(Found::Other(format!("{id} ({status}) has {} filled, the broker {at_broker}", order["cum_qty"])));
    }
    if let Some(no) = order["broker_order_id"].as_str()
        && !made.iter().any(|made| made.no == no)
    {
        found.push(Found::WrongBind(format!("{id} is bound to {no}, which is another order's or nobody's")));
    }
    if !made.is_empty() && order["broker_order_id"].is_null() {
        found.push(Found::Other(format!("{id} ({status}) is at the broker as {} and is not bound", made[0].no)));
    }
    if ["in_doubt", "parked", "pending_new", "pending_cancel"].contains(&status) {
        found.push(Found::Other(format!("{id} stays {status}: {} {}", order["doubt"], order["reason"])));
    }
}

fn ends(orders: &[Value]) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for order in orders {
        let end = [text(&order["status"]), order["denials"][0]["code"].as_str().unwrap_or_default()].join(" ");
        *ends.entry(end.trim_end().to_owned()).or_default() += 1;
    }
    ends
}

/// Every 202 is there under its id, once.
fn keys(driver: &Driver, signals: &[Value], found: &mut Vec<Found>) {
    let ledger = driver.ledger();
    found.extend(ledger.faults.iter().cloned().map(Found::Other));
    let mut stored: HashMap<&str, &str> = HashMap::new();
    for signal in signals {
        let (key, id) = (text(&signal["client_signal_id"]), text(&signal["id"]));
        if stored.insert(key, id).is_some() {
            found.push(Found::Doubled(format!("there are two signals with key {key}")));
        }
        if !ledger.sent.contains_key(key) {
            found.push(Found::Other(format!("{id} has the key {key}, which nobody sent")));
        }
    }
    for (key, sent) in &ledger.sent {
        match (&sent.id, stored.get(key.as_str())) {
            (Some(id), stored) if stored.is_none_or(|stored| id != stored) => {
                found.push(Found::Lost(format!("{id} with key {key} was accepted, and is {stored:?}")));
            }
            (None, _) => found.push(Found::Other(format!("key {key} was never answered"))),
            _ => {}
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn whole(value: &Value) -> i64 {
    text(value).parse().unwrap()
}
