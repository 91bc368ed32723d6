//! What the actors of one thread can see of each other: quotes, ledgers, trading states, addresses.
//!
//! Each part has one writer (quotes the market actor, a ledger its account, states, paces and what is set aside the
//! risk actor) and is borrowed
//! only within one step, which never waits and never nests, so a borrow can never meet another. Decisions so see every
//! fact up to this very step, and the memory for it exists once.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix::Addr;
use signalbox_domain::account::Pacing;
use signalbox_domain::hash::QuickMap;
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::market::Market;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::view::{Ledgers, Quotes, SetAside, TradingStates, View};
use tokio::sync::oneshot;

use crate::account::AccountActor;
use crate::clock::Clock;
use crate::gate::{Gate, Waiter};
use crate::journal::{Journal, Ticket};
use crate::risk::RiskActor;
use crate::strategy::StrategyActor;

/// Shared by all trading actors of one arbiter.
#[derive(Debug)]
pub struct Board {
    pub clock: Arc<dyn Clock>,
    pub journal: Arc<dyn Journal>,
    pub gate: Gate,
    pub market: Market,
    pub quotes: RefCell<Quotes>,
    pub ledgers: RefCell<Ledgers>,
    pub states: RefCell<TradingStates>,
    pub aside: RefCell<SetAside>,
    /// The paces that were set since the start, for accounts whose lives are built anew.
    pub paces: RefCell<QuickMap<AccountId, Pacing>>,
    pub directory: Directory,
    /// The symbols whose prices strategies wait for, and those of them that were rung for and have not looked yet.
    pub watched: RefCell<BTreeMap<StrategyId, Vec<Symbol>>>,
    pub rung: RefCell<BTreeSet<StrategyId>>,
    /// Risk was rung for new prices, and has not looked yet.
    pub watch_rung: Cell<bool>,
    /// Set once the system drains: nothing new is taken up.
    pub draining: Cell<bool>,
}

impl Board {
    /// Runs one step with everything that may be known now.
    pub fn with_view<R>(&self, step: impl FnOnce(View<'_>) -> R) -> R {
        let (quotes, ledgers, states) = (self.quotes.borrow(), self.ledgers.borrow(), self.states.borrow());
        let aside = self.aside.borrow();
        step(View { market: &self.market, quotes: &quotes, ledgers: &ledgers, states: &states, aside: &aside })
    }

    /// Prices of these symbols were shown: who waits for one of them, and was not rung for already.
    pub fn rings(&self, shown: impl Fn(Symbol) -> bool) -> Vec<StrategyId> {
        let (watched, mut rung) = (self.watched.borrow(), self.rung.borrow_mut());
        let waits = watched.iter().filter(|(_, symbols)| symbols.iter().any(|symbol| shown(*symbol)));
        waits.map(|(id, _)| id).filter(|id| rung.insert((*id).clone())).cloned().collect()
    }

    /// Answers a command once everything that was appended so far is durable.
    pub fn answer_when_durable<T: 'static>(&self, answer: oneshot::Sender<T>, value: T) {
        self.when_durable(self.journal.newest(), move || {
            let _ = answer.send(value); // whoever asked may have gone
        });
    }

    /// Calls when everything up to the ticket is durable: at once where it is.
    pub fn when_durable(&self, ticket: Ticket, call: impl FnOnce() + 'static) {
        if self.journal.durable() >= ticket {
            call();
        } else {
            self.gate.wait(ticket, Waiter::Call(Box::new(call)));
        }
    }
}

/// Where each actor's present life can be reached. Looked up at every use: nobody keeps an address across a life.
/// In the order of their names, so that all of them are told things in the same order each time.
#[derive(Debug, Default)]
pub struct Directory {
    pub risk: RefCell<Option<Addr<RiskActor>>>,
    pub accounts: RefCell<BTreeMap<AccountId, Addr<AccountActor>>>,
    pub strategies: RefCell<BTreeMap<StrategyId, Addr<StrategyActor>>>,
}

impl Directory {
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<Addr<AccountActor>> {
        self.accounts.borrow().get(id).cloned()
    }

    #[must_use]
    pub fn strategy(&self, id: &StrategyId) -> Option<Addr<StrategyActor>> {
        self.strategies.borrow().get(id).cloned()
    }
}
