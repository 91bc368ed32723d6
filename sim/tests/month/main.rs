//! A simulated month of ordinary strategies at default limits, on recorded prices, each on its own period. Everything that
//! was denied is here with its numbers: each denial is one that its owner would agree with.
//!
//! The market's part is played by the paper exchange with its conservative assumptions; see `signalbox_domain::paper`.

mod feeds;
mod floor;

use std::collections::{BTreeMap, HashMap};

use signalbox_domain::calendar::china_instant;
use signalbox_domain::execution::{Policy, PriceForm};
use signalbox_domain::instrument::Currency;
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::order::Side;
use signalbox_domain::quote::{Bar, Quote};
use signalbox_domain::signal::Size;
use signalbox_domain::strategy::{Allocation, RouteTo};
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Money, Price, Qty, Ratio, Span, Timestamp, TradeDate};

use crate::feeds::{clock, contract_minutes, days, hm, share_minutes, ticks, unpacked};
use crate::floor::{Ask, At, Floor, News, group, last, paper, routed, strategy, symbol, to};

/// The last price of each symbol today, and on the day before.
#[derive(Default)]
struct Prices {
    today: HashMap<Symbol, Price>,
    before: HashMap<Symbol, Price>,
}

#[track_caller]
fn told(floor: &Floor, expected: &str) {
    let story = floor.story();
    let tidy = |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert!(tidy(&story) == tidy(expected), "the month went otherwise:\n\n{story}\n");
}

fn percent(n: i64) -> Ratio {
    Ratio::from_percent(n)
}

/// The price so many thousandths away, on the cent.
fn off(px: Price, thousandths: i64) -> Price {
    Price::from_e4(px.e4() * (1_000 + thousandths) / 1_000 / 100 * 100)
}

/// Two ticks over the market, and after it for five minutes.
fn chase(side: Side) -> At {
    let ticks = if side == Side::Buy { 2 } else { -2 };
    At::Form(PriceForm::Last { ticks }, Policy::Reprice { every: Span::from_secs(60), max: 5 })
}

/// The portfolio as a whole is switched at 09:31 on Mondays: three of four, not quite a quarter each.
fn switch(floor: &mut Floor, at: Timestamp, week: usize) {
    let pool = ["600000.SH", "000001.SZ", "600004.SH", "000005.SZ"].map(symbol);
    for (n, symbol) in pool.into_iter().enumerate() {
        let weight = if n == week % 4 { Ratio::ZERO } else { percent(22) };
        let ask = Ask::new("switch", symbol, None, Size::TargetWeight(weight), At::Market);
        floor.send(Ask { basket: Some(format!("week {}", clock(at).0).into()), ..ask });
    }
}

/// A grid around the morning's price: five buys below, and sells above as far as there is something to sell, half a per
/// cent apart.
fn grid(floor: &mut Floor, px: Price) {
    let (of, lots) = (symbol("000002.SZ"), Qty::new(300));
    let mut free = floor.holds("a", "grid", of).1;
    for step in 1..=5 {
        floor.send(Ask::new("grid", of, Some(Side::Buy), Size::Quantity(lots), At::Limit(off(px, -5 * step))));
        if free >= lots {
            free -= lots;
            floor.send(Ask::new("grid", of, Some(Side::Sell), Size::Quantity(lots), At::Limit(off(px, 5 * step))));
        }
    }
}

/// Buys at the limit price what has risen by six per cent, and sells it on the next morning.
fn chaser(floor: &mut Floor, prices: &Prices, bought: &mut HashMap<Symbol, TradeDate>, today: TradeDate, minute: u32) {
    let all: BTreeMap<Symbol, Price> = prices.today.iter().map(|(symbol, px)| (*symbol, *px)).collect();
    for (symbol, px) in all {
        let rises = prices.before.get(&symbol).is_some_and(|before| px.e4() * 100 >= before.e4() * 106);
        if rises && minute < hm(14, 50) && bought.get(&symbol) != Some(&today) {
            bought.insert(symbol, today);
            let size = Size::Percent(percent(20));
            floor.send(Ask::new("chaser", symbol, Some(Side::Buy), size, At::Form(PriceForm::LimitUp, Policy::Once)));
        }
        if minute == hm(9, 31) && floor.holds("b", "chaser", symbol).1.is_positive() {
            let out =
                Policy::SellUntilDone { reprice_every: Span::from_secs(60), escalate_after: None, market_after: None };
            let price = At::Form(PriceForm::Last { ticks: -1 }, out);
            floor.send(Ask::new("chaser", symbol, Some(Side::Sell), Size::All, price));
        }
    }
}

