//! The checks, in order of precedence, each with the number found and the number allowed.

use crate::denial::{DenialCode, Measure};
use crate::event::TradingState;
use crate::order::{Approval, OrdType, OrderTerms, Side};
use crate::rules::QtyFault;
use crate::seeded::{SeededBug, seeded};
use crate::signal::Source;
use crate::units::{Money, Price, Qty, Ratio, Span, Timestamp};
use crate::view::View;

use super::{Reserved, Risk};

/// The numbers that an account's orders are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of the account's equity, per order.
    pub order_value: Ratio,
    /// An absolute cap per order beside it.
    pub order_value_max: Option<Money>,
    /// Of the account's equity, per symbol, live buys included.
    pub position: Ratio,
    /// Orders that may still trade, of the whole account. It bounds the account's queue and memory.
    pub open_orders_max: u32,
    /// How old a quote may be for a market order, and for a limit order.
    pub quote_age_market: Span,
    pub quote_age_limit: Span,
    /// The same order again within this span is a duplicate. Orders of signals that came with a key are exempt: their
    /// repeats are caught by the key.
    pub duplicate_window: Span,
    /// Orders to the broker per second: the pace that the account keeps, never a reason to deny.
    pub messages_per_second: u32,
    /// The hard stop of messages a day.
    pub message_ceiling: u32,
    /// The commission that the account pays, as a share of the amount.
    pub commission: Ratio,
}

impl Default for Limits {
    /// The product's defaults, P3.
    fn default() -> Self {
        Self {
            order_value: Ratio::from_percent(25),
            order_value_max: None,
            position: Ratio::from_percent(30),
            open_orders_max: 10_000,
            quote_age_market: Span::from_secs(15),
            quote_age_limit: Span::from_secs(60),
            duplicate_window: Span::from_secs(5),
            messages_per_second: 5,
            message_ceiling: 15_000,
            commission: crate::fees::FeeRules::COMMISSION_DEFAULT,
        }
    }
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    Passed,
    Denied,
    /// It does not apply to this order, or what it needs is not known and it may pass without.
    Skipped,
}

/// One check of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub code: DenialCode,
    pub outcome: Outcome,
    pub value: Measure,
    pub limit: Measure,
}

/// Told of each check; the numbers are made only if somebody wants them.
type Sink<'s> = &'s mut dyn FnMut(&mut dyn FnMut() -> Check, bool);

fn tell(sink: Sink<'_>, code: DenialCode, passed: bool, numbers: impl Fn() -> (Measure, Measure)) {
    let outcome = if passed { Outcome::Passed } else { Outcome::Denied };
    sink(
        &mut || {
            let (value, limit) = numbers();
            Check { code, outcome, value, limit }
        },
        passed,
    );
}

fn skip(sink: Sink<'_>, code: DenialCode, why: &'static str) {
    sink(
        &mut || Check { code, outcome: Outcome::Skipped, value: Measure::None, limit: Measure::Word(why.into()) },
        true,
    );
}

fn word(text: &'static str) -> Measure {
    Measure::Word(text.into())
}

