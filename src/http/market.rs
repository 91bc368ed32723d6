//! Facts of the market that a notebook needs: quotes, instruments, the calendar, and what a symbol means.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use signalbox_domain::calendar::Phase;
use signalbox_domain::instrument::{Currency, Instrument};
use signalbox_domain::market::is_future;
use signalbox_domain::quote::Quote;
use signalbox_domain::rules::{DayRules, PriceLimit};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::symbols::{ResolveError, resolve};
use signalbox_domain::units::{Price, Span, Timestamp, TradeDate};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::{Authenticated, require};
use super::dto::{self, PriceIn, QtyIn};
use super::front::Front;
use super::json::{PathName, StrictJson, StrictQuery};
use super::listing;
use super::page::{Page, PageQuery};
use super::portfolio::band;
use super::problem::{Code, Problem};
use super::views::at;
use super::{BodyRefusals, Missing, Refusals};
use crate::people::Scope;

/// A snapshot of every instrument that a source follows fits; a market's worth comes in several.
const QUOTES_MAX: usize = 1_000;
/// Sources' clocks differ a little; a quote from further ahead would shut the honest ones out until then.
pub(super) const AHEAD_MAX: Span = Span::from_secs(60);

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_quotes)
        .service(put_quotes)
        .service(list_instruments)
        .service(show_instrument)
        .service(resolve_symbol)
        .service(show_calendar);
}

/// The newest state of one instrument (行情).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quote)]
struct QuoteView {
    symbol: String,
    last: String,
    bid: Option<String>,
    ask: Option<String>,
    bid_size: Option<String>,
    ask_size: Option<String>,
    volume: Option<String>,
    prev_close: Option<String>,
    limit_up: Option<String>,
    limit_down: Option<String>,
    /// When its source saw it, and how long ago that is.
    at: String,
    age_ms: i64,
}

impl QuoteView {
    fn of(quote: &Quote, front: &Front, now: Timestamp) -> Self {
        let band = band(front.market.today(quote.symbol, now).as_ref(), Some(quote));
        Self {
            symbol: quote.symbol.to_string(),
            last: quote.last.to_string(),
            bid: quote.bid.map(|px| px.to_string()),
            ask: quote.ask.map(|px| px.to_string()),
            bid_size: quote.bid_size.map(|qty| qty.to_string()),
            ask_size: quote.ask_size.map(|qty| qty.to_string()),
            volume: quote.volume.map(|qty| qty.to_string()),
            prev_close: quote.prev_close.map(|px| px.to_string()),
            limit_up: band.map(|(_, high)| high.to_string()),
            limit_down: band.map(|(low, _)| low.to_string()),
            at: at(quote.at),
            age_ms: (now.since(quote.at).us() / 1_000).max(0),
        }
    }
}

/// Of the characters in a list of symbols: some hundred names.
const SYMBOLS_MAX: usize = 4000;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QuotesQuery {
    /// Only these, with commas between them, in any spelling.
    #[param(max_length = 4000, nullable = false)]
    symbols: Option<String>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(max_length = 400, nullable = false)]
    cursor: Option<String>,
}

/// The newest quotes.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])), params(QuotesQuery),
    responses((status = 200, body = Page<QuoteView>), Refusals))]
#[get("/v1/quotes")]
async fn list_quotes(
    Authenticated(principal): Authenticated,
    query: StrictQuery<QuotesQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<QuoteView>>, Problem> {
    require(&principal, Scope::QuotesRead)?;
    let QuotesQuery { symbols, limit, cursor } = query.0;
    if let Some(text) = &symbols {
        listing::not_longer(text, SYMBOLS_MAX, "symbols")?;
    }
    let wanted: Option<Vec<Symbol>> =
        symbols.as_deref().map(|text| text.split(',').map(resolve).collect::<Result<_, _>>()).transpose().map_err(
            |error: ResolveError| Problem::new(Code::InvalidQuery).detail(error.to_string()).field("symbols"),
        )?;
    let mut all = front.quotes.all();
    all.retain(|quote| wanted.as_ref().is_none_or(|wanted| wanted.contains(&quote.symbol)));
    let now = front.now();
    let page = Page::cut_by_name(
        &all,
        &PageQuery { limit, cursor },
        |quote| quote.symbol.as_str(),
        |quote| QuoteView::of(quote, &front, now),
    )?;
    Ok(web::Json(page))
}

/// What a source saw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewQuotes, example = json!({"quotes": [{
    "symbol": "600000.SH", "last": "10.48", "bid": "10.47", "ask": "10.48", "bid_size": 1200, "ask_size": 900,
    "prev_close": "10.40"
}]}))]
struct QuotesBody {
    #[schema(min_items = 1, max_items = 1000)]
    quotes: Vec<QuoteBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewQuote)]
