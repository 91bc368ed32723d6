//! A pocket desk: strategies, risk and accounts with their mailboxes and a journal, and no shell.
//!
//! Every core runs as in the product, but nothing happens by itself: whoever holds the desk delivers the messages one
//! by one or until it is quiet, makes the journal durable, carries requests to a broker of his own, ends the process.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use signalbox_domain::account::{
    Account, AccountConf, AccountEffects, AccountInput, Alarm, Unbookable, Unresolvable, Unsettleable,
};
use signalbox_domain::broker::BrokerRequest;
use signalbox_domain::calendar::Calendar;
use signalbox_domain::calendar::sessions::{FutureDays, Sessions};
use signalbox_domain::contract::{ContractFees, LotFee};
use signalbox_domain::event::Event;
use signalbox_domain::futures::FuturesBook;
use signalbox_domain::ids::{AccountId, SignalId, StrategyId};
use signalbox_domain::instrument::Instruments;
use signalbox_domain::ledger::{Ledger, Marking, OpeningHolding};
use signalbox_domain::market::{ContractTerms, DayEnd, Elsewhere, Foreign, Futures, JUST_AFTER, Market};
use signalbox_domain::order::Order;
use signalbox_domain::replay::Replay;
use signalbox_domain::risk::{LimitFact, Limits, LimitsRefused, Risk, RiskEffects, RiskInput};
use signalbox_domain::row::Row;
use signalbox_domain::rules::RuleBook;
use signalbox_domain::rules::abroad::ForeignBook;
use signalbox_domain::seeded::{SeededBug, seeded};
use signalbox_domain::signal::Signal;
use signalbox_domain::strategy::{
    Groups, Irreplaceable, Replacement, Replaces, Strategy, StrategyConf, StrategyEffects, StrategyInput,
    StrategyState, Undecidable,
};
use signalbox_domain::symbol::Exchange;
use signalbox_domain::tables::Tables;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp};
use signalbox_domain::view::{Ledgers, Quotes, SetAside, TradingStates, View};

/// The real market's rules.
pub fn market() -> Market {
    let calendar = Calendar::parse(include_str!("../../conf/calendars/cn_a_share_trading_days.csv"));
    let instruments = Instruments::parse(include_str!("../../conf/instruments/cn_equity.csv"))
        .and_then(|all| all.with_history(include_str!("../../conf/instruments/cn_status.csv")));
    let rules = RuleBook::parse(&[
        include_str!("../../conf/rules/cn_equity_rules.csv"),
        include_str!("../../conf/rules/cn_lots.csv"),
        include_str!("../../conf/rules/cn_supplement.csv"),
    ]);
    let calendar = calendar.expect("calendar");
    let elsewhere = elsewhere(&calendar);
    let abroad = elsewhere.foreign.as_ref().expect("shares abroad");
    let instruments = instruments.expect("instruments").with_abroad(&abroad.book).expect("other symbols");
    Market::new(calendar, instruments, rules.expect("rules")).with(elsewhere)
}

/// Shares abroad, and futures at a broker that takes 15 % where the data say nothing, and 0.01 % of the value of each lot.
fn elsewhere(calendar: &Calendar) -> Elsewhere {
    let book = FuturesBook::parse(
        include_str!("../../conf/instruments/cn_futures_products.csv"),
        include_str!("../../conf/instruments/cn_futures_facts.csv"),
    );
    let nights = include_str!("../../conf/calendars/cn_futures_night_sessions.csv");
    let fee = LotFee { per_lot: Money::ZERO, of_value: Ratio::from_e6(100) };
    let terms = ContractTerms {
        margin: Some(Ratio::from_percent(15)),
        fees: ContractFees { open: fee, close: fee, close_today: fee },
        ..ContractTerms::default()
    };
    let days = FutureDays::parse("nights", nights, calendar).expect("nights");
    let futures = Futures { book: book.expect("products"), days, terms };
    let book = ForeignBook::parse(
        include_str!("../../conf/instruments/abroad.csv"),
        include_str!("../../conf/rules/abroad.csv"),
    );
    let hong_kong = include_str!("../../conf/calendars/hkex_sessions.csv");
    let new_york = include_str!("../../conf/calendars/nyse_sessions.csv");
    let foreign = Foreign {
        book: book.expect("shares abroad"),
        hong_kong: Sessions::hong_kong("days", hong_kong).expect("days"),
        new_york: Sessions::new_york("days", new_york).expect("days"),
    };
    Elsewhere { futures: Some(Arc::new(futures)), foreign: Some(Arc::new(foreign)) }
}

