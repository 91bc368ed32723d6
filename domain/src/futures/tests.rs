use super::*;
use crate::units::parse_decimal;

const PRODUCTS: &str = include_str!("../../../conf/instruments/cn_futures_products.csv");
const FACTS: &str = include_str!("../../../conf/instruments/cn_futures_facts.csv");
const SNAPSHOTS: &str = include_str!("../../tests/data/cn_futures_contract_snapshots.csv");

fn book() -> FuturesBook {
    FuturesBook::parse(PRODUCTS, FACTS).expect("the shipped tables")
}

fn date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a date")
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

fn on(contract: &str, day: &str) -> FutureFacts {
    book().day(symbol(contract), date(day)).expect("facts")
}

fn why(contract: &str, day: &str) -> String {
    book().day(symbol(contract), date(day)).expect_err("refused").to_string()
}

#[test]
fn every_contract_in_the_snapshots_has_the_facts_that_they_show() {
    let table = Table::parse(SNAPSHOTS).expect("the snapshots");
    let column = |name| table.column(name).expect("a column");
    let (contract, day) = (column("contract"), column("snapshot_date"));
    let (multiplier, tick, margin) = (column("multiplier"), column("tick"), column("margin_per_lot"));
    let (days, night) = (column("day_sessions"), column("night_session"));
    let book = book();
    let mut margins = 0;
    for row in table.rows() {
        let (symbol, day) = (symbol(row.get(contract)), date(row.get(day)));
        let facts = book.day(symbol, day).expect("facts");
        assert_eq!(facts.multiplier.to_string(), row.get(multiplier), "{symbol} on {day}");
        assert_eq!(facts.tick, price(row.get(tick)), "{symbol} on {day}");
        let suspended = day >= date("2020-02-04") && day < date("2020-05-07");
        let night = if suspended {
            facts.hours.night
        } else {
            FutureHours::parse("09:00-10:15", row.get(night)).expect("a night").night
        };
        let told = FutureHours::parse(row.get(days), "").expect("hours").day;
        assert_eq!((&facts.hours.day, facts.hours.night), (&told, night), "{symbol} on {day}");
        // What the vendor asked for is this part of the contract's value at a price on the tick. Its numbers are binary
        // fractions: what is past the sixth decimal is noise.
        let asked = row.get(margin);
        let asked = &asked[..asked.len().min(asked.find('.').map_or(usize::MAX, |at| at + 7))];
        let asked = (parse_decimal(asked, 6).expect("a number") + 50) / 100;
        if let Some(ratio) = facts.margin {
            let value = i128::from(asked) * 1_000_000 / i128::from(ratio.e6()) / i128::from(facts.multiplier);
            assert_eq!(value % i128::from(facts.tick.e4()), 0, "{symbol} on {day}: {asked} at {ratio}");
            margins += 1;
        }
    }
    assert_eq!((table.rows().len(), margins), (68, 68));
}

#[test]
fn an_index_future_is_limited_inward_around_its_settlement() {
    let facts = on("IF2101.CFFEX", "2021-01-04");
    // The limits that the exchange sent on 2021-01-04 and 2021-01-05.
    let ten = Ratio::from_percent(10);
    assert_eq!(facts.price_band(price("5216.2"), ten), (price("4694.6"), price("5737.8")));
    assert_eq!(facts.price_band(price("5278.6"), ten), (price("4750.8"), price("5806.4")));
    assert_eq!((facts.multiplier, facts.close), (300, CloseFlags::One));
    assert_eq!(facts.value(price("5230"), Qty::new(2)), Money::from_units(3_138_000));
    assert!(facts.on_tick(price("5230.2")) && !facts.on_tick(price("5230.1")) && !facts.on_tick(price("-0.2")));
    assert_eq!((facts.order_max_limit, facts.order_max_market), (Some(Qty::new(20)), Some(Qty::new(10))));
}

