//! What is known of a Chinese futures product on one day: multiplier, tick, hours, order sizes, margin.
//!
//! A table of products holds what was seen on its own day, a table of facts what is known of other days. Where neither
//! speaks the answer is that nobody knows: a contract with the wrong tick or multiplier must not be traded.

use crate::calendar::sessions::FutureHours;
use crate::csv::{CsvError, Table};
use crate::symbol::{Exchange, Symbol};
use crate::units::{Money, Price, Qty, Ratio, TradeDate};

/// What a row of the facts speaks of, by the name in its column `fact`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Fact {
    /// From this day on the values of the products table are known to hold.
    KnownFrom,
    Multiplier,
    Tick,
    DaySessions,
    NightSession,
    MarginRatio,
}

/// The flag with which a position is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseFlags {
    /// Shanghai and its energy exchange: today's position has a flag of its own, and the wrong one is rejected.
    TodayApart,
    /// One flag for all; fees may differ all the same.
    One,
}

/// What holds for one contract on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FutureFacts {
    /// Units of the underlying in one lot.
    pub multiplier: i64,
    pub tick: Price,
    pub hours: FutureHours,
    /// The largest single orders in lots; `None` where nobody says. Zero: such orders are not taken.
    pub order_max_limit: Option<Qty>,
    pub order_max_market: Option<Qty>,
    /// The part of a position's value that is kept as margin. Brokers ask for more: take theirs where it is known.
    pub margin: Option<Ratio>,
    pub close: CloseFlags,
    /// The day on which the table of products was true.
    pub as_of: TradeDate,
}

impl FutureFacts {
    /// The value of so many lots at this price.
    #[must_use]
    pub fn value(&self, price: Price, lots: Qty) -> Money {
        price.times(Qty::new(lots.get().saturating_mul(self.multiplier)))
    }

    /// The lowest and highest price of a day whose limit is this part of the last settlement price. The ends are rounded
    /// inward, other than for shares.
    #[must_use]
    pub fn price_band(&self, settlement: Price, limit: Ratio) -> (Price, Price) {
        let (tick, one) = (i128::from(self.tick.e4()), i128::from(Ratio::ONE.e6()));
        let exact = |factor: i64| i128::from(settlement.e4()) * i128::from(factor);
        let low = -(-exact(Ratio::ONE.e6() - limit.e6())).div_euclid(one * tick);
        let high = exact(Ratio::ONE.e6() + limit.e6()).div_euclid(one * tick);
        let price = |ticks: i128| Price::from_e4(i64::try_from(ticks * tick).unwrap_or(i64::MAX));
        (price(low), price(high))
    }

    /// Whether this is a price that can be ordered at. Spreads between months may be negative, prices may not.
    #[must_use]
    pub fn on_tick(&self, price: Price) -> bool {
        price.is_positive() && price.e4() % self.tick.e4() == 0
    }
}

/// The text is no table of products or facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FuturesError {
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error("line {line}: {column} has the unknown value {value:?}")]
    Value { line: usize, column: &'static str, value: String },
    #[error("line {line}: {product}.{exchange} is not in the table of products, or twice in it")]
    Product { line: usize, product: String, exchange: Exchange },
    #[error("line {line}: the {fact} of {product}.{exchange} is told twice of a day")]
    Overlap { line: usize, fact: Fact, product: String, exchange: Exchange },
}

/// Why nothing is known. Trying again does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoFact {
    #[error("{symbol} is no contract of a known product")]
    UnknownProduct { symbol: Symbol },
    #[error("nobody knows the {fact} of {symbol} on {day}")]
    Unknown { fact: Fact, symbol: Symbol, day: TradeDate },
}

/// All products with their facts.
#[derive(Debug, Clone)]
pub struct FuturesBook {
    products: Vec<Product>,
}

#[derive(Debug, Clone)]
struct Product {
    exchange: Exchange,
    name: String,
    /// For people; never compared.
    title: String,
    multiplier: i64,
    tick: Price,
    day_sessions: String,
    night_session: String,
    order_max_limit: Option<Qty>,
    order_max_market: Option<Qty>,
    as_of: TradeDate,
    facts: Vec<Dated>,
}

#[derive(Debug, Clone)]
struct Dated {
    fact: Fact,
    /// `None`: it is known that nobody knows.
    value: Option<String>,
    from: TradeDate,
    until: Option<TradeDate>,
}

