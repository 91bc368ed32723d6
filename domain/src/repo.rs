//! Bond repo as its lender sees it (逆回购): money that leaves at once, and comes back with interest on a stated day.
//!
//! What is quoted is a yearly rate in percent. A unit is 100 yuan; who sells, lends.

use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, days_between, days_later};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Ratio, TradeDate, mul_div_round};

/// What one unit lends.
pub const UNIT: Price = Price::from_e4(1_000_000);

/// What is fixed when money is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoanTerms {
    /// The trading day on which the money can be used again.
    pub due: TradeDate,
    /// For which interest is paid: from the trading day after the loan to the one after `due`.
    pub days: u16,
    /// What the broker takes of the sum.
    pub commission: Ratio,
}

impl LoanTerms {
    /// What lending on the day would fix; `None` for what is no repo, for an unknown term, or beyond the calendar.
    #[must_use]
    pub fn of(symbol: Symbol, date: TradeDate, calendar: &Calendar) -> Option<Self> {
        let (term, commission) = term(symbol)?;
        let expires = days_later(date, term);
        // A loan that expires on a holiday ends on the next trading day.
        let due = if calendar.is_trading_day(expires) { expires } else { calendar.next_trading_day(expires)? };
        let (begins, ends) = (calendar.next_trading_day(date)?, calendar.next_trading_day(due)?);
        Some(Self { due, days: u16::try_from(days_between(begins, ends)).ok()?, commission })
    }

    /// Sum times rate times days over 365, to the cent.
    #[must_use]
    pub fn interest(&self, sum: Money, rate: Price) -> Money {
        // A rate is in percent, with four decimals.
        let per_year = 365 * 100 * 10_000;
        let cents = mul_div_round(sum.e4(), rate.e4().saturating_mul(i64::from(self.days)), per_year * 100);
        Money::from_e4(cents.saturating_mul(100))
    }

    /// What lending so much costs, to the cent. Brokers take no minimum of it.
    #[must_use]
    pub fn fee(&self, sum: Money) -> Money {
        let cents = mul_div_round(sum.e4(), self.commission.e6(), Ratio::ONE.e6() * 100);
        Money::from_e4(cents.saturating_mul(100))
    }

    /// What so many units bind, with the fee.
    #[must_use]
    pub fn needed(&self, units: Qty) -> Money {
        let sum = UNIT.times(units);
        sum + self.fee(sum)
    }
}

