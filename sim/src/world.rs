//! One random world: a pocket desk, brokers that tell the truth badly, and the steps that move them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::rc::Rc;

use signalbox_domain::account::AccountInput;
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Level, Report};
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::{AccountId, BrokerOrderId, ClientId, ExecId, OrderId, SignalId};
use signalbox_domain::market::Market;
use signalbox_domain::order::{OrdStatus, OrdType, Side, TimeInForce};
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::risk::RiskInput;
use signalbox_domain::risk::limits::Crossing;
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::strategy::{StrategyInput, StrategyState};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Span};

use crate::desk::Desk;
use crate::house::{self, Brokers, account, strategy, symbol};
use crate::oracle::{Oracle, must};

/// One step, as numbers: what they choose depends on the world as it is then.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    kind: Kind,
    a: u32,
    b: u32,
    c: u32,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Somebody wants something.
    Signal,
    Quote,
    /// One core takes one step.
    Step,
    Settle,
    Commit,
    /// The broker gets the next request, and does with it what it likes.
    Request,
    /// The account hears the broker's next answer.
    Answer,
    /// The account hears something that the broker said unasked, once or twice, in any order.
    Push,
    /// The market trades with an order.
    Trade,
    CancelSignal,
    CancelOrder,
    CancelAll,
    TradingState,
    StrategyState,
    /// The exchange or the broker ends an order.
    BrokerEnds,
    Later,
    Tomorrow,
    Restart,
}

const KINDS: &[(Kind, u32)] = &[
    (Kind::Signal, 14),
    (Kind::Quote, 4),
    (Kind::Step, 30),
    (Kind::Settle, 8),
    (Kind::Commit, 10),
    (Kind::Request, 24),
    (Kind::Answer, 20),
    (Kind::Push, 16),
    (Kind::Trade, 20),
    (Kind::CancelSignal, 5),
    (Kind::CancelOrder, 3),
    (Kind::CancelAll, 1),
    (Kind::TradingState, 3),
    (Kind::StrategyState, 3),
    (Kind::BrokerEnds, 2),
    (Kind::Later, 6),
    (Kind::Tomorrow, 3),
    (Kind::Restart, 3),
];

/// The steps of a world, all from one number (SplitMix64).
pub fn ops(seed: u64) -> Vec<Op> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5167_a1b0;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as u32
    };
    let all: u32 = KINDS.iter().map(|(_, weight)| weight).sum();
    let len = 20 + next() % 60;
    (0..len)
        .map(|_| {
            let mut at = next() % all;
            let mut kind = Kind::Step;
            for (candidate, weight) in KINDS {
                if at < *weight {
                    kind = *candidate;
                    break;
                }
                at -= weight;
            }
            Op { kind, a: next(), b: next(), c: next() }
        })
        .collect()
}

/// What the broker knows of one order: the truth.
#[derive(Debug)]
struct Truth {
    account: AccountId,
    side: Side,
    limit: i64,
    qty: i64,
    cum: i64,
    fills: Vec<(ExecId, i64, i64)>,
    end: Option<Report>,
}

#[derive(Debug)]
pub struct World {
    desk: Desk,
    oracle: Oracle,
    seen: usize,
    truth: BTreeMap<OrderId, Truth>,
    answers: BTreeMap<AccountId, VecDeque<BrokerReport>>,
    pushes: Vec<(AccountId, BrokerReport)>,
    next_signal: u64,
    last: BTreeMap<Symbol, i64>,
}

impl World {
    pub fn new(market: Rc<Market>) -> Self {
        // The worlds are about brokers: what crosses is told of and goes on its way.
        let (levels, doubt, crossing) = ([Level::L4, Level::L2, Level::L4], DoubtConf::default(), Crossing::Warn);
        let brokers = Brokers { levels, lists: false, doubt, crossing };
        let desk = house::open(market, &brokers, None);
        let mut world = Self {
            desk,
            oracle: oracle(),
            seen: 0,
            truth: BTreeMap::new(),
            answers: BTreeMap::new(),
            pushes: Vec::new(),
            next_signal: 1,
            last: (0..3).map(|n| (symbol(n), 100_000)).collect(),
        };
        world.quote();
        world
    }