#[test]
fn what_changed_on_a_day_that_nobody_knows_is_refused_around_it() {
    assert_eq!(on("au1912.SHFE", "2019-12-04").tick, price("0.05"));
    assert_eq!(why("au2006.SHFE", "2019-12-05"), "nobody knows the tick of au2006.SHFE on 2019-12-05");
    assert_eq!(on("au2006.SHFE", "2020-02-18").tick, price("0.02"));
    assert_eq!(on("l2009.DCE", "2020-06-16").tick, price("5"));
    assert_eq!(why("l2109.DCE", "2021-01-04"), "nobody knows the tick of l2109.DCE on 2021-01-04");
    assert_eq!(on("l2409.DCE", "2024-01-02").tick, price("1"));
    assert_eq!(why("zn1905.SHFE", "2019-03-04"), "nobody knows the multiplier of zn1905.SHFE on 2019-03-04");
    assert_eq!(why("SH405.CZCE", "2024-01-02"), "nobody knows the day_sessions of SH405.CZCE on 2024-01-02");
    assert_eq!(why("zz2405.DCE", "2024-01-02"), "zz2405.DCE is no contract of a known product");
    assert_eq!(why("rb2405.DCE", "2024-01-02"), "rb2405.DCE is no contract of a known product");
}

#[test]
fn the_hours_of_index_and_treasury_futures_changed_with_the_years() {
    let (long, short) = ("09:15-11:30 13:00-15:15", "09:30-11:30 13:00-15:00");
    let hours = |text| FutureHours::parse(text, "").expect("hours");
    assert_eq!(on("T2009.CFFEX", "2020-07-17").hours, hours(long));
    assert_eq!(on("T2009.CFFEX", "2020-07-20").hours, hours("09:30-11:30 13:00-15:15"));
    assert_eq!(why("IF1512.CFFEX", "2015-12-31"), "nobody knows the multiplier of IF1512.CFFEX on 2015-12-31");
    let product =
        |day| book().products.iter().find(|p| p.name == "IF").and_then(|p| p.text(Fact::DaySessions, "", date(day)));
    assert_eq!((product("2015-12-31").as_deref(), product("2016-01-04").as_deref()), (Some(long), Some(short)));
}

#[test]
fn shanghai_tells_todays_positions_apart_and_takes_no_market_orders() {
    for (contract, close, market) in [
        ("rb2410.SHFE", CloseFlags::TodayApart, Some(Qty::ZERO)),
        ("sc2410.INE", CloseFlags::TodayApart, Some(Qty::ZERO)),
        ("m2409.DCE", CloseFlags::One, Some(Qty::new(1_000))),
        ("SR409.CZCE", CloseFlags::One, Some(Qty::new(200))),
        ("si2410.GFEX", CloseFlags::One, None),
    ] {
        let facts = on(contract, "2024-01-02");
        assert_eq!((facts.close, facts.order_max_market), (close, market), "{contract}");
    }
}

#[test]
fn tables_that_are_wrong_are_told_with_their_line() {
    let header = "exchange,product,fact,value,from,until\n";
    let facts = |rows: &str| FuturesBook::parse(PRODUCTS, &format!("{header}{rows}")).expect_err("refused").to_string();
    assert_eq!(facts("SHFE,au,tick,0,2019-06-05,\n"), "line 2: value has the unknown value \"0\"");
    assert_eq!(facts("SHFE,au,colour,1,2019-06-05,\n"), "line 2: fact has the unknown value \"colour\"");
    assert_eq!(facts("DCE,au,tick,1,2019-06-05,\n"), "line 2: au.DCE is not in the table of products, or twice in it");
    let twice = "SHFE,au,tick,0.05,2019-06-05,2019-12-05\nSHFE,au,tick,0.02,2019-12-04,\n";
    assert_eq!(facts(twice), "line 3: the tick of au.SHFE is told twice of a day");
    assert_eq!(facts("SHFE,au,margin_ratio,1.5,2019-06-05,\n"), "line 2: value has the unknown value \"1.5\"");
    let products = PRODUCTS.replacen("CFFEX,IF,", "CFFEX,IC,", 1);
    let refused = FuturesBook::parse(&products, FACTS).expect_err("refused").to_string();
    assert_eq!(refused, "line 3: IC.CFFEX is not in the table of products, or twice in it");
    let products = PRODUCTS.replacen("200,0.2,09:30-11:30", "200,0.2,09:30-08:30", 1);
    let refused = FuturesBook::parse(&products, FACTS).expect_err("refused").to_string();
    assert_eq!(refused, "line 2: day_sessions has the unknown value \"09:30-08:30 13:00-15:00\"");
}
