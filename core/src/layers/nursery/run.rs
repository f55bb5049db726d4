//! The future of a nursery: opens it, runs the body, waits for the children.
//!
//! | state   | `setup` | `group` | `body` | what a poll does                                    |
//! |---------|---------|---------|--------|-----------------------------------------------------|
//! | made    | some    | none    | none   | opens the group, calls the body                     |
//! | body    | none    | some    | some   | polls the body; drops it when it ends or is cut off |
//! | joining | none    | some    | none   | if no member is left: closes the group, and is ready |
//! | quiet   | none    | none    | none   | asks whether the cancel scope around is still there |
//! | ready   | none    | none    | none   | panics                                              |
//!
//! A nursery that ended by nothing but the end of a cancel scope around it is quiet: the scope
//! reports that end, and drops the future. If the future is polled outside of the scope after that, it
//! is ready.
//!
//! If the future is dropped in the state body or joining, it abandons the group: see
//! `Group::abandon`.

mod closed;
mod opening;
pub(crate) mod settle;

use super::Nursery;
use super::condition::Condition;
use super::error::GroupError;
use super::mode::NurseryMode;
use super::setup::Setup;
use crate::layers::base::big::{Inner, Place, place};
use crate::layers::base::counted::Strong;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::invariant::Invariant;
use crate::layers::base::leave::Leave;
use crate::layers::base::mode::Sendable;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::reason::Level;
use crate::layers::base::stacks::{armed, lens};
use crate::layers::base::sync::{Arc, Ordering};
use crate::layers::base::wait_mark::{self, Kind};
use crate::layers::context::last_poll::LastPoll;
use crate::layers::context::{self, Notes};
use crate::layers::group::Group;
use crate::layers::group::registry::OpenedBy;
use crate::layers::lending::Lending;
use crate::layers::record::mark::Mark;
use closed::{Closed, Ended, conclude};
use opening::open;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pin_project! {
    /// The future that [`Builder::run`](crate::Builder::run) returns.
    #[must_use = "a nursery does nothing unless it is awaited"]
    pub struct Run<E, R, F, Fut, P: NurseryMode = Sendable> {
        setup: Option<(Setup<P>, Place<F>)>,
        group: Option<Strong<Group>>,
        #[pin]
        body: Option<Inner<Fut>>,
        condition: Option<Box<Condition>>,
        value: Option<R>,
        lending: Lending<Ended>,
        last_poll: LastPoll,
        // It has ended, and has nothing to tell that the cancel scope around does not tell.
        quiet: Option<Box<Ended>>,
        error: Invariant<E>,
    }

    impl<E, R, F, Fut, P: NurseryMode> PinnedDrop for Run<E, R, F, Fut, P> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(group) = this.group.take() {
                group.abandon(group.owned(), || this.body.set(None));
                if let Some(watch) = &group.config.watch {
                    watch.body_is_gone();
                }
            }
        }
    }
}

