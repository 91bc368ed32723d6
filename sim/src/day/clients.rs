//! What clients and people do on a day.

use super::*;
use signalbox_domain::account::{BookOrder, Rebook};
use signalbox_domain::event::Event;
use signalbox_domain::execution::{Conditions, Execution, ParentStep, Policy, PriceForm, Trail};
use signalbox_domain::ids::StrategyId;
use signalbox_domain::ledger::Transfer;
use signalbox_domain::order::{Order, OrderFact};
use signalbox_domain::signal::WaitingFor;
use signalbox_domain::strategy::{Decision, Say, StrategyInput};
use signalbox_domain::units::Ratio;

const CENT: i64 = 100;

impl Day {
    pub(super) fn signal(&mut self) {
        let (a, b, c) = (self.clients.next_u32(), self.clients.next_u32(), self.clients.next_u32());
        let name = ["s", "s", "t", "u", "manual"][a as usize % 5];
        let by_hand = (name == "manual").then(|| account(ACCOUNTS[1 + b as usize % 2]));
        let lots = i64::from(1 + b / 2 % 5) * 100;
        let limit_price = (!c.is_multiple_of(5)).then(|| Price::from_e4(99_000 + i64::from(c / 6 % 20) * CENT));
        let id = SignalId::new(self.next_signal);
        self.next_signal += 1;
        let plain = Signal {
            id,
            source: if by_hand.is_some() { Source::Manual } else { Source::Signal },
            strategy: strategy(name),
            account: by_hand,
            client: ClientId::parse("x").expect("a name"),
            client_signal_id: format!("k{}", id.get()).into(),
            symbol: symbol(a / 5),
            side: Some(if c.is_multiple_of(2) { Side::Buy } else { Side::Sell }),
            position_effect: None,
            size: Size::Quantity(Qty::new(lots)),
            ord_type: if limit_price.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price,
            time_in_force: TimeInForce::Day,
            // One in four is given up soon: then its orders are cancelled.
            valid_until: (c / 1_000)
                .is_multiple_of(4)
                .then(|| self.desk.at.plus(Span::from_secs(2 + i64::from(c / 4_000 % 90)))),
            execution: None,
            tag: None,
            received_at: self.desk.at,
            notes: Notes::default(),
        };
        let signal = if name == "manual" { plain } else { self.with_wishes(plain) };
        self.desk.accept(signal.clone());
        if self.faults.has(Trouble::Netting) && !self.wishes.next_u32().is_multiple_of(4) {
            self.stand_against(&signal);
        }
    }

    /// Another strategy wants the opposite at the same moment.
    fn stand_against(&mut self, signal: &Signal) {
        let (a, b) = (self.wishes.next_u32(), self.wishes.next_u32());
        let others: Vec<&str> = ["s", "t", "u"].into_iter().filter(|name| *name != signal.strategy.as_str()).collect();
        let side = if signal.side == Some(Side::Buy) { Side::Sell } else { Side::Buy };
        let last = self.last[(0..3).find(|n| symbol(*n) == signal.symbol).unwrap_or(0) as usize];
        let generous = i64::from(b % 30) * CENT;
        let px = if side == Side::Buy { last + generous } else { last - generous };
        let limit_price = (!a.is_multiple_of(4)).then(|| Price::from_e4(px));
        let id = SignalId::new(self.next_signal);
        self.next_signal += 1;
        let twin = Signal {
            id,
            source: Source::Signal,
            strategy: strategy(others[a as usize / 4 % others.len()]),
            account: None,
            client_signal_id: format!("k{}", id.get()).into(),
            side: Some(side),
            size: Size::Quantity(Qty::new(i64::from(1 + b / 30 % 6) * 100)),
            ord_type: if limit_price.is_some() { OrdType::Limit } else { OrdType::Market },
            limit_price,
            execution: None,
            notes: Notes::default(),
            ..signal.clone()
        };
        self.desk.accept(twin);
    }

