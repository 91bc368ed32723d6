//! Corporate actions: the table that came with the program, and rows that were imported into the data folder. Of two rows
//! about one symbol and ex-date the imported one holds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use signalbox_domain::calendar::Calendar;
use signalbox_domain::corporate::{ActionsError, CorporateActions};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::TradeDate;

/// Below the data folder.
const FOLDER: &str = "instruments";
const FILE: &str = "cn_corporate_actions.csv";
const SHIPPED: &str = include_str!("../../conf/instruments/cn_corporate_actions.csv");

/// A table of corporate actions that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActionsImportError {
    #[error("{0} cannot be read or written")]
    Io(PathBuf, #[source] io::Error),
    #[error("the first line of {0} is not {header:?}", header = CorporateActions::HEADER)]
    Header(PathBuf),
    #[error("{0}: {1}")]
    Table(PathBuf, ActionsError),
    #[error("{file}: line {line}: {symbol} goes ex on {ex_date}, which is no trading day")]
    NoTradingDay { file: PathBuf, line: usize, symbol: Symbol, ex_date: TradeDate },
}

/// # Errors
/// [`ActionsImportError`] names the table and the line that is wrong.
pub fn load(data_dir: &Path) -> Result<CorporateActions, ActionsImportError> {
    let (path, own) = stored(data_dir)?;
    CorporateActions::parse(&over(SHIPPED, &own)).map_err(|e| ActionsImportError::Table(path, e))
}

/// Checks tables and keeps their rows in the data folder, for the next start: all of them or none. A row replaces what was
/// known of its symbol and ex-date; one of nothing but zeros takes it back.
///
/// # Errors
/// [`ActionsImportError`]; nothing is changed then.
pub fn import(data_dir: &Path, files: &[PathBuf], calendar: &Calendar) -> Result<CorporateActions, ActionsImportError> {
    let (path, mut own) = stored(data_dir)?;
    for file in files {
        let text = fs::read_to_string(file).map_err(|e| ActionsImportError::Io(file.clone(), e))?;
        if header(&text) != CorporateActions::HEADER {
            return Err(ActionsImportError::Header(file.clone()));
        }
        let new = CorporateActions::parse(&text).map_err(|e| ActionsImportError::Table(file.clone(), e))?;
        let odd = |date: TradeDate| calendar.covers(date) && !calendar.is_trading_day(date);
        if let Some(action) = new.iter().find(|action| odd(action.ex_date)) {
            let (symbol, ex_date) = (action.symbol, action.ex_date);
            let of =
                |line: &str| Symbol::parse(key(line).0) == Ok(symbol) && TradeDate::parse(key(line).1) == Some(ex_date);
            let line = text.lines().position(of).map_or(0, |index| index + 1);
            return Err(ActionsImportError::NoTradingDay { file: file.clone(), line, symbol, ex_date });
        }
        own = over(&own, &text);
    }
    let failed = |e| ActionsImportError::Io(path.clone(), e);
    let known =
        CorporateActions::parse(&over(SHIPPED, &own)).map_err(|e| ActionsImportError::Table(path.clone(), e))?;
    fs::create_dir_all(data_dir.join(FOLDER)).map_err(failed)?;
    // A start that meets half a file would refuse to trade.
    let draft = path.with_extension("csv.draft");
    let mut out = File::create(&draft).map_err(failed)?;
    out.write_all(own.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
    fs::rename(&draft, &path).map_err(failed)?;
    Ok(known)
}

/// What was imported; nothing but the header where nothing was.
fn stored(data_dir: &Path) -> Result<(PathBuf, String), ActionsImportError> {
    let path = data_dir.join(FOLDER).join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok((path, format!("{}\n", CorporateActions::HEADER))),
        Err(e) => Err(ActionsImportError::Io(path, e)),
    }
}

fn header(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim_end()
}

