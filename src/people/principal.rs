//! Who asks, and what he may do: roles, grants, scopes, and the one place where they are weighed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use signalbox_domain::ids::{AccountId, ClientId, StrategyId};
use utoipa::ToSchema;

/// What a person is here for. Roles say what kind of thing he may do, grants say where.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// People, keys, accounts and strategies. No trader, unless a demonstration says so.
    Admin,
    /// Trading states and limits, of everything.
    Risk,
    /// Orders, where he holds `trade`.
    Trader,
    /// Looks on, where he holds a grant.
    Viewer,
}

/// What a grant allows. `trade` and `approve` include `read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Read,
    Trade,
    Approve,
}

/// What a program may do with its key.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Scope {
    #[serde(rename = "signals:write")]
    #[strum(serialize = "signals:write")]
    SignalsWrite,
    #[serde(rename = "signals:read")]
    #[strum(serialize = "signals:read")]
    SignalsRead,
    #[serde(rename = "orders:write")]
    #[strum(serialize = "orders:write")]
    OrdersWrite,
    #[serde(rename = "orders:read")]
    #[strum(serialize = "orders:read")]
    OrdersRead,
    #[serde(rename = "accounts:read")]
    #[strum(serialize = "accounts:read")]
    AccountsRead,
    #[serde(rename = "quotes:write")]
    #[strum(serialize = "quotes:write")]
    QuotesWrite,
    #[serde(rename = "quotes:read")]
    #[strum(serialize = "quotes:read")]
    QuotesRead,
    #[serde(rename = "heartbeats:write")]
    #[strum(serialize = "heartbeats:write")]
    HeartbeatsWrite,
}

impl Scope {
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(self, Self::SignalsRead | Self::OrdersRead | Self::AccountsRead | Self::QuotesRead)
    }
}

/// One name, or all of them, those of the future included: `*` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$", example = "paper-a")]
pub struct Pattern(Option<Arc<str>>);

impl Pattern {
    #[must_use]
    pub const fn all() -> Self {
        Self(None)
    }

    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.0.as_deref().is_none_or(|own| own == name)
    }
}

impl TryFrom<String> for Pattern {
    type Error = signalbox_domain::ids::NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "*" {
            return Ok(Self(None));
        }
        // Accounts and strategies have the same kind of name.
        AccountId::parse(&text).map(|name| Self(Some(name.as_str().into())))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_deref().unwrap_or("*").to_owned()
    }
}

impl From<&AccountId> for Pattern {
    fn from(account: &AccountId) -> Self {
        Self(Some(account.as_str().into()))
    }
}

impl From<&StrategyId> for Pattern {
    fn from(strategy: &StrategyId) -> Self {
        Self(Some(strategy.as_str().into()))
    }
}

/// What a person may do in an account or with a strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a grant is {\"account\", \"actions\"} or {\"strategy\", \"actions\"}")]
pub enum Grant {
    Account(AccountGrant),
    Strategy(StrategyGrant),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountGrant {
    /// The name of an account, or `*` for all.
    pub account: Pattern,
    #[schema(min_items = 1, max_items = 3)]
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyGrant {
    /// The name of a strategy, or `*` for all.
    pub strategy: Pattern,
    #[schema(min_items = 1, max_items = 3)]
    pub actions: Vec<Action>,
}

impl Grant {
    #[must_use]
    pub fn account(account: Pattern, actions: &[Action]) -> Self {
        Self::Account(AccountGrant { account, actions: actions.to_vec() })
    }

    #[must_use]
    pub fn strategy(strategy: Pattern, actions: &[Action]) -> Self {
        Self::Strategy(StrategyGrant { strategy, actions: actions.to_vec() })
    }

    #[must_use]
    pub fn actions(&self) -> &[Action] {
        match self {
            Self::Account(grant) => &grant.actions,
            Self::Strategy(grant) => &grant.actions,
        }
    }
}

/// A person, as the cache holds him. The password hash is kept apart, so that nothing that prints a user can print it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub username: ClientId,
    pub roles: Vec<Role>,
    pub grants: Vec<Grant>,
    pub disabled: bool,
    /// Raised by every change after which old access tokens must not work.
    pub token_epoch: i64,
    pub created_at_us: i64,
    pub updated_at_us: i64,
}

/// A program's key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ClientId,
    pub name: String,
    /// The user who answers for it. Disabling him stops the key.
    pub owner: ClientId,
    pub scopes: Vec<Scope>,
    /// What a person's grants are: an account here, or a strategy there wherever it routes.
    pub accounts: Vec<Pattern>,
    pub strategies: Vec<Pattern>,
    pub disabled: bool,
    pub created_at_us: i64,
}

