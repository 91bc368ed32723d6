//! What was sent lately, kept as running sums: no check walks over orders.
//!
//! Everything here is made of orders alone, so that a restart counts the day's orders again and knows the same.

use std::collections::BTreeMap;

use crate::hash::QuickMap;
use crate::ids::{AccountId, ParentId, StrategyId};
use crate::market::Market;
use crate::order::{OrdStatus, Order, OrderTerms, Side};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Span, Timestamp, TradeDate};

/// A sum over the last `N - 1` slots of time and the present one: never less than what the span has seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<const N: usize> {
    slots: [i64; N],
    newest: i64,
}

impl<const N: usize> Default for Window<N> {
    fn default() -> Self {
        Self { slots: [0; N], newest: 0 }
    }
}

impl<const N: usize> Window<N> {
    fn place(slot: i64) -> usize {
        slot.rem_euclid(N as i64) as usize
    }

    fn add(&mut self, slot: i64, amount: i64) {
        for passed in self.newest.max(slot - N as i64) + 1..=slot {
            self.slots[Self::place(passed)] = 0;
        }
        self.newest = self.newest.max(slot);
        if slot > self.newest - N as i64 {
            let sum = &mut self.slots[Self::place(slot)];
            *sum = sum.saturating_add(amount);
        }
    }

    fn sum(&self, slot: i64) -> i64 {
        let oldest = slot - N as i64 + 1;
        (oldest.max(self.newest - N as i64 + 1)..=self.newest).map(|slot| self.slots[Self::place(slot)]).sum()
    }
}

/// Ten minutes by the minute; a minute by ten seconds.
const MINUTE: Span = Span::from_secs(60);
const TEN_SECONDS: Span = Span::from_secs(10);

const fn slot(at: Timestamp, of: Span) -> i64 {
    at.us().div_euclid(of.us())
}

/// The orders of one strategy in one account.
#[derive(Debug, Clone, Copy, Default)]
struct Throttle {
    orders: Window<11>,
    parents: Window<11>,
}

/// The live orders of one symbol in one account, by price: who sells at the lowest, who buys at the highest.
#[derive(Debug, Default)]
struct Live {
    orders: u32,
    buys: u32,
    sides: Sides,
}

#[derive(Debug, Default)]
struct Sides {
    buys: BTreeMap<Price, u32>,
    sells: BTreeMap<Price, u32>,
}

impl Sides {
    fn put(&mut self, side: Side, px: Price) {
        *self.of(side).entry(px).or_default() += 1;
    }

    fn take(&mut self, side: Side, px: Price) {
        let prices = self.of(side);
        if let Some(count) = prices.get_mut(&px) {
            *count -= 1;
            if *count == 0 {
                prices.remove(&px);
            }
        }
    }

    fn of(&mut self, side: Side) -> &mut BTreeMap<Price, u32> {
        match side {
            Side::Buy => &mut self.buys,
            Side::Sell => &mut self.sells,
        }
    }

    /// The price of an order that one of this side at this price would trade with.
    fn crossed_by(&self, side: Side, px: Price) -> Option<Price> {
        match side {
            Side::Buy => self.sells.first_key_value().map(|(sell, _)| *sell).filter(|sell| *sell <= px),
            Side::Sell => self.buys.last_key_value().map(|(buy, _)| *buy).filter(|buy| *buy >= px),
        }
    }

    fn is_empty(&self) -> bool {
        self.buys.is_empty() && self.sells.is_empty()
    }
}

/// What one account has sent.
#[derive(Debug, Default)]
struct OfAccount {
    day: Option<TradeDate>,
    /// Openings, in 1e-4 of the currency.
    minute: Window<7>,
    /// What the openings of the day were worth, without what ended unfilled: for shares of T+1 and of T+0.
    opened: [Money; 2],
    throttles: Vec<(StrategyId, Throttle)>,
    live: QuickMap<Symbol, Live>,
}

/// How often a parent was tried in vain today.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tried {
    /// Refused by the broker, or proved not to be there.
    pub(super) failed: u32,
    pub(super) canceled: u32,
    pub(super) canceled_at: Option<Timestamp>,
}

