//! Lots of contracts against an oracle that keeps every lot by itself and all money in one sum.
//!
//! `SIGNALBOX_CASES` says how many cases each property is tried with, by default 100,000.

use proptest::prelude::*;

use signalbox_domain::contract::{CloseFlags, Contract, ContractFees, Direction, Effect, LotFee};
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::ledger::{ContractTrade, Ledger, Mark, Marking};
use signalbox_domain::order::Side;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Timestamp, TradeDate};

const MULTIPLIER: i64 = 10;
const MARGIN: i64 = 120_000;
const CASH: i64 = 10_000_000_000;

fn cases() -> ProptestConfig {
    let cases = std::env::var("SIGNALBOX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// One step of an account's life.
#[derive(Debug, Clone)]
enum Step {
    Trade {
        book: bool,
        buy: bool,
        effect: Effect,
        lots: i64,
        px: i64,
        fee: i64,
    },
    /// The day closes at this price and the next one begins.
    Night {
        px: i64,
    },
    /// The process ends, and the ledger is made of its rows.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let effect = prop_oneof![
        4 => Just(Effect::Open),
        2 => Just(Effect::Close),
        2 => Just(Effect::CloseToday),
        2 => Just(Effect::CloseYesterday),
    ];
    let trade = (any::<bool>(), any::<bool>(), effect, 1_i64..6, 3_000_i64..4_000, 0_i64..500);
    prop_oneof![
        8 => trade.prop_map(|(book, buy, effect, lots, px, fee)| Step::Trade { book, buy, effect, lots, px, fee }),
        2 => (3_000_i64..4_000).prop_map(|px| Step::Night { px }),
        1 => Just(Step::Restart),
    ]
}

/// A lot by itself: which day it is of, and what it is reckoned at.
#[derive(Debug, Clone, Copy)]
struct Lot {
    second_book: bool,
    direction: Direction,
    day: u32,
    reckoned_e4: i64,
}

struct World {
    ledger: Ledger,
    lots: Vec<Lot>,
    day: u32,
    /// Everything that was paid and received for what was bought and sold, as if each trade were paid in full.
    flow_e4: i128,
    fees_e4: i128,
    contract: Contract,
}

fn symbol() -> Symbol {
    Symbol::parse("rb2505.SHFE").expect("a symbol")
}

fn book(second: bool) -> StrategyId {
    StrategyId::parse(if second { "second" } else { "first" }).expect("a name")
}

fn date(day: u32) -> TradeDate {
    TradeDate::from_yyyymmdd(20_250_301 + day).expect("a date")
}

impl World {
    fn new() -> Self {
        let mut ledger = Ledger::new(AccountId::parse("a").expect("a name"));
        ledger.cash = Money::from_e4(CASH);
        let contract = Contract {
            multiplier: MULTIPLIER,
            margin: Ratio::from_e6(MARGIN),
            close: CloseFlags::TodayApart,
            fees: ContractFees { open: LotFee::default(), close: LotFee::default(), close_today: LotFee::default() },
        };
        Self { ledger, lots: Vec::new(), day: 0, flow_e4: 0, fees_e4: 0, contract }
    }

    fn of(&self, second: bool, direction: Direction, today: bool) -> i64 {
        let of = |lot: &&Lot| lot.second_book == second && lot.direction == direction && (lot.day == self.day) == today;
        self.lots.iter().filter(of).count() as i64
    }

    /// Takes out the lots that a close of this kind means, of this book alone; false when there are too few.
    fn take(&mut self, second: bool, direction: Direction, effect: Effect, lots: i64) -> bool {
        let (before, today) = (self.of(second, direction, false), self.of(second, direction, true));
        let (from_before, from_today) = match effect {
            Effect::CloseToday => (0, lots),
            Effect::CloseYesterday => (lots, 0),
            _ => (lots.min(before), lots - lots.min(before)),
        };
        if from_before > before || from_today > today {
            return false;
        }
        for (of_today, mut count) in [(false, from_before), (true, from_today)] {
            let day = self.day;
            self.lots.retain(|lot| {
                let hit = lot.second_book == second
                    && lot.direction == direction
                    && (lot.day == day) == of_today
                    && count > 0;
                count -= i64::from(hit);
                !hit
            });
        }
        true
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Trade { book: second, buy, effect, lots, px, fee } => {
                let side = if buy { Side::Buy } else { Side::Sell };
                let direction = effect.direction(side);
                if effect.closes() {
                    if !self.take(second, direction, effect, lots) {
                        return; // risk would have refused it
                    }
                } else {
                    let lot = Lot { second_book: second, direction, day: self.day, reckoned_e4: px * 10_000 };
                    self.lots.extend(std::iter::repeat_n(lot, lots as usize));
                }
                let amount = i128::from(px) * 10_000 * i128::from(lots * MULTIPLIER);
                self.flow_e4 += if buy { -amount } else { amount };
                self.fees_e4 += i128::from(fee);
                let trade = ContractTrade {
                    symbol: symbol(),
                    side,
                    effect,
                    qty: Qty::new(lots),
                    px: Price::from_e4(px * 10_000),
                    fee: Money::from_e4(fee),
                    date: date(self.day),
                    contract: self.contract,
                };
                self.ledger.trade_contract(&book(second), &trade);
            }
            Step::Night { px } => {
                let last = Price::from_e4(px * 10_000);
                let marks = self.ledger.marks(Marking::DayEnd, |_, _| Some((last, last, last)));
                self.ledger.mark(Timestamp::default(), &marks, true);
                self.lots.iter_mut().for_each(|lot| lot.reckoned_e4 = px * 10_000);
                self.day += 1;
                self.ledger.start_day(date(self.day));
            }
            Step::Restart => {
                let (account, contracts) = (self.ledger.account.clone(), self.ledger.contracts().to_vec());
                let (cash, day) = (self.ledger.cash, self.ledger.trade_date);
                self.ledger = Ledger::restore(account, cash, day, None, Vec::new()).with_contracts(contracts);
            }
        }
    }

    /// Σ lots of both books per direction and day, and every money that came and went.
    fn check(&self, last: i64) -> Result<(), TestCaseError> {
        let mut net = 0;
        for second in [false, true] {
            for direction in [Direction::Long, Direction::Short] {
                let (before, today) = (self.of(second, direction, false), self.of(second, direction, true));
                let held = self.ledger.contract(symbol(), &book(second), direction);
                let split = held.map_or((Qty::ZERO, Qty::ZERO), |book| book.on(date(self.day)));
                prop_assert_eq!(split, (Qty::new(before), Qty::new(today)));
                net += direction.sign() * (before + today);
                let own = self.lots.iter().filter(|lot| lot.second_book == second && lot.direction == direction);
                let reckoned: Vec<i64> = own.map(|lot| lot.reckoned_e4).collect();
                self.check_margin(held.map_or(Money::ZERO, |book| book.margin_held()), &reckoned)?;
            }
        }
        let last_px = Price::from_e4(last * 10_000);
        let equity = i128::from((self.ledger.cash + self.ledger.contracts_pnl(|_| Some(last_px))).e4());
        let due =
            i128::from(CASH) + self.flow_e4 - self.fees_e4 + i128::from(net * MULTIPLIER) * i128::from(last) * 10_000;
        prop_assert_eq!(equity, due, "money came or went");
        Ok(())
    }

    /// Lots leave a book at its average, so the margin is between that of the cheapest and of the dearest lots.
    fn check_margin(&self, margin: Money, reckoned: &[i64]) -> Result<(), TestCaseError> {
        let of = |px: Option<&i64>| {
            i128::from(px.copied().unwrap_or(0)) * reckoned.len() as i128 * i128::from(MULTIPLIER * MARGIN) / 1_000_000
        };
        let margin = i128::from(margin.e4());
        // Averages are rounded to 1e-4 at each close.
        let (least, most) = (of(reckoned.iter().min()) - 20, of(reckoned.iter().max()) + 20);
        if reckoned.is_empty() {
            prop_assert_eq!(margin, 0);
        } else {
            // The dearest or cheapest lots may have gone, whose part of the average stays behind.
            let (floor, ceiling) = (least.min(of(Some(&30_000_000))), most.max(of(Some(&40_000_000))));
            prop_assert!(margin >= floor && margin <= ceiling, "{margin} of {reckoned:?}");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn closes_take_lots_of_their_day_and_no_money_comes_or_goes(
        steps in proptest::collection::vec(step(), 1..40), last in 3_000_i64..4_000,
    ) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
            world.check(last)?;
        }
    }

    /// The oracle adds up lots one by one, since none of them is closed.
    #[test]
    fn margin_is_that_of_the_opening_price_until_the_settlement_and_of_its_price_after_it(
        opens in proptest::collection::vec((any::<bool>(), 1_i64..9, 1_i64..9_999_999), 1..12),
        settled in proptest::option::of(1_i64..9_999_999),
        multiplier in prop_oneof![Just(1_i64), Just(5), Just(10), Just(300), Just(10_000)],
        ratio in 1_i64..400_000,
    ) {
        let mut ledger = Ledger::new(AccountId::parse("a").expect("a name"));
        let contract = Contract {
            multiplier,
            margin: Ratio::from_e6(ratio),
            close: CloseFlags::One,
            fees: ContractFees::default(),
        };
        let mut value = [0_i128; 2];
        for (buy, lots, px) in &opens {
            let trade = ContractTrade {
                symbol: symbol(),
                side: if *buy { Side::Buy } else { Side::Sell },
                effect: Effect::Open,
                qty: Qty::new(*lots),
                px: Price::from_e4(*px),
                fee: Money::ZERO,
                date: date(0),
                contract,
            };
            ledger.trade_contract(&book(false), &trade);
            let px = settled.unwrap_or(*px);
            value[usize::from(*buy)] += i128::from(px) * i128::from(lots * multiplier);
        }
        if let Some(px) = settled {
            let px = Price::from_e4(px);
            let mark = Mark { symbol: symbol(), book: book(false), high: px, low: px, last: px };
            ledger.mark(Timestamp::default(), &[mark], true);
        }
        // Half away from zero at 1e-4, each direction by itself.
        let due: i128 = value.iter().map(|value| (value * i128::from(ratio) + 500_000) / 1_000_000).sum();
        prop_assert_eq!(i128::from(ledger.margin().e4()), due);
    }
}

