//! A hand in the database: every column of every table, one after the other, says something else, and the proof finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use signalbox::clock::ManualClock;
use signalbox::people::password::Cost;
use signalbox::people::{Action, Grant, NewKey, Pattern, People, PeopleConf, Role, Scope as KeyScope, UserPatch};
use signalbox::replay::{NOT_COMPARED, Rows, prove};
use signalbox::store::{Change, EventFilter, Expect, Store, UnfinishedError, body_hash};
use signalbox_actors::journal::Journal as _;
use signalbox_domain::contract::{CloseFlags, Contract, ContractFees, Effect};
use signalbox_domain::corporate::CorporateAction;
use signalbox_domain::denial::{Denial, DenialCode, Measure};
use signalbox_domain::event::{Event, Scope, TradingState};
use signalbox_domain::fx::FxRate;
use signalbox_domain::ids::{BrokerOrderId, ClientId, ExecId, GroupId, SignalId};
use signalbox_domain::instrument::Currency;
use signalbox_domain::ledger::{BookedAction, OpeningHolding};
use signalbox_domain::order::{Approval, OrderFact, OrderTerms, Side};
use signalbox_domain::parent::Leg;
use signalbox_domain::reconcile::exception::{Evidence, Exception, ExceptionKind};
use signalbox_domain::registry::{Fact, GroupFact};
use signalbox_domain::replay::Replay;
use signalbox_domain::risk::{LimitFact, LimitSet, LimitWarning};
use signalbox_domain::row::{AccountRow, Row, SignalRow};
use signalbox_domain::signal::{SignalStatus, WaitingFor};
use signalbox_domain::strategy::{Route, RouteTo, StrategyConf, StrategyState};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, TradeDate};

use crate::support::{
    AT, Database, account, approval, change, durable, entry, life, new_signal, signal_row, strategy, symbol, terms,
    trade_date,
};

fn steel() -> Symbol {
    Symbol::parse("rb2002.SHFE").unwrap()
}

/// A trading day before [`trade_date`].
fn day_before() -> TradeDate {
    TradeDate::from_yyyymmdd(20_190_130).unwrap()
}

fn denials() -> Arc<[Denial]> {
    let (value, limit) = (Measure::Money(Money::from_units(2)), Measure::Money(Money::from_units(1)));
    Arc::from([Denial { code: DenialCode::Cash, value, limit }])
}

/// One order of each kind, what waits, and what people have set: a row for every table of trading.
fn facts() -> Vec<Event> {
    let (filled, waits, contract) = (SignalId::new(1), SignalId::new(2), SignalId::new(3));
    let opening = OpeningHolding {
        symbol: symbol(),
        strategy: strategy(),
        qty: Qty::new(200),
        cost: Price::from_e4(90_000),
        on: Some(trade_date()),
    };
    let route = Route::plain(RouteTo::Account(account()));
    let conf = StrategyConf { id: strategy(), kind: "external".into(), routes: vec![route] };
    let scope = Scope::Account(account());
    let mut facts = vec![
        Event::AccountOpened { account: account(), cash: Money::from_units(100_000), holdings: [opening].into() },
        Event::DayStarted { account: account(), trade_date: day_before() },
        Event::DayStarted { account: account(), trade_date: trade_date() },
        Event::StrategyConfigured(conf.into()),
        Event::StrategyStateSet {
            strategy: strategy(),
            state: StrategyState::Paused,
            who: "ann".into(),
            reason: "test".into(),
        },
        Event::TradingStateSet {
            scope: scope.clone(),
            state: TradingState::Reducing,
            who: "ann".into(),
            reason: "test".into(),
        },
    ];
    facts.extend(life(filled, 2).into_iter().flat_map(|step| step.events));
    facts.push(Event::SignalWaiting {
        strategy: strategy(),
        signal: waits,
        waiting_for: WaitingFor::Strategy,
        until: AT.plus(Span::from_secs(60)),
    });
    facts.extend(contract_life(contract));
    let refused = Arc::new(OrderTerms { id: contract.parent(1).order(1), ..(*terms(contract.parent(1))).clone() });
    facts.push(Event::OrderDenied { terms: refused, denials: denials() });
    facts.extend(set_by_people(&scope));
    facts
}

