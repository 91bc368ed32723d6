//! Signals that are held until a condition comes true, or until a time: nothing of them is at any broker meanwhile.
//!
//! What a trailing stop hangs on is a fact every ten seconds at the most, never with a tick. A restart goes on from the
//! newest of them, and from the prices that are shown then.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::contract::{Contract, Effect};
use crate::event::Event;
use crate::execution::{Condition, Conditions, Execution, Policy, Pursuit, Traded};
use crate::ids::{AccountId, SignalId};
use crate::order::Side;
use crate::parent::{Leg, Parent, fold};
use crate::quote::Quote;
use crate::row::Row;
use crate::signal::{Signal, SignalStatus, WaitingFor};
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Span, Timestamp, TradeDate};
use crate::view::View;

use super::ex::Ex;
use super::{Active, Strategy, StrategyEffects, parent_row};

/// What is known of a signal that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub since: Timestamp,
    /// The best price since then, as it was marked last: what a trail hangs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Price>,
    /// Which condition came true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired: Option<Condition>,
}

impl Held {
    #[must_use]
    pub const fn since(since: Timestamp) -> Self {
        Self { since, best: None, fired: None }
    }
}

/// What this life has seen of a signal that is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watch {
    /// Trades from here on were not looked at. What an earlier life has looked at is behind its best price.
    from: Timestamp,
    best: Option<Price>,
    marked_at: Option<Timestamp>,
    /// What came true, and the last price then: it is in the line of what goes.
    met: Option<(Condition, Price)>,
}

const MARK_EVERY: Span = Span::from_secs(10);
/// What makes a condition true is not older than this.
const QUOTE_AGE_MAX: Span = Span::from_secs(60);
/// An exit that came true is tried so long.
pub(crate) const EXIT_FOR: Span = Span::from_secs(10 * 86_400);
const EXIT_EVERY: Span = Span::from_secs(30);
/// So many go in one step and in one entry of the journal: a halt does not wait for all that one price sets off.
const FIRED_PER_STEP: usize = 64;

/// Whether what is shown may make a condition true. What an auction shows is no trade, and yesterday's is none of today.
fn counts(at: Timestamp, view: View<'_>, quote: &Quote) -> bool {
    let continuous = |at: Timestamp| view.market.is_continuous(quote.symbol, at, true);
    continuous(at) && continuous(quote.at) && view.market.price_age(quote.symbol, quote.at, at, true) <= QUOTE_AGE_MAX
}

/// The side of a signal's way out: it sells what was bought, and buys back what was sold short.
pub(super) fn way_out(signal: &Signal) -> Side {
    signal.side.map_or(Side::Sell, Side::opposite)
}

/// How an exit goes out once its condition came true: at the market, again and again until it is out.
#[must_use]
pub fn exit_execution() -> Execution {
    let policy = Policy::SellUntilDone {
        reprice_every: EXIT_EVERY,
        escalate_after: Some(Span::from_secs(300)),
        market_after: None,
    };
    Execution { policy, price: Some(crate::execution::PriceForm::Market), ..Execution::default() }
}

impl Strategy {
    /// The symbols whose prices this strategy wants to hear of.
    pub fn watched(&self) -> impl Iterator<Item = Symbol> {
        self.held.keys().chain(self.unquoted.keys()).copied()
    }

    /// Whether the signal is to be held now, and what for. A signal whose condition came true is not held again.
    pub(super) fn holds(&self, at: Timestamp, id: SignalId) -> Option<WaitingFor> {
        let active = self.active.get(&id)?;
        let execution = active.signal.execution.as_ref()?;
        if execution.not_before.is_some_and(|from| at < from) {
            return Some(WaitingFor::Time);
        }
        let fired = active.row.held.is_some_and(|held| held.fired.is_some());
        (execution.conditions.is_some() && !fired).then_some(WaitingFor::Trigger)
    }

