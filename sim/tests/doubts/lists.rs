//! What reads show beside doubts: acknowledged orders that are not there, rows of others, ghosts, breaks.

use signalbox_domain::account::{AccountInput, Alarm, Resolution, Settlement, Unsettleable};
use signalbox_domain::broker::{Level, ListedStatus, Report};
use signalbox_domain::ids::{ExecId, StrategyId};
use signalbox_domain::order::Side;
use signalbox_domain::reconcile::ParkReason;
use signalbox_domain::reconcile::exception::ExceptionKind;
use signalbox_domain::units::{Money, Price, Qty, Span, TradeDate};

use crate::broker::{Bench, no, symbol};

#[test]
fn f17_an_order_that_was_acknowledged_and_is_in_no_list_is_in_doubt_and_then_absent() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.pass(29);
    assert_eq!(bench.status(order), "new");
    bench.pass(15);
    assert_eq!(bench.status(order), "in_doubt");
    bench.pass(90);
    assert_eq!(bench.status(order), "absent");
}

#[test]
fn f17_an_acknowledged_order_that_shows_late_goes_on() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.pass(45);
    assert_eq!(bench.status(order), "in_doubt");
    bench.list_tagged("N1", order, 100);
    bench.pass(20);
    assert_eq!(bench.status(order), "new");
    assert!(bench.open().is_empty());
}

#[test]
fn f17_at_l4_an_order_that_was_acknowledged_and_is_not_listed_is_looked_up_and_absent_after_a_minute_of_lookups() {
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(100);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.pass(45);
    assert_eq!((bench.status(order), bench.finds()), ("in_doubt", 1));
    for _ in 0..7 {
        assert_eq!(bench.status(order), "in_doubt");
        bench.say(order, Report::NotFound);
        bench.pass(10);
    }
    assert_eq!((bench.status(order), bench.open().len()), ("absent", 0));
}

#[test]
fn f17_at_l4_a_lookup_that_finds_it_ends_the_doubt() {
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(100);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.pass(45);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.pass(100);
    assert_eq!((bench.status(order), bench.finds()), ("new", 1));
}

#[test]
fn f33_at_l4_one_lookup_without_the_order_proves_nothing_while_it_may_wait_at_the_door() {
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(100);
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    bench.lose(order);
    bench.say(order, Report::NotFound);
    assert_eq!((bench.status(order), bench.submits(order)), ("in_doubt", 1));
    bench.pass(10);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    assert_eq!((bench.status(order), bench.cancels()), ("pending_cancel", 1));
}

#[test]
fn f17_what_cannot_be_read_says_nothing_of_an_acknowledged_order() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.broken = Some("captcha");
    bench.pass(600);
    assert_eq!(bench.status(order), "new");
}

#[test]
fn f21_fills_are_booked_once_from_the_list_and_the_answer() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", order, 200);
    bench.trade("N1", 100, 99_900);
    bench.pass(20);
    assert_eq!(bench.order(order).cum_qty, Qty::new(100));
    let trade = bench.lists.trades[0].clone();
    bench.say(order, Report::Filled { exec_id: trade.exec_id, qty: trade.qty, px: trade.px, at: trade.at });
    assert_eq!(bench.order(order).cum_qty, Qty::new(100));
}

#[test]
fn f24_a_cancel_whose_answer_is_lost_is_settled_by_the_order_as_it_is_listed() {
    for canceled in [true, false] {
        let mut bench = Bench::at(Level::L2);
        let order = bench.buy(200);
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        bench.list_tagged("N1", order, 200);
        bench.pass(20);
        bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
        if canceled {
            let row = &mut bench.lists.orders[0];
            row.canceled_qty = row.qty;
            row.status = ListedStatus::Canceled;
        }
        bench.lose(order);
        bench.pass(15);
        let expected = if canceled { ("canceled", 1) } else { ("pending_cancel", 2) };
        assert_eq!((bench.status(order), bench.cancels()), expected);
    }
}

#[test]
fn f24_a_cancel_that_is_never_answered_is_not_repeated_without_end() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", order, 200);
    bench.pass(20);
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    let mut sent = 0;
    for _ in 0..300 {
        if bench.cancels() > sent {
            sent = bench.cancels();
            bench.lose(order);
        }
        bench.pass(1);
    }
    assert_eq!(bench.parked(order), Some(ParkReason::CancelUnanswered));
    assert!((3..=8).contains(&sent), "{sent} cancels");
    // What the list shows in the end needs no person.
    let row = &mut bench.lists.orders[0];
    (row.canceled_qty, row.status) = (row.qty, ListedStatus::Canceled);
    bench.pass(65);
    assert_eq!(bench.status(order), "canceled");
}

