//! Price forms against an oracle that walks the ticks one by one.

use proptest::prelude::*;

use signalbox_domain::denial::DenialCode;
use signalbox_domain::execution::{PriceForm, Seen};
use signalbox_domain::order::Side;
use signalbox_domain::quote::Quote;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Span, Timestamp};

use crate::cases;
use crate::world::rules;

#[derive(Debug, Clone)]
struct Shown {
    last: i64,
    bid: Option<i64>,
    ask: Option<i64>,
    prev: Option<i64>,
    age_secs: i64,
    continuous: bool,
}

/// The limit prices by their definition: ten per cent of the previous close, half a fen up.
fn band(prev: i64) -> (i64, i64) {
    let fen = |tenths_of_percent: i64| (prev * tenths_of_percent + 50_000) / 100_000 * 100;
    (fen(900).min((prev - 1) / 100 * 100).max(100), fen(1_100).max(prev / 100 * 100 + 100))
}

fn expected(form: PriceForm, side: Side, shown: &Shown) -> Result<Option<i64>, DenialCode> {
    let buy = side == Side::Buy;
    let stale = shown.age_secs > 60;
    let (other, own) = if buy { (shown.ask, shown.bid) } else { (shown.bid, shown.ask) };
    let fresh = |px: Option<i64>| px.filter(|_| !stale).ok_or(DenialCode::QuoteStale);
    let wanted = match form {
        PriceForm::Market => return Ok(None),
        PriceForm::Last { ticks } => fresh(Some(shown.last + 100 * i64::from(ticks)))?,
        PriceForm::OppositeBest => fresh(other)?,
        PriceForm::OwnBest => fresh(own)?,
        PriceForm::LimitUp => band(shown.prev.ok_or(DenialCode::PriceLimit)?).1,
        PriceForm::LimitDown => band(shown.prev.ok_or(DenialCode::PriceLimit)?).0,
    };
    let reference = other.or(own).unwrap_or(shown.last);
    let allowed = |px: i64| {
        let in_band = shown.prev.is_none_or(|prev| (band(prev).0..=band(prev).1).contains(&px));
        let caged = !shown.continuous
            || if buy {
                px * 100 <= reference * 102 || px <= reference + 1_000
            } else {
                px * 100 >= reference * 98 || px >= reference - 1_000
            };
        in_band && caged
    };
    // The nearest allowed tick on the passive side of what is wanted; where that side has none, on the other.
    let ticks = 1..400_000_i64 / 100;
    let passive = ticks.clone().map(|n| n * 100).filter(|px| if buy { *px <= wanted } else { *px >= wanted });
    let found = passive.filter(|px| allowed(*px)).min_by_key(|px| (px - wanted).abs());
    let other_side = || ticks.map(|n| n * 100).filter(|px| allowed(*px)).min_by_key(|px| (px - wanted).abs());
    Ok(found.or_else(other_side))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases / 10, ..cases() })]

    #[test]
    fn a_price_is_the_nearest_that_the_exchange_takes(
        last in 20_000_i64..150_000,
        spread in prop::option::of(0_i64..6),
        both in any::<(bool, bool)>(),
        prev in prop::option::of(-800_i64..800),
        age_secs in prop_oneof![4 => 0_i64..=60, 1 => 61_i64..4_000],
        continuous in any::<bool>(),
        buy in any::<bool>(),
        form in prop_oneof![
            3 => (-30_i16..30).prop_map(|ticks| PriceForm::Last { ticks }),
            1 => Just(PriceForm::OppositeBest),
            1 => Just(PriceForm::OwnBest),
            1 => Just(PriceForm::LimitUp),
            1 => Just(PriceForm::LimitDown),
            1 => Just(PriceForm::Market),
        ],
    ) {
        let on_tick = last / 100 * 100;
        let away = spread.unwrap_or_default() * 100;
        let shown = Shown {
            last,
            bid: spread.filter(|_| both.0).map(|_| on_tick - away),
            ask: spread.filter(|_| both.1).map(|_| on_tick + away + 100),
            // Up to eight per cent from the last price, so that the market is within its band.
            prev: prev.map(|part| (last + last * part / 10_000) / 100 * 100),
            age_secs,
            continuous,
        };
        let quote = Quote {
            symbol: Symbol::parse("600000.SH").expect("a symbol"),
            last: Price::from_e4(shown.last),
            bid: shown.bid.map(Price::from_e4),
            ask: shown.ask.map(Price::from_e4),
            bid_size: None,
            ask_size: None,
            volume: None,
            prev_close: shown.prev.map(Price::from_e4),
            at: Timestamp::from_us(0),
        };
        let age = Span::from_secs(age_secs);
        let seen = Seen { rules: rules(Qty::new(1_000_000)), quote: Some(&quote), age, continuous };
        let side = if buy { Side::Buy } else { Side::Sell };
        let found = seen.price(form, side).map(|px| px.map(|px| px.e4())).map_err(|denial| denial.code);
        prop_assert_eq!(found, expected(form, side, &shown), "{:?} {:?} {:?}", form, side, shown);
    }
}

#[test]
fn without_a_quote_there_is_no_price() {
    let seen = Seen { rules: rules(Qty::new(1)), quote: None, age: Span::from_us(0), continuous: true };
    let found = seen.price(PriceForm::LimitUp, Side::Buy).map_err(|denial| denial.code);
    assert_eq!(found, Err(DenialCode::QuoteStale));
    assert_eq!(seen.price(PriceForm::Market, Side::Sell).ok(), Some(None));
}