    /// Holds it: from here on trades are looked at.
    pub(super) fn hold(&mut self, at: Timestamp, id: SignalId, what: WaitingFor, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get_mut(&id) else { return };
        let (symbol, until) = (active.signal.symbol, active.row.until);
        let not_before = active.signal.execution.as_ref().and_then(|execution| execution.not_before);
        let look_again = match what {
            WaitingFor::Time => not_before.into_iter().chain(until).min(),
            _ => until,
        };
        if active.row.waiting_for != Some(what) {
            fx.events.push(Event::SignalWaiting {
                strategy: self.conf.id.clone(),
                signal: id,
                waiting_for: what,
                until: look_again.unwrap_or(at),
            });
            active.row.status = SignalStatus::Waiting;
            active.row.waiting_for = Some(what);
            if what == WaitingFor::Trigger {
                active.row.held = Some(Held::since(at));
            }
            active.row.updated_at = at;
            fx.rows.push(Row::Signal(active.row.clone()));
        }
        if what == WaitingFor::Trigger {
            let best = active.row.held.and_then(|held| held.best);
            active.watch.get_or_insert(Watch { from: at, best, marked_at: None, met: None });
            self.held.entry(symbol).or_default().insert(id);
            return self.mark_best(at, id, fx);
        }
        self.set_timer(id, look_again);
    }

    /// The signal is not held any more.
    pub(super) fn let_go(&mut self, symbol: Symbol, id: SignalId) {
        super::remove(&mut self.held, symbol, id);
    }

    /// Trades were shown: looks at what is held.
    pub(super) fn look(&mut self, at: Timestamp, view: View<'_>, fx: &mut StrategyEffects) {
        self.look_for_quotes(at, view);
        let ids: Vec<SignalId> = self.held.values().flat_map(BTreeSet::iter).copied().collect();
        let mut met: Vec<SignalId> = ids.into_iter().filter(|id| self.look_at(at, view, *id, fx)).collect();
        // One price may set off many: they go as what is planned together does.
        met.sort_by_cached_key(|id| (self.priority(*id), !self.reduces(*id), *id));
        let in_line = self.has_set_off();
        self.set_off.extend(met);
        if !in_line {
            self.go_on(at, view, fx);
        }
        self.end_what_is_gone(at, view, fx);
    }

    /// Whether more was set off than went: [`super::StrategyInput::GoOn`] is wanted.
    #[must_use]
    pub fn has_set_off(&self) -> bool {
        !self.set_off.is_empty()
    }

    /// Lets some go of what was set off. Those that were stopped since have no condition any more.
    pub(super) fn go_on(&mut self, at: Timestamp, view: View<'_>, fx: &mut StrategyEffects) {
        for _ in 0..FIRED_PER_STEP {
            let Some(id) = self.set_off.pop_front() else { return };
            let watch = self.active.get_mut(&id).and_then(|active| active.watch.as_mut());
            let Some((condition, price)) = watch.and_then(|watch| watch.met.take()) else { continue };
            let entered = self.active.get(&id).is_some_and(|active| !active.parents.is_empty());
            if !entered || self.any_to_exit(at, view, id) {
                self.fire(at, view, id, condition, price, fx);
            }
        }
    }

    /// What a way out is held for may go by another one. Whatever its book takes in later is not what it bought.
    fn end_what_is_gone(&mut self, at: Timestamp, view: View<'_>, fx: &mut StrategyEffects) {
        let all = self.held.values().flat_map(BTreeSet::iter);
        let gone: Vec<SignalId> = all.filter(|id| self.is_gone(view, **id)).copied().collect();
        for id in gone {
            let strategy = self.conf.id.clone();
            fx.events.push(Event::ExitPlanned { strategy, signal: id, legs: [].into() });
            self.stop_held(at, id, fx);
        }
    }

    fn is_gone(&self, view: View<'_>, id: SignalId) -> bool {
        let Some(active) = self.active.get(&id) else { return false };
        let (symbol, strategy) = (active.signal.symbol, &active.signal.strategy);
        let empty = |parent: &Parent| {
            let Some(ledger) = view.ledgers.get(&parent.leg.account) else { return false };
            let lots = ledger.contract(symbol, strategy, Effect::Open.direction(parent.leg.side));
            let shares = ledger.book(symbol, strategy);
            !shares.is_some_and(|book| book.qty.is_positive()) && !lots.is_some_and(|book| book.qty().is_positive())
        };
        let mut taken = active.parents.iter().filter(|parent| parent.cum_qty.is_positive()).peekable();
        taken.peek().is_some() && taken.all(empty)
    }

