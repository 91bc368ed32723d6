//! The desk: what other threads (the front door, feeds, the terminal) can ask of the trading thread.
//!
//! Every command that changes something is answered when the change is durable.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};
use signalbox_domain::account::{BookOrder, Resolution, Settle, Unbookable, Unresolvable, Unsettleable};
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::{AccountId, OrderId, SignalId, StrategyId};
use signalbox_domain::order::{OrderTerms, Side};
use signalbox_domain::quote::{Bar, Print, Quote};
use signalbox_domain::registry::{Fact, Unfit};
use signalbox_domain::risk::{Check, LimitSet, Monitor, Most, Worth};
use signalbox_domain::strategy::{Irreplaceable, Replacement, Replaces, Say, StrategyConf, StrategyState, Undecidable};
use signalbox_domain::units::Timestamp;
use tokio::sync::{Semaphore, oneshot};

use crate::account::{self, AccountHealth};
use crate::clock::Clock;
use crate::port::tell;
use crate::registrar::{Asked, Change, Configure, SetUp};
use crate::root::Root;
use crate::supervise::start_fail_stop;
use crate::{market, risk, strategy};

/// Commands in progress from other threads. Each waits for a group commit at most, so this is far more than people and
/// programs need, and far less than would hurt.
const COMMANDS_MAX: usize = 1_024;

/// The desk is closed (the process is ending), too busy, or the one asked for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    #[error("the trading thread has too many commands in progress")]
    Busy,
    #[error("the trading thread is ending")]
    Closed,
    #[error("there is no such account or strategy, or it is suspended")]
    Absent,
}

