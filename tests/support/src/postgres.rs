//! A private PostgreSQL server on the loopback that a test may kill. It flushes as a real one does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    bin: PathBuf,
    data: PathBuf,
    port: u16,
    /// PostgreSQL refuses to run as root.
    root: bool,
}

impl Server {
    /// Makes a cluster below `folder`, which others must be able to enter, and starts it. `None`: there is no
    /// PostgreSQL on this machine.
    #[must_use]
    pub fn start(folder: &Path) -> Option<Self> {
        let bin = programs()?;
        let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let home = folder.join("postgres");
        std::fs::create_dir(&home).unwrap();
        if root {
            // The folder's owner is root, and only the owner may enter it.
            succeed(Command::new("chmod").arg("755").arg(folder));
            succeed(Command::new("chown").arg("postgres").arg(&home));
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { bin, data: home.join("data"), port, root };
        let data = server.data.as_os_str();
        server
            .run("initdb", [OsStr::new("-D"), data, "-Upostgres".as_ref(), "-Atrust".as_ref(), "--locale=C".as_ref()]);
        server.restart();
        Some(server)
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it again after [`Server::kill`]; it recovers from its log.
    pub fn restart(&self) {
        let options = format!("-c listen_addresses=127.0.0.1 -p {} -k '' -c fsync=on", self.port);
        let log = self.data.with_extension("log");
        self.run(
            "pg_ctl",
            [
                OsStr::new("-D"),
                self.data.as_os_str(),
                "-l".as_ref(),
                log.as_os_str(),
                "-w".as_ref(),
                "-o".as_ref(),
                options.as_ref(),
                "start".as_ref(),
            ],
        );
    }

    /// As a crash: nothing is finished, nothing is flushed, every connection breaks.
    pub fn kill(&self) {
        self.run(
            "pg_ctl",
            [OsStr::new("-D"), self.data.as_os_str(), "-m".as_ref(), "immediate".as_ref(), "stop".as_ref()],
        );
    }

    fn run<const N: usize>(&self, program: &str, args: [&OsStr; N]) {
        succeed(self.command(program).args(args));
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = if self.root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(&self.data).args(["-m", "immediate", "stop"]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status(); // it may be down already
    }
}

/// Debian and Ubuntu keep the server's programs out of the PATH.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let bins = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths: Vec<PathBuf> = std::env::split_paths(&path).collect();
    bins.chain(paths).find(|bin| bin.join("initdb").is_file() && bin.join("pg_ctl").is_file())
}

fn succeed(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