    fn quote(&mut self) {
        for (symbol, last) in &self.last {
            self.desk.quotes.put(Quote {
                symbol: *symbol,
                last: Price::from_e4(*last),
                bid: None,
                ask: None,
                bid_size: None,
                ask_size: None,
                volume: None,
                prev_close: Some(Price::from_e4(100_000)),
                at: self.desk.at,
            });
        }
        self.desk.quoted();
    }

    pub fn act(&mut self, op: Op) -> Result<(), String> {
        let Op { kind, a, b, c } = op;
        match kind {
            Kind::Signal => self.signal(a, b, c),
            Kind::Quote => {
                self.last.insert(symbol(a), 95_000 + i64::from(b % 100) * 100);
                self.quote();
            }
            Kind::Step => {
                for _ in 0..=b % 4 {
                    let busy = self.desk.busy();
                    if busy > 0 {
                        self.desk.step(a as usize % busy);
                        self.look()?;
                    }
                }
            }
            Kind::Settle => self.desk.settle(),
            Kind::Commit => self.desk.commit(),
            Kind::Request => self.request(a, b)?,
            Kind::Answer => self.answer(a)?,
            Kind::Push => self.push(a, b),
            Kind::Trade => self.trade(a, b, c),
            Kind::CancelSignal => {
                let live: Vec<SignalId> = self.desk.signals.keys().rev().take(6).copied().collect();
                if !live.is_empty() {
                    let signal = live[a as usize % live.len()];
                    let of = self.desk.signals[&signal].strategy.clone();
                    self.desk.tell_strategy(&of, StrategyInput::Cancel { signal, who: "ann".into() });
                }
            }
            Kind::CancelOrder => {
                let live: Vec<(AccountId, OrderId)> = self.live();
                if !live.is_empty() {
                    let (account, order) = live[a as usize % live.len()].clone();
                    if c.is_multiple_of(3) {
                        let order = self.desk.accounts[&account].order(order).cloned();
                        order.into_iter().for_each(|order| self.desk.replace(&order, b));
                    } else {
                        self.desk.tell_account(&account, AccountInput::Cancel { order, reason: "ann".into() });
                    }
                }
            }
            Kind::CancelAll => {
                let side = [None, Some(Side::Buy), Some(Side::Sell)][b as usize % 3];
                let input = AccountInput::CancelAll { side, strategy: None, reason: "ann".into() };
                self.desk.tell_account(&account(["a", "b", "c"][a as usize % 3]), input);
            }
            Kind::TradingState => {
                let scope = match a % 4 {
                    0 => Scope::Account(account("a")),
                    1 => Scope::Strategy(strategy("t")),
                    _ => Scope::Global,
                };
                let states = [TradingState::Active, TradingState::Reducing, TradingState::Halted, TradingState::Active];
                let state = states[b as usize % 4];
                self.desk.tell_risk(RiskInput::SetTradingState {
                    scope,
                    state,
                    who: "ann".into(),
                    reason: "test".into(),
                });
            }
            Kind::StrategyState => {
                let states =
                    [StrategyState::Active, StrategyState::Paused, StrategyState::Active, StrategyState::Stopped];
                let state = states[b as usize % 4];
                let of = strategy(["s", "t", "u"][a as usize % 3]);
                self.desk
                    .tell_strategy(&of, StrategyInput::SetState { state, who: "ann".into(), reason: "test".into() });
            }
            Kind::BrokerEnds => {
                let working: Vec<OrderId> = self.working();
                if !working.is_empty() {
                    let id = working[a as usize % working.len()];
                    self.end_order(id, Report::Canceled { text: "by the exchange".into() });
                }
            }
            Kind::Later => {
                self.desk.set_clock(self.desk.at.plus(Span::from_ms(i64::from(b % 10_000))));
                self.quote();
            }
            Kind::Tomorrow => self.tomorrow()?,
            Kind::Restart => self.crash()?,
        }
        self.look()
    }

