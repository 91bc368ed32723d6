//! The books of one account: cash, and what each strategy holds of each symbol.
//!
//! Every fill belongs to a strategy's book; the account's position is the sum of its books, always. What was bought
//! today is counted apart, because it may be sold tomorrow only (T+1) where the instrument's rules say so.

mod change;
mod contracts;
mod corporate;
mod flows;
mod loans;
mod netted;
mod since;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use change::Part;
pub use change::{Imported, Transfer};
pub use contracts::{ContractBook, ContractTrade, Lots};
pub use corporate::{ActionPart, BookedAction};
pub use flows::{DayOver, Flows};
pub use loans::Loan;
pub use netted::NettedTrade;
pub use since::{Day, Entry, Mark, Marking};

use crate::ids::{AccountId, StrategyId};
use crate::order::Side;
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Timestamp, TradeDate, mul_div_round};

/// A holding that an account starts with, in some strategy's book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningHolding {
    pub symbol: Symbol,
    pub strategy: StrategyId,
    pub qty: Qty,
    pub cost: Price,
    /// When it was bought, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<TradeDate>,
}

/// What was traded, as it is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    pub symbol: Symbol,
    pub side: Side,
    pub qty: Qty,
    pub px: Price,
    /// What this fill added to its order's fees.
    pub fee: Money,
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
    /// Since when it is held. Nothing for an empty book, and for one whose row is older than this was kept.
    pub entry: Option<Entry>,
    /// What the day's profit is counted from. Nothing for a row that is older than this.
    pub day: Option<Day>,
}

impl Book {
    fn new(symbol: Symbol, strategy: StrategyId) -> Self {
        Self {
            symbol,
            strategy,
            qty: Qty::ZERO,
            bought_today: Qty::ZERO,
            cost: Money::ZERO,
            realized_pnl: Money::ZERO,
            entry: None,
            day: Some(Day::default()),
        }
    }

    /// Nothing is held, and nothing was earned: the book says nothing.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.qty.is_zero() && self.realized_pnl.is_zero()
    }

    fn buy(&mut self, at: Timestamp, on: Option<TradeDate>, qty: Qty, px: Price, paid: Money) {
        let was_held = self.qty.is_positive();
        self.qty += qty;
        self.bought_today += qty;
        self.cost += paid;
        if let Some(day) = &mut self.day {
            day.flow -= paid;
        }
        if !was_held && self.qty.is_positive() {
            self.entry = Some(Entry::new(on, Some(at), at, px, self.realized_pnl));
        }
        self.see(px);
    }

    /// Takes shares out at their average cost. `proceeds` is after fees.
    fn sell(&mut self, qty: Qty, px: Price, proceeds: Money) {
        let cost = self.cost_of(qty);
        self.qty -= qty;
        // Where same-day sales are allowed, today's shares are what is left to count, never more than all.
        self.bought_today = self.bought_today.min(self.qty.max(Qty::ZERO));
        self.cost -= cost;
        self.realized_pnl += proceeds - cost;
        if let Some(day) = &mut self.day {
            day.flow += proceeds;
        }
        self.see(px);
        self.left();
    }

    /// What so many of its shares cost, on the average.
    fn cost_of(&self, qty: Qty) -> Money {
        if self.qty.is_positive() {
            Money::from_e4(mul_div_round(self.cost.e4(), qty.get(), self.qty.get()))
        } else {
            Money::ZERO
        }
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
    /// What it was worth at the last close before the day, where the close of everything held is known.
    pub prev_equity: Option<Money>,
    /// Sorted by symbol, then strategy. Empty books are dropped at the start of a day.
    books: Vec<Book>,
    /// Sorted by symbol, strategy and direction.
    #[serde(default)]
    contracts: Vec<ContractBook>,
    #[serde(default)]
    loans: Vec<Loan>,
    #[serde(default)]
    flows: Option<Flows>,
    /// Booked already for the day that starts next.
    #[serde(skip)]
    ahead: Money,
    /// What was marked at the close of the day that ends, its contracts settled: the next day starts in the same step.
    #[serde(skip)]
    settled: BTreeSet<Symbol>,
}

