//! Monitors of positions: stop-loss, profit to take, trailing stop, a stop by the average true range, and how far a holding
//! may fall since it was entered. They look at each book of shares by itself, and what they decide is an ordinary sell
//! signal of the book's strategy, which is planned and checked like any other.
//!
//! A monitor goes off once: its key names account, strategy, symbol, day and entry, and the door takes a key once. The sell
//! is tried until the session ends; on the next day the monitor looks anew. What cannot be sold today waits (T+1). A
//! monitor that lacks something it needs says so and does nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::TradingState;
use crate::hash::QuickMap;
use crate::ids::{AccountId, ClientId, SignalId, StrategyId};
use crate::ledger::{Book, Ledger};
use crate::order::{OrdType, Side, TimeInForce};
use crate::quote::Quote;
use crate::signal::{Notes, Signal, Size, Source};
use crate::strategy::exit_execution;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate, mul_div_floor};
use crate::view::View;

use super::limits::{LimitBook, Limits};
use super::{Reserved, RiskEffects};

/// A share of a price: above zero, and ten times it at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Distance(Ratio);

impl Distance {
    #[must_use]
    pub fn new(ratio: Ratio) -> Option<Self> {
        (ratio.is_positive() && ratio.e6() <= 10 * Ratio::ONE.e6()).then_some(Self(ratio))
    }

    #[must_use]
    pub const fn ratio(self) -> Ratio {
        self.0
    }
}

/// So many times the average true range of so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtrStop {
    pub period: u32,
    pub multiple: Distance,
}

impl AtrStop {
    /// The longest period: a year of trading days.
    const PERIOD_MAX: u32 = 250;

    /// `14x2.5`: fourteen days, two and a half times.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (period, multiple) = text.split_once('x')?;
        let period = period.parse().ok().filter(|period| (1..=Self::PERIOD_MAX).contains(period))?;
        Some(Self { period, multiple: Distance::new(Ratio::parse(multiple).ok()?)? })
    }
}

impl std::fmt::Display for AtrStop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.period, self.multiple.0)
    }
}

/// What looks at a position. In the order in which one goes before the others that come true with it.
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
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MonitorKind {
    /// So far below what it cost on the average.
    StopLoss,
    /// So many true ranges below the highest since its entry.
    AtrStop,
    /// So far below the highest since its entry, once that is above what it cost.
    TrailingStop,
    /// So far below the highest since its entry.
    EntryDrawdown,
    /// So far above what it cost.
    TakeProfit,
}

/// How a monitor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum MonitorState {
    /// It looks at each price.
    Armed,
    /// It has come true and goes off now.
    Due,
    /// It has come true; what is held cannot be sold today, or is being sold, or nothing may be sold.
    Waits(&'static str),
    /// It went off on this day.
    Fired,
    /// It lacks something.
    NotArmed(&'static str),
}

/// One monitor of one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    pub account: AccountId,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub kind: MonitorKind,
    pub qty: Qty,
    /// The price at which it comes true.
    pub level: Option<Price>,
    pub last: Option<Price>,
    pub state: MonitorState,
}

/// A position that a monitor gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    pub account: AccountId,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub kind: MonitorKind,
    pub level: Price,
    pub last: Price,
    /// The door takes it once.
    pub key: Arc<str>,
    pub until: Option<Timestamp>,
}

impl Exit {
    /// The signal that it is.
    #[must_use]
    pub fn signal(&self, at: Timestamp) -> Signal {
        Signal {
            id: SignalId::new(0),
            source: Source::Monitor,
            strategy: self.strategy.clone(),
            account: Some(self.account.clone()),
            client: ClientId::monitor(),
            client_signal_id: self.key.clone(),
            symbol: self.symbol,
            side: Some(Side::Sell),
            position_effect: None,
            size: Size::All,
            ord_type: OrdType::Market,
            limit_price: None,
            time_in_force: TimeInForce::Day,
            valid_until: self.until,
            execution: Some(Arc::new(exit_execution())),
            tag: Some(format!("{} at {}: last {}", self.kind, self.level, self.last).into()),
            received_at: at,
            notes: Notes::default(),
        }
    }
}

