//! What the venue remembers of each order of today and of the day before.

use std::collections::HashMap;

use super::resting::Resting;
use super::{VenueOrderState, VenueStatus};
use crate::ids::{AccountId, BrokerOrderId, OrderId};
use crate::order::Side;
use crate::symbol::Symbol;
use crate::units::Qty;

/// The order id comes first: comparing numbers is cheaper than comparing names.
pub(super) type Key = (OrderId, AccountId);

/// Bounded by the number of orders of two days. Looked up by key, never walked.
#[derive(Debug, Default)]
pub(super) struct Register {
    today: HashMap<Key, Record>,
    day_before: HashMap<Key, Record>,
}

#[derive(Debug)]
pub(super) enum Record {
    /// Resting in a book, which knows the rest.
    Working {
        broker_order_id: BrokerOrderId,
        place: Place,
    },
    Done(VenueOrderState),
}

/// Where an order rests: symbol, side, rank of its price and arrival number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) rank: i64,
    pub(super) seq: u64,
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
        let Some(record) = self.today.get_mut(&order.key) else { return };
        if let Record::Working { broker_order_id, .. } = record {
            *record = Record::Done(VenueOrderState {
                broker_order_id: Some(broker_order_id.clone()),
                status,
                cum_qty: order.cum_qty,
                fills: order.fills,
            });
        }
    }

    /// A restored order that never came into a book; returns what it had filled.
    pub(super) fn cancel_stranded(&mut self, key: &Key) -> Qty {
        match self.today.get_mut(key) {
            Some(Record::Done(state)) => {
                state.status = VenueStatus::Canceled;
                state.cum_qty
            }
            _ => Qty::ZERO,
        }
    }

    pub(super) fn end_of_day(&mut self) {
        self.day_before = std::mem::take(&mut self.today);
    }
}
