//! Signals: what strategies want, made durable before it is answered.

use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use signalbox_actors::crash::crash_point;
use signalbox_domain::execution::{NamedFor, PriceForm};
use signalbox_domain::ids::{AccountId, ClientId, SignalId, StrategyId};
use signalbox_domain::order::OrdType;
use signalbox_domain::signal::{Notes, Signal, SignalStatus, Source};
use signalbox_domain::strategy::StrategyState;
use signalbox_domain::units::Timestamp;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{self, PercentIn, PriceIn, QtyIn, SumIn, WeightIn};
use super::execution::{ExecutionIn, HeldIn};
use super::front::{self, Front};
use super::intake::{self, Accepted, EffectIn, SideIn, Str, TimeInForceIn, TypeIn};
use super::json::{JsonBytes, PathName, StrictQuery, parse_json_fast};
use super::limits::{Class, Limits};
use super::listing::{self, SignalsQuery};
use super::orders::{beyond_recall, not_cancelable};
use super::page::Page;
use super::problem::{Code, Problem, ProblemBody};
use super::size::SizeIn;
use super::views::{ParentView, SignalView, is_manual};
use super::{BodyRefusals, Conflicts, Missing, Past, Refusals};
use crate::people::{Principal, Scope};
use crate::store::{INGEST_BATCH_MAX, Ingested, NewSignal, StoredOrder, StoredSignal, body_hash};

/// 500 signals with long notes.
const BATCH_BODY_MAX: usize = 1024 * 1024;
/// A remark of the strategy's author, not a document.
const TAG_MAX: usize = 256;
const BASKET_MAX: usize = 64;
const PRIORITY_MAX: i16 = 1_000;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(send_signal).service(send_signals).service(list_signals).service(show_signal).service(cancel_signal);
}

