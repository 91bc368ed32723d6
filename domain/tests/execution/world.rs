//! One parent, its venue, and the oracle that looks on.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use signalbox_domain::calendar::{Phase, china_instant};
use signalbox_domain::execution::{Decision, Goal, Hours, Now, Policy, PriceForm, Pursuit, Quoted, Seen, Why};
use signalbox_domain::fees::{FeeRules, StampDutyOf};
use signalbox_domain::ids::{AccountId, SignalId, StrategyId};
use signalbox_domain::order::{Approval, OrdStatus, OrdType, Order, OrderTerms, Side, TimeInForce};
use signalbox_domain::quote::Quote;
use signalbox_domain::rules::{Cage, DayRules, Hours as TradingHours, PriceLimit};
use signalbox_domain::signal::Source;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};

#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub policy: Policy,
    pub form: Option<PriceForm>,
    pub side: Side,
    pub qty: Qty,
    pub order_max: Qty,
    pub limit: Price,
    pub renew: bool,
    /// A buy that closes what is short.
    pub out: bool,
    pub start_minute: i64,
    /// Until the end of which day it may trade.
    pub days: i64,
    pub steps: Vec<u32>,
}

pub(crate) fn rules(order_max: Qty) -> DayRules {
    DayRules {
        buy_min: Qty::new(100),
        buy_step: Qty::new(100),
        sell_min: Qty::new(100),
        sell_step: Qty::new(100),
        order_max_limit: order_max,
        order_max_market: order_max,
        tick: Price::from_e4(100),
        limit: PriceLimit::Percent { up: Ratio::from_percent(10), down: Ratio::from_percent(10) },
        one_tick_floor: true,
        one_tick_floor_to: None,
        cage: Some(Cage { pct: Ratio::from_percent(2), at_least: Price::from_e4(1_000) }),
        min_holding_days: 1,
        closing_auction: true,
        hours: TradingHours::ClosingAuction,
        after_hours: false,
        contract: None,
        abroad: None,
        issue: None,
        fees: FeeRules {
            commission: FeeRules::COMMISSION_DEFAULT,
            commission_cap: Ratio::from_e6(3_000),
            commission_min: Money::from_units(5),
            stamp_duty_sell: Ratio::from_e6(500),
            stamp_duty_of: StampDutyOf::Seller,
            transfer_fee: Ratio::from_e6(10),
        },
    }
}

/// Seconds of the day.
const OPEN: i64 = 34_200;
const LUNCH: i64 = 41_400;
const AFTERNOON: i64 = 46_800;
const CANCELS_END: i64 = 53_790;
const AUCTION: i64 = 53_820;
const CLOSE: i64 = 54_000;
const DAY: i64 = 86_400;

fn day(n: i64) -> TradeDate {
    TradeDate::from_yyyymmdd(20_250_303 + n as u32).expect("a date")
}

/// The first day's midnight.
fn midnight() -> Timestamp {
    china_instant(day(0), 0, 0, 0)
}

fn instant(secs: i64) -> Timestamp {
    midnight().plus(Span::from_secs(secs))
}

/// Days of trading without a break between them, by hand.
fn hours(at: Timestamp) -> Hours {
    let secs = at.since(midnight()).us().div_euclid(1_000_000);
    let (today, time) = (secs.div_euclid(DAY), secs.rem_euclid(DAY));
    let phase = match time {
        OPEN..LUNCH | AFTERNOON..AUCTION => Phase::Continuous,
        LUNCH..AFTERNOON => Phase::LunchBreak,
        AUCTION..CLOSE => Phase::ClosingAuction,
        CLOSE.. => Phase::AfterClose,
        _ => Phase::Closed,
    };
    let of = if time < CLOSE { today } else { today + 1 };
    let next = if time <= OPEN {
        today * DAY + OPEN
    } else if time <= AFTERNOON {
        today * DAY + AFTERNOON
    } else {
        (today + 1) * DAY + OPEN
    };
    Hours {
        trade_date: day(of),
        phase,
        open: matches!(phase, Phase::Continuous | Phase::ClosingAuction),
        cancels_end: instant(of * DAY + CANCELS_END),
        session_end: instant(of * DAY + CLOSE),
        next_open: Some(instant(next)),
    }
}

