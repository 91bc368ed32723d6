//! What must be true, kept in plain maps of plain numbers: it knows the events and nothing of the cores.

mod netting;

use std::collections::{BTreeMap, BTreeSet};

use signalbox_domain::broker::ListedTrade;
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::execution::{ParentStep, Policy};
use signalbox_domain::ids::{AccountId, OrderId, ParentId, SignalId, StrategyId};
use signalbox_domain::ledger::Adjustment;
use signalbox_domain::manner::RouteMode;
use signalbox_domain::order::{OrderFact, OrderFactKind, OrderTerms, Side};
use signalbox_domain::parent::Leg as Planned;
use signalbox_domain::signal::{Signal, Size};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::Price;
use signalbox_domain::units::Timestamp;

use netting::Half;

/// Prices and amounts in ten-thousandths of a yuan.
const CENT: i128 = 100;

#[derive(Debug, Clone)]
pub struct Known {
    pub account: AccountId,
    pub strategy: StrategyId,
    pub symbol: Symbol,
    pub side: Side,
    pub qty: i128,
    /// The worst price it may fill at.
    pub worst: i128,
    limit: Option<i128>,
    pub cum: i128,
    /// Part of it that was crossed inside the account.
    pub netted: i128,
    /// Of that, what came after its end.
    late: i128,
    /// What the broker's fills came to.
    pub amount: i128,
    pub execs: BTreeSet<String>,
    pub sends: u32,
    pub ended: bool,
    /// It was sent, and what became of it is not known.
    unanswered: bool,
    /// What is not known is a cancel's answer, or whether the order that was acknowledged is there.
    canceling: bool,
}

impl Known {
    fn leaves(&self) -> i128 {
        if self.ended { 0 } else { self.qty - self.cum }
    }

    fn reserve(&self) -> i128 {
        if self.side == Side::Sell || self.ended {
            return 0;
        }
        let left = self.leaves() * self.worst;
        left + fee(self.side, self.amount + left) - fee(self.side, self.amount)
    }
}

/// The fees of an order that traded for `amount`, by the price list of 2025 and the account's 0.025 %.
fn fee(side: Side, amount: i128) -> i128 {
    if amount == 0 {
        return 0;
    }
    let part = |millionths: i128| {
        let whole = 1_000_000 * CENT;
        (amount * millionths * 2 + whole).div_euclid(2 * whole) * CENT
    };
    let stamp_duty = if side == Side::Sell { part(500) } else { 0 };
    part(250).max(5 * 100 * CENT) + stamp_duty + part(10)
}

#[derive(Debug, Clone)]
struct Leg {
    signal: SignalId,
    strategy: StrategyId,
    symbol: Symbol,
    account: AccountId,
    side: Side,
    qty: i128,
    cum: i128,
    over: bool,
    orders: Vec<OrderId>,
    mode: RouteMode,
    /// It may have more than one order, and says when it has ended.
    pursued: bool,
    /// It sells what the signal has bought.
    exit: bool,
    /// The limit that a person wants instead of the signal's.
    limit: Option<Price>,
    /// A person has let it go.
    confirmed: bool,
    /// It is kept until something happens.
    waits: bool,
    /// A person is asked: it is refused, and tried again.
    asked: bool,
    /// It may wait for cash, and then buys what the cash pays for.
    shrinks: bool,
}

