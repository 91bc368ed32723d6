//! Facts of the journal as readers see them: decimals as strings, times with their offset, no field of the inside.

use serde::Serialize;
use serde_json::{Value, json};
use signalbox_domain::corporate::CorporateAction;
use signalbox_domain::event::{Event, Scope};
use signalbox_domain::execution::ParentStep;
use signalbox_domain::ids::{AccountId, OrderId, ParentId};
use signalbox_domain::ledger::Adjustment;
use signalbox_domain::order::{OrderFact, OrderTerms};
use signalbox_domain::parent::Leg;
use signalbox_domain::registry::Fact;
use utoipa::ToSchema;

use super::dto::{denials, measure, unit};
use super::execution::ExecutionView;
use super::size::SizeView;
use super::views::at;
use crate::store::JournalLine;

/// One fact.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Its place in the journal, and the `id:` of the event stream.
    pub seq: u64,
    pub at: String,
    #[schema(example = "order_filled")]
    pub kind: String,
    /// Whose step it was.
    pub actor: String,
    /// What the step was about.
    pub cause: String,
    pub account: Option<String>,
    pub strategy: Option<String>,
    pub signal_id: Option<String>,
    pub order_id: Option<String>,
    /// What the fact says.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// Which legs of a plan are told: others may be in accounts that the reader does not see.
#[derive(Debug, Clone, Copy)]
pub enum Legs<'a> {
    All,
    /// The one of this order.
    OfOrder(OrderId),
    Of(&'a [AccountId]),
}

impl Legs<'_> {
    fn show(self, leg: &Leg) -> bool {
        match self {
            Self::All => true,
            Self::OfOrder(order) => order.parent() == leg.parent,
            Self::Of(accounts) => accounts.contains(&leg.account),
        }
    }
}

impl EventView {
    #[must_use]
    pub fn of(line: &JournalLine, legs: Legs<'_>) -> Self {
        // What the program wrote it reads; a line of a later version is shown without its words.
        let data = serde_json::from_str::<Event>(&line.payload).map_or(Value::Null, |event| data(&event, legs));
        Self {
            seq: line.seq,
            at: at(line.at),
            kind: line.kind.to_string(),
            actor: line.actor.to_string(),
            cause: line.cause.to_string(),
            account: line.account.as_ref().map(ToString::to_string),
            strategy: line.strategy.as_ref().map(ToString::to_string),
            signal_id: line.signal.map(|id| id.to_string()),
            order_id: line.order.map(|id| id.to_string()),
            data,
        }
    }
}

