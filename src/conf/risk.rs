//! The limits of an account, by their names.

use std::collections::BTreeMap;

use serde::Deserialize;
use signalbox_domain::account::Pacing;
use signalbox_domain::risk::limits::LimitFault;
use signalbox_domain::risk::{LimitSet, Limits};
use signalbox_domain::units::{Ratio, Span};

use super::{ConfError, field, ratio};

/// Names and values as they stand in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct RawRisk(BTreeMap<String, RawValue>);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawValue {
    Count(i64),
    Text(String),
    List(Vec<String>),
}

impl RawValue {
    fn text(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(names) => names.join(","),
        }
    }
}

const PRESETS: &str = "ordinary, cn_below_high_frequency";

/// Limits under a name; what stands beside it changes single ones.
fn preset(name: &str) -> Option<Limits> {
    match name {
        "ordinary" => Some(Limits::default()),
        // Shanghai, Shenzhen and Beijing since 2025-07-07: 300 orders and cancels in a second, or 20,000 on a day, of one
        // account are high-frequency trading, with duties of its own.
        "cn_below_high_frequency" => Some(Limits {
            messages_per_second: 150, // as many again may come in the same second, as the pace refills
            messages_per_minute: 9_000,
            messages_per_day: 15_000,
            message_ceiling: 19_999,
            // Of a day with very many orders the exchanges watch for a high share of cancels. They publish no number: ours.
            cancel_ratio: Some(Ratio::from_percent(80)),
            ..Limits::default()
        }),
        _ => None,
    }
}

impl RawRisk {
    pub(super) fn check(self, place: &str) -> Result<Limits, ConfError> {
        let at = |name: &str| format!("{place}.{name}");
        let mut limits = match self.0.get("preset").map(RawValue::text).as_deref() {
            None => Limits::default(),
            Some(name) => preset(name).ok_or_else(|| field(at("preset"), format!("{name:?} is none: {PRESETS}")))?,
        };
        let mut set = LimitSet::default();
        for (name, value) in &self.0 {
            let text = value.text();
            match name.as_str() {
                "preset" => {}
                "duplicate_window_s" => {
                    let seconds: u32 = text.parse().map_err(|_| field(at(name), "is no number of seconds"))?;
                    limits.duplicate_window = Span::from_secs(i64::from(seconds));
                }
                "commission" => {
                    limits.commission = ratio(&at(name), &text)?;
                    if limits.commission.is_negative() {
                        return Err(field(at(name), "is negative"));
                    }
                }
                name => set.put(name, &text).map_err(|fault| match fault {
                    LimitFault::Unknown => field(at(name), format!("no such limit: {}", LimitSet::NAMES.join(", "))),
                    LimitFault::Value => field(at(name), format!("{text:?} is no value of it")),
                })?,
            }
        }
        if set.messages_per_second == Some(0) {
            return Err(field(at("messages_per_second"), "has to be positive: to stop an account, halt it"));
        }
        // Whoever changes the pace of a second changes the others in proportion, unless he says otherwise.
        if let Some(per_second) = set.messages_per_second {
            let pacing = Pacing::of_second(per_second);
            set.messages_per_minute.get_or_insert(pacing.per_minute);
            set.messages_per_day.get_or_insert(pacing.per_day);
        }
        limits.replace(&set);
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(toml: &str) -> Result<Limits, String> {
        let raw: RawRisk = config::Config::builder()
            .add_source(config::File::from_str(toml, config::FileFormat::Toml))
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| error.to_string())?;
        raw.check("accounts[0].risk").map_err(|error| error.to_string())
    }

    #[test]
    fn limits_are_read_by_their_names_and_a_wrong_one_is_told() {
        let read = limits("order_value = \"0.5\"\nquote_age_limit_s = 90\npermissions = [\"star\"]").unwrap();
        assert_eq!((read.texts()["order_value"].as_str(), read.texts()["permissions"].as_str()), ("0.5", "star"));
        assert_eq!(read.quote_age_limit, Span::from_secs(90));
        assert!(
            limits("order_valeu = \"0.5\"").unwrap_err().starts_with("accounts[0].risk.order_valeu: no such limit")
        );
        assert!(limits("position = \"-1\"").is_err() && limits("messages_per_second = 0").is_err());
    }

    #[test]
    fn the_paces_follow_that_of_a_second_and_a_preset_is_changed_by_what_stands_beside_it() {
        assert_eq!(limits("messages_per_second = 10").unwrap().pacing(), Pacing::of_second(10));
        let both = limits("messages_per_second = 10\nmessages_per_minute = 7").unwrap().pacing();
        assert_eq!((both.per_minute, both.per_day), (7, 4_000));
        let preset = limits("preset = \"cn_below_high_frequency\"\norder_value = \"0.1\"").unwrap();
        assert_eq!((preset.message_ceiling, preset.pacing().per_second), (19_999, 150));
        assert_eq!(preset.texts()["order_value"], "0.1");
        assert!(limits("preset = \"fast\"").is_err());
    }
}
