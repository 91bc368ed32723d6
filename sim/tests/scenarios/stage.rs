//! The stage of the stories: reads their lines, plays them on a pocket desk, and writes down what happens.
//!
//! Before the first time stand `given` lines. Then each line begins with a time (`09:31`, `09:31:05`, `Tue 09:31`; the
//! week is that of Monday 2025-03-03) and says what happens. The lines with `->` after it are all that goes out. Signal
//! `S1`'s first leg is the order `S1.1`. Quotes stay fresh unless `given stale quotes`. Requests go to a broker whose
//! part the story speaks (`broker S1.1 accepted`), or with `given paper` to the paper venue.

mod issues;
mod paper;
mod people;
mod restarts;
mod shows;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

use signalbox_domain::account::{AccountConf, AccountInput, Alarm, BookOrder, Pacing, Rebook};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, Capabilities, Level, Report};
use signalbox_domain::calendar::{china_date_time, china_instant};
use signalbox_domain::capital::CapitalBase;
use signalbox_domain::contract::Effect;
use signalbox_domain::corporate::CorporateActions;
use signalbox_domain::denial::DenialCode;
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::execution::{Ending, ParentStep};
use signalbox_domain::ids::{
    AccountId, BrokerOrderId, ClientId, ExecId, GroupId, OrderId, ParentId, SignalId, StrategyId,
};
use signalbox_domain::instrument::Currency;
use signalbox_domain::ledger::{Adjustment, OpeningHolding, Transfer};
use signalbox_domain::order::{OrdType, OrderFact, OrderTerms, Side, TimeInForce};
use signalbox_domain::paper::{PaperVenue, VenueConf, VenueEvent, VenueInput, VenueOrder};
use signalbox_domain::parent::Leg;
use signalbox_domain::quote::Quote;
use signalbox_domain::reconcile::DoubtConf;
use signalbox_domain::reconcile::exception::ExceptionKind;
use signalbox_domain::risk::limits::ProgramReport;
use signalbox_domain::risk::losses::LossStep;
use signalbox_domain::risk::{HOLDER, LimitSet, Limits, RiskInput};
use signalbox_domain::row::Row;
use signalbox_domain::signal::{Notes, Signal, SignalStatus, Size, Source, WaitingFor};
use signalbox_domain::strategy::{
    Allocation, Decision, Replacement, Route, RouteTo, Say, StrategyConf, StrategyInput, StrategyState,
};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};

use crate::execution_words::execution;
use shows::denial_codes;
use signalbox_sim::desk::{Desk, Setup, market};

/// Plays the story and compares what goes out with its `->` lines.
#[track_caller]
pub(crate) fn check(story: &str) {
    let expected = tidy(story);
    let actual = tidy(&play(story));
    assert!(actual == expected, "the story went otherwise:\n\n{actual}\n\n--- expected ---\n\n{expected}\n");
}

/// The denial codes that a story's `->` lines tell of.
pub(crate) fn codes_in(story: &str) -> Vec<DenialCode> {
    let words = story.lines().filter(|line| line.trim().starts_with("->")).flat_map(|line| line.split([' ', ',']));
    words.filter_map(|word| word.parse().ok()).collect()
}

fn tidy(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn play(story: &str) -> String {
    let lines = || story.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("->"));
    let mut out = String::new();
    let mut given = Given::default();
    for line in lines().filter(|line| line.starts_with("given")) {
        given.read(line.split_whitespace().skip(1).collect());
        let _ = writeln!(out, "{line}");
    }
    let mut stage = Stage::open(given);
    for line in lines().filter(|line| !line.starts_with("given")) {
        let _ = writeln!(out, "{line}");
        for said in stage.line(line) {
            let _ = writeln!(out, "-> {said}");
        }
    }
    stage.desk.commit();
    let differences = stage.desk.replay().differences(&stage.desk.tables());
    assert!(differences.is_empty(), "journal and rows differ: {differences:#?}");
    out
}

#[derive(Default)]
struct Given {
    setups: BTreeMap<String, Setup>,
    routes: BTreeMap<String, Vec<Route>>,
    groups: HashMap<GroupId, Vec<AccountId>>,
    paper: bool,
    stale: bool,
    live: Vec<AccountId>,
    daily: String,
    actions: String,
    issues: String,
}

fn account(name: &str) -> AccountId {
    AccountId::parse(name).expect("an account's name")
}

fn strategy(name: &str) -> StrategyId {
    StrategyId::parse(name).expect("a strategy's name")
}

pub(crate) fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

fn qty(text: &str) -> Qty {
    Qty::new(text.parse().expect("a quantity"))
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

/// The word after `key`.
pub(crate) fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().position(|word| *word == key).and_then(|at| words.get(at + 1)).copied()
}

