//! The trading days of the China A-share market, and what the clock says on such a day.
//!
//! China keeps UTC+8 without daylight saving, so local time is plain integer arithmetic. The days come from data; what
//! lies outside the data is unknown and answered with `None`, never guessed from the weekday.

pub mod sessions;

use crate::csv::{CsvError, Table};
use crate::rules::{DayRules, Hours};
use crate::units::{Span, Timestamp, TradeDate};

const US_PER_SEC: i64 = 1_000_000;
const US_PER_DAY: i64 = 86_400 * US_PER_SEC;
const CHINA_OFFSET: i64 = 8 * 3_600 * US_PER_SEC;

/// The text is no list of trading days.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error("line {line}: not a date")]
    Date { line: usize },
    #[error("line {line}: not after the day before it")]
    Order { line: usize },
    #[error("line {line}: a Saturday or Sunday")]
    Weekend { line: usize },
    #[error("line {line}: {days} days after the day before it, which is more than any holiday")]
    Gap { line: usize, days: i64 },
    #[error("line {line}: the early close {value:?} is not known of this market")]
    EarlyClose { line: usize, value: String },
    #[error("line {line}: night_session is {value:?}, neither 0 nor 1")]
    Night { line: usize, value: String },
    #[error("line {line}: the two days do not follow each other, or not the line before")]
    Follows { line: usize },
    #[error("the time zone of the market is not known")]
    Zone,
    #[error("no trading days")]
    Empty,
    /// New data for a market must tell of the past what was told before.
    #[error("{day} was {}a trading day until now", if *.traded { "" } else { "not " })]
    Past { day: TradeDate, traded: bool },
    #[error("the hours of {day} were others until now")]
    PastHours { day: TradeDate },
}

/// The part of the trading day that an instant falls into. Each part contains its first microsecond and not its last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// No trading day (or none that is known), or before 09:15.
    Closed,
    /// 09:15 to 09:25. From 09:20 on the exchange refuses cancels.
    OpeningAuction,
    /// 09:25 to 09:30: Shenzhen queues orders, Shanghai refuses them.
    PreContinuous,
    /// 09:30 to 11:30 and 13:00 to the closing auction, or to 15:00 where there is none.
    Continuous,
    /// 11:30 to 13:00.
    LunchBreak,
    /// 14:57 to 15:00. The exchange refuses cancels.
    ClosingAuction,
    /// From 15:00 to the end of the day.
    AfterClose,
    /// 15:05 to 15:30, at the closing price, for instruments that have it.
    AfterHours,
}

/// What [`Calendar::next_open`] shall wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// 09:15.
    Auction,
    /// 09:30 or 13:00.
    Continuous,
}

/// The known trading days, in order. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    days: Vec<TradeDate>,
    first: TradeDate,
    last: TradeDate,
    /// Trading days before each calendar day from the first on, and one more: every order asks for its day.
    before: Vec<u32>,
    /// The day number of the first.
    first_number: i64,
}

impl Calendar {
    /// Reads a table with the column `date` (`2019-02-01`), one rising trading day a row.
    ///
    /// # Errors
    /// [`CalendarError`] names the first line that is no date or not in order.
    pub fn parse(cn_a_share_csv: &str) -> Result<Self, CalendarError> {
        let table = Table::parse(cn_a_share_csv)?;
        let date = table.column("date")?;
        let mut days: Vec<TradeDate> = Vec::with_capacity(table.rows().len());
        for row in table.rows() {
            let day = TradeDate::parse(row.get(date))
                .filter(|day| date_of_day_number(day_number(*day)) == *day)
                .ok_or(CalendarError::Date { line: row.line })?;
            if matches!(day_number(day).rem_euclid(7), 2 | 3) {
                return Err(CalendarError::Weekend { line: row.line }); // 1970-01-01 was a Thursday
            }
            match days.last().map(|before| days_between(*before, day)) {
                Some(..=0) => return Err(CalendarError::Order { line: row.line }),
                Some(days) if days > GAP_MAX => return Err(CalendarError::Gap { line: row.line, days }),
                _ => {}
            }
            days.push(day);
        }
        match (days.first().copied(), days.last().copied()) {
            (Some(first), Some(last)) => {
                let before = (0..=days_between(first, last) + 1).scan(0, |known, n| {
                    let now = *known;
                    let today = days.get(now as usize).is_some_and(|day| days_between(first, *day) == n);
                    *known += u32::from(today);
                    Some(now)
                });
                let before = before.collect();
                Ok(Self { days, first, last, before, first_number: day_number(first) })
            }
            _ => Err(CalendarError::Empty),
        }
    }

