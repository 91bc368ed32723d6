//! How a route's legs get to the market, and what becomes of a buy that lacks cash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::signal::WaitingFor;
use crate::units::Span;

/// How a route's legs get to the market.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RouteMode {
    #[default]
    Auto,
    /// When a person confirms the leg as it was planned.
    Confirm,
    /// Not at all: a person trades by hand, and tells what he got.
    NotifyOnly,
    /// Not at all: risk says what it would say, and that is recorded with the order that would have gone out.
    Shadow,
}

impl RouteMode {
    #[must_use]
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    /// Whether its legs trade, by us or by hand.
    #[must_use]
    pub const fn sends(self) -> bool {
        !matches!(self, Self::Shadow)
    }

    /// What keeps a leg that was planned just now.
    #[must_use]
    pub const fn waits_for(self) -> Option<WaitingFor> {
        match self {
            Self::Auto | Self::Shadow => None,
            Self::Confirm => Some(WaitingFor::Confirmation),
            Self::NotifyOnly => Some(WaitingFor::Hand),
        }
    }
}

/// What a buy does that its account's cash does not cover. Written `wait:600`, `shrink:600` (seconds) or `deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShortOfCash {
    /// While its strategy has live sells in the account, so long at most; then it is denied.
    Wait(Span),
    /// The same, and then it buys the whole lots that the cash pays for.
    Shrink(Span),
    Deny,
}

/// A day: who waits longer than a session wants something else.
const WAIT_MAX_S: i64 = 86_400;

impl Default for ShortOfCash {
    fn default() -> Self {
        Self::Wait(Span::from_secs(600))
    }
}

impl ShortOfCash {
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// How long it waits; none when it does not.
    #[must_use]
    pub const fn patience(self) -> Option<Span> {
        match self {
            Self::Wait(span) | Self::Shrink(span) => Some(span),
            Self::Deny => None,
        }
    }

    #[must_use]
    pub const fn shrinks(self) -> bool {
        matches!(self, Self::Shrink(_))
    }
}

impl fmt::Display for ShortOfCash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = |span: &Span| span.us() / 1_000_000;
        match self {
            Self::Wait(span) => write!(f, "wait:{}", secs(span)),
            Self::Shrink(span) => write!(f, "shrink:{}", secs(span)),
            Self::Deny => f.write_str("deny"),
        }
    }
}

/// The text is none of `wait:SECONDS`, `shrink:SECONDS` (0 to 86400) and `deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has to be deny, wait:SECONDS or shrink:SECONDS, with 0 to {WAIT_MAX_S} seconds")]
pub struct NoShortOfCash;

impl FromStr for ShortOfCash {
    type Err = NoShortOfCash;

    fn from_str(text: &str) -> Result<Self, NoShortOfCash> {
        if text == "deny" {
            return Ok(Self::Deny);
        }
        let (word, secs) = text.split_once(':').ok_or(NoShortOfCash)?;
        let secs: i64 = secs.parse().map_err(|_| NoShortOfCash)?;
        let span = Span::from_secs(Some(secs).filter(|secs| (0..=WAIT_MAX_S).contains(secs)).ok_or(NoShortOfCash)?);
        match word {
            "wait" => Ok(Self::Wait(span)),
            "shrink" => Ok(Self::Shrink(span)),
            _ => Err(NoShortOfCash),
        }
    }
}

impl Serialize for ShortOfCash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ShortOfCash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["deny", "wait:0", "wait:600", "shrink:86400"] {
            let read: ShortOfCash = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
        for text in ["", "wait", "wait:-1", "wait:86401", "shrink:x", "Deny", "sell:1"] {
            assert_eq!(text.parse::<ShortOfCash>(), Err(NoShortOfCash), "{text}");
        }
        assert_eq!(ShortOfCash::default().to_string(), "wait:600");
    }
}
