//! What risk looks after by itself, against an oracle that walks along with every price, fill and transfer of money.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use signalbox_domain::calendar::{Calendar, china_instant};
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::ids::{AccountId, StrategyId};
use signalbox_domain::instrument::Instruments;
use signalbox_domain::ledger::{Adjustment, Ledger, Marking, Trade};
use signalbox_domain::market::Market;
use signalbox_domain::order::Side;
use signalbox_domain::quote::Quote;
use signalbox_domain::risk::losses::{Loss, LossStep};
use signalbox_domain::risk::monitors::{Distance, MonitorKind};
use signalbox_domain::risk::{Limits, Risk, RiskEffects, RiskInput};
use signalbox_domain::rules::RuleBook;
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

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The price moves by so many hundredths of a per cent.
    Move(i64),
    Buy(i64),
    Sell(i64),
    /// Whole yuan come, or go.
    Money(i64),
    NextDay,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (-350_i64..330).prop_map(Step::Move),
        2 => (1_i64..40).prop_map(|lots| Step::Buy(lots * 100)),
        2 => (1_i64..40).prop_map(|lots| Step::Sell(lots * 100)),
        1 => (-20_000_i64..40_000).prop_map(Step::Money),
        2 => Just(Step::NextDay),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

const DAYS: [u32; 8] = [20_250_303, 20_250_304, 20_250_305, 20_250_306, 20_250_307, 20_250_310, 20_250_311, 20_250_312];
const FEE: i64 = 50_000;

/// Everything that can be said of the account without asking a ledger, in 1/10,000 yuan.
#[derive(Debug, Default)]
struct Oracle {
    cash: i128,
    held: i128,
    bought_today: i128,
    px: i128,
    gain: i128,
    /// Worth at the day's beginning, the money that came since, and the most of that at any time.
    began: i128,
    came: i128,
    came_most: i128,
    tripped: bool,
    /// Since the entry: the highest price, and whether the monitor went off on this day.
    high: i128,
    fired: bool,
}

impl Oracle {
    fn base(&self) -> i128 {
        self.began + self.came_most
    }

    fn look(&mut self) {
        let (lost, base) = (-self.gain, self.base());
        // Five per cent; where there is no capital, any loss.
        self.tripped |= lost > 0 && (base <= 0 || lost * 1_000_000 / base >= 50_000);
    }
}

struct Desk {
    risk: Risk,
    limits: HashMap<AccountId, Arc<Limits>>,
    ledgers: Ledgers,
    quotes: Quotes,
    states: TradingStates,
    marks: HashMap<Scope, Arc<signalbox_domain::risk::EquityMark>>,
    account: AccountId,
    strategy: StrategyId,
    symbol: Symbol,
}

impl Desk {
    fn ledger(&mut self) -> &mut Ledger {
        self.ledgers.get_mut(&self.account).expect("a ledger")
    }

