//! Orders in doubt that are looked up by our id, at a broker that remembers every id of the day.

use super::{Account, AccountEffects, Alarm, refusal};
use crate::broker::{BrokerRequest, Level};
use crate::calendar::china_date_time;
use crate::ids::OrderId;
use crate::order::{InFlight, OrdStatus, Order, OrderFact};
use crate::reconcile::ParkReason;
use crate::units::Timestamp;
use crate::view::TradingStates;

/// Lookups, one after the other, that did not find an order, and when the first of them was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    times: u32,
    since: Timestamp,
}

/// Fewer lookups prove nothing: a request may still wait on its way, at the broker's door or before it.
const TIMES_MIN: u32 = 3;

impl Account {
    pub(super) fn find(&mut self, id: OrderId, fx: &mut AccountEffects) {
        if self.finding.insert(id) {
            fx.broker.push(BrokerRequest::Find { order: id });
        }
    }

    pub(super) fn find_doubts(&mut self, at: Timestamp, states: &TradingStates, fx: &mut AccountEffects) {
        if self.find_again.is_some_and(|due| due <= at) {
            self.find_again = None;
            let mut open = std::mem::take(&mut self.ask_again);
            open.extend(self.orders.values().filter(|o| o.in_doubt).map(Order::id));
            for order in open {
                if self.resend_same(at, states, order, fx) {
                    continue;
                }
                if self.looks_up() {
                    self.find(order, fx);
                } else {
                    self.want_read();
                }
            }
        }
    }

    /// The broker has no such id now.
    pub(super) fn not_found(&mut self, at: Timestamp, states: &TradingStates, id: OrderId, fx: &mut AccountEffects) {
        let Some(order) = self.orders.get(&id) else { return };
        let enforced = self.conf.capabilities.level == Level::L4;
        // A broker remembers the ids of its day, and no longer: after it nothing is proved any more (F67).
        let today = self.is_of_today(at, order);
        if !today && self.reads() {
            if order.in_flight == Some(InFlight::Cancel) && !order.in_doubt {
                self.doubt(at, id, "the broker knows no order to cancel", fx);
            }
            if self.orders.get(&id).is_some_and(|order| order.in_doubt) {
                self.park(at, id, ParkReason::DayOver, fx);
            }
            return;
        }
        match (order.status, order.in_flight, order.in_doubt) {
            (OrdStatus::Initialized, Some(InFlight::New), true) if enforced => {
                if order.cancel_wanted || refusal(at, states, &order.terms).is_some() {
                    return self.missed(at, id, fx);
                }
                // The broker enforces the id, so the same id again can make one order at the most.
                let (terms, band, send_no) = (order.sent_terms(), order.approval.band, order.send_no + 1);
                let subscription = order.approval.subscription;
                self.lists.absences.remove(&id);
                self.count_extra(at);
                self.fact(at, id, OrderFact::Sending { send_no, baseline: None }, fx);
                fx.broker.push(BrokerRequest::Submit { terms, send_no, band, subscription });
            }
            // F17: it was acknowledged.
            (OrdStatus::New, in_flight, in_doubt) if enforced => {
                if in_flight == Some(InFlight::Cancel) && !in_doubt {
                    self.doubt(at, id, "the broker knows no order to cancel", fx);
                }
                self.doubt_acknowledged(at, id, "acknowledged, and the broker does not know it", fx);
                self.missed(at, id, fx);
            }
            // It has traded under our eyes, or so it seemed, and only its cancel is in question: no lookup settles that.
            (_, _, true) if enforced => self.unknown_there(at, id, fx),
            _ => fx.alarms.push(Alarm::Unexplained { order: id, what: "the broker does not know it".into() }),
        }
    }

    /// An order with fills that the broker does not know: looked up for as long as a blind account waits, and then a
    /// person's.
    fn unknown_there(&mut self, at: Timestamp, id: OrderId, fx: &mut AccountEffects) {
        let lasts = self.conf.doubt.blind_after;
        let order = self.orders.get(&id).filter(|order| order.parked.is_none());
        let Some(since) = order.map(|order| order.doubt_since.unwrap_or(order.updated_at)) else { return };
        if at.since(since) >= lasts {
            self.park(at, id, ParkReason::NumbersVanished, fx);
        } else {
            let again = at.plus(self.conf.doubt.read_in_doubt);
            self.find_again = Some(self.find_again.map_or(again, |due| due.min(again)));
        }
    }

    /// Whether the broker's day of the order is not over, by what was told of days and by the clock, whichever comes first.
    pub(super) fn is_of_today(&self, at: Timestamp, order: &Order) -> bool {
        let day = order.approval.trade_date;
        self.lists.today.is_none_or(|today| today <= day) && china_date_time(at).0 <= day
    }

    /// Whether the broker lists it no more, because the day on which it took the order is over.
    pub(super) fn is_of_the_past(&self, at: Timestamp, order: &Order) -> bool {
        let today = self.lists.today.max(Some(china_date_time(at).0));
        self.reads() && Some(self.broker_day(order)) < today
    }

    /// One more lookup that did not find the order. A broker in place has no door where a request could wait.
    fn missed(&mut self, at: Timestamp, id: OrderId, fx: &mut AccountEffects) {
        let absence = self.lists.absences.entry(id).or_insert(Absence { times: 0, since: at });
        absence.times += 1;
        let proved = absence.times >= TIMES_MIN && at.since(absence.since) >= self.conf.doubt.absent_not_before();
        if !proved && self.reads() {
            let again = at.plus(self.conf.doubt.read_in_doubt);
            self.find_again = Some(self.find_again.map_or(again, |due| due.min(again)));
            return;
        }
        self.lists.absences.remove(&id);
        let evidence = "looked up by id: the broker has no such order".into();
        self.fact(at, id, OrderFact::Absent { evidence }, fx);
    }
}
