//! All rows at once, as they stand: what a proof holds against the journal.

use std::collections::BTreeSet;

use sea_orm::{
    AccessMode, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, IsolationLevel,
    ModelTrait, QueryFilter, QueryOrder, QuerySelect, Statement, TransactionTrait,
};
use signalbox_domain::ids::SignalId;
use signalbox_domain::replay::{Difference, Replay};
use signalbox_domain::row::Row;
use signalbox_domain::tables::Tables;

use super::entity::{
    account_days, accounts, books, contract_books, corporate_actions, equity_marks, exceptions, fills, fx_rates,
    orders, parents, registry, risk_limits, risk_warnings, signal_keys, signals, strategies, trading_states,
};
use super::read::{StoredOrder, StoredParent, StoredStrategy, StoredTradingState};
use super::{Store, StoreError, parse, written};

/// Rows of the large tables that are read at once.
const PAGE: u64 = 2_000;

impl Store {
    /// Every row of trading in one consistent state. For proofs: it takes the memory that the tables take.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn tables(&self) -> Result<Tables, StoreError> {
        self.tables_and_columns(None).await.map(|held| held.tables)
    }

    /// The same, and each column that is not what the writer makes of what its row says, and of what the journal tells of
    /// its signal or fill.
    ///
    /// # Errors
    /// As [`Self::tables`].
    pub async fn held_against(&self, told: &Replay) -> Result<Held, StoreError> {
        self.tables_and_columns(Some(told)).await
    }

    async fn tables_and_columns(&self, told: Option<&Replay>) -> Result<Held, StoreError> {
        let isolation = Some(IsolationLevel::RepeatableRead);
        let read = self.reads().begin_with_config(isolation, Some(AccessMode::ReadOnly)).await?;
        let mut reading = Reading { told, tables: Tables::default(), dropped: BTreeSet::new(), found: Vec::new() };
        reading.trading(&read).await?;
        reading.accounts(&read).await?;
        reading.settings(&read).await?;
        read.commit().await?;
        let Reading { tables, dropped, found, .. } = reading;
        Ok(Held { tables, dropped, differences: found })
    }

    /// Rows about the journal's files that contradict each other. Only a hand in the database makes them so.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn odd_archives(&self) -> Result<Vec<Difference>, StoreError> {
        let mut found = Vec::new();
        for (what, query) in ODD {
            let statement = Statement::from_string(self.reads().get_database_backend(), *query);
            for row in self.reads().query_all_raw(statement).await? {
                let id: String = row.try_get("", "id")?;
                let difference = Difference {
                    what: format!("{what} {id}"),
                    journal: "as its other columns".into(),
                    rows: "another one".into(),
                };
                found.push(difference);
            }
        }
        Ok(found)
    }
}

/// All rows, and what of them is not as the journal tells it.
#[derive(Debug)]
pub struct Held {
    pub tables: Tables,
    /// Signals of which only the key is kept.
    pub dropped: BTreeSet<SignalId>,
    pub differences: Vec<Difference>,
}

/// Rows whose columns contradict each other.
const ODD: &[(&str, &str)] = &[(
    "the first line of the archive's file that ends with line",
    "SELECT CAST(last_seq AS TEXT) AS id FROM journal_archives
     WHERE first_seq <> 1 + coalesce((SELECT max(before.last_seq) FROM journal_archives AS before
        WHERE before.last_seq < journal_archives.last_seq), 0)",
)];

/// Reads table by table.
struct Reading<'a> {
    told: Option<&'a Replay>,
    tables: Tables,
    dropped: BTreeSet<SignalId>,
    found: Vec<Difference>,
}