fn contract_life(signal: SignalId) -> Vec<Event> {
    let leg = |n| Leg { effect: Some(Effect::Open), ..Leg::plain(signal.parent(n), account(), Side::Buy, Qty::new(2)) };
    let terms = OrderTerms {
        symbol: steel(),
        effect: Some(Effect::Open),
        qty: Qty::new(2),
        ..(*terms(signal.parent(0))).clone()
    };
    let fees = ContractFees::default();
    let contract = Contract { multiplier: 10, margin: Ratio::from_percent(10), close: CloseFlags::One, fees };
    let approval = Approval { contract: Some(contract), ..(*approval()).clone() };
    let order = terms.id;
    let fact = |fact| Event::Order { account: account(), order, fact };
    vec![
        Event::SignalPlanned { strategy: strategy(), signal, legs: [leg(0), leg(1)].into(), residual: Qty::ZERO },
        Event::OrderApproved { terms: terms.into(), approval: approval.into() },
        fact(OrderFact::Sending { send_no: 1, baseline: None }),
        fact(OrderFact::Accepted { broker_order_id: BrokerOrderId("B3".into()) }),
        fact(OrderFact::Filled {
            exec_id: ExecId("E3-0".into()),
            qty: Qty::new(1),
            px: Price::from_e4(100_000),
            fee: Money::from_e4(5),
        }),
    ]
}

fn set_by_people(scope: &Scope) -> Vec<Event> {
    let action = CorporateAction {
        symbol: symbol(),
        ex_date: trade_date(),
        cash: Ratio::ZERO,
        bonus: Ratio::ZERO,
        transfer: Ratio::ZERO,
        rights: Ratio::ZERO,
        rights_price: Price::from_e4(0),
    };
    let booked = BookedAction { action, held: Qty::new(200), shares: Qty::ZERO, cash: Money::ZERO, parts: Vec::new() };
    let mark = serde_json::json!({
        "scope": { "account": account() }, "trade_date": trade_date(), "opened": Money::from_units(1),
        "gain": Money::ZERO, "moved": Money::ZERO, "contracts": Money::ZERO, "nav_before": 1_000_000_000,
        "nav_peak": 1_000_000_000, "day": "quiet", "drawdown": "quiet", "holds": null, "at": AT,
    });
    vec![
        Event::Exception(Arc::new(Exception {
            account: account(),
            key: "ghost:1".into(),
            kind: ExceptionKind::Ghost,
            order: None,
            opened_at: AT,
            updated_at: AT,
            evidence: Evidence::default(),
            decision: None,
        })),
        Event::LimitsSet(Arc::new(LimitFact {
            scope: scope.clone(),
            version: 1,
            set: LimitSet::default(),
            previous: LimitSet::default(),
            loosened: Vec::new(),
            who: "ann".into(),
            reason: "test".into(),
            at: AT,
        })),
        Event::LimitWarned(Arc::new(LimitWarning {
            account: account(),
            trade_date: trade_date(),
            code: DenialCode::Cash,
            strategy: strategy(),
            order: SignalId::new(1).parent(0).order(1),
            value: Measure::Count(8),
            limit: Measure::Count(9),
            at: AT,
        })),
        Event::EquityMarked(Arc::new(serde_json::from_value(mark).unwrap())),
        Event::Registered(Fact::Group(Arc::new(GroupFact {
            id: GroupId::parse("all").unwrap(),
            version: 1,
            accounts: vec![account()],
            opted_out: Vec::new(),
            deleted: false,
            who: "ann".into(),
            reason: "test".into(),
            at: AT,
        }))),
        Event::CorporateActionBooked { account: account(), booked: booked.into() },
    ]
}

