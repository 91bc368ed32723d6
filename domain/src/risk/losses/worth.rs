//! What the books of a scope add up to at the prices of the moment.

use std::collections::{BTreeMap, BTreeSet};

use crate::calendar::china_instant;
use crate::event::Scope;
use crate::ids::{AccountId, StrategyId};
use crate::instrument::Currency;
use crate::ledger::{Book, ContractBook, Ledger};
use crate::market::is_elsewhere;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Timestamp, TradeDate};
use crate::view::View;

use super::super::limits::{LimitBook, Limits};
use super::{EquityMark, LossLimits};

/// Before that a price is one at which nobody has traded today.
const FIRST_TRADES: (u32, u32) = (9, 25);

/// See the module. All of one currency: amounts of two are never added.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    /// Of the accounts concerned, as far as prices are known.
    pub(super) equity: Money,
    /// What the books of shares say of the day.
    pub(super) gain: Money,
    /// The same with what has no price today at the best and at the worst that it can have.
    pub(super) best: Money,
    pub(super) worst: Money,
    /// What contracts have brought in all, fees paid.
    pub(super) contracts: Money,
    pub(super) unpriced: u32,
    /// There is a contract of which no price is known.
    pub(super) blind: bool,
    pub(super) accounts: BTreeSet<AccountId>,
}

impl Sums {
    /// The day's gain, given what the books of shares say of it.
    pub(super) fn gain_of(&self, mark: &EquityMark, books: Money) -> Money {
        books - mark.moved + self.contracts - mark.contracts
    }

    fn add(&mut self, other: &Self) {
        self.gain += other.gain;
        self.best += other.best;
        self.worst += other.worst;
        self.contracts += other.contracts;
        self.unpriced += other.unpriced;
        self.blind |= other.blind;
    }

    fn of_book(view: View<'_>, date: TradeDate, book: &Book) -> (Self, Money) {
        let day = book.day.unwrap_or_default();
        let quote = view.quotes.get(book.symbol).filter(|quote| is_of(view, date, book.symbol, quote.at));
        // The exchange tells what a share that went ex dividend is reckoned from; elsewhere the own close is surer.
        let told = quote.and_then(|quote| quote.prev_close);
        let prev = if is_elsewhere(book.symbol) { day.prev_close.or(told) } else { told.or(day.prev_close) };
        let cost = || book.cost.per(book.qty);
        if quote.is_none() && prev.is_none() && !day.qty.is_zero() {
            // It was there when the day began, and nobody tells at what price.
            let worth = if book.qty.is_zero() { Money::ZERO } else { book.cost };
            return (Self { blind: true, unpriced: 1, ..Self::default() }, worth);
        }
        let last = quote.map(|quote| quote.last).or(prev).or_else(cost).unwrap_or_default();
        let gain_at = |px: Price| book.day_pnl(Some(px), Some(prev.unwrap_or(px))).unwrap_or_default();
        let gain = gain_at(last);
        let held = !book.qty.is_zero();
        let mut sums = Self { gain, best: gain, worst: gain, ..Self::default() };
        if held && quote.is_none() {
            let (low, high) = reach(view, date, book, prev, last);
            (sums.worst, sums.best, sums.unpriced) = (gain_at(low).min(gain), gain_at(high).max(gain), 1);
        }
        (sums, if held { last.times(book.qty) } else { Money::ZERO })
    }

    fn of_contract(view: View<'_>, book: &ContractBook) -> (Self, Money) {
        let held = !book.qty().is_zero();
        let last = view.quotes.get(book.symbol).map(|quote| quote.last);
        let since = last.filter(|_| held).map_or(Money::ZERO, |last| book.pnl(last));
        let contracts = book.realized_pnl - book.fees + since;
        let blind = held && last.is_none();
        (Self { contracts, blind, unpriced: u32::from(blind), ..Self::default() }, since)
    }
}

/// Whether a price made then is one of the day.
fn is_of(view: View<'_>, date: TradeDate, symbol: Symbol, at: Timestamp) -> bool {
    if is_elsewhere(symbol) {
        return view.market.calendar.trade_date(at) >= Some(date);
    }
    at >= china_instant(date, FIRST_TRADES.0, FIRST_TRADES.1, 0)
}

