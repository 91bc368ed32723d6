//! What outlives the program: the broker, what is on the line to it, the clients, and what each of them is about to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;
use signalbox::store::{Committed, Ingested};
use signalbox_brokers::fake::fault::Arm;
use signalbox_brokers::fake::wire::{CancelRequest, Control, FillPolicy, Status, SubmitRequest};
use signalbox_brokers::fake::{FakeBroker, FakeConf};
use signalbox_domain::broker::Level;
use signalbox_domain::ids::{AccountId, ClientId, InstallationTag, OrderId, SignalId};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::units::{Price, Qty, Span, Timestamp};
use signalbox_sim::trouble::{Faults, Trouble, stream};

use crate::house::{self, ACCOUNTS, account, strategy, symbol};

/// What happens at some instant, from outside.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    Signal,
    /// The client asks again with the same key.
    Again(String),
    Hand,
    Kill(bool),
    Cancel,
    Crash,
    /// One actor fails, and is built anew from what is stored.
    Panic,
    /// The machine's wall clock is set.
    SetClock,
}

/// When the process ends that was told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// So many commits from now; whether that one is still made.
    AtCommit { left: u32, made: bool },
    /// So many arrivals at the broker from now, before the answer is on its way.
    AtArrival { left: u32 },
}

/// A request whose asker does not wait for it any more.
#[derive(Debug, Clone)]
pub(crate) enum Late {
    Submit(SubmitRequest),
    Cancel(CancelRequest),
}

/// A client's request, and what it heard.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) signal: Signal,
    pub(crate) asked: u32,
    pub(crate) answer: Option<SignalId>,
}

/// How often an order was durably about to be sent, and how often it left.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sending {
    durable: u32,
    left: u32,
    /// When the last one was durable that has not left yet.
    since: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct World {
    /// When the day began.
    pub(crate) dawn: Timestamp,
    /// Where the clock stood when the last life ended.
    pub(crate) now: Timestamp,
    pub(crate) lives: u32,
    pub(crate) levels: [Level; 3],
    pub(crate) faults: Faults,
    pub(crate) troubled: bool,
    pub(crate) broker: FakeBroker,
    pub(crate) agenda: BTreeMap<(Timestamp, u64), Happening>,
    entries: u64,
    pub(crate) late: BTreeMap<(Timestamp, u64), Late>,
    pub(crate) sent: BTreeMap<String, Sent>,
    pub(crate) death: Option<Death>,
    /// Signals that are durable.
    pub(crate) stored: BTreeSet<SignalId>,
    /// By the broker's hidden mark.
    pub(crate) sendings: BTreeMap<String, Sending>,
    /// The day is over; the program is started once more.
    pub(crate) night: bool,
    pub(crate) clients: ChaCha8Rng,
    pub(crate) network: ChaCha8Rng,
    pub(crate) disk: ChaCha8Rng,
    pub(crate) slow_disk: bool,
    /// A promise that was broken where nobody could return it.
    pub(crate) broken: Option<String>,
    pub(crate) met: BTreeMap<&'static str, u64>,
}

pub(crate) type Shared = Arc<Mutex<World>>;

pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So long everything goes wrong that the seed wants.
pub(crate) const TROUBLED: Span = Span::from_secs(1_350);

