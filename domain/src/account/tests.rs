//! What an account keeps in mind.

use super::*;
use crate::fees::{FeeRules, StampDutyOf};
use crate::ids::SignalId;
use crate::order::{Approval, OrdType, TimeInForce};
use crate::signal::Source;
use crate::symbol::Symbol;
use crate::units::{Price, Qty, Ratio};

fn ended(number: u64) -> Order {
    let terms = OrderTerms {
        id: SignalId::new(number).parent(0).order(1),
        account: AccountId::parse("a").expect("a name"),
        strategy: StrategyId::parse("s").expect("a name"),
        source: Source::Signal,
        symbol: Symbol::parse("600000.SH").expect("a symbol"),
        side: Side::Buy,
        effect: None,
        ord_type: OrdType::Limit,
        limit_price: Some(Price::from_e4(100_000)),
        time_in_force: TimeInForce::Day,
        qty: Qty::new(100),
        valid_until: Timestamp::from_us(1_000),
        all_in: false,
    };
    let fees = FeeRules {
        commission: Ratio::ZERO,
        commission_cap: Ratio::ZERO,
        commission_min: Money::ZERO,
        stamp_duty_sell: Ratio::ZERO,
        stamp_duty_of: StampDutyOf::Seller,
        transfer_fee: Ratio::ZERO,
    };
    let trade_date = TradeDate::from_yyyymmdd(20_250_303).expect("a date");
    let approval = Approval {
        trade_date,
        band: None,
        fees,
        reserved_cash: Money::ZERO,
        contract: None,
        loan: None,
        subscription: false,
        arrival_px: None,
        held_until: None,
        net: None,
    };
    let order = Order::new(Arc::new(terms), Arc::new(approval), Timestamp::from_us(0));
    Order { status: OrdStatus::Filled, cum_qty: Qty::new(100), send_no: 1, ..order }
}

#[test]
fn of_more_ended_orders_than_it_keeps_a_new_life_remembers_the_newest() {
    let capabilities = Capabilities { level: Level::L2, in_flight_max: 1, market_orders: true, lists: true };
    let id = AccountId::parse("a").expect("a name");
    let mut account =
        Account::new(AccountConf { id, capabilities, pacing: Pacing::of_second(1), doubt: DoubtConf::default() });
    let all = 3 * ENDED_KEPT as u64;
    // As the store reads them: the newest first.
    let rest = OrdersRest { ended: (1..=all).rev().map(ended).collect(), ..OrdersRest::default() };
    account.resume(Timestamp::from_us(0), rest, 0, &mut AccountEffects::default());
    let knows = |number: u64| account.ended.get(ended(number).id()).is_some();
    assert!((all - ENDED_KEPT as u64 + 1..=all).all(knows));
    assert!(!knows(1));
}
