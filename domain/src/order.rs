//! The life of one order, in the field's words (FIX's, spelled out).
//!
//! An order carries two facts: what the broker last told us ([`OrdStatus`]) and what we asked and have not heard
//! ([`InFlight`], possibly in doubt). FIX reports one value made of both; [`Order::reported`] computes it when asked.
//! [`Order::apply`] is the one table of all transitions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::{Contract, Direction, Effect};
use crate::fees::FeeRules;
use crate::ids::{AccountId, BrokerOrderId, ExecId, OrderId, ParentId, StrategyId};
use crate::netting::{NetTerms, Netted};
use crate::reconcile::{Baseline, ParkReason};
use crate::repo::LoanTerms;
use crate::seeded::{SeededBug, seeded};
use crate::signal::Source;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Timestamp, TradeDate};

/// FIX Side 54 (买卖方向).
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
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// FIX OrdType 40 (限价, 市价).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OrdType {
    Market,
    Limit,
}

/// FIX TimeInForce 59. A day order ends with its trading day (当日有效).
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TimeInForce {
    #[default]
    Day,
    /// Immediate or cancel: what does not fill at once is cancelled.
    Ioc,
}

/// What is asked of the broker. Never changes after risk approved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    pub id: OrderId,
    pub account: AccountId,
    pub strategy: StrategyId,
    pub source: Source,
    pub symbol: Symbol,
    pub side: Side,
    /// Of contracts, always; of shares, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    pub ord_type: OrdType,
    pub limit_price: Option<Price>,
    pub time_in_force: TimeInForce,
    pub qty: Qty,
    /// Past this instant the order is not sent any more, and cancelled if it works.
    pub valid_until: Timestamp,
    /// It buys for all the cash that is there, which takes a permission and no limit of orders and positions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_in: bool,
}

impl OrderTerms {
    /// Whether it makes a position smaller: a sell of shares, a close of contracts.
    #[must_use]
    pub fn reduces(&self) -> bool {
        self.effect.map_or(self.side == Side::Sell && !self.symbol.is_repo(), Effect::closes)
    }

    /// Whether it lends money by bond repo.
    #[must_use]
    pub fn lends(&self) -> bool {
        self.side == Side::Sell && self.symbol.is_repo()
    }

    /// The lots that it opens or closes, of a contract.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.effect.map(|effect| effect.direction(self.side))
    }
}

/// What risk added to the terms when it approved them: the day's facts, so that the account needs no rule book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub trade_date: TradeDate,
    /// The day's limit prices, lowest and highest; absent without a daily limit.
    pub band: Option<(Price, Price)>,
    pub fees: FeeRules,
    /// What the contract asks, of orders for contracts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// When it comes back, of orders that lend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loan: Option<LoanTerms>,
    /// It subscribes to a new issue: nothing fills it on its day, and it cannot be taken back once it was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subscription: bool,
    /// What was set aside for this order: cash or margin where it opens, nothing where it reduces (its shares or lots are
    /// set aside as `qty`).
    pub reserved_cash: Money,
    /// The quote that the decision was made on, for slippage (arrival price).
    pub arrival_px: Option<Price>,
    /// Before that it is not sent: it would trade with an order of another account of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// How it may be crossed inside the account, where it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<NetTerms>,
}

/// What the broker last told us (FIX OrdStatus 39), or why it was never asked.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OrdStatus {
    /// Approved, its cash or shares set aside; the broker does not know it yet (the design's PENDING).
    Initialized,
    New,
    PartiallyFilled,
    Filled,
    Canceled,
    Rejected,
    Expired,
    /// Proved never to have left us.
    NeverSent,
    /// Sent, and proved by evidence not to exist at the broker.
    Absent,
}

impl OrdStatus {
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Initialized | Self::New | Self::PartiallyFilled)
    }

    /// Proved not to be at the broker.
    #[must_use]
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::NeverSent | Self::Absent)
    }
}

/// What we asked the broker and have not heard.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum InFlight {
    New,
    Cancel,
}

