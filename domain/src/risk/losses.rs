//! What accounts, strategies and all of them together have lost: on the day, and since they stood highest.
//!
//! The gain of a day is that of the books: shares against the last close as the exchange states it, so that one that goes
//! ex dividend loses nothing, and contracts against what they were worth when the day began. Money that comes or goes is no
//! part of it, nor are shares that change their book without having been traded. Days are chained as returns
//! (单位净值), so that a drawdown does not hang on how much money is there either.
//!
//! Used is the newest price of the day, however old. A holding without one stands at its last close, else at what it cost.
//! Whether a limit is passed is judged as if it stood at the best price that it can have, so a missing price trips
//! nothing; a contract without any price keeps its scope from being judged.

mod worth;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Scope, TradingState};
use crate::ids::AccountId;
use crate::row::Row;
use crate::units::{Money, Ratio, Span, Timestamp, TradeDate, mul_div_floor};
use crate::view::View;

use super::limits::LimitBook;
use super::{HOLDER, RiskEffects};
use worth::Sums;

/// What one unit of a scope is worth, in 1e-9; one when it was looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nav(i64);

impl Nav {
    const ONE: Self = Self(1_000_000_000);

    /// After such a gain on such a capital. Never below a millionth: what has lost everything can begin anew.
    fn after(self, gain: Money, base: Money) -> Self {
        if !base.is_positive() {
            return self;
        }
        let change = mul_div_floor(self.0, gain.e4(), base.e4());
        Self(self.0.saturating_add(change).clamp(1_000, i64::MAX / 4))
    }

    /// How far it is below the peak.
    fn below(self, peak: Self) -> Ratio {
        Ratio::from_e6(mul_div_floor((peak.0 - self.0).max(0), Ratio::ONE.e6(), peak.0.max(1)))
    }
}

/// How far a loss has come: what is told is told once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LossStep {
    #[default]
    Quiet,
    Warned,
    Tripped,
}

/// Which limit holds a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Loss {
    /// Until the next day begins, or a person lets it go.
    Day,
    /// Until a person lets it go: what it is worth then is its new peak.
    Drawdown,
}

/// What is remembered of a scope's worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityMark {
    pub scope: Scope,
    pub trade_date: TradeDate,
    /// What it was worth when the day began, with what was put in since.
    pub opened: Money,
    /// Of the day so far.
    pub gain: Money,
    /// What of the books' own numbers of the day came by a person's rebooking, and is no gain.
    pub moved: Money,
    /// What contracts had brought in all when the day began.
    pub contracts: Money,
    /// After the last day.
    pub nav_before: Nav,
    pub nav_peak: Nav,
    pub day: LossStep,
    pub drawdown: LossStep,
    /// The limit by which trading only reduces here.
    pub holds: Option<Loss>,
    pub at: Timestamp,
}

impl EquityMark {
    fn first(at: Timestamp, date: TradeDate, scope: Scope, sums: &Sums) -> Self {
        Self {
            scope,
            trade_date: date,
            opened: sums.equity - sums.gain,
            gain: Money::ZERO,
            moved: Money::ZERO,
            contracts: sums.contracts,
            nav_before: Nav::ONE,
            nav_peak: Nav::ONE,
            day: LossStep::Quiet,
            drawdown: LossStep::Quiet,
            holds: None,
            at,
        }
    }
}

/// The worth of a scope as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worth {
    pub mark: Arc<EquityMark>,
    pub equity: Money,
    pub gain: Money,
    /// The day's loss as a share of what it began with; nothing when it gains.
    pub day_loss: Ratio,
    pub drawdown: Ratio,
    /// Holdings that no price of the day is known of.
    pub unpriced: u32,
    /// The accounts that it stands in.
    pub accounts: BTreeSet<AccountId>,
    pub limits: LossLimits,
}

/// The limits of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossLimits {
    pub day_warn: Ratio,
    pub day: Ratio,
    /// A sum beside the share.
    pub day_max: Option<Money>,
    pub drawdown: Ratio,
}

