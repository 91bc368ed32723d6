//! Stored columns back into the words of the cores. What cannot be read was not written by us.

use std::str::FromStr;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use signalbox_domain::event::Scope;
use signalbox_domain::fx::FxRate;
use signalbox_domain::ids::{
    AccountId, BrokerOrderId, ClientId, ExecId, NameError, OrderId, ParentId, SignalId, StrategyId,
};
use signalbox_domain::ledger::{Book, BookedAction, ContractBook, Day, DayOver, Entry};
use signalbox_domain::netting::Netted;
use signalbox_domain::order::{Order, OrderTerms};
use signalbox_domain::parent::{Leg, Parent, Wait};
use signalbox_domain::reconcile::exception::Exception;
use signalbox_domain::registry::Fact;
use signalbox_domain::risk::{EquityMark, LimitFact, LimitWarning};
use signalbox_domain::row::{AccountRow, Fill, SignalRow};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Timestamp, TradeDate};

use super::StoreError;
use super::batch::JournalLine;
use super::dropped::KeptKey;
use super::entity::{
    account_days, accounts, books, contract_books, corporate_actions, equity_marks, exceptions, fills, fx_rates,
    journal, orders, parents, registry, risk_limits, risk_warnings, signal_keys, signals, strategies, trading_states,
};
use super::read::{StoredFill, StoredOrder, StoredParent, StoredSignal, StoredStrategy, StoredTradingState};

type Parsed<T> = Result<T, StoreError>;

fn word<T: FromStr>(what: &'static str, text: &str) -> Parsed<T> {
    text.parse().map_err(|_| StoreError::corrupt(what, text))
}

fn name<T>(what: &'static str, text: &str, parse: fn(&str) -> Result<T, NameError>) -> Parsed<T> {
    parse(text).map_err(|_| StoreError::corrupt(what, text))
}

pub(super) fn account_id(text: &str) -> Parsed<AccountId> {
    name("account", text, AccountId::parse)
}

pub(super) fn strategy_id(text: &str) -> Parsed<StrategyId> {
    name("strategy", text, StrategyId::parse)
}

fn symbol(text: &str) -> Parsed<Symbol> {
    Symbol::parse(text).map_err(|_| StoreError::corrupt("symbol", text))
}

pub(super) fn json<T: DeserializeOwned>(what: &'static str, text: &str) -> Parsed<T> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(what, error))
}

fn trade_date(value: i64) -> Parsed<TradeDate> {
    u32::try_from(value).ok().and_then(TradeDate::from_yyyymmdd).ok_or_else(|| StoreError::corrupt("trade date", value))
}

fn narrow<T: TryFrom<i64>>(what: &'static str, value: i64) -> Parsed<T> {
    T::try_from(value).map_err(|_| StoreError::corrupt(what, value))
}

pub(super) fn journal_line(model: journal::Model) -> Parsed<JournalLine> {
    Ok(JournalLine {
        seq: narrow("sequence number", model.seq)?,
        at: Timestamp::from_us(model.at_us),
        actor: model.actor.into(),
        cause: model.cause.into(),
        kind: model.kind.into(),
        account: model.account.as_deref().map(account_id).transpose()?,
        strategy: model.strategy.as_deref().map(strategy_id).transpose()?,
        signal: model.signal_id.map(|id| SignalId::new(id as u64)),
        order: model.order_id.map(|id| OrderId::new(id as u64)),
        payload: model.payload.into(),
        hash: model.hash.try_into().map_err(|_| StoreError::corrupt("hash", model.seq))?,
    })
}

pub(super) fn signal(model: signals::Model) -> Parsed<StoredSignal> {
    let waiting_for = model.waiting_for.as_deref().map(|text| word("waiting_for", text)).transpose()?;
    Ok(StoredSignal {
        signal: Arc::new(json("signal", &model.payload)?),
        row: SignalRow {
            id: SignalId::new(model.id as u64),
            status: word("signal status", &model.status)?,
            waiting_for,
            until: model.until_us.map(Timestamp::from_us),
            residual: Qty::new(model.residual_qty),
            denials: match &model.denials {
                Some(text) => json::<Vec<_>>("denials", text)?.into(),
                None => Arc::from([]),
            },
            cancel_requested: model.cancel_requested,
            held: model.held.as_deref().map(|text| json("held", text)).transpose()?,
            updated_at: Timestamp::from_us(model.updated_at_us),
        },
    })
}

pub(super) fn kept_key(model: signal_keys::Model) -> Parsed<KeptKey> {
    Ok(KeptKey {
        id: SignalId::new(model.id as u64),
        client: name("client", &model.client, ClientId::parse)?,
        strategy: strategy_id(&model.strategy)?,
        account: model.account.as_deref().map(account_id).transpose()?,
        body_hash: model.body_hash,
        status: word("signal status", &model.status)?,
        received_at: Timestamp::from_us(model.received_at_us),
    })
}

