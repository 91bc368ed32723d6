//! Which row of a broker's list is the order whose answer was lost, and when there is none.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Baseline, DoubtConf, ParkReason, Sums};
use crate::broker::{Level, ListedOrder, ListedStatus, Snapshot};
use crate::ids::BrokerOrderId;
use crate::order::{OrdType, Order, Side};
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Money, Qty, Span, Timestamp};

/// A row that could be the order, or nearly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub row: ListedOrder,
    /// In what it is not the order; empty for a match.
    pub differs: Vec<Field>,
}

/// A field by which a row and an order are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Field {
    Symbol,
    Side,
    Qty,
    Price,
    Time,
    Tag,
}

/// What the reads since a doubt began have shown of it. Kept in memory: after a restart the looking begins anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// The one row that matched, and the end of the first read that showed it.
    found: Option<(BrokerOrderId, Timestamp)>,
    /// Valid reads without any match, one after the other, and when the first of them began.
    empty: u32,
    empty_since: Option<Timestamp>,
    /// Reads, one after the other, whose cash or shares said something else than their orders.
    disagreed: u32,
    pub candidates: Vec<Candidate>,
    pub conservation: Option<Conservation>,
}

/// What a valid read says of a doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough yet.
    Wait,
    Bind(BrokerOrderId),
    /// There is no such order, in words.
    Absent(Arc<str>),
    Park(ParkReason),
}

/// What is known beside the read.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub level: Level,
    pub conf: &'a DoubtConf,
    pub order: &'a Order,
    pub snapshot: &'a Snapshot,
    /// Rows that are neither claimed by an order nor known to be a person's, and were not there before the send.
    pub fresh: &'a [&'a ListedOrder],
    /// Another order in doubt could claim the same row.
    pub rival: bool,
}

/// Fewer valid reads without the order prove nothing.
const EMPTY_READS_MIN: u32 = 3;

impl Watch {
    /// Takes one valid read into account.
    pub fn look(&mut self, case: Case<'_>) -> Verdict {
        let Case { level, conf, order, snapshot, fresh, .. } = case;
        if snapshot.trade_date > order.approval.trade_date {
            return Verdict::Park(ParkReason::DayOver);
        }
        if level == Level::L0 {
            return Verdict::Park(ParkReason::NoEvidence);
        }
        if level >= Level::L2 && conf.installation.is_some() {
            self.look_by_tag(case)
        } else {
            self.look_by_shape(case, fresh)
        }
    }

    /// Our tag comes back with the order, so the shape needs only to agree.
    fn look_by_tag(&mut self, case: Case<'_>) -> Verdict {
        let Case { conf, order, fresh, .. } = case;
        let Some(installation) = conf.installation else { return Verdict::Park(ParkReason::NoEvidence) };
        let tag = order.id().client_order_id(installation);
        let ours = |row: &&&ListedOrder| row.tag.as_deref() == Some(tag.as_str());
        self.candidates = fresh.iter().filter(ours).map(|row| candidate(order, row, conf)).collect();
        match self.candidates.as_slice() {
            [] => self.nothing(case),
            [one] if one.differs.iter().all(|field| *field == Field::Time) => Verdict::Bind(one.row.no.clone()),
            [_] => Verdict::Park(ParkReason::NearMiss),
            _ => Verdict::Park(ParkReason::ManyCandidates),
        }
    }

    fn look_by_shape(&mut self, case: Case<'_>, fresh: &[&ListedOrder]) -> Verdict {
        let Case { conf, order, snapshot, rival, .. } = case;
        // R1. What was there before the send cannot be told from what came with it.
        if order.baseline.is_none() {
            return Verdict::Park(ParkReason::NoBaseline);
        }
        let of_symbol = || fresh.iter().filter(|row| row.symbol == order.terms.symbol);
        self.candidates = of_symbol().map(|row| candidate(order, row, conf)).collect();
        if seeded(SeededBug::FirstRowThenSide)
            && let Some(first) = self.candidates.first()
        {
            return match first.differs.contains(&Field::Side) {
                true => Verdict::Absent("the first row of the code has the other side".into()),
                false => Verdict::Bind(first.row.no.clone()),
            };
        }
        let exact: Vec<&Candidate> = self.candidates.iter().filter(|c| c.differs.is_empty()).collect();
        let near = self.candidates.iter().any(|c| !c.differs.is_empty() && !c.differs.contains(&Field::Side));
        let other_side = self.candidates.iter().any(|c| c.differs.contains(&Field::Side));
        match exact.as_slice() {
            [] if near => Verdict::Park(ParkReason::NearMiss),
            [] if other_side => Verdict::Park(ParkReason::ManualTrade),
            [] => self.nothing(case),
            [_] if rival => Verdict::Park(ParkReason::SameFingerprint),
            [_] if near || other_side => Verdict::Park(match order.terms.ord_type {
                OrdType::Market => ParkReason::MarketOrderBeside,
                OrdType::Limit if near => ParkReason::NearMiss,
                OrdType::Limit => ParkReason::ManualTrade,
            }),
            [_] if too_valuable(order, conf) => Verdict::Park(ParkReason::TooValuable),
            [one] => {
                let no = one.row.no.clone();
                self.empty = 0;
                self.empty_since = None;
                match &self.found {
                    Some((before, at)) if *before == no && snapshot.began.since(*at) >= conf.quiet => Verdict::Bind(no),
                    Some((before, _)) if *before == no => Verdict::Wait,
                    _ => {
                        self.found = Some((no, snapshot.ended));
                        Verdict::Wait
                    }
                }
            }
            _ => Verdict::Park(ParkReason::ManyCandidates),
        }
    }

