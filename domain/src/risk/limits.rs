//! The numbers that orders are held against, and how they change: versioned facts at three scopes, of which the
//! strictest number counts.
//!
//! An account begins with the numbers of its conf. What is set for the account takes their place; what is set globally
//! or for a strategy can only tighten them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::monitors::{AtrStop, Distance};
use crate::account::Pacing;
use crate::event::Scope;
use crate::hash::QuickMap;
use crate::ids::{AccountId, StrategyId};
use crate::instrument::Currency;
use crate::symbol::Symbol;
use crate::symbols;
use crate::units::{Money, Qty, Ratio, Span, Timestamp};
use crate::view::QuoteAge;

/// A kind of number that one of two can be stricter of, and that people write as text.
trait LimitValue: Clone + PartialEq {
    fn stricter(&self, other: &Self) -> Self;
    fn parse(text: &str) -> Option<Self>;
    fn show(&self) -> String;
}

macro_rules! limits {
    (
        {$($(#[$doc:meta])* $name:ident, $wire:literal: $kind:ty = $default:expr;)*}
        {$($(#[$free_doc:meta])* $free:ident, $free_wire:literal: $free_kind:ty;)*}
    ) => {
        /// The numbers that an account's orders are held against.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $name: $kind,)*
            $($(#[$free_doc])* pub $free: Option<$free_kind>,)*
            /// The same order again within this span is a duplicate. Orders of signals that came with a key are exempt:
            /// their repeats are caught by the key. Only conf sets it.
            pub duplicate_window: Span,
            /// The commission that the account pays, as a share of the amount. No limit; only conf sets it.
            pub commission: Ratio,
            /// What the account's money is. No limit; only conf sets it.
            pub currency: Currency,
        }

        impl Default for Limits {
            /// The product's defaults, P3.
            fn default() -> Self {
                Self {
                    $($name: $default,)*
                    $($free: None,)*
                    duplicate_window: Span::from_secs(5),
                    commission: crate::fees::FeeRules::COMMISSION_DEFAULT,
                    currency: Currency::Cny,
                }
            }
        }

        /// What is set at one scope; the rest is as if nobody had ever asked.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct LimitSet {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$kind>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $free: Option<$free_kind>,)*
        }

        impl Limits {
            /// Takes what is stricter there.
            pub fn tighten(&mut self, set: &LimitSet) {
                $(if let Some(other) = &set.$name {
                    self.$name = self.$name.stricter(other);
                })*
                $(if let Some(other) = &set.$free {
                    self.$free = Some(self.$free.as_ref().map_or_else(|| other.clone(), |own| own.stricter(other)));
                })*
            }

            /// Takes what is set there, looser or not.
            pub fn replace(&mut self, set: &LimitSet) {
                $(if let Some(other) = &set.$name {
                    self.$name = other.clone();
                })*
                $(if set.$free.is_some() {
                    self.$free = set.$free.clone();
                })*
            }

            /// Every number as people write it, by its name in conf and API.
            #[must_use]
            pub fn texts(&self) -> BTreeMap<&'static str, String> {
                let mut texts = BTreeMap::from([$(($wire, self.$name.show()),)*]);
                $(if let Some(value) = &self.$free {
                    texts.insert($free_wire, value.show());
                })*
                texts
            }
        }

        impl LimitSet {
            /// Every name that [`LimitSet::put`] knows.
            pub const NAMES: &[&str] = &[$($wire,)* $($free_wire,)*];

            /// Sets one number from its text.
            ///
            /// # Errors
            /// [`LimitFault`]; nothing is changed then.
            pub fn put(&mut self, name: &str, text: &str) -> Result<(), LimitFault> {
                match name {
                    $($wire => self.$name = Some(LimitValue::parse(text).ok_or(LimitFault::Value)?),)*
                    $($free_wire => self.$free = Some(LimitValue::parse(text).ok_or(LimitFault::Value)?),)*
                    _ => return Err(LimitFault::Unknown),
                }
                Ok(())
            }

            /// What is set, as people write it.
            #[must_use]
            pub fn texts(&self) -> BTreeMap<&'static str, String> {
                let mut texts = BTreeMap::new();
                $(if let Some(value) = &self.$name {
                    texts.insert($wire, value.show());
                })*
                $(if let Some(value) = &self.$free {
                    texts.insert($free_wire, value.show());
                })*
                texts
            }

            /// The names of the numbers that this lets out, when it takes the place of `old` over `base`.
            #[must_use]
            pub fn loosens(&self, old: &Self, base: Option<&Limits>) -> Vec<&'static str> {
                let mut loosened = Vec::new();
                $({
                    let base = base.map(|base| &base.$name);
                    if looser(self.$name.as_ref().or(base), old.$name.as_ref().or(base)) {
                        loosened.push($wire);
                    }
                })*
                $({
                    let base = base.and_then(|base| base.$free.as_ref());
                    if looser(self.$free.as_ref().or(base), old.$free.as_ref().or(base)) {
                        loosened.push($free_wire);
                    }
                })*
                loosened
            }
        }
    };
}

/// Without a number there is no limit.
fn looser<T: LimitValue>(new: Option<&T>, old: Option<&T>) -> bool {
    match (new, old) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(new), Some(old)) => new.stricter(old) != *new,
    }
}

// Each with its name on the wire. Those of the second part are not limited unless somebody sets them.
limits! {
    {
        /// Of the account's equity, per order.
        order_value, "order_value": Ratio = Ratio::from_percent(25);
        /// Of the average volume of the last twenty days, per order, where their history is known.
        order_volume, "order_volume": Ratio = Ratio::from_percent(5);
        /// Of the account's equity, per symbol, live buys included.
        position, "position": Ratio = Ratio::from_percent(30);
        /// Buys of one symbol that may still trade, of the account.
        symbol_orders_max, "symbol_orders_max": u32 = 20;
        /// Orders that may still trade, of the whole account. It bounds the account's queue and memory.
        open_orders_max, "open_orders_max": u32 = 10_000;
        /// How old a quote may be for a market order, and for a limit order.
        quote_age_market, "quote_age_market_s": Span = Span::from_secs(15);
        quote_age_limit, "quote_age_limit_s": Span = Span::from_secs(60);
        /// How far a limit price may be on the other side of the market where the exchange has no cage.
        collar, "collar": Ratio = Ratio::from_percent(2);
        /// Orders of one strategy to the account in ten minutes: three for each planned parent and twenty, and never
        /// more than this.
        strategy_orders_max, "strategy_orders_max": u32 = 200;
        /// Openings, of the account's equity: in a minute, and in a day of what may be sold tomorrow, or today.
        notional_minute, "notional_minute": Ratio = Ratio::from_percent(110);
        notional_day, "notional_day": Ratio = Ratio::from_percent(220);
        notional_day_t0, "notional_day_t0": Ratio = Ratio::from_percent(600);
        /// How often a parent is tried in a day: after a refusal or proved absence, and after a proved cancel.
        attempts_failed, "attempts_failed": u32 = 3;
        attempts_buy, "attempts_buy": u32 = 10;
        attempts_sell, "attempts_sell": u32 = 60;
        /// Orders of a day before which the share of cancels says nothing: two cancels of three orders are an ordinary
        /// morning.
        cancel_ratio_from, "cancel_ratio_from": u32 = 100;
        /// Contracts: the margin of one order, and of all that is held and on its way, of the account's equity. From the
        /// third on it is told.
        order_margin, "order_margin": Ratio = Ratio::from_percent(30);
        margin, "margin": Ratio = Ratio::from_percent(80);
        margin_warn, "margin_warn": Ratio = Ratio::from_percent(70);
        /// Lots per order.
        order_lots_max, "order_lots_max": u32 = 10;
        /// What may be lost on a day, of the worth with which it began: told from the first on, and from the second on
        /// trading only reduces until the next day.
        daily_loss_warn, "daily_loss_warn": Ratio = Ratio::from_percent(3);
        daily_loss, "daily_loss": Ratio = Ratio::from_percent(5);
        /// How far it may be below its best: from here on trading only reduces until a person lets it go.
        drawdown, "drawdown": Ratio = Ratio::from_percent(15);
        /// How long an order waits that would trade with a live one of another account of ours. Then it goes out, and is told.
        crossing_hold, "crossing_hold_s": HoldFor = HoldFor::seconds(5);
        /// What becomes of an order that would trade with a live one of the same account.
        crossing, "crossing": Crossing = Crossing::Deny;
        /// What the account may buy beside main boards and funds. All of it unless somebody says less.
        permissions, "permissions": Permissions = Permissions::ALL;
        /// Whether the report is on file without which nobody may trade by program on the mainland (CSRC, securities since
        /// 2024-10-08, futures since 2025-10-09). Asked of accounts with real money only.
        program_report, "program_report": ProgramReport = ProgramReport::Missing;
        /// Instruments that may not be traded at all.
        restricted, "restricted": Restricted = Restricted::default();
        /// The pace that the account keeps towards its broker, never a reason to deny.
        messages_per_second, "messages_per_second": u32 = 5;
        messages_per_minute, "messages_per_minute": u32 = 120;
        messages_per_day, "messages_per_day": u32 = 2_000;
        /// The hard stop of messages a day.
        message_ceiling, "message_ceiling": u32 = 15_000;
    }
    {
        /// An absolute cap per order beside the share of equity.
        order_value_max, "order_value_max": Money;
        /// Shares per order, and per symbol with live buys.
        order_qty_max, "order_qty_max": Qty;
        position_qty_max, "position_qty_max": Qty;
        /// What is held and may be bought, of the account's equity: 1 for an account that borrows nothing.
        exposure, "exposure": Ratio;
        /// Of the worth of all accounts of one currency, per symbol, in all of them together, live buys included.
        concentration, "concentration": Ratio;
        /// Cancelled orders of a day, of those that were sent on it. The exchanges watch for a high share and publish no
        /// number (SSE, SZSE and BSE, in force 2025-07-07), so there is none by default. It stops what opens, and no cancel.
        cancel_ratio, "cancel_ratio": Ratio;
        /// A sum beside the share that may be lost on a day.
        daily_loss_max, "daily_loss_max": Money;
        /// Monitors of positions, see [`super::monitors`]: below and above the cost, below the highest since the entry.
        stop_loss, "stop_loss": Distance;
        take_profit, "take_profit": Distance;
        trailing_stop, "trailing_stop": Distance;
        entry_drawdown, "entry_drawdown": Distance;
        atr_stop, "atr_stop": AtrStop;
    }
}

/// A limit that cannot be set so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitFault {
    #[error("there is no such limit")]
    Unknown,
    #[error("not a value of this limit")]
    Value,
}

