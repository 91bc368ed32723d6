//! The faults that the fake broker has: each is one thing that a real broker or its terminal was seen to do.

use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator;

/// One way to be wrong. A fault changes what the broker does or says; its ledger always tells the truth.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumIter,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Fault {
    /// The order is made and the line is cut.
    SubmitAcceptNoReply,
    /// The order is made, the reply comes `ms` later.
    SubmitReplyLate,
    /// The order is made and acknowledged twice.
    SubmitReplyTwice,
    /// The reply says -1, the order lives.
    SubmitErrorButLive,
    /// The reply tells a number, and there is no order.
    SubmitSuccessButNothing,
    /// The order is made, the reply says success and no more.
    SubmitSuccessNoNumber,
    /// The number is read from the wrong digits of the reply's text.
    SubmitNumberMisread,
    /// The number is that of the order before.
    SubmitNumberOfAnother,
    /// A buy becomes a sell, a sell a buy.
    SubmitWrongSide,
    /// The quantity loses a lot.
    SubmitQtyRounded,
    /// The price moves by a tick.
    SubmitPriceMoved,
    /// Two orders are made of one.
    SubmitPlacedTwice,
    /// The line is cut; the order is made when the client connects again.
    SubmitGhost,
    /// The order waits `ms` in front of the broker; the reply says success and no more.
    SubmitQueued,
    /// The session is over: nothing is done until the client connects again.
    SubmitSessionExpired,
    /// The terminal wants a captcha.
    SubmitCaptcha,
    /// A dialog with a text that nobody knows; nothing is done.
    SubmitUnknownDialog,
    /// The order is made in another account.
    SubmitWrongAccount,
    /// The terminal hangs for `ms`, for everything; then the order is made.
    SubmitHung,
    /// The order is acknowledged and turns out to be junk (废单) `ms` later.
    SubmitJunkAfterAck,
    /// Too fast: refused.
    SubmitFlowReject,
    /// Too fast: held back for `ms` without a word.
    SubmitFlowDelay,

    /// The list cannot be read and comes as nothing at all.
    ListEmptyOnFailure,
    /// The list that was asked for before comes again, whatever it was.
    ListPrevious,
    /// Only the first 100 rows.
    ListTruncated,
    /// Rows younger than `ms` are missing.
    ListMissingNewest,
    /// The terminal was restarted: other numbers.
    ListRenumbered,
    /// The list of the day before.
    ListYesterday,
    /// Every row twice.
    ListDuplicateRows,
    /// Status texts in no known language.
    ListStatusUnknown,
    /// The orders' filled quantities are behind the trades.
    ListCumLags,
    /// The trades are behind the orders.
    ListTradesLag,
    /// Another account's list.
    ListOtherAccount,
    /// The columns come in another order.
    ListColumnsSwapped,
    /// Numbers as `1,000.00`.
    ListThousands,
    /// Times without a date.
    ListTimeWithoutDate,

    /// A fill is told before the order's acknowledgement.
    FillBeforeAck,
    /// A fill is told twice.
    FillDuplicate,
    /// A fill is told after the next one.
    FillReordered,
    /// A fill is told after the cancel that came later.
    FillAfterCancel,
    /// A lot more than was ordered.
    FillMoreThanQty,
    /// A fill is told with the price 0.
    FillPriceZero,
    /// The fill has the number of an earlier one of another order.
    FillNumberReused,
    /// The fill is taken back `ms` later.
    FillBusted,

    /// The order is canceled and the line is cut.
    CancelAckLost,
    /// The order fills, and the cancel is refused.
    CancelRefusedFilled,
    /// The cancel is taken, and the order fills.
    CancelAcceptedButFilled,
    /// Another order is canceled.
    CancelNeighbour,
    /// The cancel is taken, and nothing happens.
    CancelIgnored,

    /// The cash is that of before the last fill.
    CashLag,
    /// What working orders hold is shown as free.
    FrozenNotShown,
    /// Nothing may be sold yet.
    SellableLate,
    /// Ten shares for ten overnight: positions double.
    CorporateAction,
    /// A position with no shares.
    ZeroRow,
    /// The same code on the other exchange.
    SameCodeTwoExchanges,
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    Submit,
    Lists,
    Fills,
    Cancel,
    Account,
}

