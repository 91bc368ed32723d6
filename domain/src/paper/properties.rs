//! Random days at the venue: it equals its plain twin event by event, and keeps each promise for itself.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::oracle::Oracle;
use super::*;
use crate::cases;
use crate::quote::Aggressor;

/// One step of a random day, owned.
#[derive(Debug, Clone)]
enum Step {
    New(VenueOrder),
    /// The last: whether the exchange takes cancels then.
    Cancel(AccountId, OrderId, bool),
    Quote(Quote),
    Print(Print),
    Bar(Bar),
    Collect(Symbol, bool),
    Continue(Symbol),
    EndOfDay,
}

impl Step {
    fn input(&self) -> VenueInput<'_> {
        match self {
            Self::New(order) => VenueInput::New(order.clone()),
            Self::Cancel(account, order, taken) => {
                VenueInput::Cancel { account: account.clone(), order: *order, taken: *taken }
            }
            Self::Quote(quote) => VenueInput::Quote(quote),
            Self::Print(print) => VenueInput::Print(print),
            Self::Bar(bar) => VenueInput::Bar(bar),
            Self::Collect(symbol, opening) => VenueInput::Collect { symbol: *symbol, opening: *opening },
            Self::Continue(symbol) => VenueInput::Continue { symbol: *symbol },
            Self::EndOfDay => VenueInput::End(DayEnd::Mainland),
        }
    }
}

/// Choices drawn from one number, so that a failing day shrinks by shrinking numbers.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        let choice = self.0 % n;
        self.0 /= n;
        choice
    }

    fn in_ten(&mut self, n: u64) -> bool {
        self.below(10) >= 10 - n
    }

    /// One of eight prices, so that orders, quotes and prints meet often.
    fn px(&mut self) -> Price {
        Price::from_e4(99_600 + 100 * self.below(8) as i64)
    }

    fn qty(&mut self) -> Qty {
        Qty::new([100, 1, 37, 250, 600][self.below(5) as usize])
    }

    fn symbol(&mut self) -> Symbol {
        Symbol::parse(if self.in_ten(4) { "000001.SZ" } else { "600000.SH" }).expect("a symbol")
    }

    fn account(&mut self) -> AccountId {
        AccountId::parse(["a", "b"][self.below(2) as usize]).expect("a name")
    }

    fn step(&mut self) -> Step {
        match self.below(24) {
            0..=6 => Step::New(self.order()),
            7..=8 => Step::Cancel(self.account(), OrderId::new(1 + self.below(12)), !self.in_ten(3)),
            9..=13 => Step::Quote(self.quote()),
            14..=18 => {
                let aggressor = [Aggressor::Sell, Aggressor::Buy, Aggressor::Auction];
                let aggressor = aggressor[if self.in_ten(1) { 2 } else { self.below(2) as usize }];
                let (symbol, price, qty) = (self.symbol(), self.px(), self.qty());
                // One symbol's prints are rare, so that the volume of its quotes counts.
                if symbol.code() == "000001" && !self.in_ten(1) {
                    return Step::Quote(self.quote());
                }
                Step::Print(Print { symbol, at: Timestamp::default(), price, qty, aggressor })
            }
            19..=20 => Step::Bar(self.bar()),
            21 => Step::Collect(self.symbol(), self.in_ten(5)),
            22 => Step::Continue(self.symbol()),
            _ if self.in_ten(2) => Step::EndOfDay,
            _ => Step::Quote(self.quote()),
        }
    }

    fn order(&mut self) -> VenueOrder {
        VenueOrder {
            account: self.account(),
            order: OrderId::new(1 + self.below(12)),
            symbol: self.symbol(),
            side: if self.in_ten(5) { Side::Sell } else { Side::Buy },
            ord_type: if self.in_ten(2) { OrdType::Market } else { OrdType::Limit },
            limit_price: Some(self.px()),
            qty: self.qty(),
            tif: if self.in_ten(2) { TimeInForce::Ioc } else { TimeInForce::Day },
            cum_qty: Qty::ZERO,
            band: self.in_ten(5).then(|| (Price::from_e4(99_700), Price::from_e4(100_200))),
            subscription: self.in_ten(1),
        }
    }

    fn bar(&mut self) -> Bar {
        let symbol = Symbol::parse("600000.SH").expect("a symbol");
        let mut prices = [self.px(), self.px(), self.px(), self.px()];
        if self.in_ten(2) {
            prices = [prices[0]; 4];
        }
        let (open, close) = (prices[0], prices[1]);
        let at = Timestamp::default();
        prices.sort_unstable();
        Bar { symbol, at, open, high: prices[3], low: prices[0], close, volume: self.qty() }
    }

    fn quote(&mut self) -> Quote {
        let bid = self.px();
        let ask = if self.in_ten(1) { self.px() } else { bid + Price::from_e4(100 + 100 * self.below(2) as i64) };
        let with_sizes = !self.in_ten(2);
        let (bid_size, ask_size) = (self.qty(), self.qty());
        let which = self.below(12);
        Quote {
            symbol: self.symbol(),
            last: if which == 11 { Price::ZERO } else { bid },
            bid: (which < 9).then_some(bid),
            ask: (which < 8 || which == 9).then_some(ask),
            bid_size: with_sizes.then_some(bid_size),
            ask_size: with_sizes.then_some(if self.in_ten(1) { Qty::ZERO } else { ask_size }),
            // Mostly more than before.
            volume: (!self.in_ten(2)).then(|| Qty::new(self.below(40) as i64 * 50)),
            prev_close: None,
            at: Timestamp::default(),
        }
    }
}

