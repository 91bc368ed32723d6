//! What each size means, said again in plain numbers.

use signalbox_domain::capital::CapitalBase;
use signalbox_domain::denial::DenialCode;
use signalbox_domain::order::Side;
use signalbox_domain::signal::Size;
use signalbox_domain::strategy::Allocation;

use crate::stage::{Case, Holder, OTHER_E4};

type Legs = Vec<(usize, Side, i128)>;

const MILLION: i128 = 1_000_000;

/// The legs by account and what is left over, or the code of the refusal.
pub(crate) fn expected(case: &Case) -> Result<(Legs, i128), DenialCode> {
    let everybody: Vec<usize> = (0..case.holders.len()).collect();
    let mut book = Writer { case, legs: Vec::new(), residual: 0, undealt: 0 };
    let alone = case.allocation == Allocation::FixedRatio;
    let holder = |n: usize| &case.holders[n];

    match (case.size, case.side) {
        (Size::Quantity(qty), Some(side)) => {
            // One account that follows in full gets exactly what was asked for.
            if everybody.len() == 1 && i128::from(case.ratio.e6()) == MILLION {
                return Ok((vec![(0, side, i128::from(qty.get()))], 0));
            }
            book.orders(&everybody, side, &|_| i128::from(qty.get()) * i128::from(case.ratio.e6()) / MILLION);
        }
        (Size::Amount(sum), Some(side)) => {
            let price = order_price(case, side);
            let money = i128::from(sum.e4()) * i128::from(case.ratio.e6());
            book.orders(&everybody, side, &|_| most(|n| n * price * MILLION <= money));
        }
        (Size::Percent(share), Some(Side::Buy)) => {
            base(case, &everybody)?;
            let (price, share) = (order_price(case, Side::Buy), i128::from(share.e6()));
            book.orders(&everybody, Side::Buy, &|of| pays_for(case, of, share, price));
        }
        (Size::Percent(share), Some(Side::Sell)) => {
            let share = i128::from(share.e6());
            let held = |of: &[usize]| of.iter().map(|n| i128::from(holder(*n).held)).sum::<i128>();
            if alone || share == MILLION {
                for n in everybody {
                    book.sell(n, held(&[n]) * share / MILLION);
                }
            } else {
                let weights: Vec<i128> = everybody.iter().map(|n| held(&[*n])).collect();
                let parts = book.deal(held(&everybody) * share / MILLION, &weights);
                everybody.iter().zip(parts).for_each(|(n, part)| book.sell(*n, part));
            }
        }
        (Size::All, _) => {
            for n in everybody {
                book.sell(n, i128::from((holder(n).held - holder(n).sells).max(0)));
            }
        }
        (Size::AllIn, _) => {
            let ask = i128::from(case.last + case.spread);
            let price = case.limit.map_or(ask + ask / 10, |px| i128::from(px.e4()));
            let ratio = i128::from(case.ratio.e6()).min(MILLION);
            for n in everybody {
                let money = i128::from(holder(n).cash - holder(n).aside) * ratio;
                let lot = book.lot();
                let lots = most(|lots| with_fees(lots * lot * price) * MILLION <= money);
                let bought = book.round(lots * lot);
                book.write(n, Side::Buy, bought, bought);
            }
            if book.legs.is_empty() {
                return Err(DenialCode::Cash);
            }
        }
        (Size::TargetQuantity(qty), _) => {
            let target = i128::from(qty.get()) * i128::from(case.ratio.e6()) / MILLION;
            book.targets(&everybody, qty.get() == 0, &|_| target);
        }
        (Size::TargetAmount(sum), _) => {
            let money = i128::from(sum.e4()) * i128::from(case.ratio.e6());
            book.targets(&everybody, false, &|_| most(|n| n * i128::from(case.last) * MILLION <= money));
        }
        (Size::TargetWeight(share), _) if share.e6() == 0 => book.targets(&everybody, true, &|_| 0),
        (Size::TargetWeight(share), _) => {
            base(case, &everybody)?;
            let share = i128::from(share.e6());
            book.targets(&everybody, false, &|of| pays_for(case, of, share, i128::from(case.last)));
        }
        _ => unreachable!("the door lets no such signal in"),
    }
    Ok((book.legs, book.residual))
}