/// The rows of what the facts tell.
pub(crate) fn rows(told: &Replay) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, state) in told.signals.iter().filter(|(_, it)| it.status != SignalStatus::Accepted) {
        let traded = told.orders.values().find(|order| order.id().signal() == *id);
        rows.push(Row::Signal(SignalRow {
            id: *id,
            status: state.status,
            waiting_for: state.waiting_for,
            until: traded.map(|order| order.terms.valid_until).or(Some(AT.plus(Span::from_secs(60)))),
            residual: state.residual,
            denials: state.denials.clone(),
            cancel_requested: state.cancel_requested,
            held: state.held,
            updated_at: traded.map_or(AT, |order| order.updated_at),
        }));
    }
    for parent in told.parents.values() {
        let asked = &told.signals[&parent.leg.parent.signal()].signal;
        rows.push(Row::Parent {
            parent: parent.clone().into(),
            strategy: asked.strategy.clone(),
            symbol: asked.symbol,
        });
    }
    rows.extend(told.orders.values().map(|order| Row::Order(Arc::new(order.snapshot()))));
    let denied = told.denied.values();
    rows.extend(denied.map(|(terms, denials)| Row::DeniedOrder {
        terms: terms.clone(),
        denials: denials.clone(),
        at: AT,
    }));
    let mut fills: Vec<_> = told.fills.values().collect();
    fills.sort_by_key(|fill| fill.no);
    rows.extend(fills.into_iter().map(|told| Row::Fill(told.fill.clone())));
    for (account, ledger) in &told.ledgers {
        let row = AccountRow {
            account: account.clone(),
            cash: ledger.cash,
            prev_equity: ledger.prev_equity,
            loans: Vec::new(),
            flows: ledger.flows().copied(),
            trade_date: ledger.trade_date,
            messages_today: told.messages_today[account],
            updated_at: AT,
        };
        rows.push(Row::Account(row.into()));
        rows.extend(
            ledger.books().iter().map(|book| Row::Book { account: account.clone(), book: book.clone().into() }),
        );
        let contracts = ledger.contracts().iter();
        rows.extend(contracts.map(|book| Row::Contract { account: account.clone(), book: book.clone().into() }));
    }
    for ((account, ..), booked) in &told.corporate_actions {
        rows.push(Row::CorporateAction { account: account.clone(), booked: booked.clone(), at: AT });
    }
    for ((account, _), over) in &told.days {
        rows.push(Row::AccountDay { account: account.clone(), over: over.clone().into() });
    }
    for (id, conf) in &told.confs {
        rows.push(Row::Strategy { conf: conf.clone(), state: told.strategies[id], version: told.versions[id] });
    }
    for (scope, state) in &told.states {
        let (who, reason) = ("ann".into(), "test".into());
        rows.push(Row::TradingState { scope: scope.clone(), state: *state, who, reason, at: AT });
    }
    rows.extend(told.exceptions.values().cloned().map(Row::Exception));
    rows.extend(told.limits.values().cloned().map(Row::Limits));
    rows.extend(told.warnings.values().cloned().map(Row::LimitWarning));
    rows.extend(told.marks.values().cloned().map(Row::EquityMark));
    rows.extend(told.registered.values().cloned().map(Row::Registered));
    rows
}

/// A store with a row in every table, which agrees with its journal.
async fn house(database: &Database) -> Store {
    let store = database.open().await;
    for key in ["filled", "waits", "contract", "unseen"] {
        let mut new = new_signal(key);
        new.signal.account = Some(account());
        new.signal.valid_until = Some(AT.plus(Span::from_secs(60)));
        new.signal.notes.basket = Some("b1".into());
        if key == "contract" {
            (new.signal.symbol, new.signal.position_effect) = (steel(), Some(Effect::Open));
        }
        new.body_hash = body_hash(&new.signal);
        store.ingest(new).await.unwrap();
    }
    let mut told = Replay::new();
    let mut journal = store.replay(1);
    for line in journal.next_chunk().await.unwrap() {
        told.apply(line.at, &line.event).unwrap();
    }
    let facts = facts();
    facts.iter().for_each(|fact| told.apply(AT, fact).unwrap());
    let ticket = store.append(entry(facts, rows(&told)));
    durable(&store, ticket).await;
    let rate = FxRate {
        currency: Currency::Hkd,
        base: Currency::Cny,
        rate: Ratio::from_e6(920_000),
        source: "test".into(),
        as_of: AT,
    };
    store.set_fx_rate(AT, rate, "ann".into()).await.unwrap();
    people(database, &store).await;
    drop_by_hand(&store).await;
    store
}