pub(super) fn parent(model: &parents::Model) -> Parsed<StoredParent> {
    Ok(StoredParent {
        parent: Parent {
            leg: Leg {
                parent: ParentId::new(model.id as u64),
                account: account_id(&model.account)?,
                side: word("side", &model.side)?,
                effect: model.effect.as_deref().map(|text| word("effect", text)).transpose()?,
                qty: Qty::new(model.qty),
                mode: word("mode", &model.mode)?,
                short_of_cash: word("short_of_cash", &model.short_of_cash)?,
                pursued: model.progress.is_some(),
            },
            cum_qty: Qty::new(model.cum_qty),
            cum_amount: Money::from_e4(model.cum_amount_e4),
            netted: Qty::new(model.netted_qty),
            status: word("parent status", &model.status)?,
            working: model.working_order_id.map(|id| OrderId::new(id as u64)),
            waits: match &model.waiting_for {
                Some(text) => {
                    Some(Wait { what: word("waiting_for", text)?, until: model.wait_until_us.map(Timestamp::from_us) })
                }
                None => None,
            },
            decided: model.decided.as_deref().map(|text| json("decided", text).map(Arc::new)).transpose()?,
            progress: model.progress.as_deref().map(|text| json("progress", text)).transpose()?,
        },
        strategy: strategy_id(&model.strategy)?,
        symbol: symbol(&model.symbol)?,
    })
}

pub(super) fn order(model: orders::Model) -> Parsed<StoredOrder> {
    let terms = Arc::new(OrderTerms {
        id: OrderId::new(model.id as u64),
        account: account_id(&model.account)?,
        strategy: strategy_id(&model.strategy)?,
        source: word("source", model.origin.as_deref().unwrap_or(&model.source))?,
        symbol: symbol(&model.symbol)?,
        side: word("side", &model.side)?,
        effect: model.effect.as_deref().map(|text| word("effect", text)).transpose()?,
        ord_type: word("order type", &model.ord_type)?,
        limit_price: model.limit_price_e4.map(Price::from_e4),
        time_in_force: word("time in force", &model.time_in_force)?,
        qty: Qty::new(model.qty),
        valid_until: Timestamp::from_us(model.valid_until_us),
        all_in: model.all_in,
    });
    let Some(approval) = &model.approval else {
        let denials = model.denials.as_deref().unwrap_or("[]");
        return Ok(StoredOrder::Denied {
            terms,
            denials: json::<Vec<_>>("denials", denials)?.into(),
            at: Timestamp::from_us(model.created_at_us),
        });
    };
    Ok(StoredOrder::Live(Box::new(Order {
        terms,
        approval: Arc::new(json("approval", approval)?),
        status: word("order status", &model.status)?,
        in_flight: model.in_flight.as_deref().map(|text| word("in_flight", text)).transpose()?,
        in_doubt: model.in_doubt,
        cancel_wanted: model.cancel_wanted,
        send_no: narrow("send_no", model.send_no)?,
        cum_qty: Qty::new(model.cum_qty),
        cum_amount: Money::from_e4(model.cum_amount_e4),
        netted: Netted { qty: Qty::new(model.netted_qty), amount: Money::from_e4(model.netted_amount_e4) },
        fees: Money::from_e4(model.fees_e4),
        broker_order_id: model.broker_order_id.map(|id| BrokerOrderId(id.into())),
        exec_ids: Vec::new(),
        reason: model.reason.map(Into::into),
        created_at: Timestamp::from_us(model.created_at_us),
        sent_at: model.sent_at_us.map(Timestamp::from_us),
        acked_at: model.acked_at_us.map(Timestamp::from_us),
        first_fill_at: model.first_fill_at_us.map(Timestamp::from_us),
        updated_at: Timestamp::from_us(model.updated_at_us),
        doubt_since: model.doubt_since_us.map(Timestamp::from_us),
        parked: model.parked.as_deref().map(|text| word("parked", text)).transpose()?,
        baseline: model.baseline.as_deref().map(|text| json("baseline", text)).transpose()?.map(Arc::new),
    })))
}

pub(super) fn fill(model: fills::Model) -> Parsed<StoredFill> {
    Ok(StoredFill {
        id: model.id as u64,
        fill: Fill {
            account: account_id(&model.account)?,
            trade_date: trade_date(model.trade_date)?,
            exec_id: ExecId(model.exec_id.into()),
            order: OrderId::new(model.order_id as u64),
            strategy: strategy_id(&model.strategy)?,
            symbol: symbol(&model.symbol)?,
            side: word("side", &model.side)?,
            qty: Qty::new(model.qty),
            px: Price::from_e4(model.px_e4),
            fee: Money::from_e4(model.fee_e4),
            at: Timestamp::from_us(model.at_us),
        },
    })
}

