//! What the venue remembers of each order of today and of the day before.

use super::resting::broker_order_id;
use super::{VenueOrderState, VenueStatus};
use crate::hash::QuickMap;
use crate::ids::{AccountId, BrokerOrderId, OrderId};
use crate::order::Side;
use crate::symbol::Symbol;
use crate::units::Qty;

pub(super) type Key = (OrderId, AccountId);

/// Looked up by key, never walked. What is over takes 24 bytes an order: a busy day has millions of them.
#[derive(Debug, Default)]
pub(super) struct Register {
    today: Day,
    day_before: Day,
    /// Accounts by the number under which they are filed.
    numbers: QuickMap<AccountId, u32>,
}

/// Bounded by the number of orders of the day.
#[derive(Debug, Default)]
struct Day {
    /// Working, rejected, or of another name than their number makes.
    special: QuickMap<Key, Record>,
    /// The newest that are over.
    newest: QuickMap<(OrderId, u32), Over>,
    /// The others, each block sorted.
    filed: Vec<Box<[Filed]>>,
}

/// Blocks of a hundred kilobytes: few enough to be asked one after the other, and quickly sorted. Tests file at once.
const BLOCK: usize = if cfg!(test) { 4 } else { 4_096 };

/// How an ordinary order ended.
#[derive(Debug, Clone, Copy)]
struct Over {
    status: VenueStatus,
    cum_qty: Qty,
    fills: u32,
}

#[derive(Debug, Clone, Copy)]
struct Filed {
    order: OrderId,
    cum_qty: Qty,
    fills: u32,
    /// The account's number, and in the two lowest bits the status.
    account_and_status: u32,
}

impl Filed {
    const STATUS: [VenueStatus; 3] = [VenueStatus::Filled, VenueStatus::Canceled, VenueStatus::Expired];

    /// `None` for a status that says more than two bits do.
    fn new((order, account): (OrderId, u32), over: &Over) -> Option<Self> {
        let status = Self::STATUS.iter().position(|status| *status == over.status)? as u32;
        let account_and_status = account << 2 | status;
        Some(Self { order, cum_qty: over.cum_qty, fills: over.fills, account_and_status })
    }

    const fn key(&self) -> (OrderId, u32) {
        (self.order, self.account_and_status >> 2)
    }

    const fn over(&self) -> Over {
        let status = Self::STATUS[(self.account_and_status & 3) as usize];
        Over { status, cum_qty: self.cum_qty, fills: self.fills }
    }
}

impl Day {
    fn over(&self, key: (OrderId, u32)) -> Option<Over> {
        let filed = || {
            // What is asked for is mostly new, and newer than everything that is filed.
            let blocks = self.filed.iter().rev().filter(|block| block.last().is_some_and(|last| key <= last.key()));
            blocks.filter_map(|block| Some(block[block.binary_search_by_key(&key, Filed::key).ok()?].over())).next()
        };
        self.newest.get(&key).copied().or_else(filed)
    }

    fn put_over(&mut self, key: (OrderId, u32), over: Over) {
        self.newest.insert(key, over);
        if self.newest.len() >= BLOCK {
            let mut block: Vec<Filed> = self.newest.iter().filter_map(|(key, over)| Filed::new(*key, over)).collect();
            block.sort_unstable_by_key(Filed::key);
            self.newest.clear();
            self.filed.push(block.into());
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Set when a restored order came with another broker id than the one that its number makes.
    pub(super) named: Option<BrokerOrderId>,
    pub(super) fate: Fate,
}

#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// Resting in a book, which knows the rest.
    Working(Place),
    /// Waiting for the end of the day, in no book.
    Subscribed,
    Done {
        status: VenueStatus,
        cum_qty: Qty,
        fills: u32,
    },
}

/// Where an order rests: symbol, side, rank of its price and arrival number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) rank: i64,
    pub(super) seq: u64,
}

impl Record {
    pub(super) fn new(fate: Fate) -> Self {
        Self { named: None, fate }
    }

    pub(super) fn done(status: VenueStatus, cum_qty: Qty, fills: u32) -> Self {
        Self::new(Fate::Done { status, cum_qty, fills })
    }

    /// `named` is dropped when the order's number makes the same.
    pub(super) fn restored(order: OrderId, named: BrokerOrderId, fate: Fate) -> Self {
        Self { named: (named != broker_order_id(order)).then_some(named), fate }
    }

    pub(super) fn broker_order_id(&self, order: OrderId) -> BrokerOrderId {
        self.named.clone().unwrap_or_else(|| broker_order_id(order))
    }

    pub(super) fn state(&self, order: OrderId, status: VenueStatus, cum_qty: Qty, fills: u32) -> VenueOrderState {
        let rejected = matches!(status, VenueStatus::Rejected(_));
        let broker_order_id = (!rejected).then(|| self.broker_order_id(order));
        VenueOrderState { broker_order_id, status, cum_qty, fills }
    }
}

impl Register {
    pub(super) fn get(&self, key: &Key) -> Option<Record> {
        let number = self.numbers.get(&key.1);
        [&self.today, &self.day_before].into_iter().find_map(|day| {
            day.special.get(key).cloned().or_else(|| {
                let Over { status, cum_qty, fills } = day.over((key.0, *number?))?;
                Some(Record::done(status, cum_qty, fills))
            })
        })
    }

    pub(super) fn insert(&mut self, key: Key, record: Record) {
        match record {
            Record { named: None, fate: Fate::Done { status, cum_qty, fills } } if is_plain(status) => {
                self.put_over(key, Over { status, cum_qty, fills });
            }
            special => _ = self.today.special.insert(key, special),
        }
    }

    /// The order is over for good.
    pub(super) fn finish(&mut self, key: &Key, status: VenueStatus, cum_qty: Qty, fills: u32) {
        let Some(record) = self.today.special.remove(key) else { return };
        let fate = Fate::Done { status, cum_qty, fills };
        self.insert(key.clone(), Record { fate, ..record });
    }

    /// A restored order that never came into a book; returns what it had filled.
    pub(super) fn cancel_stranded(&mut self, key: &Key) -> Qty {
        match self.today.special.get_mut(key).map(|record| &mut record.fate) {
            Some(Fate::Done { status, cum_qty, .. }) => {
                *status = VenueStatus::Canceled;
                *cum_qty
            }
            _ => Qty::ZERO,
        }
    }

    pub(super) fn end_of_day(&mut self) {
        self.day_before = std::mem::take(&mut self.today);
        // What trades abroad works on.
        let works = |_: &Key, record: &mut Record| matches!(record.fate, Fate::Working(_));
        self.today.special = self.day_before.special.extract_if(works).collect();
    }

    fn put_over(&mut self, (order, account): Key, over: Over) {
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(account).or_insert(next);
        self.today.put_over((order, number), over);
    }
}

/// Whether nothing but the two bits of [`Filed`] has to be remembered of it.
fn is_plain(status: VenueStatus) -> bool {
    Filed::STATUS.contains(&status)
}
