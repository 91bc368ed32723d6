//! What happens, as it happens: server-sent events and a WebSocket, both from the journal.
//!
//! Each client is at a place in the journal. New facts come to it from memory; one that lags behind them, or comes back
//! with the number of the last fact that it saw, reads the table from there. So a slow client costs the memory of one
//! page, and misses nothing.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use actix_ws::{AggregatedMessage, CloseCode, CloseReason};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{self, error::RecvError};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::Refusals;
use super::auth::{Authenticated, bearer, require};
use super::event_view::{EventView, Legs};
use super::front::Front;
use super::json::StrictQuery;
use super::problem::{Code, Problem};
use crate::people::{People, Principal, Scope};
use crate::store::{Committed, EventFilter, JournalLine};

/// Lines that are read and sent at once: half a megabyte at most.
const PAGE: u64 = 200;
/// Proxies close what is silent for a minute. The token is looked at as often.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A subscription is a short list of words.
const MESSAGE_MAX: usize = 4 * 1024;

pub fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(stream_events).service(open_socket);
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The last fact that one has seen: the stream goes on behind it. The header `Last-Event-ID` comes first.
    #[param(nullable = false)]
    last_event_id: Option<u64>,
}

/// One client's place in the journal.
struct Feed {
    front: web::Data<Front>,
    people: web::Data<People>,
    token: String,
    sight: Sight,
    commits: broadcast::Receiver<std::sync::Arc<Committed>>,
    last_seq: u64,
    /// The table may have facts behind `last_seq` that will not come from memory.
    behind: bool,
    /// Gives its place among the streams back.
    _permit: OwnedSemaphorePermit,
}

/// What the client may see.
struct Sight {
    filter: EventFilter,
    administration: bool,
}

impl Sight {
    fn of(principal: &Principal, front: &Front) -> Self {
        let accounts = front.readable_filter(principal);
        let strategies = front.readable_signals(principal).unwrap_or_default();
        Self {
            filter: EventFilter { accounts, strategies, ..EventFilter::default() },
            administration: principal.is_admin(),
        }
    }

    fn sees(&self, line: &JournalLine) -> bool {
        (self.administration || line.kind != "administered") && self.filter.matches(line)
    }

    fn view(&self, line: &JournalLine) -> EventView {
        EventView::of(line, self.filter.accounts.as_deref().map_or(Legs::All, Legs::Of))
    }
}

/// What a feed brings.
enum Brought {
    /// In the order of the journal; not empty.
    Events(Vec<EventView>),
    /// Nothing for a while.
    Silence,
    /// The token is not good any more, or the process ends.
    End,
}

impl Feed {
    async fn open(
        principal: &Principal,
        req: &HttpRequest,
        last: Option<u64>,
        front: web::Data<Front>,
        people: web::Data<People>,
    ) -> Result<Self, Problem> {
        let permit = front.streams.clone().try_acquire_owned().map_err(|_| {
            Problem::new(Code::Busy).detail("too many event streams are open").retry_after(Duration::from_secs(5))
        })?;
        let token = bearer(req)?.unwrap_or_default().to_owned();
        // Before the look at the table, so that nothing falls between the two.
        let commits = front.store.subscribe();
        let newest = front.store.journal_page(&EventFilter::default(), None, 1).await?;
        let newest = newest.first().map_or(0, |line| line.seq);
        // A number from another life of the data folder is not waited for.
        let last_seq = last.map_or(newest, |last| last.min(newest));
        Ok(Self {
            sight: Sight::of(principal, &front),
            front,
            people,
            token,
            commits,
            last_seq,
            behind: last_seq < newest,
            _permit: permit,
        })
    }

    /// Can be dropped while it waits: it moves only when it has something.
    async fn next(&mut self) -> Brought {
        loop {
            if self.behind {
                let read = self.front.store.events_since(self.last_seq, &self.sight.filter, PAGE).await;
                let lines = match read {
                    Ok(lines) => lines,
                    Err(error) => {
                        let error: &(dyn std::error::Error + Send + Sync) = &error;
                        tracing::warn!(error, "an event stream ends: the journal cannot be read");
                        return Brought::End;
                    }
                };
                self.behind = lines.len() as u64 == PAGE;
                self.last_seq = lines.last().map_or(self.last_seq, |line| line.seq);
                let events = self.views(lines.iter());
                if !events.is_empty() {
                    return Brought::Events(events);
                }
                continue;
            }
            match tokio::time::timeout(HEARTBEAT, self.commits.recv()).await {
                Ok(Ok(committed)) => {
                    let since = self.last_seq;
                    let new = || committed.lines.iter().filter(|line| line.seq > since);
                    self.last_seq = new().next_back().map_or(since, |line| line.seq);
                    let events = self.views(new());
                    if !events.is_empty() {
                        return Brought::Events(events);
                    }
                }
                Ok(Err(RecvError::Lagged(_))) => self.behind = true,
                Ok(Err(RecvError::Closed)) => return Brought::End,
                Err(_) => {
                    // Grants and accounts may have changed as well.
                    let Ok(principal) = self.people.authenticate(&self.token) else { return Brought::End };
                    self.sight = Sight::of(&principal, &self.front);
                    return Brought::Silence;
                }
            }
        }
    }

