//! What the handlers of trading share: the desk, the store, the market, and who routes where.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use metrics_exporter_prometheus::PrometheusHandle;
use signalbox_actors::desk::{Desk, DeskError};
use signalbox_domain::ids::{AccountId, GroupId, InstallationTag, OrderId, StrategyId};
use signalbox_domain::instrument::Currency;
use signalbox_domain::order::Side;
use signalbox_domain::registry::{AccountFact, Fact, GroupFact};
use signalbox_domain::risk::Limits;
use signalbox_domain::standing::AccountState;
use signalbox_domain::strategy::{Groups, StrategyConf};
use signalbox_domain::units::{Span, Timestamp};
use tokio::sync::Semaphore;

use super::problem::{Code, Problem};
use crate::conf::Settings;
use crate::market::facts::{self, FactsError};
use crate::market::{MarketFacts, QuoteCache};
use crate::people::Principal;
use crate::store::{IngestError, Store, StoreError, StoredOrder};
use crate::system::Signalbox;

/// A desk full of screens for everybody, and far below what the process may open as files.
const STREAMS_MAX: usize = 1_000;

/// What stands beside an account's name.
#[derive(Debug, Clone)]
pub struct AccountInfo {
    pub id: AccountId,
    /// As it was set up last.
    pub fact: Arc<AccountFact>,
    /// Which adapter, such as `paper`; nothing where conf does not say any more how it is reached.
    pub broker: Arc<str>,
    pub limits: Arc<Limits>,
    /// Of its cash.
    pub currency: Currency,
    /// So long after an order went into doubt no list proves that it was never made.
    pub absent_after: Span,
}

impl AccountInfo {
    fn of(fact: Arc<AccountFact>, settings: &Settings) -> Self {
        let own = settings.account(&fact).ok();
        Self {
            broker: own.as_ref().map_or("", |own| own.broker.name()).into(),
            absent_after: own.as_ref().map_or(Span::from_us(0), |own| own.conf.doubt.absent_not_before()),
            limits: own.map(|own| own.limits).unwrap_or_default(),
            id: fact.id.clone(),
            currency: fact.currency,
            fact,
        }
    }

    /// Whether it has a life, and with it somebody to talk to.
    #[must_use]
    pub fn in_use(&self) -> bool {
        self.fact.state == AccountState::Enabled
    }
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
    /// For what people do by hand and what depends on what was done before: one looks and acts, then the next.
    pub by_hand: tokio::sync::Mutex<()>,
    settings: Arc<Settings>,
    /// As it is in force, and may be told in any order: the newest version of each thing counts.
    house: RwLock<House>,
    /// Replaced as a whole, so that a signal takes a read lock for the length of one look-up.
    strategies: RwLock<HashMap<StrategyId, Arc<StrategyFacts>>>,
}

/// What was set up.
#[derive(Default)]
struct House {
    accounts: BTreeMap<AccountId, Arc<AccountInfo>>,
    groups: BTreeMap<GroupId, Arc<GroupFact>>,
    /// Who follows in each group.
    followers: Arc<Groups>,
}

/// A strategy's configuration and the accounts that its routes reach now.
#[derive(Debug)]
pub struct StrategyFacts {
    pub conf: Arc<StrategyConf>,
    pub version: u32,
    pub accounts: Vec<AccountId>,
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
        let front = Self {
            desk: system.desk.clone(),
            installation: system.store.installation(),
            store: system.store.clone(),
            market: Arc::new(facts::shared(&system.settings.data_dir, &system.settings.futures)?),
            quotes: system.quotes.clone(),
            metrics: super::health::recorder(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            refused: super::refusals::Refused::default(),
            by_hand: tokio::sync::Mutex::default(),
            settings: system.settings.clone(),
            house: RwLock::default(),
            strategies: RwLock::default(),
        };
        system.registry.facts().into_iter().for_each(|fact| front.put(fact));
        for (conf, version) in system.strategies.iter() {
            front.put_strategy(conf.clone(), *version);
        }
        Ok(front)
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.desk.now()
    }

    fn house(&self) -> RwLockReadGuard<'_, House> {
        self.house.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sorted by name, with those that are not in use.
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<AccountInfo>> {
        self.house().accounts.values().cloned().collect()
    }

    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<Arc<AccountInfo>> {
        self.house().accounts.get(id).cloned()
    }

