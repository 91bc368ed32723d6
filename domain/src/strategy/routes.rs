//! Where a strategy's signals go, and how the accounts there share them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::capital::CapitalBase;
use crate::ids::{AccountId, GroupId};
use crate::manner::{RouteMode, ShortOfCash};
use crate::units::Ratio;

/// Signals go to an account or a group of accounts, multiplied by a ratio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    #[serde(flatten)]
    pub to: RouteTo,
    /// 跟单比例: 1 follows the signal's size.
    pub follow_ratio: Ratio,
    pub allocation: Allocation,
    #[serde(default)]
    pub capital_base: CapitalBase,
    /// Accounts of the group that do not follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<AccountId>,
    #[serde(default, skip_serializing_if = "RouteMode::is_auto")]
    pub mode: RouteMode,
    #[serde(default, skip_serializing_if = "ShortOfCash::is_usual")]
    pub short_of_cash: ShortOfCash,
}

impl Route {
    /// A route that follows as it is, in full.
    #[must_use]
    pub fn plain(to: RouteTo) -> Self {
        Self {
            to,
            follow_ratio: Ratio::ONE,
            allocation: Allocation::FixedRatio,
            capital_base: CapitalBase::None,
            except: Vec::new(),
            mode: RouteMode::Auto,
            short_of_cash: ShortOfCash::default(),
        }
    }

    /// The accounts that it reaches, in the group's order.
    #[must_use]
    pub fn accounts<'a>(&'a self, groups: &'a Groups) -> Cow<'a, [AccountId]> {
        let all = match &self.to {
            RouteTo::Account(account) => std::slice::from_ref(account),
            RouteTo::Group(group) => groups.get(group).map_or(&[][..], Vec::as_slice),
        };
        if self.except.is_empty() {
            return Cow::Borrowed(all);
        }
        Cow::Owned(all.iter().filter(|account| !self.except.contains(account)).cloned().collect())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTo {
    Account(AccountId),
    Group(GroupId),
}

impl RouteTo {
    #[must_use]
    pub fn reaches(&self, account: &AccountId, groups: &Groups) -> bool {
        match self {
            Self::Account(one) => one == account,
            Self::Group(group) => groups.get(group).is_some_and(|all| all.contains(account)),
        }
    }
}

/// How a route's accounts share a signal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Allocation {
    /// Each account gets the signal times the ratio.
    FixedRatio,
    /// The signal times the ratio is split in equal parts.
    EqualQuantity,
    /// The signal times the ratio is split in proportion to the accounts' equity.
    Equity,
    /// What is to be bought is split in proportion to the cash that no live order has set aside, what is to be sold in
    /// proportion to what may be sold.
    AvailableCash,
}

/// The accounts of each group.
pub type Groups = HashMap<GroupId, Vec<AccountId>>;

/// The first account that two routes reach. A strategy has none: a target means what its account shall hold, and two
/// routes that meet it would each buy the whole of it.
#[must_use]
pub fn reached_twice(routes: &[Route], groups: &Groups) -> Option<AccountId> {
    let mut reached = BTreeSet::new();
    let mut accounts = routes.iter().flat_map(|route| route.accounts(groups).into_owned());
    accounts.find(|account| !reached.insert(account.clone()))
}
