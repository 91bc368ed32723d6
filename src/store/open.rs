//! Opening: the lock on the folder, migrations, the lease, and the writer's thread.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::DatabaseConnection;
use signalbox_actors::crash::crash_point;
use signalbox_domain::ids::InstallationTag;
use signalbox_migrations::{Migrator, MigratorTrait};
use tokio::sync::{broadcast, oneshot};

use super::backend::{Backend, Opened};
use super::ballast::Ballast;
use super::door::{Disk, FreeBytes};
use super::events::STREAM_COMMITS;
use super::queue::Queue;
use super::writer::{Listeners, Writer};
use crate::clock::WallClock as _;

use super::{Inner, OnFatal, Store, StoreConf, StoreError, Turns, archive, fold, postgres, private, sqlite, upkeep};

/// What a test replaces.
pub struct Hooks {
    pub on_fatal: OnFatal,
    pub free_bytes: FreeBytes,
    /// Added to each flush: a slow disk, for measurements.
    pub flush_delay: std::time::Duration,
    pub log: LogHooks,
    /// The writer waits for these, and what is read in the background is there at once: on paused time nothing may
    /// happen that the runtime does not see.
    pub turns: Option<Turns>,
    /// A restore that was begun is finished with this.
    pub restoring: bool,
}

/// The same for SQLite's write-ahead log.
#[derive(Debug, Clone, Copy)]
pub struct LogHooks {
    /// Pages in the log at which folding begins.
    pub fold_pages: i32,
    /// Less than `FULL` loses what was answered, and a test of the disk has to see that.
    pub synchronous: &'static str,
}

impl Default for LogHooks {
    fn default() -> Self {
        Self { fold_pages: fold::BEGIN_PAGES, synchronous: "FULL" }
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            on_fatal: Box::new(end_process),
            free_bytes: Box::new(|folder| fs4::available_space(folder)),
            flush_delay: std::time::Duration::ZERO,
            log: LogHooks::default(),
            turns: None,
            restoring: false,
        }
    }
}

/// Distinct from a panic's and from a refused configuration's, so that the service manager's log tells them apart
/// (`EX_SOFTWARE` of sysexits).
const EXIT_CODE: i32 = 70;

fn end_process(error: &StoreError) {
    tracing::error!(error = error as &dyn std::error::Error, "the journal cannot be written, the process ends");
    std::process::exit(EXIT_CODE);
}

/// Who takes the lease.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// The tag of a new database; an old one keeps its own.
    pub(super) installation: String,
    /// The folder's own number and its path.
    pub(super) holder: String,
    pub(super) at_us: i64,
}