/// An account as the desk opens it.
#[derive(Debug, Clone)]
pub struct Setup {
    pub conf: AccountConf,
    pub limits: Limits,
    pub cash: Money,
    pub holdings: Vec<OpeningHolding>,
}

/// Signals of monitors are numbered from here on, away from those of the stories.
const OWN_SIGNALS: u64 = 900;
/// As the shell takes them.
const SIGNALS_PER_STEP: usize = 64;

/// What one step made true, in the order of the journal.
#[derive(Debug, Clone)]
pub struct Entry {
    pub at: Timestamp,
    pub events: Vec<Event>,
    pub rows: Vec<Row>,
}

/// See the module.
#[derive(Debug)]
pub struct Desk {
    pub market: Rc<Market>,
    pub at: Timestamp,
    pub quotes: Quotes,
    pub ledgers: Ledgers,
    pub states: TradingStates,
    pub aside: SetAside,
    pub risk: Risk,
    pub strategies: BTreeMap<StrategyId, Strategy>,
    pub accounts: BTreeMap<AccountId, Account>,
    pub setups: BTreeMap<AccountId, Setup>,
    pub groups: Arc<Groups>,
    to_risk: VecDeque<RiskInput>,
    to_strategies: BTreeMap<StrategyId, VecDeque<StrategyInput>>,
    to_accounts: BTreeMap<AccountId, VecDeque<AccountInput>>,
    pub journal: Vec<Entry>,
    pub durable: usize,
    held: BTreeMap<AccountId, VecDeque<(usize, BrokerRequest)>>,
    /// Requests that left for the broker and were not looked at yet.
    pub sent: VecDeque<(AccountId, BrokerRequest)>,
    /// Every signal that the door took, durable from then on.
    pub signals: BTreeMap<SignalId, Arc<Signal>>,
    /// Those that no strategy has looked at yet.
    inbox: BTreeSet<SignalId>,
    /// Final signals that are to be read again when the journal is durable so far.
    recalls: VecDeque<(usize, StrategyId, SignalId)>,
    wakes: BTreeMap<AccountId, Timestamp>,
    /// Accounts that wait for a read of their brokers' lists.
    pub reads: VecDeque<AccountId>,
    pub alarms: Vec<Alarm>,
    /// What became of people's decisions about doubts.
    pub resolved: Vec<Result<(), Unresolvable>>,
    pub decided: Vec<Result<(), Undecidable>>,
    /// What became of wishes to replace orders.
    pub replaced: Vec<Result<Replaces, Irreplaceable>>,
    pub settled: Vec<Result<(), Unsettleable>>,
    /// What became of changes of the limits.
    pub limits: Vec<Result<Arc<LimitFact>, LimitsRefused>>,
    /// What became of people's words about books.
    pub booked: Vec<Result<(), Unbookable>>,
}

