//! The days that instruments have traded: their highest, lowest and last prices, and how much. They come from a file of the
//! data folder and tell how far a price moves on an ordinary day, and how much an order is of what is traded.

use std::collections::BTreeMap;

use crate::corporate::CorporateActions;
use crate::csv::{CsvError, Table};
use crate::symbol::Symbol;
use crate::units::{Price, Qty, TradeDate, mul_div_floor};

/// One trading day of one instrument, in prices as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayBar {
    pub date: TradeDate,
    pub high: Price,
    pub low: Price,
    pub close: Price,
    /// In shares or lots.
    pub volume: Qty,
}

/// What cannot be read of the file.
#[derive(Debug, thiserror::Error)]
pub enum DailyError {
    #[error(transparent)]
    Table(#[from] CsvError),
    #[error("line {line}: {column} is {text:?}")]
    Value { line: usize, column: &'static str, text: String },
    #[error("line {line}: {symbol} has this day already")]
    Twice { line: usize, symbol: Symbol },
}

/// All days that are known, by symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DailyBars {
    by_symbol: BTreeMap<Symbol, Vec<DayBar>>,
}

/// Over how many days a volume is averaged.
const VOLUME_DAYS: usize = 20;
/// A history that ended so many days before says nothing of today.
const OLD_DAYS: i64 = 30;

impl DailyBars {
    /// Reads a table with the columns `symbol date high low close volume`, in any order of rows.
    ///
    /// # Errors
    /// [`DailyError`] names the first line that cannot be.
    pub fn parse(text: &str) -> Result<Self, DailyError> {
        let table = Table::parse(text)?;
        let [symbol, date, high, low, close, volume] = [
            table.column("symbol")?,
            table.column("date")?,
            table.column("high")?,
            table.column("low")?,
            table.column("close")?,
            table.column("volume")?,
        ];
        let mut by_symbol: BTreeMap<Symbol, BTreeMap<TradeDate, DayBar>> = BTreeMap::new();
        for row in table.rows() {
            let line = row.line;
            let wrong = |column: &'static str, text: &str| DailyError::Value { line, column, text: text.to_owned() };
            let price = |name, column| {
                let text = row.get(column);
                Price::parse(text).ok().filter(|px| px.is_positive()).ok_or_else(|| wrong(name, text))
            };
            let of = Symbol::parse(row.get(symbol)).map_err(|_| wrong("symbol", row.get(symbol)))?;
            let bar = DayBar {
                date: TradeDate::parse(row.get(date)).ok_or_else(|| wrong("date", row.get(date)))?,
                high: price("high", high)?,
                low: price("low", low)?,
                close: price("close", close)?,
                volume: row
                    .get(volume)
                    .parse()
                    .ok()
                    .filter(|volume| *volume >= 0)
                    .map(Qty::new)
                    .ok_or_else(|| wrong("volume", row.get(volume)))?,
            };
            if bar.low > bar.high || bar.close < bar.low || bar.close > bar.high {
                return Err(wrong("close", row.get(close)));
            }
            if by_symbol.entry(of).or_default().insert(bar.date, bar).is_some() {
                return Err(DailyError::Twice { line, symbol: of });
            }
        }
        let sorted = |days: BTreeMap<TradeDate, DayBar>| days.into_values().collect();
        Ok(Self { by_symbol: by_symbol.into_iter().map(|(symbol, days)| (symbol, sorted(days))).collect() })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_symbol.is_empty()
    }

    /// The average volume of the last twenty days before this one. Nothing with fewer, or where they are long ago.
    #[must_use]
    pub fn average_volume(&self, symbol: Symbol, before: TradeDate) -> Option<Qty> {
        let days = self.last(symbol, before, VOLUME_DAYS)?;
        let sum: i64 = days.iter().map(|bar| bar.volume.get()).sum();
        Some(Qty::new(sum / VOLUME_DAYS as i64))
    }

    /// How far the price moved on an average of so many days before this one (ATR): from the highest to the lowest price,
    /// or to the close before where that is farther. All in prices of the day: going ex is no move. Nothing with fewer days,
    /// or where they are long ago.
    #[must_use]
    pub fn true_range(
        &self,
        symbol: Symbol,
        before: TradeDate,
        period: u32,
        actions: &CorporateActions,
    ) -> Option<Price> {
        let period = usize::try_from(period).ok().filter(|period| *period > 0)?;
        let days = self.last(symbol, before, period.checked_add(1)?)?;
        let ranges = days.windows(2).map(|pair| {
            let (last, bar) = (&pair[0], &pair[1]);
            let ex = |of: TradeDate, px: Price| actions.ex_price(symbol, of, before, px).unwrap_or(px);
            let (close, high, low) = (ex(last.date, last.close), ex(bar.date, bar.high), ex(bar.date, bar.low));
            (high.max(close) - low.min(close)).e4()
        });
        Some(Price::from_e4(mul_div_floor(ranges.sum(), 1, i64::try_from(period).ok()?)))
    }

    fn last(&self, symbol: Symbol, before: TradeDate, count: usize) -> Option<&[DayBar]> {
        let days = self.by_symbol.get(&symbol)?;
        let end = days.partition_point(|bar| bar.date < before);
        let last = &days[end.checked_sub(count)?..end];
        let newest = last.last()?.date;
        (crate::calendar::days_between(newest, before) <= OLD_DAYS).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(n: u32) -> TradeDate {
        TradeDate::from_yyyymmdd(n).expect("a date")
    }

    #[test]
    fn a_range_counts_the_gap_from_the_close_before() {
        let bars = DailyBars::parse(
            "symbol,date,high,low,close,volume\n\
             600000.SH,2025-02-26,10.20,10.00,10.00,100\n\
             600000.SH,2025-02-27,10.60,10.40,10.50,100\n\
             600000.SH,2025-02-28,10.50,10.20,10.30,100\n",
        )
        .expect("bars");
        let symbol = Symbol::parse("600000.SH").expect("a symbol");
        let none = CorporateActions::default();
        // 10.60 is 0.60 above the close before; 10.50 to 10.20 is 0.30.
        assert_eq!(bars.true_range(symbol, date(20_250_303), 2, &none), Some(Price::from_e4(4_500)));
        assert_eq!(bars.true_range(symbol, date(20_250_228), 1, &none), Some(Price::from_e4(6_000)));
        assert_eq!(bars.true_range(symbol, date(20_250_303), 3, &none), None, "three ranges need four days");
        assert_eq!(bars.true_range(symbol, date(20_250_701), 2, &none), None, "long ago");
        assert_eq!(bars.average_volume(symbol, date(20_250_303)), None, "too few days");
    }

    #[test]
    fn a_day_that_cannot_be_is_told() {
        for line in ["600000.SH,2025-02-26,9.00,10.00,10.00,1", "600000.SH,2025-02-26,10.00,9.00,9.50,-1", "x,,,,,"] {
            assert!(DailyBars::parse(&format!("symbol,date,high,low,close,volume\n{line}\n")).is_err(), "{line}");
        }
    }
}
