//! When Hong Kong, New York and the Chinese futures exchanges trade: the sessions of a trading day as instants, with
//! half days, nights that belong to the next trading day, and daylight saving.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Calendar, CalendarError, china_date_time, china_instant};
use crate::csv::Table;
use crate::units::{Timestamp, TradeDate};

/// What an order can do in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Part {
    /// Orders are collected and matched once, just before trading begins.
    OpeningAuction,
    Continuous,
    /// Hong Kong: from the end of trading to a random end; here its latest.
    ClosingAuction,
    /// New York, before and after regular hours.
    PreMarket,
    PostMarket,
}

/// A stretch of time in which orders are taken. It contains its first microsecond and not its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The trading day that it belongs to: for a night session the day after.
    pub day: TradeDate,
    pub part: Part,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// A text that says when a market trades, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct InFile {
    pub file: String,
    pub fault: CalendarError,
}

/// The sessions of the stock exchange of Hong Kong or of those in New York.
#[derive(Debug, Clone)]
pub struct Sessions {
    days: Calendar,
    /// The minute at which regular trading ends on a half day.
    half_days: BTreeMap<TradeDate, u16>,
    place: &'static Place,
    /// `None` where clocks show the time of China.
    zone: Option<TimeZone>,
}

/// A part from one minute of the local day to another.
type Slot = (Part, u16, u16);

#[derive(Debug)]
struct Place {
    zone: Option<&'static str>,
    /// Before this day the hours were others.
    since: TradeDate,
    /// The last one follows regular trading; on a half day it does so as well, as long as on others.
    slots: &'static [Slot],
    /// The minutes at which regular trading of a half day is known to end.
    early: &'static [u16],
}

const fn minute(hh: u16, mm: u16) -> u16 {
    hh * 60 + mm
}

/// The closing auction came on 2016-07-25.
static HONG_KONG: Place = Place {
    zone: None,
    since: super::constant_date(20_160_725),
    slots: &[
        (Part::OpeningAuction, minute(9, 0), minute(9, 30)),
        (Part::Continuous, minute(9, 30), minute(12, 0)),
        (Part::Continuous, minute(13, 0), minute(16, 0)),
        (Part::ClosingAuction, minute(16, 0), minute(16, 10)),
    ],
    early: &[minute(12, 0), minute(12, 30)],
};

static NEW_YORK: Place = Place {
    zone: Some("America/New_York"),
    since: super::constant_date(19_900_102),
    slots: &[
        (Part::PreMarket, minute(4, 0), minute(9, 30)),
        (Part::Continuous, minute(9, 30), minute(16, 0)),
        (Part::PostMarket, minute(16, 0), minute(20, 0)),
    ],
    early: &[minute(13, 0), minute(14, 0)],
};

impl Sessions {
    /// Reads the days of Hong Kong: columns `date early_close_local`, the latter the time on a half day, or empty.
    ///
    /// # Errors
    /// [`InFile`] names the file and the first line that is wrong.
    pub fn hong_kong(file: &str, csv: &str) -> Result<Self, InFile> {
        Self::parse(&HONG_KONG, csv).map_err(|fault| InFile { file: file.to_owned(), fault })
    }

    /// Reads the days of New York: columns `date early_close_local`, the latter the time on a half day, or empty.
    ///
    /// # Errors
    /// [`InFile`] names the file and the first line that is wrong.
    pub fn new_york(file: &str, csv: &str) -> Result<Self, InFile> {
        Self::parse(&NEW_YORK, csv).map_err(|fault| InFile { file: file.to_owned(), fault })
    }

    fn parse(place: &'static Place, csv: &str) -> Result<Self, CalendarError> {
        let days = Calendar::parse(csv)?;
        let table = Table::parse(csv)?;
        let (date, early) = (table.column("date")?, table.column("early_close_local")?);
        let mut half_days = BTreeMap::new();
        for row in table.rows() {
            let mark = row.get(early);
            let day = TradeDate::parse(row.get(date)).ok_or(CalendarError::Date { line: row.line })?;
            if !mark.is_empty() {
                let ends = clock(mark).filter(|ends| place.early.contains(ends));
                let unknown = || CalendarError::EarlyClose { line: row.line, value: mark.to_owned() };
                half_days.insert(day, ends.ok_or_else(unknown)?);
            }
        }
        let zone = place.zone.map(TimeZone::get).transpose().map_err(|_| CalendarError::Zone)?;
        Ok(Self { days, half_days, place, zone })
    }

