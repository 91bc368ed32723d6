//! The checks of orders that subscribe to new issues: at one price, once for each account, and for cash in Beijing only.

use super::check::{BY_SIZE, Decided, Order as Checked, Sink, skip, tell, word};
use super::counters::Counted;
use super::limits::Permission;
use super::{Reserved, Risk};
use crate::denial::{DenialCode, Measure};
use crate::instrument::Board;
use crate::issues::IssueTerms;
use crate::order::{Approval, OrdType, Side};
use crate::rules::QtyFault;
use crate::units::{Money, Qty, Timestamp};
use crate::view::{View, usable};

/// What an account needs before it may subscribe: first what the board asks of who trades its shares.
pub(super) fn needed(issue: &IssueTerms, has: impl Fn(Permission) -> bool) -> Permission {
    let of_board = match issue.board {
        Board::ChiNext => Some(Permission::ChiNext),
        Board::Star => Some(Permission::Star),
        Board::Beijing => Some(Permission::Beijing),
        _ => None,
    };
    of_board.filter(|needed| !has(*needed)).unwrap_or(Permission::Ipo)
}

impl Risk {
    /// The rest of the checks of an order whose instrument, account and session are known.
    pub(super) fn run_subscription(
        &self,
        at: Timestamp,
        view: View<'_>,
        order: &Checked<'_>,
        issue: &IssueTerms,
        sink: Sink<'_>,
    ) -> Option<Decided> {
        let Checked { terms, ledger, limits, rules, date } = *order;
        let buys = terms.side == Side::Buy;
        let lot = rules.check_qty(Side::Buy, terms.qty, Qty::ZERO);
        tell(sink, DenialCode::LotSize, lot.is_ok(), || {
            let limit = match lot {
                Err(QtyFault::AboveMax { max, .. }) => max,
                _ => rules.buy_step,
            };
            (Measure::Qty(terms.qty), Measure::Qty(limit))
        });

        // The price is the issue's own. Nothing is quoted by a subscription code, and what is quoted by a share's is no
        // price of the issue: neither an old quote nor one that is missing says anything, nor how far one is from it.
        skip(sink, DenialCode::TickSize, "the issue price");
        skip(sink, DenialCode::QuoteStale, "the issue price");
        let at_price = terms.ord_type == OrdType::Limit && terms.limit_price == Some(issue.price);
        tell(sink, DenialCode::PriceLimit, at_price, || {
            let asked = terms.limit_price.filter(|_| terms.ord_type == OrdType::Limit);
            (asked.map_or(word("market order"), Measure::Price), Measure::Price(issue.price))
        });
        skip(sink, DenialCode::PriceCage, "the issue price");
        skip(sink, DenialCode::PriceCollar, "the issue price");

        self.check_duplicate(at, terms, limits, sink);
        let counted = Counted { terms, px: issue.price, date, t0: false, subscription: true };
        let used = self.counters.used(at, counted);
        let first = !used.subscribed;
        tell(sink, DenialCode::AlreadySubscribed, first, || (Measure::Count(2), Measure::Count(1)));
        // Subscriptions trade with nobody.
        skip(sink, DenialCode::Crossing, "a subscription");

        let none = Reserved::default();
        let reserved = self.reserved.get(&terms.account).unwrap_or(&none);
        let binds = issue.prepaid && buys;
        let needed = if binds { issue.price.times(terms.qty) } else { Money::ZERO };
        let available = usable(ledger, view.quotes) - reserved.cash;
        if binds {
            tell(sink, DenialCode::Cash, needed <= available, || (Measure::Money(needed), Measure::Money(available)));
        } else {
            skip(sink, DenialCode::Cash, "paid for when shares are drawn");
        }
        // Nobody holds what is not issued yet.
        tell(sink, DenialCode::Sellable, buys, || (Measure::Qty(terms.qty), Measure::Qty(Qty::ZERO)));

        // Of what is asked for a small part is drawn. Taken as if all of it were bought, the largest quantity, which is
        // what everybody asks for, would be above every limit, and use up the day's.
        BY_SIZE.into_iter().for_each(|code| skip(sink, code, "a subscription: the issue and the quota are its limits"));
        self.check_rates(terms, limits, &used, sink);
        skip(sink, DenialCode::NotionalMinute, "a subscription");
        skip(sink, DenialCode::NotionalDay, "a subscription");
        self.check_counts(at, order, reserved, &used, sink);

        let approval = Approval {
            trade_date: date,
            band: Some((issue.price, issue.price)),
            fees: rules.fees,
            contract: None,
            loan: None,
            subscription: true,
            reserved_cash: needed,
            arrival_px: None,
            held_until: None,
            net: None,
        };
        let (px, lots) = (issue.price, (rules.buy_step, rules.buy_min));
        Some(Decided { approval, px, t0: false, worst: px, lots })
    }
}
