//! Parent orders: one leg of a signal in one account, and the fold of its child orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::Effect;
use crate::denial::Denial;
use crate::execution::{Ending, ParentStep, Why};
use crate::ids::{AccountId, OrderId, ParentId};
use crate::manner::{RouteMode, ShortOfCash};
use crate::order::{OrdStatus, Order, OrderTerms, ReportedStatus, Side};
use crate::signal::{SignalStatus, WaitingFor};
use crate::units::{Money, Price, Qty, Timestamp, TradeDate};

/// What one account shall do for a signal, as it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub parent: ParentId,
    pub account: AccountId,
    pub side: Side,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    pub qty: Qty,
    #[serde(default, skip_serializing_if = "RouteMode::is_auto")]
    pub mode: RouteMode,
    #[serde(default, skip_serializing_if = "ShortOfCash::is_usual")]
    pub short_of_cash: ShortOfCash,
    /// Its policy may place more than one order for it, and says when it has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pursued: bool,
}

impl Leg {
    /// A leg that is sent at once, and waits for cash as long as usual.
    #[must_use]
    pub fn plain(parent: ParentId, account: AccountId, side: Side, qty: Qty) -> Self {
        let (mode, short_of_cash) = (RouteMode::Auto, ShortOfCash::default());
        Self { parent, account, side, effect: None, qty, mode, short_of_cash, pursued: false }
    }

    /// Whether it gives up what is held: a sale, or a close of short lots.
    #[must_use]
    pub fn gives_up(&self) -> bool {
        self.effect.map_or(self.side == Side::Sell, Effect::closes)
    }
}

/// What keeps a leg, and until when at most; without a time as long as its signal is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    pub what: WaitingFor,
    pub until: Option<Timestamp>,
}

/// What was decided of a leg beside its orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// A person let it go.
    Confirmed { who: Arc<str> },
    /// It ended while it waited.
    Ended { who: Arc<str>, reason: Arc<str> },
    /// A person traded it by hand: his order here, or the broker's number of it.
    ByHand { who: Arc<str>, order: Arc<str> },
    /// The order that would have gone out, and why risk would have refused it.
    Shadow { terms: Arc<OrderTerms>, denials: Arc<[Denial]> },
}

/// One leg and what its orders have done so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub leg: Leg,
    pub cum_qty: Qty,
    pub cum_amount: Money,
    /// Part of `cum_qty` that was crossed inside the account. What the broker filled and may still fill, this and what is
    /// left of the leg are the leg.
    #[serde(default)]
    pub netted: Qty,
    pub status: ParentStatus,
    /// The newest child order, while one may still trade.
    pub working: Option<OrderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Wait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Arc<Decided>>,
    /// Of a leg that is pursued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Box<Progress>>,
}

/// The same words as for a signal, for one leg.
pub type ParentStatus = SignalStatus;

impl Parent {
    #[must_use]
    pub fn new(leg: Leg) -> Self {
        let waits = leg.mode.waits_for().map(|what| Wait { what, until: None });
        let sends = waits.is_none() && leg.mode.sends() && !leg.pursued;
        let working = Some(leg.parent.order(1)).filter(|_| sends);
        let status = if waits.is_some() { ParentStatus::Waiting } else { ParentStatus::Working };
        let progress = leg.pursued.then(Box::default);
        let (cum_qty, cum_amount, netted) = (Qty::ZERO, Money::ZERO, Qty::ZERO);
        Self { leg, cum_qty, cum_amount, netted, status, working, waits, decided: None, progress }
    }

    /// It is kept until something happens.
    pub fn wait(&mut self, wait: Wait) {
        self.status = ParentStatus::Waiting;
        self.working = None;
        self.waits = Some(wait);
    }

    /// Its first order goes out now.
    pub fn release(&mut self) {
        self.status = ParentStatus::Working;
        self.working = Some(self.leg.parent.order(1)).filter(|_| !self.leg.pursued);
        self.waits = None;
    }

    /// A person let it go.
    pub fn confirm(&mut self, who: Arc<str>) {
        self.release();
        self.decided = Some(Arc::new(Decided::Confirmed { who }));
    }

    /// It ended while it waited.
    pub fn end(&mut self, status: ParentStatus, who: Arc<str>, reason: Arc<str>) {
        self.status = status;
        self.waits = None;
        self.decided = Some(Arc::new(Decided::Ended { who, reason }));
        if let Some(progress) = &mut self.progress {
            let expired = status == ParentStatus::Expired;
            progress.ended = Some(if expired { Ending::Expired } else { Ending::Canceled });
            self.sum_up();
        }
    }

    #[must_use]
    pub fn waits_for(&self) -> Option<WaitingFor> {
        self.waits.map(|wait| wait.what)
    }

