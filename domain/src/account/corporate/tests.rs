//! Days that start on an account with real rows of the table: 600000.SH paid 1.5 yuan and gave 3 shares for 10 on
//! 2010-06-10, and 1.6 yuan and 3 shares on 2011-06-03.

use super::*;
use crate::account::{AccountConf, AccountInput, OrdersRest, Pacing};
use crate::broker::{Capabilities, Level, ListedCash, ListedPosition, Snapshot};
use crate::calendar::china_instant;
use crate::corporate::CorporateActions;
use crate::ids::{AccountId, StrategyId};
use crate::ledger::OpeningHolding;
use crate::order::Side;
use crate::reconcile::DoubtConf;
use crate::reconcile::breaks::{Break, BreakClass};
use crate::replay::Replay;
use crate::tables::Tables;
use crate::units::Price;
use crate::view::TradingStates;

const TABLE: &str = include_str!("../../../../conf/instruments/cn_corporate_actions.csv");

fn day(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a day")
}

fn symbol() -> Symbol {
    Symbol::parse("600000.SH").expect("a symbol")
}

fn name(text: &str) -> StrategyId {
    StrategyId::parse(text).expect("a name")
}

/// An account, its rows, and everything that it has told.
struct Desk {
    account: Account,
    ledger: Ledger,
    tables: Tables,
    replay: Replay,
    alarms: Vec<Alarm>,
    now: Timestamp,
}

impl Desk {
    /// 1,000 shares and five that nobody claims, since before the day.
    fn on(date: &str, lists: bool) -> Self {
        Self::with(date, lists, TABLE)
    }

    fn with(date: &str, lists: bool, table: &str) -> Self {
        let id = AccountId::parse("a").expect("a name");
        let (account, ledger) = (account(lists, table), Ledger::new(id));
        let (tables, replay) = (Tables::default(), Replay::new());
        let now = china_instant(day(date), 8, 0, 0);
        let mut desk = Self { account, ledger, tables, replay, alarms: Vec::new(), now };
        let holding = |book: &str, qty| OpeningHolding {
            symbol: symbol(),
            strategy: name(book),
            qty: Qty::new(qty),
            cost: Price::from_e4(150_000),
            on: None,
        };
        let holdings = [holding("s", 1_000), holding(StrategyId::EXTERNAL, 5)].into();
        desk.tell(AccountInput::Open { cash: Money::from_units(10_000), holdings });
        desk.tell(AccountInput::DayStart(day(date)));
        desk
    }

    fn tell(&mut self, input: AccountInput) {
        self.now = self.now.plus(crate::units::Span::from_secs(1));
        let mut fx = AccountEffects::default();
        self.account.handle(self.now, &TradingStates::default(), &mut self.ledger, input, &mut fx);
        self.take(fx);
    }

    fn take(&mut self, fx: AccountEffects) {
        for event in &fx.events {
            let text = serde_json::to_string(event).expect("text");
            let read: Event = serde_json::from_str(&text).expect("what was written");
            self.replay.apply(self.now, &read).expect("what can be");
        }
        fx.rows.into_iter().for_each(|row| self.tables.put(row).expect("a row"));
        self.alarms.extend(fx.alarms);
        assert_eq!(self.replay.differences(&self.tables), []);
    }

    /// The process ends, and another one begins with what is stored.
    fn restart(&mut self, table: &str) {
        let id = self.ledger.account.clone();
        self.ledger = self.tables.ledger(&id).expect("its rows");
        let lists = self.account.conf.capabilities.lists;
        self.account = account(lists, table);
        let (rest, mut fx) = (self.tables.orders_rest(&id), AccountEffects::default());
        self.account.resume(self.now, rest, 0, &mut fx);
        self.take(fx);
    }

    fn start_day(&mut self, date: &str) {
        self.now = self.now.max(china_instant(day(date), 8, 0, 0));
        self.tell(AccountInput::DayStart(day(date)));
    }

    fn held(&self) -> (i64, i64) {
        let qty = |book| self.ledger.book(symbol(), &name(book)).map_or(0, |book| book.qty.get());
        (qty("s"), qty(StrategyId::EXTERNAL))
    }

    /// The classes of what two reads of the same lists show as different.
    fn differ(&mut self, qty: i64, cash: i64) -> Vec<BreakClass> {
        for _ in 0..2 {
            self.account.want_read();
            let position = ListedPosition { symbol: symbol(), qty: Qty::new(qty), sellable: Qty::new(qty) };
            let (began, trade_date) = (self.now, self.ledger.trade_date.expect("a day"));
            let total = Money::from_e4(cash * 100);
            let snapshot = Snapshot {
                fund_account: None,
                trade_date,
                began,
                ended: began,
                complete: true,
                orders: Vec::new(),
                trades: Vec::new(),
                positions: vec![position],
                cash: Some(ListedCash { available: total, total }),
            };
            self.tell(AccountInput::Read(Ok(snapshot.into())));
        }
        self.account.lists.differed.values().map(Break::class).collect()
    }
}

fn account(lists: bool, table: &str) -> Account {
    let capabilities = Capabilities { level: Level::L2, in_flight_max: 1, market_orders: true, lists };
    let (id, pacing) = (AccountId::parse("a").expect("a name"), Pacing::of_second(1));
    let conf = AccountConf { id, capabilities, pacing, doubt: DoubtConf::default() };
    Account::new(conf).with_actions(CorporateActions::parse(table).expect("the table").into())
}

