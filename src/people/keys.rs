//! Making and removing the keys of programs.

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryTrait as _};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;
use signalbox_domain::ids::ClientId;
use tracing::info;

use super::directory::Directory;
use super::entity::api_key::{Column, Entity, Model};
use super::principal::{ApiKey, Pattern, Scope};
use super::tokens::{new_api_key, new_public_id};
use super::{People, PeopleError, Record};
use crate::store::Expect;

/// They all live in memory.
const KEYS_MAX: usize = 10_000;
/// A label for people.
const NAME_MAX: usize = 100;
/// A list that a person can still read.
const PATTERNS_MAX: usize = 500;

#[derive(Debug)]
pub struct NewKey {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub accounts: Vec<Pattern>,
    pub strategies: Vec<Pattern>,
    /// `None`: whoever makes it.
    pub owner: Option<String>,
}

impl People {
    /// All keys with the time of their last use, the newest first.
    #[must_use]
    pub fn keys(&self) -> Vec<(Arc<ApiKey>, Option<i64>)> {
        let mut keys: Vec<_> =
            self.directory().keys().map(|entry| (Arc::clone(&entry.key), entry.last_used_us())).collect();
        keys.sort_by(|(a, _), (b, _)| (b.created_at_us, &b.id).cmp(&(a.created_at_us, &a.id)));
        keys
    }

    /// The new key, and its secret: the only time that it is shown.
    ///
    /// # Errors
    /// The first reason against the key.
    pub async fn create_key(
        self: &Arc<Self>,
        new: NewKey,
        by: &ClientId,
    ) -> Result<(Arc<ApiKey>, SecretString), PeopleError> {
        let refused = |field, reason: &str| Err(PeopleError::Field { field, reason: reason.to_owned() });
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
            return refused("name", "a name has 1 to 100 characters, none of them a control character");
        }
        let mut scopes = new.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return refused("scopes", "a key without scopes is good for nothing");
        }
        if new.accounts.len() > PATTERNS_MAX {
            return refused("accounts", "at most 500: `*` covers all");
        }
        if new.strategies.len() > PATTERNS_MAX {
            return refused("strategies", "at most 500: `*` covers all");
        }

        let changing = self.changing().await;
        let owner = new.owner.as_deref().unwrap_or(by.as_str());
        let Some(owner) = self.user(owner).map(|user| user.username.clone()) else {
            return refused("owner", "there is no such user");
        };
        if self.directory().keys().len() >= KEYS_MAX {
            return Err(PeopleError::Full);
        }
        let secret = new_api_key()?;
        let id = ClientId::parse(&new_public_id("key-")?).map_err(|_| PeopleError::Internal)?;
        let key = ApiKey {
            id,
            name: name.to_owned(),
            owner,
            scopes,
            accounts: new.accounts,
            strategies: new.strategies,
            disabled: false,
            created_at_us: self.clock.now().us(),
        };
        let row = Model {
            id: key.id.to_string(),
            name: key.name.clone(),
            key_hash: secret.hash.clone(),
            owner: key.owner.to_string(),
            scopes: text(&key.scopes)?,
            accounts: text(&key.accounts)?,
            strategies: text(&key.strategies)?,
            disabled: false,
            created_at_us: key.created_at_us,
            last_used_at_us: None,
        };
        let insert = Entity::insert(row.into_active_model()).build(self.backend());
        let detail = json!({
            "name": key.name, "owner": key.owner, "scopes": key.scopes,
            "accounts": key.accounts, "strategies": key.strategies,
        });
        let shared = Arc::new(key.clone());
        let record = Record { who: by, action: "api_key.created", subject: shared.id.as_str(), detail };
        let apply = move |directory: &mut Directory| directory.put_key(key, secret.hash, 0);
        self.change(changing, vec![(insert, Expect::One)], record, apply).await?;
        info!(key.id = %shared.id, by = %by, "key {} created", shared.id);
        Ok((shared, secret.secret))
    }

    /// # Errors
    /// [`PeopleError::NotFound`].
    pub async fn delete_key(self: &Arc<Self>, id: &str, by: &ClientId) -> Result<(), PeopleError> {
        let changing = self.changing().await;
        if self.directory().key(id).is_none() {
            return Err(PeopleError::NotFound);
        }
        let delete = Entity::delete_many().filter(Column::Id.eq(id)).build(self.backend());
        let record = Record { who: by, action: "api_key.deleted", subject: id, detail: json!({}) };
        let gone = id.to_owned();
        self.change(changing, vec![(delete, Expect::One)], record, move |directory| directory.remove_key(&gone))
            .await?;
        info!(key.id = %id, by = %by, "key {id} deleted");
        Ok(())
    }

    /// Writes down when keys were last used. For a daily job and the shutdown: what is lost is a time of use, no right.
    ///
    /// # Errors
    /// [`PeopleError::Unavailable`].
    pub async fn save_usage(self: &Arc<Self>) -> Result<(), PeopleError> {
        let changing = self.changing().await;
        let used: Vec<(String, i64)> = {
            let directory = self.directory();
            directory.keys().filter_map(|entry| entry.unsaved_us().map(|us| (entry.key.id.to_string(), us))).collect()
        };
        if used.is_empty() {
            return Ok(());
        }
        let update = |(id, us): &(String, i64)| {
            let statement = Entity::update_many()
                .col_expr(Column::LastUsedAtUs, Expr::value(*us))
                .filter(Column::Id.eq(id.as_str()))
                .build(self.backend());
            (statement, Expect::Any)
        };
        let by = ClientId::parse("system").map_err(|_| PeopleError::Internal)?;
        let statements = used.iter().map(update).collect();
        let detail = json!({ "keys": used.len() });
        let record = Record { who: &by, action: "api_key.usage_saved", subject: "api_keys", detail };
        let apply = move |directory: &mut Directory| {
            for (id, us) in used {
                if let Some(entry) = directory.key(&id) {
                    entry.saved(us);
                }
            }
        };
        self.change(changing, statements, record, apply).await?;
        Ok(())
    }
}

fn text(list: &impl Serialize) -> Result<String, PeopleError> {
    serde_json::to_string(list).map_err(|_| PeopleError::Internal)
}
