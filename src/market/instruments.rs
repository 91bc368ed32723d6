//! The instruments that can be traded: the tables that came with the program, and rows that were imported into the data
//! folder. Of two rows about one symbol the imported one holds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use signalbox_domain::calendar::Calendar;
use signalbox_domain::instrument::{Instruments, InstrumentsError};
use signalbox_domain::issues::{IssuesError, NewIssues};
use signalbox_domain::rules::abroad::{ForeignBook, ForeignError};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::TradeDate;

use super::calendars::{Calendars, CalendarsError};

/// Below the data folder.
const FOLDER: &str = "instruments";

/// Shares, funds, bonds and repo of the mainland: `symbol,name,board,st,settle,etf_20pct,listed_on,currency`.
const MAINLAND: Shipped = Shipped("cn_equity.csv", include_str!("../../conf/instruments/cn_equity.csv"));
/// Their dated states: `symbol,status,from,until,source`.
const STATUS: Shipped = Shipped("cn_status.csv", include_str!("../../conf/instruments/cn_status.csv"));
/// Shares of Hong Kong and New York: `symbol,name,lot,currency,listed_on,mark,source`.
const ABROAD: Shipped = Shipped("abroad.csv", include_str!("../../conf/instruments/abroad.csv"));
/// What is subscribed to before it is listed: `symbol,name,board,listing,subscribe_on,issue_price,unit,quantity_max,source`.
const ISSUES: Shipped = Shipped("new_issues.csv", include_str!("../../conf/instruments/new_issues.csv"));

/// A table that came with the program: what it is called, and its text.
#[derive(Debug, Clone, Copy)]
struct Shipped(&'static str, &'static str);

/// A table of instruments that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{0} cannot be read or written")]
    Io(PathBuf, #[source] io::Error),
    #[error(
        "{0} is not called as a table of instruments is: {mainland}, {status}, {abroad} or {issues}",
        mainland = MAINLAND.0, status = STATUS.0, abroad = ABROAD.0, issues = ISSUES.0
    )]
    Name(PathBuf),
    #[error("the first line of {0} is not {1:?}")]
    Header(PathBuf, &'static str),
    #[error("{MAINLAND}: {0}", MAINLAND = MAINLAND.0)]
    Mainland(InstrumentsError),
    #[error("{STATUS}: {0}", STATUS = STATUS.0)]
    Status(InstrumentsError),
    #[error("{ABROAD}: {0}", ABROAD = ABROAD.0)]
    Abroad(ForeignError),
    #[error("{MAINLAND} and {ABROAD}: {0}", MAINLAND = MAINLAND.0, ABROAD = ABROAD.0)]
    Both(InstrumentsError),
    #[error("{ISSUES}: {0}", ISSUES = ISSUES.0)]
    Issues(IssuesError),
    #[error("{ISSUES}: line {line}: {symbol} is subscribed to on {day}, which is no trading day", ISSUES = ISSUES.0)]
    NoTradingDay { line: usize, symbol: Symbol, day: TradeDate },
    #[error("the trading days cannot be read")]
    Days(#[from] CalendarsError),
}

/// All known instruments, and what is known of those abroad beside.
#[derive(Debug, Clone)]
pub struct Known {
    pub instruments: Instruments,
    pub abroad: ForeignBook,
    pub issues: NewIssues,
}

/// # Errors
/// [`ImportError`] names the table and the line that is wrong.
pub fn load(data_dir: &Path) -> Result<Known, ImportError> {
    Tables::stored(data_dir)?.known()
}

/// Checks tables and keeps their rows in the data folder, for the next start: all of them or none. Each must be called as
/// the one that came with the program and have its columns; rows of a symbol replace what was known of it, and a symbol
/// that is not named stays, since books may hold it.
///
/// # Errors
/// [`ImportError`]; nothing is changed then.
pub fn import(data_dir: &Path, files: &[PathBuf]) -> Result<Known, ImportError> {
    let mut tables = Tables::stored(data_dir)?;
    let mut changed = BTreeSet::new();
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (shipped, own) = tables.named(name).ok_or_else(|| ImportError::Name(file.clone()))?;
        let text = fs::read_to_string(file).map_err(|e| ImportError::Io(file.clone(), e))?;
        let header = header(shipped.1);
        if header != self::header(&text) {
            return Err(ImportError::Header(file.clone(), header));
        }
        if shipped.0 == MAINLAND.0 {
            Instruments::parse(&text).map_err(ImportError::Mainland)?; // tells the line of this file
        }
        if shipped.0 == ISSUES.0 {
            check_issues(&text, &Calendars::load(data_dir)?.mainland)?;
        }
        *own = over(own, &text);
        changed.insert(shipped.0);
    }
    let known = tables.known()?;
    let folder = data_dir.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| ImportError::Io(folder.clone(), e))?;
    for name in changed {
        let path = folder.join(name);
        let failed = |e| ImportError::Io(path.clone(), e);
        let Some((_, own)) = tables.named(name) else { continue };
        // A start that meets half a file would refuse to trade.
        let draft = folder.join(format!("{name}.draft"));
        let mut out = File::create(&draft).map_err(failed)?;
        out.write_all(own.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
        fs::rename(&draft, &path).map_err(failed)?;
    }
    Ok(known)
}

