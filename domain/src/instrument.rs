//! What can be traded, as far as the rules need to know it: board, risk warning and other states by day, and when it
//! settles.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::csv::{CsvError, Table};
use crate::rules::abroad::ForeignBook;
use crate::symbol::{Exchange, Symbol, SymbolError};
use crate::symbols::board_of;
use crate::units::TradeDate;

/// The part of the market whose rules an instrument follows.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Board {
    /// The main boards of Shanghai and Shenzhen, the former SME board with them.
    Main,
    #[serde(rename = "chinext")]
    #[strum(serialize = "chinext")]
    ChiNext,
    Star,
    #[serde(rename = "bse")]
    #[strum(serialize = "bse")]
    Beijing,
    /// Listed funds: ETF and LOF.
    Etf,
    Convertible,
    Repo,
    BShare,
    Reit,
    #[serde(rename = "hk")]
    #[strum(serialize = "hk")]
    HongKong,
    #[serde(rename = "us")]
    #[strum(serialize = "us")]
    UnitedStates,
}

/// How soon a purchase can be sold again. Only funds know anything but `Ordinary`: a fund whose underlying trades on the
/// same day may be sold on the same day, from a date that depends on its class.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Settle {
    #[default]
    Ordinary,
    Bond,
    Money,
    Gold,
    Commodity,
    /// Only where the foreign underlying itself trades on the same day.
    CrossBorder,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Currency {
    Cny,
    Hkd,
    Usd,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    pub symbol: Symbol,
    /// For people; never compared.
    pub name: Arc<str>,
    pub board: Board,
    /// Under risk warning (ST, *ST) now. What held on a day, [`Instrument::is_st`] tells.
    pub st: bool,
    pub settle: Settle,
    /// A fund whose constituents all have a 20 % band.
    pub etf_20pct: bool,
    /// The first day of trading; `None` when it is unknown or was no listing.
    pub listed_on: Option<TradeDate>,
    pub currency: Currency,
    /// The dated states that are known, in order of their first days. Those of one kind do not overlap.
    #[serde(default)]
    pub history: Arc<[StatusSpan]>,
}

/// A state that changes what the price limit of an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::EnumString, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Under risk warning (ST, *ST). The exchange suspends a stock for the whole day before either end.
    St,
    /// The period in which a stock trades that will be delisted; it begins with its first trading day.
    Delisting,
    /// A day on which trading resumes without a limit: after a re-listing, or when the shares of a share-structure
    /// reform arrive (2005 to 2007).
    Resumed,
}

/// When an instrument was in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StatusSpan {
    pub status: Status,
    /// The first trading day.
    pub from: TradeDate,
    /// The first day on which it no longer holds.
    pub until: Option<TradeDate>,
}

impl StatusSpan {
    #[must_use]
    pub fn covers(&self, day: TradeDate) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }
}

impl Instrument {
    /// Whether the stock was under risk warning on the day. Without any dated state, what holds now is taken for all
    /// days.
    #[must_use]
    pub fn is_st(&self, day: TradeDate) -> bool {
        match self.history.iter().any(|span| span.status == Status::St) {
            true => self.span(Status::St, day).is_some(),
            false => self.st,
        }
    }

    /// The span of this state that covers the day.
    #[must_use]
    pub fn span(&self, status: Status, day: TradeDate) -> Option<&StatusSpan> {
        self.history.iter().find(|span| span.status == status && span.covers(day))
    }
}

