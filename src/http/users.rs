//! People, their roles and grants. For administrators.

use actix_web::http::header;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::Admin;
use super::json::{PathName, StrictJson, StrictQuery};
use super::page::{Page, PageQuery, rfc3339};
use super::problem::Problem;
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::{Grant, NewUser, People, Role, User, UserPatch};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_users).service(create_user).service(show_user).service(change_user).service(delete_user);
}

#[derive(Serialize, ToSchema)]
struct UserView {
    username: String,
    roles: Vec<Role>,
    grants: Vec<Grant>,
    disabled: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            username: user.username.to_string(),
            roles: user.roles.clone(),
            grants: user.grants.clone(),
            disabled: user.disabled,
            created_at: rfc3339(user.created_at_us),
            updated_at: rfc3339(user.updated_at_us),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "username": "bob", "password": "correct horse battery", "roles": ["trader"],
    "grants": [{"account": "paper-a", "actions": ["read", "trade"]}]
}))]
struct NewUserBody {
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    username: String,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    password: SecretString,
    #[schema(min_items = 1)]
    roles: Vec<Role>,
    #[serde(default)]
    #[schema(max_items = 500)]
    grants: Vec<Grant>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"roles": ["trader"], "grants": [{"strategy": "small-cap", "actions": ["trade"]}]}))]
struct UserChangeBody {
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 8, max_length = 256)]
    password: Option<SecretString>,
    #[serde(default)]
    #[schema(min_items = 1)]
    roles: Option<Vec<Role>>,
    #[serde(default)]
    #[schema(max_items = 500)]
    grants: Option<Vec<Grant>>,
    #[serde(default)]
    disabled: Option<bool>,
}

/// All users, the newest first.
#[utoipa::path(tag = "users", security(("access_token" = [])), params(PageQuery),
    responses((status = 200, body = Page<UserView>), Refusals))]
#[get("/v1/users")]
async fn list_users(
    _: Admin,
    query: StrictQuery<PageQuery>,
    people: web::Data<People>,
) -> Result<web::Json<Page<UserView>>, Problem> {
    let key = |user: &std::sync::Arc<User>| user.created_at_us;
    let page =
        Page::cut(people.users(), &query.0, |user| (key(user), user.username.as_str()), |user| (&**user).into())?;
    Ok(web::Json(page))
}

/// Makes a user.
#[utoipa::path(tag = "users", security(("access_token" = [])), request_body = NewUserBody,
    responses((status = 201, body = UserView, headers(("Location" = String))), Refusals, BodyRefusals, Conflicts))]
#[post("/v1/users")]
async fn create_user(
    Admin(by): Admin,
    body: StrictJson<NewUserBody>,
    people: web::Data<People>,
) -> Result<HttpResponse, Problem> {
    let StrictJson(NewUserBody { username, password, roles, grants }) = body;
    let user = people.create_user(NewUser { username, password, roles, grants }, by.client()).await?;
    let location = format!("/v1/users/{}", user.username);
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(UserView::from(&*user)))
}

/// One user.
#[utoipa::path(tag = "users", security(("access_token" = [])), params(("username" = String, Path)),
    responses((status = 200, body = UserView), Refusals, Missing))]
#[get("/v1/users/{username}")]
async fn show_user(_: Admin, name: PathName, people: web::Data<People>) -> Result<web::Json<UserView>, Problem> {
    let user = people.user(&name.0).ok_or_else(Problem::not_found)?;
    Ok(web::Json((&*user).into()))
}

/// Changes what is given. A new password, other roles and disabling end his access tokens at once.
#[utoipa::path(tag = "users", security(("access_token" = [])), params(("username" = String, Path)),
    request_body = UserChangeBody,
    responses((status = 200, body = UserView), Refusals, BodyRefusals, Missing, Conflicts))]
#[patch("/v1/users/{username}")]
async fn change_user(
    Admin(by): Admin,
    name: PathName,
    body: StrictJson<UserChangeBody>,
    people: web::Data<People>,
) -> Result<web::Json<UserView>, Problem> {
    let StrictJson(UserChangeBody { password, roles, grants, disabled }) = body;
    let user = people.change_user(&name.0, UserPatch { password, roles, grants, disabled }, by.client()).await?;
    Ok(web::Json((&*user).into()))
}

/// Removes a user with his sessions and the keys that he answers for.
#[utoipa::path(tag = "users", security(("access_token" = [])), params(("username" = String, Path)),
    responses((status = 204, description = "He is gone"), Refusals, Missing, Conflicts))]
#[delete("/v1/users/{username}")]
async fn delete_user(Admin(by): Admin, name: PathName, people: web::Data<People>) -> Result<HttpResponse, Problem> {
    people.delete_user(&name.0, by.client()).await?;
    Ok(HttpResponse::NoContent().finish())
}