    #[must_use]
    pub const fn calendar(&self) -> &Calendar {
        &self.days
    }

    /// Whether these may follow `old`: as [`Calendar::may_follow`], half days included.
    ///
    /// # Errors
    /// [`CalendarError`] with the first day before `today` of which they say something else.
    pub fn may_follow(&self, old: &Self, today: TradeDate) -> Result<(), CalendarError> {
        self.days.may_follow(&old.days, today)?;
        let known = |day: &TradeDate| *day < today && self.days.covers(*day) && old.days.covers(*day);
        let half_days = self.half_days.keys().chain(old.half_days.keys()).copied().filter(known);
        match half_days.filter(|day| self.half_days.get(day) != old.half_days.get(day)).min() {
            Some(day) => Err(CalendarError::PastHours { day }),
            None => Ok(()),
        }
    }

    /// The sessions of the day in their order: none on a holiday, `None` where nothing is known.
    #[must_use]
    pub fn of(&self, day: TradeDate) -> Option<Vec<Session>> {
        if !self.days.covers(day) || day < self.place.since {
            return None;
        }
        if !self.days.is_trading_day(day) {
            return Some(Vec::new());
        }
        let ends = self.half_days.get(&day).copied();
        let mut found = Vec::with_capacity(self.place.slots.len());
        for (n, (part, from, until)) in self.place.slots.iter().copied().enumerate() {
            let last = n + 1 == self.place.slots.len();
            let (from, until) = match ends {
                Some(ends) if last => (ends, ends + (until - from)),
                Some(ends) => (from, until.min(ends)),
                None => (from, until),
            };
            if from < until {
                found.push(Session { day, part, from: self.instant(day, from)?, until: self.instant(day, until)? });
            }
        }
        Some(found)
    }

    /// The session at this instant; `None` when there is none, or none is known.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<Session> {
        self.of(self.local_date(at)?)?.into_iter().find(|session| session.from <= at && at < session.until)
    }

    /// The trading day that an order for regular hours at this instant belongs to: today until they end, else the next.
    #[must_use]
    pub fn trade_date(&self, at: Timestamp) -> Option<TradeDate> {
        self.upcoming(at).find(|session| session.until > at).map(|session| session.day)
    }

    /// When regular trading begins next, from the instant on.
    #[must_use]
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        self.upcoming(at).map(|session| session.from).find(|from| *from >= at)
    }

    /// When regular trading of the day of [`Sessions::trade_date`] ends.
    #[must_use]
    pub fn session_end(&self, at: Timestamp) -> Option<Timestamp> {
        let day = self.trade_date(at)?;
        regular(self.of(day)?).last().map(|session| session.until)
    }

    /// When nothing of the trading day is left at the instant: regular trading and its closing auction are over. Of a day
    /// that is over already, the next one's.
    #[must_use]
    pub fn day_end(&self, at: Timestamp) -> Option<Timestamp> {
        let days = next_two(&self.days, self.local_date(at)?);
        let end = |day| self.of(day)?.iter().rfind(|session| session.part != Part::PostMarket).map(|s| s.until);
        days.into_iter().flatten().filter_map(end).find(|end| *end > at)
    }

    /// The continuous sessions of the next two trading days from today on.
    fn upcoming(&self, at: Timestamp) -> impl Iterator<Item = Session> {
        let days = self.local_date(at).map(|today| next_two(&self.days, today)).unwrap_or_default();
        days.into_iter().flatten().filter_map(|day| self.of(day)).flat_map(regular)
    }

    fn instant(&self, day: TradeDate, minute: u16) -> Option<Timestamp> {
        let Some(zone) = &self.zone else { return Some(china_instant(day, 0, u32::from(minute), 0)) };
        let civil = civil(day)?.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        Some(Timestamp::from_us(zone.to_timestamp(civil).ok()?.as_microsecond()))
    }

    fn local_date(&self, at: Timestamp) -> Option<TradeDate> {
        let Some(zone) = &self.zone else { return Some(china_date_time(at).0) };
        let local = zone.to_datetime(jiff::Timestamp::from_microsecond(at.us()).ok()?);
        let (year, month, day) = (u32::try_from(local.year()).ok()?, local.month() as u32, local.day() as u32);
        TradeDate::from_yyyymmdd(year * 10_000 + month * 100 + day)
    }
}

