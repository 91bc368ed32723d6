//! Conditions that a signal waits for: stop, take-profit, trailing. The first that comes true ends the others (OCO), and
//! what follows is an ordinary order.

use serde::{Deserialize, Serialize};

use crate::order::Side;
use crate::units::{Price, Ratio, mul_div_floor};

/// How far the price may come back from its best before a trailing stop comes true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trail {
    Amount(Price),
    Percent(Ratio),
}

/// What has to come true for an order of one side; one of them is enough. Never empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// 止损, 突破: a sell when the price falls to it, a buy when it rises to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Price>,
    /// 止盈: a sell when the price rises to it, a buy when it falls to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<Price>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<Trail>,
}

/// Which of them came true.
#[derive(
    Debug,
    Clone,
    Copy,
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
pub enum Condition {
    Stop,
    TakeProfit,
    Trailing,
}

/// The trades since the last look: their highest, their lowest and their last price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    pub high: Price,
    pub low: Price,
    pub last: Price,
}

impl Conditions {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stop.is_none() && self.take_profit.is_none() && self.trail.is_none()
    }

    /// Whether one has come true, the stop first, and the best price that the trail hangs on from now on. `best` is the
    /// best before these trades. Among trades of one look their order is not known: a trail counts a way back only from
    /// what was the best before, or to the last price.
    #[must_use]
    pub fn look(&self, side: Side, best: Option<Price>, traded: Traded) -> (Option<Condition>, Price) {
        let Traded { high, low, last } = traded;
        let (worst, good) = match side {
            Side::Sell => (low, high),
            Side::Buy => (high, low),
        };
        // A sell loses as the price falls, a buy as it rises.
        let loses = |px: Price, level: Price| if side == Side::Sell { px <= level } else { px >= level };
        let gains = |px: Price, level: Price| if side == Side::Sell { px >= level } else { px <= level };
        let now_best = match best {
            Some(best) if !gains(good, best) => best,
            _ => good,
        };
        let trailed = self.trail.is_some_and(|trail| {
            let from_before = best.is_some_and(|best| loses(worst, trail.level(side, best)));
            from_before || loses(last, trail.level(side, now_best))
        });
        let met = if self.stop.is_some_and(|stop| loses(worst, stop)) {
            Some(Condition::Stop)
        } else if trailed {
            Some(Condition::Trailing)
        } else if self.take_profit.is_some_and(|take| gains(good, take)) {
            Some(Condition::TakeProfit)
        } else {
            None
        };
        (met, now_best)
    }
}

impl Trail {
    /// Where it comes true when the best price was this one.
    #[must_use]
    pub fn level(self, side: Side, best: Price) -> Price {
        let way = match self {
            Self::Amount(amount) => amount,
            Self::Percent(part) => Price::from_e4(mul_div_floor(best.e4(), part.e6(), Ratio::ONE.e6())),
        };
        if side == Side::Sell { best - way } else { best + way }
    }
}