/// What an account has used when an order comes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) minute: Money,
    pub(super) day: Money,
    /// Of the strategy, within ten minutes.
    pub(super) orders: u32,
    pub(super) parents: u32,
    /// Live buys of the symbol.
    pub(super) symbol_buys: u32,
    pub(super) crossed: Option<Price>,
    /// An order of another account that this one would trade with.
    pub(super) crossed_elsewhere: Option<Price>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accounts: QuickMap<AccountId, OfAccount>,
    /// The live orders of all accounts.
    all: QuickMap<Symbol, Sides>,
    tried: QuickMap<ParentId, Tried>,
    tried_on: Option<TradeDate>,
}

/// An order as it is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) terms: &'a OrderTerms,
    /// Its limit, or what a market order met when it was approved.
    pub(super) px: Price,
    pub(super) date: TradeDate,
    /// What it buys may be sold on the same day.
    pub(super) t0: bool,
}

impl<'a> Counted<'a> {
    pub(super) fn of(order: &'a Order, market: &Market) -> Self {
        let (terms, date) = (&*order.terms, order.approval.trade_date);
        let px = terms.limit_price.or(order.approval.arrival_px).unwrap_or_default();
        Self { terms, px, date, t0: is_t0(market, terms.symbol, date) }
    }

    /// Contracts are opened by margin, not by value.
    fn is_bought(&self) -> bool {
        self.terms.side == Side::Buy && self.terms.effect.is_none()
    }
}

fn is_t0(market: &Market, symbol: Symbol, date: TradeDate) -> bool {
    market.day(symbol, date).is_ok_and(|rules| rules.min_holding_days == 0)
}

impl Counters {
    /// What the order would come on top of.
    pub(super) fn used(&self, at: Timestamp, order: Counted<'_>) -> Used {
        let terms = order.terms;
        let of_symbol = |sides: Option<&Sides>| sides.and_then(|sides| sides.crossed_by(terms.side, order.px));
        let elsewhere = of_symbol(self.all.get(&terms.symbol));
        let Some(account) = self.accounts.get(&terms.account) else {
            return Used { crossed_elsewhere: elsewhere, ..Used::default() };
        };
        let throttle = account.throttles.iter().find(|(of, _)| *of == terms.strategy).map(|(_, throttle)| throttle);
        let in_ten = |window: &Window<11>| u32::try_from(window.sum(slot(at, MINUTE))).unwrap_or(u32::MAX);
        let live = account.live.get(&terms.symbol);
        let today = account.day == Some(order.date);
        Used {
            minute: Money::from_e4(account.minute.sum(slot(at, TEN_SECONDS))),
            day: if today { account.opened[usize::from(order.t0)] } else { Money::ZERO },
            orders: throttle.map_or(0, |t| in_ten(&t.orders)),
            parents: throttle.map_or(0, |t| in_ten(&t.parents)),
            symbol_buys: live.map_or(0, |live| live.buys),
            crossed: of_symbol(live.map(|live| &live.sides)),
            crossed_elsewhere: elsewhere,
        }
    }

    pub(super) fn tried(&self, parent: ParentId, date: TradeDate) -> Tried {
        if self.tried_on == Some(date) {
            self.tried.get(&parent).copied().unwrap_or_default()
        } else {
            Tried::default()
        }
    }

    /// An order was approved.
    pub(super) fn approved(&mut self, at: Timestamp, order: Counted<'_>) {
        let Counted { terms, px, date, t0 } = order;
        let account = self.account(&terms.account, date);
        if order.is_bought() {
            let value = px.times(terms.qty);
            account.minute.add(slot(at, TEN_SECONDS), value.e4());
            if account.day == Some(date) {
                account.opened[usize::from(t0)] += value;
            }
        }
        let throttle = match account.throttles.iter().position(|(of, _)| *of == terms.strategy) {
            Some(place) => &mut account.throttles[place].1,
            None => {
                account.throttles.push((terms.strategy.clone(), Throttle::default()));
                let last = account.throttles.len() - 1;
                &mut account.throttles[last].1
            }
        };
        throttle.orders.add(slot(at, MINUTE), 1);
        throttle.parents.add(slot(at, MINUTE), i64::from(terms.id.attempt() <= 1));
    }

    /// It may trade from now on.
    pub(super) fn lives(&mut self, terms: &OrderTerms, px: Price) {
        let account = match self.accounts.get_mut(&terms.account) {
            Some(account) => account,
            None => self.accounts.entry(terms.account.clone()).or_default(),
        };
        let live = account.live.entry(terms.symbol).or_default();
        live.orders += 1;
        live.buys += u32::from(!terms.reduces());
        live.sides.put(terms.side, px);
        self.all.entry(terms.symbol).or_default().put(terms.side, px);
    }

