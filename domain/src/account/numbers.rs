//! Which row of the broker's lists is whose: the numbers that the broker gave, as far as they can be believed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::doubt::number_of;
use super::{Account, AccountEffects};
use crate::broker::{Level, ListedOrder, Report, Snapshot};
use crate::calendar::china_date_time;
use crate::ids::{BrokerOrderId, OrderId};
use crate::order::{InFlight, OrdStatus, Order};
use crate::reconcile::ParkReason;
use crate::reconcile::matching::{Field, candidate};
use crate::reconcile::renumbered::{Renumbered, translated, with_numbers};
use crate::seeded::{SeededBug, seeded};
use crate::units::{Timestamp, TradeDate};

impl Account {
    /// The broker gave an order its number. False when another order has that number: then it says nothing.
    pub(super) fn claim(&mut self, at: Timestamp, id: OrderId, no: &BrokerOrderId) -> bool {
        let Some(order) = self.orders.get(&id).or_else(|| self.ended.get(id)) else { return true };
        if self.knows_numbers() && !seeded(SeededBug::ClaimNotUnique) {
            let key = (self.claims_on(at, order), no.clone());
            if self.lists.claims.get(&key).is_some_and(|owner| *owner != id) || self.lists.external.contains_key(&key) {
                return false;
            }
            if order.broker_order_id.as_ref().is_some_and(|before| before != no) {
                // What it had was another's: whose it is may say so now.
                self.lists.claims.retain(|_, owner| *owner != id);
            }
            self.lists.claims.insert(key, id);
        }
        if self.reads() {
            if let Some(tag) = self.tag(id) {
                self.lists.seen.tagged(&tag, no);
            }
            if self.lists.seen.get(no).is_none() {
                self.lists.unseen.insert(id, at);
            }
        }
        true
    }

    /// A person has seen whose number it is: an order without a fill that has ended, or is in doubt itself, and has it by
    /// the broker's word alone, lets go of it.
    pub(super) fn yields(&mut self, at: Timestamp, id: OrderId, no: &BrokerOrderId) -> bool {
        let Some(order) = self.orders.get(&id) else { return false };
        let key = (self.claims_on(at, order), no.clone());
        let Some(owner) = self.lists.claims.get(&key) else { return false };
        let doubted = |order: &&Order| order.in_doubt && order.in_flight.is_none();
        let owns = self.ended.get(*owner).or_else(|| self.orders.get(owner).filter(doubted));
        let empty = owns.is_some_and(|owner| owner.sent_cum().is_zero());
        let yields = empty && !self.lists.vouched.contains(owner);
        if yields {
            self.lists.claims.remove(&key);
        }
        yields
    }

    /// The day of the number that it is given now.
    fn claims_on(&self, at: Timestamp, order: &Order) -> TradeDate {
        let late = order.acked_at.is_none() && self.lists.taken_late.contains(&order.id());
        if late { china_date_time(at).0.max(order.approval.trade_date) } else { self.broker_day(order) }
    }

    /// The day in whose lists the broker shows it: that of its approval, unless it was acknowledged on a later one only. What
    /// a person binds after its day is of its own day, unless what he binds is a row of the later one.
    pub(super) fn broker_day(&self, order: &Order) -> TradeDate {
        let own = |id| self.lists.vouched.contains(&id) && !self.lists.taken_late.contains(&id);
        let acked = order.acked_at.filter(|_| !own(order.id()));
        acked.map_or(order.approval.trade_date, |at| china_date_time(at).0.max(order.approval.trade_date))
    }

    /// Whether the broker's numbers are compared with anything.
    pub(super) fn knows_numbers(&self) -> bool {
        self.below_l4() || self.reads()
    }

    /// What the broker writes beside the order, where it does.
    pub(super) fn tag(&self, id: OrderId) -> Option<String> {
        let installation = self.conf.doubt.installation.filter(|_| self.conf.capabilities.level >= Level::L2)?;
        Some(id.client_order_id(installation).to_string())
    }

    /// Which order has which number of the day.
    pub(super) fn claims_of(&self, date: TradeDate) -> HashMap<BrokerOrderId, OrderId> {
        let own = self.of_day(date).filter(|order| !self.lists.misread.contains(&order.id()));
        let numbered = own.filter_map(|order| Some((order.broker_order_id.clone()?, order.id())));
        // One that let go of its number still bears it.
        let owner = |no: &BrokerOrderId| self.lists.claims.get(&(date, no.clone()));
        numbered.filter(|(no, id)| owner(no).is_none_or(|owner| owner == id)).collect()
    }

