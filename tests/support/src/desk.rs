//! A small trading desk on the rules and calendar of the real market, for tests of the shell and for the bench.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use signalbox_actors::clock::{Clock, MarketClock};
use signalbox_actors::journal::{
    AccountRest, Inbox, Journal, MemoryJournal, RestoreError, Restorer, RiskRest, StrategyRest,
};
use signalbox_actors::root::{AccountBoot, Boot};
use signalbox_actors::session::Connection;
use signalbox_brokers::paper::{PaperBroker, PaperExchange};
use signalbox_domain::account::AccountConf;
use signalbox_domain::calendar::{Calendar, china_instant};
use signalbox_domain::ids::{AccountId, ClientId, GroupId, SignalId, StrategyId};
use signalbox_domain::instrument::{Currency, Instruments};
use signalbox_domain::market::Market;
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::paper::VenueConf;
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::registry::{AccountFact, Fact, GroupFact};
use signalbox_domain::risk::Limits;
use signalbox_domain::risk::limits::{Crossing, HoldFor, ProgramReport};
use signalbox_domain::rules::RuleBook;
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::standing::{AccountMode, AccountState, Step};
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf, StrategyState, Unfinished};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};
use tokio::sync::Notify;

/// Monday 2025-03-03, 10:00 in Shanghai: an ordinary trading day.
#[must_use]
pub fn monday_morning() -> Timestamp {
    china_instant(date(20_250_303), 10, 0, 0)
}

fn date(yyyymmdd: u32) -> TradeDate {
    TradeDate::from_yyyymmdd(yyyymmdd).expect("a date")
}

/// The real market's rules.
#[must_use]
pub fn market() -> Market {
    let calendar = Calendar::parse(include_str!("../../../conf/calendars/cn_a_share_trading_days.csv"));
    let instruments = Instruments::parse(include_str!("../../../conf/instruments/cn_equity.csv"))
        .and_then(|all| all.with_history(include_str!("../../../conf/instruments/cn_status.csv")));
    let rules = RuleBook::parse(&[
        include_str!("../../../conf/rules/cn_equity_rules.csv"),
        include_str!("../../../conf/rules/cn_lots.csv"),
        include_str!("../../../conf/rules/cn_supplement.csv"),
    ]);
    Market::new(calendar.expect("calendar"), instruments.expect("instruments"), rules.expect("rules"))
}

#[must_use]
pub fn symbol() -> Symbol {
    Symbol::parse("000001.SZ").expect("a symbol")
}

/// A quote that fills any quantity.
#[must_use]
pub fn quote(at: Timestamp, last_e4: i64) -> Quote {
    Quote {
        symbol: symbol(),
        last: Price::from_e4(last_e4),
        bid: None,
        ask: None,
        bid_size: None,
        ask_size: None,
        volume: None,
        prev_close: Some(Price::from_e4(100_000)),
        at,
    }
}

/// Limits that let a flood through: the bench measures the checks, not their refusals.
#[must_use]
pub fn wide_limits() -> Limits {
    Limits {
        order_value: Ratio::from_percent(60),
        position: Ratio::from_percent(10_000),
        open_orders_max: 1_000_000,
        symbol_orders_max: u32::MAX,
        strategy_orders_max: u32::MAX,
        crossing: Crossing::Warn,
        crossing_hold: HoldFor::seconds(0),
        program_report: ProgramReport::OnFile,
        quote_age_market: Span::from_secs(86_400),
        quote_age_limit: Span::from_secs(86_400),
        messages_per_second: 10_000_000,
        messages_per_minute: u32::MAX,
        messages_per_day: u32::MAX,
        message_ceiling: u32::MAX,
        ..Limits::default()
    }
}

#[must_use]
pub fn account_id(n: usize) -> AccountId {
    AccountId::parse(&format!("acc-{n}")).expect("a name")
}

#[must_use]
pub fn strategy_id() -> StrategyId {
    StrategyId::parse("external").expect("a name")
}

/// An account with plenty of cash.
#[must_use]
pub fn account(n: usize) -> AccountBoot {
    let limits = wide_limits();
    AccountBoot {
        conf: AccountConf {
            id: account_id(n),
            capabilities: PaperBroker::capabilities(),
            pacing: limits.pacing(),
            doubt: DoubtConf::default(),
        },
        limits: Arc::new(limits),
        connection: Connection::Paper,
        opening_cash: Money::from_units(1_000_000_000_000),
        opening_holdings: Arc::from([]),
        rest: None,
    }
}

