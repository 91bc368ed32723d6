//! What every adapter has to hold, as numbered cards. A card is a small story played at one account of a real adapter; a
//! [`Harness`] moves the broker behind it.

mod cancels;
mod entry;
mod evidence;
mod fake;
mod fills;
mod lists;
mod paper;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use signalbox_brokers::Broker;
use signalbox_brokers::fake::OrderTruth;
use signalbox_brokers::fake::fault::{Arm, Fault};
use signalbox_brokers::fake::wire::FillPolicy;
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Level, Report, Snapshot};
use signalbox_domain::ids::{BrokerOrderId, InstallationTag, OrderId, SignalId, StrategyId};
use signalbox_domain::order::{OrdType, OrderTerms, Side, TimeInForce};
use signalbox_domain::signal::Source;
use signalbox_domain::units::{Price, Qty, Span, Timestamp};

pub use fake::FakeHarness;
pub use paper::PaperHarness;

use crate::desk;
use crate::drill::program::now;

/// The broker's side of a card.
#[async_trait]
pub trait Harness {
    /// An adapter for the card's account, with no session yet.
    fn adapter(&self) -> Box<dyn Broker>;

    fn level(&self) -> Level;

    /// How orders fill from now on; `false` when the broker cannot.
    async fn fills(&mut self, policy: FillPolicy) -> bool;

    /// Lets a fault strike; `false` when the broker has no such fault.
    async fn arm(&mut self, arm: Arm) -> bool;

    /// Every order that exists at the broker, whatever the adapter says. `None` when nobody can tell.
    async fn orders(&self) -> Option<Vec<OrderTruth>>;

    /// Fills what is left of an order; `None` when the broker cannot. What it says unasked may come with it.
    async fn fill(&mut self, no: &BrokerOrderId) -> Option<Vec<BrokerReport>>;

    /// The broker dies and comes back; `false` when it cannot.
    async fn restart(&mut self) -> bool;
}

/// The mark of the adapters under test.
///
/// # Panics
/// Never.
#[must_use]
pub fn installation() -> InstallationTag {
    InstallationTag::parse("TC").expect("two characters")
}

/// A card that takes longer hangs. The longest waits for some answers that never come, each for a second or two.
const PLAY_MAX: Duration = Duration::from_secs(30);

/// Nothing more is said when nothing was for so long: more than any delay in a card, on a busy machine too.
const QUIET: Duration = Duration::from_millis(300);

/// What has to be told is told within so long: on a machine with much else to do, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a card did not pass.
#[derive(Debug)]
pub enum Miss {
    /// The broker cannot play this card.
    Skipped,
    Failed(String),
}

pub type Verdict = Result<(), Miss>;
type Play = for<'a> fn(&'a mut Stage) -> Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// One card.
#[derive(Debug, Clone)]
pub struct Card {
    pub id: &'static str,
    pub title: &'static str,
    pub levels: RangeInclusive<Level>,
    pub play: Play,
}

const fn card(id: &'static str, title: &'static str, levels: RangeInclusive<Level>, play: Play) -> Card {
    Card { id, title, levels, play }
}

/// All cards, in the order of their numbers.
#[must_use]
pub fn cards() -> Vec<Card> {
    [entry::cards(), cancels::cards(), fills::cards(), evidence::cards(), lists::cards()].concat()
}

/// Plays one card.
pub async fn play(card: &Card, harness: Box<dyn Harness>) -> Verdict {
    if !card.levels.contains(&harness.level()) {
        return Err(Miss::Skipped);
    }
    let mut broker = harness.adapter();
    let connected = broker.connect(desk::monday_morning(), &[]).await;
    connected.map_err(|error| Miss::Failed(format!("connect: {error}")))?;
    let mut stage = Stage { harness, broker, heard: Vec::new(), sent: 0, clock: desk::monday_morning() };
    match tokio::time::timeout(PLAY_MAX, (card.play)(&mut stage)).await {
        Ok(verdict) => verdict,
        Err(_) => Err(Miss::Failed(format!("hangs; heard {:?}", stage.heard))),
    }
}