fn days(steps: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(any::<u64>(), steps).prop_map(|seeds| seeds.into_iter().map(|s| Draw(s).step()).collect())
}

fn confs() -> impl Strategy<Value = VenueConf> {
    let participation = prop::sample::select(vec![1_000_000, 250_000, 500_000, 333_333]);
    (participation, any::<bool>()).prop_map(|(ratio, queue)| VenueConf { participation: Ratio::from_e6(ratio), queue })
}

proptest! {
    #![proptest_config(cases::config())]

    #[test]
    fn it_does_what_its_plain_twin_does(conf in confs(), steps in days(1..50)) {
        let (mut venue, mut oracle) = (PaperVenue::new(conf), Oracle::new(conf));
        for (number, step) in steps.iter().enumerate() {
            let at = Timestamp::from_us(number as i64);
            let (mut told, mut expected) = (Vec::new(), Vec::new());
            venue.handle(at, step.input(), &mut told);
            oracle.handle(at, step.input(), &mut expected);
            prop_assert_eq!(told, expected, "at step {} {:?}", number, step);
        }
    }

    #[test]
    fn it_keeps_its_promises(conf in confs(), steps in days(1..50)) {
        let (mut venue, mut watch) = (PaperVenue::new(conf), Watch::new(conf));
        for step in &steps {
            let mut told = Vec::new();
            venue.handle(Timestamp::default(), step.input(), &mut told);
            watch.see(step, &told, &venue)?;
            if watch.days_ended == 2 {
                break; // ids may come again from here on
            }
        }
        let mut told = Vec::new();
        venue.handle(Timestamp::default(), VenueInput::End(DayEnd::Mainland), &mut told);
        watch.see(&Step::EndOfDay, &told, &venue)?;
        prop_assert!(watch.orders.values().all(|order| order.ended), "every order ends with its day");
    }
}

