//! What each line of the ledger does to the fake broker. Nothing else changes it, so that a life that was killed goes on
//! where its ledger ends.

use std::collections::{BTreeMap, HashMap};

use signalbox_domain::broker::Level;
use signalbox_domain::order::Side;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, Qty, Timestamp};

use super::state::{Acc, Book, Due, FakeBroker, Trade, show_no};
use super::truth::{MadeFill, MadeOrder, Said, Truth};
use super::wire::{Push, PushWhat, Status};

impl FakeBroker {
    /// The one place where anything changes.
    pub(super) fn apply(&mut self, line: &Truth) {
        self.lines += 1;
        match line {
            Truth::Opened { account, level, cash, holdings } => {
                let acc = Acc {
                    level: *level,
                    cash: *cash,
                    cash_before: *cash,
                    holdings: holdings.iter().copied().collect(),
                    orders: BTreeMap::new(),
                    trades: Vec::new(),
                    before: (0, 0),
                    last_grid: None,
                    by_tag: HashMap::new(),
                    pushes: Vec::new(),
                    held_back: Vec::new(),
                    hangs_until: Timestamp::from_us(0),
                    session_over: false,
                    fills: None,
                };
                self.accounts.insert(account.clone(), acc);
            }
            Truth::Connected { at, account } => {
                self.now = *at;
                if let Some(acc) = self.accounts.get_mut(account) {
                    acc.session_over = false;
                }
            }
            Truth::Received { n, request } => {
                self.received = *n;
                self.now = request.at;
                self.requests.insert(*n, request.clone());
            }
            Truth::Waiting { n, due, ghost } => {
                if let Some(request) = self.requests.remove(n) {
                    self.waiting.insert(*n, (request, *ghost));
                    self.later(*due, Due::Make(*n));
                }
            }
            Truth::Refused { n, .. } | Truth::Nothing { n, .. } => {
                self.requests.remove(n);
                self.waiting.remove(n);
            }
            Truth::Made { n, at, order } => {
                self.requests.remove(n);
                self.waiting.remove(n);
                self.made(*at, order);
            }
            Truth::Filled { at, account, fill, said } => self.filled(*at, account, fill, *said),
            Truth::Busted { account, no, exec, .. } => self.busted(account, *no, exec),
            Truth::Canceled { account, no, .. } => self.ended(account, *no, Status::Canceled),
            Truth::Junked { account, no, .. } => self.ended(account, *no, Status::Junk),
            Truth::Armed { arm } => self.armory.arm(arm.clone()),
            Truth::Disarmed => {
                self.armory.clear();
                for acc in self.accounts.values_mut() {
                    acc.hangs_until = Timestamp::from_us(0);
                    acc.session_over = false;
                }
            }
            Truth::Struck { account, fault, .. } => self.armory.struck(account, *fault),
            Truth::Hangs { account, until } => {
                if let Some(acc) = self.accounts.get_mut(account) {
                    acc.hangs_until = *until;
                }
            }
            Truth::SessionOver { account } => {
                if let Some(acc) = self.accounts.get_mut(account) {
                    acc.session_over = true;
                }
            }
            Truth::Fills { account: None, policy } => {
                self.conf.fills = *policy;
                for acc in self.accounts.values_mut() {
                    acc.fills = None;
                }
            }
            Truth::Fills { account: Some(account), policy } => {
                if let Some(acc) = self.accounts.get_mut(account) {
                    acc.fills = Some(*policy);
                }
            }
            Truth::Price { symbol, px } => {
                self.prices.insert(*symbol, *px);
            }
            Truth::Night { at } => self.night(*at),
            Truth::CancelReceived { .. } | Truth::Served { .. } => {}
        }
    }

    fn night(&mut self, at: Timestamp) {
        self.now = at;
        // Each day has a stream of its own: what was not heard on the day is not told any more.
        self.stream += 1;
        self.due.clear();
        self.waiting.clear();
        self.requests.clear();
        let working = |acc: &Acc| -> Vec<u64> {
            acc.orders.values().filter(|book| book.status == Status::Working).map(|book| book.order.no).collect()
        };
        let open: Vec<(String, Vec<u64>)> =
            self.accounts.iter().map(|(name, acc)| (name.clone(), working(acc))).collect();
        for (account, orders) in open {
            for no in orders {
                self.ended(&account, no, Status::Canceled);
            }
        }
        for acc in self.accounts.values_mut() {
            acc.before = (self.orders, acc.trades.len());
            acc.pushes.clear();
            acc.by_tag.clear();
            acc.last_grid = None;
            acc.hangs_until = Timestamp::from_us(0);
        }
    }

