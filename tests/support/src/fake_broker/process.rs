//! A fake broker as a test handles it: start, tell it what to do, kill, look at the truth.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use signalbox_brokers::fake::AccountTruth;
use signalbox_brokers::fake::fault::Arm;
pub use signalbox_brokers::fake::wire::Control;

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    exe: PathBuf,
    ledger: PathBuf,
    options: &'static [&'static str],
    at: SocketAddr,
    child: Child,
    http: reqwest::Client,
}

impl Process {
    /// Starts the program at `exe` on a ledger, at any free port.
    #[must_use]
    pub fn start(exe: &Path, ledger: &Path) -> Self {
        Self::start_with(exe, ledger, &[])
    }

    /// The same with options of `fake-broker serve`.
    #[must_use]
    pub fn start_with(exe: &Path, ledger: &Path, options: &'static [&'static str]) -> Self {
        let (child, at) = spawn(exe, ledger, options, "127.0.0.1:0");
        // A kept connection may have died with an earlier life.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        Self { exe: exe.to_owned(), ledger: ledger.to_owned(), options, at, child, http }
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// SIGKILL, and up again at the same address.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        (self.child, self.at) = spawn(&self.exe, &self.ledger, self.options, &self.at.to_string());
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill(); // it may be dead already
        let _ = self.child.wait();
    }

    /// # Panics
    /// When the broker does not do it.
    pub async fn control(&self, control: &Control) {
        let answer = self.http.post(format!("{}/control", self.url())).json(control).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{control:?}: {}", answer.text().await.unwrap_or_default());
    }

    /// # Panics
    /// When the broker does not do it.
    pub async fn arm(&self, arm: Arm) {
        self.control(&Control::Arm(arm)).await;
    }

    #[must_use]
    pub const fn at(&self) -> SocketAddr {
        self.at
    }

    /// Somebody who asks for the truth while this is killed and restarted.
    #[must_use]
    pub fn teller(&self) -> Teller {
        Teller { url: self.url(), http: self.http.clone() }
    }

    /// # Panics
    /// When the broker does not tell.
    pub async fn truth(&self) -> BTreeMap<String, AccountTruth> {
        let answer = self.http.get(format!("{}/truth", self.url())).send().await.expect("an answer");
        answer.json().await.expect("the truth")
    }
}

/// See [`Process::teller`].
#[derive(Debug, Clone)]
pub struct Teller {
    url: String,
    http: reqwest::Client,
}

impl Teller {
    /// `None` while the broker is not there.
    pub async fn truth(&self) -> Option<BTreeMap<String, AccountTruth>> {
        self.http.get(format!("{}/truth", self.url)).send().await.ok()?.json().await.ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(exe: &Path, ledger: &Path, options: &[&str], listen: &str) -> (Child, SocketAddr) {
    let mut command = Command::new(exe);
    command.args(["serve", "--listen", listen, "--ledger"]).arg(ledger).args(options);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the fake broker");
    let out = child.stdout.take().expect("its output");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("its first line");
    let at = line.trim().rsplit("http://").next().and_then(|at| at.parse().ok());
    (child, at.unwrap_or_else(|| panic!("the fake broker did not start: {line}")))
}
