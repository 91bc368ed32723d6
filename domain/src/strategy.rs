//! A strategy: where its signals go, and the core that turns each of them into parent orders and follows them to
//! their end.

mod active;
mod all_in;
mod ask;
mod cash;
mod decide;
mod ex;
pub(crate) mod held;
mod pursue;
mod quote;
mod replace;
mod routes;
mod together;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use decide::{Decision, Say, Undecidable};
use held::Watch;
pub use held::{Held, exit_execution};
pub use replace::{Irreplaceable, Replacement, Replaces};
pub use routes::{Allocation, Groups, Route, RouteTo, reached_twice};
use serde::{Deserialize, Serialize};

use crate::contract::Effect;
use crate::denial::{Denial, DenialCode, Measure};
use crate::event::Event;
use crate::execution::{BEFORE_LAST, CANCELS_END_BEFORE_CLOSE, Pursuit};
use crate::ids::{AccountId, OrderId, ParentId, SignalId, StrategyId};
use crate::manner::RouteMode;
use crate::order::{OrdType, Order, OrderTerms, Side};
use crate::parent::{Leg, Parent, fold_filled, waits_for};
use crate::plan::{self, Pending};
use crate::risk::Short;
use crate::row::{Row, SignalRow};
use crate::seeded::{SeededBug, seeded};
use crate::signal::{Signal, SignalStatus, Size, Source, WaitingFor};
use crate::symbol::Symbol;
use crate::units::{Qty, Span, Timestamp};
use crate::view::View;

/// A strategy as it is configured. A new configuration replaces the old one as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyConf {
    pub id: StrategyId,
    /// Which built-in logic decides: `external` takes its signals from outside.
    pub kind: Arc<str>,
    pub routes: Vec<Route>,
}

#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum StrategyState {
    #[default]
    Active,
    /// Signals are taken durably and stay in the inbox.
    Paused,
    /// Signals are taken durably and denied; working orders stay.
    Stopped,
}

/// Everything that can happen to a strategy.
#[derive(Debug)]
pub enum StrategyInput {
    /// They are planned in one step, each in its place.
    Signals(Vec<Arc<Signal>>),
    /// One of its orders has changed.
    Observed(Arc<Order>),
    /// One of its orders got a fill after its end.
    FilledLate(Arc<Order>),
    /// The answer to [`StrategyEffects::recall`].
    Recalled(Unfinished),
    /// Risk refused one of its orders.
    Denied {
        terms: Arc<OrderTerms>,
        denials: Arc<[Denial]>,
    },
    /// One of its buys lacks cash.
    Short(Short),
    /// What risk says to an order that is not sent.
    Judged {
        terms: Arc<OrderTerms>,
        denials: Arc<[Denial]>,
    },
    Cancel {
        signal: SignalId,
        who: Arc<str>,
    },
    /// A person has his say about legs in accounts of his that wait for him.
    Decide(Say),
    /// A person wants an order at another limit, or for less.
    Replace(Replacement),
    SetState {
        state: StrategyState,
        who: Arc<str>,
        reason: Arc<str>,
    },
    Configure(Arc<StrategyConf>),
    /// Trades were shown of something that it watches.
    Quoted,
    /// The next of what they set off.
    GoOn,
    Wake,
}

/// What one input caused.
#[derive(Debug, Default)]
pub struct StrategyEffects {
    pub events: Vec<Event>,
    pub rows: Vec<Row>,
    /// Orders that risk shall check.
    pub check: Vec<Arc<OrderTerms>>,
    /// Buys that can wait for cash, to be checked after those.
    pub try_later: Vec<Arc<OrderTerms>>,
    /// Orders that are not to be sent, for risk to judge.
    pub judge: Vec<Arc<OrderTerms>>,
    /// Orders that shall be cancelled.
    pub cancel: Vec<(AccountId, OrderId, Arc<str>)>,
    /// Signals that are final and have left memory, to be read from the store: their orders have filled since.
    pub recall: Vec<SignalId>,
    /// The answer to [`StrategyInput::Cancel`]: whether there was anything left to stop.
    pub cancel_found: bool,
    /// The answer to [`StrategyInput::Decide`].
    pub decided: Option<Result<(), Undecidable>>,
    /// The answer to [`StrategyInput::Replace`].
    pub replaced: Option<Result<Replaces, Irreplaceable>>,
}