/// Who asks: a person or a program, proved by a token.
#[derive(Debug, Clone)]
pub struct Principal {
    who: Who,
    /// May an administrator trade? The demonstration has one person who does everything.
    admin_trades: bool,
}

#[derive(Debug, Clone)]
pub enum Who {
    User { user: Arc<User>, session: Arc<str> },
    Key(Arc<ApiKey>),
}

impl Principal {
    #[must_use]
    pub fn user(user: Arc<User>, session: Arc<str>, admin_trades: bool) -> Self {
        Self { who: Who::User { user, session }, admin_trades }
    }

    #[must_use]
    pub const fn key(key: Arc<ApiKey>) -> Self {
        Self { who: Who::Key(key), admin_trades: false }
    }

    #[must_use]
    pub const fn who(&self) -> &Who {
        &self.who
    }

    /// The user's name or the key's id: the two never look alike, since names that begin with `key-` are refused.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        match &self.who {
            Who::User { user, .. } => &user.username,
            Who::Key(key) => &key.id,
        }
    }

    #[must_use]
    pub const fn is_person(&self) -> bool {
        matches!(self.who, Who::User { .. })
    }

    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.has_role(Role::Admin)
    }

    #[must_use]
    pub fn is_risk(&self) -> bool {
        self.has_role(Role::Risk)
    }

    /// May this principal do this kind of thing at all? Where is another question.
    #[must_use]
    pub fn has_scope(&self, scope: Scope) -> bool {
        match &self.who {
            Who::Key(key) => key.scopes.contains(&scope),
            Who::User { .. } if scope.is_read() => true,
            Who::User { .. } => match scope {
                Scope::SignalsWrite | Scope::OrdersWrite | Scope::HeartbeatsWrite => self.is_trader(),
                // Prices move money: they come from programs, and from the person of the demonstration.
                _ => self.is_trading_admin(),
            },
        }
    }

    /// May he see the account: its cash, positions and orders?
    #[must_use]
    pub fn may_read(&self, account: &AccountId) -> bool {
        match &self.who {
            Who::User { .. } if self.sees_all() => true,
            Who::User { user, .. } => granted_account(user, account, None),
            Who::Key(key) => covers(&key.accounts, account.as_str()),
        }
    }

    /// May he send, change and cancel orders of the account?
    #[must_use]
    pub fn may_trade(&self, account: &AccountId) -> bool {
        match &self.who {
            Who::User { .. } if self.is_trading_admin() => true,
            Who::User { user, .. } => self.is_trader() && granted_account(user, account, Some(Action::Trade)),
            Who::Key(key) => key.scopes.contains(&Scope::OrdersWrite) && covers(&key.accounts, account.as_str()),
        }
    }

    /// May he let an order go that waits for a second person?
    #[must_use]
    pub fn may_approve(&self, account: &AccountId) -> bool {
        match &self.who {
            Who::User { user, .. } => {
                (self.is_trader() || self.is_risk()) && granted_account(user, account, Some(Action::Approve))
            }
            Who::Key(_) => false,
        }
    }

    /// May he see the strategy and its signals? So may everybody who may read all accounts that it routes to.
    #[must_use]
    pub fn may_read_strategy<'a>(
        &self,
        strategy: &StrategyId,
        accounts: impl IntoIterator<Item = &'a AccountId>,
    ) -> bool {
        match &self.who {
            Who::User { .. } if self.sees_all() => true,
            Who::User { user, .. } => {
                granted_strategy(user, strategy, None) || all_of(accounts, |account| self.may_read(account))
            }
            Who::Key(key) => {
                covers(&key.strategies, strategy.as_str()) || all_of(accounts, |account| self.may_read(account))
            }
        }
    }

    /// May he signal for a strategy that routes to these accounts? With a grant for the strategy, or `trade` on every
    /// one of them; a strategy without routes needs the grant.
    #[must_use]
    pub fn may_signal_for<'a>(&self, strategy: &StrategyId, accounts: impl IntoIterator<Item = &'a AccountId>) -> bool {
        match &self.who {
            Who::User { .. } if self.is_trading_admin() => true,
            Who::User { user, .. } => {
                self.is_trader()
                    && (granted_strategy(user, strategy, Some(Action::Trade))
                        || all_of(accounts, |account| self.may_trade(account)))
            }
            Who::Key(key) => {
                let touches = |account: &AccountId| covers(&key.accounts, account.as_str());
                key.scopes.contains(&Scope::SignalsWrite)
                    && (covers(&key.strategies, strategy.as_str()) || all_of(accounts, touches))
            }
        }
    }

    fn has_role(&self, role: Role) -> bool {
        match &self.who {
            Who::User { user, .. } => user.roles.contains(&role),
            Who::Key(_) => false,
        }
    }

    fn is_trader(&self) -> bool {
        self.has_role(Role::Trader) || self.is_trading_admin()
    }

    fn is_trading_admin(&self) -> bool {
        self.admin_trades && self.is_admin()
    }

    /// Administrators set accounts up and risk watches over all of them: neither can do that blind.
    fn sees_all(&self) -> bool {
        self.is_admin() || self.is_risk()
    }
}

