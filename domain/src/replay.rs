//! The journal told again: folds events, and nothing else, into the state that they must have made.
//!
//! It shares the ledgers' and orders' own tables of transitions but none of the cores' decisions, so that what it says
//! can be held against the stored rows: [`Replay::differences`] is empty when journal and rows agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::sync::Arc;

use crate::denial::{Denial, DenialCode};
use crate::event::{Event, Scope, TradingState};
use crate::execution::ParentStep;
use crate::fx::FxRates;
use crate::ids::{AccountId, ExecId, OrderId, ParentId, SignalId, StrategyId};
use crate::ledger::{BookedAction, DayOver, Ledger, NettedTrade, Trade};
use crate::order::{IllegalTransition, Order, OrderFact, OrderTerms};
use crate::parent::{Parent, Wait, fold, fold_filled, waits_for};
use crate::reconcile::exception::Exception;
use crate::registry;
use crate::risk::{EquityMark, LimitFact, LimitWarning};
use crate::row::{Fill, SignalRow};
use crate::signal::{Signal, SignalStatus, WaitingFor};
use crate::strategy::held::EXIT_FOR;
use crate::strategy::{Held, StrategyConf, StrategyState};
use crate::symbol::Symbol;
use crate::tables::{SetBy, Tables};
use crate::units::{Money, Qty, Timestamp, TradeDate};

/// The journal tells what cannot have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("account {0} was never opened")]
    AccountUnknown(AccountId),
    #[error("account {0} is opened twice")]
    AccountTwice(AccountId),
    #[error("order {0} was never approved")]
    OrderUnknown(OrderId),
    #[error("order {0} is approved twice")]
    OrderTwice(OrderId),
    #[error("signal {0} was never accepted")]
    SignalUnknown(SignalId),
    #[error("signal {0} is planned twice")]
    PlannedTwice(SignalId),
    #[error("order {order}: {illegal}")]
    Illegal { order: OrderId, illegal: IllegalTransition },
    /// Not [`ReplayError::Illegal`]: the fact is possible, but says what was said before.
    #[error("order {0} is told the same fill twice")]
    FillTwice(OrderId),
    #[error("account {0} books {1} of {2} twice")]
    ActionTwice(AccountId, Symbol, TradeDate),
}

/// What one signal asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalState {
    pub signal: Arc<Signal>,
    pub status: SignalStatus,
    pub waiting_for: Option<WaitingFor>,
    pub residual: Qty,
    pub denials: Arc<[Denial]>,
    pub cancel_requested: bool,
    pub held: Option<Held>,
    /// Until when its orders may trade, once one was approved.
    until: Option<Timestamp>,
    /// Until when its row waits or trades, where the journal tells it: the end of a session is not in it.
    row_until: Option<Option<Timestamp>>,
    /// When the last of its legs ended whose orders ended it.
    ended_at: Timestamp,
}

/// One fill as the journal tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldFill {
    /// Its place among all fills, from 1.
    pub no: u64,
    /// Of a broker's fill `at` is the time of the line: its own time is in no fact.
    pub fill: Fill,
    pub netted: bool,
}

/// One thing on which journal and rows differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub what: String,
    pub journal: String,
    pub rows: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the journal makes it {}, the rows say {}", self.what, self.journal, self.rows)
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    pub ledgers: BTreeMap<AccountId, Ledger>,
    /// Live and closed, with the numbers of their fills.
    pub orders: BTreeMap<OrderId, Order>,
    pub denied: BTreeMap<OrderId, (Arc<OrderTerms>, Arc<[Denial]>)>,
    pub denied_at: BTreeMap<OrderId, Timestamp>,
    pub fills: BTreeMap<(OrderId, ExecId), ToldFill>,
    /// Orders and cancels that each account has sent on its trading day. Its row also counts what no fact tells, so it
    /// says no less.
    pub messages_today: BTreeMap<AccountId, u32>,
    pub states: BTreeMap<Scope, TradingState>,
    pub set_by: BTreeMap<Scope, SetBy>,
    pub signals: BTreeMap<SignalId, SignalState>,
    pub parents: BTreeMap<ParentId, Parent>,
    pub strategies: BTreeMap<StrategyId, StrategyState>,
    pub confs: BTreeMap<StrategyId, Arc<StrategyConf>>,
    pub versions: BTreeMap<StrategyId, u32>,
    pub exceptions: BTreeMap<(AccountId, Arc<str>, Timestamp), Arc<Exception>>,
    pub limits: BTreeMap<(Scope, u32), Arc<LimitFact>>,
    pub warnings: BTreeMap<(AccountId, TradeDate, DenialCode), Arc<LimitWarning>>,
    pub marks: BTreeMap<Scope, Arc<EquityMark>>,
    pub fx_rates: FxRates,
    pub registered: BTreeMap<(&'static str, Arc<str>), registry::Fact>,
    pub corporate_actions: BTreeMap<(AccountId, Symbol, TradeDate), Arc<BookedAction>>,
    pub actions_at: BTreeMap<(AccountId, Symbol, TradeDate), Timestamp>,
    pub days: BTreeMap<(AccountId, TradeDate), DayOver>,
}

