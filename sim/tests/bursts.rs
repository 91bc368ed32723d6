//! One price sets off hundreds: they go in their order, some at a time, and a person who halts trading is heard in between.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use signalbox_domain::account::{AccountConf, Pacing};
use signalbox_domain::broker::{Capabilities, Level};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::denial::DenialCode;
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::execution::{Conditions, Execution};
use signalbox_domain::ids::{AccountId, ClientId, SignalId, StrategyId};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::risk::{Limits, RiskInput};
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf, StrategyInput};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Span, TradeDate};
use signalbox_sim::desk::{Desk, Setup, market};

/// More than go in one step.
const HELD: u64 = 300;
/// The last that came are the first to go.
const URGENT: u64 = 10;

fn strategy() -> StrategyId {
    StrategyId::parse("s").expect("a name")
}

fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

fn desk() -> Desk {
    let account = AccountId::parse("a").expect("a name");
    let setup = Setup {
        conf: AccountConf {
            id: account.clone(),
            capabilities: Capabilities { level: Level::L4, in_flight_max: 10, market_orders: true, lists: false },
            pacing: Pacing::of_second(5),
            doubt: DoubtConf::default(),
        },
        limits: Limits::default(),
        cash: Money::from_units(10_000_000),
        holdings: Vec::new(),
    };
    let conf =
        StrategyConf { id: strategy(), kind: "external".into(), routes: vec![Route::plain(RouteTo::Account(account))] };
    let day = TradeDate::parse("2025-03-03").expect("a day");
    Desk::open(Rc::new(market()), china_instant(day, 10, 0, 0), vec![setup], vec![conf], Default::default())
}

fn held(n: u64, desk: &Desk) -> Signal {
    let conditions = Conditions { stop: Some(Price::from_e4(105_000)), take_profit: None, trail: None };
    Signal {
        id: SignalId::new(n),
        source: Source::Signal,
        strategy: strategy(),
        account: None,
        client: ClientId::parse("test").expect("a name"),
        client_signal_id: format!("k{n}").into(),
        symbol: symbol(),
        side: Some(Side::Buy),
        position_effect: None,
        size: Size::Quantity(Qty::new(100)),
        ord_type: OrdType::Limit,
        limit_price: Some(Price::from_e4(106_000)),
        time_in_force: TimeInForce::Day,
        valid_until: None,
        execution: Some(Arc::new(Execution { conditions: Some(conditions), ..Execution::default() })),
        tag: None,
        received_at: desk.at,
        notes: Notes { priority: if n > HELD - URGENT { 5 } else { 0 }, ..Notes::default() },
    }
}

fn show(desk: &mut Desk, px: i64) {
    desk.set_clock(desk.at.plus(Span::from_secs(1)));
    desk.quotes.put(Quote {
        symbol: symbol(),
        last: Price::from_e4(px),
        bid: Some(Price::from_e4(px)),
        ask: Some(Price::from_e4(px)),
        bid_size: None,
        ask_size: None,
        volume: None,
        prev_close: None,
        at: desk.at,
    });
    desk.quoted();
}

/// The signals whose condition came true, in the order of the journal.
fn fired(desk: &Desk) -> Vec<u64> {
    let events = desk.journal.iter().flat_map(|entry| &entry.events);
    let fired = events.filter_map(|event| match event {
        Event::TriggerFired { signal, .. } => Some(signal.get()),
        _ => None,
    });
    fired.collect()
}

fn waiting() -> Desk {
    let mut desk = desk();
    show(&mut desk, 104_000);
    for n in 1..=HELD {
        desk.accept(held(n, &desk));
    }
    desk.settle();
    assert_eq!(fired(&desk), [0; 0]);
    desk
}

#[test]
fn what_one_price_sets_off_goes_once_each_and_the_urgent_first() {
    let mut desk = waiting();
    show(&mut desk, 105_000);
    desk.settle();
    let urgent = HELD - URGENT + 1..=HELD;
    assert_eq!(fired(&desk), urgent.chain(1..=HELD - URGENT).collect::<Vec<_>>());
}

#[test]
fn a_halt_is_heard_between_what_one_price_sets_off() {
    let mut desk = waiting();
    show(&mut desk, 105_000);
    desk.step(0);
    let before: BTreeSet<u64> = fired(&desk).into_iter().collect();
    assert!(before.len() < HELD as usize / 2, "{} went in one step", before.len());
    let halt = RiskInput::SetTradingState {
        scope: Scope::Global,
        state: TradingState::Halted,
        who: "ann".into(),
        reason: "enough".into(),
    };
    desk.tell_risk(halt);
    desk.settle();
    assert_eq!(fired(&desk).len() as u64, HELD, "what was set off is told, and refused");
    for event in desk.journal.iter().flat_map(|entry| &entry.events) {
        match event {
            Event::OrderApproved { terms, .. } => assert!(before.contains(&terms.id.signal().get()), "{}", terms.id),
            Event::OrderDenied { terms, denials } if !before.contains(&terms.id.signal().get()) => {
                assert!(denials.iter().any(|denial| denial.code == DenialCode::TradingState), "{denials:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_price_that_comes_meanwhile_sets_nothing_off_twice_and_what_is_stopped_meanwhile_stays() {
    let mut desk = waiting();
    show(&mut desk, 105_000);
    desk.step(0);
    let stopped = (1..=HELD).find(|n| !fired(&desk).contains(n)).expect("one that waits");
    desk.tell_strategy(&strategy(), StrategyInput::Cancel { signal: SignalId::new(stopped), who: "ann".into() });
    show(&mut desk, 105_100);
    desk.settle();
    let all = fired(&desk);
    let once: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(once.len(), all.len(), "each goes once");
    assert_eq!((1..=HELD).filter(|n| !once.contains(n)).collect::<Vec<_>>(), [stopped]);
}

#[test]
fn what_was_set_off_and_had_not_gone_when_the_process_ended_goes_after_the_restart() {
    let mut desk = waiting();
    show(&mut desk, 105_000);
    desk.step(0);
    desk.commit();
    let before = fired(&desk).len();
    assert!(before > 0 && before < HELD as usize);
    desk.restart();
    desk.settle();
    show(&mut desk, 105_000);
    desk.settle();
    let once: BTreeSet<u64> = fired(&desk).into_iter().collect();
    assert_eq!((once.len() as u64, fired(&desk).len() as u64), (HELD, HELD));
}