impl FuturesBook {
    /// Reads the products (columns `exchange product multiplier tick day_sessions night_session max_limit_order
    /// max_market_order as_of`; `as_of` a date or a month followed by a remark, which counts as its last day) and the
    /// facts (columns `exchange product fact value from until`; the value `unknown` says that nobody knows).
    ///
    /// # Errors
    /// [`FuturesError`] names the first line of its table that is wrong.
    pub fn parse(products: &str, facts: &str) -> Result<Self, FuturesError> {
        let mut book = Self { products: Vec::new() };
        book.read_products(products)?;
        book.read_facts(facts)?;
        Ok(book)
    }

    /// What holds for the contract on the day.
    ///
    /// # Errors
    /// [`NoFact`] for an unknown product, or when the multiplier, the tick or the hours are not known of that day.
    pub fn day(&self, symbol: Symbol, day: TradeDate) -> Result<FutureFacts, NoFact> {
        let product = self.product(symbol).ok_or(NoFact::UnknownProduct { symbol })?;
        let unknown = |fact| NoFact::Unknown { fact, symbol, day };
        let text = |fact, base: &str| product.text(fact, base, day).ok_or_else(|| unknown(fact));
        let multiplier = text(Fact::Multiplier, &product.multiplier.to_string())?;
        let tick = text(Fact::Tick, &product.tick.to_string())?;
        let (days, night) =
            (text(Fact::DaySessions, &product.day_sessions)?, text(Fact::NightSession, &product.night_session)?);
        Ok(FutureFacts {
            multiplier: multiplier.parse().map_err(|_| unknown(Fact::Multiplier))?,
            tick: Price::parse(&tick).map_err(|_| unknown(Fact::Tick))?,
            hours: FutureHours::parse(&days, &night).ok_or_else(|| unknown(Fact::DaySessions))?,
            order_max_limit: product.order_max_limit,
            // These two take none of any product, also of one whose row does not say so.
            order_max_market: match product.exchange {
                Exchange::SHFE | Exchange::INE => Some(Qty::ZERO),
                _ => product.order_max_market,
            },
            margin: product.dated(Fact::MarginRatio, day).and_then(|dated| Ratio::parse(dated.value.as_ref()?).ok()),
            close: match product.exchange {
                Exchange::SHFE | Exchange::INE => CloseFlags::TodayApart,
                _ => CloseFlags::One,
            },
            as_of: product.as_of,
        })
    }

