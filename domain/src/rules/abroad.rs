//! What Hong Kong and the United States allow: a tick that depends on the price, board lots set by each issuer, no daily
//! limit, sales on the day of purchase.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::QtyFault;
use crate::csv::{CsvError, Table};
use crate::instrument::Currency;
use crate::order::Side;
use crate::symbol::{Exchange, Symbol, SymbolError};
use crate::units::{Price, Qty, Ratio, TradeDate};

/// What only markets abroad have, as a part of the day's rules. There, odd lots trade on a board of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abroad {
    pub ladder: Ladder,
    /// Trading days from a trade to the delivery of shares and cash.
    pub settle_days: u8,
}

/// The ticks of one market on one day, by price. Never empty; each rung begins where the one before ends. Small, as it
/// is copied with the rules of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    rungs: [Rung; Ladder::RUNGS_MAX],
    len: u8,
}

/// In 1e-4 of the currency. The last one ends nowhere, or where orders end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Rung {
    up_to: u32,
    tick: u32,
}

const NO_END: u32 = u32::MAX;

/// Holds above one price up to and with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    above: Price,
    up_to: Option<Price>,
    tick: Price,
}

impl Ladder {
    const RUNGS_MAX: usize = 16;

    /// `None` for no step at all, more than there is room for, or a number without room.
    fn of(steps: &[Step]) -> Option<Self> {
        let mut rungs = [Rung::default(); Self::RUNGS_MAX];
        for (step, rung) in steps.iter().zip(&mut rungs) {
            let up_to =
                step.up_to.map_or(Some(NO_END), |px| u32::try_from(px.e4()).ok().filter(|end| *end < NO_END))?;
            *rung = Rung { up_to, tick: u32::try_from(step.tick.e4()).ok()? };
        }
        let len = u8::try_from(steps.len()).ok().filter(|len| (1..=Self::RUNGS_MAX).contains(&usize::from(*len)))?;
        Some(Self { rungs, len })
    }

    /// The smallest tick of all.
    #[must_use]
    pub fn finest(&self) -> Price {
        let ticks = self.rungs.iter().take(usize::from(self.len)).map(|rung| rung.tick);
        Price::from_e4(i64::from(ticks.min().unwrap_or(1)))
    }

    /// The tick at this price; `None` where nothing may be ordered.
    #[must_use]
    pub fn tick(&self, price: Price) -> Option<Price> {
        self.rung(price).map(|rung| Price::from_e4(i64::from(rung.tick)))
    }

    /// Whether this is a price that can be ordered at.
    #[must_use]
    pub fn on_tick(&self, price: Price) -> bool {
        self.tick(price).is_some_and(|tick| price.e4() % tick.e4() == 0)
    }

    /// The highest price on the ladder that is not above this one: where a buy may stand that must not pay more.
    #[must_use]
    pub fn round_down(&self, price: Price) -> Option<Price> {
        // Above the ladder its top is the answer; below its first tick there is none.
        let top = self.rungs.get(usize::from(self.len).checked_sub(1)?).map(|rung| rung.up_to)?;
        let price = if top == NO_END { price } else { price.min(Price::from_e4(i64::from(top))) };
        let tick = self.tick(price)?.e4();
        let down = Price::from_e4(price.e4() - price.e4() % tick);
        // The foot of a rung belongs to the one below, whose tick divides it.
        down.is_positive().then_some(down)
    }

    /// The lowest price on the ladder that is not below this one: where a sell may stand that must not get less.
    #[must_use]
    pub fn round_up(&self, price: Price) -> Option<Price> {
        let price = price.max(Price::from_e4(1));
        let tick = self.tick(price)?.e4();
        // The head of a rung is a multiple of its tick, so that going up stays inside of it.
        Some(Price::from_e4((price.e4() + tick - 1) / tick * tick))
    }

