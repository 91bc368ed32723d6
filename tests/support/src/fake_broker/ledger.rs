//! The ledger on disk: one line of JSON per fact, appended and flushed; a line that was torn by a kill never counted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use signalbox_brokers::fake::truth::Truth;

#[derive(Debug)]
pub struct Ledger(File);

/// The whole lines of a ledger.
///
/// # Errors
/// When the file cannot be read, or a whole line is no fact.
pub fn read(path: &Path) -> io::Result<Vec<Truth>> {
    parse(&std::fs::read_to_string(path)?)
}

fn parse(text: &str) -> io::Result<Vec<Truth>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).map_err(io::Error::other)).collect()
}

impl Ledger {
    /// Opens the ledger and gives what it holds. What was torn at its end is cut off.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Truth>)> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self(file), parse(&text)?))
    }

    /// Returns when the lines are durable.
    ///
    /// # Errors
    /// When they are not.
    pub fn append(&mut self, lines: &[Truth]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        self.0.write_all(&text)?;
        self.0.sync_data()
    }
}
