//! The market's rules as they come with the program, with the trading days and instruments that are known.

use std::path::Path;

use std::sync::Arc;

use signalbox_domain::calendar::Calendar;
use signalbox_domain::daily::DailyBars;
use signalbox_domain::futures::FuturesBook;
use signalbox_domain::instrument::Instruments;
use signalbox_domain::issues::NewIssues;
use signalbox_domain::market::{ContractTerms, Elsewhere, Foreign, Futures, Market};
use signalbox_domain::rules::RuleBook;

use super::MarketFacts;
use super::calendars::{Calendars, CalendarsError};
use super::corporate::{self, ActionsImportError};
use super::instruments::{self, ImportError};

/// What the market's rules are cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A build of ours with broken data.
    #[error("the {0} that came with the program cannot be read: {1}")]
    Shipped(&'static str, String),
    #[error("the trading days cannot be read")]
    Days(#[from] CalendarsError),
    #[error("the instruments cannot be read")]
    Instruments(#[from] ImportError),
    #[error("the corporate actions cannot be read")]
    Actions(#[from] ActionsImportError),
    #[error("{DAILY} cannot be read: {0}")]
    Daily(String),
}

/// A market of its own for each thread that asks: it keeps the day's rules at hand without a lock.
///
/// # Errors
/// When the data that are part of the program are broken, or trading days or instruments in the data folder.
pub fn market(data_dir: &Path, terms: &ContractTerms) -> Result<Market, FactsError> {
    let (calendar, instruments, rules, elsewhere, issues) = read(data_dir, terms)?;
    let actions = corporate::load(data_dir)?;
    let market = Market::new(calendar, instruments, rules).with(elsewhere);
    Ok(market.with_actions(actions.into()).with_issues(issues.into()))
}

/// The same facts for all threads of the front door together.
///
/// # Errors
/// When the data that are part of the program are broken, or trading days or instruments in the data folder.
pub fn shared(data_dir: &Path, terms: &ContractTerms) -> Result<MarketFacts, FactsError> {
    let (calendar, instruments, rules, elsewhere, issues) = read(data_dir, terms)?;
    let actions = corporate::load(data_dir)?;
    Ok(MarketFacts::new(calendar, instruments, rules, elsewhere).with_actions(actions).with_issues(issues))
}

/// Where the days lie that instruments have traded: `symbol,date,high,low,close,volume`.
const DAILY: &str = "daily.csv";

/// The days that instruments have traded, where somebody has put them into the data folder.
///
/// # Errors
/// When there is such a file and it cannot be read.
pub fn daily(data_dir: &Path) -> Result<DailyBars, FactsError> {
    match std::fs::read_to_string(data_dir.join(DAILY)) {
        Ok(text) => DailyBars::parse(&text).map_err(|e| FactsError::Daily(e.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(DailyBars::default()),
        Err(error) => Err(FactsError::Daily(error.to_string())),
    }
}

type Read = (Calendar, Instruments, RuleBook, Elsewhere, NewIssues);

fn read(data_dir: &Path, terms: &ContractTerms) -> Result<Read, FactsError> {
    let days = Calendars::load(data_dir)?;
    let calendar = days.mainland;
    let instruments::Known { instruments, abroad: shares, issues } = instruments::load(data_dir)?;
    let rules = RuleBook::parse(&[
        include_str!("../../conf/rules/cn_equity_rules.csv"),
        include_str!("../../conf/rules/cn_lots.csv"),
        include_str!("../../conf/rules/cn_supplement.csv"),
    ])
    .map_err(|e| FactsError::Shipped("rules", e.to_string()))?;
    let book = FuturesBook::parse(
        include_str!("../../conf/instruments/cn_futures_products.csv"),
        include_str!("../../conf/instruments/cn_futures_facts.csv"),
    )
    .map_err(|e| FactsError::Shipped("futures", e.to_string()))?;
    let futures = Futures { book, days: days.nights, terms: terms.clone() };
    let foreign = Foreign { book: shares, hong_kong: days.hong_kong, new_york: days.new_york };
    let elsewhere = Elsewhere { futures: Some(Arc::new(futures)), foreign: Some(Arc::new(foreign)) };
    Ok((calendar, instruments, rules, elsewhere, issues))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_facts_that_come_with_the_program_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let market = super::market(folder.path(), &super::ContractTerms::default()).unwrap();
        assert!(market.instruments.len() >= 20);
        assert!(market.knows(signalbox_domain::symbol::Symbol::parse("rb2701.SHFE").unwrap()));
    }
}
