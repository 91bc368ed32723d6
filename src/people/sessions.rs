//! Login, refresh and logout.
//!
//! A login opens a session: a family of refresh tokens of which only the newest is good, once. Showing an older one
//! means that somebody has a copy, and nobody can tell the thief from the owner, so the whole family ends and both have
//! to log in. That also ends a session whose owner sends the same token twice at the same moment: exactly one of the
//! requests gets new tokens, and the first of the others revokes them. Clients therefore refresh one at a time.

use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryTrait as _, Statement};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use signalbox_domain::ids::ClientId;
use signalbox_domain::units::{Span, Timestamp};
use tracing::{info, warn};

use super::directory::{Directory, Session};
use super::entity::session::{Column, Entity, Model};
use super::password::LEN_MAX;
use super::principal::User;
use super::tokens::{ACCESS_TTL, REFRESH_TTL, new_refresh, new_session_id, parse_refresh};
use super::{Changing, People, PeopleError, Principal, Record, Who};
use crate::store::{ChangeError, Expect};

/// A person has a few devices and scripts; a script that logs in each time must not fill the table.
const SESSIONS_PER_USER_MAX: usize = 64;
/// Ended sessions are kept this long for those who look into an incident.
const ENDED_KEPT: Span = Span::from_secs(7 * 24 * 60 * 60);
/// Browsers send some 120 characters; this is for people to recognise a device by.
const USER_AGENT_MAX: usize = 200;

/// What a login or a refresh hands out.
#[derive(Debug)]
pub struct Tokens {
    pub access: SecretString,
    pub refresh: SecretString,
    pub expires_in_secs: i64,
}

impl People {
    /// # Errors
    /// [`PeopleError::Credentials`] for an unknown user, a wrong password and a disabled user alike.
    pub async fn login(
        self: &Arc<Self>,
        username: &str,
        password: SecretString,
        user_agent: &str,
    ) -> Result<Tokens, PeopleError> {
        if password.expose_secret().len() > LEN_MAX {
            return Err(PeopleError::Credentials);
        }
        let stored = self.directory().entry(username).map(|entry| Arc::clone(&entry.password_hash));
        let matches = self.passwords.verify(password, stored.clone()).await?;
        let changing = self.changing().await;
        // Looked up again: the password may have been changed while this one was checked.
        let user = self.directory().entry(username).and_then(|entry| {
            let same = stored.is_some_and(|stored| *stored == *entry.password_hash);
            (matches && same && !entry.user.disabled).then(|| Arc::clone(&entry.user))
        });
        let Some(user) = user else {
            // What was typed may be a password in the wrong field: only names that exist are written down.
            let known = self.directory().user(username).map(|user| user.username.clone());
            warn!(user.name = known.as_ref().map(ClientId::as_str), "login refused");
            return Err(PeopleError::Credentials);
        };
        self.open_session(changing, &user, user_agent).await
    }

    async fn open_session(
        self: &Arc<Self>,
        changing: Changing,
        user: &Arc<User>,
        user_agent: &str,
    ) -> Result<Tokens, PeopleError> {
        let now = self.clock.now();
        let id = new_session_id()?;
        let refresh = new_refresh(&id)?;
        let session = Session {
            username: user.username.clone(),
            current_hash: refresh.hash.clone(),
            created_at: now,
            expires_at: now.plus(REFRESH_TTL),
        };
        let row = Model {
            id: id.clone(),
            username: user.username.to_string(),
            current_hash: refresh.hash,
            previous_hash: None,
            created_at_us: now.us(),
            expires_at_us: session.expires_at.us(),
            revoked: false,
            last_used_at_us: now.us(),
            user_agent: user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect(),
        };
        let forgotten = now.us().saturating_sub(ENDED_KEPT.us());
        let purge = Entity::delete_many().filter(Column::ExpiresAtUs.lt(forgotten)).build(self.backend());
        let insert = Entity::insert(row.into_active_model()).build(self.backend());
        let mut statements = vec![(purge, Expect::Any), (insert, Expect::One)];
        let displaced = self.oldest_beyond_bound(&user.username);
        if let Some(oldest) = &displaced {
            statements.push((self.revocation(oldest), Expect::Any));
        }
        let detail = json!({ "session": short(&id) });
        let record = Record { who: &user.username, action: "session.opened", subject: user.username.as_str(), detail };
        let key: Arc<str> = id.as_str().into();
        let apply = move |directory: &mut Directory| {
            directory.sessions.retain(|id, session| session.expires_at > now && Some(id) != displaced.as_ref());
            directory.sessions.insert(key, session);
        };
        self.change(changing, statements, record, apply).await?;
        info!(user.name = %user.username, "{} logged in", user.username);
        self.tokens_of(user, &id, refresh.secret, now)
    }

