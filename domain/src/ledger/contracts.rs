//! Lots of contracts in the books: who holds how many of which direction, and what they were opened and settled at.
//!
//! No money is paid for a lot. Cash moves by fees, by what a close brings against the value that the lot was reckoned at
//! (its opening on the first day, the last settlement after that), and by each settlement, which sets that value anew.

use serde::{Deserialize, Serialize};

use super::{Book, Ledger, Trade};
use crate::contract::{Contract, Direction, Effect};
use crate::ids::StrategyId;
use crate::order::{Approval, Order, OrderTerms, Side};
use crate::repo::UNIT;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Ratio, Timestamp, TradeDate, mul_div_round};

/// So many lots, what they were opened at, and what they are reckoned at since the last settlement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lots {
    pub qty: Qty,
    pub opened: Money,
    pub value: Money,
}

impl Lots {
    fn put(&mut self, other: Self) {
        self.qty += other.qty;
        self.opened += other.opened;
        self.value += other.value;
    }

    /// Takes lots out at their average. What is there no more is taken at nothing: a broker said so, and it shows.
    fn take(&mut self, qty: Qty) -> Self {
        let share = |of: Money| {
            if self.qty.is_positive() {
                Money::from_e4(mul_div_round(of.e4(), qty.get(), self.qty.get()))
            } else {
                Money::ZERO
            }
        };
        let part = Self { qty, opened: share(self.opened), value: share(self.value) };
        self.qty -= part.qty;
        self.opened -= part.opened;
        self.value -= part.value;
        part
    }
}

/// What one strategy holds of one contract in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractBook {
    pub symbol: Symbol,
    pub strategy: StrategyId,
    pub direction: Direction,
    /// The trading day that `today` speaks of. Look through [`ContractBook::on`]: on a later one they are yesterday's.
    pub date: TradeDate,
    pub today: Lots,
    pub yesterday: Lots,
    pub multiplier: i64,
    /// As it was when lots were opened last.
    pub margin: Ratio,
    /// Of closes and settlements, without fees.
    pub realized_pnl: Money,
    pub fees: Money,
}

impl ContractBook {
    fn new(symbol: Symbol, strategy: StrategyId, direction: Direction, date: TradeDate, contract: &Contract) -> Self {
        Self {
            symbol,
            strategy,
            direction,
            date,
            today: Lots::default(),
            yesterday: Lots::default(),
            multiplier: contract.multiplier,
            margin: contract.margin,
            realized_pnl: Money::ZERO,
            fees: Money::ZERO,
        }
    }

    #[must_use]
    pub fn qty(&self) -> Qty {
        self.today.qty + self.yesterday.qty
    }

    /// Lots of earlier days, and of this one.
    #[must_use]
    pub fn on(&self, date: TradeDate) -> (Qty, Qty) {
        if date > self.date { (self.qty(), Qty::ZERO) } else { (self.yesterday.qty, self.today.qty) }
    }

    /// What its lots are reckoned at.
    #[must_use]
    pub fn value(&self) -> Money {
        self.today.value + self.yesterday.value
    }

    /// What its lots were opened at on the average.
    #[must_use]
    pub fn avg_open(&self) -> Option<Price> {
        let units = Qty::new(self.qty().get().saturating_mul(self.multiplier));
        (self.today.opened + self.yesterday.opened).per(units)
    }

    /// What it binds: of the value at opening for today's lots, at the last settlement for those of earlier days.
    #[must_use]
    pub fn margin_held(&self) -> Money {
        self.value().scale(self.margin)
    }

    /// What its lots have brought since they were reckoned last.
    #[must_use]
    pub fn pnl(&self, last: Price) -> Money {
        self.gain(self.worth(last, self.qty()), self.value())
    }

    /// The same since they were opened.
    #[must_use]
    pub fn pnl_since_open(&self, last: Price) -> Money {
        self.gain(self.worth(last, self.qty()), self.today.opened + self.yesterday.opened)
    }