fn granted_account(user: &User, account: &AccountId, action: Option<Action>) -> bool {
    user.grants.iter().any(|grant| match grant {
        Grant::Account(grant) => grant.account.covers(account.as_str()) && allows(&grant.actions, action),
        Grant::Strategy(_) => false,
    })
}

fn granted_strategy(user: &User, strategy: &StrategyId, action: Option<Action>) -> bool {
    user.grants.iter().any(|grant| match grant {
        Grant::Strategy(grant) => grant.strategy.covers(strategy.as_str()) && allows(&grant.actions, action),
        Grant::Account(_) => false,
    })
}

/// Whoever may do anything may read; the rest is asked for by name.
fn allows(actions: &[Action], wanted: Option<Action>) -> bool {
    wanted.map_or(!actions.is_empty(), |wanted| actions.contains(&wanted))
}

fn covers(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.covers(name))
}

/// True for all of at least one: nobody gets a right out of an empty list.
fn all_of<'a>(accounts: impl IntoIterator<Item = &'a AccountId>, holds: impl Fn(&AccountId) -> bool) -> bool {
    let mut accounts = accounts.into_iter().peekable();
    accounts.peek().is_some() && accounts.all(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountId {
        AccountId::parse(name).expect("a name")
    }

    fn person(roles: &[Role], grants: &[Grant], admin_trades: bool) -> Principal {
        let user = User {
            username: ClientId::parse("ann").expect("a name"),
            roles: roles.to_vec(),
            grants: grants.to_vec(),
            disabled: false,
            token_epoch: 0,
            created_at_us: 0,
            updated_at_us: 0,
        };
        Principal::user(user.into(), "s".into(), admin_trades)
    }

    fn program(scopes: &[Scope], accounts: &[&str], strategies: &[&str]) -> Principal {
        let patterns =
            |names: &[&str]| names.iter().map(|n| Pattern::try_from((*n).to_owned()).expect("a name")).collect();
        Principal::key(Arc::new(ApiKey {
            id: ClientId::parse("key-1").expect("a name"),
            name: "robot".to_owned(),
            owner: ClientId::parse("ann").expect("a name"),
            scopes: scopes.to_vec(),
            accounts: patterns(accounts),
            strategies: patterns(strategies),
            disabled: false,
            created_at_us: 0,
        }))
    }

    #[test]
    fn a_trader_signals_where_he_may_trade_every_account_or_holds_the_strategy() {
        let (a, b) = (account("a"), account("b"));
        let strategy = StrategyId::parse("small-cap").expect("a name");
        let on_a = Grant::account((&a).into(), &[Action::Trade]);
        let on_strategy = Grant::strategy((&strategy).into(), &[Action::Trade]);

        let one = person(&[Role::Trader], std::slice::from_ref(&on_a), false);
        assert!(one.may_signal_for(&strategy, [&a]));
        assert!(!one.may_signal_for(&strategy, [&a, &b]), "he holds one of the two");
        assert!(!one.may_signal_for(&strategy, []), "nothing is not everything");

        let holder = person(&[Role::Trader], std::slice::from_ref(&on_strategy), false);
        assert!(holder.may_signal_for(&strategy, [&a, &b]));
        assert!(holder.may_signal_for(&strategy, []));
        assert!(!holder.may_trade(&a), "the strategy's grant is no grant for the account");

        let viewer = person(&[Role::Viewer], &[on_a, on_strategy], false);
        assert!(!viewer.may_signal_for(&strategy, [&a]), "a grant without the role is not enough");
        assert!(viewer.may_read(&a));
    }

    #[test]
    fn an_admin_sees_all_and_trades_only_in_the_demonstration() {
        let a = account("a");
        let admin = person(&[Role::Admin], &[Grant::account(Pattern::all(), &[Action::Trade])], false);
        assert!(admin.may_read(&a) && !admin.may_trade(&a) && !admin.has_scope(Scope::OrdersWrite));
        let demo = person(&[Role::Admin], &[], true);
        assert!(demo.may_trade(&a) && demo.has_scope(Scope::QuotesWrite));
        let risk = person(&[Role::Risk], &[], true);
        assert!(risk.may_read(&a) && !risk.may_trade(&a) && risk.is_risk() && !risk.is_admin());
    }

    #[test]
    fn a_key_does_what_its_scopes_say_where_its_lists_say() {
        let (a, b) = (account("a"), account("b"));
        let strategy = StrategyId::parse("s1").expect("a name");
        let other = StrategyId::parse("s2").expect("a name");
        let key = program(&[Scope::SignalsWrite], &[], &["s1"]);
        assert!(key.may_signal_for(&strategy, [&a, &b]) && !key.may_signal_for(&other, [&a]));
        assert!(!key.may_trade(&a) && !key.may_read(&a) && !key.is_admin());
        let by_account = program(&[Scope::SignalsWrite], &["a"], &[]);
        assert!(by_account.may_signal_for(&strategy, [&a]) && by_account.may_read_strategy(&strategy, [&a]));
        assert!(!by_account.may_signal_for(&strategy, [&a, &b]), "one of its accounts is not the key's");
        assert!(!by_account.may_read_strategy(&strategy, [&a, &b]) && !by_account.may_signal_for(&strategy, []));
        let manual = program(&[Scope::OrdersWrite, Scope::AccountsRead], &["a"], &[]);
        assert!(manual.may_trade(&a) && !manual.may_trade(&b) && manual.has_scope(Scope::AccountsRead));
        let everywhere = program(&[Scope::OrdersWrite], &["*"], &["*"]);
        assert!(everywhere.may_trade(&b) && !everywhere.may_signal_for(&strategy, [&a]));
    }

    #[test]
    fn a_grant_names_one_thing_and_nothing_unknown() {
        for text in [
            r#"{"account":"a","strategy":"b","actions":["read"]}"#,
            r#"{"actions":["read"]}"#,
            r#"{"account":"a b","actions":["read"]}"#,
            r#"{"account":"a","actions":["own"]}"#,
        ] {
            assert!(serde_json::from_str::<Grant>(text).is_err(), "{text}");
        }
        let text = r#"{"strategy":"*","actions":["trade"]}"#;
        let grant: Grant = serde_json::from_str(text).expect("a grant");
        assert_eq!(serde_json::to_string(&grant).expect("json"), text);
    }
}
