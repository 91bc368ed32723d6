//! How a signal is executed, as requests say it and answers show it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signalbox_domain::execution::{Execution, HeldFor, Misnamed, Named, NamedFor, Policy, PriceForm, Trail};
use signalbox_domain::order::Side;
use signalbox_domain::strategy::Held;
use signalbox_domain::units::{Price, Ratio, Span};
use utoipa::ToSchema;

use super::dto::{self, At, PercentIn, PriceIn, QtyIn};
use super::intake::SideIn;
use super::problem::Problem;

/// What is done for a leg beyond its first order. Times are in seconds; each policy has fields of its own.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExecution, example = json!({"policy": "sell_until_done", "every_s": 30, "market_after_s": 600,
    "price": "opposite_best"}))]
pub struct ExecutionIn {
    #[serde(default)]
    policy: Option<PolicyIn>,
    /// `buy_then_give_up`: an order is waited for so long.
    #[serde(default)]
    #[schema(minimum = 10, maximum = 14400)]
    wait_s: Option<u32>,
    /// `buy_then_give_up`: so many orders, one after the other.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10)]
    attempts: Option<u32>,
    /// `sell_until_done`, `reprice`: the price is looked at so often.
    #[serde(default)]
    #[schema(minimum = 10, maximum = 14400)]
    every_s: Option<u32>,
    /// `reprice`: so often at the most.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 60)]
    max: Option<u32>,
    /// `sell_until_done`: a person is told when it takes so long.
    #[serde(default)]
    #[schema(minimum = 10, maximum = 14400)]
    escalate_after_s: Option<u32>,
    /// `sell_until_done`: from then on at the market.
    #[serde(default)]
    #[schema(minimum = 10, maximum = 14400)]
    market_after_s: Option<u32>,
    /// `twap`: trading time, lunch not counted.
    #[serde(default)]
    #[schema(minimum = 10, maximum = 14400)]
    duration_s: Option<u32>,
    /// `twap`: so many parts.
    #[serde(default)]
    #[schema(minimum = 2, maximum = 120)]
    slices: Option<u32>,
    /// `iceberg`: never more than so much is shown.
    #[serde(default)]
    display: Option<QtyIn>,
    /// A price that is found whenever an order is placed, instead of a limit price.
    #[serde(default)]
    price: Option<PriceFormIn>,
    /// `last`: so many ticks above the last price, or below it.
    #[serde(default)]
    #[schema(minimum = -1000, maximum = 1000)]
    ticks: Option<i32>,
    /// Orders may take part in the opening auction.
    #[serde(default)]
    opening_auction: Option<bool>,
    /// What expires with its day is placed anew on the next, until `valid_until`.
    #[serde(default)]
    renew: Option<bool>,
}

/// What a signal waits for before it trades, and when what it bought is sold again.
#[derive(Debug, Default)]
pub struct HeldIn<'a> {
    pub stop_price: Option<PriceIn>,
    pub stop_loss: Option<PriceIn>,
    pub take_profit: Option<PriceIn>,
    pub trailing_amount: Option<PriceIn>,
    pub trailing_percent: Option<PercentIn>,
    pub not_before: Option<&'a str>,
}

impl HeldIn<'_> {
    /// Adds to the execution what is held: the order itself, or what it takes.
    ///
    /// # Errors
    /// 422 with the field, the first that is wrong.
    pub fn read(self, order: &NamedFor, execution: Option<Arc<Execution>>) -> Result<Option<Arc<Execution>>, Problem> {
        let stop_price = self.stop_price.map(|px| px.get("stop_price")).transpose()?;
        let stop_loss = self.stop_loss.map(|px| px.get("stop_loss")).transpose()?;
        let take_profit = self.take_profit.map(|px| px.get("take_profit")).transpose()?;
        let amount = self.trailing_amount.map(|px| px.get("trailing_amount")).transpose()?;
        let percent = self.trailing_percent.map(|part| part.get("trailing_percent")).transpose()?;
        let not_before = self.not_before.map(|text| dto::instant(text, "not_before")).transpose()?;
        let trail = match (amount, percent) {
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("trailing_percent", "an amount or a percentage, not both"));
            }
            (amount, percent) => amount.map(Trail::Amount).or(percent.map(Trail::Percent)),
        };
        let named = Named { stop_price, stop_loss, take_profit, trail };
        let HeldFor { conditions, exits } = named.held_for(order).map_err(misnamed)?;
        if conditions.is_none() && exits.is_none() && not_before.is_none() {
            return Ok(execution);
        }
        let execution = execution.map_or_else(Execution::default, |it| (*it).clone());
        Ok(Some(Arc::new(Execution { not_before, conditions, exits, ..execution })))
    }
}