/// A signal that is not final yet.
#[derive(Debug)]
struct Active {
    signal: Arc<Signal>,
    row: SignalRow,
    parents: Vec<Parent>,
    /// Parents that are not final, and those of them in doubt,
    open: usize,
    doubts: usize,
    /// and those that wait.
    waiting: usize,
    /// Legs that waited for cash or a quote and are with risk now.
    trying: BTreeSet<ParentId>,
    /// Legs that an earlier life left to be sent, or to wait for a quote: this one begins with them.
    unasked: BTreeSet<ParentId>,
    /// Until when it waits for a quote before it is planned.
    quote_until: Option<Timestamp>,
    /// When what still works is taken back.
    give_up: Option<Timestamp>,
    /// Of the legs that are pursued.
    pursuits: BTreeMap<ParentId, Pursuit>,
    /// While it is held.
    watch: Option<Watch>,
    /// When it is looked at again unless something happens before.
    timer: Option<Timestamp>,
    /// When the last of its legs ended whose orders ended it: news of them come in any order.
    ended_at: Timestamp,
}

/// What a restart finds of a signal that was not final, or of a final one whose orders have filled since.
#[derive(Debug)]
pub struct Unfinished {
    pub signal: Arc<Signal>,
    pub row: SignalRow,
    pub parents: Vec<Parent>,
    /// The newest state of the parents' orders, also of those that ended.
    pub orders: Vec<Arc<Order>>,
    /// The orders that risk had refused.
    pub denied: Vec<(Arc<OrderTerms>, Arc<[Denial]>)>,
}

/// The core of one strategy.
#[derive(Debug)]
pub struct Strategy {
    conf: Arc<StrategyConf>,
    version: u32,
    state: StrategyState,
    groups: Arc<Groups>,
    /// Boxed, since the map moves its entries about.
    active: BTreeMap<SignalId, Box<Active>>,
    /// Those of which a leg sells: there may be cash on its way.
    sells: BTreeSet<SignalId>,
    timers: BTreeSet<(Timestamp, SignalId)>,
    /// Legs that wait for cash, in the order in which they get it.
    short: BTreeSet<(AccountId, Reverse<i16>, ParentId)>,
    /// Buys for all the cash that wait for sells before they are planned, and until when.
    all_in: BTreeMap<SignalId, Timestamp>,
    /// The accounts in which sells have changed in this step: perhaps there is cash for who waits.
    freed: BTreeSet<AccountId>,
    /// The signals that wait for a price.
    held: BTreeMap<Symbol, BTreeSet<SignalId>>,
    /// Those of them whose condition came true, in the order in which they go.
    set_off: VecDeque<SignalId>,
    /// Those of which something waits for a fresh quote.
    unquoted: BTreeMap<Symbol, BTreeSet<SignalId>>,
    /// What came before was kept, by an end of the process or by a person, and is not taken as it comes.
    since: Timestamp,
}

impl Strategy {
    #[must_use]
    pub fn new(conf: Arc<StrategyConf>, version: u32, state: StrategyState, groups: Arc<Groups>) -> Self {
        Self {
            conf,
            version,
            state,
            groups,
            active: BTreeMap::new(),
            sells: BTreeSet::new(),
            timers: BTreeSet::new(),
            short: BTreeSet::new(),
            all_in: BTreeMap::new(),
            freed: BTreeSet::new(),
            held: BTreeMap::new(),
            set_off: VecDeque::new(),
            unquoted: BTreeMap::new(),
            since: Timestamp::default(),
        }
    }

