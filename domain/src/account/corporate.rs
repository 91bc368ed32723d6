//! A day starts on which shares go ex: what they bring is booked, once, and a broker that books it at another moment is
//! not contradicted.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Account, AccountEffects, Alarm};
use crate::calendar::{china_date_time, days_later};
use crate::corporate::CorporateAction;
use crate::event::Event;
use crate::ledger::{Book, Ledger};
use crate::reconcile::breaks::Ex;
use crate::row::Row;
use crate::symbol::Symbol;
use crate::units::{Money, Qty, Timestamp, TradeDate};

impl Account {
    /// Books everything that goes ex after the account's last day and up to this one, with the same entry of the journal
    /// that starts the day. So it is done once, whenever the program was up, and a crash leaves all of an account or nothing.
    pub(super) fn go_ex(&mut self, at: Timestamp, ledger: &mut Ledger, until: TradeDate, fx: &mut AccountEffects) {
        // An account that was opened just now has what it has today.
        let Some(after) = ledger.trade_date else { return };
        let actions = self.actions.clone();
        let mut due: Vec<&CorporateAction> =
            held(ledger).into_iter().flat_map(|symbol| actions.between(symbol, after, until)).collect();
        due.sort_by_key(|action| (action.ex_date, action.symbol));
        for action in due {
            if self.has_booked(action) {
                continue;
            }
            let Some(booked) = ledger.entitled(action).map(Arc::new) else { continue };
            let (account, changed) = (self.conf.id.clone(), ledger.go_ex(&booked));
            self.book_rows(changed, fx);
            fx.rows.push(Row::CorporateAction { account: account.clone(), booked: booked.clone(), at });
            fx.events.push(Event::CorporateActionBooked { account, booked: booked.clone() });
            fx.alarms.push(Alarm::WentEx(booked.clone()));
            self.booked.push(booked);
        }
        self.booked.retain(|booked| booked.action.ex_date > days_later(until, -LATE_DAYS));
    }

    fn has_booked(&self, action: &CorporateAction) -> bool {
        let same = |of: &CorporateAction| (of.symbol, of.ex_date) == (action.symbol, action.ex_date);
        self.booked.iter().any(|booked| same(&booked.action))
    }

    /// What went ex lately while a book held it and was not booked, since the table did not know it when the day started;
    /// with how many of the shares are from before.
    fn unbooked<'a>(&'a self, ledger: &'a Ledger) -> impl Iterator<Item = (&'a CorporateAction, Qty)> {
        let lately = lately(ledger).into_iter().flat_map(move |(after, today)| {
            held(ledger).into_iter().flat_map(move |symbol| self.actions.between(symbol, after, today))
        });
        lately.filter(|action| !self.has_booked(action)).filter_map(|action| {
            // Of what was there before us nobody knows whether it is counted with it or without.
            let before = |book: &&Book| {
                let seen = book.entry.as_ref().and_then(|entry| entry.at);
                seen.is_some_and(|at| china_date_time(at).0 < action.ex_date)
            };
            let held: Qty = ledger.of_symbol(action.symbol).filter(before).map(|book| book.qty).sum();
            held.is_positive().then_some((action, held))
        })
    }

    /// By how much the broker may differ because of what went ex lately.
    pub(super) fn ex(&self, ledger: &Ledger) -> Ex {
        let mut ex = Ex::default();
        let mut dividends = Money::ZERO;
        let since = lately(ledger).map(|(after, _)| after);
        for booked in self.booked.iter().filter(|booked| Some(booked.action.ex_date) > since) {
            let symbol = booked.action.symbol;
            // The broker books it later than we do,
            ex.shares.insert((symbol, -booked.shares));
            // or the depository has made a whole share of the fraction.
            if booked.action.leaves_fraction(booked.held) {
                ex.shares.insert((symbol, Qty::new(1)));
            }
            ex.cash.insert(-booked.cash);
            dividends += booked.cash;
        }
        ex.cash.insert(-dividends);
        for (action, held) in self.unbooked(ledger) {
            ex.shares.insert((action.symbol, action.new_shares(held)));
            ex.cash.insert(action.dividend(held));
        }
        ex
    }

    /// Tells what a person has to correct by hand.
    pub(super) fn tell_unbooked(&self, ledger: &Ledger, fx: &mut AccountEffects) {
        fx.alarms.extend(self.unbooked(ledger).map(|(action, _)| Alarm::ExUnbooked(*action)));
    }
}

/// A broker books what an action brings on its ex-date or a day later, and no holiday is longer.
const LATE_DAYS: i64 = 12;

/// After which day something went ex lately, and the account's present day.
fn lately(ledger: &Ledger) -> Option<(TradeDate, TradeDate)> {
    ledger.trade_date.map(|today| (days_later(today, -LATE_DAYS), today))
}

fn held(ledger: &Ledger) -> BTreeSet<Symbol> {
    ledger.books().iter().filter(|book| book.qty.is_positive()).map(|book| book.symbol).collect()
}