proptest! {
    #![proptest_config(cases::config())]

    /// A restart in the middle loses queues and takers, so there is no queue here and prices are not compared.
    #[test]
    fn a_restored_venue_goes_on_like_one_that_never_stopped(before in days(1..40), after in days(1..40)) {
        let conf = VenueConf { participation: Ratio::from_percent(50), queue: false };
        let mut venue = PaperVenue::new(conf);
        let mut accepted: Vec<VenueOrder> = Vec::new();
        // Whoever feeds the venue tells it again whether it collects; and of a volume it only knows what is told twice.
        let lost = |step: &Step| matches!(step, Step::EndOfDay | Step::Collect(..) | Step::Continue(_));
        let before: Vec<&Step> = before.iter().filter(|step| !lost(step)).collect();
        for step in before {
            let known = |order: &VenueOrder| venue.find(&order.account, order.order).is_some();
            if let Step::New(order) = step && !known(order) {
                accepted.push(order.clone());
            }
            venue.handle(Timestamp::default(), step.input(), &mut Vec::new());
        }

        let mut restored = PaperVenue::new(conf);
        accepted.retain_mut(|order| {
            let state = venue.find(&order.account, order.order).expect("known");
            order.cum_qty = state.cum_qty;
            if state.status == VenueStatus::Working {
                restored.restore(order.clone(), state.broker_order_id.expect("accepted"), state.fills);
            }
            state.status == VenueStatus::Working
        });
        // Both markets know the same again; of the old ids only working ones come up.
        let fresh = ["600000.SH", "000001.SZ"].map(|text| {
            let (mut quote, symbol) = (Draw(0).quote(), Symbol::parse(text).expect("a symbol"));
            (quote.symbol, quote.ask) = (symbol, Some(Price::from_e4(100_000)));
            (quote.bid, quote.bid_size, quote.ask_size) = (Some(Price::from_e4(99_900)), Some(Qty::new(50)), Some(Qty::new(50)));
            Step::Quote(quote)
        });
        let old_or_new = |account: &AccountId, order: OrderId| {
            let works = accepted.iter().any(|o| o.account == *account && o.order == order);
            if works { order } else { OrderId::new(order.get() + 100) }
        };
        for mut step in fresh.into_iter().chain(after) {
            match &mut step {
                Step::New(terms) => terms.order = old_or_new(&terms.account, terms.order),
                Step::Cancel(account, order, _) => *order = old_or_new(account, *order),
                Step::Quote(quote) => quote.volume = None,
                _ => {}
            }
            let (mut told, mut expected) = (Vec::new(), Vec::new());
            restored.handle(Timestamp::default(), step.input(), &mut told);
            venue.handle(Timestamp::default(), step.input(), &mut expected);
            for event in told.iter_mut().chain(&mut expected) {
                if let VenueEvent::Filled { px, .. } = event {
                    *px = Price::ZERO;
                }
            }
            prop_assert_eq!(told, expected, "at {:?}", step);
        }
    }
}

/// Sees only inputs and events, and checks the promises one by one.
struct Watch {
    conf: VenueConf,
    orders: BTreeMap<(AccountId, OrderId), Seen>,
    /// What the newest quote of a symbol still has for buys and for sells; no entry when it has no end or no quote.
    shown: BTreeMap<(Symbol, Side), i64>,
    tapes: BTreeMap<Symbol, Tape>,
    arrivals: usize,
    days_ended: usize,
}

/// What a symbol's inputs told of what was traded.
#[derive(Default, Clone, Copy)]
struct Tape {
    collects: bool,
    volume: Option<i64>,
    traded_told: bool,
}

struct Seen {
    terms: VenueOrder,
    arrival: usize,
    cum: Qty,
    fills: u32,
    ended: bool,
}

impl Watch {
    fn new(conf: VenueConf) -> Self {
        Self {
            conf,
            orders: BTreeMap::new(),
            shown: BTreeMap::new(),
            tapes: BTreeMap::new(),
            arrivals: 0,
            days_ended: 0,
        }
    }

