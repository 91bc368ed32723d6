//! The fake broker itself: a pure machine. It is told the time, and everything it decides is a line of its ledger first.

use std::collections::{BTreeMap, HashMap};

use signalbox_domain::broker::Level;
use signalbox_domain::fees::FeeRules;
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Span, Timestamp};

use super::fault::{Arm, Armory, Fault, Group, Strike, mix};
use super::truth::{MadeFill, MadeOrder, Said, Truth};
use super::wire::{
    CancelRequest, ConnectRequest, Control, FillPolicy, FindRequest, Found, FoundFill, Grid, Push, PushRequest,
    PushWhat, Pushes, Reply, Status, SubmitRequest,
};

/// Shares per lot, for the faults that round.
pub(super) const LOT: i64 = 100;

/// Pushes per answer. A client that begins the day again takes them in bites.
const PUSHES_MAX: usize = 500;

/// How the broker is set up.
#[derive(Debug, Clone)]
pub struct FakeConf {
    pub seed: u64,
    /// What an account opens with that is not opened by hand.
    pub cash: Money,
    pub fills: FillPolicy,
    /// The price of market orders in symbols that were given none.
    pub px: Price,
    /// How long an id is enforced at level L3.
    pub id_lives: Span,
    /// What trading costs. Nothing when there are none.
    pub fees: Option<FeeRules>,
}

impl Default for FakeConf {
    fn default() -> Self {
        Self {
            seed: 1,
            cash: Money::from_units(100_000_000),
            fills: FillPolicy::AtOnce,
            px: Price::from_e4(100_000),
            id_lives: Span::from_secs(600),
            fees: None,
        }
    }
}

/// An answer and how it reaches the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    pub what: T,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Now,
    AfterMs(u64),
    /// The line is cut.
    Cut,
}

impl<T> Answer<T> {
    const fn now(what: T) -> Self {
        Self { what, how: How::Now }
    }
}

/// See the module. [`FakeBroker::take_ledger`] gives the lines that have to be durable before an answer leaves.
#[derive(Debug)]
pub struct FakeBroker {
    pub(super) conf: FakeConf,
    pub(super) accounts: BTreeMap<String, Acc>,
    pub(super) armory: Armory,
    /// Lines so far: the dice of the faults.
    pub(super) lines: u64,
    pub(super) fresh: Vec<Truth>,
    pub(super) received: u64,
    pub(super) orders: u64,
    pub(super) execs: u64,
    pub(super) now: Timestamp,
    pub(super) due: BTreeMap<(Timestamp, u64), Due>,
    pub(super) dues: u64,
    /// Submits that are not orders yet.
    pub(super) waiting: BTreeMap<u64, (SubmitRequest, bool)>,
    pub(super) requests: BTreeMap<u64, SubmitRequest>,
    pub(super) prices: HashMap<Symbol, Price>,
    /// Tells one life's stream of pushes from another's: a client that comes back begins again.
    pub(super) stream: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Due {
    Make(u64),
    Fill { account: String, no: u64, qty: Qty },
    Junk { account: String, no: u64 },
    Bust { account: String, no: u64, exec: String },
}

/// One account.
#[derive(Debug, Clone)]
pub(super) struct Acc {
    pub(super) level: Level,
    pub(super) cash: Money,
    pub(super) cash_before: Money,
    pub(super) holdings: BTreeMap<Symbol, Qty>,
    pub(super) orders: BTreeMap<u64, Book>,
    pub(super) trades: Vec<Trade>,
    /// The last number of the days before, and how many trades they had: lists show what came after.
    pub(super) before: (u64, usize),
    pub(super) last_grid: Option<Grid>,
    pub(super) by_tag: HashMap<String, (u64, Timestamp)>,
    pub(super) pushes: Vec<Push>,
    pub(super) held_back: Vec<(u64, PushWhat)>,
    pub(super) hangs_until: Timestamp,
    pub(super) session_over: bool,
    pub(super) fills: Option<FillPolicy>,
}

/// One order at the broker.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) order: MadeOrder,
    pub(super) at: Timestamp,
    pub(super) cum_qty: Qty,
    pub(super) canceled_qty: Qty,
    pub(super) status: Status,
}

