//! Calendar, instruments and rule book, shared by all threads that only read them.

use signalbox_brokers::paper::Hours;
use signalbox_domain::calendar::Calendar;
use signalbox_domain::corporate::CorporateActions;
use signalbox_domain::instrument::{Instrument, Instruments};
use signalbox_domain::issues::NewIssues;
use signalbox_domain::market::{
    Elsewhere, Matching, is_elsewhere, issue_rules, matching, session_end, takes_cancels, trade_date,
};
use signalbox_domain::quote::Quote;
use signalbox_domain::rules::{DayRules, NoRule, RuleBook};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Timestamp, TradeDate};

/// The same facts as the trading thread's `Market`, without its memory of the day, so that threads can share it.
#[derive(Debug)]
pub struct MarketFacts {
    pub calendar: Calendar,
    pub instruments: Instruments,
    rules: RuleBook,
    elsewhere: Elsewhere,
    pub actions: CorporateActions,
    pub issues: NewIssues,
}

impl MarketFacts {
    #[must_use]
    pub fn new(calendar: Calendar, instruments: Instruments, rules: RuleBook, elsewhere: Elsewhere) -> Self {
        Self {
            calendar,
            instruments,
            rules,
            elsewhere,
            actions: CorporateActions::default(),
            issues: NewIssues::default(),
        }
    }

    /// The same with the corporate actions.
    #[must_use]
    pub fn with_actions(self, actions: CorporateActions) -> Self {
        Self { actions, ..self }
    }

    /// The same with the new issues.
    #[must_use]
    pub fn with_issues(self, issues: NewIssues) -> Self {
        Self { issues, ..self }
    }

    /// The quote as it counts now: one from before an ex-date is in prices of after it.
    #[must_use]
    pub fn quote_now(&self, quote: Quote, now: Timestamp) -> Quote {
        match self.trade_date(quote.symbol, now) {
            Some(today) if self.actions.knows(quote.symbol) => self.actions.quote_on(today, quote),
            _ => quote,
        }
    }

    #[must_use]
    pub fn instrument(&self, symbol: Symbol) -> Option<&Instrument> {
        self.instruments.get(symbol)
    }

    /// What people call it: a contract by its product.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> Option<String> {
        match self.instruments.get(symbol) {
            Some(instrument) => Some(instrument.name.to_string()),
            None => match self.issues.get(symbol) {
                Some(issue) => Some(issue.name.to_string()),
                None => self.elsewhere.name(symbol).map(str::to_owned),
            },
        }
    }

    /// Whether it is an instrument here, a contract of a known product, or what a new issue is subscribed to by.
    #[must_use]
    pub fn knows(&self, symbol: Symbol) -> bool {
        self.name(symbol).is_some()
    }

    /// The trading day that an order at this instant belongs to.
    #[must_use]
    pub fn trade_date(&self, symbol: Symbol, at: Timestamp) -> Option<TradeDate> {
        trade_date(&self.calendar, &self.elsewhere, symbol, at)
    }

    /// The trading day of the symbol in which a price of this instant was made: what it tells of the close before belongs to
    /// that day.
    #[must_use]
    pub fn price_date(&self, symbol: Symbol, at: Timestamp) -> Option<TradeDate> {
        match is_elsewhere(symbol) {
            true => self.trade_date(symbol, at),
            false => self.calendar.price_date(at),
        }
    }

    /// When it ends.
    #[must_use]
    pub fn session_end(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        session_end(&self.calendar, &self.elsewhere, symbol, at)
    }

    /// Whether orders trade as they come, or are collected for a call auction.
    #[must_use]
    pub fn matching(&self, symbol: Symbol, at: Timestamp) -> Matching {
        let closing = |date| self.day(symbol, date).is_ok_and(|rules| rules.closing_auction);
        matching(&self.calendar, &self.elsewhere, symbol, at, closing)
    }

    /// Whether the exchange takes cancels of the symbol's orders.
    #[must_use]
    pub fn takes_cancels(&self, symbol: Symbol, at: Timestamp) -> bool {
        let closing = |date| self.day(symbol, date).is_ok_and(|rules| rules.closing_auction);
        takes_cancels(&self.calendar, symbol, at, closing)
    }

    /// What holds for the instrument on the day.
    ///
    /// # Errors
    /// [`NoRule`] for an instrument that is not known or a day that the data do not cover.
    pub fn day(&self, symbol: Symbol, date: TradeDate) -> Result<DayRules, NoRule> {
        if is_elsewhere(symbol) {
            return self.elsewhere.day(symbol, date);
        }
        if let Some(rules) = issue_rules(&self.issues, &self.instruments, symbol, date)? {
            return Ok(rules);
        }
        let instrument = self.instruments.get(symbol).ok_or(NoRule::UnknownSymbol { symbol })?;
        let listing_day = instrument.listed_on.and_then(|listed| self.calendar.listing_day_index(listed, date));
        self.rules.day(instrument, date, listing_day)
    }

    /// What holds for the instrument on the trading day of the instant; `None` where nothing is known.
    #[must_use]
    pub fn today(&self, symbol: Symbol, at: Timestamp) -> Option<DayRules> {
        self.trade_date(symbol, at).and_then(|date| self.day(symbol, date).ok())
    }
}

impl Hours for MarketFacts {
    fn matching(&self, symbol: Symbol, at: Timestamp) -> Matching {
        self.matching(symbol, at)
    }

    fn takes_cancels(&self, symbol: Symbol, at: Timestamp) -> bool {
        self.takes_cancels(symbol, at)
    }

    fn day_end(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        self.session_end(symbol, at)
    }
}
