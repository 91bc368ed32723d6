//! The store: inbox, journal, projections and people, on SQLite or PostgreSQL.
//!
//! All writing goes through one thread ([`writer`]) that takes what is queued, makes it durable in one transaction and
//! then tells everybody. Reading goes past it, through a small pool of connections that cannot write.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, Statement, sqlx};
use signalbox_actors::journal::{Entry, Journal, Ticket};
use signalbox_domain::event::Event;
use signalbox_domain::ids::InstallationTag;
use signalbox_domain::units::Timestamp;
use tokio::sync::{broadcast, oneshot};

mod archive;
mod backend;
mod ballast;
mod batch;
mod book_columns;
mod chain;
mod columns;
mod corporate;
mod days;
mod door;
mod dropped;
pub mod entity;
mod events;
mod fold;
mod fx;
mod inbox;
mod limits;
mod open;
mod parse;
mod postgres;
mod postgres_rows;
mod private;
mod queue;
mod read;
mod restore;
mod sqlite;
mod tables;
mod turns;
mod unfinished;
pub mod upkeep;
mod writer;
mod written;

pub use archive::{ArchiveError, Archived, LINES_KEPT, LINES_PER_FILE};
pub use batch::JournalLine;
pub use door::{FreeBytes, INGEST_BATCH_MAX, IngestError, Ingested, NewSignal, body_hash};
pub(crate) use dropped::ACTION as DROPPED;
pub use dropped::{DropError, Dropped, KeptKey};
pub use events::{ChainError, EventFilter, Replay, Replayed, Verified};
pub use inbox::{Poke, StoreInbox};
pub use open::{Hooks, LogHooks};
pub use read::{
    ListFilter, PAGE_MAX, StoredFill, StoredOrder, StoredParent, StoredSignal, StoredStrategy, StoredTradingState,
};
pub use restore::{Restored, RestoredAccount, RestoredSignal};
pub use tables::Held;
pub use turns::Turns;
pub use unfinished::UnfinishedError;
pub use writer::{Committed, Listener};

pub(crate) use open::sync_folder;

use door::Disk;
use queue::{Queue, Refused};
use writer::Listeners;

/// Where the data is.
#[derive(Debug, Clone)]
pub struct StoreConf {
    /// `sqlite:` with a file name inside the data folder (`sqlite:signalbox.db`), or `postgres://..`.
    pub url: String,
    /// Locked for as long as the process lives, whatever the database.
    pub data_dir: PathBuf,
    /// Below this much free space in the data folder new signals are refused: what is left is for the results of the
    /// orders that are out already. Not looked at for PostgreSQL, whose disk we cannot see.
    pub disk_floor_bytes: u64,
    /// Kept in a file for a full disk; 0 keeps nothing.
    pub ballast_bytes: u64,
}

impl StoreConf {
    pub const SQLITE_DEFAULT: &str = "sqlite:signalbox.db";

    #[must_use]
    pub fn new(url: impl Into<String>, data_dir: impl Into<PathBuf>) -> Self {
        Self { url: url.into(), data_dir: data_dir.into(), disk_floor_bytes: 512 << 20, ballast_bytes: 0 }
    }
}

/// The store cannot be opened, or can no longer be trusted with a write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the data folder {} is in use by another process", .0.display())]
    FolderInUse(PathBuf),
    #[error("the database is in use by {holder}")]
    DatabaseInUse { holder: String },
    #[error("another process took the database over: its epoch is no longer {ours}")]
    Fenced { ours: u64 },
    #[error("SQLite {found} has a known fault that loses data; {floor} or newer is needed")]
    SqliteTooOld { found: String, floor: &'static str },
    #[error("the database setting {setting} is {found}, but has to be {wanted}")]
    Setting { setting: &'static str, found: String, wanted: &'static str },
    #[error("not a database address: {0}")]
    Url(String),
    #[error("{context}")]
    Io { context: String, source: std::io::Error },
    #[error("migrations failed")]
    Migration { source: DbErr },
    #[error("{context}")]
    Database { context: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the database cannot be reached now")]
    Away { source: DbErr },
    #[error(
        "the database file {} is damaged: {detail}. Nothing was changed; restore it from a backup, or start with an \
         empty folder",
        file.display()
    )]
    Damaged { file: PathBuf, detail: String },
    #[error("a restore in {} was cut off: give the copy to `signalbox restore` again", .0.display())]
    RestoreCutOff(PathBuf),
    #[error("the writer panicked: {0}")]
    Panicked(String),
    /// A stored value that no version of this program wrote.
    #[error("the stored {what} cannot be read: {detail}")]
    Corrupt { what: &'static str, detail: String },
}