#[derive(Debug, Default)]
pub struct Oracle {
    pub cash: BTreeMap<AccountId, i128>,
    pub position: BTreeMap<(AccountId, Symbol), i128>,
    bought_today: BTreeMap<(AccountId, Symbol), i128>,
    /// By what each strategy traded. A person's sale draws on others' books: that shows in the sum only.
    books: BTreeMap<(AccountId, Symbol, StrategyId), i128>,
    pub orders: BTreeMap<OrderId, Known>,
    legs: BTreeMap<ParentId, Leg>,
    states: BTreeMap<Scope, TradingState>,
    signals: BTreeMap<SignalId, Signal>,
    /// Cash and shares that fills took after their orders had ended: nobody can have set them aside.
    late_cash: BTreeMap<AccountId, i128>,
    late_shares: BTreeMap<(AccountId, Symbol), i128>,
    pub fees: i128,
    /// Orders that the broker, asked, did not know: these may be sent again.
    pub not_found: BTreeSet<OrderId>,
    /// Accounts whose brokers make one order of one id, so that it may be sent again without asking.
    pub enforced: BTreeSet<AccountId>,
    /// The broker does what nobody asked for: more may be filled than was ordered, and less be there.
    pub lenient: bool,
    pub late_fills: BTreeSet<OrderId>,
    /// Accounts cross what their strategies want of each other.
    pub nets: bool,
    /// One side of a cross: the other one comes in the same entry.
    half: Option<Half>,
    /// Accounts in which one order of a symbol and side at a time may be unanswered (below L3).
    pub one_at_a_time: BTreeSet<AccountId>,
    /// When the event that is told now happened.
    pub at: Option<Timestamp>,
    /// Orders that came to their end by another fact than a fill, and that fact, until somebody takes them out of here.
    pub just_ended: Vec<(OrderId, OrderFactKind)>,
}

macro_rules! must {
    ($cond:expr, $($text:tt)*) => {
        if !$cond {
            return Err(format!($($text)*));
        }
    };
}
pub(crate) use must;

