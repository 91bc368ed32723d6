//! Bodies, queries and paths, read strictly: what is not understood is refused, and the answer names the field.

use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// The largest signal with a long note has 4 KiB.
pub const BODY_MAX: usize = 64 * 1024;

/// A JSON body of at most `MAX` bytes. Use types with `deny_unknown_fields`.
pub struct StrictJson<T, const MAX: usize = BODY_MAX>(pub T);

/// The same, where the body may be left away, or `null`.
pub struct OptionalJson<T, const MAX: usize = BODY_MAX>(pub Option<T>);

/// Bodies hold passwords: nothing of them is printed.
impl<T, const MAX: usize> fmt::Debug for StrictJson<T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StrictJson")
    }
}

impl<T, const MAX: usize> fmt::Debug for OptionalJson<T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OptionalJson")
    }
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

impl<T: DeserializeOwned + 'static, const MAX: usize> FromRequest for StrictJson<T, MAX> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = check_kind(req);
        let (length, payload) = (declared_length(req), payload.take());
        Box::pin(async move {
            kind?;
            let bytes = read(payload, length, MAX).await?;
            parse_json(&bytes).map(Self)
        })
    }
}

impl<T: DeserializeOwned + 'static, const MAX: usize> FromRequest for OptionalJson<T, MAX> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = check_kind(req);
        let (length, payload) = (declared_length(req), payload.take());
        Box::pin(async move {
            let bytes = read(payload, length, MAX).await?;
            if bytes.is_empty() {
                return Ok(Self(None));
            }
            kind?;
            if bytes.trim_ascii() == b"null" {
                return Ok(Self(None));
            }
            parse_json(&bytes).map(|value| Self(Some(value)))
        })
    }
}

/// The bytes of a JSON body of at most `MAX`, for handlers that parse them in place.
pub struct JsonBytes<const MAX: usize = BODY_MAX>(pub Vec<u8>);

impl<const MAX: usize> fmt::Debug for JsonBytes<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonBytes")
    }
}

impl<const MAX: usize> FromRequest for JsonBytes<MAX> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = check_kind(req);
        let (length, payload) = (declared_length(req), payload.take());
        Box::pin(async move {
            kind?;
            read(payload, length, MAX).await.map(Self)
        })
    }
}

/// The same as [`parse_json`], faster where nothing is wrong: the path to an error is looked for only when there is one.
///
/// # Errors
/// As [`parse_json`].
pub fn parse_json_fast<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Problem> {
    no_nul(bytes)?;
    if bytes.first() == Some(&b'{')
        && let Ok(value) = serde_json::from_slice(bytes)
    {
        return Ok(value);
    }
    parse_json(bytes)
}

/// Parses JSON as every body is parsed. For bodies that are kept as bytes too.
///
/// # Errors
/// 400 with the field and what is wrong with it.
pub fn parse_json<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Problem> {
    no_nul(bytes)?;
    // Serde would read a struct from a list of its fields in order: nobody means that.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| *b != b'{') {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|error| json_problem(&error, "."))?;
        return Err(Problem::new(Code::InvalidField).detail("the body is a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        json_problem(error.inner(), &path)
    })?;
    json.end().map_err(|error| json_problem(&error, "."))?;
    Ok(value)
}

/// A NUL in a text ends it in some programs, and PostgreSQL stores none: it never comes further than this.
fn no_nul(bytes: &[u8]) -> Result<(), Problem> {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        // An escaped backslash is not the beginning of another escape.
        if rest[at + 1..].starts_with(b"u0000") {
            return Err(Problem::new(Code::InvalidField).detail("a text holds a NUL character"));
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    Ok(())
}

fn json_problem(error: &serde_json::Error, path: &str) -> Problem {
    use serde_json::error::Category;
    // Where in the text it was says nothing that the path does not, and doubles the length of the sentence.
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default().to_owned();
    let code = match error.classify() {
        Category::Data if text.starts_with("unknown field") => Code::UnknownField,
        Category::Data if text.starts_with("missing field") => Code::MissingField,
        Category::Data if text.starts_with("duplicate field") => Code::DuplicateField,
        Category::Data => Code::InvalidField,
        Category::Syntax | Category::Eof | Category::Io => Code::MalformedJson,
    };
    // "invalid type: integer `12345678`, expected a string": what was sent may be a secret in the wrong form.
    let told = match text.split_once(", expected ") {
        Some((start, wanted)) if start.starts_with("invalid ") => format!("expected {wanted}"),
        _ => text.clone(),
    };
    let problem = Problem::new(code).detail(shorten(&told));
    if code == Code::MalformedJson {
        return problem;
    }
    // The path ends at the object that lacks or doubles a field: the sentence has its name.
    let named = match code {
        Code::MissingField | Code::DuplicateField => text.split('`').nth(1),
        Code::UnknownField if !path.ends_with(text.split('`').nth(1).unwrap_or_default()) => text.split('`').nth(1),
        _ => None,
    };
    match (path, named) {
        (".", None) => problem,
        (".", Some(name)) => problem.field(name),
        (path, None) => problem.field(shorten(path)),
        (path, Some(name)) => problem.field(shorten(&format!("{path}.{name}"))),
    }
}

/// What the client sent comes back in errors, but not all of it.
fn shorten(text: &str) -> String {
    const KEPT: usize = 200;
    if text.chars().count() <= KEPT { text.to_owned() } else { text.chars().take(KEPT).chain(['…']).collect() }
}

fn check_kind(req: &HttpRequest) -> Result<(), Problem> {
    let headers = req.headers();
    if headers.get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return Err(Problem::new(Code::UnsupportedMediaType).detail("compressed bodies are not read"));
    }
    if req.content_type().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType).detail("send `Content-Type: application/json`"))
}

