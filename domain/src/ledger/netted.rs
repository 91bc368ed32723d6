//! Shares that change their book at a price, inside the account: no fee, and neither cash nor position of the account
//! changes. The two sides together move nothing but books.

use super::{Book, Ledger};
use crate::ids::StrategyId;
use crate::order::Side;
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Timestamp};

/// One side of a cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NettedTrade {
    pub symbol: Symbol,
    pub side: Side,
    pub qty: Qty,
    pub px: Price,
    /// Part of the shares that was bought on the day: it may not be sold on it by the other book either.
    pub bought_today: Qty,
}

impl Ledger {
    /// How many of so many shares that the book would give were bought on the day: those of earlier days go first. None
    /// when it has fewer.
    #[must_use]
    pub fn todays_of(&self, symbol: Symbol, strategy: &StrategyId, qty: Qty) -> Option<Qty> {
        let book = self.book(symbol, strategy).filter(|book| book.qty >= qty)?;
        Some((book.bought_today - (book.qty - qty)).max(Qty::ZERO))
    }

    /// Books one side. Returns the book.
    pub fn net(&mut self, at: Timestamp, strategy: &StrategyId, trade: NettedTrade) -> Book {
        let NettedTrade { symbol, side, qty, px, bought_today } = trade;
        let (on, amount) = (self.trade_date, px.times(qty));
        let book = self.book_mut(symbol, strategy);
        match side {
            Side::Sell => book.sell(qty, px, amount),
            Side::Buy => {
                book.buy(at, on, qty, px, amount);
                if !seeded(SeededBug::NettedLocksShares) {
                    book.bought_today = book.bought_today - qty + bought_today;
                }
            }
        }
        book.clone()
    }
}