fn misnamed(why: Misnamed) -> Problem {
    let (field, detail) = match why {
        Misnamed::NoSide => ("side", "what is held for a price needs a side"),
        Misnamed::NoEffect => ("position_effect", "open or close: it decides what the prices are for"),
        Misnamed::Twice => ("stop_loss", "of what gives a position up it is the same as stop_price"),
        Misnamed::Crossed { out: Side::Sell } => ("take_profit", "above the stop, please"),
        Misnamed::Crossed { out: Side::Buy } => ("take_profit", "below the stop, please: it is bought back"),
        Misnamed::BeyondLimit { out: Side::Sell } => ("stop_loss", "below the limit price, please"),
        Misnamed::BeyondLimit { out: Side::Buy } => ("stop_loss", "above the limit price, please: it is bought back"),
    };
    Problem::invalid(field, detail)
}

/// The held conditions of a signal, as they were sent. What was not is null.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Held)]
pub struct HeldView {
    pub stop_price: Option<String>,
    pub stop_loss: Option<String>,
    pub take_profit: Option<String>,
    pub trailing_amount: Option<String>,
    pub trailing_percent: Option<String>,
    pub not_before: Option<String>,
    /// stop, take_profit or trailing: which came true.
    pub fired: Option<&'static str>,
    /// What a trailing stop hangs on.
    pub best_price: Option<String>,
}

impl HeldView {
    #[must_use]
    pub fn of(execution: &Execution, held: Option<Held>) -> Self {
        let text = |px: Option<Price>| px.map(|px| px.to_string());
        let (entry, way) = (execution.conditions.unwrap_or_default(), execution.exits.unwrap_or_default());
        let trail = way.trail.or(entry.trail);
        Self {
            stop_price: text(entry.stop),
            stop_loss: text(way.stop),
            take_profit: text(way.take_profit.or(entry.take_profit)),
            trailing_amount: match trail {
                Some(Trail::Amount(amount)) => Some(amount.to_string()),
                _ => None,
            },
            trailing_percent: match trail {
                Some(Trail::Percent(part)) => Some(Ratio::from_e6(part.e6().saturating_mul(100)).to_string()),
                _ => None,
            },
            not_before: execution.not_before.map(|at| At(at).to_string()),
            fired: held.and_then(|held| held.fired).map(Into::into),
            best_price: text(held.and_then(|held| held.best)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExecutionPolicy)]
pub enum PolicyIn {
    Once,
    BuyThenGiveUp,
    SellUntilDone,
    Reprice,
    Twap,
    Iceberg,
}

/// 最新价, 对手价, 本方价, 市价, 涨停价, 跌停价
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceForm)]
pub enum PriceFormIn {
    Last,
    OppositeBest,
    OwnBest,
    Market,
    LimitUp,
    LimitDown,
}

/// The longest session: four hours.
const SECS_MAX: u32 = 14_400;

impl ExecutionIn {
    /// None where nothing of it differs from one order at the signal's own price.
    ///
    /// # Errors
    /// 422 with the field, the first that is wrong.
    pub fn read(mut self, side: Option<SideIn>, own_price: bool) -> Result<Option<Arc<Execution>>, Problem> {
        let policy = self.policy(side.map(Side::from))?;
        let rest = [
            ("execution.wait_s", self.wait_s),
            ("execution.attempts", self.attempts),
            ("execution.every_s", self.every_s),
            ("execution.max", self.max),
            ("execution.escalate_after_s", self.escalate_after_s),
            ("execution.market_after_s", self.market_after_s),
            ("execution.duration_s", self.duration_s),
            ("execution.slices", self.slices),
        ];
        let rest = rest.into_iter().find(|(_, value)| value.is_some()).map(|(field, _)| field);
        if let Some(field) = rest.or(self.display.map(|_| "execution.display")) {
            return Err(Problem::invalid(field, "it belongs to another policy"));
        }
        if self.price.is_some() && own_price {
            let detail = "a price that is found when the order is placed takes no type and no limit price";
            return Err(Problem::invalid("execution.price", detail));
        }
        let ticks = self.ticks.map(|ticks| match (i16::try_from(ticks), self.price) {
            (Ok(ticks @ -1000..=1000), Some(PriceFormIn::Last)) => Ok(ticks),
            _ => Err(Problem::invalid("execution.ticks", "from -1000 to 1000, with the price last")),
        });
        let ticks = ticks.transpose()?.unwrap_or_default();
        let price = self.price.map(|form| match form {
            PriceFormIn::Last => PriceForm::Last { ticks },
            PriceFormIn::OppositeBest => PriceForm::OppositeBest,
            PriceFormIn::OwnBest => PriceForm::OwnBest,
            PriceFormIn::Market => PriceForm::Market,
            PriceFormIn::LimitUp => PriceForm::LimitUp,
            PriceFormIn::LimitDown => PriceForm::LimitDown,
        });
        let (opening_auction, renew) = (self.opening_auction.unwrap_or_default(), self.renew.unwrap_or_default());
        let execution = Execution { policy, price, opening_auction, renew, ..Execution::default() };
        Ok((execution != Execution::default()).then(|| Arc::new(execution)))
    }

