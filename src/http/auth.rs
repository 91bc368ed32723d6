//! Who asks: the extractors that prove it before a handler sees anything else.
//!
//! Put the extractor first among a handler's arguments: then a stranger learns nothing about what the body should be.
//! It also counts the request against the limits of whoever asks.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use signalbox_domain::ids::AccountId;
use utoipa::Modify;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::limits::{Class, Limits};
use super::problem::{Code, Problem};
use super::refusals::Asker;
use crate::people::{People, Principal, Scope};

/// A person or a program, by `Authorization: Bearer` with an access token or an API key.
#[derive(Debug, Clone)]
pub struct Authenticated(pub Principal);

/// An administrator.
#[derive(Debug, Clone)]
pub struct Admin(pub Principal);

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(req).map(Self))
    }
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(req).and_then(|principal| {
            if principal.is_admin() { Ok(Self(principal)) } else { Err(Problem::forbidden("administrators only")) }
        }))
    }
}

/// The token of the request, if it shows one.
///
/// # Errors
/// 401 when there are two, or it is no bearer token.
pub fn bearer(req: &HttpRequest) -> Result<Option<&str>, Problem> {
    let malformed = |detail| Err(Problem::new(Code::AuthorizationMalformed).detail(detail));
    let mut values = req.headers().get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        // A proxy and we could each believe another one.
        return malformed("one Authorization header, please");
    }
    let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return malformed("send `Authorization: Bearer <token>`");
    };
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains([' ', ',']) {
        return malformed("send `Authorization: Bearer <token>`");
    }
    Ok(Some(token))
}

fn authenticate(req: &HttpRequest) -> Result<Principal, Problem> {
    let (people, limits) = (shared::<People>(req)?, shared::<Limits>(req)?);
    let token = bearer(req)?.ok_or_else(|| Problem::new(Code::AuthenticationRequired))?;
    let principal = people.authenticate(token)?;
    req.extensions_mut().insert(Asker::of(&principal));
    limits.check(class_of(req), principal.client())?;
    Ok(principal)
}

fn class_of(req: &HttpRequest) -> Class {
    let path = req.path();
    match *req.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => Class::Read,
        // What stops trading has a bucket of its own: a sender that floods us must not hold its owner off the brake.
        _ if path.ends_with("/cancel") || path.ends_with("/cancel-all") || path.ends_with("trading-state") => {
            Class::Cancel
        }
        _ => Class::Write,
    }
}

pub(super) fn shared<T: 'static>(req: &HttpRequest) -> Result<&T, Problem> {
    // Missing only when the server was put together without it, which its first test shows.
    req.app_data::<web::Data<T>>().map(|data| data.get_ref()).ok_or_else(|| Problem::new(Code::Internal))
}

/// The account, if it exists and may be seen; one and the same 404 otherwise.
///
/// # Errors
/// 404.
pub fn readable_account(
    principal: &Principal,
    id: &str,
    exists: impl FnOnce(&AccountId) -> bool,
) -> Result<AccountId, Problem> {
    let account = AccountId::parse(id).map_err(|_| Problem::not_found())?;
    // Both questions are always asked: the time that it takes tells nothing either.
    let (readable, exists) = (principal.may_read(&account), exists(&account));
    if readable && exists { Ok(account) } else { Err(Problem::not_found()) }
}

/// The account, if it exists and may be traded: 404 when it may not even be seen, 403 when it may.
///
/// # Errors
/// 403, 404.
pub fn tradable_account(
    principal: &Principal,
    id: &str,
    exists: impl FnOnce(&AccountId) -> bool,
) -> Result<AccountId, Problem> {
    let account = AccountId::parse(id).map_err(|_| Problem::not_found())?;
    let (readable, tradable, exists) = (principal.may_read(&account), principal.may_trade(&account), exists(&account));
    if !exists || !(readable || tradable) {
        return Err(Problem::not_found());
    }
    if tradable { Ok(account) } else { Err(Problem::forbidden("you may see this account, not trade it")) }
}

/// # Errors
/// 403 without the scope, for a person without a role that includes it.
pub fn require(principal: &Principal, scope: Scope) -> Result<(), Problem> {
    if principal.has_scope(scope) {
        return Ok(());
    }
    let name: &'static str = scope.into();
    Err(Problem::new(Code::Forbidden).detail(format!("this needs the scope {name}, or a role that includes it")))
}

/// Tells the OpenAPI document how one authenticates.
#[derive(Debug)]
pub struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        for (name, format, description) in [
            ("access_token", "JWT", "For people: from POST /v1/auth/login, ten minutes."),
            ("api_key", "sbk_…", "For programs: from POST /v1/api-keys, until it is deleted."),
        ] {
            let scheme =
                Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format(format).description(Some(description));
            components.add_security_scheme(name, SecurityScheme::Http(scheme.build()));
        }
    }
}
