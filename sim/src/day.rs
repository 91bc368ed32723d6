//! One trading day: the desk at brokers that lie, over lines that break, in a process that ends when it likes.
//!
//! Time is a list of happenings. While the day lasts everything goes wrong that its seed wants; then the trouble ends,
//! and within ten minutes every order has to come to its end or to a person, who knows the truth. After the close books
//! and broker are compared, and the journal with the rows.

mod clients;
mod end;
mod evening;
mod night;
mod promises;
mod session;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;
use signalbox_brokers::fake::adapter::{Facts, FakeAdapter};
use signalbox_brokers::fake::fault::{Arm, Fault};
use signalbox_brokers::fake::wire::{CancelRequest, Control, FillPolicy, PushRequest, Status};
use signalbox_brokers::fake::{FakeBroker, FakeConf, OrderTruth, renumbered};
use signalbox_domain::account::{AccountInput, Resolution, Settle, Settlement};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Level, ReadFailed, Report, Snapshot};
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::{AccountId, BrokerOrderId, ClientId, InstallationTag, OrderId, SignalId};
use signalbox_domain::market::Market;
use signalbox_domain::order::{InFlight, OrdStatus, OrdType, Order, OrderTerms, Side, TimeInForce};
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::reconcile::exception::ExceptionKind;
use signalbox_domain::risk::RiskInput;
use signalbox_domain::risk::limits::Crossing;
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::units::{Price, Qty, Span, Timestamp};

use crate::campaign::Tally;
use crate::desk::Desk;
use crate::house::{self, ACCOUNTS, Brokers, account, strategy, symbol};
use crate::line::{Fate, Line};
use crate::oracle::{Oracle, must};
use crate::trouble::{Faults, Trouble, stream};

use session::{Ask, Session};

/// Lives through the day of a seed. The error is the promise that was broken, and the story of the day.
///
/// # Errors
/// See above.
pub fn live(market: &Rc<Market>, seed: u64, faults: Faults) -> Result<Tally, String> {
    let mut day = Day::dawn(market.clone(), seed, faults);
    match day.pass() {
        Ok(()) => Ok(day.tally),
        Err(broken) => Err(format!("{broken}\n{}", day.story())),
    }
}

/// The same, with its story, whatever becomes of it.
pub fn tell(market: &Rc<Market>, seed: u64, faults: Faults) -> (Result<(), String>, String) {
    let mut day = Day::dawn(market.clone(), seed, faults);
    let end = day.pass();
    (end, day.story())
}

/// What happens at some instant.
#[derive(Debug)]
enum Happening {
    Answered {
        account: usize,
        life: u32,
        reports: Vec<BrokerReport>,
    },
    Listed {
        account: usize,
        life: u32,
        read: Result<Arc<Snapshot>, ReadFailed>,
    },
    Heard {
        account: usize,
        life: u32,
    },
    Connect {
        account: usize,
        life: u32,
    },
    /// It was on its way when the process that asked it ended.
    Late {
        account: usize,
        request: BrokerRequest,
    },
    Signal,
    Prices,
    Decide,
    Transfer,
    Hand,
    /// Somebody sees no answer to an order, and does something about it by hand.
    HandBeside {
        account: usize,
        order: Arc<OrderTerms>,
    },
    Kill(bool),
    Cancel,
    /// Somebody wants an order otherwise.
    Replace,
    Crash,
    Suspend,
}

struct Day {
    desk: Desk,
    oracle: Oracle,
    seen: usize,
    line: Line,
    sessions: Vec<Session>,
    life: u32,
    now: Timestamp,
    /// The desk's clock before the world's.
    ahead: Span,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    next_entry: u64,
    next_signal: u64,
    faults: Faults,
    troubled: bool,
    /// The process ends after so many steps more.
    ends_in: Option<u32>,
    /// Orders whose doubt a person settled.
    settled: BTreeSet<OrderId>,
    /// When nobody looks any more until the next morning.
    night_at: Option<Timestamp>,
    /// Orders that lived then.
    overnight: BTreeSet<OrderId>,
    clients: ChaCha8Rng,
    network: ChaCha8Rng,
    order: ChaCha8Rng,
    time: ChaCha8Rng,
    wishes: ChaCha8Rng,
    hands: ChaCha8Rng,
    second_thoughts: ChaCha8Rng,
    /// The last prices, in ten-thousandths.
    last: [i64; 3],
    tally: Tally,
}

