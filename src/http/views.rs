//! Orders, fills and signals as readers see them. Decimals are strings; what is not known yet is null.

use serde::Serialize;
use serde_json::{Value, json};
use signalbox_domain::denial::{Denial, DenialCode};
use signalbox_domain::execution::Policy;
use signalbox_domain::ids::InstallationTag;
use signalbox_domain::order::{OrdStatus, Order, OrderTerms, ReportedStatus, Side};
use signalbox_domain::parent::Decided;
use signalbox_domain::signal::{Signal, SignalStatus, Source, WaitingFor};
use signalbox_domain::strategy::StrategyState;
use signalbox_domain::units::{Price, Timestamp, TradeDate, mul_div_round};
use strum::IntoEnumIterator as _;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::dto::{At, currency, denial_text, denials};
use super::execution::{ExecutionView, HeldView};
use super::front::Front;
use super::size::SizeView;
use crate::store::{StoredFill, StoredOrder, StoredParent, StoredSignal};

/// One order (委托).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderView {
    pub id: String,
    pub account: String,
    pub strategy: String,
    /// signal, manual, monitor or external
    pub source: &'static str,
    /// How its parent is executed; told with its signal only.
    pub policy: Option<&'static str>,
    pub trade_date: Option<String>,
    /// Of the instrument.
    pub name: Option<String>,
    pub signal_id: String,
    pub parent_id: String,
    pub client_order_id: Option<String>,
    pub broker_order_id: Option<String>,
    pub symbol: String,
    pub side: &'static str,
    /// open or close, of futures.
    pub position_effect: Option<&'static str>,
    #[serde(rename = "type")]
    pub ord_type: &'static str,
    pub limit_price: Option<String>,
    pub time_in_force: &'static str,
    pub quantity: String,
    /// Filled, with what was netted.
    pub cum_qty: String,
    /// Part of it that was crossed with another strategy's order inside the account.
    pub netted_qty: String,
    pub leaves_qty: String,
    pub avg_px: Option<String>,
    #[schema(value_type = OrderStatus)]
    pub status: &'static str,
    /// new or cancel: asked, and not answered yet.
    pub in_flight: Option<&'static str>,
    pub doubt: Option<Doubt>,
    /// Why it was refused or ended: codes and numbers, or the broker's words.
    pub reason: Option<String>,
    /// The broker's own words.
    pub broker_text: Option<String>,
    /// Which try of its parent this is.
    pub attempt: u8,
    pub fees: String,
    /// What the opposite side showed when risk decided.
    pub arrival_px: Option<String>,
    /// How much worse than that it was filled, in basis points.
    pub slippage_bp: Option<String>,
    /// Nobody takes it back yet, and the exchange takes cancels at present.
    pub cancelable: bool,
    pub valid_until: String,
    /// It was not sent before: it would have traded with an order of another account of ours.
    pub held_until: Option<String>,
    /// Risk's refusal, with value and limit.
    #[schema(value_type = Vec<DenialSchema>)]
    pub denials: Vec<Value>,
    pub created_at: String,
    pub sent_at: Option<String>,
    pub acked_at: Option<String>,
    pub first_fill_at: Option<String>,
    pub updated_at: String,
}

/// What an order can be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    Denied,
    PendingNew,
    New,
    PartiallyFilled,
    Filled,
    PendingCancel,
    PendingReplace,
    Canceled,
    Rejected,
    Expired,
    InDoubt,
    Parked,
    NeverSent,
    Absent,
}

/// What a signal can be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalState {
    Accepted,
    Waiting,
    Working,
    Done,
    PartiallyDone,
    Denied,
    Expired,
    InDoubt,
    Canceled,
}

/// One check that failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Denial)]
pub struct DenialSchema {
    #[schema(value_type = DenialCodeSchema)]
    pub code: String,
    /// What was found.
    pub value: Option<String>,
    /// What would have passed.
    pub limit: Option<String>,
    pub unit: Option<String>,
    /// May the same order pass later without anybody changing a limit?
    pub transient: bool,
}

/// The codes of risk control, for the document: stable, and in order of precedence.
#[derive(Debug)]
pub struct DenialCodeSchema;

