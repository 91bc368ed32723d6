//! What the exchange allows for one instrument on one day: quantities, ticks, price limits, settlement and fees.
//!
//! Rules are dated data. [`RuleBook`] holds all of them and answers once per instrument and day with [`DayRules`], a
//! small copy of everything the way of an order needs, all integers.

pub mod abroad;
mod book;

pub use book::{NoRule, Rule, RuleBook, RuleBookError};

use abroad::Abroad;
use serde::{Deserialize, Serialize};

use crate::contract::Contract;
use crate::fees::FeeRules;
use crate::issues::IssueTerms;
use crate::order::{OrdType, Side};
use crate::units::{Price, Qty, Ratio, mul_div_floor, mul_div_round};

/// How far the price may move from the reference price of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceLimit {
    Unlimited,
    /// Both positive. On a listing day the reference is the issue price.
    Percent {
        up: Ratio,
        down: Ratio,
    },
}

/// The hours of continuous trading on a mainland exchange. All begin with an opening auction and pause for lunch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hours {
    /// To 15:00.
    NoClosingAuction,
    /// To 14:57, and a closing auction until 15:00.
    ClosingAuction,
    /// To 15:30, as bond repo does.
    Repo,
}

/// How far from the market a limit order may be in continuous trading. It narrows the price limit on the side that
/// would trade: a buy may be no higher, a sell no lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cage {
    pub pct: Ratio,
    /// The cage is never narrower than this.
    pub at_least: Price,
}

/// The rules of one instrument on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayRules {
    pub buy_min: Qty,
    pub buy_step: Qty,
    pub sell_min: Qty,
    pub sell_step: Qty,
    /// The largest limit order.
    pub order_max_limit: Qty,
    /// The largest market order.
    pub order_max_market: Qty,
    /// Where it depends on the price, the smallest of all: ask [`DayRules::tick_at`].
    pub tick: Price,
    pub limit: PriceLimit,
    /// The band reaches at least one tick to each side, even where the percentage rounds to nothing.
    pub one_tick_floor: bool,
    /// The highest reference price for which the floor holds; `None` when it holds for all.
    pub one_tick_floor_to: Option<Price>,
    pub cage: Option<Cage>,
    /// 0: may be sold on the day of purchase (T+0); 1: from the next trading day on (T+1).
    pub min_holding_days: u8,
    pub closing_auction: bool,
    pub hours: Hours,
    /// Trades go on at the closing price from 15:05 to 15:30.
    pub after_hours: bool,
    pub fees: FeeRules,
    /// What the contract asks; `None` for shares.
    pub contract: Option<Contract>,
    /// What only Hong Kong and the United States have.
    pub abroad: Option<Abroad>,
    /// It is subscribed to on this day, and nothing else can be done with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<IssueTerms>,
}

/// The most that one share of a buy may cost: its limit. At the market it may fill as high as the day allows; without a
/// band, ten per cent above the market.
#[must_use]
pub fn dearest(limit: Option<Price>, band: Option<(Price, Price)>, market_px: Price) -> Price {
    match (limit, band) {
        (Some(price), _) => price,
        (None, Some((_, high))) => high,
        (None, None) => market_px + Price::from_e4(market_px.e4() / 10),
    }
}

/// Why a quantity is refused, in order of precedence. Trying again with the same quantity never helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QtyFault {
    #[error("quantity {qty} is not positive")]
    NotPositive { qty: Qty },
    #[error("quantity {qty} is above {max}, the largest single order")]
    AboveMax { qty: Qty, max: Qty },
    #[error("quantity {qty} is above the sellable {sellable}")]
    AboveSellable { qty: Qty, sellable: Qty },
    /// The odd remainder of a position is sold as a whole, with or without round lots beside it.
    #[error("quantity {qty} splits the odd remainder {remainder}, which goes in one order")]
    SplitsRemainder { qty: Qty, remainder: Qty },
    #[error("quantity {qty} is below the minimum {min}")]
    BelowMin { qty: Qty, min: Qty },
    #[error("quantity {qty} is no multiple of {step}")]
    OffStep { qty: Qty, step: Qty },
}

