//! The shell around the risk engine.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use signalbox_domain::denial::Denial;
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::ids::AccountId;
use signalbox_domain::order::{Order, OrderTerms};
use signalbox_domain::risk::{
    self, Check, LimitFact, LimitSet, Limits, LimitsRefused, Monitor, Most, Risk, RiskEffects, RiskInput, Worth,
};
use signalbox_domain::standing::Standing;
use signalbox_domain::units::Span;
use tokio::sync::oneshot;
use tracing::error;

use crate::board::Board;
use crate::crash::crash_point;
use crate::journal::{Door, Entry};
use crate::port::{Permit, tell};
use crate::{account, strategy};

/// The one risk engine.
#[derive(Debug)]
pub struct RiskActor {
    name: Arc<str>,
    core: Risk,
    board: Rc<Board>,
    door: Arc<dyn Door>,
    /// What is decided once the mailbox is empty, in order.
    later: VecDeque<Later>,
}

/// What waits until every change of an order that is in the mailbox is known: a fill that a ledger has already and risk
/// has not would be reckoned twice, spent and set aside.
#[derive(Debug)]
enum Later {
    Check(CheckOrders),
    Barrier(Barrier),
    Stop(StopSending),
}

/// The actor's own turn, after its mailbox.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Decide;

impl RiskActor {
    #[must_use]
    pub fn new(core: Risk, board: Rc<Board>, door: Arc<dyn Door>) -> Self {
        for (account, cash) in core.all_reserved_cash() {
            let mut aside = board.aside.borrow_mut();
            aside.put(account, cash);
            aside.put_sells(account, core.reserved_sells(account));
        }
        core.tell_quote_ages(&mut board.aside.borrow_mut());
        Self { name: "risk".into(), core, board, door, later: VecDeque::new() }
    }

    fn later(&mut self, what: Later, ctx: &mut Context<Self>) {
        if self.later.is_empty() {
            ctx.notify(Decide);
        }
        self.later.push_back(what);
    }

    /// Planning sees from now on what the account's live orders have set aside.
    fn tell_aside(&self, account: &AccountId) {
        let mut aside = self.board.aside.borrow_mut();
        aside.put(account, self.core.reserved_cash(account));
        aside.put_sells(account, self.core.reserved_sells(account));
    }

    /// Returns what became of the limits, if they were to be changed.
    fn step(&mut self, input: RiskInput, cause: &'static str) -> Option<LimitsSet> {
        let at = self.board.clock.now();
        let mut fx = RiskEffects::default();
        self.board.with_view(|view| self.core.handle(at, view, input, &mut fx));
        for event in &fx.events {
            if let Event::TradingStateSet { scope, state, who, reason } = event {
                if &**who == risk::HOLDER && *state != TradingState::Active {
                    error!(?scope, "{scope:?} is {state}: {reason}");
                }
                self.board.states.borrow_mut().set(scope, *state);
                for account in self.board.directory.accounts.borrow().values() {
                    tell(account, account::TradingStateSet);
                }
            }
        }
        if !fx.events.is_empty() || !fx.rows.is_empty() {
            let (events, rows) = (fx.events, fx.rows);
            self.board.journal.append(Entry { at, actor: self.name.clone(), cause: cause.into(), events, rows });
        }
        if matches!(fx.limits, Some(Ok(_))) {
            self.core.tell_quote_ages(&mut self.board.aside.borrow_mut());
        }
        for (account, pacing) in fx.paced {
            self.board.paces.borrow_mut().insert(account.clone(), pacing);
            if let Some(account) = self.board.directory.account(&account) {
                tell(&account, account::SetPacing(pacing));
            }
        }
        if !fx.approved.is_empty() {
            crash_point("risk.approved");
        }
        for approved in fx.approved {
            self.tell_aside(&approved.get().terms.account);
            // An account between two lives finds the approval in the journal.
            if let Some(account) = self.board.directory.account(&approved.get().terms.account) {
                tell(&account, account::Submit(approved));
            }
        }
        for (terms, denials) in fx.denied {
            if let Some(strategy) = self.board.directory.strategy(&terms.strategy) {
                tell(&strategy, strategy::Denied { terms, denials });
            }
        }
        for short in fx.short {
            if let Some(strategy) = self.board.directory.strategy(&short.terms.strategy) {
                tell(&strategy, strategy::LacksCash(short));
            }
        }
        for exit in fx.exits {
            self.door.enter(exit.signal(at));
        }
        for (terms, denials) in fx.judged {
            if let Some(strategy) = self.board.directory.strategy(&terms.strategy) {
                tell(&strategy, strategy::Judged { terms, denials });
            }
        }
        fx.limits
    }
}

