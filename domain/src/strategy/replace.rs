//! An order that a person wants at another limit or for less: it is taken back, and what is left of its leg follows as the
//! leg's next order. No broker here replaces in one step.

use std::sync::Arc;

use super::{Active, Strategy, StrategyEffects};
use crate::execution::{Hours, ParentStep, Pursuit};
use crate::order::{OrdType, Order};
use crate::units::{Price, Qty, Timestamp};
use crate::view::View;

/// What a person wants instead of an order.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// As it was seen last.
    pub order: Arc<Order>,
    /// All that the leg shall fill, with what it has filled; as it is when `None`.
    pub qty: Option<Qty>,
    /// As it is when `None`.
    pub limit_price: Option<Price>,
    pub who: Arc<str>,
}

/// Why an order is not replaced, in order of precedence. Nothing is recorded then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Irreplaceable {
    #[error("the order does not work any more")]
    Ended,
    #[error("the signal is being taken back")]
    Canceled,
    #[error("nobody knows yet what became of the order")]
    InDoubt,
    #[error("a subscription to a new issue cannot be taken back")]
    Subscription,
    #[error("its policy says at which price and how much: cancel the signal, and send another one")]
    Policy,
    #[error("an order at the market has no limit")]
    Market,
    /// What was planned and let pass does not grow behind the back of plan and confirmation.
    #[error("{asked} is more than {leg}, which was planned: more is an order of its own")]
    More { asked: Qty, leg: Qty },
    #[error("{filled} is filled already: cancel the rest")]
    Filled { filled: Qty },
    /// Nothing is recorded that could not be done any more: in the closing auction the order is in until its day ends.
    #[error("it is too late to take the order back on its day: it works until the day ends")]
    TooLate,
}

/// What became of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaces {
    pub qty: Qty,
    pub limit_price: Price,
    /// It was wanted so before, and nothing is done twice.
    pub repeated: bool,
    /// Until when the order stays as it is, because nothing is taken back before trading begins.
    pub put_off_until: Option<Timestamp>,
}

impl Strategy {
    pub(super) fn replace(
        &mut self,
        at: Timestamp,
        view: View<'_>,
        wish: Replacement,
        fx: &mut StrategyEffects,
    ) -> Result<Replaces, Irreplaceable> {
        let Replacement { order, qty, limit_price, who } = wish;
        let (id, parent) = (order.id().signal(), order.parent());
        let active = self.active.get_mut(&id).ok_or(Irreplaceable::Ended)?;
        let known = active.parent(parent).filter(|known| !known.status.is_final()).ok_or(Irreplaceable::Ended)?;
        if order.status.is_terminal() || !known.live().any(|live| live == order.id()) {
            return Err(Irreplaceable::Ended);
        }
        if active.row.cancel_requested {
            return Err(Irreplaceable::Canceled);
        }
        let doubt = active.pursuits.get(&parent).is_some_and(|pursuit| pursuit.live().any(|(_, child)| child.doubt));
        if doubt || order.in_doubt || known.status == crate::parent::ParentStatus::InDoubt {
            return Err(Irreplaceable::InDoubt);
        }
        if order.approval.subscription {
            return Err(Irreplaceable::Subscription);
        }
        let execution = active.signal.execution.as_deref();
        // What sells again what a buy has bought is priced by a policy too.
        let own_side = active.signal.side.is_none_or(|side| side == known.leg.side);
        if !own_side || execution.is_some_and(|it| !it.policy.is_once() || it.price.is_some()) {
            return Err(Irreplaceable::Policy);
        }
        let before = known.progress.as_ref().and_then(|progress| progress.replaced);
        let said = before.map(|before| before.limit_price).or(order.terms.limit_price);
        let (Some(said), OrdType::Limit) = (said, order.terms.ord_type) else { return Err(Irreplaceable::Market) };
        let (leg, filled) = (known.leg.qty, known.cum_qty);
        let (qty, limit_price) = (qty.unwrap_or(leg), limit_price.unwrap_or(said));
        if qty > leg {
            return Err(Irreplaceable::More { asked: qty, leg });
        }
        if qty <= filled {
            return Err(Irreplaceable::Filled { filled });
        }
        let repeated = (qty, limit_price) == (leg, said);
        let waits =
            known.live().any(|live| active.pursuits.get(&parent).is_none_or(|it| !it.is_withdrawn(live.attempt())));
        let put_off_until = if waits { put_off(at, view, active)? } else { None };
        if !repeated {
            let pursuit = active.pursuits.entry(parent).or_insert_with(Pursuit::default);
            pursuit.observe(&order);
            let step = ParentStep::Replaced { order: order.id(), qty, limit_price, who };
            self.step_parent(at, parent, step, fx);
            self.pursue(at, view, id, Some(parent), fx);
        }
        Ok(Replaces { qty, limit_price, repeated, put_off_until })
    }
}

/// When what works can be taken back; none where it can be now. What follows it has to have a session in which to follow.
fn put_off(at: Timestamp, view: View<'_>, active: &Active) -> Result<Option<Timestamp>, Irreplaceable> {
    let execution = active.signal.execution.as_deref();
    let auction = execution.is_some_and(|it| it.opening_auction);
    let hours = Hours::of(view.market, active.signal.symbol, at, auction).ok_or(Irreplaceable::TooLate)?;
    if hours.takes_cancels(at) {
        return Ok(None);
    }
    // What is placed anew on the next day is placed as it is wanted then.
    let lasts = |open: &Timestamp| *open < hours.session_end || execution.is_some_and(|it| it.renew);
    let in_time = |open: &Timestamp| active.row.until.is_none_or(|until| *open < until);
    let open = hours.next_open.filter(|open| *open > at && lasts(open) && in_time(open));
    open.map(Some).ok_or(Irreplaceable::TooLate)
}
