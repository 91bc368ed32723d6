//! What a trade costs: commission, stamp duty and transfer fee of one order.
//!
//! All three follow the amount that the order has traded so far. Each is rounded to the cent by itself, and the
//! minimum commission is per order, so the fee of one fill is the difference that it makes to the order's fees.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

use crate::order::Side;
use crate::units::{Money, Price, Qty, Ratio, mul_div_floor, mul_div_round};

/// The rates that hold for one instrument on one day in one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRules {
    /// Negotiated between account and broker: set it with [`FeeRules::with_commission`].
    pub commission: Ratio,
    /// The most a broker may take (notice 证监发〔2002〕21号: 0.3 %).
    pub commission_cap: Ratio,
    /// Per order, not per fill (the same notice: 5 yuan).
    pub commission_min: Money,
    /// Paid by the seller, and by the buyer too where `stamp_duty_of` says so.
    pub stamp_duty_sell: Ratio,
    #[serde(default)]
    pub stamp_duty_of: StampDutyOf,
    /// Paid by both sides.
    pub transfer_fee: Ratio,
}

/// Who pays stamp duty, and how it is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StampDutyOf {
    /// Rounded to the cent.
    #[default]
    Seller,
    /// Hong Kong: rounded up to the dollar.
    Both,
}

/// The parts of a fee, each a whole number of cents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fees {
    pub commission: Money,
    pub stamp_duty: Money,
    pub transfer_fee: Money,
}

impl FeeRules {
    /// What an account pays that negotiated nothing else.
    pub const COMMISSION_DEFAULT: Ratio = Ratio::from_e6(250);

    /// The same rules with the account's own commission, held between nothing and the cap.
    #[must_use]
    pub fn with_commission(self, commission: Ratio) -> Self {
        Self { commission: commission.min(self.commission_cap).max(Ratio::ZERO), ..self }
    }

    /// The same rules with the account's own minimum per order (some brokers waive the 5 yuan).
    #[must_use]
    pub fn with_commission_min(self, commission_min: Money) -> Self {
        Self { commission_min: commission_min.max(Money::ZERO), ..self }
    }

    /// The fees of an order that has traded for `cum_amount` in all its fills. Nothing traded costs nothing.
    #[must_use]
    pub fn fees(&self, side: Side, cum_amount: Money) -> Fees {
        if !cum_amount.is_positive() {
            return Fees::default();
        }
        Fees {
            commission: cents(cum_amount, self.commission).max(self.commission_min),
            stamp_duty: match (self.stamp_duty_of, side) {
                (StampDutyOf::Both, _) => up_to_one(cum_amount, self.stamp_duty_sell),
                (StampDutyOf::Seller, Side::Buy) => Money::ZERO,
                (StampDutyOf::Seller, Side::Sell) => cents(cum_amount, self.stamp_duty_sell),
            },
            transfer_fee: cents(cum_amount, self.transfer_fee),
        }
    }

    /// What one fill adds to the fees of its order: the fills of an order always sum to the order's fees.
    #[must_use]
    pub fn fill_fees(&self, side: Side, cum_before: Money, cum_after: Money) -> Fees {
        self.fees(side, cum_after) - self.fees(side, cum_before)
    }

    /// The most that a buy at this limit can be for so much cash, fees included: whole steps, and nothing below the
    /// smallest order.
    #[must_use]
    pub fn affordable(&self, price: Price, cash: Money, (step, min): (Qty, Qty)) -> Qty {
        most_steps(cash, price.times(step), (step, min), |qty| self.buy_reserve(price, qty))
    }

    /// The most cash that a buy at this limit could take, fees included: every fill is at the limit or below, and no
    /// fee falls when the amount rises.
    #[must_use]
    pub fn buy_reserve(&self, price: Price, qty: Qty) -> Money {
        let amount = price.times(qty);
        amount + self.fees(Side::Buy, amount).total()
    }
}

impl Fees {
    #[must_use]
    pub fn total(&self) -> Money {
        self.commission + self.stamp_duty + self.transfer_fee
    }
}

impl Add for Fees {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            commission: self.commission + other.commission,
            stamp_duty: self.stamp_duty + other.stamp_duty,
            transfer_fee: self.transfer_fee + other.transfer_fee,
        }
    }
}

impl Sub for Fees {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            commission: self.commission - other.commission,
            stamp_duty: self.stamp_duty - other.stamp_duty,
            transfer_fee: self.transfer_fee - other.transfer_fee,
        }
    }
}

/// The most whole steps whose need the cash covers. One step needs `of_step` at least, and more never needs less.
#[must_use]
pub fn most_steps(cash: Money, of_step: Money, (step, min): (Qty, Qty), needed: impl Fn(Qty) -> Money) -> Qty {
    // Between what it can pay and what it cannot.
    let (mut low, mut high) = (0, cash.e4().max(0) / of_step.e4().max(1) + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if needed(Qty::new(step.get().saturating_mul(middle))) <= cash { low = middle } else { high = middle }
    }
    Some(Qty::new(step.get() * low)).filter(|qty| *qty >= min).unwrap_or(Qty::ZERO)
}

/// Amount times rate, rounded half away from zero to the cent in one step: rounding to 1e-4 first would turn 0.00495
/// into 0.0050 and that into a cent.
fn cents(amount: Money, rate: Ratio) -> Money {
    const E4_PER_CENT: i64 = 100;
    Money::from_e4(mul_div_round(amount.e4(), rate.e6(), Ratio::ONE.e6() * E4_PER_CENT).saturating_mul(E4_PER_CENT))
}

