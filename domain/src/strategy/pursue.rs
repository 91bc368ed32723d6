//! Legs that are pursued: asks their policies what follows, journals each decision, and carries it out.

use std::sync::Arc;

use crate::contract::Effect;
use crate::denial::Denial;
use crate::event::Event;
use crate::execution::{
    BEFORE_LAST, Decision, Ending, Execution, Goal, Hours, Now, ParentStep, Piece, PriceForm, Pursuit, Quoted, Seen,
    Why,
};
use crate::ids::{ParentId, SignalId};
use crate::order::{OrdType, Order, OrderTerms, Side};
use crate::parent::{Leg, Replaced};
use crate::rules::DayRules;
use crate::signal::{Signal, Source, WaitingFor};
use crate::units::{Qty, Span, Timestamp, TradeDate};
use crate::view::View;

use super::held::{exit_execution, way_out};
use super::{Active, Strategy, StrategyEffects, StrategyState, ex, no_cancel_from, terms_of};

/// The parts of one strategy step.
pub(super) struct Step<'a> {
    pub(super) at: Timestamp,
    pub(super) view: View<'a>,
    pub(super) parent: ParentId,
}

impl Strategy {
    /// Lets the policy of one leg decide, or of all legs of the signal; then the signal's timer is theirs.
    pub(super) fn pursue(
        &mut self,
        at: Timestamp,
        view: View<'_>,
        id: SignalId,
        only: Option<ParentId>,
        fx: &mut StrategyEffects,
    ) {
        let Some(active) = self.active.get(&id).filter(|active| !active.pursuits.is_empty()) else { return };
        let parents: Vec<ParentId> = match only {
            Some(parent) => active.pursuits.contains_key(&parent).then_some(parent).into_iter().collect(),
            None => active.pursuits.keys().copied().collect(),
        };
        for parent in parents {
            let step = Step { at, view, parent };
            // A leg that has ended, or waits for a person, wants nothing at any time.
            let decision = self.follows(&step, id).unwrap_or_default();
            self.carry_out(&step, id, decision, fx);
        }
        let Some(active) = self.active.get(&id) else { return };
        if !active.is_pursued() {
            return self.look_again(id); // other legs have times of their own
        }
        let next = active.pursuits.values().filter_map(|pursuit| pursuit.wake_at).min();
        self.set_timer(id, next);
    }

    /// Builds what is known of the legs' orders again, from the orders themselves.
    pub(super) fn resume_pursuits(
        active: &mut Active,
        orders: &[Arc<Order>],
        denied: &[(Arc<OrderTerms>, Arc<[Denial]>)],
        at: Timestamp,
        fx: &mut StrategyEffects,
    ) {
        for parent in active.parents.iter().filter(|parent| !parent.status.is_final()) {
            let Some(progress) = &parent.progress else { continue };
            // It is looked at once, whatever news of other legs come before.
            let mut pursuit = Pursuit { wake_at: Some(at), ..Pursuit::default() };
            for order in orders.iter().filter(|order| order.parent() == parent.leg.parent) {
                pursuit.observe(order);
            }
            for (terms, denials) in denied.iter().filter(|(terms, _)| terms.id.parent() == parent.leg.parent) {
                pursuit.denied(at, terms, denials);
            }
            for attempt in progress.withdrawn() {
                pursuit.withdrawn(attempt);
                // The account may not have heard of it before the restart.
                if pursuit.live().any(|(live, _)| live == attempt) {
                    let order = parent.leg.parent.order(attempt);
                    fx.cancel.push((parent.leg.account.clone(), order, "taken back before the restart".into()));
                }
            }
            active.pursuits.insert(parent.leg.parent, pursuit);
        }
    }

    /// An order of a canceled signal that nobody takes back any more: the exchange takes no cancels now.
    pub(super) fn keep(&mut self, at: Timestamp, view: View<'_>, order: &Order) {
        let works = !order.status.is_terminal() && !order.cancel_wanted && order.in_flight.is_none();
        let canceled = self.active.get_mut(&order.id().signal()).filter(|active| active.row.cancel_requested);
        if let Some(pursuit) = canceled.and_then(|active| active.pursuits.get_mut(&order.parent()))
            && works
            && !view.market.takes_cancels(order.terms.symbol, at)
        {
            pursuit.kept(order.id().attempt());
        }
    }