impl Actor for RiskActor {
    type Context = Context<Self>;
}

/// What a strategy asks about its orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Whether they may go out.
    Check,
    /// The same, and they can wait for cash.
    Try,
    /// Whether they could: they are not sent.
    Judge,
}

/// Orders of a strategy.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CheckOrders {
    pub asked: Asked,
    pub orders: Vec<Arc<OrderTerms>>,
    pub permit: Option<Permit>,
}

impl Handler<CheckOrders> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: CheckOrders, ctx: &mut Self::Context) {
        self.later(Later::Check(message), ctx);
    }
}

impl Handler<Decide> for RiskActor {
    type Result = ();

    fn handle(&mut self, _: Decide, _: &mut Self::Context) {
        for what in std::mem::take(&mut self.later) {
            match what {
                Later::Check(CheckOrders { asked, orders, permit }) => {
                    let strategy = orders.first().and_then(|terms| self.board.directory.strategy(&terms.strategy));
                    let input = match asked {
                        Asked::Check => RiskInput::Check(orders),
                        Asked::Try => RiskInput::Try(orders),
                        Asked::Judge => RiskInput::Judge(orders),
                    };
                    self.step(input, "check");
                    drop(permit);
                    if let Some(strategy) = strategy {
                        tell(&strategy, strategy::Poke);
                    }
                }
                Later::Barrier(Barrier(answer)) => {
                    let _ = answer.send(());
                }
                Later::Stop(StopSending { account, standing, answer }) => {
                    let live = self.core.live_of(&account);
                    if live == 0 {
                        self.board.ledgers.borrow_mut().set_standing(account, standing);
                    }
                    let _ = answer.send(live);
                }
            }
        }
    }
}

/// An order that was approved has changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Observed(pub Arc<Order>);

impl Handler<Observed> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: Observed, _: &mut Self::Context) {
        let account = message.0.terms.account.clone();
        self.step(RiskInput::Observed(message.0), "observed");
        self.tell_aside(&account);
    }
}

/// Trading goes on, only reduces, or stops.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetTradingState {
    pub scope: Scope,
    pub state: TradingState,
    pub who: Arc<str>,
    pub reason: Arc<str>,
    /// Told once it is durable.
    pub answer: oneshot::Sender<()>,
}

impl Handler<SetTradingState> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: SetTradingState, _: &mut Self::Context) {
        let SetTradingState { scope, state, who, reason, answer } = message;
        self.step(RiskInput::SetTradingState { scope, state, who, reason }, "set_trading_state");
        self.board.answer_when_durable(answer, ());
    }
}

/// What became of a change of the limits.
pub type LimitsSet = Result<Arc<LimitFact>, LimitsRefused>;

/// The limits of a scope become others.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetLimits {
    pub scope: Scope,
    pub set: Box<LimitSet>,
    /// The version that is changed.
    pub expected: Option<u32>,
    pub who: Arc<str>,
    pub reason: Arc<str>,
    /// Told once it is durable.
    pub answer: oneshot::Sender<LimitsSet>,
}

impl Handler<SetLimits> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: SetLimits, _: &mut Self::Context) {
        let SetLimits { scope, set, expected, who, reason, answer } = message;
        if let Some(set) = self.step(RiskInput::SetLimits { scope, set, expected, who, reason }, "set_limits") {
            self.board.answer_when_durable(answer, set);
        }
    }
}

/// Prices were shown. They are looked at together, a moment later.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Shown;

/// How long prices are gathered before risk looks at what everything is worth.
const GATHERED: Span = Span::from_secs(1);

impl Handler<Shown> for RiskActor {
    type Result = ();

