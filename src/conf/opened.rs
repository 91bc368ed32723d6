//! Accounts that are opened while the program runs: how their brokers are reached stands in the settings, the rest in the
//! store.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use signalbox_domain::account::AccountConf;
use signalbox_domain::ids::AccountId;
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::registry::{AccountFact, GroupFact};
use signalbox_domain::risk::Limits;
use signalbox_domain::units::Timestamp;

use super::broker::{BrokerSettings, RawBroker};
use super::doubt::RawDoubt;
use super::risk::RawRisk;
use super::{AccountSettings, ConfError, Settings, field};

/// The broker of this process.
const PAPER: &str = "paper";

/// One way to a broker, with what holds for the accounts there.
#[derive(Debug, Clone)]
pub struct BrokerSection {
    pub broker: BrokerSettings,
    pub limits: Arc<Limits>,
    pub doubt: DoubtConf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSection {
    link: RawBroker,
    #[serde(default)]
    risk: RawRisk,
    #[serde(default)]
    doubt: RawDoubt,
}

pub(super) fn check(raw: BTreeMap<String, RawSection>) -> Result<BTreeMap<String, BrokerSection>, ConfError> {
    let check = |(name, section): (String, RawSection)| {
        let place = format!("brokers.{name}");
        // The account of the link is each account's own.
        let nobody = AccountId::parse(&name).map_err(|e| field(&place, e.to_string()))?;
        if name == PAPER {
            return Err(field(place, "this name is the system's own"));
        }
        let broker = section.link.check(&format!("{place}.link"), &nobody)?;
        if broker.is_paper() {
            return Err(field(place, "is no way to a broker: accounts on paper need none"));
        }
        let limits = Arc::new(section.risk.check(&format!("{place}.risk"))?);
        let doubt = section.doubt.check(&format!("{place}.doubt"))?;
        Ok((name, BrokerSection { broker, limits, doubt }))
    };
    raw.into_iter().map(check).collect()
}

impl Settings {
    /// What stands in conf, as the first versions of what people may set up later.
    #[must_use]
    pub fn account_facts(&self) -> Vec<AccountFact> {
        let fact = |account: &AccountSettings| AccountFact {
            id: account.conf.id.clone(),
            version: 0,
            display_name: account.conf.id.as_str().into(),
            broker: None,
            broker_account: None,
            on_paper: account.broker.is_paper(),
            mode: account.mode,
            state: signalbox_domain::standing::AccountState::Enabled,
            step: account.step,
            currency: account.currency,
            cash: account.cash,
            who: "conf".into(),
            reason: "".into(),
            at: Timestamp::default(),
        };
        self.accounts.iter().map(fact).collect()
    }

    /// The same of the groups, by name.
    #[must_use]
    pub fn group_facts(&self) -> Vec<GroupFact> {
        let fact = |(id, accounts): (&signalbox_domain::ids::GroupId, &Vec<AccountId>)| GroupFact {
            id: id.clone(),
            version: 0,
            accounts: accounts.clone(),
            opted_out: Vec::new(),
            deleted: false,
            who: "conf".into(),
            reason: "".into(),
            at: Timestamp::default(),
        };
        let mut groups: Vec<GroupFact> = self.groups.iter().map(fact).collect();
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        groups
    }

    /// Whether accounts can be opened there, and whether on paper.
    #[must_use]
    pub fn broker(&self, name: &str) -> Option<bool> {
        if name == PAPER { Some(true) } else { self.brokers.get(name).map(|_| false) }
    }

    /// The settings of an account that was set up.
    ///
    /// # Errors
    /// When the settings do not say any more how its broker is reached.
    pub fn account(&self, fact: &AccountFact) -> Result<AccountSettings, String> {
        let Some(name) = fact.broker.as_deref() else {
            let own = self.accounts.iter().find(|account| account.conf.id == fact.id);
            return own.cloned().ok_or_else(|| "conf does not list it any more".to_owned());
        };
        let (broker, limits, doubt) = if name == PAPER {
            (BrokerSettings::Paper, Arc::new(Limits::default()), DoubtConf::default())
        } else {
            let section = self.brokers.get(name).ok_or_else(|| format!("conf has no section brokers.{name}"))?;
            let there = fact.broker_account.as_deref().unwrap_or(fact.id.as_str());
            (section.broker.for_account(there), section.limits.clone(), section.doubt.clone())
        };
        let limits = Arc::new(Limits { currency: fact.currency, ..Limits::clone(&limits) });
        Ok(AccountSettings {
            conf: AccountConf {
                id: fact.id.clone(),
                capabilities: broker.capabilities(),
                pacing: limits.pacing(),
                doubt,
            },
            broker,
            limits,
            cash: fact.cash,
            currency: fact.currency,
            holdings: Arc::<[OpeningHolding]>::from([]),
            mode: fact.mode,
            step: fact.step,
        })
    }
}