impl Desk {
    pub fn open(
        market: Rc<Market>,
        at: Timestamp,
        setups: Vec<Setup>,
        strategies: Vec<StrategyConf>,
        groups: Groups,
    ) -> Self {
        let setups: BTreeMap<AccountId, Setup> = setups.into_iter().map(|s| (s.conf.id.clone(), s)).collect();
        let groups = Arc::new(groups);
        let mut desk = Self {
            market,
            at,
            quotes: Quotes::default(),
            ledgers: Ledgers::default(),
            states: TradingStates::default(),
            aside: SetAside::default(),
            risk: Risk::new(limits(&setups), std::iter::empty()),
            strategies: BTreeMap::new(),
            accounts: BTreeMap::new(),
            setups,
            groups: groups.clone(),
            to_risk: VecDeque::new(),
            to_strategies: BTreeMap::new(),
            to_accounts: BTreeMap::new(),
            journal: Vec::new(),
            durable: 0,
            held: BTreeMap::new(),
            sent: VecDeque::new(),
            signals: BTreeMap::new(),
            inbox: BTreeSet::new(),
            recalls: VecDeque::new(),
            wakes: BTreeMap::new(),
            reads: VecDeque::new(),
            alarms: Vec::new(),
            resolved: Vec::new(),
            decided: Vec::new(),
            replaced: Vec::new(),
            settled: Vec::new(),
            limits: Vec::new(),
            booked: Vec::new(),
        };
        desk.risk.tell_quote_ages(&mut desk.aside);
        for setup in desk.setups.clone().into_values() {
            let id = setup.conf.id.clone();
            desk.ledgers.put(Ledger::new(id.clone()));
            desk.ledgers.set_commission(id.clone(), setup.limits.commission);
            let core = Account::new(setup.conf).with_actions(desk.market.actions.clone());
            desk.accounts.insert(id.clone(), core);
            desk.tell_account(&id, AccountInput::Open { cash: setup.cash, holdings: setup.holdings.into() });
        }
        for conf in strategies {
            // Its configuration below makes the first version of it.
            let core = Strategy::new(Arc::new(conf.clone()), 0, StrategyState::Active, groups.clone());
            desk.strategies.insert(conf.id.clone(), core);
            desk.tell_strategy(&conf.id, StrategyInput::Configure(Arc::new(conf.clone())));
        }
        desk.start_day();
        desk.settle();
        desk
    }

    /// The door: the signal is durable at once, and its strategy looks at it when its turn comes.
    pub fn accept(&mut self, signal: Signal) {
        let signal = Arc::new(signal);
        self.append(vec![Event::SignalAccepted(signal.clone())], Vec::new());
        if !seeded(SeededBug::AcceptBeforeCommit) {
            self.durable = self.durable.max(self.journal.len());
        }
        self.inbox.insert(signal.id);
        self.signals.insert(signal.id, signal);
        self.release();
    }

    /// When the next market is done with its day, just after that.
    #[must_use]
    pub fn next_day_end(&self) -> Option<(Timestamp, DayEnd)> {
        let last = self.at.plus(Span::from_us(-1));
        let abroad = [Exchange::HK, Exchange::US].map(|exchange| self.market.next_day_end_abroad(exchange, last));
        let endings = abroad.into_iter().flatten().chain(self.market.next_day_end(last));
        endings.map(|(end, ending)| (end.plus(JUST_AFTER), ending)).min_by_key(|(end, _)| *end)
    }

    /// Somebody wants the order a little cheaper or dearer, or for less.
    pub fn replace(&mut self, order: &Order, dice: u32) {
        let cents = i64::from(dice % 7) - 3;
        let limit_price = order.terms.limit_price.map(|px| px + Price::from_e4(cents * 100));
        let qty = (dice / 7).is_multiple_of(3).then(|| Qty::new((order.terms.qty.get() / 200).max(1) * 100));
        let wish = Replacement { order: Arc::new(order.clone()), qty, limit_price, who: "ann".into() };
        self.tell_strategy(&order.terms.strategy.clone(), StrategyInput::Replace(wish));
    }

    /// Starts the trading day of the present time in every account.
    pub fn start_day(&mut self) {
        if let Some(date) = self.market.calendar.trade_date(self.at) {
            for id in self.accounts.keys().cloned().collect::<Vec<_>>() {
                let before = self.ledgers.get(&id).and_then(|ledger| ledger.trade_date);
                if before.is_some_and(|before| before < date) {
                    self.mark_books(&id, Marking::DayEnd);
                }
                self.tell_account(&id, AccountInput::DayStart(date));
            }
        }
    }

    /// A market is done with its day, and what expires there has been told.
    pub fn day_ended(&mut self, end: DayEnd) {
        match end {
            DayEnd::Shares => {
                for id in self.accounts.keys().cloned().collect::<Vec<_>>() {
                    self.mark_books(&id, Marking::SharesEnd);
                }
            }
            DayEnd::Mainland => self.start_day(),
            DayEnd::Abroad(_) => {}
        }
    }