    /// Whether this may follow `old` as the calendar of its market: it says the same of every day before `today` that
    /// both cover, so that nothing which was decided by the old one becomes wrong.
    ///
    /// # Errors
    /// [`CalendarError::Past`] with the first day on which they differ.
    pub fn may_follow(&self, old: &Self, today: TradeDate) -> Result<(), CalendarError> {
        let common = |day: TradeDate| day < today && self.covers(day) && old.covers(day);
        let differs = |a: &Self, b: &Self| a.days.iter().copied().find(|day| common(*day) && !b.is_trading_day(*day));
        let (lost, new) = (differs(old, self), differs(self, old));
        match lost.into_iter().chain(new).min() {
            Some(day) => Err(CalendarError::Past { day, traded: lost == Some(day) }),
            None => Ok(()),
        }
    }

    /// Calendar days from `today` to the last one that is known; negative when it is past. New data should come while
    /// there are still 30.
    #[must_use]
    pub fn days_left(&self, today: TradeDate) -> i64 {
        days_between(today, self.last)
    }

    /// Whether the market trades on this day. `false` outside the data: ask [`Calendar::covers`] to tell the two apart.
    #[must_use]
    pub fn is_trading_day(&self, date: TradeDate) -> bool {
        self.place(date).is_some()
    }

    /// Which trading day this is, from 0.
    fn place(&self, date: TradeDate) -> Option<u32> {
        self.around(day_number(date)).filter(|(before, after)| after > before).map(|(before, _)| before)
    }

    /// How many trading days there are before the day of this number, and until its end; `None` outside the data.
    fn around(&self, number: i64) -> Option<(u32, u32)> {
        let day = usize::try_from(number - self.first_number).ok()?;
        Some((*self.before.get(day)?, *self.before.get(day + 1)?))
    }

    /// Whether the data says anything about this day.
    #[must_use]
    pub fn covers(&self, date: TradeDate) -> bool {
        self.first <= date && date <= self.last
    }

    #[must_use]
    pub fn first_day(&self) -> TradeDate {
        self.first
    }

    /// The last trading day that is known. Import new data before it comes.
    #[must_use]
    pub fn last_day(&self) -> TradeDate {
        self.last
    }

    /// The first trading day after this day; `None` when either is outside the data.
    #[must_use]
    pub fn next_trading_day(&self, date: TradeDate) -> Option<TradeDate> {
        self.covers(date).then(|| self.days.get(self.days.partition_point(|day| *day <= date)).copied()).flatten()
    }

    /// The last trading day before this day; `None` when either is outside the data.
    #[must_use]
    pub fn prev_trading_day(&self, date: TradeDate) -> Option<TradeDate> {
        let before = self.days.partition_point(|day| *day < date).checked_sub(1)?;
        if self.covers(date) { self.days.get(before).copied() } else { None }
    }

    /// Which trading day of its life `day` is for an instrument listed on `listed_on`, from 1; `None` when one of the
    /// two is no known trading day or `day` comes first. What [`crate::rules::RuleBook::day`] asks for.
    #[must_use]
    pub fn listing_day_index(&self, listed_on: TradeDate, day: TradeDate) -> Option<u32> {
        let (listed, today) = (self.place(listed_on)?, self.place(day)?);
        today.checked_sub(listed)?.checked_add(1)
    }