/// Tells what is wrong by the lines of the file, and days on which nobody can subscribe.
fn check_issues(text: &str, calendar: &Calendar) -> Result<(), ImportError> {
    let issues = NewIssues::parse(text).map_err(ImportError::Issues)?;
    let closed = |day: TradeDate| calendar.covers(day) && !calendar.is_trading_day(day);
    let Some(issue) = issues.iter().find(|issue| closed(issue.subscribe_on)) else { return Ok(()) };
    let line = text.lines().position(|line| symbol_of(line) == issue.symbol.as_str()).map_or(0, |index| index + 1);
    Err(ImportError::NoTradingDay { line, symbol: issue.symbol, day: issue.subscribe_on })
}

/// What was imported of each table; nothing but the header where nothing was.
#[derive(Debug)]
struct Tables([(Shipped, String); 4]);

impl Tables {
    fn stored(data_dir: &Path) -> Result<Self, ImportError> {
        let read = |shipped: Shipped| {
            let path = data_dir.join(FOLDER).join(shipped.0);
            match fs::read_to_string(&path) {
                Ok(text) => Ok((shipped, text)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok((shipped, format!("{}\n", header(shipped.1)))),
                Err(e) => Err(ImportError::Io(path, e)),
            }
        };
        Ok(Self([read(MAINLAND)?, read(STATUS)?, read(ABROAD)?, read(ISSUES)?]))
    }

    fn named(&mut self, name: &str) -> Option<(Shipped, &mut String)> {
        self.0.iter_mut().find(|(shipped, _)| shipped.0 == name).map(|(shipped, own)| (*shipped, own))
    }

    fn known(&self) -> Result<Known, ImportError> {
        let [mainland, status, abroad, issues] = self.0.each_ref().map(|(shipped, own)| over(shipped.1, own));
        let instruments = Instruments::parse(&mainland).map_err(ImportError::Mainland)?;
        let instruments = instruments.with_history(&status).map_err(ImportError::Status)?;
        let rules = include_str!("../../conf/rules/abroad.csv");
        let abroad = ForeignBook::parse(&abroad, rules).map_err(ImportError::Abroad)?;
        let instruments = instruments.with_abroad(&abroad).map_err(ImportError::Both)?;
        let issues = NewIssues::parse(&issues).map_err(ImportError::Issues)?;
        issues.fit(&instruments).map_err(ImportError::Issues)?;
        Ok(Known { instruments, abroad, issues })
    }
}

fn header(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim_end()
}

/// The symbol stands first in every table, and no name has a line break.
fn symbol_of(line: &str) -> &str {
    line.split(',').next().unwrap_or_default().trim().trim_matches('"')
}

/// One table with the header of both: the rows of the second, and those of the first whose symbols it does not name.
fn over(first: &str, second: &str) -> String {
    let rows = |text| str::lines(text).skip(1).filter(|line| !line.trim().is_empty());
    let named: BTreeSet<&str> = rows(second).map(symbol_of).collect();
    let kept = rows(first).filter(|line| !named.contains(symbol_of(line)));
    let lines = std::iter::once(header(first)).chain(kept).chain(rows(second));
    lines.flat_map(|line| [line.trim_end(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "symbol,name,board,st,settle,etf_20pct,listed_on,currency";

    /// Writes the tables beside the data and imports them together.
    fn bring(data: &Path, tables: &[(&str, &str)]) -> Result<Known, String> {
        let new = data.join("new");
        fs::create_dir_all(&new).unwrap();
        let write = |(name, text): &(&str, &str)| {
            fs::write(new.join(name), text).unwrap();
            new.join(name)
        };
        let files: Vec<PathBuf> = tables.iter().map(write).collect();
        import(data, &files).map_err(|e| e.to_string().replace(&new.display().to_string(), "new"))
    }

    fn name(known: &Known, symbol: &str) -> Option<String> {
        known.instruments.get(Symbol::parse(symbol).unwrap()).map(|i| i.name.to_string())
    }

    #[test]
    fn imported_rows_hold_over_those_that_came_with_the_program_and_none_is_lost() {
        let data = tempfile::tempdir().unwrap();
        let shipped = load(data.path()).unwrap().instruments.len();
        let first = format!(
            "{HEADER}\n113050.SH,南银转债,convertible,0,ordinary,0,2021-07-01,CNY\n600000.SH,\"浦发,银行\",main,0,ordinary,0,,CNY\n"
        );
        bring(data.path(), &[("cn_equity.csv", &first)]).unwrap();
        // A byte order mark and other line ends, as spreadsheets make them.
        let second = format!("\u{feff}{HEADER}\r\n900901.SH,云赛B股,b_share,0,ordinary,0,,USD\r\n\r\n");
        let abroad =
            "symbol,name,lot,currency,listed_on,mark,source\n9988.HK,阿里巴巴-W,100,HKD,2019-11-26,K,the issuer\n";
        bring(data.path(), &[("cn_equity.csv", &second), ("abroad.csv", abroad)]).unwrap();
        let known = load(data.path()).unwrap();
        assert_eq!(known.instruments.len(), shipped + 3);
        let names = ["113050.SH", "600000.SH", "900901.SH", "9988.HK", "000001.SZ"].map(|s| name(&known, s));
        assert_eq!(
            names.map(Option::unwrap_or_default),
            ["南银转债", "浦发,银行", "云赛B股", "阿里巴巴-W", "平安银行"]
        );
        assert!(known.abroad.shares().clone().any(|share| share.symbol == Symbol::parse("9988.HK").unwrap()));
    }

    #[test]
    fn a_risk_warning_ends_with_its_state_in_one_step_and_in_no_half_of_it() {
        let data = tempfile::tempdir().unwrap();
        let st = |data: &Path| load(data).unwrap().instruments.get(Symbol::parse("600289.SH").unwrap()).unwrap().st;
        assert!(st(data.path()));
        let table = format!("{HEADER}\n600289.SH,信通,main,0,ordinary,0,,CNY\n");
        let status = "symbol,status,from,until,source\n600289.SH,st,2020-01-02,2026-11-02,the company\n";
        assert_eq!(
            bring(data.path(), &[("cn_status.csv", status)]).unwrap_err(),
            "cn_status.csv: 600289.SH is marked st=true, and its dated states say otherwise"
        );
        assert!(st(data.path()));
        bring(data.path(), &[("cn_status.csv", status), ("cn_equity.csv", &table)]).unwrap();
        assert!(!st(data.path()));
    }

    #[test]
    fn new_issues_are_imported_with_the_instruments_or_not_at_all() {
        let data = tempfile::tempdir().unwrap();
        assert!(load(data.path()).unwrap().issues.is_empty());
        let header = NewIssues::HEADER;
        let star = "787999.SH,made up,star,688999.SH,2025-03-04,56.78,500,9000,made up";
        let szse = "301999.SZ,made up,chinext,301999.SZ,2025-03-05,7.50,500,10500,made up";
        bring(data.path(), &[("new_issues.csv", &format!("{header}\n{star}\n"))]).unwrap();
        bring(data.path(), &[("new_issues.csv", &format!("\u{feff}{header}\r\n{szse}\r\n"))]).unwrap();
        let stored = |data: &Path| {
            let known = load(data).unwrap();
            known.issues.iter().map(|issue| format!("{} {}", issue.symbol, issue.price)).collect::<Vec<_>>()
        };
        assert_eq!(stored(data.path()), ["301999.SZ 7.50", "787999.SH 56.78"]);
        bring(data.path(), &[("new_issues.csv", &format!("{header}\n{}\n", star.replace("56.78", "55.00")))]).unwrap();
        assert_eq!(stored(data.path()), ["301999.SZ 7.50", "787999.SH 55.00"]);

        let refuse =
            |rows: &str| bring(data.path(), &[("new_issues.csv", &format!("{header}\n{rows}\n"))]).unwrap_err();
        let twice = format!("{star}\n{star}");
        assert_eq!(refuse(&twice), "new_issues.csv: line 3: 787999.SH appears twice");
        assert_eq!(
            refuse(&format!("{szse}\n{}", star.replace("2025-03-04", "2025-03-08"))),
            "new_issues.csv: line 3: 787999.SH is subscribed to on 2025-03-08, which is no trading day"
        );
        assert_eq!(
            refuse(&star.replace("56.78", "free")),
            "new_issues.csv: line 2: issue_price has the unknown value \"free\""
        );
        // The share is listed before the day on which the other table says that it is subscribed to.
        let listed = format!("{HEADER}\n301999.SZ,made up,chinext,0,ordinary,0,2025-02-28,CNY\n");
        assert_eq!(
            bring(data.path(), &[("cn_equity.csv", &listed)]).unwrap_err(),
            "new_issues.csv: 301999.SZ is listed since 2025-02-28, and would be subscribed to on 2025-03-05"
        );
        assert_eq!(stored(data.path()), ["301999.SZ 7.50", "787999.SH 55.00"]);
        assert_eq!(name(&load(data.path()).unwrap(), "301999.SZ"), None);
    }

    #[test]
    fn a_table_that_is_wrong_changes_nothing_and_is_told() {
        let data = tempfile::tempdir().unwrap();
        let refuse = |name: &str, text: &str| {
            let good = format!("{HEADER}\n113050.SH,南银转债,convertible,0,ordinary,0,,CNY\n");
            bring(data.path(), &[("cn_equity.csv", &good), (name, text)]).unwrap_err()
        };
        assert!(refuse("shares.csv", HEADER).starts_with("new/shares.csv is not called as a table of instruments is"));
        assert!(refuse("abroad.csv", "symbol,name\n").starts_with("the first line of new/abroad.csv is not"));
        let twice = "symbol,name,lot,currency,listed_on,mark,source\n9988.HK,a,100,HKD,,K,x\n9988.HK,b,100,HKD,,K,x\n";
        assert!(refuse("abroad.csv", twice).starts_with("abroad.csv: "));
        assert!(!data.path().join(FOLDER).exists());
    }
}
