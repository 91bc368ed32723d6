//! Sizes that take everything: all the cash of an account, and all its shares whoever's they are.

use super::{Planner, no_quote};
use crate::capital::Value;
use crate::denial::{Denial, DenialCode, Measure};
use crate::ids::AccountId;
use crate::manner::ShortOfCash;
use crate::order::{OrdType, Side};
use crate::rules::dearest;
use crate::signal::{Size, Source};
use crate::strategy::Route;
use crate::units::{Money, Qty, Ratio};

impl Planner<'_> {
    /// Buys in each account for the cash that no live order has set aside, times the route's ratio and never more than
    /// all of it. What the cash pays for is reckoned as risk does, so that risk does not find a cent missing.
    pub(super) fn all_in(&mut self, accounts: &[AccountId], route: &Route) -> Result<(), Vec<Denial>> {
        if self.contract.is_some() {
            let value = Measure::Word("all_in of contracts".into());
            return Err(vec![Denial { code: DenialCode::Permission, value, limit: Measure::None }]);
        }
        // Where it takes no cash there is no all of it.
        if self.rules.issue.is_some() {
            let value = Measure::Word("all_in of a new issue".into());
            return Err(vec![Denial { code: DenialCode::Permission, value, limit: Measure::None }]);
        }
        let limit = self.signal.limit_price.filter(|_| self.signal.ord_type == OrdType::Limit);
        let quote = self.view.quotes.get(self.signal.symbol);
        if limit.is_none() && quote.is_none() {
            return Err(no_quote());
        }
        let band = quote.and_then(|quote| quote.prev_close).and_then(|prev_close| self.rules.price_band(prev_close));
        let price = dearest(limit, band, quote.map_or_else(Default::default, |quote| quote.meets(Side::Buy)));
        // What others take meanwhile makes it smaller.
        if let Some(patience) = self.short_of_cash.patience() {
            self.short_of_cash = ShortOfCash::Shrink(patience);
        }
        let lots = (self.lot, self.buy_min);
        for account in accounts {
            let cash = Value::of(self.view.available_cash(account)).times(route.follow_ratio.min(Ratio::ONE)).money();
            let fees = self.rules.fees.with_commission(self.view.ledgers.commission(account));
            let qty = fees.affordable(price, cash, lots);
            if qty.is_zero() {
                let (value, limit) = (Measure::Money(fees.buy_reserve(price, self.buy_min)), Measure::Money(cash));
                self.lacking.get_or_insert(Denial { code: DenialCode::Cash, value, limit });
            }
            self.push(account, Side::Buy, qty);
        }
        Ok(())
    }

    /// A person sells all that an account has, of every book.
    pub(super) fn of_all_books(&self) -> bool {
        self.signal.source == Source::Manual && self.signal.size == Size::All
    }

    /// What all books hold that no sell of another book holds, and what of it may be sold today.
    pub(super) fn free_of_all(&self, account: &AccountId) -> (Qty, Qty) {
        let Some(ledger) = self.view.ledgers.get(account) else { return (Qty::ZERO, Qty::ZERO) };
        let held = ledger.holding(self.signal.symbol);
        let others = self.view.aside.sells_of_others(account, self.signal.symbol, &self.signal.strategy);
        let today = if self.t_plus_1 { held.bought_today } else { Qty::ZERO };
        ((held.qty - others).max(Qty::ZERO), (held.qty - today - others).max(Qty::ZERO))
    }
}

impl Value {
    /// Rounded down.
    pub(super) fn money(self) -> Money {
        Money::from_e4(i64::try_from(self.floor_e4()).unwrap_or(i64::MAX))
    }
}
