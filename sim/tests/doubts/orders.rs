//! Orders whose end, or whose permission, changes while they are on their way.

use signalbox_domain::account::AccountInput;
use signalbox_domain::broker::{Level, Report};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::ids::{ExecId, OrderId};
use signalbox_domain::order::Side;
use signalbox_domain::signal::SignalStatus;
use signalbox_domain::units::{Price, Qty, Span, TradeDate};

use crate::broker::{Bench, no};

fn fill(bench: &mut Bench, order: OrderId, exec_id: &str, qty: i64) {
    let (exec_id, px, at) = (ExecId(exec_id.into()), Price::from_e4(100_000), bench.desk.at);
    bench.say(order, Report::Filled { exec_id, qty: Qty::new(qty), px, at });
}

fn working(bench: &mut Bench, side: Side, qty: i64) -> OrderId {
    let order = bench.signal(side, qty, Some(100_000));
    assert_eq!(bench.submits(order), 1);
    bench.say(order, Report::Accepted { broker_order_id: no(&format!("N{order}")) });
    order
}

fn denied(bench: &Bench, order: OrderId) -> bool {
    bench.desk.tables().signals[&order.signal()].status == SignalStatus::Denied
}

#[test]
fn f08_what_was_approved_before_the_process_was_down_is_not_sent_when_its_time_is_over() {
    for (hour, sent) in [(10, 1), (15, 0)] {
        let mut bench = Bench::at(Level::L1);
        bench.broken = Some("the terminal is off");
        bench.pass(70);
        let order = bench.buy(100);
        let day = TradeDate::from_yyyymmdd(20_250_303).expect("a date");
        bench.desk.restart();
        bench.desk.set_clock(china_instant(day, hour, 31, 0));
        bench.broken = None;
        bench.run();
        bench.pass(30);
        assert_eq!(bench.submits(order), sent, "up again at {hour}:31");
        if sent == 0 {
            assert_eq!(bench.status(order), "never_sent");
        }
    }
}

#[test]
fn f14_an_acknowledgement_that_was_not_stored_is_found_again_and_the_order_is_not_sent_twice() {
    for level in [Level::L1, Level::L2, Level::L3] {
        let mut bench = Bench::at(level);
        let order = bench.buy(100);
        if level == Level::L1 {
            bench.list("N1", Side::Buy, 100, 100_000);
        } else {
            bench.list_tagged("N1", order, 100);
        }
        // The process ends with the broker's answer in its mailbox.
        bench.desk.set_clock(bench.desk.at.plus(Span::from_ms(200)));
        bench.desk.restart();
        bench.tell(AccountInput::Connected);
        bench.pass(30);
        assert_eq!((bench.status(order), bench.order(order).broker_order_id), ("new", Some(no("N1"))), "{level:?}");
        assert_eq!(bench.submits(order), 1);
    }
}

#[test]
fn f23_what_fills_while_its_cancel_is_on_the_way_may_not_be_sold_again() {
    let mut bench = Bench::at(Level::L4);
    let order = working(&mut bench, Side::Sell, 1_000);
    fill(&mut bench, order, "E1", 400);
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    assert_eq!(bench.cancels(), 1);
    let early = bench.signal(Side::Sell, 600, Some(100_000));
    assert_eq!((denied(&bench, early), bench.submits(early)), (true, 0), "its end is not known yet");
    fill(&mut bench, order, "E2", 100);
    bench.say(order, Report::Canceled { text: "canceled".into() });
    assert_eq!((bench.status(order), bench.order(order).cum_qty), ("canceled", Qty::new(500)));
    let greedy = bench.signal(Side::Sell, 600, Some(100_000));
    assert_eq!((denied(&bench, greedy), bench.submits(greedy)), (true, 0), "500 are left");
    let rest = bench.signal(Side::Sell, 500, Some(100_000));
    assert_eq!(bench.submits(rest), 1);
}
