//! The shell around one account: its mailbox, its timer, its broker session.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext as _, AsyncContext, Context, Handler, Message, SpawnHandle};
use signalbox_domain::account::{
    self, Account, AccountEffects, AccountInput, Alarm, BookOrder, Pacing, Resolution, Unbookable, Unresolvable,
    Unsettleable,
};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, ReadFailed, Snapshot};
use signalbox_domain::event::Event;
use signalbox_domain::ids::{AccountId, OrderId, StrategyId};
use signalbox_domain::ledger::{Ledger, Marking};
use signalbox_domain::order::{Order, Side};
use signalbox_domain::risk::{Approved, ApprovedOrder};
use signalbox_domain::units::{Span, Timestamp, TradeDate};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::board::Board;
use crate::crash::crash_point;
use crate::gate::Waiter;
use crate::journal::{Entry, Ticket};
use crate::port::tell;
use crate::session::{Decided, Session};
use crate::{risk, strategy};

#[derive(Debug)]
enum Ask {
    Call(BrokerRequest),
    Read,
}

/// What is asked of the broker once its facts are durable.
#[derive(Debug)]
struct Held {
    ticket: Ticket,
    /// When it was decided.
    decided: Decided,
    ask: Ask,
}

/// Less is what the network's time does to a clock.
const CLOCK_JUMP: Span = Span::from_secs(2);

/// What the broker said within one step.
#[derive(Debug, Default)]
struct Heard {
    reports: Vec<BrokerReport>,
    read_failed: Option<ReadFailed>,
}

impl Heard {
    fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.read_failed.is_none()
    }

    fn into_inputs(self) -> impl Iterator<Item = AccountInput> {
        let read = self.read_failed.map(|failed| AccountInput::Read(Err(failed)));
        self.reports.into_iter().map(AccountInput::Broker).chain(read)
    }
}

/// One account at one broker.
#[derive(Debug)]
pub struct AccountActor {
    id: AccountId,
    name: Arc<str>,
    core: Account,
    session: Session,
    board: Rc<Board>,
    /// What is asked of the broker once its facts are durable, in order.
    held: VecDeque<Held>,
    at_gate: bool,
    wake: Option<(Timestamp, SpawnHandle)>,
    /// What a resumed life has to do before anything else, and when that was decided: its rows bear that time.
    first: Option<(Timestamp, AccountEffects)>,
    /// How far the wall clock was from the monotonic one at the last step.
    drift: Span,
}

impl AccountActor {
    #[must_use]
    pub fn new(core: Account, first: (Timestamp, AccountEffects), session: Session, board: Rc<Board>) -> Self {
        let id = core.conf().id.clone();
        let name = format!("account:{id}").into();
        let (held, drift) = (VecDeque::new(), board.clock.drift());
        Self { id, name, core, session, board, held, at_gate: false, wake: None, first: Some(first), drift }
    }

    /// Decides now, acts when durable.
    fn step(&mut self, inputs: impl IntoIterator<Item = AccountInput>, cause: &'static str, ctx: &mut Context<Self>) {
        let at = self.board.clock.now();
        let mut fx = AccountEffects::default();
        let jumped = self.clock_jumped().map(|by| AccountInput::ClockJumped { by });
        self.decide(at, jumped.into_iter().chain(inputs), &mut fx);
        self.act(at, fx, cause, ctx);
    }

    fn clock_jumped(&mut self) -> Option<Span> {
        let drift = self.board.clock.drift();
        let by = Span::from_us(drift.us() - self.drift.us());
        if by.us().abs() < CLOCK_JUMP.us() {
            return None;
        }
        self.drift = drift;
        Some(by)
    }

    fn decide(&mut self, at: Timestamp, inputs: impl IntoIterator<Item = AccountInput>, fx: &mut AccountEffects) {
        let states = self.board.states.borrow();
        let mut ledgers = self.board.ledgers.borrow_mut();
        let Some(ledger) = ledgers.get_mut(&self.id) else { return };
        for input in inputs {
            self.core.handle(at, &states, ledger, input, fx);
        }
    }

