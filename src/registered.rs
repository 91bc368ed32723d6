//! What is set up at a start: conf makes the first version of each account and group; once people have changed one, what they
//! set up holds, and the start says where conf says something else.

use std::collections::BTreeMap;

use signalbox_domain::ids::AccountId;
use signalbox_domain::registry::{AccountFact, Fact, GroupFact, Registry};
use tracing::warn;

use crate::conf::Settings;

/// The facts in force.
#[must_use]
pub fn in_force(settings: &Settings, stored: Vec<Fact>) -> Registry {
    let mut registry = Registry::default();
    let mut newer: BTreeMap<(&'static str, String), Fact> = BTreeMap::new();
    for fact in stored {
        let (kind, id) = fact.key();
        newer.insert((kind, id.to_owned()), fact);
    }
    let conf = settings.account_facts().into_iter().map(|fact| Fact::Account(fact.into()));
    let conf = conf.chain(settings.group_facts().into_iter().map(|fact| Fact::Group(fact.into())));
    for fact in conf {
        let (kind, id) = fact.key();
        match newer.remove(&(kind, id.to_owned())) {
            Some(set) => {
                if let Some(what) = difference(&fact, &set) {
                    warn!("{kind} {id}: {what}. What was set up holds");
                }
                registry.put(set);
            }
            None => registry.put(fact),
        }
    }
    newer.into_values().for_each(|fact| registry.put(fact));
    registry
}

/// What conf says of it, and what was set up.
fn difference(conf: &Fact, set: &Fact) -> Option<String> {
    match (conf, set) {
        (Fact::Account(conf), Fact::Account(set)) => account_difference(conf, set),
        (Fact::Group(conf), Fact::Group(set)) => group_difference(conf, set),
        _ => None,
    }
}

fn account_difference(conf: &AccountFact, set: &AccountFact) -> Option<String> {
    if let Some(broker) = &set.broker {
        return Some(format!("conf has an account of this name, and one was opened at broker {broker}"));
    }
    let said = |fact: &AccountFact| format!("{} and {} at step {}", fact.state, fact.mode, fact.step);
    let (conf, set) = (said(conf), said(set));
    (conf != set).then(|| format!("conf says {conf}, it was set to {set}"))
}

fn group_difference(conf: &GroupFact, set: &GroupFact) -> Option<String> {
    if set.deleted {
        return Some("conf lists it, and it was deleted".to_owned());
    }
    let names = |accounts: &[AccountId]| accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ");
    let (said, is) = (names(&conf.accounts), names(&set.accounts));
    (said != is || !set.opted_out.is_empty())
        .then(|| format!("conf says {said}, it was set to {is} without {}", names(&set.opted_out)))
}
