//! What must hold whatever was killed when, reckoned from the API's answers and nothing of the program's own code.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use crate::driver::{Driver, SYMBOL};
use crate::program::now;

pub(crate) const ACCOUNTS: [&str; 3] = ["paper-a", "paper-b", "paper-c"];
/// Within this time after the last request everything that can happen has happened.
const RESTS_WITHIN: Duration = Duration::from_secs(15);
/// On a busy machine with long lists one look can take that long.
const LOOKS: u32 = 3;
const POLL: Duration = Duration::from_millis(20);

/// What each account had before the first order: cash in ten-thousandths, and shares by strategy.
pub(crate) type Opening = BTreeMap<String, Holdings>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) cash: i128,
    pub(crate) shares: BTreeMap<String, i128>,
}

/// What the program says of itself, in one piece.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) signals: Vec<Value>,
    pub(crate) orders: Vec<Value>,
    pub(crate) fills: Vec<Value>,
    pub(crate) holdings: Opening,
}

/// The holdings of every account now.
pub(crate) async fn holdings(driver: &Driver) -> Opening {
    let mut all = Opening::new();
    for account in ACCOUNTS {
        let cash = e4(&driver.get(&format!("/v1/accounts/{account}")).await["cash"]);
        let mut shares = BTreeMap::new();
        for book in items(driver.get(&format!("/v1/accounts/{account}/books")).await) {
            assert_eq!(book["symbol"], SYMBOL);
            shares.insert(text(&book["strategy"]).to_owned(), whole(&book["quantity"]));
        }
        shares.retain(|_, quantity| *quantity != 0);
        all.insert(account.to_owned(), Holdings { cash, shares });
    }
    all
}

pub(crate) async fn state(driver: &Driver) -> State {
    State {
        signals: driver.all("/v1/signals").await,
        orders: driver.all("/v1/orders").await,
        fills: driver.all("/v1/fills").await,
        holdings: holdings(driver).await,
    }
}

/// Waits until everything is at rest, and reckons. Whatever is still wrong after the time allowed is a fault.
pub(crate) async fn reckon(driver: &Driver, opening: &Opening) -> Result<State, Vec<String>> {
    let began = now();
    for looks in 1.. {
        let state = state(driver).await;
        let faults = faults(driver, opening, &state);
        if faults.is_empty() {
            return Ok(state);
        }
        // The lists are read one after the other: a look that takes long sees one thing before and another after.
        if began.elapsed() > RESTS_WITHIN && looks >= LOOKS {
            return Err(faults);
        }
        tokio::time::sleep(POLL).await;
    }
    unreachable!("looks have no end")
}

fn faults(driver: &Driver, opening: &Opening, state: &State) -> Vec<String> {
    let mut faults = driver.ledger().faults.clone();
    keys(driver, state, &mut faults);
    orders(state, &mut faults);
    signals(state, &mut faults);
    money(opening, state, &mut faults);
    faults
}

/// Every 202 is there under its id, and nothing is there that nobody sent.
fn keys(driver: &Driver, state: &State, faults: &mut Vec<String>) {
    let ledger = driver.ledger();
    let mut stored: HashMap<&str, &str> = HashMap::new();
    for signal in &state.signals {
        let (key, id) = (text(&signal["client_signal_id"]), text(&signal["id"]));
        if let Some(first) = stored.insert(key, id) {
            faults.push(format!("key {key} is there twice: {first} and {id}"));
        }
        if !ledger.sent.contains_key(key) {
            faults.push(format!("{id} has the key {key}, which nobody sent"));
        }
    }
    for (key, sent) in &ledger.sent {
        match (&sent.id, stored.get(key.as_str())) {
            (Some(id), None) => faults.push(format!("{id} with key {key} was accepted and is lost")),
            (Some(id), Some(stored)) if id != stored => {
                faults.push(format!("key {key} was answered with {id} and is {stored}"));
            }
            (None, _) => faults.push(format!("key {key} was never answered")),
            _ => {}
        }
    }
    unique("signal id", state.signals.iter().map(|signal| text(&signal["id"]).to_owned()), faults);
}

