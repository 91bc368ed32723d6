//! What one transaction writes: the journal lines in their order, and of each row the newest only.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use signalbox_domain::contract::Direction;
use signalbox_domain::denial::Denial;
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::{AccountId, OrderId, ParentId, SignalId, StrategyId};
use signalbox_domain::ledger::{Book, BookedAction, ContractBook, DayOver};
use signalbox_domain::order::{Order, OrderTerms};
use signalbox_domain::parent::Parent;
use signalbox_domain::reconcile::exception::Exception;
use signalbox_domain::registry::Fact;
use signalbox_domain::risk::{EquityMark, LimitFact, LimitWarning};
use signalbox_domain::row::{AccountRow, Fill, Row, SignalRow};
use signalbox_domain::signal::Signal;
use signalbox_domain::strategy::{StrategyConf, StrategyState};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::Timestamp;

/// One durable fact as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalLine {
    pub seq: u64,
    pub at: Timestamp,
    pub actor: Arc<str>,
    pub cause: Cow<'static, str>,
    pub kind: Cow<'static, str>,
    pub account: Option<AccountId>,
    pub strategy: Option<StrategyId>,
    pub signal: Option<SignalId>,
    pub order: Option<OrderId>,
    /// JSON of the event.
    pub payload: Arc<str>,
    pub hash: [u8; 32],
}

/// A signal that comes in with this transaction.
#[derive(Debug)]
pub(super) struct SignalInsert {
    pub(super) signal: Arc<Signal>,
    pub(super) body_hash: [u8; 32],
    pub(super) payload: String,
}

#[derive(Debug)]
pub(super) struct ParentRow {
    pub(super) parent: Parent,
    pub(super) strategy: StrategyId,
    pub(super) symbol: Symbol,
}

#[derive(Debug)]
pub(super) enum OrderRow {
    Live(Arc<Order>),
    Denied { terms: Arc<OrderTerms>, denials: Arc<[Denial]>, at: Timestamp },
}

#[derive(Debug)]
pub(super) struct StrategyRow {
    pub(super) conf: Arc<StrategyConf>,
    pub(super) state: StrategyState,
    pub(super) version: u32,
}

#[derive(Debug)]
pub(super) struct TradingStateRow {
    pub(super) scope: Scope,
    pub(super) state: TradingState,
    pub(super) who: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) at: Timestamp,
}

/// Rows by key. A later row takes the place of an earlier one.
#[derive(Debug)]
pub(super) struct Newest<K, R> {
    places: HashMap<K, usize>,
    rows: Vec<R>,
}

impl<K, R> Default for Newest<K, R> {
    fn default() -> Self {
        Self { places: HashMap::new(), rows: Vec::new() }
    }
}

impl<K: Hash + Eq, R> Newest<K, R> {
    fn put(&mut self, key: K, row: R) {
        let rows = &mut self.rows;
        let place = *self.places.entry(key).or_insert(rows.len());
        match rows.get_mut(place) {
            Some(old) => *old = row,
            None => rows.push(row),
        }
    }

    fn clear(&mut self) {
        self.places.clear();
        self.rows.clear();
    }

    pub(super) fn rows(&self) -> &[R] {
        &self.rows
    }
}

#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) lines: Vec<JournalLine>,
    pub(super) signals: Vec<SignalInsert>,
    pub(super) signal_rows: Newest<SignalId, SignalRow>,
    pub(super) parents: Newest<ParentId, ParentRow>,
    pub(super) orders: Newest<OrderId, OrderRow>,
    /// Never coalesced: a fill that comes twice has been booked twice, and the unique index must see it.
    pub(super) fills: Vec<(u64, Fill)>,
    pub(super) accounts: Newest<AccountId, AccountRow>,
    pub(super) books: Newest<(AccountId, Symbol, StrategyId), (AccountId, Book)>,
    pub(super) contracts: Newest<(AccountId, Symbol, StrategyId, Direction), (AccountId, ContractBook)>,
    /// Never coalesced either.
    pub(super) corporate_actions: Vec<(AccountId, Arc<BookedAction>, Timestamp)>,
    pub(super) account_days: Vec<(AccountId, DayOver)>,
    pub(super) exceptions: Newest<(AccountId, Arc<str>, Timestamp), Arc<Exception>>,
    pub(super) strategies: Newest<StrategyId, StrategyRow>,
    pub(super) trading_states: Newest<Scope, TradingStateRow>,
    pub(super) limits: Vec<Arc<LimitFact>>,
    pub(super) warnings: Vec<Arc<LimitWarning>>,
    pub(super) marks: Newest<Scope, Arc<EquityMark>>,
    pub(super) registered: Newest<(&'static str, Arc<str>), Fact>,
}

impl Batch {
    pub(super) fn put(&mut self, row: Row, next_fill: &mut u64) {
        match row {
            Row::Signal(row) => self.signal_rows.put(row.id, row),
            Row::Parent { parent, strategy, symbol } => {
                self.parents.put(parent.leg.parent, ParentRow { parent: *parent, strategy, symbol });
            }
            Row::Order(order) => self.orders.put(order.id(), OrderRow::Live(order)),
            Row::DeniedOrder { terms, denials, at } => {
                self.orders.put(terms.id, OrderRow::Denied { terms, denials, at });
            }
            Row::Fill(fill) => {
                self.fills.push((*next_fill, fill));
                *next_fill += 1;
            }
            Row::Account(row) => self.accounts.put(row.account.clone(), *row),
            Row::Book { account, book } => {
                self.books.put((account.clone(), book.symbol, book.strategy.clone()), (account, *book));
            }
            Row::Contract { account, book } => {
                let key = (account.clone(), book.symbol, book.strategy.clone(), book.direction);
                self.contracts.put(key, (account, *book));
            }
            Row::CorporateAction { account, booked, at } => self.corporate_actions.push((account, booked, at)),
            Row::AccountDay { account, over } => self.account_days.push((account, *over)),
            Row::Exception(row) => self.exceptions.put((row.account.clone(), row.key.clone(), row.opened_at), row),
            Row::Strategy { conf, state, version } => {
                self.strategies.put(conf.id.clone(), StrategyRow { conf, state, version });
            }
            Row::TradingState { scope, state, who, reason, at } => {
                self.trading_states.put(scope.clone(), TradingStateRow { scope, state, who, reason, at });
            }
            Row::Limits(fact) => self.limits.push(fact),
            Row::LimitWarning(row) => self.warnings.push(row),
            Row::EquityMark(mark) => self.marks.put(mark.scope.clone(), mark),
            Row::Registered(fact) => {
                let (kind, id) = fact.key();
                self.registered.put((kind, id.into()), fact);
            }
        }
    }

    /// Empties everything but keeps the room.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.signals.clear();
        self.signal_rows.clear();
        self.parents.clear();
        self.orders.clear();
        self.fills.clear();
        self.accounts.clear();
        self.books.clear();
        self.contracts.clear();
        self.corporate_actions.clear();
        self.account_days.clear();
        self.exceptions.clear();
        self.strategies.clear();
        self.trading_states.clear();
        self.limits.clear();
        self.warnings.clear();
        self.marks.clear();
        self.registered.clear();
    }
}
