//! Splitting a quantity over accounts so that nothing is lost and nothing invented: largest remainder, in whole lots.

use crate::units::{Qty, mul_div_floor};

/// Splits `total` in proportion to `weights` in multiples of `lot`; shares + residual = total, exactly.
///
/// Each share is first rounded down; the lots that are left go, one each, to the largest remainders (the earlier
/// account on a tie). What is no whole lot is the residual. Weights that are zero or negative get nothing; without any
/// positive weight all is residual. `total` is not negative, `lot` is positive.
#[must_use]
pub fn by_weight(total: Qty, weights: &[i64], lot: Qty) -> (Vec<Qty>, Qty) {
    let lots = total.get() / lot.get();
    let sum: i128 = weights.iter().map(|w| i128::from((*w).max(0))).sum();
    if sum == 0 || lots <= 0 {
        return (vec![Qty::ZERO; weights.len()], total);
    }
    let mut shares = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut given = 0_i64;
    for (index, weight) in weights.iter().enumerate() {
        let exact = i128::from(lots) * i128::from((*weight).max(0));
        let share = (exact / sum) as i64; // at most `lots`
        given += share;
        shares.push(share);
        remainders.push((exact % sum, index));
    }
    let left = (lots - given) as usize; // fewer than there are accounts with a remainder
    if left > 0 {
        remainders.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, index) in &remainders[..left] {
            shares[*index] += 1;
        }
    }
    let shares: Vec<Qty> = shares.into_iter().map(|lots| Qty::new(lots * lot.get())).collect();
    let residual = total - shares.iter().copied().sum();
    (shares, residual)
}

/// `qty` times the follow ratio, rounded down to one share: rounding to lots happens only at the edge.
#[must_use]
pub fn follow(qty: Qty, ratio: crate::units::Ratio) -> Qty {
    Qty::new(mul_div_floor(qty.get(), ratio.e6(), crate::units::Ratio::ONE.e6()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_accounts_share_by_equity_in_whole_lots() {
        let (shares, residual) = by_weight(Qty::new(1_750), &[1_000_000, 500_000, 200_000], Qty::new(100));
        assert_eq!(shares, [Qty::new(1_000), Qty::new(500), Qty::new(200)]);
        assert_eq!(residual, Qty::new(50));
    }

    #[test]
    fn the_largest_remainder_gets_the_lot_that_is_left() {
        let (shares, residual) = by_weight(Qty::new(200), &[10, 10, 13], Qty::new(100));
        assert_eq!(shares, [Qty::new(100), Qty::ZERO, Qty::new(100)]);
        assert_eq!(residual, Qty::ZERO);
    }

    /// The oracle gives lots out one by one to whoever is furthest below his exact share.
    fn oracle(total: i64, weights: &[i64], lot: i64) -> Vec<i64> {
        let lots = total / lot;
        let sum: i128 = weights.iter().map(|w| i128::from(*w)).sum();
        let mut out: Vec<i64> = weights.iter().map(|w| (i128::from(lots) * i128::from(*w) / sum) as i64).collect();
        while out.iter().sum::<i64>() < lots {
            let missing = |i: usize| i128::from(lots) * i128::from(weights[i]) - i128::from(out[i]) * sum;
            let mut best = 0;
            for i in 1..weights.len() {
                if missing(i) > missing(best) {
                    best = i;
                }
            }
            out[best] += 1;
        }
        out.iter().map(|l| l * lot).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]
        #[test]
        fn shares_and_residual_are_the_whole_and_nobody_is_a_lot_away_from_his_due(
            total in 0_i64..100_000_000,
            weights in prop::collection::vec(0_i64..1_000_000_000_000_000, 1..12),
            lot in prop::sample::select(vec![1_i64, 10, 100, 200]),
        ) {
            let (shares, residual) = by_weight(Qty::new(total), &weights, Qty::new(lot));
            let sum: i64 = shares.iter().map(|s| s.get()).sum();
            prop_assert_eq!(sum + residual.get(), total);
            prop_assert!(shares.iter().all(|s| s.get() >= 0 && s.get() % lot == 0));
            if weights.iter().any(|w| *w > 0) {
                prop_assert!(residual.get() < lot);
                let expected = oracle(total, &weights, lot);
                prop_assert_eq!(shares.iter().map(|s| s.get()).collect::<Vec<_>>(), expected);
            } else {
                prop_assert_eq!(residual.get(), total);
            }
        }
    }
}