/// What a strategy wants: an order (`side` and a size) or a position to reach (a target).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSignal, example = json!({
    "strategy": "small-cap", "symbol": "600000.XSHG", "side": "buy", "quantity": 1000,
    "type": "limit", "limit_price": "10.50", "valid_until": "2026-11-20T15:00:00+08:00",
    "client_signal_id": "jq-20261120-0001"
}))]
struct SignalBody<'a> {
    #[serde(borrow)]
    #[schema(value_type = String, max_length = 64)]
    strategy: Str<'a>,
    /// In any known spelling: 600000.SH, 600000.XSHG, SSE:600000, ...
    #[serde(borrow)]
    #[schema(value_type = String, max_length = 32)]
    symbol: Str<'a>,
    #[serde(default)]
    side: Option<SideIn>,
    /// Shares or lots. One of the eight sizes is given.
    #[serde(default)]
    quantity: Option<QtyIn>,
    /// Trade for so much money, fees not counted.
    #[serde(default)]
    amount: Option<SumIn>,
    /// 25 is 25 %: a buy of the route's capital base, a sell of what the strategy's own book holds.
    #[serde(default)]
    percent: Option<PercentIn>,
    /// Sell everything that may be sold.
    #[serde(default)]
    all: Option<bool>,
    /// Buy for all the cash of each account that no live order has set aside, fees counted. It takes the accounts'
    /// permission `all_in`, and waits for what live sells of the strategy bring in. A sell of bond repo (204001.SH,
    /// 131810.SZ) lends all of it, by the permission `repo`.
    #[serde(default)]
    all_in: Option<bool>,
    /// The position that the strategy's own book shall have; 0 is flat.
    #[serde(default)]
    target_quantity: Option<QtyIn>,
    /// What that position shall be worth: 0.25 is 25 % of the route's capital base.
    #[serde(default)]
    target_weight: Option<WeightIn>,
    /// What that position shall be worth, in money.
    #[serde(default)]
    target_amount: Option<SumIn>,
    /// Of contracts. Left away, a signal closes what its strategy's book holds on the other side and opens the rest.
    #[serde(default)]
    position_effect: Option<EffectIn>,
    /// `limit` when there is a limit price, else `market`.
    #[serde(default, rename = "type")]
    ord_type: Option<TypeIn>,
    #[serde(default)]
    limit_price: Option<PriceIn>,
    #[serde(default)]
    time_in_force: Option<TimeInForceIn>,
    /// Past this time it never trades; the end of the next session when left away, and with `not_before` of the first one
    /// from then on.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Str<'a>>,
    /// How it is executed, where that is more than one order at its own price.
    #[serde(default)]
    execution: Option<ExecutionIn>,
    /// Held until the price comes to it: a sell when it falls to it, a buy when it rises to it.
    #[serde(default)]
    stop_price: Option<PriceIn>,
    /// Of a sell the same; of a buy, what was bought is sold when the price falls to it. A close of contracts is held like
    /// a sell, and lots that were opened are closed: short ones when the price rises to it.
    #[serde(default)]
    stop_loss: Option<PriceIn>,
    /// A sell is held until the price rises to it; what a buy bought is sold then. Short lots are closed when the price falls
    /// to it. The first condition ends the others.
    #[serde(default)]
    take_profit: Option<PriceIn>,
    /// The same when the price has come so far back from its best.
    #[serde(default)]
    trailing_amount: Option<PriceIn>,
    /// 5 is 5 % of the best price.
    #[serde(default)]
    trailing_percent: Option<PercentIn>,
    /// Nothing is traded before this time.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Str<'a>>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 256)]
    tag: Option<Str<'a>>,
    /// It tries something out: recorded and shown, and never with real money.
    #[serde(default)]
    test: bool,
    /// When its sender decided. Of another trading day than today's, it is a test.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    signal_time: Option<Str<'a>>,
    /// When the bar began upon which its sender decided.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    bar_time: Option<Str<'a>>,
    /// The price that its sender decided with.
    #[serde(default)]
    ref_price: Option<PriceIn>,
    /// It is taken only when its strategy holds nothing of the symbol in any of its accounts, and no order of it may still
    /// open any; `NOT_FLAT` else.
    #[serde(default)]
    only_if_flat: bool,
    /// Of what is planned at the same time, the higher one comes first.
    #[serde(default)]
    #[schema(minimum = -1000, maximum = 1000)]
    priority: i16,
    /// Signals of the strategy with the same basket are planned together, sells first, when no more came for two seconds.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    basket_id: Option<Str<'a>>,
    /// Makes a repeat safe, as the header `Idempotency-Key` does: one of them is required. No control characters and none
    /// that cannot be seen.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    client_signal_id: Option<Str<'a>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSignals, example = json!({"signals": [{
    "strategy": "small-cap", "symbol": "600000.XSHG", "side": "buy", "quantity": 1000,
    "limit_price": "10.50", "client_signal_id": "jq-20261120-0002"
}]}))]
struct BatchBody<'a> {
    /// Each with its own `client_signal_id`.
    #[serde(borrow)]
    #[schema(min_items = 1, max_items = 500)]
    signals: Vec<SignalBody<'a>>,
}

#[derive(Serialize, ToSchema)]
struct BatchAnswer {
    items: Vec<BatchItem>,
}

/// `id` and `status`, or `error`.
#[derive(Default, Serialize, ToSchema)]
struct BatchItem {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<&'static str>,
    /// It was accepted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replayed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<ProblemBody>,
}

