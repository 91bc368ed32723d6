//! The three kinds of token: access tokens (JWT, ten minutes), refresh tokens (opaque, one use each) and API keys
//! (opaque, until revoked).
//!
//! An access token proves who asks without a look at the database; the cache of people still decides whether that
//! person and that session may go on. Of the opaque ones only SHA-256 hashes are stored: 256 random bits cannot be
//! guessed, so that a slow hash would add nothing but load.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signalbox_domain::units::{Span, Timestamp};

/// Short, since a stolen one works until then; long enough that a client refreshes rarely.
pub const ACCESS_TTL: Span = Span::from_secs(10 * 60);
/// A working day with both its sessions; tomorrow one logs in again.
pub const REFRESH_TTL: Span = Span::from_secs(12 * 60 * 60);
/// Clocks of one installation, before and after a correction.
const LEEWAY: Span = Span::from_secs(5);
/// Ours have some 400 bytes. Longer ones are not worth the work of a signature.
const ACCESS_LEN_MAX: usize = 2048;
/// HS256 is as strong as its key: 256 bits.
const KEY_LEN_MIN: usize = 32;
const KEY_FILE: &str = "jwt.key";

const ISSUER: &str = "signalbox";
const AUDIENCE: &str = "signalbox-api";
const KIND: &str = "access";

pub const API_KEY_PREFIX: &str = "sbk_";
pub const REFRESH_PREFIX: &str = "sbr_";
const SECRET_BYTES: usize = 32;
const SESSION_BYTES: usize = 16;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub sub: String,
    /// The session: revoked as a whole.
    pub sid: String,
    pub typ: String,
    pub iss: String,
    pub aud: String,
    pub iat: i64,
    pub exp: i64,
    /// The user's token epoch when it was issued.
    pub epoch: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not one of ours")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

/// Issues and checks access tokens.
pub struct AccessTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessTokens")
    }
}

impl AccessTokens {
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        let bytes = key.0.expose_secret().as_bytes();
        // The algorithm is pinned: what the token's header asks for has no say.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // The library asks the machine for the time; `verify` compares with the time that it is told.
        validation.validate_exp = false;
        Self { encoding: EncodingKey::from_secret(bytes), decoding: DecodingKey::from_secret(bytes), validation }
    }

    /// # Errors
    /// When the signature cannot be made.
    pub fn issue(&self, username: &str, session: &str, epoch: i64, at: Timestamp) -> Result<SecretString, TokenError> {
        let iat = seconds(at);
        let claims = Claims {
            sub: username.to_owned(),
            sid: session.to_owned(),
            typ: KIND.to_owned(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat,
            exp: iat + ACCESS_TTL.us() / 1_000_000,
            epoch,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map(SecretString::from)
            .map_err(|_| TokenError::Invalid)
    }

    /// # Errors
    /// [`TokenError::Expired`] only for a token that is otherwise ours.
    pub fn verify(&self, token: &str, at: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > ACCESS_LEN_MAX || token.bytes().filter(|b| *b == b'.').count() != 2 {
            return Err(TokenError::Invalid);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let (now, leeway) = (seconds(at), LEEWAY.us() / 1_000_000);
        // A token that lives longer than ours do was not issued here, whoever signed it.
        let lifetime = claims.exp.checked_sub(claims.iat).ok_or(TokenError::Invalid)?;
        let ours = claims.typ == KIND && lifetime == ACCESS_TTL.us() / 1_000_000 && claims.iat <= now + leeway;
        if !ours {
            return Err(TokenError::Invalid);
        }
        if claims.exp + leeway <= now { Err(TokenError::Expired) } else { Ok(claims) }
    }
}

const fn seconds(at: Timestamp) -> i64 {
    at.us().div_euclid(1_000_000)
}

/// The key that signs access tokens.
#[derive(Debug, Clone)]
pub struct SigningKey(SecretString);

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the signing key is shorter than {KEY_LEN_MIN} bytes")]
    Short,
    #[error("the signing key {0} can be read by others: chmod 600 it, or remove it for a new one")]
    Readable(PathBuf),
    #[error("the signing key {path} cannot be used")]
    File { path: PathBuf, source: std::io::Error },
    #[error("this machine has no randomness")]
    NoRandomness,
}

impl SigningKey {
    /// # Errors
    /// [`KeyError::Short`].
    pub fn from_secret(secret: SecretString) -> Result<Self, KeyError> {
        if secret.expose_secret().len() < KEY_LEN_MIN { Err(KeyError::Short) } else { Ok(Self(secret)) }
    }

    /// Reads the key of this data folder, making one at the first start.
    ///
    /// # Errors
    /// When the file cannot be read or written, or others may read it.
    pub fn of_folder(folder: &Path) -> Result<Self, KeyError> {
        let path = folder.join(KEY_FILE);
        match Self::read(&path)? {
            Some(key) => Ok(key),
            None => Self::create(&path),
        }
    }

    fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => SecretString::from(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(KeyError::Readable(path.to_owned()));
            }
        }
        Self::from_secret(text.expose_secret().trim().into()).map(Some)
    }

    fn create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let text = SecretString::from(BASE64.encode(random::<64>()?));
        // Complete under another name first: a crash leaves no short key behind.
        let draft = path.with_extension("key.new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&draft).map_err(failed)?;
        file.write_all(text.expose_secret().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&draft, path).map_err(failed)?;
        path.parent().map_or(Ok(()), crate::store::sync_folder).map_err(failed)?;
        Self::from_secret(text)
    }
}

