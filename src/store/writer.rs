//! The one writer: takes everything that is queued, makes it durable in one transaction, then tells everybody.
//!
//! Many entries share one flush (group commit), so the slower the disk, the larger the groups. An error ends the
//! process: what was decided ahead of the journal was never seen outside, and the next start begins from what is
//! durable.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sea_orm::Statement;
use signalbox_actors::crash::crash_point;
use signalbox_actors::journal::Ticket;
use signalbox_actors::supervise::panic_text;
use signalbox_domain::event::Event;
use signalbox_domain::ids::SignalId;
use signalbox_domain::signal::Signal;
use signalbox_domain::units::Timestamp;
use tokio::sync::oneshot;

use super::backend::{Backend, Opened, StoredSignal};
use super::batch::{Batch, JournalLine, SignalInsert};
use super::door::{Ingested, NewSignal};
use super::queue::{Job, Queue, Together};
use super::{ChangeError, OnFatal, StoreError, chain};

/// What one transaction made durable.
#[derive(Debug)]
pub struct Committed {
    /// All entries up to here are durable.
    pub ticket: Ticket,
    /// Newly accepted, in the order of their ids.
    pub signals: Vec<Arc<Signal>>,
    pub lines: Vec<JournalLine>,
}

/// Is called on the writer's thread after every commit, in order, and must not wait.
pub type Listener = Box<dyn Fn(&Arc<Committed>) + Send + Sync>;

#[derive(Default)]
pub(super) struct Listeners(RwLock<Vec<Listener>>);

impl Listeners {
    pub(super) fn add(&self, listener: Listener) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    fn call(&self, committed: &Arc<Committed>) {
        for listener in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(committed);
        }
    }
}

pub(super) struct Writer {
    backend: Box<dyn Backend>,
    queue: Arc<Queue>,
    listeners: Arc<Listeners>,
    last_seq: u64,
    last_hash: [u8; 32],
    last_signal: u64,
    next_fill: u64,
    ticket: Ticket,
    // Kept between commits for their room only.
    batch: Batch,
    json: Vec<u8>,
    /// Zero but in measurements.
    flush_delay: Duration,
}

/// Who is told what after the commit.
enum Answer {
    Ingest(oneshot::Sender<Vec<Ingested>>, Vec<Ingested>),
    Change(oneshot::Sender<Result<(), ChangeError>>, Result<(), ChangeError>),
}

