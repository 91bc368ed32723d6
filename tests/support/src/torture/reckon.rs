//! What must hold between clients, Signalbox and broker once everything is at rest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::Value;
use signalbox_brokers::fake::wire::Status;
use signalbox_brokers::fake::{AccountTruth, OrderTruth};
use signalbox_domain::units::{Money, Price, Qty};

use super::figures::{Counts, Figures, Park};
use super::person::Person;
use super::{gives_nothing, text, whole};
use crate::drill::driver::Driver;
use crate::drill::program::now;
use crate::fake_broker::Process;

/// Within this time after the last kill every doubt is settled or a person's.
const RESTS_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// One kind of fault that was found, in which account, and the words for it.
struct Found {
    kind: Kind,
    account: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lost,
    Doubled,
    WrongBind,
    Other,
}

/// What the program tells of itself.
struct State {
    signals: Vec<Value>,
    orders: Vec<Value>,
    fills: Vec<Value>,
    /// Cash by account.
    cash: BTreeMap<String, String>,
}

/// Waits until everything is at rest, settles what waits for a person by the truth, and compares the three memories.
///
/// # Errors
/// Everything that is still wrong after the time allowed.
pub async fn reckon(
    driver: &Driver,
    broker: &Process,
    person: &mut Person,
    figures: &mut Figures,
) -> Result<(), Vec<String>> {
    let began = now();
    loop {
        let (orders, truth) = (driver.all("/v1/orders").await, broker.truth().await);
        let _ = person.decide(driver, &orders, &truth).await; // what fails is seen below
        let signals = driver.all("/v1/signals").await;
        let fills = driver.all("/v1/fills").await;
        let mut cash = BTreeMap::new();
        for account in truth.keys() {
            let shown = driver.get(&format!("/v1/accounts/{account}")).await;
            cash.insert(account.clone(), text(&shown["cash"]).to_owned());
            exceptions(driver, account, figures).await;
        }
        let state = State { signals, orders, fills, cash };
        let found = faults(driver, &state, &truth);
        if found.is_empty() || began.elapsed() > RESTS_WITHIN {
            figures.comparisons += 1;
            count(figures, driver, &state, &truth, &found);
            return if found.is_empty() { Ok(()) } else { Err(found.iter().map(Found::words).collect()) };
        }
        tokio::time::sleep(POLL).await;
    }
}

impl Found {
    fn words(&self) -> String {
        let kind = match self.kind {
            Kind::Lost => "lost: ",
            Kind::Doubled => "doubled: ",
            Kind::WrongBind => "wrong bind: ",
            Kind::Other => "",
        };
        format!("{}: {kind}{}", self.account, self.text)
    }
}

fn count(
    figures: &mut Figures,
    driver: &Driver,
    state: &State,
    truth: &BTreeMap<String, AccountTruth>,
    found: &[Found],
) {
    figures.keys = driver.ledger().sent.len();
    for (account, truth) in truth {
        let orders = || state.orders.iter().filter(|order| order["account"] == **account);
        let counted = |kind: Kind| found.iter().filter(|found| found.account == *account && found.kind == kind).count();
        figures.accounts.entry(account.clone()).or_default().now = Counts {
            orders: orders().count(),
            at_broker: truth.orders.len(),
            fills: state.fills.iter().filter(|fill| fill["account"] == **account).count(),
            ends: ends(orders()),
            lost: counted(Kind::Lost),
            doubled: counted(Kind::Doubled),
            wrong_binds: counted(Kind::WrongBind),
            other_faults: counted(Kind::Other),
        };
    }
}

/// Takes note of the doubts and parks of the past and of now.
pub async fn exceptions(driver: &Driver, account: &str, figures: &mut Figures) {
    let folder = figures.folders;
    for state in ["open", "settled"] {
        let page = driver.get(&format!("/v1/exceptions?state={state}&account={account}&limit=500")).await;
        let noted = figures.accounts.entry(account.to_owned()).or_default();
        for item in page["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "doubt") {
            // Orders have the same numbers in each folder.
            let id = format!("{folder} {}", text(&item["id"]));
            if let Some(reason) = item["parked"].as_str() {
                let (justified, evidence) = (justified(account, reason, item), item.clone());
                let park = Park { reason: reason.to_owned(), justified, evidence };
                noted.parks.entry(id.clone()).or_insert(park);
            }
            noted.doubts.insert(id);
        }
    }
}

