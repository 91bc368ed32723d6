//! A strategy: where its signals go, and the core that turns each of them into parent orders.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, GroupId, StrategyId};
use crate::units::Ratio;

/// A strategy as it is configured. A new configuration replaces the old one as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyConf {
    pub id: StrategyId,
    /// Which built-in logic decides: `external` takes its signals from outside.
    pub kind: Arc<str>,
    pub capital_base: CapitalBase,
    pub routes: Vec<Route>,
}

/// What percentages of the strategy are percentages of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapitalBase {
    Equity,
}

/// Signals go to an account or a group of accounts, multiplied by a ratio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    #[serde(flatten)]
    pub to: RouteTo,
    /// 跟单比例: 1 follows the signal's size.
    pub follow_ratio: Ratio,
    pub allocation: Allocation,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTo {
    Account(AccountId),
    Group(GroupId),
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
    /// The signal times the ratio is split in proportion to the accounts' equity.
    Equity,
}

#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum StrategyState {
    #[default]
    Active,
    /// Signals are taken and wait.
    Paused,
    /// Signals are taken and denied; working orders stay.
    Stopped,
}