    /// The trading day at this instant, by which accounts count: today before 15:30 on a trading day, when the last of
    /// it has traded, else the next trading day.
    #[must_use]
    pub fn trade_date(&self, at: Timestamp) -> Option<TradeDate> {
        self.day_ending(at, DAY_END)
    }

    /// The trading day that an A-share order at this instant belongs to: today before 15:00 on a trading day, else the
    /// next trading day.
    #[must_use]
    pub fn share_date(&self, at: Timestamp) -> Option<TradeDate> {
        self.day_ending(at, CLOSE)
    }

    /// The trading day in which a price of this instant was made: from the opening auction on today's, before it and on
    /// days without trading the one before. What is told in the evening is still of the day that is over.
    #[must_use]
    pub fn price_date(&self, at: Timestamp) -> Option<TradeDate> {
        let (today, time) = china_day_time(at);
        let (before, after) = self.around(today)?;
        let begun = if time < OPENING_AUCTION { before } else { after };
        self.days.get(begun.checked_sub(1)? as usize).copied()
    }

    fn day_ending(&self, at: Timestamp, end: i64) -> Option<TradeDate> {
        let (today, time) = china_day_time(at);
        let (before, after) = self.around(today)?;
        self.days.get(if time < end { before } else { after } as usize).copied()
    }

    /// What the market does at this instant. Whether there is a closing auction depends on instrument and date:
    /// [`crate::rules::DayRules::closing_auction`].
    #[must_use]
    pub fn phase(&self, at: Timestamp, closing_auction: bool) -> Phase {
        let (today, time) = china_day_time(at);
        if time < OPENING_AUCTION || self.around(today).is_none_or(|(before, after)| before == after) {
            return Phase::Closed;
        }
        match time {
            _ if time < PRE_CONTINUOUS => Phase::OpeningAuction,
            _ if time < MORNING => Phase::PreContinuous,
            _ if time < LUNCH => Phase::Continuous,
            _ if time < AFTERNOON => Phase::LunchBreak,
            _ if time < CLOSING_AUCTION => Phase::Continuous,
            _ if time < CLOSE && closing_auction => Phase::ClosingAuction,
            _ if time < CLOSE => Phase::Continuous,
            _ => Phase::AfterClose,
        }
    }

    /// Whether the exchange takes cancels at this instant: neither from 09:20 until trading begins, nor in the closing
    /// auction and after it. Where there is no closing auction it takes them until 15:00.
    #[must_use]
    pub fn takes_cancels(&self, at: Timestamp, closing_auction: bool) -> bool {
        match self.phase(at, closing_auction) {
            Phase::OpeningAuction => china_day_time(at).1 < OPENING_CANCELS_END,
            Phase::PreContinuous | Phase::ClosingAuction => false,
            // What the auction brings comes when the session is over, and nobody leaves it before.
            Phase::AfterClose => !closing_auction,
            Phase::Closed | Phase::Continuous | Phase::LunchBreak | Phase::AfterHours => true,
        }
    }

    /// How old a price is that was made at `seen`: time in which none is made does not count, between the opening auction
    /// and the morning, at lunch, and in the closing auction.
    #[must_use]
    pub fn price_age(&self, seen: Timestamp, at: Timestamp, closing_auction: bool) -> Span {
        let ((day, from), (today, to)) = (china_day_time(seen), china_day_time(at));
        if day != today {
            return at.since(seen);
        }
        let closing = if closing_auction { CLOSING_AUCTION } else { CLOSE };
        let quiet = [(PRE_CONTINUOUS, MORNING), (LUNCH, AFTERNOON), (closing, CLOSE)];
        let passed = |time: i64| time - quiet.iter().map(|(a, b)| (time.min(*b) - a).max(0)).sum::<i64>();
        Span::from_us(passed(to) - passed(from))
    }

