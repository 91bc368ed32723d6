//! A recorded day of trades, as it comes with the program.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;
use signalbox_domain::calendar::china_instant;
use signalbox_domain::quote::{Print, Quote};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Timestamp, TradeDate};

/// The recording cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the recorded day cannot be read: {0}")]
pub struct PrintsError(String);

/// One recorded day: the previous closes, and every trade in the order of time.
#[derive(Debug)]
pub struct RecordedDay {
    pub date: TradeDate,
    pub previous: Vec<(Symbol, Price)>,
    pub prints: Vec<Print>,
}

#[derive(Debug, Deserialize)]
struct PrintRow {
    symbol: String,
    date: String,
    time: String,
    price: String,
    volume_lots: i64,
    side: String,
}

#[derive(Debug, Deserialize)]
struct MetaRow {
    symbol: String,
    prev_close: String,
}

/// A lot of the recording is a hundred shares.
const SHARES_PER_LOT: i64 = 100;

impl RecordedDay {
    /// Known without reading the recording.
    pub const DATE: TradeDate = match TradeDate::from_yyyymmdd(20_190_201) {
        Some(date) => date,
        None => unreachable!(),
    };

    /// The day of 2019-02-01 that is part of the program.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn load() -> Result<Self, PrintsError> {
        let bad = |e: &dyn std::fmt::Display| PrintsError(e.to_string());
        let mut text = String::new();
        let file = include_bytes!("../../conf/demo/trade_prints_2019-02-01.csv.gz");
        GzDecoder::new(&file[..]).read_to_string(&mut text).map_err(|e| bad(&e))?;
        let mut prints = Vec::new();
        let mut date = None;
        for row in csv::Reader::from_reader(text.as_bytes()).deserialize::<PrintRow>() {
            let row = row.map_err(|e| bad(&e))?;
            let print = row.print().ok_or_else(|| PrintsError(format!("bad row {row:?}")))?;
            date = TradeDate::parse(&row.date);
            prints.push(print);
        }
        // The file goes symbol by symbol; the market goes by time.
        prints.sort_by_key(|print| print.at);
        let meta = include_str!("../../conf/demo/trade_prints_2019-02-01_meta.csv");
        let mut previous = Vec::new();
        for row in csv::Reader::from_reader(meta.as_bytes()).deserialize::<MetaRow>() {
            let row = row.map_err(|e| bad(&e))?;
            let symbol = Symbol::parse(&row.symbol).map_err(|e| bad(&e))?;
            previous.push((symbol, Price::parse(&row.prev_close).map_err(|e| bad(&e))?));
        }
        let date = date.ok_or_else(|| PrintsError("no rows".into()))?;
        Ok(Self { date, previous, prints })
    }

    /// What is known before the first trade: yesterday's closes.
    #[must_use]
    pub fn opening_quotes(&self, at: Timestamp) -> Vec<Quote> {
        let quote = |&(symbol, close): &(Symbol, Price)| Quote {
            symbol,
            last: close,
            bid: None,
            ask: None,
            bid_size: None,
            ask_size: None,
            volume: None,
            prev_close: Some(close),
            at,
        };
        self.previous.iter().map(quote).collect()
    }
}

impl PrintRow {
    fn print(&self) -> Option<Print> {
        let date = TradeDate::parse(&self.date)?;
        let mut parts = self.time.split(':').map(|part| part.parse::<u32>().ok());
        let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
        Some(Print {
            symbol: Symbol::parse(&self.symbol).ok()?,
            at: china_instant(date, hour, minute, second),
            price: Price::parse(&self.price).ok()?,
            qty: Qty::new(self.volume_lots * SHARES_PER_LOT),
            aggressor: self.side.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_day_is_whole_and_in_order() {
        let day = RecordedDay::load().unwrap();
        assert_eq!(day.prints.len(), 16_768);
        assert_eq!(day.previous.len(), 6);
        assert!(day.prints.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert_eq!(day.date.to_string(), "2019-02-01");
    }
}