/// The hours of a futures product: minutes of the day in China. A night that ends before it begins ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FutureHours {
    /// In order, never empty.
    pub day: Vec<(u16, u16)>,
    pub night: Option<(u16, u16)>,
}

impl FutureHours {
    /// Reads `09:00-10:15 10:30-11:30 13:30-15:00` and `21:00-02:30`; `night` may be empty.
    #[must_use]
    pub fn parse(day: &str, night: &str) -> Option<Self> {
        let day: Option<Vec<_>> = day.split_whitespace().map(span).collect();
        let day = day.filter(|spans| {
            let rises = spans.iter().all(|(from, until)| from < until);
            rises && !spans.is_empty() && spans.windows(2).all(|pair| pair[0].1 <= pair[1].0)
        })?;
        let night = match night {
            "" => None,
            text => Some(span(text).filter(|(from, until)| from != until)?),
        };
        Some(Self { day, night })
    }
}

fn span(text: &str) -> Option<(u16, u16)> {
    let (from, until) = text.split_once('-')?;
    Some((clock(from)?, clock(until)?))
}

/// `09:30` as the minute of the day.
fn clock(text: &str) -> Option<u16> {
    let (hh, mm) = text.split_once(':')?;
    let number = |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<u16>().ok())?;
    let (hh, mm) = (number(hh)?, number(mm)?);
    (hh < 24 && mm < 60).then_some(minute(hh, mm))
}

/// The trading days of the Chinese futures exchanges, and which of them began with a night.
#[derive(Debug, Clone)]
pub struct FutureDays {
    days: Calendar,
    nights: BTreeMap<TradeDate, bool>,
}

impl FutureDays {
    /// Reads a table with the columns `trading_day prev_trading_day night_session`: 1 when the evening session of the
    /// trading day before took place. All days must follow each other in the calendar of the mainland.
    ///
    /// # Errors
    /// [`InFile`] names the file and the first line that is wrong.
    pub fn parse(file: &str, csv: &str, mainland: &Calendar) -> Result<Self, InFile> {
        Self::read(csv, mainland).map_err(|fault| InFile { file: file.to_owned(), fault })
    }

    fn read(csv: &str, mainland: &Calendar) -> Result<Self, CalendarError> {
        let table = Table::parse(csv)?;
        let (day, before, night) =
            (table.column("trading_day")?, table.column("prev_trading_day")?, table.column("night_session")?);
        let mut nights = BTreeMap::new();
        let mut last = None;
        for row in table.rows() {
            let line = row.line;
            let day = TradeDate::parse(row.get(day)).ok_or(CalendarError::Date { line })?;
            let before = TradeDate::parse(row.get(before)).ok_or(CalendarError::Date { line })?;
            let follows = mainland.next_trading_day(before) == Some(day) && last.is_none_or(|last| last == before);
            if !follows {
                return Err(CalendarError::Follows { line });
            }
            let night = match row.get(night) {
                "0" => false,
                "1" => true,
                other => return Err(CalendarError::Night { line, value: other.to_owned() }),
            };
            last = Some(day);
            nights.insert(day, night);
        }
        if nights.is_empty() {
            return Err(CalendarError::Empty);
        }
        Ok(Self { days: mainland.clone(), nights })
    }

    /// Whether these may follow `old`: of every trading day before `today` that both know they say the same.
    ///
    /// # Errors
    /// [`CalendarError`] with the first day of which they do not.
    pub fn may_follow(&self, old: &Self, today: TradeDate) -> Result<(), CalendarError> {
        let differs = |(day, night): (&TradeDate, &bool)| old.night(*day).is_some_and(|before| before != *night);
        match self.nights.range(..today).find(|pair| differs(*pair)) {
            Some((day, _)) => Err(CalendarError::PastHours { day: *day }),
            None => Ok(()),
        }
    }

