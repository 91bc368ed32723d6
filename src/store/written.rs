//! The columns that the writer makes of what a row says, and where a stored row has others.
//!
//! A row of each table is made whole here, so a new column does not compile before it has its line. What stands as JSON
//! is taken from the stored row: it is read, and held against the journal as what it says.

use sea_orm::{EntityTrait, IdenStatic as _, Iterable as _, ModelTrait};
use signalbox_domain::fx::FxRate;
use signalbox_domain::ids::AccountId;
use signalbox_domain::ledger::{Book, BookedAction, ContractBook, DayOver};
use signalbox_domain::reconcile::exception::Exception;
use signalbox_domain::registry::Fact;
use signalbox_domain::replay::{Difference, Replay};
use signalbox_domain::risk::{EquityMark, LimitFact, LimitWarning};
use signalbox_domain::row::{AccountRow, Fill, SignalRow};
use signalbox_domain::signal::{Signal, SignalStatus};
use signalbox_domain::units::Timestamp;

use super::batch::OrderRow;
use super::book_columns::BookColumns;
use super::columns::{self, OrderColumns};
use super::entity::{
    account_days, accounts, books, contract_books, corporate_actions, equity_marks, exceptions, fills, fx_rates,
    orders, parents, registry, risk_limits, risk_warnings, signal_keys, signals, strategies, trading_states,
};
use super::read::{StoredOrder, StoredParent, StoredSignal, StoredStrategy, StoredTradingState};
use super::{StoreError, body_hash, parse};

type Written<T> = Result<T, StoreError>;

/// The columns in which two rows differ, each by its name.
pub(super) fn compare<M>(found: &mut Vec<Difference>, what: impl FnOnce() -> String, stored: &M, written: &M)
where
    M: ModelTrait + PartialEq,
{
    if stored == written {
        return;
    }
    let what = what();
    for column in <M::Entity as EntityTrait>::Column::iter() {
        let (journal, rows) = (written.get(column), stored.get(column));
        if journal != rows {
            found.push(Difference {
                what: format!("{} of {what}", column.as_str()),
                journal: format!("{journal:?}"),
                rows: format!("{rows:?}"),
            });
        }
    }
}

/// Reads a signal's row, and finds what it says otherwise than the signal that the journal tells, where that is known.
pub(super) fn read_signal(
    found: &mut Vec<Difference>,
    model: signals::Model,
    told: Option<&Signal>,
) -> Written<StoredSignal> {
    let stored = parse::signal(model.clone())?;
    let (id, asked) = (stored.row.id, told.unwrap_or(&stored.signal));
    if *asked != *stored.signal {
        found.push(Difference {
            what: format!("payload of signal {id}"),
            journal: format!("{asked:?}"),
            rows: format!("{:?}", stored.signal),
        });
    }
    compare(found, || format!("signal {id}"), &model, &signal(&model, asked, &stored.row));
    Ok(stored)
}

/// As the door writes the signal, with what has become of it.
fn signal(stored: &signals::Model, asked: &Signal, row: &SignalRow) -> signals::Model {
    signals::Model {
        id: asked.id.get() as i64,
        client: asked.client.to_string(),
        client_signal_id: asked.client_signal_id.to_string(),
        body_hash: body_hash(asked).to_vec(),
        strategy: asked.strategy.to_string(),
        account: asked.account.as_ref().map(ToString::to_string),
        symbol: asked.symbol.to_string(),
        payload: stored.payload.clone(),
        status: word(row.status),
        waiting_for: row.waiting_for.map(word),
        until_us: row.until.map(|at| at.us()),
        residual_qty: row.residual.get(),
        denials: stored.denials.clone(),
        cancel_requested: row.cancel_requested,
        received_at_us: asked.received_at.us(),
        updated_at_us: row.updated_at.us(),
        basket: asked.notes.basket.as_deref().map(str::to_owned),
        held: stored.held.clone(),
    }
}

/// What is kept of a signal that ended so.
pub(super) fn signal_key(asked: &Signal, status: SignalStatus) -> signal_keys::Model {
    signal_keys::Model {
        id: asked.id.get() as i64,
        client: asked.client.to_string(),
        client_signal_id: asked.client_signal_id.to_string(),
        body_hash: body_hash(asked).to_vec(),
        strategy: asked.strategy.to_string(),
        account: asked.account.as_ref().map(ToString::to_string),
        status: word(status),
        received_at_us: asked.received_at.us(),
    }
}

