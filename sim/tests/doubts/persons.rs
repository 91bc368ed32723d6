//! What a person can decide about a doubt.

use signalbox_domain::account::{AccountInput, Resolution, Unresolvable};
use signalbox_domain::broker::{Level, Report};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::StrategyId;
use signalbox_domain::order::{OrderFact, Side};
use signalbox_domain::reconcile::ParkReason;
use signalbox_domain::reconcile::exception::ExceptionKind;
use signalbox_domain::risk::RiskInput;
use signalbox_domain::units::{Qty, TradeDate};

use crate::broker::{Bench, account, no, symbol};

fn parked() -> (Bench, signalbox_domain::ids::OrderId) {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(100);
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.list("N2", Side::Buy, 100, 100_000);
    bench.lose(order);
    bench.pass(4);
    assert_eq!(bench.status(order), "parked");
    (bench, order)
}

#[test]
fn this_one_binds_the_order_and_tells_who_said_so() {
    let (mut bench, order) = parked();
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N2"))), Ok(()));
    assert_eq!((bench.status(order), bench.order(order).broker_order_id), ("new", Some(no("N2"))));
    let exception = bench.exceptions().into_iter().find(|e| e.order == Some(order)).expect("a row");
    let decision = exception.decision.expect("a decision");
    assert_eq!((&*decision.what, &*decision.by), ("bind", "ann"));
    assert_eq!(exception.evidence.candidates.len(), 2, "with what he saw");
    bench.trade("N2", 100, 100_000);
    bench.pass(70);
    assert_eq!(bench.status(order), "filled");
}

#[test]
fn not_sent_ends_it_as_absent() {
    let (mut bench, order) = parked();
    assert_eq!(bench.resolve(order, Resolution::Absent), Ok(()));
    assert_eq!(bench.status(order), "absent");
    assert!(bench.desk.risk.reserved_cash(&account()).is_zero());
}

#[test]
fn mine_takes_the_rows_away_and_the_looking_goes_on() {
    let (mut bench, order) = parked();
    assert_eq!(bench.resolve(order, Resolution::External), Ok(()));
    assert_eq!(bench.status(order), "in_doubt");
    bench.pass(90);
    // The rows hold cash, and the list says so: what is left agrees with the order not being there.
    bench.lists.cash = bench.lists.cash.take().map(|mut cash| {
        cash.available = signalbox_domain::units::Money::from_units(98_000);
        cash
    });
    bench.pass(30);
    assert!(["absent", "parked"].contains(&bench.status(order)));
}

#[test]
fn what_cannot_be_is_refused() {
    let (mut bench, order) = parked();
    bench.list("N3", Side::Sell, 100, 100_000);
    bench.pass(61);
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N3"))), Err(Unresolvable::Unfit(no("N3"))));
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
    assert_eq!(bench.resolve(order, Resolution::Absent), Err(Unresolvable::NotInDoubt));
    let other = bench.signal(Side::Sell, 100, Some(101_000));
    bench.pass(15);
    bench.lose(other);
    assert_eq!(bench.resolve(other, Resolution::Bind(no("N1"))), Err(Unresolvable::Unfit(no("N1"))));
}

#[test]
fn numbers_that_the_broker_mixed_up_are_put_right_one_after_the_other() {
    for (first, dies) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut bench = Bench::at(Level::L1);
        let orders = [bench.buy(100), bench.signal(Side::Sell, 200, Some(101_000))];
        bench.list("N1", Side::Buy, 100, 100_000);
        bench.list("N2", Side::Sell, 200, 101_000);
        // Each was told the other's number; the rows show it.
        bench.say(orders[0], Report::Accepted { broker_order_id: no("N2") });
        bench.say(orders[1], Report::Accepted { broker_order_id: no("N1") });
        bench.pass(61);
        assert_eq!(orders.map(|order| bench.status(order)), ["parked", "parked"]);
        if dies {
            bench.desk.restart();
        }
        for n in [first, 1 - first] {
            assert_eq!(bench.resolve(orders[n], Resolution::Bind(no(["N1", "N2"][n]))), Ok(()), "{n} after {first}");
        }
        bench.tell(AccountInput::Connected);
        bench.trade("N1", 100, 100_000);
        bench.trade("N2", 200, 101_000);
        bench.pass(70);
        assert_eq!(orders.map(|order| bench.status(order)), ["filled", "filled"]);
    }
}