/// A handle for other threads. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    front: Addr<Front>,
    clock: Arc<dyn Clock>,
    commands: Arc<Semaphore>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// Must be called on the trading thread.
    #[must_use]
    pub fn new(root: Root) -> Self {
        let clock = root.board.clock.clone();
        let on_fatal = root.on_fatal.0.clone();
        let front = start_fail_stop("the desk", Front { root }, on_fatal);
        Self { front, clock, commands: Arc::new(Semaphore::new(COMMANDS_MAX)) }
    }

    /// The market clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Rings for a strategy whose inbox has something. May be lost; the inbox is not.
    pub fn poke(&self, strategy: &StrategyId) {
        tell(&self.front, Ask(Command::Poke(strategy.clone())));
    }

    /// # Errors
    /// [`DeskError`], as for all commands here.
    pub async fn cancel_signal(
        &self,
        strategy: StrategyId,
        signal: SignalId,
        who: Arc<str>,
    ) -> Result<bool, DeskError> {
        self.ask(|answer| Command::CancelSignal { strategy, message: strategy::CancelSignal { signal, who, answer } })
            .await
    }

    /// A person has his say about legs in accounts of his that wait for him.
    pub async fn decide(&self, strategy: StrategyId, say: Say) -> Result<Result<(), Undecidable>, DeskError> {
        self.ask(|answer| Command::Decide { strategy, message: strategy::Decide { say, answer } }).await
    }

    /// A person wants an order at another limit, or for less.
    pub async fn replace(
        &self,
        strategy: StrategyId,
        wish: Replacement,
    ) -> Result<Result<Replaces, Irreplaceable>, DeskError> {
        self.ask(|answer| Command::Replace { strategy, message: strategy::Replace { wish, answer } }).await
    }

    /// The orders that the cancel reached: empty when the order was not live any more.
    pub async fn cancel_order(
        &self,
        account: AccountId,
        order: OrderId,
        reason: Arc<str>,
    ) -> Result<Vec<OrderId>, DeskError> {
        self.ask(|answer| Command::Cancel { account, message: account::Cancel { order, reason, answer: Some(answer) } })
            .await
    }

    /// Settles the doubt of an order, as a person decides.
    pub async fn resolve(
        &self,
        account: AccountId,
        order: OrderId,
        resolution: Resolution,
        by: Arc<str>,
        note: Arc<str>,
    ) -> Result<Result<(), Unresolvable>, DeskError> {
        self.ask(|answer| Command::Resolve {
            account,
            message: account::Resolve { order, resolution, by, note, answer },
        })
        .await
    }

    /// Settles a break or a ghost, as a person decides.
    pub async fn settle(&self, account: AccountId, decision: Settle) -> Result<Result<(), Unsettleable>, DeskError> {
        self.ask(|answer| Command::Settle { account, message: account::Settle { decision, answer } }).await
    }

    /// Changes whose the shares are, as a person says.
    pub async fn rebook(&self, account: AccountId, order: BookOrder) -> Result<Result<(), Unbookable>, DeskError> {
        self.ask(|answer| Command::Rebook { account, message: account::Rebook { order, answer } }).await
    }

    pub async fn cancel_all(
        &self,
        account: AccountId,
        side: Option<Side>,
        strategy: Option<StrategyId>,
        reason: Arc<str>,
    ) -> Result<Vec<OrderId>, DeskError> {
        self.ask(|answer| Command::CancelAll {
            account,
            message: account::CancelAll { side, strategy, reason, answer: Some(answer) },
        })
        .await
    }

    pub async fn set_trading_state(
        &self,
        scope: Scope,
        state: TradingState,
        who: Arc<str>,
        reason: Arc<str>,
    ) -> Result<(), DeskError> {
        self.ask(|answer| Command::SetTradingState(risk::SetTradingState { scope, state, who, reason, answer })).await
    }

    /// The three scopes' states that concern the account and strategy, and all that were set.
    pub async fn trading_state(&self, scope: Scope) -> Result<TradingState, DeskError> {
        self.ask(|answer| Command::TradingState { scope, answer }).await
    }

    pub async fn set_strategy_state(
        &self,
        strategy: StrategyId,
        state: StrategyState,
        who: Arc<str>,
        reason: Arc<str>,
    ) -> Result<(), DeskError> {
        self.ask(|answer| Command::SetState { strategy, message: strategy::SetState { state, who, reason, answer } })
            .await
    }

    /// Replaces a strategy's configuration; one that there is not yet is made. Its version, when it fits.
    pub async fn configure(
        &self,
        conf: Arc<StrategyConf>,
        expected: Option<u32>,
        who: Arc<str>,
    ) -> Result<Result<u32, Unfit>, DeskError> {
        self.ask(|answer| Command::Register(Asked::Configure(Configure { conf, expected, who, answer }))).await
    }

    /// Opens or changes an account, or a group. The fact that is in force then, when it fits.
    pub async fn set_up(&self, change: Change) -> Result<Result<Fact, Unfit>, DeskError> {
        self.ask(|answer| Command::Register(Asked::SetUp(SetUp { change, answer }))).await
    }

    /// Sets the limits of a scope anew.
    pub async fn set_limits(
        &self,
        scope: Scope,
        set: Box<LimitSet>,
        expected: Option<u32>,
        who: Arc<str>,
        reason: Arc<str>,
    ) -> Result<risk::LimitsSet, DeskError> {
        self.ask(|answer| Command::SetLimits(risk::SetLimits { scope, set, expected, who, reason, answer })).await
    }

    pub async fn explain(&self, terms: OrderTerms) -> Result<Vec<Check>, DeskError> {
        self.ask(|answer| Command::Explain(risk::Explain { terms, answer })).await
    }

    /// The largest order of these terms that would be let through.
    pub async fn most(&self, terms: OrderTerms) -> Result<Most, DeskError> {
        self.ask(|answer| Command::Most(risk::TellMost { terms, answer })).await
    }

    /// What accounts, strategies and all together are worth, and have lost.
    pub async fn worth(&self) -> Result<Vec<Worth>, DeskError> {
        self.ask(|answer| Command::Worth(risk::TellWorth(answer))).await
    }

    /// How the monitors of all positions stand; with `run` they look now, and what has come true goes off.
    pub async fn monitors(&self, run: bool) -> Result<Vec<Monitor>, DeskError> {
        self.ask(|answer| Command::Monitors(risk::TellMonitors { run, answer })).await
    }

    pub async fn quotes(&self, quotes: Vec<Quote>) -> Result<(), DeskError> {
        self.ask(|answer| Command::Quotes(market::Quotes { quotes, answer: Some(answer) })).await
    }

    /// Bars are in force when this answers.
    pub async fn bars(&self, bars: Vec<Bar>) -> Result<(), DeskError> {
        self.ask(|answer| Command::Bars(market::Bars { bars, answer })).await
    }

    /// Prints are fed by one source in this process, which paces itself by the answer.
    pub async fn prints(&self, prints: Vec<Print>) -> Result<(), DeskError> {
        self.ask(|answer| Command::Prints { prints, answer }).await
    }

    pub async fn account_health(&self, account: AccountId) -> Result<AccountHealth, DeskError> {
        self.ask(|answer| Command::Observe { account, answer }).await
    }

    /// Has the lists of the account's broker read; whether there are any.
    pub async fn refresh(&self, account: AccountId) -> Result<bool, DeskError> {
        self.ask(|answer| Command::Refresh { account, answer }).await
    }

    /// Has the account's session opened anew; whether it has one.
    pub async fn reconnect(&self, account: AccountId) -> Result<bool, DeskError> {
        self.ask(|answer| Command::Reconnect { account, answer }).await
    }

    /// Ends the work in an orderly way: see [`Root::drain`].
    pub async fn drain(&self) -> Result<(), DeskError> {
        self.ask(Command::Drain).await
    }

    /// For drills: makes an actor panic.
    pub fn plant_panic(&self, actor: Planted) {
        tell(&self.front, Ask(Command::Panic(actor)));
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, DeskError> {
        let _permit = self.commands.try_acquire().map_err(|_| DeskError::Busy)?;
        if !self.front.connected() {
            return Err(DeskError::Closed);
        }
        let (tx, rx) = oneshot::channel();
        tell(&self.front, Ask(command(tx)));
        rx.await.map_err(|_| DeskError::Absent)
    }
}

