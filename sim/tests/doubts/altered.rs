//! F18: under our mark the broker has another order than the one that was sent.

use signalbox_domain::account::{AccountInput, Alarm, Resolution, Settlement, Unresolvable};
use signalbox_domain::broker::{Level, ListedStatus, Report};
use signalbox_domain::ids::{ExecId, OrderId, StrategyId};
use signalbox_domain::order::Side;
use signalbox_domain::reconcile::ParkReason;
use signalbox_domain::reconcile::exception::ExceptionKind;
use signalbox_domain::reconcile::matching::Field;
use signalbox_domain::units::{Price, Qty};

use crate::broker::{Bench, account, no, symbol, tag};

const MARKED: [Level; 3] = [Level::L2, Level::L3, Level::L4];

/// A buy of 200 at 10 yuan that was acknowledged as N1, and what the broker lists of it.
fn listed_as(level: Level, side: Side, qty: i64, px: i64) -> (Bench, OrderId) {
    let mut bench = Bench::at(level);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.list("N1", side, qty, px).tag = Some(order.client_order_id(tag()).as_str().into());
    (bench, order)
}

fn held_by(bench: &Bench, book: &str) -> i64 {
    let ledger = bench.desk.ledgers.get(&account()).expect("an open account");
    ledger.book(symbol(), &StrategyId::parse(book).expect("a name")).map_or(0, |book| book.qty.get())
}

/// What is open beside the cash, which this broker does not move.
fn open(bench: &Bench) -> Vec<String> {
    bench.open().into_iter().filter(|key| key != "break:cash").collect()
}

#[test]
fn f18_another_side_quantity_or_limit_under_our_mark_is_a_persons_with_the_row_as_evidence() {
    for level in MARKED {
        for (side, qty, px, differs) in [
            (Side::Sell, 200, 100_000, Field::Side),
            (Side::Buy, 100, 100_000, Field::Qty),
            (Side::Buy, 300, 100_000, Field::Qty),
            (Side::Buy, 200, 100_100, Field::Price),
        ] {
            let (mut bench, order) = listed_as(level, side, qty, px);
            bench.pass(61);
            assert_eq!(bench.parked(order), Some(ParkReason::NearMiss), "{level:?} {side} {qty} {px}");
            assert!(bench.alarmed(|alarm| matches!(alarm, Alarm::Parked { .. })));
            let doubt = bench
                .exceptions()
                .into_iter()
                .find(|e| e.kind == ExceptionKind::Doubt && e.is_open())
                .expect("a doubt");
            assert_eq!(&*doubt.evidence.text, "the broker made another order of it");
            assert_eq!(doubt.evidence.candidates.len(), 1);
            assert!(doubt.evidence.candidates[0].differs.contains(&differs), "{:?}", doubt.evidence.candidates);
            // What trades there is not ours while nobody has looked, nor a trade by hand; and it is looked up no more.
            bench.trade("N1", 100, px);
            let finds = bench.finds();
            bench.pass(300);
            assert_eq!((bench.status(order), bench.order(order).cum_qty), ("parked", Qty::ZERO));
            assert_eq!((held_by(&bench, "EXTERNAL"), bench.finds() - finds), (0, 0));
            assert!(bench.exceptions().iter().all(|e| e.kind != ExceptionKind::Reads));
            let doubt = bench
                .exceptions()
                .into_iter()
                .find(|e| e.kind == ExceptionKind::Doubt && e.is_open())
                .expect("a doubt");
            assert_eq!(doubt.evidence.candidates[0].row.cum_qty, Qty::new(100), "a person sees how far it is");
        }
    }
}

