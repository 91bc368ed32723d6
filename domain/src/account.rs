//! One account: what goes to its broker next, and what its broker said.
//!
//! The core owns the account's live orders and its [`Ledger`]. An order leaves for the broker only after a `sending`
//! fact; what comes back becomes facts, fills are booked in the same step. An answer that is lost leaves the order in
//! doubt, and only evidence from the broker takes it out again: never a timeout, never a guess.

mod books;
mod cancel;
mod corporate;
mod doubt;
mod external;
mod lookup;
mod netting;
mod numbers;
mod pace;
mod resolve;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use books::{BookOrder, Rebook, Unbookable};
use pace::Pace;
pub use pace::Pacing;
pub use resolve::{Resolution, Unresolvable};
pub use settle::{Settle, Settlement, Unsettleable};

use crate::broker::{BrokerReport, BrokerRequest, Capabilities, Level, ReadFailed, Report, Snapshot, is_working};
use crate::corporate::{CorporateAction, CorporateActions};
use crate::event::Event;
use crate::hash::QuickMap;
use crate::ids::{AccountId, BrokerOrderId, OrderId, StrategyId};
use crate::ledger::{BookedAction, Ledger, Mark, OpeningHolding};
use crate::order::{InFlight, OrdStatus, Order, OrderFact, OrderTerms, Side};
use crate::reconcile::exception::Exception;
use crate::reconcile::{DoubtConf, ParkReason};
use crate::risk::{Approved, ApprovedOrder};
use crate::row::{AccountRow, Fill, Row};
use crate::seeded::{SeededBug, seeded};
use crate::units::{Money, Span, Timestamp, TradeDate};
use crate::view::TradingStates;

/// Everything that can happen to an account.
#[derive(Debug)]
pub enum AccountInput {
    /// First of all, once in the life of an account.
    Open {
        cash: Money,
        holdings: Arc<[OpeningHolding]>,
    },
    Submit(Approved<ApprovedOrder>),
    Cancel {
        order: OrderId,
        reason: Arc<str>,
    },
    CancelAll {
        side: Option<Side>,
        strategy: Option<StrategyId>,
        reason: Arc<str>,
    },
    Broker(BrokerReport),
    /// The broker's session is open, for the first time or again.
    Connected,
    /// A person settles the doubt of an order. Answered by [`AccountEffects::resolved`].
    Resolve {
        order: OrderId,
        resolution: Resolution,
        by: Arc<str>,
        note: Arc<str>,
    },
    /// A person settles a break or a ghost. Answered by [`AccountEffects::settled`].
    Settle(Settle),
    /// The answer to [`AccountEffects::read`].
    Read(Result<Arc<Snapshot>, ReadFailed>),
    /// A person wants the broker's lists to be read now.
    Refresh,
    DayStart(TradeDate),
    /// What the market has shown of the holdings since they were marked; `closing` before the day ends.
    Mark {
        marks: Vec<Mark>,
        closing: bool,
    },
    /// A person changes whose the shares are. Answered by [`AccountEffects::booked`].
    Book(BookOrder),
    /// A trading state was set somewhere: what waits and is not permitted any more ends now.
    TradingStateSet,
    /// The limits of the account say another pace.
    SetPacing(Pacing),
    /// The wall clock and the monotonic one went apart by so much: somebody set the clock, or the machine slept.
    ClockJumped {
        by: Span,
    },
    Wake,
}

