//! What may be known at an instant: the market's rules, the newest quotes, the accounts' ledgers, the trading states.
//!
//! These are read by the decisions of strategies and risk. Each has one writer: quotes the market feed, a ledger its
//! account, the trading states and what is set aside the risk engine.

use crate::calendar::china_date_time;
use crate::contract::{Direction, Effect};
use crate::event::{Scope, TradingState};
use crate::extremes::Extremes;
use crate::fees::FeeRules;
use crate::hash::QuickMap;
use crate::ids::{AccountId, StrategyId};
use crate::ledger::{Book, Ledger};
use crate::market::Market;
use crate::order::{OrdType, Side};
use crate::quote::{Bar, Print, Quote};
use crate::standing::{AccountMode, Standing};
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Ratio, Span, Timestamp};

/// Everything a decision may look at. Borrowed for one step, never kept.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub market: &'a Market,
    pub quotes: &'a Quotes,
    pub ledgers: &'a Ledgers,
    pub states: &'a TradingStates,
    pub aside: &'a SetAside,
}

/// The newest quote of each symbol, and the highest and lowest of the last hours.
#[derive(Debug, Default)]
pub struct Quotes {
    by_symbol: QuickMap<Symbol, Shown>,
}

#[derive(Debug)]
struct Shown {
    quote: Quote,
    extremes: Extremes,
}

impl Quotes {
    /// Something newer is known of the symbol: whoever trades now does not trade at what was said of then.
    #[must_use]
    pub fn is_past(&self, symbol: Symbol, at: Timestamp) -> bool {
        self.by_symbol.get(&symbol).is_some_and(|known| known.quote.at > at)
    }

    /// Takes a quote unless a newer one is known. What the source left out of sizes stays unknown; a missing
    /// `prev_close` is kept from before, since it holds for the whole day.
    pub fn put(&mut self, mut quote: Quote) {
        if let Some(known) = self.by_symbol.get_mut(&quote.symbol) {
            if known.quote.at > quote.at {
                return;
            }
            quote.prev_close = quote.prev_close.or(known.quote.prev_close);
            known.extremes.put(quote.at, quote.last);
            known.quote = quote;
            return;
        }
        let mut extremes = Extremes::default();
        extremes.put(quote.at, quote.last);
        self.by_symbol.insert(quote.symbol, Shown { quote, extremes });
    }

    /// A trade moves the last price; bid, ask and sizes stay unknown.
    pub fn print(&mut self, print: &Print) {
        self.traded(print.symbol, print.price, print.at);
    }

    /// So does a bar in which something was traded, and its extremes are seen.
    pub fn bar(&mut self, bar: &Bar) {
        if bar.volume.is_positive() {
            [bar.high, bar.low, bar.close].into_iter().for_each(|price| self.traded(bar.symbol, price, bar.at));
        }
    }

    fn traded(&mut self, symbol: Symbol, last: Price, at: Timestamp) {
        let prev_close = self.get(symbol).and_then(|q| q.prev_close);
        self.put(Quote {
            symbol,
            last,
            bid: None,
            ask: None,
            bid_size: None,
            ask_size: None,
            volume: None,
            prev_close,
            at,
        });
    }

    #[must_use]
    pub fn get(&self, symbol: Symbol) -> Option<&Quote> {
        self.by_symbol.get(&symbol).map(|shown| &shown.quote)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Quote> {
        self.by_symbol.values().map(|shown| &shown.quote)
    }

    /// The highest, the lowest and the newest price of the symbol since the instant; `None` when nothing was shown since.
    #[must_use]
    pub fn seen_since(&self, symbol: Symbol, since: Timestamp) -> Option<(Price, Price, Price)> {
        let shown = self.by_symbol.get(&symbol)?;
        let (high, low) = shown.extremes.since(since)?;
        Some((high, low, shown.quote.last))
    }
}

impl Quote {
    /// The price that an order of this side would meet now: the opposite side, else the last trade.
    #[must_use]
    pub fn meets(&self, side: Side) -> Price {
        match side {
            Side::Buy => self.ask.unwrap_or(self.last),
            Side::Sell => self.bid.unwrap_or(self.last),
        }
    }
}

/// The ledger of each account.
#[derive(Debug, Default)]
pub struct Ledgers {
    by_account: QuickMap<AccountId, Ledger>,
    /// Of accounts that are not like any other.
    standings: QuickMap<AccountId, Standing>,
    /// What they pay their brokers, where that is not the usual.
    commissions: QuickMap<AccountId, Ratio>,
}

impl Ledgers {
    pub fn put(&mut self, ledger: Ledger) {
        self.by_account.insert(ledger.account.clone(), ledger);
    }

