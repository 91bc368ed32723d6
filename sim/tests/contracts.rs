//! Weeks of real minutes of a futures contract, day and night, on a desk with the paper venue: every lot and all money
//! are where an oracle has them that knows only the fills.

use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;

use signalbox_domain::account::{AccountConf, AccountInput, Pacing};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, Level, Report};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::contract::{Direction, Effect};
use signalbox_domain::event::Event;
use signalbox_domain::ids::{AccountId, ClientId, SignalId, StrategyId};
use signalbox_domain::market::DayEnd;
use signalbox_domain::order::{OrdType, OrderFact, Side, TimeInForce};
use signalbox_domain::paper::{PaperVenue, VenueConf, VenueEvent, VenueInput, VenueOrder};
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::risk::Limits;
use signalbox_domain::risk::limits::Crossing;
use signalbox_domain::signal::{Signal, SignalStatus, Size, Source};
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Span, Timestamp, TradeDate};
use signalbox_sim::desk::{Desk, Setup, market};

struct Bar {
    day: TradeDate,
    at: Timestamp,
    close: Price,
    traded: bool,
}

fn bars(packed: &[u8]) -> Vec<Bar> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("a file");
    let bar = |line: &str| {
        let field: Vec<&str> = line.split(',').collect();
        let (date, time) = field[1].split_once(' ').expect("a time");
        let (hh, mm) = time.split_once(':').expect("a minute");
        let (hh, mm) = (hh.parse().expect("an hour"), mm.parse().expect("a minute"));
        Bar {
            day: TradeDate::parse(field[0]).expect("a day"),
            // A bar is known when its minute is over.
            at: china_instant(TradeDate::parse(date).expect("a date"), hh, mm, 59),
            close: Price::parse(field[5]).expect("a price"),
            traded: field[6] != "0",
        }
    };
    text.lines().skip(1).map(bar).collect()
}

fn account() -> AccountId {
    AccountId::parse("f").expect("a name")
}

struct Floor {
    desk: Desk,
    venue: PaperVenue,
    symbol: Symbol,
}

impl Floor {
    fn open(symbol: &str, at: Timestamp, cash: Money) -> Self {
        let conf = AccountConf {
            id: account(),
            capabilities: Capabilities { level: Level::L4, in_flight_max: 10, market_orders: true, lists: false },
            pacing: Pacing::of_second(5),
            doubt: DoubtConf::default(),
        };
        let setup = Setup {
            conf,
            limits: Limits { crossing: Crossing::Warn, ..Limits::default() },
            cash,
            holdings: Vec::new(),
        };
        let strategies = ["one", "two"].map(|name| StrategyConf {
            id: StrategyId::parse(name).expect("a name"),
            kind: "external".into(),
            routes: vec![Route::plain(RouteTo::Account(account()))],
        });
        let desk = Desk::open(Rc::new(market()), at, vec![setup], strategies.into(), Default::default());
        let venue = PaperVenue::new(VenueConf::default());
        Self { desk, venue, symbol: Symbol::parse(symbol).expect("a symbol") }
    }

    fn quiet(&mut self) {
        loop {
            while self.desk.busy() > 0 {
                self.desk.step(0);
            }
            self.desk.commit();
            let requests: Vec<_> = self.desk.sent.drain(..).collect();
            if requests.is_empty() && self.desk.busy() == 0 {
                return;
            }
            for (account, request) in requests {
                match request {
                    BrokerRequest::Submit { terms, band, subscription, .. } => {
                        self.venue(VenueInput::New(VenueOrder {
                            account,
                            order: terms.id,
                            symbol: terms.symbol,
                            side: terms.side,
                            ord_type: terms.ord_type,
                            limit_price: terms.limit_price,
                            qty: terms.qty,
                            tif: terms.time_in_force,
                            cum_qty: Qty::ZERO,
                            band,
                            subscription,
                        }))
                    }
                    BrokerRequest::Cancel { order, .. } => {
                        let taken = self.desk.market.takes_cancels(self.symbol, self.desk.at);
                        self.venue(VenueInput::Cancel { account, order, taken });
                    }
                    BrokerRequest::Find { order } => {
                        let found = self.venue.find(&account, order).expect("an order that the venue knows");
                        let what = Report::Accepted { broker_order_id: found.broker_order_id.expect("a number") };
                        self.desk.tell_account(&account, AccountInput::Broker(BrokerReport { order, what }));
                    }
                }
            }
        }
    }

