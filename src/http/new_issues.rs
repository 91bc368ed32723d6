//! New issues (新股申购): which ones a day has, and a subscription to all of them at once.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::issues::{IssueMarket, NewIssue};
use signalbox_domain::order::{OrdType, Side};
use signalbox_domain::signal::{Signal, SignalStatus, Size};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Qty, TradeDate};
use strum::IntoEnumIterator as _;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require, tradable_account};
use super::dto::{self, QtyIn};
use super::front::Front;
use super::intake::{self, Str};
use super::json::{JsonBytes, PathName, StrictQuery, parse_json_fast};
use super::one_click::{Click, Terms, answered, by_hand};
use super::problem::{Code, Problem};
use super::{BodyRefusals, Missing, Past, Refusals};
use crate::people::Scope;
use crate::store::ListFilter;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_new_issues).service(subscribe);
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DayQuery {
    /// The day on which they are subscribed to; the trading day of now when left away.
    #[param(max_length = 10, nullable = false, example = "2026-11-20")]
    date: Option<String>,
}

/// The issues of one day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewIssues)]
struct IssuesView {
    date: String,
    /// Empty as well where nobody has imported the day's issues: none come with the program.
    items: Vec<IssueView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewIssue, example = json!({
    "symbol": "787999.SH", "name": "made up", "market": "STAR", "board": "star", "listing": "688999.SH",
    "subscribe_on": "2026-11-20", "issue_price": "56.78", "unit": "500", "quantity_max": "9000",
    "binds_cash": false, "source": "made up"
}))]
struct IssueView {
    /// What it is subscribed to by.
    symbol: String,
    name: String,
    /// SH, STAR, SZ or BJ: for each of these a broker states how much one may subscribe to.
    market: &'static str,
    board: &'static str,
    /// The share that it becomes.
    listing: String,
    subscribe_on: String,
    issue_price: String,
    unit: String,
    quantity_max: String,
    /// The whole sum is set aside with the order, as in Beijing; else it is paid for when shares are drawn.
    binds_cash: bool,
    source: String,
}

impl IssueView {
    fn of(issue: &NewIssue) -> Self {
        Self {
            symbol: issue.symbol.to_string(),
            name: issue.name.to_string(),
            market: issue.market().into(),
            board: issue.board.into(),
            listing: issue.listing.to_string(),
            subscribe_on: issue.subscribe_on.to_string(),
            issue_price: issue.price.to_string(),
            unit: issue.unit.to_string(),
            quantity_max: issue.quantity_max.to_string(),
            binds_cash: issue.prepaid(),
            source: issue.source.to_string(),
        }
    }
}

/// The new issues that are subscribed to on a day, as far as somebody has imported them.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])), params(DayQuery),
    responses((status = 200, body = IssuesView), Refusals))]
#[get("/v1/new-issues")]
async fn list_new_issues(
    Authenticated(principal): Authenticated,
    query: StrictQuery<DayQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<IssuesView>, Problem> {
    require(&principal, Scope::QuotesRead)?;
    let wrong = || Problem::new(Code::InvalidQuery).detail("a day as 2026-11-20").field("date");
    let date = match &query.0.date {
        Some(text) => TradeDate::parse(text).ok_or_else(wrong)?,
        None => today(&front)?,
    };
    let items = front.market.issues.of_day(date).map(IssueView::of).collect();
    Ok(web::Json(IssuesView { date: date.to_string(), items }))
}

/// The day to which an order of now belongs.
fn today(front: &Front) -> Result<TradeDate, Problem> {
    let unknown = || Problem::new(Code::Unavailable).detail("the calendar does not know the day");
    front.market.calendar.share_date(front.now()).ok_or_else(unknown)
}

/// To what an account subscribes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Subscribe, example = json!({
    "quotas": {"SH": "12000", "STAR": "3500", "SZ": "8000"}, "client_signal_id": "ann-20261120-6"
}))]
struct SubscribeBody<'a> {
    /// To this issue only; to all of the day when left away.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 32)]
    symbol: Option<Str<'a>>,
    #[serde(default)]
    quotas: QuotasIn,
    /// Makes a repeat safe, as the header `Idempotency-Key` does: one of them is required. No control characters and none
    /// that cannot be seen.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    client_signal_id: Option<Str<'a>>,
}

/// How many shares the account may subscribe to in each market, as its broker states it (申购额度). Where nothing is said, the
/// issue's own largest quantity is asked for.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Quotas)]
struct QuotasIn {
    #[serde(default, rename = "SH")]
    sh: Option<QtyIn>,
    #[serde(default, rename = "STAR")]
    star: Option<QtyIn>,
    #[serde(default, rename = "SZ")]
    sz: Option<QtyIn>,
    #[serde(default, rename = "BJ")]
    bj: Option<QtyIn>,
}

impl QuotasIn {
    fn read(self, market: IssueMarket) -> Result<Option<Qty>, Problem> {
        let (quota, field) = match market {
            IssueMarket::Sh => (self.sh, "quotas.SH"),
            IssueMarket::Star => (self.star, "quotas.STAR"),
            IssueMarket::Sz => (self.sz, "quotas.SZ"),
            IssueMarket::Bj => (self.bj, "quotas.BJ"),
        };
        quota.map(|quota| quota.target(field)).transpose()
    }
}