impl Oracle {
    /// `checked` is false for what was checked before and is told again after a restart.
    pub fn apply(&mut self, event: &Event, checked: bool) -> Result<(), String> {
        match event {
            Event::SignalAccepted(signal) => {
                self.signals.insert(signal.id, (**signal).clone());
            }
            Event::AccountOpened { account, cash, holdings } => {
                self.cash.insert(account.clone(), i128::from(cash.e4()));
                for holding in holdings.iter() {
                    *self.position.entry((account.clone(), holding.symbol)).or_default() +=
                        i128::from(holding.qty.get());
                    let book = (account.clone(), holding.symbol, holding.strategy.clone());
                    *self.books.entry(book).or_default() += i128::from(holding.qty.get());
                }
            }
            Event::DayStarted { account, .. } => self.bought_today.retain(|(of, _), _| of != account),
            Event::TradingStateSet { scope, state, .. } => {
                self.states.insert(scope.clone(), *state);
            }
            Event::SignalPlanned { strategy, signal, legs, residual } => {
                let (asked, of) = (self.asked(*signal), &self.signals[signal]);
                let planned: i128 = legs.iter().map(|leg| i128::from(leg.qty.get())).sum();
                let residual = i128::from(residual.get());
                must!(residual >= 0, "a negative residual");
                must!(
                    asked.is_none_or(|asked| asked == planned + residual),
                    "{asked:?} was asked for, {planned} planned and {residual} left"
                );
                let symbol = of.symbol;
                for leg in legs.iter() {
                    self.planned(strategy, *signal, symbol, leg, false)?;
                }
            }
            Event::ExitPlanned { strategy, signal, legs } => {
                let symbol = self.signals[signal].symbol;
                for leg in legs.iter() {
                    must!(leg.gives_up(), "a way out that takes more");
                    self.planned(strategy, *signal, symbol, leg, true)?;
                }
            }
            Event::OrderDenied { terms, .. } => {
                if let Some(leg) = self.legs.get_mut(&terms.id.parent()) {
                    leg.over |= !leg.pursued;
                }
            }
            Event::LegsWaiting { parents, .. } => {
                for id in parents.iter() {
                    let leg = self.legs.get_mut(id).ok_or("a leg waits that was not planned")?;
                    // What is pursued may have had orders before.
                    let had = leg.pursued && leg.orders.iter().all(|order| self.orders[order].ended);
                    must!((leg.orders.is_empty() || had) && !leg.over, "leg {id} waits, and has an order");
                    leg.waits = true;
                }
            }
            Event::LegsConfirmed { parents, .. } => {
                for id in parents.iter() {
                    let leg = self.legs.get_mut(id).ok_or("a leg was confirmed that was not planned")?;
                    must!(leg.mode == RouteMode::Confirm && !leg.confirmed, "leg {id} was not to be confirmed");
                    (leg.confirmed, leg.waits) = (true, false);
                }
            }
            Event::LegsEnded { parents, .. } => {
                for id in parents.iter() {
                    let leg = self.legs.get_mut(id).ok_or("a leg ended that was not planned")?;
                    let had = leg.pursued && leg.orders.iter().all(|order| self.orders[order].ended);
                    must!((leg.orders.is_empty() || had) && !leg.over, "leg {id} ended, and has an order");
                    leg.over = true;
                }
            }
            Event::LegCompleted { parent, qty, .. } => {
                let leg = self.legs.get_mut(parent).ok_or("a leg was completed that was not planned")?;
                must!(leg.mode == RouteMode::NotifyOnly && !leg.over, "leg {parent} was not a person's");
                must!(i128::from(qty.get()) <= leg.qty, "more was completed than was asked for");
                leg.over = true;
            }
            Event::LegShadowed { terms, .. } => {
                let leg = self.legs.get_mut(&terms.id.parent()).ok_or("a shadow of no leg")?;
                must!(leg.mode == RouteMode::Shadow && !leg.over, "a shadow of a leg that is none");
                leg.over = true;
            }
            Event::ParentStepped { parent, step: ParentStep::Ended { .. }, .. } => {
                let leg = self.legs.get_mut(parent).ok_or("a leg ended that was not planned")?;
                must!(leg.pursued && !leg.over, "leg {parent} ended twice, or is not pursued");
                leg.over = true;
                let live = leg.orders.iter().find(|id| !self.orders[id].ended);
                must!(live.is_none(), "leg {parent} ended, and order {live:?} has not");
            }
            Event::ParentStepped { parent, step: ParentStep::Asked { .. }, .. } => {
                self.legs.get_mut(parent).ok_or("a person was asked of a leg that was not planned")?.asked = true;
            }
            Event::ParentStepped { parent, step: ParentStep::Replaced { order, qty, limit_price, .. }, .. } => {
                let leg = self.legs.get_mut(parent).ok_or("a leg was replaced that was not planned")?;
                // Its strategy may not have heard of the order's end, nor of what it filled last.
                must!(!leg.over || !leg.pursued, "an order was replaced of a leg that has ended");
                let qty = i128::from(qty.get());
                must!(leg.orders.contains(order) && qty > 0 && qty <= leg.qty, "a leg of {} shall be {qty}", leg.qty);
                (leg.qty, leg.limit, leg.pursued, leg.over) = (qty, Some(*limit_price), true, false);
            }
            Event::BookTransferred { account, transfer, .. } => {
                let qty = i128::from(transfer.qty.get());
                must!(qty > 0 && transfer.from != transfer.to, "a transfer of nothing");
                for (book, qty) in [(&transfer.from, -qty), (&transfer.to, qty)] {
                    *self.books.entry((account.clone(), transfer.symbol, book.clone())).or_default() += qty;
                }
            }
            Event::OrderApproved { terms, approval } => {
                self.fits(terms)?;
                let leg = self.legs.get_mut(&terms.id.parent()).ok_or("an order without a leg")?;
                leg.orders.push(terms.id);
                leg.waits = false;
                let worst = terms.limit_price.or(approval.band.map(|(_, high)| high)).ok_or("no worst price")?;
                let order = Known {
                    account: terms.account.clone(),
                    strategy: terms.strategy.clone(),
                    symbol: terms.symbol,
                    side: terms.side,
                    qty: i128::from(terms.qty.get()),
                    worst: i128::from(worst.e4()),
                    limit: terms.limit_price.map(|px| i128::from(px.e4())),
                    cum: 0,
                    netted: 0,
                    late: 0,
                    amount: 0,
                    execs: BTreeSet::new(),
                    sends: 0,
                    ended: false,
                    unanswered: false,
                    canceling: false,
                };
                self.orders.insert(terms.id, order);
                if checked {
                    must!(self.permits(&terms.account, &terms.strategy, terms.side), "approved while halted");
                    self.covered(&terms.account, terms.symbol)?;
                }
            }
            Event::Order { account, order, fact } => self.fact(account, *order, fact, checked)?,
            Event::ExternalTraded { account, trade } => self.traded_by_hand(account, trade),
            Event::Adjusted { account, adjustment, .. } => self.adjusted(account, adjustment),
            _ => {}
        }
        Ok(())
    }

