//! The copy of people, sessions and keys in memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::de::DeserializeOwned;
use signalbox_domain::ids::ClientId;
use signalbox_domain::units::Timestamp;

use super::entity::{api_key, session, user};
use super::principal::{ApiKey, User};
use super::{OpenError, Role};

#[derive(Debug, Default)]
pub(super) struct Directory {
    users: BTreeMap<String, UserEntry>,
    keys: BTreeMap<String, KeyEntry>,
    key_ids: HashMap<String, String>,
    /// Those that are neither revoked nor expired when read; by id.
    pub(super) sessions: HashMap<Arc<str>, Session>,
}

pub(super) struct UserEntry {
    pub(super) user: Arc<User>,
    pub(super) password_hash: Arc<str>,
}

/// Without the hash: what prints a directory must not print it.
impl fmt::Debug for UserEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user.fmt(f)
    }
}

pub(super) struct KeyEntry {
    pub(super) key: Arc<ApiKey>,
    hash: String,
    /// 0 = never. In memory until [`super::People::save_usage`]: a write for each request would cost more than it tells.
    last_used_us: AtomicI64,
    saved_us: AtomicI64,
}

impl fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl KeyEntry {
    pub(super) fn used(&self, at: Timestamp) {
        self.last_used_us.store(at.us(), Ordering::Relaxed);
    }

    pub(super) fn last_used_us(&self) -> Option<i64> {
        Some(self.last_used_us.load(Ordering::Relaxed)).filter(|us| *us != 0)
    }

    pub(super) fn unsaved_us(&self) -> Option<i64> {
        self.last_used_us().filter(|us| *us != self.saved_us.load(Ordering::Relaxed))
    }

    pub(super) fn saved(&self, us: i64) {
        self.saved_us.store(us, Ordering::Relaxed);
    }
}

/// One family of refresh tokens.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) username: ClientId,
    pub(super) current_hash: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session of {}", self.username)
    }
}

impl Directory {
    pub(super) fn read(
        users: Vec<user::Model>,
        sessions: Vec<session::Model>,
        keys: Vec<api_key::Model>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let mut directory = Self::default();
        for row in users {
            let name = &row.username;
            let user = User {
                username: name_of("user", name, name)?,
                roles: list("user", name, &row.roles)?,
                grants: list("user", name, &row.grants)?,
                disabled: row.disabled,
                token_epoch: row.token_epoch,
                created_at_us: row.created_at_us,
                updated_at_us: row.updated_at_us,
            };
            directory.put_user(user.into(), row.password_hash.into());
        }
        for row in sessions.into_iter().filter(|row| !row.revoked && row.expires_at_us > now.us()) {
            let session = Session {
                username: name_of("session", &row.id, &row.username)?,
                current_hash: row.current_hash,
                created_at: Timestamp::from_us(row.created_at_us),
                expires_at: Timestamp::from_us(row.expires_at_us),
            };
            directory.sessions.insert(row.id.into(), session);
        }
        for row in keys {
            let id = &row.id;
            let key = ApiKey {
                id: name_of("key", id, id)?,
                owner: name_of("key", id, &row.owner)?,
                scopes: list("key", id, &row.scopes)?,
                accounts: list("key", id, &row.accounts)?,
                strategies: list("key", id, &row.strategies)?,
                disabled: row.disabled,
                created_at_us: row.created_at_us,
                name: row.name,
            };
            directory.put_key(key, row.key_hash, row.last_used_at_us.unwrap_or_default());
        }
        Ok(directory)
    }

    pub(super) fn user(&self, username: &str) -> Option<&Arc<User>> {
        self.users.get(username).map(|entry| &entry.user)
    }

    pub(super) fn entry(&self, username: &str) -> Option<&UserEntry> {
        self.users.get(username)
    }

    pub(super) fn users(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.users.values().map(|entry| &entry.user)
    }

    pub(super) fn put_user(&mut self, user: Arc<User>, password_hash: Arc<str>) {
        self.users.insert(user.username.as_str().to_owned(), UserEntry { user, password_hash });
    }

    /// With everything that was his.
    pub(super) fn remove_user(&mut self, username: &str) {
        self.users.remove(username);
        self.remove_sessions_of(username);
        let owned: Vec<String> =
            self.keys.values().filter(|e| e.key.owner.as_str() == username).map(|e| e.key.id.to_string()).collect();
        for id in owned {
            self.remove_key(&id);
        }
    }

    pub(super) fn remove_sessions_of(&mut self, username: &str) {
        self.sessions.retain(|_, session| session.username.as_str() != username);
    }

    pub(super) fn key(&self, id: &str) -> Option<&KeyEntry> {
        self.keys.get(id)
    }

    pub(super) fn key_by_hash(&self, hash: &str) -> Option<&KeyEntry> {
        self.key_ids.get(hash).and_then(|id| self.keys.get(id))
    }

    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &KeyEntry> {
        self.keys.values()
    }

    pub(super) fn put_key(&mut self, key: ApiKey, hash: String, last_used_us: i64) {
        let id = key.id.to_string();
        self.key_ids.insert(hash.clone(), id.clone());
        let entry = KeyEntry {
            key: Arc::new(key),
            hash,
            last_used_us: AtomicI64::new(last_used_us),
            saved_us: AtomicI64::new(last_used_us),
        };
        self.keys.insert(id, entry);
    }

    pub(super) fn remove_key(&mut self, id: &str) {
        if let Some(entry) = self.keys.remove(id) {
            self.key_ids.remove(&entry.hash);
        }
    }

    /// Would nobody be left to administer without this one?
    pub(super) fn is_last_admin(&self, username: &str) -> bool {
        let mut admins = self.users().filter(|user| !user.disabled && user.roles.contains(&Role::Admin));
        admins.next().is_some_and(|first| first.username.as_str() == username) && admins.next().is_none()
    }
}

fn name_of(what: &'static str, row: &str, text: &str) -> Result<ClientId, OpenError> {
    ClientId::parse(text).map_err(|_| OpenError::Row { what, name: row.to_owned() })
}

fn list<T: DeserializeOwned>(what: &'static str, row: &str, text: &str) -> Result<Vec<T>, OpenError> {
    serde_json::from_str(text).map_err(|_| OpenError::Row { what, name: row.to_owned() })
}