    fn venue(&mut self, input: VenueInput<'_>) {
        let mut events = Vec::new();
        self.venue.handle(self.desk.at, input, &mut events);
        for event in events {
            let (account, order, what) = match event {
                VenueEvent::Accepted { account, order, broker_order_id } => {
                    (account, order, Report::Accepted { broker_order_id })
                }
                VenueEvent::Filled { account, order, exec_id, qty, px, at } => {
                    (account, order, Report::Filled { exec_id, qty, px, at })
                }
                VenueEvent::Canceled { account, order, .. } => {
                    (account, order, Report::Canceled { text: "canceled".into() })
                }
                VenueEvent::Expired { account, order, .. } => (account, order, Report::Expired),
                other => panic!("the venue refuses: {other:?}"),
            };
            self.desk.tell_account(&account, AccountInput::Broker(BrokerReport { order, what }));
        }
        self.quiet_later();
    }

    /// What the venue said is looked at before the next thing happens.
    fn quiet_later(&mut self) {
        while self.desk.busy() > 0 {
            self.desk.step(0);
        }
    }

    fn bar(&mut self, bar: &Bar) {
        let last = self.desk.at.plus(Span::from_us(-1));
        let end = self.desk.market.calendar.day_end(last).map(|at| at.plus(Span::from_us(1)));
        if let Some(end) = end.filter(|end| *end <= bar.at) {
            self.desk.set_clock(end);
            self.venue(VenueInput::End(DayEnd::Mainland));
            self.quiet();
            self.desk.start_day();
            self.quiet();
        }
        self.desk.set_clock(bar.at);
        let quote = Quote {
            symbol: self.symbol,
            last: bar.close,
            bid: None,
            ask: None,
            bid_size: None,
            ask_size: None,
            volume: None,
            prev_close: None,
            at: bar.at,
        };
        self.desk.quotes.put(quote.clone());
        self.venue(VenueInput::Quote(&quote));
        self.quiet();
    }

    fn send(&mut self, n: u64, strategy: &str, side: Side, lots: i64, limit: Option<Price>) {
        self.desk.accept(Signal {
            id: SignalId::new(n),
            source: Source::Signal,
            strategy: StrategyId::parse(strategy).expect("a name"),
            account: None,
            client: ClientId::parse("test").expect("a name"),
            client_signal_id: format!("k{n}").into(),
            symbol: self.symbol,
            side: Some(side),
            position_effect: None,
            size: Size::Quantity(Qty::new(lots)),
            ord_type: if limit.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price: limit,
            time_in_force: TimeInForce::Day,
            valid_until: None,
            execution: None,
            tag: None,
            received_at: self.desk.at,
            notes: signalbox_domain::signal::Notes::default(),
        });
        self.quiet();
    }

    /// Everything the account should have, from its fills alone.
    fn check(&self, cash: Money, multiplier: i64, last: Price) -> usize {
        let tables = self.desk.tables();
        let (mut lots, mut money, mut fills) =
            (BTreeMap::<(StrategyId, Direction), i64>::new(), i128::from(cash.e4()), 0);
        for event in self.desk.journal.iter().flat_map(|entry| &entry.events) {
            if let Event::Order { order, fact: OrderFact::Filled { qty, px, fee, .. }, .. } = event {
                let terms = &tables.orders[order].terms;
                let effect = terms.effect.expect("an effect");
                let sign = if effect == Effect::Open { 1 } else { -1 };
                *lots.entry((terms.strategy.clone(), effect.direction(terms.side))).or_default() += sign * qty.get();
                let amount = i128::from(px.e4()) * i128::from(qty.get() * multiplier);
                money += if terms.side == Side::Buy { -amount } else { amount };
                money -= i128::from(fee.e4());
                fills += 1;
            }
        }
        let ledger = self.desk.ledgers.get(&account()).expect("a ledger");
        for ((strategy, direction), lots) in &lots {
            let held = ledger.contract(self.symbol, strategy, *direction).map_or(0, |book| book.qty().get());
            assert_eq!(held, *lots, "{strategy} {direction}");
            money += i128::from(direction.sign() * lots * multiplier) * i128::from(last.e4());
        }
        let equity = ledger.cash + ledger.contracts_pnl(|_| Some(last));
        assert_eq!(i128::from(equity.e4()), money, "the account is worth something else");
        fills
    }
}