/// What the start of a day did to the books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayStart {
    pub changed: Vec<Book>,
    /// The day before, where all of it was seen.
    pub over: Option<DayOver>,
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
        Self {
            account,
            cash: Money::ZERO,
            trade_date: None,
            extra_messages: 0,
            prev_equity: None,
            books: Vec::new(),
            contracts: Vec::new(),
            loans: Vec::new(),
            flows: Some(Flows::default()),
            ahead: Money::ZERO,
            settled: BTreeSet::new(),
        }
    }

    /// Rebuilds from stored rows.
    #[must_use]
    pub fn restore(
        account: AccountId,
        cash: Money,
        trade_date: Option<TradeDate>,
        prev_equity: Option<Money>,
        mut books: Vec<Book>,
    ) -> Self {
        books.sort_by(|a, b| (a.symbol, &a.strategy).cmp(&(b.symbol, &b.strategy)));
        books
            .iter_mut()
            .filter(|_| seeded(SeededBug::TodayForgottenByRestart))
            .for_each(|b| b.bought_today = Qty::ZERO);
        Self {
            account,
            cash,
            trade_date,
            extra_messages: 0,
            prev_equity,
            books,
            contracts: Vec::new(),
            loans: Vec::new(),
            flows: None,
            ahead: Money::ZERO,
            settled: BTreeSet::new(),
        }
    }

    pub fn open(&mut self, at: Timestamp, cash: Money, holdings: &[OpeningHolding]) {
        self.cash = cash;
        self.flows = Some(Flows::from(cash));
        for holding in holdings {
            let cost = holding.cost.times(holding.qty);
            let entry = Entry::new(holding.on, None, at, holding.cost, Money::ZERO);
            self.book_mut(holding.symbol, &holding.strategy).put_in(Part::of_old(holding.qty, cost), entry);
        }
    }

    /// Yesterday's purchases may be sold from now on, and the day's profit is counted from the last close.
    pub fn start_day(&mut self, trade_date: TradeDate) -> DayStart {
        let before = self.trade_date.replace(trade_date);
        self.extra_messages = 0;
        // What moved before the first day is the first day's.
        let flows = before.and_then(|_| self.next_flows());
        self.repay(trade_date);
        // A row outlives its book, and the book that comes after it is another one.
        let blank = self.books.iter().filter(|book| book.is_blank());
        let gone = blank.map(|book| (book, Book::new(book.symbol, book.strategy.clone())));
        let mut changed: Vec<Book> = gone.filter(|(book, new)| *book != new).map(|(_, new)| new).collect();
        self.books.retain(|book| !book.is_blank());
        let closes = self.books.iter().filter(|book| !book.qty.is_zero());
        let worth = closes.map(|book| Some(book.day?.close?.times(book.qty)));
        let worth = worth.sum::<Option<Money>>().filter(|_| self.is_settled());
        self.prev_equity = worth.map(|worth| worth + self.cash + self.lent());
        self.settled.clear();
        for book in &mut self.books {
            let day = Some(Day::starting(book.qty, book.day));
            if !book.bought_today.is_zero() || book.day != day {
                book.bought_today = Qty::ZERO;
                book.day = day;
                changed.push(book.clone());
            }
        }
        let over = before.zip(flows).map(|(date, flows)| DayOver { date, flows, equity: self.prev_equity });
        DayStart { changed, over }
    }

    /// Books one fill: shares, cash, cost and realized profit.
    /// Returns the books that changed.
    ///
    /// A sale of more than the strategy's own book holds (only a person's manual order can do that) takes the rest out
    /// of the other books of the symbol, unclaimed holdings first, so that no book ever goes below zero.
    pub fn fill(&mut self, at: Timestamp, strategy: &StrategyId, trade: Trade) -> Vec<Book> {
        let Trade { symbol, side, qty, px, fee } = trade;
        let amount = px.times(qty);
        match side {
            Side::Buy => {
                self.pay(-amount, |flows| &mut flows.trades);
                self.pay(-fee, |flows| &mut flows.fees);
                let on = self.trade_date;
                let book = self.book_mut(symbol, strategy);
                book.buy(at, on, qty, px, amount + fee);
                vec![book.clone()]
            }
            Side::Sell => {
                self.pay(amount, |flows| &mut flows.trades);
                self.pay(-fee, |flows| &mut flows.fees);
                let own = self.book_mut(symbol, strategy);
                // What it bought today cannot be what is sold: another book's older shares are.
                if own.qty - own.bought_today >= qty {
                    own.sell(qty, px, amount - fee);
                    return vec![own.clone()];
                }
                self.sell_across(strategy, symbol, qty, px, amount - fee)
            }
        }
    }

    /// Books a correction. Returns the book that changed.
    pub fn adjust(&mut self, at: Timestamp, adjustment: &Adjustment) -> Option<Book> {
        match adjustment {
            Adjustment::Cash { amount } => {
                self.pay(*amount, |flows| &mut flows.adjustments);
                None
            }
            Adjustment::Shares { symbol, book, qty, bought_today, cost } => {
                let on = self.trade_date;
                let book = self.book_mut(*symbol, book);
                if qty.is_positive() {
                    let px = cost.per(*qty).unwrap_or_default();
                    let entry = Entry::new(on, Some(at), at, px, book.realized_pnl);
                    book.put_in(Part::of(*qty, *bought_today, *cost), entry);
                } else {
                    book.take_out(-*qty);
                }
                Some(book.clone())
            }
        }
    }

    fn sell_across(&mut self, first: &StrategyId, symbol: Symbol, qty: Qty, px: Price, proceeds: Money) -> Vec<Book> {
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
            book.sell(part, px, share);
            left -= part;
            unpaid -= share;
            touched.push(book.clone());
        }
        touched
    }

    /// Whether stored rows say the same; books with nothing in them say nothing, and rows that are older than what is
    /// known of entry and day do not speak of it.
    #[must_use]
    pub fn agrees_with(&self, rows: &Self) -> bool {
        let head = |l: &Self| (l.account.clone(), l.cash, l.trade_date);
        let (told, stored): (Vec<&Book>, Vec<&Book>) = (
            self.books.iter().filter(|book| !book.is_blank()).collect(),
            rows.books.iter().filter(|book| !book.is_blank()).collect(),
        );
        let same = |(told, stored): (&&Book, &&Book)| {
            let entry = if stored.entry.is_some() || !stored.qty.is_positive() { &stored.entry } else { &told.entry };
            let stored = Book { entry: entry.clone(), day: stored.day.or(told.day), ..(*stored).clone() };
            **told == stored
        };
        head(self) == head(rows)
            && (rows.prev_equity.is_none() || rows.prev_equity == self.prev_equity)
            && (rows.flows.is_none() || rows.flows == self.flows)
            && told.len() == stored.len()
            && told.iter().zip(&stored).all(same)
            && self.lots().eq(rows.lots())
            && self.loans == rows.loans
    }

    fn lots(&self) -> impl Iterator<Item = &ContractBook> {
        self.contracts.iter().filter(|book| !book.is_blank())
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
                self.books.insert(index, Book::new(symbol, strategy.clone()));
                index
            }
        };
        &mut self.books[index]
    }
}
