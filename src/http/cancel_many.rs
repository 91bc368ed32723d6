//! Several orders taken back at once, each with its own outcome.

use std::collections::{BTreeSet, HashMap};

use actix_web::{HttpResponse, post, web};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use signalbox_domain::ids::{AccountId, OrderId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::accounts::{OutcomeView, outcomes};
use super::auth::{Authenticated, require};
use super::front::Front;
use super::json::StrictJson;
use super::orders::{take_back, visible};
use super::problem::{Code, Problem};
use super::views::OrderStatus;
use super::{BodyRefusals, Refusals};
use crate::people::{Principal, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(cancel_orders);
}

/// What a page of orders shows at a glance, and a fifth of the commands that may be under way at once: a program that takes
/// thousands back means all of an account, which has a route of its own.
const ORDERS_MAX: usize = 200;

/// Which orders.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancelOrders, example = json!({"orders": ["ord-1", "ord-2"]}))]
struct CancelBody {
    #[schema(min_items = 1, max_items = 200)]
    orders: Vec<String>,
}

/// What has become of each of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CancelOrdersOutcomes, example = json!({
    "items": [
        {"order_id": "ord-1", "account": "paper-a", "outcome": "canceled", "status": "canceled"},
        {"order_id": "ord-2", "account": null, "outcome": "not_found", "status": null},
    ],
    "proved": 1, "pending": 0, "refused": 1,
}))]
struct CanceledView {
    /// In the order in which they were asked for, each once.
    items: Vec<CanceledItem>,
    /// Proved to be over.
    proved: usize,
    /// Not yet: look at them again.
    pending: usize,
    /// Nothing was done about these.
    refused: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CancelOrdersOutcome)]
struct CanceledItem {
    order_id: String,
    account: Option<String>,
    /// canceled (or ended otherwise), pending, refused by the broker, or the code of the problem: not_found, forbidden, archived, unavailable,
    /// busy
    #[schema(example = "canceled")]
    outcome: &'static str,
    #[schema(value_type = Option<OrderStatus>)]
    status: Option<&'static str>,
}

/// Takes several orders back at once. Names every one of them with its outcome, after at most two seconds; what is wrong
/// with one keeps none of the others.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])), request_body = CancelBody,
    responses((status = 202, body = CanceledView), Refusals, BodyRefusals))]
#[post("/v1/orders/cancel")]
async fn cancel_orders(
    Authenticated(principal): Authenticated,
    body: StrictJson<CancelBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let mut seen = BTreeSet::new();
    let mut asked = body.0.orders;
    if asked.is_empty() || asked.len() > ORDERS_MAX {
        return Err(Problem::invalid("orders", "1 to 200 orders"));
    }
    asked.retain(|id| seen.insert(id.clone()));
    // All at once, so that they share the commits that they wait for.
    let told = join_all(asked.iter().map(|id| cancel(&principal, id, &front))).await;
    let reached = told.iter().filter_map(|told| told.as_ref().ok().cloned()).collect();
    let outcomes = outcomes(&front, reached).await?;
    let mut view = CanceledView {
        items: Vec::with_capacity(asked.len()),
        proved: outcomes.proved,
        pending: outcomes.pending,
        refused: outcomes.refused,
    };
    let mut known: HashMap<String, OutcomeView> =
        outcomes.items.into_iter().map(|item| (item.order_id.clone(), item)).collect();
    for (order_id, told) in asked.into_iter().zip(told) {
        let item = match told.map(|_| known.remove(&order_id)) {
            Ok(Some(OutcomeView { account, outcome, status, .. })) => {
                CanceledItem { order_id, account: Some(account), outcome, status: Some(status) }
            }
            // Its rows were dropped while we waited.
            Ok(None) => refused(order_id, Code::Archived),
            Err(problem) => refused(order_id, problem.code()),
        };
        view.refused += usize::from(item.status.is_none());
        view.items.push(item);
    }
    Ok(HttpResponse::Accepted().json(view))
}

fn refused(order_id: String, code: Code) -> CanceledItem {
    CanceledItem { order_id, account: None, outcome: code.into(), status: None }
}

async fn cancel(principal: &Principal, id: &str, front: &Front) -> Result<(AccountId, OrderId), Problem> {
    let order = visible(principal, id, front).await?;
    let terms = order.terms();
    if !principal.may_trade(&terms.account) {
        return Err(Problem::forbidden("you may see this order, not cancel it"));
    }
    take_back(principal, terms, front).await?;
    Ok((terms.account.clone(), terms.id))
}
