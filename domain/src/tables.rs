//! The newest rows in memory: what a store would hold, for backtests, simulations and proofs.
//!
//! [`Tables::put`] takes the rows of each step in order; the rest reads back what a restart builds its cores from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::account::OrdersRest;
use crate::contract::Direction;
use crate::denial::{Denial, DenialCode};
use crate::event::{Scope, TradingState};
use crate::fx::FxRates;
use crate::ids::{AccountId, ExecId, OrderId, ParentId, SignalId, StrategyId};
use crate::ledger::{Book, BookedAction, ContractBook, DayOver, Ledger};
use crate::order::{Order, OrderTerms};
use crate::parent::Parent;
use crate::reconcile::exception::Exception;
use crate::registry;
use crate::risk::{EquityMark, LimitFact, LimitWarning};
use crate::row::{AccountRow, Fill, Row, SignalRow};
use crate::signal::Signal;
use crate::strategy::{StrategyConf, StrategyState, Unfinished};
use crate::symbol::Symbol;
use crate::units::{Timestamp, TradeDate};
use crate::view::TradingStates;

/// The same fill was booked twice: a store's unique index would refuse it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the fill {exec_id} of order {order} is there already")]
pub struct FillTwice {
    pub order: OrderId,
    pub exec_id: ExecId,
}

/// Who set something, why and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetBy {
    pub who: Arc<str>,
    pub reason: Arc<str>,
    pub at: Timestamp,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    pub signals: BTreeMap<SignalId, SignalRow>,
    pub parents: BTreeMap<ParentId, Parent>,
    pub orders: BTreeMap<OrderId, Arc<Order>>,
    pub denied: BTreeMap<OrderId, (Arc<OrderTerms>, Arc<[Denial]>)>,
    pub denied_at: BTreeMap<OrderId, Timestamp>,
    pub fills: BTreeMap<(OrderId, ExecId), Fill>,
    pub accounts: BTreeMap<AccountId, AccountRow>,
    pub books: BTreeMap<(AccountId, Symbol, StrategyId), Book>,
    pub contracts: BTreeMap<(AccountId, Symbol, StrategyId, Direction), ContractBook>,
    pub corporate_actions: BTreeMap<(AccountId, Symbol, TradeDate), Arc<BookedAction>>,
    pub actions_at: BTreeMap<(AccountId, Symbol, TradeDate), Timestamp>,
    pub days: BTreeMap<(AccountId, TradeDate), DayOver>,
    pub strategies: BTreeMap<StrategyId, (Arc<StrategyConf>, StrategyState, u32)>,
    pub states: BTreeMap<Scope, TradingState>,
    pub set_by: BTreeMap<Scope, SetBy>,
    pub exceptions: BTreeMap<(AccountId, Arc<str>, Timestamp), Arc<Exception>>,
    pub limits: BTreeMap<(Scope, u32), Arc<LimitFact>>,
    pub warnings: BTreeMap<(AccountId, TradeDate, DenialCode), Arc<LimitWarning>>,
    pub marks: BTreeMap<Scope, Arc<EquityMark>>,
    pub fx_rates: FxRates,
    pub registered: BTreeMap<(&'static str, Arc<str>), registry::Fact>,
    fills_of: BTreeMap<OrderId, Vec<ExecId>>,
}

impl Tables {
    /// # Errors
    /// [`FillTwice`]; nothing is changed then.
    pub fn put(&mut self, row: Row) -> Result<(), FillTwice> {
        match row {
            Row::Signal(row) => {
                self.signals.insert(row.id, row);
            }
            Row::Parent { parent, .. } => {
                self.parents.insert(parent.leg.parent, *parent);
            }
            Row::Order(order) => {
                self.orders.insert(order.id(), order);
            }
            Row::DeniedOrder { terms, denials, at } => {
                self.denied_at.insert(terms.id, at);
                self.denied.insert(terms.id, (terms, denials));
            }
            Row::Fill(fill) => {
                let key = (fill.order, fill.exec_id.clone());
                if self.fills.contains_key(&key) {
                    let (order, exec_id) = key;
                    return Err(FillTwice { order, exec_id });
                }
                self.fills_of.entry(fill.order).or_default().push(fill.exec_id.clone());
                self.fills.insert(key, fill);
            }
            Row::Account(row) => {
                self.accounts.insert(row.account.clone(), *row);
            }
            Row::Book { account, book } => {
                self.books.insert((account, book.symbol, book.strategy.clone()), *book);
            }
            Row::Contract { account, book } => {
                self.contracts.insert((account, book.symbol, book.strategy.clone(), book.direction), *book);
            }
            Row::CorporateAction { account, booked, at } => {
                let key = (account, booked.action.symbol, booked.action.ex_date);
                self.actions_at.insert(key.clone(), at);
                self.corporate_actions.insert(key, booked);
            }
            Row::AccountDay { account, over } => {
                self.days.insert((account, over.date), *over);
            }
            Row::Exception(row) => {
                self.exceptions.insert((row.account.clone(), row.key.clone(), row.opened_at), row);
            }
            Row::Strategy { conf, state, version } => {
                self.strategies.insert(conf.id.clone(), (conf, state, version));
            }
            Row::TradingState { scope, state, who, reason, at } => {
                self.set_by.insert(scope.clone(), SetBy { who, reason, at });
                self.states.insert(scope, state);
            }
            Row::Limits(fact) => {
                self.limits.insert((fact.scope.clone(), fact.version), fact);
            }
            Row::LimitWarning(row) => {
                self.warnings.insert((row.account.clone(), row.trade_date, row.code), row);
            }
            Row::EquityMark(mark) => {
                self.marks.insert(mark.scope.clone(), mark);
            }
            Row::Registered(fact) => {
                let (kind, id) = fact.key();
                self.registered.insert((kind, id.into()), fact);
            }
        }
        Ok(())
    }

