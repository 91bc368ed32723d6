//! The registrar: opens, changes and ends accounts, changes groups, and configures strategies, one thing after the other.
//!
//! What fits is decided by the [`Registry`](signalbox_domain::registry::Registry); here it is made a fact, and put in force for
//! those whom it concerns. Nobody waits for it but who asked.

use std::rc::Rc;
use std::sync::Arc;

use signalbox_domain::event::Event;
use signalbox_domain::ids::AccountId;
use signalbox_domain::registry::{AccountChange, AccountFact, Fact, GroupChange, NewAccount, Unfit};
use signalbox_domain::row::Row;
use signalbox_domain::standing::AccountState;
use signalbox_domain::strategy::{StrategyConf, StrategyState};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::account::Retire;
use crate::journal::{Entry, StrategyRest};
use crate::port::tell;
use crate::risk::{AddAccount, StopSending};
use crate::root::{AccountBoot, Root, prepare, supervise_account, supervise_strategy};
use crate::strategy::{self, SetGroups};

/// From what was set up to what an account's life is built with; or why it cannot be reached.
pub type OpenAccount = Rc<dyn Fn(&AccountFact) -> Result<AccountBoot, String>>;

/// What is asked of the registrar.
#[derive(Debug)]
pub enum Asked {
    SetUp(SetUp),
    Configure(Configure),
}

/// One thing shall be another way.
#[derive(Debug, Clone)]
pub enum Change {
    Open(NewAccount),
    Account(AccountChange),
    Group(GroupChange),
}

#[derive(Debug)]
pub struct SetUp {
    pub change: Change,
    /// Told once it is durable.
    pub answer: oneshot::Sender<Result<Fact, Unfit>>,
}

/// A strategy's configuration as a whole.
#[derive(Debug)]
pub struct Configure {
    pub conf: Arc<StrategyConf>,
    /// The version that it replaces, 0 for none; any when left away.
    pub expected: Option<u32>,
    pub who: Arc<str>,
    /// Told the version once it is durable.
    pub answer: oneshot::Sender<Result<u32, Unfit>>,
}

impl Root {
    /// Does what is asked, in order. Whoever asks while everything drains hears nothing.
    pub(crate) async fn register(self, mut asked: mpsc::UnboundedReceiver<Asked>) {
        while let Some(asked) = asked.recv().await {
            if self.board.draining.get() {
                continue;
            }
            match asked {
                Asked::Configure(message) => self.configure(message),
                Asked::SetUp(SetUp { change, answer }) => {
                    let fact = match &change {
                        Change::Open(new) => self.open_account(new),
                        Change::Account(change) => self.change_account(change).await,
                        Change::Group(change) => self.change_group(change),
                    };
                    self.board.answer_when_durable(answer, fact);
                }
            }
        }
    }

    /// Hands a configuration to its strategy; one that was never heard of is stored and begins its first life.
    fn configure(&self, message: Configure) {
        let Configure { conf, expected, who, answer } = message;
        let version = match self.accounts.registry.borrow().next_of_strategy(&conf, expected) {
            Ok(version) => version,
            Err(unfit) => {
                let _ = answer.send(Err(unfit)); // whoever asked may have gone
                return;
            }
        };
        let present = self.board.directory.strategy(&conf.id);
        if present.is_none() && self.strategies.known.borrow().contains(&conf.id) {
            return; // disabled: whoever asks hears that it is not there
        }
        self.accounts.registry.borrow_mut().put_strategy(conf.clone(), version);
        if let Some(strategy) = present {
            return tell(&strategy, strategy::Configure { conf, version, who, answer });
        }
        let rest = StrategyRest { conf, version, state: StrategyState::Active, unfinished: Vec::new() };
        let mut entry = rest.first_entry(self.board.clock.now(), "configure");
        entry.cause = format!("configured by {who}").into();
        self.board.journal.append(entry);
        supervise_strategy(&self.board, rest, &self.strategies, &self.on_fatal.0);
        self.board.answer_when_durable(answer, Ok(version));
    }