/// What makes a monitor go off is not older than this.
const QUOTE_AGE_MAX: Span = Span::from_secs(60);
/// A previous close so far below the last one that we saw tells that the share went ex: cost and highest are of before.
const EX_FROM: Ratio = Ratio::from_percent(2);

/// What one book is looked at with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// What all of it cost.
    pub(super) cost: Money,
    pub(super) qty: Qty,
    /// The highest since its entry.
    pub(super) high: Option<Price>,
    /// The average true range.
    pub(super) range: Option<Price>,
}

/// The price at which a monitor comes true, or what it lacks.
pub(super) fn level(kind: MonitorKind, limits: &Limits, seen: Seen) -> Option<Result<Price, &'static str>> {
    let one = Ratio::ONE.e6();
    let of_cost = |share: i64| match seen.cost.is_positive() {
        // Exact: what all of it cost times the share, over all of it.
        true => Ok(Price::from_e4(div(i128::from(seen.cost.e4()) * i128::from(share), seen.qty.get(), one))),
        false => Err("what it cost is not known"),
    };
    let high = seen.high.ok_or("no price since its entry is known");
    let below_high = |by: Distance| high.map(|high| Price::from_e4(mul_div_floor(high.e4(), one - by.0.e6(), one)));
    Some(match kind {
        MonitorKind::StopLoss => of_cost(one - limits.stop_loss?.0.e6()),
        // The first price that is so far above, rounded up.
        MonitorKind::TakeProfit => of_cost(-one - limits.take_profit?.0.e6()).map(|level| -level),
        MonitorKind::EntryDrawdown => below_high(limits.entry_drawdown?),
        MonitorKind::TrailingStop => {
            let by = limits.trailing_stop?;
            match high {
                Ok(high) if high.times(seen.qty) <= seen.cost => Err("it has not been above what it cost"),
                _ => below_high(by),
            }
        }
        MonitorKind::AtrStop => {
            let stop = limits.atr_stop?;
            high.and_then(|high| {
                let range = seen.range.ok_or("too few days are known")?;
                Ok(high - Price::from_e4(mul_div_floor(range.e4(), stop.multiple.0.e6(), one)))
            })
        }
    })
}

/// Rounded towards negative infinity.
fn div(amount: i128, qty: i64, one: i64) -> i64 {
    let by = i128::from(qty.max(1)) * i128::from(one);
    i64::try_from(amount.div_euclid(by)).unwrap_or(i64::MAX)
}

pub(super) fn is_met(kind: MonitorKind, level: Price, last: Price) -> bool {
    if kind == MonitorKind::TakeProfit { last >= level } else { last <= level }
}

const KINDS: [MonitorKind; 5] = [
    MonitorKind::StopLoss,
    MonitorKind::AtrStop,
    MonitorKind::TrailingStop,
    MonitorKind::EntryDrawdown,
    MonitorKind::TakeProfit,
];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    day: Option<TradeDate>,
    /// The keys of what went off on the day. A restart forgets them; the door does not.
    fired: BTreeSet<Arc<str>>,
}

/// What the books are looked at with.
#[derive(Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) at: Timestamp,
    pub(super) view: View<'a>,
    pub(super) limits: &'a LimitBook,
    pub(super) reserved: &'a QuickMap<AccountId, Reserved>,
}

impl Monitors {
    /// Looks at every position that is monitored, and lets go off what has come true.
    pub(super) fn watch(&mut self, desk: Desk<'_>, fx: &mut RiskEffects) {
        let date = desk.view.market.calendar.trade_date(desk.at);
        if self.day != date {
            (self.day, self.fired) = (date, BTreeSet::new());
        }
        let mut due: Vec<Exit> = Vec::new();
        self.each(desk, &mut |monitor, key| {
            let Monitor { account, strategy, symbol, kind, level, last, state, .. } = monitor;
            let (MonitorState::Due, Some(level), Some(last)) = (state, level, last) else { return };
            if due.last().is_some_and(|exit| exit.key == *key) {
                return; // another monitor of the same position goes before it
            }
            let (key, until) = (key.clone(), desk.view.market.session_end(symbol, desk.at));
            due.push(Exit { account, strategy, symbol, kind, level, last, key, until });
        });
        self.fired.extend(due.iter().map(|exit| exit.key.clone()));
        fx.exits.extend(due);
    }

