//! Changes of what is set up, and whether they fit.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ACCOUNTS_MAX, AccountFact, GROUPS_MAX, GroupFact, Registry, Unfit};
use crate::ids::{AccountId, GroupId};
use crate::instrument::Currency;
use crate::standing::{AccountMode, AccountState, Step};
use crate::strategy::{RouteTo, reached_twice};
use crate::units::{Money, Timestamp};

/// Who wants it, and why.
#[derive(Debug, Clone)]
pub struct By {
    pub who: Arc<str>,
    pub reason: Arc<str>,
}

/// An account that is to be opened.
#[derive(Debug, Clone)]
pub struct NewAccount {
    pub id: AccountId,
    pub display_name: Arc<str>,
    pub broker: Arc<str>,
    pub broker_account: Option<Arc<str>>,
    pub on_paper: bool,
    pub mode: AccountMode,
    /// Left away: the first one of a live account, all of the others.
    pub step: Option<Step>,
    pub currency: Currency,
    pub cash: Money,
    pub by: By,
}

/// What shall be another way; the rest stays.
#[derive(Debug, Clone)]
pub struct AccountChange {
    pub id: AccountId,
    pub display_name: Option<Arc<str>>,
    pub mode: Option<AccountMode>,
    pub step: Option<Step>,
    pub state: Option<AccountState>,
    /// The version that is changed; any when left away.
    pub expected: Option<u32>,
    pub by: By,
}

/// A group as it shall be; what is left away stays.
#[derive(Debug, Clone)]
pub struct GroupChange {
    pub id: GroupId,
    /// It shall not be there yet, or shall be.
    pub new: bool,
    pub accounts: Option<Vec<AccountId>>,
    pub opted_out: Option<Vec<AccountId>>,
    pub deleted: bool,
    pub expected: Option<u32>,
    pub by: By,
}

impl Registry {
    /// # Errors
    /// [`Unfit`].
    pub fn open_account(&self, at: Timestamp, new: &NewAccount) -> Result<AccountFact, Unfit> {
        if self.account(&new.id).is_some() {
            return Err(Unfit::Exists);
        }
        if self.accounts.len() >= ACCOUNTS_MAX {
            return Err(Unfit::TooMany(ACCOUNTS_MAX));
        }
        let first = if new.mode == AccountMode::Live { Step::ReadOnly } else { Step::All };
        let step = new.step.unwrap_or(first);
        let NewAccount { id, display_name, broker, broker_account, on_paper, mode, currency, cash, by, .. } =
            new.clone();
        let fact = AccountFact {
            id,
            version: 1,
            display_name,
            broker: Some(broker),
            broker_account,
            on_paper,
            mode,
            state: AccountState::Enabled,
            step,
            currency,
            cash,
            who: by.who,
            reason: by.reason,
            at,
        };
        fits_mode(&fact)?;
        fits_step(&fact, Step::ReadOnly, 0)?;
        Ok(fact)
    }

