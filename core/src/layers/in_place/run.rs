//! The future of a scope: opens it, and polls the body and the children.
//!
//! | state | `setup` | `engine` | what a poll does                                               |
//! |-------|---------|----------|----------------------------------------------------------------|
//! | made  | some    | none     | makes the engine, calls the body                               |
//! | open  | none    | some     | polls what was woken; is ready when all is home                |
//! | quiet | none    | some, `is_quiet` | asks whether the cancel scope around is still there    |
//! | ready | none    | none     | panics                                                         |
//!
//! A scope that ended by nothing but the end of a cancel scope around it is quiet, as a nursery is:
//! `nursery/run.rs`.

pub(crate) mod settle;

use super::engine::Engine;
use super::handle::Scope;
use super::mode::Mode;
use crate::layers::base::big::{Inner, Place, place};
use crate::layers::base::invariant::Invariant;
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context::{self, noted, scope};
use crate::layers::group::config::Config;
use crate::layers::group::registry::report::Report;
use crate::layers::lending::Lending;
use crate::layers::nursery::condition::Condition;
use crate::layers::nursery::error::GroupError;
use crate::layers::nursery::settled::{self, Settled};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What a scope is opened with.
pub(super) type Opening = (Config, Option<Box<Condition>>);

pin_project! {
    /// The future that [`ScopeBuilder::run`](crate::in_place::ScopeBuilder::run) returns.
    #[must_use = "a scope does nothing unless it is awaited"]
    pub struct ScopeRun<'a, E, R, F, Fut, M: Mode> {
        setup: Option<(Opening, Place<F>)>,
        engine: Option<Box<Engine<'a, M>>>,
        #[pin]
        body: Option<Inner<Fut>>,
        value: Option<R>,
        lending: Lending<Report>,
        // It has ended, and has nothing to tell that the cancel scope around does not tell.
        quiet: Option<Box<Report>>,
        error: Invariant<E>,
    }

    impl<'a, E, R, F, Fut, M: Mode> PinnedDrop for ScopeRun<'a, E, R, F, Fut, M> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(engine) = this.engine.as_mut() {
                engine.abandon(this.body);
            }
        }
    }
}

impl<'a, E, R, F, Fut, M> ScopeRun<'a, E, R, F, Fut, M>
where
    F: FnOnce(Scope<'a, E, M>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    M: Mode,
{
    pub(super) fn new(opening: Opening, body: F) -> Self {
        ScopeRun {
            setup: Some((opening, place(body))),
            engine: None,
            body: None,
            value: None,
            lending: Lending::default(),
            quiet: None,
            error: PhantomData,
        }
    }
}

impl<'a, E, R, F, Fut, M> Future for ScopeRun<'a, E, R, F, Fut, M>
where
    F: FnOnce(Scope<'a, E, M>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    M: Mode,
{
    type Output = Result<R, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_settled(cx).map(Settled::into_result)
    }
}

impl<'a, E, R, F, Fut, M> ScopeRun<'a, E, R, F, Fut, M>
where
    F: FnOnce(Scope<'a, E, M>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    M: Mode,
{
    fn poll_settled(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Settled<R, E>> {
        let mut this = self.project();
        if let Some((opening, body)) = this.setup.take() {
            *this.engine = Some(begin(opening, body, this.body.as_mut()));
        }
        let engine = this.engine.as_mut().expect("a scope is not polled after it was ready");
        let limiter = engine.shared.control.limiter().cloned();
        let ended = match ready!(this.lending.poll_end(cx)) {
            Some(ended) => Some(ended),
            None => this.quiet.take().map(|report| *report),
        };
        let report = match ended {
            Some(report) => report,
            None => {
                // What its children wait for is said by their lines.
                let so_far = wait_mark::so_far();
                if engine.poll(this.body, this.value, cx).is_pending() {
                    let id = engine.shared.control.id;
                    wait_mark::instead(so_far, Kind::Scope, id.number());
                    this.lending.wait(limiter.as_ref(), || engine.has_children());
                    return Poll::Pending;
                }
                ready!(this.lending.end(limiter.as_ref(), engine.take_report(), cx))
            }
        };
        if this.value.is_none() && is_told_by_a_scope(engine, &report) {
            *this.quiet = Some(Box::new(report));
            return Poll::Pending;
        }
        let result = conclude(engine, report, this.value.take());
        *this.engine = None;
        Poll::Ready(result)
    }
}

/// Makes the engine and calls the body.
// Kept out of the poll, as a nursery's: the stack space is free again when the body is polled.
#[inline(never)]
fn begin<'a, E, F, Fut, M>(
    (config, condition): Opening,
    body: Place<F>,
    mut future: Pin<&mut Option<Inner<Fut>>>,
) -> Box<Engine<'a, M>>
where
    F: FnOnce(Scope<'a, E, M>) -> Fut,
    E: Send + Sync + 'static,
    M: Mode,
{
    let mut engine = Box::new(Engine::new(config, condition));
    engine.begin();
    let handle = Scope::new(engine.shared.clone(), engine.config.view);
    if let Err(payload) = engine.call(|| future.set(Some(Inner::new(body(handle))))) {
        engine.body_panicked(payload);
    }
    engine
}

/// Returns `true` if nothing went wrong but the cancel, and that is the end of a scope around.
fn is_told_by_a_scope<M: Mode>(engine: &Engine<'_, M>, report: &Report) -> bool {
    let reason = engine.shared.control.reason().filter(|_| report.is_empty());
    reason.is_some_and(|reason| context::current(|frame| scope::ends_scope(frame, reason)))
}

/// Makes the scope's result.
fn conclude<R, E, M>(engine: &Engine<'_, M>, report: Report, value: Option<R>) -> Settled<R, E>
where
    E: Send + Sync + 'static,
    M: Mode,
{
    let reason = engine.shared.control.reason_for(true).cloned();
    settled::settle(&engine.config, reason, report, value, |_| noted::tell_cancelled())
}

impl<E, R, F, Fut, M: Mode> fmt::Debug for ScopeRun<'_, E, R, F, Fut, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeRun").field("opened", &self.setup.is_none()).finish_non_exhaustive()
    }
}