impl Writer {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        opened: &Opened,
        queue: Arc<Queue>,
        listeners: Arc<Listeners>,
        flush_delay: Duration,
    ) -> Self {
        Self {
            backend,
            queue,
            listeners,
            last_seq: opened.last_seq,
            last_hash: opened.last_hash,
            last_signal: opened.last_signal,
            next_fill: opened.last_fill + 1,
            ticket: 0,
            batch: Batch::default(),
            json: Vec::new(),
            flush_delay,
        }
    }

    /// Runs until the queue is closed and empty, or a write fails. A panic is such a failure: a writer that is gone
    /// without a word would leave everybody waiting for ever.
    pub(super) fn run(mut self, on_fatal: OnFatal) {
        let mut jobs = Vec::new();
        while self.queue.take(&mut jobs) {
            let flushed = catch_unwind(AssertUnwindSafe(|| self.flush(&mut jobs)));
            if let Err(error) = flushed.unwrap_or_else(|panic| Err(StoreError::Panicked(panic_text(panic.as_ref())))) {
                self.queue.kill();
                on_fatal(&error);
                return;
            }
        }
    }

    fn flush(&mut self, jobs: &mut Vec<Job>) -> Result<(), StoreError> {
        self.backend.begin()?;
        let mut stored = self.look_up(jobs)?;
        let mut answers = Vec::new();
        for job in jobs.drain(..) {
            match job {
                Job::Entry { ticket, entry } => {
                    for event in &entry.events {
                        self.line(entry.at, entry.actor.clone(), entry.cause.clone(), event)?;
                    }
                    for row in entry.rows {
                        self.batch.put(row, &mut self.next_fill);
                    }
                    self.ticket = ticket;
                }
                Job::Ingest { signals, together, answer } => {
                    let ingested = if together == Together::AllOrNone && signals.iter().any(|new| taken(new, &stored)) {
                        signals.iter().map(|_| Ingested::Reused).collect()
                    } else {
                        signals.into_iter().map(|new| self.accept(new, &mut stored)).collect::<Result<_, _>>()?
                    };
                    answers.push(Answer::Ingest(answer, ingested));
                }
                Job::Change { at, change, answer } => {
                    let result = if change.statements.iter().all(|(statement, _)| bindable(statement)) {
                        self.backend.change(&change.statements)?
                    } else {
                        tracing::error!("a change binds a kind of value that the writer does not know");
                        Err(ChangeError::Unavailable)
                    };
                    if result.is_ok() {
                        self.line(at, "admin".into(), Cow::Borrowed("change"), &change.event)?;
                    }
                    answers.push(Answer::Change(answer, result));
                }
            }
        }
        crash_point("journal.before_write");
        self.backend.write(&self.batch)?;
        if !self.flush_delay.is_zero() {
            std::thread::sleep(self.flush_delay);
        }
        around_commit(&self.batch, |[before, _]| before);
        if self.queue.breaks_off() {
            self.queue.kill();
            return Ok(());
        }
        self.backend.commit()?;
        around_commit(&self.batch, |[_, after]| after);
        self.publish(answers);
        self.backend.tidy()
    }

    /// Durable, then told: first those who wait for a flush, then the callers, then everybody else.
    fn publish(&mut self, answers: Vec<Answer>) {
        let committed = Arc::new(Committed {
            ticket: self.ticket,
            signals: self.batch.signals.iter().map(|insert| insert.signal.clone()).collect(),
            lines: std::mem::take(&mut self.batch.lines),
        });
        self.batch.clear();
        crash_point("commit.before_told");
        self.queue.set_durable(self.ticket);
        for answer in answers {
            // Whoever hung up does not want to know; the fact stands.
            match answer {
                Answer::Ingest(to, ingested) => drop(to.send(ingested)),
                Answer::Change(to, result) => drop(to.send(result)),
            }
        }
        crash_point("commit.told");
        self.listeners.call(&committed);
    }

    /// Finds the keys of all signals of the transaction at once.
    fn look_up(&mut self, jobs: &[Job]) -> Result<Known, StoreError> {
        let mut keys = Vec::new();
        for job in jobs {
            if let Job::Ingest { signals, .. } = job {
                keys.extend(signals.iter().map(|new| (new.signal.client.as_str(), &*new.signal.client_signal_id)));
            }
        }
        let mut known = Known::default();
        if keys.is_empty() {
            return Ok(known);
        }
        let found = self.backend.find_signals(&keys)?;
        for ((client, id), stored) in keys.into_iter().zip(found) {
            if let Some(stored) = stored {
                known.insert(key(client, id), Seen::Stored(stored));
            }
        }
        Ok(known)
    }

    fn accept(&mut self, new: NewSignal, known: &mut Known) -> Result<Ingested, StoreError> {
        let NewSignal { mut signal, body_hash } = new;
        let key = key(signal.client.as_str(), &signal.client_signal_id);
        match known.get(&key) {
            Some(Seen::Stored(stored)) if stored.body_hash == body_hash => {
                let signal = match &stored.payload {
                    Some(text) => serde_json::from_str(text).map_err(|error| StoreError::corrupt("signal", error))?,
                    // The same request means the same signal.
                    None => Signal {
                        id: SignalId::new(stored.id as u64),
                        received_at: Timestamp::from_us(stored.received_at_us),
                        ..signal
                    },
                };
                return Ok(Ingested::Replayed(Arc::new(signal)));
            }
            Some(Seen::Now(first, first_hash)) if *first_hash == body_hash => {
                return Ok(Ingested::Replayed(first.clone()));
            }
            Some(_) => return Ok(Ingested::Reused),
            None => {}
        }
        self.last_signal += 1;
        signal.id = SignalId::new(self.last_signal);
        let signal = Arc::new(signal);
        known.insert(key, Seen::Now(signal.clone(), body_hash));
        // Written once and used twice: the event is the signal with its name before it.
        const NAME: &str = "{\"signal_accepted\":";
        self.json.clear();
        self.json.extend_from_slice(NAME.as_bytes());
        serde_json::to_writer(&mut self.json, &*signal).map_err(|error| StoreError::corrupt("signal", error))?;
        self.json.push(b'}');
        let text = std::str::from_utf8(&self.json).map_err(|error| StoreError::corrupt("signal", error))?;
        let payload = text[NAME.len()..text.len() - 1].to_owned();
        let text: Arc<str> = text.into();
        let actor = format!("client:{}", signal.client).into();
        let event = Event::SignalAccepted(signal.clone());
        self.text_line(signal.received_at, actor, Cow::Borrowed("ingest"), &event, text);
        self.batch.signals.push(SignalInsert { signal: signal.clone(), body_hash, payload });
        Ok(Ingested::Accepted(signal))
    }

    fn line(
        &mut self,
        at: Timestamp,
        actor: Arc<str>,
        cause: Cow<'static, str>,
        event: &Event,
    ) -> Result<(), StoreError> {
        self.json.clear();
        serde_json::to_writer(&mut self.json, event).map_err(|error| StoreError::corrupt("event", error))?;
        let payload = std::str::from_utf8(&self.json).map_err(|error| StoreError::corrupt("event", error))?;
        let payload = payload.into();
        self.text_line(at, actor, cause, event, payload);
        Ok(())
    }

    /// A line whose event is text already.
    fn text_line(
        &mut self,
        at: Timestamp,
        actor: Arc<str>,
        cause: Cow<'static, str>,
        event: &Event,
        payload: Arc<str>,
    ) {
        let mut line = JournalLine {
            seq: self.last_seq + 1,
            at,
            actor,
            cause,
            kind: Cow::Borrowed(event.kind()),
            account: event.account().cloned(),
            strategy: event.strategy().cloned(),
            signal: event.signal(),
            order: event.order(),
            payload,
            hash: chain::GENESIS,
        };
        line.hash = chain::hash(&self.last_hash, &line);
        self.last_seq = line.seq;
        self.last_hash = line.hash;
        self.batch.lines.push(line);
    }
}

