//! Orders: the list, one with its timeline, a person's own, and taking one back.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::denial::{Denial, DenialCode, Measure};
use signalbox_domain::execution::{NamedFor, PriceForm};
use signalbox_domain::ids::{AccountId, ClientId, OrderId, SignalId, StrategyId};
use signalbox_domain::order::{OrdType, OrderTerms, ReportedStatus, Side};
use signalbox_domain::parent::Parent;
use signalbox_domain::rules::{DayRules, QtyFault};
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::units::{Price, Qty, Timestamp};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{self, PercentIn, PriceIn, QtyIn};
use super::event_view::{EventView, Legs};
use super::execution::{ExecutionIn, HeldIn};
use super::front::Front;
use super::intake::{self, Accepted, EffectIn, SideIn, Str, TimeInForceIn, TypeIn};
use super::json::{JsonBytes, PathName, StrictQuery, parse_json_fast};
use super::listing::{self, ListQuery};
use super::page::Page;
use super::portfolio::Portfolio;
use super::problem::{Code, Problem};
use super::signals::past;
use super::views::{FillView, OrderView};
use super::{BodyRefusals, Conflicts, Missing, Past, Refusals};
use crate::people::{Principal, Scope};
use crate::store::{EventFilter, StoredOrder};

/// The facts of one signal and its orders: a reject and retry in each of a hundred accounts.
const TIMELINE_MAX: u64 = 1_000;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_orders).service(send_order).service(show_order).service(cancel_order);
}

/// The orders of the accounts that one may see, the newest first.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])), params(ListQuery),
    responses((status = 200, body = Page<OrderView>), Refusals))]
#[get("/v1/orders")]
async fn list_orders(
    Authenticated(principal): Authenticated,
    query: StrictQuery<ListQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<OrderView>>, Problem> {
    require(&principal, Scope::OrdersRead)?;
    let accounts = accounts_of(&principal, query.0.account.as_deref(), &front);
    Ok(web::Json(orders_page(&query.0, accounts, &front).await?))
}

/// The accounts that a list shows: of one that is foreign or missing, nothing.
#[must_use]
pub fn accounts_of(principal: &Principal, account: Option<&str>, front: &Front) -> Option<Vec<AccountId>> {
    match account {
        None => front.readable_filter(principal),
        Some(name) => {
            let readable = front.readable(principal).into_iter().filter(|info| info.id.as_str() == name);
            Some(readable.map(|info| info.id.clone()).collect())
        }
    }
}

/// # Errors
/// 400 for a query that cannot be.
pub async fn orders_page(
    query: &ListQuery,
    accounts: Option<Vec<AccountId>>,
    front: &Front,
) -> Result<Page<OrderView>, Problem> {
    let (mut filter, limit) = query.filter::<ReportedStatus>()?;
    filter.accounts = accounts;
    let found = front.store.orders(&filter).await?;
    Ok(listing::page(found, limit, |order| order.terms().id.get(), |order| OrderView::of(order, front)))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OneQuery {
    /// `1` or `true`: with every event of its life.
    #[param(max_length = 5, nullable = false)]
    timeline: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OrderDetail)]
struct OrderDetail {
    #[serde(flatten)]
    order: OrderView,
    fills: Vec<FillView>,
    /// From the signal to the last fill, oldest first; when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    timeline: Option<Vec<EventView>>,
}

/// One order with its fills, and its timeline when asked for.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "ord-1"), OneQuery),
    responses((status = 200, body = OrderDetail), Refusals, Missing, Past))]