    fn rung(&self, price: Price) -> Option<&Rung> {
        let rungs = self.rungs.iter().take(usize::from(self.len));
        let within = |rung: &&Rung| rung.up_to == NO_END || price.e4() <= i64::from(rung.up_to);
        price.is_positive().then(|| rungs.into_iter().find(within))?
    }
}

/// A share that trades abroad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignShare {
    pub symbol: Symbol,
    /// For people; never compared.
    pub name: Arc<str>,
    /// Orders are multiples of it.
    pub lot: Qty,
    pub currency: Currency,
    pub listed_on: Option<TradeDate>,
}

/// The rules of one share abroad on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRules {
    pub lot: Qty,
    pub ladder: Ladder,
    /// Trading days from a trade to the delivery of shares and cash.
    pub settle_days: u8,
    /// 0: may be sold on the day of purchase.
    pub min_holding_days: u8,
    /// Of both sides in Hong Kong, rounded up to the dollar.
    pub stamp_duty: Ratio,
    /// What exchange, clearing house and regulator take of both sides.
    pub levy: Ratio,
}

impl ForeignRules {
    /// Whether an order may have this quantity. Odd lots trade on a board of their own, so their remainder stays.
    ///
    /// # Errors
    /// [`QtyFault`] with the numbers.
    pub fn check_qty(&self, side: Side, qty: Qty, sellable: Qty) -> Result<(), QtyFault> {
        if !qty.is_positive() {
            return Err(QtyFault::NotPositive { qty });
        }
        if qty > Qty::MAX {
            return Err(QtyFault::AboveMax { qty, max: Qty::MAX });
        }
        if side == Side::Sell && qty > sellable {
            return Err(QtyFault::AboveSellable { qty, sellable });
        }
        if qty < self.lot {
            return Err(QtyFault::BelowMin { qty, min: self.lot });
        }
        match qty.is_multiple_of(self.lot) {
            true => Ok(()),
            false => Err(QtyFault::OffStep { qty, step: self.lot }),
        }
    }
}

/// The text is no table of shares or rules abroad.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error("line {line}: bad symbol")]
    Symbol { line: usize, source: SymbolError },
    #[error("line {line}: {column} has the unknown value {value:?}")]
    Value { line: usize, column: &'static str, value: String },
    #[error("line {line}: {symbol} appears twice, or trades on no market abroad")]
    Share { line: usize, symbol: Symbol },
    #[error("line {line}: tells again what another row tells of a day")]
    Overlap { line: usize },
    /// A price in a hole of the ladder would have no tick, and one at a seam two.
    #[error("the ticks of {market} on {day} leave a hole at {at}, or a seam is no multiple of the tick below it")]
    Hole { market: &'static str, day: TradeDate, at: Price },
}

/// Why nothing is known. Trying again does not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoForeignRule {
    #[error("{symbol} is no share abroad that is known here")]
    UnknownSymbol { symbol: Symbol },
    #[error("{symbol} is not listed before {listed_on}")]
    NotListed { symbol: Symbol, listed_on: TradeDate },
    #[error("no rules are known for {symbol} on {day}")]
    Missing { symbol: Symbol, day: TradeDate },
}

/// All shares and rules abroad.
#[derive(Debug, Clone)]
pub struct ForeignBook {
    shares: Vec<ForeignShare>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
enum Market {
    Xhkg,
    /// Both exchanges of New York.
    Xnys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Tick(Step),
    SettleDays(u8),
    MinHoldingDays(u8),
    StampDuty(Ratio),
    Levy(Ratio),
}

#[derive(Debug, Clone, Copy)]
struct Row {
    market: Market,
    rule: Rule,
    from: TradeDate,
    until: Option<TradeDate>,
}

impl Row {
    fn covers(&self, market: Market, day: TradeDate) -> bool {
        self.market == market && self.from <= day && self.until.is_none_or(|until| day < until)
    }

