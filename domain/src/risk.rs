//! The risk engine: the only door to an account.
//!
//! Each order is checked against everything that is known at the instant. What passes is set aside at once (cash for a
//! buy, shares for a sell) and becomes an [`Approved`] order, which nothing else can make. What an order set aside is
//! released as the order fills or ends.

mod beside;
mod check;
mod contracts;
mod counters;
mod issues;
pub mod limits;
mod loans;
pub mod losses;
pub mod monitors;
mod most;
mod netting;
mod placed;
mod warnings;

use std::collections::HashMap;
use std::sync::Arc;

pub use check::{Check, Outcome};
pub use limits::{LimitFact, LimitSet, Limits, LimitsRefused};
pub use losses::{EquityMark, Worth};
pub use monitors::{Exit, Monitor};
pub use most::Most;
pub use warnings::LimitWarning;

use crate::account::Pacing;
use crate::denial::{Denial, DenialCode, Measure};
use crate::event::{Event, Scope, TradingState};
use crate::hash::QuickMap;
use crate::ids::{AccountId, OrderId, StrategyId};
use crate::market::Market;
use crate::order::{Approval, Order, OrderTerms};
use crate::row::Row;
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Money, Qty, Span, Timestamp, TradeDate};
use crate::view::{Closing, Promised, SetAside, View, usable};

use counters::{Counted, Counters};
use limits::LimitBook;
use losses::Losses;
use monitors::Monitors;
use netting::Unsent;
use warnings::Warned;

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
    /// Buys that can wait: one that lacks nothing but cash is not refused. Answered by [`RiskEffects::short`].
    Try(Vec<Arc<OrderTerms>>),
    /// Orders that are not to be sent. Answered by [`RiskEffects::judged`], and nothing is set aside.
    Judge(Vec<Arc<OrderTerms>>),
    /// An order that was approved has changed.
    Observed(Arc<Order>),
    /// Prices were shown, or a while has gone by: what is everything worth?
    Watch,
    /// A person has changed the account's books.
    Rebooked(AccountId),
    SetTradingState {
        scope: Scope,
        state: TradingState,
        who: Arc<str>,
        reason: Arc<str>,
    },
    /// The limits of a scope become these. Answered by [`RiskEffects::limits`].
    SetLimits {
        scope: Scope,
        set: Box<LimitSet>,
        /// The version that is changed; 0 when there was none. Refused when it is another one.
        expected: Option<u32>,
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
    pub short: Vec<Short>,
    /// Orders that are not sent, and why they would have been refused.
    pub judged: Vec<(Arc<OrderTerms>, Arc<[Denial]>)>,
    /// Accounts whose pace is another one now.
    pub paced: Vec<(AccountId, Pacing)>,
    /// The answer to [`RiskInput::SetLimits`].
    pub limits: Option<Result<Arc<LimitFact>, LimitsRefused>>,
    /// Positions that their monitors give up: signals for the door.
    pub exits: Vec<Exit>,
}

/// A buy that lacks nothing but cash.
#[derive(Debug, Clone)]
pub struct Short {
    pub terms: Arc<OrderTerms>,
    pub needed: Money,
    pub available: Money,
    /// The whole lots that the cash pays for, fees included.
    pub affordable: Qty,
}

/// What the live orders of one account have set aside.
#[derive(Debug, Default)]
struct Reserved {
    cash: Money,
    live: u32,
    /// Shares that live sells hold, per book; and shares that live buys may add, per symbol. Few at a time.
    sells: Vec<(Symbol, StrategyId, Qty)>,
    buys: Vec<(Symbol, Qty)>,
    /// Lots that live closes hold.
    closes: Vec<Closing>,
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
    limits: LimitBook,
    warned: Warned,
    losses: Losses,
    monitors: Monitors,
    counters: Counters,
    reserved: QuickMap<AccountId, Reserved>,
    held: QuickMap<OrderId, Held>,
    unsent: Unsent,
    messages: QuickMap<AccountId, (TradeDate, u32)>,
    recent: std::collections::VecDeque<Recent>,
}

