//! The paper venue: one pretended exchange on which all paper accounts trade against the recorded or live market.
//!
//! What it promises: the market's volume is given out once. The size that a quote shows and the volume of a print are
//! shared among the orders of all accounts in price-time priority, no order fills worse than its limit or outside its
//! price band, the same order never exists twice, and the same inputs give the same events.
//!
//! How it fills, and why:
//!
//! - **Against a quote.** An order takes the opposite price as far as the shown size reaches; what we took is gone
//!   until the next quote. A price without a size fills any quantity: the source does not know better. A quote with
//!   neither bid nor ask stands for a market at its last price. A quote with one side only has nothing on the other:
//!   that is the market locked at its limit price. A bid at or above the ask with sizes is an auction's indication
//!   and fills nobody.
//! - **Against prints.** A print fills the side that its aggressor hit, at most participation times its volume. A print
//!   through our limit fills without a queue. A print at our limit first serves the queue that was there before us:
//!   the size shown at our price when we came, or when the price is first shown after that; if it was never shown, the
//!   first print there counts as that queue. Cancels in the queue are taken to be behind us. An auction print hits
//!   both sides.
//! - **Against ticks.** Where a quote shows a side and tells the day's volume, what was traded since the quote before it
//!   counts as one print at its last price. Whose price that was, the quote before tells; between the two sides it was
//!   nobody's, and reaches only who offered more. Where two sides were shown, half of the volume is taken to have been
//!   at the other one. Once a print or a bar of the day was seen, they alone tell what was traded.
//! - **Against bars.** A bar fills orders that its extremes went through, together at most participation times its volume.
//!   How much was traded at an extreme is not known, so who stands there gets nothing, unless the bar has one price: then
//!   it is a print without an aggressor. Whoever takes gets the worse of open and close.
//! - **At the day's limit price** (涨停价, 跌停价) the queue is longer than any guess: where it was not shown, an order that
//!   joins it waits until it is, or until the market goes through.
//! - **In a call auction** orders are collected from `Collect` to `Continue`, and nothing trades but at its recorded price:
//!   an auction print, the volume of a tick, or a bar, which then counts as a whole at its close. The queue at this very
//!   price is not known, so it serves those who offered more, and those whose queue was shown.
//! - **With prints or bars only.** No opposite price is known, so an order that could trade at the last price waits for the
//!   prints that follow, and takes its share of them whoever was the aggressor.
//! - **At which price.** An order that waited for the market gets its own limit: whoever came to it would have met it
//!   there, so a better price would be a gift. An order that could trade when it came, and still can, and a market
//!   order, gets the market's price. In an auction everyone gets the auction's price.
//!
//! A cancel is refused while the exchange takes none, in the call auctions, and the order works on. The venue has no clock:
//! whoever hands the cancel in knows the hours.
//!
//! A subscription to a new issue rests beside all books: no market reaches it, nobody takes it back, and an account has one
//! for each issue. It expires with its day.
//!
//! Accounts never trade with each other: such volume was not in the market. Quotes are believed in the order in which
//! they are given.

use crate::ids::{AccountId, BrokerOrderId, ExecId, OrderId};
use crate::market::DayEnd;
use crate::order::{OrdType, Side, TimeInForce};
use crate::quote::{Bar, Print, Quote};
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Ratio, Timestamp};

mod book;
mod register;
mod resting;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;

use crate::hash::QuickMap;
use book::Book;
use register::{Fate, Key, Record, Register};
use resting::{Effects, Resting, broker_order_id};

/// The market of all paper accounts. See the module's documentation for how it fills.
#[derive(Debug)]
pub struct PaperVenue {
    conf: VenueConf,
    /// Looked up by symbol, never walked in the map's order.
    books: QuickMap<Symbol, Book>,
    register: Register,
    /// Subscriptions of the day, in the order of their arrival. An account has a handful.
    subscriptions: Vec<Subscribed>,
    /// Restored orders that cannot work on; cancelled at the next input, because a restore has no events.
    stranded: Vec<Key>,
    /// Arrival number of the newest order, from 1: time priority.
    newest_seq: u64,
}

