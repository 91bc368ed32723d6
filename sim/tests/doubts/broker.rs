//! One account `a` at a broker of a given level, and the broker's side of it, written by the test.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use signalbox_domain::account::{
    AccountConf, AccountInput, Alarm, Pacing, Resolution, Settle, Settlement, Unresolvable, Unsettleable,
};
use signalbox_domain::broker::{
    BrokerReport, BrokerRequest, Capabilities, Level, ListedCash, ListedOrder, ListedPosition, ListedStatus,
    ListedTrade, ReadFailed, Report, Snapshot,
};
use signalbox_domain::calendar::{china_date_time, china_instant};
use signalbox_domain::ids::{
    AccountId, BrokerOrderId, ClientId, ExecId, InstallationTag, OrderId, SignalId, StrategyId,
};
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::order::{OrdType, Order, Side, TimeInForce};
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::exception::Exception;
use signalbox_domain::reconcile::{DoubtConf, ParkReason};
use signalbox_domain::risk::Limits;
use signalbox_domain::risk::limits::Crossing;
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, TradeDate};

use signalbox_sim::desk::{Desk, Setup, market};

pub(crate) struct Bench {
    pub(crate) desk: Desk,
    /// What the broker lists. Reads are answered with it, unless `broken` says how they fail.
    pub(crate) lists: Snapshot,
    pub(crate) broken: Option<&'static str>,
    next: u64,
    submits: Vec<OrderId>,
    cancels: usize,
    level: Level,
    finds: usize,
}

pub(crate) fn account() -> AccountId {
    AccountId::parse("a").expect("a name")
}

pub(crate) fn strategy() -> StrategyId {
    StrategyId::parse("s").expect("a name")
}

pub(crate) fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

pub(crate) fn no(text: &str) -> BrokerOrderId {
    BrokerOrderId(text.into())
}

pub(crate) fn tag() -> InstallationTag {
    InstallationTag::parse("S7").expect("two characters")
}

const HELD: i64 = 1_000;

impl Bench {
    pub(crate) fn at(level: Level) -> Self {
        #[cfg(feature = "seeded-bugs")]
        if let Ok(name) = std::env::var("SEEDED_BUG") {
            signalbox_domain::seeded::plant(Some(name.parse().expect("a mistake")));
        }
        let doubt = DoubtConf {
            installation: (level >= Level::L2).then(tag),
            fund_account: Some("880001".into()),
            ..DoubtConf::default()
        };
        let conf = AccountConf {
            id: account(),
            capabilities: Capabilities { level, in_flight_max: 4, market_orders: true, lists: true },
            pacing: Pacing { per_second: 5, per_minute: u32::MAX, per_day: u32::MAX },
            doubt,
        };
        let held = OpeningHolding {
            symbol: symbol(),
            strategy: strategy(),
            qty: Qty::new(HELD),
            cost: Price::from_e4(100_000),
            on: None,
        };
        let cash = Money::from_units(100_000);
        // What is asked here is what becomes of doubts.
        let limits = Limits {
            strategy_orders_max: u32::MAX,
            symbol_orders_max: u32::MAX,
            notional_minute: Ratio::from_percent(100_000),
            notional_day: Ratio::from_percent(100_000),
            crossing: Crossing::Warn,
            ..Limits::default()
        };
        let setup = Setup { conf, limits, cash, holdings: vec![held] };
        let conf = StrategyConf {
            id: strategy(),
            kind: "external".into(),
            routes: vec![Route::plain(RouteTo::Account(account()))],
        };
        let day = TradeDate::from_yyyymmdd(20_250_303).expect("a date");
        let at = china_instant(day, 9, 31, 0);
        let desk = Desk::open(Rc::new(market()), at, vec![setup], vec![conf], HashMap::new());
        let lists = Snapshot {
            fund_account: Some("880001".into()),
            trade_date: day,
            began: at,
            ended: at,
            complete: true,
            orders: Vec::new(),
            trades: Vec::new(),
            positions: vec![ListedPosition { symbol: symbol(), qty: Qty::new(HELD), sellable: Qty::new(HELD) }],
            cash: Some(ListedCash { total: cash, available: cash }),
        };
        let (submits, broken) = (Vec::new(), None);
        let mut bench = Self { desk, lists, broken, next: 1, submits, cancels: 0, level, finds: 0 };
        bench.tell(AccountInput::Connected);
        bench
    }

