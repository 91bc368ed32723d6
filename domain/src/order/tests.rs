//! The whole table of an order's life, as one picture that a person reads, and what must hold in every cell of it.

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;
use strum::IntoEnumIterator;

use super::*;
use crate::fees::StampDutyOf;
use crate::ids::SignalId;
use crate::reconcile::ParkReason;
use crate::units::Ratio;

type State = (OrdStatus, Option<InFlight>, bool);

fn fresh() -> Order {
    let id = SignalId::new(1).parent(0).order(1);
    let terms = OrderTerms {
        id,
        account: AccountId::parse("a").expect("a name"),
        strategy: StrategyId::parse("s").expect("a name"),
        source: Source::Signal,
        symbol: Symbol::parse("600000.SH").expect("a symbol"),
        side: Side::Buy,
        effect: None,
        ord_type: OrdType::Limit,
        limit_price: Some(Price::from_e4(100_000)),
        time_in_force: TimeInForce::Day,
        qty: Qty::new(300),
        valid_until: Timestamp::from_us(1_000),
        all_in: false,
    };
    let fees = FeeRules {
        commission: Ratio::from_e6(250),
        commission_cap: Ratio::from_e6(3_000),
        commission_min: Money::from_units(5),
        stamp_duty_sell: Ratio::from_e6(500),
        stamp_duty_of: StampDutyOf::Seller,
        transfer_fee: Ratio::from_e6(10),
    };
    let approval = Approval {
        trade_date: TradeDate::from_yyyymmdd(20_250_303).expect("a date"),
        band: None,
        fees,
        contract: None,
        loan: None,
        subscription: false,
        reserved_cash: fees.buy_reserve(Price::from_e4(100_000), Qty::new(300)),
        arrival_px: None,
        held_until: None,
        net: None,
    };
    Order::new(Arc::new(terms), Arc::new(approval), Timestamp::from_us(0))
}

#[test]
fn an_approval_that_was_written_before_there_were_subscriptions_still_reads() {
    let approval = (*fresh().approval).clone();
    let text = serde_json::to_string(&approval).expect("text");
    assert!(!text.contains("subscription"), "{text}");
    assert_eq!(serde_json::from_str::<Approval>(&text).expect("the same"), approval);
    let subscribes = Approval { subscription: true, ..approval };
    let text = serde_json::to_string(&subscribes).expect("text");
    assert_eq!(serde_json::from_str::<Approval>(&text).expect("the same"), subscribes);
}

#[test]
fn a_subscription_is_beyond_recall_from_the_moment_it_leaves_until_it_ends() {
    let mut order = fresh();
    order.approval = Arc::new(Approval { subscription: true, ..(*order.approval).clone() });
    let mut recall = vec![order.is_beyond_recall()];
    for fact in [
        OrderFact::Sending { send_no: 1, baseline: None },
        OrderFact::InDoubt { cause: "lost".into() },
        OrderFact::Accepted { broker_order_id: BrokerOrderId("B1".into()) },
        OrderFact::Expired,
    ] {
        order.apply(Timestamp::from_us(1), &fact).expect("a step of its life");
        recall.push(order.is_beyond_recall());
    }
    assert_eq!(recall, [false, true, true, true, false]);
    let mut ordinary = fresh();
    ordinary.apply(Timestamp::from_us(1), &OrderFact::Sending { send_no: 1, baseline: None }).expect("sent");
    assert!(!ordinary.is_beyond_recall());
}

fn state(order: &Order) -> State {
    (order.status, order.in_flight, order.in_doubt)
}

/// An order in the given state. Some of 300 is filled where the state says so.
fn order_in((status, in_flight, in_doubt): State, numbered: bool) -> Order {
    let cum_qty = match status {
        OrdStatus::PartiallyFilled => Qty::new(100),
        OrdStatus::Filled => Qty::new(300),
        _ => Qty::ZERO,
    };
    let broker_order_id = numbered.then(|| BrokerOrderId("B1".into()));
    Order { status, in_flight, in_doubt, cum_qty, broker_order_id, ..fresh() }
}

