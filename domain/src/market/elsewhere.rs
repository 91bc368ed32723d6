//! The markets beside the mainland's shares: Chinese futures, each product with its own hours and its night before the
//! day, and shares abroad.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::abroad::{Foreign, is_abroad};
use crate::calendar::Calendar;
use crate::calendar::sessions::{FutureDays, FutureHours, Part, Session, Sessions};
use crate::contract::{Contract, ContractFees};
use crate::fees::{FeeRules, StampDutyOf};
use crate::futures::{FutureFacts, FuturesBook};
use crate::order::OrdType;
use crate::rules::{DayRules, Hours, NoRule, PriceLimit};
use crate::symbol::{Exchange, Symbol};
use crate::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};

/// What is known of other markets. Without its data a market's instruments are unknown.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    pub futures: Option<Arc<Futures>>,
    pub foreign: Option<Arc<Foreign>>,
}

/// Products, days and what the broker asks.
#[derive(Debug, Clone)]
pub struct Futures {
    pub book: FuturesBook,
    pub days: FutureDays,
    pub terms: ContractTerms,
}

/// What the broker of the futures accounts asks: for a product first, then what the data say, then for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContractTerms {
    pub margin: Option<Ratio>,
    pub fees: ContractFees,
    pub products: BTreeMap<String, ProductTerms>,
}

/// What differs for one product.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProductTerms {
    pub margin: Option<Ratio>,
    pub fees: Option<ContractFees>,
}

/// Over a break that is longer, prices grow old: it is a night, not a pause.
const PAUSE_MAX: Span = Span::from_secs(3 * 3_600);

/// A price of so many trading days ago is old, whatever the breaks.
const AGE_DAYS_MAX: usize = 3;

/// Whether the symbol trades on none of the mainland's stock exchanges.
#[must_use]
pub fn is_elsewhere(symbol: Symbol) -> bool {
    is_future(symbol) || is_abroad(symbol)
}

/// Whether the symbol is a contract: a product and the month in which it ends.
#[must_use]
pub fn is_future(symbol: Symbol) -> bool {
    use Exchange::{CFFEX, CZCE, DCE, GFEX, INE, SHFE};
    matches!(symbol.exchange(), CFFEX | CZCE | DCE | GFEX | INE | SHFE)
}

/// The hours of one instrument: its sessions around an instant.
#[derive(Debug)]
enum HoursOf<'a> {
    Contract { futures: &'a Futures, hours: FutureHours, mainland: &'a Calendar },
    Share(&'a Sessions),
}

impl HoursOf<'_> {
    fn of(&self, day: TradeDate) -> Vec<Session> {
        let sessions = match self {
            Self::Contract { futures, hours, .. } => futures.days.of(hours, day),
            Self::Share(sessions) => sessions.of(day),
        };
        sessions.unwrap_or_default()
    }

    fn trade_date(&self, at: Timestamp) -> Option<TradeDate> {
        match self {
            Self::Contract { futures, hours, .. } => futures.days.trade_date(hours, at),
            Self::Share(sessions) => sessions.trade_date(at),
        }
    }

    fn session(&self, at: Timestamp) -> Option<Session> {
        match self {
            Self::Contract { futures, hours, .. } => futures.days.at(hours, at),
            Self::Share(sessions) => sessions.at(at),
        }
    }

    fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Contract { futures, hours, .. } => futures.days.next_open(hours, at),
            Self::Share(sessions) => sessions.next_open(at),
        }
    }

    /// When the trading day ends that an order at this instant belongs to.
    fn session_end(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Contract { .. } => self.of(self.trade_date(at)?).last().map(|session| session.until),
            Self::Share(sessions) => sessions.session_end(at),
        }
    }

    fn next_trading_day(&self, day: TradeDate) -> Option<TradeDate> {
        match self {
            Self::Contract { mainland, .. } => mainland.next_trading_day(day),
            Self::Share(sessions) => sessions.calendar().next_trading_day(day),
        }
    }
}

