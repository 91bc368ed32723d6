//! The root system: builds every actor from what is durable, keeps them alive, rolls the trading day, drains at the end.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use signalbox_brokers::Broker;
use signalbox_brokers::paper::{PaperBroker, PaperExchange};
use signalbox_domain::account::{Account, AccountConf, AccountEffects, AccountInput, OrdersRest};
use signalbox_domain::ids::StrategyId;
use signalbox_domain::ledger::{Ledger, Marking, OpeningHolding};
use signalbox_domain::market::{DayEnd, JUST_AFTER, Market};
use signalbox_domain::registry::{Fact, Registry};
use signalbox_domain::risk::{Limits, Risk};
use signalbox_domain::standing::{AccountMode, AccountState, Standing};
use signalbox_domain::strategy::{Groups, Strategy, StrategyEffects};
use signalbox_domain::symbol::Exchange;
use signalbox_domain::units::{Money, Span, Timestamp};
use signalbox_domain::view::{Ledgers, Quotes, TradingStates};
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{error, info};

use crate::account::{AccountActor, MarkBooks, StartDay};
use crate::board::{Board, Directory};
use crate::clock::Clock;
use crate::crash::crash_point;
use crate::gate::Gate;
use crate::journal::{AccountRest, Door, Entry, Inbox, Journal, Restorer, RiskRest, StrategyRest};
use crate::market::{MarketActor, MarketEnds};
use crate::port::tell;
use crate::registrar::{Asked, OpenAccount};
use crate::risk::{Barrier, RiskActor};
use crate::session::{Connection, Session};
use crate::strategy::{Poke, StrategyActor};
use crate::supervise::{Exit, OnFatal, Policy, rely_on, start_fail_stop, supervise};

/// On the market clock. A mark is a line of the journal where a holding has a new high or low.
const MARKED_EVERY: Span = Span::from_secs(600);

/// One account as it starts.
#[derive(Debug)]
pub struct AccountBoot {
    pub conf: AccountConf,
    pub limits: Arc<Limits>,
    pub connection: Connection,
    /// What the account opens with, the first time.
    pub opening_cash: Money,
    pub opening_holdings: Arc<[OpeningHolding]>,
    /// What an earlier run left, if there was one.
    pub rest: Option<AccountRest>,
}

/// Everything the root system is built from.
pub struct Boot {
    pub clock: Arc<dyn Clock>,
    pub journal: Arc<dyn Journal>,
    /// Rung by the journal once per group commit.
    pub committed: Arc<Notify>,
    pub inbox: Arc<dyn Inbox>,
    pub restorer: Arc<dyn Restorer>,
    pub market: Market,
    pub exchange: PaperExchange,
    pub accounts: Vec<AccountBoot>,
    pub strategies: Vec<StrategyRest>,
    /// The accounts and groups in force, also accounts that cannot be reached.
    pub registered: Vec<Fact>,
    pub open: OpenAccount,
    pub states: TradingStates,
    pub risk: RiskRest,
    /// Where the signals of monitors go in.
    pub door: Arc<dyn Door>,
    /// The process cannot go on: end it with a non-zero code. Tests put something else here.
    pub on_fatal: OnFatal,
}

impl std::fmt::Debug for Boot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Boot").field("accounts", &self.accounts.len()).finish_non_exhaustive()
    }
}

/// The running system, on the thread of its actors.
#[derive(Debug, Clone)]
pub struct Root {
    pub board: Rc<Board>,
    pub market: Addr<MarketActor>,
    pub(crate) on_fatal: Fatal,
    pub(crate) strategies: Rc<Strategies>,
    pub(crate) accounts: Rc<Accounts>,
    pub(crate) registrar: mpsc::UnboundedSender<Asked>,
}

/// What an account's life is built with.
pub(crate) struct Accounts {
    pub(crate) registry: RefCell<Registry>,
    pub(crate) open: OpenAccount,
    exchange: PaperExchange,
    restorer: Arc<dyn Restorer>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// What a strategy's life is built with.
pub(crate) struct Strategies {
    /// Every strategy that ever had a life here, also those that are disabled.
    pub(crate) known: RefCell<HashSet<StrategyId>>,
    pub(crate) groups: RefCell<Arc<Groups>>,
    inbox: Arc<dyn Inbox>,
    restorer: Arc<dyn Restorer>,
}

impl std::fmt::Debug for Strategies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Strategies").field("known", &self.known).finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub(crate) struct Fatal(pub(crate) OnFatal);

impl std::fmt::Debug for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fatal")
    }
}

