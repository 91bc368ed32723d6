//! Risk control as one may ask it: what it would say of an order.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::ids::{AccountId, OrderId, StrategyId};
use signalbox_domain::order::OrderTerms;
use signalbox_domain::risk::{Check, Outcome};
use signalbox_domain::signal::Source;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{self, PriceIn, QtyIn, measure, unit};
use super::front::Front;
use super::intake::{self, EffectIn, SideIn, TimeInForceIn, TypeIn};
use super::json::StrictJson;
use super::orders::may_trade;
use super::problem::Problem;
use super::{BodyRefusals, Missing, Refusals};
use crate::people::Scope;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(check_order);
}

/// An order that is not sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RiskCheck, example = json!({
    "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100, "type": "limit", "limit_price": "10.50"
}))]
struct CheckBody {
    #[schema(max_length = 64)]
    account: String,
    #[schema(max_length = 32)]
    symbol: String,
    side: SideIn,
    quantity: QtyIn,
    /// Of contracts.
    #[serde(default)]
    position_effect: Option<EffectIn>,
    #[serde(default, rename = "type")]
    ord_type: Option<TypeIn>,
    #[serde(default)]
    limit_price: Option<PriceIn>,
    #[serde(default)]
    time_in_force: Option<TimeInForceIn>,
    /// Whose order it would be; a person's own when left away.
    #[serde(default)]
    #[schema(max_length = 64)]
    strategy: Option<String>,
}

/// What risk control would say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RiskCheckAnswer)]
struct CheckAnswer {
    /// passed or denied
    outcome: &'static str,
    /// In order of precedence: the first denial is the one that counts.
    checks: Vec<CheckView>,
}

/// One check with what was found and what would pass.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RiskCheckLine)]
pub struct CheckView {
    #[schema(example = "CASH")]
    code: &'static str,
    /// passed, warned (four fifths of a limit are used), denied or skipped
    outcome: &'static str,
    value: Option<String>,
    limit: Option<String>,
    unit: Option<&'static str>,
}

impl CheckView {
    #[must_use]
    pub fn of(check: &Check) -> Self {
        Self {
            code: check.code.into(),
            outcome: check.outcome.into(),
            value: measure(&check.value),
            limit: measure(&check.limit),
            unit: unit(&check.value, &check.limit),
        }
    }
}

/// Runs every check on an order that is not sent. Nothing is set aside and nothing recorded.
#[utoipa::path(tag = "risk", security(("access_token" = []), ("api_key" = [])), request_body = CheckBody,
    responses((status = 200, body = CheckAnswer), Refusals, BodyRefusals, Missing))]
#[post("/v1/risk/check")]
async fn check_order(
    Authenticated(principal): Authenticated,
    body: StrictJson<CheckBody>,
    front: web::Data<Front>,
) -> Result<web::Json<CheckAnswer>, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let body = body.0;
    let account = AccountId::parse(&body.account).map_err(|_| Problem::not_found().field("account"))?;
    let symbol = dto::symbol(&body.symbol, "symbol")?;
    let qty = body.quantity.get("quantity")?;
    let (ord_type, limit_price) = intake::price_of(body.ord_type, body.limit_price)?;
    let strategy = match &body.strategy {
        None => StrategyId::manual(),
        Some(name) => StrategyId::parse(name).map_err(|_| Problem::not_found().field("strategy"))?,
    };
    may_trade(&principal, &account, &front)?;
    if front.strategy(&strategy).is_none() && !strategy.is_manual() {
        return Err(Problem::not_found().field("strategy"));
    }
    let terms = OrderTerms {
        // Of no signal: nothing is recorded under it.
        id: OrderId::new(0),
        account,
        source: if strategy.is_manual() { Source::Manual } else { Source::Signal },
        strategy,
        symbol,
        side: body.side.into(),
        effect: body.position_effect.map(Into::into),
        ord_type,
        limit_price,
        time_in_force: body.time_in_force.map(Into::into).unwrap_or_default(),
        qty,
        valid_until: front.market.session_end(symbol, front.now()).unwrap_or_else(|| front.now()),
        all_in: false,
    };
    let checks = front.desk.explain(terms).await?;
    let denied = checks.iter().any(|check| check.outcome == Outcome::Denied);
    Ok(web::Json(CheckAnswer {
        outcome: if denied { "denied" } else { "passed" },
        checks: checks.iter().map(CheckView::of).collect(),
    }))
}
