use super::*;
use crate::instrument::{Currency, Instruments};

const RULES: &str = include_str!("../../../../conf/rules/cn_equity_rules.csv");
const LOTS: &str = include_str!("../../../../conf/rules/cn_lots.csv");
const SUPPLEMENT: &str = include_str!("../../../../conf/rules/cn_supplement.csv");

fn book() -> RuleBook {
    RuleBook::parse(&[RULES, LOTS, SUPPLEMENT]).expect("the shipped rules")
}

fn date(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a date")
}

fn shipped(symbol: &str) -> Instrument {
    let all = Instruments::parse(include_str!("../../../../conf/instruments/cn_equity.csv")).expect("the instruments");
    all.get(Symbol::parse(symbol).expect("a symbol")).expect("a shipped instrument").clone()
}

fn instrument(symbol: &str, board: Board) -> Instrument {
    Instrument {
        symbol: Symbol::parse(symbol).expect("a symbol"),
        name: "".into(),
        board,
        st: false,
        settle: Settle::Ordinary,
        etf_20pct: false,
        listed_on: None,
        currency: Currency::Cny,
    }
}

fn st(symbol: &str, board: Board) -> Instrument {
    Instrument { st: true, ..instrument(symbol, board) }
}

fn on(instrument: &Instrument, day: &str) -> DayRules {
    book().day(instrument, date(day), None).expect("rules")
}

fn percent(up: i64, down: i64) -> PriceLimit {
    PriceLimit::Percent { up: Ratio::from_percent(up), down: Ratio::from_percent(down) }
}

#[test]
fn a_main_board_stock_has_all_its_rules_on_the_recorded_day() {
    let rules = on(&shipped("600000.SH"), "2019-02-01");
    let lot = Qty::new(100);
    let most = Qty::new(1_000_000);
    assert_eq!(
        rules,
        DayRules {
            buy_min: lot,
            buy_step: lot,
            sell_min: lot,
            sell_step: lot,
            order_max_limit: most,
            order_max_market: most,
            tick: Price::from_e4(100),
            limit: percent(10, 10),
            one_tick_floor: false,
            min_holding_days: 1,
            closing_auction: true,
            fees: FeeRules {
                commission: Ratio::from_e6(250),
                commission_cap: Ratio::from_e6(3_000),
                commission_min: Money::from_units(5),
                stamp_duty_sell: Ratio::from_e6(1_000),
                transfer_fee: Ratio::from_e6(20),
            },
        }
    );
}

#[test]
fn a_fund_trades_on_a_finer_tick_and_pays_neither_duty_nor_transfer_fee() {
    let rules = on(&shipped("510300.SH"), "2019-02-01");
    assert_eq!((rules.tick, rules.limit), (Price::from_e4(10), percent(10, 10)));
    assert_eq!((rules.fees.stamp_duty_sell, rules.fees.transfer_fee), (Ratio::ZERO, Ratio::ZERO));
    assert_eq!(rules.fees.commission_min, Money::from_units(5));
}

#[test]
fn the_stamp_duty_was_halved_on_2023_08_28() {
    for symbol in ["600000.SH", "000001.SZ", "430047.BJ", "688981.SH", "300750.SZ"] {
        let stock = shipped(symbol);
        assert_eq!(on(&stock, "2023-08-25").fees.stamp_duty_sell, Ratio::from_e6(1_000), "{symbol}");
        assert_eq!(on(&stock, "2023-08-27").fees.stamp_duty_sell, Ratio::from_e6(1_000), "{symbol}");
        assert_eq!(on(&stock, "2023-08-28").fees.stamp_duty_sell, Ratio::from_e6(500), "{symbol}");
    }
}

#[test]
fn the_transfer_fee_was_halved_on_2022_04_29_and_before_2015_08_01_is_not_known() {
    let stock = shipped("600000.SH");
    assert_eq!(on(&stock, "2022-04-28").fees.transfer_fee, Ratio::from_e6(20));
    assert_eq!(on(&stock, "2022-04-29").fees.transfer_fee, Ratio::from_e6(10));
    assert_eq!(on(&shipped("430047.BJ"), "2022-04-28").fees.transfer_fee, Ratio::from_e6(25));
    assert_eq!(on(&shipped("430047.BJ"), "2022-04-29").fees.transfer_fee, Ratio::from_e6(10));
    assert!(book().day(&stock, date("2015-08-01"), None).is_ok());
    let missing = NoRule::Missing { rule: Rule::TransferFeeEachSide, symbol: stock.symbol, day: date("2015-07-31") };
    assert_eq!(book().day(&stock, date("2015-07-31"), None), Err(missing));
    assert_eq!(missing.to_string(), "no transfer_fee_each_side is known for 600000.SH on 2015-07-31");
}