impl World {
    pub(crate) fn dawn(seed: u64, faults: Faults) -> Self {
        let mut dice = stream(seed, 1);
        let level = |n: u32| match n % 8 {
            0 | 1 => Level::L1,
            2 | 3 => Level::L2,
            4 | 5 => Level::L3,
            6 => Level::L4,
            _ => Level::L0,
        };
        let levels = [level(dice.next_u32()), level(dice.next_u32()), level(dice.next_u32())];
        let policies = [
            FillPolicy::AtOnce,
            FillPolicy::After { ms: 3_000 },
            FillPolicy::Partly { percent: 50, ms: Some(20_000) },
            FillPolicy::Random { ms: 30_000 },
            FillPolicy::Random { ms: 300_000 },
        ];
        let fills = policies[dice.next_u32() as usize % policies.len()];
        let dawn = house::ten_o_clock();
        let mut broker = FakeBroker::resume(FakeConf { seed, fills, ..FakeConf::default() }, &[], 1);
        for open in house::openings(levels) {
            broker.control(dawn, open).unwrap();
        }
        for trouble in faults.iter() {
            if let Trouble::Broker(fault, per_mille) = trouble {
                let arm = Arm { per_mille: Some(per_mille), ..Arm::once(fault) };
                broker.control(dawn, Control::Arm(arm)).unwrap();
            }
        }
        let mut world = Self {
            dawn,
            now: dawn,
            lives: 0,
            levels,
            faults,
            troubled: true,
            broker,
            agenda: BTreeMap::new(),
            entries: 0,
            late: BTreeMap::new(),
            sent: BTreeMap::new(),
            death: None,
            stored: BTreeSet::new(),
            sendings: BTreeMap::new(),
            night: false,
            clients: stream(seed, 2),
            network: stream(seed, 3),
            disk: stream(seed, 4),
            slow_disk: dice.next_u32().is_multiple_of(6),
            broken: None,
            met: BTreeMap::new(),
        };
        world.plan(&mut dice);
        world
    }

    fn plan(&mut self, dice: &mut ChaCha8Rng) {
        let dawn = self.dawn;
        let within = |dice: &mut ChaCha8Rng, secs: u32| dawn.plus(ms(1_000 + dice.next_u32() % (secs * 1_000)));
        let mut bursts = Vec::new();
        for _ in 0..1 + dice.next_u32() % 3 {
            let burst = within(dice, 1_200);
            bursts.push(burst);
            for _ in 0..2 + dice.next_u32() % 8 {
                let at = burst.plus(ms(dice.next_u32() % 20_000));
                self.at(at, Happening::Signal);
            }
        }
        // Most happens where there is something to happen to.
        let busy = |dice: &mut ChaCha8Rng, secs: u32| {
            bursts[dice.next_u32() as usize % bursts.len()].plus(ms(dice.next_u32() % (secs * 1_000)))
        };
        // What this layer is for: more often than on the simulator's days.
        let crashes = dice.next_u32();
        if self.faults.has(Trouble::Crashes) || crashes.is_multiple_of(2) {
            for _ in 0..1 + dice.next_u32() % 6 {
                let at = if dice.next_u32().is_multiple_of(6) { within(dice, 1_300) } else { busy(dice, 25) };
                self.at(at, Happening::Crash);
            }
        }
        if self.faults.has(Trouble::Suspends) || self.faults.has(Trouble::ClockJumps) {
            for _ in 0..1 + dice.next_u32() % 3 {
                let at = busy(dice, 40);
                self.at(at, Happening::SetClock);
            }
        }
        // A second one within ten minutes would suspend it for good.
        if dice.next_u32().is_multiple_of(4) {
            let at = busy(dice, 25);
            self.at(at, Happening::Panic);
        }
        if self.faults.has(Trouble::ByHand) {
            for _ in 0..1 + dice.next_u32() % 3 {
                let at = within(dice, 1_300);
                self.at(at, Happening::Hand);
            }
        }
        if self.faults.has(Trouble::Kill) {
            let at = busy(dice, 20);
            self.at(at, Happening::Kill(true));
            self.at(at.plus(ms(dice.next_u32() % 120_000)), Happening::Kill(false));
        }
        if self.faults.has(Trouble::Cancels) {
            for _ in 0..1 + dice.next_u32() % 6 {
                let at = busy(dice, 60);
                self.at(at, Happening::Cancel);
            }
        }
    }