/// The columns of the table: every kind of fact, and twice where what is known of the order matters.
fn columns() -> Vec<(&'static str, bool, OrderFact)> {
    let mut columns = Vec::new();
    for kind in OrderFactKind::iter() {
        let text: Arc<str> = "x".into();
        match kind {
            OrderFactKind::Sending => {
                columns.push(("sending", true, OrderFact::Sending { send_no: 1, baseline: None }))
            }
            OrderFactKind::Accepted => {
                let fact = OrderFact::Accepted { broker_order_id: BrokerOrderId("B1".into()) };
                columns.push(("acc", false, fact.clone()));
                columns.push(("acc again", true, fact));
            }
            OrderFactKind::Rejected => columns.push(("rejected", true, OrderFact::Rejected { text })),
            OrderFactKind::Filled => {
                columns.push(("fill 100", true, fill("E2", 100)));
                columns.push(("fill 300", true, fill("E2", 300)));
            }
            OrderFactKind::Netted => {
                columns.push(("net 100", true, netted("net-1", 100)));
                columns.push(("net 300", true, netted("net-1", 300)));
            }
            OrderFactKind::CancelRequested => {
                columns.push(("want canc", true, OrderFact::CancelRequested { reason: text }));
            }
            OrderFactKind::CancelSending => columns.push(("canc sent", true, OrderFact::CancelSending)),
            OrderFactKind::Canceled => columns.push(("canceled", true, OrderFact::Canceled { reason: text })),
            OrderFactKind::CancelRejected => {
                columns.push(("canc rej", true, OrderFact::CancelRejected { text }));
            }
            OrderFactKind::Expired => columns.push(("expired", true, OrderFact::Expired)),
            OrderFactKind::InDoubt => columns.push(("in doubt", true, OrderFact::InDoubt { cause: text })),
            OrderFactKind::Parked => {
                columns.push(("parked", true, OrderFact::Parked { reason: ParkReason::Blind }));
            }
            OrderFactKind::NeverSent => columns.push(("nev sent", true, OrderFact::NeverSent { reason: text })),
            OrderFactKind::Absent => columns.push(("absent", true, OrderFact::Absent { evidence: text })),
        }
    }
    columns
}

fn fill(exec_id: &str, qty: i64) -> OrderFact {
    let (qty, px, fee) = (Qty::new(qty), Price::from_e4(100_000), Money::from_units(5));
    OrderFact::Filled { exec_id: ExecId(exec_id.into()), qty, px, fee }
}

fn netted(exec_id: &str, qty: i64) -> OrderFact {
    let (with, px) = (SignalId::new(2).parent(0).order(1), Price::from_e4(100_000));
    OrderFact::Netted { exec_id: ExecId(exec_id.into()), with, qty: Qty::new(qty), px, bought_today: Qty::ZERO }
}

/// The short name of a state: what the broker last said, `+` what is in flight, `?` when that is in doubt.
fn short((status, in_flight, in_doubt): State) -> String {
    let status = match status {
        OrdStatus::Initialized => "init",
        OrdStatus::New => "new",
        OrdStatus::PartiallyFilled => "part",
        OrdStatus::Filled => "FILLED",
        OrdStatus::Canceled => "CANCELED",
        OrdStatus::Rejected => "REJECTED",
        OrdStatus::Expired => "EXPIRED",
        OrdStatus::NeverSent => "NEVERSENT",
        OrdStatus::Absent => "ABSENT",
    };
    let in_flight = match in_flight {
        None => "",
        Some(InFlight::New) => "+n",
        Some(InFlight::Cancel) => "+c",
    };
    format!("{status}{in_flight}{}", if in_doubt { "?" } else { "" })
}

/// Every state there could be, in the order of the enums.
fn all_states() -> Vec<State> {
    let in_flight = || [None].into_iter().chain(InFlight::iter().map(Some));
    OrdStatus::iter().flat_map(|s| in_flight().flat_map(move |f| [(s, f, false), (s, f, true)])).collect()
}

/// The states that facts can lead to, from the first on.
fn reachable() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut open = vec![fresh()];
    while let Some(order) = open.pop() {
        if known.insert(short(state(&order))) {
            for (_, numbered, fact) in columns() {
                let mut next = order_in(state(&order), numbered);
                if next.apply(Timestamp::from_us(1), &fact).is_ok() {
                    open.push(next);
                }
            }
        }
    }
    known
}