    /// Half of the order has filled, its cancel was lost, and the broker lists all of it as canceled.
    pub(crate) fn with_a_cancel_that_the_lists_contradict() -> (Self, OrderId) {
        let mut bench = Self::at(Level::L2);
        let order = bench.buy(200);
        bench.say(order, Report::Accepted { broker_order_id: no("N1") });
        let (exec_id, at) = (ExecId("E1".into()), bench.desk.at);
        bench.say(order, Report::Filled { exec_id, qty: Qty::new(100), px: Price::from_e4(100_000), at });
        bench.list_tagged("N1", order, 200);
        let row = &mut bench.lists.orders[0];
        (row.canceled_qty, row.status) = (Qty::new(200), ListedStatus::Canceled);
        bench.tell(AccountInput::Cancel { order, reason: "ann".into() });
        bench.lose(order);
        (bench, order)
    }

    pub(crate) fn tell(&mut self, input: AccountInput) {
        self.desk.tell_account(&account(), input);
        self.run();
    }

    /// Lets everything happen that happens now. Reads are answered at once.
    pub(crate) fn run(&mut self) {
        for _ in 0..50 {
            self.desk.quotes.put(Quote {
                symbol: symbol(),
                last: Price::from_e4(100_000),
                bid: None,
                ask: None,
                bid_size: None,
                ask_size: None,
                volume: None,
                prev_close: Some(Price::from_e4(100_000)),
                at: self.desk.at,
            });
            self.desk.settle();
            for (_, request) in std::mem::take(&mut self.desk.sent) {
                match request {
                    BrokerRequest::Submit { terms, .. } => self.submits.push(terms.id),
                    BrokerRequest::Cancel { .. } => self.cancels += 1,
                    BrokerRequest::Find { .. } if self.level == Level::L4 => self.finds += 1,
                    BrokerRequest::Find { order } => panic!("{order} is looked up at a broker with lists"),
                }
            }
            let Some(id) = self.desk.reads.pop_front() else { return };
            let answer = match self.broken {
                Some(why) => Err(ReadFailed(why.into())),
                None => {
                    let (began, ended) = (self.desk.at, self.desk.at);
                    Ok(Arc::new(Snapshot { began, ended, ..self.lists.clone() }))
                }
            };
            self.desk.tell_account(&id, AccountInput::Read(answer));
        }
        panic!("the account reads without end");
    }

    /// Lets the time pass, with everything that wants to be woken.
    pub(crate) fn pass(&mut self, secs: i64) {
        let to = self.desk.at.plus(Span::from_secs(secs));
        while let Some(next) = self.desk.wake_at().filter(|next| *next <= to) {
            self.desk.set_clock(next);
            self.run();
        }
        self.desk.set_clock(to);
        self.run();
    }

    pub(crate) fn signal(&mut self, side: Side, qty: i64, limit: Option<i64>) -> OrderId {
        let id = SignalId::new(self.next);
        self.next += 1;
        self.desk.accept(Signal {
            id,
            source: Source::Signal,
            strategy: strategy(),
            account: None,
            client: ClientId::parse("x").expect("a name"),
            client_signal_id: format!("k{}", id.get()).into(),
            symbol: symbol(),
            side: Some(side),
            position_effect: None,
            size: Size::Quantity(Qty::new(qty)),
            ord_type: if limit.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price: limit.map(Price::from_e4),
            time_in_force: TimeInForce::Day,
            valid_until: None,
            execution: None,
            tag: None,
            received_at: self.desk.at,
            notes: Notes::default(),
        });
        self.run();
        id.parent(0).order(1)
    }

    pub(crate) fn buy(&mut self, qty: i64) -> OrderId {
        self.signal(Side::Buy, qty, Some(100_000))
    }

    pub(crate) fn say(&mut self, order: OrderId, what: Report) {
        self.tell(AccountInput::Broker(BrokerReport { order, what }));
    }

    /// The answer to the order is lost.
    pub(crate) fn lose(&mut self, order: OrderId) {
        self.say(order, Report::Lost { cause: "no answer".into() });
    }