/// Starts every actor on this thread. Accounts become ready one by one; signals wait durably until then.
pub async fn boot(boot: Boot) -> Root {
    let Boot {
        clock,
        journal,
        committed,
        inbox,
        restorer,
        market,
        exchange,
        accounts,
        strategies,
        registered,
        open,
        states,
        risk,
        door,
        on_fatal,
    } = boot;
    let board = Rc::new(Board {
        clock,
        journal,
        gate: Gate::default(),
        market,
        quotes: Quotes::default().into(),
        ledgers: Ledgers::default().into(),
        states: states.into(),
        aside: RefCell::default(),
        paces: RefCell::default(),
        watched: RefCell::default(),
        rung: RefCell::default(),
        directory: Directory::default(),
        watch_rung: false.into(),
        draining: false.into(),
    });
    rely_on("the gate", crate::gate::keep_open(board.clone(), committed), on_fatal.clone());

    crash_point("boot.before");
    let at = board.clock.now();
    let mut limits = HashMap::new();
    let mut lives = Vec::new();
    for account in accounts {
        limits.insert(account.conf.id.clone(), account.limits.clone());
        let connection = account.connection.clone();
        let (conf, rest) = prepare(at, &board, account);
        lives.push((conf, rest, connection));
    }
    let mut core = Risk::new(limits.clone(), lives.iter().flat_map(|(_, rest, _)| &rest.orders.live));
    for (conf, rest, _) in &lives {
        if let Some(date) = rest.ledger.trade_date {
            core.restore_messages(&conf.id, date, rest.messages_today);
        }
    }
    let orders = lives.iter().flat_map(|(_, rest, _)| rest.orders.live.iter().chain(&rest.orders.ended));
    core.restore_orders(&board.market, orders);
    core.restore_limits(risk.limits);
    core.restore_warnings(&risk.warnings);
    core.restore_marks(risk.marks.into_iter().map(Arc::new));
    for (conf, ..) in &mut lives {
        // What conf says of the pace holds for as long as no limits were set.
        let (conf_says, in_force) = (limits.get(&conf.id), core.limits(&conf.id));
        if let (Some(conf_says), Some(in_force)) = (conf_says, in_force)
            && conf_says.pacing() != in_force.pacing()
        {
            conf.pacing = in_force.pacing();
        }
    }
    start_risk(&board, core, door, &on_fatal);
    let mut registry = Registry::default();
    registered.into_iter().for_each(|fact| registry.put(fact));
    for strategy in &strategies {
        registry.put_strategy(strategy.conf.clone(), strategy.version);
    }
    let groups = RefCell::new(Arc::new(registry.in_force()));
    let accounts = Accounts { registry: registry.into(), open, exchange: exchange.clone(), restorer: restorer.clone() };
    for (conf, rest, connection) in lives {
        let standing = accounts.registry.borrow().account(&conf.id).map(|fact| fact.standing());
        let standing = standing.unwrap_or_else(|| unregistered(&connection));
        board.ledgers.borrow_mut().put(rest.ledger.clone());
        if let Some(limits) = limits.get(&conf.id) {
            board.ledgers.borrow_mut().set_commission(conf.id.clone(), limits.commission);
        }
        board.ledgers.borrow_mut().set_standing(conf.id.clone(), standing);
        if standing.state == AccountState::Enabled {
            supervise_account(&board, conf, Some(rest), connection, &accounts, &on_fatal);
        }
    }
    let known = Rc::new(Strategies { known: RefCell::default(), groups, inbox, restorer });
    for strategy in strategies {
        supervise_strategy(&board, strategy, &known, &on_fatal);
    }
    // The venue forgets a fill once it has told it, so a step of the feed that broke off cannot be done again.
    let market = start_fail_stop("the market feed", MarketActor::new(board.clone(), exchange), on_fatal.clone());
    let (registrar, asked) = mpsc::unbounded_channel(); // whoever asks holds one of the desk's permits
    let accounts = Rc::new(accounts);
    let root = Root { board, market, on_fatal: Fatal(on_fatal.clone()), strategies: known, accounts, registrar };
    rely_on("the registrar", root.clone().register(asked), on_fatal.clone());
    rely_on("the calendar", root.clone().roll_days(), on_fatal.clone());
    for exchange in [Exchange::HK, Exchange::US] {
        rely_on("the calendar abroad", root.clone().roll_days_abroad(exchange), on_fatal.clone());
    }
    rely_on("the marks", root.clone().mark_books(), on_fatal);
    crash_point("boot.started");
    root
}

