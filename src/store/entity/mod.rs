//! The tables as sea-orm sees them. They are read with these; the writer has its own statements.

pub mod account_days;
pub mod accounts;
pub mod books;
pub mod contract_books;
pub mod corporate_actions;
pub mod equity_marks;
pub mod exceptions;
pub mod fills;
pub mod fx_rates;
pub mod journal;
pub mod journal_archives;
pub mod orders;
pub mod parents;
pub mod registry;
pub mod risk_limits;
pub mod risk_warnings;
pub mod signal_keys;
pub mod signals;
pub mod strategies;
pub mod trading_states;