    fn planned(
        &mut self,
        strategy: &StrategyId,
        signal: SignalId,
        symbol: Symbol,
        leg: &Planned,
        exit: bool,
    ) -> Result<(), String> {
        let known = Leg {
            signal,
            strategy: strategy.clone(),
            symbol,
            account: leg.account.clone(),
            side: leg.side,
            qty: i128::from(leg.qty.get()),
            cum: 0,
            over: false,
            orders: Vec::new(),
            mode: leg.mode,
            pursued: leg.pursued,
            exit,
            limit: None,
            confirmed: false,
            waits: leg.mode.waits_for().is_some(),
            asked: false,
            shrinks: leg.side == Side::Buy && leg.short_of_cash.shrinks(),
        };
        must!(leg.qty.is_positive(), "an empty leg");
        must!(self.legs.insert(leg.parent, known).is_none(), "leg {} is planned twice", leg.parent);
        Ok(())
    }

    /// An order is one that its leg may have now: what may still trade and what has never exceed the leg.
    fn fits(&self, terms: &OrderTerms) -> Result<(), String> {
        let (id, qty) = (terms.id, i128::from(terms.qty.get()));
        let leg = self.legs.get(&id.parent()).ok_or("an order without a leg")?;
        must!(leg.side == terms.side, "not the leg's side");
        must!(leg.account == terms.account && leg.symbol == terms.symbol, "not the leg's account or symbol");
        must!(
            leg.mode == RouteMode::Auto || (leg.mode == RouteMode::Confirm && leg.confirmed),
            "order {id} of a leg that is {}, and nobody let it go",
            leg.mode
        );
        if !leg.pursued {
            must!(leg.orders.is_empty(), "a second order {id} for the leg of {:?}", leg.orders);
            must!(leg.qty == qty || (leg.shrinks && qty < leg.qty), "not the leg's order");
            return Ok(());
        }
        must!(!leg.over, "order {id} for a leg that has ended");
        // What came after the proved end of an order can have been on its way when this one was decided.
        let before = leg.orders.iter().map(|id| &self.orders[id]);
        let promised: i128 = before.map(|order| order.cum - order.late + order.leaves()).sum();
        must!(
            self.lenient || promised + qty <= leg.qty,
            "order {id} of {qty} beside {promised} for a leg of {}",
            leg.qty
        );
        let execution = self.signals[&id.signal()].execution.as_deref().cloned().unwrap_or_default();
        let at_last = matches!(execution.policy, Policy::SellUntilDone { market_after: Some(_), .. });
        let own = self.signals[&id.signal()].limit_price.filter(|_| execution.price.is_none() && !leg.exit);
        let limit = leg.limit.or(own);
        let worse = match (terms.limit_price, limit) {
            (_, None) => false,
            (None, Some(_)) => !at_last,
            (Some(px), Some(limit)) => {
                if leg.side == Side::Buy {
                    px > limit
                } else {
                    px < limit
                }
            }
        };
        must!(!worse, "order {id} at {:?} is worse than the signal's {limit:?}", terms.limit_price);
        if let (Policy::Iceberg { display }, false) = (execution.policy, leg.exit) {
            // STAR takes nothing below 200, and what would be left below that goes along.
            let least = if leg.symbol.as_str().starts_with("688") { 200 } else { 1 };
            let shown = i128::from(display.get()).max(least) + least - 1;
            must!(qty <= shown, "{qty} are shown of an iceberg of {shown}");
        }
        Ok(())
    }

