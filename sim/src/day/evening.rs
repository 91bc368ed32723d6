//! The trouble ends, everything comes to its end or to a person, the session closes; and perhaps another day follows.

use super::*;
use signalbox_domain::calendar::{china_date_time, china_instant};
use signalbox_domain::units::TradeDate;

impl Day {
    pub(super) fn evening(&mut self, last: bool) -> Result<(), String> {
        self.calm();
        // A process that stood still wakes up later.
        self.run_until(self.now.plus(CALM))?;
        // An order that still lives after all this waits for a person, or works at the broker.
        for id in self.open_doubts() {
            let order = self.find(id).ok_or("no such order")?;
            must!(order.parked.is_some(), "ten minutes without trouble, and order {id} is in doubt and nobody's");
        }
        self.altered_are_told()?;
        self.lists_are_read()?;
        self.person_settles()?;
        self.run_until(self.now.plus(SECOND_LOOK))?;
        self.person_settles()?;
        if self.night_at.is_some() {
            self.person_adjusts()?;
        }
        // What the last decision set free goes out while the market is open.
        self.run_until(self.now.plus(Span::from_secs(5)))?;
        if self.faults.beyond_plain_orders() {
            if last {
                self.stop_signals()?;
            } else {
                self.until_the_close()?;
            }
        }
        let blind = |order: &Order| self.sessions[place(&order.terms.account)].level == Level::L0;
        // When the broker does what nobody asked for, a person may be asked for good.
        let asked = |order: &Order| self.faults.dishonest() && order.parked.is_some();
        let open = |id: &OrderId| self.find(*id).is_some_and(|order| !blind(order) && !asked(order));
        let left = self.open_doubts().into_iter().filter(open);
        must!(left.count() == 0, "a person settled everything, and doubts are left");
        self.close();
        self.run_until(self.now.plus(Span::from_secs(180)))?;
        self.compare()?;
        self.crash(true)?;
        self.run_until(self.now.plus(Span::from_secs(30)))?;
        self.agree()
    }

    /// Somebody looks again until nothing is left: what is asked of the broker in the evening may be answered wrongly too,
    /// and comes to a person minutes after it.
    pub(super) fn looks_until_settled(&mut self) -> Result<(), String> {
        for _ in 0..2 {
            self.run_until(self.now.plus(SECOND_LOOK))?;
            self.person_settles()?;
        }
        self.run_until(self.now.plus(SECOND_LOOK))
    }

    /// The session ends: what works at the broker is taken out of it.
    fn close(&mut self) {
        let at = self.now;
        let truth = self.line.broker(|broker| broker.truth());
        for (account, acc) in truth {
            for order in acc.orders.iter().filter(|order| order.status == Status::Working) {
                let request = CancelRequest { at, account: account.clone(), no: order.no.clone() };
                self.line.broker(|broker| broker.cancel(&request));
            }
        }
    }

    /// Nothing is stopped: the machine sleeps until the last minutes, and lives through them.
    fn until_the_close(&mut self) -> Result<(), String> {
        let today = china_date_time(self.now).0;
        self.sleeps_until(china_instant(today, 14, 54, 0));
        let closes = china_instant(today, 15, 0, 0).plus(Span::from_secs(1));
        // Whatever its clock shows, the session is over.
        self.run_until(closes.plus(Span::from_us((-self.ahead.us()).max(0))))?;
        self.person_settles()?;
        self.run_until(self.now.plus(SECOND_LOOK))?;
        self.person_settles()
    }

    pub(super) fn next_day(&mut self) -> Result<(), String> {
        self.met("next day");
        let live = self.desk.accounts.values().flat_map(|core| core.live()).map(Order::id);
        self.overnight.extend(live);
        let at = self.now;
        self.line.broker(|broker| broker.control(at, Control::Night)).expect("a night");
        let tomorrow = TradeDate::from_yyyymmdd(20_250_304).expect("a trading day");
        self.sleeps_until(china_instant(tomorrow, 10, 0, 0));
        self.desk.at = self.now.plus(self.ahead).max(self.desk.at);
        self.desk.start_day();
        self.advance(self.now);
        let life = self.life;
        for n in 0..self.sessions.len() {
            self.soon(100, Happening::Connect { account: n, life });
        }
        self.troubled = true;
        self.burst();
        self.people_do_more(300);
        self.run_until(self.now.plus(Span::from_secs(400)))
    }

    fn burst(&mut self) {
        for _ in 0..1 + self.wishes.next_u32() % 6 {
            let ms = u64::from(self.wishes.next_u32() % 300_000);
            self.soon(ms, Happening::Signal);
        }
        if self.faults.has(Trouble::Crashes) {
            let ms = u64::from(self.wishes.next_u32() % 300_000);
            self.soon(ms, Happening::Crash);
        }
        if self.faults.has(Trouble::Cancels) {
            let ms = u64::from(self.wishes.next_u32() % 300_000);
            self.soon(ms, Happening::Cancel);
        }
    }
}