impl SignalBody<'_> {
    /// # Errors
    /// 400 or 422 with the field, the first that is wrong.
    fn read(self, client: &ClientId, header: Option<&str>, at: Timestamp) -> Result<Signal, Problem> {
        let key = intake::key_of(header, self.client_signal_id.as_ref())?;
        // A name that cannot be is as good as one that nobody has.
        let strategy = StrategyId::parse(&self.strategy.0).map_err(|_| no_strategy())?;
        let symbol = dto::symbol(&self.symbol.0, "symbol")?;
        let size = SizeIn {
            quantity: self.quantity,
            amount: self.amount,
            percent: self.percent,
            all: self.all,
            all_in: self.all_in,
            target_quantity: self.target_quantity,
            target_weight: self.target_weight,
            target_amount: self.target_amount,
        };
        let size = size.read(self.side, symbol)?;
        let own_price = self.ord_type.is_some() || self.limit_price.is_some();
        let (mut ord_type, limit_price) = intake::price_of(self.ord_type, self.limit_price)?;
        let execution = self.execution.map(|it| it.read(self.side, own_price)).transpose()?.flatten();
        if execution.as_ref().and_then(|it| it.price).is_some_and(|form| form != PriceForm::Market) {
            ord_type = OrdType::Limit; // its price is found when it is placed
        }
        let held = HeldIn {
            stop_price: self.stop_price,
            stop_loss: self.stop_loss,
            take_profit: self.take_profit,
            trailing_amount: self.trailing_amount,
            trailing_percent: self.trailing_percent,
            not_before: self.not_before.as_ref().map(|text| &*text.0),
        };
        let order = NamedFor {
            symbol,
            side: self.side.map(Into::into),
            effect: self.position_effect.map(Into::into),
            size,
            limit_price,
        };
        let execution = held.read(&order, execution)?;
        let valid_until = self.valid_until.map(|text| dto::instant(&text.0, "valid_until")).transpose()?;
        if self.tag.as_ref().is_some_and(|tag| tag.0.len() > TAG_MAX) {
            return Err(Problem::invalid("tag", "a tag has at most 256 bytes"));
        }
        if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&self.priority) {
            return Err(Problem::invalid("priority", "from -1000 to 1000"));
        }
        let basket = self.basket_id.map(|text| basket(&text.0).map(|()| Arc::from(&*text.0))).transpose()?;
        let notes = Notes {
            test: self.test,
            signal_time: self.signal_time.map(|text| dto::instant(&text.0, "signal_time")).transpose()?,
            bar_time: self.bar_time.map(|text| dto::instant(&text.0, "bar_time")).transpose()?,
            ref_price: self.ref_price.map(|px| px.get("ref_price")).transpose()?,
            only_if_flat: self.only_if_flat,
            priority: self.priority,
            basket,
            catch_up: None,
        };
        Ok(Signal {
            id: SignalId::new(0),
            source: Source::Signal,
            strategy,
            account: None,
            client: client.clone(),
            client_signal_id: key.into(),
            symbol,
            side: self.side.map(Into::into),
            position_effect: self.position_effect.map(Into::into),
            size,
            ord_type,
            limit_price,
            time_in_force: self.time_in_force.map(Into::into).unwrap_or_default(),
            valid_until,
            execution,
            tag: self.tag.map(|tag| Arc::from(&*tag.0)),
            received_at: at,
            notes,
        })
    }
}

fn basket(text: &str) -> Result<(), Problem> {
    if text.is_empty() || text.chars().count() > BASKET_MAX || text.chars().any(char::is_control) {
        return Err(Problem::invalid("basket_id", "1 to 64 characters, none of them a control character"));
    }
    Ok(())
}

/// May he signal for the strategy? Foreign and unknown ones look the same.
fn authorize(principal: &Principal, strategy: &StrategyId, front: &Front) -> Result<(), Problem> {
    let facts = front.strategy(strategy).filter(|_| !strategy.is_manual()).ok_or_else(no_strategy)?;
    if principal.may_signal_for(strategy, &facts.accounts) {
        Ok(())
    } else if front::may_read(principal, &facts) {
        Err(Problem::forbidden("you may see this strategy, not signal for it").field("strategy"))
    } else {
        Err(no_strategy())
    }
}

fn no_strategy() -> Problem {
    Problem::not_found().field("strategy")
}

fn tradable(signal: &Signal, front: &Front) -> Result<(), Problem> {
    if front.market.knows(signal.symbol) {
        return Ok(());
    }
    Err(dto::unknown_symbol(&signalbox_domain::symbols::ResolveError::Unknown, "symbol"))
}