    /// Whether what it is held for makes a position smaller: a sell, or the way out of what it has bought.
    fn reduces(&self, id: SignalId) -> bool {
        self.active.get(&id).is_some_and(|active| active.signal.side == Some(Side::Sell) || !active.parents.is_empty())
    }

    /// Whether the news of its symbol meet a condition.
    fn look_at(&mut self, at: Timestamp, view: View<'_>, id: SignalId, fx: &mut StrategyEffects) -> bool {
        let Some((side, conditions)) = self.conditions(id) else { return false };
        let Some(active) = self.active.get_mut(&id) else { return false };
        let symbol = active.signal.symbol;
        let Some(watch) = active.watch.as_mut().filter(|watch| watch.met.is_none()) else { return false };
        let Some(quote) = view.quotes.get(symbol) else { return false };
        let from = watch.from;
        if quote.at < from {
            return false;
        }
        watch.from = quote.at.plus(Span::from_us(1));
        if !counts(at, view, quote) {
            return false;
        }
        let alone = Traded { high: quote.last, low: quote.last, last: quote.last };
        let seen = view.quotes.seen_since(symbol, from).filter(|_| view.market.is_continuous(symbol, from, true));
        let traded = seen.map_or(alone, |(high, low, last)| Traded { high, low, last });
        // Conditions and the best price stay those of the signal's day.
        let ex = Ex::since(view, symbol, active.signal.received_at, at);
        let traded = ex.map_or(traded, |ex| ex.traded(view, traded));
        let (met, best) = conditions.look(side, watch.best, traded);
        let moved = conditions.trail.is_some() && watch.best != Some(best);
        watch.best = Some(best);
        watch.met = met.map(|condition| (condition, quote.last));
        if met.is_none() && moved {
            self.mark_best(at, id, fx);
        }
        met.is_some()
    }

    /// A stop that the price has passed already when it comes does not wait for the next trade. A trail begins with that
    /// one; so does every way out, since what is shown may be of before the fill.
    pub(super) fn look_at_shown(&mut self, at: Timestamp, view: View<'_>, id: SignalId, fx: &mut StrategyEffects) {
        let Some((side, conditions)) = self.conditions(id) else { return };
        let Some(signal) = self.active.get(&id).filter(|active| active.parents.is_empty()).map(|a| &a.signal) else {
            return;
        };
        let Some(quote) = view.quotes.get(signal.symbol).filter(|quote| counts(at, view, quote)) else { return };
        let alone = Traded { high: quote.last, low: quote.last, last: quote.last };
        let ex = Ex::since(view, signal.symbol, signal.received_at, at);
        let traded = ex.map_or(alone, |ex| ex.traded(view, alone));
        if let (Some(condition), _) = (Conditions { trail: None, ..conditions }).look(side, None, traded) {
            self.fire(at, view, id, condition, quote.last, fx);
        }
    }

    /// Journals what the trail hangs on, unless it was done a moment ago: then later.
    pub(super) fn mark_best(&mut self, at: Timestamp, id: SignalId, fx: &mut StrategyEffects) {
        let hangs = self.conditions(id).is_some_and(|(_, conditions)| conditions.trail.is_some());
        let Some(active) = self.active.get_mut(&id) else { return };
        let (Some(watch), Some(held)) = (active.watch.as_mut(), active.row.held.as_mut()) else { return };
        let trails = hangs && watch.best.is_some() && held.best != watch.best;
        let due = watch.marked_at.map_or(at, |marked| marked.plus(MARK_EVERY));
        let until = active.row.until;
        let next = if trails && at < due {
            Some(due)
        } else {
            if trails {
                watch.marked_at = Some(at);
                held.best = watch.best;
                if let Some(best) = watch.best {
                    fx.events.push(Event::TriggerMarked { strategy: self.conf.id.clone(), signal: id, best });
                    active.row.updated_at = at;
                    fx.rows.push(Row::Signal(active.row.clone()));
                }
            }
            None
        };
        self.set_timer(id, next.into_iter().chain(until).min());
    }

