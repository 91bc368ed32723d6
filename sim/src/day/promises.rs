//! Promises about single orders that the broker's own books decide.

use std::sync::Arc;

use signalbox_brokers::fake::wire::Status;
use signalbox_domain::account::Alarm;
use signalbox_domain::broker::Level;
use signalbox_domain::ids::OrderId;
use signalbox_domain::order::{OrdStatus, Order, OrderFactKind};
use signalbox_domain::reconcile::exception::ExceptionKind;

use super::{Day, place};
use crate::books::{is_another, is_twin_of_hand};
use crate::oracle::must;
use crate::trouble::Trouble;

impl Day {
    /// What counts as ended does not trade any more.
    pub(super) fn ended_there(&self, id: OrderId, how: OrderFactKind) -> Result<(), String> {
        if self.faults.dishonest() {
            return Ok(());
        }
        for (_, there) in self.true_orders(id) {
            let over = match how {
                OrderFactKind::Rejected => there.status == Status::Junk,
                _ => there.status != Status::Working,
            };
            // What became another order works on, and a person has said that it is none of ours.
            let told = self.settled.contains(&id) && self.find_stored(id).is_some_and(|o| is_another(&o, &there));
            let excused = over || told || self.is_bound_to_a_twin(id);
            must!(excused, "order {id} counts as {how:?} and is {:?} at the broker", there.status);
        }
        Ok(())
    }

    fn find_stored(&self, id: OrderId) -> Option<Arc<Order>> {
        self.desk.tables().orders.get(&id).cloned()
    }

    /// F18: what became another order at the broker is a person's, and nothing of it is booked before he has looked.
    pub(super) fn altered_are_told(&mut self) -> Result<(), String> {
        if !self.faults.alters() || self.faults.dishonest() {
            return Ok(());
        }
        for order in self.desk.tables().orders.values() {
            let (id, account) = (order.id(), &order.terms.account);
            let there = self.true_orders(id).into_iter().find(|(of, _)| *of == account.as_str());
            let Some((_, there)) = there.filter(|(_, there)| is_another(order, there)) else { continue };
            let unseen = self.sessions[place(account)].level == Level::L0 || self.is_bound_to_a_twin(id);
            if unseen || self.settled.contains(&id) {
                continue;
            }
            self.met("another order");
            must!(order.parked.is_some(), "order {id} is {there:?} at the broker, and no person's");
            must!(order.sent_cum().is_zero(), "order {id} is {there:?} at the broker, and is booked as ours");
        }
        Ok(())
    }

    /// What a calm broker shows can be read, unless it made two rows of one order: nobody tells these apart when a terminal
    /// gives them other numbers.
    pub(super) fn lists_are_read(&self) -> Result<(), String> {
        if self.faults.dishonest() {
            return Ok(());
        }
        let tables = self.desk.tables();
        let stuck = tables.exceptions.values().find(|e| e.kind == ExceptionKind::Reads && e.is_open());
        must!(stuck.is_none(), "ten minutes without trouble, and nothing that is read counts: {stuck:?}");
        Ok(())
    }

    /// Where nothing marks an order, nobody can tell it from what a person did at the same moment.
    fn is_bound_to_a_twin(&self, id: OrderId) -> bool {
        let orders = self.desk.tables().orders;
        let Some(order) = orders.get(&id) else { return false };
        let account = &order.terms.account;
        let truth = self.line.broker(|broker| broker.truth());
        let twin = truth.get(account.as_str()).is_some_and(|acc| is_twin_of_hand(order, &acc.orders));
        twin && self.sessions[place(account)].level == Level::L1
    }

    /// What comes after its absence was proved is told to a person, and is nobody's trade by hand.
    pub(super) fn ghosts_are_told(&self) -> Result<(), String> {
        if !self.faults.has(Trouble::Ghosts) || self.faults.without(Trouble::Ghosts).dishonest() {
            return Ok(());
        }
        let orders = self.desk.tables().orders;
        let gone = |order: &&Arc<Order>| {
            order.status == OrdStatus::Absent && self.sessions[place(&order.terms.account)].level >= Level::L1
        };
        for order in orders.values().filter(gone) {
            // What came when nobody looked, and is in no list any more, shows in the positions alone.
            let unseen = self.overnight.contains(&order.id()) || self.faults.has(Trouble::Night);
            for (_, there) in self.true_orders(order.id()).into_iter().filter(|_| !unseen) {
                let told = |alarm: &Alarm| match alarm {
                    // A terminal may show it under another number.
                    Alarm::Ghost { order: of, no } => *of == order.id() || *no.0 == *there.no,
                    Alarm::CameBack { order: of } => *of == order.id(),
                    _ => false,
                };
                // Without tags it can be the twin of an order in doubt: nobody could tell them apart.
                let twin = |o: &Arc<Order>| o.broker_order_id.as_ref().is_some_and(|no| *no.0 == *there.no);
                // What came as another order bears no sign of ours at L1, or a person has said that it is nobody's.
                let marked = self.sessions[place(&order.terms.account)].level > Level::L1;
                let nobodys = is_another(order, &there) && (!marked || self.settled.contains(&order.id()));
                let known = nobodys || self.desk.alarms.iter().any(told) || orders.values().any(twin);
                must!(known, "order {} counts as absent, came late as {}, and nobody was told", order.id(), there.no);
            }
        }
        Ok(())
    }
}