    fn views<'a>(&self, lines: impl Iterator<Item = &'a JournalLine>) -> Vec<EventView> {
        lines.filter(|line| self.sight.sees(line)).map(|line| self.sight.view(line)).collect()
    }
}

fn may_listen(principal: &Principal) -> Result<(), Problem> {
    // Facts are about accounts; whoever may read those may listen.
    require(principal, Scope::AccountsRead)
}

/// The events of the accounts and strategies that one may see, as server-sent events.
///
/// `id:` is the place in the journal: after an interruption send the last one as `Last-Event-ID`, and nothing is missed.
/// A comment comes every 15 seconds when nothing else does. The stream ends when the access token does: come back with
/// a new one.
#[utoipa::path(tag = "events", security(("access_token" = []), ("api_key" = [])),
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "A stream of events"),
        Refusals))]
#[get("/v1/events")]
async fn stream_events(
    Authenticated(principal): Authenticated,
    req: HttpRequest,
    query: StrictQuery<EventsQuery>,
    front: web::Data<Front>,
    people: web::Data<People>,
) -> Result<HttpResponse, Problem> {
    may_listen(&principal)?;
    let last = match req.headers().get("last-event-id") {
        None => query.0.last_event_id,
        Some(value) => {
            let seq = value.to_str().ok().and_then(|text| text.parse().ok());
            Some(seq.ok_or_else(|| {
                Problem::new(Code::MalformedRequest).detail("Last-Event-ID is a number").field("Last-Event-ID")
            })?)
        }
    };
    let feed = Feed::open(&principal, &req, last, front, people).await?;
    // The first bytes at once, so that the client knows that it is connected.
    let hello = futures_util::stream::iter([Ok::<_, actix_web::Error>(web::Bytes::from_static(b": connected\n\n"))]);
    let events = futures_util::stream::unfold(feed, |mut feed| async move {
        let bytes = match feed.next().await {
            Brought::Events(events) => sse(&events),
            Brought::Silence => web::Bytes::from_static(b": still here\n\n"),
            Brought::End => return None,
        };
        Some((Ok(bytes), feed))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // For proxies that would collect the stream before they pass it on.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(hello.chain(events)))
}

fn sse(events: &[EventView]) -> web::Bytes {
    let mut text = Vec::with_capacity(events.len() * 400);
    for event in events {
        text.extend_from_slice(format!("id: {}\nevent: {}\ndata: ", event.seq, event.kind).as_bytes());
        // JSON has its line breaks escaped, so it is one line.
        if serde_json::to_writer(&mut text, event).is_err() {
            text.extend_from_slice(b"{}");
        }
        text.extend_from_slice(b"\n\n");
    }
    text.into()
}

/// Kinds of facts that one can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, strum::EnumIter)]
#[serde(rename_all = "snake_case")]
enum Topic {
    Signals,
    Orders,
    /// Those of the orders that are fills.
    Fills,
    Accounts,
    Strategies,
    Risk,
    /// For administrators.
    Audit,
}

impl Topic {
    fn has(self, kind: &str) -> bool {
        match self {
            Self::Signals => kind.starts_with("signal_"),
            Self::Orders => kind.starts_with("order_"),
            Self::Fills => matches!(kind, "order_filled" | "order_netted"),
            Self::Accounts => matches!(kind, "account_opened" | "day_started"),
            Self::Strategies => kind.starts_with("strategy_"),
            Self::Risk => matches!(kind, "trading_state_set" | "order_denied" | "signal_denied"),
            Self::Audit => kind == "administered",
        }
    }
}

/// Who wants nothing within so long does not keep a socket.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(60);

/// What a client says over the socket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Subscribe { topics: Vec<Topic> },
    Unsubscribe { topics: Vec<Topic> },
    Ping,
}

/// What it hears.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Heard<'a> {
    Subscribed {
        topics: &'a BTreeSet<Topic>,
    },
    #[schema(value_type = Object)]
    Event(&'a EventView),
    Pong,
    Error {
        detail: String,
    },
}

/// The same events over a WebSocket, by topic.
///
/// Send `{"type":"subscribe","topics":["orders","signals"]}`; each event comes as `{"type":"event","seq":...}`. Nothing
/// is sent before a subscription. `last_event_id` in the query resumes as it does for the event stream.
#[utoipa::path(tag = "events", security(("access_token" = []), ("api_key" = [])), params(EventsQuery),
    responses((status = 101, description = "Talk WebSocket from here on"), Refusals))]