/// What one input caused. Requests to the broker go out only when the events before them are durable.
#[derive(Debug, Default)]
pub struct AccountEffects {
    pub events: Vec<Event>,
    pub rows: Vec<Row>,
    /// The newest state of each order that changed, for risk and the order's strategy.
    pub observed: Vec<Arc<Order>>,
    /// Orders that had ended and have got a fill since: their signals may be final.
    pub filled_late: Vec<Arc<Order>>,
    pub broker: Vec<BrokerRequest>,
    /// Read the broker's lists after everything that was asked before. Answered by [`AccountInput::Read`], always; one
    /// read is under way at a time.
    pub read: bool,
    pub alarms: Vec<Alarm>,
    /// The answer to a cancel: the orders that it reached.
    pub canceling: Vec<OrderId>,
    /// The answer to [`AccountInput::Resolve`].
    pub resolved: Option<Result<(), Unresolvable>>,
    /// The answer to [`AccountInput::Settle`].
    pub settled: Option<Result<(), Unsettleable>>,
    /// The answer to [`AccountInput::Book`].
    pub booked: Option<Result<(), Unbookable>>,
    pub wake_at: Option<Timestamp>,
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    InDoubt {
        order: OrderId,
        cause: Arc<str>,
    },
    /// The broker says something of an order that we do not know, or that cannot be.
    Unexplained {
        order: OrderId,
        what: String,
    },
    /// More was filled than was ordered.
    Overfill {
        order: OrderId,
    },
    /// A doubt is a person's now.
    Parked {
        order: OrderId,
        reason: ParkReason,
    },
    /// A row fits an order that was proved absent: the account is frozen.
    Ghost {
        order: OrderId,
        no: BrokerOrderId,
    },
    /// An order that ended here works at the broker.
    Revived {
        order: OrderId,
        no: BrokerOrderId,
    },
    /// An order that was proved absent has traded. Its fills are booked.
    CameBack {
        order: OrderId,
    },
    /// The broker's lists cannot be believed at present.
    ReadInvalid {
        why: String,
    },
    /// Books and broker differ, and nothing explains it: the symbol is frozen.
    Break {
        what: String,
    },
    /// How long ago something was sent cannot be told any more.
    ClockJumped {
        by: Span,
    },
    /// A share that is held went ex, and is booked.
    WentEx(Arc<BookedAction>),
    /// A share that is held went ex on the account's present day or shortly before, and the table did not know it in time.
    ExUnbooked(CorporateAction),
}

/// The orders that an earlier life of an account left.
#[derive(Debug, Default)]
pub struct OrdersRest {
    /// Those that may still trade, with the numbers of their fills.
    pub live: Vec<Order>,
    /// Those that ended on its last two trading days, with the numbers of their fills: the broker may have more of them.
    pub ended: Vec<Order>,
    /// Those that are open, and the trades by hand of the last days.
    pub exceptions: Vec<Exception>,
    /// What went ex in its books, at least that of the last days.
    pub booked: Vec<Arc<BookedAction>>,
}

/// How one account behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountConf {
    pub id: AccountId,
    pub capabilities: Capabilities,
    /// What the broker shall see at the most; above it orders wait.
    pub pacing: Pacing,
    pub doubt: DoubtConf,
}

/// After a lookup got no answer either, it is asked again this much later.
const FIND_AGAIN: Span = Span::from_secs(2);

/// After so many sends of one order the next lookup waits too: a broker that loses every answer is not hammered.
const SENDS_AT_ONCE: u16 = 3;

/// Ended orders that are remembered for fills that come late. Two generations of so many, or of a day each.
const ENDED_KEPT: usize = 4_096;

/// The core of one account.
#[derive(Debug)]
pub struct Account {
    conf: AccountConf,
    /// Live orders.
    orders: BTreeMap<OrderId, Order>,
    /// Orders that ended lately: the broker may still tell a fill of them, or tell again what it told before.
    ended: Ended,
    /// Orders that were cancelled on their way from risk to here: they are never sent.
    early_cancels: BTreeSet<OrderId>,
    /// Approved, not sent.
    queue: VecDeque<OrderId>,
    /// When the next of those that are held back may go.
    held_until: Option<Timestamp>,
    /// Some of it may be netted, and was not looked at yet.
    nets: bool,
    /// Sent and not answered.
    in_flight: usize,
    messages_today: u32,
    /// Those of them that risk did not see coming: cancels, and sends of the same order again.
    extra_today: u32,
    pace: Pace,
    find_again: Option<Timestamp>,
    /// Lookups without an answer yet. One at a time for each order: what an older one says may not be true any more.
    finding: BTreeSet<OrderId>,
    /// Lookups whose answer was lost: asked again even if the order has ended meanwhile, for the fills it may have had.
    ask_again: BTreeSet<OrderId>,
    /// Cancels that were sent more than once, of live orders.
    insisted: BTreeMap<OrderId, cancel::Insisted>,
    lists: doubt::Lists,
    actions: Arc<CorporateActions>,
    /// What went ex lately.
    booked: Vec<Arc<BookedAction>>,
}