/// Calendar days until it expires, and what is usually taken of the sum: the longer, the more, and no more than 0.03 %.
fn term(symbol: Symbol) -> Option<(i64, Ratio)> {
    let days = match symbol.as_str() {
        "204001.SH" | "131810.SZ" => 1,
        "204002.SH" | "131811.SZ" => 2,
        "204003.SH" | "131800.SZ" => 3,
        "204004.SH" | "131809.SZ" => 4,
        "204007.SH" | "131801.SZ" => 7,
        "204014.SH" | "131802.SZ" => 14,
        "204028.SH" | "131803.SZ" => 28,
        "204091.SH" | "131805.SZ" => 91,
        "204182.SH" | "131806.SZ" => 182,
        _ => return None,
    };
    let commission = match days {
        1..=4 => 10 * days,
        7 => 50,
        14 => 100,
        28 => 200,
        _ => 300,
    };
    Some((days, Ratio::from_e6(commission)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calendar() -> Calendar {
        Calendar::parse(include_str!("../../conf/calendars/cn_a_share_trading_days.csv")).unwrap()
    }

    fn terms(symbol: &str, date: u32) -> (u32, u16) {
        let date = TradeDate::from_yyyymmdd(date).unwrap();
        let terms = LoanTerms::of(Symbol::parse(symbol).unwrap(), date, &calendar()).unwrap();
        (terms.due.yyyymmdd(), terms.days)
    }

    #[test]
    fn interest_is_paid_for_the_days_on_which_the_money_is_away() {
        assert_eq!(terms("204001.SH", 20_250_303), (20_250_304, 1), "on a Monday");
        assert_eq!(terms("204001.SH", 20_250_306), (20_250_307, 3), "on a Thursday for the weekend");
        assert_eq!(terms("131810.SZ", 20_250_307), (20_250_310, 1), "on a Friday it ends on Monday");
        // The holidays of October 2024 were from the 1st to the 7th.
        assert_eq!(terms("204001.SH", 20_240_927), (20_240_930, 8), "the last but one day before the holidays");
        assert_eq!(terms("204001.SH", 20_240_930), (20_241_008, 1), "the last day before the holidays");
        assert_eq!(terms("204007.SH", 20_250_303), (20_250_310, 7));
    }

    #[test]
    fn a_hundred_thousand_for_a_day_at_two_percent_earn_five_forty_eight() {
        let date = TradeDate::from_yyyymmdd(20_250_303).unwrap();
        let terms = LoanTerms::of(Symbol::parse("204001.SH").unwrap(), date, &calendar()).unwrap();
        let sum = Money::from_units(100_000);
        assert_eq!(terms.interest(sum, Price::from_e4(20_000)), Money::from_e4(54_800));
        assert_eq!(terms.fee(sum), Money::from_units(1));
        assert_eq!(terms.needed(Qty::new(1_000)), Money::from_units(100_001));
        let nothing = Symbol::parse("600000.SH").unwrap();
        assert_eq!(LoanTerms::of(nothing, date, &calendar()), None);
    }

    /// Day by day, as a person would count in a calendar.
    fn counted(calendar: &Calendar, from: TradeDate, term: i64) -> (TradeDate, u16) {
        let next = |mut day: TradeDate| {
            loop {
                day = days_later(day, 1);
                if calendar.is_trading_day(day) {
                    return day;
                }
            }
        };
        let mut due = from;
        (0..term).for_each(|_| due = days_later(due, 1));
        while !calendar.is_trading_day(due) {
            due = days_later(due, 1);
        }
        let (mut day, end, mut days) = (next(from), next(due), 0);
        while day != end {
            day = days_later(day, 1);
            days += 1;
        }
        (due, days)
    }

    proptest! {
        #![proptest_config(crate::cases::config())]

        #[test]
        fn days_and_interest_are_as_counted_by_hand(
            back in 400_i64..3_000,
            code in prop::sample::select(vec![("204001.SH", 1), ("131810.SZ", 1), ("204007.SH", 7), ("131806.SZ", 182)]),
            units in 1_i64..100_000,
            rate in 1_i64..2_000_000,
        ) {
            thread_local!(static CALENDAR: Calendar = calendar());
            CALENDAR.with(|calendar| {
                let mut date = days_later(calendar.last_day(), -back);
                while !calendar.is_trading_day(date) {
                    date = days_later(date, -1);
                }
                let terms = LoanTerms::of(Symbol::parse(code.0).unwrap(), date, calendar).unwrap();
                prop_assert_eq!((terms.due, terms.days), counted(calendar, date, code.1));
                // In hundredths of a yuan: units times 100 yuan times percent, for so many days of 365.
                let exact = i128::from(units) * 10_000 * i128::from(rate) * i128::from(terms.days);
                let (whole, rest) = (exact / 365_000_000, exact % 365_000_000);
                let cents = whole + i128::from(rest * 2 >= 365_000_000);
                let interest = terms.interest(UNIT.times(Qty::new(units)), Price::from_e4(rate));
                prop_assert_eq!(i128::from(interest.e4()), cents * 100);
                // What is needed grows with the units, and holds the sum and the fee.
                prop_assert!(terms.needed(Qty::new(units)) >= UNIT.times(Qty::new(units)));
                prop_assert!(terms.needed(Qty::new(units + 1)) > terms.needed(Qty::new(units)));
                Ok(())
            })?;
        }
    }
}