    /// Whether only what trades late is left of the day.
    #[must_use]
    pub fn is_late(&self, at: Timestamp) -> bool {
        self.share_date(at) != self.trade_date(at)
    }

    /// What the market does at this instant for an instrument with these rules of the day.
    #[must_use]
    pub fn phase_of(&self, at: Timestamp, rules: &DayRules) -> Phase {
        match self.phase(at, rules.closing_auction) {
            Phase::AfterClose => {
                let (_, time) = china_day_time(at);
                match time {
                    _ if rules.hours == Hours::Repo && time < DAY_END => Phase::Continuous,
                    _ if rules.after_hours && (AFTER_HOURS..DAY_END).contains(&time) => Phase::AfterHours,
                    _ => Phase::AfterClose,
                }
            }
            phase => phase,
        }
    }

    /// The first instant from `at` on (`at` itself included) at which the opening auction or a continuous session
    /// starts.
    #[must_use]
    pub fn next_open(&self, at: Timestamp, opening: Opening) -> Option<Timestamp> {
        let starts: &[i64] = match opening {
            Opening::Auction => &[OPENING_AUCTION],
            Opening::Continuous => &[MORNING, AFTERNOON],
        };
        let day = self.trade_date(at)?;
        let today = starts.iter().map(|start| on_day(day, *start)).find(|start| *start >= at);
        today.or_else(|| Some(on_day(self.next_trading_day(day)?, *starts.first()?)))
    }

    /// 15:00 of the next session in which an A share trades: today's when that is still to come, else the next trading
    /// day's. Until then a signal lives that names no deadline.
    #[must_use]
    pub fn session_end(&self, at: Timestamp) -> Option<Timestamp> {
        self.share_date(at).map(|day| on_day(day, CLOSE))
    }

    /// 15:30 of the trading day at this instant: then the next one begins for the accounts.
    #[must_use]
    pub fn day_end(&self, at: Timestamp) -> Option<Timestamp> {
        self.trade_date(at).map(|day| on_day(day, DAY_END))
    }
}

// The schedule of Shanghai, Shenzhen and Beijing. The rule book refuses a table with other times.
const OPENING_AUCTION: i64 = time_of_day(9, 15, 0);
const OPENING_CANCELS_END: i64 = time_of_day(9, 20, 0);
const PRE_CONTINUOUS: i64 = time_of_day(9, 25, 0);
const MORNING: i64 = time_of_day(9, 30, 0);
const LUNCH: i64 = time_of_day(11, 30, 0);
const AFTERNOON: i64 = time_of_day(13, 0, 0);
const CLOSING_AUCTION: i64 = time_of_day(14, 57, 0);
const CLOSE: i64 = time_of_day(15, 0, 0);
const AFTER_HOURS: i64 = time_of_day(15, 5, 0);
/// Nothing of the day is left: repo and trading after hours end here, futures of treasury bonds a quarter of an hour before.
const DAY_END: i64 = time_of_day(15, 30, 0);

/// The longest closure on record took 20 days, a Spring Festival of the 1990s. More is a hole in the data.
const GAP_MAX: i64 = 24;

const fn time_of_day(hh: u32, mm: u32, ss: u32) -> i64 {
    (hh as i64 * 3_600 + mm as i64 * 60 + ss as i64) * US_PER_SEC
}

/// The date in China and the microseconds since its midnight. Instants outside the years 1900 to 2999 are taken as
/// their nearest end.
#[must_use]
pub fn china_date_time(at: Timestamp) -> (TradeDate, i64) {
    let (day, time) = china_day_time(at);
    (date_of_day_number(day), time)
}

/// The same with the number of the day, which costs less than its date.
fn china_day_time(at: Timestamp) -> (i64, i64) {
    let local = at.us().saturating_add(CHINA_OFFSET);
    (local.div_euclid(US_PER_DAY), local.rem_euclid(US_PER_DAY))
}