    fn view<R>(&self, step: impl FnOnce(View<'_>) -> R) -> R {
        let aside = SetAside::default();
        MARKET.with(|market| {
            let (quotes, ledgers, states) = (&self.quotes, &self.ledgers, &self.states);
            step(View { market, quotes, ledgers, states, aside: &aside })
        })
    }

    /// Returns how many positions were given up.
    fn watch(&mut self, at: Timestamp) -> usize {
        let (mut fx, aside) = (RiskEffects::default(), SetAside::default());
        let Self { risk, quotes, ledgers, states, .. } = self;
        MARKET.with(|market| {
            let view = View { market, quotes, ledgers, states, aside: &aside };
            risk.handle(at, view, RiskInput::Watch, &mut fx);
        });
        for event in &fx.events {
            match event {
                Event::TradingStateSet { scope, state, .. } => self.states.set(scope, *state),
                Event::EquityMarked(mark) => drop(self.marks.insert(mark.scope.clone(), mark.clone())),
                _ => {}
            }
        }
        fx.exits.len()
    }

    /// Another process goes on from what was journaled.
    fn restart(&mut self) {
        self.risk = Risk::new(self.limits.clone(), std::iter::empty());
        self.risk.restore_marks(self.marks.values().cloned());
    }
}

fn cases() -> ProptestConfig {
    let cases = option_env!("SIGNALBOX_CASES").and_then(|cases| cases.parse().ok()).unwrap_or(500);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_lost_and_what_is_given_up_is_what_the_oracle_says(steps in steps()) {
        let account = AccountId::parse("a").expect("a name");
        let limits = Limits {
            daily_loss: Ratio::from_percent(5),
            drawdown: Ratio::from_percent(99),
            entry_drawdown: Distance::new(Ratio::from_percent(6)),
            ..Limits::default()
        };
        let limits = HashMap::from([(account.clone(), Arc::new(limits))]);
        let mut desk = Desk {
            risk: Risk::new(limits.clone(), std::iter::empty()),
            limits,
            ledgers: Ledgers::default(),
            quotes: Quotes::default(),
            states: TradingStates::default(),
            marks: HashMap::new(),
            account: account.clone(),
            strategy: StrategyId::parse("s").expect("a name"),
            symbol: Symbol::parse("600000.SH").expect("a symbol"),
        };
        let (symbol, strategy) = (desk.symbol, desk.strategy.clone());
        let mut day = 0;
        let date = |day: usize| TradeDate::from_yyyymmdd(DAYS[day]).expect("a date");
        let mut at = china_instant(date(0), 9, 31, 0);
        let mut oracle = Oracle { cash: 1_000_000_000, began: 1_000_000_000, px: 100_000, ..Oracle::default() };
        let mut ledger = Ledger::new(account.clone());
        ledger.open(at, Money::from_e4(1_000_000_000), &[]);
        ledger.start_day(date(0));
        desk.ledgers.put(ledger);
        let mut prev_close = 100_000_i64;
        let show = |desk: &mut Desk, at: Timestamp, px: i128, prev: i64| {
            desk.quotes.put(Quote {
                symbol,
                last: Price::from_e4(px as i64),
                bid: None,
                ask: None,
                bid_size: None,
                ask_size: None,
                volume: None,
                prev_close: Some(Price::from_e4(prev)),
                at,
            });
        };
        show(&mut desk, at, oracle.px, prev_close);
        desk.watch(at);
        for step in steps {
            at = at.plus(Span::from_secs(1));
            match step {
                Step::Move(by) => {
                    let px = (oracle.px * (10_000 + i128::from(by)) / 10_000).max(100);
                    oracle.gain += oracle.held * (px - oracle.px);
                    oracle.px = px;
                    oracle.high = oracle.high.max(px);
                    show(&mut desk, at, px, prev_close);
                }
                Step::Buy(qty) => {
                    let trade = Trade {
                        symbol, side: Side::Buy, qty: Qty::new(qty), px: Price::from_e4(oracle.px as i64),
                        fee: Money::from_e4(FEE),
                    };
                    desk.ledger().fill(at, &strategy, trade);
                    if oracle.held == 0 {
                        (oracle.high, oracle.fired) = (oracle.px, false);
                    }
                    oracle.held += i128::from(qty);
                    oracle.bought_today += i128::from(qty);
                    oracle.cash -= i128::from(qty) * oracle.px + i128::from(FEE);
                    oracle.gain -= i128::from(FEE);
                }
                Step::Sell(qty) => {
                    let qty = i128::from(qty).min(oracle.held - oracle.bought_today);
                    if qty <= 0 {
                        continue;
                    }
                    let trade = Trade {
                        symbol, side: Side::Sell, qty: Qty::new(qty as i64), px: Price::from_e4(oracle.px as i64),
                        fee: Money::from_e4(FEE),
                    };
                    desk.ledger().fill(at, &strategy, trade);
                    oracle.held -= qty;
                    oracle.cash += qty * oracle.px - i128::from(FEE);
                    oracle.gain -= i128::from(FEE);
                }
                Step::Money(yuan) => {
                    let amount = Money::from_units(yuan);
                    desk.ledger().adjust(at, &Adjustment::Cash { amount });
                    oracle.cash += i128::from(amount.e4());
                    oracle.came += i128::from(amount.e4());
                    oracle.came_most = oracle.came_most.max(oracle.came);
                }
                Step::NextDay if day + 1 < DAYS.len() => {
                    day += 1;
                    prev_close = oracle.px as i64;
                    let marks = {
                        let Desk { ledgers, quotes, .. } = &desk;
                        let ledger = ledgers.get(&account).expect("a ledger");
                        ledger.marks(Marking::DayEnd, |symbol, since| quotes.seen_since(symbol, since))
                    };
                    at = china_instant(date(day), 9, 31, 0);
                    desk.ledger().mark(at, &marks, true);
                    desk.ledger().start_day(date(day));
                    oracle = Oracle {
                        began: oracle.cash + oracle.held * oracle.px, came: 0, came_most: 0, gain: 0, bought_today: 0,
                        tripped: false, fired: false, ..oracle
                    };
                    show(&mut desk, at, oracle.px, prev_close);
                }
                Step::NextDay => continue,
                Step::Restart => {
                    desk.restart();
                    // A new process does not know what went off: the door does, which takes a key once.
                    oracle.fired = false;
                }
            }
            let given_up = desk.watch(at);
            oracle.look();

            let scope = Scope::Account(account.clone());
            let all = desk.view(|view| desk.risk.worth(at, view));
            let worth = all.iter().find(|worth| worth.mark.scope == scope).expect("it is watched");
            prop_assert_eq!(i128::from(worth.gain.e4()), oracle.gain, "{:?} {:?}", step, oracle);
            prop_assert_eq!(i128::from(worth.mark.opened.e4()), oracle.base(), "{:?} {:?}", step, oracle);
            prop_assert_eq!(worth.mark.day == LossStep::Tripped, oracle.tripped, "{:?} {:?}", step, oracle);
            let reducing = desk.states.at(&scope) == TradingState::Reducing;
            prop_assert_eq!(reducing, worth.mark.holds == Some(Loss::Day), "nobody else sets it");
            prop_assert_eq!(reducing, oracle.tripped);

            let sellable = oracle.held - oracle.bought_today;
            let met = sellable > 0 && oracle.px * 1_000_000 <= oracle.high * 940_000;
            prop_assert_eq!(given_up, usize::from(met && !oracle.fired), "{:?} {:?}", step, oracle);
            oracle.fired |= met;
            if oracle.held == 0 {
                oracle.fired = false;
            }
            let told = desk.view(|view| desk.risk.monitors(at, view));
            prop_assert_eq!(told.len(), usize::from(oracle.held > 0));
            prop_assert!(told.iter().all(|monitor| monitor.kind == MonitorKind::EntryDrawdown));
        }
    }
}
