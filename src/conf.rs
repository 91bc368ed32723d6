//! Settings: read once, every field checked, every fault told with the name of the field.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;
use signalbox_domain::account::AccountConf;
use signalbox_domain::capital::{CapitalBase, CapitalBaseError};
use signalbox_domain::ids::{AccountId, GroupId, StrategyId};
use signalbox_domain::instrument::Currency;
use signalbox_domain::ledger::OpeningHolding;
use signalbox_domain::manner::{NoShortOfCash, RouteMode, ShortOfCash};
use signalbox_domain::market::ContractTerms;
use signalbox_domain::paper::VenueConf;
use signalbox_domain::risk::Limits;
use signalbox_domain::standing::{AccountMode, Step};
use signalbox_domain::strategy::{Allocation, Groups, Route, RouteTo, StrategyConf, reached_twice};
use signalbox_domain::symbols;
use signalbox_domain::units::{Money, Price, Qty, Ratio, TradeDate};

mod broker;
mod doubt;
mod futures;
mod opened;
mod risk;

pub use broker::BrokerSettings;
use broker::RawBroker;
use doubt::RawDoubt;
use futures::RawFutures;
pub use opened::BrokerSection;
use opened::RawSection;
use risk::RawRisk;

use crate::http::limits::LimitsConf;
use crate::people::PeopleConf;

const DEFAULT: &str = include_str!("../conf/default.toml");
const DEMO: &str = include_str!("../conf/demo.toml");

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfError {
    #[error("the settings cannot be read: {0}")]
    Read(#[from] config::ConfigError),
    #[error("{field}: {fault}")]
    Field { field: String, fault: String },
}

fn field(field: impl Into<String>, fault: impl Into<String>) -> ConfError {
    ConfError::Field { field: field.into(), fault: fault.into() }
}

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    pub behind_proxy: bool,
    pub workers: usize,
    pub data_dir: PathBuf,
    pub database: String,
    pub disk_floor_bytes: u64,
    pub ballast_bytes: u64,
    /// Older lines of the journal go to files; 0: never.
    pub journal_keep_days: u32,
    pub people: PeopleConf,
    pub limits: LimitsConf,
    pub paper: VenueConf,
    pub futures: ContractTerms,
    pub accounts: Vec<AccountSettings>,
    /// How brokers are reached, for accounts that are opened while the program runs.
    pub brokers: BTreeMap<String, BrokerSection>,
    pub groups: Arc<Groups>,
    pub strategies: Vec<Arc<StrategyConf>>,
}

/// One account, checked.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    pub conf: AccountConf,
    pub broker: BrokerSettings,
    pub limits: Arc<Limits>,
    pub cash: Money,
    pub currency: Currency,
    pub holdings: Arc<[OpeningHolding]>,
    pub mode: AccountMode,
    pub step: Step,
}

