//! Exact numbers with their unit in the type: prices, quantities, money, ratios and instants.
//!
//! Everything is an integer. Prices and money are held in units of 1e-4 of the currency, so that a price times a
//! quantity is exact money without a division; ratios in units of 1e-6. Decimal text is parsed and made at the edge
//! only ([`parse_decimal`], `Display`). Arithmetic saturates at the ends of `i64` instead of wrapping: a saturated sum
//! is beyond every limit, so a check refuses it.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// The decimal text could not be read as an exact number with the given places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("not a decimal number")]
    Malformed,
    #[error("more decimal places than {0}")]
    TooPrecise(u32),
    #[error("number out of range")]
    OutOfRange,
}

/// Reads `-12.34` as `-123400` for `places = 4`. No exponent, no sign but `-`, no blanks, no separators.
///
/// # Errors
/// [`DecimalError`] tells malformed text from too many places (zeros at the end are allowed) and from overflow.
pub fn parse_decimal(text: &str, places: u32) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(DecimalError::Malformed),
        Some((whole, fraction)) => (whole, fraction),
        None => (digits, ""),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(DecimalError::Malformed);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places as usize {
        return Err(DecimalError::TooPrecise(places));
    }
    let mut value: i64 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(i64::from(digit - b'0')))
            .ok_or(DecimalError::OutOfRange)?;
    }
    for _ in fraction.len()..places as usize {
        value = value.checked_mul(10).ok_or(DecimalError::OutOfRange)?;
    }
    Ok(if negative { -value } else { value })
}

/// Writes `123400` as `12.34` for `places = 4`, keeping at least `keep` decimals.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: i64, places: u32, keep: usize) -> fmt::Result {
    let scale = 10_u64.pow(places);
    let magnitude = value.unsigned_abs();
    let mut fraction = format!("{:0width$}", magnitude % scale, width = places as usize);
    while fraction.len() > keep && fraction.ends_with('0') {
        fraction.pop();
    }
    let sign = if value < 0 { "-" } else { "" };
    let whole = magnitude / scale;
    if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
}

/// `a * b / c` rounded towards negative infinity, exact in between, saturating at the ends.
#[must_use]
pub fn mul_div_floor(a: i64, b: i64, c: i64) -> i64 {
    clamp(i128::from(a).wrapping_mul(i128::from(b)).div_euclid(i128::from(c)))
}

/// `a * b / c` rounded half away from zero (the exchanges' and brokers' rounding), saturating at the ends.
#[must_use]
pub fn mul_div_round(a: i64, b: i64, c: i64) -> i64 {
    let (n, d) = (i128::from(a) * i128::from(b), i128::from(c));
    let half = d.abs() / 2;
    clamp(if (n < 0) == (d < 0) { (n.abs() + half) / d.abs() } else { -((n.abs() + half) / d.abs()) })
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            pub const ZERO: Self = Self(0);

            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            #[must_use]
            pub const fn is_negative(self) -> bool {
                self.0 < 0
            }

            #[must_use]
            pub const fn abs(self) -> Self {
                Self(self.0.saturating_abs())
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(self.0.saturating_neg())
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, Add::add)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

number! {
    /// A price of one share, fund unit or contract point, in 1e-4 of the currency.
    Price
}
number! {
    /// A number of shares, fund units or lots of a contract. May be negative as a change or a short position.
    Qty
}
number! {
    /// An amount of money, in 1e-4 of the currency. Fees are rounded to the cent before they become `Money`.
    Money
}
number! {
    /// A dimensionless factor in units of 1e-6: follow ratios, percentages of equity, participation.
    Ratio
}

impl Price {
    /// The largest price that is believed: ten million of the currency. Larger text is refused at the door.
    pub const MAX: Self = Self(100_000_000_000);

    #[must_use]
    pub const fn from_e4(value: i64) -> Self {
        Self(value)
    }

    #[must_use]
    pub const fn e4(self) -> i64 {
        self.0
    }

    /// # Errors
    /// When the text is no decimal with at most four places.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        parse_decimal(text, 4).map(Self)
    }

    /// Price times quantity: exact, saturating.
    #[must_use]
    pub fn times(self, qty: Qty) -> Money {
        Money(clamp(i128::from(self.0) * i128::from(qty.0)))
    }
}

impl Qty {
    /// The largest quantity that is believed: one billion. Larger text is refused at the door.
    pub const MAX: Self = Self(1_000_000_000);

    #[must_use]
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The largest multiple of `lot` that is not above this quantity (towards zero).
    #[must_use]
    pub const fn floor_to_lot(self, lot: Qty) -> Self {
        Self(self.0 - self.0 % lot.0)
    }

    #[must_use]
    pub const fn is_multiple_of(self, lot: Qty) -> bool {
        self.0 % lot.0 == 0
    }
}

impl Money {
    #[must_use]
    pub const fn from_e4(value: i64) -> Self {
        Self(value)
    }

    #[must_use]
    pub const fn e4(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn from_units(value: i64) -> Self {
        Self(value.saturating_mul(10_000))
    }

    /// # Errors
    /// When the text is no decimal with at most four places.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        parse_decimal(text, 4).map(Self)
    }

    /// Rounded half away from zero to the cent (fen).
    #[must_use]
    pub fn round_to_cent(self) -> Self {
        Self(mul_div_round(self.0, 1, 100).saturating_mul(100))
    }

