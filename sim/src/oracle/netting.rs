//! What must be true of orders that are crossed inside their account.

use signalbox_domain::ids::{AccountId, OrderId};
use signalbox_domain::ledger::Ledger;
use signalbox_domain::order::Side;

use super::{Known, Oracle, must};

/// One side of a cross, as its fact tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half {
    pub(super) id: OrderId,
    pub(super) with: OrderId,
    pub(super) qty: i128,
    pub(super) px: i128,
    pub(super) today: i128,
}

impl Oracle {
    pub(super) fn netted(&mut self, account: &AccountId, half: Half) -> Result<(), String> {
        let Half { id, with, qty, px, today } = half;
        must!(self.nets, "order {id} was netted in an account that does not net");
        let other = self.orders.get(&with).cloned().ok_or("netted with no order")?;
        let order = self.orders.get_mut(&id).ok_or("no order was netted")?;
        must!(order.sends == 0 && !order.ended, "order {id} was netted after it was sent or had ended");
        must!(order.execs.insert(format!("net {with}")), "order {id} was netted twice with {with}");
        must!(qty > 0 && order.cum + qty <= order.qty, "order {id} was netted beyond its quantity");
        must!(0 <= today && today <= qty, "{today} of {qty} shares of the day");
        must!(
            other.account == *account && other.symbol == order.symbol && other.side != order.side,
            "order {id} was netted with {with}, which does not stand against it"
        );
        must!(other.strategy != order.strategy, "a strategy was netted with itself");
        let suits = order.limit.is_none_or(|limit| if order.side == Side::Buy { px <= limit } else { px >= limit });
        must!(suits && px > 0, "order {id} was netted at {px}, and its limit is {:?}", order.limit);
        order.cum += qty;
        order.netted += qty;
        order.ended = order.cum == order.qty;
        let (full, key) = (order.ended, (account.clone(), order.symbol, order.strategy.clone()));
        *self.books.entry(key).or_default() += if order.side == Side::Buy { qty } else { -qty };
        if let Some(leg) = self.legs.get_mut(&id.parent()) {
            leg.cum += qty;
            leg.over |= full && !leg.pursued;
        }
        // Cash and position of the account are as they were, and so is what may be sold of it.
        match self.half.take() {
            None => self.half = Some(half),
            Some(first) => {
                let mirrored = Half { id: first.with, with: first.id, ..first };
                must!(
                    (mirrored.id, mirrored.with, mirrored.qty, mirrored.px, mirrored.today)
                        == (id, with, qty, px, today),
                    "the two sides of a cross differ: {first:?} and {half:?}"
                );
            }
        }
        Ok(())
    }

    /// What belongs together is durable together.
    pub fn entry_ends(&mut self) -> Result<(), String> {
        let half = self.half.take();
        must!(half.is_none(), "one side of a cross stands alone: {half:?}");
        Ok(())
    }

    /// Where orders are netted, none goes out that would trade with another one there.
    pub(super) fn trades_with_no_own(&self, id: OrderId) -> Result<(), String> {
        let one = &self.orders[&id];
        let meets = |other: &Known| {
            let (buy, sell) = if one.side == Side::Buy { (one, other) } else { (other, one) };
            one.side != other.side && buy.limit.zip(sell.limit).is_some_and(|(buy, sell)| buy >= sell)
        };
        let there = |other: &Known| other.sends > 0 && !other.ended;
        let mut beside = self.orders.iter().filter(|(_, o)| o.account == one.account && o.symbol == one.symbol);
        let own = beside.find(|(other, o)| **other != id && there(o) && meets(o));
        must!(own.is_none(), "order {id} was sent to trade with {:?}", own.map(|(other, _)| other));
        Ok(())
    }

    /// What may not be sold today is what was bought outside today, whoever's it has become.
    pub fn locks_no_more(&self, ledger: &Ledger) -> Result<(), String> {
        if !self.nets || self.lenient {
            return Ok(());
        }
        for ((account, symbol), today) in &self.bought_today {
            let locked = i128::from(ledger.holding(*symbol).bought_today.get());
            must!(
                *account != ledger.account || locked <= *today,
                "{locked} of {symbol} are locked, {today} were bought"
            );
        }
        for book in ledger.books() {
            let known = self.bought_today.contains_key(&(ledger.account.clone(), book.symbol));
            must!(known || book.bought_today.is_zero(), "{} of {} are locked", book.bought_today, book.symbol);
        }
        Ok(())
    }
}
