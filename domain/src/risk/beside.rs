//! How an order stands beside what others do: what the market trades on an ordinary day, what all our accounts hold and
//! have at work, and how many of the day's orders were cancelled.

use crate::denial::{DenialCode, Measure};
use crate::ids::AccountId;
use crate::units::{Money, Qty, Ratio, Span, Timestamp, mul_div_floor};
use crate::view::View;

use super::Risk;
use super::check::{Added, NOT_LIMITED, Order, Sink, skip, tell_limit, tell_warned, word};
use super::counters::{self, Used};

impl Risk {
    /// What all accounts hold of the symbol, of what they were worth at the last look: a look-up for each account, where
    /// it is limited at all.
    pub(super) fn check_concentration(
        &self,
        view: View<'_>,
        order: &Order<'_>,
        added: Added,
        share: Ratio,
        sink: Sink<'_>,
    ) {
        let Order { terms, .. } = *order;
        let held = |account: &AccountId| {
            let holds = view.ledgers.get(account).map_or(Qty::ZERO, |ledger| ledger.holding(terms.symbol).qty);
            holds + self.reserved.get(account).map_or(Qty::ZERO, |reserved| reserved.buys_of(terms))
        };
        // Before the first look the account stands for itself.
        let (all, equity): (Qty, Money) = match self.losses.together(&terms.account) {
            Some((accounts, equity)) => (accounts.iter().map(held).sum(), equity),
            None => (held(&terms.account), added.equity),
        };
        tell_limit(sink, DenialCode::Concentration, added.px.times(all + terms.qty), equity.scale(share));
    }

    /// Until when it waits for an order of another account with which it would trade. A parent of which one has waited in
    /// vain does not wait again: whoever reprices faster than that would never get out. Nor does one wait beyond its own
    /// time, or into a pause.
    pub(super) fn held_until(
        &self,
        at: Timestamp,
        view: View<'_>,
        order: &Order<'_>,
        used: &Used,
    ) -> Option<Timestamp> {
        let Order { terms, limits, date, .. } = *order;
        used.crossed_elsewhere?;
        let until = at.plus(limits.crossing_hold.span()).min(terms.valid_until.plus(Span::from_us(-1)));
        let waits = until > at && view.market.takes(terms.symbol, terms.ord_type, until);
        (waits && !self.counters.tried(terms.id.parent(), date).held).then_some(until)
    }
}

/// How many of the day's orders were cancelled. What reduces goes out all the same.
pub(super) fn check_cancels(order: &Order<'_>, used: &Used, sink: Sink<'_>) {
    let Order { terms, limits, .. } = *order;
    match limits.cancel_ratio {
        None => skip(sink, DenialCode::CancelRatio, NOT_LIMITED),
        Some(_) if terms.reduces() => skip(sink, DenialCode::CancelRatio, "a reducing order"),
        Some(_) if used.sent < limits.cancel_ratio_from => skip(sink, DenialCode::CancelRatio, "too few orders yet"),
        Some(most) => tell_limit(sink, DenialCode::CancelRatio, counters::ratio(used.canceled, used.sent), most),
    }
}

/// How much of an ordinary day's volume it is.
pub(super) fn check_volume(view: View<'_>, order: &Order<'_>, sink: Sink<'_>) {
    let Order { terms, limits, date, .. } = *order;
    let daily = &view.market.daily;
    if daily.is_empty() {
        // Nobody keeps volumes here: it is said at the start, and not with each order.
        return skip(sink, DenialCode::OrderVolume, "no volumes are kept");
    }
    match daily.average_volume(terms.symbol, date) {
        Some(average) => {
            tell_limit(sink, DenialCode::OrderVolume, terms.qty, share_of(average, limits.order_volume));
        }
        // What is left is the absolute cap.
        None => {
            let most = limits.order_value_max.map_or(Measure::None, Measure::Money);
            tell_warned(sink, DenialCode::OrderVolume, word("no history"), most);
        }
    }
}

/// The most whole shares that are no more than such a share of all.
fn share_of(all: Qty, share: Ratio) -> Qty {
    Qty::new(mul_div_floor(all.get(), share.e6(), Ratio::ONE.e6()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases;

    proptest! {
        #![proptest_config(cases::config())]

        /// The oracle multiplies out.
        #[test]
        fn a_share_of_the_volume_is_passed_where_the_fractions_say(
            volume in 0_i64..5_000_000_000,
            share in 0_i64..2_000_000,
            near in -1_i64..=1,
            any in 1_i64..5_000_000_000,
            at_the_edge in any::<bool>(),
        ) {
            let most = share_of(Qty::new(volume), Ratio::from_e6(share)).get();
            let qty = if at_the_edge { (most + near).max(1) } else { any };
            let above = i128::from(qty) * 1_000_000 > i128::from(volume) * i128::from(share);
            prop_assert_eq!(qty > most, above, "{} of {}", qty, volume);
        }
    }
}
