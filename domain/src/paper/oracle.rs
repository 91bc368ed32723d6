//! The venue again, as plainly as possible: one list of orders that is searched from end to end at every step, and
//! queues that are counted down order by order. Slow, and written apart from the real one, to compare with it.

use super::*;
use crate::quote::Aggressor;

#[derive(Debug)]
pub(super) struct Oracle {
    participation: i64,
    queue: bool,
    orders: Vec<Known>,
    markets: Vec<(Symbol, Market)>,
}

#[derive(Debug, Clone)]
struct Known {
    terms: VenueOrder,
    status: VenueStatus,
    limit: i64,
    cum: i64,
    fills: u32,
    taker: bool,
    ahead: Ahead,
    days_ended: u32,
}

#[derive(Debug, Clone, Copy)]
enum Ahead {
    Shown(i64),
    NeverShown { printed: bool },
}

#[derive(Debug, Clone, Copy, Default)]
struct Market {
    mode: Mode,
    last: i64,
    bid: Option<Side1>,
    ask: Option<Side1>,
    in_auction: bool,
    day_volume: Option<i64>,
    tape: bool,
}

/// What was traded of a symbol, and what of it is offered to buys and to sells.
#[derive(Debug, Clone, Copy)]
struct Deal {
    symbol: Symbol,
    qty: i64,
    offers: [Offer; 2],
    auction: bool,
}

/// What the market's trades offer the orders of one side.
#[derive(Debug, Clone, Copy)]
struct Offer {
    px: i64,
    to_takers: i64,
    at_px: bool,
    beyond_px: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Mode {
    #[default]
    Unseen,
    Prints,
    Last,
    Sides,
    Auction,
}

#[derive(Debug, Clone, Copy)]
struct Side1 {
    px: i64,
    size: Option<i64>,
    used: i64,
}

impl Known {
    fn buys(&self) -> bool {
        self.terms.side == Side::Buy
    }

    fn leaves(&self) -> i64 {
        self.terms.qty.get() - self.cum
    }

    /// The limit is better than `px` by more than `by`.
    fn beyond(&self, px: i64, by: i64) -> bool {
        if self.buys() { self.limit - px > by } else { px - self.limit > by }
    }

    /// A buy at the highest price of the day, a sell at the lowest.
    fn at_the_far_end(&self) -> bool {
        match self.terms.band {
            None => false,
            Some((low, high)) => self.limit == if self.buys() { high.e4() } else { low.e4() },
        }
    }

    fn works_in(&self, symbol: Symbol, side: Side) -> bool {
        let waits = self.status == VenueStatus::Working && !self.terms.subscription;
        waits && self.terms.symbol == symbol && self.terms.side == side
    }

    fn fill(&mut self, qty: i64, px: i64, takes: bool, at: Timestamp, out: &mut Vec<VenueEvent>) {
        let market_px = match (self.terms.band, self.buys()) {
            (Some((low, _)), true) if px < low.e4() => low.e4(),
            (Some((_, high)), false) if px > high.e4() => high.e4(),
            _ => px,
        };
        let takes = takes || self.terms.ord_type == OrdType::Market;
        // What a taker pays may be above his limit, he does not pay it then.
        let market_px = if self.buys() { self.limit.min(market_px) } else { self.limit.max(market_px) };
        self.cum += qty;
        self.fills += 1;
        if self.leaves() == 0 {
            self.status = VenueStatus::Filled;
        }
        out.push(VenueEvent::Filled {
            account: self.terms.account.clone(),
            order: self.terms.order,
            exec_id: ExecId(format!("P{}-{}", self.terms.order.get(), self.fills).into()),
            qty: Qty::new(qty),
            px: Price::from_e4(if takes { market_px } else { self.limit }),
            at,
        });
    }
}

impl Market {
    fn without_quote(self) -> Self {
        let quoted = self.mode == Mode::Sides || self.mode == Mode::Last;
        Self { bid: None, ask: None, mode: if quoted { Mode::Auction } else { self.mode }, ..self }
    }

