//! The journal's old lines, in files beside the database: there nothing grows without end, and nothing of the journal is lost.
//!
//! A file has a fixed number of lines, one JSON object each, and is named by its first and last line and by the hash with
//! which it ends. It is flushed and has its name before its lines leave the table, in the one transaction that says where the
//! file is and how the chain stands at its end; that fact is a line of the chain itself. So the chain goes on from the files
//! into the table without a gap, and whoever tells the journal again begins with the files. What is cut off anywhere is
//! done again and comes to the same file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use serde::{Deserialize, Serialize};
use signalbox_actors::crash::crash_point;
use signalbox_domain::calendar::china_date_time;
use signalbox_domain::event::Event;
use signalbox_domain::units::Timestamp;

use super::batch::JournalLine;
use super::entity::{journal, journal_archives};
use super::events::{ChainError, EventFilter};
use super::open::{io, sync_folder};
use super::{Change, ChangeError, Expect, Store, StoreError, chain, parse, private};

/// Lines of a file, and of the transaction that removes them: some milliseconds of the writer's time.
pub const LINES_PER_FILE: u64 = 2_000;

/// What a start looks at, and what readers of the stream may be behind, stays in the table whatever its age.
pub const LINES_KEPT: u64 = 20_000;

/// What is looked for in the files of some days: two hundred thousand lines, a second of work.
const FILES_SEARCHED: u64 = 100;

/// The last line that is in the files and not in the table; 0 when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Floor {
    pub(super) seq: u64,
    pub(super) hash: [u8; 32],
}

impl Floor {
    pub(super) const GENESIS: Self = Self { seq: 0, hash: chain::GENESIS };

    pub(super) fn read(seq: i64, hash: &str) -> Result<Self, StoreError> {
        let hash = unhex(hash).ok_or_else(|| StoreError::corrupt("hash of an archive", seq))?;
        Ok(Self { seq: seq as u64, hash })
    }

    /// The end of the chain after one more line.
    pub(super) fn followed_by(self, line: &JournalLine) -> Result<Self, ChainError> {
        if line.seq != self.seq + 1 {
            return Err(ChainError::Missing(self.seq + 1));
        }
        let hash = chain::hash(&self.hash, line);
        if hash == line.hash { Ok(Self { seq: line.seq, hash }) } else { Err(ChainError::Broken(line.seq)) }
    }
}

/// What has gone to files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Archived {
    pub files: u64,
    pub lines: u64,
}

