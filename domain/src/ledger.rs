//! The books of one account: cash, and what each strategy holds of each symbol.
//!
//! Every fill belongs to a strategy's book; the account's position is the sum of its books, always. What was bought
//! today is counted apart, because it may be sold tomorrow only (T+1) where the instrument's rules say so.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, StrategyId};
use crate::order::Side;
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, TradeDate, mul_div_round};

/// A holding that an account starts with, in some strategy's book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningHolding {
    pub symbol: Symbol,
    pub strategy: StrategyId,
    pub qty: Qty,
    pub cost: Price,
}

/// What one strategy holds of one symbol in one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    pub symbol: Symbol,
    pub strategy: StrategyId,
    pub qty: Qty,
    /// Part of `qty` that was bought on the current trading day.
    pub bought_today: Qty,
    /// What `qty` cost, fees included.
    pub cost: Money,
    /// Sales minus their cost and fees, since the book began.
    pub realized_pnl: Money,
}

impl Book {
    /// Takes shares out at their average cost. `proceeds` is after fees.
    fn sell(&mut self, qty: Qty, proceeds: Money) {
        let cost = if self.qty.is_positive() {
            Money::from_e4(mul_div_round(self.cost.e4(), qty.get(), self.qty.get()))
        } else {
            Money::ZERO
        };
        self.qty -= qty;
        // Where same-day sales are allowed, today's shares are what is left to count, never more than all.
        self.bought_today = self.bought_today.min(self.qty.max(Qty::ZERO));
        self.cost -= cost;
        self.realized_pnl += proceeds - cost;
    }
}

/// A correction of the books, as a person decides and the broker's lists show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// Shares into a book, or with a negative `qty` out of it at their average cost. No profit comes of it.
    Shares {
        symbol: Symbol,
        book: StrategyId,
        qty: Qty,
        /// Part of the added shares that may not be sold on this day.
        bought_today: Qty,
        /// What the added shares cost, all together.
        cost: Money,
    },
    Cash {
        amount: Money,
    },
}

impl Adjustment {
    /// By how much the books grow: in shares, or in 1/10,000 of the currency.
    #[must_use]
    pub const fn gap(&self) -> i64 {
        match self {
            Self::Shares { qty, .. } => qty.get(),
            Self::Cash { amount } => amount.e4(),
        }
    }
}

/// Cash and books of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub account: AccountId,
    /// Settled or usable at once: the proceeds of a sale can buy again on the same day.
    pub cash: Money,
    pub trade_date: Option<TradeDate>,
    /// Messages to the broker since the start of the day or of this life that no approval announced: cancels, and sends
    /// of the same order again. Risk adds them to those that it approved.
    #[serde(skip)]
    pub extra_messages: u32,
    /// Sorted by symbol, then strategy. Empty books are dropped at the start of a day.
    books: Vec<Book>,
}

/// What the shares of one symbol in one account add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    pub qty: Qty,
    pub bought_today: Qty,
    pub cost: Money,
}

impl Ledger {
    #[must_use]
    pub fn new(account: AccountId) -> Self {
        Self { account, cash: Money::ZERO, trade_date: None, extra_messages: 0, books: Vec::new() }
    }

    /// Rebuilds from stored rows.
    #[must_use]
    pub fn restore(account: AccountId, cash: Money, trade_date: Option<TradeDate>, mut books: Vec<Book>) -> Self {
        books.sort_by(|a, b| (a.symbol, &a.strategy).cmp(&(b.symbol, &b.strategy)));
        books
            .iter_mut()
            .filter(|_| seeded(SeededBug::TodayForgottenByRestart))
            .for_each(|b| b.bought_today = Qty::ZERO);
        Self { account, cash, trade_date, extra_messages: 0, books }
    }

    pub fn open(&mut self, cash: Money, holdings: &[OpeningHolding]) {
        self.cash = cash;
        for holding in holdings {
            let book = self.book_mut(holding.symbol, &holding.strategy);
            book.qty += holding.qty;
            book.cost += holding.cost.times(holding.qty);
        }
    }

    /// Yesterday's purchases may be sold from now on.
    pub fn start_day(&mut self, trade_date: TradeDate) {
        self.trade_date = Some(trade_date);
        self.extra_messages = 0;
        self.books.retain(|book| !book.qty.is_zero() || !book.realized_pnl.is_zero());
        for book in &mut self.books {
            book.bought_today = Qty::ZERO;
        }
    }

