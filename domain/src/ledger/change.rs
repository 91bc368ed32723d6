//! Shares that change their book without having been traded: holdings that a person assigns when an account joins, and
//! transfers between strategies. No money moves and no profit comes of it.

use serde::{Deserialize, Serialize};

use super::{Book, Entry, Ledger};
use crate::ids::StrategyId;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Timestamp, TradeDate, mul_div_round};

/// A holding that was there before us, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    pub symbol: Symbol,
    /// EXTERNAL for what nobody claims.
    pub book: StrategyId,
    pub qty: Qty,
    /// How many of them stood in the EXTERNAL book so far; the others stood in none.
    pub claimed: Qty,
    /// How many of the others may not be sold on this day.
    pub bought_today: Qty,
    /// What each cost.
    pub cost: Price,
    pub on: Option<TradeDate>,
}

/// Shares of one strategy that become another's, at their average cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    pub symbol: Symbol,
    pub from: StrategyId,
    pub to: StrategyId,
    pub qty: Qty,
}

/// Shares on their way between books, with what is remembered of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Part {
    qty: Qty,
    bought_today: Qty,
    cost: Money,
    day_qty: Qty,
    day_flow: Money,
}

impl Part {
    /// Of which `bought_today` count as bought on the day, for what they cost.
    pub(super) fn of(qty: Qty, bought_today: Qty, cost: Money) -> Self {
        let today = Money::from_e4(mul_div_round(cost.e4(), bought_today.get(), qty.get().max(1)));
        Self { qty, bought_today, cost, day_qty: qty - bought_today, day_flow: -today }
    }

    pub(super) fn of_old(qty: Qty, cost: Money) -> Self {
        Self::of(qty, Qty::ZERO, cost)
    }
}

impl Book {
    /// Takes shares in. `entry` is when they were bought, for a book that was empty.
    pub(super) fn put_in(&mut self, part: Part, entry: Entry) {
        let was_held = self.qty.is_positive();
        self.qty += part.qty;
        self.bought_today += part.bought_today;
        self.cost += part.cost;
        if let Some(day) = &mut self.day {
            day.qty += part.day_qty;
            day.flow += part.day_flow;
        }
        if !was_held && self.qty.is_positive() {
            self.entry = Some(entry);
        }
    }

    /// Gives shares away at their average cost, those of earlier days first.
    pub(super) fn take_out(&mut self, qty: Qty) -> Part {
        let cost = self.cost_of(qty);
        let today_left = self.bought_today.min((self.qty - qty).max(Qty::ZERO));
        let bought_today = self.bought_today - today_left;
        // Of those that were there when the day began, as many as there are.
        let day_qty = self.day.map_or(Qty::ZERO, |day| day.qty).min(qty - bought_today).max(Qty::ZERO);
        let since = mul_div_round(cost.e4(), (qty - day_qty).get(), qty.get().max(1));
        let part = Part { qty, bought_today, cost, day_qty, day_flow: Money::from_e4(-since) };
        self.qty -= part.qty;
        self.bought_today -= part.bought_today;
        self.cost -= part.cost;
        if let Some(day) = &mut self.day {
            day.qty -= part.day_qty;
            day.flow -= part.day_flow;
        }
        self.left();
        part
    }
}

impl Ledger {
    /// Puts a holding into its book. Returns the books that changed.
    pub fn import(&mut self, at: Timestamp, item: &Imported) -> Vec<Book> {
        let (mut changed, mut claimed) = (Vec::new(), Part::default());
        if item.claimed.is_positive() {
            let external = self.book_mut(item.symbol, &StrategyId::external());
            claimed = external.take_out(item.claimed);
            changed.push(external.clone());
        }
        let fresh = item.qty - item.claimed;
        let fresh = Part::of(fresh, item.bought_today, item.cost.times(fresh));
        let part = Part {
            qty: item.qty,
            bought_today: claimed.bought_today + fresh.bought_today,
            cost: item.cost.times(item.qty),
            day_qty: claimed.day_qty + fresh.day_qty,
            day_flow: claimed.day_flow + fresh.day_flow,
        };
        let book = self.book_mut(item.symbol, &item.book);
        let entry = Entry::new(item.on, None, at, item.cost, book.realized_pnl);
        book.put_in(part, entry);
        changed.push(book.clone());
        changed
    }

    /// Moves shares between books. Returns the two. The receiver of its first shares takes over since when they are held
    /// and what they have seen.
    pub fn transfer(&mut self, at: Timestamp, transfer: &Transfer) -> Vec<Book> {
        let Transfer { symbol, from, to, qty } = transfer;
        let giver = self.book_mut(*symbol, from);
        let entry = giver.entry.clone();
        let part = giver.take_out(*qty);
        let giver = giver.clone();
        let taker = self.book_mut(*symbol, to);
        let px = part.cost.per(*qty).unwrap_or_default();
        let unknown = || Entry::new(None, None, at, px, Money::ZERO);
        let entry = Entry { realized: taker.realized_pnl, ..entry.unwrap_or_else(unknown) };
        taker.put_in(part, entry);
        if let (Some(mine), Some(theirs)) = (&mut taker.day, giver.day) {
            mine.prev_close = mine.prev_close.or(theirs.prev_close);
        }
        vec![giver, taker.clone()]
    }
}