    /// A person traded it by hand: all he got, at this average price.
    pub fn complete(&mut self, qty: Qty, px: Price, who: Arc<str>, order: Arc<str>) {
        self.cum_qty = qty;
        self.cum_amount = px.times(qty);
        self.status = if qty >= self.leg.qty { ParentStatus::Done } else { ParentStatus::PartiallyDone };
        self.waits = None;
        self.decided = Some(Arc::new(Decided::ByHand { who, order }));
    }

    /// Risk has looked at the order that is not sent.
    pub fn shadow(&mut self, terms: Arc<OrderTerms>, denials: Arc<[Denial]>) {
        self.status = if denials.is_empty() { ParentStatus::Done } else { ParentStatus::Denied };
        self.waits = None;
        self.decided = Some(Arc::new(Decided::Shadow { terms, denials }));
    }

    /// Takes over what the newest child order has become.
    ///
    /// News that is older than what is known (it waited in a mailbox while a rebuilt strategy read the store) is none.
    pub fn observe(&mut self, order: &Order) {
        if let Some(progress) = &mut self.progress {
            // What ended before it began to wait is told again after a restart.
            if !order.status.is_terminal() || !progress.children.contains_key(&order.id().attempt()) {
                self.waits = None;
            }
            progress.observe(order);
            return self.sum_up();
        }
        if order.cum_qty < self.cum_qty || (self.status.is_final() && !order.status.is_terminal()) {
            return;
        }
        self.waits = None;
        self.cum_qty = order.cum_qty;
        self.cum_amount = order.cum_amount;
        self.netted = order.netted.qty;
        self.working = (!order.status.is_terminal()).then_some(order.id());
        self.status = match order.reported() {
            ReportedStatus::InDoubt | ReportedStatus::Parked => ParentStatus::InDoubt,
            _ if !order.status.is_terminal() => ParentStatus::Working,
            _ if self.cum_qty >= self.leg.qty => ParentStatus::Done,
            _ if self.cum_qty.is_positive() => ParentStatus::PartiallyDone,
            _ if order.status == OrdStatus::Expired => ParentStatus::Expired,
            _ => ParentStatus::Canceled,
        };
    }

    /// Risk refused one of the leg's orders. Whether a leg that is pursued ends with that is told by itself.
    pub fn deny(&mut self, attempt: u8) {
        if let Some(progress) = &mut self.progress {
            progress.deny(attempt);
            self.waits = None;
            return self.sum_up();
        }
        self.status = ParentStatus::Denied;
        self.working = None;
        self.waits = None;
    }

    /// Whether risk's answer about the attempt is known already: it is told again after a restart.
    #[must_use]
    pub fn knows_denied(&self, attempt: u8) -> bool {
        self.progress.as_ref().map_or(self.status == ParentStatus::Denied, |p| p.denied_to >= attempt)
    }

    /// Its policy decided something, or a person.
    pub fn step(&mut self, at: Timestamp, step: &ParentStep) {
        if let ParentStep::Replaced { order, qty, limit_price, .. } = step {
            let so_far = Tally {
                cum_qty: self.cum_qty,
                cum_amount: self.cum_amount,
                netted: self.netted,
                live: true,
                doubt: false,
            };
            // From now on it takes more than one order.
            let progress = self.progress.get_or_insert_with(|| {
                Box::new(Progress { children: BTreeMap::from([(order.attempt(), so_far)]), ..Progress::default() })
            });
            let newest = progress.children.last_key_value().map_or(0, |(attempt, _)| *attempt).max(order.attempt());
            progress.replaced = Some(Replaced { newest, limit_price: *limit_price, at });
            (self.leg.qty, self.leg.pursued) = (*qty, true);
            return self.sum_up();
        }
        if let Some(progress) = &mut self.progress {
            progress.step(at, step);
            if progress.ended.is_some() {
                self.waits = None;
            }
            self.sum_up();
        }
    }

    /// Whether the order has filled more than is known here.
    #[must_use]
    pub fn is_behind(&self, order: &Order) -> bool {
        let known = self.progress.as_ref().map_or(self.cum_qty, |p| p.filled_by(order.id().attempt()));
        known < order.cum_qty
    }

    /// The orders that may still trade, the newest last.
    pub fn live(&self) -> impl Iterator<Item = OrderId> {
        let pursued = self.progress.iter().flat_map(|p| p.live()).map(|attempt| self.leg.parent.order(attempt));
        self.working.into_iter().filter(|_| self.progress.is_none()).chain(pursued)
    }

    fn sum_up(&mut self) {
        let Some(progress) = &self.progress else { return };
        self.cum_qty = progress.children.values().map(|child| child.cum_qty).sum();
        self.cum_amount = progress.children.values().map(|child| child.cum_amount).sum();
        self.netted = progress.children.values().map(|child| child.netted).sum();
        self.working = progress.live().last().map(|attempt| self.leg.parent.order(attempt));
        self.status = match progress.ended {
            None if progress.children.values().any(|child| child.doubt) => ParentStatus::InDoubt,
            None if self.waits.is_some() => ParentStatus::Waiting,
            None => ParentStatus::Working,
            Some(_) if self.cum_qty >= self.leg.qty => ParentStatus::Done,
            Some(_) if self.cum_qty.is_positive() => ParentStatus::PartiallyDone,
            Some(Ending::Expired) => ParentStatus::Expired,
            Some(Ending::Denied) => ParentStatus::Denied,
            Some(_) => ParentStatus::Canceled,
        };
    }
}