struct QuoteBody {
    #[schema(max_length = 32)]
    symbol: String,
    last: PriceIn,
    #[serde(default)]
    bid: Option<PriceIn>,
    #[serde(default)]
    ask: Option<PriceIn>,
    #[serde(default)]
    bid_size: Option<QtyIn>,
    #[serde(default)]
    ask_size: Option<QtyIn>,
    /// Since the open of the day. More than a billion is taken as unknown.
    #[serde(default)]
    volume: Option<QtyIn>,
    #[serde(default)]
    prev_close: Option<PriceIn>,
    /// When the source saw it; now when left away.
    #[serde(default)]
    #[schema(format = DateTime)]
    at: Option<String>,
}

impl QuoteBody {
    fn read(&self, front: &Front, now: Timestamp) -> Result<Quote, Problem> {
        let symbol = dto::symbol(&self.symbol, "symbol")?;
        if !front.market.knows(symbol) {
            return Err(dto::unknown_symbol(&ResolveError::Unknown, "symbol"));
        }
        let price = |price: Option<PriceIn>, field| price.map(|price| price.get(field)).transpose();
        let size = |size: Option<QtyIn>, field| size.map(|size| size.target(field)).transpose();
        let (bid, ask) = (price(self.bid, "bid")?, price(self.ask, "ask")?);
        if bid.zip(ask).is_some_and(|(bid, ask)| bid > ask) {
            return Err(Problem::invalid("ask", "the ask is below the bid"));
        }
        let seen = match &self.at {
            Some(text) => dto::instant(text, "at")?,
            None => now,
        };
        if seen.since(now).us() > AHEAD_MAX.us() {
            return Err(Problem::invalid("at", "more than a minute ahead of the market clock"));
        }
        let (last, told) = (self.last.get("last")?, price(self.prev_close, "prev_close")?);
        within_limits(symbol, &[("last", Some(last)), ("bid", bid), ("ask", ask)], told, seen, front)?;
        Ok(Quote {
            symbol,
            last,
            bid,
            ask,
            bid_size: size(self.bid_size, "bid_size")?,
            ask_size: size(self.ask_size, "ask_size")?,
            volume: self.volume.map(|volume| volume.target("volume")).transpose()?,
            prev_close: told,
            at: seen,
        })
    }
}

/// Nothing trades outside of the day's limits, so such a price is a slip that would fire whatever waits for it. Where the limits
/// are not known it is taken.
pub(super) fn within_limits(
    symbol: Symbol,
    prices: &[(&'static str, Option<Price>)],
    prev_close: Option<Price>,
    seen: Timestamp,
    front: &Front,
) -> Result<(), Problem> {
    let of_its_day = |quote: &Quote| front.market.price_date(symbol, quote.at) == front.market.price_date(symbol, seen);
    let known = || front.quotes.get(symbol).filter(of_its_day).and_then(|quote| quote.prev_close);
    let rules = front.market.today(symbol, seen);
    let Some((low, high)) = rules.zip(prev_close.or_else(known)).and_then(|(rules, prev)| rules.price_band(prev))
    else {
        return Ok(());
    };
    match prices.iter().find(|(_, px)| px.is_some_and(|px| px < low || px > high)) {
        Some((field, _)) => Err(Problem::invalid(*field, format!("outside of the day's limits, {low} to {high}"))),
        None => Ok(()),
    }
}

/// How many quotes the market took.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuotesAnswer)]
struct QuotesAnswer {
    accepted: usize,
}

/// Takes quotes from a source. All of them are in force when this answers, or none when one is wrong.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])), request_body = QuotesBody,
    responses((status = 200, body = QuotesAnswer), Refusals, BodyRefusals))]
