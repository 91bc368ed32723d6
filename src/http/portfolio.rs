//! What an account holds and is worth: its books, what its open orders set aside, and the newest prices.

use std::collections::BTreeMap;

use serde::Serialize;
use signalbox_domain::contract::Direction;
use signalbox_domain::ids::AccountId;
use signalbox_domain::instrument::{Currency, Instrument};
use signalbox_domain::ledger::{Book, Flows};
use signalbox_domain::market::is_elsewhere;
use signalbox_domain::quote::Quote;
use signalbox_domain::rules::DayRules;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Timestamp, TradeDate, mul_div_round};
use utoipa::ToSchema;

use super::contracts::HeldLots;
use super::dto::currency;
use super::front::Front;
use super::problem::Problem;
use super::views::{at, date};
use crate::store::StoredOrder;

/// One account at one moment.
#[derive(Debug)]
pub struct Portfolio {
    pub account: AccountId,
    pub currency: Currency,
    pub cash: Money,
    pub prev_equity: Option<Money>,
    pub flows: Option<Flows>,
    pub reserved_cash: Money,
    pub open_orders: usize,
    pub messages_today: u32,
    pub trade_date: Option<TradeDate>,
    pub updated_at: Option<Timestamp>,
    pub holdings: Vec<Held>,
    pub lots: Vec<HeldLots>,
    /// What is lent, without its interest.
    pub lent: Money,
}

/// All books of one symbol.
#[derive(Debug)]
pub struct Held {
    pub symbol: Symbol,
    pub qty: Qty,
    pub bought_today: Qty,
    pub cost: Money,
    pub realized_pnl: Money,
    /// Shares that open sells hold.
    pub frozen: Qty,
    pub sellable: Qty,
    pub quote: Option<Quote>,
    pub rules: Option<DayRules>,
    pub books: Vec<HeldBook>,
}

/// One book with what the market has shown of it up to now.
#[derive(Debug)]
pub struct HeldBook {
    pub book: Book,
    pub high: Option<Price>,
    pub low: Option<Price>,
    pub day_pnl: Option<Money>,
}

impl HeldBook {
    /// As it stands on its account's day: the price that a quote counts its day from is of the quote's day.
    fn now(book: Book, quote: Option<&Quote>, today: Option<TradeDate>, front: &Front) -> Self {
        let entry = book.entry.as_ref();
        let seen = entry.and_then(|entry| front.quotes.seen_since(book.symbol, entry.seen_until));
        let (high, low) = (seen.map(|(high, ..)| high), seen.map(|(_, low, _)| low));
        let of_today = |quote: &&Quote| today.is_none() || front.market.price_date(book.symbol, quote.at) == today;
        let told = quote.filter(of_today).and_then(|quote| quote.prev_close);
        // The exchange tells what a share that went ex dividend is reckoned from; elsewhere the own close is surer.
        let own = book.day.and_then(|day| day.prev_close).filter(|_| is_elsewhere(book.symbol));
        let before = own.or(told);
        // Nothing is lower than every price, so the least of the known ones is taken by hand.
        let known_low = entry.and_then(|entry| entry.low);
        Self {
            high: entry.and_then(|entry| entry.high).max(high),
            low: known_low.into_iter().chain(low).min(),
            day_pnl: book.day_pnl(quote.map(|quote| quote.last), before),
            book,
        }
    }
}

impl Held {
    #[must_use]
    pub fn day_pnl(&self) -> Option<Money> {
        self.books.iter().map(|held| held.day_pnl).sum()
    }

    fn diluted_cost(&self) -> Option<Money> {
        self.books.iter().filter(|held| !held.book.qty.is_zero()).map(|held| held.book.diluted_cost()).sum()
    }

    /// By the newest price, at cost without one.
    #[must_use]
    pub fn market_value(&self) -> Money {
        self.quote.as_ref().map_or(self.cost, |quote| quote.last.times(self.qty))
    }
}