    /// A person says what is there. Nobody could set aside what he takes away.
    fn adjusted(&mut self, account: &AccountId, adjustment: &Adjustment) {
        match adjustment {
            Adjustment::Shares { symbol, book, qty, bought_today, .. } => {
                let key = (account.clone(), *symbol);
                let qty = i128::from(qty.get());
                *self.position.entry(key.clone()).or_default() += qty;
                *self.bought_today.entry(key.clone()).or_default() += i128::from(bought_today.get());
                *self.books.entry((account.clone(), *symbol, book.clone())).or_default() += qty;
                *self.late_shares.entry(key).or_default() += (-qty).max(0);
            }
            Adjustment::Cash { amount } => {
                *self.cash.entry(account.clone()).or_default() += i128::from(amount.e4());
                *self.late_cash.entry(account.clone()).or_default() += i128::from(-amount.e4()).max(0);
            }
        }
    }

    /// Nobody could set aside what a person takes past us.
    fn traded_by_hand(&mut self, account: &AccountId, trade: &ListedTrade) {
        let (qty, amount) = (i128::from(trade.qty.get()), i128::from(trade.px.times(trade.qty).e4()));
        let key = (account.clone(), trade.symbol);
        let cash = self.cash.entry(account.clone()).or_default();
        let position = self.position.entry(key.clone()).or_default();
        match trade.side {
            Side::Buy => {
                *cash -= amount;
                *position += qty;
                *self.bought_today.entry(key).or_default() += qty;
                *self.late_cash.entry(account.clone()).or_default() += amount;
            }
            Side::Sell => {
                *cash += amount;
                *position -= qty;
                *self.late_shares.entry(key).or_default() += qty;
            }
        }
    }

