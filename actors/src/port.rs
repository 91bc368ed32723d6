//! Sending between actors: the one place that puts messages into mailboxes.
//!
//! actix does not bound a mailbox that is filled with `do_send`, so the bound is made here: work that enters takes a
//! [`Permit`], which travels in the message and is given back when the work is done, not when it is taken.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

/// Puts a message into the mailbox. For facts and answers, whose number is bounded by the work that caused them.
#[expect(clippy::disallowed_methods, reason = "this is the port")]
pub fn tell<A, M>(addr: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    // A closed mailbox belongs to a life that ended; its successor finds the fact in the journal.
    addr.do_send(message);
}

/// A bounded number of permits. Cheap to clone; all clones share them.
#[derive(Clone)]
pub struct Permits {
    free: Arc<AtomicUsize>,
}

impl Permits {
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { free: Arc::new(AtomicUsize::new(max)) }
    }

    #[must_use]
    pub fn free(&self) -> usize {
        self.free.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn take(&self) -> Option<Permit> {
        let taken = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1));
        taken.ok().map(|_| Permit { free: self.free.clone() })
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permits({} free)", self.free())
    }
}

/// The right to have one piece of work in progress; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    free: Arc<AtomicUsize>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.free.fetch_add(1, Ordering::Relaxed);
    }
}
