//! What trades cost and what may be sold again, against oracles that count in whole numbers and in single shares.
//!
//! `SIGNALBOX_CASES` says how many cases each property is tried with, by default 100,000.

use proptest::prelude::*;

use signalbox_domain::contract::{CloseFlags, Contract, ContractFees, LotFee};
use signalbox_domain::fees::{FeeRules, StampDutyOf};
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::ledger::{Ledger, Trade};
use signalbox_domain::order::Side;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Timestamp, TradeDate};

fn cases() -> ProptestConfig {
    let cases = std::env::var("SIGNALBOX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A part of an amount in cents, half a cent upward: 1e-4 times 1e-6, and a cent is 1e-2.
fn cents(amount_e4: i128, rate_e6: i128) -> i128 {
    let (whole, rest) = (amount_e4 * rate_e6 / 100_000_000, amount_e4 * rate_e6 % 100_000_000);
    whole + i128::from(rest >= 50_000_000)
}

/// Shares of one book, one by one: the day on which each was bought.
type Shares = Vec<u32>;

const BOOKS: [&str; 3] = ["EXTERNAL", "a", "b"];

fn book(n: usize) -> StrategyId {
    StrategyId::parse(BOOKS[n]).expect("a name")
}

fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

fn day(n: u32) -> TradeDate {
    TradeDate::from_yyyymmdd(20_250_301 + n).expect("a day")
}

/// Takes shares of earlier days out: of the seller's book, then of the unclaimed one, then of the others.
fn sell(books: &mut [Shares; 3], seller: usize, qty: i64, today: u32) {
    let mut order: Vec<usize> = vec![seller];
    order.extend((0..3).filter(|n| *n != seller));
    let mut left = qty;
    for n in order {
        books[n].retain(|bought| {
            let goes = left > 0 && *bought < today;
            left -= i64::from(goes);
            !goes
        });
    }
    assert_eq!(left, 0, "the test sells only what may be sold");
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_fees_of_all_fills_are_those_of_the_whole_order_in_whole_cents(
        fills in proptest::collection::vec((1_i64..3_000_000, 1_i64..200_000), 1..12),
        selling in any::<bool>(),
        commission in 0_i64..5_000,
        minimum in 0_i64..1_000,
        stamp in 0_i64..2_000,
        transfer in 0_i64..50,
    ) {
        let rules = FeeRules {
            commission: Ratio::ZERO,
            commission_cap: Ratio::from_e6(3_000),
            commission_min: Money::ZERO,
            stamp_duty_sell: Ratio::from_e6(stamp),
            stamp_duty_of: StampDutyOf::Seller,
            transfer_fee: Ratio::from_e6(transfer),
        };
        let rules = rules.with_commission(Ratio::from_e6(commission)).with_commission_min(Money::from_e4(minimum * 100));
        let side = if selling { Side::Sell } else { Side::Buy };
        let (mut amount, mut charged) = (Money::ZERO, Money::ZERO);
        for (px, qty) in &fills {
            let after = amount + Price::from_e4(*px).times(Qty::new(*qty));
            charged += rules.fill_fees(side, amount, after).total();
            amount = after;
        }
        let whole: i128 = fills.iter().map(|(px, qty)| i128::from(*px) * i128::from(*qty)).sum();
        let broker = cents(whole, i128::from(commission.min(3_000))).max(i128::from(minimum));
        let duty = if selling { cents(whole, i128::from(stamp)) } else { 0 };
        let due = (broker + duty + cents(whole, i128::from(transfer))) * 100;
        prop_assert_eq!(i128::from(charged.e4()), due);
        // What is set aside for a buy at the dearest of its prices is enough.
        if !selling {
            let dearest = Price::from_e4(fills.iter().map(|(px, _)| *px).max().unwrap_or(1));
            let qty = Qty::new(fills.iter().map(|(_, qty)| *qty).sum());
            prop_assert!(amount + charged <= rules.buy_reserve(dearest, qty));
        }
    }

    #[test]
    fn a_lot_costs_by_the_lot_and_by_its_value_each_kind_by_itself(
        px in 1_i64..80_000_000, multiplier in 1_i64..1_001, before in 0_i64..500, today in 0_i64..500,
        per_lot in 0_i64..200_000, rate in 0_i64..1_000, today_rate in 0_i64..5_000,
    ) {
        let fee = |rate| LotFee { per_lot: Money::from_e4(per_lot), of_value: Ratio::from_e6(rate) };
        let contract = Contract {
            multiplier,
            margin: Ratio::from_percent(10),
            close: CloseFlags::TodayApart,
            fees: ContractFees { open: fee(rate), close: fee(rate), close_today: fee(today_rate) },
        };
        let price = Price::from_e4(px);
        let value = |lots: i64| i128::from(px) * i128::from(multiplier) * i128::from(lots);
        let due = |lots: i64, rate: i64| cents(value(lots), i128::from(rate)) * 100 + i128::from(per_lot * lots);
        prop_assert_eq!(i128::from(contract.open_fee(price, Qty::new(before)).e4()), due(before, rate));
        let closed = contract.close_fee(price, Qty::new(before), Qty::new(today));
        prop_assert_eq!(i128::from(closed.e4()), due(before, rate) + due(today, today_rate));
    }

    /// Own sales and a person's sales across all books, day after day.
    #[test]
    fn what_was_bought_today_is_never_what_is_sold(
        steps in proptest::collection::vec((0_usize..3, 0_u8..4, 1_i64..30), 1..40),
    ) {
        let mut ledger = Ledger::new(AccountId::parse("a").expect("a name"));
        ledger.start_day(day(0));
        let (mut books, mut today) = ([Shares::new(), Shares::new(), Shares::new()], 0);
        for (at, (who, what, qty)) in steps.into_iter().enumerate() {
            let old = |shares: &Shares| shares.iter().filter(|bought| **bought < today).count() as i64;
            let (side, qty) = match what {
                0 => {
                    books[who].extend(std::iter::repeat_n(today, qty as usize));
                    (Side::Buy, qty)
                }
                1 | 2 => {
                    // A strategy sells of its own, a person of all books.
                    let most = if what == 1 { old(&books[who]) } else { books.iter().map(old).sum() };
                    let qty = qty.min(most);
                    sell(&mut books, who, qty, today);
                    (Side::Sell, qty)
                }
                _ => {
                    today += 1;
                    ledger.start_day(day(today));
                    continue;
                }
            };
            if qty > 0 {
                let trade = Trade { symbol: symbol(), side, qty: Qty::new(qty), px: Price::from_e4(100_000), fee: Money::ZERO };
                ledger.fill(Timestamp::from_us(at as i64), &book(who), trade);
            }
            for (n, shares) in books.iter().enumerate() {
                let new = shares.iter().filter(|bought| **bought == today).count() as i64;
                let held = ledger.book(symbol(), &book(n)).map_or((0, 0), |b| (b.qty.get(), b.bought_today.get()));
                prop_assert_eq!(held, (shares.len() as i64, new), "book {}", BOOKS[n]);
            }
        }
    }
}
