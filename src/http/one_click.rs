//! What a person does with an account at once: buy for all its cash, lend what lies idle, and sell all that it has.
//!
//! Each is an ordinary signal underneath, or one for each instrument: made durable together, checked by risk, told by
//! GET /v1/signals.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, post, web};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signalbox_domain::contract::Direction;
use signalbox_domain::execution::{Execution, PriceForm};
use signalbox_domain::ids::{AccountId, ClientId, SignalId, StrategyId};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::strategy::exit_execution;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::accounts::{OutcomesView, outcomes};
use super::auth::{Authenticated, require, tradable_account};
use super::dto::{self, PriceIn, SumIn};
use super::execution::ExecutionIn;
use super::front::Front;
use super::intake::{self, Accepted, REPLAYED, SideIn, Str, TypeIn};
use super::json::{JsonBytes, PathName, parse_json_fast};
use super::portfolio::Portfolio;
use super::problem::{Code, Problem};
use super::{BodyRefusals, Missing, Past, Refusals};
use crate::people::Scope;
use crate::store::{ListFilter, NewSignal, body_hash};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(all_in).service(lend).service(clear);
}

/// What is bought for all the cash that the account has and no live order has set aside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AllIn, example = json!({
    "symbol": "600000.SH", "execution": {"policy": "once", "price": "opposite_best"},
    "client_signal_id": "ann-20261120-3"
}))]
struct AllInBody<'a> {
    #[serde(borrow)]
    #[schema(value_type = String, max_length = 32)]
    symbol: Str<'a>,
    /// `limit` when there is a limit price, else `market`. A market order keeps enough for the highest price of the day.
    #[serde(default, rename = "type")]
    ord_type: Option<TypeIn>,
    #[serde(default)]
    limit_price: Option<PriceIn>,
    /// How it is executed, and at which price instead of a limit.
    #[serde(default)]
    execution: Option<ExecutionIn>,
    /// Makes a repeat safe, as the header `Idempotency-Key` does: one of them is required. No control characters and none
    /// that cannot be seen.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    client_signal_id: Option<Str<'a>>,
}

/// How much idle cash is lent overnight, and where.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LendIdleCash, example = json!({"symbol": "131810.SZ", "amount": 50000, "client_signal_id": "ann-20261120-5"}))]
struct LendBody<'a> {
    /// Bond repo; 204001.SH, for one day in Shanghai, when left away.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 32)]
    symbol: Option<Str<'a>>,
    /// For so much money, in steps of 1,000 yuan; all that no live order has set aside when left away.
    #[serde(default)]
    amount: Option<SumIn>,
    /// The lowest yearly rate in percent; what is bid now when left away.
    #[serde(default)]
    rate: Option<PriceIn>,
    /// Makes a repeat safe, as the header `Idempotency-Key` does: one of them is required. No control characters and none
    /// that cannot be seen.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    client_signal_id: Option<Str<'a>>,
}

/// How an account is cleared.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClearAccount, example = json!({"cancel_working": true, "client_signal_id": "ann-20261120-4"}))]
struct ClearBody<'a> {
    /// Takes all working orders back first: what they hold cannot be sold, and what they buy would stay.
    #[serde(default)]
    cancel_working: bool,
    /// How shares are sold; contracts are closed at the market. Left away, shares too, until they are out.
    #[serde(default)]
    execution: Option<ExecutionIn>,
    /// Makes a repeat safe, as the header `Idempotency-Key` does: one of them is required. No control characters and none
    /// that cannot be seen.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    client_signal_id: Option<Str<'a>>,
}

/// The signals that clear an account, and what stays.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Cleared)]
struct ClearedView {
    items: Vec<ClearedItem>,
    /// What cannot be sold today.
    stays: Vec<StaysItem>,
    /// What became of the orders that were taken back first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    canceled: Option<OutcomesView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ClearedItem {
    symbol: String,
    side: SideIn,
    #[schema(example = "sig-1")]
    id: String,
    /// Whether it was accepted before.
    replayed: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct StaysItem {
    symbol: String,
    quantity: String,
    /// bought_today, or being_sold by another order
    #[schema(example = "bought_today")]
    reason: &'static str,
}

/// Buys an instrument for all the cash of the account, in whole lots and with fees counted. It takes the account's
/// permission `all_in`, and no limit of orders and positions: cash is its limit.
///
/// While sells that were made by hand are live in the account, it waits for what they bring in.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])), request_body = AllInBody,
    params(("id" = String, Path, example = "paper-a"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "At most one; visible characters of ASCII, without spaces")),
    responses((status = 202, body = Accepted, headers(("Location" = String), ("Idempotency-Replayed" = String))),
        Refusals, BodyRefusals, Missing))]
