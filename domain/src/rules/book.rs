//! All dated rules, and how those of one instrument on one day are chosen.
//!
//! A rule holds for a market and a scope from its first day until the day before its end. What scope an instrument is
//! in follows from its board, its risk warning and its age, as `cn_equity_scopes.csv` describes it. A rule that is not
//! in the data is missing, never assumed.

use crate::csv::{CsvError, Table};
use crate::fees::{FeeRules, StampDutyOf};
use crate::futures::NoFact;
use crate::instrument::{Board, Instrument, Settle, Status};
use crate::symbol::{Exchange, Symbol};
use crate::units::{Money, Price, Qty, Ratio, TradeDate};

use super::abroad::NoForeignRule;
use super::{Cage, DayRules, Hours, PriceLimit};

/// What a row of the data rules on, by the name in its column `rule`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    BuyMin,
    BuyStep,
    SellMin,
    SellStep,
    OrderMaxLimit,
    OrderMaxMarket,
    TickSize,
    PriceLimitPct,
    /// Convertible bonds on their first day: the reference is the issue price.
    PriceLimitPctOfIssuePrice,
    LimitPriceMinTick,
    LimitPriceRounding,
    PriceCage,
    MinHoldingDays,
    SessionSchedule,
    AfterHoursFixedPrice,
    CommissionCap,
    CommissionMinPerOrderCny,
    StampDutySell,
    TransferFeeEachSide,
}

/// Whom a rule applies to, by the name in the column `scope`. Their meanings are in `cn_equity_scopes.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
enum Scope {
    Stock,
    MainBoard,
    Chinext,
    Star,
    Bse,
    StMain,
    StChinext,
    StStar,
    StBse,
    #[strum(serialize = "ipo_day1_main")]
    IpoDay1Main,
    #[strum(serialize = "ipo_day1_bse")]
    IpoDay1Bse,
    #[strum(serialize = "ipo_first5_main")]
    IpoFirst5Main,
    #[strum(serialize = "ipo_first5_chinext")]
    IpoFirst5Chinext,
    #[strum(serialize = "ipo_first5_star")]
    IpoFirst5Star,
    Etf,
    #[strum(serialize = "etf_20pct")]
    Etf20pct,
    EtfBond,
    EtfMoney,
    EtfGold,
    EtfCommodity,
    #[strum(serialize = "etf_crossborder")]
    EtfCrossBorder,
    BShare,
    StBShare,
    Convertible,
    #[strum(serialize = "convertible_day1")]
    ConvertibleDay1,
    Delisting,
    #[strum(serialize = "delisting_day1")]
    DelistingDay1,
    DelistingChinext,
    DelistingStar,
    #[strum(serialize = "delisting_day1_star")]
    DelistingDay1Star,
    DelistingBse,
    #[strum(serialize = "delisting_day1_bse")]
    DelistingDay1Bse,
    Reits,
    #[strum(serialize = "reits_day1")]
    ReitsDay1,
    Repo,
    /// A day of [`Status::Resumed`].
    Resumed,
}

/// The market identifier in the column `market`; several are joined with `+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "UPPERCASE")]
enum Market {
    Xshg,
    Xshe,
    Bjse,
}