#[get("/v1/orders/{id}")]
async fn show_order(
    Authenticated(principal): Authenticated,
    id: PathName,
    query: StrictQuery<OneQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<OrderDetail>, Problem> {
    require(&principal, Scope::OrdersRead)?;
    let with_timeline = match query.0.timeline.as_deref() {
        None | Some("0" | "false") => false,
        Some("" | "1" | "true") => true,
        Some(_) => return Err(Problem::new(Code::InvalidQuery).detail("true or false").field("timeline")),
    };
    let order = visible(&principal, &id.0, &front).await?;
    let id = order.terms().id;
    let fills = front.store.fills_of_order(id).await?;
    let timeline = if with_timeline { Some(timeline(id, &front).await?) } else { None };
    Ok(web::Json(OrderDetail {
        order: OrderView::of(&order, &front),
        fills: fills.iter().map(|fill| FillView::of(fill, &front)).collect(),
        timeline,
    }))
}

/// What happened to the order, and to its signal before there were orders.
async fn timeline(id: OrderId, front: &Front) -> Result<Vec<EventView>, Problem> {
    let filter = EventFilter { signal: Some(id.signal()), ..EventFilter::default() };
    // The table first: what goes to a file meanwhile is seen twice, and not missed.
    let newest = front.store.journal_page(&filter, None, TIMELINE_MAX).await?;
    let mut lines = match front.store.signal(id.signal()).await? {
        Some(stored) => {
            let life = (stored.signal.received_at, stored.row.updated_at);
            front.store.archived_between(&filter, life).await?
        }
        None => Vec::new(),
    };
    let archived = lines.last().map_or(0, |line| line.seq);
    lines.extend(newest.into_iter().rev().filter(|line| line.seq > archived));
    lines.retain(|line| line.order.is_none_or(|order| order == id));
    // The plan names the other accounts' legs.
    Ok(lines.iter().map(|line| EventView::of(line, Legs::OfOrder(id))).collect())
}

/// The order, if he may see it: foreign and missing ones look the same.
///
/// # Errors
/// 404; 410 when the rows of its signal were dropped, and he might have seen that.
pub async fn visible(principal: &Principal, id: &str, front: &Front) -> Result<StoredOrder, Problem> {
    let id = OrderId::parse(id).ok_or_else(Problem::not_found)?;
    let Some(order) = front.store.order(id).await? else { return Err(past(principal, id.signal(), front).await?) };
    let sees_all = principal.is_admin() || principal.is_risk();
    if sees_all || principal.may_read(&order.terms().account) { Ok(order) } else { Err(Problem::not_found()) }
}

/// An order that a person makes by hand, in one account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrder, example = json!({
    "account": "paper-a", "symbol": "600000.SH", "side": "buy", "quantity": 100,
    "type": "limit", "limit_price": "10.50", "client_signal_id": "ann-20261120-1"
}))]
struct OrderBody<'a> {
    #[serde(borrow)]
    #[schema(value_type = String, max_length = 64)]
    account: Str<'a>,
    #[serde(borrow)]
    #[schema(value_type = String, max_length = 32)]
    symbol: Str<'a>,
    side: SideIn,
    quantity: QtyIn,
    /// Of contracts. Left away, it closes what its book holds on the other side and opens the rest.
    #[serde(default)]
    position_effect: Option<EffectIn>,
    /// `limit` when there is a limit price, else `market`.
    #[serde(default, rename = "type")]
    ord_type: Option<TypeIn>,
    #[serde(default)]
    limit_price: Option<PriceIn>,
    #[serde(default)]
    time_in_force: Option<TimeInForceIn>,
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
    /// Makes a repeat safe, as the header `Idempotency-Key` does: one of them is required. No control characters and none
    /// that cannot be seen.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    client_signal_id: Option<Str<'a>>,
}