    /// Takes up what an earlier life left unfinished, and says what that causes: legs that were planned and never
    /// reached risk are checked now.
    pub fn resume(&mut self, at: Timestamp, unfinished: Vec<Unfinished>, fx: &mut StrategyEffects) {
        self.since = at;
        for Unfinished { signal, row, parents, orders, denied } in unfinished {
            let id = signal.id;
            if row.status.is_final() {
                self.fold_late(at, &signal, row, parents, &orders, fx);
                continue;
            }
            let planned = !parents.is_empty();
            let mut active = Active::new(signal.clone(), row.clone());
            parents.into_iter().for_each(|parent| active.add(parent));
            Self::resume_pursuits(&mut active, &orders, &denied, at, fx);
            let pursued = !active.pursuits.is_empty();
            self.active.insert(id, active.into());
            self.look_for_sells(id);
            for (terms, denials) in denied {
                self.denied(at, &terms, &denials, fx);
            }
            for order in &orders {
                self.observed(at, order, fx);
            }
            let Some(active) = self.active.get_mut(&id) else { continue };
            let until = row.until.unwrap_or(at);
            let unsent = active
                .parents
                .iter()
                .filter(|_| !seeded(SeededBug::NoSweepAtStart))
                .filter(|p| !p.status.is_final() && p.progress.is_none() && p.waits.is_none())
                .filter(|p| !orders.iter().any(|o| o.parent() == p.leg.parent));
            let for_quote = active.parents.iter().filter(|p| p.waits_for() == Some(WaitingFor::Quote));
            active.unasked = unsent.chain(for_quote).map(|p| p.leg.parent).collect();
            let begins = pursued || !active.unasked.is_empty();
            if row.cancel_requested {
                self.cancel_orders(id, &Arc::from("canceled before the restart"), fx);
            }
            match row.status {
                SignalStatus::Waiting if !planned => self.set_timer(id, Some(at)),
                _ => self.give_up_at(id, until),
            }
            self.wait_again(id);
            if begins {
                self.set_timer(id, Some(at));
            }
        }
        self.try_without_sells(at);
    }

    #[must_use]
    pub fn conf(&self) -> &Arc<StrategyConf> {
        &self.conf
    }

    #[must_use]
    pub const fn state(&self) -> StrategyState {
        self.state
    }

    /// Whether signals are to be taken out of the inbox now.
    #[must_use]
    pub const fn takes_signals(&self) -> bool {
        !matches!(self.state, StrategyState::Paused)
    }

    /// Whether the signal is in work here: taken out of the inbox and not final.
    #[must_use]
    pub fn knows(&self, signal: SignalId) -> bool {
        self.active.contains_key(&signal)
    }

    /// How many signals are neither in the inbox nor final.
    #[must_use]
    pub fn active_len(&self) -> usize {
        self.active.len()
    }

    /// When the core wants [`StrategyInput::Wake`].
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Decides. Never waits, never asks the time.
    pub fn handle(&mut self, at: Timestamp, view: View<'_>, input: StrategyInput, fx: &mut StrategyEffects) {
        match input {
            StrategyInput::Signals(signals) => {
                let new: Vec<SignalId> = signals.into_iter().filter_map(|signal| self.take(at, view, signal)).collect();
                self.start_together(at, view, new, fx);
            }
            StrategyInput::Observed(order) => self.observed_now(at, view, &order, fx),
            StrategyInput::FilledLate(order) if self.knows(order.id().signal()) => {
                self.observed_now(at, view, &order, fx);
            }
            StrategyInput::FilledLate(order) => fx.recall.push(order.id().signal()),
            StrategyInput::Recalled(Unfinished { signal, row, parents, orders, .. }) => {
                self.fold_late(at, &signal, row, parents, &orders, fx);
            }
            StrategyInput::Denied { terms, denials } => {
                self.denied(at, &terms, &denials, fx);
                self.pursue(at, view, terms.id.signal(), Some(terms.id.parent()), fx);
            }
            StrategyInput::Short(short) => self.short(at, view, short, fx),
            StrategyInput::Judged { terms, denials } => self.judged(at, terms, denials, fx),
            StrategyInput::Cancel { signal, who } => {
                self.cancel(at, signal, who, fx);
                self.pursue(at, view, signal, None, fx);
            }
            StrategyInput::Decide(say) => {
                let signal = say.signal;
                fx.decided = Some(self.decide(at, view, say, fx));
                self.pursue(at, view, signal, None, fx);
            }
            StrategyInput::Replace(wish) => fx.replaced = Some(self.replace(at, view, wish, fx)),
            StrategyInput::SetState { state, who, reason } => {
                self.state = state;
                self.since = at;
                self.take_up_again(at, view, fx);
                fx.events.push(Event::StrategyStateSet { strategy: self.conf.id.clone(), state, who, reason });
                fx.rows.push(self.own_row());
            }
            StrategyInput::Configure(conf) => {
                self.version += 1;
                self.conf = conf.clone();
                fx.events.push(Event::StrategyConfigured(conf));
                fx.rows.push(self.own_row());
            }
            StrategyInput::Quoted => self.look(at, view, fx),
            StrategyInput::GoOn => self.go_on(at, view, fx),
            StrategyInput::Wake => self.wake(at, view, fx),
        }
        self.try_freed(at, view, fx);
        self.let_buys_wait(fx);
    }

    fn own_row(&self) -> Row {
        Row::Strategy { conf: self.conf.clone(), state: self.state, version: self.version }
    }