/// Whether a person was needed. Nobody trades by hand here, lists tell the truth whenever they tell anything, and the
/// broker is never gone for long: so the evidence suffices, unless so much else was traded that the order's own cash
/// would not be noticed, or the broker gives nothing at all.
fn justified(account: &str, reason: &str, item: &Value) -> bool {
    if gives_nothing(account) {
        return reason == "no_evidence";
    }
    let order = &item["order"];
    let tolerance = item["conservation"]["cash_tolerance"].as_str().and_then(|text| Money::parse(text).ok());
    let price = order["limit_price"].as_str().and_then(|text| Price::parse(text).ok());
    let held = price.map(|px| px.times(Qty::new(whole(&order["quantity"]))));
    reason == "not_conserved" && tolerance.zip(held).is_some_and(|(tolerance, held)| tolerance >= held)
}

fn faults(driver: &Driver, state: &State, truth: &BTreeMap<String, AccountTruth>) -> Vec<Found> {
    let State { signals, orders, fills, cash } = state;
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
        let account = text(&order["account"]);
        let mut fault = |kind, text| found.push(Found { kind, account: account.to_owned(), text });
        let (id, cum) = (text(&order["id"]), whole(&order["cum_qty"]));
        if filled.get(id).copied().unwrap_or_default() != cum {
            fault(Kind::Other, format!("{id} says {cum} are filled, its fills say another sum"));
        }
        let Some(client_id) = order["client_order_id"].as_str() else { continue };
        let made = made.remove(&(account, client_id)).unwrap_or_default();
        one(order, &made, &mut fault);
        if gives_nothing(account) {
            nobody_knows(order, &made, &mut fault);
        } else {
            at_rest(order, &made, &mut fault);
        }
    }
    for ((account, hidden), orders) in made {
        let numbers: Vec<_> = orders.iter().map(|order| &order.no).collect();
        let text = format!("there is {numbers:?} for {hidden:?}, which is no order of ours");
        found.push(Found { kind: Kind::Other, account: account.to_owned(), text });
    }
    for (account, truth) in truth.iter().filter(|(account, _)| !gives_nothing(account)) {
        if cash.get(account).and_then(|text| Money::parse(text).ok()) != Some(truth.cash) {
            let text = format!("the books have {:?} in cash, the broker {}", cash.get(account), truth.cash);
            found.push(Found { kind: Kind::Other, account: account.clone(), text });
        }
    }
    found
}

/// Every signal has ended, or has an order that works. Where the broker gives nothing it may wait for its person.
fn rest(signals: &[Value], orders: &[Value], found: &mut Vec<Found>) {
    let works =
        orders.iter().filter(|order| ["new", "partially_filled"].iter().any(|status| order["status"] == *status));
    let works: BTreeSet<&str> = works.map(|order| text(&order["signal_id"])).collect();
    for signal in signals {
        let (id, status) = (text(&signal["id"]), text(&signal["status"]));
        let account = text(&signal["strategy"]).trim_start_matches("to-");
        let ended = ["done", "partially_done", "denied", "expired", "canceled"].contains(&status);
        if !gives_nothing(account) && (ended == works.contains(id) || !(ended || status == "working")) {
            let text = format!("signal {id} stays {status}, an order of it works: {}", works.contains(id));
            found.push(Found { kind: Kind::Other, account: account.to_owned(), text });
        }
    }
}

