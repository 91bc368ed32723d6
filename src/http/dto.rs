//! How numbers, times and ids of the cores stand on the wire.
//!
//! Decimals are strings in answers, strings or numbers in requests. A number in a request is read into an integer of
//! the unit at once; what is wrong with it is kept and told by [`QtyIn::get`] and [`PriceIn::get`] with the field's name.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, Unexpected};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use signalbox_domain::calendar::china_date_time;
use signalbox_domain::denial::{Denial, Measure};
use signalbox_domain::instrument::{Currency, Instrument};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::symbols::{ResolveError, resolve};
use signalbox_domain::units::{DecimalError, Money, Price, Qty, Ratio, Timestamp, parse_decimal};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::problem::{Code, Problem};

/// Anything that prints, as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<T>(pub T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<T> PartialSchema for Text<T> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}

impl<T> ToSchema for Text<T> {
    fn name() -> Cow<'static, str> {
        "Text".into()
    }
}

/// An instant as RFC 3339 in the time of the mainland's markets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub Timestamp);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, us) = china_date_time(self.0);
        let (seconds, us) = (us / 1_000_000, us % 1_000_000);
        write!(f, "{date}T{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
        if us != 0 {
            write!(f, ".{us:06}")?;
        }
        f.write_str("+08:00")
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for At {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)))
            .examples([json!("2026-11-20T09:31:00.250000+08:00")])
            .into()
    }
}

impl ToSchema for At {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

macro_rules! decimal_in {
    ($(#[$doc:meta])* $name:ident, $schema:literal, $places:literal, $pattern:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name(Result<i64, DecimalError>);

        impl $name {
            /// As the string of a body is read.
            #[must_use]
            pub fn of_text(text: &str) -> Self {
                Self(parse_decimal(text, $places))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                decimal(<&RawValue>::deserialize(deserializer)?.get(), $places).map(Self)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(SchemaType::Array(vec![Type::String, Type::Number]))
                    .pattern(Some($pattern))
                    .minimum(Some(0))
                    .examples([json!($example)])
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                $schema.into()
            }
        }
    };
}

decimal_in! {
    /// A number of shares, funds or lots.
    QtyIn, "Quantity", 0, r"^[0-9]{1,10}(\.0+)?$", 1000
}
decimal_in! {
    /// A price with at most four decimals.
    PriceIn, "Price", 4, r"^[0-9]{1,8}(\.[0-9]{1,4}0*)?$", "10.50"
}

decimal_in! {
    /// A factor with at most six decimals.
    RatioIn, "Ratio", 6, r"^[0-9]{1,4}(\.[0-9]{1,6}0*)?$", "1"
}

decimal_in! {
    /// A sum of money with at most four decimals.
    SumIn, "Sum", 4, r"^[0-9]{1,12}(\.[0-9]{1,4}0*)?$", "25000"
}

decimal_in! {
    /// From 0 to 100; 25 is 25 %.
    PercentIn, "Percent", 4, r"^[0-9]{1,3}(\.[0-9]{1,4}0*)?$", 25
}

decimal_in! {
    /// From 0 to 1; 0.25 is 25 %.
    WeightIn, "Weight", 6, r"^[01](\.[0-9]{1,6}0*)?$", "0.25"
}

/// What is wrong with the decimal is kept; what is no number and no text is an error at once.
fn decimal<E: de::Error>(raw: &str, places: u32) -> Result<Result<i64, DecimalError>, E> {
    let parsed = text_of(raw, &"a number, or a string with a decimal number")?;
    Ok(parsed.and_then(|text| parse_decimal(&text, places)))
}

/// The text of a string, or of a number as it was written: as a float it would be rounded to what a float can hold.
///
/// # Errors
/// Outside, when it is neither; inside, when the number reaches further than any of ours.
pub(super) fn text_of<'a, E: de::Error>(
    raw: &'a str,
    expected: &dyn de::Expected,
) -> Result<Result<Cow<'a, str>, DecimalError>, E> {
    let other = match raw.as_bytes() {
        [b'"', inside @ .., b'"'] if inside.contains(&b'\\') => {
            return serde_json::from_str(raw).map(|text: String| Ok(text.into())).map_err(E::custom);
        }
        [b'"', .., b'"'] => return Ok(Ok(raw[1..raw.len() - 1].into())),
        [b'-' | b'0'..=b'9', ..] => return Ok(without_exponent(raw)),
        [b'[', ..] => Unexpected::Seq,
        [b'{', ..] => Unexpected::Map,
        [b't' | b'f', ..] => Unexpected::Bool(raw == "true"),
        _ => Unexpected::Unit,
    };
    Err(E::invalid_type(other, expected))
}

