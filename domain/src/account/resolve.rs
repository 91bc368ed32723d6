//! A person decides about an order in doubt, with the evidence in hand.

use std::sync::Arc;

use super::doubt::doubt_key;
use super::{Account, AccountEffects};
use crate::broker::{Level, ListedOrder, Snapshot};
use crate::ids::{BrokerOrderId, OrderId};
use crate::order::{InFlight, OrdStatus, Order, OrderFact};
use crate::reconcile::exception::{BIND, BIND_LATE};
use crate::reconcile::matching::{Candidate, Field};
use crate::units::{Qty, Timestamp};

/// What a person decides about an order in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It is the broker's order with this number.
    Bind(BrokerOrderId),
    /// It was never made.
    Absent,
    /// The rows that look like it are a person's own. The looking goes on without them.
    External,
    /// Where only a cancel is in doubt: it was heard.
    Canceled,
    /// Where only a cancel is in doubt: it was not, and the order works on.
    Works,
}

/// Why a person's decision cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolvable {
    #[error("the order is not in doubt")]
    NotInDoubt,
    #[error("only a cancel is in doubt: say whether the order is canceled or works")]
    OnlyCancel,
    #[error("the order itself is in doubt, and not a cancel")]
    NoCancel,
    #[error("the broker's order {0} belongs to another order")]
    Claimed(BrokerOrderId),
    #[error("the broker's order {0} is of another symbol or side, or larger, or bears the mark of another order")]
    Unfit(BrokerOrderId),
    #[error("the broker's order {0} is not in its list, which was read since")]
    Unlisted(BrokerOrderId),
    #[error("our mark stands on the broker's order {0}")]
    Marked(BrokerOrderId),
}

impl Account {
    /// A person settles a doubt.
    pub(super) fn resolve(
        &mut self,
        at: Timestamp,
        id: OrderId,
        what: &Resolution,
        by: &Arc<str>,
        note: &Arc<str>,
        fx: &mut AccountEffects,
    ) -> Result<(), Unresolvable> {
        let order = self.orders.get(&id).filter(|order| order.in_doubt).ok_or(Unresolvable::NotInDoubt)?;
        if order.in_flight == Some(InFlight::Cancel) {
            return self.resolve_cancel(at, id, what, by, note, fx);
        }
        let word = match what {
            Resolution::Canceled | Resolution::Works => return Err(Unresolvable::NoCancel),
            Resolution::Bind(no) => {
                let no = self.lists.renumbered.get(no).unwrap_or(no).clone();
                let no = &no;
                let listed = self.lists.last.as_ref().and_then(|s| s.orders.iter().find(|row| row.no == *no));
                // The broker may have made less of it; what it has made is at work.
                let (terms, qty) = (&order.terms, order.sent_cum().max(Qty::new(1))..=order.sent_qty());
                let unfit = |row: &ListedOrder| {
                    let another = row.tag.as_deref().zip(self.tag(id)).is_some_and(|(shown, ours)| shown != ours);
                    another || (row.symbol, row.side) != (terms.symbol, terms.side) || !qty.contains(&row.qty)
                };
                if listed.is_some_and(unfit) {
                    return Err(Unresolvable::Unfit(no.clone()));
                }
                self.may_be_bound(id, no)?;
                let bound = listed.cloned();
                // The request of an earlier day can have come on the day that lists it.
                let listed_on = bound.as_ref().and(self.lists.last.as_ref()).map(|snapshot| snapshot.trade_date);
                let late = listed_on > Some(order.approval.trade_date);
                if late {
                    self.lists.taken_late.insert(id);
                }
                let claimed = self.claim(at, id, no) || (self.yields(at, id, no) && self.claim(at, id, no));
                if !claimed {
                    self.lists.taken_late.remove(&id);
                    return Err(Unresolvable::Claimed(no.clone()));
                }
                self.lists.vouched.insert(id);
                self.lists.misread.remove(&id);
                if let Some(exception) = self.lists.exceptions.get_mut(&*doubt_key(id)) {
                    // As it was made, which need not be as it was sent: a new life knows it again by that.
                    exception.evidence.row = bound;
                }
                self.fact(at, id, OrderFact::Accepted { broker_order_id: no.clone() }, fx);
                self.send_cancel(at, id, fx);
                if late { BIND_LATE } else { BIND }
            }
            Resolution::Absent => {
                // What our mark stands on was made: it is bound, or said to be another one.
                if let (Some(no), _) = self.marked(id, &BrokerOrderId("".into())) {
                    return Err(Unresolvable::Marked(self.shown(no)));
                }
                self.is_not_there(at, id, by, note, fx);
                "absent"
            }
            // The row under our mark is not ours: then there is none.
            Resolution::External if self.is_altered(id) => {
                for candidate in self.candidates_of(id) {
                    let booked = self.booked_as_ours(id, &candidate.row);
                    let why = "made of an order of ours, as another one";
                    self.record_external(at, (&candidate.row, booked), why, by, fx);
                }
                self.is_not_there(at, id, by, note, fx);
                "external"
            }
            Resolution::External => {
                let rows = self.candidates_of(id);
                self.lists.watches.remove(&id);
                for candidate in rows {
                    let booked = self.booked_as_ours(id, &candidate.row);
                    self.record_external(at, (&candidate.row, booked), "a person's own, as he says", by, fx);
                }
                if self.orders.get(&id).is_some_and(|order| order.parked.is_some()) {
                    let cause = format!("what looked like it is a person's own, says {by}").into();
                    self.fact(at, id, OrderFact::InDoubt { cause }, fx);
                }
                self.write_doubt(at, id, None, fx);
                self.lists.wanted = true;
                self.refreeze();
                return Ok(());
            }
        };
        self.decide(at, &doubt_key(id), word, by, note, fx);
        self.lists.watches.remove(&id);
        self.lists.wanted = true;
        self.lists.compare_now = true;
        self.refreeze();
        Ok(())
    }