impl Replay {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event of the journal. `at` is the time of its line.
    ///
    /// # Errors
    /// [`ReplayError`], when the event cannot follow the ones before it.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), ReplayError> {
        match event {
            Event::SignalAccepted(signal) => {
                let state = SignalState {
                    signal: signal.clone(),
                    status: SignalStatus::Accepted,
                    waiting_for: None,
                    residual: Qty::ZERO,
                    denials: Arc::from([]),
                    cancel_requested: false,
                    held: None,
                    until: signal.valid_until,
                    row_until: signal.valid_until.map(Some),
                    ended_at: Timestamp::default(),
                };
                self.signals.insert(signal.id, state);
            }
            Event::StrategyConfigured(conf) => {
                self.confs.insert(conf.id.clone(), conf.clone());
                *self.versions.entry(conf.id.clone()).or_default() += 1;
            }
            Event::StrategyStateSet { strategy, state, .. } => {
                self.strategies.insert(strategy.clone(), *state);
            }
            Event::SignalWaiting { signal, waiting_for, until, .. } => {
                let planned = self.parents.contains_key(&signal.parent(0));
                let state = self.signal(*signal)?;
                match waiting_for {
                    // What it bought is held without an end.
                    WaitingFor::Trigger if planned => state.row_until = Some(None),
                    WaitingFor::Trigger | WaitingFor::Strategy => state.row_until = Some(Some(*until)),
                    // The fact says when it looks again, which may be earlier.
                    _ => {}
                }
                state.status = SignalStatus::Waiting;
                state.waiting_for = Some(*waiting_for);
                if *waiting_for == WaitingFor::Trigger {
                    state.held = Some(Held::since(at));
                }
            }
            Event::TriggerMarked { signal, best, .. } => {
                if let Some(held) = &mut self.signal(*signal)?.held {
                    held.best = Some(*best);
                }
            }
            Event::TriggerFired { signal, condition, .. } => {
                if let Some(held) = &mut self.signal(*signal)?.held {
                    held.fired = Some(*condition);
                }
            }
            Event::ExitPlanned { signal, legs, .. } if legs.is_empty() => self.end_held(*signal),
            Event::ExitPlanned { signal, legs, .. } => {
                let state = self.signal(*signal)?;
                state.status = SignalStatus::Working;
                state.waiting_for = None;
                state.row_until = Some(Some(at.plus(EXIT_FOR)));
                self.parents.extend(legs.iter().map(|leg| (leg.parent, Parent::new(leg.clone()))));
            }
            Event::SignalPlanned { signal, legs, residual, .. } => {
                if self.parents.contains_key(&signal.parent(0)) {
                    return Err(ReplayError::PlannedTwice(*signal));
                }
                let parents: Vec<Parent> = legs.iter().map(|leg| Parent::new(leg.clone())).collect();
                let state = self.signal(*signal)?;
                state.tell(if legs.is_empty() { SignalStatus::Done } else { fold(&parents) }, &parents);
                state.residual = *residual;
                self.parents.extend(parents.into_iter().map(|parent| (parent.leg.parent, parent)));
            }
            Event::SignalDenied { signal, denials, .. } => {
                let state = self.signal(*signal)?;
                state.denials = denials.clone();
                state.end(SignalStatus::Denied);
            }
            Event::SignalExpired { signal, .. } => self.signal(*signal)?.end(SignalStatus::Expired),
            Event::SignalCanceled { signal, .. } => {
                let planned = self.parents.contains_key(&signal.parent(0));
                let state = self.signal(*signal)?;
                state.cancel_requested = true;
                if !planned {
                    state.end(SignalStatus::Canceled);
                } else if state.waiting_for == Some(WaitingFor::Trigger) {
                    self.end_held(*signal);
                }
            }
            Event::LegsWaiting { parents, waiting_for, until, .. } => {
                let wait = Wait { what: *waiting_for, until: *until };
                self.change_parents(parents, |parent| parent.wait(wait));
            }
            Event::LegsConfirmed { parents, who, .. } => {
                self.change_parents(parents, |parent| parent.confirm(who.clone()));
            }
            Event::LegsEnded { parents, status, who, reason, .. } => {
                self.change_parents(parents, |parent| parent.end(*status, who.clone(), reason.clone()));
            }
            Event::LegShadowed { terms, denials, .. } => {
                self.change_parents(&[terms.id.parent()], |parent| parent.shadow(terms.clone(), denials.clone()));
                self.keep_denials(terms.id.signal(), denials);
            }
            Event::LegCompleted { parent, qty, px, order, who, .. } => {
                self.change_parents(&[*parent], |parent| parent.complete(*qty, *px, who.clone(), order.clone()));
            }
            Event::ParentStepped { parent, step: step @ ParentStep::Replaced { order, .. }, .. } => {
                self.replace(at, *parent, step, *order);
            }
            Event::ParentStepped { parent, step, .. } => {
                self.change_parent(at, *parent, |parent| parent.step(at, step))
            }
            Event::TradingStateSet { scope, state, who, reason } => {
                self.states.insert(scope.clone(), *state);
                self.set_by.insert(scope.clone(), SetBy { who: who.clone(), reason: reason.clone(), at });
            }
            Event::LimitsSet(fact) => {
                self.limits.insert((fact.scope.clone(), fact.version), fact.clone());
            }
            Event::LimitWarned(warning) => {
                let key = (warning.account.clone(), warning.trade_date, warning.code);
                self.warnings.insert(key, warning.clone());
            }
            Event::EquityMarked(mark) => {
                self.marks.insert(mark.scope.clone(), mark.clone());
            }
            Event::OrderApproved { terms, approval } => {
                if self.orders.contains_key(&terms.id) {
                    return Err(ReplayError::OrderTwice(terms.id));
                }
                self.orders.insert(terms.id, Order::new(terms.clone(), approval.clone(), at));
                if let Some(signal) = self.signals.get_mut(&terms.id.signal()) {
                    signal.until = Some(terms.valid_until);
                    signal.row_until = Some(signal.until);
                }
                // What waited for cash has it.
                if self.parents.get(&terms.id.parent()).is_some_and(|parent| parent.waits.is_some()) {
                    self.change_parents(&[terms.id.parent()], Parent::release);
                }
            }
            Event::OrderDenied { terms, denials } => {
                self.denied.insert(terms.id, (terms.clone(), denials.clone()));
                self.denied_at.insert(terms.id, at);
                // When risk says no does not say whether the signal's time was out.
                let no_time = Timestamp::default();
                self.change_parent(no_time, terms.id.parent(), |parent| parent.deny(terms.id.attempt()));
                self.keep_denials(terms.id.signal(), denials);
            }
            Event::AccountOpened { account, cash, holdings } => {
                if self.ledgers.contains_key(account) {
                    return Err(ReplayError::AccountTwice(account.clone()));
                }
                let mut ledger = Ledger::new(account.clone());
                ledger.open(at, *cash, holdings);
                self.ledgers.insert(account.clone(), ledger);
            }
            Event::DayStarted { account, trade_date } => {
                if let Some(over) = self.ledger(account)?.start_day(*trade_date).over {
                    self.days.insert((account.clone(), over.date), over);
                }
                self.messages_today.remove(account);
            }
            Event::BooksMarked { account, closing, marks } => {
                self.ledger(account)?.mark(at, marks, *closing);
            }
            Event::CorporateActionBooked { account, booked } => {
                self.ledger(account)?.go_ex(booked);
                let (symbol, ex_date) = (booked.action.symbol, booked.action.ex_date);
                self.actions_at.insert((account.clone(), symbol, ex_date), at);
                if self.corporate_actions.insert((account.clone(), symbol, ex_date), booked.clone()).is_some() {
                    return Err(ReplayError::ActionTwice(account.clone(), symbol, ex_date));
                }
            }
            Event::BooksImported { account, items, .. } => {
                let ledger = self.ledger(account)?;
                items.iter().for_each(|item| drop(ledger.import(at, item)));
            }
            Event::BookTransferred { account, transfer, .. } => {
                self.ledger(account)?.transfer(at, transfer);
            }
            Event::Order { account, order, fact } => self.order_fact(at, account, *order, fact)?,
            Event::ExternalTraded { account, trade } => {
                let book = StrategyId::external();
                let ledger = self.ledger(account)?;
                ledger.fill(at, &book, Trade::from(&**trade));
            }
            Event::Adjusted { account, adjustment, .. } => {
                self.ledger(account)?.adjust(at, adjustment);
            }
            Event::Exception(exception) => {
                let key = (exception.account.clone(), exception.key.clone(), exception.opened_at);
                self.exceptions.insert(key, exception.clone());
            }
            Event::Registered(fact) => {
                let (kind, id) = fact.key();
                self.registered.insert((kind, id.into()), fact.clone());
            }
            Event::FxRateSet { rate, .. } => self.fx_rates.put((**rate).clone()),
            Event::Administered { .. } | Event::RequestRefused { .. } | Event::RequestsRefused { .. } => {}
        }
        Ok(())
    }

    /// A number for the whole state: equal states have equal numbers, in every build of the same source.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        // Writing into a hash cannot fail.
        let _ = write!(hash, "{self:?}");
        hash.0
    }

    /// Whether the signal has ended, with all its orders.
    #[must_use]
    pub fn has_ended(&self, signal: SignalId) -> bool {
        let (first, last) = (signal.parent(0).order(0), signal.parent(u16::MAX).order(u8::MAX));
        self.signals.get(&signal).is_some_and(|state| state.status.is_final())
            && self.orders.range(first..=last).all(|(_, order)| order.status.is_terminal())
    }

    /// Expects no rows of these signals any more, nor of their legs, orders and fills.
    pub fn forget(&mut self, signals: &BTreeSet<SignalId>) {
        self.signals.retain(|id, _| !signals.contains(id));
        self.parents.retain(|id, _| !signals.contains(&id.signal()));
        self.orders.retain(|id, _| !signals.contains(&id.signal()));
        self.denied.retain(|id, _| !signals.contains(&id.signal()));
        self.denied_at.retain(|id, _| !signals.contains(&id.signal()));
        self.fills.retain(|(order, _), _| !signals.contains(&order.signal()));
    }

    /// Where stored rows say something else than the journal.
    #[must_use]
    pub fn differences(&self, rows: &Tables) -> Vec<Difference> {
        let mut found = Vec::new();
        for id in keys(&self.ledgers, &rows.accounts) {
            let (journal, stored) = (self.ledgers.get(id), rows.ledger(id));
            if !journal.zip(stored.as_ref()).is_some_and(|(journal, stored)| journal.agrees_with(stored)) {
                found.push(difference(format!("account {id}"), &journal, &stored));
            }
            let told = self.messages_today.get(id).copied().unwrap_or_default();
            if let Some(row) = rows.accounts.get(id).filter(|row| row.messages_today < told) {
                found.push(difference(format!("messages_today of account {id}"), &told, &row.messages_today));
            }
        }
        for id in keys(&self.orders, &rows.orders) {
            let journal = self.orders.get(id).map(Order::snapshot);
            let stored = rows.orders.get(id).map(|order| order.snapshot());
            compare(&mut found, format!("order {id}"), &journal, &stored);
        }
        for id in keys(&self.denied, &rows.denied) {
            let journal = self.denied.get(id).zip(self.denied_at.get(id));
            compare(
                &mut found,
                format!("denied order {id}"),
                &journal,
                &rows.denied.get(id).zip(rows.denied_at.get(id)),
            );
        }
        for key in keys(&self.fills, &rows.fills) {
            let (told, stored) = (self.fills.get(key), rows.fills.get(key));
            let journal = told.map(|told| match stored {
                Some(stored) if !told.netted => Fill { at: stored.at, ..told.fill.clone() },
                _ => told.fill.clone(),
            });
            compare(&mut found, format!("fill {} of order {}", key.1.0, key.0), &journal.as_ref(), &stored);
        }
        for scope in keys(&self.states, &rows.states) {
            compare(
                &mut found,
                format!("trading state of {scope:?}"),
                &self.states.get(scope).zip(self.set_by.get(scope)),
                &rows.states.get(scope).zip(rows.set_by.get(scope)),
            );
        }
        for (scope, version) in keys(&self.limits, &rows.limits) {
            let key = (scope.clone(), *version);
            let what = format!("limits {version} of {scope:?}");
            compare(&mut found, what, &self.limits.get(&key), &rows.limits.get(&key));
        }
        for key in keys(&self.warnings, &rows.warnings) {
            let what = format!("warning {} of {} on {}", key.2, key.0, key.1);
            compare(&mut found, what, &self.warnings.get(key), &rows.warnings.get(key));
        }
        for scope in keys(&self.marks, &rows.marks) {
            compare(&mut found, format!("worth of {scope:?}"), &self.marks.get(scope), &rows.marks.get(scope));
        }
        for id in keys(&self.parents, &rows.parents) {
            compare(&mut found, format!("parent {id}"), &self.parents.get(id), &rows.parents.get(id));
        }
        for key in keys(&self.exceptions, &rows.exceptions) {
            compare(
                &mut found,
                format!("exception {} of {}", key.1, key.0),
                &self.exceptions.get(key),
                &rows.exceptions.get(key),
            );
        }
        for key in keys(&self.corporate_actions, &rows.corporate_actions) {
            let what = format!("corporate action {} of {} in {}", key.2, key.1, key.0);
            let journal = self.corporate_actions.get(key).zip(self.actions_at.get(key));
            let stored = rows.corporate_actions.get(key).zip(rows.actions_at.get(key));
            compare(&mut found, what, &journal, &stored);
        }
        for key in keys(&self.days, &rows.days) {
            // Days that were over before such rows were kept have none; behind the first one there are no gaps.
            let first = rows.days.keys().find(|(account, _)| *account == key.0);
            if first.is_some_and(|first| first <= key) {
                let what = format!("the day {} of {}", key.1, key.0);
                compare(&mut found, what, &self.days.get(key), &rows.days.get(key));
            }
        }
        for key in keys(&self.registered, &rows.registered) {
            let what = format!("{} {}", key.0, key.1);
            compare(&mut found, what, &self.registered.get(key), &rows.registered.get(key));
        }
        compare(&mut found, "the exchange rates".to_owned(), &Some(&self.fx_rates), &Some(&rows.fx_rates));
        self.strategies_differ(rows, &mut found);
        for (id, state) in &self.signals {
            let stored = rows.signals.get(id);
            // One that nobody has looked at yet has the row of its acceptance, or none where rows are only those of steps.
            if state.status != SignalStatus::Accepted || stored.is_some() {
                let stored = stored.map(says);
                compare(&mut found, format!("signal {id}"), &Some(state.says(stored.as_ref())), &stored);
            }
        }
        found
    }

    fn strategies_differ(&self, rows: &Tables, found: &mut Vec<Difference>) {
        for id in keys(&self.confs, &rows.strategies) {
            let state = self.strategies.get(id).copied().unwrap_or(StrategyState::Active);
            let version = self.versions.get(id).copied().unwrap_or_default();
            let journal = self.confs.get(id).map(|conf| (conf, state, version));
            let stored = rows.strategies.get(id).map(|(conf, state, version)| (conf, *state, *version));
            compare(found, format!("strategy {id}"), &journal, &stored);
        }
    }

    fn order_fact(
        &mut self,
        at: Timestamp,
        account: &AccountId,
        id: OrderId,
        fact: &OrderFact,
    ) -> Result<(), ReplayError> {
        let order = self.orders.get_mut(&id).ok_or(ReplayError::OrderUnknown(id))?;
        let had_ended = order.status.is_terminal();
        match order.apply(at, fact) {
            Ok(true) => {}
            Ok(false) => return Err(ReplayError::FillTwice(id)),
            Err(illegal) => return Err(ReplayError::Illegal { order: id, illegal }),
        }
        let (terms, approval) = (order.terms.clone(), order.approval.clone());
        let order = order.snapshot();
        if matches!(fact, OrderFact::Sending { .. } | OrderFact::CancelSending) {
            *self.messages_today.entry(account.clone()).or_default() += 1;
        }
        self.keep_fill(at, fact, &terms, approval.trade_date);
        if let OrderFact::Filled { qty, px, fee, .. } = fact {
            self.ledger(account)?.fill_of(at, &terms, &approval, (*qty, *px, *fee));
            if had_ended && self.fill_late(&order) {
                return Ok(());
            }
        }
        if let OrderFact::Netted { qty, px, bought_today, .. } = *fact {
            let OrderTerms { symbol, side, .. } = *terms;
            self.ledger(account)?.net(at, &terms.strategy, NettedTrade { symbol, side, qty, px, bought_today });
        }
        self.change_parent(at, id.parent(), |parent| parent.observe(&order));
        Ok(())
    }

    fn keep_fill(&mut self, at: Timestamp, fact: &OrderFact, terms: &OrderTerms, trade_date: TradeDate) {
        let (exec_id, qty, px, fee, netted) = match fact {
            OrderFact::Filled { exec_id, qty, px, fee } => (exec_id, *qty, *px, *fee, false),
            OrderFact::Netted { exec_id, qty, px, .. } => (exec_id, *qty, *px, Money::ZERO, true),
            _ => return,
        };
        let OrderTerms { id: order, account, strategy, symbol, side, .. } = terms.clone();
        let exec_id = exec_id.clone();
        let key = (order, exec_id.clone());
        let fill = Fill { account, trade_date, exec_id, order, strategy, symbol, side, qty, px, fee, at };
        self.fills.insert(key, ToldFill { no: self.fills.len() as u64 + 1, fill, netted });
    }

    /// A fill after the end of its order. False when its signal is not final yet.
    fn fill_late(&mut self, order: &Order) -> bool {
        let id = order.id().signal();
        let Some(signal) = self.signals.get_mut(&id).filter(|signal| signal.status.is_final()) else { return false };
        if let Some(parent) = self.parents.get_mut(&order.parent()) {
            parent.observe(order);
        }
        let parents: Vec<Parent> =
            self.parents.range(id.parent(0)..=id.parent(u16::MAX)).map(|(_, parent)| parent.clone()).collect();
        signal.status = fold_filled(&parents).unwrap_or(signal.status);
        true
    }

    /// Changes legs by a decision that is not an order's.
    fn change_parents(&mut self, ids: &[ParentId], change: impl Fn(&mut Parent)) {
        ids.iter().for_each(|id| self.change_parent(Timestamp::default(), *id, &change));
    }

    fn keep_denials(&mut self, signal: SignalId, denials: &[Denial]) {
        if let Some(signal) = self.signals.get_mut(&signal) {
            let kept = signal.denials.iter().chain(denials).take(crate::strategy::DENIALS_KEPT);
            signal.denials = kept.cloned().collect();
        }
    }

    /// Its legs had ended, and what they bought was held.
    fn end_held(&mut self, id: SignalId) {
        let parents: Vec<Parent> =
            self.parents.range(id.parent(0)..=id.parent(u16::MAX)).map(|(_, parent)| parent.clone()).collect();
        if let Some(signal) = self.signals.get_mut(&id) {
            signal.end(fold(&parents));
        }
    }

    /// Whoever replaced the order may not have heard of its end: then the leg that seemed to have ended goes on.
    fn replace(&mut self, at: Timestamp, id: ParentId, step: &ParentStep, order: OrderId) {
        if let Some(parent) = self.parents.get_mut(&id) {
            parent.step(at, step);
            if let Some(order) = self.orders.get(&order) {
                parent.observe(order);
            }
        }
        if let Some(signal) = self.signals.get_mut(&id.signal()).filter(|signal| signal.status.is_final()) {
            signal.status = SignalStatus::Working;
        }
        self.change_parent(at, id, |_| {});
    }

    /// Changes one leg and folds its signal anew. A signal that is final stays as it is.
    fn change_parent(&mut self, at: Timestamp, id: ParentId, change: impl FnOnce(&mut Parent)) {
        let (first, last) = (id.signal().parent(0), id.signal().parent(u16::MAX));
        let Some(signal) = self.signals.get_mut(&id.signal()).filter(|signal| !signal.status.is_final()) else {
            return;
        };
        let Some(parent) = self.parents.get_mut(&id) else { return };
        let was_final = parent.status.is_final();
        change(parent);
        if parent.status.is_final() && !was_final {
            signal.ended_at = signal.ended_at.max(at);
        }
        // Folding is a walk over all legs, so most changes of a wide signal are told apart first.
        let held = signal.waiting_for == Some(WaitingFor::Trigger);
        if (!parent.status.is_final() && parent.waits.is_none() && parent.status == signal.status) || held {
            return;
        }
        let parents: Vec<Parent> = self.parents.range(first..=last).map(|(_, parent)| parent.clone()).collect();
        let status = match fold(&parents) {
            SignalStatus::Canceled if signal.until.is_some_and(|until| signal.ended_at >= until) => {
                SignalStatus::Expired
            }
            status => status,
        };
        signal.tell(status, &parents);
    }

    fn signal(&mut self, id: SignalId) -> Result<&mut SignalState, ReplayError> {
        self.signals.get_mut(&id).ok_or(ReplayError::SignalUnknown(id))
    }

    fn ledger(&mut self, id: &AccountId) -> Result<&mut Ledger, ReplayError> {
        self.ledgers.get_mut(id).ok_or_else(|| ReplayError::AccountUnknown(id.clone()))
    }
}