/// Everything into one share on Tuesdays, and out on Thursdays; the next week it is another's turn.
fn all_in(floor: &mut Floor, weekday: usize, week: usize) {
    let of = symbol(["600000.SH", "000001.SZ", "000002.SZ", "600004.SH"][week % 4]);
    if weekday == 1 {
        floor.send(Ask::new("all-in", of, Some(Side::Buy), Size::AllIn, chase(Side::Buy)));
    }
    if weekday == 3 && floor.holds("c", "all-in", of).1.is_positive() {
        floor.send(Ask::new("all-in", of, Some(Side::Sell), Size::All, chase(Side::Sell)));
    }
}

/// What is paid for money overnight: a synthetic rate, since no recorded one is free to be used.
const SYNTHETIC_RATE: Price = Price::from_e4(25_000);

/// Lends what is idle before the close: as much as Shanghai's hundred thousands take, and the rest in Shenzhen.
fn lend(floor: &mut Floor, at: Timestamp) {
    for of in ["204001.SH", "131810.SZ"].map(symbol) {
        let quote = Quote {
            bid: Some(SYNTHETIC_RATE),
            ask: Some(Price::from_e4(SYNTHETIC_RATE.e4() + 50)),
            bid_size: Some(Qty::new(10_000_000)),
            ask_size: Some(Qty::new(10_000_000)),
            ..last(of, SYNTHETIC_RATE, at)
        };
        floor.news(&News::Quote(quote), None);
        let at_bid = At::Form(PriceForm::OppositeBest, Policy::Once);
        floor.send(Ask::new("lender", of, Some(Side::Sell), Size::AllIn, at_bid));
    }
}

/// Counted by hand on the wall calendar: what an account of so much has after it lent on each of these days. The last sum
/// is away over the new year. Both exchanges pay for the days between the next trading day and the one after.
fn lent_each_day(cash: i64, days: &[TradeDate]) -> Money {
    const NEW_YEAR: [u32; 2] = [20_190_102, 20_190_103];
    let all: Vec<u32> = days.iter().map(|day| day.yyyymmdd()).chain(NEW_YEAR).collect();
    let since_november = |day: u32| i64::from(day % 100) + if day < 20_190_000 { 0 } else { 31 };
    let mut cents = cash * 100;
    for n in 0..days.len() {
        let nights = since_november(all[n + 2]) - since_november(all[n + 1]);
        let mut free = cents;
        for lot in [10_000_000, 100_000] {
            // The broker takes a hundred thousandth of it.
            let mut sum = free / lot * lot;
            while sum + (sum + 50_000) / 100_000 > free {
                sum -= lot;
            }
            let fee = (sum + 50_000) / 100_000;
            let interest = (2 * sum * 25 * nights + 365_000) / (2 * 365_000);
            free -= sum + fee;
            cents += interest - fee;
            if n + 1 == days.len() {
                cents -= sum + interest;
            }
        }
    }
    Money::from_e4(cents * 100)
}

/// An alert without a key, at all hours, that knows nothing of the account: its signal lives for ten minutes.
fn webhook(floor: &mut Floor, side: Side) {
    let of = symbol("600000.SH");
    let size = if side == Side::Buy { Size::Quantity(Qty::new(1_000)) } else { Size::Percent(percent(50)) };
    let ask = Ask::new("webhook", of, Some(side), size, At::Market);
    floor.send(Ask { lives: Some(Span::from_secs(600)), ..ask });
}

