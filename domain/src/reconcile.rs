//! From what a broker lists to what may be believed of an order in doubt.
//!
//! A read is believed only if it is valid ([`validity`]). Valid reads find the row of an order whose answer is lost, or
//! prove that there is none ([`matching`]), or show where books and broker differ ([`breaks`]). Wherever the evidence
//! leaves a choice, the answer is a reason to ask a person, never a guess.

pub mod breaks;
pub mod exception;
pub mod matching;
pub mod renumbered;
pub mod validity;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::InstallationTag;
use crate::seeded::{SeededBug, seeded};
use crate::units::{Money, Qty, Span, Timestamp};

/// How patient an account is with its broker, and how much it dares. The times of a real broker are measured; tests
/// scale them down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubtConf {
    /// Ours in the tags that come back with orders. Without it no tag counts.
    pub installation: Option<InstallationTag>,
    /// The account number that the broker shows, where it shows one.
    pub fund_account: Option<Arc<str>>,
    /// How long it takes, 999 times of 1,000, until a new order stands in the broker's list.
    pub visibility: Span,
    /// Two reads that shall agree are at least so far apart.
    pub quiet: Span,
    /// An order is not proved absent sooner; see also [`DoubtConf::visibility`].
    pub absent_after: Span,
    /// Without any valid read for so long a doubt is a person's.
    pub blind_after: Span,
    /// An order that the broker acknowledged stands in its list after so long at the latest.
    pub seen_within: Span,
    /// Our own id is enforced by the broker for so long after the first send, less a margin (level L3).
    pub id_lives: Span,
    pub id_margin: Span,
    /// Between reads while a doubt is open.
    pub read_in_doubt: Span,
    /// Between reads otherwise.
    pub read_every: Span,
    /// Between comparisons of positions and cash with the books.
    pub compare_every: Span,
    /// How old the read may be that an order at a broker without tags is sent upon.
    pub baseline_for: Span,
    /// How far the broker's clock may be behind ours.
    pub skew: Span,
    /// An order above this value is not bound by its looks without a person.
    pub auto_bind_max: Option<Money>,
}

impl Default for DoubtConf {
    fn default() -> Self {
        Self {
            installation: None,
            fund_account: None,
            visibility: Span::from_secs(10),
            quiet: Span::from_secs(3),
            absent_after: Span::from_secs(60),
            blind_after: Span::from_secs(120),
            seen_within: Span::from_secs(30),
            id_lives: Span::from_secs(600),
            id_margin: Span::from_secs(120),
            read_in_doubt: Span::from_secs(10),
            read_every: Span::from_secs(60),
            compare_every: Span::from_secs(300),
            baseline_for: Span::from_secs(10),
            skew: Span::from_secs(5),
            auto_bind_max: None,
        }
    }
}

impl DoubtConf {
    /// How long after a send its row may appear.
    #[must_use]
    pub fn appears_within(&self) -> Span {
        Span::from_secs(30).max(self.thrice_visibility())
    }

    /// Before this long no order counts as absent.
    #[must_use]
    pub fn absent_not_before(&self) -> Span {
        if seeded(SeededBug::VisibilityIgnored) {
            Span::from_us(0)
        } else {
            self.absent_after.max(self.thrice_visibility())
        }
    }

    fn thrice_visibility(&self) -> Span {
        Span::from_us(self.visibility.us().saturating_mul(3))
    }
}

/// Why a doubt is a person's. R1 to R13 of the reliability design, and what lies before and after them.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ParkReason {
    /// The broker gives nothing that could settle a lost answer (level L0).
    NoEvidence,
    /// R1: there was no valid read before the order was sent.
    NoBaseline,
    /// R2: no valid read for too long.
    Blind,
    /// R3: more than one row could be it.
    ManyCandidates,
    /// R4: a row of the symbol and side has another quantity or price, or our tag stands on another order.
    NearMiss,
    /// R5: a market order, and the symbol has another new row.
    MarketOrderBeside,
    /// R6: another order in doubt looks the same.
    SameFingerprint,
    /// R7: somebody traded by hand since the order was sent.
    ManualTrade,
    /// R8: order numbers that were listed are not listed any more.
    NumbersVanished,
    /// R9: the broker's window shows another account.
    WrongAccount,
    /// R10: cash and positions say something else than the list of orders.
    NotConserved,
    /// R11: the clock jumped meanwhile.
    ClockJump,
    /// R12: the trading day ended before it was settled.
    DayOver,
    /// R13: worth too much to be bound by its looks.
    TooValuable,
    /// Its cancel was sent again and again, and the order works on.
    CancelUnanswered,
}

impl ParkReason {
    /// Whether nothing of the account can be trusted now, and not only the order (R8 to R12).
    #[must_use]
    pub const fn freezes_account(self) -> bool {
        matches!(self, Self::NumbersVanished | Self::WrongAccount | Self::NotConserved | Self::ClockJump)
    }
}

/// What a valid read showed just before an order was sent, as far as it can prove later that nothing came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// When the read ended.
    pub at: Timestamp,
    pub sums: Sums,
}

/// The numbers of one read that only trading in the symbol, or with the account's cash, can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Cash that is free; absent where the broker does not tell.
    pub available: Option<Money>,
    /// What listed buys of the account hold and have spent, less what its sells have brought. Without fees.
    pub cash_used: Money,
    /// All that the account traded, for the fees that the sums leave out, and in how many orders.
    pub turnover: Money,
    pub traded_orders: i64,
    pub position: Qty,
    pub sellable: Qty,
    /// What listed orders of the symbol have bought and sold, and what its sells hold.
    pub bought: Qty,
    pub sold: Qty,
    pub selling: Qty,
}
