//! The market as rules: which days and hours, which instruments, and what holds for one of them on one day.

use std::cell::RefCell;

use crate::calendar::{Calendar, Opening, Phase};
use crate::hash::QuickMap;
use crate::instrument::{Instrument, Instruments};
use crate::order::OrdType;
use crate::rules::{DayRules, NoRule, RuleBook};
use crate::symbol::Symbol;
use crate::units::{Timestamp, TradeDate};

/// Calendar, instruments and rule book, with the day's rules of each instrument at hand.
#[derive(Debug)]
pub struct Market {
    pub calendar: Calendar,
    pub instruments: Instruments,
    rules: RuleBook,
    /// The newest day asked for, per symbol: looking the dated rules up anew for each order would cost more than all
    /// checks together. Bounded by the number of instruments.
    days: RefCell<QuickMap<Symbol, (TradeDate, DayRules)>>,
}

impl Market {
    #[must_use]
    pub fn new(calendar: Calendar, instruments: Instruments, rules: RuleBook) -> Self {
        Self { calendar, instruments, rules, days: RefCell::default() }
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
        if let Some((day, rules)) = self.days.borrow().get(&symbol)
            && *day == date
        {
            return Ok(*rules);
        }
        let instrument = self.instruments.get(symbol).ok_or(NoRule::UnknownSymbol { symbol })?;
        let listing_day = instrument.listed_on.and_then(|listed| self.calendar.listing_day_index(listed, date));
        let rules = self.rules.day(instrument, date, listing_day)?;
        self.days.borrow_mut().insert(symbol, (date, rules));
        Ok(rules)
    }

    /// Whether an order of this kind can trade at the instant: continuous trading, and for limit orders also the
    /// closing auction. The opening auction is off unless asked for.
    #[must_use]
    pub fn is_open(&self, symbol: Symbol, ord_type: OrdType, at: Timestamp) -> bool {
        let Some(date) = self.calendar.trade_date(at) else { return false };
        let closing_auction = self.day(symbol, date).is_ok_and(|rules| rules.closing_auction);
        match self.calendar.phase(at, closing_auction) {
            Phase::Continuous => true,
            Phase::ClosingAuction => ord_type == OrdType::Limit,
            _ => false,
        }
    }

    /// When continuous trading starts next.
    #[must_use]
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        self.calendar.next_open(at, Opening::Continuous)
    }
}
