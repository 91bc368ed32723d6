//! How an account gets out of doubt where looking an order up by our id is not enough: it reads the broker's lists, and
//! believes what valid reads prove.
//!
//! Nothing of this runs per order at a broker that enforces our ids and has no lists.

#[cfg(feature = "seeded-bugs")]
mod planted;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Account, AccountEffects, Alarm, Filled, refusal};
use crate::broker::{BrokerRequest, Level, ListedOrder, ListedStatus, ReadFailed, Snapshot};
use crate::calendar::china_date_time;
use crate::event::Event;
use crate::ids::{BrokerOrderId, OrderId};
use crate::ledger::Ledger;
use crate::order::{InFlight, OrdStatus, Order, OrderFact};
use crate::reconcile::breaks::{Break, BreakClass, Known, compare};
use crate::reconcile::exception::{BIND, BIND_LATE, Decision, Evidence, Exception, ExceptionKind};
use crate::reconcile::matching::{Case, Verdict, Watch, candidate, sums, works};
use crate::reconcile::renumbered::Renumbered;
use crate::reconcile::validity::{Expected, Invalid, InvalidKind, SeenRows, check, quiet};
use crate::reconcile::{Baseline, ParkReason};
use crate::row::Row;
use crate::seeded::{SeededBug, seeded};
use crate::symbol::Symbol;
use crate::units::{Money, Qty, Timestamp, TradeDate};
use crate::view::TradingStates;

/// What is known from reading lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) seen: SeenRows,
    /// In our numbers.
    pub(super) last: Option<Arc<Snapshot>>,
    /// What the terminal calls what we call otherwise, since the last valid read.
    pub(super) renumbered: Renumbered,
    /// How long it is since something before this nobody can tell: another life sent it, or the clock jumped.
    measured_from: Option<Timestamp>,
    /// When the last valid read ended, whatever it was good for; before the first one, when this life began.
    valid_at: Option<Timestamp>,
    invalid: Option<InvalidKind>,
    pub(super) reading: bool,
    asked_at: Option<Timestamp>,
    pub(super) wanted: bool,
    compared_at: Option<Timestamp>,
    pub(super) compare_now: bool,
    /// The trading day before the account's.
    day_before: Option<TradeDate>,
    /// The day that was begun last in this life.
    pub(super) today: Option<TradeDate>,
    pub(super) watches: BTreeMap<OrderId, Watch>,
    /// Acknowledged, and in no list yet.
    pub(super) unseen: BTreeMap<OrderId, Timestamp>,
    pub(super) claims: HashMap<(TradeDate, BrokerOrderId), OrderId>,
    /// Orders whose numbers are those of other rows, by the last valid read.
    pub(super) misread: BTreeSet<OrderId>,
    /// Orders whose numbers a person gave: he has seen them.
    pub(super) vouched: BTreeSet<OrderId>,
    /// Of these, orders that are rows of a later day than their own: the request came late.
    pub(super) taken_late: BTreeSet<OrderId>,
    pub(super) absences: BTreeMap<OrderId, super::lookup::Absence>,
    /// Of these the broker said something that only its lists can confirm.
    pub(super) said: BTreeMap<OrderId, Timestamp>,
    /// Open, and those of the day that name rows of others.
    pub(super) exceptions: BTreeMap<Arc<str>, Exception>,
    /// Orders of persons by their day and number, with what of them is booked. Brokers begin to count anew each day.
    pub(super) external: BTreeMap<(TradeDate, BrokerOrderId), Exception>,
    /// Differences that one read showed.
    pub(super) differed: BTreeMap<String, Break>,
    /// A person has said that many differences at once are really there: each stands by itself until none is left.
    pub(super) itemized: bool,
    frozen: bool,
    frozen_symbols: BTreeSet<Symbol>,
    #[cfg(feature = "seeded-bugs")]
    late_baselines: BTreeMap<OrderId, Arc<Baseline>>,
}

