//! The checks of orders for contracts, where they differ from those for shares: margin instead of value, lots of a
//! direction instead of shares, closing instead of selling.

use super::beside::check_volume;
use super::check::{Decided, Order as Checked, Sink, skip, tell, tell_limit, tell_limit_from, word};
use super::{Reserved, Risk};
use crate::contract::{CloseFlags, Contract, Direction, Effect};
use crate::denial::{DenialCode, Measure};
use crate::ledger::Ledger;
use crate::market;
use crate::order::{Approval, OrdType, OrderTerms, Side};
use crate::rules::QtyFault;
use crate::signal::Source;
use crate::units::{Money, Qty, Timestamp, TradeDate};
use crate::view::{Closing, View, usable};

impl Reserved {
    /// Lots that a live close holds, more or fewer than before.
    pub(super) fn closing(&mut self, terms: &OrderTerms, direction: Direction, change: Qty) {
        let Some(effect) = terms.effect.filter(|_| !change.is_zero()) else { return };
        let same = |c: &Closing| {
            (c.symbol, c.direction, c.effect, &c.book) == (terms.symbol, direction, effect, &terms.strategy)
        };
        match self.closes.iter().position(same) {
            Some(place) => {
                self.closes[place].qty += change;
                if self.closes[place].qty.is_zero() {
                    self.closes.swap_remove(place);
                }
            }
            None => {
                let (symbol, book) = (terms.symbol, terms.strategy.clone());
                self.closes.push(Closing { symbol, direction, book, effect, qty: change });
            }
        }
    }

    /// Lots that live closes hold of those that this order may close.
    fn closes_of(&self, terms: &OrderTerms, effect: Effect, apart: bool) -> Qty {
        let any_book = terms.source == Source::Manual;
        let direction = effect.direction(terms.side);
        let same_lots = |other: Effect| !apart || (other == Effect::CloseToday) == (effect == Effect::CloseToday);
        let held = self.closes.iter().filter(|c| {
            let book = c.book == terms.strategy || any_book || c.book.is_manual();
            (c.symbol, c.direction) == (terms.symbol, direction) && book && same_lots(c.effect)
        });
        held.map(|c| c.qty).sum()
    }
}

/// Lots that an order of this effect may close: of the strategy's own book, or of all books for a person.
fn closable(ledger: &Ledger, terms: &OrderTerms, effect: Effect, apart: bool, date: TradeDate) -> Qty {
    let direction = effect.direction(terms.side);
    let any_book = terms.source == Source::Manual;
    let books = ledger.contracts_of(terms.symbol).filter(|book| book.direction == direction);
    let books = books.filter(|book| any_book || book.strategy == terms.strategy).map(|book| book.on(date));
    let lots = books.map(|(yesterday, today)| match effect {
        _ if !apart => yesterday + today,
        Effect::CloseToday => today,
        _ => yesterday,
    });
    lots.sum()
}

/// Why an order cannot have this effect.
pub(super) fn effect_fault(contract: Option<&Contract>, effect: Option<Effect>) -> Option<&'static str> {
    match (contract, effect) {
        (None, None) | (Some(_), Some(Effect::Open | Effect::Close)) => None,
        (None, Some(_)) => Some("a share is bought and sold, not opened and closed"),
        (Some(_), None) => Some("missing"),
        (Some(contract), Some(_)) if contract.close == CloseFlags::TodayApart => None,
        (Some(_), Some(_)) => Some("the exchange has one flag for all closes"),
    }
}

