//! The journal as others read it: the live stream, pages by sequence number, replay, and the proof that nobody changed
//! it.

use std::sync::Arc;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect};
use signalbox_domain::event::Event;
use signalbox_domain::ids::{AccountId, OrderId, SignalId, StrategyId};
use signalbox_domain::units::Timestamp;
use tokio::sync::broadcast;

use super::archive::LINES_PER_FILE;
use super::batch::JournalLine;
use super::entity::journal;
use super::writer::Committed;
use super::{Store, StoreError, chain, parse, read};

/// Commits that a slow reader of the stream may be behind: a second or so of full load. One that is further behind
/// reads the table, which holds everything, instead of memory, which cannot.
pub(super) const STREAM_COMMITS: usize = 64;

/// Lines that are read at once. Enough to make the query's own cost small, little enough for any memory.
const CHUNK: u64 = LINES_PER_FILE;

/// Which facts a reader may see. What is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    pub accounts: Option<Vec<AccountId>>,
    /// Facts that belong to a strategy and to no single account. Looked at beside `accounts` only.
    pub strategies: Vec<StrategyId>,
    pub signal: Option<SignalId>,
    pub order: Option<OrderId>,
}

impl EventFilter {
    #[must_use]
    pub fn matches(&self, line: &JournalLine) -> bool {
        let visible = match (&self.accounts, &line.account, &line.strategy) {
            (None, ..) => true,
            (Some(accounts), Some(account), _) => accounts.contains(account),
            (Some(_), None, Some(strategy)) => self.strategies.contains(strategy),
            (Some(_), None, None) => false,
        };
        visible
            && self.signal.is_none_or(|id| line.signal == Some(id))
            && self.order.is_none_or(|id| line.order == Some(id))
    }

    fn is_none(&self) -> bool {
        let Self { accounts, strategies: _, signal, order } = self;
        accounts.is_none() && signal.is_none() && order.is_none()
    }

    fn condition(&self) -> Condition {
        use journal::Column as C;
        let mut condition = Condition::all();
        if let Some(accounts) = &self.accounts {
            let by_strategy = Condition::all()
                .add(C::Account.is_null())
                .add(C::Strategy.is_in(self.strategies.iter().map(|id| id.as_str())));
            condition = condition
                .add(Condition::any().add(C::Account.is_in(accounts.iter().map(|id| id.as_str()))).add(by_strategy));
        }
        if let Some(signal) = self.signal {
            condition = condition.add(C::SignalId.eq(signal.get() as i64));
        }
        if let Some(order) = self.order {
            condition = condition.add(C::OrderId.eq(order.get() as i64));
        }
        condition
    }
}

/// The journal was changed behind our back, or the disk lies.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("line {0} of the journal is missing")]
    Missing(u64),
    #[error("line {0} of the journal does not fit its hash and the line before it")]
    Broken(u64),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What [`Store::verify_chain`] looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub lines: u64,
    pub last_seq: u64,
    /// Kept somewhere else, it also proves later that the end was not cut off.
    pub last_hash: [u8; 32],
}

/// One fact of the journal, read back.
#[derive(Debug, Clone)]
pub struct Replayed {
    pub seq: u64,
    pub at: Timestamp,
    pub actor: Arc<str>,
    pub event: Event,
}

impl Store {
    /// Every commit from now on. A reader that lags goes on with [`Store::events_since`].
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Committed>> {
        self.inner.stream.subscribe()
    }

    /// The lines after `seq`, oldest first: at most `limit`, and fewer only when there are no more. Those that have gone to
    /// files are read there.
    ///
    /// # Errors
    /// When the database or a file cannot be read.
    pub async fn events_since(
        &self,
        seq: u64,
        filter: &EventFilter,
        limit: u64,
    ) -> Result<Vec<JournalLine>, StoreError> {
        let (limit, mut seq, mut found) = (limit.min(CHUNK) as usize, seq, Vec::new());
        while found.len() < limit {
            let left = limit - found.len();
            if let Some(file) = self.archive_after(seq).await? {
                let lines = self.archived_lines(&file).await?;
                found.extend(lines.into_iter().filter(|line| line.seq > seq && filter.matches(line)).take(left));
                seq = file.last_seq as u64;
                continue;
            }
            let rest = self.stored_since(seq, filter, left as u64).await?;
            // Or some of them have gone to a file between the two looks.
            if self.archive_after(seq).await?.is_none() {
                found.extend(rest);
                break;
            }
        }
        Ok(found)
    }

    /// The same of the table alone.
    async fn stored_since(&self, seq: u64, filter: &EventFilter, limit: u64) -> Result<Vec<JournalLine>, StoreError> {
        let found = journal::Entity::find()
            .filter(journal::Column::Seq.gt(i64::try_from(seq).unwrap_or(i64::MAX)))
            .filter(filter.condition())
            .order_by_asc(journal::Column::Seq)
            .limit(limit)
            .all(self.reads())
            .await?;
        found.into_iter().map(parse::journal_line).collect()
    }

