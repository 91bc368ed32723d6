//! The way to the fake broker by HTTP.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, Level, ReadFailed, Snapshot};
use signalbox_domain::ids::InstallationTag;
use signalbox_domain::order::Order;
use signalbox_domain::units::Timestamp;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::adapter::{Facts, FakeAdapter, NoAnswer, Wire};
use super::wire::{
    CancelRequest, ConnectRequest, FindRequest, Grid, ListRequest, PushRequest, Pushes, Reply, SubmitRequest,
};
use crate::{Broker, BrokerError};

/// Answers to a long poll that wait for the session. Each has up to 500 pushes; the poller waits when the session does
/// not keep up, and the broker keeps the rest.
const POLLS_WAITING_MAX: usize = 4;

/// A dead line is noticed within so long.
const POLL_MS_MAX: u64 = 2_000;

/// How to reach one account at the fake broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeLink {
    pub url: String,
    /// The account's name at the broker.
    pub account: String,
    /// What the adapter may rely on. The broker has a level of its own.
    pub level: Level,
    pub installation: InstallationTag,
    /// An answer that takes longer is none.
    pub answer_within: Duration,
    pub in_flight_max: usize,
}

impl FakeLink {
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        Capabilities {
            level: self.level,
            in_flight_max: self.in_flight_max,
            market_orders: true,
            lists: matches!(self.level, Level::L1 | Level::L2 | Level::L3 | Level::L4),
        }
    }
}

/// One account's session at a fake broker behind HTTP.
#[derive(Debug)]
pub struct FakeSession {
    link: FakeLink,
    adapter: FakeAdapter<Http>,
    poller: Option<Poller>,
}

#[derive(Debug, Clone)]
struct Http {
    client: reqwest::Client,
    url: String,
}

#[derive(Debug)]
struct Poller {
    pushes: mpsc::Receiver<Result<Pushes, String>>,
    task: AbortHandle,
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire for Http {
    async fn connect(&self, request: &ConnectRequest) -> Result<Reply, NoAnswer> {
        self.ask("connect", request).await
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Reply, NoAnswer> {
        self.ask("submit", request).await
    }

    async fn cancel(&self, request: &CancelRequest) -> Result<Reply, NoAnswer> {
        self.ask("cancel", request).await
    }

    async fn find(&self, request: &FindRequest) -> Result<Reply, NoAnswer> {
        self.ask("find", request).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Option<Grid>, NoAnswer> {
        self.ask("list", request).await
    }
}

impl Http {
    /// One question and its answer. Whatever is no whole answer within the time is none.
    async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, NoAnswer> {
        let sent = self.client.post(format!("{}/{path}", self.url)).json(question).send().await;
        let answer = sent.map_err(|error| chain(&error))?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status().as_u16()));
        }
        answer.json().await.map_err(|error| chain(&error))
    }
}

impl FakeSession {
    /// # Errors
    /// When no client can be built.
    pub fn new(link: FakeLink) -> Result<Self, BrokerError> {
        // A client that sends twice by itself would double an order at every level below L3.
        let client = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).timeout(link.answer_within);
        let client = client.build().map_err(|error| BrokerError::Refused(error.to_string()))?;
        let facts = Facts { account: link.account.clone(), level: link.level, installation: link.installation };
        let adapter = FakeAdapter::on(Http { client, url: link.url.clone() }, facts);
        Ok(Self { link, adapter, poller: None })
    }

    fn listen(&mut self) {
        let (tx, pushes) = mpsc::channel(POLLS_WAITING_MAX);
        let (http, link) = (self.adapter.wire.clone(), self.link.clone());
        let (mut stream, mut after) = self.adapter.heard();
        // The broker lets a question wait; it has to be over before it counts as unanswered.
        let wait_ms = u64::try_from(link.answer_within.as_millis() / 2).unwrap_or(u64::MAX).min(POLL_MS_MAX);
        let task = tokio::spawn(async move {
            loop {
                let request = PushRequest { account: link.account.clone(), stream, after, wait_ms };
                let answer: Result<Pushes, NoAnswer> = http.ask("pushes", &request).await;
                if let Ok(pushes) = &answer {
                    stream = pushes.stream;
                    after = pushes.items.last().map_or(after, |push| push.seq);
                }
                let over = answer.is_err();
                if tx.send(answer).await.is_err() || over {
                    return;
                }
            }
        });
        self.poller = Some(Poller { pushes, task: task.abort_handle() });
    }
}

#[async_trait]
impl Broker for FakeSession {
    fn capabilities(&self) -> Capabilities {
        self.link.capabilities()
    }

    async fn connect(&mut self, at: Timestamp, working: &[Order]) -> Result<(), BrokerError> {
        self.poller = None;
        self.adapter.open(at, working).await?;
        self.listen();
        Ok(())
    }

    async fn call(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport> {
        self.adapter.ask(at, request).await
    }

    async fn read(&mut self, at: Timestamp) -> Result<Snapshot, ReadFailed> {
        self.adapter.read_lists(at).await
    }

    async fn next(&mut self) -> Result<Vec<BrokerReport>, BrokerError> {
        loop {
            // A dead session is told here, so that it is opened again.
            if let Some(cause) = self.adapter.dead() {
                return Err(BrokerError::Unreachable(cause));
            }
            let Some(poller) = &mut self.poller else {
                return Err(BrokerError::Unreachable("there is no session".to_owned()));
            };
            // What is received here is handled before the next await: nothing is lost when this is dropped.
            let pushes = match poller.pushes.recv().await {
                Some(Ok(pushes)) => pushes,
                Some(Err(cause)) => return Err(BrokerError::Unreachable(cause)),
                None => return Err(BrokerError::Unreachable("the stream ended".to_owned())),
            };
            let reports = self.adapter.hear(pushes);
            if !reports.is_empty() {
                return Ok(reports);
            }
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
