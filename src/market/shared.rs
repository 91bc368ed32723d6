//! Calendar, instruments and rule book, shared by all threads that only read them.

use signalbox_domain::calendar::Calendar;
use signalbox_domain::instrument::{Instrument, Instruments};
use signalbox_domain::rules::{DayRules, NoRule, RuleBook};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Timestamp, TradeDate};

/// The same facts as the trading thread's `Market`, without its memory of the day, so that threads can share it.
#[derive(Debug)]
pub struct MarketFacts {
    pub calendar: Calendar,
    pub instruments: Instruments,
    rules: RuleBook,
}

impl MarketFacts {
    #[must_use]
    pub const fn new(calendar: Calendar, instruments: Instruments, rules: RuleBook) -> Self {
        Self { calendar, instruments, rules }
    }

    #[must_use]
    pub fn instrument(&self, symbol: Symbol) -> Option<&Instrument> {
        self.instruments.get(symbol)
    }

    /// What holds for the instrument on the day.
    ///
    /// # Errors
    /// [`NoRule`] for an instrument that is not known or a day that the data do not cover.
    pub fn day(&self, symbol: Symbol, date: TradeDate) -> Result<DayRules, NoRule> {
        let instrument = self.instruments.get(symbol).ok_or(NoRule::UnknownSymbol { symbol })?;
        let listing_day = instrument.listed_on.and_then(|listed| self.calendar.listing_day_index(listed, date));
        self.rules.day(instrument, date, listing_day)
    }

    /// What holds for the instrument on the trading day of the instant; `None` where nothing is known.
    #[must_use]
    pub fn today(&self, symbol: Symbol, at: Timestamp) -> Option<DayRules> {
        self.calendar.trade_date(at).and_then(|date| self.day(symbol, date).ok())
    }
}
