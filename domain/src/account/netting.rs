//! Orders that wait to be sent and stand against each other are crossed here: both sides in one step, so that no crash
//! comes between them.

use super::{Account, AccountEffects, refusal};
use crate::ids::OrderId;
use crate::ledger::{Ledger, NettedTrade};
use crate::netting::{self, GATHER, Waiting};
use crate::order::{OrdStatus, Order, OrderFact, Side};
use crate::row::{Fill, Row};
use crate::units::{Money, Price, Qty, Timestamp};
use crate::view::TradingStates;

impl Account {
    /// Crosses what came since it was last looked at with what waits longer.
    pub(super) fn net(&mut self, at: Timestamp, states: &TradingStates, ledger: &mut Ledger, fx: &mut AccountEffects) {
        if !self.nets || self.is_frozen(None) {
            return;
        }
        self.nets = false;
        let mut earlier: Vec<OrderId> = Vec::new();
        let waiting = |order: &&Order| is_unsent(order) && order.approval.net.is_some();
        let ids: Vec<OrderId> =
            self.queue.iter().filter_map(|id| self.orders.get(id)).filter(waiting).map(Order::id).collect();
        for later in ids {
            if self.orders.get(&later).is_some_and(|order| self.is_frozen(Some(order.terms.symbol))) {
                self.nets = true;
                continue;
            }
            for one in &earlier {
                self.cross(at, states, ledger, (*one, later), fx);
            }
            self.refuse_crossing(at, later, &earlier, fx);
            earlier.push(later);
        }
    }

    fn cross(
        &mut self,
        at: Timestamp,
        states: &TradingStates,
        ledger: &mut Ledger,
        (earlier, later): (OrderId, OrderId),
        fx: &mut AccountEffects,
    ) {
        let (Some(a), Some(b)) = (self.orders.get(&earlier), self.orders.get(&later)) else { return };
        let permitted = |order: &Order| refusal(at, states, &order.terms).is_none();
        let Some((qty, px)) = waiting(a).zip(waiting(b)).and_then(|(a, b)| netting::overlap(a, b)) else { return };
        let (seller, buyer) = if a.terms.side == Side::Sell { (a, b) } else { (b, a) };
        let given = ledger.todays_of(seller.terms.symbol, &seller.terms.strategy, qty);
        let Some(bought_today) = given.filter(|_| permitted(a) && permitted(b)) else { return };
        let (seller, buyer) = (seller.id(), buyer.id());
        self.give_or_take(at, ledger, (seller, buyer), (qty, px, bought_today), fx);
        self.give_or_take(at, ledger, (buyer, seller), (qty, px, bought_today), fx);
    }

    /// One side of a cross: the order, its fill, its strategy's book.
    fn give_or_take(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        (id, with): (OrderId, OrderId),
        (qty, px, bought_today): (Qty, Price, Qty),
        fx: &mut AccountEffects,
    ) {
        let Some(order) = self.orders.get(&id) else { return };
        let (terms, trade_date, exec_id) = (order.terms.clone(), order.approval.trade_date, netting::exec_id(with));
        let fact = OrderFact::Netted { exec_id: exec_id.clone(), with, qty, px, bought_today };
        if !self.fact(at, id, fact, fx) {
            return;
        }
        let (symbol, side) = (terms.symbol, terms.side);
        let book = ledger.net(at, &terms.strategy, NettedTrade { symbol, side, qty, px, bought_today });
        self.book_rows(vec![book], fx);
        fx.rows.push(Row::Fill(Fill {
            account: self.conf.id.clone(),
            trade_date,
            exec_id,
            order: id,
            strategy: terms.strategy.clone(),
            symbol,
            side,
            qty,
            px,
            fee: Money::ZERO,
            at,
        }));
    }

    /// What risk let pass to be netted, and whose other side has gone out before it came here, is not sent.
    fn refuse_crossing(&mut self, at: Timestamp, id: OrderId, earlier: &[OrderId], fx: &mut AccountEffects) {
        let Some(order) = self.orders.get(&id) else { return };
        let mut others = self.orders.values().filter(|other| !is_unsent(other) || earlier.contains(&other.id()));
        if let Some(other) = others.find(|other| crosses(order, other)) {
            let reason = format!("it would trade with {} of the same account", other.id()).into();
            self.fact(at, id, OrderFact::NeverSent { reason }, fx);
        }
    }

    /// Until when the first order of the queue waits for others of its moment.
    pub(super) fn gathers_until(&self, at: Timestamp) -> Option<Timestamp> {
        let order = self.orders.get(self.queue.front()?)?;
        let until = order.approval.net.map(|_| order.created_at.plus(GATHER))?;
        // After a clock that was set back, nobody waits for it.
        (order.created_at <= at && at < until).then_some(until)
    }
}

fn is_unsent(order: &Order) -> bool {
    order.status == OrdStatus::Initialized && order.in_flight.is_none()
}

fn waiting(order: &Order) -> Option<Waiting<'_>> {
    let net = order.approval.net.as_ref().filter(|_| is_unsent(order) && !order.cancel_wanted)?;
    Some(Waiting { terms: &order.terms, leaves: order.leaves_qty(), net })
}

fn crosses(one: &Order, other: &Order) -> bool {
    let px = |order: &Order| order.terms.limit_price.or(order.approval.arrival_px).unwrap_or_default();
    let (buy, sell) = if one.terms.side == Side::Buy { (one, other) } else { (other, one) };
    one.terms.symbol == other.terms.symbol && one.terms.side != other.terms.side && px(buy) >= px(sell)
}
