//! A desk whose accounts trade on the paper exchange, and the recorded market that moves both.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use signalbox_brokers::Broker;
use signalbox_brokers::paper::{Hours, PaperBroker, PaperExchange};
use signalbox_domain::account::{AccountConf, AccountInput};
use signalbox_domain::broker::BrokerReport;
use signalbox_domain::capital::CapitalBase;
use signalbox_domain::contract::Direction;
use signalbox_domain::denial::{Denial, Measure};
use signalbox_domain::event::Event;
use signalbox_domain::execution::{Execution, Policy, PriceForm};
use signalbox_domain::ids::{AccountId, ClientId, GroupId, SignalId, StrategyId};
use signalbox_domain::instrument::Currency;
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::market::{Market, Matching, is_elsewhere};
use signalbox_domain::order::{OrdType, OrderFact, Side, TimeInForce};
use signalbox_domain::paper::VenueConf;
use signalbox_domain::quote::{Bar, Quote};
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::risk::Limits;
use signalbox_domain::signal::{Notes, Signal, SignalStatus, Size, Source};
use signalbox_domain::strategy::{Allocation, Groups, Route, RouteTo, StrategyConf};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp};
use signalbox_sim::desk::{Desk, Setup, market};

/// What the recorded market tells.
pub(crate) enum News {
    Quote(Quote),
    Bar(Bar),
}

/// Everything that trades, and what it started with.
pub(crate) struct Floor {
    pub(crate) desk: Desk,
    exchange: PaperExchange,
    brokers: BTreeMap<AccountId, PaperBroker>,
    cash: BTreeMap<AccountId, Money>,
    signals: u64,
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::parse(name).expect("a name")
}

pub(crate) fn strategy(name: &str) -> StrategyId {
    StrategyId::parse(name).expect("a name")
}

pub(crate) fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

/// An account at default limits.
pub(crate) fn paper(name: &str, cash: i64, currency: Currency, holdings: Vec<OpeningHolding>) -> Setup {
    let limits = Limits { currency, ..Limits::default() };
    let conf = AccountConf {
        id: account(name),
        capabilities: PaperBroker::capabilities(),
        pacing: limits.pacing(),
        doubt: DoubtConf::default(),
    };
    Setup { conf, limits, cash: Money::from_units(cash), holdings }
}

/// A strategy with one route, whose percentages are of its accounts' equity.
pub(crate) fn routed(name: &str, to: RouteTo, allocation: Allocation) -> StrategyConf {
    let route = Route { allocation, capital_base: CapitalBase::Equity(Ratio::ONE), ..Route::plain(to) };
    StrategyConf { id: strategy(name), kind: "external".into(), routes: vec![route] }
}

pub(crate) fn to(name: &str) -> RouteTo {
    RouteTo::Account(account(name))
}

/// What a strategy sends; the rest is as most senders leave it.
pub(crate) struct Ask {
    pub(crate) strategy: &'static str,
    pub(crate) symbol: Symbol,
    pub(crate) side: Option<Side>,
    pub(crate) size: Size,
    pub(crate) price: At,
    /// Signals of one basket are planned together.
    pub(crate) basket: Option<Arc<str>>,
    /// Past this it never trades.
    pub(crate) lives: Option<Span>,
}

/// At which price it is to trade.
#[derive(Clone, Copy)]
pub(crate) enum At {
    Market,
    Limit(Price),
    Form(PriceForm, Policy),
}

impl Ask {
    pub(crate) fn new(strategy: &'static str, symbol: Symbol, side: Option<Side>, size: Size, price: At) -> Self {
        Self { strategy, symbol, side, size, price, basket: None, lives: None }
    }
}

#[derive(Debug)]
struct Calendars(Mutex<Market>);

impl Hours for Calendars {
    fn matching(&self, symbol: Symbol, at: Timestamp) -> Matching {
        self.0.lock().expect("nobody panicked").matching(symbol, at)
    }

    fn takes_cancels(&self, symbol: Symbol, at: Timestamp) -> bool {
        self.0.lock().expect("nobody panicked").takes_cancels(symbol, at)
    }

    fn day_end(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        self.0.lock().expect("nobody panicked").session_end(symbol, at)
    }
}

impl Floor {
    pub(crate) fn open(at: Timestamp, setups: Vec<Setup>, strategies: Vec<StrategyConf>, groups: Groups) -> Self {
        let exchange = PaperExchange::new(VenueConf::default()).with_hours(Arc::new(Calendars(Mutex::new(market()))));
        let broker = |setup: &Setup| {
            let id = setup.conf.id.clone();
            (id.clone(), PaperBroker::new(id, exchange.clone()))
        };
        let brokers = setups.iter().map(broker).collect();
        let cash = setups.iter().map(|setup| (setup.conf.id.clone(), setup.cash)).collect();
        let desk = Desk::open(Rc::new(market()), at, setups, strategies, groups);
        Self { desk, exchange, brokers, cash, signals: 0 }
    }

