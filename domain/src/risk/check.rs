//! The checks, in order of precedence, each with the number found and the number allowed.

use crate::denial::{DenialCode, Measure};
use crate::event::TradingState;
use crate::fees::most_steps;
use crate::instrument::{Board, Currency, Instrument};
use crate::ledger::Ledger;
use crate::netting::NetTerms;
use crate::order::{Approval, OrdType, OrderTerms, Side};
use crate::quote::Quote;
use crate::repo::UNIT;
use crate::rules::{DayRules, NoRule, QtyFault, dearest};
use crate::seeded::{SeededBug, seeded};
use crate::signal::Source;
use crate::standing::AccountMode;
use crate::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};
use crate::view::{View, usable};

use super::beside::{check_cancels, check_volume};
use super::counters::{self, Counted, Used};
use super::limits::{Crossing, Limits, Permission, ProgramReport};
use super::placed::collar_end;
use super::{Reserved, Risk};
use super::{contracts, issues};

/// What an approval would consist of, and how the order is counted.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) approval: Approval,
    pub(super) px: Price,
    pub(super) t0: bool,
    /// The dearest that an opening order may become, and the lots that it is made of.
    pub(super) worst: Price,
    pub(super) lots: (Qty, Qty),
}

impl Decided {
    /// How much of an opening order the cash pays for, in whole lots; nothing below the smallest order.
    pub(super) fn affordable(&self, cash: Money) -> Qty {
        let (worst, Approval { fees, contract, loan, .. }) = (self.worst, &self.approval);
        if let Some(loan) = loan {
            return most_steps(cash, UNIT.times(self.lots.0), self.lots, |units| loan.needed(units));
        }
        let Some(contract) = contract else { return fees.affordable(worst, cash, self.lots) };
        let needed = |qty: Qty| contract.margin_of(worst, qty) + contract.open_fee(worst, qty);
        most_steps(cash, contract.margin_of(worst, self.lots.0), self.lots, needed)
    }
}

/// An order with what it is checked against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) terms: &'a OrderTerms,
    pub(super) ledger: &'a Ledger,
    pub(super) limits: &'a Limits,
    pub(super) rules: &'a DayRules,
    pub(super) date: TradeDate,
}

/// The prices that an order is reckoned with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Priced {
    pub(super) band: Option<(Price, Price)>,
    /// What it would meet now.
    pub(super) market_px: Price,
    pub(super) arrival_px: Option<Price>,
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    Passed,
    /// It passes, and has used four fifths of a limit.
    Warned,
    Denied,
    /// It does not apply to this order, or what it needs is not known and it may pass without.
    Skipped,
}

/// One check of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub code: DenialCode,
    pub outcome: Outcome,
    pub value: Measure,
    pub limit: Measure,
}

/// Told of each check; the numbers are made only if somebody wants them.
pub(super) type Sink<'s> = &'s mut dyn FnMut(&mut dyn FnMut() -> Check, Outcome);

pub(super) fn tell(sink: Sink<'_>, code: DenialCode, passed: bool, numbers: impl Fn() -> (Measure, Measure)) {
    let outcome = if passed { Outcome::Passed } else { Outcome::Denied };
    sink(
        &mut || {
            let (value, limit) = numbers();
            Check { code, outcome, value, limit }
        },
        outcome,
    );
}

/// A number that may be as large as the limit, and is told from four fifths of it on.
pub(super) fn tell_limit<T: Amount>(sink: Sink<'_>, code: DenialCode, value: T, limit: T) {
    let (used, most) = (value.number(), limit.number());
    let near = used > 0 && used.saturating_mul(5) >= most.saturating_mul(4) && most < i64::MAX / 4;
    tell_near(sink, code, value, limit, near);
}

/// The same where another number than four fifths is told.
pub(super) fn tell_limit_from<T: Amount>(sink: Sink<'_>, code: DenialCode, value: T, limit: T, warn: T) {
    tell_near(sink, code, value, limit, value.number() >= warn.number() && value.number() > 0);
}

