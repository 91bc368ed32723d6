//! One symbol at the venue: what the market shows, and our orders that wait for it.

use std::collections::BTreeMap;

use super::register::Place;
use super::resting::{Effects, Resting, Wait, rank};
use super::{VenueConf, VenueEvent, VenueStatus};
use crate::order::Side;
use crate::quote::{Aggressor, Print, Quote};
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Ratio, Timestamp, mul_div_floor};

/// Holds between inputs: if an order rests that reaches the opposite shown price, nothing is left there. So a new order
/// that can take something passes nobody.
#[derive(Debug)]
pub(super) struct Book {
    source: Source,
    last: Price,
    bid: Option<Shown>,
    ask: Option<Shown>,
    buys: Half,
    sells: Half,
}

/// Where our knowledge of the market comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Nothing,
    /// Only prints so far: there is a last price and nothing to take at once.
    Prints,
    /// A quote without bid and ask: both sides are shown at its last price, until a print is newer.
    LastOnly,
    /// A quote with a bid or an ask. A side that is not shown is empty.
    Sides,
}

/// One side of the newest quote.
#[derive(Debug, Clone, Copy)]
struct Shown {
    price: Price,
    /// `None` when the source has no sizes: as much as anyone wants.
    size: Option<Qty>,
    /// What our orders have not taken of `size`.
    left: Option<Qty>,
}

/// What an order of one side could trade at before an input.
#[derive(Debug, Clone, Copy)]
enum Touch {
    /// Nothing was known yet. Who comes before the market takes the first price that is seen, as at an opening.
    Anywhere,
    Nowhere,
    /// At this price: the opposite side was shown there.
    At(Price),
    /// At a limit beyond this price: it is only known that somebody traded there.
    Beyond(Price),
}

impl Default for Book {
    fn default() -> Self {
        let half = |side| Half { side, levels: BTreeMap::new() };
        let (buys, sells) = (half(Side::Buy), half(Side::Sell));
        Self { source: Source::Nothing, last: Price::ZERO, bid: None, ask: None, buys, sells }
    }
}

impl Book {
    /// Whether anything was shown or traded today.
    pub(super) fn is_known(&self) -> bool {
        self.source != Source::Nothing
    }

    pub(super) fn get(&self, place: &Place) -> Option<&Resting> {
        let half = if place.side == Side::Buy { &self.buys } else { &self.sells };
        half.levels.get(&place.rank)?.queue.get(&place.seq)
    }

    /// A new order takes what is shown to it.
    pub(super) fn take(&mut self, order: &mut Resting, at: Timestamp, out: &mut Vec<VenueEvent>) {
        order.is_taker |= self.touch(order.side).is_reached(order.side, order.limit);
        let shown = if order.side == Side::Buy { &mut self.ask } else { &mut self.bid };
        let Some(shown) = shown else { return };
        if rank(order.side, order.limit) > rank(order.side, shown.price) {
            return;
        }
        let qty = shown.take(order.leaves_qty());
        if qty.is_positive() {
            order.fill(qty, order.fill_price(shown.price, true), at, out);
        }
    }

    /// What is left of a new order waits behind the queue that is shown at its price.
    pub(super) fn rest(&mut self, symbol: Symbol, seq: u64, order: Resting) -> Place {
        let ahead = self.queue_ahead(order.side, order.limit);
        self.half(order.side).rest(symbol, seq, order, ahead)
    }

    pub(super) fn rest_restored(&mut self, symbol: Symbol, seq: u64, order: Resting) -> Place {
        self.half(order.side).rest(symbol, seq, order, None)
    }

    pub(super) fn remove(&mut self, place: &Place) -> Option<Resting> {
        self.half(place.side).remove(place)
    }

    /// The orders with their arrival numbers, in no promised order.
    pub(super) fn into_orders(self) -> impl Iterator<Item = (u64, Resting)> {
        let levels = self.buys.levels.into_values().chain(self.sells.levels.into_values());
        levels.flat_map(|level| level.queue)
    }

    pub(super) fn quote(&mut self, quote: &Quote, fx: &mut Effects<'_>) {
        let touches = (self.touch(Side::Buy), self.touch(Side::Sell));
        self.show(quote);
        if self.buys.levels.is_empty() && self.sells.levels.is_empty() {
            return;
        }
        if let Some(ask) = &mut self.ask {
            self.buys.take_shown(ask, touches.0, fx);
        }
        if let Some(bid) = &mut self.bid {
            self.sells.take_shown(bid, touches.1, fx);
        }
        if self.source == Source::Sides {
            self.buys.learn_queue(self.bid);
            self.sells.learn_queue(self.ask);
        }
    }