    fn could_trade(&self, order: &Known) -> bool {
        match if order.buys() { self.ask } else { self.bid } {
            Some(shown) => order.beyond(shown.px, -1),
            None => {
                matches!(self.mode, Mode::Unseen | Mode::Auction)
                    || self.mode == Mode::Prints && order.beyond(self.last, 0)
            }
        }
    }
}

impl Oracle {
    pub(super) fn new(conf: VenueConf) -> Self {
        Self { participation: conf.participation.e6(), queue: conf.queue, orders: Vec::new(), markets: Vec::new() }
    }

    pub(super) fn handle(&mut self, at: Timestamp, input: VenueInput<'_>, out: &mut Vec<VenueEvent>) {
        match input {
            VenueInput::New(order) => self.new_order(at, order, out),
            VenueInput::Cancel { account, order, taken } => {
                let found = self.orders.iter_mut().find(|o| o.terms.account == account && o.terms.order == order);
                out.push(match found {
                    Some(o) if o.status == VenueStatus::Working && o.terms.subscription => {
                        VenueEvent::CancelRejected { account, order, reason: CancelRejection::Subscription }
                    }
                    Some(o) if o.status == VenueStatus::Working && !taken => {
                        VenueEvent::CancelRejected { account, order, reason: CancelRejection::NotNow }
                    }
                    Some(o) if o.status == VenueStatus::Working => {
                        o.status = VenueStatus::Canceled;
                        VenueEvent::Canceled { account, order, cum_qty: Qty::new(o.cum) }
                    }
                    Some(o) => {
                        VenueEvent::CancelRejected { account, order, reason: CancelRejection::TooLate(o.status) }
                    }
                    None => VenueEvent::CancelRejected { account, order, reason: CancelRejection::UnknownOrder },
                });
            }
            VenueInput::Quote(quote) => self.quote(at, quote, out),
            VenueInput::Print(print) => self.print(at, print, out),
            VenueInput::Bar(bar) => self.bar(at, bar, out),
            VenueInput::Collect { symbol, opening } => {
                let mut market = self.market(symbol);
                if !market.in_auction {
                    market = Market { in_auction: true, ..market.without_quote() };
                }
                if opening && market.day_volume.is_none() {
                    market.day_volume = Some(0);
                }
                self.set_market(symbol, market);
            }
            VenueInput::Continue { symbol } => {
                let mut market = self.market(symbol);
                if market.in_auction {
                    market = Market { in_auction: false, ..market.without_quote() };
                }
                self.set_market(symbol, market);
            }
            VenueInput::End(DayEnd::Shares | DayEnd::Abroad(_)) => {}
            VenueInput::End(DayEnd::Mainland) => {
                for order in self.orders.iter_mut() {
                    order.days_ended += 1;
                    if order.status == VenueStatus::Working {
                        order.status = VenueStatus::Expired;
                        let (account, id) = (order.terms.account.clone(), order.terms.order);
                        out.push(VenueEvent::Expired { account, order: id, cum_qty: Qty::new(order.cum) });
                    }
                }
                self.orders.retain(|order| order.days_ended < 2);
                self.markets.clear();
            }
        }
    }