    fn signal(&mut self, a: u32, b: u32, c: u32) {
        let name = ["s", "s", "t", "u", "manual"][a as usize % 5];
        let by_hand = (name == "manual").then(|| account(["b", "c"][b as usize % 2]));
        let lots = i64::from(b / 2 % 12) * 50;
        let side = if c.is_multiple_of(2) { Side::Buy } else { Side::Sell };
        let size = match c / 2 % 3 {
            0 if by_hand.is_none() => Size::TargetQuantity(Qty::new(lots)),
            _ => Size::Quantity(Qty::new(lots.max(50))),
        };
        let symbol = symbol(a / 5);
        let tick = |n: u32| Price::from_e4(98_000 + i64::from(n % 40) * 100);
        let limit_price = (!c.is_multiple_of(7)).then(|| tick(c / 6));
        let valid = self.desk.at.plus(Span::from_secs(5 + i64::from(b % 40)));
        let id = SignalId::new(self.next_signal);
        self.next_signal += 1;
        self.desk.accept(Signal {
            id,
            source: if by_hand.is_some() { Source::Manual } else { Source::Signal },
            strategy: strategy(name),
            account: by_hand,
            client: ClientId::parse("x").expect("a name"),
            client_signal_id: format!("k{}", id.get()).into(),
            symbol,
            side: matches!(size, Size::Quantity(_)).then_some(side),
            position_effect: None,
            size,
            ord_type: if limit_price.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price,
            time_in_force: TimeInForce::Day,
            valid_until: b.is_multiple_of(3).then_some(valid),
            execution: None,
            tag: None,
            received_at: self.desk.at,
            notes: Notes::default(),
        });
    }

    fn live(&self) -> Vec<(AccountId, OrderId)> {
        let of = |(id, core): (&AccountId, &signalbox_domain::account::Account)| {
            core.live().map(|order| (id.clone(), order.id())).collect::<Vec<_>>()
        };
        self.desk.accounts.iter().flat_map(of).collect()
    }

    fn working(&self) -> Vec<OrderId> {
        self.truth.iter().filter(|(_, t)| t.end.is_none() && t.cum < t.qty).map(|(id, _)| *id).collect()
    }

    fn say(&mut self, account: &AccountId, order: OrderId, what: Report) {
        self.answers.entry(account.clone()).or_default().push_back(BrokerReport { order, what });
    }

    /// The next request reaches the broker, or does not, and its answer comes, or does not.
    fn request(&mut self, a: u32, luck: u32) -> Result<(), String> {
        if self.desk.sent.is_empty() {
            return Ok(());
        }
        let Some((account, request)) = self.desk.sent.remove(a as usize % self.desk.sent.len().min(3)) else {
            return Ok(());
        };
        let id = request.order();
        let lost = || Report::Lost { cause: "no answer".into() };
        match request {
            BrokerRequest::Submit { terms, .. } => {
                let enforces_ids = self.desk.setups[&account].conf.capabilities.level == Level::L4;
                if let Some(truth) = self.truth.get(&id) {
                    must!(enforces_ids, "the same order went twice to a broker that does not enforce ids");
                    must!(truth.qty == terms.qty.get(), "the same id with other terms");
                    self.say(&account, id, accepted(id));
                    return Ok(());
                }
                if luck.is_multiple_of(5) {
                    self.say(&account, id, lost()); // and nothing arrived
                    return Ok(());
                }
                let truth = Truth {
                    account: account.clone(),
                    side: terms.side,
                    limit: terms.limit_price.map_or(0, Price::e4),
                    qty: terms.qty.get(),
                    cum: 0,
                    fills: Vec::new(),
                    end: None,
                };
                self.truth.insert(id, truth);
                match luck % 11 {
                    0 => {
                        self.say(&account, id, Report::Rejected { text: "no".into() });
                        if let Some(truth) = self.truth.get_mut(&id) {
                            truth.end = Some(Report::Rejected { text: "no".into() });
                        }
                    }
                    1 | 2 => self.say(&account, id, lost()), // but it works
                    _ => self.say(&account, id, accepted(id)),
                }
            }
            BrokerRequest::Cancel { order, .. } => {
                if luck.is_multiple_of(6) {
                    self.say(&account, order, lost()); // and nothing arrived
                    return Ok(());
                }
                let works = self.truth.get(&order).is_some_and(|t| t.end.is_none() && t.cum < t.qty);
                if !works {
                    self.say(&account, order, Report::CancelRejected { text: "too late".into() });
                    return Ok(());
                }
                let canceled = Report::Canceled { text: "canceled".into() };
                match luck % 5 {
                    0 => {
                        self.end_order(order, canceled);
                        self.say(&account, order, lost());
                    }
                    1 => self.end_order(order, canceled),
                    _ => {
                        if let Some(truth) = self.truth.get_mut(&order) {
                            truth.end = Some(canceled.clone());
                        }
                        self.say(&account, order, canceled);
                    }
                }
            }
            BrokerRequest::Find { order } => {
                if luck.is_multiple_of(4) {
                    self.say(&account, order, lost());
                } else {
                    self.tell_all(&account, order);
                }
            }
        }
        Ok(())
    }