fn tell_near<T: Amount>(sink: Sink<'_>, code: DenialCode, value: T, limit: T, near: bool) {
    let outcome = match near {
        _ if value.number() > limit.number() => Outcome::Denied,
        true => Outcome::Warned,
        false => Outcome::Passed,
    };
    sink(&mut || Check { code, outcome, value: value.measure(), limit: limit.measure() }, outcome);
}

/// What limits are counted in.
pub(super) trait Amount: Copy {
    fn number(self) -> i64;
    fn measure(self) -> Measure;
}

impl Amount for Money {
    fn number(self) -> i64 {
        self.e4()
    }

    fn measure(self) -> Measure {
        Measure::Money(self)
    }
}

impl Amount for Qty {
    fn number(self) -> i64 {
        self.get()
    }

    fn measure(self) -> Measure {
        Measure::Qty(self)
    }
}

impl Amount for Ratio {
    fn number(self) -> i64 {
        self.e6()
    }

    fn measure(self) -> Measure {
        Measure::Ratio(self)
    }
}

impl Amount for u32 {
    fn number(self) -> i64 {
        i64::from(self)
    }

    fn measure(self) -> Measure {
        Measure::Count(i64::from(self))
    }
}

/// It passes, and a person should look at it.
pub(super) fn tell_warned(sink: Sink<'_>, code: DenialCode, value: Measure, limit: Measure) {
    let check = || Check { code, outcome: Outcome::Warned, value: value.clone(), limit: limit.clone() };
    sink(&mut || check(), Outcome::Warned);
}

pub(super) fn skip(sink: Sink<'_>, code: DenialCode, why: &'static str) {
    let check = || Check { code, outcome: Outcome::Skipped, value: Measure::None, limit: Measure::Word(why.into()) };
    sink(&mut || check(), Outcome::Skipped);
}

pub(super) fn word(text: &'static str) -> Measure {
    Measure::Word(text.into())
}

pub(super) const NOT_LIMITED: &str = "not limited";

/// Between a cancel and the next attempt of its parent.
const ATTEMPT_PAUSE: Span = Span::from_secs(10);

fn day(date: TradeDate) -> Measure {
    Measure::Word(date.to_string().into())
}

/// The day on which the symbol is subscribed to, where it is that which is wrong with this one.
fn subscribed_on(no_rule: NoRule) -> Option<TradeDate> {
    if let NoRule::SubscriptionClosed { on, .. } = no_rule { Some(on) } else { None }
}

/// What an account needs before it may buy this.
fn needed(instrument: &Instrument, date: TradeDate) -> Option<Permission> {
    match instrument.board {
        _ if instrument.is_st(date) => Some(Permission::St),
        Board::ChiNext => Some(Permission::ChiNext),
        Board::Star => Some(Permission::Star),
        Board::Beijing => Some(Permission::Beijing),
        Board::Convertible => Some(Permission::Convertible),
        Board::Repo => Some(Permission::Repo),
        Board::Main | Board::Etf | Board::BShare | Board::Reit => None,
        Board::HongKong | Board::UnitedStates => None,
    }
}

