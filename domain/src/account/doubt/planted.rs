//! Those of the [mistakes](crate::seeded) that take more than a condition. Compiled with the feature `seeded-bugs` only.

use std::sync::Arc;

use super::super::{Account, AccountEffects, Filled};
use crate::broker::{BrokerRequest, Snapshot};
use crate::ids::OrderId;
use crate::ledger::{Ledger, Trade};
use crate::order::{InFlight, OrdStatus, Order, OrderFact, Side};
use crate::reconcile::Baseline;
use crate::reconcile::matching::sums;
use crate::row::Row;
use crate::seeded::{SeededBug, seeded};
use crate::units::{Money, Price, Span, Timestamp};

/// How long a parked order waits for a person, where it is forgotten then.
const PATIENCE: Span = Span::from_secs(300);

impl Account {
    /// A send whose answer nobody heard never was.
    pub(in crate::account) fn forget_send(&mut self, id: OrderId) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.in_flight = None;
            self.in_flight = self.in_flight.saturating_sub(1);
            self.queue.push_back(id);
        }
    }

    pub(in crate::account) fn retry(&mut self, at: Timestamp, id: OrderId, fx: &mut AccountEffects) -> bool {
        let lost = |order: &&Order| order.in_doubt && order.in_flight == Some(InFlight::New);
        let Some(order) = self.orders.get(&id).filter(lost).filter(|_| seeded(SeededBug::RetryWithoutTerminal)) else {
            return false;
        };
        let (terms, band, send_no) = (order.sent_terms(), order.approval.band, order.send_no + 1);
        let subscription = order.approval.subscription;
        self.count_extra(at);
        self.fact(at, id, OrderFact::Sending { send_no, baseline: None }, fx);
        fx.broker.push(BrokerRequest::Submit { terms, send_no, band, subscription });
        true
    }

    pub(in crate::account) fn drops_fill(&mut self, id: OrderId, fill: &Filled) -> bool {
        let known = |order: &Order| order.exec_ids.contains(&fill.exec_id);
        if seeded(SeededBug::FillKeyedByNumberOnly) && self.orders.values().chain(self.ended.iter()).any(known) {
            return true;
        }
        if seeded(SeededBug::LateFillIgnored) && !self.orders.contains_key(&id) {
            return true;
        }
        let early = |order: &&mut Order| order.status == OrdStatus::Initialized && !known(order);
        match self.orders.get_mut(&id).filter(early) {
            Some(order) if seeded(SeededBug::FillBeforeAckDropped) => {
                order.exec_ids.push(fill.exec_id.clone());
                true
            }
            _ => false,
        }
    }

    pub(super) fn count_failed_read(&mut self, at: Timestamp, fx: &mut AccountEffects) {
        let doubts: Vec<OrderId> = self.orders.values().filter(|o| self.is_looked_for(o)).map(Order::id).collect();
        for id in doubts.into_iter().filter(|_| seeded(SeededBug::NotFoundCountsErrors)) {
            if self.lists.watches.entry(id).or_default().failed() {
                self.absent(at, id, "three reads without it".into(), fx);
            }
        }
    }

    pub(super) fn expire_parks(&mut self, at: Timestamp, fx: &mut AccountEffects) {
        let forgotten = |o: &&Order| o.parked.is_some() && at.since(o.updated_at) >= PATIENCE;
        let due: Vec<OrderId> = self.orders.values().filter(forgotten).map(Order::id).collect();
        for id in due.into_iter().filter(|_| seeded(SeededBug::ParkExpires)) {
            self.absent(at, id, "nobody came".into(), fx);
        }
    }

    pub(super) fn delete_holdings(&self, ledger: &mut Ledger, snapshot: &Snapshot, fx: &mut AccountEffects) {
        if !seeded(SeededBug::SyncDeletes) || !snapshot.positions.is_empty() {
            return;
        }
        for book in ledger.books().to_vec() {
            let (symbol, qty) = (book.symbol, book.qty);
            let gone = Trade { symbol, side: Side::Sell, qty, px: Price::ZERO, fee: Money::ZERO };
            for book in ledger.fill(snapshot.ended, &book.strategy, gone) {
                fx.rows.push(Row::Book { account: self.conf.id.clone(), book: book.into() });
            }
        }
    }

    /// The order with what the first read after its send showed, as if that had been before it.
    pub(super) fn with_late_baseline(&mut self, id: OrderId, snapshot: &Snapshot) -> Option<Order> {
        let order = self.orders.get(&id).filter(|_| seeded(SeededBug::BaselineAfterClick))?;
        order.baseline.as_ref()?;
        let late = || Arc::new(Baseline { at: snapshot.ended, sums: sums(snapshot, order.terms.symbol) });
        let baseline = self.lists.late_baselines.entry(id).or_insert_with(late).clone();
        Some(Order { baseline: Some(baseline), ..order.clone() })
    }
}
