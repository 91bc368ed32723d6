//! The one place where an error becomes an HTTP answer: `application/problem+json` (RFC 9457) with a stable code.
//!
//! Clients decide by `code`, people read `detail`. What goes wrong on our side says nothing about our insides.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::people::{AuthError, PeopleError};
use crate::store::ChangeError;

/// Every code that an error can carry. They are part of the interface: add, never rename.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema, strum::EnumIter, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Code {
    // The request cannot be read.
    MalformedRequest,
    MalformedJson,
    InvalidField,
    MissingField,
    UnknownField,
    DuplicateField,
    InvalidQuery,
    InvalidCursor,
    // Who asks is not proved.
    AuthenticationRequired,
    AuthorizationMalformed,
    TokenInvalid,
    TokenWrongKind,
    TokenExpired,
    TokenRevoked,
    InvalidCredentials,
    RefreshTokenInvalid,
    RefreshTokenReused,
    // He may not.
    Forbidden,
    // Foreign and missing look the same.
    NotFound,
    MethodNotAllowed,
    /// It ended long ago: only its end is known here.
    Archived,
    // The state is against it.
    AlreadyExists,
    LastAdmin,
    Conflict,
    TooLate,
    TooEarly,
    /// A subscription to a new issue that was sent stays.
    NotCancelable,
    LimitReached,
    InProgress,
    /// Nobody knows yet what became of the order.
    InDoubt,
    /// Orders of the account may still trade.
    LiveOrders,
    /// Something else relies on it.
    InUse,
    PayloadTooLarge,
    UnsupportedMediaType,
    // Read, understood and refused.
    ValidationFailed,
    PasswordRefused,
    IdempotencyKeyRequired,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    Denied,
    // Of trading: written as risk control writes its codes, some of which are among them.
    #[serde(rename = "SIGNAL_ID_REUSED")]
    #[strum(serialize = "SIGNAL_ID_REUSED")]
    SignalIdReused,
    #[serde(rename = "UNKNOWN_SYMBOL")]
    #[strum(serialize = "UNKNOWN_SYMBOL")]
    UnknownSymbol,
    #[serde(rename = "INVALID_QUANTITY")]
    #[strum(serialize = "INVALID_QUANTITY")]
    InvalidQuantity,
    /// A sum of money, a percentage or a weight that cannot be.
    #[serde(rename = "INVALID_SIZE")]
    #[strum(serialize = "INVALID_SIZE")]
    InvalidSize,
    #[serde(rename = "INVALID_PRICE")]
    #[strum(serialize = "INVALID_PRICE")]
    InvalidPrice,
    #[serde(rename = "LOT_SIZE")]
    #[strum(serialize = "LOT_SIZE")]
    LotSize,
    #[serde(rename = "TICK_SIZE")]
    #[strum(serialize = "TICK_SIZE")]
    TickSize,
    /// A new issue is subscribed to on another day.
    #[serde(rename = "SUBSCRIPTION_CLOSED")]
    #[strum(serialize = "SUBSCRIPTION_CLOSED")]
    SubscriptionClosed,
    /// Two routes of a strategy reach one account.
    RoutesOverlap,
    // Later.
    RateLimited,
    Busy,
    Unavailable,
    Internal,
}

