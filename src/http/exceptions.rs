//! What waits for a person: doubts, breaks, ghosts; and the way out of a doubt.

use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signalbox_actors::crash::crash_point;
use signalbox_domain::account::{Resolution, Settle, Settlement, Unresolvable, Unsettleable};
use signalbox_domain::broker::ListedOrder;
use signalbox_domain::event::{Scope as StateScope, TradingState};
use signalbox_domain::ids::{AccountId, BrokerOrderId, StrategyId};
use signalbox_domain::order::InFlight;
use signalbox_domain::reconcile::Baseline;
use signalbox_domain::reconcile::breaks::Break;
use signalbox_domain::reconcile::exception::Exception;
use signalbox_domain::reconcile::matching::Candidate;
use signalbox_domain::risk::HOLDER;
use signalbox_domain::units::Timestamp;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{self, PriceIn, QtyIn};
use super::front::Front;
use super::intake::who;
use super::json::{PathName, StrictJson, StrictQuery};
use super::listing;
use super::orders::{accounts_of, visible};
use super::page::{Page, PageQuery, cursor};
use super::problem::{Code, Problem};
use super::trading_state::{check_note, name_of};
use super::views::{OrderView, at};
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::{Principal, Scope};
use crate::store::{StoredOrder, StoredTradingState};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_exceptions).service(resolve_order).service(settle_exception);
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExceptionQuery {
    #[param(max_length = 64, nullable = false)]
    account: Option<String>,
    /// `open` (the default) or `settled`.
    #[param(max_length = 8, nullable = false)]
    state: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(max_length = 400, nullable = false)]
    cursor: Option<String>,
}

/// One thing that waits for a person, or was settled.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exception)]
struct ExceptionView {
    id: String,
    /// Nothing where more than one account is concerned: a strategy, or all of them, is held.
    account: Option<String>,
    /// doubt, ghost, revived, break, external, reads or asked (the policy of a leg asks a person; it ends with the leg); or
    /// held: risk lets a scope only reduce
    kind: &'static str,
    /// Of what is held: global, account:<id> or strategy:<name>. Whoever sets its trading state lets it go.
    scope: Option<String>,
    text: String,
    /// Why only a person ends the doubt.
    parked: Option<&'static str>,
    /// The order as it was meant and sent, for a doubt or a ghost.
    order: Option<OrderView>,
    /// When the broker's lists were last read and believed.
    read_at: Option<String>,
    /// What the lists showed before the order was sent.
    #[schema(value_type = Option<Object>)]
    baseline: Option<Value>,
    /// Rows that could be the order, each with the fields in which it is not.
    #[schema(value_type = Vec<Object>)]
    candidates: Vec<Value>,
    /// What cash and shares say of an order that no list shows.
    #[schema(value_type = Option<Object>)]
    conservation: Option<Value>,
    /// Of books and broker.
    #[schema(value_type = Option<Object>)]
    differs: Option<Value>,
    #[schema(value_type = Option<Object>)]
    decision: Option<Value>,
    opened_at: String,
    updated_at: String,
}

/// Open doubts, breaks and ghosts with their evidence, the oldest first; or the settled ones, the newest first.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])), params(ExceptionQuery),
    responses((status = 200, body = Page<ExceptionView>), Refusals))]