impl Fault {
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    #[must_use]
    pub fn group(self) -> Group {
        match self {
            fault if fault <= Self::SubmitFlowDelay => Group::Submit,
            fault if fault <= Self::ListTimeWithoutDate => Group::Lists,
            fault if fault <= Self::FillBusted => Group::Fills,
            fault if fault <= Self::CancelIgnored => Group::Cancel,
            _ => Group::Account,
        }
    }

    /// The milliseconds of a fault that was armed without any.
    #[must_use]
    pub fn default_ms(self) -> u64 {
        match self {
            Self::SubmitHung => 60_000,
            Self::SubmitReplyLate | Self::SubmitGhost => 15_000,
            Self::SubmitQueued | Self::ListMissingNewest => 10_000,
            Self::SubmitFlowDelay => 1_000,
            _ => 100,
        }
    }
}

/// A fault and when it strikes: once unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    pub fault: Fault,
    /// All accounts without one.
    #[serde(default)]
    pub account: Option<String>,
    /// So many times; ignored beside `per_mille`.
    #[serde(default)]
    pub times: Option<u32>,
    /// So often in a thousand, for ever, as the seed has it.
    #[serde(default)]
    pub per_mille: Option<u32>,
    #[serde(default)]
    pub ms: Option<u64>,
}

impl Arm {
    #[must_use]
    pub const fn once(fault: Fault) -> Self {
        Self { fault, account: None, times: None, per_mille: None, ms: None }
    }

    #[must_use]
    pub fn on(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    #[must_use]
    pub const fn ms(mut self, ms: u64) -> Self {
        self.ms = Some(ms);
        self
    }
}

/// Everything that is armed.
#[derive(Debug, Clone, Default)]
pub(super) struct Armory {
    armed: Vec<(Arm, u32)>,
}

/// A fault that strikes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) fault: Fault,
    pub(super) ms: u64,
}

impl Armory {
    pub(super) fn arm(&mut self, arm: Arm) {
        let left = arm.times.unwrap_or(1);
        self.armed.push((arm, left));
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(super) fn armed(&self) -> Vec<Arm> {
        let still = self.armed.iter().filter(|(arm, left)| arm.per_mille.is_some() || *left > 0);
        still.map(|(arm, left)| Arm { times: arm.per_mille.is_none().then_some(*left), ..arm.clone() }).collect()
    }

    /// The first armed fault of the wanted ones that strikes the account now. `dice` decides the probable ones.
    pub(super) fn strike(&self, account: &str, wanted: impl Fn(Fault) -> bool, dice: u64) -> Option<Strike> {
        let here = |arm: &Arm| arm.account.as_deref().is_none_or(|only| only == account) && wanted(arm.fault);
        let falls = |arm: &Arm, left: u32| match arm.per_mille {
            Some(per_mille) => mix(dice ^ (arm.fault as u64) << 32) % 1_000 < u64::from(per_mille),
            None => left > 0,
        };
        let (arm, _) = self.armed.iter().find(|(arm, left)| here(arm) && falls(arm, *left))?;
        Some(Strike { fault: arm.fault, ms: arm.ms.unwrap_or_else(|| arm.fault.default_ms()) })
    }

    /// One strike fewer.
    pub(super) fn struck(&mut self, account: &str, fault: Fault) {
        let mine = |arm: &Arm| arm.fault == fault && arm.account.as_deref().is_none_or(|only| only == account);
        let spent = self.armed.iter_mut().find(|(arm, left)| mine(arm) && arm.per_mille.is_none() && *left > 0);
        if let Some((_, left)) = spent {
            *left -= 1;
        }
        self.armed.retain(|(arm, left)| arm.per_mille.is_some() || *left > 0);
    }
}

/// The finalizer of splitmix64: neighbours give numbers that have nothing to do with each other.
pub(super) const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