    pub(super) fn live_of(&self, account: &AccountId) -> u32 {
        self.accounts.get(account).map_or(0, |account| account.live.values().map(|live| live.orders).sum())
    }

    /// It may not trade any more.
    pub(super) fn ended(&mut self, terms: &OrderTerms, px: Price) {
        if let Some(account) = self.accounts.get_mut(&terms.account)
            && let Some(live) = account.live.get_mut(&terms.symbol)
        {
            live.orders = live.orders.saturating_sub(1);
            live.buys = live.buys.saturating_sub(u32::from(!terms.reduces()));
            live.sides.take(terms.side, px);
            if live.orders == 0 {
                account.live.remove(&terms.symbol);
            }
        }
        if let Some(sides) = self.all.get_mut(&terms.symbol) {
            sides.take(terms.side, px);
            if sides.is_empty() {
                self.all.remove(&terms.symbol);
            }
        }
    }

    /// What of an order that ended was never bought is free again for the day, and a try in vain is counted.
    pub(super) fn settled(&mut self, at: Timestamp, order: &Order, counted: Counted<'_>) {
        let Counted { terms, px, date, t0 } = counted;
        let unfilled = (terms.qty - order.cum_qty).max(Qty::ZERO);
        if counted.is_bought() && !unfilled.is_zero() {
            let account = self.account(&terms.account, date);
            if account.day == Some(date) {
                account.opened[usize::from(t0)] -= px.times(unfilled);
            }
        }
        if order.status == OrdStatus::Filled && terms.id.attempt() > 1 {
            // It was a part of its parent, and no repeat: slices and tips of a plan that works are as good as parents.
            let account = self.account(&terms.account, date);
            if let Some((_, throttle)) = account.throttles.iter_mut().find(|(of, _)| *of == terms.strategy) {
                throttle.parents.add(slot(at, MINUTE), 1);
            }
        }
        let failed = matches!(order.status, OrdStatus::Rejected | OrdStatus::Absent);
        if !failed && order.status != OrdStatus::Canceled {
            return;
        }
        if self.tried_on < Some(date) {
            self.tried.clear();
            self.tried_on = Some(date);
        }
        if self.tried_on == Some(date) {
            let tried = self.tried.entry(order.parent()).or_default();
            if failed {
                tried.failed += 1;
            } else {
                tried.canceled += 1;
                tried.canceled_at = tried.canceled_at.max(Some(at));
            }
        }
    }

    /// Its sums of the day begin anew with a later day; an order of an earlier one finds them as they are.
    fn account(&mut self, id: &AccountId, date: TradeDate) -> &mut OfAccount {
        if !self.accounts.contains_key(id) {
            self.accounts.insert(id.clone(), OfAccount::default());
        }
        let account = self.accounts.entry(id.clone()).or_default();
        if account.day < Some(date) {
            account.day = Some(date);
            account.opened = [Money::ZERO; 2];
        }
        account
    }
}

/// The most orders that a strategy may send to an account in ten minutes: three for each parent and some more, never
/// above the ceiling.
pub(super) const fn orders_max(parents: u32, ceiling: u32) -> u32 {
    let wanted = parents.saturating_mul(3).saturating_add(20);
    if wanted < ceiling { wanted } else { ceiling }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The oracle keeps every instant.
        #[test]
        fn a_window_never_says_less_than_the_span_has_seen_nor_more_than_one_slot_longer(
            steps in proptest::collection::vec((0_i64..40, 1_i64..100), 1..60),
        ) {
            let (mut window, mut at, mut seen) = (Window::<7>::default(), 1_700_000_000, Vec::new());
            for (step, amount) in steps {
                at += step;
                window.add(at / 10, amount);
                seen.push((at, amount));
                let within = |span: i64| seen.iter().filter(|(t, _)| at - t < span).map(|(_, n)| n).sum::<i64>();
                let said = window.sum(at / 10);
                prop_assert!(said >= within(60) && said <= within(70), "{} of {}..{}", said, within(60), within(70));
            }
        }
    }

    #[test]
    fn a_strategy_has_three_orders_for_each_parent_and_some_more_below_the_ceiling() {
        assert_eq!((orders_max(0, 200), orders_max(10, 200), orders_max(100, 200)), (20, 50, 200));
    }
}