    fn new_order(&mut self, at: Timestamp, terms: VenueOrder, out: &mut Vec<VenueEvent>) {
        let (account, order, symbol) = (terms.account.clone(), terms.order, terms.symbol);
        let broker_order_id = BrokerOrderId(format!("P{}", order.get()).into());
        let accepted = VenueEvent::Accepted { account: account.clone(), order, broker_order_id };
        if let Some(first) = self.orders.iter().find(|o| o.terms.account == account && o.terms.order == order) {
            out.push(match first.status {
                VenueStatus::Rejected(reason) => VenueEvent::Rejected { account, order, reason },
                _ => accepted,
            });
            return;
        }
        let mut market = self.market(symbol);
        let is_market = terms.ord_type == OrdType::Market;
        let far = match (terms.side, terms.band) {
            (Side::Buy, band) => band.map_or(i64::MAX / 4, |(_, high)| high.e4()),
            (Side::Sell, band) => band.map_or(0, |(low, _)| low.e4()),
        };
        let limit = if is_market { far } else { terms.limit_price.map_or(far, Price::e4) };
        let mut known = Known {
            status: VenueStatus::Working,
            limit,
            cum: 0,
            fills: 0,
            taker: is_market,
            ahead: Ahead::NeverShown { printed: false },
            days_ended: 0,
            terms,
        };
        let reason = match known.terms.band {
            Some((low, high)) if !is_market && (limit < low.e4() || limit > high.e4()) => {
                Some(VenueRejection::LimitPriceOutsideBand { limit_price: Price::from_e4(limit), low, high })
            }
            _ if known.terms.subscription && self.has_subscribed(&account, symbol) => {
                Some(VenueRejection::AlreadySubscribed)
            }
            _ if is_market && market.mode == Mode::Unseen => Some(VenueRejection::NoMarket),
            _ => None,
        };
        if let Some(reason) = reason {
            known.status = VenueStatus::Rejected(reason);
            self.orders.push(known);
            out.push(VenueEvent::Rejected { account, order, reason });
            return;
        }
        out.push(accepted);
        if known.terms.subscription {
            self.orders.push(known);
            return;
        }
        known.taker |= market.could_trade(&known);
        let own = if known.buys() { market.bid } else { market.ask };
        let opposite = if known.buys() { &mut market.ask } else { &mut market.bid };
        if let Some(shown) = opposite
            && known.beyond(shown.px, -1)
        {
            let qty = shown.size.map_or(known.leaves(), |size| known.leaves().min(size - shown.used));
            if qty > 0 {
                shown.used += qty;
                known.fill(qty, shown.px, true, at, out);
            }
        }
        if known.leaves() > 0 && known.terms.tif == TimeInForce::Ioc {
            known.status = VenueStatus::Canceled;
            out.push(VenueEvent::Canceled { account, order, cum_qty: Qty::new(known.cum) });
        }
        known.ahead = match (market.mode, own, opposite) {
            (Mode::Sides, Some(own), _) if known.beyond(own.px, 0) => Ahead::Shown(0),
            (Mode::Sides, Some(Side1 { px, size: Some(size), .. }), _) if px == limit => Ahead::Shown(size),
            (Mode::Sides, None, Some(_)) => Ahead::Shown(0),
            _ => Ahead::NeverShown { printed: false },
        };
        self.orders.push(known);
        self.set_market(symbol, market);
    }

    fn has_subscribed(&self, account: &AccountId, symbol: Symbol) -> bool {
        let mut of_account = self.orders.iter().filter(|o| o.terms.account == *account && o.terms.symbol == symbol);
        of_account.any(|o| o.terms.subscription && o.status == VenueStatus::Working)
    }