/// What leaves this process counts as real money.
fn unregistered(connection: &Connection) -> Standing {
    let mode = match connection {
        Connection::Paper => AccountMode::Paper,
        Connection::Session { .. } => AccountMode::Live,
    };
    Standing { mode, ..Standing::default() }
}

/// Opens an account that was never opened.
pub(crate) fn prepare(at: Timestamp, board: &Rc<Board>, boot: AccountBoot) -> (AccountConf, AccountRest) {
    let AccountBoot { conf, opening_cash, opening_holdings, rest, .. } = boot;
    let rest = rest.unwrap_or_else(|| {
        let mut ledger = Ledger::new(conf.id.clone());
        let mut core = Account::new(conf.clone());
        let mut fx = AccountEffects::default();
        let open = AccountInput::Open { cash: opening_cash, holdings: opening_holdings };
        core.handle(at, &TradingStates::default(), &mut ledger, open, &mut fx);
        let actor = format!("account:{}", conf.id).into();
        board.journal.append(Entry { at, actor, cause: "start".into(), events: fx.events, rows: fx.rows });
        AccountRest { ledger, messages_today: 0, orders: OrdersRest::default() }
    });
    (conf, rest)
}

/// Risk is known to all others in memory: when it fails, everything is rebuilt, by a new process.
fn start_risk(board: &Rc<Board>, core: Risk, door: Arc<dyn Door>, on_fatal: &OnFatal) {
    let mut first = Some(RiskActor::new(core, board.clone(), door));
    let (directory, fatal) = (board.clone(), on_fatal.clone());
    supervise(
        Policy::FAIL_STOP,
        move |_| {
            let actor = first.take();
            async move {
                match actor {
                    Some(actor) => actor,
                    None => std::future::pending().await, // there is no second life
                }
            }
        },
        move |address| *directory.directory.risk.borrow_mut() = Some(address),
        |what| error!(actor = "risk", "risk panicked: {what}"),
        move |exit| {
            if let Exit::Panicked(what) = exit {
                fatal(&format!("risk panicked: {what}"));
            }
        },
    );
}