#[test]
fn f27_an_unknown_word_for_canceled_is_read_by_its_numbers() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", order, 200);
    bench.trade("N1", 100, 99_900);
    let row = &mut bench.lists.orders[0];
    row.canceled_qty = Qty::new(100);
    row.status = ListedStatus::Unknown;
    bench.pass(15);
    assert_eq!((bench.status(order), bench.order(order).cum_qty), ("canceled", Qty::new(100)));
}

#[test]
fn f28_numbers_that_vanish_make_the_read_invalid_and_a_doubt_a_persons() {
    let mut bench = Bench::at(Level::L1);
    bench.list("N0", Side::Buy, 300, 99_000);
    bench.pass(61);
    let order = bench.buy(100);
    bench.lists.orders.clear();
    bench.lose(order);
    bench.pass(150);
    assert_eq!(bench.parked(order), Some(ParkReason::NumbersVanished));
}

#[test]
fn f28_orders_under_other_numbers_are_known_by_all_else_and_booked_once() {
    for restarted in [false, true] {
        let mut bench = Bench::at(Level::L1);
        bench.list("H1", Side::Sell, 100, 100_000);
        let order = bench.buy(200);
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        bench.list("N1", Side::Buy, 200, 100_000);
        bench.trade("N1", 100, 99_900);
        bench.trade("H1", 100, 100_000);
        bench.pass(61);
        if restarted {
            bench.desk.restart();
        }
        bench.renumber("X");
        bench.trade("XN1", 50, 99_900);
        bench.pass(61);
        assert_eq!((bench.order(order).cum_qty, bench.order(order).broker_order_id), (Qty::new(150), Some(no("N1"))));
        let external = bench.exceptions().into_iter().filter(|e| e.kind == ExceptionKind::External).count();
        assert_eq!((external, bench.open().len()), (1, 0), "restarted: {restarted}");
        let held = bench.desk.ledgers.get(&crate::broker::account()).expect("a ledger").holding(symbol()).qty;
        assert_eq!(held, Qty::new(1_050));
    }
}

#[test]
fn f28_at_l2_our_tag_tells_under_which_number_an_order_is_listed_now() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", order, 200);
    bench.renumber("X");
    bench.trade("XN1", 200, 99_900);
    bench.pass(61);
    assert_eq!((bench.status(order), bench.exceptions().len()), ("filled", 0));
}

#[test]
fn f28_numbers_that_could_be_two_orders_freeze_the_account_until_they_are_back() {
    let mut bench = Bench::at(Level::L1);
    // One is ours, the other one a person's.
    let ours = bench.buy(100);
    bench.say(ours, Report::Accepted { broker_order_id: no("H1") });
    bench.list("H1", Side::Buy, 100, 100_000);
    bench.list("H2", Side::Buy, 100, 100_000);
    bench.pass(61);
    bench.renumber("X");
    bench.pass(61);
    assert!(bench.open().is_empty(), "once may be a row that comes late");
    bench.pass(61);
    assert_eq!(bench.open(), ["reads"]);
    let order = bench.buy(100);
    assert_eq!(bench.submits(order), 0);
    for (row, number) in bench.lists.orders.iter_mut().zip(["H1", "H2"]) {
        row.no = no(number);
    }
    bench.pass(61);
    assert_eq!((bench.open().len(), bench.submits(order)), (0, 1));
}

#[test]
fn f15_at_l1_the_number_of_another_order_is_found_out_and_nothing_of_it_is_booked() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(200);
    // Somebody bought by hand just before, and the terminal's answer shows his number.
    bench.list("H1", Side::Buy, 100, 100_000);
    bench.list("N2", Side::Buy, 200, 100_000);
    bench.say(order, Report::Accepted { broker_order_id: no("H1") });
    let (exec_id, at) = (ExecId("E1".into()), bench.desk.at);
    bench.say(order, Report::Filled { exec_id, qty: Qty::new(100), px: Price::from_e4(100_000), at });
    assert_eq!(bench.order(order).cum_qty, Qty::ZERO, "a number alone says too little");
    bench.pass(4);
    assert_eq!(bench.status(order), "parked", "two rows are there, and one was named");
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N2"))), Ok(()));
    bench.trade("N2", 200, 100_000);
    bench.trade("H1", 100, 100_000);
    bench.pass(61);
    assert_eq!((bench.status(order), bench.order(order).cum_qty), ("filled", Qty::new(200)));
    let held = bench.desk.ledgers.get(&crate::broker::account()).expect("a ledger").holding(symbol()).qty;
    assert_eq!(held, Qty::new(1_300));
}

#[test]
fn f26_a_trade_that_was_taken_back_leaves_a_cancel_in_doubt_to_a_person() {
    let (mut bench, order) = Bench::with_a_cancel_that_the_lists_contradict();
    bench.pass(100);
    assert_eq!(bench.status(order), "in_doubt");
    bench.pass(60);
    assert_eq!(bench.parked(order), Some(ParkReason::NotConserved));
}

