//! What the stage shows when a story asks.

use std::fmt::Write;

use signalbox_domain::denial::{Denial, Measure};
use signalbox_domain::ids::{AccountId, OrderId};
use signalbox_domain::risk::monitors::MonitorState;
use signalbox_domain::units::Price;
use signalbox_domain::view::View;

use super::Stage;

pub(super) fn denial_codes(denials: &[Denial]) -> String {
    denials.iter().map(|denial| denial.code.to_string()).collect::<Vec<_>>().join(",")
}

fn measure(of: &Measure) -> String {
    match of {
        Measure::Qty(qty) => qty.to_string(),
        Measure::Word(word) => word.to_string(),
        other => format!("{other:?}"),
    }
}

impl Stage {
    /// Why an order was refused, with what was found and what would have passed.
    pub(super) fn numbers(&self, order: OrderId) -> Vec<String> {
        let tables = self.desk.tables();
        let (_, denials) = &tables.denied[&order];
        denials.iter().map(|d| format!("{}: {}, limit {}", d.code, measure(&d.value), measure(&d.limit))).collect()
    }

    /// How each monitor stands.
    pub(super) fn monitors(&self) -> Vec<String> {
        let desk = &self.desk;
        let (quotes, ledgers, states) = (&desk.quotes, &desk.ledgers, &desk.states);
        let view = View { market: &desk.market, quotes, ledgers, states, aside: &desk.aside };
        let told = desk.risk.monitors(desk.at, view).into_iter().map(|monitor| {
            let why = match monitor.state {
                MonitorState::Waits(why) | MonitorState::NotArmed(why) => format!(": {why}"),
                _ => String::new(),
            };
            let level = monitor.level.map_or("-".to_owned(), |px| px.to_string());
            let state: &str = monitor.state.into();
            format!("{} {} {} at {level} {state}{why}", monitor.strategy, monitor.symbol, monitor.kind)
        });
        told.collect()
    }

    /// What each book remembers, with what the market has shown up to now.
    pub(super) fn books(&self, account: &AccountId) -> Vec<String> {
        let ledger = self.desk.ledgers.get(account).expect("a ledger");
        let text = |px: Option<Price>| px.map_or("-".to_owned(), |px| px.to_string());
        let held = ledger.books().iter().filter(|book| !book.is_blank());
        held.map(|book| {
            let quote = self.desk.quotes.get(book.symbol);
            let entry = book.entry.as_ref();
            let seen = entry.and_then(|entry| self.desk.quotes.seen_since(book.symbol, entry.seen_until));
            let high = entry.and_then(|entry| entry.high).max(seen.map(|(high, ..)| high));
            let low = entry.and_then(|entry| entry.low).into_iter().chain(seen.map(|(_, low, _)| low)).min();
            let on = entry.and_then(|entry| entry.on).map_or("-".to_owned(), |on| on.to_string());
            let pnl = book.day_pnl(quote.map(|q| q.last), quote.and_then(|q| q.prev_close));
            format!(
                "{} {} {} since {on}, cost {} terminal {}, high {} low {}, realized {}, day {}",
                book.strategy,
                book.symbol,
                book.qty,
                text(book.cost.per(book.qty)),
                text(book.diluted_cost().and_then(|cost| cost.per(book.qty))),
                text(high),
                text(low),
                book.realized_pnl,
                pnl.map_or("-".to_owned(), |pnl| pnl.to_string()),
            )
        })
        .collect()
    }

    pub(super) fn show(&self, account: &AccountId) -> String {
        let ledger = self.desk.ledgers.get(account).expect("a ledger");
        let mut text = format!("{account}: cash {} reserved {}", ledger.cash, self.desk.risk.reserved_cash(account));
        for book in ledger.books().iter().filter(|book| !book.qty.is_zero()) {
            let sellable = book.qty - book.bought_today;
            let _ = write!(text, ", {} {} {} ({sellable} sellable)", book.strategy, book.symbol, book.qty);
        }
        for loan in ledger.loans() {
            let _ = write!(text, ", lent {} until {}", loan.sum, loan.due);
        }
        if !ledger.contracts().is_empty() {
            let _ = write!(text, ", margin {}", ledger.margin());
        }
        for book in ledger.contracts().iter().filter(|book| !book.qty().is_zero()) {
            let date = self.desk.market.trade_date(book.symbol, self.desk.at).unwrap_or(book.date);
            let (before, today) = book.on(date);
            let _ = write!(text, ", {} {} {} {before} and {today} today", book.strategy, book.symbol, book.direction);
        }
        text
    }
}