/// The text is no table of rules, or one that this book would misread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleBookError {
    #[error("rules unreadable")]
    Csv(#[from] CsvError),
    #[error("line {line}: {column} has the unknown value {value:?}")]
    Value { line: usize, column: &'static str, value: String },
    #[error("line {line}: {rule} is ruled twice on {day}")]
    Overlap { line: usize, rule: Rule, day: TradeDate },
}

/// There are no complete rules for the instrument on this day, so it cannot be traded. Trying again does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRule {
    #[error("{symbol} is no instrument that is known here")]
    UnknownSymbol { symbol: Symbol },
    #[error("{symbol}: {board} instruments of this exchange are not supported yet")]
    NotSupported { symbol: Symbol, board: Board },
    #[error("{symbol} is not listed before {listed_on}")]
    NotListed { symbol: Symbol, listed_on: TradeDate },
    #[error("no {rule} is known for {symbol} on {day}")]
    Missing { rule: Rule, symbol: Symbol, day: TradeDate },
    #[error(transparent)]
    Contract(#[from] NoFact),
    #[error(transparent)]
    Abroad(NoForeignRule),
    #[error("{symbol} is subscribed to on {on} only")]
    SubscriptionClosed { symbol: Symbol, on: TradeDate },
    /// Neither the data nor the settings say it.
    #[error("no margin is known for {symbol} on {day}")]
    Margin { symbol: Symbol, day: TradeDate },
}

/// All rules, by kind. Asked once per instrument and day; the answer is kept by the caller.
#[derive(Debug, Clone)]
pub struct RuleBook {
    buy_min: Dated<Qty>,
    buy_step: Dated<Qty>,
    sell_min: Dated<Qty>,
    sell_step: Dated<Qty>,
    order_max_limit: Dated<Qty>,
    order_max_market: Dated<Qty>,
    tick: Dated<Price>,
    limit: Dated<PriceLimit>,
    limit_of_issue: Dated<PriceLimit>,
    one_tick_floor: Dated<Option<Price>>,
    half_up: Dated<()>,
    cage: Dated<Cage>,
    min_holding_days: Dated<u8>,
    hours: Dated<Hours>,
    after_hours: Dated<()>,
    commission_cap: Dated<Ratio>,
    commission_min: Dated<Money>,
    stamp_duty_sell: Dated<Ratio>,
    transfer_fee: Dated<Ratio>,
}

impl RuleBook {
    /// Reads the tables of rules together: the equity rules, the lots and the supplement. Each has at least the columns
    /// `market scope rule value effective_from effective_to`; `effective_to` is the first day on which the rule no
    /// longer holds, or empty.
    ///
    /// # Errors
    /// [`RuleBookError`] names the first line (of its own table) with a market, scope, rule or value that is unknown,
    /// or one that rules on what another row rules on already.
    pub fn parse(tables: &[&str]) -> Result<Self, RuleBookError> {
        let mut book = Self::empty();
        for table in tables {
            book.read(table)?;
        }
        Ok(book)
    }

    /// The rules of the instrument on this day. `listing_day_index` counts its trading days from 1
    /// ([`crate::calendar::Calendar::listing_day_index`]); `None` takes it as long listed, unless this is the very day
    /// in `listed_on`. Risk warnings, the delisting period and days of resumption are those of
    /// [`Instrument::history`].
    ///
    /// # Errors
    /// [`NoRule`] when the exchange is not supported here, the instrument not listed yet, or any rule missing: complete
    /// since 2006-07-01 for ordinary funds and convertible bonds, since 2008-09-19 for B shares, since 2015-08-01 for
    /// other shares, and for each board since it exists; public REITs have limits only.
    pub fn day(
        &self,
        instrument: &Instrument,
        day: TradeDate,
        listing_day_index: Option<u32>,
    ) -> Result<DayRules, NoRule> {
        let at = Question::new(instrument, day, listing_day_index)?;
        // The band is computed half up: only where the data says that the exchange does so too.
        at.find(&self.half_up, &[Scope::Stock])?;
        let (board, family) = (&[at.board][..], &[at.family][..]);
        // The rule names every security with a band, and one for the delisting period; before its first day there is
        // none.
        let floor = at.find(&self.one_tick_floor, &[at.delisting().unwrap_or(Scope::Stock), Scope::Stock]).ok();
        let hours = at.find(&self.hours, family)?;
        let commission_cap = at.find(&self.commission_cap, family)?;
        Ok(DayRules {
            buy_min: at.find(&self.buy_min, board)?,
            buy_step: at.find(&self.buy_step, board)?,
            sell_min: at.find(&self.sell_min, board)?,
            sell_step: at.find(&self.sell_step, board)?,
            order_max_limit: at.find(&self.order_max_limit, board)?,
            order_max_market: at.find(&self.order_max_market, board)?,
            tick: at.find(&self.tick, family)?,
            limit: self.limit(&at)?,
            one_tick_floor: floor.is_some(),
            one_tick_floor_to: floor.flatten(),
            // What has neither rule has neither cage nor trading after hours.
            cage: at.find(&self.cage, board).ok(),
            min_holding_days: at.find(&self.min_holding_days, &[at.settle])?,
            closing_auction: hours == Hours::ClosingAuction,
            hours,
            after_hours: at.find(&self.after_hours, board).is_ok(),
            fees: FeeRules {
                commission: FeeRules::COMMISSION_DEFAULT.min(commission_cap),
                commission_cap,
                commission_min: at.find(&self.commission_min, family)?,
                stamp_duty_sell: at.find(&self.stamp_duty_sell, family)?,
                stamp_duty_of: StampDutyOf::Seller,
                transfer_fee: at.find(&self.transfer_fee, family)?,
            },
            contract: None,
            abroad: None,
            issue: None,
        })
    }

    /// The price limit alone: it is known for longer than the other rules, since 1996-12-16.
    ///
    /// # Errors
    /// As [`RuleBook::day`].
    pub fn price_limit(
        &self,
        instrument: &Instrument,
        day: TradeDate,
        listing_day_index: Option<u32>,
    ) -> Result<PriceLimit, NoRule> {
        self.limit(&Question::new(instrument, day, listing_day_index)?)
    }

    fn limit(&self, at: &Question<'_>) -> Result<PriceLimit, NoRule> {
        if at.instrument.span(Status::Resumed, at.day).is_some() {
            return at.find(&self.limit, &[Scope::Resumed]);
        }
        if let Some(scope) = at.delisting() {
            return at.find(&self.limit, &[scope]);
        }
        let seasoned = match (at.board, at.instrument.is_st(at.day)) {
            (Scope::MainBoard, true) => &[Scope::StMain][..],
            (Scope::Chinext, true) => &[Scope::StChinext],
            (Scope::Star, true) => &[Scope::StStar],
            (Scope::Bse, true) => &[Scope::StBse],
            (Scope::BShare, true) => &[Scope::StBShare],
            (Scope::Etf, _) if at.instrument.etf_20pct => &[Scope::Etf20pct, Scope::Etf],
            (board, _) => &[board][..],
        };
        let first_days = match (at.board, at.age) {
            (Scope::MainBoard, Some(1)) => &[Scope::IpoFirst5Main, Scope::IpoDay1Main][..],
            (Scope::MainBoard, Some(2..=5)) => &[Scope::IpoFirst5Main],
            (Scope::Chinext, Some(1)) => &[Scope::IpoFirst5Chinext, Scope::IpoDay1Main],
            (Scope::Chinext, Some(2..=5)) => &[Scope::IpoFirst5Chinext],
            (Scope::Star, Some(1..=5)) => &[Scope::IpoFirst5Star],
            (Scope::Bse, Some(1)) => &[Scope::IpoDay1Bse],
            (Scope::Reits, Some(1)) => &[Scope::ReitsDay1],
            (Scope::Convertible, Some(1)) => return at.find(&self.limit_of_issue, &[Scope::ConvertibleDay1]),
            _ => &[],
        };
        // The first days follow the rule under which the stock was issued: one listed a day before a reform does not
        // lose its limit on the morning of the reform.
        let issued = at.instrument.listed_on.unwrap_or(at.day);
        for scope in first_days {
            if let Some(row) = self.limit.row(at.market, *scope, at.day).filter(|row| row.from <= issued) {
                return Ok(row.value);
            }
        }
        at.find(&self.limit, seasoned)
    }
}

/// What is asked of the book: which market, which scopes, which day.
#[derive(Debug)]
struct Question<'a> {
    instrument: &'a Instrument,
    day: TradeDate,
    age: Option<u32>,
    market: Market,
    /// For lots and price limits.
    board: Scope,
    /// For what does not differ by board of shares: tick, session, fees.
    family: Scope,
    /// For the days of holding.
    settle: Scope,
}

