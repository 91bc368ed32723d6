//! The trading days of each market: the files that came with the program, and newer ones that were imported into the
//! data folder. Of two that say when a market trades, the one that reaches further holds.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use signalbox_domain::calendar::sessions::{FutureDays, InFile, Sessions};
use signalbox_domain::calendar::{Calendar, CalendarError};
use signalbox_domain::units::TradeDate;

/// So many days before the last known trading day, new ones should be imported.
pub const ALARM_DAYS: i64 = 30;

/// Below the data folder.
const FOLDER: &str = "calendars";

const MAINLAND: (&str, &str) =
    ("cn_a_share_trading_days.csv", include_str!("../../conf/calendars/cn_a_share_trading_days.csv"));
const NIGHTS: (&str, &str) =
    ("cn_futures_night_sessions.csv", include_str!("../../conf/calendars/cn_futures_night_sessions.csv"));
const HONG_KONG: (&str, &str) = ("hkex_sessions.csv", include_str!("../../conf/calendars/hkex_sessions.csv"));
const NEW_YORK: (&str, &str) = ("nyse_sessions.csv", include_str!("../../conf/calendars/nyse_sessions.csv"));

const FILES: [(&str, &str); 4] = [MAINLAND, NIGHTS, HONG_KONG, NEW_YORK];

/// A file of trading days that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CalendarsError {
    #[error(transparent)]
    File(#[from] InFile),
    #[error("nothing is imported, since another file would not fit to it: {0}")]
    Together(InFile),
    #[error("{0} cannot be read or written")]
    Io(PathBuf, #[source] io::Error),
    #[error(
        "{0} is not called as a file of trading days is: {mainland}, {nights}, {hong_kong} or {new_york}",
        mainland = MAINLAND.0, nights = NIGHTS.0, hong_kong = HONG_KONG.0, new_york = NEW_YORK.0
    )]
    Name(PathBuf),
}

/// The trading days of all markets.
#[derive(Debug, Clone)]
pub struct Calendars {
    pub mainland: Calendar,
    pub nights: FutureDays,
    pub hong_kong: Sessions,
    pub new_york: Sessions,
}

/// How far a file reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    pub file: &'static str,
    pub first: TradeDate,
    pub last: TradeDate,
    /// Calendar days from today to the last one.
    pub days_left: i64,
}

impl Calendars {
    /// # Errors
    /// [`CalendarsError`] names the file and the line that is wrong.
    pub fn load(data_dir: &Path) -> Result<Self, CalendarsError> {
        Self::with(|name| imported(data_dir, name))
    }

    fn with(imported: impl Fn(&str) -> Result<Option<Text>, CalendarsError>) -> Result<Self, CalendarsError> {
        let mainland = newest(MAINLAND, imported(MAINLAND.0)?, parse_mainland, |days| days.last_day())?;
        let parse_nights = |file: &str, text: &str| FutureDays::parse(file, text, &mainland);
        let to_last = |days: &Sessions| days.calendar().last_day();
        Ok(Self {
            nights: newest(NIGHTS, imported(NIGHTS.0)?, parse_nights, |days| days.range().map(|(_, last)| last))?,
            hong_kong: newest(HONG_KONG, imported(HONG_KONG.0)?, Sessions::hong_kong, to_last)?,
            new_york: newest(NEW_YORK, imported(NEW_YORK.0)?, Sessions::new_york, to_last)?,
            mainland,
        })
    }

