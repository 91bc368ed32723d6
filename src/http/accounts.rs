//! Accounts: what each one is, holds, trades and how it is, and taking all its orders back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::event::{Scope as StateScope, TradingState};
use signalbox_domain::ids::{AccountId, OrderId, StrategyId};
use signalbox_domain::order::OrdStatus;
use signalbox_domain::standing::AccountState;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, readable_account, require, tradable_account};
use super::front::{AccountInfo, Front};
use super::intake::SideIn;
use super::json::{OptionalJson, PathName, StrictQuery};
use super::listing::{self, ListQuery};
use super::orders::{beyond_recall, orders_page};
use super::page::{Page, PageQuery};
use super::portfolio::{BalanceView, BookView, Portfolio, PositionView};
use super::problem::Problem;
use super::risk_limits::InForce;
use super::views::{FillView, OrderStatus, OrderView, at, date};
use super::{BodyRefusals, Missing, Refusals};
use crate::people::{Principal, Scope};
use crate::store::{StoredFill, StoredOrder, StoredTradingState};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_accounts)
        .service(show_account)
        .service(show_balance)
        .service(list_account_positions)
        .service(list_account_orders)
        .service(list_account_fills)
        .service(show_account_health)
        .service(list_account_books)
        .service(show_account_counters)
        .service(cancel_all_orders);
}

/// One account at one broker (资金账号).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountView {
    pub id: String,
    pub display_name: String,
    /// Which adapter reaches it.
    pub broker: String,
    /// paper, sim, shadow or live
    pub mode: &'static str,
    /// How far it is let in: read_only, canary, one_lot, share:0.1 or all
    pub step: String,
    /// How often it was set up anew; 0 while conf alone speaks.
    pub version: u32,
    /// active, reducing or halted: the account's own.
    pub trading_state: &'static str,
    /// The strictest of the account's own and the global one.
    pub effective_trading_state: &'static str,
    /// ready, in_doubt, frozen (nothing is sent until a person decides, or a read that can be believed), suspended, disabled or retired
    pub state: &'static str,
    pub permissions: Vec<String>,
    pub groups: Vec<String>,
    pub currency: &'static str,
    pub cash: String,
    pub available: String,
    pub market_value: String,
    pub equity: String,
    pub open_orders: usize,
    pub trade_date: Option<String>,
    pub health: HealthView,
    pub updated_at: Option<String>,
}

/// How an account is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountHealth)]
pub struct HealthView {
    /// As the account's `state`.
    pub status: &'static str,
    /// connected or closed, as far as we know.
    pub session: &'static str,
    pub live_orders: usize,
    /// Requests that wait for their turn to the broker.
    pub queue_depth: usize,
    /// Orders whose answer is lost.
    pub doubts: usize,
    /// Requests that wait until their fact is durable.
    pub held: usize,
    /// When its rows changed last.
    pub last_snapshot_at: Option<String>,
}

/// How long a suspended or overloaded account may keep a page waiting.
const HEALTH_PATIENCE: Duration = Duration::from_millis(500);

/// # Errors
/// Never: an account that does not answer is suspended.
pub async fn health(front: &Front, account: &AccountId, portfolio: Option<&Portfolio>) -> HealthView {
    if let Some(state) = front.account(account).map(|info| info.fact.state).filter(|s| *s != AccountState::Enabled) {
        return closed(state.into(), portfolio.and_then(|p| p.updated_at).map(at));
    }
    let observed = tokio::time::timeout(HEALTH_PATIENCE, front.desk.account_health(account.clone())).await;
    let last_snapshot_at = portfolio.and_then(|p| p.updated_at).map(at);
    match observed {
        Ok(Ok(found)) => HealthView {
            status: match found {
                _ if found.frozen => "frozen",
                _ if found.doubts > 0 => "in_doubt",
                _ => "ready",
            },
            session: "connected",
            live_orders: found.live_orders,
            queue_depth: found.queued,
            doubts: found.doubts,
            held: found.held,
            last_snapshot_at,
        },
        _ => closed("suspended", last_snapshot_at),
    }
}

fn closed(status: &'static str, last_snapshot_at: Option<String>) -> HealthView {
    HealthView { status, session: "closed", live_orders: 0, queue_depth: 0, doubts: 0, held: 0, last_snapshot_at }
}

