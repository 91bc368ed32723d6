//! From a request's words to a signal that can be stored: what signals and manual orders have in common.
//!
//! This is the way of every signal, thousands of times a second, so text is borrowed from the body where it can be.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use signalbox_actors::crash::crash_point;
use signalbox_domain::contract::Effect;
use signalbox_domain::ids::{ClientId, SignalId};
use signalbox_domain::order::{OrdType, Side, TimeInForce};
use signalbox_domain::signal::Signal;
use signalbox_domain::units::Price;
use utoipa::ToSchema;

use super::dto::PriceIn;
use super::front::Front;
use super::problem::{Code, Problem};
use crate::store::{Ingested, NewSignal, body_hash};

/// A key is a name with a date and a number, or a UUID; four times that is enough.
const KEY_MAX: usize = 128;

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Text of a request, without a copy unless it has escapes.
#[derive(Debug, Clone)]
pub struct Str<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl<'de> Visitor<'de> for StrVisitor {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(StrVisitor)
    }
}

/// 买卖方向
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Side)]
pub enum SideIn {
    Buy,
    Sell,
}

/// 限价, 市价
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderType)]
pub enum TypeIn {
    Market,
    Limit,
}

/// Until the end of the day, or immediate-or-cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TimeInForce)]
pub enum TimeInForceIn {
    Day,
    Ioc,
}

/// Of contracts only.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PositionEffect)]
pub enum EffectIn {
    Open,
    Close,
    CloseToday,
    CloseYesterday,
}

impl From<EffectIn> for Effect {
    fn from(effect: EffectIn) -> Self {
        match effect {
            EffectIn::Open => Self::Open,
            EffectIn::Close => Self::Close,
            EffectIn::CloseToday => Self::CloseToday,
            EffectIn::CloseYesterday => Self::CloseYesterday,
        }
    }
}

impl From<SideIn> for Side {
    fn from(side: SideIn) -> Self {
        match side {
            SideIn::Buy => Self::Buy,
            SideIn::Sell => Self::Sell,
        }
    }
}

impl From<TimeInForceIn> for TimeInForce {
    fn from(tif: TimeInForceIn) -> Self {
        match tif {
            TimeInForceIn::Day => Self::Day,
            TimeInForceIn::Ioc => Self::Ioc,
        }
    }
}

/// The type and its price, which have to agree. Without a type, a price makes it a limit order.
///
/// # Errors
/// 422 with the field.
pub fn price_of(ord_type: Option<TypeIn>, price: Option<PriceIn>) -> Result<(OrdType, Option<Price>), Problem> {
    let price = price.map(|price| price.get("limit_price")).transpose()?;
    match (ord_type, price) {
        (Some(TypeIn::Market), Some(_)) => Err(Problem::invalid("limit_price", "a market order has no limit price")),
        (Some(TypeIn::Limit), None) => Err(Problem::invalid("limit_price", "a limit order needs a limit price")),
        (_, Some(price)) => Ok((OrdType::Limit, Some(price))),
        (_, None) => Ok((OrdType::Market, None)),
    }
}

/// The key that makes a repeat safe, from the header or the body.
///
/// # Errors
/// 400 without one or with a header that is none, 422 with two that differ or a field that is none.
pub fn key_of<'a>(header: Option<&'a str>, body: Option<&'a Str<'_>>) -> Result<&'a str, Problem> {
    let body = body.map(|key| &*key.0);
    let (key, field) = match (header, body) {
        (Some(header), Some(body)) if header != body => {
            return Err(Problem::invalid("client_signal_id", "it differs from the header Idempotency-Key"));
        }
        (_, Some(body)) => (body, "client_signal_id"),
        (Some(header), None) => (header, "Idempotency-Key"),
        (None, None) => {
            return Err(Problem::new(Code::IdempotencyKeyRequired)
                .detail("send the header Idempotency-Key, or client_signal_id in the body")
                .field("client_signal_id"));
        }
    };
    if field == "Idempotency-Key" && !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(invalid_key("visible characters of ASCII, without spaces"));
    }
    if key.trim().is_empty() || key.len() > KEY_MAX || key.chars().any(is_unseen) {
        const KEY: &str = "1 to 128 bytes of characters that can be seen";
        return Err(if field == "Idempotency-Key" { invalid_key(KEY) } else { Problem::invalid(field, KEY) });
    }
    Ok(key)
}

/// The header `Idempotency-Key`.
///
/// # Errors
/// 400 when it is there twice, or is no text.
pub fn header_key(req: &HttpRequest) -> Result<Option<&str>, Problem> {
    let mut values = req.headers().get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid_key("one header Idempotency-Key, not several"));
    }
    let text = value.to_str().map_err(|_| invalid_key("visible characters of ASCII alone"))?;
    Ok(Some(text))
}