/// The text is no table of instruments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentsError {
    #[error("instruments unreadable")]
    Csv(#[from] CsvError),
    #[error("line {line}: bad symbol")]
    Symbol { line: usize, source: SymbolError },
    #[error("line {line}: {column} has the unknown value {value:?}")]
    Value { line: usize, column: &'static str, value: String },
    #[error("line {line}: the code of {symbol} does not belong to board {board}")]
    Board { line: usize, symbol: Symbol, board: Board },
    #[error("{symbol} appears twice")]
    Twice { symbol: Symbol },
    #[error("line {line}: {symbol} is no instrument of the table")]
    NoInstrument { line: usize, symbol: Symbol },
    #[error("line {line}: {symbol} is in the state {status} already, or the state ends before it begins")]
    Overlap { line: usize, symbol: Symbol, status: Status },
    #[error("{symbol} is marked st={st}, and its dated states say otherwise")]
    StNow { symbol: Symbol, st: bool },
}

/// All known instruments, by symbol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instruments {
    sorted: Vec<Instrument>,
}

impl Instruments {
    /// Reads a table with the columns `symbol name board st settle etf_20pct listed_on currency`; `st` and `etf_20pct`
    /// are `0` or `1`, `listed_on` may be empty.
    ///
    /// # Errors
    /// [`InstrumentsError`] names the first line with an unknown value, a code that does not fit its board, or a symbol
    /// that was there before.
    pub fn parse(csv: &str) -> Result<Self, InstrumentsError> {
        let table = Table::parse(csv)?;
        let [symbol, name, board, st, settle, etf_20pct, listed_on, currency] = [
            table.column("symbol")?,
            table.column("name")?,
            table.column("board")?,
            table.column("st")?,
            table.column("settle")?,
            table.column("etf_20pct")?,
            table.column("listed_on")?,
            table.column("currency")?,
        ];
        let mut sorted = Vec::with_capacity(table.rows().len());
        for row in table.rows() {
            let line = row.line;
            let instrument = Instrument {
                symbol: Symbol::parse(row.get(symbol)).map_err(|source| InstrumentsError::Symbol { line, source })?,
                name: row.get(name).into(),
                board: word(line, "board", row.get(board))?,
                st: flag(line, "st", row.get(st))?,
                settle: word(line, "settle", row.get(settle))?,
                etf_20pct: flag(line, "etf_20pct", row.get(etf_20pct))?,
                listed_on: match row.get(listed_on) {
                    "" => None,
                    text => Some(TradeDate::parse(text).ok_or_else(|| unknown(line, "listed_on", text))?),
                },
                currency: word(line, "currency", row.get(currency))?,
                history: Arc::default(),
            };
            let (symbol, board) = (instrument.symbol, instrument.board);
            if board_of(symbol) != Some(board) {
                return Err(InstrumentsError::Board { line, symbol, board });
            }
            sorted.push(instrument);
        }
        sorted.sort_by_key(|i| i.symbol);
        match sorted.windows(2).find(|pair| pair[0].symbol == pair[1].symbol) {
            Some(pair) => Err(InstrumentsError::Twice { symbol: pair[0].symbol }),
            None => Ok(Self { sorted }),
        }
    }

    /// The same instruments with their dated states, from a table with the columns `symbol status from until`; `until`
    /// is the first day on which the state no longer holds, or empty.
    ///
    /// # Errors
    /// [`InstrumentsError`] names the first line with an unknown value, a symbol that is not here, or a state that
    /// overlaps with itself; and the symbol whose mark `st` is not what its dated states end with.
    pub fn with_history(mut self, csv: &str) -> Result<Self, InstrumentsError> {
        let table = Table::parse(csv)?;
        let [symbol, status, from, until] =
            [table.column("symbol")?, table.column("status")?, table.column("from")?, table.column("until")?];
        for row in table.rows() {
            let line = row.line;
            let day = |column, text: &str| TradeDate::parse(text).ok_or_else(|| unknown(line, column, text));
            let symbol = Symbol::parse(row.get(symbol)).map_err(|source| InstrumentsError::Symbol { line, source })?;
            let status: Status = word(line, "status", row.get(status))?;
            let span = StatusSpan {
                status,
                from: day("from", row.get(from))?,
                until: match row.get(until) {
                    "" => None,
                    text => Some(day("until", text)?),
                },
            };
            let at = self.sorted.binary_search_by_key(&symbol, |i| i.symbol).ok();
            let Some(instrument) = at.and_then(|at| self.sorted.get_mut(at)) else {
                return Err(InstrumentsError::NoInstrument { line, symbol });
            };
            let apart = |other: &StatusSpan| {
                other.status != status
                    || other.until.is_some_and(|until| until <= span.from)
                    || span.until.is_some_and(|until| until <= other.from)
            };
            if span.until.is_some_and(|until| until <= span.from) || !instrument.history.iter().all(apart) {
                return Err(InstrumentsError::Overlap { line, symbol, status });
            }
            let mut history = instrument.history.to_vec();
            history.push(span);
            history.sort_by_key(|span| span.from);
            instrument.history = history.into();
        }
        let now = |i: &Instrument| i.history.iter().any(|span| span.status == Status::St && span.until.is_none());
        let known = |i: &Instrument| i.history.iter().any(|span| span.status == Status::St);
        match self.sorted.iter().find(|i| known(i) && now(i) != i.st) {
            Some(wrong) => Err(InstrumentsError::StNow { symbol: wrong.symbol, st: wrong.st }),
            None => Ok(self),
        }
    }