#[test]
fn shanghai_got_a_closing_auction_for_stocks_in_2018_and_for_funds_in_2026() {
    let auction = |symbol: &str, day| on(&shipped(symbol), day).closing_auction;
    assert!(!auction("600000.SH", "2018-08-17") && auction("600000.SH", "2018-08-20"));
    assert!(!auction("510050.SH", "2026-07-03") && auction("510050.SH", "2026-07-06"));
    assert!(!auction("588000.SH", "2026-07-03") && auction("511260.SH", "2026-07-06"));
    assert!(auction("000001.SZ", "2016-01-04") && auction("159915.SZ", "2016-01-04"));
}

#[test]
fn a_fund_can_be_sold_on_the_same_day_when_its_class_allows_it() {
    for (symbol, days) in
        [("511260.SH", 0), ("518880.SH", 0), ("513100.SH", 0), ("159920.SZ", 0), ("510300.SH", 1), ("588000.SH", 1)]
    {
        assert_eq!(on(&shipped(symbol), "2024-01-02").min_holding_days, days, "{symbol}");
    }
    assert_eq!(on(&shipped("513100.SH"), "2015-01-16").min_holding_days, 1);
    assert_eq!(on(&shipped("513100.SH"), "2015-01-19").min_holding_days, 0);
    let gold = shipped("518880.SH");
    let missing = NoRule::Missing { rule: Rule::MinHoldingDays, symbol: gold.symbol, day: date("2015-01-16") };
    assert_eq!(book().day(&gold, date("2015-01-16"), None), Err(missing), "nobody knows, so nobody guesses");
    let commodity = |symbol| Instrument { settle: Settle::Commodity, ..instrument(symbol, Board::Etf) };
    assert_eq!(on(&commodity("159985.SZ"), "2019-01-11").min_holding_days, 0);
    assert_eq!(on(&commodity("510170.SH"), "2020-01-17").min_holding_days, 1);
    assert_eq!(on(&commodity("510170.SH"), "2020-01-20").min_holding_days, 0);
}

#[test]
fn f63_a_main_board_stock_under_risk_warning_had_5_percent_until_the_summer_of_2026() {
    for symbol in ["600289.SH", "000004.SZ"] {
        let stock = st(symbol, Board::Main);
        assert_eq!(on(&stock, "2026-07-03").limit, percent(5, 5));
        assert_eq!(on(&stock, "2026-07-06").limit, percent(10, 10));
    }
    assert_eq!(on(&shipped("600289.SH"), "2019-02-01").limit, percent(5, 5));
}

#[test]
fn each_board_has_its_own_band() {
    assert_eq!(on(&shipped("300750.SZ"), "2020-08-21").limit, percent(10, 10));
    assert_eq!(on(&shipped("300750.SZ"), "2020-08-24").limit, percent(20, 20));
    assert_eq!(on(&st("300028.SZ", Board::ChiNext), "2020-08-21").limit, percent(5, 5));
    assert_eq!(on(&st("300028.SZ", Board::ChiNext), "2020-08-24").limit, percent(20, 20));
    assert_eq!(on(&shipped("688111.SH"), "2020-02-03").limit, percent(20, 20));
    assert_eq!(on(&st("688086.SH", Board::Star), "2022-02-07").limit, percent(20, 20));
    assert_eq!(on(&shipped("430047.BJ"), "2021-11-15").limit, percent(30, 30));
    assert_eq!(on(&st("430047.BJ", Board::Beijing), "2024-01-02").limit, percent(30, 30));
    assert_eq!(on(&shipped("159915.SZ"), "2020-08-21").limit, percent(10, 10));
    assert_eq!(on(&shipped("159915.SZ"), "2020-08-24").limit, percent(20, 20));
    let star_fund = instrument("588000.SH", Board::Etf);
    let star_fund = Instrument { etf_20pct: true, ..star_fund };
    assert_eq!(on(&star_fund, "2020-08-20").limit, percent(10, 10));
    assert_eq!(on(&star_fund, "2020-08-21").limit, percent(20, 20));
}

