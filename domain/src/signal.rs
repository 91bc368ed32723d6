//! What a strategy wants: one signal, as it was made durable before anybody was told that it was accepted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, china_date_time};
use crate::contract::Effect;
use crate::execution::Execution;
use crate::ids::{AccountId, ClientId, ParentId, SignalId, StrategyId};
use crate::order::{OrdType, Side, TimeInForce};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Ratio, Timestamp};

/// One accepted signal. Its terms never change; what became of it is told by its parents and orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    pub id: SignalId,
    pub source: Source,
    pub strategy: StrategyId,
    /// Set for a manual order: it goes to this account and to no route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Who sent it, and the key that makes a repeat safe.
    pub client: ClientId,
    pub client_signal_id: Arc<str>,
    pub symbol: Symbol,
    /// Absent for targets, which find their side themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Of contracts. Absent: what the strategy's own book holds on the other side is closed, the rest opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_effect: Option<Effect>,
    pub size: Size,
    pub ord_type: OrdType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_price: Option<Price>,
    #[serde(default)]
    pub time_in_force: TimeInForce,
    /// Past this instant of the market clock the signal never trades. Absent: the end of the next session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// How it is executed, where that is more than one order at its own price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Arc<Execution>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Arc<str>>,
    /// On the market clock.
    pub received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Notes::is_blank")]
    pub notes: Notes,
}

/// What a signal says beside what it wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// It tries something out: no account with real money takes it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// When its sender decided, on the market clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_time: Option<Timestamp>,
    /// When the bar began upon which its sender decided, on the market clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bar_time: Option<Timestamp>,
    /// The price that its sender decided with: what it paid beyond that is its slippage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ref_price: Option<Price>,
    /// It is planned only where its strategy holds nothing of the symbol, and nothing is about to open any.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only_if_flat: bool,
    /// Of what is planned at the same time, the higher one comes first.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: i16,
    /// Signals of a strategy with the same basket are planned together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basket: Option<Arc<str>>,
    /// A person wants a failed leg again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
}

/// The leg that a signal catches up, and who wanted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUp {
    pub of: ParentId,
    pub who: Arc<str>,
}

impl Notes {
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }
}

fn is_zero(priority: &i16) -> bool {
    *priority == 0
}

impl Signal {
    /// Whether it is a test: it says so, or its time is of another trading day than the one on which it came, as those of
    /// a back-test are.
    #[must_use]
    pub fn is_test(&self, calendar: &Calendar) -> bool {
        self.notes.test
            || self.notes.signal_time.is_some_and(|time| {
                let same_date = china_date_time(time).0 == china_date_time(self.received_at).0;
                let day = |at| calendar.trade_date(at);
                !same_date && day(time) != day(self.received_at)
            })
    }
}

/// Who is behind an order.
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
pub enum Source {
    Signal,
    Manual,
    /// A monitor of a position.
    Monitor,
}

/// How much: an order, or the position that the strategy's own book shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    Quantity(Qty),
    TargetQuantity(Qty),
    /// Shares for so much money, fees not counted.
    Amount(Money),
    /// A buy: of the route's capital base. A sell: of what the strategy's own book holds.
    Percent(Ratio),
    /// Sells everything that may be sold.
    All,
    /// Buys for all the cash of the account that no live order has set aside, fees counted.
    AllIn,
    /// Of the route's capital base.
    TargetWeight(Ratio),
    TargetAmount(Money),
}

impl Size {
    /// Whether it says what shall be held, and so finds its side itself.
    #[must_use]
    pub const fn is_target(self) -> bool {
        matches!(self, Self::TargetQuantity(_) | Self::TargetWeight(_) | Self::TargetAmount(_))
    }
}

/// What became of a signal: the fold of its parents.
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
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SignalStatus {
    /// Durable, not yet looked at.
    Accepted,
    /// Kept until something happens; `waiting_for` says what.
    Waiting,
    /// At least one order may still trade.
    Working,
    /// Everything that was asked for was filled (or there was nothing to do).
    Done,
    /// Ended with less than was asked for, but not with nothing.
    PartiallyDone,
    /// Risk refused all of it.
    Denied,
    /// Its time ran out before anything was filled.
    Expired,
    /// The answer to at least one order is lost and not yet found.
    InDoubt,
    /// Ended by a cancel, or by the broker, with nothing filled.
    Canceled,
}

impl SignalStatus {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::PartiallyDone | Self::Denied | Self::Expired | Self::Canceled)
    }
}

/// What a waiting signal waits for.
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
pub enum WaitingFor {
    /// The next trading session of the instrument.
    Session,
    /// A person who starts the paused strategy again.
    Strategy,
    /// A person who confirms its legs.
    Confirmation,
    /// A person who trades it by hand and completes it.
    Hand,
    /// What the strategy's live sells in the account bring in.
    Cash,
    /// The other signals of its basket.
    Basket,
    /// A condition of its own: a stop, a trail, a profit to take.
    Trigger,
    /// The time before which it shall not trade.
    Time,
    /// A fresh quote of its instrument.
    Quote,
}
