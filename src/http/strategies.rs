//! Strategies: what they are, where their signals go, and whether they run.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpResponse, get, put, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::capital::CapitalBase;
use signalbox_domain::ids::{AccountId, GroupId, SignalId, StrategyId};
use signalbox_domain::manner::{RouteMode, ShortOfCash};
use signalbox_domain::strategy::{Allocation, Route, RouteTo, StrategyConf, StrategyState, reached_twice};
use signalbox_domain::units::Ratio;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::accounts::state_of;
use super::auth::{Admin, Authenticated, require};
use super::dto::RatioIn;
use super::front::{self, Front, StrategyFacts};
use super::intake::who;
use super::json::{PathName, StrictJson, StrictQuery};
use super::page::{Page, PageQuery};
use super::problem::{Code, Problem};
use super::trading_state::check_reason;
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::{Principal, Scope};
use crate::store::{StoredStrategy, StoredTradingState};

/// Each route is a query of the planner; people write a handful.
const ROUTES_MAX: usize = 100;

/// Each has an actor and a lane of the inbox for ever; people have dozens.
const STRATEGIES_MAX: usize = 1_000;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_strategies).service(show_strategy).service(configure_strategy).service(set_strategy_state);
}

/// One strategy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Strategy)]
struct StrategyView {
    name: String,
    /// Which built-in logic decides: `external` takes its signals from outside.
    kind: String,
    /// active, paused or stopped
    state: &'static str,
    /// active, reducing or halted: its own.
    trading_state: &'static str,
    /// Of a built-in kind.
    #[schema(value_type = Object)]
    parameters: serde_json::Value,
    routes: Vec<RouteView>,
    /// Rises with each configuration.
    version: u32,
}

/// Where its signals go: to an account or to a group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Route)]
struct RouteView {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    group: Option<String>,
    /// 跟单比例
    follow_ratio: String,
    allocation: &'static str,
    /// What percentages are percentages of: none, equity, equity:0.3, fixed:100000.00 or book.
    capital_base: String,
    /// Accounts of the group that do not follow.
    except: Vec<String>,
    /// auto, confirm, notify_only or shadow
    mode: &'static str,
    /// wait:600, shrink:600 or deny
    short_of_cash: String,
}

impl StrategyView {
    fn of(facts: &StrategyFacts, stored: Option<&StoredStrategy>, states: &[StoredTradingState]) -> Self {
        let conf = &facts.conf;
        let routes = conf.routes.iter().map(|route| {
            let (account, group) = match &route.to {
                RouteTo::Account(id) => (Some(id.to_string()), None),
                RouteTo::Group(id) => (None, Some(id.to_string())),
            };
            RouteView {
                account,
                group,
                follow_ratio: route.follow_ratio.to_string(),
                allocation: route.allocation.into(),
                capital_base: route.capital_base.to_string(),
                except: route.except.iter().map(ToString::to_string).collect(),
                mode: route.mode.into(),
                short_of_cash: route.short_of_cash.to_string(),
            }
        });
        let scope = signalbox_domain::event::Scope::Strategy(conf.id.clone());
        Self {
            name: conf.id.to_string(),
            kind: conf.kind.to_string(),
            state: stored.map_or(StrategyState::Active, |stored| stored.state).into(),
            trading_state: state_of(states, &scope).into(),
            parameters: serde_json::json!({}),
            routes: routes.collect(),
            version: stored.map_or(0, |stored| stored.version),
        }
    }
}

/// The strategies that one may see.
#[utoipa::path(tag = "strategies", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<StrategyView>), Refusals))]
#[get("/v1/strategies")]
async fn list_strategies(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<StrategyView>>, Problem> {
    require(&principal, Scope::SignalsRead)?;
    let (stored, states) = (front.store.strategies().await?, front.store.trading_states().await?);
    let all = front.strategies();
    let visible = all.iter().filter(|facts| front::may_read(&principal, facts));
    let page = Page::cut_by_name(
        visible,
        &query.0,
        |facts| facts.conf.id.as_str(),
        |facts| StrategyView::of(facts, stored.iter().find(|s| s.conf.id == facts.conf.id), &states),
    )?;
    Ok(web::Json(page))
}

fn visible(principal: &Principal, name: &str, front: &Front) -> Result<Arc<StrategyFacts>, Problem> {
    let id = StrategyId::parse(name).map_err(|_| Problem::not_found())?;
    front.strategy(&id).filter(|facts| front::may_read(principal, facts)).ok_or_else(Problem::not_found)
}

async fn view(facts: &StrategyFacts, front: &Front) -> Result<web::Json<StrategyView>, Problem> {
    let stored = front.store.strategy(&facts.conf.id).await?;
    let states = front.store.trading_states().await?;
    Ok(web::Json(StrategyView::of(facts, stored.as_ref(), &states)))
}

/// One strategy.
#[utoipa::path(tag = "strategies", security(("access_token" = []), ("api_key" = [])),
    params(("name" = String, Path, example = "small-cap")),
    responses((status = 200, body = StrategyView), Refusals, Missing))]
