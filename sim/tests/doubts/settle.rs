//! What a person can decide about breaks and ghosts: the books are corrected by a row that names him, or not at all.

use signalbox_domain::account::{Settlement, Unsettleable};
use signalbox_domain::broker::{Level, ListedPosition};
use signalbox_domain::event::Event;
use signalbox_domain::ids::StrategyId;
use signalbox_domain::ledger::{Book, Ledger};
use signalbox_domain::order::Side;
use signalbox_domain::units::{Money, Price, Qty};

use crate::broker::{Bench, account, strategy, symbol};

const BREAK: &str = "break:600000.SH";

fn adjust(book: &StrategyId, qty: Option<i64>, cost: Option<i64>) -> Settlement {
    Settlement::Adjust { book: book.clone(), qty: qty.map(Qty::new), cost: cost.map(Price::from_e4) }
}

fn external() -> StrategyId {
    StrategyId::external()
}

fn ledger(bench: &Bench) -> &Ledger {
    bench.desk.ledgers.get(&account()).expect("a ledger")
}

fn book(bench: &Bench, of: &StrategyId) -> Book {
    ledger(bench).book(symbol(), of).expect("a book").clone()
}

/// The broker has so many shares, all of them sellable.
fn has(bench: &mut Bench, qty: i64) {
    bench.lists.positions[0] = ListedPosition { symbol: symbol(), qty: Qty::new(qty), sellable: Qty::new(qty) };
}

#[test]
fn f59_shares_that_the_broker_has_more_are_booked_where_a_person_says() {
    let mut bench = Bench::at(Level::L2);
    has(&mut bench, 1_500);
    bench.pass(600);
    let order = bench.buy(100);
    assert_eq!((bench.open(), bench.submits(order)), (vec![BREAK.to_owned()], 0));

    assert_eq!(bench.settle(BREAK, adjust(&external(), None, Some(98_000))), Ok(()));
    let added = book(&bench, &external());
    assert_eq!((added.qty, added.cost), (Qty::new(500), Money::from_units(4_900)));
    assert!((added.bought_today.is_zero(), added.realized_pnl.is_zero()) == (true, true));
    assert_eq!(book(&bench, &strategy()).qty, Qty::new(1_000), "the strategy's own shares are not touched");
    bench.pass(30);
    assert_eq!((bench.open().len(), bench.submits(order)), (0, 1), "and the symbol trades again");
    let told = bench.desk.journal.iter().flat_map(|entry| &entry.events);
    let told: Vec<_> =
        told.filter_map(|e| if let Event::Adjusted { by, note, .. } = e { Some((by, note)) } else { None }).collect();
    assert_eq!(told.len(), 1);
    assert_eq!((&**told[0].0, &**told[0].1), ("ann", "looked at the terminal"));
}

#[test]
fn f61_shares_that_the_broker_does_not_let_go_yet_are_not_sellable_here() {
    let mut bench = Bench::at(Level::L2);
    bench.lists.positions[0].qty = Qty::new(1_500);
    bench.pass(600);
    assert_eq!(bench.settle(BREAK, adjust(&strategy(), None, None)), Ok(()));
    let book = book(&bench, &strategy());
    assert_eq!((book.qty, book.bought_today), (Qty::new(1_500), Qty::new(500)));
    assert_eq!(book.cost, Money::from_units(10_000), "bonus shares cost nothing");
}

#[test]
fn f59_missing_shares_leave_the_book_that_a_person_names_at_their_cost() {
    let mut bench = Bench::at(Level::L2);
    has(&mut bench, 700);
    bench.pass(600);
    let not_held = Unsettleable::NotHeld { book: external(), held: Qty::ZERO, wanted: Qty::new(300) };
    assert_eq!(bench.settle(BREAK, adjust(&external(), None, None)), Err(not_held));
    assert_eq!(bench.settle(BREAK, adjust(&strategy(), Some(301), None)), Err(Unsettleable::Quantity(Qty::new(300))));
    assert_eq!(bench.settle(BREAK, adjust(&strategy(), Some(100), None)), Ok(()));
    assert_eq!(bench.open(), [BREAK], "the rest is still to be settled");
    assert_eq!(bench.settle(BREAK, adjust(&strategy(), None, None)), Err(Unsettleable::Changed), "before a new look");
    bench.pass(90);
    assert_eq!(bench.settle(BREAK, adjust(&strategy(), None, None)), Ok(()));
    let left = book(&bench, &strategy());
    assert_eq!((left.qty, left.cost, left.realized_pnl), (Qty::new(700), Money::from_units(7_000), Money::ZERO));
    bench.pass(30);
    assert!(bench.open().is_empty());
}