fn data(event: &Event, told: Legs<'_>) -> Value {
    match event {
        Event::SignalAccepted(signal) => {
            let size = SizeView::of(signal.size);
            json!({
                "symbol": signal.symbol, "side": signal.side, "quantity": size.quantity, "amount": size.amount,
                "percent": size.percent, "all": size.all, "target_quantity": size.target_quantity,
                "target_weight": size.target_weight, "target_amount": size.target_amount,
                "type": signal.ord_type, "limit_price": signal.limit_price.map(|px| px.to_string()),
                "source": signal.source, "client": signal.client.as_str(),
                "client_signal_id": &*signal.client_signal_id, "valid_until": signal.valid_until.map(at),
                "test": signal.notes.test, "signal_time": signal.notes.signal_time.map(at),
                "bar_time": signal.notes.bar_time.map(at), "only_if_flat": signal.notes.only_if_flat,
                "ref_price": signal.notes.ref_price.map(|px| px.to_string()),
                "priority": signal.notes.priority, "basket_id": signal.notes.basket.as_deref(),
                "catch_up_of": signal.notes.catch_up.as_ref().map(|catch_up| catch_up.of.to_string()),
                "catch_up_by": signal.notes.catch_up.as_ref().map(|catch_up| catch_up.who.to_string()),
                "execution": signal.execution.as_deref().map(ExecutionView::of),
            })
        }
        Event::StrategyConfigured(conf) => json!({ "kind": &*conf.kind, "routes": conf.routes.len() }),
        Event::StrategyStateSet { state, who, reason, .. } => {
            json!({ "state": state, "who": &**who, "reason": &**reason })
        }
        Event::SignalWaiting { waiting_for, until, .. } => json!({ "waiting_for": waiting_for, "until": at(*until) }),
        Event::SignalPlanned { legs, residual, .. } => {
            json!({
                "residual": residual.to_string(),
                "legs": legs.iter().filter(|leg| told.show(leg)).map(leg).collect::<Vec<_>>(),
            })
        }
        Event::TriggerMarked { best, .. } => json!({ "best_price": best.to_string() }),
        Event::TriggerFired { condition, price, .. } => {
            json!({ "condition": condition, "price": price.to_string() })
        }
        Event::ExitPlanned { legs, .. } => {
            json!({ "legs": legs.iter().filter(|leg| told.show(leg)).map(leg).collect::<Vec<_>>() })
        }
        Event::ParentStepped { parent, step, .. } => {
            let (why, ending) = match step {
                ParentStep::Withdrawn { why, .. } | ParentStep::Asked { why, .. } => (Some(why), None),
                ParentStep::Ended { ending } => (None, Some(ending)),
                ParentStep::Replaced { qty, limit_price, who, .. } => {
                    return json!({
                        "parent_id": parent.to_string(), "quantity": qty.to_string(),
                        "limit_price": limit_price.to_string(), "who": &**who,
                    });
                }
            };
            json!({ "parent_id": parent.to_string(), "why": why, "ending": ending })
        }
        Event::SignalDenied { denials: all, .. } => json!({ "denials": denials(all) }),
        Event::SignalExpired { .. } => json!({}),
        Event::SignalCanceled { who, .. } => json!({ "who": &**who }),
        Event::LegsWaiting { parents, waiting_for, until, .. } => json!({
            "parents": texts(parents), "waiting_for": waiting_for, "until": until.map(at),
        }),
        Event::LegShadowed { terms: order, denials: all, .. } => {
            let mut value = terms(order);
            value["denials"] = denials(all).into();
            value
        }
        Event::LegsConfirmed { parents, who, .. } => json!({ "parents": texts(parents), "who": &**who }),
        Event::LegsEnded { parents, status, who, reason, .. } => json!({
            "parents": texts(parents), "status": status, "who": &**who, "reason": &**reason,
        }),
        Event::LegCompleted { parent, qty, px, order, who, .. } => json!({
            "parent_id": parent.to_string(), "quantity": qty.to_string(), "price": px.to_string(), "order": &**order,
            "who": &**who,
        }),
        Event::TradingStateSet { scope, state, who, reason } => json!({
            "scope": scope_name(scope), "state": state, "who": &**who, "reason": &**reason,
        }),
        Event::LimitsSet(fact) => json!({
            "scope": scope_name(&fact.scope), "version": fact.version, "limits": fact.set.texts(),
            "previous": fact.previous.texts(), "loosened": fact.loosened, "who": &*fact.who, "reason": &*fact.reason,
        }),
        Event::LimitWarned(warning) => json!({
            "code": warning.code, "value": measure(&warning.value), "limit": measure(&warning.limit),
            "unit": unit(&warning.value, &warning.limit),
        }),
        // What several accounts add up to is told to those who may see all of them: `GET /v1/risk`.
        Event::EquityMarked(mark) => match &mark.scope {
            Scope::Account(_) => json!({
                "scope": scope_name(&mark.scope), "trade_date": mark.trade_date.to_string(),
                "opened": mark.opened.to_string(), "gain": mark.gain.to_string(), "day": mark.day,
                "drawdown": mark.drawdown, "holds": mark.holds,
            }),
            Scope::Global | Scope::Strategy(_) => json!({
                "scope": scope_name(&mark.scope), "trade_date": mark.trade_date.to_string(), "day": mark.day,
                "drawdown": mark.drawdown, "holds": mark.holds,
            }),
        },
        Event::OrderApproved { terms: order, approval } => {
            let mut value = terms(order);
            value["trade_date"] = approval.trade_date.to_string().into();
            value["reserved_cash"] = approval.reserved_cash.to_string().into();
            value["arrival_px"] = approval.arrival_px.map(|px| px.to_string()).into();
            if let Some(until) = approval.held_until {
                value["held_until"] = at(until).into();
            }
            value
        }
        Event::OrderDenied { terms: order, denials: all } => {
            let mut value = terms(order);
            value["denials"] = denials(all).into();
            value
        }
        Event::AccountOpened { cash, holdings, .. } => json!({
            "cash": cash.to_string(),
            "holdings": holdings.iter().map(|h| json!({
                "symbol": h.symbol, "strategy": h.strategy.as_str(), "quantity": h.qty.to_string(),
                "cost": h.cost.to_string(),
            })).collect::<Vec<_>>(),
        }),
        Event::DayStarted { trade_date, .. } => json!({ "trade_date": trade_date.to_string() }),
        Event::BooksMarked { closing, marks, .. } => json!({
            "closing": closing,
            "marks": marks.iter().map(|m| json!({
                "symbol": m.symbol, "book": m.book.as_str(), "high": m.high.to_string(), "low": m.low.to_string(),
                "last": m.last.to_string(),
            })).collect::<Vec<_>>(),
        }),
        Event::CorporateActionBooked { booked, .. } => {
            let mut value = corporate_action(&booked.action);
            value["held"] = booked.held.to_string().into();
            value["new_shares"] = booked.shares.to_string().into();
            value["cash"] = booked.cash.to_string().into();
            value["books"] = booked.parts.iter().map(|part| json!({
                "book": part.book.as_str(), "new_shares": part.shares.to_string(), "cash": part.cash.to_string(),
            })).collect();
            value
        }
        Event::BooksImported { items, read_at, by, note, .. } => json!({
            "by": &**by, "note": &**note, "read_at": read_at.map(at),
            "items": items.iter().map(|i| json!({
                "symbol": i.symbol, "book": i.book.as_str(), "quantity": i.qty.to_string(),
                "claimed": i.claimed.to_string(), "cost": i.cost.to_string(),
                "entry_date": i.on.map(|on| on.to_string()),
            })).collect::<Vec<_>>(),
        }),
        Event::BookTransferred { transfer, by, note, .. } => json!({
            "symbol": transfer.symbol, "from": transfer.from.as_str(), "to": transfer.to.as_str(),
            "quantity": transfer.qty.to_string(), "by": &**by, "note": &**note,
        }),
        Event::Registered(Fact::Account(fact)) => json!({
            "version": fact.version, "display_name": &*fact.display_name, "broker": fact.broker, "mode": fact.mode,
            "state": fact.state, "step": fact.step, "currency": fact.currency, "who": &*fact.who,
            "reason": &*fact.reason,
        }),
        Event::Registered(Fact::Group(fact)) => json!({
            "group": fact.id.as_str(), "version": fact.version, "accounts": fact.accounts,
            "opted_out": fact.opted_out, "deleted": fact.deleted, "who": &*fact.who, "reason": &*fact.reason,
        }),
        Event::FxRateSet { rate, by } => json!({
            "currency": rate.currency, "base": rate.base, "rate": rate.rate.to_string(), "source": &*rate.source,
            "as_of": at(rate.as_of), "by": &**by,
        }),
        Event::Order { fact, .. } => order_fact(fact),
        Event::Exception(exception) => json!({
            "key": &*exception.key, "exception": exception.kind, "text": &*exception.evidence.text,
            "parked": exception.evidence.parked, "decision": exception.decision.as_ref().map(|d| &*d.what),
        }),
        Event::ExternalTraded { trade, .. } => json!({
            "broker_order_id": &*trade.no.0, "exec_id": &*trade.exec_id.0, "symbol": trade.symbol, "side": trade.side,
            "quantity": trade.qty.to_string(), "price": trade.px.to_string(),
        }),
        Event::Adjusted { adjustment, exception, read_at, by, note, .. } => json!({
            "adjustment": match &**adjustment {
                Adjustment::Shares { symbol, book, qty, cost, .. } => json!({
                    "symbol": symbol, "book": book.as_str(), "quantity": qty.to_string(), "cost": cost.to_string(),
                }),
                Adjustment::Cash { amount } => json!({ "cash": amount.to_string() }),
            },
            "exception": &**exception, "read_at": read_at.map(at), "by": &**by, "note": &**note,
        }),
        Event::Administered { who, action, subject, detail } => json!({
            "who": &**who, "action": &**action, "subject": &**subject,
            "detail": serde_json::from_str::<Value>(detail).unwrap_or_else(|_| (&**detail).into()),
        }),
        Event::RequestRefused { who, method, route, status, code, request } => json!({
            "who": who.as_deref(), "method": &**method, "route": &**route, "status": status, "code": &**code,
            "request_id": &**request,
        }),
        Event::RequestsRefused { unwritten } => json!({ "unwritten": unwritten }),
    }
}

