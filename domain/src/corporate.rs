//! Corporate actions: on which day a share goes ex, what it pays, and how many new shares come for old ones (除权除息).
//!
//! A dated table, like rules and calendars. Whoever held the share at the close before the ex-date gets the money and the
//! shares, and the price falls by as much: [`CorporateAction::ex_price`] is the exchange's own formula, so that what was
//! remembered of prices can be held against those from the ex-date on. Rights (配股) move the price too, but cost money and
//! are a choice: they are told and never booked.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::{china_date_time, days_later};
use crate::csv::{CsvError, Table};
use crate::quote::Quote;
use crate::symbol::{Exchange, Symbol};
use crate::units::{Money, Price, Qty, Ratio, TradeDate, mul_div_floor, mul_div_round, parse_decimal};

/// What one share does on one day. Amounts are for ten shares, as companies announce them, with six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorporateAction {
    pub symbol: Symbol,
    /// The first trading day without it (除权除息日).
    pub ex_date: TradeDate,
    /// Money for ten shares, before tax (派息).
    #[serde(rename = "cash_per10_e6")]
    pub cash: Ratio,
    /// Bonus shares for ten (送股).
    #[serde(rename = "bonus_per10_e6")]
    pub bonus: Ratio,
    /// Shares for ten out of the reserves (转增). A split of fund units is written as one of these: 1 to 5 is 40 for 10.
    #[serde(rename = "transfer_per10_e6")]
    pub transfer: Ratio,
    /// Shares for ten that may be bought, and at what price (配股).
    #[serde(rename = "rights_per10_e6")]
    pub rights: Ratio,
    pub rights_price: Price,
}

/// Ten shares in millionths.
pub(crate) const TEN: i64 = 10_000_000;
/// Nothing that was ever announced comes near it, so it is a slip: a price in the wrong column, a missing point.
const PER_10_MAX: i64 = 1_000_000_000;

impl CorporateAction {
    /// New shares for ten.
    #[must_use]
    pub const fn shares(&self) -> Ratio {
        Ratio::from_e6(self.bonus.e6() + self.transfer.e6())
    }

    /// New shares for so many old ones: whole ones, as the depository counts an account.
    #[must_use]
    pub fn new_shares(&self, held: Qty) -> Qty {
        Qty::new(mul_div_floor(held.get().max(0), self.shares().e6(), TEN))
    }

    /// Whether the depository has a fraction of a share left over, which it may round up to a whole one.
    #[must_use]
    pub fn leaves_fraction(&self, held: Qty) -> bool {
        i128::from(held.get().max(0)) * i128::from(self.shares().e6()) % i128::from(TEN) != 0
    }

    /// Money for so many shares, before tax, to the cent.
    #[must_use]
    pub fn dividend(&self, held: Qty) -> Money {
        // Ten times a million, less the hundred of the cents.
        Money::from_e4(mul_div_round(held.get().max(0), self.cash.e6(), TEN / 100).saturating_mul(100))
    }

    /// What a price from before the ex-date is since: (price − cash + rights price × rights) ÷ (1 + new shares + rights).
    /// `None` where nothing of it would be left.
    #[must_use]
    pub fn ex_price(&self, px: Price) -> Option<Price> {
        let (over, whole) = (self.paid_e11(), i128::from(TEN + self.shares().e6() + self.rights.e6()));
        let left = i128::from(px.e4()) * i128::from(TEN) - over;
        let px = Price::from_e4(i64::try_from((left + whole / 2).div_euclid(whole)).ok()?);
        px.is_positive().then_some(px)
    }

    /// What a price since the ex-date was before: the reverse.
    #[must_use]
    pub fn cum_price(&self, px: Price) -> Price {
        let whole = i128::from(TEN + self.shares().e6() + self.rights.e6());
        let was = i128::from(px.e4()) * whole + self.paid_e11() + i128::from(TEN / 2);
        Price::from_e4(i64::try_from(was.div_euclid(i128::from(TEN))).unwrap_or(i64::MAX))
    }

    /// What ten shares pay less what their rights cost, as a price times ten million.
    fn paid_e11(&self) -> i128 {
        i128::from(self.cash.e6()) * 10_000 - i128::from(self.rights_price.e4()) * i128::from(self.rights.e6())
    }

    const fn is_nothing(&self) -> bool {
        self.cash.is_zero() && self.shares().e6() == 0 && self.rights.is_zero()
    }
}

/// What cannot be read of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionsError {
    #[error(transparent)]
    Table(#[from] CsvError),
    #[error("line {line}: {column} is {text:?}")]
    Value { line: usize, column: &'static str, text: String },
    #[error("line {line}: {symbol} is not of Shanghai, Shenzhen or Beijing")]
    Abroad { line: usize, symbol: Symbol },
    #[error("line {line}: rights_per10 and rights_price go together")]
    Rights { line: usize },
    #[error("line {line}: {symbol} has {ex_date} already")]
    Twice { line: usize, symbol: Symbol, ex_date: TradeDate },
}

/// All that is known, by symbol and ex-date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorporateActions {
    by_symbol: BTreeMap<Symbol, Vec<CorporateAction>>,
}