impl OrderBody<'_> {
    fn read(self, client: &ClientId, header: Option<&str>, at: Timestamp) -> Result<Signal, Problem> {
        let key = intake::key_of(header, self.client_signal_id.as_ref())?;
        let account = AccountId::parse(&self.account.0).map_err(|_| no_account())?;
        let symbol = dto::symbol(&self.symbol.0, "symbol")?;
        let quantity = self.quantity.get("quantity")?;
        let own_price = self.ord_type.is_some() || self.limit_price.is_some();
        let (mut ord_type, limit_price) = intake::price_of(self.ord_type, self.limit_price)?;
        let execution = self.execution.map(|it| it.read(Some(self.side), own_price)).transpose()?.flatten();
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
            side: Some(self.side.into()),
            effect: self.position_effect.map(Into::into),
            size: Size::Quantity(quantity),
            limit_price,
        };
        let execution = held.read(&order, execution)?;
        let valid_until = self.valid_until.map(|text| dto::instant(&text.0, "valid_until")).transpose()?;
        Ok(Signal {
            id: SignalId::new(0),
            source: Source::Manual,
            strategy: StrategyId::manual(),
            account: Some(account),
            client: client.clone(),
            client_signal_id: key.into(),
            symbol,
            side: Some(self.side.into()),
            position_effect: self.position_effect.map(Into::into),
            size: Size::Quantity(quantity),
            ord_type,
            limit_price,
            time_in_force: self.time_in_force.map(Into::into).unwrap_or_default(),
            valid_until,
            execution,
            tag: None,
            received_at: at,
            notes: Notes::default(),
        })
    }
}

fn no_account() -> Problem {
    Problem::not_found().field("account")
}

/// May he trade the account? Foreign and unknown ones look the same.
///
/// # Errors
/// 403, 404.
pub fn may_trade(principal: &Principal, account: &AccountId, front: &Front) -> Result<(), Problem> {
    if front.account(account).is_none() {
        return Err(no_account());
    }
    if principal.may_trade(account) {
        Ok(())
    } else if principal.may_read(account) {
        Err(Problem::forbidden("you may see this account, not trade it").field("account"))
    } else {
        Err(no_account())
    }
}

/// Sends an order by hand: a signal like any other, with this account as its only leg.
///
/// A quantity or price that the exchange can never take is refused at once with the numbers; everything else is risk
/// control's business, and told by the signal.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])), request_body = OrderBody,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "At most one; visible characters of ASCII, without spaces")),
    responses((status = 202, body = Accepted, headers(("Location" = String), ("Idempotency-Replayed" = String))),
        Refusals, BodyRefusals, Missing))]
#[post("/v1/orders")]
async fn send_order(
    Authenticated(principal): Authenticated,
    req: HttpRequest,
    body: JsonBytes,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let body: OrderBody<'_> = parse_json_fast(&body.0)?;
    let signal = body.read(principal.client(), intake::header_key(&req)?, front.now())?;
    let signal = intake::bounded(&front, signal).await?;
    let refusal = match refuse(&principal, &signal, &front).await {
        Ok(()) => return intake::answer(intake::ingest(&front, signal).await?),
        Err(refusal) => refusal,
    };
    intake::answer(intake::replay_or(refusal, &front, &signal).await?)
}

async fn refuse(principal: &Principal, signal: &Signal, front: &Front) -> Result<(), Problem> {
    let (Some(account), Some(side)) = (&signal.account, signal.side) else { return Err(no_account()) };
    may_trade(principal, account, front)?;
    if !front.market.knows(signal.symbol) {
        return Err(dto::unknown_symbol(&signalbox_domain::symbols::ResolveError::Unknown, "symbol"));
    }
    // A day without rules is risk's business: it knows the day on which the order will be checked.
    let Some(rules) = front.market.today(signal.symbol, signal.received_at) else { return Ok(()) };
    let Size::Quantity(qty) = signal.size else { return Ok(()) };
    // Only the odd remainder of a sale depends on what is held.
    let sellable = match side {
        // A contract's lots have no odd remainder.
        _ if rules.contract.is_some() => qty,
        Side::Buy => qty,
        Side::Sell => Portfolio::load(front, account).await?.sellable(signal.symbol),
    };
    taken_by_the_exchange(&rules, (signal.ord_type, side), (qty, sellable), signal.limit_price)
}