/// Which actor shall panic.
#[derive(Debug, Clone)]
pub enum Planted {
    Risk,
    Market,
    Account(AccountId),
    Strategy(StrategyId),
}

#[derive(Debug)]
enum Command {
    Poke(StrategyId),
    CancelSignal { strategy: StrategyId, message: strategy::CancelSignal },
    Decide { strategy: StrategyId, message: strategy::Decide },
    Replace { strategy: StrategyId, message: strategy::Replace },
    Cancel { account: AccountId, message: account::Cancel },
    Resolve { account: AccountId, message: account::Resolve },
    Settle { account: AccountId, message: account::Settle },
    Rebook { account: AccountId, message: account::Rebook },
    CancelAll { account: AccountId, message: account::CancelAll },
    SetTradingState(risk::SetTradingState),
    SetLimits(risk::SetLimits),
    TradingState { scope: Scope, answer: oneshot::Sender<TradingState> },
    SetState { strategy: StrategyId, message: strategy::SetState },
    Register(Asked),
    Explain(risk::Explain),
    Most(risk::TellMost),
    Worth(risk::TellWorth),
    Monitors(risk::TellMonitors),
    Quotes(market::Quotes),
    Bars(market::Bars),
    Prints { prints: Vec<Print>, answer: oneshot::Sender<()> },
    Observe { account: AccountId, answer: oneshot::Sender<AccountHealth> },
    Refresh { account: AccountId, answer: oneshot::Sender<bool> },
    Reconnect { account: AccountId, answer: oneshot::Sender<bool> },
    Drain(oneshot::Sender<()>),
    Panic(Planted),
}

