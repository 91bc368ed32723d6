//! From a signal to its legs: who trades how much, so that legs and the stated residual are exactly what was asked.

use crate::allocation::{by_weight, follow};
use crate::denial::{Denial, DenialCode, Measure};
use crate::ids::AccountId;
use crate::order::Side;
use crate::parent::Leg;
use crate::signal::{Signal, Size};
use crate::strategy::{Allocation, Groups, Route, RouteTo, StrategyConf};
use crate::symbol::Symbol;
use crate::units::{Qty, Ratio, Timestamp};
use crate::view::View;

/// The legs of a signal. Σ leg quantities + residual = what was asked of all accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub legs: Vec<Leg>,
    /// What rounds to no whole lot anywhere, or cannot be sold today.
    pub residual: Qty,
}

/// Plans one signal. `pending` tells what the strategy's working orders would still add to (or, negative, take from)
/// its book of a symbol in an account.
///
/// # Errors
/// The denials that refuse the signal as a whole.
pub fn plan(
    at: Timestamp,
    view: View<'_>,
    signal: &Signal,
    conf: &StrategyConf,
    groups: &Groups,
    pending: impl Fn(&AccountId, Symbol) -> Qty,
) -> Result<Plan, Vec<Denial>> {
    let unknown = || vec![Denial { code: DenialCode::InstrumentUnknown, value: Measure::None, limit: Measure::None }];
    let date = view.market.calendar.trade_date(at).ok_or_else(unknown)?;
    let rules = view.market.day(signal.symbol, date).map_err(|_| unknown())?;
    let mut planner = Planner {
        view,
        signal,
        lot: rules.buy_step,
        buy_min: rules.buy_min,
        sell_min: rules.sell_min,
        t_plus_1: rules.min_holding_days > 0,
        legs: Vec::new(),
        residual: Qty::ZERO,
    };
    if let Some(account) = &signal.account {
        let route = Route {
            to: RouteTo::Account(account.clone()),
            follow_ratio: Ratio::ONE,
            allocation: Allocation::FixedRatio,
        };
        planner.route(std::slice::from_ref(account), &route, &pending)?;
    } else {
        for route in &conf.routes {
            match &route.to {
                RouteTo::Account(account) => planner.route(std::slice::from_ref(account), route, &pending)?,
                RouteTo::Group(group) => {
                    planner.route(groups.get(group).map_or(&[], Vec::as_slice), route, &pending)?;
                }
            }
        }
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
    legs: Vec<Leg>,
    residual: Qty,
}

impl Planner<'_> {
    fn route(
        &mut self,
        accounts: &[AccountId],
        route: &Route,
        pending: &impl Fn(&AccountId, Symbol) -> Qty,
    ) -> Result<(), Vec<Denial>> {
        match (self.signal.size, self.signal.side) {
            (Size::Quantity(qty), Some(side)) => self.quantity(accounts, route, side, qty),
            (Size::Quantity(_), None) => Ok(()), // the door lets no such signal in
            (Size::TargetQuantity(target), _) => {
                self.target(accounts, route, target, pending);
                Ok(())
            }
        }
    }

    fn quantity(&mut self, accounts: &[AccountId], route: &Route, side: Side, qty: Qty) -> Result<(), Vec<Denial>> {
        if let ([account], Ratio::ONE) = (accounts, route.follow_ratio) {
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
        let shares = self.shares(accounts, route, qty);
        for (account, share) in accounts.iter().zip(shares) {
            let everything = side == Side::Sell && share == self.sellable(account);
            let leg = if everything { share } else { self.whole(side, share) };
            self.residual += share - leg;
            self.push(account, side, leg);
        }
        Ok(())
    }

    fn target(
        &mut self,
        accounts: &[AccountId],
        route: &Route,
        target: Qty,
        pending: &impl Fn(&AccountId, Symbol) -> Qty,
    ) {
        let single = matches!((accounts, route.follow_ratio), ([_], Ratio::ONE));
        let targets = if single || target.is_zero() {
            vec![target; accounts.len()]
        } else {
            self.shares(accounts, route, target)
        };
        for (account, target) in accounts.iter().zip(targets) {
            let book = self.view.ledgers.get(account).and_then(|l| l.book(self.signal.symbol, &self.signal.strategy));
            let held = book.map_or(Qty::ZERO, |b| b.qty);
            let pending = pending(account, self.signal.symbol);
            let delta = target - held - pending;
            if delta.is_positive() {
                let buy = self.whole(Side::Buy, delta);
                self.residual += delta - buy;
                self.push(account, Side::Buy, buy);
            } else if delta.is_negative() {
                // What was bought today cannot be sold today; a remainder below a lot goes only with all the rest.
                let wanted = delta.abs();
                // What is being sold already cannot be sold again.
                let sellable = (self.sellable(account) + pending.min(Qty::ZERO)).max(Qty::ZERO);
                let sell = if wanted >= sellable { sellable } else { self.whole(Side::Sell, wanted) };
                self.residual += wanted - sell;
                self.push(account, Side::Sell, sell);
            }
        }
    }

    /// Each account's share in whole lots; what is left over joins the residual.
    fn shares(&mut self, accounts: &[AccountId], route: &Route, qty: Qty) -> Vec<Qty> {
        let wanted = follow(qty, route.follow_ratio);
        match route.allocation {
            Allocation::Equity => {
                let weights: Vec<i64> = accounts.iter().map(|account| self.view.equity(account).e4()).collect();
                let (shares, residual) = by_weight(wanted, &weights, self.lot);
                self.residual += residual;
                shares
            }
            Allocation::FixedRatio => accounts
                .iter()
                .map(|_| {
                    let share = wanted.floor_to_lot(self.lot);
                    self.residual += wanted - share;
                    share
                })
                .collect(),
        }
    }

    /// What the strategy's own book in the account may sell today, before any reservation.
    fn sellable(&self, account: &AccountId) -> Qty {
        let book = self.view.ledgers.get(account).and_then(|l| l.book(self.signal.symbol, &self.signal.strategy));
        book.map_or(Qty::ZERO, |b| if self.t_plus_1 { b.qty - b.bought_today } else { b.qty })
    }

    /// What of the quantity one order can be: whole lots, and not below the board's minimum.
    fn whole(&self, side: Side, qty: Qty) -> Qty {
        let min = if side == Side::Buy { self.buy_min } else { self.sell_min };
        let lots = qty.floor_to_lot(self.lot);
        if lots < min { Qty::ZERO } else { lots }
    }

    fn push(&mut self, account: &AccountId, side: Side, qty: Qty) {
        if qty.is_positive() {
            let parent = self.signal.id.parent(self.legs.len() as u16);
            self.legs.push(Leg { parent, account: account.clone(), side, qty });
        }
    }
}