#[test]
fn each_board_has_its_own_lots() {
    let lots = |symbol: &str, day| {
        let r = on(&shipped(symbol), day);
        [r.buy_min, r.buy_step, r.sell_min, r.sell_step, r.order_max_limit, r.order_max_market].map(Qty::get)
    };
    assert_eq!(lots("000001.SZ", "2024-01-02"), [100, 100, 100, 100, 1_000_000, 1_000_000]);
    assert_eq!(lots("300750.SZ", "2020-08-21"), [100, 100, 100, 100, 1_000_000, 1_000_000]);
    assert_eq!(lots("300750.SZ", "2020-08-24"), [100, 100, 100, 100, 300_000, 150_000]);
    assert_eq!(lots("688981.SH", "2024-01-02"), [200, 1, 200, 1, 100_000, 50_000]);
    assert_eq!(lots("430047.BJ", "2024-01-02"), [100, 1, 100, 1, 1_000_000, 1_000_000]);
    assert_eq!(lots("510300.SH", "2024-01-02"), [100, 100, 100, 100, 1_000_000, 1_000_000]);
}

#[test]
fn the_first_days_of_a_stock_follow_the_regime_of_its_issue() {
    let book = book();
    let limit = |symbol: &str, day, age| book.price_limit(&shipped(symbol), date(day), age).expect("a limit");
    assert_eq!(limit("603191.SH", "2022-04-28", Some(1)), percent(44, 36));
    assert_eq!(limit("603191.SH", "2022-04-28", None), percent(44, 36), "the listing day tells itself");
    assert_eq!(limit("603191.SH", "2022-04-29", Some(2)), percent(10, 10));
    assert_eq!(limit("300842.SZ", "2020-06-18", Some(1)), percent(44, 36), "ChiNext before its reform");
    assert_eq!(limit("301030.SZ", "2021-07-28", Some(5)), PriceLimit::Unlimited);
    assert_eq!(limit("301030.SZ", "2021-07-29", Some(6)), percent(20, 20));
    assert_eq!(limit("603296.SH", "2023-08-08", Some(1)), PriceLimit::Unlimited);
    assert_eq!(limit("603296.SH", "2023-08-14", Some(5)), PriceLimit::Unlimited);
    assert_eq!(limit("603296.SH", "2023-08-15", Some(6)), percent(10, 10));
    assert_eq!(limit("688321.SH", "2019-08-16", Some(5)), PriceLimit::Unlimited);
    assert_eq!(limit("688321.SH", "2019-08-19", Some(6)), percent(20, 20));
    let beijing = instrument("920001.BJ", Board::Beijing);
    let beijing = |age| book.price_limit(&beijing, date("2024-06-03"), Some(age)).expect("a limit");
    assert_eq!((beijing(1), beijing(2)), (PriceLimit::Unlimited, percent(30, 30)));
}

#[test]
fn a_stock_listed_just_before_a_reform_keeps_its_limit_on_the_day_of_the_reform() {
    let stock = Instrument { listed_on: Some(date("2023-04-07")), ..instrument("603137.SH", Board::Main) };
    assert_eq!(book().price_limit(&stock, date("2023-04-10"), Some(2)), Ok(percent(10, 10)));
}

#[test]
fn the_one_tick_floor_came_to_shenzhen_and_shanghai_at_different_times() {
    assert!(on(&shipped("000001.SZ"), "2016-01-04").one_tick_floor);
    assert!(!on(&shipped("600000.SH"), "2023-04-07").one_tick_floor);
    assert!(on(&shipped("600000.SH"), "2023-04-10").one_tick_floor);
}

#[test]
fn what_is_not_supported_or_not_listed_is_refused_with_its_reason() {
    let why = |instrument: &Instrument, day| book().day(instrument, date(day), None).expect_err("refused").to_string();
    let refusal = "110059.SH: convertible instruments are not supported yet";
    assert_eq!(why(&instrument("110059.SH", Board::Convertible), "2024-01-02"), refusal);
    for (symbol, board) in [("204001.SH", Board::Repo), ("900901.SH", Board::BShare), ("508000.SH", Board::Reit)] {
        assert!(why(&instrument(symbol, board), "2024-01-02").ends_with("not supported yet"));
    }
    assert_eq!(why(&shipped("688981.SH"), "2020-07-15"), "688981.SH is not listed before 2020-07-16");
    assert_eq!(
        why(&instrument("600000.SH", Board::Main), "1990-12-19"),
        "no limit_price_rounding is known for 600000.SH on 1990-12-19"
    );
    assert_eq!(
        book().price_limit(&instrument("600000.SH", Board::Main), date("1996-12-16"), None),
        Ok(percent(10, 10))
    );
}

