//! The market feed: quotes and prints come in, the board and the paper venue see them, accounts hear what it did.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use actix::{Actor, Context, Handler, Message};
use signalbox_brokers::paper::PaperExchange;
use signalbox_domain::broker::BrokerReport;
use signalbox_domain::ids::AccountId;
use signalbox_domain::market::DayEnd;
use signalbox_domain::quote::{Bar, Print, Quote};
use signalbox_domain::symbol::Symbol;
use tokio::sync::oneshot;

use crate::board::Board;
use crate::port::tell;
use crate::{account, risk, strategy};

/// Feeds quotes and prints to everyone on this thread.
#[derive(Debug)]
pub struct MarketActor {
    board: Rc<Board>,
    exchange: PaperExchange,
}

impl MarketActor {
    #[must_use]
    pub const fn new(board: Rc<Board>, exchange: PaperExchange) -> Self {
        Self { board, exchange }
    }

    fn deliver(&self, reports: Vec<(AccountId, BrokerReport)>) {
        let mut by_account: BTreeMap<AccountId, Vec<BrokerReport>> = BTreeMap::new();
        for (account, report) in reports {
            by_account.entry(account).or_default().push(report);
        }
        for (account, reports) in by_account {
            if let Some(account) = self.board.directory.account(&account) {
                tell(&account, account::Reported(reports));
            }
        }
    }
}

impl MarketActor {
    /// Rings for the strategies that wait for these prices.
    fn ring(&self, shown: &BTreeSet<Symbol>) {
        if let Some(risk) = self.board.directory.risk.borrow().as_ref()
            && !self.board.watch_rung.replace(true)
        {
            tell(risk, risk::Shown);
        }
        for id in self.board.rings(|symbol| shown.contains(&symbol)) {
            match self.board.directory.strategy(&id) {
                Some(strategy) => tell(&strategy, strategy::Quoted),
                None => drop(self.board.rung.borrow_mut().remove(&id)),
            }
        }
    }
}

impl Actor for MarketActor {
    type Context = Context<Self>;
}

/// New quotes, oldest first. One that is older than the newest of its symbol is passed over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Quotes {
    pub quotes: Vec<Quote>,
    /// Told once the board shows them.
    pub answer: Option<oneshot::Sender<()>>,
}

impl Handler<Quotes> for MarketActor {
    type Result = ();

    fn handle(&mut self, message: Quotes, _: &mut Self::Context) {
        let at = self.board.clock.now();
        let (mut reports, mut shown) = (Vec::new(), BTreeSet::new());
        for quote in message.quotes {
            if self.board.quotes.borrow().is_past(quote.symbol, quote.at) {
                continue;
            }
            shown.insert(quote.symbol);
            reports.append(&mut self.exchange.quote(at, &quote));
            self.board.quotes.borrow_mut().put(quote);
        }
        self.deliver(reports);
        self.ring(&shown);
        if let Some(answer) = message.answer {
            let _ = answer.send(());
        }
    }
}

/// Trades of others, oldest first.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Prints(pub Vec<Print>);

impl Handler<Prints> for MarketActor {
    type Result = ();

    fn handle(&mut self, message: Prints, _: &mut Self::Context) {
        let at = self.board.clock.now();
        let (mut reports, mut shown) = (Vec::new(), BTreeSet::new());
        for print in message.0 {
            shown.insert(print.symbol);
            self.board.quotes.borrow_mut().print(&print);
            reports.append(&mut self.exchange.print(at, &print));
        }
        self.deliver(reports);
        self.ring(&shown);
    }
}

/// Bars that are over, oldest first. One that ended before the newest quote of its symbol is passed over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Bars {
    pub bars: Vec<Bar>,
    /// Told once the board shows them.
    pub answer: oneshot::Sender<()>,
}

impl Handler<Bars> for MarketActor {
    type Result = ();

    fn handle(&mut self, message: Bars, _: &mut Self::Context) {
        let at = self.board.clock.now();
        let (mut reports, mut shown) = (Vec::new(), BTreeSet::new());
        for bar in message.bars {
            if self.board.quotes.borrow().is_past(bar.symbol, bar.at) {
                continue;
            }
            shown.insert(bar.symbol);
            self.board.quotes.borrow_mut().bar(&bar);
            reports.append(&mut self.exchange.bar(at, &bar));
        }
        self.deliver(reports);
        self.ring(&shown);
        let _ = message.answer.send(()); // who asked may be gone
    }
}

/// A market is done with its day: day orders expire.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct MarketEnds(pub DayEnd);

impl Handler<MarketEnds> for MarketActor {
    type Result = ();

    fn handle(&mut self, message: MarketEnds, _: &mut Self::Context) {
        let reports = self.exchange.end(self.board.clock.now(), message.0);
        self.deliver(reports);
    }
}

/// For drills: the feed panics, and the process ends.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Panic;

impl Handler<Panic> for MarketActor {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        #[expect(clippy::panic, reason = "that is what was asked for")]
        {
            panic!("planted panic in the market feed");
        }
    }
}
