//! How an account takes part in trading: whose money it is, whether it is in use, and how far it was let in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::manner::RouteMode;
use crate::units::{Qty, Ratio, mul_div_floor};

/// Whose money it is.
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
pub enum AccountMode {
    /// Nobody's: the venue of this process.
    #[default]
    Paper,
    /// The broker's play money.
    Sim,
    /// Everything happens but the sending.
    Shadow,
    /// Real.
    Live,
}

/// Whether it is in use.
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
pub enum AccountState {
    #[default]
    Enabled,
    /// It has no session and takes no orders, until it is enabled again.
    Disabled,
    /// The same for ever: it is kept for its history.
    Retired,
}

/// How far an account is let in. Written `read_only`, `canary`, `one_lot`, `share:0.1` or `all`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Step {
    /// Its lists are read, and no order is sent.
    ReadOnly,
    /// One lot of what is asked, and a person confirms each leg.
    Canary,
    /// One lot of what is asked.
    OneLot,
    /// A share of what is asked.
    Share(Ratio),
    #[default]
    All,
}

impl Step {
    /// The steps in the order in which one goes up.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::ReadOnly => 0,
            Self::Canary => 1,
            Self::OneLot => 2,
            Self::Share(_) => 3,
            Self::All => 4,
        }
    }

    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("read_only"),
            Self::Canary => f.write_str("canary"),
            Self::OneLot => f.write_str("one_lot"),
            Self::Share(share) => write!(f, "share:{share}"),
            Self::All => f.write_str("all"),
        }
    }
}

/// The text is no step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be read_only, canary, one_lot, share:0.1 (above 0 and below 1) or all")]
pub struct NoStep;

impl FromStr for Step {
    type Err = NoStep;

    fn from_str(text: &str) -> Result<Self, NoStep> {
        match text {
            "read_only" => Ok(Self::ReadOnly),
            "canary" => Ok(Self::Canary),
            "one_lot" => Ok(Self::OneLot),
            "all" => Ok(Self::All),
            _ => {
                let share = text.strip_prefix("share:").and_then(|text| Ratio::parse(text).ok());
                share.filter(|share| share.is_positive() && *share < Ratio::ONE).map(Self::Share).ok_or(NoStep)
            }
        }
    }
}

impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What planning and risk know of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub mode: AccountMode,
    pub state: AccountState,
    pub step: Step,
}

impl Standing {
    /// Why it takes no order, if it takes none.
    #[must_use]
    pub const fn refuses(&self) -> Option<&'static str> {
        match (self.state, self.step) {
            (AccountState::Disabled, _) => Some("disabled"),
            (AccountState::Retired, _) => Some("retired"),
            (AccountState::Enabled, Step::ReadOnly) => Some("read_only"),
            (AccountState::Enabled, _) => None,
        }
    }

    /// Whether orders of it are only judged.
    #[must_use]
    pub fn shadows(&self) -> bool {
        self.mode == AccountMode::Shadow
    }

    /// Whether orders of it leave us.
    #[must_use]
    pub fn sends(&self) -> bool {
        self.refuses().is_none() && !self.shadows()
    }

    /// How a leg gets to the market that its route lets go so: never with less say of people than the route wants.
    #[must_use]
    pub fn leg_mode(&self, route: RouteMode) -> RouteMode {
        match (self.shadows(), self.step, route) {
            (true, ..) => RouteMode::Shadow,
            (false, Step::Canary, RouteMode::Auto) => RouteMode::Confirm,
            _ => route,
        }
    }

    /// What of so many shares the account is asked for, where the smallest order has one lot.
    #[must_use]
    pub fn part(&self, asked: Qty, lot: Qty) -> Qty {
        match self.step {
            Step::ReadOnly | Step::All => asked,
            Step::Canary | Step::OneLot => Qty::new(asked.get().clamp(-lot.get(), lot.get())),
            Step::Share(share) => {
                let part = mul_div_floor(asked.abs().get(), share.e6(), Ratio::ONE.e6());
                Qty::new(if asked.is_negative() { -part } else { part })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_as_it_is_written() {
        for text in ["read_only", "canary", "one_lot", "share:0.1", "all"] {
            assert_eq!(text.parse::<Step>().map(|step| step.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "share", "share:0", "share:1", "share:-0.1", "two_lots", "ALL"] {
            assert_eq!(text.parse::<Step>(), Err(NoStep), "{text}");
        }
    }

    #[test]
    fn a_part_is_never_more_than_what_was_asked_and_never_on_the_other_side() {
        let of = |step| Standing { step, ..Standing::default() };
        let lot = Qty::new(100);
        let tenth = Step::Share(Ratio::from_percent(10));
        for (step, asked, part) in [
            (Step::All, 1_000, 1_000),
            (Step::OneLot, 1_000, 100),
            (Step::OneLot, 60, 60),
            (Step::Canary, -1_000, -100),
            (tenth, 1_009, 100),
            (tenth, -1_009, -100),
            (tenth, 9, 0),
        ] {
            assert_eq!(of(step).part(Qty::new(asked), lot), Qty::new(part), "{step} of {asked}");
        }
    }

    #[test]
    fn an_account_takes_away_from_what_a_route_may_and_adds_nothing() {
        let shadow = Standing { mode: AccountMode::Shadow, ..Standing::default() };
        let canary = Standing { step: Step::Canary, ..Standing::default() };
        for route in [RouteMode::Auto, RouteMode::Confirm, RouteMode::NotifyOnly, RouteMode::Shadow] {
            assert_eq!(shadow.leg_mode(route), RouteMode::Shadow);
            assert_eq!(Standing::default().leg_mode(route), route);
            let confirmed = if route == RouteMode::Auto { RouteMode::Confirm } else { route };
            assert_eq!(canary.leg_mode(route), confirmed);
        }
        assert!(!shadow.sends() && canary.sends());
        let disabled = Standing { state: AccountState::Disabled, ..Standing::default() };
        assert_eq!((disabled.sends(), disabled.refuses()), (false, Some("disabled")));
    }
}
