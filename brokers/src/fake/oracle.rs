//! The state of the fake broker as an oracle sees it, hidden from every client.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use signalbox_domain::order::Side;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty};

use super::state::{FakeBroker, show_no};
use super::wire::Status;

/// Everything in one account that an oracle compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTruth {
    pub cash: Money,
    pub holdings: BTreeMap<Symbol, Qty>,
    pub orders: Vec<OrderTruth>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTruth {
    pub no: String,
    /// The client's id, as the client told it for the ledger only.
    pub hidden: String,
    pub symbol: Symbol,
    pub side: Side,
    pub qty: Qty,
    pub px: Option<Price>,
    pub cum_qty: Qty,
    pub canceled_qty: Qty,
    pub status: Status,
    pub fills: BTreeSet<String>,
}

impl FakeBroker {
    /// The state of all accounts, hidden from every client.
    #[must_use]
    pub fn truth(&self) -> BTreeMap<String, AccountTruth> {
        let accounts = self.accounts.iter().map(|(name, acc)| {
            let orders = acc.orders.values().map(|book| OrderTruth {
                no: show_no(book.order.no),
                hidden: book.order.hidden.clone(),
                symbol: book.order.symbol,
                side: book.order.side,
                qty: book.order.qty,
                px: book.order.px,
                cum_qty: book.cum_qty,
                canceled_qty: book.canceled_qty,
                status: book.status,
                fills: acc.trades.iter().filter(|t| t.no == book.order.no).map(|t| t.exec.clone()).collect(),
            });
            let truth = AccountTruth {
                cash: acc.cash,
                holdings: acc.holdings.iter().filter(|(_, qty)| !qty.is_zero()).map(|(s, q)| (*s, *q)).collect(),
                orders: orders.collect(),
            };
            (name.clone(), truth)
        });
        accounts.collect()
    }
}