impl Risk {
    /// Runs all checks in order of precedence. `None` when the order cannot even be judged (its instrument or day is
    /// unknown); otherwise what an approval would consist of, provided that the sink saw no check fail.
    pub(super) fn run(&self, at: Timestamp, view: View<'_>, terms: &OrderTerms, sink: Sink<'_>) -> Option<Decided> {
        let permitted = view.states.permits(&terms.account, &terms.strategy, terms.reduces());
        tell(sink, DenialCode::TradingState, permitted, || {
            let state = view.states.strictest_word(&terms.account, &terms.strategy);
            (Measure::Word(state.into()), word(TradingState::Active.into()))
        });

        let limits = self.limits.of_strategy(&terms.account, &terms.strategy);
        let known = view.ledgers.get(&terms.account).zip(limits);
        let standing = view.ledgers.standing(&terms.account);
        let refuses = standing.refuses();
        tell(sink, DenialCode::AccountNotReady, known.is_some() && refuses.is_none(), || {
            (refuses.map_or(Measure::None, word), Measure::None)
        });

        let date = view.market.trade_date(terms.symbol, at);
        let rules = date.map(|date| view.market.day(terms.symbol, date));
        let closed = rules.as_ref().and_then(|rules| subscribed_on(*rules.as_ref().err()?));
        let rules = rules.and_then(Result::ok);
        tell(sink, DenialCode::InstrumentUnknown, rules.is_some() || closed.is_some(), || {
            (Measure::None, Measure::None)
        });
        match closed {
            Some(on) => {
                tell(sink, DenialCode::SubscriptionClosed, false, || (date.map_or(Measure::None, day), day(on)))
            }
            None => skip(sink, DenialCode::SubscriptionClosed, "no subscription, or on its day"),
        }
        let ((ledger, limits), date, rules) = (known?, date?, rules?);

        let limits = &*limits;

        let restricted = limits.restricted.contains(terms.symbol);
        tell(sink, DenialCode::Restricted, !restricted, || {
            (if restricted { word("on the restricted list") } else { Measure::None }, Measure::None)
        });
        let missing = |needed: &Permission| !limits.permissions.has(*needed);
        let of_board = match &rules.issue {
            Some(issue) => Some(issues::needed(issue, |permission| limits.permissions.has(permission))),
            None => view.market.instrument(terms.symbol).and_then(|i| needed(i, date)),
        };
        let of_size = (terms.all_in && !terms.lends()).then_some(Permission::AllIn);
        match of_board.filter(missing).or(of_size).or(of_board) {
            _ if terms.reduces() => skip(sink, DenialCode::Permission, "a reducing order"),
            Some(Permission::Repo) if terms.side == Side::Buy => {
                tell(sink, DenialCode::Permission, false, || (word("to borrow"), Measure::None));
            }
            None => skip(sink, DenialCode::Permission, "nothing special"),
            Some(needed) => tell(sink, DenialCode::Permission, limits.permissions.has(needed), || {
                (word(needed.into()), Measure::None)
            }),
        }

        let currency = view.market.instrument(terms.symbol).map_or(Currency::Cny, |i| i.currency);
        tell(sink, DenialCode::Currency, currency == limits.currency, || {
            (word(currency.into()), word(limits.currency.into()))
        });

        if standing.mode != AccountMode::Live {
            skip(sink, DenialCode::ProgramReport, "no real money");
        } else if rules.abroad.is_some() {
            skip(sink, DenialCode::ProgramReport, "not traded on the mainland");
        } else {
            tell(sink, DenialCode::ProgramReport, limits.program_report != ProgramReport::Missing, || {
                (word(limits.program_report.into()), word(ProgramReport::OnFile.into()))
            });
        }

        let fault = contracts::effect_fault(rules.contract.as_ref(), terms.effect);
        tell(sink, DenialCode::PositionEffect, fault.is_none(), || {
            (terms.effect.map_or(Measure::None, |effect| word(effect.into())), fault.map_or(Measure::None, word))
        });

        let open = view.market.takes(terms.symbol, terms.ord_type, at);
        tell(sink, DenialCode::SessionClosed, open, || {
            (word(if open { "open" } else { "closed" }), word("continuous trading"))
        });

        let order = Order { terms, ledger, limits, rules: &rules, date };
        if let Some(contract) = &rules.contract {
            return self.run_contract(at, view, &order, contract, sink);
        }
        if terms.lends() {
            return self.run_loan(at, view, &order, sink);
        }
        if let Some(issue) = &rules.issue {
            return self.run_subscription(at, view, &order, issue, sink);
        }

        let none = Reserved::default();
        let reserved = self.reserved.get(&terms.account).unwrap_or(&none);
        let sellable = self.sellable(ledger, terms, &rules);

        let lot = rules.check_qty_of(terms.ord_type, terms.side, terms.qty, sellable.max(Qty::ZERO));
        // Too few shares is the sellable check's business.
        let lot_ok = matches!(lot, Ok(()) | Err(QtyFault::AboveSellable { .. }));
        tell(sink, DenialCode::LotSize, lot_ok, || {
            // The limit that was missed, not just any of them.
            let limit = match lot {
                Err(QtyFault::AboveMax { max, .. }) => max,
                Err(QtyFault::BelowMin { min, .. }) => min,
                Err(QtyFault::SplitsRemainder { remainder, .. }) => remainder,
                _ if terms.side == Side::Buy => rules.buy_step,
                _ => rules.sell_step,
            };
            (Measure::Qty(terms.qty), Measure::Qty(limit))
        });

        let Priced { band, market_px, arrival_px } = self.check_price(at, view, &order, sink);
        self.check_duplicate(at, terms, limits, sink);

        // The price to reckon with: the limit, or for a market order what it would meet now.
        let px = terms.limit_price.unwrap_or(market_px);
        let value = px.times(terms.qty);
        let fees = rules.fees.with_commission(limits.commission);

        let t0 = rules.min_holding_days == 0;
        let net = self.net_terms(at, view, &order);
        let used = self.check_crossing(at, &order, px, t0, net.as_ref(), sink);

        let worst = dearest(terms.limit_price, band, market_px);
        let reserved_cash = match terms.side {
            Side::Buy => {
                let needed = fees.buy_reserve(worst, terms.qty);
                let available = usable(ledger, view.quotes) - reserved.cash;
                tell(sink, DenialCode::Cash, needed <= available, || {
                    (Measure::Money(needed), Measure::Money(available))
                });
                skip(sink, DenialCode::Sellable, "buy");
                needed
            }
            Side::Sell => {
                skip(sink, DenialCode::Cash, "sell");
                tell(sink, DenialCode::Sellable, terms.qty <= sellable, || {
                    (Measure::Qty(terms.qty), Measure::Qty(sellable.max(Qty::ZERO)))
                });
                Money::ZERO
            }
        };

        let equity = crate::view::equity(ledger, view.quotes);
        if terms.side == Side::Sell {
            const REDUCING: [DenialCode; 10] = [
                DenialCode::OrderValue,
                DenialCode::OrderQty,
                DenialCode::OrderVolume,
                DenialCode::Position,
                DenialCode::Concentration,
                DenialCode::Exposure,
                DenialCode::SymbolOrders,
                DenialCode::StrategyOrders,
                DenialCode::NotionalMinute,
                DenialCode::NotionalDay,
            ];
            REDUCING.into_iter().for_each(|code| skip(sink, code, "a reducing order"));
        } else {
            if terms.all_in {
                BY_SIZE.into_iter().for_each(|code| skip(sink, code, "all in: cash is its limit"));
            } else {
                let added = Added { px, value, equity, reserved_cash };
                self.check_size(view, &order, reserved, added, sink);
            }

            self.check_rates(terms, limits, &used, sink);
            if terms.all_in {
                skip(sink, DenialCode::NotionalMinute, "all in: cash is its limit");
            } else {
                let minute_max = equity.scale(limits.notional_minute);
                tell_limit(sink, DenialCode::NotionalMinute, used.minute + value, minute_max);
            }
            let of_day = if t0 { limits.notional_day_t0 } else { limits.notional_day };
            tell_limit(sink, DenialCode::NotionalDay, used.day + value, equity.scale(of_day));
        }

        self.check_counts(at, &order, reserved, &used, sink);

        let held_until = self.held_until(at, view, &order, &used);
        let (contract, loan) = (None, None);
        let subscription = false;
        let approval = Approval {
            trade_date: date,
            band,
            fees,
            contract,
            loan,
            subscription,
            reserved_cash,
            arrival_px,
            held_until,
            net,
        };
        Some(Decided { approval, px, t0, worst, lots: (rules.buy_step, rules.buy_min) })
    }

