//! The paper broker behind the cards. It has no faults, and nobody can look behind it.

use async_trait::async_trait;
use signalbox_brokers::Broker;
use signalbox_brokers::fake::OrderTruth;
use signalbox_brokers::fake::fault::Arm;
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_brokers::paper::{PaperBroker, PaperExchange};
use signalbox_domain::broker::{BrokerReport, Level};
use signalbox_domain::ids::BrokerOrderId;
use signalbox_domain::paper::VenueConf;

use super::Harness;
use crate::desk;

#[derive(Debug)]
pub struct PaperHarness(PaperExchange);

impl Default for PaperHarness {
    fn default() -> Self {
        let exchange = PaperExchange::new(VenueConf::default());
        let _ = exchange.quote(desk::monday_morning(), &desk::quote(desk::monday_morning(), 100_000));
        Self(exchange)
    }
}

#[async_trait]
impl Harness for PaperHarness {
    fn adapter(&self) -> Box<dyn Broker> {
        Box::new(PaperBroker::new(desk::account_id(0), self.0.clone()))
    }

    fn level(&self) -> Level {
        PaperBroker::capabilities().level
    }

    async fn fills(&mut self, policy: FillPolicy) -> bool {
        let last = match policy {
            FillPolicy::AtOnce => 100_000,
            FillPolicy::Never => 110_000,
            _ => return false,
        };
        let _ = self.0.quote(desk::monday_morning(), &desk::quote(desk::monday_morning(), last));
        true
    }

    async fn arm(&mut self, _: Arm) -> bool {
        false
    }

    async fn orders(&self) -> Option<Vec<OrderTruth>> {
        None
    }

    async fn fill(&mut self, _: &BrokerOrderId) -> Option<Vec<BrokerReport>> {
        let moved = self.0.quote(desk::monday_morning(), &desk::quote(desk::monday_morning(), 99_000));
        Some(moved.into_iter().map(|(_, report)| report).collect())
    }

    async fn restart(&mut self) -> bool {
        false
    }
}
