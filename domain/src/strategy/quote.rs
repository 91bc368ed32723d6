//! What acts by our own clock waits for a quote: a start knows none, and many a share trades seconds after the open. Whoever
//! sends a signal while its market is open is there to be told, and is told at once; what was held, waited, or follows an
//! order of its policy would be denied for good with nobody to send it again.
//!
//! How old a quote may be is risk's to say, here as there. Risk remains the last word: what has waited long enough goes to
//! it as it is, and is denied with its numbers.

use super::pursue::{Step, ord_type};
use super::{Active, NOBODY, Strategy, StrategyEffects, StrategyState, ex, remove, terms_of};
use crate::event::Event;
use crate::ids::{AccountId, ParentId, SignalId};
use crate::manner::RouteMode;
use crate::order::OrdType;
use crate::parent::{Parent, Wait};
use crate::risk::Limits;
use crate::signal::{Signal, SignalStatus, Size, WaitingFor};
use crate::symbol::Symbol;
use crate::units::{Span, Timestamp};
use crate::view::View;

/// So much trading time something waits for a quote. A feed that starts shows everything within seconds, and a share that
/// is traded at all has a price within minutes of the open; what has none then is halted or not in the feed, and its owner
/// should hear of it while the morning is young.
const QUOTE_WAIT: Span = Span::from_secs(180);

impl Strategy {
    /// Whether risk would find a quote of the symbol that is young enough for an order of this kind.
    pub(super) fn is_quoted(
        &self,
        at: Timestamp,
        view: View<'_>,
        symbol: Symbol,
        account: &AccountId,
        ord_type: OrdType,
    ) -> bool {
        if view.market.is_issue(symbol, at) {
            return true; // at its own price
        }
        let date = view.market.trade_date(symbol, at);
        let Some(rules) = date.and_then(|date| view.market.day(symbol, date).ok()) else { return true };
        let most = view.aside.quote_age(account, &self.conf.id).unwrap_or_else(|| Limits::default().quote_age());
        let age = view.quote_age(at, symbol, rules.closing_auction);
        age.is_some_and(|age| age <= most.most(ord_type))
    }

    /// The same for what a plan of the signal would send, or would reckon with.
    fn is_quoted_for(&self, at: Timestamp, view: View<'_>, signal: &Signal) -> bool {
        let quoted = |account: &AccountId| self.is_quoted(at, view, signal.symbol, account, ord_type(signal));
        if let Some(account) = &signal.account {
            return quoted(account);
        }
        let by_price = !matches!(signal.size, Size::Quantity(_) | Size::TargetQuantity(_) | Size::All);
        // Legs that a person lets go, or trades himself, need no price before he does.
        let needs = |mode| by_price || matches!(mode, RouteMode::Auto | RouteMode::Shadow);
        let routes = self.conf.routes.iter().filter(|route| needs(route.mode));
        routes.flat_map(|route| route.accounts(&self.groups).into_owned()).all(|account| quoted(&account))
    }

    /// Until when the signal, that nobody sent just now, waits for a quote before it is planned.
    pub(super) fn quote_is_missing(&mut self, at: Timestamp, view: View<'_>, id: SignalId) -> Option<Timestamp> {
        let active = self.active.get(&id)?;
        let was_kept = active.row.waiting_for.is_some() || active.signal.received_at < self.since;
        if !was_kept || self.is_quoted_for(at, view, &active.signal) {
            return None;
        }
        let symbol = active.signal.symbol;
        let active = self.active.get_mut(&id)?;
        let until = *active.quote_until.get_or_insert_with(|| long_enough(at, view, symbol));
        if at >= until {
            return None;
        }
        self.unquoted.entry(symbol).or_default().insert(id);
        Some(until)
    }

