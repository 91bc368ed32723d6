//! From a signal to its legs: who trades how much, so that legs and the stated residual are exactly what was asked.
//!
//! Sums of money and shares of a capital base become a number of shares first, which is rounded down once; whole lots are
//! made of it at the very end, and what is left over is told.

mod contracts;
mod loans;
mod whole;

use std::collections::BTreeSet;
use std::slice;

use crate::allocation::{by_weight, follow};
use crate::capital::{CapitalBase, Value};
use crate::contract::{Contract, Effect};
use crate::denial::{Denial, DenialCode, Measure};
use crate::ids::AccountId;
use crate::manner::{RouteMode, ShortOfCash};
use crate::order::{OrdType, Side};
use crate::parent::Leg;
use crate::rules::{DayRules, NoRule};
use crate::signal::{Signal, Size};
use crate::strategy::{Allocation, Groups, Route, RouteTo, StrategyConf};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Ratio, Timestamp, TradeDate};
use crate::view::View;

/// The legs of a signal. Σ leg quantities + residual = what was asked of all accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub legs: Vec<Leg>,
    /// What rounds to no whole lot anywhere, or cannot be sold today.
    pub residual: Qty,
}

/// What a strategy's working orders may still do to its book of one symbol in one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    pub buys: Qty,
    pub sells: Qty,
    /// The part of them that closes lots of a contract.
    pub closing_buys: Qty,
    pub closing_sells: Qty,
}

impl Pending {
    /// Lots that would come in, long or short.
    fn opens(&self) -> Qty {
        self.buys - self.closing_buys + (self.sells - self.closing_sells)
    }
}

/// Plans one signal. `pending` tells of the strategy's own working orders.
///
/// # Errors
/// The denials that refuse the signal as a whole.
pub fn plan(
    at: Timestamp,
    view: View<'_>,
    signal: &Signal,
    conf: &StrategyConf,
    groups: &Groups,
    pending: impl Fn(&AccountId, Symbol) -> Pending,
) -> Result<Plan, Vec<Denial>> {
    let unknown = || vec![Denial { code: DenialCode::InstrumentUnknown, value: Measure::None, limit: Measure::None }];
    let date = view.market.trade_date(signal.symbol, at).ok_or_else(unknown)?;
    let rules = view.market.day(signal.symbol, date).map_err(|no_rule| match no_rule {
        NoRule::SubscriptionClosed { on, .. } => {
            let day = |date: TradeDate| Measure::Word(date.to_string().into());
            vec![Denial { code: DenialCode::SubscriptionClosed, value: day(date), limit: day(on) }]
        }
        _ => unknown(),
    })?;
    let mut planner = Planner {
        view,
        signal,
        lot: rules.buy_step,
        buy_min: rules.buy_min,
        sell_min: rules.sell_min,
        t_plus_1: rules.min_holding_days > 0,
        odd_lots: rules.abroad.is_none(),
        date,
        contract: rules.contract,
        rules,
        pending: &|account| pending(account, signal.symbol),
        mode: RouteMode::Auto,
        short_of_cash: ShortOfCash::default(),
        test: signal.is_test(&view.market.calendar),
        held_back: false,
        lacking: None,
        legs: Vec::new(),
        residual: Qty::ZERO,
    };
    if signal.notes.only_if_flat {
        planner.check_flat(conf, groups)?;
    }
    if let Some(account) = &signal.account {
        planner.route(slice::from_ref(account), &Route::plain(RouteTo::Account(account.clone())))?;
    } else {
        for route in &conf.routes {
            (planner.mode, planner.short_of_cash) = (route.mode, route.short_of_cash);
            planner.route(&route.accounts(groups), route)?;
        }
    }
    if planner.held_back && planner.legs.is_empty() {
        let value = Measure::Word("a test, or of another day".into());
        return Err(vec![Denial { code: DenialCode::TestSignal, value, limit: Measure::Word("real money".into()) }]);
    }
    if let Some(lacking) = planner.lacking.filter(|_| planner.legs.is_empty() && !planner.held_back) {
        return Err(vec![lacking]);
    }
    Ok(Plan { legs: planner.legs, residual: planner.residual })
}

