//! The future of a nursery: opens it, runs the body, waits for the children.
//!
//! | state   | `setup` | `group` | `body` | what a poll does                                    |
//! |---------|---------|---------|--------|-----------------------------------------------------|
//! | made    | some    | none    | none   | opens the group, calls the body                     |
//! | body    | none    | some    | some   | polls the body; at its end, or its cut, drops it    |
//! | joining | none    | some    | none   | closes the group, if nobody is left, and is ready   |
//! | ready   | none    | none    | none   | panics                                              |
//!
//! Dropped in state body or joining, it abandons the group: see `Group::abandon`.

use crate::builder::{Builder, PanicPolicy};
use crate::context::{self, Leave};
use crate::error::{Cause, GroupError, assemble};
use crate::group::Group;
use crate::group::registry::Owner;
use crate::group::report::Report;
use crate::nursery::Nursery;
use crate::outcome::Ending;
use crate::panic;
use crate::reason::Level;
use crate::slot::lending::Lending;
use crate::sync::Arc;
use allhome_rt::NoRuntime;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future that [`Builder::run`](crate::Builder::run) returns.
    #[must_use = "a nursery does nothing unless it is awaited"]
    pub struct Run<E, R, F, Fut> {
        setup: Option<(Builder<E>, F)>,
        group: Option<Arc<Group>>,
        #[pin]
        body: Option<Fut>,
        value: Option<R>,
        lending: Lending,
    }

    impl<E, R, F, Fut> PinnedDrop for Run<E, R, F, Fut> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(group) = this.group.take() {
                group.abandon(|| this.body.set(None));
            }
        }
    }
}

