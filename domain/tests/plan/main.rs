//! Sizes and splits against an oracle that knows sums and sentences: it hands out shares one lot at a time, finds how many a
//! sum pays for by trying, and shares no code with the planner.
//!
//! `SIGNALBOX_CASES` says how many cases each property is tried with, by default 100,000.

mod oracle;
mod stage;

use proptest::prelude::*;

use signalbox_domain::capital::CapitalBase;
use signalbox_domain::denial::DenialCode;
use signalbox_domain::order::Side;
use signalbox_domain::signal::Size;
use signalbox_domain::strategy::Allocation;
use signalbox_domain::units::{Money, Price, Qty, Ratio};

use oracle::expected;
use stage::{Case, Holder, planned};

fn cases() -> ProptestConfig {
    let cases = std::env::var("SIGNALBOX_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn holder() -> impl Strategy<Value = Holder> {
    let small = 0_i64..2_000;
    let lots = prop_oneof![2 => Just(0_i64), 3 => (0_i64..40).prop_map(|n| n * 100), 2 => small];
    (
        0_i64..5_000_000_000,
        prop_oneof![2 => Just(0_i64), 1 => 0_i64..5_000_000_000],
        lots,
        0_i64..=100,
        0_i64..30,
        prop_oneof![3 => Just(0_i64), 1 => (0_i64..5).prop_map(|n| n * 100)],
        prop_oneof![3 => Just(0_i64), 1 => (0_i64..5).prop_map(|n| n * 100)],
    )
        .prop_map(|(cash, aside, held, today, other, buys, sells)| Holder {
            cash,
            aside: aside.min(cash),
            held,
            bought_today: held * today / 100,
            other: other * 100,
            buys,
            sells: sells.min(held),
        })
}

fn size() -> impl Strategy<Value = (Size, Option<Side>)> {
    let side = || prop::sample::select(vec![Side::Buy, Side::Sell]);
    let sum = || prop_oneof![(1_i64..3_000).prop_map(|n| n * 1_000_000), 1_i64..5_000_000_000].prop_map(Money::from_e4);
    let share =
        || prop_oneof![(1_i64..=100).prop_map(Ratio::from_percent), (1_i64..=1_000_000).prop_map(Ratio::from_e6)];
    prop_oneof![
        ((1_i64..60).prop_map(|n| Qty::new(n * 100)), side()).prop_map(|(qty, side)| (Size::Quantity(qty), Some(side))),
        (sum(), side()).prop_map(|(sum, side)| (Size::Amount(sum), Some(side))),
        (share(), side()).prop_map(|(share, side)| (Size::Percent(share), Some(side))),
        Just((Size::All, Some(Side::Sell))),
        Just((Size::AllIn, Some(Side::Buy))),
        (0_i64..6_000).prop_map(|n| (Size::TargetQuantity(Qty::new(n)), None)),
        share().prop_map(|share| (Size::TargetWeight(share), None)),
        Just((Size::TargetWeight(Ratio::ZERO), None)),
        sum().prop_map(|sum| (Size::TargetAmount(sum), None)),
    ]
}

fn base() -> impl Strategy<Value = CapitalBase> {
    prop_oneof![
        1 => Just(CapitalBase::None),
        3 => prop::sample::select(vec![1_000_000, 300_000, 333_333]).prop_map(|e6| CapitalBase::Equity(Ratio::from_e6(e6))),
        3 => (1_i64..5_000_000_000).prop_map(|e4| CapitalBase::Fixed(Money::from_e4(e4))),
        2 => Just(CapitalBase::Book),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let all = vec![Allocation::FixedRatio, Allocation::EqualQuantity, Allocation::Equity, Allocation::AvailableCash];
    (
        prop::collection::vec(holder(), 1..5),
        size(),
        base(),
        prop::sample::select(all),
        prop::sample::select(vec![1_000_000_i64, 1_000_000, 500_000, 2_000_000, 333_333, 1_234_567]),
        prop::sample::select(vec![false, true]),
        (100_i64..2_000, 0_i64..3, prop::option::of(100_i64..2_000)),
    )
        .prop_map(|(holders, (size, side), base, allocation, ratio, star, (last, spread, limit))| Case {
            holders,
            size,
            side,
            base,
            allocation,
            ratio: Ratio::from_e6(ratio),
            star,
            last: last * 100,
            spread: spread * 100,
            limit: limit.map(|cents| Price::from_e4(cents * 100)),
        })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_plan_is_what_the_sentences_say(case in case()) {
        let plan = planned(&case);
        match expected(&case) {
            Err(code) => prop_assert_eq!(plan.err().map(|denials| denials[0].code), Some(code)),
            Ok((legs, residual)) => {
                let plan = plan.expect("a plan");
                let found: Vec<(usize, Side, i128)> = plan
                    .legs
                    .iter()
                    .map(|leg| (stage::index(&leg.account), leg.side, i128::from(leg.qty.get())))
                    .collect();
                prop_assert_eq!(found, legs);
                prop_assert_eq!(i128::from(plan.residual.get()), residual);
            }
        }
    }

    /// Whatever is asked for in money never costs more than that, at the price it was reckoned with.
    #[test]
    fn money_is_never_spent_twice(case in case()) {
        let Ok(plan) = planned(&case) else { return Ok(()) };
        let (Size::Amount(sum), Some(Side::Buy)) = (case.size, case.side) else { return Ok(()) };
        let price = case.limit.unwrap_or_else(|| Price::from_e4(case.last + case.spread));
        let bought: i128 = plan.legs.iter().map(|leg| i128::from(price.times(leg.qty).e4())).sum();
        let times = if case.allocation == Allocation::FixedRatio { case.holders.len() as i128 } else { 1 };
        prop_assert!(bought * 1_000_000 <= i128::from(sum.e4()) * i128::from(case.ratio.e6()) * times);
    }

    /// A sell of a part, of everything or towards a target takes nothing that is sold already or may not be sold today.
    #[test]
    fn nothing_is_sold_that_cannot_be(case in case()) {
        let Ok(plan) = planned(&case) else { return Ok(()) };
        if matches!(case.size, Size::Quantity(_) | Size::Amount(_)) {
            return Ok(());
        }
        for leg in plan.legs.iter().filter(|leg| leg.side == Side::Sell) {
            let holder = &case.holders[stage::index(&leg.account)];
            prop_assert!(leg.qty.get() <= (holder.held - holder.bought_today - holder.sells).max(0));
        }
    }
}

#[test]
fn a_percentage_without_a_base_is_refused() {
    let case = Case { size: Size::Percent(Ratio::from_percent(25)), side: Some(Side::Buy), ..Case::plain() };
    assert_eq!(planned(&case).map_err(|denials| denials[0].code), Err(DenialCode::CapitalBase));
    let flat = Case { size: Size::TargetWeight(Ratio::ZERO), side: None, ..Case::plain() };
    assert!(planned(&flat).is_ok(), "to be flat takes no base");
}