    /// Whether both would answer the same question on some day.
    fn meets(&self, other: &Self) -> bool {
        let below = |a: Step, b: Step| a.up_to.is_some_and(|up_to| up_to <= b.above);
        let same = match (self.rule, other.rule) {
            (Rule::Tick(a), Rule::Tick(b)) => !below(a, b) && !below(b, a),
            (a, b) => std::mem::discriminant(&a) == std::mem::discriminant(&b),
        };
        let ends = |a: &Self, b: &Self| a.until.is_some_and(|until| until <= b.from);
        same && self.market == other.market && !ends(self, other) && !ends(other, self)
    }
}

impl ForeignBook {
    /// Reads the shares (columns `symbol name lot currency listed_on`) and the rules (columns `market rule above up_to
    /// value effective_from effective_to`; `above` and `up_to` are the prices between which a tick holds).
    ///
    /// # Errors
    /// [`ForeignError`] names the first line of its table that is wrong, or the price at which ticks leave a hole.
    pub fn parse(shares: &str, rules: &str) -> Result<Self, ForeignError> {
        let mut book = Self { shares: Vec::new(), rows: Vec::new() };
        book.read_shares(shares)?;
        book.read_rules(rules)?;
        book.check_ladders()?;
        Ok(book)
    }

    #[must_use]
    pub fn share(&self, symbol: Symbol) -> Option<&ForeignShare> {
        self.shares.iter().find(|share| share.symbol == symbol)
    }

    /// The rules of the share on the day.
    ///
    /// # Errors
    /// [`NoForeignRule`] for a share that is not known or not listed yet, and for a day without complete rules.
    pub fn day(&self, symbol: Symbol, day: TradeDate) -> Result<ForeignRules, NoForeignRule> {
        let share = self.share(symbol).ok_or(NoForeignRule::UnknownSymbol { symbol })?;
        if let Some(listed_on) = share.listed_on.filter(|listed_on| day < *listed_on) {
            return Err(NoForeignRule::NotListed { symbol, listed_on });
        }
        let missing = NoForeignRule::Missing { symbol, day };
        let market = market_of(symbol).ok_or(missing)?;
        let days = |pick: fn(Rule) -> Option<u8>| self.on(market, day).find_map(pick).ok_or(missing);
        let ratio = |pick: fn(Rule) -> Option<Ratio>| self.on(market, day).find_map(pick).ok_or(missing);
        Ok(ForeignRules {
            lot: share.lot,
            ladder: Ladder::of(&self.steps(market, day)).ok_or(missing)?,
            stamp_duty: ratio(|rule| if let Rule::StampDuty(share) = rule { Some(share) } else { None })?,
            levy: ratio(|rule| if let Rule::Levy(share) = rule { Some(share) } else { None })?,
            settle_days: days(|rule| if let Rule::SettleDays(days) = rule { Some(days) } else { None })?,
            min_holding_days: days(|rule| if let Rule::MinHoldingDays(days) = rule { Some(days) } else { None })?,
        })
    }

    fn on(&self, market: Market, day: TradeDate) -> impl Iterator<Item = Rule> {
        self.rows.iter().filter(move |row| row.covers(market, day)).map(|row| row.rule)
    }

    /// The shares, in the order of their table.
    pub fn shares(&self) -> std::slice::Iter<'_, ForeignShare> {
        self.shares.iter()
    }

    fn steps(&self, market: Market, day: TradeDate) -> Vec<Step> {
        let steps = self.on(market, day).filter_map(|rule| if let Rule::Tick(step) = rule { Some(step) } else { None });
        let mut steps: Vec<Step> = steps.collect();
        steps.sort_by_key(|step| step.above);
        steps
    }

