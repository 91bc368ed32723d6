//! People and programs: who may come in, what he may do, and how he is sent away again.
//!
//! The tables hold the truth; a copy in memory answers every request, so that proving who asks costs no query. All
//! changes go through [`People`], one at a time, each with its record in the journal, and reach the copy as soon as they
//! are durable. One process owns the data folder, so nobody else can change the tables behind the copy.

mod directory;
mod entity;
mod keys;
pub mod password;
pub mod principal;
mod sessions;
pub mod tokens;
mod told;
mod users;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use sea_orm::{DbBackend, EntityTrait as _, Statement};
use secrecy::SecretString;
use serde::Deserialize;
use signalbox_domain::event::Event;
use signalbox_domain::ids::ClientId;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use self::keys::NewKey;
pub use self::principal::{
    AccountGrant, Action, ApiKey, Grant, Pattern, Principal, Role, Scope, StrategyGrant, User, Who,
};
pub use self::sessions::Tokens;
pub use self::told::ToldPeople;
pub use self::users::{NewUser, UserPatch};

use self::directory::Directory;
use self::entity::{api_key, session, user};
use self::password::{Cost, HashError, PasswordPool, Unacceptable};
use self::tokens::{API_KEY_PREFIX, AccessTokens, KeyError, REFRESH_PREFIX, SigningKey, TokenError};
use crate::clock::WallClock;
use crate::store::{Change, ChangeError, Expect, Store};

/// How people and programs are let in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeopleConf {
    /// May an administrator trade? For the demonstration, where one person does everything.
    pub admin_trades: bool,
    /// The data folder, where the signing key is kept.
    #[serde(skip)]
    pub folder: PathBuf,
    /// Signs access tokens instead of the key in the data folder: `SIGNALBOX_JWT_SECRET`, at least 32 bytes. Not read
    /// from files, which are copied and shared more easily than an environment.
    #[serde(skip)]
    pub jwt_secret: Option<SecretString>,
    /// What a password hash costs. Not in conf: nobody should make it cheap but a test.
    #[serde(skip)]
    pub password_cost: Cost,
}

/// Why people could not be opened at start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("users, sessions and keys cannot be read")]
    Read(#[from] sea_orm::DbErr),
    #[error("the row of {what} {name} is damaged")]
    Row { what: &'static str, name: String },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("passwords cannot be hashed")]
    Password(#[from] HashError),
}

/// Why a bearer token does not let anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the token is not one of ours")]
    Invalid,
    #[error("a refresh token is no access token")]
    WrongKind,
    #[error("the access token has expired")]
    Expired,
    #[error("the token was revoked")]
    Revoked,
}

/// Why a request about people was refused, the first that applies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeopleError {
    #[error("wrong username or password")]
    Credentials,
    #[error("the refresh token is not valid")]
    RefreshInvalid,
    #[error("the refresh token was used before: the session is revoked")]
    RefreshReused,
    #[error("{field}: {reason}")]
    Field { field: &'static str, reason: String },
    #[error(transparent)]
    Password(#[from] Unacceptable),
    #[error("there is none")]
    NotFound,
    #[error("a {0} of this name exists")]
    Exists(&'static str),
    #[error("the last administrator stays: make another one first")]
    LastAdmin,
    #[error("there are too many: remove some first")]
    Full,
    #[error("the server is busy")]
    Busy { retry_after: Duration },
    #[error("changed by somebody else meanwhile")]
    Conflict,
    #[error("nothing can be stored now")]
    Unavailable,
    #[error("no randomness, or no password hash")]
    Internal,
}

impl From<HashError> for PeopleError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy { retry_after } => Self::Busy { retry_after },
            HashError::Failed => Self::Internal,
        }
    }
}

impl From<KeyError> for PeopleError {
    fn from(_: KeyError) -> Self {
        Self::Internal
    }
}

impl From<TokenError> for PeopleError {
    fn from(_: TokenError) -> Self {
        Self::Internal
    }
}

impl From<ChangeError> for PeopleError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Conflict => Self::Conflict,
            ChangeError::Duplicate => Self::Exists("row"),
            ChangeError::Unavailable => Self::Unavailable,
        }
    }
}

/// Everything about who may come in. Shared by all requests.
#[derive(Debug)]
pub struct People {
    store: Store,
    clock: Arc<dyn WallClock>,
    tokens: AccessTokens,
    passwords: PasswordPool,
    admin_trades: bool,
    directory: RwLock<Directory>,
    /// Held from reading the copy to updating it, so that two changes never start from the same state. They are rare.
    changing: Arc<Mutex<()>>,
}