#[test]
fn f29_another_account_on_the_screen_freezes_the_account_until_it_is_ours_again() {
    let mut bench = Bench::at(Level::L2);
    bench.lists.fund_account = Some("990002".into());
    bench.pass(61);
    assert_eq!(bench.open(), ["reads"]);
    let order = bench.buy(100);
    assert_eq!(bench.submits(order), 0);
    bench.lists.fund_account = Some("880001".into());
    bench.pass(61);
    assert_eq!((bench.submits(order), bench.open().len()), (1, 0));
}

#[test]
fn f33_a_row_that_fits_an_absent_order_freezes_the_account_and_is_never_bound() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(90);
    assert_eq!(bench.status(order), "absent");
    bench.list("N9", Side::Buy, 100, 100_000);
    bench.pass(61);
    assert_eq!(bench.status(order), "absent");
    assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::Ghost { .. })));
    let next = bench.signal(Side::Sell, 100, Some(100_000));
    bench.pass(15);
    assert_eq!(bench.submits(next), 0);
}

#[test]
fn f35_a_row_that_nobody_here_sent_is_a_persons_own_and_stays_so_after_a_restart() {
    let mut bench = Bench::at(Level::L2);
    bench.list("H1", Side::Buy, 100, 100_000);
    bench.pass(61);
    let external = || bench.exceptions().into_iter().filter(|e| e.kind == ExceptionKind::External).count();
    assert_eq!(external(), 1);
    bench.desk.restart();
    bench.run();
    bench.pass(61);
    assert_eq!(bench.exceptions().len(), 1, "and it is told once");
}

#[test]
fn f15_a_number_that_another_order_has_is_no_answer() {
    let mut bench = Bench::at(Level::L2);
    let first = bench.buy(100);
    bench.say(first, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", first, 100);
    bench.pass(10);
    let second = bench.buy(200);
    bench.say(second, Report::Accepted { broker_order_id: no("N1") });
    assert_eq!(bench.status(second), "in_doubt");
    bench.list_tagged("N2", second, 200);
    bench.pass(15);
    assert_eq!((bench.status(second), bench.order(second).broker_order_id), ("new", Some(no("N2"))));
}

#[test]
fn f58_an_empty_list_of_positions_deletes_nothing_and_freezes_the_account() {
    let mut bench = Bench::at(Level::L2);
    bench.lists.positions.clear();
    bench.pass(600);
    assert_eq!(bench.open(), ["break:bulk"]);
    let books = bench.desk.ledgers.get(&crate::broker::account()).expect("a ledger");
    assert_eq!(books.holding(crate::broker::symbol()).qty, Qty::new(1_000));
    let order = bench.buy(100);
    assert_eq!(bench.submits(order), 0);
}

#[test]
fn f59_a_position_that_nothing_explains_freezes_its_symbol_until_it_agrees() {
    let mut bench = Bench::at(Level::L2);
    bench.lists.positions[0].qty = Qty::new(900);
    bench.pass(600);
    assert_eq!(bench.open(), ["break:600000.SH"]);
    let order = bench.buy(100);
    assert_eq!(bench.submits(order), 0);
    bench.lists.positions[0].qty = Qty::new(1_000);
    bench.pass(600);
    assert_eq!((bench.open().len(), bench.submits(order)), (0, 1));
}

#[test]
fn f67_a_doubt_never_ends_with_its_day() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.broken = Some("the terminal is off");
    bench.lose(order);
    bench.broken = None;
    bench.lists.trade_date = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
    let tuesday = signalbox_domain::calendar::china_instant(bench.lists.trade_date, 9, 0, 0);
    bench.desk.set_clock(tuesday);
    bench.desk.start_day();
    bench.run();
    bench.pass(30);
    assert_eq!(bench.status(order), "parked");
    assert!(bench.desk.risk.reserved_cash(&crate::broker::account()).is_positive());
}

#[test]
fn f22_filled_without_a_count_is_not_canceled() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", order, 200);
    bench.lists.orders[0].status = ListedStatus::Filled;
    bench.pass(61);
    assert_eq!(bench.status(order), "new");
    bench.trade("N1", 200, 100_000);
    bench.pass(61);
    assert_eq!((bench.status(order), bench.order(order).cum_qty), ("filled", Qty::new(200)));
}

#[test]
fn f28_at_l1_an_order_whose_cancel_is_in_doubt_may_be_listed_under_another_number_and_is_not_a_persons() {
    let mut bench = Bench::at(Level::L1);
    // The broker's clock is ten minutes behind.
    let bench_start = bench.desk.at.plus(Span::from_secs(-600));
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    bench.lose(order);
    bench.list("9N1", Side::Buy, 200, 100_000).at = bench_start;
    bench.trade("9N1", 200, 100_000);
    bench.pass(400);
    let by_hand = bench.exceptions().into_iter().filter(|e| e.kind == ExceptionKind::External).count();
    assert_eq!(by_hand, 0);
    assert!(["in_doubt", "parked"].contains(&bench.status(order)), "{}", bench.status(order));
}