    fn made(&mut self, at: Timestamp, order: &MadeOrder) {
        self.now = at;
        self.orders = self.orders.max(order.no);
        for (due, qty) in &order.plan {
            self.later(*due, Due::Fill { account: order.account.clone(), no: order.no, qty: *qty });
        }
        if let Some(due) = order.junk_at {
            self.later(due, Due::Junk { account: order.account.clone(), no: order.no });
        }
        let Some(acc) = self.accounts.get_mut(&order.account) else { return };
        if let Some(tag) = &order.tag {
            acc.by_tag.entry(tag.clone()).or_insert((order.no, at));
        }
        let book =
            Book { order: order.clone(), at, cum_qty: Qty::ZERO, canceled_qty: Qty::ZERO, status: Status::Working };
        acc.orders.insert(order.no, book);
        acc.say(order.no, PushWhat::Accepted, order.said);
    }

    fn filled(&mut self, at: Timestamp, account: &str, fill: &MadeFill, said: Said) {
        self.now = at;
        self.execs += 1;
        if let Some(due) = fill.bust_at {
            self.later(due, Due::Bust { account: account.to_owned(), no: fill.no, exec: fill.exec.clone() });
        }
        let Some(acc) = self.accounts.get_mut(account) else { return };
        let Some(book) = acc.orders.get_mut(&fill.no) else { return };
        book.cum_qty += fill.qty;
        if book.cum_qty >= book.order.qty {
            book.status = Status::Filled;
        }
        let (symbol, side) = (book.order.symbol, book.order.side);
        acc.move_shares(symbol, side, fill.qty, fill.px);
        acc.cash -= fill.fee;
        let MadeFill { no, exec, qty, px, fee, .. } = fill.clone();
        let trade = Trade { no, exec, symbol, side, qty, px, fee, at };
        acc.trades.push(trade);
        let px = if said == Said::WithoutPrice { Price::ZERO } else { fill.px };
        let what = PushWhat::Filled { exec: fill.exec.clone(), qty: fill.qty, px, at };
        acc.say(fill.no, what, said);
    }

    fn busted(&mut self, account: &str, no: u64, exec: &str) {
        let Some(acc) = self.accounts.get_mut(account) else { return };
        let Some(place) = acc.trades.iter().position(|trade| trade.no == no && trade.exec == exec) else { return };
        let trade = acc.trades.remove(place);
        let back = if trade.side == Side::Buy { Side::Sell } else { Side::Buy };
        acc.move_shares(trade.symbol, back, trade.qty, trade.px);
        acc.cash += trade.fee;
        if let Some(book) = acc.orders.get_mut(&no) {
            book.cum_qty -= trade.qty;
            // What is taken back does not work again.
            book.canceled_qty = book.order.qty - book.cum_qty;
            book.status = Status::Canceled;
        }
        acc.say(no, PushWhat::Busted { exec: exec.to_owned() }, Said::Once);
    }

    fn ended(&mut self, account: &str, no: u64, status: Status) {
        let Some(acc) = self.accounts.get_mut(account) else { return };
        let Some(book) = acc.orders.get_mut(&no) else { return };
        book.canceled_qty = book.leaves();
        book.status = status;
        let what = match status {
            Status::Junk => PushWhat::Junk { text: "废单".to_owned() },
            _ => PushWhat::Canceled,
        };
        acc.say(no, what, Said::Once);
    }
}

impl Acc {
    /// Puts something into the account's stream.
    fn say(&mut self, no: u64, what: PushWhat, said: Said) {
        if said == Said::AfterTheNext {
            self.held_back.push((no, what));
            return;
        }
        let again = (said == Said::Twice).then(|| (no, what.clone()));
        let held = std::mem::take(&mut self.held_back);
        for (no, what) in std::iter::once((no, what)).chain(again).chain(held) {
            let seq = self.pushes.len() as u64 + 1;
            let book = self.orders.get(&no).filter(|_| self.level >= Level::L2);
            let (tag, of) = (book.and_then(|book| book.order.tag.clone()), book.map(|book| book.order.shape()));
            self.pushes.push(Push { seq, no: show_no(no), tag, of, what });
        }
    }

    fn move_shares(&mut self, symbol: Symbol, side: Side, qty: Qty, px: Price) {
        self.cash_before = self.cash;
        let (shares, amount) = (self.holdings.entry(symbol).or_default(), px.times(qty));
        match side {
            Side::Buy => {
                *shares += qty;
                self.cash -= amount;
            }
            Side::Sell => {
                *shares -= qty;
                self.cash += amount;
            }
        }
    }
}
