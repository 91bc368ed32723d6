//! Limits as people read and set them: three scopes, version by version, each with who and why.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use actix_web::{get, put, web};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use signalbox_domain::event::Scope as LimitScope;
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::risk::limits::{self, LimitFault};
use signalbox_domain::risk::{LimitFact, LimitSet, LimitWarning, Limits, LimitsRefused};
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{self, measure, unit};
use super::front::{AccountInfo, Front};
use super::intake::who;
use super::json::{JsonBytes, StrictQuery, parse_json};
use super::page::{Page, PageQuery};
use super::problem::{Code, Problem};
use super::trading_state::{allowed, check_reason, name_of};
use super::views::at;
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::{Principal, Scope};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_limits).service(set_limits).service(list_history).service(list_warnings);
}

/// What is in force, as far as it is no strategy's.
#[derive(Debug)]
pub struct InForce {
    sets: HashMap<LimitScope, LimitFact>,
}

impl InForce {
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(front: &Front) -> Result<Self, Problem> {
        let newest = front.store.newest_limits().await?;
        Ok(Self { sets: newest.into_iter().map(|fact| (fact.scope.clone(), fact)).collect() })
    }

    #[must_use]
    pub fn of(&self, info: &AccountInfo) -> Limits {
        let set = |scope: &LimitScope| self.sets.get(scope).map(|fact| &fact.set);
        limits::in_force(&info.limits, set(&LimitScope::Account(info.id.clone())), set(&LimitScope::Global))
    }

    fn version(&self, scope: &LimitScope) -> u32 {
        self.sets.get(scope).map_or(0, |fact| fact.version)
    }
}

/// What an account's orders are held against.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RiskLimits)]
struct LimitsView {
    account: String,
    /// Of the account's equity, per order.
    order_value: String,
    order_value_max: Option<String>,
    /// Of the account's equity, per symbol.
    position: String,
    open_orders_max: u32,
    quote_age_market_ms: i64,
    quote_age_limit_ms: i64,
    duplicate_window_ms: i64,
    messages_per_second: u32,
    message_ceiling: u32,
    /// All of them, by the names under which they are set.
    limits: BTreeMap<&'static str, String>,
    /// How often the limits of the account were set; 0 while conf alone speaks.
    version: u32,
    /// How often those for all accounts were.
    global_version: u32,
}

impl LimitsView {
    fn of(info: &AccountInfo, in_force: &InForce) -> Self {
        let limits = in_force.of(info);
        Self {
            account: info.id.to_string(),
            order_value: limits.order_value.to_string(),
            order_value_max: limits.order_value_max.map(|max| max.to_string()),
            position: limits.position.to_string(),
            open_orders_max: limits.open_orders_max,
            quote_age_market_ms: limits.quote_age_market.us() / 1_000,
            quote_age_limit_ms: limits.quote_age_limit.us() / 1_000,
            duplicate_window_ms: limits.duplicate_window.us() / 1_000,
            messages_per_second: limits.messages_per_second,
            message_ceiling: limits.message_ceiling,
            limits: limits.texts(),
            version: in_force.version(&LimitScope::Account(info.id.clone())),
            global_version: in_force.version(&LimitScope::Global),
        }
    }
}

/// The limits of the accounts that one may see, as they are in force. Those of a strategy can only be stricter.
#[utoipa::path(tag = "risk", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<LimitsView>), Refusals))]
#[get("/v1/risk/limits")]
async fn list_limits(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<LimitsView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let readable = front.readable(&principal);
    let in_force = InForce::read(&front).await?;
    let page = Page::cut_by_name(readable, &query.0, |info| info.id.as_str(), |info| LimitsView::of(info, &in_force))?;
    Ok(web::Json(page))
}

/// A number or its text, or a list of names: as the text that a limit is read from.
#[derive(Debug)]
struct ValueIn(String);

impl<'de> Deserialize<'de> for ValueIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('[') {
            let names: Vec<String> = serde_json::from_str(raw).map_err(|_| de::Error::custom("a list of names"))?;
            return Ok(Self(names.join(",")));
        }
        // What no limit can have stays as it was written, and is refused as such.
        let text = dto::text_of(raw, &"a number, a text or a list of names")?;
        let text = text.map_or_else(|_| raw.to_owned(), Cow::into_owned);
        // A count may come as `5.0`.
        let is_fraction = !raw.starts_with('"') && text.contains('.');
        Ok(Self(if is_fraction { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }))
    }
}

impl PartialSchema for ValueIn {
    fn schema() -> RefOr<Schema> {
        let names = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String));
        OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Number))
            .item(ObjectBuilder::new().schema_type(Type::String))
            .item(names)
            .description(Some("A number or its text, or a list of names."))
            .into()
    }
}

