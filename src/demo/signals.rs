//! Two small strategies that send signals through the same door as everybody else.
//!
//! They are here to make orders, not money: one buys dips below a moving average, one keeps a target position that
//! moves with the clock. What they decide depends on the recorded trades alone, so every run of the day is the same.

use std::collections::HashMap;
use std::sync::Arc;

use signalbox_domain::ids::{ClientId, SignalId, StrategyId};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::quote::Print;
use signalbox_domain::signal::{Notes, Signal, Size, Source};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Span, Timestamp};
use tracing::warn;

use crate::store::{NewSignal, body_hash};
use crate::system::Signalbox;

/// What one of the two wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub strategy: &'static str,
    pub symbol: Symbol,
    pub side: Option<Side>,
    pub size: Size,
    pub limit_price: Option<Price>,
    pub at: Timestamp,
}

/// Buys 1,700 shares over all accounts whenever a price falls three thousandths below its average, at most once in ten
/// minutes per symbol.
#[derive(Debug, Default)]
pub struct DipBuyer {
    average_e4: HashMap<Symbol, i64>,
    bought_at: HashMap<Symbol, Timestamp>,
}

impl DipBuyer {
    const PAUSE: Span = Span::from_secs(600);

    pub fn see(&mut self, print: &Print) -> Option<Wish> {
        let price = print.price.e4();
        // An exponential average over about fifty trades, in integers.
        let average = self.average_e4.entry(print.symbol).or_insert(price);
        *average += (price - *average) / 50;
        let dip = price * 1_000 < *average * 997;
        let rested = self.bought_at.get(&print.symbol).is_none_or(|at| print.at.since(*at) > Self::PAUSE);
        (dip && rested).then(|| {
            self.bought_at.insert(print.symbol, print.at);
            Wish {
                strategy: "dip-buyer",
                symbol: print.symbol,
                side: Some(Side::Buy),
                size: Size::Quantity(Qty::new(1_700)),
                limit_price: Some(print.price),
                at: print.at,
            }
        })
    }
}

/// Raises the target position of each symbol by 1,700 shares every quarter of an hour, up to eight times.
#[derive(Debug, Default)]
pub struct Rebalancer {
    next: HashMap<Symbol, (Timestamp, i64)>,
}

impl Rebalancer {
    const EVERY: Span = Span::from_secs(900);
    const STEPS: i64 = 8;

    pub fn see(&mut self, print: &Print) -> Option<Wish> {
        let (due, step) = self.next.entry(print.symbol).or_insert((print.at.plus(Span::from_secs(60)), 0));
        if print.at < *due || *step >= Self::STEPS {
            return None;
        }
        *step += 1;
        *due = print.at.plus(Self::EVERY);
        Some(Wish {
            strategy: "rebalancer",
            symbol: print.symbol,
            side: None,
            size: Size::TargetQuantity(Qty::new(1_700 * *step)),
            limit_price: None,
            at: print.at,
        })
    }
}

/// Sends a wish. The key is made from what happened, so a run that repeats the day repeats the keys, and nothing is
/// bought twice.
pub async fn send(system: &Signalbox, wish: Wish) {
    let key = format!("demo-{}-{}-{}", wish.strategy, wish.symbol, wish.at.us());
    let (Ok(strategy), Ok(client)) = (StrategyId::parse(wish.strategy), ClientId::parse("demo")) else { return };
    let signal = Signal {
        id: SignalId::new(0),
        source: Source::Signal,
        strategy,
        account: None,
        client,
        client_signal_id: Arc::from(key.as_str()),
        symbol: wish.symbol,
        side: wish.side,
        position_effect: None,
        size: wish.size,
        ord_type: if wish.limit_price.is_some() { OrdType::Limit } else { OrdType::Market },
        limit_price: wish.limit_price,
        time_in_force: TimeInForce::Day,
        valid_until: None,
        execution: None,
        tag: None,
        received_at: system.desk.now(),
        notes: Notes::default(),
    };
    let body_hash = body_hash(&signal);
    if let Err(error) = system.store.ingest(NewSignal { signal, body_hash }).await {
        warn!("a signal of the demonstration was not taken: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::prints::RecordedDay;

    #[test]
    fn both_find_something_to_do_on_the_recorded_day_and_always_the_same() {
        let day = RecordedDay::load().unwrap();
        let wishes = || {
            let (mut dips, mut targets) = (DipBuyer::default(), Rebalancer::default());
            let found: Vec<Wish> =
                day.prints.iter().flat_map(|p| dips.see(p).into_iter().chain(targets.see(p))).collect();
            found
        };
        let first = wishes();
        assert!(first.iter().any(|w| w.strategy == "dip-buyer"));
        assert!(first.iter().any(|w| w.strategy == "rebalancer"));
        assert_eq!(first, wishes());
    }
}