/// Why the journal was not archived further.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the journal's chain does not hold: nothing of it is removed")]
    Chain(#[from] ChainError),
    #[error("the lines cannot be removed")]
    Change(#[from] ChangeError),
}

impl Store {
    /// Moves whole files' worth of lines from before the instant out of the table, the oldest first, up to so many files.
    /// While others write it takes its turns between them.
    ///
    /// # Errors
    /// [`ArchiveError`]; what was moved before is moved.
    pub async fn archive(&self, now: Timestamp, before: Timestamp, files_max: u64) -> Result<Archived, ArchiveError> {
        let mut archived = Archived::default();
        let newest = self.journal_page(&EventFilter::default(), None, 1).await?;
        let last = newest.first().map_or(0, |line| line.seq).saturating_sub(LINES_KEPT);
        while archived.files < files_max {
            let floor = self.floor().await?;
            let end = floor.seq + LINES_PER_FILE;
            if end > last {
                break;
            }
            // Lines are nearly in the order of their times: a file waits for as long as the end of it is young.
            let Some(at) = self.written_at(end).await?.filter(|at| *at < before) else { break };
            self.archive_file(now, floor, end, at).await?;
            archived = Archived { files: archived.files + 1, lines: archived.lines + LINES_PER_FILE };
        }
        Ok(archived)
    }

    async fn floor(&self) -> Result<Floor, StoreError> {
        let newest = self.archive_before(None).await?;
        newest.map_or(Ok(Floor::GENESIS), |file| Floor::read(file.last_seq, &file.last_hash))
    }

    /// The file that has the first line after this one, if that is in a file.
    pub(super) async fn archive_after(&self, seq: u64) -> Result<Option<journal_archives::Model>, StoreError> {
        let files = journal_archives::Entity::find()
            .filter(journal_archives::Column::LastSeq.gt(i64::try_from(seq).unwrap_or(i64::MAX)))
            .order_by_asc(journal_archives::Column::LastSeq);
        Ok(files.one(self.reads()).await?)
    }

    /// The newest file that has lines before this one.
    pub(super) async fn archive_before(&self, seq: Option<u64>) -> Result<Option<journal_archives::Model>, StoreError> {
        let seq = seq.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
        let files = journal_archives::Entity::find()
            .filter(journal_archives::Column::FirstSeq.lt(seq))
            .order_by_desc(journal_archives::Column::LastSeq);
        Ok(files.one(self.reads()).await?)
    }

    /// Nothing that only a file can tell again may go while a file is away.
    pub(super) async fn all_files_there(&self) -> Result<(), StoreError> {
        let files = journal_archives::Entity::find().all(self.reads()).await?;
        let folder = self.inner.archive.clone();
        aside(move || {
            files.into_iter().try_for_each(|file| {
                let path = folder.join(&file.file);
                let context = || format!("{} of the archive cannot be looked at", path.display());
                let found = path.metadata().map_err(|source| StoreError::Io { context: context(), source })?;
                let whole = found.len() == file.bytes as u64;
                if whole { Ok(()) } else { Err(StoreError::corrupt("file of the archive", path.display())) }
            })
        })
        .await
    }

    pub(super) async fn archived_lines(&self, file: &journal_archives::Model) -> Result<Vec<JournalLine>, StoreError> {
        let path = self.inner.archive.join(&file.file);
        aside(move || read_file(&path)).await
    }

    /// The lines that the filter lets through of all files with lines from between the instants, oldest first.
    ///
    /// # Errors
    /// When the database or a file cannot be read.
    pub async fn archived_between(
        &self,
        filter: &EventFilter,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Vec<JournalLine>, StoreError> {
        let files = journal_archives::Entity::find()
            .filter(journal_archives::Column::LastAtUs.gte(from.us()))
            .filter(journal_archives::Column::FirstAtUs.lte(until.us()))
            .order_by_asc(journal_archives::Column::LastSeq)
            .limit(FILES_SEARCHED)
            .all(self.reads())
            .await?;
        let mut found = Vec::new();
        for file in files {
            found.extend(self.archived_lines(&file).await?.into_iter().filter(|line| filter.matches(line)));
        }
        Ok(found)
    }

    /// When the oldest line that is in no file was written; none while there are no files.
    pub(super) async fn oldest_after_files(&self) -> Result<Option<Timestamp>, StoreError> {
        match self.floor().await? {
            Floor { seq: 0, .. } => Ok(None),
            Floor { seq, .. } => self.written_at(seq + 1).await,
        }
    }

    /// When the line was written, or the next one that was by the market's clock: people are administered by another one.
    async fn written_at(&self, seq: u64) -> Result<Option<Timestamp>, StoreError> {
        let found = journal::Entity::find()
            .select_only()
            .column(journal::Column::AtUs)
            .filter(journal::Column::Seq.gte(seq as i64))
            .filter(journal::Column::Kind.is_not_in(["administered", "request_refused", "requests_refused"]))
            .order_by_asc(journal::Column::Seq)
            .limit(1)
            .into_tuple::<i64>()
            .one(self.reads())
            .await?;
        Ok(found.map(Timestamp::from_us))
    }

    async fn archive_file(&self, now: Timestamp, floor: Floor, end: u64, at: Timestamp) -> Result<(), ArchiveError> {
        crash_point("archive.before_file");
        let models = journal::Entity::find()
            .filter(journal::Column::Seq.gt(floor.seq as i64))
            .filter(journal::Column::Seq.lte(end as i64))
            .order_by_asc(journal::Column::Seq)
            .all(self.reads())
            .await
            .map_err(StoreError::from)?;
        let folder = self.inner.archive.clone();
        let written = aside(move || write_file(&folder, floor, end, at, models)).await?;
        let Written { file, bytes, last, times } = written;
        let (first, last, hash) = (floor.seq + 1, last.seq, hex(&last.hash));
        let row = format!(
            "INSERT INTO journal_archives (last_seq, first_seq, first_at_us, last_at_us, last_hash, file, bytes)
             VALUES ({last}, {first}, {}, {}, '{hash}', '{file}', {bytes})",
            times.0, times.1
        );
        let removal = format!("DELETE FROM journal WHERE seq <= {last}");
        let backend = self.reads().get_database_backend();
        let statements = vec![
            (Statement::from_string(backend, row), Expect::One),
            (Statement::from_string(backend, removal), Expect::Any),
        ];
        let event = Event::Administered {
            who: "retention".into(),
            action: "journal_archived".into(),
            subject: file.into(),
            detail: format!(r#"{{"first":{first},"last":{last},"hash":"{hash}"}}"#).into(),
        };
        self.change(now, Change { statements, event }).await?;
        crash_point("archive.removed");
        Ok(())
    }
}

/// Where the files are.
pub(super) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("archive")
}

/// Reading and writing files keeps nobody waiting.
async fn aside<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| StoreError::corrupt("archive", "reading or writing it panicked"))?
}

