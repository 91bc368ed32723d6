//! Which trading day an instant belongs to for a symbol, when that day ends, and what ends next of all markets.

use super::{Elsewhere, Market, is_abroad, is_elsewhere};
use crate::calendar::Calendar;
use crate::futures::product_of;
use crate::symbol::{Exchange, Symbol};
use crate::units::{Span, Timestamp, TradeDate};

/// An end itself belongs to what it ends: so much later orders have nothing to trade in any more.
pub const JUST_AFTER: Span = Span::from_us(1);

/// What is over when a market is done with its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayEnd {
    /// 15:00: the mainland's shares, funds and bonds, and the futures that do not trade late ([`trades_late`]).
    Shares,
    /// 15:30: the mainland's day, by which accounts count.
    Mainland,
    /// Regular trading and its closing auction in Hong Kong or the United States.
    Abroad(Exchange),
}

impl DayEnd {
    /// Whether orders for the symbol have nothing to trade in any more.
    #[must_use]
    pub fn ends(self, symbol: Symbol) -> bool {
        match self {
            Self::Shares => !is_abroad(symbol) && !trades_late(symbol),
            Self::Mainland => !is_abroad(symbol),
            Self::Abroad(exchange) => is_abroad(symbol) && symbol.exchange() == exchange,
        }
    }
}

/// Whether the mainland trades it beyond 15:00: repo until 15:30, futures of treasury bonds until 15:15.
#[must_use]
pub fn trades_late(symbol: Symbol) -> bool {
    let treasury = || matches!(product_of(symbol.code()), "T" | "TF" | "TS" | "TL");
    symbol.is_repo() || (symbol.exchange() == Exchange::CFFEX && treasury())
}

/// The trading day that an order for the symbol at this instant belongs to: of a night session the next one.
#[must_use]
pub fn trade_date(calendar: &Calendar, elsewhere: &Elsewhere, symbol: Symbol, at: Timestamp) -> Option<TradeDate> {
    if is_elsewhere(symbol) {
        return elsewhere.trade_date(calendar, symbol, at);
    }
    if symbol.is_repo() { calendar.trade_date(at) } else { calendar.share_date(at) }
}

/// When it ends.
#[must_use]
pub fn session_end(calendar: &Calendar, elsewhere: &Elsewhere, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
    if is_elsewhere(symbol) {
        return elsewhere.session_end(calendar, symbol, at);
    }
    if symbol.is_repo() { calendar.day_end(at) } else { calendar.session_end(at) }
}

impl Market {
    /// What ends next on the mainland after the instant, and when.
    #[must_use]
    pub fn next_day_end(&self, at: Timestamp) -> Option<(Timestamp, DayEnd)> {
        let session = self.calendar.session_end(at).map(|end| (end, DayEnd::Shares));
        let day = self.calendar.day_end(at).map(|end| (end, DayEnd::Mainland));
        session.into_iter().chain(day).min_by_key(|(end, _)| *end)
    }

    /// The same of a market abroad.
    #[must_use]
    pub fn next_day_end_abroad(&self, exchange: Exchange, at: Timestamp) -> Option<(Timestamp, DayEnd)> {
        let end = self.elsewhere.foreign.as_ref()?.sessions(exchange)?.day_end(at)?;
        Some((end, DayEnd::Abroad(exchange)))
    }
}