    /// Takes what the market has shown into the account's books.
    pub fn mark_books(&mut self, id: &AccountId, marking: Marking) {
        let seen = |symbol, since| self.quotes.seen_since(symbol, since);
        let marks = self.ledgers.get(id).map(|ledger| ledger.marks(marking, seen)).unwrap_or_default();
        if !marks.is_empty() {
            self.tell_account(id, AccountInput::Mark { marks, closing: marking.closing() });
        }
    }

    pub fn tell_account(&mut self, id: &AccountId, input: AccountInput) {
        self.to_accounts.entry(id.clone()).or_default().push_back(input);
    }

    pub fn tell_strategy(&mut self, id: &StrategyId, input: StrategyInput) {
        self.to_strategies.entry(id.clone()).or_default().push_back(input);
    }

    pub fn tell_risk(&mut self, input: RiskInput) {
        self.to_risk.push_back(input);
    }

    /// How many cores could take a step now.
    pub fn busy(&self) -> usize {
        usize::from(!self.to_risk.is_empty())
            + self.to_strategies.values().filter(|mail| !mail.is_empty()).count()
            + self.to_accounts.values().filter(|mail| !mail.is_empty()).count()
            + usize::from(self.untaken().is_some())
    }

    /// Lets the `n`th of the busy cores take one step.
    pub fn step(&mut self, n: usize) {
        let mut before = n;
        let mut chosen = |busy: bool| {
            let chosen = busy && before == 0;
            before = before.saturating_sub(usize::from(busy));
            chosen
        };
        if chosen(!self.to_risk.is_empty()) {
            return self.step_risk();
        }
        let strategies: Vec<StrategyId> = self.to_strategies.keys().cloned().collect();
        for id in strategies {
            if chosen(!self.to_strategies[&id].is_empty()) {
                return self.step_strategy(&id);
            }
        }
        let accounts: Vec<AccountId> = self.to_accounts.keys().cloned().collect();
        for id in accounts {
            if chosen(!self.to_accounts[&id].is_empty()) {
                return self.step_account(&id);
            }
        }
        if let Some(of) = self.untaken().map(|signal| signal.strategy.clone()) {
            let all = self.inbox.iter().filter_map(|id| self.signals.get(id)).filter(|signal| signal.strategy == of);
            let signals: Vec<Arc<Signal>> = all.take(SIGNALS_PER_STEP).cloned().collect();
            self.inbox.retain(|id| signals.iter().all(|signal| signal.id != *id));
            self.strategy_takes(&of, StrategyInput::Signals(signals));
        }
    }

    /// A strategy looks into its inbox when its mailbox is empty, as the shell lets it.
    fn untaken(&self) -> Option<Arc<Signal>> {
        let takes = |signal: &Signal| {
            let quiet = self.to_strategies.get(&signal.strategy).is_none_or(VecDeque::is_empty);
            quiet && self.strategies.get(&signal.strategy).is_some_and(Strategy::takes_signals)
        };
        self.inbox.iter().filter_map(|id| self.signals.get(id)).find(|signal| takes(signal)).cloned()
    }

    /// Delivers everything, makes everything durable, until nothing moves.
    pub fn settle(&mut self) {
        loop {
            while self.busy() > 0 {
                self.step(0);
            }
            self.commit();
            if self.busy() == 0 {
                return;
            }
        }
    }

    /// Everything that was decided is durable now, and what waited for that leaves.
    pub fn commit(&mut self) {
        self.durable = self.journal.len();
        self.release();
    }

    fn release(&mut self) {
        while let Some((_, id, signal)) = self.recalls.pop_front_if(|(ticket, ..)| *ticket <= self.durable) {
            let signal = self.signals.get(&signal).cloned();
            for recalled in self.tables().unfinished(signal.iter()) {
                self.tell_strategy(&id, StrategyInput::Recalled(recalled));
            }
        }
        for (account, held) in &mut self.held {
            while held.front().is_some_and(|(ticket, _)| *ticket <= self.durable) {
                if let Some((_, request)) = held.pop_front() {
                    self.sent.push_back((account.clone(), request));
                }
            }
        }
    }