    fn open_account(&self, new: &NewAccount) -> Result<Fact, Unfit> {
        let at = self.board.clock.now();
        let fact = self.accounts.registry.borrow().open_account(at, new)?;
        let boot = (self.accounts.open)(&fact).map_err(Unfit::Broker)?;
        let fact = Arc::new(fact);
        self.put_in_force(Fact::Account(fact.clone()));
        let (limits, connection) = (boot.limits.clone(), boot.connection.clone());
        let (conf, rest) = prepare(at, &self.board, boot);
        self.board.ledgers.borrow_mut().put(rest.ledger.clone());
        self.add_to_risk(&conf.id, limits);
        supervise_account(&self.board, conf, Some(rest), connection, &self.accounts, &self.on_fatal.0);
        Ok(Fact::Account(fact))
    }

    async fn change_account(&self, change: &AccountChange) -> Result<Fact, Unfit> {
        let at = self.board.clock.now();
        let propose = |live| self.accounts.registry.borrow().change_account(at, change, live);
        let fact = propose(0)?;
        let before = self.accounts.registry.borrow().account(&change.id).cloned().ok_or(Unfit::Missing)?;
        let begins = before.state != AccountState::Enabled && fact.state == AccountState::Enabled;
        // Whatever can fail comes first.
        let boot = if begins { Some((self.accounts.open)(&fact).map_err(Unfit::Broker)?) } else { None };
        if before.standing().sends() && !fact.standing().sends() {
            let (answer, told) = oneshot::channel();
            let message = StopSending { account: fact.id.clone(), standing: fact.standing(), answer };
            match self.board.directory.risk.borrow().as_ref() {
                Some(risk) => tell(risk, message),
                None => drop(message),
            }
            // Without risk the process ends.
            let live = told.await.unwrap_or(u32::MAX);
            propose(live)?;
        }
        let fact = Arc::new(fact);
        self.put_in_force(Fact::Account(fact.clone()));
        match boot {
            Some(boot) => self.begin(boot),
            None if before.state == AccountState::Enabled && fact.state != AccountState::Enabled => self.end(&fact.id),
            None => {}
        }
        Ok(Fact::Account(fact))
    }

    fn change_group(&self, change: &GroupChange) -> Result<Fact, Unfit> {
        let fact = self.accounts.registry.borrow().change_group(self.board.clock.now(), change)?;
        let fact = Fact::Group(fact.into());
        self.put_in_force(fact.clone());
        Ok(fact)
    }

    /// Makes it a fact. What is planned from now on goes by it, what was planned before stays.
    fn put_in_force(&self, fact: Fact) {
        if let Fact::Account(account) = &fact {
            self.board.ledgers.borrow_mut().set_standing(account.id.clone(), account.standing());
        }
        self.accounts.registry.borrow_mut().put(fact.clone());
        let (events, rows) = (vec![Event::Registered(fact.clone())], vec![Row::Registered(fact)]);
        let at = self.board.clock.now();
        self.board.journal.append(Entry { at, actor: "registrar".into(), cause: "set_up".into(), events, rows });
        let groups = Arc::new(self.accounts.registry.borrow().in_force());
        if groups == *self.strategies.groups.borrow() {
            return;
        }
        self.strategies.groups.replace(groups.clone());
        for strategy in self.board.directory.strategies.borrow().values() {
            tell(strategy, SetGroups(groups.clone()));
        }
    }

    fn add_to_risk(&self, account: &AccountId, limits: Arc<signalbox_domain::risk::Limits>) {
        self.board.ledgers.borrow_mut().set_commission(account.clone(), limits.commission);
        if let Some(risk) = self.board.directory.risk.borrow().as_ref() {
            tell(risk, AddAccount { account: account.clone(), limits });
        }
    }

    /// An account that was not in use begins to live again, from what is stored.
    fn begin(&self, boot: AccountBoot) {
        let AccountBoot { conf, limits, connection, .. } = boot;
        self.add_to_risk(&conf.id, limits);
        supervise_account(&self.board, conf, None, connection, &self.accounts, &self.on_fatal.0);
    }

    fn end(&self, id: &AccountId) {
        let account = self.board.directory.accounts.borrow_mut().remove(id);
        match account {
            Some(account) => tell(&account, Retire),
            None => warn!(account.id = %id, "account {id} was suspended when its use ended"),
        }
    }
}
