//! The desk that worlds and days are played on: three accounts, three strategies and a person, and their symbols.

use std::collections::HashMap;
use std::rc::Rc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore as _;
use signalbox_domain::account::{AccountConf, Pacing};
use signalbox_domain::broker::{Capabilities, Level};
use signalbox_domain::calendar::china_instant;
use signalbox_domain::ids::{AccountId, GroupId, StrategyId};
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::manner::{RouteMode, ShortOfCash};
use signalbox_domain::market::Market;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::risk::Limits;
use signalbox_domain::risk::limits::Crossing;
use signalbox_domain::strategy::{Allocation, Route, RouteTo, StrategyConf, manual_conf};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, TradeDate};

use crate::desk::{Desk, Setup};

pub(crate) const ACCOUNTS: [&str; 3] = ["a", "b", "c"];

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::parse(name).expect("a name")
}

pub(crate) fn strategy(name: &str) -> StrategyId {
    StrategyId::parse(name).expect("a name")
}

pub(crate) const SYMBOLS: [&str; 3] = ["600000.SH", "000001.SZ", "688981.SH"];

pub(crate) fn symbol(n: u32) -> Symbol {
    Symbol::parse(SYMBOLS[n as usize % SYMBOLS.len()]).expect("a symbol")
}

/// What the accounts' brokers give.
#[derive(Debug, Clone)]
pub(crate) struct Brokers {
    pub(crate) levels: [Level; 3],
    pub(crate) lists: bool,
    pub(crate) doubt: DoubtConf,
    /// What becomes of the accounts' orders that would trade with each other.
    pub(crate) crossing: Crossing,
}

/// How each strategy's legs get to the market, and how its buys wait for cash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners([(RouteMode, ShortOfCash); 3]);

impl Manners {
    pub(crate) fn of(dice: &mut ChaCha8Rng) -> Self {
        let modes = [RouteMode::Auto, RouteMode::Confirm, RouteMode::NotifyOnly, RouteMode::Auto, RouteMode::Shadow];
        let mut manner = || {
            let secs = Span::from_secs(i64::from(dice.next_u32() % 120));
            let short = [ShortOfCash::Wait(secs), ShortOfCash::Shrink(secs), ShortOfCash::Deny];
            (modes[dice.next_u32() as usize % modes.len()], short[dice.next_u32() as usize % short.len()])
        };
        Self([manner(), manner(), manner()])
    }
}

/// Opens the desk on the morning of 2025-03-03, a Monday.
pub(crate) fn open(market: Rc<Market>, brokers: &Brokers, manners: Option<Manners>) -> Desk {
    let setup = |name: &str, level, in_flight_max, pace, cash, held: &[(u32, &str, i64)]| Setup {
        conf: AccountConf {
            id: account(name),
            capabilities: Capabilities {
                level,
                in_flight_max,
                market_orders: true,
                lists: brokers.lists && level >= Level::L1,
            },
            pacing: Pacing::of_second(pace),
            doubt: DoubtConf { fund_account: brokers.lists.then(|| name.into()), ..brokers.doubt.clone() },
        },
        limits: Limits {
            order_value: Ratio::from_percent(100),
            position: Ratio::from_percent(100),
            crossing: brokers.crossing,
            notional_minute: Ratio::from_percent(100_000),
            notional_day: Ratio::from_percent(100_000),
            ..Limits::default()
        },
        cash: Money::from_units(cash),
        holdings: held
            .iter()
            .map(|(n, book, qty)| OpeningHolding {
                symbol: symbol(*n),
                strategy: strategy(book),
                qty: Qty::new(*qty),
                cost: Price::from_e4(100_000),
                on: None,
            })
            .collect(),
    };
    let setups = vec![
        setup("a", brokers.levels[0], 4, 5, 20_000, &[(0, "s", 550), (1, "t", 1_000)]),
        setup("b", brokers.levels[1], 2, 5, 12_000, &[(0, "u", 300), (0, "EXTERNAL", 150), (2, "t", 420)]),
        setup("c", brokers.levels[2], 2, 2, 100_000, &[(0, "t", 900), (1, "u", 70)]),
    ];
    let route = |to, ratio, allocation| Route { follow_ratio: Ratio::from_e6(ratio), allocation, ..Route::plain(to) };
    let conf = |name: &str, route| StrategyConf { id: strategy(name), kind: "external".into(), routes: vec![route] };
    let (all, two) = (GroupId::parse("all").expect("a name"), GroupId::parse("two").expect("a name"));
    let mut confs = vec![
        conf("s", route(RouteTo::Account(account("a")), 1_000_000, Allocation::FixedRatio)),
        conf("t", route(RouteTo::Group(all.clone()), 500_000, Allocation::Equity)),
        conf("u", route(RouteTo::Group(two.clone()), 1_000_000, Allocation::FixedRatio)),
        manual_conf(),
    ];
    if let Some(manners) = manners {
        for (route, manner) in confs.iter_mut().flat_map(|conf| &mut conf.routes).zip(manners.0) {
            (route.mode, route.short_of_cash) = manner;
        }
    }
    let groups =
        HashMap::from([(all, vec![account("a"), account("b"), account("c")]), (two, vec![account("b"), account("c")])]);
    let day = TradeDate::from_yyyymmdd(20_250_303).expect("a date");
    Desk::open(market, china_instant(day, 10, 0, 0), setups, confs, groups)
}