    fn act(&mut self, at: Timestamp, mut fx: AccountEffects, cause: &'static str, ctx: &mut Context<Self>) {
        let mut cause = cause;
        // A broker that answers at once can answer within the loop; each round is an entry of its own.
        loop {
            self.raise(&fx.alarms);
            let ticket = if fx.events.is_empty() && fx.rows.is_empty() {
                self.held.back().map(|held| held.ticket)
            } else {
                let (events, rows) = (std::mem::take(&mut fx.events), std::mem::take(&mut fx.rows));
                if events.iter().any(Event::rebooks)
                    && let Some(risk) = self.board.directory.risk.borrow().as_ref()
                {
                    tell(risk, risk::Rebooked(self.id.clone()));
                }
                crash_point("account.before_append");
                let ticket = self.board.journal.append(Entry {
                    at,
                    actor: self.name.clone(),
                    cause: cause.into(),
                    events,
                    rows,
                });
                crash_point("account.appended");
                Some(ticket)
            };
            for order in fx.observed.drain(..) {
                if let Some(risk) = self.board.directory.risk.borrow().as_ref() {
                    tell(risk, risk::Observed(order.clone()));
                }
                if let Some(strategy) = self.board.directory.strategy(&order.terms.strategy) {
                    tell(&strategy, strategy::Observed(order));
                }
            }
            for order in fx.filled_late.drain(..) {
                if let Some(strategy) = self.board.directory.strategy(&order.terms.strategy) {
                    tell(&strategy, strategy::FilledLate(order));
                }
            }
            self.arm(fx.wake_at, ctx);
            let ticket = ticket.unwrap_or(0);
            let decided = Decided::now(&*self.board.clock);
            self.held.extend(fx.broker.drain(..).map(|request| Held { ticket, decided, ask: Ask::Call(request) }));
            if fx.read {
                self.held.push_back(Held { ticket, decided, ask: Ask::Read });
            }
            let heard = self.perform_durable(at, ctx);
            if heard.is_empty() {
                return;
            }
            cause = "broker_reply";
            fx = AccountEffects::default();
            self.decide(at, heard.into_inputs(), &mut fx);
        }
    }

    /// Hands the broker everything whose facts are durable, and waits at the gate for the rest.
    fn perform_durable(&mut self, at: Timestamp, ctx: &mut Context<Self>) -> Heard {
        let mut heard = Heard::default();
        let durable = self.board.journal.durable();
        while let Some(Held { decided, ask, .. }) = self.held.pop_front_if(|held| held.ticket <= durable) {
            match ask {
                Ask::Call(request) => {
                    crash_point(match request {
                        BrokerRequest::Submit { .. } => "submit.durable",
                        BrokerRequest::Cancel { .. } => "cancel.durable",
                        BrokerRequest::Find { .. } => "find.durable",
                    });
                    heard.reports.append(&mut self.session.call(at, decided, request));
                }
                Ask::Read => {
                    crash_point("read.durable");
                    heard.read_failed = self.session.read(decided);
                }
            }
        }
        if let Some(held) = self.held.front()
            && !self.at_gate
        {
            self.at_gate = true;
            self.board.gate.wait(held.ticket, Waiter::Account(ctx.address()));
        }
        heard
    }

