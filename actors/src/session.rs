//! The hand-over between an account and its broker.
//!
//! A broker that answers at once (paper) is called in place. Any other broker has a task of its own, so that the
//! account's mailbox never waits for it: what is asked goes into a bounded queue, one thing at a time is under way, and
//! the answers come back as messages. A call that takes too long is dropped and counts as lost; so does one whose
//! adapter panicked, which costs that session and nothing else.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use signalbox_brokers::{Broker, BrokerError};
use signalbox_domain::broker::{BrokerReport, BrokerRequest, ReadFailed, Report};
use signalbox_domain::ids::AccountId;
use signalbox_domain::order::Order;
use signalbox_domain::units::{Span, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info, warn};

use crate::account::{Answered, Connected, ListsRead, LiveOrders, Reported};
use crate::board::Board;
use crate::clock::Clock;
use crate::crash::crash_point;
use crate::port::tell;
use crate::supervise::panic_text;

/// Asked of a session and not begun. An account asks one thing at a time for each live order, and a cancel of all asks
/// for every one of them at once: this is what a person's account holds. Above it the answer is lost, at once.
const QUEUE_MAX: usize = 4_096;

/// Makes an adapter. Called again after the one before panicked.
pub type Opener = Arc<dyn Fn() -> Result<Box<dyn Broker>, BrokerError> + Send + Sync>;

/// How an account reaches its broker.
#[derive(Clone)]
pub enum Connection {
    /// The venue of this process.
    Paper,
    /// A session in a task of its own.
    Session { open: Opener, patience: Patience },
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paper => f.write_str("Paper"),
            Self::Session { patience, .. } => write!(f, "Session({patience:?})"),
        }
    }
}

/// How long a session waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the session to open.
    pub connect: Duration,
    /// For the answer to a request. Later it is lost.
    pub call: Duration,
    /// For all the lists of one read.
    pub read: Duration,
    /// For its turn. What waited longer is not sent any more: an order that comes late is worse than none.
    pub queue: Duration,
    /// Before the session is opened again; doubled at each failure, up to `backoff_max`.
    pub backoff: Duration,
    pub backoff_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(10),
            read: Duration::from_secs(15),
            queue: Duration::from_secs(10),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(15),
        }
    }
}

/// An account's session with its broker.
pub enum Session {
    InPlace(Box<dyn Broker>),
    Apart(Apart),
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InPlace(_) => "Session::InPlace",
            Self::Apart(_) => "Session::Apart",
        })
    }
}

/// A session in a task of its own. It ends with the life of the account that it was made for.
#[derive(Debug)]
pub struct Apart {
    asked: mpsc::Sender<Asked>,
    /// Rung for a new session.
    anew: Rc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Apart {
    fn drop(&mut self) {
        // The next life opens a session of its own; two at once would click into each other.
        self.task.abort();
    }
}

#[derive(Debug)]
struct Asked {
    what: Ask,
    decided: Decided,
}

/// When something was decided, by both of the machine's clocks: one stands still while the machine sleeps, and somebody
/// may set the other.
#[derive(Debug, Clone, Copy)]
pub struct Decided {
    at: Instant,
    drift: Span,
}

impl Decided {
    #[must_use]
    pub fn now(clock: &dyn Clock) -> Self {
        Self { at: now(), drift: clock.drift() }
    }

    /// How long ago that was, by the clock that went further.
    fn age(self, clock: &dyn Clock) -> Duration {
        let asleep = clock.drift().us() - self.drift.us();
        now().duration_since(self.at) + Duration::from_micros(u64::try_from(asleep).unwrap_or(0))
    }
}

#[derive(Debug)]
enum Ask {
    Call(BrokerRequest),
    Read,
}

impl Session {
    /// A session at a broker that answers at once.
    #[must_use]
    pub fn new(broker: Box<dyn Broker>) -> Self {
        Self::InPlace(broker)
    }

    /// Starts a session in a task of its own, on this thread.
    #[must_use]
    pub fn start(account: AccountId, open: Opener, patience: Patience, board: Rc<Board>) -> Self {
        let (tx, asked) = mpsc::channel(QUEUE_MAX);
        let anew = Rc::new(Notify::new());
        let (waiting, bell) = (VecDeque::new(), anew.clone());
        let runner = Runner { account, open, patience, board, asked, waiting, anew: bell, anew_at: None, failures: 0 };
        Self::Apart(Apart { asked: tx, anew, task: actix::spawn(runner.run()) })
    }

