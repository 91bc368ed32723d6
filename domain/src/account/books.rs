//! The account's books: their opening, the turn of the day, what the market shows of them, and what a person says about
//! whose the shares are.
//!
//! Whatever a person says, the books of all strategies and the EXTERNAL one add up to what the broker holds. Where the
//! broker has lists, an import gives away what they show and no more, and what is left over goes into EXTERNAL.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::{Account, AccountEffects};
use crate::event::Event;
use crate::ids::StrategyId;
use crate::ledger::{Adjustment, Book, ContractBook, DayStart, Imported, Ledger, Mark, OpeningHolding, Transfer};
use crate::order::Side;
use crate::row::Row;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Span, Timestamp, TradeDate};

/// An import rests on a read of the broker's lists that is not older than this: two rounds of comparing.
const READ_AGE_MAX: Span = Span::from_secs(600);

/// What a person changes of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebook {
    /// Whose the holdings are that were there before us.
    Import(Vec<OpeningHolding>),
    Transfer(Transfer),
    /// A correction, where no lists of a broker say what is right.
    Adjust(Adjustment),
}

/// One change with its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookOrder {
    pub what: Rebook,
    pub by: Arc<str>,
    pub note: Arc<str>,
}

/// Why it cannot be. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unbookable {
    #[error("a quantity here is at least 1")]
    Quantity,
    #[error("the two books are one")]
    SameBook,
    #[error("{book} holds {symbol} already: an import is the first word about a book, a transfer changes it later")]
    NotEmpty { book: StrategyId, symbol: Symbol },
    #[error("{book} can give {free} of {symbol}, which is less than {wanted}: the rest is not there, or being sold")]
    NotFree { book: StrategyId, symbol: Symbol, free: Qty, wanted: Qty },
    #[error("the broker shows {there} of {symbol} that no strategy has, which is less than {wanted}")]
    NotThere { symbol: Symbol, there: Qty, wanted: Qty },
    #[error("the broker's lists were not read within the last ten minutes: try again later")]
    NotRead,
    #[error("orders of {0} are under way or in doubt: wait until they have ended")]
    Moving(Symbol),
    #[error("the broker's lists say what is there: settle the break that they show")]
    Listed,
    #[error(
        "{free} of the cash is free, which is less than {wanted}: the rest is not there, or open orders and contracts bind it"
    )]
    NoCash { free: Money, wanted: Money },
}

impl Account {
    pub(super) fn open(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        cash: Money,
        holdings: Arc<[OpeningHolding]>,
        fx: &mut AccountEffects,
    ) {
        ledger.open(at, cash, &holdings);
        self.book_rows(ledger.books().to_vec(), fx);
        fx.rows.push(self.account_row(at, ledger));
        fx.events.push(Event::AccountOpened { account: self.conf.id.clone(), cash, holdings });
    }

    pub(super) fn start_day(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        trade_date: TradeDate,
        fx: &mut AccountEffects,
    ) {
        self.lists.today = Some(trade_date);
        if ledger.trade_date.is_some_and(|day| day >= trade_date) {
            self.tell_unbooked(ledger, fx);
            return;
        }
        self.day_began(ledger.trade_date);
        // With the books as they were at the last close: what is bought from now on is bought without it.
        self.go_ex(at, ledger, trade_date, fx);
        let DayStart { changed, over } = ledger.start_day(trade_date);
        self.book_rows(changed, fx);
        fx.rows.extend(over.map(|over| Row::AccountDay { account: self.conf.id.clone(), over: over.into() }));
        self.ended.next_generation();
        self.messages_today = 0;
        self.extra_today = 0;
        fx.rows.push(self.account_row(at, ledger));
        fx.events.push(Event::DayStarted { account: self.conf.id.clone(), trade_date });
    }

    pub(super) fn mark(
        &self,
        at: Timestamp,
        ledger: &mut Ledger,
        marks: Vec<Mark>,
        closing: bool,
        fx: &mut AccountEffects,
    ) {
        if marks.is_empty() {
            return;
        }
        let (books, settled) = ledger.mark(at, &marks, closing);
        self.book_rows(books, fx);
        if !settled.is_empty() {
            self.contract_rows(settled, fx);
            fx.rows.push(self.account_row(at, ledger));
        }
        fx.events.push(Event::BooksMarked { account: self.conf.id.clone(), closing, marks: marks.into() });
    }

