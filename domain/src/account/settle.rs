//! A person settles what reads have shown: differences of books and broker, and rows that fit an order proved absent.
//!
//! The broker is the truth for quantity. A correction is an [`Adjustment`] that names its book, its cause and who
//! decided; nothing is overwritten, and nothing is corrected by itself.

use std::sync::Arc;

use super::{Account, AccountEffects};
use crate::event::Event;
use crate::ids::StrategyId;
use crate::ledger::{Adjustment, Ledger};
use crate::reconcile::breaks::{Break, BreakClass};
use crate::reconcile::exception::{Exception, ExceptionKind};
use crate::row::Row;
use crate::symbol::Symbol;
use crate::units::{Money, Price, Qty, Span, Timestamp};

/// So much must be read again, so much later, before a difference of the whole account is believed.
const BULK_STANDS_FOR: Span = Span::from_secs(300);

/// What a person decides about a break or a ghost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The broker is right: the difference is booked.
    Adjust {
        /// Whose shares they are, or were. Cash is nobody's: there it says nothing.
        book: StrategyId,
        /// How many of the shares; all where it is absent. The rest stays open, for another book.
        qty: Option<Qty>,
        /// What each added share cost. Without it they cost nothing, as bonus shares do.
        cost: Option<Price>,
    },
    /// So many differences are really there: each is to be shown and settled by itself.
    Itemize,
    /// The row of a ghost is a person's own order.
    External,
}

/// One decision about one exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// Of the exception.
    pub key: Arc<str>,
    pub settlement: Settlement,
    pub by: Arc<str>,
    pub note: Arc<str>,
}

/// Why it cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsettleable {
    #[error("it is not open")]
    NotOpen,
    #[error("this decision is not for such an exception")]
    Unfit,
    #[error("the broker's lists show something else by now: look again")]
    Changed,
    #[error("orders of it are under way or in doubt: it may close by itself")]
    Moving,
    #[error("{book} holds {held} of it, which is less than {wanted}")]
    NotHeld { book: StrategyId, held: Qty, wanted: Qty },
    #[error("a correction here is of 1 to {0} shares")]
    Quantity(Qty),
    #[error("so much at once is believed when lists still show it five minutes later")]
    TooEarly,
}

impl Account {
    /// Settles the open exception with the key, as a person decides.
    ///
    /// # Errors
    /// See [`Unsettleable`]. Nothing has changed then.
    pub(super) fn settle(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        decision: &Settle,
        fx: &mut AccountEffects,
    ) -> Result<(), Unsettleable> {
        let Settle { key, settlement, by, note } = decision;
        let exception = self.lists.exceptions.get(&**key).cloned().ok_or(Unsettleable::NotOpen)?;
        match (settlement, exception.kind, &exception.evidence.differs) {
            (Settlement::Adjust { book, qty, cost }, ExceptionKind::Break, Some(differs)) => {
                self.still_shown(key, differs)?;
                let adjustment = match differs {
                    Break::Position { symbol, books, broker, .. } => {
                        self.shares(ledger, *symbol, *broker - *books, *qty, book, cost.unwrap_or_default())?
                    }
                    Break::Cash { books, broker, .. } => Adjustment::Cash { amount: *broker - *books },
                    Break::Bulk { .. } => return Err(Unsettleable::Unfit),
                };
                let whole = adjustment.gap() == differs.gap();
                self.adjust(at, ledger, adjustment, &exception, decision, fx);
                if whole {
                    self.decide(at, key, "adjust", by, note, fx);
                }
                self.lists.differed.remove(&**key);
            }
            (Settlement::Itemize, ExceptionKind::Break, Some(differs @ Break::Bulk { .. })) => {
                self.still_shown(key, differs)?;
                if at.since(exception.opened_at) < BULK_STANDS_FOR {
                    return Err(Unsettleable::TooEarly);
                }
                self.lists.itemized = true;
                self.decide(at, key, "itemize", by, note, fx);
            }
            (Settlement::External, ExceptionKind::Ghost, _) => {
                let row = exception.evidence.row.as_ref().ok_or(Unsettleable::Unfit)?;
                // Its fills have come meanwhile, and are booked as its own.
                let own = exception.order.and_then(|id| self.ended.get(id)).is_some_and(|o| o.sent_cum().is_positive());
                if own {
                    return Err(Unsettleable::Changed);
                }
                self.record_external(at, (row, Qty::ZERO), "a person's own, as he says", by, fx);
                self.decide(at, key, "external", by, note, fx);
            }
            _ => return Err(Unsettleable::Unfit),
        }
        self.lists.wanted = true;
        self.lists.compare_now = true;
        self.refreeze();
        Ok(())
    }

    /// What the person saw is what the newest read shows.
    fn still_shown(&self, key: &str, seen: &Break) -> Result<(), Unsettleable> {
        match self.lists.differed.get(key) {
            Some(shown) if shown.class() == BreakClass::Explained => Err(Unsettleable::Moving),
            Some(shown) if shown.gap() == seen.gap() => Ok(()),
            _ => Err(Unsettleable::Changed),
        }
    }

    /// The correction of a position: `gap` is what the broker has more than the books.
    fn shares(
        &self,
        ledger: &Ledger,
        symbol: Symbol,
        gap: Qty,
        qty: Option<Qty>,
        book: &StrategyId,
        cost: Price,
    ) -> Result<Adjustment, Unsettleable> {
        let most = gap.abs();
        let qty = qty.unwrap_or(most);
        if !qty.is_positive() || qty > most {
            return Err(Unsettleable::Quantity(most));
        }
        let (book, holding) = (book.clone(), ledger.holding(symbol));
        if gap.is_positive() {
            // What the broker does not let go today is not offered for sale here either.
            let today = (self.listed_unsellable(symbol) - holding.bought_today).max(Qty::ZERO).min(qty);
            return Ok(Adjustment::Shares { symbol, book, qty, bought_today: today, cost: cost.times(qty) });
        }
        let held = ledger.book(symbol, &book).map_or(Qty::ZERO, |book| book.qty);
        if held < qty {
            return Err(Unsettleable::NotHeld { book, held, wanted: qty });
        }
        Ok(Adjustment::Shares { symbol, book, qty: -qty, bought_today: Qty::ZERO, cost: Money::ZERO })
    }

    pub(super) fn listed_unsellable(&self, symbol: Symbol) -> Qty {
        let listed = self.lists.last.iter().flat_map(|snapshot| &snapshot.positions);
        listed.filter(|position| position.symbol == symbol).map(|position| position.qty - position.sellable).sum()
    }

    fn adjust(
        &self,
        at: Timestamp,
        ledger: &mut Ledger,
        adjustment: Adjustment,
        exception: &Exception,
        decision: &Settle,
        fx: &mut AccountEffects,
    ) {
        if let Some(book) = ledger.adjust(at, &adjustment) {
            fx.rows.push(Row::Book { account: self.conf.id.clone(), book: book.into() });
        }
        fx.rows.push(self.account_row(at, ledger));
        fx.events.push(Event::Adjusted {
            account: self.conf.id.clone(),
            adjustment: Arc::new(adjustment),
            exception: exception.key.clone(),
            read_at: exception.evidence.read_at,
            by: decision.by.clone(),
            note: decision.note.clone(),
        });
    }
}
