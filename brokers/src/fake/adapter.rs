//! What the adapter to the fake broker makes of the broker's words, whatever the way to it. It is written as one to a
//! real broker has to be: it believes nothing that does not bear the order's mark, or that is told of another order than
//! was sent under that mark, and every answer that proves nothing is [`Report::Lost`].

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;

use signalbox_domain::broker::{
    BrokerReport, BrokerRequest, Level, ListedOrder, ListedStatus, ListedTrade, ReadFailed, Report, Snapshot,
};
use signalbox_domain::ids::{BrokerOrderId, ExecId, InstallationTag, OrderId};
use signalbox_domain::order::{Order, OrderTerms};
use signalbox_domain::seeded::{SeededBug, seeded};
use signalbox_domain::units::{Price, Qty, Timestamp};
use tracing::warn;

use super::parse;
use super::wire::{
    CancelRequest, ConnectRequest, FindRequest, Found, FoundFill, Grid, List, ListRequest, Push, PushWhat, Pushes,
    Reply, Shape, Status, SubmitRequest,
};
use crate::BrokerError;

/// Refusals after which no order exists. Everything else may have left one behind.
const DEFINITIVE: &[&str] = &["CASH", "SHARES", "PRICE", "QTY", "FLOW"];

/// Refusals of a cancel that say the order has ended.
const ENDED: &[&str] = &["ENDED"];

/// Pushes with a number that no answer has told us yet. At most one per fill that overtook its acknowledgement.
const EARLY_MAX: usize = 4_096;

/// Why a question got no answer.
pub type NoAnswer = String;

/// The way to the broker. An error means that nobody knows whether the question arrived.
pub trait Wire {
    fn connect(&self, request: &ConnectRequest) -> impl Future<Output = Result<Reply, NoAnswer>> + Send;
    fn submit(&self, request: &SubmitRequest) -> impl Future<Output = Result<Reply, NoAnswer>> + Send;
    fn cancel(&self, request: &CancelRequest) -> impl Future<Output = Result<Reply, NoAnswer>> + Send;
    fn find(&self, request: &FindRequest) -> impl Future<Output = Result<Reply, NoAnswer>> + Send;
    fn list(&self, request: &ListRequest) -> impl Future<Output = Result<Option<Grid>, NoAnswer>> + Send;
}

/// Which account, and what may be relied on there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The account's name at the broker.
    pub account: String,
    /// What the adapter may rely on. The broker has a level of its own.
    pub level: Level,
    pub installation: InstallationTag,
}

/// One account's session at the fake broker.
#[derive(Debug)]
pub struct FakeAdapter<W> {
    pub(super) facts: Facts,
    pub(super) wire: W,
    /// Orders that this session has to do with, as many as the account may send in a day.
    numbers: HashMap<OrderId, BrokerOrderId>,
    by_no: HashMap<String, OrderId>,
    by_tag: HashMap<String, OrderId>,
    /// What was sent. Of what an earlier session sent and has ended nothing is known here.
    sent: HashMap<OrderId, Shape>,
    early: VecDeque<Push>,
    /// Which stream of pushes is heard, and how far.
    pub(super) stream: u64,
    pub(super) heard: u64,
    dead: Option<String>,
}

impl<W: Wire> FakeAdapter<W> {
    #[must_use]
    pub fn on(wire: W, facts: Facts) -> Self {
        Self {
            facts,
            wire,
            numbers: HashMap::new(),
            by_no: HashMap::new(),
            by_tag: HashMap::new(),
            sent: HashMap::new(),
            early: VecDeque::new(),
            stream: 0,
            heard: 0,
            dead: None,
        }
    }

    /// Where the stream of pushes is heard from on: its name and the last number.
    #[must_use]
    pub const fn heard(&self) -> (u64, u64) {
        (self.stream, self.heard)
    }

    /// Why the session is over, once.
    pub fn dead(&mut self) -> Option<String> {
        self.dead.take()
    }

