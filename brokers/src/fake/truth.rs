//! What really happened at the fake broker: the lines of its ledger, from which it is built again.

use serde::{Deserialize, Serialize};
use signalbox_domain::broker::Level;
use signalbox_domain::order::{OrdType, Side};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Timestamp};

use super::fault::{Arm, Fault};
use super::wire::{FillPolicy, List, Shape, SubmitRequest};

/// One line of the ledger. Everything that the broker knows is the sum of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Truth {
    Opened {
        account: String,
        level: Level,
        cash: Money,
        holdings: Vec<(Symbol, Qty)>,
    },
    Connected {
        at: Timestamp,
        account: String,
    },
    /// A submit as it came, whatever becomes of it. `n` counts them from 1.
    Received {
        n: u64,
        request: SubmitRequest,
    },
    /// It becomes an order at `due` at the latest; a ghost also when the client connects again.
    Waiting {
        n: u64,
        due: Timestamp,
        ghost: bool,
    },
    Refused {
        n: u64,
        at: Timestamp,
        code: String,
    },
    /// The client was told of a success, and there is no order.
    Nothing {
        n: u64,
        at: Timestamp,
    },
    Made {
        n: u64,
        at: Timestamp,
        order: MadeOrder,
    },
    Filled {
        at: Timestamp,
        account: String,
        fill: MadeFill,
        said: Said,
    },
    Busted {
        at: Timestamp,
        account: String,
        no: u64,
        exec: String,
    },
    CancelReceived {
        at: Timestamp,
        account: String,
        no: String,
    },
    Canceled {
        at: Timestamp,
        account: String,
        no: u64,
    },
    Junked {
        at: Timestamp,
        account: String,
        no: u64,
    },
    /// A list that left for a client, with what was wrong with it.
    Served {
        at: Timestamp,
        account: String,
        list: List,
        rows: usize,
        fault: Option<Fault>,
    },
    Armed {
        arm: Arm,
    },
    Disarmed,
    /// A fault struck.
    Struck {
        at: Timestamp,
        account: String,
        fault: Fault,
    },
    /// Nothing of the account moves before `until`.
    Hangs {
        account: String,
        until: Timestamp,
    },
    SessionOver {
        account: String,
    },
    Fills {
        account: Option<String>,
        policy: FillPolicy,
    },
    Price {
        symbol: Symbol,
        px: Price,
    },
    /// The trading day is over: what works ends, and the next day's lists and ids begin empty.
    Night {
        at: Timestamp,
    },
}

/// An order as the broker made it, which may not be what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeOrder {
    /// Unique at this broker.
    pub no: u64,
    pub account: String,
    pub tag: Option<String>,
    /// The client's id, for whoever reads the ledger; empty when a person made the order.
    pub hidden: String,
    pub symbol: Symbol,
    pub side: Side,
    pub ord_type: OrdType,
    pub px: Option<Price>,
    pub qty: Qty,
    /// What will fill by itself, and when.
    pub plan: Vec<(Timestamp, Qty)>,
    /// It turns out to be junk then.
    pub junk_at: Option<Timestamp>,
    /// How the acknowledgement is told unasked.
    pub said: Said,
}

impl MadeOrder {
    #[must_use]
    pub const fn shape(&self) -> Shape {
        Shape { symbol: self.symbol, side: self.side, qty: self.qty, px: self.px }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFill {
    pub no: u64,
    pub exec: String,
    pub qty: Qty,
    pub px: Price,
    /// What the broker takes for it.
    #[serde(default)]
    pub fee: Money,
    /// Taken back then.
    pub bust_at: Option<Timestamp>,
}

/// How something is told to the client unasked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    #[default]
    Once,
    Twice,
    /// After whatever is told next of this account.
    AfterTheNext,
    /// With the price 0.
    WithoutPrice,
}
