//! Facts. Every change of state is one of these, durable in the journal before its effect is seen outside, and enough
//! to rebuild the state that it changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::broker::ListedTrade;
use crate::denial::Denial;
use crate::execution::{Condition, ParentStep};
use crate::fx::FxRate;
use crate::ids::{AccountId, OrderId, ParentId, SignalId, StrategyId};
use crate::ledger::{Adjustment, BookedAction, Imported, Mark, OpeningHolding, Transfer};
use crate::order::{Approval, OrderFact, OrderTerms};
use crate::parent::{Leg, ParentStatus};
use crate::reconcile::exception::Exception;
use crate::registry;
use crate::risk::{EquityMark, LimitFact, LimitWarning};
use crate::signal::{Signal, WaitingFor};
use crate::strategy::{StrategyConf, StrategyState};
use crate::units::{Money, Price, Qty, Timestamp, TradeDate};

/// One fact of the journal, without its place and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Event {
    // The door.
    SignalAccepted(Arc<Signal>),
    // Strategies.
    StrategyConfigured(Arc<StrategyConf>),
    StrategyStateSet {
        strategy: StrategyId,
        state: StrategyState,
        who: Arc<str>,
        reason: Arc<str>,
    },
    SignalWaiting {
        strategy: StrategyId,
        signal: SignalId,
        waiting_for: WaitingFor,
        until: Timestamp,
    },
    /// How the signal was split. Σ leg quantities + residual = what was asked for.
    SignalPlanned {
        strategy: StrategyId,
        signal: SignalId,
        legs: Arc<[Leg]>,
        residual: Qty,
    },
    /// Refused as a whole before it became legs.
    SignalDenied {
        strategy: StrategyId,
        signal: SignalId,
        denials: Arc<[Denial]>,
    },
    SignalExpired {
        strategy: StrategyId,
        signal: SignalId,
    },
    SignalCanceled {
        strategy: StrategyId,
        signal: SignalId,
        who: Arc<str>,
    },
    /// Legs are kept, until the time at most or as long as their signal is valid.
    LegsWaiting {
        strategy: StrategyId,
        signal: SignalId,
        parents: Arc<[ParentId]>,
        waiting_for: WaitingFor,
        until: Option<Timestamp>,
    },
    /// A person let legs go that waited for him.
    LegsConfirmed {
        strategy: StrategyId,
        signal: SignalId,
        parents: Arc<[ParentId]>,
        who: Arc<str>,
    },
    /// Legs that waited for a person ended without an order: rejected, canceled or out of time.
    LegsEnded {
        strategy: StrategyId,
        signal: SignalId,
        parents: Arc<[ParentId]>,
        status: ParentStatus,
        who: Arc<str>,
        reason: Arc<str>,
    },
    /// The order that a leg would have sent, and why risk would have refused it.
    LegShadowed {
        strategy: StrategyId,
        signal: SignalId,
        terms: Arc<OrderTerms>,
        denials: Arc<[Denial]>,
    },
    /// A person traded a leg by hand. The shares are booked where his order is, not here.
    LegCompleted {
        strategy: StrategyId,
        signal: SignalId,
        account: AccountId,
        parent: ParentId,
        qty: Qty,
        px: Price,
        /// His order: ours, or the broker's number of it.
        order: Arc<str>,
        who: Arc<str>,
    },
    /// A leg's policy decided something beyond its first order.
    ParentStepped {
        strategy: StrategyId,
        account: AccountId,
        parent: ParentId,
        step: ParentStep,
    },
    /// The best price that the trail of a held signal hangs on.
    TriggerMarked {
        strategy: StrategyId,
        signal: SignalId,
        best: Price,
    },
    /// A condition of a held signal came true, at this last price.
    TriggerFired {
        strategy: StrategyId,
        signal: SignalId,
        condition: Condition,
        price: Price,
    },
    /// What a signal bought is sold again. No legs: it has gone by another way, and the signal has ended.
    ExitPlanned {
        strategy: StrategyId,
        signal: SignalId,
        legs: Arc<[Leg]>,
    },
    // Risk.
    TradingStateSet {
        scope: Scope,
        state: TradingState,
        who: Arc<str>,
        reason: Arc<str>,
    },
    LimitsSet(Arc<LimitFact>),
    LimitWarned(Arc<LimitWarning>),
    /// What an account, a strategy or all together are worth, and how far they are from their limits of loss.
    EquityMarked(Arc<EquityMark>),
    /// An attempt is pending and its cash or shares are set aside: one fact, since neither can exist without the other.
    OrderApproved {
        terms: Arc<OrderTerms>,
        approval: Arc<Approval>,
    },
    OrderDenied {
        terms: Arc<OrderTerms>,
        denials: Arc<[Denial]>,
    },
    // Accounts.
    AccountOpened {
        account: AccountId,
        cash: Money,
        holdings: Arc<[OpeningHolding]>,
    },
    /// A new trading day of the account: yesterday's purchases may be sold, the day's counters start again.
    DayStarted {
        account: AccountId,
        trade_date: TradeDate,
    },
    /// What the market has shown of its holdings: new extremes, and the last prices when the day closes.
    BooksMarked {
        account: AccountId,
        closing: bool,
        marks: Arc<[Mark]>,
    },
    /// A share that is held went ex: new shares and money are in the books, and what they remember of prices is reckoned
    /// anew. Once for each account, symbol and ex-date.
    CorporateActionBooked {
        account: AccountId,
        booked: Arc<BookedAction>,
    },
    /// A person said whose the holdings are that were there before us.
    BooksImported {
        account: AccountId,
        items: Arc<[Imported]>,
        /// The read of the broker's lists that shows them, where it has lists.
        read_at: Option<Timestamp>,
        by: Arc<str>,
        note: Arc<str>,
    },
    /// A person moved shares from one strategy's book to another's.
    BookTransferred {
        account: AccountId,
        transfer: Arc<Transfer>,
        by: Arc<str>,
        note: Arc<str>,
    },
    Order {
        account: AccountId,
        order: OrderId,
        fact: OrderFact,
    },
    /// The newest state of something that waits for a person, or was settled.
    Exception(Arc<Exception>),
    /// A person's own order traded in our account. It is booked where no strategy claims it, without fees.
    ExternalTraded {
        account: AccountId,
        trade: Arc<ListedTrade>,
    },
    /// A person corrected the books to what the broker's lists show.
    Adjusted {
        account: AccountId,
        adjustment: Arc<Adjustment>,
        /// The key of what was settled by it, with the read that shows it.
        exception: Arc<str>,
        read_at: Option<Timestamp>,
        by: Arc<str>,
        note: Arc<str>,
    },
    /// Somebody stated what a currency is worth.
    FxRateSet {
        rate: Arc<FxRate>,
        by: Arc<str>,
    },
    /// An account or a group was set up, or is another way now.
    Registered(registry::Fact),
    // People and programs: what an administrator or a login changed. `detail` never holds a secret.
    Administered {
        who: Arc<str>,
        action: Arc<str>,
        subject: Arc<str>,
        detail: Arc<str>,
    },
    /// Somebody wanted to change something and was refused at the door.
    RequestRefused {
        /// When it was proved who asks.
        who: Option<Arc<str>>,
        method: Arc<str>,
        route: Arc<str>,
        status: u16,
        code: Arc<str>,
        request: Arc<str>,
    },
    /// So many more within a second, too many for a line each.
    RequestsRefused {
        unwritten: u64,
    },
}

