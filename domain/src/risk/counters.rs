//! What was sent lately, kept as running sums: no check walks over orders.
//!
//! Everything here is made of orders alone, so that a restart counts the day's orders again and knows the same.

use std::collections::BTreeMap;

use crate::hash::QuickMap;
use crate::ids::{AccountId, ParentId, StrategyId};
use crate::market::Market;
use crate::order::{OrdStatus, Order, OrderTerms, Side};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};

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
        if slot == self.newest {
            return self.slots.iter().sum(); // as between most orders
        }
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

    /// How many orders one of this side at this price would trade with.
    fn crossing(&self, side: Side, px: Price) -> u32 {
        match side {
            Side::Buy => self.sells.range(..=px).map(|(_, count)| count).sum(),
            Side::Sell => self.buys.range(px..).map(|(_, count)| count).sum(),
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
    /// Orders of the day that were sent or will be, and those of them that we had cancelled.
    orders: u32,
    canceled: u32,
    /// The issues that were subscribed to on the day, and not in vain.
    subscribed: Vec<Symbol>,
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
    /// An order of it waited for one of another account, and did not trade in full.
    pub(super) held: bool,
}

/// What an account has used when an order comes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) minute: Money,
    pub(super) day: Money,
    /// Of the day.
    pub(super) sent: u32,
    pub(super) canceled: u32,
    /// Of the strategy, within ten minutes.
    pub(super) orders: u32,
    pub(super) parents: u32,
    /// Live buys of the symbol.
    pub(super) symbol_buys: u32,
    /// The symbol was subscribed to on the day.
    pub(super) subscribed: bool,
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
    pub(super) subscription: bool,
}

impl<'a> Counted<'a> {
    pub(super) fn of(order: &'a Order, market: &Market) -> Self {
        let (terms, date) = (&*order.terms, order.approval.trade_date);
        let px = terms.limit_price.or(order.approval.arrival_px).unwrap_or_default();
        let subscription = order.approval.subscription;
        Self { terms, px, date, t0: is_t0(market, terms.symbol, date), subscription }
    }

    /// Contracts are opened by margin, not by value, and of what is subscribed to nothing is bought yet.
    fn is_bought(&self) -> bool {
        self.terms.side == Side::Buy && self.terms.effect.is_none() && !self.subscription
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
        let own = account.live.get(&terms.symbol).map(|live| &live.sides);
        let crossed = of_symbol(own);
        // Where one of its own is among them, it is counted whether all of them are.
        let crossing = |sides: Option<&Sides>| sides.map_or(0, |sides| sides.crossing(terms.side, order.px));
        let of_others = crossed.is_none() || crossing(self.all.get(&terms.symbol)) > crossing(own);
        let throttle = account.throttles.iter().find(|(of, _)| *of == terms.strategy).map(|(_, throttle)| throttle);
        let in_ten = |window: &Window<11>| u32::try_from(window.sum(slot(at, MINUTE))).unwrap_or(u32::MAX);
        let live = account.live.get(&terms.symbol);
        let today = account.day == Some(order.date);
        Used {
            minute: Money::from_e4(account.minute.sum(slot(at, TEN_SECONDS))),
            day: if today { account.opened[usize::from(order.t0)] } else { Money::ZERO },
            sent: if today { account.orders } else { 0 },
            canceled: if today { account.canceled } else { 0 },
            orders: throttle.map_or(0, |t| in_ten(&t.orders)),
            parents: throttle.map_or(0, |t| in_ten(&t.parents)),
            symbol_buys: live.map_or(0, |live| live.buys),
            subscribed: today && account.subscribed.contains(&terms.symbol),
            crossed,
            crossed_elsewhere: elsewhere.filter(|_| of_others),
        }
    }

