//! The table of corporate actions against the recorded references of the days on which its shares went ex, and against what
//! was traded then.

use std::collections::BTreeMap;

use signalbox_domain::corporate::CorporateActions;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Price, TradeDate, mul_div_round};

use crate::csv::Csv;

const BARS: &[u8] = include_bytes!("../data/a_share_1995_2025_1d.csv.gz");
const TABLE: &str = include_str!("../../../conf/instruments/cn_corporate_actions.csv");

/// Close, reference and low of a day.
type Day = (Price, Option<Price>, Price);

#[test]
fn the_price_that_a_share_is_reckoned_from_on_its_ex_date_is_the_recorded_one() {
    let table = CorporateActions::parse(TABLE).expect("the table");
    let bars = Csv::gz(BARS);
    let mut days: BTreeMap<Symbol, BTreeMap<TradeDate, Day>> = BTreeMap::new();
    for row in bars.rows() {
        let price = |name| Price::parse(row.get(name)).ok();
        let symbol = Symbol::parse(row.get("symbol")).expect("a symbol");
        let date = TradeDate::parse(row.get("date")).expect("a day");
        let day = (price("close").expect("a close"), price("pre_close_calc"), price("low").expect("a low"));
        days.entry(symbol).or_default().insert(date, day);
    }
    let (mut compared, mut fallen) = (0, 0);
    for action in table.iter() {
        let of_symbol = &days[&action.symbol];
        let before = of_symbol.range(..action.ex_date).next_back();
        let (Some((_, (close, ..))), Some((_, (_, Some(reference), low)))) =
            (before, of_symbol.range(action.ex_date..).next())
        else {
            continue;
        };
        let ex = action.ex_price(*close).expect("something is left");
        let to_the_cent = Price::from_e4(mul_div_round(ex.e4(), 1, 100) * 100);
        assert_eq!(to_the_cent, *reference, "{} of {}", action.ex_date, action.symbol);
        compared += 1;
        // Held against the price of before, what was traded would be a crash.
        fallen += usize::from(low.e4() < close.e4() * 9 / 10);
    }
    assert_eq!((compared, fallen), (34, 18));
}
