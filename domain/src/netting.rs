//! Netting: two strategies' orders of opposite sides in one account, crossed before either of them goes out.
//!
//! The overlap changes its book at the last price, without fees, and the broker never hears of it; of the larger order
//! the rest goes out. Cash and position of the account stay as they are. Shares that may not be sold today stay so,
//! whoever's they are.

use serde::{Deserialize, Serialize};

use crate::ids::{ExecId, OrderId};
use crate::order::{OrderTerms, Side};
use crate::signal::Source;
use crate::units::{Money, Price, Qty, Span};

/// What risk adds to the approval of an order that may be netted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetTerms {
    /// The last price when it was approved: the later order of two brings the price at which they cross.
    pub last: Price,
    /// The smallest order and the step of its side: what is left of it has to be one that goes out.
    pub lots: (Qty, Qty),
}

/// What of an order was netted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netted {
    pub qty: Qty,
    pub amount: Money,
}

/// How long an order that may be netted waits for others of its moment.
pub const GATHER: Span = Span::from_ms(200);

/// Numbers of internal fills begin so.
const PREFIX: &str = "net-";

/// Shares that a strategy trades, one of two that stand against each other.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    pub terms: &'a OrderTerms,
    pub leaves: Qty,
    pub net: &'a NetTerms,
}

/// Whether orders like it can be netted at all. A person's draw on the books of others, contracts have no book that could
/// give them away, and who lends by repo buys nothing.
#[must_use]
pub fn applies(terms: &OrderTerms) -> bool {
    terms.source != Source::Manual && terms.effect.is_none() && !terms.symbol.is_repo()
}

/// How much of two orders is crossed, and at what price. Nothing where the price suits one of them only, or where what is
/// left would be no order that the exchange takes.
#[must_use]
pub fn overlap(earlier: Waiting<'_>, later: Waiting<'_>) -> Option<(Qty, Price)> {
    let (a, b) = (earlier.terms, later.terms);
    let px = later.net.last;
    let opposite = a.account == b.account && a.symbol == b.symbol && a.side != b.side && a.strategy != b.strategy;
    if !opposite || !px.is_positive() || !suits(a, px) || !suits(b, px) {
        return None;
    }
    let qty = earlier.leaves.min(later.leaves);
    let larger = if earlier.leaves > later.leaves { earlier } else { later };
    let (rest, (min, step)) = (larger.leaves - qty, larger.net.lots);
    let goes_out = rest.is_zero() || (rest >= min && rest.is_multiple_of(step));
    (qty.is_positive() && goes_out).then_some((qty, px))
}

fn suits(terms: &OrderTerms, px: Price) -> bool {
    terms.limit_price.is_none_or(|limit| match terms.side {
        Side::Buy => px <= limit,
        Side::Sell => px >= limit,
    })
}

/// The number of an order's part that was crossed with another order.
#[must_use]
pub fn exec_id(with: OrderId) -> ExecId {
    ExecId(format!("{PREFIX}{with}").into())
}

/// Whether a fill is an internal one, by its number.
#[must_use]
pub fn is_internal(exec_id: &ExecId) -> bool {
    exec_id.0.starts_with(PREFIX)
}
