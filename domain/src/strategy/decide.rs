//! What people have a say in: legs that wait to be confirmed, and legs that are traded by hand.

use std::sync::Arc;

use super::{Strategy, StrategyEffects, StrategyState, ex, parent_row, terms_of};
use crate::event::Event;
use crate::ids::{AccountId, ParentId, SignalId};
use crate::order::{OrdType, Side};
use crate::parent::Parent;
use crate::signal::{Signal, SignalStatus, WaitingFor};
use crate::units::{Price, Qty, Timestamp};
use crate::view::View;

/// What a person says about legs of a signal in accounts of his.
#[derive(Debug, Clone)]
pub struct Say {
    pub signal: SignalId,
    pub accounts: Arc<[AccountId]>,
    pub decision: Decision,
    pub who: Arc<str>,
}

/// What a person decides.
#[derive(Debug, Clone)]
pub enum Decision {
    /// The legs go out as they were planned; risk checks them now.
    Confirm,
    Decline {
        reason: Arc<str>,
    },
    /// He traded the one leg by hand.
    Complete {
        qty: Qty,
        px: Price,
        order: Arc<str>,
    },
}

/// Why a decision changes nothing, in order of precedence. Nothing is recorded then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecidable {
    #[error("nothing of this signal waits for that in the accounts")]
    NothingWaits,
    #[error("the strategy is not active")]
    NotActive,
    #[error("the session is closed: confirm it when the market is open, while the signal is valid")]
    SessionClosed,
    #[error("the signal asks for {0} here, and no more")]
    MoreThanAsked(Qty),
    #[error("the signal's limit is {0}")]
    BeyondLimit(Price),
}

impl Strategy {
    pub(super) fn decide(
        &mut self,
        at: Timestamp,
        view: View<'_>,
        say: Say,
        fx: &mut StrategyEffects,
    ) -> Result<(), Undecidable> {
        let Say { signal: id, accounts, decision, who } = say;
        let active = self.active.get(&id).ok_or(Undecidable::NothingWaits)?;
        let meant = |parent: &Parent| match (&decision, parent.waits_for()) {
            (Decision::Confirm, waits) => waits == Some(WaitingFor::Confirmation),
            (Decision::Complete { .. }, waits) => waits == Some(WaitingFor::Hand),
            (Decision::Decline { .. }, waits) => {
                matches!(waits, Some(WaitingFor::Confirmation | WaitingFor::Hand))
            }
        };
        let own = active.parents.iter().filter(|parent| accounts.contains(&parent.leg.account));
        let parents: Vec<&Parent> = own.filter(|parent| meant(parent)).collect();
        let first = *parents.first().ok_or(Undecidable::NothingWaits)?;
        let ids: Vec<ParentId> = parents.iter().map(|parent| parent.leg.parent).collect();
        let strategy = self.conf.id.clone();
        match decision {
            Decision::Decline { reason } => {
                self.end_legs(at, id, &ids, SignalStatus::Canceled, (&who, &reason), fx);
                return Ok(());
            }
            Decision::Complete { qty, px, order } => {
                fits(&active.signal, first, qty, px)?;
                let (parent, account) = (first.leg.parent, first.leg.account.clone());
                fx.events.push(Event::LegCompleted {
                    strategy,
                    signal: id,
                    account,
                    parent,
                    qty,
                    px,
                    order: order.clone(),
                    who: who.clone(),
                });
                self.change_legs(id, &[parent], fx, |leg| leg.complete(qty, px, who.clone(), order.clone()));
            }
            Decision::Confirm => {
                if self.state != StrategyState::Active {
                    return Err(Undecidable::NotActive);
                }
                if !view.market.is_open(active.signal.symbol, active.signal.ord_type, at) {
                    return Err(Undecidable::SessionClosed);
                }
                let until = active.row.until.unwrap_or(at);
                let at_once = parents.iter().filter(|parent| !parent.leg.pursued);
                let signal = ex::of_day(at, view, &active.signal);
                fx.check.extend(at_once.map(|parent| terms_of(&signal, &parent.leg, until)));
                let (parents, by) = (ids.clone().into(), who.clone());
                fx.events.push(Event::LegsConfirmed { strategy, signal: id, parents, who: by });
                self.change_legs(id, &ids, fx, |leg| leg.confirm(who.clone()));
                if let Some(active) = self.active.get_mut(&id) {
                    let confirmed = active.pursuits.iter_mut().filter(|(leg, _)| ids.contains(leg));
                    confirmed.for_each(|(_, pursuit)| pursuit.at_once = true);
                }
                self.pursue(at, view, id, None, fx);
            }
        }
        self.fold_signal(at, id, false, fx);
        Ok(())
    }

    /// Ends every leg that waits and is not with risk. No leg that ended so makes a signal that was canceled one that
    /// expired.
    pub(super) fn end_waiting(
        &mut self,
        at: Timestamp,
        id: SignalId,
        status: SignalStatus,
        why: (&Arc<str>, &str),
        fx: &mut StrategyEffects,
    ) {
        let Some(active) = self.active.get(&id).filter(|active| active.waiting > 0) else { return };
        // What was approved meanwhile is taken back first.
        let works = |id: &ParentId| active.pursuits.get(id).is_some_and(|pursuit| pursuit.live().next().is_some());
        let with_risk = |id: &ParentId| active.trying.contains(id) || works(id);
        let kept = |p: &&Parent| p.waits.is_some() && !with_risk(&p.leg.parent);
        let parents: Vec<ParentId> = active.parents.iter().filter(kept).map(|p| p.leg.parent).collect();
        self.end_legs(at, id, &parents, status, why, fx);
    }

    pub(super) fn end_legs(
        &mut self,
        at: Timestamp,
        id: SignalId,
        parents: &[ParentId],
        status: SignalStatus,
        (who, reason): (&Arc<str>, &str),
        fx: &mut StrategyEffects,
    ) {
        if parents.is_empty() {
            return;
        }
        let reason: Arc<str> = reason.into();
        fx.events.push(Event::LegsEnded {
            strategy: self.conf.id.clone(),
            signal: id,
            parents: parents.into(),
            status,
            who: who.clone(),
            reason: reason.clone(),
        });
        self.change_legs(id, parents, fx, |parent| parent.end(status, who.clone(), reason.clone()));
        self.fold_signal(at, id, false, fx);
    }

    pub(super) fn change_legs(
        &mut self,
        id: SignalId,
        parents: &[ParentId],
        fx: &mut StrategyEffects,
        change: impl Fn(&mut Parent),
    ) {
        let Some(active) = self.active.get_mut(&id) else { return };
        for parent in parents {
            let Ok(index) = active.parents.binary_search_by_key(parent, |p| p.leg.parent) else { continue };
            let before = active.parents[index].clone();
            change(&mut active.parents[index]);
            let now = active.parents[index].clone();
            active.recount(&before, &now);
            fx.rows.push(parent_row(&active.signal, &now));
        }
    }
}

/// Whether what was traded by hand can be this leg.
fn fits(signal: &Signal, parent: &Parent, qty: Qty, px: Price) -> Result<(), Undecidable> {
    if qty > parent.leg.qty {
        return Err(Undecidable::MoreThanAsked(parent.leg.qty));
    }
    let limit = signal.limit_price.filter(|_| signal.ord_type == OrdType::Limit);
    let beyond = |limit: &Price| if parent.leg.side == Side::Buy { px > *limit } else { px < *limit };
    limit.filter(beyond).map_or(Ok(()), |limit| Err(Undecidable::BeyondLimit(limit)))
}