/// Programs write `1e-05` for what is `0.00001`: the same digits, with the point elsewhere.
fn without_exponent(number: &str) -> Result<Cow<'_, str>, DecimalError> {
    /// More digits on one side of the point than any field has.
    const FAR: i64 = 30;
    let Some((digits, exponent)) = number.split_once(['e', 'E']) else { return Ok(number.into()) };
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    if digits.is_empty() {
        return Ok("0".into());
    }
    // How many of the digits are before the point; none when it is before zeros that are not written.
    let zeros = (all.len() - digits.len()) as i64;
    let far = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let point = exponent.parse().unwrap_or(far).saturating_add(whole.len() as i64 - zeros);
    if point > FAR {
        return Err(DecimalError::OutOfRange);
    }
    if point < -FAR {
        return Err(DecimalError::TooPrecise(FAR as u32));
    }
    let (point, before) = (point.max(0) as usize, point.min(0).unsigned_abs() as usize);
    let text = match digits.split_at_checked(point) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some(("", fraction)) => format!("{sign}0.{}{fraction}", "0".repeat(before)),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits}{}", "0".repeat(point - digits.len())),
    };
    Ok(text.into())
}

impl QtyIn {
    /// A positive quantity.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn get(self, field: &'static str) -> Result<Qty, Problem> {
        match self.target(field)? {
            qty if qty.is_positive() => Ok(qty),
            _ => Err(bad_qty(field, "a quantity is above zero")),
        }
    }

    /// A position to reach: zero is flat.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn target(self, field: &'static str) -> Result<Qty, Problem> {
        match self.0 {
            Ok(value) if value < 0 => Err(bad_qty(field, "a quantity is not negative")),
            Ok(value) if value <= Qty::MAX.get() => Ok(Qty::new(value)),
            Err(DecimalError::TooPrecise(_)) => Err(bad_qty(field, "a quantity is a whole number")),
            Err(DecimalError::Malformed) => Err(bad_qty(field, "not a decimal number")),
            _ => Err(bad_qty(field, "a quantity is at most 1000000000")),
        }
    }
}

impl PriceIn {
    /// A positive price.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn get(self, field: &'static str) -> Result<Price, Problem> {
        let bad = |detail: &'static str| Problem::new(Code::InvalidPrice).detail(detail).field(field);
        match self.0 {
            Ok(value) if value <= 0 => Err(bad("a price is above zero")),
            Ok(value) if value <= Price::MAX.e4() => Ok(Price::from_e4(value)),
            Err(DecimalError::TooPrecise(_)) => Err(bad("a price has at most four decimals")),
            Err(DecimalError::Malformed) => Err(bad("not a decimal number")),
            _ => Err(bad("a price is at most 10000000")),
        }
    }
}

impl RatioIn {
    /// A positive ratio.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn get(self) -> Result<Ratio, &'static str> {
        // A thousand is a mistake, and larger ones would meet the end of the integers.
        const MAX_E6: i64 = 1_000_000_000;
        match self.0 {
            Ok(value) if (1..=MAX_E6).contains(&value) => Ok(Ratio::from_e6(value)),
            Err(DecimalError::Malformed) => Err("not a decimal number"),
            Err(DecimalError::TooPrecise(_)) => Err("a ratio has at most six decimals"),
            _ => Err("a ratio is above 0 and at most 1000"),
        }
    }
}

impl SumIn {
    /// A positive sum.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn get(self, field: &'static str) -> Result<Money, Problem> {
        match self.target(field)? {
            sum if sum.is_positive() => Ok(sum),
            _ => Err(bad_size(field, "a sum of money is above zero")),
        }
    }

    /// What an account has: nothing, or a sum to the cent.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn of_cash(self, field: &'static str) -> Result<Money, Problem> {
        match self.target(field)? {
            sum if to_the_cent(sum) => Ok(sum),
            _ => Err(bad_size(field, "cash has at most two decimals")),
        }
    }

    /// What a position shall be worth: zero is flat.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn target(self, field: &'static str) -> Result<Money, Problem> {
        // More than any market trades in a day is a mistake, and larger sums would meet the end of the integers.
        const MAX_E4: i64 = 10_000_000_000_000_000;
        match self.0 {
            Ok(value) if (0..=MAX_E4).contains(&value) => Ok(Money::from_e4(value)),
            Err(DecimalError::TooPrecise(_)) => Err(bad_size(field, "a sum of money has at most four decimals")),
            Err(DecimalError::Malformed) => Err(bad_size(field, "not a decimal number")),
            _ => Err(bad_size(field, "a sum of money is from 0 to 1000000000000")),
        }
    }
}

