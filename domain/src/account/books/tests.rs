//! Random words of a person about an account whose broker shows lists: whatever he says, the books add up.

use proptest::prelude::*;

use super::*;
use crate::account::{AccountConf, AccountInput, Pacing};
use crate::broker::{Capabilities, Level, ListedPosition, Snapshot};
use crate::cases;
use crate::ids::AccountId;
use crate::reconcile::DoubtConf;
use crate::replay::Replay;
use crate::view::TradingStates;

const NAMES: [&str; 3] = ["s", "t", StrategyId::EXTERNAL];
const SYMBOLS: [&str; 2] = ["600000.SH", "000001.SZ"];

fn name(book: usize) -> StrategyId {
    StrategyId::parse(NAMES[book]).expect("a name")
}

fn symbol(n: usize) -> Symbol {
    Symbol::parse(SYMBOLS[n]).expect("a symbol")
}

fn day() -> TradeDate {
    TradeDate::from_yyyymmdd(20_250_303).expect("a day")
}

fn holding((s, book, qty, px): (usize, usize, i64, i64)) -> OpeningHolding {
    let (qty, cost) = (Qty::new(qty), Price::from_e4(px));
    OpeningHolding { symbol: symbol(s), strategy: name(book), qty, cost, on: None }
}

/// An account with its ledger and everything that it has told.
struct Desk {
    account: Account,
    ledger: Ledger,
    replay: Replay,
    now: i64,
}

impl Desk {
    fn new(lists: bool, held: Vec<OpeningHolding>) -> Self {
        let capabilities = Capabilities { level: Level::L2, in_flight_max: 1, market_orders: true, lists };
        let id = AccountId::parse("a").expect("a name");
        let conf =
            AccountConf { id: id.clone(), capabilities, pacing: Pacing::of_second(1), doubt: DoubtConf::default() };
        let (account, ledger) = (Account::new(conf), Ledger::new(id));
        let mut desk = Self { account, ledger, replay: Replay::new(), now: 0 };
        desk.tell(AccountInput::Open { cash: Money::ZERO, holdings: held.into() });
        desk.tell(AccountInput::DayStart(day()));
        desk
    }

    fn tell(&mut self, input: AccountInput) -> Option<Result<(), Unbookable>> {
        self.now += 1_000_000;
        let (at, mut fx) = (Timestamp::from_us(self.now), AccountEffects::default());
        self.account.handle(at, &TradingStates::default(), &mut self.ledger, input, &mut fx);
        for event in &fx.events {
            self.replay.apply(at, event).expect("what can be");
        }
        fx.booked
    }

    fn reads(&mut self, listed: &[(i64, i64)]) {
        let positions = listed.iter().enumerate().filter(|(_, (qty, _))| *qty > 0).map(|(n, (qty, unsellable))| {
            ListedPosition { symbol: symbol(n), qty: Qty::new(*qty), sellable: Qty::new(qty - unsellable.min(qty)) }
        });
        let snapshot = Snapshot {
            fund_account: None,
            trade_date: day(),
            began: Timestamp::from_us(self.now),
            ended: Timestamp::from_us(self.now + 1),
            complete: true,
            orders: Vec::new(),
            trades: Vec::new(),
            positions: positions.collect(),
            cash: None,
        };
        self.tell(AccountInput::Read(Ok(snapshot.into())));
    }

    fn held(&self, s: usize) -> i64 {
        self.ledger.holding(symbol(s)).qty.get()
    }
}

fn word() -> impl Strategy<Value = Rebook> {
    let one = || (0..2_usize, 0..3_usize, 0..300_i64, 10_000..200_000_i64).prop_map(holding);
    prop_oneof![
        3 => prop::collection::vec(one(), 1..4).prop_map(Rebook::Import),
        2 => (0..2_usize, 0..3_usize, 0..3_usize, 0..300_i64).prop_map(|(s, from, to, qty)| {
            Rebook::Transfer(Transfer { symbol: symbol(s), from: name(from), to: name(to), qty: Qty::new(qty) })
        }),
        1 => one().prop_map(|h| Rebook::Adjust(Adjustment::Shares {
            symbol: h.symbol, book: h.strategy, qty: h.qty - Qty::new(150), bought_today: Qty::ZERO, cost: Money::ZERO,
        })),
    ]
}

proptest! {
    #![proptest_config(cases::config())]

    #[test]
    fn whatever_a_person_says_the_books_are_what_the_broker_holds(
        lists in any::<bool>(),
        held in prop::collection::vec((0..2_usize, 0..3_usize, 1..200_i64, 10_000..200_000_i64), 0..4),
        more in prop::collection::vec((0..300_i64, 0..300_i64), 2),
        words in prop::collection::vec(word(), 1..8),
    ) {
        let mut desk = Desk::new(lists, held.into_iter().map(holding).collect());
        // The broker has what the books have, and what nobody has told yet.
        let listed: Vec<(i64, i64)> = (0..2).map(|s| (desk.held(s) + more[s].0, more[s].1)).collect();
        if lists {
            desk.reads(&listed);
        }
        let mut joined = false;
        for what in words {
            let before: Vec<i64> = (0..2).map(|s| desk.held(s)).collect();
            let ledger = desk.ledger.clone();
            let order = BookOrder { what: what.clone(), by: "ann".into(), note: "a case".into() };
            let booked = desk.tell(AccountInput::Book(order)).expect("an answer");
            if booked.is_err() {
                prop_assert_eq!(&desk.ledger, &ledger, "{:?} changes nothing", booked);
                continue;
            }
            joined |= matches!(what, Rebook::Import(_));
            for s in 0..2 {
                let after = desk.held(s);
                match &what {
                    Rebook::Transfer(_) => prop_assert_eq!(after, before[s]),
                    Rebook::Adjust(_) => prop_assert!(!lists),
                    // What one strategy does not get, another one or EXTERNAL has.
                    Rebook::Import(_) if lists => prop_assert_eq!(after, listed[s].0),
                    Rebook::Import(_) => prop_assert!(after >= before[s]),
                }
                if lists {
                    prop_assert_eq!(after, if joined { listed[s].0 } else { before[s] });
                    // What the broker does not let go today is not offered for sale here either.
                    let today = desk.ledger.holding(symbol(s)).bought_today.get();
                    let unsellable = listed[s].1.min(listed[s].0).min(more[s].0);
                    prop_assert_eq!(today, if joined { unsellable } else { 0 });
                }
            }
            prop_assert!(desk.ledger.books().iter().all(|b| !b.qty.is_negative() && b.bought_today <= b.qty));
        }
        let told = &desk.replay.ledgers[&desk.ledger.account];
        prop_assert!(told.agrees_with(&desk.ledger), "{told:?} is not {:?}", desk.ledger);
    }
}

#[test]
fn an_import_rests_on_a_young_read() {
    let mut desk = Desk::new(true, Vec::new());
    let import = || {
        let what = Rebook::Import(vec![holding((0, 0, 100, 10_000))]);
        AccountInput::Book(BookOrder { what, by: "ann".into(), note: "joined".into() })
    };
    assert_eq!(desk.tell(import()), Some(Err(Unbookable::NotRead)));
    desk.reads(&[(100, 0), (0, 0)]);
    desk.now += READ_AGE_MAX.us() + 1;
    assert_eq!(desk.tell(import()), Some(Err(Unbookable::NotRead)));
    desk.reads(&[(100, 0), (0, 0)]);
    assert_eq!(desk.tell(import()), Some(Ok(())));
}
