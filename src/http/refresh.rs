//! What a person has an account's session do now, and not when its time comes: its lists are read, or it is opened anew.

use actix_web::{HttpResponse, post, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require, tradable_account};
use super::front::Front;
use super::json::PathName;
use super::problem::Problem;
use super::{Conflicts, Missing, Refusals};
use crate::people::Scope;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(refresh_account).service(reconnect_account);
}

/// What comes of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refresh, example = json!({"account": "paper-a", "outcome": "no_lists"}))]
struct RefreshView {
    account: String,
    /// requested, or no_lists where the broker has none: on paper what we know is all there is.
    #[schema(example = "requested")]
    outcome: &'static str,
}

/// Has the broker's lists read as soon as they may be: a read that is under way or was just made comes first. What it shows
/// is told by the account's orders, positions and exceptions. Nothing is sent but questions.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 202, body = RefreshView), Refusals, Missing, Conflicts))]
#[post("/v1/accounts/{id}/refresh")]
async fn refresh_account(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let account = tradable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    front.require_in_use(&account)?;
    let has_lists = front.desk.refresh(account.clone()).await?;
    let outcome = if has_lists { "requested" } else { "no_lists" };
    Ok(HttpResponse::Accepted().json(RefreshView { account: account.to_string(), outcome }))
}

/// What comes of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reconnect, example = json!({"account": "paper-a", "outcome": "no_session"}))]
struct ReconnectView {
    account: String,
    /// requested, or no_session for an account on paper: its venue is in this process.
    #[schema(example = "requested")]
    outcome: &'static str,
}

/// Ends the account's session at its broker and opens another one: after what is under way, so that nothing becomes doubtful,
/// and before what waits; at once where only the next try was waited for, and once in 15 seconds at the most. The new session
/// finds out what became of every order.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 202, body = ReconnectView), Refusals, Missing, Conflicts))]
#[post("/v1/accounts/{id}/reconnect")]
async fn reconnect_account(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let account = tradable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    front.require_in_use(&account)?;
    let has_session = front.desk.reconnect(account.clone()).await?;
    let outcome = if has_session { "requested" } else { "no_session" };
    Ok(HttpResponse::Accepted().json(ReconnectView { account: account.to_string(), outcome }))
}