    /// A row in the list of orders, as working, at this instant.
    pub(crate) fn list(&mut self, number: &str, side: Side, qty: i64, px: i64) -> &mut ListedOrder {
        let at = self.desk.at;
        self.lists.orders.push(ListedOrder {
            no: no(number),
            tag: None,
            symbol: symbol(),
            side,
            qty: Qty::new(qty),
            px: Some(Price::from_e4(px)),
            cum_qty: Qty::ZERO,
            canceled_qty: Qty::ZERO,
            status: ListedStatus::Working,
            at,
        });
        self.lists.orders.last_mut().expect("a row")
    }

    /// The order as the broker would list it, with our tag.
    pub(crate) fn list_tagged(&mut self, number: &str, order: OrderId, qty: i64) {
        self.list(number, Side::Buy, qty, 100_000).tag = Some(order.client_order_id(tag()).as_str().into());
    }

    /// The market trades with a listed order, and the broker lists it everywhere.
    pub(crate) fn trade(&mut self, number: &str, qty: i64, px: i64) {
        let at = self.desk.at;
        let row = self.lists.orders.iter_mut().find(|row| row.no == no(number)).expect("a row");
        row.cum_qty += Qty::new(qty);
        if row.cum_qty == row.qty {
            row.status = ListedStatus::Filled;
        }
        let (side, exec_id) = (row.side, ExecId(format!("{number}/{}", row.cum_qty).into()));
        let (qty, px) = (Qty::new(qty), Price::from_e4(px));
        self.lists.trades.push(ListedTrade { no: no(number), exec_id, symbol: symbol(), side, qty, px, at });
        self.lists.positions[0].qty += if side == Side::Buy { qty } else { Qty::ZERO - qty };
    }

    pub(crate) fn order(&self, id: OrderId) -> Order {
        self.desk.tables().orders.get(&id).map(|order| (**order).clone()).expect("an order")
    }

    pub(crate) fn status(&self, id: OrderId) -> &'static str {
        self.order(id).reported().into()
    }

    pub(crate) fn parked(&self, id: OrderId) -> Option<ParkReason> {
        self.order(id).parked
    }

    pub(crate) fn submits(&self, id: OrderId) -> usize {
        self.submits.iter().filter(|submitted| **submitted == id).count()
    }

    /// Lookups by our id so far.
    pub(crate) const fn finds(&self) -> usize {
        self.finds
    }

    /// The terminal is restarted, and calls every order by another number.
    pub(crate) fn renumber(&mut self, by: &str) {
        let other = |number: &mut BrokerOrderId| *number = no(&format!("{by}{}", number.0));
        self.lists.orders.iter_mut().for_each(|row| other(&mut row.no));
        self.lists.trades.iter_mut().for_each(|trade| other(&mut trade.no));
    }

    pub(crate) const fn cancels(&self) -> usize {
        self.cancels
    }

    pub(crate) fn alarmed(&self, what: impl Fn(&Alarm) -> bool) -> bool {
        self.desk.alarms.iter().any(what)
    }

    pub(crate) fn exceptions(&self) -> Vec<Exception> {
        self.desk.tables().exceptions.values().map(|e| (**e).clone()).collect()
    }

    pub(crate) fn open(&self) -> Vec<String> {
        self.exceptions().iter().filter(|e| e.is_open()).map(|e| e.key.to_string()).collect()
    }

    pub(crate) fn resolve(&mut self, order: OrderId, resolution: Resolution) -> Result<(), Unresolvable> {
        let (by, note) = ("ann".into(), "looked at the terminal".into());
        let before = self.desk.resolved.len();
        self.tell(AccountInput::Resolve { order, resolution, by, note });
        self.desk.resolved.get(before).cloned().expect("an answer")
    }

    pub(crate) fn settle(&mut self, key: &str, settlement: Settlement) -> Result<(), Unsettleable> {
        let (by, note) = ("ann".into(), "looked at the terminal".into());
        let before = self.desk.settled.len();
        self.tell(AccountInput::Settle(Settle { key: key.into(), settlement, by, note }));
        self.desk.settled.get(before).cloned().expect("an answer")
    }

    /// The time of day, for people who read a failure.
    pub(crate) fn clock(&self) -> i64 {
        china_date_time(self.desk.at).1 / 1_000_000
    }
}

impl Drop for Bench {
    /// Whatever happened, the journal tells the same as the rows.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.desk.commit();
            let differences = self.desk.replay().differences(&self.desk.tables());
            assert!(differences.is_empty(), "at {}: {differences:#?}", self.clock());
        }
    }
}
