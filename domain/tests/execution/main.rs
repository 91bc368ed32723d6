//! Parents that are pursued, against a venue that does what it likes: it fills, refuses, loses answers and finds them
//! again, days end, and the process begins anew in between. The oracle keeps every order by itself, in plain numbers, and
//! shares no code with what decides.
//!
//! `SIGNALBOX_CASES` says how many cases each property is tried with, by default 100,000.

mod conditions;
mod prices;
mod world;

use proptest::prelude::*;

use signalbox_domain::execution::{Policy, PriceForm};
use signalbox_domain::order::Side;
use signalbox_domain::units::{Price, Qty, Span};

use world::{Script, World};

pub(crate) fn cases() -> ProptestConfig {
    let cases = std::env::var("SIGNALBOX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn policy() -> impl Strategy<Value = Policy> {
    let secs = |from: i64, to: i64| (from..to).prop_map(Span::from_secs);
    let maybe = || prop::option::of((20_i64..3_000).prop_map(Span::from_secs));
    prop_oneof![
        Just(Policy::Once),
        (secs(10, 300), 1_u8..6).prop_map(|(wait, attempts)| Policy::BuyThenGiveUp { wait, attempts }),
        (secs(10, 200), maybe(), maybe()).prop_map(|(reprice_every, escalate_after, market_after)| {
            Policy::SellUntilDone { reprice_every, escalate_after, market_after }
        }),
        (secs(10, 200), 1_u8..8).prop_map(|(every, max)| Policy::Reprice { every, max }),
        (secs(60, 4_000), 2_u16..30).prop_map(|(duration, slices)| Policy::Twap { duration, slices }),
        (1_i64..20).prop_map(|lots| Policy::Iceberg { display: Qty::new(lots * 100) }),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let form = prop_oneof![
        2 => (-3_i16..4).prop_map(|ticks| Some(PriceForm::Last { ticks })),
        1 => Just(Some(PriceForm::OppositeBest)),
        1 => Just(Some(PriceForm::OwnBest)),
        1 => Just(Some(PriceForm::Market)),
        1 => Just(Some(PriceForm::LimitUp)),
        1 => Just(Some(PriceForm::LimitDown)),
        1 => Just(None),
    ];
    let steps = prop::collection::vec(any::<u32>(), 1..80);
    let size = (1_i64..60, 0_i64..100, prop_oneof![3 => Just(1_000_000_i64), 1 => (2_i64..20).prop_map(|n| n * 100)]);
    (policy(), form, any::<bool>(), size, any::<[bool; 2]>(), 0_i64..330, 1_i64..3, steps).prop_map(
        |(policy, form, buy, (lots, odd, max), [renew, out], minute, days, steps)| Script {
            policy,
            form,
            side: if buy { Side::Buy } else { Side::Sell },
            qty: Qty::new(lots * 100 + if buy { 0 } else { odd }),
            order_max: Qty::new(max),
            limit: Price::from_e4(100_000),
            renew,
            out,
            start_minute: minute,
            days,
            steps,
        },
    )
}

proptest! {
    #![proptest_config(cases())]

    /// Filled, working and residual are the parent, at every instant; and no order breaks a rule of its policy.
    #[test]
    fn filled_working_and_residual_are_the_parent(script in script()) {
        World::play(&script)?;
    }
}

/// Three of a split were refused and one was denied: the denial alone must not place them again.
#[test]
fn what_was_refused_three_times_is_not_placed_again_because_another_part_was_denied() {
    let script = Script {
        policy: Policy::SellUntilDone { reprice_every: Span::from_secs(10), escalate_after: None, market_after: None },
        form: None,
        side: Side::Sell,
        qty: Qty::new(4_401),
        order_max: Qty::new(700),
        limit: Price::from_e4(100_000),
        renew: false,
        out: false,
        start_minute: 0,
        days: 1,
        steps: vec![
            2_070_586_302,
            2_598_425_352,
            2_594_322_504,
            4_254_674_142,
            3_700_379_224,
            1_403_539_246,
            1_455_170_414,
        ],
    };
    World::play(&script).expect("the promises hold");
}
