//! Netting against a count that knows nothing of it: a broker that keeps its own numbers, and sums of shares and money
//! that no cross may change. Strategies want the opposite of each other all the time, and the process ends at any step.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;
use signalbox_domain::account::{AccountConf, AccountInput, Pacing};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, Level, Report};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::event::Event;
use signalbox_domain::ids::{AccountId, BrokerOrderId, ClientId, ExecId, OrderId, ParentId, SignalId, StrategyId};
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::market::Market;
use signalbox_domain::order::{OrdType, OrderFact, OrderTerms, Side, TimeInForce};
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::risk::Limits;
use signalbox_domain::risk::limits::Crossing;
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, TradeDate};
use signalbox_sim::desk::{Desk, Setup, market};
use signalbox_sim::trouble::stream;

const STRATEGIES: [&str; 3] = ["p", "q", "r"];
/// Lots of a hundred; any number from two hundred on.
const SYMBOLS: [&str; 2] = ["600000.SH", "688981.SH"];
const DAYS: u64 = 400;

#[test]
fn no_cross_changes_what_the_account_has_and_the_broker_never_hears_of_it() {
    let market = Rc::new(market());
    let mut crossed = 0;
    for seed in 0..DAYS {
        let mut day = Day::new(market.clone(), seed);
        day.live();
        crossed += day.crossed();
    }
    println!("{crossed} crosses on {DAYS} days");
    assert!(crossed > DAYS, "{crossed} crosses are too few to show anything");
}

/// An order as the broker has it.
#[derive(Debug)]
struct There {
    terms: OrderTerms,
    fills: Vec<(i64, Price)>,
    canceled: bool,
}

impl There {
    fn cum(&self) -> i64 {
        self.fills.iter().map(|(qty, _)| qty).sum()
    }

    fn works(&self) -> bool {
        !self.canceled && self.cum() < self.terms.qty.get()
    }
}

struct Day {
    seed: u64,
    dice: ChaCha8Rng,
    desk: Desk,
    broker: BTreeMap<OrderId, There>,
    last: [i64; 2],
    signals: u64,
}

fn account() -> AccountId {
    AccountId::parse("n").expect("a name")
}

fn symbol(n: usize) -> Symbol {
    Symbol::parse(SYMBOLS[n]).expect("a symbol")
}

impl Day {
    fn new(market: Rc<Market>, seed: u64) -> Self {
        let strategy = |name: &str| StrategyId::parse(name).expect("a name");
        let capabilities = Capabilities { level: Level::L4, in_flight_max: 2, market_orders: true, lists: false };
        let held = |n: usize, name: &str, qty: i64| OpeningHolding {
            symbol: symbol(n),
            strategy: strategy(name),
            qty: Qty::new(qty),
            cost: Price::from_e4(97_310),
            on: None,
        };
        let wide = Ratio::from_percent(100_000);
        let setup = Setup {
            conf: AccountConf {
                id: account(),
                capabilities,
                pacing: Pacing::of_second(5),
                doubt: DoubtConf::default(),
            },
            limits: Limits {
                crossing: Crossing::Net,
                order_value: wide,
                position: wide,
                notional_minute: wide,
                notional_day: wide,
                ..Limits::default()
            },
            cash: Money::from_units(1_000_000),
            holdings: vec![held(0, "p", 1_550), held(0, "q", 900), held(1, "q", 777), held(1, "r", 2_000)],
        };
        let route = Route::plain(RouteTo::Account(account()));
        let conf = |name: &&str| StrategyConf { id: strategy(name), kind: "x".into(), routes: vec![route.clone()] };
        let monday = TradeDate::from_yyyymmdd(20_250_303).expect("a date");
        let at = china_instant(monday, 10, 0, 0);
        let desk = Desk::open(market, at, vec![setup], STRATEGIES.iter().map(conf).collect(), HashMap::new());
        Self { seed, dice: stream(seed, 0), desk, broker: BTreeMap::new(), last: [100_000; 2], signals: 0 }
    }

    fn die(&mut self, sides: u32) -> u32 {
        self.dice.next_u32() % sides
    }

    fn live(&mut self) {
        for _ in 0..60 {
            self.show_prices();
            match self.die(10) {
                0..4 => self.wants(),
                4 => self.last[0] += i64::from(self.dice.next_u32() % 21) * 100 - 1_000,
                5 => self.fills(),
                6 => self.cancels(),
                7 => self.crashes(),
                _ => {
                    let ms = i64::from(self.die(700));
                    self.desk.set_clock(self.desk.at.plus(Span::from_ms(ms)));
                }
            }
            for _ in 0..self.die(12) {
                if self.desk.busy() > 0 {
                    let n = self.dice.next_u32() as usize % self.desk.busy();
                    self.desk.step(n);
                }
            }
            if self.die(3) > 0 {
                self.desk.commit();
            }
            if self.die(3) > 0 {
                self.broker_hears();
            }
            self.counts();
        }
        for _ in 0..20 {
            self.show_prices();
            self.quiet();
            self.counts();
            self.desk.set_clock(self.desk.at.plus(Span::from_secs(5)));
        }
        self.ends_meet();
    }

