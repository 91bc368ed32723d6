//! The shell around one strategy: takes signals out of its inbox as fast as the journal follows.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt as _, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture as _,
};
use signalbox_domain::denial::Denial;
use signalbox_domain::ids::{SignalId, StrategyId};
use signalbox_domain::order::{Order, OrderTerms};
use signalbox_domain::registry::Unfit;
use signalbox_domain::risk::Short;
use signalbox_domain::strategy::{
    Groups, Irreplaceable, Replacement, Replaces, Say, Strategy, StrategyConf, StrategyEffects, StrategyInput,
    StrategyState, Undecidable,
};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::Timestamp;
use tokio::sync::oneshot;
use tracing::error;

use crate::board::Board;
use crate::crash::crash_point;
use crate::gate::congested;
use crate::journal::{Entry, Inbox, Restorer, Ticket};
use crate::port::{Permits, tell};
use crate::risk::Asked;
use crate::root::flushed;
use crate::{account, risk};

/// Signals taken per step: long enough to share an entry and a message, short enough to let others in between.
const SIGNALS_PER_STEP: usize = 64;
/// Orders per message to risk. A signal to ten thousand accounts is checked in slices, so that others get their turn.
const ORDERS_PER_CHECK: usize = 256;
/// Signals that wait for their session are kept in memory up to here; the rest stays in the inbox until then.
const KEPT_MAX: usize = 10_000;
/// Messages with orders that risk has not looked at yet. Risk is on the same thread; a few keep it busy.
const CHECKS_MAX: usize = 64;

/// One strategy.
#[derive(Debug)]
pub struct StrategyActor {
    id: StrategyId,
    name: Arc<str>,
    core: Strategy,
    inbox: Arc<dyn Inbox>,
    restorer: Arc<dyn Restorer>,
    board: Rc<Board>,
    checks: Permits,
    /// Orders that wait for a permit, in order, and what is asked about them.
    unchecked: VecDeque<(Asked, Arc<OrderTerms>)>,
    poked: bool,
    /// It goes on with what a price set off when this is durable.
    goes_on: Option<Ticket>,
    newest: Ticket,
    wake: Option<(Timestamp, SpawnHandle)>,
    /// What a resumed life has to do before anything else, and when that was decided: its rows bear that time.
    first: Option<(Timestamp, StrategyEffects)>,
}

impl StrategyActor {
    #[must_use]
    pub fn new(
        core: Strategy,
        first: (Timestamp, StrategyEffects),
        inbox: Arc<dyn Inbox>,
        restorer: Arc<dyn Restorer>,
        board: Rc<Board>,
    ) -> Self {
        let id = core.conf().id.clone();
        let name = format!("strategy:{id}").into();
        Self {
            id,
            name,
            core,
            inbox,
            restorer,
            board,
            checks: Permits::new(CHECKS_MAX),
            unchecked: VecDeque::new(),
            poked: false,
            goes_on: None,
            newest: 0,
            wake: None,
            first: Some(first),
        }
    }

    fn step(
        &mut self,
        inputs: impl IntoIterator<Item = StrategyInput>,
        cause: impl Into<Cow<'static, str>>,
        ctx: &mut Context<Self>,
    ) {
        let at = self.board.clock.now();
        let mut fx = StrategyEffects::default();
        let board = self.board.clone();
        board.with_view(|view| {
            for input in inputs {
                self.core.handle(at, view, input, &mut fx);
            }
        });
        self.act(at, fx, cause, ctx);
    }

    fn act(
        &mut self,
        at: Timestamp,
        fx: StrategyEffects,
        cause: impl Into<Cow<'static, str>>,
        ctx: &mut Context<Self>,
    ) {
        if !fx.events.is_empty() || !fx.rows.is_empty() {
            let entry = Entry { at, actor: self.name.clone(), cause: cause.into(), events: fx.events, rows: fx.rows };
            self.newest = self.board.journal.append(entry);
        }
        for (account, order, reason) in fx.cancel {
            if let Some(account) = self.board.directory.account(&account) {
                tell(&account, account::Cancel { order, reason, answer: None });
            }
        }
        if !fx.check.is_empty() {
            crash_point("strategy.planned");
        }
        for signal in fx.recall {
            self.recall(signal, ctx);
        }
        for (asked, orders) in [(Asked::Check, fx.check), (Asked::Try, fx.try_later), (Asked::Judge, fx.judge)] {
            self.unchecked.extend(orders.into_iter().map(|terms| (asked, terms)));
        }
        self.watch();
        self.ask_risk();
        self.go_on_later(ctx);
        self.arm(ctx);
    }