/// A subscription that waits for the end of the day.
#[derive(Debug)]
struct Subscribed {
    seq: u64,
    key: Key,
    symbol: Symbol,
}

/// How much of the market's volume our orders can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueConf {
    /// The share of a print's volume that our orders together may take, from 0 to 1; beyond that it is clamped. The
    /// product is rounded down for each print, so a quarter of a one-lot print is nothing.
    pub participation: Ratio,
    /// An order resting at a price waits until the volume that was there before it has traded.
    pub queue: bool,
}

impl Default for VenueConf {
    fn default() -> Self {
        Self { participation: Ratio::from_percent(25), queue: true }
    }
}

/// An order as the venue sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueOrder {
    pub account: AccountId,
    /// With `account`, the client's unique id of this order.
    pub order: OrderId,
    pub symbol: Symbol,
    pub side: Side,
    pub ord_type: OrdType,
    /// Required for a limit order, ignored for a market order.
    pub limit_price: Option<Price>,
    pub qty: Qty,
    pub tif: TimeInForce,
    /// Filled already; not zero when the order is restored.
    pub cum_qty: Qty,
    /// The day's limit prices, lowest and highest (跌停价, 涨停价). No fill is outside of them; a market order that has
    /// to wait rests as if limited at the far one.
    pub band: Option<(Price, Price)>,
    /// It subscribes to a new issue: it waits for the end of the day, and for nothing else.
    pub subscription: bool,
}

/// What can happen to the venue.
#[derive(Debug, Clone)]
pub enum VenueInput<'a> {
    /// Answered by `Accepted` or `Rejected`. A repeat is answered as the first time and does nothing else.
    New(VenueOrder),
    /// Answered by `Canceled` or `CancelRejected`.
    Cancel {
        account: AccountId,
        order: OrderId,
        /// Whether the exchange takes cancels at this instant.
        taken: bool,
    },
    Quote(&'a Quote),
    Print(&'a Print),
    Bar(&'a Bar),
    /// From now on the symbol's orders are collected for a call auction. `opening` when nothing can have traded before it
    /// on this day: then all volume is the auction's.
    Collect {
        symbol: Symbol,
        opening: bool,
    },
    /// From now on they trade as they come. What was shown before counts no more.
    Continue {
        symbol: Symbol,
    },
    /// A market is done with its day: what rests in it expires, in the order of arrival, and the market is forgotten.
    End(DayEnd),
}

/// What the venue tells an account. A fill that completes the quantity, `Rejected`, `Canceled` and `Expired` end an
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VenueEvent {
    Accepted { account: AccountId, order: OrderId, broker_order_id: BrokerOrderId },
    Rejected { account: AccountId, order: OrderId, reason: VenueRejection },
    Filled { account: AccountId, order: OrderId, exec_id: ExecId, qty: Qty, px: Price, at: Timestamp },
    Canceled { account: AccountId, order: OrderId, cum_qty: Qty },
    CancelRejected { account: AccountId, order: OrderId, reason: CancelRejection },
    Expired { account: AccountId, order: OrderId, cum_qty: Qty },
}

/// Why the venue refuses an order, in order of precedence. Sending the same again helps only after `NoMarket`, and then
/// under a new id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum VenueRejection {
    /// The quantity is not positive, or filled already.
    NothingToFill {
        qty: Qty,
        cum_qty: Qty,
    },
    /// The lowest price is above the highest.
    BandInverted {
        low: Price,
        high: Price,
    },
    LimitPriceMissing,
    LimitPriceNotPositive {
        limit_price: Price,
    },
    LimitPriceOutsideBand {
        limit_price: Price,
        low: Price,
        high: Price,
    },
    /// A market order for a symbol without any quote or print today: there is nothing to price it by.
    NoMarket,
    /// The account has subscribed to this issue today: only the first one counts.
    AlreadySubscribed,
}

/// Why the venue refuses to cancel, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CancelRejection {
    /// No such order today or on the day before. Trying again does not help.
    UnknownOrder,
    /// The order has ended as told.
    TooLate(VenueStatus),
    /// A subscription stays.
    Subscription,
    /// The order works on, and may be taken back when cancels are taken again.
    #[strum(to_string = "the exchange takes no cancels at this time")]
    NotNow,
}