    /// The Chinese name of the contract's product.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> Option<&str> {
        self.product(symbol).map(|product| &*product.title)
    }

    fn product(&self, symbol: Symbol) -> Option<&Product> {
        let name = product_of(symbol.code());
        // A product and no month is no contract.
        let month = (3..=4).contains(&(symbol.code().len() - name.len()));
        self.products.iter().find(|p| month && p.exchange == symbol.exchange() && p.name == name)
    }

    fn read_products(&mut self, csv: &str) -> Result<(), FuturesError> {
        let table = Table::parse(csv)?;
        let [exchange, product, multiplier, tick] =
            [table.column("exchange")?, table.column("product")?, table.column("multiplier")?, table.column("tick")?];
        let [days, night, limit, market, as_of] = [
            table.column("day_sessions")?,
            table.column("night_session")?,
            table.column("max_limit_order")?,
            table.column("max_market_order")?,
            table.column("as_of")?,
        ];
        let title = table.column("name").ok();
        for row in table.rows() {
            let line = row.line;
            let bad = |column, value: &str| FuturesError::Value { line, column, value: value.to_owned() };
            let lots = |column, text: &str| match text {
                "" => Ok(None),
                text => {
                    text.parse().ok().filter(|n| *n >= 0).map(|n| Some(Qty::new(n))).ok_or_else(|| bad(column, text))
                }
            };
            let exchange = exchange_of(line, row.get(exchange))?;
            let name = row.get(product).to_owned();
            if self.products.iter().any(|p| p.exchange == exchange && p.name == name) {
                return Err(FuturesError::Product { line, product: name, exchange });
            }
            let hours = (row.get(days), row.get(night));
            if hours != ("", "") && FutureHours::parse(hours.0, hours.1).is_none() {
                return Err(bad("day_sessions", row.get(days)));
            }
            self.products.push(Product {
                exchange,
                name,
                title: title.map_or("", |title| row.get(title)).to_owned(),
                multiplier: multiplier_of(row.get(multiplier)).ok_or_else(|| bad("multiplier", row.get(multiplier)))?,
                tick: tick_of(row.get(tick)).ok_or_else(|| bad("tick", row.get(tick)))?,
                day_sessions: hours.0.to_owned(),
                night_session: hours.1.to_owned(),
                order_max_limit: lots("max_limit_order", row.get(limit))?,
                order_max_market: lots("max_market_order", row.get(market))?,
                as_of: last_day(row.get(as_of)).ok_or_else(|| bad("as_of", row.get(as_of)))?,
                facts: Vec::new(),
            });
        }
        Ok(())
    }

    fn read_facts(&mut self, csv: &str) -> Result<(), FuturesError> {
        let table = Table::parse(csv)?;
        let [exchange, product, fact] = [table.column("exchange")?, table.column("product")?, table.column("fact")?];
        let [value, from, until] = [table.column("value")?, table.column("from")?, table.column("until")?];
        for row in table.rows() {
            let line = row.line;
            let bad = |column, value: &str| FuturesError::Value { line, column, value: value.to_owned() };
            let day = |column, text: &str| TradeDate::parse(text).ok_or_else(|| bad(column, text));
            let exchange = exchange_of(line, row.get(exchange))?;
            let name = row.get(product).to_owned();
            let Some(product) = self.products.iter_mut().find(|p| p.exchange == exchange && p.name == name) else {
                return Err(FuturesError::Product { line, product: name, exchange });
            };
            let fact: Fact = row.get(fact).parse().map_err(|_| bad("fact", row.get(fact)))?;
            let text = row.get(value);
            let fits = match fact {
                _ if text == "unknown" => true,
                Fact::KnownFrom => TradeDate::parse(text).is_some(),
                Fact::Multiplier => multiplier_of(text).is_some(),
                Fact::Tick => tick_of(text).is_some(),
                Fact::DaySessions => FutureHours::parse(text, "").is_some(),
                Fact::NightSession => FutureHours::parse("09:00-10:15", text).is_some(),
                Fact::MarginRatio => Ratio::parse(text).is_ok_and(|r| r.is_positive() && r <= Ratio::ONE),
            };
            if !fits {
                return Err(bad("value", text));
            }
            let from = if fact == Fact::KnownFrom { day("value", text)? } else { day("from", row.get(from))? };
            let until = match row.get(until) {
                "" => None,
                text => Some(day("until", text)?),
            };
            let apart = |other: &Dated| {
                other.fact != fact
                    || other.until.is_some_and(|until| until <= from)
                    || until.is_some_and(|until| until <= other.from)
            };
            if until.is_some_and(|until| until <= from) || !product.facts.iter().all(apart) {
                return Err(FuturesError::Overlap { line, fact, product: name, exchange });
            }
            let value = (text != "unknown").then(|| text.to_owned());
            product.facts.push(Dated { fact, value, from, until });
        }
        Ok(())
    }
}

impl Product {
    fn dated(&self, fact: Fact, day: TradeDate) -> Option<&Dated> {
        let covers = |dated: &&Dated| dated.from <= day && dated.until.is_none_or(|until| day < until);
        self.facts.iter().filter(|dated| dated.fact == fact).find(covers)
    }

    /// The dated value, else the one of the products table from the day on since when that is known.
    fn text(&self, fact: Fact, base: &str, day: TradeDate) -> Option<String> {
        if let Some(dated) = self.dated(fact, day) {
            return dated.value.clone();
        }
        let known =
            self.facts.iter().find(|dated| dated.fact == Fact::KnownFrom).map_or(self.as_of, |dated| dated.from);
        // Hours that are empty are hours that nobody wrote down; no night is a fact.
        let told = fact == Fact::NightSession || !base.is_empty();
        (known <= day && told).then(|| base.to_owned())
    }
}

/// `rb` of `rb2410`.
pub(crate) fn product_of(code: &str) -> &str {
    code.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn exchange_of(line: usize, text: &str) -> Result<Exchange, FuturesError> {
    let exchange = text.parse().map_err(|_| ());
    exchange.map_err(|()| FuturesError::Value { line, column: "exchange", value: text.to_owned() })
}

fn multiplier_of(text: &str) -> Option<i64> {
    text.parse().ok().filter(|multiplier| *multiplier > 0)
}

fn tick_of(text: &str) -> Option<Price> {
    Price::parse(text).ok().filter(|tick| tick.is_positive())
}

/// `2020-06-16`, or the last day of `2023-12 (approx.)`.
fn last_day(text: &str) -> Option<TradeDate> {
    TradeDate::parse(text).or_else(|| TradeDate::parse(&format!("{}-31", text.get(..7)?)))
}

#[cfg(test)]
mod tests;