/// Takes one signal. It is durable when this answers 202, whether or not it can be traded now.
///
/// The header `Idempotency-Key` or `client_signal_id` makes a repeat safe: the same request again gets the same answer,
/// with `Idempotency-Replayed: true`; another request with the same key is refused.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])), request_body = SignalBody,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "At most one; visible characters of ASCII, without spaces")),
    responses((status = 202, body = Accepted, headers(("Location" = String), ("Idempotency-Replayed" = String))),
        Refusals, BodyRefusals, Missing))]
#[post("/v1/signals")]
async fn send_signal(
    Authenticated(principal): Authenticated,
    req: HttpRequest,
    body: JsonBytes,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::SignalsWrite)?;
    let body: SignalBody<'_> = parse_json_fast(&body.0)?;
    let signal = body.read(principal.client(), intake::header_key(&req)?, front.now())?;
    let signal = intake::bounded(&front, signal).await?;
    let allowed = authorize(&principal, &signal.strategy, &front).and_then(|()| tradable(&signal, &front));
    let ingested = match allowed {
        Ok(()) => intake::ingest(&front, signal).await?,
        Err(refusal) => intake::replay_or(refusal, &front, &signal).await?,
    };
    intake::answer(ingested)
}

/// Takes up to 500 signals, each by itself: the answer has one item for each, in their order.
///
/// All that were accepted are durable when this answers 202.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])), request_body = BatchBody,
    responses((status = 202, body = BatchAnswer), Refusals, BodyRefusals))]
#[post("/v1/signals/batch")]
async fn send_signals(
    Authenticated(principal): Authenticated,
    body: JsonBytes<BATCH_BODY_MAX>,
    front: web::Data<Front>,
    limits: web::Data<Limits>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::SignalsWrite)?;
    let body: BatchBody<'_> = parse_json_fast(&body.0)?;
    let count = body.signals.len();
    if count == 0 || count > INGEST_BATCH_MAX {
        return Err(Problem::invalid("signals", "1 to 500 signals"));
    }
    // The request itself was counted as one.
    if let Some(others) = u32::try_from(count - 1).ok().and_then(NonZeroU32::new) {
        limits.check_n(Class::Write, principal.client(), others)?;
    }
    let at = front.now();
    let mut items: Vec<BatchItem> = Vec::with_capacity(count);
    let (mut new, mut places) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (index, signal) in body.signals.into_iter().enumerate() {
        let item = match take(signal, &principal, &front, at).await {
            Ok(Taken::New(signal)) => {
                places.push(index);
                new.push(NewSignal { body_hash: body_hash(&signal), signal: *signal });
                BatchItem { index, ..BatchItem::default() }
            }
            Ok(Taken::Known(ingested)) => item_of(index, ingested),
            Err(problem) => failed(index, problem),
        };
        items.push(item);
    }
    for (index, ingested) in places.into_iter().zip(front.store.ingest_batch(new).await?) {
        items[index] = item_of(index, ingested);
    }
    crash_point("door.before_answer");
    Ok(HttpResponse::Accepted().json(BatchAnswer { items }))
}

enum Taken {
    New(Box<Signal>),
    Known(Ingested),
}

async fn take(body: SignalBody<'_>, principal: &Principal, front: &Front, at: Timestamp) -> Result<Taken, Problem> {
    let signal = intake::bounded(front, body.read(principal.client(), None, at)?).await?;
    let allowed = authorize(principal, &signal.strategy, front).and_then(|()| tradable(&signal, front));
    match allowed {
        Ok(()) => Ok(Taken::New(Box::new(signal))),
        Err(refusal) => intake::replay_or(refusal, front, &signal).await.map(Taken::Known),
    }
}

fn item_of(index: usize, ingested: Ingested) -> BatchItem {
    let (signal, replayed) = match ingested {
        Ingested::Accepted(signal) => (signal, false),
        Ingested::Replayed(signal) => (signal, true),
        Ingested::Reused => return failed(index, intake::reused()),
    };
    let (id, status, replayed) = (Some(signal.id.to_string()), Some("accepted"), Some(replayed));
    BatchItem { index, id, status, replayed, error: None }
}