impl Store {
    /// Locks the data folder, brings the schema up to date and starts the writer.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed when the folder or the database is in use.
    pub async fn open(conf: StoreConf) -> Result<Self, StoreError> {
        Self::open_with(conf, Hooks::default()).await
    }

    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(conf: StoreConf, hooks: Hooks) -> Result<Self, StoreError> {
        let (folder, claim) = lock_folder(&conf.data_dir)?;
        crash_point("open.locked");
        if !hooks.restoring && upkeep::is_cut_off(&conf.data_dir) {
            return Err(StoreError::RestoreCutOff(conf.data_dir));
        }
        let queue = Arc::new(Queue::default());
        if let Some(turns) = &hooks.turns {
            turns.are_of(&queue);
        }
        let in_turns = hooks.turns.is_some();
        let listeners = Arc::new(Listeners::default());
        let stream = broadcast::Sender::new(STREAM_COMMITS);
        listeners.add(Box::new({
            let stream = stream.clone();
            // An error means that nobody listens.
            move |committed| drop(stream.send(committed.clone()))
        }));
        let ballast = Ballast::of(&conf);
        // Where the space cannot be measured, nothing is kept back.
        let free_bytes = (hooks.free_bytes)(&conf.data_dir).unwrap_or(0);
        let disk = Disk::new(&conf, hooks.free_bytes);

        // The connection lives on the thread that uses it, from the first byte on.
        let (started, start) = oneshot::channel();
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn({
            let (conf, queue, listeners) = (conf.clone(), queue.clone(), listeners.clone());
            move || match connect_with_room(&conf, &claim, hooks.log, &ballast) {
                Ok(Connected { backend, opened, unchecked }) => {
                    crash_point("open.leased");
                    ballast.take(free_bytes, conf.disk_floor_bytes);
                    let on_fatal = once(hooks.on_fatal);
                    if let Some(file) = unchecked {
                        check_the_rest(file, queue.clone(), on_fatal.clone());
                    }
                    let writer = Writer::new(backend, &opened, queue, listeners, hooks.flush_delay);
                    if started.send(Ok(opened)).is_ok() {
                        writer.run(Box::new(move |error| {
                            ballast.give_back_if_full(error);
                            on_fatal(error);
                        }));
                    }
                    // The next process may come in once nothing is written any more.
                    drop(folder);
                }
                Err(error) => {
                    drop(folder);
                    drop(started.send(Err(error)));
                }
            }
        });
        let thread = thread.map_err(io("the writer's thread cannot start"))?;
        let opened =
            start.await.map_err(|_| StoreError::corrupt("database", "the writer panicked while opening it"))??;

        let reads = connect_readers(&conf, in_turns).await.inspect_err(|_| queue.close())?;
        let installation = InstallationTag::parse(&opened.installation)
            .ok_or_else(|| StoreError::corrupt("installation tag", &opened.installation))?;
        Ok(Self {
            inner: Arc::new(Inner {
                queue,
                reads,
                epoch: opened.epoch,
                installation,
                disk,
                archive: archive::folder(&conf.data_dir),
                listeners,
                in_turns,
                stream,
                writer: Mutex::new(Some(thread)),
            }),
        })
    }
}

struct Connected {
    backend: Box<dyn Backend>,
    opened: Opened,
    /// A file too large to be looked at as a whole before the start.
    unchecked: Option<PathBuf>,
}

type Fatal = Arc<dyn Fn(&StoreError) + Send + Sync>;

/// Whoever comes first ends the process.
fn once(on_fatal: OnFatal) -> Fatal {
    let slot = Mutex::new(Some(on_fatal));
    Arc::new(move |error| {
        let first = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(on_fatal) = first {
            on_fatal(error);
        }
    })
}

/// Goes on looking at the file's pages while we trade. Damage ends the process, as it would have kept it from starting.
fn check_the_rest(file: PathBuf, queue: Arc<Queue>, on_fatal: Fatal) {
    tracing::info!("the database is large: its pages are looked at while it is in use");
    let look = move || match sqlite::check_all_pages(&file) {
        Ok(()) => tracing::info!("all pages of the database are whole"),
        Err(error) => {
            queue.kill();
            on_fatal(&error);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("store-check".into()).spawn(look) {
        tracing::warn!(%error, "the pages of the database are not looked at");
    }
}

/// A start on a full disk has another try with the room that was kept.
fn connect_with_room(
    conf: &StoreConf,
    claim: &Claim,
    log: LogHooks,
    ballast: &Ballast,
) -> Result<Connected, StoreError> {
    match connect(conf, claim, log) {
        Err(error) if ballast.give_back_if_full(&error) => connect(conf, claim, log),
        other => other,
    }
}

fn connect(conf: &StoreConf, claim: &Claim, log: LogHooks) -> Result<Connected, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io("the writer's runtime cannot start"))?;
    if is_postgres(&conf.url) {
        let (backend, opened) = postgres::Postgres::open(&conf.url, runtime, claim)?;
        return Ok(Connected { backend: Box::new(backend), opened, unchecked: None });
    }
    let file = sqlite::file(&conf.url, &conf.data_dir)?;
    let whole = sqlite::check_pages(&file)?;
    crash_point("open.checked");
    private::make_file(&file).map_err(io("the database file cannot be made"))?;
    for suffix in ["", "-wal", "-shm"] {
        let mut part = file.clone().into_os_string();
        part.push(suffix);
        private::shut_out(Path::new(&part)).map_err(io("the database file cannot be closed to others"))?;
    }
    runtime.block_on(async {
        let connection = sqlite::connect_for_migrations(&file).await?;
        migrate(&connection).await?;
        connection.close().await.map_err(StoreError::from)
    })?;
    let (backend, opened) = sqlite::Sqlite::open(&file, claim, log)?;
    // The log is a new file, and SQLite does not care whether its name could be flushed.
    sync_folder(&conf.data_dir).map_err(io("the data folder cannot be flushed"))?;
    Ok(Connected { backend: Box::new(backend), opened, unchecked: (!whole).then_some(file) })
}

