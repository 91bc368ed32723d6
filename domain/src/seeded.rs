//! Mistakes that other systems were seen to make, planted one at a time to show that the simulator finds them.
//!
//! Without the feature `seeded-bugs` [`seeded`] is the constant `false`, and what it guards is compiled away. With the
//! feature one switch of the process chooses the mistake: a core asks it as it would ask a constant, so it stays a function
//! of its inputs as long as nobody turns the switch in the middle of a day.

use strum::{EnumMessage as _, IntoEnumIterator as _};

/// One mistake. "Seed" is a system whose users come to us; F and R numbers are those of the reliability design.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    strum::EnumIter,
    strum::EnumMessage,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum SeededBug {
    /// A lost order is any row of its code (`find_stock_in_today_trade_by_code` of quant_trader).
    MatchByCodeOnly = 1,
    /// The first row of the code counts, and if its side is the other one there is no order (quant_trader).
    FirstRowThenSide,
    /// A list that could not be read is an empty one, and what is not in it does not exist (easytrader gives `[]`).
    EmptyListIsAbsent,
    /// Lookups and reads that fail count as "not found" (Hummingbot 8457: six live orders dropped after a DNS outage).
    NotFoundCountsErrors,
    /// No answer after the retries is a refusal (NautilusTrader's unconfirmed submits).
    TimeoutIsRejected,
    /// A code that is on no list is a refusal (QMT's -1 while the order is live, F16).
    UnknownCodeIsRejected,
    /// Not in one list is not there at all (F34).
    AbsentAfterOneRead,
    /// Absent as soon as three reads say so, however quickly they follow each other (F13, F34).
    VisibilityIgnored,
    /// The list of before is read after the click (R1).
    BaselineAfterClick,
    /// A row that one order has claimed can be another's, too (F15).
    ClaimNotUnique,
    /// What a person traded by hand is taken for an order of other size and price (F35, R4).
    HandTradeClaimed,
    /// A row that fits an order proved absent is nobody's business (the ghost rule, tqsdk 71).
    GhostWatchOff,
    /// Two orders of one symbol and side go out below L3 while the first is in doubt (F36).
    DoubtDoesNotSerialise,
    /// The next attempt goes out while the last one has not ended (F13, quant_trader's retries).
    RetryWithoutTerminal,
    /// Every send makes its id anew (`uuid4()` at the call, Kalshi starter code 135).
    NewIdAtResend,
    /// Bytes leave before the row that announces them is durable (F11).
    SendBeforeCommit,
    /// 202 before the commit (F01).
    AcceptBeforeCommit,
    /// What waited in memory is not read from the table again: the message was the queue (F07).
    MessageIsTheQueue,
    /// Legs that were planned and never checked are not taken up by the next life (F10).
    NoSweepAtStart,
    /// Orders that waited to be sent are forgotten by a restart (F10).
    QueueLostByRestart,
    /// What was on its way when the process ended is sent again at the start (F11).
    DoubtResentAtStart,
    /// Risk begins a life with nothing set aside (F09).
    ReservationLostByRestart,
    /// An order in doubt sets nothing aside any more.
    ReservationFreedInDoubt,
    /// A doubt that a person should settle ends by itself after five minutes (F67).
    ParkExpires,
    /// Books become what the list of positions shows, also an empty one (quant_trader's nightly sync, F58).
    SyncDeletes,
    /// Another account's lists are believed (F29).
    ForeignSnapshotBelieved,
    /// The filled quantity is what the newest row says, also when it falls (F22).
    CumGoesBack,
    /// A fill is known by its number, whatever its order (F21).
    FillKeyedByNumberOnly,
    /// The same fill counts as often as it is told (F21).
    DuplicateFillCounted,
    /// A fill of an order that has ended is dropped (F26).
    LateFillIgnored,
    /// A fill that comes before the acknowledgement is marked as seen and dropped (vn.py's `KeyError`, F20).
    FillBeforeAckDropped,
    /// The first fill ends the order (quant_trader's buys, F23).
    PartialFillIsDone,
    /// A cancel is confirmed by the words for a whole one only (quant_trader's "全部撤单", F27).
    CancelByTextOnly,
    /// A cancel whose answer is lost has worked (quant_trader clears `entrust_no`, F24).
    LostCancelIsCanceled,
    /// A cancel that is refused because the order has filled counts as one that worked (F25).
    RefusedCancelIsCanceled,
    /// The kill switch is asked by the door and by risk, and not before the send (F65).
    HaltNotAskedAtSend,
    /// A signal's time is not asked before the send (the ten-minute scheduler of seed 0, F08).
    StaleOrderSent,
    /// What a strategy sells is set aside for itself only (F60).
    SellsNotReservedTogether,
    /// What was bought today may be sold after a restart (T+1, I-19).
    TodayForgottenByRestart,
    /// What no account can get is left out of the plan without a word (I-06).
    ResidualLost,
    /// What was crossed inside the account goes to the broker all the same (I-35).
    NettedSentAllTheSame,
    /// What is bought inside the account counts as new, so that shares that may be sold are locked (I-19).
    NettedLocksShares,
    /// What stands under our mark or number is our order, whatever it is (easytrader's sale in the form of a buy, F18).
    AlteredOrderBelieved,
}

impl SeededBug {
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// The mistake in words.
    #[must_use]
    pub fn says(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

#[cfg(not(feature = "seeded-bugs"))]
#[must_use]
pub const fn seeded(_: SeededBug) -> bool {
    false
}

#[cfg(feature = "seeded-bugs")]
#[must_use]
pub fn seeded(bug: SeededBug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == bug as u8
}

/// From now on everything in this process has the mistake, or none.
#[cfg(feature = "seeded-bugs")]
pub fn plant(bug: Option<SeededBug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8), std::sync::atomic::Ordering::Relaxed);
}

#[cfg(feature = "seeded-bugs")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