#[test]
fn f18_a_lost_answer_and_another_order_under_our_mark_is_a_persons_too() {
    for level in MARKED {
        let mut bench = Bench::at(level);
        let order = bench.buy(200);
        bench.list("N1", Side::Sell, 200, 100_000).tag = Some(order.client_order_id(tag()).as_str().into());
        // At L3 the same id goes out again, and the answer to that is lost too.
        for _ in 0..2 {
            bench.lose(order);
            bench.pass(5);
        }
        bench.pass(61);
        assert_eq!(bench.parked(order), Some(ParkReason::NearMiss), "{level:?}");
        let doubt =
            bench.exceptions().into_iter().find(|e| e.kind == ExceptionKind::Doubt && e.is_open()).expect("a doubt");
        assert!(doubt.evidence.candidates[0].differs.contains(&Field::Side), "{level:?}: {:?}", doubt.evidence);
    }
}

#[test]
fn f18_less_than_was_sent_can_be_bound_and_ends_when_that_has_filled() {
    for level in MARKED {
        let (mut bench, order) = listed_as(level, Side::Buy, 100, 100_000);
        bench.pass(61);
        assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
        bench.pass(61);
        assert_eq!(bench.status(order), "new", "{level:?}");
        bench.trade("N1", 100, 99_900);
        bench.desk.restart();
        bench.tell(AccountInput::Connected);
        bench.pass(61);
        assert_eq!((bench.status(order), bench.order(order).cum_qty), ("canceled", Qty::new(100)), "{level:?}");
        assert_eq!(open(&bench), [""; 0], "{level:?}");
    }
}

#[test]
fn f18_another_limit_can_be_bound_and_goes_on() {
    let (mut bench, order) = listed_as(Level::L4, Side::Buy, 200, 100_100);
    bench.pass(61);
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
    bench.trade("N1", 200, 100_050);
    bench.pass(61);
    assert_eq!((bench.status(order), bench.order(order).cum_amount.e4()), ("filled", 200 * 100_050));
}

#[test]
fn f18_another_side_or_more_than_was_sent_cannot_be_bound() {
    for (side, qty) in [(Side::Sell, 200), (Side::Buy, 300)] {
        let (mut bench, order) = listed_as(Level::L2, side, qty, 100_000);
        bench.pass(61);
        assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Err(Unresolvable::Unfit(no("N1"))));
        assert_eq!(bench.status(order), "parked");
    }
}

#[test]
fn f18_said_to_be_none_of_ours_it_is_booked_as_nobodys_and_our_order_is_absent() {
    for level in MARKED {
        let (mut bench, order) = listed_as(level, Side::Sell, 200, 100_000);
        bench.trade("N1", 200, 100_000);
        bench.pass(61);
        let ours = held_by(&bench, "s");
        assert_eq!(bench.resolve(order, Resolution::External), Ok(()));
        assert_eq!(bench.status(order), "absent", "{level:?}");
        bench.pass(120);
        assert_eq!(held_by(&bench, "s") + held_by(&bench, "EXTERNAL"), ours - 200, "{level:?}");
        assert_eq!(open(&bench), [""; 0], "{level:?}");
        assert_eq!(bench.submits(order), 1);
    }
}

#[test]
fn f18_while_our_mark_is_listed_it_is_not_absent_and_no_other_number_is_its_own() {
    for level in MARKED {
        let (mut bench, order) = listed_as(level, Side::Buy, 100, 100_000);
        bench.list("N2", Side::Buy, 200, 100_000);
        bench.pass(61);
        let marked = Err(Unresolvable::Marked(no("N1")));
        assert_eq!(bench.resolve(order, Resolution::Absent), marked, "{level:?}");
        assert_eq!(bench.resolve(order, Resolution::Bind(no("N2"))), marked, "{level:?}");
        assert_eq!(bench.resolve(order, Resolution::Bind(no("N9"))), marked, "{level:?}");
        assert_eq!(bench.status(order), "parked", "{level:?}");
    }
}

#[test]
fn f18_a_number_that_is_not_listed_is_bound_only_where_nothing_was_read_since() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(200);
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.lose(order);
    bench.pass(130);
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N9"))), Err(Unresolvable::Unlisted(no("N9"))));
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(200);
    bench.broken = Some("captcha");
    bench.lose(order);
    bench.pass(61);
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N9"))), Ok(()));
}