impl PartialSchema for DenialCodeSchema {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(DenialCode::iter().map(<&str>::from))).into()
    }
}

impl ToSchema for DenialCodeSchema {
    fn name() -> std::borrow::Cow<'static, str> {
        "DenialCode".into()
    }
}

/// A request whose answer is lost.
#[derive(Debug, Serialize, ToSchema)]
pub struct Doubt {
    /// new or cancel
    pub asked: Option<&'static str>,
    pub since: Option<String>,
    /// Why only a person ends it.
    pub parked: Option<&'static str>,
    pub evidence: Option<String>,
}

/// One fill (成交).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fill)]
pub struct FillView {
    pub id: String,
    pub account: String,
    pub strategy: String,
    pub order_id: String,
    pub parent_id: String,
    pub signal_id: String,
    /// The broker's number of it; `net-` and the other order's id where it was crossed inside the account.
    pub exec_id: String,
    pub trade_date: String,
    pub symbol: String,
    pub name: Option<String>,
    pub side: &'static str,
    pub last_qty: String,
    pub last_px: String,
    pub amount: String,
    pub fee: String,
    pub currency: &'static str,
    pub at: String,
}

/// One signal and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Signal)]
pub struct SignalView {
    pub id: String,
    #[schema(value_type = SignalState)]
    pub status: &'static str,
    /// session, strategy, confirmation, hand, cash or basket
    pub waiting_for: Option<&'static str>,
    /// Until when it waits or may trade.
    pub until: Option<String>,
    pub strategy: String,
    /// Of a manual order.
    pub account: Option<String>,
    pub source: &'static str,
    pub symbol: String,
    pub name: Option<String>,
    pub side: Option<&'static str>,
    /// Of contracts, where it was said.
    pub position_effect: Option<&'static str>,
    #[serde(flatten)]
    pub size: SizeView,
    #[serde(rename = "type")]
    pub ord_type: &'static str,
    pub limit_price: Option<String>,
    pub time_in_force: &'static str,
    pub valid_until: Option<String>,
    /// Null for one order at its own price.
    pub execution: Option<ExecutionView>,
    /// Null for a signal that is held for no price and no time.
    pub held: Option<HeldView>,
    pub tag: Option<String>,
    /// No account with real money takes it: it says so, or its `signal_time` is of another trading day.
    pub test: bool,
    pub signal_time: Option<String>,
    pub bar_time: Option<String>,
    /// What its sender decided with.
    pub ref_price: Option<String>,
    pub only_if_flat: bool,
    /// The higher one is planned first.
    pub priority: i16,
    pub basket_id: Option<String>,
    /// The parent order that it catches up, and who wanted that.
    pub catch_up_of: Option<String>,
    pub catch_up_by: Option<String>,
    /// Who sent it, and under which id.
    pub client: String,
    pub client_signal_id: String,
    /// What rounding left over.
    pub residual: String,
    #[schema(value_type = Vec<DenialSchema>)]
    pub denials: Vec<Value>,
    pub cancel_requested: bool,
    pub received_at: String,
    pub updated_at: String,
}

/// One leg of a signal in one account (母单).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParentOrder)]
pub struct ParentView {
    pub id: String,
    pub account: String,
    pub side: &'static str,
    pub quantity: String,
    pub cum_qty: String,
    /// Part of it that was crossed with another strategy's orders inside the account.
    pub netted_qty: String,
    pub avg_px: Option<String>,
    #[schema(value_type = SignalState)]
    pub status: &'static str,
    /// How it gets to the market: auto, confirm, notify_only or shadow.
    pub mode: &'static str,
    /// confirmation, hand or cash
    pub waiting_for: Option<&'static str>,
    /// Until when it waits, where that is before the signal's own end.
    pub until: Option<String>,
    /// What a person said, or what risk says to the order of a shadow.
    pub decided: Option<DecidedView>,
    /// How its policy ended it: filled, gave_up, canceled, failed, expired, denied or residual.
    pub ending: Option<&'static str>,
    /// Why a person is asked: attempts_used or takes_long.
    pub asks: Option<&'static str>,
    pub orders: Vec<OrderWithFills>,
}

