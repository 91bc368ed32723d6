//! How much may be bought or sold at once: the largest order that every check lets through, and why the next larger one
//! is not.
//!
//! The checks themselves are asked, order by order, and nothing is reckoned a second time. Of most of them a larger order
//! never passes where a smaller one fails, so halving finds the edge. Two ask for more than a size: the lots, whose rules
//! say which orders there are, and netting, where what is left has to be an order too. Below the edge these are looked at
//! one order after the other.

use crate::denial::DenialCode;
use crate::order::{OrderTerms, Side};
use crate::rules::DayRules;
use crate::units::{Price, Qty, Timestamp};
use crate::view::View;

use super::check::{Check, Outcome};
use super::{Recent, Risk};

/// The largest order that is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Most {
    /// Zero when there is none.
    pub qty: Qty,
    /// The next larger order; the smallest one when none is let through.
    pub next: Qty,
    /// Every check that denies that one, in order of precedence.
    pub denied: Vec<Check>,
}

/// Of these a smaller order may fail where a larger one passes.
const BY_FORM: [DenialCode; 3] = [DenialCode::LotSize, DenialCode::Duplicate, DenialCode::Crossing];

/// One order in all its sizes.
#[derive(Clone, Copy)]
struct Asked<'a> {
    risk: &'a Risk,
    at: Timestamp,
    view: View<'a>,
    terms: &'a OrderTerms,
}

impl Risk {
    /// The most of the order that is let through, whatever its quantity says: nothing is set aside and nothing recorded.
    #[must_use]
    pub fn most(&self, at: Timestamp, view: View<'_>, terms: &OrderTerms) -> Most {
        let stand_in = self.stand_in(at, view, terms);
        let terms = stand_in.as_ref().unwrap_or(terms);
        let asked = Asked { risk: self, at, view, terms };
        let rules = view.market.trade_date(terms.symbol, at).and_then(|date| view.market.day(terms.symbol, date).ok());
        let Some(rules) = rules else {
            // No day and no lots: any order is as good as another.
            let next = Qty::new(1);
            return Most { qty: Qty::ZERO, next, denied: asked.denied(next) };
        };
        let sellable = self.sellable_of(view, terms, &rules);
        let qty = asked.largest(&rules, sellable);
        let next = rules.next_above(terms.side, qty, sellable);
        Most { qty, next, denied: asked.denied(next) }
    }
}

impl Asked<'_> {
    fn denied(&self, qty: Qty) -> Vec<Check> {
        let terms = OrderTerms { qty, ..self.terms.clone() };
        let mut checks = self.risk.explain(self.at, self.view, &terms);
        checks.retain(|check| check.outcome == Outcome::Denied);
        checks
    }

    /// Whether what refuses it, if anything does, is in its form alone.
    fn fits(&self, terms: &mut OrderTerms, qty: Qty) -> bool {
        self.passes(terms, qty, &BY_FORM).is_some()
    }

    /// The price that the order is reckoned with, when nothing but these refuses it.
    fn passes(&self, terms: &mut OrderTerms, qty: Qty, but: &[DenialCode]) -> Option<Price> {
        terms.qty = qty;
        let mut passes = true;
        let decided = self.risk.run(self.at, self.view, terms, &mut |check: &mut dyn FnMut() -> Check, outcome| {
            passes = passes && (outcome != Outcome::Denied || but.contains(&check().code));
        });
        decided.filter(|_| passes).map(|decided| decided.px)
    }

    fn largest(&self, rules: &DayRules, sellable: Qty) -> Qty {
        let mut terms = self.terms.clone();
        let (side, ord_type) = (terms.side, terms.ord_type);
        // Between what fits, or nothing, and what does not.
        let (mut low, mut high) = (0, rules.order_max(ord_type).get() + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.fits(&mut terms, Qty::new(middle)) { low = middle } else { high = middle }
        }
        let most = Qty::new(low);
        let Some(px) = self.passes(&mut terms, most, &BY_FORM) else { return Qty::ZERO };
        // What it would be netted with ends within it, or at its end: from each such end down on, the larger of the two
        // leaves an order again after its smallest size and a step of either side at the latest.
        let mut tops = self.risk.unsent.edges(&terms, px);
        tops.retain(|edge| *edge < most);
        tops.push(most);
        let reach = self.reach(rules);
        for top in tops.into_iter().rev() {
            let mut qty = rules.round_down_of(ord_type, side, top, sellable);
            while qty.is_positive() && top.get() - qty.get() <= reach {
                if self.passes(&mut terms, qty, &[]).is_some() {
                    return qty;
                }
                qty = rules.round_down_of(ord_type, side, qty - Qty::new(1), sellable);
            }
        }
        Qty::ZERO
    }
}

impl Asked<'_> {
    /// How far below an end the next order is that leaves orders on both sides. Where the order has no key, repeats of
    /// the last moments are passed over on the way.
    fn reach(&self, rules: &DayRules) -> i64 {
        let (buy, sell) = (rules.buy_step.get(), rules.sell_step.get());
        let both = if buy % sell == 0 || sell % buy == 0 { buy.max(sell) } else { buy.saturating_mul(sell) };
        let is_repeat =
            |recent: &&Recent| self.terms.id.signal().get() == 0 && recent.terms.account == self.terms.account;
        let repeats = self.risk.recent.iter().filter(is_repeat).count();
        let steps = i64::try_from(repeats).unwrap_or(i64::MAX).saturating_add(1);
        rules.buy_min.max(rules.sell_min).get().saturating_add(both.saturating_mul(steps))
    }
}

impl Risk {
    /// Shares that the order could sell. Contracts and what is lent have no odd remainder, so all of it is.
    fn sellable_of(&self, view: View<'_>, terms: &OrderTerms, rules: &DayRules) -> Qty {
        match view.ledgers.get(&terms.account) {
            Some(ledger) if terms.side == Side::Sell && rules.contract.is_none() && !terms.lends() => {
                self.sellable(ledger, terms, rules).max(Qty::ZERO)
            }
            _ => Qty::MAX,
        }
    }
}