/// Between two marks of a scope in which nothing but numbers changes.
const MARK_EVERY: Span = Span::from_secs(60);
/// A smaller change of the numbers is not worth a mark.
const MARK_FROM: Ratio = Ratio::from_e6(1_000);

#[derive(Debug)]
struct Watched {
    mark: Arc<EquityMark>,
    /// As it was journaled last.
    kept: Option<Arc<EquityMark>>,
    /// The books' own numbers at the last look, to tell what a rebooking has changed.
    raw: Option<(Money, Money)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Losses {
    scopes: BTreeMap<Scope, Watched>,
    /// The accounts that make up all, and what they are worth together.
    together: Option<(BTreeSet<AccountId>, Money)>,
}

impl Losses {
    pub(super) fn restore(&mut self, mark: Arc<EquityMark>) {
        let watched = Watched { kept: Some(mark.clone()), mark, raw: None };
        self.scopes.insert(watched.mark.scope.clone(), watched);
    }

    /// Looks at everything that is held, as it is worth now.
    pub(super) fn watch(&mut self, at: Timestamp, view: View<'_>, limits: &LimitBook, fx: &mut RiskEffects) {
        let Some(date) = view.market.calendar.trade_date(at) else { return };
        for (scope, sums) in worth::sums(date, view, limits) {
            let bounds = worth::limits_of(&scope, &sums, limits);
            if scope == Scope::Global {
                self.together = Some((sums.accounts.clone(), sums.equity));
            }
            let watched = self.scopes.entry(scope.clone()).or_insert_with(|| {
                let mark = EquityMark::first(at, date, scope, &sums).into();
                Watched { mark, kept: None, raw: None }
            });
            watched.look(at, date, view, &sums, &bounds, fx);
        }
    }

    /// The accounts that are added up with this one, and what they were worth at the last look.
    pub(super) fn together(&self, account: &AccountId) -> Option<(&BTreeSet<AccountId>, Money)> {
        let (accounts, equity) = self.together.as_ref()?;
        accounts.contains(account).then_some((accounts, *equity))
    }

    /// A person has changed the account's books: what they say of the day now is no gain.
    pub(super) fn rebooked(&mut self, at: Timestamp, view: View<'_>, account: &AccountId, limits: &LimitBook) {
        let Some(date) = view.market.calendar.trade_date(at) else { return };
        for (scope, sums) in worth::sums(date, view, limits) {
            let concerned = match &scope {
                Scope::Account(of) => of == account,
                Scope::Global => true,
                Scope::Strategy(_) => sums.accounts.contains(account),
            };
            if !concerned {
                continue;
            }
            let raw = Some((sums.gain, sums.contracts));
            let Some(watched) = self.scopes.get_mut(&scope) else {
                let mark = EquityMark { moved: sums.gain, ..EquityMark::first(at, date, scope.clone(), &sums) };
                self.scopes.insert(scope, Watched { mark: mark.into(), kept: None, raw });
                continue;
            };
            if let Some((gain, contracts)) = std::mem::replace(&mut watched.raw, raw) {
                let mark = Arc::make_mut(&mut watched.mark);
                mark.moved += sums.gain - gain;
                mark.contracts += sums.contracts - contracts;
            }
        }
    }

    /// Somebody has set the state of a scope: from now on it is his.
    pub(super) fn decided(&mut self, at: Timestamp, scope: &Scope, state: TradingState, fx: &mut RiskEffects) {
        let Some(watched) = self.scopes.get_mut(scope) else { return };
        let mut mark = EquityMark { holds: None, ..(*watched.mark).clone() };
        if state == TradingState::Active && mark.drawdown == LossStep::Tripped {
            mark.nav_peak = mark.nav_before.after(mark.gain, mark.opened);
            mark.drawdown = LossStep::Quiet;
        }
        if mark != *watched.mark {
            watched.keep(at, mark, fx);
        }
    }

    /// The scope is held for another reason as well: a new day alone does not let it go.
    pub(super) fn held_otherwise(&mut self, at: Timestamp, scope: &Scope, fx: &mut RiskEffects) {
        if let Some(watched) = self.scopes.get_mut(scope).filter(|watched| watched.mark.holds.is_some()) {
            let mark = EquityMark { holds: None, ..(*watched.mark).clone() };
            watched.keep(at, mark, fx);
        }
    }