pub(super) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

pub(super) async fn migrate(connection: &DatabaseConnection) -> Result<(), StoreError> {
    Migrator::up(connection, None).await.map_err(|source| StoreError::Migration { source })?;
    crash_point("open.migrated");
    Ok(())
}

async fn connect_readers(conf: &StoreConf, in_turns: bool) -> Result<DatabaseConnection, StoreError> {
    if is_postgres(&conf.url) {
        return postgres::connect_readers(&conf.url).await;
    }
    sqlite::connect_readers(&sqlite::file(&conf.url, &conf.data_dir)?, in_turns).await
}

/// Makes the folder if need be and locks it until the returned file is dropped.
pub(super) fn lock_folder(folder: &Path) -> Result<(File, Claim), StoreError> {
    let context = || format!("the data folder {} cannot be used", folder.display());
    let wrap = |source| StoreError::Io { context: context(), source };
    if !folder.is_dir() {
        private::make_folder(folder).map_err(wrap)?;
        // Or a power cut takes the new folder away, with everything that was flushed in it.
        folder.canonicalize().and_then(|folder| folder.parent().map_or(Ok(()), sync_folder)).map_err(wrap)?;
    }
    let mut lock = private::for_one()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join("lock"))
        .map_err(wrap)?;
    match fs4::FileExt::try_lock(&lock) {
        Ok(()) => {}
        Err(fs4::TryLockError::WouldBlock) => return Err(StoreError::FolderInUse(folder.to_owned())),
        Err(fs4::TryLockError::Error(source)) => return Err(wrap(source)),
    }
    // The files of the archive are made later, and are reached through their folder alone.
    let archive = archive::folder(folder);
    if !archive.is_dir() {
        private::make_folder(&archive).and_then(|()| sync_folder(folder)).map_err(wrap)?;
    }
    private::shut_out(&archive).map_err(wrap)?;
    // The folder's own number, in the lock file: tells this folder from one of the same name on another machine.
    let mut number = String::new();
    lock.read_to_string(&mut number).map_err(wrap)?;
    if number.len() != 16 {
        number = format!("{:016x}", u64::from_le_bytes(random()?));
        lock.rewind().and_then(|()| lock.set_len(0)).map_err(wrap)?;
        lock.write_all(number.as_bytes()).and_then(|()| lock.sync_all()).map_err(wrap)?;
    }
    let path = folder.canonicalize().map_err(wrap)?;
    let claim = Claim {
        installation: new_tag()?,
        holder: format!("{number} {}", path.display()),
        at_us: crate::clock::SystemClock.now().us(),
    };
    Ok((lock, claim))
}

/// Makes the names in a folder durable: a file's own flush does not.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn new_tag() -> Result<String, StoreError> {
    const LETTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    Ok(random::<2>()?.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect())
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::database("the system gives no random numbers", error.to_string()))?;
    Ok(bytes)
}

pub(super) fn io(context: &'static str) -> impl Fn(std::io::Error) -> StoreError {
    move |source| StoreError::Io { context: context.to_owned(), source }
}
