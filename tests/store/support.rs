//! One database per test, and the smallest things to put into it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use signalbox::store::{Change, Expect, NewSignal, Store, StoreConf, body_hash};
use signalbox_actors::journal::{Entry, Journal, Ticket};
use signalbox_domain::event::Event;
use signalbox_domain::fees::{FeeRules, StampDutyOf};
use signalbox_domain::ids::{AccountId, BrokerOrderId, ClientId, ExecId, ParentId, SignalId, StrategyId};
use signalbox_domain::ledger::{Book, Day, Entry as Since, Flows};
use signalbox_domain::order::{Approval, OrdType, Order, OrderFact, OrderTerms, Side, TimeInForce};
use signalbox_domain::parent::{Leg, Parent};
use signalbox_domain::row::{AccountRow, Fill, Row, SignalRow};
use signalbox_domain::signal::{Notes, Signal, SignalStatus, Size, Source};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};

pub(crate) const AT: Timestamp = Timestamp::from_us(1_548_984_600_000_000);

pub(crate) struct Database {
    pub(crate) conf: StoreConf,
    folder: tempfile::TempDir,
    /// The server and the name of the database made for this test.
    server: Option<(String, String)>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { conf: StoreConf::new(StoreConf::SQLITE_DEFAULT, folder.path()), folder, server: None }
    }

    async fn postgres(server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("signalbox_test_{:016x}", u64::from_ne_bytes(unique()));
        on_server(server, &format!("CREATE DATABASE {name}")).await;
        let conf = StoreConf::new(format!("{server}/{name}"), folder.path());
        Self { conf, folder, server: Some((server.to_owned(), name)) }
    }

    /// Every database that this test can run on.
    pub(crate) async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite()];
        if let Ok(server) = std::env::var("SIGNALBOX_TEST_POSTGRES") {
            all.push(Self::postgres(server.trim_end_matches('/')).await);
        }
        all
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.conf.clone()).await.unwrap()
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) async fn remove(self) {
        if let Some((server, name)) = &self.server {
            on_server(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

fn unique() -> [u8; 8] {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

async fn on_server(server: &str, sql: &str) {
    let connection = sea_orm::Database::connect(format!("{server}/postgres")).await.unwrap();
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

pub(crate) fn administered(action: &str) -> Event {
    Event::Administered { who: "ann".into(), action: action.into(), subject: "x".into(), detail: Arc::from("") }
}

/// A change of one statement.
pub(crate) fn change(backend: DbBackend, sql: &str, expect: Expect) -> Change {
    Change { statements: vec![(Statement::from_string(backend, sql), expect)], event: administered("test") }
}

pub(crate) fn account() -> AccountId {
    AccountId::parse("paper-a").unwrap()
}

pub(crate) fn strategy() -> StrategyId {
    StrategyId::parse("s1").unwrap()
}

pub(crate) fn symbol() -> Symbol {
    Symbol::parse("600000.SH").unwrap()
}

pub(crate) fn new_signal(key: &str) -> NewSignal {
    let signal = Signal {
        id: SignalId::new(0),
        source: Source::Signal,
        strategy: strategy(),
        account: None,
        client: ClientId::parse("c1").unwrap(),
        client_signal_id: key.into(),
        symbol: symbol(),
        side: Some(Side::Buy),
        position_effect: None,
        size: Size::Quantity(Qty::new(100)),
        ord_type: OrdType::Limit,
        limit_price: Some(Price::from_e4(100_000)),
        time_in_force: TimeInForce::Day,
        valid_until: None,
        execution: None,
        tag: None,
        received_at: AT,
        notes: Notes::default(),
    };
    NewSignal { body_hash: body_hash(&signal), signal }
}

pub(crate) fn entry(events: Vec<Event>, rows: Vec<Row>) -> Entry {
    Entry { at: AT, actor: "account:paper-a".into(), cause: Cow::Borrowed("test"), events, rows }
}

/// Waits until the ticket is durable.
pub(crate) async fn durable(store: &Store, ticket: Ticket) {
    for _ in 0..5_000 {
        if store.durable() >= ticket {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("ticket {ticket} never became durable");
}

pub(crate) fn signal_row(id: SignalId, status: SignalStatus) -> Row {
    Row::Signal(SignalRow {
        id,
        status,
        waiting_for: None,
        until: Some(AT),
        residual: Qty::ZERO,
        denials: Arc::from([]),
        cancel_requested: false,
        held: None,
        updated_at: AT,
    })
}

pub(crate) fn terms(parent: ParentId) -> Arc<OrderTerms> {
    Arc::new(OrderTerms {
        id: parent.order(1),
        account: account(),
        strategy: strategy(),
        source: Source::Signal,
        symbol: symbol(),
        side: Side::Buy,
        effect: None,
        ord_type: OrdType::Limit,
        limit_price: Some(Price::from_e4(100_000)),
        time_in_force: TimeInForce::Day,
        qty: Qty::new(100),
        valid_until: AT,
        all_in: false,
    })
}

pub(crate) fn trade_date() -> TradeDate {
    TradeDate::from_yyyymmdd(20_190_201).unwrap()
}

pub(crate) fn approval() -> Arc<Approval> {
    Arc::new(Approval {
        trade_date: trade_date(),
        band: Some((Price::from_e4(90_000), Price::from_e4(110_000))),
        fees: FeeRules {
            commission_cap: Ratio::from_e6(3_000),
            commission: Ratio::from_e6(250),
            commission_min: Money::from_units(5),
            stamp_duty_sell: Ratio::from_e6(1_000),
            stamp_duty_of: StampDutyOf::Seller,
            transfer_fee: Ratio::from_e6(20),
        },
        contract: None,
        loan: None,
        subscription: false,
        reserved_cash: Money::from_units(1_006),
        arrival_px: Some(Price::from_e4(100_000)),
        held_until: None,
        net: None,
    })
}

/// The steps of one order's life, each with its facts and rows: planned, approved, sent, acknowledged, filled, folded.
/// `fills` of 50 shares each; two complete the order.
pub(crate) fn life(signal: SignalId, fills: usize) -> Vec<Entry> {
    let (parent, order_id) = (signal.parent(0), signal.parent(0).order(1));
    let leg = Leg::plain(parent, account(), Side::Buy, Qty::new(100));
    let mut parent_row = Parent::new(leg.clone());
    let row_of =
        |parent: &Parent| Row::Parent { parent: parent.clone().into(), strategy: strategy(), symbol: symbol() };
    let mut order = Order::new(terms(parent), approval(), AT);
    let fact = |fact: OrderFact| Event::Order { account: account(), order: order_id, fact };
    let mut entries = vec![
        entry(
            vec![Event::SignalPlanned { strategy: strategy(), signal, legs: [leg].into(), residual: Qty::ZERO }],
            vec![signal_row(signal, SignalStatus::Working), row_of(&parent_row)],
        ),
        entry(
            vec![Event::OrderApproved { terms: order.terms.clone(), approval: order.approval.clone() }],
            vec![Row::Order(Arc::new(order.clone()))],
        ),
    ];
    let mut facts = vec![
        OrderFact::Sending { send_no: 1, baseline: None },
        OrderFact::Accepted { broker_order_id: BrokerOrderId(format!("B{}", signal.get()).into()) },
    ];
    facts.extend((0..fills).map(|n| OrderFact::Filled {
        exec_id: ExecId(format!("E{}-{n}", signal.get()).into()),
        qty: Qty::new(50),
        px: Price::from_e4(100_000),
        fee: Money::from_e4(5),
    }));
    for it in facts {
        order.apply(AT, &it).unwrap();
        let mut rows = vec![Row::Order(Arc::new(order.clone())), Row::Account(account_row(signal.get() as i64).into())];
        if let OrderFact::Filled { exec_id, qty, px, fee } = &it {
            rows.push(Row::Fill(Fill {
                account: account(),
                trade_date: trade_date(),
                exec_id: exec_id.clone(),
                order: order_id,
                strategy: strategy(),
                symbol: symbol(),
                side: Side::Buy,
                qty: *qty,
                px: *px,
                fee: *fee,
                at: AT,
            }));
            rows.push(Row::Book { account: account(), book: book(50 * signal.get() as i64).into() });
            parent_row.observe(&order);
            rows.push(row_of(&parent_row));
        }
        entries.push(entry(vec![fact(it)], rows));
    }
    if order.status.is_terminal() {
        entries.push(entry(Vec::new(), vec![signal_row(signal, SignalStatus::Done)]));
    }
    entries
}

pub(crate) fn account_row(cash: i64) -> AccountRow {
    AccountRow {
        account: account(),
        cash: Money::from_units(cash),
        prev_equity: Some(Money::from_units(7)),
        loans: Vec::new(),
        flows: Some(Flows { fees: Money::from_units(-3), ..Flows::default() }),
        trade_date: Some(trade_date()),
        messages_today: 3,
        updated_at: AT,
    }
}

pub(crate) fn book(qty: i64) -> Book {
    Book {
        symbol: symbol(),
        strategy: strategy(),
        qty: Qty::new(qty),
        bought_today: Qty::new(50),
        cost: Money::from_units(500),
        realized_pnl: Money::ZERO,
        entry: Some(Since {
            on: Some(trade_date()),
            at: Some(AT),
            high: Some(Price::from_e4(110_000)),
            low: None,
            seen_until: AT.plus(Span::from_secs(1)),
            realized: Money::from_units(-3),
        }),
        day: Some(Day {
            qty: Qty::new(40),
            flow: Money::from_units(-9),
            prev_close: Some(Price::from_e4(90_000)),
            close: None,
        }),
    }
}