/// The instant at which clocks in China show this time of this date. Parts beyond their range carry over: 24:00:00 is
/// the next midnight.
#[must_use]
pub fn china_instant(date: TradeDate, hh: u32, mm: u32, ss: u32) -> Timestamp {
    on_day(date, time_of_day(hh, mm, ss))
}

fn on_day(date: TradeDate, micros_of_day: i64) -> Timestamp {
    Timestamp::from_us(day_number(date) * US_PER_DAY - CHINA_OFFSET).plus(Span::from_us(micros_of_day))
}

/// The date so many calendar days later.
#[must_use]
pub fn days_later(from: TradeDate, days: i64) -> TradeDate {
    date_of_day_number(day_number(from).saturating_add(days))
}

/// Calendar days (not trading days) from one date to another; negative when `to` comes first.
#[must_use]
pub fn days_between(from: TradeDate, to: TradeDate) -> i64 {
    day_number(to) - day_number(from)
}

/// Days since 1970-01-01 of a Gregorian date. The year is taken to begin in March, so that the leap day is its last
/// and the days before each month follow one linear formula.
const fn day_number(date: TradeDate) -> i64 {
    let value = date.yyyymmdd() as i64;
    let (year, month, day) = (value / 10_000, value / 100 % 100, value % 100);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`day_number`], held inside the years that a [`TradeDate`] can say.
fn date_of_day_number(number: i64) -> TradeDate {
    const FIRST: TradeDate = constant_date(19_000_101);
    const LAST: TradeDate = constant_date(29_991_231);
    let shifted = number.clamp(day_number(FIRST), day_number(LAST)) + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    TradeDate::from_yyyymmdd((year * 10_000 + month * 100 + day) as u32).unwrap_or(LAST)
}

