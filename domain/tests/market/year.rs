//! A year of calendar edges: holidays, half days, nights, daylight saving, first days, risk warnings, and the change of
//! rules on 2026-07-06. Each answer is compared with what the data files say in words, found again in another way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};

use signalbox_domain::calendar::sessions::{FutureDays, FutureHours, Part, Session, Sessions};
use signalbox_domain::calendar::{Calendar, Opening, Phase, china_instant};
use signalbox_domain::instrument::{Board, Currency, Instrument, Settle, Status, StatusSpan};
use signalbox_domain::rules::{DayRules, PriceLimit, RuleBook};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Ratio, Timestamp, TradeDate};

use crate::csv::Csv;

const MAINLAND: &str = include_str!("../../../conf/calendars/cn_a_share_trading_days.csv");
const NIGHTS: &str = include_str!("../../../conf/calendars/cn_futures_night_sessions.csv");
const HKEX: &str = include_str!("../../../conf/calendars/hkex_sessions.csv");
const NYSE: &str = include_str!("../../../conf/calendars/nyse_sessions.csv");

/// Each time of day at which some market does something, in minutes; the microsecond before each is looked at as well.
const EDGES: &[i64] = &[
    0, 60, 149, 150, 240, 535, 540, 545, 550, 555, 565, 570, 615, 630, 690, 720, 730, 780, 790, 810, 897, 900, 905,
    915, 930, 960, 970, 1_020, 1_080, 1_200, 1_255, 1_260, 1_320, 1_380, 1_439,
];

#[test]
fn every_edge_of_2026_is_where_the_files_and_the_exchanges_say() {
    let year = Year::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for date in days("2026-01-01", "2026-12-31") {
        year.mainland(date, &mut seen);
        year.hong_kong(date, &mut seen);
        year.new_york(date, &mut seen);
        year.futures(date, &mut seen);
    }
    println!("{seen:#?}");
    let count = |name: &str| seen.get(name).copied().unwrap_or_default();
    // As counted in the files with other tools: a year that has none of these would prove nothing.
    assert_eq!((count("mainland day"), count("new york day"), count("hong kong day")), (242, 251, 247));
    assert_eq!((count("half day in hong kong"), count("half day in new york")), (3, 2));
    assert_eq!((count("no night"), count("night")), (7, 235));
}

#[test]
fn the_rules_of_a_stock_follow_its_states_through_2026() {
    let (book, calendar) = (book(), Calendar::parse(MAINLAND).expect("the days"));
    let listed_in = |day: &str| Instrument { listed_on: Some(trade_date(day)), ..instrument("603999.SH", Board::Main) };
    let state = |status, from: &str, until: Option<&str>| {
        let span = StatusSpan { status, from: trade_date(from), until: until.map(trade_date) };
        Instrument { history: Arc::new([span]), ..instrument("600001.SH", Board::Main) }
    };
    let warned = state(Status::St, "2026-03-10", Some("2026-09-01"));
    let leaving = state(Status::Delisting, "2026-06-29", None);
    let (june, autumn) = (listed_in("2026-06-29"), listed_in("2026-09-29"));
    let trading: Vec<String> = column(MAINLAND, "date").filter(|day| day.starts_with("2026")).collect();
    let limit = |known: &Instrument, day: &str| {
        let index = known.listed_on.and_then(|listed| calendar.listing_day_index(listed, trade_date(day)));
        match book.day(known, trade_date(day), index) {
            Ok(DayRules { limit: PriceLimit::Unlimited, .. }) => "none".to_owned(),
            Ok(DayRules { limit: PriceLimit::Percent { up, down }, .. }) if up == down => {
                (up.e6() / Ratio::from_percent(1).e6()).to_string()
            }
            Ok(other) => format!("{:?}", other.limit),
            Err(refused) => refused.to_string(),
        }
    };
    let nth = |day: &str, first: &str| trading.iter().filter(|d| d.as_str() >= first && d.as_str() <= day).count();
    for day in trading.iter().map(String::as_str) {
        let st = ("2026-03-10".."2026-09-01").contains(&day);
        assert_eq!(limit(&warned, day), if st && day < "2026-07-06" { "5" } else { "10" }, "risk warning on {day}");
        for stock in [&june, &autumn] {
            let first = stock.listed_on.expect("a listing").to_string();
            let want = match nth(day, &first) {
                0 => format!("603999.SH is not listed before {first}"),
                1..=5 => "none".to_owned(),
                _ => "10".to_owned(),
            };
            assert_eq!(limit(stock, day), want, "listed {first}, on {day}");
        }
        assert_eq!(limit(&leaving, day), if day == "2026-06-29" { "none" } else { "10" }, "delisting period on {day}");
    }
    assert_eq!(nth("2026-10-12", "2026-09-29"), 5, "the holiday does not count");
}