fn declared_length(req: &HttpRequest) -> Option<usize> {
    req.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(mut payload: Payload, length: Option<usize>, max: usize) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge).detail(format!("a body here has at most {max} bytes"));
    if length.is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(length.unwrap_or_default());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::MalformedRequest).detail("the body broke off"))?;
        if bytes.len() + chunk.len() > max {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The query string. Use types with `deny_unknown_fields`.
#[derive(Debug)]
pub struct StrictQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequest for StrictQuery<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse_query(req.query_string()).map(Self))
    }
}

fn parse_query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let query = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(query).map_err(|error| {
        let path = error.path().to_string();
        let text = error.inner().to_string();
        let problem = Problem::new(Code::InvalidQuery).detail(shorten(&text));
        let named = text.split('`').nth(1);
        match (path.as_str(), named) {
            ("." | "", None) => problem,
            ("." | "", Some(name)) => problem.field(shorten(name)),
            (path, _) => problem.field(shorten(path)),
        }
    })
}

/// One part of the path. Text that cannot name anything here is simply not found.
#[derive(Debug)]
pub struct PathName(pub String);

impl FromRequest for PathName {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let name = actix_web::web::Path::<String>::extract(req).into_inner();
        ready(name.map(|name| Self(name.into_inner())).map_err(|_| Problem::not_found()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        symbol: String,
        #[serde(default)]
        legs: Vec<Leg>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Leg {
        qty: u32,
    }

    fn refusal(text: &str) -> (Code, Option<serde_json::Value>) {
        let problem = parse_json::<Order>(text.as_bytes()).expect_err(text);
        let code = problem.code();
        let body = serde_json::to_value(format!("{problem:?}")).expect("text");
        let field =
            body.as_str().and_then(|text| text.split("field: Some(\"").nth(1)?.split('"').next().map(Into::into));
        (code, field)
    }

    #[test]
    fn an_error_names_its_field() {
        for (text, code, field) in [
            (r#"{"symbol":1}"#, Code::InvalidField, Some("symbol")),
            (r#"{"symbol":"a","legs":[{"qty":1},{"qty":-1}]}"#, Code::InvalidField, Some("legs[1].qty")),
            (r#"{"symbol":"a","legs":[{}]}"#, Code::MissingField, Some("legs[0].qty")),
            (r#"{"symbol":"a","symbol":"b"}"#, Code::DuplicateField, Some("symbol")),
            (r#"{"symbol":"a","admin":true}"#, Code::UnknownField, Some("admin")),
            (r#"{"legs":[]}"#, Code::MissingField, Some("symbol")),
            (r#"{"symbol":"#, Code::MalformedJson, None),
            (r#"{"symbol":"a"} x"#, Code::MalformedJson, None),
            ("NaN", Code::MalformedJson, None),
            ("", Code::MalformedJson, None),
            ("[]", Code::InvalidField, None),
        ] {
            let (is_code, is_field) = refusal(text);
            assert_eq!(is_code, code, "{text}");
            assert_eq!(is_field, field.map(Into::into), "{text}");
        }
    }

    #[test]
    fn a_nul_comes_no_further_and_what_only_looks_like_one_does() {
        assert!(no_nul(br#"{"reason":"a\\u0000b"}"#).is_ok(), "an escaped backslash, and letters after it");
        assert!(no_nul(br#"{"reason":"a\u0000b"}"#).is_err());
        assert!(no_nul(br#"{"reason":"\\\u0000"}"#).is_err(), "an escaped backslash, and a NUL after it");
        assert!(no_nul(br#"{"reason":"\"#).is_ok(), "broken in another way");
    }

    #[test]
    fn depth_and_length_do_not_hurt() {
        assert_eq!(refusal(&"[".repeat(10_000)).0, Code::MalformedJson);
        let deep = format!(r#"{{"symbol":"a","legs":{}"#, "[".repeat(10_000));
        assert!(matches!(refusal(&deep).0, Code::InvalidField | Code::MalformedJson));
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(10_000));
        let problem = parse_json::<Order>(long.as_bytes()).expect_err("unknown");
        assert!(problem.to_string().len() < 400, "{problem}");
    }

    #[test]
    fn a_query_is_as_strict_as_a_body() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Query {
            limit: Option<u32>,
        }
        assert_eq!(parse_query::<Query>("limit=5").expect("query").limit, Some(5));
        for text in ["limit=x", "limit=-1", "limit=", "limit=1&limit=2", "other=1"] {
            let problem = parse_query::<Query>(text).expect_err(text);
            assert_eq!(problem.code(), Code::InvalidQuery, "{text}");
        }
    }
}