    fn arm(&mut self, wake_at: Option<Timestamp>, ctx: &mut Context<Self>) {
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
                actor.step([AccountInput::Wake], "wake", ctx);
            });
            self.wake = Some((at, timer));
        }
    }

    fn raise(&self, alarms: &[Alarm]) {
        for alarm in alarms {
            match alarm {
                Alarm::InDoubt { order, cause } => {
                    crash_point("doubt.before_append");
                    warn!(account.id = %self.id, order.id = %order, "order {order} is in doubt: {cause}");
                }
                Alarm::Unexplained { order, what } => {
                    error!(account.id = %self.id, order.id = %order, "unexplained report for order {order}: {what}");
                }
                Alarm::Parked { order, reason } => {
                    crash_point("park.before_append");
                    error!(account.id = %self.id, order.id = %order, %reason, "order {order} is parked: {reason}");
                }
                Alarm::Ghost { order, no } => {
                    error!(account.id = %self.id, order.id = %order, "{no} fits {order}, which was proved absent");
                }
                Alarm::Revived { order, no } => {
                    error!(account.id = %self.id, order.id = %order, "{order} has ended here, and works there as {no}");
                }
                Alarm::CameBack { order } => {
                    error!(account.id = %self.id, order.id = %order, "{order} was proved absent, and has traded");
                }
                Alarm::ReadInvalid { why } => warn!(account.id = %self.id, "the broker's lists do not count: {why}"),
                Alarm::Break { what } => error!(account.id = %self.id, "books and broker differ: {what}"),
                Alarm::ClockJumped { by } => {
                    error!(account.id = %self.id, "the clocks went apart by {} ms", by.us() / 1_000);
                }
                Alarm::WentEx(booked) => {
                    let (action, shares, cash) = (&booked.action, booked.shares, booked.cash);
                    let (held, symbol, date) = (booked.held, action.symbol, action.ex_date);
                    info!(account.id = %self.id, "{held} of {symbol} went ex {date}: {shares} new shares and {cash} before tax");
                    if action.rights.is_positive() {
                        let (rights, px) = (action.rights, action.rights_price);
                        warn!(account.id = %self.id, "{symbol}: {rights} rights for ten shares at {px} are not booked: who takes them up has to say so");
                    }
                }
                Alarm::ExUnbooked(action) => {
                    let (symbol, date) = (action.symbol, action.ex_date);
                    error!(account.id = %self.id, "{symbol} went ex {date} and is not booked, since the table did not know it in time: correct the books");
                }
                Alarm::Overfill { order } => {
                    error!(account.id = %self.id, order.id = %order, "order {order} is filled beyond its quantity");
                }
            }
        }
    }
}

impl Actor for AccountActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some((at, first)) = self.first.take() {
            self.act(at, first, "start", ctx);
        }
    }
}

/// Everything up to some ticket is durable.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Durable;

impl Handler<Durable> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: Durable, ctx: &mut Self::Context) {
        self.at_gate = false;
        let at = self.board.clock.now();
        let heard = self.perform_durable(at, ctx);
        if !heard.is_empty() {
            self.step(heard.into_inputs(), "broker_reply", ctx);
        }
    }
}

/// An order that risk approved.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Submit(pub Approved<ApprovedOrder>);

impl Handler<Submit> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Submit, ctx: &mut Self::Context) {
        self.step([AccountInput::Submit(message.0)], "approved", ctx);
    }
}

/// What the broker said unasked.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reported(pub Vec<BrokerReport>);

impl Handler<Reported> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Reported, ctx: &mut Self::Context) {
        self.step(message.0.into_iter().map(AccountInput::Broker), "broker_push", ctx);
    }
}

/// What the broker answered, from its session's task.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Answered(pub Vec<BrokerReport>);

impl Handler<Answered> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Answered, ctx: &mut Self::Context) {
        crash_point("answer.told");
        self.step(message.0.into_iter().map(AccountInput::Broker), "broker_reply", ctx);
    }
}

/// The broker's lists were read, or were not.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ListsRead(pub Result<Arc<Snapshot>, ReadFailed>);

impl Handler<ListsRead> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: ListsRead, ctx: &mut Self::Context) {
        self.step([AccountInput::Read(message.0)], "broker_read", ctx);
    }
}

/// The session is open, for the first time or again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Connected;

impl Handler<Connected> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: Connected, ctx: &mut Self::Context) {
        self.step([AccountInput::Connected], "broker_connected", ctx);
    }
}

