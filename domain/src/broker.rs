//! What an account says to its broker and what it hears, in one vocabulary for all brokers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{BrokerOrderId, ExecId, OrderId};
use crate::order::{OrdStatus, Order, OrderTerms, Side};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Timestamp, TradeDate};

/// What a broker gives for finding an order again whose answer was lost. Higher is better; see the reliability design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Nothing returned, lists unreliable.
    L0,
    /// A contract number in the reply; no tag of ours.
    L1,
    /// Our tag comes back with the order, but is not enforced to be unique.
    L2,
    /// Our id is enforced for a limited time and comes back.
    L3,
    /// Our id is enforced and can be looked up for the whole day.
    L4,
}

/// What an adapter can do. Declared, never guessed; the core reads it instead of asking who the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    pub level: Level,
    /// Orders that may be under way to the broker at the same time.
    pub in_flight_max: usize,
    pub market_orders: bool,
    /// The broker has lists of orders, trades, positions and cash: a [`Snapshot`] can be read.
    pub lists: bool,
}

/// What the account asks of its broker. Leaves only after the fact that announces it is durable.
#[derive(Debug, Clone)]
pub enum BrokerRequest {
    /// `send_no` tells repeats of the same client order id apart in the log.
    Submit {
        terms: Arc<OrderTerms>,
        send_no: u16,
        band: Option<(Price, Price)>,
        /// It subscribes to a new issue.
        subscription: bool,
    },
    Cancel {
        order: OrderId,
        broker_order_id: Option<BrokerOrderId>,
    },
    /// Looks one order up by our id, after its answer was lost.
    Find {
        order: OrderId,
    },
}

impl BrokerRequest {
    #[must_use]
    pub fn order(&self) -> OrderId {
        match self {
            Self::Submit { terms, .. } => terms.id,
            Self::Cancel { order, .. } | Self::Find { order } => *order,
        }
    }
}

/// What the broker says of one order, as an answer or unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerReport {
    pub order: OrderId,
    pub what: Report,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    Accepted {
        broker_order_id: BrokerOrderId,
    },
    /// Definitive: on the adapter's list of refusals after which no order exists.
    Rejected {
        text: Arc<str>,
    },
    Filled {
        exec_id: ExecId,
        qty: Qty,
        px: Price,
        at: Timestamp,
    },
    Canceled {
        text: Arc<str>,
    },
    CancelRejected {
        text: Arc<str>,
    },
    Expired,
    /// No answer, or one that says nothing certain: timeout, dead session, a code that is on no list.
    Lost {
        cause: Arc<str>,
    },
    /// Under our mark, or under the order's number, stands another order than we sent (F18).
    Altered,
    /// The answer to `Find` at a broker that remembers every id of the day: there is no such order.
    NotFound,
}

/// One read of all that a broker lists for an account today. What an adapter could not read is a [`ReadFailed`], never an
/// empty list. Whether the read can be believed is for the core to judge: an adapter reports what it saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The account number as the broker shows it beside its lists, where it shows one.
    pub fund_account: Option<Arc<str>>,
    /// The broker's own date.
    pub trade_date: TradeDate,
    /// Market clock at the first and after the last question.
    pub began: Timestamp,
    pub ended: Timestamp,
    /// Every page of every list was read.
    pub complete: bool,
    pub orders: Vec<ListedOrder>,
    pub trades: Vec<ListedTrade>,
    pub positions: Vec<ListedPosition>,
    /// Absent where the broker does not tell.
    pub cash: Option<ListedCash>,
}

/// One line of the broker's order list of the day (当日委托).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedOrder {
    pub no: BrokerOrderId,
    /// The client's mark that came back with the order, ours or another's: [`OrderId::client_order_id`] as text.
    pub tag: Option<Arc<str>>,
    pub symbol: Symbol,
    pub side: Side,
    pub qty: Qty,
    /// Absent for a market order.
    pub px: Option<Price>,
    pub cum_qty: Qty,
    pub canceled_qty: Qty,
    pub status: ListedStatus,
    pub at: Timestamp,
}

/// What a listed order's status says, as far as the adapter understands the broker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListedStatus {
    Working,
    Filled,
    Canceled,
    Rejected,
    /// A text that is on no list of the adapter. The quantities count.
    Unknown,
}

/// One line of the broker's list of trades of the day (当日成交).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTrade {
    /// The order's number at the broker.
    pub no: BrokerOrderId,
    pub exec_id: ExecId,
    pub symbol: Symbol,
    pub side: Side,
    pub qty: Qty,
    pub px: Price,
    pub at: Timestamp,
}

/// One holding as the broker shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPosition {
    pub symbol: Symbol,
    pub qty: Qty,
    /// What may be sold now: neither bought today (T+1) nor held by a working sell.
    pub sellable: Qty,
}

/// The account's cash as the broker shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedCash {
    pub total: Money,
    /// Not held by working buys.
    pub available: Money,
}

/// Why a read gave nothing. Says nothing about what exists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker's lists could not be read: {0}")]
pub struct ReadFailed(pub Arc<str>);

/// A working order as an adapter needs it when it takes up an account again.
#[must_use]
pub fn is_working(order: &Order) -> bool {
    matches!(order.status, OrdStatus::New | OrdStatus::PartiallyFilled)
}