/// The one value that FIX would report, and the API does.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReportedStatus {
    Denied,
    PendingNew,
    New,
    PartiallyFilled,
    Filled,
    PendingCancel,
    Canceled,
    Rejected,
    Expired,
    InDoubt,
    Parked,
    NeverSent,
    Absent,
}

/// One thing that happened to one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::EnumDiscriminants)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[strum_discriminants(name(OrderFactKind), derive(Hash, strum::EnumIter, strum::IntoStaticStr))]
pub enum OrderFact {
    /// The next thing that happens is that bytes leave for the broker. Durable before they do.
    Sending {
        send_no: u16,
        /// What the broker's lists showed just before, where that is all there is to find the order by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<Arc<Baseline>>,
    },
    Accepted {
        broker_order_id: BrokerOrderId,
    },
    Rejected {
        text: Arc<str>,
    },
    Filled {
        exec_id: ExecId,
        qty: Qty,
        px: Price,
        fee: Money,
    },
    /// A part of it was crossed with another strategy's order before either was sent.
    Netted {
        exec_id: ExecId,
        /// The order on the other side.
        with: OrderId,
        qty: Qty,
        px: Price,
        /// Part of the shares that was bought on the day.
        #[serde(default)]
        bought_today: Qty,
    },
    CancelRequested {
        reason: Arc<str>,
    },
    CancelSending,
    Canceled {
        reason: Arc<str>,
    },
    CancelRejected {
        text: Arc<str>,
    },
    Expired,
    /// The answer to what is in flight is lost.
    InDoubt {
        cause: Arc<str>,
    },
    /// The doubt is a person's now.
    Parked {
        reason: ParkReason,
    },
    NeverSent {
        reason: Arc<str>,
    },
    Absent {
        evidence: Arc<str>,
    },
}

/// The fact cannot happen to an order in this state: a mistake in the program, never in the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {status}, with {in_flight:?} in flight (in doubt: {in_doubt}), cannot take the fact {fact}")]
pub struct IllegalTransition {
    pub status: OrdStatus,
    pub in_flight: Option<InFlight>,
    pub in_doubt: bool,
    pub fact: &'static str,
}

/// One order with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub terms: Arc<OrderTerms>,
    pub approval: Arc<Approval>,
    pub status: OrdStatus,
    pub in_flight: Option<InFlight>,
    pub in_doubt: bool,
    pub doubt_since: Option<Timestamp>,
    /// Why only a person ends the doubt.
    pub parked: Option<ParkReason>,
    pub baseline: Option<Arc<Baseline>>,
    /// A cancel is wanted, and goes out as soon as the broker can take it.
    pub cancel_wanted: bool,
    pub send_no: u16,
    /// Filled by the broker or netted.
    pub cum_qty: Qty,
    pub cum_amount: Money,
    pub netted: Netted,
    pub fees: Money,
    pub broker_order_id: Option<BrokerOrderId>,
    /// Of every fill booked, against booking it twice.
    pub exec_ids: Vec<ExecId>,
    /// Why it ended as it did, in the broker's words or ours.
    pub reason: Option<Arc<str>>,
    pub created_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    pub acked_at: Option<Timestamp>,
    /// At the broker, where it has to be listed from then on.
    pub first_fill_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

impl Order {
    #[must_use]
    pub fn new(terms: Arc<OrderTerms>, approval: Arc<Approval>, at: Timestamp) -> Self {
        Self {
            terms,
            approval,
            status: OrdStatus::Initialized,
            in_flight: None,
            in_doubt: false,
            doubt_since: None,
            parked: None,
            baseline: None,
            cancel_wanted: false,
            send_no: 0,
            cum_qty: Qty::ZERO,
            cum_amount: Money::ZERO,
            netted: Netted::default(),
            fees: Money::ZERO,
            broker_order_id: None,
            exec_ids: Vec::new(),
            reason: None,
            created_at: at,
            sent_at: None,
            acked_at: None,
            first_fill_at: None,
            updated_at: at,
        }
    }