    /// The first and the last trading day whose night is known.
    #[must_use]
    pub fn range(&self) -> Option<(TradeDate, TradeDate)> {
        Some((*self.nights.first_key_value()?.0, *self.nights.last_key_value()?.0))
    }

    /// Whether the trading day began with a night session on the evening of the one before; `None` when it is no
    /// trading day or unknown.
    #[must_use]
    pub fn night(&self, day: TradeDate) -> Option<bool> {
        self.nights.get(&day).copied()
    }

    /// The sessions of the trading day in their order, the night first: none on a holiday, `None` where nothing is
    /// known. The opening auction takes five minutes before the night, or before the day when there is no night.
    #[must_use]
    pub fn of(&self, hours: &FutureHours, day: TradeDate) -> Option<Vec<Session>> {
        const AUCTION: u16 = 5;
        if !self.days.is_trading_day(day) {
            return self.days.covers(day).then(Vec::new);
        }
        let mut found = Vec::with_capacity(hours.day.len() + 2);
        let mut put = |part, on: TradeDate, from: u16, until: u16| {
            let at = |minute: u16| china_instant(on, 0, u32::from(minute), 0);
            found.push(Session { day, part, from: at(from), until: at(until) });
        };
        let night = hours.night.filter(|_| self.nights.get(&day) == Some(&true));
        if hours.night.is_some() {
            self.nights.get(&day)?;
        }
        if let Some((from, until)) = night {
            let evening = self.days.prev_trading_day(day)?;
            put(Part::OpeningAuction, evening, from.saturating_sub(AUCTION), from);
            put(Part::Continuous, evening, from, if until < from { until + minute(24, 0) } else { until });
        } else {
            let (from, _) = *hours.day.first()?;
            put(Part::OpeningAuction, day, from.saturating_sub(AUCTION), from);
        }
        for (from, until) in &hours.day {
            put(Part::Continuous, day, *from, *until);
        }
        Some(found)
    }

    /// The session at this instant; `None` when there is none, or none is known.
    #[must_use]
    pub fn at(&self, hours: &FutureHours, at: Timestamp) -> Option<Session> {
        self.upcoming(hours, at).find(|session| session.from <= at && at < session.until)
    }

    /// The trading day that an order at this instant belongs to: in the evening already the next one, with or without a
    /// night session.
    #[must_use]
    pub fn trade_date(&self, hours: &FutureHours, at: Timestamp) -> Option<TradeDate> {
        self.upcoming(hours, at).find(|session| session.until > at).map(|session| session.day)
    }

    /// When continuous trading begins next, from the instant on.
    #[must_use]
    pub fn next_open(&self, hours: &FutureHours, at: Timestamp) -> Option<Timestamp> {
        let continuous = |session: &Session| session.part == Part::Continuous && session.from >= at;
        self.upcoming(hours, at).find(continuous).map(|session| session.from)
    }

    fn upcoming(&self, hours: &FutureHours, at: Timestamp) -> impl Iterator<Item = Session> {
        let days = next_two(&self.days, china_date_time(at).0);
        days.into_iter().flatten().filter_map(|day| self.of(hours, day)).flatten()
    }
}

fn regular(sessions: Vec<Session>) -> impl Iterator<Item = Session> {
    sessions.into_iter().filter(|session| session.part == Part::Continuous)
}

/// The first two trading days from this day on, itself included.
fn next_two(days: &Calendar, day: TradeDate) -> [Option<TradeDate>; 2] {
    let first = if days.is_trading_day(day) { Some(day) } else { days.next_trading_day(day) };
    [first, first.and_then(|first| days.next_trading_day(first))]
}

fn civil(day: TradeDate) -> Option<Date> {
    let value = day.yyyymmdd();
    let (year, month, day) = (i16::try_from(value / 10_000).ok()?, value / 100 % 100, value % 100);
    Date::new(year, month as i8, day as i8).ok()
}

#[cfg(test)]
mod tests;