impl DayRules {
    /// The lowest and the highest price of the day, both on the tick; `None` when the day has no limit. Rounded half up
    /// as the exchanges do. Without a reference price (zero or less) the band is `(0, 0)`, which holds no order price.
    #[must_use]
    pub fn price_band(&self, prev_close: Price) -> Option<(Price, Price)> {
        let PriceLimit::Percent { up, down } = self.limit else { return None };
        if !prev_close.is_positive() {
            return Some((Price::ZERO, Price::ZERO));
        }
        let (prev, tick) = (prev_close.e4(), self.tick.e4());
        let at = |factor: i64| mul_div_round(prev, factor, Ratio::ONE.e6().saturating_mul(tick)).saturating_mul(tick);
        let (mut low, mut high) = (at(Ratio::ONE.e6() - down.e6()), at(Ratio::ONE.e6() + up.e6()));
        if self.one_tick_floor && self.one_tick_floor_to.is_none_or(|most| prev_close <= most) {
            low = low.min((prev - 1).div_euclid(tick) * tick);
            high = high.max(prev.div_euclid(tick).saturating_add(1).saturating_mul(tick));
        }
        // A price is never below one tick, whatever the percentage says.
        Some((Price::from_e4(low.max(tick)), Price::from_e4(high.max(tick))))
    }

    /// The highest price at which a limit order may buy now, or the lowest at which it may sell, on the tick; `None`
    /// where there is no cage. `reference` is the best price of the other side, else of the own side, else the last
    /// trade, else the previous close. In auctions and for market orders there is no cage.
    #[must_use]
    pub fn cage_end(&self, side: Side, reference: Price) -> Option<Price> {
        let cage = self.cage.filter(|_| reference.is_positive())?;
        let (at, tick, one) = (reference.e4(), self.tick.e4(), Ratio::ONE.e6());
        // The rule compares with the exact product, so the end is the last tick inside of it.
        let end = match side {
            Side::Buy => {
                let exact = mul_div_floor(at, one + cage.pct.e6(), one).max(at.saturating_add(cage.at_least.e4()));
                exact.div_euclid(tick).saturating_mul(tick)
            }
            Side::Sell => {
                let exact = (-mul_div_floor(-at, one - cage.pct.e6(), one)).min(at - cage.at_least.e4());
                -(-exact).div_euclid(tick) * tick
            }
        };
        Some(Price::from_e4(end.max(tick)))
    }

    /// Whether this is a price that can be ordered at: positive and on the tick.
    #[must_use]
    pub fn on_tick(&self, price: Price) -> bool {
        price.is_positive() && price.e4() % self.tick_at(price).e4() == 0
    }

    /// The tick at this price.
    #[must_use]
    pub fn tick_at(&self, price: Price) -> Price {
        // Above the ladder nothing is on the tick.
        self.abroad.map_or(self.tick, |abroad| abroad.ladder.tick(price).unwrap_or(Price::MAX))
    }

    /// The nearest price that can be ordered at and costs the side no more: a buy is rounded down, a sell up.
    #[must_use]
    pub fn to_tick(&self, side: Side, price: Price) -> Price {
        let tick = self.tick.e4();
        let rounded = match (self.abroad, side) {
            (Some(abroad), Side::Buy) => abroad.ladder.round_down(price).map_or(tick, Price::e4),
            (Some(abroad), Side::Sell) => abroad.ladder.round_up(price).map_or(price.e4(), Price::e4),
            (None, Side::Buy) => price.e4().div_euclid(tick).saturating_mul(tick),
            (None, Side::Sell) => -(-price.e4()).div_euclid(tick).saturating_mul(tick),
        };
        Price::from_e4(rounded.max(tick))
    }

    /// Whether the exchange takes market orders. Shanghai's futures exchanges take none.
    #[must_use]
    pub fn takes_market_orders(&self) -> bool {
        self.order_max_market.is_positive()
    }

    /// The largest single order of this type. Where no market order is taken, it is that of the limit order which stands
    /// for one.
    #[must_use]
    pub fn order_max(&self, ord_type: OrdType) -> Qty {
        match ord_type {
            OrdType::Market if self.takes_market_orders() => self.order_max_market,
            OrdType::Market | OrdType::Limit => self.order_max_limit,
        }
    }

    /// Whether a limit order may have this quantity. `sellable` is what the account could sell now; a buy ignores it.
    ///
    /// # Errors
    /// [`QtyFault`] with the numbers.
    pub fn check_qty(&self, side: Side, qty: Qty, sellable: Qty) -> Result<(), QtyFault> {
        self.check_qty_of(OrdType::Limit, side, qty, sellable)
    }

