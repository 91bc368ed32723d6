use super::*;

const SHARES: &str = include_str!("../../../../conf/instruments/abroad.csv");
const RULES: &str = include_str!("../../../../conf/rules/abroad.csv");

fn on(symbol: &str, day: &str) -> ForeignRules {
    let book = ForeignBook::parse(SHARES, RULES).expect("the shipped tables");
    book.day(Symbol::parse(symbol).expect("a symbol"), TradeDate::parse(day).expect("a day")).expect("rules")
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("a price")
}

#[test]
fn hong_kong_narrowed_its_ticks_in_august_2025() {
    let (old, new) = (on("1810.HK", "2025-08-01").ladder, on("1810.HK", "2025-08-04").ladder);
    let tick = |ladder: &Ladder, at| ladder.tick(price(at)).map(|tick| tick.to_string());
    for (at, before, after) in [
        ("0.01", "0.001", "0.001"),
        ("0.25", "0.001", "0.001"),
        ("0.251", "0.005", "0.005"),
        ("9.99", "0.01", "0.01"),
        ("10.01", "0.02", "0.01"),
        ("20.05", "0.05", "0.02"),
        ("50.05", "0.05", "0.05"),
        ("100.1", "0.10", "0.10"),
        ("350", "0.20", "0.20"),
        ("600", "0.50", "0.50"),
        ("1500", "1.00", "1.00"),
        ("3000", "2.00", "2.00"),
        ("9995", "5.00", "5.00"),
    ] {
        assert_eq!((tick(&old, at).as_deref(), tick(&new, at).as_deref()), (Some(before), Some(after)), "{at}");
    }
    assert_eq!(tick(&new, "9995.01"), None, "above the table");
    assert!(old.on_tick(price("20")) && new.on_tick(price("20")), "at a seam both ticks fit");
    assert!(!old.on_tick(price("20.02")) && new.on_tick(price("20.02")));
}

#[test]
fn rounding_crosses_a_seam_to_a_price_that_is_on_both_sides() {
    let ladder = on("1810.HK", "2025-08-01").ladder;
    let down = |at| ladder.round_down(price(at)).map(|p| p.to_string());
    let up = |at| ladder.round_up(price(at)).map(|p| p.to_string());
    assert_eq!((down("20.04").as_deref(), up("20.04").as_deref()), (Some("20.00"), Some("20.05")));
    assert_eq!((down("19.99").as_deref(), up("19.99").as_deref()), (Some("19.98"), Some("20.00")));
    assert_eq!((down("99999").as_deref(), up("99999").as_deref()), (Some("9995.00"), None));
    assert_eq!((down("0.0005"), up("0.0005").as_deref()), (None, Some("0.001")));
}

#[test]
fn below_one_dollar_the_united_states_trade_in_hundredths_of_a_cent() {
    let ladder = on("AAPL.US", "2026-03-25").ladder;
    assert!(ladder.on_tick(price("0.9999")) && ladder.on_tick(price("1")) && ladder.on_tick(price("187.21")));
    assert!(!ladder.on_tick(price("1.0001")) && !ladder.on_tick(price("187.215")) && !ladder.on_tick(Price::ZERO));
}

#[test]
fn lots_settlement_and_days_of_holding_are_those_of_the_market() {
    let qty = |symbol, side, qty, held| on(symbol, "2026-03-25").check_qty(side, Qty::new(qty), Qty::new(held));
    assert_eq!(qty("1810.HK", Side::Buy, 400, 0), Ok(()));
    assert_eq!(qty("1810.HK", Side::Buy, 300, 0), Err(QtyFault::OffStep { qty: Qty::new(300), step: Qty::new(200) }));
    let below = Err(QtyFault::BelowMin { qty: Qty::new(100), min: Qty::new(200) });
    assert_eq!(qty("1810.HK", Side::Sell, 100, 100), below, "odd lots trade apart");
    assert_eq!(qty("700.HK", Side::Buy, 100, 0), Ok(()));
    assert_eq!(qty("AAPL.US", Side::Buy, 1, 0), Ok(()));
    let above = Err(QtyFault::AboveSellable { qty: Qty::new(2), sellable: Qty::new(1) });
    assert_eq!(qty("AAPL.US", Side::Sell, 2, 1), above);
    let settle = |symbol, day| on(symbol, day).settle_days;
    assert_eq!((settle("AAPL.US", "2017-09-01"), settle("AAPL.US", "2017-09-05")), (3, 2));
    assert_eq!(
        (settle("AAPL.US", "2024-05-24"), settle("AAPL.US", "2024-05-28"), settle("700.HK", "2026-03-25")),
        (2, 1, 2)
    );
    assert_eq!(on("700.HK", "2026-03-25").min_holding_days, 0);
}

#[test]
fn what_is_not_known_abroad_is_refused() {
    let book = ForeignBook::parse(SHARES, RULES).expect("the shipped tables");
    let why = |symbol: &str, day: &str| {
        let (symbol, day) = (Symbol::parse(symbol).expect("a symbol"), TradeDate::parse(day).expect("a day"));
        book.day(symbol, day).expect_err("refused").to_string()
    };
    assert_eq!(why("9988.HK", "2026-03-25"), "9988.HK is no share abroad that is known here");
    assert_eq!(why("3690.HK", "2018-09-19"), "3690.HK is not listed before 2018-09-20");
    assert_eq!(why("AAPL.US", "2001-01-02"), "no rules are known for AAPL.US on 2001-01-02");
    let refused = |shares: &str, rules: &str| ForeignBook::parse(shares, rules).expect_err("refused").to_string();
    let hole = RULES.replacen("XHKG,tick,10,20,0.01", "XHKG,tick,12,20,0.01", 1);
    assert!(refused(SHARES, &hole).starts_with("the ticks of XHKG on 2025-08-04 leave a hole at 12.00"));
    let off = RULES.replacen("XHKG,tick,20,50,0.02", "XHKG,tick,20,50,0.03", 1);
    assert!(refused(SHARES, &off).contains("no multiple of the tick"));
    let twice = RULES.replacen("0.02,2016-07-25,2025-08-04", "0.02,2016-07-25,2025-08-05", 1);
    assert_eq!(refused(SHARES, &twice), "line 6: tells again what another row tells of a day");
    assert_eq!(refused(&SHARES.replacen(",200,", ",0,", 1), RULES), "line 3: lot has the unknown value \"0\"");
    assert_eq!(
        refused(&SHARES.replacen("1810.HK", "700.HK", 1), RULES),
        "line 3: 700.HK appears twice, or trades on no market abroad"
    );
}