    /// Shares that the order may sell today and no live sell has set aside; below zero when these are too many.
    pub(super) fn sellable(&self, ledger: &Ledger, terms: &OrderTerms, rules: &DayRules) -> Qty {
        // A person may sell what any book holds; a strategy only what its own does.
        let (qty, bought_today) = if terms.source == Source::Manual {
            let holding = ledger.holding(terms.symbol);
            (holding.qty, holding.bought_today)
        } else {
            let book = ledger.book(terms.symbol, &terms.strategy);
            book.map_or((Qty::ZERO, Qty::ZERO), |b| (b.qty, b.bought_today))
        };
        let held = if rules.min_holding_days > 0 { qty - bought_today } else { qty };
        held - self.reserved.get(&terms.account).map_or(Qty::ZERO, |reserved| reserved.sells_of(terms))
    }

    /// Tick, quote, limit prices and distance from the market.
    pub(super) fn check_price(&self, at: Timestamp, view: View<'_>, order: &Order<'_>, sink: Sink<'_>) -> Priced {
        let Order { terms, limits, rules, .. } = *order;
        match (terms.ord_type, terms.limit_price) {
            (OrdType::Limit, price) => {
                let on_grid = price.is_some_and(|p| p.is_positive() && rules.on_tick(p));
                tell(sink, DenialCode::TickSize, on_grid, || {
                    (
                        price.map_or(Measure::None, Measure::Price),
                        Measure::Price(price.map_or(rules.tick, |px| rules.tick_at(px))),
                    )
                });
            }
            (OrdType::Market, _) => skip(sink, DenialCode::TickSize, "market order"),
        }

        let quote = view.quotes.get(terms.symbol);
        let age_max = limits.quote_age().most(terms.ord_type);
        let age = view.quote_age(at, terms.symbol, rules.closing_auction);
        tell(sink, DenialCode::QuoteStale, age.is_some_and(|age| age <= age_max), || {
            let found = age.map_or(word("no quote"), |age| Measure::Millis(age.us() / 1_000));
            (found, Measure::Millis(age_max.us() / 1_000))
        });

        let band = quote.and_then(|q| q.prev_close).and_then(|prev_close| rules.price_band(prev_close));
        match (terms.limit_price, band) {
            (Some(price), Some((low, high))) => {
                tell(sink, DenialCode::PriceLimit, price >= low && price <= high, || {
                    (Measure::Price(price), Measure::Price(if price < low { low } else { high }))
                });
            }
            (None, _) => skip(sink, DenialCode::PriceLimit, "market order"),
            (Some(_), None) => skip(sink, DenialCode::PriceLimit, "no limit today, or no previous close known"),
        }

        let market_px = quote.map_or(Price::ZERO, |q| q.meets(terms.side));
        self.check_distance(at, view, order, quote, band, sink);
        Priced { band, market_px, arrival_px: quote.map(|q| q.meets(terms.side)) }
    }