/// Whether the exchange could ever take so much at this price. What can be sold is risk's business.
///
/// # Errors
/// 422 with the numbers.
pub fn taken_by_the_exchange(
    rules: &DayRules,
    (ord_type, side): (OrdType, Side),
    (qty, sellable): (Qty, Qty),
    limit_price: Option<Price>,
) -> Result<(), Problem> {
    if let Err(fault) = rules.check_qty_of(ord_type, side, qty, sellable)
        && !matches!(fault, QtyFault::AboveSellable { .. })
    {
        let step = if side == Side::Buy { rules.buy_step } else { rules.sell_step };
        return Err(never(Code::LotSize, DenialCode::LotSize, "quantity", fault.to_string()).denials(vec![numbers(
            DenialCode::LotSize,
            Measure::Qty(qty),
            Measure::Qty(step),
        )]));
    }
    match limit_price {
        Some(price) if ord_type == OrdType::Limit && !rules.on_tick(price) => {
            let detail = format!("price {price} is no multiple of the tick {}", rules.tick_at(price));
            Err(never(Code::TickSize, DenialCode::TickSize, "limit_price", detail).denials(vec![numbers(
                DenialCode::TickSize,
                Measure::Price(price),
                Measure::Price(rules.tick_at(price)),
            )]))
        }
        _ => Ok(()),
    }
}

fn never(code: Code, denial: DenialCode, field: &'static str, detail: String) -> Problem {
    debug_assert_eq!(<&str>::from(code), <&str>::from(denial), "risk and the door use one word");
    Problem::new(code).detail(detail).field(field)
}

fn numbers(code: DenialCode, value: Measure, limit: Measure) -> serde_json::Value {
    dto::denial(&Denial { code, value, limit })
}

/// Takes the order back, and of one by hand that is being replaced what would follow it. Tells which orders it reached.
///
/// # Errors
/// 503 when the desk does not answer.
pub async fn take_back(principal: &Principal, terms: &OrderTerms, front: &Front) -> Result<Vec<OrderId>, Problem> {
    // Of an account that is not in use nothing may still trade.
    if front.require_in_use(&terms.account).is_err() {
        return Ok(Vec::new());
    }
    let signal = terms.id.signal();
    if terms.source == Source::Manual {
        let legs = front.store.parents_of_signal(signal).await?;
        let replaced = |leg: &Parent| leg.progress.as_ref().is_some_and(|progress| progress.replaced.is_some());
        if legs.iter().any(|leg| !leg.parent.status.is_final() && replaced(&leg.parent)) {
            let who = intake::who(principal.client());
            front.desk.cancel_signal(terms.strategy.clone(), signal, who).await?;
        }
    }
    let reason = format!("canceled by {}", principal.client());
    Ok(front.desk.cancel_order(terms.account.clone(), terms.id, reason.into()).await?)
}

/// What a cancel has reached so far.
#[derive(Serialize, ToSchema)]
struct CancelAnswer {
    id: String,
    /// The order's status now.
    #[schema(value_type = super::views::OrderStatus)]
    status: &'static str,
    /// `requested`, or `final` when there was nothing left to take back.
    #[schema(example = "requested")]
    outcome: &'static str,
}

/// Whether it subscribes to a new issue and was sent: then it stays.
#[must_use]
pub fn beyond_recall(order: &StoredOrder) -> bool {
    matches!(order, StoredOrder::Live(order) if order.is_beyond_recall())
}

#[must_use]
pub fn not_cancelable() -> Problem {
    Problem::new(Code::NotCancelable).detail("a subscription to a new issue cannot be taken back")
}

/// Takes an order back. Its end is proved by the broker, and told by the order. A subscription to a new issue stays.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "ord-1")),
    responses((status = 202, body = CancelAnswer), Refusals, Missing, Past, Conflicts))]
#[post("/v1/orders/{id}/cancel")]
async fn cancel_order(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let order = visible(&principal, &id.0, &front).await?;
    let terms = order.terms();
    if !principal.may_trade(&terms.account) {
        return Err(Problem::forbidden("you may see this order, not cancel it"));
    }
    let reached = take_back(&principal, terms, &front).await?;
    let now = front.store.order(terms.id).await?.unwrap_or_else(|| order.clone());
    if reached.is_empty() && beyond_recall(&now) {
        return Err(not_cancelable());
    }
    let view = OrderView::of(&now, &front);
    let outcome = if reached.is_empty() { "final" } else { "requested" };
    Ok(HttpResponse::Accepted().json(CancelAnswer { id: view.id, status: view.status, outcome }))
}