/// Where an order stands at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum VenueStatus {
    /// Resting, untouched or partly filled.
    Working,
    Filled,
    Canceled,
    Expired,
    Rejected(VenueRejection),
}

/// What the venue knows of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueOrderState {
    /// `None` when the order was rejected.
    pub broker_order_id: Option<BrokerOrderId>,
    pub status: VenueStatus,
    pub cum_qty: Qty,
    /// The number of fills so far, and so of the last `exec_id`; what [`PaperVenue::restore`] wants back.
    pub fills: u32,
}

impl PaperVenue {
    #[must_use]
    pub fn new(conf: VenueConf) -> Self {
        let conf = VenueConf { participation: conf.participation.clamp(Ratio::ZERO, Ratio::ONE), ..conf };
        Self {
            conf,
            books: QuickMap::default(),
            register: Register::default(),
            subscriptions: Vec::new(),
            stranded: Vec::new(),
            newest_seq: 0,
        }
    }

    /// Takes back an order that was working when the process ended; `fills` is the number of fills it has had. Call it
    /// before the first input, in the order in which the orders were accepted: that is their time priority again.
    ///
    /// There is no event. The place in the queue is lost and counts as unknown, and a limit order no longer counts as
    /// able to trade when it came. An order that cannot work on (`Ioc`, or refused if it were new) is cancelled at the
    /// next input, and one that is full already is only remembered. An id that is known already is left alone. Orders
    /// of today that are not restored are not known: a repeat of one would be a new order.
    pub fn restore(&mut self, order: VenueOrder, broker_order_id: BrokerOrderId, fills: u32) {
        let key = (order.order, order.account.clone());
        if self.register.get(&key).is_some() {
            return;
        }
        let done = |status| Fate::Done { status, cum_qty: order.cum_qty, fills };
        let fate = if order.qty.is_positive() && order.cum_qty >= order.qty {
            done(VenueStatus::Filled)
        } else if order.subscription {
            self.subscribe(key.clone(), order.symbol);
            Fate::Subscribed
        } else if order.tif == TimeInForce::Ioc || check(&order).is_err() {
            self.stranded.push(key.clone());
            done(VenueStatus::Working)
        } else {
            self.newest_seq += 1;
            let book = self.books.entry(order.symbol).or_default();
            Fate::Working(book.rest_restored(order.symbol, self.newest_seq, Resting::new(&order, fills)))
        };
        self.register.insert(key, Record::restored(order.order, broker_order_id, fate));
    }

    /// Takes back an order whose day ended while the venue did not run: a lookup finds that it has expired, and nothing
    /// fills it. An id that is known already is left alone.
    pub fn restore_expired(&mut self, order: &VenueOrder, broker_order_id: BrokerOrderId, fills: u32) {
        let key = (order.order, order.account.clone());
        if self.register.get(&key).is_none() {
            let fate = Fate::Done { status: VenueStatus::Expired, cum_qty: order.cum_qty, fills };
            self.register.insert(key, Record::restored(order.order, broker_order_id, fate));
        }
    }

    /// Decides what one input causes and appends the events to `out`. `at` is the time of the fills.
    pub fn handle(&mut self, at: Timestamp, input: VenueInput<'_>, out: &mut Vec<VenueEvent>) {
        if !self.stranded.is_empty() {
            self.cancel_stranded(out);
        }
        match input {
            VenueInput::New(order) => self.new_order(at, order, out),
            VenueInput::Cancel { account, order, taken } => self.cancel(account, order, taken, out),
            VenueInput::Quote(quote) => {
                let book = self.books.entry(quote.symbol).or_default();
                book.quote(quote, self.conf, &mut Effects { at, register: &mut self.register, out });
            }
            VenueInput::Print(print) => {
                let book = self.books.entry(print.symbol).or_default();
                book.print(print, self.conf, &mut Effects { at, register: &mut self.register, out });
            }
            VenueInput::Bar(bar) => {
                let book = self.books.entry(bar.symbol).or_default();
                book.bar(bar, self.conf, &mut Effects { at, register: &mut self.register, out });
            }
            VenueInput::Collect { symbol, opening } => self.books.entry(symbol).or_default().collect(opening),
            VenueInput::Continue { symbol } => self.books.entry(symbol).or_default().go_on(),
            VenueInput::End(ending) => {
                self.expire(|symbol| ending.ends(symbol), out);
                if ending == DayEnd::Mainland {
                    self.register.end_of_day();
                }
            }
        }
    }