fn failed(index: usize, problem: Problem) -> BatchItem {
    BatchItem { index, error: Some(problem.within("signals", index).body()), ..BatchItem::default() }
}

/// The signals of the strategies that one may see, the newest first.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])), params(SignalsQuery),
    responses((status = 200, body = Page<SignalView>), Refusals))]
#[get("/v1/signals")]
async fn list_signals(
    Authenticated(principal): Authenticated,
    query: StrictQuery<SignalsQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<SignalView>>, Problem> {
    require(&principal, Scope::SignalsRead)?;
    let (query, basket) = query.0.split()?;
    let (mut filter, limit) = query.filter::<SignalStatus>()?;
    filter.basket = basket;
    filter.accounts = front.readable_filter(&principal);
    filter.strategies = front.readable_signals(&principal);
    if let Some(account) = &query.account {
        let mut one = front.readable(&principal);
        one.retain(|info| info.id.as_str() == account);
        filter.accounts = Some(one.into_iter().map(|info| info.id.clone()).collect());
        filter.strategies = None;
    }
    let states = states(&front).await?;
    let found = front.store.signals(&filter).await?;
    let view = |stored: &StoredSignal| {
        let state = states.iter().find(|(id, _)| *id == stored.signal.strategy).map(|(_, state)| *state);
        SignalView::of(stored, state, &front)
    };
    Ok(web::Json(listing::page(found, limit, |stored| stored.row.id.get(), view)))
}

async fn states(front: &Front) -> Result<Vec<(StrategyId, StrategyState)>, Problem> {
    let strategies = front.store.strategies().await?;
    Ok(strategies.into_iter().map(|stored| (stored.conf.id.clone(), stored.state)).collect())
}

/// A signal with its legs, their orders and fills.
#[derive(Serialize, ToSchema)]
#[schema(as = SignalWithParents)]
struct SignalDetail {
    #[serde(flatten)]
    signal: SignalView,
    parents: Vec<ParentView>,
}

/// One signal and everything that became of it. After `store.journal_keep_days` it may be 410 `archived`.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "sig-1")),
    responses((status = 200, body = SignalDetail), Refusals, Missing, Past))]
