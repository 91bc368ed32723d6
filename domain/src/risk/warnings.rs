//! Limits that are nearly used up: told once for each account, limit and day, so that people see it and are not flooded.

use serde::{Deserialize, Serialize};

use crate::denial::{DenialCode, Measure};
use crate::hash::QuickMap;
use crate::ids::{AccountId, OrderId, StrategyId};
use crate::units::{Timestamp, TradeDate};

/// The first order of a day that came to four fifths of a limit, or that should be looked at for another reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitWarning {
    pub account: AccountId,
    pub trade_date: TradeDate,
    pub code: DenialCode,
    pub strategy: StrategyId,
    pub order: OrderId,
    pub value: Measure,
    pub limit: Measure,
    pub at: Timestamp,
}

/// What was told today: a bit for each code.
#[derive(Debug, Default)]
pub(super) struct Warned {
    by_account: QuickMap<AccountId, (TradeDate, u64)>,
}

impl Warned {
    /// Whether it was not told on the day before; it is from now on.
    pub(super) fn first(&mut self, account: &AccountId, date: TradeDate, code: DenialCode) -> bool {
        let bit = 1 << (code as u32);
        match self.by_account.get_mut(account) {
            Some((day, told)) if *day == date => {
                let first = *told & bit == 0;
                *told |= bit;
                first
            }
            Some(other_day) => {
                *other_day = (date, bit);
                true
            }
            None => {
                self.by_account.insert(account.clone(), (date, bit));
                true
            }
        }
    }
}
