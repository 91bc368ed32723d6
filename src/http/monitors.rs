//! Monitors of positions: how each stands, and a look at all of them on demand.

use actix_web::{get, post, web};
use serde::Serialize;
use signalbox_domain::risk::Monitor;
use signalbox_domain::risk::monitors::MonitorState;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Refusals;
use super::auth::{Authenticated, require};
use super::front::Front;
use super::json::StrictQuery;
use super::page::{Page, PageQuery};
use super::problem::Problem;
use crate::people::{Principal, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_monitors).service(run_monitors);
}

/// One monitor of one position.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PositionMonitor)]
struct MonitorView {
    account: String,
    strategy: String,
    symbol: String,
    /// stop_loss, atr_stop, trailing_stop, entry_drawdown or take_profit: the limit's name
    kind: &'static str,
    quantity: String,
    /// The price at which it comes true.
    level: Option<String>,
    last: Option<String>,
    /// armed, due (it goes off now), waits, fired (on this day) or not_armed
    state: &'static str,
    /// Why it waits, or what it lacks.
    reason: Option<&'static str>,
}

impl MonitorView {
    fn of(monitor: &Monitor) -> Self {
        Self {
            account: monitor.account.to_string(),
            strategy: monitor.strategy.to_string(),
            symbol: monitor.symbol.to_string(),
            kind: monitor.kind.into(),
            quantity: monitor.qty.to_string(),
            level: monitor.level.map(|px| px.to_string()),
            last: monitor.last.map(|px| px.to_string()),
            state: monitor.state.into(),
            reason: match monitor.state {
                MonitorState::Waits(why) | MonitorState::NotArmed(why) => Some(why),
                MonitorState::Armed | MonitorState::Due | MonitorState::Fired => None,
            },
        }
    }
}

/// How the monitors of the accounts that one may see stand.
#[utoipa::path(tag = "risk", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<MonitorView>), Refusals))]
#[get("/v1/monitors")]
async fn list_monitors(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<MonitorView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let all = front.desk.monitors(false).await?;
    page(&principal, &front, all, &query.0)
}

/// Looks at every monitored position now, as each price does by itself; what has come true goes off. Answers how they
/// stood.
#[utoipa::path(tag = "risk", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<MonitorView>), Refusals))]
#[post("/v1/monitors/run")]
async fn run_monitors(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<MonitorView>>, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let all = front.desk.monitors(true).await?;
    page(&principal, &front, all, &query.0)
}

fn page(
    principal: &Principal,
    front: &Front,
    all: Vec<Monitor>,
    query: &PageQuery,
) -> Result<web::Json<Page<MonitorView>>, Problem> {
    let readable = front.readable_filter(principal);
    let shown = all.into_iter().filter(|m| readable.as_ref().is_none_or(|own| own.contains(&m.account)));
    let name = |m: &Monitor| format!("{}/{}/{}/{}", m.account, m.strategy, m.symbol, m.kind);
    let mut sorted: Vec<(String, Monitor)> = shown.map(|monitor| (name(&monitor), monitor)).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let page =
        Page::cut_by_name(sorted.iter(), query, |(name, _)| name.as_str(), |(_, monitor)| MonitorView::of(monitor))?;
    Ok(web::Json(page))
}