    /// Its id, unless it was handed out twice, by a restart.
    fn take(&mut self, at: Timestamp, view: View<'_>, signal: Arc<Signal>) -> Option<SignalId> {
        let id = signal.id;
        if self.active.contains_key(&id) {
            return None;
        }
        // A signal without a limit of its own may trade until the end of the next session.
        let until = signal.valid_until.or_else(|| view.market.session_end(signal.symbol, signal.received_at));
        let row = SignalRow {
            id,
            status: SignalStatus::Accepted,
            waiting_for: None,
            until,
            residual: Qty::ZERO,
            denials: Arc::from([]),
            cancel_requested: false,
            held: None,
            updated_at: at,
        };
        self.active.insert(id, Active::new(signal, row).into());
        Some(id)
    }

    /// Plans the signal if its market is open, and else keeps it until then or until its time is out.
    fn start_or_wait(&mut self, at: Timestamp, view: View<'_>, id: SignalId, fx: &mut StrategyEffects) {
        let gathered_at = self.gathered_at(id);
        let sells_until = self.sells_until(at, view, id);
        let holds = self.holds(at, id).filter(|_| self.state == StrategyState::Active);
        let Some(active) = self.active.get_mut(&id) else { return };
        let signal = active.signal.clone();
        let until = active.row.until;
        if until.is_none_or(|until| at >= until) {
            fx.events.push(Event::SignalExpired { strategy: self.conf.id.clone(), signal: id });
            self.finish(at, id, SignalStatus::Expired, fx);
            return;
        }
        // A stopped strategy opens nothing; what it holds is given up by its monitors as before.
        if self.state == StrategyState::Stopped && signal.source != Source::Monitor {
            return self.deny_stopped(at, id, fx); // stopped while the signal waited
        }
        if let Some(what) = holds {
            let first = active.watch.is_none();
            self.hold(at, id, what, fx);
            if what == WaitingFor::Trigger && first {
                self.look_at_shown(at, view, id, fx);
            }
            return;
        }
        let waits = if self.state == StrategyState::Paused {
            Some((WaitingFor::Strategy, until))
        } else if let Some(next_open) = pursue::closed_until(at, view, &signal) {
            Some((WaitingFor::Session, next_open.into_iter().chain(until).min()))
        } else {
            gathered_at
                .filter(|gathered_at| at < *gathered_at)
                .map(|gathered_at| (WaitingFor::Basket, Some(gathered_at)))
                .or(sells_until.map(|sold| (WaitingFor::Cash, until.into_iter().chain([sold]).min())))
        };
        let waits = match waits {
            None => self
                .quote_is_missing(at, view, id)
                .map(|last| (WaitingFor::Quote, until.into_iter().chain([last]).min())),
            other => other,
        };
        let Some(active) = self.active.get_mut(&id) else { return };
        if let Some((waiting_for, look_again)) = waits {
            let look_again = look_again.unwrap_or(at);
            if active.row.waiting_for != Some(waiting_for) {
                fx.events.push(Event::SignalWaiting {
                    strategy: self.conf.id.clone(),
                    signal: id,
                    waiting_for,
                    until: look_again,
                });
                active.row.status = SignalStatus::Waiting;
                active.row.waiting_for = Some(waiting_for);
                active.row.updated_at = at;
                fx.rows.push(Row::Signal(active.row.clone()));
            }
            if waiting_for != WaitingFor::Quote {
                active.quote_until = None; // what it waits for now has a beginning of its own
            }
            self.set_timer(id, Some(look_again));
            return;
        }
        if let Some(denial) = pursue::unpriced(at, view, &signal) {
            return self.deny_whole(at, id, Arc::from([denial]), fx);
        }
        let signal = pursue::priced(at, view, &signal);
        let pending = |account: &AccountId, symbol: Symbol| self.pending(account, symbol);
        match plan::plan(at, view, &signal, &self.conf, &self.groups, pending) {
            Err(denials) => self.deny_whole(at, id, denials.into(), fx),
            Ok(plan) => self.start(at, view, id, plan, fx),
        }
    }