    fn quote(&mut self, at: Timestamp, quote: &Quote, out: &mut Vec<VenueEvent>) {
        let mut before = self.market(quote.symbol);
        if let Some(volume) = quote.volume.map(Qty::get) {
            let more = before.day_volume.map_or(0, |known| volume - known);
            before.day_volume = Some(volume);
            let sides = quote.bid.is_some() || quote.ask.is_some();
            if more > 0 && !before.tape && quote.last.is_positive() && (sides || before.in_auction) {
                self.tick(at, quote.symbol, quote.last.e4(), more, before, out);
            }
        }
        let side = |px: Option<Price>, size: Option<Qty>| match (px.map_or(0, Price::e4), size.map(Qty::get)) {
            (px, size) if px > 0 && size != Some(0) => Some(Side1 { px, size, used: 0 }),
            _ => None,
        };
        let mut now = Market { bid: side(quote.bid, quote.bid_size), ask: side(quote.ask, quote.ask_size), ..before };
        if !quote.last.is_zero() {
            now.last = quote.last.e4();
        }
        if quote.bid.is_some() || quote.ask.is_some() {
            now.mode = Mode::Sides;
        } else if !quote.last.is_zero() {
            now.mode = Mode::Last;
            now.bid = Some(Side1 { px: now.last, size: None, used: 0 });
            now.ask = now.bid;
        } else if now.mode != Mode::Unseen {
            now.mode = Mode::Sides;
        }
        if let (Some(bid), Some(ask)) = (now.bid, now.ask)
            && bid.px >= ask.px
            && (bid.size, ask.size) != (None, None)
        {
            now.bid = None;
            now.ask = None;
        }
        if now.in_auction {
            now = now.without_quote();
        }
        for side in [Side::Buy, Side::Sell] {
            let shown = if side == Side::Buy { &mut now.ask } else { &mut now.bid };
            let Some(shown) = shown else { continue };
            while let Some(index) = self.first(quote.symbol, side) {
                let order = &mut self.orders[index];
                let qty = shown.size.map_or(order.leaves(), |size| order.leaves().min(size - shown.used));
                if qty == 0 || !order.beyond(shown.px, -1) {
                    break;
                }
                shown.used += qty;
                let takes = order.taker && before.could_trade(order);
                order.fill(qty, shown.px, takes, at, out);
                self.nobody_ahead(index);
            }
        }
        for order in self.orders.iter_mut().filter(|o| o.terms.symbol == quote.symbol) {
            let own = if order.buys() { now.bid } else { now.ask };
            if let (Mode::Sides, Ahead::NeverShown { .. }, Some(Side1 { px, size: Some(size), .. })) =
                (now.mode, order.ahead, own)
                && px == order.limit
            {
                order.ahead = Ahead::Shown(size);
            }
        }
        self.set_market(quote.symbol, now);
    }

    fn tick(&mut self, at: Timestamp, symbol: Symbol, px: i64, more: i64, before: Market, out: &mut Vec<VenueEvent>) {
        let offer = Offer { px, to_takers: px, at_px: true, beyond_px: true };
        if before.in_auction {
            return self.deal(at, Deal { symbol, qty: more, offers: [offer, offer], auction: true }, before, out);
        }
        let (bid, ask) = (before.bid.map(|s| s.px), before.ask.map(|s| s.px));
        let (sold, bought) = (bid.is_some_and(|bid| px <= bid), ask.is_some_and(|ask| px >= ask));
        let one_side = (sold && ask.is_none()) || (bought && bid.is_none());
        let counted = if one_side { more } else { more / 2 };
        let to_buys = Offer { at_px: sold, beyond_px: sold || !bought, ..offer };
        let to_sells = Offer { at_px: bought, beyond_px: bought || !sold, ..offer };
        self.deal(at, Deal { symbol, qty: counted, offers: [to_buys, to_sells], auction: false }, before, out);
    }

    fn bar(&mut self, at: Timestamp, bar: &Bar, out: &mut Vec<VenueEvent>) {
        let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(Price::e4);
        let inside = |px| low <= px && px <= high;
        if bar.volume.get() <= 0 || low <= 0 || !inside(open) || !inside(close) {
            return;
        }
        let before = self.see_tape(bar.symbol, close);
        if before.in_auction {
            let offer = Offer { px: close, to_takers: close, at_px: true, beyond_px: true };
            return self.deal(
                at,
                Deal { symbol: bar.symbol, qty: bar.volume.get(), offers: [offer, offer], auction: true },
                before,
                out,
            );
        }
        let to_buys = Offer { px: low, to_takers: open.max(close), at_px: low == high, beyond_px: true };
        let to_sells = Offer { px: high, to_takers: open.min(close), ..to_buys };
        self.deal(
            at,
            Deal { symbol: bar.symbol, qty: bar.volume.get(), offers: [to_buys, to_sells], auction: false },
            before,
            out,
        );
    }