    /// What a price set off goes on when what went is durable, so that neither the thread nor the journal is far ahead of
    /// what a person does meanwhile.
    fn go_on_later(&mut self, ctx: &mut Context<Self>) {
        if self.goes_on.is_none() && self.core.has_set_off() {
            self.goes_on = Some(self.newest);
            self.poke_when_durable(ctx);
        }
    }

    fn poke_when_durable(&self, ctx: &mut Context<Self>) {
        let me = ctx.address();
        self.board.when_durable(self.newest, move || tell(&me, Poke));
    }

    /// Reads a final signal again, with all that was decided of it. Should the process end before, the next one does.
    fn recall(&self, signal: SignalId, ctx: &mut Context<Self>) {
        let (restorer, board) = (self.restorer.clone(), self.board.clone());
        let read = async move {
            flushed(&board).await;
            restorer.signal(signal).await
        };
        ctx.spawn(read.into_actor(self).map(move |recalled, actor, ctx| match recalled {
            Ok(recalled) => actor.step(recalled.map(StrategyInput::Recalled), "filled_late", ctx),
            Err(error) => error!(%signal, "a fill came late, and its signal cannot be told: {error}"),
        }));
    }

    /// Says which prices it wants to hear of.
    fn watch(&self) {
        let mut watched = self.board.watched.borrow_mut();
        let same = |known: &Vec<Symbol>| self.core.watched().eq(known.iter().copied());
        match watched.get(&self.id) {
            Some(known) if same(known) => {}
            None if self.core.watched().next().is_none() => {}
            _ => {
                watched.insert(self.id.clone(), self.core.watched().collect());
            }
        }
    }

    /// Hands orders to risk, a slice per permit.
    fn ask_risk(&mut self) {
        while let Some((asked, _)) = self.unchecked.front() {
            let asked = *asked;
            // Without a permit the rest waits: risk rings when it has worked one message off. Ringing oneself instead
            // would never let risk have its turn, since a mailbox is emptied before anybody else runs.
            let Some(permit) = self.checks.take() else { return };
            let alike = self.unchecked.iter().take(ORDERS_PER_CHECK).take_while(|(other, _)| *other == asked).count();
            let orders = self.unchecked.drain(..alike).map(|(_, terms)| terms).collect();
            if let Some(risk) = self.board.directory.risk.borrow().as_ref() {
                tell(risk, risk::CheckOrders { asked, orders, permit: Some(permit) });
            }
        }
    }

    fn take_signals(&mut self, ctx: &mut Context<Self>) {
        if !self.core.takes_signals()
            || self.board.draining.get()
            || !self.unchecked.is_empty()
            || self.core.active_len() >= KEPT_MAX
        {
            return;
        }
        let journal = self.board.journal.as_ref();
        if congested(journal, self.newest) {
            return self.poke_when_durable(ctx);
        }
        let signals = self.inbox.take(&self.id, SIGNALS_PER_STEP);
        let more = signals.len() == SIGNALS_PER_STEP;
        if !signals.is_empty() {
            crash_point("strategy.taken");
            self.step([StrategyInput::Signals(signals)], "signal", ctx);
        }
        if more {
            self.poke(ctx);
        }
    }

