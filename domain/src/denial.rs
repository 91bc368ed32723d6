//! Why risk refuses: stable codes in order of precedence, each with its numbers.

use serde::{Deserialize, Serialize};

use crate::units::{Money, Price, Qty, Ratio};

/// The stable code of one check. The order of the variants is the order of precedence: the first one that fails is
/// the denial that is reported first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum DenialCode {
    /// The strategy is stopped: its signals are kept and refused.
    StrategyStopped,
    /// A share of a capital base is asked for, and the route has none, or it is worth nothing.
    CapitalBase,
    /// The signal is a test, and every account that it would reach has real money.
    TestSignal,
    /// The signal opens only when its strategy is flat in the symbol, and it holds some or is about to.
    NotFlat,
    /// Trading is halted, or reducing and this order would open, at the global, account or strategy scope.
    TradingState,
    /// The account is not known, not in use, suspended or only read; or it has become a shadow.
    AccountNotReady,
    /// The symbol is no instrument that we know, or one that we have no rules for.
    InstrumentUnknown,
    /// A new issue is subscribed to on its day only, and this is another.
    SubscriptionClosed,
    /// The instrument is on the restricted list of the account, of its strategy or of all.
    Restricted,
    /// Buys: the account has no permission for the board or kind of instrument.
    Permission,
    /// The instrument is paid for in another currency than the account's.
    Currency,
    /// The account has real money, the instrument is traded on the mainland, and the report of program trading is missing.
    ProgramReport,
    /// A contract's order does not say whether it opens or closes, or with a flag that its exchange does not know; or a
    /// share's order says so.
    PositionEffect,
    /// The session is closed for this kind of order.
    SessionClosed,
    /// The quantity is not a whole number of lots, below the minimum or above the largest single order.
    LotSize,
    /// The price is not on the tick grid, or missing for a limit order.
    TickSize,
    /// No quote, or one too old to decide on.
    QuoteStale,
    /// The price is outside the day's limit prices.
    PriceLimit,
    /// In continuous trading the exchange refuses a limit price so far on the other side of the market.
    PriceCage,
    /// The limit price is further on the other side of the market than we let pass.
    PriceCollar,
    /// The same order was sent a moment ago.
    Duplicate,
    /// The account has subscribed to this issue before: only the first one counts.
    AlreadySubscribed,
    /// It would trade with a live order of the same account.
    Crossing,
    /// Buys: the cash that is neither spent nor set aside does not cover the order with its fees.
    Cash,
    /// Sells: the strategy's own book has fewer shares that may be sold today (T+1) and are not set aside.
    Sellable,
    /// Contracts: the margin of one order is above its limit.
    OrderMargin,
    /// Contracts: the margin of everything held and on its way would be above the limit for the account.
    Margin,
    /// The order's value is above the limit per order.
    OrderValue,
    /// More shares than one order of ours may have.
    OrderQty,
    /// The order is too large a part of what is traded on an ordinary day.
    OrderVolume,
    /// The position after the order would be above the limit per symbol.
    Position,
    /// What all accounts hold of the symbol would be above the limit for all of them together.
    Concentration,
    /// Everything held and on its way would be above the limit for the account.
    Exposure,
    /// Too many buys of this symbol may still trade.
    SymbolOrders,
    /// Too many orders of this account may still trade.
    OpenOrders,
    /// The strategy sends more than its plans need: it is held, and only reduces.
    StrategyOrders,
    /// Too much was opened within a minute.
    NotionalMinute,
    /// Too much was opened on this day.
    NotionalDay,
    /// The parent was tried often enough today, or a moment ago.
    Attempts,
    /// Too many of the account's orders of the day were cancelled.
    CancelRatio,
    /// The hard daily ceiling of messages to the broker is reached.
    MessageCeiling,
}

impl DenialCode {
    /// Whether the same order may pass later without anybody changing a limit.
    #[must_use]
    pub const fn transient(self) -> bool {
        !matches!(
            self,
            Self::CapitalBase
                | Self::TestSignal
                | Self::InstrumentUnknown
                | Self::Currency
                | Self::PositionEffect
                | Self::LotSize
                | Self::TickSize
                | Self::AlreadySubscribed
        )
    }
}

/// A number or word of a check, with its unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    None,
    Price(Price),
    Qty(Qty),
    Money(Money),
    Ratio(Ratio),
    Count(i64),
    Millis(i64),
    Word(std::borrow::Cow<'static, str>),
}

/// One check that failed, with what was found and what would have passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    pub code: DenialCode,
    pub value: Measure,
    pub limit: Measure,
}