    /// Nothing is known of any account any more, but how it takes part.
    pub fn clear(&mut self) {
        self.by_account.clear();
    }

    /// The account's money is real.
    pub fn set_live(&mut self, account: AccountId) {
        self.set_standing(account, Standing { mode: AccountMode::Live, ..Standing::default() });
    }

    pub fn set_standing(&mut self, account: AccountId, standing: Standing) {
        self.standings.insert(account, standing);
    }

    /// How it takes part; one of which nothing was said is of paper, and lets everything in.
    #[must_use]
    pub fn standing(&self, account: &AccountId) -> Standing {
        self.standings.get(account).copied().unwrap_or_default()
    }

    #[must_use]
    pub fn is_live(&self, account: &AccountId) -> bool {
        self.standing(account).mode == AccountMode::Live
    }

    /// What the account pays its broker, as a share of the amount.
    pub fn set_commission(&mut self, account: AccountId, commission: Ratio) {
        self.commissions.insert(account, commission);
    }

    #[must_use]
    pub fn commission(&self, account: &AccountId) -> Ratio {
        self.commissions.get(account).copied().unwrap_or(FeeRules::COMMISSION_DEFAULT)
    }

    /// An account without a ledger is not ready: risk refuses orders for it.
    pub fn remove(&mut self, account: &AccountId) {
        self.by_account.remove(account);
    }

    #[must_use]
    pub fn get(&self, account: &AccountId) -> Option<&Ledger> {
        self.by_account.get(account)
    }

    pub fn get_mut(&mut self, account: &AccountId) -> Option<&mut Ledger> {
        self.by_account.get_mut(account)
    }
}

/// How old a quote may be for an order, by what kind of order it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteAge {
    pub market: Span,
    pub limit: Span,
}

impl QuoteAge {
    #[must_use]
    pub const fn most(&self, ord_type: OrdType) -> Span {
        match ord_type {
            OrdType::Market => self.market,
            OrdType::Limit => self.limit,
        }
    }

    fn tightened(self, by: Self) -> Self {
        Self { market: self.market.min(by.market), limit: self.limit.min(by.limit) }
    }
}

/// Lots that live closes of one kind hold in one book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    pub symbol: Symbol,
    pub direction: Direction,
    pub book: StrategyId,
    pub effect: Effect,
    pub qty: Qty,
}

/// What live sells and closes of one account hold: shares by symbol and book, and lots.
#[derive(Debug, Clone, Copy, Default)]
pub struct Promised<'a> {
    pub sells: &'a [(Symbol, StrategyId, Qty)],
    pub closes: &'a [Closing],
}

/// The cash, shares and lots that live orders of each account have set aside, and how old quotes may be, as risk told after its
/// newest step.
#[derive(Debug, Default)]
pub struct SetAside {
    by_account: QuickMap<AccountId, Money>,
    sells: QuickMap<AccountId, Vec<(Symbol, StrategyId, Qty)>>,
    ages: QuickMap<AccountId, QuoteAge>,
    ages_of_strategies: QuickMap<StrategyId, QuoteAge>,
    closes: QuickMap<AccountId, Vec<Closing>>,
}

impl SetAside {
    /// The accounts' limits, and those of strategies, which only tighten them.
    pub fn put_quote_ages(
        &mut self,
        accounts: impl Iterator<Item = (AccountId, QuoteAge)>,
        strategies: impl Iterator<Item = (StrategyId, QuoteAge)>,
    ) {
        self.ages = accounts.collect();
        self.ages_of_strategies = strategies.collect();
    }

