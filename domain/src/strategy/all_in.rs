//! Buys for all the cash there is: while sells of their strategy bring more of it, they wait to be planned.

use super::{Strategy, StrategyState, pursue};
use crate::ids::SignalId;
use crate::manner::ShortOfCash;
use crate::signal::Size;
use crate::units::{Span, Timestamp};
use crate::view::View;

impl Strategy {
    /// Until when the signal waits for the strategy's live sells in its accounts, counted from its first look at them.
    pub(super) fn sells_until(&mut self, at: Timestamp, view: View<'_>, id: SignalId) -> Option<Timestamp> {
        let signal = &self.active.get(&id)?.signal;
        if signal.size != Size::AllIn || self.state != StrategyState::Active {
            return None;
        }
        if pursue::closed_until(at, view, signal).is_some() {
            return None; // it waits for its session, and cash is asked for then
        }
        let selling = self.selling();
        let patience = |policy: ShortOfCash| policy.patience().filter(|span| *span > Span::ZERO);
        let longest = match &signal.account {
            Some(account) => patience(ShortOfCash::default()).filter(|_| selling.contains(account)),
            None => {
                let sells = |route: &&super::Route| route.accounts(&self.groups).iter().any(|a| selling.contains(a));
                self.conf.routes.iter().filter(sells).filter_map(|route| patience(route.short_of_cash)).max()
            }
        };
        let until = longest.map(|span| *self.all_in.entry(id).or_insert_with(|| at.plus(span)));
        let waits = until.filter(|until| at < *until);
        if waits.is_none() {
            self.all_in.remove(&id);
        }
        waits
    }

    /// A sell of the strategy has ended: whoever waits for all of them looks again.
    pub(super) fn look_for_all_in(&mut self, at: Timestamp) {
        self.all_in.retain(|id, _| self.active.get(id).is_some_and(|active| active.parents.is_empty()));
        let ids: Vec<SignalId> = self.all_in.keys().copied().collect();
        ids.into_iter().for_each(|id| self.set_timer(id, Some(at)));
    }
}
