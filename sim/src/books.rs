//! Our books against the broker's, when everything has come to its end.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_brokers::fake::wire::Status;
use signalbox_brokers::fake::{AccountTruth, OrderTruth, names_nothing, renumbered};
use signalbox_domain::broker::Level;
use signalbox_domain::ids::{AccountId, InstallationTag, OrderId};
use signalbox_domain::ledger::Ledger;
use signalbox_domain::order::{OrdStatus, Order};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::Qty;

use crate::oracle::must;

/// What is true at the broker, and what could be known of it.
#[derive(Debug)]
pub struct Truth<'a> {
    pub accounts: &'a BTreeMap<String, AccountTruth>,
    pub levels: &'a BTreeMap<AccountId, Level>,
    pub installation: InstallationTag,
    /// Orders that lived when a day ended that nobody saw to its end: what they filled after the last look is in no list.
    pub overnight: &'a BTreeSet<OrderId>,
}

impl Truth<'_> {
    /// The mark of an order that only the broker's ledger shows.
    #[must_use]
    pub fn hidden(&self, id: OrderId) -> String {
        id.client_order_id(self.installation).to_string()
    }

    /// The broker's orders that are this one, with their accounts.
    #[must_use]
    pub fn orders_of(&self, id: OrderId) -> Vec<(&str, &OrderTruth)> {
        let hidden = self.hidden(id);
        let orders = self.accounts.iter().flat_map(|(name, acc)| acc.orders.iter().map(move |o| (name.as_str(), o)));
        orders.filter(|(_, order)| order.hidden == hidden).collect()
    }

    /// Every order is there once or not at all, as we know it, and none is there that we do not know.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn agrees_on_orders<'o>(&self, orders: impl Iterator<Item = &'o Order>) -> Result<(), String> {
        let mut ours = BTreeSet::new();
        for order in orders {
            self.agrees_on_order(order)?;
            ours.insert(self.hidden(order.id()));
        }
        for (name, acc) in self.accounts {
            // What has no mark was made by hand.
            let unknown = acc.orders.iter().find(|there| !there.hidden.is_empty() && !ours.contains(&there.hidden));
            must!(unknown.is_none(), "{name} has {unknown:?}, which nobody here knows");
        }
        Ok(())
    }

    fn agrees_on_order(&self, order: &Order) -> Result<(), String> {
        let id = order.id();
        let theirs = self.orders_of(id);
        let here = theirs.iter().find(|(name, _)| *name == order.terms.account.as_str());
        let unsent = order.sent_qty().is_zero();
        must!(!unsent || theirs.is_empty(), "order {id} was netted as a whole and is at the broker");
        must!(theirs.len() <= 1, "order {id} is {} orders at the broker", theirs.len());
        // Without marks nobody could tell it from what a person did at the same moment. What came of itself, late, is a
        // row that nobody sent: the holdings are told of it.
        let account = self.accounts.get(order.terms.account.as_str());
        if self.level(&order.terms.account) == Level::L1
            && account.is_some_and(|acc| is_twin_of_hand(order, &acc.orders))
        {
            return Ok(());
        }
        let Some((_, there)) = here else {
            must!(
                order.sent_cum().is_zero() && order.status != OrdStatus::New,
                "order {id} counts as {:?}, and the broker never had it",
                order.status
            );
            return Ok(());
        };
        if is_another(order, there) {
            return self.agrees_on_another(order, there);
        }
        if let Some(no) = &order.broker_order_id {
            // A terminal that was restarted has shown it under this number; or the number was given for nothing, and the
            // first request came after all: then our mark tells whose the row is.
            let marked = self.level(&order.terms.account) >= Level::L2;
            let same = *no.0 == *there.no || *no.0 == *renumbered(&there.no) || (marked && names_nothing(&no.0));
            // A wrong number shows in the lists of its day, and nobody read them.
            let unread = self.overnight.contains(&id) && order.sent_cum().is_zero();
            must!(same || unread, "order {id} is bound to {no}, and is {}", there.no);
        }
        must!(
            !matches!(order.status, OrdStatus::NeverSent | OrdStatus::Absent),
            "order {id} counts as {:?} and is {} at the broker",
            order.status,
            there.no
        );
        if self.overnight.contains(&id) {
            must!(order.sent_cum() <= there.cum_qty, "order {id}: the books filled more than the broker");
            let known = self.level(&order.terms.account) >= Level::L1;
            must!(!known || order.status.is_terminal(), "order {id} is {:?} the day after", order.status);
        } else if self.level(&order.terms.account) >= Level::L1 {
            must!(
                (order.status == OrdStatus::Filled) == (there.status == Status::Filled),
                "order {id} counts as {:?} and is {:?} at the broker",
                order.status,
                there.status
            );
            must!(
                order.sent_cum() == there.cum_qty,
                "order {id}: the broker filled {} and the books {}",
                there.cum_qty,
                order.sent_cum()
            );
            must!(order.status.is_terminal(), "order {id} ended at the broker and is {:?}", order.status);
        }
        Ok(())
    }

    /// F18: the broker made another order of it. A person took it as it is, or for none of ours.
    fn agrees_on_another(&self, order: &Order, there: &OrderTruth) -> Result<(), String> {
        if self.level(&order.terms.account) == Level::L0 {
            return Ok(());
        }
        let ours = if there.side == order.terms.side { there.cum_qty } else { Qty::ZERO };
        must!(
            order.sent_cum() == ours,
            "order {}: the broker made {there:?} of it, and the books filled {}",
            order.id(),
            order.sent_cum()
        );
        must!(order.status.is_terminal(), "order {} ended as {there:?} and is {:?}", order.id(), order.status);
        Ok(())
    }

    /// What is held is what the ledger says, where it can be known.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn agrees_on_holdings(&self, id: &AccountId, ledger: &Ledger, symbols: &[Symbol]) -> Result<(), String> {
        if self.level(id) == Level::L0 {
            return Ok(());
        }
        for symbol in symbols {
            let held = ledger.holding(*symbol).qty;
            let there = self.accounts.get(id.as_str()).and_then(|acc| acc.holdings.get(symbol));
            let there = there.copied().unwrap_or_default();
            must!(held == there, "{id} holds {there} of {symbol} and the books say {held}");
        }
        Ok(())
    }

    fn level(&self, id: &AccountId) -> Level {
        self.levels.get(id).copied().unwrap_or(Level::L0)
    }
}

/// Whether the broker has something else of it than was sent.
#[must_use]
pub fn is_another(order: &Order, there: &OrderTruth) -> bool {
    let terms = &order.terms;
    let px = terms.limit_price.is_none() || there.px == terms.limit_price;
    !px || (there.symbol, there.side, there.qty) != (terms.symbol, terms.side, order.sent_qty())
}

/// Whether its row is a person's own order of the same shape, under whichever number a restarted terminal showed it.
#[must_use]
pub fn is_twin_of_hand(order: &Order, there: &[OrderTruth]) -> bool {
    let terms = &order.terms;
    let looks_the_same = |row: &OrderTruth| {
        let px = terms.limit_price.is_none() || row.px == terms.limit_price;
        row.hidden.is_empty() && px && (row.symbol, row.side, row.qty) == (terms.symbol, terms.side, order.sent_qty())
    };
    let no = order.broker_order_id.as_ref();
    let is = |row: &OrderTruth| no.is_some_and(|no| *no.0 == *row.no || *no.0 == *renumbered(&row.no));
    there.iter().any(|row| is(row) && looks_the_same(row))
}