    /// After a pause: what waited for the strategy goes on, or is denied.
    fn take_up_again(&mut self, at: Timestamp, view: View<'_>, fx: &mut StrategyEffects) {
        if self.state == StrategyState::Paused {
            return;
        }
        // A stop also ends what waits for its session.
        let stopped = self.state == StrategyState::Stopped;
        let waiting = |a: &&Active| match a.row.waiting_for {
            Some(waiting_for) => stopped || waiting_for == WaitingFor::Strategy,
            None => false,
        };
        let unplanned = self.active.values().map(Box::as_ref).filter(|a| a.parents.is_empty());
        let ids: Vec<SignalId> = unplanned.filter(waiting).map(|a| a.signal.id).collect();
        self.start_together(at, view, ids, fx);
    }

    fn deny_stopped(&mut self, at: Timestamp, id: SignalId, fx: &mut StrategyEffects) {
        let denial = Denial { code: DenialCode::StrategyStopped, value: Measure::None, limit: Measure::None };
        self.deny_whole(at, id, Arc::from([denial]), fx);
    }

    fn start(&mut self, at: Timestamp, view: View<'_>, id: SignalId, plan: plan::Plan, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get_mut(&id) else { return };
        let until = active.row.until.unwrap_or(at);
        let priced = pursue::priced(at, view, &active.signal);
        let residual = if seeded(SeededBug::ResidualLost) { Qty::ZERO } else { plan.residual };
        let mut plan = plan;
        for leg in &mut plan.legs {
            leg.pursued = pursue::is_pursued(at, view, &active.signal, leg);
        }
        fx.events.push(Event::SignalPlanned {
            strategy: self.conf.id.clone(),
            signal: id,
            legs: plan.legs.clone().into(),
            residual,
        });
        active.row.residual = residual;
        active.row.waiting_for = None;
        if plan.legs.is_empty() {
            // The target is reached already, or every share rounded to nothing: there is nothing to do.
            self.finish(at, id, SignalStatus::Done, fx);
            return;
        }
        for leg in plan.legs {
            let parent = Parent::new(leg);
            if parent.leg.pursued {
                active.pursuits.insert(parent.leg.parent, Pursuit { at_once: true, ..Pursuit::default() });
            } else {
                send(&priced, &parent, until, fx);
            }
            active.add(parent);
        }
        active.row.status = active.status();
        active.row.waiting_for = waits_for(&active.parents).filter(|_| active.row.status == SignalStatus::Waiting);
        active.row.updated_at = at;
        fx.rows.push(Row::Signal(active.row.clone()));
        for parent in &active.parents {
            fx.rows.push(parent_row(&active.signal, parent));
        }
        let buys = active.parents.iter().any(|p| p.leg.side == Side::Buy);
        let give_up = match no_cancel_from(view, active.signal.symbol, until) {
            // What would be given up in the closing auction is given up before it. A sell rides along: the auction is
            // its last price.
            Some((from, end)) if buys && until < end => from.plus(Span::from_us(-BEFORE_LAST.us())),
            _ => until,
        };
        self.look_for_sells(id);
        self.give_up_at(id, give_up);
        self.pursue(at, view, id, None, fx);
    }

    fn give_up_at(&mut self, id: SignalId, give_up: Timestamp) {
        if let Some(active) = self.active.get_mut(&id) {
            active.give_up = Some(give_up);
        }
        self.set_timer(id, Some(give_up));
    }

    /// What this strategy's working orders may still do to its book.
    fn pending(&self, account: &AccountId, symbol: Symbol) -> Pending {
        let mut pending = Pending::default();
        for active in self.active.values().filter(|a| a.signal.symbol == symbol) {
            let trades = |p: &&Parent| !p.status.is_final() && p.leg.mode.sends();
            for parent in active.parents.iter().filter(trades).filter(|p| p.leg.account == *account) {
                let leaves = active.leaves(parent);
                let closing = if parent.leg.effect.is_some_and(Effect::closes) { leaves } else { Qty::ZERO };
                match parent.leg.side {
                    Side::Buy => {
                        pending.buys += leaves;
                        pending.closing_buys += closing;
                    }
                    Side::Sell => {
                        pending.sells += leaves;
                        pending.closing_sells += closing;
                    }
                }
            }
        }
        pending
    }

    fn observed_now(&mut self, at: Timestamp, view: View<'_>, order: &Order, fx: &mut StrategyEffects) {
        self.observed(at, order, fx);
        self.keep(at, view, order);
        self.pursue(at, view, order.id().signal(), Some(order.parent()), fx);
    }