#[get("/v1/exceptions")]
async fn list_exceptions(
    Authenticated(principal): Authenticated,
    query: StrictQuery<ExceptionQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<ExceptionView>>, Problem> {
    require(&principal, Scope::OrdersRead)?;
    let open = match query.0.state.as_deref() {
        None | Some("open") => true,
        Some("settled") => false,
        Some(_) => return Err(Problem::new(Code::InvalidQuery).detail("open or settled").field("state")),
    };
    if let Some(text) = &query.0.account {
        listing::account(text)?;
    }
    let page = PageQuery { limit: query.0.limit, cursor: query.0.cursor };
    let (limit, after) = (page.limit()?, page.after()?);
    let after = after.as_ref().map(|(us, id)| (*us, id.as_str()));
    let accounts = accounts_of(&principal, query.0.account.as_deref(), &front);
    // One more than the page has tells whether there is another.
    let stored = front.store.exceptions(accounts.as_deref(), open, after, limit as u64 + 1).await?;
    let mut listed: Vec<Listed> = stored.into_iter().map(|one| Listed::Stored(one.into())).collect();
    if open {
        let held = held(&principal, query.0.account.as_deref(), &front).await?.into_iter().map(Listed::Held);
        listed.extend(held.filter(|held| after.is_none_or(|(us, id)| held.place(open) > (us, id.to_owned()))));
        listed.sort_by_cached_key(|one| one.place(open));
    }
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next_cursor = listed.last().filter(|_| more).map(|last| {
        let (us, id) = last.place(open);
        cursor(us, &id)
    });
    let mut items = Vec::with_capacity(listed.len());
    for one in listed {
        items.push(match one {
            Listed::Held(stored) => ExceptionView::of_held(&stored),
            Listed::Stored(exception) => {
                let order = match exception.order {
                    Some(id) => front.store.order(id).await?,
                    None => None,
                };
                view(&exception, order.as_ref(), &front)
            }
        });
    }
    Ok(web::Json(Page { items, next_cursor }))
}

/// What the list is made of.
enum Listed {
    Stored(Box<Exception>),
    Held(StoredTradingState),
}

impl Listed {
    /// Where it stands in the list: by the time that the list is sorted by, and by its id.
    fn place(&self, open: bool) -> (i64, String) {
        match self {
            Self::Stored(one) if open => (one.opened_at.us(), id_of(one)),
            Self::Stored(one) => (one.updated_at.us(), id_of(one)),
            Self::Held(stored) => (stored.at.us(), id_of_held(stored)),
        }
    }
}

fn id_of(exception: &Exception) -> String {
    format!("{}:{}:{}", exception.account, exception.key, exception.opened_at.us())
}

fn id_of_held(stored: &StoredTradingState) -> String {
    format!("held:{}:{}", name_of(&stored.scope), stored.at.us())
}

/// What risk holds, and a person or a new day lets go: the newest trading states, where risk has set them.
async fn held(principal: &Principal, only: Option<&str>, front: &Front) -> Result<Vec<StoredTradingState>, Problem> {
    let (accounts, strategies) = (front.readable_filter(principal), front.readable_strategies(principal));
    let shown = |scope: &StateScope| match scope {
        StateScope::Global => only.is_none(),
        StateScope::Account(id) => {
            only.is_none_or(|only| only == id.as_str()) && accounts.as_ref().is_none_or(|own| own.contains(id))
        }
        StateScope::Strategy(id) => only.is_none() && strategies.as_ref().is_none_or(|own| own.contains(id)),
    };
    let states = front.store.trading_states().await?;
    let held = states.into_iter().filter(|stored| &*stored.who == HOLDER && stored.state != TradingState::Active);
    Ok(held.filter(|stored| shown(&stored.scope)).collect())
}

impl ExceptionView {
    fn of_held(stored: &StoredTradingState) -> Self {
        Self {
            id: id_of_held(stored),
            account: match &stored.scope {
                StateScope::Account(id) => Some(id.to_string()),
                StateScope::Global | StateScope::Strategy(_) => None,
            },
            kind: "held",
            scope: Some(name_of(&stored.scope)),
            text: format!("{}: {}", stored.state, stored.reason),
            parked: None,
            order: None,
            read_at: None,
            baseline: None,
            candidates: Vec::new(),
            conservation: None,
            differs: None,
            decision: None,
            opened_at: at(stored.at),
            updated_at: at(stored.at),
        }
    }
}

fn view(exception: &Exception, order: Option<&StoredOrder>, front: &Front) -> ExceptionView {
    let evidence = &exception.evidence;
    let sent_upon = match order {
        Some(StoredOrder::Live(order)) => order.baseline.as_deref().map(baseline),
        _ => None,
    };
    // What a person bound was a candidate mostly.
    let told = |row: &&ListedOrder| evidence.candidates.iter().any(|candidate| candidate.row.no == row.no);
    let row = evidence.row.iter().filter(|row| !told(row));
    let row = row.map(|row| Candidate { row: row.clone(), differs: Vec::new() });
    ExceptionView {
        id: id_of(exception),
        account: Some(exception.account.to_string()),
        kind: exception.kind.into(),
        scope: None,
        text: evidence.text.to_string(),
        parked: evidence.parked.map(Into::into),
        order: order.map(|order| OrderView::of(order, front)),
        read_at: evidence.read_at.map(at),
        baseline: sent_upon,
        candidates: evidence.candidates.iter().cloned().chain(row).map(|c| candidate(&c)).collect(),
        conservation: evidence.conservation.map(|c| {
            json!({
                "agrees": c.agrees, "cash_missing": c.cash_missing.map(|m| m.to_string()),
                "cash_tolerance": c.cash_tolerance.to_string(), "sellable_missing": c.sellable_missing.to_string(),
                "position_surplus": c.position_surplus.to_string(),
            })
        }),
        differs: evidence.differs.as_ref().map(differs),
        decision: exception
            .decision
            .as_ref()
            .map(|d| json!({ "what": &*d.what, "by": &*d.by, "note": &*d.note, "at": at(d.at) })),
        opened_at: at(exception.opened_at),
        updated_at: at(exception.updated_at),
    }
}

fn baseline(baseline: &Baseline) -> Value {
    let sums = &baseline.sums;
    json!({
        "at": at(baseline.at), "available": sums.available.map(|m| m.to_string()),
        "position": sums.position.to_string(), "sellable": sums.sellable.to_string(),
    })
}

fn candidate(candidate: &Candidate) -> Value {
    let row = &candidate.row;
    json!({
        "broker_order_id": &*row.no.0, "tag": row.tag.as_deref(), "symbol": row.symbol.to_string(), "side": row.side,
        "quantity": row.qty.to_string(), "limit_price": row.px.map(|px| px.to_string()),
        "cum_qty": row.cum_qty.to_string(), "canceled_qty": row.canceled_qty.to_string(), "status": row.status,
        "at": at(row.at), "differs": candidate.differs,
    })
}

fn differs(differs: &Break) -> Value {
    match differs {
        Break::Position { symbol, books, broker, class } => json!({
            "symbol": symbol.to_string(), "books": books.to_string(), "broker": broker.to_string(), "class": class,
        }),
        Break::Cash { books, broker, class } => {
            json!({ "cash": true, "books": books.to_string(), "broker": broker.to_string(), "class": class })
        }
        Break::Bulk { symbols, of } => json!({ "symbols": symbols, "of": of, "class": differs.class() }),
    }
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DecisionIn {
    /// It is the broker's order with this number.
    Bind,
    /// It was never made.
    Absent,
    /// What looks like it is a person's own.
    External,
    /// Where only its cancel is in doubt: the broker has taken it back.
    Canceled,
    /// Where only its cancel is in doubt: it works on.
    Works,
}

/// How a doubt ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResolveOrder, example = json!({"decision": "bind", "broker_order_id": "240011", "note": "seen in the terminal"}))]
struct ResolveBody {
    decision: DecisionIn,
    /// With `bind`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    broker_order_id: Option<String>,
    /// With `absent`: the order's symbol, typed by hand.
    #[serde(default)]
    #[schema(max_length = 32)]
    symbol: Option<String>,
    /// With `absent`, while the order may still be on its way: that one knows better than the lists, which may show it yet.
    #[serde(default, rename = "override")]
    overrides: bool,
    #[serde(default)]
    #[schema(max_length = 500)]
    note: String,
}

/// Settles a doubt. The decision is kept with what was seen and who decided.
///
/// `absent` is 409 `too_early` for as long as the lists would not prove it either, unless `override` is true.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])), request_body = ResolveBody,
    params(("id" = String, Path, example = "ord-1")),
    responses((status = 200, body = OrderView), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/orders/{id}/resolve")]
async fn resolve_order(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: StrictJson<ResolveBody>,
    front: web::Data<Front>,
) -> Result<web::Json<OrderView>, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let order = visible(&principal, &id.0, &front).await?;
    let terms = order.terms();
    if !principal.may_trade(&terms.account) {
        return Err(Problem::forbidden("you may see this order, not settle its doubt"));
    }
    let ResolveBody { decision, broker_order_id, symbol, overrides, note } = body.0;
    check_note(&note)?;
    let resolution = match decision {
        DecisionIn::Bind => {
            let no = broker_order_id.filter(|no| !no.is_empty() && no.len() <= 64);
            let no = no.ok_or_else(|| Problem::invalid("broker_order_id", "bind to which number?"))?;
            Resolution::Bind(BrokerOrderId(no.into()))
        }
        DecisionIn::Absent => {
            let typed = symbol.ok_or_else(|| Problem::invalid("symbol", "type the order's symbol"))?;
            if dto::symbol(&typed, "symbol")? != terms.symbol {
                return Err(Problem::invalid("symbol", "this is not the order's symbol"));
            }
            if let Some(until) = on_its_way(&order, &front).filter(|_| !overrides) {
                let detail = format!(
                    "until {} the order may still be on its way, and would trade beside a new one; with \"override\": true it is \
                     absent now",
                    at(until)
                );
                return Err(Problem::new(Code::TooEarly).detail(detail).field("override"));
            }
            Resolution::Absent
        }
        DecisionIn::External => Resolution::External,
        DecisionIn::Canceled => Resolution::Canceled,
        DecisionIn::Works => Resolution::Works,
    };
    let by = who(principal.client());
    front.require_in_use(&terms.account)?;
    crash_point("resolve.asked");
    front
        .desk
        .resolve(terms.account.clone(), terms.id, resolution, by, note.into())
        .await?
        .map_err(|cannot: Unresolvable| Problem::new(Code::Conflict).detail(cannot.to_string()))?;
    crash_point("resolve.before_answer");
    let now = front.store.order(terms.id).await?.unwrap_or(order);
    Ok(web::Json(OrderView::of(&now, &front)))
}

/// Until when an order in doubt may appear in the broker's lists, if that is to come. Parked, it waits for nothing but a
/// person.
fn on_its_way(order: &StoredOrder, front: &Front) -> Option<Timestamp> {
    let StoredOrder::Live(order) = order else { return None };
    let asked = order.in_doubt && order.parked.is_none() && order.in_flight != Some(InFlight::Cancel);
    let since = order.doubt_since.filter(|_| asked)?;
    let until = since.plus(front.account(&order.terms.account)?.absent_after);
    (front.now() < until).then_some(until)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SettlementIn {
    /// The broker is right: the difference is booked.
    Adjust,
    /// So many differences are really there: each shall be shown and settled by itself.
    Itemize,
    /// The row is a person's own order.
    External,
}

/// How a break or a ghost ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettleException, example = json!({"decision": "adjust", "book": "external", "note": "bonus shares, 10 for 10"}))]
struct SettleBody {
    decision: SettlementIn,
    /// With `adjust`, of shares: whose they are, or were. `external` when left away, which is nobody's.
    #[serde(default)]
    #[schema(max_length = 64)]
    book: Option<String>,
    /// With `adjust`, of shares: how many of them; all when left away. The rest stays open.
    #[serde(default)]
    quantity: Option<QtyIn>,
    /// With `adjust`, of shares that the broker has more: what each cost. Nothing when left away.
    #[serde(default)]
    cost_price: Option<PriceIn>,
    /// Why. It is kept for ever.
    #[schema(min_length = 1, max_length = 500)]
    note: String,
}

/// Settles a break or a ghost. Doubts are settled by their orders. The decision is kept with what was seen and who
/// decided.
#[utoipa::path(tag = "orders", security(("access_token" = []), ("api_key" = [])), request_body = SettleBody,
    params(("id" = String, Path, example = "paper-a:break:000001.SZ:1740967200000000")),
    responses((status = 200, body = ExceptionView), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/exceptions/{id}/resolve")]
async fn settle_exception(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: StrictJson<SettleBody>,
    front: web::Data<Front>,
) -> Result<web::Json<ExceptionView>, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let open = one(&principal, &id.0, &front).await?;
    if !principal.may_trade(&open.account) {
        return Err(Problem::forbidden("you may see this exception, not settle it"));
    }
    let SettleBody { decision, book, quantity, cost_price, note } = body.0;
    if note.trim().is_empty() {
        return Err(Problem::invalid("note", "say why"));
    }
    check_note(&note)?;
    let settlement = match decision {
        SettlementIn::Adjust => Settlement::Adjust {
            book: book.map_or(Ok(StrategyId::external()), |name| existing_book(&name, "book", &front))?,
            qty: quantity.map(|qty| qty.get("quantity")).transpose()?,
            cost: cost_price.map(|price| price.get("cost_price")).transpose()?,
        },
        _ if book.is_some() || quantity.is_some() || cost_price.is_some() => {
            return Err(Problem::invalid("decision", "book, quantity and cost_price go with adjust"));
        }
        SettlementIn::Itemize => Settlement::Itemize,
        SettlementIn::External => Settlement::External,
    };
    let by = who(principal.client());
    front.require_in_use(&open.account)?;
    let decision = Settle { key: open.key.clone(), settlement, by, note: note.into() };
    front
        .desk
        .settle(open.account.clone(), decision)
        .await?
        .map_err(|cannot: Unsettleable| Problem::new(Code::Conflict).detail(cannot.to_string()))?;
    let now = front.store.exception(&open.account, &open.key, open.opened_at).await?.unwrap_or(open);
    let order = match now.order {
        Some(id) => front.store.order(id).await?,
        None => None,
    };
    Ok(web::Json(view(&now, order.as_ref(), &front)))
}

/// The book of a strategy, or EXTERNAL.
pub(super) fn existing_book(name: &str, field: &str, front: &Front) -> Result<StrategyId, Problem> {
    let id = StrategyId::parse(name).ok();
    let exists = |id: &StrategyId| *id == StrategyId::external() || front.strategy(id).is_some();
    id.filter(exists).ok_or_else(|| Problem::invalid(field, "there is no such strategy"))
}

/// The exception with the id, if it is of an account that the principal may see.
async fn one(principal: &Principal, id: &str, front: &Front) -> Result<Exception, Problem> {
    let parts = id.split_once(':').and_then(|(account, rest)| {
        let (key, opened) = rest.rsplit_once(':')?;
        Some((AccountId::parse(account).ok()?, key, Timestamp::from_us(opened.parse().ok()?)))
    });
    let (account, key, opened_at) = parts.ok_or_else(Problem::not_found)?;
    let readable = front.readable(principal).into_iter().any(|info| info.id == account);
    let found = if readable { front.store.exception(&account, key, opened_at).await? } else { None };
    found.ok_or_else(Problem::not_found)
}