impl PercentIn {
    /// # Errors
    /// 422 with the field.
    pub fn get(self, field: &'static str) -> Result<Ratio, Problem> {
        // Four decimals of a percent are six of the whole.
        match self.0 {
            Ok(value) if (1..=Ratio::ONE.e6()).contains(&value) => Ok(Ratio::from_e6(value)),
            Err(DecimalError::TooPrecise(_)) => Err(bad_size(field, "a percentage has at most four decimals")),
            Err(DecimalError::Malformed) => Err(bad_size(field, "not a decimal number")),
            _ => Err(bad_size(field, "a percentage is above 0 and at most 100: 25 is 25 %")),
        }
    }
}

impl WeightIn {
    /// Zero is flat.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn get(self, field: &'static str) -> Result<Ratio, Problem> {
        match self.0 {
            Ok(value) if (0..=Ratio::ONE.e6()).contains(&value) => Ok(Ratio::from_e6(value)),
            Err(DecimalError::TooPrecise(_)) => Err(bad_size(field, "a weight has at most six decimals")),
            Err(DecimalError::Malformed) => Err(bad_size(field, "not a decimal number")),
            _ => Err(bad_size(field, "a weight is from 0 to 1: 0.25 is 25 %")),
        }
    }
}

/// Whether it is a sum that an account can hold: no broker pays less than a cent.
#[must_use]
pub fn to_the_cent(sum: Money) -> bool {
    sum.e4() % 100 == 0
}

fn bad_size(field: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::InvalidSize).detail(detail).field(field)
}

fn bad_qty(field: &'static str, detail: &'static str) -> Problem {
    Problem::new(Code::InvalidQuantity).detail(detail).field(field)
}

/// An instant in a request, as RFC 3339 with an offset.
///
/// # Errors
/// 422 with the field.
pub fn instant(text: &str, field: &'static str) -> Result<Timestamp, Problem> {
    let bad = || Problem::invalid(field, "a time as 2026-11-20T15:00:00+08:00, with its offset");
    let at: jiff::Timestamp = text.parse().map_err(|_| bad())?;
    let us = at.as_microsecond();
    // Beyond these years a time is a mistake, and the calendar ends long before.
    if (0..32_503_680_000_000_000).contains(&us) { Ok(Timestamp::from_us(us)) } else { Err(bad()) }
}

/// Any spelling of an instrument's symbol.
///
/// # Errors
/// 422 with the field and what else was meant, perhaps.
pub fn symbol(text: &str, field: &'static str) -> Result<Symbol, Problem> {
    resolve(text).map_err(|error| unknown_symbol(&error, field))
}

#[must_use]
pub fn unknown_symbol(error: &ResolveError, field: &'static str) -> Problem {
    Problem::new(Code::UnknownSymbol).detail(error.to_string()).field(field)
}

/// A denial with its numbers as strings.
#[must_use]
pub fn denial(denial: &Denial) -> Value {
    let code: &'static str = denial.code.into();
    json!({
        "code": code,
        "value": measure(&denial.value),
        "limit": measure(&denial.limit),
        "unit": unit(&denial.value, &denial.limit),
        "transient": denial.code.transient(),
    })
}

#[must_use]
pub fn denials(all: &[Denial]) -> Vec<Value> {
    all.iter().map(denial).collect()
}

/// Codes and numbers in one line: `CASH 10510.00 (limit 9000.00)`.
#[must_use]
pub fn denial_text(all: &[Denial]) -> String {
    let one = |denial: &Denial| {
        let code: &'static str = denial.code.into();
        match (measure(&denial.value), measure(&denial.limit)) {
            (Some(value), Some(limit)) => format!("{code} {value} (limit {limit})"),
            (Some(value), None) => format!("{code} {value}"),
            (None, Some(limit)) => format!("{code} (limit {limit})"),
            (None, None) => code.to_owned(),
        }
    };
    all.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[must_use]
pub fn measure(measure: &Measure) -> Option<String> {
    match measure {
        Measure::None => None,
        Measure::Price(price) => Some(price.to_string()),
        Measure::Qty(qty) => Some(qty.to_string()),
        Measure::Money(money) => Some(money.to_string()),
        Measure::Ratio(ratio) => Some(ratio.to_string()),
        Measure::Count(count) | Measure::Millis(count) => Some(count.to_string()),
        Measure::Word(word) => Some(word.to_string()),
    }
}

/// What the numbers of a check count.
#[must_use]
pub fn unit(value: &Measure, limit: &Measure) -> Option<&'static str> {
    let of = |measure: &Measure| match measure {
        Measure::None | Measure::Word(_) => None,
        Measure::Price(_) => Some("price"),
        Measure::Qty(_) => Some("quantity"),
        Measure::Money(_) => Some("money"),
        Measure::Ratio(_) => Some("ratio"),
        Measure::Count(_) => Some("count"),
        Measure::Millis(_) => Some("ms"),
    };
    of(value).or_else(|| of(limit))
}