impl Portfolio {
    /// # Errors
    /// When the store cannot be read.
    pub async fn load(front: &Front, account: &AccountId) -> Result<Self, Problem> {
        let row = front.store.account(account).await?;
        let books = front.store.books(account).await?;
        let open = front.store.open_orders(account).await?;
        let now = front.now();
        let (mut reserved_cash, mut reserved): (Money, BTreeMap<Symbol, Qty>) = Default::default();
        let mut closing: BTreeMap<(Symbol, Direction), Qty> = BTreeMap::new();
        for stored in &open {
            if let StoredOrder::Live(order) = stored {
                reserved_cash += order.reserved_cash();
                match order.terms.direction() {
                    None => *reserved.entry(order.terms.symbol).or_default() += order.reserved_qty(),
                    Some(way) => *closing.entry((order.terms.symbol, way)).or_default() += order.reserved_qty(),
                }
            }
        }
        let today = row.as_ref().and_then(|row| row.trade_date);
        let mut by_symbol: BTreeMap<Symbol, Vec<Book>> = BTreeMap::new();
        for book in books {
            by_symbol.entry(book.symbol).or_default().push(book);
        }
        let holdings = by_symbol
            .into_iter()
            .map(|(symbol, books)| {
                let rules = front.market.today(symbol, now);
                let qty: Qty = books.iter().map(|book| book.qty).sum();
                let bought_today: Qty = books.iter().map(|book| book.bought_today).sum();
                // The books are those of the day; the newest price may be of the evening before its ex-date.
                let quote = front.quotes.get(symbol).map(|quote| front.market.quote_now(quote, now));
                let frozen = reserved.get(&symbol).copied().unwrap_or_default();
                let held_back = if rules.is_none_or(|r| r.min_holding_days > 0) { bought_today } else { Qty::ZERO };
                Held {
                    symbol,
                    qty,
                    bought_today,
                    cost: books.iter().map(|book| book.cost).sum(),
                    realized_pnl: books.iter().map(|book| book.realized_pnl).sum(),
                    frozen,
                    sellable: (qty - held_back - frozen).max(Qty::ZERO),
                    rules,
                    books: books.into_iter().map(|book| HeldBook::now(book, quote.as_ref(), today, front)).collect(),
                    quote,
                }
            })
            .collect();
        Ok(Self {
            account: account.clone(),
            currency: front.account(account).map_or(Currency::Cny, |info| info.currency),
            cash: row.as_ref().map_or(Money::ZERO, |row| row.cash),
            prev_equity: row.as_ref().and_then(|row| row.prev_equity),
            flows: row.as_ref().and_then(|row| row.flows),
            reserved_cash,
            open_orders: open.len(),
            messages_today: row.as_ref().map_or(0, |row| row.messages_today),
            trade_date: today,
            updated_at: row.as_ref().map(|row| row.updated_at),
            holdings,
            lent: row.iter().flat_map(|row| &row.loans).map(|loan| loan.sum).sum(),
            lots: HeldLots::all(front.store.contracts(account).await?, &closing, front),
        })
    }

    #[must_use]
    pub fn market_value(&self) -> Money {
        self.holdings.iter().map(Held::market_value).sum()
    }

    #[must_use]
    pub fn equity(&self) -> Money {
        self.cash + self.lent + self.market_value() + self.lots_pnl()
    }

    #[must_use]
    pub fn available(&self) -> Money {
        self.cash - self.reserved_cash - self.margin() + self.lots_pnl().min(Money::ZERO)
    }

    /// What contracts bind.
    #[must_use]
    pub fn margin(&self) -> Money {
        self.lots.iter().map(HeldLots::margin).sum()
    }

    /// What contracts have brought since the last settlement.
    #[must_use]
    pub fn lots_pnl(&self) -> Money {
        self.lots.iter().map(HeldLots::pnl).sum()
    }

    #[must_use]
    pub fn sellable(&self, symbol: Symbol) -> Qty {
        self.holdings.iter().find(|held| held.symbol == symbol).map_or(Qty::ZERO, |held| held.sellable)
    }

    /// What is held now; what was sold out entirely is not among it.
    #[must_use]
    pub fn positions(&self, front: &Front) -> Vec<PositionView> {
        let equity = self.equity();
        let held = self.holdings.iter().filter(|held| !held.qty.is_zero());
        let lots = self.lots.iter().filter(|held| !held.qty().is_zero()).map(|held| held.position(self, front));
        held.map(|held| PositionView::of(self, held, equity, front)).chain(lots).collect()
    }

    /// What each strategy holds, also what it has sold out.
    #[must_use]
    pub fn books(&self, front: &Front) -> Vec<BookView> {
        let mut items = Vec::new();
        for held in &self.holdings {
            let (last, instrument) = (held.quote.as_ref().map(|q| q.last), front.market.instrument(held.symbol));
            items.extend(held.books.iter().map(|book| BookView::of(&self.account, book, last, instrument)));
        }
        items
    }

    #[must_use]
    pub fn balance(&self) -> BalanceView {
        BalanceView {
            currency: self.currency.into(),
            cash: self.cash.to_string(),
            available: self.available().to_string(),
            withdrawable: None,
            frozen: self.reserved_cash.to_string(),
            buying_power: self.available().to_string(),
            lent: self.lent.is_positive().then(|| self.lent.to_string()),
            margin: (!self.lots.is_empty()).then(|| self.margin().to_string()),
            market_value: self.market_value().to_string(),
            equity: self.equity().to_string(),
            unrealized_pnl: self.unrealized_pnl().to_string(),
            realized_pnl: self.realized_pnl().to_string(),
            day_pnl: self.day_pnl().map(|pnl| pnl.to_string()),
            prev_equity: self.prev_equity.map(|equity| equity.to_string()),
            net_deposit: None,
            as_of: self.updated_at.map(at),
        }
    }

