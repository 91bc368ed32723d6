//! How much a signal wants: the eight ways to say it in a request, of which each signal uses one, and in answers.

use serde::Serialize;
use signalbox_domain::order::Side;
use signalbox_domain::signal::Size;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::Ratio;
use utoipa::ToSchema;

use super::dto::{PercentIn, QtyIn, SumIn, WeightIn};
use super::intake::SideIn;
use super::problem::Problem;

/// The size fields of a request, as they were written.
#[derive(Debug, Default)]
pub struct SizeIn {
    pub quantity: Option<QtyIn>,
    pub amount: Option<SumIn>,
    pub percent: Option<PercentIn>,
    pub all: Option<bool>,
    pub all_in: Option<bool>,
    pub target_quantity: Option<QtyIn>,
    pub target_weight: Option<WeightIn>,
    pub target_amount: Option<SumIn>,
}

impl SizeIn {
    /// The one size that was said, which fits the side and the symbol.
    ///
    /// # Errors
    /// 422 with the field.
    pub fn read(self, side: Option<SideIn>, symbol: Symbol) -> Result<Size, Problem> {
        let mut found = None;
        let mut say = |field: &'static str, size: Option<Result<Size, Problem>>| match size {
            None => Ok(()),
            Some(_) if found.is_some() => Err(Problem::invalid(field, "one size only, please")),
            Some(size) => {
                found = Some(size?);
                Ok(())
            }
        };
        say("quantity", self.quantity.map(|it| it.get("quantity").map(Size::Quantity)))?;
        say("amount", self.amount.map(|it| it.get("amount").map(Size::Amount)))?;
        say("percent", self.percent.map(|it| it.get("percent").map(Size::Percent)))?;
        say("all", self.all.filter(|all| *all).map(|_| Ok(Size::All)))?;
        say("all_in", self.all_in.filter(|all_in| *all_in).map(|_| Ok(Size::AllIn)))?;
        say("target_quantity", self.target_quantity.map(|it| it.target("target_quantity").map(Size::TargetQuantity)))?;
        say("target_weight", self.target_weight.map(|it| it.get("target_weight").map(Size::TargetWeight)))?;
        say("target_amount", self.target_amount.map(|it| it.target("target_amount").map(Size::TargetAmount)))?;
        let Some(size) = found else {
            let detail = "one of quantity, amount, percent, all, all_in, target_quantity, target_weight and target_amount, please";
            return Err(Problem::invalid("quantity", detail));
        };
        match (size, side.map(Side::from)) {
            (Size::All, Some(Side::Buy)) => Err(Problem::invalid("side", "all is sold, never bought")),
            (Size::All | Size::TargetQuantity(_) | Size::TargetWeight(_) | Size::TargetAmount(_), _)
                if symbol.is_repo() =>
            {
                Err(Problem::invalid(
                    "symbol",
                    "what is lent by repo is no position: say quantity, amount, percent or all_in",
                ))
            }
            (_, Some(Side::Buy)) if symbol.is_repo() => {
                Err(Problem::invalid("side", "repo is sold here, which lends; nobody borrows"))
            }
            (Size::AllIn, Some(Side::Sell)) if !symbol.is_repo() => {
                Err(Problem::invalid("side", "all_in buys; all is sold"))
            }
            (size, None) if !size.is_target() => Err(Problem::invalid("side", "an order needs a side")),
            (size, Some(_)) if size.is_target() => Err(Problem::invalid("side", "a target finds its side itself")),
            (size, _) => Ok(size),
        }
    }
}

/// One of them is set.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Size)]
pub struct SizeView {
    pub quantity: Option<String>,
    /// A sum of money to trade for, fees not counted.
    pub amount: Option<String>,
    /// 25 is 25 %: a buy of the route's capital base, a sell of what the strategy's own book holds.
    pub percent: Option<String>,
    /// Everything that may be sold.
    pub all: Option<bool>,
    /// For all the cash that no live order has set aside, fees counted.
    pub all_in: Option<bool>,
    pub target_quantity: Option<String>,
    /// 0.25 is 25 % of the route's capital base.
    pub target_weight: Option<String>,
    pub target_amount: Option<String>,
}

impl SizeView {
    #[must_use]
    pub fn of(size: Size) -> Self {
        let none = Self::default();
        match size {
            Size::Quantity(qty) => Self { quantity: Some(qty.to_string()), ..none },
            Size::Amount(sum) => Self { amount: Some(sum.to_string()), ..none },
            Size::Percent(share) => Self { percent: Some(percent(share)), ..none },
            Size::All => Self { all: Some(true), ..none },
            Size::AllIn => Self { all_in: Some(true), ..none },
            Size::TargetQuantity(qty) => Self { target_quantity: Some(qty.to_string()), ..none },
            Size::TargetWeight(share) => Self { target_weight: Some(share.to_string()), ..none },
            Size::TargetAmount(sum) => Self { target_amount: Some(sum.to_string()), ..none },
        }
    }
}