    /// This amount times the ratio, rounded half away from zero at 1e-4.
    #[must_use]
    pub fn scale(self, ratio: Ratio) -> Self {
        Self(mul_div_round(self.0, ratio.0, Ratio::ONE.0))
    }

    /// How many whole shares this amount pays for at the price, without fees; none for no price.
    #[must_use]
    pub fn shares_at(self, price: Price) -> Qty {
        if price.is_positive() { Qty::new(self.0.max(0) / price.0) } else { Qty::ZERO }
    }

    /// The average price of `qty` for this amount, rounded half away from zero at 1e-4; `None` for no quantity.
    #[must_use]
    pub fn per(self, qty: Qty) -> Option<Price> {
        (qty.0 != 0).then(|| Price(mul_div_round(self.0, 1, qty.0)))
    }
}

impl Ratio {
    pub const ONE: Self = Self(1_000_000);

    #[must_use]
    pub const fn from_e6(value: i64) -> Self {
        Self(value)
    }

    #[must_use]
    pub const fn e6(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn from_percent(percent: i64) -> Self {
        Self(percent * 10_000)
    }

    /// # Errors
    /// When the text is no decimal with at most six places.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        parse_decimal(text, 6).map(Self)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 4, 2)
    }
}

impl fmt::Display for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 4, 2)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 6, 0)
    }
}

/// An instant in microseconds since 1970-01-01 UTC: what the databases keep exactly.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_us(value: i64) -> Self {
        Self(value)
    }

    #[must_use]
    pub const fn us(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this instant is; negative when it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

/// A length of time in microseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn from_us(value: i64) -> Self {
        Self(value)
    }

    #[must_use]
    pub const fn from_ms(value: i64) -> Self {
        Self(value * 1_000)
    }

    #[must_use]
    pub const fn from_secs(value: i64) -> Self {
        Self(value * 1_000_000)
    }

    #[must_use]
    pub const fn us(self) -> i64 {
        self.0
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

/// A trading day of one exchange, as the number `yyyymmdd`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TradeDate(u32);

impl TradeDate {
    /// `None` when the parts are no date between 1900 and 2999. Whether a day is a *trading* day is the calendar's business.
    #[must_use]
    pub const fn from_yyyymmdd(value: u32) -> Option<Self> {
        let (year, month, day) = (value / 10_000, value / 100 % 100, value % 100);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + leap as u32,
            _ => 0,
        };
        if year >= 1900 && year <= 2999 && day >= 1 && day <= days { Some(Self(value)) } else { None }
    }

    #[must_use]
    pub const fn yyyymmdd(self) -> u32 {
        self.0
    }

    /// Reads `2019-02-01` or `20190201`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = match text.as_bytes() {
            [_, _, _, _, b'-', _, _, b'-', _, _] => text.replace('-', ""),
            _ => text.to_owned(),
        };
        if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().and_then(Self::from_yyyymmdd)
    }
}

impl fmt::Display for TradeDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
    }
}

impl fmt::Debug for TradeDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_one_of_the_calendar() {
        for text in ["2024-02-29", "20000229", "2025-12-31", "1900-01-01"] {
            assert!(TradeDate::parse(text).is_some(), "{text}");
        }
        for text in ["2025-02-29", "2025-02-30", "1900-02-29", "2025-04-31", "2025-13-01", "2025-00-10", "2025-01-00"] {
            assert_eq!(TradeDate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn decimal_text_is_read_exactly_or_refused() {
        assert_eq!(parse_decimal("10.50", 4), Ok(105_000));
        assert_eq!(parse_decimal("-0.0001", 4), Ok(-1));
        assert_eq!(parse_decimal("7.1200000", 4), Ok(71_200));
        assert_eq!(parse_decimal("0.00001", 4), Err(DecimalError::TooPrecise(4)));
        assert_eq!(parse_decimal("99999999999999999999", 0), Err(DecimalError::OutOfRange));
        for text in ["", "-", ".5", "5.", "1e3", "+1", " 1", "1,000", "NaN", "inf", "0x10", "1.2.3", "--1"] {
            assert_eq!(parse_decimal(text, 4), Err(DecimalError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn numbers_print_with_the_places_people_expect() {
        assert_eq!(Price::from_e4(105_000).to_string(), "10.50");
        assert_eq!(Price::from_e4(-12_345).to_string(), "-1.2345");
        assert_eq!(Money::from_e4(5).to_string(), "0.0005");
        assert_eq!(Ratio::from_e6(250_000).to_string(), "0.25");
        assert_eq!(Ratio::ONE.to_string(), "1");
        assert_eq!(TradeDate::from_yyyymmdd(20_190_201).map(|d| d.to_string()).as_deref(), Some("2019-02-01"));
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        assert_eq!(mul_div_round(5, 1, 2), 3);
        assert_eq!(mul_div_round(-5, 1, 2), -3);
        assert_eq!(Money::from_e4(12_350).round_to_cent(), Money::from_e4(12_400));
        assert_eq!(Money::from_e4(12_349).round_to_cent(), Money::from_e4(12_300));
    }

    #[test]
    fn a_product_beyond_the_range_saturates_instead_of_wrapping() {
        assert_eq!(Price::from_e4(i64::MAX).times(Qty::new(2)), Money::from_e4(i64::MAX));
        assert_eq!(Price::from_e4(i64::MAX).times(Qty::new(-2)), Money::from_e4(i64::MIN));
    }
}
