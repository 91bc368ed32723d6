//! Keeps the house in order: who may import whom, words that do not belong, notes on data, the size of files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// One crate and all that it may use, tests apart. A new line here is a decision, not a formality.
struct MayUse {
    package: &'static str,
    ours: &'static [&'static str],
    /// `None` for the program around the cores, which may use anything.
    others: Option<&'static [&'static str]>,
}

const TABLE: &[MayUse] = &[
    MayUse {
        package: "signalbox-domain",
        ours: &[],
        others: Some(&["jiff", "serde", "strum", "thiserror"]), // jiff for the calendar only
    },
    MayUse {
        package: "signalbox-brokers",
        ours: &["signalbox-domain"],
        // reqwest, tokio and tracing for adapters that talk to a network only, behind features
        others: Some(&["async-trait", "reqwest", "serde", "strum", "thiserror", "tokio", "tracing"]),
    },
    MayUse {
        package: "signalbox-sim",
        ours: &["signalbox-brokers", "signalbox-domain"],
        others: Some(&["futures-util", "rand_chacha"]), // dice that a seed makes
    },
    MayUse {
        package: "signalbox-actors",
        ours: &["signalbox-brokers", "signalbox-domain"],
        others: Some(&["actix", "async-trait", "futures-util", "thiserror", "tokio", "tracing"]),
    },
    MayUse { package: "signalbox-migrations", ours: &[], others: Some(&["sea-orm-migration"]) },
    MayUse {
        package: "signalbox",
        ours: &["signalbox-actors", "signalbox-brokers", "signalbox-domain", "signalbox-migrations", "signalbox-sim"],
        others: None,
    },
    MayUse {
        package: "signalbox-support",
        ours: &["signalbox", "signalbox-actors", "signalbox-brokers", "signalbox-domain", "signalbox-migrations"],
        others: None,
    },
];

/// What must not come into the domain by any road: these wait, ask the time, talk to a network or throw dice.
const NEVER_IN_DOMAIN: &[&str] = &[
    "actix",
    "async-std",
    "chrono",
    "fastrand",
    "futures",
    "futures-util",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "rayon",
    "reqwest",
    "rustls",
    "sea-orm",
    "smol",
    "socket2",
    "sqlx",
    "time",
    "tokio",
    "ureq",
];

const LINES_MAX: usize = 900;

#[test]
fn each_crate_imports_only_what_the_table_allows() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata.workspace_packages().iter().map(|p| p.name.as_str()).collect();
    let listed: BTreeSet<&str> = TABLE.iter().map(|row| row.package).collect();
    assert_eq!(members, listed, "the table lists every crate of ours, and no other");
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let row = TABLE.iter().find(|row| row.package == package.name.as_str()).expect("listed");
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            let name = dependency.name.as_str();
            let allowed = match listed.contains(name) {
                true => row.ours.contains(&name),
                false => row.others.is_none_or(|others| others.contains(&name)),
            };
            if !allowed {
                wrong.push(format!("{} uses {name}", row.package));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_that_waits_or_asks_the_time_comes_into_the_domain_by_any_road() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let domain = metadata.packages.iter().find(|p| p.name.as_str() == "signalbox-domain").expect("the domain");
    let (mut open, mut met) = (vec![&domain.id], BTreeSet::new());
    while let Some(id) = open.pop() {
        if !met.insert(id) {
            continue;
        }
        let normal = |kinds: &[cargo_metadata::DepKindInfo]| kinds.iter().any(|k| k.kind == DependencyKind::Normal);
        open.extend(nodes[id].deps.iter().filter(|d| normal(&d.dep_kinds)).map(|d| &d.pkg));
    }
    let names: BTreeSet<&str> =
        metadata.packages.iter().filter(|p| met.contains(&p.id)).map(|p| p.name.as_str()).collect();
    let wrong: Vec<&&str> = NEVER_IN_DOMAIN.iter().filter(|name| names.contains(**name)).collect();
    assert!(wrong.is_empty(), "the domain pulls in {wrong:?}");
}

#[test]
fn the_domain_has_no_clock_no_input_no_output_and_no_floats() {
    const BANNED: &[&str] = &[
        "std::time",
        "Instant::now",
        "SystemTime",
        "std::fs",
        "std::net",
        "std::thread",
        "std::env",
        "std::process",
        "async fn",
        ".await",
        "f32",
        "f64",
        "rand::",
    ];
    let files = files(&["rs"]).into_iter().filter(|file| file.name.starts_with("domain/src/"));
    report(files.flat_map(|file| find(&file, BANNED, Look::Code)));
}

#[test]
fn code_keeps_no_promises_and_silences_nobody() {
    let banned = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
    ];
    report(files(&["rs"]).iter().flat_map(|file| find(file, &banned, Look::Code)));
    let banned = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let endings = &["rs", "md", "toml", "ts", "py", "yml", "yaml", "sh"];
    report(files(endings).iter().flat_map(|file| find(file, &banned, Look::All)));
}

#[test]
fn an_unwrap_outside_of_tests_says_why() {
    let test_only = test_modules();
    let product = files(&["rs"]).into_iter().filter(|file| !file.is_test() && !test_only.contains(&file.path));
    let mut wrong = Vec::new();
    for file in product {
        let reasoned = file.text.contains("clippy::unwrap_used, reason");
        if !reasoned {
            wrong.extend(find(&file, &[concat!(".unw", "rap()")], Look::Product));
        }
    }
    report(wrong);
}