fn registered(n: usize) -> Fact {
    Fact::Account(Arc::new(AccountFact {
        id: account_id(n),
        version: 0,
        display_name: account_id(n).as_str().into(),
        broker: None,
        broker_account: None,
        on_paper: true,
        mode: AccountMode::Paper,
        state: AccountState::Enabled,
        step: Step::All,
        currency: Currency::Cny,
        cash: Money::ZERO,
        who: "conf".into(),
        reason: "".into(),
        at: Timestamp::default(),
    }))
}

/// A strategy that sends to all of the first `accounts` accounts alike, or to the first alone.
#[must_use]
pub fn strategy(everywhere: bool) -> StrategyRest {
    let to = if everywhere {
        RouteTo::Group(GroupId::parse("all").expect("a name"))
    } else {
        RouteTo::Account(account_id(0))
    };
    let route = Route::plain(to);
    StrategyRest {
        conf: Arc::new(StrategyConf { id: strategy_id(), kind: "external".into(), routes: vec![route] }),
        version: 1,
        state: StrategyState::Active,
        unfinished: Vec::new(),
    }
}

/// A signal to buy one lot.
#[must_use]
pub fn buy(id: u64, at: Timestamp) -> Arc<Signal> {
    Arc::new(Signal {
        id: SignalId::new(id),
        source: Source::Signal,
        strategy: strategy_id(),
        account: None,
        client: ClientId::parse("bench").expect("a name"),
        client_signal_id: format!("k{id}").into(),
        symbol: symbol(),
        side: Some(Side::Buy),
        position_effect: None,
        size: Size::Quantity(Qty::new(100)),
        ord_type: OrdType::Limit,
        limit_price: Some(Price::from_e4(100_000)),
        time_in_force: TimeInForce::Day,
        valid_until: None,
        execution: None,
        tag: None,
        received_at: at,
        notes: Notes::default(),
    })
}

/// An inbox in memory.
#[derive(Debug, Default)]
pub struct MemoryInbox(Mutex<VecDeque<Arc<Signal>>>);

impl MemoryInbox {
    pub fn put(&self, signal: Arc<Signal>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(signal);
    }
}

impl Inbox for MemoryInbox {
    fn take(&self, strategy: &StrategyId, max: usize) -> Vec<Arc<Signal>> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let n = queue.len().min(max);
        if queue.front().is_some_and(|signal| signal.strategy != *strategy) {
            return Vec::new();
        }
        queue.drain(..n).collect()
    }
}

/// Nothing was ever stored.
#[derive(Debug)]
pub struct Nothing;

#[async_trait]
impl Restorer for Nothing {
    async fn account(&self, _: &AccountId) -> Result<Option<AccountRest>, RestoreError> {
        Ok(None)
    }

    async fn strategy(&self, _: &StrategyId) -> Result<Option<StrategyRest>, RestoreError> {
        Ok(None)
    }

    async fn signal(&self, _: SignalId) -> Result<Option<Unfinished>, RestoreError> {
        Ok(None)
    }
}

/// What it takes to boot a desk with `accounts` accounts on the given journal and inbox.
#[must_use]
pub fn boot(
    accounts: usize,
    everywhere: bool,
    journal: Arc<dyn Journal>,
    committed: Arc<Notify>,
    inbox: Arc<dyn Inbox>,
    restorer: Arc<dyn Restorer>,
) -> Boot {
    let clock: Arc<dyn Clock> = Arc::new(MarketClock::starting_at(monday_morning(), 1));
    let group = Fact::Group(Arc::new(GroupFact {
        id: GroupId::parse("all").expect("a name"),
        version: 0,
        accounts: (0..accounts).map(account_id).collect(),
        opted_out: Vec::new(),
        deleted: false,
        who: "conf".into(),
        reason: "".into(),
        at: Timestamp::default(),
    }));
    Boot {
        clock,
        journal,
        committed,
        inbox,
        restorer,
        market: market(),
        exchange: PaperExchange::new(VenueConf::default()),
        accounts: (0..accounts).map(account).collect(),
        strategies: vec![strategy(everywhere)],
        registered: (0..accounts).map(registered).chain([group]).collect(),
        open: Rc::new(|_| Err("nothing is opened here".to_owned())),
        states: signalbox_domain::view::TradingStates::default(),
        risk: RiskRest::default(),
        door: Arc::new(MemoryJournal::default()),
        on_fatal: Arc::new(|what| panic!("{what}")),
    }
}
