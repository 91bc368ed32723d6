//! Folding SQLite's write-ahead log back into the database file (its checkpoint), beside the writer.
//!
//! A checkpoint of many pages takes tens of milliseconds, and whoever does it inside a commit lets everybody wait who
//! shares that commit. So a thread with a connection of its own copies most of the log while the writer goes on; the
//! writer then copies the little that came meanwhile, and only after that can the log begin anew.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags, ffi};
use signalbox_actors::crash::crash_point;

/// Pages of 4 KiB in the log at which folding begins: 8 MiB, so that its two flushes are shared by many commits.
pub(super) const BEGIN_PAGES: i32 = 2_048;

/// Pages at which the writer waits for the thread: 48 MiB. The log stays below 64 MiB, whatever the disk does.
const WAIT_PAGES: i32 = 12_288;

/// The thread, and where it stands.
#[derive(Debug)]
pub(super) struct Folder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    begin_pages: i32,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Asked,
    /// Most of the log is folded; the rest is the writer's.
    Folded,
    Ended,
}

impl Folder {
    pub(super) fn start(file: &Path, begin_pages: i32) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        // Pages are copied through no cache of its own, so it needs none.
        connection.pragma_update(None, "cache_size", 0)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("store-folder".into()).spawn({
            let shared = shared.clone();
            move || {
                while shared.wait_for_work() {
                    // Whatever went wrong here, the writer meets it when it folds the rest, and it knows what to do.
                    if let Err(error) = fold(&connection) {
                        tracing::warn!(%error, "the write-ahead log could not be folded");
                    }
                    shared.turn(State::Asked, State::Folded);
                }
            }
        });
        match thread {
            Ok(thread) => Ok(Self { shared, thread: Some(thread), begin_pages }),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
        }
    }

    /// After each commit, with the pages that are in the log now: whether the writer has to fold the rest itself.
    pub(super) fn after_commit(&self, pages: i32) -> bool {
        if pages < self.begin_pages {
            return false;
        }
        let mut state = self.shared.lock();
        while *state == State::Asked && pages >= WAIT_PAGES {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match *state {
            State::Idle => {
                *state = State::Asked;
                self.shared.changed.notify_all();
                false
            }
            State::Folded => {
                *state = State::Idle;
                true
            }
            State::Asked => false,
            State::Ended => true,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        *self.shared.lock() = State::Ended;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_work(&self) -> bool {
        let mut state = self.lock();
        while matches!(*state, State::Idle | State::Folded) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *state != State::Ended
    }

    fn turn(&self, from: State, to: State) {
        let mut state = self.lock();
        if *state == from {
            *state = to;
        }
        self.changed.notify_all();
    }
}

/// Folds what can be folded without anybody waiting for it.
pub(super) fn fold(connection: &Connection) -> rusqlite::Result<()> {
    crash_point("fold.before");
    let folded = match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        // The other one is at it.
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.extended_code & 0xff == ffi::SQLITE_BUSY => Ok(()),
        other => other,
    };
    crash_point("fold.after");
    folded
}