    /// The next instant at which a core wants to be woken.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.wakes.values().copied().chain(self.strategies.values().filter_map(Strategy::wake_at)).min()
    }

    /// Who wants to be woken now.
    #[must_use]
    pub fn due(&self) -> Vec<String> {
        let accounts = self.wakes.iter().filter(|(_, at)| **at <= self.at).map(|(id, _)| id.to_string());
        let due = |strategy: &Strategy| strategy.wake_at().is_some_and(|at| at <= self.at);
        let strategies = self.strategies.iter().filter(|(_, strategy)| due(strategy)).map(|(id, _)| id.to_string());
        accounts.chain(strategies).collect()
    }

    /// Sets the clock and wakes whoever asked for it.
    pub fn set_clock(&mut self, at: Timestamp) {
        self.at = self.at.max(at);
        for (id, due) in self.wakes.clone() {
            if due <= self.at {
                self.wakes.remove(&id);
                self.tell_account(&id, AccountInput::Wake);
            }
        }
        let due = |strategy: &Strategy| strategy.wake_at().is_some_and(|due| due <= self.at);
        let ids: Vec<StrategyId> = self.strategies.iter().filter(|(_, s)| due(s)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.tell_strategy(&id, StrategyInput::Wake);
        }
    }

    /// Prices were shown: whoever waits for one looks at them.
    pub fn quoted(&mut self) {
        let waits = |strategy: &Strategy| strategy.watched().next().is_some();
        let ids: Vec<StrategyId> = self.strategies.iter().filter(|(_, s)| waits(s)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.tell_strategy(&id, StrategyInput::Quoted);
        }
    }

    /// How many entries of the journal are durable.
    #[must_use]
    pub fn durable(&self) -> usize {
        self.durable
    }

    /// The rows that are durable.
    pub fn tables(&self) -> Tables {
        let mut tables = Tables::default();
        for row in self.journal[..self.durable].iter().flat_map(|entry| &entry.rows) {
            tables.put(row.clone()).expect("each fill is booked once");
        }
        tables
    }

    /// What the durable events make of it.
    pub fn replay(&self) -> Replay {
        let mut replay = Replay::new();
        for entry in &self.journal[..self.durable] {
            for event in &entry.events {
                replay.apply(entry.at, event).expect("the journal tells what can be");
            }
        }
        replay
    }

    /// The process ends here and starts anew from what was durable. Prices are not: the feed shows them again.
    pub fn restart(&mut self) {
        self.quotes = Quotes::default();
        self.journal.truncate(self.durable);
        let tables = self.tables();
        if seeded(SeededBug::AcceptBeforeCommit) {
            self.keep_durable_signals();
        }
        self.to_risk.clear();
        self.to_strategies.clear();
        self.to_accounts.clear();
        self.held.clear();
        self.sent.clear();
        self.recalls.clear();
        self.wakes.clear();
        self.reads.clear();
        self.states = tables.trading_states();
        self.ledgers.clear();
        let live: BTreeMap<AccountId, _> = self.setups.keys().map(|id| (id.clone(), tables.orders_rest(id))).collect();
        self.risk = Risk::new(limits(&self.setups), live.values().flat_map(|rest| &rest.live));
        self.aside = SetAside::default();
        self.look_aside();
        let orders = live.values().flat_map(|rest| rest.live.iter().chain(&rest.ended));
        self.risk.restore_orders(&self.market, orders);
        self.risk.restore_limits(tables.newest_limits());
        self.risk.tell_quote_ages(&mut self.aside);
        self.risk.restore_warnings(tables.warnings.values().map(|warning| &**warning));
        self.risk.restore_marks(tables.marks.values().cloned());
        let mut started = Vec::new();
        for (id, orders) in live {
            let ledger = tables.ledger(&id).expect("an account that was opened");
            let messages = tables.accounts[&id].messages_today;
            if let Some(date) = ledger.trade_date {
                self.risk.restore_messages(&id, date, messages);
            }
            self.ledgers.put(ledger);
            let mut conf = self.setups[&id].conf.clone();
            let in_force = self.risk.limits(&id).map(|limits| limits.pacing());
            conf.pacing = in_force.filter(|p| *p != self.setups[&id].limits.pacing()).unwrap_or(conf.pacing);
            let mut core = Account::new(conf).with_actions(self.market.actions.clone());
            let mut fx = AccountEffects::default();
            core.resume(self.at, orders, messages, &mut fx);
            self.accounts.insert(id.clone(), core);
            started.push((id, fx));
        }
        let taken = |id: &SignalId| tables.signals.contains_key(id) || seeded(SeededBug::MessageIsTheQueue);
        self.inbox = self.signals.keys().filter(|id| !taken(id)).copied().collect();
        let mut resumed = Vec::new();
        for (id, (conf, state, version)) in &tables.strategies {
            let own = self.signals.values().filter(|s| s.strategy == *id);
            let mut core = Strategy::new(conf.clone(), *version, *state, self.groups.clone());
            let mut fx = StrategyEffects::default();
            core.resume(self.at, tables.unfinished(own), &mut fx);
            self.strategies.insert(id.clone(), core);
            resumed.push((id.clone(), fx));
        }
        for (id, fx) in started {
            self.account_did(&id, fx);
        }
        for (id, fx) in resumed {
            self.strategy_did(&id, fx);
        }
        self.start_day();
        for id in self.accounts.keys().cloned().collect::<Vec<_>>() {
            self.tell_account(&id, AccountInput::Wake);
        }
        self.set_clock(self.at);
    }

    /// What the door said before it was durable is gone with the process.
    fn keep_durable_signals(&mut self) {
        let told = |entry: &Entry, id: SignalId| {
            entry.events.iter().any(|event| matches!(event, Event::SignalAccepted(signal) if signal.id == id))
        };
        self.signals.retain(|id, _| self.journal.iter().any(|entry| told(entry, *id)));
    }

    /// Checks come after everything else in the mailbox, as the shell lets them.
    fn step_risk(&mut self) {
        let decides =
            |input: &RiskInput| matches!(input, RiskInput::Check(_) | RiskInput::Try(_) | RiskInput::Judge(_));
        let news = self.to_risk.iter().position(|input| !decides(input));
        let Some(input) = self.to_risk.remove(news.unwrap_or(0)) else { return };
        let mut fx = RiskEffects::default();
        let view = View {
            market: &self.market,
            quotes: &self.quotes,
            ledgers: &self.ledgers,
            states: &self.states,
            aside: &self.aside,
        };
        self.risk.handle(self.at, view, input, &mut fx);
        self.look_aside();
        for event in &fx.events {
            if let Event::TradingStateSet { scope, state, .. } = event {
                self.states.set(scope, *state);
                for id in self.accounts.keys().cloned().collect::<Vec<_>>() {
                    self.tell_account(&id, AccountInput::TradingStateSet);
                }
            }
        }
        self.append(fx.events, fx.rows);
        for (account, pacing) in fx.paced {
            self.tell_account(&account, AccountInput::SetPacing(pacing));
        }
        if fx.limits.is_some() {
            self.risk.tell_quote_ages(&mut self.aside);
        }
        self.limits.extend(fx.limits);
        for approved in fx.approved {
            let account = approved.get().terms.account.clone();
            self.tell_account(&account, AccountInput::Submit(approved));
        }
        for (terms, denials) in fx.denied {
            self.tell_strategy(&terms.strategy.clone(), StrategyInput::Denied { terms, denials });
        }
        for short in fx.short {
            self.tell_strategy(&short.terms.strategy.clone(), StrategyInput::Short(short));
        }
        for exit in fx.exits {
            // The door takes a key once.
            if self.signals.values().all(|signal| signal.client_signal_id != exit.key) {
                let id = self.signals.keys().map(|id| id.get()).max().unwrap_or(0).max(OWN_SIGNALS) + 1;
                self.accept(Signal { id: SignalId::new(id), ..exit.signal(self.at) });
            }
        }
        for (terms, denials) in fx.judged {
            self.tell_strategy(&terms.strategy.clone(), StrategyInput::Judged { terms, denials });
        }
    }

    fn look_aside(&mut self) {
        for (account, cash) in self.risk.all_reserved_cash() {
            self.aside.put(account, cash);
            self.aside.put_sells(account, self.risk.reserved_sells(account));
        }
    }

    fn step_strategy(&mut self, id: &StrategyId) {
        // A timer runs after the mailbox, too, and so does whatever plans.
        let Some(mail) = self.to_strategies.get_mut(id) else { return };
        let plans = |input: &StrategyInput| {
            matches!(input, StrategyInput::Wake | StrategyInput::GoOn | StrategyInput::SetState { .. })
        };
        let news = mail.iter().position(|input| !plans(input));
        let Some(input) = mail.remove(news.unwrap_or(0)) else { return };
        self.strategy_takes(id, input);
    }

    fn strategy_takes(&mut self, id: &StrategyId, input: StrategyInput) {
        let Some(core) = self.strategies.get_mut(id) else { return };
        let mut fx = StrategyEffects::default();
        let view = View {
            market: &self.market,
            quotes: &self.quotes,
            ledgers: &self.ledgers,
            states: &self.states,
            aside: &self.aside,
        };
        core.handle(self.at, view, input, &mut fx);
        let mail = self.to_strategies.entry(id.clone()).or_default();
        if core.has_set_off() && !mail.iter().any(|input| matches!(input, StrategyInput::GoOn)) {
            mail.push_back(StrategyInput::GoOn);
        }
        self.strategy_did(id, fx);
    }

    fn strategy_did(&mut self, id: &StrategyId, fx: StrategyEffects) {
        self.decided.extend(fx.decided);
        self.replaced.extend(fx.replaced);
        self.append(fx.events, fx.rows);
        for (account, order, reason) in fx.cancel {
            self.tell_account(&account, AccountInput::Cancel { order, reason });
        }
        if !fx.check.is_empty() {
            self.to_risk.push_back(RiskInput::Check(fx.check));
        }
        if !fx.try_later.is_empty() {
            self.to_risk.push_back(RiskInput::Try(fx.try_later));
        }
        if !fx.judge.is_empty() {
            self.to_risk.push_back(RiskInput::Judge(fx.judge));
        }
        // The shell waits until everything decided is durable, and reads the store.
        let ticket = self.journal.len();
        self.recalls.extend(fx.recall.into_iter().map(|signal| (ticket, id.clone(), signal)));
    }

    fn step_account(&mut self, id: &AccountId) {
        let Some(input) = self.to_accounts.get_mut(id).and_then(VecDeque::pop_front) else { return };
        let (Some(core), Some(ledger)) = (self.accounts.get_mut(id), self.ledgers.get_mut(id)) else { return };
        let mut fx = AccountEffects::default();
        core.handle(self.at, &self.states, ledger, input, &mut fx);
        self.account_did(id, fx);
    }

    fn account_did(&mut self, id: &AccountId, fx: AccountEffects) {
        if fx.events.iter().any(Event::rebooks) {
            self.tell_risk(RiskInput::Rebooked(id.clone()));
        }
        self.append(fx.events, fx.rows);
        let ticket = if seeded(SeededBug::SendBeforeCommit) { 0 } else { self.journal.len() };
        for order in fx.observed {
            self.to_risk.push_back(RiskInput::Observed(order.clone()));
            self.tell_strategy(&order.terms.strategy.clone(), StrategyInput::Observed(order));
        }
        for order in fx.filled_late {
            self.tell_strategy(&order.terms.strategy.clone(), StrategyInput::FilledLate(order));
        }
        self.held.entry(id.clone()).or_default().extend(fx.broker.into_iter().map(|request| (ticket, request)));
        if seeded(SeededBug::SendBeforeCommit) {
            self.release();
        }
        self.alarms.extend(fx.alarms);
        self.resolved.extend(fx.resolved);
        self.settled.extend(fx.settled);
        self.booked.extend(fx.booked);
        if fx.read {
            self.reads.push_back(id.clone());
        }
        match fx.wake_at {
            Some(at) => self.wakes.insert(id.clone(), at),
            None => self.wakes.remove(id),
        };
    }

    fn append(&mut self, events: Vec<Event>, rows: Vec<Row>) {
        if !events.is_empty() || !rows.is_empty() {
            self.journal.push(Entry { at: self.at, events, rows });
        }
    }
}

fn limits(setups: &BTreeMap<AccountId, Setup>) -> HashMap<AccountId, Arc<Limits>> {
    setups.iter().map(|(id, setup)| (id.clone(), Arc::new(setup.limits.clone()))).collect()
}