/// Begins the lives of an account. Without `rest` the first one, too, reads what is stored.
pub(crate) fn supervise_account(
    board: &Rc<Board>,
    conf: AccountConf,
    rest: Option<AccountRest>,
    connection: Connection,
    accounts: &Accounts,
    on_fatal: &OnFatal,
) {
    let Accounts { exchange, restorer, .. } = accounts;
    let id = conf.id.clone();
    let mut first = rest;
    let build = {
        let (board, conf, exchange) = (board.clone(), conf, exchange.clone());
        let (restorer, fatal) = (restorer.clone(), on_fatal.clone());
        move |_life| {
            let (board, conf, exchange) = (board.clone(), conf.clone(), exchange.clone());
            let (restorer, fatal, first) = (restorer.clone(), fatal.clone(), first.take());
            let connection = connection.clone();
            async move {
                let rest = match first {
                    Some(rest) => rest,
                    None => {
                        flushed(&board).await;
                        match restorer.account(&conf.id).await {
                            Ok(Some(rest)) => rest,
                            Ok(None) => die(&fatal, "an account's rows are gone").await,
                            Err(error) => die(&fatal, &error.to_string()).await,
                        }
                    }
                };
                let at = board.clock.now();
                let session = match connection {
                    Connection::Paper => {
                        let mut broker = PaperBroker::new(conf.id.clone(), exchange);
                        // The paper broker has no way to fail.
                        if let Err(error) = broker.connect(at, &rest.orders.live).await {
                            error!(account.id = %conf.id, "cannot connect: {error}");
                        }
                        Session::new(Box::new(broker))
                    }
                    // What it has to tell waits in the mailbox until the account lives.
                    Connection::Session { open, patience } => {
                        Session::start(conf.id.clone(), open, patience, board.clone())
                    }
                };
                board.ledgers.borrow_mut().put(rest.ledger);
                let pacing = board.paces.borrow().get(&conf.id).copied().unwrap_or(conf.pacing);
                let conf = AccountConf { pacing, ..conf };
                let mut core = Account::new(conf).with_actions(board.market.actions.clone());
                let mut fx = AccountEffects::default();
                core.resume(at, rest.orders, rest.messages_today, &mut fx);
                AccountActor::new(core, (at, fx), session, board)
            }
        }
    };
    let (directory, name, panicked) = (board.clone(), id.clone(), id.clone());
    let today = board.clone();
    supervise(
        Policy::REBUILD,
        build,
        move |address| {
            if let Some(date) = today.market.calendar.trade_date(today.clock.now()) {
                tell(&address, StartDay(date));
            }
            directory.directory.accounts.borrow_mut().insert(name.clone(), address);
        },
        move |what| error!(account.id = %panicked, "account {panicked} panicked and is rebuilt: {what}"),
        {
            let board = board.clone();
            move |exit| {
                if let Exit::Panicked(_) = exit {
                    error!(account.id = %id, "account {id} panicked again and is suspended; the others trade on");
                    board.directory.accounts.borrow_mut().remove(&id);
                    board.ledgers.borrow_mut().remove(&id);
                }
            }
        },
    );
}

pub(crate) fn supervise_strategy(
    board: &Rc<Board>,
    boot: StrategyRest,
    strategies: &Rc<Strategies>,
    on_fatal: &OnFatal,
) {
    let Strategies { known, inbox, restorer, .. } = &**strategies;
    let id = boot.conf.id.clone();
    known.borrow_mut().insert(id.clone());
    let mut first = Some(boot.unfinished);
    let build = {
        let (board, strategies, inbox) = (board.clone(), strategies.clone(), inbox.clone());
        let (restorer, fatal, id) = (restorer.clone(), on_fatal.clone(), id.clone());
        let mut conf = (boot.conf, boot.version, boot.state);
        move |_life| {
            let (board, strategies, inbox) = (board.clone(), strategies.clone(), inbox.clone());
            let (restorer, fatal, id) = (restorer.clone(), fatal.clone(), id.clone());
            let (first, known) = (first.take(), conf.clone());
            // A later life is configured as the store says; the first one as it was booted.
            conf = known.clone();
            async move {
                let (conf, version, state) = known;
                let (conf, version, state, unfinished) = match first {
                    Some(unfinished) => (conf, version, state, unfinished),
                    None => {
                        risk_idle(&board).await;
                        flushed(&board).await;
                        match restorer.strategy(&id).await {
                            Ok(Some(boot)) => (boot.conf, boot.version, boot.state, boot.unfinished),
                            Ok(None) => (conf, version, state, Vec::new()),
                            Err(error) => die(&fatal, &error.to_string()).await,
                        }
                    }
                };
                let groups = strategies.groups.borrow().clone();
                let mut core = Strategy::new(conf, version, state, groups);
                let (at, mut fx) = (board.clock.now(), StrategyEffects::default());
                core.resume(at, unfinished, &mut fx);
                StrategyActor::new(core, (at, fx), inbox, restorer, board)
            }
        }
    };
    let (directory, name, panicked) = (board.clone(), id.clone(), id.clone());
    supervise(
        Policy::REBUILD,
        build,
        move |address| {
            tell(&address, Poke);
            directory.directory.strategies.borrow_mut().insert(name.clone(), address);
        },
        move |what| error!(strategy.id = %panicked, "strategy {panicked} panicked and is rebuilt: {what}"),
        {
            let board = board.clone();
            move |exit| {
                if let Exit::Panicked(_) = exit {
                    error!(strategy.id = %id, "strategy {id} panicked again and is disabled: its orders are taken back");
                    board.directory.strategies.borrow_mut().remove(&id);
                    take_back(&board, &id);
                }
            }
        },
    );
}

