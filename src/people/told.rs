//! Users, keys and sessions as the journal tells of them, held against their rows.
//!
//! The journal says who was made, what he may do, whether he is let in, and which sessions ended. It never holds a
//! secret, so what proves somebody (the hashes of passwords, keys and refresh tokens) is in the rows alone, as are their
//! times and the devices of sessions. A session has the first characters of its id in the journal; two of one user that
//! share them are not told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use sea_orm::{DbErr, EntityTrait as _};
use serde::Deserialize;
use signalbox_domain::event::Event;
use signalbox_domain::replay::Difference;

use super::entity::{api_key, session, user};
use super::principal::{Grant, Pattern, Role, Scope};
use super::sessions::short;
use crate::store::Store;

/// See the module.
#[derive(Debug, Default)]
pub struct ToldPeople {
    users: BTreeMap<String, ToldUser>,
    keys: BTreeMap<String, ToldKey>,
    /// By user and the start of the session's id, as long as they are open.
    sessions: BTreeSet<(String, String)>,
    ended: BTreeSet<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ToldUser {
    roles: Vec<Role>,
    grants: Vec<Grant>,
    disabled: bool,
    token_epoch: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct ToldKey {
    name: String,
    owner: String,
    scopes: Vec<Scope>,
    accounts: Vec<Pattern>,
    strategies: Vec<Pattern>,
    /// No key is ever disabled: it is deleted.
    #[serde(default)]
    disabled: bool,
}

/// What a change says of a user or a session.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    roles: Option<Vec<Role>>,
    grants: Option<Vec<Grant>>,
    disabled: Option<bool>,
    password: Option<String>,
    session: Option<String>,
}

impl ToldPeople {
    /// Takes the next event of the journal. What cannot be read was not told.
    pub fn apply(&mut self, event: &Event) {
        let Event::Administered { who: _, action, subject, detail } = event else { return };
        let name = subject.to_string();
        if &**action == "api_key.created" {
            if let Ok(key) = serde_json::from_str(detail) {
                self.keys.insert(name, key);
            }
            return;
        }
        let Ok(said) = serde_json::from_str::<Detail>(detail) else { return };
        match &**action {
            "user.created" => {
                let (roles, grants) = (said.roles.unwrap_or_default(), said.grants.unwrap_or_default());
                self.users.insert(name, ToldUser { roles, grants, disabled: false, token_epoch: 0 });
            }
            "user.changed" => self.change(&name, said),
            "user.deleted" => {
                self.users.remove(&name);
                self.keys.retain(|_, key| key.owner != name);
                self.sessions.retain(|(of, _)| *of != name);
                self.ended.retain(|(of, _)| *of != name);
            }
            "api_key.deleted" => drop(self.keys.remove(&name)),
            "session.opened" => {
                let key = (name, said.session.unwrap_or_default());
                self.ended.remove(&key);
                self.sessions.insert(key);
            }
            "session.closed" | "session.reuse_detected" => {
                let key = (name, said.session.unwrap_or_default());
                self.sessions.remove(&key);
                self.ended.insert(key);
            }
            _ => {}
        }
    }

    fn change(&mut self, name: &str, said: Detail) {
        let Some(user) = self.users.get_mut(name) else { return };
        let logs_out = said.password.is_some() || said.disabled == Some(true);
        if logs_out || said.roles.is_some() {
            user.token_epoch += 1;
        }
        user.roles = said.roles.unwrap_or_else(|| user.roles.clone());
        user.grants = said.grants.unwrap_or_else(|| user.grants.clone());
        user.disabled = said.disabled.unwrap_or(user.disabled);
        if logs_out {
            let (his, others) = std::mem::take(&mut self.sessions).into_iter().partition(|(of, _)| of == name);
            self.sessions = others;
            let his: BTreeSet<_> = his;
            self.ended.extend(his);
        }
    }

    /// Where rows say something else. A session that is gone or ended lets nobody in, so only more is a difference.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn differences(&self, store: &Store) -> Result<Vec<Difference>, DbErr> {
        let mut found = Vec::new();
        let mut missing: BTreeSet<&String> = self.users.keys().collect();
        for row in user::Entity::find().all(store.reads()).await? {
            missing.remove(&row.username);
            let Some(told) = self.users.get(&row.username) else {
                found.push(difference(format!("user {}", row.username), &"nothing", &"a row"));
                continue;
            };
            let mut differs = |column: &str, journal: &dyn Debug, rows: &dyn Debug, same: bool| {
                if !same {
                    found.push(difference(format!("{column} of user {}", row.username), journal, rows));
                }
            };
            differs("roles", &told.roles, &row.roles, reads_as(&row.roles, &told.roles));
            differs("grants", &told.grants, &row.grants, reads_as(&row.grants, &told.grants));
            differs("disabled", &told.disabled, &row.disabled, row.disabled == told.disabled);
            differs("token_epoch", &told.token_epoch, &row.token_epoch, row.token_epoch == told.token_epoch);
        }
        found.extend(missing.into_iter().map(|name| difference(format!("user {name}"), &"made", &"nothing")));
        self.keys_differ(api_key::Entity::find().all(store.reads()).await?, &mut found);
        for row in session::Entity::find().all(store.reads()).await? {
            let key = (row.username.clone(), short(&row.id).to_owned());
            let same = self.sessions.contains(&key) || (row.revoked && self.ended.contains(&key));
            if !same {
                let told = if self.ended.contains(&key) { "ended" } else { "nothing" };
                let stored = if row.revoked { "ended" } else { "open" };
                found.push(difference(format!("session {} of {}", key.1, key.0), &told, &stored));
            }
        }
        Ok(found)
    }

    fn keys_differ(&self, rows: Vec<api_key::Model>, found: &mut Vec<Difference>) {
        let mut missing: BTreeSet<&String> = self.keys.keys().collect();
        for row in rows {
            missing.remove(&row.id);
            let Some(told) = self.keys.get(&row.id) else {
                found.push(difference(format!("key {}", row.id), &"nothing", &"a row"));
                continue;
            };
            let mut differs = |column: &str, journal: &dyn Debug, rows: &dyn Debug, same: bool| {
                if !same {
                    found.push(difference(format!("{column} of key {}", row.id), journal, rows));
                }
            };
            differs("name", &told.name, &row.name, row.name == told.name);
            differs("owner", &told.owner, &row.owner, row.owner == told.owner);
            differs("scopes", &told.scopes, &row.scopes, reads_as(&row.scopes, &told.scopes));
            differs("accounts", &told.accounts, &row.accounts, reads_as(&row.accounts, &told.accounts));
            differs("strategies", &told.strategies, &row.strategies, reads_as(&row.strategies, &told.strategies));
            differs("disabled", &told.disabled, &row.disabled, row.disabled == told.disabled);
        }
        found.extend(missing.into_iter().map(|id| difference(format!("key {id}"), &"made", &"nothing")));
    }
}

fn reads_as<T: for<'de> Deserialize<'de> + PartialEq>(text: &str, told: &[T]) -> bool {
    serde_json::from_str::<Vec<T>>(text).is_ok_and(|read| read == told)
}

fn difference(what: String, journal: &dyn Debug, rows: &dyn Debug) -> Difference {
    Difference { what, journal: format!("{journal:?}"), rows: format!("{rows:?}") }
}