    pub(super) fn check_duplicate(&self, at: Timestamp, terms: &OrderTerms, limits: &Limits, sink: Sink<'_>) {
        if terms.id.signal().get() == 0 {
            let age = self.duplicate_age(at, terms);
            let window = limits.duplicate_window;
            tell(sink, DenialCode::Duplicate, age.is_none_or(|age| age >= window), || {
                let age = age.map_or(Measure::None, |age| Measure::Millis(age.us() / 1_000));
                (age, Measure::Millis(window.us() / 1_000))
            });
        } else {
            skip(sink, DenialCode::Duplicate, "the signal has a key");
        }
    }

    /// Whether it would trade with an order of our own. Returns what was used when it came.
    pub(super) fn check_crossing(
        &self,
        at: Timestamp,
        order: &Order<'_>,
        px: Price,
        t0: bool,
        net: Option<&NetTerms>,
        sink: Sink<'_>,
    ) -> Used {
        let Order { terms, limits, date, .. } = *order;
        let used = self.counters.used(at, Counted { terms, px, date, t0, subscription: false });
        match (used.crossed, used.crossed_elsewhere) {
            (Some(own), _) if limits.crossing == Crossing::Warn => {
                tell_warned(sink, DenialCode::Crossing, Measure::Price(px), Measure::Price(own));
            }
            (Some(own), _) => {
                let netted = net.is_some_and(|net| self.is_netted(terms, px, net));
                tell(sink, DenialCode::Crossing, netted, || (Measure::Price(px), Measure::Price(own)));
            }
            (None, Some(other)) => tell_warned(sink, DenialCode::Crossing, Measure::Price(px), Measure::Price(other)),
            (None, None) => tell(sink, DenialCode::Crossing, true, || (Measure::None, Measure::None)),
        }
        used
    }