    fn observed(&mut self, at: Timestamp, order: &Order, fx: &mut StrategyEffects) {
        if let Some(active) = self.active.get_mut(&order.id().signal()) {
            match active.pursuits.get_mut(&order.parent()) {
                Some(pursuit) => pursuit.observe(order),
                None => drop(active.unasked.remove(&order.parent())),
            }
        }
        self.update_parent(at, order.updated_at, order.parent(), fx, |_, parent| parent.observe(order));
    }

    /// A final signal whose orders have filled since tells of it: in its legs, and in its own end.
    fn fold_late(
        &self,
        at: Timestamp,
        signal: &Signal,
        mut row: SignalRow,
        mut parents: Vec<Parent>,
        orders: &[Arc<Order>],
        fx: &mut StrategyEffects,
    ) {
        for order in orders {
            if let Some(parent) = parents.iter_mut().find(|p| p.leg.parent == order.parent())
                && parent.is_behind(order)
            {
                parent.observe(order);
                fx.rows.push(parent_row(signal, parent));
            }
        }
        if let Some(status) = fold_filled(&parents).filter(|status| *status != row.status) {
            row.status = status;
            row.updated_at = at;
            fx.rows.push(Row::Signal(row));
        }
    }

    /// An order that is not sent was judged.
    fn judged(&mut self, at: Timestamp, terms: Arc<OrderTerms>, denials: Arc<[Denial]>, fx: &mut StrategyEffects) {
        let (strategy, signal) = (self.conf.id.clone(), terms.id.signal());
        let Some(active) = self.active.get(&signal) else { return };
        if active.parent(terms.id.parent()).is_none_or(|parent| parent.status.is_final()) {
            return; // told again after a restart
        }
        let event = Event::LegShadowed { strategy, signal, terms: terms.clone(), denials: denials.clone() };
        fx.events.push(event);
        self.update_parent(at, Timestamp::default(), terms.id.parent(), fx, |row, parent| {
            row.denials = row.denials.iter().chain(denials.iter()).take(DENIALS_KEPT).cloned().collect();
            parent.shadow(terms.clone(), denials);
        });
    }

    fn denied(&mut self, at: Timestamp, terms: &OrderTerms, denials: &Arc<[Denial]>, fx: &mut StrategyEffects) {
        if let Some(active) = self.active.get_mut(&terms.id.signal()) {
            match active.pursuits.get_mut(&terms.id.parent()) {
                Some(pursuit) => pursuit.denied(at, terms, denials),
                None => drop(active.unasked.remove(&terms.id.parent())),
            }
        }
        let attempt = terms.id.attempt();
        // Told again after a night, it does not end the signal later than it did.
        self.update_parent(at, Timestamp::default(), terms.id.parent(), fx, |row, parent| {
            if parent.knows_denied(attempt) {
                return; // told again after a restart
            }
            parent.deny(attempt);
            row.denials = row.denials.iter().chain(denials.iter()).take(DENIALS_KEPT).cloned().collect();
        });
    }

    fn update_parent(
        &mut self,
        at: Timestamp,
        happened_at: Timestamp,
        parent: ParentId,
        fx: &mut StrategyEffects,
        change: impl FnOnce(&mut SignalRow, &mut Parent),
    ) {
        let id = parent.signal();
        let Some(active) = self.active.get_mut(&id) else { return };
        let leg = match active.parents.binary_search_by_key(&parent, |p| p.leg.parent) {
            Ok(index) => &mut active.parents[index],
            Err(_) => return,
        };
        let (before, denials_before) = (leg.clone(), active.row.denials.len());
        change(&mut active.row, leg);
        if *leg == before {
            return;
        }
        fx.rows.push(parent_row(&active.signal, leg));
        let leg = leg.clone();
        ask::tell_people(at, &before, &leg, fx);
        active.trying.remove(&parent);
        if leg.leg.side == Side::Sell {
            self.try_again(&leg.leg.account);
        }
        let Some(active) = self.active.get_mut(&id) else { return };
        let denied = active.row.denials.len() != denials_before;
        if leg.status == before.status && !denied {
            return;
        }
        active.recount(&before, &leg);
        if leg.status.is_final() && !before.status.is_final() {
            active.ended_at = active.ended_at.max(happened_at);
        }
        if leg.leg.side == Side::Sell && leg.status.is_final() && !self.all_in.is_empty() {
            self.look_for_all_in(at);
        }
        self.fold_signal(at, id, denied, fx);
    }

