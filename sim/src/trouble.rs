//! What can go wrong on a day, and which of it does on the day of a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use signalbox_brokers::fake::fault::Fault;

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The broker does this, so often in a thousand.
    Broker(Fault, u32),
    /// Questions to the broker get lost.
    QuestionsLost,
    /// Answers of the broker get lost.
    AnswersLost,
    /// The process ends in the middle of things.
    Crashes,
    /// What got lost, or was on its way when the process ended, arrives later.
    LateArrivals,
    /// What got lost on its way arrives minutes later all the same, when nobody reckons with it any more.
    Ghosts,
    /// Somebody trades by hand in the same accounts.
    ByHand,
    /// Somebody halts everything, and lets it go on.
    Kill,
    /// Somebody cancels what he finds.
    Cancels,
    /// The process is suspended, with its clock or without.
    Suspends,
    /// The wall clock is set while the process is down: needs [`Trouble::Crashes`].
    ClockJumps,
    /// Nobody looks from the middle of the day to the next morning: the process is down, or the machine asleep.
    Night,
    // What is wanted beyond plain orders. Nothing of it goes wrong by itself.
    /// Signals have execution policies, price forms and priorities.
    Policies,
    /// Signals are held for a price or a time, and what they buy is sold at another.
    Triggers,
    /// Routes wait for a person, or tell him only; buys wait for cash in other ways.
    Manners,
    /// Somebody moves shares between books.
    Transfers,
    /// Somebody wants orders at other prices, or for less.
    Replaces,
    /// Prices move.
    Prices,
    /// The day ends with its session, and another one follows.
    Tomorrow,
    /// Accounts net what their strategies want of each other, and strategies want it at the same moment.
    Netting,
}

const BEYOND_PLAIN_ORDERS: [Trouble; 7] = [
    Trouble::Policies,
    Trouble::Triggers,
    Trouble::Manners,
    Trouble::Transfers,
    Trouble::Prices,
    Trouble::Tomorrow,
    Trouble::Netting,
];

/// The trouble of one day. Few kinds at a time: a day with all of them never gets far enough to find anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Trouble>);

/// After these the broker itself has something else than what was asked for: nobody can make books and broker equal
/// then, but somebody has to be told.
pub const DISHONEST: &[Fault] = &[
    Fault::SubmitPlacedTwice,
    Fault::SubmitWrongAccount,
    Fault::FillMoreThanQty,
    Fault::FillBusted,
    Fault::CancelNeighbour,
    Fault::CorporateAction,
];

/// After these the broker has another order under our mark: a person is told, and makes books and broker equal.
pub const ALTERS: &[Fault] = &[Fault::SubmitWrongSide, Fault::SubmitQtyRounded, Fault::SubmitPriceMoved];

impl Faults {
    /// What a seed's day has: a random few of everything.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut all = Self::with_plain_orders(seed);
        let mut dice = stream(seed, 6);
        if dice.next_u32().is_multiple_of(2) {
            all.0.extend(BEYOND_PLAIN_ORDERS.into_iter().filter(|_| dice.next_u32().is_multiple_of(2)));
        }
        if stream(seed, 11).next_u32().is_multiple_of(4) {
            all.0.push(Trouble::Replaces);
        }
        all
    }

    /// A line that loses what it carries, and somebody who acts by hand when an order seems to hang.
    #[must_use]
    pub fn by_hand() -> Self {
        Self(vec![Trouble::QuestionsLost, Trouble::AnswersLost, Trouble::LateArrivals, Trouble::ByHand])
    }

    /// What goes wrong on a seed's day, and nothing beyond plain orders.
    #[must_use]
    pub fn with_plain_orders(seed: u64) -> Self {
        let mut dice = stream(seed, 0);
        // A day in eight goes well.
        if dice.next_u32().is_multiple_of(8) {
            let night = dice.next_u32().is_multiple_of(8);
            return Self(if night { vec![Trouble::Night] } else { Vec::new() });
        }
        let one_in = 2 + dice.next_u32() % 12;
        let mut on = Vec::new();
        for fault in Fault::all() {
            let (falls, often) = (dice.next_u32().is_multiple_of(one_in * 2), 10 + dice.next_u32() % 150);
            if falls {
                on.push(Trouble::Broker(fault, often));
            }
        }
        for trouble in [
            Trouble::QuestionsLost,
            Trouble::AnswersLost,
            Trouble::Crashes,
            Trouble::LateArrivals,
            Trouble::ByHand,
            Trouble::Kill,
            Trouble::Cancels,
            Trouble::Suspends,
            Trouble::ClockJumps,
        ] {
            if dice.next_u32().is_multiple_of(one_in.min(4)) {
                on.push(trouble);
            }
        }
        if on.contains(&Trouble::QuestionsLost) && dice.next_u32().is_multiple_of(8) {
            on.push(Trouble::Ghosts);
        }
        if dice.next_u32().is_multiple_of(8) {
            on.push(Trouble::Night);
        }
        Self(on)
    }

    #[must_use]
    pub fn has(&self, trouble: Trouble) -> bool {
        self.0.contains(&trouble)
    }

    pub fn iter(&self) -> impl Iterator<Item = Trouble> {
        self.0.iter().copied()
    }

    /// Whether nothing goes wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|trouble| BEYOND_PLAIN_ORDERS.contains(trouble))
    }

    /// Whether more is wanted than plain orders.
    #[must_use]
    pub fn beyond_plain_orders(&self) -> bool {
        self.0.iter().any(|trouble| BEYOND_PLAIN_ORDERS.contains(trouble))
    }

    /// Whether the broker does what nobody asked for, or no more. Of an order that became another one and is in no list any
    /// more the next morning, nobody can say what it traded.
    #[must_use]
    pub fn dishonest(&self) -> bool {
        let unseen = self.alters() && self.has(Trouble::Night);
        unseen
            || self.0.iter().any(|trouble| match trouble {
                Trouble::Broker(fault, _) => DISHONEST.contains(fault),
                trouble => *trouble == Trouble::Ghosts,
            })
    }

    /// Whether the broker makes other orders of ours.
    #[must_use]
    pub fn alters(&self) -> bool {
        self.0.iter().any(|trouble| matches!(trouble, Trouble::Broker(fault, _) if ALTERS.contains(fault)))
    }

    /// Without what the broker may not do.
    #[must_use]
    pub fn sparing(&self, spared: &[Fault]) -> Self {
        let spares = |trouble: &Trouble| !matches!(trouble, Trouble::Broker(fault, _) if spared.contains(fault));
        Self(self.0.iter().copied().filter(spares).collect())
    }

    #[must_use]
    pub fn without(&self, one: Trouble) -> Self {
        Self(self.0.iter().copied().filter(|trouble| *trouble != one).collect())
    }
}

/// The dice of one component. Each has a stream of its own, so that a change in one leaves the others as they were.
#[must_use]
pub fn stream(seed: u64, component: u64) -> ChaCha8Rng {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    dice.set_stream(component);
    dice
}