impl Book {
    pub(super) fn leaves(&self) -> Qty {
        if self.status == Status::Working { self.order.qty - self.cum_qty } else { Qty::ZERO }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Trade {
    pub(super) no: u64,
    pub(super) exec: String,
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) qty: Qty,
    pub(super) px: Price,
    pub(super) fee: Money,
    pub(super) at: Timestamp,
}

/// The number of an order as people and clients see it: always ten digits.
#[must_use]
pub fn show_no(no: u64) -> String {
    format!("{no:010}")
}

/// Where the numbers of orders begin that do not exist.
const NOTHING: u64 = 700_000_000;

/// Whether [`Fault::SubmitSuccessButNothing`] gave this number.
#[must_use]
pub fn names_nothing(no: &str) -> bool {
    no.parse().is_ok_and(|no: u64| no >= NOTHING)
}

impl FakeBroker {
    /// Takes up what an earlier life wrote down.
    #[must_use]
    pub fn resume(conf: FakeConf, ledger: &[Truth], stream: u64) -> Self {
        let mut broker = Self {
            conf,
            accounts: BTreeMap::new(),
            armory: Armory::default(),
            lines: 0,
            fresh: Vec::new(),
            received: 0,
            orders: 0,
            execs: 0,
            now: Timestamp::from_us(0),
            due: BTreeMap::new(),
            dues: 0,
            waiting: BTreeMap::new(),
            requests: BTreeMap::new(),
            prices: HashMap::new(),
            stream,
        };
        for line in ledger {
            broker.apply(line);
        }
        broker.forget_done();
        broker
    }

    /// Of what was planned, the part that an earlier life saw done is not due again.
    fn forget_done(&mut self) {
        let mut left: HashMap<u64, Qty> = HashMap::new();
        for acc in self.accounts.values() {
            left.extend(acc.orders.values().map(|book| (book.order.no, book.cum_qty)));
        }
        self.due.retain(|_, due| match due {
            Due::Make(n) => self.waiting.contains_key(n),
            Due::Fill { no, qty, .. } => match left.get_mut(no).filter(|done| **done >= *qty) {
                Some(done) => {
                    *done -= *qty;
                    false
                }
                None => true,
            },
            Due::Junk { .. } | Due::Bust { .. } => true,
        });
    }

    /// The lines since the last call, in order.
    #[must_use]
    pub fn take_ledger(&mut self) -> Vec<Truth> {
        std::mem::take(&mut self.fresh)
    }

    /// The newest instant that the broker knows of.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When something happens by itself.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// How long the account hangs from `at` on: whoever asks anything waits as long.
    #[must_use]
    pub fn hangs(&self, at: Timestamp, account: &str) -> Option<Span> {
        let until = self.accounts.get(account)?.hangs_until;
        (until > at).then(|| until.since(at))
    }

    #[must_use]
    pub fn armed(&self) -> Vec<Arm> {
        self.armory.armed()
    }

    /// Lets happen what is due. The clock is the clients': it goes back with theirs.
    pub fn tick(&mut self, at: Timestamp) {
        self.now = at;
        while let Some((key, due)) = self.due.first_key_value().map(|(key, due)| (*key, due.clone())) {
            if key.0 > self.now {
                return;
            }
            self.due.remove(&key);
            match due {
                Due::Make(n) => self.make_waiting(n),
                Due::Fill { account, no, qty } => self.fill(&account, no, qty),
                Due::Junk { account, no } => {
                    if self.book(&account, no).is_some_and(|book| book.cum_qty.is_zero() && !book.leaves().is_zero()) {
                        self.write(Truth::Junked { at: self.now, account, no });
                    }
                }
                Due::Bust { account, no, exec } => {
                    if self.accounts.get(&account).is_some_and(|acc| acc.trades.iter().any(|t| t.exec == exec)) {
                        self.write(Truth::Busted { at: self.now, account, no, exec });
                    }
                }
            }
        }
    }

