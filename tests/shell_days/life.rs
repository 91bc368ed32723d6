//! One life of the program: the real system on the real store, on paused time, until it dies or the day is over.
//!
//! Time goes on when nobody on this thread has anything to do. What other threads do has to be seen: the writer makes its
//! transactions while this thread stands still ([`Turns`]), and while a connection of the store reads, time does not go on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use rand_chacha::rand_core::RngCore as _;
use sea_orm::sqlx::SqlitePool;
use signalbox::clock::ManualClock;
use signalbox::people::password::Cost;
use signalbox::people::{People, PeopleConf};
use signalbox::store::{Hooks, Ingested, NewSignal, Store, StoreConf, Turns, body_hash};
use signalbox::system::{ClockStart, Outside, Signalbox};
use signalbox_actors::clock::{Machine, ThisMachine};
use signalbox_actors::desk::{DeskError, Planted};
use signalbox_actors::session::{Connection, Patience};
use signalbox_brokers::Broker;
use signalbox_brokers::fake::adapter::Facts;
use signalbox_brokers::fake::wire::Status;
use signalbox_domain::account::{Resolution, Settle, Settlement};
use signalbox_domain::event::{Scope, TradingState};
use signalbox_domain::ids::{BrokerOrderId, InstallationTag};
use signalbox_domain::order::InFlight;
use signalbox_domain::reconcile::exception::ExceptionKind;
use signalbox_domain::units::{Span, Timestamp};
use signalbox_sim::books::Truth;
use tokio::time::sleep_until;

use crate::house::{self, ACCOUNTS, account, strategy};
use crate::line::{Line, LineSession};
use crate::reckon;
use crate::world::{Death, Happening, Shared, TROUBLED, World, lock, ms};

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Died,
    /// The day is over, and the process ended in an orderly way.
    Over,
}

/// # Errors
/// The promise that was broken.
pub(crate) fn live(world: &Shared, folder: &Path) -> Result<End, String> {
    let hold = Arc::new(Hold::default());
    let parks = hold.clone();
    let runner = actix::System::with_tokio_rt(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).on_thread_park(move || parks.look());
        // Whoever is woken from another thread waits until nobody here has anything to do. He would come first at every
        // 31st turn, and how many turns a read takes is the machine's to say.
        runtime.global_queue_interval(u32::MAX);
        runtime.build().unwrap()
    });
    let (end, runtime) = runner.block_on(async {
        let life = Life::begin(world, folder, &hold).await;
        let end = life.pass().await;
        let now = life.line.now();
        let mut world = lock(world);
        world.now = now;
        (world.broken.take().map_or(end, Err), tokio::runtime::Handle::current())
    });
    // What is dropped in the middle of things may want to spawn.
    let _inside = runtime.enter();
    drop(runner);
    end
}

/// Keeps time still while somebody works on another thread.
#[derive(Debug, Default)]
struct Hold {
    opening: AtomicBool,
    reads: OnceLock<SqlitePool>,
    held: AtomicBool,
}

impl Hold {
    fn busy(&self) -> bool {
        // A connection that is not idle is at work, or is being brought back.
        self.opening.load(Ordering::SeqCst)
            || self.reads.get().is_some_and(|reads| reads.size() as usize > reads.num_idle())
    }

    /// Nobody on this thread has anything to do. A blocking task keeps paused time from going on.
    fn look(self: &Arc<Self>) {
        if self.busy() && !self.held.swap(true, Ordering::SeqCst) {
            let hold = self.clone();
            tokio::task::spawn_blocking(move || {
                while hold.busy() {
                    std::thread::sleep(Duration::from_micros(50));
                }
                hold.held.store(false, Ordering::SeqCst);
            });
        }
    }
}

struct Life {
    world: Shared,
    line: Line,
    system: Signalbox,
    machine: SetMachine,
}

/// This machine, with a wall clock that somebody has set by so many milliseconds.
#[derive(Debug, Clone, Default)]
struct SetMachine(Arc<AtomicI64>);

impl Machine for SetMachine {
    fn monotonic(&self) -> Instant {
        ThisMachine.monotonic()
    }

    fn wall(&self) -> SystemTime {
        let by = self.0.load(Ordering::SeqCst);
        let span = Duration::from_millis(by.unsigned_abs());
        if by < 0 { ThisMachine.wall() - span } else { ThisMachine.wall() + span }
    }
}