/// The crash points of a commit, by what is in it.
fn around_commit(batch: &Batch, which: impl Fn([&'static str; 2]) -> &'static str) {
    if !cfg!(feature = "crash-points") {
        return;
    }
    let any = |what: fn(&JournalLine) -> bool| batch.lines.iter().any(what);
    let points = [
        (!batch.signals.is_empty(), ["inbox.before_commit", "inbox.committed"]),
        (any(|line| line.kind == "order_sending"), ["sending.before_commit", "sending.committed"]),
        (any(|line| line.cause.starts_with("broker_")), ["result.before_commit", "result.committed"]),
        (any(|line| line.cause == "change"), ["change.before_commit", "change.committed"]),
        (true, ["journal.before_commit", "journal.committed"]),
    ];
    for (_, names) in points.into_iter().filter(|(passed, _)| *passed) {
        crash_point(which(names));
    }
}

/// Whether both databases' writers can bind all values. A kind that they do not know would become a silent NULL.
fn bindable(statement: &Statement) -> bool {
    use sea_orm::sea_query::Value as V;
    let known = |value: &V| {
        matches!(
            value,
            V::Bool(_)
                | V::TinyInt(_)
                | V::SmallInt(_)
                | V::Int(_)
                | V::BigInt(_)
                | V::TinyUnsigned(_)
                | V::SmallUnsigned(_)
                | V::Unsigned(_)
                | V::BigUnsigned(_)
                | V::Float(_)
                | V::Double(_)
                | V::String(_)
                | V::Char(_)
                | V::Bytes(_)
        )
    };
    statement.values.iter().all(|values| values.0.iter().all(known))
}

/// The keys of this transaction's signals that are taken.
type Known = HashMap<Box<str>, Seen>;

enum Seen {
    Stored(StoredSignal),
    Now(Arc<Signal>, [u8; 32]),
}

fn taken(new: &NewSignal, known: &Known) -> bool {
    known.contains_key(&key(new.signal.client.as_str(), &new.signal.client_signal_id))
}

/// A client's name holds no blank, so the two parts cannot run into each other.
fn key(client: &str, client_signal_id: &str) -> Box<str> {
    format!("{client} {client_signal_id}").into()
}