/// One change of the limits of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitFact {
    pub scope: Scope,
    /// Of the scope, from 1.
    pub version: u32,
    pub set: LimitSet,
    pub previous: LimitSet,
    /// The names of the numbers that were let out.
    pub loosened: Vec<Arc<str>>,
    pub who: Arc<str>,
    pub reason: Arc<str>,
    pub at: Timestamp,
}

/// Somebody else has changed the limits of the scope meanwhile, or the account is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitsRefused {
    #[error("the limits are at version {is}")]
    Version { is: u32 },
    #[error("there is no such account")]
    AccountUnknown,
}

impl Limits {
    /// Whether any monitor looks at positions.
    #[must_use]
    pub const fn monitors(&self) -> bool {
        self.stop_loss.is_some()
            || self.take_profit.is_some()
            || self.trailing_stop.is_some()
            || self.entry_drawdown.is_some()
            || self.atr_stop.is_some()
    }

    #[must_use]
    pub const fn quote_age(&self) -> QuoteAge {
        QuoteAge { market: self.quote_age_market, limit: self.quote_age_limit }
    }

    #[must_use]
    pub const fn pacing(&self) -> Pacing {
        Pacing {
            per_second: self.messages_per_second,
            per_minute: self.messages_per_minute,
            per_day: self.messages_per_day,
        }
    }
}