    /// Opens the session.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub async fn open(&mut self, at: Timestamp, working: &[Order]) -> Result<(), BrokerError> {
        self.dead = None;
        let (account, level) = (self.facts.account.clone(), self.facts.level);
        let reply = self.wire.connect(&ConnectRequest { at, account, level }).await;
        let reply = reply.map_err(BrokerError::Unreachable)?;
        if !reply.ok {
            return Err(BrokerError::Refused(reply.text));
        }
        for order in working {
            self.by_tag.insert(self.tag(order.id()), order.id());
            self.sent.insert(order.id(), shape(&order.sent_terms()));
            if let Some(no) = &order.broker_order_id {
                self.accepted(order.id(), &no.0);
            }
        }
        Ok(())
    }

    pub async fn ask(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport> {
        match request {
            BrokerRequest::Submit { terms, send_no, .. } => self.submit(at, terms, *send_no).await,
            BrokerRequest::Cancel { order, broker_order_id } => self.cancel(at, *order, broker_order_id.as_ref()).await,
            BrokerRequest::Find { order } => self.look_up(at, *order).await.1,
        }
    }

    /// # Errors
    /// [`ReadFailed`].
    pub async fn read_lists(&mut self, at: Timestamp) -> Result<Snapshot, ReadFailed> {
        if self.facts.level == Level::L0 {
            return Err(ReadFailed("this broker shows no lists".into()));
        }
        let mut grids: [Grid; 4] = Default::default();
        for (grid, list) in grids.iter_mut().zip(List::ALL) {
            *grid = self.grid(at, list).await?;
        }
        parse::snapshot(at, &grids)
    }

    /// What the broker said unasked.
    pub fn hear(&mut self, pushes: Pushes) -> Vec<BrokerReport> {
        self.stream = pushes.stream;
        self.heard = pushes.items.last().map_or(self.heard, |push| push.seq);
        pushes.items.into_iter().flat_map(|push| self.pushed(push)).collect()
    }

    fn tag(&self, order: OrderId) -> String {
        order.client_order_id(self.facts.installation).to_string()
    }

    /// A dead session is told at the next [`Broker::next`], so that it is opened again.
    fn lost(&mut self, order: OrderId, cause: impl Into<String>) -> BrokerReport {
        let cause: String = cause.into();
        if cause.contains("SESSION") {
            self.dead = Some(cause.clone());
        }
        BrokerReport { order, what: Report::Lost { cause: cause.into() } }
    }

    async fn submit(&mut self, at: Timestamp, terms: &OrderTerms, send_no: u16) -> Vec<BrokerReport> {
        let (order, tag) = (terms.id, self.tag(terms.id));
        self.by_tag.insert(tag.clone(), order);
        self.sent.insert(order, shape(terms));
        let request = SubmitRequest {
            at,
            account: self.facts.account.clone(),
            tag: Some(new_at_resend(&tag, send_no)).filter(|_| self.facts.level >= Level::L2),
            hidden: tag,
            symbol: terms.symbol,
            side: terms.side,
            ord_type: terms.ord_type,
            px: terms.limit_price,
            qty: terms.qty,
            tif: terms.time_in_force,
        };
        let reply: Reply = match self.wire.submit(&request).await {
            Ok(reply) => reply,
            Err(cause) => return vec![self.lost(order, cause)],
        };
        match reply.code.as_deref() {
            Some(code) if DEFINITIVE.contains(&code) || seeded(SeededBug::UnknownCodeIsRejected) => {
                vec![BrokerReport { order, what: Report::Rejected { text: reply.text.into() } }]
            }
            Some(code) => {
                let cause = format!("the broker's answer {code:?} is on no list");
                vec![self.lost(order, cause)]
            }
            None => self.acknowledged(order, &reply),
        }
    }

    /// A number is believed when it looks like one and, where the broker echoes marks, bears ours.
    fn acknowledged(&mut self, order: OrderId, reply: &Reply) -> Vec<BrokerReport> {
        let marked = self.facts.level < Level::L2 || reply.tag.as_deref() == Some(self.tag(order).as_str());
        match reply.no.as_deref() {
            Some(_) if !reply.ok => vec![self.lost(order, reply.text.clone())],
            Some(no) if parse::is_no(no) && marked => {
                let mut reports = vec![self.accepted(order, no)];
                reports.append(&mut self.overtaken(no));
                reports
            }
            Some(no) => vec![self.lost(order, format!("the number {no:?} is not this order's"))],
            None => vec![self.lost(order, "no number came back")],
        }
    }

    fn accepted(&mut self, order: OrderId, no: &str) -> BrokerReport {
        let broker_order_id = BrokerOrderId(no.into());
        self.numbers.insert(order, broker_order_id.clone());
        self.by_no.insert(no.to_owned(), order);
        BrokerReport { order, what: Report::Accepted { broker_order_id } }
    }

    /// What was pushed of a number before we knew whose it is.
    fn overtaken(&mut self, no: &str) -> Vec<BrokerReport> {
        let (mine, others): (Vec<Push>, Vec<Push>) = self.early.drain(..).partition(|push| push.no == no);
        self.early.extend(others);
        mine.into_iter().flat_map(|push| self.pushed(push)).collect()
    }

    async fn cancel(&mut self, at: Timestamp, order: OrderId, no: Option<&BrokerOrderId>) -> Vec<BrokerReport> {
        let Some(no) = no.or_else(|| self.numbers.get(&order)).cloned() else {
            return vec![self.lost(order, "there is no number to cancel by")];
        };
        self.accepted(order, &no.0);
        let request = CancelRequest { at, account: self.facts.account.clone(), no: no.0.to_string() };
        let reply: Reply = match self.wire.cancel(&request).await {
            Ok(reply) => reply,
            Err(cause) => return vec![self.lost(order, cause)],
        };
        let refused = match reply.code {
            Some(code) if ENDED.contains(&code.as_str()) => true,
            Some(code) => return vec![self.lost(order, format!("the broker's answer {code:?} is on no list"))],
            None => false,
        };
        // "Taken" means that it was heard. What became of it is looked up.
        let (status, mut reports) = self.look_up(at, order).await;
        match status {
            Some(Status::Filled) => {
                reports.push(BrokerReport { order, what: Report::CancelRejected { text: "it is filled".into() } });
            }
            Some(Status::Working) if refused => {
                reports.push(self.lost(order, "refused as ended, and listed as working"))
            }
            Some(Status::Working) => reports.push(self.lost(order, "the cancel was taken, and the order works on")),
            Some(Status::Canceled | Status::Junk) | None => {}
        }
        reports
    }

    /// Everything that the broker says of one order: by our id where it enforces them, by mark or number in its lists
    /// otherwise.
    async fn look_up(&mut self, at: Timestamp, order: OrderId) -> (Option<Status>, Vec<BrokerReport>) {
        match self.facts.level {
            Level::L0 => self.unseen(order, "the broker shows no orders"),
            Level::L1 | Level::L2 => self.look_through_lists(at, order).await,
            Level::L3 | Level::L4 => self.look_up_by_id(at, order).await,
        }
    }

    fn unseen(&mut self, order: OrderId, cause: impl Into<String>) -> (Option<Status>, Vec<BrokerReport>) {
        (None, vec![self.lost(order, cause)])
    }

    async fn look_up_by_id(&mut self, at: Timestamp, order: OrderId) -> (Option<Status>, Vec<BrokerReport>) {
        let tag = self.tag(order);
        self.by_tag.insert(tag.clone(), order);
        let request = FindRequest { at, account: self.facts.account.clone(), tag: tag.clone() };
        let reply: Reply = match self.wire.find(&request).await {
            Ok(reply) => reply,
            Err(cause) => return self.unseen(order, cause),
        };
        match (reply.code.as_deref(), reply.no.as_deref(), reply.found) {
            (Some("NO_ORDER"), ..) if self.facts.level == Level::L4 => {
                (None, vec![BrokerReport { order, what: Report::NotFound }])
            }
            (Some("NO_ORDER"), ..) => self.unseen(order, "not found, where ids do not live for the day"),
            (Some(code), ..) => self.unseen(order, format!("the lookup failed: {code}")),
            (None, Some(_), Some(found)) if self.is_another(order, found.of) => {
                (None, vec![BrokerReport { order, what: Report::Altered }])
            }
            (None, Some(no), Some(found)) if parse::is_no(no) && reply.tag.as_deref() == Some(tag.as_str()) => {
                (Some(found.status), self.tell_found(order, no, &found))
            }
            _ => self.unseen(order, "the lookup found something else"),
        }
    }

    async fn look_through_lists(&mut self, at: Timestamp, order: OrderId) -> (Option<Status>, Vec<BrokerReport>) {
        let (tag, known) = (self.tag(order), self.numbers.get(&order).cloned());
        self.by_tag.insert(tag.clone(), order);
        let (orders, trades) = match self.orders_and_trades(at).await {
            Ok(lists) => lists,
            Err(failed) => return self.unseen(order, failed.to_string()),
        };
        let by_tag = self.facts.level >= Level::L2;
        let mine = |row: &&ListedOrder| match &known {
            Some(no) => row.no == *no,
            None => by_tag && row.tag.as_deref() == Some(tag.as_str()),
        };
        let rows: Vec<_> = orders.iter().filter(mine).collect();
        let [row] = rows[..] else {
            return self.unseen(order, format!("{} orders in the list could be this one", rows.len()));
        };
        let of = Shape { symbol: row.symbol, side: row.side, qty: row.qty, px: row.px };
        if self.is_another(order, of) {
            return (None, vec![BrokerReport { order, what: Report::Altered }]);
        }
        let fills: Vec<FoundFill> = trades
            .iter()
            .filter(|trade| trade.no == row.no)
            .map(|trade| FoundFill { exec: trade.exec_id.0.to_string(), qty: trade.qty, px: trade.px, at: trade.at })
            .collect();
        let filled: i64 = fills.iter().map(|fill| fill.qty.get()).sum();
        if filled != row.cum_qty.get() {
            return self.unseen(order, "orders and trades do not agree yet");
        }
        // The numbers decide, whatever the text says.
        let status = match row.status {
            ListedStatus::Rejected => Status::Junk,
            _ if row.canceled_qty.is_positive() && row.cum_qty + row.canceled_qty == row.qty => Status::Canceled,
            _ if row.cum_qty >= row.qty => Status::Filled,
            _ => Status::Working,
        };
        let found = Found { of, status, cum_qty: row.cum_qty, canceled_qty: row.canceled_qty, fills };
        (Some(status), self.tell_found(order, &row.no.0, &found))
    }

    fn tell_found(&mut self, order: OrderId, no: &str, found: &Found) -> Vec<BrokerReport> {
        let mut reports = vec![self.accepted(order, no)];
        for fill in &found.fills {
            reports.extend(filled(order, fill.exec.clone(), fill.qty, fill.px, fill.at));
        }
        let end = match found.status {
            Status::Working | Status::Filled => None,
            Status::Canceled => Some(Report::Canceled { text: "已撤".into() }),
            Status::Junk => Some(Report::Rejected { text: "废单".into() }),
        };
        reports.extend(end.map(|what| BrokerReport { order, what }));
        reports
    }

    /// Whether what the broker has under the order's mark is something else than was sent. Its lists show what: a person
    /// decides.
    fn is_another(&self, order: OrderId, of: Shape) -> bool {
        let differs = |sent: &Shape| {
            let px = sent.px.is_none() || sent.px == of.px;
            !px || (sent.symbol, sent.side, sent.qty) != (of.symbol, of.side, of.qty)
        };
        self.sent.get(&order).is_some_and(differs) && !seeded(SeededBug::AlteredOrderBelieved)
    }

    async fn grid(&self, at: Timestamp, list: List) -> Result<Grid, ReadFailed> {
        let request = ListRequest { at, account: self.facts.account.clone(), list };
        let grid: Option<Grid> =
            self.wire.list(&request).await.map_err(|cause| ReadFailed(format!("{list}: {cause}").into()))?;
        grid.ok_or_else(|| ReadFailed(format!("{list}: the broker shows none").into()))
    }

    async fn orders_and_trades(&self, at: Timestamp) -> Result<(Vec<ListedOrder>, Vec<ListedTrade>), ReadFailed> {
        let orders = parse::orders(&self.grid(at, List::Orders).await?)?;
        Ok((orders, parse::trades(&self.grid(at, List::Trades).await?)?))
    }

    /// What one push says of an order that this session has to do with.
    fn pushed(&mut self, push: Push) -> Vec<BrokerReport> {
        let marked = push.tag.as_ref().map(|tag| self.by_tag.get(tag).copied());
        let order = match marked {
            Some(known) => known,
            None => self.by_no.get(&push.no).copied(),
        };
        let Some(order) = order else {
            // Below L2 a number may become known by the answer that it overtook.
            if marked.is_none() && self.facts.level == Level::L1 {
                self.early.push_back(push);
                if self.early.len() > EARLY_MAX {
                    self.early.pop_front();
                }
            }
            return Vec::new();
        };
        if push.of.is_some_and(|of| self.is_another(order, of)) {
            warn!(order.id = %order, "what is told of order {order} is told of another order under its mark");
            return Vec::new();
        }
        let mut reports = Vec::new();
        if !self.numbers.contains_key(&order) {
            reports.push(self.accepted(order, &push.no));
        } else if self.numbers[&order].0.as_ref() != push.no {
            warn!(order.id = %order, "order {order} is told under a second number, {}", push.no);
            return reports;
        }
        match push.what {
            PushWhat::Accepted if reports.is_empty() => reports.push(self.accepted(order, &push.no)),
            PushWhat::Accepted => {}
            PushWhat::Filled { exec, qty, px, at } => reports.extend(filled(order, exec, qty, px, at)),
            PushWhat::Canceled => {
                reports.push(BrokerReport { order, what: Report::Canceled { text: "已撤".into() } });
            }
            PushWhat::Junk { text } => {
                reports.push(BrokerReport { order, what: Report::Rejected { text: text.into() } });
            }
            PushWhat::Busted { exec } => warn!(order.id = %order, "the broker took trade {exec} back"),
        }
        reports
    }
}

const fn shape(terms: &OrderTerms) -> Shape {
    Shape { symbol: terms.symbol, side: terms.side, qty: terms.qty, px: terms.limit_price }
}

/// The same id at every send.
fn new_at_resend(tag: &str, send_no: u16) -> String {
    if seeded(SeededBug::NewIdAtResend) && send_no > 1 { format!("{tag}-{send_no}") } else { tag.to_owned() }
}

/// A fill without a price is none that could be booked: the lookup has it right.
fn filled(order: OrderId, exec: String, qty: Qty, px: Price, at: Timestamp) -> Option<BrokerReport> {
    if !px.is_positive() || !qty.is_positive() {
        warn!(order.id = %order, "fill {exec} of order {order} has no price or quantity");
        return None;
    }
    let exec_id = ExecId(Arc::from(exec));
    Some(BrokerReport { order, what: Report::Filled { exec_id, qty, px, at } })
}
