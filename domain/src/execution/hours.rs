//! What the session of an instant takes: orders, and cancels.

use crate::calendar::{Opening, Phase};
use crate::market::Market;
use crate::order::OrdType;
use crate::symbol::Symbol;
use crate::units::{Span, Timestamp, TradeDate};

/// The exchange takes no cancel in the closing auction (14:57 to 15:00). Nothing is begun so shortly before that its
/// answer could come too late.
pub(crate) const CANCELS_END_BEFORE_CLOSE: Span = Span::from_secs(210);

/// The session of one instrument at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub trade_date: TradeDate,
    pub phase: Phase,
    /// Limit orders are taken now.
    pub open: bool,
    /// From here on nothing is taken back any more until the session ends.
    pub cancels_end: Timestamp,
    pub session_end: Timestamp,
    /// When orders are taken next; `None` beyond the calendar.
    pub next_open: Option<Timestamp>,
}

impl Hours {
    /// `None` where the calendar or the rules of the instrument end.
    #[must_use]
    pub fn of(market: &Market, symbol: Symbol, at: Timestamp, opening_auction: bool) -> Option<Self> {
        let trade_date = market.trade_date(symbol, at)?;
        let rules = market.day(symbol, trade_date).ok()?;
        let session_end = market.session_end(symbol, at)?;
        let continuous = market.is_continuous(symbol, at, rules.closing_auction);
        let phase = match market.calendar.phase(at, rules.closing_auction) {
            _ if continuous => Phase::Continuous,
            Phase::Continuous => Phase::Closed, // elsewhere
            phase => phase,
        };
        let before = if rules.closing_auction { -CANCELS_END_BEFORE_CLOSE.us() } else { 0 };
        let in_auction = opening_auction && phase == Phase::OpeningAuction;
        let opening = if opening_auction { Opening::Auction } else { Opening::Continuous };
        let next = market.next_open(symbol, at);
        // The auction of the morning is behind us at lunch.
        let auction = Some(opening).filter(|_| opening_auction).and_then(|it| market.calendar.next_open(at, it));
        Some(Self {
            trade_date,
            phase,
            open: in_auction || market.is_open(symbol, OrdType::Limit, at),
            cancels_end: session_end.plus(Span::from_us(before)),
            session_end,
            next_open: auction.into_iter().chain(next).min(),
        })
    }

    /// Whether an order of this kind is taken now.
    #[must_use]
    pub fn takes(&self, ord_type: OrdType) -> bool {
        self.open && (ord_type == OrdType::Limit || self.continuous())
    }

    #[must_use]
    pub fn continuous(&self) -> bool {
        self.phase == Phase::Continuous
    }

    /// Whether a cancel of ours may leave now, which is for less long than the exchange takes them
    /// ([`Market::takes_cancels`]): in the opening auction it refuses some of them, and one that is refused leaves an order
    /// that we think little of.
    #[must_use]
    pub fn takes_cancels(&self, at: Timestamp) -> bool {
        let refused = matches!(self.phase, Phase::OpeningAuction | Phase::PreContinuous | Phase::ClosingAuction);
        !refused && (self.phase != Phase::Continuous || at <= self.cancels_end)
    }
}