    fn follows(&self, step: &Step<'_>, id: SignalId) -> Option<Decision> {
        let Step { at, view, parent } = *step;
        let active = self.active.get(&id)?;
        let pursuit = active.pursuits.get(&parent)?;
        let known = active.parents.iter().find(|known| known.leg.parent == parent)?;
        // What waits for a person is not his yet to pursue.
        let tried = known.waits_for() == Some(WaitingFor::Cash) && active.trying.contains(&parent);
        let kept = known.waits_for().is_some_and(|what| what != WaitingFor::Quote);
        if known.status.is_final() || (kept && !tried) {
            return None;
        }
        let signal = &*active.signal;
        let (plain, exit) = (Execution::default(), exit_execution());
        // What gives up again what the signal took goes out in a way of its own.
        let fired = active.row.held.is_some_and(|held| held.fired.is_some());
        let exits = fired && known.leg.side == way_out(signal);
        let execution = match signal.execution.as_deref() {
            Some(execution) if exits && execution.exits.is_some() => &exit,
            Some(execution) => execution,
            None => &plain,
        };
        let hours = Hours::of(view.market, signal.symbol, at, execution.opening_auction);
        let seen = Seen::of(at, view, signal.symbol);
        let (Some(hours), Some(seen)) = (hours, seen) else {
            // Beyond the calendar nothing can be placed.
            let end = pursuit.live().next().is_none().then_some(Ending::Expired);
            return Some(Decision { end, ..Decision::default() });
        };
        let until = active.row.until.unwrap_or(at);
        let rides_from = view.market.session_end(signal.symbol, until.plus(Span::from_us(-1))).unwrap_or(until);
        let deadline = match no_cancel_from(view, signal.symbol, until) {
            // What would be given up in the closing auction is given up before it. A sell rides along: the auction is its
            // last price.
            Some((from, end)) if known.leg.side == Side::Buy && until < end => {
                from.plus(Span::from_us(-BEFORE_LAST.us()))
            }
            _ => until,
        };
        let elapsed = pursuit.started().map_or(Span::from_us(0), |started| {
            view.market.price_age(signal.symbol, started, at, seen.rules.closing_auction)
        });
        let as_it_is = pursuit.at_once || (!execution.policy.puts_off() && active.waited_for_quote(at, known));
        let quoted = |kind| as_it_is || self.is_quoted(at, view, signal.symbol, &known.leg.account, kind);
        let now = Now {
            quoted: Quoted { market: quoted(OrdType::Market), limit: quoted(OrdType::Limit) },
            hours,
            seen,
            sellable: self.sellable(view, signal, &known.leg, &seen.rules, pursuit.leaves()),
            deadline,
            rides_from,
            elapsed,
            // A strategy that is stopped places nothing more, beside what its monitors give up; what works stays.
            stopped: active.row.cancel_requested
                || (self.state == StrategyState::Stopped && signal.source != Source::Monitor),
            asked_on: known.progress.as_ref().and_then(|progress| progress.asked).map(|(day, _)| day),
        };
        // What was held for its price does not fail for its kind of order.
        let held = exits || execution.conditions.is_some();
        let at_market = match execution.price {
            Some(form) => form == PriceForm::Market,
            None => signal.ord_type == OrdType::Market,
        };
        let out = known.leg.side == Side::Sell || known.leg.gives_up();
        let planned = Goal {
            side: known.leg.side,
            qty: known.leg.qty,
            policy: execution.policy,
            form: if held && at_market { Some(seen.at_once(known.leg.side)) } else { execution.price },
            limit: ex::limit_of(at, view, signal, known.leg.side).filter(|_| signal.ord_type == OrdType::Limit),
            tif: signal.time_in_force,
            renew: execution.renew,
            out,
            insists: out && (held || signal.source == Source::Monitor),
            replaced: None,
        };
        let goal = match known.progress.as_ref().and_then(|progress| progress.replaced) {
            Some(Replaced { newest, limit_price, at: since }) => {
                let limit = ex::price_now(at, view, (signal.symbol, planned.side), (limit_price, since));
                Goal { form: None, limit: Some(limit), replaced: Some(newest), ..planned }
            }
            None => planned,
        };
        Some(pursuit.decide(at, &goal, &now))
    }

