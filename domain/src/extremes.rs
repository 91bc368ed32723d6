//! The highest and the lowest price since any instant of the last day.
//!
//! Kept are only the prices that no later one has passed: the highest since an instant is then the first of them that is
//! not older. A price comes in for the cost of the prices that it passes, each of which it removes, and there are never
//! more than a day has different prices.

use std::collections::VecDeque;

use crate::units::{Price, Span, Timestamp};

/// How far back is remembered: a session and the night after it.
const KEPT: Span = Span::from_secs(24 * 3_600);

/// See the module.
#[derive(Debug, Default)]
pub struct Extremes {
    highs: VecDeque<(Timestamp, Price)>,
    lows: VecDeque<(Timestamp, Price)>,
}

impl Extremes {
    /// Takes the newest price. Time does not go back.
    pub fn put(&mut self, at: Timestamp, px: Price) {
        put(&mut self.highs, at, px, |old, new| old <= new);
        put(&mut self.lows, at, px, |old, new| old >= new);
    }

    /// The highest and the lowest price at or after the instant; `None` without any.
    #[must_use]
    pub fn since(&self, at: Timestamp) -> Option<(Price, Price)> {
        Some((first(&self.highs, at)?, first(&self.lows, at)?))
    }
}

fn put(prices: &mut VecDeque<(Timestamp, Price)>, at: Timestamp, px: Price, passed: fn(Price, Price) -> bool) {
    while prices.back().is_some_and(|(_, old)| passed(*old, px)) {
        prices.pop_back();
    }
    prices.push_back((at, px));
    while prices.front().is_some_and(|(old, _)| at.since(*old) > KEPT) {
        prices.pop_front();
    }
}

fn first(prices: &VecDeque<(Timestamp, Price)>, at: Timestamp) -> Option<Price> {
    prices.get(prices.partition_point(|(old, _)| *old < at)).map(|(_, px)| *px)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases;

    proptest! {
        #![proptest_config(cases::config())]

        /// The oracle keeps every price and looks at all of them.
        #[test]
        fn extremes_are_those_of_all_prices_since(shown in prop::collection::vec((0_i64..3, 1_i64..12, 0_i64..90), 40)) {
            let (mut at, mut extremes, mut all) = (0, Extremes::default(), Vec::new());
            for (later, px, since) in shown {
                at += later;
                let px = Price::from_e4(px);
                extremes.put(Timestamp::from_us(at), px);
                all.push((at, px));
                let seen = || all.iter().filter(|(at, _)| *at >= since).map(|(_, px)| *px);
                prop_assert_eq!(extremes.since(Timestamp::from_us(since)), seen().max().zip(seen().min()));
            }
        }
    }

    #[test]
    fn what_is_older_than_a_day_is_forgotten() {
        let mut extremes = Extremes::default();
        extremes.put(Timestamp::from_us(0), Price::from_e4(9));
        extremes.put(Timestamp::from_us(0).plus(KEPT).plus(Span::from_us(1)), Price::from_e4(5));
        assert_eq!(extremes.since(Timestamp::from_us(0)), Some((Price::from_e4(5), Price::from_e4(5))));
    }
}
