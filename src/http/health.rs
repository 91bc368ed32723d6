//! Is the process alive, are its accounts ready, and what does it count?

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::accounts::health;
use super::front::Front;
use super::problem::{Code, Problem};
use super::{Missing, Refusals};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(healthz).service(readyz).service(render_metrics);
}

/// How long a probe waits for the trading thread, which answers in microseconds when it lives.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alive)]
struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

/// The process answers.
#[utoipa::path(tag = "health", security(()), responses((status = 200, body = Alive), Refusals))]
#[get("/healthz")]
async fn healthz() -> web::Json<Alive> {
    web::Json(Alive { status: "ok" })
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ready)]
struct Ready {
    #[schema(example = "ready")]
    status: &'static str,
    accounts: usize,
}

/// The trading thread answers, the store reads, and every account is ready.
#[utoipa::path(tag = "health", security(()), responses((status = 200, body = Ready), Refusals))]
#[get("/readyz")]
async fn readyz(req: HttpRequest, front: web::Data<Front>) -> Result<web::Json<Ready>, Problem> {
    let not_ready = |detail: String| Problem::new(Code::Unavailable).detail(detail);
    match tokio::time::timeout(PATIENCE, front.store.trading_states()).await {
        Ok(Ok(_)) => {}
        _ => return Err(not_ready("the store cannot be read".to_owned())),
    }
    // Who was taken out of use has nobody who could be ready.
    let all: Vec<_> = front.accounts().into_iter().filter(|info| info.in_use()).collect();
    let found = futures_util::future::join_all(all.iter().map(|info| health(&front, &info.id, None))).await;
    let missing: Vec<&str> = all
        .iter()
        .zip(&found)
        .filter(|(_, health)| health.status == "suspended")
        .map(|(info, _)| info.id.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(web::Json(Ready { status: "ready", accounts: all.len() }));
    }
    // Strangers learn that something is not ready, not what.
    let which = if is_local(&req) { missing.join(", ") } else { missing.len().to_string() };
    Err(not_ready(format!("accounts that are not ready: {which}")))
}

/// Counters and latencies for Prometheus. For this machine only: elsewhere there is no such thing.
#[utoipa::path(tag = "health", security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "Prometheus text format"),
        Refusals, Missing))]
#[get("/metrics")]
async fn render_metrics(req: HttpRequest, front: web::Data<Front>) -> Result<HttpResponse, Problem> {
    let Some(handle) = front.metrics.as_ref().filter(|_| is_local(&req)) else { return Err(Problem::not_found()) };
    metrics::gauge!("signalbox_event_streams_free").set(front.streams.available_permits() as f64);
    for info in front.accounts().into_iter().filter(|info| info.in_use()) {
        let health = health(&front, &info.id, None).await;
        let account = info.id.to_string();
        metrics::gauge!("signalbox_account_ready", "account" => account.clone()).set(if health.status == "suspended" {
            0.0
        } else {
            1.0
        });
        metrics::gauge!("signalbox_account_live_orders", "account" => account.clone()).set(health.live_orders as f64);
        metrics::gauge!("signalbox_account_queue_depth", "account" => account.clone()).set(health.queue_depth as f64);
        metrics::gauge!("signalbox_account_doubts", "account" => account).set(health.doubts as f64);
    }
    handle.run_upkeep();
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4")).body(handle.render()))
}

/// Counts for the whole process, from the first call on. `None` when somebody else counts already.
#[must_use]
pub fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || match PrometheusBuilder::new().install_recorder() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "metrics are not counted");
            None
        }
    };
    RECORDER.get_or_init(install).clone()
}

/// Asked from this very machine, and not through a proxy that stands on it.
fn is_local(req: &HttpRequest) -> bool {
    let loopback = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    };
    !req.headers().contains_key("x-forwarded-for") && req.peer_addr().is_some_and(|peer| loopback(peer.ip()))
}