fn invalid_key(detail: &'static str) -> Problem {
    Problem::new(Code::IdempotencyKeyInvalid).detail(detail).field("Idempotency-Key")
}

/// Two keys that look alike to a person who compares logs are one key: of what leaves no mark, a plain space alone may be
/// in it. Those of Unicode's format characters that programs leave behind are here.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The stored signal of this client and key, if one is, although the request would be refused now: who repeats an
/// accepted request gets the same answer, whatever has become of the strategy since.
///
/// # Errors
/// `refusal` when there is none.
pub async fn replay_or(refusal: Problem, front: &Front, signal: &Signal) -> Result<Ingested, Problem> {
    stored_before(front, signal).await?.ok_or(refusal)
}

async fn stored_before(front: &Front, signal: &Signal) -> Result<Option<Ingested>, Problem> {
    if let Some(stored) = front.store.signal_by_key(&signal.client, &signal.client_signal_id).await? {
        let same = body_hash(&stored.signal) == body_hash(signal);
        return Ok(Some(if same { Ingested::Replayed(stored.signal) } else { Ingested::Reused }));
    }
    // After the rows: a signal whose rows are dropped between the two questions is found by the second.
    let kept = front.store.kept_by_key(&signal.client, &signal.client_signal_id).await?;
    Ok(kept.map(|kept| match kept.body_hash == body_hash(signal) {
        true => Ingested::Replayed(kept.of(signal).into()),
        false => Ingested::Reused,
    }))
}

/// The signal with its end: what may not trade before some time and names no end lives until the end of the first session
/// from that time on, since the one in which it came may be over by then.
///
/// # Errors
/// 422 when its end is before its beginning, or no session is known then.
pub async fn bounded(front: &Front, mut signal: Signal) -> Result<Signal, Problem> {
    let Some(from) = signal.execution.as_ref().and_then(|it| it.not_before) else { return Ok(signal) };
    if let Some(until) = signal.valid_until {
        return match until > from {
            true => Ok(signal),
            false => Err(Problem::invalid("not_before", "before valid_until, please: it could never trade")),
        };
    }
    let end = front.market.session_end(signal.symbol, from);
    if from > signal.received_at {
        let end = end.ok_or_else(|| Problem::invalid("not_before", "no session is known at that time"))?;
        signal.valid_until = Some(end);
    } else if end.is_some() {
        // Its time has come since: it may be the repeat of what was stored with this end.
        let before = Signal { valid_until: end, ..signal.clone() };
        if let Some(Ingested::Replayed(_)) = stored_before(front, &before).await? {
            return Ok(before);
        }
    }
    Ok(signal)
}

/// # Errors
/// 503 when it could not be made durable.
pub async fn ingest(front: &Front, signal: Signal) -> Result<Ingested, Problem> {
    let body_hash = body_hash(&signal);
    crash_point("door.before_ingest");
    Ok(front.store.ingest(NewSignal { signal, body_hash }).await?)
}

/// What became of one signal at the door.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    #[schema(example = "sig-1")]
    pub id: String,
    /// What became of it later is told by GET /v1/signals/{id}.
    #[schema(example = "accepted")]
    pub status: &'static str,
    pub client_signal_id: String,
}

#[must_use]
pub fn reused() -> Problem {
    Problem::new(Code::SignalIdReused).detail("this key belongs to another signal of yours").field("client_signal_id")
}

/// # Errors
/// 422 when the key belongs to another request.
pub fn answer(ingested: Ingested) -> Result<HttpResponse, Problem> {
    let (signal, replayed) = match ingested {
        Ingested::Accepted(signal) => (signal, false),
        Ingested::Replayed(signal) => (signal, true),
        Ingested::Reused => return Err(reused()),
    };
    crash_point("door.before_answer");
    let mut response = HttpResponse::Accepted();
    response.insert_header((header::LOCATION, location(signal.id)));
    if replayed {
        response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
    Ok(response.json(accepted(&signal)))
}

fn accepted(signal: &Signal) -> Accepted {
    Accepted { id: signal.id.to_string(), status: "accepted", client_signal_id: signal.client_signal_id.to_string() }
}

#[must_use]
pub fn location(id: SignalId) -> String {
    format!("/v1/signals/{id}")
}

/// Who sends, as the journal writes it.
#[must_use]
pub fn who(client: &ClientId) -> Arc<str> {
    client.as_str().into()
}