    pub(super) fn book_rows(&self, books: Vec<Book>, fx: &mut AccountEffects) {
        fx.rows.extend(books.into_iter().map(|book| Row::Book { account: self.conf.id.clone(), book: book.into() }));
    }

    pub(super) fn contract_rows(&self, books: Vec<ContractBook>, fx: &mut AccountEffects) {
        fx.rows
            .extend(books.into_iter().map(|book| Row::Contract { account: self.conf.id.clone(), book: book.into() }));
    }

    /// Books what a person says.
    pub(super) fn rebook(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        order: &BookOrder,
        fx: &mut AccountEffects,
    ) -> Result<(), Unbookable> {
        let account = self.conf.id.clone();
        let (by, note) = (order.by.clone(), order.note.clone());
        match &order.what {
            Rebook::Import(holdings) => {
                let read_at = self.reads().then(|| self.shown_at(at)).transpose()?;
                let items = self.whose(ledger, holdings)?;
                let changed = items.iter().flat_map(|item| ledger.import(at, item)).collect();
                self.book_rows(changed, fx);
                fx.events.push(Event::BooksImported { account, items: items.into(), read_at, by, note });
            }
            Rebook::Transfer(transfer) => {
                self.may_give(ledger, &transfer.from, transfer.symbol, transfer.qty)?;
                if transfer.from == transfer.to {
                    return Err(Unbookable::SameBook);
                }
                let changed = ledger.transfer(at, transfer);
                self.book_rows(changed, fx);
                let transfer = Arc::new(transfer.clone());
                fx.events.push(Event::BookTransferred { account, transfer, by, note });
            }
            Rebook::Adjust(adjustment) => {
                if self.reads() {
                    return Err(Unbookable::Listed);
                }
                if adjustment.gap() == 0 {
                    return Err(Unbookable::Quantity);
                }
                match adjustment {
                    Adjustment::Shares { symbol, book, qty, .. } if qty.is_negative() => {
                        self.may_give(ledger, book, *symbol, -*qty)?;
                    }
                    Adjustment::Cash { amount } if amount.is_negative() => self.may_pay(ledger, -*amount)?,
                    _ => {}
                }
                let changed = ledger.adjust(at, adjustment);
                self.book_rows(changed.into_iter().collect(), fx);
                fx.rows.push(self.account_row(at, ledger));
                let (adjustment, exception) = (Arc::new(adjustment.clone()), "".into());
                fx.events.push(Event::Adjusted { account, adjustment, exception, read_at: None, by, note });
            }
        }
        self.lists.wanted = true;
        self.lists.compare_now = true;
        Ok(())
    }

    fn shown_at(&self, at: Timestamp) -> Result<Timestamp, Unbookable> {
        let read = self.lists.last.as_ref().map(|snapshot| snapshot.ended);
        read.filter(|read| at.since(*read) <= READ_AGE_MAX).ok_or(Unbookable::NotRead)
    }

    /// Shares that the book has and no order of its strategy sells.
    fn may_give(&self, ledger: &Ledger, book: &StrategyId, symbol: Symbol, wanted: Qty) -> Result<(), Unbookable> {
        if !wanted.is_positive() {
            return Err(Unbookable::Quantity);
        }
        let own = |terms: &crate::order::OrderTerms| {
            terms.symbol == symbol && terms.side == Side::Sell && terms.strategy == *book
        };
        let selling: Qty = self.orders.values().filter(|o| own(&o.terms)).map(|o| o.reserved_qty()).sum();
        let held = ledger.book(symbol, book).map_or(Qty::ZERO, |book| book.qty);
        let free = (held - selling).max(Qty::ZERO);
        if wanted > free {
            return Err(Unbookable::NotFree { book: book.clone(), symbol, free, wanted });
        }
        Ok(())
    }

    /// Cash that no order has set aside and no contract binds.
    fn may_pay(&self, ledger: &Ledger, wanted: Money) -> Result<(), Unbookable> {
        let aside: Money = self.orders.values().map(|order| order.reserved_cash()).sum();
        let bound: Money = ledger.contracts().iter().map(ContractBook::margin_held).sum();
        let free = (ledger.cash - aside - bound).max(Money::ZERO);
        if wanted > free { Err(Unbookable::NoCash { free, wanted }) } else { Ok(()) }
    }

