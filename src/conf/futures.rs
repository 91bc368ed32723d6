//! What the broker of the futures accounts asks: margin and fees, for all products and for single ones.

use std::collections::BTreeMap;

use serde::Deserialize;
use signalbox_domain::contract::{ContractFees, LotFee};
use signalbox_domain::market::{ContractTerms, ProductTerms};
use signalbox_domain::units::{Money, Ratio};

use super::{ConfError, field, money, ratio};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFutures {
    margin: String,
    open: RawFee,
    close: RawFee,
    close_today: RawFee,
    #[serde(default)]
    products: BTreeMap<String, RawProduct>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFee {
    per_lot: Option<String>,
    of_value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProduct {
    margin: Option<String>,
    open: Option<RawFee>,
    close: Option<RawFee>,
    close_today: Option<RawFee>,
}

impl RawFutures {
    pub(super) fn check(self) -> Result<ContractTerms, ConfError> {
        let fees = ContractFees {
            open: fee("futures.open", &self.open)?,
            close: fee("futures.close", &self.close)?,
            close_today: fee("futures.close_today", &self.close_today)?,
        };
        let mut products = BTreeMap::new();
        for (name, raw) in self.products {
            let at = |what: &str| format!("futures.products.{name}.{what}");
            let part =
                |what: &str, raw: &Option<RawFee>, all: LotFee| raw.as_ref().map_or(Ok(all), |raw| fee(&at(what), raw));
            let own = ContractFees {
                open: part("open", &raw.open, fees.open)?,
                close: part("close", &raw.close, fees.close)?,
                close_today: part("close_today", &raw.close_today, fees.close_today)?,
            };
            let margin = raw.margin.map(|text| margin(&at("margin"), &text)).transpose()?;
            products.insert(name, ProductTerms { margin, fees: Some(own) });
        }
        Ok(ContractTerms { margin: Some(margin("futures.margin", &self.margin)?), fees, products })
    }
}

fn margin(name: &str, text: &str) -> Result<Ratio, ConfError> {
    let margin = ratio(name, text)?;
    if margin.is_positive() && margin <= Ratio::ONE {
        Ok(margin)
    } else {
        Err(field(name, "has to be above 0 and at most 1"))
    }
}

fn fee(name: &str, raw: &RawFee) -> Result<LotFee, ConfError> {
    let per_lot = raw.per_lot.as_ref().map(|text| money(format!("{name}.per_lot"), text)).transpose()?;
    let of_value = raw.of_value.as_ref().map(|text| ratio(&format!("{name}.of_value"), text)).transpose()?;
    let fee = LotFee { per_lot: per_lot.unwrap_or(Money::ZERO), of_value: of_value.unwrap_or(Ratio::ZERO) };
    if fee.per_lot.is_negative() || fee.of_value.is_negative() {
        return Err(field(name, "is negative"));
    }
    Ok(fee)
}
