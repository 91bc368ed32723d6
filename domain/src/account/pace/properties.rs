//! The pace against an oracle that remembers when each message went.

use proptest::prelude::*;

use super::{Pace, Pacing};
use crate::units::Timestamp;

const SECOND: i64 = 1_000_000;

/// Messages after `from` (not at it) up to and with `to`.
fn within(sent: &[i64], from: i64, to: i64) -> usize {
    sent.iter().rev().take_while(|at| **at > from).filter(|at| **at <= to).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// `cancel`: what may not wait.
    #[test]
    fn orders_keep_to_second_and_minute_whatever_could_not_wait_and_none_waits_for_nothing(
        steps in proptest::collection::vec((0_i64..3_000_000, prop::bool::weighted(0.2)), 1..80),
        per_second in 1_u32..8,
        per_minute in 1_u32..40,
        per_day in 10_u32..100,
    ) {
        let mut pace = Pace::new(Pacing { per_second, per_minute, per_day });
        let (mut at, mut all, mut orders) = (5 * SECOND, Vec::new(), Vec::new());
        for (passed, cancel) in steps {
            at += passed;
            let (now, today) = (Timestamp::from_us(at), all.len() as u32);
            if cancel {
                pace.refill(now);
                pace.sent(now);
                all.push(at);
                continue;
            }
            let of_minute = if today >= per_day { (per_minute / 4).max(1) } else { per_minute };
            if pace.may_send(now, today) {
                pace.sent(now);
                all.push(at);
                orders.push(at);
                prop_assert!(within(&all, at - 60 * SECOND, at) <= of_minute as usize, "a minute has too many");
                let second = within(&orders, at - SECOND, at);
                prop_assert!(second <= 2 * per_second as usize, "{second} orders in a second of {per_second}");
            } else {
                // Something is full: the minute, counted in whole seconds, or what a second may have with what was borrowed.
                let minute = within(&all, at - 61 * SECOND, at) >= of_minute as usize;
                let seconds = i64::from(per_second);
                let borrowed = (1..=all.len() as i64).any(|n| {
                    let from = all[all.len() - n as usize];
                    // `n` messages since then, of which a burst and what came back since then are free.
                    n + 1 > seconds + (at - from) * seconds / SECOND
                });
                prop_assert!(minute || borrowed, "it waits for nothing");
                // Each time it wakes up one second less counts.
                let mut wake = now;
                for turn in 0.. {
                    prop_assert!(turn < 64, "it is woken again and again");
                    let next = pace.wake_at(false, today).expect("it says when");
                    prop_assert!(next > wake, "it is woken for nothing");
                    wake = next;
                    if pace.may_send(wake, today) {
                        break;
                    }
                }
                at = wake.us();
                pace.sent(wake);
                all.push(at);
                orders.push(at);
            }
        }
    }
}