    /// What closed lots have brought, fees taken off. What settlements have paid for lots that are still open is in
    /// [`Self::realized_pnl`] and, counted since they were opened, in [`Self::pnl_since_open`]: it is left out here.
    #[must_use]
    pub fn closed_pnl(&self) -> Money {
        self.realized_pnl - self.gain(self.value(), self.today.opened + self.yesterday.opened) - self.fees
    }

    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.today.qty.is_zero() && self.yesterday.qty.is_zero() && self.realized_pnl.is_zero() && self.fees.is_zero()
    }

    fn worth(&self, px: Price, lots: Qty) -> Money {
        px.times(Qty::new(lots.get().saturating_mul(self.multiplier)))
    }

    fn gain(&self, now: Money, before: Money) -> Money {
        if self.direction == Direction::Long { now - before } else { before - now }
    }

    /// What was opened on an earlier day is yesterday's from now on.
    fn roll(&mut self, date: TradeDate) {
        if date > self.date {
            self.yesterday.put(self.today);
            self.today = Lots::default();
            self.date = date;
        }
    }

    fn open(&mut self, date: TradeDate, qty: Qty, px: Price, contract: &Contract) {
        self.roll(date);
        (self.multiplier, self.margin) = (contract.multiplier, contract.margin);
        let value = self.worth(px, qty);
        let lots = Lots { qty, opened: value, value };
        // A fill of an earlier day that comes late is of that day.
        if date < self.date { self.yesterday.put(lots) } else { self.today.put(lots) }
    }

    /// Returns what it brought.
    fn close(&mut self, date: TradeDate, part: Part, px: Price) -> Money {
        self.roll(date);
        let taken = self.yesterday.take(part.yesterday).value + self.today.take(part.today).value;
        let gain = self.gain(self.worth(px, part.yesterday + part.today), taken);
        self.realized_pnl += gain;
        gain
    }

    fn settle(&mut self, px: Price) -> Money {
        let gain = self.pnl(px);
        self.yesterday.value = self.worth(px, self.yesterday.qty);
        self.today.value = self.worth(px, self.today.qty);
        self.realized_pnl += gain;
        gain
    }
}

/// What was traded of a contract, as it is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContractTrade {
    pub symbol: Symbol,
    pub side: Side,
    pub effect: Effect,
    pub qty: Qty,
    pub px: Price,
    pub fee: Money,
    /// The trading day that it belongs to: of a night session the next one.
    pub date: TradeDate,
    pub contract: Contract,
}

/// What a close takes out of one book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    index: usize,
    yesterday: Qty,
    today: Qty,
}

impl Ledger {
    /// The same with lots of contracts.
    #[must_use]
    pub fn with_contracts(mut self, mut contracts: Vec<ContractBook>) -> Self {
        contracts.sort_by(|a, b| key(a).cmp(&key(b)));
        self.contracts = contracts;
        self
    }

    #[must_use]
    pub fn contracts(&self) -> &[ContractBook] {
        &self.contracts
    }

    pub fn contracts_of(&self, symbol: Symbol) -> impl Iterator<Item = &ContractBook> {
        let from = self.contracts.partition_point(|book| book.symbol < symbol);
        self.contracts[from..].iter().take_while(move |book| book.symbol == symbol)
    }

    #[must_use]
    pub fn contract(&self, symbol: Symbol, strategy: &StrategyId, direction: Direction) -> Option<&ContractBook> {
        self.contracts_of(symbol).find(|book| book.strategy == *strategy && book.direction == direction)
    }

    /// What all lots bind.
    #[must_use]
    pub fn margin(&self) -> Money {
        self.contracts.iter().map(ContractBook::margin_held).sum()
    }

    /// What the lots have brought since they were reckoned last; those without a price nothing.
    #[must_use]
    pub fn contracts_pnl(&self, last: impl Fn(Symbol) -> Option<Price>) -> Money {
        let held = self.contracts.iter().filter(|book| !book.qty().is_zero());
        held.filter_map(|book| Some(book.pnl(last(book.symbol)?))).sum()
    }

    /// What one more fill of the order costs.
    #[must_use]
    pub fn fee_of(&self, order: &Order, qty: Qty, px: Price) -> Money {
        let (terms, approval) = (&*order.terms, &*order.approval);
        if let Some(loan) = &approval.loan {
            let fee = |units| loan.fee(UNIT.times(units));
            return fee(order.cum_qty + qty) - fee(order.cum_qty);
        }
        let (Some(contract), Some(effect)) = (&approval.contract, terms.effect) else {
            let amount = px.times(qty);
            let before = order.sent_amount();
            return approval.fees.fill_fees(terms.side, before, before + amount).total();
        };
        if !effect.closes() {
            return contract.open_fee(px, qty);
        }
        let (yesterday, today) = self.closes(terms, effect, qty, approval.trade_date);
        // What is not there is closed as if it were of an earlier day.
        contract.close_fee(px, yesterday.max(qty - today), today)
    }

    /// Books one fill of an order, of quantity, price and fee.
    pub fn fill_of(
        &mut self,
        at: Timestamp,
        terms: &OrderTerms,
        approval: &Approval,
        (qty, px, fee): (Qty, Price, Money),
    ) -> (Vec<Book>, Vec<ContractBook>) {
        let OrderTerms { symbol, side, .. } = *terms;
        if let Some(loan) = &approval.loan {
            self.lend(terms, loan, (qty, px, fee));
            return (Vec::new(), Vec::new());
        }
        match (approval.contract, terms.effect) {
            (Some(contract), Some(effect)) => {
                let date = approval.trade_date;
                let trade = ContractTrade { symbol, side, effect, qty, px, fee, date, contract };
                (Vec::new(), self.trade_contract(&terms.strategy, &trade))
            }
            _ => (self.fill(at, &terms.strategy, Trade { symbol, side, qty, px, fee }), Vec::new()),
        }
    }