fn texts(parents: &[ParentId]) -> Vec<String> {
    parents.iter().map(ToString::to_string).collect()
}

fn scope_name(scope: &Scope) -> String {
    match scope {
        Scope::Global => "global".to_owned(),
        Scope::Account(id) => format!("account:{id}"),
        Scope::Strategy(id) => format!("strategy:{id}"),
    }
}

fn leg(leg: &Leg) -> Value {
    json!({
        "parent_id": leg.parent.to_string(), "account": leg.account.as_str(), "side": leg.side,
        "quantity": leg.qty.to_string(), "mode": leg.mode,
    })
}

fn corporate_action(action: &CorporateAction) -> Value {
    json!({
        "symbol": action.symbol, "ex_date": action.ex_date.to_string(), "cash_per10": action.cash.to_string(),
        "bonus_shares_per10": action.bonus.to_string(), "transfer_shares_per10": action.transfer.to_string(),
        "rights_per10": action.rights.to_string(), "rights_price": action.rights_price.to_string(),
    })
}

fn terms(terms: &OrderTerms) -> Value {
    json!({
        "symbol": terms.symbol, "side": terms.side, "quantity": terms.qty.to_string(), "type": terms.ord_type,
        "limit_price": terms.limit_price.map(|px| px.to_string()), "source": terms.source,
        "valid_until": at(terms.valid_until),
    })
}