    /// What it asks for beyond a plain order, as the door would let it pass.
    fn with_wishes(&mut self, mut signal: Signal) -> Signal {
        let side = signal.side.unwrap_or(Side::Buy);
        let mut execution = Execution::default();
        if self.faults.has(Trouble::Policies) {
            execution.policy = self.policy(side);
            execution.price = self.price_form();
            if execution.price.is_some() {
                (signal.ord_type, signal.limit_price) = (OrdType::Market, None);
            }
            execution.renew = self.wishes.next_u32().is_multiple_of(4);
            signal.notes.priority = i16::try_from(self.wishes.next_u32() % 3).unwrap_or_default();
            if self.wishes.next_u32().is_multiple_of(4) {
                signal.notes.basket = Some(format!("b{}", signal.id.get() / 3).into());
            }
        }
        if self.faults.has(Trouble::Triggers) {
            let last = self.last[(0..3).find(|n| symbol(*n) == signal.symbol).unwrap_or(0) as usize];
            let dice = self.wishes.next_u32();
            if dice.is_multiple_of(6) {
                execution.not_before = Some(self.desk.at.plus(Span::from_secs(i64::from(dice / 6 % 300))));
            }
            match (dice / 2_000 % 3, side) {
                (0, Side::Buy) => {
                    let stop = Some(Price::from_e4(last + i64::from(self.wishes.next_u32() % 20) * CENT));
                    execution.conditions = Some(Conditions { stop, ..Conditions::default() });
                }
                (1, Side::Buy) => execution.exits = Some(self.way_out(last)),
                (0, Side::Sell) => execution.conditions = Some(self.way_out(last)),
                _ => {}
            }
        }
        if execution != Execution::default() {
            self.met("beyond a plain order");
            signal.execution = Some(Arc::new(execution));
        }
        signal
    }

    fn policy(&mut self, side: Side) -> Policy {
        let (kind, a, b) = (self.wishes.next_u32() % 6, self.wishes.next_u32(), self.wishes.next_u32());
        let secs = |from: u32, upto: u32| Span::from_secs(i64::from(from + a % (upto - from)));
        let few = u8::try_from(1 + b % 4).unwrap_or(1);
        match (kind, side) {
            (0, Side::Buy) => Policy::BuyThenGiveUp { wait: secs(10, 90), attempts: few },
            (0 | 1, Side::Sell) => Policy::SellUntilDone {
                reprice_every: secs(10, 60),
                escalate_after: b.is_multiple_of(2).then(|| Span::from_secs(60)),
                market_after: (b / 2).is_multiple_of(3).then(|| Span::from_secs(90)),
            },
            (1 | 2, _) => Policy::Reprice { every: secs(10, 60), max: few },
            (3, _) => Policy::Twap { duration: secs(30, 600), slices: 2 + u16::from(few) },
            (4, _) => Policy::Iceberg { display: Qty::new(100 + i64::from(b % 2) * 100) },
            _ => Policy::Once,
        }
    }

    fn price_form(&mut self) -> Option<PriceForm> {
        let dice = self.wishes.next_u32();
        let ticks = i16::try_from(dice / 12 % 21).unwrap_or_default() - 10;
        match dice % 12 {
            0..3 => Some(PriceForm::Last { ticks }),
            3..5 => Some(PriceForm::OppositeBest),
            5 => Some(PriceForm::OwnBest),
            6 => Some(PriceForm::Market),
            7 => Some(PriceForm::LimitUp),
            8 => Some(PriceForm::LimitDown),
            _ => None,
        }
    }

    /// Conditions of a sell, not far from the price in ten-thousandths.
    fn way_out(&mut self, last: i64) -> Conditions {
        let (a, b) = (self.wishes.next_u32(), self.wishes.next_u32());
        let far = |n: u32| i64::from(1 + n % 25) * CENT;
        let stop = (a % 3 > 0).then(|| Price::from_e4(last - far(a / 3)));
        let take_profit = (b % 3 > 0).then(|| Price::from_e4(last + far(b / 3)));
        let trail = match (a / 100 % 3, stop, take_profit) {
            (0, ..) | (_, None, None) => Some(Trail::Amount(Price::from_e4(far(b / 100)))),
            (1, ..) => Some(Trail::Percent(Ratio::from_e6(2_000 + i64::from(b / 100 % 20_000)))),
            _ => None,
        };
        Conditions { stop, take_profit, trail }
    }