impl<E, R, F, Fut> Run<E, R, F, Fut>
where
    F: FnOnce(Nursery<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
{
    pub(crate) fn new(builder: Builder<E>, body: F) -> Run<E, R, F, Fut> {
        let setup = Some((builder, body));
        Run { setup, group: None, body: None, value: None, lending: Lending::default() }
    }
}

impl<E, R, F, Fut> Future for Run<E, R, F, Fut>
where
    F: FnOnce(Nursery<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
{
    type Output = Result<R, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((builder, body)) = this.setup.take() {
            let group = match open(builder) {
                Ok(group) => group,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let handle = Nursery::new(group.clone());
            let (waker, leave) = (cx.waker(), Cell::new(None));
            match panic::catch(|| context::poll(&group, None, waker, &leave, || body(handle))) {
                Ok(body) => this.body.set(Some(body)),
                Err(payload) => group.fail_body(Ending::Panicked(group.body_panic(payload))),
            }
            *this.group = Some(group);
        }
        match this.lending.poll_end(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {}
            Poll::Ready(Some((group, report))) => {
                return Poll::Ready(conclude(&group, report, this.value.take()));
            }
        }
        let group = this.group.as_ref().expect("a nursery is not polled after it was ready");
        group.keep_time();
        if this.body.is_some() {
            if poll_body(group, this.body.as_mut(), this.value, cx).is_pending() {
                this.lending.wait(group);
                return Poll::Pending;
            }
            let dropped = panic::catch(|| context::enter(group, None, || this.body.set(None)));
            if let Err(payload) = dropped {
                group.fail_body(Ending::Panicked(group.body_panic(payload)));
            }
        }
        let Some(report) = group.try_close(cx.waker()) else {
            this.lending.wait(group);
            return Poll::Pending;
        };
        let group = this.group.take().expect("it was there above");
        match this.lending.end((group, report), cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready((group, report)) => {
                Poll::Ready(conclude(&group, report, this.value.take()))
            }
        }
    }
}

fn open<E>(builder: Builder<E>) -> Result<Arc<Group>, GroupError<E>> {
    let Builder { config, runtime, .. } = builder;
    allhome_rt::refuse_holds_where(context::held);
    let parent = context::task(|task| {
        let task = task?;
        let owner = task.task.map_or(Owner::Body, Owner::Task);
        Some((task.group.arc()?, owner))
    });
    let inherited = || {
        let runtime = parent.as_ref().map(|(parent, _)| parent.runtime.clone());
        runtime.ok_or(NoRuntime::new(
            "no runtime is known here: open the outermost nursery with nursery_on",
        ))
    };
    match runtime.unwrap_or_else(inherited) {
        Ok(runtime) => match config.check(&runtime) {
            Ok(()) => Ok(Group::open(config, runtime, parent)),
            Err(missing) => Err(GroupError::unopened(config, Cause::Unsupported(missing))),
        },
        Err(error) => Err(GroupError::unopened(config, Cause::NoRuntime(error))),
    }
}

/// Polls the body. Ready means that it is to be dropped: it has returned, panicked, or was cut off.
fn poll_body<R, E, Fut>(
    group: &Arc<Group>,
    mut body: Pin<&mut Option<Fut>>,
    value: &mut Option<R>,
    cx: &mut Context<'_>,
) -> Poll<()>
where
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
{
    loop {
        let seen = group.is_body_cancelled();
        let held = seen && group.lock().holds(Owner::Body);
        let Some(future) = body.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let leave = Cell::new(None);
        match panic::catch(|| context::poll(group, None, cx.waker(), &leave, || future.poll(cx))) {
            Ok(Poll::Ready(Ok(result))) => {
                *value = Some(result);
                return Poll::Ready(());
            }
            Ok(Poll::Ready(Err(error))) if matches!(leave.get(), Some(Leave::Told)) => {
                if let Err(payload) = panic::catch_drop(error) {
                    group.fail_body(Ending::Panicked(group.body_panic(payload)));
                }
                return Poll::Ready(());
            }
            Ok(Poll::Ready(Err(error))) => {
                group.fail_body(Ending::Err(Arc::new(error)));
                return Poll::Ready(());
            }
            Err(payload) => {
                group.fail_body(Ending::Panicked(group.body_panic(payload)));
                return Poll::Ready(());
            }
            Ok(Poll::Pending) => {
                if let Some(Leave::Exit(place)) = leave.get() {
                    group.exit_body(place);
                    return Poll::Ready(());
                }
            }
        }
        let waker = cx.waker().clone();
        let old = {
            let mut registry = group.lock();
            let cancelled = group.is_body_cancelled();
            if cancelled && !seen {
                // The body gets one poll that shows the cancel.
                continue;
            }
            let stays = registry.body_is_shielded();
            if group.level() == Level::Aborted && !stays {
                return Poll::Ready(());
            }
            let stays = stays || group.is_in_grace();
            if cancelled && !stays && !registry.holds(Owner::Body) {
                if held && registry.has_nested(Owner::Body) {
                    // They came home during the poll, which was too early to see that.
                    continue;
                }
                return Poll::Ready(());
            }
            registry.run_waker.replace(waker)
        };
        panic::drop_waker(old);
        return Poll::Pending;
    }
}

/// Makes the nursery's result, when everybody is home.
fn conclude<R, E>(group: &Group, report: Report, value: Option<R>) -> Result<R, GroupError<E>>
where
    E: Send + Sync + 'static,
{
    if group.config.panics == PanicPolicy::Resume {
        if let Some(payload) = report.first_panic.as_ref().and_then(panic::Panic::take_payload) {
            panic::resume(payload);
        }
    }
    match value {
        Some(value) if report.entries.is_empty() => Ok(value),
        _ if report.entries.is_empty() => {
            // Nothing went wrong but the cancel, which may be that of the task around, too.
            context::tell_cancelled();
            Err(assemble(group, report))
        }
        _ => Err(assemble(group, report)),
    }
}

impl<E, R, F, Fut> fmt::Debug for Run<E, R, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("opened", &self.setup.is_none()).finish_non_exhaustive()
    }
}