    fn of_day(&self, date: TradeDate) -> impl Iterator<Item = &Order> {
        self.orders.values().chain(self.ended.iter()).filter(move |o| self.broker_day(o) == date)
    }

    /// A read in our numbers, with what the terminal called otherwise.
    pub(super) fn in_our_numbers(&mut self, snapshot: Arc<Snapshot>) -> (Arc<Snapshot>, Renumbered) {
        let date = snapshot.trade_date;
        let visible =
            |o: &&Order| o.first_fill_at.is_some_and(|at| at.plus(self.conf.doubt.visibility) <= snapshot.began);
        // What was acknowledged a day late may stand in the lists of either day.
        let sure = |o: &&Order| o.approval.trade_date == date && self.broker_day(o) == date;
        let of_day = self.orders.values().chain(self.ended.iter()).filter(sure).filter(visible);
        let numbered = of_day.filter_map(|order| {
            let tag: Option<Arc<str>> = self.tag(order.id()).map(Into::into);
            Some((order, order.broker_order_id.as_ref()?, tag))
        });
        for (order, no, tag) in numbered.collect::<Vec<_>>() {
            self.lists.seen.traded(date, order, no, tag);
        }
        let by_tag = self.renumbered_by_tag(&snapshot);
        let snapshot = if by_tag.is_empty() { snapshot } else { Arc::new(with_numbers(&snapshot, &by_tag)) };
        let external = |no: &BrokerOrderId| self.lists.external.contains_key(&(date, no.clone()));
        let claims = self.claims_of(date);
        let claimed = |row: &ListedOrder| {
            let owner = claims.get(&row.no).and_then(|id| self.orders.get(id).or_else(|| self.ended.get(*id)));
            owner.is_some_and(|order| self.same_shape(order, row))
        };
        let (snapshot, mut renumbered) = translated(snapshot, &self.lists.seen, external, claimed);
        for (shown, ours) in by_tag {
            let ours = renumbered.remove(&ours).unwrap_or(ours);
            renumbered.insert(shown, ours);
        }
        (snapshot, renumbered)
    }

    /// Rows that bear the tag of an order whose own number is not listed.
    fn renumbered_by_tag(&self, snapshot: &Snapshot) -> Renumbered {
        let claims = self.claims_of(snapshot.trade_date);
        let strange: Vec<&ListedOrder> =
            snapshot.orders.iter().filter(|row| row.tag.is_some() && !claims.contains_key(&row.no)).collect();
        if strange.is_empty() {
            return Renumbered::new();
        }
        let listed: BTreeSet<&BrokerOrderId> = snapshot.orders.iter().map(|row| &row.no).collect();
        let missing = claims.iter().filter(|(no, _)| !listed.contains(no));
        let tags: BTreeMap<String, &BrokerOrderId> =
            missing.filter_map(|(no, id)| Some((self.tag(*id)?, no))).collect();
        let mut renumbered = Renumbered::new();
        for row in &strange {
            let ours = row.tag.as_deref().and_then(|tag| tags.get(tag));
            let once = strange.iter().filter(|other| other.tag == row.tag).count() == 1;
            renumbered.extend(ours.filter(|_| once).map(|ours| (row.no.clone(), (*ours).clone())));
        }
        renumbered
    }

    /// What the terminal calls an order now.
    pub(super) fn shown(&self, no: &BrokerOrderId) -> BrokerOrderId {
        self.lists.renumbered.iter().find(|(_, ours)| *ours == no).map_or(no, |(shown, _)| shown).clone()
    }

    /// Where nothing but a number tells whose a row is, the row must look like its order. One that does not is another
    /// order's: the number was misread.
    pub(super) fn disown_misread(&mut self, at: Timestamp, snapshot: &Snapshot, fx: &mut AccountEffects) {
        if self.conf.capabilities.level > Level::L1 {
            return;
        }
        let rows: BTreeMap<&BrokerOrderId, &ListedOrder> = snapshot.orders.iter().map(|row| (&row.no, row)).collect();
        let misread = |o: &&Order| {
            let row = o.broker_order_id.as_ref().and_then(|no| rows.get(no));
            row.is_some_and(|row| !self.lists.vouched.contains(&o.id()) && !self.looks_like(o, row))
        };
        let misread: BTreeSet<OrderId> = self.of_day(snapshot.trade_date).filter(misread).map(Order::id).collect();
        self.lists.misread.clone_from(&misread);
        for id in misread {
            self.lists.claims.retain(|_, owner| *owner != id);
            self.doubt_acknowledged(at, id, "the broker named the number of another order", fx);
        }
    }

