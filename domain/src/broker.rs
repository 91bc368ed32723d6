//! What an account says to its broker and what it hears, in one vocabulary for all brokers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{BrokerOrderId, ExecId, OrderId};
use crate::order::{OrdStatus, Order, OrderTerms};
use crate::units::{Price, Qty, Timestamp};

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
}

/// What the account asks of its broker. Leaves only after the fact that announces it is durable.
#[derive(Debug, Clone)]
pub enum BrokerRequest {
    /// `send_no` tells repeats of the same client order id apart in the log.
    Submit {
        terms: Arc<OrderTerms>,
        send_no: u16,
        band: Option<(Price, Price)>,
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
    /// The answer to `Find` at a broker that remembers every id of the day: there is no such order.
    NotFound,
}

/// A working order as an adapter needs it when it takes up an account again.
#[must_use]
pub fn is_working(order: &Order) -> bool {
    matches!(order.status, OrdStatus::New | OrdStatus::PartiallyFilled)
}