    pub(super) fn print(&mut self, print: &Print, conf: VenueConf, fx: &mut Effects<'_>) {
        if !print.qty.is_positive() || !print.price.is_positive() {
            return;
        }
        let touches = (self.touch(Side::Buy), self.touch(Side::Sell));
        self.last = print.price;
        if matches!(self.source, Source::Nothing | Source::LastOnly) {
            self.source = Source::Prints;
            (self.bid, self.ask) = (None, None);
        }
        let budget = Qty::new(mul_div_floor(print.qty.get(), conf.participation.e6(), Ratio::ONE.e6()));
        // While no quote shows the sides, an order that is through the market has nothing but prints to trade against.
        let either_side = self.source == Source::Prints;
        let hits = |side| match (side, print.aggressor) {
            (_, Aggressor::Auction) | (Side::Buy, Aggressor::Sell) | (Side::Sell, Aggressor::Buy) => Hit::AtOrThrough,
            _ if either_side => Hit::Through,
            _ => Hit::Nothing,
        };
        let (hit_buys, hit_sells) = (hits(Side::Buy), hits(Side::Sell));
        let mut given = Qty::ZERO;
        // One budget for both sides: the earlier of the two front orders goes first.
        while given < budget {
            let buy = self.buys.front_share(print, hit_buys, conf.queue, given);
            let sell = self.sells.front_share(print, hit_sells, conf.queue, given);
            let (half, touch, share) = match (buy, sell) {
                (None, None) => break,
                (Some(buy), Some(sell)) if sell.seq < buy.seq => (&mut self.sells, touches.1, sell),
                (None, Some(sell)) => (&mut self.sells, touches.1, sell),
                (Some(buy), _) => (&mut self.buys, touches.0, buy),
            };
            let auction = print.aggressor == Aggressor::Auction;
            let takes = |order: &Resting| auction || touch.is_taken_by(order);
            given += half.fill_front(share.qty.min(budget - given), print.price, takes, share.through, fx);
        }
        for (half, hit) in [(&mut self.buys, hit_buys), (&mut self.sells, hit_sells)] {
            if hit == Hit::AtOrThrough
                && let Some(level) = half.levels.get_mut(&rank(half.side, print.price))
            {
                level.traded += print.qty;
            }
        }
    }

    fn half(&mut self, side: Side) -> &mut Half {
        if side == Side::Buy { &mut self.buys } else { &mut self.sells }
    }

    fn show(&mut self, quote: &Quote) {
        let side = |price: Option<Price>, size: Option<Qty>| {
            let price = price.filter(|px| px.is_positive())?;
            size.is_none_or(Qty::is_positive).then_some(Shown { price, size, left: size })
        };
        (self.bid, self.ask) = (side(quote.bid, quote.bid_size), side(quote.ask, quote.ask_size));
        if quote.last.is_positive() {
            self.last = quote.last;
        }
        let quotes_a_side = self.bid.is_some() || self.ask.is_some() || quote.bid.is_some() || quote.ask.is_some();
        if quotes_a_side {
            self.source = Source::Sides;
        } else if quote.last.is_positive() {
            self.source = Source::LastOnly;
            let shown = side(Some(quote.last), None);
            (self.bid, self.ask) = (shown, shown);
        } else if self.source != Source::Nothing {
            self.source = Source::Sides; // a halt: nothing can be taken
        }
        if let (Some(bid), Some(ask)) = (self.bid, self.ask)
            && bid.price >= ask.price
            && (bid.size.is_some() || ask.size.is_some())
        {
            // An auction's indication. Without sizes it is a bar or a last price written twice, which may be taken.
            (self.bid, self.ask) = (None, None);
        }
    }

    fn touch(&self, side: Side) -> Touch {
        let opposite = if side == Side::Buy { self.ask } else { self.bid };
        match (opposite, self.source) {
            (Some(shown), _) => Touch::At(shown.price),
            (None, Source::Nothing) => Touch::Anywhere,
            (None, Source::Prints) => Touch::Beyond(self.last),
            (None, _) => Touch::Nowhere,
        }
    }

    /// The volume that others have waiting at this price, as far as the newest quote tells.
    fn queue_ahead(&self, side: Side, limit: Price) -> Option<Qty> {
        let (own, opposite) = if side == Side::Buy { (self.bid, self.ask) } else { (self.ask, self.bid) };
        if self.source != Source::Sides {
            return None;
        }
        match own {
            Some(own) if rank(side, limit) < rank(side, own.price) => Some(Qty::ZERO),
            Some(own) if limit == own.price => own.size,
            Some(_) => None,
            // A market that shows only its other side has nobody on ours.
            None => opposite.map(|_| Qty::ZERO),
        }
    }
}

impl Shown {
    /// Takes up to `qty` of what is left.
    fn take(&mut self, qty: Qty) -> Qty {
        match &mut self.left {
            None => qty,
            Some(left) => {
                let taken = qty.min(*left);
                *left -= taken;
                taken
            }
        }
    }
}

impl Touch {
    fn is_reached(self, side: Side, limit: Price) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Nowhere => false,
            Self::At(px) => rank(side, limit) <= rank(side, px),
            Self::Beyond(px) => rank(side, limit) < rank(side, px),
        }
    }

    /// Whether the order could trade when it came and could still when this touch was the market.
    fn is_taken_by(self, order: &Resting) -> bool {
        order.is_taker && self.is_reached(order.side, order.limit)
    }
}

