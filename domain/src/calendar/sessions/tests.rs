use super::*;
use crate::units::Span;

const MAINLAND: &str = include_str!("../../../../conf/calendars/cn_a_share_trading_days.csv");
const NIGHTS: &str = include_str!("../../../../conf/calendars/cn_futures_night_sessions.csv");
const HKEX: &str = include_str!("../../../../conf/calendars/hkex_sessions.csv");
const NYSE: &str = include_str!("../../../../conf/calendars/nyse_sessions.csv");

fn date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a date")
}

fn china(day: &str, hh: u32, mm: u32) -> Timestamp {
    china_instant(date(day), hh, mm, 0)
}

fn utc(text: &str) -> Timestamp {
    Timestamp::from_us(text.parse::<jiff::Timestamp>().expect("an instant").as_microsecond())
}

fn futures() -> FutureDays {
    let mainland = Calendar::parse(MAINLAND).expect("the days");
    FutureDays::parse("nights", NIGHTS, &mainland).expect("the nights")
}

#[test]
fn new_york_opens_an_hour_earlier_in_universal_time_while_its_clocks_are_forward() {
    let sessions = Sessions::new_york("nyse", NYSE).expect("the days");
    let open = |text| sessions.next_open(utc(text));
    // Clocks went forward on Sunday 2026-03-08 and back on Sunday 2026-11-01.
    assert_eq!(open("2026-03-06T05:00:00Z"), Some(utc("2026-03-06T14:30:00Z")));
    assert_eq!(open("2026-03-09T04:00:00Z"), Some(utc("2026-03-09T13:30:00Z")));
    assert_eq!(open("2026-10-30T04:00:00Z"), Some(utc("2026-10-30T13:30:00Z")));
    assert_eq!(open("2026-10-30T20:00:00Z"), Some(utc("2026-11-02T14:30:00Z")));
    assert_eq!(sessions.session_end(utc("2026-11-27T15:00:00Z")), Some(utc("2026-11-27T18:00:00Z")), "13:00 local");
    assert_eq!(sessions.trade_date(utc("2026-11-27T18:00:00Z")), Some(date("2026-11-30")));
    let after = sessions.at(utc("2026-11-27T21:59:59Z")).map(|session| session.part);
    assert_eq!(after, Some(Part::PostMarket), "until 17:00 on a half day");
    assert_eq!(sessions.at(utc("2026-11-27T22:00:00Z")), None);
    // In China it is the next day already.
    assert_eq!(sessions.at(china("2026-11-28", 0, 30)).map(|session| session.day), Some(date("2026-11-27")));
}

#[test]
fn hong_kong_has_no_afternoon_on_a_half_day() {
    let sessions = Sessions::hong_kong("hkex", HKEX).expect("the days");
    let parts = |day: &str| -> Vec<String> {
        let shown = |s: Session| {
            let hhmm = |at: Timestamp| china_date_time(at).1 / 60_000_000;
            format!("{} {:04}", s.part, hhmm(s.from) / 60 * 100 + hhmm(s.from) % 60)
        };
        sessions.of(date(day)).expect("a known day").into_iter().map(shown).collect()
    };
    let full = ["opening_auction 0900", "continuous 0930", "continuous 1300", "closing_auction 1600"];
    assert_eq!(parts("2026-02-13"), full);
    assert_eq!(parts("2026-02-16"), ["opening_auction 0900", "continuous 0930", "closing_auction 1200"]);
    assert_eq!(parts("2026-02-17"), [""; 0], "new year");
    assert_eq!(sessions.trade_date(china("2026-02-16", 12, 0)), Some(date("2026-02-20")));
    assert_eq!(sessions.of(date("2016-07-22")), None, "the hours were others");
    assert_eq!(sessions.of(date("2027-01-04")), None);
}

#[test]
fn a_night_belongs_to_the_next_trading_day_and_fails_before_a_holiday() {
    let days = futures();
    let gold = FutureHours::parse("09:00-10:15 10:30-11:30 13:30-15:00", "21:00-02:30").expect("hours");
    let eggs = FutureHours { night: None, ..gold.clone() };
    let day_of = |hours, at| days.trade_date(hours, at);
    // Friday night is Monday's, until Saturday 02:30.
    assert_eq!(day_of(&gold, china("2026-01-09", 21, 0)), Some(date("2026-01-12")));
    let late = china("2026-01-10", 2, 29);
    assert_eq!(days.at(&gold, late).map(|s| (s.day, s.part)), Some((date("2026-01-12"), Part::Continuous)));
    assert_eq!(days.at(&gold, late.plus(Span::from_secs(60))), None);
    assert_eq!(days.at(&eggs, late), None);
    // Friday 2026-02-13 is the eve of the Spring Festival: no night, and the 24th opens with an auction at 08:55.
    assert_eq!((days.night(date("2026-02-24")), days.night(date("2026-02-25"))), (Some(false), Some(true)));
    assert_eq!(days.next_open(&gold, china("2026-02-13", 15, 0)), Some(china("2026-02-24", 9, 0)));
    assert_eq!(days.at(&gold, china("2026-02-13", 21, 0)), None);
    let auction = days.at(&gold, china("2026-02-24", 8, 55)).map(|s| s.part);
    assert_eq!(auction, Some(Part::OpeningAuction));
    assert_eq!(days.at(&gold, china("2026-02-25", 8, 55)), None, "the night before had one");
    assert_eq!(days.at(&gold, china("2026-02-24", 20, 57)).map(|s| s.part), Some(Part::OpeningAuction));
    assert_eq!(days.at(&gold, china("2026-02-24", 10, 20)), None, "the morning's break");
}