#[test]
fn the_nights_in_the_file_are_those_of_the_exchanges_rule() {
    let trading: Vec<Date> = column(MAINLAND, "date").map(|day| day.parse().expect("a date")).collect();
    let nights: BTreeMap<String, String> = column(NIGHTS, "trading_day").zip(column(NIGHTS, "night_session")).collect();
    let days = FutureDays::parse("nights", NIGHTS, &Calendar::parse(MAINLAND).expect("the days")).expect("the nights");
    let mut looked_at = 0;
    for pair in trading.windows(2) {
        let (before, day) = (pair[0], pair[1]);
        let Some(file) = nights.get(&day.to_string()) else { continue };
        let adjacent = (day - before).get_days() == 1;
        let weekend = (day - before).get_days() == 3 && before.weekday() == jiff::civil::Weekday::Friday;
        let plague = ("2020-02-04".."2020-05-07").contains(&day.to_string().as_str());
        let held = (adjacent || weekend) && !plague;
        assert_eq!(file == "1", held, "{day}");
        assert_eq!(days.night(trade_date(&day.to_string())), Some(held), "{day}");
        looked_at += 1;
    }
    assert_eq!(looked_at, nights.len());
}

#[test]
fn the_recorded_minutes_of_three_contracts_are_the_minutes_of_their_sessions() {
    let days = FutureDays::parse("nights", NIGHTS, &Calendar::parse(MAINLAND).expect("the days")).expect("the nights");
    let commodity = "09:00-10:15 10:30-11:30 13:30-15:00";
    for (bars, day, night, full_days, without_night) in [
        (&include_bytes!("../data/cu2003.SHFE_1m.csv.gz")[..], commodity, "21:00-01:00", 37, 23),
        (&include_bytes!("../data/rb2002.SHFE_1m.csv.gz")[..], commodity, "21:00-23:00", 40, 0),
        (&include_bytes!("../data/IF1908.CFFEX_1m.csv.gz")[..], "09:30-11:30 13:00-15:00", "", 36, 0),
    ] {
        let hours = FutureHours::parse(day, night).expect("hours");
        let mut recorded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for bar in Csv::gz(bars).rows() {
            recorded.entry(bar.get("trading_day").into()).or_default().insert(bar.get("datetime").into());
        }
        // The recording began and ended within a day.
        recorded.pop_first();
        recorded.pop_last();
        let mut no_night = 0;
        for (day, minutes) in &recorded {
            let sessions = days.of(&hours, trade_date(day)).expect("a known day");
            no_night += usize::from(!night.is_empty() && days.night(trade_date(day)) == Some(false));
            let sessions = sessions.into_iter().filter(|session| session.part == Part::Continuous);
            let told: BTreeSet<String> = sessions.flat_map(minutes_of).collect();
            assert_eq!(&told, minutes, "{day}");
        }
        assert_eq!((recorded.len(), no_night), (full_days, without_night));
    }
}

/// In China, as the recordings write them.
fn minutes_of(session: Session) -> impl Iterator<Item = String> {
    let count = session.until.since(session.from).us() / 60_000_000;
    (0..count).map(move |minute| {
        let at = jiff::Timestamp::from_microsecond(session.from.us() + minute * 60_000_000).expect("an instant");
        at.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).strftime("%Y-%m-%d %H:%M").to_string()
    })
}