/// The resting orders of one side: levels by eagerness of price, each a queue by arrival.
#[derive(Debug)]
struct Half {
    side: Side,
    levels: BTreeMap<i64, Level>,
}

/// Our orders at one price. Exists while there are any.
#[derive(Debug, Default)]
struct Level {
    queue: BTreeMap<u64, Resting>,
    /// Volume printed at this price on this side since the level exists. Queues are measured on this count, so that a
    /// print costs the same however many orders wait.
    traded: Qty,
    /// The market went through this price: orders up to this arrival number have no queue in front of them.
    cleared_to: u64,
    /// Orders from this arrival number on do not know their queue.
    unknown_from: Option<u64>,
}

/// What a print can do to one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    Nothing,
    /// Reaches orders with a better limit than its price.
    Through,
    /// Reaches also the orders at its price, behind their queue.
    AtOrThrough,
}

/// What a print has for the first order of a side.
struct Share {
    seq: u64,
    qty: Qty,
    through: bool,
}

impl Half {
    fn rest(&mut self, symbol: Symbol, seq: u64, mut order: Resting, ahead: Option<Qty>) -> Place {
        let place = Place { symbol, side: self.side, rank: rank(self.side, order.limit), seq };
        let level = self.levels.entry(place.rank).or_default();
        order.wait = match ahead {
            Some(qty) => Wait::Until(level.traded + qty),
            None => {
                level.unknown_from.get_or_insert(seq);
                Wait::Unknown(level.traded)
            }
        };
        level.queue.insert(seq, order);
        place
    }

    fn remove(&mut self, place: &Place) -> Option<Resting> {
        let level = self.levels.get_mut(&place.rank)?;
        let order = level.queue.remove(&place.seq);
        if level.queue.is_empty() {
            self.levels.remove(&place.rank);
        }
        order
    }

    fn take_shown(&mut self, shown: &mut Shown, touch: Touch, fx: &mut Effects<'_>) {
        while let Some((best, level)) = self.levels.first_key_value()
            && *best <= rank(self.side, shown.price)
            && let Some(front) = level.queue.values().next()
        {
            let qty = shown.take(front.leaves_qty());
            if !qty.is_positive() {
                break;
            }
            self.fill_front(qty, shown.price, |order| touch.is_taken_by(order), true, fx);
        }
    }

    /// What a print has for the first order of this side after `given` of it went to orders before.
    fn front_share(&self, print: &Print, hit: Hit, queue: bool, given: Qty) -> Option<Share> {
        if hit == Hit::Nothing {
            return None;
        }
        let (best, level) = self.levels.first_key_value()?;
        let (seq, order) = level.queue.first_key_value()?;
        let print_rank = rank(self.side, print.price);
        let through = *best < print_rank;
        if *best > print_rank || !through && hit == Hit::Through {
            return None;
        }
        let reached = match order.wait {
            _ if through || !queue || *seq <= level.cleared_to => print.qty,
            Wait::Until(count) => print.qty.min(level.traded + print.qty - count),
            Wait::Unknown(since) if level.traded > since => print.qty,
            Wait::Unknown(_) => Qty::ZERO,
        };
        let qty = reached - given;
        qty.is_positive().then_some(Share { seq: *seq, qty, through })
    }

    /// Fills the first order with at most `qty`, which is positive; returns how much. `clears` when the market went
    /// through the price, so that nobody is left in front of the orders there.
    fn fill_front(
        &mut self,
        qty: Qty,
        px: Price,
        takes: impl Fn(&Resting) -> bool,
        clears: bool,
        fx: &mut Effects<'_>,
    ) -> Qty {
        let Some(mut entry) = self.levels.first_entry() else { return Qty::ZERO };
        let level = entry.get_mut();
        let Some(mut front) = level.queue.first_entry() else { return Qty::ZERO };
        let order = front.get_mut();
        let qty = qty.min(order.leaves_qty());
        order.fill(qty, order.fill_price(px, takes(order)), fx.at, fx.out);
        if !order.leaves_qty().is_positive() {
            fx.register.finish(&front.remove(), VenueStatus::Filled);
        }
        match level.queue.last_key_value() {
            None => _ = entry.remove(),
            Some((last, _)) if clears => level.cleared_to = *last,
            Some(_) => {}
        }
        qty
    }

    /// The own side's best price tells the queue to the orders there that did not know it. What is shown may have come
    /// after them: that errs on the slow side.
    fn learn_queue(&mut self, own: Option<Shown>) {
        let Some(Shown { price, size: Some(size), .. }) = own else { return };
        let Some(level) = self.levels.get_mut(&rank(self.side, price)) else { return };
        let Some(from) = level.unknown_from.take() else { return };
        for order in level.queue.range_mut(from..).map(|(_, order)| order) {
            if let Wait::Unknown(_) = order.wait {
                order.wait = Wait::Until(level.traded + size);
            }
        }
    }
}