    fn fact(&mut self, account: &AccountId, id: OrderId, fact: &OrderFact, checked: bool) -> Result<(), String> {
        let known = self.orders.get(&id).ok_or("a fact of an order that was never approved")?;
        must!(known.account == *account, "a fact of another account's order");
        let permitted = self.permits(account, &known.strategy, known.side);
        let alone = !self.one_at_a_time.contains(account) || !self.has_unanswered_beside(id, known);
        let until = self.signals.get(&id.signal()).and_then(|signal| signal.valid_until);
        let exit = self.legs.get(&id.parent()).is_some_and(|leg| leg.exit);
        let in_time = exit || self.at.zip(until).is_none_or(|(at, until)| at < until);
        if matches!(fact, OrderFact::Sending { .. }) && checked && self.nets {
            self.trades_with_no_own(id)?;
        }
        let order = self.orders.get_mut(&id).ok_or("no order")?;
        let ended = order.ended;
        match fact {
            OrderFact::Sending { .. } => {
                order.sends += 1;
                order.unanswered = true;
                if checked {
                    must!(permitted, "sent while halted");
                    must!(in_time, "sent after its time");
                    must!(alone, "sent while another one of its symbol and side was not answered");
                    must!(
                        order.sends == 1 || self.not_found.remove(&id) || self.enforced.contains(account),
                        "sent again without evidence"
                    );
                }
            }
            OrderFact::Filled { exec_id, qty, px, fee: charged } => {
                let (qty, px) = (i128::from(qty.get()), i128::from(px.e4()));
                must!(order.execs.insert(exec_id.to_string()), "fill {exec_id} is booked twice");
                let costs = |px: i128| fee(order.side, order.amount + qty * px) - fee(order.side, order.amount);
                let (due, above) = (costs(px), (qty * (px - order.worst) + costs(px) - costs(order.worst)).max(0));
                must!(due == i128::from(charged.e4()), "the fee is {due} and {charged} was charged");
                order.unanswered &= order.canceling;
                order.cum += qty;
                order.late += if ended { qty } else { 0 };
                order.amount += qty * px;
                must!(self.lenient || order.cum <= order.qty, "filled beyond its quantity");
                let (side, key) = (order.side, (account.clone(), order.symbol));
                let (full, order_over) = (order.cum >= order.qty, order.cum > order.qty);
                let book = self.books.entry((account.clone(), order.symbol, order.strategy.clone())).or_default();
                *book += if side == Side::Buy { qty } else { -qty };
                order.ended |= full;
                self.fees += due;
                let cash = self.cash.entry(account.clone()).or_default();
                let position = self.position.entry(key.clone()).or_default();
                let today = self.bought_today.entry(key.clone()).or_default();
                match side {
                    Side::Buy => {
                        *cash -= qty * px + due;
                        *position += qty;
                        *today += qty;
                    }
                    Side::Sell => {
                        *cash += qty * px - due;
                        *position -= qty;
                    }
                }
                if ended {
                    self.late_fills.insert(id);
                }
                // Nothing was set aside for it: nor for what is above the price that a broker was given.
                let unforeseen = ended || order_over;
                match side {
                    Side::Buy if unforeseen => *self.late_cash.entry(account.clone()).or_default() += qty * px + due,
                    Side::Buy => *self.late_cash.entry(account.clone()).or_default() += above,
                    Side::Sell if unforeseen => *self.late_shares.entry(key.clone()).or_default() += qty,
                    Side::Sell => {}
                }
                let spare = self.late_shares.get(&key).copied().unwrap_or_default();
                must!(self.lenient || *position + spare >= 0, "fewer than no shares");
                must!(self.lenient || *position - *today + spare >= 0, "shares of today were sold today");
                must!(
                    self.lenient || *cash + self.late_cash.get(account).copied().unwrap_or_default() >= 0,
                    "less than no cash"
                );
                if let Some(leg) = self.legs.get_mut(&id.parent()) {
                    leg.cum += qty;
                    leg.over |= full && !leg.pursued;
                }
            }
            OrderFact::Netted { with, qty, px, bought_today, .. } => {
                let (qty, px) = (i128::from(qty.get()), i128::from(px.e4()));
                let half = Half { id, with: *with, qty, px, today: i128::from(bought_today.get()) };
                self.netted(account, half)?;
            }
            OrderFact::Rejected { .. }
            | OrderFact::Canceled { .. }
            | OrderFact::Expired
            | OrderFact::NeverSent { .. }
            | OrderFact::Absent { .. } => {
                must!(!ended, "it ended before");
                order.ended = true;
                self.just_ended.extend(checked.then_some((id, fact.into())));
                must!(
                    !matches!(fact, OrderFact::NeverSent { .. }) || order.sends == 0,
                    "never sent, after it was sent"
                );
                if let Some(leg) = self.legs.get_mut(&id.parent()) {
                    leg.over |= !leg.pursued;
                }
            }
            _ => {
                must!(!ended || matches!(fact, OrderFact::Accepted { .. }), "{fact:?} after its end");
                match fact {
                    OrderFact::Accepted { .. } => order.unanswered = order.canceling,
                    OrderFact::CancelSending => order.canceling = true,
                    OrderFact::CancelRejected { .. } => (order.canceling, order.unanswered) = (false, false),
                    OrderFact::InDoubt { .. } => order.unanswered = true,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Whether another order of the account, symbol and side has gone out, and nobody knows what became of it.
    fn has_unanswered_beside(&self, id: OrderId, known: &Known) -> bool {
        let mut beside = self.orders.iter().filter(|(other, o)| {
            **other != id && o.account == known.account && o.symbol == known.symbol && o.side == known.side
        });
        beside.any(|(_, o)| o.unanswered && !o.ended)
    }

    /// Legs that became neither an order nor a denial.
    pub fn forgotten_legs(&self) -> usize {
        self.legs.values().filter(|leg| leg.orders.is_empty() && !leg.over && !leg.waits && !leg.asked).count()
    }

    fn permits(&self, account: &AccountId, strategy: &StrategyId, side: Side) -> bool {
        let scopes = [Scope::Global, Scope::Account(account.clone()), Scope::Strategy(strategy.clone())];
        scopes.iter().all(|scope| match self.states.get(scope) {
            Some(TradingState::Halted) => false,
            Some(TradingState::Reducing) => side == Side::Sell,
            _ => true,
        })
    }

    /// What live orders have set aside is there.
    fn covered(&self, account: &AccountId, symbol: Symbol) -> Result<(), String> {
        let cash = self.cash[account] + self.late_cash.get(account).copied().unwrap_or_default();
        let reserved = self.reserved(account);
        // Beyond its quantity a broker can fill what is not there: then at least nothing more is promised.
        must!(reserved == 0 || reserved <= cash, "{reserved} are set aside and {cash} are there");
        let key = (account.clone(), symbol);
        let of = |map: &BTreeMap<(AccountId, Symbol), i128>| map.get(&key).copied().unwrap_or_default();
        let sellable = of(&self.position) - of(&self.bought_today) + of(&self.late_shares);
        let selling: i128 =
            self.live(account).filter(|o| o.side == Side::Sell && o.symbol == symbol).map(Known::leaves).sum();
        must!(selling == 0 || selling <= sellable, "{selling} are being sold and {sellable} can be");
        Ok(())
    }

    fn live(&self, account: &AccountId) -> impl Iterator<Item = &Known> {
        self.orders.values().filter(move |o| o.account == *account && !o.ended)
    }

    /// The cash that live orders have set aside, from nothing but the orders.
    pub fn reserved(&self, account: &AccountId) -> i128 {
        self.live(account).map(Known::reserve).sum()
    }

    pub fn selling(&self, account: &AccountId, symbol: Symbol, strategy: &StrategyId) -> i128 {
        let own = |o: &&Known| o.side == Side::Sell && o.symbol == symbol && o.strategy == *strategy;
        self.live(account).filter(own).map(Known::leaves).sum()
    }

    pub fn live_len(&self) -> usize {
        self.orders.values().filter(|o| !o.ended).count()
    }

    /// What the signal asked for in all: known without allocating anything. `None` where that would take the split.
    fn asked(&self, id: SignalId) -> Option<i128> {
        let signal = &self.signals[&id];
        let whole = |qty: i128| match signal.strategy.as_str() {
            "t" => qty / 2,
            "u" => 2 * qty,
            _ => qty,
        };
        match signal.size {
            // An odd lot over two accounts is all that they hold together, or nothing.
            Size::Quantity(qty) if signal.strategy.as_str() == "u" && qty.get() % 100 != 0 => None,
            Size::Quantity(qty) => Some(whole(i128::from(qty.get()))),
            // Sums of money take prices; the planner's own properties hold them against an oracle.
            Size::Amount(_)
            | Size::Percent(_)
            | Size::All
            | Size::AllIn
            | Size::TargetWeight(_)
            | Size::TargetAmount(_) => None,
            Size::TargetQuantity(_) if signal.strategy.as_str() != "s" => None,
            Size::TargetQuantity(target) => {
                let pending: i128 = self
                    .legs
                    .values()
                    .filter(|leg| leg.strategy == signal.strategy && leg.symbol == signal.symbol && !leg.over)
                    .filter(|leg| leg.signal != id)
                    .map(|leg| {
                        // One that is replaced by a smaller one may fill as a whole until it is taken back.
                        let works: i128 = leg.orders.iter().map(|id| self.orders[id].leaves()).sum();
                        let leaves = (leg.qty - leg.cum).max(works);
                        if leg.side == Side::Buy { leaves } else { -leaves }
                    })
                    .sum();
                let route = AccountId::parse("a").ok()?;
                let held =
                    self.books.get(&(route, signal.symbol, signal.strategy.clone())).copied().unwrap_or_default();
                Some((i128::from(target.get()) - held - pending).abs())
            }
        }
    }
}