/// What was decided of a leg beside its orders.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = LegDecided)]
pub struct DecidedView {
    /// confirmed, ended, by_hand or shadow
    pub what: &'static str,
    pub by: Option<String>,
    pub reason: Option<String>,
    /// Of a trade by hand.
    pub order: Option<String>,
    /// The shadow's order that would have gone out.
    #[schema(value_type = Option<Object>)]
    pub would_send: Option<Value>,
    #[schema(value_type = Vec<DenialSchema>)]
    pub denials: Vec<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OrderWithFills {
    #[serde(flatten)]
    pub order: OrderView,
    pub fills: Vec<FillView>,
}

#[must_use]
pub fn at(at: Timestamp) -> String {
    At(at).to_string()
}

impl OrderView {
    #[must_use]
    pub fn of(stored: &StoredOrder, front: &Front) -> Self {
        match stored {
            StoredOrder::Live(order) => Self::live(order, front),
            StoredOrder::Denied { terms, denials, at } => Self::denied(terms, denials, *at, front),
        }
    }

    fn denied(terms: &OrderTerms, refused: &[Denial], when: Timestamp, front: &Front) -> Self {
        let when = at(when);
        Self {
            reason: Some(denial_text(refused)),
            denials: denials(refused),
            created_at: when.clone(),
            updated_at: when,
            ..Self::terms(terms, front)
        }
    }

    /// As an order stands that risk refused; the life of the others is filled in by [`Self::live`].
    fn terms(terms: &OrderTerms, front: &Front) -> Self {
        Self {
            id: terms.id.to_string(),
            account: terms.account.to_string(),
            strategy: terms.strategy.to_string(),
            source: terms.source.into(),
            policy: None,
            trade_date: None,
            name: front.market.name(terms.symbol),
            signal_id: terms.id.signal().to_string(),
            parent_id: terms.id.parent().to_string(),
            client_order_id: None,
            broker_order_id: None,
            symbol: terms.symbol.to_string(),
            side: terms.side.into(),
            position_effect: terms.effect.map(Into::into),
            ord_type: terms.ord_type.into(),
            limit_price: terms.limit_price.map(|px| px.to_string()),
            time_in_force: terms.time_in_force.into(),
            quantity: terms.qty.to_string(),
            cum_qty: "0".to_owned(),
            netted_qty: "0".to_owned(),
            leaves_qty: "0".to_owned(),
            avg_px: None,
            status: ReportedStatus::Denied.into(),
            in_flight: None,
            doubt: None,
            reason: None,
            broker_text: None,
            attempt: terms.id.attempt(),
            fees: "0.00".to_owned(),
            arrival_px: None,
            slippage_bp: None,
            cancelable: false,
            valid_until: at(terms.valid_until),
            held_until: None,
            denials: Vec::new(),
            created_at: String::new(),
            sent_at: None,
            acked_at: None,
            first_fill_at: None,
            updated_at: String::new(),
        }
    }