/// Amount times rate, rounded up to a whole unit of the currency.
fn up_to_one(amount: Money, rate: Ratio) -> Money {
    const E4_PER_UNIT: i64 = 10_000;
    let units = -mul_div_floor(-amount.e4(), rate.e6(), Ratio::ONE.e6() * E4_PER_UNIT);
    Money::from_e4(units.saturating_mul(E4_PER_UNIT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stock since 2023-08-28.
    const STOCK: FeeRules = FeeRules {
        commission: FeeRules::COMMISSION_DEFAULT,
        commission_cap: Ratio::from_e6(3_000),
        commission_min: Money::from_units(5),
        stamp_duty_sell: Ratio::from_e6(500),
        stamp_duty_of: StampDutyOf::Seller,
        transfer_fee: Ratio::from_e6(10),
    };

    fn yuan(text: &str) -> Money {
        Money::parse(text).expect("money")
    }

    #[test]
    fn a_buyer_pays_commission_and_transfer_fee_and_a_seller_the_stamp_duty_as_well() {
        let bought = STOCK.fees(Side::Buy, yuan("100000"));
        assert_eq!(bought, Fees { commission: yuan("25"), stamp_duty: Money::ZERO, transfer_fee: yuan("1") });
        let sold = STOCK.fees(Side::Sell, yuan("100000"));
        assert_eq!(sold, Fees { commission: yuan("25"), stamp_duty: yuan("50"), transfer_fee: yuan("1") });
        assert_eq!(sold.total(), yuan("76"));
    }

    #[test]
    fn the_minimum_commission_is_taken_once_in_an_order_and_not_for_nothing() {
        assert_eq!(STOCK.fees(Side::Buy, Money::ZERO), Fees::default());
        assert_eq!(STOCK.fill_fees(Side::Buy, Money::ZERO, yuan("1000")).commission, yuan("5"));
        assert_eq!(STOCK.fill_fees(Side::Buy, yuan("1000"), yuan("20000")).commission, Money::ZERO);
        assert_eq!(STOCK.fill_fees(Side::Buy, yuan("20000"), yuan("40000")).commission, yuan("5"));
        assert_eq!(STOCK.with_commission_min(Money::ZERO).fees(Side::Buy, yuan("1000")).commission, yuan("0.25"));
    }

    #[test]
    fn each_part_is_rounded_to_the_cent_in_one_step() {
        // 495 yuan x 0.00001 = 0.00495: less than half a cent.
        assert_eq!(STOCK.fees(Side::Buy, yuan("495")).transfer_fee, Money::ZERO);
        assert_eq!(STOCK.fees(Side::Buy, yuan("500")).transfer_fee, yuan("0.01"));
        assert_eq!(STOCK.fees(Side::Sell, yuan("1010")).stamp_duty, yuan("0.51"));
    }

    #[test]
    fn hong_kong_takes_stamp_duty_of_both_sides_up_to_the_dollar() {
        let rules = FeeRules { stamp_duty_sell: Ratio::from_e6(1_000), stamp_duty_of: StampDutyOf::Both, ..STOCK };
        for side in [Side::Buy, Side::Sell] {
            assert_eq!(rules.fees(side, yuan("50000")).stamp_duty, yuan("50"));
            assert_eq!(rules.fees(side, yuan("50000.01")).stamp_duty, yuan("51"));
            assert_eq!(rules.fill_fees(side, yuan("50000.01"), yuan("50900")).stamp_duty, Money::ZERO);
        }
    }

    #[test]
    fn a_negotiated_commission_stays_below_the_cap() {
        assert_eq!(STOCK.with_commission(Ratio::from_e6(100)).commission, Ratio::from_e6(100));
        assert_eq!(STOCK.with_commission(Ratio::from_percent(1)).commission, STOCK.commission_cap);
        assert_eq!(STOCK.with_commission(Ratio::from_e6(-1)).commission, Ratio::ZERO);
    }

    proptest! {
        #[test]
        fn the_fees_of_the_fills_sum_to_the_fees_of_the_order(
            fills in proptest::collection::vec((1_i64..5_000_000, 1_i64..100_000), 1..20),
            sell in any::<bool>(),
            rate in 0_i64..4_000,
        ) {
            let side = if sell { Side::Sell } else { Side::Buy };
            let of = if rate % 2 == 0 { StampDutyOf::Both } else { StampDutyOf::Seller };
            let rules = FeeRules { stamp_duty_of: of, ..STOCK }.with_commission(Ratio::from_e6(rate));
            let (mut amount, mut sum) = (Money::ZERO, Fees::default());
            for (price, qty) in fills {
                let after = amount + Price::from_e4(price).times(Qty::new(qty));
                let fill = rules.fill_fees(side, amount, after);
                prop_assert!(!fill.commission.is_negative() && !fill.stamp_duty.is_negative() && !fill.transfer_fee.is_negative());
                sum = sum + fill;
                amount = after;
            }
            prop_assert_eq!(sum, rules.fees(side, amount));
            prop_assert_eq!(sum.total().e4() % 100, 0);
        }

        #[test]
        fn a_buy_never_takes_more_than_its_reserve(
            limit in 1_i64..5_000_000, below in 0_i64..1_000, lots in proptest::collection::vec(1_i64..10_000, 1..10),
        ) {
            let qty: i64 = lots.iter().sum();
            let reserve = STOCK.buy_reserve(Price::from_e4(limit), Qty::new(qty));
            let fill_price = Price::from_e4((limit - below).max(1));
            let amount: Money = lots.iter().map(|lot| fill_price.times(Qty::new(*lot))).sum();
            prop_assert!(amount + STOCK.fees(Side::Buy, amount).total() <= reserve);
        }
    }
}