impl Code {
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest
            | Self::MalformedJson
            | Self::InvalidField
            | Self::MissingField
            | Self::UnknownField
            | Self::DuplicateField
            | Self::InvalidQuery
            | Self::InvalidCursor
            | Self::IdempotencyKeyRequired
            | Self::IdempotencyKeyInvalid => StatusCode::BAD_REQUEST,
            Self::AuthenticationRequired
            | Self::AuthorizationMalformed
            | Self::TokenInvalid
            | Self::TokenWrongKind
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::InvalidCredentials
            | Self::RefreshTokenInvalid
            | Self::RefreshTokenReused => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Archived => StatusCode::GONE,
            Self::AlreadyExists
            | Self::LastAdmin
            | Self::Conflict
            | Self::TooLate
            | Self::TooEarly
            | Self::NotCancelable
            | Self::LimitReached
            | Self::InProgress
            | Self::InDoubt
            | Self::LiveOrders
            | Self::InUse => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed
            | Self::PasswordRefused
            | Self::IdempotencyKeyReused
            | Self::Denied
            | Self::SignalIdReused
            | Self::UnknownSymbol
            | Self::InvalidQuantity
            | Self::InvalidSize
            | Self::InvalidPrice
            | Self::LotSize
            | Self::TickSize
            | Self::SubscriptionClosed
            | Self::RoutesOverlap => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The same for every occurrence, as RFC 9457 asks.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "The request cannot be read",
            Self::MalformedJson => "The body is not JSON",
            Self::InvalidField => "A field has the wrong form",
            Self::MissingField => "A field is missing",
            Self::UnknownField => "A field is not known here",
            Self::DuplicateField => "A field appears twice",
            Self::InvalidQuery => "A query parameter has the wrong form",
            Self::InvalidCursor => "The cursor is not one of ours",
            Self::AuthenticationRequired => "Say who you are",
            Self::AuthorizationMalformed => "The Authorization header cannot be read",
            Self::TokenInvalid => "The token is not one of ours",
            Self::TokenWrongKind => "A refresh token is no access token",
            Self::TokenExpired => "The access token has expired",
            Self::TokenRevoked => "The token was revoked",
            Self::InvalidCredentials => "Wrong username or password",
            Self::RefreshTokenInvalid => "The refresh token is not valid",
            Self::RefreshTokenReused => "The refresh token was used before",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Not with this method",
            Self::Archived => "It ended long ago",
            Self::AlreadyExists => "It exists already",
            Self::LastAdmin => "The last administrator stays",
            Self::Conflict => "Not as things are now",
            Self::TooLate => "Its time is over",
            Self::TooEarly => "Its time has not come",
            Self::NotCancelable => "It cannot be taken back",
            Self::LimitReached => "There are too many",
            Self::InProgress => "The first request is still being worked on",
            Self::InDoubt => "Nobody knows yet what became of the order",
            Self::LiveOrders => "It has live orders",
            Self::InUse => "Something else relies on it",
            Self::PayloadTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body is of a kind that is not read here",
            Self::ValidationFailed => "Understood and refused",
            Self::PasswordRefused => "Not a good password",
            Self::IdempotencyKeyRequired => "Name the request, so that it can be repeated",
            Self::IdempotencyKeyInvalid => "The key cannot be one",
            Self::IdempotencyKeyReused => "Another request had this key",
            Self::Denied => "Denied by risk control",
            Self::SignalIdReused => "Another signal had this id",
            Self::UnknownSymbol => "No instrument that can be traded here",
            Self::InvalidQuantity => "Not a quantity",
            Self::InvalidSize => "Not a size",
            Self::InvalidPrice => "Not a price",
            Self::LotSize => "The quantity does not fit the lots",
            Self::TickSize => "The price is not on the tick",
            Self::SubscriptionClosed => "Not the day of its subscription",
            Self::RoutesOverlap => "Two routes reach one account",
            Self::RateLimited => "Too fast",
            Self::Busy => "Busy",
            Self::Unavailable => "Not available now",
            Self::Internal => "An error of ours",
        }
    }
}

/// What stands on the wire.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(title = "Problem", example = json!({
    "type": "urn:signalbox:problem:missing_field", "title": "A field is missing", "status": 400,
    "code": "missing_field", "detail": "missing field `symbol`", "field": "symbol", "pointer": "/symbol"
}))]
pub struct ProblemBody {
    /// `urn:signalbox:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    title: Cow<'static, str>,
    status: u16,
    code: Code,
    detail: Cow<'static, str>,
    /// The field that is to blame, as `items[2].price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// The same as a JSON pointer, `/items/2/price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pointer: Option<String>,
    /// Why risk control denied it, with the numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    denials: Vec<serde_json::Value>,
    /// The orders that are in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    orders: Vec<String>,
    /// Seconds, as in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

/// An error on its way out.
#[derive(Debug)]
pub struct Problem {
    // Boxed, since it stands in the `Err` of every handler.
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    field: Option<String>,
    pointer: Option<String>,
    denials: Vec<serde_json::Value>,
    orders: Vec<String>,
    retry_after: Option<u64>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self {
            inner: Box::new(Inner {
                code,
                detail: Cow::Borrowed(code.title()),
                field: None,
                pointer: None,
                denials: Vec::new(),
                orders: Vec::new(),
                retry_after: None,
                header: None,
            }),
        }
    }