    /// The order as others see it: all but the list of its fills' numbers, which only its account needs.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self {
            terms: self.terms.clone(),
            approval: self.approval.clone(),
            exec_ids: Vec::new(),
            baseline: self.baseline.clone(),
            broker_order_id: self.broker_order_id.clone(),
            reason: self.reason.clone(),
            ..*self
        }
    }

    #[must_use]
    pub fn id(&self) -> OrderId {
        self.terms.id
    }

    #[must_use]
    pub fn parent(&self) -> ParentId {
        self.terms.id.parent()
    }

    /// What may still trade (FIX LeavesQty 151): nothing once the order is terminal.
    #[must_use]
    pub fn leaves_qty(&self) -> Qty {
        if self.status.is_terminal() { Qty::ZERO } else { self.terms.qty - self.cum_qty }
    }

    /// What the broker was asked for, or would be: all but what was netted before.
    #[must_use]
    pub fn sent_qty(&self) -> Qty {
        self.terms.qty - self.netted.qty
    }

    /// What the broker has filled.
    #[must_use]
    pub fn sent_cum(&self) -> Qty {
        self.cum_qty - self.netted.qty
    }

    /// What that came to.
    #[must_use]
    pub fn sent_amount(&self) -> Money {
        self.cum_amount - self.netted.amount
    }

    /// The terms as the broker gets them.
    #[must_use]
    pub fn sent_terms(&self) -> Arc<OrderTerms> {
        if self.netted.qty.is_zero() || seeded(SeededBug::NettedSentAllTheSame) {
            return self.terms.clone();
        }
        Arc::new(OrderTerms { qty: self.sent_qty(), ..(*self.terms).clone() })
    }

    #[must_use]
    pub fn avg_px(&self) -> Option<Price> {
        self.cum_amount.per(self.cum_qty)
    }

    /// The part of the reserved cash that is still set aside: what the rest can cost at the worst price that was
    /// reserved, with the fees that it adds to those of the fills so far. Exact, because fees have a minimum and are
    /// rounded: a share of the whole reserve would be some cents short.
    #[must_use]
    pub fn reserved_cash(&self) -> Money {
        if self.status.is_terminal() || self.terms.reduces() || self.freed_by_doubt() {
            return Money::ZERO;
        }
        if self.cum_qty.is_zero() {
            return self.approval.reserved_cash;
        }
        if let Some(loan) = &self.approval.loan {
            return loan.needed(self.terms.qty) - loan.needed(self.cum_qty);
        }
        let worst = self.terms.limit_price.or(self.approval.band.map(|(_, high)| high));
        let Some(worst) = worst.filter(|_| self.approval.contract.is_none()) else {
            let (whole, leaves) = (self.approval.reserved_cash.e4(), self.leaves_qty().get());
            return Money::from_e4(crate::units::mul_div_round(whole, leaves, self.terms.qty.get()));
        };
        let left = worst.times(self.leaves_qty());
        let sent = self.sent_amount();
        left + self.approval.fees.fill_fees(self.terms.side, sent, sent + left).total()
    }

    /// The shares or lots that are set aside for this order, which sells or closes them.
    #[must_use]
    pub fn reserved_qty(&self) -> Qty {
        if self.terms.reduces() && !self.freed_by_doubt() { self.leaves_qty() } else { Qty::ZERO }
    }

    /// Whether nobody takes it back any more: a subscription that has left, or is leaving, for the broker.
    #[must_use]
    pub fn is_beyond_recall(&self) -> bool {
        let sent = self.status != OrdStatus::Initialized || self.in_flight.is_some();
        self.approval.subscription && sent && !self.status.is_terminal()
    }

    fn freed_by_doubt(&self) -> bool {
        seeded(SeededBug::ReservationFreedInDoubt) && self.in_doubt
    }

    #[must_use]
    pub fn reported(&self) -> ReportedStatus {
        use ReportedStatus as R;
        match (self.status, self.in_flight) {
            (OrdStatus::Filled, _) => R::Filled,
            (OrdStatus::Canceled, _) => R::Canceled,
            (OrdStatus::Rejected, _) => R::Rejected,
            (OrdStatus::Expired, _) => R::Expired,
            (OrdStatus::NeverSent, _) => R::NeverSent,
            (OrdStatus::Absent, _) => R::Absent,
            _ if self.parked.is_some() => R::Parked,
            _ if self.in_doubt => R::InDoubt,
            (_, Some(InFlight::Cancel)) => R::PendingCancel,
            (OrdStatus::Initialized, _) => R::PendingNew,
            (OrdStatus::New, _) => R::New,
            (OrdStatus::PartiallyFilled, _) => R::PartiallyFilled,
        }
    }

    /// The one table of an order's life. States only move to the right; a terminal order may still gain fills (a late
    /// fill is a real-world possibility) and never becomes anything else by another fact.
    ///
    /// A fill that is known already is `Ok(false)` and changes nothing.
    ///
    /// # Errors
    /// [`IllegalTransition`]; the order is unchanged then.
    pub fn apply(&mut self, at: Timestamp, fact: &OrderFact) -> Result<bool, IllegalTransition> {
        use InFlight as I;
        use OrdStatus as S;
        use OrderFact as F;
        let illegal = IllegalTransition {
            status: self.status,
            in_flight: self.in_flight,
            in_doubt: self.in_doubt,
            fact: fact.into(),
        };
        match (self.status, self.in_flight, fact) {
            // Sent for the first time, or again with the same id after a doubt was resolved to "not there".
            (S::Initialized, None, F::Sending { send_no, baseline }) => {
                self.send_no = *send_no;
                self.baseline = baseline.clone();
                self.in_flight = Some(I::New);
                self.sent_at.get_or_insert(at);
            }
            (S::Initialized, Some(I::New), F::Sending { send_no, .. }) if self.in_doubt => {
                self.send_no = *send_no;
                self.settle();
            }
            (S::Initialized, Some(I::New), F::Accepted { broker_order_id }) => {
                self.status = S::New;
                self.in_flight = None;
                self.settle();
                self.broker_order_id = Some(broker_order_id.clone());
                self.acked_at.get_or_insert(at);
            }
            // It was acknowledged and not listed, and is listed now, perhaps under another number.
            (S::New | S::PartiallyFilled, None, F::Accepted { broker_order_id }) if self.in_doubt => {
                self.settle();
                self.broker_order_id = Some(broker_order_id.clone());
            }
            // The acknowledgement comes after a fill: brokers push on two roads.
            (S::PartiallyFilled | S::Filled, _, F::Accepted { broker_order_id }) if self.broker_order_id.is_none() => {
                self.broker_order_id = Some(broker_order_id.clone());
                self.acked_at.get_or_insert(at);
            }
            (S::Initialized, Some(I::New), F::Rejected { text }) => self.end(S::Rejected, Some(text)),
            // Brokers take an order and refuse it later (废单 after the acknowledgement).
            (S::New, _, F::Rejected { text }) => self.end(S::Rejected, Some(text)),

            // Proved by a decision of ours before the send, or by the broker side's own journal.
            (S::Initialized, None, F::NeverSent { reason }) => self.end(S::NeverSent, Some(reason)),
            (S::Initialized, Some(I::New), F::NeverSent { reason }) if self.in_doubt => {
                self.end(S::NeverSent, Some(reason));
            }
            (S::Initialized, Some(I::New), F::Absent { evidence }) | (S::New, None, F::Absent { evidence })
                if self.in_doubt =>
            {
                self.end(S::Absent, Some(evidence));
            }

            // An answer is lost, or what was acknowledged stands in no list, or as another order.
            (S::Initialized, Some(I::New), F::InDoubt { cause })
            | (S::New | S::PartiallyFilled, None, F::InDoubt { cause })
            | (S::New | S::PartiallyFilled, Some(I::Cancel), F::InDoubt { cause })
                if !self.in_doubt =>
            {
                self.in_doubt = true;
                self.doubt_since = Some(at);
                self.reason = Some(cause.clone());
            }
            // A person took away what stood against looking on.
            (S::Initialized | S::New | S::PartiallyFilled, _, F::InDoubt { cause }) if self.parked.is_some() => {
                self.parked = None;
                self.doubt_since = Some(at);
                self.reason = Some(cause.clone());
            }
            (S::Initialized | S::New | S::PartiallyFilled, _, F::Parked { reason })
                if self.in_doubt && self.parked.is_none() =>
            {
                self.parked = Some(*reason);
            }

            // A fill proves that the order lives, whatever we were waiting for.
            (_, _, F::Filled { exec_id, qty, px, fee })
                if self.status != S::Initialized || self.in_flight.is_some() =>
            {
                if self.exec_ids.contains(exec_id) && !seeded(SeededBug::DuplicateFillCounted) {
                    return Ok(false);
                }
                self.exec_ids.push(exec_id.clone());
                self.cum_qty += *qty;
                self.cum_amount += px.times(*qty);
                self.fees += *fee;
                self.first_fill_at.get_or_insert(at);
                if !self.status.is_terminal() {
                    if self.in_flight != Some(I::Cancel) {
                        self.in_flight = None;
                        self.settle();
                    }
                    if self.cum_qty >= self.terms.qty || seeded(SeededBug::PartialFillIsDone) {
                        self.end(S::Filled, None);
                    } else {
                        self.status = S::PartiallyFilled;
                    }
                }
            }

            // Of what is not sent, and never more than there is of it.
            (S::Initialized, None, F::Netted { exec_id, qty, px, .. })
                if qty.is_positive() && *qty <= self.leaves_qty() && !self.exec_ids.contains(exec_id) =>
            {
                self.exec_ids.push(exec_id.clone());
                self.cum_qty += *qty;
                self.cum_amount += px.times(*qty);
                self.netted.qty += *qty;
                self.netted.amount += px.times(*qty);
                if self.cum_qty >= self.terms.qty {
                    self.end(S::Filled, None);
                }
            }

            // Wanted while the order is on its way: kept until the broker can take it.
            (S::Initialized | S::New | S::PartiallyFilled, _, F::CancelRequested { reason }) => {
                self.cancel_wanted = true;
                self.reason = Some(reason.clone());
            }
            (S::New | S::PartiallyFilled, None, F::CancelSending) => {
                self.in_flight = Some(I::Cancel);
                self.settle();
            }
            (S::New | S::PartiallyFilled, Some(I::Cancel), F::CancelSending) if self.in_doubt => self.settle(),
            // Also unasked: the exchange or a person at the terminal may cancel.
            (S::New | S::PartiallyFilled, _, F::Canceled { reason }) => self.end(S::Canceled, Some(reason)),
            // Found cancelled while the answer to the order itself is in doubt, or an immediate-or-cancel order
            // whose acknowledgement is the cancel.
            (S::Initialized, Some(I::New), F::Canceled { reason }) => self.end(S::Canceled, Some(reason)),
            (S::New | S::PartiallyFilled, Some(I::Cancel), F::CancelRejected { text }) => {
                self.in_flight = None;
                self.settle();
                self.cancel_wanted = false;
                self.reason = Some(text.clone());
            }
            (S::New | S::PartiallyFilled, _, F::Expired) | (S::Initialized, Some(I::New), F::Expired) => {
                self.end(S::Expired, None);
            }
            _ => return Err(illegal),
        }
        self.updated_at = at;
        Ok(true)
    }

    /// The doubt is over.
    fn settle(&mut self) {
        self.in_doubt = false;
        self.doubt_since = None;
        self.parked = None;
    }

    fn end(&mut self, status: OrdStatus, reason: Option<&Arc<str>>) {
        self.status = status;
        self.in_flight = None;
        self.settle();
        if let Some(reason) = reason {
            self.reason = Some(reason.clone());
        }
    }
}

#[cfg(test)]
mod tests;