impl Given {
    /// `paper` | `stale quotes` | `issue SYMBOL DAY @ PRICE unit N most N` | `ex SYMBOL DATE [cash N] [bonus N] [transfer N]` | `account NAME cash N [BOOK SYMBOL QTY]* [live [unreported]] [level N] [in_flight N] [pace N] [open N]
    /// [ceiling N] [in CURRENCY]` | `route STRATEGY a[+b] [x RATIO] [by equity|equal|cash] [base BASE] [except ACCOUNT]
    /// [confirm|notify_only|shadow] [short wait:S|shrink:S|deny]`
    fn read(&mut self, words: Vec<&str>) {
        match words.as_slice() {
            ["paper"] => self.paper = true,
            ["stale", "quotes"] => self.stale = true,
            // `daily SYMBOL range R volume N`: twenty-one days that ended on the Friday before.
            ["daily", symbol, "range", range, "volume", volume] => {
                let (low, high) = (price("10"), price("10") + price(range));
                let days = (3..=28).filter(|day| !matches!(day, 8 | 9 | 15 | 16 | 22 | 23));
                for day in days {
                    let _ = writeln!(self.daily, "{symbol},2025-02-{day:02},{high},{low},{low},{volume}");
                }
            }
            // `ex SYMBOL DATE [cash N] [bonus N] [transfer N]`: for ten shares.
            ["ex", symbol, date, rest @ ..] => {
                let per10 = |key| after(rest, key).unwrap_or("0");
                let (cash, bonus, transfer) = (per10("cash"), per10("bonus"), per10("transfer"));
                let _ = writeln!(self.actions, "{symbol},{date},{cash},{bonus},{transfer},0,0");
            }
            ["issue", rest @ ..] => self.issues.push_str(&issues::row(rest)),
            ["account", name, "cash", cash, rest @ ..] => {
                let report = if rest.contains(&"unreported") { ProgramReport::Missing } else { ProgramReport::OnFile };
                let limits = Limits {
                    program_report: report,
                    open_orders_max: after(rest, "open").map_or(10_000, |n| n.parse().expect("a number")),
                    message_ceiling: after(rest, "ceiling").map_or(15_000, |n| n.parse().expect("a number")),
                    currency: after(rest, "in").map_or(Currency::Cny, |money| money.parse().expect("a currency")),
                    ..Limits::default()
                };
                let level = match after(rest, "level") {
                    Some("2") => Level::L2,
                    _ => Level::L4,
                };
                let in_flight_max = after(rest, "in_flight").map_or(10, |n| n.parse().expect("a number"));
                let conf = AccountConf {
                    id: account(name),
                    capabilities: Capabilities { level, in_flight_max, market_orders: true, lists: false },
                    pacing: Pacing::of_second(after(rest, "pace").map_or(5, |n| n.parse().expect("a number"))),
                    doubt: DoubtConf::default(),
                };
                let mut holdings = Vec::new();
                for (n, word) in rest.iter().enumerate().filter(|(_, word)| word.contains('.')) {
                    let (book, held) = (strategy(rest[n - 1]), qty(rest[n + 1]));
                    holdings.push(OpeningHolding {
                        symbol: symbol(word),
                        strategy: book,
                        qty: held,
                        cost: price("10"),
                        on: None,
                    });
                }
                self.live.extend(rest.contains(&"live").then(|| account(name)));
                let cash = Money::parse(cash).expect("money");
                self.setups.insert((*name).to_owned(), Setup { conf, limits, cash, holdings });
            }
            ["route", name, to, rest @ ..] => {
                let follow_ratio = Ratio::parse(after(rest, "x").unwrap_or("1")).expect("a ratio");
                let allocation = match after(rest, "by") {
                    Some("equity") => Allocation::Equity,
                    Some("equal") => Allocation::EqualQuantity,
                    Some("cash") => Allocation::AvailableCash,
                    _ => Allocation::FixedRatio,
                };
                let capital_base = after(rest, "base").map_or(CapitalBase::None, |base| base.parse().expect("a base"));
                let except = after(rest, "except").map(account).into_iter().collect();
                let accounts: Vec<AccountId> = to.split('+').map(account).collect();
                let to = match accounts.as_slice() {
                    [one] => RouteTo::Account(one.clone()),
                    _ => {
                        let group = GroupId::parse(&format!("group{}", self.groups.len())).expect("a name");
                        self.groups.insert(group.clone(), accounts);
                        RouteTo::Group(group)
                    }
                };
                let routes = self.routes.entry((*name).to_owned()).or_default();
                let mode = rest.iter().find_map(|word| word.parse().ok()).unwrap_or_default();
                let short_of_cash =
                    after(rest, "short").map_or_else(Default::default, |text| text.parse().expect("a word"));
                routes.push(Route { to, follow_ratio, allocation, capital_base, except, mode, short_of_cash });
            }
            other => panic!("given what? {other:?}"),
        }
    }
}

struct Stage {
    desk: Desk,
    venue: Option<PaperVenue>,
    stale: bool,
    told: usize,
    alarms: usize,
    /// The journal is held by hand.
    holding: bool,
    down: bool,
    quotes: Vec<Quote>,
    day: TradeDate,
    /// The newest order that was asked past all strategies.
    asked: Option<OrderId>,
}

