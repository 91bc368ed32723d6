//! A refused request leaves one line in the journal and nothing else: who wanted to change what, and why not.
//!
//! Looking at what one may not see is not noted, only trying to change something.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};
use signalbox_actors::journal::{Entry, Journal as _};
use signalbox_domain::event::Event;

use super::front::Front;
use super::problem::Code;
use crate::people::Principal;

/// Lines per second. People and programs are refused now and then; whoever is refused more often floods us, and the
/// first lines of each second say who. The rest is counted, so a flood grows the journal by a few kilobytes a second.
const LINES_PER_SECOND: u32 = 20;
const WINDOW: Duration = Duration::from_secs(1);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asked, kept with the request once it is proved.
#[derive(Debug, Clone)]
pub(super) struct Asker(Arc<str>);

impl Asker {
    pub(super) fn of(principal: &Principal) -> Self {
        Self(principal.client().as_str().into())
    }
}

/// How many lines this second has, and how many refusals it has beyond.
#[derive(Debug, Default)]
pub struct Refused {
    number: AtomicU64,
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    unwritten: u64,
}

/// What is to be done with a refusal.
enum Take {
    Write,
    Count,
    /// The first beyond the bound: the count is written once the second is over.
    CountAndSum,
}

impl Refused {
    fn take(&self) -> Take {
        let now = crate::clock::stopwatch();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        // A window with a count stays until the count is written.
        let over = |w: &Window| w.unwritten == 0 && now.duration_since(w.began) >= WINDOW;
        let window = match &mut *window {
            Some(window) if !over(window) => window,
            old => old.insert(Window { began: now, lines: 0, unwritten: 0 }),
        };
        if window.lines < LINES_PER_SECOND {
            window.lines += 1;
            return Take::Write;
        }
        window.unwritten += 1;
        if window.unwritten == 1 { Take::CountAndSum } else { Take::Count }
    }

    fn sum(&self) -> u64 {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner).take();
        window.map_or(0, |window| window.unwritten)
    }
}

/// Looks at every answer.
pub(super) async fn note(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let mut response = next.call(request).await?;
    if changes
        && response.status().is_client_error()
        && let Some(front) = response.request().app_data::<web::Data<Front>>().cloned()
    {
        let n = front.refused.number.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("req-{}-{n}", front.store.epoch());
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        match front.refused.take() {
            Take::Write => write(&front, refusal(&response, id)),
            Take::Count => {}
            Take::CountAndSum => {
                actix_web::rt::spawn(async move {
                    tokio::time::sleep(WINDOW).await;
                    write(&front, Event::RequestsRefused { unwritten: front.refused.sum() });
                });
            }
        }
    }
    Ok(response)
}

fn refusal<B>(response: &ServiceResponse<B>, id: String) -> Event {
    let request = response.request();
    let who = request.extensions().get::<Asker>().map(|asker| asker.0.clone());
    // The route as the document writes it: what a stranger typed is not kept.
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let code: &'static str = response.response().extensions().get::<Code>().copied().map_or("none", Into::into);
    Event::RequestRefused {
        who,
        method: request.method().as_str().chars().take(16).collect::<String>().into(),
        route: route.into(),
        status: response.status().as_u16(),
        code: code.into(),
        request: id.into(),
    }
}

fn write(front: &Front, event: Event) {
    let (actor, cause) = ("door".into(), "request".into());
    front.store.append(Entry { at: front.now(), actor, cause, events: vec![event], rows: Vec::new() });
}