pub(super) fn account(model: &accounts::Model) -> Parsed<AccountRow> {
    Ok(AccountRow {
        account: account_id(&model.id)?,
        cash: Money::from_e4(model.cash_e4),
        prev_equity: model.prev_equity_e4.map(Money::from_e4),
        loans: model.loans.as_deref().map(|text| json("loans", text)).transpose()?.unwrap_or_default(),
        flows: model.flows.as_deref().map(|text| json("flows", text)).transpose()?,
        trade_date: model.trade_date.map(trade_date).transpose()?,
        messages_today: narrow("messages_today", model.messages_today)?,
        updated_at: Timestamp::from_us(model.updated_at_us),
    })
}

pub(super) fn book(model: &books::Model) -> Parsed<(AccountId, Book)> {
    let entry = |seen_until_us| -> Parsed<Entry> {
        Ok(Entry {
            on: model.entry_on.map(trade_date).transpose()?,
            at: model.entry_at_us.map(Timestamp::from_us),
            high: model.high_e4.map(Price::from_e4),
            low: model.low_e4.map(Price::from_e4),
            seen_until: Timestamp::from_us(seen_until_us),
            realized: Money::from_e4(model.entry_realized_e4.unwrap_or_default()),
        })
    };
    let day = |qty| Day {
        qty: Qty::new(qty),
        flow: Money::from_e4(model.day_flow_e4.unwrap_or_default()),
        prev_close: model.prev_close_e4.map(Price::from_e4),
        close: model.close_e4.map(Price::from_e4),
    };
    let book = Book {
        symbol: symbol(&model.symbol)?,
        strategy: strategy_id(&model.strategy)?,
        qty: Qty::new(model.qty),
        bought_today: Qty::new(model.bought_today),
        cost: Money::from_e4(model.cost_e4),
        realized_pnl: Money::from_e4(model.realized_pnl_e4),
        entry: model.seen_until_us.map(entry).transpose()?,
        day: model.day_qty.map(day),
    };
    Ok((account_id(&model.account)?, book))
}

pub(super) fn contract(model: &contract_books::Model) -> Parsed<(AccountId, ContractBook)> {
    Ok((account_id(&model.account)?, json("contract", &model.body)?))
}

pub(super) fn fx_rate(model: fx_rates::Model) -> Parsed<FxRate> {
    Ok(FxRate {
        currency: word("currency", &model.currency)?,
        base: word("currency", &model.base)?,
        rate: Ratio::from_e6(model.rate_e6),
        source: model.source.into(),
        as_of: Timestamp::from_us(model.as_of_us),
    })
}

pub(super) fn strategy(model: &strategies::Model) -> Parsed<StoredStrategy> {
    Ok(StoredStrategy {
        conf: Arc::new(json("strategy", &model.conf)?),
        state: word("strategy state", &model.state)?,
        version: narrow("version", model.version)?,
    })
}

pub(super) fn exception(model: &exceptions::Model) -> Parsed<Exception> {
    json("exception", &model.body)
}

pub(super) fn limits(model: &risk_limits::Model) -> Parsed<LimitFact> {
    json("limits", &model.body)
}

pub(super) fn warning(model: &risk_warnings::Model) -> Parsed<LimitWarning> {
    json("warning", &model.body)
}

pub(super) fn corporate_action(model: &corporate_actions::Model) -> Parsed<(AccountId, BookedAction, Timestamp)> {
    let booked = json("corporate action", &model.body)?;
    Ok((account_id(&model.account)?, booked, Timestamp::from_us(model.at_us)))
}

pub(super) fn account_day(model: &account_days::Model) -> Parsed<(AccountId, DayOver)> {
    Ok((account_id(&model.account)?, json("day", &model.body)?))
}

pub(super) fn equity_mark(model: &equity_marks::Model) -> Parsed<EquityMark> {
    json("equity mark", &model.body)
}

pub(super) fn registered(model: &registry::Model) -> Parsed<Fact> {
    json("registry", &model.body)
}

pub(super) fn trading_state(model: trading_states::Model) -> Parsed<StoredTradingState> {
    Ok(StoredTradingState {
        scope: match model.scope_kind.as_str() {
            "global" => Scope::Global,
            "account" => Scope::Account(account_id(&model.scope_id)?),
            "strategy" => Scope::Strategy(strategy_id(&model.scope_id)?),
            other => return Err(StoreError::corrupt("scope", other)),
        },
        state: word("trading state", &model.state)?,
        who: model.who.into(),
        reason: model.reason.into(),
        at: Timestamp::from_us(model.at_us),
    })
}