    /// `live` orders of the account may still trade: while there are some, it stays one that sends.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn change_account(&self, at: Timestamp, change: &AccountChange, live: u32) -> Result<AccountFact, Unfit> {
        let old = self.account(&change.id).ok_or(Unfit::Missing)?;
        if change.expected.is_some_and(|expected| expected != old.version) {
            return Err(Unfit::Version { is: old.version });
        }
        if old.state == AccountState::Retired {
            return Err(Unfit::Retired);
        }
        let mode = change.mode.unwrap_or(old.mode);
        let goes_live = mode == AccountMode::Live && old.mode != AccountMode::Live;
        let from = if goes_live { Step::ReadOnly } else { old.step };
        let fact = AccountFact {
            version: old.version + 1,
            display_name: change.display_name.clone().unwrap_or_else(|| old.display_name.clone()),
            mode,
            step: change.step.unwrap_or(from),
            state: change.state.unwrap_or(old.state),
            who: change.by.who.clone(),
            reason: change.by.reason.clone(),
            at,
            ..AccountFact::clone(old)
        };
        fits_mode(&fact)?;
        fits_step(&fact, from, u8::from(!goes_live))?;
        if fact.state == AccountState::Retired {
            let groups = self.groups().filter(|group| group.accounts.contains(&fact.id));
            let in_use: Vec<String> = self
                .routed(&RouteTo::Account(fact.id.clone()))
                .chain(groups.map(|group| format!("group {}", group.id)))
                .collect();
            if !in_use.is_empty() {
                return Err(Unfit::InUse(in_use));
            }
        }
        let stops = old.standing().sends() && !fact.standing().sends();
        if stops && live > 0 {
            return Err(Unfit::LiveOrders(live));
        }
        Ok(fact)
    }

    /// # Errors
    /// [`Unfit`].
    pub fn change_group(&self, at: Timestamp, change: &GroupChange) -> Result<GroupFact, Unfit> {
        // What was deleted has had versions, too.
        let is = self.groups.get(&change.id).map_or(0, |group| group.version);
        let old = self.group(&change.id);
        match (old, change.new) {
            (None, false) => return Err(Unfit::Missing),
            (Some(_), true) => return Err(Unfit::Exists),
            _ => {}
        }
        if change.expected.is_some_and(|expected| expected != is) {
            return Err(Unfit::Version { is });
        }
        if old.is_none() && self.groups().count() >= GROUPS_MAX {
            return Err(Unfit::TooMany(GROUPS_MAX));
        }
        let known = |of: fn(&GroupFact) -> &Vec<AccountId>| old.map(|old| of(old).clone()).unwrap_or_default();
        let accounts = change.accounts.clone().unwrap_or_else(|| known(|old| &old.accounts));
        let mut seen = BTreeSet::new();
        for account in &accounts {
            self.usable(account)?;
            if !seen.insert(account) {
                return Err(Unfit::Twice(account.clone()));
            }
        }
        let opted_out = match &change.opted_out {
            Some(named) => {
                if let Some(stranger) = named.iter().find(|account| !accounts.contains(account)) {
                    return Err(Unfit::NoAccount(stranger.clone()));
                }
                named.clone()
            }
            // Whoever left the group has nothing to opt out of.
            None => known(|old| &old.opted_out).into_iter().filter(|account| accounts.contains(account)).collect(),
        };
        let By { who, reason } = change.by.clone();
        let (id, deleted) = (change.id.clone(), change.deleted);
        let fact = GroupFact { id, version: is + 1, accounts, opted_out, deleted, who, reason, at };
        if deleted {
            let in_use: Vec<String> = self.routed(&RouteTo::Group(fact.id.clone())).collect();
            return if in_use.is_empty() { Ok(fact) } else { Err(Unfit::InUse(in_use)) };
        }
        let mut followers = self.followers();
        followers.insert(fact.id.clone(), fact.followers().cloned().collect());
        for (conf, _) in self.strategies.values() {
            if let Some(account) = reached_twice(&conf.routes, &followers) {
                return Err(Unfit::Overlap { strategy: conf.id.clone(), account });
            }
        }
        Ok(fact)
    }
}

fn fits_mode(fact: &AccountFact) -> Result<(), Unfit> {
    let fits = match fact.mode {
        AccountMode::Paper => fact.on_paper,
        AccountMode::Shadow => true,
        AccountMode::Sim | AccountMode::Live => !fact.on_paper,
    };
    if fits { Ok(()) } else { Err(Unfit::Mode) }
}

/// Whether a live account may be at its step, coming from another one and going up so many at the most. Down goes every way.
fn fits_step(fact: &AccountFact, from: Step, up: u8) -> Result<(), Unfit> {
    if fact.mode == AccountMode::Live && fact.step.rank() > from.rank() + up {
        return Err(Unfit::StepSkipped { from, to: fact.step });
    }
    Ok(())
}
