//! The program under test as an operator handles it: start, wait until it is ready, kill, stop.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A debug build on a busy machine needs a second; one that needs this long hangs.
const READY_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(2);

/// One life of the program.
#[derive(Debug)]
pub struct Program {
    child: Child,
    pub url: String,
    /// From the start of the process to the first "ready".
    pub recovery: Duration,
    /// From the start of the process until its door was open.
    pub opened: Duration,
    /// What it said last of why it was not ready yet.
    pub waited_for: Option<String>,
}

/// Starts it without waiting for anything; what it complains of is appended to the log.
#[must_use]
pub fn spawn(command: &mut Command, log: &Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap()
}

impl Program {
    /// Waits until what was started on the folder is ready.
    pub async fn ready(started: Instant, child: Child, log: &Path) -> Self {
        match Self::comes_up(started, child, log).await {
            Ok(program) => program,
            Err(status) => panic!("the program did not start ({status}): {}", tail(log)),
        }
    }

    /// The same for a program that may have a reason not to start.
    ///
    /// # Errors
    /// How it ended before it was ready.
    pub async fn comes_up(started: Instant, mut child: Child, log: &Path) -> Result<Self, ExitStatus> {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = tokio::task::spawn_blocking(move || {
            let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
                let (_, rest) = line.split_once("Signalbox listens on ")?;
                rest.split_whitespace().next().map(str::to_owned)
            });
            // The pipe is read to its end, so that the program never waits for us.
            std::thread::spawn(move || lines.for_each(drop));
            url
        })
        .await
        .unwrap();
        // Without that line its output has ended, and so has it.
        let Some(url) = url else { return Err(child.wait().unwrap()) };
        let opened = started.elapsed();
        let http = reqwest::Client::new();
        let ready = format!("{url}/readyz");
        let mut waited_for = None;
        loop {
            waited_for = Some(match http.get(&ready).send().await {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(error) => error.to_string(),
            });
            if let Some(status) = child.try_wait().unwrap() {
                return Err(status);
            }
            assert!(started.elapsed() < READY_WITHIN, "not ready: {}", tail(log));
            tokio::time::sleep(POLL).await;
        }
        Ok(Self { child, url, recovery: started.elapsed(), opened, waited_for })
    }

    /// Its number, for signals that a test sends.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no line of the program runs any more.
    pub fn kill(self) {
        let status = self.killed();
        assert_eq!(status.code(), None, "the program ended by itself before it was killed: {status}");
    }

    /// How it ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL, and how it ended: by that, or by itself before.
    pub fn killed(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    /// How it ended by itself, if it does so in time.
    pub async fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let began = now();
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || began.elapsed() > limit {
                return status;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// One line on its standard input.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until it ends by itself, and says how.
    pub async fn ended(self) -> ExitStatus {
        let Self { mut child, .. } = self;
        tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap()
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }
}

/// The end of a program's log.
#[must_use]
pub fn tail(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let from = log.len().saturating_sub(4_000);
    log.get(from..).unwrap_or(&log).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the driver stands outside of the market")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}
