//! How a book lies in the columns of `books`, the same for both databases.

use std::sync::LazyLock;

use signalbox_domain::ids::AccountId;
use signalbox_domain::ledger::Book;

const KEY: [&str; 3] = ["account", "symbol", "strategy"];

/// Whole numbers, in the order of [`BookColumns::ints`].
const INTS: [&str; 14] = [
    "qty",
    "bought_today",
    "cost_e4",
    "realized_pnl_e4",
    "entry_on",
    "entry_at_us",
    "high_e4",
    "low_e4",
    "seen_until_us",
    "entry_realized_e4",
    "day_qty",
    "day_flow_e4",
    "prev_close_e4",
    "close_e4",
];

/// `INSERT INTO books (..) VALUES (?1, ..) ON CONFLICT ..`.
pub(super) static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let places = (1..=KEY.len() + INTS.len()).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    format!("INSERT INTO books ({}) VALUES ({places}) {}", names(), on_conflict())
});

pub(super) fn names() -> String {
    [&KEY[..], &INTS[..]].concat().join(", ")
}

pub(super) fn on_conflict() -> String {
    let set = INTS.map(|name| format!("{name} = excluded.{name}")).join(", ");
    format!("ON CONFLICT ({}) DO UPDATE SET {set}", KEY.join(", "))
}

/// One row of `books`.
#[derive(Debug, Clone, Copy)]
pub(super) struct BookColumns<'a> {
    pub(super) key: [&'a str; KEY.len()],
    pub(super) ints: [Option<i64>; INTS.len()],
}

impl<'a> BookColumns<'a> {
    pub(super) fn of(account: &'a AccountId, book: &'a Book) -> Self {
        let (entry, day) = (book.entry.as_ref(), book.day);
        Self {
            key: [account.as_str(), book.symbol.as_str(), book.strategy.as_str()],
            ints: [
                Some(book.qty.get()),
                Some(book.bought_today.get()),
                Some(book.cost.e4()),
                Some(book.realized_pnl.e4()),
                entry.and_then(|entry| entry.on).map(|on| on.yyyymmdd().into()),
                entry.and_then(|entry| entry.at).map(|at| at.us()),
                entry.and_then(|entry| entry.high).map(|px| px.e4()),
                entry.and_then(|entry| entry.low).map(|px| px.e4()),
                entry.map(|entry| entry.seen_until.us()),
                entry.map(|entry| entry.realized.e4()),
                day.map(|day| day.qty.get()),
                day.map(|day| day.flow.e4()),
                day.and_then(|day| day.prev_close).map(|px| px.e4()),
                day.and_then(|day| day.close).map(|px| px.e4()),
            ],
        }
    }
}