    /// Books one fill of a contract. Returns the books that changed.
    pub fn trade_contract(&mut self, strategy: &StrategyId, trade: &ContractTrade) -> Vec<ContractBook> {
        let ContractTrade { symbol, side, effect, qty, px, fee, date, contract } = *trade;
        let direction = effect.direction(side);
        self.pay(-fee, |flows| &mut flows.fees);
        let own = self.contract_mut(symbol, strategy, direction, date, &contract);
        self.contracts[own].fees += fee;
        if !effect.closes() {
            self.contracts[own].open(date, qty, px, &contract);
            return vec![self.contracts[own].clone()];
        }
        let mut parts = self.parts(strategy, symbol, direction, effect, qty, date);
        if !parts.iter().any(|part| part.index == own) {
            parts.insert(0, Part { index: own, yesterday: Qty::ZERO, today: Qty::ZERO });
        }
        // More than all books hold cannot be approved; if a broker says so all the same, the own book shows it.
        let left = qty - parts.iter().map(|part| part.yesterday + part.today).sum();
        parts.iter_mut().filter(|part| part.index == own).for_each(|part| part.yesterday += left);
        for part in &parts {
            let gain = self.contracts[part.index].close(date, *part, px);
            self.pay(gain, |flows| &mut flows.trades);
        }
        parts.iter().map(|part| self.contracts[part.index].clone()).collect()
    }

    /// How many lots of earlier days and of today such a close would take.
    #[must_use]
    pub fn closes(&self, terms: &OrderTerms, effect: Effect, qty: Qty, date: TradeDate) -> (Qty, Qty) {
        let parts = self.parts(&terms.strategy, terms.symbol, effect.direction(terms.side), effect, qty, date);
        (parts.iter().map(|part| part.yesterday).sum(), parts.iter().map(|part| part.today).sum())
    }

    /// Settles every lot of a book at the day's last price: what it has brought since the last settlement becomes cash.
    /// Returns the book when it changed.
    pub(super) fn settle(&mut self, symbol: Symbol, strategy: &StrategyId, px: Price) -> Vec<ContractBook> {
        let own = |book: &&mut ContractBook| {
            book.symbol == symbol && book.strategy == *strategy && !book.qty().is_zero() && px.is_positive()
        };
        let (mut changed, mut gain) = (Vec::new(), Money::ZERO);
        for book in self.contracts.iter_mut().filter(own) {
            gain += book.settle(px);
            changed.push(book.clone());
        }
        self.pay(gain, |flows| &mut flows.settlements);
        changed
    }

    /// Whether the close of the day had a price for every lot.
    pub(super) fn is_settled(&self) -> bool {
        self.contracts.iter().all(|book| book.qty().is_zero() || self.settled.contains(&book.symbol))
    }

    /// From which books the lots come: the strategy's own, then what nobody claims, then the others. The kind that the order
    /// names comes first; where it names none, lots of earlier days.
    fn parts(
        &self,
        strategy: &StrategyId,
        symbol: Symbol,
        direction: Direction,
        effect: Effect,
        qty: Qty,
        date: TradeDate,
    ) -> Vec<Part> {
        let of_kind = |book: &ContractBook| book.symbol == symbol && book.direction == direction;
        let mut order: Vec<usize> = (0..self.contracts.len()).filter(|i| of_kind(&self.contracts[*i])).collect();
        order.sort_by_key(|i| {
            let book = &self.contracts[*i].strategy;
            (book != strategy, book.as_str() != StrategyId::EXTERNAL, *i)
        });
        let blank = |index| Part { index, yesterday: Qty::ZERO, today: Qty::ZERO };
        let mut parts: Vec<Part> = order.into_iter().map(blank).collect();
        let mut left = qty;
        let mut take = |part: &mut Part, today: bool| {
            let (before, of_today) = self.contracts[part.index].on(date);
            let held = if today { of_today } else { before };
            let more = held.max(Qty::ZERO).min(left);
            if today {
                part.today += more
            } else {
                part.yesterday += more
            }
            left -= more;
        };
        if effect == Effect::Close {
            // Either kind will do: a book gives all it has before the next one is asked.
            for part in &mut parts {
                take(part, false);
                take(part, true);
            }
        } else {
            let today_first = effect == Effect::CloseToday;
            for today in [today_first, !today_first] {
                parts.iter_mut().for_each(|part| take(part, today));
            }
        }
        parts.retain(|part| !(part.yesterday + part.today).is_zero());
        parts
    }

    fn contract_mut(
        &mut self,
        symbol: Symbol,
        strategy: &StrategyId,
        direction: Direction,
        date: TradeDate,
        contract: &Contract,
    ) -> usize {
        match self.contracts.binary_search_by(|book| key(book).cmp(&(symbol, strategy, direction))) {
            Ok(index) => index,
            Err(index) => {
                self.contracts.insert(index, ContractBook::new(symbol, strategy.clone(), direction, date, contract));
                index
            }
        }
    }
}

fn key(book: &ContractBook) -> (Symbol, &StrategyId, Direction) {
    (book.symbol, &book.strategy, book.direction)
}