/// Long enough for every proof of absence.
const CALM: Span = Span::from_secs(600);

/// A doubt that comes of what a person decided is a person's after two minutes.
const SECOND_LOOK: Span = Span::from_secs(150);

/// What happens at one instant has an end.
const AT_ONCE_MAX: u32 = 10_000;

const TAG: &str = "S1";

impl Day {
    fn dawn(market: Rc<Market>, seed: u64, faults: Faults) -> Self {
        let mut dice = stream(seed, 1);
        let level = |n: u32| match n % 8 {
            0 | 1 => Level::L1,
            2 | 3 => Level::L2,
            4 | 5 => Level::L3,
            6 => Level::L4,
            _ => Level::L0,
        };
        let levels = [level(dice.next_u32()), level(dice.next_u32()), level(dice.next_u32())];
        let doubt = DoubtConf { installation: InstallationTag::parse(TAG), ..DoubtConf::default() };
        let manners = faults.has(Trouble::Manners).then(|| house::Manners::of(&mut stream(seed, 8)));
        // Without netting the days are about brokers: what crosses is told of and goes on its way.
        let crossing = if faults.has(Trouble::Netting) { Crossing::Net } else { Crossing::Warn };
        let desk = house::open(market, &Brokers { levels, lists: true, doubt, crossing }, manners);
        let policies = [
            FillPolicy::AtOnce,
            FillPolicy::After { ms: 3_000 },
            FillPolicy::Partly { percent: 50, ms: Some(20_000) },
            FillPolicy::Random { ms: 30_000 },
            FillPolicy::Random { ms: 300_000 },
        ];
        let fills = policies[dice.next_u32() as usize % policies.len()];
        let mut broker = FakeBroker::resume(FakeConf { seed, fills, ..FakeConf::default() }, &[], 1);
        for (name, level) in ACCOUNTS.iter().zip(levels) {
            let id = account(name);
            let ledger = desk.ledgers.get(&id).expect("an open account");
            let mut holdings: BTreeMap<_, Qty> = BTreeMap::new();
            for book in ledger.books() {
                *holdings.entry(book.symbol).or_default() += book.qty;
            }
            let open = Control::Open {
                account: (*name).to_owned(),
                level,
                cash: ledger.cash,
                holdings: holdings.into_iter().collect(),
            };
            broker.control(desk.at, open).expect("a new account");
        }
        for trouble in faults.iter() {
            if let Trouble::Broker(fault, per_mille) = trouble {
                let arm = Arm { per_mille: Some(per_mille), ..Arm::once(fault) };
                broker.control(desk.at, Control::Arm(arm)).expect("a fault");
            }
        }
        let line = Line::to(broker);
        let sessions = levels.iter().enumerate().map(|(n, level)| Session::new(n, *level, &line)).collect();
        let mut day = Self {
            now: desk.at,
            ahead: Span::from_us(0),
            desk,
            oracle: Oracle::default(),
            seen: 0,
            line,
            sessions,
            life: 0,
            agenda: BTreeMap::new(),
            next_entry: 0,
            next_signal: 1,
            faults,
            troubled: true,
            ends_in: None,
            settled: BTreeSet::new(),
            night_at: None,
            overnight: BTreeSet::new(),
            clients: stream(seed, 2),
            network: stream(seed, 3),
            order: stream(seed, 4),
            time: stream(seed, 5),
            wishes: stream(seed, 7),
            hands: stream(seed, 9),
            second_thoughts: stream(seed, 10),
            last: [100_000; 3],
            tally: Tally { days: 1, ..Tally::default() },
        };
        day.oracle.enforced = ACCOUNTS
            .iter()
            .zip(levels)
            .filter(|(_, level)| *level >= Level::L3)
            .map(|(name, _)| account(name))
            .collect();
        day.oracle.one_at_a_time =
            ACCOUNTS.iter().map(|name| account(name)).filter(|id| !day.oracle.enforced.contains(id)).collect();
        day.oracle.lenient = day.faults.dishonest();
        day.oracle.nets = day.faults.has(Trouble::Netting);
        day.plan(&mut dice);
        day
    }