    /// Every scope that was looked at, as it is worth now.
    pub(super) fn now(&self, at: Timestamp, view: View<'_>, limits: &LimitBook) -> Vec<Worth> {
        let Some(date) = view.market.calendar.trade_date(at) else { return Vec::new() };
        let now = worth::sums(date, view, limits).into_iter().filter_map(|(scope, sums)| {
            let watched = self.scopes.get(&scope)?;
            let limits = worth::limits_of(&scope, &sums, limits);
            // Between the turn of the day and the next look nothing is marked yet, and the sums are of the new day.
            let mark =
                if date > watched.mark.trade_date { watched.begun(date, &sums).into() } else { watched.mark.clone() };
            let gain = sums.gain_of(&mark, sums.gain);
            let base = mark.opened;
            Some(Worth {
                equity: sums.equity,
                gain,
                day_loss: share(gain, base),
                drawdown: mark.nav_before.after(gain, base).below(mark.nav_peak),
                mark,
                unpriced: sums.unpriced,
                accounts: sums.accounts,
                limits,
            })
        });
        now.collect()
    }
}

impl Watched {
    fn look(
        &mut self,
        at: Timestamp,
        date: TradeDate,
        view: View<'_>,
        sums: &Sums,
        limits: &LossLimits,
        fx: &mut RiskEffects,
    ) {
        let mut mark = (*self.mark).clone();
        if date > mark.trade_date {
            self.begin_day(at, date, view, sums, &mut mark, fx);
        }
        self.raw = Some((sums.gain, sums.contracts));
        mark.gain = sums.gain_of(&mark, sums.gain);
        mark.opened = mark.opened.max(sums.equity - mark.gain);
        if !sums.blind {
            // What is not known does not make a peak.
            let peak = mark.nav_before.after(sums.gain_of(&mark, sums.worst), mark.opened);
            if peak > mark.nav_peak {
                mark.nav_peak = peak;
                mark.drawdown = LossStep::Quiet;
            }
            let best = sums.gain_of(&mark, sums.best);
            judge(at, view, &mut mark, best, limits, fx);
        }
        if self.is_news(at, &mark) {
            self.keep(at, mark, fx);
        } else {
            self.mark = mark.into();
        }
    }

    /// Whether it is worth a line of the journal.
    fn is_news(&self, at: Timestamp, mark: &EquityMark) -> bool {
        let Some(kept) = &self.kept else { return true };
        let told = |mark: &EquityMark| (mark.trade_date, mark.day, mark.drawdown, mark.holds, mark.moved, mark.opened);
        let far = (mark.gain - kept.gain).abs() > mark.opened.abs().scale(MARK_FROM)
            || kept.nav_peak.below(mark.nav_peak) >= MARK_FROM;
        told(mark) != told(kept) || far && at.since(kept.at) >= MARK_EVERY
    }

    /// The day before becomes part of the chain of returns.
    fn begun(&self, date: TradeDate, sums: &Sums) -> EquityMark {
        let mut mark = (*self.mark).clone();
        // What contracts have brought until the last look is of that day.
        let contracts = self.raw.map_or(sums.contracts, |(_, contracts)| contracts);
        mark.nav_before = mark.nav_before.after(mark.gain, mark.opened);
        mark.trade_date = date;
        (mark.gain, mark.moved, mark.contracts) = (Money::ZERO, Money::ZERO, contracts);
        mark.opened = sums.equity - sums.gain_of(&mark, sums.gain);
        mark.day = LossStep::Quiet;
        mark
    }

    /// What the loss of the last day has held goes on.
    fn begin_day(
        &self,
        at: Timestamp,
        date: TradeDate,
        view: View<'_>,
        sums: &Sums,
        mark: &mut EquityMark,
        fx: &mut RiskEffects,
    ) {
        *mark = self.begun(date, sums);
        if mark.holds == Some(Loss::Day) {
            mark.holds = None;
            if view.states.at(&mark.scope) == TradingState::Reducing {
                set_state(at, &mark.scope, TradingState::Active, "a new day: the loss was that of the last one", fx);
            }
        }
    }

