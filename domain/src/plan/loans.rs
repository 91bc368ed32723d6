//! Legs that lend by bond repo: sums of money become units of 100 yuan, in whole lots. No book holds what is lent.

use std::slice;

use super::{Ask, Planner};
use crate::allocation::{by_weight, follow};
use crate::capital::Value;
use crate::denial::{Denial, DenialCode, Measure};
use crate::fees::most_steps;
use crate::ids::AccountId;
use crate::manner::ShortOfCash;
use crate::order::Side;
use crate::repo::{LoanTerms, UNIT};
use crate::signal::Size;
use crate::strategy::{Allocation, Route};
use crate::units::{Qty, Ratio};

impl Planner<'_> {
    pub(super) fn loan(&mut self, accounts: &[AccountId], route: &Route) -> Result<(), Vec<Denial>> {
        match (self.signal.size, self.signal.side) {
            // Risk says why nobody borrows here.
            (Size::Quantity(qty), Some(Side::Buy)) => {
                accounts.iter().for_each(|account| self.push(account, Side::Buy, follow(qty, route.follow_ratio)));
            }
            (Size::Quantity(qty), Some(Side::Sell)) => self.lend(accounts, route, Ask::Shares(qty)),
            (Size::Amount(sum), Some(Side::Sell)) => self.lend(accounts, route, Ask::Sum(sum, UNIT)),
            (Size::Percent(share), Some(Side::Sell)) => {
                self.check_base(accounts, route)?;
                self.lend(accounts, route, Ask::Share(share, UNIT));
            }
            (Size::AllIn, Some(Side::Sell)) => self.lend_all(accounts, route),
            _ => {
                let value = Measure::Word("nobody holds or borrows repo here".into());
                return Err(vec![Denial { code: DenialCode::Permission, value, limit: Measure::None }]);
            }
        }
        Ok(())
    }

    fn lend(&mut self, accounts: &[AccountId], route: &Route, ask: Ask) {
        if route.allocation == Allocation::FixedRatio {
            for account in accounts {
                let units = self.wanted(slice::from_ref(account), route, ask);
                self.lend_units(account, units);
            }
            return;
        }
        let wanted = self.wanted(accounts, route, ask);
        // Who lends spends his cash, as who buys does.
        let (shares, residual) = by_weight(wanted, &self.weights(accounts, route.allocation, Side::Buy), self.lot);
        self.residual += residual;
        for (account, units) in accounts.iter().zip(shares) {
            self.lend_units(account, units);
        }
    }

    /// All the cash of each account that no live order has set aside, times the route's ratio.
    fn lend_all(&mut self, accounts: &[AccountId], route: &Route) {
        let Some(loan) = LoanTerms::of(self.signal.symbol, self.date, &self.view.market.calendar) else { return };
        if let Some(patience) = self.short_of_cash.patience() {
            self.short_of_cash = ShortOfCash::Shrink(patience);
        }
        let lots = (self.lot, self.sell_min);
        for account in accounts {
            let cash = Value::of(self.view.available_cash(account)).times(route.follow_ratio.min(Ratio::ONE)).money();
            let units = most_steps(cash, UNIT.times(self.lot), lots, |units| loan.needed(units));
            if units.is_zero() {
                let (value, limit) = (Measure::Money(loan.needed(self.sell_min)), Measure::Money(cash));
                self.lacking.get_or_insert(Denial { code: DenialCode::Cash, value, limit });
            }
            self.push(account, Side::Sell, units);
        }
    }

    fn lend_units(&mut self, account: &AccountId, units: Qty) {
        let lots = self.whole(Side::Sell, units);
        self.residual += units - lots;
        self.push(account, Side::Sell, lots);
    }
}
