//! Rounding to ticks and lots, limits and cages, against the sentences of the rules tried price by price.
//!
//! `SIGNALBOX_CASES` says how many cases each property is tried with, by default 100,000.

use std::sync::Arc;

use proptest::prelude::*;

use signalbox_domain::calendar::sessions::FutureHours;
use signalbox_domain::futures::{CloseFlags, FutureFacts};
use signalbox_domain::instrument::{Board, Currency, Instrument, Settle};
use signalbox_domain::order::Side;
use signalbox_domain::rules::abroad::{ForeignBook, Ladder};
use signalbox_domain::rules::{Cage, DayRules, PriceLimit, RuleBook};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Ratio, TradeDate};

fn cases() -> ProptestConfig {
    let cases = std::env::var("SIGNALBOX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The rules of each board as they ship, on a day on which all are known.
fn boards() -> Vec<DayRules> {
    let book = RuleBook::parse(&[
        include_str!("../../../conf/rules/cn_equity_rules.csv"),
        include_str!("../../../conf/rules/cn_lots.csv"),
        include_str!("../../../conf/rules/cn_supplement.csv"),
    ])
    .expect("the rules");
    let rules = |code: &str, board, day| {
        let known = Instrument {
            symbol: Symbol::parse(code).expect("a symbol"),
            name: "".into(),
            board,
            st: false,
            settle: Settle::Ordinary,
            etf_20pct: false,
            listed_on: None,
            currency: Currency::Cny,
            history: Arc::default(),
        };
        book.day(&known, TradeDate::parse(day).expect("a day"), None).expect("rules")
    };
    vec![
        rules("600000.SH", Board::Main, "2026-07-06"),
        rules("600000.SH", Board::Main, "2016-07-06"),
        rules("300750.SZ", Board::ChiNext, "2026-07-06"),
        rules("688111.SH", Board::Star, "2026-07-06"),
        rules("430047.BJ", Board::Beijing, "2026-07-06"),
        rules("510300.SH", Board::Etf, "2026-07-06"),
        rules("900901.SH", Board::BShare, "2026-07-06"),
        rules("200012.SZ", Board::BShare, "2026-07-06"),
        rules("113050.SH", Board::Convertible, "2026-07-06"),
        rules("204001.SH", Board::Repo, "2026-07-06"),
        rules("204001.SH", Board::Repo, "2020-07-06"),
    ]
}

thread_local! {
    /// Hong Kong on the last day of its old ticks and on the first of the new ones: read once, used in every case.
    static LADDERS: [Ladder; 2] = {
        let book = ForeignBook::parse(
            include_str!("../../../conf/instruments/abroad.csv"),
            include_str!("../../../conf/rules/abroad.csv"),
        )
        .expect("the tables");
        ["2025-08-01", "2025-08-04"].map(|day| {
            let symbol = Symbol::parse("1810.HK").expect("a symbol");
            book.day(symbol, TradeDate::parse(day).expect("a day")).expect("rules").ladder
        })
    };
}

/// A price in ticks: often so small that a percentage of it is nothing.
fn ticks() -> impl Strategy<Value = i64> {
    prop_oneof![1_i64..30, 1_i64..3_000, 1_i64..3_000_000]
}

/// Of all multiples of the tick the one nearest to the exact limit, and of two as near the higher: half up. Found by
/// looking around, with nothing but multiplication.
fn nearest(prev: i64, factor: i64, tick: i64) -> i64 {
    let exact = i128::from(prev) * i128::from(factor);
    let about = prev / tick * factor / 1_000_000;
    let distance = |ticks: i64| (i128::from(ticks) * i128::from(tick) * 1_000_000 - exact).abs();
    let best = (about - 3..=about + 3).map(|ticks| (distance(ticks), -ticks)).min().expect("candidates");
    -best.1 * tick
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_limit_is_the_nearest_price_on_the_tick_and_half_goes_up(
        rules in proptest::sample::select(boards()), ticks in ticks(), up in 1_i64..600_000, down in 1_i64..600_000,
    ) {
        let limit = PriceLimit::Percent { up: Ratio::from_e6(up), down: Ratio::from_e6(down) };
        let tick = rules.tick.e4();
        let prev = ticks * tick;
        let bare = DayRules { limit, one_tick_floor: false, ..rules };
        let (low, high) = bare.price_band(Price::from_e4(prev)).expect("a limit");
        prop_assert_eq!(high.e4(), nearest(prev, 1_000_000 + up, tick).max(tick));
        prop_assert_eq!(low.e4(), nearest(prev, 1_000_000 - down, tick).max(tick));
        let floor = DayRules { limit, one_tick_floor: true, one_tick_floor_to: None, ..rules };
        let (floor_low, floor_high) = floor.price_band(Price::from_e4(prev)).expect("a limit");
        prop_assert_eq!(floor_high, if high.e4() == prev { Price::from_e4(prev + tick) } else { high });
        prop_assert_eq!(floor_low, if low.e4() == prev { Price::from_e4((prev - tick).max(tick)) } else { low });
    }

    #[test]
    fn a_cage_holds_every_price_that_the_rule_allows_and_no_other(
        rules in proptest::sample::select(boards()), ticks in ticks(), pct in 1_i64..80_000, least in 0_i64..30,
    ) {
        let tick = rules.tick.e4();
        let rules = DayRules { cage: Some(Cage { pct: Ratio::from_e6(pct), at_least: Price::from_e4(least * tick) }), ..rules };
        let at = ticks * tick;
        // A buy is inside at or below (100 + pct) % of the reference, or within the least width.
        let buys = |price: i64| i128::from(price) * 1_000_000 <= i128::from(at) * i128::from(1_000_000 + pct) || price <= at + least * tick;
        let sells = |price: i64| i128::from(price) * 1_000_000 >= i128::from(at) * i128::from(1_000_000 - pct) || price >= at - least * tick;
        let end = |side| rules.cage_end(side, Price::from_e4(at)).expect("a cage").e4();
        let (buy, sell) = (end(Side::Buy), end(Side::Sell));
        prop_assert!(buy % tick == 0 && buys(buy) && !buys(buy + tick), "buy up to {buy} around {at}");
        prop_assert!(sell % tick == 0 && sells(sell) && (sell == tick || !sells(sell - tick)), "sell down to {sell} around {at}");
    }

    #[test]
    fn rounding_a_quantity_down_gives_the_largest_that_the_exchange_takes(
        rules in proptest::sample::select(boards()), sell in any::<bool>(), qty in 0_i64..4_000, sellable in 0_i64..4_000,
    ) {
        let (side, min, step) = match sell {
            true => (Side::Sell, rules.sell_min.get(), rules.sell_step.get()),
            false => (Side::Buy, rules.buy_min.get(), rules.buy_step.get()),
        };
        let round = |q: i64| q >= min && q % step == 0;
        // What no round order can sell goes as a whole, alone or beside whole steps.
        let odd = if sellable < min { sellable } else { sellable % step };
        let takes = |q: i64| match sell {
            true => q > 0 && q <= sellable && (round(q) || (odd > 0 && q >= odd && (q - odd) % step == 0)),
            false => q > 0 && round(q),
        };
        let best = (1..=qty).rev().find(|q| takes(*q)).unwrap_or(0);
        prop_assert_eq!(rules.round_down(side, Qty::new(qty), Qty::new(sellable)).get(), best);
        prop_assert_eq!(rules.check_qty(side, Qty::new(qty), Qty::new(sellable)).is_ok(), takes(qty));
    }

    #[test]
    fn the_limits_of_a_future_are_the_outermost_prices_on_the_tick_that_are_inside(
        tick in proptest::sample::select(vec![20_i64, 50, 200, 2_000, 5_000, 10_000, 50_000, 100_000]),
        settlement in 1_i64..2_000_000, percent in 10_000_i64..300_000,
    ) {
        let settlement = settlement * 10 * tick / tick.min(100);
        let hours = FutureHours { day: vec![(540, 615)], night: None };
        let facts = FutureFacts {
            multiplier: 10, tick: Price::from_e4(tick), hours, order_max_limit: None, order_max_market: None, margin: None,
            close: CloseFlags::One, as_of: TradeDate::parse("2020-06-16").expect("a day"),
        };
        let (low, high) = facts.price_band(Price::from_e4(settlement), Ratio::from_e6(percent));
        let inside = |price: i64| {
            let exact = i128::from(price) * 1_000_000;
            let end = |factor: i64| i128::from(settlement) * i128::from(factor);
            end(1_000_000 - percent) <= exact && exact <= end(1_000_000 + percent)
        };
        prop_assert!(low.e4() % tick == 0 && high.e4() % tick == 0);
        prop_assert!(!inside(high.e4() + tick) && !inside(low.e4() - tick));
        // A band narrower than a tick may hold none.
        prop_assert!(low > high || (inside(low.e4()) && inside(high.e4())));
    }

    #[test]
    fn a_price_in_hong_kong_is_rounded_to_the_nearest_on_the_ladder_on_either_side(
        price in prop_oneof![30 => 1_i64..1_200_000, 1 => 1_i64..101_000_000, 1 => 99_000_000_i64..101_000_000],
        new in any::<bool>(),
    ) {
        // As the exchange prints it: up to so many dollars, in tenths of a cent.
        let middle = if new { [(20_000, 10), (50_000, 20)] } else { [(20_000, 20), (50_000, 50)] };
        let low = [(250, 1), (500, 5), (10_000, 10)];
        let high = [(100_000, 50), (200_000, 100), (500_000, 200), (1_000_000, 500), (2_000_000, 1_000), (5_000_000, 2_000), (9_995_000, 5_000)];
        let table = || low.iter().chain(&middle).chain(&high);
        let fits = |milli: i64| milli > 0 && table().find(|(up_to, _)| milli <= *up_to).is_some_and(|(_, tick)| milli % tick == 0);
        // From the highest price that there is, or the nearest tenth of a cent, downward; and upward likewise.
        let from = (price / 10).min(9_995_000);
        let down = (from - 5_001..=from).rev().find(|milli| fits(*milli)).map(|milli| milli * 10);
        let from = (price + 9) / 10;
        let up = (from..from + 5_001).find(|milli| fits(*milli)).map(|milli| milli * 10);
        let ladder = &LADDERS.with(|ladders| ladders[usize::from(new)]);
        prop_assert_eq!(ladder.round_down(Price::from_e4(price)).map(Price::e4), down);
        prop_assert_eq!(ladder.round_up(Price::from_e4(price)).map(Price::e4), up);
        prop_assert_eq!(ladder.on_tick(Price::from_e4(price)), price % 10 == 0 && fits(price / 10));
    }
}