    pub fn connect(&mut self, request: &ConnectRequest) -> Answer<Reply> {
        self.tick(request.at);
        let account = request.account.clone();
        if !self.accounts.contains_key(&account) {
            let (level, cash) = (request.level, self.conf.cash);
            self.write(Truth::Opened { account: account.clone(), level, cash, holdings: Vec::new() });
        }
        self.write(Truth::Connected { at: self.now, account: account.clone() });
        let ghosts = self.waiting.iter().filter(|(_, (request, ghost))| *ghost && request.account == account);
        let ghosts: Vec<u64> = ghosts.map(|(n, _)| *n).collect();
        for n in ghosts {
            self.make_waiting(n);
        }
        Answer::now(Reply::done("welcome"))
    }

    pub fn submit(&mut self, request: &SubmitRequest) -> Answer<Reply> {
        self.tick(request.at);
        if let Some(refusal) = self.refuse_session(&request.account) {
            return Answer::now(refusal);
        }
        let (n, account) = (self.received + 1, request.account.clone());
        self.write(Truth::Received { n, request: request.clone() });
        if let Some(known) = self.known_id(request) {
            return Answer::now(known);
        }
        let strike = self.strike(&account, |fault| fault.group() == Group::Submit);
        match strike {
            Some(strike) => self.submit_badly(n, request, strike),
            None => {
                let reply = self.make_and_reply(n, request, |_| {});
                Answer::now(reply)
            }
        }
    }

    /// An id that is enforced makes no second order: the first one answers.
    fn known_id(&mut self, request: &SubmitRequest) -> Option<Reply> {
        let acc = self.accounts.get(&request.account)?;
        if acc.level < Level::L3 {
            return None;
        }
        let tag = request.tag.as_ref()?;
        if self.is_waiting(&request.account, tag) {
            return Some(Reply::refused("ID_IN_PROGRESS"));
        }
        let (no, at) = *acc.by_tag.get(tag)?;
        let enforced = acc.level == Level::L4 || self.now.since(at) < self.conf.id_lives;
        enforced.then(|| self.show(&request.account, no, "the id is known"))
    }

    /// An id counts from when it arrives, for whoever sends it again and for whoever looks it up.
    fn is_waiting(&self, account: &str, tag: &str) -> bool {
        self.waiting.values().any(|(other, _)| other.account == account && other.tag.as_deref() == Some(tag))
    }

