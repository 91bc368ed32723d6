//! New issues in the market: their day, their hours, and what old journals say of days without them. The codes are made up.

use signalbox_domain::calendar::{Calendar, china_instant};
use signalbox_domain::instrument::Instruments;
use signalbox_domain::issues::NewIssues;
use signalbox_domain::market::Market;
use signalbox_domain::order::OrdType;
use signalbox_domain::rules::{DayRules, NoRule, RuleBook};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Qty, TradeDate};

const ISSUES: &str = "symbol,name,board,listing,subscribe_on,issue_price,unit,quantity_max,source
732999.SH,a,main,603999.SH,2025-03-04,12.34,500,13500,made up
301999.SZ,b,chinext,301999.SZ,2025-03-04,7.50,500,10500,made up
889999.BJ,c,bse,920999.BJ,2025-03-04,9.10,100,900000,made up
";

/// The share of Shenzhen is listed ten days later.
const SHARES: &str = "symbol,name,board,st,settle,etf_20pct,listed_on,currency
301999.SZ,b,chinext,0,ordinary,0,2025-03-14,CNY
600000.SH,d,main,0,ordinary,0,1999-11-10,CNY
";

fn market() -> Market {
    let calendar = Calendar::parse(include_str!("../../../conf/calendars/cn_a_share_trading_days.csv"));
    let rules = RuleBook::parse(&[
        include_str!("../../../conf/rules/cn_equity_rules.csv"),
        include_str!("../../../conf/rules/cn_lots.csv"),
        include_str!("../../../conf/rules/cn_supplement.csv"),
    ]);
    let shares = Instruments::parse(SHARES).expect("shares");
    let market = Market::new(calendar.expect("days"), shares, rules.expect("rules"));
    market.with_issues(NewIssues::parse(ISSUES).expect("issues").into())
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

fn day(text: &str) -> TradeDate {
    TradeDate::parse(text).expect("a day")
}

/// The minutes of the day from which on it is open or closed, each looked at with the microsecond before it.
fn turns(market: &Market, code: &str) -> Vec<String> {
    let (mut turns, mut open) = (Vec::new(), false);
    for minute in 0..24 * 60 {
        let at = china_instant(day("2025-03-04"), minute / 60, minute % 60, 0);
        let now = market.is_open(symbol(code), OrdType::Limit, at);
        assert_eq!(now, market.takes(symbol(code), OrdType::Limit, at), "{code} at {minute}");
        if now != open {
            turns.push(format!("{:02}:{:02}", minute / 60, minute % 60));
            open = now;
        }
    }
    turns
}

#[test]
fn an_issue_is_subscribed_to_in_the_hours_of_its_exchange() {
    let market = market();
    for code in ["732999.SH", "889999.BJ"] {
        assert_eq!(turns(&market, code), ["09:30", "11:30", "13:00", "15:00"], "{code}");
    }
    assert_eq!(turns(&market, "301999.SZ"), ["09:15", "11:30", "13:00", "15:00"]);
    let opens = |code: &str, hh, mm| {
        let next = market.next_open(symbol(code), china_instant(day("2025-03-04"), hh, mm, 0)).expect("an opening");
        let of_day = |day: TradeDate, name: &str| {
            let times = [(9, 15), (9, 30), (13, 0)].into_iter();
            let mut found = times.filter(|(hh, mm)| china_instant(day, *hh, *mm, 0) == next);
            found.next().map(|(hh, mm)| format!("{name}{hh:02}:{mm:02}"))
        };
        of_day(day("2025-03-04"), "").or_else(|| of_day(day("2025-03-05"), "next ")).expect("a time")
    };
    assert_eq!([opens("732999.SH", 8, 0), opens("301999.SZ", 8, 0)], ["09:30", "09:15"]);
    assert_eq!([opens("732999.SH", 12, 0), opens("301999.SZ", 12, 0)], ["13:00", "13:00"]);
    assert_eq!([opens("732999.SH", 15, 0), opens("301999.SZ", 15, 0)], ["next 09:30", "next 09:30"]);
}

#[test]
fn it_has_rules_on_its_day_and_on_no_other_until_it_is_a_share() {
    let market = market();
    let of = |code: &str, date: &str| market.day(symbol(code), day(date));
    let issue = of("301999.SZ", "2025-03-04").expect("its rules").issue.expect("an issue");
    assert!(!issue.prepaid && issue.from_auction);
    assert!(of("889999.BJ", "2025-03-04").expect("its rules").issue.expect("an issue").prepaid);
    let on = day("2025-03-04");
    for (code, date) in [("732999.SH", "2025-03-03"), ("732999.SH", "2025-03-14"), ("301999.SZ", "2025-03-13")] {
        assert_eq!(of(code, date), Err(NoRule::SubscriptionClosed { symbol: symbol(code), on }), "{code} {date}");
    }
    assert_eq!(of("301999.SZ", "2025-03-14").expect("its first day as a share").issue, None);
    assert!(market.knows(symbol("732999.SH")) && !market.knows(symbol("732998.SH")));
}

#[test]
fn rules_that_were_written_before_there_were_issues_still_read() {
    let rules = market().day(symbol("600000.SH"), day("2025-03-04")).expect("rules");
    let text = serde_json::to_string(&rules).expect("text");
    assert!(!text.contains("issue"), "{text}");
    assert_eq!(serde_json::from_str::<DayRules>(&text).expect("the same"), rules);
    let issue = market().day(symbol("732999.SH"), day("2025-03-04")).expect("rules");
    let text = serde_json::to_string(&issue).expect("text");
    assert_eq!(serde_json::from_str::<DayRules>(&text).expect("the same"), issue);
    assert_eq!((issue.buy_step, issue.order_max_limit), (Qty::new(500), Qty::new(13_500)));
}