/// Two strategies trade against each other's habits for some weeks; the process ends and starts again once a day.
/// `reach`: how far a limit goes that is to trade at once, in 1e-4; 0 for market orders.
fn weeks(
    symbol: &str,
    packed: &[u8],
    from: &str,
    days: usize,
    (multiplier, reach): (i64, i64),
) -> (usize, usize, usize) {
    let all = bars(packed);
    let first = TradeDate::parse(from).expect("a day");
    let start = all.iter().position(|bar| bar.day >= first && bar.traded).expect("a bar");
    let cash = Money::from_units(multiplier * 200_000);
    let mut floor = Floor::open(symbol, all[start].at, cash);
    let (mut seen, mut n, mut fills, mut nights) = (Vec::new(), 0_u64, 0, 0);
    for (count, bar) in all[start..].iter().enumerate().filter(|(_, bar)| bar.traded) {
        if seen.last() != Some(&bar.day) {
            if seen.len() == days {
                break;
            }
            seen.push(bar.day);
            floor.desk.restart();
            floor.quiet();
        }
        floor.bar(bar);
        nights += usize::from(bar.at.us() < china_instant(bar.day, 0, 0, 0).us());
        // A walk that is the same every time.
        let turn = (count as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        if turn.is_multiple_of(5) {
            n += 1;
            let side = if (turn / 5).is_multiple_of(2) { Side::Buy } else { Side::Sell };
            // Where the exchange takes no market orders, a limit beyond the market takes their place.
            let beyond =
                Price::from_e4(if side == Side::Buy { bar.close.e4() + reach } else { bar.close.e4() - reach });
            let limit = if (turn / 10).is_multiple_of(3) { Some(bar.close) } else { (reach > 0).then_some(beyond) };
            let strategy = if (turn / 30).is_multiple_of(2) { "one" } else { "two" };
            floor.send(n, strategy, side, 1 + (turn / 60 % 3) as i64, limit);
        }
        if count % 200 == 0 {
            fills = floor.check(cash, multiplier, bar.close);
        }
    }
    let tables = floor.desk.tables();
    let denied: Vec<_> = tables.denied.values().map(|(terms, denials)| (terms.id, denials)).collect();
    let refused: Vec<_> = tables.signals.values().filter(|row| row.status == SignalStatus::Denied).collect();
    assert!(denied.is_empty() && refused.is_empty(), "{denied:#?} {refused:#?}");
    let differences = floor.desk.replay().differences(&tables);
    assert!(differences.is_empty(), "journal and rows differ: {differences:#?}");
    (n as usize, fills, nights)
}

#[test]
fn four_weeks_of_steel_by_day_and_night_conserve_lots_and_money() {
    let packed = include_bytes!("../../domain/tests/data/rb2002.SHFE_1m.csv.gz");
    let (signals, fills, nights) = weeks("rb2002.SHFE", packed, "2019-11-25", 20, (10, 30_000));
    assert!(
        signals > 200 && fills > 200 && nights > 300,
        "{signals} signals, {fills} fills, {nights} minutes by night"
    );
}

#[test]
fn three_weeks_of_an_index_future_conserve_lots_and_money() {
    let packed = include_bytes!("../../domain/tests/data/IF1908.CFFEX_1m.csv.gz");
    let (signals, fills, nights) = weeks("IF1908.CFFEX", packed, "2019-07-08", 15, (300, 0));
    assert!(signals > 100 && fills > 100 && nights == 0, "{signals} signals, {fills} fills, {nights} minutes by night");
}