struct Year {
    book: RuleBook,
    mainland: Calendar,
    hong_kong: Sessions,
    new_york: Sessions,
    futures: FutureDays,
    trading: BTreeSet<String>,
    nights: BTreeSet<String>,
    hk: BTreeMap<String, String>,
    ny: BTreeMap<String, String>,
}

impl Year {
    fn new() -> Self {
        let mainland = Calendar::parse(MAINLAND).expect("the days");
        let early = |text| column(text, "date").zip(column(text, "early_close_local")).collect();
        let night = column(NIGHTS, "trading_day").zip(column(NIGHTS, "night_session"));
        Self {
            book: book(),
            hong_kong: Sessions::hong_kong("hkex", HKEX).expect("the days"),
            new_york: Sessions::new_york("nyse", NYSE).expect("the days"),
            futures: FutureDays::parse("nights", NIGHTS, &mainland).expect("the nights"),
            mainland,
            trading: column(MAINLAND, "date").collect(),
            nights: night.filter(|(_, held)| held == "1").map(|(day, _)| day).collect(),
            hk: early(HKEX),
            ny: early(NYSE),
        }
    }

    fn mainland(&self, date: Date, seen: &mut BTreeMap<String, usize>) {
        let day = date.to_string();
        let open = self.trading.contains(&day);
        *seen.entry(if open { "mainland day" } else { "mainland closed" }.into()).or_default() += 1;
        let (stock, fund) = (instrument("600000.SH", Board::Main), instrument("510050.SH", Board::Etf));
        let (repo, star) = (instrument("204001.SH", Board::Repo), instrument("688111.SH", Board::Star));
        let change = day.as_str() >= "2026-07-06";
        let next = |from: &str| self.trading.range(from.to_owned()..).next().cloned();
        for (known, auction, until, after) in
            [(stock, true, 900, change), (fund, change, 900, false), (star, true, 900, true), (repo, false, 930, false)]
        {
            let rules = self.book.day(&known, trade_date(&day), None).expect("rules");
            for (at, minute) in edges(date) {
                let want = match minute {
                    _ if !open || minute < 555 => Phase::Closed,
                    555..565 => Phase::OpeningAuction,
                    565..570 => Phase::PreContinuous,
                    690..780 => Phase::LunchBreak,
                    897..900 if auction => Phase::ClosingAuction,
                    _ if minute < until => Phase::Continuous,
                    905..930 if after => Phase::AfterHours,
                    _ => Phase::AfterClose,
                };
                assert_eq!(self.mainland.phase_of(at, &rules), want, "{} on {day} at {minute}", known.symbol);
            }
        }
        for (at, minute) in edges(date) {
            let from = |end| if minute < end { day.clone() } else { date.tomorrow().expect("a day").to_string() };
            assert_eq!(shown(self.mainland.share_date(at)), next(&from(900)), "{day} at {minute}");
            assert_eq!(shown(self.mainland.trade_date(at)), next(&from(930)), "{day} at {minute}");
            let opens = self.mainland.next_open(at, Opening::Continuous);
            let starts = |day: &str| [570, 780].map(|minute| instant(&day.parse().expect("a date"), minute));
            let candidates = [day.clone(), date.tomorrow().expect("a day").to_string()].map(|from| next(&from));
            let want = candidates.iter().flatten().flat_map(|day| starts(day)).filter(|start| *start >= at).min();
            // Beyond the last day of the data nothing is known.
            if date.year() == 2026 && day.as_str() < "2026-12-31" {
                assert_eq!(opens, want, "{day} at {minute}");
            }
        }
    }

