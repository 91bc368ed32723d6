//! The line between the desk and the fake broker: what can happen to a question and to its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signalbox_brokers::fake::adapter::{NoAnswer, Wire};
use signalbox_brokers::fake::wire::{
    CancelRequest, ConnectRequest, FindRequest, Grid, ListRequest, PushRequest, Pushes, Reply, SubmitRequest,
};
use signalbox_brokers::fake::{Answer, FakeBroker, How};

/// Milliseconds after which an answer counts as none.
pub(crate) const DEADLINE_MS: u64 = 5_000;

/// What happens to everything that one request of the desk asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives,
    /// It never arrives.
    Lost,
    /// It arrives, and no answer comes back.
    Unanswered,
}

/// The broker, and the way to it. The same for all accounts: one thing happens at a time.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    broker: FakeBroker,
    fate: Fate,
    /// What the answers so far took.
    took_ms: u64,
}

impl Line {
    pub(crate) fn to(broker: FakeBroker) -> Self {
        Self(Arc::new(Mutex::new(Inner { broker, fate: Fate::Arrives, took_ms: 0 })))
    }

    /// Sets the fate of what is asked next.
    pub(crate) fn next(&self, fate: Fate) {
        let mut inner = self.lock();
        (inner.fate, inner.took_ms) = (fate, 0);
    }

    /// What the answers took since [`Line::next`].
    pub(crate) fn took_ms(&self) -> u64 {
        self.lock().took_ms.min(DEADLINE_MS)
    }

    /// For whoever stands beside the line: the oracle, the operator, the exchange.
    pub(crate) fn broker<T>(&self, with: impl FnOnce(&mut FakeBroker) -> T) -> T {
        with(&mut self.lock().broker)
    }

    pub(crate) fn pushes(&self, request: &PushRequest) -> Pushes {
        self.lock().broker.pushes(request)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(&self, account: &str, question: impl FnOnce(&mut FakeBroker) -> Answer<T>) -> Result<T, NoAnswer> {
        let mut inner = self.lock();
        // While the terminal hangs it takes nothing, and whoever asks gives up: what it would show afterwards is not
        // known yet, and the order that it hangs on comes first.
        if let Some(left) = inner.broker.hangs(inner.broker.now(), account) {
            inner.took_ms += (left.us().unsigned_abs() / 1_000).min(DEADLINE_MS);
            return Err("no answer within the time".to_owned());
        }
        if inner.fate == Fate::Lost {
            inner.took_ms += DEADLINE_MS;
            return Err("no answer within the time".to_owned());
        }
        let answer = question(&mut inner.broker);
        let late = match answer.how {
            How::Now => 0,
            How::AfterMs(ms) => ms,
            How::Cut => DEADLINE_MS,
        };
        inner.took_ms += late;
        if inner.fate == Fate::Unanswered || late >= DEADLINE_MS {
            return Err("no answer within the time".to_owned());
        }
        Ok(answer.what)
    }
}

impl Wire for Line {
    async fn connect(&self, request: &ConnectRequest) -> Result<Reply, NoAnswer> {
        self.ask(&request.account, |broker| broker.connect(request))
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Reply, NoAnswer> {
        self.ask(&request.account, |broker| broker.submit(request))
    }

    async fn cancel(&self, request: &CancelRequest) -> Result<Reply, NoAnswer> {
        self.ask(&request.account, |broker| broker.cancel(request))
    }

    async fn find(&self, request: &FindRequest) -> Result<Reply, NoAnswer> {
        self.ask(&request.account, |broker| broker.find(request))
    }

    async fn list(&self, request: &ListRequest) -> Result<Option<Grid>, NoAnswer> {
        self.ask(&request.account, |broker| broker.list(request))
    }
}
