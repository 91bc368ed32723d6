//! The price of an order, from what the market shows at the instant it is placed.

use serde::{Deserialize, Serialize};

use crate::denial::{Denial, DenialCode, Measure};
use crate::order::Side;
use crate::quote::Quote;
use crate::rules::DayRules;
use crate::symbol::Symbol;
use crate::units::{Price, Span, Timestamp};
use crate::view::View;

/// A price that is found when the order is placed. Orders of such a price are limit orders, but for `market`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PriceForm {
    /// The last price and so many ticks: positive is higher.
    Last {
        ticks: i16,
    },
    /// 对手价: what the other side asks for now.
    OppositeBest,
    /// 本方价: the best of the own side.
    OwnBest,
    Market,
    /// 涨停价, 跌停价: the day's limit price.
    LimitUp,
    LimitDown,
}

/// A price to place a limit order on is not older than this.
const QUOTE_AGE_MAX: Span = Span::from_secs(60);
/// So far through the last price lies the limit of an order that shall trade at once: under one per cent of all contracts for
/// which it is needed, well within the collar.
const THROUGH_TICKS: i16 = 20;

/// What the market shows of one instrument.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub rules: DayRules,
    pub quote: Option<&'a Quote>,
    /// Of the quote; time in which no price is made does not count.
    pub age: Span,
    pub continuous: bool,
}

impl<'a> Seen<'a> {
    /// `None` where the calendar or the rules of the instrument end.
    #[must_use]
    pub fn of(at: Timestamp, view: View<'a>, symbol: Symbol) -> Option<Self> {
        let date = view.market.trade_date(symbol, at)?;
        let rules = view.market.day(symbol, date).ok()?;
        let quote = view.quotes.get(symbol);
        let age =
            quote.map_or(Span::from_us(0), |quote| view.market.price_age(symbol, quote.at, at, rules.closing_auction));
        let continuous = view.market.is_continuous(symbol, at, rules.closing_auction);
        Some(Self { rules, quote, age, continuous })
    }

    /// The day's limit prices, lowest and highest, where there are any and the previous close is known.
    #[must_use]
    pub fn band(&self) -> Option<(Price, Price)> {
        self.rules.price_band(self.quote?.prev_close?)
    }

    /// The price that an order of the side has to have now; `None` for a market order. It lies on the tick, rounded away
    /// from the other side, and within what the exchange takes: the day's band, and in continuous trading the cage.
    ///
    /// # Errors
    /// The denial that says which price is missing, or how old it is.
    pub fn price(&self, form: PriceForm, side: Side) -> Result<Option<Price>, Denial> {
        if form == PriceForm::Market {
            return Ok(None);
        }
        let quote = self.quote.ok_or_else(|| missing("no quote"))?;
        let band = self.band();
        let wanted = match form {
            // The limit prices hold for the whole day, however old the quote is that knows the previous close.
            PriceForm::LimitUp => band.map(|(_, high)| high).ok_or_else(no_band)?,
            PriceForm::LimitDown => band.map(|(low, _)| low).ok_or_else(no_band)?,
            _ if self.age > QUOTE_AGE_MAX => {
                let (found, most) = (self.age.us() / 1_000, QUOTE_AGE_MAX.us() / 1_000);
                let (value, limit) = (Measure::Millis(found), Measure::Millis(most));
                return Err(Denial { code: DenialCode::QuoteStale, value, limit });
            }
            PriceForm::Last { ticks } => {
                quote.last + Price::from_e4(self.rules.tick_at(quote.last).e4().saturating_mul(i64::from(ticks)))
            }
            PriceForm::OppositeBest => match side {
                Side::Buy => quote.ask.ok_or_else(|| missing("no ask"))?,
                Side::Sell => quote.bid.ok_or_else(|| missing("no bid"))?,
            },
            PriceForm::OwnBest => match side {
                Side::Buy => quote.bid.ok_or_else(|| missing("no bid"))?,
                Side::Sell => quote.ask.ok_or_else(|| missing("no ask"))?,
            },
            PriceForm::Market => return Ok(None),
        };
        Ok(Some(self.taken(side, wanted, quote)))
    }

    /// The nearest price that the exchange takes.
    fn taken(&self, side: Side, wanted: Price, quote: &Quote) -> Price {
        let mut px = self.rules.to_tick(side, wanted);
        if let Some((low, high)) = self.band() {
            px = px.max(low).min(high);
        }
        let end = quote.reference(side).filter(|_| self.continuous).and_then(|of| self.rules.cage_end(side, of));
        match (side, end) {
            (Side::Buy, Some(end)) => px.min(end),
            (Side::Sell, Some(end)) => px.max(end),
            (_, None) => px,
        }
    }

    /// The form of an order that shall trade at once: at the market. Where the exchange takes no such order of contracts
    /// (SHFE, INE), a limit that the market meets.
    #[must_use]
    pub fn at_once(&self, side: Side) -> PriceForm {
        let none_taken = !self.rules.takes_market_orders();
        match side {
            _ if !none_taken => PriceForm::Market,
            Side::Buy => PriceForm::Last { ticks: THROUGH_TICKS },
            Side::Sell => PriceForm::Last { ticks: -THROUGH_TICKS },
        }
    }

    /// Whether the price is the day's limit price on the side's own aggressive end: there the place in the queue counts.
    #[must_use]
    pub fn at_the_limit(&self, side: Side, px: Price) -> bool {
        self.band().is_some_and(|(low, high)| px == if side == Side::Buy { high } else { low })
    }
}

fn missing(what: &'static str) -> Denial {
    Denial { code: DenialCode::QuoteStale, value: Measure::Word(what.into()), limit: Measure::None }
}

fn no_band() -> Denial {
    let value = Measure::Word("no limit today, or no previous close known".into());
    Denial { code: DenialCode::PriceLimit, value, limit: Measure::None }
}