    /// Takes the fields that belong to the policy.
    fn policy(&mut self, side: Option<Side>) -> Result<Policy, Problem> {
        let secs = |field, value: Option<u32>| within(field, value, 10, SECS_MAX).map(|n| n.map(span));
        Ok(match self.policy.unwrap_or(PolicyIn::Once) {
            PolicyIn::Once => Policy::Once,
            PolicyIn::BuyThenGiveUp if side == Some(Side::Sell) => {
                return Err(Problem::invalid("execution.policy", "only a buy is given up"));
            }
            PolicyIn::BuyThenGiveUp => Policy::BuyThenGiveUp {
                wait: needed("execution.wait_s", secs("execution.wait_s", self.wait_s.take())?)?,
                attempts: small("execution.attempts", self.attempts.take(), 10)?,
            },
            PolicyIn::SellUntilDone if side == Some(Side::Buy) => {
                return Err(Problem::invalid("execution.policy", "only a sell goes on until it is done"));
            }
            PolicyIn::SellUntilDone => Policy::SellUntilDone {
                reprice_every: needed("execution.every_s", secs("execution.every_s", self.every_s.take())?)?,
                escalate_after: secs("execution.escalate_after_s", self.escalate_after_s.take())?,
                market_after: secs("execution.market_after_s", self.market_after_s.take())?,
            },
            PolicyIn::Reprice => Policy::Reprice {
                every: needed("execution.every_s", secs("execution.every_s", self.every_s.take())?)?,
                max: small("execution.max", self.max.take(), 60)?,
            },
            PolicyIn::Twap => Policy::Twap {
                duration: needed("execution.duration_s", secs("execution.duration_s", self.duration_s.take())?)?,
                slices: match within("execution.slices", self.slices.take(), 2, 120)? {
                    Some(slices) => slices as u16,
                    None => return Err(Problem::invalid("execution.slices", "this policy needs it")),
                },
            },
            PolicyIn::Iceberg => {
                let display = needed("execution.display", self.display.take())?;
                Policy::Iceberg { display: display.get("execution.display")? }
            }
        })
    }
}

fn span(secs: u32) -> Span {
    Span::from_secs(i64::from(secs))
}

fn within(field: &'static str, value: Option<u32>, least: u32, most: u32) -> Result<Option<u32>, Problem> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(Problem::invalid(field, format!("from {least} to {most}")))
        }
        value => Ok(value),
    }
}

fn needed<T>(field: &'static str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::invalid(field, "this policy needs it"))
}

fn small(field: &'static str, value: Option<u32>, most: u8) -> Result<u8, Problem> {
    let value = needed(field, within(field, value, 1, u32::from(most))?)?;
    Ok(u8::try_from(value).unwrap_or(most))
}

/// How a signal is executed. What does not belong to its policy is null.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Execution)]
pub struct ExecutionView {
    pub policy: &'static str,
    pub wait_s: Option<i64>,
    pub attempts: Option<u8>,
    pub every_s: Option<i64>,
    pub max: Option<u8>,
    pub escalate_after_s: Option<i64>,
    pub market_after_s: Option<i64>,
    pub duration_s: Option<i64>,
    pub slices: Option<u16>,
    pub display: Option<String>,
    /// last, opposite_best, own_best, market, limit_up or limit_down; null for the signal's own price.
    pub price: Option<&'static str>,
    pub ticks: Option<i16>,
    pub opening_auction: bool,
    pub renew: bool,
}

impl ExecutionView {
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        let secs = |span: Span| Some(span.us() / 1_000_000);
        let own = Self {
            policy: execution.policy.into(),
            price: execution.price.map(Into::into),
            ticks: match execution.price {
                Some(PriceForm::Last { ticks }) => Some(ticks),
                _ => None,
            },
            opening_auction: execution.opening_auction,
            renew: execution.renew,
            ..Self::default()
        };
        match execution.policy {
            Policy::Once => own,
            Policy::BuyThenGiveUp { wait, attempts } => Self { wait_s: secs(wait), attempts: Some(attempts), ..own },
            Policy::SellUntilDone { reprice_every, escalate_after, market_after } => Self {
                every_s: secs(reprice_every),
                escalate_after_s: escalate_after.and_then(secs),
                market_after_s: market_after.and_then(secs),
                ..own
            },
            Policy::Reprice { every, max } => Self { every_s: secs(every), max: Some(max), ..own },
            Policy::Twap { duration, slices } => Self { duration_s: secs(duration), slices: Some(slices), ..own },
            Policy::Iceberg { display } => Self { display: Some(display.to_string()), ..own },
        }
    }
}

