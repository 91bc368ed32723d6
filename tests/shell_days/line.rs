//! The line to the fake broker, on the runtime's time: how long a question and its answer take, and what gets lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rand_chacha::rand_core::RngCore as _;
use signalbox::store::Turns;
use signalbox_brokers::fake::adapter::{Facts, FakeAdapter, NoAnswer, Wire};
use signalbox_brokers::fake::wire::{
    CancelRequest, ConnectRequest, FindRequest, Grid, ListRequest, PushRequest, Reply, SubmitRequest,
};
use signalbox_brokers::fake::{Answer, FakeBroker, How};
use signalbox_brokers::{Broker, BrokerError};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, ReadFailed, Snapshot};
use signalbox_domain::order::Order;
use signalbox_domain::units::{Span, Timestamp};
use signalbox_sim::trouble::Trouble;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::world::{Late, Shared, lock, ms};

/// Later an answer counts as none.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is known in one life of the program of the world around it.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) world: Shared,
    pub(crate) turns: Turns,
    /// What the world's clock showed, and when.
    origin: (Timestamp, Instant),
    /// Something happened at the broker.
    changed: Arc<Notify>,
    /// And whoever listens to it may hear of it.
    news: Arc<Notify>,
    shown: Arc<AtomicI64>,
    /// The process is dead.
    pub(crate) dead: Arc<Notify>,
}

impl Line {
    /// Must be made on the runtime of the life.
    pub(crate) fn new(world: &Shared, turns: Turns) -> Self {
        let origin = (lock(world).now, now());
        let (changed, news, dead) = Default::default();
        let shown = Arc::new(AtomicI64::new(origin.0.us()));
        Self { world: world.clone(), turns, origin, changed, news, shown, dead }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let us = now().duration_since(self.origin.1).as_micros();
        self.origin.0.plus(Span::from_us(i64::try_from(us).unwrap()))
    }

    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.origin.1 + Duration::from_micros(u64::try_from(at.since(self.origin.0).us()).unwrap_or(0))
    }

    /// Keeps the time for the writer's thread, which has no runtime that could tell it.
    pub(crate) fn shows(&self) {
        self.shown.store(self.now().us(), Ordering::SeqCst);
    }

    pub(crate) fn shown(&self) -> Timestamp {
        Timestamp::from_us(self.shown.load(Ordering::SeqCst))
    }

    /// Nothing becomes durable from here on.
    pub(crate) fn die(&self) {
        self.turns.die();
        self.dead.notify_one();
    }

    pub(crate) fn broker_changed(&self) {
        self.changed.notify_one();
    }

    /// The broker's side of the day.
    pub(crate) async fn exchange(self) {
        let mut ring: Option<Instant> = None;
        loop {
            let due = lock(&self.world).next_due().map(|at| self.instant(at));
            let next = [due, ring].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = sleep_until(next.unwrap_or_else(now)), if next.is_some() => {}
            }
            let mut world = lock(&self.world);
            world.advance(self.now());
            if ring.is_some_and(|at| at <= now()) {
                ring = None;
                self.news.notify_waiters();
            } else if ring.is_none() {
                ring = Some(now() + Duration::from_millis(u64::from(world.network.next_u32() % 200)));
            }
        }
    }

    async fn ask<T>(
        &self,
        account: &str,
        late: Option<Late>,
        question: impl FnOnce(&mut FakeBroker, Timestamp) -> Answer<T>,
    ) -> Result<T, NoAnswer> {
        let (mut there, back, fate) = self.throw(late);
        sleep_until(there.arrives).await;
        loop {
            // While the terminal hangs it takes nothing.
            let at = self.now();
            let Some(left) = lock(&self.world).broker.hangs(at, account) else { break };
            sleep(Duration::from_micros(left.us().unsigned_abs())).await;
        }
        if fate == Fate::Lost {
            sleep(DEADLINE).await;
            return no_answer();
        }
        there.late = None;
        let (answer, dies) = {
            let mut world = lock(&self.world);
            let at = self.now();
            world.advance(at);
            (question(&mut world.broker, at), world.dies_at_arrival())
        };
        self.broker_changed();
        if dies {
            self.die();
            return std::future::pending().await;
        }
        match answer.how {
            How::Now => {}
            How::AfterMs(ms) => sleep(Duration::from_millis(ms).min(DEADLINE)).await,
            How::Cut => return no_answer(),
        }
        if fate == Fate::Unanswered || answer.how == How::AfterMs(DEADLINE.as_millis() as u64) {
            sleep(DEADLINE).await;
            return no_answer();
        }
        sleep(back).await;
        Ok(answer.what)
    }

    /// What will become of a question: all dice at once, so that it does not matter when it ends.
    fn throw(&self, late: Option<Late>) -> (OnTheWay, Duration, Fate) {
        let mut world = lock(&self.world);
        let mut dice = || world.network.next_u32();
        let (there, back, fate, when, how_late) = (dice() % 60, dice() % 60, dice() % 100, dice(), dice());
        let fate = match fate {
            0..6 if world.troubled && world.faults.has(Trouble::QuestionsLost) => Fate::Lost,
            6..12 if world.troubled && world.faults.has(Trouble::AnswersLost) => Fate::Unanswered,
            _ => Fate::Arrives,
        };
        let arrives = self.now().plus(ms(there));
        let ghost = matches!(late, Some(Late::Submit(_))) && world.faults.has(Trouble::Ghosts) && fate == Fate::Lost;
        let comes = world.troubled && world.faults.has(Trouble::LateArrivals) && when.is_multiple_of(2);
        let late = late.and_then(|late| match () {
            () if ghost => Some((arrives.plus(ms(90_000 + how_late % 300_000)), late)),
            () if comes && fate == Fate::Lost => Some((arrives.plus(ms(5_000 + how_late % 15_000)), late)),
            () if comes => Some((arrives.plus(ms(how_late % 8_000)), late)),
            () => None,
        });
        let way = OnTheWay { world: self.world.clone(), arrives: self.instant(arrives), late };
        (way, Duration::from_millis(u64::from(back)), fate)
    }
}

