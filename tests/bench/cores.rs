//! The pure cores on one thread: signal, plan, risk, account, paper fill, and everybody told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use signalbox_brokers::Broker as _;
use signalbox_brokers::paper::{PaperBroker, PaperExchange};
use signalbox_domain::account::{Account, AccountEffects, AccountInput};
use signalbox_domain::ledger::Ledger;
use signalbox_domain::paper::VenueConf;
use signalbox_domain::risk::{Risk, RiskEffects, RiskInput};
use signalbox_domain::strategy::{Strategy, StrategyEffects, StrategyInput};
use signalbox_domain::view::{Ledgers, Quotes, SetAside, TradingStates, View};
use signalbox_support::desk;

use crate::report::{Report, median};

const ORDERS: u64 = 100_000;

pub(crate) fn run(report: &mut Report) {
    let rounds = (0..5).map(|_| round()).collect();
    report.at_most("pure cores, signal to paper fill", median(rounds), "us/order", 6.0);
}

fn round() -> f64 {
    let market = desk::market();
    let at = desk::monday_morning();
    let boot = desk::account(0);
    let mut quotes = Quotes::default();
    quotes.put(desk::quote(at, 100_000));
    let exchange = PaperExchange::new(VenueConf::default());
    let _ = exchange.quote(at, &desk::quote(at, 100_000));
    let mut broker = PaperBroker::new(desk::account_id(0), exchange);
    let (states, aside) = (TradingStates::default(), SetAside::default());
    let mut ledgers = Ledgers::default();
    let mut ledger = Ledger::new(desk::account_id(0));
    let mut account = Account::new(boot.conf.clone());
    let open = AccountInput::Open { cash: boot.opening_cash, holdings: boot.opening_holdings.clone() };
    account.handle(at, &states, &mut ledger, open, &mut AccountEffects::default());
    ledgers.put(ledger);
    let mut risk = Risk::new(HashMap::from([(desk::account_id(0), boot.limits.clone())]), std::iter::empty());
    let rest = desk::strategy(false);
    let mut strategy = Strategy::new(rest.conf, rest.version, rest.state, Arc::default());
    let signals: Vec<_> = (1..=ORDERS).map(|id| desk::buy(id, at)).collect();

    let start = Instant::now();
    for signal in signals {
        let mut fx = StrategyEffects::default();
        let view = View { market: &market, quotes: &quotes, ledgers: &ledgers, states: &states, aside: &aside };
        strategy.handle(at, view, StrategyInput::Signals(vec![signal]), &mut fx);
        let mut checked = RiskEffects::default();
        risk.handle(at, view, RiskInput::Check(fx.check), &mut checked);
        let mut effects = AccountEffects::default();
        let ledger = ledgers.get_mut(&desk::account_id(0)).unwrap();
        for approved in checked.approved {
            account.handle(at, &states, ledger, AccountInput::Submit(approved), &mut effects);
        }
        for request in std::mem::take(&mut effects.broker) {
            let reports = futures_util::FutureExt::now_or_never(broker.call(at, &request)).unwrap();
            for said in reports {
                account.handle(at, &states, ledger, AccountInput::Broker(said), &mut effects);
            }
        }
        let view = View { market: &market, quotes: &quotes, ledgers: &ledgers, states: &states, aside: &aside };
        let mut fx = StrategyEffects::default();
        for order in effects.observed {
            risk.handle(at, view, RiskInput::Observed(order.clone()), &mut RiskEffects::default());
            strategy.handle(at, view, StrategyInput::Observed(order), &mut fx);
        }
        std::hint::black_box((&effects.events, &effects.rows, fx));
    }
    let took = start.elapsed();
    let held = ledgers.get(&desk::account_id(0)).unwrap().holding(desk::symbol()).qty.get();
    assert_eq!(held, 100 * ORDERS as i64, "everything was filled");
    took.as_secs_f64() * 1e6 / ORDERS as f64
}