impl<E, R, F, Fut, P> Run<E, R, F, Fut, P>
where
    F: FnOnce(P::Handle<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    P: NurseryMode,
{
    pub(crate) fn new(setup: Setup<P>, body: F) -> Run<E, R, F, Fut, P> {
        Run::in_state(Some((setup, place(body))), None, None, None)
    }

    /// Makes one in the state body: of a nursery that is open, and of a body that was called.
    pub(super) fn opened(
        group: Strong<Group>,
        body: Fut,
        condition: Option<Box<Condition>>,
    ) -> Run<E, R, F, Fut, P> {
        Run::in_state(None, Some(group), Some(Inner::new(body)), condition)
    }

    fn in_state(
        setup: Option<(Setup<P>, Place<F>)>,
        group: Option<Strong<Group>>,
        body: Option<Inner<Fut>>,
        condition: Option<Box<Condition>>,
    ) -> Run<E, R, F, Fut, P> {
        Run {
            setup,
            group,
            body,
            condition,
            value: None,
            lending: Lending::default(),
            last_poll: LastPoll::default(),
            quiet: None,
            error: PhantomData,
        }
    }
}

impl<E, R, F, Fut, P> Future for Run<E, R, F, Fut, P>
where
    F: FnOnce(P::Handle<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    P: NurseryMode,
{
    type Output = Result<R, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_closed(cx).map(|closed| closed?.conclude())
    }
}

impl<E, R, F, Fut, P> Run<E, R, F, Fut, P>
where
    F: FnOnce(P::Handle<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
    P: NurseryMode,
{
    /// Polls it for a thread that waits for it, in which no cancel scope around can drop it: it is
    /// ready also where it has nothing to tell but the end of that scope.
    pub(crate) fn poll_blocking(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<R, GroupError<E>>> {
        let polled = self.as_mut().poll(cx);
        if polled.is_pending() && self.quiet.is_some() {
            return context::nowhere(|| self.poll(cx));
        }
        polled
    }

    /// Polls it until it has closed, for an owner.
    pub(super) fn poll_owned(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), GroupError<E>>> {
        self.poll_closed(cx).map(|closed| closed?.conclude_owned())
    }

    /// Polls it until it has closed.
    fn poll_closed(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Closed<R>, GroupError<E>>> {
        let mut this = self.project();
        if let Some((setup, _)) = this.setup {
            *this.condition = setup.condition.take();
            let conditional = this.condition.is_some();
            match begin(this.setup, this.body.as_mut(), cx.waker(), conditional) {
                Ok(group) => *this.group = Some(group),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match this.lending.poll_end(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {}
            Poll::Ready(Some(ended)) => return conclude(ended, this.value, this.quiet),
        }
        if let Some(ended) = this.quiet.take() {
            return conclude(*ended, this.value, this.quiet);
        }
        let group = this.group.as_ref().expect("a nursery is not polled after it was ready");
        group.keep_time();
        group.hear_verdict(group.owned());
        let condition = this.condition.as_mut().map(|condition| condition.poll(group, cx));
        if condition.is_some_and(|polled| polled.is_ready()) {
            *this.condition = None;
        }
        if this.body.is_some() {
            let last_poll = &mut *this.last_poll;
            // Relaxed, here and below: it is shown, and no more.
            group.body_polled.store(true, Ordering::Relaxed);
            let polled = match &group.config.watch {
                None => poll_body(group, this.body.as_mut(), this.value, last_poll, cx),
                Some(watch) => watch
                    .poll(cx, |cx| poll_body(group, this.body.as_mut(), this.value, last_poll, cx)),
            };
            group.body_polled.store(false, Ordering::Relaxed);
            if polled.is_pending() {
                lend(this.lending, group);
                wait_mark::on(Kind::Nursery, group.id.number());
                return Poll::Pending;
            }
            let dropped = panic::catch(|| {
                context::enter(&**group, &group.owned().inherited, None, || this.body.set(None));
            });
            if let Some(watch) = &group.config.watch {
                watch.body_is_gone();
            }
            if let Err(payload) = dropped {
                group.fail_body(group.owned(), Ending::Panicked(group.body_panic(payload)));
            }
        }
        let Some(report) = group.try_close(cx.waker()) else {
            lend(this.lending, group);
            wait_mark::on(Kind::Nursery, group.id.number());
            return Poll::Pending;
        };
        *this.condition = None;
        let group = this.group.take().expect("it was there above");
        let limiter = group.owned().limiter.clone();
        match this.lending.end(limiter.as_ref(), (group, report), cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(ended) => conclude(ended, this.value, this.quiet),
        }
    }
}

/// Opens the group and calls the body.
// Kept out of the nursery's poll: the stack space that this needs is free again when the body is
// polled, and that poll may poll other nurseries.
#[inline(never)]
fn begin<E, F, Fut, P>(
    setup: &mut Option<(Setup<P>, Place<F>)>,
    mut future: Pin<&mut Option<Inner<Fut>>>,
    waker: &Waker,
    conditional: bool,
) -> Result<Strong<Group>, GroupError<E>>
where
    F: FnOnce(P::Handle<E>) -> Fut,
    E: Send + Sync + 'static,
    P: NurseryMode,
{
    let (setup, body) = setup.take().expect("a nursery is opened once");
    let group = open(setup, conditional)?;
    let handle = P::handle(Nursery::new(group.clone()));
    let (env, notes) = (&group.owned().inherited, Notes::default());
    let called = panic::catch(|| {
        context::poll(&*group, env, None, waker, &notes, || {
            future.set(Some(Inner::new(body(handle))));
        });
    });
    if let Err(payload) = called {
        group.fail_body(group.owned(), Ending::Panicked(group.body_panic(payload)));
    }
    Ok(group)
}

/// Lends the caller's slot to the tasks inside that want one.
#[inline]
fn lend(lending: &mut Lending<Ended>, group: &Strong<Group>) {
    let wants_slots = || group.locked(|registry| registry.wants_slots());
    lending.wait(group.owned().limiter.as_ref(), wants_slots);
}

/// Polls the body. `Ready` means that the body must be dropped: it returned, panicked, or was cut
/// off.
fn poll_body<R, E, Fut>(
    group: &Strong<Group>,
    mut body: Pin<&mut Option<Inner<Fut>>>,
    value: &mut Option<R>,
    last_poll: &mut LastPoll,
    cx: &mut Context<'_>,
) -> Poll<()>
where
    Fut: Future<Output = Result<R, E>>,
    E: Send + Sync + 'static,
{
    loop {
        let seen = group.is_body_cancelled();
        if seen && last_poll.put_off(Some(&group.owned().inherited.runtime), cx) {
            return Poll::Pending;
        }
        let held = seen && group.locked(|registry| registry.holds(OpenedBy::Body));
        let Some(future) = body.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let notes = Notes::default();
        match panic::catch(|| {
            context::poll(&**group, &group.owned().inherited, None, cx.waker(), &notes, || {
                // A task's body is a part of what its task polls.
                match armed::is_any() && group.seen.is_seen() && !lens::is_lens(cx.waker()) {
                    true => lens::poll(cx.waker(), Poll::is_pending, |cx| future.poll(cx)),
                    false => future.poll(cx),
                }
            })
        }) {
            Ok(Poll::Ready(Ok(result))) => {
                *value = Some(result);
                return Poll::Ready(());
            }
            Ok(Poll::Ready(Err(error))) => {
                group.body_returned(group.owned(), Arc::new(error), &notes);
                return Poll::Ready(());
            }
            Err(payload) => {
                group.fail_body(group.owned(), Ending::Panicked(group.body_panic(payload)));
                return Poll::Ready(());
            }
            Ok(Poll::Pending) => match notes.leave.get() {
                Some(Leave::Exit(location)) => {
                    group.exit_body(location);
                    return Poll::Ready(());
                }
                Some(Leave::Cancelled | Leave::NoValue) => {
                    group.body_left(group.owned(), &notes);
                    return Poll::Ready(());
                }
                Some(Leave::NoSlot | Leave::Told | Leave::ToldOf) | None => {}
            },
        }
        let waker = Foreign::new(cx.waker().clone());
        let mark = group.mark_of_body(&notes);
        match wait_on(group, (seen, held), (notes.put_off.get(), mark), waker) {
            Waits::Again => {}
            Waits::Last => {
                let put_off = last_poll.put_off(Some(&group.owned().inherited.runtime), cx);
                return if put_off { Poll::Pending } else { Poll::Ready(()) };
            }
            Waits::Gone => return Poll::Ready(()),
            Waits::Kept { old, due } => {
                drop(old);
                if due {
                    panic::wake_by_ref(cx.waker());
                }
                return Poll::Pending;
            }
        }
    }
}

/// What follows from a poll of the body that was pending.
enum Waits {
    /// The body is polled again: it did not see the cancel, or the end of what it waited for in
    /// spite of the cancel.
    Again,
    /// The body is dropped, unless its last poll is put off.
    Last,
    /// The body is dropped.
    Gone,
    /// The body waits. `due`: a moment of the clock has come during the poll, when there was no
    /// waker.
    Kept { old: Option<Foreign<Waker>>, due: bool },
}

fn wait_on(
    group: &Group,
    (seen, held): (bool, bool),
    (put_off, mark): (bool, Mark),
    waker: Foreign<Waker>,
) -> Waits {
    let mut waker = Some(waker);
    let waits = group.locked(|registry| {
        let cancelled = group.is_body_cancelled();
        if cancelled && !seen {
            // The body gets one poll that shows the cancel.
            return Waits::Again;
        }
        let stays = registry.cancel.body_is_shielded();
        if group.level() == Level::Aborted && !stays {
            return Waits::Gone;
        }
        let stays = stays || group.is_in_grace() || put_off;
        if cancelled && !stays && !registry.holds(OpenedBy::Body) {
            // The nested nurseries ended during the poll, too late for the body to see it in that
            // poll.
            let again = held && registry.nested.has(OpenedBy::Body);
            return if again { Waits::Again } else { Waits::Last };
        }
        registry.body_mark = mark;
        let old = std::mem::replace(&mut registry.run_waker, waker.take());
        Waits::Kept { old, due: registry.carriers.is_due() }
    });
    drop(waker);
    waits
}

impl<E, R, F, Fut, P: NurseryMode> fmt::Debug for Run<E, R, F, Fut, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("opened", &self.setup.is_none()).finish_non_exhaustive()
    }
}