    fn see(&mut self, step: &Step, told: &[VenueEvent], venue: &PaperVenue) -> Result<(), TestCaseError> {
        let mut repeated = false;
        // The price and volume of the trades that this input tells of.
        let mut traded = (None, 0);
        match step {
            Step::New(terms) => {
                self.arrivals += 1;
                let key = (terms.account.clone(), terms.order);
                repeated = self.orders.contains_key(&key);
                if !repeated {
                    let (terms, arrival) = (terms.clone(), self.arrivals);
                    self.orders.insert(key, Seen { terms, arrival, cum: Qty::ZERO, fills: 0, ended: false });
                }
            }
            Step::Quote(quote) => {
                let tape = self.tapes.entry(quote.symbol).or_default();
                if let Some(volume) = quote.volume {
                    let before = tape.volume.replace(volume.get()).unwrap_or(volume.get());
                    if !tape.traded_told {
                        traded = (Some((quote.last, quote.last)), (volume.get() - before).max(0));
                    }
                }
                for (side, size) in [(Side::Buy, quote.ask_size), (Side::Sell, quote.bid_size)] {
                    let both = quote.bid.is_some() || quote.ask.is_some();
                    match size {
                        Some(size) if both => self.shown.insert((quote.symbol, side), size.get()),
                        _ => self.shown.remove(&(quote.symbol, side)),
                    };
                }
            }
            Step::EndOfDay => {
                self.days_ended += 1;
                self.shown.clear();
                self.tapes.clear();
            }
            Step::Print(print) => {
                self.tapes.entry(print.symbol).or_default().traded_told = true;
                traded = (Some((print.price, print.price)), print.qty.get());
            }
            Step::Bar(bar) => {
                self.tapes.entry(bar.symbol).or_default().traded_told = true;
                traded = (Some((bar.low, bar.high)), bar.volume.get());
            }
            Step::Collect(symbol, opening) => {
                let tape = self.tapes.entry(*symbol).or_default();
                tape.collects = true;
                tape.volume = tape.volume.or(opening.then_some(0));
            }
            Step::Continue(symbol) => self.tapes.entry(*symbol).or_default().collects = false,
            Step::Cancel(..) => {}
        }
        if repeated {
            let [VenueEvent::Accepted { .. } | VenueEvent::Rejected { .. }] = told else {
                return Err(TestCaseError::fail(format!("a repeat did more than answer: {told:?}")));
            };
            return Ok(());
        }
        // Beyond what a quote showed, fills are of what was traded.
        let (mut beyond_shown, mut auction_px) = (0, None);
        let share = traded.1 * self.conf.participation.e6() / 1_000_000;
        for event in told {
            match event {
                VenueEvent::Filled { account, order, exec_id, qty, px, .. } => {
                    self.filled(account, *order, exec_id, *qty, *px)?;
                    let Seen { terms, .. } = &self.orders[&(account.clone(), *order)];
                    let shown = self.shown.get_mut(&(terms.symbol, terms.side));
                    match (step, shown) {
                        (Step::Print(_) | Step::Bar(_), _) => beyond_shown += qty.get(),
                        // What was traded comes first.
                        (Step::Quote(_), _) if beyond_shown + qty.get() <= share => beyond_shown += qty.get(),
                        (_, Some(left)) => {
                            *left -= qty.get() - (share - beyond_shown).max(0);
                            beyond_shown = beyond_shown.max(share);
                            prop_assert!(*left >= 0, "more than the quote showed");
                        }
                        (_, None) => {}
                    }
                    if let (Step::Print(_) | Step::Bar(_), Some((low, high))) = (step, traded.0) {
                        let better = if terms.side == Side::Buy { *px < low } else { *px > high };
                        prop_assert!(!better, "{px} is better than everything that was traded");
                    }
                    if self.tapes.get(&terms.symbol).is_some_and(|tape| tape.collects) {
                        let auctioned = !matches!(step, Step::Print(print) if print.aggressor != Aggressor::Auction);
                        prop_assert!(traded.1 > 0 && auctioned, "nothing was traded in the auction");
                        if terms.band.is_none() {
                            let one = *auction_px.get_or_insert(*px);
                            prop_assert!(*px == one, "an auction has one price");
                        }
                    }
                }
                VenueEvent::Canceled { account, order, cum_qty } | VenueEvent::Expired { account, order, cum_qty } => {
                    let seen = self.end(account, *order)?;
                    let taken_back = matches!(event, VenueEvent::Canceled { .. });
                    prop_assert!(!(taken_back && seen.terms.subscription), "a subscription is not taken back");
                    let refused = matches!(step, Step::Cancel(_, _, false));
                    prop_assert!(!(taken_back && refused), "nothing is taken back while the exchange takes no cancels");
                    prop_assert_eq!(seen.cum, *cum_qty);
                }
                VenueEvent::Rejected { account, order, .. } => _ = self.end(account, *order)?,
                VenueEvent::CancelRejected { account, order, reason: CancelRejection::NotNow } => {
                    let working = self.orders.get(&(account.clone(), *order)).is_some_and(|seen| !seen.ended);
                    let refused = matches!(step, Step::Cancel(_, _, false));
                    prop_assert!(
                        working && refused,
                        "'not now' is said of what works, and only while no cancels are taken"
                    );
                }
                VenueEvent::Accepted { .. } | VenueEvent::CancelRejected { .. } => {}
            }
        }
        if let Step::Print(_) | Step::Bar(_) = step {
            prop_assert!(beyond_shown <= share, "more than our share");
        }
        self.nobody_was_passed(told)?;
        for ((account, order), seen) in self.orders.iter().filter(|_| self.days_ended < 2) {
            let known = venue.find(account, *order).map(|s| (s.cum_qty, s.fills, s.status != VenueStatus::Working));
            prop_assert_eq!(known, Some((seen.cum, seen.fills, seen.ended)));
        }
        Ok(())
    }

