//! Random weeks of an account's books against plain sums: what the broker holds, what was paid and received, and every
//! price that each book has seen.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cases;

const NAMES: [&str; 3] = ["s", "t", StrategyId::EXTERNAL];

#[derive(Debug, Clone)]
enum Step {
    Buy { book: usize, qty: i64, px: i64, fee: i64 },
    Sell { book: usize, qty: i64, px: i64, fee: i64 },
    Import { book: usize, qty: i64, claimed: i64, px: i64, today: bool },
    Transfer { from: usize, to: usize, qty: i64 },
    Mark { high: i64, low: i64, closing: bool },
    Day,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (book, qty, px) = (0..3_usize, 1..40_i64, 50_000..150_000_i64);
    let step = prop_oneof![
        3 => (book.clone(), qty.clone(), px.clone(), 0..900_i64)
            .prop_map(|(book, qty, px, fee)| Step::Buy { book, qty, px, fee }),
        3 => (book.clone(), qty.clone(), px.clone(), 0..900_i64)
            .prop_map(|(book, qty, px, fee)| Step::Sell { book, qty, px, fee }),
        2 => (book.clone(), qty.clone(), 0..40_i64, px.clone(), any::<bool>())
            .prop_map(|(book, qty, claimed, px, today)| Step::Import { book, qty, claimed, px, today }),
        3 => (book.clone(), book, qty).prop_map(|(from, to, qty)| Step::Transfer { from, to, qty }),
        1 => (px.clone(), px, any::<bool>()).prop_map(|(a, b, closing)| {
            Step::Mark { high: a.max(b), low: a.min(b), closing }
        }),
        1 => Just(Step::Day),
    ];
    prop::collection::vec(step, 1..40)
}

/// What a book is to the oracle: how much, and every price since it was last empty.
#[derive(Debug, Default, Clone, PartialEq)]
struct Told {
    qty: i64,
    on: Option<TradeDate>,
    seen: Vec<i64>,
}

/// What the whole account is to the oracle.
#[derive(Debug, Default)]
struct Oracle {
    books: BTreeMap<usize, Told>,
    broker: i64,
    cash: i64,
    /// Of the day.
    trades: i64,
    fees: i64,
    day_start: i64,
    day_flow: i64,
    close: Option<i64>,
    prev_close: Option<i64>,
}

fn name(book: usize) -> StrategyId {
    StrategyId::parse(NAMES[book]).expect("a name")
}

fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

fn day(n: u32) -> TradeDate {
    TradeDate::from_yyyymmdd(20_250_300 + n).expect("a day")
}

/// One random week, step by step beside the oracle.
struct Week {
    ledger: Ledger,
    oracle: Oracle,
    now: i64,
    today: u32,
}

impl Week {
    fn new() -> Self {
        let mut ledger = Ledger::new(AccountId::parse("a").expect("a name"));
        ledger.open(Timestamp::from_us(0), Money::ZERO, &[]);
        ledger.start_day(day(1));
        Self { ledger, oracle: Oracle::default(), now: 0, today: 1 }
    }

    fn held(&self, book: usize) -> i64 {
        self.oracle.books.get(&book).map_or(0, |told| told.qty)
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_us(self.now)
    }

    fn told(&mut self, book: usize) -> &mut Told {
        self.oracle.books.entry(book).or_default()
    }

    /// The oracle's book takes shares in: its first ones bring what was seen of them.
    fn enter(&mut self, book: usize, qty: i64, on: Option<TradeDate>, seen: Vec<i64>) {
        let told = self.told(book);
        if told.qty == 0 {
            *told = Told { qty: 0, on, seen };
        }
        told.qty += qty;
    }

    fn leave(&mut self, book: usize, qty: i64) {
        let told = self.told(book);
        told.qty -= qty;
        if told.qty == 0 {
            *told = Told::default();
        }
    }