pub(crate) const WEEK: [(&str, u32); 7] = [
    ("Mon", 20_250_303),
    ("Tue", 20_250_304),
    ("Wed", 20_250_305),
    ("Thu", 20_250_306),
    ("Fri", 20_250_307),
    ("Sat", 20_250_308),
    ("Sun", 20_250_309),
];

impl Stage {
    fn open(mut given: Given) -> Self {
        if given.setups.is_empty() {
            given.read("account a cash 100000".split(' ').collect());
        }
        if given.routes.is_empty() {
            given.read("route s a".split(' ').collect());
        }
        let confs = given.routes.into_iter().map(|(name, routes)| StrategyConf {
            id: strategy(&name),
            kind: "external".into(),
            routes,
        });
        let confs = confs.chain([signalbox_domain::strategy::manual_conf()]).collect();
        let day = TradeDate::from_yyyymmdd(WEEK[0].1).expect("a date");
        let at = china_instant(day, 8, 0, 0);
        let daily = format!("symbol,date,high,low,close,volume\n{}", given.daily);
        let daily = signalbox_domain::daily::DailyBars::parse(&daily).expect("days");
        let actions = CorporateActions::parse(&format!("{}\n{}", CorporateActions::HEADER, given.actions));
        let market = market().with_daily(daily).with_actions(actions.expect("corporate actions").into());
        let market = market.with_issues(issues::table(&given.issues).into());
        let setups = given.setups.into_values().collect();
        let mut desk = Desk::open(Rc::new(market), at, setups, confs, given.groups);
        given.live.into_iter().for_each(|account| desk.ledgers.set_live(account));
        let told = desk.journal.len();
        let venue = given.paper.then(|| PaperVenue::new(VenueConf::default()));
        let mut stage = Self {
            desk,
            venue,
            stale: given.stale,
            told,
            alarms: 0,
            holding: false,
            down: false,
            quotes: Vec::new(),
            day,
            asked: None,
        };
        for symbol in ["600000.SH", "000001.SZ", "688981.SH"] {
            stage.quote(&[symbol, "10.00", "prev", "10.00"]);
        }
        stage
    }

    /// Plays one line and returns what went out.
    fn line(&mut self, line: &str) -> Vec<String> {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let Some((_, date)) = WEEK.iter().find(|(name, _)| *name == words[0]) {
            self.day = TradeDate::from_yyyymmdd(*date).expect("a date");
            words.remove(0);
        }
        let parts: Vec<u32> = words[0].split(':').map(|part| part.parse().expect("a time")).collect();
        let at = china_instant(self.day, parts[0], parts[1], parts.get(2).copied().unwrap_or(0));
        let mut said = Vec::new();
        self.advance(at, &mut said);
        match self.act(&words[1..]) {
            Some(mut shown) => said.append(&mut shown),
            None => {
                self.quiet(&mut said);
                self.advance(at, &mut said); // whoever has his turn at once has it now
            }
        }
        said
    }

    fn advance(&mut self, to: Timestamp, said: &mut Vec<String>) {
        if self.down {
            self.desk.at = to;
            return;
        }
        for turn in 0.. {
            assert!(turn < 1_000, "somebody wants to be woken for ever");
            // 15:00:00 sharp still belongs to the session that ends then.
            let ends = self.desk.next_day_end();
            let wake = self.desk.wake_at().map(|at| at.max(self.desk.at));
            let end = ends.map(|(at, _)| at);
            let Some(next) = end.into_iter().chain(wake).min().filter(|next| *next <= to) else { break };
            self.set_clock(next);
            if let Some((_, ending)) = ends.filter(|(at, _)| *at == next) {
                self.venue(VenueInput::End(ending));
                self.desk.day_ended(ending);
            }
            self.quiet(said);
        }
        self.set_clock(to);
        self.quiet(said);
    }

    fn set_clock(&mut self, at: Timestamp) {
        self.desk.set_clock(at);
        if !self.stale {
            for quote in &self.quotes {
                self.desk.quotes.put(Quote { at, ..quote.clone() });
            }
        }
    }

    /// Lets everything happen that happens by itself, and writes it down.
    fn quiet(&mut self, said: &mut Vec<String>) {
        loop {
            while self.desk.busy() > 0 {
                self.desk.step(0);
            }
            if !self.holding {
                self.desk.commit();
            }
            self.write_down(said);
            let requests: Vec<_> = self.desk.sent.drain(..).collect();
            if requests.is_empty() && self.desk.busy() == 0 {
                return;
            }
            for (account, request) in requests {
                self.request(&account, &request, said);
            }
        }
    }

    fn request(&mut self, account: &AccountId, request: &BrokerRequest, said: &mut Vec<String>) {
        let order = name(request.order());
        match request {
            BrokerRequest::Submit { terms, send_no, .. } => {
                let price = terms.limit_price.map_or("market".to_owned(), |px| format!("@ {px}"));
                let again = if *send_no > 1 { " again" } else { "" };
                let ioc = if terms.time_in_force == TimeInForce::Ioc { " ioc" } else { "" };
                let side = side(terms.side, terms.effect);
                said.push(format!("{account}: submit {order} {side} {} {price}{ioc}{again}", terms.qty));
            }
            BrokerRequest::Cancel { .. } => said.push(format!("{account}: cancel {order}")),
            BrokerRequest::Find { .. } => said.push(format!("{account}: find {order}")),
        }
        if self.venue.is_some() {
            self.ask_venue(account, request);
        }
    }

