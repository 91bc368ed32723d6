//! What a futures contract asks of an order: long and short, opening and closing, margin, fees by the lot.
//!
//! A contract is held in lots of a direction. Whoever opens pays margin, and profit and loss move cash when lots are
//! closed and once a day at the settlement. At some exchanges lots of the current trading day are closed with a flag of
//! their own (平今), and where they are not, their fees may still differ.

use serde::{Deserialize, Serialize};

pub use crate::futures::CloseFlags;
use crate::order::Side;
use crate::units::{Money, Price, Qty, Ratio, mul_div_round};

/// FIX PositionEffect 77 (开平). Of contracts only; a share's side says enough.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Effect {
    Open,
    /// At exchanges that tell today's lots apart, an order of this kind closes those of earlier days.
    Close,
    CloseToday,
    CloseYesterday,
}

impl Effect {
    #[must_use]
    pub const fn closes(self) -> bool {
        !matches!(self, Self::Open)
    }

    /// The direction of the lots that an order of this side and effect opens or closes.
    #[must_use]
    pub const fn direction(self, side: Side) -> Direction {
        match (side, self.closes()) {
            (Side::Buy, false) | (Side::Sell, true) => Direction::Long,
            (Side::Sell, false) | (Side::Buy, true) => Direction::Short,
        }
    }
}

/// On which side of the market lots are held (多, 空).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Direction {
    Long,
    Short,
}

impl Direction {
    /// The sign of a profit when the price rises.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Long => 1,
            Self::Short => -1,
        }
    }

    /// The side of an order that closes such lots.
    #[must_use]
    pub const fn closing_side(self) -> Side {
        match self {
            Self::Long => Side::Sell,
            Self::Short => Side::Buy,
        }
    }
}

/// What holds for a contract on one day in one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Units of the underlying in one lot.
    pub multiplier: i64,
    /// Of the value of a position.
    pub margin: Ratio,
    pub close: CloseFlags,
    pub fees: ContractFees,
}

/// What one lot costs, and what part of its value is added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotFee {
    pub per_lot: Money,
    pub of_value: Ratio,
}

/// Fees by what becomes of a lot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractFees {
    pub open: LotFee,
    pub close: LotFee,
    /// For lots of the same trading day.
    pub close_today: LotFee,
}

impl LotFee {
    /// Rounded half away from zero to the cent in one step.
    fn of(self, value: Money, lots: Qty) -> Money {
        const E4_PER_CENT: i64 = 100;
        let share = mul_div_round(value.e4(), self.of_value.e6(), Ratio::ONE.e6() * E4_PER_CENT);
        Money::from_e4(share.saturating_mul(E4_PER_CENT) + self.per_lot.e4().saturating_mul(lots.get()))
    }
}

impl Contract {
    /// The value of so many lots at this price.
    #[must_use]
    pub fn value(&self, price: Price, lots: Qty) -> Money {
        price.times(Qty::new(lots.get().saturating_mul(self.multiplier)))
    }

    /// The margin of so many lots at this price.
    #[must_use]
    pub fn margin_of(&self, price: Price, lots: Qty) -> Money {
        self.value(price, lots).scale(self.margin)
    }

    #[must_use]
    pub fn open_fee(&self, price: Price, lots: Qty) -> Money {
        self.fees.open.of(self.value(price, lots), lots)
    }

    /// The orders that closing so many lots takes, while so many of earlier days are free: those go first.
    #[must_use]
    pub fn closes(&self, lots: Qty, before: Qty) -> [(Effect, Qty); 2] {
        if self.close == CloseFlags::One {
            return [(Effect::Close, lots), (Effect::CloseToday, Qty::ZERO)];
        }
        let before = before.max(Qty::ZERO).min(lots);
        [(Effect::CloseYesterday, before), (Effect::CloseToday, lots - before)]
    }

    /// What closing costs that takes so many lots of earlier days and so many of today.
    #[must_use]
    pub fn close_fee(&self, price: Price, yesterday: Qty, today: Qty) -> Money {
        let part = |fee: LotFee, lots: Qty| fee.of(self.value(price, lots), lots);
        part(self.fees.close, yesterday) + part(self.fees.close_today, today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_costs_by_the_lot_and_by_its_value_and_the_same_day_costs_more() {
        let fee =
            |per_lot: &str, e6| LotFee { per_lot: Money::parse(per_lot).expect("money"), of_value: Ratio::from_e6(e6) };
        let index = Contract {
            multiplier: 300,
            margin: Ratio::from_percent(12),
            close: CloseFlags::One,
            fees: ContractFees { open: fee("0", 23), close: fee("0", 23), close_today: fee("1.5", 345) },
        };
        let px = Price::parse("4000").expect("a price");
        assert_eq!(index.value(px, Qty::new(2)), Money::from_units(2_400_000));
        assert_eq!(index.margin_of(px, Qty::new(1)), Money::from_units(144_000));
        assert_eq!(index.open_fee(px, Qty::new(1)), Money::parse("27.6").expect("money"));
        let closed = index.close_fee(px, Qty::new(1), Qty::new(1));
        assert_eq!(closed, Money::parse("443.1").expect("money"), "27.60 and 414 + 1.50");
    }

    #[test]
    fn side_and_effect_say_which_lots() {
        assert_eq!(Effect::Open.direction(Side::Sell), Direction::Short);
        assert_eq!(Effect::CloseToday.direction(Side::Sell), Direction::Long);
        assert_eq!(Effect::Close.direction(Direction::Short.closing_side()), Direction::Short);
    }
}
