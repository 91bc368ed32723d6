//! The recorded market, read from its files.

use std::collections::BTreeMap;
use std::io::Read;

use signalbox_domain::calendar::{china_date_time, china_instant};
use signalbox_domain::quote::{Bar, Quote};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Span, Timestamp, TradeDate};

pub(crate) fn unpacked(packed: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("a file");
    text
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

fn date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a day")
}

fn minute(day: TradeDate, text: &str) -> Timestamp {
    let (hh, mm) = text.split_once(':').expect("a time");
    china_instant(day, hh.parse().expect("an hour"), mm.parse().expect("a minute"), 0)
}

/// Minutes of shares by their ends: only a price and a volume are known of each, which is a bar of one price.
pub(crate) fn share_minutes(csv: &str) -> BTreeMap<Timestamp, Vec<Bar>> {
    const SHARES_PER_LOT: i64 = 100;
    let mut all: BTreeMap<Timestamp, Vec<Bar>> = BTreeMap::new();
    for line in csv.lines().skip(1).filter(|line| !line.starts_with("000001.SH")) {
        let field: Vec<&str> = line.split(',').collect();
        let (px, at) = (price(field[3]), minute(date(field[1]), field[2]).plus(Span::from_secs(60)));
        let volume = Qty::new(field[4].parse::<i64>().expect("a volume") * SHARES_PER_LOT);
        let symbol = Symbol::parse(field[0]).expect("a symbol");
        all.entry(at).or_default().push(Bar { symbol, at, open: px, high: px, low: px, close: px, volume });
    }
    all
}

/// Minutes of a contract by their ends, with the trading day that each belongs to.
pub(crate) fn contract_minutes(symbol: Symbol, csv: &str) -> Vec<(TradeDate, Bar)> {
    let bar = |line: &str| {
        let field: Vec<&str> = line.split(',').collect();
        let (day, time) = field[1].split_once(' ').expect("a time");
        let at = minute(date(day), time).plus(Span::from_secs(60));
        let [open, high, low, close] = [2, 3, 4, 5].map(|n| price(field[n]));
        let volume = Qty::new(field[6].parse().expect("a volume"));
        (date(field[0]), Bar { symbol, at, open, high, low, close, volume })
    };
    csv.lines().skip(1).map(bar).collect()
}

/// Level-1 snapshots of a contract on one day.
pub(crate) fn ticks(symbol: Symbol, day: TradeDate, csv: &str) -> Vec<Quote> {
    let tick = |line: &str| {
        let field: Vec<&str> = line.split(',').collect();
        let (time, ms) = field[0].split_once('.').expect("milliseconds");
        let parts: Vec<u32> = time.split(':').map(|part| part.parse().expect("a time")).collect();
        let at = china_instant(day, parts[0], parts[1], parts[2]);
        let count = |n: usize| Some(Qty::new(field[n].parse().expect("a number")));
        Quote {
            symbol,
            last: price(field[1]),
            bid: Some(price(field[7])),
            ask: Some(price(field[9])),
            bid_size: count(8),
            ask_size: count(10),
            volume: count(4),
            prev_close: None,
            at: at.plus(Span::from_ms(ms.parse().expect("milliseconds"))),
        }
    };
    csv.lines().skip(1).map(tick).collect()
}

/// A day of a share abroad.
pub(crate) struct Day {
    pub(crate) symbol: Symbol,
    pub(crate) open: Price,
    pub(crate) high: Price,
    pub(crate) low: Price,
    pub(crate) close: Price,
    pub(crate) volume: Qty,
}

pub(crate) fn days(csv: &str) -> BTreeMap<TradeDate, Vec<Day>> {
    let mut all: BTreeMap<TradeDate, Vec<Day>> = BTreeMap::new();
    for line in csv.lines().skip(1) {
        let field: Vec<&str> = line.split(',').collect();
        let [open, high, low, close] = [2, 3, 4, 5].map(|n| price(field[n]));
        let (symbol, date) = (Symbol::parse(field[0]).expect("a symbol"), date(field[1]));
        let volume = Qty::new(field[6].parse().expect("a volume"));
        all.entry(date).or_default().push(Day { symbol, open, high, low, close, volume });
    }
    all
}

/// The date and the minute of the day in China.
pub(crate) fn clock(at: Timestamp) -> (TradeDate, u32) {
    let (day, us) = china_date_time(at);
    (day, u32::try_from(us / 60_000_000).expect("a minute"))
}

pub(crate) const fn hm(hh: u32, mm: u32) -> u32 {
    hh * 60 + mm
}
