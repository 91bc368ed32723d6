//! What is planned in one step: which signal comes first, and signals that wait for the rest of their basket.

use std::cmp::Reverse;

use super::{Strategy, StrategyEffects};
use crate::ids::SignalId;
use crate::order::Side;
use crate::plan;
use crate::signal::Size;
use crate::units::{Span, Timestamp};
use crate::view::View;

/// A basket is complete when nothing more of it has come for so long: its signals are sent one after the other.
const BASKET_GATHERS: Span = Span::from_secs(2);

impl Strategy {
    /// Starts signals that are due at the same time: higher priority first, what reduces before what opens, so sells
    /// before buys, what takes all the cash last, and then as they came.
    pub(super) fn start_together(
        &mut self,
        at: Timestamp,
        view: View<'_>,
        mut ids: Vec<SignalId>,
        fx: &mut StrategyEffects,
    ) {
        if ids.len() > 1 {
            ids.sort_by_cached_key(|id| (self.priority(*id), self.opens(at, view, *id), self.takes_rest(*id), *id));
        }
        for id in ids {
            self.set_timer(id, None);
            self.start_or_wait(at, view, id, fx);
        }
    }

    pub(super) fn priority(&self, id: SignalId) -> Reverse<i16> {
        Reverse(self.active.get(&id).map_or(0, |active| active.signal.notes.priority))
    }

    /// Whether it buys for what the others leave.
    fn takes_rest(&self, id: SignalId) -> bool {
        self.active.get(&id).is_some_and(|active| active.signal.size == Size::AllIn)
    }

    /// Whether it would buy. A target finds its side by its plan.
    fn opens(&self, at: Timestamp, view: View<'_>, id: SignalId) -> bool {
        let Some(active) = self.active.get(&id) else { return true };
        match active.signal.side {
            Some(side) => side == Side::Buy || active.signal.symbol.is_repo(),
            None => {
                let pending = |account: &_, symbol| self.pending(account, symbol);
                let plan = plan::plan(at, view, &active.signal, &self.conf, &self.groups, pending);
                plan.is_ok_and(|plan| plan.legs.iter().any(|leg| leg.side == Side::Buy))
            }
        }
    }

    /// When the signal's basket is complete, if it has one.
    pub(super) fn gathered_at(&self, id: SignalId) -> Option<Timestamp> {
        // What a person sells of an account at once came at once.
        let signal = self.active.get(&id).map(|active| &active.signal).filter(|signal| signal.account.is_none())?;
        let basket = signal.notes.basket.as_ref()?;
        let unplanned = self.active.values().filter(|active| active.parents.is_empty()).map(|active| &active.signal);
        let others = unplanned.filter(|signal| signal.notes.basket.as_ref() == Some(basket));
        others.map(|signal| signal.received_at).max().map(|newest| newest.plus(BASKET_GATHERS))
    }
}