fn order_fact(fact: &OrderFact) -> Value {
    match fact {
        OrderFact::Sending { send_no, .. } => json!({ "send_no": send_no }),
        OrderFact::Accepted { broker_order_id } => json!({ "broker_order_id": &*broker_order_id.0 }),
        OrderFact::Rejected { text } | OrderFact::CancelRejected { text } => json!({ "broker_text": &**text }),
        OrderFact::Filled { exec_id, qty, px, fee } => json!({
            "exec_id": &*exec_id.0, "last_qty": qty.to_string(), "last_px": px.to_string(), "fee": fee.to_string(),
        }),
        OrderFact::Netted { exec_id, with, qty, px, .. } => json!({
            "exec_id": &*exec_id.0, "with": with.to_string(), "last_qty": qty.to_string(), "last_px": px.to_string(),
        }),
        OrderFact::CancelRequested { reason } | OrderFact::Canceled { reason } | OrderFact::NeverSent { reason } => {
            json!({ "reason": &**reason })
        }
        OrderFact::CancelSending | OrderFact::Expired => json!({}),
        OrderFact::InDoubt { cause } => json!({ "reason": &**cause }),
        OrderFact::Parked { reason } => json!({ "reason": reason }),
        OrderFact::Absent { evidence } => json!({ "evidence": &**evidence }),
    }
}
