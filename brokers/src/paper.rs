//! The paper broker: accounts of play money on one shared [`PaperVenue`], which trades on real quotes and prints.
//!
//! The venue lives in this process and dies with it. Its truth is the journal: what was not durable when the process
//! ended never happened, so after a restart it knows exactly the working orders that it is given back, and a lookup of
//! any other id answers, truthfully, that there is no such order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, Level, Report, is_working};
use signalbox_domain::hash::QuickMap;
use signalbox_domain::ids::{AccountId, OrderId};
use signalbox_domain::market::{DayEnd, Matching};
use signalbox_domain::netting::is_internal;
use signalbox_domain::order::{Approval, Order, OrderTerms};
use signalbox_domain::paper::{PaperVenue, VenueConf, VenueEvent, VenueInput, VenueOrder, VenueStatus};
use signalbox_domain::quote::{Bar, Print, Quote};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Span, Timestamp};

use crate::{Broker, BrokerError};

/// The market of all paper accounts.
#[derive(Debug, Clone)]
pub struct PaperExchange {
    floor: Arc<Mutex<Floor>>,
}

/// The venue and the tape of what it reported, so that a lookup can tell the fills that an account missed.
#[derive(Debug)]
struct Floor {
    venue: PaperVenue,
    hours: Option<Arc<dyn Hours>>,
    /// Symbols whose orders are collected now.
    collecting: QuickMap<Symbol, ()>,
    tape: QuickMap<OrderId, Vec<Report>>,
    /// Orders that ended, oldest first.
    ended: VecDeque<OrderId>,
}

/// What the calendar tells of a symbol's orders.
pub trait Hours: std::fmt::Debug + Send + Sync {
    /// Whether orders trade as they come at this instant, or are collected.
    fn matching(&self, symbol: Symbol, at: Timestamp) -> Matching;

    /// Whether the exchange takes cancels of the symbol's orders at this instant.
    fn takes_cancels(&self, symbol: Symbol, at: Timestamp) -> bool;

    /// When the trading day ends that an order of this instant belongs to; `None` where the calendar does not know.
    fn day_end(&self, symbol: Symbol, at: Timestamp) -> Option<Timestamp>;
}

/// Ended orders whose fills stay on the tape. An account that is rebuilt asks within a moment for what it missed; a
/// thousand orders in flight and some seconds of others are far less than this.
const ENDED_KEPT: usize = 16_384;

impl Floor {
    fn handle(&mut self, at: Timestamp, input: VenueInput<'_>) -> Vec<(AccountId, BrokerReport)> {
        let mut events = Vec::with_capacity(2);
        // The market's own time says which part of the day its news are of.
        match &input {
            VenueInput::New(order) => self.turn(order.symbol, at),
            VenueInput::Quote(quote) => self.turn(quote.symbol, quote.at),
            VenueInput::Print(print) => self.turn(print.symbol, print.at),
            VenueInput::Bar(bar) => self.turn(bar.symbol, bar.at.plus(Span::from_us(-1))),
            _ => {}
        }
        self.venue.handle(at, input, &mut events);
        let mut reports = Vec::with_capacity(events.len());
        for event in events {
            let (account, report) = report(event);
            match &report.what {
                Report::Filled { .. } => self.tape.entry(report.order).or_default().push(report.what.clone()),
                Report::Canceled { .. } | Report::Expired | Report::Rejected { .. } => self.ended(report.order),
                _ => {}
            }
            let filled = matches!(report.what, Report::Filled { .. })
                && self.venue.find(&account, report.order).is_some_and(|s| s.status == VenueStatus::Filled);
            if filled {
                self.ended(report.order);
            }
            reports.push((account, report));
        }
        reports
    }

    /// Tells the venue when a call auction begins or ends.
    fn turn(&mut self, symbol: Symbol, at: Timestamp) {
        let Some(hours) = &self.hours else { return };
        let matching = hours.matching(symbol, at);
        if (matching != Matching::Continuous) == self.collecting.contains_key(&symbol) {
            return;
        }
        let input = if matching == Matching::Continuous {
            self.collecting.remove(&symbol);
            VenueInput::Continue { symbol }
        } else {
            self.collecting.insert(symbol, ());
            VenueInput::Collect { symbol, opening: matching == Matching::Opening }
        };
        self.venue.handle(at, input, &mut Vec::new());
    }

