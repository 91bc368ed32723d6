//! The brake: may orders be sent, everywhere, in one account, or of one strategy?

use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::event::{Scope as StateScope, TradingState};
use signalbox_domain::ids::{AccountId, OrderId, StrategyId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::accounts::{OutcomesView, outcomes};
use super::auth::Authenticated;
use super::front::Front;
use super::intake::who;
use super::json::{PathName, StrictJson};
use super::problem::Problem;
use super::views::at;
use super::{BodyRefusals, Missing, Refusals};
use crate::people::Principal;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_trading_state)
        .service(set_trading_state)
        .service(set_account_trading_state)
        .service(set_strategy_trading_state);
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TradingState)]
enum StateIn {
    Active,
    /// Only orders that make a position smaller.
    Reducing,
    /// No order at all. Cancels are never blocked.
    Halted,
}

impl From<StateIn> for TradingState {
    fn from(state: StateIn) -> Self {
        match state {
            StateIn::Active => Self::Active,
            StateIn::Reducing => Self::Reducing,
            StateIn::Halted => Self::Halted,
        }
    }
}

/// What shall be, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetTradingState, example = json!({"state": "halted", "reason": "news", "cancel_working": true}))]
struct StateBody {
    state: StateIn,
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
    /// Take the working orders of the scope back as well.
    #[serde(default)]
    cancel_working: bool,
}

/// The state of a scope, and what became of the orders that were taken back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TradingStateAnswer)]
struct StateAnswer {
    /// global, account:<id> or strategy:<name>
    scope: String,
    #[schema(value_type = StateIn)]
    state: &'static str,
    reason: String,
    /// With `cancel_working` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    canceled: Option<OutcomesView>,
}

/// One scope that was set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TradingStateScope)]
pub struct ScopeView {
    scope: String,
    #[schema(value_type = StateIn)]
    state: &'static str,
    who: String,
    reason: String,
    at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TradingStates)]
struct StatesView {
    /// The global state.
    #[schema(value_type = StateIn)]
    state: &'static str,
    /// Every scope that was ever set and that one may see.
    scopes: Vec<ScopeView>,
}

/// The global state, and those of the accounts and strategies that one may see.
#[utoipa::path(tag = "trading-state", security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, body = StatesView), Refusals))]
#[get("/v1/trading-state")]
async fn show_trading_state(
    Authenticated(principal): Authenticated,
    front: web::Data<Front>,
) -> Result<web::Json<StatesView>, Problem> {
    let states = front.store.trading_states().await?;
    let (accounts, strategies) = (front.readable_filter(&principal), front.readable_strategies(&principal));
    let visible = |scope: &StateScope| match scope {
        StateScope::Global => true,
        StateScope::Account(id) => accounts.as_ref().is_none_or(|own| own.contains(id)),
        StateScope::Strategy(id) => strategies.as_ref().is_none_or(|own| own.contains(id)),
    };
    let scopes = states
        .iter()
        .filter(|stored| visible(&stored.scope))
        .map(|stored| ScopeView {
            scope: name_of(&stored.scope),
            state: stored.state.into(),
            who: stored.who.to_string(),
            reason: stored.reason.to_string(),
            at: at(stored.at),
        })
        .collect();
    let state = super::accounts::state_of(&states, &StateScope::Global).into();
    Ok(web::Json(StatesView { state, scopes }))
}

/// How a scope is written.
#[must_use]
pub fn name_of(scope: &StateScope) -> String {
    match scope {
        StateScope::Global => "global".to_owned(),
        StateScope::Account(id) => format!("account:{id}"),
        StateScope::Strategy(id) => format!("strategy:{id}"),
    }
}

/// Risk and administrators: whoever may start and stop everything is no trader.
///
/// # Errors
/// 403 for all others.
pub fn allowed(principal: &Principal) -> Result<(), Problem> {
    if principal.is_risk() || principal.is_admin() {
        return Ok(());
    }
    Err(Problem::forbidden("risk managers and administrators only"))
}

/// Sets the state of everything.
#[utoipa::path(tag = "trading-state", security(("access_token" = [])), request_body = StateBody,
    responses((status = 200, body = StateAnswer), Refusals, BodyRefusals))]