    pub(super) fn prices_move(&mut self) {
        let at = self.now;
        for n in 0..3_u32 {
            let px = &mut self.last[n as usize];
            let step = i64::from(self.wishes.next_u32() % 17) - 8;
            *px = (*px + step * CENT).clamp(92_000, 108_000);
            let shown = Control::Price { symbol: symbol(n), px: Price::from_e4(*px) };
            self.line.broker(|broker| broker.control(at, shown)).expect("a price");
        }
        self.advance(at);
        self.desk.quoted();
        self.soon(5_000, Happening::Prices);
    }

    pub(super) fn by_hand(&mut self) {
        let dice = self.clients.next_u32();
        let control = Control::Manual {
            account: ACCOUNTS[dice as usize % 3].to_owned(),
            symbol: symbol(dice / 3),
            side: if dice.is_multiple_of(2) { Side::Buy } else { Side::Sell },
            qty: Qty::new(100),
            px: Price::from_e4(100_000),
        };
        self.at_the_terminal(control);
    }

    fn at_the_terminal(&mut self, control: Control) {
        let at = self.now;
        if self.line.broker(|broker| broker.control(at, control)).is_ok() {
            self.met("trade by hand");
        }
    }

    /// Where people trade by hand, half of the orders that seem to hang have one of theirs beside them soon.
    pub(super) fn somebody_sees(&mut self, account: usize, order: Arc<OrderTerms>) {
        if self.faults.has(Trouble::ByHand) && self.hands.next_u32().is_multiple_of(2) {
            let ms = u64::from(self.hands.next_u32() % 20_000);
            self.soon(ms, Happening::HandBeside { account, order });
        }
    }

    /// Of the same symbol; sometimes the other side, another quantity or another price.
    pub(super) fn by_hand_beside(&mut self, account: usize, order: &OrderTerms) {
        let other_side = if order.side == Side::Buy { Side::Sell } else { Side::Buy };
        let dice = self.hands.next_u32();
        let px = order.limit_price.unwrap_or(Price::from_e4(100_000));
        let control = Control::Manual {
            account: ACCOUNTS[account].to_owned(),
            symbol: order.symbol,
            side: if dice.is_multiple_of(3) { other_side } else { order.side },
            qty: if (dice / 3).is_multiple_of(2) { order.qty } else { Qty::new(100) },
            px: if (dice / 6).is_multiple_of(2) { px } else { Price::from_e4(px.e4() - 100) },
        };
        self.at_the_terminal(control);
    }

    pub(super) fn set_trading_state(&mut self, state: TradingState) {
        let (who, reason) = ("ann".into(), "the day".into());
        self.desk.tell_risk(RiskInput::SetTradingState { scope: Scope::Global, state, who, reason });
    }

    pub(super) fn cancel(&mut self) {
        let live: Vec<(AccountId, OrderId)> = self
            .desk
            .accounts
            .iter()
            .flat_map(|(id, core)| core.live().map(|order| (id.clone(), order.id())).collect::<Vec<_>>())
            .collect();
        if !live.is_empty() {
            let (account, order) = live[self.clients.next_u32() as usize % live.len()].clone();
            self.desk.tell_account(&account, AccountInput::Cancel { order, reason: "ann".into() });
        }
    }

    /// Somebody wants an order a little cheaper or dearer, and some for less.
    pub(super) fn replace(&mut self) {
        let live: Vec<Order> = self.desk.accounts.values().flat_map(|core| core.live().cloned()).collect();
        let (a, b) = (self.second_thoughts.next_u32(), self.second_thoughts.next_u32());
        if let Some(order) = live.get(a as usize % live.len().max(1)) {
            self.desk.replace(order, b);
        }
    }