/// What a person bound stays bound, and what is booked of it is not booked again as nobody's.
#[test]
fn f18_a_new_life_knows_what_was_bound_and_what_it_traded() {
    for level in [Level::L1, Level::L2, Level::L3, Level::L4] {
        for (qty, px, filled) in [(100, 100_000, 50), (100, 100_000, 100), (200, 99_900, 200)] {
            let (mut bench, order) = listed_as(level, Side::Buy, qty, px);
            if level == Level::L1 {
                bench.lists.orders[0].tag = None;
            }
            bench.pass(61);
            assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()), "{level:?}");
            bench.trade("N1", filled, px);
            bench.pass(61);
            for _ in 0..2 {
                bench.desk.commit();
                bench.desk.restart();
                bench.tell(AccountInput::Connected);
                bench.pass(300);
                assert_eq!(bench.order(order).cum_qty, Qty::new(filled), "{level:?}");
                assert_eq!((bench.parked(order), held_by(&bench, "EXTERNAL")), (None, 0), "{level:?}");
                assert_eq!(open(&bench), [""; 0], "{level:?} {qty} {px} {filled}");
            }
        }
    }
}

/// The row looked like an order proved absent, too, and the person settles one after the other.
#[test]
fn f18_what_was_just_bound_is_not_booked_as_nobodys_with_a_ghost() {
    let mut bench = Bench::at(Level::L1);
    let gone = bench.signal(Side::Buy, 200, Some(100_100));
    bench.lose(gone);
    bench.pass(130);
    assert_eq!(bench.status(gone), "absent");
    let order = bench.buy(200);
    bench.list("N1", Side::Buy, 200, 100_100);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.pass(61);
    assert_eq!(bench.open(), [format!("doubt:{order}"), "ghost:N1".to_owned()]);
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
    assert_eq!(bench.settle("ghost:N1", Settlement::External), Ok(()));
    bench.trade("N1", 200, 100_100);
    bench.pass(61);
    assert_eq!((bench.status(order), held_by(&bench, "EXTERNAL")), ("filled", 0));
}

/// At L1 the rows that a person saw are those of the life before.
#[test]
fn f18_a_new_life_knows_the_rows_that_a_person_calls_his_own() {
    let mut bench = Bench::at(Level::L1);
    let order = bench.buy(200);
    bench.list("N1", Side::Buy, 100, 100_000);
    bench.lose(order);
    bench.pass(61);
    bench.desk.commit();
    bench.desk.restart();
    bench.tell(AccountInput::Connected);
    bench.pass(20);
    assert_eq!(bench.resolve(order, Resolution::External), Ok(()));
    bench.pass(30);
    assert_eq!((bench.status(order), bench.parked(order)), ("in_doubt", None), "the looking goes on without it");
}

#[test]
fn f18_what_is_booked_as_ours_is_not_booked_again_when_the_row_is_said_to_be_nobodys() {
    for level in MARKED {
        let (mut bench, order) = listed_as(level, Side::Buy, 100, 100_000);
        bench.trade("N1", 50, 100_000);
        let trade = bench.lists.trades[0].clone();
        let filled = Report::Filled { exec_id: trade.exec_id, qty: trade.qty, px: trade.px, at: trade.at };
        bench.say(order, filled);
        bench.pass(61);
        assert_eq!(bench.parked(order), Some(ParkReason::NearMiss), "{level:?}");
        assert_eq!(bench.resolve(order, Resolution::External), Ok(()));
        bench.trade("N1", 50, 100_000);
        bench.pass(61);
        assert_eq!((bench.order(order).cum_qty, held_by(&bench, "EXTERNAL")), (Qty::new(50), 50), "{level:?}");
    }
}

