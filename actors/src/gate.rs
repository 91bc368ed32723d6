//! Effects that wait until their facts are durable.
//!
//! Decisions run ahead of the journal in memory; a byte to a broker or an answer to a client does not. The journal says
//! once per group commit how far it is durable, and the gate opens for everything up to there, in order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use actix::Addr;
use tokio::sync::{Notify, oneshot};

use crate::account::{AccountActor, Durable};
use crate::journal::{Journal, Ticket};
use crate::port::tell;

/// Who waits for a ticket.
pub enum Waiter {
    Account(Addr<AccountActor>),
    Answer(oneshot::Sender<()>),
    Call(Box<dyn FnOnce()>),
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiter")
    }
}

/// See the module. Tickets rise, so the queue is ordered; each entry belongs to a step that is already in the
/// journal's queue, which bounds it.
#[derive(Debug, Default)]
pub struct Gate {
    waiting: RefCell<VecDeque<(Ticket, Waiter)>>,
}

impl Gate {
    pub fn wait(&self, ticket: Ticket, waiter: Waiter) {
        let mut waiting = self.waiting.borrow_mut();
        // Answers may be asked for late, for a ticket below the newest.
        let place = waiting.partition_point(|(t, _)| *t <= ticket);
        waiting.insert(place, (ticket, waiter));
    }

    /// Opens for everything that is durable.
    pub fn open(&self, durable: Ticket) {
        loop {
            let next = {
                let mut waiting = self.waiting.borrow_mut();
                if waiting.front().is_some_and(|(ticket, _)| *ticket <= durable) { waiting.pop_front() } else { None }
            };
            match next {
                None => return,
                Some((_, Waiter::Account(account))) => tell(&account, Durable),
                Some((_, Waiter::Answer(answer))) => {
                    let _ = answer.send(()); // whoever asked may have gone
                }
                Some((_, Waiter::Call(call))) => call(),
            }
        }
    }
}

/// Keeps the board's gate moving: one wake-up per group commit. Returns when the notifier is the only one left.
pub async fn keep_open(board: std::rc::Rc<crate::board::Board>, committed: Arc<Notify>) {
    loop {
        committed.notified().await;
        board.gate.open(board.journal.durable());
    }
}

/// Whether the journal has a long way to go: then nothing new is taken out of the inboxes, so that what is decided
/// ahead stays bounded. Each entry is some hundred bytes to a few kilobytes.
#[must_use]
pub fn congested(journal: &dyn Journal, newest: Ticket) -> bool {
    const ENTRIES_AHEAD_MAX: u64 = 8_192;
    newest.saturating_sub(journal.durable()) > ENTRIES_AHEAD_MAX
}