impl Risk {
    /// Starts with the accounts' limits and the orders that were live when an earlier life ended.
    #[must_use]
    pub fn new<'a>(limits: HashMap<AccountId, Arc<Limits>>, live: impl Iterator<Item = &'a Order>) -> Self {
        let mut risk = Self {
            limits: LimitBook::new(limits),
            warned: Warned::default(),
            losses: Losses::default(),
            monitors: Monitors::default(),
            counters: Counters::default(),
            reserved: QuickMap::default(),
            held: QuickMap::default(),
            unsent: Unsent::default(),
            messages: QuickMap::default(),
            recent: std::collections::VecDeque::new(),
        };
        for order in live {
            risk.keep(order);
        }
        risk
    }

    /// Decides. Never waits, never asks the time.
    pub fn handle(&mut self, at: Timestamp, view: View<'_>, input: RiskInput, fx: &mut RiskEffects) {
        match input {
            RiskInput::Check(orders) => {
                for terms in orders {
                    self.check(at, view, terms, false, fx);
                }
            }
            RiskInput::Try(orders) => {
                for terms in orders {
                    self.check(at, view, terms, true, fx);
                }
            }
            RiskInput::Judge(orders) => {
                for terms in orders {
                    let terms = self.stand_in(at, view, &terms).map_or(terms, Arc::new);
                    let refused = |check: &Check| check.outcome == Outcome::Denied;
                    let checks = self.explain(at, view, &terms).into_iter().filter(refused);
                    let denials = checks.map(|c| Denial { code: c.code, value: c.value, limit: c.limit }).collect();
                    fx.judged.push((terms, denials));
                }
            }
            RiskInput::Observed(order) => self.observed(view, &order),
            RiskInput::Watch => {
                self.losses.watch(at, view, &self.limits, fx);
                let desk = monitors::Desk { at, view, limits: &self.limits, reserved: &self.reserved };
                self.monitors.watch(desk, fx);
            }
            RiskInput::Rebooked(account) => self.losses.rebooked(at, view, &account, &self.limits),
            RiskInput::SetTradingState { scope, state, who, reason } => {
                self.losses.decided(at, &scope, state, fx);
                fx.events.push(Event::TradingStateSet {
                    scope: scope.clone(),
                    state,
                    who: who.clone(),
                    reason: reason.clone(),
                });
                fx.rows.push(Row::TradingState { scope, state, who, reason, at });
            }
            RiskInput::SetLimits { scope, set, expected, who, reason } => {
                let fact = self.limits.next(at, scope, *set, expected, who, reason);
                if let Ok(fact) = &fact {
                    fx.events.push(Event::LimitsSet(fact.clone()));
                    fx.rows.push(Row::Limits(fact.clone()));
                    fx.paced = self.limits.apply(fact.clone());
                }
                fx.limits = Some(fact);
            }
        }
    }

    /// The newest limits of each scope, as an earlier life set them.
    pub fn restore_limits(&mut self, facts: impl IntoIterator<Item = Arc<LimitFact>>) {
        for fact in facts {
            self.limits.apply(fact);
        }
    }

    /// An account that was opened just now, with conf's limits.
    pub fn add_account(&mut self, account: AccountId, limits: Arc<Limits>) {
        self.limits.add(account, limits);
    }

    /// How many orders of it may still trade, with those that it has not heard of yet.
    #[must_use]
    pub fn live_of(&self, account: &AccountId) -> u32 {
        self.counters.live_of(account)
    }

    /// Counts the orders of the last days again, live and ended.
    pub fn restore_orders<'a>(&mut self, market: &Market, orders: impl IntoIterator<Item = &'a Order>) {
        for order in orders {
            let counted = Counted::of(order, market);
            self.counters.approved(order.created_at, counted);
            if order.status.is_terminal() {
                self.counters.settled(order.updated_at, order, counted);
            } else {
                self.counters.lives(&order.terms, counted.px);
            }
        }
    }

    /// What was told already, so that nobody is told again.
    pub fn restore_warnings<'a>(&mut self, warnings: impl IntoIterator<Item = &'a LimitWarning>) {
        for warning in warnings {
            self.warned.first(&warning.account, warning.trade_date, warning.code);
        }
    }

    /// What was known of everything's worth.
    pub fn restore_marks(&mut self, marks: impl IntoIterator<Item = Arc<EquityMark>>) {
        marks.into_iter().for_each(|mark| self.losses.restore(mark));
    }

    /// What accounts, strategies and all together are worth now, and have lost.
    #[must_use]
    pub fn worth(&self, at: Timestamp, view: View<'_>) -> Vec<Worth> {
        self.losses.now(at, view, &self.limits)
    }

    /// How the monitors of all positions stand.
    #[must_use]
    pub fn monitors(&self, at: Timestamp, view: View<'_>) -> Vec<Monitor> {
        self.monitors.all(monitors::Desk { at, view, limits: &self.limits, reserved: &self.reserved })
    }

    /// What is in force for the account, without the limits of strategies.
    #[must_use]
    pub fn limits(&self, account: &AccountId) -> Option<&Arc<Limits>> {
        self.limits.of(account)
    }

    /// Every check of an order with its numbers, for people: nothing is set aside and nothing recorded.
    #[must_use]
    pub fn explain(&self, at: Timestamp, view: View<'_>, terms: &OrderTerms) -> Vec<Check> {
        let mut checks = Vec::new();
        let stand_in = self.stand_in(at, view, terms);
        let terms = stand_in.as_ref().unwrap_or(terms);
        let _ = self.run(at, view, terms, &mut |check: &mut dyn FnMut() -> Check, _| checks.push(check()));
        checks
    }

    /// Tells planning how old quotes may be, so that it waits for those that an order would be refused without.
    pub fn tell_quote_ages(&self, aside: &mut SetAside) {
        let accounts = self.limits.accounts().map(|(account, limits)| (account.clone(), limits.quote_age()));
        aside.put_quote_ages(accounts, self.limits.quote_ages_of_strategies());
    }

    /// What live orders of the account have set aside in cash.
    #[must_use]
    pub fn reserved_cash(&self, account: &AccountId) -> Money {
        self.reserved.get(account).map_or(Money::ZERO, |r| r.cash)
    }

    /// The shares and lots that live sells and closes of the account hold.
    #[must_use]
    pub fn reserved_sells(&self, account: &AccountId) -> Promised<'_> {
        match self.reserved.get(account) {
            Some(reserved) => Promised { sells: &reserved.sells, closes: &reserved.closes },
            None => Promised::default(),
        }
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

    fn check(&mut self, at: Timestamp, view: View<'_>, terms: Arc<OrderTerms>, can_wait: bool, fx: &mut RiskEffects) {
        // The same id again: a strategy that was rebuilt asks once more for what was approved before.
        if self.held.contains_key(&terms.id) {
            return;
        }
        let terms = self.stand_in(at, view, &terms).map_or(terms, Arc::new);
        let (mut denials, mut near) = (Vec::new(), Vec::new());
        let decided = self.run(at, view, &terms, &mut |check: &mut dyn FnMut() -> Check, outcome| match outcome {
            Outcome::Denied => {
                let check = check();
                denials.push(Denial { code: check.code, value: check.value, limit: check.limit });
            }
            Outcome::Warned => near.push(check()),
            Outcome::Passed | Outcome::Skipped => {}
        });
        // Planned before the account became a shadow: from then on nothing of it is sent.
        if view.ledgers.standing(&terms.account).shadows() {
            let value = Measure::Word("shadow".into());
            denials.push(Denial { code: DenialCode::AccountNotReady, value, limit: Measure::None });
        }
        if let (true, Some(decided), [Denial { code: DenialCode::Cash, .. }]) = (can_wait, &decided, &denials[..]) {
            let cash = view.ledgers.get(&terms.account).map_or(Money::ZERO, |ledger| usable(ledger, view.quotes));
            let available = cash - self.reserved_cash(&terms.account);
            let (needed, affordable) = (decided.approval.reserved_cash, decided.affordable(available));
            fx.short.push(Short { terms, needed, available, affordable });
            return;
        }
        let Some(decided) = decided.filter(|_| denials.is_empty()) else {
            if denials.iter().any(|denial| denial.code == DenialCode::StrategyOrders) {
                self.hold_strategy(at, view, &terms.strategy, fx);
            }
            let denials: Arc<[Denial]> = denials.into();
            fx.events.push(Event::OrderDenied { terms: terms.clone(), denials: denials.clone() });
            fx.rows.push(Row::DeniedOrder { terms: terms.clone(), denials: denials.clone(), at });
            fx.denied.push((terms, denials));
            return;
        };
        let approval = decided.approval;
        for check in near {
            self.warn(at, &terms, approval.trade_date, check, fx);
        }
        let approval = Arc::new(approval);
        let held = match terms.reduces() {
            false => Held { cash: approval.reserved_cash, sell: Qty::ZERO, buy: terms.qty },
            true => Held { cash: Money::ZERO, sell: terms.qty, buy: Qty::ZERO },
        };
        self.hold(&terms, Held::default(), held);
        self.held.insert(terms.id, held);
        self.unsent.put(&terms, &approval, terms.qty);
        self.count_message(&terms.account, approval.trade_date);
        let (date, subscription) = (approval.trade_date, approval.subscription);
        let counted = Counted { terms: &terms, px: decided.px, date, t0: decided.t0, subscription };
        self.counters.approved(at, counted);
        self.counters.lives(&terms, counted.px);
        self.remember(at, &terms);
        fx.events.push(Event::OrderApproved { terms: terms.clone(), approval: approval.clone() });
        // The row comes with the approval: an account between two lives finds the order there.
        fx.rows.push(Row::Order(Arc::new(Order::new(terms.clone(), approval.clone(), at))));
        fx.approved.push(Approved(ApprovedOrder { terms, approval, at }));
    }

    /// Only a person lets it open again.
    fn hold_strategy(&mut self, at: Timestamp, view: View<'_>, strategy: &StrategyId, fx: &mut RiskEffects) {
        let scope = Scope::Strategy(strategy.clone());
        self.losses.held_otherwise(at, &scope, fx);
        let told = |event: &Event| matches!(event, Event::TradingStateSet { scope: of, .. } if *of == scope);
        if view.states.at(&scope) != TradingState::Active || fx.events.iter().any(told) {
            return;
        }
        let (state, who) = (TradingState::Reducing, Arc::from(HOLDER));
        let reason = Arc::from("more orders in ten minutes than its plans need");
        fx.rows.push(Row::TradingState {
            scope: scope.clone(),
            state,
            who: Arc::clone(&who),
            reason: Arc::clone(&reason),
            at,
        });
        fx.events.push(Event::TradingStateSet { scope, state, who, reason });
    }

    /// Tells of the first order of the day that comes near the limit: the others say nothing new.
    fn warn(&mut self, at: Timestamp, terms: &OrderTerms, trade_date: TradeDate, check: Check, fx: &mut RiskEffects) {
        if !self.warned.first(&terms.account, trade_date, check.code) {
            return;
        }
        let warning = Arc::new(LimitWarning {
            account: terms.account.clone(),
            trade_date,
            code: check.code,
            strategy: terms.strategy.clone(),
            order: terms.id,
            value: check.value,
            limit: check.limit,
            at,
        });
        fx.events.push(Event::LimitWarned(warning.clone()));
        fx.rows.push(Row::LimitWarning(warning));
    }

    fn observed(&mut self, view: View<'_>, order: &Order) {
        let lived = self.held.contains_key(&order.id());
        self.keep(order);
        if lived && order.status.is_terminal() {
            let counted = Counted::of(order, view.market);
            self.counters.ended(&order.terms, counted.px);
            self.counters.settled(order.updated_at, order, counted);
        }
    }

    /// Keeps what is set aside equal to what the order may still use.
    fn keep(&mut self, order: &Order) {
        if seeded(SeededBug::ReservationLostByRestart) && !self.held.contains_key(&order.id()) {
            return; // approved in an earlier life
        }
        let before = self.held.get(&order.id()).copied().unwrap_or_default();
        let now = Held {
            cash: order.reserved_cash(),
            sell: order.reserved_qty(),
            buy: if order.terms.reduces() { Qty::ZERO } else { order.leaves_qty() },
        };
        self.hold(&order.terms, before, now);
        self.unsent.observe(order);
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
        if let Some(direction) = terms.direction() {
            reserved.closing(terms, direction, now.sell - before.sell);
            return;
        }
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

    fn count_message(&mut self, account: &AccountId, date: TradeDate) {
        match self.messages.get_mut(account) {
            Some((day, count)) if *day == date => *count += 1,
            Some(slot) => *slot = (date, 1),
            None => {
                self.messages.insert(account.clone(), (date, 1));
            }
        }
    }

    /// The messages of the account on the day, as the account counted them before a restart.
    pub fn restore_messages(&mut self, account: &AccountId, date: TradeDate, count: u32) {
        self.messages.insert(account.clone(), (date, count));
    }

    fn remember(&mut self, at: Timestamp, terms: &Arc<OrderTerms>) {
        while self.recent.len() >= RECENT_MAX || self.recent.front().is_some_and(|r| at.since(r.at) > RECENT_SPAN) {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { at, terms: terms.clone() });
    }
}

/// Who it is that holds a strategy, or whatever has lost too much.
pub const HOLDER: &str = "risk";
/// The longest window in which a repeat counts as a duplicate.
const RECENT_SPAN: Span = Span::from_secs(60);
/// A person's repeat comes within a few orders; a flood of orders has its own limits.
const RECENT_MAX: usize = 1_024;