#[test]
fn f18_a_cancel_of_what_became_another_order_waits_for_the_person() {
    let (mut bench, order) = listed_as(Level::L2, Side::Buy, 100, 100_000);
    bench.tell(AccountInput::Cancel { order, reason: "bob".into() });
    bench.lose(order);
    bench.pass(61);
    assert_eq!((bench.parked(order), bench.cancels()), (Some(ParkReason::NearMiss), 1));
    assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
    assert_eq!(bench.cancels(), 2, "and goes out when he knows it");
    let row = &mut bench.lists.orders[0];
    (row.canceled_qty, row.status) = (row.qty, ListedStatus::Canceled);
    bench.lose(order);
    bench.pass(61);
    assert_eq!(bench.status(order), "canceled");
}

/// Its fills were told by themselves, and a new life knows it by nothing else.
#[test]
fn f18_after_a_restart_an_order_that_has_traded_as_a_smaller_one_does_not_blind_the_account() {
    for level in MARKED {
        let (mut bench, order) = listed_as(level, Side::Buy, 100, 100_000);
        bench.trade("N1", 100, 100_000);
        let trade = bench.lists.trades[0].clone();
        bench.say(
            order,
            Report::Filled { exec_id: ExecId(trade.exec_id.0), qty: trade.qty, px: trade.px, at: trade.at },
        );
        bench.desk.commit();
        bench.desk.restart();
        bench.pass(20);
        bench.tell(AccountInput::Connected);
        bench.pass(61);
        assert!(bench.open().iter().all(|key| key != "reads"), "{level:?}: {:?}", bench.exceptions());
        assert_eq!(bench.parked(order), Some(ParkReason::NearMiss), "{level:?}");
        let next = bench.signal(Side::Sell, 100, Some(100_000));
        bench.pass(20);
        assert_eq!(bench.submits(next), 1, "{level:?}: the account goes on");
        assert_eq!(bench.resolve(order, Resolution::Bind(no("N1"))), Ok(()));
        bench.pass(61);
        assert_eq!((bench.status(order), bench.order(order).cum_qty), ("canceled", Qty::new(100)), "{level:?}");
    }
}

/// What of it was booked before anybody could know stays: the difference of the positions is a person's as well.
#[test]
fn f18_an_order_that_has_traded_here_and_is_said_to_be_none_of_ours_ends_with_what_is_booked() {
    let (mut bench, order) = listed_as(Level::L4, Side::Sell, 200, 100_000);
    let (exec_id, at) = (ExecId("E1".into()), bench.desk.at);
    bench.say(order, Report::Filled { exec_id, qty: Qty::new(100), px: Price::from_e4(100_000), at });
    bench.pass(61);
    assert_eq!(bench.parked(order), Some(ParkReason::NearMiss));
    assert_eq!(bench.resolve(order, Resolution::External), Ok(()));
    assert_eq!((bench.status(order), bench.order(order).cum_qty), ("canceled", Qty::new(100)));
}

#[test]
fn f18_at_l4_an_order_that_lookups_call_another_is_a_persons_also_while_no_read_counts() {
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(200);
    bench.say(order, Report::Accepted { broker_order_id: no("N1") });
    bench.broken = Some("the terminal hangs");
    bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
    let mut asked = bench.finds();
    bench.say(order, Report::Altered);
    assert_eq!((bench.status(order), bench.parked(order)), ("in_doubt", None));
    for _ in 0..40 {
        bench.pass(4);
        if bench.finds() > asked {
            asked = bench.finds();
            bench.say(order, Report::Altered);
        }
    }
    assert_eq!(bench.parked(order), Some(ParkReason::NearMiss));
    // What was only not answered goes on being asked.
    let mut bench = Bench::at(Level::L4);
    let order = bench.buy(200);
    bench.broken = Some("the terminal hangs");
    bench.lose(order);
    for _ in 0..40 {
        bench.pass(4);
        bench.lose(order);
    }
    assert_eq!((bench.status(order), bench.parked(order)), ("in_doubt", None));
}