impl<'a> Question<'a> {
    fn new(instrument: &'a Instrument, day: TradeDate, listing_day_index: Option<u32>) -> Result<Self, NoRule> {
        let symbol = instrument.symbol;
        let market = match symbol.exchange() {
            Exchange::SH => Market::Xshg,
            Exchange::SZ => Market::Xshe,
            Exchange::BJ => Market::Bjse,
            _ => return Err(NoRule::NotSupported { symbol, board: instrument.board }),
        };
        let board = match instrument.board {
            Board::Main => Scope::MainBoard,
            Board::ChiNext => Scope::Chinext,
            Board::Star => Scope::Star,
            Board::Beijing => Scope::Bse,
            Board::Etf => Scope::Etf,
            Board::Convertible => Scope::Convertible,
            Board::Repo => Scope::Repo,
            Board::BShare => Scope::BShare,
            Board::Reit => Scope::Reits,
            Board::HongKong | Board::UnitedStates => {
                return Err(NoRule::NotSupported { symbol, board: instrument.board });
            }
        };
        let family = match board {
            Scope::MainBoard | Scope::Chinext | Scope::Star | Scope::Bse => Scope::Stock,
            other => other,
        };
        let settle = match instrument.settle {
            _ if family != Scope::Etf => family,
            Settle::Ordinary => Scope::Etf,
            Settle::Bond => Scope::EtfBond,
            Settle::Money => Scope::EtfMoney,
            Settle::Gold => Scope::EtfGold,
            Settle::Commodity => Scope::EtfCommodity,
            Settle::CrossBorder => Scope::EtfCrossBorder,
        };
        let age = match instrument.listed_on {
            Some(listed_on) if day < listed_on => return Err(NoRule::NotListed { symbol, listed_on }),
            Some(listed_on) if day == listed_on => listing_day_index.or(Some(1)),
            _ => listing_day_index,
        };
        Ok(Self { instrument, day, age, market, board, family, settle })
    }