#[test]
fn the_worth_at_a_close_is_known_where_every_lot_had_a_price() {
    let mut ledger = Ledger::new(AccountId::parse("a").expect("a name"));
    ledger.start_day(date(0));
    let contract = Contract {
        multiplier: 10,
        margin: Ratio::from_e6(100_000),
        close: CloseFlags::One,
        fees: ContractFees::default(),
    };
    let trade = ContractTrade {
        symbol: symbol(),
        side: Side::Buy,
        effect: Effect::Open,
        qty: Qty::new(2),
        px: Price::from_e4(33_000_000),
        fee: Money::ZERO,
        date: date(0),
        contract,
    };
    ledger.trade_contract(&book(false), &trade);
    let px = Price::from_e4(33_200_000);
    let mark = Mark { symbol: symbol(), book: book(false), high: px, low: px, last: px };
    ledger.mark(Timestamp::default(), &[mark], true);
    let over = ledger.start_day(date(1)).over.expect("the day before");
    let gained = Money::from_e4(2 * 10 * 200_000);
    assert_eq!((over.equity, ledger.prev_equity), (Some(gained), Some(gained)), "2 lots of 10 rose by 20.00");
    // Nobody told a price on the second day.
    let over = ledger.start_day(date(2)).over.expect("the day before");
    assert_eq!((over.equity, ledger.prev_equity), (None, None), "what the lots were worth then is not known");
}