#[post("/v1/accounts/{id}/all-in")]
async fn all_in(
    Authenticated(principal): Authenticated,
    id: PathName,
    req: HttpRequest,
    body: JsonBytes,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let body: AllInBody<'_> = parse_json_fast(&body.0)?;
    let account = tradable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    let key = intake::key_of(intake::header_key(&req)?, body.client_signal_id.as_ref())?;
    let symbol = known(&body.symbol.0, &front)?;
    if symbol.is_repo() {
        return Err(Problem::invalid("symbol", "idle cash is lent by POST /v1/accounts/{id}/repo"));
    }
    let rules = front.market.today(symbol, front.now());
    if rules.is_some_and(|rules| rules.issue.is_some()) {
        return Err(Problem::invalid("symbol", "new issues are subscribed to by POST /v1/accounts/{id}/ipo"));
    }
    if rules.is_some_and(|rules| rules.contract.is_some()) {
        return Err(Problem::invalid("symbol", "contracts are bought on margin: say how many lots"));
    }
    let terms = Terms::read(SideIn::Buy, body.ord_type, body.limit_price, body.execution)?;
    let signal = by_hand(&front, principal.client(), account, key, (symbol, Side::Buy, Size::AllIn), &terms);
    intake::answer(intake::ingest(&front, signal).await?)
}

/// Lends idle cash by bond repo, overnight unless a longer one is named (逆回购). It takes the account's permission `repo`,
/// and no limit of orders: cash is its limit. The money comes back with its interest when the due day begins.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])), request_body = LendBody,
    params(("id" = String, Path, example = "paper-a"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "At most one; visible characters of ASCII, without spaces")),
    responses((status = 202, body = Accepted, headers(("Location" = String), ("Idempotency-Replayed" = String))),
        Refusals, BodyRefusals, Missing))]
#[post("/v1/accounts/{id}/repo")]
async fn lend(
    Authenticated(principal): Authenticated,
    id: PathName,
    req: HttpRequest,
    body: JsonBytes,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let body: LendBody<'_> = parse_json_fast(&body.0)?;
    let account = tradable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    let key = intake::key_of(intake::header_key(&req)?, body.client_signal_id.as_ref())?;
    let symbol = known(body.symbol.as_ref().map_or(OVERNIGHT, |symbol| &*symbol.0), &front)?;
    if !symbol.is_repo() {
        return Err(Problem::invalid("symbol", "not bond repo such as 204001.SH and 131810.SZ"));
    }
    let size = body.amount.map(|sum| sum.get("amount").map(Size::Amount)).transpose()?.unwrap_or(Size::AllIn);
    let terms = match body.rate {
        Some(rate) => Terms { ord_type: OrdType::Limit, limit_price: Some(rate.get("rate")?), ..Terms::at_market() },
        None => {
            let at_bid = Execution { price: Some(PriceForm::OppositeBest), ..Execution::default() };
            Terms { ord_type: OrdType::Limit, execution: Some(Arc::new(at_bid)), ..Terms::at_market() }
        }
    };
    let signal = by_hand(&front, principal.client(), account, key, (symbol, Side::Sell, size), &terms);
    intake::answer(intake::ingest(&front, signal).await?)
}

/// Where idle cash goes overnight.
const OVERNIGHT: &str = "204001.SH";

/// Sells all that the account has and may sell today, whoever's book it is in, and closes all contracts: one manual
/// signal for each instrument, all durable when this answers.
///
/// What stays is told with the reason. A repeat with the same key sells nothing twice and names the same signals; another
/// request with it is refused and does nothing.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])), request_body = ClearBody,
    params(("id" = String, Path, example = "paper-a"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "At most one; visible characters of ASCII, without spaces")),
    responses((status = 202, body = ClearedView, headers(("Idempotency-Replayed" = String))),
        Refusals, BodyRefusals, Missing, Past))]