    pub(super) fn check_rates(&self, terms: &OrderTerms, limits: &Limits, used: &Used, sink: Sink<'_>) {
        let buys = used.symbol_buys.saturating_add(1);
        tell_limit(sink, DenialCode::SymbolOrders, buys, limits.symbol_orders_max);
        let parents = used.parents.saturating_add(u32::from(terms.id.attempt() <= 1));
        let orders_max = counters::orders_max(parents, limits.strategy_orders_max);
        tell_limit(sink, DenialCode::StrategyOrders, used.orders.saturating_add(1), orders_max);
    }

    /// How many orders may be under way, how often they were tried, and what the day has seen of messages.
    pub(super) fn check_counts(
        &self,
        at: Timestamp,
        order: &Order<'_>,
        reserved: &Reserved,
        used: &Used,
        sink: Sink<'_>,
    ) {
        let Order { terms, ledger, limits, date, .. } = *order;
        self.check_attempts(at, terms, limits, date, sink);

        // Counted with this one, from here on.
        tell_limit(sink, DenialCode::OpenOrders, reserved.live.saturating_add(1), limits.open_orders_max);

        check_cancels(order, used, sink);

        let sent = match self.messages.get(&terms.account) {
            Some((day, count)) if *day == date => *count,
            _ => 0,
        };
        let sent = sent.saturating_add(ledger.extra_messages);
        tell_limit(sink, DenialCode::MessageCeiling, sent.saturating_add(1), limits.message_ceiling);
    }

    /// How far the limit price is on the other side of the market. In auctions, and on the passive side, the whole band
    /// is free.
    fn check_distance(
        &self,
        at: Timestamp,
        view: View<'_>,
        order: &Order<'_>,
        quote: Option<&Quote>,
        band: Option<(Price, Price)>,
        sink: Sink<'_>,
    ) {
        let Order { terms, limits, rules, .. } = *order;
        let mut skip_both = |why| {
            skip(sink, DenialCode::PriceCage, why);
            skip(sink, DenialCode::PriceCollar, why);
        };
        let Some(price) = terms.limit_price else { return skip_both("market order") };
        if terms.lends() {
            return skip_both("a rate");
        }
        if !view.market.is_continuous(terms.symbol, at, rules.closing_auction) {
            return skip_both("not in continuous trading");
        }
        let Some(reference) = quote.and_then(|quote| quote.reference(terms.side)) else {
            return skip_both("no reference price");
        };
        let beyond = |end: Price| if terms.side == Side::Buy { price > end } else { price < end };
        // The cage, where there is one, is what everybody's orders are held to.
        if let Some(end) = rules.cage_end(terms.side, reference) {
            tell(sink, DenialCode::PriceCage, !beyond(end), || (Measure::Price(price), Measure::Price(end)));
            return skip(sink, DenialCode::PriceCollar, "the exchange has a cage");
        }
        skip(sink, DenialCode::PriceCage, "no cage");
        let end = collar_end(limits, rules, terms.side, reference);
        // The day's limit price itself is a price to ask for: what counts there is the place in the queue.
        let to_the_limit = band.is_some_and(|(low, high)| price == if terms.side == Side::Buy { high } else { low });
        let passed = !beyond(end) || to_the_limit;
        tell(sink, DenialCode::PriceCollar, passed, || (Measure::Price(price), Measure::Price(end)));
    }

