//! An order at another limit, or for less.

use actix_web::{HttpResponse, patch, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::order::Side;
use signalbox_domain::strategy::{Irreplaceable, Replacement, Replaces};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{PriceIn, QtyIn};
use super::front::Front;
use super::intake::{self, REPLAYED};
use super::json::{PathName, StrictJson};
use super::orders::{taken_by_the_exchange, visible};
use super::portfolio::Portfolio;
use super::problem::{Code, Problem};
use super::views::at;
use super::{BodyRefusals, Conflicts, Missing, Past, Refusals};
use crate::people::Scope;
use crate::store::StoredOrder;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(replace_order);
}

/// What is wanted instead. What is left away stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplaceOrder, example = json!({"limit_price": "10.48"}))]
struct ReplaceBody {
    #[serde(default)]
    limit_price: Option<PriceIn>,
    /// All that its leg of the signal shall fill, with what it has filled: less than was planned. More is an order of its own.
    #[serde(default)]
    quantity: Option<QtyIn>,
}

/// What was taken up. The signal tells of the orders that follow.
#[derive(Serialize, ToSchema)]
struct ReplaceAnswer {
    /// The order that is taken back.
    id: String,
    #[schema(example = "sig-1")]
    signal_id: String,
    quantity: String,
    limit_price: String,
    /// `cancel_and_new`: the broker cannot do it in one step. The next order leaves when the end of this one is proved.
    #[schema(example = "cancel_and_new")]
    how: &'static str,
    /// Until when the order stays as it is: before trading begins nothing is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    put_off_until: Option<String>,
}

/// Replaces an order by one at another limit or for less. No broker here can do that in one step: the order is taken back, and
/// when its end is proved and ten seconds have passed, what it has not filled follows as the next order of the same leg. It
/// is checked by risk like any other. A cancel of the signal ends both.
///
/// Orders whose policy or form says the price are not replaced, and none at the market. A repeat changes nothing. Before trading
/// begins it is put off until it does; where nothing can be taken back any more on the order's day, it is refused with 409
/// `too_late`.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])), request_body = ReplaceBody,
    params(("id" = String, Path, example = "ord-1")),
    responses((status = 202, body = ReplaceAnswer, headers(("Idempotency-Replayed" = String))),
        Refusals, BodyRefusals, Missing, Conflicts, Past))]
#[patch("/v1/orders/{id}")]
async fn replace_order(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: StrictJson<ReplaceBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let stored = visible(&principal, &id.0, &front).await?;
    let terms = stored.terms().clone();
    if !principal.may_trade(&terms.account) {
        return Err(Problem::forbidden("you may see this order, not replace it"));
    }
    let ReplaceBody { limit_price, quantity } = body.0;
    if limit_price.is_none() && quantity.is_none() {
        return Err(Problem::new(Code::MissingField).detail("limit_price or quantity").field("limit_price"));
    }
    let limit_price = limit_price.map(|price| price.get("limit_price")).transpose()?;
    let qty = quantity.map(|quantity| quantity.get("quantity")).transpose()?;
    front.require_in_use(&terms.account)?;
    let StoredOrder::Live(order) = stored else { return Err(refused(Irreplaceable::Ended)) };
    // What will be left of it has to be an order.
    if let Some(rules) = front.market.today(terms.symbol, front.now()) {
        let left = qty.map_or(order.leaves_qty(), |qty| qty - order.cum_qty);
        let sellable = match terms.side {
            Side::Sell if rules.contract.is_none() => {
                // What works is set aside for itself.
                Portfolio::load(&front, &terms.account).await?.sellable(terms.symbol) + order.leaves_qty()
            }
            _ => left,
        };
        if left.is_positive() {
            taken_by_the_exchange(&rules, (terms.ord_type, terms.side), (left, sellable), limit_price)?;
        }
    }
    let wish = Replacement { order: order.into(), qty, limit_price, who: intake::who(principal.client()) };
    let Replaces { qty, limit_price, repeated, put_off_until } =
        front.desk.replace(terms.strategy.clone(), wish).await?.map_err(refused)?;
    let mut response = HttpResponse::Accepted();
    if repeated {
        response.insert_header((REPLAYED, "true"));
    }
    Ok(response.json(ReplaceAnswer {
        id: terms.id.to_string(),
        signal_id: terms.id.signal().to_string(),
        quantity: qty.to_string(),
        limit_price: limit_price.to_string(),
        how: "cancel_and_new",
        put_off_until: put_off_until.map(at),
    }))
}

fn refused(why: Irreplaceable) -> Problem {
    let code = match why {
        Irreplaceable::Ended | Irreplaceable::Canceled | Irreplaceable::TooLate => Code::TooLate,
        Irreplaceable::InDoubt => Code::InDoubt,
        Irreplaceable::Subscription => Code::NotCancelable,
        Irreplaceable::Policy | Irreplaceable::Market => Code::Conflict,
        Irreplaceable::More { .. } | Irreplaceable::Filled { .. } => {
            return Problem::new(Code::InvalidQuantity).detail(why.to_string()).field("quantity");
        }
    };
    Problem::new(code).detail(why.to_string())
}
