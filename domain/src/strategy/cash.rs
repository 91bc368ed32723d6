//! Buys that lack cash: they wait for what the strategy's live sells in the account bring in, then buy what the cash pays
//! for if their route says so, and else are denied. What is pursued waits too, and is placed anew by its policy.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Active, NOBODY, Strategy, StrategyEffects, StrategyState, terms_of};
use crate::denial::{Denial, DenialCode, Measure};
use crate::event::Event;
use crate::ids::{AccountId, ParentId, SignalId};
use crate::order::{OrderTerms, Side};
use crate::parent::{Parent, Wait};
use crate::risk::Short;
use crate::row::Row;
use crate::signal::{SignalStatus, Source, WaitingFor};
use crate::units::{Span, Timestamp};
use crate::view::View;

impl Strategy {
    /// Of what goes to risk now, the buys that could wait, or become smaller, are tried after all others.
    pub(super) fn let_buys_wait(&mut self, fx: &mut StrategyEffects) {
        let spends = |terms: &OrderTerms| terms.side == Side::Buy || terms.lends();
        if !fx.check.iter().any(|terms| spends(terms)) {
            return;
        }
        let (mut firm, mut later) = (Vec::new(), Vec::new());
        let selling = self.selling();
        for terms in std::mem::take(&mut fx.check) {
            let parent = self.active.get(&terms.id.signal()).and_then(|active| active.parent(terms.id.parent()));
            let patient = parent.is_some_and(|parent| match parent.leg.short_of_cash.patience() {
                None => false,
                Some(span) => {
                    let waits = span > Span::ZERO && selling.contains(&parent.leg.account);
                    waits || (parent.leg.short_of_cash.shrinks() && !parent.leg.pursued)
                }
            });
            let can_wait = patient && spends(&terms) && terms.source == Source::Signal;
            if can_wait { later.push(terms) } else { firm.push(terms) }
        }
        fx.check = firm;
        fx.try_later.append(&mut later);
    }

    /// Risk found nothing lacking but cash. What is denied for it now is its policy's to end.
    pub(super) fn short(&mut self, at: Timestamp, view: View<'_>, short: Short, fx: &mut StrategyEffects) {
        let leg = short.terms.id.parent();
        self.lacks_cash(at, short, fx);
        self.pursue(at, view, leg.signal(), Some(leg), fx);
    }

    fn lacks_cash(&mut self, at: Timestamp, short: Short, fx: &mut StrategyEffects) {
        let Short { terms, needed, available, affordable } = short;
        let (id, parent_id) = (terms.id.signal(), terms.id.parent());
        let selling = self.selling().contains(&terms.account);
        let Some(active) = self.active.get_mut(&id) else { return };
        active.trying.remove(&parent_id);
        let Some(parent) = active.parent(parent_id).filter(|parent| !parent.status.is_final()) else { return };
        let nobody = Arc::from(NOBODY);
        if active.row.cancel_requested {
            let why = (&nobody, "the signal is canceled");
            return self.end_legs(at, id, &[parent_id], SignalStatus::Canceled, why, fx);
        }
        let (give_up, policy, pursued) = (active.give_up.unwrap_or(at), parent.leg.short_of_cash, parent.leg.pursued);
        let waited = parent.waits.filter(|wait| wait.what == WaitingFor::Cash);
        // What works beside it is not to look as if it waited.
        let alone = active.pursuits.get_mut(&parent_id).is_none_or(|pursuit| {
            let alone = pursuit.live().all(|(attempt, _)| attempt == terms.id.attempt());
            if alone {
                pursuit.lacks_cash(terms.id.attempt());
            }
            alone
        });
        if at >= give_up {
            return self.end_legs(at, id, &[parent_id], SignalStatus::Expired, (&nobody, "its time is out"), fx);
        }
        let until = match waited {
            Some(wait) => wait.until.unwrap_or(at),
            None => at.plus(policy.patience().unwrap_or(Span::ZERO)).min(give_up),
        };
        let (waits, goes_on) = (waited.is_some(), self.state == StrategyState::Active);
        if goes_on && selling && at < until && alone {
            self.short.insert((terms.account.clone(), Reverse(active.signal.notes.priority), parent_id));
            if !waits {
                self.keep_for_cash(at, id, parent_id, until, fx);
            }
            return self.look_again(id);
        }
        if goes_on && policy.shrinks() && !pursued && affordable.is_positive() && affordable < terms.qty {
            active.trying.insert(parent_id);
            fx.try_later.push(Arc::new(OrderTerms { qty: affordable, ..(*terms).clone() }));
            return;
        }
        let (value, limit) = (Measure::Money(needed), Measure::Money(available));
        let denials: Arc<[Denial]> = Arc::from([Denial { code: DenialCode::Cash, value, limit }]);
        fx.events.push(Event::OrderDenied { terms: terms.clone(), denials: denials.clone() });
        fx.rows.push(Row::DeniedOrder { terms: terms.clone(), denials: denials.clone(), at });
        self.denied(at, &terms, &denials, fx);
    }