impl Reading<'_> {
    fn put(&mut self, row: Row) -> Result<(), StoreError> {
        self.tables.put(row).map_err(|twice| StoreError::corrupt("fill", twice))
    }

    /// The tables that grow with every signal, in pages: what is read of a row and not kept goes at once.
    async fn trading(&mut self, read: &DatabaseTransaction) -> Result<(), StoreError> {
        pages(read, signal_keys::Column::Id, |model: signal_keys::Model| (model.id, self.key(&model))).await?;
        pages(read, signals::Column::Id, |model: signals::Model| (model.id, self.signal(model))).await?;
        pages(read, parents::Column::Id, |model: parents::Model| (model.id, self.parent(&model))).await?;
        pages(read, orders::Column::Id, |model: orders::Model| (model.id, self.order(model))).await?;
        pages(read, fills::Column::Id, |model: fills::Model| (model.id, self.fill(model))).await
    }

    /// The key is its signal's, which has ended with all its orders.
    fn key(&mut self, model: &signal_keys::Model) -> Result<(), StoreError> {
        let id = SignalId::new(model.id as u64);
        self.dropped.insert(id);
        let Some(told) = self.told else { return Ok(()) };
        let what = || format!("key of dropped signal {id}");
        match told.signals.get(&id) {
            Some(state) => {
                let written = written::signal_key(&state.signal, state.status);
                written::compare(&mut self.found, what, model, &written);
                if !told.has_ended(id) {
                    self.found.push(Difference { what: what(), journal: "unfinished".into(), rows: "dropped".into() });
                }
            }
            None => self.found.push(Difference { what: what(), journal: "nothing".into(), rows: "a row".into() }),
        }
        Ok(())
    }

    fn signal(&mut self, model: signals::Model) -> Result<(), StoreError> {
        let row = match self.told {
            Some(told) => {
                let asked = told.signals.get(&SignalId::new(model.id as u64)).map(|state| &*state.signal);
                written::read_signal(&mut self.found, model, asked)?.row
            }
            None => parse::signal(model)?.row,
        };
        self.put(Row::Signal(row))
    }

    fn parent(&mut self, model: &parents::Model) -> Result<(), StoreError> {
        let stored = parse::parent(model)?;
        if let Some(told) = self.told {
            let written = written::parent(model, &stored, told)?;
            written::compare(&mut self.found, || format!("parent {}", stored.parent.leg.parent), model, &written);
        }
        let StoredParent { parent, strategy, symbol } = stored;
        self.put(Row::Parent { parent: parent.into(), strategy, symbol })
    }

    fn order(&mut self, model: orders::Model) -> Result<(), StoreError> {
        let stored = self.told.map(|_| model.clone());
        let order = parse::order(model)?;
        if let Some(stored) = stored {
            let written = written::order(&stored, &order)?;
            written::compare(&mut self.found, || format!("order {}", order.terms().id), &stored, &written);
        }
        self.put(match order {
            StoredOrder::Live(order) => Row::Order((*order).into()),
            StoredOrder::Denied { terms, denials, at } => Row::DeniedOrder { terms, denials, at },
        })
    }

    fn fill(&mut self, model: fills::Model) -> Result<(), StoreError> {
        let stored = self.told.map(|_| model.clone());
        let fill = parse::fill(model)?.fill;
        if let (Some(told), Some(stored)) = (self.told, stored) {
            let written = written::fill(&stored, &fill, told);
            let what = || format!("fill {} of order {}", fill.exec_id.0, fill.order);
            written::compare(&mut self.found, what, &stored, &written);
        }
        self.put(Row::Fill(fill))
    }

    async fn accounts(&mut self, read: &DatabaseTransaction) -> Result<(), StoreError> {
        for model in accounts::Entity::find().all(read).await? {
            let row = parse::account(&model)?;
            self.compare(|| format!("account {}", row.account), &model, || written::account(&model, &row));
            self.put(Row::Account(row.into()))?;
        }
        for model in books::Entity::find().all(read).await? {
            let (account, book) = parse::book(&model)?;
            let what = || format!("book {} of {} in {account}", book.symbol, book.strategy);
            self.compare(what, &model, || written::book(&model, &account, &book));
            self.put(Row::Book { account, book: book.into() })?;
        }
        for model in contract_books::Entity::find().all(read).await? {
            let (account, book) = parse::contract(&model)?;
            let what = || format!("contracts {} of {} in {account}", book.symbol, book.strategy);
            self.compare(what, &model, || written::contract(&model, &account, &book));
            self.put(Row::Contract { account, book: book.into() })?;
        }
        for model in corporate_actions::Entity::find().all(read).await? {
            let (account, booked, at) = parse::corporate_action(&model)?;
            let what =
                || format!("corporate action {} of {} in {account}", booked.action.ex_date, booked.action.symbol);
            self.compare(what, &model, || written::corporate_action(&model, (&account, &booked, at)));
            self.put(Row::CorporateAction { account, booked: booked.into(), at })?;
        }
        for model in account_days::Entity::find().all(read).await? {
            let (account, over) = parse::account_day(&model)?;
            let what = || format!("the day {} of {account}", over.date);
            self.compare(what, &model, || written::account_day(&model, (&account, &over)));
            self.put(Row::AccountDay { account, over: over.into() })?;
        }
        for model in exceptions::Entity::find().all(read).await? {
            let row = parse::exception(&model)?;
            let what = || format!("exception {} of {}", row.key, row.account);
            self.compare(what, &model, || written::exception(&model, &row));
            self.put(Row::Exception(row.into()))?;
        }
        Ok(())
    }

    async fn settings(&mut self, read: &DatabaseTransaction) -> Result<(), StoreError> {
        for model in strategies::Entity::find().all(read).await? {
            let stored = parse::strategy(&model)?;
            self.compare(|| format!("strategy {}", stored.conf.id), &model, || written::strategy(&model, &stored));
            let StoredStrategy { conf, state, version } = stored;
            self.put(Row::Strategy { conf, state, version })?;
        }
        for model in trading_states::Entity::find().all(read).await? {
            let stored = parse::trading_state(model.clone())?;
            let what = || format!("trading state of {:?}", stored.scope);
            self.compare(what, &model, || written::trading_state(&stored));
            let StoredTradingState { scope, state, who, reason, at } = stored;
            self.put(Row::TradingState { scope, state, who, reason, at })?;
        }
        for model in risk_limits::Entity::find().all(read).await? {
            let fact = parse::limits(&model)?;
            let what = || format!("limits {} of {:?}", fact.version, fact.scope);
            self.compare(what, &model, || written::limits(&model, &fact));
            self.put(Row::Limits(fact.into()))?;
        }
        for model in risk_warnings::Entity::find().all(read).await? {
            let row = parse::warning(&model)?;
            let what = || format!("warning {} of {} on {}", row.code, row.account, row.trade_date);
            self.compare(what, &model, || written::warning(&model, &row));
            self.put(Row::LimitWarning(row.into()))?;
        }
        for model in equity_marks::Entity::find().all(read).await? {
            let mark = parse::equity_mark(&model)?;
            self.compare(|| format!("worth of {:?}", mark.scope), &model, || written::equity_mark(&model, &mark));
            self.put(Row::EquityMark(mark.into()))?;
        }
        for model in registry::Entity::find().all(read).await? {
            let fact = parse::registered(&model)?;
            let what = || format!("{} {}", fact.key().0, fact.key().1);
            self.compare(what, &model, || written::registered(&model, &fact));
            self.put(Row::Registered(fact))?;
        }
        for model in fx_rates::Entity::find().all(read).await? {
            let rate = parse::fx_rate(model.clone())?;
            let what = || format!("exchange rate {} in {}", rate.currency, rate.base);
            self.compare(what, &model, || written::fx_rate(&rate));
            self.tables.fx_rates.put(rate);
        }
        Ok(())
    }

    fn compare<M>(&mut self, what: impl FnOnce() -> String, stored: &M, written: impl FnOnce() -> M)
    where
        M: ModelTrait + PartialEq,
    {
        if self.told.is_some() {
            written::compare(&mut self.found, what, stored, &written());
        }
    }
}

/// Shows every row, in the order of the ids.
async fn pages<C, M>(
    read: &DatabaseTransaction,
    id: C,
    mut see: impl FnMut(M) -> (i64, Result<(), StoreError>),
) -> Result<(), StoreError>
where
    C: ColumnTrait,
    M: ModelTrait + FromQueryResult + Sync,
    M::Entity: EntityTrait<Model = M, Column = C>,
{
    let mut last = None;
    loop {
        let mut page = M::Entity::find().order_by_asc(id).limit(PAGE);
        if let Some(last) = last {
            page = page.filter(id.gt(last));
        }
        let page = page.all(read).await?;
        let all = (page.len() as u64) < PAGE;
        for model in page {
            let (id, seen) = see(model);
            seen?;
            last = Some(id);
        }
        if all {
            return Ok(());
        }
    }
}