impl Settings {
    /// Defaults, then the file, then `SIGNALBOX__SECTION__KEY` in the environment.
    ///
    /// # Errors
    /// The first fault, with the name of its field.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfError> {
        let mut layers = Config::builder().add_source(File::from_str(DEFAULT, FileFormat::Toml));
        if let Some(file) = file {
            layers = layers.add_source(File::from(file).format(FileFormat::Toml));
        }
        Self::finish(layers)
    }

    /// The demonstration's settings.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn demo() -> Result<Self, ConfError> {
        let layers = Config::builder()
            .add_source(File::from_str(DEFAULT, FileFormat::Toml))
            .add_source(File::from_str(DEMO, FileFormat::Toml));
        Self::finish(layers)
    }

    fn finish(layers: config::ConfigBuilder<config::builder::DefaultState>) -> Result<Self, ConfError> {
        let environment =
            Environment::with_prefix("SIGNALBOX").prefix_separator("__").separator("__").try_parsing(true);
        let raw: Raw = layers.add_source(environment).build()?.try_deserialize()?;
        raw.check()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    server: RawServer,
    store: RawStore,
    people: PeopleConf,
    paper: RawPaper,
    futures: RawFutures,
    limits: LimitsConf,
    #[serde(default)]
    brokers: BTreeMap<String, RawSection>,
    #[serde(default)]
    accounts: Vec<RawAccount>,
    #[serde(default)]
    groups: Vec<RawGroup>,
    #[serde(default)]
    strategies: Vec<RawStrategy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    listen: String,
    behind_proxy: bool,
    workers: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    data_dir: PathBuf,
    url: String,
    disk_floor_mib: u64,
    ballast_mib: u64,
    journal_keep_days: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPaper {
    participation: String,
    queue: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    id: String,
    #[serde(default)]
    broker: RawBroker,
    cash: String,
    /// Of cash and everything that is traded in it.
    currency: Option<String>,
    /// paper, sim, shadow or live. Left away: paper where it is, and else live.
    mode: Option<String>,
    /// How far it is let in: read_only, canary, one_lot, share:0.1 or all.
    step: Option<String>,
    #[serde(default)]
    holdings: Vec<RawHolding>,
    #[serde(default)]
    risk: RawRisk,
    #[serde(default)]
    doubt: RawDoubt,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHolding {
    symbol: String,
    strategy: String,
    quantity: i64,
    cost: String,
    /// The trading day on which it was bought, such as 2026-11-20.
    entry_date: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    id: String,
    accounts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStrategy {
    id: String,
    #[serde(default = "external")]
    kind: String,
    #[serde(default)]
    routes: Vec<RawRoute>,
}

fn external() -> String {
    "external".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    account: Option<String>,
    group: Option<String>,
    #[serde(default = "one")]
    follow_ratio: String,
    #[serde(default = "fixed_ratio")]
    allocation: String,
    #[serde(default = "none")]
    capital_base: String,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default = "auto")]
    mode: String,
    #[serde(default = "wait")]
    short_of_cash: String,
}

fn one() -> String {
    "1".to_owned()
}

fn auto() -> String {
    "auto".to_owned()
}

fn wait() -> String {
    ShortOfCash::default().to_string()
}

fn none() -> String {
    "none".to_owned()
}

fn fixed_ratio() -> String {
    "fixed_ratio".to_owned()
}

/// A terabyte: whoever wants to keep more free meant another unit.
const DISK_MAX_MIB: u64 = 1 << 20;

/// A month: what people still ask about, and brokers still correct. And a century.
const KEEP_DAYS_MIN: u32 = 30;
const KEEP_DAYS_MAX: u32 = 36_500;

impl Raw {
    fn check(self) -> Result<Settings, ConfError> {
        let listen: SocketAddr =
            self.server.listen.parse().map_err(|_| field("server.listen", "not an address such as 127.0.0.1:8420"))?;
        if !listen.ip().is_loopback() && !self.server.behind_proxy {
            return Err(field(
                "server.listen",
                "another address than the loopback needs server.behind_proxy = true and a proxy that speaks TLS",
            ));
        }
        if !(1..=64).contains(&self.server.workers) {
            return Err(field("server.workers", "has to be from 1 to 64"));
        }
        if !self.store.url.starts_with("sqlite:") && !self.store.url.starts_with("postgres") {
            return Err(field("store.url", "begins with neither sqlite: nor postgres://"));
        }
        for (name, mib) in
            [("store.disk_floor_mib", self.store.disk_floor_mib), ("store.ballast_mib", self.store.ballast_mib)]
        {
            if mib > DISK_MAX_MIB {
                return Err(field(name, format!("has to be at most {DISK_MAX_MIB}")));
            }
        }
        let days = self.store.journal_keep_days;
        if days != 0 && !(KEEP_DAYS_MIN..=KEEP_DAYS_MAX).contains(&days) {
            return Err(field("store.journal_keep_days", "has to be 0 (for ever) or from 30 to 36500"));
        }
        let participation = ratio("paper.participation", &self.paper.participation)?;
        if !(Ratio::ZERO..=Ratio::ONE).contains(&participation) {
            return Err(field("paper.participation", "has to be from 0 to 1"));
        }
        let accounts: Vec<AccountSettings> =
            self.accounts.into_iter().enumerate().map(|(i, a)| a.check(i)).collect::<Result<_, _>>()?;
        let known: BTreeSet<&AccountId> = accounts.iter().map(|a| &a.conf.id).collect();
        if known.len() != accounts.len() {
            return Err(field("accounts", "two accounts have the same id"));
        }
        let groups = groups(self.groups, &known)?;
        let strategies: Vec<Arc<StrategyConf>> = self
            .strategies
            .into_iter()
            .enumerate()
            .map(|(i, s)| s.check(i, &known, &groups).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let ids: BTreeSet<&StrategyId> = strategies.iter().map(|s| &s.id).collect();
        if ids.len() != strategies.len() {
            return Err(field("strategies", "two strategies have the same id"));
        }
        Ok(Settings {
            listen,
            behind_proxy: self.server.behind_proxy,
            workers: self.server.workers,
            people: PeopleConf { folder: self.store.data_dir.clone(), ..self.people },
            data_dir: self.store.data_dir,
            database: self.store.url,
            disk_floor_bytes: self.store.disk_floor_mib << 20,
            ballast_bytes: self.store.ballast_mib << 20,
            journal_keep_days: self.store.journal_keep_days,
            limits: LimitsConf { behind_proxy: self.server.behind_proxy, ..self.limits },
            paper: VenueConf { participation, queue: self.paper.queue },
            futures: self.futures.check()?,
            accounts,
            brokers: opened::check(self.brokers)?,
            groups: Arc::new(groups),
            strategies,
        })
    }
}

impl RawAccount {
    fn check(self, index: usize) -> Result<AccountSettings, ConfError> {
        let at = |name: &str| format!("accounts[{index}].{name}");
        let id = AccountId::parse(&self.id).map_err(|e| field(at("id"), e.to_string()))?;
        let broker = self.broker.check(&at("broker"), &id)?;
        let mut holdings = Vec::new();
        for (n, holding) in self.holdings.into_iter().enumerate() {
            let at = |name: &str| format!("accounts[{index}].holdings[{n}].{name}");
            if holding.quantity <= 0 || holding.quantity > Qty::MAX.get() {
                return Err(field(at("quantity"), "has to be positive"));
            }
            holdings.push(OpeningHolding {
                symbol: symbols::resolve(&holding.symbol).map_err(|e| field(at("symbol"), e.to_string()))?,
                strategy: StrategyId::parse(&holding.strategy).map_err(|e| field(at("strategy"), e.to_string()))?,
                qty: Qty::new(holding.quantity),
                cost: Price::parse(&holding.cost).map_err(|e| field(at("cost"), e.to_string()))?,
                on: holding
                    .entry_date
                    .map(|day| {
                        TradeDate::parse(&day).ok_or_else(|| field(at("entry_date"), "is no day such as 2026-11-20"))
                    })
                    .transpose()?,
            });
        }
        let mut limits = self.risk.check(&at("risk"))?;
        let currency = match &self.currency {
            None => Currency::Cny,
            Some(text) => text.parse().map_err(|_| field(at("currency"), "is not CNY, HKD or USD"))?,
        };
        limits.currency = currency;
        let cash = money(at("cash"), &self.cash)?;
        if cash.is_negative() {
            return Err(field(at("cash"), "is negative"));
        }
        let own = if broker.is_paper() { AccountMode::Paper } else { AccountMode::Live };
        let mode = self.mode.as_deref().map_or(Ok(own), |text| {
            let mode = text.parse().map_err(|_| field(at("mode"), "is none of paper, sim, shadow and live"))?;
            let fits = mode == AccountMode::Shadow || broker.is_paper() == (mode == AccountMode::Paper);
            if fits {
                Ok(mode)
            } else {
                Err(field(at("mode"), "a paper account is paper or shadow, and no other one is paper"))
            }
        })?;
        let step = self.step.as_deref().map_or(Ok(Step::All), |text| {
            text.parse().map_err(|e: signalbox_domain::standing::NoStep| field(at("step"), e.to_string()))
        })?;
        let conf = AccountConf {
            id,
            capabilities: broker.capabilities(),
            pacing: limits.pacing(),
            doubt: self.doubt.check(&at("doubt"))?,
        };
        let (limits, holdings) = (Arc::new(limits), holdings.into());
        Ok(AccountSettings { conf, broker, limits, cash, currency, holdings, mode, step })
    }
}

fn groups(raw: Vec<RawGroup>, known: &BTreeSet<&AccountId>) -> Result<Groups, ConfError> {
    let mut groups = HashMap::new();
    for (index, group) in raw.into_iter().enumerate() {
        let at = |name: &str| format!("groups[{index}].{name}");
        let id = GroupId::parse(&group.id).map_err(|e| field(at("id"), e.to_string()))?;
        let accounts = group.accounts.iter().map(|name| {
            let account = AccountId::parse(name).map_err(|e| field(at("accounts"), e.to_string()))?;
            if known.contains(&account) {
                Ok(account)
            } else {
                Err(field(at("accounts"), format!("no account {name}")))
            }
        });
        let accounts = accounts.collect::<Result<Vec<_>, _>>()?;
        if groups.insert(id, accounts).is_some() {
            return Err(field(at("id"), "two groups have the same id"));
        }
    }
    Ok(groups)
}

impl RawStrategy {
    fn check(self, index: usize, known: &BTreeSet<&AccountId>, groups: &Groups) -> Result<StrategyConf, ConfError> {
        let at = |name: &str| format!("strategies[{index}].{name}");
        let id = StrategyId::parse(&self.id).map_err(|e| field(at("id"), e.to_string()))?;
        if id.is_manual() || id.as_str() == StrategyId::EXTERNAL {
            return Err(field(at("id"), "this name is the system's own"));
        }
        if self.kind != "external" {
            return Err(field(at("kind"), format!("{:?} is no kind that is built in: use \"external\"", self.kind)));
        }
        let mut routes = Vec::new();
        for (n, route) in self.routes.into_iter().enumerate() {
            let at = |name: &str| format!("strategies[{index}].routes[{n}].{name}");
            let to = match (route.account, route.group) {
                (Some(name), None) => {
                    let account = AccountId::parse(&name).map_err(|e| field(at("account"), e.to_string()))?;
                    if !known.contains(&account) {
                        return Err(field(at("account"), format!("no account {name}")));
                    }
                    RouteTo::Account(account)
                }
                (None, Some(name)) => {
                    let group = GroupId::parse(&name).map_err(|e| field(at("group"), e.to_string()))?;
                    if !groups.contains_key(&group) {
                        return Err(field(at("group"), format!("no group {name}")));
                    }
                    RouteTo::Group(group)
                }
                _ => return Err(field(at("account"), "a route has an account or a group, and not both")),
            };
            let follow_ratio = ratio(&at("follow_ratio"), &route.follow_ratio)?;
            if !follow_ratio.is_positive() {
                return Err(field(at("follow_ratio"), "has to be positive"));
            }
            let allocation: Allocation = route.allocation.parse().map_err(|_| {
                field(at("allocation"), "is none of fixed_ratio, equal_quantity, equity and available_cash")
            })?;
            let capital_base: CapitalBase =
                route.capital_base.parse().map_err(|e: CapitalBaseError| field(at("capital_base"), e.to_string()))?;
            let mut except = Vec::new();
            for name in &route.except {
                let id = AccountId::parse(name).ok().filter(|id| to.reaches(id, groups));
                except.push(id.ok_or_else(|| field(at("except"), format!("the route does not reach {name}")))?);
            }
            let mode: RouteMode = route
                .mode
                .parse()
                .map_err(|_| field(at("mode"), "is none of auto, confirm, notify_only and shadow"))?;
            let short_of_cash: ShortOfCash =
                route.short_of_cash.parse().map_err(|e: NoShortOfCash| field(at("short_of_cash"), e.to_string()))?;
            routes.push(Route { to, follow_ratio, allocation, capital_base, except, mode, short_of_cash });
        }
        if let Some(account) = reached_twice(&routes, groups) {
            let detail = format!("{account} is reached by two routes: a target would be met twice");
            return Err(field(at("routes"), detail));
        }
        Ok(StrategyConf { id, kind: self.kind.into(), routes })
    }
}

fn ratio(name: &str, text: &str) -> Result<Ratio, ConfError> {
    Ratio::parse(text).map_err(|e| field(name, e.to_string()))
}

fn money(name: String, text: &str) -> Result<Money, ConfError> {
    Money::parse(text).map_err(|e| field(name, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, ConfError> {
        let layers = Config::builder()
            .add_source(File::from_str(DEFAULT, FileFormat::Toml))
            .add_source(File::from_str(text, FileFormat::Toml));
        Settings::finish(layers)
    }

    #[test]
    fn the_defaults_and_the_demonstration_are_valid() {
        assert!(load("").is_ok());
        let demo = Settings::demo().unwrap();
        assert_eq!(demo.accounts.len(), 3);
        assert_eq!(demo.strategies[0].id.as_str(), "external");
    }

    #[test]
    fn a_product_has_its_own_margin_and_fees_by_its_name() {
        let conf = "[futures.products.IF]\nmargin = \"0.12\"\nclose_today = { of_value = \"0.000345\" }";
        let futures = load(conf).unwrap().futures;
        let index = futures.products["IF"];
        assert_eq!((index.margin, futures.margin), (Some(Ratio::from_percent(12)), Some(Ratio::from_percent(15))));
        let fees = index.fees.unwrap();
        assert_eq!((fees.close_today.of_value, fees.open), (Ratio::from_e6(345), futures.fees.open));
    }

    #[test]
    fn a_fault_names_its_field() {
        let cases = [
            ("[server]\nlisten = \"nowhere\"", "server.listen: "),
            ("[server]\nlisten = \"0.0.0.0:80\"", "server.listen: another address"),
            ("[server]\nworkers = 0", "server.workers: "),
            ("[store]\nballast_mib = 1048577", "store.ballast_mib: "),
            ("[store]\njournal_keep_days = 29", "store.journal_keep_days: "),
            ("[store]\nurl = \"mysql://x\"", "store.url: "),
            ("[paper]\nparticipation = \"1.5\"", "paper.participation: "),
            ("[futures]\nmargin = \"1.1\"", "futures.margin: "),
            ("[futures.products.rb]\nopen = { per_lot = \"-1\" }", "futures.products.rb.open: "),
            ("[[accounts]]\nid = \"a b\"\ncash = \"1\"", "accounts[0].id: "),
            ("[[accounts]]\nid = \"a\"\ncash = \"-1\"", "accounts[0].cash: "),
            ("[[accounts]]\nid = \"a\"\ncash = \"1\"\nbroker = \"ths\"", "accounts[0].broker: "),
            ("[[accounts]]\nid = \"a\"\ncash = \"1\"\n[[accounts]]\nid = \"a\"\ncash = \"1\"", "accounts: two"),
            ("[[accounts]]\nid = \"a\"\ncash = \"1\"\nmode = \"live\"", "accounts[0].mode: a paper account"),
            ("[[accounts]]\nid = \"a\"\ncash = \"1\"\nstep = \"half\"", "accounts[0].step: "),
            ("[brokers.paper]\nlink = \"paper\"", "brokers.paper: "),
            ("[brokers.far]\nlink = { kind = \"fake\" }", "brokers.far.link.url: "),
            ("[[groups]]\nid = \"g\"\naccounts = [\"nobody\"]", "groups[0].accounts: no account nobody"),
            ("[[strategies]]\nid = \"manual\"", "strategies[0].id: "),
            ("[[strategies]]\nid = \"s\"\nroutes = [{ group = \"g\" }]", "strategies[0].routes[0].group: no group g"),
            (
                "[[accounts]]\nid = \"a\"\ncash = \"1\"\n[[strategies]]\nid = \"s\"\n\
                 routes = [{ account = \"a\", capital_base = \"equity:2\" }]",
                "strategies[0].routes[0].capital_base: ",
            ),
            (
                "[[accounts]]\nid = \"a\"\ncash = \"1\"\n[[strategies]]\nid = \"s\"\n\
                 routes = [{ account = \"a\", except = [\"b\"] }]",
                "strategies[0].routes[0].except: the route does not reach b",
            ),
        ];
        for (text, expected) in cases {
            let fault = load(text).unwrap_err().to_string();
            assert!(fault.starts_with(expected), "{text:?} gave {fault:?}");
        }
        assert!(load("[server]\nport = 1").unwrap_err().to_string().contains("unknown field"));
    }
}
