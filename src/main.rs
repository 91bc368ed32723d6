//! The program: one binary with subcommands.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use secrecy::SecretString;
use signalbox::clock::{SystemClock, WallClock as _};
use signalbox::conf::{BrokerSettings, Settings};
use signalbox::demo::{feed, signals, summary};
use signalbox::http::dto::At;
use signalbox::market::calendars::{ALARM_DAYS, Calendars, Reach};
use signalbox::market::prints::RecordedDay;
use signalbox::market::{corporate, instruments};
use signalbox::people::{People, Role};
use signalbox::replay::{self, Proof, Rows};
use signalbox::sim::{self, Sim};
use signalbox::store::upkeep::{self, Growth, TableSize};
use signalbox::store::{Archived, Dropped, Store, StoreConf, Verified};
use signalbox::system::{ClockStart, Signalbox, rely_on};
use signalbox::telemetry::Told;
use signalbox::{retention, say};
use signalbox_actors::crash::crash_point;
use signalbox_domain::calendar::{china_date_time, china_instant};
use signalbox_domain::corporate::CorporateAction;
use signalbox_domain::units::Timestamp;
use tracing::{error, info, warn};

/// Orders are many small allocations that live for a moment; this allocator makes each a third cheaper.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Many strategies, many brokerage accounts; nothing lost, nothing doubled.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the accounts and strategies of a configuration file.
    Serve {
        /// Settings beside the defaults (TOML).
        #[arg(long)]
        conf: Option<PathBuf>,
        /// Where the market clock starts, as in the demonstration: for drills with play money.
        #[arg(long)]
        clock: Option<String>,
    },
    /// Three paper accounts on a real recorded market day.
    Demo(Demo),
    /// Read the settings and say what is wrong with them, if anything.
    CheckConf {
        #[arg(long)]
        conf: Option<PathBuf>,
    },
    /// Prove that the journal's chain of hashes is whole.
    Audit {
        #[command(subcommand)]
        what: Audit,
    },
    /// Build the state again from the journal and compare it with every stored row.
    Replay {
        #[command(flatten)]
        place: Place,
        /// The last run came to rest before it ended: signals and their legs may not be behind either.
        #[arg(long)]
        settled: bool,
    },
    /// Simulated days: brokers that lie, lines that break, a process that ends when it likes. Every day from a number.
    Sim(Sim),
    /// People who may log in.
    User {
        #[command(subcommand)]
        what: User,
    },
    /// The trading days that are known of each market.
    Calendars {
        #[command(subcommand)]
        what: Days,
    },
    /// What can be traded.
    Instruments {
        #[command(subcommand)]
        what: Tradable,
    },
    /// Which shares go ex and what they bring: dividends, bonus shares, splits of funds.
    Actions {
        #[command(subcommand)]
        what: Actions,
    },
    /// How large the database is and which of its tables, how fast it grows, and what of the journal could be archived.
    Storage {
        #[command(flatten)]
        place: Place,
    },
    /// Move the journal's old lines to files now, as the program does by itself while it serves. It must not be running.
    Archive {
        /// Those older than so many days, instead of store.journal_keep_days.
        #[arg(long, value_parser = clap::value_parser!(u32).range(30..=36_500))]
        days: Option<u32>,
        #[command(flatten)]
        place: Place,
    },
    /// Give the room of what was removed back to the disk. The program must not be running.
    Compact {
        #[command(flatten)]
        place: Place,
    },
    /// Copy the SQLite database to a new file while it is in use, and prove that the copy is whole.
    Backup {
        to: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Begin with a copy: trading is halted, and numbers that were given out since are passed over. What was there is kept.
    Restore {
        /// The file that `backup` made. None for PostgreSQL, after `pg_restore`.
        from: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Completions for a shell, on the standard output.
    Completions { shell: clap_complete::Shell },
}

/// Whose data a command is about.
#[derive(Debug, clap::Args)]
struct Place {
    /// Settings beside the defaults (TOML).
    #[arg(long)]
    conf: Option<PathBuf>,
    /// The folder of the demonstration, or another one than configured.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Demo {
    /// No recorded day and no strategies of the demonstration: the accounts stand still until somebody trades.
    #[arg(long)]
    no_strategies: bool,
    #[arg(long, default_value = "127.0.0.1:8420")]
    listen: SocketAddr,
    /// The folder for database and keys.
    #[arg(long, default_value = "data/demo")]
    data: PathBuf,
    /// Where the market clock starts, such as 2025-03-03T10:00:00+08:00. Default: just before the recorded day opens.
    #[arg(long)]
    clock: Option<String>,
    /// Market seconds per second. Default: 60, and 1 without the recorded day.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speed: Option<u32>,
    /// Another database than the one in the data folder.
    #[arg(long, env = "SIGNALBOX_DATABASE_URL", hide_env_values = true)]
    database: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Recompute every hash from the first line on.
    Verify {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
enum Days {
    /// How far each file of trading days reaches.
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// Check newer files and keep them for the next start. Each is called as the one that came with the program.
    Import {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
enum Tradable {
    /// How many there are of each board, or those whose symbol or name has the text in it.
    Show {
        text: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Check tables and keep their rows for the next start: cn_equity.csv, cn_status.csv, abroad.csv, new_issues.csv, with the
    /// columns of those that came with the program. A row replaces what was known of its symbol.
    Import {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
enum Actions {
    /// How many are known and up to when, or those whose symbol has the text in it.
    Show {
        text: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Check tables and keep their rows for the next start, with the columns of cn_corporate_actions.csv. A row replaces what
    /// was known of its symbol and ex-date; one of nothing but zeros takes it back.
    Import {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
enum User {
    /// Create a user; the password is read from SIGNALBOX_PASSWORD.
    Add {
        username: String,
        /// admin, risk, trader or viewer; may be repeated.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        #[arg(long)]
        conf: Option<PathBuf>,
        /// Of no effect any more: people are made on the machine's clock, and the market's stays where it was.
        #[arg(long, hide = true)]
        clock: Option<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    signalbox::telemetry::install(match cli.command {
        Command::Sim(_) => Told::Errors,
        _ => Told::Warnings,
    });
    #[cfg(feature = "crash-points")]
    signalbox_actors::crash::arm();
    // All actors run on this thread; tasks of the store and of feeds use the pool.
    let runtime = || {
        #[expect(clippy::expect_used, reason = "without a runtime there is nothing to say it with")]
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a tokio runtime")
    };
    let result = actix::System::with_tokio_rt(runtime).block_on(run(cli.command));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signalbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { conf, clock } => serve(Settings::load(conf.as_deref())?, clock.as_deref()).await,
        Command::Demo(demo) => demonstrate(demo).await,
        Command::CheckConf { conf } => {
            let settings = Settings::load(conf.as_deref())?;
            say!(
                "the settings are valid: {} accounts, {} strategies, listening on {}",
                settings.accounts.len(),
                settings.strategies.len(),
                settings.listen
            );
            Ok(())
        }
        Command::Audit { what: Audit::Verify { place } } => {
            let store = place.open_store().await?;
            let verified = store.verify_chain(1).await?;
            say!("the chain is whole: {} lines", verified.lines);
            Ok(())
        }
        Command::Replay { place, settled } => {
            let store = place.open_store().await?;
            prove(&store, if settled { Rows::Settled } else { Rows::AsTheyAre }).await
        }
        Command::Sim(days) => Ok(tokio::task::spawn_blocking(move || sim::run(&days)).await??),
        Command::User { what: User::Add { username, roles, conf, clock: _ } } => {
            add_user(&username, &roles, conf).await
        }
        Command::Calendars { what } => calendars(what),
        Command::Instruments { what } => tradable(what),
        Command::Actions { what } => actions(what),
        Command::Storage { place } => {
            let settings = place.settings()?;
            storage(&place.store_conf(&settings), settings.journal_keep_days).await
        }
        Command::Archive { days, place } => archive(days, &place).await,
        Command::Compact { place } => {
            let (before, after) = upkeep::compact(&place.store_conf(&place.settings()?)).await?;
            say!("{:.1} MiB before, {:.1} MiB now", mib(before), mib(after));
            Ok(())
        }
        Command::Backup { to, place } => backup(&place.store_conf(&place.settings()?), &to),
        Command::Restore { from, place } => restore(&place.store_conf(&place.settings()?), from).await,
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "signalbox", &mut text);
            say::all(&text);
            Ok(())
        }
    }
}

async fn serve(settings: Settings, clock: Option<&str>) -> anyhow::Result<()> {
    let start = clock_start(&settings, clock)?;
    let system = Signalbox::build(settings, start).await?;
    if let ClockStart::At { start, .. } = start {
        tell_start(start, system.began);
    }
    let (listen, workers) = (system.settings.listen, system.settings.workers);
    listen_until_told_to_stop(system, listen, workers).await
}

/// The machine's clock, or that of a drill.
fn clock_start(settings: &Settings, clock: Option<&str>) -> anyhow::Result<ClockStart> {
    let Some(text) = clock else { return Ok(ClockStart::Now) };
    let play_money = settings.accounts.iter().all(|account| match account.broker {
        BrokerSettings::Paper | BrokerSettings::Fake { .. } => true,
    });
    anyhow::ensure!(play_money, "--clock is for play money: a real market has its own time");
    Ok(ClockStart::At { start: parse_clock(text)?, speed: 1 })
}

/// A wish for the market clock is overruled by what is stored: what was sent before would count as sent later.
fn tell_start(wished: Timestamp, began: Timestamp) {
    let text = |at: Timestamp| At(at).to_string();
    if began > wished {
        say!(
            "The market clock starts at {}, not at {}: the market is stored up to then. Another data folder may start earlier.",
            text(began),
            text(wished)
        );
    } else {
        say!("The market clock starts at {}.", text(began));
    }
}

impl Place {
    fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings::load(self.conf.as_deref())?)
    }

    /// The folder alone: no settings are needed where it is named.
    fn folder(&self) -> anyhow::Result<PathBuf> {
        self.data.clone().map_or_else(|| Ok(self.settings()?.data_dir), Ok)
    }

    fn store_conf(&self, settings: &Settings) -> StoreConf {
        let folder = self.data.as_ref().unwrap_or(&settings.data_dir);
        StoreConf::new(settings.database.clone(), folder.clone())
    }

    /// The store of a system that does not run.
    async fn open_store(&self) -> anyhow::Result<Store> {
        let settings = self.settings()?;
        let conf = self.store_conf(&settings);
        // Opening makes what is not there, and a proof about nothing would look like one.
        if let Some(file) = settings.database.strip_prefix("sqlite:") {
            let folder = &conf.data_dir;
            anyhow::ensure!(folder.join(file).is_file(), "there is no database {file} in {}", folder.display());
        }
        Ok(Store::open(conf).await?)
    }
}

/// The days over which growth is told.
const GROWTH_DAYS: u32 = 7;

async fn storage(conf: &StoreConf, keep_days: u32) -> anyhow::Result<()> {
    let sizes = upkeep::sizes(conf).await?;
    let Growth { rows_per_day, archived_lines, archived_bytes, dropped_signals, old_lines } =
        upkeep::growth(conf, GROWTH_DAYS, keep_days).await?;
    say!("{:<24} {:>12} {:>10} {:>12}", "table", "rows", "MiB", "rows a day");
    for TableSize { table, rows, bytes } in &sizes {
        let grows = rows_per_day.iter().find(|(name, _)| name == table).map(|(_, rows)| rows.to_string());
        say!("{table:<24} {rows:>12} {:>10.1} {:>12}", mib(*bytes), grows.unwrap_or_default());
    }
    let bytes: u64 = sizes.iter().map(|size| size.bytes).sum();
    say!("{:<24} {:>12} {:>10.1}", "all", "", mib(bytes));
    say!("the archive has {archived_lines} lines of the journal in {:.1} MiB", mib(archived_bytes));
    say!("the rows of {dropped_signals} signals were dropped, and their keys are kept");
    match keep_days {
        0 => say!("store.journal_keep_days is 0: nothing goes there by itself"),
        days => say!("{old_lines} lines of the journal are older than {days} days"),
    }
    Ok(())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

async fn archive(days: Option<u32>, place: &Place) -> anyhow::Result<()> {
    let keep_days = place.settings()?.journal_keep_days;
    let now = SystemClock.now();
    let before = retention::before(now, days.unwrap_or(keep_days));
    let before = before.context("store.journal_keep_days is 0: say how many --days are kept")?;
    let store = place.open_store().await?;
    let Archived { files, lines } = retention::all(&store, now, before).await?;
    match lines {
        0 => say!("0 lines of the journal went to files"),
        _ => say!("{lines} lines of the journal went to {files} files; `signalbox compact` gives their room back"),
    }
    let Dropped { signals } = retention::drop_all(&store, now, before).await?;
    say!("the rows of {signals} signals that these files tell of were dropped");
    say!("{}", retention::what_stays(&store, before).await?);
    Ok(())
}

fn backup(conf: &StoreConf, to: &Path) -> anyhow::Result<()> {
    let Verified { lines, last_seq, last_hash } = upkeep::backup(conf, to)?;
    let hash: String = last_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    say!("{}: {lines} lines, the chain is whole and ends with {hash}", to.display());
    say!("keep that hash elsewhere: it shows later that nothing was cut off");
    if last_seq > lines {
        let (folder, archived) = (conf.data_dir.join("archive"), last_seq - lines);
        say!("the {archived} lines before it are in {}: copy that folder as well", folder.display());
    }
    Ok(())
}

async fn restore(conf: &StoreConf, from: Option<PathBuf>) -> anyhow::Result<()> {
    match from {
        Some(from) => {
            let (kept, verified) = upkeep::restore(conf, &from).await?;
            say!("restored {} lines from {}", verified.lines, from.display());
            if let Some(kept) = kept {
                say!("what was there is {}", kept.display());
            }
        }
        None => {
            anyhow::ensure!(
                !conf.url.starts_with("sqlite:"),
                "which file? Only PostgreSQL is restored by its own tools"
            );
            upkeep::mark_restored(conf).await?;
        }
    }
    say!("trading is halted. What happened after the copy is not known here: compare the brokers' lists, then set it");
    say!("active again (PUT /v1/trading-state)");
    Ok(())
}

fn tradable(what: Tradable) -> anyhow::Result<()> {
    let (known, text) = match what {
        Tradable::Show { text, place } => (instruments::load(&place.folder()?)?, text),
        Tradable::Import { files, place } => {
            let known = instruments::import(&place.folder()?, &files)?;
            say!("they hold from the next start on");
            (known, None)
        }
    };
    let all = known.instruments.iter();
    if let Some(text) = text {
        for one in all.filter(|one| one.symbol.as_str().contains(&*text) || one.name.contains(&*text)) {
            say!("{} {} {} {}", one.symbol, one.name, one.board, one.currency);
        }
        let issues = known.issues.iter();
        for one in issues.filter(|one| one.symbol.as_str().contains(&*text) || one.name.contains(&*text)) {
            say!("{} {} {} new issue on {} at {}", one.symbol, one.name, one.board, one.subscribe_on, one.price);
        }
        return Ok(());
    }
    let mut boards = BTreeMap::<String, usize>::new();
    all.for_each(|one| *boards.entry(one.board.to_string()).or_default() += 1);
    for (board, count) in boards {
        say!("{board}: {count}");
    }
    say!("new issues: {}", known.issues.len());
    Ok(())
}

fn actions(what: Actions) -> anyhow::Result<()> {
    let (known, text) = match what {
        Actions::Show { text, place } => (corporate::load(&place.folder()?)?, text),
        Actions::Import { files, place } => {
            let folder = place.folder()?;
            let known = corporate::import(&folder, &files, &Calendars::load(&folder)?.mainland)?;
            say!("they hold from the next start on; books of a day that has begun are not changed by them");
            (known, None)
        }
    };
    if let Some(text) = text {
        for one in known.iter().filter(|one| one.symbol.as_str().contains(&*text)) {
            let CorporateAction { symbol, ex_date, cash, bonus, transfer, rights, rights_price } = one;
            say!("{symbol},{ex_date},{cash},{bonus},{transfer},{rights},{rights_price}");
        }
        return Ok(());
    }
    let last = known.iter().map(|one| one.ex_date).max();
    say!("{} corporate actions, the last on {}", known.len(), last.map_or("-".to_owned(), |date| date.to_string()));
    Ok(())
}

fn calendars(what: Days) -> anyhow::Result<()> {
    let (today, _) = china_date_time(SystemClock.now());
    let folder = match what {
        Days::Show { place } => place.folder()?,
        Days::Import { files, place } => {
            let folder = place.folder()?;
            Calendars::import(&folder, &files, today)?;
            for file in files {
                say!("{} holds from the next start on", file.display());
            }
            folder
        }
    };
    for Reach { file, first, last, days_left } in Calendars::load(&folder)?.reach(today) {
        let hint = if days_left <= ALARM_DAYS { ": import new ones" } else { "" };
        say!("{file}: {first} to {last}, {days_left} days left{hint}");
    }
    Ok(())
}

async fn prove(store: &Store, rows: Rows) -> anyhow::Result<()> {
    let proof = replay::prove(store, rows).await?;
    for difference in &proof.differences {
        say!("{difference}");
    }
    if proof.behind > 0 {
        say!("{} rows of signals and legs are behind the journal: the next start brings them up", proof.behind);
    }
    anyhow::ensure!(proof.differences.is_empty(), "{} differences to the journal", proof.differences.len());
    let Proof { events, signals, orders, fills, state_hash, .. } = proof;
    say!(
        "state equal to the replay: {events} events, {signals} signals, {orders} orders, {fills} fills, \
         state {state_hash:016x}"
    );
    Ok(())
}

/// Opens the people alone. The accounts of a system that is built open with it, at the time that its market clock shows, and
/// no drill could start earlier any more.
async fn add_user(username: &str, roles: &[String], conf: Option<PathBuf>) -> anyhow::Result<()> {
    let password = std::env::var("SIGNALBOX_PASSWORD").context("the password is read from SIGNALBOX_PASSWORD")?;
    let roles = roles.iter().map(|role| role.parse::<Role>().with_context(|| format!("no role is called {role}")));
    let roles = roles.collect::<Result<Vec<_>, _>>()?;
    let settings = Settings::load(conf.as_deref())?;
    let store = Signalbox::open_store(&settings).await?;
    Signalbox::verify_newest(&store).await?;
    let people = People::open(store.clone(), settings.people, Arc::new(SystemClock)).await?;
    let made = if people.user(username).is_some() {
        Err(anyhow::anyhow!("there is a user {username} already; nothing was changed"))
    } else {
        let made = people.ensure_user(username, SecretString::from(password), roles, Vec::new()).await;
        made.map(|_| say!("user {username} is made")).map_err(Into::into)
    };
    // Closing waits for the writer's thread.
    tokio::task::spawn_blocking(move || store.close()).await.context("the store did not close in an orderly way")?;
    made
}

async fn demonstrate(demo: Demo) -> anyhow::Result<()> {
    let mut settings = Settings::demo()?;
    settings.listen = demo.listen;
    settings.data_dir.clone_from(&demo.data);
    settings.people.folder.clone_from(&demo.data);
    if let Some(database) = &demo.database {
        settings.database.clone_from(database);
    }
    anyhow::ensure!(
        demo.listen.ip().is_loopback(),
        "the demonstration listens on the loopback only: its accounts are play money, its administrator may trade"
    );
    let day = if demo.no_strategies { None } else { Some(RecordedDay::load()?) };
    let start = match (&demo.clock, &day) {
        (Some(text), _) => parse_clock(text)?,
        (None, day) => china_instant(day.as_ref().map_or(RecordedDay::DATE, |day| day.date), 9, 24, 50),
    };
    let speed = demo.speed();
    let listener_settings = (settings.listen, settings.workers);
    let system = Signalbox::build(settings, ClockStart::At { start, speed }).await?;
    if demo.clock.is_some() {
        tell_start(start, system.began);
    }
    ensure_admin(&system).await?;

    if let Some(day) = day {
        let (from, to) = (china_instant(day.date, 9, 24, 50), china_instant(day.date, 15, 0, 0));
        tokio::spawn(summary::show(system.clone(), from, to));
        rely_on("the recorded day", play(system.clone(), day));
    }
    listen_until_told_to_stop(system, listener_settings.0, listener_settings.1).await
}

impl Demo {
    fn speed(&self) -> u32 {
        self.speed.unwrap_or(if self.no_strategies { 1 } else { 60 })
    }
}

/// Signals of the demonstration that wait to be sent: its strategies make a few per second even at full speed.
const WISHES_MAX: usize = 1_024;

/// The recorded day, and the two strategies that watch it.
async fn play(system: Signalbox, day: RecordedDay) {
    let (wishes, mut wished) = tokio::sync::mpsc::channel(WISHES_MAX);
    let (mut dips, mut targets) = (signals::DipBuyer::default(), signals::Rebalancer::default());
    // What happened before this run is seen again, so that averages and targets go on where they were; its signals
    // meet their own keys and are not repeated.
    let before: Vec<_> = day.prints.iter().take_while(|print| print.at <= system.desk.now()).collect();
    for print in before {
        let _ = (dips.see(print), targets.see(print));
    }
    let sender = system.clone();
    rely_on("the demonstration's strategies", async move {
        while let Some(wish) = wished.recv().await {
            signals::send(&sender, wish).await;
        }
    });
    feed::play(&system, &day, |print| {
        for wish in dips.see(print).into_iter().chain(targets.see(print)) {
            if wishes.try_send(wish).is_err() {
                warn!("the demonstration's strategies want more than the desk takes: a wish is dropped");
            }
        }
    })
    .await;
    info!("the recorded day is over");
    say!("The recorded day is over; the accounts stay as they are. Start with another --data folder to see it again.");
}

async fn ensure_admin(system: &Signalbox) -> anyhow::Result<()> {
    if system.people.user("admin").is_some() {
        return Ok(());
    }
    let (password, made) = match std::env::var("SIGNALBOX_ADMIN_PASSWORD") {
        Ok(password) => (password, false),
        Err(_) => (random_password()?, true),
    };
    system
        .people
        .ensure_user("admin", SecretString::from(password.clone()), vec![Role::Admin], Vec::new())
        .await
        .context("the administrator cannot be made: is SIGNALBOX_ADMIN_PASSWORD long enough?")?;
    if made {
        say!("Administrator: admin   password (shown once): {password}");
    }
    Ok(())
}

fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn parse_clock(text: &str) -> anyhow::Result<Timestamp> {
    let instant: jiff::Timestamp =
        text.parse().with_context(|| format!("--clock {text} is no instant such as 2025-03-03T10:00:00+08:00"))?;
    Ok(Timestamp::from_us(instant.as_microsecond()))
}

async fn listen_until_told_to_stop(system: Signalbox, listen: SocketAddr, workers: usize) -> anyhow::Result<()> {
    crash_point("door.before_listen");
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let server = signalbox::http::serve(listener, workers, signalbox::http::install(&system)?)?;
    let handle = server.handle();
    let (store, desk, keep_days) = (system.store.clone(), system.desk.clone(), system.settings.journal_keep_days);
    let retention = tokio::spawn(retention::keep(store, keep_days, move || desk.now()));
    let serving = actix::spawn(server);
    say!("Signalbox listens on http://{address}  (try-it page: http://{address}/docs)");

    told_to_stop().await?;
    crash_point("drain.told");
    say!("Stopping: what is decided is made durable.");
    // Nothing new comes in; requests in progress are answered.
    handle.stop(true).await;
    if let Ok(Err(error)) = serving.await {
        error!("the front door ended with an error: {error}");
    }
    // What it has begun is done again by the next run.
    retention.abort();
    system.shut_down().await;
    Ok(())
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demonstration_runs_as_fast_as_it_is_told() {
        let speed = |arguments: &[&str]| {
            let all = ["signalbox", "demo"].iter().chain(arguments);
            let Command::Demo(demo) = Cli::try_parse_from(all).unwrap().command else { panic!("another command") };
            demo.speed()
        };
        assert_eq!((speed(&[]), speed(&["--no-strategies"])), (60, 1));
        assert_eq!((speed(&["--speed", "5"]), speed(&["--no-strategies", "--speed", "60"])), (5, 60));
    }
}