    /// Everything in the journal since the last look, in a trader's words.
    fn write_down(&mut self, said: &mut Vec<String>) {
        for entry in self.desk.journal[self.told.min(self.desk.journal.len())..].iter() {
            for event in &entry.events {
                said.extend(event_line(event));
            }
            for row in &entry.rows {
                if let Row::Signal(row) = row
                    && row.status.is_final()
                {
                    let codes: Vec<String> = row.denials.iter().map(|denial| denial.code.to_string()).collect();
                    let whole = row.status == SignalStatus::Denied && !codes.is_empty();
                    let why = if whole { format!(" {}", codes.join(",")) } else { String::new() };
                    said.push(format!("S{} {}{why}", row.id.get(), <&str>::from(row.status)));
                }
            }
        }
        self.told = self.desk.journal.len();
        for alarm in &self.desk.alarms[self.alarms..] {
            said.push(match alarm {
                Alarm::InDoubt { order, .. } => format!("alarm: {} is in doubt", name(*order)),
                Alarm::Unexplained { order, .. } => format!("alarm: unexplained report of {}", name(*order)),
                Alarm::Parked { order, .. } => format!("alarm: {} is parked", name(*order)),
                Alarm::Ghost { order, no } => format!("alarm: {no} is a ghost of {}", name(*order)),
                Alarm::ReadInvalid { why } => format!("alarm: {why}"),
                Alarm::Break { what } => format!("alarm: break {what}"),
                Alarm::CameBack { order } => format!("alarm: {} came back", name(*order)),
                Alarm::Overfill { order } => format!("alarm: {} is filled beyond its quantity", name(*order)),
                Alarm::Revived { order, .. } => format!("alarm: {order} has ended, and works"),
                Alarm::ClockJumped { by } => format!("alarm: the clocks went apart by {} ms", by.us() / 1_000),
                Alarm::WentEx(_) => continue, // its event says it
                Alarm::ExUnbooked(action) => format!("alarm: {} went ex and is not booked", action.symbol),
            });
        }
        self.alarms = self.desk.alarms.len();
        for refused in self.desk.limits.drain(..).filter_map(Result::err) {
            said.push(format!("refused: {refused}"));
        }
    }

    fn quote(&mut self, words: &[&str]) {
        let known = self.quotes.iter().find(|quote| quote.symbol == symbol(words[0]));
        let prev_close = after(words, "prev").map(price).or(known.and_then(|quote| quote.prev_close));
        let quote = Quote {
            symbol: symbol(words[0]),
            last: price(words[1]),
            bid: after(words, "bid").map(price),
            ask: after(words, "ask").map(price),
            bid_size: None,
            ask_size: None,
            volume: None,
            prev_close,
            at: self.desk.at,
        };
        self.desk.quotes.put(quote.clone());
        self.desk.tell_risk(RiskInput::Watch);
        self.desk.quoted();
        self.venue(VenueInput::Quote(&quote));
        self.quotes.retain(|known| known.symbol != quote.symbol);
        self.quotes.push(quote);
    }

