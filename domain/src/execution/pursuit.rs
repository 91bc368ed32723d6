//! What follows for a parent: folds its orders, and decides.
//!
//! A replacement goes out only after the end of what it replaces is proved, so orders that may still trade and what is
//! filled never exceed the parent. An order in doubt stops everything until the doubt is settled.

use std::collections::BTreeMap;

use crate::denial::{Denial, DenialCode};
use crate::order::{OrdStatus, OrdType, Order, OrderTerms, Side, TimeInForce};
use crate::units::{Price, Qty, Span, Timestamp, TradeDate};

use super::{Ending, Hours, Policy, PriceForm, Seen, Why, pieces};

/// After a cancel, a refusal or a proved absence the next order waits so long. Risk holds everybody to it.
const PAUSE: Span = Span::from_secs(10);
/// After a first refusal that goes by itself: an order of ours in the way may be filled the next moment.
const SOON: Span = Span::from_secs(2);
/// So many of those are nobody's business.
const SOON_MAX: usize = 2;
/// After risk said no, or where a price is missing.
const LOOK_AGAIN: Span = Span::from_secs(60);
/// After risk has said no again and again.
const NOW_AND_THEN: Span = Span::from_secs(1_800);

/// How long what has nobody to be told waits after so many refusals. Ten days of the last come to fewer than all attempts.
const fn insisted(refusals: usize) -> Span {
    match refusals {
        0..=SOON_MAX => SOON,
        3..=8 => PAUSE,
        9..=32 => LOOK_AGAIN,
        33..=62 => Span::from_secs(300),
        _ => NOW_AND_THEN,
    }
}
const PRICE_AGAIN: Span = Span::from_secs(10);
/// What is taken back before the closing auction is taken back so much before the last moment.
pub(crate) const BEFORE_LAST: Span = Span::from_secs(5);
/// A sell gets its last price so long before cancels end: the cancel is proved, and the pause over, before the auction.
const LAST_CALL: Span = Span::from_secs(15);
/// The day's attempts of one parent: after refusals and proved absences, and after proved cancels.
const FAILED_MAX: usize = 3;
const fn canceled_max(side: Side) -> usize {
    match side {
        Side::Buy => 10,
        Side::Sell => 60,
    }
}
/// Slices that rest beside each other: half of what risk lets open per symbol.
const SLICES_LIVE: usize = 10;
/// An order's id has room for 255 attempts; the last few are kept for pieces of one.
const ATTEMPTS_MAX: u8 = 230;

/// What a parent shall come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    pub side: Side,
    pub qty: Qty,
    pub policy: Policy,
    pub form: Option<PriceForm>,
    /// The signal's own; none for a market order.
    pub limit: Option<Price>,
    pub tif: TimeInForce,
    pub renew: bool,
    /// It gets rid of something: a sell, or the way out of a short position.
    pub out: bool,
    /// A condition or a monitor let it go, and nobody is there who would send it again.
    pub insists: bool,
    /// Orders up to this attempt are replaced: a person wants this goal instead of the one that they were placed for.
    pub replaced: Option<u8>,
}

/// Whether an order of each kind need not wait for a quote now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    pub market: bool,
    pub limit: bool,
}

impl Quoted {
    const fn takes(self, ord_type: OrdType) -> bool {
        match ord_type {
            OrdType::Market => self.market,
            OrdType::Limit => self.limit,
        }
    }
}

/// What may be known when it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    pub hours: Hours,
    pub seen: Seen<'a>,
    /// What may be sold, without what is set aside for others.
    pub sellable: Qty,
    /// From here on what works is taken back, or rides into the close.
    pub deadline: Timestamp,
    /// The end of the deadline's session.
    pub rides_from: Timestamp,
    /// Trading time since the first order.
    pub elapsed: Span,
    /// Somebody stopped the signal: its orders are being cancelled.
    pub stopped: bool,
    /// The last day on which a person was asked.
    pub asked_on: Option<TradeDate>,
    pub quoted: Quoted,
}

/// How an order of the parent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Filled,
    Canceled,
    Expired,
    /// Refused by the broker, or proved not to be there.
    Failed,
    Denied,
}

/// What a refusal of risk says of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Nothing: a halt, or an order of ours in its way, which go by themselves.
    Passing,
    /// The same order may pass later.
    Transient,
    /// The same order never passes.
    Lasting,
}