    /// [`DayRules::check_qty`] for either type of order: market orders have a lower maximum on some boards.
    ///
    /// # Errors
    /// [`QtyFault`] with the numbers.
    pub fn check_qty_of(&self, ord_type: OrdType, side: Side, qty: Qty, sellable: Qty) -> Result<(), QtyFault> {
        let max = self.order_max(ord_type);
        if !qty.is_positive() {
            return Err(QtyFault::NotPositive { qty });
        }
        if qty > max {
            return Err(QtyFault::AboveMax { qty, max });
        }
        let (min, step) = match side {
            Side::Buy => (self.buy_min, self.buy_step),
            Side::Sell => (self.sell_min, self.sell_step),
        };
        if side == Side::Sell {
            if qty > sellable {
                return Err(QtyFault::AboveSellable { qty, sellable });
            }
            let remainder = self.odd_remainder(sellable);
            if remainder.is_positive() {
                return match self.sells_remainder(qty, sellable) || (qty >= min && qty.is_multiple_of(step)) {
                    true => Ok(()),
                    false => Err(QtyFault::SplitsRemainder { qty, remainder }),
                };
            }
        }
        if qty < min {
            return Err(QtyFault::BelowMin { qty, min });
        }
        if !qty.is_multiple_of(step) {
            return Err(QtyFault::OffStep { qty, step });
        }
        Ok(())
    }

    /// The largest quantity of a limit order that is not above `qty` and valid; zero when there is none.
    #[must_use]
    pub fn round_down(&self, side: Side, qty: Qty, sellable: Qty) -> Qty {
        self.round_down_of(OrdType::Limit, side, qty, sellable)
    }

    /// [`DayRules::round_down`] for either type of order.
    #[must_use]
    pub fn round_down_of(&self, ord_type: OrdType, side: Side, qty: Qty, sellable: Qty) -> Qty {
        let most = qty.min(self.order_max(ord_type));
        match side {
            Side::Buy => floor_to(most, self.buy_min, self.buy_step),
            Side::Sell => self.most_sold(most, sellable),
        }
    }

    /// The largest part of `qty` that can be sold of `sellable`, in as many orders as it takes: whole steps, with or
    /// without the whole odd remainder; zero when there is none.
    #[must_use]
    pub fn most_sold(&self, qty: Qty, sellable: Qty) -> Qty {
        let most = qty.min(sellable);
        let round = floor_to(most, self.sell_min, self.sell_step);
        let remainder = self.odd_remainder(sellable);
        if !remainder.is_positive() || most < remainder {
            return round;
        }
        // The remainder alone, or with as many round lots as fit under `most`.
        round.max(remainder + (most - remainder).floor_to_lot(self.sell_step))
    }

    /// The smallest valid quantity above this one; where what may be sold has no larger one, the next whole step, which is
    /// refused. The largest single order is no bound here.
    #[must_use]
    pub fn next_above(&self, side: Side, qty: Qty, sellable: Qty) -> Qty {
        let (min, step) = match side {
            Side::Buy => (self.buy_min, self.buy_step),
            Side::Sell => (self.sell_min, self.sell_step),
        };
        let round = (qty.max(min - Qty::new(1)).floor_to_lot(step) + step).max(min);
        let remainder = if side == Side::Sell { self.odd_remainder(sellable) } else { Qty::ZERO };
        if !remainder.is_positive() {
            return round;
        }
        let odd = if qty < remainder { remainder } else { remainder + (qty - remainder).floor_to_lot(step) + step };
        if odd <= sellable { round.min(odd) } else { round }
    }

    /// The part of a position that no round order can sell: what is left beside whole steps, or a position below the
    /// minimum. Zero when there is none.
    #[must_use]
    pub fn odd_remainder(&self, sellable: Qty) -> Qty {
        if self.abroad.is_some() {
            return Qty::ZERO; // it trades on a board of its own
        }
        if sellable < self.sell_min { sellable } else { sellable - sellable.floor_to_lot(self.sell_step) }
    }

    fn sells_remainder(&self, qty: Qty, sellable: Qty) -> bool {
        let remainder = self.odd_remainder(sellable);
        qty >= remainder && (qty - remainder).is_multiple_of(self.sell_step)
    }
}

