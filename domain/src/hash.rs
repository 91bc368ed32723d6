//! A quick hash for our own keys: order numbers, account names and symbols.
//!
//! The standard hash withstands keys chosen by an enemy and costs a good part of an order's time. These keys come from
//! our own sequence and conf. A folded product mixes all bits into all, which the order numbers need: they differ in
//! their high bits.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by a key of ours. Not for keys that a client chooses.
pub type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<QuickHasher>>;

#[derive(Debug, Default)]
pub struct QuickHasher(u64);

impl QuickHasher {
    fn mix(&mut self, word: u64) {
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 / golden ratio, odd
        let product = u128::from(self.0 ^ word ^ 0x2545_f491_4f6c_dd1d) * u128::from(FACTOR);
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks();
        for chunk in chunks {
            self.mix(u64::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            self.mix(rest.iter().fold(1, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;
    use crate::ids::{AccountId, SignalId};

    #[test]
    fn keys_spread_over_the_low_bits_and_the_high_bits() {
        let account = AccountId::parse("paper-a").expect("a name");
        let hasher = BuildHasherDefault::<QuickHasher>::default();
        let hashes: Vec<u64> =
            (1..=4096).map(|signal| hasher.hash_one((SignalId::new(signal).parent(0).order(1), &account))).collect();
        let low: BTreeSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
        let high: BTreeSet<u64> = hashes.iter().map(|hash| hash >> 52).collect();
        // 4096 balls thrown at random into 4096 boxes hit about 2589 of them.
        assert!(low.len() > 2400, "{}", low.len());
        assert!(high.len() > 2400, "{}", high.len());
    }
}