#[get("/v1/ws")]
async fn open_socket(
    Authenticated(principal): Authenticated,
    req: HttpRequest,
    query: StrictQuery<EventsQuery>,
    payload: web::Payload,
    front: web::Data<Front>,
    people: web::Data<People>,
) -> Result<HttpResponse, Problem> {
    may_listen(&principal)?;
    let (response, session, messages) = actix_ws::handle(&req, payload)
        .map_err(|_| Problem::new(Code::MalformedRequest).detail("this is not a WebSocket handshake"))?;
    let feed = Feed::open(&principal, &req, query.0.last_event_id, front, people).await?;
    let messages = messages.max_frame_size(MESSAGE_MAX).aggregate_continuations().max_continuation_size(MESSAGE_MAX);
    actix_web::rt::spawn(talk(feed, session, messages));
    Ok(response)
}

async fn talk(mut feed: Feed, mut session: actix_ws::Session, mut messages: actix_ws::AggregatedMessageStream) {
    let mut topics: BTreeSet<Topic> = BTreeSet::new();
    let mut out: VecDeque<String> = VecDeque::new();
    let mut subscribed = false;
    let patience = tokio::time::sleep(SUBSCRIBE_WITHIN);
    tokio::pin!(patience);
    loop {
        tokio::select! {
            () = &mut patience, if !subscribed => {
                let reason = CloseReason { code: CloseCode::Policy, description: Some("subscribe".to_owned()) };
                let _ = session.close(Some(reason)).await; // it is over either way
                return;
            }
            message = messages.recv() => match message {
                Some(Ok(AggregatedMessage::Text(text))) => {
                    out.push_back(hear(&text, &mut topics));
                    subscribed |= !topics.is_empty();
                }
                Some(Ok(AggregatedMessage::Ping(bytes))) => {
                    if session.pong(&bytes).await.is_err() {
                        return;
                    }
                }
                Some(Ok(AggregatedMessage::Pong(_))) => {}
                Some(Ok(AggregatedMessage::Binary(_))) => {
                    out.push_back(text_of(&Heard::Error { detail: "send text, please".to_owned() }));
                }
                Some(Ok(AggregatedMessage::Close(_)) | Err(_)) | None => {
                    let _ = session.close(None).await; // whoever closed does not wait for it
                    return;
                }
            },
            // Before the first subscription nothing is passed by: a client that resumes says first what it wants.
            brought = feed.next(), if subscribed => match brought {
                Brought::Events(events) => {
                    let wanted = events.iter().filter(|event| topics.iter().any(|topic| topic.has(&event.kind)));
                    out.extend(wanted.map(|event| text_of(&Heard::Event(event))));
                }
                Brought::Silence => {
                    if session.ping(b"").await.is_err() {
                        return;
                    }
                }
                Brought::End => {
                    let reason = CloseReason { code: CloseCode::Policy, description: Some("come back".to_owned()) };
                    let _ = session.close(Some(reason)).await; // it is over either way
                    return;
                }
            },
        }
        // Waits for a slow client; meanwhile its place in the journal stays where it is.
        while let Some(text) = out.pop_front() {
            if session.text(text).await.is_err() {
                return;
            }
        }
    }
}

fn hear(text: &str, topics: &mut BTreeSet<Topic>) -> String {
    match serde_json::from_str(text) {
        Ok(Said::Subscribe { topics: more }) => topics.extend(more),
        Ok(Said::Unsubscribe { topics: fewer }) => topics.retain(|topic| !fewer.contains(topic)),
        Ok(Said::Ping) => return text_of(&Heard::Pong),
        Err(error) => return text_of(&Heard::Error { detail: error.to_string() }),
    }
    text_of(&Heard::Subscribed { topics })
}

fn text_of(heard: &Heard<'_>) -> String {
    serde_json::to_string(heard).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_understands_subscriptions_and_says_what_it_does_not() {
        let mut topics = BTreeSet::new();
        let answer = hear(r#"{"type":"subscribe","topics":["orders","risk"]}"#, &mut topics);
        assert_eq!(answer, r#"{"type":"subscribed","topics":["orders","risk"]}"#);
        assert_eq!(
            hear(r#"{"type":"unsubscribe","topics":["risk"]}"#, &mut topics),
            r#"{"type":"subscribed","topics":["orders"]}"#
        );
        assert_eq!(hear(r#"{"type":"ping"}"#, &mut topics), r#"{"type":"pong"}"#);
        for text in ["", "[]", r#"{"type":"subscribe"}"#, r#"{"type":"subscribe","topics":["all"]}"#] {
            assert!(hear(text, &mut topics).starts_with(r#"{"type":"error""#), "{text}");
        }
    }
}
