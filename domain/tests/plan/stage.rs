//! One route over some accounts, as the planner sees it.

use std::collections::HashMap;

use signalbox_domain::calendar::{Calendar, china_instant};
use signalbox_domain::capital::CapitalBase;
use signalbox_domain::denial::Denial;
use signalbox_domain::ids::{AccountId, ClientId, GroupId, SignalId, StrategyId};
use signalbox_domain::instrument::Instruments;
use signalbox_domain::ledger::{Book, Ledger};
use signalbox_domain::market::Market;
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::plan::{Pending, Plan, plan};
use signalbox_domain::quote::Quote;
use signalbox_domain::rules::RuleBook;
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::strategy::{Allocation, Route, RouteTo, StrategyConf};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, TradeDate};
use signalbox_domain::view::{Ledgers, Quotes, SetAside, TradingStates, View};

/// One account, in plain numbers: money in 1/10,000 yuan.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub cash: i64,
    pub aside: i64,
    pub held: i64,
    pub bought_today: i64,
    /// Of [`OTHER`], in the same strategy's book; as many are in a book of another one.
    pub other: i64,
    pub buys: i64,
    pub sells: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub holders: Vec<Holder>,
    pub size: Size,
    pub side: Option<Side>,
    pub base: CapitalBase,
    pub allocation: Allocation,
    pub ratio: Ratio,
    /// STAR: from 200 in single shares.
    pub star: bool,
    /// In 1/10,000 yuan; the bid is as far below it as the ask is above.
    pub last: i64,
    pub spread: i64,
    pub limit: Option<Price>,
}

impl Case {
    pub(crate) fn plain() -> Self {
        let holder = Holder { cash: 10_000_000, aside: 0, held: 300, bought_today: 0, other: 0, buys: 0, sells: 0 };
        Self {
            holders: vec![holder],
            size: Size::All,
            side: Some(Side::Sell),
            base: CapitalBase::None,
            allocation: Allocation::FixedRatio,
            ratio: Ratio::ONE,
            star: false,
            last: 100_000,
            spread: 0,
            limit: None,
        }
    }
}

/// What the others' shares are worth.
pub(crate) const OTHER_E4: i64 = 70_000;

pub(crate) fn index(account: &AccountId) -> usize {
    account.as_str()[1..].parse().expect("a number")
}

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

pub(crate) fn planned(case: &Case) -> Result<Plan, Vec<Denial>> {
    let day = TradeDate::from_yyyymmdd(20_250_303).expect("a date");
    let at = china_instant(day, 10, 0, 0);
    let symbol = Symbol::parse(if case.star { "688981.SH" } else { "600000.SH" }).expect("a symbol");
    let other = Symbol::parse("000001.SZ").expect("a symbol");
    let name = |text: &str| StrategyId::parse(text).expect("a name");
    let accounts: Vec<AccountId> =
        (0..case.holders.len()).map(|n| AccountId::parse(&format!("a{n}")).expect("a name")).collect();
    let (mut ledgers, mut aside, mut quotes) = (Ledgers::default(), SetAside::default(), Quotes::default());
    for (id, holder) in accounts.iter().zip(&case.holders) {
        let book = |symbol, strategy: &str, qty: i64, today: i64| Book {
            symbol,
            strategy: name(strategy),
            qty: Qty::new(qty),
            bought_today: Qty::new(today),
            cost: Money::from_units(1),
            realized_pnl: Money::ZERO,
            entry: None,
            day: None,
        };
        let books = vec![
            book(symbol, "s", holder.held, holder.bought_today),
            book(other, "s", holder.other, 0),
            book(other, "t", holder.other, 0),
        ];
        ledgers.put(Ledger::restore(id.clone(), Money::from_e4(holder.cash), Some(day), None, books));
        aside.put(id, Money::from_e4(holder.aside));
    }
    let quote = |symbol, last: i64, spread: i64| Quote {
        symbol,
        last: Price::from_e4(last),
        bid: Some(Price::from_e4(last - spread)),
        ask: Some(Price::from_e4(last + spread)),
        bid_size: None,
        ask_size: None,
        volume: None,
        prev_close: None,
        at,
    };
    quotes.put(quote(symbol, case.last, case.spread));
    quotes.put(quote(other, OTHER_E4, 0));
    let group = GroupId::parse("g").expect("a name");
    let conf = StrategyConf {
        id: name("s"),
        kind: "external".into(),
        routes: vec![Route {
            follow_ratio: case.ratio,
            allocation: case.allocation,
            capital_base: case.base,
            ..Route::plain(RouteTo::Group(group.clone()))
        }],
    };
    let signal = Signal {
        id: SignalId::new(1),
        source: Source::Signal,
        strategy: name("s"),
        account: None,
        client: ClientId::parse("c").expect("a name"),
        client_signal_id: "k".into(),
        symbol,
        side: case.side,
        position_effect: None,
        size: case.size,
        ord_type: if case.limit.is_some() { OrdType::Limit } else { OrdType::Market },
        limit_price: case.limit,
        time_in_force: TimeInForce::Day,
        valid_until: None,
        execution: None,
        tag: None,
        received_at: at,
        notes: Notes::default(),
    };
    let pending = |account: &AccountId, _| {
        let holder = &case.holders[index(account)];
        Pending { buys: Qty::new(holder.buys), sells: Qty::new(holder.sells), ..Pending::default() }
    };
    MARKET.with(|market| {
        let view =
            View { market, quotes: &quotes, ledgers: &ledgers, states: &TradingStates::default(), aside: &aside };
        plan(at, view, &signal, &conf, &HashMap::from([(group, accounts)]), pending)
    })
}