    fn take(&mut self, step: Step) {
        self.now += 1;
        let (at, s) = (self.at(), symbol());
        match step {
            Step::Buy { book, qty, px, fee } => {
                let (px_, fee_) = (Price::from_e4(px), Money::from_e4(fee));
                self.ledger.fill(
                    at,
                    &name(book),
                    Trade { symbol: s, side: Side::Buy, qty: Qty::new(qty), px: px_, fee: fee_ },
                );
                self.oracle.broker += qty;
                self.oracle.cash -= px * qty + fee;
                self.oracle.trades -= px * qty;
                self.oracle.fees += fee;
                self.oracle.day_flow -= px * qty + fee;
                self.enter(book, qty, Some(day(self.today)), Vec::new());
                self.told(book).seen.push(px);
            }
            Step::Sell { book, qty, px, fee } => {
                // Of its own book only; sales across books have stories of their own. What was bought today stays.
                let own = self.ledger.book(s, &name(book)).map_or(0, |b| (b.qty - b.bought_today).get());
                let qty = qty.min(own);
                if qty > 0 {
                    let (px_, fee_) = (Price::from_e4(px), Money::from_e4(fee));
                    self.ledger.fill(
                        at,
                        &name(book),
                        Trade { symbol: s, side: Side::Sell, qty: Qty::new(qty), px: px_, fee: fee_ },
                    );
                    self.oracle.broker -= qty;
                    self.oracle.cash += px * qty - fee;
                    self.oracle.trades += px * qty;
                    self.oracle.fees += fee;
                    self.oracle.day_flow += px * qty - fee;
                    self.told(book).seen.push(px);
                    self.leave(book, qty);
                }
            }
            Step::Import { book, qty, claimed, px, today } => {
                let claimed = if book == 2 { 0 } else { claimed.min(qty).min(self.held(2)) };
                let fresh = qty - claimed;
                let bought_today = if today { fresh } else { 0 };
                let item = Imported {
                    symbol: s,
                    book: name(book),
                    qty: Qty::new(qty),
                    claimed: Qty::new(claimed),
                    bought_today: Qty::new(bought_today),
                    cost: Price::from_e4(px),
                    on: None,
                };
                self.ledger.import(at, &item);
                self.oracle.broker += fresh;
                self.oracle.day_start += fresh - bought_today;
                self.oracle.day_flow -= px * bought_today;
                if claimed > 0 {
                    self.leave(2, claimed);
                }
                self.enter(book, qty, None, vec![px]);
            }
            Step::Transfer { from, to, qty } => {
                let qty = qty.min(self.held(from));
                if qty > 0 && from != to {
                    let transfer = Transfer { symbol: s, from: name(from), to: name(to), qty: Qty::new(qty) };
                    self.ledger.transfer(at, &transfer);
                    let told = self.told(from).clone();
                    self.leave(from, qty);
                    self.enter(to, qty, told.on, told.seen);
                }
            }
            Step::Mark { high, low, closing } => {
                let seen = |_, _| Some((Price::from_e4(high), Price::from_e4(low), Price::from_e4(low)));
                let marks = self.ledger.marks(if closing { Marking::DayEnd } else { Marking::Along }, seen);
                self.ledger.mark(at, &marks, closing);
                for told in self.oracle.books.values_mut().filter(|told| told.qty > 0) {
                    told.seen.extend([high, low]);
                }
                if closing && self.oracle.broker > 0 {
                    self.oracle.close = Some(low);
                }
            }
            Step::Day => {
                self.today += 1;
                let flows = *self.ledger.flows().expect("the flows of the day");
                let over = self.ledger.start_day(day(self.today)).over;
                let (date, equity) = (day(self.today - 1), self.ledger.prev_equity);
                assert_eq!(over, Some(DayOver { date, flows, equity }), "the day as it ended");
                (self.oracle.trades, self.oracle.fees) = (0, 0);
                self.oracle.day_start = self.oracle.broker;
                self.oracle.day_flow = 0;
                self.oracle.prev_close = self.oracle.close.take();
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let books = || self.ledger.of_symbol(symbol());
        prop_assert_eq!(
            books().map(|b| b.qty.get()).sum::<i64>(),
            self.oracle.broker,
            "Σ books is what the broker holds"
        );
        prop_assert_eq!(self.ledger.cash.e4(), self.oracle.cash);
        let flows = *self.ledger.flows().expect("the flows of the day");
        prop_assert_eq!(flows.cash(), self.ledger.cash, "every cause of the day's cash is named");
        let told = Flows {
            opening: Money::from_e4(self.oracle.cash - self.oracle.trades + self.oracle.fees),
            trades: Money::from_e4(self.oracle.trades),
            fees: Money::from_e4(-self.oracle.fees),
            ..Flows::default()
        };
        prop_assert_eq!(flows, told);
        for (book, told) in &self.oracle.books {
            let found = self.ledger.book(symbol(), &name(*book));
            prop_assert_eq!(found.map_or(0, |b| b.qty.get()), told.qty);
            let entry = found.and_then(|b| b.entry.as_ref());
            prop_assert_eq!(entry.is_some(), told.qty > 0);
            prop_assert_eq!(entry.and_then(|e| e.on), told.on);
            let (high, low) = (entry.and_then(|e| e.high), entry.and_then(|e| e.low));
            prop_assert_eq!(high.map(Price::e4), told.seen.iter().copied().max());
            prop_assert_eq!(low.map(Price::e4), told.seen.iter().copied().min());
        }
        for book in books() {
            prop_assert!(!book.qty.is_negative() && !book.bought_today.is_negative());
            prop_assert!(book.bought_today <= book.qty);
        }
        // At one price for all, the books' day is the account's day, whoever holds what by now.
        let (last, before) = (110_000, 90_000);
        let pnl = |b: &Book| b.day_pnl(Some(Price::from_e4(last)), Some(Price::from_e4(before)));
        let sum: Option<Money> = books().map(pnl).sum();
        let expected = last * self.oracle.broker + self.oracle.day_flow - before * self.oracle.day_start;
        prop_assert_eq!(sum.map(Money::e4), Some(expected));
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases::config())]

    #[test]
    fn books_add_up_to_the_broker_and_remember_what_they_saw(steps in steps()) {
        let mut week = Week::new();
        for step in steps {
            week.take(step);
            week.check()?;
        }
    }

    /// What was paid in all for what is held, and what was earned, are the same before and after any transfer.
    #[test]
    fn a_transfer_earns_nothing(steps in steps(), from in 0..3_usize, to in 0..3_usize, qty in 1..60_i64) {
        let mut week = Week::new();
        steps.into_iter().for_each(|step| week.take(step));
        let sums = |ledger: &Ledger| {
            let books = || ledger.of_symbol(symbol());
            let cost: Money = books().map(|b| b.cost).sum();
            let earned: Money = books().map(|b| b.realized_pnl).sum();
            (cost, earned, ledger.cash, books().map(|b| b.bought_today).sum::<Qty>())
        };
        let before = sums(&week.ledger);
        week.take(Step::Transfer { from, to, qty });
        prop_assert_eq!(sums(&week.ledger), before);
    }
}

#[test]
fn what_sales_have_earned_makes_the_rest_cheaper_in_the_terminals_cost_and_not_in_our_average() {
    let mut week = Week::new();
    week.take(Step::Buy { book: 0, qty: 200, px: 100_000, fee: 20_000 });
    week.take(Step::Day);
    week.take(Step::Sell { book: 0, qty: 100, px: 120_000, fee: 10_000 });
    let book = week.ledger.book(symbol(), &name(0)).expect("the book");
    // 200 at 10.00 and 2.00 of fees: 1,001.00 for the 100 that are left; 2,002.00 paid less 1,199.00 received.
    assert_eq!(book.cost, Money::parse("1001").expect("money"));
    assert_eq!(book.diluted_cost(), Some(Money::parse("803").expect("money")));
}

#[test]
fn the_worth_at_the_last_close_is_known_when_every_close_is() {
    let mut week = Week::new();
    week.take(Step::Buy { book: 0, qty: 100, px: 100_000, fee: 0 });
    week.take(Step::Mark { high: 120_000, low: 110_000, closing: true });
    week.take(Step::Day);
    assert_eq!(week.ledger.prev_equity, Some(Money::parse("100").expect("money")), "100 × 11.00 less 1,000.00 paid");
    week.take(Step::Day);
    assert_eq!(week.ledger.prev_equity, None, "that day has no close");
}

#[test]
fn a_book_that_was_emptied_and_begins_again_is_the_same_after_a_restart_and_without_one() {
    let (mut week, mut rows) = (Week::new(), BTreeMap::new());
    week.take(Step::Buy { book: 2, qty: 100, px: 100_000, fee: 0 });
    week.take(Step::Day);
    // At cost: nothing was earned, so nothing of it is kept beyond the day.
    week.take(Step::Sell { book: 2, qty: 100, px: 100_000, fee: 0 });
    let mut store = |books: Vec<Book>| rows.extend(books.into_iter().map(|book| (book.strategy.clone(), book)));
    store(week.ledger.books().to_vec());
    store(week.ledger.start_day(day(9)).changed);
    let Ledger { account, cash, trade_date, prev_equity, .. } = week.ledger.clone();
    let mut restored = Ledger::restore(account, cash, trade_date, prev_equity, rows.into_values().collect());
    for ledger in [&mut week.ledger, &mut restored] {
        let (qty, px, side) = (Qty::new(50), Price::from_e4(90_000), Side::Buy);
        ledger.fill(Timestamp::from_us(99), &name(2), Trade { symbol: symbol(), side, qty, px, fee: Money::ZERO });
    }
    assert_eq!(restored.book(symbol(), &name(2)), week.ledger.book(symbol(), &name(2)));
}