    /// When whoever acts from outside will act.
    fn plan(&mut self, dice: &mut ChaCha8Rng) {
        let open = self.now;
        let within =
            |dice: &mut ChaCha8Rng, secs: u32| open.plus(Span::from_ms(i64::from(dice.next_u32() % (secs * 1_000))));
        for n in 0..self.sessions.len() {
            self.at(open, Happening::Connect { account: n, life: 0 });
        }
        let mut bursts = Vec::new();
        for _ in 0..1 + dice.next_u32() % 3 {
            let burst = within(dice, 1_200);
            bursts.push(burst);
            for _ in 0..2 + dice.next_u32() % 8 {
                let at = burst.plus(Span::from_ms(i64::from(dice.next_u32() % 20_000)));
                self.at(at, Happening::Signal);
            }
        }
        // Most happens where there is something to happen to.
        let busy = |dice: &mut ChaCha8Rng, secs: u32| {
            let burst = bursts[dice.next_u32() as usize % bursts.len()];
            burst.plus(Span::from_ms(i64::from(dice.next_u32() % (secs * 1_000))))
        };
        if self.faults.has(Trouble::Crashes) {
            for _ in 0..1 + dice.next_u32() % 4 {
                let at = if dice.next_u32().is_multiple_of(2) { within(dice, 1_300) } else { busy(dice, 30) };
                self.at(at, Happening::Crash);
            }
        }
        if self.faults.has(Trouble::ByHand) {
            for _ in 0..1 + dice.next_u32() % 3 {
                let at = within(dice, 1_300);
                self.at(at, Happening::Hand);
            }
        }
        if self.faults.has(Trouble::Kill) {
            let at = if dice.next_u32().is_multiple_of(2) { within(dice, 1_200) } else { busy(dice, 20) };
            self.at(at, Happening::Kill(true));
            self.at(at.plus(Span::from_secs(i64::from(dice.next_u32() % 120))), Happening::Kill(false));
        }
        if self.faults.has(Trouble::Suspends) {
            for _ in 0..1 + self.time.next_u32() % 4 {
                let at = open.plus(Span::from_ms(i64::from(self.time.next_u32() % 1_300_000)));
                self.at(at, Happening::Suspend);
            }
        }
        if self.faults.has(Trouble::Night) {
            let burst = bursts[self.time.next_u32() as usize % bursts.len()];
            self.night_at = Some(burst.plus(Span::from_ms(i64::from(self.time.next_u32() % 30_000))));
        }
        if self.faults.has(Trouble::Cancels) {
            for _ in 0..1 + dice.next_u32() % 6 {
                let at = busy(dice, 60);
                self.at(at, Happening::Cancel);
            }
        }
        if self.faults.has(Trouble::Prices) {
            self.at(open, Happening::Prices);
        }
        if self.faults.has(Trouble::Replaces) {
            for _ in 0..1 + self.second_thoughts.next_u32() % 12 {
                let ms = u64::from(self.second_thoughts.next_u32() % 900_000);
                self.soon(ms, Happening::Replace);
            }
        }
        self.people_do_more(1_300);
    }

    /// What people do about more than plain orders.
    fn people_do_more(&mut self, secs: u32) {
        if self.faults.has(Trouble::Manners) {
            for _ in 0..12 {
                let ms = u64::from(self.wishes.next_u32() % (secs * 1_000));
                self.soon(ms, Happening::Decide);
            }
        }
        if self.faults.has(Trouble::Transfers) {
            for _ in 0..1 + self.wishes.next_u32() % 6 {
                let ms = u64::from(self.wishes.next_u32() % (secs * 1_000));
                self.soon(ms, Happening::Transfer);
            }
        }
    }

    fn pass(&mut self) -> Result<(), String> {
        let troubled_until = self.now.plus(Span::from_secs(1_350));
        self.run_until(self.night_at.unwrap_or(troubled_until))?;
        if self.night_at.is_some() {
            self.night()?;
        }
        self.evening(!self.another_day())?;
        if self.another_day() {
            self.next_day()?;
            self.evening(true)?;
        }
        self.count_wishes();
        Ok(())
    }

    /// A night that nobody watches has its own.
    fn another_day(&self) -> bool {
        self.faults.has(Trouble::Tomorrow) && self.night_at.is_none()
    }