    /// The same with the shares that trade abroad.
    ///
    /// # Errors
    /// [`InstrumentsError::Twice`] for a symbol that is here already.
    pub fn with_abroad(mut self, shares: &ForeignBook) -> Result<Self, InstrumentsError> {
        for share in shares.shares() {
            let symbol = share.symbol;
            let Err(at) = self.sorted.binary_search_by_key(&symbol, |i| i.symbol) else {
                return Err(InstrumentsError::Twice { symbol });
            };
            let board = if symbol.exchange() == Exchange::HK { Board::HongKong } else { Board::UnitedStates };
            self.sorted.insert(
                at,
                Instrument {
                    symbol,
                    name: share.name.clone(),
                    board,
                    st: false,
                    settle: Settle::Ordinary,
                    etf_20pct: false,
                    listed_on: share.listed_on,
                    currency: share.currency,
                    history: Arc::default(),
                },
            );
        }
        Ok(self)
    }

    #[must_use]
    pub fn get(&self, symbol: Symbol) -> Option<&Instrument> {
        self.sorted.binary_search_by_key(&symbol, |i| i.symbol).ok().and_then(|at| self.sorted.get(at))
    }

    /// In the order of their symbols.
    pub fn iter(&self) -> std::slice::Iter<'_, Instrument> {
        self.sorted.iter()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

impl<'a> IntoIterator for &'a Instruments {
    type Item = &'a Instrument;
    type IntoIter = std::slice::Iter<'a, Instrument>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn word<T: std::str::FromStr>(line: usize, column: &'static str, text: &str) -> Result<T, InstrumentsError> {
    text.parse().map_err(|_| unknown(line, column, text))
}

fn flag(line: usize, column: &'static str, text: &str) -> Result<bool, InstrumentsError> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(unknown(line, column, text)),
    }
}