    fn live(order: &Order, front: &Front) -> Self {
        let status = order.reported();
        let in_flight: Option<&'static str> = order.in_flight.map(Into::into);
        let reason = order.reason.as_deref().map(str::to_owned);
        let from_broker = matches!(status, ReportedStatus::Rejected);
        Self {
            trade_date: Some(order.approval.trade_date.to_string()),
            client_order_id: Some(client_order_id(order, front.installation)),
            broker_order_id: order.broker_order_id.as_ref().map(ToString::to_string),
            cum_qty: order.cum_qty.to_string(),
            netted_qty: order.netted.qty.to_string(),
            leaves_qty: order.leaves_qty().to_string(),
            avg_px: order.avg_px().map(|px| px.to_string()),
            status: status.into(),
            in_flight,
            doubt: order.in_doubt.then(|| Doubt {
                asked: in_flight,
                since: order.doubt_since.map(at),
                parked: order.parked.map(Into::into),
                evidence: reason.clone(),
            }),
            broker_text: reason.clone().filter(|_| from_broker),
            reason,
            fees: order.fees.to_string(),
            held_until: order.approval.held_until.map(at),
            arrival_px: order.approval.arrival_px.map(|px| px.to_string()),
            slippage_bp: slippage_bp(order),
            cancelable: cancelable(order, front),
            created_at: at(order.created_at),
            sent_at: order.sent_at.map(at),
            acked_at: order.acked_at.map(at),
            first_fill_at: order.first_fill_at.map(at),
            updated_at: at(order.updated_at),
            ..Self::terms(&order.terms, front)
        }
    }
}

/// What the exchange has not seen yet is taken back at any time.
fn cancelable(order: &Order, front: &Front) -> bool {
    let unsent = order.status == OrdStatus::Initialized && order.in_flight.is_none();
    let taken = || front.market.takes_cancels(order.terms.symbol, front.now());
    !order.status.is_terminal() && !order.cancel_wanted && (unsent || taken())
}

fn client_order_id(order: &Order, installation: InstallationTag) -> String {
    order.id().client_order_id(installation).to_string()
}

/// In basis points with two decimals; positive is worse than the arrival price, for either side.
fn slippage_bp(order: &Order) -> Option<String> {
    let (avg, arrival) = (order.avg_px()?, order.approval.arrival_px.filter(|px| px.is_positive())?);
    let worse: Price = match order.terms.side {
        Side::Buy => avg - arrival,
        Side::Sell => arrival - avg,
    };
    let hundredths = mul_div_round(worse.e4(), 1_000_000, arrival.e4());
    let sign = if hundredths < 0 { "-" } else { "" };
    let magnitude = hundredths.unsigned_abs();
    Some(format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100))
}

impl FillView {
    #[must_use]
    pub fn of(stored: &StoredFill, front: &Front) -> Self {
        let fill = &stored.fill;
        let instrument = front.market.instrument(fill.symbol);
        Self {
            id: format!("fill-{}", stored.id),
            account: fill.account.to_string(),
            strategy: fill.strategy.to_string(),
            order_id: fill.order.to_string(),
            parent_id: fill.order.parent().to_string(),
            signal_id: fill.order.signal().to_string(),
            exec_id: fill.exec_id.to_string(),
            trade_date: fill.trade_date.to_string(),
            symbol: fill.symbol.to_string(),
            name: instrument.map(|i| i.name.to_string()),
            side: fill.side.into(),
            last_qty: fill.qty.to_string(),
            last_px: fill.px.to_string(),
            amount: fill.px.times(fill.qty).to_string(),
            fee: fill.fee.to_string(),
            currency: currency(instrument),
            at: at(fill.at),
        }
    }
}

impl SignalView {
    /// `strategy` is its strategy's state now: a signal in the inbox of a paused one waits for a person.
    #[must_use]
    pub fn of(stored: &StoredSignal, strategy: Option<StrategyState>, front: &Front) -> Self {
        let (signal, row): (&Signal, _) = (&stored.signal, &stored.row);
        let paused = row.status == SignalStatus::Accepted && strategy == Some(StrategyState::Paused);
        let (status, waiting_for) = if paused {
            (SignalStatus::Waiting, Some(WaitingFor::Strategy))
        } else {
            (row.status, row.waiting_for.filter(|_| row.status == SignalStatus::Waiting))
        };
        Self {
            id: row.id.to_string(),
            status: status.into(),
            waiting_for: waiting_for.map(Into::into),
            until: row.until.or(signal.valid_until).map(at),
            strategy: signal.strategy.to_string(),
            account: signal.account.as_ref().map(ToString::to_string),
            source: signal.source.into(),
            symbol: signal.symbol.to_string(),
            name: front.market.name(signal.symbol),
            side: signal.side.map(Into::into),
            position_effect: signal.position_effect.map(Into::into),
            size: SizeView::of(signal.size),
            ord_type: signal.ord_type.into(),
            limit_price: signal.limit_price.map(|px| px.to_string()),
            time_in_force: signal.time_in_force.into(),
            valid_until: signal.valid_until.map(at),
            execution: signal.execution.as_deref().map(ExecutionView::of),
            held: signal.execution.as_deref().filter(|it| it.holds()).map(|it| HeldView::of(it, row.held)),
            tag: signal.tag.as_deref().map(str::to_owned),
            test: signal.is_test(&front.market.calendar),
            signal_time: signal.notes.signal_time.map(at),
            bar_time: signal.notes.bar_time.map(at),
            ref_price: signal.notes.ref_price.map(|px| px.to_string()),
            only_if_flat: signal.notes.only_if_flat,
            priority: signal.notes.priority,
            basket_id: signal.notes.basket.as_deref().map(str::to_owned),
            catch_up_of: signal.notes.catch_up.as_ref().map(|catch_up| catch_up.of.to_string()),
            catch_up_by: signal.notes.catch_up.as_ref().map(|catch_up| catch_up.who.to_string()),
            client: signal.client.to_string(),
            client_signal_id: signal.client_signal_id.to_string(),
            residual: row.residual.to_string(),
            denials: denials(&row.denials),
            cancel_requested: row.cancel_requested,
            received_at: at(signal.received_at),
            updated_at: at(row.updated_at),
        }
    }
}