    fn poke(&mut self, ctx: &mut Context<Self>) {
        if !self.poked {
            self.poked = true;
            ctx.notify(TakeSignals);
        }
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let wake_at = self.core.wake_at();
        if self.wake.as_ref().map(|(at, _)| *at) == wake_at {
            return;
        }
        if let Some((_, timer)) = self.wake.take() {
            ctx.cancel_future(timer);
        }
        if let Some(at) = wake_at {
            let wait = self.board.clock.real(at.since(self.board.clock.now()));
            let timer = ctx.run_later(wait, |actor, ctx| {
                actor.wake = None;
                actor.step([StrategyInput::Wake], "wake", ctx);
                actor.poke(ctx);
            });
            self.wake = Some((at, timer));
        }
    }
}

impl Actor for StrategyActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A life before this one may have been rung for, and not have looked.
        self.board.rung.borrow_mut().remove(&self.id);
        if let Some((at, first)) = self.first.take() {
            self.act(at, first, "start", ctx);
            self.poke(ctx);
        }
    }
}

/// The doorbell: look into the inbox.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Poke;

impl Handler<Poke> for StrategyActor {
    type Result = ();

    fn handle(&mut self, _: Poke, ctx: &mut Self::Context) {
        self.ask_risk();
        self.poke(ctx);
    }
}

/// The actor's own turn to look into the inbox and to go on: after everything in its mailbox, so that what it knows of its
/// orders is as new as the ledgers that it plans by. A fill that a ledger has and the strategy has not would count twice.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct TakeSignals;

impl Handler<TakeSignals> for StrategyActor {
    type Result = ();

    fn handle(&mut self, _: TakeSignals, ctx: &mut Self::Context) {
        self.poked = false;
        // What has not gone when everything drains stays held, and is looked at again in the next life.
        let durable = |ticket| self.board.journal.durable() >= ticket;
        if self.goes_on.is_some_and(durable) && !self.board.draining.get() {
            self.goes_on = None;
            self.step([StrategyInput::GoOn], "quoted", ctx);
        }
        self.take_signals(ctx);
    }
}

/// A price was shown that the strategy waits for.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Quoted;

impl Handler<Quoted> for StrategyActor {
    type Result = ();

    fn handle(&mut self, _: Quoted, ctx: &mut Self::Context) {
        self.board.rung.borrow_mut().remove(&self.id);
        self.step([StrategyInput::Quoted], "quoted", ctx);
    }
}

/// One of the strategy's orders has changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Observed(pub Arc<Order>);

impl Handler<Observed> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: Observed, ctx: &mut Self::Context) {
        let was_full = self.core.active_len() >= KEPT_MAX;
        self.step([StrategyInput::Observed(message.0)], "observed", ctx);
        if was_full && self.core.active_len() < KEPT_MAX {
            self.poke(ctx);
        }
    }
}

/// One of the strategy's orders got a fill after its end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FilledLate(pub Arc<Order>);

impl Handler<FilledLate> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: FilledLate, ctx: &mut Self::Context) {
        self.step([StrategyInput::FilledLate(message.0)], "filled_late", ctx);
    }
}

/// Risk refused one of the strategy's orders.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Denied {
    pub terms: Arc<OrderTerms>,
    pub denials: Arc<[Denial]>,
}

impl Handler<Denied> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: Denied, ctx: &mut Self::Context) {
        self.step([StrategyInput::Denied { terms: message.terms, denials: message.denials }], "denied", ctx);
    }
}

/// One of the strategy's buys lacks cash.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LacksCash(pub Short);

impl Handler<LacksCash> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: LacksCash, ctx: &mut Self::Context) {
        self.step([StrategyInput::Short(message.0)], "lacks_cash", ctx);
    }
}

/// What risk says to an order that is not sent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Judged {
    pub terms: Arc<OrderTerms>,
    pub denials: Arc<[Denial]>,
}

impl Handler<Judged> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: Judged, ctx: &mut Self::Context) {
        self.step([StrategyInput::Judged { terms: message.terms, denials: message.denials }], "judged", ctx);
    }
}

/// Stop what is not done of a signal yet.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CancelSignal {
    pub signal: SignalId,
    pub who: Arc<str>,
    /// Learns whether there was anything left to stop, once that is durable.
    pub answer: oneshot::Sender<bool>,
}

