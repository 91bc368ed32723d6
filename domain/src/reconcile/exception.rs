//! What waits for a person, or was settled: doubts, breaks, ghosts, trades by hand. One row each, never deleted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ParkReason;
use super::breaks::Break;
use super::matching::{Candidate, Conservation};
use crate::broker::ListedOrder;
use crate::ids::{AccountId, OrderId};
use crate::units::Timestamp;

/// See the module. Its key is unique among the account's open ones; with `opened_at` for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    pub account: AccountId,
    pub key: Arc<str>,
    pub kind: ExceptionKind,
    pub order: Option<OrderId>,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    pub evidence: Evidence,
    /// Absent while it is open.
    pub decision: Option<Decision>,
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ExceptionKind {
    /// An order whose answer is lost.
    Doubt,
    /// A row that fits an order which was proved absent.
    Ghost,
    /// An order that ended here and works at the broker.
    Revived,
    /// Books and broker differ.
    Break,
    /// An order that nobody here sent: a person's own.
    External,
    /// The account's reads cannot be believed.
    Reads,
    /// The policy of a leg asks a person. Its strategy owns the row, and settles it when the leg ends.
    Asked,
}

/// Everything that a person needs to decide, beside the order itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What is the matter, in words.
    pub text: Arc<str>,
    pub parked: Option<ParkReason>,
    /// When the last valid read ended.
    pub read_at: Option<Timestamp>,
    pub candidates: Vec<Candidate>,
    pub conservation: Option<Conservation>,
    /// The broker's row that it is about: a person's own, a ghost's, or the one that a person bound.
    pub row: Option<ListedOrder>,
    pub differs: Option<Break>,
}

/// How it was settled, by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub what: Arc<str>,
    /// A person's name, or `signalbox`.
    pub by: Arc<str>,
    pub note: Arc<str>,
    pub at: Timestamp,
}

/// What a person decided who gave an order its number.
pub const BIND: &str = "bind";
/// And the row is of a later day than the order.
pub const BIND_LATE: &str = "bind_late";

impl Exception {
    /// Whether a new life of its account has to know it: what is open, what is a person's own, and which orders have their
    /// numbers by a person's word.
    #[must_use]
    pub fn outlives_its_life(&self) -> bool {
        let bound = self.decision.as_ref().is_some_and(|decision| matches!(&*decision.what, BIND | BIND_LATE));
        self.is_open() || self.kind == ExceptionKind::External || bound
    }

    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.decision.is_none()
    }

    /// Whether nothing is sent in the account while it is open.
    #[must_use]
    pub fn freezes_account(&self) -> bool {
        self.is_open()
            && match self.kind {
                ExceptionKind::Ghost | ExceptionKind::Reads => true,
                ExceptionKind::Doubt => self.evidence.parked.is_some_and(ParkReason::freezes_account),
                ExceptionKind::Break => self.evidence.differs.as_ref().is_some_and(Break::is_bulk),
                ExceptionKind::External | ExceptionKind::Revived | ExceptionKind::Asked => false,
            }
    }
}