/// An order as the oracle knows it.
#[derive(Debug, Clone)]
struct Truth {
    attempt: u8,
    qty: i64,
    px: Option<Price>,
    cum: i64,
    live: bool,
    doubt: bool,
    withdrawn: bool,
    placed: Timestamp,
    ended: Timestamp,
    how: Option<OrdStatus>,
    denied: bool,
    day: TradeDate,
}

pub(crate) struct World<'a> {
    script: &'a Script,
    at: Timestamp,
    goal: Goal,
    pursuit: Pursuit,
    orders: Vec<Truth>,
    last: i64,
    rules: DayRules,
    until: Timestamp,
    asked_on: Option<TradeDate>,
    ended: bool,
}

type Played = Result<(), TestCaseError>;

impl<'a> World<'a> {
    pub(crate) fn play(script: &'a Script) -> Played {
        let start = OPEN + script.start_minute * 60;
        let goal = Goal {
            side: script.side,
            qty: script.qty,
            policy: script.policy,
            form: script.form,
            limit: Some(script.limit),
            tif: TimeInForce::Day,
            renew: script.renew,
            out: script.out || script.side == Side::Sell,
            insists: false,
            replaced: None,
        };
        let mut world = Self {
            script,
            at: instant(start),
            goal,
            pursuit: Pursuit::default(),
            orders: Vec::new(),
            last: 100_000,
            rules: rules(script.order_max),
            until: instant((script.days - 1) * DAY + CLOSE),
            asked_on: None,
            ended: false,
        };
        world.decide()?;
        for step in &script.steps {
            world.happen(*step)?;
            if world.ended {
                return Ok(());
            }
        }
        // From here on the venue answers whatever it is asked, and every parent comes to its end.
        for _ in 0..2_000 {
            if world.ended {
                return Ok(());
            }
            world.calm()?;
        }
        prop_assert!(false, "it never ends: {:?}", world.orders);
        Ok(())
    }

    fn live(&self) -> Vec<usize> {
        (0..self.orders.len()).filter(|n| self.orders[*n].live).collect()
    }

    fn happen(&mut self, step: u32) -> Played {
        let (what, pick, size) = (step % 16, (step >> 4 & 0xff) as usize, i64::from(step >> 12 & 0xfff));
        let live = self.live();
        let chosen = (!live.is_empty()).then(|| live[pick % live.len()]);
        match (what, chosen) {
            (0..=3, _) => self.wake()?,
            (4, _) => self.pass(Span::from_secs(size % 120))?,
            (5, _) => self.pass(Span::from_secs(size * 3))?,
            (7, Some(n)) if size % 4 == 0 && self.may_replace(n) => self.replace(n, size)?,
            (6 | 7, _) => self.last = (self.last + (size % 41 - 20) * 100).clamp(90_000, 110_000),
            (8 | 9, Some(n)) => {
                let leaves = self.orders[n].qty - self.orders[n].cum;
                let fill = if what == 8 { leaves } else { (size % leaves).max(1) };
                self.orders[n].cum += fill;
                if self.orders[n].cum == self.orders[n].qty {
                    self.end(n, OrdStatus::Filled);
                }
                self.tell(n)?;
            }
            (10 | 11, Some(n)) if self.orders[n].withdrawn && !self.orders[n].doubt => {
                self.end(n, OrdStatus::Canceled);
                self.tell(n)?;
            }
            (12, Some(n)) if !self.orders[n].doubt => {
                self.orders[n].doubt = true;
                self.tell(n)?;
            }
            (13, Some(n)) if self.orders[n].doubt => {
                self.orders[n].doubt = false;
                if size % 3 == 0 && self.orders[n].cum == 0 {
                    self.end(n, OrdStatus::Absent);
                }
                self.tell(n)?;
            }
            (14, Some(n)) if self.orders[n].cum == 0 && !self.orders[n].doubt => {
                if size % 4 == 0 {
                    self.deny(n)?;
                } else {
                    self.end(n, OrdStatus::Rejected);
                    self.tell(n)?;
                }
            }
            (15, _) => self.restart()?,
            _ => {}
        }
        Ok(())
    }

    fn may_replace(&self, n: usize) -> bool {
        let priced = self.goal.policy.is_once() && self.goal.form.is_none();
        priced && self.orders[n].px.is_some() && !self.orders.iter().any(|order| order.live && order.doubt)
    }