impl StoreError {
    pub(crate) fn database(context: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Database { context, source: source.into() }
    }

    pub(crate) fn corrupt(what: &'static str, detail: impl fmt::Display) -> Self {
        Self::Corrupt { what, detail: detail.to_string() }
    }
}

impl From<DbErr> for StoreError {
    fn from(source: DbErr) -> Self {
        if is_away(&source) { Self::Away { source } } else { Self::database("reading the database failed", source) }
    }
}

/// Whether the server or the way to it is what failed.
fn is_away(error: &DbErr) -> bool {
    let error = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        _ => return false,
    };
    match &**error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        // PostgreSQL: connection exception; shutdown, crash of the server, not yet up.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}

/// Called once when a write failed, from the writer's thread. The default ends the process.
pub type OnFatal = Box<dyn FnOnce(&StoreError) + Send>;

/// An administrative change: statements built with sea-orm, run by the one writer together with the audit event, all
/// or nothing.
#[derive(Debug)]
pub struct Change {
    pub statements: Vec<(Statement, Expect)>,
    pub event: Event,
}

/// How many rows a statement of a [`Change`] must touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Any,
    /// Exactly one, otherwise the whole change is undone: compare-and-set by a `WHERE` clause.
    One,
    /// The same for so many.
    Rows(u64),
}

impl Expect {
    fn holds(self, touched: u64) -> bool {
        match self {
            Self::Any => true,
            Self::One => touched == 1,
            Self::Rows(rows) => touched == rows,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error("the row was changed by somebody else, or is gone")]
    Conflict,
    #[error("a row with this key exists")]
    Duplicate,
    #[error("the store cannot write now")]
    Unavailable,
}

/// The open store. Clones share it; the last one that goes writes what is queued and closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Arc<Queue>,
    reads: DatabaseConnection,
    epoch: u64,
    installation: InstallationTag,
    disk: Disk,
    /// Where the journal's old lines are.
    archive: PathBuf,
    listeners: Arc<Listeners>,
    /// Background reads are over at once.
    in_turns: bool,
    stream: broadcast::Sender<Arc<Committed>>,
    /// Joined when the store is closed or the last clone goes. The thread also holds the lock on the folder.
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("epoch", &self.inner.epoch).finish_non_exhaustive()
    }
}

impl Store {
    /// Runs the change in the writer's next transaction; durable when this returns `Ok`. The statements must be built
    /// for [`Store::reads`]' database.
    ///
    /// # Errors
    /// [`ChangeError`]: a conflict or a duplicate undid this change and no other.
    pub async fn change(&self, at: Timestamp, change: Change) -> Result<(), ChangeError> {
        let (answer, answered) = oneshot::channel();
        self.inner
            .queue
            .change(at, change, answer)
            .map_err(|(Refused::Full | Refused::Closed)| ChangeError::Unavailable)?;
        answered.await.unwrap_or(Err(ChangeError::Unavailable))
    }

    /// The connections that read, for queries with sea-orm. They cannot write.
    #[must_use]
    pub fn reads(&self) -> &DatabaseConnection {
        &self.inner.reads
    }

    /// Rises with every start. Whoever acts for us outside refuses commands of an older one.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.inner.epoch
    }

    #[must_use]
    pub fn installation(&self) -> InstallationTag {
        self.inner.installation
    }

    /// Is called after every commit from now on.
    pub fn on_commit(&self, listener: Listener) {
        self.inner.listeners.add(listener);
    }

    /// Work on the trading thread that reads what is stored; see [`Turns`].
    pub(crate) async fn undisturbed<T>(&self, work: impl Future<Output = T>) -> T {
        if self.inner.in_turns { turns::at_once(work).await } else { work.await }
    }

    /// Takes nothing more, writes what is queued, and closes the database. Blocks for as long as that takes.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Journal for Store {
    fn append(&self, entry: Entry) -> Ticket {
        self.inner.queue.append(entry)
    }

    fn newest(&self) -> Ticket {
        self.inner.queue.newest()
    }

    fn durable(&self) -> Ticket {
        self.inner.queue.durable()
    }
}

impl Inner {
    fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A listener may hold the last clone: the writer's thread cannot wait for itself.
        if let Some(writer) = writer.filter(|writer| writer.thread().id() != std::thread::current().id())
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
