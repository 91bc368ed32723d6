//! What people have a say in: legs of a signal that wait to be confirmed, legs that are traded by hand, and legs that
//! failed and are caught up.
//!
//! A program may send signals; a person decides about them, alone, in the accounts that he may trade.

use std::sync::Arc;

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::calendar::china_date_time;
use signalbox_domain::execution::Execution;
use signalbox_domain::ids::{AccountId, OrderId, SignalId};
use signalbox_domain::manner::RouteMode;
use signalbox_domain::order::OrdType;
use signalbox_domain::parent::{Decided, Parent};
use signalbox_domain::signal::{CatchUp, Notes, Signal, Size, Source};
use signalbox_domain::strategy::{Decision, Say, Undecidable};
use signalbox_domain::units::{Price, Qty, Timestamp};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{PriceIn, QtyIn};
use super::front::Front;
use super::intake::{self, Accepted, REPLAYED};
use super::json::{OptionalJson, PathName, StrictJson};
use super::problem::{Code, Problem};
use super::signals::visible;
use super::trading_state::check_reason;
use super::{BodyRefusals, Conflicts, Missing, Refusals};
use crate::people::{Principal, Scope};
use crate::store::{Ingested, StoredOrder, StoredSignal};

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(confirm_signal).service(decline_signal).service(complete_signal).service(catch_up_signal);
}

/// Lets the legs go that wait for it in one's accounts, as they were planned. Risk checks them now.
///
/// Once is enough: a repeat changes nothing and answers `Idempotency-Replayed: true`. After the leg's time it is 409
/// `too_late`.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "sig-1")),
    responses((status = 202, body = Accepted, headers(("Idempotency-Replayed" = String))), Refusals, Missing, Conflicts))]
#[post("/v1/signals/{id}/confirm")]
async fn confirm_signal(
    Authenticated(principal): Authenticated,
    id: PathName,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    let own = own(&principal, &id.0, &front).await?;
    decide(&principal, own, Decision::Confirm, &front).await
}

/// Why not.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeclineSignal, example = json!({"reason": "results are due tonight"}))]
struct DeclineBody {
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

/// Ends the legs that wait for a person in one's accounts.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])), request_body = DeclineBody,
    params(("id" = String, Path, example = "sig-1")),
    responses((status = 202, body = Accepted), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/signals/{id}/decline")]
async fn decline_signal(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: StrictJson<DeclineBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    let own = own(&principal, &id.0, &front).await?;
    check_reason(&body.0.reason)?;
    decide(&principal, own, Decision::Decline { reason: body.0.reason.into() }, &front).await
}

/// What was traded by hand: an order made here, or the broker's number of it with what it came to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CompleteSignal, example = json!({
    "account": "paper-a", "broker_order_id": "240011", "quantity": 300, "price": "10.02"
}))]
struct CompleteBody {
    #[schema(max_length = 64)]
    account: String,
    /// A manual order in the account, of the same symbol and side.
    #[serde(default)]
    #[schema(max_length = 32)]
    order_id: Option<String>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    broker_order_id: Option<String>,
    /// With `broker_order_id`.
    #[serde(default)]
    quantity: Option<QtyIn>,
    /// With `broker_order_id`: the average.
    #[serde(default)]
    price: Option<PriceIn>,
}