/// # Errors
/// When the store cannot be read.
pub async fn view(front: &Front, info: &AccountInfo, states: &[StoredTradingState]) -> Result<AccountView, Problem> {
    let portfolio = Portfolio::load(front, &info.id).await?;
    let health = health(front, &info.id, Some(&portfolio)).await;
    let own = state_of(states, &StateScope::Account(info.id.clone()));
    let effective = own.max(state_of(states, &StateScope::Global));
    let groups = front.groups().into_iter().filter(|group| group.accounts.contains(&info.id));
    let groups = groups.map(|group| group.id.to_string()).collect();
    Ok(AccountView {
        id: info.id.to_string(),
        display_name: info.fact.display_name.to_string(),
        broker: info.broker.to_string(),
        mode: info.fact.mode.into(),
        step: info.fact.step.to_string(),
        version: info.fact.version,
        trading_state: own.into(),
        effective_trading_state: effective.into(),
        state: health.status,
        permissions: info
            .limits
            .texts()
            .get("permissions")
            .map_or(Vec::new(), |all| all.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()),
        groups,
        currency: info.currency.into(),
        cash: portfolio.cash.to_string(),
        available: portfolio.available().to_string(),
        market_value: portfolio.market_value().to_string(),
        equity: portfolio.equity().to_string(),
        open_orders: portfolio.open_orders,
        trade_date: date(portfolio.trade_date),
        health,
        updated_at: portfolio.updated_at.map(at),
    })
}

/// Scopes that were never set are active.
#[must_use]
pub fn state_of(states: &[StoredTradingState], scope: &StateScope) -> TradingState {
    states.iter().find(|stored| stored.scope == *scope).map_or(TradingState::Active, |stored| stored.state)
}

/// The accounts that one may see.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<AccountView>), Refusals))]
#[get("/v1/accounts")]
async fn list_accounts(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<AccountView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let page = Page::cut_by_name(front.readable(&principal), &query.0, |info| info.id.as_str(), Clone::clone)?;
    let states = front.store.trading_states().await?;
    let mut items = Vec::with_capacity(page.items.len());
    for info in &page.items {
        items.push(view(&front, info, &states).await?);
    }
    Ok(web::Json(Page { items, next_cursor: page.next_cursor }))
}

fn readable(principal: &Principal, id: &str, front: &Front) -> Result<AccountId, Problem> {
    require(principal, Scope::AccountsRead)?;
    readable_account(principal, id, |account| front.account(account).is_some())
}

/// One account.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = AccountView), Refusals, Missing))]
#[get("/v1/accounts/{id}")]
async fn show_account(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<AccountView>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    let info = front.account(&account).ok_or_else(Problem::not_found)?;
    let states = front.store.trading_states().await?;
    Ok(web::Json(view(&front, &info, &states).await?))
}

/// The account's money: in its base currency, and in each currency.
#[derive(Debug, Serialize, ToSchema)]
struct BalancesView {
    account: String,
    #[serde(flatten)]
    base: BalanceView,
    balances: Vec<BalanceView>,
}

/// What it has in cash and is worth.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = BalancesView), Refusals, Missing))]
#[get("/v1/accounts/{id}/balance")]
async fn show_balance(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<BalancesView>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    let base = Portfolio::load(&front, &account).await?.balance();
    Ok(web::Json(BalancesView { account: account.to_string(), balances: vec![base.clone()], base }))
}

/// What it holds.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a"), PageQuery),
    responses((status = 200, body = Page<PositionView>), Refusals, Missing))]
#[get("/v1/accounts/{id}/positions")]
async fn list_account_positions(
    Authenticated(principal): Authenticated,
    id: PathName,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<PositionView>>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    let positions = Portfolio::load(&front, &account).await?.positions(&front);
    Ok(web::Json(positions_page(positions, &query.0)?))
}

/// # Errors
/// 400 for a page that cannot be.
pub fn positions_page(positions: Vec<PositionView>, query: &PageQuery) -> Result<Page<PositionView>, Problem> {
    let mut keyed: Vec<(String, PositionView)> =
        positions.into_iter().map(|p| (format!("{}.{}", p.account, p.symbol), p)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    Page::cut_by_name(&keyed, query, |(key, _)| key.as_str(), |(_, position)| position.clone())
}

/// Its orders, the newest first.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a"), ListQuery),
    responses((status = 200, body = Page<OrderView>), Refusals, Missing))]