    /// Checks files of trading days and keeps a copy of them in the data folder, for the next start. Each must be called as
    /// the one that came with the program, tell of the days before `today` what is known of them, and fit to the others.
    ///
    /// # Errors
    /// [`CalendarsError`] names the file and the line that is wrong; nothing is changed then.
    pub fn import(data_dir: &Path, files: &[PathBuf], today: TradeDate) -> Result<(), CalendarsError> {
        let mut new: BTreeMap<&'static str, Text> = BTreeMap::new();
        for file in files {
            let text = fs::read_to_string(file).map_err(|e| CalendarsError::Io(file.clone(), e))?;
            let named = FILES.into_iter().find(|(name, _)| file.file_name() == Some(OsStr::new(name)));
            let (name, _) = named.ok_or_else(|| CalendarsError::Name(file.clone()))?;
            new.insert(name, Text { shown: file.display().to_string(), text });
        }
        // With files that cannot be used nothing has traded yet, so they are not what new ones have to follow.
        let now = match Self::load(data_dir) {
            Ok(now) => now,
            Err(_) => Self::with(|_| Ok(None))?,
        };
        let then = Self::with(|name| match new.get(name) {
            Some(text) => Ok(Some(text.clone())),
            None => imported(data_dir, name),
        });
        let then = then.map_err(|error| match error {
            CalendarsError::File(fault) if new.values().all(|text| text.shown != fault.file) => {
                CalendarsError::Together(fault)
            }
            error => error,
        })?;
        for (name, Text { shown, text }) in &new {
            let follows = match *name {
                name if name == MAINLAND.0 => parse_mainland(shown, text)?.may_follow(&now.mainland, today),
                name if name == NIGHTS.0 => {
                    FutureDays::parse(shown, text, &then.mainland)?.may_follow(&now.nights, today)
                }
                name if name == HONG_KONG.0 => Sessions::hong_kong(shown, text)?.may_follow(&now.hong_kong, today),
                _ => Sessions::new_york(shown, text)?.may_follow(&now.new_york, today),
            };
            follows.map_err(|fault| InFile { file: shown.clone(), fault })?;
        }
        new.iter().try_for_each(|(name, text)| keep(data_dir, name, &text.text))
    }

    /// How far each file reaches, seen from this day.
    #[must_use]
    pub fn reach(&self, today: TradeDate) -> Vec<Reach> {
        let whole = |file, days: &Calendar| (file, Some((days.first_day(), days.last_day())));
        let files = [
            whole(MAINLAND.0, &self.mainland),
            (NIGHTS.0, self.nights.range()),
            whole(HONG_KONG.0, self.hong_kong.calendar()),
            whole(NEW_YORK.0, self.new_york.calendar()),
        ];
        let reach = |(file, range): (&'static str, Option<(TradeDate, TradeDate)>)| {
            let (first, last) = range?;
            Some(Reach { file, first, last, days_left: signalbox_domain::calendar::days_between(today, last) })
        };
        files.into_iter().filter_map(reach).collect()
    }
}

fn parse_mainland(file: &str, text: &str) -> Result<Calendar, InFile> {
    Calendar::parse(text).map_err(|fault: CalendarError| InFile { file: file.to_owned(), fault })
}

/// A file that was imported, or is to be.
#[derive(Debug, Clone)]
struct Text {
    shown: String,
    text: String,
}

fn imported(data_dir: &Path, name: &str) -> Result<Option<Text>, CalendarsError> {
    let path = data_dir.join(FOLDER).join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Text { shown: path.display().to_string(), text })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(CalendarsError::Io(path, e)),
    }
}

fn keep(data_dir: &Path, name: &str, text: &str) -> Result<(), CalendarsError> {
    let folder = data_dir.join(FOLDER);
    let failed = |e| CalendarsError::Io(folder.join(name), e);
    fs::create_dir_all(&folder).map_err(failed)?;
    // A start that meets half a file would refuse to trade.
    let draft = folder.join(format!("{name}.draft"));
    let mut out = File::create(&draft).map_err(failed)?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
    fs::rename(&draft, folder.join(name)).map_err(failed)
}

