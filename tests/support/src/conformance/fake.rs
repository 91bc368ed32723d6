//! The fake broker behind the cards: one account per card, in one process for all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use signalbox_brokers::Broker;
use signalbox_brokers::fake::OrderTruth;
use signalbox_brokers::fake::client::{FakeLink, FakeSession};
use signalbox_brokers::fake::fault::Arm;
use signalbox_brokers::fake::wire::{Control, FillPolicy};
use signalbox_domain::broker::{BrokerReport, Level};
use signalbox_domain::ids::BrokerOrderId;
use signalbox_domain::units::{Money, Qty};
use tokio::sync::Mutex;

use super::{Harness, installation};
use crate::desk;
use crate::fake_broker::Process;

/// One account at a running fake broker.
#[derive(Debug)]
pub struct FakeHarness {
    process: Arc<Mutex<Process>>,
    link: FakeLink,
}

impl FakeHarness {
    /// A broker for all cards.
    #[must_use]
    pub fn process(exe: &str, ledger: PathBuf) -> Arc<Mutex<Process>> {
        Arc::new(Mutex::new(Process::start(exe.as_ref(), &ledger)))
    }

    /// An account of the card's own.
    pub async fn new(process: Arc<Mutex<Process>>, account: &str, level: Level) -> Self {
        let open = Control::Open {
            account: account.to_owned(),
            level,
            cash: Money::from_units(1_000_000),
            holdings: vec![(desk::symbol(), Qty::new(1_000))],
        };
        let broker = process.lock().await;
        broker.control(&open).await;
        let link = FakeLink {
            url: broker.url(),
            account: account.to_owned(),
            level,
            answer_within: Duration::from_secs(1),
            in_flight_max: 1,
        };
        drop(broker);
        Self { process, link }
    }
}

#[async_trait]
impl Harness for FakeHarness {
    fn adapter(&self) -> Box<dyn Broker> {
        Box::new(FakeSession::new(self.link.clone(), installation()).expect("an HTTP client"))
    }

    fn level(&self) -> Level {
        self.link.level
    }

    async fn fills(&mut self, policy: FillPolicy) -> bool {
        let control = Control::Fills { account: Some(self.link.account.clone()), policy };
        self.process.lock().await.control(&control).await;
        true
    }

    async fn arm(&mut self, arm: Arm) -> bool {
        self.process.lock().await.arm(arm.on(&self.link.account)).await;
        true
    }

    async fn orders(&self) -> Option<Vec<OrderTruth>> {
        let truth = self.process.lock().await.truth().await;
        truth.get(&self.link.account).map(|account| account.orders.clone())
    }

    async fn fill(&mut self, no: &BrokerOrderId) -> Option<Vec<BrokerReport>> {
        let control = Control::Fill { account: self.link.account.clone(), no: no.0.to_string(), qty: None };
        self.process.lock().await.control(&control).await;
        Some(Vec::new())
    }

    async fn restart(&mut self) -> bool {
        self.process.lock().await.kill_and_restart();
        true
    }
}