/// Cancels every live order of a strategy that nobody leads any more.
fn take_back(board: &Rc<Board>, strategy: &StrategyId) {
    for account in board.directory.accounts.borrow().values() {
        let (strategy, reason) = (Some(strategy.clone()), "the strategy failed".into());
        tell(account, crate::account::CancelAll { side: None, strategy, reason, answer: None });
    }
}

/// Waits until everything that was decided so far is durable: what is read from the store then is complete.
pub(crate) async fn flushed(board: &Rc<Board>) {
    let (tx, rx) = oneshot::channel();
    board.answer_when_durable(tx, ());
    let _ = rx.await;
}

/// Waits until risk has decided everything that was sent to it.
async fn risk_idle(board: &Rc<Board>) {
    let (tx, rx) = oneshot::channel();
    if let Some(risk) = board.directory.risk.borrow().as_ref() {
        tell(risk, Barrier(tx));
    }
    let _ = rx.await;
}

/// Ends the process; never returns.
async fn die<T>(on_fatal: &OnFatal, what: &str) -> T {
    on_fatal(what);
    std::future::pending().await
}

impl Root {
    /// Ends each session and starts each trading day, on the market clock.
    async fn roll_days(self) {
        loop {
            let Some((end, ending)) = self.board.market.next_day_end(self.board.clock.now()) else {
                error!("the trading calendar ends here: no further day can be started");
                return;
            };
            self.sleep_until(end.plus(JUST_AFTER)).await;
            tell(&self.market, MarketEnds(ending));
            if ending != DayEnd::Mainland {
                info!("the session is over: day orders expire");
                self.mark_accounts(Marking::SharesEnd);
                continue;
            }
            let Some(date) = self.board.market.calendar.trade_date(self.board.clock.now()) else { continue };
            // The expiries are in the mailboxes before the new day is: the market actor has to have its turn first.
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            for account in self.board.directory.accounts.borrow().values() {
                tell(account, StartDay(date));
            }
        }
    }

    /// Ends each session of a market abroad. Its accounts share the trading days of all others.
    async fn roll_days_abroad(self, exchange: Exchange) {
        while let Some((end, ending)) = self.board.market.next_day_end_abroad(exchange, self.board.clock.now()) {
            self.sleep_until(end.plus(JUST_AFTER)).await;
            tell(&self.market, MarketEnds(ending));
        }
    }

    /// Takes what the market has shown into the books once in a while, so that a crash forgets no more than that.
    async fn mark_books(self) {
        loop {
            self.sleep_until(self.board.clock.now().plus(MARKED_EVERY)).await;
            self.mark_now();
        }
    }

    fn mark_now(&self) {
        self.mark_accounts(Marking::Along);
        if let Some(risk) = self.board.directory.risk.borrow().as_ref() {
            tell(risk, crate::risk::Watch);
        }
    }

    fn mark_accounts(&self, marking: Marking) {
        for account in self.board.directory.accounts.borrow().values() {
            tell(account, MarkBooks(marking));
        }
    }

    async fn sleep_until(&self, due: Timestamp) {
        loop {
            let left = due.since(self.board.clock.now());
            if left.us() <= 0 {
                return;
            }
            // The clock may be set forward: look again at least once a second.
            let wait = self.board.clock.real(left).clamp(Duration::from_millis(1), Duration::from_secs(1));
            tokio::time::sleep(wait).await;
        }
    }

    /// Rings for a strategy whose inbox has something.
    pub fn poke(&self, strategy: &StrategyId) {
        if let Some(strategy) = self.board.directory.strategy(strategy) {
            tell(&strategy, Poke);
        }
    }

    /// Takes nothing new up and waits until everything decided is durable. Requests to brokers that are durable by
    /// then have gone out or wait in a session; whatever else is open is found again at the next start.
    pub async fn drain(&self) {
        crash_point("drain.door_closed");
        self.board.draining.set(true);
        self.mark_now();
        risk_idle(&self.board).await;
        flushed(&self.board).await;
        crash_point("drain.drained");
    }
}
