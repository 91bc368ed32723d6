//! The program under test as an operator handles it: start, wait until it is ready, kill, stop.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PASSWORD: &str = "correct-horse-battery";
const BINARY: &str = env!("CARGO_BIN_EXE_signalbox");
/// A debug build on a busy machine needs a second; one that needs this long hangs.
const READY_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(2);

/// One life of the program.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
    /// From the start of the process to the first "ready".
    pub(crate) recovery: Duration,
}

/// Starts on the folder without waiting for anything.
#[must_use]
pub(crate) fn spawn(data: &Path, clock: &str) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log_of(data)).unwrap();
    Command::new(BINARY)
        .args(["demo", "--no-strategies", "--listen", "127.0.0.1:0", "--clock", clock, "--data"])
        .arg(data)
        .env("SIGNALBOX_ADMIN_PASSWORD", PASSWORD)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Beside the data folder, because that is what is under test.
#[must_use]
pub(crate) fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

impl Program {
    pub(crate) async fn start(data: &Path, clock: &str) -> Self {
        Self::ready(now(), spawn(data, clock), data).await
    }

    /// Waits until what was started on the folder is ready.
    pub(crate) async fn ready(started: Instant, mut child: Child, data: &Path) -> Self {
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
        let Some(url) = url else { panic!("the program did not start: {}", tail(data)) };
        let http = reqwest::Client::new();
        let ready = format!("{url}/readyz");
        while !http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(started.elapsed() < READY_WITHIN, "not ready: {}", tail(data));
            tokio::time::sleep(POLL).await;
        }
        Self { child, url, recovery: started.elapsed() }
    }

    /// SIGKILL: no line of the program runs any more.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), None, "the program ended by itself before it was killed: {status}");
    }

    /// One line on its standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until it ends by itself, and says how.
    pub(crate) async fn ended(self) -> ExitStatus {
        let Self { mut child, .. } = self;
        tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap()
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(self) -> ExitStatus {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        self.ended().await
    }
}

/// Runs a subcommand to its end.
#[must_use]
pub(crate) fn run(args: &[&str], data: &Path) -> Output {
    Command::new(BINARY).args(args).arg("--data").arg(data).env("RUST_LOG", "error").output().unwrap()
}

/// Runs a subcommand that has to succeed; what it printed.
pub(crate) fn succeed(args: &[&str], data: &Path) -> String {
    let output = run(args, data);
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "signalbox {}: {said}{complained}", args.join(" "));
    said.into_owned()
}

/// The end of the program's log.
#[must_use]
pub(crate) fn tail(data: &Path) -> String {
    let log = std::fs::read_to_string(log_of(data)).unwrap_or_default();
    let from = log.len().saturating_sub(4_000);
    log.get(from..).unwrap_or(&log).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the driver stands outside of the market")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