#[derive(Message)]
#[rtype(result = "()")]
struct Ask(Command);

/// Stands on the trading thread and hands commands on. An answer whose sender is dropped means "absent".
struct Front {
    root: Root,
}

impl Actor for Front {
    type Context = Context<Self>;
}

impl Handler<Ask> for Front {
    type Result = ();

    fn handle(&mut self, message: Ask, _: &mut Self::Context) {
        let directory = &self.root.board.directory;
        match message.0 {
            Command::Poke(strategy) => self.root.poke(&strategy),
            Command::CancelSignal { strategy, message } => {
                if let Some(strategy) = directory.strategy(&strategy) {
                    tell(&strategy, message);
                }
            }
            Command::Decide { strategy, message } => {
                if let Some(strategy) = directory.strategy(&strategy) {
                    tell(&strategy, message);
                }
            }
            Command::Replace { strategy, message } => {
                if let Some(strategy) = directory.strategy(&strategy) {
                    tell(&strategy, message);
                }
            }
            Command::Cancel { account, message } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, message);
                }
            }
            Command::Resolve { account, message } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, message);
                }
            }
            Command::Settle { account, message } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, message);
                }
            }
            Command::Rebook { account, message } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, message);
                }
            }
            Command::CancelAll { account, message } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, message);
                }
            }
            Command::SetTradingState(message) => {
                if let Some(risk) = directory.risk.borrow().as_ref() {
                    tell(risk, message);
                }
            }
            Command::SetLimits(message) => {
                if let Some(risk) = directory.risk.borrow().as_ref() {
                    tell(risk, message);
                }
            }
            Command::TradingState { scope, answer } => {
                let _ = answer.send(self.root.board.states.borrow().at(&scope));
            }
            Command::SetState { strategy, message } => {
                if let Some(strategy) = directory.strategy(&strategy) {
                    tell(&strategy, message);
                }
            }
            Command::Monitors(message) => {
                if let Some(risk) = directory.risk.borrow().as_ref() {
                    tell(risk, message);
                }
            }
            Command::Worth(message) => {
                if let Some(risk) = directory.risk.borrow().as_ref() {
                    tell(risk, message);
                }
            }
            Command::Register(asked) => {
                // It lives as long as this thread does.
                let _ = self.root.registrar.send(asked);
            }
            Command::Explain(message) => {
                if let Some(risk) = directory.risk.borrow().as_ref() {
                    tell(risk, message);
                }
            }
            Command::Most(message) => {
                if let Some(risk) = directory.risk.borrow().as_ref() {
                    tell(risk, message);
                }
            }
            Command::Quotes(message) => tell(&self.root.market, message),
            Command::Bars(message) => tell(&self.root.market, message),
            Command::Prints { prints, answer } => {
                tell(&self.root.market, market::Prints(prints));
                let _ = answer.send(());
            }
            Command::Observe { account, answer } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, account::Observe(answer));
                }
            }
            Command::Refresh { account, answer } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, account::Refresh(answer));
                }
            }
            Command::Reconnect { account, answer } => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, account::Reconnect(answer));
                }
            }
            Command::Drain(answer) => {
                let root = self.root.clone();
                actix::spawn(async move {
                    root.drain().await;
                    let _ = answer.send(());
                });
            }
            Command::Panic(Planted::Risk) => {
                if let Some(risk) = directory.risk.borrow().as_ref() {
                    tell(risk, risk::Panic);
                }
            }
            Command::Panic(Planted::Market) => tell(&self.root.market, market::Panic),
            Command::Panic(Planted::Account(account)) => {
                if let Some(account) = directory.account(&account) {
                    tell(&account, account::Panic);
                }
            }
            Command::Panic(Planted::Strategy(strategy)) => {
                if let Some(strategy) = directory.strategy(&strategy) {
                    tell(&strategy, strategy::Panic);
                }
            }
        }
    }
}