    /// # Errors
    /// [`PeopleError::RefreshReused`] revokes the session that the token belongs to.
    pub async fn refresh(self: &Arc<Self>, token: &SecretString) -> Result<Tokens, PeopleError> {
        let shown = parse_refresh(token.expose_secret()).ok_or(PeopleError::RefreshInvalid)?;
        let changing = self.changing().await;
        let now = self.clock.now();
        let (user, session) = {
            let directory = self.directory();
            let session = directory.sessions.get(shown.session.as_str()).cloned();
            let user = session.as_ref().and_then(|session| directory.user(session.username.as_str())).cloned();
            user.zip(session).ok_or(PeopleError::RefreshInvalid)?
        };
        if session.current_hash != shown.hash {
            warn!(user.name = %user.username, "an old refresh token was used: session revoked");
            self.end_session(changing, &shown.session, &user.username, "session.reuse_detected").await?;
            return Err(PeopleError::RefreshReused);
        }
        if user.disabled || session.expires_at <= now {
            return Err(PeopleError::RefreshInvalid);
        }

        let next = new_refresh(&shown.session)?;
        let rotate = Entity::update_many()
            .col_expr(Column::CurrentHash, Expr::value(next.hash.clone()))
            .col_expr(Column::PreviousHash, Expr::value(shown.hash.clone()))
            .col_expr(Column::LastUsedAtUs, Expr::value(now.us()))
            .filter(Column::Id.eq(shown.session.clone()))
            .filter(Column::CurrentHash.eq(shown.hash))
            .filter(Column::Revoked.eq(false))
            .build(self.backend());
        let detail = json!({ "session": short(&shown.session) });
        let record =
            Record { who: &user.username, action: "session.refreshed", subject: user.username.as_str(), detail };
        let (id, hash) = (shown.session.clone(), next.hash);
        let apply = move |directory: &mut Directory| {
            if let Some(session) = directory.sessions.get_mut(id.as_str()) {
                session.current_hash = hash;
            }
        };
        match self.change(changing, vec![(rotate, Expect::One)], record, apply).await {
            Ok(()) => {}
            Err(ChangeError::Conflict) => return Err(PeopleError::RefreshInvalid),
            Err(error) => return Err(error.into()),
        }
        self.tokens_of(&user, &shown.session, next.secret, now)
    }

    /// Ends the session of an access token.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] for a program: a key has no session.
    pub async fn logout(self: &Arc<Self>, principal: &Principal) -> Result<(), PeopleError> {
        let Who::User { user, session } = principal.who() else { return Err(PeopleError::NotFound) };
        let changing = self.changing().await;
        self.end_session(changing, session, &user.username, "session.closed").await
    }

    /// Ends the session of a refresh token, for clients whose access token has expired.
    ///
    /// # Errors
    /// [`PeopleError::RefreshInvalid`] when there is no such session.
    pub async fn logout_by_refresh(self: &Arc<Self>, token: &SecretString) -> Result<(), PeopleError> {
        let shown = parse_refresh(token.expose_secret()).ok_or(PeopleError::RefreshInvalid)?;
        let changing = self.changing().await;
        let username = self.directory().sessions.get(shown.session.as_str()).map(|session| session.username.clone());
        let username = username.ok_or(PeopleError::RefreshInvalid)?;
        // Also with an old token of the session: whoever wants it to end may have that.
        self.end_session(changing, &shown.session, &username, "session.closed").await
    }

    async fn end_session(
        self: &Arc<Self>,
        changing: Changing,
        id: &str,
        who: &ClientId,
        action: &str,
    ) -> Result<(), PeopleError> {
        // Out of memory first: when the row cannot be written, the session is over all the same until the next start.
        if self.directory_mut().sessions.remove(id).is_none() {
            return Ok(());
        }
        let detail = json!({ "session": short(id) });
        let record = Record { who, action, subject: who.as_str(), detail };
        self.change(changing, vec![(self.revocation(id), Expect::Any)], record, |_| ()).await?;
        Ok(())
    }

    /// The statement that ends all sessions of a user.
    pub(super) fn revocation_of_all(&self, username: &ClientId) -> Statement {
        Entity::update_many()
            .col_expr(Column::Revoked, Expr::value(true))
            .filter(Column::Username.eq(username.as_str()))
            .filter(Column::Revoked.eq(false))
            .build(self.backend())
    }

    fn revocation(&self, id: &str) -> Statement {
        Entity::update_many()
            .col_expr(Column::Revoked, Expr::value(true))
            .filter(Column::Id.eq(id))
            .build(self.backend())
    }

    fn oldest_beyond_bound(&self, username: &ClientId) -> Option<Arc<str>> {
        let directory = self.directory();
        let mut own: Vec<_> = directory.sessions.iter().filter(|(_, session)| session.username == *username).collect();
        if own.len() < SESSIONS_PER_USER_MAX {
            return None;
        }
        own.sort_by_key(|(_, session)| session.created_at);
        own.first().map(|(id, _)| Arc::clone(id))
    }

    fn tokens_of(&self, user: &User, id: &str, refresh: SecretString, now: Timestamp) -> Result<Tokens, PeopleError> {
        let access = self.tokens.issue(user.username.as_str(), id, user.token_epoch, now)?;
        Ok(Tokens { access, refresh, expires_in_secs: ACCESS_TTL.us() / 1_000_000 })
    }
}

/// Enough of a session's id to tell sessions apart in the audit, too little to be used.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or_default()
}