impl Risk {
    /// The rest of the checks of an order whose instrument, account and session are known.
    pub(super) fn run_contract(
        &self,
        at: Timestamp,
        view: View<'_>,
        order: &Checked<'_>,
        contract: &Contract,
        sink: Sink<'_>,
    ) -> Option<Decided> {
        let Checked { terms, ledger, limits, rules, date } = *order;
        let effect = terms.effect?;
        let apart = contract.close == CloseFlags::TodayApart;

        let lot = rules.check_qty_of(terms.ord_type, terms.side, terms.qty, Qty::MAX);
        let not_taken = terms.ord_type == OrdType::Market && !rules.takes_market_orders();
        tell(sink, DenialCode::LotSize, lot.is_ok() && !not_taken, || {
            if not_taken {
                return (word("a market order"), word(NO_MARKET_ORDERS));
            }
            let limit = if let Err(QtyFault::AboveMax { max, .. }) = lot { max } else { rules.buy_min };
            (Measure::Qty(terms.qty), Measure::Qty(limit))
        });
        let priced = self.check_price(at, view, order, sink);
        self.check_duplicate(at, terms, limits, sink);
        let px = terms.limit_price.unwrap_or(priced.market_px);
        let used = self.check_crossing(at, order, px, true, None, sink);

        let none = Reserved::default();
        let reserved = self.reserved.get(&terms.account).unwrap_or(&none);
        let equity = crate::view::equity(ledger, view.quotes);
        // A buy fills at its limit or below, a short sale at its limit or above.
        let worst = match (terms.ord_type, terms.side) {
            (OrdType::Market, side) => market::worst(side, priced.market_px),
            (OrdType::Limit, Side::Buy) => px,
            (OrdType::Limit, Side::Sell) => px.max(priced.market_px),
        };
        let reserved_cash = if effect.closes() {
            skip(sink, DenialCode::Cash, "a closing order");
            let free = |apart| closable(ledger, terms, effect, apart, date) - reserved.closes_of(terms, effect, apart);
            let passed = terms.qty <= free(apart);
            tell(sink, DenialCode::Sellable, passed, || {
                // A close that does not say of which day is split by its plan, unless it is more than all of them.
                let all = free(apart && effect != Effect::Close).max(Qty::ZERO);
                let limit = if terms.qty > all { all } else { free(apart).max(Qty::ZERO) };
                (Measure::Qty(terms.qty), Measure::Qty(limit))
            });
            const REDUCING: [DenialCode; 12] = [
                DenialCode::OrderMargin,
                DenialCode::Margin,
                DenialCode::OrderValue,
                DenialCode::OrderQty,
                DenialCode::OrderVolume,
                DenialCode::Position,
                DenialCode::Concentration,
                DenialCode::Exposure,
                DenialCode::SymbolOrders,
                DenialCode::StrategyOrders,
                DenialCode::NotionalMinute,
                DenialCode::NotionalDay,
            ];
            REDUCING.into_iter().for_each(|code| skip(sink, code, "a reducing order"));
            Money::ZERO
        } else {
            let margin = contract.margin_of(worst, terms.qty);
            let needed = margin + contract.open_fee(worst, terms.qty);
            let available = usable(ledger, view.quotes) - reserved.cash;
            tell(sink, DenialCode::Cash, needed <= available, || (Measure::Money(needed), Measure::Money(available)));
            skip(sink, DenialCode::Sellable, "an opening order");

            tell_limit(sink, DenialCode::OrderMargin, margin, equity.scale(limits.order_margin));
            let bound = ledger.margin() + reserved.cash + margin;
            let (most, warn) = (equity.scale(limits.margin), equity.scale(limits.margin_warn));
            tell_limit_from(sink, DenialCode::Margin, bound, most, warn);

            skip(sink, DenialCode::OrderValue, BY_MARGIN);
            let lots_max = Qty::new(i64::from(limits.order_lots_max));
            let most = limits.order_qty_max.map_or(lots_max, |most| most.min(lots_max));
            tell_limit(sink, DenialCode::OrderQty, terms.qty, most);
            check_volume(view, order, sink);
            match limits.position_qty_max {
                Some(most) => {
                    let direction = effect.direction(terms.side);
                    let books = ledger.contracts_of(terms.symbol).filter(|book| book.direction == direction);
                    let held: Qty = books.map(|book| book.qty()).sum();
                    tell_limit(sink, DenialCode::Position, held + terms.qty, most);
                }
                None => skip(sink, DenialCode::Position, BY_MARGIN),
            }
            skip(sink, DenialCode::Concentration, BY_MARGIN);
            skip(sink, DenialCode::Exposure, BY_MARGIN);
            self.check_rates(terms, limits, &used, sink);
            skip(sink, DenialCode::NotionalMinute, BY_MARGIN);
            skip(sink, DenialCode::NotionalDay, BY_MARGIN);
            needed
        };

        self.check_counts(at, order, reserved, &used, sink);
        let approval = Approval {
            trade_date: date,
            band: priced.band,
            fees: rules.fees,
            contract: Some(*contract),
            loan: None,
            subscription: false,
            reserved_cash,
            arrival_px: priced.arrival_px,
            held_until: self.held_until(at, view, order, &used),
            net: None,
        };
        Some(Decided { approval, px, t0: true, worst, lots: (rules.buy_step, rules.buy_min) })
    }
}

/// A limit order would stand for it, and no price says where its limit could be.
const NO_MARKET_ORDERS: &str =
    "none: this exchange takes no market orders, and no fresh price is known to set a limit by";

const BY_MARGIN: &str = "contracts are limited by margin";
