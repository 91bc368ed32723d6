//! Market facts and market data: the rules and calendars that come with the program, and recorded trades.

pub mod facts;
pub mod prints;