    /// What the day has brought so far, fees taken off; `None` where a price is missing.
    #[must_use]
    pub fn day_pnl(&self) -> Option<Money> {
        let shares: Option<Money> = self.holdings.iter().map(Held::day_pnl).sum();
        Some(shares? + self.contracts_day_pnl())
    }

    /// The cash that contracts have moved today, closes, settlements and fees, and what their lots have brought since the last
    /// settlement. Of the cash, what is not of the shares is of the contracts.
    fn contracts_day_pnl(&self) -> Money {
        let Some(flows) = self.flows.filter(|_| !self.lots.is_empty()) else { return self.lots_pnl() };
        let days = self.holdings.iter().flat_map(|held| &held.books).filter_map(|held| held.book.day);
        let of_shares: Money = days.map(|day| day.flow).sum();
        flows.trades + flows.fees + flows.settlements - of_shares + self.lots_pnl()
    }

    #[must_use]
    pub fn unrealized_pnl(&self) -> Money {
        let shares: Money = self.holdings.iter().map(|held| held.market_value() - held.cost).sum();
        shares + self.lots.iter().map(HeldLots::since_open).sum()
    }

    #[must_use]
    pub fn realized_pnl(&self) -> Money {
        let shares: Money = self.holdings.iter().map(|held| held.realized_pnl).sum();
        shares + self.lots.iter().map(HeldLots::closed).sum()
    }
}

/// One currency of an account (资金).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Balance)]
pub struct BalanceView {
    pub currency: &'static str,
    /// Settled or usable at once.
    pub cash: String,
    /// Cash that open orders have not set aside.
    pub available: String,
    pub withdrawable: Option<String>,
    /// Cash that open orders have set aside.
    pub frozen: String,
    pub buying_power: String,
    /// By bond repo, without interest: not among the cash, and part of the equity.
    pub lent: Option<String>,
    pub margin: Option<String>,
    pub market_value: String,
    pub equity: String,
    pub unrealized_pnl: String,
    pub realized_pnl: String,
    /// What the day has brought so far, fees taken off.
    pub day_pnl: Option<String>,
    /// At the last close before the day.
    pub prev_equity: Option<String>,
    pub net_deposit: Option<String>,
    pub as_of: Option<String>,
}

/// One symbol in one account (持仓).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Position)]
pub struct PositionView {
    pub account: String,
    pub symbol: String,
    pub name: Option<String>,
    pub currency: &'static str,
    pub direction: &'static str,
    pub quantity: String,
    /// What may be sold now: not bought today (T+1), not held by open sells.
    pub sellable_qty: String,
    pub frozen_qty: String,
    pub today_qty: String,
    pub yesterday_qty: String,
    pub in_transit_qty: String,
    /// What the shares cost on the average, fees included.
    pub avg_cost: Option<String>,
    /// As terminals show it (摊薄成本): paid since the entry less received, fees included, per share.
    pub broker_cost: Option<String>,
    pub last: Option<String>,
    pub limit_up: Option<String>,
    pub limit_down: Option<String>,
    pub suspended: Option<bool>,
    pub market_value: String,
    /// Of the account's equity.
    pub weight: Option<String>,
    pub margin: Option<String>,
    pub multiplier: String,
    pub unrealized_pnl: String,
    pub realized_pnl: String,
    /// What the day has brought so far: value now less value at the last close, with what was bought and sold since.
    pub day_pnl: Option<String>,
    /// When it was entered, where we saw it: the earliest of its books.
    pub opened_at: Option<String>,
    /// The trading day of the entry.
    pub entry_date: Option<String>,
    pub high_since_entry: Option<String>,
    pub low_since_entry: Option<String>,
    /// How far below the highest price since the entry it is now: 0.08 is 8 %.
    pub drawdown: Option<String>,
    /// Ours minus the broker's, once the two were compared.
    pub drift_qty: Option<String>,
    pub books: Vec<BookView>,
    pub snapshot_at: Option<String>,
}

/// What one strategy holds of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Book)]
pub struct BookView {
    pub account: String,
    pub strategy: String,
    pub symbol: String,
    pub name: Option<String>,
    pub quantity: String,
    pub today_qty: String,
    pub avg_cost: Option<String>,
    pub broker_cost: Option<String>,
    pub market_value: String,
    pub unrealized_pnl: String,
    pub realized_pnl: String,
    pub day_pnl: Option<String>,
    pub opened_at: Option<String>,
    pub entry_date: Option<String>,
    pub high_since_entry: Option<String>,
    pub low_since_entry: Option<String>,
    pub drawdown: Option<String>,
}