/// A signal of which only the key is kept, as if it had been archived.
async fn drop_by_hand(store: &Store) {
    let (backend, signal) = (store.reads().get_database_backend(), SignalId::new(5));
    let mut new = new_signal("dropped");
    new.signal.account = Some(account());
    new.body_hash = body_hash(&new.signal);
    store.ingest(new).await.unwrap();
    let ended = Event::SignalExpired { strategy: strategy(), signal };
    let ticket = store.append(entry(vec![ended], vec![signal_row(signal, SignalStatus::Expired)]));
    durable(store, ticket).await;
    let statements = [
        "INSERT INTO signal_keys SELECT id, client, client_signal_id, body_hash, strategy, account, status,
            received_at_us FROM signals WHERE id = 5",
        "DELETE FROM signals WHERE id = 5",
    ];
    let statements = statements.map(|sql| (Statement::from_string(backend, sql), Expect::One)).into();
    let event = Event::Administered {
        who: "retention".into(),
        action: "signals_dropped".into(),
        subject: "sig-5".into(),
        detail: r#"{"signals":1,"through":5}"#.into(),
    };
    store.change(AT, Change { statements, event }).await.unwrap();
}

async fn people(database: &Database, store: &Store) {
    let conf = PeopleConf {
        folder: database.folder().to_owned(),
        jwt_secret: Some("a signing key for tests, 32 bytes or more".into()),
        password_cost: Cost { memory_kib: 8, passes: 1 },
        ..PeopleConf::default()
    };
    let people = People::open(store.clone(), conf, Arc::new(ManualClock::at(AT))).await.unwrap();
    let (password, by) = ("correct horse battery", ClientId::parse("system").unwrap());
    let grant = Grant::account(Pattern::all(), &[Action::Read]);
    people.ensure_user("ann", password.into(), vec![Role::Admin], vec![grant]).await.unwrap();
    let patch = UserPatch { roles: Some(vec![Role::Admin, Role::Trader]), ..UserPatch::default() };
    people.change_user("ann", patch, &by).await.unwrap();
    people.login("ann", password.into(), "a browser").await.unwrap();
    let (name, owner) = ("a program".to_owned(), Some("ann".to_owned()));
    let (scopes, accounts) = (vec![KeyScope::SignalsWrite], vec![Pattern::all()]);
    people.create_key(NewKey { name, scopes, accounts, strategies: vec![Pattern::all()], owner }, &by).await.unwrap();
}

/// Every table of the database with its columns.
async fn tables(store: &Store) -> BTreeMap<String, Vec<(String, String)>> {
    let backend = store.reads().get_database_backend();
    let sql = match backend {
        DbBackend::Sqlite => {
            "SELECT m.name AS t, c.name AS c, c.type AS k FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"
        }
        _ => {
            "SELECT table_name::text AS t, column_name::text AS c, data_type::text AS k
             FROM information_schema.columns WHERE table_schema = 'public'
             ORDER BY table_name, ordinal_position"
        }
    };
    let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in store.reads().query_all_raw(Statement::from_string(backend, sql)).await.unwrap() {
        let text = |name| row.try_get::<String>("", name).unwrap();
        tables.entry(text("t")).or_default().push((text("c"), text("k").to_lowercase()));
    }
    tables
}