/// The largest quantity up to `most` that is at least `min` and a multiple of `step`; zero when there is none.
fn floor_to(most: Qty, min: Qty, step: Qty) -> Qty {
    let floor = most.floor_to_lot(step);
    if floor < min || !floor.is_positive() { Qty::ZERO } else { floor }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fees::StampDutyOf;
    use crate::units::Money;

    const TEN_PERCENT: PriceLimit = PriceLimit::Percent { up: Ratio::from_percent(10), down: Ratio::from_percent(10) };

    const MAIN: DayRules = DayRules {
        buy_min: Qty::new(100),
        buy_step: Qty::new(100),
        sell_min: Qty::new(100),
        sell_step: Qty::new(100),
        order_max_limit: Qty::new(1_000_000),
        order_max_market: Qty::new(1_000_000),
        tick: Price::from_e4(100),
        limit: TEN_PERCENT,
        one_tick_floor: true,
        one_tick_floor_to: None,
        cage: Some(Cage { pct: Ratio::from_percent(2), at_least: Price::from_e4(1_000) }),
        min_holding_days: 1,
        closing_auction: true,
        hours: Hours::ClosingAuction,
        after_hours: true,
        fees: FeeRules {
            commission: FeeRules::COMMISSION_DEFAULT,
            commission_cap: Ratio::from_e6(3_000),
            commission_min: Money::from_units(5),
            stamp_duty_sell: Ratio::from_e6(500),
            stamp_duty_of: StampDutyOf::Seller,
            transfer_fee: Ratio::from_e6(10),
        },
        contract: None,
        abroad: None,
        issue: None,
    };

    const STAR: DayRules = DayRules {
        buy_min: Qty::new(200),
        buy_step: Qty::new(1),
        sell_min: Qty::new(200),
        sell_step: Qty::new(1),
        order_max_limit: Qty::new(100_000),
        order_max_market: Qty::new(50_000),
        ..MAIN
    };

    const BEIJING: DayRules = DayRules { buy_min: Qty::new(100), sell_min: Qty::new(100), ..STAR };

    fn price(text: &str) -> Price {
        Price::parse(text).expect("a price")
    }

    fn band(rules: &DayRules, prev: &str) -> (String, String) {
        let (low, high) = rules.price_band(price(prev)).expect("a limit");
        (low.to_string(), high.to_string())
    }

    fn text(low: &str, high: &str) -> (String, String) {
        (low.into(), high.into())
    }

    #[test]
    fn the_band_is_rounded_half_up_to_the_tick() {
        assert_eq!(band(&MAIN, "10.73"), text("9.66", "11.80"));
        // 9.405 and 11.385: banker's rounding would say 9.40 and 11.38.
        assert_eq!(band(&MAIN, "10.45"), text("9.41", "11.50"));
        assert_eq!(band(&MAIN, "10.35"), text("9.32", "11.39"));
        let etf = DayRules {
            tick: Price::from_e4(10),
            limit: PriceLimit::Percent { up: Ratio::from_percent(20), down: Ratio::from_percent(20) },
            ..MAIN
        };
        assert_eq!(band(&etf, "0.891"), text("0.713", "1.069"));
        let listing = PriceLimit::Percent { up: Ratio::from_percent(44), down: Ratio::from_percent(36) };
        assert_eq!(band(&DayRules { limit: listing, ..MAIN }, "10.05"), text("6.43", "14.47"));
    }

    #[test]
    fn a_band_that_rounds_to_nothing_is_one_tick_wide_where_the_exchange_says_so() {
        assert_eq!(band(&MAIN, "0.04"), text("0.03", "0.05"));
        let without = DayRules { one_tick_floor: false, ..MAIN };
        assert_eq!(band(&without, "0.04"), text("0.04", "0.04"));
        assert_eq!(band(&MAIN, "0.01"), text("0.01", "0.02"));
    }

    #[test]
    fn without_a_limit_there_is_no_band_and_without_a_reference_no_price_fits() {
        assert_eq!(DayRules { limit: PriceLimit::Unlimited, ..MAIN }.price_band(price("10")), None);
        assert_eq!(MAIN.price_band(Price::ZERO), Some((Price::ZERO, Price::ZERO)));
        assert!(!MAIN.on_tick(Price::ZERO));
    }

    #[test]
    fn the_cage_ends_on_the_last_tick_inside_of_it_and_is_ten_ticks_wide_at_least() {
        let end = |rules: &DayRules, side, reference| rules.cage_end(side, price(reference)).map(|p| p.to_string());
        // 10.73 x 1.02 = 10.9446, x 0.98 = 10.5154.
        assert_eq!(end(&MAIN, Side::Buy, "10.73").as_deref(), Some("10.94"));
        assert_eq!(end(&MAIN, Side::Sell, "10.73").as_deref(), Some("10.52"));
        assert_eq!(end(&MAIN, Side::Buy, "3.00").as_deref(), Some("3.10"), "ten ticks are more than 2 %");
        assert_eq!(end(&MAIN, Side::Sell, "3.00").as_deref(), Some("2.90"));
        assert_eq!(end(&MAIN, Side::Sell, "0.05").as_deref(), Some("0.01"), "never below one tick");
        let star = DayRules { cage: Some(Cage { pct: Ratio::from_percent(2), at_least: Price::ZERO }), ..STAR };
        assert_eq!(end(&star, Side::Buy, "3.00").as_deref(), Some("3.06"));
        assert_eq!(end(&star, Side::Sell, "3.00").as_deref(), Some("2.94"), "exactly 98 % is inside");
        assert_eq!(end(&DayRules { cage: None, ..MAIN }, Side::Buy, "3.00"), None);
        assert_eq!(end(&MAIN, Side::Buy, "0"), None, "without a reference nobody can tell");
    }

    #[test]
    fn a_price_off_the_tick_or_not_positive_is_told() {
        assert!(MAIN.on_tick(price("10.73")));
        assert!(!MAIN.on_tick(price("10.731")));
        assert!(!MAIN.on_tick(price("-10.73")));
    }

    #[test]
    fn a_buy_is_whole_lots_and_star_starts_at_two_hundred() {
        let buy = |rules: &DayRules, qty| rules.check_qty(Side::Buy, Qty::new(qty), Qty::ZERO);
        assert_eq!(buy(&MAIN, 100), Ok(()));
        assert_eq!(buy(&MAIN, 0), Err(QtyFault::NotPositive { qty: Qty::ZERO }));
        assert_eq!(buy(&MAIN, 50), Err(QtyFault::BelowMin { qty: Qty::new(50), min: Qty::new(100) }));
        assert_eq!(buy(&MAIN, 150), Err(QtyFault::OffStep { qty: Qty::new(150), step: Qty::new(100) }));
        assert_eq!(
            buy(&MAIN, 1_000_100),
            Err(QtyFault::AboveMax { qty: Qty::new(1_000_100), max: Qty::new(1_000_000) })
        );
        assert_eq!(buy(&STAR, 199), Err(QtyFault::BelowMin { qty: Qty::new(199), min: Qty::new(200) }));
        assert_eq!(buy(&STAR, 201), Ok(()));
        assert_eq!(buy(&BEIJING, 101), Ok(()));
    }

    #[test]
    fn a_market_order_has_its_own_maximum() {
        let qty = Qty::new(60_000);
        assert_eq!(STAR.check_qty_of(OrdType::Limit, Side::Buy, qty, Qty::ZERO), Ok(()));
        let max = Qty::new(50_000);
        assert_eq!(STAR.check_qty_of(OrdType::Market, Side::Buy, qty, Qty::ZERO), Err(QtyFault::AboveMax { qty, max }));
        assert_eq!(STAR.round_down_of(OrdType::Market, Side::Buy, qty, Qty::ZERO), max);
    }

    #[test]
    fn the_odd_remainder_of_a_position_is_sold_in_one_order() {
        let sell = |rules: &DayRules, qty, sellable| rules.check_qty(Side::Sell, Qty::new(qty), Qty::new(sellable));
        let splits =
            |qty, remainder| Err(QtyFault::SplitsRemainder { qty: Qty::new(qty), remainder: Qty::new(remainder) });
        for qty in [50, 100, 150, 200, 250] {
            assert_eq!(sell(&MAIN, qty, 250), Ok(()), "{qty} of 250");
        }
        assert_eq!(sell(&MAIN, 30, 250), splits(30, 50));
        assert_eq!(sell(&MAIN, 230, 250), splits(230, 50));
        assert_eq!(sell(&MAIN, 40, 50), splits(40, 50));
        assert_eq!(sell(&MAIN, 50, 200), Err(QtyFault::BelowMin { qty: Qty::new(50), min: Qty::new(100) }));
        assert_eq!(sell(&MAIN, 300, 250), Err(QtyFault::AboveSellable { qty: Qty::new(300), sellable: Qty::new(250) }));
        assert_eq!(sell(&STAR, 150, 150), Ok(()));
        assert_eq!(sell(&STAR, 149, 150), splits(149, 150));
        assert_eq!(sell(&STAR, 50, 250), Err(QtyFault::BelowMin { qty: Qty::new(50), min: Qty::new(200) }));
        assert_eq!(sell(&STAR, 200, 250), Ok(()), "the 50 left go in one order later");
    }

    #[test]
    fn rounding_down_takes_the_remainder_along_only_when_it_fits_as_a_whole() {
        let sell = |qty, sellable| MAIN.round_down(Side::Sell, Qty::new(qty), Qty::new(sellable)).get();
        assert_eq!(sell(9_999, 250), 250);
        assert_eq!(sell(249, 250), 200);
        assert_eq!(sell(180, 250), 150);
        assert_eq!(sell(60, 250), 50);
        assert_eq!(sell(49, 250), 0);
        assert_eq!(sell(100, -5), 0);
        assert_eq!(MAIN.round_down(Side::Buy, Qty::new(99), Qty::ZERO), Qty::ZERO);
        assert_eq!(MAIN.round_down(Side::Buy, Qty::new(i64::MAX), Qty::ZERO), Qty::new(1_000_000));
    }

    fn boards() -> impl Strategy<Value = DayRules> {
        let small = Qty::new(1_000); // so that the maximum is met often
        let rules = [
            MAIN,
            STAR,
            BEIJING,
            DayRules { order_max_limit: small, ..MAIN },
            DayRules { order_max_limit: small, ..STAR },
        ];
        proptest::sample::select(rules.to_vec())
    }

    /// The sentences of the trading rules, tried one by one.
    fn allowed(rules: &DayRules, side: Side, qty: i64, sellable: i64) -> bool {
        let (min, step) = match side {
            Side::Buy => (rules.buy_min.get(), rules.buy_step.get()),
            Side::Sell => (rules.sell_min.get(), rules.sell_step.get()),
        };
        let round = qty >= min && qty % step == 0;
        let whole_lots_and_the_remainder = sellable % step > 0 && qty % step == sellable % step;
        let all_of_a_small_position = sellable < min && qty == sellable;
        let fits = qty > 0 && qty <= rules.order_max_limit.get();
        match side {
            Side::Buy => fits && round,
            Side::Sell => fits && qty <= sellable && (round || whole_lots_and_the_remainder || all_of_a_small_position),
        }
    }

    proptest! {
        #[test]
        fn rounding_down_gives_the_largest_quantity_that_the_check_lets_pass(
            rules in boards(), sell in any::<bool>(), qty in -50_i64..1_600, sellable in -50_i64..1_600,
        ) {
            let side = if sell { Side::Sell } else { Side::Buy };
            let check = |qty| rules.check_qty(side, Qty::new(qty), Qty::new(sellable)).is_ok();
            for candidate in -2..=qty {
                prop_assert_eq!(check(candidate), allowed(&rules, side, candidate, sellable), "{} of {}", candidate, sellable);
            }
            let largest = (1..=qty).rev().find(|q| allowed(&rules, side, *q, sellable)).unwrap_or(0);
            prop_assert_eq!(rules.round_down(side, Qty::new(qty), Qty::new(sellable)).get(), largest);
        }

        #[test]
        fn the_band_holds_the_reference_and_ends_on_the_tick(
            ticks in 1_i64..1_000_000, tick in proptest::sample::select(vec![10_i64, 100]),
            percent in 1_i64..50, one_tick_floor in any::<bool>(),
        ) {
            let limit = PriceLimit::Percent { up: Ratio::from_percent(percent), down: Ratio::from_percent(percent) };
            let rules = DayRules { tick: Price::from_e4(tick), limit, one_tick_floor, ..MAIN };
            let prev = Price::from_e4(ticks * tick);
            let (low, high) = rules.price_band(prev).expect("a limit");
            prop_assert!(low <= prev && prev <= high);
            prop_assert!(rules.on_tick(low) && rules.on_tick(high));
            prop_assert!(!one_tick_floor || high > prev);
            // Half up, said another way: the exact limit is in [end - tick/2, end + tick/2).
            let exact = |factor: i64| i128::from(prev.e4() * factor) * 2;
            let end = |p: Price| i128::from(p.e4() * 100) * 2;
            let half = i128::from(tick) * 100;
            if high > prev + rules.tick {
                prop_assert!(end(high) - half <= exact(100 + percent) && exact(100 + percent) < end(high) + half);
            }
            if low < prev - rules.tick && low > rules.tick {
                prop_assert!(end(low) - half <= exact(100 - percent) && exact(100 - percent) < end(low) + half);
            }
        }
    }
}