    /// How often the order's parent was tried before.
    fn check_attempts(&self, at: Timestamp, terms: &OrderTerms, limits: &Limits, date: TradeDate, sink: Sink<'_>) {
        if terms.id.attempt() <= 1 {
            return skip(sink, DenialCode::Attempts, "the first attempt");
        }
        let tried = self.counters.tried(terms.id.parent(), date);
        let canceled_max = if terms.side == Side::Buy { limits.attempts_buy } else { limits.attempts_sell };
        let pause = tried.canceled_at.map(|canceled_at| at.since(canceled_at));
        match pause {
            _ if tried.failed >= limits.attempts_failed => {
                let numbers =
                    || (Measure::Count(i64::from(tried.failed)), Measure::Count(i64::from(limits.attempts_failed)));
                tell(sink, DenialCode::Attempts, false, numbers);
            }
            Some(pause) if pause < ATTEMPT_PAUSE => {
                let numbers = || (Measure::Millis(pause.us() / 1_000), Measure::Millis(ATTEMPT_PAUSE.us() / 1_000));
                tell(sink, DenialCode::Attempts, false, numbers);
            }
            _ => tell_limit(sink, DenialCode::Attempts, tried.canceled.saturating_add(1), canceled_max),
        }
    }

    /// How long ago the same order was approved, if it was a moment ago.
    fn duplicate_age(&self, at: Timestamp, terms: &OrderTerms) -> Option<Span> {
        let same = |t: &OrderTerms| {
            t.account == terms.account
                && t.strategy == terms.strategy
                && t.symbol == terms.symbol
                && t.side == terms.side
                && t.qty == terms.qty
                && t.limit_price == terms.limit_price
        };
        self.recent.iter().rev().find(|r| same(&r.terms)).map(|r| at.since(r.at))
    }
}

/// What an order would add to its account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    pub(super) px: Price,
    pub(super) value: Money,
    pub(super) equity: Money,
    pub(super) reserved_cash: Money,
}

/// What bounds how much an order opens.
pub(super) const BY_SIZE: [DenialCode; 6] = [
    DenialCode::OrderValue,
    DenialCode::OrderQty,
    DenialCode::OrderVolume,
    DenialCode::Position,
    DenialCode::Concentration,
    DenialCode::Exposure,
];

impl Risk {
    /// How large an order of shares may be, and what it makes of the position and the account.
    fn check_size(&self, view: View<'_>, order: &Order<'_>, reserved: &Reserved, added: Added, sink: Sink<'_>) {
        let Order { terms, ledger, limits, .. } = *order;
        let Added { px, value, equity, reserved_cash } = added;
        let share = equity.scale(limits.order_value);
        tell_limit(sink, DenialCode::OrderValue, value, limits.order_value_max.map_or(share, |cap| cap.min(share)));
        match limits.order_qty_max {
            Some(most) => tell_limit(sink, DenialCode::OrderQty, terms.qty, most),
            None => skip(sink, DenialCode::OrderQty, NOT_LIMITED),
        }
        check_volume(view, order, sink);

        let held = ledger.holding(terms.symbol).qty + reserved.buys_of(terms) + terms.qty;
        match limits.position_qty_max {
            Some(most) if held > most => tell_limit(sink, DenialCode::Position, held, most),
            _ => tell_limit(sink, DenialCode::Position, px.times(held), equity.scale(limits.position)),
        }
        match limits.concentration {
            Some(share) => self.check_concentration(view, order, added, share, sink),
            None => skip(sink, DenialCode::Concentration, NOT_LIMITED),
        }
        match limits.exposure {
            Some(most) => {
                let exposed = equity - ledger.cash + reserved.cash + reserved_cash;
                tell_limit(sink, DenialCode::Exposure, exposed, equity.scale(most));
            }
            None => skip(sink, DenialCode::Exposure, NOT_LIMITED),
        }
    }
}

impl Reserved {
    /// Shares that live sells hold of the books that this order may sell from.
    fn sells_of(&self, terms: &OrderTerms) -> Qty {
        let any_book = terms.source == Source::Manual;
        self.sells
            .iter()
            .filter(|(symbol, book, _)| {
                // A manual sell may draw on every book, so it counts against each of them.
                let of_others = (any_book || book.is_manual()) && !seeded(SeededBug::SellsNotReservedTogether);
                *symbol == terms.symbol && (*book == terms.strategy || of_others)
            })
            .map(|(_, _, qty)| *qty)
            .sum()
    }

    pub(super) fn buys_of(&self, terms: &OrderTerms) -> Qty {
        self.buys.iter().filter(|(symbol, _)| *symbol == terms.symbol).map(|(_, qty)| *qty).sum()
    }
}
