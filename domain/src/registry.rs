//! What people set up while the program runs: accounts, groups of them, and where strategies send. It decides whether a
//! change fits everything else; whoever holds it makes the fact durable and puts it in force.

mod change;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use change::{AccountChange, By, GroupChange, NewAccount};

use crate::ids::{AccountId, GroupId, StrategyId};
use crate::instrument::Currency;
use crate::standing::{AccountMode, AccountState, Standing, Step};
use crate::strategy::{Groups, RouteTo, StrategyConf, reached_twice};
use crate::units::{Money, Timestamp};

/// Each account has an actor and a session, each strategy an actor; people have dozens.
pub const ACCOUNTS_MAX: usize = 1_000;
pub const GROUPS_MAX: usize = 1_000;

/// An account as it was set up last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFact {
    pub id: AccountId,
    /// How often it was set; 0 while conf alone speaks.
    pub version: u32,
    pub display_name: Arc<str>,
    /// `paper`, or the section of conf that says how its broker is reached. None: the account's own in conf.
    pub broker: Option<Arc<str>>,
    /// What its broker calls it, where that is another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_account: Option<Arc<str>>,
    /// Whether it trades at the venue of this process.
    pub on_paper: bool,
    pub mode: AccountMode,
    pub state: AccountState,
    pub step: Step,
    pub currency: Currency,
    /// What it opened with.
    pub cash: Money,
    pub who: Arc<str>,
    pub reason: Arc<str>,
    pub at: Timestamp,
}

impl AccountFact {
    #[must_use]
    pub const fn standing(&self) -> Standing {
        Standing { mode: self.mode, state: self.state, step: self.step }
    }
}

/// A group of accounts as it was set up last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFact {
    pub id: GroupId,
    /// How often it was set; 0 while conf alone speaks.
    pub version: u32,
    pub accounts: Vec<AccountId>,
    /// Members that do not follow at present.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opted_out: Vec<AccountId>,
    /// It is no more. Its name may be given again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    pub who: Arc<str>,
    pub reason: Arc<str>,
    pub at: Timestamp,
}

impl GroupFact {
    /// The members that follow, in the group's order.
    pub fn followers(&self) -> impl Iterator<Item = &AccountId> {
        self.accounts.iter().filter(|account| !self.opted_out.contains(account))
    }
}

/// One thing that was set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    Account(Arc<AccountFact>),
    Group(Arc<GroupFact>),
}

impl Fact {
    /// Its kind and its name: the newest fact of a name is in force.
    #[must_use]
    pub fn key(&self) -> (&'static str, &str) {
        match self {
            Self::Account(fact) => ("account", fact.id.as_str()),
            Self::Group(fact) => ("group", fact.id.as_str()),
        }
    }

    #[must_use]
    pub fn version(&self) -> u32 {
        match self {
            Self::Account(fact) => fact.version,
            Self::Group(fact) => fact.version,
        }
    }
}

/// Why a change does not fit, in order of precedence. Nothing is recorded then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("there is no such thing")]
    Missing,
    #[error("there is one of this name")]
    Exists,
    #[error("it is at version {is}")]
    Version { is: u32 },
    #[error("it is retired, for ever")]
    Retired,
    #[error("there are {0}, which is the most there can be")]
    TooMany(usize),
    #[error("there is no account {0} that could be used")]
    NoAccount(AccountId),
    #[error("there is no group {0}")]
    NoGroup(GroupId),
    #[error("{0} stands in it twice")]
    Twice(AccountId),
    #[error("a paper account is paper or shadow, another one sim, shadow or live")]
    Mode,
    #[error("a live account goes up one step at a time: from {from} not to {to}")]
    StepSkipped { from: Step, to: Step },
    #[error("{account} is reached by two routes of {strategy}: a target would be met twice")]
    Overlap { strategy: StrategyId, account: AccountId },
    #[error("it is in use by {}", .0.join(", "))]
    InUse(Vec<String>),
    #[error("{0} orders of it may still trade")]
    LiveOrders(u32),
    #[error("its broker cannot be reached: {0}")]
    Broker(String),
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    accounts: BTreeMap<AccountId, Arc<AccountFact>>,
    groups: BTreeMap<GroupId, Arc<GroupFact>>,
    strategies: BTreeMap<StrategyId, (Arc<StrategyConf>, u32)>,
}

impl Registry {
    /// Takes over what is in force.
    pub fn put(&mut self, fact: Fact) {
        match fact {
            Fact::Account(fact) => {
                self.accounts.insert(fact.id.clone(), fact);
            }
            Fact::Group(fact) => {
                self.groups.insert(fact.id.clone(), fact);
            }
        }
    }

    pub fn put_strategy(&mut self, conf: Arc<StrategyConf>, version: u32) {
        self.strategies.insert(conf.id.clone(), (conf, version));
    }

    /// Everything, with what was deleted.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        let accounts = self.accounts.values().cloned().map(Fact::Account);
        accounts.chain(self.groups.values().cloned().map(Fact::Group)).collect()
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Arc<AccountFact>> {
        self.accounts.values()
    }

    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<&Arc<AccountFact>> {
        self.accounts.get(id)
    }

    /// Those that are there.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<GroupFact>> {
        self.groups.values().filter(|group| !group.deleted)
    }

    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<&Arc<GroupFact>> {
        self.groups.get(id).filter(|group| !group.deleted)
    }

    /// Who follows in each group, whether or not he takes orders now.
    #[must_use]
    pub fn followers(&self) -> Groups {
        self.groups().map(|group| (group.id.clone(), group.followers().cloned().collect())).collect()
    }

    /// Who is planned for in each group: who follows and takes orders.
    #[must_use]
    pub fn in_force(&self) -> Groups {
        let takes = |id: &&AccountId| self.account(id).is_some_and(|fact| fact.standing().refuses().is_none());
        let group = |group: &Arc<GroupFact>| (group.id.clone(), group.followers().filter(takes).cloned().collect());
        self.groups().map(group).collect()
    }

    /// The version that a configuration of a strategy will have.
    ///
    /// # Errors
    /// When it does not fit: it routes to what is not there, or reaches an account twice; or somebody was faster.
    pub fn next_of_strategy(&self, conf: &StrategyConf, expected: Option<u32>) -> Result<u32, Unfit> {
        let is = self.strategies.get(&conf.id).map_or(0, |(_, version)| *version);
        if expected.is_some_and(|expected| expected != is) {
            return Err(Unfit::Version { is });
        }
        for route in &conf.routes {
            match &route.to {
                RouteTo::Account(id) => drop(self.usable(id)?),
                RouteTo::Group(id) => drop(self.group(id).ok_or_else(|| Unfit::NoGroup(id.clone()))?),
            }
        }
        if let Some(account) = reached_twice(&conf.routes, &self.followers()) {
            return Err(Unfit::Overlap { strategy: conf.id.clone(), account });
        }
        Ok(is + 1)
    }

    fn usable(&self, id: &AccountId) -> Result<&Arc<AccountFact>, Unfit> {
        let usable = self.account(id).filter(|fact| fact.state != AccountState::Retired);
        usable.ok_or_else(|| Unfit::NoAccount(id.clone()))
    }

    /// The strategies with such a route.
    fn routed<'a>(&'a self, to: &'a RouteTo) -> impl Iterator<Item = String> + 'a {
        let routed = self.strategies.values().filter(move |(conf, _)| conf.routes.iter().any(|route| route.to == *to));
        routed.map(|(conf, _)| format!("strategy {}", conf.id))
    }
}
