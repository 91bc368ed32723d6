//! The writer in the hands of a test.
//!
//! Paused time goes on as soon as its runtime has nothing to do, and does not see other threads: a commit that takes a
//! millisecond there takes for ever here. So whoever holds the turns says when the writer makes its next transaction, and
//! stands still until everybody has been told: then it is as if both were one thread.

use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;

use super::queue::Queue;

/// The turns of one store's writer. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    queue: Arc<OnceLock<Arc<Queue>>>,
    queued: Arc<Notify>,
}

impl Turns {
    pub(super) fn are_of(&self, queue: &Arc<Queue>) {
        queue.hold(self.queued.clone());
        let _ = self.queue.set(queue.clone()); // one store, one opening
    }

    /// Waits until something was queued since the last call.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// Lets the writer make one transaction of what is queued, or of the oldest `most` jobs of it, and returns when it
    /// has told everybody. `false` when nothing was queued.
    #[must_use]
    pub fn take(&self, most: usize) -> bool {
        self.queue.get().is_some_and(|queue| queue.turn(most, true))
    }

    /// Lets the writer do the same up to its commit, and no further for ever: as when the process dies in between.
    pub fn break_off(&self, most: usize) {
        if let Some(queue) = self.queue.get() {
            queue.turn(most, false);
            queue.kill();
        }
    }

    /// What is queued is never written, as when the process dies.
    pub fn die(&self) {
        if let Some(queue) = self.queue.get() {
            queue.kill();
        }
    }
}

/// Works without letting anybody else on this thread have a turn, so that whoever answers from another thread cannot
/// come earlier or later than others. After so long it gives way all the same: it may wait for one of them.
pub(super) async fn at_once<T>(work: impl Future<Output = T>) -> T {
    const GIVES_WAY_AFTER: Duration = Duration::from_secs(10);
    let mut work = std::pin::pin!(tokio::task::unconstrained(work));
    std::future::poll_fn(|context| {
        let since = crate::clock::stopwatch();
        loop {
            match work.as_mut().poll(context) {
                Poll::Pending if since.elapsed() < GIVES_WAY_AFTER => std::thread::sleep(Duration::from_micros(20)),
                polled => return polled,
            }
        }
    })
    .await
}
