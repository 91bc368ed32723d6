//! Orders in our account that nobody here sent: a person trades by hand, at the same broker.
//!
//! The broker is right about what is there, so their trades are booked, into the book of what no strategy of ours claims.

use std::sync::Arc;

use super::doubt::number_of;
use super::{Account, AccountEffects};
use crate::broker::{ListedOrder, ListedTrade, Snapshot};
use crate::calendar::china_date_time;
use crate::event::Event;
use crate::ids::StrategyId;
use crate::ledger::{Ledger, Trade};
use crate::reconcile::exception::{Decision, Evidence, Exception, ExceptionKind};
use crate::reconcile::validity::quiet;
use crate::row::Row;
use crate::units::{Money, Qty, Timestamp};

impl Account {
    /// Keeps that the row is a person's own. Its evidence holds the row as far as it is booked.
    pub(super) fn record_external(
        &mut self,
        at: Timestamp,
        (row, booked): (&ListedOrder, Qty),
        why: &str,
        by: &str,
        fx: &mut AccountEffects,
    ) {
        // A ghost can be another order's row by now: nothing is booked twice.
        let owned = self.is_forgotten(row) || self.claims_of(china_date_time(row.at).0).contains_key(&row.no);
        let number = number_of(row);
        if owned || self.lists.external.contains_key(&number) {
            return;
        }
        let unbooked = ListedOrder { cum_qty: booked, ..row.clone() };
        let exception = Exception {
            account: self.conf.id.clone(),
            key: format!("external:{}:{}", number.0, number.1).into(),
            kind: ExceptionKind::External,
            order: None,
            opened_at: at,
            updated_at: at,
            evidence: Evidence { text: why.into(), row: Some(unbooked), ..self.evidence() },
            decision: Some(Decision { what: "external".into(), by: by.into(), note: "".into(), at }),
        };
        self.write(exception.clone(), fx);
        self.lists.external.insert(number, exception);
    }

    /// Books what persons' own orders have traded since the last look. Fees are not listed, so they are not booked.
    pub(super) fn book_external(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        snapshot: &Snapshot,
        fx: &mut AccountEffects,
    ) {
        let mut booked_any = false;
        for row in &snapshot.orders {
            let number = number_of(row);
            let Some(exception) = self.lists.external.get(&number) else { continue };
            let booked = exception.evidence.row.as_ref().map_or(Qty::ZERO, |row| row.cum_qty);
            if row.cum_qty <= booked || !quiet(snapshot, &row.no) {
                continue;
            }
            for trade in fresh_trades(snapshot, row, booked) {
                let book = StrategyId::external();
                for book in ledger.fill(at, &book, Trade::from(&trade)) {
                    fx.rows.push(Row::Book { account: self.conf.id.clone(), book: book.into() });
                }
                fx.events.push(Event::ExternalTraded { account: self.conf.id.clone(), trade: Arc::new(trade) });
                booked_any = true;
            }
            let mut exception = exception.clone();
            exception.evidence.row = Some(row.clone());
            exception.updated_at = at;
            self.write(exception.clone(), fx);
            self.lists.external.insert(number, exception);
        }
        if booked_any {
            fx.rows.push(self.account_row(at, ledger));
        }
    }
}

impl From<&ListedTrade> for Trade {
    /// Fees are not listed, so they are not booked.
    fn from(trade: &ListedTrade) -> Self {
        Self { symbol: trade.symbol, side: trade.side, qty: trade.qty, px: trade.px, fee: Money::ZERO }
    }
}

/// The row's trades after the first `booked` shares.
fn fresh_trades(snapshot: &Snapshot, row: &ListedOrder, booked: Qty) -> Vec<ListedTrade> {
    let mut trades: Vec<&ListedTrade> = snapshot.trades.iter().filter(|trade| trade.no == row.no).collect();
    trades.sort_by(|a, b| (a.at, &a.exec_id).cmp(&(b.at, &b.exec_id)));
    let mut old = booked;
    let mut fresh = Vec::new();
    for trade in trades {
        let known = old.min(trade.qty);
        old -= known;
        if trade.qty > known {
            fresh.push(ListedTrade { qty: trade.qty - known, ..trade.clone() });
        }
    }
    fresh
}
