//! What moved the cash of an account on one trading day, by its cause: what the cash was when the day began and all of
//! these are what it is now, to the last 1/10,000.

use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::units::{Money, TradeDate};

/// Money in, less money out. Each cause is named once, and everything that moves cash has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flows {
    /// The cash with which the day began. On an account's first day it is what the account was opened with.
    pub opening: Money,
    /// Sales less purchases; of contracts, what closes brought against their last settlement.
    pub trades: Money,
    /// Of trades and of loans: never above zero, but for a broker that gives back.
    pub fees: Money,
    /// What came back with its interest, less what was lent.
    pub loans: Money,
    /// Of contracts, at the close.
    pub settlements: Money,
    /// Dividends of what goes ex on the day.
    pub corporate_actions: Money,
    /// What a person booked: deposits, withdrawals, corrections.
    pub adjustments: Money,
}

impl Flows {
    pub(super) fn from(opening: Money) -> Self {
        Self { opening, ..Self::default() }
    }

    /// Everything that came in and went out.
    #[must_use]
    pub fn net(&self) -> Money {
        let Self { opening: _, trades, fees, loans, settlements, corporate_actions, adjustments } = *self;
        trades + fees + loans + settlements + corporate_actions + adjustments
    }

    /// The cash that they leave.
    #[must_use]
    pub fn cash(&self) -> Money {
        self.opening + self.net()
    }
}

/// A trading day of an account that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayOver {
    pub date: TradeDate,
    pub flows: Flows,
    /// What the account was worth at the close, where the close of everything that it held is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equity: Option<Money>,
}

impl Ledger {
    /// The same with what its present day has moved.
    #[must_use]
    pub fn with_flows(mut self, flows: Option<Flows>) -> Self {
        self.flows = flows;
        self
    }

    /// What the present day has moved. Nothing for a day whose row is older than this.
    #[must_use]
    pub const fn flows(&self) -> Option<&Flows> {
        self.flows.as_ref()
    }

    /// Moves cash, for a cause.
    pub(super) fn pay(&mut self, amount: Money, cause: impl FnOnce(&mut Flows) -> &mut Money) {
        self.cash += amount;
        if let Some(flows) = &mut self.flows {
            *cause(flows) += amount;
        }
    }

    /// Dividends are booked before the day starts on which they belong to its flows.
    pub(super) fn pay_ahead(&mut self, dividends: Money) {
        self.cash += dividends;
        self.ahead += dividends;
    }

    /// Ends the flows of the day before and begins those of the next one.
    pub(super) fn next_flows(&mut self) -> Option<Flows> {
        let ahead = std::mem::take(&mut self.ahead);
        let next = Flows { corporate_actions: ahead, ..Flows::from(self.cash - ahead) };
        self.flows.replace(next)
    }
}
