//! The adapter to the fake broker. It is written as one to a real broker has to be: it believes nothing that does not
//! bear the order's mark, and every answer that proves nothing is [`Report::Lost`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signalbox_domain::broker::{
    BrokerReport, BrokerRequest, Capabilities, Level, ListedOrder, ListedStatus, ListedTrade, ReadFailed, Report,
    Snapshot,
};
use signalbox_domain::ids::{BrokerOrderId, ExecId, InstallationTag, OrderId};
use signalbox_domain::order::{Order, OrderTerms};
use signalbox_domain::units::{Price, Qty, Timestamp};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::warn;

use super::parse;
use super::wire::{
    CancelRequest, ConnectRequest, FindRequest, Found, FoundFill, Grid, List, ListRequest, Push, PushRequest, PushWhat,
    Pushes, Reply, Status, SubmitRequest,
};
use crate::{Broker, BrokerError};

/// Refusals after which no order exists. Everything else may have left one behind.
const DEFINITIVE: &[&str] = &["CASH", "SHARES", "PRICE", "QTY", "FLOW"];

/// Refusals of a cancel that say the order has ended.
const ENDED: &[&str] = &["ENDED"];

/// Answers to a long poll that wait for the session. Each has up to 500 pushes; the poller waits when the session does
/// not keep up, and the broker keeps the rest.
const POLLS_WAITING_MAX: usize = 4;

/// A dead line is noticed within so long.
const POLL_MS_MAX: u64 = 2_000;

/// Pushes with a number that no answer has told us yet. At most one per fill that overtook its acknowledgement.
const EARLY_MAX: usize = 4_096;

/// How to reach one account at the fake broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeLink {
    pub url: String,
    /// The account's name at the broker.
    pub account: String,
    /// What the adapter may rely on. The broker has a level of its own.
    pub level: Level,
    /// An answer that takes longer is none.
    pub answer_within: Duration,
    pub in_flight_max: usize,
}

impl FakeLink {
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        Capabilities {
            level: self.level,
            in_flight_max: self.in_flight_max,
            market_orders: true,
            lists: matches!(self.level, Level::L1 | Level::L2 | Level::L3 | Level::L4),
        }
    }
}

/// One account's session at the fake broker.
#[derive(Debug)]
pub struct FakeAdapter {
    link: FakeLink,
    installation: InstallationTag,
    http: reqwest::Client,
    /// Orders that this session has to do with, as many as the account may send in a day.
    numbers: HashMap<OrderId, BrokerOrderId>,
    by_no: HashMap<String, OrderId>,
    by_tag: HashMap<String, OrderId>,
    early: VecDeque<Push>,
    /// How far the stream of pushes is heard.
    stream: u64,
    heard: u64,
    poller: Option<Poller>,
    dead: Option<String>,
}

#[derive(Debug)]
struct Poller {
    pushes: mpsc::Receiver<Result<Pushes, String>>,
    task: AbortHandle,
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a question got no answer.
type NoAnswer = String;

impl FakeAdapter {
    /// # Errors
    /// When no client can be built.
    pub fn new(link: FakeLink, installation: InstallationTag) -> Result<Self, BrokerError> {
        // A client that sends twice by itself would double an order at every level below L3.
        let http = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).timeout(link.answer_within);
        let http = http.build().map_err(|error| BrokerError::Refused(error.to_string()))?;
        Ok(Self {
            link,
            installation,
            http,
            numbers: HashMap::new(),
            by_no: HashMap::new(),
            by_tag: HashMap::new(),
            early: VecDeque::new(),
            stream: 0,
            heard: 0,
            poller: None,
            dead: None,
        })
    }

    fn tag(&self, order: OrderId) -> String {
        order.client_order_id(self.installation).to_string()
    }

    async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, NoAnswer> {
        ask(&self.http, &self.link.url, path, question).await
    }

    /// A dead session is told at the next [`Broker::next`], so that it is opened again.
    fn lost(&mut self, order: OrderId, cause: impl Into<String>) -> BrokerReport {
        let cause: String = cause.into();
        if cause.contains("SESSION") {
            self.dead = Some(cause.clone());
        }
        BrokerReport { order, what: Report::Lost { cause: cause.into() } }
    }