/// What the row of a signal says of what became of it.
type Says<'a> = (SignalStatus, Option<WaitingFor>, Option<Timestamp>, Qty, bool, &'a Arc<[Denial]>, Option<Held>);

fn says(row: &SignalRow) -> Says<'_> {
    (row.status, row.waiting_for, row.until, row.residual, row.cancel_requested, &row.denials, row.held)
}

impl SignalState {
    /// The same of the journal; until when, as the row has it where the journal does not tell it.
    fn says(&self, row: Option<&Says<'_>>) -> Says<'_> {
        let until = match self.row_until {
            _ if self.status == SignalStatus::Accepted => None,
            Some(until) => until,
            None => row.and_then(|row| row.2),
        };
        (self.status, self.waiting_for, until, self.residual, self.cancel_requested, &self.denials, self.held)
    }

    fn tell(&mut self, status: SignalStatus, parents: &[Parent]) {
        self.status = status;
        self.waiting_for = waits_for(parents).filter(|_| status == SignalStatus::Waiting);
    }

    fn end(&mut self, status: SignalStatus) {
        self.status = status;
        self.waiting_for = None;
    }
}

/// All keys of both maps, once each, in order.
fn keys<'a, K: Ord, A, B>(a: &'a BTreeMap<K, A>, b: &'a BTreeMap<K, B>) -> impl Iterator<Item = &'a K> {
    a.keys().chain(b.keys().filter(|key| !a.contains_key(key)))
}

fn compare<T: PartialEq + fmt::Debug>(
    found: &mut Vec<Difference>,
    what: String,
    journal: &Option<T>,
    rows: &Option<T>,
) {
    if journal != rows {
        found.push(difference(what, journal, rows));
    }
}

fn difference(what: String, journal: &impl fmt::Debug, rows: &impl fmt::Debug) -> Difference {
    Difference { what, journal: format!("{journal:?}"), rows: format!("{rows:?}") }
}

/// FNV-1a: small, without a dependency, and the same everywhere. It guards against mistakes, not against people.
struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}
