//! Where books and broker differ. The broker is the truth for quantity, we for ownership; nothing is overwritten.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::broker::Snapshot;
use crate::ledger::Ledger;
use crate::symbol::Symbol;
use crate::units::{Money, Qty};

/// Why a difference may be.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum BreakClass {
    /// Orders of the symbol are under way or in doubt: it will close, or become another class.
    Explained,
    /// Bonus shares, splits, dividends: as much as the table of corporate actions says of a share that went ex lately.
    CorporateAction,
    /// Trades by hand that the day's list shows.
    External,
    Unexplained,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    Position {
        symbol: Symbol,
        books: Qty,
        broker: Qty,
        class: BreakClass,
    },
    Cash {
        books: Money,
        broker: Money,
        class: BreakClass,
    },
    /// So much differs that rather the read is wrong than the books: nothing is taken over from it.
    Bulk {
        symbols: u32,
        of: u32,
    },
}

impl Break {
    #[must_use]
    pub const fn is_bulk(&self) -> bool {
        matches!(self, Self::Bulk { .. })
    }

    #[must_use]
    pub const fn class(&self) -> BreakClass {
        match self {
            Self::Position { class, .. } | Self::Cash { class, .. } => *class,
            Self::Bulk { .. } => BreakClass::Unexplained,
        }
    }

    /// By how much: what the broker has more than the books, in shares or in 1/10,000 of the currency; of a bulk only
    /// that it is one.
    #[must_use]
    pub fn gap(&self) -> i64 {
        match self {
            Self::Position { books, broker, .. } => (*broker - *books).get(),
            Self::Cash { books, broker, .. } => (*broker - *books).e4(),
            Self::Bulk { .. } => 0,
        }
    }

    /// What differs; one exception each.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Position { symbol, .. } => format!("break:{symbol}"),
            Self::Cash { .. } => "break:cash".to_owned(),
            Self::Bulk { .. } => "break:bulk".to_owned(),
        }
    }
}

/// By how much a broker may have more or less than the books, since something went ex lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ex {
    pub shares: BTreeSet<(Symbol, Qty)>,
    pub cash: BTreeSet<Money>,
}

/// What can explain differences.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Symbols with orders under way, in doubt, or with fills that are not booked yet.
    pub moving: &'a BTreeSet<Symbol>,
    /// Symbols with trades by hand today.
    pub external: &'a BTreeSet<Symbol>,
    pub ex: &'a Ex,
    /// Cash that fees of trades by hand and rounding may have taken.
    pub cash_tolerance: Money,
    /// A person has said that so much really differs.
    pub itemized: bool,
}

/// More than a fifth of the symbols at once is rather a bad read.
const BULK_SHARE: usize = 5;
/// With so few symbols a fifth says nothing.
const BULK_MIN: usize = 3;

/// All differences between a valid read and the books.
#[must_use]
pub fn compare(ledger: &Ledger, snapshot: &Snapshot, known: Known<'_>) -> Vec<Break> {
    let held: BTreeSet<Symbol> = ledger.books().iter().filter(|b| !b.qty.is_zero()).map(|b| b.symbol).collect();
    let listed: BTreeSet<Symbol> = snapshot.positions.iter().filter(|p| !p.qty.is_zero()).map(|p| p.symbol).collect();
    let mut found = Vec::new();
    for symbol in held.union(&listed) {
        let books = ledger.holding(*symbol).qty;
        let broker: Qty = snapshot.positions.iter().filter(|p| p.symbol == *symbol).map(|p| p.qty).sum();
        if books != broker {
            let class = if known.moving.contains(symbol) {
                BreakClass::Explained
            } else if known.ex.shares.contains(&(*symbol, broker - books)) {
                BreakClass::CorporateAction
            } else if known.external.contains(symbol) {
                BreakClass::External
            } else {
                BreakClass::Unexplained
            };
            found.push(Break::Position { symbol: *symbol, books, broker, class });
        }
    }
    let unexplained = found.iter().filter(|b| b.class() == BreakClass::Unexplained).count();
    let all = held.union(&listed).count();
    let emptied = listed.is_empty() && !held.is_empty() && unexplained > 0;
    if known.itemized {
        // Each by itself.
    } else if emptied || (unexplained >= BULK_MIN && unexplained * BULK_SHARE > all) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        return vec![Break::Bulk { symbols: count(unexplained), of: count(all) }];
    }
    if let Some(cash) = &snapshot.cash {
        let missing = ledger.cash - cash.total;
        if missing.e4().abs() > known.cash_tolerance.e4() {
            let of_ex = |cash: &Money| (missing + *cash).e4().abs() <= known.cash_tolerance.e4();
            let class = match (known.moving.is_empty(), known.external.is_empty()) {
                (false, _) => BreakClass::Explained,
                _ if known.ex.cash.iter().any(of_ex) => BreakClass::CorporateAction,
                (true, false) => BreakClass::External,
                (true, true) => BreakClass::Unexplained,
            };
            found.push(Break::Cash { books: ledger.cash, broker: cash.total, class });
        }
    }
    found
}