/// What the orders of a leg that is pursued have come to, by attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    children: BTreeMap<u8, Tally>,
    denied_to: u8,
    /// Those that the policy itself takes back.
    withdrawn: BTreeSet<u8>,
    /// The last day on which a person was asked, and why.
    pub asked: Option<(TradeDate, Why)>,
    /// When a person was asked first, and why. Nothing in rows that are older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_first: Option<(Timestamp, Why)>,
    /// What a person wants instead of what was planned; the leg has the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    pub ended: Option<Ending>,
}

/// Orders up to the attempt that was the newest then are replaced by others at this limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    pub newest: u8,
    pub limit_price: Price,
    /// It is in prices of this day.
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tally {
    #[serde(default, skip_serializing_if = "no_qty")]
    cum_qty: Qty,
    #[serde(default, skip_serializing_if = "no_money")]
    cum_amount: Money,
    #[serde(default, skip_serializing_if = "no_qty")]
    netted: Qty,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    live: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    doubt: bool,
}

fn no_qty(qty: &Qty) -> bool {
    qty.is_zero()
}

fn no_money(money: &Money) -> bool {
    money.is_zero()
}

impl Progress {
    /// News that is older than what is known is none.
    fn observe(&mut self, order: &Order) {
        let (attempt, live) = (order.id().attempt(), !order.status.is_terminal());
        let older = |known: &Tally| order.cum_qty < known.cum_qty || (live && !known.live);
        // Nobody is told of an approval, but for a restart: what has not been sent says nothing.
        if live && order.send_no == 0 && order.netted.qty.is_zero() {
            return;
        }
        if self.children.get(&attempt).is_some_and(older) {
            return;
        }
        let doubt = live && matches!(order.reported(), ReportedStatus::InDoubt | ReportedStatus::Parked);
        let Order { cum_qty, cum_amount, netted, .. } = *order;
        let tally = Tally { cum_qty, cum_amount, netted: netted.qty, live, doubt };
        self.children.insert(attempt, tally);
    }

    fn deny(&mut self, attempt: u8) {
        self.denied_to = self.denied_to.max(attempt);
    }

    fn step(&mut self, at: Timestamp, step: &ParentStep) {
        match step {
            ParentStep::Withdrawn { order, .. } => {
                self.withdrawn.insert(order.attempt());
            }
            ParentStep::Asked { why, trade_date } => {
                self.asked = Some((*trade_date, *why));
                self.asked_first.get_or_insert((at, *why));
            }
            ParentStep::Ended { ending } => self.ended = Some(*ending),
            ParentStep::Replaced { .. } => {} // concerns the leg too
        }
    }

    fn live(&self) -> impl Iterator<Item = u8> {
        self.children.iter().filter(|(_, child)| child.live).map(|(attempt, _)| *attempt)
    }

    fn filled_by(&self, attempt: u8) -> Qty {
        self.children.get(&attempt).map_or(Qty::ZERO, |child| child.cum_qty)
    }

    pub(crate) fn withdrawn(&self) -> impl Iterator<Item = u8> {
        self.withdrawn.iter().copied()
    }
}

/// What a signal that was final has become by fills that came late; none if nothing of it is filled.
#[must_use]
pub fn fold_filled(parents: &[Parent]) -> Option<SignalStatus> {
    Some(fold(parents)).filter(|status| matches!(status, SignalStatus::Done | SignalStatus::PartiallyDone))
}

/// What the first leg that waits waits for.
#[must_use]
pub fn waits_for(parents: &[Parent]) -> Option<WaitingFor> {
    parents.iter().find_map(Parent::waits_for)
}

/// The one status of many parents: doubt first, then work, then waiting; once all ended, what they add up to. Legs that
/// are never sent count where there are no others.
#[must_use]
pub fn fold(parents: &[Parent]) -> SignalStatus {
    use SignalStatus as S;
    let sent = parents.iter().any(|p| p.leg.mode.sends());
    let counted = || parents.iter().filter(|p| !sent || p.leg.mode.sends());
    let any = |status: S| counted().any(|p| p.status == status);
    let all = |status: S| counted().all(|p| p.status == status);
    if any(S::InDoubt) {
        S::InDoubt
    } else if parents.iter().any(|p| !p.status.is_final() && p.waits.is_none()) {
        S::Working
    } else if any(S::Waiting) {
        S::Waiting
    } else if all(S::Done) {
        S::Done
    } else if any(S::Done) || any(S::PartiallyDone) {
        S::PartiallyDone
    } else if any(S::Expired) {
        S::Expired
    } else if any(S::Canceled) {
        S::Canceled
    } else {
        S::Denied
    }
}