    /// How every monitor stands.
    pub(super) fn all(&self, desk: Desk<'_>) -> Vec<Monitor> {
        let mut all = Vec::new();
        self.each(desk, &mut |monitor, _| all.push(monitor));
        all
    }

    fn each(&self, desk: Desk<'_>, sink: &mut dyn FnMut(Monitor, &Arc<str>)) {
        let Some(date) = desk.view.market.calendar.trade_date(desk.at) else { return };
        for (account, own) in desk.limits.accounts() {
            let Some(ledger) = desk.view.ledgers.get(account).filter(|ledger| ledger.trade_date == Some(date)) else {
                continue;
            };
            for book in ledger.books().iter().filter(|book| book.qty.is_positive()) {
                if book.strategy.as_str() == StrategyId::EXTERNAL {
                    continue; // a person's own: never touched
                }
                let limits = desk.limits.of_strategy(account, &book.strategy);
                self.of_book(desk, date, ledger, book, limits.as_deref().unwrap_or(own), sink);
            }
        }
    }

    fn of_book(
        &self,
        desk: Desk<'_>,
        date: TradeDate,
        ledger: &Ledger,
        book: &Book,
        limits: &Limits,
        sink: &mut dyn FnMut(Monitor, &Arc<str>),
    ) {
        if !limits.monitors() {
            return;
        }
        let Desk { at, view, .. } = desk;
        let entry = book.entry.as_ref();
        let seen_high = entry.and_then(|entry| {
            let since = view.quotes.seen_since(book.symbol, entry.seen_until).map(|(high, ..)| high);
            entry.high.max(since)
        });
        let range = limits
            .atr_stop
            .and_then(|stop| view.market.daily.true_range(book.symbol, date, stop.period, &view.market.actions));
        let seen = Seen { cost: book.cost, qty: book.qty, high: seen_high, range };
        let entered = entry.and_then(|entry| entry.at).map_or(0, Timestamp::us);
        let account = &ledger.account;
        let key: Arc<str> = format!("{account}/{}/{}/{date}/{entered}", book.strategy, book.symbol).into();
        let quote = view.quotes.get(book.symbol);
        for kind in KINDS {
            let Some(level) = level(kind, limits, seen) else { continue };
            let last = quote.map(|quote| quote.last);
            let state = match (level, lacks(at, view, book, quote)) {
                (Err(why), _) | (Ok(_), Some(why)) => MonitorState::NotArmed(why),
                (Ok(level), None) if !last.is_some_and(|last| is_met(kind, level, last)) => MonitorState::Armed,
                _ if self.fired.contains(&key) => MonitorState::Fired,
                _ => stops(desk, account, book, date).map_or(MonitorState::Due, MonitorState::Waits),
            };
            let (account, strategy) = (account.clone(), book.strategy.clone());
            let (symbol, qty, level) = (book.symbol, book.qty, level.ok());
            sink(Monitor { account, strategy, symbol, kind, qty, level, last, state }, &key);
        }
    }
}