impl Event {
    /// The account whose readers may see the fact, if it belongs to one.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::OrderApproved { terms, .. } | Self::OrderDenied { terms, .. } | Self::LegShadowed { terms, .. } => {
                Some(&terms.account)
            }
            Self::AccountOpened { account, .. }
            | Self::DayStarted { account, .. }
            | Self::ParentStepped { account, .. }
            | Self::Order { account, .. } => Some(account),
            Self::TradingStateSet { scope: Scope::Account(account), .. } => Some(account),
            Self::LimitsSet(fact) => match &fact.scope {
                Scope::Account(account) => Some(account),
                Scope::Global | Scope::Strategy(_) => None,
            },
            Self::LimitWarned(warning) => Some(&warning.account),
            Self::EquityMarked(mark) => match &mark.scope {
                Scope::Account(account) => Some(account),
                Scope::Global | Scope::Strategy(_) => None,
            },
            Self::SignalAccepted(signal) => signal.account.as_ref(),
            Self::Registered(registry::Fact::Account(fact)) => Some(&fact.id),
            Self::Exception(exception) => Some(&exception.account),
            Self::LegCompleted { account, .. }
            | Self::ExternalTraded { account, .. }
            | Self::Adjusted { account, .. }
            | Self::BooksMarked { account, .. }
            | Self::CorporateActionBooked { account, .. }
            | Self::BooksImported { account, .. }
            | Self::BookTransferred { account, .. } => Some(account),
            _ => None,
        }
    }

    /// Whether a person has changed the books of its account by it.
    #[must_use]
    pub const fn rebooks(&self) -> bool {
        matches!(self, Self::BooksImported { .. } | Self::BookTransferred { .. } | Self::Adjusted { .. })
    }

    /// The strategy whose readers may see the fact, if it belongs to one and to no single account.
    #[must_use]
    pub fn strategy(&self) -> Option<&StrategyId> {
        match self {
            Self::SignalAccepted(signal) => Some(&signal.strategy),
            Self::StrategyConfigured(conf) => Some(&conf.id),
            Self::StrategyStateSet { strategy, .. }
            | Self::SignalWaiting { strategy, .. }
            | Self::SignalPlanned { strategy, .. }
            | Self::SignalDenied { strategy, .. }
            | Self::SignalExpired { strategy, .. }
            | Self::SignalCanceled { strategy, .. }
            | Self::LegsWaiting { strategy, .. }
            | Self::LegsConfirmed { strategy, .. }
            | Self::LegShadowed { strategy, .. }
            | Self::LegsEnded { strategy, .. }
            | Self::LegCompleted { strategy, .. }
            | Self::ParentStepped { strategy, .. }
            | Self::TriggerMarked { strategy, .. }
            | Self::TriggerFired { strategy, .. }
            | Self::ExitPlanned { strategy, .. }
            | Self::TradingStateSet { scope: Scope::Strategy(strategy), .. } => Some(strategy),
            Self::LimitsSet(fact) => match &fact.scope {
                Scope::Strategy(strategy) => Some(strategy),
                Scope::Global | Scope::Account(_) => None,
            },
            Self::LimitWarned(warning) => Some(&warning.strategy),
            Self::EquityMarked(mark) => match &mark.scope {
                Scope::Strategy(strategy) => Some(strategy),
                Scope::Global | Scope::Account(_) => None,
            },
            Self::OrderApproved { terms, .. } | Self::OrderDenied { terms, .. } => Some(&terms.strategy),
            _ => None,
        }
    }

    /// The signal that the fact is about.
    #[must_use]
    pub fn signal(&self) -> Option<SignalId> {
        match self {
            Self::SignalAccepted(signal) => Some(signal.id),
            Self::SignalWaiting { signal, .. }
            | Self::SignalPlanned { signal, .. }
            | Self::SignalDenied { signal, .. }
            | Self::SignalExpired { signal, .. }
            | Self::SignalCanceled { signal, .. }
            | Self::LegsWaiting { signal, .. }
            | Self::LegsConfirmed { signal, .. }
            | Self::LegShadowed { signal, .. }
            | Self::LegsEnded { signal, .. }
            | Self::TriggerMarked { signal, .. }
            | Self::TriggerFired { signal, .. }
            | Self::ExitPlanned { signal, .. }
            | Self::LegCompleted { signal, .. } => Some(*signal),
            Self::ParentStepped { parent, .. } => Some(parent.signal()),
            _ => self.order().map(OrderId::signal),
        }
    }

    /// The order that the fact is about.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match self {
            Self::OrderApproved { terms, .. } | Self::OrderDenied { terms, .. } => Some(terms.id),
            Self::Order { order, .. } => Some(*order),
            Self::Exception(exception) => exception.order,
            Self::LimitWarned(warning) => Some(warning.order),
            Self::ParentStepped {
                step: ParentStep::Withdrawn { order, .. } | ParentStep::Replaced { order, .. },
                ..
            } => Some(*order),
            _ => None,
        }
    }

    #[must_use]
    pub fn parent(&self) -> Option<ParentId> {
        match self {
            Self::ParentStepped { parent, .. } => Some(*parent),
            _ => self.order().map(OrderId::parent),
        }
    }

    /// The name under which the fact stands in the journal.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Order { fact, .. } => match fact {
                OrderFact::Sending { .. } => "order_sending",
                OrderFact::Accepted { .. } => "order_accepted",
                OrderFact::Rejected { .. } => "order_rejected",
                OrderFact::Filled { .. } => "order_filled",
                OrderFact::Netted { .. } => "order_netted",
                OrderFact::CancelRequested { .. } => "order_cancel_requested",
                OrderFact::CancelSending => "order_cancel_sending",
                OrderFact::Canceled { .. } => "order_canceled",
                OrderFact::CancelRejected { .. } => "order_cancel_rejected",
                OrderFact::Expired => "order_expired",
                OrderFact::InDoubt { .. } => "order_in_doubt",
                OrderFact::Parked { .. } => "order_parked",
                OrderFact::NeverSent { .. } => "order_never_sent",
                OrderFact::Absent { .. } => "order_absent",
            },
            Self::ParentStepped { step, .. } => match step {
                ParentStep::Withdrawn { .. } => "order_withdrawn",
                ParentStep::Asked { .. } => "parent_asked",
                ParentStep::Replaced { .. } => "order_replaced",
                ParentStep::Ended { .. } => "parent_ended",
            },
            Self::Registered(registry::Fact::Account(_)) => "account_configured",
            Self::Registered(registry::Fact::Group(_)) => "group_configured",
            other => other.into(),
        }
    }
}

/// May orders be sent? (TradSesStatus-like; 全局开关)
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TradingState {
    #[default]
    Active,
    /// Only orders that make a position smaller.
    Reducing,
    /// No order at all. Cancels are never blocked.
    Halted,
}

/// What a trading state applies to. The strictest of the three that concern an order counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Global,
    Account(AccountId),
    Strategy(StrategyId),
}