    fn keep(&mut self, at: Timestamp, mark: EquityMark, fx: &mut RiskEffects) {
        let mark = Arc::new(EquityMark { at, ..mark });
        fx.events.push(Event::EquityMarked(mark.clone()));
        fx.rows.push(Row::EquityMark(mark.clone()));
        self.kept = Some(mark.clone());
        self.mark = mark;
    }
}

/// Holds the best that the day can have been against the limits. Told once, and once for the day, whatever a person decides
/// after that.
fn judge(at: Timestamp, view: View<'_>, mark: &mut EquityMark, gain: Money, limits: &LossLimits, fx: &mut RiskEffects) {
    let base = mark.opened;
    let (lost, loss) = (-gain, share(gain, base));
    let fallen = mark.nav_before.after(gain, base).below(mark.nav_peak);
    let above = |limit: Ratio| loss.is_positive() && loss >= limit;
    let above_sum = limits.day_max.is_some_and(|most| lost.is_positive() && lost >= most);
    let near_sum = limits.day_max.is_some_and(|most| lost.is_positive() && lost >= most.scale(NEAR));
    let day = match () {
        () if above(limits.day) || above_sum => LossStep::Tripped,
        () if above(limits.day_warn) || near_sum => LossStep::Warned,
        () => LossStep::Quiet,
    };
    let near = Ratio::from_e6(limits.drawdown.e6() / 5 * 4);
    let drawdown = match () {
        () if fallen.is_positive() && fallen >= limits.drawdown => LossStep::Tripped,
        () if fallen.is_positive() && fallen >= near => LossStep::Warned,
        () => LossStep::Quiet,
    };
    let trips = [
        (drawdown > mark.drawdown && drawdown == LossStep::Tripped).then_some(Loss::Drawdown),
        (day > mark.day && day == LossStep::Tripped).then_some(Loss::Day),
    ];
    mark.day = mark.day.max(day);
    mark.drawdown = mark.drawdown.max(drawdown);
    for loss_kind in trips.into_iter().flatten() {
        let reason = match loss_kind {
            Loss::Day if above_sum && !above(limits.day) => {
                format!("daily loss {lost}, limit {}", limits.day_max.unwrap_or_default())
            }
            Loss::Day => format!("daily loss {lost}, {loss} of {base}, limit {}", limits.day),
            Loss::Drawdown => format!("drawdown {fallen} from the peak, limit {}", limits.drawdown),
        };
        let active = view.states.at(&mark.scope) == TradingState::Active;
        // Whoever has set another state meant it; a drawdown outlasts the day for which a loss holds.
        if active && mark.holds.is_none() {
            set_state(at, &mark.scope, TradingState::Reducing, &reason, fx);
            mark.holds = Some(loss_kind);
        } else if mark.holds == Some(Loss::Day) && loss_kind == Loss::Drawdown {
            set_state(at, &mark.scope, TradingState::Reducing, &reason, fx);
            mark.holds = Some(Loss::Drawdown);
        }
    }
}

const NEAR: Ratio = Ratio::from_percent(80);

fn set_state(at: Timestamp, scope: &Scope, state: TradingState, reason: &str, fx: &mut RiskEffects) {
    let (who, reason): (Arc<str>, Arc<str>) = (HOLDER.into(), reason.into());
    fx.events.push(Event::TradingStateSet { scope: scope.clone(), state, who: who.clone(), reason: reason.clone() });
    fx.rows.push(Row::TradingState { scope: scope.clone(), state, who, reason, at });
}

/// What a loss is of a capital; nothing for a gain, and all of it where there is no capital.
fn share(gain: Money, base: Money) -> Ratio {
    match (-gain).max(Money::ZERO) {
        Money::ZERO => Ratio::ZERO,
        _ if !base.is_positive() => Ratio::ONE,
        lost => Ratio::from_e6(mul_div_floor(lost.e4(), Ratio::ONE.e6(), base.e4())),
    }
}