impl Refusal {
    /// The gravest of them.
    #[must_use]
    pub fn of(denials: &[Denial]) -> Self {
        let each = denials.iter().map(|denial| match denial.code {
            DenialCode::TradingState | DenialCode::Crossing => Self::Passing,
            code if code.transient() => Self::Transient,
            _ => Self::Lasting,
        });
        each.max().unwrap_or(Self::Lasting)
    }
}

/// One order of the parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    pub qty: Qty,
    /// None for a market order, until risk has let a limit order stand for one.
    pub price: Option<Price>,
    /// It trades when it comes or not at all: its end is its own.
    pub at_once: bool,
    pub cum: Qty,
    pub placed_at: Timestamp,
    pub date: Option<TradeDate>,
    pub doubt: bool,
    pub fate: Option<Fate>,
    /// Where risk refused it.
    pub refusal: Option<Refusal>,
    pub ended_at: Timestamp,
    /// Its policy takes it back.
    pub withdrawn: bool,
    /// Its signal is canceled, and the exchange would not let it go.
    pub kept: bool,
}

impl Child {
    fn leaves(&self) -> Qty {
        if self.fate.is_none() { (self.qty - self.cum).max(Qty::ZERO) } else { Qty::ZERO }
    }
}

/// An order to place: so much, at a price or at the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub qty: Qty,
    pub price: Option<Price>,
}

/// What is done now, and when it is looked at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    pub place: Vec<Piece>,
    /// Attempts that are taken back.
    pub withdraw: Vec<u8>,
    pub why: Option<Why>,
    pub ask: Option<Why>,
    pub end: Option<Ending>,
    /// An order is due, and waits for a quote.
    pub unquoted: bool,
    pub wake_at: Option<Timestamp>,
}

impl Decision {
    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |known| known.min(at)));
    }

    fn ending(ending: Ending) -> Self {
        Self { end: Some(ending), ..Self::default() }
    }
}

/// The orders of one parent, by attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pursuit {
    pub children: BTreeMap<u8, Child>,
    /// When it is looked at again unless something happens before.
    pub wake_at: Option<Timestamp>,
    /// Its first order goes to risk now, whatever quotes there are: somebody is there to be told. What follows acts by our
    /// own clock.
    pub at_once: bool,
}

impl Pursuit {
    /// An order was handed to risk.
    pub fn asked(&mut self, at: Timestamp, terms: &OrderTerms) {
        self.children.entry(terms.id.attempt()).or_insert(Child {
            qty: terms.qty,
            price: terms.limit_price,
            at_once: trades_at_once(terms),
            cum: Qty::ZERO,
            placed_at: at,
            date: None,
            doubt: false,
            fate: None,
            refusal: None,
            ended_at: at,
            withdrawn: false,
            kept: false,
        });
    }

    pub fn observe(&mut self, order: &Order) {
        self.asked(order.created_at, &order.terms);
        let Some(child) = self.children.get_mut(&order.id().attempt()) else { return };
        if order.cum_qty < child.cum || (child.fate.is_some() && !order.status.is_terminal()) {
            return; // older than what is known
        }
        (child.qty, child.price) = (order.terms.qty, order.terms.limit_price);
        child.at_once = trades_at_once(&order.terms);
        child.placed_at = order.created_at;
        child.date = Some(order.approval.trade_date);
        child.cum = order.cum_qty;
        child.doubt = order.in_doubt;
        child.fate = match order.status {
            OrdStatus::Initialized | OrdStatus::New | OrdStatus::PartiallyFilled => None,
            OrdStatus::Filled => Some(Fate::Filled),
            OrdStatus::Canceled | OrdStatus::NeverSent => Some(Fate::Canceled),
            OrdStatus::Expired => Some(Fate::Expired),
            OrdStatus::Rejected | OrdStatus::Absent => Some(Fate::Failed),
        };
        child.ended_at = order.updated_at;
    }

    pub fn denied(&mut self, at: Timestamp, terms: &OrderTerms, denials: &[Denial]) {
        self.asked(at, terms);
        if let Some(child) = self.children.get_mut(&terms.id.attempt()) {
            child.fate = Some(Fate::Denied);
            child.refusal = Some(Refusal::of(denials));
            child.ended_at = at;
        }
    }

    /// Risk found nothing lacking but cash: as if it had never been handed to it.
    pub fn lacks_cash(&mut self, attempt: u8) {
        if self.children.get(&attempt).is_some_and(|child| child.date.is_none() && child.fate.is_none()) {
            self.children.remove(&attempt);
        }
        self.wake_at = None;
    }