    /// Somebody has his say about one leg that waits for him.
    pub(super) fn decide(&mut self) {
        let tables = self.desk.tables();
        let waits = |what: Option<WaitingFor>| matches!(what, Some(WaitingFor::Confirmation | WaitingFor::Hand));
        let waiting: Vec<_> = tables.parents.values().filter(|parent| waits(parent.waits_for())).collect();
        let (a, b) = (self.wishes.next_u32(), self.wishes.next_u32());
        let Some(parent) = waiting.get(a as usize % waiting.len().max(1)) else { return };
        let (leg, signal) = (&parent.leg, parent.leg.parent.signal());
        let decision = if b.is_multiple_of(4) {
            Decision::Decline { reason: "no".into() }
        } else if parent.waits_for() == Some(WaitingFor::Confirmation) {
            Decision::Confirm
        } else {
            let (qty, px) = (Qty::new(100).min(leg.qty), Price::from_e4(100_000));
            let (symbol, side) = (self.desk.signals[&signal].symbol, leg.side);
            let control = Control::Manual { account: leg.account.to_string(), symbol, side, qty, px };
            let at = self.now;
            if self.line.broker(|broker| broker.control(at, control)).is_err() {
                return;
            }
            Decision::Complete { qty, px, order: "by hand".into() }
        };
        self.met("decided by a person");
        let say = Say { signal, accounts: [leg.account.clone()].into(), decision, who: "ann".into() };
        let of = self.desk.signals[&signal].strategy.clone();
        self.desk.tell_strategy(&of, StrategyInput::Decide(say));
    }

    /// Somebody moves shares to another book.
    pub(super) fn transfer(&mut self) {
        let (a, b) = (self.wishes.next_u32(), self.wishes.next_u32());
        let books = ["s", "t", "u", "EXTERNAL"];
        let (from, to) = (a as usize % 4, (a as usize + 1 + b as usize % 3) % 4);
        let transfer = Transfer {
            symbol: symbol(b / 3),
            from: strategy(books[from]),
            to: strategy(books[to]),
            qty: Qty::new(50 + i64::from(b / 9 % 6) * 50),
        };
        let (by, note) = ("ann".into(), "the day".into());
        let order = BookOrder { what: Rebook::Transfer(transfer), by, note };
        self.desk.tell_account(&account(ACCOUNTS[a as usize / 4 % 3]), AccountInput::Book(order));
    }

    /// Somebody stops every signal that is not final. What is in doubt or parked goes on until it is settled.
    pub(super) fn stop_signals(&mut self) -> Result<(), String> {
        for (id, of) in self.open_signals() {
            self.desk.tell_strategy(&of, StrategyInput::Cancel { signal: id, who: "ann".into() });
        }
        self.looks_until_settled()?;
        let live: BTreeSet<SignalId> =
            self.desk.accounts.values().flat_map(|core| core.live()).map(|order| order.id().signal()).collect();
        let left: Vec<SignalId> = self.open_signals().into_keys().filter(|id| !live.contains(id)).collect();
        must!(left.is_empty(), "signals {left:?} were stopped, no order of them lives, and they are not final");
        Ok(())
    }

    fn open_signals(&self) -> BTreeMap<SignalId, StrategyId> {
        let tables = self.desk.tables();
        let open = tables.signals.values().filter(|row| !row.status.is_final());
        open.map(|row| (row.id, self.desk.signals[&row.id].strategy.clone())).collect()
    }

    /// How often something happened that only such days have.
    pub(super) fn count_wishes(&mut self) {
        let mut transfers = 0;
        let (mut fired, mut again, mut netted, mut replaced) = (0, 0, 0, 0);
        for event in self.desk.journal.iter().flat_map(|entry| &entry.events) {
            match event {
                Event::BookTransferred { .. } => transfers += 1,
                Event::TriggerFired { .. } => fired += 1,
                Event::OrderApproved { terms, .. } if terms.id.attempt() > 1 => again += 1,
                Event::Order { fact: OrderFact::Netted { .. }, .. } => netted += 1,
                Event::ParentStepped { step: ParentStep::Replaced { .. }, .. } => replaced += 1,
                _ => {}
            }
        }
        let told = [
            ("transfer", transfers),
            ("trigger", fired),
            ("next order of a leg", again),
            ("netted", netted / 2),
            ("replaced", replaced),
        ];
        for (what, times) in told {
            if times > 0 {
                *self.tally.met.entry(what).or_default() += times;
            }
        }
    }
}
