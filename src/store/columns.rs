//! How rows of the cores lie in the tables' columns, the same for both databases.

use std::sync::LazyLock;

use serde::Serialize;
use signalbox_domain::denial::Denial;
use signalbox_domain::event::Scope;
use signalbox_domain::parent::Parent;
use signalbox_domain::row::{AccountRow, SignalRow};
use signalbox_domain::signal::Source;

use super::StoreError;
use super::batch::OrderRow;

pub(super) fn json<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::corrupt(what, error))
}

pub(super) fn denials(denials: &[Denial]) -> Result<Option<String>, StoreError> {
    if denials.is_empty() { Ok(None) } else { json("denials", denials).map(Some) }
}

/// What to do without cash, and what was decided of the leg.
pub(super) fn of_parent(parent: &Parent) -> Result<(String, Option<String>), StoreError> {
    let decided = parent.decided.as_ref().map(|decided| json("decided", &**decided)).transpose()?;
    Ok((parent.leg.short_of_cash.to_string(), decided))
}

/// What a signal was held for.
pub(super) fn held(row: &SignalRow) -> Result<Option<String>, StoreError> {
    row.held.as_ref().map(|held| json("held", held)).transpose()
}

pub(super) fn progress(parent: &Parent) -> Result<Option<String>, StoreError> {
    parent.progress.as_ref().map(|progress| json("progress", &**progress)).transpose()
}

pub(super) fn scope(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::Global => ("global", ""),
        Scope::Account(id) => ("account", id.as_str()),
        Scope::Strategy(id) => ("strategy", id.as_str()),
    }
}

/// The column of senders knows two of them; the others are told apart by `origin`.
const fn of_sender(source: Source) -> Source {
    match source {
        Source::Manual => Source::Manual,
        Source::Signal | Source::Monitor => Source::Signal,
    }
}

/// The columns of `orders` in the order of [`OrderColumns`]' fields, and whether an order's life changes them.
pub(super) const ORDER_COLUMNS: [(&str, bool); 43] = [
    ("id", false),
    ("signal_id", false),
    ("parent_id", false),
    ("account", false),
    ("strategy", false),
    ("source", false),
    ("symbol", false),
    ("side", false),
    ("ord_type", false),
    ("limit_price_e4", false),
    ("time_in_force", false),
    ("qty", false),
    ("valid_until_us", false),
    ("approval", false),
    ("denials", false),
    ("status", true),
    ("reported", true),
    ("closed", true),
    ("in_flight", true),
    ("in_doubt", true),
    ("cancel_wanted", true),
    ("send_no", true),
    ("cum_qty", true),
    ("cum_amount_e4", true),
    ("fees_e4", true),
    ("overfilled", true),
    ("reserved_cash_e4", true),
    ("reserved_qty", true),
    ("broker_order_id", true),
    ("reason", true),
    ("created_at_us", false),
    ("sent_at_us", true),
    ("acked_at_us", true),
    ("first_fill_at_us", true),
    ("updated_at_us", true),
    ("doubt_since_us", true),
    ("parked", true),
    ("baseline", true),
    ("effect", false),
    ("all_in", false),
    ("origin", false),
    ("netted_qty", true),
    ("netted_amount_e4", true),
];

/// `INSERT INTO orders (..) VALUES (?1, ..) ON CONFLICT ..`.
pub(super) static UPSERT_ORDER: LazyLock<String> = LazyLock::new(|| {
    let places = (1..=ORDER_COLUMNS.len()).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    format!("INSERT INTO orders ({}) VALUES ({places}) {}", order_names(), on_order_conflict())
});

pub(super) fn order_names() -> String {
    ORDER_COLUMNS.map(|(name, _)| name).join(", ")
}