#[get("/v1/strategies/{name}")]
async fn show_strategy(
    Authenticated(principal): Authenticated,
    name: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<StrategyView>, Problem> {
    require(&principal, Scope::SignalsRead)?;
    let facts = visible(&principal, &name.0, &front)?;
    view(&facts, &front).await
}

/// The whole configuration: what is not in it is not in force any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StrategyConf, example = json!({
    "kind": "external", "routes": [{"account": "paper-a", "follow_ratio": "1", "allocation": "fixed_ratio"}]
}))]
struct ConfBody {
    #[serde(default)]
    kind: KindIn,
    #[schema(max_items = 100)]
    routes: Vec<RouteBody>,
    /// The version that one has read, 0 for a strategy that shall be new: 409 when it is another one by now.
    #[serde(default)]
    version: Option<u32>,
}

/// Which logic decides.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StrategyKind)]
enum KindIn {
    /// Its signals come from outside.
    #[default]
    External,
}

/// One of `account` and `group`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRoute)]
struct RouteBody {
    #[serde(default)]
    #[schema(max_length = 64)]
    account: Option<String>,
    #[serde(default)]
    #[schema(max_length = 64)]
    group: Option<String>,
    /// 跟单比例: 1 follows the signal's size.
    #[serde(default)]
    follow_ratio: Option<RatioIn>,
    #[serde(default)]
    allocation: AllocationIn,
    /// What `percent` and `target_weight` are shares of: `equity` or `equity:0.3` (of each account's equity),
    /// `fixed:100000` (a sum for the route; with fixed ratios for each account), or `book` (what the strategy's own books
    /// are worth). Without one such signals are denied.
    #[serde(default)]
    #[schema(max_length = 32, pattern = "^(none|book|equity(:[0-9.]+)?|fixed:[0-9.]+)$")]
    capital_base: Option<String>,
    /// Accounts of the group that do not follow.
    #[serde(default)]
    #[schema(max_items = 1000)]
    except: Vec<String>,
    #[serde(default)]
    mode: ModeIn,
    /// What a buy does without cash: `wait:600` waits for the strategy's live sells in the account, so many seconds at most;
    /// `shrink:600` then buys what the cash pays for; `deny`. `wait:600` when left away.
    #[serde(default)]
    #[schema(max_length = 20)]
    short_of_cash: Option<String>,
}

/// How a route's legs get to the market.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RouteMode)]
enum ModeIn {
    /// At once.
    #[default]
    Auto,
    /// When a person who may trade the account confirms them.
    Confirm,
    /// Not at all: a person trades by hand and completes them.
    NotifyOnly,
    /// Not at all: risk judges the order, and that is recorded.
    Shadow,
}

/// How a route's accounts share a signal.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Allocation)]
enum AllocationIn {
    /// Each account gets the signal times the ratio.
    #[default]
    FixedRatio,
    /// The signal times the ratio is split in equal parts.
    EqualQuantity,
    /// The signal times the ratio is split in proportion to the accounts' equity.
    Equity,
    /// What is to be bought is split in proportion to the cash that no live order has set aside, what is to be sold in
    /// proportion to what may be sold.
    AvailableCash,
}

fn read_routes(bodies: &[RouteBody], front: &Front) -> Result<Vec<Route>, Problem> {
    if bodies.len() > ROUTES_MAX {
        return Err(Problem::invalid("routes", "at most 100 routes"));
    }
    let mut routes = Vec::with_capacity(bodies.len());
    let mut reached = 0;
    let followers = front.followers();
    for (index, body) in bodies.iter().enumerate() {
        let wrong = |field: &str, detail: &'static str| Problem::invalid(format!("routes[{index}].{field}"), detail);
        let to = match (&body.account, &body.group) {
            (Some(account), None) => {
                let id = AccountId::parse(account).ok().filter(|id| front.account(id).is_some());
                reached += 1;
                RouteTo::Account(id.ok_or_else(|| wrong("account", "there is no such account"))?)
            }
            (None, Some(group)) => {
                let group = GroupId::parse(group).ok().and_then(|id| front.group(&id));
                let group = group.ok_or_else(|| wrong("group", "there is no such group"))?;
                reached += group.accounts.len();
                RouteTo::Group(group.id.clone())
            }
            _ => return Err(wrong("account", "one of account and group, please")),
        };
        let follow_ratio = match body.follow_ratio {
            None => Ratio::ONE,
            Some(ratio) => ratio.get().map_err(|detail| wrong("follow_ratio", detail))?,
        };
        let allocation = match body.allocation {
            AllocationIn::FixedRatio => Allocation::FixedRatio,
            AllocationIn::EqualQuantity => Allocation::EqualQuantity,
            AllocationIn::Equity => Allocation::Equity,
            AllocationIn::AvailableCash => Allocation::AvailableCash,
        };
        let capital_base = match body.capital_base.as_deref().map(str::parse) {
            None => CapitalBase::None,
            Some(Ok(base)) => base,
            Some(Err(_)) => {
                return Err(wrong("capital_base", "one of none, equity, equity:0.3, fixed:100000 and book, please"));
            }
        };
        let reaches = |id: &AccountId| match &to {
            RouteTo::Account(one) => one == id,
            RouteTo::Group(group) => front.group(group).is_some_and(|group| group.accounts.contains(id)),
        };
        let mut except = Vec::with_capacity(body.except.len());
        for name in &body.except {
            let id = AccountId::parse(name).ok().filter(reaches);
            except.push(id.ok_or_else(|| wrong("except", "the route does not reach this account"))?);
        }
        let mode = match body.mode {
            ModeIn::Auto => RouteMode::Auto,
            ModeIn::Confirm => RouteMode::Confirm,
            ModeIn::NotifyOnly => RouteMode::NotifyOnly,
            ModeIn::Shadow => RouteMode::Shadow,
        };
        let short_of_cash = match body.short_of_cash.as_deref() {
            None => ShortOfCash::default(),
            Some(text) => text
                .parse()
                .map_err(|_| wrong("short_of_cash", "deny, wait:600 or shrink:600, with 0 to 86400 seconds"))?,
        };
        routes.push(Route { to, follow_ratio, allocation, capital_base, except, mode, short_of_cash });
    }
    if let Some(account) = reached_twice(&routes, &followers) {
        let detail = format!("{account} is reached by two routes: a target would be met twice");
        return Err(Problem::new(Code::RoutesOverlap).detail(detail).field("routes"));
    }
    if reached > SignalId::LEGS_MAX {
        return Err(Problem::invalid("routes", "one signal reaches at most 65536 accounts"));
    }
    Ok(routes)
}