    fn handle(&mut self, _: Shown, ctx: &mut Self::Context) {
        ctx.run_later(self.board.clock.real(GATHERED), |actor, _| {
            actor.board.watch_rung.set(false);
            actor.step(RiskInput::Watch, "watch");
        });
    }
}

/// What is everything worth?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Watch;

impl Handler<Watch> for RiskActor {
    type Result = ();

    fn handle(&mut self, _: Watch, _: &mut Self::Context) {
        self.step(RiskInput::Watch, "watch");
    }
}

/// A person has changed the account's books.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Rebooked(pub AccountId);

impl Handler<Rebooked> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: Rebooked, _: &mut Self::Context) {
        self.step(RiskInput::Rebooked(message.0), "rebooked");
    }
}

/// What accounts, strategies and all together are worth, for people; nothing is recorded.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TellWorth(pub oneshot::Sender<Vec<Worth>>);

impl Handler<TellWorth> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: TellWorth, _: &mut Self::Context) {
        let at = self.board.clock.now();
        let worth = self.board.with_view(|view| self.core.worth(at, view));
        let _ = message.0.send(worth);
    }
}

/// How the monitors of all positions stand; with `run` they look now, and what has come true goes off.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TellMonitors {
    pub run: bool,
    pub answer: oneshot::Sender<Vec<Monitor>>,
}

impl Handler<TellMonitors> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: TellMonitors, _: &mut Self::Context) {
        let at = self.board.clock.now();
        let monitors = self.board.with_view(|view| self.core.monitors(at, view));
        if message.run {
            self.step(RiskInput::Watch, "run_monitors");
        }
        self.board.answer_when_durable(message.answer, monitors);
    }
}

/// Every check of an order, for people; nothing is recorded.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Explain {
    pub terms: OrderTerms,
    pub answer: oneshot::Sender<Vec<Check>>,
}

impl Handler<Explain> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: Explain, _: &mut Self::Context) {
        let at = self.board.clock.now();
        let checks = self.board.with_view(|view| self.core.explain(at, view, &message.terms));
        let _ = message.answer.send(checks);
    }
}

/// The largest order that would be let through, for people; nothing is recorded.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TellMost {
    pub terms: OrderTerms,
    pub answer: oneshot::Sender<Most>,
}

impl Handler<TellMost> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: TellMost, _: &mut Self::Context) {
        let at = self.board.clock.now();
        let most = self.board.with_view(|view| self.core.most(at, view, &message.terms));
        let _ = message.answer.send(most);
    }
}

/// Answers once everything that was sent before has been decided.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Barrier(pub oneshot::Sender<()>);

impl Handler<Barrier> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: Barrier, ctx: &mut Self::Context) {
        self.later(Later::Barrier(message), ctx);
    }
}

/// An account was opened while we run, or is in use again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AddAccount {
    pub account: AccountId,
    /// As conf says; what people have set stands above them.
    pub limits: Arc<Limits>,
}

impl Handler<AddAccount> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: AddAccount, _: &mut Self::Context) {
        let AddAccount { account, limits } = message;
        self.core.add_account(account.clone(), limits);
        self.core.tell_quote_ages(&mut self.board.aside.borrow_mut());
        let Some(pacing) = self.core.limits(&account).map(|limits| limits.pacing()) else { return };
        self.board.paces.borrow_mut().insert(account.clone(), pacing);
        if let Some(account) = self.board.directory.account(&account) {
            tell(&account, account::SetPacing(pacing));
        }
    }
}

/// An account shall send nothing more. When no order of it may still trade, that holds from this instant on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopSending {
    pub account: AccountId,
    pub standing: Standing,
    /// Told how many orders of it may still trade. When there are some, nothing has changed.
    pub answer: oneshot::Sender<u32>,
}

impl Handler<StopSending> for RiskActor {
    type Result = ();

    fn handle(&mut self, message: StopSending, ctx: &mut Self::Context) {
        self.later(Later::Stop(message), ctx);
    }
}

/// For drills: the risk engine panics, and the process ends.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Panic;

impl Handler<Panic> for RiskActor {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        #[expect(clippy::panic, reason = "that is what was asked for")]
        {
            panic!("planted panic in risk");
        }
    }
}

/// The numbers of a refusal, as the strategy hears them.
pub type Denials = Arc<[Denial]>;