    /// What became of an order. Finished orders are remembered for the rest of the day and the day after it (until the
    /// second [`DayEnd::Mainland`]), so that a question or a repeat across the end of the day still meets the first order.
    #[must_use]
    pub fn find(&self, account: &AccountId, order: OrderId) -> Option<VenueOrderState> {
        let record = self.register.get(&(order, account.clone()))?;
        match &record.fate {
            Fate::Done { status, cum_qty, fills } => Some(record.state(order, *status, *cum_qty, *fills)),
            Fate::Subscribed => Some(record.state(order, VenueStatus::Working, Qty::ZERO, 0)),
            Fate::Working(place) => {
                let resting = self.books.get(&place.symbol)?.get(place)?;
                Some(record.state(order, VenueStatus::Working, resting.cum_qty, resting.fills))
            }
        }
    }

    /// What a working order trades: its exchange's hours say whether it may be taken back. `None` for every other order.
    #[must_use]
    pub fn symbol_of(&self, account: &AccountId, order: OrderId) -> Option<Symbol> {
        match self.register.get(&(order, account.clone()))?.fate {
            Fate::Working(place) => Some(place.symbol),
            Fate::Subscribed | Fate::Done { .. } => None,
        }
    }

    fn new_order(&mut self, at: Timestamp, order: VenueOrder, out: &mut Vec<VenueEvent>) {
        let key = (order.order, order.account.clone());
        if let Some(record) = self.register.get(&key) {
            out.push(answer_again(order.account, order.order, &record));
            return;
        }
        let market_known = || self.books.get(&order.symbol).is_some_and(Book::is_known);
        let verdict = check(&order).and_then(|()| {
            let of_account = |known: &Subscribed| known.symbol == order.symbol && known.key.1 == order.account;
            match order.ord_type {
                _ if order.subscription && self.subscriptions.iter().any(of_account) => {
                    Err(VenueRejection::AlreadySubscribed)
                }
                OrdType::Market if !market_known() => Err(VenueRejection::NoMarket),
                _ => Ok(()),
            }
        });
        if let Err(reason) = verdict {
            self.register.insert(key, Record::done(VenueStatus::Rejected(reason), order.cum_qty, 0));
            out.push(VenueEvent::Rejected { account: order.account, order: order.order, reason });
            return;
        }

        out.push(VenueEvent::Accepted {
            account: order.account.clone(),
            order: order.order,
            broker_order_id: broker_order_id(order.order),
        });
        if order.subscription {
            self.subscribe(key.clone(), order.symbol);
            self.register.insert(key, Record::new(Fate::Subscribed));
            return;
        }
        let mut resting = Resting::new(&order, 0);
        let book = self.books.entry(order.symbol).or_default();
        book.take(&mut resting, at, out);
        let status = match (resting.leaves_qty().is_positive(), order.tif) {
            (false, _) => VenueStatus::Filled,
            (true, TimeInForce::Ioc) => VenueStatus::Canceled,
            (true, TimeInForce::Day) => {
                self.newest_seq += 1;
                let place = book.rest(order.symbol, self.newest_seq, resting);
                self.register.insert(key, Record::new(Fate::Working(place)));
                return;
            }
        };
        let Resting { cum_qty, fills, .. } = resting;
        self.register.insert(key, Record::done(status, cum_qty, fills));
        if status == VenueStatus::Canceled {
            out.push(VenueEvent::Canceled { account: order.account, order: order.order, cum_qty });
        }
    }