/// All limits in force.
#[derive(Debug, Default)]
pub(super) struct LimitBook {
    base: QuickMap<AccountId, Arc<Limits>>,
    /// Of each account, without those of strategies.
    in_force: QuickMap<AccountId, Arc<Limits>>,
    facts: BTreeMap<Scope, Arc<LimitFact>>,
    strategies: QuickMap<StrategyId, LimitSet>,
}

impl LimitBook {
    pub(super) fn new(base: HashMap<AccountId, Arc<Limits>>) -> Self {
        let base: QuickMap<AccountId, Arc<Limits>> = base.into_iter().collect();
        Self { in_force: base.clone(), base, facts: BTreeMap::new(), strategies: QuickMap::default() }
    }

    pub(super) fn add(&mut self, account: AccountId, limits: Arc<Limits>) {
        let set_of = |scope: &Scope| self.facts.get(scope).map(|fact| &fact.set);
        let now = in_force(&limits, set_of(&Scope::Account(account.clone())), set_of(&Scope::Global));
        self.in_force.insert(account.clone(), now.into());
        self.base.insert(account, limits);
    }

    pub(super) fn of(&self, account: &AccountId) -> Option<&Arc<Limits>> {
        self.in_force.get(account)
    }

    /// Every account with its limits, in the order of their names.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (&AccountId, &Arc<Limits>)> {
        let mut all: Vec<_> = self.in_force.iter().collect();
        all.sort_unstable_by_key(|(account, _)| *account);
        all.into_iter()
    }

    /// How old quotes may be by what was set for strategies.
    pub(super) fn quote_ages_of_strategies(&self) -> impl Iterator<Item = (StrategyId, QuoteAge)> {
        let age = |set: &LimitSet| QuoteAge {
            market: set.quote_age_market.unwrap_or(Span::from_us(i64::MAX)),
            limit: set.quote_age_limit.unwrap_or(Span::from_us(i64::MAX)),
        };
        self.strategies.iter().map(move |(strategy, set)| (strategy.clone(), age(set)))
    }

    /// Takes what was set for the scope itself, where that is stricter.
    pub(super) fn tighten_for(&self, scope: &Scope, limits: &mut Limits) {
        if let Some(fact) = self.facts.get(scope) {
            limits.tighten(&fact.set);
        }
    }

    /// Those of the account, tightened by those of the strategy where it has some.
    pub(super) fn of_strategy(&self, account: &AccountId, strategy: &StrategyId) -> Option<Arc<Limits>> {
        let limits = self.in_force.get(account)?;
        if self.strategies.is_empty() {
            return Some(limits.clone());
        }
        Some(match self.strategies.get(strategy) {
            None => limits.clone(),
            Some(set) => {
                let mut limits = Limits::clone(limits);
                limits.tighten(set);
                limits.into()
            }
        })
    }

    /// The fact that this change would be.
    pub(super) fn next(
        &self,
        at: Timestamp,
        scope: Scope,
        set: LimitSet,
        expected: Option<u32>,
        who: Arc<str>,
        reason: Arc<str>,
    ) -> Result<Arc<LimitFact>, LimitsRefused> {
        let base = match &scope {
            Scope::Account(account) => Some(self.base.get(account).ok_or(LimitsRefused::AccountUnknown)?),
            Scope::Global | Scope::Strategy(_) => None,
        };
        let old = self.facts.get(&scope);
        let is = old.map_or(0, |fact| fact.version);
        if expected.is_some_and(|expected| expected != is) {
            return Err(LimitsRefused::Version { is });
        }
        let previous = old.map(|fact| fact.set.clone()).unwrap_or_default();
        let loosened = set.loosens(&previous, base.map(|base| &**base));
        let loosened = loosened.into_iter().map(Arc::from).collect();
        Ok(Arc::new(LimitFact { scope, version: is + 1, set, previous, loosened, who, reason, at }))
    }

    /// Takes a fact over. Returns the accounts whose pace changed.
    pub(super) fn apply(&mut self, fact: Arc<LimitFact>) -> Vec<(AccountId, Pacing)> {
        let concerned: Vec<AccountId> = match &fact.scope {
            Scope::Strategy(strategy) => {
                self.strategies.insert(strategy.clone(), fact.set.clone());
                Vec::new()
            }
            Scope::Account(account) => vec![account.clone()],
            Scope::Global => {
                let mut all: Vec<AccountId> = self.base.keys().cloned().collect();
                all.sort_unstable(); // everybody is told in the same order each time
                all
            }
        };
        self.facts.insert(fact.scope.clone(), fact);
        let mut paced = Vec::new();
        for account in concerned {
            let Some(base) = self.base.get(&account) else { continue };
            let set_of = |scope: &Scope| self.facts.get(scope).map(|fact| &fact.set);
            let limits = in_force(base, set_of(&Scope::Account(account.clone())), set_of(&Scope::Global));
            let pacing = limits.pacing();
            let before = self.in_force.insert(account.clone(), limits.into());
            if before.is_none_or(|before| before.pacing() != pacing) {
                paced.push((account, pacing));
            }
        }
        paced
    }
}