/// Whoever holds it may change people.
type Changing = OwnedMutexGuard<()>;

/// What the journal keeps about a change.
struct Record<'a> {
    who: &'a ClientId,
    action: &'a str,
    subject: &'a str,
    /// Never a secret.
    detail: serde_json::Value,
}

impl People {
    /// Reads people into memory; makes the signing key at the first start.
    ///
    /// # Errors
    /// When the tables or the key cannot be read.
    pub async fn open(store: Store, conf: PeopleConf, clock: Arc<dyn WallClock>) -> Result<Arc<Self>, OpenError> {
        let key = match conf.jwt_secret {
            Some(secret) => SigningKey::from_secret(secret)?,
            None => SigningKey::of_folder(&conf.folder)?,
        };
        let users = user::Entity::find().all(store.reads()).await?;
        let sessions = session::Entity::find().all(store.reads()).await?;
        let keys = api_key::Entity::find().all(store.reads()).await?;
        let directory = Directory::read(users, sessions, keys, clock.now())?;
        Ok(Arc::new(Self {
            tokens: AccessTokens::new(&key),
            passwords: PasswordPool::new(conf.password_cost)?,
            admin_trades: conf.admin_trades,
            directory: RwLock::new(directory),
            changing: Arc::default(),
            store,
            clock,
        }))
    }

    /// Whose token is this? Without a look at the database, without waiting.
    ///
    /// # Errors
    /// The first reason against the token.
    pub fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError> {
        if bearer.starts_with(REFRESH_PREFIX) {
            return Err(AuthError::WrongKind);
        }
        if bearer.starts_with(API_KEY_PREFIX) {
            return self.authenticate_key(bearer);
        }
        let now = self.clock.now();
        let claims = self.tokens.verify(bearer, now).map_err(|error| match error {
            TokenError::Invalid => AuthError::Invalid,
            TokenError::Expired => AuthError::Expired,
        })?;
        let directory = self.directory();
        let user = directory.user(&claims.sub).ok_or(AuthError::Revoked)?;
        let (id, session) = directory.sessions.get_key_value(claims.sid.as_str()).ok_or(AuthError::Revoked)?;
        let alive = !user.disabled
            && user.token_epoch == claims.epoch
            && session.username == user.username
            && session.expires_at > now;
        if !alive {
            return Err(AuthError::Revoked);
        }
        Ok(Principal::user(Arc::clone(user), Arc::clone(id), self.admin_trades))
    }

    fn authenticate_key(&self, bearer: &str) -> Result<Principal, AuthError> {
        // Ours have 47 characters: nothing longer is worth a hash.
        if bearer.len() > 64 {
            return Err(AuthError::Invalid);
        }
        let directory = self.directory();
        let entry = directory.key_by_hash(&tokens::sha256(bearer)).ok_or(AuthError::Invalid)?;
        let owner_stands = directory.user(entry.key.owner.as_str()).is_some_and(|owner| !owner.disabled);
        if entry.key.disabled || !owner_stands {
            return Err(AuthError::Revoked);
        }
        entry.used(self.clock.now());
        Ok(Principal::key(Arc::clone(&entry.key)))
    }

    fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        // Updates are plain insertions and removals: a panic between two leaves nothing half written.
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory_mut(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn backend(&self) -> DbBackend {
        self.store.reads().get_database_backend()
    }

    async fn changing(&self) -> Changing {
        Arc::clone(&self.changing).lock_owned().await
    }

    /// Makes the change durable, then shows it to the copy: both or neither, also when the caller's request is dropped
    /// in between, as actix does when the client hangs up. A disabled user must not live on in memory.
    async fn change(
        self: &Arc<Self>,
        changing: Changing,
        statements: Vec<(Statement, Expect)>,
        record: Record<'_>,
        apply: impl FnOnce(&mut Directory) + Send + 'static,
    ) -> Result<(), ChangeError> {
        let event = Event::Administered {
            who: record.who.as_str().into(),
            action: record.action.into(),
            subject: record.subject.into(),
            detail: record.detail.to_string().into(),
        };
        let people = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = people.store.change(people.clock.now(), Change { statements, event }).await;
            if outcome.is_ok() {
                apply(&mut people.directory_mut());
            }
            drop(changing);
            outcome
        });
        task.await.unwrap_or(Err(ChangeError::Unavailable))
    }
}