    /// Whether the exchange takes a cancel of the order at this instant.
    fn takes_cancel(&self, at: Timestamp, account: &AccountId, order: OrderId) -> bool {
        let Some(hours) = &self.hours else { return true };
        self.venue.symbol_of(account, order).is_none_or(|symbol| hours.takes_cancels(symbol, at))
    }

    /// Whether the day on which the order was taken is over by now.
    fn day_is_over(&self, at: Timestamp, order: &Order) -> bool {
        let taken = order.acked_at.unwrap_or(order.created_at);
        let end = self.hours.as_ref().and_then(|hours| hours.day_end(order.terms.symbol, taken));
        end.is_some_and(|end| end <= at)
    }

    fn ended(&mut self, order: OrderId) {
        self.ended.push_back(order);
        if self.ended.len() > ENDED_KEPT
            && let Some(oldest) = self.ended.pop_front()
        {
            self.tape.remove(&oldest);
        }
    }
}

impl PaperExchange {
    #[must_use]
    pub fn new(conf: VenueConf) -> Self {
        let floor = Floor {
            venue: PaperVenue::new(conf),
            hours: None,
            collecting: QuickMap::default(),
            tape: QuickMap::default(),
            ended: VecDeque::new(),
        };
        Self { floor: Arc::new(Mutex::new(floor)) }
    }

    /// The same with call auctions, times without cancels, and days that end while nobody runs. Without hours everything trades
    /// as it comes, and is taken back at any time.
    #[must_use]
    pub fn with_hours(self, hours: Arc<dyn Hours>) -> Self {
        self.lock().hours = Some(hours);
        self
    }

    /// A quote moves the market; returns what it does to resting orders, in order.
    #[must_use]
    pub fn quote(&self, at: Timestamp, quote: &Quote) -> Vec<(AccountId, BrokerReport)> {
        self.market(at, VenueInput::Quote(quote))
    }

    /// A trade of others moves the market.
    #[must_use]
    pub fn print(&self, at: Timestamp, print: &Print) -> Vec<(AccountId, BrokerReport)> {
        self.market(at, VenueInput::Print(print))
    }

    /// A bar of the market, when it is over.
    #[must_use]
    pub fn bar(&self, at: Timestamp, bar: &Bar) -> Vec<(AccountId, BrokerReport)> {
        self.market(at, VenueInput::Bar(bar))
    }

    /// A market is done with its day: day orders expire.
    #[must_use]
    pub fn end(&self, at: Timestamp, ending: DayEnd) -> Vec<(AccountId, BrokerReport)> {
        let mut floor = self.lock();
        floor.collecting.retain(|symbol, ()| !ending.ends(*symbol));
        floor.handle(at, VenueInput::End(ending))
    }

    fn market(&self, at: Timestamp, input: VenueInput<'_>) -> Vec<(AccountId, BrokerReport)> {
        self.lock().handle(at, input)
    }