impl Account {
    /// Whether lists are read, or doubts need more than a lookup.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.conf.capabilities.lists
    }

    pub(super) fn below_l4(&self) -> bool {
        self.conf.capabilities.level < Level::L4
    }

    /// Whether a lost order is looked up by our id.
    pub(super) fn looks_up(&self) -> bool {
        !self.below_l4() || !self.reads()
    }

    pub(super) fn resume_lists(&mut self, at: Timestamp, exceptions: Vec<Exception>) {
        // Nobody was blind while nobody looked.
        self.lists.valid_at = Some(at);
        self.distrust_durations(at);
        for exception in exceptions {
            // What stands in evidence stood in a valid read: persons' own, what they bound, and ghosts.
            if let Some(row) = &exception.evidence.row {
                self.lists.seen.saw(china_date_time(row.at).0, row, exception.opened_at);
            }
            if exception.kind == ExceptionKind::External {
                let number = exception.evidence.row.as_ref().map(number_of);
                self.lists.external.extend(number.map(|number| (number, exception)));
            } else if let Some(how) = exception.decision.as_ref().map(|decision| &*decision.what)
                && (how == BIND || how == BIND_LATE)
            {
                self.lists.vouched.extend(exception.order);
                self.lists.taken_late.extend(exception.order.filter(|_| how == BIND_LATE));
            } else if exception.is_open() && exception.kind != ExceptionKind::Asked {
                self.lists.exceptions.insert(exception.key.clone(), exception);
            }
        }
        if self.knows_numbers() {
            for order in self.orders.values() {
                if let Some(no) = &order.broker_order_id {
                    self.lists.claims.insert((self.broker_day(order), no.clone()), order.id());
                }
            }
        }
        if self.reads() {
            let working = self.orders.values().filter(|o| o.broker_order_id.is_some());
            self.lists.unseen = working.map(|order| (order.id(), at)).collect();
        }
        self.lists.wanted = true;
        self.refreeze();
    }

    /// F37, F38: what was sent until now may have been sent long ago.
    pub(super) const fn distrust_durations(&mut self, at: Timestamp) {
        self.lists.measured_from = Some(at);
    }

    pub(super) fn connected(&mut self) {
        self.lists.reading = false;
        self.lists.wanted = true;
        self.lists.compare_now = true;
        // What could not be read before the session was lost says nothing of this one.
        self.lists.invalid = None;
    }

    pub(super) fn day_began(&mut self, before: Option<TradeDate>) {
        self.lists.day_before = before;
        self.lists.claims.retain(|(day, _), _| before.is_none_or(|before| *day >= before));
        self.lists.wanted = true;
        self.lists.compare_now = true;
    }

    pub(super) const fn want_read(&mut self) {
        self.lists.wanted = true;
    }

    /// Nothing is sent in the account, or of the symbol, until a person or a valid read says otherwise.
    #[must_use]
    pub fn is_frozen(&self, symbol: Option<Symbol>) -> bool {
        match symbol {
            None => self.lists.frozen,
            Some(symbol) => self.lists.frozen_symbols.contains(&symbol),
        }
    }

    /// What is written down with a send at a broker below L4, if a read is young enough. At L3 it is the last one of the
    /// day, however old: our mark tells the row, and cash and shares are reckoned from any read.
    pub(super) fn baseline(&self, at: Timestamp, symbol: Symbol) -> Option<Arc<Baseline>> {
        let of_day = |snapshot: &&Arc<Snapshot>| self.lists.today.is_none_or(|today| today == snapshot.trade_date);
        let snapshot = match self.conf.capabilities.level {
            Level::L3 => self.lists.last.as_ref().filter(of_day)?,
            _ => self.young_read(at).filter(|_| self.below_l4())?,
        };
        Some(Arc::new(Baseline { at: snapshot.ended, sums: sums(snapshot, symbol) }))
    }

    /// Where no id is enforced an order is sent upon a young valid read only: later it could not be told apart from what
    /// came with it, and not be proved absent. Where one is enforced for a while, a read that fails is not waited for, but
    /// for the first one of this life: should the life end, only lists tell of the order.
    pub(super) fn needs_baseline(&self, at: Timestamp) -> bool {
        let blind = || self.lists.valid_at.is_some_and(|since| at.since(since) < self.conf.doubt.blind_after);
        let waits = match self.conf.capabilities.level {
            Level::L0 | Level::L1 | Level::L2 => true,
            Level::L3 => self.lists.invalid.is_none() || (self.lists.last.is_none() && blind()),
            Level::L4 => false,
        };
        waits && self.reads() && self.young_read(at).is_none()
    }

    fn young_read(&self, at: Timestamp) -> Option<&Arc<Snapshot>> {
        let oldest = match self.conf.capabilities.level {
            Level::L0 | Level::L1 => self.conf.doubt.baseline_for,
            _ => self.conf.doubt.read_every.max(self.conf.doubt.baseline_for),
        };
        self.lists.last.as_ref().filter(|snapshot| at.since(snapshot.ended) <= oldest)
    }

    /// A new doubt: written down for people, and looked into.
    pub(super) fn doubt_by_lists(&mut self, at: Timestamp, id: OrderId, fx: &mut AccountEffects) {
        self.lists.watches.remove(&id);
        self.lists.wanted = true;
        self.write_doubt(at, id, None, fx);
        if self.conf.capabilities.level == Level::L0 {
            self.park(at, id, ParkReason::NoEvidence, fx);
        }
    }

    /// At a broker that enforces our ids for a while, the same id again can make one order at the most.
    pub(super) fn resend_same(
        &mut self,
        at: Timestamp,
        states: &TradingStates,
        id: OrderId,
        fx: &mut AccountEffects,
    ) -> bool {
        let Some(order) = self.orders.get(&id) else { return false };
        let conf = &self.conf.doubt;
        let sent = order.sent_at.filter(|sent| self.lists.measured_from.is_none_or(|from| *sent > from));
        let lives = sent.is_some_and(|sent| at.since(sent).us() < conf.id_lives.us() - conf.id_margin.us());
        let permitted = refusal(at, states, &order.terms).is_none() && self.is_of_today(at, order);
        let wanted = !order.cancel_wanted && permitted;
        let again = self.conf.capabilities.level == Level::L3
            && order.in_doubt
            && order.parked.is_none()
            && order.in_flight == Some(InFlight::New)
            // Without a read before the first send, only the broker's answer to the id can settle it.
            && (order.send_no < super::SENDS_AT_ONCE || order.baseline.is_none());
        if !(lives && wanted && again) {
            return false;
        }
        let (terms, band, send_no) = (order.sent_terms(), order.approval.band, order.send_no + 1);
        let subscription = order.approval.subscription;
        self.count_extra(at);
        self.fact(at, id, OrderFact::Sending { send_no, baseline: None }, fx);
        fx.broker.push(BrokerRequest::Submit { terms, send_no, band, subscription });
        true
    }

    /// The answer to a read.
    pub(super) fn read(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        result: Result<Arc<Snapshot>, ReadFailed>,
        fx: &mut AccountEffects,
    ) {
        self.lists.reading = false;
        let checked = match result {
            Err(ReadFailed(why)) => Err(Invalid::Failed(why)),
            Ok(snapshot) => {
                let (snapshot, renumbered) = self.in_our_numbers(snapshot);
                let expected = Expected {
                    fund_account: self.conf.doubt.fund_account.as_deref(),
                    days: [ledger.trade_date, self.lists.day_before],
                    seen: &self.lists.seen,
                };
                check(&snapshot, expected).map(|()| (snapshot, renumbered))
            }
        };
        match checked {
            Ok((snapshot, renumbered)) => {
                self.lists.renumbered = renumbered;
                self.valid(at, ledger, snapshot, fx);
            }
            Err(invalid) => self.invalid(at, &invalid, fx),
        }
        self.refreeze();
    }

    fn invalid(&mut self, at: Timestamp, invalid: &Invalid, fx: &mut AccountEffects) {
        let kind = InvalidKind::from(invalid);
        if self.lists.invalid != Some(kind) {
            fx.alarms.push(Alarm::ReadInvalid { why: invalid.to_string() });
        }
        let again = self.lists.invalid == Some(kind);
        self.lists.invalid = Some(kind);
        #[cfg(feature = "seeded-bugs")]
        self.count_failed_read(at, fx);
        // R8: what cannot be recognized cannot be told apart. Once may be a row that comes late.
        let lost = again && matches!(kind, InvalidKind::Vanished | InvalidKind::Changed);
        // R9: whatever is clicked now is clicked in another account.
        let text: Arc<str> = invalid.to_string().into();
        let told = self.lists.exceptions.get("reads").is_some_and(|open| open.evidence.text == text);
        if (lost || kind == InvalidKind::WrongAccount) && !told {
            let evidence = Evidence { text, ..self.evidence() };
            self.raise(at, "reads", ExceptionKind::Reads, None, evidence, fx);
        }
    }

    fn valid(&mut self, at: Timestamp, ledger: &mut Ledger, snapshot: Arc<Snapshot>, fx: &mut AccountEffects) {
        self.lists.invalid = None;
        self.lists.valid_at = Some(at);
        self.close(at, "reads", "a valid read", fx);
        self.end_earlier_days(at, snapshot.trade_date, fx);

        let (orders, lasts) = (&self.orders, self.conf.doubt.blind_after);
        self.lists.said.retain(|id, said| orders.contains_key(id) || at.since(*said) < lasts);
        let nobodys = self.disown_misread(at, &snapshot, fx);
        let mut rows: BTreeMap<OrderId, &ListedOrder> = BTreeMap::new();
        let claims = self.claims_of(snapshot.trade_date);
        let unsure = self.unsure(&snapshot, &claims);
        self.lists.seen.take(&snapshot, &unsure);
        let mut free = Vec::new();
        for row in snapshot.orders.iter().filter(|row| !unsure.contains(&row.no)) {
            match claims.get(&row.no) {
                Some(id) => {
                    rows.insert(*id, row);
                }
                None if self.lists.external.contains_key(&number_of(row)) => {}
                // It ended, with its fills, so long ago that it is not kept any more.
                None if self.is_forgotten(row) => {}
                None if nobodys.contains(&row.no) => {}
                None => free.push(row),
            }
        }
        for (id, row) in &rows {
            self.take_row(at, ledger, *id, row, &snapshot, fx);
        }
        // Nothing is absent while somebody's row is there under a strange number.
        if unsure.is_empty() {
            free = self.match_doubts(at, ledger, &snapshot, free, fx);
        }
        self.miss_acknowledged(at, &snapshot, &rows, fx);
        self.park_unlisted(at, &rows, fx);
        self.explain_rest(at, &snapshot, free, fx);
        self.book_external(at, ledger, &snapshot, fx);
        #[cfg(feature = "seeded-bugs")]
        self.delete_holdings(ledger, &snapshot, fx);
        let due = self.lists.compared_at.is_none_or(|last| at.since(last) >= self.conf.doubt.compare_every);
        if due || self.lists.compare_now || !self.lists.differed.is_empty() {
            self.lists.compare_now = false;
            self.lists.compared_at = Some(at);
            self.compare(at, ledger, &snapshot, fx);
        }
        self.lists.last = Some(snapshot);
    }

    /// Whether the row's number is one of ours that is kept without its order.
    pub(super) fn is_forgotten(&self, row: &ListedOrder) -> bool {
        let owner = self.lists.claims.get(&number_of(row));
        owner.is_some_and(|id| !self.orders.contains_key(id) && self.ended.get(*id).is_none())
    }

    /// What a listed row says of the order that it belongs to: fills first, then its end.
    fn take_row(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        id: OrderId,
        row: &ListedOrder,
        snapshot: &Snapshot,
        fx: &mut AccountEffects,
    ) {
        self.lists.unseen.remove(&id);
        let Some(order) = self.orders.get(&id).or_else(|| self.ended.get(id)) else { return };
        let of = (order.terms.symbol, order.terms.side);
        if order.in_doubt && order.in_flight.is_none() {
            self.fact(at, id, OrderFact::Accepted { broker_order_id: row.no.clone() }, fx);
            self.settle_doubt(at, id, "listed", fx);
            self.send_cancel(at, id, fx);
        }
        for trade in snapshot.trades.iter().filter(|trade| trade.no == row.no && (trade.symbol, trade.side) == of) {
            let filled = Filled { exec_id: trade.exec_id.clone(), qty: trade.qty, px: trade.px, at: trade.at };
            self.fill(at, ledger, id, filled, fx);
        }
        if seeded(SeededBug::CumGoesBack)
            && let Some(order) = self.orders.get_mut(&id).filter(|order| row.cum_qty < order.cum_qty)
        {
            order.cum_qty = row.cum_qty;
        }
        let Some(order) = self.orders.get(&id) else {
            self.lists.said.remove(&id);
            self.watch_ghost(at, id, row, fx);
            self.watch_ended(at, id, row, snapshot, fx);
            return;
        };
        if seeded(SeededBug::CancelByTextOnly) && row.status == ListedStatus::Canceled && row.cum_qty.is_positive() {
            return;
        }
        if works(row) {
            if order.in_doubt && order.in_flight == Some(InFlight::Cancel) && snapshot.began >= order.updated_at {
                self.cancel_again(at, id, fx);
            } else {
                self.doubt_what_was_said(at, id, snapshot, fx);
            }
            return;
        }
        // Trades may lag behind the order: its end is taken over when all of them are there.
        let due = if self.lists.vouched.contains(&id) { row.qty } else { order.sent_qty() };
        let counted = row.status != ListedStatus::Filled || row.cum_qty + row.canceled_qty >= due;
        if !quiet(snapshot, &row.no) || order.sent_cum() != row.cum_qty || !counted {
            // Or the broker took a trade back, or gave two of them one number: nothing here will agree by itself.
            if order.doubt_since.is_some_and(|since| at.since(since) >= self.conf.doubt.blind_after) {
                self.park(at, id, ParkReason::NotConserved, fx);
            }
            return;
        }
        self.lists.said.remove(&id);
        let fact = match row.status {
            ListedStatus::Rejected if order.sent_cum().is_zero() => {
                OrderFact::Rejected { text: "listed as rejected".into() }
            }
            ListedStatus::Filled if row.cum_qty >= order.sent_qty() => return,
            ListedStatus::Filled => {
                OrderFact::Canceled { reason: "the broker had less of it, and has filled that".into() }
            }
            _ => OrderFact::Canceled { reason: "listed as canceled".into() },
        };
        self.fact(at, id, fact, fx);
    }

    /// Holds every order in doubt against the rows that nobody has claimed. Returns the rows that are still nobody's.
    fn match_doubts<'a>(
        &mut self,
        at: Timestamp,
        ledger: &mut Ledger,
        snapshot: &Snapshot,
        mut free: Vec<&'a ListedOrder>,
        fx: &mut AccountEffects,
    ) -> Vec<&'a ListedOrder> {
        let doubts: Vec<OrderId> = self.orders.values().filter(|o| self.is_looked_for(o)).map(Order::id).collect();
        for id in doubts {
            #[cfg(feature = "seeded-bugs")]
            let after_click = self.with_late_baseline(id, snapshot);
            let Some(order) = self.orders.get(&id) else { continue };
            #[cfg(feature = "seeded-bugs")]
            let order = after_click.as_ref().unwrap_or(order);
            let baseline = order.baseline.as_ref().map(|b| b.at);
            let by_tag = self.conf.capabilities.level >= Level::L2 && self.conf.doubt.installation.is_some();
            let new = |row: &&&ListedOrder| {
                by_tag || self.lists.seen.get(&row.no).is_none_or(|seen| baseline.is_none_or(|b| seen.first_at > b))
            };
            // What another order of ours on the other side explains is no trade by hand.
            let explained = |row: &&&ListedOrder| {
                let unanswered = self.orders.values().filter(|o| o.in_flight == Some(InFlight::New));
                let mut others = unanswered.filter(|o| o.terms.side != order.terms.side);
                others.any(|other| candidate(other, row, &self.conf.doubt).differs.is_empty())
            };
            let mut fresh: Vec<&ListedOrder> = free.iter().filter(new).filter(|row| !explained(row)).copied().collect();
            if seeded(SeededBug::ClaimNotUnique) {
                fresh = snapshot.orders.iter().filter(|row| new(&row)).collect();
            }
            let like = |o: &&Order| {
                o.id() != id
                    && o.in_doubt
                    && o.status == OrdStatus::Initialized
                    && o.terms.symbol == order.terms.symbol
                    && o.terms.side == order.terms.side
                    && o.sent_qty() == order.sent_qty()
            };
            let rival = self.orders.values().any(|o| like(&o));
            let case = Case {
                level: self.conf.capabilities.level,
                conf: &self.conf.doubt,
                order,
                snapshot,
                fresh: &fresh,
                rival,
            };
            let watch = self.lists.watches.entry(id).or_default();
            let before = watch.candidates.clone();
            let verdict = watch.look(case);
            let changed = watch.candidates != before;
            match verdict {
                Verdict::Wait if changed => self.write_doubt(at, id, None, fx),
                Verdict::Wait => {}
                Verdict::Bind(no) => {
                    self.bind(at, id, &no, fx);
                    self.settle_doubt(at, id, "bound by two reads or by its tag", fx);
                    if let Some(row) = snapshot.orders.iter().find(|row| row.no == no) {
                        self.take_row(at, ledger, id, row, snapshot, fx);
                    }
                    free.retain(|row| row.no != no);
                }
                Verdict::Absent(evidence) => self.absent(at, id, evidence, fx),
                Verdict::Park(reason) => self.park(at, id, reason, fx),
            }
        }
        free
    }

    /// A parked order is a person's. One that is parked only because nothing could be read goes on where our tag tells.
    pub(super) fn is_looked_for(&self, order: &Order) -> bool {
        let readable = match order.parked {
            None => true,
            Some(ParkReason::Blind) => self.conf.capabilities.level >= Level::L2,
            Some(_) => false,
        };
        // Also what was acknowledged: its number may have been another order's.
        let unseen = order.in_flight == Some(InFlight::New) || order.in_flight.is_none();
        // What has traded was there: no search proves the contrary.
        self.below_l4() && order.in_doubt && unseen && readable && order.sent_cum().is_zero()
    }

    /// F17: the broker said yes, and its list does not know the order.
    fn miss_acknowledged(
        &mut self,
        at: Timestamp,
        snapshot: &Snapshot,
        rows: &BTreeMap<OrderId, &ListedOrder>,
        fx: &mut AccountEffects,
    ) {
        let within = self.conf.doubt.seen_within;
        let missing = self
            .lists
            .unseen
            .iter()
            .filter(|(id, acked)| !rows.contains_key(id) && snapshot.began.since(**acked) >= within);
        for id in missing.map(|(id, _)| *id).collect::<Vec<_>>() {
            // What has traded was there. But a trade of yesterday that is told this morning says nothing of today.
            let traded = |o: &Order| o.status != OrdStatus::New && o.approval.trade_date == snapshot.trade_date;
            let known =
                self.orders.get(&id).filter(|o| matches!(o.status, OrdStatus::New | OrdStatus::PartiallyFilled));
            if known.is_none_or(|o| self.broker_day(o) != snapshot.trade_date || traded(o)) {
                self.lists.unseen.remove(&id);
            } else if self.doubt_acknowledged(at, id, "acknowledged, and not in the broker's list", fx)
                && self.looks_up()
            {
                self.find(id, fx);
            }
        }
    }

    /// What counts as acknowledged may not exist. False while a request for it is under way, or it is in doubt already.
    pub(super) fn doubt_acknowledged(
        &mut self,
        at: Timestamp,
        id: OrderId,
        cause: &str,
        fx: &mut AccountEffects,
    ) -> bool {
        let working = |order: &&Order| matches!(order.status, OrdStatus::New | OrdStatus::PartiallyFilled);
        let Some(order) = self.orders.get(&id).filter(working) else { return false };
        let wanted = order.cancel_wanted;
        match (order.in_flight, order.in_doubt) {
            (None, false) => {}
            (Some(InFlight::Cancel), in_doubt) if in_doubt || self.lists.said.contains_key(&id) => {
                // What is not there cannot be taken back: the order itself is the question now.
                let text = "there is no order in the broker's list to cancel".into();
                self.fact(at, id, OrderFact::CancelRejected { text }, fx);
            }
            _ => return false,
        }
        let cause: Arc<str> = cause.into();
        self.fact(at, id, OrderFact::InDoubt { cause: cause.clone() }, fx);
        if wanted {
            self.fact(at, id, OrderFact::CancelRequested { reason: cause.clone() }, fx);
        }
        fx.alarms.push(Alarm::InDoubt { order: id, cause });
        self.lists.watches.remove(&id);
        self.lists.wanted = true;
        self.write_doubt(at, id, None, fx);
        true
    }

    /// Rows that are nobody's: ghosts, candidates of a doubt, or a person's own.
    fn explain_rest(&mut self, at: Timestamp, snapshot: &Snapshot, free: Vec<&ListedOrder>, fx: &mut AccountEffects) {
        // Without marks it may be the one whose number is not listed: both numbers and orders change on their way.
        let unseen = |o: &Order| self.conf.capabilities.level == Level::L1 && self.lists.unseen.contains_key(&o.id());
        let looked_for =
            |o: &&Order| o.in_flight == Some(InFlight::New) || (o.in_doubt && o.in_flight.is_none()) || unseen(o);
        let looked_for: BTreeSet<Symbol> =
            self.orders.values().filter(looked_for).map(|order| order.terms.symbol).collect();
        for row in free {
            if let Some(ghost) = self.ghost_of(row, snapshot) {
                self.watch_ghost(at, ghost, row, fx);
            } else if !looked_for.contains(&row.symbol) {
                self.record_external(at, (row, Qty::ZERO), "a row that nobody here sent", "signalbox", fx);
            }
        }
    }

    /// A row of an order that was proved absent is a person's, until the order has ended with every fill booked.
    fn watch_ghost(&mut self, at: Timestamp, id: OrderId, row: &ListedOrder, fx: &mut AccountEffects) {
        let Some(order) = self.ended.get(id).filter(|order| order.status.is_gone()) else { return };
        let key = format!("ghost:{}", row.no);
        if !works(row) && order.sent_cum() == row.cum_qty && row.cum_qty.is_positive() {
            self.close(at, &key, "it has ended, and its fills are booked", fx);
            self.refreeze();
        } else if !self.lists.exceptions.contains_key(&*key) {
            fx.alarms.push(Alarm::Ghost { order: id, no: row.no.clone() });
            let text = "a row fits an order that was proved absent".into();
            let evidence = Evidence { text, row: Some(row.clone()), ..self.evidence() };
            self.raise(at, &key, ExceptionKind::Ghost, Some(id), evidence, fx);
        }
    }

    /// An order that ended here and works at the broker long after: somebody was wrong about its end. A person looks.
    fn watch_ended(
        &mut self,
        at: Timestamp,
        id: OrderId,
        row: &ListedOrder,
        snapshot: &Snapshot,
        fx: &mut AccountEffects,
    ) {
        let Some(order) = self.ended.get(id).filter(|order| !order.status.is_gone()) else { return };
        let key = format!("revived:{}:{}", snapshot.trade_date, row.no);
        if !works(row) {
            self.close(at, &key, "it has ended at the broker", fx);
        } else if snapshot.began.since(order.updated_at) >= self.conf.doubt.blind_after
            && !self.lists.exceptions.contains_key(&*key)
        {
            fx.alarms.push(Alarm::Revived { order: id, no: row.no.clone() });
            let text = "it has ended here, and works in the broker's list".into();
            let evidence = Evidence { text, row: Some(row.clone()), ..self.evidence() };
            self.raise(at, &key, ExceptionKind::Revived, Some(id), evidence, fx);
        }
    }

    /// The broker's lists are of a later day: an order of an earlier one works no more. What it filled while nobody
    /// looked is not listed either, and shows as a difference of the positions.
    fn end_earlier_days(&mut self, at: Timestamp, date: TradeDate, fx: &mut AccountEffects) {
        let over = |o: &&Order| {
            let known = o.in_flight != Some(InFlight::New) && (!o.in_doubt || o.in_flight == Some(InFlight::Cancel));
            known && self.broker_day(o) < date && matches!(o.status, OrdStatus::New | OrdStatus::PartiallyFilled)
        };
        for id in self.orders.values().filter(over).map(Order::id).collect::<Vec<_>>() {
            self.fact(at, id, OrderFact::Expired, fx);
            self.settle_doubt(at, id, "its day is over", fx);
        }
        let revived = self.lists.exceptions.values().filter(|e| e.kind == ExceptionKind::Revived);
        let old = revived.filter(|e| e.evidence.row.as_ref().is_some_and(|row| number_of(row).0 < date));
        for key in old.map(|e| e.key.clone()).collect::<Vec<_>>() {
            self.close(at, &key, "its day is over", fx);
        }
    }

    /// An order of the day that was proved not to exist and looks like the row, or whose tag it bears.
    fn ghost_of(&self, row: &ListedOrder, snapshot: &Snapshot) -> Option<OrderId> {
        if seeded(SeededBug::GhostWatchOff) {
            return None;
        }
        let of_day = self.ended.iter().filter(|o| self.broker_day(o) == snapshot.trade_date);
        let mut gone = of_day.filter(|o| o.status.is_gone() && o.send_no > 0);
        let tag = |order: &Order| self.conf.doubt.installation.map(|i| order.id().client_order_id(i).to_string());
        let fits = |order: &&Order| match (&row.tag, tag(order)) {
            (Some(shown), Some(ours)) => **shown == *ours,
            // It may come late: that is what makes it a ghost. What was there before is told by reads where there were
            // any, because clocks may be far apart.
            _ => {
                let in_time = |sent| row.at.since(sent).us() >= -self.conf.doubt.skew.us();
                self.looks_like(order, row) && (order.baseline.is_some() || order.sent_at.is_some_and(in_time))
            }
        };
        gone.find(fits).map(Order::id)
    }

    /// Positions and cash of a valid read against the books. Only what two reads show is a break.
    fn compare(&mut self, at: Timestamp, ledger: &Ledger, snapshot: &Snapshot, fx: &mut AccountEffects) {
        let unsettled = |o: &&Order| o.in_flight.is_some() || o.in_doubt;
        let mut moving: BTreeSet<Symbol> = self.orders.values().filter(unsettled).map(|o| o.terms.symbol).collect();
        moving.extend(snapshot.orders.iter().filter(|row| !quiet(snapshot, &row.no)).map(|row| row.symbol));
        let by_hand = snapshot.orders.iter().filter(|row| self.lists.external.contains_key(&number_of(row)));
        let external: BTreeSet<Symbol> =
            by_hand.filter(|row| row.cum_qty.is_positive()).map(|row| row.symbol).collect();
        // Fees are reckoned to the cent and brokers round as they like.
        let cash_tolerance = Money::from_units(1);
        let (ex, itemized) = (self.ex(ledger), self.lists.itemized);
        let known = Known { moving: &moving, external: &external, ex: &ex, cash_tolerance, itemized };
        let found: BTreeMap<String, Break> =
            compare(ledger, snapshot, known).into_iter().map(|b| (b.key(), b)).collect();
        self.lists.itemized &= found.values().any(|differs| differs.class() == BreakClass::Unexplained);
        for (key, differs) in &found {
            let twice = self.lists.differed.get(key) == Some(differs);
            let class = differs.class();
            let told = self.lists.exceptions.get(&**key).is_some_and(|e| e.evidence.differs.as_ref() == Some(differs));
            if twice && !told && class != BreakClass::Explained {
                if class == BreakClass::Unexplained {
                    fx.alarms.push(Alarm::Break { what: format!("{differs:?}") });
                }
                let text = match class {
                    BreakClass::CorporateAction => {
                        "a share went ex: the broker has booked it at another moment, or otherwise"
                    }
                    _ => "books and broker differ",
                };
                let evidence = Evidence { text: text.into(), differs: Some(differs.clone()), ..self.evidence() };
                self.raise(at, key, ExceptionKind::Break, None, evidence, fx);
            }
        }
        let gone: Vec<Arc<str>> = self
            .lists
            .exceptions
            .iter()
            .filter(|(key, e)| e.kind == ExceptionKind::Break && !found.contains_key(&***key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.close(at, &key, "books and broker agree again", fx);
        }
        self.lists.differed = found;
    }

    fn bind(&mut self, at: Timestamp, id: OrderId, no: &BrokerOrderId, fx: &mut AccountEffects) {
        if self.claim(at, id, no) {
            self.lists.unseen.remove(&id);
            self.fact(at, id, OrderFact::Accepted { broker_order_id: no.clone() }, fx);
            self.send_cancel(at, id, fx);
        }
    }

    fn absent(&mut self, at: Timestamp, id: OrderId, evidence: Arc<str>, fx: &mut AccountEffects) {
        self.lists.unseen.remove(&id);
        self.write_doubt(at, id, None, fx);
        self.fact(at, id, OrderFact::Absent { evidence }, fx);
        self.settle_doubt(at, id, "proved absent", fx);
    }

    pub(super) fn park(&mut self, at: Timestamp, id: OrderId, reason: ParkReason, fx: &mut AccountEffects) {
        if self.orders.get(&id).is_some_and(|order| order.parked.is_none())
            && self.fact(at, id, OrderFact::Parked { reason }, fx)
        {
            fx.alarms.push(Alarm::Parked { order: id, reason });
            self.write_doubt(at, id, Some(reason), fx);
            self.refreeze();
        }
    }

    /// The doubt of an order ended by itself, in whichever way.
    pub(super) fn settle_doubt(&mut self, at: Timestamp, id: OrderId, how: &str, fx: &mut AccountEffects) {
        self.lists.watches.remove(&id);
        self.lists.compare_now = true;
        self.close(at, &doubt_key(id), how, fx);
        self.refreeze();
    }

    /// What comes of time alone: doubts that nobody can see into are a person's; reads that are due.
    pub(super) fn tend(&mut self, at: Timestamp, fx: &mut AccountEffects) -> Option<Timestamp> {
        if !self.below_l4() && !self.reads() && self.lists.exceptions.is_empty() {
            return None;
        }
        let settled: Vec<OrderId> = self.settled_doubts();
        for id in settled {
            self.settle_doubt(at, id, "the broker answered", fx);
        }
        #[cfg(feature = "seeded-bugs")]
        self.expire_parks(at, fx);
        let mut wake = None;
        if self.below_l4() {
            let blind_after = self.conf.doubt.blind_after;
            let open = self.orders.values().filter(|o| o.in_doubt && o.parked.is_none());
            let mut blind = Vec::new();
            for order in open {
                let since = order.doubt_since.max(self.lists.valid_at).unwrap_or(order.updated_at);
                let due = since.plus(blind_after);
                if due <= at {
                    blind.push(order.id());
                } else {
                    wake = earliest(wake, Some(due));
                }
            }
            let reason = match self.lists.invalid {
                Some(InvalidKind::Vanished | InvalidKind::Changed) => ParkReason::NumbersVanished,
                Some(InvalidKind::WrongAccount) => ParkReason::WrongAccount,
                _ => ParkReason::Blind,
            };
            for id in blind {
                self.park(at, id, reason, fx);
            }
        }
        if self.reads() && !self.lists.reading {
            let due = self.read_due(at);
            if due <= at {
                self.lists.reading = true;
                self.lists.wanted = false;
                self.lists.asked_at = Some(at);
                fx.read = true;
            } else {
                wake = earliest(wake, Some(due));
            }
        }
        wake
    }

    fn read_due(&self, at: Timestamp) -> Timestamp {
        let Some(last) = self.lists.asked_at else { return at };
        let conf = &self.conf.doubt;
        let open = |o: &Order| o.in_doubt && o.parked.is_none();
        let for_sends = || !self.queue.is_empty() && !self.lists.frozen && self.needs_baseline(at);
        let wait = if self.lists.wanted || for_sends() {
            conf.quiet
        } else if !self.lists.unseen.is_empty()
            || !self.lists.said.is_empty()
            || self.below_l4() && self.orders.values().any(open)
        {
            conf.read_in_doubt
        } else {
            conf.read_every
        };
        last.plus(wait)
    }

    /// Doubts that are written down as open and are none any more.
    fn settled_doubts(&self) -> Vec<OrderId> {
        let doubts = self.lists.exceptions.values().filter(|e| e.kind == ExceptionKind::Doubt && e.is_open());
        let over = |id: &OrderId| !self.orders.get(id).is_some_and(|order| order.in_doubt);
        doubts.filter_map(|e| e.order).filter(over).collect()
    }

    pub(super) fn evidence(&self) -> Evidence {
        Evidence { read_at: self.lists.seen.last(), ..Evidence::default() }
    }

    pub(super) fn write_doubt(
        &mut self,
        at: Timestamp,
        id: OrderId,
        parked: Option<ParkReason>,
        fx: &mut AccountEffects,
    ) {
        let Some(order) = self.orders.get(&id) else { return };
        let watch = self.lists.watches.get(&id);
        let evidence = Evidence {
            text: if self.is_altered(id) { ALTERED.into() } else { order.reason.clone().unwrap_or_default() },
            parked: parked.or(order.parked),
            candidates: watch.map(|w| w.candidates.clone()).unwrap_or_default(),
            conservation: watch.and_then(|w| w.conservation),
            ..self.evidence()
        };
        self.raise(at, &doubt_key(id), ExceptionKind::Doubt, Some(id), evidence, fx);
    }

    fn raise(
        &mut self,
        at: Timestamp,
        key: &str,
        kind: ExceptionKind,
        order: Option<OrderId>,
        evidence: Evidence,
        fx: &mut AccountEffects,
    ) {
        let opened_at = self.lists.exceptions.get(key).map_or(at, |open| open.opened_at);
        let exception = Exception {
            account: self.conf.id.clone(),
            key: key.into(),
            kind,
            order,
            opened_at,
            updated_at: at,
            evidence,
            decision: None,
        };
        self.lists.exceptions.insert(exception.key.clone(), exception.clone());
        self.write(exception, fx);
    }

    fn close(&mut self, at: Timestamp, key: &str, how: &str, fx: &mut AccountEffects) {
        self.decide(at, key, how, &"signalbox".into(), &"".into(), fx);
    }

    pub(super) fn decide(
        &mut self,
        at: Timestamp,
        key: &str,
        what: &str,
        by: &Arc<str>,
        note: &Arc<str>,
        fx: &mut AccountEffects,
    ) {
        if let Some(mut exception) = self.lists.exceptions.remove(key) {
            exception.decision = Some(Decision { what: what.into(), by: by.clone(), note: note.clone(), at });
            exception.updated_at = at;
            self.write(exception, fx);
        }
    }

    pub(super) fn write(&self, exception: Exception, fx: &mut AccountEffects) {
        let exception = Arc::new(exception);
        fx.events.push(Event::Exception(exception.clone()));
        fx.rows.push(Row::Exception(exception));
    }

    pub(super) fn refreeze(&mut self) {
        let open = self.lists.exceptions.values();
        self.lists.frozen = open.clone().any(Exception::freezes_account);
        let symbols = open.filter_map(|e| match &e.evidence.differs {
            Some(Break::Position { symbol, class: BreakClass::Unexplained, .. }) => Some(*symbol),
            _ => None,
        });
        self.lists.frozen_symbols = symbols.collect();
    }
}

/// What is the matter with an order whose row is another order.
pub(super) const ALTERED: &str = "the broker made another order of it";

/// Broker's numbers are unique within a day.
pub(super) fn number_of(row: &ListedOrder) -> (TradeDate, BrokerOrderId) {
    (china_date_time(row.at).0, row.no.clone())
}

pub(super) fn doubt_key(id: OrderId) -> String {
    format!("doubt:{id}")
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}