/// Strategy and symbol are its signal's, where the journal has it.
pub(super) fn parent(stored: &parents::Model, row: &StoredParent, told: &Replay) -> Written<parents::Model> {
    let StoredParent { parent, strategy, symbol } = row;
    let asked = told.signals.get(&parent.leg.parent.signal()).map(|state| &state.signal);
    let (short_of_cash, _) = columns::of_parent(parent)?;
    Ok(parents::Model {
        id: parent.leg.parent.get() as i64,
        signal_id: parent.leg.parent.signal().get() as i64,
        account: parent.leg.account.to_string(),
        strategy: asked.map_or(strategy, |asked| &asked.strategy).to_string(),
        symbol: asked.map_or(*symbol, |asked| asked.symbol).to_string(),
        side: word(parent.leg.side),
        qty: parent.leg.qty.get(),
        cum_qty: parent.cum_qty.get(),
        cum_amount_e4: parent.cum_amount.e4(),
        status: word(parent.status),
        working_order_id: parent.working.map(|id| id.get() as i64),
        mode: word(parent.leg.mode),
        short_of_cash,
        waiting_for: parent.waits_for().map(word),
        wait_until_us: parent.waits.and_then(|wait| wait.until).map(|until| until.us()),
        decided: stored.decided.clone(),
        effect: parent.leg.effect.map(word),
        progress: stored.progress.clone(),
        netted_qty: parent.netted.get(),
    })
}

pub(super) fn order(stored: &orders::Model, row: &StoredOrder) -> Written<orders::Model> {
    let row = match row {
        StoredOrder::Live(order) => OrderRow::Live((**order).clone().into()),
        StoredOrder::Denied { terms, denials, at } => {
            OrderRow::Denied { terms: terms.clone(), denials: denials.clone(), at: *at }
        }
    };
    let c = OrderColumns::of(&row)?;
    Ok(orders::Model {
        id: c.id,
        signal_id: c.signal_id,
        parent_id: c.parent_id,
        account: c.account.to_owned(),
        strategy: c.strategy.to_owned(),
        source: c.source.to_owned(),
        symbol: c.symbol.to_owned(),
        side: c.side.to_owned(),
        ord_type: c.ord_type.to_owned(),
        limit_price_e4: c.limit_price_e4,
        time_in_force: c.time_in_force.to_owned(),
        qty: c.qty,
        valid_until_us: c.valid_until_us,
        approval: stored.approval.clone(),
        denials: stored.denials.clone(),
        status: c.status.to_owned(),
        reported: c.reported.to_owned(),
        closed: c.closed,
        in_flight: c.in_flight.map(str::to_owned),
        in_doubt: c.in_doubt,
        cancel_wanted: c.cancel_wanted,
        send_no: c.send_no,
        cum_qty: c.cum_qty,
        cum_amount_e4: c.cum_amount_e4,
        fees_e4: c.fees_e4,
        overfilled: c.overfilled,
        reserved_cash_e4: c.reserved_cash_e4,
        reserved_qty: c.reserved_qty,
        broker_order_id: c.broker_order_id.map(str::to_owned),
        reason: c.reason.map(str::to_owned),
        created_at_us: c.created_at_us,
        sent_at_us: c.sent_at_us,
        acked_at_us: c.acked_at_us,
        first_fill_at_us: c.first_fill_at_us,
        updated_at_us: c.updated_at_us,
        doubt_since_us: c.doubt_since_us,
        parked: c.parked.map(str::to_owned),
        baseline: stored.baseline.clone(),
        effect: c.effect.map(str::to_owned),
        all_in: c.all_in,
        origin: c.origin.map(str::to_owned),
        netted_qty: c.netted_qty,
        netted_amount_e4: c.netted_amount_e4,
    })
}

/// Fills are numbered as they are booked.
pub(super) fn fill(stored: &fills::Model, row: &Fill, told: &Replay) -> fills::Model {
    let told = told.fills.get(&(row.order, row.exec_id.clone()));
    fills::Model {
        id: told.map_or(stored.id, |told| told.no as i64),
        account: row.account.to_string(),
        trade_date: row.trade_date.yyyymmdd().into(),
        exec_id: row.exec_id.0.to_string(),
        order_id: row.order.get() as i64,
        strategy: row.strategy.to_string(),
        symbol: row.symbol.to_string(),
        side: word(row.side),
        qty: row.qty.get(),
        px_e4: row.px.e4(),
        fee_e4: row.fee.e4(),
        at_us: row.at.us(),
    }
}

pub(super) fn account(stored: &accounts::Model, row: &AccountRow) -> accounts::Model {
    accounts::Model {
        id: row.account.to_string(),
        cash_e4: row.cash.e4(),
        trade_date: row.trade_date.map(|date| date.yyyymmdd().into()),
        messages_today: row.messages_today.into(),
        updated_at_us: row.updated_at.us(),
        prev_equity_e4: row.prev_equity.map(|money| money.e4()),
        loans: stored.loans.clone(),
        flows: stored.flows.clone(),
    }
}