/// Why the price that is shown makes nothing go off.
fn lacks(at: Timestamp, view: View<'_>, book: &Book, quote: Option<&Quote>) -> Option<&'static str> {
    let Some(quote) = quote else { return Some("no price") };
    // What an auction shows is no trade, and yesterday's is none of today.
    let continuous = |at: Timestamp| view.market.is_continuous(book.symbol, at, true);
    if !continuous(at) || !continuous(quote.at) {
        return Some("not in continuous trading");
    }
    if view.market.price_age(book.symbol, quote.at, at, true) > QUOTE_AGE_MAX {
        return Some("the price is old");
    }
    let own = book.day.and_then(|day| day.prev_close);
    let ex = quote.prev_close.zip(own).is_some_and(|(told, own)| {
        told.e4() < mul_div_floor(own.e4(), Ratio::ONE.e6() - EX_FROM.e6(), Ratio::ONE.e6())
    });
    ex.then_some("it went ex today: cost and highest are of before")
}

/// Why what has come true does not go off now.
fn stops(desk: Desk<'_>, account: &AccountId, book: &Book, date: TradeDate) -> Option<&'static str> {
    let none = Reserved::default();
    let selling = desk.reserved.get(account).unwrap_or(&none).sells.iter();
    if selling.filter(|(symbol, of, _)| *symbol == book.symbol && *of == book.strategy).any(|(.., qty)| !qty.is_zero())
    {
        return Some("it is being sold");
    }
    let t0 = desk.view.market.day(book.symbol, date).is_ok_and(|rules| rules.min_holding_days == 0);
    if !t0 && book.qty <= book.bought_today {
        return Some("it was bought today");
    }
    (desk.view.states.strictest(account, &book.strategy) == TradingState::Halted).then_some("trading is halted")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases;

    /// Fractions of big numbers, each compared by multiplying out.
    fn oracle(kind: MonitorKind, by: i128, seen: Seen, last: i128, period_ok: bool) -> Option<bool> {
        let (cost, qty, one) = (i128::from(seen.cost.e4()), i128::from(seen.qty.get()), 1_000_000_i128);
        let high = seen.high.map(|px| i128::from(px.e4()));
        match kind {
            MonitorKind::StopLoss => (cost > 0).then_some(last * qty * one <= cost * (one - by)),
            MonitorKind::TakeProfit => (cost > 0).then_some(last * qty * one >= cost * (one + by)),
            MonitorKind::EntryDrawdown => high.map(|high| last * one <= high * (one - by)),
            MonitorKind::TrailingStop => {
                high.filter(|high| high * qty > cost).map(|high| last * one <= high * (one - by))
            }
            MonitorKind::AtrStop => {
                let range = seen.range.filter(|_| period_ok).map(|px| i128::from(px.e4()));
                // A fall of at least so many ranges, whose fraction of a ten-thousandth is left away.
                high.zip(range).map(|(high, range)| (high - last + 1) * one > range * by)
            }
        }
    }

    proptest! {
        #![proptest_config(cases::config())]

        #[test]
        fn a_monitor_comes_true_where_the_fractions_say(
            cost in prop_oneof![Just(0_i64), 1_i64..5_000_000_000],
            qty in 1_i64..20_000,
            high in prop::option::of(1_i64..400_000),
            range in prop::option::of(1_i64..50_000),
            by in 1_i64..2_000_000,
            last in 1_i64..400_000,
            near in 0_usize..4,
        ) {
            let distance = Distance::new(Ratio::from_e6(by));
            let limits = Limits {
                stop_loss: distance,
                take_profit: distance,
                trailing_stop: distance,
                entry_drawdown: distance,
                atr_stop: distance.map(|multiple| AtrStop { period: 14, multiple }),
                ..Limits::default()
            };
            let (high, range) = (high.map(Price::from_e4), range.map(Price::from_e4));
            let seen = Seen { cost: Money::from_e4(cost), qty: Qty::new(qty), high, range };
            for kind in KINDS {
                let level = level(kind, &limits, seen).expect("it is set").ok();
                // On the level, a ten-thousandth beside it, or anywhere.
                let last = match (level, near) {
                    (Some(level), 0..=2) => level.e4() + near as i64 - 1,
                    _ => last,
                };
                let met = level.map(|level| is_met(kind, level, Price::from_e4(last)));
                prop_assert_eq!(met, oracle(kind, i128::from(by), seen, i128::from(last), true), "{}", kind);
            }
        }
    }

    #[test]
    fn a_stop_by_ranges_is_read_as_it_is_written() {
        let stop = AtrStop::parse("14x2.5").expect("a stop");
        assert_eq!(
            (stop.period, stop.multiple.ratio(), stop.to_string().as_str()),
            (14, Ratio::from_e6(2_500_000), "14x2.5")
        );
        for text in ["", "14", "x2", "0x2", "251x2", "14x0", "14x-1", "14x11", "-1x2"] {
            assert_eq!(AtrStop::parse(text), None, "{text}");
        }
    }
}
