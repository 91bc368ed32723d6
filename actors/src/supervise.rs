//! Supervision: run one life of an actor after another, each built anew.
//!
//! actix's own supervisor restarts the *same* instance, and not at all after a panic. Here a life that panics is
//! over, whatever it had in memory is gone, and the factory builds the next one from what is durable.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context};
use futures_util::FutureExt;

/// How one life of an actor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It stopped itself: it was told to drain.
    Stopped,
    Panicked(String),
}

/// How often an actor may panic before it is given up.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Lives that may end by a panic within `window`; the next panic is the last.
    pub panics_max: usize,
    pub window: Duration,
    /// Before the next life begins.
    pub pause: Duration,
}

impl Policy {
    /// A second panic within ten minutes is no accident.
    pub const REBUILD: Self =
        Self { panics_max: 1, window: Duration::from_secs(600), pause: Duration::from_millis(100) };
    /// For actors whose state others rely on in memory: the process ends and everything is rebuilt.
    pub const FAIL_STOP: Self = Self { panics_max: 0, window: Duration::ZERO, pause: Duration::ZERO };
}

/// Runs lives of an actor on this thread until one stops itself or too many have panicked. `build` makes an actor from
/// durable state, which may take a while; `on_life` learns the address of each life; `on_end` how the last one ended.
///
/// The address of the next life is known before it is built: what is told to it meanwhile waits in its mailbox, so that
/// between what `build` reads and what the mailbox holds nothing is missing. That of the first life is known when this
/// returns: who is started before another one may have something to tell it at once. A panic while building counts like
/// any other.
pub fn supervise<A, B, F>(
    policy: Policy,
    mut build: B,
    mut on_life: impl FnMut(Addr<A>) + 'static,
    on_panic: impl Fn(&str) + 'static,
    on_end: impl FnOnce(Exit) + 'static,
) where
    A: Actor<Context = Context<A>>,
    B: FnMut(usize) -> F + 'static,
    F: Future<Output = A> + 'static,
{
    let first = Context::new();
    on_life(first.address());
    let mut first = Some(first);
    actix::spawn(async move {
        let mut panics: Vec<tokio::time::Instant> = Vec::new();
        for life in 0.. {
            let context = match first.take() {
                Some(context) => context,
                None => {
                    let context = Context::new();
                    on_life(context.address());
                    tokio::time::sleep(policy.pause).await;
                    context
                }
            };
            let live = async {
                let actor = build(life).await;
                context.into_future(actor).await;
            };
            let Err(panic) = AssertUnwindSafe(live).catch_unwind().await else {
                return on_end(Exit::Stopped);
            };
            let what = panic_text(panic.as_ref());
            on_panic(&what);
            let now = now();
            panics.retain(|at| now.duration_since(*at) < policy.window);
            panics.push(now);
            if panics.len() > policy.panics_max {
                return on_end(Exit::Panicked(what));
            }
        }
    });
}

/// What is done when the process cannot go on.
pub type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// Starts an actor that has no second life: what it held in memory nobody else knows, and without it everything would
/// stand still in silence. A panic is fatal.
pub fn start_fail_stop<A: Actor<Context = Context<A>>>(what: &'static str, actor: A, on_fatal: OnFatal) -> Addr<A> {
    let context = Context::new();
    let address = context.address();
    rely_on(what, context.into_future(actor), on_fatal);
    address
}

/// Runs work on this thread that everything relies on. A panic in it is fatal.
pub fn rely_on(what: &'static str, work: impl Future<Output = ()> + 'static, on_fatal: OnFatal) {
    actix::spawn(async move {
        if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
            on_fatal(&format!("{what} panicked: {}", panic_text(panic.as_ref())));
        }
    });
}

/// Ends this life of an actor from inside.
pub fn stop<A: Actor<Context = Context<A>>>(ctx: &mut Context<A>) {
    ctx.stop();
    // Messages that are left are answered by closing: their senders find the facts in the journal.
    let _ = ctx.address();
}

/// What a panic said.
#[must_use]
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a text".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "panics are counted on the real clock: they are no market events")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
