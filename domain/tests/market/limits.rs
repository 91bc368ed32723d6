//! Recorded prices against the price limits that the rule book gives: no high or low crosses one, save for days that
//! are listed with their cause, and each cause is proved.
//!
//! The bars in `../data/` come with the project. More are read in place where the folder exists that
//! `SIGNALBOX_INTERNAL_DATA` names (by default `../shared/data/internal` beside the project): they may not be copied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_domain::calendar::{Calendar, days_between};
use signalbox_domain::instrument::{Board, Currency, Instrument, Instruments, Settle, Status, StatusSpan};
use signalbox_domain::rules::{DayRules, PriceLimit, RuleBook};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::symbols::board_of;
use signalbox_domain::units::{Price, TradeDate, mul_div_round};

use crate::csv::{Csv, internal};

const EXCEPTIONS: &str = include_str!("../data/limit_exceptions.csv");
const OPEN_BARS: &[u8] = include_bytes!("../data/a_share_1995_2025_1d.csv.gz");
/// Share-reform and re-listing days are states of the instrument; everything else is as the board says.
const STATES: &str = include_str!("../../../conf/instruments/cn_status.csv");

#[test]
fn no_recorded_price_since_1996_crosses_the_limit_but_for_days_whose_cause_is_known() {
    let judge = Judge::new();
    let shipped = Instruments::parse(include_str!("../../../conf/instruments/cn_equity.csv")).expect("the instruments");
    let shipped = shipped.with_history(STATES).expect("the states");
    let mut seen = Seen::default();
    let mut before: BTreeMap<Symbol, Bar> = BTreeMap::new();
    for bar in bars(&Csv::gz(OPEN_BARS), "pre_close_calc") {
        let yesterday = before.insert(bar.symbol, bar);
        let known = shipped.get(bar.symbol).expect("a shipped instrument");
        let reference = bar.pre_close.or(yesterday.map(|y| y.close));
        let first_band = date("1996-12-16");
        if let Some(reference) = reference.filter(|_| bar.date >= first_band && Some(bar.date) != known.listed_on) {
            judge.look(known, &bar, reference, yesterday.as_ref(), &mut seen);
        }
    }
    println!("{} days, {} closed at the limit", seen.days, seen.closed_at_limit);
    judge.every_exception_was_met(&seen, &["last_minute", "off_tick", "ex_rights"]);
    assert_eq!((seen.days, seen.closed_at_limit), (16_444, 566));
}

#[test]
fn no_price_of_280_stocks_from_2020_to_2025_crosses_the_limit() {
    let Some(files) = internal(&["a_share/daily_2020_2025.csv.gz", "a_share/daily_2020_2025_wide.csv.gz"]) else {
        return;
    };
    let judge = Judge::new();
    let mut seen = Seen::default();
    for file in files {
        all_limit_events(&judge, &Csv::gz(&file), &BTreeMap::new(), &mut seen);
    }
    println!("{} days, {} closed at the limit, {} listed", seen.days, seen.closed_at_limit, seen.exceptions.len());
    judge.every_exception_was_met(&seen, &["relisting"]);
    assert_eq!((seen.days, seen.closed_at_limit), (346_404, 3_121));
}

