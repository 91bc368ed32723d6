//! Passwords: what is accepted as one, and the slow hash behind a bounded pool.
//!
//! Argon2 is expensive on purpose, so whoever can ask for hashes can ask for all of the processor and the memory. The
//! pool runs two at a time and lets a few wait; above that callers are told to come back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Shorter ones are guessed.
pub const LEN_MIN: usize = 8;
/// Long enough for every sentence; a bound, since the hash reads all of it.
pub const LEN_MAX: usize = 256;

/// Two hashes keep the memory at 38 MiB and leave cores for trading.
const RUNNING_MAX: usize = 2;
/// At some 30 ms each the last one waits about half a second: longer, and the caller has given up.
const WAITING_MAX: usize = 32;
/// By then a full queue has drained.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Tried first by everybody who guesses. Compared without regard to case.
const WEAK: [&str; 24] = [
    "password",
    "password1",
    "passw0rd",
    "password123",
    "p@ssw0rd",
    "12345678",
    "123456789",
    "1234567890",
    "11111111",
    "00000000",
    "88888888",
    "66666666",
    "87654321",
    "admin123",
    "admin1234",
    "administrator",
    "changeme",
    "qwertyui",
    "qwerty123",
    "qwertyuiop",
    "iloveyou",
    "letmein1",
    "abcd1234",
    "signalbox",
];

/// Why a text is not accepted as a new password, the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unacceptable {
    #[error("a password has at least {LEN_MIN} bytes")]
    TooShort,
    #[error("a password has at most {LEN_MAX} bytes")]
    TooLong,
    #[error("a password has no control characters")]
    Control,
    #[error("this password is among the first that are guessed")]
    Weak,
}

/// # Errors
/// The first reason against the password.
pub fn check_new(password: &SecretString, username: &str) -> Result<(), Unacceptable> {
    let text = password.expose_secret();
    if text.len() < LEN_MIN {
        return Err(Unacceptable::TooShort);
    }
    if text.len() > LEN_MAX {
        return Err(Unacceptable::TooLong);
    }
    // Other programs end a text at NUL: a password must not be a shorter one elsewhere.
    if text.chars().any(char::is_control) {
        return Err(Unacceptable::Control);
    }
    let first = text.as_bytes()[0];
    let monotone = text.bytes().all(|b| b == first);
    if monotone || text.eq_ignore_ascii_case(username) || WEAK.iter().any(|weak| text.eq_ignore_ascii_case(weak)) {
        return Err(Unacceptable::Weak);
    }
    Ok(())
}

/// How expensive a hash is. The default is OWASP's: 19 MiB, two passes, one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    #[error("too many passwords are being checked")]
    Busy { retry_after: Duration },
    #[error("the password could not be hashed")]
    Failed,
}

/// The only caller of Argon2.
pub struct PasswordPool {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    /// Checked against when the user does not exist, so that the answer takes as long as for one who does.
    dummy: Arc<str>,
}

impl fmt::Debug for PasswordPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordPool").field("argon2", &self.argon2).finish_non_exhaustive()
    }
}

impl PasswordPool {
    /// # Errors
    /// When the machine has no randomness, or `cost` is out of Argon2's range.
    pub fn new(cost: Cost) -> Result<Self, HashError> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|_| HashError::Failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        // Checking any password against it takes as long as against a true one; that it was never hashed saves the
        // start 19 MiB.
        let Cost { memory_kib, passes } = cost;
        let dummy = format!("$argon2id$v=19$m={memory_kib},t={passes},p=1$bm9ib2R5IGhhcyB0aGlz${}", "A".repeat(43));
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
            admitted: Arc::new(Semaphore::new(RUNNING_MAX + WAITING_MAX)),
            dummy: dummy.into(),
        })
    }

    /// The hash to store, with its parameters and salt in it.
    ///
    /// # Errors
    /// [`HashError::Busy`] above the bound.
    pub async fn hash(&self, password: SecretString) -> Result<String, HashError> {
        let argon2 = self.argon2.clone();
        self.run(move || hash_now(&argon2, password.expose_secret())).await?
    }

    /// Is this the password? Without a stored hash the answer is no, as late as with one.
    ///
    /// # Errors
    /// [`HashError::Busy`] above the bound.
    pub async fn verify(&self, password: SecretString, stored: Option<Arc<str>>) -> Result<bool, HashError> {
        let argon2 = self.argon2.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| Arc::clone(&self.dummy));
        let matches = self
            .run(move || {
                PasswordHash::new(&stored)
                    .is_ok_and(|hash| argon2.verify_password(password.expose_secret().as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(matches && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HashError> {
        let busy = HashError::Busy { retry_after: BUSY_RETRY_AFTER };
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| HashError::Failed)?;
        // The permits live as long as the work: a caller who hangs up does not make room for more of it.
        let permits: [OwnedSemaphorePermit; 2] = [admitted, running];
        tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(permits);
            outcome
        })
        .await
        .map_err(|_| HashError::Failed)
    }
}

fn hash_now(argon2: &Argon2<'_>, password: &str) -> Result<String, HashError> {
    let hash: PasswordHash = argon2.hash_password(password.as_bytes()).map_err(|_| HashError::Failed)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

    #[test]
    fn the_hash_of_nobody_is_one_that_can_be_checked() {
        let pool = PasswordPool::new(CHEAP).unwrap();
        let nobody = PasswordHash::new(&pool.dummy).unwrap();
        let true_one = hash_now(&pool.argon2, "any").unwrap();
        let true_one = PasswordHash::new(&true_one).unwrap();
        assert_eq!(nobody.params, true_one.params);
        assert_eq!(nobody.algorithm, true_one.algorithm);
        assert_eq!(nobody.hash.unwrap().len(), true_one.hash.unwrap().len());
        assert_eq!(
            pool.argon2.verify_password(b"any", &nobody),
            Err(argon2::password_hash::Error::PasswordInvalid),
            "it was computed and compared, not refused before"
        );
    }

    #[test]
    fn passwords_that_everybody_guesses_are_refused() {
        for (text, why) in [
            ("short", Unacceptable::TooShort),
            (&*"x".repeat(LEN_MAX + 1), Unacceptable::TooLong),
            ("nul\0inside", Unacceptable::Control),
            ("Password", Unacceptable::Weak),
            ("12345678", Unacceptable::Weak),
            ("ADMIN123", Unacceptable::Weak),
            ("zzzzzzzzzz", Unacceptable::Weak),
            ("Alexandra", Unacceptable::Weak),
        ] {
            assert_eq!(check_new(&text.into(), "alexandra"), Err(why), "{text}");
        }
        for text in ["correct horse", "密码密码密", &"xy".repeat(LEN_MAX / 2)] {
            assert_eq!(check_new(&text.into(), "alexandra"), Ok(()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_hash_says_its_cost_and_knows_its_password() {
        let pool = PasswordPool::new(Cost::default()).expect("pool");
        let hash: Arc<str> = pool.hash("correct horse".into()).await.expect("hash").into();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(pool.verify("correct horse".into(), Some(Arc::clone(&hash))).await.expect("verify"));
        assert!(!pool.verify("wrong horse".into(), Some(hash)).await.expect("verify"));
        assert!(!pool.verify("nobody has this password".into(), None).await.expect("verify"), "nobody has no password");
    }

    #[tokio::test]
    async fn a_flood_is_told_to_come_back() {
        let pool = PasswordPool::new(CHEAP).expect("pool");
        let _all = Arc::clone(&pool.admitted).try_acquire_many_owned(34).expect("permits");
        assert!(matches!(pool.hash("correct horse".into()).await, Err(HashError::Busy { .. })));
    }
}