    pub fn withdrawn(&mut self, attempt: u8) {
        if let Some(child) = self.children.get_mut(&attempt) {
            child.withdrawn = true;
        }
    }

    #[must_use]
    pub fn is_withdrawn(&self, attempt: u8) -> bool {
        self.children.get(&attempt).is_some_and(|child| child.withdrawn)
    }

    /// The exchange took no cancels when its signal was canceled.
    pub fn kept(&mut self, attempt: u8) {
        if let Some(child) = self.children.get_mut(&attempt) {
            child.kept = true;
        }
    }

    #[must_use]
    pub fn next_attempt(&self) -> u8 {
        self.children.last_key_value().map_or(1, |(attempt, _)| attempt.saturating_add(1))
    }

    /// When the first order was placed.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.children.first_key_value().map(|(_, child)| child.placed_at)
    }

    /// What orders that may still trade could fill.
    #[must_use]
    pub fn leaves(&self) -> Qty {
        self.children.values().map(Child::leaves).sum()
    }

    #[must_use]
    pub fn filled(&self) -> Qty {
        self.children.values().map(|child| child.cum).sum()
    }

    /// The attempts that may still trade.
    pub fn live(&self) -> impl Iterator<Item = (u8, &Child)> {
        self.children.iter().filter(|(_, child)| child.fate.is_none()).map(|(attempt, child)| (*attempt, child))
    }

    /// Decides.
    #[must_use]
    pub fn decide(&self, at: Timestamp, goal: &Goal, now: &Now<'_>) -> Decision {
        let any_live = self.live().next().is_some();
        if self.live().any(|(_, child)| child.doubt) {
            return Decision::default();
        }
        if !any_live && self.filled() >= goal.qty {
            return Decision::ending(Ending::Filled);
        }
        if now.stopped {
            return if any_live { self.ask_again(at, now) } else { Decision::ending(Ending::Canceled) };
        }
        if at >= now.deadline {
            return self.time_out(at, now, any_live);
        }
        if self.ended_by_others(goal, now) {
            return if any_live { Decision::default() } else { Decision::ending(Ending::Canceled) };
        }
        let mut decision = Decision::default();
        match goal.policy {
            _ if goal.replaced.is_some_and(|newest| self.next_attempt() <= newest.saturating_add(1)) => {
                self.replace(at, goal, now, &mut decision);
            }
            Policy::Twap { duration, slices } => self.twap(at, goal, now, (duration, slices), &mut decision),
            Policy::Iceberg { display } => self.iceberg(at, goal, now, display, &mut decision),
            _ if any_live => self.tend(at, goal, now, &mut decision),
            _ => self.follow(at, goal, now, &mut decision),
        }
        if decision.end.is_none() {
            decision.wake(now.deadline);
        }
        decision
    }

    /// What the exchange would not let go before trading began is asked back once more when it does. In the closing auction it
    /// stays, and its day ends it.
    fn ask_again(&self, at: Timestamp, now: &Now<'_>) -> Decision {
        let mut decision = Decision::default();
        let kept = self.live().filter(|(_, child)| child.kept && !child.withdrawn).map(|(attempt, _)| attempt);
        let kept: Vec<u8> = kept.collect();
        if kept.is_empty() {
            return decision;
        }
        if now.hours.takes_cancels(at) {
            (decision.withdraw, decision.why) = (kept, Some(Why::Canceled));
        } else if at < now.hours.cancels_end {
            wake_at_open(at, now, &mut decision);
        }
        decision
    }

    fn time_out(&self, at: Timestamp, now: &Now<'_>, any_live: bool) -> Decision {
        if !any_live {
            return Decision::ending(Ending::Expired);
        }
        let mut decision = Decision::default();
        if at >= now.rides_from || now.hours.phase == crate::calendar::Phase::ClosingAuction {
            return decision; // the venue ends it with the session
        }
        if now.hours.takes_cancels(at) {
            self.withdraw_all(Why::TimeOut, &mut decision);
        } else if at < now.hours.cancels_end {
            decision.wake_at = now.hours.next_open; // the opening auction refuses it
        }
        decision
    }

    fn withdraw_all(&self, why: Why, decision: &mut Decision) {
        decision.withdraw = self.live().filter(|(_, child)| !child.withdrawn).map(|(attempt, _)| attempt).collect();
        decision.why = Some(why).filter(|_| !decision.withdraw.is_empty());
    }

    /// What works is taken back, and what is left of the goal follows its end. Nothing follows what ended with its day, unless
    /// it is to be placed anew on the next.
    fn replace(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, decision: &mut Decision) {
        let (failed, canceled) = (self.failed_on(now.hours.trade_date), self.canceled_on(now.hours.trade_date));
        match self.live().count() {
            0 if !goal.renew && self.last_round().any(|child| child.fate == Some(Fate::Expired)) => {
                decision.end = Some(Ending::Expired);
            }
            0 if failed >= FAILED_MAX => decision.end = Some(Ending::Failed),
            0 if canceled >= canceled_max(goal.side) => decision.end = Some(Ending::GaveUp),
            0 => self.place_from(at, goal, now, self.rested(at), decision),
            _ if self.live().all(|(_, child)| child.withdrawn) => {} // its end is awaited
            // What works stays, since nothing could follow it today.
            live if failed >= FAILED_MAX || canceled + live >= canceled_max(goal.side) => {
                self.ask(Why::AttemptsUsed, now, decision);
            }
            _ if now.hours.takes_cancels(at) => self.withdraw_all(Why::Replaced, decision),
            _ => wake_at_open(at, now, decision),
        }
    }

    /// A person, or the broker, ended an order that its policy would have left.
    fn ended_by_others(&self, goal: &Goal, now: &Now<'_>) -> bool {
        self.children.values().any(|child| {
            let of_itself = goal.tif == TimeInForce::Ioc || child.at_once;
            let after_its_day = child.date.is_some_and(|date| date < now.hours.trade_date);
            child.fate == Some(Fate::Canceled) && !child.withdrawn && !of_itself && !after_its_day
        })
    }

    /// What works is waited for, priced anew or taken back.
    fn tend(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, decision: &mut Decision) {
        if self.live().any(|(_, child)| child.withdrawn) {
            return; // its end is awaited
        }
        let Some(placed_at) = self.live().map(|(_, child)| child.placed_at).max() else { return };
        let (every, most) = match goal.policy {
            Policy::BuyThenGiveUp { wait, .. } if goal.side == Side::Buy => {
                let due = placed_at.plus(wait).min(last_moment(now, placed_at, BEFORE_LAST));
                if at < due {
                    decision.wake(due);
                } else if now.hours.continuous() && now.hours.takes_cancels(at) {
                    self.withdraw_all(Why::Waited, decision);
                } else {
                    wake_at_open(at, now, decision);
                }
                return;
            }
            Policy::SellUntilDone { reprice_every, .. } if goal.out => (reprice_every, usize::MAX),
            Policy::Reprice { every, max } => (every, usize::from(max)),
            _ => return,
        };
        self.ask_when_late(at, goal, now, decision);
        let mut due = placed_at.plus(every);
        if goal.out {
            due = due.min(last_moment(now, placed_at, LAST_CALL));
        }
        let market_at = self.market_at(goal).filter(|_| self.live().any(|(_, child)| !child.at_once));
        due = market_at.map_or(due, |market_at| due.min(market_at));
        if at < due {
            return decision.wake(due);
        }
        if !now.hours.continuous() || !now.hours.takes_cancels(at) {
            return wake_at_open(at, now, decision);
        }
        if self.rounds() > most {
            return; // it stays
        }
        let again = at.plus(every);
        let Ok(price) = self.price(at, goal, now) else { return decision.wake(at.plus(PRICE_AGAIN)) };
        let stays = |child: &Child| {
            // The place in the queue at the limit price is worth more than any other price.
            let queues = child.price.is_some_and(|px| now.seen.at_the_limit(goal.side, px));
            let at_market = child.at_once && price.is_none();
            child.price == price || at_market || queues
        };
        if self.live().all(|(_, child)| stays(child)) {
            return decision.wake(again);
        }
        if self.canceled_on(now.hours.trade_date) + self.live().count() >= canceled_max(goal.side) {
            return self.ask(Why::AttemptsUsed, now, decision);
        }
        if !now.quoted.takes(ord_type(price)) {
            return decision.wake(at.plus(PRICE_AGAIN)); // nothing could follow it
        }
        self.withdraw_all(Why::Repriced, decision);
    }

    /// Nothing works: the next order is placed, or the parent has ended.
    fn follow(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, decision: &mut Decision) {
        let today = now.hours.trade_date;
        let Some((_, last)) = self.children.last_key_value() else {
            return self.place(at, goal, now, goal.qty, decision);
        };
        let until_done = matches!(goal.policy, Policy::SellUntilDone { .. }) && goal.out;
        self.ask_when_late(at, goal, now, decision);
        let of_last_round = || self.last_round();
        let any = |fate: Fate| of_last_round().any(|child| child.fate == Some(fate));
        if any(Fate::Denied) {
            let refusals = || self.children.values().filter_map(|child| child.refusal);
            let (denials, gravest) = (refusals().count(), refusals().max());
            let alone = denials == self.children.len();
            // Nobody looks at it any more who sent it, once it has waited for what goes by itself.
            let waited = refusals().next() == Some(Refusal::Passing);
            let until_done = until_done && (!alone || (waited && gravest < Some(Refusal::Lasting)));
            let insists = goal.insists && gravest < Some(Refusal::Lasting);
            if !until_done && !insists {
                decision.end = Some(Ending::Denied);
                return;
            }
            let passing = gravest == Some(Refusal::Passing);
            if !passing || denials > SOON_MAX {
                self.ask(Why::AttemptsUsed, now, decision);
            }
            // Others of a split may have used the day's attempts.
            if self.failed_on(today) >= FAILED_MAX || self.canceled_on(today) >= canceled_max(goal.side) {
                return wake_at_open(at, now, decision);
            }
            // As long as it is not out the person stays asked, and what refuses it may be gone later.
            let again = match denials {
                _ if passing || goal.insists => insisted(denials),
                _ if denials > FAILED_MAX => NOW_AND_THEN,
                _ => LOOK_AGAIN,
            };
            let from = self.rested(at).max(last.ended_at.plus(again));
            return self.place_from(at, goal, now, from, decision);
        }
        let once = match goal.policy {
            Policy::Once => true,
            Policy::BuyThenGiveUp { .. } => goal.side == Side::Sell,
            Policy::SellUntilDone { .. } => !goal.out,
            _ => false,
        };
        let expired = (!any(Fate::Canceled) && !any(Fate::Failed)) || last.date < Some(today);
        if once {
            match () {
                () if goal.renew && expired => self.place_from(at, goal, now, self.rested(at), decision),
                () if any(Fate::Failed) => decision.end = Some(Ending::Failed),
                () if any(Fate::Expired) => decision.end = Some(Ending::Expired),
                () => decision.end = Some(Ending::Canceled),
            }
            return;
        }
        if let Policy::BuyThenGiveUp { attempts, .. } = goal.policy
            && (self.rounds() >= usize::from(attempts) || at >= last_moment(now, last.placed_at, BEFORE_LAST))
        {
            decision.end = Some(Ending::GaveUp);
            return;
        }
        let (failed, canceled) = (self.failed_on(today), self.canceled_on(today));
        if failed >= FAILED_MAX || canceled >= canceled_max(goal.side) {
            if until_done {
                self.ask(Why::AttemptsUsed, now, decision);
                return wake_at_open(at, now, decision); // another day has attempts of its own
            }
            decision.end = Some(if failed >= FAILED_MAX { Ending::Failed } else { Ending::GaveUp });
            return;
        }
        self.place_from(at, goal, now, self.rested(at), decision);
    }

    /// When the pause after the newest end in vain is over.
    fn rested(&self, at: Timestamp) -> Timestamp {
        let in_vain = |child: &&Child| matches!(child.fate, Some(Fate::Canceled | Fate::Failed));
        self.children.values().filter(in_vain).map(|child| child.ended_at.plus(PAUSE)).max().unwrap_or(at)
    }

    fn twap(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, (over, of): (Span, u16), decision: &mut Decision) {
        let any_live = self.live().next().is_some();
        let today = now.hours.trade_date;
        let first_day = self.children.first_key_value().and_then(|(_, child)| child.date);
        let ended = |fate: Fate| self.children.values().any(|child| child.fate == Some(fate));
        let over_us = over.us().max(1);
        let passed = now.elapsed.us().clamp(0, over_us);
        let (of, over_now) = (i64::from(of.max(1)), first_day.is_some_and(|day| day < today));
        if over_now || ended(Fate::Denied) || self.failed_on(today) >= FAILED_MAX {
            if !any_live {
                let ending = if ended(Fate::Denied) { Ending::Denied } else { Ending::Failed };
                decision.end = Some(if over_now { Ending::Expired } else { ending });
            }
            return;
        }
        let slice = crate::units::mul_div_floor(passed, of, over_us).min(of - 1) + 1;
        let due = scheduled(goal, now, slice, of);
        let want = due - self.filled() - self.leaves();
        if want.is_positive() && self.live().count() < SLICES_LIVE {
            self.place_from(at, goal, now, self.rested(at), decision);
            if slice < of || any_live {
                decision.end = None; // what makes no order now may make one with the next slice, or when another is back
            }
            let mut left = want;
            decision.place.retain_mut(|piece| {
                piece.qty = piece.qty.min(left);
                left -= piece.qty;
                piece.qty.is_positive()
            });
            self.whole_lots(goal, now, decision);
        }
        if slice < of {
            if now.hours.continuous() {
                let next = crate::units::mul_div_floor(over_us, slice, of) + 1;
                decision.wake(at.plus(Span::from_us((next - passed).max(1))));
            } else {
                wake_at_open(at, now, decision);
            }
        }
    }

    /// Slices that were cut to what is due are orders of their own.
    fn whole_lots(&self, goal: &Goal, now: &Now<'_>, decision: &mut Decision) {
        let price = decision.place.first().and_then(|piece| piece.price);
        let due: Qty = decision.place.iter().map(|piece| piece.qty).sum();
        if due.is_positive() {
            let sellable = now.sellable.max(self.rest(goal));
            let orders = pieces(&now.seen.rules, ord_type(price), goal.side, due, sellable);
            decision.place = orders.into_iter().map(|qty| Piece { qty, price }).collect();
        }
    }

    fn iceberg(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, display: Qty, decision: &mut Decision) {
        if self.live().next().is_some() {
            return;
        }
        let today = now.hours.trade_date;
        match self.children.last_key_value().map(|(_, last)| last.fate) {
            Some(Some(Fate::Denied)) => decision.end = Some(Ending::Denied),
            Some(_) if self.failed_on(today) >= FAILED_MAX => decision.end = Some(Ending::Failed),
            Some(_) => self.place_from(at, goal, now, self.rested(at), decision),
            None => self.place(at, goal, now, goal.qty, decision),
        }
        let price = decision.place.first().and_then(|piece| piece.price);
        if !decision.place.is_empty() {
            let (rest, sellable) = (self.rest(goal), now.sellable.max(self.rest(goal)));
            let rules = &now.seen.rules;
            let (min, step) = match goal.side {
                Side::Buy => (rules.buy_min, rules.buy_step),
                Side::Sell => (rules.sell_min, rules.sell_step),
            };
            // The board takes nothing below its minimum (STAR: 200): what would be left below it goes along.
            let shown = display.max(min).min(rest);
            let shown = if min > step && rest - shown < min { rest } else { shown };
            let tip = pieces(rules, ord_type(price), goal.side, shown, sellable);
            let first = tip.first().copied().or(decision.place.first().map(|piece| piece.qty));
            decision.place = first.map(|qty| Piece { qty, price }).into_iter().collect();
        }
    }

    fn place_from(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, from: Timestamp, decision: &mut Decision) {
        if at < from {
            decision.wake(from);
        } else {
            self.place(at, goal, now, self.rest(goal), decision);
        }
    }

    fn place(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, qty: Qty, decision: &mut Decision) {
        let Ok(price) = self.price(at, goal, now) else {
            decision.unquoted = now.hours.open && !now.quoted.limit;
            return decision.wake(at.plus(PRICE_AGAIN));
        };
        let kind = ord_type(price);
        if !now.hours.takes(kind) {
            return wake_at_open(at, now, decision);
        }
        if !now.quoted.takes(kind) {
            decision.unquoted = true;
            return;
        }
        if self.next_attempt() > ATTEMPTS_MAX {
            decision.end = Some(Ending::GaveUp);
            return;
        }
        // What cannot be sold is risk's to refuse, with its numbers.
        let sellable = now.sellable.max(qty);
        let mut orders = pieces(&now.seen.rules, kind, goal.side, qty, sellable);
        if orders.is_empty() && self.children.is_empty() {
            orders.push(qty); // so is what makes no order
        }
        if orders.is_empty() {
            decision.end = Some(Ending::Residual);
        }
        decision.place = orders.into_iter().map(|qty| Piece { qty, price }).collect();
    }

    fn price(&self, at: Timestamp, goal: &Goal, now: &Now<'_>) -> Result<Option<Price>, Denial> {
        if now.hours.continuous() && self.market_at(goal).is_some_and(|from| at >= from) {
            return Ok(None);
        }
        match goal.form {
            Some(form) => now.seen.price(form, goal.side),
            None => Ok(goal.limit),
        }
    }

    fn market_at(&self, goal: &Goal) -> Option<Timestamp> {
        match goal.policy {
            Policy::SellUntilDone { market_after, .. } if goal.out => Some(self.started()?.plus(market_after?)),
            _ => None,
        }
    }

    fn ask_when_late(&self, at: Timestamp, goal: &Goal, now: &Now<'_>, decision: &mut Decision) {
        let Policy::SellUntilDone { escalate_after: Some(after), .. } = goal.policy else { return };
        let Some(late) = self.started().map(|started| started.plus(after)) else { return };
        if at < late {
            decision.wake(late);
        } else {
            self.ask(Why::TakesLong, now, decision);
        }
    }

    /// Once a day: a person who does not answer is not asked for ever.
    fn ask(&self, why: Why, now: &Now<'_>, decision: &mut Decision) {
        if now.asked_on != Some(now.hours.trade_date) {
            decision.ask = Some(why);
        }
    }

    fn rest(&self, goal: &Goal) -> Qty {
        (goal.qty - self.filled() - self.leaves()).max(Qty::ZERO)
    }

    fn failed_on(&self, day: TradeDate) -> usize {
        self.children.values().filter(|c| c.fate == Some(Fate::Failed) && c.date == Some(day)).count()
    }

    fn canceled_on(&self, day: TradeDate) -> usize {
        self.children.values().filter(|c| c.fate == Some(Fate::Canceled) && c.date == Some(day)).count()
    }

    /// How often orders were placed after all before them had ended. The orders of a split are one.
    fn rounds(&self) -> usize {
        let (mut rounds, mut ended) = (0, Some(Timestamp::from_us(i64::MIN)));
        for child in self.children.values() {
            if ended.is_some_and(|ended| child.placed_at > ended) {
                rounds += 1;
                ended = Some(child.placed_at);
            }
            ended = match child.fate {
                Some(_) => ended.map(|ended| ended.max(child.ended_at)),
                None => None,
            };
        }
        rounds
    }

    fn last_round(&self) -> impl Iterator<Item = &Child> {
        // Pieces are placed in one step; what follows them comes after their ends.
        let newest = self.children.last_key_value().map(|(_, child)| child.placed_at);
        self.children.values().filter(move |child| Some(child.ended_at) >= newest)
    }
}

