//! What comes after the end: fills of ended orders, ends that were none, orders that nobody ended before the night.

use signalbox_domain::account::{AccountInput, Alarm};
use signalbox_domain::broker::{Level, ListedStatus, Report};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::ids::{ExecId, OrderId};
use signalbox_domain::order::Side;
use signalbox_domain::signal::SignalStatus;
use signalbox_domain::units::{Money, Price, Qty, TradeDate};

use crate::broker::{Bench, no};

/// What the order's signal and its leg say: status of both, and what is filled of the leg.
fn told(bench: &Bench, order: OrderId) -> (SignalStatus, SignalStatus, Qty) {
    let tables = bench.desk.tables();
    let (signal, parent) = (&tables.signals[&order.signal()], &tables.parents[&order.parent()]);
    (signal.status, parent.status, parent.cum_qty)
}

fn canceled(bench: &mut Bench, qty: i64) -> OrderId {
    let order = bench.buy(qty);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", order, qty);
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    bench.say(order, Report::Canceled { text: "canceled".into() });
    assert_eq!(told(bench, order), (SignalStatus::Canceled, SignalStatus::Canceled, Qty::ZERO));
    order
}

fn fill(bench: &mut Bench, order: OrderId, exec_id: &str, qty: i64) {
    let (exec_id, px, at) = (ExecId(exec_id.into()), Price::from_e4(100_000), bench.desk.at);
    bench.say(order, Report::Filled { exec_id, qty: Qty::new(qty), px, at });
}

#[test]
fn f22_a_fill_after_the_end_reaches_the_leg_and_the_signal_that_were_final() {
    let mut bench = Bench::at(Level::L4);
    let order = canceled(&mut bench, 200);
    fill(&mut bench, order, "E1", 100);
    assert_eq!(told(&bench, order), (SignalStatus::PartiallyDone, SignalStatus::PartiallyDone, Qty::new(100)));
    fill(&mut bench, order, "E1", 100);
    assert_eq!(told(&bench, order).2, Qty::new(100));
    fill(&mut bench, order, "E2", 100);
    assert_eq!(told(&bench, order), (SignalStatus::Done, SignalStatus::Done, Qty::new(200)));
}

#[test]
fn f22_a_fill_after_the_end_is_told_by_the_next_life_when_this_one_ends_before() {
    let mut bench = Bench::at(Level::L4);
    let order = canceled(&mut bench, 200);
    let (exec_id, px, at) = (ExecId("E1".into()), Price::from_e4(100_000), bench.desk.at);
    let what = Report::Filled { exec_id, qty: Qty::new(200), px, at };
    let report = signalbox_domain::broker::BrokerReport { order, what };
    bench.desk.tell_account(&order_account(&bench, order), AccountInput::Broker(report));
    bench.desk.step(0);
    bench.desk.commit();
    assert_eq!(told(&bench, order), (SignalStatus::Canceled, SignalStatus::Canceled, Qty::ZERO));
    bench.desk.restart();
    bench.run();
    assert_eq!(told(&bench, order), (SignalStatus::Done, SignalStatus::Done, Qty::new(200)));
}

fn order_account(bench: &Bench, order: OrderId) -> signalbox_domain::ids::AccountId {
    bench.order(order).terms.account.clone()
}

#[test]
fn an_order_that_ended_here_and_works_at_the_broker_is_told_until_it_does_not() {
    let mut bench = Bench::at(Level::L2);
    let order = canceled(&mut bench, 200);
    bench.pass(100);
    assert!(bench.open().is_empty(), "lists may lag");
    bench.pass(120);
    assert_eq!(bench.open(), ["revived:2025-03-03:N1"]);
    assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::Revived { order: of, .. } if *of == order)));
    let row = &mut bench.lists.orders[0];
    (row.canceled_qty, row.status) = (row.qty, ListedStatus::Canceled);
    bench.pass(120);
    assert!(bench.open().is_empty());
}

#[test]
fn an_order_that_was_open_over_night_ends_with_the_first_lists_of_the_next_day() {
    for filled in [0, 100] {
        let mut bench = Bench::at(Level::L2);
        let order = bench.buy(200);
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        bench.list_tagged("N1", order, 200);
        bench.pass(20);
        assert_eq!(bench.status(order), "new");
        // Nobody looks for the rest of the day.
        bench.desk.restart();
        if filled > 0 {
            bench.trade("N1", filled, 100_000);
        }
        let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
        (bench.lists.trade_date, bench.lists.orders, bench.lists.trades) = (day, Vec::new(), Vec::new());
        bench.desk.set_clock(china_instant(day, 9, 0, 0));
        bench.desk.start_day();
        bench.run();
        bench.pass(200);
        assert_eq!((bench.status(order), bench.order(order).cum_qty), ("expired", Qty::ZERO));
        assert_eq!(told(&bench, order).0, SignalStatus::Expired);
        assert_eq!(bench.desk.risk.reserved_cash(&order_account(&bench, order)), Money::ZERO);
        // What it filled meanwhile is a difference of the positions, and a person's.
        let differs = bench.open().iter().any(|key| key.starts_with("break:") && key.contains("600000"));
        assert_eq!(differs, filled > 0, "{:?}", bench.open());
    }
}

#[test]
fn the_row_of_another_order_is_not_taken_for_one_that_was_acknowledged_a_day_late() {
    let mut bench = Bench::at(Level::L4);
    let late = bench.buy(200);
    bench.lose(late);
    bench.desk.restart();
    let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
    bench.lists.trade_date = day;
    bench.desk.set_clock(china_instant(day, 9, 31, 0));
    bench.desk.start_day();
    bench.tell(AccountInput::Connected);
    bench.say(late, Report::Accepted { broker_order_id: no("N1") });
    let (exec_id, at) = (ExecId("E1".into()), bench.desk.at);
    bench.say(late, Report::Filled { exec_id, qty: Qty::new(200), px: Price::from_e4(100_000), at });
    bench.lists.positions[0].qty += Qty::new(200);
    // It stands in the lists of the day before. An order of today looks the same.
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N2") });
    bench.pass(15);
    bench.list_tagged("N2", order, 200);
    bench.trade("N2", 200, 100_000);
    bench.pass(90);
    let of = |id| (bench.status(id), bench.order(id).cum_qty, bench.order(id).broker_order_id);
    assert_eq!(of(late), ("filled", Qty::new(200), Some(no("N1"))));
    assert_eq!(of(order), ("filled", Qty::new(200), Some(no("N2"))));
    assert!(!bench.open().contains(&"reads".to_owned()), "{:?}", bench.open());
}

#[test]
fn f28_trades_by_hand_that_look_the_same_may_stand_for_each_other_under_new_numbers() {
    let mut bench = Bench::at(Level::L1);
    for number in ["X7", "X8"] {
        bench.list(number, Side::Sell, 100, 100_000);
    }
    bench.trade("X8", 100, 100_000);
    bench.pass(100);
    bench.renumber("Y");
    bench.trade("YX7", 50, 100_000);
    bench.pass(400);
    assert!(!bench.open().contains(&"reads".to_owned()), "{:?}", bench.open());
    let held = |bench: &Bench| {
        bench.desk.ledgers.get(&crate::broker::account()).map(|l| l.holding(crate::broker::symbol()).qty)
    };
    assert_eq!(held(&bench), Some(bench.lists.positions[0].qty));
    bench.trade("YX7", 50, 100_000);
    bench.pass(100);
    assert_eq!(held(&bench), Some(Qty::new(800)));
}