    /// Books one fill: shares, cash, cost and realized profit. `fee` is what this fill added to the order's fees.
    /// Returns the books that changed.
    ///
    /// A sale of more than the strategy's own book holds (only a person's manual order can do that) takes the rest out
    /// of the other books of the symbol, unclaimed holdings first, so that no book ever goes below zero.
    pub fn fill(
        &mut self,
        strategy: &StrategyId,
        symbol: Symbol,
        side: Side,
        qty: Qty,
        px: Price,
        fee: Money,
    ) -> Vec<Book> {
        let amount = px.times(qty);
        match side {
            Side::Buy => {
                self.cash -= amount + fee;
                let book = self.book_mut(symbol, strategy);
                book.qty += qty;
                book.bought_today += qty;
                book.cost += amount + fee;
                vec![book.clone()]
            }
            Side::Sell => {
                self.cash += amount - fee;
                let own = self.book_mut(symbol, strategy);
                // What it bought today cannot be what is sold: another book's older shares are.
                if own.qty - own.bought_today >= qty {
                    own.sell(qty, amount - fee);
                    return vec![own.clone()];
                }
                self.sell_across(strategy, symbol, qty, amount - fee)
            }
        }
    }

    /// Books a correction. Returns the book that changed.
    pub fn adjust(&mut self, adjustment: &Adjustment) -> Option<Book> {
        match adjustment {
            Adjustment::Cash { amount } => {
                self.cash += *amount;
                None
            }
            Adjustment::Shares { symbol, book, qty, bought_today, cost } => {
                let book = self.book_mut(*symbol, book);
                if qty.is_positive() {
                    book.qty += *qty;
                    book.bought_today += *bought_today;
                    book.cost += *cost;
                } else {
                    let (pnl, qty) = (book.realized_pnl, -*qty);
                    book.sell(qty, Money::ZERO);
                    book.realized_pnl = pnl;
                }
                Some(book.clone())
            }
        }
    }

    fn sell_across(&mut self, first: &StrategyId, symbol: Symbol, qty: Qty, proceeds: Money) -> Vec<Book> {
        let mut order: Vec<usize> = (0..self.books.len()).filter(|i| self.books[*i].symbol == symbol).collect();
        order.sort_by_key(|i| {
            let book = &self.books[*i].strategy;
            (book != first, book.as_str() != StrategyId::EXTERNAL, *i)
        });
        // Shares of earlier days first, from every book: what was bought today stays unsellable, whoever's it is.
        let mut parts = vec![Qty::ZERO; order.len()];
        let mut left = qty;
        for today_too in [false, true] {
            for (part, index) in parts.iter_mut().zip(&order) {
                let book = &self.books[*index];
                let held = if today_too { book.qty } else { book.qty - book.bought_today };
                let more = (held - *part).max(Qty::ZERO).min(left);
                *part += more;
                left -= more;
            }
        }
        // More than all books hold cannot be approved; if a broker says so all the same, the first book shows it.
        if let Some(part) = parts.first_mut() {
            *part += left;
        }
        let (mut left, mut unpaid, mut touched) = (qty, proceeds, Vec::new());
        for (part, index) in parts.into_iter().zip(order) {
            if part.is_zero() {
                continue;
            }
            let share =
                if part == left { unpaid } else { Money::from_e4(mul_div_round(proceeds.e4(), part.get(), qty.get())) };
            let book = &mut self.books[index];
            book.sell(part, share);
            left -= part;
            unpaid -= share;
            touched.push(book.clone());
        }
        touched
    }

    /// Whether two ledgers say the same; books with nothing in them say nothing.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let said = |ledger: &Self| {
            let books = ledger.books.iter().filter(|b| !(b.qty.is_zero() && b.realized_pnl.is_zero()));
            (ledger.account.clone(), ledger.cash, ledger.trade_date, books.cloned().collect::<Vec<_>>())
        };
        said(self) == said(other)
    }

    #[must_use]
    pub fn books(&self) -> &[Book] {
        &self.books
    }

    #[must_use]
    pub fn book(&self, symbol: Symbol, strategy: &StrategyId) -> Option<&Book> {
        self.search(symbol, strategy).ok().map(|i| &self.books[i])
    }

    /// The sum of all books of the symbol: the account's position.
    #[must_use]
    pub fn holding(&self, symbol: Symbol) -> Holding {
        let mut sum = Holding::default();
        for book in self.of_symbol(symbol) {
            sum.qty += book.qty;
            sum.bought_today += book.bought_today;
            sum.cost += book.cost;
        }
        sum
    }

    pub fn of_symbol(&self, symbol: Symbol) -> impl Iterator<Item = &Book> {
        let from = self.books.partition_point(|b| b.symbol < symbol);
        self.books[from..].iter().take_while(move |b| b.symbol == symbol)
    }

    fn search(&self, symbol: Symbol, strategy: &StrategyId) -> Result<usize, usize> {
        self.books.binary_search_by(|b| (b.symbol, &b.strategy).cmp(&(symbol, strategy)))
    }

    fn book_mut(&mut self, symbol: Symbol, strategy: &StrategyId) -> &mut Book {
        let index = match self.search(symbol, strategy) {
            Ok(index) => index,
            Err(index) => {
                let book = Book {
                    symbol,
                    strategy: strategy.clone(),
                    qty: Qty::ZERO,
                    bought_today: Qty::ZERO,
                    cost: Money::ZERO,
                    realized_pnl: Money::ZERO,
                };
                self.books.insert(index, book);
                index
            }
        };
        &mut self.books[index]
    }
}
