//! The market as the front door sees it: rules, calendar and instruments, and the newest quotes.

mod facts;
mod quotes;

pub use facts::MarketFacts;
pub use quotes::QuoteCache;
