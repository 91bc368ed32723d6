//! The largest order that is let through, against an oracle that asks for every size, one share after the other.
//!
//! `SIGNALBOX_CASES` says with how many accounts, by default 100: each of them asks some thousand times.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use signalbox_domain::calendar::{Calendar, china_instant};
use signalbox_domain::denial::DenialCode;
use signalbox_domain::ids::{AccountId, OrderId, StrategyId};
use signalbox_domain::instrument::Instruments;
use signalbox_domain::ledger::{Book, Ledger};
use signalbox_domain::market::Market;
use signalbox_domain::order::{OrdType, OrderTerms, Side, TimeInForce};
use signalbox_domain::quote::Quote;
use signalbox_domain::risk::limits::Crossing;
use signalbox_domain::risk::{Check, Limits, Outcome, Risk, RiskEffects, RiskInput};
use signalbox_domain::rules::RuleBook;
use signalbox_domain::signal::Source;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};
use signalbox_domain::view::{Ledgers, Quotes, SetAside, TradingStates, View};

thread_local! {
    static MARKET: Market = {
        let calendar = Calendar::parse(include_str!("../../../conf/calendars/cn_a_share_trading_days.csv"));
        let instruments = Instruments::parse(include_str!("../../../conf/instruments/cn_equity.csv"));
        let rules = RuleBook::parse(&[
            include_str!("../../../conf/rules/cn_equity_rules.csv"),
            include_str!("../../../conf/rules/cn_lots.csv"),
            include_str!("../../../conf/rules/cn_supplement.csv"),
        ]);
        Market::new(calendar.expect("calendar"), instruments.expect("instruments"), rules.expect("rules"))
    };
}

/// No order of these accounts is larger: they have 20,000 yuan and 3,000 shares at the most, and a share costs about 10.
const WALK: i64 = 3_200;

/// An order that was approved a moment ago, and is live.
#[derive(Debug, Clone)]
struct Earlier {
    own: bool,
    buy: bool,
    qty: i64,
    /// Ticks away from the last price.
    away: i64,
}

#[derive(Debug, Clone)]
struct Case {
    /// STAR: from 200 in single shares.
    star: bool,
    cash: i64,
    /// Shares of the strategy's own book, what of them was bought today, and shares of another one's.
    held: i64,
    bought_today: i64,
    others: i64,
    manual: bool,
    buy: bool,
    /// Ticks away from the last price; a market order without.
    limit: Option<i64>,
    /// Without a key a repeat is refused.
    keyed: bool,
    crossing: Crossing,
    order_value: i64,
    position: i64,
    order_qty_max: Option<i64>,
    earlier: Vec<Earlier>,
}

fn case() -> impl Strategy<Value = Case> {
    let held = prop_oneof![Just(0_i64), 1_i64..250, (0_i64..15).prop_map(|lots| lots * 100), 0_i64..1_500];
    let qty = prop_oneof![(1_i64..12).prop_map(|lots| lots * 100), 1_i64..700];
    let earlier = (prop::bool::weighted(0.2), any::<bool>(), qty, -3_i64..4)
        .prop_map(|(own, buy, qty, away)| Earlier { own, buy, qty, away });
    let crossing = prop_oneof![1 => Just(Crossing::Deny), 1 => Just(Crossing::Warn), 2 => Just(Crossing::Net)];
    let book = (any::<bool>(), 0_i64..20_000, held.clone(), 0_i64..300, held, any::<bool>());
    let order = (any::<bool>(), prop::option::of(-3_i64..4), any::<bool>(), crossing);
    let limits = (1_i64..130, 1_i64..130, prop::option::of(1_i64..2_000));
    (book, order, limits, prop::collection::vec(earlier, 0..5)).prop_map(|(book, order, limits, earlier)| {
        let (star, cash, held, bought_today, others, manual) = book;
        let (buy, limit, keyed, crossing) = order;
        let (order_value, position, order_qty_max) = limits;
        Case {
            star,
            cash,
            held,
            bought_today: bought_today.min(held),
            others,
            manual,
            buy,
            limit,
            keyed,
            crossing,
            order_value,
            position,
            order_qty_max,
            earlier,
        }
    })
}

