//! Tables of recorded data for tests: plain fields without quotes, packed or not.

use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;

/// A table with a header row.
pub(crate) struct Csv {
    header: Vec<String>,
    lines: Vec<String>,
}

#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    table: &'a Csv,
    line: &'a str,
}

impl Csv {
    pub(crate) fn text(text: &str) -> Self {
        let mut lines = text.lines().map(str::to_owned);
        let header = lines.next().expect("a header").split(',').map(str::to_owned).collect();
        Self { header, lines: lines.collect() }
    }

    pub(crate) fn gz(bytes: &[u8]) -> Self {
        let mut text = String::new();
        GzDecoder::new(bytes).read_to_string(&mut text).expect("a packed table");
        Self::text(&text)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.lines.iter().map(|line| Row { table: self, line })
    }
}

impl<'a> Row<'a> {
    pub(crate) fn get(&self, name: &str) -> &'a str {
        self.find(name).unwrap_or_else(|| panic!("no column {name}"))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'a str> {
        let at = self.table.header.iter().position(|column| column == name)?;
        self.line.split(',').nth(at)
    }
}

/// The files of the folder that may only be read in place; `None`, with a line that says so, where it is absent.
pub(crate) fn internal(names: &[&str]) -> Option<Vec<Vec<u8>>> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/internal");
    let folder = std::env::var_os("SIGNALBOX_INTERNAL_DATA").map_or_else(beside, PathBuf::from);
    let files: Result<Vec<_>, _> = names.iter().map(|name| std::fs::read(folder.join(name))).collect();
    if files.is_err() {
        println!("skipped: {} is not there", folder.join(names[0]).display());
    }
    files.ok()
}