    /// A person wants it at another limit, and some for less.
    fn replace(&mut self, n: usize, size: i64) -> Played {
        let filled: i64 = self.orders.iter().map(|order| order.cum).sum();
        let less = self.goal.qty.get() - (size / 4 % 5) * 100;
        if less > filled {
            self.goal.qty = Qty::new(less);
        }
        self.goal.limit = Some(Price::from_e4(90_000 + size % 200 * 100));
        self.goal.replaced = Some(self.orders.last().map_or(self.orders[n].attempt, |newest| newest.attempt));
        self.decide()
    }

    /// Everything that is open is answered, and time goes to the next instant that somebody asked for.
    fn calm(&mut self) -> Played {
        for n in self.live() {
            if self.orders[n].doubt {
                self.orders[n].doubt = false;
                self.tell(n)?;
            } else if self.orders[n].withdrawn {
                self.end(n, OrdStatus::Canceled);
                self.tell(n)?;
            }
        }
        self.wake()
    }

    fn wake(&mut self) -> Played {
        let close = hours(self.at.plus(Span::from_us(1))).session_end;
        let to = self.pursuit.wake_at.map_or(close, |wake| wake.min(close)).max(self.at);
        self.go(to)
    }

    fn pass(&mut self, span: Span) -> Played {
        let close = hours(self.at.plus(Span::from_us(1))).session_end;
        self.go(self.at.plus(span).min(close))
    }

    fn go(&mut self, to: Timestamp) -> Played {
        self.at = to;
        if hours(self.at.plus(Span::from_us(-1))).session_end == self.at {
            self.at = self.at.plus(Span::from_us(1));
            for n in self.live() {
                // What is in doubt lives no longer than its day either.
                self.orders[n].doubt = false;
                self.end(n, OrdStatus::Expired);
                self.tell(n)?;
            }
        }
        if self.pursuit.wake_at.is_some_and(|wake| wake <= self.at) {
            self.decide()?;
        }
        Ok(())
    }

    fn end(&mut self, n: usize, how: OrdStatus) {
        let order = &mut self.orders[n];
        (order.live, order.doubt, order.how, order.ended) = (false, false, Some(how), self.at);
    }

    fn deny(&mut self, n: usize) -> Played {
        let order = &mut self.orders[n];
        (order.live, order.denied, order.ended) = (false, true, self.at);
        let terms = terms(self.script.side, order);
        self.pursuit.denied(self.at, &terms, &[]);
        self.decide()
    }

    fn tell(&mut self, n: usize) -> Played {
        let order = as_told(self.script.side, &self.orders[n]);
        self.pursuit.observe(&order);
        self.decide()
    }

    /// All that a new life has are the orders and what was journaled of them.
    fn restart(&mut self) -> Played {
        let before = std::mem::take(&mut self.pursuit);
        for truth in &self.orders {
            if truth.denied {
                self.pursuit.denied(truth.ended, &terms(self.script.side, truth), &[]);
            } else {
                self.pursuit.observe(&as_told(self.script.side, truth));
            }
            if truth.withdrawn {
                self.pursuit.withdrawn(truth.attempt);
            }
        }
        prop_assert_eq!(self.pursuit.filled(), before.filled());
        prop_assert_eq!(self.pursuit.leaves(), before.leaves());
        self.decide()
    }

    fn quote(&self) -> Quote {
        let px = |e4: i64| Some(Price::from_e4(e4));
        Quote {
            symbol: symbol(),
            last: Price::from_e4(self.last),
            bid: px(self.last - 100).filter(|px| px.e4() >= 90_000),
            ask: px(self.last + 100).filter(|px| px.e4() <= 110_000),
            bid_size: None,
            ask_size: None,
            volume: None,
            prev_close: px(100_000),
            at: self.at,
        }
    }