/// What holds for an account with these numbers of conf, with what is set for it and for all.
#[must_use]
pub fn in_force(base: &Limits, account: Option<&LimitSet>, global: Option<&LimitSet>) -> Limits {
    let mut limits = base.clone();
    if let Some(set) = account {
        limits.replace(set);
    }
    if let Some(set) = global {
        limits.tighten(set);
    }
    limits
}

impl LimitValue for u32 {
    fn stricter(&self, other: &Self) -> Self {
        *self.min(other)
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl LimitValue for Ratio {
    fn stricter(&self, other: &Self) -> Self {
        *self.min(other)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok().filter(|ratio| !ratio.is_negative())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Whether a report of program trading is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ProgramReport {
    /// The broker has said that this account needs none.
    NotNeeded,
    OnFile,
    Missing,
}

impl LimitValue for ProgramReport {
    fn stricter(&self, other: &Self) -> Self {
        if *other == Self::Missing { *other } else { *self }
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        <&str>::from(*self).to_owned()
    }
}

impl LimitValue for Distance {
    fn stricter(&self, other: &Self) -> Self {
        *self.min(other)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::new(Ratio::parse(text).ok()?)
    }

    fn show(&self) -> String {
        self.ratio().to_string()
    }
}

/// The fewer ranges, the stricter.
impl LimitValue for AtrStop {
    fn stricter(&self, other: &Self) -> Self {
        if (other.multiple, other.period) < (self.multiple, self.period) { *other } else { *self }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl LimitValue for Money {
    fn stricter(&self, other: &Self) -> Self {
        *self.min(other)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok().filter(|money| !money.is_negative())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// In whole seconds.
impl LimitValue for Span {
    fn stricter(&self, other: &Self) -> Self {
        *self.min(other)
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse::<u32>().ok().map(|s| Self::from_secs(i64::from(s)))
    }

    fn show(&self) -> String {
        (self.us() / 1_000_000).to_string()
    }
}

/// How long something is held back: the longer, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldFor(Span);

impl HoldFor {
    /// What is decided on a price may not wait longer than that price is good for.
    const MAX_S: u32 = 60;

    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self(Span::from_secs(seconds as i64))
    }

    #[must_use]
    pub const fn span(self) -> Span {
        self.0
    }
}

/// In whole seconds.
impl LimitValue for HoldFor {
    fn stricter(&self, other: &Self) -> Self {
        *self.max(other)
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|seconds| *seconds <= Self::MAX_S).map(Self::seconds)
    }

    fn show(&self) -> String {
        self.0.show()
    }
}

impl LimitValue for Qty {
    fn stricter(&self, other: &Self) -> Self {
        *self.min(other)
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|qty| (0..=Self::MAX.get()).contains(qty)).map(Self::new)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// What an account needs a permission for before it may buy (权限).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumIter, strum::EnumString, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Permission {
    #[serde(rename = "chinext")]
    #[strum(serialize = "chinext")]
    ChiNext,
    Star,
    #[serde(rename = "bse")]
    #[strum(serialize = "bse")]
    Beijing,
    Convertible,
    /// Stocks under risk warning.
    St,
    /// To buy for all the cash that is there.
    AllIn,
    /// To lend by bond repo.
    Repo,
    /// To subscribe to new issues.
    Ipo,
}

/// A set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Permission>", into = "Vec<Permission>")]
pub struct Permissions(u8);

impl Permissions {
    pub const ALL: Self = Self(0b1111_1111);

    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        <Permission as strum::IntoEnumIterator>::iter().filter(move |permission| self.has(*permission))
    }
}

impl From<Vec<Permission>> for Permissions {
    fn from(all: Vec<Permission>) -> Self {
        Self(all.into_iter().fold(0, |bits, permission| bits | 1 << permission as u8))
    }
}

impl From<Permissions> for Vec<Permission> {
    fn from(all: Permissions) -> Self {
        all.iter().collect()
    }
}

/// `chinext,star,bse,convertible,st,all_in,repo,ipo`, or nothing.
impl LimitValue for Permissions {
    fn stricter(&self, other: &Self) -> Self {
        Self(self.0 & other.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| name.parse::<Permission>().ok()).collect::<Option<Vec<_>>>().map(Self::from)
    }

    fn show(&self) -> String {
        self.iter().map(<&str>::from).collect::<Vec<_>>().join(",")
    }
}

/// Symbols in their order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Restricted(Arc<[Symbol]>);

impl Restricted {
    #[must_use]
    pub fn contains(&self, symbol: Symbol) -> bool {
        self.0.binary_search(&symbol).is_ok()
    }

    fn of(mut symbols: Vec<Symbol>) -> Self {
        symbols.sort_unstable();
        symbols.dedup();
        Self(symbols.into())
    }
}

/// `600000.SH,000001.SZ`, in any spelling that names one instrument.
impl LimitValue for Restricted {
    fn stricter(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(other.0.iter()).copied().collect())
    }

    fn parse(text: &str) -> Option<Self> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| symbols::resolve(name).ok()).collect::<Option<Vec<_>>>().map(Self::of)
    }

    fn show(&self) -> String {
        self.0.iter().map(Symbol::as_str).collect::<Vec<_>>().join(",")
    }
}

/// What becomes of an order that would trade with a live one of the same account. The stricter is the smaller.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Crossing {
    Deny,
    /// Crossed inside the account where both are its strategies' and wait to be sent; denied otherwise.
    Net,
    Warn,
}

impl LimitValue for Crossing {
    fn stricter(&self, other: &Self) -> Self {
        *self.min(other)
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        <&str>::from(self).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> LimitSet {
        let mut set = LimitSet::default();
        for (name, text) in pairs {
            assert_eq!(set.put(name, text), Ok(()), "{name}");
        }
        set
    }

    #[test]
    fn every_limit_is_written_as_it_is_read_and_the_journal_keeps_it() {
        let texts = Limits::default().texts();
        let mut all = LimitSet::default();
        for name in LimitSet::NAMES {
            let some = if *name == "atr_stop" { "7x2" } else { "7" };
            let text = texts.get(name).map_or(some, String::as_str);
            assert_eq!(all.put(name, text), Ok(()), "{name} {text}");
            let shown = &all.texts()[name];
            assert!(shown == text || *shown == format!("{text}.00"), "{name}: {shown} of {text}");
        }
        let mut limits = Limits::default();
        limits.replace(&all);
        assert_eq!(limits.texts(), all.texts());
        let journal = serde_json::to_string(&all).expect("JSON");
        assert_eq!(serde_json::from_str::<LimitSet>(&journal).expect("a set"), all);
        assert_eq!(all.put("order_valeu", "1"), Err(LimitFault::Unknown));
        for (name, text) in
            [("order_value", "-1"), ("open_orders_max", "many"), ("permissions", "moon"), ("crossing", "")]
        {
            assert_eq!(all.put(name, text), Err(LimitFault::Value), "{name} {text}");
        }
    }

    #[test]
    fn what_is_let_out_is_told_by_name() {
        let base = Limits::default();
        let old = set(&[("order_value", "0.10"), ("restricted", "600000.SH,000001.SZ"), ("exposure", "1")]);
        let new =
            set(&[("order_value", "0.10"), ("restricted", "600000.SH"), ("permissions", "star"), ("collar", "0.03")]);
        assert_eq!(new.loosens(&old, Some(&base)), ["collar", "restricted", "exposure"]);
        assert_eq!(new.loosens(&old, None), ["restricted", "exposure"], "without a base nothing was limited before");
        assert!(LimitSet::default().loosens(&LimitSet::default(), Some(&base)).is_empty());
    }

    #[test]
    fn an_accounts_numbers_replace_those_of_conf_and_the_global_ones_only_tighten() {
        let account = set(&[("order_value", "0.60"), ("collar", "0.01"), ("permissions", "star,st")]);
        let global = set(&[("order_value", "0.40"), ("collar", "0.05"), ("permissions", "st,bse"), ("exposure", "2")]);
        let limits = in_force(&Limits::default(), Some(&account), Some(&global));
        assert_eq!((limits.order_value, limits.collar), (Ratio::from_percent(40), Ratio::from_percent(1)));
        assert_eq!((limits.permissions.show(), limits.exposure), ("st".to_owned(), Some(Ratio::from_percent(200))));
    }
}
