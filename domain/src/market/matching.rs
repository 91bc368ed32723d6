//! Whether orders trade as they come, or are collected for a call auction; and whether they may be taken back.

use super::{Elsewhere, is_elsewhere};
use crate::calendar::sessions::Part;
use crate::calendar::{Calendar, Phase, china_date_time};
use crate::symbol::Symbol;
use crate::units::{Timestamp, TradeDate};

/// What the market does with the orders of a symbol at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// They are collected for the day's first auction.
    Opening,
    /// They are collected, or wait for what an auction brings; others may have traded on the day.
    Collecting,
    /// They trade as they come.
    Continuous,
}

/// `closing_auction` tells whether the day of the instrument ends with one; asked only when that matters.
pub fn matching(
    calendar: &Calendar,
    elsewhere: &Elsewhere,
    symbol: Symbol,
    at: Timestamp,
    closing_auction: impl Fn(TradeDate) -> bool,
) -> Matching {
    if is_elsewhere(symbol) {
        return match elsewhere.part(calendar, symbol, at) {
            Some(Part::OpeningAuction) => Matching::Opening,
            Some(Part::ClosingAuction) => Matching::Collecting,
            _ => Matching::Continuous,
        };
    }
    match calendar.phase(at, true) {
        Phase::OpeningAuction => Matching::Opening,
        Phase::PreContinuous => Matching::Collecting,
        // The closing price comes when the session is over.
        Phase::ClosingAuction | Phase::AfterClose if closing_auction(china_date_time(at).0) => Matching::Collecting,
        _ => Matching::Continuous,
    }
}

/// Whether the exchange takes cancels of the symbol's orders at the instant. `closing_auction` tells whether the day of the
/// instrument ends with one; asked only when that matters. When futures and shares abroad are not taken back is in no data
/// here, so nothing is refused there.
pub fn takes_cancels(
    calendar: &Calendar,
    symbol: Symbol,
    at: Timestamp,
    closing_auction: impl Fn(TradeDate) -> bool,
) -> bool {
    is_elsewhere(symbol)
        || calendar.takes_cancels(at, true)
        || (calendar.takes_cancels(at, false) && !closing_auction(china_date_time(at).0))
}
