//! Whose desk it is: three accounts, three strategies and a person, as in the simulator, in the program's own settings.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use signalbox::conf::{AccountSettings, BrokerSettings, Settings};
use signalbox::store::{Store, StoreConf};
use signalbox_actors::session::Patience;
use signalbox_brokers::fake::client::FakeLink;
use signalbox_brokers::fake::wire::Control;
use signalbox_domain::account::{AccountConf, Pacing};
use signalbox_domain::broker::Level;
use signalbox_domain::calendar::china_instant;
use signalbox_domain::ids::{AccountId, GroupId, StrategyId};
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::risk::Limits;
use signalbox_domain::risk::limits::{Crossing, ProgramReport};
use signalbox_domain::strategy::{Allocation, Route, RouteTo, StrategyConf};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};

pub(crate) const ACCOUNTS: [&str; 3] = ["a", "b", "c"];
pub(crate) const SYMBOLS: [&str; 3] = ["600000.SH", "000001.SZ", "688981.SH"];

const IN_FLIGHT: [usize; 3] = [4, 2, 2];
const PACE: [u32; 3] = [5, 5, 2];
const CASH: [i64; 3] = [20_000, 12_000, 100_000];
const HELD: [&[(u32, &str, i64)]; 3] = [
    &[(0, "s", 550), (1, "t", 1_000)],
    &[(0, "u", 300), (0, "EXTERNAL", 150), (2, "t", 420)],
    &[(0, "t", 900), (1, "u", 70)],
];

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::parse(name).unwrap()
}

pub(crate) fn strategy(name: &str) -> StrategyId {
    StrategyId::parse(name).unwrap()
}

pub(crate) fn symbol(n: u32) -> Symbol {
    Symbol::parse(SYMBOLS[n as usize % SYMBOLS.len()]).unwrap()
}

pub(crate) fn symbols() -> [Symbol; 3] {
    [symbol(0), symbol(1), symbol(2)]
}

/// 2025-03-03, a Monday.
pub(crate) fn ten_o_clock() -> Timestamp {
    china_instant(TradeDate::from_yyyymmdd(20_250_303).unwrap(), 10, 0, 0)
}

/// The accounts as they are at the broker.
pub(crate) fn openings(levels: [Level; 3]) -> Vec<Control> {
    let of = |n: usize| {
        let mut holdings: Vec<(Symbol, Qty)> = Vec::new();
        for (s, _, qty) in HELD[n] {
            match holdings.iter_mut().find(|(of, _)| *of == symbol(*s)) {
                Some((_, sum)) => *sum += Qty::new(*qty),
                None => holdings.push((symbol(*s), Qty::new(*qty))),
            }
        }
        let (account, cash) = (ACCOUNTS[n].to_owned(), Money::from_units(CASH[n]));
        Control::Open { account, level: levels[n], cash, holdings }
    };
    (0..3).map(of).collect()
}

pub(crate) fn settings(folder: &Path, levels: [Level; 3]) -> Settings {
    let mut settings = Settings::demo().unwrap();
    settings.data_dir = folder.to_owned();
    settings.accounts = (0..3).map(|n| account_settings(n, levels[n])).collect();
    let (all, two) = (GroupId::parse("all").unwrap(), GroupId::parse("two").unwrap());
    let route = |to, ratio, allocation| Route { follow_ratio: Ratio::from_e6(ratio), allocation, ..Route::plain(to) };
    let conf =
        |name: &str, route| Arc::new(StrategyConf { id: strategy(name), kind: "external".into(), routes: vec![route] });
    settings.strategies = vec![
        conf("s", route(RouteTo::Account(account("a")), 1_000_000, Allocation::FixedRatio)),
        conf("t", route(RouteTo::Group(all.clone()), 500_000, Allocation::Equity)),
        conf("u", route(RouteTo::Group(two.clone()), 1_000_000, Allocation::FixedRatio)),
    ];
    settings.groups =
        Arc::new(HashMap::from([(all, ACCOUNTS.map(account).to_vec()), (two, vec![account("b"), account("c")])]));
    settings
}

fn account_settings(n: usize, level: Level) -> AccountSettings {
    let name = ACCOUNTS[n];
    let link = FakeLink {
        url: "http://127.0.0.1:1".to_owned(), // never asked: the test has a line of its own
        account: name.to_owned(),
        level,
        answer_within: std::time::Duration::from_secs(5),
        in_flight_max: IN_FLIGHT[n],
    };
    let capabilities = link.capabilities();
    AccountSettings {
        conf: AccountConf {
            id: account(name),
            capabilities,
            pacing: Pacing::of_second(PACE[n]),
            doubt: DoubtConf { fund_account: Some(name.into()), ..DoubtConf::default() },
        },
        broker: BrokerSettings::Fake { link, patience: Patience::default() },
        limits: Arc::new(Limits {
            order_value: Ratio::from_percent(100),
            position: Ratio::from_percent(100),
            crossing: Crossing::Warn,
            program_report: ProgramReport::OnFile,
            notional_minute: Ratio::from_percent(100_000),
            notional_day: Ratio::from_percent(100_000),
            quote_age_market: Span::from_secs(86_400),
            quote_age_limit: Span::from_secs(86_400),
            ..Limits::default()
        }),
        cash: Money::from_units(CASH[n]),
        currency: signalbox_domain::instrument::Currency::Cny,
        mode: signalbox_domain::standing::AccountMode::Live,
        step: signalbox_domain::standing::Step::All,
        holdings: HELD[n]
            .iter()
            .map(|(s, book, qty)| OpeningHolding {
                symbol: symbol(*s),
                strategy: strategy(book),
                qty: Qty::new(*qty),
                cost: Price::from_e4(100_000),
                on: None,
            })
            .collect(),
    }
}

pub(crate) fn quotes(at: Timestamp) -> Vec<Quote> {
    let quote = |symbol| Quote {
        symbol,
        last: Price::from_e4(100_000),
        bid: None,
        ask: None,
        bid_size: None,
        ask_size: None,
        volume: None,
        prev_close: Some(Price::from_e4(100_000)),
        at,
    };
    symbols().map(quote).to_vec()
}

/// The tag is made by chance at the first start: here it is always the same, so that the journal can be.
pub(crate) fn install(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Store::open(StoreConf::new(StoreConf::SQLITE_DEFAULT, folder)).await.unwrap().close() });
    let file = rusqlite::Connection::open(folder.join("signalbox.db")).unwrap();
    assert_eq!(file.execute("UPDATE lease SET installation = 'S1'", []).unwrap(), 1);
}