fn percent(share: Ratio) -> String {
    Ratio::from_e6(share.e6().saturating_mul(100)).to_string()
}

#[cfg(test)]
mod tests {
    use signalbox_domain::units::{Money, Qty};

    use super::*;

    fn read(sizes: SizeIn, side: Option<SideIn>) -> Result<Size, &'static str> {
        sizes.read(side, Symbol::parse("600000.SH").expect("a symbol")).map_err(|problem| problem.code().into())
    }

    fn json<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn each_signal_says_one_size() {
        let buy = Some(SideIn::Buy);
        assert_eq!(read(SizeIn::default(), buy), Err("validation_failed"));
        let both = SizeIn { quantity: json("100"), amount: json("1000"), ..SizeIn::default() };
        assert_eq!(read(both, buy), Err("validation_failed"));
        let amount = || SizeIn { amount: json("\"25000.5\""), ..SizeIn::default() };
        assert_eq!(read(amount(), buy), Ok(Size::Amount(Money::from_e4(250_005_000))));
        assert_eq!(read(amount(), None), Err("validation_failed"));
        let target = || SizeIn { target_quantity: json("0"), ..SizeIn::default() };
        assert_eq!(read(target(), None), Ok(Size::TargetQuantity(Qty::ZERO)));
        assert_eq!(read(target(), buy), Err("validation_failed"));
    }

    #[test]
    fn all_is_sold() {
        let all = |all| SizeIn { all: Some(all), ..SizeIn::default() };
        assert_eq!(read(all(true), Some(SideIn::Sell)), Ok(Size::All));
        assert_eq!(read(all(true), Some(SideIn::Buy)), Err("validation_failed"));
        assert_eq!(read(all(false), Some(SideIn::Sell)), Err("validation_failed"));
    }

    #[test]
    fn all_in_buys() {
        let all_in = || SizeIn { all_in: Some(true), ..SizeIn::default() };
        assert_eq!(read(all_in(), Some(SideIn::Buy)), Ok(Size::AllIn));
        assert_eq!(read(all_in(), Some(SideIn::Sell)), Err("validation_failed"));
        assert_eq!(read(all_in(), None), Err("validation_failed"));
        assert_eq!(SizeView::of(Size::AllIn).all_in, Some(true));
    }

    #[test]
    fn repo_lends() {
        let repo = Symbol::parse("204001.SH").expect("a symbol");
        let read = |sizes: SizeIn, side| sizes.read(side, repo).is_ok();
        let all_in = || SizeIn { all_in: Some(true), ..SizeIn::default() };
        assert!(read(all_in(), Some(SideIn::Sell)) && !read(all_in(), Some(SideIn::Buy)));
        assert!(!read(SizeIn { all: Some(true), ..SizeIn::default() }, Some(SideIn::Sell)));
        assert!(!read(SizeIn { target_quantity: json("0"), ..SizeIn::default() }, None));
        assert!(read(SizeIn { quantity: json("10"), ..SizeIn::default() }, Some(SideIn::Sell)));
    }

    /// The two ways to write a quarter: one in the other's place would be a hundredth or a hundredfold.
    #[test]
    fn twenty_five_percent_is_a_weight_of_a_quarter() {
        let quarter = Ratio::from_e6(250_000);
        let percent = |text| SizeIn { percent: json(text), ..SizeIn::default() };
        let weight = |text| SizeIn { target_weight: json(text), ..SizeIn::default() };
        assert_eq!(read(percent("25"), Some(SideIn::Buy)), Ok(Size::Percent(quarter)));
        assert_eq!(read(percent("\"12.5\""), Some(SideIn::Buy)), Ok(Size::Percent(Ratio::from_e6(125_000))));
        assert_eq!(read(weight("0.25"), None), Ok(Size::TargetWeight(quarter)));
        assert_eq!(read(weight("0"), None), Ok(Size::TargetWeight(Ratio::ZERO)));
        for text in ["0", "100.0001", "-1", "1.00001", "\"x\""] {
            assert_eq!(read(percent(text), Some(SideIn::Buy)), Err("INVALID_SIZE"), "{text}");
        }
        for text in ["25", "1.000001", "-0.1"] {
            assert_eq!(read(weight(text), None), Err("INVALID_SIZE"), "{text}");
        }
        assert_eq!(SizeView::of(Size::Percent(quarter)).percent.as_deref(), Some("25"));
        assert_eq!(SizeView::of(Size::TargetWeight(quarter)).target_weight.as_deref(), Some("0.25"));
    }
}