#[test]
fn every_shipped_instrument_has_rules_on_the_recorded_day_and_today_if_it_was_listed() {
    let all = Instruments::parse(include_str!("../../../../conf/instruments/cn_equity.csv")).expect("the instruments");
    let book = book();
    for instrument in &all {
        for day in [date("2019-02-01"), date("2026-08-03")] {
            let listed = instrument.listed_on.is_none_or(|from| from <= day)
                && (instrument.board != Board::Beijing || day > date("2021-11-14"))
                && (instrument.board != Board::Star || day > date("2019-07-21"));
            assert_eq!(book.day(instrument, day, None).is_ok(), listed, "{} on {day}", instrument.symbol);
        }
    }
}

#[test]
fn a_table_that_the_book_would_misread_is_refused() {
    const HEADER: &str = "market,scope,rule,value,effective_from,effective_to\n";
    let why = |rows: &str| RuleBook::parse(&[&format!("{HEADER}{rows}")]).expect_err("refused").to_string();
    assert_eq!(
        why("XSHG,stock,circuit_breaker,1,2016-01-01,"),
        "line 2: rule has the unknown value \"circuit_breaker\""
    );
    assert_eq!(why("XSHG,nobody,tick_size,0.01,2016-01-01,"), "line 2: scope has the unknown value \"nobody\"");
    assert_eq!(why("XSHG+XNYS,stock,tick_size,0.01,2016-01-01,"), "line 2: market has the unknown value \"XNYS\"");
    for (rule, value) in [
        ("tick_size", "0"),
        ("buy_step", "0"),
        ("price_limit_pct", "-0.1"),
        ("price_limit_pct", "1.5"),
        ("stamp_duty_sell", "1e-07"),
        ("limit_price_rounding", "half_even_2dp"),
        ("min_holding_days", "T+1"),
        ("session_schedule", "{}"),
    ] {
        let told = format!("line 2: value has the unknown value {value:?}");
        assert_eq!(why(&format!("XSHG,stock,{rule},{value},2016-01-01,\n")), told);
    }
    let twice = "XSHG,stock,tick_size,0.01,2016-01-01,2020-01-01\nXSHG+XSHE,stock,tick_size,0.1,2019-12-31,\n";
    assert_eq!(why(twice), "line 3: tick_size is ruled twice on 2019-12-31");
    let after = "XSHG,stock,tick_size,0.01,2016-01-01,2020-01-01\nXSHG,stock,tick_size,0.1,2020-01-01,\n";
    assert!(RuleBook::parse(&[&format!("{HEADER}{after}")]).is_ok());
}

#[test]
fn recorded_days_of_a_stock_stay_inside_the_band_and_sometimes_touch_its_end() {
    let bars = Table::parse(include_str!("../../../tests/data/600000.SH_2008_2019_1d.csv")).expect("the bars");
    let column = |name| bars.column(name).expect("a column");
    let (day, high, low) = (column("date"), column("high"), column("low"));
    let (close, pre_close) = (column("close"), column("pre_close"));
    let (book, stock) = (book(), shipped("600000.SH"));
    let mut closed_at_the_limit = 0;
    for row in bars.rows() {
        let price = |column| Price::parse(row.get(column)).expect("a price");
        let day = TradeDate::parse(row.get(day)).expect("a day");
        // The fees of 2008 are not known, so the rules of a later day lend the rest.
        let limit = book.price_limit(&stock, day, None).expect("a limit");
        let rules = DayRules { limit, ..on(&stock, "2019-02-01") };
        let (down, up) = rules.price_band(price(pre_close)).expect("a band");
        assert!(down <= price(low) && price(high) <= up, "{day}: {down} to {up}");
        closed_at_the_limit += usize::from([down, up].contains(&price(close)));
    }
    assert_eq!((bars.rows().len(), closed_at_the_limit), (488, 13));
}