/// How to review the picture: each row is a state, each column a fact, each cell the state after it. A dot is a fact
/// that cannot happen in that state; `same` changes nothing that the row shows. `init` is waiting in our queue, `new`
/// and `part` work at the broker, capitals are ends. `+n` is a sent order, `+c` a sent cancel, `?` the answer is lost.
///
/// 1. Read down the capital rows: they hold dots, but `same` for fills (a late fill is booked and revives nothing), and
///    for the first number of an order that was filled before it was acknowledged.
/// 2. Read the rows with `?`: what leads out is evidence from the broker (acc, a fill, an end, absent, nev sent) or the
///    same id sent again, never time.
/// 3. `nev sent` leads out of `init` and `init+n?` only; `absent` only out of `init+n?`.
/// 4. `sending` leads out of `init` and, for a resend with the same id, out of `init+n?`: never out of `init+n`.
/// 5. Nothing leads from `new` or `part` back to `init`, nor from `part` to `new`.
/// 6. `net` leads out of `init` only: what the broker may know is not netted.
#[test]
fn the_table_of_transitions_is_as_a_person_read_it() {
    let reachable = reachable();
    let mut table = format!("{:11}", "");
    for (name, ..) in columns() {
        let _ = write!(table, "{name:10}");
    }
    let (possible, others): (Vec<State>, Vec<State>) =
        all_states().into_iter().partition(|state| reachable.contains(&short(*state)));
    for from in possible {
        let _ = write!(table, "\n{:11}", short(from));
        for (_, numbered, fact) in columns() {
            let mut order = order_in(from, numbered);
            let cell = match order.apply(Timestamp::from_us(1), &fact) {
                Err(_) => ".".to_owned(),
                Ok(_) if state(&order) == from => "same".to_owned(),
                Ok(_) => short(state(&order)),
            };
            let _ = write!(table, "{cell:10}");
        }
    }
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    let names: Vec<String> = others.into_iter().map(short).collect();
    insta::assert_snapshot!(format!("{}\n\nno fact leads to: {}", lines.join("\n"), names.join(" ")));
}

#[test]
fn an_illegal_fact_changes_nothing_and_says_what_it_met() {
    for from in all_states() {
        for (_, numbered, fact) in columns() {
            let (before, mut order) = (order_in(from, numbered), order_in(from, numbered));
            if let Err(error) = order.apply(Timestamp::from_us(1), &fact) {
                assert_eq!(order, before);
                assert_eq!((error.status, error.in_flight, error.in_doubt), from);
            }
        }
    }
}

#[test]
fn a_fill_that_is_told_twice_counts_once() {
    let mut order = order_in((OrdStatus::New, None, false), true);
    assert_eq!(order.apply(Timestamp::from_us(1), &fill("E1", 100)), Ok(true));
    let before = order.clone();
    assert_eq!(order.apply(Timestamp::from_us(2), &fill("E1", 100)), Ok(false));
    assert_eq!(order, before);
}

/// How far to the right a status stands in the partial order.
fn rank(status: OrdStatus) -> u8 {
    match status {
        OrdStatus::Initialized => 0,
        OrdStatus::New => 1,
        OrdStatus::PartiallyFilled => 2,
        _ => 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// I-03, I-04, I-05 and I-12 of the reliability design, whatever facts come in whatever order.
    #[test]
    fn states_only_move_right_and_nothing_filled_is_ever_lost(facts in prop::collection::vec((0_usize..20, 0_u8..4), 1..40)) {
        let columns = columns();
        let mut order = fresh();
        let mut seen = std::collections::BTreeMap::new();
        for (n, (column, exec)) in facts.into_iter().enumerate() {
            let fact = match columns[column % columns.len()].2.clone() {
                OrderFact::Filled { .. } => fill(&format!("E{exec}"), 100),
                fact => fact,
            };
            let before = order.clone();
            let result = order.apply(Timestamp::from_us(n as i64), &fact);
            if let (Ok(true), OrderFact::Filled { exec_id, qty, .. } | OrderFact::Netted { exec_id, qty, .. }) =
                (&result, &fact)
            {
                prop_assert!(seen.insert(exec_id.clone(), qty.get()).is_none());
            }
            prop_assert!(rank(order.status) >= rank(before.status));
            if before.status.is_terminal() {
                prop_assert_eq!(order.status, before.status);
            }
            prop_assert!(order.cum_qty >= before.cum_qty && order.fees >= before.fees);
            prop_assert_eq!(order.cum_qty.get(), seen.values().sum::<i64>());
            prop_assert!(order.netted.qty == before.netted.qty || before.send_no == 0);
            prop_assert_eq!(order.sent_qty() + order.netted.qty, order.terms.qty);
            let acknowledged = matches!(order.status, OrdStatus::New | OrdStatus::PartiallyFilled);
            prop_assert!(!order.in_doubt || order.in_flight.is_some() || acknowledged);
            prop_assert!(!order.status.is_terminal() || (order.in_flight.is_none() && order.leaves_qty().is_zero()));
            if order.cum_qty <= order.terms.qty {
                prop_assert_eq!(order.status == OrdStatus::Filled, before.status == OrdStatus::Filled
                    || (!before.status.is_terminal() && order.cum_qty == order.terms.qty));
            }
            let may_cost = order.terms.limit_price.map_or(Money::ZERO, |px| px.times(order.leaves_qty()));
            prop_assert!(order.reserved_cash() >= may_cost);
            prop_assert!(order.reserved_cash() <= order.approval.reserved_cash);
            if order.status.is_terminal() {
                prop_assert_eq!(order.reserved_cash(), Money::ZERO);
            }
        }
    }
}
