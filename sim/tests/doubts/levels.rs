//! What each level does with a lost answer.

use signalbox_domain::account::AccountInput;
use signalbox_domain::account::Alarm;
use signalbox_domain::broker::{Level, Report};
use signalbox_domain::order::Side;
use signalbox_domain::reconcile::ParkReason;
use signalbox_domain::units::Span;

use crate::broker::{Bench, no};

#[test]
fn f13_at_l0_a_lost_answer_is_a_persons_at_once() {
    let mut bench = Bench::at(Level::L0);
    let order = bench.buy(100);
    bench.lose(order);
    assert_eq!((bench.status(order), bench.parked(order)), ("parked", Some(ParkReason::NoEvidence)));
    assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::Parked { .. })));
    bench.pass(300);
    assert_eq!((bench.status(order), bench.submits(order)), ("parked", 1), "nothing is sent again");
}

#[test]
fn f13_f19_at_l1_the_one_row_that_two_reads_show_is_bound() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    assert_eq!(bench.submits(order), 1, "upon a valid read");
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.lose(order);
    bench.pass(4);
    assert_eq!(bench.status(order), "in_doubt", "one read is not enough");
    bench.pass(20);
    assert_eq!((bench.status(order), bench.order(order).broker_order_id), ("new", Some(no("N1"))));
    assert!(bench.open().is_empty());
    bench.trade("N1", 100, 99_900);
    bench.pass(61);
    assert_eq!(bench.status(order), "filled");
}

#[test]
fn f13_f34_at_l1_an_order_that_never_shows_is_absent_after_a_minute_and_not_sent_again() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(50);
    assert_eq!(bench.status(order), "in_doubt", "sooner proves nothing");
    bench.pass(30);
    assert_eq!((bench.status(order), bench.submits(order)), ("absent", 1));
}

#[test]
fn f13_at_l1_cash_that_is_held_for_nothing_that_is_listed_forbids_absent() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.lose(order);
    let cash = bench.lists.cash.as_mut().expect("cash");
    cash.available = signalbox_domain::units::Money::from_units(99_000);
    bench.pass(90);
    assert_eq!(bench.parked(order), Some(ParkReason::NotConserved));
    let next = bench.signal(Side::Sell, 100, Some(100_000));
    bench.pass(10);
    assert_eq!((bench.status(next), bench.submits(next)), ("pending_new", 0), "the account is frozen");
}

#[test]
fn f36_at_l1_two_rows_that_could_be_it_are_a_persons() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.list("N2", Side::Buy, 100, 100_000);
    bench.lose(order);
    bench.pass(4);
    assert_eq!(bench.parked(order), Some(ParkReason::ManyCandidates));
}

#[test]
fn f35_at_l1_a_row_of_another_price_or_quantity_or_side_is_a_persons() {
    for (side, qty, px, reason) in [
        (Side::Buy, 200, 100_000, ParkReason::NearMiss),
        (Side::Buy, 100, 100_100, ParkReason::NearMiss),
        (Side::Sell, 100, 100_000, ParkReason::ManualTrade),
    ] {
        let mut bench = Bench::at(Level::L1);
        let order = bench.buy(100);
        bench.list("N1", side, qty, px);
        bench.lose(order);
        bench.pass(4);
        assert_eq!(bench.parked(order), Some(reason), "{side} {qty} {px}");
    }
}

#[test]
fn f13_at_l1_a_buy_and_a_sell_in_doubt_at_once_are_no_trades_by_hand_to_each_other() {
    let mut bench = Bench::at(Level::L1);
    let (buy, sell) = (bench.buy(100), bench.signal(Side::Sell, 100, Some(101_000)));
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.list("N2", Side::Sell, 100, 101_000);
    bench.lose(buy);
    bench.lose(sell);
    bench.pass(20);
    assert_eq!([bench.status(buy), bench.status(sell)], ["new", "new"]);
    assert_eq!([bench.order(buy), bench.order(sell)].map(|o| o.broker_order_id), [Some(no("N1")), Some(no("N2"))]);
}

#[test]
fn f13_at_l1_what_was_listed_before_the_send_is_never_it() {
    let mut bench = Bench::at(Level::L1);
    bench.list("N0", Side::Buy, 100, 100_000);
    bench.pass(61);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(90);
    assert_eq!(bench.status(order), "absent");
}

#[test]
fn f30_at_l1_nothing_is_sent_while_nothing_can_be_read() {
    let mut bench = Bench::at(Level::L1);
    bench.broken = Some("the session is lost");
    bench.pass(30);
    let order = bench.buy(100);
    bench.pass(30);
    assert_eq!(bench.submits(order), 0);
    bench.broken = None;
    bench.pass(10);
    assert_eq!(bench.submits(order), 1);
}

#[test]
fn f30_a_failed_read_is_no_answer_and_a_long_blindness_is_a_persons() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.broken = Some("captcha");
    bench.lose(order);
    bench.pass(100);
    assert_eq!(bench.status(order), "in_doubt");
    bench.pass(30);
    assert_eq!(bench.parked(order), Some(ParkReason::Blind));
    bench.broken = None;
    bench.pass(600);
    assert_eq!(bench.parked(order), Some(ParkReason::Blind), "only a person ends it here");
}

#[test]
fn f30_at_l2_nothing_is_sent_that_could_never_be_proved_absent() {
    let mut bench = Bench::at(Level::L2);
    bench.broken = Some("the session is lost");
    bench.pass(70);
    let order = bench.buy(100);
    bench.pass(30);
    assert_eq!(bench.submits(order), 0);
    bench.broken = None;
    bench.pass(10);
    assert_eq!(bench.submits(order), 1);
}

