//! One order inside the venue: what it may still have, at which price, and the names of its fills.

use std::sync::Arc;

use super::register::{Key, Register};
use super::{VenueEvent, VenueOrder};
use crate::ids::{BrokerOrderId, ExecId, OrderId};
use crate::order::{OrdType, Side};
use crate::units::{Price, Qty, Timestamp};

/// Where the consequences of one input go.
pub(super) struct Effects<'a> {
    pub(super) at: Timestamp,
    pub(super) register: &'a mut Register,
    pub(super) out: &'a mut Vec<VenueEvent>,
}

#[derive(Debug)]
pub(super) struct Resting {
    pub(super) key: Key,
    pub(super) side: Side,
    /// For a market order the far end of its band, or of all prices.
    pub(super) limit: Price,
    pub(super) qty: Qty,
    pub(super) cum_qty: Qty,
    pub(super) fills: u32,
    band: Option<(Price, Price)>,
    is_market: bool,
    /// It could trade when it came.
    pub(super) is_taker: bool,
    pub(super) wait: Wait,
}

/// The queue in front of an order, on its level's count of traded volume.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// Until the count reaches this.
    Until(Qty),
    /// The queue was never shown; the count stood at this when the order came.
    Unknown(Qty),
}

impl Resting {
    pub(super) fn new(order: &VenueOrder, fills: u32) -> Self {
        let is_market = order.ord_type == OrdType::Market;
        let far = match (order.side, order.band) {
            (Side::Buy, Some((_, high))) => high,
            (Side::Buy, None) => Price::MAX,
            (Side::Sell, Some((low, _))) => low,
            (Side::Sell, None) => Price::ZERO,
        };
        Self {
            key: (order.order, order.account.clone()),
            side: order.side,
            limit: if is_market { far } else { order.limit_price.unwrap_or(far) },
            qty: order.qty,
            cum_qty: order.cum_qty,
            fills,
            band: order.band,
            is_market,
            is_taker: is_market,
            wait: Wait::Unknown(Qty::ZERO),
        }
    }

    pub(super) fn leaves_qty(&self) -> Qty {
        self.qty - self.cum_qty
    }

    /// The price of a fill that the market offers at `px`. `takes` when the order takes this price instead of having
    /// waited for it. A price better than the band allows is not believed: the band's edge is the best there is. Nobody
    /// pays more than the limit, whatever a bar's prices say.
    pub(super) fn fill_price(&self, px: Price, takes: bool) -> Price {
        if !takes && !self.is_market {
            return self.limit;
        }
        let px = match (self.side, self.band) {
            (Side::Buy, Some((low, _))) => px.max(low),
            (Side::Sell, Some((_, high))) => px.min(high),
            (_, None) => px,
        };
        if self.side == Side::Buy { px.min(self.limit) } else { px.max(self.limit) }
    }

    /// Whether it stands at the best price that may be offered today.
    pub(super) fn is_at_day_limit(&self) -> bool {
        self.band.is_some_and(|(low, high)| self.limit == if self.side == Side::Buy { high } else { low })
    }

    pub(super) fn fill(&mut self, qty: Qty, px: Price, at: Timestamp, out: &mut Vec<VenueEvent>) {
        self.cum_qty += qty;
        self.fills += 1;
        let (order, account) = &self.key;
        let exec_id = ExecId(id_text(*order, Some(self.fills)));
        out.push(VenueEvent::Filled { account: account.clone(), order: *order, exec_id, qty, px, at });
    }
}

/// How eagerly a price trades: the smaller, the earlier. So a limit reaches a price when its rank is not larger.
pub(super) fn rank(side: Side, px: Price) -> i64 {
    match side {
        Side::Buy => -px.e4(),
        Side::Sell => px.e4(),
    }
}

pub(super) fn broker_order_id(order: OrderId) -> BrokerOrderId {
    BrokerOrderId(id_text(order, None))
}

/// `P<order>` or `P<order>-<fill>`: made from the order alone, so that a replay gives the same ids and a restored order
/// goes on counting. Written in place: a fill costs one allocation.
fn id_text(order: OrderId, fill: Option<u32>) -> Arc<str> {
    let mut text = [0_u8; 32]; // P, 20 digits, -, 10 digits
    let mut start = text.len();
    let mut prepend = |byte| {
        start -= 1;
        text[start] = byte;
    };
    let mut digits = |mut number: u64, before: u8| {
        loop {
            prepend(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        prepend(before);
    };
    if let Some(fill) = fill {
        digits(u64::from(fill), b'-');
    }
    digits(order.get(), b'P');
    std::str::from_utf8(&text[start..]).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_from_the_order_and_the_number_of_its_fill() {
        assert_eq!(&*id_text(OrderId::new(7), None), "P7");
        assert_eq!(&*id_text(OrderId::new(70), Some(10)), "P70-10");
        assert_eq!(&*id_text(OrderId::new(u64::MAX), Some(u32::MAX)), "P18446744073709551615-4294967295");
    }
}
