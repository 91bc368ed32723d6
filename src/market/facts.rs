//! The market's rules, calendar and instruments, as they come with the program.

use signalbox_domain::calendar::Calendar;
use signalbox_domain::instrument::Instruments;
use signalbox_domain::market::Market;
use signalbox_domain::rules::RuleBook;

use super::MarketFacts;

/// The files under `conf/` cannot be read: a build of ours with broken data.
#[derive(Debug, thiserror::Error)]
#[error("the {0} that came with the program cannot be read: {1}")]
pub struct FactsError(&'static str, String);

/// A market of its own for each thread that asks: it keeps the day's rules at hand without a lock.
///
/// # Errors
/// When the data that are part of the program are broken.
pub fn market() -> Result<Market, FactsError> {
    let (calendar, instruments, rules) = read()?;
    Ok(Market::new(calendar, instruments, rules))
}

/// The same facts for all threads of the front door together.
///
/// # Errors
/// When the data that are part of the program are broken.
pub fn shared() -> Result<MarketFacts, FactsError> {
    let (calendar, instruments, rules) = read()?;
    Ok(MarketFacts::new(calendar, instruments, rules))
}

fn read() -> Result<(Calendar, Instruments, RuleBook), FactsError> {
    let calendar = Calendar::parse(include_str!("../../conf/calendars/cn_a_share_trading_days.csv"))
        .map_err(|e| FactsError("calendar", e.to_string()))?;
    let instruments = Instruments::parse(include_str!("../../conf/instruments/cn_equity.csv"))
        .and_then(|all| all.with_history(include_str!("../../conf/instruments/cn_status.csv")))
        .map_err(|e| FactsError("instruments", e.to_string()))?;
    let rules = RuleBook::parse(&[
        include_str!("../../conf/rules/cn_equity_rules.csv"),
        include_str!("../../conf/rules/cn_lots.csv"),
        include_str!("../../conf/rules/cn_supplement.csv"),
    ])
    .map_err(|e| FactsError("rules", e.to_string()))?;
    Ok((calendar, instruments, rules))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_facts_that_come_with_the_program_are_whole() {
        let market = super::market().unwrap();
        assert!(market.instruments.len() >= 20);
    }
}