    /// Does what a line says. `Some` for a question, with its answer.
    fn act(&mut self, words: &[&str]) -> Option<Vec<String>> {
        match words {
            [] => {}
            ["quote", rest @ ..] => self.quote(rest),
            ["hold", "journal"] => self.holding = true,
            ["release", "journal"] => self.holding = false,
            ["kill"] => self.down = true,
            ["restart", how @ ..] => self.restart(how),
            ["halt"] => self.state(Scope::Global, TradingState::Halted),
            ["reduce"] => self.state(Scope::Global, TradingState::Reducing),
            ["resume"] => self.state(Scope::Global, TradingState::Active),
            ["pause", name] => self.strategy_state(name, StrategyState::Paused),
            ["stop", name] => self.strategy_state(name, StrategyState::Stopped),
            ["start", name] => self.strategy_state(name, StrategyState::Active),
            ["deposit", sum, rest @ ..] => {
                let amount = Money::parse(sum).expect("money");
                return Some(self.rebook(rest, Rebook::Adjust(Adjustment::Cash { amount })));
            }
            ["release", "account", name] => self.state(Scope::Account(account(name)), TradingState::Active),
            ["release", "all"] => self.state(Scope::Global, TradingState::Active),
            ["cancel", "all", name] => {
                let all = AccountInput::CancelAll { side: None, strategy: None, reason: "cancel all".into() };
                self.desk.tell_account(&account(name), all);
            }
            ["cancel", "asked"] => {
                let order = self.asked.expect("an order that was asked");
                let of = self.account_of(order);
                self.desk.tell_account(&of, AccountInput::Cancel { order, reason: "a trader".into() });
            }
            ["cancel", what] if what.contains('.') => {
                let order = order_id(what);
                let of = self.account_of(order);
                self.desk.tell_account(&of, AccountInput::Cancel { order, reason: "a trader".into() });
            }
            ["cancel", what] => {
                let signal = SignalId::new(what[1..].parse().expect("a signal"));
                let of = self.desk.signals[&signal].strategy.clone();
                self.desk.tell_strategy(&of, StrategyInput::Cancel { signal, who: "a trader".into() });
            }
            ["replace", what, rest @ ..] => return Some(self.replace(order_id(what), rest)),
            ["confirm", what, "in", name] => return Some(self.decide(what, name, Decision::Confirm)),
            ["decline", what, "in", name] => {
                return Some(self.decide(what, name, Decision::Decline { reason: "not now".into() }));
            }
            ["complete", what, "in", name, n, "at", px] => {
                let decision = Decision::Complete { qty: qty(n), px: price(px), order: "B77".into() };
                return Some(self.decide(what, name, decision));
            }
            ["broker", order, what @ ..] => {
                let order = if *order == "asked" { self.asked.expect("an order") } else { order_id(order) };
                let what = report(order, what, self.desk.at);
                let of = self.account_of(order);
                self.desk.tell_account(&of, AccountInput::Broker(BrokerReport { order, what }));
            }
            ["release", "strategy", name] => self.state(Scope::Strategy(strategy(name)), TradingState::Active),
            ["again"] => self.again(),
            ["limits", scope, rest @ ..] => self.limits(scope, rest),
            ["import", book, of, n, "@", cost, rest @ ..] => {
                let on = after(rest, "on").map(|day| TradeDate::parse(day).expect("a day"));
                let (symbol, strategy) = (symbol(of), strategy(book));
                let holding = OpeningHolding { symbol, strategy, qty: qty(n), cost: price(cost), on };
                return Some(self.rebook(rest, Rebook::Import(vec![holding])));
            }
            ["transfer", n, of, "from", from, "to", to, rest @ ..] => {
                let (from, to) = (strategy(from), strategy(to));
                let transfer = Transfer { symbol: symbol(of), from, to, qty: qty(n) };
                return Some(self.rebook(rest, Rebook::Transfer(transfer)));
            }
            ["monitors"] => return Some(self.monitors()),
            ["watch"] => self.desk.tell_risk(RiskInput::Watch),
            ["numbers", order] => return Some(self.numbers(order_id(order))),
            ["books", name] => return Some(self.books(&account(name))),
            ["ask", rest @ ..] => return Some(self.ask(rest)),
            ["show", name] => return Some(vec![self.show(&account(name))]),
            signals @ [signal, ..] if signal.starts_with('S') => {
                for words in signals.split(|word| *word == "and") {
                    let signal = self.signal(&words[0][1..], &words[1..]);
                    self.desk.accept(signal);
                }
            }
            other => panic!("what shall happen? {other:?}"),
        }
        None
    }

    fn account_of(&self, order: OrderId) -> AccountId {
        let of = |account: &AccountId| self.desk.accounts[account].order(order).is_some();
        let live = self.desk.accounts.keys().find(|account| of(account)).cloned();
        live.or_else(|| self.desk.tables().orders.get(&order).map(|o| o.terms.account.clone()))
            .unwrap_or_else(|| self.desk.accounts.keys().next().cloned().expect("an account"))
    }

    fn state(&mut self, scope: Scope, state: TradingState) {
        let (who, reason) = ("a trader".into(), "the story".into());
        self.desk.tell_risk(RiskInput::SetTradingState { scope, state, who, reason });
    }

    /// The next attempt of what was asked, as a policy would make it.
    fn again(&mut self) {
        let order = self.asked.expect("an order that was asked");
        let tables = self.desk.tables();
        let terms = &tables.orders[&order.parent().order(1)].terms;
        let id = order.parent().order(order.attempt() + 1);
        let valid_until = self.desk.at.plus(Span::from_secs(60));
        self.asked = Some(id);
        self.desk.tell_risk(RiskInput::Check(vec![OrderTerms { id, valid_until, ..(**terms).clone() }.into()]));
    }

    /// `NAME VALUE [NAME VALUE]* [version N]`
    fn limits(&mut self, scope: &str, words: &[&str]) {
        let scope = match scope.split_once(':') {
            Some(("account", name)) => Scope::Account(account(name)),
            Some((_, name)) => Scope::Strategy(strategy(name)),
            None => Scope::Global,
        };
        let mut set = LimitSet::default();
        for pair in words.chunks(2).filter(|pair| pair[0] != "version") {
            set.put(pair[0], pair[1]).expect("a limit");
        }
        let expected = after(words, "version").map(|n| n.parse().expect("a number"));
        let (who, reason) = ("a risk manager".into(), "the story".into());
        self.desk.tell_risk(RiskInput::SetLimits { scope, set: set.into(), expected, who, reason });
    }

