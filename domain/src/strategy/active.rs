//! A signal in work: what its legs add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Active, Groups, Strategy, in_doubt};
use crate::execution::Pursuit;
use crate::ids::ParentId;
use crate::parent::{Parent, fold};
use crate::row::SignalRow;
use crate::signal::{Signal, SignalStatus};
use crate::units::{Qty, Timestamp};

impl Strategy {
    /// Other accounts follow from now on: what is planned next goes to them, what was planned stays.
    pub fn set_groups(&mut self, groups: Arc<Groups>) {
        self.groups = groups;
    }
}

impl Active {
    pub(super) fn new(signal: Arc<Signal>, row: SignalRow) -> Self {
        Self {
            signal,
            row,
            parents: Vec::new(),
            open: 0,
            doubts: 0,
            waiting: 0,
            trying: BTreeSet::new(),
            unasked: BTreeSet::new(),
            quote_until: None,
            give_up: None,
            pursuits: BTreeMap::new(),
            watch: None,
            timer: None,
            ended_at: Timestamp::default(),
        }
    }

    pub(super) fn add(&mut self, parent: Parent) {
        self.open += usize::from(!parent.status.is_final());
        self.doubts += in_doubt(&parent);
        self.waiting += usize::from(parent.waits.is_some());
        self.parents.push(parent);
    }

    pub(super) fn parent(&self, id: ParentId) -> Option<&Parent> {
        let index = self.parents.binary_search_by_key(&id, |p| p.leg.parent).ok()?;
        self.parents.get(index)
    }

    /// What the leg may still fill. An order that is replaced by a smaller one may fill as a whole until it is taken back.
    pub(super) fn leaves(&self, parent: &Parent) -> Qty {
        let works = self.pursuits.get(&parent.leg.parent).map_or(Qty::ZERO, Pursuit::leaves);
        (parent.leg.qty - parent.cum_qty).max(works)
    }

    /// Whether every leg that has not ended comes to its end by itself.
    pub(super) fn is_pursued(&self) -> bool {
        let ends = |p: &Parent| p.status.is_final() || self.pursuits.contains_key(&p.leg.parent);
        self.waiting == 0 && self.parents.iter().all(ends)
    }

    /// Counted, because folding ten thousand legs at each of their ends would be a square.
    pub(super) fn recount(&mut self, before: &Parent, now: &Parent) {
        let open = |parent: &Parent| usize::from(!parent.status.is_final());
        let waits = |parent: &Parent| usize::from(parent.waits.is_some());
        self.open = self.open + open(now) - open(before);
        self.doubts = self.doubts + in_doubt(now) - in_doubt(before);
        self.waiting = self.waiting + waits(now) - waits(before);
    }

    pub(super) fn status(&self) -> SignalStatus {
        match (self.doubts, self.open) {
            (0, 0) => fold(&self.parents),
            (0, open) if open == self.waiting => SignalStatus::Waiting,
            (0, _) => SignalStatus::Working,
            (_, _) => SignalStatus::InDoubt,
        }
    }
}