/// One line of the table: what a card gave at each adapter.
pub fn row<'a>(table: &mut String, card: &Card, verdicts: impl Iterator<Item = &'a Verdict>) {
    let _ = write!(table, "{:<7}", card.id); // a String takes everything
    for verdict in verdicts {
        let sign = match verdict {
            Ok(()) => "ok",
            Err(Miss::Skipped) => "-",
            Err(Miss::Failed(_)) => "FAIL",
        };
        let _ = write!(table, "{sign:<6}");
    }
    let _ = writeln!(table, "{}", card.title);
}

/// One account on which a card is played.
pub struct Stage {
    pub harness: Box<dyn Harness>,
    pub broker: Box<dyn Broker>,
    /// Everything that the adapter reported.
    pub heard: Vec<BrokerReport>,
    sent: u64,
    clock: Timestamp,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("heard", &self.heard).finish_non_exhaustive()
    }
}

/// Fails the card unless it holds.
pub(crate) fn hold(holds: bool, what: impl std::fmt::Debug) -> Verdict {
    if holds { Ok(()) } else { Err(Miss::Failed(format!("{what:?}"))) }
}

impl Stage {
    pub(crate) fn level(&self) -> Level {
        self.harness.level()
    }

    fn at(&mut self) -> Timestamp {
        self.clock = self.clock.plus(Span::from_ms(1));
        self.clock
    }

    pub(crate) async fn fills(&mut self, policy: FillPolicy) -> Verdict {
        if self.harness.fills(policy).await { Ok(()) } else { Err(Miss::Skipped) }
    }

    pub(crate) async fn arm(&mut self, fault: Fault) -> Verdict {
        self.arm_for(fault, fault.default_ms()).await
    }

    pub(crate) async fn arm_for(&mut self, fault: Fault, ms: u64) -> Verdict {
        if self.harness.arm(Arm::once(fault).ms(ms)).await { Ok(()) } else { Err(Miss::Skipped) }
    }

    /// A limit order to buy two lots at 10.00, with what the adapter said to it.
    pub(crate) async fn buy(&mut self) -> (OrderId, Vec<Report>) {
        self.order(Side::Buy, 200, OrdType::Limit, TimeInForce::Day).await
    }

    pub(crate) async fn order(
        &mut self,
        side: Side,
        qty: i64,
        ord_type: OrdType,
        time_in_force: TimeInForce,
    ) -> (OrderId, Vec<Report>) {
        self.sent += 1;
        let terms = self.terms(self.sent, side, qty, ord_type, time_in_force);
        let order = terms.id;
        (order, self.send(terms).await)
    }

    pub(crate) fn terms(
        &self,
        n: u64,
        side: Side,
        qty: i64,
        ord_type: OrdType,
        time_in_force: TimeInForce,
    ) -> Arc<OrderTerms> {
        Arc::new(OrderTerms {
            id: SignalId::new(n).parent(0).order(1),
            account: desk::account_id(0),
            strategy: StrategyId::manual(),
            source: Source::Manual,
            symbol: desk::symbol(),
            side,
            effect: None,
            ord_type,
            limit_price: (ord_type == OrdType::Limit).then(|| Price::from_e4(100_000)),
            time_in_force,
            qty: Qty::new(qty),
            valid_until: self.clock.plus(Span::from_secs(3_600)),
            all_in: false,
        })
    }

    pub(crate) async fn send(&mut self, terms: Arc<OrderTerms>) -> Vec<Report> {
        self.call(BrokerRequest::Submit { terms, send_no: 1, band: None, subscription: false }).await
    }

    pub(crate) async fn cancel(&mut self, order: OrderId) -> Vec<Report> {
        let broker_order_id = self.number(order);
        self.call(BrokerRequest::Cancel { order, broker_order_id }).await
    }

    pub(crate) async fn find(&mut self, order: OrderId) -> Vec<Report> {
        self.call(BrokerRequest::Find { order }).await
    }

