//! Walks the README's walk through the API: its blocks as they are printed, in order, in one bash, against the real
//! program. What a comment behind a command says is to be seen has to be seen, and the Chinese README has the same
//! blocks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ENGLISH: &str = include_str!("../README.md");
const CHINESE: &str = include_str!("../README.zh-CN.md");
const BINARY: &str = env!("CARGO_BIN_EXE_signalbox");
/// The whole walk takes a few seconds. One that waits for ever is ended, with everything that it started.
const WALK_SECONDS: &str = "120";
/// Printed after each block. No command of the walk prints it.
const END_OF_BLOCK: &str = "--- end of block ---";

/// What has to be seen in full, by the number of its block: no comment of the README has the room for it.
const SEEN: [(usize, &[&str]); 3] = [
    (
        5,
        &[
            "fill-3 paper-c buy 200 10.48 5.02",
            "fill-2 paper-b buy 500 10.48 5.05",
            "fill-1 paper-a buy 1000 10.48 5.10",
        ],
    ),
    (6, &["paper-a 600000.SH 1000 sellable 0", "paper-b 600000.SH 500 sellable 0", "paper-c 600000.SH 200 sellable 0"]),
    (9, &["*"; 5]),
];

#[test]
fn the_walk_of_the_readme_shows_what_it_says() {
    if let Err(wrong) = walk(ENGLISH) {
        panic!("{wrong}");
    }
}

#[test]
fn a_walk_that_shows_something_else_is_noticed() {
    // A word that is not true, and a key that belongs to another signal.
    for (said, planted) in [("# sig-1: done", "# sig-1: expired"), ("Key: walk-4", "Key: walk-3")] {
        assert!(ENGLISH.contains(said), "{said} is not in the walk");
        assert!(walk(&ENGLISH.replace(said, planted)).is_err(), "{planted} was not noticed");
    }
}

#[test]
fn both_languages_walk_the_same_way() {
    assert_eq!(blocks(ENGLISH, "sh walk-through"), blocks(CHINESE, "sh walk-through"));
    assert_eq!(start_of(ENGLISH), start_of(CHINESE));
}

/// Starts the program as the README says, walks, stops it, and lets it prove itself.
fn walk(readme: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let start = start_of(readme);
    let program = Program::start(&start, &data);

    let blocks = blocks(readme, "sh walk-through");
    let mut script = "set -euo pipefail\n".to_owned();
    for block in &blocks {
        script.push_str(&format!("{block}\necho '{END_OF_BLOCK}'\n"));
    }
    let output = Command::new("timeout")
        .args([WALK_SECONDS, "bash", "-c", &script])
        .env("SIGNALBOX_URL", &program.url)
        .env("SIGNALBOX_ADMIN_PASSWORD", &start.password)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (shown, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("the walk ended with {}:\n{shown}{complained}", output.status));
    }
    let shown: Vec<&str> = shown.split(END_OF_BLOCK).collect();
    assert_eq!(shown.len(), blocks.len() + 1, "{shown:?}");
    for (n, (block, shown)) in blocks.iter().zip(shown).enumerate() {
        let lines: Vec<String> =
            shown.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        let claimed = claims(block);
        let full = SEEN.iter().filter(|(of, _)| *of == n + 1).flat_map(|(_, lines)| lines.iter().copied());
        for said in [claimed.iter().map(String::as_str).collect::<Vec<_>>(), full.collect()] {
            if let Some(missing) = first_missing(&said, &lines) {
                return Err(format!("block {} says {missing}, and shows {lines:#?}", n + 1));
            }
        }
    }

    program.stop();
    for (command, proof) in
        [(&["audit", "verify"][..], "the chain is whole"), (&["replay"], "state equal to the replay")]
    {
        let output = Command::new(BINARY).args(command).arg("--data").arg(&data).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || !said.contains(proof) {
            return Err(format!("signalbox {}: {said}{}", command.join(" "), String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(())
}

/// The fenced blocks whose fence says `info`, without the fences.
fn blocks(readme: &str, info: &str) -> Vec<String> {
    let (fence, mut found, mut block) = (format!("```{info}"), Vec::new(), None::<String>);
    for line in readme.lines() {
        match &mut block {
            None if line == fence => block = Some(String::new()),
            None => {}
            Some(_) if line == "```" => found.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    assert!(!found.is_empty(), "there is a block {info}");
    found
}

/// What the README wants typed into the first terminal.
#[derive(Debug, PartialEq, Eq)]
struct Start {
    password: String,
    /// For `signalbox demo`, but for the folder.
    arguments: Vec<String>,
}

fn start_of(readme: &str) -> Start {
    let block = blocks(readme, "sh").into_iter().find(|block| block.contains("--data data/walk-through")).unwrap();
    let (_, rest) = block.split_once("SIGNALBOX_ADMIN_PASSWORD='").unwrap();
    let (password, rest) = rest.split_once('\'').unwrap();
    let (_, arguments) = rest.split_once("./ops/run").unwrap();
    let arguments = arguments.split_whitespace().filter(|word| *word != "\\").map(str::to_owned);
    let arguments: Vec<String> = arguments.take_while(|word| word != "--data").collect();
    Start { password: password.to_owned(), arguments }
}

/// What the comments behind a block's commands say is to be seen: several lines are told apart by ` / `, and `...`
/// stands for anything. Comments that have their line to themselves explain, unless they are set far to the right.
fn claims(block: &str) -> Vec<String> {
    let mut claims = Vec::new();
    for line in block.lines() {
        let comment = line.find("  # ").map(|at| at + 2).filter(|at| *at >= 20);
        let Some(at) = comment else { continue };
        let said = line[at + 2..].split(" (").next().unwrap().trim_end_matches(" and two more");
        claims.extend(said.split(" / ").map(|said| said.replace("...", "*")));
    }
    claims
}

/// The first of `said` that is not among the lines, after the lines of those before it.
fn first_missing<'a>(said: &[&'a str], lines: &[String]) -> Option<&'a str> {
    let mut rest = lines.iter();
    said.iter().copied().find(|said| !rest.any(|line| fits(line, said)))
}

fn fits(line: &str, said: &str) -> bool {
    match said.split_once('*') {
        None => line == said,
        Some((before, after)) => {
            line.len() >= before.len() + after.len() && line.starts_with(before) && line.ends_with(after)
        }
    }
}

/// The program in the first terminal, on a port that was free.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(start: &Start, data: &Path) -> Self {
        let log = std::fs::File::create(data.with_extension("log")).unwrap();
        let mut child = Command::new(BINARY)
            .arg("demo")
            .args(&start.arguments)
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("SIGNALBOX_ADMIN_PASSWORD", &start.password)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.by_ref().find_map(|line| {
            line.strip_prefix("Signalbox listens on ").and_then(|rest| rest.split(' ').next().map(str::to_owned))
        });
        // The pipe is read to its end, so that the program never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        let program = Self { child, url: url.unwrap_or_default() };
        let log = || std::fs::read_to_string(data.with_extension("log")).unwrap_or_default();
        assert!(!program.url.is_empty(), "the program did not start: {}", log());
        program
    }

    fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both say nothing new of one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