    /// The journal's lines, newest first. Only without a filter they go on into the files.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn journal_page(
        &self,
        filter: &EventFilter,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<JournalLine>, StoreError> {
        let mut select = journal::Entity::find()
            .filter(filter.condition())
            .order_by_desc(journal::Column::Seq)
            .limit(limit.min(read::PAGE_MAX));
        if let Some(before) = before {
            select = select.filter(journal::Column::Seq.lt(i64::try_from(before).unwrap_or(i64::MAX)));
        }
        let found = select.all(self.reads()).await?;
        let mut found = found.into_iter().map(parse::journal_line).collect::<Result<Vec<_>, _>>()?;
        let limit = limit.min(read::PAGE_MAX) as usize;
        while filter.is_none() && found.len() < limit {
            let before = found.last().map(|line| line.seq).or(before);
            let Some(file) = self.archive_before(before).await? else { break };
            let lines = self.archived_lines(&file).await?.into_iter().rev();
            let lines = lines.filter(|line| before.is_none_or(|before| line.seq < before));
            found.extend(lines.take(limit - found.len()));
        }
        Ok(found)
    }

    /// Computes every hash again, beginning with line `from` (1 for all).
    ///
    /// # Errors
    /// [`ChainError`] names the first line that does not fit.
    pub async fn verify_chain(&self, from: u64) -> Result<Verified, ChainError> {
        let from = from.max(1);
        let mut hash = match from - 1 {
            0 => chain::GENESIS,
            before => {
                let line = self.events_since(before - 1, &EventFilter::default(), 1).await?.into_iter().next();
                line.filter(|line| line.seq == before).ok_or(ChainError::Missing(before))?.hash
            }
        };
        let mut verified = Verified { lines: 0, last_seq: from - 1, last_hash: hash };
        loop {
            let lines = self.events_since(verified.last_seq, &EventFilter::default(), CHUNK).await?;
            if lines.is_empty() {
                return Ok(verified);
            }
            for line in lines {
                if line.seq != verified.last_seq + 1 {
                    return Err(ChainError::Missing(verified.last_seq + 1));
                }
                hash = chain::hash(&hash, &line);
                if hash != line.hash {
                    return Err(ChainError::Broken(line.seq));
                }
                verified = Verified { lines: verified.lines + 1, last_seq: line.seq, last_hash: hash };
            }
        }
    }

    /// How many lines of the table were written before the instant by the market's clock.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lines_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        let older = journal::Entity::find()
            .filter(journal::Column::AtUs.lt(at.us()))
            .filter(journal::Column::Kind.is_not_in(["administered", "request_refused", "requests_refused"]));
        Ok(older.count(self.reads()).await?)
    }

    /// The same for the newest lines: what a start can afford (F42).
    ///
    /// # Errors
    /// As [`Store::verify_chain`].
    pub async fn verify_newest(&self, lines: u64) -> Result<Verified, ChainError> {
        let newest = self.journal_page(&EventFilter::default(), None, 1).await?;
        self.verify_chain(newest.first().map_or(0, |line| line.seq).saturating_sub(lines) + 1).await
    }

    /// When a person's trade for the signal's leg in the account was told; `None` also where the line has gone to a file.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn completed_at(&self, signal: SignalId, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        let line = journal::Entity::find()
            .filter(journal::Column::Kind.eq("leg_completed"))
            .filter(journal::Column::SignalId.eq(signal.get() as i64))
            .filter(journal::Column::Account.eq(account.as_str()))
            .one(self.reads())
            .await?;
        Ok(line.map(|line| Timestamp::from_us(line.at_us)))
    }

    /// The facts of the journal from line `from` on, in order and in chunks.
    #[must_use]
    pub fn replay(&self, from: u64) -> Replay {
        Replay { store: self.clone(), last_seq: from.saturating_sub(1) }
    }
}

/// See [`Store::replay`].
#[derive(Debug)]
pub struct Replay {
    store: Store,
    last_seq: u64,
}

impl Replay {
    /// Empty at the end of the journal.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what we did not write.
    pub async fn next_chunk(&mut self) -> Result<Vec<Replayed>, StoreError> {
        let lines = self.store.events_since(self.last_seq, &EventFilter::default(), CHUNK).await?;
        self.last_seq = lines.last().map_or(self.last_seq, |line| line.seq);
        lines
            .into_iter()
            .map(|line| {
                let event = parse::json("event", &line.payload)?;
                Ok(Replayed { seq: line.seq, at: line.at, actor: line.actor, event })
            })
            .collect()
    }
}