#[test]
fn a_late_answer_of_the_broker_ends_a_park_by_itself() {
    let (mut bench, order) = parked();
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    assert_eq!(bench.status(order), "new");
    assert!(bench.open().is_empty());
    let facts = bench.desk.journal.iter().flat_map(|entry| &entry.events);
    let parked = facts
        .filter(|event| matches!(event, signalbox_domain::event::Event::Order { fact: OrderFact::Parked { .. }, .. }));
    assert_eq!(parked.count(), 1);
}

#[test]
fn an_order_that_is_permitted_no_more_is_not_sent_again_at_l3() {
    let mut bench = Bench::at(Level::L3);
    let order = bench.buy(100);
    let (scope, state) = (Scope::Global, TradingState::Halted);
    bench.desk.tell_risk(RiskInput::SetTradingState { scope, state, who: "ann".into(), reason: "news".into() });
    bench.run();
    bench.lose(order);
    bench.pass(30);
    assert_eq!(bench.submits(order), 1);
}

/// A broker that calls a partly filled order canceled as a whole: nobody can tell what became of the cancel.
fn parked_cancel() -> (Bench, signalbox_domain::ids::OrderId) {
    let (mut bench, order) = Bench::with_a_cancel_that_the_lists_contradict();
    bench.pass(160);
    assert_eq!(bench.status(order), "parked");
    (bench, order)
}

#[test]
fn f24_a_person_says_what_became_of_a_cancel() {
    for (resolution, status) in [(Resolution::Canceled, "canceled"), (Resolution::Works, "partially_filled")] {
        let (mut bench, order) = parked_cancel();
        for unfit in [Resolution::Bind(no("N1")), Resolution::Absent, Resolution::External] {
            assert_eq!(bench.resolve(order, unfit), Err(Unresolvable::OnlyCancel));
        }
        assert_eq!(bench.resolve(order, resolution.clone()), Ok(()));
        assert_eq!(bench.status(order), status);
        let exception = bench.exceptions().into_iter().find(|e| e.order == Some(order)).expect("a row");
        assert_eq!(&*exception.decision.expect("a decision").by, "ann");
        assert_eq!(bench.resolve(order, resolution), Err(Unresolvable::NotInDoubt));
    }
    let (mut bench, order) = parked();
    assert_eq!(bench.resolve(order, Resolution::Canceled), Err(Unresolvable::NoCancel));
}

#[test]
fn a_number_that_comes_again_the_next_day_is_another_order() {
    let mut bench = Bench::at(Level::L1);
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.pass(30);
    bench.trade("N1", 100, 100_000);
    bench.pass(120);
    let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
    bench.desk.set_clock(china_instant(day, 9, 31, 0));
    bench.tell(AccountInput::DayStart(day));
    bench.lists.orders.clear();
    bench.lists.trades.clear();
    bench.lists.trade_date = day;
    bench.pass(60);
    bench.list("N1", Side::Buy, 200, 100_000);
    bench.pass(90);
    bench.trade("N1", 200, 100_000);
    bench.pass(120);
    let by_hand = bench.exceptions().into_iter().filter(|e| e.kind == ExceptionKind::External).count();
    let book = bench.desk.ledgers.get(&account()).and_then(|ledger| ledger.book(symbol(), &StrategyId::external()));
    assert_eq!((by_hand, book.map(|book| book.qty)), (2, Some(Qty::new(300))));
}

#[test]
fn f15_a_number_binds_one_order_at_every_level_and_only_one_that_it_fits() {
    let mut bench = Bench::at(Level::L4);
    let (first, second) = (bench.buy(100), bench.signal(Side::Buy, 200, Some(100_000)));
    bench.say(first, Report::Accepted { broker_order_id: no("N1") });
    bench.lose(second);
    assert_eq!(bench.resolve(second, Resolution::Bind(no("N1"))), Err(Unresolvable::Claimed(no("N1"))));

    let (mut bench, order) = parked();
    bench.list("N7", Side::Buy, 700, 100_000);
    bench.pass(61);
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N7"))), Err(Unresolvable::Unfit(no("N7"))));
}

#[test]
fn f67_at_l4_a_doubt_that_crosses_the_day_is_a_persons() {
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(100);
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    bench.lose(order);
    let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
    bench.desk.set_clock(china_instant(day, 9, 31, 0));
    bench.tell(AccountInput::DayStart(day));
    for _ in 0..4 {
        bench.say(order, Report::NotFound);
        bench.pass(40);
    }
    assert_eq!(bench.parked(order), Some(ParkReason::DayOver));
}