#[post("/v1/accounts/{id}/clear")]
async fn clear(
    Authenticated(principal): Authenticated,
    id: PathName,
    req: HttpRequest,
    body: JsonBytes,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OrdersWrite)?;
    let body: ClearBody<'_> = parse_json_fast(&body.0)?;
    let account = tradable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    let key = intake::key_of(intake::header_key(&req)?, body.client_signal_id.as_ref())?;
    let mut terms = match body.execution {
        Some(execution) => Terms::read(SideIn::Sell, None, None, Some(execution))?,
        None => Terms { execution: Some(Arc::new(exit_execution())), ..Terms::at_market() },
    };
    let how = terms.execution.as_ref().and_then(|it| serde_json::to_string(it).ok()).unwrap_or_default();
    let asked = format!("{} {how}", body.cancel_working);
    let click = Click::new("clear", &account, principal.client(), key, &asked);
    terms.basket = Some(click.basket.clone());
    // Before anything is taken back: a key that belongs to another request moves nothing.
    if let Some(known) = click.known_before(&front).await? {
        let items = known.iter().map(|signal| item(signal, true)).collect();
        let answer = ClearedView { items, ..ClearedView::default() };
        return Ok(answered(true).json(answer));
    }
    let mut answer = ClearedView::default();
    if body.cancel_working {
        let reason = format!("canceled by {}", principal.client());
        let reached = front.cancel_all(account.clone(), None, None, reason.into()).await?;
        let reached = reached.into_iter().map(|order| (account.clone(), order)).collect();
        answer.canceled = Some(outcomes(&front, reached).await?);
    }
    let portfolio = Portfolio::load(&front, &account).await?;
    answer.stays = stays(&portfolio);
    let until_out = Some(Arc::new(exit_execution()));
    let of_contracts = Terms { execution: until_out, basket: terms.basket.clone(), ..Terms::at_market() };
    let signals = to_sell(&portfolio).into_iter().map(|((symbol, side), contract)| {
        let (key, terms) = (format!("{key}/{symbol}/{side}"), if contract { &of_contracts } else { &terms });
        by_hand(&front, principal.client(), account.clone(), &key, (symbol, side, Size::All), terms)
    });
    let (signals, replayed) = click.accept(&front, signals.collect()).await?;
    answer.items = signals.iter().map(|signal| item(signal, replayed)).collect();
    Ok(answered(replayed).json(answer))
}

/// 202, of a repeat with the header that says so.
pub(super) fn answered(replayed: bool) -> HttpResponseBuilder {
    let mut response = HttpResponse::Accepted();
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
    response
}

/// Price and manner of a signal by hand.
pub(super) struct Terms {
    pub(super) ord_type: OrdType,
    pub(super) limit_price: Option<Price>,
    pub(super) execution: Option<Arc<Execution>>,
    pub(super) basket: Option<Arc<str>>,
}

impl Terms {
    const fn at_market() -> Self {
        Self { ord_type: OrdType::Market, limit_price: None, execution: None, basket: None }
    }

    fn read(
        side: SideIn,
        ord_type: Option<TypeIn>,
        limit_price: Option<PriceIn>,
        execution: Option<ExecutionIn>,
    ) -> Result<Self, Problem> {
        let own_price = ord_type.is_some() || limit_price.is_some();
        let (mut ord_type, limit_price) = intake::price_of(ord_type, limit_price)?;
        let execution = execution.map(|it| it.read(Some(side), own_price)).transpose()?.flatten();
        if execution.as_ref().and_then(|it| it.price).is_some_and(|form| form != PriceForm::Market) {
            ord_type = OrdType::Limit; // its price is found when it is placed
        }
        Ok(Self { ord_type, limit_price, execution, basket: None })
    }
}

pub(super) fn by_hand(
    front: &Front,
    client: &ClientId,
    account: AccountId,
    key: &str,
    (symbol, side, size): (Symbol, Side, Size),
    terms: &Terms,
) -> Signal {
    Signal {
        id: SignalId::new(0),
        source: Source::Manual,
        strategy: StrategyId::manual(),
        account: Some(account),
        client: client.clone(),
        client_signal_id: key.into(),
        symbol,
        side: Some(side),
        position_effect: None,
        size,
        ord_type: terms.ord_type,
        limit_price: terms.limit_price,
        time_in_force: TimeInForce::Day,
        valid_until: None,
        execution: terms.execution.clone(),
        tag: None,
        received_at: front.now(),
        notes: Notes { basket: terms.basket.clone(), ..Notes::default() },
    }
}

fn known(text: &str, front: &Front) -> Result<Symbol, Problem> {
    let symbol = dto::symbol(text, "symbol")?;
    if front.market.knows(symbol) {
        return Ok(symbol);
    }
    Err(dto::unknown_symbol(&signalbox_domain::symbols::ResolveError::Unknown, "symbol"))
}

/// Signals that one request makes at once. The first of them has the request's own key, so that a key is one request's,
/// whatever the account has by the time of the next; all of them tell by their basket which request made them.
pub(super) struct Click<'a> {
    account: &'a AccountId,
    client: &'a ClientId,
    key: &'a str,
    pub(super) basket: Arc<str>,
}