    fn strategy_state(&mut self, name: &str, state: StrategyState) {
        let (who, reason) = ("a trader".into(), "the story".into());
        self.desk.tell_strategy(&strategy(name), StrategyInput::SetState { state, who, reason });
    }

    /// A size is a number of shares, `¥25000` or `25%`; a sell's also `all`, a buy's `all_in`.
    ///
    /// `[of STRATEGY | by hand in ACCOUNT] buy|sell|target SIZE SYMBOL @ PRICE|market [effect EFFECT] [ioc]
    /// [until [DAY,]HH:MM] [test] [decided DAY-HH:MM] [priority N] [basket NAME] [if_flat]`, and how it is executed: see [`crate::execution_words`].
    fn signal(&self, id: &str, words: &[&str]) -> Signal {
        let verb = words.iter().position(|word| matches!(*word, "buy" | "sell" | "target")).expect("a verb");
        let by_hand = after(words, "in").map(account);
        let target = words[verb] == "target";
        let size = match words[verb + 1] {
            "all" => Size::All,
            "all_in" => Size::AllIn,
            text => match (text.strip_prefix('¥'), text.strip_suffix('%')) {
                (Some(sum), _) if target => Size::TargetAmount(Money::parse(sum).expect("a sum")),
                (Some(sum), _) => Size::Amount(Money::parse(sum).expect("a sum")),
                (_, Some(percent)) => {
                    let share = Ratio::from_percent(percent.parse().expect("a percentage"));
                    if target { Size::TargetWeight(share) } else { Size::Percent(share) }
                }
                _ if target => Size::TargetQuantity(qty(text)),
                _ => Size::Quantity(qty(text)),
            },
        };
        let limit_price = after(words, "@").map(price);
        let valid_until = after(words, "until").map(|time| {
            let (day, time) = time.split_once(',').unwrap_or(("", time));
            let (hh, mm) = time.split_once(':').expect("a time");
            let of_week = WEEK.iter().find(|(name, _)| *name == day);
            let day = of_week.map_or(Some(self.day), |(_, date)| TradeDate::from_yyyymmdd(*date)).expect("a day");
            china_instant(day, hh.parse().expect("an hour"), mm.parse().expect("a minute"), 0)
        });
        Signal {
            id: SignalId::new(id.parse().expect("a number")),
            source: if by_hand.is_some() { Source::Manual } else { Source::Signal },
            strategy: match &by_hand {
                Some(_) => StrategyId::manual(),
                None => strategy(after(words, "of").unwrap_or("s")),
            },
            account: by_hand,
            client: ClientId::parse("story").expect("a name"),
            client_signal_id: format!("k{id}").into(),
            symbol: symbol(words[verb + 2]),
            side: match words[verb] {
                "buy" => Some(Side::Buy),
                "sell" => Some(Side::Sell),
                _ => None,
            },
            position_effect: after(words, "effect").map(|effect| effect.parse().expect("an effect")),
            size,
            ord_type: if limit_price.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price,
            time_in_force: if words.contains(&"ioc") { TimeInForce::Ioc } else { TimeInForce::Day },
            valid_until,
            execution: execution(words),
            tag: None,
            received_at: self.desk.at,
            notes: Notes {
                test: words.contains(&"test"),
                signal_time: after(words, "decided").map(|time| {
                    let (day, time) = time.split_once('-').expect("DAY-HH:MM");
                    let (_, day) = WEEK.iter().find(|(name, _)| *name == day).expect("a day");
                    let (hh, mm) = time.split_once(':').expect("a time");
                    let day = TradeDate::from_yyyymmdd(*day).expect("a date");
                    china_instant(day, hh.parse().expect("an hour"), mm.parse().expect("a minute"), 0)
                }),
                bar_time: None,
                ref_price: None,
                only_if_flat: words.contains(&"if_flat"),
                priority: after(words, "priority").map_or(0, |n| n.parse().expect("a number")),
                basket: after(words, "basket").map(Into::into),
                catch_up: None,
            },
        }
    }

    /// Asks risk past all strategies, as a second door would: the words are a signal's.
    fn ask(&mut self, words: &[&str]) -> Vec<String> {
        let signal = self.signal("0", words);
        let terms = OrderTerms {
            id: SignalId::new(0).parent(self.told as u16).order(1),
            account: account(after(words, "for").unwrap_or("a")),
            strategy: signal.strategy.clone(),
            source: signal.source,
            symbol: signal.symbol,
            side: signal.side.expect("a side"),
            effect: signal.position_effect,
            ord_type: signal.ord_type,
            limit_price: signal.limit_price,
            time_in_force: signal.time_in_force,
            qty: qty(words[words.iter().position(|w| matches!(*w, "buy" | "sell")).expect("a verb") + 1]),
            valid_until: self.desk.at.plus(Span::from_secs(60)),
            all_in: false,
        };
        self.asked = Some(terms.id);
        let terms = std::sync::Arc::new(terms);
        let times = if words.contains(&"twice") { 2 } else { 1 };
        self.desk.tell_risk(RiskInput::Check(vec![terms; times]));
        let mut said = Vec::new();
        self.quiet(&mut said);
        said
    }