const fn constant_date(yyyymmdd: u32) -> TradeDate {
    match TradeDate::from_yyyymmdd(yyyymmdd) {
        Some(date) => date,
        None => panic!("a constant that is no date"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calendar() -> Calendar {
        Calendar::parse(include_str!("../../conf/calendars/cn_a_share_trading_days.csv")).expect("the calendar")
    }

    fn date(text: &str) -> TradeDate {
        TradeDate::parse(text).expect("a date")
    }

    fn at(day: &str, hhmmss: u32) -> Timestamp {
        china_instant(date(day), hhmmss / 10_000, hhmmss / 100 % 100, hhmmss % 100)
    }

    #[test]
    fn cancels_are_refused_from_0920_until_trading_begins_and_in_the_closing_auction() {
        let taken = |hhmmss, closing| calendar().takes_cancels(at("2025-03-03", hhmmss), closing);
        for (hhmmss, expected) in [
            (91_459, true),
            (91_500, true),
            (91_959, true),
            (92_000, false),
            (92_500, false),
            (92_959, false),
            (93_000, true),
            (120_000, true),
            (145_659, true),
            (145_700, false),
            (150_000, false),
        ] {
            assert_eq!(taken(hhmmss, true), expected, "at {hhmmss}");
        }
        assert!(taken(145_700, false) && taken(145_959, false), "where there is no closing auction");
        assert!(calendar().takes_cancels(at("2025-03-02", 92_100), true), "on a Sunday nobody is in the way");
    }

    #[test]
    fn no_price_grows_old_while_none_is_made() {
        let all = Calendar::parse("date\n2025-03-03\n2025-03-04\n").expect("days");
        let day = TradeDate::from_yyyymmdd(20_250_303).expect("a day");
        let at = |hh, mm, ss| china_instant(day, hh, mm, ss);
        let age = |seen, now, closing| all.price_age(seen, now, closing).us() / 1_000_000;
        assert_eq!(age(at(9, 24, 50), at(9, 30, 7), true), 17, "between the auction and the morning");
        assert_eq!(age(at(11, 29, 50), at(13, 0, 7), true), 17, "at lunch");
        assert_eq!(age(at(14, 56, 50), at(14, 59, 50), true), 10, "in the closing auction");
        assert_eq!(age(at(14, 56, 50), at(14, 59, 50), false), 180, "where there is none");
        assert_eq!(age(at(10, 0, 0), at(10, 0, 7), true), 7);
        let yesterday = all.price_age(at(14, 59, 0), china_instant(day, 33, 30, 0), true).us() / 1_000_000;
        assert_eq!(yesterday, 66_660);
    }

    #[test]
    fn the_data_covers_all_days_from_the_first_to_the_end_of_2026() {
        let calendar = calendar();
        assert_eq!((calendar.first_day(), calendar.last_day()), (date("1990-12-19"), date("2026-12-31")));
        assert_eq!(calendar.days.len(), 8_797);
    }

    #[test]
    fn holidays_weekends_and_working_days_the_exchange_keeps_closed_are_no_trading_days() {
        let calendar = calendar();
        assert!(calendar.is_trading_day(date("2019-02-01")));
        // 2024-02-04 was a make-up working Sunday, 2024-02-09 a working Friday on which the exchanges stayed closed.
        for closed in ["2019-02-02", "2019-02-04", "2019-10-01", "2024-02-04", "2024-02-09"] {
            assert!(!calendar.is_trading_day(date(closed)), "{closed}");
        }
        assert_eq!(calendar.next_trading_day(date("2019-02-01")), Some(date("2019-02-11")));
        assert_eq!(calendar.prev_trading_day(date("2019-02-11")), Some(date("2019-02-01")));
        assert_eq!(calendar.prev_trading_day(date("2019-02-07")), Some(date("2019-02-01")));
    }

    #[test]
    fn beyond_the_data_nothing_is_guessed() {
        let calendar = calendar();
        assert_eq!(calendar.next_trading_day(date("2026-12-31")), None);
        assert_eq!(calendar.prev_trading_day(date("2027-01-04")), None);
        assert_eq!(calendar.prev_trading_day(date("1990-12-19")), None);
        assert_eq!(calendar.next_trading_day(date("1990-12-18")), None);
        assert_eq!(calendar.trade_date(at("2026-12-31", 152_959)), Some(date("2026-12-31")));
        assert_eq!(calendar.trade_date(at("2026-12-31", 153_000)), None);
        assert_eq!(calendar.day_end(at("2026-12-31", 153_000)), None);
        assert_eq!(calendar.share_date(at("2026-12-31", 145_959)), Some(date("2026-12-31")));
        assert_eq!(calendar.share_date(at("2026-12-31", 150_000)), None);
        assert_eq!(calendar.trade_date(at("2027-01-04", 100_000)), None);
        assert_eq!(calendar.session_end(at("2026-12-31", 150_000)), None);
        assert_eq!(calendar.next_open(at("2026-12-31", 150_000), Opening::Auction), None);
        assert!(!calendar.covers(date("2027-01-04")) && !calendar.is_trading_day(date("2027-01-04")));
        assert_eq!(calendar.phase(at("2027-01-04", 100_000), true), Phase::Closed);
    }

    #[test]
    fn a_trading_day_has_its_phases() {
        let calendar = calendar();
        let phases = [
            (91_459, Phase::Closed),
            (91_500, Phase::OpeningAuction),
            (92_459, Phase::OpeningAuction),
            (92_500, Phase::PreContinuous),
            (93_000, Phase::Continuous),
            (112_959, Phase::Continuous),
            (113_000, Phase::LunchBreak),
            (130_000, Phase::Continuous),
            (145_659, Phase::Continuous),
            (145_700, Phase::ClosingAuction),
            (145_959, Phase::ClosingAuction),
            (150_000, Phase::AfterClose),
            (235_959, Phase::AfterClose),
        ];
        for (time, phase) in phases {
            assert_eq!(calendar.phase(at("2019-02-01", time), true), phase, "{time}");
            assert_eq!(calendar.phase(at("2019-02-02", time), true), Phase::Closed, "{time} on a Saturday");
        }
        assert_eq!(calendar.phase(at("2019-02-01", 145_959), false), Phase::Continuous);
    }

    #[test]
    fn f62_an_order_after_the_close_belongs_to_the_next_trading_day() {
        let calendar = calendar();
        for (time, of_shares, of_accounts) in [
            (0, "2019-02-01", "2019-02-01"),
            (145_959, "2019-02-01", "2019-02-01"),
            (150_000, "2019-02-11", "2019-02-01"),
            (152_959, "2019-02-11", "2019-02-01"),
            (153_000, "2019-02-11", "2019-02-11"),
        ] {
            let then = at("2019-02-01", time);
            assert_eq!(calendar.share_date(then), Some(date(of_shares)), "{time}");
            assert_eq!(calendar.trade_date(then), Some(date(of_accounts)), "{time}");
        }
        for (day, time, made) in [
            ("2019-02-01", 91_459, "2019-01-31"),
            ("2019-02-01", 91_500, "2019-02-01"),
            ("2019-02-01", 160_000, "2019-02-01"),
            ("2019-02-05", 100_000, "2019-02-01"),
            ("2019-02-11", 80_000, "2019-02-01"),
        ] {
            assert_eq!(calendar.price_date(at(day, time)), Some(date(made)), "{day} {time}");
        }
        assert_eq!(calendar.price_date(at("1990-12-19", 90_000)), None);
        assert_eq!(calendar.share_date(at("2019-02-05", 100_000)), Some(date("2019-02-11")));
        assert_eq!(calendar.trade_date(at("2019-02-05", 100_000)), Some(date("2019-02-11")));
        assert_eq!(calendar.day_end(at("2019-02-01", 152_959)), Some(at("2019-02-01", 153_000)));
        assert_eq!(calendar.day_end(at("2019-02-01", 153_000)), Some(at("2019-02-11", 153_000)));
        assert_eq!(calendar.session_end(at("2019-02-01", 110_000)), Some(at("2019-02-01", 150_000)));
        assert_eq!(calendar.session_end(at("2019-02-01", 150_000)), Some(at("2019-02-11", 150_000)));
    }

    #[test]
    fn the_next_opening_is_found_across_lunch_and_holidays() {
        let calendar = calendar();
        let continuous = |t| calendar.next_open(t, Opening::Continuous);
        assert_eq!(continuous(at("2019-02-01", 80_000)), Some(at("2019-02-01", 93_000)));
        assert_eq!(continuous(at("2019-02-01", 93_000)), Some(at("2019-02-01", 93_000)));
        assert_eq!(continuous(at("2019-02-01", 93_001)), Some(at("2019-02-01", 130_000)));
        assert_eq!(continuous(at("2019-02-01", 130_001)), Some(at("2019-02-11", 93_000)));
        let auction = |t| calendar.next_open(t, Opening::Auction);
        assert_eq!(auction(at("2019-02-01", 91_500)), Some(at("2019-02-01", 91_500)));
        assert_eq!(auction(at("2019-02-01", 91_501)), Some(at("2019-02-11", 91_500)));
        assert_eq!(auction(at("2019-02-01", 200_000)), Some(at("2019-02-11", 91_500)));
    }

    #[test]
    fn listing_days_are_counted_in_trading_days_from_one() {
        let calendar = calendar();
        assert_eq!(calendar.listing_day_index(date("2023-08-08"), date("2023-08-08")), Some(1));
        assert_eq!(calendar.listing_day_index(date("2023-08-08"), date("2023-08-14")), Some(5));
        assert_eq!(calendar.listing_day_index(date("2023-08-08"), date("2023-08-07")), None);
        assert_eq!(calendar.listing_day_index(date("2023-08-08"), date("2023-08-12")), None, "a Saturday");
    }

    #[test]
    fn text_that_is_no_calendar_is_refused() {
        assert_eq!(Calendar::parse("date\n"), Err(CalendarError::Empty));
        assert_eq!(Calendar::parse("date\n2019-02-30\n"), Err(CalendarError::Date { line: 2 }));
        assert_eq!(Calendar::parse("date\n2019-02-01\n2019-02-01\n"), Err(CalendarError::Order { line: 3 }));
        assert_eq!(Calendar::parse("date\n2019-02-02\n"), Err(CalendarError::Weekend { line: 2 }));
        assert_eq!(Calendar::parse("date\n2019-02-03\n"), Err(CalendarError::Weekend { line: 2 }));
        let hole = Calendar::parse("date\n2019-02-01\n2019-03-01\n");
        assert_eq!(hole, Err(CalendarError::Gap { line: 3, days: 28 }));
        assert_eq!(Calendar::parse("day\n2019-02-01\n"), Err(CalendarError::Csv(CsvError::NoColumn("date"))));
    }

    #[test]
    fn new_data_may_add_days_and_must_not_change_the_past() {
        let old = Calendar::parse("date\n2026-12-29\n2026-12-30\n2026-12-31\n").expect("a calendar");
        let next = |text: &str| Calendar::parse(&format!("date\n{text}")).expect("a calendar");
        let today = date("2026-12-31");
        assert_eq!(next("2026-12-29\n2026-12-30\n2026-12-31\n2027-01-04\n").may_follow(&old, today), Ok(()));
        assert_eq!(next("2026-12-29\n2026-12-30\n2027-01-04\n").may_follow(&old, today), Ok(()), "today may yet close");
        let lost = next("2026-12-29\n2026-12-31\n").may_follow(&old, today).expect_err("the 30th is lost");
        assert_eq!(lost.to_string(), "2026-12-30 was a trading day until now");
        let found = old.may_follow(&next("2026-12-29\n2026-12-31\n"), today).expect_err("the 30th is new");
        assert_eq!(found.to_string(), "2026-12-30 was not a trading day until now");
        assert_eq!((old.days_left(date("2026-12-01")), old.days_left(date("2027-01-01"))), (30, -1));
    }

    #[test]
    fn instants_outside_the_representable_years_stay_inside_them() {
        assert_eq!(china_date_time(Timestamp::from_us(i64::MIN)).0, date("1900-01-01"));
        assert_eq!(china_date_time(Timestamp::from_us(i64::MAX)).0, date("2999-12-31"));
    }

    #[test]
    fn every_day_of_eleven_centuries_is_where_jiff_has_it() {
        let mut day = jiff::civil::date(1900, 1, 1);
        let epoch = jiff::civil::date(1970, 1, 1);
        for number in day_number(date("1900-01-01"))..=day_number(date("2999-12-31")) {
            let (y, m, d) = (day.year() as u32, day.month() as u32, day.day() as u32);
            let date = TradeDate::from_yyyymmdd(y * 10_000 + m * 100 + d).expect("a date");
            assert_eq!((date_of_day_number(number), day_number(date)), (date, number));
            day = day.tomorrow().expect("a next day");
        }
        assert_eq!(days_between(date("1970-01-01"), date("2999-12-31")) + 1, i64::from((day - epoch).get_days()));
    }

    proptest! {
        #[test]
        fn china_time_is_what_jiff_says_and_converts_back(us in -2_000_000_000_000_000_i64..30_000_000_000_000_000) {
            let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
            let local = jiff::Timestamp::from_microsecond(us).expect("in range").to_zoned(zone).datetime();
            let (day, time) = china_date_time(Timestamp::from_us(us));
            let expected = (local.year() as u32 * 100 + local.month() as u32) * 100 + local.day() as u32;
            prop_assert_eq!(day.yyyymmdd(), expected);
            let seconds = i64::from(local.hour()) * 3_600 + i64::from(local.minute()) * 60 + i64::from(local.second());
            prop_assert_eq!(time, seconds * US_PER_SEC + i64::from(local.subsec_nanosecond()) / 1_000);
            prop_assert_eq!(on_day(day, time), Timestamp::from_us(us));
        }
    }
}