    fn submit_badly(&mut self, n: u64, request: &SubmitRequest, strike: Strike) -> Answer<Reply> {
        let (at, account) = (self.now, request.account.clone());
        let later = at.plus(Span::from_ms(i64::try_from(strike.ms).unwrap_or(0)));
        let bare = Reply::done("委托已提交");
        let waits = |broker: &mut Self, ghost| broker.write(Truth::Waiting { n, due: later, ghost });
        let refuse = |broker: &mut Self, code: &str| {
            broker.write(Truth::Refused { n, at, code: code.to_owned() });
            Answer::now(Reply::refused(code))
        };
        match strike.fault {
            Fault::SubmitAcceptNoReply => {
                let what = self.make_and_reply(n, request, |_| {});
                Answer { what, how: How::Cut }
            }
            Fault::SubmitReplyLate => {
                let what = self.make_and_reply(n, request, |_| {});
                Answer { what, how: How::AfterMs(strike.ms) }
            }
            Fault::SubmitReplyTwice => Answer::now(self.make_and_reply(n, request, |order| order.said = Said::Twice)),
            Fault::SubmitErrorButLive => {
                self.make_and_reply(n, request, |_| {});
                Answer::now(Reply::refused("-1"))
            }
            Fault::SubmitSuccessButNothing => {
                self.write(Truth::Nothing { n, at });
                let no = Some(show_no(self.orders + NOTHING));
                let tag = self.echo(&account, request.tag.as_ref());
                Answer::now(Reply { no: no.filter(|_| self.tells_numbers(&account)), tag, ..bare })
            }
            Fault::SubmitSuccessNoNumber => {
                self.make_and_reply(n, request, |_| {});
                Answer::now(bare)
            }
            Fault::SubmitNumberMisread => {
                let reply = self.make_and_reply(n, request, |_| {});
                Answer::now(Reply { no: reply.no.map(|_| "2".to_owned()), ..reply })
            }
            Fault::SubmitNumberOfAnother => {
                let before = self.accounts.get(&account).and_then(|acc| acc.orders.keys().next_back().copied());
                let reply = self.make_and_reply(n, request, |_| {});
                Answer::now(before.map_or(reply, |no| self.show(&account, no, "委托已提交")))
            }
            Fault::SubmitWrongSide => Answer::now(self.make_and_reply(n, request, |order| {
                order.side = if order.side == Side::Buy { Side::Sell } else { Side::Buy };
            })),
            Fault::SubmitQtyRounded => Answer::now(self.make_and_reply(n, request, |order| {
                order.qty = Qty::new((order.qty.get() - LOT).max(1));
            })),
            Fault::SubmitPriceMoved => Answer::now(self.make_and_reply(n, request, |order| {
                order.px = order.px.map(|px| Price::from_e4(px.e4() + 100));
            })),
            Fault::SubmitPlacedTwice => {
                let reply = self.make_and_reply(n, request, |_| {});
                self.make_and_reply(n, request, |_| {});
                Answer::now(reply)
            }
            Fault::SubmitGhost => {
                waits(self, true);
                Answer { what: bare, how: How::Cut }
            }
            Fault::SubmitQueued | Fault::SubmitFlowDelay => {
                waits(self, false);
                Answer::now(bare)
            }
            Fault::SubmitHung => {
                waits(self, false);
                self.write(Truth::Hangs { account, until: later });
                Answer { what: bare, how: How::AfterMs(strike.ms) }
            }
            Fault::SubmitSessionExpired => {
                self.write(Truth::SessionOver { account });
                refuse(self, "SESSION_EXPIRED")
            }
            Fault::SubmitCaptcha => refuse(self, "CAPTCHA"),
            Fault::SubmitUnknownDialog => refuse(self, "系统忙, 请稍候再试?"),
            Fault::SubmitFlowReject => refuse(self, "FLOW"),
            Fault::SubmitWrongAccount => {
                let other = self.accounts.keys().find(|name| **name != account).cloned();
                let other = other.unwrap_or_else(|| "somebody-else".to_owned());
                if !self.accounts.contains_key(&other) {
                    let (level, cash) = (Level::L1, self.conf.cash);
                    self.write(Truth::Opened { account: other.clone(), level, cash, holdings: Vec::new() });
                }
                let no = self.orders + 1;
                self.make_and_reply(n, request, |order| order.account = other);
                let no = Some(show_no(no)).filter(|_| self.tells_numbers(&account));
                let tag = self.echo(&account, request.tag.as_ref());
                Answer::now(Reply { no, tag, ..bare })
            }
            Fault::SubmitJunkAfterAck => Answer::now(self.make_and_reply(n, request, |order| {
                order.plan.clear();
                order.junk_at = Some(later);
            })),
            _ => Answer::now(self.make_and_reply(n, request, |_| {})),
        }
    }

    fn make_waiting(&mut self, n: u64) {
        if let Some((request, _)) = self.waiting.get(&n).cloned() {
            self.make_and_reply(n, &request, |_| {});
        }
    }

