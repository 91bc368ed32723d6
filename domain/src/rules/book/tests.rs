use std::sync::Arc;

use super::*;
use crate::instrument::{Currency, Instruments, StatusSpan};
use crate::order::Side;

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
        history: Arc::default(),
    }
}

/// The instrument in this state from one day to another.
fn in_state(instrument: Instrument, status: Status, from: &str, until: Option<&str>) -> Instrument {
    let span = StatusSpan { status, from: date(from), until: until.map(date) };
    Instrument { history: Arc::new([span]), ..instrument }
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
            one_tick_floor_to: None,
            cage: None,
            min_holding_days: 1,
            closing_auction: true,
            hours: Hours::ClosingAuction,
            after_hours: false,
            fees: FeeRules {
                commission: Ratio::from_e6(250),
                commission_cap: Ratio::from_e6(3_000),
                commission_min: Money::from_units(5),
                stamp_duty_sell: Ratio::from_e6(1_000),
                stamp_duty_of: StampDutyOf::Seller,
                transfer_fee: Ratio::from_e6(20),
            },
            contract: None,
            abroad: None,
            issue: None,
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
fn a_day_of_resumption_has_no_limit_whatever_the_board_says() {
    let reform = in_state(instrument("600000.SH", Board::Main), Status::Resumed, "2006-05-12", Some("2006-05-13"));
    let limit = |day| book().price_limit(&reform, date(day), None);
    assert_eq!(limit("2006-05-12"), Ok(PriceLimit::Unlimited));
    assert_eq!(limit("2006-05-15"), Ok(percent(10, 10)));
    let relisted = in_state(st("000792.SZ", Board::Main), Status::Resumed, "2021-08-10", Some("2021-08-11"));
    assert_eq!(book().price_limit(&relisted, date("2021-08-10"), None), Ok(PriceLimit::Unlimited));
    assert_eq!(book().price_limit(&relisted, date("2021-08-11"), None), Ok(percent(5, 5)));
    let early = in_state(instrument("600000.SH", Board::Main), Status::Resumed, "2004-05-12", None);
    assert!(book().price_limit(&early, date("2004-05-12"), None).is_err(), "before the rule is known");
}

#[test]
fn the_delisting_period_begins_without_a_limit_since_the_end_of_2020() {
    let limit = |symbol, board, from: &str, day: &str| {
        book().price_limit(&in_state(st(symbol, board), Status::Delisting, from, None), date(day), None)
    };
    let free = Ok(PriceLimit::Unlimited);
    let (first, second) = ("2022-05-16", "2022-05-17");
    for (symbol, board, band) in [
        ("600001.SH", Board::Main, 10),
        ("000003.SZ", Board::Main, 10),
        ("300028.SZ", Board::ChiNext, 20),
        ("688086.SH", Board::Star, 20),
        ("833999.BJ", Board::Beijing, 30),
    ] {
        assert_eq!(limit(symbol, board, first, first), free, "{symbol}");
        assert_eq!(limit(symbol, board, first, second), Ok(percent(band, band)), "{symbol}");
    }
    // Before the reform of 2020-12-31 the first day had the band of the others, and ST in it never meant 5 %.
    assert_eq!(limit("600001.SH", Board::Main, "2019-05-27", "2019-05-27"), Ok(percent(10, 10)));
    assert_eq!(limit("300028.SZ", Board::ChiNext, "2020-07-01", "2020-07-02"), Ok(percent(10, 10)));
    assert!(limit("300028.SZ", Board::ChiNext, "2020-09-01", "2020-09-02").is_err(), "nobody says what held then");
}

#[test]
fn the_floor_of_the_delisting_period_ended_just_below_five_cents_until_2020() {
    let stock = |from| in_state(st("600001.SH", Board::Main), Status::Delisting, from, None);
    let band = |from, day, prev: &str| {
        let band = on(&stock(from), day).price_band(Price::parse(prev).expect("a price")).expect("a limit");
        (band.0.to_string(), band.1.to_string())
    };
    let text = |low: &str, high: &str| (low.to_owned(), high.to_owned());
    assert_eq!(band("2019-05-20", "2019-05-27", "0.04"), text("0.03", "0.05"));
    assert_eq!(band("2019-05-20", "2019-05-27", "0.05"), text("0.05", "0.06"), "half up leaves the reference itself");
    assert_eq!(band("2021-05-20", "2021-05-27", "0.05"), text("0.04", "0.06"));
    assert_eq!(band("2023-05-20", "2023-05-29", "0.05"), text("0.04", "0.06"), "by the floor of the whole market");
}

#[test]
fn b_shares_have_the_tick_of_their_currency_and_the_band_of_the_main_board() {
    let (shanghai, shenzhen) = (instrument("900901.SH", Board::BShare), instrument("200012.SZ", Board::BShare));
    assert_eq!(on(&shanghai, "2024-01-02").tick, Price::from_e4(10));
    assert_eq!(on(&shenzhen, "2024-01-02").tick, Price::from_e4(100));
    for share in [&shanghai, &shenzhen] {
        let rules = on(share, "2024-01-02");
        assert_eq!((rules.limit, rules.min_holding_days, rules.buy_step), (percent(10, 10), 1, Qty::new(100)));
        assert!(!rules.after_hours);
    }
    let warned = st("900901.SH", Board::BShare);
    assert_eq!(on(&warned, "2026-07-03").limit, percent(5, 5));
    assert_eq!(on(&warned, "2026-07-06").limit, percent(10, 10));
    assert!(!on(&shanghai, "2018-08-17").closing_auction && on(&shanghai, "2018-08-20").closing_auction);
}

#[test]
fn convertible_bonds_got_a_band_in_august_2022() {
    let bond = instrument("113050.SH", Board::Convertible);
    let rules = on(&bond, "2022-08-01");
    assert_eq!((rules.limit, rules.tick, rules.min_holding_days), (percent(20, 20), Price::from_e4(10), 0));
    assert_eq!((rules.buy_min, rules.buy_step, rules.fees.stamp_duty_sell), (Qty::new(10), Qty::new(10), Ratio::ZERO));
    assert_eq!(on(&bond, "2022-07-29").limit, PriceLimit::Unlimited);
    let first = |day| book().price_limit(&bond, date(day), Some(1));
    let issue = PriceLimit::Percent { up: Ratio::from_e6(573_000), down: Ratio::from_e6(433_000) };
    assert_eq!((first("2022-07-29"), first("2022-08-01")), (Ok(PriceLimit::Unlimited), Ok(issue)));
    let face = on(&bond, "2022-08-01");
    let band = DayRules { limit: issue, ..face }.price_band(Price::from_e4(1_000_000)).expect("a limit");
    assert_eq!((band.0.to_string(), band.1.to_string()), ("56.70".into(), "157.30".into()));
    assert!(on(&instrument("128144.SZ", Board::Convertible), "2022-08-01").closing_auction && !rules.closing_auction);
}

#[test]
fn repo_lends_in_tens_of_units_until_half_past_three() {
    let (shanghai, shenzhen) = (instrument("204001.SH", Board::Repo), instrument("131810.SZ", Board::Repo));
    let rules = on(&shanghai, "2024-01-02");
    assert_eq!((rules.hours, rules.limit, rules.min_holding_days), (Hours::Repo, PriceLimit::Unlimited, 0));
    let lend = |rules: &DayRules, qty| rules.check_qty(Side::Sell, Qty::new(qty), Qty::new(10_000)).is_ok();
    assert!(lend(&rules, 10) && !lend(&rules, 15) && lend(&on(&shenzhen, "2016-01-04"), 10));
    assert!(!lend(&on(&shanghai, "2022-05-13"), 10) && lend(&on(&shanghai, "2022-05-13"), 1_000));
    assert!(rules.fees.commission <= rules.fees.commission_cap);
}

#[test]
fn the_price_cage_came_board_by_board() {
    let cage = |symbol: &str, day| on(&shipped(symbol), day).cage;
    let two = |at_least| Some(Cage { pct: Ratio::from_percent(2), at_least: Price::from_e4(at_least) });
    assert_eq!(cage("688111.SH", "2020-02-03"), two(0));
    assert_eq!((cage("300750.SZ", "2020-08-21"), cage("300750.SZ", "2020-08-24")), (None, two(0)));
    assert_eq!((cage("600000.SH", "2023-04-07"), cage("600000.SH", "2023-04-10")), (None, two(1_000)));
    let beijing = Cage { pct: Ratio::from_percent(5), at_least: Price::from_e4(1_000) };
    assert_eq!(cage("430047.BJ", "2024-01-02"), Some(beijing));
    assert_eq!(cage("510300.SH", "2024-01-02"), None);
}

#[test]
fn trading_after_hours_came_to_all_a_shares_in_the_summer_of_2026() {
    let after = |symbol: &str, day| on(&shipped(symbol), day).after_hours;
    assert!(after("688111.SH", "2020-02-03"));
    assert!(!after("300750.SZ", "2020-08-21") && after("300750.SZ", "2020-08-24"));
    assert!(!after("600000.SH", "2026-07-03") && after("600000.SH", "2026-07-06"));
    assert!(!after("510300.SH", "2026-07-06") && !after("430047.BJ", "2026-07-06"));
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
    let abroad =
        Instrument { symbol: Symbol::parse("700.HK").expect("a symbol"), ..instrument("600000.SH", Board::Main) };
    assert_eq!(why(&abroad, "2024-01-02"), "700.HK: main instruments of this exchange are not supported yet");
    let reit = instrument("508000.SH", Board::Reit);
    assert_eq!(why(&reit, "2024-01-02"), "no session_schedule is known for 508000.SH on 2024-01-02");
    let limit = |age| book().price_limit(&reit, date("2024-01-02"), Some(age));
    assert_eq!((limit(1), limit(2)), (Ok(percent(30, 30)), Ok(percent(10, 10))));
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
        ("price_cage", "0.02"),
        ("price_cage", "{\"pct\": 0, \"at_least\": 0.1}"),
        ("after_hours_fixed_price", "15:05"),
        ("limit_price_min_tick", "{\"prev_close_lt\": 0.05, \"band\": 0.02}"),
    ] {
        let told = format!("line 2: value has the unknown value {value:?}");
        let quoted = value.replace('"', "\"\"");
        assert_eq!(why(&format!("XSHG,stock,{rule},\"{quoted}\",2016-01-01,\n")), told);
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
