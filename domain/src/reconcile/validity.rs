//! Which reads can be believed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::broker::{ListedOrder, Snapshot};
use crate::ids::BrokerOrderId;
use crate::order::{Order, Side};
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Timestamp, TradeDate};

/// Why a read does not exist. V1, V2 and V8 of the design are the adapter's: it says `ReadFailed` then.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    thiserror::Error,
    strum::EnumDiscriminants,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[strum_discriminants(name(InvalidKind))]
pub enum Invalid {
    /// V1, V2, V8: the adapter could not read.
    #[error("the lists could not be read: {0}")]
    Failed(Arc<str>),
    /// V3.
    #[error("the broker shows account {shown}")]
    WrongAccount { shown: Arc<str> },
    /// V4.
    #[error("order {0} was listed and is not any more")]
    Vanished(BrokerOrderId),
    /// V5.
    #[error("order {0} had more fills before")]
    CumFell(BrokerOrderId),
    /// V6.
    #[error("order {0} was another order before")]
    Changed(BrokerOrderId),
    /// V7.
    #[error("not every page was read")]
    Incomplete,
    /// V9.
    #[error("the lists are of {0}")]
    OtherDay(TradeDate),
    /// V10.
    #[error("order {0} has more trades than fills")]
    TradesAboveFills(BrokerOrderId),
    /// A list names one order twice.
    #[error("order {0} is listed twice")]
    ListedTwice(BrokerOrderId),
    /// It ended before it began, or before the last one did.
    #[error("the read is not newer than the last one")]
    Stale,
}

/// What may not change about a row from one read to the next, and what only grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) qty: Qty,
    /// Price and time as listed; absent for an order of ours that is known by its fills and was not listed yet.
    pub(super) listed: Option<(Option<Price>, Timestamp)>,
    tag: Option<Arc<str>>,
    pub(super) cum_qty: Qty,
    pub first_at: Timestamp,
}

/// The rows that valid reads of one day have shown.
#[derive(Debug, Clone, Default)]
pub struct SeenRows {
    date: Option<TradeDate>,
    ended: Option<Timestamp>,
    rows: BTreeMap<BrokerOrderId, Seen>,
}

impl SeenRows {
    #[must_use]
    pub fn get(&self, no: &BrokerOrderId) -> Option<&Seen> {
        self.rows.get(no)
    }

    /// Whether the row was seen on the day.
    #[must_use]
    pub fn has(&self, date: TradeDate, no: &BrokerOrderId) -> bool {
        self.date == Some(date) && self.rows.contains_key(no)
    }

    /// When the last valid read ended.
    #[must_use]
    pub const fn last(&self) -> Option<Timestamp> {
        self.ended
    }

    /// What must be listed on the day, by number.
    pub(super) fn of(&self, date: TradeDate) -> impl Iterator<Item = (&BrokerOrderId, &Seen)> {
        self.rows.iter().filter(move |_| self.date == Some(date))
    }

    /// Remembers a valid read, except the rows of which nobody can say yet whose they are.
    pub fn take(&mut self, snapshot: &Snapshot, unsure: &BTreeSet<BrokerOrderId>) {
        self.begin(snapshot.trade_date);
        self.ended = Some(snapshot.ended);
        for row in snapshot.orders.iter().filter(|row| !unsure.contains(&row.no)) {
            let seen = self.rows.entry(row.no.clone()).or_insert_with(|| Seen::of(row, snapshot.ended));
            if !seen.is(row) {
                // It was known by its mark alone.
                *seen = Seen::of(row, seen.first_at);
            }
            seen.cum_qty = row.cum_qty;
            seen.listed = Some((row.px, row.at));
        }
    }

    /// A row that an earlier life of the account saw on the day.
    pub fn saw(&mut self, date: TradeDate, row: &ListedOrder, at: Timestamp) {
        if self.date.is_none_or(|known| known <= date) {
            self.begin(date);
            self.rows.entry(row.no.clone()).or_insert_with(|| Seen::of(row, at));
        }
    }

    /// An order of ours that has traded on the day exists, whether it was listed or not.
    pub fn traded(&mut self, date: TradeDate, order: &Order, no: &BrokerOrderId, tag: Option<Arc<str>>) {
        let terms = &order.terms;
        if self.date.is_none_or(|known| known <= date) {
            self.begin(date);
            self.rows.entry(no.clone()).or_insert_with(|| Seen {
                symbol: terms.symbol,
                side: terms.side,
                qty: order.sent_qty(),
                listed: None,
                tag,
                cum_qty: Qty::ZERO,
                first_at: order.updated_at,
            });
        }
    }