impl Account {
    #[must_use]
    pub fn new(conf: AccountConf) -> Self {
        let pace = Pace::new(conf.pacing);
        Self {
            conf,
            orders: BTreeMap::new(),
            ended: Ended::default(),
            early_cancels: BTreeSet::new(),
            queue: VecDeque::new(),
            held_until: None,
            nets: false,
            in_flight: 0,
            messages_today: 0,
            extra_today: 0,
            pace,
            find_again: None,
            finding: BTreeSet::new(),
            ask_again: BTreeSet::new(),
            insisted: BTreeMap::new(),
            lists: doubt::Lists::default(),
            actions: Arc::default(),
            booked: Vec::new(),
        }
    }

    /// The same with the table of corporate actions. Without it nothing goes ex.
    #[must_use]
    pub fn with_actions(self, actions: Arc<CorporateActions>) -> Self {
        Self { actions, ..self }
    }

    /// Takes up the live orders of an earlier life, and those that ended lately. What was on its way
    /// then is in doubt now; what was waiting waits again, and is sent with the next [`AccountInput::Wake`].
    pub fn resume(&mut self, at: Timestamp, rest: OrdersRest, messages_today: u32, fx: &mut AccountEffects) {
        let OrdersRest { live: orders, mut ended, exceptions, booked } = rest;
        self.booked = booked;
        // Of more than are kept the newest stay.
        ended.sort_unstable_by_key(Order::id);
        self.messages_today = messages_today;
        for sent_at in orders.iter().chain(&ended).filter_map(|order| order.sent_at) {
            self.pace.sent_before(sent_at);
        }
        let last_day = ended.iter().map(|order| order.approval.trade_date).max();
        for order in ended {
            if let Some(no) = order.broker_order_id.as_ref().filter(|_| self.knows_numbers()) {
                self.lists.claims.insert((self.broker_day(&order), no.clone()), order.id());
            }
            let of_last_day = Some(order.approval.trade_date) == last_day;
            let (id, filled_meanwhile) = (order.id(), of_last_day && may_have_filled(&order));
            self.ended.put(order);
            if filled_meanwhile && self.looks_up() {
                self.find(id, fx);
            }
        }
        let mut doubts = Vec::new();
        for order in orders {
            let (id, was) = (order.id(), (order.status, order.in_flight, order.in_doubt));
            // Whatever the earlier life had not told anybody when it ended is told now.
            fx.observed.push(Arc::new(order.snapshot()));
            self.nets |= order.approval.net.is_some();
            self.orders.insert(id, order);
            self.in_flight += usize::from(was.1 == Some(InFlight::New));
            match was {
                (OrdStatus::Initialized, None, _) if seeded(SeededBug::QueueLostByRestart) => {}
                (OrdStatus::Initialized, None, _) => self.queue.push_back(id),
                #[cfg(feature = "seeded-bugs")]
                (_, Some(InFlight::New), false) if seeded(SeededBug::DoubtResentAtStart) => self.forget_send(id),
                (_, Some(_), false) => doubts.push(id),
                // What happened at the broker since the last word is asked for.
                _ if self.looks_up() => self.find(id, fx),
                _ => {}
            }
        }
        self.resume_lists(at, exceptions);
        for id in doubts {
            self.doubt(at, id, "the process ended while the answer was awaited", fx);
        }
        if self.conf.capabilities.level == Level::L3 && self.doubts() > 0 {
            self.find_again = self.find_again.or(Some(at));
        }
    }

    #[must_use]
    pub fn conf(&self) -> &AccountConf {
        &self.conf
    }

    #[must_use]
    pub fn live(&self) -> impl ExactSizeIterator<Item = &Order> {
        self.orders.values()
    }

