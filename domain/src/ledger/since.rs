//! What a book remembers of its time: when it was entered, what its price has seen since, and what it was at the last
//! close.
//!
//! Prices come by the thousand and are not facts of ours. The highest and lowest of them are taken into the book with
//! fills, and as a [`Mark`] once in a while and at the end of a day; whoever asks in between adds what the board has
//! seen since [`Entry::seen_until`].

use serde::{Deserialize, Serialize};

use super::{Book, ContractBook, Ledger};
use crate::ids::StrategyId;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Timestamp, TradeDate};

/// Since when a book is held without having been empty, and what was seen meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The trading day; unknown for holdings that were there before us.
    pub on: Option<TradeDate>,
    /// The instant, where we saw it.
    pub at: Option<Timestamp>,
    /// Nothing until a price is known.
    pub high: Option<Price>,
    pub low: Option<Price>,
    /// Up to when `high` and `low` know the market.
    pub seen_until: Timestamp,
    /// The book's realized profit at its entry.
    pub realized: Money,
}

impl Entry {
    /// Entered at `px`, where it is positive: whoever paid so much on the average has seen it.
    pub(super) fn new(
        on: Option<TradeDate>,
        at: Option<Timestamp>,
        seen_until: Timestamp,
        px: Price,
        realized: Money,
    ) -> Self {
        let seen = px.is_positive().then_some(px);
        Self { on, at, high: seen, low: seen, seen_until, realized }
    }

    fn see(&mut self, px: Price) {
        if px.is_positive() {
            self.high = Some(self.high.map_or(px, |high| high.max(px)));
            self.low = Some(self.low.map_or(px, |low| low.min(px)));
        }
    }
}

/// What the day's profit is counted from: value now, plus what sales brought and less what buys took on the day, less
/// the value at the last close.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Held when the day began.
    pub qty: Qty,
    /// Received less paid on the day, after fees.
    pub flow: Money,
    /// The last price of the day before, for where no quote tells it.
    pub prev_close: Option<Price>,
    /// The last price of the day, once it is over.
    pub close: Option<Price>,
}

impl Day {
    pub(super) fn starting(qty: Qty, before: Option<Self>) -> Self {
        Self { qty, flow: Money::ZERO, prev_close: before.and_then(|day| day.close), close: None }
    }
}

/// What the market has shown of a holding since its book knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub symbol: Symbol,
    pub book: StrategyId,
    pub high: Price,
    pub low: Price,
    /// The newest price.
    pub last: Price,
}

/// Upon what the books are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// Once in a while: new extremes.
    Along,
    /// Shares are done with the day, which ends later: their last prices, so that who is not there then knows them too.
    SharesEnd,
    /// The next day starts in the same step: every last price, also those at which contracts are settled.
    DayEnd,
}

impl Marking {
    #[must_use]
    pub fn closing(self) -> bool {
        self != Self::Along
    }
}

impl Book {
    /// A price that was paid: it has been seen.
    pub(super) fn see(&mut self, px: Price) {
        if let Some(entry) = &mut self.entry {
            entry.see(px);
        }
    }

    /// An empty book has no entry.
    pub(super) fn left(&mut self) {
        if !self.qty.is_positive() {
            self.entry = None;
        }
    }

    fn mark(&mut self, at: Timestamp, mark: &Mark, closing: bool) {
        self.see(mark.high);
        self.see(mark.low);
        if let Some(entry) = &mut self.entry {
            entry.seen_until = entry.seen_until.max(at);
        }
        if let Some(day) = self.day.as_mut().filter(|_| closing) {
            day.close = Some(mark.last);
        }
    }

    /// What its shares cost as terminals show it (摊薄成本): paid since the entry less received, fees included, so
    /// that what sales have earned makes the rest cheaper.
    #[must_use]
    pub fn diluted_cost(&self) -> Option<Money> {
        let entry = self.entry.as_ref()?;
        Some(self.cost - (self.realized_pnl - entry.realized))
    }

    /// What the day has brought so far. `None` where a price is missing.
    #[must_use]
    pub fn day_pnl(&self, last: Option<Price>, prev_close: Option<Price>) -> Option<Money> {
        let day = self.day?;
        let worth = |qty: Qty, px: Option<Price>| if qty.is_zero() { Some(Money::ZERO) } else { Some(px?.times(qty)) };
        let before = worth(day.qty, prev_close.or(day.prev_close))?;
        Some(worth(self.qty, last)? + day.flow - before)
    }
}

impl Ledger {
    /// Takes in what the market has shown up to `at`; `closing` when the day is over: contracts are settled then. Returns
    /// the books that changed.
    pub fn mark(&mut self, at: Timestamp, marks: &[Mark], closing: bool) -> (Vec<Book>, Vec<ContractBook>) {
        let (mut changed, mut settled) = (Vec::new(), Vec::new());
        for mark in marks {
            if closing {
                settled.extend(self.settle(mark.symbol, &mark.book, mark.last));
                self.settled.insert(mark.symbol);
            }
            if let Ok(index) = self.search(mark.symbol, &mark.book) {
                let book = &mut self.books[index];
                book.mark(at, mark, closing);
                changed.push(book.clone());
            }
        }
        (changed, settled)
    }

    /// What is worth writing down of the prices since each book was marked. `seen` tells the highest, the lowest and the newest
    /// price of a symbol since an instant.
    pub fn marks(
        &self,
        marking: Marking,
        seen: impl Fn(Symbol, Timestamp) -> Option<(Price, Price, Price)>,
    ) -> Vec<Mark> {
        let held = self.books.iter().filter(|book| book.qty.is_positive());
        held.filter_map(|book| {
            let since = book.entry.as_ref().map_or_else(Timestamp::default, |entry| entry.seen_until);
            // A close has a price where nothing was shown since the last mark, too.
            let quiet = || {
                let (_, _, last) = seen(book.symbol, Timestamp::default()).filter(|_| marking.closing())?;
                let entry = book.entry.as_ref();
                let known = |px: Option<Price>| px.unwrap_or(last);
                Some((known(entry.and_then(|entry| entry.high)), known(entry.and_then(|entry| entry.low)), last))
            };
            let (high, low, last) = seen(book.symbol, since).or_else(quiet)?;
            let new = book.entry.as_ref().is_some_and(|entry| {
                entry.high.is_none_or(|known| high > known) || entry.low.is_none_or(|known| low < known)
            });
            let mark = || Mark { symbol: book.symbol, book: book.strategy.clone(), high, low, last };
            (marking.closing() || new).then(mark)
        })
        .chain(self.settlements(marking == Marking::DayEnd, &seen))
        .collect()
    }

    /// The last prices at which contracts are settled.
    fn settlements(
        &self,
        closing: bool,
        seen: &impl Fn(Symbol, Timestamp) -> Option<(Price, Price, Price)>,
    ) -> impl Iterator<Item = Mark> {
        let held = self.contracts.iter().filter(move |book| closing && !book.qty().is_zero());
        let mut keys: Vec<(Symbol, &StrategyId)> = held.map(|book| (book.symbol, &book.strategy)).collect();
        keys.dedup();
        keys.into_iter().filter_map(move |(symbol, book)| {
            let (high, low, last) = seen(symbol, Timestamp::default())?;
            Some(Mark { symbol, book: book.clone(), high, low, last })
        })
    }
}
