//! Lots of contracts as an account's readers see them.

use std::collections::BTreeMap;

use signalbox_domain::contract::Direction;
use signalbox_domain::instrument::Currency;
use signalbox_domain::ledger::ContractBook;
use signalbox_domain::quote::Quote;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Qty, Ratio, TradeDate, mul_div_round};

use super::front::Front;
use super::portfolio::{BookView, Portfolio, PositionView};
use super::views::at;

/// All books of one contract and direction.
#[derive(Debug)]
pub struct HeldLots {
    pub symbol: Symbol,
    pub direction: Direction,
    /// Lots that live closes hold.
    pub frozen: Qty,
    pub quote: Option<Quote>,
    /// The trading day that "today" is.
    pub date: Option<TradeDate>,
    pub books: Vec<ContractBook>,
}

impl HeldLots {
    #[must_use]
    pub fn all(books: Vec<ContractBook>, frozen: &BTreeMap<(Symbol, Direction), Qty>, front: &Front) -> Vec<Self> {
        let mut by_key: BTreeMap<(Symbol, Direction), Vec<ContractBook>> = BTreeMap::new();
        for book in books {
            by_key.entry((book.symbol, book.direction)).or_default().push(book);
        }
        let now = front.now();
        let held = by_key.into_iter().map(|((symbol, direction), books)| Self {
            symbol,
            direction,
            frozen: frozen.get(&(symbol, direction)).copied().unwrap_or_default(),
            quote: front.quotes.get(symbol),
            date: front.market.trade_date(symbol, now),
            books,
        });
        held.collect()
    }

    #[must_use]
    pub fn qty(&self) -> Qty {
        self.books.iter().map(ContractBook::qty).sum()
    }

    /// Lots that no live close holds.
    #[must_use]
    pub fn free(&self) -> Qty {
        (self.qty() - self.frozen).max(Qty::ZERO)
    }

    #[must_use]
    pub fn margin(&self) -> Money {
        self.books.iter().map(ContractBook::margin_held).sum()
    }

    /// Since the last settlement; nothing without a price.
    #[must_use]
    pub fn pnl(&self) -> Money {
        self.quote.as_ref().map_or(Money::ZERO, |quote| self.books.iter().map(|book| book.pnl(quote.last)).sum())
    }

    /// Lots of earlier days, and of today.
    fn split(&self) -> (Qty, Qty) {
        let parts =
            self.books.iter().map(|book| self.date.map_or((book.yesterday.qty, book.today.qty), |day| book.on(day)));
        parts.fold((Qty::ZERO, Qty::ZERO), |(a, b), (yesterday, today)| (a + yesterday, b + today))
    }

    #[must_use]
    pub fn position(&self, portfolio: &Portfolio, front: &Front) -> PositionView {
        let (yesterday, today) = self.split();
        let last = self.quote.as_ref().map(|quote| quote.last);
        let multiplier = self.books.first().map_or(1, |book| book.multiplier);
        let units = |lots: Qty| Qty::new(lots.get().saturating_mul(multiplier));
        let value =
            last.map_or_else(|| self.books.iter().map(ContractBook::value).sum(), |px| px.times(units(self.qty())));
        let equity = portfolio.equity();
        let weight = || Ratio::from_e6(mul_div_round(value.e4(), Ratio::ONE.e6(), equity.e4()));
        let opened: Money = self.books.iter().map(|book| book.today.opened + book.yesterday.opened).sum();
        let avg_cost = opened.per(units(self.qty())).map(|px| px.to_string());
        PositionView {
            account: portfolio.account.to_string(),
            symbol: self.symbol.to_string(),
            name: front.market.name(self.symbol),
            currency: Currency::Cny.into(),
            direction: self.direction.into(),
            quantity: self.qty().to_string(),
            sellable_qty: self.free().to_string(),
            frozen_qty: self.frozen.to_string(),
            today_qty: today.to_string(),
            yesterday_qty: yesterday.to_string(),
            in_transit_qty: "0".to_owned(),
            avg_cost: avg_cost.clone(),
            broker_cost: avg_cost,
            last: last.map(|px| px.to_string()),
            limit_up: None,
            limit_down: None,
            suspended: None,
            market_value: value.to_string(),
            weight: equity.is_positive().then(|| weight().to_string()),
            margin: Some(self.margin().to_string()),
            multiplier: multiplier.to_string(),
            unrealized_pnl: self.since_open().to_string(),
            realized_pnl: self.closed().to_string(),
            day_pnl: last.map(|_| self.pnl().to_string()),
            opened_at: None,
            entry_date: None,
            high_since_entry: None,
            low_since_entry: None,
            drawdown: None,
            drift_qty: None,
            books: self.books.iter().map(|book| self.book(portfolio, book, front)).collect(),
            snapshot_at: portfolio.updated_at.map(at),
        }
    }

    /// Since the lots that are open were opened; nothing without a price.
    #[must_use]
    pub fn since_open(&self) -> Money {
        self.quote.as_ref().map_or(Money::ZERO, |q| self.books.iter().map(|book| book.pnl_since_open(q.last)).sum())
    }

    /// What lots that were closed have brought, fees taken off.
    #[must_use]
    pub fn closed(&self) -> Money {
        self.books.iter().map(ContractBook::closed_pnl).sum()
    }

    fn book(&self, portfolio: &Portfolio, book: &ContractBook, front: &Front) -> BookView {
        let last = self.quote.as_ref().map(|quote| quote.last);
        let units = Qty::new(book.qty().get().saturating_mul(book.multiplier));
        let (_, today) = self.date.map_or((book.yesterday.qty, book.today.qty), |day| book.on(day));
        BookView {
            account: portfolio.account.to_string(),
            strategy: book.strategy.to_string(),
            symbol: book.symbol.to_string(),
            name: front.market.name(book.symbol),
            quantity: book.qty().to_string(),
            today_qty: today.to_string(),
            avg_cost: book.avg_open().map(|px| px.to_string()),
            broker_cost: book.avg_open().map(|px| px.to_string()),
            market_value: last.map_or(book.value(), |px| px.times(units)).to_string(),
            unrealized_pnl: last.map_or(Money::ZERO, |px| book.pnl_since_open(px)).to_string(),
            realized_pnl: book.closed_pnl().to_string(),
            day_pnl: last.map(|px| book.pnl(px).to_string()),
            opened_at: None,
            entry_date: None,
            high_since_entry: None,
            low_since_entry: None,
            drawdown: None,
        }
    }
}
