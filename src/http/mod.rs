//! The front door: one file per resource.
//!
//! [`configure`] names every resource; the OpenAPI document is made from the same list, so a route cannot be missing
//! from it. What no route answers goes to [`fallback`].

pub mod account_setup;
pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod bars;
pub mod books;
pub mod cancel_many;
pub mod contracts;
pub mod corporate;
pub mod days;
pub mod decisions;
pub mod dto;
pub mod event_view;
pub mod events;
pub mod exceptions;
pub mod execution;
pub mod front;
pub mod fx;
pub mod groups;
pub mod health;
pub mod intake;
pub mod json;
pub mod limits;
pub mod listing;
pub mod losses;
pub mod market;
pub mod max_qty;
pub mod monitors;
pub mod new_issues;
pub mod one_click;
pub mod orders;
pub mod overview;
pub mod page;
pub mod portfolio;
pub mod problem;
pub mod refresh;
pub mod refusals;
pub mod replace;
pub mod risk;
pub mod risk_limits;
pub mod session;
pub mod signals;
pub mod size;
pub mod strategies;
pub mod trading_state;
pub mod users;
pub mod views;

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::{ResourceDef, Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, ResponseError as _, web};
use utoipa::OpenApi;
use utoipa_actix_web::AppExt as _;
use utoipa_actix_web::service_config::ServiceConfig;

use self::auth::SecuritySchemes;
use self::problem::{Code, Problem, ProblemBody};

/// The part of the document that belongs to no route.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Signalbox", description = "Many strategies, many brokerage accounts, nothing lost, nothing doubled."),
    components(schemas(ProblemBody, Code)),
    modifiers(&SecuritySchemes),
    tags(
        (name = "session", description = "Login, refresh, logout, and who one is"),
        (name = "users", description = "People, their roles and grants"),
        (name = "api-keys", description = "Programs and their keys"),
        (name = "signals", description = "What strategies want"),
        (name = "orders", description = "What was sent to brokers, and what became of it"),
        (name = "accounts", description = "Cash, positions, orders and health of each account"),
        (name = "books", description = "Whose the shares are"),
        (name = "strategies", description = "Where signals go, and whether they run"),
        (name = "trading-state", description = "The brake"),
        (name = "risk", description = "Limits, and what risk control would say"),
        (name = "market", description = "Quotes, instruments, calendar, symbols"),
        (name = "overview", description = "Everything that one may see"),
        (name = "events", description = "What happens, as it happens"),
        (name = "audit", description = "The journal"),
        (name = "health", description = "Liveness, readiness, metrics"),
    )
)]
struct Document;

/// All routes.
pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.configure(session::configure)
        .configure(users::configure)
        .configure(api_keys::configure)
        .configure(signals::configure)
        .configure(decisions::configure)
        .configure(orders::configure)
        .configure(replace::configure)
        .configure(cancel_many::configure)
        .configure(exceptions::configure)
        .configure(accounts::configure)
        .configure(max_qty::configure)
        .configure(days::configure)
        .configure(refresh::configure)
        .configure(one_click::configure)
        .configure(new_issues::configure)
        .configure(account_setup::configure)
        .configure(groups::configure)
        .configure(books::configure)
        .configure(trading_state::configure)
        .configure(strategies::configure)
        .configure(risk::configure)
        .configure(risk_limits::configure)
        .configure(losses::configure)
        .configure(monitors::configure)
        .configure(market::configure)
        .configure(bars::configure)
        .configure(corporate::configure)
        .configure(overview::configure)
        .configure(fx::configure)
        .configure(audit::configure)
        .configure(events::configure)
        .configure(health::configure);
}

/// The OpenAPI document of all routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    App::new().into_utoipa_app().openapi(Document::openapi()).configure(configure).split_for_parts().1
}

