//! Everything that one may see at once: accounts, positions and fills, with totals per group and currency.

use std::collections::BTreeMap;

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::fx::FxRates;
use signalbox_domain::ids::AccountId;
use signalbox_domain::instrument::Currency;
use signalbox_domain::order::Side;
use signalbox_domain::units::Money;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::Refusals;
use super::accounts::{self, AccountView, fills, fills_page, positions_page, state_of};
use super::auth::{Authenticated, require};
use super::dto::currency;
use super::front::Front;
use super::fx::{self, FxRateView};
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

#[derive(Debug, Default, Clone, Copy)]
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
    fn view(&self, group: &str, currency: &'static str) -> TotalsView {
        TotalsView {
            group: group.to_owned(),
            currency: currency.to_owned(),
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

/// What a group is worth in each currency. Amounts of two currencies are never added here.
type PerCurrency = BTreeMap<&'static str, (Currency, Totals)>;

fn per_currency<'a>(front: &Front, portfolios: impl Iterator<Item = &'a Portfolio>) -> PerCurrency {
    let mut sums = PerCurrency::new();
    for portfolio in portfolios {
        let (_, own) = sums.entry(portfolio.currency.into()).or_insert((portfolio.currency, Totals::default()));
        own.accounts += 1;
        own.cash += portfolio.cash;
        own.available += portfolio.available();
        own.frozen += portfolio.reserved_cash;
        // A contract is worth what it has brought since the last settlement.
        own.market_value += portfolio.lots_pnl();
        own.unrealized += portfolio.lots_pnl();
        for held in &portfolio.holdings {
            let currency = front.market.instrument(held.symbol).map_or(portfolio.currency, |i| i.currency);
            let (_, sum) = sums.entry(currency.into()).or_insert((currency, Totals::default()));
            sum.market_value += held.market_value();
            sum.unrealized += held.market_value() - held.cost;
            sum.realized += held.realized_pnl;
        }
    }
    sums
}

/// All accounts that one sees, and each group that has some of them.
fn groups<'a>(front: &Front, portfolios: &'a [Portfolio]) -> Vec<(String, Vec<&'a Portfolio>)> {
    let mut all = vec![("all".to_owned(), portfolios.iter().collect())];
    for group in front.groups() {
        let own: Vec<&Portfolio> = portfolios.iter().filter(|p| group.accounts.contains(&p.account)).collect();
        // A group of which one sees nothing is nobody's business here.
        if !own.is_empty() {
            all.push((group.id.to_string(), own));
        }
    }
    all
}

/// The totals of all and of each group that has one of these accounts, per currency.
fn totals(front: &Front, portfolios: &[Portfolio]) -> Vec<TotalsView> {
    let of_group = |(group, own): (String, Vec<&Portfolio>)| {
        let sums = per_currency(front, own.into_iter());
        sums.into_iter().map(move |(currency, (_, sum))| sum.view(&group, currency)).collect::<Vec<_>>()
    };
    groups(front, portfolios).into_iter().flat_map(of_group).collect()
}

/// What a group is worth in one currency, by rates that were stated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConvertedTotals)]
struct ConvertedView {
    group: String,
    currency: &'static str,
    /// Nothing when a rate is missing.
    cash: Option<String>,
    equity: Option<String>,
    unrealized_pnl: Option<String>,
    realized_pnl: Option<String>,
    /// The rates that were used, each with its source and time.
    rates: Vec<FxRateView>,
    /// Currencies whose rate nobody stated.
    missing: Vec<&'static str>,
}

fn converted(front: &Front, portfolios: &[Portfolio], rates: &FxRates, base: Currency) -> Vec<ConvertedView> {
    let of_group = |(group, own): (String, Vec<&Portfolio>)| {
        let sums = per_currency(front, own.into_iter());
        let sum = |what: fn(&Totals) -> Money| {
            let each = sums.values().map(|(currency, sum)| rates.convert(what(sum), *currency, base));
            each.sum::<Result<Money, Currency>>().ok().map(|sum| sum.to_string())
        };
        let others = || sums.values().map(|(currency, _)| *currency).filter(|currency| *currency != base);
        ConvertedView {
            currency: base.into(),
            cash: sum(|sum| sum.cash),
            equity: sum(|sum| sum.cash + sum.market_value),
            unrealized_pnl: sum(|sum| sum.unrealized),
            realized_pnl: sum(|sum| sum.realized),
            rates: others().filter_map(|currency| rates.get(currency, base)).map(FxRateView::of).collect(),
            missing: others().filter(|currency| rates.get(*currency, base).is_none()).map(Into::into).collect(),
            group,
        }
    };
    groups(front, portfolios).into_iter().map(of_group).collect()
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
    /// Per group and currency.
    totals: Vec<TotalsView>,
    /// Per group, all currencies in one.
    converted: Vec<ConvertedView>,
    accounts: Vec<AccountView>,
    strategies: usize,
    open_orders: usize,
    doubts: usize,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OverviewQuery {
    /// The currency of `converted`: CNY when left away.
    #[param(max_length = 3, nullable = false, example = "CNY")]
    base: Option<String>,
}

/// The accounts that one may see, with totals per group and currency.
#[utoipa::path(tag = "overview", security(("access_token" = []), ("api_key" = [])), params(OverviewQuery),
    responses((status = 200, body = OverviewView), Refusals,
        (status = 422, body = super::problem::ProblemBody, content_type = "application/problem+json",
            description = "The base is no currency that is known here")))]
#[get("/v1/overview")]
async fn show_overview(
    Authenticated(principal): Authenticated,
    query: StrictQuery<OverviewQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<OverviewView>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let states = front.store.trading_states().await?;
    let base = query.0.base.as_deref().map_or(Ok(Currency::Cny), |text| fx::currency(text, "base"))?;
    let rates = front.store.fx_rates().await?;
    let portfolios = portfolios(&front, &principal).await?;
    let mut accounts = Vec::new();
    for info in front.readable(&principal) {
        accounts.push(accounts::view(&front, &info, &states).await?);
    }
    let strategies = front.strategies().iter().filter(|facts| super::front::may_read(&principal, facts)).count();
    Ok(web::Json(OverviewView {
        as_of: at(front.now()),
        trading_state: state_of(&states, &signalbox_domain::event::Scope::Global).into(),
        totals: totals(&front, &portfolios),
        converted: converted(&front, &portfolios, &rates, base),
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
    let groups = front.groups().into_iter().filter(|group| group.accounts.contains(account));
    names.extend(groups.map(|group| group.id.to_string()));
    names
}
