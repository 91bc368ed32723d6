//! The running system: store, people, actors, wired in the order in which they need each other.

use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use signalbox_actors::clock::{Clock, Machine, MarketClock, ThisMachine};
use signalbox_actors::crash::crash_point;
use signalbox_actors::desk::Desk;
use signalbox_actors::journal::{Journal, StrategyRest};
use signalbox_actors::registrar::OpenAccount;
use signalbox_actors::root::{AccountBoot, Boot, boot};
use signalbox_actors::session::Connection;
use signalbox_actors::supervise::OnFatal;
use signalbox_brokers::paper::PaperExchange;
use signalbox_domain::account::AccountConf;
use signalbox_domain::calendar::china_date_time;
use signalbox_domain::ids::{AccountId, InstallationTag};
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::registry::{AccountFact, Registry};
use signalbox_domain::strategy::{StrategyConf, StrategyState, manual_conf, reached_twice};
use signalbox_domain::units::Timestamp;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::clock::{SystemClock, WallClock, not_before};
use crate::conf::{AccountSettings, Settings};
use crate::door::StoreDoor;
use crate::market::calendars::{ALARM_DAYS, Calendars};
use crate::market::{QuoteCache, facts};
use crate::people::People;
use crate::registered;
use crate::restore::{StoreRestorer, rest};
use crate::store::{Store, StoreConf};

/// The process ends with this code when an actor failed that others rely on (`EX_SOFTWARE` of sysexits).
const EXIT_FATAL: i32 = 70;

/// Where the market clock starts.
#[derive(Debug, Clone, Copy)]
pub enum ClockStart {
    /// With the machine's clock.
    Now,
    /// At this instant, or where the stored events ended, if that is later.
    At { start: Timestamp, speed: u32 },
}

/// Everything that serves requests.
#[derive(Debug, Clone)]
pub struct Signalbox {
    pub store: Store,
    pub people: Arc<People>,
    pub desk: Desk,
    pub clock: Arc<MarketClock>,
    /// What it showed first.
    pub began: Timestamp,
    pub settings: Arc<Settings>,
    /// The newest quotes for everybody who is not on the trading thread. Whoever feeds the desk feeds these too.
    pub quotes: QuoteCache,
    /// The configurations in force at the start, with their versions,
    pub strategies: Arc<[(Arc<StrategyConf>, u32)]>,
    /// and the accounts and groups.
    pub registry: Arc<Registry>,
}

/// How an account reaches its broker.
pub type Connect = Box<dyn Fn(&AccountSettings, InstallationTag) -> Connection>;

/// What a test of the whole replaces of the world outside.
pub struct Outside {
    pub connect: Connect,
    /// The process cannot go on.
    pub on_fatal: OnFatal,
    pub machine: Box<dyn Machine>,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside")
    }
}

/// Lines of the journal whose hashes are computed again before anything trades: some milliseconds. `signalbox audit verify`
/// does it for all.
const VERIFIED_AT_START: u64 = 2_000;

impl Signalbox {
    /// Opens the store, takes up what an earlier run left, and starts every actor on this thread, which must run an
    /// actix system.
    ///
    /// # Errors
    /// When the store or the people cannot be opened; nothing is running then.
    pub async fn build(settings: Settings, start: ClockStart) -> anyhow::Result<Self> {
        let store = Self::open_store(&settings).await?;
        Self::on_store(settings, store, start).await
    }

    /// # Errors
    /// When it is in use, or cannot be used.
    pub async fn open_store(settings: &Settings) -> anyhow::Result<Store> {
        let conf = StoreConf {
            url: settings.database.clone(),
            data_dir: settings.data_dir.clone(),
            disk_floor_bytes: settings.disk_floor_bytes,
            ballast_bytes: settings.ballast_bytes,
        };
        Ok(Store::open(conf).await?)
    }

    /// The same on a store that is open already.
    ///
    /// # Errors
    /// As [`Signalbox::build`].
    pub async fn on_store(settings: Settings, store: Store, start: ClockStart) -> anyhow::Result<Self> {
        let people = People::open(store.clone(), settings.people.clone(), Arc::new(SystemClock)).await?;
        Self::with_people(settings, store, people, start).await
    }