/// The application of one worker. `install` adds the shared state that the handlers ask for.
pub fn app(
    install: impl FnOnce(&mut web::ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl actix_web::body::MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let (app, document) =
        App::new().into_utoipa_app().openapi(Document::openapi()).configure(configure).split_for_parts();
    let known = KnownPaths::of(&document);
    let document = web::Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    app.configure(install)
        .configure(docs)
        .route("/openapi.json", web::get().to(move || std::future::ready(json_document(document.clone()))))
        .default_service(web::to(move |req: HttpRequest| std::future::ready(fallback(&known, &req))))
        .wrap(from_fn(refusals::note))
        .wrap(
            // Answers are for who asked: no cache keeps them, no browser guesses what they are.
            DefaultHeaders::new()
                .add((header::CACHE_CONTROL, "no-store"))
                .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .add((header::REFERRER_POLICY, "no-referrer"))
                .add((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")),
        )
}

/// What the handlers share, made once for all workers.
///
/// # Errors
/// When the market's facts cannot be read.
pub fn install(
    system: &crate::system::Signalbox,
) -> anyhow::Result<impl FnOnce(&mut web::ServiceConfig) + Clone + Send + 'static> {
    let people = web::Data::from(system.people.clone());
    let limits = web::Data::new(limits::Limits::new(&system.settings.limits));
    let front = web::Data::new(front::Front::of(system)?);
    Ok(move |cfg: &mut web::ServiceConfig| {
        cfg.app_data(people).app_data(limits).app_data(front);
    })
}

/// Serves the application on the listener. The caller awaits it, and stops it by its handle.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve<I>(listener: TcpListener, workers: usize, install: I) -> std::io::Result<Server>
where
    I: FnOnce(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let server = HttpServer::new(move || app(install.clone()))
        .workers(workers)
        // Somebody who sends a byte a second holds a connection for five of them.
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .keep_alive(Duration::from_secs(15))
        .shutdown_timeout(10)
        // The program decides when to stop: accounts drain first.
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// The page to try things out. It is the only one that runs scripts, its own.
fn docs(cfg: &mut web::ServiceConfig) {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
        font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let page = utoipa_swagger_ui::SwaggerUi::new("/{_:.*}").config(utoipa_swagger_ui::Config::from("/openapi.json"));
    cfg.service(web::redirect("/docs", "/docs/")).service(
        web::scope("/docs").wrap(DefaultHeaders::new().add((header::CONTENT_SECURITY_POLICY, POLICY))).service(page),
    );
}

fn json_document(bytes: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(bytes)
}

/// The paths of the document, to tell a wrong method from a wrong path.
#[derive(Debug, Clone)]
struct KnownPaths(std::rc::Rc<[(ResourceDef, String)]>);

impl KnownPaths {
    fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let methods = |item: &utoipa::openapi::PathItem| {
            let all = [
                ("GET", item.get.is_some()),
                ("POST", item.post.is_some()),
                ("PUT", item.put.is_some()),
                ("PATCH", item.patch.is_some()),
                ("DELETE", item.delete.is_some()),
            ];
            all.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        };
        let paths = document.paths.paths.iter().map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item)));
        Self(paths.chain([(ResourceDef::new("/openapi.json"), "GET".to_owned())]).collect())
    }
}

fn fallback(known: &KnownPaths, req: &HttpRequest) -> HttpResponse {
    let allowed = known.0.iter().find(|(path, _)| path.is_match(req.path())).map(|(_, methods)| methods);
    match allowed.and_then(|methods| HeaderValue::from_str(methods).ok()) {
        Some(methods) => Problem::new(Code::MethodNotAllowed).header(header::ALLOW, methods).error_response(),
        None => Problem::not_found().error_response(),
    }
}

/// The answers that every route can give, for the OpenAPI document.
#[derive(Debug, utoipa::IntoResponses)]
pub enum Refusals {
    /// The query, a header or the path cannot be read
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemBody),
    /// Who asks is not proved
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemBody),
    /// He may not
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// Too fast: see Retry-After
    #[response(status = 429, content_type = "application/problem+json")]
    TooManyRequests(ProblemBody),
    /// An error of ours
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
    /// Busy, or nothing can be stored now: see Retry-After
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// The further answers of routes that take a body.
#[derive(Debug, utoipa::IntoResponses)]
pub enum BodyRefusals {
    /// The body is larger than 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The body is not application/json
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemBody),
    /// Understood and refused
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(ProblemBody),
}

/// The further answers of routes that name a thing.
#[derive(Debug, utoipa::IntoResponses)]
pub enum Missing {
    /// There is no such thing, or it is not yours to see
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The name makes another path of it, as `.` does
    #[response(status = 405, content_type = "application/problem+json")]
    OtherPath(ProblemBody),
}

/// The further answer of routes that name a signal or an order.
#[derive(Debug, utoipa::IntoResponses)]
pub enum Past {
    /// It ended so long ago that only the journal's files tell of it
    #[response(status = 410, content_type = "application/problem+json")]
    Archived(ProblemBody),
}

/// The further answer of routes that the state can be against.
#[derive(Debug, utoipa::IntoResponses)]
pub enum Conflicts {
    /// The state is against it
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
}