/// Another value of the column that its checks allow, as SQL.
fn other(backend: DbBackend, table: &str, column: &str, kind: &str) -> String {
    const FLAGS: &[&str] = &[
        "closed",
        "in_doubt",
        "cancel_wanted",
        "overfilled",
        "all_in",
        "cancel_requested",
        "open",
        "disabled",
        "revoked",
    ];
    let denial = serde_json::to_string(&*denials()).unwrap();
    let more_denied = denial.replace("20000", "30000");
    match (table, column) {
        (_, "body_hash") if backend == DbBackend::Sqlite => "zeroblob(32)".into(),
        (_, "body_hash") => "decode(repeat('00', 32), 'hex')".into(),
        ("signals", "payload") => r#"replace(payload, '"quantity":100', '"quantity":900')"#.into(),
        ("signals" | "signal_keys", "status") => "'done'".into(),
        ("signals", "waiting_for") => "'session'".into(),
        ("signals", "held") => format!(r#"'{{"since":{}}}'"#, AT.us()),
        ("signals", "denials") => format!("'{denial}'"),
        ("orders", "denials") => format!("'{more_denied}'"),
        ("orders", "approval") => "replace(approval, '20190201', '20190131')".into(),
        ("orders" | "parents", "effect") => "CASE WHEN effect IS NULL THEN 'open' ELSE 'close' END".into(),
        ("orders" | "parents" | "fills", "side") => "'sell'".into(),
        ("orders", "source") => "'manual'".into(),
        ("orders", "origin") => "'monitor'".into(),
        ("orders", "ord_type") => "'market'".into(),
        ("orders", "time_in_force") => "'ioc'".into(),
        ("orders", "status" | "reported") => "'expired'".into(),
        ("orders", "in_flight") => "'cancel'".into(),
        ("fills" | "signals", "id") => "id + 100".into(),
        ("orders", "cum_qty") => "cum_qty - 1".into(),
        ("orders", "parked") => "'no_evidence'".into(),
        ("parents", "status") => "'canceled'".into(),
        ("parents", "mode") => "'shadow'".into(),
        ("parents", "short_of_cash") => "'wait:601'".into(),
        ("parents", "waiting_for") => "'cash'".into(),
        ("parents" | "orders" | "books" | "fills" | "signals", "symbol") => "'600001.SH'".into(),
        ("strategies", "state") => "'stopped'".into(),
        ("strategies", "conf") => "replace(conf, 'external', 'internal')".into(),
        ("trading_states" | "risk_limits" | "equity_marks", "scope_kind") => "'strategy'".into(),
        ("trading_states", "state") => "'halted'".into(),
        ("contract_books", "direction") => "'short'".into(),
        ("contract_books", "body") => "replace(body, 'rb2002', 'rb2005')".into(),
        ("equity_marks", "body") => "replace(body, '20190201', '20190131')".into(),
        ("risk_limits" | "registry" | "exceptions", "body") => format!("replace(body, '{}', '1')", AT.us()),
        ("risk_warnings", "body") => r#"replace(body, '"count":8', '"count":7')"#.into(),
        ("account_days", "body") => r#"replace(body, '"opening":', '"opening":1')"#.into(),
        ("accounts", "flows") => r#"replace(flows, '"opening":', '"opening":1')"#.into(),
        ("corporate_actions", "body") => "replace(body, '20190201', '20190131')".into(),
        ("registry", "kind") => "'account'".into(),
        ("fx_rates", "currency") => "'USD'".into(),
        ("fx_rates", "base") => "'USD'".into(),
        ("users", "roles") => r#"'["risk"]'"#.into(),
        ("users", "grants") => "'[]'".into(),
        ("api_keys", "scopes" | "accounts" | "strategies") => "'[]'".into(),
        (_, "trade_date" | "ex_date" | "entry_on") => "20190131".into(),
        _ if FLAGS.contains(&column) => format!("NOT {column}"),
        _ if kind.contains("int") => format!("coalesce({column}, 0) + 1"),
        // Before the others, since some of a session's id is all that the journal has.
        _ => format!("'x' || coalesce({column}, '')"),
    }
}

/// Columns of JSON that are empty in this house: what they are changed to is none.
const UNREADABLE: &[&str] = &["accounts.loans", "orders.baseline", "parents.decided", "parents.progress"];

/// The row that is changed, found by another column.
fn which(table: &str, column: &str) -> &'static str {
    match (table, column) {
        ("signals", "id") => "client_signal_id = 'waits'",
        ("signals", _) => "id = 2",
        ("parents", "id") => "signal_id = 1",
        ("parents", _) => "id = 65536",
        ("orders", "id") => "broker_order_id = 'B3'",
        ("orders", "denials") => "approval IS NULL",
        ("orders", _) => "id = 3 * 16777216 + 1",
        ("fills", "id") => "exec_id = 'E1-1'",
        ("fills", _) => "id = 2",
        _ => "1 = 1",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_in_any_column_is_found_but_in_those_that_are_listed_with_their_reason() {
    for database in Database::all().await {
        let store = house(&database).await;
        let backend = store.reads().get_database_backend();
        let set = async |table: &str, column: &str, value: &str, which: &str| {
            let sql = format!("UPDATE {table} SET {column} = {value} WHERE {which}");
            store.change(AT, change(backend, &sql, Expect::One)).await.unwrap_or_else(|no| panic!("{sql}: {no}"));
        };
        let clean = prove(&store, Rows::Settled).await.unwrap();
        assert_eq!(clean.differences, [], "the house agrees with itself");
        let tables = tables(&store).await;
        let listed = |table: &str, column: &str| {
            NOT_COMPARED.iter().any(|(of, which, _)| *of == table && which.is_none_or(|which| which == column))
        };
        for (table, column, _) in NOT_COMPARED {
            let known =
                |columns: &Vec<(String, String)>| column.is_none_or(|it| columns.iter().any(|(name, _)| name == it));
            assert!(tables.get(*table).is_some_and(known), "{table} {column:?} is listed and not there");
        }
        let (mut missed, mut unreadable, mut found) = (Vec::new(), Vec::new(), 0);
        for (table, columns) in &tables {
            for (column, kind) in columns.iter().filter(|(column, _)| !listed(table, column)) {
                let quote = if backend == DbBackend::Sqlite { "quote" } else { "quote_nullable" };
                let which = which(table, column);
                let sql = format!("SELECT {quote}({column}) AS was FROM {table} WHERE {which}");
                let row = store.reads().query_one_raw(Statement::from_string(backend, &*sql)).await.unwrap();
                let was: String = row.unwrap_or_else(|| panic!("{sql}: no row")).try_get("", "was").unwrap();
                set(table, column, &other(backend, table, column, kind), which).await;
                match prove(&store, Rows::Settled).await {
                    Ok(proof) if proof.differences.is_empty() => missed.push(format!("{table}.{column}")),
                    Ok(_) => found += 1,
                    // JSON that is none cannot be read: then the proof itself fails.
                    Err(_) => unreadable.push(format!("{table}.{column}")),
                }
                set(table, column, &was, which).await;
            }
        }
        assert_eq!(missed, [""; 0], "changed and not found, beside {found} that were");
        assert_eq!(unreadable, UNREADABLE, "beside {found} that were found");
        assert_eq!(prove(&store, Rows::Settled).await.unwrap().differences, [], "all is as it was");
        store.close();
        database.remove().await;
    }
}

/// What the proof says, each change undone before the next: the row is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proof_names_the_row_and_the_column() {
    for database in Database::all().await {
        let store = house(&database).await;
        let backend = store.reads().get_database_backend();
        let cases = [
            (
                "signals",
                "id = 2",
                "client_signal_id = 'other'",
                "client_signal_id = 'waits'",
                "client_signal_id of signal ",
            ),
            ("parents", "id = 65536", "strategy = 'other'", "strategy = 's1'", "strategy of parent par-65536"),
            ("accounts", "1 = 1", "messages_today = 1", "messages_today = 2", "messages_today of account paper-a"),
            ("equity_marks", "1 = 1", "scope_id = 'other'", "scope_id = 'paper-a'", "scope_id of worth of"),
            (
                "orders",
                "broker_order_id = 'B3'",
                "reserved_cash_e4 = reserved_cash_e4 + 1",
                "reserved_cash_e4 = reserved_cash_e4 - 1",
                "reserved_cash_e4 of order",
            ),
            ("strategies", "1 = 1", "version = 2", "version = 1", "strategy s1"),
            ("users", "1 = 1", "roles = '[\"risk\"]'", "roles = '[\"admin\",\"trader\"]'", "roles of user ann"),
        ];
        for (table, which, wrong, right, what) in cases {
            let set = |set: &str| change(backend, &format!("UPDATE {table} SET {set} WHERE {which}"), Expect::One);
            store.change(AT, set(wrong)).await.unwrap();
            let found = prove(&store, Rows::AsTheyAre).await.unwrap().differences;
            assert!(found.iter().any(|differs| differs.what.starts_with(what)), "{wrong}: {found:?}");
            store.change(AT, set(right)).await.unwrap();
        }
        // A session that ended is open again.
        let session = "SELECT id FROM sessions";
        let row = store.reads().query_one_raw(Statement::from_string(backend, session)).await.unwrap().unwrap();
        let id: String = row.try_get("", "id").unwrap();
        let closed = Event::Administered {
            who: "ann".into(),
            action: "session.closed".into(),
            subject: "ann".into(),
            detail: format!(r#"{{"session":"{}"}}"#, &id[..8]).into(),
        };
        let ticket = store.append(entry(vec![closed], Vec::new()));
        durable(&store, ticket).await;
        let found = prove(&store, Rows::Settled).await.unwrap().differences;
        let [open] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&*open.journal, &*open.rows), ("\"ended\"", "\"open\""));
        store.close();
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_finds_a_hand_in_the_row_of_a_signal_that_waits() {
    for database in Database::all().await {
        let store = house(&database).await;
        let backend = store.reads().get_database_backend();
        let payload = r#"payload = replace(payload, '"quantity":100', '"quantity":900')"#;
        let back = r#"payload = replace(payload, '"quantity":900', '"quantity":100')"#;
        let cases = [
            ("id = 2", payload, back, "payload of signal"),
            ("id = 4", payload, back, "payload of signal"),
            ("id = 2", "client_signal_id = 'other'", "client_signal_id = 'waits'", "client_signal_id of signal"),
            ("id = 2", "strategy = 'other'", "strategy = 's1'", "strategy of signal"),
        ];
        let lines = store.events_since(0, &EventFilter::default(), 1_000).await.unwrap().len() as u64;
        // With the signals' lines among the newest, and with none of them there.
        for newest in [1_000, 1] {
            assert!(lines > newest || newest == 1_000);
            store.check_unfinished(newest).await.unwrap();
            for (which, wrong, right, what) in cases {
                if newest == 1 && which == "id = 4" {
                    continue; // what nobody has looked at is held against the newest lines alone
                }
                let set = |set: &str| change(backend, &format!("UPDATE signals SET {set} WHERE {which}"), Expect::One);
                store.change(AT, set(wrong)).await.unwrap();
                let refused = store.check_unfinished(newest).await;
                let Err(UnfinishedError::Differs(differs)) = &refused else { panic!("{newest}, {wrong}: {refused:?}") };
                assert!(differs.what.starts_with(what), "{differs}");
                assert!(refused.unwrap_err().to_string().starts_with("SIGNAL_ROW_DIFFERS: "));
                store.change(AT, set(right)).await.unwrap();
            }
        }
        // One that has ended trades no more.
        let ended = format!("UPDATE signals SET {payload} WHERE id = 1");
        store.change(AT, change(backend, &ended, Expect::One)).await.unwrap();
        store.check_unfinished(1_000).await.unwrap();
        store.close();
        database.remove().await;
    }
}