struct Planner<'a> {
    view: View<'a>,
    signal: &'a Signal,
    lot: Qty,
    /// On some boards an order is at least so many, though its steps are smaller (STAR: 200, then single shares).
    buy_min: Qty,
    sell_min: Qty,
    t_plus_1: bool,
    /// What is left below a lot may be sold with all the rest.
    odd_lots: bool,
    date: TradeDate,
    contract: Option<Contract>,
    rules: DayRules,
    pending: &'a dyn Fn(&AccountId) -> Pending,
    /// Of the route at hand.
    mode: RouteMode,
    short_of_cash: ShortOfCash,
    /// Real money takes none of it,
    test: bool,
    /// and would have had to.
    held_back: bool,
    /// Why an account cannot buy a single lot for all its cash.
    lacking: Option<Denial>,
    legs: Vec<Leg>,
    residual: Qty,
}

/// What one account is asked for, or all accounts of a route together.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Shares(Qty),
    /// So much money, at a price.
    Sum(Money, Price),
    /// A share of the capital base, at a price.
    Share(Ratio, Price),
}

impl Planner<'_> {
    fn route(&mut self, accounts: &[AccountId], route: &Route) -> Result<(), Vec<Denial>> {
        if self.signal.symbol.is_repo() {
            return self.loan(accounts, route);
        }
        if self.signal.size == Size::AllIn {
            return self.all_in(accounts, route);
        }
        if let Some(contract) = self.contract {
            return self.contract(accounts, route, &contract);
        }
        match (self.signal.size, self.signal.side) {
            (Size::Quantity(qty), Some(side)) => self.quantity(accounts, route, side, qty),
            (Size::Amount(sum), Some(side)) => {
                self.order(accounts, route, side, Ask::Sum(sum, self.order_price(side)?));
                Ok(())
            }
            (Size::Percent(share), Some(Side::Buy)) => {
                self.check_base(accounts, route)?;
                self.order(accounts, route, Side::Buy, Ask::Share(share, self.order_price(Side::Buy)?));
                Ok(())
            }
            (Size::Percent(part), Some(Side::Sell)) => {
                self.sell_part(accounts, route, part);
                Ok(())
            }
            (Size::All, Some(Side::Sell)) => {
                for account in accounts {
                    let wanted = (self.held(account) - (self.pending)(account).sells).max(Qty::ZERO);
                    self.sell_up_to(account, wanted);
                }
                Ok(())
            }
            (Size::TargetQuantity(target), _) => {
                self.reach(accounts, route, Ask::Shares(target));
                Ok(())
            }
            // To be flat takes neither a price nor a base.
            (Size::TargetAmount(Money::ZERO) | Size::TargetWeight(Ratio::ZERO), _) => {
                self.reach(accounts, route, Ask::Shares(Qty::ZERO));
                Ok(())
            }
            (Size::TargetAmount(sum), _) => {
                self.reach(accounts, route, Ask::Sum(sum, self.position_price()?));
                Ok(())
            }
            (Size::TargetWeight(share), _) => {
                self.check_base(accounts, route)?;
                self.reach(accounts, route, Ask::Share(share, self.position_price()?));
                Ok(())
            }
            // The door lets no such signal in.
            (Size::Quantity(_) | Size::Amount(_) | Size::Percent(_), None) | (Size::All | Size::AllIn, _) => Ok(()),
        }
    }

    fn quantity(&mut self, accounts: &[AccountId], route: &Route, side: Side, qty: Qty) -> Result<(), Vec<Denial>> {
        if let ([account], Ratio::ONE) = (accounts, route.follow_ratio)
            && self.view.ledgers.standing(account).step.is_all()
        {
            self.push(account, side, qty); // exactly what was asked; whether it is allowed is risk's question
            return Ok(());
        }
        // An odd lot may only be sold as the whole remainder; over several accounts that is to sell everything.
        if !qty.is_multiple_of(self.lot) {
            let held: Vec<Qty> = accounts.iter().map(|account| self.sellable(account)).collect();
            if side == Side::Sell && route.follow_ratio == Ratio::ONE && held.iter().copied().sum::<Qty>() == qty {
                for (account, qty) in accounts.iter().zip(held) {
                    self.push(account, side, qty);
                }
                return Ok(());
            }
            return Err(vec![Denial {
                code: DenialCode::LotSize,
                value: Measure::Qty(qty),
                limit: Measure::Qty(self.lot),
            }]);
        }
        self.order(accounts, route, side, Ask::Shares(qty));
        Ok(())
    }

    fn order(&mut self, accounts: &[AccountId], route: &Route, side: Side, ask: Ask) {
        if route.allocation == Allocation::FixedRatio {
            for account in accounts {
                let share = self.wanted(slice::from_ref(account), route, ask);
                let part = self.let_in(account, share);
                self.leg(account, side, part);
            }
            return;
        }
        let wanted = self.wanted(accounts, route, ask);
        let (shares, residual) = by_weight(wanted, &self.weights(accounts, route.allocation, side), self.lot);
        self.residual += residual;
        for (account, share) in accounts.iter().zip(shares) {
            let part = self.let_in(account, share);
            self.leg(account, side, part);
        }
    }

    /// How much of it the account's step lets in; the rest is left over.
    fn let_in(&mut self, account: &AccountId, asked: Qty) -> Qty {
        let part = self.part(account, asked);
        self.residual += (asked - part).abs();
        part
    }

    /// The same of a position that shall be held: it is a smaller one.
    fn part(&self, account: &AccountId, asked: Qty) -> Qty {
        self.view.ledgers.standing(account).part(asked, self.lot.max(self.buy_min))
    }

    /// Sells a part of what the strategy's own books hold.
    fn sell_part(&mut self, accounts: &[AccountId], route: &Route, part: Ratio) {
        if route.allocation == Allocation::FixedRatio || part == Ratio::ONE {
            for account in accounts {
                let wanted = follow(self.held(account), part);
                self.sell_up_to(account, wanted);
            }
            return;
        }
        let held: Vec<i64> = accounts.iter().map(|account| self.held(account).get()).collect();
        let wanted = follow(Qty::new(held.iter().sum()), part);
        let (shares, residual) = by_weight(wanted, &held, self.lot);
        self.residual += residual;
        for (account, share) in accounts.iter().zip(shares) {
            self.sell_up_to(account, share);
        }
    }

    fn reach(&mut self, accounts: &[AccountId], route: &Route, ask: Ask) {
        // One account has nobody to share with.
        let alone = route.allocation == Allocation::FixedRatio || accounts.len() == 1;
        if alone || matches!(ask, Ask::Shares(Qty::ZERO)) {
            for account in accounts {
                let target = self.wanted(slice::from_ref(account), route, ask);
                self.change(account, self.part(account, target) - self.expected(account));
            }
            return;
        }
        let target = self.wanted(accounts, route, ask);
        if route.allocation == Allocation::AvailableCash {
            // Cash says who can buy more, not who shall hold how much: what is shared out is the change.
            let change = target - accounts.iter().map(|account| self.expected(account)).sum();
            let side = if change.is_negative() { Side::Sell } else { Side::Buy };
            let weights = self.weights(accounts, route.allocation, side);
            let (mut shares, mut residual) = by_weight(change.abs(), &weights, self.lot);
            if side == Side::Sell {
                residual = self.sell_odd(accounts, &mut shares, residual);
            }
            self.residual += residual;
            for (account, share) in accounts.iter().zip(shares) {
                let share = self.let_in(account, share);
                self.change(account, if side == Side::Buy { share } else { -share });
            }
            return;
        }
        let (targets, residual) = by_weight(target, &self.weights(accounts, route.allocation, Side::Buy), self.lot);
        self.residual += residual;
        for (account, target) in accounts.iter().zip(targets) {
            self.change(account, self.part(account, target) - self.expected(account));
        }
    }

    /// What the ask comes to for these accounts together, in whole shares.
    fn wanted(&self, accounts: &[AccountId], route: &Route, ask: Ask) -> Qty {
        match ask {
            Ask::Shares(qty) => follow(qty, route.follow_ratio),
            Ask::Sum(sum, price) => Value::of(sum).times(route.follow_ratio).shares_at(price),
            Ask::Share(share, price) => {
                self.base(accounts, route).times(share).times(route.follow_ratio).shares_at(price)
            }
        }
    }

    fn base(&self, accounts: &[AccountId], route: &Route) -> Value {
        let sum = |of: &dyn Fn(&AccountId) -> Money| Value::of(accounts.iter().map(of).sum());
        match route.capital_base {
            CapitalBase::None => Value::of(Money::ZERO),
            CapitalBase::Equity(share) => sum(&|account| self.view.equity(account)).times(share),
            CapitalBase::Fixed(money) => Value::of(money),
            CapitalBase::Book => sum(&|account| self.view.book_value(account, &self.signal.strategy)),
        }
    }

    /// Flat is a strategy in all accounts that the signal reaches together: half of a position is one.
    fn check_flat(&self, conf: &StrategyConf, groups: &Groups) -> Result<(), Vec<Denial>> {
        let routed = || conf.routes.iter().flat_map(|route| route.accounts(groups).into_owned()).collect();
        let accounts: BTreeSet<AccountId> = self.signal.account.clone().map_or_else(routed, |account| [account].into());
        let there = |account: &AccountId| {
            let pending = (self.pending)(account);
            match self.contract {
                Some(_) => (self.held_on(account, Side::Sell) + self.held_on(account, Side::Buy), pending.opens()),
                None => (self.held(account), pending.buys),
            }
        };
        let there = accounts.iter().map(|account| (account, there(account)));
        let mut there = there.filter(|(_, (held, comes))| !(*held + *comes).is_zero());
        let Some((account, (held, comes))) = there.next() else { return Ok(()) };
        let found = match (held.is_zero(), comes.is_zero()) {
            (true, _) => format!("{comes} on the way in {account}"),
            (false, true) => format!("{held} held in {account}"),
            (false, false) => format!("{held} held and {comes} on the way in {account}"),
        };
        let found = match there.count() {
            0 => found,
            more => format!("{found}, and some in {more} more"),
        };
        let (value, limit) = (Measure::Word(found.into()), Measure::Qty(Qty::ZERO));
        Err(vec![Denial { code: DenialCode::NotFlat, value, limit }])
    }

    fn check_base(&self, accounts: &[AccountId], route: &Route) -> Result<(), Vec<Denial>> {
        if self.base(accounts, route).is_positive() {
            return Ok(());
        }
        let value = match route.capital_base {
            CapitalBase::None => Measure::Word("no capital base".into()),
            _ => Measure::Money(Money::ZERO),
        };
        Err(vec![Denial { code: DenialCode::CapitalBase, value, limit: Measure::None }])
    }

    /// What an order is reckoned with: its limit, or what it would meet now.
    fn order_price(&self, side: Side) -> Result<Price, Vec<Denial>> {
        let limit = self.signal.limit_price.filter(|_| self.signal.ord_type == OrdType::Limit);
        limit.or_else(|| self.view.quotes.get(self.signal.symbol).map(|quote| quote.meets(side))).ok_or_else(no_quote)
    }

    /// What a position is valued at.
    fn position_price(&self) -> Result<Price, Vec<Denial>> {
        self.view.quotes.get(self.signal.symbol).map(|quote| quote.last).ok_or_else(no_quote)
    }

    fn weights(&self, accounts: &[AccountId], allocation: Allocation, side: Side) -> Vec<i64> {
        let weight = |account: &AccountId| match (allocation, side) {
            (Allocation::Equity, _) => self.view.equity(account).e4(),
            (Allocation::FixedRatio | Allocation::EqualQuantity, _) => 1,
            (Allocation::AvailableCash, Side::Buy) => self.view.available_cash(account).e4(),
            // Cash does not say who can sell.
            (Allocation::AvailableCash, Side::Sell) => self.sellable(account).get(),
        };
        let weights: Vec<i64> = accounts.iter().map(weight).collect();
        // Where nobody can, everybody is asked, and risk says with numbers why not.
        if weights.iter().any(|weight| *weight > 0) { weights } else { vec![1; accounts.len()] }
    }

    /// What the strategy's own book in the account holds.
    fn held(&self, account: &AccountId) -> Qty {
        if self.of_all_books() {
            return self.free_of_all(account).0;
        }
        let book = self.view.ledgers.get(account).and_then(|l| l.book(self.signal.symbol, &self.signal.strategy));
        book.map_or(Qty::ZERO, |b| b.qty)
    }

    /// The same once its working orders are filled.
    fn expected(&self, account: &AccountId) -> Qty {
        let pending = (self.pending)(account);
        self.held(account) + pending.buys - pending.sells
    }

    /// What of it may be sold today, before any reservation.
    fn sellable(&self, account: &AccountId) -> Qty {
        if self.of_all_books() {
            return self.free_of_all(account).1;
        }
        let book = self.view.ledgers.get(account).and_then(|l| l.book(self.signal.symbol, &self.signal.strategy));
        book.map_or(Qty::ZERO, |b| if self.t_plus_1 { b.qty - b.bought_today } else { b.qty })
    }

    /// Buys or sells the difference.
    fn change(&mut self, account: &AccountId, delta: Qty) {
        if delta.is_positive() {
            self.leg(account, Side::Buy, delta);
        } else {
            self.sell_up_to(account, delta.abs());
        }
    }

    /// Sells what can be sold of it: what was bought today cannot, what is being sold already cannot be sold again, and an
    /// odd remainder goes as a whole or not at all.
    fn sell_up_to(&mut self, account: &AccountId, wanted: Qty) {
        let sell = self.rules.most_sold(wanted, self.free(account));
        self.residual += wanted - sell;
        self.push(account, Side::Sell, sell);
    }

    /// What may be sold today and is not being sold.
    fn free(&self, account: &AccountId) -> Qty {
        (self.sellable(account) - (self.pending)(account).sells).max(Qty::ZERO)
    }

    /// What whole lots leave of a sale goes to the odd remainders that it pays for, of the earlier account first; returns
    /// what is left of it.
    fn sell_odd(&self, accounts: &[AccountId], shares: &mut [Qty], left: Qty) -> Qty {
        let mut left = left;
        for (account, share) in accounts.iter().zip(shares) {
            let free = self.free(account);
            let odd = self.rules.odd_remainder(free);
            if odd.is_positive() && odd <= left && *share + odd <= free {
                *share += odd;
                left -= odd;
            }
        }
        left
    }

    /// An order in whole lots, or of everything; the rest is residual.
    fn leg(&mut self, account: &AccountId, side: Side, share: Qty) {
        let everything = side == Side::Sell && self.odd_lots && share == self.sellable(account);
        let leg = if everything { share } else { self.whole(side, share) };
        self.residual += share - leg;
        self.push(account, side, leg);
    }

    /// What of the quantity one order can be: whole lots, and not below the board's minimum.
    fn whole(&self, side: Side, qty: Qty) -> Qty {
        let min = if side == Side::Buy { self.buy_min } else { self.sell_min };
        let lots = qty.floor_to_lot(self.lot);
        if lots < min { Qty::ZERO } else { lots }
    }

    fn push(&mut self, account: &AccountId, side: Side, qty: Qty) {
        // Whoever opens or closes shares hears from risk that there is no such thing.
        self.push_leg(account, side, self.signal.position_effect, qty);
    }

    fn push_leg(&mut self, account: &AccountId, side: Side, effect: Option<Effect>, qty: Qty) {
        if !qty.is_positive() {
            return;
        }
        let mode = self.view.ledgers.standing(account).leg_mode(self.mode);
        if self.test && mode.sends() && self.view.ledgers.is_live(account) {
            self.held_back = true;
            self.residual += qty;
            return;
        }
        let parent = self.signal.id.parent(self.legs.len() as u16);
        let short_of_cash = self.short_of_cash;
        self.legs.push(Leg {
            parent,
            account: account.clone(),
            side,
            effect,
            qty,
            mode,
            short_of_cash,
            pursued: false,
        });
    }
}

fn no_quote() -> Vec<Denial> {
    vec![Denial { code: DenialCode::QuoteStale, value: Measure::Word("no quote".into()), limit: Measure::None }]
}