impl<'a> Click<'a> {
    /// `asked` is the same for two bodies that mean the same.
    pub(super) fn new(what: &str, account: &'a AccountId, client: &'a ClientId, key: &'a str, asked: &str) -> Self {
        let mut hasher = Sha256::new();
        for text in [account.as_str(), client.as_str(), key, asked] {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        let digest = hasher.finalize();
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { account, client, key, basket: format!("{what}:{hex}").into() }
    }

    /// The signals that this request has made before, in their order, if it has.
    ///
    /// # Errors
    /// 422 when the key belongs to another request, 410 when nothing but the key is left of it.
    pub(super) async fn known_before(&self, front: &Front) -> Result<Option<Vec<Arc<Signal>>>, Problem> {
        let Some(first) = front.store.signal_by_key(self.client, self.key).await? else {
            // After the rows: a signal whose rows are dropped between the two questions is found by the second.
            return match front.store.kept_by_key(self.client, self.key).await? {
                Some(_) => Err(Problem::new(Code::Archived)
                    .detail("this key was used long ago: the journal's files tell what was made of it")),
                None => Ok(None),
            };
        };
        if first.signal.notes.basket.as_ref() != Some(&self.basket) {
            return Err(intake::reused());
        }
        let mut filter = ListFilter {
            accounts: Some(vec![self.account.clone()]),
            basket: Some(self.basket.to_string()),
            ..ListFilter::default()
        };
        let mut known: Vec<Arc<Signal>> = Vec::new();
        loop {
            let page = front.store.signals(&filter).await?;
            let Some(last) = page.last() else { break };
            filter.before = Some(last.row.id.get());
            known.extend(page.into_iter().map(|stored| stored.signal).filter(|signal| signal.client == *self.client));
        }
        known.reverse(); // the newest came first
        Ok(Some(known))
    }

    /// Makes all of them durable, or none. They come back with whether they were there before.
    ///
    /// # Errors
    /// 422 when the key of one belongs to another request, 503 when they could not be made durable.
    pub(super) async fn accept(
        &self,
        front: &Front,
        mut signals: Vec<Signal>,
    ) -> Result<(Vec<Arc<Signal>>, bool), Problem> {
        if let Some(first) = signals.first_mut() {
            first.client_signal_id = self.key.into();
        }
        let new = signals.into_iter().map(|signal| NewSignal { body_hash: body_hash(&signal), signal }).collect();
        if let Some(accepted) = front.store.ingest_all(new).await? {
            return Ok((accepted, false));
        }
        // The same request may have come twice at once.
        let known = self.known_before(front).await?.ok_or_else(intake::reused)?;
        Ok((known, true))
    }
}

fn item(signal: &Signal, replayed: bool) -> ClearedItem {
    let side = if signal.side == Some(Side::Buy) { SideIn::Buy } else { SideIn::Sell };
    ClearedItem { symbol: signal.symbol.to_string(), side, id: signal.id.to_string(), replayed }
}

/// Everything that is held, with the side that ends it, and whether it is a contract. How much of it goes out is found
/// when it is planned.
fn to_sell(portfolio: &Portfolio) -> BTreeMap<(Symbol, Side), bool> {
    let shares = portfolio.holdings.iter().filter(|held| held.sellable.is_positive());
    let shares = shares.map(|held| ((held.symbol, Side::Sell), false));
    let lots = portfolio.lots.iter().filter(|held| held.free().is_positive());
    let lots = lots.map(|held| match held.direction {
        Direction::Long => ((held.symbol, Side::Sell), true),
        Direction::Short => ((held.symbol, Side::Buy), true),
    });
    shares.chain(lots).collect()
}

fn stays(portfolio: &Portfolio) -> Vec<StaysItem> {
    let mut items = Vec::new();
    for held in &portfolio.holdings {
        let being_sold = held.frozen.min(held.qty);
        let bought_today = held.qty - being_sold - held.sellable;
        for (qty, reason) in [(bought_today, "bought_today"), (being_sold, "being_sold")] {
            if qty > Qty::ZERO {
                items.push(StaysItem { symbol: held.symbol.to_string(), quantity: qty.to_string(), reason });
            }
        }
    }
    for held in portfolio.lots.iter().filter(|held| held.frozen.is_positive()) {
        let (symbol, quantity) = (held.symbol.to_string(), held.frozen.min(held.qty()).to_string());
        items.push(StaysItem { symbol, quantity, reason: "being_sold" });
    }
    items
}