/// Tells what a person traded by hand for the leg in the account, which ends it. The shares stay in the book in which his
/// order is. An order completes one signal: with another one it is 409, a broker's number on the same day.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])), request_body = CompleteBody,
    params(("id" = String, Path, example = "sig-1")),
    responses((status = 202, body = Accepted), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/signals/{id}/complete")]
async fn complete_signal(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: StrictJson<CompleteBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    let mut own = own(&principal, &id.0, &front).await?;
    own.accounts.retain(|account| account.as_str() == body.0.account);
    let Some(account) = own.accounts.first() else {
        return Err(Problem::invalid("account", "the signal has nothing of yours there"));
    };
    let ours = body.0.order_id.is_some();
    let decision = traded(body.0, account, &own, &front).await?;
    let _alone = front.by_hand.lock().await;
    if let Decision::Complete { order, .. } = &decision {
        check_unused(order, ours, account, &own.stored.signal, &front).await?;
    }
    decide(&principal, own, decision, &front).await
}

/// What was traded once is told once, by its number here or by the broker's. A broker counts his orders anew every day.
///
/// # Errors
/// 409 when another signal was completed with the order.
async fn check_unused(
    order: &str,
    ours: bool,
    account: &AccountId,
    signal: &Signal,
    front: &Front,
) -> Result<(), Problem> {
    let day = |at: Timestamp| (china_date_time(at).0, front.market.trade_date(signal.symbol, at));
    let now = day(front.now());
    // What is told in the evening is of this date, and what is traded then of the next trading day.
    let today = |at: Timestamp| day(at).0 == now.0 || day(at).1 == now.1;
    let mut names: Vec<(String, bool)> = vec![(order.to_owned(), ours)];
    if let Some(id) = OrderId::parse(order).filter(|_| ours) {
        if let Some(StoredOrder::Live(order)) = front.store.order(id).await? {
            names.extend(order.broker_order_id.iter().map(|number| (number.to_string(), false)));
        }
    } else {
        for stored in front.store.orders_numbered(account, order).await? {
            if let StoredOrder::Live(order) = stored
                && today(order.updated_at)
            {
                names.push((order.terms.id.to_string(), true));
            }
        }
    }
    for (name, ours) in names {
        for leg in front.store.legs_traded_by(account, &name).await? {
            let other = leg.leg.parent.signal();
            if other != signal.id && (ours || front.store.completed_at(other, account).await?.is_some_and(today)) {
                let detail =
                    format!("{name} in {account} has completed {other} already: one trade completes one signal");
                return Err(Problem::new(Code::Conflict).detail(detail));
            }
        }
    }
    Ok(())
}

async fn traded(body: CompleteBody, account: &AccountId, own: &Own, front: &Front) -> Result<Decision, Problem> {
    let CompleteBody { order_id, broker_order_id, quantity, price, .. } = body;
    match (order_id, broker_order_id, quantity, price) {
        (Some(id), None, None, None) => {
            let (qty, px) = made_here(&id, account, own, front).await?;
            Ok(Decision::Complete { qty, px, order: id.into() })
        }
        (None, Some(number), Some(quantity), Some(price)) => {
            if number.is_empty() || number.chars().count() > 64 || number.chars().any(char::is_control) {
                return Err(Problem::invalid("broker_order_id", "1 to 64 characters"));
            }
            let (qty, px) = (quantity.get("quantity")?, price.get("price")?);
            Ok(Decision::Complete { qty, px, order: number.into() })
        }
        _ => Err(Problem::invalid("order_id", "order_id, or broker_order_id with quantity and price")),
    }
}

/// What a person's own order for the leg has filled, once it has ended.
async fn made_here(id: &str, account: &AccountId, own: &Own, front: &Front) -> Result<(Qty, Price), Problem> {
    let no =
        || Problem::invalid("order_id", "no ended manual order of this account, symbol and side that filled something");
    let id = OrderId::parse(id).ok_or_else(no)?;
    let Some(StoredOrder::Live(order)) = front.store.order(id).await? else { return Err(no()) };
    let terms = &order.terms;
    let side = own.legs.iter().find(|leg| leg.leg.account == *account).map(|leg| leg.leg.side);
    let fits = terms.source == Source::Manual
        && terms.account == *account
        && terms.symbol == own.stored.signal.symbol
        && Some(terms.side) == side
        && order.status.is_terminal();
    let px = order.avg_px().filter(|_| fits);
    px.map(|px| (order.cum_qty, px)).ok_or_else(no)
}

/// What shall be tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CatchUpSignal, example = json!({"account": "paper-a", "limit_price": "10.08"}))]
struct CatchUpBody {
    /// One account; all of one's own in which it failed when left away.
    #[serde(default)]
    #[schema(max_length = 64)]
    account: Option<String>,
    /// Another limit; the signal's own when left away.
    #[serde(default)]
    limit_price: Option<PriceIn>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CaughtUp)]
struct CaughtUp {
    items: Vec<CaughtUpItem>,
}

#[derive(Serialize, ToSchema)]
struct CaughtUpItem {
    account: String,
    /// The leg that failed.
    parent_id: String,
    quantity: String,
    /// The signal that catches it up.
    #[schema(example = "sig-2")]
    id: String,
    /// It was caught up before.
    replayed: bool,
}

/// Tries again what is missing of the legs in one's accounts that ended without all that was asked for.
///
/// Each becomes a signal of its own, with `catch_up_of`, that trades now or in the next session. A leg is caught up once: a
/// repeat answers the same. What failed again is caught up by its own signal.
#[utoipa::path(tag = "signals", security(("access_token" = []), ("api_key" = [])), request_body = Option<CatchUpBody>,
    params(("id" = String, Path, example = "sig-1")),
    responses((status = 202, body = CaughtUp), Refusals, BodyRefusals, Missing, Conflicts))]
