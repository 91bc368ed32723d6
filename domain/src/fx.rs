//! Exchange rates as somebody stated them. Amounts of different currencies are never added without them, and no rate is
//! made of others: what nobody stated is not known.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::instrument::Currency;
use crate::units::{Money, Ratio, Timestamp, mul_div_round};

/// One unit of `currency` is worth `rate` of `base`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FxRate {
    pub currency: Currency,
    pub base: Currency,
    pub rate: Ratio,
    /// Where it was read, in the words of whoever stated it.
    pub source: Arc<str>,
    /// When it was true there.
    pub as_of: Timestamp,
}

/// The newest stated rate of each pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FxRates {
    by_pair: BTreeMap<(&'static str, &'static str), FxRate>,
}

impl FxRates {
    /// A rate of an older time than the known one is taken as well: whoever states it may correct.
    pub fn put(&mut self, rate: FxRate) {
        self.by_pair.insert((rate.currency.into(), rate.base.into()), rate);
    }

    #[must_use]
    pub fn get(&self, currency: Currency, base: Currency) -> Option<&FxRate> {
        self.by_pair.get(&(currency.into(), base.into()))
    }

    pub fn iter(&self) -> impl Iterator<Item = &FxRate> {
        self.by_pair.values()
    }

    /// The amount in the other currency, rounded to its ten-thousandths.
    ///
    /// # Errors
    /// The currency, when nobody stated a rate for it.
    pub fn convert(&self, amount: Money, currency: Currency, base: Currency) -> Result<Money, Currency> {
        if currency == base {
            return Ok(amount);
        }
        let rate = self.get(currency, base).ok_or(currency)?.rate;
        Ok(Money::from_e4(mul_div_round(amount.e4(), rate.e6(), Ratio::ONE.e6())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> FxRate {
        FxRate {
            currency: Currency::Hkd,
            base: Currency::Cny,
            rate: Ratio::parse(text).expect("a rate"),
            source: "a test".into(),
            as_of: Timestamp::from_us(0),
        }
    }

    #[test]
    fn what_nobody_stated_is_not_known_and_is_not_made_of_others() {
        let mut rates = FxRates::default();
        let hundred = Money::from_units(100);
        assert_eq!(rates.convert(hundred, Currency::Cny, Currency::Cny), Ok(hundred));
        assert_eq!(rates.convert(hundred, Currency::Hkd, Currency::Cny), Err(Currency::Hkd));
        rates.put(rate("0.9203"));
        assert_eq!(rates.convert(hundred, Currency::Hkd, Currency::Cny), Ok(Money::parse("92.03").expect("money")));
        assert_eq!(rates.convert(hundred, Currency::Cny, Currency::Hkd), Err(Currency::Cny));
        rates.put(rate("0.91"));
        assert_eq!(rates.convert(hundred, Currency::Hkd, Currency::Cny), Ok(Money::from_units(91)));
    }
}
