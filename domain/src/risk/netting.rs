//! Which orders may be netted, and whether one that would cross our own is. Accounts do it, see [`crate::netting`].

use std::sync::Arc;

use super::Risk;
use super::check::Order as Checked;
use super::limits::Crossing;
use crate::hash::QuickMap;
use crate::ids::AccountId;
use crate::netting::{self, NetTerms, Waiting};
use crate::order::{Approval, OrdStatus, Order, OrderTerms, Side};
use crate::units::{Price, Qty, Timestamp};
use crate::view::View;

/// The orders of each account that may be netted and have not been sent, as far as was told.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    accounts: QuickMap<AccountId, Vec<One>>,
}

#[derive(Debug)]
struct One {
    terms: Arc<OrderTerms>,
    net: NetTerms,
    px: Price,
    leaves: Qty,
}

impl Unsent {
    pub(super) fn put(&mut self, terms: &Arc<OrderTerms>, approval: &Approval, leaves: Qty) {
        let Some(net) = approval.net else { return };
        let px = terms.limit_price.or(approval.arrival_px).unwrap_or_default();
        let of = self.accounts.entry(terms.account.clone()).or_default();
        match of.iter_mut().find(|one| one.terms.id == terms.id) {
            Some(known) => known.leaves = leaves,
            None => of.push(One { terms: terms.clone(), net, px, leaves }),
        }
    }

    /// What became of an order.
    pub(super) fn observe(&mut self, order: &Order) {
        if order.status == OrdStatus::Initialized && order.in_flight.is_none() {
            return self.put(&order.terms, &order.approval, order.leaves_qty());
        }
        if let Some(of) = self.accounts.get_mut(&order.terms.account) {
            of.retain(|one| one.terms.id != order.id());
        }
    }

    /// The sizes at which an order at this price would use up one more of what it would be netted with, rising.
    pub(super) fn edges(&self, terms: &OrderTerms, px: Price) -> Vec<Qty> {
        let mut edge = Qty::ZERO;
        let of = self.crossed_by(terms, px);
        of.map(|one| {
            edge += one.leaves;
            edge
        })
        .collect()
    }

    fn crossed_by<'a>(&'a self, terms: &'a OrderTerms, px: Price) -> impl Iterator<Item = &'a One> {
        let of = self.accounts.get(&terms.account).map_or(&[][..], Vec::as_slice);
        of.iter().filter(move |one| {
            one.terms.symbol == terms.symbol
                && one.terms.side != terms.side
                && if terms.side == Side::Buy { one.px <= px } else { one.px >= px }
        })
    }
}

impl Risk {
    /// How the order may be netted: where its account does, and while the last price is one of continuous trading.
    pub(super) fn net_terms(&self, at: Timestamp, view: View<'_>, order: &Checked<'_>) -> Option<NetTerms> {
        let Checked { terms, limits, rules, .. } = *order;
        let nets = limits.crossing == Crossing::Net && netting::applies(terms);
        let last = view.quotes.get(terms.symbol).filter(|_| nets)?.last;
        let lots = match terms.side {
            Side::Buy => (rules.buy_min, rules.buy_step),
            Side::Sell => (rules.sell_min, rules.sell_step),
        };
        view.market.is_continuous(terms.symbol, at, rules.closing_auction).then_some(NetTerms { last, lots })
    }

    /// Whether everything that the order would trade with is netted with it, one after the other.
    pub(super) fn is_netted(&self, terms: &OrderTerms, px: Price, net: &NetTerms) -> bool {
        let (mut leaves, mut met) = (terms.qty, 0);
        for one in self.unsent.crossed_by(terms, px) {
            met += 1;
            if leaves.is_zero() {
                continue;
            }
            let earlier = Waiting { terms: &one.terms, leaves: one.leaves, net: &one.net };
            let Some((qty, _)) = netting::overlap(earlier, Waiting { terms, leaves, net }) else { return false };
            leaves -= qty;
        }
        met == self.counters.crossed_by(terms, px)
    }
}