    /// How many live orders of its account the order would trade with at this price.
    pub(super) fn crossed_by(&self, terms: &OrderTerms, px: Price) -> u32 {
        let live = self.accounts.get(&terms.account).and_then(|account| account.live.get(&terms.symbol));
        live.map_or(0, |live| live.sides.crossing(terms.side, px))
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
        let Counted { terms, px, date, t0, subscription } = order;
        let account = self.account(&terms.account, date);
        account.orders += u32::from(account.day == Some(date));
        if subscription && account.day == Some(date) {
            account.subscribed.push(terms.symbol);
        }
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
        let Counted { terms, px, date, t0, subscription } = counted;
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
        // What the exchange never had does not count there; every other one does, whatever became of it.
        if subscription && (order.status.is_gone() || order.status == OrdStatus::Rejected) {
            let account = self.account(&terms.account, date);
            if account.day == Some(date)
                && let Some(place) = account.subscribed.iter().position(|symbol| *symbol == terms.symbol)
            {
                account.subscribed.swap_remove(place);
            }
        }
        let never_sent = order.status == OrdStatus::NeverSent;
        let canceled = order.status == OrdStatus::Canceled && order.cancel_wanted;
        if never_sent || canceled {
            let account = self.account(&terms.account, date);
            if account.day == Some(date) {
                account.orders = account.orders.saturating_sub(u32::from(never_sent));
                account.canceled += u32::from(canceled);
            }
        }
        let failed = matches!(order.status, OrdStatus::Rejected | OrdStatus::Absent);
        let held = order.approval.held_until.is_some() && order.status != OrdStatus::Filled;
        if !failed && !held && order.status != OrdStatus::Canceled {
            return;
        }
        if self.tried_on < Some(date) {
            self.tried.clear();
            self.tried_on = Some(date);
        }
        if self.tried_on == Some(date) {
            let tried = self.tried.entry(order.parent()).or_default();
            tried.held |= held;
            if failed {
                tried.failed += 1;
            } else if order.status == OrdStatus::Canceled {
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
            account.subscribed.clear();
            (account.orders, account.canceled) = (0, 0);
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

/// A share of all, rounded up, so that what is above a limit is never shown as being on it; nothing of nothing.
pub(super) fn ratio(part: u32, all: u32) -> Ratio {
    let parts = i64::from(part) * Ratio::ONE.e6();
    Ratio::from_e6(-(-parts).div_euclid(i64::from(all.max(1))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::cases::config())]

        /// The oracle multiplies out.
        #[test]
        fn a_share_of_cancels_is_above_its_limit_where_the_fractions_say(
            part in 0_u32..20_000,
            all in 1_u32..20_000,
            limit in 0_i64..1_000_000,
            of_the_limit in any::<bool>(),
        ) {
            // On the limit, or anywhere.
            let limit = if of_the_limit { i64::from(part) * 1_000_000 / i64::from(all) } else { limit };
            let above = i128::from(part) * 1_000_000 > i128::from(limit) * i128::from(all);
            prop_assert_eq!(ratio(part, all) > Ratio::from_e6(limit), above, "{} of {}", part, all);
        }

        /// The oracle keeps the orders themselves.
        #[test]
        fn whom_an_order_would_trade_with_is_counted(
            live in proptest::collection::vec((any::<bool>(), 1_i64..12, any::<bool>()), 0..30),
            buy in any::<bool>(),
            px in 1_i64..12,
        ) {
            let side = |buy: bool| if buy { Side::Buy } else { Side::Sell };
            let mut sides = Sides::default();
            live.iter().for_each(|(buy, px, _)| sides.put(side(*buy), Price::from_e4(*px)));
            live.iter().filter(|(.., ended)| *ended).for_each(|(buy, px, _)| sides.take(side(*buy), Price::from_e4(*px)));
            let left = live.iter().filter(|(.., ended)| !ended).filter(|(other, ..)| *other != buy);
            let crossing = left.filter(|(_, other, _)| if buy { *other <= px } else { *other >= px });
            let prices: Vec<i64> = crossing.map(|(_, px, _)| *px).collect();
            let best = if buy { prices.iter().min() } else { prices.iter().max() };
            prop_assert_eq!(sides.crossing(side(buy), Price::from_e4(px)) as usize, prices.len());
            prop_assert_eq!(sides.crossed_by(side(buy), Price::from_e4(px)), best.copied().map(Price::from_e4));
        }

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
