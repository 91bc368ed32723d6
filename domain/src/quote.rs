//! What the market shows: level-1 quotes and single trades (prints).

use serde::{Deserialize, Serialize};

use crate::order::Side;
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Timestamp};

/// The newest state of one instrument, from any source. Sizes and volume are absent when the source has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub symbol: Symbol,
    pub last: Price,
    pub bid: Option<Price>,
    pub ask: Option<Price>,
    pub bid_size: Option<Qty>,
    pub ask_size: Option<Qty>,
    /// Traded since the open of the day, in shares or lots.
    pub volume: Option<Qty>,
    pub prev_close: Option<Price>,
    /// When the source saw it, on the market clock.
    pub at: Timestamp,
}

impl Quote {
    /// What the exchange measures a limit price by: the best of the other side, else of the own side, else the last
    /// trade, else the previous close.
    #[must_use]
    pub fn reference(&self, side: Side) -> Option<Price> {
        let (other, own) = match side {
            Side::Buy => (self.ask, self.bid),
            Side::Sell => (self.bid, self.ask),
        };
        [other, own, Some(self.last), self.prev_close].into_iter().flatten().find(|px| px.is_positive())
    }
}

/// One trade that others made: what a recorded day consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    pub symbol: Symbol,
    pub at: Timestamp,
    pub price: Price,
    pub qty: Qty,
    pub aggressor: Aggressor,
}

/// What was traded in a stretch of time, in one line: in which order is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    pub symbol: Symbol,
    /// The end of the stretch: nothing of it is known earlier.
    pub at: Timestamp,
    pub open: Price,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    /// In shares or lots; zero when nothing was traded.
    pub volume: Qty,
}

/// Which side took the other's price, or that an auction matched both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Aggressor {
    Buy,
    Sell,
    Auction,
}