struct Written {
    /// Below the archive's folder.
    file: String,
    bytes: u64,
    last: Floor,
    /// The earliest and the latest, in microseconds.
    times: (i64, i64),
}

/// A file with its final name, flushed and read again.
fn write_file(
    folder: &Path,
    floor: Floor,
    end: u64,
    at: Timestamp,
    models: Vec<journal::Model>,
) -> Result<Written, ArchiveError> {
    let month = china_date_time(at).0.to_string()[..7].to_owned();
    make_folder(folder)?;
    make_folder(&folder.join(&month))?;
    let draft = folder.join("draft");
    let file = private::for_one().write(true).create(true).truncate(true).open(&draft);
    let file = BufWriter::new(file.map_err(io("the archive's file cannot be written"))?);
    let mut out = GzEncoder::new(file, Compression::default());
    let (mut last, mut times) = (floor, (i64::MAX, i64::MIN));
    for model in models {
        times = (times.0.min(model.at_us), times.1.max(model.at_us));
        last = last.followed_by(&parse::journal_line(model.clone())?)?;
        let text = serde_json::to_string(&Line::from(model));
        let text = text.map_err(|error| StoreError::corrupt("line of the journal", error))?;
        writeln!(out, "{text}").map_err(io("the archive's file cannot be written"))?;
    }
    if last.seq != end {
        return Err(ChainError::Missing(last.seq + 1).into());
    }
    let file = out.finish().and_then(|out| out.into_inner().map_err(std::io::IntoInnerError::into_error));
    let file = file.and_then(|file| file.sync_all().map(|()| file));
    let file = file.map_err(io("the archive's file cannot be written"))?;
    let bytes = file.metadata().map_err(io("the archive's file cannot be written"))?.len();
    // What cannot be read again is no archive.
    if read_file(&draft)?.iter().try_fold(floor, |last, line| last.followed_by(line))? != last {
        return Err(ChainError::Broken(end).into());
    }
    crash_point("archive.written");
    let name = format!("{month}/journal-{:012}-{end:012}-{}.jsonl.gz", floor.seq + 1, &hex(&last.hash)[..16]);
    std::fs::rename(&draft, folder.join(&name)).map_err(io("the archive's file cannot get its name"))?;
    for folder in [&folder.join(&month), folder] {
        sync_folder(folder).map_err(io("the archive's folder cannot be flushed"))?;
    }
    crash_point("archive.named");
    Ok(Written { file: name, bytes, last, times })
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if !folder.is_dir() {
        private::make_folder(folder).map_err(io("the archive's folder cannot be made"))?;
        folder.parent().map_or(Ok(()), sync_folder).map_err(io("the archive's folder cannot be flushed"))?;
    }
    Ok(())
}

fn read_file(file: &Path) -> Result<Vec<JournalLine>, StoreError> {
    let context = |source| StoreError::Io { context: format!("{} cannot be read", file.display()), source };
    let lines = BufReader::new(GzDecoder::new(File::open(file).map_err(context)?)).lines();
    lines
        .map(|line| {
            let line: Line = serde_json::from_str(&line.map_err(context)?)
                .map_err(|error| StoreError::corrupt("line of the archive", error))?;
            line.read()
        })
        .collect()
}

/// One line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    seq: i64,
    at_us: i64,
    actor: String,
    cause: String,
    kind: String,
    account: Option<String>,
    strategy: Option<String>,
    signal_id: Option<i64>,
    order_id: Option<i64>,
    payload: String,
    hash: String,
}

impl From<journal::Model> for Line {
    fn from(model: journal::Model) -> Self {
        let journal::Model { seq, at_us, actor, cause, kind, account, strategy, signal_id, order_id, payload, hash } =
            model;
        Self { seq, at_us, actor, cause, kind, account, strategy, signal_id, order_id, payload, hash: hex(&hash) }
    }
}

impl Line {
    fn read(self) -> Result<JournalLine, StoreError> {
        let Self { seq, at_us, actor, cause, kind, account, strategy, signal_id, order_id, payload, hash } = self;
        let hash = unhex(&hash).ok_or_else(|| StoreError::corrupt("hash", seq))?.to_vec();
        let model =
            journal::Model { seq, at_us, actor, cause, kind, account, strategy, signal_id, order_id, payload, hash };
        parse::journal_line(model)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}