/// A question that has not arrived. Whoever gives up waiting, or dies, cannot call it back.
struct OnTheWay {
    world: Shared,
    arrives: Instant,
    late: Option<(Timestamp, Late)>,
}

impl Drop for OnTheWay {
    fn drop(&mut self) {
        if let Some((at, late)) = self.late.take() {
            lock(&self.world).comes_late(at, late);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    /// It never arrives.
    Lost,
    /// It arrives, and no answer comes back.
    Unanswered,
}

fn no_answer<T>() -> Result<T, NoAnswer> {
    Err("no answer within the time".to_owned())
}

impl Wire for Line {
    async fn connect(&self, request: &ConnectRequest) -> Result<Reply, NoAnswer> {
        let request = request.clone();
        self.ask(&request.account.clone(), None, |broker, at| broker.connect(&ConnectRequest { at, ..request })).await
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Reply, NoAnswer> {
        let (request, late) = (request.clone(), Late::Submit(request.clone()));
        let account = request.account.clone();
        lock(&self.world).leaves(self.now(), &request.hidden);
        self.ask(&account, Some(late), |broker, at| broker.submit(&SubmitRequest { at, ..request })).await
    }

    async fn cancel(&self, request: &CancelRequest) -> Result<Reply, NoAnswer> {
        let (request, late) = (request.clone(), Late::Cancel(request.clone()));
        let account = request.account.clone();
        self.ask(&account, Some(late), |broker, at| broker.cancel(&CancelRequest { at, ..request })).await
    }

    async fn find(&self, request: &FindRequest) -> Result<Reply, NoAnswer> {
        let request = request.clone();
        self.ask(&request.account.clone(), None, |broker, at| broker.find(&FindRequest { at, ..request })).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Option<Grid>, NoAnswer> {
        let request = request.clone();
        self.ask(&request.account.clone(), None, |broker, at| broker.list(&ListRequest { at, ..request })).await
    }
}

/// One account's session on the line.
pub(crate) struct LineSession {
    adapter: FakeAdapter<Line>,
    line: Line,
    account: String,
    capabilities: Capabilities,
}

impl LineSession {
    pub(crate) fn new(line: Line, facts: Facts, capabilities: Capabilities) -> Self {
        let account = facts.account.clone();
        Self { adapter: FakeAdapter::on(line.clone(), facts), line, account, capabilities }
    }
}

#[async_trait]
impl Broker for LineSession {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    async fn connect(&mut self, at: Timestamp, working: &[Order]) -> Result<(), BrokerError> {
        self.adapter.open(at, working).await
    }

    async fn call(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport> {
        self.adapter.ask(at, request).await
    }

    async fn read(&mut self, at: Timestamp) -> Result<Snapshot, ReadFailed> {
        self.adapter.read_lists(at).await
    }

    async fn next(&mut self) -> Result<Vec<BrokerReport>, BrokerError> {
        // What came while something else was asked is there already.
        let mut rung = true;
        loop {
            if let Some(cause) = self.adapter.dead() {
                return Err(BrokerError::Unreachable(cause));
            }
            if !std::mem::take(&mut rung) {
                self.line.news.notified().await;
            }
            let (stream, after) = self.adapter.heard();
            let request = PushRequest { account: self.account.clone(), stream, after, wait_ms: 0 };
            let pushes = lock(&self.line.world).broker.pushes(&request);
            let reports = self.adapter.hear(pushes);
            if !reports.is_empty() {
                return Ok(reports);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the runtime's time is the world's")]
fn now() -> Instant {
    Instant::now()
}
