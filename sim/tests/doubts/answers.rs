//! Answers that come early, late, wrong or not at all, and restarts between an order's facts.

use signalbox_domain::account::AccountInput;
use signalbox_domain::broker::{Level, Report};
use signalbox_domain::ids::ExecId;
use signalbox_domain::units::{Money, Price, Qty, Span};

use crate::broker::{Bench, account, no, symbol};

fn reserved(bench: &Bench) -> Money {
    bench.desk.risk.reserved_cash(&account())
}

fn held(bench: &Bench) -> Qty {
    bench.desk.ledgers.get(&account()).expect("a ledger").holding(symbol()).qty
}

#[test]
fn f09_what_is_set_aside_outlives_a_restart_with_its_order_and_only_with_it() {
    let mut bench = Bench::at(Level::L1);
    bench.broken = Some("the terminal is off");
    bench.pass(70);
    let order = bench.buy(100);
    let before = reserved(&bench);
    assert!(before >= Money::from_units(1_000));
    assert_eq!((bench.status(order), bench.submits(order)), ("pending_new", 0));
    bench.desk.restart();
    bench.run();
    assert_eq!((bench.status(order), reserved(&bench)), ("pending_new", before));
}

#[test]
fn f10_an_approved_order_that_was_not_sent_before_a_restart_is_sent_once() {
    let mut bench = Bench::at(Level::L1);
    bench.broken = Some("the terminal is off");
    bench.pass(70);
    let order = bench.buy(100);
    bench.desk.restart();
    bench.run();
    assert_eq!(bench.submits(order), 0);
    bench.broken = None;
    bench.pass(30);
    assert_eq!(bench.submits(order), 1);
    bench.desk.restart();
    bench.run();
    bench.pass(30);
    assert_eq!(bench.submits(order), 1, "what may have left is not sent again");
}

#[test]
fn f16_an_error_that_is_on_no_list_of_refusals_is_a_doubt_and_the_live_order_is_found() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.say(order, Report::Lost { cause: "code -1".into() });
    assert_eq!(bench.status(order), "in_doubt");
    assert!(reserved(&bench).is_positive());
    bench.list_tagged("N1", order, 100);
    bench.pass(15);
    assert_eq!((bench.status(order), bench.submits(order)), ("new", 1));
}

#[test]
fn f20_a_fill_that_comes_before_its_acknowledgement_is_booked_once() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    let fill = || Report::Filled {
        exec_id: ExecId("N1/100".into()),
        qty: Qty::new(100),
        px: Price::from_e4(100_000),
        at: signalbox_domain::units::Timestamp::from_us(0),
    };
    bench.say(order, fill());
    assert_eq!((bench.order(order).cum_qty, held(&bench)), (Qty::new(100), Qty::new(1_100)));
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.say(order, fill());
    assert_eq!((bench.order(order).cum_qty, held(&bench)), (Qty::new(100), Qty::new(1_100)));
    bench.list_tagged("N1", order, 200);
    bench.trade("N1", 100, 100_000);
    bench.pass(70);
    assert_eq!(bench.order(order).cum_qty, Qty::new(100), "nor by the list");
}

#[test]
fn f22_a_list_in_which_less_is_filled_than_before_says_nothing() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", order, 200);
    bench.trade("N1", 100, 100_000);
    bench.pass(70);
    assert_eq!(bench.order(order).cum_qty, Qty::new(100));
    let rows = (bench.lists.orders.clone(), bench.lists.trades.clone(), bench.lists.positions.clone());
    bench.lists.orders[0].cum_qty = Qty::ZERO;
    bench.lists.trades.clear();
    bench.lists.positions[0].qty = Qty::new(1_000);
    bench.pass(200);
    assert_eq!((bench.order(order).cum_qty, held(&bench)), (Qty::new(100), Qty::new(1_100)));
    assert!(bench.open().is_empty(), "an old list is no break: {:?}", bench.open());
    (bench.lists.orders, bench.lists.trades, bench.lists.positions) = rows;
    bench.trade("N1", 100, 100_000);
    bench.pass(70);
    assert_eq!((bench.status(order), held(&bench)), ("filled", Qty::new(1_200)));
}

#[test]
fn f32_a_list_that_is_cut_proves_nothing_absent() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.lose(order);
    bench.lists.complete = false;
    // Long enough for the proof that there is no order, and too short to call us blind.
    bench.pass(100);
    assert_eq!(bench.status(order), "in_doubt");
    bench.lists.complete = true;
    bench.list_tagged("N1", order, 100);
    bench.pass(30);
    assert_eq!((bench.status(order), bench.submits(order)), ("new", 1));
}

#[test]
fn f37_after_a_clock_has_jumped_an_id_of_before_is_not_sent_again_and_its_tag_is_looked_for() {
    for (jumps, sent) in [(false, 2), (true, 1)] {
        let mut bench = Bench::at(Level::L3);
        let order = bench.buy(100);
        if jumps {
            bench.tell(AccountInput::ClockJumped { by: Span::from_secs(900) });
        }
        bench.lose(order);
        bench.pass(5);
        assert_eq!(bench.submits(order), sent, "whether the id still lives nobody can tell");
        bench.list_tagged("N1", order, 100);
        bench.lose(order);
        bench.pass(15);
        assert_eq!(bench.status(order), "new");
    }
}
