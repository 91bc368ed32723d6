//! What the cores show to the store: the newest state of the things that people ask for.
//!
//! A core hands out a row with every step that changed the thing, together with the step's events; the store keeps the
//! newest row per key in the same transaction. Each row has one owner, and a restart rebuilds the owner from its rows.

use std::sync::Arc;

use crate::denial::Denial;
use crate::event::{Scope, TradingState};
use crate::ids::StrategyId;
use crate::ids::{AccountId, ExecId, OrderId, SignalId};
use crate::ledger::{Book, BookedAction, ContractBook, DayOver, Flows, Loan};
use crate::order::{Order, OrderTerms, Side};
use crate::parent::Parent;
use crate::reconcile::exception::Exception;
use crate::registry;
use crate::risk::{EquityMark, LimitFact, LimitWarning};
use crate::signal::{SignalStatus, WaitingFor};
use crate::strategy::{Held, StrategyConf, StrategyState};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Timestamp, TradeDate};

/// What is large is boxed: a step's rows grow in a list, which stays below what the allocator is slow with.
#[derive(Debug, Clone)]
pub enum Row {
    Signal(SignalRow),
    Parent {
        parent: Box<Parent>,
        strategy: StrategyId,
        symbol: Symbol,
    },
    Order(Arc<Order>),
    /// An order that risk refused: it has no life of its own.
    DeniedOrder {
        terms: Arc<OrderTerms>,
        denials: Arc<[Denial]>,
        at: Timestamp,
    },
    Fill(Fill),
    Account(Box<AccountRow>),
    Book {
        account: AccountId,
        book: Box<Book>,
    },
    Contract {
        account: AccountId,
        book: Box<ContractBook>,
    },
    /// One for each account, symbol and ex-date, never changed: a second one is refused.
    CorporateAction {
        account: AccountId,
        booked: Arc<BookedAction>,
        at: Timestamp,
    },
    /// One for each account and trading day that is over, never changed.
    AccountDay {
        account: AccountId,
        over: Box<DayOver>,
    },
    Exception(Arc<Exception>),
    Strategy {
        conf: Arc<StrategyConf>,
        state: StrategyState,
        version: u32,
    },
    TradingState {
        scope: Scope,
        state: TradingState,
        who: Arc<str>,
        reason: Arc<str>,
        at: Timestamp,
    },
    /// One version of the limits of a scope. All of them are kept.
    Limits(Arc<LimitFact>),
    LimitWarning(Arc<LimitWarning>),
    /// The newest of each scope.
    EquityMark(Arc<EquityMark>),
    Registered(registry::Fact),
}

/// What became of a signal so far.
#[derive(Debug, Clone)]
pub struct SignalRow {
    pub id: SignalId,
    pub status: SignalStatus,
    pub waiting_for: Option<WaitingFor>,
    /// Until when it waits or may trade; kept so that a restart waits no longer.
    pub until: Option<Timestamp>,
    pub residual: Qty,
    pub denials: Arc<[Denial]>,
    pub cancel_requested: bool,
    /// Of a signal that waited for a condition.
    pub held: Option<Held>,
    pub updated_at: Timestamp,
}

/// One fill (成交). Unique by order and `exec_id`: some brokers use a fill's number again for another order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    pub account: AccountId,
    pub trade_date: TradeDate,
    pub exec_id: ExecId,
    pub order: OrderId,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub side: Side,
    pub qty: Qty,
    pub px: Price,
    pub fee: Money,
    pub at: Timestamp,
}

/// An account's cash and counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    pub account: AccountId,
    pub cash: Money,
    /// What it was worth at the last close, where that is known.
    pub prev_equity: Option<Money>,
    /// What is lent and not due yet.
    pub loans: Vec<Loan>,
    /// What moved its cash on the trade date; nothing in a row that is older than this.
    pub flows: Option<Flows>,
    pub trade_date: Option<TradeDate>,
    /// Messages to the broker on the trade date: orders and cancels.
    pub messages_today: u32,
    pub updated_at: Timestamp,
}