    fn decide(&mut self) -> Played {
        let quote = self.quote();
        let hours = hours(self.at);
        let seen = Seen {
            rules: self.rules,
            quote: Some(&quote),
            age: Span::from_us(0),
            continuous: hours.phase == Phase::Continuous,
        };
        let held: i64 = self.script.qty.get() - self.orders.iter().map(|order| order.cum).sum::<i64>();
        let elapsed = self.orders.first().map_or(Span::from_us(0), |first| self.at.since(first.placed));
        let now = Now {
            hours,
            seen,
            sellable: Qty::new(held) - self.pursuit.leaves(),
            deadline: self.until,
            rides_from: self.until,
            elapsed,
            stopped: false,
            asked_on: self.asked_on,
            quoted: Quoted { market: true, limit: true },
        };
        let decision = self.pursuit.decide(self.at, &self.goal, &now);
        self.judge(&decision, &now)?;
        self.pursuit.wake_at = decision.wake_at;
        if decision.ask.is_some() {
            self.asked_on = Some(now.hours.trade_date);
        }
        for attempt in decision.withdraw {
            self.pursuit.withdrawn(attempt);
            for order in self.orders.iter_mut().filter(|order| order.attempt == attempt) {
                order.withdrawn = true;
            }
        }
        for piece in decision.place {
            let truth = Truth {
                attempt: self.pursuit.next_attempt(),
                qty: piece.qty.get(),
                px: piece.price,
                cum: 0,
                live: true,
                doubt: false,
                withdrawn: false,
                placed: self.at,
                ended: self.at,
                how: None,
                denied: false,
                day: now.hours.trade_date,
            };
            self.pursuit.asked(self.at, &terms(self.script.side, &truth));
            self.pursuit.observe(&as_told(self.script.side, &truth));
            self.orders.push(truth);
        }
        self.ended = decision.end.is_some();
        Ok(())
    }

    fn judge(&self, decision: &Decision, now: &Now<'_>) -> Played {
        let filled: i64 = self.orders.iter().map(|order| order.cum).sum();
        let working: i64 = self.orders.iter().filter(|o| o.live).map(|o| o.qty - o.cum).sum();
        prop_assert_eq!(self.pursuit.filled().get(), filled);
        prop_assert_eq!(self.pursuit.leaves().get(), working);
        let placed: i64 = decision.place.iter().map(|piece| piece.qty.get()).sum();
        let residual = self.goal.qty.get() - filled - working;
        // What is replaced by less may fill as a whole until it is taken back.
        let newest = self.goal.replaced.unwrap_or(0);
        let replaces = newest > 0 && self.orders.iter().all(|order| order.attempt <= newest);
        prop_assert!(placed <= residual.max(0), "{placed} placed where {residual} are left");
        prop_assert!(residual >= 0 || replaces, "{working} work and {filled} are filled of {}", self.goal.qty);
        let over = |o: &Truth| o.how == Some(OrdStatus::Expired) && o.attempt == newest;
        let dead = replaces && !self.goal.renew && self.orders.iter().any(over);
        prop_assert!(!dead || decision.place.is_empty(), "placed after the day of what it replaces");
        let priced = decision.place.iter().all(|piece| piece.price == self.goal.limit);
        prop_assert!(newest == 0 || priced, "{:?} instead of {:?}", decision.place, self.goal.limit);
        let (buy, of_day) = (self.script.side == Side::Buy, now.hours.trade_date);
        let today = |how: &dyn Fn(&Truth) -> bool| self.orders.iter().filter(|o| o.day == of_day && how(o)).count();
        if !decision.place.is_empty() {
            prop_assert!(!self.orders.iter().any(|o| o.live && o.doubt), "placed beside a doubt");
            prop_assert!(!self.orders.iter().any(|o| o.live && o.withdrawn), "placed before a cancel is proved");
            prop_assert!(now.hours.open, "placed while the market is closed");
            prop_assert!(self.at < self.until, "placed after its time");
            let canceled = today(&|o| o.how == Some(OrdStatus::Canceled));
            prop_assert!(canceled < if buy { 10 } else { 60 }, "after {canceled} cancels");
            let failed = today(&|o| matches!(o.how, Some(OrdStatus::Rejected | OrdStatus::Absent)));
            prop_assert!(failed < 3, "after {failed} refusals");
            let in_vain =
                |o: &&Truth| matches!(o.how, Some(OrdStatus::Canceled | OrdStatus::Rejected | OrdStatus::Absent));
            let newest = self.orders.iter().filter(in_vain).map(|o| o.ended).max();
            prop_assert!(newest.is_none_or(|ended| self.at.since(ended) >= Span::from_secs(10)), "too soon");
            self.judge_sizes(decision, filled, working)?;
        }
        for attempt in &decision.withdraw {
            let order = self.orders.iter().find(|order| order.attempt == *attempt).expect("an order");
            prop_assert!(order.live && !order.doubt && !order.withdrawn, "{order:?} cannot be taken back");
            let time = self.at.since(midnight()).us().rem_euclid(DAY * 1_000_000);
            let too_late = time > CANCELS_END * 1_000_000 && time < CLOSE * 1_000_000;
            prop_assert!(!too_late, "a cancel that the exchange refuses");
            let limit = Price::from_e4(if buy { 110_000 } else { 90_000 });
            let repriced = decision.why == Some(Why::Repriced);
            let at_the_limit = self.orders.iter().filter(|o| o.live).all(|o| o.px == Some(limit));
            prop_assert!(!(repriced && at_the_limit), "its place in the queue is thrown away");
        }
        if decision.end.is_some() {
            prop_assert!(working == 0 && decision.place.is_empty(), "it ended, and something works");
        }
        Ok(())
    }