    fn hong_kong(&self, date: Date, seen: &mut BTreeMap<String, usize>) {
        let day = date.to_string();
        let early = self.hk.get(&day).map(String::as_str);
        *seen.entry(if early.is_some() { "hong kong day" } else { "hong kong closed" }.into()).or_default() += 1;
        *seen.entry("half day in hong kong".into()).or_default() += usize::from(early == Some("12:00"));
        for (at, minute) in edges(date) {
            let want = match (early, minute) {
                (None, _) => None,
                (_, 540..570) => Some(Part::OpeningAuction),
                (_, 570..720) => Some(Part::Continuous),
                (Some("12:00"), 720..730) => Some(Part::ClosingAuction),
                (Some("12:00"), _) => None,
                (_, 780..960) => Some(Part::Continuous),
                (_, 960..970) => Some(Part::ClosingAuction),
                _ => None,
            };
            let session = self.hong_kong.at(at);
            assert_eq!(session.map(|s| s.part), want, "{day} at {minute}");
            assert!(session.is_none_or(|s| s.day == trade_date(&day)));
            let end = if early == Some("12:00") { 720 } else { 960 };
            let from = if minute < end { day.clone() } else { date.tomorrow().expect("a day").to_string() };
            let next = self.hk.range(from..).next().map(|(day, _)| day.clone());
            assert_eq!(shown(self.hong_kong.trade_date(at)), next, "{day} at {minute}");
        }
    }

    /// Clocks went forward on 2026-03-08 at 07:00 UTC and back on 2026-11-01 at 06:00 UTC, as the law of 2005 says.
    fn new_york(&self, date: Date, seen: &mut BTreeMap<String, usize>) {
        let day = date.to_string();
        let early = self.ny.get(&day).map(String::as_str);
        *seen.entry(if early.is_some() { "new york day" } else { "new york closed" }.into()).or_default() += 1;
        *seen.entry("half day in new york".into()).or_default() += usize::from(early == Some("13:00"));
        let summer = ("2026-03-08".."2026-11-01").contains(&day.as_str());
        for edge in EDGES.iter().filter(|edge| **edge >= 180) {
            let hours_behind = if summer { 4 } else { 5 };
            let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).expect("a date").timestamp();
            let at = midnight + SignedDuration::from_mins(edge + hours_behind * 60);
            for before in [0, 1] {
                let minute = edge - before;
                let end = if early == Some("13:00") { 780 } else { 960 };
                let want = match minute {
                    _ if early.is_none() => None,
                    240..570 => Some(Part::PreMarket),
                    _ if (570..end).contains(&minute) => Some(Part::Continuous),
                    _ if (end..end + 240).contains(&minute) => Some(Part::PostMarket),
                    _ => None,
                };
                let at = Timestamp::from_us(at.as_microsecond() - before);
                let session = self.new_york.at(at);
                assert_eq!(session.map(|s| s.part), want, "{day} at {minute}");
                let from = if minute < end { day.clone() } else { date.tomorrow().expect("a day").to_string() };
                let next = self.ny.range(from..).next().map(|(day, _)| day.clone());
                assert_eq!(shown(self.new_york.trade_date(at)), next, "{day} at {minute}");
            }
        }
    }

    fn futures(&self, date: Date, seen: &mut BTreeMap<String, usize>) {
        let day = date.to_string();
        let tomorrow = date.tomorrow().expect("a day").to_string();
        let first = self.trading.range(day.clone()..).next().cloned();
        let next = self.trading.range(tomorrow.clone()..).next().cloned();
        if self.trading.contains(&day) {
            *seen.entry(if self.nights.contains(&day) { "night" } else { "no night" }.into()).or_default() += 1;
        }
        // The night that this evening brings, and the one that last evening brought past midnight.
        let evening = self.trading.contains(&day) && next.as_ref().is_some_and(|next| self.nights.contains(next));
        let yesterday = date.yesterday().expect("a day").to_string();
        let past_midnight =
            self.trading.contains(&yesterday) && first.as_ref().is_some_and(|first| self.nights.contains(first));
        let open = self.trading.contains(&day);
        let commodity = "09:00-10:15 10:30-11:30 13:30-15:00";
        for (spans, night, night_end, last) in [
            (commodity, "21:00-02:30", 24 * 60 + 150, 900),
            (commodity, "21:00-01:00", 24 * 60 + 60, 900),
            (commodity, "21:00-23:00", 1_380, 900),
            (commodity, "", 0, 900),
            ("09:30-11:30 13:00-15:00", "", 0, 900),
            ("09:30-11:30 13:00-15:15", "", 0, 915),
        ] {
            let hours = FutureHours::parse(spans, night).expect("hours");
            let index = spans.starts_with("09:30");
            for (at, minute) in edges(date) {
                let had_night = !night.is_empty() && self.nights.contains(&day);
                let start = if index { 570 } else { 540 };
                let want = match minute {
                    _ if !night.is_empty() && past_midnight && minute + 24 * 60 < night_end => {
                        Some((first.clone(), Part::Continuous))
                    }
                    _ if open && !had_night && (start - 5..start).contains(&minute) => {
                        Some((Some(day.clone()), Part::OpeningAuction))
                    }
                    540..615 | 630..690 | 810..900 if open && !index => Some((Some(day.clone()), Part::Continuous)),
                    570..690 | 780..900 if open && index => Some((Some(day.clone()), Part::Continuous)),
                    900..915 if open && last == 915 => Some((Some(day.clone()), Part::Continuous)),
                    1_255..1_260 if !night.is_empty() && evening => Some((next.clone(), Part::OpeningAuction)),
                    _ if !night.is_empty() && evening && minute >= 1_260 && minute < night_end => {
                        Some((next.clone(), Part::Continuous))
                    }
                    _ => None,
                };
                let told = |s: Session| (Some(s.day.to_string()), s.part);
                assert_eq!(self.futures.at(&hours, at).map(told), want, "{spans} {night} on {day} at {minute}");
                if day.as_str() < "2026-12-31" {
                    let belongs = if open && minute >= last { next.clone() } else { first.clone() };
                    let told = shown(self.futures.trade_date(&hours, at));
                    assert_eq!(told, belongs, "{spans} {night} on {day} at {minute}");
                }
            }
        }
    }
}