/// The signals that subscribe, and what was left out.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Subscribed, example = json!({
    "items": [{"symbol": "787999.SH", "quantity": "3500", "limit_price": "56.78", "id": "sig-1", "replayed": false}],
    "left_out": [{"symbol": "301999.SZ", "reason": "quota_too_small"}]
}))]
struct SubscribedView {
    items: Vec<SubscribedItem>,
    left_out: Vec<LeftOutItem>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SubscribedItem {
    symbol: String,
    quantity: String,
    limit_price: String,
    id: String,
    /// Whether it was accepted before.
    replayed: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct LeftOutItem {
    symbol: String,
    /// quota_too_small: it is not one unit; or already_subscribed
    reason: &'static str,
}

impl SubscribedItem {
    fn of(signal: &Signal, replayed: bool) -> Self {
        let quantity = if let Size::Quantity(qty) = signal.size { qty } else { Qty::ZERO };
        Self {
            symbol: signal.symbol.to_string(),
            quantity: quantity.to_string(),
            limit_price: signal.limit_price.unwrap_or_default().to_string(),
            id: signal.id.to_string(),
            replayed,
        }
    }
}

/// Subscribes to all new issues of the day, or to one of them, at the issue price and for as much as issue and quota let: one
/// manual signal for each, all durable when this answers. It takes the account's permission `ipo`, and that of the board.
///
/// In Shanghai and Shenzhen no cash is set aside; in Beijing the whole sum is. Only the first subscription to an issue
/// counts, and none can be taken back once it was sent. A repeat with the same key subscribes to nothing twice and
/// names the same signals; another request with it is refused and does nothing.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])), request_body = SubscribeBody,
    params(("id" = String, Path, example = "paper-a"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "At most one; visible characters of ASCII, without spaces")),
    responses((status = 202, body = SubscribedView, headers(("Idempotency-Replayed" = String))),
        Refusals, BodyRefusals, Missing, Past))]
#[post("/v1/accounts/{id}/ipo")]
async fn subscribe(
    Authenticated(principal): Authenticated,
    id: PathName,
    req: HttpRequest,
    body: JsonBytes,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let body: SubscribeBody<'_> = parse_json_fast(&body.0)?;
    let account = tradable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    let key = intake::key_of(intake::header_key(&req)?, body.client_signal_id.as_ref())?;
    // Read before anything else: a quota that is none is told whatever the day has.
    let quotas: Vec<(IssueMarket, Option<Qty>)> =
        IssueMarket::iter().map(|market| Ok((market, body.quotas.read(market)?))).collect::<Result<_, Problem>>()?;
    let symbol = body.symbol.as_ref().map(|text| dto::symbol(&text.0, "symbol")).transpose()?;
    let click = Click::new("ipo", &account, principal.client(), key, &asked(symbol, &quotas));
    if let Some(known) = click.known_before(&front).await? {
        let items = known.iter().map(|signal| SubscribedItem::of(signal, true)).collect();
        return Ok(answered(true).json(SubscribedView { items, left_out: Vec::new() }));
    }
    let today = today(&front)?;
    let issues: Vec<&NewIssue> = match symbol {
        Some(symbol) => vec![named(symbol, today, &front)?],
        None => front.market.issues.of_day(today).collect(),
    };
    let mut answer = SubscribedView::default();
    let mut signals = Vec::new();
    for issue in issues {
        let quota = quotas.iter().find(|(market, _)| *market == issue.market()).and_then(|(_, quota)| *quota);
        let quantity = issue.quantity(quota);
        let reason = if quantity.is_zero() {
            "quota_too_small"
        } else if subscribes(&front, &account, issue).await? {
            "already_subscribed"
        } else {
            let terms = Terms {
                ord_type: OrdType::Limit,
                limit_price: Some(issue.price),
                execution: None,
                basket: Some(click.basket.clone()),
            };
            let (key, what) = (format!("{key}/{}", issue.symbol), (issue.symbol, Side::Buy, Size::Quantity(quantity)));
            signals.push(by_hand(&front, principal.client(), account.clone(), &key, what, &terms));
            continue;
        };
        answer.left_out.push(LeftOutItem { symbol: issue.symbol.to_string(), reason });
    }
    let (signals, replayed) = click.accept(&front, signals).await?;
    answer.items = signals.iter().map(|signal| SubscribedItem::of(signal, replayed)).collect();
    Ok(answered(replayed).json(answer))
}

/// The same for two requests that mean the same.
fn asked(symbol: Option<Symbol>, quotas: &[(IssueMarket, Option<Qty>)]) -> String {
    let symbol = symbol.map(|symbol| symbol.to_string()).unwrap_or_default();
    let quotas = quotas.iter().map(|(_, quota)| quota.map(|qty| qty.to_string()).unwrap_or_default());
    [symbol].into_iter().chain(quotas).collect::<Vec<_>>().join(" ")
}

fn named(symbol: Symbol, today: TradeDate, front: &Front) -> Result<&NewIssue, Problem> {
    let Some(issue) = front.market.issues.get(symbol) else {
        return Err(Problem::new(Code::UnknownSymbol).detail("no new issue that is known here").field("symbol"));
    };
    if issue.subscribe_on != today {
        let detail = format!("{symbol} is subscribed to on {} only, and this is {today}", issue.subscribe_on);
        return Err(Problem::new(Code::SubscriptionClosed).detail(detail).field("symbol"));
    }
    Ok(issue)
}

/// Whether a signal that has not ended subscribes to it. Risk knows better, also of those that have; this spares a person
/// the refusal.
async fn subscribes(
    front: &Front,
    account: &signalbox_domain::ids::AccountId,
    issue: &NewIssue,
) -> Result<bool, Problem> {
    let open = SignalStatus::iter().filter(|status| !status.is_final()).map(Into::into).collect();
    let filter = ListFilter {
        accounts: Some(vec![account.clone()]),
        symbol: Some(issue.symbol),
        statuses: Some(open),
        ..ListFilter::default()
    };
    let found = front.store.signals(&filter).await?;
    Ok(found.iter().any(|stored| stored.signal.side == Some(Side::Buy)))
}