    /// What of the book may be sold today and is not promised to other legs.
    fn sellable(&self, view: View<'_>, signal: &Signal, leg: &Leg, rules: &DayRules, own: Qty) -> Qty {
        if leg.side == Side::Buy {
            return Qty::ZERO;
        }
        if signal.symbol.is_repo() {
            return leg.qty; // nobody holds what he lends
        }
        let Some(ledger) = view.ledgers.get(&leg.account) else { return Qty::ZERO };
        let (qty, bought_today) = if signal.source == Source::Manual {
            let holding = ledger.holding(signal.symbol);
            (holding.qty, holding.bought_today)
        } else {
            ledger.book(signal.symbol, &signal.strategy).map_or((Qty::ZERO, Qty::ZERO), |b| (b.qty, b.bought_today))
        };
        let held = if rules.min_holding_days > 0 { qty - bought_today } else { qty };
        let of_others = self
            .active
            .values()
            .filter(|a| a.signal.symbol == signal.symbol)
            .flat_map(|a| a.parents.iter().map(move |p| (a, p)))
            .filter(|(_, p)| !p.status.is_final() && p.leg.parent != leg.parent)
            .filter(|(_, p)| p.leg.account == leg.account && p.leg.side == Side::Sell)
            .map(|(a, p)| a.leaves(p))
            .sum::<Qty>();
        (held - of_others - own).max(Qty::ZERO)
    }

    fn carry_out(&mut self, step: &Step<'_>, id: SignalId, decision: Decision, fx: &mut StrategyEffects) {
        let Step { at, parent, .. } = *step;
        let Decision { place, withdraw, why, ask, end, unquoted, wake_at } = decision;
        if let Some(pursuit) = self.active.get_mut(&id).and_then(|active| active.pursuits.get_mut(&parent)) {
            pursuit.wake_at = wake_at;
            pursuit.at_once = false;
        }
        if let Some((why, date)) = ask.zip(self.trade_date(step, id)) {
            self.step_parent(at, parent, ParentStep::Asked { why, trade_date: date }, fx);
        }
        for attempt in withdraw {
            let (order, why) = (parent.order(attempt), why.unwrap_or(Why::TimeOut));
            self.step_parent(at, parent, ParentStep::Withdrawn { order, why }, fx);
            let Some(active) = self.active.get_mut(&id) else { return };
            if let Some(pursuit) = active.pursuits.get_mut(&parent) {
                pursuit.withdrawn(attempt);
            }
            if let Some(of) = active.parents.iter().find(|known| known.leg.parent == parent) {
                fx.cancel.push((of.leg.account.clone(), order, Arc::from(<&str>::from(why))));
            }
        }
        for piece in place {
            let Some(active) = self.active.get_mut(&id) else { return };
            let Some(terms) = next_terms(active, step, piece) else { return };
            if let Some(pursuit) = active.pursuits.get_mut(&parent) {
                pursuit.asked(at, &terms);
            }
            active.unasked.remove(&parent);
            fx.check.push(terms);
        }
        if unquoted && end.is_none() {
            self.pursuit_waits(step, fx);
        }
        if let Some(ending) = end {
            self.step_parent(at, parent, ParentStep::Ended { ending }, fx);
        }
    }

    fn trade_date(&self, step: &Step<'_>, id: SignalId) -> Option<TradeDate> {
        step.view.market.trade_date(self.active.get(&id)?.signal.symbol, step.at)
    }

    pub(super) fn step_parent(&mut self, at: Timestamp, parent: ParentId, step: ParentStep, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get(&parent.signal()) else { return };
        let Some(of) = active.parents.iter().find(|known| known.leg.parent == parent) else { return };
        let (strategy, account) = (self.conf.id.clone(), of.leg.account.clone());
        fx.events.push(Event::ParentStepped { strategy, account, parent, step: step.clone() });
        self.update_parent(at, at, parent, fx, |_, parent| parent.step(at, &step));
    }
}