struct Writer<'a> {
    case: &'a Case,
    legs: Legs,
    residual: i128,
    /// The part of it that made no lot for anybody.
    undealt: i128,
}

impl Writer<'_> {
    fn orders(&mut self, everybody: &[usize], side: Side, asked: &dyn Fn(&[usize]) -> i128) {
        if self.case.allocation == Allocation::FixedRatio {
            for n in everybody {
                self.order(*n, side, asked(&[*n]));
            }
        } else {
            let weights = self.weights(everybody, side);
            let parts = self.deal(asked(everybody), &weights);
            everybody.iter().zip(parts).for_each(|(n, part)| self.order(*n, side, part));
        }
    }

    fn targets(&mut self, everybody: &[usize], flat: bool, target: &dyn Fn(&[usize]) -> i128) {
        let will_hold = |n: usize| {
            let it = &self.case.holders[n];
            i128::from(it.held + it.buys - it.sells)
        };
        // One account gets all of it, however its route would share.
        let alone = self.case.allocation == Allocation::FixedRatio || everybody.len() == 1;
        let wanted: Vec<i128> = if flat || alone {
            everybody.iter().map(|n| if flat { 0 } else { target(&[*n]) } - will_hold(*n)).collect()
        } else if self.case.allocation == Allocation::AvailableCash {
            let change = target(everybody) - everybody.iter().map(|n| will_hold(*n)).sum::<i128>();
            let side = if change < 0 { Side::Sell } else { Side::Buy };
            let weights = self.weights(everybody, side);
            let mut parts = self.deal(change.abs(), &weights);
            if change < 0 {
                self.odd_to(everybody, &mut parts);
            }
            parts.into_iter().map(|part| if change < 0 { -part } else { part }).collect()
        } else {
            let weights = self.weights(everybody, Side::Buy);
            let all: Vec<i128> = everybody.iter().map(|n| will_hold(*n)).collect();
            self.deal(target(everybody), &weights).into_iter().zip(all).map(|(part, now)| part - now).collect()
        };
        for (n, change) in everybody.iter().zip(wanted) {
            if change > 0 { self.order(*n, Side::Buy, change) } else { self.sell(*n, -change) }
        }
    }

    fn weights(&self, everybody: &[usize], side: Side) -> Vec<i128> {
        let weight = |it: &Holder| match self.case.allocation {
            Allocation::AvailableCash if side == Side::Buy => i128::from(it.cash - it.aside),
            Allocation::AvailableCash => i128::from(it.held - it.bought_today),
            Allocation::Equity => equity(self.case, it),
            Allocation::FixedRatio | Allocation::EqualQuantity => 1,
        };
        let weights: Vec<i128> = everybody.iter().map(|n| weight(&self.case.holders[*n])).collect();
        if weights.iter().sum::<i128>() > 0 { weights } else { vec![1; everybody.len()] }
    }

    /// Lots one by one to whoever is furthest below his exact part, first to him who comes first; the rest is left over.
    fn deal(&mut self, total: i128, weights: &[i128]) -> Vec<i128> {
        let lot = self.lot();
        let (lots, sum): (i128, i128) = (total / lot, weights.iter().sum());
        if sum == 0 {
            self.residual += total;
            self.undealt = total;
            return vec![0; weights.len()];
        }
        let mut given: Vec<i128> = weights.iter().map(|weight| lots * weight / sum).collect();
        while given.iter().sum::<i128>() < lots {
            let missing = |n: usize| lots * weights[n] - given[n] * sum;
            let mut best = 0;
            for n in 1..weights.len() {
                if missing(n) > missing(best) {
                    best = n;
                }
            }
            given[best] += 1;
        }
        self.residual += total - lots * lot;
        self.undealt = total - lots * lot;
        given.into_iter().map(|lots| lots * lot).collect()
    }

    /// A whole number of lots, or all that there is to sell.
    fn order(&mut self, n: usize, side: Side, asked: i128) {
        let it = &self.case.holders[n];
        let everything = side == Side::Sell && asked == i128::from(it.held - it.bought_today);
        let done = if everything { asked } else { self.round(asked) };
        self.write(n, side, asked, done);
    }

    /// As much of it as the exchange takes, found by trying.
    fn sell(&mut self, n: usize, asked: i128) {
        let can = self.can(n);
        let done = (1..=asked.min(can)).rev().find(|qty| self.is_sale(*qty, can)).unwrap_or(0);
        self.write(n, Side::Sell, asked, done);
    }

    /// What may be sold today and is not being sold.
    fn can(&self, n: usize) -> i128 {
        let it = &self.case.holders[n];
        i128::from((it.held - it.bought_today - it.sells).max(0))
    }

    /// Main board: multiples of 100; a remainder below 100 goes in one order, alone or with lots. STAR: at least 200, in
    /// single shares; a remainder below 200 goes in one order.
    fn is_sale(&self, qty: i128, can: i128) -> bool {
        if self.case.star {
            return qty >= 200 || (can < 200 && qty == can);
        }
        qty % 100 == 0 || qty % 100 == can % 100
    }

    /// Single shares that lots leave over go where they are somebody's whole odd remainder, or a part that is left of them
    /// goes to the next: first to him who comes first.
    fn odd_to(&mut self, everybody: &[usize], parts: &mut [i128]) {
        if self.case.star {
            return; // there are no odd remainders beside orders in single shares
        }
        for (n, part) in everybody.iter().zip(parts) {
            let (can, left) = (self.can(*n), self.undealt);
            let odd = can % 100;
            if odd > 0 && left >= odd && *part + odd <= can {
                *part += odd;
                self.undealt -= odd;
                self.residual -= odd;
            }
        }
    }

    fn round(&self, asked: i128) -> i128 {
        let lots = asked / self.lot() * self.lot();
        if self.case.star && lots < 200 { 0 } else { lots }
    }

    fn lot(&self) -> i128 {
        if self.case.star { 1 } else { 100 }
    }

    fn write(&mut self, n: usize, side: Side, asked: i128, done: i128) {
        self.residual += asked - done;
        if done > 0 {
            self.legs.push((n, side, done));
        }
    }
}