#[test]
fn a_night_that_nobody_knows_of_is_not_guessed() {
    let days = futures();
    let gold = FutureHours::parse("09:00-10:15", "21:00-02:30").expect("hours");
    assert_eq!(days.of(&gold, date("2013-07-05")), None, "before the first night");
    assert_eq!(days.of(&gold, date("2027-01-04")), None);
    assert_eq!(days.trade_date(&gold, china("2026-12-31", 21, 0)), None);
    assert_eq!(days.of(&gold, date("2026-02-16")), Some(Vec::new()), "a holiday is known");
}

#[test]
fn a_file_that_is_wrong_is_told_with_its_name_and_line() {
    let hk = |rows: &str| {
        Sessions::hong_kong("new/hkex.csv", &format!("date,early_close_local\n{rows}"))
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        hk("2026-01-02,\n2026-01-05,13:00\n"),
        "new/hkex.csv: line 3: the early close \"13:00\" is not known of this market"
    );
    assert_eq!(hk("2026-01-02,\n2026-01-02,\n"), "new/hkex.csv: line 3: not after the day before it");
    assert_eq!(hk("2026-01-02,\n2026-01-03,\n"), "new/hkex.csv: line 3: a Saturday or Sunday");
    assert_eq!(hk("2026-01-02,\n2026-13-05,\n"), "new/hkex.csv: line 3: not a date");
    assert_eq!(
        hk("2026-01-02,\n2026-06-05,\n"),
        "new/hkex.csv: line 3: 154 days after the day before it, which is more than any holiday"
    );
    assert_eq!(hk(""), "new/hkex.csv: no trading days");
    let bare = Sessions::new_york("new/nyse.csv", "date\n2026-01-02\n").expect_err("refused").to_string();
    assert_eq!(bare, "new/nyse.csv: no column \"early_close_local\"");
    assert_eq!(hk("2026-01-02\n"), "new/hkex.csv: line 2: 1 fields, the header has 2");
    let mainland = Calendar::parse(MAINLAND).expect("the days");
    let night = |rows: &str| {
        let text = format!("trading_day,prev_trading_day,night_session\n{rows}");
        FutureDays::parse("new/nights.csv", &text, &mainland).expect_err("refused").to_string()
    };
    let first = "2026-01-06,2026-01-05,1\n";
    let apart = "the two days do not follow each other, or not the line before";
    assert_eq!(night(&format!("{first}2026-01-08,2026-01-07,1\n")), format!("new/nights.csv: line 3: {apart}"));
    assert_eq!(night("2026-01-06,2026-01-02,1\n"), format!("new/nights.csv: line 2: {apart}"));
    assert_eq!(
        night(&format!("{first}2026-01-07,2026-01-06,yes\n")),
        "new/nights.csv: line 3: night_session is \"yes\", neither 0 nor 1"
    );
}

#[test]
fn hours_that_do_not_rise_are_refused() {
    for (day, night) in [
        ("", ""),
        ("09:00-08:00", ""),
        ("09:00-10:15 10:00-11:30", ""),
        ("9:00-10:15", ""),
        ("09:00-10:15", "21:00"),
        ("09:00-10:15", "21:00-21:00"),
        ("09:00-24:15", ""),
    ] {
        assert_eq!(FutureHours::parse(day, night), None, "{day:?} {night:?}");
    }
}

#[test]
fn new_sessions_must_tell_of_the_past_what_was_told_before() {
    let hk = |rows: &str| Sessions::hong_kong("hkex", &format!("date,early_close_local\n{rows}")).expect("the days");
    let old = hk("2026-12-23,\n2026-12-24,12:00\n2026-12-28,\n");
    let today = date("2026-12-28");
    assert_eq!(hk("2026-12-23,\n2026-12-24,12:00\n2026-12-29,\n").may_follow(&old, today), Ok(()));
    let other = CalendarError::PastHours { day: date("2026-12-24") };
    assert_eq!(hk("2026-12-23,\n2026-12-24,\n2026-12-28,\n").may_follow(&old, today), Err(other.clone()));
    assert_eq!(other.to_string(), "the hours of 2026-12-24 were others until now");
    let lost = CalendarError::Past { day: date("2026-12-24"), traded: true };
    assert_eq!(hk("2026-12-23,\n2026-12-28,\n").may_follow(&old, today), Err(lost));
    let (mainland, days) = (Calendar::parse(MAINLAND).expect("the days"), futures());
    let changed = |day: &str, from: &str, to: &str| {
        let text = NIGHTS.replacen(&format!("{day},{from}"), &format!("{day},{to}"), 1);
        FutureDays::parse("nights", &text, &mainland).expect("the nights").may_follow(&days, today)
    };
    let line = "2026-02-25,2026-02-24";
    assert_eq!(changed(line, "1", "0"), Err(CalendarError::PastHours { day: date("2026-02-25") }));
    assert_eq!(changed("2026-12-29,2026-12-28", "1", "0"), Ok(()), "what is to come may change");
    assert_eq!(days.range(), Some((date("2013-07-08"), date("2026-12-31"))));
}
