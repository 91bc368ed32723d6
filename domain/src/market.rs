//! The market as rules: which days and hours, which instruments, and what holds for one of them on one day.

mod abroad;
mod elsewhere;
mod matching;

use std::cell::RefCell;
use std::sync::Arc;

pub use abroad::{Foreign, is_abroad};
pub use matching::{Matching, matching};

pub use elsewhere::{ContractTerms, Elsewhere, Futures, ProductTerms, is_elsewhere, is_future, worst};

use crate::calendar::sessions::Part;
use crate::calendar::{Calendar, Opening, Phase};
use crate::corporate::CorporateActions;
use crate::daily::DailyBars;
use crate::hash::QuickMap;
use crate::instrument::{Instrument, Instruments};
use crate::order::OrdType;
use crate::rules::{DayRules, NoRule, RuleBook};
use crate::symbol::{Exchange, Symbol};
use crate::units::{Span, Timestamp, TradeDate};

/// Calendar, instruments and rule book, with the day's rules of each instrument at hand.
#[derive(Debug)]
pub struct Market {
    pub calendar: Calendar,
    pub instruments: Instruments,
    rules: RuleBook,
    pub elsewhere: Elsewhere,
    /// The days that were traded, as far as somebody has put them there.
    pub daily: DailyBars,
    /// Which shares go ex, and when.
    pub actions: Arc<CorporateActions>,
    /// The newest day asked for, per symbol: looking the dated rules up anew for each order would cost more than all
    /// checks together. Bounded by the number of instruments.
    days: RefCell<QuickMap<Symbol, (TradeDate, DayRules)>>,
}

impl Market {
    #[must_use]
    pub fn new(calendar: Calendar, instruments: Instruments, rules: RuleBook) -> Self {
        Self {
            calendar,
            instruments,
            rules,
            elsewhere: Elsewhere::default(),
            daily: DailyBars::default(),
            actions: Arc::default(),
            days: RefCell::default(),
        }
    }

    /// The same with other markets.
    #[must_use]
    pub fn with(self, elsewhere: Elsewhere) -> Self {
        Self { elsewhere, ..self }
    }

    /// The same with the days that were traded.
    #[must_use]
    pub fn with_daily(self, daily: DailyBars) -> Self {
        Self { daily, ..self }
    }

    /// The same with the corporate actions.
    #[must_use]
    pub fn with_actions(self, actions: Arc<CorporateActions>) -> Self {
        Self { actions, ..self }
    }

    #[must_use]
    pub fn instrument(&self, symbol: Symbol) -> Option<&Instrument> {
        self.instruments.get(symbol)
    }

    /// Whether it is an instrument here, or a contract of a known product.
    #[must_use]
    pub fn knows(&self, symbol: Symbol) -> bool {
        self.instruments.get(symbol).is_some() || self.elsewhere.name(symbol).is_some()
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
        let rules = if is_elsewhere(symbol) {
            self.elsewhere.day(symbol, date)?
        } else {
            let instrument = self.instruments.get(symbol).ok_or(NoRule::UnknownSymbol { symbol })?;
            let listing_day = instrument.listed_on.and_then(|listed| self.calendar.listing_day_index(listed, date));
            self.rules.day(instrument, date, listing_day)?
        };
        self.days.borrow_mut().insert(symbol, (date, rules));
        Ok(rules)
    }

    /// Whether an order of this kind can trade at the instant: continuous trading, and for limit orders also the
    /// closing auction. The opening auction is off unless asked for.
    #[must_use]
    pub fn is_open(&self, symbol: Symbol, ord_type: OrdType, at: Timestamp) -> bool {
        if is_elsewhere(symbol) {
            return self.elsewhere.is_open(&self.calendar, symbol, ord_type, at);
        }
        let Some(date) = self.calendar.trade_date(at) else { return false };
        let closing_auction = self.day(symbol, date).is_ok_and(|rules| rules.closing_auction);
        match self.calendar.phase(at, closing_auction) {
            Phase::Continuous => true,
            Phase::ClosingAuction => ord_type == OrdType::Limit,
            _ => false,
        }
    }

    /// Whether the exchange takes an order of this kind at the instant: when it can trade, and in the opening auction,
    /// which a strategy keeps out of unless its signal asks for it.
    #[must_use]
    pub fn takes(&self, symbol: Symbol, ord_type: OrdType, at: Timestamp) -> bool {
        let here = ord_type == OrdType::Limit && !is_elsewhere(symbol);
        self.is_open(symbol, ord_type, at) || (here && self.calendar.phase(at, false) == Phase::OpeningAuction)
    }

    /// The trading day that an order at this instant belongs to: of a night session the next one.
    #[must_use]
    pub fn trade_date(&self, symbol: Symbol, at: Timestamp) -> Option<TradeDate> {
        match is_elsewhere(symbol) {
            true => self.elsewhere.trade_date(&self.calendar, symbol, at),
            false => self.calendar.trade_date(at),
        }
    }

    /// When continuous trading of the instrument starts next.
    #[must_use]
    pub fn next_open(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        match is_elsewhere(symbol) {
            true => self.elsewhere.next_open(&self.calendar, symbol, at),
            false => self.calendar.next_open(at, Opening::Continuous),
        }
    }

    /// When the trading day of the instrument ends that an order at this instant belongs to.
    #[must_use]
    pub fn session_end(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        match is_elsewhere(symbol) {
            true => self.elsewhere.session_end(&self.calendar, symbol, at),
            false => self.calendar.session_end(at),
        }
    }

    /// When the market abroad is done with the day of which something is still to come; `None` for all others.
    #[must_use]
    pub fn day_end_abroad(&self, exchange: Exchange, at: Timestamp) -> Option<Timestamp> {
        self.elsewhere.foreign.as_ref()?.sessions(exchange)?.day_end(at)
    }

    /// How old a price is that was made at `seen`: where none is made, none grows old.
    #[must_use]
    pub fn price_age(&self, symbol: Symbol, seen: Timestamp, at: Timestamp, closing_auction: bool) -> Span {
        match is_elsewhere(symbol) {
            true => self.elsewhere.price_age(&self.calendar, symbol, seen, at),
            false => self.calendar.price_age(seen, at, closing_auction),
        }
    }

    /// Whether orders trade as they come, or are collected for a call auction.
    #[must_use]
    pub fn matching(&self, symbol: Symbol, at: Timestamp) -> Matching {
        let closing = |date| self.day(symbol, date).is_ok_and(|rules| rules.closing_auction);
        matching(&self.calendar, &self.elsewhere, symbol, at, closing)
    }

    /// Whether orders are matched as they come.
    #[must_use]
    pub fn is_continuous(&self, symbol: Symbol, at: Timestamp, closing_auction: bool) -> bool {
        match is_elsewhere(symbol) {
            true => self.elsewhere.part(&self.calendar, symbol, at) == Some(Part::Continuous),
            false => self.calendar.phase(at, closing_auction) == Phase::Continuous,
        }
    }
}
