//! One symbol at the venue: what the market shows, and our orders that wait for it.

use std::collections::BTreeMap;

use super::register::Place;
use super::resting::{Effects, Resting, Wait, rank};
use super::{VenueConf, VenueEvent, VenueStatus};
use crate::order::Side;
use crate::quote::{Aggressor, Bar, Print, Quote};
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
    /// A call auction: nothing trades but at its one price.
    collecting: bool,
    /// The day's volume as the newest quote told it.
    volume: Option<Qty>,
    /// Prints or bars tell what is traded, so that the volume of quotes would tell it again.
    traded_told: bool,
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
    /// Quotes, and a call auction since the newest that counts.
    Auction,
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
    /// Nothing was known yet, or nothing since an auction. Who comes before the market takes the first price that is seen.
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
        Self {
            source: Source::Nothing,
            last: Price::ZERO,
            bid: None,
            ask: None,
            buys,
            sells,
            collecting: false,
            volume: None,
            traded_told: false,
        }
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

    pub(super) fn collect(&mut self, opening: bool) {
        self.turn(true);
        if opening {
            self.volume.get_or_insert(Qty::ZERO);
        }
    }

    pub(super) fn go_on(&mut self) {
        self.turn(false);
    }

    /// What was shown is gone, so that nobody who comes now passes those who were there.
    fn turn(&mut self, collecting: bool) {
        if self.collecting != collecting {
            self.collecting = collecting;
            self.forget_shown();
        }
    }

    fn forget_shown(&mut self) {
        (self.bid, self.ask) = (None, None);
        if matches!(self.source, Source::Sides | Source::LastOnly) {
            self.source = Source::Auction;
        }
    }

    pub(super) fn quote(&mut self, quote: &Quote, conf: VenueConf, fx: &mut Effects<'_>) {
        let touches = (self.touch(Side::Buy), self.touch(Side::Sell));
        let traded = self.traded_since(quote);
        if traded.is_positive() && quote.last.is_positive() {
            let trade =
                if self.collecting { Trade::auction(quote.last, traded) } else { self.tick(quote.last, traded) };
            self.share_out(&trade, conf, touches, fx);
        }
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
        let touches = self.trades_are_told(print.price);
        let auction = print.aggressor == Aggressor::Auction;
        if self.collecting && !auction {
            return;
        }
        // While no quote shows the sides, an order that is through the market has nothing but prints to trade against.
        let either_side = self.source == Source::Prints;
        let hits = |side| match (side, print.aggressor) {
            (_, Aggressor::Auction) | (Side::Buy, Aggressor::Sell) | (Side::Sell, Aggressor::Buy) => Hit::AtOrThrough,
            _ if either_side => Hit::Through,
            _ => Hit::Nothing,
        };
        let hits = (hits(Side::Buy), hits(Side::Sell));
        let (reach, paid) = ((print.price, print.price), (print.price, print.price));
        self.share_out(&Trade { qty: print.qty, reach, paid, hits, auction }, conf, touches, fx);
    }

    pub(super) fn bar(&mut self, bar: &Bar, conf: VenueConf, fx: &mut Effects<'_>) {
        let Bar { open, high, low, close, volume, .. } = *bar;
        if !volume.is_positive() || !low.is_positive() || low > open.min(close) || high < open.max(close) {
            return;
        }
        let touches = self.trades_are_told(close);
        let trade = if self.collecting {
            Trade::auction(close, volume)
        } else {
            let hit = if low == high { Hit::AtOrThrough } else { Hit::Through };
            let paid = (open.max(close), open.min(close));
            Trade { qty: volume, reach: (low, high), paid, hits: (hit, hit), auction: false }
        };
        self.share_out(&trade, conf, touches, fx);
    }

    /// Prints or bars have come; returns what orders could trade at before.
    fn trades_are_told(&mut self, last: Price) -> (Touch, Touch) {
        let touches = (self.touch(Side::Buy), self.touch(Side::Sell));
        (self.last, self.traded_told) = (last, true);
        if matches!(self.source, Source::Nothing | Source::LastOnly | Source::Auction) {
            self.source = Source::Prints;
            (self.bid, self.ask) = (None, None);
        }
        touches
    }

    /// What was traded since the quote before, where this one shows the sides between which that was. A volume that falls
    /// is counted anew from there.
    fn traded_since(&mut self, quote: &Quote) -> Qty {
        let Some(volume) = quote.volume else { return Qty::ZERO };
        let before = self.volume.replace(volume).unwrap_or(volume);
        let told = self.traded_told || !(self.collecting || quote.bid.is_some() || quote.ask.is_some());
        if told { Qty::ZERO } else { (volume - before).max(Qty::ZERO) }
    }

    /// What a tick's volume is to us, by the sides that were shown before it.
    fn tick(&self, px: Price, traded: Qty) -> Trade {
        let at_bid = self.bid.is_some_and(|bid| px <= bid.price);
        let at_ask = self.ask.is_some_and(|ask| px >= ask.price);
        let hit = |own, other| match (own, other) {
            (true, _) => Hit::AtOrThrough,
            (false, true) => Hit::Nothing,
            (false, false) => Hit::Through,
        };
        // One side alone is a market locked at its limit price: everything was traded there.
        let locked = (at_bid && self.ask.is_none()) || (at_ask && self.bid.is_none());
        let qty = if locked { traded } else { Qty::new(traded.get() / 2) };
        let hits = (hit(at_bid, at_ask), hit(at_ask, at_bid));
        Trade { qty, reach: (px, px), paid: (px, px), hits, auction: false }
    }

    fn share_out(&mut self, trade: &Trade, conf: VenueConf, touches: (Touch, Touch), fx: &mut Effects<'_>) {
        let budget = Qty::new(mul_div_floor(trade.qty.get(), conf.participation.e6(), Ratio::ONE.e6()));
        let (reach, hits) = (trade.reach, trade.hits);
        let mut given = Qty::ZERO;
        // One budget for both sides: the earlier of the two front orders goes first.
        while given < budget {
            let buy = self.buys.front_share(trade.qty, reach.0, hits.0, conf.queue, given);
            let sell = self.sells.front_share(trade.qty, reach.1, hits.1, conf.queue, given);
            let (half, touch, paid, share) = match (buy, sell) {
                (None, None) => break,
                (Some(buy), Some(sell)) if sell.seq < buy.seq => (&mut self.sells, touches.1, trade.paid.1, sell),
                (None, Some(sell)) => (&mut self.sells, touches.1, trade.paid.1, sell),
                (Some(buy), _) => (&mut self.buys, touches.0, trade.paid.0, buy),
            };
            let takes = |order: &Resting| trade.auction || touch.is_taken_by(order);
            given += half.fill_front(share.qty.min(budget - given), paid, takes, share.through, fx);
        }
        for (half, hit, px) in [(&mut self.buys, hits.0, reach.0), (&mut self.sells, hits.1, reach.1)] {
            if hit == Hit::AtOrThrough
                && let Some(level) = half.levels.get_mut(&rank(half.side, px))
            {
                level.traded += trade.qty;
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
        if self.collecting {
            self.forget_shown();
        }
    }

    fn touch(&self, side: Side) -> Touch {
        let opposite = if side == Side::Buy { self.ask } else { self.bid };
        match (opposite, self.source) {
            (Some(shown), _) => Touch::At(shown.price),
            (None, Source::Nothing | Source::Auction) => Touch::Anywhere,
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

/// What others traded, as it concerns our buys and our sells.
struct Trade {
    qty: Qty,
    /// The price that reached furthest into each side.
    reach: (Price, Price),
    /// What each side's takers pay.
    paid: (Price, Price),
    hits: (Hit, Hit),
    auction: bool,
}

impl Trade {
    /// Everyone gets the one price.
    fn auction(px: Price, qty: Qty) -> Self {
        Self { qty, reach: (px, px), paid: (px, px), hits: (Hit::AtOrThrough, Hit::AtOrThrough), auction: true }
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

    /// What `qty` traded at a price have for the first order of this side after `given` of it went to orders before.
    fn front_share(&self, qty: Qty, px: Price, hit: Hit, queue: bool, given: Qty) -> Option<Share> {
        if hit == Hit::Nothing {
            return None;
        }
        let (best, level) = self.levels.first_key_value()?;
        let (seq, order) = level.queue.first_key_value()?;
        let print_rank = rank(self.side, px);
        let through = *best < print_rank;
        if *best > print_rank || !through && hit == Hit::Through {
            return None;
        }
        let reached = match order.wait {
            _ if through || !queue || *seq <= level.cleared_to => qty,
            Wait::Until(count) => qty.min(level.traded + qty - count),
            Wait::Unknown(since) if level.traded > since && !order.is_at_day_limit() => qty,
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
            let filled = front.remove();
            fx.register.finish(&filled.key, VenueStatus::Filled, filled.cum_qty, filled.fills);
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