    /// One more read that failed; whether they are enough for whoever takes them for an answer.
    #[cfg(feature = "seeded-bugs")]
    pub(crate) fn failed(&mut self) -> bool {
        self.empty += 1;
        self.empty >= EMPTY_READS_MIN
    }

    /// One more valid read without the order.
    pub fn nothing(&mut self, case: Case<'_>) -> Verdict {
        let Case { level, conf, order, snapshot, .. } = case;
        if self.found.take().is_some() {
            return Verdict::Park(ParkReason::NumbersVanished);
        }
        // What was asked before the doubt began may have overtaken the order on its way.
        let Some(sent_at) = order.sent_at else { return Verdict::Wait };
        if Some(snapshot.began) < order.doubt_since.max(order.sent_at) {
            return Verdict::Wait;
        }
        if seeded(SeededBug::EmptyListIsAbsent) && snapshot.orders.is_empty() {
            return Verdict::Absent("the list is empty".into());
        }
        self.empty += 1;
        let since = *self.empty_since.get_or_insert(snapshot.began);
        let Some(baseline) = &order.baseline else {
            // The same id again settles it for as long as the broker enforces it.
            let lives = snapshot.ended.since(sent_at).us() < conf.id_lives.us() - conf.id_margin.us();
            let waits = level == Level::L3 && lives && !order.cancel_wanted;
            return if waits { Verdict::Wait } else { Verdict::Park(ParkReason::NoBaseline) };
        };
        let conservation = conserved(order, baseline, snapshot);
        self.conservation = Some(conservation);
        let too_few = self.empty < EMPTY_READS_MIN || snapshot.ended.since(since) < conf.absent_not_before();
        if too_few && !seeded(SeededBug::AbsentAfterOneRead) {
            return Verdict::Wait;
        }
        if !conservation.agrees {
            // A fill between two of its lists tears one read, and not the next.
            self.disagreed += 1;
            let sure = self.disagreed >= EMPTY_READS_MIN;
            return if sure { Verdict::Park(ParkReason::NotConserved) } else { Verdict::Wait };
        }
        Verdict::Absent(
            format!("not in {} valid reads of the broker's lists, and cash and shares are unchanged", self.empty)
                .into(),
        )
    }
}

/// A row beside an order.
#[must_use]
pub fn candidate(order: &Order, row: &ListedOrder, conf: &DoubtConf) -> Candidate {
    let terms = &order.terms;
    let mut differs = Vec::new();
    let mut unless = |same: bool, field| {
        if !same {
            differs.push(field);
        }
    };
    unless(row.symbol == terms.symbol, Field::Symbol);
    unless(row.side == terms.side, Field::Side);
    unless(row.qty == order.sent_qty(), Field::Qty);
    // A market order may be listed with the price that the broker made of it.
    unless(terms.ord_type == OrdType::Market || row.px == terms.limit_price, Field::Price);
    unless(order.sent_at.is_some_and(|sent| in_time(sent, row.at, conf)), Field::Time);
    differs.retain(|field| match field {
        Field::Symbol => true,
        Field::Qty | Field::Price => !seeded(SeededBug::HandTradeClaimed) && !seeded(SeededBug::MatchByCodeOnly),
        Field::Side | Field::Time | Field::Tag => !seeded(SeededBug::MatchByCodeOnly),
    });
    Candidate { row: row.clone(), differs }
}

fn in_time(sent: Timestamp, listed: Timestamp, conf: &DoubtConf) -> bool {
    let after = listed.since(sent);
    after >= Span::from_us(-conf.skew.us()) && after <= conf.appears_within()
}

fn too_valuable(order: &Order, conf: &DoubtConf) -> bool {
    let Some(max) = conf.auto_bind_max else { return false };
    worst_price(order).is_none_or(|px| px.times(order.sent_qty()) > max)
}