    fn quiet(&mut self) {
        while self.desk.busy() > 0 || !self.desk.sent.is_empty() || self.desk.durable < self.desk.journal.len() {
            self.desk.settle();
            self.broker_hears();
        }
    }

    fn show_prices(&mut self) {
        for n in 0..2 {
            let px = Price::from_e4(self.last[n]);
            self.desk.quotes.put(Quote {
                symbol: symbol(n),
                last: px,
                bid: Some(px - Price::from_e4(100)),
                ask: Some(px),
                bid_size: None,
                ask_size: None,
                volume: None,
                prev_close: Some(Price::from_e4(100_000)),
                at: self.desk.at,
            });
        }
        self.desk.quoted();
    }

    /// One to four signals at the same moment.
    fn wants(&mut self) {
        for _ in 0..1 + self.die(4) {
            let (n, odd) = (self.die(2) as usize, i64::from(self.die(3) / 2) * i64::from(self.die(100)));
            let side = if self.die(2) == 0 { Side::Buy } else { Side::Sell };
            let away = i64::from(self.die(30)) * 100 - 1_000;
            let px = if side == Side::Buy { self.last[n] + away } else { self.last[n] - away };
            let limit_price = (self.die(4) > 0).then(|| Price::from_e4(px.clamp(91_000, 109_000)));
            let lots = i64::from(1 + self.die(9)) * 100;
            let qty = if n == 1 || side == Side::Sell { lots + odd } else { lots };
            self.signals += 1;
            let signal = Signal {
                id: SignalId::new(self.signals),
                source: Source::Signal,
                strategy: StrategyId::parse(STRATEGIES[self.die(3) as usize]).expect("a name"),
                account: None,
                client: ClientId::parse("x").expect("a name"),
                client_signal_id: format!("k{}", self.signals).into(),
                symbol: symbol(n),
                side: Some(side),
                position_effect: None,
                size: Size::Quantity(Qty::new(qty)),
                ord_type: if limit_price.is_some() { OrdType::Limit } else { OrdType::Market },
                limit_price,
                time_in_force: TimeInForce::Day,
                valid_until: None,
                execution: None,
                tag: None,
                received_at: self.desk.at,
                notes: Notes::default(),
            };
            self.desk.accept(signal);
        }
    }

    /// The process ends, and what was not durable is gone; some of what was on its way had left.
    fn crashes(&mut self) {
        if self.die(2) == 0 {
            self.broker_hears();
        }
        self.desk.restart();
    }

    fn tell(&mut self, order: OrderId, what: Report) {
        self.desk.tell_account(&account(), AccountInput::Broker(BrokerReport { order, what }));
    }

    fn broker_hears(&mut self) {
        for (_, request) in std::mem::take(&mut self.desk.sent) {
            let order = request.order();
            match request {
                BrokerRequest::Submit { terms, .. } => {
                    let new = || There { terms: (*terms).clone(), fills: Vec::new(), canceled: false };
                    self.broker.entry(order).or_insert_with(new);
                    self.answers(order);
                }
                BrokerRequest::Cancel { .. } => {
                    if let Some(there) = self.broker.get_mut(&order) {
                        there.canceled |= there.works();
                    }
                    self.answers(order);
                }
                BrokerRequest::Find { .. } => self.answers(order),
            }
        }
    }

    fn answers(&mut self, order: OrderId) {
        let Some(there) = self.broker.get(&order) else { return self.tell(order, Report::NotFound) };
        let (fills, canceled) = (there.fills.clone(), there.canceled);
        self.tell(order, Report::Accepted { broker_order_id: BrokerOrderId(format!("B{}", order.get()).into()) });
        for (n, (qty, px)) in fills.into_iter().enumerate() {
            self.tells_fill(order, n, qty, px);
        }
        if canceled {
            self.tell(order, Report::Canceled { text: "canceled".into() });
        }
    }

    fn tells_fill(&mut self, order: OrderId, n: usize, qty: i64, px: Price) {
        let (exec_id, at) = (ExecId(format!("E{n}").into()), self.desk.at);
        self.tell(order, Report::Filled { exec_id, qty: Qty::new(qty), px, at });
    }

    fn fills(&mut self) {
        let working: Vec<OrderId> = self.broker.iter().filter(|(_, o)| o.works()).map(|(id, _)| *id).collect();
        for id in working {
            let (whole, dice) = (self.die(2) == 0, i64::from(self.die(500)));
            let Some(there) = self.broker.get_mut(&id) else { continue };
            let left = there.terms.qty.get() - there.cum();
            let qty = if whole { left } else { 1 + dice % left };
            let px = there.terms.limit_price.unwrap_or(Price::from_e4(100_000));
            there.fills.push((qty, px));
            let n = there.fills.len() - 1;
            self.tells_fill(id, n, qty, px);
        }
    }

    fn cancels(&mut self) {
        let all = AccountInput::CancelAll { side: None, strategy: None, reason: "a trader".into() };
        self.desk.tell_account(&account(), all);
    }