/// Between which prices a holding stands that none is known of.
fn reach(view: View<'_>, date: TradeDate, book: &Book, prev: Option<Price>, last: Price) -> (Price, Price) {
    let rules = view.market.day(book.symbol, date).ok();
    let band = rules.and_then(|rules| rules.price_band(prev?));
    let entry = book.entry.as_ref();
    let seen = (entry.and_then(|entry| entry.low), entry.and_then(|entry| entry.high));
    band.unwrap_or_else(|| (seen.0.unwrap_or(last).min(last), seen.1.unwrap_or(last).max(last)))
}

/// Every account, every strategy that holds or has traded, and all together.
pub(super) fn sums(date: TradeDate, view: View<'_>, limits: &LimitBook) -> BTreeMap<Scope, Sums> {
    let mut all: BTreeMap<Scope, BTreeMap<u8, Sums>> = BTreeMap::new();
    for (id, account_limits) in limits.accounts() {
        // An account whose day has not begun says nothing of this one.
        let Some(ledger) = view.ledgers.get(id).filter(|ledger| ledger.trade_date == Some(date)) else { continue };
        let currency = rank(account_limits.currency);
        let (own, strategies) = of_ledger(view, date, ledger);
        let mut put = |scope: Scope, part: &Sums, equity: Money| {
            let sums = all.entry(scope).or_default().entry(currency).or_default();
            sums.add(part);
            sums.equity += equity;
            sums.accounts.insert(id.clone());
        };
        for (strategy, part) in strategies {
            put(Scope::Strategy(strategy.clone()), &part, own.equity);
        }
        put(Scope::Global, &own, own.equity);
        put(Scope::Account(id.clone()), &own, own.equity);
    }
    // Where there is more than one currency, the first is looked at: accounts in others have limits of their own.
    all.into_iter().filter_map(|(scope, by)| Some((scope, by.into_values().next()?))).collect()
}

const fn rank(currency: Currency) -> u8 {
    match currency {
        Currency::Cny => 0,
        Currency::Hkd => 1,
        Currency::Usd => 2,
    }
}

fn of_ledger<'a>(view: View<'_>, date: TradeDate, ledger: &'a Ledger) -> (Sums, Vec<(&'a StrategyId, Sums)>) {
    let mut own = Sums { equity: ledger.cash + ledger.lent(), ..Sums::default() };
    let mut strategies: Vec<(&StrategyId, Sums)> = Vec::new();
    let shares = ledger.books().iter().map(|book| (&book.strategy, Sums::of_book(view, date, book)));
    let lots = ledger.contracts().iter().map(|book| (&book.strategy, Sums::of_contract(view, book)));
    for (strategy, (part, worth)) in shares.chain(lots) {
        own.add(&part);
        own.equity += worth;
        if strategy.as_str() == StrategyId::EXTERNAL {
            continue;
        }
        match strategies.iter_mut().find(|(of, _)| *of == strategy) {
            Some((_, sums)) => sums.add(&part),
            None => strategies.push((strategy, part)),
        }
    }
    (own, strategies)
}

/// An account's own; of more than one account the loosest of theirs, and what is set for the strategy or for all on top.
pub(super) fn limits_of(scope: &Scope, sums: &Sums, limits: &LimitBook) -> LossLimits {
    let mut loosest: Option<Limits> = None;
    for account in &sums.accounts {
        let Some(own) = limits.of(account) else { continue };
        loosest = Some(match loosest {
            None => Limits::clone(own),
            Some(mut before) => {
                before.daily_loss_warn = before.daily_loss_warn.max(own.daily_loss_warn);
                before.daily_loss = before.daily_loss.max(own.daily_loss);
                before.drawdown = before.drawdown.max(own.drawdown);
                before
            }
        });
    }
    let mut loosest = loosest.unwrap_or_default();
    if !matches!(scope, Scope::Account(_)) {
        // A sum that one account may lose says nothing of many.
        loosest.daily_loss_max = None;
        limits.tighten_for(scope, &mut loosest);
    }
    LossLimits {
        day_warn: loosest.daily_loss_warn,
        day: loosest.daily_loss,
        day_max: loosest.daily_loss_max,
        drawdown: loosest.drawdown,
    }
}