    /// Before anything is written behind them.
    ///
    /// # Errors
    /// When one of the journal's newest lines is not what its hash says.
    pub async fn verify_newest(store: &Store) -> anyhow::Result<()> {
        let verified = store.verify_newest(VERIFIED_AT_START).await;
        verified.map(drop).context("the journal was changed by another hand, or is damaged")
    }

    /// The same with people who are open already, and may have a clock of their own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn with_people(
        settings: Settings,
        store: Store,
        people: Arc<People>,
        start: ClockStart,
    ) -> anyhow::Result<Self> {
        let connect: Connect = Box::new(|account, installation| account.broker.connection(installation));
        let outside = Outside { connect, on_fatal: Arc::new(end), machine: Box::new(ThisMachine) };
        Self::in_world(settings, store, people, start, outside).await
    }

    /// The same in another world than the machine's.
    ///
    /// # Errors
    /// As [`Signalbox::with_people`].
    pub async fn in_world(
        settings: Settings,
        store: Store,
        people: Arc<People>,
        start: ClockStart,
        outside: Outside,
    ) -> anyhow::Result<Self> {
        Self::verify_newest(&store).await?;
        store
            .check_unfinished(VERIFIED_AT_START)
            .await
            .context("a signal that is not finished was changed by another hand")?;
        let mut rest = rest(&store).await?;
        crash_point("restore.read");
        let (start, speed) = match start {
            ClockStart::Now => (not_before(rest.last_at, SystemClock.now())?, 1),
            ClockStart::At { start, speed } => (rest.last_at.map_or(start, |last| last.max(start)), speed),
        };
        let clock = Arc::new(MarketClock::on(outside.machine, start, speed));

        let (today, _) = china_date_time(clock.now());
        for ends in Calendars::load(&settings.data_dir)?.reach(today) {
            if ends.days_left <= ALARM_DAYS {
                let (file, last, left) = (ends.file, ends.last, ends.days_left);
                warn!(file, last = %last, days_left = left, "the trading days of {file} end in {left} days: import new ones");
            }
        }

        let committed = Arc::new(Notify::new());
        let bell = committed.clone();
        store.on_commit(Box::new(move |_| bell.notify_one()));
        // The desk exists only after the actors do; until then nobody needs a doorbell, since each strategy looks
        // into its inbox when it starts.
        let desk_slot: Arc<OnceLock<Desk>> = Arc::default();
        let doorbell = desk_slot.clone();
        let inbox = store.inbox(Box::new(move |strategy| {
            if let Some(desk) = doorbell.get() {
                desk.poke(strategy);
            }
        }));

        let settings = Arc::new(settings);
        let registry = registered::in_force(&settings, rest.registered);
        let open = opener(settings.clone(), store.installation(), outside.connect);
        let mut accounts = Vec::new();
        for fact in in_order(&settings, &registry) {
            match open(&fact) {
                Ok(boot) => accounts.push(AccountBoot { rest: rest.accounts.remove(&fact.id), ..boot }),
                Err(why) => error!(account.id = %fact.id, "account {} cannot be reached: {why}", fact.id),
            }
        }
        let manual = Arc::new(manual_conf());
        let strategies = settings.strategies.iter().chain([&manual]).map(|conf| {
            rest.strategies.remove(&conf.id).unwrap_or_else(|| first_configured(&store, clock.now(), conf))
        });
        let mut strategies: Vec<StrategyRest> = strategies.collect();
        // Made while an earlier run was up. In the order of their names, so that each start is like the last.
        let mut made: Vec<StrategyRest> = rest.strategies.into_values().collect();
        made.sort_by(|a, b| a.conf.id.cmp(&b.conf.id));
        strategies.append(&mut made);
        let in_force: Arc<[_]> = strategies.iter().map(|rest| (rest.conf.clone(), rest.version)).collect();
        let followers = registry.followers();
        for (conf, _) in in_force.iter() {
            if let Some(account) = reached_twice(&conf.routes, &followers) {
                error!(strategy.id = %conf.id, "{account} is reached by two routes of {}: a target is met twice", conf.id);
            }
        }
        for left in rest.accounts.keys() {
            error!(account.id = %left, "account {left} is stored and not configured: it is not traded");
        }
        let daily = facts::daily(&settings.data_dir)?;
        if daily.is_empty() {
            info!("no daily.csv in the data folder: orders are not held against the volume of ordinary days");
        }
        let hours = Arc::new(facts::shared(&settings.data_dir, &settings.futures)?);
        if let Some(last) = hours.actions.iter().map(|action| action.ex_date).max() {
            let known = hours.actions.len();
            info!(
                known,
                "the last known corporate action is of {last}: what goes ex later is booked once its row is imported"
            );
        }
        let root = boot(Boot {
            clock: clock.clone(),
            journal: Arc::new(store.clone()),
            committed,
            inbox: Arc::new(inbox),
            restorer: Arc::new(StoreRestorer(store.clone())),
            market: facts::market(&settings.data_dir, &settings.futures)?.with_daily(daily),
            exchange: PaperExchange::new(settings.paper).with_hours(hours),
            accounts,
            strategies,
            registered: registry.facts(),
            open,
            states: rest.states,
            risk: rest.risk,
            door: Arc::new(StoreDoor(store.clone())),
            on_fatal: outside.on_fatal,
        })
        .await;
        let desk = Desk::new(root);
        let _ = desk_slot.set(desk.clone()); // set once, here
        Ok(Self {
            store,
            people,
            desk,
            clock,
            began: start,
            settings,
            registry: registry.into(),
            quotes: QuoteCache::default(),
            strategies: in_force,
        })
    }

    /// Takes nothing new up, makes everything decided durable and closes the store.
    pub async fn shut_down(self) {
        info!("draining");
        if let Err(error) = self.desk.drain().await {
            error!("the trading thread did not drain: {error}");
        }
        let store = self.store.clone();
        // Closing waits for the writer's thread.
        if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
            error!("the store did not close in an orderly way");
        }
        crash_point("drain.closed");
    }
}