    /// Carries a request out, or has it carried out: then the answer comes as a message. Its patience counts from when it
    /// was decided: a journal that was slow, a process that was stopped or a machine that slept meanwhile make it as late
    /// as a queue does.
    pub fn call(&mut self, at: Timestamp, decided: Decided, request: BrokerRequest) -> Vec<BrokerReport> {
        match self {
            // An adapter that does not answer at once is dropped half-way here, and that counts as lost.
            Self::InPlace(broker) => match broker.call(at, &request).now_or_never() {
                Some(reports) => reports,
                None => vec![lost(&request, "the broker did not answer at once")],
            },
            Self::Apart(apart) => match apart.asked.try_send(Asked { what: Ask::Call(request), decided }) {
                Ok(()) => Vec::new(),
                Err(full) => match full.into_inner().what {
                    Ask::Call(request) => vec![lost(&request, "never sent: too much waits for the broker")],
                    Ask::Read => Vec::new(),
                },
            },
        }
    }

    /// Has the session opened anew with another adapter, after what is under way and before what waits; at once where it is
    /// only waited for the next try, and no sooner than `backoff_max` after the last one that was opened so. Whether there
    /// is one.
    pub fn reconnect(&self) -> bool {
        match self {
            Self::InPlace(_) => false,
            Self::Apart(apart) => {
                apart.anew.notify_one();
                true
            }
        }
    }

    /// Has the lists read. What is returned is the answer already.
    pub fn read(&mut self, decided: Decided) -> Option<ReadFailed> {
        match self {
            Self::InPlace(_) => Some(ReadFailed("this broker has no lists".into())),
            Self::Apart(apart) => match apart.asked.try_send(Asked { what: Ask::Read, decided }) {
                Ok(()) => None,
                Err(_) => Some(ReadFailed("too much waits for the broker".into())),
            },
        }
    }
}

/// The task of one session.
struct Runner {
    account: AccountId,
    open: Opener,
    patience: Patience,
    board: Rc<Board>,
    asked: mpsc::Receiver<Asked>,
    /// Taken out of the queue while there was no session; counts against the queue's bound.
    waiting: VecDeque<Asked>,
    /// A person wants a new session.
    anew: Rc<Notify>,
    /// When one was opened for that.
    anew_at: Option<Instant>,
    /// In a row.
    failures: u32,
}

/// The account ended its life: nobody waits for an answer.
struct Gone;

/// Why a session is over.
enum Over {
    /// To be opened again with the same adapter.
    Line(String),
    /// The adapter is not to be trusted any more.
    Panicked(String),
    /// A person wants another one.
    Wanted,
}

impl Runner {
    async fn run(mut self) {
        let mut known = None;
        loop {
            let Ok(mut broker) = self.connected(known.take()).await else { return };
            let opened = now();
            let Ok(over) = self.serve(&mut broker).await else { return };
            // A session that held is opened again at once, one that falls at once is as good as none.
            let held = now() >= opened + self.patience.backoff_max;
            self.failures = if held { 0 } else { self.failures.saturating_add(1) };
            match over {
                Over::Line(cause) => {
                    warn!(account.id = %self.account, "the session is over and is opened again: {cause}");
                    known = Some(broker);
                }
                Over::Panicked(what) => {
                    error!(account.id = %self.account, "the broker's adapter panicked and is rebuilt: {what}");
                }
                Over::Wanted => {
                    info!(account.id = %self.account, "a new session was asked for");
                    self.anew_at = Some(now());
                    self.failures = 0;
                }
            }
        }
    }

    /// Opens the session, however often it takes.
    async fn connected(&mut self, known: Option<Box<dyn Broker>>) -> Result<Box<dyn Broker>, Gone> {
        let mut known = known;
        if self.failures > 0 {
            known = self.rest(self.pause(), known).await?;
        }
        loop {
            let orders = self.live_orders().await?;
            let at = self.board.clock.now();
            let (adapter, open, limit) = (known.take(), self.open.clone(), self.patience.connect);
            crash_point("broker.before_connect");
            let trial = self.beside(connect(adapter, open, at, orders, limit)).await?;
            let why = match trial {
                Ok(broker) => {
                    crash_point("broker.connected");
                    // What was asked for meanwhile is this one.
                    let _ = self.anew.notified().now_or_never();
                    info!(account.id = %self.account, "the session is open");
                    self.tell(Connected);
                    return Ok(broker);
                }
                Err((broker, why)) => {
                    known = broker;
                    why
                }
            };
            self.failures = self.failures.saturating_add(1);
            let pause = match why {
                BrokerError::Unreachable(_) => self.pause(),
                BrokerError::Refused(_) => self.patience.backoff_max,
            };
            warn!(account.id = %self.account, "no session, tried again in {} ms: {why}", pause.as_millis());
            known = self.rest(pause, known.take()).await?;
        }
    }

