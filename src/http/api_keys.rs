//! The keys of programs. For administrators.

use actix_web::http::header;
use actix_web::{HttpResponse, delete, get, post, web};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::Admin;
use super::json::{PathName, StrictJson, StrictQuery};
use super::page::{Page, PageQuery, rfc3339};
use super::problem::Problem;
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::{ApiKey, NewKey, Pattern, People, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_api_keys).service(create_api_key).service(delete_api_key);
}

#[derive(Serialize, ToSchema)]
struct KeyView {
    id: String,
    name: String,
    /// The user who answers for it: disabling him stops the key.
    owner: String,
    scopes: Vec<Scope>,
    accounts: Vec<Pattern>,
    strategies: Vec<Pattern>,
    disabled: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

impl KeyView {
    fn of(key: &ApiKey, last_used_us: Option<i64>) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            owner: key.owner.to_string(),
            scopes: key.scopes.clone(),
            accounts: key.accounts.clone(),
            strategies: key.strategies.clone(),
            disabled: key.disabled,
            created_at: rfc3339(key.created_at_us),
            last_used_at: last_used_us.map(rfc3339),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct CreatedKeyView {
    #[serde(flatten)]
    key: KeyView,
    /// For `Authorization: Bearer`. Shown this once.
    secret: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "research box", "scopes": ["signals:write", "signals:read"], "strategies": ["small-cap"]}))]
struct NewKeyBody {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// The accounts it may touch, and with them the strategies that route to no others. All of them when `strategies` is left
    /// away too, else none.
    #[serde(default)]
    #[schema(max_items = 500)]
    accounts: Option<Vec<Pattern>>,
    /// The strategies it may touch, wherever they route. All of them when `accounts` is left away too, else none.
    #[serde(default)]
    #[schema(max_items = 500)]
    strategies: Option<Vec<Pattern>>,
    /// The user who answers for it: without him it ends. Its rights are its own, and may be more than his. Whoever makes it when
    /// left away.
    #[serde(default)]
    #[schema(max_length = 64)]
    owner: Option<String>,
}

/// All keys, the newest first, without their secrets.
#[utoipa::path(tag = "api-keys", security(("access_token" = [])), params(PageQuery),
    responses((status = 200, body = Page<KeyView>), Refusals))]
#[get("/v1/api-keys")]
async fn list_api_keys(
    _: Admin,
    query: StrictQuery<PageQuery>,
    people: web::Data<People>,
) -> Result<web::Json<Page<KeyView>>, Problem> {
    let page = Page::cut(
        people.keys(),
        &query.0,
        |(key, _)| (key.created_at_us, key.id.as_str()),
        |(key, last_used_us)| KeyView::of(key, *last_used_us),
    )?;
    Ok(web::Json(page))
}

/// Makes a key. Its secret is in this answer and nowhere else.
#[utoipa::path(tag = "api-keys", security(("access_token" = [])), request_body = NewKeyBody,
    responses((status = 201, body = CreatedKeyView, headers(("Location" = String))), Refusals, BodyRefusals, Conflicts))]
#[post("/v1/api-keys")]
async fn create_api_key(
    Admin(by): Admin,
    body: StrictJson<NewKeyBody>,
    people: web::Data<People>,
) -> Result<HttpResponse, Problem> {
    let StrictJson(NewKeyBody { name, scopes, accounts, strategies, owner }) = body;
    // Who names one thing does not mean all others.
    let (accounts, strategies) = match (accounts, strategies) {
        (None, None) => (vec![Pattern::all()], vec![Pattern::all()]),
        (accounts, strategies) => (accounts.unwrap_or_default(), strategies.unwrap_or_default()),
    };
    let new = NewKey { name, scopes, accounts, strategies, owner };
    let (key, secret) = people.create_key(new, by.client()).await?;
    let location = format!("/v1/api-keys/{}", key.id);
    let view = CreatedKeyView { key: KeyView::of(&key, None), secret: secret.expose_secret().to_owned() };
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(view))
}

/// Deletes a key: its next request is refused.
#[utoipa::path(tag = "api-keys", security(("access_token" = [])), params(("id" = String, Path)),
    responses((status = 204, description = "It is gone"), Refusals, Missing))]
#[delete("/v1/api-keys/{id}")]
async fn delete_api_key(Admin(by): Admin, id: PathName, people: web::Data<People>) -> Result<HttpResponse, Problem> {
    people.delete_key(&id.0, by.client()).await?;
    Ok(HttpResponse::NoContent().finish())
}