    /// Nothing is at the broker of what the order still is; what was booked of it stays.
    fn is_not_there(&mut self, at: Timestamp, id: OrderId, by: &Arc<str>, note: &Arc<str>, fx: &mut AccountEffects) {
        let said: Arc<str> = format!("decided by {by}: {note}").into();
        let traded = self.orders.get(&id).is_some_and(|order| order.status == OrdStatus::PartiallyFilled);
        let fact = if traded { OrderFact::Canceled { reason: said } } else { OrderFact::Absent { evidence: said } };
        self.fact(at, id, fact, fx);
    }

    /// Whether a read showed another order under its mark, the last one or the one by which it became a person's.
    pub(super) fn is_altered(&self, id: OrderId) -> bool {
        let marked = self.conf.capabilities.level > Level::L1;
        let Some(tag) = self.tag(id).filter(|_| marked) else { return false };
        let candidates = self.candidates_of(id);
        let ours = |c: &Candidate| c.row.tag.as_deref() == Some(tag.as_str());
        matches!(&candidates[..], [one] if ours(one) && one.differs.iter().any(|field| *field != Field::Time))
    }

    /// The rows that may be it, as the last read showed them; a new life knows them from its rows.
    fn candidates_of(&self, id: OrderId) -> Vec<Candidate> {
        let seen = self.lists.watches.get(&id).map(|watch| &watch.candidates).filter(|seen| !seen.is_empty());
        let told = || self.lists.exceptions.get(&*doubt_key(id)).map(|open| &open.evidence.candidates);
        seen.or_else(told).cloned().unwrap_or_default()
    }

    /// What of the row was told as a fill of the order already.
    fn booked_as_ours(&self, id: OrderId, row: &ListedOrder) -> Qty {
        let same = |order: &&Order| {
            order.broker_order_id.as_ref() == Some(&row.no)
                && (order.terms.symbol, order.terms.side) == (row.symbol, row.side)
        };
        self.orders.get(&id).filter(same).map_or(Qty::ZERO, Order::sent_cum)
    }

    /// What a read of its day has shown since the doubt began: the number has to be there, and our mark nowhere else.
    fn may_be_bound(&self, id: OrderId, no: &BrokerOrderId) -> Result<(), Unresolvable> {
        let Some(order) = self.orders.get(&id) else { return Ok(()) };
        let since = order.doubt_since.map_or(order.updated_at, |since| since.plus(self.conf.doubt.visibility));
        let day = order.approval.trade_date;
        let today = self.lists.today.is_none_or(|today| today == day);
        let of_day = |read: &&Arc<Snapshot>| today && read.trade_date == day && read.began >= since;
        let Some(read) = self.lists.last.as_ref().filter(of_day) else { return Ok(()) };
        let (first, among) = self.marked(id, no);
        match first {
            Some(first) if !among => Err(Unresolvable::Marked(self.shown(first))),
            _ if read.orders.iter().any(|row| row.no == *no) => Ok(()),
            _ => Err(Unresolvable::Unlisted(no.clone())),
        }
    }

    /// The first number under which the last read of its day showed our mark, and whether `no` is among them.
    fn marked(&self, id: OrderId, no: &BrokerOrderId) -> (Option<&BrokerOrderId>, bool) {
        let day = self.orders.get(&id).map(|order| order.approval.trade_date);
        let read = self.lists.last.as_ref().filter(|read| Some(read.trade_date) == day);
        let (Some(tag), Some(read)) = (self.tag(id), read) else { return (None, false) };
        let ours = |row: &&ListedOrder| row.tag.as_deref() == Some(tag.as_str());
        let mut numbers = read.orders.iter().filter(ours).map(|row| &row.no);
        (numbers.clone().next(), numbers.any(|marked| marked == no))
    }

    /// The order is known, and the answer to its cancel is lost.
    fn resolve_cancel(
        &mut self,
        at: Timestamp,
        id: OrderId,
        what: &Resolution,
        by: &Arc<str>,
        note: &Arc<str>,
        fx: &mut AccountEffects,
    ) -> Result<(), Unresolvable> {
        let said: Arc<str> = format!("decided by {by}: {note}").into();
        let (word, fact) = match what {
            Resolution::Canceled => ("canceled", OrderFact::Canceled { reason: said }),
            Resolution::Works => ("works", OrderFact::CancelRejected { text: said }),
            Resolution::Bind(_) | Resolution::Absent | Resolution::External => return Err(Unresolvable::OnlyCancel),
        };
        self.decide(at, &doubt_key(id), word, by, note, fx);
        self.fact(at, id, fact, fx);
        self.settle_doubt(at, id, "a person decided", fx);
        self.lists.wanted = true;
        Ok(())
    }
}
