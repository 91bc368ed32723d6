//! The hash chain of the journal: each line's hash covers the line and the hash before it, so that a line that was
//! changed, removed or added later does not fit any more.

use sha2::{Digest, Sha256};

use super::batch::JournalLine;

/// What stands before the first line.
pub(super) const GENESIS: [u8; 32] = [0; 32];

/// Each field with its length before it, so that no two different lines read the same.
pub(super) fn hash(prev: &[u8; 32], line: &JournalLine) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(prev);
    hasher.update(line.seq.to_be_bytes());
    hasher.update(line.at.us().to_be_bytes());
    hasher.update(line.signal.map_or(0, |id| id.get()).to_be_bytes());
    hasher.update(line.order.map_or(0, |id| id.get()).to_be_bytes());
    let account = line.account.as_ref().map(|id| id.as_str());
    let strategy = line.strategy.as_ref().map(|id| id.as_str());
    for text in [Some(&*line.actor), Some(&*line.cause), Some(&*line.kind), account, strategy, Some(&*line.payload)] {
        let len = text.map_or(u32::MAX, |text| text.len() as u32);
        hasher.update(len.to_be_bytes());
        hasher.update(text.unwrap_or_default());
    }
    hasher.finalize().into()
}
