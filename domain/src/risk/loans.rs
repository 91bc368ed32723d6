//! The checks of orders that lend by bond repo: cash is their limit, and a price is a rate.

use super::check::{BY_SIZE, Decided, Order as Checked, Sink, skip, tell};
use super::{Reserved, Risk};
use crate::denial::{DenialCode, Measure};
use crate::order::Approval;
use crate::repo::LoanTerms;
use crate::rules::QtyFault;
use crate::units::{Qty, Timestamp};
use crate::view::{View, usable};

impl Risk {
    /// The rest of the checks of an order whose instrument, account and session are known.
    pub(super) fn run_loan(
        &self,
        at: Timestamp,
        view: View<'_>,
        order: &Checked<'_>,
        sink: Sink<'_>,
    ) -> Option<Decided> {
        let Checked { terms, ledger, limits, rules, date } = *order;
        let loan = LoanTerms::of(terms.symbol, date, &view.market.calendar);
        tell(sink, DenialCode::InstrumentUnknown, loan.is_some(), || (Measure::None, Measure::None));
        let loan = loan?;

        let lot = rules.check_qty_of(terms.ord_type, terms.side, terms.qty, Qty::MAX);
        tell(sink, DenialCode::LotSize, lot.is_ok(), || {
            let limit = if let Err(QtyFault::AboveMax { max, .. }) = lot { max } else { rules.sell_step };
            (Measure::Qty(terms.qty), Measure::Qty(limit))
        });
        let priced = self.check_price(at, view, order, sink);
        self.check_duplicate(at, terms, limits, sink);
        let px = terms.limit_price.unwrap_or(priced.market_px);
        let used = self.check_crossing(at, order, px, true, None, sink);

        let none = Reserved::default();
        let reserved = self.reserved.get(&terms.account).unwrap_or(&none);
        let needed = loan.needed(terms.qty);
        let available = usable(ledger, view.quotes) - reserved.cash;
        tell(sink, DenialCode::Cash, needed <= available, || (Measure::Money(needed), Measure::Money(available)));
        skip(sink, DenialCode::Sellable, "it lends");
        BY_SIZE.into_iter().for_each(|code| skip(sink, code, "it lends: cash is its limit"));
        self.check_rates(terms, limits, &used, sink);
        skip(sink, DenialCode::NotionalMinute, "it lends");
        skip(sink, DenialCode::NotionalDay, "it lends");
        self.check_counts(at, order, reserved, &used, sink);

        let approval = Approval {
            trade_date: date,
            band: priced.band,
            fees: rules.fees,
            contract: None,
            loan: Some(loan),
            subscription: false,
            reserved_cash: needed,
            arrival_px: priced.arrival_px,
            held_until: None,
            net: None,
        };
        Some(Decided { approval, px, t0: true, worst: px, lots: (rules.sell_step, rules.sell_min) })
    }
}