    fn judge_sizes(&self, decision: &Decision, filled: i64, working: i64) -> Played {
        let mut left = self.goal.qty.get() - filled - working;
        for piece in &decision.place {
            let (qty, max) = (piece.qty.get(), self.script.order_max.get());
            prop_assert!(qty > 0 && qty <= max, "{qty} in one order");
            let whole = qty % 100 == 0;
            let remainder = self.script.side == Side::Sell && qty % 100 == left % 100;
            prop_assert!(whole || remainder || self.orders.is_empty(), "{qty} of {left} makes no order");
            left -= qty;
        }
        let placed: i64 = decision.place.iter().map(|piece| piece.qty.get()).sum();
        match self.script.policy {
            Policy::Twap { duration, slices } => {
                let start = self.orders.first().map_or(self.at, |first| first.placed);
                // Counted slice by slice.
                let mut due = 1;
                while due < i64::from(slices) && self.at.since(start).us() * i64::from(slices) >= duration.us() * due {
                    due += 1;
                }
                // In whole lots, and no odd lot is left for the end.
                let qty = self.script.qty.get();
                let lots = (1..).map(|n| n * 100).find(|lots| lots * i64::from(slices) >= qty * due).unwrap_or(qty);
                let most = if qty - lots < 100 { qty } else { lots };
                prop_assert!(filled + working + placed <= most, "ahead of its schedule");
            }
            Policy::Iceberg { display } => {
                let tip = display.get().max(if left < display.get() + 100 { 199 } else { 0 });
                prop_assert!(working == 0 && decision.place.len() == 1 && placed <= tip, "{placed} shown");
            }
            _ => {}
        }
        Ok(())
    }
}

fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

fn terms(side: Side, truth: &Truth) -> OrderTerms {
    OrderTerms {
        id: SignalId::new(1).parent(0).order(truth.attempt),
        account: AccountId::parse("a").expect("a name"),
        strategy: StrategyId::parse("s").expect("a name"),
        source: Source::Signal,
        symbol: symbol(),
        side,
        effect: None,
        ord_type: if truth.px.is_some() { OrdType::Limit } else { OrdType::Market },
        limit_price: truth.px,
        time_in_force: TimeInForce::Day,
        qty: Qty::new(truth.qty),
        valid_until: truth.placed,
        all_in: false,
    }
}

fn as_told(side: Side, truth: &Truth) -> Order {
    let approval = Approval {
        trade_date: truth.day,
        band: None,
        fees: rules(Qty::new(1)).fees,
        reserved_cash: Money::ZERO,
        arrival_px: None,
        held_until: None,
        net: None,
        contract: None,
        loan: None,
        subscription: false,
    };
    let mut order = Order::new(Arc::new(terms(side, truth)), Arc::new(approval), truth.placed);
    order.status = match truth.how {
        Some(how) => how,
        None if truth.cum > 0 => OrdStatus::PartiallyFilled,
        None => OrdStatus::New,
    };
    order.cum_qty = Qty::new(truth.cum);
    order.in_doubt = truth.doubt;
    order.updated_at = truth.ended;
    order
}

/// A life that was rebuilt may ask for an attempt that risk knows already, and think of it otherwise.
#[test]
fn an_order_is_what_risk_approved_and_not_what_was_asked_for_again() {
    let approved = Truth {
        attempt: 1,
        qty: 300,
        px: None,
        cum: 0,
        live: true,
        doubt: false,
        withdrawn: false,
        placed: instant(OPEN),
        ended: instant(OPEN),
        how: None,
        denied: false,
        day: day(0),
    };
    let again = OrderTerms { qty: Qty::new(100), ..terms(Side::Buy, &approved) };
    let mut pursuit = Pursuit::default();
    pursuit.asked(instant(OPEN), &again);
    pursuit.observe(&as_told(Side::Buy, &approved));
    assert_eq!(pursuit.leaves(), Qty::new(300));
}
