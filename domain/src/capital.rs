//! What the percentages of a strategy are percentages of, and sums of money that are not rounded before the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{Money, Price, Qty, Ratio};

/// The capital base of a route. Without one a percentage is refused: three strategies that each take 100 % of one account
/// ask for 300 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CapitalBase {
    #[default]
    None,
    /// A share of each account's equity.
    Equity(Ratio),
    /// A sum for the whole route; with fixed ratios, for each of its accounts.
    Fixed(Money),
    /// What the strategy's own books in the accounts are worth.
    Book,
}

/// The text is no capital base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is none of none, equity, equity:0.3, fixed:100000 and book")]
pub struct CapitalBaseError;

impl FromStr for CapitalBase {
    type Err = CapitalBaseError;

    /// `none`, `equity` (all of it), `equity:0.3`, `fixed:100000`, `book`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let base = match text.split_once(':') {
            None if text == "none" => Self::None,
            None if text == "equity" => Self::Equity(Ratio::ONE),
            None if text == "book" => Self::Book,
            Some(("equity", share)) => Self::Equity(Ratio::parse(share).map_err(|_| CapitalBaseError)?),
            Some(("fixed", sum)) => Self::Fixed(Money::parse(sum).map_err(|_| CapitalBaseError)?),
            _ => return Err(CapitalBaseError),
        };
        let sound = match base {
            Self::Equity(share) => share.is_positive() && share <= Ratio::ONE,
            Self::Fixed(sum) => sum.is_positive(),
            Self::None | Self::Book => true,
        };
        if sound { Ok(base) } else { Err(CapitalBaseError) }
    }
}

impl fmt::Display for CapitalBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Equity(Ratio::ONE) => f.write_str("equity"),
            Self::Equity(share) => write!(f, "equity:{share}"),
            Self::Fixed(sum) => write!(f, "fixed:{sum}"),
            Self::Book => f.write_str("book"),
        }
    }
}

impl TryFrom<String> for CapitalBase {
    type Error = CapitalBaseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CapitalBase> for String {
    fn from(base: CapitalBase) -> Self {
        base.to_string()
    }
}

/// A sum of money times some ratios, exact: rounding each product would lose a share where they meet a whole number.
#[derive(Debug, Clone, Copy)]
pub struct Value {
    e4: i128,
    scale: i128,
}

impl Value {
    #[must_use]
    pub fn of(money: Money) -> Self {
        Self { e4: i128::from(money.e4()), scale: 1 }
    }

    /// Exact for three ratios and any sum below 10^13 of the currency.
    #[must_use]
    pub fn times(self, ratio: Ratio) -> Self {
        if ratio == Ratio::ONE {
            return self;
        }
        Self {
            e4: self.e4.saturating_mul(i128::from(ratio.e6())),
            scale: self.scale.saturating_mul(i128::from(Ratio::ONE.e6())),
        }
    }

    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.e4 > 0
    }

    pub(crate) const fn floor_e4(self) -> i128 {
        self.e4.div_euclid(self.scale)
    }

    /// How many whole shares it pays for at the price, without fees.
    #[must_use]
    pub fn shares_at(self, price: Price) -> Qty {
        // Rounded down twice, which is the same as once: a number of shares times its price is whole.
        Money::from_e4(i64::try_from(self.e4 / self.scale).unwrap_or(i64::MAX)).shares_at(price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_written_as_it_is_read() {
        for text in ["none", "equity", "equity:0.3", "fixed:100000.00", "book"] {
            assert_eq!(text.parse::<CapitalBase>().map(|base| base.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("equity:1".parse(), Ok(CapitalBase::Equity(Ratio::ONE)));
        for text in ["", "cash", "equity:", "equity:0", "equity:1.01", "equity:-1", "fixed:0", "fixed", "book:1"] {
            assert_eq!(text.parse::<CapitalBase>(), Err(CapitalBaseError), "{text}");
        }
    }

    #[test]
    fn a_third_of_three_is_one() {
        // 0.333333 of 3.00 is 0.999999, and times 1.000001 still below 1: nothing may be rounded up on the way.
        let third = Value::of(Money::from_units(3)).times(Ratio::from_e6(333_333)).times(Ratio::from_e6(1_000_001));
        assert_eq!(third.shares_at(Price::from_e4(10_000)), Qty::ZERO);
        let whole = Value::of(Money::from_units(3)).times(Ratio::from_e6(500_000)).times(Ratio::from_e6(2_000_000));
        assert_eq!(whole.shares_at(Price::from_e4(10_000)), Qty::new(3));
    }
}