impl Risk {
    /// Runs all checks in order of precedence. `None` when the order cannot even be judged (its instrument or day is
    /// unknown); otherwise what an approval would consist of, provided that the sink saw no check fail.
    pub(super) fn run(&self, at: Timestamp, view: View<'_>, terms: &OrderTerms, sink: Sink<'_>) -> Option<Approval> {
        let state = view.states.strictest(&terms.account, &terms.strategy);
        let permitted = view.states.permits(&terms.account, &terms.strategy, terms.side);
        tell(sink, DenialCode::TradingState, permitted, || (word(state.into()), word(TradingState::Active.into())));

        let known = view.ledgers.get(&terms.account).zip(self.limits.get(&terms.account));
        tell(sink, DenialCode::AccountNotReady, known.is_some(), || (Measure::None, Measure::None));

        let date = view.market.calendar.trade_date(at);
        let rules = date.and_then(|date| view.market.day(terms.symbol, date).ok());
        tell(sink, DenialCode::InstrumentUnknown, rules.is_some(), || (Measure::None, Measure::None));
        let ((ledger, limits), date, rules) = (known?, date?, rules?);

        let open = view.market.is_open(terms.symbol, terms.ord_type, at);
        tell(sink, DenialCode::SessionClosed, open, || {
            (word(if open { "open" } else { "closed" }), word("continuous trading"))
        });

        let (book, holding) = (ledger.book(terms.symbol, &terms.strategy), ledger.holding(terms.symbol));
        let none = Reserved::default();
        let reserved = self.reserved.get(&terms.account).unwrap_or(&none);
        let sellable = {
            // A person may sell what any book holds; a strategy only what its own does.
            let (qty, bought_today) = if terms.source == Source::Manual {
                (holding.qty, holding.bought_today)
            } else {
                book.map_or((Qty::ZERO, Qty::ZERO), |b| (b.qty, b.bought_today))
            };
            let held = if rules.min_holding_days > 0 { qty - bought_today } else { qty };
            held - reserved.sells_of(terms)
        };

        let lot = rules.check_qty_of(terms.ord_type, terms.side, terms.qty, sellable.max(Qty::ZERO));
        // Too few shares is the sellable check's business.
        let lot_ok = matches!(lot, Ok(()) | Err(QtyFault::AboveSellable { .. }));
        tell(sink, DenialCode::LotSize, lot_ok, || {
            // The limit that was missed, not just any of them.
            let limit = match lot {
                Err(QtyFault::AboveMax { max, .. }) => max,
                Err(QtyFault::BelowMin { min, .. }) => min,
                Err(QtyFault::SplitsRemainder { remainder, .. }) => remainder,
                _ if terms.side == Side::Buy => rules.buy_step,
                _ => rules.sell_step,
            };
            (Measure::Qty(terms.qty), Measure::Qty(limit))
        });

        match (terms.ord_type, terms.limit_price) {
            (OrdType::Limit, price) => {
                let on_grid = price.is_some_and(|p| p.is_positive() && rules.on_tick(p));
                tell(sink, DenialCode::TickSize, on_grid, || {
                    (price.map_or(Measure::None, Measure::Price), Measure::Price(rules.tick))
                });
            }
            (OrdType::Market, _) => skip(sink, DenialCode::TickSize, "market order"),
        }

        let quote = view.quotes.get(terms.symbol);
        let age_max = match terms.ord_type {
            OrdType::Market => limits.quote_age_market,
            OrdType::Limit => limits.quote_age_limit,
        };
        let age = quote.map(|q| at.since(q.at).us().max(0));
        tell(sink, DenialCode::QuoteStale, age.is_some_and(|age| age <= age_max.us()), || {
            let found = age.map_or(word("no quote"), |us| Measure::Millis(us / 1_000));
            (found, Measure::Millis(age_max.us() / 1_000))
        });

        let band = quote.and_then(|q| q.prev_close).and_then(|prev_close| rules.price_band(prev_close));
        match (terms.limit_price, band) {
            (Some(price), Some((low, high))) => {
                tell(sink, DenialCode::PriceLimit, price >= low && price <= high, || {
                    (Measure::Price(price), Measure::Price(if price < low { low } else { high }))
                });
            }
            (None, _) => skip(sink, DenialCode::PriceLimit, "market order"),
            (Some(_), None) => skip(sink, DenialCode::PriceLimit, "no limit today, or no previous close known"),
        }

        if terms.id.signal().get() == 0 {
            let age = self.duplicate_age(at, terms);
            let window = limits.duplicate_window;
            tell(sink, DenialCode::Duplicate, age.is_none_or(|age| age >= window), || {
                let age = age.map_or(Measure::None, |age| Measure::Millis(age.us() / 1_000));
                (age, Measure::Millis(window.us() / 1_000))
            });
        } else {
            skip(sink, DenialCode::Duplicate, "the signal has a key");
        }

        // The price to reckon with: the limit, or for a market order what it would meet now.
        let market_px = quote.map_or(Price::ZERO, |q| q.meets(terms.side));
        let px = terms.limit_price.unwrap_or(market_px);
        let value = px.times(terms.qty);
        let fees = rules.fees.with_commission(limits.commission);

        let reserved_cash = match terms.side {
            Side::Buy => {
                // A market buy may fill as high as the day allows; without a band, ten per cent above the market.
                let worst = match (terms.limit_price, band) {
                    (Some(price), _) => price,
                    (None, Some((_, high))) => high,
                    (None, None) => market_px + Price::from_e4(market_px.e4() / 10),
                };
                let needed = fees.buy_reserve(worst, terms.qty);
                let available = ledger.cash - reserved.cash;
                tell(sink, DenialCode::Cash, needed <= available, || {
                    (Measure::Money(needed), Measure::Money(available))
                });
                skip(sink, DenialCode::Sellable, "buy");
                needed
            }
            Side::Sell => {
                skip(sink, DenialCode::Cash, "sell");
                tell(sink, DenialCode::Sellable, terms.qty <= sellable, || {
                    (Measure::Qty(terms.qty), Measure::Qty(sellable.max(Qty::ZERO)))
                });
                Money::ZERO
            }
        };

        let equity = crate::view::equity(ledger, view.quotes);
        if terms.side == Side::Sell {
            skip(sink, DenialCode::OrderValue, "a reducing order, up to the position");
            skip(sink, DenialCode::Position, "a reducing order");
        } else {
            let share = equity.scale(limits.order_value);
            let value_max = limits.order_value_max.map_or(share, |cap| cap.min(share));
            tell(sink, DenialCode::OrderValue, value <= value_max, || {
                (Measure::Money(value), Measure::Money(value_max))
            });

            let position = px.times(holding.qty + reserved.buys_of(terms) + terms.qty);
            let position_max = equity.scale(limits.position);
            tell(sink, DenialCode::Position, position <= position_max, || {
                (Measure::Money(position), Measure::Money(position_max))
            });
        }

        tell(sink, DenialCode::OpenOrders, reserved.live < limits.open_orders_max, || {
            (Measure::Count(i64::from(reserved.live)), Measure::Count(i64::from(limits.open_orders_max)))
        });

        let sent = match self.messages.get(&terms.account) {
            Some((day, count)) if *day == date => *count,
            _ => 0,
        };
        let sent = sent.saturating_add(ledger.extra_messages);
        tell(sink, DenialCode::MessageCeiling, sent < limits.message_ceiling, || {
            (Measure::Count(i64::from(sent)), Measure::Count(i64::from(limits.message_ceiling)))
        });

        Some(Approval { trade_date: date, band, fees, reserved_cash, arrival_px: quote.map(|q| q.meets(terms.side)) })
    }