    /// Prices were shown: what waits for one of them has its turn, after all news that are on their way.
    pub(super) fn look_for_quotes(&mut self, at: Timestamp, view: View<'_>) {
        let is_new = |symbol: &Symbol| view.quotes.get(*symbol).is_some_and(|quote| at.since(quote.at) <= QUOTE_WAIT);
        let waiting = self.unquoted.iter().filter(|(symbol, _)| is_new(symbol));
        let ids: Vec<SignalId> = waiting.flat_map(|(_, ids)| ids).copied().collect();
        ids.into_iter().for_each(|id| self.set_timer(id, Some(at)));
    }

    /// It is looked at now, and watched again if it goes on waiting.
    pub(super) fn unwatch(&mut self, id: SignalId) {
        if let Some(active) = self.active.get(&id) {
            remove(&mut self.unquoted, active.signal.symbol, id);
        }
    }

    /// Sends the first orders of legs that waited for a quote, or that an earlier life did not come to.
    pub(super) fn try_quoted(&mut self, at: Timestamp, view: View<'_>, id: SignalId, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get(&id) else { return };
        let signal = ex::of_day(at, view, &active.signal);
        let open = view.market.is_open(signal.symbol, signal.ord_type, at);
        let runs = self.state == StrategyState::Active;
        let (mut go, mut wait, mut end) = (Vec::new(), Vec::new(), Vec::new());
        let single = |p: &&Parent| !p.status.is_final() && !active.pursuits.contains_key(&p.leg.parent);
        for parent in active.parents.iter().filter(single) {
            let leg = parent.leg.parent;
            let (unasked, waits) = (active.unasked.contains(&leg), parent.waits_for() == Some(WaitingFor::Quote));
            if !unasked && (!waits || active.trying.contains(&leg)) {
                continue;
            }
            let quoted = self.is_quoted(at, view, signal.symbol, &parent.leg.account, signal.ord_type);
            let waited = active.waited_for_quote(at, parent);
            match () {
                () if active.row.cancel_requested || (waits && waited && !runs) => end.push(leg),
                // Outside of the session risk has something else to say.
                () if (quoted && (runs || !waits)) || waited || (unasked && !waits && !open) => go.push(leg),
                () if unasked || !waits => wait.push(leg),
                () => {}
            }
        }
        let watches = active.for_quote().next().is_some();
        if watches {
            self.unquoted.entry(signal.symbol).or_default().insert(id);
        }
        let until = self.active.get(&id).and_then(|active| active.row.until).unwrap_or(at);
        for leg in go {
            let Some(active) = self.active.get_mut(&id) else { return };
            active.unasked.remove(&leg);
            let Some(parent) = active.parent(leg) else { continue };
            let terms = terms_of(&signal, &parent.leg, until);
            let to = if parent.leg.mode == RouteMode::Shadow { &mut fx.judge } else { &mut fx.check };
            to.push(terms);
            if parent.waits.is_some() {
                active.trying.insert(leg);
            }
        }
        self.legs_wait(at, view, &wait, fx);
        let canceled = self.active.get(&id).is_some_and(|active| active.row.cancel_requested);
        let why = if canceled { "the signal is canceled" } else { "the strategy is not active" };
        let why = (&NOBODY.into(), why);
        self.end_legs(at, id, &end, SignalStatus::Canceled, why, fx);
    }

    /// The legs wait for a quote from now on.
    pub(super) fn legs_wait(&mut self, at: Timestamp, view: View<'_>, legs: &[ParentId], fx: &mut StrategyEffects) {
        let Some(active) = legs.first().and_then(|leg| self.active.get(&leg.signal())) else { return };
        let until = long_enough(at, view, active.signal.symbol).min(active.row.until.unwrap_or(at));
        self.keep_for_quote(at, legs, until, fx);
    }

