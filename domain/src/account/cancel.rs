//! Cancels: wanted, sent, and sent again while the broker leaves them unanswered and the order works on.

use std::sync::Arc;

use super::{Account, AccountEffects, is_working};
use crate::broker::BrokerRequest;
use crate::ids::OrderId;
use crate::order::{InFlight, OrdStatus, OrderFact};
use crate::reconcile::ParkReason;
use crate::units::{Span, Timestamp};

/// Cancels that are remembered from before their orders came. One strategy step can cancel no more orders than it has
/// just asked for.
const EARLY_CANCELS_MAX: usize = 65_536;

/// After a cancel was sent again, the next one follows so much later at the earliest, and each further one after twice the
/// time of the one before: a broker that answers none is not hammered, and counts every one.
const PAUSE: Span = Span::from_secs(2);

/// A cancel that was sent again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Insisted {
    since: Timestamp,
    next: Timestamp,
    pause: Span,
}

impl Account {
    pub(super) fn cancel(&mut self, at: Timestamp, id: OrderId, reason: &Arc<str>, fx: &mut AccountEffects) {
        let Some(order) = self.orders.get(&id) else {
            if self.ended.get(id).is_none() {
                self.early_cancels.insert(id);
                if self.early_cancels.len() > EARLY_CANCELS_MAX {
                    self.early_cancels.pop_first();
                }
            }
            return;
        };
        // The exchange takes no subscription back: nothing is asked, and whoever wants it finds it not among those reached.
        if order.is_beyond_recall() {
            return;
        }
        fx.canceling.push(id);
        let unsent = order.status == OrdStatus::Initialized && order.in_flight.is_none();
        if !order.cancel_wanted {
            self.fact(at, id, OrderFact::CancelRequested { reason: reason.clone() }, fx);
        }
        if unsent {
            self.fact(at, id, OrderFact::NeverSent { reason: reason.clone() }, fx);
        } else {
            self.send_cancel(at, id, fx);
        }
    }

    /// A cancel goes out when the broker knows the order and no other request for it is under way. It waits for no pace
    /// and needs no permission: risk never blocks a cancel.
    pub(super) fn send_cancel(&mut self, at: Timestamp, id: OrderId, fx: &mut AccountEffects) {
        let Some(order) = self.orders.get(&id) else { return };
        // What is in doubt may be another's order by its number: the cancel follows when it is not.
        let sure = order.in_flight.is_none() && !order.in_doubt;
        // Nor is there anything to cancel once the broker's day is over: its next lists end the order.
        let may_be = !self.is_of_the_past(at, order) && !order.approval.subscription;
        if order.cancel_wanted && sure && is_working(order) && may_be {
            self.insisted.remove(&id);
            self.send_cancel_now(at, id, fx);
        }
    }

    /// The order still works, and what says so is younger than the cancel whose answer was lost: the cancel did not come
    /// through. Two cancels end no more than one order. One that goes unanswered for long is a person's.
    pub(super) fn cancel_again(&mut self, at: Timestamp, id: OrderId, fx: &mut AccountEffects) {
        let in_question = |o: &&super::Order| o.in_doubt && o.parked.is_none() && o.in_flight == Some(InFlight::Cancel);
        if self.orders.get(&id).filter(in_question).is_none() {
            return;
        }
        let insisted = self.insisted.entry(id).or_insert(Insisted { since: at, next: at, pause: PAUSE });
        if at.since(insisted.since) >= self.conf.doubt.blind_after {
            self.park(at, id, ParkReason::CancelUnanswered, fx);
        } else if at < insisted.next {
            let next = insisted.next;
            if self.looks_up() {
                self.find_again = Some(self.find_again.map_or(next, |due| due.min(next)));
            }
        } else {
            insisted.next = at.plus(insisted.pause);
            insisted.pause = Span::from_us(insisted.pause.us() * 2);
            self.send_cancel_now(at, id, fx);
        }
    }

    fn send_cancel_now(&mut self, at: Timestamp, id: OrderId, fx: &mut AccountEffects) {
        if let Some(order) = self.orders.get(&id) {
            let broker_order_id = order.broker_order_id.as_ref().map(|no| self.shown(no));
            self.count_extra(at);
            self.fact(at, id, OrderFact::CancelSending, fx);
            fx.broker.push(BrokerRequest::Cancel { order: id, broker_order_id });
        }
    }
}