#[test]
fn f33_f38_a_row_that_is_older_by_a_clock_that_was_set_is_a_ghost_all_the_same() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(90);
    assert_eq!(bench.status(order), "absent");
    let before = bench.desk.at.plus(Span::from_secs(-600));
    bench.list("N1", Side::Buy, 100, 100_000).at = before;
    bench.pass(61);
    assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::Ghost { .. })));
}

#[test]
fn f33_an_absent_order_that_trades_is_told_and_its_row_is_nobodys_own() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(90);
    assert_eq!(bench.status(order), "absent");
    bench.list_tagged("N1", order, 100);
    bench.pass(61);
    assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::Ghost { .. })));
    bench.trade("N1", 100, 100_000);
    let (exec_id, at) = (bench.lists.trades[0].exec_id.clone(), bench.desk.at);
    bench.say(order, Report::Filled { exec_id, qty: Qty::new(100), px: Price::from_e4(100_000), at });
    assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::CameBack { .. })));
    let ghost = bench.exceptions().into_iter().find(|e| e.kind == ExceptionKind::Ghost).expect("a ghost");
    assert_eq!(bench.settle(&ghost.key, Settlement::External), Err(Unsettleable::Changed));
    bench.pass(61);
    assert!(bench.open().is_empty(), "it is over, and booked: {:?}", bench.open());
    let held = bench.desk.ledgers.get(&crate::broker::account()).expect("a ledger").holding(symbol()).qty;
    assert_eq!(held, Qty::new(1_100));
}

#[test]
fn rows_of_orders_that_are_not_kept_any_more_are_no_trades_by_hand() {
    let mut bench = Bench::at(Level::L2);
    let first = bench.buy(100);
    bench.say(first, Report::Accepted { broker_order_id: no("N1") });
    bench.list_tagged("N1", first, 100);
    bench.trade("N1", 100, 100_000);
    bench.lists.cash.as_mut().expect("cash").available = Money::from_units(99_000);
    bench.pass(70);
    assert_eq!(bench.status(first), "filled");
    // More than are remembered end after it.
    let (mut ended, mut n) = (0, 0);
    while ended < 8_300 {
        n += 1;
        let order = bench.signal(Side::Buy, 100, Some(100_000 - (n % 60) * 100));
        if bench.submits(order) == 1 {
            ended += 1;
            bench.say(order, Report::Rejected { text: "no".into() });
        }
        bench.desk.set_clock(bench.desk.at.plus(Span::from_ms(250)));
        bench.run();
        bench.desk.alarms.clear();
    }
    for restarted in [false, true] {
        if restarted {
            bench.desk.restart();
            bench.tell(AccountInput::Connected);
        }
        bench.pass(200);
        let ledger = bench.desk.ledgers.get(&crate::broker::account()).expect("a ledger");
        assert_eq!(ledger.holding(symbol()).qty, bench.lists.positions[0].qty, "restarted: {restarted}");
        assert!(ledger.book(symbol(), &StrategyId::external()).is_none(), "restarted: {restarted}");
    }
}

#[test]
fn f33_an_acknowledged_order_that_was_proved_absent_and_is_listed_later_is_a_ghost() {
    for level in [Level::L1, Level::L2] {
        let mut bench = Bench::at(level);
        let order = bench.buy(100);
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        bench.pass(200);
        assert_eq!(bench.status(order), "absent", "{level:?}");
        match level {
            Level::L1 => _ = bench.list("N1", Side::Buy, 100, 100_000),
            _ => bench.list_tagged("N1", order, 100),
        }
        bench.pass(61);
        assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::Ghost { .. })), "{level:?}");
        let next = bench.buy(200);
        assert_eq!(bench.submits(next), 0, "{level:?}: the account is frozen");
    }
}

#[test]
fn lists_that_a_person_wants_are_read_at_once_and_nothing_is_sent_for_them() {
    for (wanted, status) in [(false, "new"), (true, "filled")] {
        let mut bench = Bench::at(Level::L2);
        let order = bench.buy(100);
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        bench.list_tagged("N1", order, 100);
        bench.pass(70);
        assert_eq!(bench.status(order), "new");
        bench.trade("N1", 100, 100_000);
        if wanted {
            bench.tell(AccountInput::Refresh);
            bench.tell(AccountInput::Refresh);
        }
        bench.pass(12);
        assert_eq!((bench.status(order), bench.submits(order)), (status, 1));
    }
}
