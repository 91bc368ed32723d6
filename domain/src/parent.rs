//! Parent orders: one leg of a signal in one account, and the fold of its child orders.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::Effect;
use crate::denial::Denial;
use crate::ids::{AccountId, OrderId, ParentId};
use crate::manner::{RouteMode, ShortOfCash};
use crate::order::{OrdStatus, Order, OrderTerms, ReportedStatus, Side};
use crate::signal::{SignalStatus, WaitingFor};
use crate::units::{Money, Price, Qty, Timestamp};

/// What one account shall do for a signal, as it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub parent: ParentId,
    pub account: AccountId,
    pub side: Side,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    pub qty: Qty,
    #[serde(default, skip_serializing_if = "RouteMode::is_auto")]
    pub mode: RouteMode,
    #[serde(default, skip_serializing_if = "ShortOfCash::is_usual")]
    pub short_of_cash: ShortOfCash,
}

impl Leg {
    /// A leg that is sent at once, and waits for cash as long as usual.
    #[must_use]
    pub fn plain(parent: ParentId, account: AccountId, side: Side, qty: Qty) -> Self {
        Self { parent, account, side, effect: None, qty, mode: RouteMode::Auto, short_of_cash: ShortOfCash::default() }
    }
}

/// What keeps a leg, and until when at most; without a time as long as its signal is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    pub what: WaitingFor,
    pub until: Option<Timestamp>,
}

/// What was decided of a leg beside its orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// A person let it go.
    Confirmed { who: Arc<str> },
    /// It ended while it waited.
    Ended { who: Arc<str>, reason: Arc<str> },
    /// A person traded it by hand: his order here, or the broker's number of it.
    ByHand { who: Arc<str>, order: Arc<str> },
    /// The order that would have gone out, and why risk would have refused it.
    Shadow { terms: Arc<OrderTerms>, denials: Arc<[Denial]> },
}

/// One leg and what its orders have done so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub leg: Leg,
    pub cum_qty: Qty,
    pub cum_amount: Money,
    pub status: ParentStatus,
    /// The newest child order, while one may still trade.
    pub working: Option<OrderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Wait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Arc<Decided>>,
}

/// The same words as for a signal, for one leg.
pub type ParentStatus = SignalStatus;

impl Parent {
    #[must_use]
    pub fn new(leg: Leg) -> Self {
        let waits = leg.mode.waits_for().map(|what| Wait { what, until: None });
        let working = Some(leg.parent.order(1)).filter(|_| waits.is_none() && leg.mode.sends());
        let status = if waits.is_some() { ParentStatus::Waiting } else { ParentStatus::Working };
        Self { leg, cum_qty: Qty::ZERO, cum_amount: Money::ZERO, status, working, waits, decided: None }
    }

    /// It is kept until something happens.
    pub fn wait(&mut self, wait: Wait) {
        self.status = ParentStatus::Waiting;
        self.working = None;
        self.waits = Some(wait);
    }

    /// Its first order goes out now.
    pub fn release(&mut self) {
        self.status = ParentStatus::Working;
        self.working = Some(self.leg.parent.order(1));
        self.waits = None;
    }

    /// A person let it go.
    pub fn confirm(&mut self, who: Arc<str>) {
        self.release();
        self.decided = Some(Arc::new(Decided::Confirmed { who }));
    }

    /// It ended while it waited.
    pub fn end(&mut self, status: ParentStatus, who: Arc<str>, reason: Arc<str>) {
        self.status = status;
        self.waits = None;
        self.decided = Some(Arc::new(Decided::Ended { who, reason }));
    }

    #[must_use]
    pub fn waits_for(&self) -> Option<WaitingFor> {
        self.waits.map(|wait| wait.what)
    }

    /// A person traded it by hand: all he got, at this average price.
    pub fn complete(&mut self, qty: Qty, px: Price, who: Arc<str>, order: Arc<str>) {
        self.cum_qty = qty;
        self.cum_amount = px.times(qty);
        self.status = if qty >= self.leg.qty { ParentStatus::Done } else { ParentStatus::PartiallyDone };
        self.waits = None;
        self.decided = Some(Arc::new(Decided::ByHand { who, order }));
    }

    /// Risk has looked at the order that is not sent.
    pub fn shadow(&mut self, terms: Arc<OrderTerms>, denials: Arc<[Denial]>) {
        self.status = if denials.is_empty() { ParentStatus::Done } else { ParentStatus::Denied };
        self.decided = Some(Arc::new(Decided::Shadow { terms, denials }));
    }

    /// Takes over what the newest child order has become.
    ///
    /// News that is older than what is known (it waited in a mailbox while a rebuilt strategy read the store) is none.
    pub fn observe(&mut self, order: &Order) {
        if order.cum_qty < self.cum_qty || (self.status.is_final() && !order.status.is_terminal()) {
            return;
        }
        self.waits = None;
        self.cum_qty = order.cum_qty;
        self.cum_amount = order.cum_amount;
        self.working = (!order.status.is_terminal()).then_some(order.id());
        self.status = match order.reported() {
            ReportedStatus::InDoubt | ReportedStatus::Parked => ParentStatus::InDoubt,
            _ if !order.status.is_terminal() => ParentStatus::Working,
            _ if self.cum_qty >= self.leg.qty => ParentStatus::Done,
            _ if self.cum_qty.is_positive() => ParentStatus::PartiallyDone,
            _ if order.status == OrdStatus::Expired => ParentStatus::Expired,
            _ => ParentStatus::Canceled,
        };
    }

    /// Risk refused the leg's order.
    pub fn deny(&mut self) {
        self.status = ParentStatus::Denied;
        self.working = None;
        self.waits = None;
    }
}

/// What a signal that was final has become by fills that came late; none if nothing of it is filled.
#[must_use]
pub fn fold_filled(parents: &[Parent]) -> Option<SignalStatus> {
    Some(fold(parents)).filter(|status| matches!(status, SignalStatus::Done | SignalStatus::PartiallyDone))
}

/// What the first leg that waits waits for.
#[must_use]
pub fn waits_for(parents: &[Parent]) -> Option<WaitingFor> {
    parents.iter().find_map(Parent::waits_for)
}

/// The one status of many parents: doubt first, then work, then waiting; once all ended, what they add up to. Legs that
/// are never sent count where there are no others.
#[must_use]
pub fn fold(parents: &[Parent]) -> SignalStatus {
    use SignalStatus as S;
    let sent = parents.iter().any(|p| p.leg.mode.sends());
    let counted = || parents.iter().filter(|p| !sent || p.leg.mode.sends());
    let any = |status: S| counted().any(|p| p.status == status);
    let all = |status: S| counted().all(|p| p.status == status);
    if any(S::InDoubt) {
        S::InDoubt
    } else if parents.iter().any(|p| !p.status.is_final() && p.waits.is_none()) {
        S::Working
    } else if any(S::Waiting) {
        S::Waiting
    } else if all(S::Done) {
        S::Done
    } else if any(S::Done) || any(S::PartiallyDone) {
        S::PartiallyDone
    } else if any(S::Canceled) {
        S::Canceled
    } else if any(S::Expired) {
        S::Expired
    } else {
        S::Denied
    }
}