    /// The market clock runs to the instant; whatever is due on the way happens.
    pub(crate) fn advance(&mut self, to: Timestamp) {
        loop {
            let ends = self.desk.next_day_end();
            let end = ends.map(|(at, _)| at);
            let wake = self.desk.wake_at().map(|at| at.max(self.desk.at));
            let Some(next) = end.into_iter().chain(wake).min().filter(|next| *next <= to) else { break };
            self.desk.set_clock(next);
            if let Some((at, ending)) = ends.filter(|(at, _)| *at == next) {
                let reports = self.exchange.end(at, ending);
                self.tell(reports);
                self.desk.day_ended(ending);
            }
            self.snapshot();
            self.quiet();
        }
        self.desk.set_clock(to);
        self.snapshot();
        self.quiet();
    }

    /// While shares trade on the mainland, the exchanges show them every three seconds, changed or not.
    fn snapshot(&mut self) {
        let at = self.desk.at;
        let market = &self.desk.market;
        let shown = |symbol| !is_elsewhere(symbol) && market.is_continuous(symbol, at, true);
        let again: Vec<Quote> = self.desk.quotes.iter().filter(|quote| shown(quote.symbol)).cloned().collect();
        for quote in again {
            self.desk.quotes.put(Quote { at, ..quote });
        }
    }

    /// Something is seen of the market; `prev_close` where it is known.
    pub(crate) fn news(&mut self, news: &News, prev_close: Option<Price>) {
        let (at, quote, reports) = match news {
            News::Quote(quote) => {
                self.advance(quote.at);
                (quote.at, quote.clone(), self.exchange.quote(quote.at, quote))
            }
            News::Bar(bar) => {
                self.advance(bar.at);
                (bar.at, last(bar.symbol, bar.close, bar.at), self.exchange.bar(bar.at, bar))
            }
        };
        self.desk.quotes.put(Quote { prev_close, at, ..quote });
        self.desk.quoted();
        self.tell(reports);
        self.quiet();
    }

    fn tell(&mut self, reports: Vec<(AccountId, BrokerReport)>) {
        for (account, report) in reports {
            self.desk.tell_account(&account, AccountInput::Broker(report));
        }
    }

    fn quiet(&mut self) {
        loop {
            while self.desk.busy() > 0 {
                self.desk.step(0);
            }
            self.desk.commit();
            let requests: Vec<_> = self.desk.sent.drain(..).collect();
            if requests.is_empty() && self.desk.busy() == 0 {
                return;
            }
            for (account, request) in requests {
                let broker = self.brokers.get_mut(&account).expect("a broker");
                let reports = broker.call(self.desk.at, &request).now_or_never().expect("it answers at once");
                for report in reports {
                    self.desk.tell_account(&account, AccountInput::Broker(report));
                }
            }
        }
    }

    pub(crate) fn send(&mut self, ask: Ask) {
        self.signals += 1;
        let n = self.signals;
        let (ord_type, limit_price, execution) = match ask.price {
            At::Market => (OrdType::Market, None, None),
            At::Limit(px) => (OrdType::Limit, Some(px), None),
            At::Form(form, policy) => {
                let execution = Execution { policy, price: Some(form), ..Execution::default() };
                (OrdType::Limit, None, Some(Arc::new(execution)))
            }
        };
        self.desk.accept(Signal {
            id: SignalId::new(n),
            source: Source::Signal,
            strategy: strategy(ask.strategy),
            account: None,
            client: ClientId::parse("month").expect("a name"),
            // The door makes a key for a sender without one.
            client_signal_id: format!("k{n}").into(),
            symbol: ask.symbol,
            side: ask.side,
            position_effect: None,
            size: ask.size,
            ord_type,
            limit_price,
            time_in_force: TimeInForce::Day,
            valid_until: ask.lives.map(|lives| self.desk.at.plus(lives)),
            execution,
            tag: None,
            received_at: self.desk.at,
            notes: Notes { basket: ask.basket, ..Notes::default() },
        });
        self.quiet();
    }

    /// What the strategy's own book holds, and what of it may be sold on the day.
    pub(crate) fn holds(&self, of: &str, strategy_name: &str, of_symbol: Symbol) -> (Qty, Qty) {
        let ledger = self.desk.ledgers.get(&account(of)).expect("a ledger");
        let book = ledger.book(of_symbol, &strategy(strategy_name));
        book.map_or((Qty::ZERO, Qty::ZERO), |book| (book.qty, book.qty - book.bought_today))
    }

    pub(crate) fn cash(&self, of: &str) -> Money {
        self.desk.ledgers.get(&account(of)).expect("a ledger").cash
    }

    /// The lots that the strategy holds, long less short.
    pub(crate) fn lots(&self, of: &str, strategy_name: &str, contract: Symbol) -> i64 {
        let ledger = self.desk.ledgers.get(&account(of)).expect("a ledger");
        let side =
            |direction| ledger.contract(contract, &strategy(strategy_name), direction).map_or(0, |b| b.qty().get());
        side(Direction::Long) - side(Direction::Short)
    }