/// The currency of an instrument; the mainland's for one that is not known any more.
#[must_use]
pub fn currency(instrument: Option<&Instrument>) -> &'static str {
    instrument.map_or(Currency::Cny, |instrument| instrument.currency).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qty(json: &str) -> Result<Qty, &'static str> {
        let read: QtyIn = serde_json::from_str(json).map_err(|_| "unreadable")?;
        read.get("quantity").map_err(|problem| problem.code().into())
    }

    fn price(json: &str) -> Result<Price, &'static str> {
        let read: PriceIn = serde_json::from_str(json).map_err(|_| "unreadable")?;
        read.get("limit_price").map_err(|problem| problem.code().into())
    }

    #[test]
    fn quantities_are_whole_numbers_however_they_are_written() {
        for text in ["100", "\"100\"", "100.0", "\"100.00\"", "1e2"] {
            assert_eq!(qty(text), Ok(Qty::new(100)), "{text}");
        }
        for text in ["0", "-100", "100.5", "\"100.5\"", "\"abc\"", "\"\"", "1000000001", "1e300", "\"NaN\"", "1e-300"] {
            assert_eq!(qty(text), Err("INVALID_QUANTITY"), "{text}");
        }
        // The first is the float 100, the next is beyond all floats.
        for text in ["99.99999999999999999", "1e400", "1e-99999999999999999999", "1e99999999999999999999", "-0"] {
            assert_eq!(qty(text), Err("INVALID_QUANTITY"), "{text}");
        }
        for text in ["null", "true", "[]", "{}"] {
            assert_eq!(qty(text), Err("unreadable"), "{text}");
        }
    }

    #[test]
    fn prices_are_read_exactly_from_strings_and_numbers() {
        for text in ["10.55", "\"10.55\"", "\"10.5500\"", "10.5500"] {
            assert_eq!(price(text), Ok(Price::from_e4(105_500)), "{text}");
        }
        // None of these is a binary fraction.
        for cents in 1..20_000_i64 {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            assert_eq!(price(&text), Ok(Price::from_e4(cents * 100)), "{text}");
        }
        for text in ["1055e-2", "1.055E+1", "0.01055e3", "0.000010550000e6", "\"10\\u002e55\""] {
            assert_eq!(price(text), Ok(Price::from_e4(105_500)), "{text}");
        }
        assert_eq!(price("1e-4"), Ok(Price::from_e4(1)));
        assert_eq!(price("12e4"), Ok(Price::from_e4(1_200_000_000)));
        // Floats take these for the price that is meant.
        for text in ["10.480000000000001", "10.4799999999999999999", "1.0480000000000001e1", "1e-5", "0e5"] {
            assert_eq!(price(text), Err("INVALID_PRICE"), "{text}");
        }
        for text in ["0", "\"-1\"", "0.00001", "10000000.0001", "1e30", "\"1e3\"", "\" 1\"", "\"+1\""] {
            assert_eq!(price(text), Err("INVALID_PRICE"), "{text}");
        }
    }

    #[test]
    fn times_carry_the_offset_of_the_market() {
        let at = instant("2026-11-20T15:00:00+08:00", "at").expect("a time");
        assert_eq!(At(at).to_string(), "2026-11-20T15:00:00+08:00");
        assert_eq!(
            At(instant("2026-11-20T07:00:00.5Z", "at").expect("a time")).to_string(),
            "2026-11-20T15:00:00.500000+08:00"
        );
        for text in ["2026-11-20T15:00:00", "2026-11-20", "", "9999-01-01T00:00:00Z", "1900-01-01T00:00:00Z"] {
            assert!(instant(text, "at").is_err(), "{text}");
        }
    }
}
