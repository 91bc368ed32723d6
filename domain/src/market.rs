//! The market as rules: which days and hours, which instruments, and what holds for one of them on one day.

mod abroad;
mod elsewhere;
mod ends;
mod matching;

use std::cell::RefCell;
use std::sync::Arc;

pub use abroad::{Foreign, is_abroad};
pub use ends::{DayEnd, JUST_AFTER, session_end, trade_date, trades_late};
pub use matching::{Matching, matching, takes_cancels};

pub use elsewhere::{ContractTerms, Elsewhere, Futures, ProductTerms, is_elsewhere, is_future, worst};

use crate::calendar::sessions::Part;
use crate::calendar::{Calendar, Opening, Phase};
use crate::corporate::CorporateActions;
use crate::daily::DailyBars;
use crate::hash::QuickMap;
use crate::instrument::{Instrument, Instruments};
use crate::issues::NewIssues;
use crate::order::OrdType;
use crate::rules::{DayRules, NoRule, RuleBook};
use crate::symbol::{Exchange, Symbol};
use crate::units::{Span, Timestamp, TradeDate};

/// What holds for a code that is subscribed to: on its day, and on no other where it is nothing else. `None` where it is no
/// such code, or an instrument on other days.
///
/// # Errors
/// [`NoRule::SubscriptionClosed`].
pub fn issue_rules(
    issues: &NewIssues,
    instruments: &Instruments,
    symbol: Symbol,
    date: TradeDate,
) -> Result<Option<DayRules>, NoRule> {
    match issues.get(symbol) {
        Some(issue) if issue.subscribe_on == date => Ok(Some(issue.rules())),
        // In Shenzhen the same code is a share later.
        Some(issue) if instruments.get(symbol).is_none_or(|share| share.listed_on.is_some_and(|day| date < day)) => {
            Err(NoRule::SubscriptionClosed { symbol, on: issue.subscribe_on })
        }
        _ => Ok(None),
    }
}

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
    /// What is subscribed to, and when.
    pub issues: Arc<NewIssues>,
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
            issues: Arc::default(),
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

    /// The same with the new issues.
    #[must_use]
    pub fn with_issues(self, issues: Arc<NewIssues>) -> Self {
        Self { issues, ..self }
    }

    #[must_use]
    pub fn instrument(&self, symbol: Symbol) -> Option<&Instrument> {
        self.instruments.get(symbol)
    }

    /// Whether it is an instrument here, a contract of a known product, or what a new issue is subscribed to by.
    #[must_use]
    pub fn knows(&self, symbol: Symbol) -> bool {
        self.instruments.get(symbol).is_some()
            || self.elsewhere.name(symbol).is_some()
            || self.issues.get(symbol).is_some()
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
        } else if let Some(rules) = issue_rules(&self.issues, &self.instruments, symbol, date)? {
            rules
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
        let Some(date) = self.trade_date(symbol, at) else { return false };
        let rules = self.day(symbol, date).ok();
        match rules.map_or(self.calendar.phase(at, false), |rules| self.calendar.phase_of(at, &rules)) {
            Phase::Continuous => true,
            Phase::ClosingAuction => ord_type == OrdType::Limit,
            // Subscriptions meet nobody: there is no auction to keep out of.
            Phase::OpeningAuction | Phase::PreContinuous => {
                rules.and_then(|rules| rules.issue).is_some_and(|issue| issue.from_auction)
            }
            _ => false,
        }
    }

    /// Whether the exchange takes an order of this kind at the instant: when it can trade, and in the opening auction,
    /// which a strategy keeps out of unless its signal asks for it.
    #[must_use]
    pub fn takes(&self, symbol: Symbol, ord_type: OrdType, at: Timestamp) -> bool {
        let here = ord_type == OrdType::Limit && !is_elsewhere(symbol) && !self.is_issue(symbol, at);
        self.is_open(symbol, ord_type, at) || (here && self.calendar.phase(at, false) == Phase::OpeningAuction)
    }

    /// Whether the symbol is subscribed to, at this instant or when the trading day of it comes.
    #[must_use]
    pub fn is_issue(&self, symbol: Symbol, at: Timestamp) -> bool {
        // Most days have none, and every order asks.
        let issue = self.issues.get(symbol);
        issue.is_some_and(|issue| self.calendar.share_date(at) == Some(issue.subscribe_on))
    }

    /// The trading day that an order at this instant belongs to: of a night session the next one.
    #[must_use]
    pub fn trade_date(&self, symbol: Symbol, at: Timestamp) -> Option<TradeDate> {
        trade_date(&self.calendar, &self.elsewhere, symbol, at)
    }

    /// When continuous trading of the instrument starts next.
    #[must_use]
    pub fn next_open(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        match is_elsewhere(symbol) {
            true => self.elsewhere.next_open(&self.calendar, symbol, at),
            false => {
                let continuous = self.calendar.next_open(at, Opening::Continuous);
                let early = self.is_issue(symbol, at) && symbol.exchange() == Exchange::SZ;
                let auction = early.then(|| self.calendar.next_open(at, Opening::Auction)).flatten();
                continuous.into_iter().chain(auction).min()
            }
        }
    }

    /// When the trading day of the instrument ends that an order at this instant belongs to.
    #[must_use]
    pub fn session_end(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        session_end(&self.calendar, &self.elsewhere, symbol, at)
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

    /// Whether the exchange takes cancels of the symbol's orders.
    #[must_use]
    pub fn takes_cancels(&self, symbol: Symbol, at: Timestamp) -> bool {
        let closing = |date| self.day(symbol, date).is_ok_and(|rules| rules.closing_auction);
        takes_cancels(&self.calendar, symbol, at, closing)
    }

    /// Whether orders are matched as they come.
    #[must_use]
    pub fn is_continuous(&self, symbol: Symbol, at: Timestamp, closing_auction: bool) -> bool {
        match is_elsewhere(symbol) {
            true => self.elsewhere.part(&self.calendar, symbol, at) == Some(Part::Continuous),
            false => {
                let by_day = self.calendar.phase(at, closing_auction) == Phase::Continuous;
                by_day || (symbol.is_repo() && self.calendar.is_late(at))
            }
        }
    }
}