    fn tell_all(&mut self, account: &AccountId, order: OrderId) {
        let Some(truth) = self.truth.get(&order) else {
            return self.say(account, order, Report::NotFound);
        };
        let mut all = Vec::new();
        if !matches!(truth.end, Some(Report::Rejected { .. })) {
            all.push(accepted(order));
        }
        all.extend(truth.fills.iter().map(|(exec_id, qty, px)| filled(exec_id, *qty, *px, self.desk.at)));
        all.extend(truth.end.clone());
        for what in all {
            self.say(account, order, what);
        }
    }

    fn end_order(&mut self, id: OrderId, what: Report) {
        if let Some(truth) = self.truth.get_mut(&id) {
            truth.end = Some(what.clone());
            self.pushes.push((truth.account.clone(), BrokerReport { order: id, what }));
        }
    }

    fn answer(&mut self, a: u32) -> Result<(), String> {
        let waiting: Vec<AccountId> =
            self.answers.iter().filter(|(_, q)| !q.is_empty()).map(|(id, _)| id.clone()).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let account = &waiting[a as usize % waiting.len()];
        if let Some(report) = self.answers.get_mut(account).and_then(VecDeque::pop_front) {
            if report.what == Report::NotFound {
                must!(!self.truth.contains_key(&report.order), "a request overtook another");
                self.oracle.not_found.insert(report.order);
            }
            self.desk.tell_account(account, AccountInput::Broker(report));
        }
        Ok(())
    }

    fn push(&mut self, a: u32, luck: u32) {
        if self.pushes.is_empty() {
            return;
        }
        let n = a as usize % self.pushes.len();
        let (account, report) = self.pushes[n].clone();
        // Twice now and then; and what is no fill may get lost.
        if !luck.is_multiple_of(5) {
            self.pushes.remove(n);
        }
        if matches!(report.what, Report::Filled { .. }) || !luck.is_multiple_of(7) {
            self.desk.tell_account(&account, AccountInput::Broker(report));
        }
    }

    fn trade(&mut self, a: u32, b: u32, c: u32) {
        let working = self.working();
        if working.is_empty() {
            return;
        }
        let id = working[a as usize % working.len()];
        let Some(truth) = self.truth.get_mut(&id) else { return };
        let left = truth.qty - truth.cum;
        let qty = if b.is_multiple_of(3) { left } else { (i64::from(b) % left).max(1) };
        let better = i64::from(c % 3) * 100;
        let px = match (truth.limit, truth.side) {
            (0, _) => 105_000 - better,
            (limit, Side::Buy) => limit - better,
            (limit, Side::Sell) => limit + better,
        };
        truth.cum += qty;
        let exec_id = ExecId(format!("{id}/{}", truth.fills.len()).into());
        truth.fills.push((exec_id.clone(), qty, px));
        let report = BrokerReport { order: id, what: filled(&exec_id, qty, px, self.desk.at) };
        self.pushes.push((truth.account.clone(), report));
    }

    /// The session ends: what works at a broker expires, and is told before the next day begins. The night is long
    /// enough for every answer.
    fn tomorrow(&mut self) -> Result<(), String> {
        let Some(end) = self.desk.market.calendar.session_end(self.desk.at) else { return Ok(()) };
        self.desk.set_clock(end.plus(Span::from_us(1)));
        for id in self.working() {
            self.end_order(id, Report::Expired);
        }
        for (account, report) in std::mem::take(&mut self.pushes) {
            self.desk.tell_account(&account, AccountInput::Broker(report));
        }
        self.calm()?;
        if let Some(end) = self.desk.market.calendar.day_end(self.desk.at) {
            self.desk.set_clock(end);
        }
        self.desk.start_day();
        self.desk.settle();
        self.look()?;
        if let Some(open) = self.desk.market.next_open(symbol(0), self.desk.at) {
            self.desk.set_clock(open);
        }
        self.quote();
        Ok(())
    }