    /// Where each holding comes from, and what nobody claims of it.
    fn whose(&self, ledger: &Ledger, holdings: &[OpeningHolding]) -> Result<Vec<Imported>, Unbookable> {
        let mut items: Vec<Imported> = Vec::new();
        let mut sources: BTreeMap<Symbol, Source> = BTreeMap::new();
        for holding in holdings {
            let OpeningHolding { symbol, strategy, qty, cost, on } = holding.clone();
            if !qty.is_positive() {
                return Err(Unbookable::Quantity);
            }
            let external = strategy.as_str() == StrategyId::EXTERNAL;
            let held = ledger.book(symbol, &strategy).is_some_and(|book| book.qty.is_positive());
            let twice = items.iter().any(|item| (item.symbol, &item.book) == (symbol, &strategy));
            if twice || held && !external {
                return Err(Unbookable::NotEmpty { book: strategy, symbol });
            }
            let source = match sources.entry(symbol) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.source(ledger, symbol)?),
            };
            let there = source.fresh.map(|fresh| fresh + source.external);
            let fresh = match source.fresh {
                Some(fresh) => fresh.min(qty),
                None if external => qty,
                None => (qty - source.external).max(Qty::ZERO),
            };
            let claimed = qty - fresh;
            if claimed > source.external || external && claimed.is_positive() {
                return Err(Unbookable::NotThere { symbol, there: there.unwrap_or_default(), wanted: qty });
            }
            source.external -= claimed;
            source.fresh = source.fresh.map(|left| left - fresh);
            let bought_today = source.unsellable.min(fresh);
            source.unsellable -= bought_today;
            items.push(Imported { symbol, book: strategy, qty, claimed, bought_today, cost, on });
        }
        self.unclaimed(ledger, &mut sources);
        for (symbol, source) in sources {
            if let Some(qty) = source.fresh.filter(|qty| qty.is_positive()) {
                let bought_today = source.unsellable.min(qty);
                let (book, claimed, cost) = (StrategyId::external(), Qty::ZERO, Price::ZERO);
                items.push(Imported { symbol, book, qty, claimed, bought_today, cost, on: None });
            }
        }
        Ok(items)
    }

    fn source(&self, ledger: &Ledger, symbol: Symbol) -> Result<Source, Unbookable> {
        let external = ledger.book(symbol, &StrategyId::external()).map_or(Qty::ZERO, |book| book.qty);
        if !self.reads() {
            return Ok(Source { fresh: None, external, unsellable: Qty::ZERO });
        }
        // What ended after the read began may be in it or not.
        let began = self.lists.last.as_ref().map(|snapshot| snapshot.began);
        let mut ended = self.ended.iter().filter(|order| Some(order.updated_at) >= began);
        let moves = |order: &crate::order::Order| order.terms.symbol == symbol;
        if self.orders.values().any(moves) || ended.any(moves) {
            return Err(Unbookable::Moving(symbol));
        }
        let listed = self.lists.last.iter().flat_map(|snapshot| &snapshot.positions);
        let broker: Qty = listed.filter(|position| position.symbol == symbol).map(|position| position.qty).sum();
        let holding = ledger.holding(symbol);
        // Where the books have more than the broker shows, nothing is left to give away.
        let fresh = (broker - holding.qty).max(Qty::ZERO);
        let unsellable = (self.listed_unsellable(symbol) - holding.bought_today).max(Qty::ZERO);
        Ok(Source { fresh: Some(fresh), external: external.max(Qty::ZERO), unsellable })
    }

    /// What else the broker shows and no book has.
    fn unclaimed(&self, ledger: &Ledger, sources: &mut BTreeMap<Symbol, Source>) {
        let listed = self.lists.last.iter().filter(|_| self.reads()).flat_map(|snapshot| &snapshot.positions);
        for symbol in listed.map(|position| position.symbol) {
            if let Entry::Vacant(new) = sources.entry(symbol)
                && let Ok(source) = self.source(ledger, symbol)
            {
                new.insert(source);
            }
        }
    }
}

/// What of a symbol can still be given to a strategy.
struct Source {
    /// What the broker shows and no book has; nothing where a broker shows nothing.
    fresh: Option<Qty>,
    external: Qty,
    /// Of the fresh ones, those that may not be sold on this day.
    unsellable: Qty,
}