    /// How long ago the same order was approved, if it was a moment ago.
    fn duplicate_age(&self, at: Timestamp, terms: &OrderTerms) -> Option<Span> {
        let same = |t: &OrderTerms| {
            t.account == terms.account
                && t.strategy == terms.strategy
                && t.symbol == terms.symbol
                && t.side == terms.side
                && t.qty == terms.qty
                && t.limit_price == terms.limit_price
        };
        self.recent.iter().rev().find(|r| same(&r.terms)).map(|r| at.since(r.at))
    }
}

impl Reserved {
    /// Shares that live sells hold of the books that this order may sell from.
    fn sells_of(&self, terms: &OrderTerms) -> Qty {
        let any_book = terms.source == Source::Manual;
        self.sells
            .iter()
            .filter(|(symbol, book, _)| {
                // A manual sell may draw on every book, so it counts against each of them.
                let of_others = (any_book || book.is_manual()) && !seeded(SeededBug::SellsNotReservedTogether);
                *symbol == terms.symbol && (*book == terms.strategy || of_others)
            })
            .map(|(_, _, qty)| *qty)
            .sum()
    }

    fn buys_of(&self, terms: &OrderTerms) -> Qty {
        self.buys.iter().filter(|(symbol, _)| *symbol == terms.symbol).map(|(_, qty)| *qty).sum()
    }
}
