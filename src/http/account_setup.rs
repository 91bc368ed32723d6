//! Accounts as they are set up while the program runs: opened, changed, taken out of use, ended.
//!
//! Secrets never pass here: a broker that needs some is named, and how it is reached stands in conf.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpResponse, delete, patch, post, web};
use serde::Deserialize;
use signalbox_actors::registrar::Change;
use signalbox_domain::ids::AccountId;
use signalbox_domain::instrument::Currency;
use signalbox_domain::registry::{AccountChange, By, Fact, NewAccount, Unfit};
use signalbox_domain::standing::{AccountMode, AccountState, Step};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::accounts::{AccountView, view};
use super::auth::Admin;
use super::dto::SumIn;
use super::front::Front;
use super::fx::currency;
use super::intake::who;
use super::json::{PathName, StrictJson};
use super::problem::{Code, Problem};
use super::trading_state::check_reason;
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::Principal;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(open_account).service(change_account).service(retire_account);
}

/// Whose money it is.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AccountMode)]
enum ModeIn {
    Paper,
    /// The broker's play money.
    Sim,
    /// Everything happens but the sending.
    Shadow,
    Live,
}

impl From<ModeIn> for AccountMode {
    fn from(mode: ModeIn) -> Self {
        match mode {
            ModeIn::Paper => Self::Paper,
            ModeIn::Sim => Self::Sim,
            ModeIn::Shadow => Self::Shadow,
            ModeIn::Live => Self::Live,
        }
    }
}

/// An account that is to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount, example = json!({
    "id": "paper-d", "display_name": "Ann's fourth", "cash": "1000000", "reason": "for the new strategy"
}))]
struct OpenBody {
    #[schema(max_length = 64)]
    id: String,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    display_name: Option<String>,
    /// `paper` when left away; else a section `brokers` of conf.
    #[serde(default)]
    #[schema(max_length = 64)]
    broker: Option<String>,
    /// What the broker calls it; its id when left away.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    broker_account: Option<String>,
    /// On paper `paper` when left away.
    #[serde(default)]
    mode: Option<ModeIn>,
    /// How far it is let in: read_only, canary (one lot, and a person confirms), one_lot, share:0.1 or all. A live account
    /// begins with read_only.
    #[serde(default)]
    #[schema(max_length = 20)]
    step: Option<String>,
    /// CNY when left away.
    #[serde(default)]
    #[schema(max_length = 3)]
    currency: Option<String>,
    /// What it opens with.
    cash: SumIn,
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// Opens an account: it may be traded at once, and after every restart.
#[utoipa::path(tag = "accounts", security(("access_token" = [])), request_body = OpenBody,
    responses((status = 201, body = AccountView, headers(("Location" = String))), Refusals, BodyRefusals, Conflicts))]
#[post("/v1/accounts")]
async fn open_account(
    Admin(by): Admin,
    body: StrictJson<OpenBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    let OpenBody { id, display_name, broker, broker_account, mode, step, currency: of, cash, reason } = body.0;
    let id = AccountId::parse(&id).map_err(|error| Problem::invalid("id", error.to_string()))?;
    check_reason(&reason)?;
    let broker = broker.unwrap_or_else(|| "paper".to_owned());
    let on_paper = front.broker(&broker);
    let on_paper = on_paper.ok_or_else(|| Problem::invalid("broker", "conf has no such section of brokers"))?;
    let mode = match mode {
        Some(mode) => mode.into(),
        None if on_paper => AccountMode::Paper,
        None => return Err(Problem::invalid("mode", "whose money is it? sim, shadow or live")),
    };
    let display_name = display_name.as_deref().map_or(Ok(Arc::from(id.as_str())), |text| name(text, "display_name"))?;
    let new = NewAccount {
        display_name,
        broker: broker.into(),
        broker_account: broker_account.as_deref().map(|text| name(text, "broker_account")).transpose()?,
        on_paper,
        mode,
        step: step.as_deref().map(read_step).transpose()?,
        currency: of.as_deref().map_or(Ok(Currency::Cny), |text| currency(text, "currency"))?,
        cash: cash.of_cash("cash")?,
        by: by_of(&by, &reason),
        id: id.clone(),
    };
    set_up(&front, Change::Open(new)).await?;
    let place = format!("/v1/accounts/{id}");
    Ok(HttpResponse::Created().insert_header((header::LOCATION, place)).json(shown(&front, &id).await?))
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AccountState)]
enum StateIn {
    Enabled,
    /// It has no session and takes no orders, until it is enabled again.
    Disabled,
}

/// What shall be another way; the rest stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeAccount, example = json!({"step": "share:0.1", "reason": "a tenth of every signal first"}))]
struct ChangeBody {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    display_name: Option<String>,
    /// On paper paper or shadow, elsewhere sim, shadow or live. What becomes live begins with the first step.
    #[serde(default)]
    mode: Option<ModeIn>,
    /// read_only, canary, one_lot, share:0.1 or all. A live account goes up one step at a time.
    #[serde(default)]
    #[schema(max_length = 20)]
    step: Option<String>,
    #[serde(default)]
    state: Option<StateIn>,
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
    /// The version that one has read: 409 when it is another one by now.
    #[serde(default)]
    version: Option<u32>,
}