fn worst_price(order: &Order) -> Option<crate::units::Price> {
    order.terms.limit_price.or(order.approval.band.map(|(_, high)| high))
}

/// What cash and shares say of an order that no list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conservation {
    /// They say that it does not exist.
    pub agrees: bool,
    /// Free cash that should be there and is not.
    pub cash_missing: Option<Money>,
    /// Fees of other orders that nobody can know exactly: what is missing may be as much.
    pub cash_tolerance: Money,
    /// Shares that may be sold, should be there and are not.
    pub sellable_missing: Qty,
    /// Shares that are there and should not be.
    pub position_surplus: Qty,
}

/// The sums of a read for one symbol.
#[must_use]
pub fn sums(snapshot: &Snapshot, symbol: Symbol) -> Sums {
    let mut sums = Sums {
        available: snapshot.cash.as_ref().map(|cash| cash.available),
        cash_used: Money::ZERO,
        turnover: Money::ZERO,
        traded_orders: 0,
        position: Qty::ZERO,
        sellable: Qty::ZERO,
        bought: Qty::ZERO,
        sold: Qty::ZERO,
        selling: Qty::ZERO,
    };
    for trade in &snapshot.trades {
        let amount = trade.px.times(trade.qty);
        sums.turnover += amount;
        match trade.side {
            Side::Buy => sums.cash_used += amount,
            Side::Sell => sums.cash_used -= amount,
        }
    }
    for row in &snapshot.orders {
        let leaves = if works(row) { row.qty - row.cum_qty - row.canceled_qty } else { Qty::ZERO };
        sums.traded_orders += i64::from(row.cum_qty.is_positive());
        if row.side == Side::Buy
            && let Some(px) = row.px
        {
            sums.cash_used += px.times(leaves);
        }
        if row.symbol == symbol {
            match row.side {
                Side::Buy => sums.bought += row.cum_qty,
                Side::Sell => {
                    sums.sold += row.cum_qty;
                    sums.selling += leaves;
                }
            }
        }
    }
    for position in snapshot.positions.iter().filter(|p| p.symbol == symbol) {
        sums.position += position.qty;
        sums.sellable += position.sellable;
    }
    sums
}

/// Whether the row may still trade, by its numbers where its words are not understood.
#[must_use]
pub fn works(row: &ListedOrder) -> bool {
    match row.status {
        ListedStatus::Working => row.cum_qty + row.canceled_qty < row.qty,
        ListedStatus::Unknown => row.cum_qty + row.canceled_qty < row.qty,
        ListedStatus::Filled | ListedStatus::Canceled | ListedStatus::Rejected => false,
    }
}

/// Holds the numbers before the send against those now. All other orders are in the lists, so what they changed is
/// taken out; what remains can only be the order, or somebody's cash going in or out: then it does not agree either.
#[must_use]
pub fn conserved(order: &Order, baseline: &Baseline, snapshot: &Snapshot) -> Conservation {
    let (before, now) = (&baseline.sums, sums(snapshot, order.terms.symbol));
    let position_surplus = now.position - before.position - (now.bought - before.bought) + (now.sold - before.sold);
    let sells = |sums: &Sums| sums.sellable + sums.sold + sums.selling;
    let sellable_missing = sells(before) - sells(&now);
    let cash_missing = before.available.zip(now.available).map(|(was, is)| was + before.cash_used - now.cash_used - is);
    let (turnover, orders) = (now.turnover - before.turnover, now.traded_orders - before.traded_orders);
    // More than any broker takes: 0.4 % of the trades, and twice the minimum of each order.
    let cash_tolerance = Money::from_e4(turnover.e4() / 250 + orders.max(0) * 100_000);
    let agrees = match order.terms.side {
        Side::Buy => {
            let least = order.terms.limit_price.or(order.approval.band.map(|(low, _)| low));
            let held = least.map(|px| px.times(order.sent_qty()));
            let cash = cash_missing.zip(held).is_some_and(|(missing, held)| {
                // With so much traded beside it, its own cash would not be noticed.
                missing <= cash_tolerance && missing.e4() >= -cash_tolerance.e4() && cash_tolerance < held
            });
            cash && position_surplus.is_zero()
        }
        Side::Sell => {
            // Where purchases may be sold on the day, they raise what is sellable.
            let bought = now.bought - before.bought;
            let unchanged = sellable_missing.is_zero() && bought != order.sent_qty();
            (unchanged || sellable_missing + bought == Qty::ZERO) && position_surplus.is_zero()
        }
    };
    Conservation { agrees, cash_missing, cash_tolerance, sellable_missing, position_surplus }
}