    fn filled(
        &mut self,
        account: &AccountId,
        order: OrderId,
        exec_id: &ExecId,
        qty: Qty,
        px: Price,
    ) -> Result<(), TestCaseError> {
        let seen = self.orders.get_mut(&(account.clone(), order)).expect("an order that was sent");
        prop_assert!(!seen.ended, "a fill after the end");
        prop_assert!(!seen.terms.subscription, "a subscription fills on no market");
        prop_assert!(qty.is_positive());
        seen.cum += qty;
        seen.fills += 1;
        prop_assert_eq!(&*exec_id.0, format!("P{}-{}", order.get(), seen.fills));
        prop_assert!(seen.cum <= seen.terms.qty, "more than was asked for");
        seen.ended = seen.cum == seen.terms.qty;
        if let (OrdType::Limit, Some(limit)) = (seen.terms.ord_type, seen.terms.limit_price) {
            let worse = if seen.terms.side == Side::Buy { px > limit } else { px < limit };
            prop_assert!(!worse, "{px} is worse than the limit {limit}");
        }
        if let Some((low, high)) = seen.terms.band {
            prop_assert!((low..=high).contains(&px), "{px} is outside the band");
        }
        Ok(())
    }

    fn end(&mut self, account: &AccountId, order: OrderId) -> Result<&Seen, TestCaseError> {
        let seen = self.orders.get_mut(&(account.clone(), order)).expect("an order that was sent");
        prop_assert!(!seen.ended, "a second end");
        seen.ended = true;
        Ok(seen)
    }

    /// Whoever still wants something after an input saw nobody behind it filled by that input.
    fn nobody_was_passed(&self, told: &[VenueEvent]) -> Result<(), TestCaseError> {
        let eagerness = |seen: &Seen| {
            let terms = &seen.terms;
            let far = match (terms.side, terms.band) {
                (Side::Buy, band) => band.map_or(Price::MAX, |(_, high)| high),
                (Side::Sell, band) => band.map_or(Price::ZERO, |(low, _)| low),
            };
            let limit = if terms.ord_type == OrdType::Market { Some(far) } else { terms.limit_price };
            let limit = limit.map_or(0, Price::e4);
            (if terms.side == Side::Buy { -limit } else { limit }, seen.arrival)
        };
        for event in told {
            let VenueEvent::Filled { account, order, .. } = event else { continue };
            let filled = &self.orders[&(account.clone(), *order)];
            let passed = self.orders.values().find(|other| {
                let same_book = (other.terms.symbol, other.terms.side) == (filled.terms.symbol, filled.terms.side);
                same_book && !other.ended && !other.terms.subscription && eagerness(other) < eagerness(filled)
            });
            if let Some(passed) = passed {
                return Err(TestCaseError::fail(format!("{:?} was passed by {:?}", passed.terms, filled.terms)));
            }
        }
        Ok(())
    }
}