/// The next attempt of the leg.
fn next_terms(active: &Active, step: &Step<'_>, piece: Piece) -> Option<Arc<OrderTerms>> {
    let Step { at, parent, .. } = *step;
    let attempt = active.pursuits.get(&parent)?.next_attempt();
    let leg = &active.parents.iter().find(|known| known.leg.parent == parent)?.leg;
    let first = terms_of(&active.signal, leg, active.row.until.unwrap_or(at));
    let ord_type = if piece.price.is_some() { OrdType::Limit } else { OrdType::Market };
    Some(Arc::new(OrderTerms {
        id: parent.order(attempt),
        effect: effect_now(active, step, leg),
        ord_type,
        limit_price: piece.price,
        qty: piece.qty,
        ..(*first).clone()
    }))
}

/// Lots that were of the day when their close began are of an earlier one after it. A flag that the sender named stays.
fn effect_now(active: &Active, step: &Step<'_>, leg: &Leg) -> Option<Effect> {
    let (today, signal) = (Some(Effect::CloseToday), &active.signal);
    if leg.effect != today || signal.position_effect == today {
        return leg.effect;
    }
    let date = |at| step.view.market.trade_date(signal.symbol, at);
    let began = active.pursuits.get(&step.parent).and_then(|pursuit| date(pursuit.started()?));
    if began.is_some_and(|began| date(step.at) > Some(began)) { Some(Effect::CloseYesterday) } else { today }
}

/// Of which kind the signal's orders are.
pub(super) fn ord_type(signal: &Signal) -> OrdType {
    match signal.execution.as_ref().and_then(|execution| execution.price) {
        Some(PriceForm::Market) => OrdType::Market,
        Some(_) => OrdType::Limit,
        None => signal.ord_type,
    }
}

/// Until when the signal has to wait for its session; `None` when it need not. The inner one is none beyond the calendar.
pub(super) fn closed_until(at: Timestamp, view: View<'_>, signal: &Signal) -> Option<Option<Timestamp>> {
    let auction = signal.execution.as_ref().is_some_and(|execution| execution.opening_auction);
    let ord_type = ord_type(signal);
    if view.market.is_open(signal.symbol, ord_type, at) {
        return None;
    }
    if !auction || ord_type == OrdType::Market {
        return Some(view.market.next_open(signal.symbol, at));
    }
    match Hours::of(view.market, signal.symbol, at, true) {
        Some(hours) if hours.open => None,
        hours => Some(hours.and_then(|hours| hours.next_open)),
    }
}

/// Why the signal cannot be priced now, before anything of it is planned.
pub(super) fn unpriced(at: Timestamp, view: View<'_>, signal: &Signal) -> Option<Denial> {
    let form = signal.execution.as_ref()?.price?;
    let seen = Seen::of(at, view, signal.symbol)?;
    let of = |side| seen.price(form, side).err();
    match signal.side {
        Some(side) => of(side),
        None => of(Side::Buy).or_else(|| of(Side::Sell)),
    }
}

/// As the signal is planned: a price that is found when it is placed counts with what it is now.
pub(super) fn priced(at: Timestamp, view: View<'_>, signal: &Arc<Signal>) -> Arc<Signal> {
    let form = signal.execution.as_ref().and_then(|execution| execution.price);
    let Some(form) = form.filter(|form| *form != PriceForm::Market) else { return ex::of_day(at, view, signal) };
    let side = signal.side.unwrap_or(Side::Buy);
    let price = Seen::of(at, view, signal.symbol).and_then(|seen| seen.price(form, side).ok().flatten());
    let Some(price) = price else { return signal.clone() };
    Arc::new(Signal { ord_type: OrdType::Limit, limit_price: Some(price), ..(**signal).clone() })
}

/// Whether the leg needs more than one order: by its signal's word, or because the board takes no single one so large.
/// An issue is subscribed to by one order or by none, whatever the signal says.
pub(super) fn is_pursued(at: Timestamp, view: View<'_>, signal: &Signal, leg: &Leg) -> bool {
    if view.market.is_issue(signal.symbol, at) {
        return false;
    }
    let above_max = || {
        let date = view.market.trade_date(signal.symbol, at)?;
        let rules = view.market.day(signal.symbol, date).ok()?;
        Some(leg.qty > rules.order_max(signal.ord_type))
    };
    leg.mode.sends() && (signal.execution.is_some() || above_max().unwrap_or(false))
}