    /// The process ends in the middle of things: what was on its way to it is gone.
    fn crash(&mut self) -> Result<(), String> {
        self.restart()?;
        for id in self.truth.keys() {
            must!(self.oracle.orders.contains_key(id), "the broker has an order that nobody made durable");
        }
        let (told, known) = (self.next_signal - 1, self.desk.signals.len() as u64);
        must!(told == known, "{told} signals were accepted and {known} are known after the crash");
        Ok(())
    }

    fn restart(&mut self) -> Result<(), String> {
        self.desk.restart();
        self.answers.clear();
        self.oracle = {
            let mut oracle = oracle();
            for entry in &self.desk.journal {
                for event in &entry.events {
                    oracle.apply(event, false)?;
                }
            }
            oracle
        };
        self.seen = self.desk.journal.len();
        self.pushes.clear();
        Ok(())
    }

    /// Everything new in the journal, and everything that must agree now.
    fn look(&mut self) -> Result<(), String> {
        for entry in &self.desk.journal[self.seen..] {
            self.oracle.at = Some(entry.at);
            for event in &entry.events {
                self.oracle.apply(event, true)?;
            }
        }
        self.seen = self.desk.journal.len();
        for (id, how) in std::mem::take(&mut self.oracle.just_ended) {
            let works = |truth: &Truth| truth.end.is_none() && truth.cum < truth.qty;
            must!(!self.truth.get(&id).is_some_and(works), "order {id} counts as {how:?} and works at the broker");
        }
        for (id, core) in &self.desk.accounts {
            let ledger = self.desk.ledgers.get(id).ok_or("no ledger")?;
            must!(i128::from(ledger.cash.e4()) == self.oracle.cash[id], "{id} has {} in cash", ledger.cash);
            let flows = ledger.flows().ok_or("no flows")?;
            must!(flows.cash() == ledger.cash, "{flows:?} do not lead to {} in {id}", ledger.cash);
            for n in 0..3 {
                let key = (id.clone(), symbol(n));
                let held = i128::from(ledger.holding(symbol(n)).qty.get());
                let true_held = self.oracle.position.get(&key).copied().unwrap_or_default();
                must!(held == true_held, "{id} holds {held} of {} and should hold {true_held}", symbol(n));
            }
            must!(ledger.books().iter().all(|b| b.bought_today <= b.qty.max(Qty::ZERO)), "more of today than there is");
            for order in core.live() {
                must!(order.cum_qty <= order.terms.qty, "order {} is overfilled", order.id());
            }
        }
        if self.desk.busy() == 0 {
            for id in self.desk.accounts.keys() {
                let (found, due) = (i128::from(self.desk.risk.reserved_cash(id).e4()), self.oracle.reserved(id));
                must!(found == due, "{id} has {found} set aside and its orders need {due}");
                for (n, book) in [(0, "s"), (0, "t"), (0, "u"), (0, "manual"), (1, "t"), (2, "t")] {
                    let (sells, _) = self.desk.risk.reserved_qty(id, symbol(n), &strategy(book));
                    let due = self.oracle.selling(id, symbol(n), &strategy(book));
                    must!(i128::from(sells.get()) == due, "{id} has {sells} shares of {book} set aside, not {due}");
                }
            }
            must!(self.desk.risk.live_len() == self.oracle.live_len(), "risk knows orders that are not live");
        }
        Ok(())
    }