    fn fire(
        &mut self,
        at: Timestamp,
        view: View<'_>,
        id: SignalId,
        condition: Condition,
        price: Price,
        fx: &mut StrategyEffects,
    ) {
        let Some(active) = self.active.get_mut(&id) else { return };
        let symbol = active.signal.symbol;
        let entered = !active.parents.is_empty();
        if let Some(held) = active.row.held.as_mut() {
            held.fired = Some(condition);
        }
        active.row.updated_at = at;
        active.watch = None;
        fx.events.push(Event::TriggerFired { strategy: self.conf.id.clone(), signal: id, condition, price });
        fx.rows.push(Row::Signal(active.row.clone()));
        self.let_go(symbol, id);
        if entered {
            self.exit(at, view, id, fx);
        } else {
            self.start_or_wait(at, view, id, fx);
        }
    }

    /// What is looked at for the signal now: the way in, or once that has ended the way out.
    fn conditions(&self, id: SignalId) -> Option<(Side, Conditions)> {
        let active = self.active.get(&id)?;
        let execution = active.signal.execution.as_ref()?;
        if active.parents.is_empty() {
            // A target that is held is a way out: what it buys is bought at once.
            Some((active.signal.side.unwrap_or(Side::Sell), execution.conditions?))
        } else {
            Some((way_out(&active.signal), execution.exits?))
        }
    }

    /// All legs have ended: whether what they bought or opened is held for a way out, instead of being final.
    pub(super) fn holds_exits(&mut self, at: Timestamp, id: SignalId, fx: &mut StrategyEffects) -> bool {
        let Some(active) = self.active.get_mut(&id) else { return false };
        let exits = active.signal.execution.as_ref().is_some_and(|execution| execution.exits.is_some());
        let taken = |p: &Parent| !p.leg.gives_up() && p.cum_qty.is_positive();
        let way_out = way_out(&active.signal);
        let out = active.parents.iter().any(|p| p.leg.side == way_out);
        if !exits || out || active.row.cancel_requested || !active.parents.iter().any(taken) {
            return false;
        }
        if active.row.waiting_for == Some(WaitingFor::Trigger) {
            return true; // a fill that came late
        }
        active.pursuits.clear();
        active.row.until = None;
        active.watch = None;
        self.hold(at, id, WaitingFor::Trigger, fx);
        true
    }

    /// Whether anything of what was taken may be given up now (T+1).
    fn any_to_exit(&self, at: Timestamp, view: View<'_>, id: SignalId) -> bool {
        let Some(active) = self.active.get(&id) else { return false };
        let any = |parent: &Parent| self.to_exit(at, view, parent, active).iter().any(|(_, qty)| qty.is_positive());
        active.parents.iter().any(any)
    }

    /// What may be given up now of what the leg took, by the effect of the order that does it.
    fn to_exit(&self, at: Timestamp, view: View<'_>, parent: &Parent, active: &Active) -> [(Option<Effect>, Qty); 2] {
        let symbol = active.signal.symbol;
        let date = view.market.trade_date(symbol, at);
        let rules = date.and_then(|date| view.market.day(symbol, date).ok());
        match (date, rules.and_then(|rules| rules.contract)) {
            (Some(date), Some(contract)) => self.lots_to_exit(date, view, parent, active, &contract),
            _ => {
                let t0 = rules.is_some_and(|rules| rules.min_holding_days == 0);
                [(None, self.shares_to_exit(t0, view, parent, active)), (None, Qty::ZERO)]
            }
        }
    }

    /// Lots may be closed on the day on which they were opened. As in every close those of earlier days go first.
    fn lots_to_exit(
        &self,
        date: TradeDate,
        view: View<'_>,
        parent: &Parent,
        active: &Active,
        contract: &Contract,
    ) -> [(Option<Effect>, Qty); 2] {
        let (signal, leg) = (&active.signal, &parent.leg);
        let opened = if leg.gives_up() { Qty::ZERO } else { parent.cum_qty };
        let book = view
            .ledgers
            .get(&leg.account)
            .and_then(|ledger| ledger.contract(signal.symbol, &signal.strategy, Effect::Open.direction(leg.side)));
        let (before, today) = book.map_or((Qty::ZERO, Qty::ZERO), |book| book.on(date));
        let closing = self.closing(&leg.account, signal.symbol, leg.side.opposite());
        let lots = (before + today - closing).max(Qty::ZERO).min(opened);
        contract.closes(lots, before - closing).map(|(effect, qty)| (Some(effect), qty))
    }

