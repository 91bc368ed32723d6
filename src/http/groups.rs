//! Groups of accounts: a route to one reaches all who follow in it. A signal is planned for the group as it was before a change
//! or as it is after it, and never for something in between.

use actix_web::http::header;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use serde::{Deserialize, Serialize};
use signalbox_actors::registrar::Change;
use signalbox_domain::ids::{AccountId, GroupId};
use signalbox_domain::registry::{GroupChange, GroupFact};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::account_setup::{by_of, set_up};
use super::auth::{Admin, Authenticated, require};
use super::front::Front;
use super::json::{PathName, StrictJson, StrictQuery};
use super::page::{Page, PageQuery};
use super::problem::Problem;
use super::trading_state::check_reason;
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::{Principal, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_groups).service(show_group).service(make_group).service(change_group).service(delete_group);
}

/// A group, as far as one may see its members.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
struct GroupView {
    id: String,
    accounts: Vec<String>,
    /// Members that do not follow at present.
    opted_out: Vec<String>,
    /// How often it was set up anew; 0 while conf alone speaks.
    version: u32,
}

impl GroupView {
    /// Nothing of a group of which one may see nobody.
    fn of(group: &GroupFact, principal: &Principal) -> Option<Self> {
        let seen = |accounts: &[AccountId]| -> Vec<String> {
            accounts.iter().filter(|id| principal.may_read(id)).map(ToString::to_string).collect()
        };
        let accounts = seen(&group.accounts);
        let visible = !accounts.is_empty() || principal.is_admin() || principal.is_risk();
        let opted_out = seen(&group.opted_out);
        visible.then(|| Self { id: group.id.to_string(), accounts, opted_out, version: group.version })
    }
}

/// The groups that have an account that one may see.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<GroupView>), Refusals))]
#[get("/v1/groups")]
async fn list_groups(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<GroupView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let all = front.groups();
    let visible = all.iter().filter_map(|group| GroupView::of(group, &principal));
    let copy = |group: &GroupView| GroupView {
        id: group.id.clone(),
        accounts: group.accounts.clone(),
        opted_out: group.opted_out.clone(),
        version: group.version,
    };
    Ok(web::Json(Page::cut_by_name(visible, &query.0, |group| group.id.as_str(), copy)?))
}

/// One group.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "all-paper")),
    responses((status = 200, body = GroupView), Refusals, Missing))]
#[get("/v1/groups/{id}")]
async fn show_group(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<GroupView>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let group = GroupId::parse(&id.0).ok().and_then(|id| front.group(&id));
    let view = group.and_then(|group| GroupView::of(&group, &principal));
    view.map(web::Json).ok_or_else(Problem::not_found)
}

/// A group that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGroup, example = json!({"id": "family", "accounts": ["paper-a", "paper-b"], "reason": "they follow alike"}))]
struct NewBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_items = 1000)]
    accounts: Vec<String>,
    /// Members that do not follow yet.
    #[serde(default)]
    #[schema(max_items = 1000)]
    opted_out: Vec<String>,
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// Makes a group.
#[utoipa::path(tag = "accounts", security(("access_token" = [])), request_body = NewBody,
    responses((status = 201, body = GroupView, headers(("Location" = String))), Refusals, BodyRefusals, Conflicts))]
#[post("/v1/groups")]
async fn make_group(
    Admin(by): Admin,
    body: StrictJson<NewBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    let NewBody { id, accounts, opted_out, reason } = body.0;
    let id = GroupId::parse(&id).map_err(|error| Problem::invalid("id", error.to_string()))?;
    check_reason(&reason)?;
    let change = GroupChange {
        new: true,
        accounts: Some(names(&accounts, "accounts")?),
        opted_out: Some(names(&opted_out, "opted_out")?),
        deleted: false,
        expected: None,
        by: by_of(&by, &reason),
        id: id.clone(),
    };
    set_up(&front, Change::Group(change)).await?;
    let place = format!("/v1/groups/{id}");
    Ok(HttpResponse::Created().insert_header((header::LOCATION, place)).json(shown(&front, &id, &by)?))
}

/// What shall be another way; the rest stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeGroup, example = json!({"opted_out": ["paper-b"], "reason": "b pauses"}))]
struct ChangeBody {
    #[serde(default)]
    #[schema(max_items = 1000)]
    accounts: Option<Vec<String>>,
    /// Members that do not follow, all of them: who is not named follows.
    #[serde(default)]
    #[schema(max_items = 1000)]
    opted_out: Option<Vec<String>>,
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
    /// The version that one has read: 409 when it is another one by now.
    #[serde(default)]
    version: Option<u32>,
}

/// Changes the members, or who of them follows. Refused when a strategy would reach an account twice.
#[utoipa::path(tag = "accounts", security(("access_token" = [])), request_body = ChangeBody,
    params(("id" = String, Path, example = "all-paper")),
    responses((status = 200, body = GroupView), Refusals, BodyRefusals, Missing, Conflicts))]
#[patch("/v1/groups/{id}")]
async fn change_group(
    Admin(by): Admin,
    id: PathName,
    body: StrictJson<ChangeBody>,
    front: web::Data<Front>,
) -> Result<web::Json<GroupView>, Problem> {
    let id = GroupId::parse(&id.0).map_err(|_| Problem::not_found())?;
    let ChangeBody { accounts, opted_out, reason, version } = body.0;
    check_reason(&reason)?;
    let change = GroupChange {
        new: false,
        accounts: accounts.map(|all| names(&all, "accounts")).transpose()?,
        opted_out: opted_out.map(|all| names(&all, "opted_out")).transpose()?,
        deleted: false,
        expected: version,
        by: by_of(&by, &reason),
        id: id.clone(),
    };
    set_up(&front, Change::Group(change)).await?;
    shown(&front, &id, &by).map(web::Json)
}

/// Removes a group. Refused with 409 `in_use` while a strategy routes to it.
#[utoipa::path(tag = "accounts", security(("access_token" = [])), params(("id" = String, Path, example = "all-paper")),
    responses((status = 204, description = "It is gone"), Refusals, Missing, Conflicts))]
#[delete("/v1/groups/{id}")]
async fn delete_group(Admin(by): Admin, id: PathName, front: web::Data<Front>) -> Result<HttpResponse, Problem> {
    let id = GroupId::parse(&id.0).map_err(|_| Problem::not_found())?;
    let (accounts, opted_out, expected) = (None, None, None);
    let by = by_of(&by, "");
    let change = GroupChange { id, new: false, accounts, opted_out, deleted: true, expected, by };
    set_up(&front, Change::Group(change)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn names(texts: &[String], field: &'static str) -> Result<Vec<AccountId>, Problem> {
    if texts.len() > 1_000 {
        return Err(Problem::invalid(field, "at most 1000 accounts"));
    }
    let name = |text: &String| AccountId::parse(text).map_err(|error| Problem::invalid(field, error.to_string()));
    texts.iter().map(name).collect()
}

fn shown(front: &Front, id: &GroupId, principal: &Principal) -> Result<GroupView, Problem> {
    front.group(id).and_then(|group| GroupView::of(&group, principal)).ok_or_else(Problem::not_found)
}
