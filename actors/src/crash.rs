//! Named places where a drill lets the process die: before and after everything that becomes durable or leaves it.
//!
//! A random kill rarely falls into the microseconds between a commit and what follows it; a named one always does. Without
//! the feature `crash-points` nothing of this is left but the names.

/// Every place, in the order in which a signal meets them.
pub const POINTS: &[&str] = &[
    // A start.
    "open.locked",
    "open.checked",
    "open.migrated",
    "open.leased",
    "restore.read",
    "boot.before",
    "boot.started",
    "door.before_listen",
    // A signal at the door.
    "door.before_ingest",
    "door.before_answer",
    // The writer's commits, by what is in them.
    "inbox.before_commit",
    "inbox.committed",
    "journal.before_write",
    "journal.before_commit",
    "journal.committed",
    "sending.before_commit",
    "sending.committed",
    "result.before_commit",
    "result.committed",
    "change.before_commit",
    "change.committed",
    "commit.before_told",
    "commit.told",
    "fold.before",
    "fold.after",
    // From the inbox to the account.
    "strategy.taken",
    "strategy.planned",
    "risk.approved",
    "account.before_append",
    "account.appended",
    "doubt.before_append",
    "park.before_append",
    // The broker.
    "submit.durable",
    "cancel.durable",
    "find.durable",
    "read.durable",
    "broker.before_connect",
    "broker.connected",
    "broker.before_submit",
    "broker.after_submit",
    "broker.before_cancel",
    "broker.after_cancel",
    "broker.before_find",
    "broker.after_find",
    "broker.before_read",
    "broker.after_read",
    "broker.said",
    "answer.told",
    // A person.
    "cancel.asked",
    "cancel.before_answer",
    "resolve.asked",
    "resolve.before_answer",
    // Old lines of the journal go to a file.
    "archive.before_file",
    "archive.written",
    "archive.named",
    "archive.removed",
    // Rows of signals that ended long ago are dropped.
    "archive.before_drop",
    "archive.dropped",
    // An orderly end.
    "drain.told",
    "drain.door_closed",
    "drain.drained",
    "drain.closed",
];

/// Takes orders from the environment: `FAILPOINTS=inbox.committed=3*off->return` lets the fourth pass be the last.
#[cfg(feature = "crash-points")]
pub fn arm() {
    // For as long as the process lives.
    std::mem::forget(fail::FailScenario::setup());
}

/// Ends the process here when a drill wants it, as SIGKILL does: nothing is flushed and nobody is told.
#[inline]
pub fn crash_point(name: &'static str) {
    #[cfg(feature = "crash-points")]
    fail::fail_point!(name, |_| {
        eprintln!("crash point {name}");
        std::process::abort()
    });
    #[cfg(not(feature = "crash-points"))]
    let _ = name;
}