    /// The scope of the delisting period, when the stock is in it on this day.
    fn delisting(&self) -> Option<Scope> {
        let first = self.instrument.span(Status::Delisting, self.day)?.from == self.day;
        Some(match (self.board, first) {
            (Scope::Star, true) => Scope::DelistingDay1Star,
            (Scope::Star, false) => Scope::DelistingStar,
            (Scope::Bse, true) => Scope::DelistingDay1Bse,
            (Scope::Bse, false) => Scope::DelistingBse,
            (Scope::Chinext, false) => Scope::DelistingChinext,
            (_, true) => Scope::DelistingDay1,
            (_, false) => Scope::Delisting,
        })
    }

    /// The value in the first of the scopes that has one on this day.
    fn find<T: Copy>(&self, rules: &Dated<T>, scopes: &[Scope]) -> Result<T, NoRule> {
        let found = scopes.iter().find_map(|scope| rules.row(self.market, *scope, self.day));
        let missing = NoRule::Missing { rule: rules.rule, symbol: self.instrument.symbol, day: self.day };
        found.map(|row| row.value).ok_or(missing)
    }
}

/// The rows of one rule. A few dozen at most, so they are searched one by one.
#[derive(Debug, Clone)]
struct Dated<T> {
    rule: Rule,
    rows: Vec<DatedRow<T>>,
}

#[derive(Debug, Clone)]
struct DatedRow<T> {
    market: Market,
    scope: Scope,
    from: TradeDate,
    /// The first day on which the rule no longer holds.
    until: Option<TradeDate>,
    value: T,
}

impl<T> Dated<T> {
    const fn new(rule: Rule) -> Self {
        Self { rule, rows: Vec::new() }
    }

    fn row(&self, market: Market, scope: Scope, day: TradeDate) -> Option<&DatedRow<T>> {
        self.rows.iter().find(|row| {
            row.market == market && row.scope == scope && row.from <= day && row.until.is_none_or(|until| day < until)
        })
    }
}

impl RuleBook {
    const fn empty() -> Self {
        Self {
            buy_min: Dated::new(Rule::BuyMin),
            buy_step: Dated::new(Rule::BuyStep),
            sell_min: Dated::new(Rule::SellMin),
            sell_step: Dated::new(Rule::SellStep),
            order_max_limit: Dated::new(Rule::OrderMaxLimit),
            order_max_market: Dated::new(Rule::OrderMaxMarket),
            tick: Dated::new(Rule::TickSize),
            limit: Dated::new(Rule::PriceLimitPct),
            limit_of_issue: Dated::new(Rule::PriceLimitPctOfIssuePrice),
            one_tick_floor: Dated::new(Rule::LimitPriceMinTick),
            half_up: Dated::new(Rule::LimitPriceRounding),
            cage: Dated::new(Rule::PriceCage),
            min_holding_days: Dated::new(Rule::MinHoldingDays),
            hours: Dated::new(Rule::SessionSchedule),
            after_hours: Dated::new(Rule::AfterHoursFixedPrice),
            commission_cap: Dated::new(Rule::CommissionCap),
            commission_min: Dated::new(Rule::CommissionMinPerOrderCny),
            stamp_duty_sell: Dated::new(Rule::StampDutySell),
            transfer_fee: Dated::new(Rule::TransferFeeEachSide),
        }
    }