    fn keep_for_cash(
        &mut self,
        at: Timestamp,
        id: SignalId,
        parent: ParentId,
        until: Timestamp,
        fx: &mut StrategyEffects,
    ) {
        let wait = Wait { what: WaitingFor::Cash, until: Some(until) };
        fx.events.push(Event::LegsWaiting {
            strategy: self.conf.id.clone(),
            signal: id,
            parents: Arc::from([parent]),
            waiting_for: wait.what,
            until: wait.until,
        });
        self.change_legs(id, &[parent], fx, |parent| parent.wait(wait));
        self.fold_signal(at, id, false, fx);
    }

    /// A sell in the account has changed: perhaps there is cash now. Who waits for it is tried at the end of the step.
    pub(super) fn try_again(&mut self, account: &AccountId) {
        if !self.short.is_empty() && self.state == StrategyState::Active {
            self.freed.insert(account.clone());
        }
    }

    pub(super) fn try_freed(&mut self, at: Timestamp, view: View<'_>, fx: &mut StrategyEffects) {
        let freed = std::mem::take(&mut self.freed);
        if freed.is_empty() || self.state != StrategyState::Active {
            return;
        }
        let here: Vec<_> = self.short.iter().filter(|(of, ..)| freed.contains(of)).cloned().collect();
        for key in here {
            let id = key.2;
            let Some(active) = self.active.get_mut(&id.signal()) else {
                self.short.remove(&key);
                continue;
            };
            match active.parent(id) {
                Some(parent) if parent.waits_for() == Some(WaitingFor::Cash) && parent.leg.pursued => {
                    // Its policy finds price and quantity anew.
                    active.trying.insert(id);
                    self.set_timer(id.signal(), Some(at));
                }
                Some(parent) if parent.waits_for() == Some(WaitingFor::Cash) => {
                    if active.trying.contains(&id) {
                        continue;
                    }
                    let terms = terms_of(&active.signal, &parent.leg, active.row.until.unwrap_or_default());
                    if !self.is_quoted(at, view, terms.symbol, &terms.account, terms.ord_type) {
                        self.legs_wait(at, view, &[id], fx);
                    } else if let Some(active) = self.active.get_mut(&id.signal()) {
                        active.trying.insert(id);
                        fx.try_later.push(terms);
                    }
                }
                _ => {
                    self.short.remove(&key);
                }
            }
        }
    }

    /// After a restart: where sells still live, what they bring in is waited for; where none does, nothing would ever ask.
    pub(super) fn try_without_sells(&mut self, at: Timestamp) {
        let selling = self.selling();
        let accounts: BTreeSet<AccountId> = self.short.iter().map(|(account, ..)| account.clone()).collect();
        accounts.difference(&selling).for_each(|account| self.try_again(account));
        // A start sees no prices: it is its first step that tries.
        let freed = self.short.iter().filter(|(account, ..)| self.freed.contains(account));
        let ids: Vec<SignalId> = freed.map(|(.., leg)| leg.signal()).collect();
        ids.into_iter().for_each(|id| self.set_timer(id, Some(at)));
    }