/// A session that opens asks what the broker should know.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LiveOrders(pub oneshot::Sender<Vec<Order>>);

impl Handler<LiveOrders> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: LiveOrders, _: &mut Self::Context) {
        let _ = message.0.send(self.core.live().cloned().collect()); // the session may be over
    }
}

/// Take one order back.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Cancel {
    pub order: OrderId,
    pub reason: Arc<str>,
    /// Learns whether the order was live, once that is durable.
    pub answer: Option<oneshot::Sender<Vec<OrderId>>>,
}

impl Handler<Cancel> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Cancel, ctx: &mut Self::Context) {
        let Cancel { order, reason, answer } = message;
        self.cancel(AccountInput::Cancel { order, reason }, answer, ctx);
    }
}

/// Take many orders back.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CancelAll {
    pub side: Option<Side>,
    pub strategy: Option<StrategyId>,
    pub reason: Arc<str>,
    /// Learns the orders that it reached, once that is durable.
    pub answer: Option<oneshot::Sender<Vec<OrderId>>>,
}

impl Handler<CancelAll> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: CancelAll, ctx: &mut Self::Context) {
        let CancelAll { side, strategy, reason, answer } = message;
        self.cancel(AccountInput::CancelAll { side, strategy, reason }, answer, ctx);
    }
}

impl AccountActor {
    fn cancel(&mut self, input: AccountInput, answer: Option<oneshot::Sender<Vec<OrderId>>>, ctx: &mut Context<Self>) {
        let at = self.board.clock.now();
        let mut fx = AccountEffects::default();
        self.decide(at, [input], &mut fx);
        let reached = std::mem::take(&mut fx.canceling);
        self.act(at, fx, "cancel", ctx);
        if let Some(answer) = answer {
            self.board.answer_when_durable(answer, reached);
        }
    }
}

/// A person wants the broker's lists to be read now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Refresh(
    /// Learns whether there are lists.
    pub oneshot::Sender<bool>,
);

impl Handler<Refresh> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Refresh, ctx: &mut Self::Context) {
        self.step([AccountInput::Refresh], "refresh", ctx);
        let _ = message.0.send(self.core.reads()); // who asked may be gone
    }
}

/// A person wants a new session at the broker.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reconnect(
    /// Learns whether there are sessions.
    pub oneshot::Sender<bool>,
);

impl Handler<Reconnect> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Reconnect, _: &mut Self::Context) {
        let _ = message.0.send(self.session.reconnect()); // who asked may be gone
    }
}

/// A trading day begins.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StartDay(pub TradeDate);

impl Handler<StartDay> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: StartDay, ctx: &mut Self::Context) {
        let day_ends = self.with_ledger(|ledger| ledger.trade_date.is_some_and(|day| day < message.0));
        let marks = if day_ends == Some(true) { self.marks(Marking::DayEnd) } else { None };
        self.step(marks.into_iter().chain([AccountInput::DayStart(message.0)]), "calendar", ctx);
    }
}

/// Take what the market has shown of the holdings into the books.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct MarkBooks(pub Marking);

impl Handler<MarkBooks> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: MarkBooks, ctx: &mut Self::Context) {
        if let Some(marks) = self.marks(message.0) {
            self.step([marks], "calendar", ctx);
        }
    }
}

impl AccountActor {
    fn with_ledger<R>(&self, look: impl FnOnce(&Ledger) -> R) -> Option<R> {
        self.board.ledgers.borrow().get(&self.id).map(look)
    }

    fn marks(&self, marking: Marking) -> Option<AccountInput> {
        let quotes = self.board.quotes.borrow();
        let marks = self.with_ledger(|ledger| ledger.marks(marking, |symbol, since| quotes.seen_since(symbol, since)));
        let closing = marking.closing();
        marks.filter(|marks| !marks.is_empty()).map(|marks| AccountInput::Mark { marks, closing })
    }
}

