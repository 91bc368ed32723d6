//! What waits for the writer, in the order in which it came.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use signalbox_actors::journal::{Entry, Ticket};
use signalbox_domain::units::Timestamp;
use tokio::sync::{Notify, oneshot};

use super::door::{Ingested, NewSignal};
use super::{Change, ChangeError};

/// New signals that may wait: about half a second of the writer's work. Whoever comes later is better told to come
/// again than kept waiting. The actors' entries are not counted: their number is bounded where work enters.
pub(super) const SIGNALS_MAX: usize = 8_192;

/// Administrative changes are made by people, and a few per second at most by programs.
pub(super) const CHANGES_MAX: usize = 256;

/// Jobs of one transaction. Ten thousand rows or so: a flush costs little beside them, and nobody waits long for it.
pub(super) const JOBS_PER_COMMIT: usize = 2_048;

#[derive(Debug)]
pub(super) enum Job {
    Entry { ticket: Ticket, entry: Entry },
    Ingest { signals: Vec<NewSignal>, together: Together, answer: oneshot::Sender<Vec<Ingested>> },
    Change { at: Timestamp, change: Change, answer: oneshot::Sender<Result<(), ChangeError>> },
}

/// Whether signals that came in together are accepted as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Together {
    /// Each by itself.
    No,
    /// All of them when all their keys are free, else none.
    AllOrNone,
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    durable: AtomicU64,
    /// Only in tests that say when the writer has its turns: rung when something was queued.
    queued: OnceLock<Arc<Notify>>,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    last_ticket: Ticket,
    signals: usize,
    changes: usize,
    /// Nothing more is taken; what is queued is still written.
    closed: bool,
    /// The writer has ended, nothing is written any more.
    dead: bool,
    /// The writer sleeps. A notification costs a system call, so nobody sends one to a writer that is awake.
    idle: bool,
    turn: Turn,
}

/// Whether the writer may begin a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    #[default]
    Always,
    Held,
    /// With so many jobs, and whether it may commit them.
    Given(usize, bool),
    /// It is at it.
    Taken(bool),
}

impl Queue {
    pub(super) fn append(&self, entry: Entry) -> Ticket {
        let mut state = self.lock();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        // After the writer's death the ticket never becomes durable, which is the truth.
        if !state.dead {
            state.jobs.push_back(Job::Entry { ticket, entry });
            self.wake(state);
        }
        ticket
    }

    pub(super) fn ingest(
        &self,
        signals: Vec<NewSignal>,
        together: Together,
        answer: oneshot::Sender<Vec<Ingested>>,
    ) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.signals + signals.len() > SIGNALS_MAX {
            return Err(Refused::Full);
        }
        state.signals += signals.len();
        state.jobs.push_back(Job::Ingest { signals, together, answer });
        self.wake(state);
        Ok(())
    }

    pub(super) fn change(
        &self,
        at: Timestamp,
        change: Change,
        answer: oneshot::Sender<Result<(), ChangeError>>,
    ) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.changes == CHANGES_MAX {
            return Err(Refused::Full);
        }
        state.changes += 1;
        state.jobs.push_back(Job::Change { at, change, answer });
        self.wake(state);
        Ok(())
    }

    /// Waits until there is something, and moves at most [`JOBS_PER_COMMIT`] jobs over. `false`: closed and empty.
    pub(super) fn take(&self, into: &mut Vec<Job>) -> bool {
        let mut state = self.lock();
        if let Turn::Taken(_) = state.turn {
            state.turn = Turn::Held;
            self.ready.notify_all();
        }
        while state.jobs.is_empty() || (state.turn == Turn::Held && !state.closed) {
            if state.closed {
                return false;
            }
            state.idle = true;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle = false;
        }
        let most = if let Turn::Given(most, _) = state.turn { most } else { JOBS_PER_COMMIT };
        let count = state.jobs.len().min(JOBS_PER_COMMIT).min(most);
        into.extend(state.jobs.drain(..count));
        for job in into.iter() {
            match job {
                Job::Entry { .. } => {}
                Job::Ingest { signals, .. } => state.signals -= signals.len(),
                Job::Change { .. } => state.changes -= 1,
            }
        }
        if let Turn::Given(_, commits) = state.turn {
            state.turn = Turn::Taken(commits);
        }
        true
    }

    /// From now on the writer waits for its turns, and `queued` is rung when something waits for it.
    pub(super) fn hold(&self, queued: Arc<Notify>) {
        let _ = self.queued.set(queued); // held once
        self.lock().turn = Turn::Held;
    }

    /// Lets the writer have one turn and waits for its end: see [`super::Turns`].
    pub(super) fn turn(&self, most: usize, commits: bool) -> bool {
        let mut state = self.lock();
        if state.jobs.is_empty() || state.closed {
            return false;
        }
        state.turn = Turn::Given(most.max(1), commits);
        self.ready.notify_all();
        while state.turn != Turn::Held && !state.dead {
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Whether the turn ends here, before its commit.
    pub(super) fn breaks_off(&self) -> bool {
        self.queued.get().is_some() && self.lock().turn == Turn::Taken(false)
    }

    pub(super) fn newest(&self) -> Ticket {
        self.lock().last_ticket
    }

    pub(super) fn durable(&self) -> Ticket {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn set_durable(&self, ticket: Ticket) {
        self.durable.store(ticket, Ordering::Release);
    }

    /// Takes no more; the writer ends when it has written what is queued.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        // Without a ring: a closed queue gives no turns, and who holds them would hear of it on some runs only.
        self.ready.notify_all();
    }

    /// The writer ends without writing the rest. Dropping the jobs tells those who wait.
    pub(super) fn kill(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.dead = true;
        state.jobs.clear();
        self.ready.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let idle = state.idle;
        drop(state);
        if idle {
            self.ready.notify_one();
        }
        if let Some(queued) = self.queued.get() {
            queued.notify_one();
        }
    }
}