    /// # Errors
    /// 409 for an account that is not in use: nobody there could do it.
    pub fn require_in_use(&self, id: &AccountId) -> Result<(), Problem> {
        match self.account(id) {
            Some(info) if !info.in_use() => {
                Err(Problem::new(Code::Conflict).detail(format!("the account is {}", info.fact.state)))
            }
            _ => Ok(()),
        }
    }

    /// Takes all orders of an account back, or those of a side or strategy. One that is not in use has none. Those that
    /// cannot be taken back any more are named as well, so that nobody thinks they were.
    ///
    /// # Errors
    /// As [`Desk::cancel_all`], and when the store cannot be read.
    pub async fn cancel_all(
        &self,
        account: AccountId,
        side: Option<Side>,
        strategy: Option<StrategyId>,
        reason: Arc<str>,
    ) -> Result<Vec<OrderId>, Problem> {
        if self.account(&account).is_some_and(|info| !info.in_use()) {
            return Ok(Vec::new());
        }
        let mut named = self.desk.cancel_all(account.clone(), side, strategy.clone(), reason).await?;
        for stored in self.store.open_orders(&account).await? {
            let StoredOrder::Live(order) = &stored else { continue };
            let chosen = side.is_none_or(|side| order.terms.side == side)
                && strategy.as_ref().is_none_or(|strategy| order.terms.strategy == *strategy);
            if chosen && order.is_beyond_recall() && !named.contains(&order.id()) {
                named.push(order.id());
            }
        }
        Ok(named)
    }

    /// The accounts that he may see.
    #[must_use]
    pub fn readable(&self, principal: &Principal) -> Vec<Arc<AccountInfo>> {
        self.house().accounts.values().filter(|info| principal.may_read(&info.id)).cloned().collect()
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

    /// The strategies whose signals he may see as such: those of the book of manual orders are seen by account.
    #[must_use]
    pub fn readable_signals(&self, principal: &Principal) -> Option<Vec<StrategyId>> {
        let mut own = self.readable_strategies(principal)?;
        own.retain(|id| !id.is_manual());
        Some(own)
    }

    /// Who follows in each group.
    #[must_use]
    pub fn followers(&self) -> Arc<Groups> {
        self.house().followers.clone()
    }

    /// Sorted by name.
    #[must_use]
    pub fn groups(&self) -> Vec<Arc<GroupFact>> {
        self.house().groups.values().filter(|group| !group.deleted).cloned().collect()
    }

    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<Arc<GroupFact>> {
        self.house().groups.get(id).filter(|group| !group.deleted).cloned()
    }

    /// Whether accounts can be opened at the broker of this name, and whether on paper.
    #[must_use]
    pub fn broker(&self, name: &str) -> Option<bool> {
        self.settings.broker(name)
    }

    /// Takes over what was set up.
    pub fn put(&self, fact: Fact) {
        let mut house = self.house.write().unwrap_or_else(PoisonError::into_inner);
        match fact {
            Fact::Account(fact) => {
                if house.accounts.get(&fact.id).is_none_or(|known| known.fact.version <= fact.version) {
                    let info = AccountInfo::of(fact, &self.settings);
                    house.accounts.insert(info.id.clone(), info.into());
                }
                return;
            }
            Fact::Group(fact) => {
                if house.groups.get(&fact.id).is_none_or(|known| known.version <= fact.version) {
                    house.groups.insert(fact.id.clone(), fact);
                }
            }
        }
        let there = house.groups.values().filter(|group| !group.deleted);
        let followers: Groups = there.map(|group| (group.id.clone(), group.followers().cloned().collect())).collect();
        house.followers = Arc::new(followers);
        let mut strategies = self.strategies.write().unwrap_or_else(PoisonError::into_inner);
        for facts in strategies.values_mut() {
            *facts = reached(&facts.conf, facts.version, &house.followers).into();
        }
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
    pub fn put_strategy(&self, conf: Arc<StrategyConf>, version: u32) {
        let house = self.house();
        let mut strategies = self.strategies.write().unwrap_or_else(PoisonError::into_inner);
        if strategies.get(&conf.id).is_none_or(|known| known.version <= version) {
            strategies.insert(conf.id.clone(), reached(&conf, version, &house.followers).into());
        }
    }
}

fn reached(conf: &Arc<StrategyConf>, version: u32, groups: &Groups) -> StrategyFacts {
    let reached = conf.routes.iter().flat_map(|route| route.accounts(groups).into_owned());
    let mut accounts: Vec<AccountId> = reached.collect();
    accounts.sort();
    accounts.dedup();
    StrategyFacts { conf: conf.clone(), version, accounts }
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