impl ToSchema for ValueIn {
    fn name() -> Cow<'static, str> {
        "RiskLimitValue".into()
    }
}

/// The limits that one scope shall have, all of them: what is left away is not limited there any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetRiskLimits, example = json!({
    "scope": "account:paper-a", "limits": {"order_value": "0.10"}, "reason": "smaller steps", "version": 0
}))]
struct LimitsBody {
    /// global, account:<id> or strategy:<name>. An account's take the place of conf's; the others can only tighten.
    #[schema(max_length = 80)]
    scope: String,
    limits: BTreeMap<String, ValueIn>,
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// The version that one has read: 409 when it is another one by now.
    #[serde(default)]
    version: Option<u32>,
}

/// One change of the limits of a scope.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RiskLimitsVersion)]
struct FactView {
    /// global, account:<id> or strategy:<name>
    scope: String,
    version: u32,
    limits: BTreeMap<&'static str, String>,
    previous: BTreeMap<&'static str, String>,
    /// What was let out; the rest was tightened or stayed.
    loosened: Vec<String>,
    who: String,
    reason: String,
    at: String,
}

impl FactView {
    fn of(fact: &LimitFact) -> Self {
        Self {
            scope: name_of(&fact.scope),
            version: fact.version,
            limits: fact.set.texts(),
            previous: fact.previous.texts(),
            loosened: fact.loosened.iter().map(ToString::to_string).collect(),
            who: fact.who.to_string(),
            reason: fact.reason.to_string(),
            at: at(fact.at),
        }
    }
}

/// Sets the limits of one scope, at once and without a restart. The strictest of the scopes counts.
#[utoipa::path(tag = "risk", security(("access_token" = [])), request_body = LimitsBody,
    responses((status = 200, body = FactView), Refusals, BodyRefusals, Missing, Conflicts))]
#[put("/v1/risk/limits")]
async fn set_limits(
    Authenticated(principal): Authenticated,
    body: JsonBytes,
    front: web::Data<Front>,
) -> Result<web::Json<FactView>, Problem> {
    allowed(&principal)?;
    let LimitsBody { scope, limits, reason, version } = parse_json(&body.0)?;
    let scope = scope_of(&scope, &front)?;
    if reason.trim().is_empty() {
        return Err(Problem::invalid("reason", "who changes a limit says why"));
    }
    check_reason(&reason)?;
    let set = read_set(&scope, &limits)?;
    let set =
        front.desk.set_limits(scope, set.into(), version, who(principal.client()), reason.as_str().into()).await?;
    match set {
        Ok(fact) => Ok(web::Json(FactView::of(&fact))),
        Err(LimitsRefused::Version { is }) => {
            Err(Problem::new(Code::Conflict).detail(format!("the limits are at version {is}")).field("version"))
        }
        Err(LimitsRefused::AccountUnknown) => Err(Problem::not_found().field("scope")),
    }
}

fn scope_of(text: &str, front: &Front) -> Result<LimitScope, Problem> {
    let unknown = || Problem::not_found().field("scope");
    match text.split_once(':') {
        None if text == "global" => Ok(LimitScope::Global),
        Some(("account", id)) => {
            let account = AccountId::parse(id).ok().filter(|id| front.account(id).is_some());
            account.map(LimitScope::Account).ok_or_else(unknown)
        }
        Some(("strategy", name)) => {
            let strategy = StrategyId::parse(name).ok().filter(|id| front.strategy(id).is_some());
            strategy.map(LimitScope::Strategy).ok_or_else(unknown)
        }
        _ => Err(Problem::invalid("scope", "global, account:<id> or strategy:<name>")),
    }
}

fn read_set(scope: &LimitScope, limits: &BTreeMap<String, ValueIn>) -> Result<LimitSet, Problem> {
    let mut set = LimitSet::default();
    for (name, value) in limits {
        // The broker sees an account, whichever strategy sends.
        if matches!(scope, LimitScope::Strategy(_)) && name.starts_with("message") {
            return Err(Problem::invalid("limits", format!("{name} is an account's")));
        }
        set.put(name, &value.0).map_err(|fault| match fault {
            LimitFault::Unknown => {
                Problem::invalid("limits", format!("no such limit: one of {}", LimitSet::NAMES.join(", ")))
            }
            LimitFault::Value => Problem::invalid("limits", format!("{name} cannot be that")),
        })?;
    }
    if set.messages_per_second == Some(0) || set.messages_per_minute == Some(0) {
        return Err(Problem::invalid("limits", "a pace is above zero: to stop an account, halt it"));
    }
    Ok(set)
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// global, account:<id> or strategy:<name>; all of them when left away.
    #[param(max_length = 80, nullable = false)]
    scope: Option<String>,
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    limit: Option<usize>,
    #[param(max_length = 400, nullable = false)]
    cursor: Option<String>,
}