/// One order of ours and what the broker made of it: what holds at every level.
fn one(order: &Value, made: &[&OrderTruth], fault: &mut impl FnMut(Kind, String)) {
    let (id, status) = (text(&order["id"]), text(&order["status"]));
    if made.len() > 1 {
        let numbers: Vec<_> = made.iter().map(|made| &made.no).collect();
        fault(Kind::Doubled, format!("{id} is at the broker as {numbers:?}"));
    }
    if let Some(no) = order["broker_order_id"].as_str()
        && !made.iter().any(|made| made.no == no)
    {
        fault(Kind::WrongBind, format!("{id} is bound to {no}, which is another order's or nobody's"));
    }
    if !made.is_empty() && ["absent", "never_sent", "rejected", "denied"].contains(&status) {
        fault(Kind::Other, format!("{id} is {status}, and at the broker as {}", made[0].no));
    }
}

/// Where the broker tells: the order has ended, or works on both sides.
fn at_rest(order: &Value, made: &[&OrderTruth], fault: &mut impl FnMut(Kind, String)) {
    let (id, status) = (text(&order["id"]), text(&order["status"]));
    let at_broker: i64 = made.iter().map(|made| made.cum_qty.get()).sum();
    if at_broker != whole(&order["cum_qty"]) {
        fault(Kind::Other, format!("{id} ({status}) has {} filled, the broker {at_broker}", order["cum_qty"]));
    }
    if !made.is_empty() && order["broker_order_id"].is_null() {
        fault(Kind::Other, format!("{id} ({status}) is at the broker as {} and is not bound", made[0].no));
    }
    if ["in_doubt", "parked", "pending_new", "pending_cancel"].contains(&status) {
        fault(Kind::Other, format!("{id} stays {status}: {} {}", order["doubt"], order["reason"]));
    }
    let open = made.iter().any(|made| made.status == Status::Working);
    if open != ["new", "partially_filled"].contains(&status) {
        fault(Kind::Other, format!("{id} is {status}, and works at the broker: {open}"));
    }
}

/// Where the broker gives nothing, every order that left waits for a person, or he has decided.
fn nobody_knows(order: &Value, made: &[&OrderTruth], fault: &mut impl FnMut(Kind, String)) {
    let (id, status) = (text(&order["id"]), text(&order["status"]));
    let allowed: &[&str] = match made.is_empty() {
        true => &["parked", "pending_new", "absent", "never_sent", "denied", "rejected"],
        false => &["parked", "new", "canceled"],
    };
    if !allowed.contains(&status) {
        fault(Kind::Other, format!("{id} is {status}, at the broker: {}", !made.is_empty()));
    }
    if whole(&order["cum_qty"]) != 0 {
        fault(Kind::Other, format!("{id} has {} filled, of which nobody was told", order["cum_qty"]));
    }
}

fn ends<'a>(orders: impl Iterator<Item = &'a Value>) -> BTreeMap<String, usize> {
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
    let account = |strategy: &Value| text(strategy).trim_start_matches("to-").to_owned();
    let other = |text: &String| Found { kind: Kind::Other, account: "clients".to_owned(), text: text.clone() };
    found.extend(ledger.faults.iter().map(other));
    let mut stored: HashMap<&str, &str> = HashMap::new();
    for signal in signals {
        let (key, id, account) = (text(&signal["client_signal_id"]), text(&signal["id"]), account(&signal["strategy"]));
        if stored.insert(key, id).is_some() {
            let text = format!("there are two signals with key {key}");
            found.push(Found { kind: Kind::Doubled, account: account.clone(), text });
        }
        if !ledger.sent.contains_key(key) {
            let text = format!("{id} has the key {key}, which nobody sent");
            found.push(Found { kind: Kind::Other, account, text });
        }
    }
    for (key, sent) in &ledger.sent {
        let account = account(&sent.body["strategy"]);
        match (&sent.id, stored.get(key.as_str())) {
            (Some(id), stored) if stored.is_none_or(|stored| id != stored) => {
                let text = format!("{id} with key {key} was accepted, and is {stored:?}");
                found.push(Found { kind: Kind::Lost, account, text });
            }
            (None, _) => {
                found.push(Found { kind: Kind::Other, account, text: format!("key {key} was never answered") });
            }
            _ => {}
        }
    }
}