    /// Waits before the next try; not when a person wants it at once, and then with another adapter.
    async fn rest(&mut self, pause: Duration, known: Option<Box<dyn Broker>>) -> Result<Option<Box<dyn Broker>>, Gone> {
        let (anew, after) = (self.anew.clone(), self.anew_after());
        let wanted = self.beside(timeout(pause, wanted(&anew, after))).await?.is_ok();
        if wanted {
            self.anew_at = Some(now());
        }
        Ok(known.filter(|_| !wanted))
    }

    /// Each new session is a login, and a broker may lock an account after too many: persons have one as often as the
    /// longest pause between tries is.
    fn anew_after(&self) -> Option<Instant> {
        self.anew_at.map(|last| last + self.patience.backoff_max)
    }

    /// The orders that the broker should know, as the account has them now.
    async fn live_orders(&mut self) -> Result<Vec<Order>, Gone> {
        let (tx, rx) = oneshot::channel();
        self.tell(LiveOrders(tx));
        self.beside(rx).await?.map_err(|_| Gone)
    }

    /// Waits for something while there is no session. Whatever waited too long for one is answered: it is lost.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Gone> {
        let mut work = std::pin::pin!(work);
        loop {
            let due = self.waiting.front().map(|asked| asked.decided.at + self.patience.queue);
            let room = self.waiting.len() < QUEUE_MAX;
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = sleep_until(due.unwrap_or_else(now)), if due.is_some() => {
                    if let Some(asked) = self.waiting.pop_front() {
                        self.too_late(&asked.what);
                    }
                }
                asked = self.asked.recv(), if room => self.waiting.push_back(asked.ok_or(Gone)?),
            }
        }
    }

    /// One thing at a time until the session is over.
    async fn serve(&mut self, broker: &mut Box<dyn Broker>) -> Result<Over, Gone> {
        let after = self.anew_after();
        loop {
            // What the broker says comes first: the more the account knows, the better it decides. A broker says no
            // more than what was asked of it causes, so requests get their turn.
            let asked = tokio::select! {
                biased;
                said = AssertUnwindSafe(broker.next()).catch_unwind() => match said {
                    Ok(Ok(reports)) => {
                        crash_point("broker.said");
                        self.tell(Reported(reports));
                        continue;
                    }
                    Ok(Err(error)) => return Ok(Over::Line(error.to_string())),
                    Err(panic) => return Ok(Over::Panicked(panic_text(panic.as_ref()))),
                },
                () = wanted(&self.anew, after) => return Ok(Over::Wanted),
                asked = next_asked(&mut self.waiting, &mut self.asked) => asked?,
            };
            if asked.decided.age(&*self.board.clock) >= self.patience.queue {
                self.too_late(&asked.what);
                continue;
            }
            let over = match &asked.what {
                Ask::Call(request) => self.call(broker, request).await,
                Ask::Read => self.read(broker).await,
            };
            if let Some(over) = over {
                return Ok(over);
            }
        }
    }

    async fn call(&self, broker: &mut Box<dyn Broker>, request: &BrokerRequest) -> Option<Over> {
        let [before, after] = match request {
            BrokerRequest::Submit { .. } => ["broker.before_submit", "broker.after_submit"],
            BrokerRequest::Cancel { .. } => ["broker.before_cancel", "broker.after_cancel"],
            BrokerRequest::Find { .. } => ["broker.before_find", "broker.after_find"],
        };
        crash_point(before);
        let call = AssertUnwindSafe(async { broker.call(self.board.clock.now(), request).await }).catch_unwind();
        let (reports, over) = match within(self.patience.call, call).await {
            Ok(reports) => (reports, None),
            Err(over) => (vec![lost(request, over.cause())], Some(over)),
        };
        crash_point(after);
        if !reports.is_empty() {
            self.tell(Answered(reports));
        }
        over
    }

    async fn read(&self, broker: &mut Box<dyn Broker>) -> Option<Over> {
        crash_point("broker.before_read");
        let read = AssertUnwindSafe(async { broker.read(self.board.clock.now()).await }).catch_unwind();
        let (read, over) = match within(self.patience.read, read).await {
            Ok(read) => (read, None),
            Err(over) => (Err(ReadFailed(over.cause().into())), Some(over)),
        };
        crash_point("broker.after_read");
        // An adapter is not told the time again while it reads.
        let ended = self.board.clock.now();
        self.tell(ListsRead(read.map(|mut snapshot| {
            snapshot.ended = ended;
            Arc::new(snapshot)
        })));
        over
    }

    fn too_late(&self, what: &Ask) {
        let why = "never sent: its turn came too late";
        match what {
            Ask::Call(request) => self.tell(Answered(vec![lost(request, why)])),
            Ask::Read => self.tell(ListsRead(Err(ReadFailed(why.into())))),
        }
    }

    /// Doubles at each failure. Up to half of it is taken off, differently for each account, so that those which lost
    /// their sessions together do not come back together.
    fn pause(&self) -> Duration {
        let doubled = self.patience.backoff.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        let pause = doubled.min(self.patience.backoff_max);
        let seed = self
            .account
            .as_str()
            .bytes()
            .fold(u32::from(self.failures as u16), |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        pause.saturating_sub(pause.mul_f32(0.5 * (seed % 1_000) as f32 / 1_000.0))
    }

    fn tell<M>(&self, message: M)
    where
        M: actix::Message + Send + 'static,
        M::Result: Send,
        crate::account::AccountActor: actix::Handler<M>,
        actix::Context<crate::account::AccountActor>: actix::dev::ToEnvelope<crate::account::AccountActor, M>,
    {
        // Looked up at each use. A life that follows finds its orders in doubt and asks for them itself.
        if let Some(account) = self.board.directory.account(&self.account) {
            tell(&account, message);
        }
    }
}

