//! What the venue remembers of each order of today and of the day before.

use super::resting::{Resting, broker_order_id};
use super::{VenueOrderState, VenueStatus};
use crate::hash::QuickMap;
use crate::ids::{AccountId, BrokerOrderId, OrderId};
use crate::order::Side;
use crate::symbol::Symbol;
use crate::units::Qty;

pub(super) type Key = (OrderId, AccountId);

/// Bounded by the number of orders of two days. Looked up by key, never walked.
#[derive(Debug, Default)]
pub(super) struct Register {
    today: QuickMap<Key, Record>,
    day_before: QuickMap<Key, Record>,
}

#[derive(Debug)]
pub(super) struct Record {
    /// Set when a restored order came with another broker id than the one that its number makes.
    pub(super) named: Option<BrokerOrderId>,
    pub(super) fate: Fate,
}

#[derive(Debug)]
pub(super) enum Fate {
    /// Resting in a book, which knows the rest.
    Working(Place),
    Done {
        status: VenueStatus,
        cum_qty: Qty,
        fills: u32,
    },
}

/// Where an order rests: symbol, side, rank of its price and arrival number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) rank: i64,
    pub(super) seq: u64,
}

impl Record {
    pub(super) fn new(fate: Fate) -> Self {
        Self { named: None, fate }
    }

    pub(super) fn done(status: VenueStatus, cum_qty: Qty, fills: u32) -> Self {
        Self::new(Fate::Done { status, cum_qty, fills })
    }

    /// `named` is dropped when the order's number makes the same.
    pub(super) fn restored(order: OrderId, named: BrokerOrderId, fate: Fate) -> Self {
        Self { named: (named != broker_order_id(order)).then_some(named), fate }
    }

    pub(super) fn broker_order_id(&self, order: OrderId) -> BrokerOrderId {
        self.named.clone().unwrap_or_else(|| broker_order_id(order))
    }

    pub(super) fn state(&self, order: OrderId, status: VenueStatus, cum_qty: Qty, fills: u32) -> VenueOrderState {
        let rejected = matches!(status, VenueStatus::Rejected(_));
        let broker_order_id = (!rejected).then(|| self.broker_order_id(order));
        VenueOrderState { broker_order_id, status, cum_qty, fills }
    }
}

impl Register {
    pub(super) fn get(&self, key: &Key) -> Option<&Record> {
        self.today.get(key).or_else(|| self.day_before.get(key))
    }

    pub(super) fn insert(&mut self, key: Key, record: Record) {
        self.today.insert(key, record);
    }

    /// The order has left its book for good.
    pub(super) fn finish(&mut self, order: &Resting, status: VenueStatus) {
        if let Some(record) = self.today.get_mut(&order.key) {
            record.fate = Fate::Done { status, cum_qty: order.cum_qty, fills: order.fills };
        }
    }

    /// A restored order that never came into a book; returns what it had filled.
    pub(super) fn cancel_stranded(&mut self, key: &Key) -> Qty {
        match self.today.get_mut(key).map(|record| &mut record.fate) {
            Some(Fate::Done { status, cum_qty, .. }) => {
                *status = VenueStatus::Canceled;
                *cum_qty
            }
            _ => Qty::ZERO,
        }
    }

    pub(super) fn end_of_day(&mut self) {
        self.day_before = std::mem::take(&mut self.today);
    }
}
