//! What a corporate action brings into the books: money and new shares for whoever held it at the close before the
//! ex-date. Nothing is earned by it: the price falls by as much, and what is remembered of prices is reckoned anew.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{Book, Ledger};
use crate::calendar::china_instant;
use crate::corporate::{CorporateAction, TEN};
use crate::ids::StrategyId;
use crate::units::{Money, Qty};

/// One action in one account, once for all. Σ parts = shares and cash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedAction {
    pub action: CorporateAction,
    /// What all books held at the last close before the ex-date.
    pub held: Qty,
    /// New shares, as the depository counts an account: whole ones.
    pub shares: Qty,
    /// Before tax.
    pub cash: Money,
    pub parts: Vec<ActionPart>,
}

/// What it brings to one book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionPart {
    pub book: StrategyId,
    pub shares: Qty,
    pub cash: Money,
}

/// The first prices of a day are shown from here on.
const FIRST_PRICES: (u32, u32) = (9, 15);

impl Book {
    fn go_ex(&mut self, action: &CorporateAction, part: &ActionPart) {
        self.qty += part.shares;
        // What is paid beyond the cost has been earned, so that no cost is below zero.
        let of_cost = part.cash.min(self.cost.max(Money::ZERO));
        self.cost -= of_cost;
        self.realized_pnl += part.cash - of_cost;
        if let Some(entry) = &mut self.entry {
            entry.high = entry.high.and_then(|px| action.ex_price(px));
            entry.low = entry.low.and_then(|px| action.ex_price(px));
            // What is shown until then is of before.
            let (hh, mm) = FIRST_PRICES;
            entry.seen_until = entry.seen_until.max(china_instant(action.ex_date, hh, mm, 0));
        }
        if let Some(day) = &mut self.day {
            day.close = day.close.and_then(|px| action.ex_price(px));
        }
    }
}

impl Ledger {
    /// What the action brings to the books as they are. Nothing for a share that is not held.
    #[must_use]
    pub fn entitled(&self, action: &CorporateAction) -> Option<BookedAction> {
        let books: Vec<&Book> = self.of_symbol(action.symbol).filter(|book| book.qty.is_positive()).collect();
        let held: Qty = books.iter().map(|book| book.qty).sum();
        if !held.is_positive() {
            return None;
        }
        let (shares, cash) = (action.new_shares(held), action.dividend(held));
        let qtys: Vec<Qty> = books.iter().map(|book| book.qty).collect();
        let shares_of = allot(shares.get(), &qtys, action.shares().e6(), TEN);
        let cents_of = allot(cash.e4() / CENT, &qtys, action.cash.e6(), TEN / 100);
        let parts = books.iter().zip(shares_of).zip(cents_of).map(|((book, shares), cents)| ActionPart {
            book: book.strategy.clone(),
            shares: Qty::new(shares),
            cash: Money::from_e4(cents * CENT),
        });
        Some(BookedAction { action: *action, held, shares, cash, parts: parts.collect() })
    }

    /// Books it, before the day starts on which it goes ex. Returns the books that changed.
    pub fn go_ex(&mut self, booked: &BookedAction) -> Vec<Book> {
        self.pay_ahead(booked.cash);
        let mut changed = Vec::with_capacity(booked.parts.len());
        for part in &booked.parts {
            let book = self.book_mut(booked.action.symbol, &part.book);
            book.go_ex(&booked.action, part);
            changed.push(book.clone());
        }
        changed
    }
}

/// In units of money.
const CENT: i64 = 100;

/// Splits what the account gets: to each book the whole units that its own shares bring, and what is left over to the
/// largest fractions, one each; the first book on a tie. The account's total is never further from their sum than that.
fn allot(total: i64, qtys: &[Qty], per10: i64, unit: i64) -> Vec<i64> {
    let exact = |qty: &Qty| i128::from(qty.get()) * i128::from(per10);
    let whole = |qty: &Qty| i64::try_from(exact(qty) / i128::from(unit)).unwrap_or(i64::MAX);
    let mut parts: Vec<i64> = qtys.iter().map(whole).collect();
    let mut fractions: Vec<(i128, usize)> = qtys.iter().map(|qty| exact(qty) % i128::from(unit)).zip(0..).collect();
    fractions.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let left = usize::try_from(total - parts.iter().sum::<i64>()).unwrap_or(0);
    for (_, index) in fractions.iter().take(left) {
        parts[*index] += 1;
    }
    parts
}