    /// A doubt of which no row tells, and which no search will end: the number of an order that has traded is another
    /// order's, or is not listed any more.
    pub(super) fn park_unlisted(
        &mut self,
        at: Timestamp,
        rows: &BTreeMap<OrderId, &ListedOrder>,
        fx: &mut AccountEffects,
    ) {
        let lasts = self.conf.doubt.blind_after;
        let old = |o: &Order| o.doubt_since.is_some_and(|since| at.since(since) >= lasts);
        let lost = |o: &&Order| o.in_doubt && old(o) && o.sent_cum().is_positive() && !self.is_looked_for(o);
        let lost = self.orders.values().filter(lost).filter(|o| !rows.contains_key(&o.id()));
        for id in lost.map(Order::id).collect::<Vec<_>>() {
            let misread = self.lists.misread.contains(&id);
            self.park(at, id, if misread { ParkReason::NearMiss } else { ParkReason::NumbersVanished }, fx);
        }
    }

    pub(super) fn looks_like(&self, order: &Order, row: &ListedOrder) -> bool {
        let before = order.baseline.as_ref().zip(self.lists.seen.get(&row.no));
        let older = before.is_some_and(|(baseline, seen)| seen.first_at <= baseline.at);
        !older && self.same_shape(order, row)
    }

    fn same_shape(&self, order: &Order, row: &ListedOrder) -> bool {
        candidate(order, row, &self.conf.doubt).differs.iter().all(|field| *field == Field::Time)
    }

    /// Rows that look like an order of ours whose number is not listed: it may have another number now, and may as well
    /// be a person's own. Times say nothing here: the broker's clock may be far from ours.
    pub(super) fn unsure(
        &self,
        snapshot: &Snapshot,
        claims: &HashMap<BrokerOrderId, OrderId>,
    ) -> BTreeSet<BrokerOrderId> {
        if self.conf.capabilities.level > Level::L1 {
            return BTreeSet::new();
        }
        let listed: BTreeSet<&BrokerOrderId> = snapshot.orders.iter().map(|row| &row.no).collect();
        let missing = |o: &&Order| {
            // Of one whose cancel is in doubt the number is known.
            let doubted = o.in_doubt && o.in_flight != Some(InFlight::Cancel);
            !doubted && !o.status.is_gone() && o.broker_order_id.as_ref().is_some_and(|no| !listed.contains(no))
        };
        let missing: Vec<&Order> = self.of_day(snapshot.trade_date).filter(missing).collect();
        let strange =
            |row: &&ListedOrder| !claims.contains_key(&row.no) && !self.lists.external.contains_key(&number_of(row));
        let unsure =
            snapshot.orders.iter().filter(strange).filter(|row| missing.iter().any(|o| self.same_shape(o, row)));
        unsure.map(|row| row.no.clone()).collect()
    }

    /// At level L1 the number alone tells of which order the broker speaks, and numbers are misread: what became of an
    /// order is what its lists show.
    pub(super) fn only_lists_tell(&self, order: &Order, what: &Report) -> bool {
        let of_order = match what {
            Report::Filled { .. } | Report::Canceled { .. } | Report::Expired => true,
            Report::Rejected { .. } => order.status != OrdStatus::Initialized || order.in_doubt,
            Report::Accepted { .. } => order.in_doubt && order.in_flight.is_none(),
            Report::CancelRejected { .. } | Report::Lost { .. } | Report::NotFound => false,
        };
        of_order && self.reads() && self.conf.capabilities.level == Level::L1
    }

    /// The lists are asked soon, and until they have told.
    pub(super) fn ask_lists(&mut self, at: Timestamp, id: OrderId) {
        self.want_read();
        self.lists.said.entry(id).or_insert(at);
    }

    /// The broker said that a cancel was done, and its lists show the order at work.
    pub(super) fn doubt_what_was_said(
        &mut self,
        at: Timestamp,
        id: OrderId,
        snapshot: &Snapshot,
        fx: &mut AccountEffects,
    ) {
        let Some(said) = self.lists.said.get(&id) else { return };
        if snapshot.began.since(*said) < self.conf.doubt.visibility {
            return;
        }
        self.lists.said.remove(&id);
        let canceling = |o: &Order| o.in_flight == Some(InFlight::Cancel) && !o.in_doubt;
        if self.orders.get(&id).is_some_and(canceling) {
            self.doubt(at, id, "the cancel was taken, and the order works on", fx);
        }
    }
}