/// One order per leg, each number once, and no more filled than was ordered.
fn orders(state: &State, faults: &mut Vec<String>) {
    let told = |name: &'static str| {
        let orders = state.orders.iter().filter(move |order| !order[name].is_null());
        orders.map(move |order| text(&order[name]).to_owned())
    };
    for name in ["id", "parent_id", "client_order_id"] {
        unique(name, told(name), faults);
    }
    let at_broker = state.orders.iter().filter(|order| !order["broker_order_id"].is_null());
    let at_broker = at_broker.map(|order| format!("{} {}", text(&order["account"]), text(&order["broker_order_id"])));
    unique("broker_order_id", at_broker, faults);
    unique("fill id", state.fills.iter().map(|fill| text(&fill["id"]).to_owned()), faults);
    let executions = state.fills.iter();
    let executions = executions.map(|f| format!("{} {} {}", f["account"], f["trade_date"], f["exec_id"]));
    unique("execution", executions, faults);

    let mut filled: HashMap<&str, i128> = HashMap::new();
    for fill in &state.fills {
        *filled.entry(text(&fill["order_id"])).or_default() += whole(&fill["last_qty"]);
    }
    for order in &state.orders {
        let (id, qty, cum) = (text(&order["id"]), whole(&order["quantity"]), whole(&order["cum_qty"]));
        let fills = filled.remove(id).unwrap_or_default();
        if fills != cum || cum > qty || cum < 0 {
            faults.push(format!("order {id} of {qty} says {cum} are filled, its fills say {fills}"));
        }
        let status = text(&order["status"]);
        let leaves = if ["new", "partially_filled"].contains(&status) { qty - cum } else { 0 };
        if whole(&order["leaves_qty"]) != leaves {
            faults.push(format!("order {id} is {status} with {} of {qty} left", order["leaves_qty"]));
        }
        if (status == "filled") != (cum == qty && status != "denied") {
            faults.push(format!("order {id} is {status} with {cum} of {qty} filled"));
        }
        // At rest nothing is under way and nothing in doubt.
        const RESTING: [&str; 9] =
            ["denied", "new", "partially_filled", "filled", "canceled", "rejected", "expired", "never_sent", "absent"];
        if !RESTING.contains(&status) {
            faults.push(format!("order {id} stays {status}"));
        }
    }
    faults.extend(filled.keys().map(|id| format!("fills of {id}, which is no order")));
}

/// Every signal has ended, has an order that works, or waits for the cash of a sell that does.
fn signals(state: &State, faults: &mut Vec<String>) {
    const WORKS: [&str; 2] = ["new", "partially_filled"];
    let mut of_signal: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut selling: HashSet<&str> = HashSet::new();
    for order in &state.orders {
        let status = text(&order["status"]);
        of_signal.entry(text(&order["signal_id"])).or_default().push(status);
        if order["side"] == "sell" && WORKS.contains(&status) {
            selling.insert(text(&order["strategy"]));
        }
    }
    for signal in &state.signals {
        let (id, status) = (text(&signal["id"]), text(&signal["status"]));
        let orders = of_signal.get(id).map_or(&[][..], Vec::as_slice);
        let works = orders.iter().any(|status| WORKS.contains(status));
        let right = match status {
            "working" => works,
            // Clients that trade for long on a slow machine use up what the accounts have.
            "waiting" => signal["waiting_for"] == "cash" && selling.contains(text(&signal["strategy"])),
            "done" | "partially_done" | "denied" | "expired" | "canceled" => !works,
            _ => false,
        };
        if !right {
            faults.push(format!("signal {id} stays {status} with orders that are {orders:?}"));
        }
        if status == "done" && !orders.iter().all(|status| *status == "filled") {
            faults.push(format!("signal {id} is done with orders that are {orders:?}"));
        }
    }
}

/// Cash and books are what was there at first, and the fills.
fn money(opening: &Opening, state: &State, faults: &mut Vec<String>) {
    let mut reckoned = opening.clone();
    for fill in &state.fills {
        let holdings = reckoned.get_mut(text(&fill["account"])).unwrap();
        let (quantity, px, fee) = (whole(&fill["last_qty"]), e4(&fill["last_px"]), e4(&fill["fee"]));
        let sign = if fill["side"] == "buy" { 1 } else { -1 };
        holdings.cash -= sign * px * quantity + fee;
        *holdings.shares.entry(text(&fill["strategy"]).to_owned()).or_default() += sign * quantity;
    }
    for (account, mut reckoned) in reckoned {
        reckoned.shares.retain(|_, quantity| *quantity != 0);
        let told = &state.holdings[&account];
        if *told != reckoned {
            faults.push(format!("{account} has {told:?}, its fills make {reckoned:?}"));
        }
        if told.cash < 0 || told.shares.values().any(|quantity| *quantity < 0) {
            faults.push(format!("{account} has less than nothing: {told:?}"));
        }
    }
}

fn unique(what: &str, values: impl Iterator<Item = String>, faults: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for value in values {
        if !seen.insert(value.clone()) {
            faults.push(format!("{what} {value} is there twice"));
        }
    }
}

fn items(page: Value) -> Vec<Value> {
    match page["items"].clone() {
        Value::Array(items) => items,
        other => panic!("not a page: {other}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn whole(value: &Value) -> i128 {
    text(value).parse().unwrap()
}

/// A decimal in ten-thousandths.
fn e4(value: &Value) -> i128 {
    let text = text(value);
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(part.len() <= 4, "{text} has more than four decimals");
    sign * (whole.parse::<i128>().unwrap() * 10_000 + format!("{part:0<4}").parse::<i128>().unwrap())
}

#[test]
fn decimals_are_read_exactly() {
    let read = |text: &str| e4(&Value::from(text));
    assert_eq!([read("1"), read("-0.05"), read("12.3456"), read("500000.10")], [10_000, -500, 123_456, 5_000_001_000]);
}