    /// After its legs changed: the signal's own status, or its end.
    fn fold_signal(&mut self, at: Timestamp, id: SignalId, denied: bool, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get_mut(&id) else { return };
        let mut status = active.status();
        if status == SignalStatus::Canceled && active.row.until.is_some_and(|until| active.ended_at >= until) {
            status = SignalStatus::Expired;
        }
        let waiting_for = if status == SignalStatus::Waiting { waits_for(&active.parents) } else { None };
        if status.is_final() {
            if !self.holds_exits(at, id, fx) {
                self.finish(at, id, status, fx);
            }
        } else if (status, waiting_for) != (active.row.status, active.row.waiting_for) || denied {
            active.row.status = status;
            active.row.waiting_for = waiting_for;
            active.row.updated_at = at;
            fx.rows.push(Row::Signal(active.row.clone()));
        }
    }

    fn cancel(&mut self, at: Timestamp, id: SignalId, who: Arc<str>, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get_mut(&id) else { return };
        fx.cancel_found = true;
        if !active.row.cancel_requested {
            active.row.cancel_requested = true;
            active.row.updated_at = at;
            fx.events.push(Event::SignalCanceled { strategy: self.conf.id.clone(), signal: id, who: who.clone() });
        }
        if active.parents.is_empty() {
            self.finish(at, id, SignalStatus::Canceled, fx);
        } else if !self.stop_held(at, id, fx)
            && let Some(active) = self.active.get(&id)
        {
            fx.rows.push(Row::Signal(active.row.clone()));
            self.end_waiting(at, id, SignalStatus::Canceled, (&who, "the signal is canceled"), fx);
            self.cancel_orders(id, &who, fx);
        }
    }

    fn cancel_orders(&mut self, id: SignalId, why: &Arc<str>, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get(&id) else { return };
        for parent in &active.parents {
            if let Some(pursuit) = active.pursuits.get(&parent.leg.parent) {
                let account = &parent.leg.account;
                let live = pursuit.live().map(|(attempt, _)| parent.leg.parent.order(attempt));
                fx.cancel.extend(live.map(|order| (account.clone(), order, why.clone())));
                continue;
            }
            // What is with risk now is not known to the account yet, and remembered there.
            let tried = Some(parent.leg.parent).filter(|id| active.trying.contains(id)).map(|id| id.order(1));
            if let Some(order) = parent.working.or(tried) {
                fx.cancel.push((parent.leg.account.clone(), order, why.clone()));
            }
        }
    }

    fn wake(&mut self, at: Timestamp, view: View<'_>, fx: &mut StrategyEffects) {
        let due: Vec<SignalId> = self.timers.iter().take_while(|(due, _)| *due <= at).map(|(_, id)| *id).collect();
        let planned = |id: &SignalId| self.active.get(id).is_some_and(|active| !active.parents.is_empty());
        let (planned, new): (Vec<SignalId>, Vec<SignalId>) = due.into_iter().partition(planned);
        new.iter().chain(&planned).for_each(|id| self.unwatch(*id));
        self.start_together(at, view, new, fx);
        for id in planned {
            self.set_timer(id, None);
            self.cash_is_due(at, view, id, fx);
            self.try_quoted(at, view, id, fx);
            let Some(active) = self.active.get(&id) else { continue };
            if active.row.waiting_for == Some(WaitingFor::Trigger) {
                self.hold(at, id, WaitingFor::Trigger, fx);
                continue;
            }
            self.pursue(at, view, id, None, fx);
            let Some(active) = self.active.get_mut(&id) else { continue };
            if active.is_pursued() {
                continue;
            }
            if active.give_up.is_some_and(|give_up| at < give_up) {
                self.look_again(id);
                continue;
            }
            active.give_up = None;
            let (symbol, until) = (active.signal.symbol, active.row.until.unwrap_or(at));
            let nobody = Arc::from(NOBODY);
            self.end_waiting(at, id, SignalStatus::Expired, (&nobody, "its time is out"), fx);
            if rides_to_the_close(view, symbol, at, until) {
                // The venue ends it with the session, and unsent orders are not sent after their time.
            } else {
                // Its time is out: what still works is taken back.
                self.cancel_orders(id, &Arc::from("the signal's time is out"), fx);
            }
        }
    }

    fn deny_whole(&mut self, at: Timestamp, id: SignalId, denials: Arc<[Denial]>, fx: &mut StrategyEffects) {
        fx.events.push(Event::SignalDenied { strategy: self.conf.id.clone(), signal: id, denials: denials.clone() });
        if let Some(active) = self.active.get_mut(&id) {
            active.row.denials = denials;
        }
        self.finish(at, id, SignalStatus::Denied, fx);
    }