/// Changes what is given, at once. Taking an account out of use, making it a shadow or one that is only read is refused with
/// 409 `live_orders` while orders of it may still trade.
#[utoipa::path(tag = "accounts", security(("access_token" = [])), request_body = ChangeBody,
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = AccountView), Refusals, BodyRefusals, Missing, Conflicts))]
#[patch("/v1/accounts/{id}")]
async fn change_account(
    Admin(by): Admin,
    id: PathName,
    body: StrictJson<ChangeBody>,
    front: web::Data<Front>,
) -> Result<web::Json<AccountView>, Problem> {
    let id = known(&id.0, &front)?;
    let ChangeBody { display_name, mode, step, state, reason, version } = body.0;
    check_reason(&reason)?;
    let change = AccountChange {
        display_name: display_name.as_deref().map(|text| name(text, "display_name")).transpose()?,
        mode: mode.map(Into::into),
        step: step.as_deref().map(read_step).transpose()?,
        state: state.map(|state| match state {
            StateIn::Enabled => AccountState::Enabled,
            StateIn::Disabled => AccountState::Disabled,
        }),
        expected: version,
        by: by_of(&by, &reason),
        id: id.clone(),
    };
    set_up(&front, Change::Account(change)).await?;
    shown(&front, &id).await.map(web::Json)
}

/// Ends the use of an account for ever; its history stays. Refused with 409 `live_orders` while orders of it may still trade,
/// and `in_use` while a strategy routes to it or a group has it.
#[utoipa::path(tag = "accounts", security(("access_token" = [])), params(("id" = String, Path, example = "paper-a")),
    responses((status = 204, description = "It is retired"), Refusals, Missing, Conflicts))]
#[delete("/v1/accounts/{id}")]
async fn retire_account(Admin(by): Admin, id: PathName, front: web::Data<Front>) -> Result<HttpResponse, Problem> {
    let id = known(&id.0, &front)?;
    let (display_name, mode, step, expected) = (None, None, None, None);
    let state = Some(AccountState::Retired);
    let change = AccountChange { id, display_name, mode, step, state, expected, by: by_of(&by, "") };
    set_up(&front, Change::Account(change)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn known(id: &str, front: &Front) -> Result<AccountId, Problem> {
    let id = AccountId::parse(id).ok().filter(|id| front.account(id).is_some());
    id.ok_or_else(Problem::not_found)
}

async fn shown(front: &Front, id: &AccountId) -> Result<AccountView, Problem> {
    let info = front.account(id).ok_or_else(Problem::not_found)?;
    let states = front.store.trading_states().await?;
    view(front, &info, &states).await
}

fn read_step(text: &str) -> Result<Step, Problem> {
    text.parse().map_err(|error: signalbox_domain::standing::NoStep| Problem::invalid("step", error.to_string()))
}

/// A text that people read, or that a broker does.
fn name(text: &str, field: &'static str) -> Result<Arc<str>, Problem> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.trim().is_empty() && !text.contains(char::is_control);
    if fits { Ok(text.into()) } else { Err(Problem::invalid(field, "1 to 64 characters that one can read")) }
}

#[must_use]
pub fn by_of(principal: &Principal, reason: &str) -> By {
    By { who: who(principal.client()), reason: reason.into() }
}

/// Has it done; the front knows of it before the answer goes out.
///
/// # Errors
/// 409 and 422, by what it does not fit.
pub async fn set_up(front: &Front, change: Change) -> Result<Fact, Problem> {
    let account = match &change {
        Change::Account(change) => Some(change.id.clone()),
        Change::Open(_) | Change::Group(_) => None,
    };
    match front.desk.set_up(change).await? {
        Ok(fact) => {
            front.put(fact.clone());
            Ok(fact)
        }
        Err(Unfit::LiveOrders(_)) => {
            let mut orders = Vec::new();
            if let Some(account) = account {
                orders = front.store.open_orders(&account).await?;
            }
            let orders: Vec<String> = orders.iter().map(|order| order.terms().id.to_string()).collect();
            let detail = "orders of it may still trade: take them back first (POST /v1/accounts/{id}/cancel-all)";
            Err(Problem::new(Code::LiveOrders).detail(detail).orders(orders))
        }
        Err(unfit) => Err(unfit.into()),
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        let detail = unfit.to_string();
        let (code, field) = match unfit {
            Unfit::Missing => return Self::not_found(),
            Unfit::Exists => (Code::AlreadyExists, Some("id")),
            Unfit::Version { .. } => (Code::Conflict, Some("version")),
            Unfit::Retired => (Code::Conflict, None),
            Unfit::TooMany(_) => (Code::LimitReached, None),
            Unfit::InUse(_) => (Code::InUse, None),
            Unfit::LiveOrders(_) => (Code::LiveOrders, None),
            Unfit::Overlap { .. } => (Code::RoutesOverlap, Some("accounts")),
            Unfit::NoAccount(_) | Unfit::Twice(_) => (Code::ValidationFailed, Some("accounts")),
            Unfit::NoGroup(_) => (Code::ValidationFailed, Some("group")),
            Unfit::Mode => (Code::ValidationFailed, Some("mode")),
            Unfit::StepSkipped { .. } => (Code::ValidationFailed, Some("step")),
            Unfit::Broker(_) => (Code::ValidationFailed, Some("broker")),
        };
        let problem = Self::new(code).detail(detail);
        match field {
            Some(field) => problem.field(field),
            None => problem,
        }
    }
}
