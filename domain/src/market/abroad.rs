//! Hong Kong and the United States: their shares, rules and hours, each in its own currency.

use crate::calendar::sessions::Sessions;
use crate::fees::{FeeRules, StampDutyOf};
use crate::rules::abroad::{Abroad, ForeignBook, NoForeignRule};
use crate::rules::{DayRules, Hours, NoRule, PriceLimit};
use crate::symbol::{Exchange, Symbol};
use crate::units::{Money, Qty, Ratio, TradeDate};

/// The shares abroad and when they trade.
#[derive(Debug, Clone)]
pub struct Foreign {
    pub book: ForeignBook,
    pub hong_kong: Sessions,
    pub new_york: Sessions,
}

/// Whether the symbol trades in Hong Kong or in the United States.
#[must_use]
pub fn is_abroad(symbol: Symbol) -> bool {
    matches!(symbol.exchange(), Exchange::HK | Exchange::US)
}

impl Foreign {
    /// `None` for every other exchange.
    #[must_use]
    pub fn sessions(&self, exchange: Exchange) -> Option<&Sessions> {
        match exchange {
            Exchange::HK => Some(&self.hong_kong),
            Exchange::US => Some(&self.new_york),
            _ => None,
        }
    }

    /// What holds for the share on the day. Brokers ask what they like there, so that the commission has no cap and no
    /// minimum of the law.
    ///
    /// # Errors
    /// [`NoRule`] for a share that is not known or not listed yet, and for a day without complete rules.
    pub(super) fn day(&self, symbol: Symbol, day: TradeDate) -> Result<DayRules, NoRule> {
        let rules = self.book.day(symbol, day).map_err(|no| match no {
            NoForeignRule::UnknownSymbol { symbol } => NoRule::UnknownSymbol { symbol },
            NoForeignRule::NotListed { .. } | NoForeignRule::Missing { .. } => NoRule::Abroad(no),
        })?;
        let stamp_duty_of = if symbol.exchange() == Exchange::HK { StampDutyOf::Both } else { StampDutyOf::Seller };
        Ok(DayRules {
            buy_min: rules.lot,
            buy_step: rules.lot,
            sell_min: rules.lot,
            sell_step: rules.lot,
            order_max_limit: Qty::MAX,
            order_max_market: Qty::MAX,
            tick: rules.ladder.finest(),
            limit: PriceLimit::Unlimited,
            one_tick_floor: false,
            one_tick_floor_to: None,
            cage: None,
            min_holding_days: rules.min_holding_days,
            closing_auction: false,
            hours: Hours::NoClosingAuction,
            after_hours: false,
            fees: FeeRules {
                commission: FeeRules::COMMISSION_DEFAULT,
                commission_cap: Ratio::ONE,
                commission_min: Money::ZERO,
                stamp_duty_sell: rules.stamp_duty,
                stamp_duty_of,
                transfer_fee: rules.levy,
            },
            contract: None,
            abroad: Some(Abroad { ladder: rules.ladder, settle_days: rules.settle_days }),
            issue: None,
        })
    }
}