#[test]
fn the_limit_days_of_stocks_under_st_in_beijing_and_newly_listed_are_those_of_the_record() {
    let names = [
        "a_share/limit_days.csv",
        "a_share/st_windows_inferred.csv",
        "a_share/daily_2020_2025.csv.gz",
        "a_share/daily_st_bse_ipo_2018_2023.csv.gz",
    ];
    let Some(files) = internal(&names) else { return };
    let [record, windows, ordinary, special] = &files[..] else { panic!("four files") };
    let judge = Judge::new();
    let mut seen = Seen::default();
    all_limit_events(&judge, &Csv::gz(ordinary), &BTreeMap::new(), &mut seen);
    let text = String::from_utf8(windows.clone()).expect("text");
    all_limit_events(&judge, &Csv::gz(special), &inferred_spans(&Csv::text(&text)), &mut seen);
    let text = String::from_utf8(record.clone()).expect("text");
    let record = Csv::text(&text);
    let mut recorded = BTreeMap::new();
    for row in record.rows() {
        let price = |name| Price::parse(row.get(name)).expect("a price");
        let event = (price("limit_down"), price("limit_up"), row.get("event").to_owned());
        recorded.insert((symbol(row.get("symbol")), date(row.get("date"))), event);
    }
    println!("{} limit days of {}", seen.events.len(), seen.days);
    assert_eq!(seen.exceptions, BTreeSet::new());
    assert_eq!(recorded.len(), 1_546);
    let wrong: Vec<_> = recorded
        .iter()
        .filter(|(key, event)| seen.events.get(key) != Some(event))
        .map(|(key, event)| (key, event, seen.events.get(key)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let extra: Vec<_> = seen.events.iter().filter(|(key, _)| !recorded.contains_key(key)).collect();
    assert!(extra.is_empty(), "{extra:#?}");
}

#[test]
fn no_price_of_six_funds_since_2005_crosses_the_limit() {
    let Some(files) = internal(&["etf/daily_2005_2026_unadjusted.csv.gz", "etf/dividends.csv"]) else { return };
    let [bars_of_funds, dividends] = &files[..] else { panic!("two files") };
    let text = String::from_utf8(dividends.clone()).expect("text");
    let paid = Csv::text(&text);
    let mut cash = BTreeMap::new();
    for row in paid.rows() {
        cash.insert(
            (symbol(row.get("symbol")), date(row.get("ex_date"))),
            Price::parse(row.get("cash_per_unit")).expect("cash"),
        );
    }
    let judge = Judge::new();
    let mut seen = Seen::default();
    let mut before: BTreeMap<Symbol, Bar> = BTreeMap::new();
    for bar in bars(&Csv::gz(bars_of_funds), "close") {
        if let Some(yesterday) = before.insert(bar.symbol, bar) {
            let paid = cash.get(&(bar.symbol, bar.date)).copied().unwrap_or_default();
            let fund = instrument(bar.symbol, None);
            judge.look(&fund, &bar, yesterday.close - paid, Some(&yesterday), &mut seen);
        }
    }
    println!("{} days, {} listed", seen.days, seen.exceptions.len());
    judge.every_exception_was_met(&seen, &["split"]);
    assert_eq!(seen.days, 20_468);
}

#[test]
fn the_limits_that_the_exchange_sent_for_four_funds_are_those_of_the_book() {
    let Some(files) = internal(&["etf_l1/day_meta.csv"]) else { return };
    let judge = Judge::new();
    let shipped = Instruments::parse(include_str!("../../../conf/instruments/cn_equity.csv")).expect("the instruments");
    let text = String::from_utf8(files[0].clone()).expect("text");
    let mut wide = 0;
    for row in Csv::text(&text).rows() {
        let price = |name| Price::parse(row.get(name)).expect("a price");
        let fund = shipped.get(symbol(row.get("symbol"))).expect("a shipped fund");
        let rules = judge.book.day(fund, date(row.get("date")), None).expect("rules");
        assert_eq!(
            rules.price_band(price("pre_close")),
            Some((price("lower_limit"), price("upper_limit"))),
            "{fund:?}"
        );
        wide += usize::from(fund.etf_20pct);
    }
    assert_eq!(wide, 2);
}

#[derive(Debug, Clone, Copy)]
struct Bar {
    symbol: Symbol,
    date: TradeDate,
    high: Price,
    low: Price,
    close: Price,
    pre_close: Option<Price>,
    traded: bool,
    st: bool,
}

fn bars<'a>(table: &'a Csv, reference: &'a str) -> impl Iterator<Item = Bar> + 'a {
    table.rows().map(move |row| {
        let price = |name| Price::parse(row.get(name)).expect("a price");
        Bar {
            symbol: symbol(row.get("symbol")),
            date: date(row.get("date")),
            high: price("high"),
            low: price("low"),
            close: price("close"),
            pre_close: (!row.get(reference).is_empty()).then(|| price(reference)),
            traded: row.find("trade_status") != Some("0"),
            st: row.find("is_st") == Some("1"),
        }
    })
}

/// What was met.
#[derive(Debug, Default)]
struct Seen {
    days: usize,
    closed_at_limit: usize,
    exceptions: BTreeSet<(Symbol, TradeDate)>,
    /// The band, and what the price did at its ends.
    events: BTreeMap<(Symbol, TradeDate), (Price, Price, String)>,
}

struct Judge {
    book: RuleBook,
    calendar: Calendar,
    /// The cause, and the reference price where the cause is that the recorded one is none.
    listed: BTreeMap<(Symbol, TradeDate), (String, Option<Price>)>,
}

impl Judge {
    fn new() -> Self {
        let book = RuleBook::parse(&[
            include_str!("../../../conf/rules/cn_equity_rules.csv"),
            include_str!("../../../conf/rules/cn_lots.csv"),
            include_str!("../../../conf/rules/cn_supplement.csv"),
        ]);
        let calendar = Calendar::parse(include_str!("../../../conf/calendars/cn_a_share_trading_days.csv"));
        let listed = Csv::text(EXCEPTIONS);
        let listed = listed.rows().map(|row| {
            let reference = Price::parse(row.get("reference")).ok();
            ((symbol(row.get("symbol")), date(row.get("date"))), (row.get("cause").to_owned(), reference))
        });
        Self { book: book.expect("rules"), calendar: calendar.expect("a calendar"), listed: listed.collect() }
    }

    /// Asserts that the day is inside its band, or listed with a cause that proves true.
    fn look(&self, known: &Instrument, bar: &Bar, reference: Price, yesterday: Option<&Bar>, seen: &mut Seen) {
        let key = (bar.symbol, bar.date);
        seen.days += 1;
        let rules = self.rules(known, bar.date);
        let Some((low, high)) = rules.price_band(reference) else {
            assert!(!self.listed.contains_key(&key), "{key:?} is listed and has no limit");
            return;
        };
        seen.closed_at_limit += usize::from(bar.close == low || bar.close == high);
        if low <= bar.low && bar.high <= high {
            assert!(!self.listed.contains_key(&key), "{key:?} is listed and inside its band");
            let event = event(bar, low, high);
            if !event.is_empty() {
                seen.events.insert(key, (low, high, event));
            }
            return;
        }
        let Some((cause, reference_then)) = self.listed.get(&key) else {
            panic!("{key:?}: {} to {} leaves {low} to {high} around {reference}", bar.low, bar.high);
        };
        let yesterday = yesterday.expect("a day before");
        let holds = |reference: Price| {
            let (low, high) = rules.price_band(reference).expect("a limit");
            low <= bar.low && bar.high <= high
        };
        let proved = match cause.as_str() {
            "last_minute" => {
                let step = reference.e4() / 200 / 100;
                let near = (-step..=step).map(|n| reference + Price::from_e4(n * 100));
                let shenzhen = bar.symbol.as_str().ends_with(".SZ") && bar.date < date("2006-07-01");
                shenzhen && near.filter(|r| yesterday.low <= *r && *r <= yesterday.high).any(holds)
            }
            "off_tick" => {
                let rounded = |p: Price| Price::from_e4(mul_div_round(p.e4(), 1, 100) * 100);
                (!rules.on_tick(bar.low) || !rules.on_tick(bar.high))
                    && low <= rounded(bar.low)
                    && rounded(bar.high) <= high
            }
            "ex_rights" | "split" => reference_then.is_some_and(holds),
            "relisting" => {
                let span = StatusSpan { status: Status::Resumed, from: bar.date, until: None };
                let resumed = Instrument { history: Arc::new([span]), ..known.clone() };
                let limit = self.book.price_limit(&resumed, bar.date, None);
                limit == Ok(PriceLimit::Unlimited) && days_between(yesterday.date, bar.date) >= 100
            }
            other => panic!("{key:?}: no proof is known for {other}"),
        };
        assert!(proved, "{key:?}: {cause} does not explain {} to {} around {reference}", bar.low, bar.high);
        seen.exceptions.insert(key);
    }

    /// The limit of the day; the rest, of which a band needs the tick only, is lent by a day on which all is known.
    fn rules(&self, known: &Instrument, day: TradeDate) -> DayRules {
        let index = known.listed_on.and_then(|listed| self.calendar.listing_day_index(listed, day));
        let limit = self.book.price_limit(known, day, index).expect("a limit");
        let tick = Price::from_e4(if known.board == Board::Etf { 10 } else { 100 });
        DayRules { limit, tick, one_tick_floor: false, ..self.lent(known.board) }
    }

    fn lent(&self, board: Board) -> DayRules {
        let code = if board == Board::Etf { "510300.SH" } else { "600000.SH" };
        self.book.day(&instrument(symbol(code), None), date("2024-01-02"), None).expect("rules")
    }

    fn every_exception_was_met(&self, seen: &Seen, causes: &[&str]) {
        let listed: BTreeSet<_> = self
            .listed
            .iter()
            .filter(|(_, (cause, _))| causes.contains(&cause.as_str()))
            .map(|(key, _)| *key)
            .collect();
        assert!(!listed.is_empty());
        assert_eq!(seen.exceptions, listed);
    }
}

/// All days of a file in which the reference price is given. A stock that is not there on the first day of the file was
/// listed on its own first one; in the file with dated risk warnings, whose stocks begin at will, those of `LISTED`.
fn all_limit_events(judge: &Judge, table: &Csv, spans: &BTreeMap<Symbol, Vec<StatusSpan>>, seen: &mut Seen) {
    let mut first = None;
    let mut before: BTreeMap<Symbol, Bar> = BTreeMap::new();
    let mut of: BTreeMap<Symbol, Instrument> = BTreeMap::new();
    for bar in bars(table, "pre_close") {
        let first = *first.get_or_insert(bar.date);
        let known = of.entry(bar.symbol).or_insert_with(|| {
            let listed = match spans.is_empty() {
                true => bar.date > first,
                false => LISTED.contains(&(bar.symbol.as_str(), bar.date.to_string().as_str())),
            };
            let history = spans.get(&bar.symbol).cloned().unwrap_or_default();
            Instrument { history: history.into(), ..instrument(bar.symbol, listed.then_some(bar.date)) }
        });
        if spans.is_empty() {
            known.st = bar.st;
        }
        if bar.traded {
            let yesterday = before.insert(bar.symbol, bar);
            judge.look(known, &bar, bar.pre_close.expect("a reference"), yesterday.as_ref(), seen);
        }
    }
}

const LISTED: &[(&str, &str)] = &[
    ("688321.SH", "2019-08-12"),
    ("300842.SZ", "2020-06-18"),
    ("301030.SZ", "2021-07-22"),
    ("603191.SH", "2022-04-28"),
    ("001309.SZ", "2022-07-01"),
];

/// The windows of risk warning as prices and whole-day suspensions show them: they end with the second suspension.
fn inferred_spans(table: &Csv) -> BTreeMap<Symbol, Vec<StatusSpan>> {
    let span = |row: &crate::csv::Row<'_>| {
        let from = TradeDate::parse(row.get("st_from")).unwrap_or(date("1998-04-22"));
        StatusSpan { status: Status::St, from, until: TradeDate::parse(row.get("suspended_after")) }
    };
    table.rows().map(|row| (symbol(row.get("symbol")), vec![span(&row)])).collect()
}

/// In the words of the record.
fn event(bar: &Bar, low: Price, high: Price) -> String {
    let one_price = bar.high == bar.low;
    let names = match (bar.close == high, bar.close == low) {
        (true, _) if one_price => vec!["one_price_up"],
        (_, true) if one_price => vec!["one_price_down"],
        (true, _) => vec!["close_up"],
        (_, true) => vec!["close_down"],
        _ => [(bar.high == high).then_some("touch_up"), (bar.low == low).then_some("touch_down")]
            .into_iter()
            .flatten()
            .collect(),
    };
    names.join("+")
}

fn instrument(symbol: Symbol, listed_on: Option<TradeDate>) -> Instrument {
    Instrument {
        symbol,
        name: "".into(),
        board: board_of(symbol).expect("a mainland code"),
        st: false,
        settle: Settle::Ordinary,
        etf_20pct: false,
        listed_on,
        currency: Currency::Cny,
        history: Arc::default(),
    }
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

fn date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a date")
}