    fn read_shares(&mut self, csv: &str) -> Result<(), ForeignError> {
        let table = Table::parse(csv)?;
        let (symbol, name, lot) = (table.column("symbol")?, table.column("name")?, table.column("lot")?);
        let (currency, listed_on) = (table.column("currency")?, table.column("listed_on")?);
        for row in table.rows() {
            let line = row.line;
            let bad = |column, value: &str| ForeignError::Value { line, column, value: value.to_owned() };
            let symbol = Symbol::parse(row.get(symbol)).map_err(|source| ForeignError::Symbol { line, source })?;
            if self.share(symbol).is_some() || market_of(symbol).is_none() {
                return Err(ForeignError::Share { line, symbol });
            }
            let lots = row.get(lot).parse().ok().map(Qty::new).filter(|lot| lot.is_positive() && *lot <= Qty::MAX);
            self.shares.push(ForeignShare {
                symbol,
                name: row.get(name).into(),
                lot: lots.ok_or_else(|| bad("lot", row.get(lot)))?,
                currency: row.get(currency).parse().map_err(|_| bad("currency", row.get(currency)))?,
                listed_on: match row.get(listed_on) {
                    "" => None,
                    text => Some(TradeDate::parse(text).ok_or_else(|| bad("listed_on", text))?),
                },
            });
        }
        Ok(())
    }

    fn read_rules(&mut self, csv: &str) -> Result<(), ForeignError> {
        let table = Table::parse(csv)?;
        let (market, rule, value) = (table.column("market")?, table.column("rule")?, table.column("value")?);
        let (above, up_to) = (table.column("above")?, table.column("up_to")?);
        let (from, until) = (table.column("effective_from")?, table.column("effective_to")?);
        for row in table.rows() {
            let line = row.line;
            let bad = |column, value: &str| ForeignError::Value { line, column, value: value.to_owned() };
            let day = |column, text: &str| TradeDate::parse(text).ok_or_else(|| bad(column, text));
            let price = |column, text: &str| {
                Price::parse(text).ok().filter(|p| !p.is_negative()).ok_or_else(|| bad(column, text))
            };
            let ratio = || {
                let share =
                    Ratio::parse(row.get(value)).ok().filter(|share| (Ratio::ZERO..=Ratio::ONE).contains(share));
                share.ok_or_else(|| bad("value", row.get(value)))
            };
            let days = || row.get(value).parse().map_err(|_| bad("value", row.get(value)));
            let rule = match row.get(rule) {
                "tick" => {
                    let tick = price("value", row.get(value))?;
                    if !tick.is_positive() {
                        return Err(bad("value", row.get(value)));
                    }
                    let up_to = match row.get(up_to) {
                        "" => None,
                        text => Some(price("up_to", text)?),
                    };
                    Rule::Tick(Step { above: price("above", row.get(above))?, up_to, tick })
                }
                "settle_days" => Rule::SettleDays(days()?),
                "stamp_duty" => Rule::StampDuty(ratio()?),
                "levy" => Rule::Levy(ratio()?),
                "min_holding_days" => Rule::MinHoldingDays(days()?),
                other => return Err(bad("rule", other)),
            };
            let row = Row {
                market: row.get(market).parse().map_err(|_| bad("market", row.get(market)))?,
                rule,
                from: day("effective_from", row.get(from))?,
                until: match row.get(until) {
                    "" => None,
                    text => Some(day("effective_to", text)?),
                },
            };
            if self.rows.iter().any(|other| other.meets(&row)) {
                return Err(ForeignError::Overlap { line });
            }
            self.rows.push(row);
        }
        Ok(())
    }

    /// On each day on which a ladder changes: no hole, and no seam off the tick below it.
    fn check_ladders(&self) -> Result<(), ForeignError> {
        for row in &self.rows {
            let mut ends = Price::ZERO;
            for step in self.steps(row.market, row.from) {
                let seam = step.above != ends || step.up_to.is_some_and(|up_to| up_to.e4() % step.tick.e4() != 0);
                if seam {
                    return Err(ForeignError::Hole { market: row.market.into(), day: row.from, at: step.above });
                }
                ends = step.up_to.unwrap_or(Price::MAX);
            }
        }
        Ok(())
    }
}

fn market_of(symbol: Symbol) -> Option<Market> {
    match symbol.exchange() {
        Exchange::HK => Some(Market::Xhkg),
        Exchange::US => Some(Market::Xnys),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
