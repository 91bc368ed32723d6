//! How much of an instrument an account could buy or sell now, and why not more.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::ids::{SignalId, StrategyId};
use signalbox_domain::order::{OrderTerms, TimeInForce};
use signalbox_domain::signal::Source;
use signalbox_domain::symbols::resolve;
use signalbox_domain::units::Qty;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, readable_account, require};
use super::dto::{At, PriceIn};
use super::front::Front;
use super::intake::{self, EffectIn, SideIn, TypeIn};
use super::json::{PathName, StrictQuery};
use super::listing::not_longer;
use super::problem::{Code, Problem};
use super::risk::CheckView;
use super::{Missing, Refusals};
use crate::people::Scope;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_max_qty);
}

/// A signal that there never is: an order that comes with its key is no repeat of another.
const KEYED: SignalId = SignalId::new((1 << 40) - 1);

/// Of the characters of a price.
const PRICE_MAX: usize = 20;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MostQuery {
    /// In any spelling.
    #[param(max_length = 32, example = "600000.SH")]
    symbol: String,
    #[param(inline)]
    side: SideIn,
    /// A market order when left away.
    #[param(max_length = 20, example = "10.50", nullable = false)]
    limit_price: Option<String>,
    /// Of contracts.
    #[param(inline, nullable = false)]
    position_effect: Option<EffectIn>,
    /// Whose order it would be; a person's own when left away. A strategy sells what its own book holds, a person what any
    /// book does.
    #[param(max_length = 64, nullable = false)]
    strategy: Option<String>,
}

/// The largest order that risk control would let through.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MaxQty, example = json!({
    "account": "paper-a", "symbol": "600000.SH", "side": "buy", "limit_price": "10.50", "max_qty": "23800",
    "next_qty": "23900", "as_of": "2026-11-20T09:31:00+08:00",
    "denials": [{"code": "ORDER_VALUE", "outcome": "denied", "value": "250950", "limit": "250000", "unit": "money"}],
}))]
struct MostView {
    account: String,
    symbol: String,
    side: SideIn,
    limit_price: Option<String>,
    /// 0 when no order is let through.
    #[schema(example = "23800")]
    max_qty: String,
    /// The next larger order; the smallest one when none is let through.
    #[schema(example = "23900")]
    next_qty: String,
    /// Every check that denies `next_qty`, in order of precedence, as `POST /v1/risk/check` shows it.
    denials: Vec<CheckView>,
    #[schema(value_type = String, format = DateTime)]
    as_of: At,
}

fn bad(field: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::InvalidQuery).detail(detail).field(field)
}

/// How much could be bought or sold now in one order, on the grid of lots, and what stands against the next larger one:
/// every check of risk control is asked, as for an order that comes with its key. Nothing is set aside and nothing
/// recorded, and a moment later it may be less.
#[utoipa::path(tag = "accounts", security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, example = "paper-a"), MostQuery),
    responses((status = 200, body = MostView), Refusals, Missing))]
#[get("/v1/accounts/{id}/max-qty")]
async fn show_max_qty(
    Authenticated(principal): Authenticated,
    id: PathName,
    query: StrictQuery<MostQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<MostView>, Problem> {
    require(&principal, Scope::AccountsRead)?;
    let account = readable_account(&principal, &id.0, |account| front.account(account).is_some())?;
    let MostQuery { symbol, side, limit_price, position_effect, strategy } = query.0;
    let symbol = resolve(&symbol).map_err(|error| bad("symbol", error.to_string()))?;
    let limit_price = match &limit_price {
        None => None,
        Some(text) => {
            not_longer(text, PRICE_MAX, "limit_price")?;
            let price = PriceIn::of_text(text);
            price.get("limit_price").map_err(|_| bad("limit_price", "not a price with at most four decimals"))?;
            Some(price)
        }
    };
    let ord_type = limit_price.map(|_| TypeIn::Limit);
    let (ord_type, limit_price) = intake::price_of(ord_type, limit_price)?;
    let strategy = match &strategy {
        None => StrategyId::manual(),
        Some(name) => {
            let readable = |id: &StrategyId| {
                let own = front.readable_strategies(&principal);
                id.is_manual() || front.strategy(id).is_some() && own.is_none_or(|own| own.contains(id))
            };
            let id = StrategyId::parse(name).ok().filter(readable);
            id.ok_or_else(|| Problem::not_found().field("strategy"))?
        }
    };
    let as_of = front.now();
    let most = front
        .desk
        .most(OrderTerms {
            id: KEYED.parent(0).order(1),
            account: account.clone(),
            source: if strategy.is_manual() { Source::Manual } else { Source::Signal },
            strategy,
            symbol,
            side: side.into(),
            effect: position_effect.map(Into::into),
            ord_type,
            limit_price,
            time_in_force: TimeInForce::Day,
            qty: Qty::ZERO,
            valid_until: front.market.session_end(symbol, as_of).unwrap_or(as_of),
            all_in: false,
        })
        .await?;
    Ok(web::Json(MostView {
        account: account.to_string(),
        symbol: symbol.to_string(),
        side,
        limit_price: limit_price.map(|price| price.to_string()),
        max_qty: most.qty.to_string(),
        next_qty: most.next.to_string(),
        denials: most.denied.iter().map(CheckView::of).collect(),
        as_of: At(as_of),
    }))
}
