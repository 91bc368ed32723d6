//! Legs for contracts: lots are opened and closed, in two directions.
//!
//! A signal that does not say which closes what its strategy holds on the other side and opens the rest. Where today's
//! lots are closed with a flag of their own, a close becomes a leg for each kind, earlier days first.

use std::slice;

use super::{Ask, Planner};
use crate::allocation::{by_weight, follow};
use crate::contract::{Contract, Effect};
use crate::denial::Denial;
use crate::ids::AccountId;
use crate::order::Side;
use crate::signal::Size;
use crate::strategy::{Allocation, Route};
use crate::units::{Money, Price, Qty, Ratio};

impl Planner<'_> {
    pub(super) fn contract(
        &mut self,
        accounts: &[AccountId],
        route: &Route,
        contract: &Contract,
    ) -> Result<(), Vec<Denial>> {
        // What one lot is worth takes the place of a share's price.
        let lot = |px: Price| Price::from_e4(px.e4().saturating_mul(contract.multiplier));
        match (self.signal.size, self.signal.side) {
            (Size::Quantity(qty), Some(side)) => self.lots(accounts, route, side, Ask::Shares(qty), contract),
            (Size::Amount(sum), Some(side)) => {
                let price = lot(self.order_price(side)?);
                self.lots(accounts, route, side, Ask::Sum(sum, price), contract);
            }
            (Size::Percent(share), Some(Side::Buy)) => {
                self.check_base(accounts, route)?;
                let price = lot(self.order_price(Side::Buy)?);
                self.lots(accounts, route, Side::Buy, Ask::Share(share, price), contract);
            }
            (Size::Percent(part), Some(Side::Sell)) => {
                for account in accounts {
                    self.close(account, Side::Sell, follow(self.closable(account, Side::Sell), part), contract);
                }
            }
            (Size::All, Some(side)) => {
                for account in accounts {
                    self.close(account, side, self.closable(account, side), contract);
                }
            }
            (Size::TargetQuantity(target), _) => self.net(accounts, route, Ask::Shares(target), contract),
            (Size::TargetAmount(Money::ZERO) | Size::TargetWeight(Ratio::ZERO), _) => {
                self.net(accounts, route, Ask::Shares(Qty::ZERO), contract);
            }
            (Size::TargetAmount(sum), _) => {
                let price = lot(self.position_price()?);
                self.net(accounts, route, Ask::Sum(sum, price), contract);
            }
            (Size::TargetWeight(share), _) => {
                self.check_base(accounts, route)?;
                let price = lot(self.position_price()?);
                self.net(accounts, route, Ask::Share(share, price), contract);
            }
            // The door lets no such signal in.
            (Size::Quantity(_) | Size::Amount(_) | Size::Percent(_) | Size::All, None) | (Size::AllIn, _) => {}
        }
        Ok(())
    }

    fn lots(&mut self, accounts: &[AccountId], route: &Route, side: Side, ask: Ask, contract: &Contract) {
        if route.allocation == Allocation::FixedRatio {
            for account in accounts {
                let lots = self.wanted(slice::from_ref(account), route, ask);
                let lots = self.let_in(account, lots);
                self.trade(account, side, lots, contract);
            }
            return;
        }
        let wanted = self.wanted(accounts, route, ask);
        let (shares, residual) = by_weight(wanted, &self.weights(accounts, route.allocation, side), Qty::new(1));
        self.residual += residual;
        for (account, lots) in accounts.iter().zip(shares) {
            let lots = self.let_in(account, lots);
            self.trade(account, side, lots, contract);
        }
    }

    /// Brings what is held long less what is held short to the target, in each account.
    fn net(&mut self, accounts: &[AccountId], route: &Route, ask: Ask, contract: &Contract) {
        for account in accounts {
            let pending = (self.pending)(account);
            let held = self.held_on(account, Side::Sell) - self.held_on(account, Side::Buy);
            let target = self.part(account, self.wanted(slice::from_ref(account), route, ask));
            let change = target - (held + pending.buys - pending.sells);
            let side = if change.is_negative() { Side::Sell } else { Side::Buy };
            self.trade(account, side, change.abs(), contract);
        }
    }

    fn trade(&mut self, account: &AccountId, side: Side, qty: Qty, contract: &Contract) {
        match self.signal.position_effect {
            Some(Effect::Close) => {
                // More than there is goes out as it is, and risk says with numbers why not.
                let whole = qty <= self.closable(account, side);
                if whole {
                    self.close(account, side, qty, contract)
                } else {
                    self.push_lots(account, side, qty, Effect::Close)
                }
            }
            Some(effect) => self.push_lots(account, side, qty, effect),
            None => {
                let closed = qty.min(self.closable(account, side));
                self.close(account, side, closed, contract);
                self.push_lots(account, side, qty - closed, Effect::Open);
            }
        }
    }

    fn close(&mut self, account: &AccountId, side: Side, qty: Qty, contract: &Contract) {
        let (yesterday, _) = self.split(account, side);
        // What is being closed already took those of earlier days first.
        for (effect, lots) in contract.closes(qty, yesterday - self.closing(account, side)) {
            self.push_lots(account, side, lots, effect);
        }
    }

    /// Lots of the strategy's own book that an order of this side closes: of earlier days, and of today. Of all books,
    /// those that no live close holds.
    fn split(&self, account: &AccountId, side: Side) -> (Qty, Qty) {
        let (symbol, strategy) = (self.signal.symbol, &self.signal.strategy);
        let (ledger, direction) = (self.view.ledgers.get(account), Effect::Close.direction(side));
        if self.of_all_books() {
            let books = ledger.into_iter().flat_map(|ledger| ledger.contracts_of(symbol));
            let lots = books.filter(|book| book.direction == direction).map(|book| book.on(self.date));
            let (before, today) = lots.fold((Qty::ZERO, Qty::ZERO), |sum, lots| (sum.0 + lots.0, sum.1 + lots.1));
            let (closing_before, closing_today) = self.view.aside.closes(account, symbol, direction);
            let before = before - closing_before;
            // Where one flag closes all, it takes what it needs of either kind.
            let today = today - closing_today + before.min(Qty::ZERO);
            return (before.max(Qty::ZERO), today.max(Qty::ZERO));
        }
        let book = ledger.and_then(|ledger| ledger.contract(symbol, strategy, direction));
        book.map_or((Qty::ZERO, Qty::ZERO), |book| book.on(self.date))
    }

    pub(super) fn held_on(&self, account: &AccountId, side: Side) -> Qty {
        let (yesterday, today) = self.split(account, side);
        yesterday + today
    }

    /// Lots that working closes of the strategy take of these.
    fn closing(&self, account: &AccountId, side: Side) -> Qty {
        let pending = (self.pending)(account);
        let closing = if side == Side::Buy { pending.closing_buys } else { pending.closing_sells };
        if !self.of_all_books() {
            return closing;
        }
        // What risk knows of is not among them any more; what is on its way there is.
        let (direction, book) = (Effect::Close.direction(side), &self.signal.strategy);
        let (before, today) = self.view.aside.closes_of(account, self.signal.symbol, direction, book);
        (closing - before - today).max(Qty::ZERO)
    }

    fn closable(&self, account: &AccountId, side: Side) -> Qty {
        (self.held_on(account, side) - self.closing(account, side)).max(Qty::ZERO)
    }

    fn push_lots(&mut self, account: &AccountId, side: Side, qty: Qty, effect: Effect) {
        self.push_leg(account, side, Some(effect), qty);
    }
}