#[get("/v1/accounts/{id}/orders")]
async fn list_account_orders(
    Authenticated(principal): Authenticated,
    id: PathName,
    query: StrictQuery<ListQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<OrderView>>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    Ok(web::Json(orders_page(&query.0, Some(vec![account]), &front).await?))
}

/// Its fills, the newest first.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a"), ListQuery),
    responses((status = 200, body = Page<FillView>), Refusals, Missing))]
#[get("/v1/accounts/{id}/fills")]
async fn list_account_fills(
    Authenticated(principal): Authenticated,
    id: PathName,
    query: StrictQuery<ListQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<FillView>>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    let (fills, limit) = fills(&query.0, Some(vec![account]), &front).await?;
    Ok(web::Json(fills_page(fills, limit, &front)))
}

/// One line more than the page has.
///
/// # Errors
/// 400 for a query that cannot be.
pub async fn fills(
    query: &ListQuery,
    accounts: Option<Vec<AccountId>>,
    front: &Front,
) -> Result<(Vec<StoredFill>, usize), Problem> {
    let (mut filter, limit) = query.filter::<signalbox_domain::order::ReportedStatus>()?;
    if filter.statuses.is_some() {
        return Err(Problem::new(super::problem::Code::InvalidQuery).detail("a fill has no status").field("status"));
    }
    filter.accounts = accounts;
    Ok((front.store.fills(&filter).await?, limit))
}

#[must_use]
pub fn fills_page(fills: Vec<StoredFill>, limit: usize, front: &Front) -> Page<FillView> {
    listing::page(fills, limit, |fill| fill.id, |fill| FillView::of(fill, front))
}

/// How it is.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = HealthView), Refusals, Missing))]
#[get("/v1/accounts/{id}/health")]
async fn show_account_health(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<HealthView>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    let portfolio = Portfolio::load(&front, &account).await?;
    Ok(web::Json(health(&front, &account, Some(&portfolio)).await))
}

/// What each strategy holds in it. Together they are its positions.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = Page<BookView>), Refusals, Missing))]
#[get("/v1/accounts/{id}/books")]
async fn list_account_books(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<Page<BookView>>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    let portfolio = Portfolio::load(&front, &account).await?;
    Ok(web::Json(Page { items: portfolio.books(&front), next_cursor: None }))
}

/// What is counted against the day's limits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountCounters)]
struct CountersView {
    account: String,
    trade_date: Option<String>,
    /// Orders and cancels to the broker today, and where that ends.
    messages_today: u32,
    message_ceiling: u32,
    messages_per_second: u32,
    messages_per_minute: u32,
    messages_per_day: u32,
    open_orders: usize,
    open_orders_max: u32,
}

/// What it has used of the day's limits.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")),
    responses((status = 200, body = CountersView), Refusals, Missing))]
#[get("/v1/accounts/{id}/counters")]
async fn show_account_counters(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<CountersView>, Problem> {
    let account = readable(&principal, &id.0, &front)?;
    let info = front.account(&account).ok_or_else(Problem::not_found)?;
    let limits = InForce::read(&front).await?.of(&info);
    let portfolio = Portfolio::load(&front, &account).await?;
    Ok(web::Json(CountersView {
        account: account.to_string(),
        trade_date: date(portfolio.trade_date),
        messages_today: portfolio.messages_today,
        message_ceiling: limits.message_ceiling,
        messages_per_second: limits.messages_per_second,
        messages_per_minute: limits.messages_per_minute,
        messages_per_day: limits.messages_per_day,
        open_orders: portfolio.open_orders,
        open_orders_max: limits.open_orders_max,
    }))
}

/// Which orders: all of them when left away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancelAll, example = json!({"side": "buy"}))]
struct CancelAllBody {
    #[serde(default)]
    side: Option<SideIn>,
    #[serde(default)]
    #[schema(max_length = 64)]
    strategy: Option<String>,
}

/// What has become of the orders that were taken back.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CancelOutcomes)]
pub struct OutcomesView {
    /// Every order that the cancel reached, and those that cannot be taken back.
    pub items: Vec<OutcomeView>,
    /// Proved to be over.
    pub proved: usize,
    /// Not yet: look at them again.
    pub pending: usize,
    /// Subscriptions to new issues, which stay.
    pub not_cancelable: usize,
    /// The broker would not take them back, as in a closing auction: they work on, and each tells the reason.
    pub refused: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CancelOutcome)]