impl Life {
    async fn begin(world: &Shared, folder: &Path, hold: &Hold) -> Self {
        hold.opening.store(true, Ordering::SeqCst);
        let turns = Turns::default();
        let line = Line::new(world, turns.clone());
        let fatal = world.clone();
        let on_fatal = move |what: &str| {
            lock(&fatal).broken.get_or_insert(format!("the process ended itself: {what}"));
        };
        let store_fatal = on_fatal.clone();
        let hooks = Hooks {
            on_fatal: Box::new(move |error| store_fatal(&error.to_string())),
            turns: Some(turns),
            ..Hooks::default()
        };
        let conf = StoreConf { disk_floor_bytes: 0, ..StoreConf::new(StoreConf::SQLITE_DEFAULT, folder) };
        let store = Store::open_with(conf, hooks).await.unwrap();
        let _ = hold.reads.set(store.reads().get_sqlite_connection_pool().clone()); // once per life
        let (told, installation) = (line.clone(), store.installation());
        store.on_commit(Box::new(move |committed| {
            let at = told.shown();
            lock(&told.world).committed(at, committed, installation);
        }));
        let (settings, start) = {
            let mut world = lock(world);
            world.lives += 1;
            (house::settings(folder, world.levels), world.now)
        };
        let conf = PeopleConf {
            folder: folder.to_owned(),
            jwt_secret: Some("a signing key for tests, 32 bytes or more".into()),
            password_cost: Cost { memory_kib: 8, passes: 1 },
            ..PeopleConf::default()
        };
        let people = People::open(store.clone(), conf, Arc::new(ManualClock::at(start))).await.unwrap();
        let to_broker = line.clone();
        let connect = move |account: &signalbox::conf::AccountSettings, installation: InstallationTag| {
            let capabilities = account.conf.capabilities.clone();
            let facts = Facts { account: account.conf.id.to_string(), level: capabilities.level, installation };
            let line = to_broker.clone();
            let open = move || {
                let session = LineSession::new(line.clone(), facts.clone(), capabilities.clone());
                Ok(Box::new(session) as Box<dyn Broker>)
            };
            Connection::Session { open: Arc::new(open), patience: Patience::default() }
        };
        let machine = SetMachine::default();
        let outside =
            Outside { connect: Box::new(connect), on_fatal: Arc::new(on_fatal), machine: Box::new(machine.clone()) };
        let start = ClockStart::At { start, speed: 1 };
        let system = Signalbox::in_world(settings, store, people, start, outside).await.unwrap();
        hold.opening.store(false, Ordering::SeqCst);
        actix::spawn(line.clone().exchange());
        actix::spawn(disk(line.clone()));
        Self { world: world.clone(), line, system, machine }
    }

    async fn pass(&self) -> Result<End, String> {
        if self.system.desk.quotes(house::quotes(self.line.now())).await.is_err() {
            return Err("nobody takes quotes".to_owned());
        }
        let (dawn, night) = {
            let world = lock(&self.world);
            (world.dawn, world.night)
        };
        let day = if night { self.night().await } else { self.evening(dawn.plus(TROUBLED)).await };
        match day {
            Err(Stop::Died) => Ok(End::Died),
            Err(Stop::Broken(broken)) => Err(broken),
            Ok(()) => Ok(End::Over),
        }
    }

    /// The day to its end, from wherever it stands.
    async fn evening(&self, calm: Timestamp) -> Result<(), Stop> {
        self.until(calm).await?;
        lock(&self.world).calm(self.line.now());
        self.line.broker_changed();
        self.set_trading_state(TradingState::Active);
        // Long enough for every proof of absence.
        self.until(calm.plus(Span::from_secs(600))).await?;
        self.person_settles(true).await?;
        self.until(calm.plus(Span::from_secs(720))).await?;
        self.person_settles(false).await?;
        lock(&self.world).close(self.line.now());
        self.line.broker_changed();
        self.until(calm.plus(Span::from_secs(900))).await?;
        self.system.clone().shut_down().await;
        Ok(())
    }

    /// What the day left has to be enough for another life.
    async fn night(&self) -> Result<(), Stop> {
        self.until(self.line.now().plus(Span::from_secs(60))).await?;
        self.system.clone().shut_down().await;
        Ok(())
    }

    /// Lets everything happen up to an instant.
    async fn until(&self, end: Timestamp) -> Result<(), Stop> {
        loop {
            let next = lock(&self.world).agenda.keys().next().map(|(at, _)| *at).filter(|at| *at < end);
            tokio::select! {
                biased;
                () = self.line.dead.notified() => return Err(Stop::Died),
                () = sleep_until(self.line.instant(next.unwrap_or(end))) => {}
            }
            lock(&self.world).in_time(self.line.now());
            if let Some(broken) = lock(&self.world).broken.take() {
                return Err(Stop::Broken(broken));
            }
            if next.is_none() {
                return Ok(());
            }
            let happening = lock(&self.world).agenda.pop_first();
            if let Some((_, happening)) = happening {
                self.happens(happening);
            }
        }
    }