#[cfg(test)]
mod tests {
    use signalbox_domain::contract::Effect;
    use signalbox_domain::execution::Conditions;
    use signalbox_domain::signal::Size;
    use signalbox_domain::symbol::Symbol;
    use signalbox_domain::units::Qty;

    use super::*;

    fn read(json: &str, side: SideIn, own_price: bool) -> Result<Option<Execution>, &'static str> {
        let body: ExecutionIn = serde_json::from_str(json).map_err(|_| "unreadable")?;
        body.read(Some(side), own_price).map(|it| it.map(|it| (*it).clone())).map_err(|problem| problem.code().into())
    }

    #[test]
    fn each_policy_has_its_own_fields_and_needs_them() {
        let give_up = r#"{"policy": "buy_then_give_up", "wait_s": 60, "attempts": 3}"#;
        let policy = Policy::BuyThenGiveUp { wait: Span::from_secs(60), attempts: 3 };
        assert_eq!(read(give_up, SideIn::Buy, true), Ok(Some(Execution { policy, ..Execution::default() })));
        for json in [
            r#"{"policy": "buy_then_give_up", "wait_s": 60}"#,
            r#"{"policy": "buy_then_give_up", "wait_s": 9, "attempts": 3}"#,
            r#"{"policy": "buy_then_give_up", "wait_s": 60, "attempts": 11}"#,
            r#"{"policy": "buy_then_give_up", "wait_s": 60, "attempts": 3, "slices": 5}"#,
            r#"{"policy": "sell_until_done", "every_s": 30}"#,
            r#"{"policy": "twap", "duration_s": 600, "slices": 1}"#,
            r#"{"policy": "iceberg"}"#,
            r#"{"wait_s": 60}"#,
            r#"{"price": "opposite_best", "ticks": 1}"#,
        ] {
            assert_eq!(read(json, SideIn::Buy, false), Err("validation_failed"), "{json}");
        }
        assert_eq!(read(give_up, SideIn::Sell, false), Err("validation_failed"));
        assert_eq!(read(r#"{"price": "last", "ticks": -2}"#, SideIn::Buy, true), Err("validation_failed"));
        assert_eq!(read("{}", SideIn::Buy, true), Ok(None));
        assert_eq!(read(r#"{"policy": "once"}"#, SideIn::Buy, true), Ok(None));
        assert_eq!(read(r#"{"policy": "later"}"#, SideIn::Buy, true), Err("unreadable"));
    }

    #[test]
    fn what_is_held_is_read_and_what_makes_no_sense_is_named() {
        let price = |text: &str| serde_json::from_str::<PriceIn>(text).ok();
        let order = |symbol: &str, effect| NamedFor {
            symbol: Symbol::parse(symbol).expect("a symbol"),
            side: Some(Side::Sell),
            effect,
            size: Size::Quantity(Qty::new(100)),
            limit_price: None,
        };
        let field = |problem: Problem| serde_json::to_value(problem.body()).expect("a body")["field"].clone();
        let read = |held: HeldIn<'_>, order: &NamedFor| held.read(order, None).map_err(field);
        let both = || HeldIn { stop_loss: price("9.5"), take_profit: price("11"), ..HeldIn::default() };
        let way =
            Conditions { stop: Some(Price::from_e4(95_000)), take_profit: Some(Price::from_e4(110_000)), trail: None };
        let share = order("600000.SH", None);
        let held = Execution { conditions: Some(way), ..Execution::default() };
        assert_eq!(read(both(), &share), Ok(Some(Arc::new(held))));
        assert_eq!(read(HeldIn::default(), &share), Ok(None));
        let short = HeldIn { stop_loss: price("11"), take_profit: price("9.5"), ..HeldIn::default() };
        let back = Conditions { stop: way.take_profit, take_profit: way.stop, trail: None };
        let bracket = Execution { exits: Some(back), ..Execution::default() };
        assert_eq!(read(short, &order("m2509.DCE", Some(Effect::Open))), Ok(Some(Arc::new(bracket))));
        assert_eq!(read(both(), &order("m2509.DCE", Some(Effect::Open))), Err("take_profit".into()));
        assert_eq!(read(both(), &order("m2509.DCE", None)), Err("position_effect".into()));
    }

    #[test]
    fn what_was_read_is_shown_again() {
        let json = r#"{"policy": "reprice", "every_s": 30, "max": 5, "price": "last", "ticks": -2, "renew": true}"#;
        let read = read(json, SideIn::Buy, false).expect("valid").expect("more than one order");
        let shown = ExecutionView::of(&read);
        assert_eq!((shown.policy, shown.every_s, shown.max), ("reprice", Some(30), Some(5)));
        assert_eq!((shown.price, shown.ticks, shown.renew), (Some("last"), Some(-2), true));
    }
}