    fn keep_for_quote(&mut self, at: Timestamp, legs: &[ParentId], until: Timestamp, fx: &mut StrategyEffects) {
        let Some(id) = legs.first().map(|leg| leg.signal()) else { return };
        let Some(active) = self.active.get_mut(&id) else { return };
        for leg in legs {
            active.unasked.remove(leg);
            active.trying.remove(leg);
        }
        self.unquoted.entry(active.signal.symbol).or_default().insert(id);
        let wait = Wait { what: WaitingFor::Quote, until: Some(until) };
        fx.events.push(Event::LegsWaiting {
            strategy: self.conf.id.clone(),
            signal: id,
            parents: legs.into(),
            waiting_for: wait.what,
            until: wait.until,
        });
        self.change_legs(id, legs, fx, |parent| parent.wait(wait));
        self.fold_signal(at, id, false, fx);
        self.look_again(id);
    }

    /// An order of the leg is due, and its policy waits for a quote. While another one works, that is what the leg does.
    pub(super) fn pursuit_waits(&mut self, step: &Step<'_>, fx: &mut StrategyEffects) {
        let Step { at, view, parent } = *step;
        let id = parent.signal();
        let Some(active) = self.active.get_mut(&id) else { return };
        let symbol = active.signal.symbol;
        self.unquoted.entry(symbol).or_default().insert(id);
        active.trying.remove(&parent);
        let Some(pursuit) = active.pursuits.get(&parent) else { return };
        if pursuit.live().next().is_some() {
            return;
        }
        let last = active.row.until.unwrap_or(at);
        let (known, renewed) = (active.parent(parent).and_then(|leg| leg.waits), active.unasked.contains(&parent));
        let until = match known {
            Some(Wait { what: WaitingFor::Quote, until }) if !renewed => until.unwrap_or(last),
            _ => {
                let execution = active.signal.execution.as_ref();
                // What a buy has bought goes out in a way of its own.
                let side = active.parent(parent).map(|parent| parent.leg.side);
                let own_side = active.signal.side.is_none() || active.signal.side == side;
                let puts_off = own_side && execution.is_some_and(|execution| execution.policy.puts_off());
                let until = if puts_off { last } else { long_enough(at, view, symbol).min(last) };
                self.keep_for_quote(at, &[parent], until, fx);
                until
            }
        };
        let pursuit = self.active.get_mut(&id).and_then(|active| active.pursuits.get_mut(&parent));
        if let Some(pursuit) = pursuit.filter(|_| at < until) {
            pursuit.wake_at = Some(pursuit.wake_at.map_or(until, |known| known.min(until)));
        }
    }
}

impl Active {
    /// Single orders that wait for a quote and are not with risk, and until when.
    pub(super) fn for_quote(&self) -> impl Iterator<Item = (ParentId, Timestamp)> {
        let waits = |parent: &Parent| match parent.waits {
            Some(Wait { what: WaitingFor::Quote, until }) => Some((parent.leg.parent, until.unwrap_or_default())),
            _ => None,
        };
        let single = |id: &ParentId| !self.trying.contains(id) && !self.pursuits.contains_key(id);
        self.parents.iter().filter_map(waits).filter(move |(id, _)| single(id))
    }

    /// Whether the leg has waited for a quote long enough. The time in which no process ran was no wait.
    pub(super) fn waited_for_quote(&self, at: Timestamp, leg: &Parent) -> bool {
        let over = |wait: Wait| wait.what == WaitingFor::Quote && wait.until.is_some_and(|until| until <= at);
        leg.waits.is_some_and(over) && !self.unasked.contains(&leg.leg.parent)
    }
}

/// When something has waited long enough that could have acted at this instant: so much trading time later.
fn long_enough(at: Timestamp, view: View<'_>, symbol: Symbol) -> Timestamp {
    let later = at.plus(QUOTE_WAIT);
    let date = view.market.trade_date(symbol, at);
    let closing_auction = date.and_then(|date| view.market.day(symbol, date).ok()).is_some_and(|r| r.closing_auction);
    // Over a pause, what is left of it begins with the next session.
    let left = QUOTE_WAIT.us() - view.market.price_age(symbol, at, later, closing_auction).us();
    match view.market.next_open(symbol, later).filter(|_| left > 0) {
        Some(open) => open.plus(Span::from_us(left)),
        None => later,
    }
}