/// Runs work on any thread that everything relies on. A panic in it ends the process: better that than a feed that
/// stands still in silence.
pub fn rely_on(what: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    let work = tokio::spawn(work);
    tokio::spawn(async move {
        if work.await.is_err_and(|error| error.is_panic()) {
            end(&format!("{what} panicked"));
        }
    });
}

fn end(what: &str) {
    error!("{what}: the process ends and is rebuilt from the journal at the next start");
    std::process::exit(EXIT_FATAL);
}

/// Those of conf in conf's order, and then the others by name.
fn in_order(settings: &Settings, registry: &Registry) -> Vec<Arc<AccountFact>> {
    let listed = |id: &AccountId| settings.accounts.iter().any(|account| account.conf.id == *id);
    let of_conf = settings.accounts.iter().filter_map(|account| registry.account(&account.conf.id));
    of_conf.chain(registry.accounts().filter(|fact| !listed(&fact.id))).cloned().collect()
}

/// Makes of what was set up what an account's life is built with.
fn opener(settings: Arc<Settings>, installation: InstallationTag, connect: Connect) -> OpenAccount {
    Rc::new(move |fact| {
        let account = settings.account(fact)?;
        Ok(AccountBoot {
            conf: with_tag(&account.conf, account.broker.echoes_tags().then_some(installation)),
            connection: connect(&account, installation),
            opening_cash: account.cash,
            opening_holdings: account.holdings,
            limits: account.limits,
            rest: None,
        })
    })
}

/// A strategy that the store does not know yet is stored as it is configured.
fn first_configured(store: &Store, at: Timestamp, conf: &Arc<StrategyConf>) -> StrategyRest {
    let rest = StrategyRest { conf: conf.clone(), version: 1, state: StrategyState::Active, unfinished: Vec::new() };
    store.append(rest.first_entry(at, "start"));
    rest
}

/// Which installation's tags are ours is known once the store is open.
fn with_tag(conf: &AccountConf, installation: Option<InstallationTag>) -> AccountConf {
    AccountConf { doubt: DoubtConf { installation, ..conf.doubt.clone() }, ..conf.clone() }
}