impl ParentView {
    /// With those of the signal's orders and fills that are its own.
    #[must_use]
    pub fn of(
        signal: &Signal,
        stored: &StoredParent,
        orders: &[StoredOrder],
        fills: &[StoredFill],
        front: &Front,
    ) -> Self {
        let parent = &stored.parent;
        let id = parent.leg.parent;
        let policy = signal.execution.as_ref().map_or(Policy::Once, |execution| execution.policy);
        let progress = parent.progress.as_ref();
        let with_fills = |order: &StoredOrder| OrderWithFills {
            order: OrderView { policy: Some(policy.into()), ..OrderView::of(order, front) },
            fills: fills
                .iter()
                .filter(|fill| fill.fill.order == order.terms().id)
                .map(|fill| FillView::of(fill, front))
                .collect(),
        };
        Self {
            id: id.to_string(),
            account: parent.leg.account.to_string(),
            side: parent.leg.side.into(),
            quantity: parent.leg.qty.to_string(),
            cum_qty: parent.cum_qty.to_string(),
            netted_qty: parent.netted.to_string(),
            avg_px: parent.cum_amount.per(parent.cum_qty).map(|px| px.to_string()),
            status: parent.status.into(),
            mode: parent.leg.mode.into(),
            waiting_for: parent.waits_for().map(Into::into),
            until: parent.waits.and_then(|wait| wait.until).map(at),
            decided: parent.decided.as_deref().map(DecidedView::of),
            ending: progress.and_then(|progress| progress.ended).map(Into::into),
            asks: progress.filter(|p| p.ended.is_none()).and_then(|p| p.asked).map(|(_, why)| why.into()),
            orders: orders.iter().filter(|order| order.terms().id.parent() == id).map(with_fills).collect(),
        }
    }
}

impl DecidedView {
    fn of(decided: &Decided) -> Self {
        let none = Self::default();
        match decided {
            Decided::Confirmed { who } => Self { what: "confirmed", by: Some(who.to_string()), ..none },
            Decided::Ended { who, reason } => {
                Self { what: "ended", by: Some(who.to_string()), reason: Some(reason.to_string()), ..none }
            }
            Decided::ByHand { who, order } => {
                Self { what: "by_hand", by: Some(who.to_string()), order: Some(order.to_string()), ..none }
            }
            Decided::Shadow { terms, denials: refused } => {
                let would_send = json!({
                    "account": terms.account.as_str(), "symbol": terms.symbol, "side": terms.side,
                    "quantity": terms.qty.to_string(), "type": terms.ord_type,
                    "limit_price": terms.limit_price.map(|px| px.to_string()),
                });
                Self { what: "shadow", would_send: Some(would_send), denials: denials(refused), ..none }
            }
        }
    }
}

/// Is it an order that a person made?
#[must_use]
pub fn is_manual(signal: &Signal) -> bool {
    signal.source == Source::Manual
}

/// The day as `2026-11-20`.
#[must_use]
pub fn date(date: Option<TradeDate>) -> Option<String> {
    date.map(|date| date.to_string())
}