    /// Makes the order, or refuses it for a reason that an honest broker has.
    fn make_and_reply(&mut self, n: u64, request: &SubmitRequest, spoil: impl FnOnce(&mut MadeOrder)) -> Reply {
        let level = self.accounts.get(&request.account).map_or(Level::L0, |acc| acc.level);
        let no = self.orders + 1;
        let mut order = MadeOrder {
            no,
            account: request.account.clone(),
            tag: request.tag.clone().filter(|_| level >= Level::L2),
            hidden: request.hidden.clone(),
            symbol: request.symbol,
            side: request.side,
            ord_type: request.ord_type,
            px: request.px,
            qty: request.qty,
            plan: self.plan(&request.account, no, request.qty),
            junk_at: None,
            said: Said::Once,
        };
        spoil(&mut order);
        let total: i64 = order.plan.iter().map(|(_, qty)| qty.get()).sum();
        if total > order.qty.get() {
            order.plan = vec![(self.now, order.qty)];
        }
        // A fill that is told before the acknowledgement needs one of both.
        if !order.plan.is_empty()
            && let Some(_early) = self.strike(&order.account.clone(), |fault| fault == Fault::FillBeforeAck)
        {
            order.said = Said::AfterTheNext;
        }
        if let Err(code) = self.check(&order) {
            self.write(Truth::Refused { n, at: self.now, code: code.to_owned() });
            return Reply::refused(code);
        }
        let (account, ioc) = (order.account.clone(), request.tif == TimeInForce::Ioc);
        self.write(Truth::Made { n, at: self.now, order });
        self.tick(self.now);
        if ioc && self.book(&account, no).is_some_and(|book| !book.leaves().is_zero()) {
            self.write(Truth::Canceled { at: self.now, account: account.clone(), no });
        }
        self.show(&account, no, "委托已提交")
    }

    fn plan(&self, account: &str, no: u64, qty: Qty) -> Vec<(Timestamp, Qty)> {
        let policy = self.accounts.get(account).and_then(|acc| acc.fills).unwrap_or(self.conf.fills);
        let after = |ms: u64| self.now.plus(Span::from_ms(i64::try_from(ms).unwrap_or(0)));
        let dice = mix(self.conf.seed ^ no);
        match policy {
            FillPolicy::AtOnce => vec![(self.now, qty)],
            FillPolicy::After { ms } => vec![(after(ms), qty)],
            FillPolicy::Partly { percent, ms } => {
                let part = Qty::new(qty.get() * i64::from(percent.min(100)) / 100).floor_to_lot(Qty::new(LOT));
                let rest = ms.map(|ms| (after(ms), qty - part));
                [Some((self.now, part)), rest].into_iter().flatten().filter(|(_, qty)| qty.is_positive()).collect()
            }
            FillPolicy::Random { ms } => match dice % 4 {
                0 => vec![(self.now, qty)],
                1 => vec![(after(1 + mix(dice) % ms.max(1)), qty)],
                2 => {
                    let part = Qty::new(qty.get() / 2).floor_to_lot(Qty::new(LOT));
                    let both = [(after(mix(dice) % ms.max(1)), part), (after(ms), qty - part)];
                    both.into_iter().filter(|(_, qty)| qty.is_positive()).collect()
                }
                _ => Vec::new(),
            },
            FillPolicy::Never => Vec::new(),
        }
    }

    fn check(&self, order: &MadeOrder) -> Result<(), &'static str> {
        let Some(acc) = self.accounts.get(&order.account) else { return Err("NO_ACCOUNT") };
        if !order.qty.is_positive() {
            return Err("QTY");
        }
        if order.ord_type == OrdType::Limit && order.px.is_none() {
            return Err("PRICE");
        }
        match order.side {
            Side::Buy if self.fill_px(order).times(order.qty) > acc.cash - self.frozen_cash(acc) => Err("CASH"),
            Side::Sell if order.qty > sellable(acc, order.symbol) => Err("SHARES"),
            _ => Ok(()),
        }
    }

