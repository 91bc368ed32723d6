//! The hand-over between an account and its broker.
//!
//! A broker that answers at once (paper) is called in place. Any other call runs as a task of its own, so that the
//! account's mailbox never waits for it; the answer comes back as a message.

use futures_util::FutureExt;
use signalbox_brokers::Broker;
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Report};
use signalbox_domain::units::Timestamp;

/// An account's session with its broker.
pub struct Session {
    broker: Box<dyn Broker>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    #[must_use]
    pub fn new(broker: Box<dyn Broker>) -> Self {
        Self { broker }
    }

    /// Carries out a request at a broker that answers at once. An adapter that does not is dropped half-way here, and
    /// that counts as lost: it has to be run in a task of its own.
    pub fn call(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport> {
        let answer = self.broker.call(at, request).now_or_never();
        answer.unwrap_or_else(|| {
            let cause = "the broker did not answer at once".into();
            vec![BrokerReport { order: request.order(), what: Report::Lost { cause } }]
        })
    }
}