    fn read(&mut self, text: &str) -> Result<(), RuleBookError> {
        let table = Table::parse(text)?;
        let (market, scope, rule) = (table.column("market")?, table.column("scope")?, table.column("rule")?);
        let (value, from, until) =
            (table.column("value")?, table.column("effective_from")?, table.column("effective_to")?);
        for row in table.rows() {
            let unknown =
                |column, value: &str| RuleBookError::Value { line: row.line, column, value: value.to_owned() };
            let day = |column: &'static str, text: &str| TradeDate::parse(text).ok_or_else(|| unknown(column, text));
            let rule: Rule = row.get(rule).parse().map_err(|_| unknown("rule", row.get(rule)))?;
            let cell = Cell {
                line: row.line,
                scope: row.get(scope).parse().map_err(|_| unknown("scope", row.get(scope)))?,
                from: day("effective_from", row.get(from))?,
                until: match row.get(until) {
                    "" => None,
                    text => Some(day("effective_to", text)?),
                },
                value: row.get(value),
            };
            for name in row.get(market).split('+') {
                let market: Market = name.parse().map_err(|_| unknown("market", name))?;
                self.take(rule, market, &cell)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, rule: Rule, market: Market, cell: &Cell<'_>) -> Result<(), RuleBookError> {
        match rule {
            Rule::BuyMin => cell.put(&mut self.buy_min, market, positive_qty),
            Rule::BuyStep => cell.put(&mut self.buy_step, market, positive_qty),
            Rule::SellMin => cell.put(&mut self.sell_min, market, positive_qty),
            Rule::SellStep => cell.put(&mut self.sell_step, market, positive_qty),
            Rule::OrderMaxLimit => cell.put(&mut self.order_max_limit, market, positive_qty),
            Rule::OrderMaxMarket => cell.put(&mut self.order_max_market, market, positive_qty),
            Rule::TickSize => {
                cell.put(&mut self.tick, market, |v| Price::parse(v).ok().filter(|tick| tick.is_positive()))
            }
            Rule::PriceLimitPct => cell.put(&mut self.limit, market, price_limit),
            Rule::PriceLimitPctOfIssuePrice => cell.put(&mut self.limit_of_issue, market, price_limit),
            Rule::LimitPriceMinTick => cell.put(&mut self.one_tick_floor, market, one_tick_floor),
            Rule::LimitPriceRounding => cell.put(&mut self.half_up, market, |v| (v == "half_up_2dp").then_some(())),
            Rule::PriceCage => cell.put(&mut self.cage, market, cage),
            Rule::MinHoldingDays => cell.put(&mut self.min_holding_days, market, |v| v.parse().ok()),
            Rule::SessionSchedule => cell.put(&mut self.hours, market, hours),
            Rule::AfterHoursFixedPrice => cell.put(&mut self.after_hours, market, |v| (v == "True").then_some(())),
            Rule::CommissionCap => cell.put(&mut self.commission_cap, market, rate),
            Rule::CommissionMinPerOrderCny => {
                cell.put(&mut self.commission_min, market, |v| Money::parse(v).ok().filter(|m| !m.is_negative()))
            }
            Rule::StampDutySell => cell.put(&mut self.stamp_duty_sell, market, rate),
            Rule::TransferFeeEachSide => cell.put(&mut self.transfer_fee, market, rate),
        }
    }
}

/// One row of a table, its value still text.
struct Cell<'a> {
    line: usize,
    scope: Scope,
    from: TradeDate,
    until: Option<TradeDate>,
    value: &'a str,
}

impl Cell<'_> {
    fn put<T>(
        &self,
        rules: &mut Dated<T>,
        market: Market,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<(), RuleBookError> {
        let bad = || RuleBookError::Value { line: self.line, column: "value", value: self.value.to_owned() };
        let value = read(self.value).ok_or_else(bad)?;
        let overlaps = |row: &&DatedRow<T>| {
            let same = row.market == market && row.scope == self.scope;
            same && self.until.is_none_or(|until| row.from < until) && row.until.is_none_or(|until| self.from < until)
        };
        if let Some(row) = rules.rows.iter().find(overlaps) {
            let day = row.from.max(self.from);
            return Err(RuleBookError::Overlap { line: self.line, rule: rules.rule, day });
        }
        rules.rows.push(DatedRow { market, scope: self.scope, from: self.from, until: self.until, value });
        Ok(())
    }
}

fn positive_qty(text: &str) -> Option<Qty> {
    text.parse().ok().map(Qty::new).filter(|qty| qty.is_positive() && *qty <= Qty::MAX)
}

/// `0.0005`, or `2e-05` as some writers print it; from nothing to one.
fn rate(text: &str) -> Option<Ratio> {
    let ratio = match text.split_once("e-") {
        None => Ratio::parse(text).ok()?,
        Some((mantissa, exponent)) => {
            let mantissa: i64 = mantissa.parse().ok()?;
            let power = 6_u32.checked_sub(exponent.parse().ok()?)?;
            Ratio::from_e6(mantissa.checked_mul(10_i64.checked_pow(power)?)?)
        }
    };
    (Ratio::ZERO <= ratio && ratio <= Ratio::ONE).then_some(ratio)
}

/// `0.1`, `unlimited`, or `{"up": 0.44, "down": 0.36}`.
fn price_limit(text: &str) -> Option<PriceLimit> {
    if text == "unlimited" {
        return Some(PriceLimit::Unlimited);
    }
    let (up, down) = pair(text, "up", "down").unwrap_or((text, text));
    let (up, down) = (rate(up)?, rate(down)?);
    (up.is_positive() && down.is_positive()).then_some(PriceLimit::Percent { up, down })
}

/// `True`: at any price; or `{"prev_close_lt": 0.05, "band": 0.01}`, and `lte` where the price itself is included.
fn one_tick_floor(text: &str) -> Option<Option<Price>> {
    const STEP: Price = Price::from_e4(1);
    if text == "True" {
        return Some(None);
    }
    let below = pair(text, "prev_close_lt", "band").map(|(most, band)| (most, band, STEP));
    let up_to = || pair(text, "prev_close_lte", "band").map(|(most, band)| (most, band, Price::ZERO));
    let (most, band, step) = below.or_else(up_to)?;
    // The band is one tick of a share: the floor is told by that name only.
    (band == "0.01").then_some(Some(Price::parse(most).ok()? - step))
}

/// `{"pct": 0.02, "at_least": 0.1}`.
fn cage(text: &str) -> Option<Cage> {
    let (pct, at_least) = pair(text, "pct", "at_least")?;
    let cage = Cage { pct: rate(pct)?, at_least: Price::parse(at_least).ok()? };
    (cage.pct.is_positive() && !cage.at_least.is_negative()).then_some(cage)
}

/// The two values of `{"first": 1, "second": 2}`.
fn pair<'a>(text: &'a str, first: &str, second: &str) -> Option<(&'a str, &'a str)> {
    let named = |part: &'a str, name: &str| {
        part.trim().strip_prefix('"')?.strip_prefix(name)?.strip_prefix("\":").map(str::trim)
    };
    let (one, two) = text.strip_prefix('{')?.strip_suffix('}')?.split_once(',')?;
    Some((named(one, first)?, named(two, second)?))
}

/// Three schedules are known, and the calendar speaks their times. Any other is a change of rules that code must follow.
fn hours(text: &str) -> Option<Hours> {
    const MORNING: &str = r#"{"open_call":["09:15","09:25"],"continuous":[["09:30","11:30"],"#;
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match compact.strip_prefix(MORNING)? {
        r#"["13:00","14:57"]],"close_call":["14:57","15:00"]}"# => Some(Hours::ClosingAuction),
        r#"["13:00","15:00"]],"close_call":null}"# => Some(Hours::NoClosingAuction),
        r#"["13:00","15:30"]],"close_call":null}"# => Some(Hours::Repo),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