impl Elsewhere {
    /// The product's name, where the symbol is a contract of a known one.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> Option<&str> {
        self.futures.as_ref().filter(|_| is_future(symbol))?.book.name(symbol)
    }

    /// What holds for the instrument on the day.
    ///
    /// # Errors
    /// [`NoRule`] where nothing is known of the product, of the day, or of the margin.
    pub fn day(&self, symbol: Symbol, date: TradeDate) -> Result<DayRules, NoRule> {
        if let Some(foreign) = self.foreign.as_ref().filter(|_| is_abroad(symbol)) {
            return foreign.day(symbol, date);
        }
        let futures = self.futures.as_ref().filter(|_| is_future(symbol)).ok_or(NoRule::UnknownSymbol { symbol })?;
        let facts = futures.book.day(symbol, date)?;
        let terms = futures.terms.products.get(crate::futures::product_of(symbol.code())).copied().unwrap_or_default();
        let margin =
            terms.margin.or(facts.margin).or(futures.terms.margin).ok_or(NoRule::Margin { symbol, day: date })?;
        let contract = Contract {
            multiplier: facts.multiplier,
            margin,
            close: facts.close,
            fees: terms.fees.unwrap_or(futures.terms.fees),
        };
        Ok(rules_of(&facts, contract))
    }

    #[must_use]
    pub fn trade_date(&self, mainland: &Calendar, symbol: Symbol, at: Timestamp) -> Option<TradeDate> {
        self.hours(mainland, symbol, at)?.trade_date(at)
    }

    /// Whether an order of this kind can trade at the instant. Auctions are off unless asked for.
    #[must_use]
    pub fn is_open(&self, mainland: &Calendar, symbol: Symbol, ord_type: OrdType, at: Timestamp) -> bool {
        match self.part(mainland, symbol, at) {
            Some(Part::Continuous) => true,
            Some(Part::ClosingAuction) => ord_type == OrdType::Limit,
            _ => false,
        }
    }

    #[must_use]
    pub fn part(&self, mainland: &Calendar, symbol: Symbol, at: Timestamp) -> Option<Part> {
        Some(self.hours(mainland, symbol, at)?.session(at)?.part)
    }

    #[must_use]
    pub fn next_open(&self, mainland: &Calendar, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        self.hours(mainland, symbol, at)?.next_open(at)
    }

    /// When the trading day ends that an order at this instant belongs to.
    #[must_use]
    pub fn session_end(&self, mainland: &Calendar, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        self.hours(mainland, symbol, at)?.session_end(at)
    }

    /// How old a price is that was made at `seen`: pauses in which none is made do not count, nights do.
    #[must_use]
    pub fn price_age(&self, mainland: &Calendar, symbol: Symbol, seen: Timestamp, at: Timestamp) -> Span {
        let whole = at.since(seen);
        let Some(hours) = self.hours(mainland, symbol, at) else { return whole };
        let (Some(mut day), Some(last)) = (hours.trade_date(seen), hours.trade_date(at)) else { return whole };
        let (mut made, mut ended) = (0, seen);
        for _ in 0..AGE_DAYS_MAX {
            let between = |s: &&Session| s.part == Part::Continuous && s.until > seen && s.from < at;
            for session in hours.of(day).iter().filter(between) {
                if session.from.since(ended) > PAUSE_MAX {
                    return whole;
                }
                made += session.until.min(at).since(session.from.max(seen)).us();
                ended = session.until;
            }
            if day >= last {
                return Span::from_us(made);
            }
            match hours.next_trading_day(day) {
                Some(next) => day = next,
                None => return whole,
            }
        }
        whole
    }

    fn hours<'a>(&'a self, mainland: &'a Calendar, symbol: Symbol, at: Timestamp) -> Option<HoursOf<'a>> {
        if is_abroad(symbol) {
            return self.foreign.as_ref()?.sessions(symbol.exchange()).map(HoursOf::Share);
        }
        let futures = self.futures.as_ref().filter(|_| is_future(symbol))?;
        // The hours of the day to come hold from the close of the one before on.
        let hours = futures.book.day(symbol, mainland.trade_date(at)?).ok()?.hours;
        Some(HoursOf::Contract { futures, hours, mainland })
    }
}

fn rules_of(facts: &FutureFacts, contract: Contract) -> DayRules {
    let one = Qty::new(1);
    DayRules {
        buy_min: one,
        buy_step: one,
        sell_min: one,
        sell_step: one,
        order_max_limit: facts.order_max_limit.unwrap_or(Qty::MAX),
        order_max_market: facts.order_max_market.unwrap_or(Qty::MAX),
        tick: facts.tick,
        // The percentage differs by product and around holidays, and is in no data that we have.
        limit: PriceLimit::Unlimited,
        one_tick_floor: false,
        one_tick_floor_to: None,
        cage: None,
        min_holding_days: 0,
        closing_auction: false,
        hours: Hours::NoClosingAuction,
        after_hours: false,
        fees: FeeRules {
            commission: Ratio::ZERO,
            commission_cap: Ratio::ZERO,
            commission_min: Money::ZERO,
            stamp_duty_sell: Ratio::ZERO,
            stamp_duty_of: StampDutyOf::Seller,
            transfer_fee: Ratio::ZERO,
        },
        contract: Some(contract),
        abroad: None,
        issue: None,
    }
}

/// The most that a price may move without a limit being known: what a market order is reckoned with.
#[must_use]
pub fn worst(side: crate::order::Side, px: Price) -> Price {
    let room = Price::from_e4(px.e4() / 50);
    if side == crate::order::Side::Buy { px + room } else { px }
}
