//! Bars from a source: what was traded in a stretch of time that is over.

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::quote::{Bar, Quote};
use signalbox_domain::symbols::ResolveError;
use signalbox_domain::units::{Qty, Timestamp};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{self, PriceIn, QtyIn};
use super::front::Front;
use super::json::StrictJson;
use super::market::{AHEAD_MAX, within_limits};
use super::problem::Problem;
use super::{BodyRefusals, Refusals};
use crate::people::Scope;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(put_bars);
}

/// What fits into a body of 64 KiB.
const BARS_MAX: usize = 400;

/// What a source saw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBars, example = json!({"bars": [{
    "symbol": "600000.SH", "open": "10.42", "high": "10.48", "low": "10.41", "close": "10.47", "volume": 182300,
    "at": "2026-11-20T10:31:00+08:00"
}]}))]
struct BarsBody {
    #[schema(min_items = 1, max_items = 400)]
    bars: Vec<BarBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBar)]
struct BarBody {
    #[schema(max_length = 32)]
    symbol: String,
    open: PriceIn,
    high: PriceIn,
    low: PriceIn,
    close: PriceIn,
    /// Shares or lots that were traded in it; 0 when there were none.
    volume: QtyIn,
    /// The end of the stretch.
    #[schema(format = DateTime)]
    at: String,
}

impl BarBody {
    fn read(&self, front: &Front, now: Timestamp) -> Result<Bar, Problem> {
        let symbol = dto::symbol(&self.symbol, "symbol")?;
        if !front.market.knows(symbol) {
            return Err(dto::unknown_symbol(&ResolveError::Unknown, "symbol"));
        }
        let (open, high) = (self.open.get("open")?, self.high.get("high")?);
        let (low, close) = (self.low.get("low")?, self.close.get("close")?);
        if low > open.min(close) {
            return Err(Problem::invalid("low", "above the open or the close"));
        }
        if high < open.max(close) {
            return Err(Problem::invalid("high", "below the open or the close"));
        }
        let volume: Qty = self.volume.target("volume")?;
        let at = dto::instant(&self.at, "at")?;
        if at.since(now).us() > AHEAD_MAX.us() {
            return Err(Problem::invalid("at", "more than a minute ahead of the market clock"));
        }
        within_limits(symbol, &[("high", Some(high)), ("low", Some(low))], None, at, front)?;
        Ok(Bar { symbol, at, open, high, low, close, volume })
    }
}

/// How many bars the market took.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BarsAnswer)]
struct BarsAnswer {
    accepted: usize,
}

/// Takes bars from a source, for instruments of which nothing finer is known. Each shows its close as the last price, and its
/// extremes to what is held; on paper its volume fills what rests, as far as it goes through its price. All of them are in force
/// when this answers, or none when one is wrong. They are not kept.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])), request_body = BarsBody,
    responses((status = 200, body = BarsAnswer), Refusals, BodyRefusals))]
#[post("/v1/bars")]
async fn put_bars(
    Authenticated(principal): Authenticated,
    body: StrictJson<BarsBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::QuotesWrite)?;
    let bodies = body.0.bars;
    if bodies.is_empty() || bodies.len() > BARS_MAX {
        return Err(Problem::invalid("bars", "1 to 400 bars"));
    }
    let now = front.now();
    let mut bars = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.iter().enumerate() {
        bars.push(body.read(&front, now).map_err(|problem| problem.within("bars", index))?);
    }
    // The market takes them oldest first.
    bars.sort_by_key(|bar| bar.at);
    let accepted = bars.len();
    front.quotes.put(bars.iter().filter(|bar| bar.volume.is_positive()).map(last));
    front.desk.bars(bars).await?;
    Ok(HttpResponse::Ok().json(BarsAnswer { accepted }))
}

/// What it shows to people.
fn last(bar: &Bar) -> Quote {
    Quote {
        symbol: bar.symbol,
        last: bar.close,
        bid: None,
        ask: None,
        bid_size: None,
        ask_size: None,
        volume: None,
        prev_close: None,
        at: bar.at,
    }
}
