//! Everything that one may see at once: accounts, positions and fills, with totals per group and currency.

use std::collections::BTreeMap;

use actix_web::{get, web};
use serde::Serialize;
use signalbox_domain::ids::AccountId;
use signalbox_domain::order::Side;
use signalbox_domain::units::Money;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Refusals;
use super::accounts::{self, AccountView, fills, fills_page, positions_page, state_of};
use super::auth::{Authenticated, require};
use super::dto::currency;
use super::front::Front;
use super::json::StrictQuery;
use super::listing::ListQuery;
use super::orders::accounts_of;
use super::page::PageQuery;
use super::portfolio::{Portfolio, PositionView};
use super::problem::Problem;
use super::views::{FillView, at};
use crate::people::{Principal, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_overview).service(list_positions).service(list_fills);
}

/// What a group of accounts is worth in one currency.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = Totals)]
struct TotalsView {
    /// `all`, or the name of a group.
    group: String,
    currency: String,
    accounts: usize,
    cash: String,
    available: String,
    frozen: String,
    market_value: String,
    equity: String,
    unrealized_pnl: String,
    realized_pnl: String,
}

#[derive(Default)]
struct Totals {
    accounts: usize,
    cash: Money,
    available: Money,
    frozen: Money,
    market_value: Money,
    unrealized: Money,
    realized: Money,
}

impl Totals {
    fn add(&mut self, portfolio: &Portfolio) {
        self.accounts += 1;
        self.cash += portfolio.cash;
        self.available += portfolio.available();
        self.frozen += portfolio.reserved_cash;
        self.market_value += portfolio.market_value();
        self.unrealized += portfolio.unrealized_pnl();
        self.realized += portfolio.holdings.iter().map(|held| held.realized_pnl).sum();
    }

    fn view(&self, group: &str) -> TotalsView {
        TotalsView {
            group: group.to_owned(),
            currency: "CNY".to_owned(),
            accounts: self.accounts,
            cash: self.cash.to_string(),
            available: self.available.to_string(),
            frozen: self.frozen.to_string(),
            market_value: self.market_value.to_string(),
            equity: (self.cash + self.market_value).to_string(),
            unrealized_pnl: self.unrealized.to_string(),
            realized_pnl: self.realized.to_string(),
        }
    }
}

/// The totals of all and of each group that has one of these accounts.
fn totals(front: &Front, portfolios: &[Portfolio]) -> Vec<TotalsView> {
    let mut all = Totals::default();
    for portfolio in portfolios {
        all.add(portfolio);
    }
    let mut views = vec![all.view("all")];
    let mut groups: Vec<_> = front.groups().iter().collect();
    groups.sort_by(|a, b| a.0.cmp(b.0));
    for (group, members) in groups {
        let mut sum = Totals::default();
        for portfolio in portfolios.iter().filter(|portfolio| members.contains(&portfolio.account)) {
            sum.add(portfolio);
        }
        // A group of which one sees nothing is nobody's business here.
        if sum.accounts > 0 {
            views.push(sum.view(group.as_str()));
        }
    }
    views
}

async fn portfolios(front: &Front, principal: &Principal) -> Result<Vec<Portfolio>, Problem> {
    let mut all = Vec::new();
    for info in front.readable(principal) {
        all.push(Portfolio::load(front, &info.id).await?);
    }
    Ok(all)
}

/// Everything at a glance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Overview)]
struct OverviewView {
    /// The market clock.
    as_of: String,
    /// The global one.
    trading_state: &'static str,
    totals: Vec<TotalsView>,
    accounts: Vec<AccountView>,
    strategies: usize,
    open_orders: usize,
    doubts: usize,
}