#[test]
fn every_folder_of_data_says_whose_it_is() {
    let mut folders = BTreeSet::new();
    for file in files(&["csv", "gz", "json", "parquet", "zst"]) {
        if file.name.starts_with("conf/") {
            folders.extend(file.path.parent().map(Path::to_path_buf));
        }
    }
    assert!(!folders.is_empty(), "there is data");
    let bare =
        |folder: &&PathBuf| !["LICENSE", "LICENSE.md", "LICENSE.txt"].iter().any(|name| folder.join(name).is_file());
    let wrong: Vec<_> = folders.iter().filter(bare).collect();
    assert!(wrong.is_empty(), "no LICENSE in {wrong:?}");
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let long = files(&["rs", "ts", "py", "css", "html", "sh"])
        .into_iter()
        .filter(|file| file.text.lines().count() > LINES_MAX);
    let wrong: Vec<String> = long.map(|file| format!("{}: {} lines", file.name, file.text.lines().count())).collect();
    assert!(wrong.is_empty(), "longer than {LINES_MAX} lines: {wrong:#?}");
}

#[test]
fn no_file_knows_the_machine_that_it_was_written_on() {
    let roots = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/"), concat!("C:\\Us", "ers\\")];
    let endings =
        &["rs", "md", "toml", "ts", "py", "yml", "yaml", "sh", "json", "snap", "csv", "txt", "html", "service"];
    let mut wrong = Vec::new();
    for file in files(endings) {
        for (n, line) in file.text.lines().enumerate() {
            for root in roots {
                // A path begins a word; inside of one it is part of an address.
                let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}~/".contains(c));
                if line.match_indices(root).any(|(at, _)| begins(at)) {
                    wrong.push(format!("{}:{}: {root}", file.name, n + 1));
                }
            }
        }
    }
    report(wrong);
}

/// The reliability design numbers the ways in which an order can be lost or doubled. Each has a test that bears its
/// number, or a line in the scoreboard that says why it cannot occur here or yet.
#[test]
fn every_way_to_fail_has_its_test_or_its_reason() {
    const WAYS: u32 = 67;
    let mut held: BTreeSet<u32> = BTreeSet::new();
    for file in files(&["rs"]) {
        for line in file.text.lines().map(str::trim) {
            let line = line.strip_prefix("async ").unwrap_or(line);
            // A function, or a story by its name.
            let name = line.strip_prefix("fn ").or_else(|| line.ends_with(": \"").then_some(line));
            let mut rest = name.unwrap_or_default();
            while let Some(number) = rest.strip_prefix('f').and_then(|rest| rest.get(..2)?.parse().ok()) {
                held.insert(number);
                rest = rest.get(4..).unwrap_or_default();
            }
        }
    }
    let board = fs::read_to_string(root().join("docs/VERIFICATION.md")).expect("the scoreboard");
    for line in board.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let number = cells.next().and_then(|cell| cell.strip_prefix('F')?.parse::<u32>().ok());
        if let (Some(number), Some(reason)) = (number, cells.next())
            && reason.len() > 20
        {
            held.insert(number);
        }
    }
    report((1..=WAYS).filter(|way| !held.contains(way)).map(|way| format!("F{way:02}: neither a test nor a reason")));
}

/// A text file of the project.
struct File {
    path: PathBuf,
    /// From the project's root, with slashes.
    name: String,
    text: String,
}

impl File {
    /// Tests and the programs for them.
    fn is_test(&self) -> bool {
        self.name.starts_with("tests/") || self.name.contains("/tests/")
    }
}

/// Which part of a file counts.
#[derive(PartialEq, Clone, Copy)]
enum Look {
    All,
    /// Without comments.
    Code,
    /// Without comments and without the tests at its end.
    Product,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// As one platform sees it, so that the answer is the same everywhere and needs no crate of another.
fn metadata() -> Metadata {
    const PLATFORM: [&str; 3] = ["--locked", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options(PLATFORM.map(str::to_owned));
    command.exec().expect("cargo metadata")
}

fn files(endings: &[&str]) -> Vec<File> {
    const ELSEWHERE: &[&str] = &["target", "node_modules", "dist", "vendor", "proptest-regressions"];
    let (mut open, mut found) = (vec![root().to_path_buf()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') || ELSEWHERE.contains(&name) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|e| ending == *e)) {
                let relative = path.strip_prefix(root()).expect("below the root");
                let name = relative.to_string_lossy().replace('\\', "/");
                let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
                found.push(File { path, name, text });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Files that exist for tests only: declared as a module right after `#[cfg(test)]`.
fn test_modules() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for file in files(&["rs"]) {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let Some(module) = pair[1].strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) else { continue };
            if pair[0] == "#[cfg(test)]" {
                let beside = file.path.with_file_name(format!("{module}.rs"));
                let below = file.path.with_extension("").join(format!("{module}.rs"));
                found.extend([beside, below]);
            }
        }
    }
    found
}

/// The places where one of the words stands, as words of their own.
fn find(file: &File, words: &[&str], look: Look) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = file.text.lines().enumerate().peekable();
    while let Some((n, line)) = lines.next() {
        if look == Look::Product
            && line.trim() == "#[cfg(test)]"
            && lines.peek().is_some_and(|(_, next)| next.trim().starts_with("mod ") && next.trim().ends_with('{'))
        {
            break;
        }
        let line = if look == Look::All { line } else { line.split("//").next().unwrap_or_default() };
        for word in words {
            let whole = |at: usize| {
                let inner = |c: char| c.is_alphanumeric() || c == '_';
                let before = word.starts_with(inner) && line[..at].ends_with(inner);
                let after = word.ends_with(inner) && line[at + word.len()..].starts_with(inner);
                !before && !after
            };
            if line.match_indices(word).any(|(at, _)| whole(at)) {
                found.push(format!("{}:{}: {word}", file.name, n + 1));
            }
        }
    }
    found
}

#[track_caller]
fn report(found: impl IntoIterator<Item = String>) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{found:#?}");
}
