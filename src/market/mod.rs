//! Market facts and market data: the rules and calendars that come with the program, recorded trades, and the newest
//! quotes for whoever is not on the trading thread.

pub mod calendars;
pub mod corporate;
pub mod facts;
pub mod instruments;
pub mod prints;
mod quotes;
mod shared;

pub use quotes::QuoteCache;
pub use shared::MarketFacts;