/// An opaque secret as handed out once, and the hash to keep.
#[derive(Debug, Clone)]
pub struct Opaque {
    pub secret: SecretString,
    pub hash: String,
}

/// A refresh token: the session it belongs to, and a secret. Whoever shows a session's id with another secret shows an
/// old one, for nobody learns the id but from a token of that session.
#[derive(Debug)]
pub struct Refresh {
    pub session: String,
    pub hash: String,
}

/// # Errors
/// Without randomness there are no secrets.
pub fn new_api_key() -> Result<Opaque, KeyError> {
    Ok(opaque(API_KEY_PREFIX, &random::<SECRET_BYTES>()?))
}

/// # Errors
/// Without randomness there are no secrets.
pub fn new_session_id() -> Result<String, KeyError> {
    Ok(BASE64.encode(random::<SESSION_BYTES>()?))
}

/// # Errors
/// Without randomness there are no secrets.
pub fn new_refresh(session: &str) -> Result<Opaque, KeyError> {
    let mut bytes = [0; SESSION_BYTES + SECRET_BYTES];
    let decoded = BASE64.decode(session).unwrap_or_default();
    let id_len = decoded.len().min(SESSION_BYTES);
    bytes[..id_len].copy_from_slice(&decoded[..id_len]);
    bytes[SESSION_BYTES..].copy_from_slice(&random::<SECRET_BYTES>()?);
    Ok(opaque(REFRESH_PREFIX, &bytes))
}

/// A public id, such as `key-` and 16 characters.
///
/// # Errors
/// Without randomness there are no ids.
pub fn new_public_id(prefix: &str) -> Result<String, KeyError> {
    Ok(format!("{prefix}{}", hex(&random::<8>()?)))
}

/// `None` when the text cannot be a refresh token of ours.
#[must_use]
pub fn parse_refresh(text: &str) -> Option<Refresh> {
    // The length first: nobody makes us decode a megabyte.
    let encoded =
        text.strip_prefix(REFRESH_PREFIX).filter(|rest| rest.len() == (SESSION_BYTES + SECRET_BYTES) / 3 * 4)?;
    let bytes = BASE64.decode(encoded).ok()?;
    Some(Refresh { session: BASE64.encode(&bytes[..SESSION_BYTES]), hash: sha256(text) })
}

/// The hash under which an opaque secret is stored.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn opaque(prefix: &str, bytes: &[u8]) -> Opaque {
    let text = format!("{prefix}{}", BASE64.encode(bytes));
    Opaque { hash: sha256(&text), secret: text.into() }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_us(1_790_000_000_000_000);

    fn tokens() -> AccessTokens {
        AccessTokens::new(&SigningKey::from_secret("0123456789abcdef0123456789abcdef".into()).expect("long enough"))
    }

    #[test]
    fn an_access_token_lives_ten_minutes_and_five_seconds() {
        let tokens = tokens();
        let token = tokens.issue("ann", "session", 3, NOW).expect("token");
        let verify = |secs| tokens.verify(token.expose_secret(), NOW.plus(Span::from_secs(secs)));
        assert_eq!(verify(0).map(|claims| (claims.sub, claims.epoch)), Ok(("ann".to_owned(), 3)));
        assert!(verify(604).is_ok());
        assert_eq!(verify(605), Err(TokenError::Expired));
        assert_eq!(verify(-6), Err(TokenError::Invalid), "issued in the future");
        assert!(verify(-5).is_ok());
    }

    #[test]
    fn another_key_signs_for_others() {
        let other = SigningKey::from_secret("fedcba9876543210fedcba9876543210".into()).expect("long enough");
        let token = AccessTokens::new(&other).issue("ann", "session", 0, NOW).expect("token");
        assert_eq!(tokens().verify(token.expose_secret(), NOW), Err(TokenError::Invalid));
        assert!(matches!(SigningKey::from_secret("short".into()), Err(KeyError::Short)));
    }

    #[test]
    fn a_refresh_token_knows_its_session_and_prints_no_secret() {
        let session = new_session_id().expect("random");
        let token = new_refresh(&session).expect("random");
        let parsed = parse_refresh(token.secret.expose_secret()).expect("ours");
        assert_eq!((parsed.session, parsed.hash), (session, token.hash.clone()));
        assert!(!format!("{token:?}").contains(token.secret.expose_secret()));
        for text in ["", "sbr_", "sbk_abc", &format!("sbr_{}", "!".repeat(64)), &"sbr_A".repeat(1000)] {
            assert!(parse_refresh(text).is_none());
        }
        assert_eq!(new_api_key().expect("random").secret.expose_secret().len(), 4 + 43);
    }

    #[test]
    fn the_key_file_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().expect("folder");
        let first = SigningKey::of_folder(folder.path()).expect("made");
        let second = SigningKey::of_folder(folder.path()).expect("read");
        assert_eq!(first.0.expose_secret(), second.0.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.path().join(KEY_FILE);
            assert_eq!(std::fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
            assert!(matches!(SigningKey::of_folder(folder.path()), Err(KeyError::Readable(_))));
        }
    }
}