    /// The order with this tag has this number, whatever number a read showed beside the tag before.
    pub fn tagged(&mut self, tag: &str, no: &BrokerOrderId) {
        let shown = self.rows.iter().find(|(_, seen)| seen.tag.as_deref() == Some(tag)).map(|(shown, _)| shown.clone());
        if let Some(shown) = shown.filter(|shown| shown != no)
            && let Some(seen) = self.rows.remove(&shown)
        {
            self.rows.entry(no.clone()).or_insert(seen);
        }
    }

    fn begin(&mut self, date: TradeDate) {
        if self.date != Some(date) {
            self.rows.clear();
            self.date = Some(date);
        }
    }
}

impl Seen {
    fn of(row: &ListedOrder, at: Timestamp) -> Self {
        Self {
            symbol: row.symbol,
            side: row.side,
            qty: row.qty,
            listed: Some((row.px, row.at)),
            tag: row.tag.clone(),
            cum_qty: row.cum_qty,
            first_at: at,
        }
    }

    /// Whether the row can be the same order.
    pub(super) fn is(&self, row: &ListedOrder) -> bool {
        (row.symbol, row.side, row.qty) == (self.symbol, self.side, self.qty)
    }

    /// Whether the row under its number is it. One that only its fills have told of is known by its mark, whatever the broker
    /// has made of it (F18): that is the order's affair, and not the read's.
    pub(super) fn is_named(&self, row: &ListedOrder) -> bool {
        self.is(row) || (self.listed.is_none() && self.tag.is_some() && self.tag == row.tag)
    }

    /// Whether nobody could tell the two orders apart but by their numbers.
    pub(super) fn looks_like(&self, other: &Self) -> bool {
        (self.symbol, self.side, self.qty, self.listed) == (other.symbol, other.side, other.qty, other.listed)
    }

    /// Whether it is the same in everything by which rows are told apart, their numbers aside.
    pub(super) fn is_exactly(&self, row: &ListedOrder) -> bool {
        let tags = self.tag.as_ref().zip(row.tag.as_ref());
        self.is(row)
            && self.listed.is_none_or(|listed| listed == (row.px, row.at))
            && tags.is_none_or(|(ours, shown)| ours == shown)
    }
}

/// What a read must agree with.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub fund_account: Option<&'a str>,
    /// The account's trading day, and the one before it: after the close the broker still lists the old one.
    pub days: [Option<TradeDate>; 2],
    pub seen: &'a SeenRows,
}

/// Whether a read can be believed.
///
/// # Errors
/// [`Invalid`], the first reason in the order of its variants' precedence.
pub fn check(snapshot: &Snapshot, expected: Expected<'_>) -> Result<(), Invalid> {
    if let (Some(due), Some(shown)) = (expected.fund_account, &snapshot.fund_account)
        && due != &**shown
        && !seeded(SeededBug::ForeignSnapshotBelieved)
    {
        return Err(Invalid::WrongAccount { shown: shown.clone() });
    }
    if !snapshot.complete {
        return Err(Invalid::Incomplete);
    }
    if !expected.days.contains(&Some(snapshot.trade_date)) {
        return Err(Invalid::OtherDay(snapshot.trade_date));
    }
    if snapshot.ended < snapshot.began || expected.seen.ended.is_some_and(|last| snapshot.began < last) {
        return Err(Invalid::Stale);
    }
    let mut listed = BTreeMap::new();
    for row in &snapshot.orders {
        if listed.insert(&row.no, row).is_some() {
            return Err(Invalid::ListedTwice(row.no.clone()));
        }
    }
    let unread = seeded(SeededBug::EmptyListIsAbsent) && snapshot.orders.is_empty();
    if expected.seen.date == Some(snapshot.trade_date) && !unread {
        for (no, seen) in &expected.seen.rows {
            let Some(row) = listed.get(no) else { return Err(Invalid::Vanished(no.clone())) };
            if !seen.is_named(row) {
                return Err(Invalid::Changed(no.clone()));
            }
            if row.cum_qty < seen.cum_qty && !seeded(SeededBug::CumGoesBack) {
                return Err(Invalid::CumFell(no.clone()));
            }
        }
    }
    let mut traded: BTreeMap<&BrokerOrderId, Qty> = BTreeMap::new();
    for trade in &snapshot.trades {
        *traded.entry(&trade.no).or_default() += trade.qty;
    }
    for (no, qty) in traded {
        if listed.get(no).is_some_and(|row| qty > row.cum_qty) && !seeded(SeededBug::CumGoesBack) {
            return Err(Invalid::TradesAboveFills(no.clone()));
        }
    }
    Ok(())
}

/// Whether the list of trades is as far as the list of orders: trades may lag (V10).
#[must_use]
pub fn quiet(snapshot: &Snapshot, no: &BrokerOrderId) -> bool {
    let traded: Qty = snapshot.trades.iter().filter(|t| t.no == *no).map(|t| t.qty).sum();
    snapshot.orders.iter().find(|row| row.no == *no).is_some_and(|row| row.cum_qty == traded)
}
