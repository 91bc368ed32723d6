//! The end of a process, and the start of the next.

use super::{Stage, after};

impl Stage {
    /// After `kill`, or in one moment. `restart [keeping N] [blind]`: of the journal that is held back so many entries became durable. The feed shows all its
    /// prices at once, unless the start is blind: then only what the story quotes from there on is known.
    pub(super) fn restart(&mut self, how: &[&str]) {
        (self.holding, self.down) = (false, false);
        if let Some(entries) = after(how, "keeping") {
            self.desk.durable += entries.parse::<usize>().expect("how many entries");
        }
        let mut known: Vec<_> = self.desk.quotes.iter().cloned().collect();
        if how.contains(&"blind") {
            self.quotes.clear();
            known.clear();
        }
        self.desk.restart();
        known.into_iter().for_each(|quote| self.desk.quotes.put(quote));
        self.told = self.told.min(self.desk.journal.len());
    }
}