#[get("/v1/signals/{id}")]
async fn show_signal(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<SignalDetail>, Problem> {
    let stored = visible(&principal, &id.0, &front).await?;
    Ok(web::Json(detail(&principal, &stored, &front).await?))
}

async fn detail(principal: &Principal, stored: &StoredSignal, front: &Front) -> Result<SignalDetail, Problem> {
    let id = stored.row.id;
    let state = front.store.strategy(&stored.signal.strategy).await?.map(|stored| stored.state);
    let parents = front.store.parents_of_signal(id).await?;
    let (orders, fills) = if parents.is_empty() { (Vec::new(), Vec::new()) } else { legs(front, id).await? };
    // Who sees the strategy by a grant of its own does not see into accounts that are foreign to him.
    let parents = parents
        .iter()
        .filter(|parent| sees_all(principal) || principal.may_read(&parent.parent.leg.account))
        .map(|parent| ParentView::of(&stored.signal, parent, &orders, &fills, front))
        .collect();
    Ok(SignalDetail { signal: SignalView::of(stored, state, front), parents })
}

async fn legs(
    front: &Front,
    id: SignalId,
) -> Result<(Vec<crate::store::StoredOrder>, Vec<crate::store::StoredFill>), Problem> {
    Ok((front.store.orders_of_signal(id).await?, front.store.fills_of_signal(id).await?))
}

fn sees_all(principal: &Principal) -> bool {
    principal.is_admin() || principal.is_risk()
}

/// The signal, if he sent it or may see its strategy, its account or one of its legs.
pub(super) async fn visible(principal: &Principal, id: &str, front: &Front) -> Result<StoredSignal, Problem> {
    let id = SignalId::parse(id).ok_or_else(Problem::not_found)?;
    let Some(stored) = front.store.signal(id).await? else { return Err(past(principal, id, front).await?) };
    let signal = &stored.signal;
    let (account, strategy) = (signal.account.as_ref(), (!is_manual(signal)).then_some(&signal.strategy));
    if sees(principal, account, strategy, &signal.client, front) || sees_leg(principal, id, front).await? {
        Ok(stored)
    } else {
        Err(Problem::not_found())
    }
}

/// Whether it reached an account that he may see: a leg there may wait for him.
async fn sees_leg(principal: &Principal, id: SignalId, front: &Front) -> Result<bool, Problem> {
    if !principal.has_scope(Scope::SignalsRead) {
        return Ok(false);
    }
    let legs = front.store.parents_of_signal(id).await?;
    Ok(legs.iter().any(|stored| principal.may_read(&stored.parent.leg.account)))
}

fn sees(
    principal: &Principal,
    account: Option<&AccountId>,
    strategy: Option<&StrategyId>,
    client: &ClientId,
    front: &Front,
) -> bool {
    let reads = principal.has_scope(Scope::SignalsRead)
        && (sees_all(principal)
            || account.is_some_and(|account| principal.may_read(account))
            || strategy
                .and_then(|strategy| front.strategy(strategy))
                .is_some_and(|facts| front::may_read(principal, &facts)));
    // The answer to a signal names the place where its sender looks for it.
    reads || client == principal.client()
}

/// What is said of a signal that has no rows, and of its orders: how it ended, to him who might have seen it.
///
/// # Errors
/// 503 when the database cannot be read.
pub(super) async fn past(principal: &Principal, id: SignalId, front: &Front) -> Result<Problem, Problem> {
    let Some(kept) = front.store.kept_key(id).await? else { return Ok(Problem::not_found()) };
    let strategy = (kept.strategy != StrategyId::manual()).then_some(&kept.strategy);
    if !sees(principal, kept.account.as_ref(), strategy, &kept.client, front) {
        return Ok(Problem::not_found());
    }
    let detail = format!("{id} ended long ago as {}: the journal's files tell of it and of its orders", kept.status);
    Ok(Problem::new(Code::Archived).detail(detail))
}

/// Stops what is not done yet. Orders that work are cancelled; what is filled stays filled, and a subscription to a new issue
/// stays.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "sig-1")),
    responses((status = 202, body = Accepted), Refusals, Missing, Past, Conflicts))]
#[post("/v1/signals/{id}/cancel")]
async fn cancel_signal(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::SignalsWrite)?;
    let stored = visible(&principal, &id.0, &front).await?;
    let signal = &stored.signal;
    let allowed = match &signal.account {
        Some(account) => principal.may_trade(account),
        None => front
            .strategy(&signal.strategy)
            .is_some_and(|facts| principal.may_signal_for(&signal.strategy, &facts.accounts)),
    };
    if !allowed {
        return Err(Problem::forbidden("you may see this signal, not cancel it"));
    }
    let orders = front.store.orders_of_signal(signal.id).await?;
    let works = |order: &&StoredOrder| matches!(order, StoredOrder::Live(order) if !order.status.is_terminal());
    let mut open = orders.iter().filter(works).peekable();
    if stored.row.waiting_for.is_none() && open.peek().is_some() && open.all(beyond_recall) {
        return Err(not_cancelable());
    }
    crash_point("cancel.asked");
    if !stored.row.status.is_final() {
        front.desk.cancel_signal(signal.strategy.clone(), signal.id, intake::who(principal.client())).await?;
    }
    let now = front.store.signal(signal.id).await?.unwrap_or(stored.clone());
    crash_point("cancel.before_answer");
    Ok(HttpResponse::Accepted().json(Accepted {
        id: signal.id.to_string(),
        status: now.row.status.into(),
        client_signal_id: signal.client_signal_id.to_string(),
    }))
}