/// Every version of the limits of the scopes that one may see, the newest first.
#[utoipa::path(tag = "risk", security(("access_token" = []), ("api_key" = [])), params(HistoryQuery),
    responses((status = 200, body = Page<FactView>), Refusals, Missing,
        (status = 422, body = super::problem::ProblemBody, content_type = "application/problem+json",
            description = "That is no scope")))]
#[get("/v1/risk/limits/history")]
async fn list_history(
    Authenticated(principal): Authenticated,
    query: StrictQuery<HistoryQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<FactView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let HistoryQuery { scope, limit, cursor } = query.0;
    let scope = scope.map(|text| scope_of(&text, &front)).transpose()?;
    if scope.as_ref().is_some_and(|scope| !visible(&principal, &front, scope)) {
        return Err(Problem::not_found().field("scope"));
    }
    let history = front.store.limits_history(scope.as_ref()).await?;
    let shown = history.into_iter().filter(|fact| visible(&principal, &front, &fact.scope));
    let mut keyed: Vec<(i64, String, LimitFact)> =
        shown.map(|fact| (fact.at.us(), format!("{:010}.{}", fact.version, name_of(&fact.scope)), fact)).collect();
    keyed.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    let page = PageQuery { limit, cursor };
    Ok(web::Json(Page::cut(&keyed, &page, |row| (row.0, row.1.as_str()), |row| FactView::of(&row.2))?))
}

fn visible(principal: &Principal, front: &Front, scope: &LimitScope) -> bool {
    match scope {
        LimitScope::Global => true,
        LimitScope::Account(id) => front.readable_filter(principal).is_none_or(|own| own.contains(id)),
        LimitScope::Strategy(id) => front.readable_strategies(principal).is_none_or(|own| own.contains(id)),
    }
}

/// A limit that was nearly used up: the first order of the day that came there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RiskWarning)]
struct WarningView {
    account: String,
    trade_date: String,
    #[schema(example = "POSITION")]
    code: &'static str,
    strategy: String,
    order_id: String,
    value: Option<String>,
    limit: Option<String>,
    unit: Option<&'static str>,
    at: String,
}

impl WarningView {
    fn of(warning: &LimitWarning) -> Self {
        Self {
            account: warning.account.to_string(),
            trade_date: warning.trade_date.to_string(),
            code: warning.code.into(),
            strategy: warning.strategy.to_string(),
            order_id: warning.order.to_string(),
            value: measure(&warning.value),
            limit: measure(&warning.limit),
            unit: unit(&warning.value, &warning.limit),
            at: at(warning.at),
        }
    }
}

/// Which limits of the accounts that one may see were nearly used up, one line for each limit and day, the newest first.
#[utoipa::path(tag = "risk", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<WarningView>), Refusals))]
#[get("/v1/risk/warnings")]
async fn list_warnings(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<WarningView>>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let accounts: Vec<AccountId> = front.readable(&principal).into_iter().map(|info| info.id.clone()).collect();
    let found = front.store.limit_warnings(&accounts).await?;
    let mut keyed: Vec<(i64, String, LimitWarning)> =
        found.into_iter().map(|w| (w.at.us(), format!("{}.{}", w.account, w.code), w)).collect();
    keyed.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    Ok(web::Json(Page::cut(&keyed, &query.0, |row| (row.0, row.1.as_str()), |row| WarningView::of(&row.2))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_as_it_was_written() {
        for (json, text) in [
            ("5", "5"),
            ("5.0", "5"),
            ("0.10", "0.1"),
            ("1e-05", "0.00001"),
            ("\"0.10\"", "0.10"),
            ("[\"a\", \"b\"]", "a,b"),
            ("0.30000000000000001", "0.30000000000000001"),
            ("1e400", "1e400"),
        ] {
            let value: ValueIn = serde_json::from_str(json).expect(json);
            assert_eq!(value.0, text);
        }
        for json in ["null", "true", "{}", "[1]"] {
            assert!(serde_json::from_str::<ValueIn>(json).is_err(), "{json}");
        }
        let mut set = LimitSet::default();
        assert_eq!(set.put("order_value", "0.3"), Ok(()));
        assert_eq!(set.put("order_value", "0.30000000000000001"), Err(LimitFault::Value), "no float's 0.3");
    }
}