    /// The signal leaves memory; the store keeps it.
    fn finish(&mut self, at: Timestamp, id: SignalId, status: SignalStatus, fx: &mut StrategyEffects) {
        self.set_timer(id, None);
        self.sells.remove(&id);
        if let Some(mut active) = self.active.remove(&id) {
            self.let_go(active.signal.symbol, id);
            remove(&mut self.unquoted, active.signal.symbol, id);
            active.row.status = status;
            active.row.waiting_for = None;
            active.row.updated_at = at;
            fx.rows.push(Row::Signal(active.row));
        }
    }

    fn set_timer(&mut self, id: SignalId, timer: Option<Timestamp>) {
        if let Some(active) = self.active.get_mut(&id) {
            if let Some(old) = active.timer {
                self.timers.remove(&(old, id));
            }
            active.timer = timer;
            if let Some(new) = timer {
                self.timers.insert((new, id));
            }
        }
    }
}

fn remove(from: &mut BTreeMap<Symbol, BTreeSet<SignalId>>, symbol: Symbol, id: SignalId) {
    if let Some(of_symbol) = from.get_mut(&symbol) {
        of_symbol.remove(&id);
        if of_symbol.is_empty() {
            from.remove(&symbol);
        }
    }
}

/// Who ends what no person ended.
const NOBODY: &str = "signalbox";

/// The stretch in which an automatic cancel of this instant would be too late, if the instant is in one: from when on,
/// and the session's end.
fn no_cancel_from(view: View<'_>, symbol: Symbol, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    // The end itself belongs to the session that it ends.
    let last = at.plus(Span::from_us(-1));
    let (date, end) = (view.market.trade_date(symbol, last)?, view.market.session_end(symbol, last)?);
    if !view.market.day(symbol, date).is_ok_and(|rules| rules.closing_auction) {
        return (at == end).then_some((end, end));
    }
    let from = end.plus(Span::from_us(-CANCELS_END_BEFORE_CLOSE.us()));
    (at > from).then_some((from, end))
}

/// Whether a time that is out is left to the end of the session instead of a cancel.
fn rides_to_the_close(view: View<'_>, symbol: Symbol, at: Timestamp, until: Timestamp) -> bool {
    let session_end = view.market.session_end(symbol, until.plus(Span::from_us(-1)));
    no_cancel_from(view, symbol, at).is_some() || session_end.is_some_and(|end| at >= end)
}

/// Ten thousand refused legs need not all be told with the signal; each order keeps its own.
pub(crate) const DENIALS_KEPT: usize = 20;

fn in_doubt(parent: &Parent) -> usize {
    usize::from(parent.status == SignalStatus::InDoubt)
}

fn parent_row(signal: &Signal, parent: &Parent) -> Row {
    Row::Parent { parent: parent.clone().into(), strategy: signal.strategy.clone(), symbol: signal.symbol }
}

/// Its first order goes to risk, unless it is kept.
fn send(signal: &Signal, parent: &Parent, until: Timestamp, fx: &mut StrategyEffects) {
    match parent.leg.mode {
        _ if parent.waits.is_some() => {}
        RouteMode::Shadow => fx.judge.push(terms_of(signal, &parent.leg, until)),
        _ => fx.check.push(terms_of(signal, &parent.leg, until)),
    }
}

/// The first attempt of a leg.
fn terms_of(signal: &Signal, leg: &Leg, until: Timestamp) -> Arc<OrderTerms> {
    Arc::new(OrderTerms {
        id: leg.parent.order(1),
        account: leg.account.clone(),
        strategy: signal.strategy.clone(),
        source: signal.source,
        symbol: signal.symbol,
        side: leg.side,
        effect: leg.effect,
        ord_type: signal.ord_type,
        limit_price: if signal.ord_type == OrdType::Limit { signal.limit_price } else { None },
        time_in_force: signal.time_in_force,
        qty: leg.qty,
        valid_until: until,
        all_in: signal.size == Size::AllIn && (leg.side == Side::Buy || signal.symbol.is_repo()),
    })
}

/// The conf of the book that takes manual orders: no routes, since each manual order names its account.
#[must_use]
pub fn manual_conf() -> StrategyConf {
    StrategyConf { id: StrategyId::manual(), kind: Arc::from(<&str>::from(Source::Manual)), routes: Vec::new() }
}
