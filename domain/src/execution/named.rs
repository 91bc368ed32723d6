//! The prices that a signal is held for, as its sender names them.
//!
//! What a stop means depends on what the order does with a position. One that gives a position up is held itself until the
//! price comes. One that takes a position on goes out at once, and the prices say when it is given up again.

use super::{Conditions, Trail};
use crate::contract::Effect;
use crate::market::is_future;
use crate::order::Side;
use crate::signal::Size;
use crate::symbol::Symbol;
use crate::units::Price;

/// What an order does with a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It buys shares, or opens lots.
    In,
    /// It sells shares, or closes lots.
    Out,
}

/// Prices under the names of the door.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Named {
    pub stop_price: Option<Price>,
    pub stop_loss: Option<Price>,
    pub take_profit: Option<Price>,
    pub trail: Option<Trail>,
}

/// The order that they are named for.
#[derive(Debug, Clone, Copy)]
pub struct NamedFor {
    pub symbol: Symbol,
    pub side: Option<Side>,
    pub effect: Option<Effect>,
    pub size: Size,
    pub limit_price: Option<Price>,
}

/// What they come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeldFor {
    /// The order itself is held for these.
    pub conditions: Option<Conditions>,
    /// What it took is given up by these.
    pub exits: Option<Conditions>,
}

/// Why they make no sense, in order of precedence. `out` is the side that gives the position up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misnamed {
    NoSide,
    /// A contract's order that does not say whether it opens or closes may do both: nobody knows what its stop is for
    /// before its book is looked at.
    NoEffect,
    /// `stop_price` and `stop_loss` of an order for which they are the same.
    Twice,
    /// The profit is taken where the loss is stopped, or beyond.
    Crossed {
        out: Side,
    },
    /// The lots would be closed as soon as they were opened.
    BeyondLimit {
        out: Side,
    },
}

impl NamedFor {
    fn way(&self, side: Side) -> Option<Way> {
        let closes = |closes: bool| if closes { Way::Out } else { Way::In };
        match self.size {
            _ if !is_future(self.symbol) => Some(closes(side == Side::Sell)),
            // These are shares of what is held.
            Size::All => Some(Way::Out),
            Size::Percent(_) if side == Side::Sell => Some(Way::Out),
            _ => self.effect.map(|effect| closes(effect.closes())),
        }
    }
}

impl Named {
    /// # Errors
    /// Why they make no sense for the order.
    pub fn held_for(self, order: &NamedFor) -> Result<HeldFor, Misnamed> {
        let Self { stop_price, stop_loss, take_profit, trail } = self;
        let entry = Conditions { stop: stop_price, ..Conditions::default() };
        let own = Conditions { stop: stop_loss, take_profit, trail };
        let some = |held: Conditions| (!held.is_empty()).then_some(held);
        if own.is_empty() && stop_price.is_none() {
            return Ok(HeldFor::default());
        }
        let side = order.side.ok_or(Misnamed::NoSide)?;
        if own.is_empty() {
            return Ok(HeldFor { conditions: some(entry), exits: None });
        }
        let crosses = |out: Side, held: &Conditions| {
            held.stop.zip(held.take_profit).is_some_and(|(stop, take)| reaches(out, stop, take))
        };
        match order.way(side).ok_or(Misnamed::NoEffect)? {
            Way::Out if stop_price.is_some() && stop_loss.is_some() => Err(Misnamed::Twice),
            Way::Out => {
                let held = Conditions { stop: stop_price.or(stop_loss), ..own };
                if crosses(side, &held) {
                    return Err(Misnamed::Crossed { out: side });
                }
                Ok(HeldFor { conditions: some(held), exits: None })
            }
            Way::In => {
                let out = side.opposite();
                if crosses(out, &own) {
                    return Err(Misnamed::Crossed { out });
                }
                // Shares that cannot be sold today may be bought above a stop of tomorrow.
                let limit = order.limit_price.filter(|_| is_future(order.symbol));
                if stop_loss.zip(limit).is_some_and(|(stop, limit)| reaches(out, stop, limit)) {
                    return Err(Misnamed::BeyondLimit { out });
                }
                Ok(HeldFor { conditions: some(entry), exits: some(own) })
            }
        }
    }
}

