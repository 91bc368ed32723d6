//! What the handlers of trading share: the desk, the store, the market, and who routes where.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use metrics_exporter_prometheus::PrometheusHandle;
use signalbox_actors::desk::{Desk, DeskError};
use signalbox_domain::ids::{AccountId, GroupId, InstallationTag, StrategyId};
use signalbox_domain::instrument::Currency;
use signalbox_domain::risk::Limits;
use signalbox_domain::strategy::{Groups, StrategyConf};
use signalbox_domain::units::Timestamp;
use tokio::sync::Semaphore;

use super::problem::{Code, Problem};
use crate::market::facts::{self, FactsError};
use crate::market::{MarketFacts, QuoteCache};
use crate::people::Principal;
use crate::store::{IngestError, Store, StoreError};
use crate::system::Signalbox;

/// A desk full of screens for everybody, and far below what the process may open as files.
const STREAMS_MAX: usize = 1_000;

/// What is written beside an account's name; nothing of it changes while we run.
#[derive(Debug, Clone)]
pub struct AccountInfo {
    pub id: AccountId,
    pub display_name: Arc<str>,
    /// Which adapter, such as `paper`.
    pub broker: Arc<str>,
    pub mode: Mode,
    /// Boards and kinds of trading that the account may use, as written in conf.
    pub permissions: Vec<Arc<str>>,
    pub limits: Arc<Limits>,
    /// Of its cash.
    pub currency: Currency,
}

/// Whose money it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    Paper,
    Sim,
    Shadow,
    Live,
}

/// The parts that [`Front::new`] is made of.
pub struct FrontParts {
    pub desk: Desk,
    pub store: Store,
    pub market: Arc<MarketFacts>,
    pub quotes: QuoteCache,
    pub accounts: Vec<AccountInfo>,
    pub groups: Arc<Groups>,
    /// As they were booted, `manual` included.
    pub strategies: Vec<Arc<StrategyConf>>,
    /// Renders `/metrics`, which is not there without it.
    pub metrics: Option<PrometheusHandle>,
}

/// Shared by all workers as `web::Data<Front>`.
pub struct Front {
    pub desk: Desk,
    pub store: Store,
    pub market: Arc<MarketFacts>,
    pub quotes: QuoteCache,
    pub metrics: Option<PrometheusHandle>,
    pub installation: InstallationTag,
    /// One for each event stream that may be open.
    pub streams: Arc<Semaphore>,
    pub refused: super::refusals::Refused,
    accounts: Vec<AccountInfo>,
    groups: Arc<Groups>,
    /// Replaced as a whole, so that a signal takes a read lock for the length of one look-up.
    strategies: RwLock<HashMap<StrategyId, Arc<StrategyFacts>>>,
}

/// A strategy's configuration and the accounts that its routes reach now.
#[derive(Debug)]
pub struct StrategyFacts {
    pub conf: Arc<StrategyConf>,
    pub accounts: Vec<AccountId>,
}

impl fmt::Debug for FrontParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrontParts")
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Front")
    }
}

impl Front {
    /// The front of a running system.
    ///
    /// # Errors
    /// When the facts of the market that come with the program cannot be read.
    pub fn of(system: &Signalbox) -> Result<Self, FactsError> {
        let accounts = system.settings.accounts.iter().map(|account| AccountInfo {
            id: account.conf.id.clone(),
            display_name: account.conf.id.as_str().into(),
            broker: account.broker.name().into(),
            mode: Mode::Paper,
            permissions: Vec::new(),
            limits: account.limits.clone(),
            currency: account.currency,
        });
        Ok(Self::new(FrontParts {
            desk: system.desk.clone(),
            store: system.store.clone(),
            market: Arc::new(facts::shared(&system.settings.data_dir, &system.settings.futures)?),
            quotes: system.quotes.clone(),
            accounts: accounts.collect(),
            groups: system.settings.groups.clone(),
            strategies: system.strategies.to_vec(),
            metrics: super::health::recorder(),
        }))
    }