    pub(crate) fn at(&mut self, at: Timestamp, happening: Happening) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), happening);
    }

    /// The broker's side of the world up to now, in the order of time.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let at = entry.key().0.max(self.broker.now());
            let late = entry.remove();
            self.tick(at);
            self.meet("late arrival");
            // Nobody hears the answer.
            match late {
                Late::Submit(request) => drop(self.broker.submit(&SubmitRequest { at, ..request })),
                Late::Cancel(request) => drop(self.broker.cancel(&CancelRequest { at, ..request })),
            }
        }
        self.tick(now);
    }

    fn tick(&mut self, at: Timestamp) {
        while let Some(due) = self.broker.next_due().filter(|due| *due < at) {
            self.broker.tick(due);
        }
        self.broker.tick(at);
    }

    /// When something happens at the broker by itself.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let late = self.late.keys().next().map(|(at, _)| *at);
        [self.broker.next_due(), late].into_iter().flatten().min()
    }

    pub(crate) fn comes_late(&mut self, at: Timestamp, late: Late) {
        self.entries += 1;
        self.late.insert((at, self.entries), late);
    }

    /// A client makes a new request.
    pub(crate) fn new_signal(&mut self) -> String {
        let (a, b, c) = (self.clients.next_u32(), self.clients.next_u32(), self.clients.next_u32());
        let name = ["s", "s", "t", "u", "manual"][a as usize % 5];
        let by_hand = (name == "manual").then(|| account(ACCOUNTS[1 + b as usize % 2]));
        let limit_price = (!c.is_multiple_of(5)).then(|| Price::from_e4(99_000 + i64::from(c / 6 % 20) * 100));
        let key = format!("k{:04}", self.sent.len() + 1);
        let lives_ms = (c / 1_000).is_multiple_of(4).then(|| 2_000 + c / 4_000 % 90_000);
        let signal = Signal {
            id: SignalId::new(0),
            source: if by_hand.is_some() { Source::Manual } else { Source::Signal },
            strategy: strategy(name),
            account: by_hand,
            client: ClientId::parse("x").unwrap(),
            client_signal_id: key.as_str().into(),
            symbol: symbol(a / 5),
            side: Some(if c.is_multiple_of(2) { Side::Buy } else { Side::Sell }),
            position_effect: None,
            size: Size::Quantity(Qty::new(i64::from(1 + b / 2 % 5) * 100)),
            ord_type: if limit_price.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price,
            time_in_force: TimeInForce::Day,
            valid_until: None,
            execution: None,
            tag: None,
            received_at: Timestamp::from_us(i64::from(lives_ms.unwrap_or(0)) * 1_000),
            notes: Notes::default(),
        };
        self.sent.insert(key.clone(), Sent { signal, asked: 0, answer: None });
        key
    }

    /// What the client heard to a request that it may have made before.
    pub(crate) fn heard(&mut self, key: &str, told: &Ingested, changed: bool) {
        let Some(sent) = self.sent.get_mut(key) else { return };
        let wrong = match (told, sent.answer) {
            (Ingested::Reused, Some(_)) if changed => None,
            (_, Some(_)) if changed => Some("another request was taken for the same"),
            (Ingested::Reused, _) => Some("the same request was taken for another"),
            (Ingested::Accepted(_), Some(_)) => Some("it was accepted twice"),
            (Ingested::Accepted(signal) | Ingested::Replayed(signal), None) => {
                sent.answer = Some(signal.id);
                None
            }
            (Ingested::Replayed(signal), Some(id)) => (signal.id != id).then_some("it has another id now"),
        };
        let early = match told {
            Ingested::Accepted(signal) | Ingested::Replayed(signal) => !self.stored.contains(&signal.id),
            Ingested::Reused => false,
        };
        if let Some(wrong) = wrong.or(early.then_some("it was answered before it was stored")) {
            self.broken.get_or_insert(format!("{key}: {wrong} ({told:?})"));
        }
    }

    /// What a commit made durable.
    pub(crate) fn committed(&mut self, at: Timestamp, committed: &Committed, installation: InstallationTag) {
        self.stored.extend(committed.signals.iter().map(|signal| signal.id));
        for line in committed.lines.iter().filter(|line| line.kind == "order_sending") {
            if let Some(order) = line.order {
                let sending = self.sendings.entry(order.client_order_id(installation).to_string()).or_default();
                sending.durable += 1;
                sending.since = Some(at);
            }
        }
    }

    /// An order leaves for the broker.
    pub(crate) fn leaves(&mut self, at: Timestamp, hidden: &str) {
        let sending = self.sendings.entry(hidden.to_owned()).or_default();
        sending.left += 1;
        let Sending { durable, left, .. } = *sending;
        if left > durable {
            self.broken.get_or_insert(format!("order {hidden} left {left} times, and {durable} sends were durable"));
        }
        self.in_time(at);
        if let Some(sending) = self.sendings.get_mut(hidden) {
            sending.since = None;
        }
    }

    /// On a day without trouble nothing keeps an order here once it may leave.
    pub(crate) fn in_time(&mut self, now: Timestamp) {
        const SOON: Span = Span::from_secs(3);
        let late = |sending: &Sending| sending.since.is_some_and(|since| now.since(since).us() > SOON.us());
        if self.faults.is_empty()
            && let Some((hidden, sending)) = self.sendings.iter().find(|(_, sending)| late(sending))
        {
            self.broken.get_or_insert(format!("order {hidden} could leave and did not: {sending:?}"));
        }
    }

    /// What had not left when the process died is in doubt now.
    pub(crate) fn died(&mut self) {
        self.sendings.values_mut().for_each(|sending| sending.since = None);
    }

    pub(crate) fn by_hand(&mut self, at: Timestamp) {
        let dice = self.clients.next_u32();
        let control = Control::Manual {
            account: ACCOUNTS[dice as usize % 3].to_owned(),
            symbol: symbol(dice / 3),
            side: if dice.is_multiple_of(2) { Side::Buy } else { Side::Sell },
            qty: Qty::new(100),
            px: Price::from_e4(100_000),
        };
        if self.broker.control(at, control).is_ok() {
            self.meet("trade by hand");
        }
    }

    /// An order that somebody may want to take back, by what he was answered.
    pub(crate) fn some_order(&mut self) -> Option<(AccountId, OrderId)> {
        let known: Vec<(SignalId, Signal)> =
            self.sent.values().filter_map(|sent| Some((sent.answer?, sent.signal.clone()))).collect();
        if known.is_empty() {
            return None;
        }
        let (id, signal) = &known[self.clients.next_u32() as usize % known.len()];
        let routes: &[&str] = match signal.strategy.as_str() {
            "s" => &["a"],
            "t" => &ACCOUNTS,
            "u" => &["b", "c"],
            _ => &[],
        };
        let leg = self.clients.next_u32() as usize % routes.len().max(1);
        let of = signal.account.clone().or_else(|| routes.get(leg).map(|name| account(name)))?;
        Some((of, id.parent(leg as u16).order(1)))
    }

    /// No more trouble from now on.
    pub(crate) fn calm(&mut self, at: Timestamp) {
        self.troubled = false;
        self.death = None;
        self.broker.control(at, Control::Disarm).unwrap();
    }

    /// The session ends: what works at the broker is taken out of it.
    pub(crate) fn close(&mut self, at: Timestamp) {
        for (account, acc) in self.broker.truth() {
            for order in acc.orders.iter().filter(|order| order.status == Status::Working) {
                let request = CancelRequest { at, account: account.clone(), no: order.no.clone() };
                drop(self.broker.cancel(&request));
            }
        }
    }

    pub(crate) fn meet(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    /// Whether the process ends at this commit: `Some(true)` when it is still made.
    pub(crate) fn dies_at_commit(&mut self) -> Option<bool> {
        match &mut self.death {
            Some(Death::AtCommit { left: 0, made }) => Some(*made),
            Some(Death::AtCommit { left, .. }) => {
                *left -= 1;
                None
            }
            _ => None,
        }
    }

    pub(crate) fn dies_at_arrival(&mut self) -> bool {
        match &mut self.death {
            Some(Death::AtArrival { left: 0 }) => true,
            Some(Death::AtArrival { left }) => {
                *left -= 1;
                false
            }
            _ => false,
        }
    }
}

pub(crate) fn ms(ms: u32) -> Span {
    Span::from_ms(i64::from(ms))
}