struct Desk {
    risk: Risk,
    ledgers: Ledgers,
    quotes: Quotes,
    states: TradingStates,
    at: Timestamp,
    symbol: Symbol,
    account: AccountId,
}

const LAST: i64 = 100_000;
const OWN: &str = "s";
const OTHER: &str = "t";

fn strategy(name: &str) -> StrategyId {
    StrategyId::parse(name).expect("a name")
}

impl Desk {
    fn open(case: &Case) -> Self {
        let day = TradeDate::from_yyyymmdd(20_250_303).expect("a date");
        let at = china_instant(day, 10, 0, 0);
        let symbol = Symbol::parse(if case.star { "688981.SH" } else { "600000.SH" }).expect("a symbol");
        let account = AccountId::parse("a").expect("a name");
        let book = |name: &str, qty: i64, today: i64| Book {
            symbol,
            strategy: strategy(name),
            qty: Qty::new(qty),
            bought_today: Qty::new(today),
            cost: Money::from_units(qty * 10),
            realized_pnl: Money::ZERO,
            entry: None,
            day: None,
        };
        let books = vec![book(OWN, case.held, case.bought_today), book(OTHER, case.others, 0)];
        let books = books.into_iter().filter(|book| book.qty.is_positive()).collect();
        let mut ledgers = Ledgers::default();
        ledgers.put(Ledger::restore(account.clone(), Money::from_units(case.cash), Some(day), None, books));
        let mut quotes = Quotes::default();
        let price = Price::from_e4(LAST);
        quotes.put(Quote {
            symbol,
            last: price,
            bid: Some(price),
            ask: Some(price),
            bid_size: None,
            ask_size: None,
            volume: None,
            prev_close: Some(price),
            at,
        });
        let limits = Limits {
            crossing: case.crossing,
            order_value: Ratio::from_percent(case.order_value),
            position: Ratio::from_percent(case.position),
            order_qty_max: case.order_qty_max.map(Qty::new),
            ..Limits::default()
        };
        let limits = HashMap::from([(account.clone(), Arc::new(limits))]);
        let risk = Risk::new(limits, std::iter::empty());
        let mut desk = Self { risk, ledgers, quotes, states: TradingStates::default(), at, symbol, account };
        for (n, earlier) in case.earlier.iter().enumerate() {
            let name = if earlier.own { OWN } else { OTHER };
            let side = if earlier.buy { Side::Buy } else { Side::Sell };
            let id = OrderId::new((n as u64 + 1) << 24 | 1);
            let terms = desk.terms(id, name, side, Some(earlier.away), earlier.qty);
            desk.check(terms);
        }
        desk
    }

    fn terms(&self, id: OrderId, name: &str, side: Side, limit: Option<i64>, qty: i64) -> OrderTerms {
        OrderTerms {
            id,
            account: self.account.clone(),
            source: Source::Signal,
            strategy: strategy(name),
            symbol: self.symbol,
            side,
            effect: None,
            ord_type: if limit.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price: limit.map(|away| Price::from_e4(LAST + away * 100)),
            time_in_force: TimeInForce::Day,
            qty: Qty::new(qty),
            valid_until: self.at.plus(Span::from_secs(3_600)),
            all_in: false,
        }
    }

    fn asked(&self, case: &Case) -> OrderTerms {
        let id = if case.keyed { OrderId::new(99 << 24 | 1) } else { OrderId::new(0) };
        let side = if case.buy { Side::Buy } else { Side::Sell };
        let terms = self.terms(id, OWN, side, case.limit, 0);
        if !case.manual {
            return terms;
        }
        OrderTerms { source: Source::Manual, strategy: StrategyId::manual(), ..terms }
    }