/// The accounts that one may see, with totals per group and currency.
#[utoipa::path(tag = "overview", security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, body = OverviewView), Refusals))]
#[get("/v1/overview")]
async fn show_overview(
    Authenticated(principal): Authenticated,
    front: web::Data<Front>,
) -> Result<web::Json<OverviewView>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let states = front.store.trading_states().await?;
    let portfolios = portfolios(&front, &principal).await?;
    let mut accounts = Vec::new();
    for info in front.readable(&principal) {
        accounts.push(accounts::view(&front, info, &states).await?);
    }
    let strategies = front.strategies().iter().filter(|facts| super::front::may_read(&principal, facts)).count();
    Ok(web::Json(OverviewView {
        as_of: at(front.now()),
        trading_state: state_of(&states, &signalbox_domain::event::Scope::Global).into(),
        totals: totals(&front, &portfolios),
        strategies,
        open_orders: portfolios.iter().map(|portfolio| portfolio.open_orders).sum(),
        doubts: accounts.iter().map(|account| account.health.doubts).sum(),
        accounts,
    }))
}

/// A page of positions, and what all of them together are worth.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Positions)]
struct PositionsView {
    items: Vec<PositionView>,
    next_cursor: Option<String>,
    totals: Vec<TotalsView>,
}

/// The positions of the accounts that one may see.
#[utoipa::path(tag = "overview", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = PositionsView), Refusals))]
#[get("/v1/positions")]
async fn list_positions(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<PositionsView>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let portfolios = portfolios(&front, &principal).await?;
    let positions = portfolios.iter().flat_map(|portfolio| portfolio.positions(&front)).collect();
    let page = positions_page(positions, &query.0)?;
    Ok(web::Json(PositionsView {
        items: page.items,
        next_cursor: page.next_cursor,
        totals: totals(&front, &portfolios),
    }))
}

/// What was traded in one currency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FillTotals)]
struct FillTotalsView {
    /// `all`, or the name of a group.
    group: String,
    currency: &'static str,
    fills: usize,
    bought: String,
    sold: String,
    fees: String,
}

/// A page of fills, and what those on it add up to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fills)]
struct FillsView {
    items: Vec<FillView>,
    next_cursor: Option<String>,
    totals: Vec<FillTotalsView>,
}

/// The fills of the accounts that one may see, the newest first.
#[utoipa::path(tag = "overview", security(("access_token" = []), ("api_key" = [])), params(ListQuery),
    responses((status = 200, body = FillsView), Refusals))]
#[get("/v1/fills")]
async fn list_fills(
    Authenticated(principal): Authenticated,
    query: StrictQuery<ListQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<FillsView>, Problem> {
    require(&principal, Scope::OrdersRead)?;
    let accounts = accounts_of(&principal, query.0.account.as_deref(), &front);
    let (mut found, limit) = fills(&query.0, accounts, &front).await?;
    let extra = if found.len() > limit { found.pop() } else { None };
    let mut sums: BTreeMap<(String, &'static str), (usize, Money, Money, Money)> = BTreeMap::new();
    for stored in &found {
        let fill = &stored.fill;
        let currency = currency(front.market.instrument(fill.symbol));
        for group in groups_of(&front, &fill.account) {
            let sum = sums.entry((group, currency)).or_default();
            sum.0 += 1;
            *(if fill.side == Side::Buy { &mut sum.1 } else { &mut sum.2 }) += fill.px.times(fill.qty);
            sum.3 += fill.fee;
        }
    }
    let totals = sums
        .into_iter()
        .map(|((group, currency), (fills, bought, sold, fees))| FillTotalsView {
            group,
            currency,
            fills,
            bought: bought.to_string(),
            sold: sold.to_string(),
            fees: fees.to_string(),
        })
        .collect();
    found.extend(extra);
    let page = fills_page(found, limit, &front);
    Ok(web::Json(FillsView { items: page.items, next_cursor: page.next_cursor, totals }))
}

fn groups_of(front: &Front, account: &AccountId) -> Vec<String> {
    let mut names = vec!["all".to_owned()];
    names.extend(front.groups().iter().filter(|(_, members)| members.contains(account)).map(|(id, _)| id.to_string()));
    names
}