/// What is due with the slice: rounded up to whole lots that the board takes, so that the first one starts the clock.
fn scheduled(goal: &Goal, now: &Now<'_>, slice: i64, of: i64) -> Qty {
    let rules = &now.seen.rules;
    let (min, step) = match goal.side {
        Side::Buy => (rules.buy_min, rules.buy_step),
        Side::Sell => (rules.sell_min, rules.sell_step),
    };
    let up = step - Qty::new(1);
    let exact = -crate::units::mul_div_floor(-goal.qty.get(), slice, of);
    let due = (Qty::new(exact) + up).floor_to_lot(step).max(min);
    if slice == of || goal.qty - due < min { goal.qty } else { due }
}

fn trades_at_once(terms: &OrderTerms) -> bool {
    terms.ord_type == OrdType::Market || terms.time_in_force == TimeInForce::Ioc
}

fn ord_type(price: Option<Price>) -> OrdType {
    if price.is_some() { OrdType::Limit } else { OrdType::Market }
}

/// So long before cancels end in the session in which the order was placed, if it was placed before.
fn last_moment(now: &Now<'_>, placed_at: Timestamp, before: Span) -> Timestamp {
    let last = now.hours.cancels_end.plus(Span::from_us(-before.us()));
    if placed_at < last { last } else { Timestamp::from_us(i64::MAX) }
}

/// When the session takes orders again. While it does, and something else is in the way, a while later.
fn wake_at_open(at: Timestamp, now: &Now<'_>, decision: &mut Decision) {
    let later = at.plus(LOOK_AGAIN);
    decision.wake(now.hours.next_open.filter(|open| *open > at).unwrap_or(later));
}
