//! Random books on an ex-date against fractions that are multiplied out, and against who is furthest from his due.

use proptest::prelude::*;

use super::*;
use crate::cases;
use crate::ids::AccountId;
use crate::ledger::{Mark, Marking, OpeningHolding};
use crate::quote::Quote;
use crate::symbol::Symbol;
use crate::units::{Price, Ratio, Timestamp, TradeDate};
use crate::view::{Quotes, equity};

const NAMES: [&str; 5] = ["a", "b", "c", "d", StrategyId::EXTERNAL];

fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

fn day(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a day")
}

fn name(n: usize) -> StrategyId {
    StrategyId::parse(NAMES[n]).expect("a name")
}

fn action(cash: i64, bonus: i64, transfer: i64) -> CorporateAction {
    CorporateAction {
        symbol: symbol(),
        ex_date: day("2011-06-03"),
        cash: Ratio::from_e6(cash),
        bonus: Ratio::from_e6(bonus),
        transfer: Ratio::from_e6(transfer),
        rights: Ratio::from_e6(0),
        rights_price: Price::ZERO,
    }
}

/// So much in each book, at one cost, on the day before, which has closed at a price.
fn ledger(held: &[i64], cost: i64, close: i64) -> Ledger {
    let mut ledger = Ledger::new(AccountId::parse("acc").expect("a name"));
    let holding = |(n, qty): (usize, &i64)| OpeningHolding {
        symbol: symbol(),
        strategy: name(n),
        qty: Qty::new(*qty),
        cost: Price::from_e4(cost),
        on: None,
    };
    let holdings: Vec<OpeningHolding> = held.iter().enumerate().map(holding).filter(|h| h.qty.is_positive()).collect();
    ledger.open(Timestamp::from_us(0), Money::from_units(1_000), &holdings);
    ledger.start_day(day("2011-06-02"));
    let px = Price::from_e4(close);
    let mark = |h: &OpeningHolding| Mark { symbol: symbol(), book: h.strategy.clone(), high: px, low: px, last: px };
    let marks: Vec<Mark> = holdings.iter().map(mark).collect();
    ledger.mark(Timestamp::from_us(1), &marks, true);
    ledger
}

/// Units one by one to whoever is furthest below his exact due, the first one on a tie. All in `unit`ths.
fn oracle(total: i64, held: &[i64], per10: i64, unit: i64) -> Vec<i64> {
    let mut given = vec![0_i64; held.len()];
    for _ in 0..total {
        let short = |n: usize| i128::from(held[n]) * i128::from(per10) - i128::from(given[n]) * i128::from(unit);
        let mut most = 0;
        for n in 1..held.len() {
            if short(n) > short(most) {
                most = n;
            }
        }
        given[most] += 1;
    }
    given
}

fn sum_of<T: std::iter::Sum>(ledger: &Ledger, of: impl Fn(&Book) -> T) -> T {
    ledger.of_symbol(symbol()).map(of).sum()
}