    /// Legs that have waited long enough are tried a last time.
    pub(super) fn cash_is_due(&mut self, at: Timestamp, view: View<'_>, id: SignalId, fx: &mut StrategyEffects) {
        let Some(active) = self.active.get(&id) else { return };
        let due: Vec<ParentId> = for_cash(active).filter(|(_, until)| *until <= at).map(|(id, _)| id).collect();
        if due.is_empty() {
            return;
        }
        if self.state != StrategyState::Active {
            let why = (&Arc::from(NOBODY), "the strategy is not active");
            return self.end_legs(at, id, &due, SignalStatus::Canceled, why, fx);
        }
        for parent in due {
            let Some(active) = self.active.get(&id) else { return };
            let Some(leg) = active.parent(parent).map(|parent| &parent.leg) else { continue };
            let terms = terms_of(&active.signal, leg, active.row.until.unwrap_or(at));
            let pursued = leg.pursued;
            if !pursued && !self.is_quoted(at, view, terms.symbol, &terms.account, terms.ord_type) {
                self.legs_wait(at, view, &[parent], fx);
                continue;
            }
            if let Some(active) = self.active.get_mut(&id) {
                active.trying.insert(parent);
            }
            if !pursued {
                fx.try_later.push(terms);
            }
        }
    }

    /// Wakes when the signal is to be given up, or when a leg has waited for cash long enough.
    pub(super) fn look_again(&mut self, id: SignalId) {
        let Some(active) = self.active.get(&id) else { return };
        let pursued = active.pursuits.values().filter_map(|pursuit| pursuit.wake_at);
        let waits = for_cash(active).chain(active.for_quote()).map(|(_, until)| until);
        let next = waits.chain(active.give_up).chain(pursued).min();
        self.set_timer(id, next);
    }

    /// After a restart.
    pub(super) fn wait_again(&mut self, id: SignalId) {
        let Some(active) = self.active.get(&id) else { return };
        let priority = Reverse(active.signal.notes.priority);
        let keys: Vec<_> = for_cash(active)
            .filter_map(|(id, _)| active.parent(id))
            .map(|parent| (parent.leg.account.clone(), priority, parent.leg.parent))
            .collect();
        if !keys.is_empty() {
            self.short.extend(keys);
            self.look_again(id);
        }
    }

    /// The signal has its legs now.
    pub(super) fn look_for_sells(&mut self, id: SignalId) {
        let sells = |active: &Active| active.parents.iter().any(|parent| parent.leg.side == Side::Sell);
        if self.active.get(&id).is_some_and(|active| sells(active)) {
            self.sells.insert(id);
        }
    }

    /// The accounts in which sells of the strategy may still trade.
    pub(super) fn selling(&self) -> BTreeSet<AccountId> {
        // What lends brings nothing in today.
        let sells = self.sells.iter().filter_map(|id| self.active.get(id));
        let sells = sells.filter(|active| !active.signal.symbol.is_repo());
        let parents = sells.flat_map(|active| &active.parents);
        let live = |p: &&Parent| p.leg.side == Side::Sell && !p.status.is_final() && p.waits.is_none();
        let sent = parents.filter(live).filter(|p| p.leg.mode.sends());
        sent.map(|p| p.leg.account.clone()).collect()
    }
}

/// Legs that wait for cash and are not with risk, and until when.
fn for_cash(active: &Active) -> impl Iterator<Item = (ParentId, Timestamp)> {
    let waits = |parent: &Parent| match parent.waits {
        Some(Wait { what: WaitingFor::Cash, until }) => Some((parent.leg.parent, until.unwrap_or_default())),
        _ => None,
    };
    active.parents.iter().filter_map(waits).filter(|(id, _)| !active.trying.contains(id))
}
