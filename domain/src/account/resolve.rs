//! A person decides about an order in doubt, with the evidence in hand.

use std::sync::Arc;

use super::doubt::{BIND, BIND_LATE, doubt_key};
use super::{Account, AccountEffects};
use crate::broker::{Level, ListedOrder};
use crate::ids::{BrokerOrderId, OrderId};
use crate::order::{InFlight, OrdStatus, OrderFact};
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
                // The request of an earlier day can have come on the day that lists it.
                let listed_on = listed.and(self.lists.last.as_ref()).map(|snapshot| snapshot.trade_date);
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
                self.fact(at, id, OrderFact::Accepted { broker_order_id: no.clone() }, fx);
                self.send_cancel(at, id, fx);
                if late { BIND_LATE } else { BIND }
            }
            Resolution::Absent => {
                self.is_not_there(at, id, by, note, fx);
                "absent"
            }
            // The row under our mark is not ours: then there is none.
            Resolution::External if self.is_altered(id) => {
                let rows = self.lists.watches.remove(&id).map(|watch| watch.candidates).unwrap_or_default();
                for candidate in rows {
                    self.record_external(at, &candidate.row, "made of an order of ours, as another one", by, fx);
                }
                self.is_not_there(at, id, by, note, fx);
                "external"
            }
            Resolution::External => {
                let rows = self.lists.watches.remove(&id).map(|watch| watch.candidates).unwrap_or_default();
                for candidate in rows {
                    self.record_external(at, &candidate.row, "a person's own, as he says", by, fx);
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

    /// Whether the last read showed another order under its mark.
    pub(super) fn is_altered(&self, id: OrderId) -> bool {
        let shown = self.lists.watches.get(&id).is_some_and(|watch| !watch.candidates.is_empty());
        self.conf.capabilities.level > Level::L1 && self.lists.misread.contains(&id) && shown
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
