//! The words of a story that say how a signal is executed, and what it is held for.

use std::sync::Arc;

use signalbox_domain::calendar::china_instant;
use signalbox_domain::execution::{Conditions, Execution, HeldFor, Named, NamedFor, Policy, PriceForm, Trail};
use signalbox_domain::order::Side;
use signalbox_domain::signal::Size;
use signalbox_domain::symbol::Symbol;
use signalbox_domain::units::{Qty, Ratio, Span, TradeDate};

use crate::stage::{WEEK, after, price};

/// `priced last[+N|-N]|opposite|own|market|limit_up|limit_down`, `auction`, `renew`, and one of `give up after SECS times N`,
/// `till done every SECS [tell after SECS] [market after SECS]`, `reprice every SECS times N`, `twap over SECS parts N`,
/// `show N`.
///
/// Held: `stop PRICE`, `take PRICE`, `trail AMOUNT|N%`, `from HH:MM` of Monday; the way out of a buy `out_stop`, `out_take`,
/// `out_trail`. As a client names them: `stop_price`, `stop_loss`, `take_profit`, `trailing`.
pub(crate) fn execution(words: &[&str]) -> Option<Arc<Execution>> {
    let number = |key: &str| after(words, key).map(|n| n.parse::<i64>().expect("a number"));
    let secs = |key: &str| number(key).map(Span::from_secs);
    let times = || number("times").expect("so many times") as u8;
    let form = after(words, "priced").map(|form| match form {
        "opposite" => PriceForm::OppositeBest,
        "own" => PriceForm::OwnBest,
        "market" => PriceForm::Market,
        "limit_up" => PriceForm::LimitUp,
        "limit_down" => PriceForm::LimitDown,
        last => {
            let ticks = last.strip_prefix("last").expect("a price form");
            PriceForm::Last { ticks: if ticks.is_empty() { 0 } else { ticks.parse().expect("ticks") } }
        }
    });
    let after_each = |first: &str| {
        let at = words.windows(2).position(|pair| pair == [first, "after"])?;
        Some(Span::from_secs(words[at + 2].parse().expect("a number")))
    };
    let policy = if words.contains(&"give") {
        Policy::BuyThenGiveUp { wait: secs("after").expect("a time"), attempts: times() }
    } else if words.contains(&"done") {
        Policy::SellUntilDone {
            reprice_every: secs("every").expect("a time"),
            escalate_after: after_each("tell"),
            market_after: after_each("market"),
        }
    } else if words.contains(&"reprice") {
        Policy::Reprice { every: secs("every").expect("a time"), max: times() }
    } else if words.contains(&"twap") {
        Policy::Twap { duration: secs("over").expect("a time"), slices: number("parts").expect("slices") as u16 }
    } else if let Some(display) = number("show") {
        Policy::Iceberg { display: Qty::new(display) }
    } else {
        Policy::Once
    };
    let (opening_auction, renew) = (words.contains(&"auction"), words.contains(&"renew"));
    let trail = |text: &str| match text.strip_suffix('%') {
        Some(part) => Trail::Percent(Ratio::from_percent(part.parse().expect("a percentage"))),
        None => Trail::Amount(price(text)),
    };
    let held = |stop: &str, take: &str, trailing: &str| {
        let (stop, take_profit) = (after(words, stop).map(price), after(words, take).map(price));
        let held = Conditions { stop, take_profit, trail: after(words, trailing).map(trail) };
        (!held.is_empty()).then_some(held)
    };
    let not_before = after(words, "from").map(|time| {
        let (hh, mm) = time.split_once(':').expect("a time");
        let day = TradeDate::from_yyyymmdd(WEEK[0].1).expect("a day");
        china_instant(day, hh.parse().expect("an hour"), mm.parse().expect("a minute"), 0)
    });
    let named = named(words, after(words, "trailing").map(trail));
    let conditions = held("stop", "take", "trail").or(named.conditions);
    let exits = held("out_stop", "out_take", "out_trail").or(named.exits);
    let execution = Execution { policy, price: form, opening_auction, renew, not_before, conditions, exits };
    (execution != Execution::default()).then(|| execution.into())
}

/// What the door makes of a client's names.
fn named(words: &[&str], trail: Option<Trail>) -> HeldFor {
    let px = |key: &str| after(words, key).map(price);
    let [stop_price, stop_loss, take_profit] = ["stop_price", "stop_loss", "take_profit"].map(px);
    let named = Named { stop_price, stop_loss, take_profit, trail };
    if named == Named::default() {
        return HeldFor::default();
    }
    let (verb, side) = match words.iter().position(|word| *word == "buy") {
        Some(verb) => (verb, Side::Buy),
        None => (words.iter().position(|word| *word == "sell").expect("a side"), Side::Sell),
    };
    let order = NamedFor {
        symbol: Symbol::parse(words[verb + 2]).expect("a symbol"),
        side: Some(side),
        effect: after(words, "effect").map(|effect| effect.parse().expect("an effect")),
        size: words[verb + 1].parse().map_or(Size::All, |lots| Size::Quantity(Qty::new(lots))),
        limit_price: px("@"),
    };
    named.held_for(&order).expect("names that make sense")
}