    async fn call(&mut self, request: BrokerRequest) -> Vec<Report> {
        let at = self.at();
        let reports = self.broker.call(at, &request).await;
        self.heard.extend(reports.iter().cloned());
        reports.into_iter().filter(|report| report.order == request.order()).map(|report| report.what).collect()
    }

    pub(crate) async fn read(&mut self) -> Result<Snapshot, String> {
        let at = self.at();
        self.broker.read(at).await.map_err(|failed| failed.to_string())
    }

    /// Listens until nothing was said for a while.
    pub(crate) async fn listen(&mut self) -> Vec<BrokerReport> {
        let mut said = Vec::new();
        while let Ok(Ok(reports)) = tokio::time::timeout(QUIET, self.broker.next()).await {
            said.extend(reports);
        }
        self.heard.extend(said.iter().cloned());
        said
    }

    /// Listens until it was told, and then until nothing more is said. A line that breaks is opened again.
    pub(crate) async fn hears(&mut self, told: impl Fn(&Self) -> bool) {
        let began = now();
        while !told(self) && began.elapsed() < PATIENCE {
            match tokio::time::timeout(QUIET, self.broker.next()).await {
                Ok(Ok(reports)) => self.heard.extend(reports),
                Ok(Err(_)) => {
                    tokio::time::sleep(QUIET).await;
                    // The next turn tries again.
                    let _ = self.reconnect().await;
                }
                Err(_) => {}
            }
        }
        self.listen().await;
    }

    /// The session is opened again, by a new adapter as after a restart of ours.
    pub(crate) async fn anew(&mut self) -> Verdict {
        self.broker = self.harness.adapter();
        self.reconnect().await
    }

    pub(crate) async fn reconnect(&mut self) -> Verdict {
        let at = self.at();
        self.broker.connect(at, &[]).await.map_err(|error| Miss::Failed(format!("connect: {error}")))
    }

    pub(crate) async fn fill(&mut self, order: OrderId) -> Verdict {
        let Some(no) = self.number(order) else { return Err(Miss::Failed("no number".into())) };
        match self.harness.fill(&no).await {
            Some(said) => {
                self.heard.extend(said);
                Ok(())
            }
            None => Err(Miss::Skipped),
        }
    }

    /// The orders at the broker; a card that has to count them is not for a broker that cannot tell.
    pub(crate) async fn orders(&self) -> Result<Vec<OrderTruth>, Miss> {
        self.harness.orders().await.ok_or(Miss::Skipped)
    }

    pub(crate) fn number(&self, order: OrderId) -> Option<BrokerOrderId> {
        self.heard.iter().rev().find_map(|report| match &report.what {
            Report::Accepted { broker_order_id } if report.order == order => Some(broker_order_id.clone()),
            _ => None,
        })
    }

    /// What was filled of the order, each fill once.
    pub(crate) fn filled(&self, order: OrderId) -> i64 {
        let mut known = BTreeSet::new();
        let mine = self.heard.iter().filter(|report| report.order == order);
        mine.filter_map(|report| match &report.what {
            Report::Filled { exec_id, qty, .. } => known.insert(exec_id.clone()).then(|| qty.get()),
            _ => None,
        })
        .sum()
    }

    pub(crate) fn heard_of(&self, order: OrderId, what: fn(&Report) -> bool) -> usize {
        self.heard.iter().filter(|report| report.order == order && what(&report.what)).count()
    }
}

pub(crate) fn is_lost(reports: &[Report]) -> Verdict {
    hold(matches!(reports, [Report::Lost { .. }]), reports)
}

pub(crate) fn accepted(what: &Report) -> bool {
    matches!(what, Report::Accepted { .. })
}

pub(crate) fn rejected(what: &Report) -> bool {
    matches!(what, Report::Rejected { .. })
}

pub(crate) fn canceled(what: &Report) -> bool {
    matches!(what, Report::Canceled { .. })
}

pub(crate) fn cancel_rejected(what: &Report) -> bool {
    matches!(what, Report::CancelRejected { .. })
}

pub(crate) fn lost(what: &Report) -> bool {
    matches!(what, Report::Lost { .. })
}