/// Replaces the configuration of a strategy, or makes a new one.
#[utoipa::path(tag = "strategies", security(("access_token" = [])), request_body = ConfBody,
    params(("name" = String, Path, example = "small-cap")),
    responses((status = 200, body = StrategyView), (status = 201, body = StrategyView, description = "It is new",
        headers(("Location" = String))), Refusals, BodyRefusals, Missing, Conflicts))]
#[put("/v1/strategies/{name}")]
async fn configure_strategy(
    Admin(by): Admin,
    name: PathName,
    body: StrictJson<ConfBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    let own = |id: &StrategyId| id.is_manual() || id.as_str() == StrategyId::EXTERNAL;
    let id = StrategyId::parse(&name.0).ok().filter(|id| !own(id));
    let id = id.ok_or_else(|| Problem::not_found().detail("no strategy can have this name"))?;
    let known = front.strategy(&id);
    let KindIn::External = body.0.kind;
    let routes = read_routes(&body.0.routes, &front)?;
    if known.is_none() && front.strategies().len() >= STRATEGIES_MAX {
        return Err(
            Problem::new(Code::LimitReached).detail("there are 1000 strategies, which is the most there can be")
        );
    }
    let conf = Arc::new(StrategyConf { id, kind: "external".into(), routes });
    let version = front.desk.configure(conf.clone(), body.0.version, who(by.client())).await??;
    front.put_strategy(conf.clone(), version);
    let facts = front.strategy(&conf.id).ok_or_else(Problem::not_found)?;
    let shown = view(&facts, &front).await?;
    Ok(match known {
        Some(_) => HttpResponse::Ok().json(shown),
        None => {
            let place = format!("/v1/strategies/{}", conf.id);
            HttpResponse::Created().insert_header((header::LOCATION, place)).json(shown)
        }
    })
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StrategyState)]
enum StateIn {
    Active,
    /// Signals are taken durably and wait.
    Paused,
    /// Signals are taken durably and denied; working orders stay.
    Stopped,
}

/// What shall be, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetStrategyState, example = json!({"state": "paused", "reason": "lunch"}))]
struct StateBody {
    state: StateIn,
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// Starts, pauses or stops a strategy.
#[utoipa::path(tag = "strategies", security(("access_token" = [])), request_body = StateBody,
    params(("name" = String, Path, example = "small-cap")),
    responses((status = 200, body = StrategyView), Refusals, BodyRefusals, Missing))]
#[put("/v1/strategies/{name}/state")]
async fn set_strategy_state(
    Authenticated(principal): Authenticated,
    name: PathName,
    body: StrictJson<StateBody>,
    front: web::Data<Front>,
) -> Result<web::Json<StrategyView>, Problem> {
    let facts = visible(&principal, &name.0, &front)?;
    // A program sends signals; whether its strategy runs is decided by people.
    if !principal.is_person() || !principal.may_signal_for(&facts.conf.id, &facts.accounts) {
        return Err(Problem::forbidden("you may see this strategy, not start or stop it"));
    }
    let StateBody { state, reason } = body.0;
    check_reason(&reason)?;
    let state = match state {
        StateIn::Active => StrategyState::Active,
        StateIn::Paused => StrategyState::Paused,
        StateIn::Stopped => StrategyState::Stopped,
    };
    front.desk.set_strategy_state(facts.conf.id.clone(), state, who(principal.client()), reason.into()).await?;
    view(&facts, &front).await
}
