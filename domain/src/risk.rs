//! The risk engine: the only door to an account.
//!
//! Each order is checked against everything that is known at the instant. What passes is set aside at once (cash for a
//! buy, shares for a sell) and becomes an [`Approved`] order, which nothing else can make. What an order set aside is
//! released as the order fills or ends.

mod check;

use std::collections::HashMap;
use std::sync::Arc;

pub use check::{Check, Limits, Outcome};

use crate::denial::Denial;
use crate::event::{Event, Scope, TradingState};
use crate::hash::QuickMap;
use crate::ids::{AccountId, OrderId, StrategyId};
use crate::order::{Approval, Order, OrderTerms, Side};
use crate::row::Row;
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Money, Qty, Span, Timestamp};
use crate::view::View;

/// Proof that risk approved: only this module can make one.
#[derive(Debug, Clone)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What an approved order consists of.
#[derive(Debug, Clone)]
pub struct ApprovedOrder {
    pub terms: Arc<OrderTerms>,
    pub approval: Arc<Approval>,
    pub at: Timestamp,
}

/// Everything that can happen to the risk engine.
#[derive(Debug)]
pub enum RiskInput {
    /// Orders that a strategy wants to send, each checked by itself in this order.
    Check(Vec<Arc<OrderTerms>>),
    /// An order that was approved has changed.
    Observed(Arc<Order>),
    SetTradingState {
        scope: Scope,
        state: TradingState,
        who: Arc<str>,
        reason: Arc<str>,
    },
}

/// What one input caused.
#[derive(Debug, Default)]
pub struct RiskEffects {
    pub events: Vec<Event>,
    pub rows: Vec<Row>,
    pub approved: Vec<Approved<ApprovedOrder>>,
    pub denied: Vec<(Arc<OrderTerms>, Arc<[Denial]>)>,
}

/// What the live orders of one account have set aside.
#[derive(Debug, Default)]
struct Reserved {
    cash: Money,
    live: u32,
    /// Shares that live sells hold, per book; and shares that live buys may add, per symbol. Few at a time.
    sells: Vec<(Symbol, StrategyId, Qty)>,
    buys: Vec<(Symbol, Qty)>,
}

/// What one live order has set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    cash: Money,
    sell: Qty,
    buy: Qty,
}

/// An order of the last moments, for the duplicate check.
#[derive(Debug)]
struct Recent {
    at: Timestamp,
    terms: Arc<OrderTerms>,
}

/// The core of the risk engine.
#[derive(Debug)]
pub struct Risk {
    limits: QuickMap<AccountId, Arc<Limits>>,
    reserved: QuickMap<AccountId, Reserved>,
    held: QuickMap<OrderId, Held>,
    messages: QuickMap<AccountId, (crate::units::TradeDate, u32)>,
    recent: std::collections::VecDeque<Recent>,
}