impl Handler<CancelSignal> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: CancelSignal, ctx: &mut Self::Context) {
        // It may still be in the inbox: take everything before it first. A paused core keeps what it is given.
        while !self.core.knows(message.signal) && self.core.active_len() < KEPT_MAX {
            let signals = self.inbox.take(&self.id, SIGNALS_PER_STEP);
            if signals.is_empty() {
                break;
            }
            self.step([StrategyInput::Signals(signals)], "signal", ctx);
        }
        let at = self.board.clock.now();
        let mut fx = StrategyEffects::default();
        let board = self.board.clone();
        let input = StrategyInput::Cancel { signal: message.signal, who: message.who };
        board.with_view(|view| self.core.handle(at, view, input, &mut fx));
        let found = fx.cancel_found;
        self.act(at, fx, "cancel", ctx);
        self.board.answer_when_durable(message.answer, found);
    }
}

/// A person has his say about legs that wait for him.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Decide {
    pub say: Say,
    /// Told once it is durable.
    pub answer: oneshot::Sender<Result<(), Undecidable>>,
}

impl Handler<Decide> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: Decide, ctx: &mut Self::Context) {
        let Decide { say, answer } = message;
        let at = self.board.clock.now();
        let mut fx = StrategyEffects::default();
        let board = self.board.clone();
        board.with_view(|view| self.core.handle(at, view, StrategyInput::Decide(say), &mut fx));
        let decided = fx.decided.take().unwrap_or(Err(Undecidable::NothingWaits));
        self.act(at, fx, "decide", ctx);
        self.board.answer_when_durable(answer, decided);
    }
}

/// A person wants an order at another limit, or for less.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Replace {
    pub wish: Replacement,
    /// Told once it is durable.
    pub answer: oneshot::Sender<Result<Replaces, Irreplaceable>>,
}

impl Handler<Replace> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: Replace, ctx: &mut Self::Context) {
        let Replace { wish, answer } = message;
        let at = self.board.clock.now();
        let mut fx = StrategyEffects::default();
        let board = self.board.clone();
        board.with_view(|view| self.core.handle(at, view, StrategyInput::Replace(wish), &mut fx));
        let replaced = fx.replaced.take().unwrap_or(Err(Irreplaceable::Ended));
        self.act(at, fx, "replace", ctx);
        self.board.answer_when_durable(answer, replaced);
    }
}

/// Start, pause or stop.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetState {
    pub state: StrategyState,
    pub who: Arc<str>,
    pub reason: Arc<str>,
    pub answer: oneshot::Sender<()>,
}

impl Handler<SetState> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: SetState, ctx: &mut Self::Context) {
        let SetState { state, who, reason, answer } = message;
        self.step([StrategyInput::SetState { state, who, reason }], "set_state", ctx);
        self.poke(ctx);
        self.board.answer_when_durable(answer, ());
    }
}

/// A new configuration as a whole, that fits everything else.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Configure {
    pub conf: Arc<StrategyConf>,
    pub version: u32,
    pub who: Arc<str>,
    /// Told the version once it is durable.
    pub answer: oneshot::Sender<Result<u32, Unfit>>,
}

impl Handler<Configure> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: Configure, ctx: &mut Self::Context) {
        let Configure { conf, version, who, answer } = message;
        self.step([StrategyInput::Configure(conf)], format!("configured by {who}"), ctx);
        self.board.answer_when_durable(answer, Ok(version));
    }
}

/// Other accounts follow in groups from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetGroups(pub Arc<Groups>);

impl Handler<SetGroups> for StrategyActor {
    type Result = ();

    fn handle(&mut self, message: SetGroups, _: &mut Self::Context) {
        self.core.set_groups(message.0);
    }
}

/// No more signals are taken; the life ends. What is in the inbox waits for the next start.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Drain;

impl Handler<Drain> for StrategyActor {
    type Result = ();

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// For tests and drills: end this life by a panic.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Panic;

impl Handler<Panic> for StrategyActor {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        #[expect(clippy::panic, reason = "that is what was asked for")]
        {
            panic!("planted panic in {}", self.name);
        }
    }
}
