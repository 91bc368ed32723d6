//! Exchange rates that people state, with their source and time, for totals over accounts of several currencies.

use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::fx::FxRate;
use signalbox_domain::instrument::Currency;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Admin, Authenticated, require};
use super::dto::{self, RatioIn};
use super::front::Front;
use super::intake::who;
use super::json::{PathName, StrictJson};
use super::page::Page;
use super::problem::{Code, Problem};
use super::views::at;
use super::{BodyRefusals, Missing, Refusals};
use crate::people::Scope;
use crate::store::ChangeError;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_fx_rates).service(set_fx_rate);
}

/// One unit of `currency` is worth `rate` of `base`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = FxRate)]
pub struct FxRateView {
    #[schema(example = "HKD")]
    currency: &'static str,
    #[schema(example = "CNY")]
    base: &'static str,
    rate: String,
    source: String,
    /// When it was true there.
    as_of: String,
}

impl FxRateView {
    #[must_use]
    pub fn of(rate: &FxRate) -> Self {
        Self {
            currency: rate.currency.into(),
            base: rate.base.into(),
            rate: rate.rate.to_string(),
            source: rate.source.to_string(),
            as_of: at(rate.as_of),
        }
    }
}

/// # Errors
/// When it is no currency that is known here.
pub fn currency(text: &str, field: &str) -> Result<Currency, Problem> {
    text.parse().map_err(|_| Problem::invalid(field, "CNY, HKD or USD"))
}

/// The rates that were stated.
#[utoipa::path(tag = "overview", security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, body = Page<FxRateView>), Refusals))]
#[get("/v1/fx-rates")]
async fn list_fx_rates(
    Authenticated(principal): Authenticated,
    front: web::Data<Front>,
) -> Result<web::Json<Page<FxRateView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let items = front.store.fx_rates().await?.iter().map(FxRateView::of).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// A rate, where it was read, and when it was true.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StateFxRate, example = json!({"base": "CNY", "rate": "0.9203", "source": "PBOC mid rate",
    "as_of": "2026-11-20T09:15:00+08:00"}))]
struct RateBody {
    #[schema(max_length = 3)]
    base: String,
    rate: RatioIn,
    #[schema(min_length = 1, max_length = 200)]
    source: String,
    #[schema(max_length = 40)]
    as_of: String,
}

/// States what one unit of the currency is worth. Nothing is converted by rates that nobody stated, nor by the inverse of one.
#[utoipa::path(tag = "overview", security(("access_token" = [])), request_body = RateBody,
    params(("currency" = String, Path, example = "HKD")),
    responses((status = 200, body = FxRateView), Refusals, BodyRefusals, Missing))]
#[put("/v1/fx-rates/{currency}")]
async fn set_fx_rate(
    admin: Admin,
    name: PathName,
    body: StrictJson<RateBody>,
    front: web::Data<Front>,
) -> Result<web::Json<FxRateView>, Problem> {
    let RateBody { base, rate, source, as_of } = body.0;
    let currency_of = name.0.parse().map_err(|_| Problem::not_found().detail("CNY, HKD or USD"))?;
    let base = currency(&base, "base")?;
    if base == currency_of {
        return Err(Problem::invalid("base", "a currency is worth itself"));
    }
    if source.trim().is_empty() || source.chars().count() > 200 {
        return Err(Problem::invalid("source", "where is it from? At most 200 characters"));
    }
    let rate = FxRate {
        currency: currency_of,
        base,
        rate: rate.get().map_err(|what| Problem::invalid("rate", what))?,
        source: source.into(),
        as_of: dto::instant(&as_of, "as_of")?,
    };
    let by = who(admin.0.client());
    front
        .store
        .set_fx_rate(front.now(), rate.clone(), by)
        .await
        .map_err(|error: ChangeError| Problem::new(Code::Unavailable).detail(error.to_string()))?;
    Ok(web::Json(FxRateView::of(&rate)))
}