pub struct OutcomeView {
    pub order_id: String,
    pub account: String,
    /// canceled (or ended otherwise), pending, refused, or not_cancelable
    pub outcome: &'static str,
    #[schema(value_type = OrderStatus)]
    pub status: &'static str,
}

/// How long an answer waits for the broker's proofs, and how often it looks.
const PROOF_PATIENCE: Duration = Duration::from_secs(2);
const PROOF_LOOK: Duration = Duration::from_millis(20);

async fn still_open(front: &Front, accounts: &BTreeSet<&AccountId>) -> Result<BTreeMap<OrderId, StoredOrder>, Problem> {
    let mut open = BTreeMap::new();
    for account in accounts {
        open.extend(front.store.open_orders(account).await?.into_iter().map(|stored| (stored.terms().id, stored)));
    }
    Ok(open)
}

/// Whether an order that was to be taken back works on with nothing under way: the wish itself was durable before.
fn was_refused(order: &StoredOrder) -> bool {
    let StoredOrder::Live(order) = order else { return false };
    let works = matches!(order.status, OrdStatus::New | OrdStatus::PartiallyFilled);
    works && !order.cancel_wanted && order.in_flight.is_none() && !order.in_doubt
}

/// Waits a moment for the proofs, and tells of each order what is known then.
///
/// # Errors
/// When the store cannot be read.
pub async fn outcomes(front: &Front, reached: Vec<(AccountId, OrderId)>) -> Result<OutcomesView, Problem> {
    let accounts: BTreeSet<&AccountId> = reached.iter().map(|(account, _)| account).collect();
    let mut open = still_open(front, &accounts).await?;
    let proofs = async {
        let awaited = |stored: &StoredOrder| !beyond_recall(stored) && !was_refused(stored);
        while reached.iter().any(|(_, order)| open.get(order).is_some_and(awaited)) {
            tokio::time::sleep(PROOF_LOOK).await;
            open = still_open(front, &accounts).await?;
        }
        Ok::<_, Problem>(())
    };
    // A look takes longer the more orders there are: what is waited for is time, and not looks.
    if let Ok(done) = tokio::time::timeout(PROOF_PATIENCE, proofs).await {
        done?;
    }
    let mut answer = OutcomesView::default();
    for (account, order) in &reached {
        let ended = if open.contains_key(order) { None } else { front.store.order(*order).await? };
        let Some(stored) = open.get(order).or(ended.as_ref()) else { continue };
        let view = OrderView::of(stored, front);
        let (outcome, count) = match view.status {
            ended_as if ended.is_some() => (ended_as, &mut answer.proved),
            _ if beyond_recall(stored) => ("not_cancelable", &mut answer.not_cancelable),
            _ if was_refused(stored) => ("refused", &mut answer.refused),
            _ => ("pending", &mut answer.pending),
        };
        *count += 1;
        answer.items.push(OutcomeView {
            order_id: view.id,
            account: account.to_string(),
            outcome,
            status: view.status,
        });
    }
    Ok(answer)
}

/// Takes all its open orders back, or those of a side or a strategy. Names every order with its outcome, after at most
/// two seconds.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a")), request_body = Option<CancelAllBody>,
    responses((status = 200, body = OutcomesView), Refusals, BodyRefusals, Missing))]
#[post("/v1/accounts/{id}/cancel-all")]
async fn cancel_all_orders(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: OptionalJson<CancelAllBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let account = tradable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    let CancelAllBody { side, strategy } = body.0.unwrap_or_default();
    let strategy = strategy
        .map(|name| StrategyId::parse(&name).map_err(|_| Problem::invalid("strategy", "not the name of a strategy")))
        .transpose()?;
    let reason = format!("canceled by {}", principal.client());
    let reached = front.cancel_all(account.clone(), side.map(Into::into), strategy, reason.into()).await?;
    let reached = reached.into_iter().map(|order| (account.clone(), order)).collect();
    Ok(HttpResponse::Ok().json(outcomes(&front, reached).await?))
}
