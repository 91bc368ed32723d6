//! Login, refresh, logout, and who one is.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, bearer};
use super::json::{OptionalJson, StrictJson};
use super::limits::Limits;
use super::problem::{Code, Problem};
use super::{BodyRefusals, Refusals};
use crate::people::{Grant, Pattern, People, Role, Scope, Tokens, Who};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(login).service(refresh).service(logout).service(me);
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "ann", "password": "correct horse battery"}))]
struct LoginBody {
    #[schema(max_length = 64)]
    username: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "sbr_SGVsbG8sIHdvcmxkISBUaGlzIGlzIG5vdCBhIHRva2VuLCBidXQgaXQgbG9va3M"}))]
struct RefreshBody {
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

#[derive(Serialize, ToSchema)]
struct TokensBody {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// Good once: the next one comes with its use. Using one twice ends the session.
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 600)]
    expires_in: i64,
}

impl From<Tokens> for TokensBody {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access.expose_secret().to_owned(),
            refresh_token: tokens.refresh.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: tokens.expires_in_secs,
        }
    }
}

/// Proves a person by password and opens a session.
#[utoipa::path(tag = "session", security(()), request_body = LoginBody,
    responses((status = 200, body = TokensBody), Refusals, BodyRefusals))]
#[post("/v1/auth/login")]
async fn login(
    req: HttpRequest,
    body: StrictJson<LoginBody>,
    people: web::Data<People>,
    limits: web::Data<Limits>,
) -> Result<web::Json<TokensBody>, Problem> {
    let StrictJson(LoginBody { username, password }) = body;
    limits.check_login(&req, &username)?;
    let agent = req.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tokens = people.login(&username, password, agent).await?;
    Ok(web::Json(tokens.into()))
}

/// Gives new tokens for a refresh token, which is used up.
///
/// Of several requests with the same token exactly one succeeds, and the session ends, since one of them may come from
/// a thief: refresh one at a time.
#[utoipa::path(tag = "session", security(()), request_body = RefreshBody,
    responses((status = 200, body = TokensBody), Refusals, BodyRefusals))]
#[post("/v1/auth/refresh")]
async fn refresh(
    req: HttpRequest,
    body: StrictJson<RefreshBody>,
    people: web::Data<People>,
    limits: web::Data<Limits>,
) -> Result<web::Json<TokensBody>, Problem> {
    limits.check_refresh(&req)?;
    let tokens = people.refresh(&body.0.refresh_token).await?;
    Ok(web::Json(tokens.into()))
}

/// Ends the session of the access token, or that of the refresh token in the body.
#[utoipa::path(tag = "session", security((), ("access_token" = [])), request_body = Option<RefreshBody>,
    responses((status = 204, description = "The session is over"), Refusals, BodyRefusals))]
#[post("/v1/auth/logout")]
async fn logout(
    req: HttpRequest,
    body: OptionalJson<RefreshBody>,
    people: web::Data<People>,
    limits: web::Data<Limits>,
) -> Result<HttpResponse, Problem> {
    limits.check_refresh(&req)?;
    match (body.0, bearer(&req)?) {
        (Some(body), _) => people.logout_by_refresh(&body.refresh_token).await?,
        (None, Some(token)) => {
            let principal = people.authenticate(token)?;
            if !matches!(principal.who(), Who::User { .. }) {
                return Err(Problem::forbidden("a key has no session: delete the key"));
            }
            people.logout(&principal).await?;
        }
        (None, None) => return Err(Problem::new(Code::AuthenticationRequired)),
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Me {
    User {
        username: String,
        roles: Vec<Role>,
        grants: Vec<Grant>,
    },
    ApiKey {
        id: String,
        name: String,
        owner: String,
        scopes: Vec<Scope>,
        accounts: Vec<Pattern>,
        strategies: Vec<Pattern>,
    },
}

/// Who the token belongs to, and what he may do.
#[utoipa::path(tag = "session", security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, body = Me), Refusals))]
#[get("/v1/me")]
async fn me(Authenticated(principal): Authenticated) -> web::Json<Me> {
    web::Json(match principal.who() {
        Who::User { user, .. } => {
            Me::User { username: user.username.to_string(), roles: user.roles.clone(), grants: user.grants.clone() }
        }
        Who::Key(key) => Me::ApiKey {
            id: key.id.to_string(),
            name: key.name.clone(),
            owner: key.owner.to_string(),
            scopes: key.scopes.clone(),
            accounts: key.accounts.clone(),
            strategies: key.strategies.clone(),
        },
    })
}