    /// What risk holds quotes to for the strategy's orders in the account; none where it has said nothing of it.
    #[must_use]
    pub fn quote_age(&self, account: &AccountId, strategy: &StrategyId) -> Option<QuoteAge> {
        let of_account = *self.ages.get(account)?;
        Some(self.ages_of_strategies.get(strategy).map_or(of_account, |age| of_account.tightened(*age)))
    }

    pub fn put(&mut self, account: &AccountId, cash: Money) {
        match self.by_account.get_mut(account) {
            Some(slot) => *slot = cash,
            None => {
                self.by_account.insert(account.clone(), cash);
            }
        }
    }

    pub fn put_sells(&mut self, account: &AccountId, promised: Promised<'_>) {
        put(&mut self.sells, account, promised.sells);
        put(&mut self.closes, account, promised.closes);
    }

    /// Shares of the symbol that live sells of other books hold.
    #[must_use]
    pub fn sells_of_others(&self, account: &AccountId, symbol: Symbol, book: &StrategyId) -> Qty {
        let sells = self.sells.get(account).into_iter().flatten();
        sells.filter(|(of, whose, _)| *of == symbol && whose != book).map(|(.., qty)| *qty).sum()
    }

    /// Lots of the direction that live closes of all books hold: of earlier days, and of today.
    #[must_use]
    pub fn closes(&self, account: &AccountId, symbol: Symbol, direction: Direction) -> (Qty, Qty) {
        self.closes_that(account, |close| (close.symbol, close.direction) == (symbol, direction))
    }

    /// The same of one book.
    #[must_use]
    pub fn closes_of(
        &self,
        account: &AccountId,
        symbol: Symbol,
        direction: Direction,
        book: &StrategyId,
    ) -> (Qty, Qty) {
        let meant = |close: &Closing| (close.symbol, close.direction) == (symbol, direction) && close.book == *book;
        self.closes_that(account, meant)
    }

    fn closes_that(&self, account: &AccountId, meant: impl Fn(&Closing) -> bool) -> (Qty, Qty) {
        let closes = self.closes.get(account).into_iter().flatten().filter(|close| meant(close));
        closes.fold((Qty::ZERO, Qty::ZERO), |(before, today), close| match close.effect {
            Effect::CloseToday => (before, today + close.qty),
            _ => (before + close.qty, today),
        })
    }

    #[must_use]
    pub fn cash(&self, account: &AccountId) -> Money {
        self.by_account.get(account).copied().unwrap_or_default()
    }
}

fn put<T: Clone + PartialEq>(of: &mut QuickMap<AccountId, Vec<T>>, account: &AccountId, promised: &[T]) {
    match of.get_mut(account) {
        Some(slot) if slot.as_slice() == promised => {}
        Some(slot) => promised.clone_into(slot),
        None if promised.is_empty() => {}
        None => {
            of.insert(account.clone(), promised.to_vec());
        }
    }
}

/// The trading state at each scope. Scopes that were never set are active.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TradingStates {
    global: TradingState,
    accounts: QuickMap<AccountId, TradingState>,
    strategies: QuickMap<StrategyId, TradingState>,
}

impl TradingStates {
    pub fn set(&mut self, scope: &Scope, state: TradingState) {
        match scope {
            Scope::Global => self.global = state,
            Scope::Account(account) => {
                self.accounts.insert(account.clone(), state);
            }
            Scope::Strategy(strategy) => {
                self.strategies.insert(strategy.clone(), state);
            }
        }
    }

    #[must_use]
    pub fn at(&self, scope: &Scope) -> TradingState {
        match scope {
            Scope::Global => self.global,
            Scope::Account(account) => self.accounts.get(account).copied().unwrap_or_default(),
            Scope::Strategy(strategy) => self.strategies.get(strategy).copied().unwrap_or_default(),
        }
    }

    /// The strictest of the three states that concern an order.
    #[must_use]
    pub fn strictest(&self, account: &AccountId, strategy: &StrategyId) -> TradingState {
        let account = self.accounts.get(account).copied().unwrap_or_default();
        let strategy = self.strategies.get(strategy).copied().unwrap_or_default();
        self.global.max(account).max(strategy)
    }