fn unknown(line: usize, column: &'static str, value: &str) -> InstrumentsError {
    InstrumentsError::Value { line, column, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = include_str!("../../conf/instruments/cn_equity.csv");
    const HEADER: &str = "symbol,name,board,st,settle,etf_20pct,listed_on,currency\n";

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).expect("a symbol")
    }

    #[test]
    fn the_shipped_table_holds_each_instrument_once_and_finds_it() {
        let all = Instruments::parse(CSV).expect("the table");
        assert_eq!(all.len(), 51);
        for instrument in &all {
            assert_eq!(all.get(instrument.symbol), Some(instrument));
        }
        assert_eq!(all.get(symbol("600001.SH")), None);
        for code in ["000001.SZ", "000002.SZ", "000004.SZ", "000005.SZ", "600000.SH", "600004.SH"] {
            let stock = all.get(symbol(code)).expect("a stock of the recorded day");
            assert_eq!((stock.board, stock.st, stock.settle), (Board::Main, false, Settle::Ordinary), "{code}");
        }
        let settle = |code| all.get(symbol(code)).map(|i| (i.settle, i.etf_20pct));
        assert_eq!(settle("511260.SH"), Some((Settle::Bond, false)));
        assert_eq!(settle("518880.SH"), Some((Settle::Gold, false)));
        assert_eq!(settle("513100.SH"), Some((Settle::CrossBorder, false)));
        assert_eq!(settle("510300.SH"), Some((Settle::Ordinary, false)));
        assert_eq!(settle("588000.SH"), Some((Settle::Ordinary, true)));
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        let refuse = |rows: &str| Instruments::parse(&format!("{HEADER}{rows}")).expect_err("refused").to_string();
        let stock = "600000.SH,浦发银行,main,0,ordinary,0,1999-11-10,CNY\n";
        assert_eq!(refuse(&stock.repeat(2)), "600000.SH appears twice");
        assert_eq!(
            refuse(&stock.replace("main", "star")),
            "line 2: the code of 600000.SH does not belong to board star"
        );
        assert_eq!(refuse(&stock.replace(",0,ordinary", ",yes,ordinary")), "line 2: st has the unknown value \"yes\"");
        assert_eq!(refuse(&stock.replace("1999-11-10", "soon")), "line 2: listed_on has the unknown value \"soon\"");
        assert_eq!(refuse(&stock.replace(".SH", "")), "line 2: bad symbol");
    }

    #[test]
    fn a_stock_is_under_risk_warning_on_the_days_that_its_dated_states_say() {
        let all = Instruments::parse(CSV).expect("the table");
        let all = all.with_history(include_str!("../../conf/instruments/cn_status.csv")).expect("the states");
        let stock = all.get(symbol("000004.SZ")).expect("a stock");
        let day = |text| TradeDate::parse(text).expect("a day");
        for (text, st) in [("1999-04-23", false), ("1999-04-27", true), ("2001-03-05", true), ("2001-03-06", false)] {
            assert_eq!(stock.is_st(day(text)), st, "{text}");
        }
        assert!(stock.span(Status::Resumed, day("2007-05-28")).is_some());
        assert!(stock.span(Status::Resumed, day("2007-05-29")).is_none());
        let undated = all.get(symbol("600289.SH")).expect("a stock");
        assert!(undated.st && undated.is_st(day("2015-01-05")), "what holds now is taken for all days");
    }

    #[test]
    fn dated_states_that_contradict_themselves_are_refused() {
        let refuse = |rows: &str| {
            let all = Instruments::parse(CSV).expect("the table");
            all.with_history(&format!("symbol,status,from,until\n{rows}")).expect_err("refused").to_string()
        };
        let ends = "000004.SZ,st,1999-04-27,2001-03-06\n";
        let overlap = "line 3: 000004.SZ is in the state st already, or the state ends before it begins";
        assert_eq!(refuse(&format!("{ends}000004.SZ,st,2001-03-05,2001-04-01\n")), overlap);
        assert_eq!(refuse(&format!("{ends}000004.SZ,st,2003-01-02,2003-01-02\n")), overlap);
        assert_eq!(refuse("600001.SH,st,1999-04-27,\n"), "line 2: 600001.SH is no instrument of the table");
        assert_eq!(refuse("000004.SZ,sst,1999-04-27,\n"), "line 2: status has the unknown value \"sst\"");
        assert_eq!(refuse("000004.SZ,st,,\n"), "line 2: from has the unknown value \"\"");
        let now = "000004.SZ is marked st=false, and its dated states say otherwise";
        assert_eq!(refuse("000004.SZ,st,1999-04-27,\n"), now);
        assert_eq!(
            refuse(&ends.replace("000004.SZ", "600289.SH")),
            now.replace("000004.SZ", "600289.SH").replace("false", "true")
        );
    }
}