#[test]
fn december_2018_in_shanghai_and_shenzhen() {
    let minutes = share_minutes(&unpacked(include_bytes!("../data/a_share_2018-12_1m.csv.gz")));
    let (first, _) = clock(*minutes.keys().next().expect("a minute"));
    let of = symbol("000002.SZ");
    let own = OpeningHolding {
        symbol: of,
        strategy: strategy("grid"),
        qty: Qty::new(3_000),
        cost: off(Price::from_e4(250_000), 0),
        on: None,
    };
    let mut floor = Floor::open(
        china_instant(first, 9, 0, 0),
        vec![
            paper("a", 1_000_000, Currency::Cny, vec![own]),
            paper("b", 300_000, Currency::Cny, Vec::new()),
            paper("c", 200_000, Currency::Cny, Vec::new()),
            paper("d", 100_000, Currency::Cny, Vec::new()),
            paper("e", 50_000, Currency::Cny, Vec::new()),
            paper("g", 250_500, Currency::Cny, Vec::new()),
        ],
        vec![
            routed("switch", to("a"), Allocation::FixedRatio),
            routed("grid", to("a"), Allocation::FixedRatio),
            routed("chaser", to("b"), Allocation::FixedRatio),
            routed("all-in", to("c"), Allocation::FixedRatio),
            routed("lender", to("g"), Allocation::FixedRatio),
            routed("webhook", RouteTo::Group(group("small", &[]).0), Allocation::Equity),
        ],
        HashMap::from([group("small", &["d", "e"])]),
    );
    let mut prices = Prices::default();
    let (mut today, mut traded_days, mut bought, mut dates) = (first, 0_usize, HashMap::new(), vec![first]);
    for (at, bars) in minutes {
        let (day, minute) = clock(at);
        if day != today {
            (today, traded_days) = (day, traded_days + 1);
            dates.push(day);
            prices.before = std::mem::take(&mut prices.today);
        }
        for bar in bars {
            let before = prices.before.get(&bar.symbol).copied();
            prices.today.insert(bar.symbol, bar.close);
            floor.news(&News::Bar(bar), before);
        }
        let weekday = traded_days % 5; // the month begins on a Monday and knows no holiday before its last day
        if minute == hm(9, 31) {
            if weekday == 0 {
                switch(&mut floor, at, traded_days / 5);
            }
            grid(&mut floor, prices.today[&of]);
        }
        if minute == hm(9, 35) {
            all_in(&mut floor, weekday, traded_days / 5);
        }
        chaser(&mut floor, &prices, &mut bought, today, minute);
        match minute {
            _ if minute == hm(10, 17) => webhook(&mut floor, Side::Buy),
            _ if minute == hm(11, 30) => webhook(&mut floor, Side::Buy),
            _ if minute == hm(14, 11) && weekday % 2 == 1 => webhook(&mut floor, Side::Sell),
            _ if minute == hm(14, 50) => lend(&mut floor, at),
            _ if minute == hm(15, 0) => webhook(&mut floor, Side::Sell),
            _ => {}
        }
    }
    assert_eq!(traded_days + 1, 20);
    assert_eq!(floor.cash("g"), lent_each_day(250_500, &dates), "what the lender earned");
    told(
        &floor,
        // The grid and the chaser trade without a word. On the last Monday the share that pays for the switch is so thin that
        // it is not out within the ten minutes for which a buy waits for cash. The alerts would put more than three tenths of
        // a small account into one share.
        "
        all-in: 8 signals, 12 orders, 11 fills, 0 signals ran out of time
        chaser: 6 signals, 6 orders, 6 fills, 0 signals ran out of time
        grid: 195 signals, 195 orders, 90 fills, 98 signals ran out of time
        lender: 40 signals, 40 orders, 40 fills, 0 signals ran out of time
        switch: 16 signals, 14 orders, 42 fills, 0 signals ran out of time
          CASH x1, first a buy 600004.SH: 245316.22 against 200239.97
        webhook: 68 signals, 51 orders, 51 fills, 39 signals ran out of time
          POSITION x5, first d buy 600000.SH: 33418.00 against 29839.212
        ",
    );
}

/// Every ten minutes: long above the mean of half an hour, short below, by day and by night.
fn turn(floor: &mut Floor, of: Symbol, closes: &[Price]) {
    let Some(from) = closes.len().checked_sub(30).filter(|from| from % 10 == 0) else { return };
    let mean = closes[from..].iter().map(|px| px.e4()).sum::<i64>() / 30;
    let away = closes[closes.len() - 1].e4() - mean;
    let wanted = 2 * i64::from(away > 20_000) - 2 * i64::from(away < -20_000);
    let change = wanted - floor.lots("f", "night", of);
    if wanted == 0 || change == 0 {
        return;
    }
    let side = if change > 0 { Side::Buy } else { Side::Sell };
    let ask = Ask::new("night", of, Some(side), Size::Quantity(Qty::new(change.abs())), chase(side));
    floor.send(Ask { lives: Some(Span::from_secs(540)), ..ask });
}

#[test]
fn twenty_days_and_nights_of_steel() {
    let of = symbol("rb2002.SHFE");
    let csv = unpacked(include_bytes!("../../../domain/tests/data/rb2002.SHFE_1m.csv.gz"));
    let from = TradeDate::parse("2019-11-25").expect("a day");
    let all: Vec<(TradeDate, Bar)> = contract_minutes(of, &csv).into_iter().filter(|(day, _)| *day >= from).collect();
    let start = all[0].1.at.plus(Span::from_secs(-3_600));
    let mut floor = Floor::open(
        start,
        vec![paper("f", 100_000, Currency::Cny, Vec::new())],
        vec![routed("night", to("f"), Allocation::FixedRatio)],
        HashMap::new(),
    );
    let (mut closes, mut nights) = (Vec::new(), 0);
    for (day, bar) in all {
        nights += usize::from(clock(bar.at).0 < day);
        closes.push(bar.close);
        floor.news(&News::Bar(bar), None);
        turn(&mut floor, of, &closes);
    }
    assert!(nights > 2_000, "{nights} minutes by night");
    told(&floor, "night: 267 signals, 654 orders, 124 fills, 187 signals ran out of time");
}

