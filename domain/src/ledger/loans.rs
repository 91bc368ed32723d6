//! Money that is lent: it left the cash, and comes back with interest on the first trading day on which it is due.

use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::ids::{OrderId, StrategyId};
use crate::order::OrderTerms;
use crate::repo::{LoanTerms, UNIT};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, TradeDate};

/// What one order has lent at one rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loan {
    pub order: OrderId,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub qty: Qty,
    /// A year's, in percent.
    pub rate: Price,
    pub sum: Money,
    pub interest: Money,
    pub due: TradeDate,
}

impl Ledger {
    /// The same with what is lent.
    #[must_use]
    pub fn with_loans(mut self, loans: Vec<Loan>) -> Self {
        self.loans = loans;
        self
    }

    /// What is lent and not due yet, as it was lent.
    #[must_use]
    pub fn loans(&self) -> &[Loan] {
        &self.loans
    }

    /// What is lent, without its interest.
    #[must_use]
    pub fn lent(&self) -> Money {
        self.loans.iter().map(|loan| loan.sum).sum()
    }

    /// Books one fill of an order that lends.
    pub(super) fn lend(&mut self, terms: &OrderTerms, of: &LoanTerms, (qty, rate, fee): (Qty, Price, Money)) {
        self.pay(-UNIT.times(qty), |flows| &mut flows.loans);
        self.pay(-fee, |flows| &mut flows.fees);
        let same = |loan: &&mut Loan| loan.order == terms.id && loan.rate == rate;
        let loan = match self.loans.iter_mut().find(same) {
            Some(loan) => loan,
            None => {
                let (order, strategy, symbol, due) = (terms.id, terms.strategy.clone(), terms.symbol, of.due);
                let (qty, sum, interest) = (Qty::ZERO, Money::ZERO, Money::ZERO);
                self.loans.push(Loan { order, strategy, symbol, qty, rate, sum, interest, due });
                let Some(loan) = self.loans.last_mut() else { return };
                loan
            }
        };
        loan.qty += qty;
        loan.sum = UNIT.times(loan.qty);
        loan.interest = of.interest(loan.sum, rate);
    }

    /// What is due by the day comes back.
    pub(super) fn repay(&mut self, date: TradeDate) {
        let due: Money = self.loans.iter().filter(|loan| loan.due <= date).map(|loan| loan.sum + loan.interest).sum();
        self.loans.retain(|loan| loan.due > date);
        self.pay(due, |flows| &mut flows.loans);
    }
}