#[test]
fn f59_a_correction_that_was_seen_before_the_lists_changed_is_refused() {
    let mut bench = Bench::at(Level::L2);
    has(&mut bench, 900);
    bench.pass(600);
    has(&mut bench, 800);
    bench.pass(61);
    // One read shows it: that is not what the person has seen.
    assert_eq!(bench.settle(BREAK, adjust(&strategy(), None, None)), Err(Unsettleable::Changed));
    assert_eq!(ledger(&bench).holding(symbol()).qty, Qty::new(1_000));
}

#[test]
fn cash_that_differs_is_booked_as_the_broker_has_it() {
    let mut bench = Bench::at(Level::L2);
    let cash = bench.lists.cash.as_mut().expect("cash");
    cash.total = Money::from_units(100_250);
    bench.pass(600);
    assert_eq!(bench.open(), ["break:cash"]);
    assert_eq!(bench.settle("break:cash", adjust(&external(), None, None)), Ok(()));
    assert_eq!(ledger(&bench).cash, Money::from_units(100_250));
    bench.pass(30);
    assert!(bench.open().is_empty());
}

#[test]
fn f58_a_list_that_stays_empty_is_believed_when_a_person_says_so_and_not_at_once() {
    let mut bench = Bench::at(Level::L2);
    bench.lists.positions.clear();
    bench.pass(70);
    while bench.open().is_empty() {
        bench.pass(30);
    }
    assert_eq!(bench.open(), ["break:bulk"]);
    assert_eq!(bench.settle("break:bulk", Settlement::Itemize), Err(Unsettleable::TooEarly));
    assert_eq!(bench.settle("break:bulk", adjust(&strategy(), None, None)), Err(Unsettleable::Unfit));
    bench.pass(600);
    assert_eq!(bench.settle("break:bulk", Settlement::Itemize), Ok(()));
    assert_eq!(ledger(&bench).holding(symbol()).qty, Qty::new(1_000), "nothing is taken over from it");
    bench.pass(90);
    assert_eq!(bench.open(), [BREAK], "each difference by itself");
    assert_eq!(bench.settle(BREAK, adjust(&strategy(), None, None)), Ok(()));
    bench.pass(30);
    assert!(bench.open().is_empty());
    assert_eq!(ledger(&bench).holding(symbol()).qty, Qty::ZERO);
}

#[test]
fn f33_a_ghost_that_a_person_takes_as_his_own_lets_the_account_trade_again() {
    let mut bench = Bench::at(Level::L2);
    let order = bench.buy(100);
    bench.lose(order);
    bench.pass(120);
    assert_eq!(bench.status(order), "absent");
    bench.list("N9", Side::Buy, 100, 100_000);
    bench.pass(61);
    assert_eq!(bench.open(), ["ghost:N9"]);
    let next = bench.signal(Side::Sell, 100, Some(100_000));
    bench.pass(15);
    assert_eq!(bench.submits(next), 0);
    assert_eq!(bench.settle("ghost:N9", adjust(&external(), None, None)), Err(Unsettleable::Unfit));
    assert_eq!(bench.settle("ghost:N9", Settlement::External), Ok(()));
    assert_eq!(bench.settle("ghost:N9", Settlement::External), Err(Unsettleable::NotOpen));
    bench.pass(15);
    assert_eq!((bench.open().len(), bench.submits(next)), (0, 1));
    bench.trade("N9", 100, 100_000);
    bench.pass(90);
    assert_eq!(book(&bench, &external()).qty, Qty::new(100), "its trades are booked where no strategy claims them");
    assert_eq!(bench.status(order), "absent", "and never to the order");
}

#[test]
fn an_adjustment_outlives_a_restart() {
    let mut bench = Bench::at(Level::L2);
    has(&mut bench, 1_500);
    bench.pass(600);
    assert_eq!(bench.settle(BREAK, adjust(&external(), None, None)), Ok(()));
    bench.desk.restart();
    bench.run();
    bench.pass(61);
    assert_eq!(ledger(&bench).holding(symbol()).qty, Qty::new(1_500));
    assert!(bench.open().is_empty());
}
