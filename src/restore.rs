//! From stored rows to what the actors' lives are built from.

use std::collections::HashMap;

use async_trait::async_trait;
use signalbox_actors::journal::{AccountRest, RestoreError, Restorer, RiskRest, StrategyRest};
use signalbox_domain::account::OrdersRest;
use signalbox_domain::ids::{AccountId, SignalId, StrategyId};
use signalbox_domain::ledger::Ledger;
use signalbox_domain::registry::Fact;
use signalbox_domain::strategy::Unfinished;
use signalbox_domain::units::Timestamp;
use signalbox_domain::view::TradingStates;

use crate::store::{RestoredAccount, RestoredSignal, Store, StoreError, StoredOrder, StoredStrategy};

/// Everything that an earlier run left.
#[derive(Debug)]
pub struct Rest {
    pub accounts: HashMap<AccountId, AccountRest>,
    pub strategies: HashMap<StrategyId, StrategyRest>,
    pub states: TradingStates,
    pub risk: RiskRest,
    pub registered: Vec<Fact>,
    pub last_at: Option<Timestamp>,
}

/// Reads what is there at start.
///
/// # Errors
/// When the store cannot be read.
pub async fn rest(store: &Store) -> Result<Rest, StoreError> {
    let restored = store.restore().await?;
    let mut unfinished: HashMap<StrategyId, Vec<Unfinished>> = HashMap::new();
    for signal in restored.signals {
        let strategy = signal.signal.signal.strategy.clone();
        unfinished.entry(strategy).or_default().push(unfinished_signal(store, signal).await?);
    }
    let mut states = TradingStates::default();
    for state in &restored.trading_states {
        states.set(&state.scope, state.state);
    }
    let strategies = restored.strategies.into_iter().map(|stored| {
        let id = stored.conf.id.clone();
        let rest = strategy_rest(stored, unfinished.remove(&id).unwrap_or_default());
        (id, rest)
    });
    Ok(Rest {
        strategies: strategies.collect(),
        accounts: restored.accounts.into_iter().map(|a| (a.row.account.clone(), account_rest(a))).collect(),
        states,
        risk: RiskRest {
            limits: restored.limits.into_iter().map(Into::into).collect(),
            warnings: restored.warnings,
            marks: restored.marks,
        },
        registered: restored.registered,
        last_at: restored.last_at,
    })
}

async fn unfinished_signal(store: &Store, restored: RestoredSignal) -> Result<Unfinished, StoreError> {
    let RestoredSignal { signal, parents } = restored;
    let mut unfinished = Unfinished {
        row: signal.row,
        signal: signal.signal,
        parents: parents.into_iter().map(|p| p.parent).collect(),
        orders: Vec::new(),
        denied: Vec::new(),
    };
    unfinished.parents.sort_by_key(|parent| parent.leg.parent);
    if !unfinished.parents.is_empty() {
        for order in store.orders_of_signal(unfinished.signal.id).await? {
            match order {
                StoredOrder::Live(order) => unfinished.orders.push(order.into()),
                StoredOrder::Denied { terms, denials, .. } => unfinished.denied.push((terms, denials)),
            }
        }
    }
    Ok(unfinished)
}

fn account_rest(restored: RestoredAccount) -> AccountRest {
    let RestoredAccount { row, books, contracts, live, ended, exceptions, booked } = restored;
    AccountRest {
        ledger: Ledger::restore(row.account, row.cash, row.trade_date, row.prev_equity, books)
            .with_contracts(contracts)
            .with_loans(row.loans)
            .with_flows(row.flows),
        messages_today: row.messages_today,
        orders: OrdersRest { live, ended, exceptions, booked },
    }
}

fn strategy_rest(stored: StoredStrategy, unfinished: Vec<Unfinished>) -> StrategyRest {
    StrategyRest { conf: stored.conf, version: stored.version, state: stored.state, unfinished }
}

/// The store as the actors' supervisors see it.
#[derive(Debug, Clone)]
pub struct StoreRestorer(pub Store);

#[async_trait]
impl Restorer for StoreRestorer {
    async fn account(&self, id: &AccountId) -> Result<Option<AccountRest>, RestoreError> {
        // A rebuild is rare: reading everything and keeping one account is simple and always consistent.
        let restored = self.0.undisturbed(self.0.restore()).await.map_err(|e| RestoreError(e.to_string()))?;
        Ok(restored.accounts.into_iter().find(|a| a.row.account == *id).map(account_rest))
    }

    async fn strategy(&self, id: &StrategyId) -> Result<Option<StrategyRest>, RestoreError> {
        let mut rest = self.0.undisturbed(rest(&self.0)).await.map_err(|e| RestoreError(e.to_string()))?;
        Ok(rest.strategies.remove(id))
    }

    async fn signal(&self, id: SignalId) -> Result<Option<Unfinished>, RestoreError> {
        let read = async {
            let Some(signal) = self.0.signal(id).await? else { return Ok(None) };
            let parents = self.0.parents_of_signal(id).await?;
            unfinished_signal(&self.0, RestoredSignal { signal, parents }).await.map(Some)
        };
        self.0.undisturbed(read).await.map_err(|e: StoreError| RestoreError(e.to_string()))
    }
}