    fn view<R>(&self, look: impl FnOnce(View<'_>) -> R) -> R {
        let (aside, Self { quotes, ledgers, states, .. }) = (SetAside::default(), self);
        MARKET.with(|market| look(View { market, quotes, ledgers, states, aside: &aside }))
    }

    /// Whether it is let through, as an order is.
    fn check(&mut self, terms: OrderTerms) -> bool {
        let (mut fx, aside) = (RiskEffects::default(), SetAside::default());
        let Self { risk, quotes, ledgers, states, .. } = self;
        MARKET.with(|market| {
            let view = View { market, quotes, ledgers, states, aside: &aside };
            risk.handle(self.at, view, RiskInput::Check(vec![Arc::new(terms)]), &mut fx);
        });
        !fx.approved.is_empty()
    }

    fn denied(&self, terms: &OrderTerms, qty: i64) -> Vec<Check> {
        let terms = OrderTerms { qty: Qty::new(qty), ..terms.clone() };
        let mut checks = self.view(|view| self.risk.explain(self.at, view, &terms));
        checks.retain(|check| check.outcome == Outcome::Denied);
        checks
    }
}

fn cases() -> ProptestConfig {
    let cases = option_env!("SIGNALBOX_CASES").and_then(|cases| cases.parse().ok()).unwrap_or(100);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Whether its lots are what is wrong with an order of this size.
fn off_lots(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.code == DenialCode::LotSize)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_most_is_what_one_finds_who_asks_for_every_size(case in case()) {
        let mut desk = Desk::open(&case);
        let terms = desk.asked(&case);
        let passes = |qty: &i64| desk.denied(&terms, *qty).is_empty();
        let walked = (1..=WALK).rev().find(passes).unwrap_or(0);
        prop_assert!(walked < WALK, "the walk is too short");
        let before = format!("{:?}", desk.risk);
        let most = desk.view(|view| desk.risk.most(desk.at, view, &terms));
        prop_assert_eq!(format!("{:?}", desk.risk), before, "asking changes nothing");
        prop_assert_eq!(most.qty.get(), walked);
        prop_assert_eq!(&most.denied, &desk.denied(&terms, most.next.get()));
        prop_assert!(!most.denied.is_empty());
        // There is no order between the two.
        prop_assert!(most.next > most.qty);
        let between = most.qty.get() + 1..most.next.get();
        prop_assert!(between.clone().all(|qty| off_lots(&desk.denied(&terms, qty))
            || desk.denied(&terms, qty).iter().any(|check| check.code == DenialCode::Sellable)), "{:?}", between);
        // And what may be asked for may be sent.
        if walked > 0 {
            let sent = desk.check(OrderTerms { qty: most.qty, ..terms });
            prop_assert!(sent);
        }
    }
}

/// Ample in everything: 20,000 yuan, and a limit at the last price.
fn plain(buy: bool) -> Case {
    Case {
        star: false,
        cash: 20_000,
        held: 0,
        bought_today: 0,
        others: 0,
        manual: false,
        buy,
        limit: Some(0),
        keyed: true,
        crossing: Crossing::Net,
        order_value: 130,
        position: 130,
        order_qty_max: None,
        earlier: Vec::new(),
    }
}

fn most_of(case: &Case) -> (i64, i64, Vec<DenialCode>) {
    let desk = Desk::open(case);
    let most = desk.view(|view| desk.risk.most(desk.at, view, &desk.asked(case)));
    (most.qty.get(), most.next.get(), most.denied.iter().map(|check| check.code).collect())
}

#[test]
fn an_odd_remainder_is_sold_whole_and_the_next_order_is_told() {
    let case = Case { held: 1_350, bought_today: 200, ..plain(false) };
    let told = most_of(&case);
    assert_eq!(told, (1_150, 1_200, vec![DenialCode::Sellable]), "1,350 held, 200 of them since today");
}

#[test]
fn a_buy_stops_where_what_is_netted_leaves_no_order() {
    let sell = |qty| Earlier { own: false, buy: false, qty, away: 0 };
    let case = Case { others: 350, earlier: vec![sell(200), sell(150)], ..plain(true) };
    // 200 take the first sell whole. More would leave 50 shares on one of the sides, however many they are.
    assert_eq!(most_of(&case), (200, 300, vec![DenialCode::Crossing]));
    let cash_alone = Case { others: 350, ..plain(true) };
    assert_eq!(most_of(&cash_alone), (1_900, 2_000, vec![DenialCode::Cash]), "and there is cash for many more");
}

#[test]
fn from_200_on_star_sells_in_single_shares_and_less_only_at_once() {
    let star = |held| most_of(&Case { star: true, held, ..plain(false) });
    assert_eq!(star(233), (233, 234, vec![DenialCode::Sellable]));
    assert_eq!(star(150), (150, 200, vec![DenialCode::Sellable]));
    assert_eq!(star(0), (0, 200, vec![DenialCode::Sellable]), "the smallest order is told");
}