#[post("/v1/quotes")]
async fn put_quotes(
    Authenticated(principal): Authenticated,
    body: StrictJson<QuotesBody>,
    front: web::Data<Front>,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::QuotesWrite)?;
    let bodies = body.0.quotes;
    if bodies.is_empty() || bodies.len() > QUOTES_MAX {
        return Err(Problem::invalid("quotes", "1 to 1000 quotes"));
    }
    let now = front.now();
    let mut quotes = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.iter().enumerate() {
        quotes.push(body.read(&front, now).map_err(|problem| problem.within("quotes", index))?);
    }
    // The market takes them oldest first.
    quotes.sort_by_key(|quote| quote.at);
    let accepted = quotes.len();
    front.quotes.put(quotes.iter().cloned());
    front.desk.quotes(quotes).await?;
    Ok(HttpResponse::Ok().json(QuotesAnswer { accepted }))
}

/// One instrument and what holds for it on this trading day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Instrument)]
struct InstrumentView {
    symbol: String,
    name: String,
    exchange: &'static str,
    /// The board by which its rules are found; `future` for a contract.
    board: &'static str,
    currency: &'static str,
    /// Under risk warning.
    st: bool,
    listed_on: Option<String>,
    /// Null where no complete rules are known for the day: it cannot be traded then.
    rules: Option<RulesView>,
}

/// What the exchange allows on one day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DayRules)]
struct RulesView {
    trade_date: String,
    tick: String,
    buy_min: String,
    buy_step: String,
    sell_min: String,
    sell_step: String,
    order_max_limit: String,
    order_max_market: String,
    /// Of the day's reference price; null without a limit.
    limit_up_ratio: Option<String>,
    limit_down_ratio: Option<String>,
    limit_up: Option<String>,
    limit_down: Option<String>,
    /// 1: what is bought today may be sold from the next trading day on (T+1).
    min_holding_days: u8,
    closing_auction: bool,
    /// What a contract asks; null for all else.
    contract: Option<ContractRulesView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ContractRules)]
struct ContractRulesView {
    /// Units of the underlying in one lot.
    multiplier: String,
    /// Of the value of a position, by the settings for all accounts.
    margin_ratio: String,
}

impl InstrumentView {
    fn of(instrument: &Instrument, front: &Front, now: Timestamp) -> Self {
        let date = front.market.trade_date(instrument.symbol, now);
        Self {
            symbol: instrument.symbol.to_string(),
            name: instrument.name.to_string(),
            exchange: instrument.symbol.exchange().into(),
            board: instrument.board.into(),
            currency: instrument.currency.into(),
            st: instrument.st,
            listed_on: instrument.listed_on.map(|day| day.to_string()),
            rules: date.and_then(|date| RulesView::today(instrument.symbol, date, front, now)),
        }
    }

    /// A contract of a known product.
    fn of_contract(symbol: Symbol, front: &Front, now: Timestamp) -> Option<Self> {
        let name = front.market.name(symbol).filter(|_| is_future(symbol))?;
        let date = front.market.trade_date(symbol, now);
        Some(Self {
            symbol: symbol.to_string(),
            name,
            exchange: symbol.exchange().into(),
            board: "future",
            currency: Currency::Cny.into(),
            st: false,
            listed_on: None,
            rules: date.and_then(|date| RulesView::today(symbol, date, front, now)),
        })
    }
}

