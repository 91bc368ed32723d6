//! Recorded prices of Hong Kong against the ticks of their day.

use signalbox_domain::rules::abroad::{ForeignBook, Ladder};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, TradeDate};

use crate::csv::{Csv, internal};

#[test]
fn every_close_of_01810_is_on_the_ladder_of_its_day_and_half_of_the_new_ones_are_on_no_old_tick() {
    let Some(files) = internal(&["hk_us/daily_2021_2026.csv.gz"]) else { return };
    let book = ForeignBook::parse(
        include_str!("../../../conf/instruments/abroad.csv"),
        include_str!("../../../conf/rules/abroad.csv"),
    )
    .expect("the tables");
    let xiaomi = Symbol::parse("1810.HK").expect("a symbol");
    let ladder = |day: TradeDate| -> Ladder { book.day(xiaomi, day).expect("rules").ladder };
    let date = |text: &str| TradeDate::parse(text).expect("a day");
    let (change, last) = (date("2025-08-04"), ladder(date("2025-08-01")));
    let (mut before, mut after, mut off_the_old) = (0, 0, 0);
    for row in Csv::gz(&files[0]).rows().filter(|row| row.get("symbol") == "01810.HK") {
        let (day, close) = (date(row.get("date")), Price::parse(row.get("close")).expect("a price"));
        assert!(ladder(day).on_tick(close), "{close} on {day}");
        if day < change {
            before += 1;
        } else {
            after += 1;
            off_the_old += usize::from(!last.on_tick(close));
        }
    }
    println!("{before} before, {after} after, {off_the_old} of these off the old ticks");
    assert_eq!((before, after), (1_118, 157));
    assert!(off_the_old * 5 > after * 2);
}