    fn happens(&self, happening: Happening) {
        let at = self.line.now();
        let mut world = lock(&self.world);
        match happening {
            Happening::Signal => {
                let key = world.new_signal();
                self.ask(&mut world, key, false);
            }
            Happening::Again(key) => {
                let dice = world.clients.next_u32();
                let answered = world.sent[&key].answer.is_some();
                if answered {
                    world.meet("asked again");
                } else {
                    world.meet("asked again without an answer");
                }
                self.ask(&mut world, key, answered && dice.is_multiple_of(3));
            }
            Happening::Hand if world.troubled => {
                world.by_hand(at);
                self.line.broker_changed();
            }
            Happening::Kill(halt) => {
                drop(world);
                self.set_trading_state(if halt { TradingState::Halted } else { TradingState::Active });
            }
            Happening::Cancel if world.troubled => self.cancel(&mut world),
            Happening::Crash if world.troubled => {
                world.meet("crash");
                let (how, left) = (world.network.next_u32() % 8, world.network.next_u32() % 8);
                match how {
                    0..4 => world.death = Some(Death::AtCommit { left, made: how < 2 }),
                    4..6 => world.death = Some(Death::AtArrival { left: left / 2 }),
                    _ => {
                        drop(world);
                        self.line.die();
                    }
                }
            }
            Happening::Panic if world.troubled => {
                world.meet("panic");
                let who = world.clients.next_u32();
                let name = ACCOUNTS[who as usize / 2 % 3];
                self.system.desk.plant_panic(match who % 2 {
                    0 => Planted::Account(account(name)),
                    _ => Planted::Strategy(strategy(["s", "t", "u"][who as usize / 2 % 3])),
                });
            }
            Happening::SetClock if world.troubled => {
                world.meet("clock set");
                let by = i64::from(world.network.next_u32() % 1_800_000) - 900_000;
                self.machine.0.fetch_add(by, Ordering::SeqCst);
            }
            Happening::SetClock | Happening::Hand | Happening::Cancel | Happening::Crash | Happening::Panic => {}
        }
    }

    /// A client asks the door, and asks again some time later: always when it got no answer.
    fn ask(&self, world: &mut World, key: String, changed: bool) {
        let at = self.line.now();
        let again = at.plus(ms(1_000 + world.clients.next_u32() % 20_000));
        let sent = world.sent.get_mut(&key).unwrap();
        if sent.asked == 0 && sent.signal.received_at.us() > 0 {
            // One in four is given up soon: then its orders are cancelled.
            sent.signal.valid_until = Some(at.plus(Span::from_us(sent.signal.received_at.us())));
        }
        sent.asked += 1;
        let signal = signalbox_domain::signal::Signal { received_at: at, ..sent.signal.clone() };
        let mut body_hash = body_hash(&signal);
        if changed {
            body_hash[0] ^= 255;
        }
        let new = NewSignal { signal, body_hash };
        let asks_on = sent.answer.is_none() || (sent.asked < 3 && again.us() % 3 == 0);
        if asks_on {
            world.at(again, Happening::Again(key.clone()));
        }
        let (store, shared) = (self.system.store.clone(), self.world.clone());
        actix::spawn(async move {
            if let Ok(told) = store.ingest(new).await {
                if matches!(told, Ingested::Replayed(_)) {
                    lock(&shared).meet("replayed");
                }
                lock(&shared).heard(&key, &told, changed);
            }
        });
    }

    fn set_trading_state(&self, state: TradingState) {
        let desk = self.system.desk.clone();
        let said = async move { desk.set_trading_state(Scope::Global, state, "ann".into(), "the day".into()).await };
        self.is_answered("a trading state", said);
    }

    fn cancel(&self, world: &mut World) {
        let Some((account, order)) = world.some_order() else { return };
        let signal = world.clients.next_u32().is_multiple_of(3);
        let strategy = world.sent.values().find(|sent| sent.answer == Some(order.signal()));
        let strategy = strategy.map(|sent| sent.signal.strategy.clone());
        world.meet("cancel");
        let desk = self.system.desk.clone();
        let said = async move {
            match strategy.filter(|_| signal) {
                Some(strategy) => desk.cancel_signal(strategy, order.signal(), "ann".into()).await.map(drop),
                None => desk.cancel_order(account, order, "ann".into()).await.map(drop),
            }
        };
        self.is_answered("a cancel", said);
    }