#[post("/v1/signals/{id}/catch-up")]
async fn catch_up_signal(
    Authenticated(principal): Authenticated,
    id: PathName,
    body: OptionalJson<CatchUpBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    let mut own = own(&principal, &id.0, &front).await?;
    let CatchUpBody { account, limit_price } = body.0.unwrap_or_default();
    if let Some(account) = &account {
        own.accounts.retain(|own| own.as_str() == account);
    }
    let limit = limit_price.map(|px| px.get("limit_price")).transpose()?;
    if limit.is_some() && own.stored.signal.ord_type == OrdType::Market {
        return Err(Problem::invalid("limit_price", "a market order has no limit price"));
    }
    let failed: Vec<&Parent> = own.legs.iter().filter(|leg| own.has(leg) && is_failed(leg)).collect();
    if failed.is_empty() {
        return Err(Problem::new(Code::Conflict).detail("no leg of yours has ended without all that was asked for"));
    }
    let mut items = Vec::with_capacity(failed.len());
    for leg in failed {
        let again = again(&own.stored.signal, leg, limit, principal.client().as_str(), &front);
        let (id, replayed) = match sent_before(&again, &front).await? {
            Some(known) => (known, true),
            None => match intake::ingest(&front, again).await? {
                Ingested::Accepted(signal) => (signal.id, false),
                Ingested::Replayed(signal) => (signal.id, true),
                Ingested::Reused => return Err(intake::reused()),
            },
        };
        let (quantity, id) = ((leg.leg.qty - leg.cum_qty).to_string(), id.to_string());
        let (account, parent_id) = (leg.leg.account.to_string(), leg.leg.parent.to_string());
        items.push(CaughtUpItem { account, parent_id, quantity, id, replayed });
    }
    Ok(HttpResponse::Accepted().json(CaughtUp { items }))
}

/// The signal that has the key of this one already.
async fn sent_before(signal: &Signal, front: &Front) -> Result<Option<SignalId>, Problem> {
    let (client, key) = (&signal.client, &signal.client_signal_id);
    if let Some(known) = front.store.signal_by_key(client, key).await? {
        return Ok(Some(known.row.id));
    }
    Ok(front.store.kept_by_key(client, key).await?.map(|kept| kept.id))
}

/// Ended, by an order of ours or before one, with less than was asked for.
fn is_failed(leg: &Parent) -> bool {
    let ours = matches!(leg.leg.mode, RouteMode::Auto | RouteMode::Confirm);
    ours && leg.status.is_final() && leg.cum_qty < leg.leg.qty
}

fn again(signal: &Signal, leg: &Parent, limit: Option<Price>, who: &str, front: &Front) -> Signal {
    Signal {
        id: SignalId::new(0),
        account: Some(leg.leg.account.clone()),
        client_signal_id: format!("catch-up:{}", leg.leg.parent).into(),
        side: Some(leg.leg.side),
        position_effect: leg.leg.effect.or(signal.position_effect),
        size: Size::Quantity(leg.leg.qty - leg.cum_qty),
        limit_price: limit.or(signal.limit_price),
        valid_until: None,
        execution: signal.execution.as_deref().and_then(tried_now),
        received_at: front.now(),
        notes: Notes {
            test: signal.is_test(&front.market.calendar),
            // What was decided then says nothing of now; that there is a position is why the rest is wanted.
            signal_time: None,
            bar_time: None,
            ref_price: signal.notes.ref_price,
            only_if_flat: false,
            basket: None,
            priority: signal.notes.priority,
            catch_up: Some(CatchUp { of: leg.leg.parent, who: who.into() }),
        },
        ..signal.clone()
    }
}

/// What it waited for is behind it; how its orders go out and what ends its position stays.
fn tried_now(execution: &Execution) -> Option<Arc<Execution>> {
    let now = Execution { not_before: None, conditions: None, ..execution.clone() };
    (now != Execution::default()).then(|| Arc::new(now))
}

/// A signal, its legs, and those of its accounts that he may trade.
struct Own {
    stored: StoredSignal,
    legs: Vec<Parent>,
    accounts: Vec<AccountId>,
}

impl Own {
    fn has(&self, leg: &Parent) -> bool {
        self.accounts.contains(&leg.leg.account)
    }
}