/// A person settles the doubt of an order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Resolve {
    pub order: OrderId,
    pub resolution: Resolution,
    pub by: Arc<str>,
    pub note: Arc<str>,
    /// Learns whether it could be, once that is durable.
    pub answer: oneshot::Sender<Result<(), Unresolvable>>,
}

impl Handler<Resolve> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Resolve, ctx: &mut Self::Context) {
        let Resolve { order, resolution, by, note, answer } = message;
        let at = self.board.clock.now();
        let mut fx = AccountEffects::default();
        self.decide(at, [AccountInput::Resolve { order, resolution, by, note }], &mut fx);
        let resolved = fx.resolved.take();
        self.act(at, fx, "resolve", ctx);
        if let Some(resolved) = resolved {
            self.board.answer_when_durable(answer, resolved);
        }
    }
}

/// A person settles a break or a ghost.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Settle {
    pub decision: account::Settle,
    /// Learns whether it could be, once that is durable.
    pub answer: oneshot::Sender<Result<(), Unsettleable>>,
}

impl Handler<Settle> for AccountActor {
    type Result = ();

    fn handle(&mut self, Settle { decision, answer }: Settle, ctx: &mut Self::Context) {
        let at = self.board.clock.now();
        let mut fx = AccountEffects::default();
        self.decide(at, [AccountInput::Settle(decision)], &mut fx);
        let settled = fx.settled.take();
        self.act(at, fx, "settle", ctx);
        if let Some(settled) = settled {
            self.board.answer_when_durable(answer, settled);
        }
    }
}

/// A person changes whose the shares are.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Rebook {
    pub order: BookOrder,
    /// Learns whether it could be, once that is durable.
    pub answer: oneshot::Sender<Result<(), Unbookable>>,
}

impl Handler<Rebook> for AccountActor {
    type Result = ();

    fn handle(&mut self, Rebook { order, answer }: Rebook, ctx: &mut Self::Context) {
        let at = self.board.clock.now();
        let mut fx = AccountEffects::default();
        self.decide(at, [AccountInput::Book(order)], &mut fx);
        let booked = fx.booked.take();
        self.act(at, fx, "rebook", ctx);
        if let Some(booked) = booked {
            self.board.answer_when_durable(answer, booked);
        }
    }
}

/// A trading state was set somewhere: orders that wait may have to end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TradingStateSet;

impl Handler<TradingStateSet> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: TradingStateSet, ctx: &mut Self::Context) {
        self.step([AccountInput::TradingStateSet], "trading_state", ctx);
    }
}

/// The limits of the account say another pace.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetPacing(pub Pacing);

impl Handler<SetPacing> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: SetPacing, ctx: &mut Self::Context) {
        self.step([AccountInput::SetPacing(message.0)], "limits", ctx);
    }
}

/// The account is not in use any more: the life ends, and its session with it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Retire;

impl Handler<Retire> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// For tests and drills: end this life by a panic.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Panic;

impl Handler<Panic> for AccountActor {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        #[expect(clippy::panic, reason = "that is what was asked for")]
        {
            panic!("planted panic in {}", self.name);
        }
    }
}

/// What the account shows of itself.
#[derive(Debug, Clone)]
pub struct AccountHealth {
    pub live_orders: usize,
    pub queued: usize,
    pub doubts: usize,
    pub held: usize,
    /// Nothing is sent until a person or a valid read says otherwise.
    pub frozen: bool,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Observe(pub oneshot::Sender<AccountHealth>);

impl Handler<Observe> for AccountActor {
    type Result = ();

    fn handle(&mut self, message: Observe, _: &mut Self::Context) {
        let _ = message.0.send(AccountHealth {
            live_orders: self.core.live().len(),
            queued: self.core.queue_len(),
            doubts: self.core.doubts(),
            held: self.held.len(),
            frozen: self.core.is_frozen(None),
        });
    }
}
