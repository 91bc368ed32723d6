//! Making, changing and removing users.

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryTrait as _};
use secrecy::SecretString;
use serde_json::json;
use signalbox_domain::ids::ClientId;
use tracing::info;

use super::directory::Directory;
use super::entity::user::{Column, Entity, Model};
use super::entity::{api_key, session};
use super::password::check_new;
use super::principal::{Grant, Role, User};
use super::{People, PeopleError, Record};
use crate::store::Expect;

/// They all live in memory. A house with more people than this has other tools.
const USERS_MAX: usize = 10_000;
/// A list that a person can still read.
const GRANTS_MAX: usize = 500;
/// Programs have such ids: a user with one could pass for a program in the audit.
const RESERVED_PREFIX: &str = "key-";

#[derive(Debug)]
pub struct NewUser {
    pub username: String,
    pub password: SecretString,
    pub roles: Vec<Role>,
    pub grants: Vec<Grant>,
}

/// What to change; `None` stays.
#[derive(Debug, Default)]
pub struct UserPatch {
    pub password: Option<SecretString>,
    pub roles: Option<Vec<Role>>,
    pub grants: Option<Vec<Grant>>,
    pub disabled: Option<bool>,
}

impl People {
    /// All users, the newest first.
    #[must_use]
    pub fn users(&self) -> Vec<Arc<User>> {
        let mut users: Vec<_> = self.directory().users().cloned().collect();
        users.sort_by(|a, b| (b.created_at_us, &b.username).cmp(&(a.created_at_us, &a.username)));
        users
    }

    #[must_use]
    pub fn user(&self, username: &str) -> Option<Arc<User>> {
        self.directory().user(username).cloned()
    }

    /// # Errors
    /// The first reason against the new user.
    pub async fn create_user(self: &Arc<Self>, new: NewUser, by: &ClientId) -> Result<Arc<User>, PeopleError> {
        let username = check_username(&new.username)?;
        check_new(&new.password, username.as_str())?;
        let roles = check_roles(new.roles)?;
        check_grants(&new.grants)?;
        // Before the hash is paid for, and again below where it counts.
        self.check_free(&username)?;
        let password_hash = self.passwords.hash(new.password).await?;

        let changing = self.changing().await;
        self.check_free(&username)?;
        let now = self.clock.now().us();
        let user = User {
            username,
            roles,
            grants: new.grants,
            disabled: false,
            token_epoch: 0,
            created_at_us: now,
            updated_at_us: now,
        };
        let insert = Entity::insert(row(&user, &password_hash)?.into_active_model()).build(self.backend());
        let detail = json!({ "roles": user.roles, "grants": user.grants });
        let user = Arc::new(user);
        let record = Record { who: by, action: "user.created", subject: user.username.as_str(), detail };
        let kept = Arc::clone(&user);
        let apply = move |directory: &mut Directory| directory.put_user(kept, password_hash.into());
        self.change(changing, vec![(insert, Expect::One)], record, apply).await?;
        info!(user.name = %user.username, by = %by, "user {} created", user.username);
        Ok(user)
    }

    /// Creates the user unless he exists; an existing one is left as he is. For the first administrator.
    ///
    /// # Errors
    /// As [`Self::create_user`].
    pub async fn ensure_user(
        self: &Arc<Self>,
        username: &str,
        password: SecretString,
        roles: Vec<Role>,
        grants: Vec<Grant>,
    ) -> Result<Arc<User>, PeopleError> {
        if let Some(user) = self.user(username) {
            return Ok(user);
        }
        let by = ClientId::parse("system").map_err(|_| PeopleError::Internal)?;
        self.create_user(NewUser { username: username.to_owned(), password, roles, grants }, &by).await
    }