    fn subscribe(&mut self, key: Key, symbol: Symbol) {
        self.newest_seq += 1;
        self.subscriptions.push(Subscribed { seq: self.newest_seq, key, symbol });
    }

    fn cancel(&mut self, account: AccountId, order: OrderId, taken: bool, out: &mut Vec<VenueEvent>) {
        let key = (order, account);
        let removed = match self.register.get(&key).map(|record| record.fate) {
            None => Err(CancelRejection::UnknownOrder),
            Some(Fate::Done { status, .. }) => Err(CancelRejection::TooLate(status)),
            Some(Fate::Subscribed) => Err(CancelRejection::Subscription),
            Some(Fate::Working(_)) if !taken => Err(CancelRejection::NotNow),
            Some(Fate::Working(place)) => {
                let removed = self.books.get_mut(&place.symbol).and_then(|book| book.remove(&place));
                removed.ok_or(CancelRejection::UnknownOrder)
            }
        };
        match removed {
            Ok(resting) => {
                self.register.finish(&resting.key, VenueStatus::Canceled, resting.cum_qty, resting.fills);
                out.push(VenueEvent::Canceled { account: key.1, order, cum_qty: resting.cum_qty });
            }
            Err(reason) => out.push(VenueEvent::CancelRejected { account: key.1, order, reason }),
        }
    }

    fn cancel_stranded(&mut self, out: &mut Vec<VenueEvent>) {
        for key in self.stranded.drain(..) {
            let cum_qty = self.register.cancel_stranded(&key);
            out.push(VenueEvent::Canceled { account: key.1, order: key.0, cum_qty });
        }
    }

    fn expire(&mut self, ends: impl Fn(Symbol) -> bool, out: &mut Vec<VenueEvent>) {
        let over = self.books.extract_if(|symbol, _| ends(*symbol));
        let resting = over.flat_map(|(_, book)| book.into_orders());
        let of_books = resting.map(|(seq, resting)| (seq, resting.key, resting.cum_qty, resting.fills));
        let subscribed = self.subscriptions.extract_if(.., |known| ends(known.symbol));
        let subscribed = subscribed.map(|known| (known.seq, known.key, Qty::ZERO, 0));
        let mut over: Vec<(u64, Key, Qty, u32)> = of_books.chain(subscribed).collect();
        over.sort_unstable_by_key(|(seq, ..)| *seq);
        for (_, key, cum_qty, fills) in over {
            self.register.finish(&key, VenueStatus::Expired, cum_qty, fills);
            let (order, account) = key;
            out.push(VenueEvent::Expired { account, order, cum_qty });
        }
    }
}

/// Everything about the order that needs no market.
fn check(order: &VenueOrder) -> Result<(), VenueRejection> {
    let VenueOrder { qty, cum_qty, .. } = *order;
    if !qty.is_positive() || cum_qty.is_negative() || cum_qty >= qty {
        return Err(VenueRejection::NothingToFill { qty, cum_qty });
    }
    if let Some((low, high)) = order.band
        && low > high
    {
        return Err(VenueRejection::BandInverted { low, high });
    }
    if order.ord_type == OrdType::Market {
        return Ok(());
    }
    let limit_price = order.limit_price.ok_or(VenueRejection::LimitPriceMissing)?;
    if !limit_price.is_positive() {
        return Err(VenueRejection::LimitPriceNotPositive { limit_price });
    }
    match order.band {
        Some((low, high)) if !(low..=high).contains(&limit_price) => {
            Err(VenueRejection::LimitPriceOutsideBand { limit_price, low, high })
        }
        _ => Ok(()),
    }
}

/// A repeated order gets the answer of the first one. What happened since is for `find` to tell.
fn answer_again(account: AccountId, order: OrderId, record: &Record) -> VenueEvent {
    match record.fate {
        Fate::Done { status: VenueStatus::Rejected(reason), .. } => VenueEvent::Rejected { account, order, reason },
        _ => VenueEvent::Accepted { account, order, broker_order_id: record.broker_order_id(order) },
    }
}