    /// What became of everything: one line for each strategy, and one for each kind of denial with its first numbers.
    /// Money of accounts without contracts and loans is counted again from the fills.
    pub(crate) fn story(&self) -> String {
        let tables = self.desk.tables();
        let differences = self.desk.replay().differences(&tables);
        assert!(differences.is_empty(), "journal and rows differ: {differences:#?}");
        assert!(self.desk.alarms.is_empty(), "{:?}", self.desk.alarms);
        for (account, start) in &self.cash {
            let ledger = self.desk.ledgers.get(account).expect("a ledger");
            let fills: Vec<_> = tables.fills.values().filter(|fill| fill.account == *account).collect();
            if !ledger.contracts().is_empty() || fills.iter().any(|fill| fill.symbol.is_repo()) {
                continue; // fills alone do not tell it
            }
            let mut cash = *start;
            for fill in fills {
                let amount = fill.px.times(fill.qty);
                cash = if fill.side == Side::Buy { cash - amount } else { cash + amount } - fill.fee;
            }
            assert_eq!(ledger.cash, cash, "the cash of {account} is not what its fills leave");
        }
        let mut lines: BTreeMap<StrategyId, Tally> = BTreeMap::new();
        for signal in self.desk.signals.values() {
            lines.entry(signal.strategy.clone()).or_default().signals += 1;
        }
        for order in tables.orders.values() {
            lines.entry(order.terms.strategy.clone()).or_default().orders += 1;
        }
        for fill in tables.fills.values() {
            lines.entry(fill.strategy.clone()).or_default().fills += 1;
        }
        for (terms, denials) in tables.denied.values() {
            lines
                .entry(terms.strategy.clone())
                .or_default()
                .denied(&format!("{} {} {}", terms.account, terms.side, terms.symbol), denials);
        }
        for row in tables.signals.values() {
            let signal = &self.desk.signals[&row.id];
            let tally = lines.entry(signal.strategy.clone()).or_default();
            if row.status == SignalStatus::Denied && !row.denials.is_empty() {
                let whole = !tables.denied.values().any(|(terms, _)| terms.id.signal() == row.id);
                if whole {
                    tally.denied(&format!("{}", signal.symbol), &row.denials);
                }
            }
            tally.expired += usize::from(row.status == SignalStatus::Expired);
        }
        let mut told: BTreeMap<&'static str, usize> = BTreeMap::new();
        for event in self.desk.journal.iter().flat_map(|entry| &entry.events) {
            match event {
                Event::Order { fact: OrderFact::Rejected { .. }, .. } => *told.entry("rejected").or_default() += 1,
                Event::Order { fact: OrderFact::InDoubt { .. }, .. } => *told.entry("in doubt").or_default() += 1,
                Event::TradingStateSet { .. } => *told.entry("held").or_default() += 1,
                _ => {}
            }
        }
        let mut text = String::new();
        for (strategy, tally) in lines {
            text += &format!(
                "{strategy}: {} signals, {} orders, {} fills, {} signals ran out of time\n",
                tally.signals, tally.orders, tally.fills, tally.expired
            );
            for (code, (count, first)) in tally.denials {
                text += &format!("  {code} x{count}, first {first}\n");
            }
        }
        for (what, count) in told {
            text += &format!("{count} {what}\n");
        }
        text
    }
}

#[derive(Default)]
struct Tally {
    signals: usize,
    orders: usize,
    fills: usize,
    expired: usize,
    denials: BTreeMap<String, (usize, String)>,
}

impl Tally {
    fn denied(&mut self, what: &str, denials: &[Denial]) {
        for denial in denials {
            let numbers = format!("{what}: {} against {}", shown(&denial.value), shown(&denial.limit));
            let (count, _) = self.denials.entry(denial.code.to_string()).or_insert((0, numbers));
            *count += 1;
        }
    }
}

fn shown(measure: &Measure) -> String {
    match measure {
        Measure::None => "-".to_owned(),
        Measure::Price(px) => px.to_string(),
        Measure::Qty(qty) => qty.to_string(),
        Measure::Money(money) => money.to_string(),
        Measure::Ratio(ratio) => ratio.to_string(),
        Measure::Count(count) => count.to_string(),
        Measure::Millis(ms) => format!("{ms} ms"),
        Measure::Word(word) => word.to_string(),
    }
}

/// A source that knows nothing but the last price.
pub(crate) fn last(symbol: Symbol, px: Price, at: Timestamp) -> Quote {
    Quote { symbol, last: px, bid: None, ask: None, bid_size: None, ask_size: None, volume: None, prev_close: None, at }
}

pub(crate) fn group(name: &str, members: &[&str]) -> (GroupId, Vec<AccountId>) {
    (GroupId::parse(name).expect("a name"), members.iter().map(|name| account(name)).collect())
}