#[test]
fn an_hour_of_an_index_future_tick_by_tick() {
    let of = symbol("IF2101.CFFEX");
    let day = TradeDate::parse("2021-01-04").expect("a day");
    let all = ticks(of, day, &unpacked(include_bytes!("../data/IF2101_2021-01-04_l1.csv.gz")));
    let mut floor = Floor::open(
        china_instant(day, 9, 0, 0),
        vec![paper("i", 3_000_000, Currency::Cny, Vec::new())],
        vec![routed("scalper", to("i"), Allocation::FixedRatio)],
        HashMap::new(),
    );
    floor.desk.quotes.put(last(of, Price::from_e4(52_270_000), china_instant(day, 9, 0, 0)));
    floor.advance(china_instant(day, 9, 26, 0));
    let one = Size::Quantity(Qty::new(1));
    // It waits for the session, behind the auction.
    floor.send(Ask::new("scalper", of, Some(Side::Buy), one, At::Limit(Price::from_e4(52_320_000))));
    let mut minute_before = 0;
    for tick in all {
        let (_, minute) = clock(tick.at);
        floor.news(&News::Quote(tick), None);
        if minute == minute_before || minute < hm(9, 31) {
            continue;
        }
        minute_before = minute;
        // It waits on the own side, and takes the other one at the end of each quarter of an hour.
        let (side, form) = match minute % 15 {
            0 => (Side::Sell, PriceForm::OppositeBest),
            n if n % 2 == 0 => (Side::Buy, PriceForm::OwnBest),
            _ => (Side::Sell, PriceForm::OwnBest),
        };
        let wait = Policy::Reprice { every: Span::from_secs(20), max: 2 };
        let ask = Ask::new("scalper", of, Some(side), one, At::Form(form, wait));
        floor.send(Ask { lives: Some(Span::from_secs(50)), ..ask });
    }
    told(&floor, "scalper: 60 signals, 77 orders, 56 fills, 4 signals ran out of time");
}

#[test]
fn january_2013_in_new_york() {
    let all = days(include_str!("../data/us_2012-12-31_2013-02-01_1d.csv"));
    // 09:30 in New York was 22:30 in China.
    let opens = |day: TradeDate| china_instant(day, 22, 30, 0);
    let first = *all.keys().next().expect("a day");
    let mut floor = Floor::open(
        china_instant(first, 18, 0, 0),
        vec![paper("u", 100_000, Currency::Usd, Vec::new())],
        vec![routed("stocks", to("u"), Allocation::FixedRatio)],
        HashMap::new(),
    );
    // The last two closes of each.
    let mut closes: HashMap<Symbol, Vec<Price>> = HashMap::new();
    for (day, shares) in all {
        // In the evening of China: what fell yesterday is bought for a fifth of the account, what rose is sold.
        floor.advance(china_instant(day, 20, 0, 0));
        for share in &shares {
            let held = floor.holds("u", "stocks", share.symbol).0;
            match closes.entry(share.symbol).or_default().as_slice() {
                [.., before, close] if close < before && held.is_zero() => {
                    let size = Size::Percent(percent(20));
                    floor.send(Ask::new("stocks", share.symbol, Some(Side::Buy), size, At::Limit(off(*close, 10))));
                }
                [.., before, close] if close > before && held.is_positive() => {
                    floor.send(Ask::new("stocks", share.symbol, Some(Side::Sell), Size::All, At::Market));
                }
                _ => {}
            }
            closes.entry(share.symbol).or_default().push(share.close);
        }
        for share in &shares {
            let early = opens(day).plus(Span::from_secs(-10));
            floor.news(&News::Quote(last(share.symbol, share.open, early)), None);
        }
        for share in &shares {
            let at = opens(day).plus(Span::from_secs(390 * 60));
            let feeds::Day { symbol, open, high, low, close, volume, .. } = *share;
            floor.news(&News::Bar(Bar { symbol, at, open, high, low, close, volume }), None);
        }
    }
    floor.advance(floor.desk.at.plus(Span::from_secs(3_600)));
    told(
        &floor,
        // A limit of the evening before is more than three per cent above where the market has opened.
        "
        stocks: 29 signals, 28 orders, 28 fills, 0 signals ran out of time
          PRICE_COLLAR x1, first u buy AAPL.US: 525.50 against 517.7604
        ",
    );
}