/// Whether a stop of this side is true already at the price.
fn reaches(out: Side, stop: Price, px: Price) -> bool {
    if out == Side::Sell { px <= stop } else { px >= stop }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn px(text: &str) -> Option<Price> {
        Price::parse(text).ok()
    }

    fn order(symbol: &str, side: Side, effect: Option<Effect>) -> NamedFor {
        let symbol = Symbol::parse(symbol).expect("a symbol");
        let size = Size::Quantity(crate::units::Qty::new(1));
        NamedFor { symbol, side: Some(side), effect, size, limit_price: None }
    }

    fn both(stop_loss: &str, take_profit: &str) -> Named {
        Named { stop_loss: px(stop_loss), take_profit: px(take_profit), ..Named::default() }
    }

    fn way(stop: &str, take_profit: &str) -> Option<Conditions> {
        Some(Conditions { stop: px(stop), take_profit: px(take_profit), trail: None })
    }

    #[test]
    fn a_sell_of_shares_is_held_and_what_a_buy_bought_is_sold() {
        let (sell, buy) = (order("600000.SH", Side::Sell, None), order("600000.SH", Side::Buy, None));
        let held = HeldFor { conditions: way("9.5", "11"), exits: None };
        assert_eq!(both("9.5", "11").held_for(&sell), Ok(held));
        assert_eq!(both("9.5", "11").held_for(&buy), Ok(HeldFor { conditions: None, exits: way("9.5", "11") }));
        for order in [sell, buy] {
            assert_eq!(both("11", "9.5").held_for(&order), Err(Misnamed::Crossed { out: Side::Sell }));
        }
        let twice = Named { stop_price: px("9"), ..both("9", "11") };
        assert_eq!(twice.held_for(&sell), Err(Misnamed::Twice));
        assert_eq!(twice.held_for(&NamedFor { side: None, ..buy }), Err(Misnamed::NoSide));
        // It can be sold tomorrow at the earliest.
        assert!(both("9.5", "11").held_for(&NamedFor { limit_price: px("9.4"), ..buy }).is_ok());
    }

    #[test]
    fn of_a_contract_the_effect_says_what_a_stop_is_for() {
        let of = |side, effect| order("m2509.DCE", side, Some(effect));
        let opens = |stop: &str, take: &str| Ok(HeldFor { conditions: None, exits: way(stop, take) });
        let closes = |stop: &str, take: &str| Ok(HeldFor { conditions: way(stop, take), exits: None });
        assert_eq!(both("2880", "2940").held_for(&of(Side::Buy, Effect::Open)), opens("2880", "2940"));
        assert_eq!(both("2920", "2870").held_for(&of(Side::Sell, Effect::Open)), opens("2920", "2870"));
        for effect in [Effect::Close, Effect::CloseToday, Effect::CloseYesterday] {
            assert_eq!(both("2880", "2940").held_for(&of(Side::Sell, effect)), closes("2880", "2940"));
            assert_eq!(both("2920", "2870").held_for(&of(Side::Buy, effect)), closes("2920", "2870"));
            let crossed = both("2880", "2940").held_for(&of(Side::Buy, effect));
            assert_eq!(crossed, Err(Misnamed::Crossed { out: Side::Buy }));
        }
        let crossed = both("2880", "2940").held_for(&of(Side::Sell, Effect::Open));
        assert_eq!(crossed, Err(Misnamed::Crossed { out: Side::Buy }));
    }

    #[test]
    fn lots_are_not_opened_beyond_the_price_at_which_they_are_closed() {
        let at = |side, limit: &str| {
            let order = NamedFor { limit_price: px(limit), ..order("m2509.DCE", side, Some(Effect::Open)) };
            Named { stop_loss: px("2900"), ..Named::default() }.held_for(&order).map(|_| ())
        };
        assert_eq!((at(Side::Buy, "2901"), at(Side::Sell, "2899")), (Ok(()), Ok(())));
        assert_eq!(at(Side::Buy, "2900"), Err(Misnamed::BeyondLimit { out: Side::Sell }));
        assert_eq!(at(Side::Sell, "2900"), Err(Misnamed::BeyondLimit { out: Side::Buy }));
    }

    #[test]
    fn without_an_effect_only_what_waits_for_its_own_price_is_clear() {
        let (buy, sell) = (order("m2509.DCE", Side::Buy, None), order("m2509.DCE", Side::Sell, None));
        let breakout = Named { stop_price: px("2950"), ..Named::default() };
        let entry = Some(Conditions { stop: px("2950"), ..Conditions::default() });
        assert_eq!(breakout.held_for(&buy), Ok(HeldFor { conditions: entry, exits: None }));
        for order in [buy, sell] {
            assert_eq!(both("2880", "2940").held_for(&order), Err(Misnamed::NoEffect));
        }
        let all = NamedFor { size: Size::All, ..sell };
        assert_eq!(both("2880", "2940").held_for(&all).map(|held| held.exits), Ok(None));
    }
}
