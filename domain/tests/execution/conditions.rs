//! Conditions against an oracle that reads every trade since the order was held, one by one.

use proptest::prelude::*;

use signalbox_domain::execution::{Condition, Conditions, Traded, Trail};
use signalbox_domain::order::Side;
use signalbox_domain::units::{Price, Ratio};

use crate::cases;

/// Which condition the trades up to the `n`th make true with that trade.
fn expected(conditions: &Conditions, sell: bool, trades: &[i64], n: usize) -> Option<Condition> {
    // A buy is a sell in the mirror.
    let sign = if sell { 1 } else { -1 };
    let px = trades[n] * sign;
    if conditions.stop.is_some_and(|stop| px <= stop.e4() * sign) {
        return Some(Condition::Stop);
    }
    let best = trades[..=n].iter().map(|px| px * sign).max()?;
    let fell = conditions.trail.is_some_and(|trail| match trail {
        Trail::Amount(amount) => best - px >= amount.e4(),
        // Whole parts of a ten-thousandth, as prices are.
        Trail::Percent(part) => best - px >= best.abs() * part.e6() / 1_000_000,
    });
    if fell {
        return Some(Condition::Trailing);
    }
    conditions.take_profit.filter(|take| px >= take.e4() * sign).map(|_| Condition::TakeProfit)
}

fn conditions() -> impl Strategy<Value = (Conditions, bool)> {
    let level = || prop::option::of((900_i64..1_100).prop_map(|n| Price::from_e4(n * 100)));
    let trail = prop::option::of(prop_oneof![
        (1_i64..80).prop_map(|ticks| Trail::Amount(Price::from_e4(ticks * 100))),
        (1_000_i64..80_000).prop_map(|part| Trail::Percent(Ratio::from_e6(part))),
    ]);
    (level(), level(), trail, any::<bool>())
        .prop_map(|(stop, take_profit, trail, sell)| (Conditions { stop, take_profit, trail }, sell))
}

fn trades() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(-15_i64..16, 1..60).prop_map(|moves| {
        let walk = moves.into_iter().scan(100_000, |px, step| {
            *px += step * 100;
            Some(*px)
        });
        walk.collect()
    })
}

fn side(sell: bool) -> Side {
    if sell { Side::Sell } else { Side::Buy }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn trade_by_trade_the_first_that_comes_true_is_told_at_once((held, sell) in conditions(), trades in trades()) {
        let mut best = None;
        for (n, px) in trades.iter().enumerate() {
            let px = Price::from_e4(*px);
            let (met, now_best) = held.look(side(sell), best, Traded { high: px, low: px, last: px });
            prop_assert_eq!(met, expected(&held, sell, &trades, n), "trade {}", n);
            if met.is_some() {
                return Ok(());
            }
            best = Some(now_best);
        }
    }

    /// Several trades in one look: nothing is told that did not happen, and no stop and no take-profit is missed. A
    /// restart between two looks keeps the best price and nothing else.
    #[test]
    fn several_trades_in_one_look_hide_no_stop((held, sell) in conditions(), trades in trades(), cut in 1_usize..6) {
        let (mut best, mut seen) = (None, 0);
        for look in trades.chunks(cut) {
            let px = |e4: &i64| Price::from_e4(*e4);
            let high = look.iter().max().map(px).expect("a trade");
            let low = look.iter().min().map(px).expect("a trade");
            let traded = Traded { high, low, last: look.last().map(px).expect("a trade") };
            let before = best;
            let (met, now_best) = held.look(side(sell), best, traded);
            let within: Vec<_> = (seen..seen + look.len()).filter_map(|n| expected(&held, sell, &trades, n)).collect();
            match met {
                Some(met) => prop_assert!(within.contains(&met) || met == Condition::Stop && held.stop.is_some(), "{met:?}"),
                None => {
                    prop_assert!(within.iter().all(|met| *met == Condition::Trailing), "missed {within:?}");
                    // How far a price came back from the best of the looks before is known, whatever the order.
                    let fell = |best: Price| {
                        look.iter().any(|px| expected(&held, sell, &[best.e4(), *px], 1) == Some(Condition::Trailing))
                    };
                    prop_assert!(!before.is_some_and(fell), "missed the trail");
                }
            }
            if met.is_some() || !within.is_empty() {
                return Ok(());
            }
            (best, seen) = (Some(now_best), seen + look.len());
        }
    }
}
