//! The night that nobody watches: the process ends in the middle of the day, or its machine sleeps, and the next morning the
//! broker's lists and ids are those of another day.

use super::*;
use signalbox_domain::calendar::{china_date_time, china_instant};
use signalbox_domain::ledger::Ledger;
use signalbox_domain::reconcile::breaks::Break;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::TradeDate;

/// Looks of a person, two minutes apart: a difference counts when two reads show it, and may be spread over books; many
/// at once are believed after five minutes.
const LOOKS: u32 = 9;

impl Day {
    pub(super) fn night(&mut self) -> Result<(), String> {
        self.met("night");
        let live = self.desk.accounts.values().flat_map(|core| core.live()).map(Order::id);
        self.overnight.extend(live);
        let down = self.time.next_u32().is_multiple_of(2);
        if down {
            self.dies(false)?;
            // What was decided last, and is durable, may have made more of them.
            let live = self.desk.tables().orders.into_values().filter(|o| !o.status.is_terminal()).map(|o| o.id());
            self.overnight.extend(live);
        }
        let today = china_date_time(self.now).0;
        self.sleeps_until(china_instant(today, 15, 0, 0));
        let at = self.now;
        self.line.broker(|broker| broker.control(at, Control::Night)).expect("a night");
        let tomorrow = TradeDate::from_yyyymmdd(20_250_304).expect("a trading day");
        self.sleeps_until(china_instant(tomorrow, 10, 0, 0));
        self.desk.at = self.now.plus(self.ahead).max(self.desk.at);
        if down {
            self.comes_back()?;
        } else {
            self.desk.start_day();
            self.advance(self.now);
            let life = self.life;
            for n in 0..self.sessions.len() {
                self.soon(100, Happening::Connect { account: n, life });
            }
        }
        for _ in 0..self.time.next_u32() % 6 {
            let ms = u64::from(self.time.next_u32() % 300_000);
            self.soon(ms, Happening::Signal);
        }
        self.run_until(self.now.plus(Span::from_secs(350)))
    }

    pub(super) fn sleeps_until(&mut self, at: Timestamp) {
        let span = at.since(self.now);
        if span.us() > 0 {
            self.world_goes_on(span);
        }
    }

    /// What was filled while nobody looked is in the positions, and in no list: somebody books it by hand.
    pub(super) fn person_adjusts(&mut self) -> Result<(), String> {
        for _ in 0..LOOKS {
            let tables = self.desk.tables();
            let open = tables.exceptions.values().filter(|e| e.is_open() && e.kind == ExceptionKind::Break);
            for exception in open {
                let settlement = match &exception.evidence.differs {
                    Some(Break::Position { symbol, books, broker, .. }) => {
                        self.adjustment(&exception.account, *symbol, *broker - *books)
                    }
                    Some(Break::Bulk { .. }) => Settlement::Itemize,
                    _ => continue,
                };
                self.met("adjusted by a person");
                let (by, note) = ("ann".into(), "seen".into());
                let settle = Settle { key: exception.key.clone(), settlement, by, note };
                self.desk.tell_account(&exception.account, AccountInput::Settle(settle));
            }
            self.run_until(self.now.plus(Span::from_secs(120)))?;
            self.person_settles()?;
        }
        Ok(())
    }

    /// More is nobody's; less is taken out of any book that has it.
    fn adjustment(&self, account: &AccountId, symbol: Symbol, gap: Qty) -> Settlement {
        let books = self.desk.ledgers.get(account).map(Ledger::books).unwrap_or_default();
        let held = books.iter().find(|book| book.symbol == symbol && book.qty.is_positive());
        let (book, qty) = match held {
            Some(book) if !gap.is_positive() => (book.strategy.clone(), gap.abs().min(book.qty)),
            _ => (strategy("EXTERNAL"), gap.abs()),
        };
        Settlement::Adjust { book, qty: Some(qty), cost: Some(Price::from_e4(100_000)) }
    }
}
