//! The newest quote of each symbol, for readers outside the trading thread.
//!
//! The trading thread decides on its own copy; this one answers people and programs without asking it. Whoever feeds
//! that one feeds this one too.

use std::sync::{Arc, PoisonError, RwLock};

use signalbox_domain::quote::{Print, Quote};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Timestamp};
use signalbox_domain::view::Quotes;

/// Clones share one cache. Bounded by the number of known instruments: quotes of others are refused at the door.
#[derive(Debug, Clone, Default)]
pub struct QuoteCache {
    quotes: Arc<RwLock<Quotes>>,
}

impl QuoteCache {
    /// Takes each quote unless a newer one of its symbol is known.
    pub fn put(&self, quotes: impl IntoIterator<Item = Quote>) {
        let mut cache = self.quotes.write().unwrap_or_else(PoisonError::into_inner);
        for quote in quotes {
            cache.put(quote);
        }
    }

    /// Trades of others move the last price.
    pub fn print<'a>(&self, prints: impl IntoIterator<Item = &'a Print>) {
        let mut cache = self.quotes.write().unwrap_or_else(PoisonError::into_inner);
        for print in prints {
            cache.print(print);
        }
    }

    #[must_use]
    pub fn get(&self, symbol: Symbol) -> Option<Quote> {
        self.quotes.read().unwrap_or_else(PoisonError::into_inner).get(symbol).cloned()
    }

    /// The highest, the lowest and the newest price of the symbol since the instant.
    #[must_use]
    pub fn seen_since(&self, symbol: Symbol, since: Timestamp) -> Option<(Price, Price, Price)> {
        self.quotes.read().unwrap_or_else(PoisonError::into_inner).seen_since(symbol, since)
    }

    /// All of them, by symbol.
    #[must_use]
    pub fn all(&self) -> Vec<Quote> {
        let mut all: Vec<Quote> = self.quotes.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        all.sort_unstable_by_key(|quote| quote.symbol);
        all
    }
}
