//! One quantity as the orders that the exchange takes: none above the largest single order of the board, and an odd lot
//! only as the whole remainder.

use crate::order::{OrdType, Side};
use crate::rules::DayRules;
use crate::units::Qty;

/// More orders at once for one parent are a mistake in the quantity, not a large order.
const PIECES_MAX: usize = 20;

/// The orders that the quantity becomes, each valid when the ones before it are set aside; what no order can be made of
/// is left out. `sellable` is what may be sold now; a buy ignores it.
#[must_use]
pub fn pieces(rules: &DayRules, ord_type: OrdType, side: Side, qty: Qty, sellable: Qty) -> Vec<Qty> {
    let (mut rest, mut sellable) = (qty, sellable);
    let mut found = Vec::new();
    while rest.is_positive() && found.len() < PIECES_MAX {
        let piece = next(rules, ord_type, side, rest, sellable);
        if !piece.is_positive() {
            break;
        }
        found.push(piece);
        rest -= piece;
        sellable -= piece;
    }
    found
}

fn next(rules: &DayRules, ord_type: OrdType, side: Side, rest: Qty, sellable: Qty) -> Qty {
    let largest = rules.round_down_of(ord_type, side, rest, sellable);
    let left = rest - largest;
    let fits = |left: Qty, sellable: Qty| rules.round_down_of(ord_type, side, left, sellable).is_positive();
    if !left.is_positive() || fits(left, sellable - largest) {
        return largest;
    }
    // What would be left is below the board's minimum (STAR: 200): a smaller order now leaves room for it.
    let min = if side == Side::Buy { rules.buy_min } else { rules.sell_min };
    let smaller = rules.round_down_of(ord_type, side, largest - min, sellable);
    if smaller.is_positive() && fits(rest - smaller, sellable - smaller) { smaller } else { largest }
}