impl RulesView {
    fn today(symbol: Symbol, date: TradeDate, front: &Front, now: Timestamp) -> Option<Self> {
        let rules = front.market.day(symbol, date).ok()?;
        let quote = front.quotes.get(symbol).map(|quote| front.market.quote_now(quote, now));
        // The last price of an earlier day is what the limits of this one are reckoned from; a contract's settlement is not known.
        let made = quote.as_ref().and_then(|quote| front.market.price_date(symbol, quote.at));
        let quote = quote.map(|quote| match made < Some(date) {
            true => Quote { prev_close: Some(quote.last).filter(|_| !is_future(symbol)), ..quote },
            false => quote,
        });
        // Abroad the tick depends on the price.
        let tick = quote.as_ref().map_or(rules.tick, |quote| rules.tick_at(quote.last));
        Some(Self { tick: tick.to_string(), ..Self::of(date, &rules, band(Some(&rules), quote.as_ref())) })
    }

    fn of(date: TradeDate, rules: &DayRules, band: Option<(Price, Price)>) -> Self {
        let (up, down) = match rules.limit {
            PriceLimit::Unlimited => (None, None),
            PriceLimit::Percent { up, down } => (Some(up), Some(down)),
        };
        Self {
            trade_date: date.to_string(),
            tick: rules.tick.to_string(),
            buy_min: rules.buy_min.to_string(),
            buy_step: rules.buy_step.to_string(),
            sell_min: rules.sell_min.to_string(),
            sell_step: rules.sell_step.to_string(),
            order_max_limit: rules.order_max_limit.to_string(),
            order_max_market: rules.order_max_market.to_string(),
            limit_up_ratio: up.map(|ratio| ratio.to_string()),
            limit_down_ratio: down.map(|ratio| ratio.to_string()),
            limit_up: band.map(|(_, high)| high.to_string()),
            limit_down: band.map(|(low, _)| low.to_string()),
            min_holding_days: rules.min_holding_days,
            closing_auction: rules.closing_auction,
            contract: rules.contract.as_ref().map(|contract| ContractRulesView {
                multiplier: contract.multiplier.to_string(),
                margin_ratio: contract.margin.to_string(),
            }),
        }
    }
}

/// All known instruments.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])), params(PageQuery),
    responses((status = 200, body = Page<InstrumentView>), Refusals))]
#[get("/v1/instruments")]
async fn list_instruments(
    Authenticated(principal): Authenticated,
    query: StrictQuery<PageQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<Page<InstrumentView>>, Problem> {
    require(&principal, Scope::QuotesRead)?;
    let now = front.now();
    let page = Page::cut_by_name(
        front.market.instruments.iter(),
        &query.0,
        |instrument| instrument.symbol.as_str(),
        |instrument| InstrumentView::of(instrument, &front, now),
    )?;
    Ok(web::Json(page))
}

/// One instrument, by its symbol in any spelling.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])),
    params(("symbol" = String, Path, example = "600000.SH")),
    responses((status = 200, body = InstrumentView), Refusals, Missing))]
#[get("/v1/instruments/{symbol}")]
async fn show_instrument(
    Authenticated(principal): Authenticated,
    symbol: PathName,
    front: web::Data<Front>,
) -> Result<web::Json<InstrumentView>, Problem> {
    require(&principal, Scope::QuotesRead)?;
    let symbol = resolve(&symbol.0).map_err(|_| Problem::not_found())?;
    let now = front.now();
    let shown = match front.market.instrument(symbol) {
        Some(instrument) => Some(InstrumentView::of(instrument, &front, now)),
        None => InstrumentView::of_contract(symbol, &front, now),
    };
    shown.map(web::Json).ok_or_else(Problem::not_found)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResolveQuery {
    /// A symbol as JoinQuant, QMT, vn.py, tushare, easytrader, LongPort or TradingView write it.
    #[param(max_length = 64, example = "600000.XSHG")]
    q: String,
}

/// What a spelling means.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResolvedSymbol)]
struct ResolvedView {
    q: String,
    symbol: String,
    exchange: &'static str,
    name: Option<String>,
    /// Is it an instrument that can be traded here?
    known: bool,
}

/// Tells what instrument a spelling means.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])), params(ResolveQuery),
    responses((status = 200, body = ResolvedView), Refusals,
        (status = 422, body = super::problem::ProblemBody, content_type = "application/problem+json",
            description = "It means nothing, or more than one thing")))]
