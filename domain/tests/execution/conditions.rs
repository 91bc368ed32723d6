//! Conditions against an oracle that reads every trade since the order was held, one by one.

use proptest::prelude::*;

use signalbox_domain::contract::Effect;
use signalbox_domain::execution::{Condition, Conditions, HeldFor, Misnamed, Named, NamedFor, Traded, Trail};
use signalbox_domain::order::Side;
use signalbox_domain::signal::Size;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Ratio};

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

/// Prices under their names, and an order for lots that opens or closes at a limit.
fn named() -> impl Strategy<Value = (Named, NamedFor)> {
    let level = || prop::option::of((90_i64..110).prop_map(|n| Price::from_e4(n * 1_000)));
    let effect = prop::sample::select(vec![Effect::Open, Effect::Close, Effect::CloseToday, Effect::CloseYesterday]);
    let trail = prop::option::of((1_i64..80).prop_map(|ticks| Trail::Amount(Price::from_e4(ticks * 100))));
    (level(), level(), level(), trail, level(), effect, any::<bool>()).prop_map(
        |(stop_price, stop_loss, take_profit, trail, limit_price, effect, sell)| {
            let symbol = Symbol::parse("m2509.DCE").expect("a symbol");
            let (side, effect, size) = (Some(side(sell)), Some(effect), Size::Quantity(Qty::new(1)));
            let order = NamedFor { symbol, side, effect, size, limit_price };
            (Named { stop_price, stop_loss, take_profit, trail }, order)
        },
    )
}

fn mirrored(px: Option<Price>) -> Option<Price> {
    px.map(|px| Price::from_e4(200_000 - px.e4()))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn short_lots_are_long_ones_in_the_mirror((named, order) in named()) {
        let held = |held: Conditions| Conditions {
            stop: mirrored(held.stop),
            take_profit: mirrored(held.take_profit),
            trail: held.trail,
        };
        let expected = match named.held_for(&order) {
            Ok(HeldFor { conditions, exits }) => Ok(HeldFor { conditions: conditions.map(held), exits: exits.map(held) }),
            Err(Misnamed::Crossed { out }) => Err(Misnamed::Crossed { out: out.opposite() }),
            Err(Misnamed::BeyondLimit { out }) => Err(Misnamed::BeyondLimit { out: out.opposite() }),
            Err(other) => Err(other),
        };
        let mirror = Named {
            stop_price: mirrored(named.stop_price),
            stop_loss: mirrored(named.stop_loss),
            take_profit: mirrored(named.take_profit),
            trail: named.trail,
        };
        let side = order.side.map(Side::opposite);
        let found = mirror.held_for(&NamedFor { side, limit_price: mirrored(order.limit_price), ..order });
        prop_assert_eq!(found, expected);
    }

    /// Lots are given up on the side that closes them, by what was named for it; no price is a loss and a profit at once, and
    /// none that are opened at their limit are closed there as a loss.
    #[test]
    fn what_the_door_takes_is_held_for_the_side_that_closes((named, order) in named(), px in 90_i64..110) {
        let Ok(HeldFor { conditions, exits }) = named.held_for(&order) else { return Ok(()) };
        let (side, effect) = (order.side.expect("a side"), order.effect.expect("an effect"));
        let out = effect.direction(side).closing_side();
        prop_assert!(exits.is_none() || !effect.closes(), "what closes has no way out");
        prop_assert_eq!(out == side, effect.closes());
        let (way, px) = (if effect.closes() { conditions } else { exits }.unwrap_or_default(), Price::from_e4(px * 1_000));
        prop_assert_eq!((way.take_profit, way.trail), (named.take_profit, named.trail));
        let at = |held: Conditions, px: Price| held.look(out, None, Traded { high: px, low: px, last: px }).0;
        let loss = at(Conditions { take_profit: None, trail: None, ..way }, px);
        let profit = at(Conditions { stop: None, trail: None, ..way }, px);
        prop_assert!(loss.is_none() || profit.is_none(), "{loss:?} and {profit:?} at {px}");
        let limit = order.limit_price.filter(|_| !effect.closes());
        let at_once = limit.and_then(|limit| at(Conditions { trail: None, take_profit: None, ..way }, limit));
        prop_assert_eq!(at_once, None);
    }

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