    /// The ledger of an account that was opened.
    #[must_use]
    pub fn ledger(&self, account: &AccountId) -> Option<Ledger> {
        let row = self.accounts.get(account)?;
        let books = self.books.iter().filter(|((of, ..), _)| of == account).map(|(_, book)| book.clone()).collect();
        let contracts =
            self.contracts.iter().filter(|((of, ..), _)| of == account).map(|(_, book)| book.clone()).collect();
        let ledger = Ledger::restore(account.clone(), row.cash, row.trade_date, row.prev_equity, books);
        Some(ledger.with_contracts(contracts).with_loans(row.loans.clone()).with_flows(row.flows))
    }

    /// The account's orders that may still trade, and those that ended on its last two trading days.
    #[must_use]
    pub fn orders_rest(&self, account: &AccountId) -> OrdersRest {
        let today = self.accounts.get(account).and_then(|row| row.trade_date);
        let own = || self.orders.values().filter(|o| o.terms.account == *account);
        let before = own().map(|o| Some(o.approval.trade_date)).filter(|date| *date < today).max().flatten();
        let mut rest = OrdersRest::default();
        for order in own() {
            let exec_ids = self.fills_of.get(&order.id()).cloned().unwrap_or_default();
            let order = Order { exec_ids, ..order.snapshot() };
            if !order.status.is_terminal() {
                rest.live.push(order);
            } else if order.send_no > 0 && Some(order.approval.trade_date) >= before {
                rest.ended.push(order);
            }
        }
        let exceptions = self.exceptions.values().filter(|e| e.account == *account && e.outlives_its_life());
        rest.exceptions = exceptions.map(|e| (**e).clone()).collect();
        let booked = self.corporate_actions.iter().filter(|((of, ..), _)| of == account);
        rest.booked = booked.map(|(_, booked)| booked.clone()).collect();
        rest
    }

    /// The limits of each scope as they were set last.
    pub fn newest_limits(&self) -> impl Iterator<Item = Arc<LimitFact>> {
        let newest: BTreeMap<&Scope, &Arc<LimitFact>> =
            self.limits.iter().map(|((scope, _), fact)| (scope, fact)).collect();
        newest.into_values().cloned().collect::<Vec<_>>().into_iter()
    }

    #[must_use]
    pub fn trading_states(&self) -> TradingStates {
        let mut states = TradingStates::default();
        for (scope, state) in &self.states {
            states.set(scope, *state);
        }
        states
    }

    /// What was begun and is not final of the given signals, and the final ones whose orders have filled since. Those
    /// without a row were never looked at.
    pub fn unfinished<'a>(&self, signals: impl Iterator<Item = &'a Arc<Signal>>) -> Vec<Unfinished> {
        let begun = signals.filter_map(|signal| Some((signal, self.signals.get(&signal.id)?)));
        begun
            .filter(|(signal, row)| !row.status.is_final() || self.filled_late(signal.id))
            .map(|(signal, row)| {
                let (first, last) = (signal.id.parent(0), signal.id.parent(u16::MAX));
                let (first_order, last_order) = (first.order(0), last.order(u8::MAX));
                Unfinished {
                    signal: signal.clone(),
                    row: row.clone(),
                    parents: self.parents.range(first..=last).map(|(_, parent)| parent.clone()).collect(),
                    orders: self.orders.range(first_order..=last_order).map(|(_, order)| order.clone()).collect(),
                    denied: self.denied.range(first_order..=last_order).map(|(_, denied)| denied.clone()).collect(),
                }
            })
            .collect()
    }

    /// Whether an order of the signal has more fills than its leg says.
    #[must_use]
    pub fn filled_late(&self, signal: SignalId) -> bool {
        let (first, last) = (signal.parent(0).order(0), signal.parent(u16::MAX).order(u8::MAX));
        let behind = |order: &Order| self.parents.get(&order.parent()).is_some_and(|p| p.is_behind(order));
        self.orders.range(first..=last).any(|(_, order)| order.status.is_terminal() && behind(order))
    }
}