    /// Tells the account that the words name after `in`, or `a`.
    fn rebook(&mut self, words: &[&str], what: Rebook) -> Vec<String> {
        let of = account(after(words, "in").unwrap_or("a"));
        self.desk.tell_account(&of, AccountInput::Book(BookOrder { what, by: "ann".into(), note: "the story".into() }));
        let (mut said, told) = (Vec::new(), self.desk.booked.len());
        self.quiet(&mut said);
        said.extend(self.desk.booked[told..].iter().filter_map(|b| b.as_ref().err()).map(|e| format!("refused: {e}")));
        said
    }
}

/// `buy`, or `buy open` of a contract.
fn side(side: Side, effect: Option<Effect>) -> String {
    effect.map_or(side.to_string(), |effect| format!("{side} {effect}"))
}

fn name(order: OrderId) -> String {
    let attempt = if order.attempt() > 1 { format!("#{}", order.attempt()) } else { String::new() };
    if order.signal().get() == 0 {
        return format!("S0.1{attempt}"); // past all strategies: each has a leg of its own
    }
    format!("S{}.{}{attempt}", order.signal().get(), order.parent().leg() + 1)
}

fn names(parents: &[ParentId]) -> String {
    parents.iter().map(|parent| name(parent.order(1))).collect::<Vec<_>>().join(", ")
}

fn order_id(text: &str) -> OrderId {
    let (signal, leg) = text[1..].split_once('.').expect("an order");
    let (leg, attempt) = leg.split_once('#').unwrap_or((leg, "1"));
    let leg: u16 = leg.parse().expect("a leg");
    SignalId::new(signal.parse().expect("a signal")).parent(leg - 1).order(attempt.parse().expect("an attempt"))
}

fn report(order: OrderId, words: &[&str], at: Timestamp) -> Report {
    match words {
        ["accepted"] => Report::Accepted { broker_order_id: BrokerOrderId(format!("B{}", order.get()).into()) },
        ["rejected"] => Report::Rejected { text: "no".into() },
        ["filled", exec_id, n, "at", px] => {
            Report::Filled { exec_id: ExecId((*exec_id).into()), qty: qty(n), px: price(px), at }
        }
        ["canceled"] => Report::Canceled { text: "canceled".into() },
        ["cancel", "rejected"] => Report::CancelRejected { text: "too late".into() },
        ["expired"] => Report::Expired,
        ["lost"] => Report::Lost { cause: "no answer".into() },
        ["not", "found"] => Report::NotFound,
        other => panic!("what does the broker say? {other:?}"),
    }
}

