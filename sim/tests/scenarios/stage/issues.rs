//! The new issues of a story.

use signalbox_domain::issues::NewIssues;
use signalbox_domain::symbols::issue_board_of;
use signalbox_domain::units::TradeDate;

use super::{WEEK, symbol};

/// `SYMBOL DAY @ PRICE unit N most N`: it becomes the share of its own code, or that of its board with the same end.
pub(super) fn row(words: &[&str]) -> String {
    let [code, day, "@", price, "unit", unit, "most", most] = words else { panic!("an issue? {words:?}") };
    let (_, day) = WEEK.iter().find(|(name, _)| name == day).expect("a day");
    let day = TradeDate::from_yyyymmdd(*day).expect("a date");
    let board = issue_board_of(symbol(code)).expect("a code to subscribe by");
    let listing = match code.split_at(3) {
        ("787", rest) => format!("688{rest}"),
        ("732", rest) => format!("603{rest}"),
        ("889", rest) => format!("920{rest}"),
        _ => (*code).to_owned(),
    };
    format!("{code},new,{board},{listing},{day},{price},{unit},{most},the story\n")
}

pub(super) fn table(rows: &str) -> NewIssues {
    NewIssues::parse(&format!("{}\n{rows}", NewIssues::HEADER)).expect("new issues")
}