impl Over {
    fn cause(&self) -> String {
        match self {
            Self::Line(cause) => cause.clone(),
            Self::Panicked(what) => format!("the adapter panicked: {what}"),
            Self::Wanted => "a new session was asked for".to_owned(),
        }
    }
}

/// A person wants a new session, and may have one. What he wanted sooner is kept until then.
async fn wanted(anew: &Notify, after: Option<Instant>) {
    if let Some(after) = after {
        sleep_until(after).await;
    }
    anew.notified().await;
}

async fn next_asked(waiting: &mut VecDeque<Asked>, asked: &mut mpsc::Receiver<Asked>) -> Result<Asked, Gone> {
    match waiting.pop_front() {
        Some(first) => Ok(first),
        None => asked.recv().await.ok_or(Gone),
    }
}

/// What an answer is worth: it came in time, it did not, or the adapter panicked.
async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Box<dyn Any + Send>>>) -> Result<T, Over> {
    match timeout(limit, work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(panic)) => Err(Over::Panicked(panic_text(panic.as_ref()))),
        Err(_) => Err(Over::Line(format!("no answer within {} ms", limit.as_millis()))),
    }
}

/// One try. What could not be opened may be tried again with the same adapter, unless it panicked.
async fn connect(
    adapter: Option<Box<dyn Broker>>,
    open: Opener,
    at: Timestamp,
    orders: Vec<Order>,
    limit: Duration,
) -> Result<Box<dyn Broker>, (Option<Box<dyn Broker>>, BrokerError)> {
    let made = match adapter {
        Some(adapter) => Ok(adapter),
        None => std::panic::catch_unwind(AssertUnwindSafe(|| open()))
            .unwrap_or_else(|panic| Err(BrokerError::Unreachable(panic_text(panic.as_ref())))),
    };
    let mut broker = made.map_err(|error| (None, error))?;
    let opening = AssertUnwindSafe(async { broker.connect(at, &orders).await }).catch_unwind();
    match within(limit, opening).await {
        Ok(Ok(())) => Ok(broker),
        Ok(Err(error)) => Err((Some(broker), error)),
        Err(Over::Line(cause)) => Err((Some(broker), BrokerError::Unreachable(cause))),
        Err(over) => Err((None, BrokerError::Unreachable(over.cause()))),
    }
}

fn lost(request: &BrokerRequest, cause: impl Into<Arc<str>>) -> BrokerReport {
    BrokerReport { order: request.order(), what: Report::Lost { cause: cause.into() } }
}

#[expect(clippy::disallowed_methods, reason = "patience is real time: it is no market event")]
fn now() -> Instant {
    Instant::now()
}
