//! What holds when everything has come to its end.

use super::*;
use crate::books::Truth;

impl Day {
    /// Books and broker, when everything has come to its end.
    pub(super) fn compare(&mut self) -> Result<(), String> {
        if !self.faults.dishonest() {
            let accounts = self.line.broker(|broker| broker.truth());
            let levels = ACCOUNTS.iter().zip(&self.sessions).map(|(name, session)| (account(name), session.level));
            let installation = InstallationTag::parse(TAG).expect("two characters");
            let overnight = &self.overnight;
            let truth = Truth { accounts: &accounts, levels: &levels.collect(), installation, overnight };
            truth.agrees_on_orders(self.desk.tables().orders.values().map(|order| &**order))?;
            for name in ACCOUNTS {
                let ledger = self.desk.ledgers.get(&account(name)).ok_or("no ledger")?;
                truth.agrees_on_holdings(&account(name), ledger, &[symbol(0), symbol(1), symbol(2)])?;
            }
        }
        self.ghosts_are_told()?;
        let forgotten = self.oracle.forgotten_legs();
        must!(forgotten == 0, "{forgotten} legs became neither an order nor a denial");
        let signals = self.next_signal - 1;
        let planned = self.desk.tables().signals.len() as u64;
        must!(planned == signals, "{signals} signals were accepted and {planned} were worked on");
        Ok(())
    }

    /// The durable rows are what the journal tells.
    pub(super) fn agree(&mut self) -> Result<(), String> {
        let (replay, tables) = (self.desk.replay(), self.desk.tables());
        let differences = replay.differences(&tables);
        must!(differences.is_empty(), "journal and rows differ: {differences:#?}");
        for (id, ledger) in &replay.ledgers {
            let live = self.desk.ledgers.get(id).ok_or("no ledger")?;
            must!(ledger.agrees_with(live), "the journal makes another ledger: {ledger:?}, not {live:?}");
        }
        // Level L0 gives nothing that could settle anything: a person has to look at its screen, again and again.
        let blind = |id: &AccountId| self.sessions[place(id)].level == Level::L0;
        let parked = tables.orders.values().filter(|o| o.parked.is_some() && !blind(&o.terms.account)).count();
        must!(self.faults.dishonest() || parked == 0, "{parked} orders are still parked");
        if self.faults.is_empty() && self.sessions.iter().all(|session| session.level > Level::L0) {
            must!(self.settled.is_empty(), "a day without trouble needed a person");
        }
        Ok(())
    }
}
