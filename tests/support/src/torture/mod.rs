//! What `torture` is made of: the line that it cuts, the database that it kills, the person who decides parked doubts, what
//! has to hold at rest, and the figures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod database;
pub mod figures;
pub mod line;
pub mod person;
pub mod points;
pub mod reckon;
pub mod run;

use serde_json::Value;

/// The account of a level, such as `l3`.
#[must_use]
pub fn level_of(account: &str) -> String {
    account.to_uppercase()
}

/// Whether the account's broker gives nothing that could settle a lost answer: then everything is a person's.
#[must_use]
pub fn gives_nothing(account: &str) -> bool {
    account == "l0"
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn whole(value: &Value) -> i64 {
    text(value).parse().unwrap()
}