proptest! {
    #![proptest_config(cases::config())]

    #[test]
    fn every_book_gets_its_due_and_the_account_what_the_depository_counts(
        held in prop::collection::vec(prop_oneof![Just(0_i64), 1_i64..400], 1..=5),
        cash in prop_oneof![Just(0_i64), 1_i64..30_000_000],
        bonus in prop_oneof![Just(0_i64), 1_i64..20_000_000],
        transfer in prop_oneof![Just(0_i64), (1_i64..20).prop_map(|n| n * 500_000)],
        cost in prop_oneof![Just(0_i64), 1_i64..300_000],
        close in 50_000_i64..400_000,
    ) {
        let action = action(cash, bonus, transfer);
        let mut ledger = ledger(&held, cost, close);
        let total: i64 = held.iter().sum();
        let Some(booked) = ledger.entitled(&action) else {
            prop_assert_eq!(total, 0, "only who holds nothing gets nothing");
            return Ok(());
        };
        let before = ledger.clone();
        let changed = ledger.go_ex(&booked);

        // The depository's numbers for the account as a whole.
        let shares = i128::from(total) * i128::from(bonus + transfer) / 10_000_000;
        let cents = (i128::from(total) * i128::from(cash) * 2 + 100_000) / 200_000;
        prop_assert_eq!(i128::from(ledger.holding(symbol()).qty.get()), i128::from(total) + shares);
        prop_assert_eq!(i128::from((ledger.cash - before.cash).e4()), cents * 100);

        // Each book: never a whole unit away from its own due.
        let held: Vec<(usize, i64)> = held.into_iter().enumerate().filter(|(_, qty)| *qty > 0).collect();
        let mut held: Vec<(StrategyId, i64)> = held.into_iter().map(|(n, qty)| (name(n), qty)).collect();
        held.sort();
        let qtys: Vec<i64> = held.iter().map(|(_, qty)| *qty).collect();
        let due = oracle(booked.shares.get(), &qtys, bonus + transfer, 10_000_000);
        for ((book, qty), due) in held.iter().zip(due) {
            prop_assert_eq!(ledger.book(symbol(), book).map(|b| b.qty.get()), Some(qty + due), "{}", book);
        }
        let of_cash: i64 = booked.parts.iter().map(|part| part.cash.e4()).sum();
        prop_assert_eq!(i128::from(of_cash), cents * 100);
        for ((_, qty), part) in held.iter().zip(&booked.parts) {
            let off = i128::from(part.cash.e4()) * 1_000 - i128::from(*qty) * i128::from(cash);
            prop_assert!(off.abs() < 100_000, "{:?} is a cent away from what {} shares are paid", part, qty);
        }

        // Nothing is earned: what was paid less what was got is the same, and nothing costs less than nothing.
        let invested = |l: &Ledger| sum_of(l, |b| b.cost) - sum_of(l, |b| b.realized_pnl) + l.cash;
        prop_assert_eq!(invested(&ledger), invested(&before));
        prop_assert!(ledger.books().iter().all(|b| !b.cost.is_negative()));
        prop_assert!(sum_of(&ledger, |b| b.bought_today).is_zero());
        prop_assert_eq!(changed.len(), held.len());

        // Worth as much as before, but for the fraction that the depository keeps and the rounding of one price.
        if let Some(ex) = action.ex_price(Price::from_e4(close)) {
            ledger.start_day(action.ex_date);
            let after = ledger.prev_equity.expect("every close is known");
            let was = before.cash.e4() + close * total;
            let off = was - after.e4();
            prop_assert!((-100 - total - booked.shares.get()..=ex.e4() + 100 + total + booked.shares.get()).contains(&off), "{}", off);
            for book in ledger.of_symbol(symbol()) {
                prop_assert_eq!(book.day_pnl(Some(ex), None), Some(Money::ZERO), "a false jump");
                prop_assert!(book.entry.as_ref().is_some_and(|e| e.high >= Some(ex) && e.low <= Some(ex)));
            }
        }
    }
}

#[test]
fn a_dividend_above_the_cost_is_earned() {
    let mut ledger = ledger(&[100], 2_000, 50_000);
    let booked = ledger.entitled(&action(5_000_000, 0, 0)).expect("it is held");
    ledger.go_ex(&booked);
    let book = ledger.book(symbol(), &name(0)).expect("the book");
    // 20.00 were paid for 100 shares, and 50.00 come.
    assert_eq!((book.cost, book.realized_pnl), (Money::ZERO, Money::from_units(30)));
    assert_eq!(book.diluted_cost(), Some(Money::from_units(-30)));
}

#[test]
fn the_highest_price_of_before_is_in_prices_of_after_and_late_prices_of_before_do_not_count() {
    let mut ledger = ledger(&[1_000], 150_000, 137_900);
    let booked = ledger.entitled(&action(1_600_000, 3_000_000, 0)).expect("it is held");
    ledger.go_ex(&booked);
    let book = ledger.book(symbol(), &name(0)).expect("the book").clone();
    let entry = book.entry.expect("an entry");
    // (15.00 − 0.16) ÷ 1.3 and (13.79 − 0.16) ÷ 1.3.
    assert_eq!((entry.high, entry.low), (Some(Price::from_e4(114_154)), Some(Price::from_e4(104_846))));
    // A price that is told after the close is from before the ex-date.
    let told = china_instant(day("2011-06-02"), 15, 0, 3);
    let seen =
        |_, since| (told >= since).then(|| (Price::from_e4(137_900), Price::from_e4(137_900), Price::from_e4(137_900)));
    assert!(ledger.marks(Marking::Along, seen).is_empty());
}

#[test]
fn an_account_is_worth_as_much_in_the_evening_before_as_at_the_close() {
    let mut ledger = ledger(&[1_000], 150_000, 137_900);
    let mut quotes = Quotes::default();
    let last = |px, at| Quote {
        symbol: symbol(),
        last: Price::from_e4(px),
        bid: None,
        ask: None,
        bid_size: None,
        ask_size: None,
        volume: None,
        prev_close: None,
        at,
    };
    quotes.put(last(137_900, china_instant(day("2011-06-02"), 15, 0, 0)));
    assert_eq!(equity(&ledger, &quotes), Money::from_units(1_000 + 13_790));
    let booked = ledger.entitled(&action(1_600_000, 3_000_000, 0)).expect("it is held");
    ledger.go_ex(&booked);
    ledger.start_day(day("2011-06-03"));
    // 160.00 and 1,300 at 10.4846.
    assert_eq!(equity(&ledger, &quotes), Money::parse("14789.98").expect("money"));
    quotes.put(last(104_800, china_instant(day("2011-06-03"), 9, 30, 0)));
    assert_eq!(equity(&ledger, &quotes), Money::parse("14784").expect("money"));
}
