//! What accounts, strategies and all together have lost, against what they may.

use actix_web::{get, web};
use serde::Serialize;
use signalbox_domain::event::Scope as RiskScope;
use signalbox_domain::risk::Worth;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Refusals;
use super::auth::{Authenticated, require};
use super::front::Front;
use super::json::StrictQuery;
use super::page::{Page, PageQuery};
use super::problem::Problem;
use super::trading_state::name_of;
use super::views::at;
use crate::people::{Principal, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_worth);
}

/// What one scope is worth, and has lost.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RiskWorth)]
struct WorthView {
    /// global, account:<id> or strategy:<name>
    scope: String,
    trade_date: String,
    /// Of the accounts that it stands in.
    equity: String,
    /// With which the day began, and what was put in since.
    opened: String,
    /// Of the day: deposits, withdrawals and shares that changed their book are no part of it.
    gain: String,
    /// Of `opened`; 0 when the day gains.
    #[schema(example = "0.012")]
    day_loss: String,
    /// Below the best that it has been, by the chain of its days' returns.
    #[schema(example = "0.04")]
    drawdown: String,
    /// quiet, warned or tripped
    day: &'static str,
    /// quiet, warned or tripped
    drawdown_state: &'static str,
    /// The loss by which trading only reduces here: day (until the next day) or drawdown (until a person lets it go).
    holds: Option<&'static str>,
    /// Holdings without a price of the day: they stand at their last close, and trip nothing.
    unpriced: u32,
    day_loss_warn: String,
    day_loss_limit: String,
    day_loss_max: Option<String>,
    drawdown_limit: String,
    /// When it was journaled last.
    at: String,
}

impl WorthView {
    fn of(worth: &Worth) -> Self {
        let Worth { mark, limits, .. } = worth;
        Self {
            scope: name_of(&mark.scope),
            trade_date: mark.trade_date.to_string(),
            equity: worth.equity.to_string(),
            opened: mark.opened.to_string(),
            gain: worth.gain.to_string(),
            day_loss: worth.day_loss.to_string(),
            drawdown: worth.drawdown.to_string(),
            day: mark.day.into(),
            drawdown_state: mark.drawdown.into(),
            holds: mark.holds.map(Into::into),
            unpriced: worth.unpriced,
            day_loss_warn: limits.day_warn.to_string(),
            day_loss_limit: limits.day.to_string(),
            day_loss_max: limits.day_max.map(|most| most.to_string()),
            drawdown_limit: limits.drawdown.to_string(),
            at: at(mark.at),
        }
    }
}

/// Of each account, each strategy and all together that one may see: what it is worth, what the day has brought, how far it
/// is below its best, and which limits of loss that meets.
#[utoipa::path(tag = "risk", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<WorthView>), Refusals))]
#[get("/v1/risk")]
async fn list_worth(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<WorthView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let worth = front.desk.worth().await?;
    let mut shown: Vec<(String, Worth)> = worth
        .into_iter()
        .filter(|worth| visible(&principal, &front, worth))
        .map(|worth| (name_of(&worth.mark.scope), worth))
        .collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    let page = Page::cut_by_name(shown.iter(), &query.0, |(name, _)| name.as_str(), |(_, worth)| WorthView::of(worth))?;
    Ok(web::Json(page))
}

/// Sums tell of every account that is in them.
fn visible(principal: &Principal, front: &Front, worth: &Worth) -> bool {
    let readable = front.readable_filter(principal);
    let all = readable.is_none_or(|own| worth.accounts.iter().all(|account| own.contains(account)));
    all && match &worth.mark.scope {
        RiskScope::Strategy(id) => front.readable_strategies(principal).is_none_or(|own| own.contains(id)),
        RiskScope::Global | RiskScope::Account(_) => true,
    }
}
