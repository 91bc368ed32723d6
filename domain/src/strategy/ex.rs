//! A signal's prices are those of the trading day that it came on. When its share goes ex while it is held or pursued, what
//! it says is left as it was said, and reckoned in prices of the day where it meets the market: a stop neither goes off
//! because shares were given away, nor hangs too low for the rest of its life.

use std::sync::Arc;

use crate::execution::Traded;
use crate::order::Side;
use crate::signal::Signal;
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Timestamp, TradeDate};
use crate::view::View;

/// Between which trading days the share of a signal went ex; `None` where it did not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ex {
    symbol: Symbol,
    of: TradeDate,
    on: TradeDate,
}

impl Ex {
    pub(super) fn since(view: View<'_>, symbol: Symbol, then: Timestamp, now: Timestamp) -> Option<Self> {
        if !view.market.actions.knows(symbol) {
            return None; // nearly all: asked for with each quote
        }
        let of = view.market.trade_date(symbol, then)?;
        let on = view.market.trade_date(symbol, now)?;
        (!view.market.actions.between(symbol, of, on).is_empty()).then_some(Self { symbol, of, on })
    }

    /// What the market shows, in prices of the signal's day.
    pub(super) fn traded(self, view: View<'_>, traded: Traded) -> Traded {
        let cum = |px| view.market.actions.cum_price(self.symbol, self.of, self.on, px);
        Traded { high: cum(traded.high), low: cum(traded.low), last: cum(traded.last) }
    }

    /// What so many shares of then are now.
    pub(super) fn grown(self, view: View<'_>, qty: Qty) -> Qty {
        view.market.actions.grown(self.symbol, self.of, self.on, qty)
    }

    fn limit(self, view: View<'_>, side: Side, px: Price) -> Option<Price> {
        let px = view.market.actions.ex_price(self.symbol, self.of, self.on, px)?;
        Some(view.market.day(self.symbol, self.on).map_or(px, |rules| rules.to_tick(side, px)))
    }
}

/// The limit of a signal's leg in prices of the day.
pub(super) fn limit_of(at: Timestamp, view: View<'_>, signal: &Signal, side: Side) -> Option<Price> {
    Some(price_now(at, view, (signal.symbol, side), (signal.limit_price?, signal.received_at)))
}

/// A limit that was said then, in prices of the day.
pub(super) fn price_now(
    at: Timestamp,
    view: View<'_>,
    (symbol, side): (Symbol, Side),
    (said, then): (Price, Timestamp),
) -> Price {
    let ex = Ex::since(view, symbol, then, at);
    ex.and_then(|ex| ex.limit(view, side, said)).unwrap_or(said)
}

/// The signal as it is planned on the day.
pub(super) fn of_day(at: Timestamp, view: View<'_>, signal: &Arc<Signal>) -> Arc<Signal> {
    let limit_price = limit_of(at, view, signal, signal.side.unwrap_or(Side::Buy));
    if limit_price == signal.limit_price {
        return signal.clone();
    }
    Arc::new(Signal { limit_price, ..(**signal).clone() })
}
