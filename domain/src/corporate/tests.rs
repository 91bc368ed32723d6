use proptest::prelude::*;

use super::*;
use crate::cases;
use crate::units::Timestamp;

const SHIPPED: &str = include_str!("../../../conf/instruments/cn_corporate_actions.csv");

fn shipped() -> CorporateActions {
    CorporateActions::parse(SHIPPED).expect("the table that comes with the program")
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

fn day(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a day")
}

fn px(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

#[test]
fn the_table_that_comes_with_the_program_is_read() {
    let table = shipped();
    assert_eq!(table.len(), 38);
    let [one] = table.between(symbol("600000.SH"), day("2011-06-02"), day("2011-06-03")) else { panic!("one action") };
    // 1.6 yuan and 3 shares for 10.
    assert_eq!(one.dividend(Qty::new(1_050)), Money::from_units(168));
    assert_eq!((one.new_shares(Qty::new(1_050)), one.new_shares(Qty::new(1_053))), (Qty::new(315), Qty::new(315)));
    assert_eq!((one.leaves_fraction(Qty::new(1_050)), one.leaves_fraction(Qty::new(1_053))), (false, true));
    assert!(table.between(symbol("600000.SH"), day("2011-06-03"), day("2025-08-05")).is_empty());
}

#[test]
fn rights_move_the_price_and_bring_nothing_by_themselves() {
    let table = shipped();
    let [one] = table.between(symbol("000001.SZ"), day("2000-11-05"), day("2000-11-06")) else { panic!("one action") };
    // 3 for 10 at 8.00: (18.00 + 2.40) ÷ 1.3.
    assert_eq!(one.ex_price(px("18.00")), Some(px("15.6923")));
    assert!(one.new_shares(Qty::new(1_000)).is_zero() && one.dividend(Qty::new(1_000)).is_zero());
}

#[test]
fn a_line_that_cannot_be_is_named() {
    let told = |row: &str| {
        let text = format!("{}\n600000.SH,2011-06-03,1.6,3.0,0.0,0.0,0.0\n{row}\n", CorporateActions::HEADER);
        CorporateActions::parse(&text).expect_err(row).to_string()
    };
    assert_eq!(told("600000,2011-06-04,1.6,3.0,0,0,0"), "line 3: symbol is \"600000\"");
    assert_eq!(told("600000.SH,2011-06-31,1.6,3.0,0,0,0"), "line 3: ex_date is \"2011-06-31\"");
    assert_eq!(told("600000.SH,2011-06-04,-1.6,3.0,0,0,0"), "line 3: cash_per10 is \"-1.6\"");
    assert_eq!(told("600000.SH,2011-06-04,1.6,,0,0,0"), "line 3: bonus_shares_per10 is \"\"");
    assert_eq!(told("600000.SH,2011-06-04,1.6,0,2000,0,0"), "line 3: transfer_shares_per10 is \"2000\"");
    assert_eq!(told("600000.SH,2011-06-04,1.6,0,0,3,0"), "line 3: rights_per10 and rights_price go together");
    assert_eq!(told("600000.SH,2011-06-03,1.7,0,0,0,0"), "line 3: 600000.SH has 2011-06-03 already");
    assert_eq!(told("700.HK,2011-06-03,1.7,0,0,0,0"), "line 3: 700.HK is not of Shanghai, Shenzhen or Beijing");
    assert_eq!(told("600000.SH,2011-06-04,1.7,0,0,0"), "line 3: 6 fields, the header has 7");
    assert_eq!(
        CorporateActions::parse("symbol,ex_date\n").expect_err("columns").to_string(),
        "no column \"cash_per10\""
    );
}

#[test]
fn a_row_of_zeros_takes_an_action_back() {
    let text = format!("{}\n600000.SH,2011-06-03,0,0,0,0,0\n", CorporateActions::HEADER);
    assert!(CorporateActions::parse(&text).expect("a table").is_empty());
}

#[test]
fn a_quote_of_the_day_before_counts_in_prices_of_the_day() {
    let quote = |at: Timestamp| Quote {
        symbol: symbol("600000.SH"),
        last: px("13.79"),
        bid: Some(px("13.78")),
        ask: None,
        bid_size: None,
        ask_size: None,
        volume: None,
        prev_close: Some(px("13.50")),
        at,
    };
    let (before, today) = (day("2011-06-02"), day("2011-06-03"));
    let made = crate::calendar::china_instant(before, 15, 0, 0);
    let on = shipped().quote_on(today, quote(made));
    // (13.79 − 0.16) ÷ 1.3.
    assert_eq!((on.last, on.prev_close, on.at), (px("10.4846"), Some(px("10.2615")), made));
    assert_eq!(shipped().quote_on(before, quote(made)), quote(made));
    let fresh = quote(crate::calendar::china_instant(today, 9, 30, 0));
    assert_eq!(shipped().quote_on(today, fresh.clone()), fresh);
}

proptest! {
    #![proptest_config(cases::config())]

    /// There and back again, over any number of the days on which a share of the table went ex.
    #[test]
    fn a_price_that_goes_ex_comes_back(n in 0_usize..4, from in 0_usize..12, len in 0_usize..3, e4 in 200_000_i64..900_000) {
        let table = shipped();
        let symbol = symbol(["000001.SZ", "000004.SZ", "000005.SZ", "600000.SH"][n]);
        let all: Vec<&CorporateAction> = table.iter().filter(|a| a.symbol == symbol).collect();
        let (from, until) = (all[from.min(all.len() - 1)].ex_date, all[(from + len).min(all.len() - 1)].ex_date);
        let said = Price::from_e4(e4);
        let ex = table.ex_price(symbol, from, until, said).expect("nothing pays that much");
        let back = table.cum_price(symbol, from, until, ex);
        // Half a ten-thousandth is lost at each, and grows with the shares.
        prop_assert!((back - said).abs() <= Price::from_e4(10), "{} {} {}", said, ex, back);
    }
}