#[test]
fn f30_an_old_doubt_is_no_persons_because_nobody_looked_while_the_process_was_down() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.lose(order);
    bench.desk.set_clock(bench.desk.at.plus(Span::from_secs(300)));
    bench.desk.restart();
    bench.broken = Some("the session opens");
    bench.pass(1);
    assert_eq!(bench.status(order), "in_doubt");
    bench.broken = None;
    bench.pass(90);
    assert_eq!(bench.status(order), "absent");
}

#[test]
fn f13_at_l2_the_row_with_our_tag_is_bound_at_once_whatever_else_looks_like_it() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.list_tagged("N2", order, 100);
    bench.lose(order);
    bench.pass(4);
    assert_eq!((bench.status(order), bench.order(order).broker_order_id), ("new", Some(no("N2"))));
    assert_eq!(bench.submits(order), 1);
}

#[test]
fn f13_at_l2_our_tag_on_another_order_is_a_persons() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.list_tagged("N1", order, 200);
    bench.lose(order);
    bench.pass(4);
    assert_eq!(bench.parked(order), Some(ParkReason::NearMiss));
}

#[test]
fn f13_at_l2_absent_only_by_the_full_proof_and_never_sent_again() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(55);
    assert_eq!(bench.status(order), "in_doubt");
    bench.pass(30);
    assert_eq!((bench.status(order), bench.submits(order)), ("absent", 1));
}

#[test]
fn f13_at_l3_the_same_id_is_sent_again_while_the_broker_enforces_it() {
    let mut bench = Bench::at(Level::L3);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(1);
    assert_eq!((bench.submits(order), bench.status(order)), (2, "pending_new"));
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    assert_eq!(bench.status(order), "new");
    assert!(bench.open().is_empty());
}

#[test]
fn f13_at_l3_an_order_that_never_shows_is_absent_after_three_sends_and_the_full_proof() {
    let mut bench = Bench::at(Level::L3);
    let order = bench.buy(100);
    for _ in 0..3 {
        bench.lose(order);
        bench.pass(3);
    }
    assert_eq!((bench.submits(order), bench.status(order)), (3, "in_doubt"));
    bench.pass(80);
    assert_eq!((bench.submits(order), bench.status(order)), (3, "absent"));
}

#[test]
fn f13_at_l3_a_send_without_a_read_before_it_is_a_persons_only_when_its_id_has_lapsed() {
    let mut bench = Bench::at(Level::L3);
    bench.broken = Some("the session is lost");
    bench.desk.restart();
    bench.run();
    let order = bench.buy(100);
    bench.pass(100);
    assert_eq!(bench.submits(order), 0, "the first lists of a life are waited for");
    bench.pass(100);
    bench.broken = None;
    for _ in 0..5 {
        bench.lose(order);
        bench.pass(3);
    }
    assert_eq!((bench.submits(order), bench.status(order)), (6, "pending_new"), "only the same id can settle it");
    bench.pass(8 * 60);
    bench.lose(order);
    bench.pass(30);
    assert_eq!((bench.submits(order), bench.parked(order)), (6, Some(ParkReason::NoBaseline)));
}

#[test]
fn f13_at_l3_what_was_sent_while_nothing_could_be_read_is_proved_absent_by_an_old_read() {
    let mut bench = Bench::at(Level::L3);
    bench.broken = Some("the session is lost");
    bench.pass(300);
    let order = bench.buy(100);
    assert_eq!(bench.submits(order), 1);
    bench.desk.restart();
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    bench.broken = None;
    bench.pass(200);
    assert_eq!((bench.status(order), bench.submits(order)), ("absent", 1));
}

#[test]
fn f13_at_l3_an_id_that_may_have_lapsed_is_never_sent_again_and_its_tag_is_looked_for() {
    let mut bench = Bench::at(Level::L3);
    let order = bench.buy(100);
    bench.pass(8 * 60 + 1);
    bench.list_tagged("N1", order, 100);
    bench.lose(order);
    bench.pass(30);
    assert_eq!((bench.submits(order), bench.status(order)), (1, "new"));
}

#[test]
fn f11_what_was_on_its_way_at_a_restart_is_in_doubt_and_found_by_the_same_reads() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.pass(1);
    bench.desk.restart();
    bench.run();
    assert_eq!(bench.status(order), "in_doubt");
    bench.pass(30);
    assert_eq!((bench.status(order), bench.submits(order)), ("new", 1));
}

#[test]
fn f13_a_doubt_holds_back_its_symbol_and_side_below_l3_also_when_parked() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.list_tagged("N1", order, 200);
    bench.lose(order);
    bench.pass(4);
    let (same, other) = (bench.buy(300), bench.signal(Side::Sell, 100, Some(101_000)));
    bench.pass(5);
    assert_eq!((bench.submits(same), bench.submits(other)), (0, 1));
    assert!(bench.desk.risk.reserved_cash(&crate::broker::account()).is_positive());
}

#[test]
fn f04_a_refusal_of_what_was_sent_again_says_nothing_of_the_first_one() {
    for level in [Level::L3, Level::L4] {
        let mut bench = Bench::at(level);
        let order = bench.buy(100);
        bench.lose(order);
        if level == Level::L4 {
            bench.say(order, Report::NotFound);
        }
        bench.pass(1);
        assert_eq!(bench.submits(order), 2, "{level:?}");
        bench.say(order, Report::Rejected { text: "too fast".into() });
        assert_eq!(bench.status(order), "in_doubt", "{level:?}");
        bench.pass(10);
        assert_eq!(bench.submits(order), 2, "{level:?}: it is not wanted any more");
        // The first one was on the way all the time.
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        assert_eq!((bench.status(order), bench.cancels()), ("pending_cancel", 1), "{level:?}");
    }
}