async fn own(principal: &Principal, id: &str, front: &Front) -> Result<Own, Problem> {
    require(principal, Scope::SignalsWrite)?;
    let stored = visible(principal, id, front).await?;
    if !principal.is_person() {
        return Err(Problem::forbidden("a person decides this"));
    }
    let legs = legs_of(stored.row.id, front).await?;
    let routed = front.strategy(&stored.signal.strategy).map(|facts| facts.accounts.clone()).unwrap_or_default();
    let mut accounts: Vec<AccountId> = legs.iter().map(|leg| leg.leg.account.clone()).chain(routed).collect();
    accounts.sort();
    accounts.dedup();
    accounts.retain(|account| principal.may_trade(account));
    if accounts.is_empty() {
        return Err(Problem::forbidden("you may see this signal, not decide about it"));
    }
    Ok(Own { stored, legs, accounts })
}

async fn legs_of(id: SignalId, front: &Front) -> Result<Vec<Parent>, Problem> {
    Ok(front.store.parents_of_signal(id).await?.into_iter().map(|stored| stored.parent).collect())
}

async fn decide(principal: &Principal, own: Own, decision: Decision, front: &Front) -> Result<HttpResponse, Problem> {
    let (signal, who) = (&own.stored.signal, intake::who(principal.client()));
    let accounts: Arc<[AccountId]> = own.accounts.clone().into();
    let say = Say { signal: signal.id, accounts, decision: decision.clone(), who };
    let mut response = HttpResponse::Accepted();
    match front.desk.decide(signal.strategy.clone(), say).await? {
        Ok(()) => {}
        Err(Undecidable::NothingWaits) => {
            let legs = legs_of(signal.id, front).await?;
            let legs: Vec<&Parent> = legs.iter().filter(|leg| own.has(leg)).collect();
            if !legs.iter().any(|leg| was_decided(leg, &decision)) {
                return Err(nothing_waits(&legs));
            }
            response.insert_header((REPLAYED, "true"));
        }
        Err(cannot @ Undecidable::MoreThanAsked(_)) => return Err(Problem::invalid("quantity", cannot.to_string())),
        Err(cannot @ Undecidable::BeyondLimit(_)) => return Err(Problem::invalid("price", cannot.to_string())),
        Err(cannot @ (Undecidable::NotActive | Undecidable::SessionClosed)) => {
            return Err(Problem::new(Code::Conflict).detail(cannot.to_string()));
        }
    }
    let now = front.store.signal(signal.id).await?.unwrap_or(own.stored.clone());
    Ok(response.json(Accepted {
        id: signal.id.to_string(),
        status: now.row.status.into(),
        client_signal_id: signal.client_signal_id.to_string(),
    }))
}

/// The same was decided before.
fn was_decided(leg: &Parent, decision: &Decision) -> bool {
    match (decision, leg.decided.as_deref()) {
        (Decision::Confirm, Some(Decided::Confirmed { .. })) => true,
        (Decision::Complete { qty, px, order }, Some(Decided::ByHand { order: before, .. })) => {
            order == before && leg.cum_qty == *qty && leg.cum_amount == px.times(*qty)
        }
        _ => false,
    }
}

fn nothing_waits(legs: &[&Parent]) -> Problem {
    let over = legs.iter().find(|leg| matches!(leg.decided.as_deref(), Some(Decided::Ended { .. })));
    match over.and_then(|leg| leg.decided.as_deref().map(|decided| (leg, decided))) {
        Some((leg, Decided::Ended { who, reason })) => {
            let detail = format!("the leg in {} is {} since: {reason} ({who})", leg.leg.account, leg.status);
            Problem::new(Code::TooLate).detail(detail)
        }
        _ => Problem::new(Code::Conflict).detail(Undecidable::NothingWaits.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use signalbox_domain::execution::{Conditions, Policy};
    use signalbox_domain::units::{Qty, Timestamp};

    use super::*;

    #[test]
    fn what_is_caught_up_waits_for_nothing_and_is_sold_again_as_it_would_have_been() {
        let way = Conditions { stop: Some(Price::from_e4(95_000)), ..Conditions::default() };
        let policy = Policy::Iceberg { display: Qty::new(100) };
        let left = Execution { policy, exits: Some(way), ..Execution::default() };
        let held = Execution { conditions: Some(way), not_before: Some(Timestamp::from_us(1)), ..left.clone() };
        assert_eq!(tried_now(&held), Some(Arc::new(left)));
        let held = Execution { conditions: Some(way), ..Execution::default() };
        assert_eq!(tried_now(&held), None);
    }
}