    fn fill_px(&self, order: &MadeOrder) -> Price {
        order.px.unwrap_or_else(|| self.prices.get(&order.symbol).copied().unwrap_or(self.conf.px))
    }

    pub(super) fn frozen_cash(&self, acc: &Acc) -> Money {
        let buys = acc.orders.values().filter(|book| book.order.side == Side::Buy);
        buys.fold(Money::ZERO, |sum, book| sum + self.fill_px(&book.order).times(book.leaves()))
    }

    pub fn cancel(&mut self, request: &CancelRequest) -> Answer<Reply> {
        self.tick(request.at);
        if let Some(refusal) = self.refuse_session(&request.account) {
            return Answer::now(refusal);
        }
        let (at, account) = (self.now, request.account.clone());
        self.write(Truth::CancelReceived { at, account: account.clone(), no: request.no.clone() });
        let found = request.no.parse().ok().and_then(|no| self.book(&account, no));
        let Some((no, leaves)) = found.map(|book| (book.order.no, book.leaves())) else {
            return Answer::now(Reply::refused("UNKNOWN"));
        };
        if leaves.is_zero() {
            return Answer::now(Reply::refused("ENDED"));
        }
        let strike = self.strike(&account, |fault| fault.group() == Group::Cancel || fault == Fault::FillAfterCancel);
        let taken = Answer::now(Reply::done("撤单已提交"));
        match strike.map(|strike| strike.fault) {
            Some(Fault::CancelAckLost) => {
                self.write(Truth::Canceled { at, account, no });
                Answer { how: How::Cut, ..taken }
            }
            Some(Fault::CancelRefusedFilled) => {
                self.fill(&account, no, leaves);
                Answer::now(Reply::refused("ENDED"))
            }
            Some(Fault::CancelAcceptedButFilled) => {
                self.fill(&account, no, leaves);
                taken
            }
            Some(Fault::CancelNeighbour) => {
                let other = self
                    .accounts
                    .get(&account)
                    .and_then(|acc| acc.orders.values().find(|book| book.order.no != no && !book.leaves().is_zero()));
                if let Some(no) = other.map(|book| book.order.no) {
                    self.write(Truth::Canceled { at, account, no });
                }
                taken
            }
            Some(Fault::CancelIgnored) => taken,
            Some(Fault::FillAfterCancel) => {
                let part = Qty::new((leaves.get() / 2).max(1));
                self.fill_as(&account, no, part, Said::AfterTheNext);
                self.write(Truth::Canceled { at, account, no });
                taken
            }
            _ => {
                self.write(Truth::Canceled { at, account, no });
                taken
            }
        }
    }

    /// A lookup by the client's id. A level that has none says so.
    pub fn find(&mut self, request: &FindRequest) -> Answer<Reply> {
        self.tick(request.at);
        if let Some(refusal) = self.refuse_session(&request.account) {
            return Answer::now(refusal);
        }
        let Some(acc) = self.accounts.get(&request.account).filter(|acc| acc.level >= Level::L3) else {
            return Answer::now(Reply::refused("NO_LOOKUP"));
        };
        if self.is_waiting(&request.account, &request.tag) {
            return Answer::now(Reply::refused("ID_IN_PROGRESS"));
        }
        let known = acc.by_tag.get(&request.tag).and_then(|(no, _)| acc.orders.get(no));
        let Some(book) = known else { return Answer::now(Reply::refused("NO_ORDER")) };
        let fills = acc.trades.iter().filter(|trade| trade.no == book.order.no).map(|trade| FoundFill {
            exec: trade.exec.clone(),
            qty: trade.qty,
            px: trade.px,
            at: trade.at,
        });
        let found = Found {
            of: book.order.shape(),
            status: book.status,
            cum_qty: book.cum_qty,
            canceled_qty: book.canceled_qty,
            fills: fills.collect(),
        };
        let no = book.order.no;
        Answer::now(Reply { found: Some(found), ..self.show(&request.account, no, "found") })
    }

