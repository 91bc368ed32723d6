//! Room on the disk that is kept for a bad day: a file of the size that the results of everything that is out need. It is
//! given back when a write finds the disk full, and the next start writes down what brokers say.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{StoreConf, StoreError};

/// The file, or nothing where no ballast is wanted.
#[derive(Debug, Clone)]
pub(super) struct Ballast {
    file: PathBuf,
    bytes: u64,
}

impl Ballast {
    pub(super) fn of(conf: &StoreConf) -> Self {
        // PostgreSQL's disk is another one.
        let bytes = if conf.url.starts_with("sqlite:") { conf.ballast_bytes } else { 0 };
        Self { file: conf.data_dir.join("ballast"), bytes }
    }

    /// Takes the room, unless that would leave less than `floor_bytes` of `free_bytes`: then new signals are refused, and
    /// to keep more back would only make that worse. Without it the store works as well.
    pub(super) fn take(&self, free_bytes: u64, floor_bytes: u64) {
        let held = std::fs::metadata(&self.file).map_or(0, |found| found.len());
        if held == self.bytes || free_bytes.saturating_add(held) < floor_bytes.saturating_add(self.bytes) {
            return;
        }
        self.give_back();
        if self.bytes > 0
            && let Err(error) = allocate(&self.file, self.bytes)
        {
            tracing::warn!(%error, "no room could be kept for a full disk");
            self.give_back();
        }
    }

    /// Gives the room back when that is what the error is about; whether there was any.
    pub(super) fn give_back_if_full(&self, error: &StoreError) -> bool {
        let given = is_full(error) && self.give_back();
        if given {
            tracing::error!(store.ballast_bytes = self.bytes, "the disk is full: the room that was kept is given back");
        }
        given
    }

    fn give_back(&self) -> bool {
        match std::fs::remove_file(&self.file) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => {
                tracing::warn!(%error, "the room that was kept cannot be given back");
                false
            }
        }
    }
}

fn allocate(file: &Path, bytes: u64) -> std::io::Result<()> {
    let file: File = OpenOptions::new().write(true).create(true).truncate(true).open(file)?;
    fs4::FileExt::allocate(&file, bytes)
}

fn is_full(error: &StoreError) -> bool {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        // SQLite's own words, which pass through the migrations' errors as well; its codes do not.
        if error.to_string().contains("database or disk is full") {
            return true;
        }
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::StorageFull) {
            return true;
        }
        next = error.source();
    }
    false
}
