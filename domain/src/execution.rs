//! How a parent order is executed: at which price its orders go out, how long they are waited for, and what follows.
//!
//! Everything here is pure. A [`Pursuit`] folds what became of a parent's orders and decides what is next; all that it
//! knows is in the journal, and the time comes in, so that a restart goes on as if there had been none.

mod conditions;
mod hours;
mod named;
mod price;
mod pursuit;
mod split;

pub use conditions::{Condition, Conditions, Traded, Trail};
pub(crate) use hours::CANCELS_END_BEFORE_CLOSE;
pub use hours::Hours;
pub use named::{HeldFor, Misnamed, Named, NamedFor};
pub use price::{PriceForm, Seen};
pub(crate) use pursuit::BEFORE_LAST;
pub use pursuit::{Child, Decision, Fate, Goal, Now, Piece, Pursuit, Quoted, Refusal};
pub use split::pieces;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::OrderId;
use crate::units::{Price, Qty, Span, Timestamp, TradeDate};

/// What a signal says about its execution. A signal without one is tried once, at its own price.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    #[serde(default, skip_serializing_if = "Policy::is_once")]
    pub policy: Policy,
    /// Absent: the signal's own limit price, or the market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceForm>,
    /// Orders may take part in the opening auction, which is off unless asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opening_auction: bool,
    /// Good till date: what expires with its day is placed anew on the next, until the signal's time is out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renew: bool,
    /// Nothing is planned before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Nothing is planned before one of them comes true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    /// What was bought is sold when one of them comes true, and lots that were opened are closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exits: Option<Conditions>,
}

impl Execution {
    /// Whether the signal, or what it buys, is held for a price or a time.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.not_before.is_some() || self.conditions.is_some() || self.exits.is_some()
    }
}

/// What is done for a parent beyond its first order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Policy {
    #[default]
    Once,
    /// A buy is tried, waited for and taken back, so often; then it is given up.
    BuyThenGiveUp { wait: Span, attempts: u8 },
    /// A sell, or a way out, is priced anew until it is out, within the day's attempts; then a person is asked and the order stays.
    SellUntilDone {
        reprice_every: Span,
        /// A person is told when it takes so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escalate_after: Option<Span>,
        /// From then on at the market.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        market_after: Option<Span>,
    },
    /// Priced anew so often at the most; then the order stays.
    Reprice { every: Span, max: u8 },
    /// Equal parts over so much trading time.
    Twap { duration: Span, slices: u16 },
    /// Never more than so much is shown.
    Iceberg { display: Qty },
}

impl Policy {
    #[must_use]
    pub const fn is_once(&self) -> bool {
        matches!(self, Self::Once)
    }

    /// Whether an order that finds no fresh quote is put off for as long as there is none: the orders after it make it
    /// good, and nobody is waiting for the one.
    #[must_use]
    pub const fn puts_off(&self) -> bool {
        matches!(self, Self::Twap { .. } | Self::Iceberg { .. } | Self::Reprice { .. })
    }
}

/// One decision about a parent, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParentStep {
    /// An order of it is taken back, so that another one can follow or none.
    Withdrawn { order: OrderId, why: Why },
    /// A person is asked; what works stays.
    Asked { why: Why, trade_date: TradeDate },
    /// A person wants so much in all, at this limit. What works is taken back, and what is left follows it.
    Replaced { order: OrderId, qty: Qty, limit_price: Price, who: Arc<str> },
    /// Nothing more is placed for it.
    Ended { ending: Ending },
}

/// Why an order is taken back, or a person asked.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Why {
    /// Another price is due.
    Repriced,
    /// A person wants another price or quantity.
    Replaced,
    /// It was waited for long enough.
    Waited,
    /// The signal's time is out.
    TimeOut,
    /// The signal is canceled, and the exchange took no cancels then.
    Canceled,
    /// The day's attempts are used.
    AttemptsUsed,
    /// It takes longer than it should.
    TakesLong,
}

/// How a parent ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Ending {
    Filled,
    /// Its policy gave up.
    GaveUp,
    /// Somebody else ended its order: a person, or the broker.
    Canceled,
    /// The broker refused it, or it was proved never to have been there.
    Failed,
    /// Its time, or the day of its order, was out.
    Expired,
    /// Risk refused it.
    Denied,
    /// What is left makes no order.
    Residual,
}