    /// Lots that the strategy's working orders of the side may still close.
    fn closing(&self, account: &AccountId, symbol: Symbol, side: Side) -> Qty {
        let of_symbol = self.active.values().filter(|active| active.signal.symbol == symbol);
        let closes = |p: &Parent| {
            let works = !p.status.is_final() && p.leg.mode.sends();
            works && p.leg.account == *account && p.leg.side == side && p.leg.gives_up()
        };
        let legs = of_symbol.flat_map(|active| active.parents.iter().map(move |p| (active, p)));
        legs.filter(|(_, p)| closes(p)).map(|(active, p)| active.leaves(p)).sum()
    }

    fn shares_to_exit(&self, t0: bool, view: View<'_>, parent: &Parent, active: &Active) -> Qty {
        let signal = &active.signal;
        let Some(ledger) = view.ledgers.get(&parent.leg.account) else { return Qty::ZERO };
        let Some(book) = ledger.book(signal.symbol, &signal.strategy) else { return Qty::ZERO };
        let promised = self.pending(&parent.leg.account, signal.symbol).sells;
        let held = if t0 { book.qty } else { book.qty - book.bought_today };
        // What its shares have brought since goes out with them.
        let since = active.row.held.map_or(signal.received_at, |held| held.since);
        let shown = view.quotes.get(signal.symbol).map(|quote| quote.at);
        let ex = shown.and_then(|now| Ex::since(view, signal.symbol, since, now));
        let bought = ex.map_or(parent.cum_qty, |ex| ex.grown(view, parent.cum_qty));
        (held - promised).max(Qty::ZERO).min(bought)
    }

    /// The way out: one leg for each account that has something to give up, and for each flag of a close.
    fn exit(&mut self, at: Timestamp, view: View<'_>, id: SignalId, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get(&id) else { return };
        let entered = active.parents.len();
        let side = way_out(&active.signal);
        let mut legs = Vec::new();
        for parent in &active.parents {
            let orders = self.to_exit(at, view, parent, active);
            for (effect, qty) in orders.into_iter().filter(|(_, qty)| qty.is_positive()) {
                let Ok(leg) = u16::try_from(entered + legs.len()) else { break };
                let account = parent.leg.account.clone();
                legs.push(Leg { effect, pursued: true, ..Leg::plain(id.parent(leg), account, side, qty) });
            }
        }
        let Some(active) = self.active.get_mut(&id) else { return };
        fx.events.push(Event::ExitPlanned { strategy: self.conf.id.clone(), signal: id, legs: legs.clone().into() });
        active.row.status = SignalStatus::Working;
        active.row.waiting_for = None;
        active.row.until = Some(at.plus(EXIT_FOR));
        active.give_up = active.row.until;
        active.row.updated_at = at;
        for leg in legs {
            active.pursuits.insert(leg.parent, Pursuit::default());
            active.add(Parent::new(leg));
        }
        fx.rows.push(Row::Signal(active.row.clone()));
        for parent in &active.parents[entered..] {
            fx.rows.push(parent_row(&active.signal, parent));
        }
        self.look_for_sells(id);
        self.pursue(at, view, id, None, fx);
    }

    /// A person stops a signal whose way out is held: it is what its legs have come to.
    pub(super) fn stop_held(&mut self, at: Timestamp, id: SignalId, fx: &mut StrategyEffects) -> bool {
        let Some(active) = self.active.get(&id) else { return false };
        if active.parents.is_empty() || active.row.waiting_for != Some(WaitingFor::Trigger) {
            return false;
        }
        let status = fold(&active.parents);
        self.finish(at, id, status, fx);
        true
    }
}
