//! Which row of the broker's lists is whose: the numbers that the broker gave, as far as they can be believed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::doubt::{ALTERED, number_of};
use super::{Account, AccountEffects};
use crate::broker::{Level, ListedOrder, Report, Snapshot};
use crate::calendar::china_date_time;
use crate::ids::{BrokerOrderId, OrderId};
use crate::order::{InFlight, OrdStatus, Order};
use crate::reconcile::ParkReason;
use crate::reconcile::matching::{Candidate, Field, candidate};
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
            // What was seen yesterday says nothing of an order that is acknowledged today.
            if !self.lists.seen.has(china_date_time(at).0, no) {
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
        let nobodys = |no: &BrokerOrderId| self.lists.external.contains_key(&(date, no.clone()));
        numbered.filter(|(no, id)| owner(no).is_none_or(|owner| owner == id) && !nobodys(no)).collect()
    }

    fn of_day(&self, date: TradeDate) -> impl Iterator<Item = &Order> {
        self.orders.values().chain(self.ended.iter()).filter(move |o| self.broker_day(o) == date)
    }

    /// A read in our numbers, with what the terminal called otherwise.
    pub(super) fn in_our_numbers(&mut self, snapshot: Arc<Snapshot>) -> (Arc<Snapshot>, Renumbered) {
        let date = snapshot.trade_date;
        let visible =
            |o: &&Order| o.first_fill_at.is_some_and(|at| at.plus(self.conf.doubt.visibility) <= snapshot.began);
        // What was acknowledged a day late may stand in the lists of either day; and what a person bound may be listed with
        // less than was sent.
        let vouched = |o: &&Order| self.lists.vouched.contains(&o.id());
        let sure = |o: &&Order| o.approval.trade_date == date && self.broker_day(o) == date && !vouched(o);
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

    /// A row must look like the order that it belongs to. Where nothing but a number tells whose it is, one that does not is
    /// another order's: the number was misread. Where it bears our mark, the broker made another order of ours (F18).
    /// Returns rows that are nobody's yet: those of the latter, and what a cancel is under way for.
    pub(super) fn disown_misread(
        &mut self,
        at: Timestamp,
        snapshot: &Snapshot,
        fx: &mut AccountEffects,
    ) -> BTreeSet<BrokerOrderId> {
        if self.conf.capabilities.level > Level::L1 {
            return self.disown_altered(at, snapshot, fx);
        }
        let rows: BTreeMap<&BrokerOrderId, &ListedOrder> = snapshot.orders.iter().map(|row| (&row.no, row)).collect();
        let misread = |o: &&Order| {
            let row = o.broker_order_id.as_ref().and_then(|no| rows.get(no));
            row.is_some_and(|row| !self.lists.vouched.contains(&o.id()) && !self.looks_like(o, row))
        };
        let misread: BTreeSet<OrderId> = self.of_day(snapshot.trade_date).filter(misread).map(Order::id).collect();
        self.lists.misread.clone_from(&misread);
        let mut waiting = BTreeSet::new();
        for id in misread {
            self.lists.claims.retain(|_, owner| *owner != id);
            self.doubt_acknowledged(at, id, "the broker named the number of another order", fx);
            let canceling = |o: &&Order| o.in_flight == Some(InFlight::Cancel) && !o.in_doubt;
            waiting.extend(self.orders.get(&id).filter(canceling).and_then(|order| order.broker_order_id.clone()));
        }
        waiting
    }

    /// Orders that are others in the broker's list are a person's, with their rows as evidence. He binds them as they are,
    /// or says that these are none of ours.
    fn disown_altered(
        &mut self,
        at: Timestamp,
        snapshot: &Snapshot,
        fx: &mut AccountEffects,
    ) -> BTreeSet<BrokerOrderId> {
        let altered = self.altered(snapshot);
        self.lists.misread = altered.keys().copied().collect();
        let mut rows = BTreeSet::new();
        for (id, candidate) in altered {
            let Some(order) = self.orders.get(&id) else { continue };
            if self.lists.external.contains_key(&number_of(&candidate.row)) {
                continue;
            }
            rows.insert(candidate.row.no.clone());
            self.lists.claims.retain(|_, owner| *owner != id);
            // The answer to what is under way comes first, even that there is none.
            if order.in_flight.is_some() && !order.in_doubt {
                continue;
            }
            if !order.in_doubt || order.in_flight == Some(InFlight::Cancel) {
                self.doubt_acknowledged(at, id, ALTERED, fx);
            }
            let watch = self.lists.watches.entry(id).or_default();
            let news = watch.candidates.first() != Some(&candidate);
            watch.candidates = vec![candidate];
            if self.orders.get(&id).is_some_and(|order| order.parked.is_none()) {
                self.park(at, id, ParkReason::NearMiss, fx);
            } else if news {
                self.write_doubt(at, id, None, fx);
            }
        }
        rows
    }

    /// Orders of the day whose rows, by their number or else by our mark, are of another symbol, side, quantity or limit.
    /// Those that have ended are among them where they count as if they had never been.
    fn altered(&self, snapshot: &Snapshot) -> BTreeMap<OrderId, Candidate> {
        if seeded(SeededBug::AlteredOrderBelieved) {
            return BTreeMap::new();
        }
        let mut by_no: HashMap<&BrokerOrderId, &ListedOrder> = HashMap::new();
        let mut by_tag: HashMap<&str, &ListedOrder> = HashMap::new();
        for row in &snapshot.orders {
            by_no.insert(&row.no, row);
            by_tag.extend(row.tag.as_deref().map(|tag| (tag, row)));
        }
        let mut altered = BTreeMap::new();
        let may_be = |o: &&Order| o.send_no > 0 && (!o.status.is_terminal() || o.status.is_gone());
        for order in self.of_day(snapshot.trade_date).filter(may_be) {
            let id = order.id();
            let tag = self.tag(id);
            let marked = || tag.as_deref().and_then(|tag| by_tag.get(tag).copied());
            let numbered = order.broker_order_id.as_ref().and_then(|no| by_no.get(no).copied());
            let ours = |row: &&ListedOrder| row.tag.is_none() || row.tag.as_deref() == tag.as_deref();
            let row = numbered.filter(ours).or_else(marked);
            let Some(row) = row.filter(|row| !self.same_shape(order, row)) else { continue };
            if !self.lists.vouched.contains(&id) {
                altered.insert(id, candidate(order, row, &self.conf.doubt));
            }
        }
        altered
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
        // What is not looked for any more: it has traded, or its cancel is the question, and a read of the day before had it.
        let found_once = |o: &Order| o.sent_cum().is_positive() || o.in_flight == Some(InFlight::Cancel);
        let lost = |o: &&Order| o.in_doubt && old(o) && found_once(o) && !self.is_looked_for(o);
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
            Report::CancelRejected { .. } | Report::Lost { .. } | Report::Altered | Report::NotFound => false,
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
