//! How an account reaches its broker, as it stands in the settings.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use signalbox_actors::session::{Connection, Patience};
use signalbox_brokers::Broker;
use signalbox_brokers::fake::client::{FakeLink, FakeSession};
use signalbox_brokers::paper::PaperBroker;
use signalbox_domain::broker::{Capabilities, Level};
use signalbox_domain::ids::{AccountId, InstallationTag};

use super::{ConfError, field};

/// One account's broker, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerSettings {
    Paper,
    Fake { link: FakeLink, patience: Patience },
}

impl BrokerSettings {
    #[must_use]
    pub const fn is_paper(&self) -> bool {
        matches!(self, Self::Paper)
    }

    /// The same way to another account there.
    #[must_use]
    pub fn for_account(&self, name: &str) -> Self {
        match self {
            Self::Paper => Self::Paper,
            Self::Fake { link, patience } => {
                let link = FakeLink { account: name.to_owned(), ..link.clone() };
                Self::Fake { link, patience: *patience }
            }
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Fake { .. } => "fake",
        }
    }

    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        match self {
            Self::Paper => PaperBroker::capabilities(),
            Self::Fake { link, .. } => link.capabilities(),
        }
    }

    /// Whether our tags come back with the account's orders.
    #[must_use]
    pub const fn echoes_tags(&self) -> bool {
        matches!(self, Self::Fake { .. })
    }

    #[must_use]
    pub fn connection(&self, installation: InstallationTag) -> Connection {
        match self {
            Self::Paper => Connection::Paper,
            Self::Fake { link, patience } => {
                let link = link.clone();
                let open = move || {
                    let adapter = FakeSession::new(link.clone(), installation)?;
                    Ok(Box::new(adapter) as Box<dyn Broker>)
                };
                Connection::Session { open: Arc::new(open), patience: *patience }
            }
        }
    }
}

/// `"paper"`, or a table with a `kind`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawBroker {
    Name(String),
    Table(Box<RawLink>),
}

impl Default for RawBroker {
    fn default() -> Self {
        Self::Name("paper".to_owned())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLink {
    kind: String,
    url: Option<String>,
    account: Option<String>,
    level: Option<String>,
    in_flight_max: Option<usize>,
    answer_ms: Option<u64>,
    connect_ms: Option<u64>,
    call_ms: Option<u64>,
    read_ms: Option<u64>,
    queue_ms: Option<u64>,
    backoff_ms: Option<u64>,
    backoff_max_ms: Option<u64>,
}

impl RawBroker {
    pub(super) fn check(self, place: &str, account: &AccountId) -> Result<BrokerSettings, ConfError> {
        let at = |name: &str| format!("{place}{name}");
        let link = match self {
            Self::Name(name) if name == "paper" => return Ok(BrokerSettings::Paper),
            Self::Name(kind) => RawLink { kind, ..RawLink::default() },
            Self::Table(link) => *link,
        };
        match link.kind.as_str() {
            "paper" => Ok(BrokerSettings::Paper),
            "fake" => link.fake(at, account),
            kind => Err(field(
                at(""),
                format!("{kind:?} is no broker that is built in: use \"paper\" or {{ kind = \"fake\", url = .. }}"),
            )),
        }
    }
}

impl RawLink {
    fn fake(self, at: impl Fn(&str) -> String, account: &AccountId) -> Result<BrokerSettings, ConfError> {
        let url = self.url.ok_or_else(|| field(at(".url"), "the fake broker has to be reached somewhere"))?;
        // Play money stays on this machine: nothing is signed and nothing is encrypted.
        if !["http://127.0.0.1:", "http://localhost:", "http://[::1]:"].iter().any(|start| url.starts_with(start)) {
            return Err(field(at(".url"), "has to be on the loopback, such as http://127.0.0.1:8500"));
        }
        let level = match self.level.as_deref().unwrap_or("L4") {
            "L0" => Level::L0,
            "L1" => Level::L1,
            "L2" => Level::L2,
            "L3" => Level::L3,
            "L4" => Level::L4,
            _ => return Err(field(at(".level"), "is one of L0, L1, L2, L3 and L4")),
        };
        // One of each shape at a time below L3: the core sees to that, whatever the width.
        let in_flight_max = self.in_flight_max.unwrap_or(if level >= Level::L3 { 16 } else { 4 });
        if !(1..=1_024).contains(&in_flight_max) {
            return Err(field(at(".in_flight_max"), "has to be from 1 to 1024"));
        }
        let default = Patience::default();
        let time = |name: &str, ms: Option<u64>, or: Duration| match ms {
            Some(ms) if !(1..=600_000).contains(&ms) => Err(field(at(name), "has to be from 1 to 600000")),
            Some(ms) => Ok(Duration::from_millis(ms)),
            None => Ok(or),
        };
        let patience = Patience {
            connect: time(".connect_ms", self.connect_ms, default.connect)?,
            call: time(".call_ms", self.call_ms, default.call)?,
            read: time(".read_ms", self.read_ms, default.read)?,
            queue: time(".queue_ms", self.queue_ms, default.queue)?,
            backoff: time(".backoff_ms", self.backoff_ms, default.backoff)?,
            backoff_max: time(".backoff_max_ms", self.backoff_max_ms, default.backoff_max)?,
        };
        let answer_within = time(".answer_ms", self.answer_ms, Duration::from_secs(5))?;
        let account = self.account.unwrap_or_else(|| account.to_string());
        let link = FakeLink { url, account, level, answer_within, in_flight_max };
        Ok(BrokerSettings::Fake { link, patience })
    }
}