    /// No more faults: everything must come to its end, and books and journal and broker agree.
    pub fn end(&mut self) -> Result<(), String> {
        for scope in [Scope::Global, Scope::Account(account("a")), Scope::Strategy(strategy("t"))] {
            let state = TradingState::Active;
            self.desk.tell_risk(RiskInput::SetTradingState { scope, state, who: "ann".into(), reason: "end".into() });
        }
        self.calm()?;
        self.desk.settle();
        self.look()?;
        self.restart()?;
        self.calm()?;
        self.tomorrow()?;
        self.calm()?;
        self.tomorrow()?;
        self.calm()?;
        let rows = self.desk.tables().orders;
        for (id, truth) in &self.truth {
            let known = &self.oracle.orders[id];
            let doubted = !known.ended;
            must!(
                doubted || (rows[id].status == OrdStatus::Filled) == (truth.cum == truth.qty),
                "order {id} counts as {:?} and {} of {} are filled",
                rows[id].status,
                truth.cum,
                truth.qty
            );
            must!(
                doubted || known.cum == i128::from(truth.cum),
                "order {id}: the broker filled {} and the books {}",
                truth.cum,
                known.cum
            );
        }
        // At a broker that does not enforce ids, a doubt that finds nothing waits for a person.
        let doubts = self.desk.accounts[&account("b")].doubts();
        must!(self.oracle.live_len() <= doubts + self.behind_doubts(), "an order never ends");
        let active: usize = self.desk.strategies.values().map(signalbox_domain::strategy::Strategy::active_len).sum();
        must!(active <= self.oracle.live_len(), "{active} signals never end");
        let forgotten = self.oracle.forgotten_legs();
        must!(forgotten == 0, "{forgotten} legs became neither an order nor a denial");
        let worked_on = self.desk.tables().signals;
        for (id, signal) in &self.desk.signals {
            let waits = !self.desk.strategies[&signal.strategy].takes_signals();
            must!(waits || worked_on.contains_key(id), "signal {id} was accepted and nobody looked at it");
        }
        self.agree()
    }

    /// What happened, for a person who looks for the reason.
    pub fn story(&self) -> String {
        let mut story = String::new();
        for entry in self.desk.journal.iter().skip(10) {
            for event in &entry.events {
                let _ = writeln!(story, "{} {event:?}", entry.at.us() % 86_400_000_000);
            }
        }
        story
    }

    /// Orders that a doubt holds back.
    fn behind_doubts(&self) -> usize {
        self.desk.accounts[&account("b")].queue_len()
    }

    /// Lets everything happen, with a broker that answers.
    fn calm(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            self.desk.settle();
            self.look()?;
            while !self.desk.sent.is_empty() {
                self.request(0, 37)?; // a number that loses nothing
            }
            while self.answers.values().any(|waiting| !waiting.is_empty()) {
                self.answer(0)?;
            }
            while !self.pushes.is_empty() {
                self.push(0, 1);
            }
            if self.desk.busy() == 0 {
                match self.desk.wake_at().filter(|at| at.since(self.desk.at).us() < 60_000_000) {
                    Some(at) => self.desk.set_clock(at),
                    None => return Ok(()),
                }
            }
        }
        Err("it never comes to rest".into())
    }

    /// The rows that are durable and the state in memory are what the journal tells.
    fn agree(&self) -> Result<(), String> {
        let (replay, tables) = (self.desk.replay(), self.desk.tables());
        let late = |what: &str| {
            let signal = |order: &OrderId| format!("signal {}", order.signal());
            let parent = |order: &OrderId| format!("parent {}", order.parent());
            self.oracle.late_fills.iter().any(|order| what == signal(order) || what == parent(order))
        };
        let differences: Vec<_> = replay.differences(&tables).into_iter().filter(|d| !late(&d.what)).collect();
        must!(differences.is_empty(), "journal and rows differ: {differences:#?}");
        for (id, ledger) in &replay.ledgers {
            let live = self.desk.ledgers.get(id).ok_or("no ledger")?;
            must!(ledger.agrees_with(live), "the journal makes another ledger: {ledger:?}, not {live:?}");
            for order in self.desk.accounts[id].live() {
                let told = replay.orders.get(&order.id()).ok_or("an order without a journal")?;
                must!(told == order, "the journal makes another order: {told:?}, not {order:?}");
            }
        }
        must!(replay.state_hash() == self.desk.replay().state_hash(), "a replay is not repeatable");
        Ok(())
    }
}

fn oracle() -> Oracle {
    let mut oracle = Oracle::default();
    oracle.one_at_a_time.insert(account("b"));
    oracle
}

fn accepted(order: OrderId) -> Report {
    Report::Accepted { broker_order_id: BrokerOrderId(format!("B{}", order.get()).into()) }
}

fn filled(exec_id: &ExecId, qty: i64, px: i64, at: signalbox_domain::units::Timestamp) -> Report {
    Report::Filled { exec_id: exec_id.clone(), qty: Qty::new(qty), px: Price::from_e4(px), at }
}