    #[must_use]
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(&id)
    }

    /// Orders that wait to be sent.
    #[must_use]
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    #[must_use]
    pub fn doubts(&self) -> usize {
        self.orders.values().filter(|o| o.in_doubt).count()
    }

    /// Decides. Never waits, never asks the time.
    pub fn handle(
        &mut self,
        at: Timestamp,
        states: &TradingStates,
        ledger: &mut Ledger,
        input: AccountInput,
        fx: &mut AccountEffects,
    ) {
        match input {
            AccountInput::Open { cash, holdings } => self.open(at, ledger, cash, holdings, fx),
            AccountInput::Submit(approved) => {
                let ApprovedOrder { terms, approval, at: approved_at } = approved.into_inner();
                let order = Order::new(terms, approval, approved_at);
                self.submit(at, order, fx);
            }
            AccountInput::Cancel { order, reason } => self.cancel(at, order, &reason, fx),
            AccountInput::CancelAll { side, strategy, reason } => {
                let chosen: Vec<OrderId> = self
                    .orders
                    .values()
                    .filter(|o| side.is_none_or(|s| o.terms.side == s))
                    .filter(|o| strategy.as_ref().is_none_or(|s| o.terms.strategy == *s))
                    .map(Order::id)
                    .collect();
                for order in chosen {
                    self.cancel(at, order, &reason, fx);
                }
            }
            AccountInput::Broker(report) => self.report(at, states, ledger, report, fx),
            AccountInput::Connected => self.connected(),
            AccountInput::Read(result) => self.read(at, ledger, result, fx),
            AccountInput::Resolve { order, resolution, by, note } => {
                fx.resolved = Some(self.resolve(at, order, &resolution, &by, &note, fx));
            }
            AccountInput::Settle(decision) => fx.settled = Some(self.settle(at, ledger, &decision, fx)),
            AccountInput::Refresh => self.want_read(),
            AccountInput::DayStart(trade_date) => self.start_day(at, ledger, trade_date, fx),
            AccountInput::Mark { marks, closing } => self.mark(at, ledger, marks, closing, fx),
            AccountInput::Book(order) => fx.booked = Some(self.rebook(at, ledger, &order, fx)),
            AccountInput::TradingStateSet => self.refuse_queued(at, states, fx),
            AccountInput::SetPacing(pacing) => self.pace.set(pacing),
            AccountInput::ClockJumped { by } => {
                self.distrust_durations(at);
                fx.alarms.push(Alarm::ClockJumped { by });
            }
            AccountInput::Wake => self.find_doubts(at, states, fx),
        }
        self.net(at, states, ledger, fx);
        self.send(at, states, ledger, fx);
        if ledger.extra_messages != self.extra_today {
            ledger.extra_messages = self.extra_today;
            fx.rows.push(self.account_row(at, ledger));
        }
        // An answer that is awaited makes room by itself; only the pace needs a timer.
        let nothing_waits = self.queue.is_empty() || self.in_flight >= self.conf.capabilities.in_flight_max;
        let tend_at = self.tend(at, fx);
        let pace = self.pace.wake_at(nothing_waits, self.messages_today);
        let held = [self.held_until, self.gathers_until(at)];
        fx.wake_at = [pace, self.find_again, tend_at].into_iter().chain(held).flatten().min();
    }

    /// Queues an approved order. A life that was rebuilt may find it in its rows and in its mailbox: once is enough.
    fn submit(&mut self, at: Timestamp, order: Order, fx: &mut AccountEffects) {
        let id = order.id();
        if self.orders.contains_key(&id) || self.ended.get(id).is_some() {
            return;
        }
        self.nets |= order.approval.net.is_some();
        self.orders.insert(id, order);
        if self.early_cancels.remove(&id) {
            self.cancel(at, id, &"canceled before it was sent".into(), fx);
        } else {
            self.queue.push_back(id);
        }
    }

    /// Sends what may be sent: in the order of approval, within the broker's pace and width.
    fn send(&mut self, at: Timestamp, states: &TradingStates, ledger: &Ledger, fx: &mut AccountEffects) {
        let mut sent = false;
        let mut blocked = VecDeque::new();
        self.held_until = None;
        while let Some(&id) = self.queue.front() {
            let Some(order) = self.orders.get(&id) else {
                self.queue.pop_front();
                continue;
            };
            let terms = order.sent_terms();
            if let Some(reason) = refusal(at, states, &terms) {
                self.queue.pop_front();
                self.fact(at, id, OrderFact::NeverSent { reason: reason.into() }, fx);
                continue;
            }
            if let Some(until) = order.approval.held_until.filter(|until| at < *until) {
                self.held_until = self.held_until.into_iter().chain([until]).min();
                self.pace.refill(at); // nobody else asks it while all that waits is held
                self.queue.pop_front();
                blocked.push_back(id);
                continue;
            }
            if self.in_flight >= self.conf.capabilities.in_flight_max || !self.pace.may_send(at, self.messages_today) {
                break;
            }
            if self.is_frozen(None) || self.needs_baseline(at) || self.gathers_until(at).is_some() {
                break;
            }
            self.queue.pop_front();
            if self.must_wait(id) {
                blocked.push_back(id);
                continue;
            }
            self.pace.sent(at);
            self.messages_today += 1;
            self.in_flight += 1;
            sent = true;
            let (band, subscription) = (order.approval.band, order.approval.subscription);
            let send_no = order.send_no + 1;
            let baseline = self.baseline(at, terms.symbol);
            self.fact(at, id, OrderFact::Sending { send_no, baseline }, fx);
            fx.broker.push(BrokerRequest::Submit { terms, send_no, band, subscription });
        }
        while let Some(id) = blocked.pop_back() {
            self.queue.push_front(id);
        }
        if sent {
            fx.rows.push(self.account_row(at, ledger));
        }
    }

    /// Ends what waits and may not be sent any more, also behind orders that wait for the broker's pace.
    fn refuse_queued(&mut self, at: Timestamp, states: &TradingStates, fx: &mut AccountEffects) {
        for id in std::mem::take(&mut self.queue) {
            let Some(order) = self.orders.get(&id) else { continue };
            match refusal(at, states, &order.terms) {
                Some(reason) => {
                    self.fact(at, id, OrderFact::NeverSent { reason: reason.into() }, fx);
                }
                None => self.queue.push_back(id),
            }
        }
    }

    /// At a broker that does not enforce our ids, one order at a time may be on its way or in doubt per symbol and
    /// side: two of the same shape could not be told apart afterwards.
    fn must_wait(&self, id: OrderId) -> bool {
        let terms = &self.orders[&id].terms;
        if self.is_frozen(Some(terms.symbol)) {
            return true;
        }
        if self.conf.capabilities.level >= Level::L3 || seeded(SeededBug::DoubtDoesNotSerialise) {
            return false;
        }
        self.orders.values().any(|o| {
            (o.in_flight.is_some() || o.in_doubt) && o.terms.symbol == terms.symbol && o.terms.side == terms.side
        })
    }

    /// A message that nothing holds back: the broker counts it, so it counts, and the next order waits the longer.
    fn count_extra(&mut self, at: Timestamp) {
        self.messages_today += 1;
        self.extra_today += 1;
        self.pace.refill(at);
        self.pace.sent(at);
    }

    fn report(
        &mut self,
        at: Timestamp,
        states: &TradingStates,
        ledger: &mut Ledger,
        report: BrokerReport,
        fx: &mut AccountEffects,
    ) {
        let id = report.order;
        // A lookup is answered with one of these first; fills and ends come also unasked.
        let answer = match &report.what {
            Report::Lost { .. }
            | Report::Altered
            | Report::NotFound
            | Report::Accepted { .. }
            | Report::Rejected { .. } => self.finding.remove(&id),
            _ => false,
        };
        if answer && matches!(report.what, Report::Lost { .. } | Report::Altered) {
            self.ask_again.insert(id);
            self.find_again = Some(at.plus(FIND_AGAIN));
        }
        let Some(order) = self.orders.get(&id) else {
            self.report_of_ended(at, ledger, report, fx);
            return;
        };
        if self.only_lists_tell(order, &report.what) {
            return self.ask_lists(at, id);
        }
        let in_flight = order.in_flight;
        match report.what {
            Report::Accepted { broker_order_id } => {
                self.lists.absences.remove(&id);
                // Said again: by a lookup, or because a resend met the first copy.
                if order.broker_order_id.as_ref() == Some(&broker_order_id) {
                    // It was acknowledged and not listed, and is found.
                    if order.in_doubt && in_flight.is_none() {
                        self.lists.unseen.remove(&id);
                        self.fact(at, id, OrderFact::Accepted { broker_order_id }, fx);
                        self.send_cancel(at, id, fx);
                        return;
                    }
                    self.cancel_again(at, id, fx);
                    return;
                }
                // It has a number, and nobody doubts it: a terminal may show another one since.
                if order.broker_order_id.is_some() && (in_flight.is_some() || !order.in_doubt) {
                    let what = format!("it is told under a second number, {broker_order_id}");
                    fx.alarms.push(Alarm::Unexplained { order: id, what });
                    return;
                }
                if !self.claim(at, id, &broker_order_id) {
                    let cause = format!("the broker named {broker_order_id}, which is another order");
                    return self.is_another(at, id, &cause, fx);
                }
                self.fact(at, id, OrderFact::Accepted { broker_order_id }, fx);
            }
            // It was sent again because nobody knew what became of the first one: that may still arrive. Nothing more is
            // sent, and what there is of it is taken back.
            Report::Rejected { text } if in_flight == Some(InFlight::New) && !order.in_doubt && order.send_no > 1 => {
                let cause: Arc<str> = format!("refused when it was sent again: {text}").into();
                self.fact(at, id, OrderFact::CancelRequested { reason: cause.clone() }, fx);
                self.doubt(at, id, &cause, fx);
            }
            Report::Rejected { text } => {
                self.fact(at, id, OrderFact::Rejected { text }, fx);
            }
            Report::Filled { exec_id, qty, px, at: filled_at } => {
                self.fill(at, ledger, id, Filled { exec_id, qty, px, at: filled_at }, fx);
            }
            Report::Canceled { .. } if seeded(SeededBug::CancelByTextOnly) && order.cum_qty.is_positive() => {}
            Report::Canceled { text } => {
                self.fact(at, id, OrderFact::Canceled { reason: text }, fx);
            }
            Report::CancelRejected { text } if seeded(SeededBug::RefusedCancelIsCanceled) => {
                self.fact(at, id, OrderFact::Canceled { reason: text }, fx);
            }
            Report::CancelRejected { text } => {
                if in_flight == Some(InFlight::Cancel) {
                    self.fact(at, id, OrderFact::CancelRejected { text }, fx);
                }
            }
            Report::Expired => {
                self.fact(at, id, OrderFact::Expired, fx);
            }
            Report::Lost { cause } if seeded(SeededBug::TimeoutIsRejected) && in_flight == Some(InFlight::New) => {
                self.fact(at, id, OrderFact::Rejected { text: cause }, fx);
            }
            Report::Lost { cause }
                if seeded(SeededBug::LostCancelIsCanceled) && in_flight == Some(InFlight::Cancel) =>
            {
                self.fact(at, id, OrderFact::Canceled { reason: cause }, fx);
            }
            Report::Lost { .. } if seeded(SeededBug::NotFoundCountsErrors) && order.in_doubt => {
                self.not_found(at, states, id, fx);
            }
            Report::Lost { cause } => {
                if order.in_doubt {
                    // The lookup was lost too: the doubt stays, and the question is asked again.
                    self.find_again = Some(at.plus(FIND_AGAIN));
                } else if in_flight.is_some() {
                    self.doubt(at, id, &cause, fx);
                }
            }
            Report::Altered => {
                if order.in_doubt {
                    self.find_again = Some(at.plus(FIND_AGAIN));
                }
                return self.is_another(at, id, doubt::ALTERED, fx);
            }
            Report::NotFound => self.not_found(at, states, id, fx),
        }
        self.send_cancel(at, id, fx);
    }

    /// An order that ended may gain a fill that was on another road, and nothing else. What is only told again says
    /// nothing new.
    fn report_of_ended(&mut self, at: Timestamp, ledger: &mut Ledger, report: BrokerReport, fx: &mut AccountEffects) {
        let id = report.order;
        let Some(order) = self.ended.get(id) else {
            fx.alarms.push(Alarm::Unexplained { order: id, what: format!("{:?}", report.what) });
            return;
        };
        if self.only_lists_tell(order, &report.what) {
            return self.ask_lists(at, id);
        }
        match report.what {
            Report::Filled { exec_id, qty, px, at: filled_at } => {
                self.fill(at, ledger, id, Filled { exec_id, qty, px, at: filled_at }, fx);
            }
            Report::Accepted { broker_order_id: no } if order.status.is_gone() => {
                fx.alarms.push(Alarm::Ghost { order: id, no });
                self.want_read();
            }
            Report::Accepted { broker_order_id }
                if order.status == OrdStatus::Filled && order.broker_order_id.is_none() =>
            {
                self.fact(at, id, OrderFact::Accepted { broker_order_id }, fx);
            }
            _ => {}
        }
    }

    /// The broker tells of another order. Where lists are read they may say more of it; a person is asked when a lookup says
    /// no more for as long as a blind account waits.
    fn is_another(&mut self, at: Timestamp, id: OrderId, cause: &str, fx: &mut AccountEffects) {
        let Some(order) = self.orders.get(&id) else { return };
        match order.doubt_since.filter(|_| order.in_doubt) {
            None if order.in_flight.is_some() => self.doubt(at, id, cause, fx),
            Some(since) if self.looks_up() && at.since(since) >= self.conf.doubt.blind_after => {
                self.park(at, id, ParkReason::NearMiss, fx);
            }
            Some(_) if self.looks_up() => self.find_again = Some(at.plus(FIND_AGAIN)),
            _ => {}
        }
    }

    fn doubt(&mut self, at: Timestamp, id: OrderId, cause: &str, fx: &mut AccountEffects) {
        let cause: Arc<str> = cause.into();
        self.fact(at, id, OrderFact::InDoubt { cause: cause.clone() }, fx);
        fx.alarms.push(Alarm::InDoubt { order: id, cause });
        #[cfg(feature = "seeded-bugs")]
        if self.retry(at, id, fx) {
            return;
        }
        self.doubt_by_lists(at, id, fx);
        if self.conf.capabilities.level == Level::L3 {
            self.find_again =
                Some(at.plus(if send_no(self.orders.get(&id)) > 1 { FIND_AGAIN } else { Span::from_us(0) }));
            return;
        }
        if !self.looks_up() {
            return;
        }
        if self.orders.get(&id).is_some_and(|order| order.send_no > SENDS_AT_ONCE) {
            self.find_again = Some(at.plus(FIND_AGAIN));
        } else {
            self.find(id, fx);
        }
    }

    fn fill(&mut self, at: Timestamp, ledger: &mut Ledger, id: OrderId, fill: Filled, fx: &mut AccountEffects) {
        #[cfg(feature = "seeded-bugs")]
        if self.drops_fill(id, &fill) {
            return;
        }
        let Some(order) = self.orders.get(&id).or_else(|| self.ended.get(id)) else { return };
        let (terms, approval) = (order.terms.clone(), order.approval.clone());
        let fee = ledger.fee_of(order, fill.qty, fill.px);
        let overfilled = order.cum_qty + fill.qty > terms.qty;
        let came_back = order.status.is_gone();
        let fact = OrderFact::Filled { exec_id: fill.exec_id.clone(), qty: fill.qty, px: fill.px, fee };
        if !self.fact(at, id, fact, fx) {
            return; // pushed and polled, pushed twice, or impossible
        }
        if overfilled {
            fx.alarms.push(Alarm::Overfill { order: id });
        }
        if came_back {
            fx.alarms.push(Alarm::CameBack { order: id });
        }
        let (books, contracts) = ledger.fill_of(at, &terms, &approval, (fill.qty, fill.px, fee));
        self.book_rows(books, fx);
        self.contract_rows(contracts, fx);
        fx.rows.push(Row::Fill(Fill {
            account: self.conf.id.clone(),
            trade_date: approval.trade_date,
            exec_id: fill.exec_id,
            order: id,
            strategy: terms.strategy.clone(),
            symbol: terms.symbol,
            side: terms.side,
            qty: fill.qty,
            px: fill.px,
            fee,
            at: fill.at,
        }));
        fx.rows.push(self.account_row(at, ledger));
    }

    /// Applies one fact to one order and records it; whether it was new and possible.
    fn fact(&mut self, at: Timestamp, id: OrderId, fact: OrderFact, fx: &mut AccountEffects) -> bool {
        let Some(order) = self.orders.get_mut(&id).or_else(|| self.ended.get_mut(id)) else { return false };
        let was_in_flight = order.in_flight == Some(InFlight::New);
        let had_ended = order.status.is_terminal();
        match order.apply(at, &fact) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(illegal) => {
                fx.alarms.push(Alarm::Unexplained { order: id, what: illegal.to_string() });
                return false;
            }
        }
        if was_in_flight && order.in_flight != Some(InFlight::New) {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        let snapshot = Arc::new(order.snapshot());
        let filled = matches!(fact, OrderFact::Filled { .. });
        if snapshot.status.is_terminal()
            && let Some(order) = self.orders.remove(&id)
        {
            self.ended.put(order);
            self.insisted.remove(&id);
        }
        fx.events.push(Event::Order { account: self.conf.id.clone(), order: id, fact });
        fx.rows.push(Row::Order(snapshot.clone()));
        // One step can change an order several times; neighbours need the last state only. But a fill after the end is told
        // by itself: a signal ends with its orders, whether the fill came in the same step or in the next one.
        if had_ended && filled {
            fx.filled_late.push(snapshot);
            return true;
        }
        match fx.observed.last_mut() {
            Some(last) if last.id() == id && !last.status.is_terminal() => *last = snapshot,
            _ => fx.observed.push(snapshot),
        }
        true
    }

    fn account_row(&self, at: Timestamp, ledger: &Ledger) -> Row {
        Row::Account(Box::new(AccountRow {
            account: self.conf.id.clone(),
            cash: ledger.cash,
            prev_equity: ledger.prev_equity,
            loans: ledger.loans().to_vec(),
            flows: ledger.flows().copied(),
            trade_date: ledger.trade_date,
            messages_today: self.messages_today,
            updated_at: at,
        }))
    }
}