    /// A venue that panicked half-way is not to be trusted, but neither is anything else by then: the panic ends the
    /// process that feeds it.
    fn lock(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One paper account's session.
#[derive(Debug)]
pub struct PaperBroker {
    account: AccountId,
    exchange: PaperExchange,
}

impl PaperBroker {
    /// Paper orders under way at once. The venue answers at once; the bound keeps one account from filling the
    /// journal's queue.
    const IN_FLIGHT_MAX: usize = 1_024;

    #[must_use]
    pub const fn new(account: AccountId, exchange: PaperExchange) -> Self {
        Self { account, exchange }
    }

    #[must_use]
    pub const fn capabilities() -> Capabilities {
        Capabilities { level: Level::L4, in_flight_max: Self::IN_FLIGHT_MAX, market_orders: true, lists: false }
    }

    fn venue_order(
        &self,
        terms: &OrderTerms,
        band: Option<(Price, Price)>,
        subscription: bool,
        cum_qty: Qty,
    ) -> VenueOrder {
        VenueOrder {
            account: self.account.clone(),
            order: terms.id,
            symbol: terms.symbol,
            side: terms.side,
            ord_type: terms.ord_type,
            limit_price: terms.limit_price,
            qty: terms.qty,
            tif: terms.time_in_force,
            cum_qty,
            band,
            subscription,
        }
    }

    fn find(&self, floor: &Floor, order: OrderId) -> Vec<BrokerReport> {
        let say = |what| BrokerReport { order, what };
        let Some(state) = floor.venue.find(&self.account, order) else {
            return vec![say(Report::NotFound)];
        };
        let accepted = state.broker_order_id.map(|broker_order_id| say(Report::Accepted { broker_order_id }));
        let ended = match state.status {
            VenueStatus::Working => None,
            VenueStatus::Filled => None,
            VenueStatus::Canceled => Some(say(Report::Canceled { text: "canceled".into() })),
            VenueStatus::Expired => Some(say(Report::Expired)),
            VenueStatus::Rejected(reason) => Some(say(Report::Rejected { text: <&str>::from(reason).into() })),
        };
        let fills = floor.tape.get(&order).cloned().unwrap_or_default().into_iter().map(say);
        accepted.into_iter().chain(fills).chain(ended).collect()
    }
}

#[async_trait]
impl Broker for PaperBroker {
    fn capabilities(&self) -> Capabilities {
        Self::capabilities()
    }

    async fn connect(&mut self, at: Timestamp, working: &[Order]) -> Result<(), BrokerError> {
        let mut floor = self.exchange.lock();
        for order in working.iter().filter(|order| is_working(order)) {
            let Some(id) = order.broker_order_id.clone() else { continue };
            let fills = u32::try_from(order.exec_ids.iter().filter(|id| !is_internal(id)).count()).unwrap_or(u32::MAX);
            // An account that was rebuilt meets a venue that has lived on and knows its orders better.
            if floor.venue.find(&self.account, order.id()).is_some() {
                continue;
            }
            let Approval { band, subscription, .. } = *order.approval;
            let restored = self.venue_order(&order.sent_terms(), band, subscription, order.sent_cum());
            // The session ended while no process was there to be told.
            if floor.day_is_over(at, order) {
                floor.venue.restore_expired(&restored, id, fills);
            } else {
                floor.venue.restore(restored, id, fills);
            }
        }
        Ok(())
    }

    async fn call(&mut self, at: Timestamp, request: &BrokerRequest) -> Vec<BrokerReport> {
        let mut floor = self.exchange.lock();
        let input = match request {
            BrokerRequest::Submit { terms, band, subscription, .. } => {
                VenueInput::New(self.venue_order(terms, *band, *subscription, Qty::ZERO))
            }
            BrokerRequest::Cancel { order, .. } => {
                let taken = floor.takes_cancel(at, &self.account, *order);
                VenueInput::Cancel { account: self.account.clone(), order: *order, taken }
            }
            BrokerRequest::Find { order } => return self.find(&floor, *order),
        };
        let reports = floor.handle(at, input);
        reports.into_iter().map(|(_, report)| report).collect()
    }
}

fn report(event: VenueEvent) -> (AccountId, BrokerReport) {
    let (account, order, what) = match event {
        VenueEvent::Accepted { account, order, broker_order_id } => {
            (account, order, Report::Accepted { broker_order_id })
        }
        VenueEvent::Rejected { account, order, reason } => {
            (account, order, Report::Rejected { text: <&str>::from(reason).into() })
        }
        VenueEvent::Filled { account, order, exec_id, qty, px, at } => {
            (account, order, Report::Filled { exec_id, qty, px, at })
        }
        VenueEvent::Canceled { account, order, .. } => (account, order, Report::Canceled { text: "canceled".into() }),
        VenueEvent::CancelRejected { account, order, reason } => {
            (account, order, Report::CancelRejected { text: <&str>::from(reason).into() })
        }
        VenueEvent::Expired { account, order, .. } => (account, order, Report::Expired),
    };
    (account, BrokerReport { order, what })
}