#[test]
fn f67_what_a_person_binds_after_its_day_is_not_cancelled_any_more_and_never_absent() {
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(100);
    bench.lose(order);
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
    bench.desk.set_clock(china_instant(day, 9, 31, 0));
    bench.tell(AccountInput::DayStart(day));
    bench.say(order, Report::NotFound);
    assert_eq!(bench.parked(order), Some(ParkReason::DayOver));
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
    assert_eq!(bench.cancels(), 0);
    bench.lists.trade_date = day;
    bench.pass(60);
    assert_eq!((bench.status(order), bench.cancels()), ("expired", 0));
}

#[test]
fn f67_what_came_on_the_next_day_only_and_is_bound_to_its_row_works_on_that_day() {
    for restarted in [false, true] {
        let mut bench = Bench::at(Level::L1);
        let order = bench.buy(100);
        bench.lose(order);
        let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
        bench.desk.set_clock(china_instant(day, 9, 31, 0));
        bench.tell(AccountInput::DayStart(day));
        bench.lists.trade_date = day;
        bench.list("N1", Side::Buy, 100, 100_000);
        bench.pass(60);
        assert_eq!(bench.status(order), "parked");
        assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
        if restarted {
            bench.desk.restart();
        }
        bench.pass(120);
        assert_eq!(bench.status(order), "new", "restarted: {restarted}");
        let by_hand = bench.exceptions().into_iter().filter(|e| e.kind == ExceptionKind::External).count();
        assert_eq!(by_hand, 0, "its row is nobody else's");
        bench.trade("N1", 100, 100_000);
        bench.pass(120);
        assert_eq!(bench.status(order), "filled");
    }
}

#[test]
fn f67_a_cancel_that_finds_no_order_on_the_next_day_proves_nothing() {
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(100);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    assert_eq!(bench.cancels(), 1);
    bench.broken = Some("the terminal is off");
    let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
    bench.desk.set_clock(china_instant(day, 9, 31, 0));
    bench.tell(AccountInput::DayStart(day));
    for _ in 0..4 {
        bench.say(order, Report::NotFound);
        bench.pass(60);
    }
    assert_eq!(bench.parked(order), Some(ParkReason::DayOver));
}

#[test]
fn f28_what_a_person_bound_with_less_than_was_sent_is_known_under_its_first_number_again() {
    for restarted in [false, true] {
        let mut bench = Bench::at(Level::L1);
        let order = bench.buy(400);
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        // The terminal made less of it, and was restarted since.
        bench.list("N1", Side::Buy, 300, 100_000);
        bench.trade("N1", 300, 100_000);
        bench.renumber("X");
        bench.pass(90);
        assert_eq!(bench.status(order), "parked");
        assert_eq!(bench.resolve(order, Resolution::Bind(no("XN1"))), Ok(()));
        bench.pass(70);
        assert_eq!((bench.status(order), bench.order(order).cum_qty), ("canceled", Qty::new(300)));
        if restarted {
            bench.desk.restart();
        }
        bench.lists.orders[0].no = no("N1");
        bench.lists.trades[0].no = no("N1");
        bench.pass(130);
        let held = bench.desk.ledgers.get(&account()).map(|ledger| ledger.holding(symbol()).qty);
        assert_eq!(held, Some(Qty::new(1_300)), "restarted: {restarted}");
        assert!(bench.exceptions().iter().all(|e| e.kind != ExceptionKind::External), "it is nobody else's");
        // The test's broker does not take its money off.
        assert_eq!(bench.open(), ["break:cash"]);
    }
}

#[test]
fn f67_an_order_of_yesterday_whose_fill_is_told_this_morning_does_not_work_on_for_it() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(200);
    bench.lose(order);
    let traded_at = bench.desk.at;
    let day = TradeDate::from_yyyymmdd(20_250_304).expect("a date");
    bench.desk.set_clock(china_instant(day, 9, 31, 0));
    bench.tell(AccountInput::DayStart(day));
    bench.lists.trade_date = day;
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    let exec_id = signalbox_domain::ids::ExecId("E1".into());
    let px = signalbox_domain::units::Price::from_e4(100_000);
    bench.say(order, Report::Filled { exec_id, qty: Qty::new(100), px, at: traded_at });
    assert_eq!(bench.status(order), "partially_filled");
    bench.lists.positions[0].qty += Qty::new(100);
    bench.pass(180);
    assert_eq!((bench.status(order), bench.parked(order)), ("parked", Some(ParkReason::NumbersVanished)));
}