#[test]
fn f61_what_goes_ex_is_booked_once_however_often_the_day_starts_and_the_process_does() {
    let mut desk = Desk::on("2011-06-02", false);
    assert_eq!(desk.held(), (1_000, 5));
    desk.start_day("2011-06-03");
    // 3 for 10 of 1,005 are 301; the fraction goes to the larger remainder, and no fen is lost.
    assert_eq!((desk.held(), desk.ledger.cash), ((1_300, 6), Money::parse("10160.80").expect("money")));
    for date in ["2011-06-03", "2011-06-03", "2011-06-07"] {
        desk.restart(TABLE);
        desk.start_day(date);
        desk.start_day(date);
        assert_eq!((desk.held(), desk.ledger.cash), ((1_300, 6), Money::parse("10160.80").expect("money")));
    }
    assert_eq!(desk.alarms.iter().filter(|alarm| matches!(alarm, Alarm::WentEx(_))).count(), 1);
    assert_eq!(desk.tables.corporate_actions.len(), 1);
}

#[test]
fn a_process_that_was_off_over_two_ex_dates_books_both_in_their_order() {
    let mut desk = Desk::on("2010-06-09", false);
    desk.restart(TABLE);
    desk.start_day("2011-06-08");
    // 1,005 × 1.3 = 1,306 and × 1.3 = 1,697; 150.75 and 208.96.
    assert_eq!(desk.held(), (1_690, 7));
    assert_eq!(desk.ledger.cash, Money::parse("10359.71").expect("money"));
}

#[test]
fn what_an_account_opens_with_on_the_day_is_counted_with_it() {
    let mut desk = Desk::on("2011-06-03", false);
    desk.start_day("2011-06-07");
    assert_eq!(desk.held(), (1_000, 5));
}

#[test]
fn f61_a_broker_that_books_it_a_day_later_is_not_contradicted_and_nothing_is_frozen() {
    let mut desk = Desk::on("2011-06-02", true);
    desk.start_day("2011-06-03");
    // Books 1,306 and 10,160.80: the broker still has what was there before.
    assert_eq!(desk.differ(1_005, 1_000_000), [BreakClass::CorporateAction; 2]);
    assert!(!desk.account.is_frozen(Some(symbol())) && !desk.account.is_frozen(None));
    assert!(!desk.alarms.iter().any(|alarm| matches!(alarm, Alarm::Break { .. })));
    let told = desk.tables.exceptions.values().filter(|e| e.is_open()).count();
    assert_eq!(told, 2, "each with a notice");
    // A restart knows what was booked, also on the next day.
    desk.restart(TABLE);
    desk.start_day("2011-06-07");
    assert_eq!(desk.differ(1_005, 1_016_080), [BreakClass::CorporateAction]);
    // The depository has rounded 301.5 up.
    assert_eq!(desk.differ(1_307, 1_016_080), [BreakClass::CorporateAction]);
    assert!(desk.differ(1_306, 1_016_080).is_empty());
    assert!(desk.tables.exceptions.values().all(|e| !e.is_open()));
}

#[test]
fn f61_another_difference_on_the_ex_date_is_as_unexplained_as_ever() {
    let mut desk = Desk::on("2011-06-02", true);
    desk.start_day("2011-06-03");
    assert_eq!(desk.differ(1_105, 1_016_080), [BreakClass::Unexplained]);
    assert!(desk.account.is_frozen(Some(symbol())));
    // And long after it, the same is no excuse.
    let mut desk = Desk::on("2011-06-02", true);
    desk.start_day("2011-06-03");
    desk.start_day("2011-06-20");
    assert_eq!(desk.differ(1_005, 1_016_080), [BreakClass::Unexplained]);
}

#[test]
fn f61_a_row_that_comes_too_late_is_told_and_explains_what_the_broker_has_more() {
    let none = format!("{}\n", CorporateActions::HEADER);
    let mut desk = Desk::with("2011-06-02", true, &none);
    // Bought by us, so that it is known to be from before.
    let (at, qty, px) = (desk.now, Qty::new(1_000), Price::from_e4(137_900));
    let trade = crate::ledger::Trade { symbol: symbol(), side: Side::Buy, qty, px, fee: Money::ZERO };
    let (id, book) = (desk.ledger.account.clone(), name("t"));
    desk.replay.ledgers.get_mut(&id).expect("a ledger").fill(at, &book, trade);
    let mut fx = AccountEffects::default();
    let books = desk.ledger.fill(at, &book, trade);
    desk.account.book_rows(books, &mut fx);
    fx.rows.push(desk.account.account_row(at, &desk.ledger));
    desk.take(fx);
    let cash = desk.ledger.cash;
    desk.start_day("2011-06-03");
    assert_eq!((desk.ledger.cash, desk.held()), (cash, (1_000, 5)));
    desk.account = account(true, TABLE);
    desk.account.resume(desk.now, OrdersRest::default(), 0, &mut AccountEffects::default());
    let mut fx = AccountEffects::default();
    let input = AccountInput::DayStart(day("2011-06-03"));
    desk.account.handle(desk.now, &TradingStates::default(), &mut desk.ledger, input, &mut fx);
    assert!(matches!(fx.alarms.as_slice(), [Alarm::ExUnbooked(action)] if action.symbol == symbol()));
    assert!(fx.events.is_empty());
    let cents = (cash + Money::from_units(160)).e4() / 100;
    assert_eq!(desk.differ(2_305, cents), [BreakClass::CorporateAction; 2]);
}