pub(super) fn book(stored: &books::Model, account: &AccountId, book: &Book) -> books::Model {
    let BookColumns { key: [account, symbol, strategy], ints } = BookColumns::of(account, book);
    let [
        qty,
        bought_today,
        cost,
        realized,
        entry_on,
        entry_at,
        high,
        low,
        seen_until,
        entry_realized,
        day_qty,
        day_flow,
        prev_close,
        close,
    ] = ints;
    // Rows that are older than a column say nothing in it.
    let since =
        |stored: Option<i64>, written: Option<i64>| if stored.is_none() && written == Some(0) { None } else { written };
    books::Model {
        account: account.to_owned(),
        symbol: symbol.to_owned(),
        strategy: strategy.to_owned(),
        qty: qty.unwrap_or_default(),
        bought_today: bought_today.unwrap_or_default(),
        cost_e4: cost.unwrap_or_default(),
        realized_pnl_e4: realized.unwrap_or_default(),
        entry_on,
        entry_at_us: entry_at,
        high_e4: high,
        low_e4: low,
        seen_until_us: seen_until,
        entry_realized_e4: since(stored.entry_realized_e4, entry_realized),
        day_qty,
        day_flow_e4: since(stored.day_flow_e4, day_flow),
        prev_close_e4: prev_close,
        close_e4: close,
    }
}

pub(super) fn contract(
    stored: &contract_books::Model,
    account: &AccountId,
    book: &ContractBook,
) -> contract_books::Model {
    contract_books::Model {
        account: account.to_string(),
        symbol: book.symbol.to_string(),
        strategy: book.strategy.to_string(),
        direction: word(book.direction),
        body: stored.body.clone(),
    }
}

pub(super) fn corporate_action(
    stored: &corporate_actions::Model,
    (account, booked, at): (&AccountId, &BookedAction, Timestamp),
) -> corporate_actions::Model {
    corporate_actions::Model {
        account: account.to_string(),
        symbol: booked.action.symbol.to_string(),
        ex_date: booked.action.ex_date.yyyymmdd().into(),
        at_us: at.us(),
        body: stored.body.clone(),
    }
}

pub(super) fn account_day(
    stored: &account_days::Model,
    (account, over): (&AccountId, &DayOver),
) -> account_days::Model {
    account_days::Model {
        account: account.to_string(),
        trade_date: over.date.yyyymmdd().into(),
        body: stored.body.clone(),
    }
}

pub(super) fn exception(stored: &exceptions::Model, row: &Exception) -> exceptions::Model {
    exceptions::Model {
        account: row.account.to_string(),
        key: row.key.to_string(),
        opened_at_us: row.opened_at.us(),
        kind: word(row.kind),
        open: row.is_open(),
        updated_at_us: row.updated_at.us(),
        body: stored.body.clone(),
    }
}

pub(super) fn strategy(stored: &strategies::Model, row: &StoredStrategy) -> strategies::Model {
    strategies::Model {
        id: row.conf.id.to_string(),
        conf: stored.conf.clone(),
        state: word(row.state),
        version: row.version.into(),
    }
}

pub(super) fn trading_state(row: &StoredTradingState) -> trading_states::Model {
    let (kind, id) = columns::scope(&row.scope);
    trading_states::Model {
        scope_kind: kind.to_owned(),
        scope_id: id.to_owned(),
        state: word(row.state),
        who: row.who.to_string(),
        reason: row.reason.to_string(),
        at_us: row.at.us(),
    }
}

pub(super) fn limits(stored: &risk_limits::Model, fact: &LimitFact) -> risk_limits::Model {
    let (kind, id) = columns::scope(&fact.scope);
    risk_limits::Model {
        scope_kind: kind.to_owned(),
        scope_id: id.to_owned(),
        version: fact.version.into(),
        at_us: fact.at.us(),
        body: stored.body.clone(),
    }
}

pub(super) fn warning(stored: &risk_warnings::Model, row: &LimitWarning) -> risk_warnings::Model {
    risk_warnings::Model {
        account: row.account.to_string(),
        trade_date: row.trade_date.yyyymmdd().into(),
        code: word(row.code),
        at_us: row.at.us(),
        body: stored.body.clone(),
    }
}

pub(super) fn equity_mark(stored: &equity_marks::Model, mark: &EquityMark) -> equity_marks::Model {
    let (kind, id) = columns::scope(&mark.scope);
    equity_marks::Model {
        scope_kind: kind.to_owned(),
        scope_id: id.to_owned(),
        at_us: mark.at.us(),
        body: stored.body.clone(),
    }
}

pub(super) fn registered(stored: &registry::Model, fact: &Fact) -> registry::Model {
    let (kind, id) = fact.key();
    registry::Model {
        kind: kind.to_owned(),
        id: id.to_owned(),
        version: fact.version().into(),
        body: stored.body.clone(),
    }
}

pub(super) fn fx_rate(rate: &FxRate) -> fx_rates::Model {
    fx_rates::Model {
        currency: word(rate.currency),
        base: word(rate.base),
        rate_e6: rate.rate.e6(),
        source: rate.source.to_string(),
        as_of_us: rate.as_of.us(),
    }
}

fn word<T: Into<&'static str>>(value: T) -> String {
    value.into().to_owned()
}