impl BookView {
    #[must_use]
    pub fn of(account: &AccountId, held: &HeldBook, last: Option<Price>, instrument: Option<&Instrument>) -> Self {
        let book = &held.book;
        let value = last.map_or(book.cost, |last| last.times(book.qty));
        Self {
            account: account.to_string(),
            strategy: book.strategy.to_string(),
            symbol: book.symbol.to_string(),
            name: instrument.map(|i| i.name.to_string()),
            quantity: book.qty.to_string(),
            today_qty: book.bought_today.to_string(),
            avg_cost: book.cost.per(book.qty).map(|px| px.to_string()),
            broker_cost: book.diluted_cost().and_then(|cost| cost.per(book.qty)).map(|px| px.to_string()),
            market_value: value.to_string(),
            unrealized_pnl: (value - book.cost).to_string(),
            realized_pnl: book.realized_pnl.to_string(),
            day_pnl: held.day_pnl.map(|pnl| pnl.to_string()),
            opened_at: book.entry.as_ref().and_then(|entry| entry.at).map(at),
            entry_date: date(book.entry.as_ref().and_then(|entry| entry.on)),
            high_since_entry: held.high.map(|px| px.to_string()),
            low_since_entry: held.low.map(|px| px.to_string()),
            drawdown: drawdown(held.high, last),
        }
    }
}

impl PositionView {
    fn of(portfolio: &Portfolio, held: &Held, equity: Money, front: &Front) -> Self {
        let instrument = front.market.instrument(held.symbol);
        let last = held.quote.as_ref().map(|quote| quote.last);
        let band = band(held.rules.as_ref(), held.quote.as_ref());
        let value = held.market_value();
        let entries = || held.books.iter().filter_map(|held| held.book.entry.as_ref());
        let high = held.books.iter().filter_map(|book| book.high).max();
        Self {
            account: portfolio.account.to_string(),
            symbol: held.symbol.to_string(),
            name: instrument.map(|i| i.name.to_string()),
            currency: currency(instrument),
            direction: if held.qty.is_negative() { "short" } else { "long" },
            quantity: held.qty.to_string(),
            sellable_qty: held.sellable.to_string(),
            frozen_qty: held.frozen.to_string(),
            today_qty: held.bought_today.to_string(),
            yesterday_qty: (held.qty - held.bought_today).to_string(),
            in_transit_qty: "0".to_owned(),
            avg_cost: held.cost.per(held.qty).map(|px| px.to_string()),
            broker_cost: held.diluted_cost().and_then(|cost| cost.per(held.qty)).map(|px| px.to_string()),
            last: last.map(|px| px.to_string()),
            limit_up: band.map(|(_, high)| high.to_string()),
            limit_down: band.map(|(low, _)| low.to_string()),
            suspended: None,
            market_value: value.to_string(),
            weight: equity
                .is_positive()
                .then(|| Ratio::from_e6(mul_div_round(value.e4(), Ratio::ONE.e6(), equity.e4())).to_string()),
            margin: None,
            multiplier: "1".to_owned(),
            unrealized_pnl: (value - held.cost).to_string(),
            realized_pnl: held.realized_pnl.to_string(),
            day_pnl: held.day_pnl().map(|pnl| pnl.to_string()),
            opened_at: entries().filter_map(|entry| entry.at).min().map(at),
            entry_date: date(entries().filter_map(|entry| entry.on).min()),
            high_since_entry: high.map(|px| px.to_string()),
            low_since_entry: held.books.iter().filter_map(|book| book.low).min().map(|px| px.to_string()),
            drawdown: drawdown(high, last),
            drift_qty: None,
            books: held
                .books
                .iter()
                .filter(|held| !held.book.qty.is_zero())
                .map(|book| BookView::of(&portfolio.account, book, last, instrument))
                .collect(),
            snapshot_at: portfolio.updated_at.map(at),
        }
    }
}

/// How far `last` is below `high`, as a ratio.
fn drawdown(high: Option<Price>, last: Option<Price>) -> Option<String> {
    let (high, last) = (high.filter(|high| high.is_positive())?, last?);
    let below = (high - last).max(Price::ZERO);
    Some(Ratio::from_e6(mul_div_round(below.e4(), Ratio::ONE.e6(), high.e4())).to_string())
}

/// The day's limit prices, lowest and highest; `None` without a limit or a known close.
#[must_use]
pub fn band(rules: Option<&DayRules>, quote: Option<&Quote>) -> Option<(Price, Price)> {
    rules?.price_band(quote?.prev_close?)
}