    fn at(&mut self, at: Timestamp, happening: Happening) {
        self.next_entry += 1;
        self.agenda.insert((at.max(self.now), self.next_entry), happening);
    }

    fn soon(&mut self, ms: u64, happening: Happening) {
        let at = self.now.plus(Span::from_ms(i64::try_from(ms).unwrap_or(0)));
        self.at(at, happening);
    }

    /// Lets everything happen up to an instant, in the order of time.
    fn run_until(&mut self, end: Timestamp) -> Result<(), String> {
        let mut at_once = 0;
        loop {
            let before = self.now;
            self.work()?;
            let wakes = self.desk.wake_at().map(|at| at.plus(Span::from_us(-self.ahead.us())));
            let due = self.line.broker(|broker| broker.next_due());
            let next = self.agenda.keys().next().map(|(at, _)| *at);
            let Some(at) = [wakes, due, next].into_iter().flatten().min().filter(|at| *at <= end) else {
                self.advance(end);
                return self.work();
            };
            self.advance(at);
            at_once = if self.now > before { 0 } else { at_once + 1 };
            must!(at_once < AT_ONCE_MAX, "{:?} want to be woken at once, again and again", self.desk.due());
            if let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= at) {
                let happening = entry.remove();
                self.happens(happening)?;
            }
        }
    }

    fn advance(&mut self, at: Timestamp) {
        self.now = self.now.max(at);
        let now = self.now;
        self.desk.set_clock(now.plus(self.ahead));
        self.line.broker(|broker| broker.tick(now));
        let at = self.desk.at;
        let spread = self.faults.has(Trouble::Prices).then_some(100);
        for n in 0..3 {
            self.desk.quotes.put(Quote {
                symbol: symbol(n),
                last: Price::from_e4(self.last[n as usize]),
                bid: spread.map(|spread| Price::from_e4(self.last[n as usize] - spread)),
                ask: spread.map(|spread| Price::from_e4(self.last[n as usize] + spread)),
                bid_size: None,
                ask_size: None,
                volume: None,
                prev_close: Some(Price::from_e4(100_000)),
                at,
            });
        }
        self.desk.quoted();
        // Whoever listens hears what is new.
        let life = self.life;
        for account in 0..self.sessions.len() {
            if self.sessions[account].connected && !self.news(account).items.is_empty() {
                let ms = u64::from(self.network.next_u32() % 200);
                self.soon(ms, Happening::Heard { account, life });
            }
        }
    }

    /// The desk does what it has to do now, in any order, and its questions join the queues.
    fn work(&mut self) -> Result<(), String> {
        loop {
            let busy = self.desk.busy();
            if busy == 0 {
                break;
            }
            self.desk.step(self.order.next_u32() as usize % busy);
            self.tally.steps += 1;
            self.look()?;
            if self.order.next_u32().is_multiple_of(16) {
                self.desk.commit();
            }
            match self.ends_in {
                Some(0) => self.crash(false)?,
                left => self.ends_in = left.map(|left| left - 1),
            }
        }
        self.desk.commit();
        while let Some((id, request)) = self.desk.sent.pop_front() {
            self.queue(&id, Ask::Call(request));
        }
        while let Some(id) = self.desk.reads.pop_front() {
            self.queue(&id, Ask::Read);
        }
        Ok(())
    }

    fn happens(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Answered { account, life, reports } if life == self.life => {
                for report in reports {
                    if report.what == Report::NotFound {
                        self.oracle.not_found.insert(report.order);
                    }
                    self.desk.tell_account(&house::account(ACCOUNTS[account]), AccountInput::Broker(report));
                }
                self.sessions[account].asked = None;
                self.free(account);
            }
            Happening::Listed { account, life, read } if life == self.life => {
                self.desk.tell_account(&house::account(ACCOUNTS[account]), AccountInput::Read(read));
                self.free(account);
            }
            Happening::Heard { account, life } if life == self.life && self.sessions[account].connected => {
                let news = self.news(account);
                for report in self.sessions[account].adapter.hear(news) {
                    self.desk.tell_account(&house::account(ACCOUNTS[account]), AccountInput::Broker(report));
                }
            }
            Happening::Connect { account, life } if life == self.life => self.connect(account),
            Happening::Late { account, request } => self.arrives_late(account, &request),
            Happening::Signal => self.signal(),
            Happening::Prices => self.prices_move(),
            Happening::Decide => self.decide(),
            Happening::Transfer if self.troubled => self.transfer(),
            Happening::Hand if self.troubled => self.by_hand(),
            Happening::HandBeside { account, order } if self.troubled => self.by_hand_beside(account, &order),
            Happening::Kill(halt) => {
                let state = if halt { TradingState::Halted } else { TradingState::Active };
                self.set_trading_state(state);
            }
            Happening::Cancel if self.troubled => self.cancel(),
            Happening::Replace => self.replace(),
            Happening::Crash if self.troubled => self.ends_in = Some(self.order.next_u32() % 24),
            Happening::Suspend if self.troubled => self.suspend(),
            _ => {}
        }
        Ok(())
    }

    /// The process ends. What is not durable never was; what is on the line may still arrive.
    fn crash(&mut self, orderly: bool) -> Result<(), String> {
        self.dies(orderly)?;
        if !orderly && self.faults.has(Trouble::ClockJumps) {
            self.restart_with_another_time();
        }
        self.comes_back()
    }

    fn dies(&mut self, orderly: bool) -> Result<(), String> {
        self.ends_in = None;
        if !orderly {
            self.met("crash");
            // Some steps that nobody will know of.
            for _ in 0..self.order.next_u32() % 6 {
                let busy = self.desk.busy();
                if busy > 0 {
                    self.desk.step(self.order.next_u32() as usize % busy);
                    self.look()?;
                }
            }
        }
        // What has left may be on the line.
        for (id, request) in std::mem::take(&mut self.desk.sent) {
            self.maybe_late(place(&id), request);
        }
        Ok(())
    }

    fn comes_back(&mut self) -> Result<(), String> {
        self.desk.restart();
        let mut oracle = Oracle::default();
        oracle.enforced.clone_from(&self.oracle.enforced);
        oracle.one_at_a_time.clone_from(&self.oracle.one_at_a_time);
        (oracle.lenient, oracle.nets) = (self.oracle.lenient, self.oracle.nets);
        for entry in &self.desk.journal {
            for event in &entry.events {
                oracle.apply(event, false)?;
            }
            oracle.entry_ends()?;
        }
        (self.oracle, self.seen) = (oracle, self.desk.journal.len());
        self.life += 1;
        let life = self.life;
        for n in 0..self.sessions.len() {
            let fresh = Session::new(n, self.sessions[n].level, &self.line);
            let gone = std::mem::replace(&mut self.sessions[n], fresh);
            if let Some(request) = gone.asked {
                self.maybe_late(n, request);
            }
            self.soon(100, Happening::Connect { account: n, life });
        }
        Ok(())
    }

    fn maybe_late(&mut self, account: usize, request: BrokerRequest) {
        if self.troubled && self.faults.has(Trouble::LateArrivals) && self.network.next_u32().is_multiple_of(2) {
            let ms = u64::from(self.network.next_u32() % 8_000);
            self.soon(ms, Happening::Late { account, request });
        }
    }

    /// The process stands still for a while, and the world does not. Whether its clock goes on is the machine's choice.
    fn suspend(&mut self) {
        self.met("suspended");
        let for_ms = [3_000, 40_000, 400_000, 900_000][self.time.next_u32() as usize % 4];
        let span = Span::from_ms(1 + i64::from(self.time.next_u32() % for_ms));
        self.world_goes_on(span);
        if self.time.next_u32().is_multiple_of(2) {
            self.ahead = Span::from_us(self.ahead.us() - span.us());
            // The shell notices, because the wall clock went on.
            for name in ACCOUNTS {
                self.desk.tell_account(&account(name), AccountInput::ClockJumped { by: span });
            }
        }
    }

    /// Somebody set the wall clock while the process was down. A new life begins where the stored one ended, or later.
    fn restart_with_another_time(&mut self) {
        self.met("clock set");
        let down = Span::from_ms(i64::from(self.time.next_u32() % 120_000));
        self.world_goes_on(down);
        let by = i64::from(self.time.next_u32() % 1_200_000) - 600_000;
        let stored = self.desk.journal[..self.desk.durable()].last().map_or(self.now, |entry| entry.at);
        self.desk.at = self.now.plus(self.ahead).plus(Span::from_ms(by)).max(stored);
        self.ahead = self.desk.at.since(self.now);
    }

    /// The broker's clock runs on, and nobody here does anything.
    fn world_goes_on(&mut self, span: Span) {
        let until = self.now.plus(span);
        // What has left the process arrives in the world's time.
        let (there, here): (Vec<_>, Vec<_>) = std::mem::take(&mut self.agenda)
            .into_iter()
            .partition(|(key, happening)| key.0 < until && matches!(happening, Happening::Late { .. }));
        for ((due, _), happening) in there {
            self.ticks_until(due);
            self.now = due;
            if let Happening::Late { account, request } = happening {
                self.arrives_late(account, &request);
            }
        }
        self.ticks_until(until);
        self.now = until;
        for (key, happening) in here {
            self.agenda.insert((key.0.max(until), key.1), happening);
        }
    }

    fn ticks_until(&self, until: Timestamp) {
        while let Some(due) = self.line.broker(|broker| broker.next_due()).filter(|due| *due < until) {
            self.line.broker(|broker| broker.tick(due));
        }
    }

    fn arrives_late(&mut self, account: usize, request: &BrokerRequest) {
        self.met("late arrival");
        self.line.next(Fate::Arrives);
        // Nobody hears the answer.
        let mut stranger = Session::new(account, self.sessions[account].level, &self.line);
        now(stranger.adapter.ask(self.now, request));
    }

    /// No more trouble from now on.
    fn calm(&mut self) {
        self.troubled = false;
        self.ends_in = None;
        let at = self.now;
        self.line.broker(|broker| broker.control(at, Control::Disarm)).expect("calm");
        self.set_trading_state(TradingState::Active);
    }

    fn open_doubts(&self) -> Vec<OrderId> {
        self.desk.accounts.values().flat_map(|core| core.live()).filter(|o| o.in_doubt).map(Order::id).collect()
    }

    fn find(&self, id: OrderId) -> Option<&Order> {
        self.desk.accounts.values().find_map(|core| core.order(id))
    }

    /// The broker's orders that bear the id, where nobody but the ledger sees it.
    fn true_orders(&self, id: OrderId) -> Vec<(String, OrderTruth)> {
        let hidden = hidden(id);
        let truth = self.line.broker(|broker| broker.truth());
        let orders = truth.into_iter().flat_map(|(name, acc)| acc.orders.into_iter().map(move |o| (name.clone(), o)));
        orders.filter(|(_, order)| order.hidden == hidden).collect()
    }

    /// Somebody looks at the broker's own screen, where everything is true, and decides.
    fn person_settles(&mut self) -> Result<(), String> {
        for id in self.open_doubts() {
            let Some(order) = self.find(id).cloned() else { continue };
            self.met("settled by a person");
            let first_look = self.settled.insert(id);
            let name = order.terms.account.to_string();
            let mine = self.true_orders(id).into_iter().find(|(of, _)| *of == name);
            let only_cancel = order.in_flight == Some(InFlight::Cancel);
            let other_side = mine.as_ref().is_some_and(|(_, truth)| truth.side != order.terms.side);
            if only_cancel && first_look && (mine.is_none() || id.signal().get() % 2 == 0) {
                // Only its cancel is in doubt: it is asked again. When that does not help, he decides.
                let input = AccountInput::Cancel { order: id, reason: "ann".into() };
                self.desk.tell_account(&order.terms.account, input);
                continue;
            }
            let resolution = match &mine {
                Some((_, truth)) if only_cancel && matches!(truth.status, Status::Working | Status::Filled) => {
                    Resolution::Works
                }
                _ if only_cancel => Resolution::Canceled,
                // Without a mark the row counts as nobody's by itself, when no order is looked for any more; and a row of
                // yesterday is shown to nobody.
                Some(_)
                    if other_side
                        && !self.overnight.contains(&id)
                        && self.sessions[place(&order.terms.account)].level > Level::L1 =>
                {
                    Resolution::External
                }
                Some(_) if other_side => Resolution::Absent,
                Some((_, truth)) => Resolution::Bind(BrokerOrderId(truth.no.as_str().into())),
                None => Resolution::Absent,
            };
            let input = AccountInput::Resolve { order: id, resolution, by: "ann".into(), note: "seen".into() };
            self.desk.tell_account(&order.terms.account, input);
            self.work()?;
        }
        self.person_lays_ghosts()
    }

    /// Rows that fit an order which was proved absent: he knows his own.
    fn person_lays_ghosts(&mut self) -> Result<(), String> {
        let tables = self.desk.tables();
        for ghost in tables.exceptions.values().filter(|e| e.kind == ExceptionKind::Ghost && e.is_open()) {
            self.met("ghost");
            let (of, row) = (ghost.account.to_string(), ghost.evidence.row.as_ref());
            let (Some(order), Some(no)) = (ghost.order, row.map(|row| &row.no.0)) else { continue };
            let truly = self
                .true_orders(order)
                .iter()
                .any(|(name, there)| *name == of && (*there.no == **no || *renumbered(&there.no) == **no));
            must!(self.faults.dishonest() || !truly, "order {order} was proved absent and is {no}");
            let (by, note) = ("ann".into(), "seen".into());
            let settle = Settle { key: ghost.key.clone(), settlement: Settlement::External, by, note };
            self.desk.tell_account(&ghost.account, AccountInput::Settle(settle));
            self.work()?;
        }
        Ok(())
    }

    /// Everything new in the journal, and what must agree at every step.
    fn look(&mut self) -> Result<(), String> {
        for entry in &self.desk.journal[self.seen..] {
            self.oracle.at = Some(entry.at);
            for event in &entry.events {
                self.oracle.apply(event, true)?;
            }
            self.oracle.entry_ends()?;
        }
        self.seen = self.desk.journal.len();
        for (id, how) in std::mem::take(&mut self.oracle.just_ended) {
            self.ended_there(id, how)?;
        }
        if self.desk.busy() == 0 {
            for core in self.desk.accounts.values() {
                let waits = |order: &&Order| order.status == OrdStatus::Initialized && order.in_flight.is_none();
                let waiting = core.live().filter(waits).count();
                must!(waiting <= core.queue_len(), "{waiting} orders wait to be sent and {} will", core.queue_len());
            }
            for name in ACCOUNTS {
                let id = account(name);
                let (found, due) = (i128::from(self.desk.risk.reserved_cash(&id).e4()), self.oracle.reserved(&id));
                must!(self.oracle.lenient || found == due, "{id} has {found} set aside and its orders need {due}");
                if let Some(ledger) = self.desk.ledgers.get(&id) {
                    self.oracle.locks_no_more(ledger)?;
                    let flows = ledger.flows().ok_or("no flows")?;
                    must!(flows.cash() == ledger.cash, "{flows:?} do not lead to {} in {id}", ledger.cash);
                }
            }
            let same = self.desk.risk.live_len() == self.oracle.live_len();
            must!(self.oracle.lenient || same, "risk knows orders that are not live");
        }
        Ok(())
    }

    fn met(&mut self, what: &'static str) {
        *self.tally.met.entry(what).or_default() += 1;
    }

    /// What happened, for a person who looks for the reason.
    fn story(&self) -> String {
        let mut story = format!("trouble: {:?}\n", self.faults);
        for entry in &self.desk.journal {
            let of_day = entry.at.us() % 86_400_000_000 / 1_000;
            for event in &entry.events {
                let _ = writeln!(story, "{of_day} {event:?}");
            }
        }
        for (name, acc) in self.line.broker(|broker| broker.truth()) {
            let _ = writeln!(story, "broker {name}: cash {} {:?}", acc.cash, acc.holdings);
            for order in acc.orders {
                let _ = writeln!(story, "broker {name}: {order:?}");
            }
        }
        story
    }
}

fn place(id: &AccountId) -> usize {
    ACCOUNTS.iter().position(|name| *name == id.as_str()).unwrap_or(0)
}

fn hidden(id: OrderId) -> String {
    id.client_order_id(InstallationTag::parse(TAG).expect("two characters")).to_string()
}

/// The answer of a question on a line that answers at once.
fn now<T>(question: impl Future<Output = T>) -> T {
    question.now_or_never().expect("this line answers at once")
}
