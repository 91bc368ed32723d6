//! A disk that fails on purpose, put under one process: see `shim/disk.c`, which is compiled here and does the work.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::drill::Dice;

/// What goes wrong at the N-th operation. The words are the shim's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Count,
    Eio,
    Full,
    Short,
    Torn,
    Lost,
    Part,
    Lie,
}

impl Kind {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Eio => "eio",
            Self::Full => "full",
            Self::Short => "short",
            Self::Torn => "torn",
            Self::Lost => "lost",
            Self::Part => "part",
            Self::Lie => "lie",
        }
    }
}

/// One fault. `at` counts from 1; 0 counts only.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: Kind,
    pub at: u64,
    /// The power is cut so many operations later, or when the process ends before.
    pub cut: Option<u64>,
    pub seed: u64,
}

/// A kind of fault with a name, and within how many further operations the power is cut.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub name: &'static str,
    kind: Kind,
    cut_within: Option<u64>,
}

/// Everything that nothing may be lost by. `Lie` is not among them: against that no program helps.
pub const PLANS: [Plan; 7] = [
    Plan { name: "eio", kind: Kind::Eio, cut_within: None },
    Plan { name: "eio-cut", kind: Kind::Eio, cut_within: Some(200) },
    Plan { name: "full", kind: Kind::Full, cut_within: None },
    Plan { name: "short", kind: Kind::Short, cut_within: None },
    Plan { name: "torn", kind: Kind::Torn, cut_within: None },
    Plan { name: "lost", kind: Kind::Lost, cut_within: None },
    Plan { name: "part", kind: Kind::Part, cut_within: None },
];

impl Plan {
    #[must_use]
    pub fn at(self, at: u64, dice: &mut Dice) -> Fault {
        let cut = self.cut_within.map(|within| dice.between(0, within));
        Fault { kind: self.kind, at, cut, seed: dice.next() }
    }
}

/// What the shim saw.
#[derive(Debug, Clone)]
pub struct Seen {
    pub operations: u64,
    /// Whether the fault happened.
    pub met: bool,
    /// The operation that it hit, its file, place and length.
    pub what: String,
}

/// The compiled shim.
#[derive(Debug)]
pub struct Disk {
    library: PathBuf,
    report: PathBuf,
}

impl Disk {
    /// Compiles the shim into `folder`, which must not be the folder under test. A C compiler is where Rust links.
    #[must_use]
    pub fn compile(folder: &Path) -> Self {
        let library = folder.join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/shim/disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
            .args([&library, Path::new(source)])
            .args(["-ldl", "-lpthread"])
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { library, report: folder.join("disk.report") }
    }

    /// Puts the disk under a command for everything below `data`, which has to exist.
    pub fn under(&self, command: &mut Command, data: &Path, fault: Fault) {
        let _ = std::fs::remove_file(&self.report); // of the run before
        command
            .env("LD_PRELOAD", &self.library)
            .env("DISK_FOLDER", data.canonicalize().unwrap())
            .env("DISK_REPORT", &self.report)
            .env("DISK_KIND", fault.kind.word())
            .env("DISK_AT", fault.at.to_string())
            .env("DISK_SEED", fault.seed.to_string());
        if let Some(cut) = fault.cut {
            command.env("DISK_CUT", cut.to_string());
        }
    }

    /// What happened, once the process has ended.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let text = std::fs::read_to_string(&self.report).unwrap_or_default();
        let mut parts = text.trim().splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_default();
        Seen { operations: next().parse().unwrap_or(0), met: next() == "1", what: next().to_owned() }
    }
}