/// The imported file if there is one that reaches further than what came with the program.
fn newest<T, L: PartialOrd>(
    (name, shipped): (&'static str, &str),
    imported: Option<Text>,
    parse: impl Fn(&str, &str) -> Result<T, InFile>,
    last: impl Fn(&T) -> L,
) -> Result<T, CalendarsError> {
    let came = parse(name, shipped)?;
    let Some(Text { shown, text }) = imported else { return Ok(came) };
    let imported = parse(&shown, &text)?;
    Ok(if last(&imported) > last(&came) { imported } else { came })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> TradeDate {
        TradeDate::parse(text).unwrap()
    }

    #[test]
    fn what_came_with_the_program_reaches_to_the_end_of_2026() {
        let folder = tempfile::tempdir().unwrap();
        let reach = Calendars::load(folder.path()).unwrap().reach(date("2026-12-01"));
        let left: Vec<_> = reach.iter().map(|reach| (reach.file, reach.days_left)).collect();
        assert_eq!(left, [(MAINLAND.0, 30), (NIGHTS.0, 30), (HONG_KONG.0, 30), (NEW_YORK.0, 353)]);
    }

    #[test]
    fn imported_days_hold_from_the_next_start_on() {
        let folder = tempfile::tempdir().unwrap();
        let (data, today) = (folder.path(), date("2026-12-31"));
        let file = folder.path().join(MAINLAND.0);
        fs::write(&file, format!("{}2027-01-04\n2027-01-05\n", MAINLAND.1)).unwrap();
        Calendars::import(data, &[file], today).unwrap();
        let nights = folder.path().join(NIGHTS.0);
        fs::write(&nights, format!("{}2027-01-04,2026-12-31,0\n2027-01-05,2027-01-04,1\n", NIGHTS.1)).unwrap();
        Calendars::import(data, &[nights], today).unwrap();
        let now = Calendars::load(data).unwrap();
        assert_eq!(now.mainland.next_trading_day(today), Some(date("2027-01-04")));
        assert_eq!(
            (now.nights.night(date("2027-01-04")), now.nights.night(date("2027-01-05"))),
            (Some(false), Some(true))
        );
        // A later program that knows more is not held back by an old import.
        fs::write(data.join(FOLDER).join(MAINLAND.0), "date\n2026-12-30\n").unwrap();
        let kept = imported(data, MAINLAND.0).unwrap();
        assert_eq!(newest(MAINLAND, kept, parse_mainland, |days| days.last_day()).unwrap().last_day(), today);
    }

    #[test]
    fn a_file_that_is_wrong_changes_nothing_and_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let today = date("2026-11-21");
        let refuse = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            let told = Calendars::import(folder.path(), &[file], today).unwrap_err().to_string();
            told.replace(&folder.path().display().to_string(), "new")
        };
        let saturday = format!("{}2027-01-02\n", MAINLAND.1);
        assert_eq!(refuse(MAINLAND.0, &saturday), format!("new/{}: line 8799: a Saturday or Sunday", MAINLAND.0));
        let rewritten = MAINLAND.1.replacen("2026-11-20\n", "", 1);
        let told = format!("new/{}: 2026-11-20 was a trading day until now", MAINLAND.0);
        assert_eq!(refuse(MAINLAND.0, &rewritten), told);
        assert!(refuse("days.csv", MAINLAND.1).starts_with("new/days.csv is not called as a file of trading days is"));
        assert!(!folder.path().join(FOLDER).exists());
    }

    #[test]
    fn a_file_that_does_not_fit_to_the_others_is_not_kept_and_a_good_one_repairs_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (data, today) = (folder.path(), date("2026-12-31"));
        let file = |name: &str, text: &str| {
            let file = data.join(name);
            fs::write(&file, text).unwrap();
            file
        };
        // The nights that came with the program follow days that it does not have.
        let only_new = "date\n2027-01-04\n2027-01-05\n";
        let mainland = file(MAINLAND.0, only_new);
        let told = Calendars::import(data, std::slice::from_ref(&mainland), today).unwrap_err().to_string();
        assert!(told.contains("would not fit") && told.contains(NIGHTS.0), "{told}");
        assert!(!data.join(FOLDER).exists());

        fs::create_dir(data.join(FOLDER)).unwrap();
        fs::write(data.join(FOLDER).join(MAINLAND.0), only_new).unwrap();
        fs::write(data.join(FOLDER).join(NIGHTS.0), "none").unwrap();
        assert!(Calendars::load(data).is_err());
        let mainland = file(MAINLAND.0, &format!("{}2027-01-04\n2027-01-05\n", MAINLAND.1));
        let nights = file(NIGHTS.0, &format!("{}2027-01-04,2026-12-31,0\n", NIGHTS.1));
        // One of the two would leave the other as it is.
        assert!(Calendars::import(data, std::slice::from_ref(&mainland), today).is_err());
        Calendars::import(data, &[nights, mainland], today).unwrap();
        assert_eq!(Calendars::load(data).unwrap().mainland.last_day(), date("2027-01-05"));

        fs::write(data.join(FOLDER).join(MAINLAND.0), only_new).unwrap();
        assert!(Calendars::load(data).is_err());
        Calendars::import(data, &[data.join(MAINLAND.0)], today).unwrap();
        assert_eq!(Calendars::load(data).unwrap().mainland.last_day(), date("2027-01-05"));
    }
}