    #[must_use]
    pub fn new(parts: FrontParts) -> Self {
        let FrontParts { desk, store, market, quotes, mut accounts, groups, strategies, metrics } = parts;
        accounts.sort_by(|a, b| a.id.cmp(&b.id));
        let installation = store.installation();
        let front = Self {
            desk,
            store,
            market,
            quotes,
            metrics,
            installation,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            refused: super::refusals::Refused::default(),
            accounts,
            groups,
            strategies: RwLock::default(),
        };
        for conf in strategies {
            front.put_strategy(conf);
        }
        front
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.desk.now()
    }

    /// Sorted by name.
    #[must_use]
    pub fn accounts(&self) -> &[AccountInfo] {
        &self.accounts
    }

    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<&AccountInfo> {
        self.accounts.binary_search_by(|info| info.id.cmp(id)).ok().map(|at| &self.accounts[at])
    }

    /// The accounts that he may see.
    #[must_use]
    pub fn readable(&self, principal: &Principal) -> Vec<&AccountInfo> {
        self.accounts.iter().filter(|info| principal.may_read(&info.id)).collect()
    }

    /// The same by name; `None` when he sees everything, also what is not an account any more.
    #[must_use]
    pub fn readable_filter(&self, principal: &Principal) -> Option<Vec<AccountId>> {
        if principal.is_admin() || principal.is_risk() {
            return None;
        }
        Some(self.readable(principal).into_iter().map(|info| info.id.clone()).collect())
    }

    /// The strategies that he may see; `None` when he sees everything.
    #[must_use]
    pub fn readable_strategies(&self, principal: &Principal) -> Option<Vec<StrategyId>> {
        if principal.is_admin() || principal.is_risk() {
            return None;
        }
        let all = self.strategies();
        Some(all.into_iter().filter(|s| may_read(principal, s)).map(|s| s.conf.id.clone()).collect())
    }

    #[must_use]
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    #[must_use]
    pub fn strategy(&self, id: &StrategyId) -> Option<Arc<StrategyFacts>> {
        self.strategies.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Sorted by name.
    #[must_use]
    pub fn strategies(&self) -> Vec<Arc<StrategyFacts>> {
        let mut all: Vec<_> =
            self.strategies.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| a.conf.id.cmp(&b.conf.id));
        all
    }

    /// Takes over a configuration that is in force.
    pub fn put_strategy(&self, conf: Arc<StrategyConf>) {
        let accounts = self.reached(&conf);
        let facts = Arc::new(StrategyFacts { conf: conf.clone(), accounts });
        self.strategies.write().unwrap_or_else(PoisonError::into_inner).insert(conf.id.clone(), facts);
    }

    fn reached(&self, conf: &StrategyConf) -> Vec<AccountId> {
        let reached = conf.routes.iter().flat_map(|route| route.accounts(&self.groups).into_owned());
        let mut accounts: Vec<AccountId> = reached.collect();
        accounts.sort();
        accounts.dedup();
        accounts
    }

    #[must_use]
    pub fn group(&self, id: &GroupId) -> &[AccountId] {
        self.groups.get(id).map_or(&[], Vec::as_slice)
    }

    #[must_use]
    pub fn has_group(&self, id: &GroupId) -> bool {
        self.groups.contains_key(id)
    }
}

/// May he see the strategy and its signals? The book of manual orders is everybody's and nobody's: its signals are
/// seen by account.
#[must_use]
pub fn may_read(principal: &Principal, facts: &StrategyFacts) -> bool {
    principal.may_read_strategy(&facts.conf.id, &facts.accounts)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away { .. } => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a request could not be answered");
                Self::new(Code::Unavailable).detail(error.to_string())
            }
            error => Self::internal(&error),
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Busy => Self::new(Code::Busy),
            IngestError::TooMany => Self::invalid("signals", error.to_string()),
            // The same key again is safe in both.
            IngestError::DiskLow | IngestError::Unavailable => Self::new(Code::Unavailable).detail(error.to_string()),
        }
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Busy => Self::new(Code::Busy),
            // Who was asked for exists, so it is suspended or being rebuilt.
            DeskError::Closed | DeskError::Absent => Self::new(Code::Unavailable).detail(error.to_string()),
        }
    }
}
