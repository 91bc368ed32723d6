//! The order as it goes out: where an exchange takes no market orders (Shanghai's futures), a limit order stands for one.
//!
//! It is made here, so that whoever wants a market order (a plain signal, a policy, a target, a person who clears an account)
//! gets it, and every check sees the price that goes out. What was held for a price comes with a limit already (`Seen::at_once`):
//! the order of a stop stays until it is out.

use super::Risk;
use super::limits::Limits;
use crate::order::{OrdType, OrderTerms, Side, TimeInForce};
use crate::rules::DayRules;
use crate::units::{Price, Ratio, Timestamp, mul_div_floor};
use crate::view::View;

impl Risk {
    /// What stands for a market order where none is taken; `None` for all other orders, and where no fresh price says
    /// how far a limit may go.
    ///
    /// Its limit is as far on the other side of the market as we let any order pass, and within the day's limit prices
    /// where they are known. It trades at once or not at all, as a market order does.
    pub(super) fn stand_in(&self, at: Timestamp, view: View<'_>, terms: &OrderTerms) -> Option<OrderTerms> {
        if terms.ord_type != OrdType::Market {
            return None;
        }
        let rules = view.market.day(terms.symbol, view.market.trade_date(terms.symbol, at)?).ok()?;
        if rules.takes_market_orders() {
            return None;
        }
        let limits = self.limits.of_strategy(&terms.account, &terms.strategy)?;
        if view.quote_age(at, terms.symbol, rules.closing_auction)? > limits.quote_age().market {
            return None;
        }
        let quote = view.quotes.get(terms.symbol)?;
        let reference = quote.reference(terms.side)?;
        let caged = rules.cage_end(terms.side, reference);
        let farthest = caged.unwrap_or_else(|| collar_end(&limits, &rules, terms.side, reference));
        let mut px = rules.to_tick(terms.side, farthest);
        if let Some((low, high)) = quote.prev_close.and_then(|prev_close| rules.price_band(prev_close)) {
            px = px.max(low).min(high);
        }
        let (ord_type, limit_price, time_in_force) = (OrdType::Limit, Some(px), TimeInForce::Ioc);
        Some(OrderTerms { ord_type, limit_price, time_in_force, ..terms.clone() })
    }
}

/// How far on the other side of the market a limit price may be where the exchange has no cage.
pub(super) fn collar_end(limits: &Limits, rules: &DayRules, side: Side, reference: Price) -> Price {
    // Without any limit of the day, half as much again: by default 3 %.
    let collar = if rules.abroad.is_some() { limits.collar.e6() / 2 * 3 } else { limits.collar.e6() };
    let width = Price::from_e4(mul_div_floor(reference.e4(), collar, Ratio::ONE.e6()));
    if side == Side::Buy { reference + width } else { reference - width }
}