pub(super) fn on_order_conflict() -> String {
    let changing = ORDER_COLUMNS.iter().filter(|(_, changes)| *changes);
    let set = changing.map(|(name, _)| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ");
    format!("ON CONFLICT (id) DO UPDATE SET {set}")
}

/// What is lent, as JSON; nothing where there is none.
pub(super) fn loans(row: &AccountRow) -> Result<Option<String>, StoreError> {
    if row.loans.is_empty() { Ok(None) } else { json("loans", &row.loans).map(Some) }
}

/// What moved the cash of its day, as JSON; nothing where that is not known.
pub(super) fn flows(row: &AccountRow) -> Result<Option<String>, StoreError> {
    row.flows.as_ref().map(|flows| json("flows", flows)).transpose()
}

/// The columns of `registry`.
pub(super) const UPSERT_REGISTERED: &str = "INSERT INTO registry (kind, id, version, body) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, body = excluded.body";

/// The columns of `contract_books`.
pub(super) const UPSERT_CONTRACT: &str = "INSERT INTO contract_books (account, symbol, strategy, direction, body)
     VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (account, symbol, strategy, direction) DO UPDATE SET body = excluded.body";

/// One row of `orders`.
#[derive(Debug, Clone)]
pub(super) struct OrderColumns<'a> {
    pub(super) id: i64,
    pub(super) signal_id: i64,
    pub(super) parent_id: i64,
    pub(super) account: &'a str,
    pub(super) strategy: &'a str,
    pub(super) source: &'static str,
    pub(super) symbol: &'a str,
    pub(super) side: &'static str,
    pub(super) ord_type: &'static str,
    pub(super) limit_price_e4: Option<i64>,
    pub(super) time_in_force: &'static str,
    pub(super) qty: i64,
    pub(super) valid_until_us: i64,
    pub(super) approval: Option<String>,
    pub(super) denials: Option<String>,
    pub(super) status: &'static str,
    pub(super) reported: &'static str,
    pub(super) closed: bool,
    pub(super) in_flight: Option<&'static str>,
    pub(super) in_doubt: bool,
    pub(super) cancel_wanted: bool,
    pub(super) send_no: i64,
    pub(super) cum_qty: i64,
    pub(super) cum_amount_e4: i64,
    pub(super) fees_e4: i64,
    pub(super) overfilled: bool,
    pub(super) reserved_cash_e4: i64,
    pub(super) reserved_qty: i64,
    pub(super) broker_order_id: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) created_at_us: i64,
    pub(super) sent_at_us: Option<i64>,
    pub(super) acked_at_us: Option<i64>,
    pub(super) first_fill_at_us: Option<i64>,
    pub(super) updated_at_us: i64,
    pub(super) doubt_since_us: Option<i64>,
    pub(super) parked: Option<&'static str>,
    pub(super) baseline: Option<String>,
    pub(super) effect: Option<&'static str>,
    pub(super) all_in: bool,
    pub(super) origin: Option<&'static str>,
    pub(super) netted_qty: i64,
    pub(super) netted_amount_e4: i64,
}

impl<'a> OrderColumns<'a> {
    pub(super) fn of(row: &'a OrderRow) -> Result<Self, StoreError> {
        let terms = match row {
            OrderRow::Live(order) => &order.terms,
            OrderRow::Denied { terms, .. } => terms,
        };
        // As a denied order stands; a live one fills in its own life below.
        let mut columns = Self {
            id: terms.id.get() as i64,
            signal_id: terms.id.signal().get() as i64,
            parent_id: terms.id.parent().get() as i64,
            account: terms.account.as_str(),
            strategy: terms.strategy.as_str(),
            source: of_sender(terms.source).into(),
            symbol: terms.symbol.as_str(),
            side: terms.side.into(),
            ord_type: terms.ord_type.into(),
            limit_price_e4: terms.limit_price.map(|px| px.e4()),
            time_in_force: terms.time_in_force.into(),
            qty: terms.qty.get(),
            valid_until_us: terms.valid_until.us(),
            approval: None,
            denials: None,
            status: "denied",
            reported: "denied",
            closed: true,
            in_flight: None,
            in_doubt: false,
            cancel_wanted: false,
            send_no: 0,
            cum_qty: 0,
            cum_amount_e4: 0,
            fees_e4: 0,
            overfilled: false,
            reserved_cash_e4: 0,
            reserved_qty: 0,
            broker_order_id: None,
            reason: None,
            created_at_us: 0,
            sent_at_us: None,
            acked_at_us: None,
            first_fill_at_us: None,
            updated_at_us: 0,
            doubt_since_us: None,
            parked: None,
            baseline: None,
            effect: terms.effect.map(Into::into),
            all_in: terms.all_in,
            origin: (terms.source == Source::Monitor).then(|| terms.source.into()),
            netted_qty: 0,
            netted_amount_e4: 0,
        };
        match row {
            OrderRow::Denied { denials, at, .. } => {
                columns.denials = Some(json("denials", &**denials)?);
                columns.created_at_us = at.us();
                columns.updated_at_us = at.us();
            }
            OrderRow::Live(order) => {
                columns.approval = Some(json("approval", &*order.approval)?);
                columns.status = order.status.into();
                columns.reported = order.reported().into();
                columns.closed = order.status.is_terminal();
                columns.in_flight = order.in_flight.map(Into::into);
                columns.in_doubt = order.in_doubt;
                columns.cancel_wanted = order.cancel_wanted;
                columns.send_no = i64::from(order.send_no);
                columns.cum_qty = order.cum_qty.get();
                columns.cum_amount_e4 = order.cum_amount.e4();
                columns.netted_qty = order.netted.qty.get();
                columns.netted_amount_e4 = order.netted.amount.e4();
                columns.fees_e4 = order.fees.e4();
                columns.overfilled = order.cum_qty > terms.qty;
                columns.reserved_cash_e4 = order.reserved_cash().e4();
                columns.reserved_qty = order.reserved_qty().get();
                columns.broker_order_id = order.broker_order_id.as_ref().map(|id| &*id.0);
                columns.reason = order.reason.as_deref();
                columns.created_at_us = order.created_at.us();
                columns.sent_at_us = order.sent_at.map(|at| at.us());
                columns.acked_at_us = order.acked_at.map(|at| at.us());
                columns.first_fill_at_us = order.first_fill_at.map(|at| at.us());
                columns.updated_at_us = order.updated_at.us();
                columns.doubt_since_us = order.doubt_since.map(|at| at.us());
                columns.parked = order.parked.map(Into::into);
                columns.baseline = order.baseline.as_ref().map(|b| json("baseline", &**b)).transpose()?;
            }
        }
        Ok(columns)
    }
}