/// The instants around each edge of the day in China, with the minute that each is in.
fn edges(date: Date) -> impl Iterator<Item = (Timestamp, i64)> {
    EDGES.iter().flat_map(move |edge| {
        let at = instant(&date, *edge);
        let before = (*edge > 0).then(|| (Timestamp::from_us(at.us() - 1), edge - 1));
        std::iter::once((at, *edge)).chain(before)
    })
}

fn instant(date: &Date, minute: i64) -> Timestamp {
    china_instant(trade_date(&date.to_string()), 0, minute as u32, 0)
}

fn days(first: &str, last: &str) -> impl Iterator<Item = Date> {
    let last: Date = last.parse().expect("a date");
    let first: Date = first.parse().expect("a date");
    first.series(1.day()).take_while(move |day| *day <= last)
}

fn column(text: &str, name: &'static str) -> impl Iterator<Item = String> {
    let values: Vec<String> = Csv::text(text).rows().map(|row| row.get(name).to_owned()).collect();
    values.into_iter()
}

fn shown(day: Option<TradeDate>) -> Option<String> {
    day.map(|day| day.to_string())
}

fn trade_date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a date")
}

fn book() -> RuleBook {
    RuleBook::parse(&[
        include_str!("../../../conf/rules/cn_equity_rules.csv"),
        include_str!("../../../conf/rules/cn_lots.csv"),
        include_str!("../../../conf/rules/cn_supplement.csv"),
    ])
    .expect("the rules")
}

fn instrument(code: &str, board: Board) -> Instrument {
    Instrument {
        symbol: Symbol::parse(code).expect("a symbol"),
        name: "".into(),
        board,
        st: false,
        settle: Settle::Ordinary,
        etf_20pct: false,
        listed_on: None,
        currency: Currency::Cny,
        history: Arc::default(),
    }
}