    /// What holds at every moment, whatever was told to whom.
    fn counts(&mut self) {
        let (seed, ledger) = (self.seed, self.desk.ledgers.get(&account()).expect("an account"));
        let books = ledger.books();
        let worth: Money = books.iter().map(|book| book.cost - book.realized_pnl).sum();
        let begun = Money::from_units(1_000_000) + Price::from_e4(97_310).times(Qty::new(1_550 + 900 + 777 + 2_000));
        assert_eq!(ledger.cash + worth, begun, "day {seed}: money was made or lost between the books");
        let flows: Money = books.iter().filter_map(|book| book.day).map(|day| day.flow).sum();
        assert_eq!(ledger.cash, Money::from_units(1_000_000) + flows, "day {seed}: what the books paid each other");

        // Of the broker's fills, those that were told.
        let mut told: BTreeMap<(Symbol, Side), i64> = BTreeMap::new();
        for event in self.desk.journal.iter().flat_map(|entry| &entry.events) {
            if let Event::Order { order, fact: OrderFact::Filled { qty, .. }, .. } = event {
                let terms = &self.broker[order].terms;
                *told.entry((terms.symbol, terms.side)).or_default() += qty.get();
            }
        }
        for (n, held) in [(0, 1_550 + 900), (1, 777 + 2_000)] {
            let of = |side| told.get(&(symbol(n), side)).copied().unwrap_or_default();
            let holding = ledger.holding(symbol(n));
            assert_eq!(
                holding.qty.get(),
                held + of(Side::Buy) - of(Side::Sell),
                "day {seed}: shares of {}",
                SYMBOLS[n]
            );
            assert_eq!(holding.bought_today.get(), of(Side::Buy), "day {seed}: what may not be sold of {}", SYMBOLS[n]);
        }
        let sane = |qty: Qty, today: Qty| today.get() >= 0 && today <= qty;
        assert!(books.iter().all(|book| sane(book.qty, book.bought_today)), "day {seed}: {books:?}");
        self.none_trade_with_each_other();
    }

    fn none_trade_with_each_other(&self) {
        let working = || self.broker.values().filter(|there| there.works());
        for buy in working().filter(|there| there.terms.side == Side::Buy) {
            for sell in
                working().filter(|there| there.terms.side == Side::Sell && there.terms.symbol == buy.terms.symbol)
            {
                let prices = buy.terms.limit_price.zip(sell.terms.limit_price);
                assert!(prices.is_none_or(|(buy, sell)| buy < sell), "day {}: {buy:?} and {sell:?}", self.seed);
            }
        }
    }

    /// Journal, rows and broker tell the same, and of each leg nothing is lost or doubled.
    fn ends_meet(&self) {
        let (seed, tables) = (self.seed, self.desk.tables());
        let differences = self.desk.replay().differences(&tables);
        assert!(differences.is_empty(), "day {seed}: {differences:#?}");
        let mut netted: BTreeMap<OrderId, i64> = BTreeMap::new();
        for entry in &self.desk.journal {
            let mut sides = Vec::new();
            for event in &entry.events {
                if let Event::Order { order, fact: OrderFact::Netted { with, qty, px, .. }, .. } = event {
                    *netted.entry(*order).or_default() += qty.get();
                    sides.push((*order, *with, *qty, *px));
                }
            }
            for pair in sides.chunks(2) {
                let [(a, b, ..), (c, d, ..)] = pair else { panic!("day {seed}: one side alone in {entry:?}") };
                assert!((a, b) == (d, c) && pair[0].2 == pair[1].2 && pair[0].3 == pair[1].3, "day {seed}: {pair:?}");
            }
        }
        let mut filled: BTreeMap<ParentId, (i64, i64, i64)> = BTreeMap::new();
        for (id, order) in &tables.orders {
            let inside = netted.get(id).copied().unwrap_or_default();
            let there = self.broker.get(id);
            let outside = there.map_or(0, There::cum);
            assert_eq!(order.cum_qty.get(), inside + outside, "day {seed}: order {id}");
            assert!(
                there.is_none_or(|there| there.terms.qty.get() + inside == order.terms.qty.get()),
                "day {seed}: {id}"
            );
            let sums = filled.entry(order.parent()).or_default();
            (sums.0, sums.1, sums.2) = (sums.0 + outside, sums.1 + inside, sums.2 + order.leaves_qty().get());
        }
        for (id, parent) in &tables.parents {
            let (outside, inside, working) = filled.get(id).copied().unwrap_or_default();
            assert_eq!(parent.netted.get(), inside, "day {seed}: leg {id}");
            assert_eq!(parent.cum_qty.get(), inside + outside, "day {seed}: leg {id}");
            assert!(outside + inside + working <= parent.leg.qty.get(), "day {seed}: leg {id} has too much");
            let over = parent.status.is_final() || outside + inside + working == parent.leg.qty.get();
            assert!(over, "day {seed}: leg {id} is {} and something of it is lost", parent.status);
        }
    }

    fn crossed(&self) -> u64 {
        let events = self.desk.journal.iter().flat_map(|entry| &entry.events);
        let sides = events.filter(|event| matches!(event, Event::Order { fact: OrderFact::Netted { .. }, .. }));
        sides.count() as u64 / 2
    }
}