    /// Words for people. They may name what the client sent, never what he may not see.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.inner.detail = detail.into();
        self
    }

    /// The field to blame, as `items[2].price`.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.inner.pointer = Some(pointer(&path));
        self.inner.field = Some(path);
        self
    }

    #[must_use]
    pub fn denials(mut self, denials: Vec<serde_json::Value>) -> Self {
        self.inner.denials = denials;
        self
    }

    /// The orders that are in the way, by their ids.
    #[must_use]
    pub fn orders(mut self, orders: Vec<String>) -> Self {
        self.inner.orders = orders;
        self
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        // Rounded up: whoever waits as told must not be refused again.
        self.inner.retry_after = Some(after.as_secs() + u64::from(after.subsec_nanos() > 0));
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.inner.header = Some((name, value));
        self
    }

    #[must_use]
    pub const fn code(&self) -> Code {
        self.inner.code
    }

    /// What stands on the wire.
    #[must_use]
    pub fn body(&self) -> ProblemBody {
        let Inner { code, detail, field, pointer, denials, orders, retry_after, .. } = &*self.inner;
        // Every refusal that time can heal says how much of it.
        let retry_after = match *code {
            Code::RateLimited | Code::Busy | Code::Unavailable => Some(retry_after.unwrap_or(1)),
            _ => *retry_after,
        };
        ProblemBody {
            kind: format!("urn:signalbox:problem:{code}"),
            title: Cow::Borrowed(code.title()),
            status: code.status().as_u16(),
            code: *code,
            detail: detail.clone(),
            field: field.clone(),
            pointer: pointer.clone(),
            denials: denials.clone(),
            orders: orders.clone(),
            retry_after,
        }
    }

    /// The same problem inside a list: its field is one of the `index`th item.
    #[must_use]
    pub fn within(mut self, list: &str, index: usize) -> Self {
        let path = match self.inner.field.take() {
            Some(field) => format!("{list}[{index}].{field}"),
            None => format!("{list}[{index}]"),
        };
        self.field(path)
    }

    /// Foreign or missing: one answer, so that nobody learns which.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound).detail("there is no such thing, or it is not yours to see")
    }

    #[must_use]
    pub fn forbidden(detail: &'static str) -> Self {
        Self::new(Code::Forbidden).detail(detail)
    }

    /// The request was read and one field of it refused.
    #[must_use]
    pub fn invalid(field: impl Into<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::ValidationFailed).detail(detail).field(field)
    }

    /// An error of ours: the chain goes to the log, the client learns nothing.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(error = %chain, "a request failed by our fault");
        Self::new(Code::Internal)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.code, self.inner.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.inner.code.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let Inner { code, header, .. } = &*self.inner;
        let status = code.status();
        let body = self.body();
        let retry_after = body.retry_after;
        let mut response = HttpResponseBuilder::new(status);
        if let Some(seconds) = retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some((name, value)) = header {
            response.insert_header((name.clone(), value.clone()));
        } else if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, challenge(*code)));
        }
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        response.extensions_mut().insert(*code);
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// What RFC 6750 wants to hear beside a 401.
fn challenge(code: Code) -> HeaderValue {
    HeaderValue::from_static(match code {
        Code::AuthenticationRequired => r#"Bearer realm="signalbox""#,
        Code::AuthorizationMalformed => r#"Bearer realm="signalbox", error="invalid_request""#,
        Code::TokenExpired => r#"Bearer realm="signalbox", error="invalid_token", error_description="expired""#,
        _ => r#"Bearer realm="signalbox", error="invalid_token""#,
    })
}

/// `items[2].price` as `/items/2/price`.
fn pointer(path: &str) -> String {
    let mut pointer = String::with_capacity(path.len() + 1);
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        Self::new(match error {
            AuthError::Invalid => Code::TokenInvalid,
            AuthError::WrongKind => Code::TokenWrongKind,
            AuthError::Expired => Code::TokenExpired,
            AuthError::Revoked => Code::TokenRevoked,
        })
    }
}

impl From<PeopleError> for Problem {
    fn from(error: PeopleError) -> Self {
        let text = error.to_string();
        match error {
            PeopleError::Credentials => Self::new(Code::InvalidCredentials),
            PeopleError::RefreshInvalid => Self::new(Code::RefreshTokenInvalid),
            PeopleError::RefreshReused => Self::new(Code::RefreshTokenReused).detail(text),
            PeopleError::Field { field, reason } => Self::invalid(field, reason),
            PeopleError::Password(_) => Self::new(Code::PasswordRefused).detail(text).field("password"),
            PeopleError::NotFound => Self::not_found(),
            PeopleError::Exists(_) => Self::new(Code::AlreadyExists).detail(text),
            PeopleError::LastAdmin => Self::new(Code::LastAdmin).detail(text),
            PeopleError::Full => Self::new(Code::LimitReached).detail(text),
            PeopleError::Busy { retry_after } => Self::new(Code::Busy).retry_after(retry_after),
            PeopleError::Conflict => Self::new(Code::Conflict),
            PeopleError::Unavailable => Self::new(Code::Unavailable),
            PeopleError::Internal => Self::internal(&error),
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Conflict => Self::new(Code::Conflict),
            ChangeError::Duplicate => Self::new(Code::AlreadyExists),
            ChangeError::Unavailable => Self::new(Code::Unavailable),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use strum::IntoEnumIterator as _;

    use super::*;

    #[tokio::test]
    async fn a_problem_says_the_same_in_header_and_body() {
        let problem = Problem::new(Code::RateLimited).detail("slow down").retry_after(Duration::from_millis(1_001));
        let response = problem.error_response();
        assert_eq!(response.headers().get("retry-after").and_then(|v| v.to_str().ok()), Some("2"));
        assert_eq!(
            response.headers().get("content-type").and_then(|v| v.to_str().ok()),
            Some("application/problem+json")
        );
        let body = to_bytes(response.into_body()).await.expect("body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("json");
        let expected = serde_json::json!({
            "type": "urn:signalbox:problem:rate_limited", "title": "Too fast", "status": 429,
            "code": "rate_limited", "detail": "slow down", "retry_after": 2,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn every_code_is_an_error_and_every_refusal_of_identity_a_challenge() {
        for code in Code::iter() {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code}");
            let response = Problem::new(code).error_response();
            assert_eq!(response.headers().contains_key("www-authenticate"), code.status() == 401, "{code}");
        }
    }

    #[test]
    fn a_path_becomes_a_pointer() {
        assert_eq!(pointer("items[2].price"), "/items/2/price");
        assert_eq!(pointer("a/b"), "/a~1b");
    }
}