    /// Whatever the answer is: somebody waits for it.
    fn is_answered(&self, what: &'static str, said: impl Future<Output = Result<(), DeskError>> + 'static) {
        let world = self.world.clone();
        actix::spawn(async move {
            if tokio::time::timeout(PATIENCE, said).await.is_err() {
                lock(&world).broken.get_or_insert(format!("{what} was not answered"));
            }
        });
    }

    /// Somebody looks at the broker's own screen, where everything is true, and decides.
    async fn person_settles(&self, first: bool) -> Result<(), Stop> {
        let tables = self.system.store.tables().await.map_err(|error| error.to_string())?;
        let (accounts, levels, dishonest) = {
            let world = lock(&self.world);
            (world.broker.truth(), reckon::levels(&world), world.faults.dishonest() || world.faults.alters())
        };
        let truth = Truth {
            accounts: &accounts,
            levels: &levels,
            installation: self.system.store.installation(),
            overnight: &BTreeSet::new(),
        };
        for order in tables.orders.values().filter(|order| order.in_doubt && !order.status.is_terminal()) {
            let (id, account) = (order.id(), order.terms.account.clone());
            if first && order.parked.is_none() {
                return Err(format!("ten minutes without trouble, and order {id} is in doubt and nobody's").into());
            }
            lock(&self.world).meet("settled by a person");
            let desk = &self.system.desk;
            let mine = truth.orders_of(id).into_iter().find(|(of, _)| *of == account.as_str());
            let resolution = match mine {
                // Only its cancel is in doubt: he tells what became of it, or has it asked again.
                Some((_, there)) if order.in_flight == Some(InFlight::Cancel) && id.signal().get() % 2 == 1 => {
                    match there.status {
                        Status::Canceled | Status::Junk => Resolution::Canceled,
                        Status::Working | Status::Filled => Resolution::Works,
                    }
                }
                _ if order.in_flight == Some(InFlight::Cancel) => {
                    answered(desk.cancel_order(account, id, "ann".into())).await?;
                    continue;
                }
                Some((_, there)) => Resolution::Bind(BrokerOrderId(there.no.as_str().into())),
                None => Resolution::Absent,
            };
            answered(desk.resolve(account, id, resolution, "ann".into(), "seen".into())).await?;
        }
        for ghost in tables.exceptions.values().filter(|e| e.kind == ExceptionKind::Ghost && e.is_open()) {
            lock(&self.world).meet("ghost");
            let (Some(order), Some(no)) = (ghost.order, ghost.evidence.row.as_ref().map(|row| &row.no.0)) else {
                continue;
            };
            let of = ghost.account.as_str();
            let truly = truth.orders_of(order).iter().any(|(name, there)| *name == of && *there.no == **no);
            if truly && !dishonest {
                return Err(format!("order {order} was proved absent and is {no}").into());
            }
            let (by, note) = ("ann".into(), "seen".into());
            let settle = Settle { key: ghost.key.clone(), settlement: Settlement::External, by, note };
            answered(self.system.desk.settle(ghost.account.clone(), settle)).await?;
        }
        Ok(())
    }
}

/// More than any commit takes, and than an actor's next life.
const PATIENCE: Duration = Duration::from_secs(10);

async fn answered<T>(said: impl Future<Output = T>) -> Result<(), Stop> {
    let said = tokio::time::timeout(PATIENCE, said).await;
    said.map(drop).map_err(|_| Stop::Broken("a person was not answered".to_owned()))
}

/// Why the day does not go on.
enum Stop {
    Died,
    Broken(String),
}

impl From<String> for Stop {
    fn from(broken: String) -> Self {
        Self::Broken(broken)
    }
}

/// How long the disk takes, how much the writer finds when its turn comes, and after which turn the process dies.
async fn disk(line: Line) {
    loop {
        line.turns.queued().await;
        loop {
            let (us, most, dies) = {
                let mut world = lock(&line.world);
                // On some days every commit takes its time.
                let one_in = if world.slow_disk { 2 } else { 40 };
                let (us, slow) = (200 + world.disk.next_u32() % 5_000, world.disk.next_u32().is_multiple_of(one_in));
                let (some, few) = (world.disk.next_u32(), 1 + world.disk.next_u32() % 4);
                let most = if some.is_multiple_of(2) { usize::MAX } else { few as usize };
                (if slow { us * 60 } else { us }, most, world.dies_at_commit())
            };
            tokio::time::sleep(Duration::from_micros(u64::from(us))).await;
            line.shows();
            let took = match dies {
                Some(false) => {
                    line.turns.break_off(most);
                    false
                }
                _ => line.turns.take(most),
            };
            if dies.is_some() {
                return line.die();
            }
            if !took {
                break;
            }
        }
    }
}