/// Symbol and ex-date as they are written: no field of the table needs quotes.
fn key(line: &str) -> (&str, &str) {
    let mut fields = line.split(',').map(|field| field.trim().trim_matches('"'));
    (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
}

/// One table with the header of both: the rows of the second, and those of the first that it does not name.
fn over(first: &str, second: &str) -> String {
    let rows = |text| str::lines(text).skip(1).filter(|line| !line.trim().is_empty());
    let named: BTreeSet<_> = rows(second).map(key).collect();
    let kept = rows(first).filter(|line| !named.contains(&key(line)));
    let lines = std::iter::once(CorporateActions::HEADER).chain(kept).chain(rows(second));
    lines.flat_map(|line| [line.trim_end(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use signalbox_domain::units::Qty;

    use super::*;

    fn bring(data: &Path, rows: &str) -> Result<CorporateActions, String> {
        let file = data.join("new.csv");
        fs::write(&file, format!("{}\n{rows}\n", CorporateActions::HEADER)).unwrap();
        let calendar = Calendar::parse(include_str!("../../conf/calendars/cn_a_share_trading_days.csv")).unwrap();
        import(data, &[file], &calendar).map_err(|e| e.to_string().replace(&data.display().to_string(), "data"))
    }

    fn new_shares(table: &CorporateActions, symbol: &str, date: &str) -> i64 {
        let (symbol, date) = (Symbol::parse(symbol).unwrap(), TradeDate::parse(date).unwrap());
        let of_day = |action: &&signalbox_domain::corporate::CorporateAction| action.symbol == symbol;
        let found = table.iter().filter(of_day).find(|action| action.ex_date == date);
        found.map_or(-1, |action| action.new_shares(Qty::new(1_000)).get())
    }

    #[test]
    fn imported_rows_hold_over_those_that_came_with_the_program_and_none_is_lost() {
        let data = tempfile::tempdir().unwrap();
        let shipped = load(data.path()).unwrap().len();
        bring(data.path(), "600519.SH,2025-06-26,276.73,0,0,0,0\n600000.SH,2011-06-03,1.6,4,0,0,0").unwrap();
        bring(data.path(), "510050.SH,2025-03-04,0,0,40,0,0").unwrap();
        let known = load(data.path()).unwrap();
        assert_eq!(known.len(), shipped + 2);
        assert_eq!(new_shares(&known, "600000.SH", "2011-06-03"), 400);
        assert_eq!(new_shares(&known, "510050.SH", "2025-03-04"), 4_000, "units of a fund, split 1 to 5");
        assert_eq!(new_shares(&known, "600000.SH", "2010-06-10"), 300);
        bring(data.path(), "600000.SH,2011-06-03,0,0,0,0,0").unwrap();
        assert_eq!(new_shares(&load(data.path()).unwrap(), "600000.SH", "2011-06-03"), -1, "taken back");
    }

    #[test]
    fn a_table_that_is_wrong_changes_nothing_and_is_told_with_its_line() {
        let data = tempfile::tempdir().unwrap();
        let refuse =
            |rows: &str| bring(data.path(), &format!("600519.SH,2025-06-26,276.73,0,0,0,0\n{rows}")).unwrap_err();
        assert_eq!(refuse("600519.SH,2025-06-27,x,0,0,0,0"), "data/new.csv: line 3: cash_per10 is \"x\"");
        assert_eq!(
            refuse("600519.SH,2025-06-28,1,0,0,0,0"),
            "data/new.csv: line 3: 600519.SH goes ex on 2025-06-28, which is no trading day"
        );
        let file = data.path().join("other.csv");
        fs::write(&file, "symbol,ex_date\n").unwrap();
        let calendar = Calendar::parse(include_str!("../../conf/calendars/cn_a_share_trading_days.csv")).unwrap();
        assert!(
            import(data.path(), &[file], &calendar).unwrap_err().to_string().contains("is not \"symbol,ex_date,cash")
        );
        assert!(!data.path().join(FOLDER).exists());
    }
}