    /// Changes a user. A new password, other roles and disabling end his access tokens at once; a new password and
    /// disabling also end his sessions. Grants count from the next request.
    ///
    /// # Errors
    /// The first reason against the change.
    pub async fn change_user(
        self: &Arc<Self>,
        username: &str,
        patch: UserPatch,
        by: &ClientId,
    ) -> Result<Arc<User>, PeopleError> {
        let existing = self.user(username).ok_or(PeopleError::NotFound)?;
        let password_hash = match patch.password {
            None => None,
            Some(password) => {
                check_new(&password, existing.username.as_str())?;
                Some(self.passwords.hash(password).await?)
            }
        };
        let roles = patch.roles.map(check_roles).transpose()?;
        if let Some(grants) = &patch.grants {
            check_grants(grants)?;
        }

        let changing = self.changing().await;
        let (before, old_hash) = {
            let directory = self.directory();
            let entry = directory.entry(username).ok_or(PeopleError::NotFound)?;
            (Arc::clone(&entry.user), Arc::clone(&entry.password_hash))
        };
        let mut user = User::clone(&before);
        user.roles = roles.unwrap_or(user.roles);
        user.grants = patch.grants.unwrap_or(user.grants);
        user.disabled = patch.disabled.unwrap_or(user.disabled);
        let administers = |user: &User| !user.disabled && user.roles.contains(&Role::Admin);
        if !administers(&user) && self.directory().is_last_admin(username) {
            return Err(PeopleError::LastAdmin);
        }
        let disabled_now = user.disabled && !before.disabled;
        let logs_out = password_hash.is_some() || disabled_now;
        if logs_out || user.roles != before.roles {
            user.token_epoch += 1;
        }
        user.updated_at_us = self.clock.now().us().max(before.updated_at_us);

        let mut detail = json!({});
        if user.roles != before.roles {
            detail["roles"] = json!(user.roles);
        }
        if user.grants != before.grants {
            detail["grants"] = json!(user.grants);
        }
        if user.disabled != before.disabled {
            detail["disabled"] = json!(user.disabled);
        }
        if password_hash.is_some() {
            detail["password"] = json!("changed");
        }
        let password_hash: Arc<str> = password_hash.map_or(old_hash, Into::into);
        let changed = row(&user, &password_hash)?;
        let update = Entity::update_many()
            .col_expr(Column::PasswordHash, Expr::value(changed.password_hash))
            .col_expr(Column::Roles, Expr::value(changed.roles))
            .col_expr(Column::Grants, Expr::value(changed.grants))
            .col_expr(Column::Disabled, Expr::value(changed.disabled))
            .col_expr(Column::TokenEpoch, Expr::value(changed.token_epoch))
            .col_expr(Column::UpdatedAtUs, Expr::value(changed.updated_at_us))
            .filter(Column::Username.eq(username))
            .filter(Column::TokenEpoch.eq(before.token_epoch))
            .build(self.backend());
        let mut statements = vec![(update, Expect::One)];
        if logs_out {
            statements.push((self.revocation_of_all(&user.username), Expect::Any));
        }
        let user = Arc::new(user);
        let record = Record { who: by, action: "user.changed", subject: username, detail };
        let kept = Arc::clone(&user);
        let apply = move |directory: &mut Directory| {
            if logs_out {
                directory.remove_sessions_of(kept.username.as_str());
            }
            directory.put_user(kept, password_hash);
        };
        self.change(changing, statements, record, apply).await?;
        info!(user.name = %user.username, by = %by, "user {} changed", user.username);
        Ok(user)
    }

    /// Removes a user with his sessions and the keys that he answers for.
    ///
    /// # Errors
    /// [`PeopleError::LastAdmin`] for the last one who could make others.
    pub async fn delete_user(self: &Arc<Self>, username: &str, by: &ClientId) -> Result<(), PeopleError> {
        let changing = self.changing().await;
        if self.user(username).is_none() {
            return Err(PeopleError::NotFound);
        }
        if self.directory().is_last_admin(username) {
            return Err(PeopleError::LastAdmin);
        }
        let backend = self.backend();
        let sessions = session::Entity::delete_many().filter(session::Column::Username.eq(username)).build(backend);
        let keys = api_key::Entity::delete_many().filter(api_key::Column::Owner.eq(username)).build(backend);
        let user = Entity::delete_many().filter(Column::Username.eq(username)).build(backend);
        let statements = vec![(sessions, Expect::Any), (keys, Expect::Any), (user, Expect::One)];
        let record = Record { who: by, action: "user.deleted", subject: username, detail: json!({}) };
        let gone = username.to_owned();
        self.change(changing, statements, record, move |directory| directory.remove_user(&gone)).await?;
        info!(user.name = %username, by = %by, "user {username} deleted");
        Ok(())
    }

    fn check_free(&self, username: &ClientId) -> Result<(), PeopleError> {
        let directory = self.directory();
        // Also when only the case differs: `Admin` beside `admin` deceives people.
        if directory.users().any(|user| user.username.as_str().eq_ignore_ascii_case(username.as_str())) {
            return Err(PeopleError::Exists("user"));
        }
        if directory.users().len() >= USERS_MAX { Err(PeopleError::Full) } else { Ok(()) }
    }
}

fn check_username(text: &str) -> Result<ClientId, PeopleError> {
    let refused = |reason: String| PeopleError::Field { field: "username", reason };
    let username = ClientId::parse(text).map_err(|error| refused(error.to_string()))?;
    if text.to_ascii_lowercase().starts_with(RESERVED_PREFIX) || text.eq_ignore_ascii_case("system") {
        return Err(refused("this name is kept for programs".to_owned()));
    }
    Ok(username)
}

fn check_roles(mut roles: Vec<Role>) -> Result<Vec<Role>, PeopleError> {
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Err(PeopleError::Field { field: "roles", reason: "a user has at least one role".to_owned() });
    }
    Ok(roles)
}

fn check_grants(grants: &[Grant]) -> Result<(), PeopleError> {
    let refused = |reason: &str| Err(PeopleError::Field { field: "grants", reason: reason.to_owned() });
    if grants.len() > GRANTS_MAX {
        return refused("at most 500 grants: a grant for `*` covers all");
    }
    if grants.iter().any(|grant| !(1..=3).contains(&grant.actions().len())) {
        return refused("a grant has one to three actions");
    }
    Ok(())
}

fn row(user: &User, password_hash: &str) -> Result<Model, PeopleError> {
    Ok(Model {
        username: user.username.to_string(),
        password_hash: password_hash.to_owned(),
        roles: serde_json::to_string(&user.roles).map_err(|_| PeopleError::Internal)?,
        grants: serde_json::to_string(&user.grants).map_err(|_| PeopleError::Internal)?,
        disabled: user.disabled,
        token_epoch: user.token_epoch,
        created_at_us: user.created_at_us,
        updated_at_us: user.updated_at_us,
    })
}