/// Orders that ended, in two generations, so that the older half can be dropped without a walk.
#[derive(Debug, Default)]
struct Ended {
    newer: QuickMap<OrderId, Order>,
    older: QuickMap<OrderId, Order>,
}

impl Ended {
    fn put(&mut self, order: Order) {
        if self.newer.len() >= ENDED_KEPT {
            self.next_generation();
        }
        self.newer.insert(order.id(), order);
    }

    fn get(&self, id: OrderId) -> Option<&Order> {
        self.newer.get(&id).or_else(|| self.older.get(&id))
    }

    fn get_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        self.newer.get_mut(&id).or_else(|| self.older.get_mut(&id))
    }

    fn iter(&self) -> impl Iterator<Item = &Order> {
        self.newer.values().chain(self.older.values())
    }

    fn next_generation(&mut self) {
        self.older = std::mem::take(&mut self.newer);
    }
}

/// Why an order that waits is not sent any more.
fn refusal(at: Timestamp, states: &TradingStates, terms: &OrderTerms) -> Option<&'static str> {
    if at >= terms.valid_until && !seeded(SeededBug::StaleOrderSent) {
        Some("its time was out before it was sent")
    } else if !states.permits(&terms.account, &terms.strategy, terms.reduces())
        && !seeded(SeededBug::HaltNotAskedAtSend)
    {
        Some("trading was halted before it was sent")
    } else {
        None
    }
}

/// Whether an order that ended can have traded more than is booked: a fill of it may have been told to nobody.
fn may_have_filled(order: &Order) -> bool {
    let worked = matches!(order.status, OrdStatus::Canceled | OrdStatus::Expired);
    worked && order.send_no > 0 && order.cum_qty < order.terms.qty
}

fn send_no(order: Option<&Order>) -> u16 {
    order.map_or(0, |order| order.send_no)
}

/// A fill as the broker tells it.
struct Filled {
    exec_id: crate::ids::ExecId,
    qty: crate::units::Qty,
    px: crate::units::Price,
    at: Timestamp,
}