fn event_line(event: &Event) -> Option<String> {
    Some(match event {
        Event::SignalAccepted(signal) if signal.source == Source::Monitor => {
            let (why, of) = (signal.tag.as_deref().unwrap_or_default(), &signal.strategy);
            format!("S{} of {of}: sell {}, {why}", signal.id.get(), signal.symbol)
        }
        Event::SignalWaiting { signal, waiting_for: WaitingFor::Basket, .. } => {
            format!("S{} waits for basket", signal.get())
        }
        Event::SignalWaiting { signal, waiting_for, until, .. } => {
            format!("S{} waits for {waiting_for}, looks again at {}", signal.get(), minute(*until))
        }
        Event::SignalPlanned { signal, legs, residual, .. }
            if legs.len() != 1 || !residual.is_zero() || legs.iter().any(|leg| !leg.mode.is_auto()) =>
        {
            let legs: Vec<String> = legs
                .iter()
                .map(|leg| format!("{} {} {}{}", leg.account, side(leg.side, leg.effect), leg.qty, waits(leg)))
                .collect();
            let legs = if legs.is_empty() { "nothing".to_owned() } else { legs.join(", ") };
            format!("S{} planned: {legs}; residual {residual}", signal.get())
        }
        Event::TriggerFired { signal, condition, price, .. } => {
            format!("S{} comes true: {condition} at {price}", signal.get())
        }
        Event::TriggerMarked { signal, best, .. } => format!("S{} hangs on {best}", signal.get()),
        Event::ExitPlanned { signal, legs, .. } if legs.is_empty() => {
            format!("S{} has nothing left to give up", signal.get())
        }
        Event::ExitPlanned { signal, legs, .. } => {
            let legs = legs.iter().map(|leg| format!("{} {} {}", leg.account, side(leg.side, leg.effect), leg.qty));
            format!("S{} goes out: {}", signal.get(), legs.collect::<Vec<_>>().join(", "))
        }
        Event::ParentStepped { parent, step, .. } => {
            let leg = format!("S{}.{}", parent.signal().get(), parent.leg() + 1);
            match step {
                ParentStep::Withdrawn { order, why } => format!("{} is taken back: {why}", name(*order)),
                ParentStep::Asked { why, .. } => format!("{leg} asks a person: {why}"),
                ParentStep::Ended { ending: Ending::Filled } => return None,
                ParentStep::Replaced { order, qty, limit_price, .. } => {
                    format!("{} shall be {qty} @ {limit_price}", name(*order))
                }
                ParentStep::Ended { ending } => format!("{leg} ends: {ending}"),
            }
        }
        Event::Exception(e) if e.kind == ExceptionKind::Asked => {
            let what = e.decision.as_ref().map_or("opened".to_owned(), |decision| decision.what.to_string());
            format!("{}: exception {}, {what}", e.account, e.kind)
        }
        Event::LimitsSet(fact) => {
            let scope = scope_name(&fact.scope);
            let loosened = match fact.loosened.as_slice() {
                [] => String::new(),
                names => format!("; looser {}", names.join(",")),
            };
            format!("limits {} of {scope}{loosened}", fact.version)
        }
        Event::LimitWarned(warning) => format!("{} warned {}", name(warning.order), warning.code),
        Event::TradingStateSet { scope, state, who, reason } if &**who == HOLDER => {
            format!("{} is {state}: {reason}", scope_name(scope))
        }
        Event::EquityMarked(mark) if (mark.day, mark.drawdown) != (LossStep::Quiet, LossStep::Quiet) => {
            let (day, drawdown): (&str, &str) = (mark.day.into(), mark.drawdown.into());
            format!("{}: gain {}, day {day}, drawdown {drawdown}", scope_name(&mark.scope), mark.gain)
        }
        Event::BooksImported { account, items, .. } => {
            let items = items.iter().map(|i| format!("{} {} {} @ {}", i.book, i.symbol, i.qty, i.cost));
            format!("{account}: imported {}", items.collect::<Vec<_>>().join(", "))
        }
        Event::CorporateActionBooked { account, booked } => {
            let parts = booked.parts.iter().map(|p| format!("{} {} shares and {}", p.book, p.shares, p.cash));
            let parts = parts.collect::<Vec<_>>().join(", ");
            let action = &booked.action;
            format!("{account}: {} of {} went ex {}: {parts}", booked.held, action.symbol, action.ex_date)
        }
        Event::BookTransferred { account, transfer, by, .. } => {
            let Transfer { symbol, from, to, qty } = &**transfer;
            format!("{account}: {qty} {symbol} went from {from} to {to}, by {by}")
        }
        Event::LegsWaiting { parents, waiting_for, until, .. } => {
            let until = until.map_or(String::new(), |until| format!(" until {}", minute(until)));
            format!("{} waits for {waiting_for}{until}", names(parents))
        }
        Event::LegShadowed { terms, denials, .. } => {
            let price = terms.limit_price.map_or("market".to_owned(), |px| format!("@ {px}"));
            let denied = if denials.is_empty() { String::new() } else { format!(", denied {}", denial_codes(denials)) };
            format!("{}: shadow {} {} {} {price}{denied}", terms.account, name(terms.id), terms.side, terms.qty)
        }
        Event::LegsConfirmed { parents, .. } => format!("{} confirmed", names(parents)),
        Event::LegsEnded { parents, status, reason, .. } => format!("{} {status}: {reason}", names(parents)),
        Event::LegCompleted { parent, qty, px, .. } => format!("{} done by hand: {qty} at {px}", names(&[*parent])),
        Event::OrderDenied { terms, denials } => format!("{} denied {}", name(terms.id), denial_codes(denials)),
        Event::Order { order, fact, .. } => {
            let what = match fact {
                OrderFact::Accepted { .. } => "accepted".to_owned(),
                OrderFact::Rejected { .. } => "rejected".to_owned(),
                OrderFact::Filled { qty, px, fee, .. } => format!("filled {qty} at {px}, fee {fee}"),
                OrderFact::Netted { with, qty, px, .. } => format!("netted {qty} with {} at {px}", name(*with)),
                OrderFact::Canceled { .. } => "canceled".to_owned(),
                OrderFact::CancelRejected { text } => format!("cannot be canceled: {text}"),
                OrderFact::Expired => "expired".to_owned(),
                OrderFact::InDoubt { .. } => "in doubt".to_owned(),
                OrderFact::NeverSent { .. } => "never sent".to_owned(),
                OrderFact::Absent { .. } => "absent".to_owned(),
                OrderFact::Parked { reason } => format!("parked: {reason}"),
                OrderFact::Sending { .. } | OrderFact::CancelRequested { .. } | OrderFact::CancelSending => {
                    return None;
                }
            };
            format!("{} {what}", name(*order))
        }
        _ => return None,
    })
}

fn scope_name(scope: &Scope) -> String {
    match scope {
        Scope::Global => "global".to_owned(),
        Scope::Account(id) => format!("account:{id}"),
        Scope::Strategy(id) => format!("strategy:{id}"),
    }
}

fn minute(at: Timestamp) -> String {
    let minutes = china_date_time(at).1 / 60_000_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn waits(leg: &Leg) -> String {
    leg.mode.waits_for().map(|what| format!(" waits for {what}")).unwrap_or_default()
}