#[get("/v1/symbols/resolve")]
async fn resolve_symbol(
    Authenticated(principal): Authenticated,
    query: StrictQuery<ResolveQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<ResolvedView>, Problem> {
    require(&principal, Scope::QuotesRead)?;
    let symbol = dto::symbol(&query.0.q, "q")?;
    let name = front.market.name(symbol);
    Ok(web::Json(ResolvedView {
        q: query.0.q,
        symbol: symbol.to_string(),
        exchange: symbol.exchange().into(),
        known: name.is_some(),
        name,
    }))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CalendarQuery {
    /// The first day; today when left away.
    #[param(max_length = 10, nullable = false, example = "2026-11-20")]
    from: Option<String>,
    /// The last day; 30 trading days further when left away.
    #[param(max_length = 10, nullable = false, example = "2026-12-31")]
    to: Option<String>,
}

/// Trading days, and where the market stands now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Calendar)]
struct CalendarView {
    /// The market clock.
    now: String,
    /// The trading day by which accounts count. The next one begins at 15:30.
    trade_date: Option<String>,
    /// closed, opening_auction, pre_continuous, continuous, lunch_break, closing_auction or after_close
    phase: &'static str,
    next_open: Option<String>,
    /// When shares are done with the day to which an order of now belongs.
    session_end: Option<String>,
    /// The days that the calendar covers.
    first_day: String,
    last_day: String,
    /// Trading days.
    items: Vec<String>,
}

/// The most trading days of one answer: two years.
const DAYS_MAX: usize = 500;
const DAYS_DEFAULT: usize = 30;

/// The trading days from `from` to `to`, and the session now.
#[utoipa::path(tag = "market", security(("access_token" = []), ("api_key" = [])), params(CalendarQuery),
    responses((status = 200, body = CalendarView), Refusals))]
#[get("/v1/calendar")]
async fn show_calendar(
    Authenticated(principal): Authenticated,
    query: StrictQuery<CalendarQuery>,
    front: web::Data<Front>,
) -> Result<web::Json<CalendarView>, Problem> {
    require(&principal, Scope::QuotesRead)?;
    let day = |text: &Option<String>, name: &'static str| {
        let wrong = || Problem::new(Code::InvalidQuery).detail("a day as 2026-11-20").field(name);
        text.as_deref().map(|text| TradeDate::parse(text).ok_or_else(wrong)).transpose()
    };
    let (from, to) = (day(&query.0.from, "from")?, day(&query.0.to, "to")?);
    let (calendar, now) = (&front.market.calendar, front.now());
    let (today, _) = signalbox_domain::calendar::china_date_time(now);
    let from = from.unwrap_or(today);
    let most = if to.is_some() { DAYS_MAX } else { DAYS_DEFAULT };
    let first = if calendar.is_trading_day(from) { Some(from) } else { calendar.next_trading_day(from) };
    // Before the calendar begins, its own first day is the next one.
    let first = first.or_else(|| (from < calendar.first_day()).then(|| calendar.first_day()));
    let items = std::iter::successors(first, |day| calendar.next_trading_day(*day))
        .take_while(|day| to.is_none_or(|to| *day <= to))
        .take(most)
        .map(|day| day.to_string())
        .collect();
    Ok(web::Json(CalendarView {
        now: at(now),
        trade_date: calendar.trade_date(now).map(|day| day.to_string()),
        phase: phase(calendar.phase(now, true)),
        next_open: calendar.next_open(now, signalbox_domain::calendar::Opening::Continuous).map(at),
        session_end: calendar.session_end(now).map(at),
        first_day: calendar.first_day().to_string(),
        last_day: calendar.last_day().to_string(),
        items,
    }))
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Closed => "closed",
        Phase::OpeningAuction => "opening_auction",
        Phase::PreContinuous => "pre_continuous",
        Phase::Continuous => "continuous",
        Phase::LunchBreak => "lunch_break",
        Phase::ClosingAuction => "closing_auction",
        Phase::AfterClose => "after_close",
        Phase::AfterHours => "after_hours",
    }
}