    /// What was said unasked after `after`.
    #[must_use]
    pub fn pushes(&self, request: &PushRequest) -> Pushes {
        let after = if request.stream == self.stream { request.after } else { 0 };
        let Some(acc) = self.accounts.get(&request.account).filter(|acc| acc.level >= Level::L1) else {
            return Pushes { stream: self.stream, items: Vec::new() };
        };
        let from = usize::try_from(after).unwrap_or(usize::MAX).min(acc.pushes.len());
        Pushes { stream: self.stream, items: acc.pushes[from..].iter().take(PUSHES_MAX).cloned().collect() }
    }

    /// # Errors
    /// What makes no sense.
    pub fn control(&mut self, at: Timestamp, control: Control) -> Result<(), &'static str> {
        self.tick(at);
        match control {
            Control::Open { account, level, cash, holdings } => {
                if self.accounts.contains_key(&account) {
                    return Err("the account is open");
                }
                self.write(Truth::Opened { account, level, cash, holdings });
            }
            Control::Night => self.write(Truth::Night { at }),
            Control::Arm(arm) => self.write(Truth::Armed { arm }),
            Control::Disarm => self.write(Truth::Disarmed),
            Control::Fills { account, policy } => self.write(Truth::Fills { account, policy }),
            Control::Price { symbol, px } => self.write(Truth::Price { symbol, px }),
            Control::Fill { account, no, qty } => {
                let no = no.parse().map_err(|_| "no such number")?;
                let leaves = self.book(&account, no).ok_or("no such order")?.leaves();
                let qty = qty.unwrap_or(leaves).min(leaves);
                if !qty.is_positive() {
                    return Err("nothing is left to fill");
                }
                self.fill(&account, no, qty);
            }
            Control::Manual { account, symbol, side, qty, px } => {
                let n = self.received + 1;
                let request = SubmitRequest {
                    at: self.now,
                    account,
                    tag: None,
                    hidden: String::new(),
                    symbol,
                    side,
                    ord_type: OrdType::Limit,
                    px: Some(px),
                    qty,
                    tif: TimeInForce::Day,
                };
                self.write(Truth::Received { n, request: request.clone() });
                if !self.make_and_reply(n, &request, |_| {}).ok {
                    return Err("refused");
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self, account: &str, no: u64, qty: Qty) {
        let said = self.strike(account, |fault| {
            matches!(fault, Fault::FillDuplicate | Fault::FillReordered | Fault::FillPriceZero)
        });
        let said = match said.map(|strike| strike.fault) {
            Some(Fault::FillDuplicate) => Said::Twice,
            Some(Fault::FillReordered) => Said::AfterTheNext,
            Some(Fault::FillPriceZero) => Said::WithoutPrice,
            _ => Said::Once,
        };
        self.fill_as(account, no, qty, said);
    }

    fn fill_as(&mut self, account: &str, no: u64, qty: Qty, said: Said) {
        let Some(book) = self.book(account, no).filter(|book| !book.leaves().is_zero()) else { return };
        let (px, leaves) = (self.fill_px(&book.order), book.leaves());
        let mut qty = qty.min(leaves);
        let strike = self.strike(account, |fault| {
            matches!(fault, Fault::FillMoreThanQty | Fault::FillNumberReused | Fault::FillBusted)
        });
        let mut exec = format!("E{:09}", self.execs + 1);
        let mut bust_at = None;
        match strike {
            Some(Strike { fault: Fault::FillMoreThanQty, .. }) => qty = leaves + Qty::new(LOT),
            Some(Strike { fault: Fault::FillNumberReused, .. }) => {
                let trades = self.accounts.get(account).map_or(&[][..], |acc| &acc.trades);
                let used = |exec: &String| trades.iter().any(|trade| trade.no == no && trade.exec == *exec);
                let of_another = trades.iter().find(|trade| trade.no != no && !used(&trade.exec));
                exec = of_another.map_or(exec, |trade| trade.exec.clone());
            }
            Some(Strike { fault: Fault::FillBusted, ms }) => {
                bust_at = Some(self.now.plus(Span::from_ms(i64::try_from(ms).unwrap_or(0))));
            }
            _ => {}
        }
        let fill = MadeFill { no, exec, qty, px, fee: self.fee(account, no, px.times(qty)), bust_at };
        self.write(Truth::Filled { at: self.now, account: account.to_owned(), fill, said });
    }

    /// The fee that a further fill of the order costs.
    fn fee(&self, account: &str, no: u64, amount: Money) -> Money {
        let Some((rules, acc)) = self.conf.fees.zip(self.accounts.get(account)) else { return Money::ZERO };
        let Some(book) = acc.orders.get(&no) else { return Money::ZERO };
        let before = acc.trades.iter().filter(|trade| trade.no == no);
        let before = before.fold(Money::ZERO, |sum, trade| sum + trade.px.times(trade.qty));
        rules.fill_fees(book.order.side, before, before + amount).total()
    }

    pub(super) fn session_is_over(&self, account: &str) -> bool {
        self.accounts.get(account).is_some_and(|acc| acc.session_over)
    }

    fn refuse_session(&mut self, account: &str) -> Option<Reply> {
        match self.accounts.get(account) {
            None => Some(Reply::refused("NO_SESSION")),
            Some(acc) if acc.session_over => Some(Reply::refused("SESSION_EXPIRED")),
            Some(_) => None,
        }
    }

    /// Whether a fault of the wanted ones strikes now; it is used up then.
    pub(super) fn strike(&mut self, account: &str, wanted: impl Fn(Fault) -> bool) -> Option<Strike> {
        let strike = self.armory.strike(account, wanted, mix(self.conf.seed) ^ self.lines)?;
        self.write(Truth::Struck { at: self.now, account: account.to_owned(), fault: strike.fault });
        Some(strike)
    }

    fn tells_numbers(&self, account: &str) -> bool {
        self.accounts.get(account).is_some_and(|acc| acc.level >= Level::L1)
    }

    fn echo(&self, account: &str, tag: Option<&String>) -> Option<String> {
        tag.filter(|_| self.accounts.get(account).is_some_and(|acc| acc.level >= Level::L2)).cloned()
    }

    /// An order as the level lets the client see it.
    fn show(&self, account: &str, no: u64, text: &str) -> Reply {
        let tag = self.book(account, no).and_then(|book| book.order.tag.clone());
        let number = Some(show_no(no)).filter(|_| self.tells_numbers(account));
        Reply { no: number, tag: self.echo(account, tag.as_ref()), ..Reply::done(text) }
    }

    fn book(&self, account: &str, no: u64) -> Option<&Book> {
        self.accounts.get(account)?.orders.get(&no)
    }

    pub(super) fn write(&mut self, line: Truth) {
        self.apply(&line);
        self.fresh.push(line);
    }

    pub(super) fn later(&mut self, at: Timestamp, due: Due) {
        self.dues += 1;
        self.due.insert((at, self.dues), due);
    }
}

pub(super) fn held(acc: &Acc, symbol: Symbol) -> Qty {
    let sells = acc.orders.values().filter(|book| book.order.side == Side::Sell && book.order.symbol == symbol);
    sells.fold(Qty::ZERO, |sum, book| sum + book.leaves())
}

fn sellable(acc: &Acc, symbol: Symbol) -> Qty {
    acc.holdings.get(&symbol).copied().unwrap_or_default() - held(acc, symbol)
}
