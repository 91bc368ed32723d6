//! What holds when everything has come to its end.

use super::*;

impl Day {
    /// Books and broker, when everything has come to its end.
    pub(super) fn compare(&mut self) -> Result<(), String> {
        let truth = self.line.broker(|broker| broker.truth());
        let orders: Vec<Arc<Order>> = self.desk.tables().orders.values().cloned().collect();
        for order in &orders {
            let id = order.id();
            let theirs = self.true_orders(id);
            let here: Vec<_> =
                theirs.iter().filter(|(name, _)| name.as_str() == order.terms.account.as_str()).collect();
            if self.faults.dishonest() {
                continue;
            }
            must!(theirs.len() <= 1, "order {id} is {} orders at the broker", theirs.len());
            let level = self.sessions[place(&order.terms.account)].level;
            match here.first() {
                Some((_, there)) => {
                    if let Some(no) = &order.broker_order_id {
                        // A terminal that was restarted has shown it under this number.
                        let same = *no.0 == *there.no || *no.0 == *renumbered(&there.no);
                        must!(same, "order {id} is bound to {no}, and is {}", there.no);
                    }
                    must!(
                        !matches!(order.status, OrdStatus::NeverSent | OrdStatus::Absent),
                        "order {id} counts as {:?} and is {} at the broker",
                        order.status,
                        there.no
                    );
                    if level >= Level::L1 {
                        must!(
                            (order.status == OrdStatus::Filled) == (there.status == Status::Filled),
                            "order {id} counts as {:?} and is {:?} at the broker",
                            order.status,
                            there.status
                        );
                        must!(
                            order.cum_qty == there.cum_qty,
                            "order {id}: the broker filled {} and the books {}",
                            there.cum_qty,
                            order.cum_qty
                        );
                        must!(order.status.is_terminal(), "order {id} ended at the broker and is {:?}", order.status);
                    }
                }
                // Without marks nobody could tell it from what a person did at the same moment.
                None if level == Level::L1 && is_twin_of_hand(order, &truth[order.terms.account.as_str()].orders) => {}
                None => must!(
                    order.cum_qty.is_zero() && order.status != OrdStatus::New,
                    "order {id} counts as {:?}, and the broker never had it",
                    order.status
                ),
            }
        }
        for (n, name) in ACCOUNTS.iter().enumerate() {
            if self.faults.dishonest() || self.sessions[n].level == Level::L0 {
                continue;
            }
            let ledger = self.desk.ledgers.get(&account(name)).ok_or("no ledger")?;
            for s in 0..3 {
                let held = ledger.holding(symbol(s)).qty;
                let there = truth[*name].holdings.get(&symbol(s)).copied().unwrap_or_default();
                must!(held == there, "{name} holds {there} of {} and the books say {held}", symbol(s));
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

/// Whether its row is a person's own order of the same shape.
fn is_twin_of_hand(order: &Order, there: &[OrderTruth]) -> bool {
    let terms = &order.terms;
    let looks_the_same = |row: &OrderTruth| {
        let px = terms.limit_price.is_none() || row.px == terms.limit_price;
        row.hidden.is_empty() && px && (row.symbol, row.side, row.qty) == (terms.symbol, terms.side, terms.qty)
    };
    let no = order.broker_order_id.as_ref();
    there.iter().any(|row| no.is_some_and(|no| *no.0 == *row.no) && looks_the_same(row))
}