    /// The strictest of them in words, with the widest scope that has it: whom to ask to lift it.
    #[must_use]
    pub fn strictest_word(&self, account: &AccountId, strategy: &StrategyId) -> String {
        let state = self.strictest(account, strategy);
        let word: &str = state.into();
        if self.global == state {
            format!("{word} everywhere")
        } else if self.accounts.get(account) == Some(&state) {
            format!("{word} in account {account}")
        } else {
            format!("{word} for strategy {strategy}")
        }
    }

    /// Whether an order that makes a position smaller, or does not, may go out.
    #[must_use]
    pub fn permits(&self, account: &AccountId, strategy: &StrategyId, reduces: bool) -> bool {
        match self.strictest(account, strategy) {
            TradingState::Active => true,
            TradingState::Reducing => reduces,
            TradingState::Halted => false,
        }
    }
}

impl View<'_> {
    /// Cash, also what is lent, plus holdings at the last price; a holding without any quote counts at its cost. Zero for an unknown
    /// account.
    #[must_use]
    pub fn equity(&self, account: &AccountId) -> Money {
        self.ledgers.get(account).map_or(Money::ZERO, |ledger| equity(ledger, self.quotes))
    }

    /// What the strategy's own books in the account are worth, as [`View::equity`] values them.
    #[must_use]
    pub fn book_value(&self, account: &AccountId, strategy: &StrategyId) -> Money {
        let Some(ledger) = self.ledgers.get(account) else { return Money::ZERO };
        ledger.books().iter().filter(|book| book.strategy == *strategy).map(|book| worth(book, self.quotes)).sum()
    }

    /// Cash that is neither spent nor set aside by a live order.
    #[must_use]
    pub fn available_cash(&self, account: &AccountId) -> Money {
        let cash = self.ledgers.get(account).map_or(Money::ZERO, |ledger| usable(ledger, self.quotes));
        (cash - self.aside.cash(account)).max(Money::ZERO)
    }

    /// How old the newest quote of the symbol is for an order: time in which no price is made does not count.
    #[must_use]
    pub fn quote_age(&self, at: Timestamp, symbol: Symbol, closing_auction: bool) -> Option<Span> {
        let quote = self.quotes.get(symbol)?;
        Some(self.market.price_age(symbol, quote.at, at, closing_auction).max(Span::ZERO))
    }

    /// How long ago the newest quote of the symbol was seen by its source.
    #[must_use]
    pub fn quote_age_us(&self, symbol: Symbol, at: Timestamp) -> Option<i64> {
        self.quotes.get(symbol).map(|quote| at.since(quote.at).us().max(0))
    }
}

/// See [`View::equity`].
#[must_use]
pub fn equity(ledger: &Ledger, quotes: &Quotes) -> Money {
    ledger.cash
        + ledger.lent()
        + ledger.books().iter().map(|book| worth(book, quotes)).sum()
        + contracts_pnl(ledger, quotes)
}

/// Cash that no margin binds. What contracts have lost since the last settlement is gone, what they have gained is not
/// there yet.
#[must_use]
pub fn usable(ledger: &Ledger, quotes: &Quotes) -> Money {
    if ledger.contracts().is_empty() {
        return ledger.cash;
    }
    ledger.cash - ledger.margin() + contracts_pnl(ledger, quotes).min(Money::ZERO)
}

/// What the account's contracts have brought since the last settlement.
#[must_use]
pub fn contracts_pnl(ledger: &Ledger, quotes: &Quotes) -> Money {
    ledger.contracts_pnl(|symbol| quotes.get(symbol).map(|quote| quote.last))
}

fn worth(book: &Book, quotes: &Quotes) -> Money {
    if book.qty.is_zero() {
        return Money::ZERO;
    }
    let Some(quote) = quotes.get(book.symbol) else { return book.cost };
    // Between an ex-date's eve and its first price the newest one is of before, and the close is reckoned anew.
    let day_of = |at| china_date_time(at).0;
    let seen = book.entry.as_ref().map(|entry| entry.seen_until);
    let is_of_before = seen.is_some_and(|seen| quote.at < seen && day_of(quote.at) < day_of(seen));
    let close = book.day.and_then(|day| day.prev_close).filter(|_| is_of_before);
    close.unwrap_or(quote.last).times(book.qty)
}