    fn print(&mut self, at: Timestamp, print: &Print, out: &mut Vec<VenueEvent>) {
        let before = self.see_tape(print.symbol, print.price.e4());
        let auction = print.aggressor == Aggressor::Auction;
        if before.in_auction && !auction {
            return;
        }
        let tape_only = before.mode != Mode::Sides;
        let offer = |side| {
            let hit = match print.aggressor {
                Aggressor::Auction => true,
                Aggressor::Buy => side == Side::Sell,
                Aggressor::Sell => side == Side::Buy,
            };
            let px = print.price.e4();
            Offer { px, to_takers: px, at_px: hit, beyond_px: hit || tape_only }
        };
        let offers = [offer(Side::Buy), offer(Side::Sell)];
        self.deal(at, Deal { symbol: print.symbol, qty: print.qty.get(), offers, auction }, before, out);
    }

    /// The market as it was before a print or a bar of today.
    fn see_tape(&mut self, symbol: Symbol, last: i64) -> Market {
        let before = self.market(symbol);
        let mut now = Market { last, tape: true, ..before };
        if before.mode != Mode::Sides {
            now = Market { mode: Mode::Prints, bid: None, ask: None, ..now };
        }
        self.set_market(symbol, now);
        before
    }

    /// Gives out what was traded.
    fn deal(&mut self, at: Timestamp, deal: Deal, before: Market, out: &mut Vec<VenueEvent>) {
        let Deal { symbol, qty, offers, auction } = deal;
        let mut left = qty * self.participation / 1_000_000;
        let mut gone = 0;
        loop {
            // What each side's first order could have of it, the earlier arrival first.
            let mut shares: Vec<(usize, i64)> = Vec::new();
            for (side, offer) in [Side::Buy, Side::Sell].into_iter().zip(offers) {
                let Some(index) = self.first(symbol, side) else { continue };
                let order = &self.orders[index];
                let through = order.beyond(offer.px, 0) && offer.beyond_px;
                let at_price = order.limit == offer.px && offer.at_px;
                let passed_queue = match order.ahead {
                    _ if through || !self.queue => qty,
                    Ahead::Shown(ahead) => qty - ahead,
                    Ahead::NeverShown { printed } if printed && !order.at_the_far_end() => qty,
                    Ahead::NeverShown { .. } => 0,
                };
                let share = (passed_queue - gone).min(left).min(order.leaves());
                if (through || at_price) && share > 0 {
                    shares.push((index, share));
                }
            }
            let Some((index, share)) = shares.into_iter().min() else { break };
            let order = &mut self.orders[index];
            let offer = offers[usize::from(!order.buys())];
            let takes = auction || order.taker && before.could_trade(order);
            let through = order.beyond(offer.px, 0);
            order.fill(share, offer.to_takers, takes, at, out);
            left -= share;
            gone += share;
            if through {
                self.nobody_ahead(index);
            }
        }
        for order in self.orders.iter_mut().filter(|o| o.terms.symbol == symbol) {
            let offer = offers[usize::from(!order.buys())];
            if offer.at_px && order.limit == offer.px {
                order.ahead = match order.ahead {
                    Ahead::Shown(ahead) => Ahead::Shown((ahead - qty).max(0)),
                    Ahead::NeverShown { .. } => Ahead::NeverShown { printed: true },
                };
            }
        }
    }

    /// The working order of best price, the oldest of these: orders are kept by arrival.
    fn first(&self, symbol: Symbol, side: Side) -> Option<usize> {
        let mut first: Option<usize> = None;
        for (index, order) in self.orders.iter().enumerate() {
            if order.works_in(symbol, side) && first.is_none_or(|best| order.beyond(self.orders[best].limit, 0)) {
                first = Some(index);
            }
        }
        first
    }

    fn nobody_ahead(&mut self, index: usize) {
        let (limit, terms) = (self.orders[index].limit, self.orders[index].terms.clone());
        for order in self.orders.iter_mut() {
            if order.works_in(terms.symbol, terms.side) && order.limit == limit {
                order.ahead = Ahead::Shown(0);
            }
        }
    }

    fn market(&self, symbol: Symbol) -> Market {
        self.markets.iter().find(|(s, _)| *s == symbol).map_or_else(Market::default, |(_, market)| *market)
    }

    fn set_market(&mut self, symbol: Symbol, market: Market) {
        self.markets.retain(|(s, _)| *s != symbol);
        self.markets.push((symbol, market));
    }
}