#[put("/v1/trading-state")]
async fn set_trading_state(
    Authenticated(principal): Authenticated,
    body: StrictJson<StateBody>,
    front: web::Data<Front>,
) -> Result<web::Json<StateAnswer>, Problem> {
    allowed(&principal)?;
    set(&principal, StateScope::Global, body.0, &front).await
}

/// Sets the state of one account.
#[utoipa::path(tag = "trading-state", security(("access_token" = [])), request_body = StateBody,
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = StateAnswer), Refusals, BodyRefusals, Missing))]
#[put("/v1/accounts/{id}/trading-state")]
async fn set_account_trading_state(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: StrictJson<StateBody>,
    front: web::Data<Front>,
) -> Result<web::Json<StateAnswer>, Problem> {
    allowed(&principal)?;
    let account = AccountId::parse(&id.0).ok().filter(|id| front.account(id).is_some());
    let account = account.ok_or_else(Problem::not_found)?;
    set(&principal, StateScope::Account(account), body.0, &front).await
}

/// Sets the state of one strategy.
#[utoipa::path(tag = "trading-state", security(("access_token" = [])), request_body = StateBody,
    params(("name" = String, Path, example = "small-cap")),
    responses((status = 200, body = StateAnswer), Refusals, BodyRefusals, Missing))]
#[put("/v1/strategies/{name}/trading-state")]
async fn set_strategy_trading_state(
    Authenticated(principal): Authenticated,
    name: PathName,
    body: StrictJson<StateBody>,
    front: web::Data<Front>,
) -> Result<web::Json<StateAnswer>, Problem> {
    allowed(&principal)?;
    let strategy = StrategyId::parse(&name.0).ok().filter(|id| front.strategy(id).is_some());
    let strategy = strategy.ok_or_else(Problem::not_found)?;
    set(&principal, StateScope::Strategy(strategy), body.0, &front).await
}

async fn set(
    principal: &Principal,
    scope: StateScope,
    body: StateBody,
    front: &Front,
) -> Result<web::Json<StateAnswer>, Problem> {
    let StateBody { state, reason, cancel_working } = body;
    check_reason(&reason)?;
    let state = TradingState::from(state);
    front.desk.set_trading_state(scope.clone(), state, who(principal.client()), reason.as_str().into()).await?;
    // The state first: nothing new comes in behind the cancels.
    let canceled = if cancel_working {
        let reached = cancel(&scope, &format!("{state} by {}", principal.client()), front).await?;
        Some(outcomes(front, reached).await?)
    } else {
        None
    };
    Ok(web::Json(StateAnswer { scope: name_of(&scope), state: state.into(), reason, canceled }))
}

/// # Errors
/// 422 when it is longer than anybody reads.
pub fn check_reason(reason: &str) -> Result<(), Problem> {
    if reason.chars().count() > 500 {
        return Err(Problem::invalid("reason", "a reason has at most 500 characters"));
    }
    Ok(())
}

/// # Errors
/// 422 when it is too long.
pub fn check_note(note: &str) -> Result<(), Problem> {
    check_reason(note).map_err(|_| Problem::invalid("note", "a note has at most 500 characters"))
}

/// Takes the scope's working orders back, in all accounts at once. A suspended account has nobody who could cancel.
async fn cancel(scope: &StateScope, reason: &str, front: &Front) -> Result<Vec<(AccountId, OrderId)>, Problem> {
    let (only, strategy): (Option<&AccountId>, Option<&StrategyId>) = match scope {
        StateScope::Global => (None, None),
        StateScope::Account(id) => (Some(id), None),
        StateScope::Strategy(id) => (None, Some(id)),
    };
    let concerned = front.accounts().into_iter().filter(|info| only.is_none_or(|only| *only == info.id));
    let asked = concerned.map(|info| async move {
        let reached = front.cancel_all(info.id.clone(), None, strategy.cloned(), reason.into()).await;
        (info.id.clone(), reached)
    });
    let mut all = Vec::new();
    for (account, reached) in futures_util::future::join_all(asked).await {
        match reached {
            Ok(orders) => all.extend(orders.into_iter().map(|order| (account.clone(), order))),
            // One account that does not answer must not hide what became of the others.
            Err(error) => {
                tracing::warn!(account.id = %account, %error, "account {account} could not be told to cancel");
                let open = front.store.open_orders(&account).await?;
                all.extend(open.iter().map(|order| (account.clone(), order.terms().id)));
            }
        }
    }
    Ok(all)
}