/// A buy of 2025 with what it costs: 0.025 % and 5 yuan at least, and 0.001 %, each to the cent. In 1/10,000 yuan.
fn with_fees(amount: i128) -> i128 {
    let cents = |e6: i128| (amount * e6 + 50 * MILLION) / (100 * MILLION) * 100;
    if amount == 0 { 0 } else { amount + cents(250).max(50_000) + cents(10) }
}

fn order_price(case: &Case, side: Side) -> i128 {
    let market = if side == Side::Buy { case.last + case.spread } else { case.last - case.spread };
    case.limit.map_or(i128::from(market), |px| i128::from(px.e4()))
}

fn equity(case: &Case, it: &Holder) -> i128 {
    i128::from(it.cash) + i128::from(it.held) * i128::from(case.last) + i128::from(2 * it.other) * i128::from(OTHER_E4)
}

/// How many shares the share (in millionths) of the base pays for, times the ratio.
fn pays_for(case: &Case, of: &[usize], share: i128, price: i128) -> i128 {
    let Ok((money, part)) = base(case, of) else { return 0 };
    most(|n| n * price * MILLION * MILLION * MILLION <= money * part * share * i128::from(case.ratio.e6()))
}

/// The base of these accounts: a sum, and the share of it in millionths.
fn base(case: &Case, of: &[usize]) -> Result<(i128, i128), DenialCode> {
    let sum = |worth: &dyn Fn(&Holder) -> i128| of.iter().map(|n| worth(&case.holders[*n])).sum::<i128>();
    let (money, part) = match case.base {
        CapitalBase::None => return Err(DenialCode::CapitalBase),
        CapitalBase::Fixed(money) => (i128::from(money.e4()), MILLION),
        CapitalBase::Equity(share) => (sum(&|it| equity(case, it)), i128::from(share.e6())),
        CapitalBase::Book => {
            let worth =
                |it: &Holder| i128::from(it.held) * i128::from(case.last) + i128::from(it.other) * i128::from(OTHER_E4);
            (sum(&worth), MILLION)
        }
    };
    if money > 0 { Ok((money, part)) } else { Err(DenialCode::CapitalBase) }
}

/// The largest number for which it holds, found by trying.
fn most(fits: impl Fn(i128) -> bool) -> i128 {
    let mut top = 1;
    while fits(top) {
        top *= 2;
    }
    let (mut low, mut high) = (0, top);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}