impl Risk {
    /// Starts with the accounts' limits and the orders that were live when an earlier life ended.
    #[must_use]
    pub fn new<'a>(limits: HashMap<AccountId, Arc<Limits>>, live: impl Iterator<Item = &'a Order>) -> Self {
        let mut risk = Self {
            limits: limits.into_iter().collect(),
            reserved: QuickMap::default(),
            held: QuickMap::default(),
            messages: QuickMap::default(),
            recent: std::collections::VecDeque::new(),
        };
        for order in live {
            risk.observed(order);
        }
        risk
    }

    /// Decides. Never waits, never asks the time.
    pub fn handle(&mut self, at: Timestamp, view: View<'_>, input: RiskInput, fx: &mut RiskEffects) {
        match input {
            RiskInput::Check(orders) => {
                for terms in orders {
                    self.check(at, view, terms, fx);
                }
            }
            RiskInput::Observed(order) => self.observed(&order),
            RiskInput::SetTradingState { scope, state, who, reason } => {
                fx.events.push(Event::TradingStateSet {
                    scope: scope.clone(),
                    state,
                    who: who.clone(),
                    reason: reason.clone(),
                });
                fx.rows.push(Row::TradingState { scope, state, who, reason, at });
            }
        }
    }

    /// Every check of an order with its numbers, for people: nothing is set aside and nothing recorded.
    #[must_use]
    pub fn explain(&self, at: Timestamp, view: View<'_>, terms: &OrderTerms) -> Vec<Check> {
        let mut checks = Vec::new();
        let _ = self.run(at, view, terms, &mut |check: &mut dyn FnMut() -> Check, _| checks.push(check()));
        checks
    }

    /// What live orders of the account have set aside in cash.
    #[must_use]
    pub fn reserved_cash(&self, account: &AccountId) -> Money {
        self.reserved.get(account).map_or(Money::ZERO, |r| r.cash)
    }

    /// The same for every account in which something was set aside.
    pub fn all_reserved_cash(&self) -> impl Iterator<Item = (&AccountId, Money)> {
        self.reserved.iter().map(|(account, reserved)| (account, reserved.cash))
    }

    /// What live orders of the account have set aside in shares: sells of the strategy's book, and what buys may add.
    #[must_use]
    pub fn reserved_qty(&self, account: &AccountId, symbol: Symbol, strategy: &StrategyId) -> (Qty, Qty) {
        let Some(reserved) = self.reserved.get(account) else { return (Qty::ZERO, Qty::ZERO) };
        let sells = reserved.sells.iter().filter(|(s, b, _)| *s == symbol && b == strategy).map(|(_, _, qty)| *qty);
        let buys = reserved.buys.iter().filter(|(s, _)| *s == symbol).map(|(_, qty)| *qty);
        (sells.sum(), buys.sum())
    }

    /// The live orders that are known to the engine.
    #[must_use]
    pub fn live_len(&self) -> usize {
        self.held.len()
    }

    fn check(&mut self, at: Timestamp, view: View<'_>, terms: Arc<OrderTerms>, fx: &mut RiskEffects) {
        // The same id again: a strategy that was rebuilt asks once more for what was approved before.
        if self.held.contains_key(&terms.id) {
            return;
        }
        let mut denials = Vec::new();
        let approval = self.run(at, view, &terms, &mut |check: &mut dyn FnMut() -> Check, passed: bool| {
            if !passed {
                let check = check();
                denials.push(Denial { code: check.code, value: check.value, limit: check.limit });
            }
        });
        let Some(approval) = approval.filter(|_| denials.is_empty()) else {
            let denials: Arc<[Denial]> = denials.into();
            fx.events.push(Event::OrderDenied { terms: terms.clone(), denials: denials.clone() });
            fx.rows.push(Row::DeniedOrder { terms: terms.clone(), denials: denials.clone(), at });
            fx.denied.push((terms, denials));
            return;
        };
        let approval = Arc::new(approval);
        let held = match terms.side {
            Side::Buy => Held { cash: approval.reserved_cash, sell: Qty::ZERO, buy: terms.qty },
            Side::Sell => Held { cash: Money::ZERO, sell: terms.qty, buy: Qty::ZERO },
        };
        self.hold(&terms, Held::default(), held);
        self.held.insert(terms.id, held);
        self.count_message(&terms.account, approval.trade_date);
        self.remember(at, &terms);
        fx.events.push(Event::OrderApproved { terms: terms.clone(), approval: approval.clone() });
        // The row comes with the approval: an account between two lives finds the order there.
        fx.rows.push(Row::Order(Arc::new(Order::new(terms.clone(), approval.clone(), at))));
        fx.approved.push(Approved(ApprovedOrder { terms, approval, at }));
    }

    /// Keeps what is set aside equal to what the order may still use.
    fn observed(&mut self, order: &Order) {
        if seeded(SeededBug::ReservationLostByRestart) && !self.held.contains_key(&order.id()) {
            return; // approved in an earlier life
        }
        let before = self.held.get(&order.id()).copied().unwrap_or_default();
        let now = Held {
            cash: order.reserved_cash(),
            sell: order.reserved_qty(),
            buy: if order.terms.side == Side::Buy { order.leaves_qty() } else { Qty::ZERO },
        };
        self.hold(&order.terms, before, now);
        if order.status.is_terminal() {
            self.held.remove(&order.id());
        } else {
            self.held.insert(order.id(), now);
        }
    }

    fn hold(&mut self, terms: &OrderTerms, before: Held, now: Held) {
        if before == now {
            return;
        }
        let reserved = match self.reserved.get_mut(&terms.account) {
            Some(reserved) => reserved,
            None => self.reserved.entry(terms.account.clone()).or_default(),
        };
        reserved.cash += now.cash - before.cash;
        let live = |held: Held| u32::from(held != Held::default());
        reserved.live = reserved.live + live(now) - live(before);
        if now.sell != before.sell {
            let change = now.sell - before.sell;
            match reserved.sells.iter().position(|(s, b, _)| *s == terms.symbol && *b == terms.strategy) {
                Some(i) => {
                    reserved.sells[i].2 += change;
                    if reserved.sells[i].2.is_zero() {
                        reserved.sells.swap_remove(i);
                    }
                }
                None => reserved.sells.push((terms.symbol, terms.strategy.clone(), change)),
            }
        }
        if now.buy != before.buy {
            let change = now.buy - before.buy;
            match reserved.buys.iter().position(|(s, _)| *s == terms.symbol) {
                Some(i) => {
                    reserved.buys[i].1 += change;
                    if reserved.buys[i].1.is_zero() {
                        reserved.buys.swap_remove(i);
                    }
                }
                None => reserved.buys.push((terms.symbol, change)),
            }
        }
    }

    fn count_message(&mut self, account: &AccountId, date: crate::units::TradeDate) {
        match self.messages.get_mut(account) {
            Some((day, count)) if *day == date => *count += 1,
            Some(slot) => *slot = (date, 1),
            None => {
                self.messages.insert(account.clone(), (date, 1));
            }
        }
    }

    /// The messages of the account on the day, as the account counted them before a restart.
    pub fn restore_messages(&mut self, account: &AccountId, date: crate::units::TradeDate, count: u32) {
        self.messages.insert(account.clone(), (date, count));
    }

    fn remember(&mut self, at: Timestamp, terms: &Arc<OrderTerms>) {
        while self.recent.len() >= RECENT_MAX || self.recent.front().is_some_and(|r| at.since(r.at) > RECENT_SPAN) {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { at, terms: terms.clone() });
    }
}

/// The longest window in which a repeat counts as a duplicate.
const RECENT_SPAN: Span = Span::from_secs(60);
/// A person's repeat comes within a few orders; a flood of orders has its own limits.
const RECENT_MAX: usize = 1_024;
