//! Parent orders: one leg of a signal in one account, and the fold of its child orders.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, OrderId, ParentId};
use crate::order::{OrdStatus, Order, ReportedStatus, Side};
use crate::signal::SignalStatus;
use crate::units::{Money, Qty};

/// What one account shall do for a signal, as it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub parent: ParentId,
    pub account: AccountId,
    pub side: Side,
    pub qty: Qty,
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
}

/// The same words as for a signal, for one leg.
pub type ParentStatus = SignalStatus;

impl Parent {
    #[must_use]
    pub fn new(leg: Leg) -> Self {
        let working = Some(leg.parent.order(1));
        Self { leg, cum_qty: Qty::ZERO, cum_amount: Money::ZERO, status: ParentStatus::Working, working }
    }

    /// Takes over what the newest child order has become.
    ///
    /// News that is older than what is known (it waited in a mailbox while a rebuilt strategy read the store) is none.
    pub fn observe(&mut self, order: &Order) {
        if order.cum_qty < self.cum_qty || (self.status.is_final() && !order.status.is_terminal()) {
            return;
        }
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
    }
}

/// What a signal that was final has become by fills that came late; none if nothing of it is filled.
#[must_use]
pub fn fold_filled(parents: &[Parent]) -> Option<SignalStatus> {
    Some(fold(parents)).filter(|status| matches!(status, SignalStatus::Done | SignalStatus::PartiallyDone))
}

/// The one status of many parents: doubt first, then work; once all ended, what they add up to.
#[must_use]
pub fn fold(parents: &[Parent]) -> SignalStatus {
    use SignalStatus as S;
    let any = |status: S| parents.iter().any(|p| p.status == status);
    let all = |status: S| parents.iter().all(|p| p.status == status);
    if any(S::InDoubt) {
        S::InDoubt
    } else if parents.iter().any(|p| !p.status.is_final()) {
        S::Working
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