impl CorporateActions {
    /// The columns, in this order.
    pub const HEADER: &'static str =
        "symbol,ex_date,cash_per10,bonus_shares_per10,transfer_shares_per10,rights_per10,rights_price";

    /// Reads a table with the columns of [`Self::HEADER`]. A row of nothing but zeros is none: it takes an earlier one back.
    ///
    /// # Errors
    /// [`ActionsError`] names the first line that cannot be.
    pub fn parse(text: &str) -> Result<Self, ActionsError> {
        let table = Table::parse(text)?;
        let columns = [
            "symbol",
            "ex_date",
            "cash_per10",
            "bonus_shares_per10",
            "transfer_shares_per10",
            "rights_per10",
            "rights_price",
        ];
        let mut found = Vec::with_capacity(columns.len());
        for name in columns {
            found.push((name, table.column(name)?));
        }
        let mut all: BTreeMap<(Symbol, TradeDate), CorporateAction> = BTreeMap::new();
        for row in table.rows() {
            let line = row.line;
            let text = |n: usize| row.get(found[n].1);
            let wrong = |n: usize| ActionsError::Value { line, column: found[n].0, text: text(n).to_owned() };
            let per10 = |n: usize| {
                let value = parse_decimal(text(n), 6).ok().filter(|e6| (0..=PER_10_MAX).contains(e6));
                value.map(Ratio::from_e6).ok_or_else(|| wrong(n))
            };
            let price = Price::parse(text(6)).ok().filter(|px| !px.is_negative()).ok_or_else(|| wrong(6))?;
            let action = CorporateAction {
                symbol: Symbol::parse(text(0)).map_err(|_| wrong(0))?,
                // The round trip finds days that no month has.
                ex_date: TradeDate::parse(text(1)).filter(|day| days_later(*day, 0) == *day).ok_or_else(|| wrong(1))?,
                cash: per10(2)?,
                bonus: per10(3)?,
                transfer: per10(4)?,
                rights: per10(5)?,
                rights_price: price,
            };
            let (symbol, ex_date) = (action.symbol, action.ex_date);
            if !matches!(symbol.exchange(), Exchange::SH | Exchange::SZ | Exchange::BJ) {
                return Err(ActionsError::Abroad { line, symbol });
            }
            if action.rights.is_zero() != action.rights_price.is_zero() {
                return Err(ActionsError::Rights { line });
            }
            if all.insert((symbol, ex_date), action).is_some() {
                return Err(ActionsError::Twice { line, symbol, ex_date });
            }
        }
        let mut by_symbol: BTreeMap<Symbol, Vec<CorporateAction>> = BTreeMap::new();
        for action in all.into_values().filter(|action| !action.is_nothing()) {
            by_symbol.entry(action.symbol).or_default().push(action);
        }
        Ok(Self { by_symbol })
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_symbol.values().map(Vec::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_symbol.is_empty()
    }

    /// Whether there is anything of the symbol.
    #[must_use]
    pub fn knows(&self, symbol: Symbol) -> bool {
        self.by_symbol.contains_key(&symbol)
    }

    pub fn iter(&self) -> impl Iterator<Item = &CorporateAction> {
        self.by_symbol.values().flatten()
    }

    /// Those of one symbol that go ex after the one day and up to the other, the earliest first.
    #[must_use]
    pub fn between(&self, symbol: Symbol, after: TradeDate, until: TradeDate) -> &[CorporateAction] {
        let Some(all) = self.by_symbol.get(&symbol) else { return &[] };
        let from = all.partition_point(|action| action.ex_date <= after);
        let to = all.partition_point(|action| action.ex_date <= until);
        all.get(from..to).unwrap_or_default()
    }

    /// A price of one day in shares of a later one. `None` where dividends have eaten it up.
    #[must_use]
    pub fn ex_price(&self, symbol: Symbol, of: TradeDate, on: TradeDate, px: Price) -> Option<Price> {
        self.between(symbol, of, on).iter().try_fold(px, |px, action| action.ex_price(px))
    }

    /// A price of the later day in shares of the earlier one.
    #[must_use]
    pub fn cum_price(&self, symbol: Symbol, of: TradeDate, on: TradeDate, px: Price) -> Price {
        self.between(symbol, of, on).iter().rev().fold(px, |px, action| action.cum_price(px))
    }

    /// What so many shares of the one day are on the other.
    #[must_use]
    pub fn grown(&self, symbol: Symbol, of: TradeDate, on: TradeDate, qty: Qty) -> Qty {
        self.between(symbol, of, on).iter().fold(qty, |qty, action| qty + action.new_shares(qty))
    }

    /// The quote as it counts on the day: one from before an ex-date since then is in prices of after it.
    #[must_use]
    pub fn quote_on(&self, on: TradeDate, quote: Quote) -> Quote {
        let made = china_date_time(quote.at).0;
        if self.between(quote.symbol, made, on).is_empty() {
            return quote;
        }
        let ex = |px: Price| self.ex_price(quote.symbol, made, on, px);
        Quote {
            last: ex(quote.last).unwrap_or(quote.last),
            bid: quote.bid.and_then(ex),
            ask: quote.ask.and_then(ex),
            prev_close: quote.prev_close.and_then(ex),
            ..quote
        }
    }
}