    async fn submit(&mut self, at: Timestamp, terms: &OrderTerms) -> Vec<BrokerReport> {
        let (order, tag) = (terms.id, self.tag(terms.id));
        self.by_tag.insert(tag.clone(), order);
        let request = SubmitRequest {
            at,
            account: self.link.account.clone(),
            tag: Some(tag.clone()).filter(|_| self.link.level >= Level::L2),
            hidden: tag,
            symbol: terms.symbol,
            side: terms.side,
            ord_type: terms.ord_type,
            px: terms.limit_price,
            qty: terms.qty,
            tif: terms.time_in_force,
        };
        let reply: Reply = match self.ask("submit", &request).await {
            Ok(reply) => reply,
            Err(cause) => return vec![self.lost(order, cause)],
        };
        match reply.code.as_deref() {
            Some(code) if DEFINITIVE.contains(&code) => {
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
        let marked = self.link.level < Level::L2 || reply.tag.as_deref() == Some(self.tag(order).as_str());
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
        let request = CancelRequest { at, account: self.link.account.clone(), no: no.0.to_string() };
        let reply: Reply = match self.ask("cancel", &request).await {
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
        match self.link.level {
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
        let request = FindRequest { at, account: self.link.account.clone(), tag: tag.clone() };
        let reply: Reply = match self.ask("find", &request).await {
            Ok(reply) => reply,
            Err(cause) => return self.unseen(order, cause),
        };
        match (reply.code.as_deref(), reply.no.as_deref(), reply.found) {
            (Some("NO_ORDER"), ..) if self.link.level == Level::L4 => {
                (None, vec![BrokerReport { order, what: Report::NotFound }])
            }
            (Some("NO_ORDER"), ..) => self.unseen(order, "not found, where ids do not live for the day"),
            (Some(code), ..) => self.unseen(order, format!("the lookup failed: {code}")),
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
        let by_tag = self.link.level >= Level::L2;
        let mine = |row: &&ListedOrder| match &known {
            Some(no) => row.no == *no,
            None => by_tag && row.tag.as_deref() == Some(tag.as_str()),
        };
        let rows: Vec<_> = orders.iter().filter(mine).collect();
        let [row] = rows[..] else {
            return self.unseen(order, format!("{} orders in the list could be this one", rows.len()));
        };
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
        let found = Found { status, cum_qty: row.cum_qty, canceled_qty: row.canceled_qty, fills };
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

    async fn grid(&self, at: Timestamp, list: List) -> Result<Grid, ReadFailed> {
        let request = ListRequest { at, account: self.link.account.clone(), list };
        let grid: Option<Grid> =
            self.ask("list", &request).await.map_err(|cause| ReadFailed(format!("{list}: {cause}").into()))?;
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
            if marked.is_none() && self.link.level == Level::L1 {
                self.early.push_back(push);
                if self.early.len() > EARLY_MAX {
                    self.early.pop_front();
                }
            }
            return Vec::new();
        };
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

    fn listen(&mut self) {
        let (tx, pushes) = mpsc::channel(POLLS_WAITING_MAX);
        let (http, link) = (self.http.clone(), self.link.clone());
        let (mut stream, mut after) = (self.stream, self.heard);
        // The broker lets a question wait; it has to be over before it counts as unanswered.
        let wait_ms = u64::try_from(link.answer_within.as_millis() / 2).unwrap_or(u64::MAX).min(POLL_MS_MAX);
        let task = tokio::spawn(async move {
            loop {
                let request = PushRequest { account: link.account.clone(), stream, after, wait_ms };
                let answer: Result<Pushes, NoAnswer> = ask(&http, &link.url, "pushes", &request).await;
                if let Ok(pushes) = &answer {
                    stream = pushes.stream;
                    after = pushes.items.last().map_or(after, |push| push.seq);
                }
                let over = answer.is_err();
                if tx.send(answer).await.is_err() || over {
                    return;
                }
            }
        });
        self.poller = Some(Poller { pushes, task: task.abort_handle() });
    }
}

#[async_trait]
impl Broker for FakeAdapter {
    fn capabilities(&self) -> Capabilities {
        self.link.capabilities()
    }

    async fn connect(&mut self, at: Timestamp, working: &[Order]) -> Result<(), BrokerError> {
        (self.poller, self.dead) = (None, None);
        let (account, level) = (self.link.account.clone(), self.link.level);
        let reply: Reply =
            self.ask("connect", &ConnectRequest { at, account, level }).await.map_err(BrokerError::Unreachable)?;
        if !reply.ok {
            return Err(BrokerError::Refused(reply.text));
        }
        for order in working {
            self.by_tag.insert(self.tag(order.id()), order.id());
            if let Some(no) = &order.broker_order_id {
                self.accepted(order.id(), &no.0);
            }
        }
        self.listen();
        Ok(())
    }

    async fn call(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport> {
        match request {
            BrokerRequest::Submit { terms, .. } => self.submit(at, terms).await,
            BrokerRequest::Cancel { order, broker_order_id } => self.cancel(at, *order, broker_order_id.as_ref()).await,
            BrokerRequest::Find { order } => self.look_up(at, *order).await.1,
        }
    }

    async fn read(&mut self, at: Timestamp) -> Result<Snapshot, ReadFailed> {
        if self.link.level == Level::L0 {
            return Err(ReadFailed("this broker shows no lists".into()));
        }
        let mut grids: [Grid; 4] = Default::default();
        for (grid, list) in grids.iter_mut().zip(List::ALL) {
            *grid = self.grid(at, list).await?;
        }
        parse::snapshot(at, &grids)
    }

    async fn next(&mut self) -> Result<Vec<BrokerReport>, BrokerError> {
        loop {
            if let Some(cause) = self.dead.take() {
                return Err(BrokerError::Unreachable(cause));
            }
            let Some(poller) = &mut self.poller else {
                return Err(BrokerError::Unreachable("there is no session".to_owned()));
            };
            // What is received here is handled before the next await: nothing is lost when this is dropped.
            let pushes = match poller.pushes.recv().await {
                Some(Ok(pushes)) => pushes,
                Some(Err(cause)) => return Err(BrokerError::Unreachable(cause)),
                None => return Err(BrokerError::Unreachable("the stream ended".to_owned())),
            };
            self.stream = pushes.stream;
            self.heard = pushes.items.last().map_or(self.heard, |push| push.seq);
            let reports: Vec<BrokerReport> = pushes.items.into_iter().flat_map(|push| self.pushed(push)).collect();
            if !reports.is_empty() {
                return Ok(reports);
            }
        }
    }
}

/// One question and its answer. Whatever is no whole answer within the time is none.
async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(
    http: &reqwest::Client,
    url: &str,
    path: &str,
    question: &Q,
) -> Result<A, NoAnswer> {
    let answer = http.post(format!("{url}/{path}")).json(question).send().await.map_err(|error| chain(&error))?;
    if !answer.status().is_success() {
        return Err(format!("status {}", answer.status().as_u16()));
    }
    answer.json().await.map_err(|error| chain(&error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
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
