//! A child, or the body, as the scope's future has it: its wakers' part and its cancel scope.

use super::seats::{Core, Seat};
use crate::layers::base::leave::Leave;
use crate::layers::base::outcome::{Ending, TaskState};
use crate::layers::base::panic::{self, Panic, Payload};
use crate::layers::base::reason::Reason;
use crate::layers::context;
use crate::layers::context::in_place::{InPlace, Requested};
use crate::layers::context::inside::Inside;
use crate::layers::context::new_reason::exited;
use crate::layers::context::notes::Notes;
use crate::layers::context::scope::{Scope, ScopeKind};
use crate::layers::record::Ended;
use crate::layers::scope::end;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(super) struct Part {
    pub(super) seat: Seat,
    /// Kept from poll to poll if something is noted in it: mostly each poll makes one.
    scope: Option<Box<Scope>>,
}

/// The same, in a poll or a drop.
struct At<'p> {
    core: &'p Seat,
    scope: Inside<'p>,
    notes: &'p Notes,
}

/// What came of a poll with nothing else to do but the poll: see [`Part::poll_straight`].
pub(super) enum Straight {
    /// It waits, and nothing follows.
    Waits,
    /// It ended well, and nothing follows; the future is gone.
    Well,
    Otherwise(Polled<Ending>),
}

/// What came of a poll. Unless it waits, the future is gone.
pub(super) enum Polled<T> {
    Waits,
    Returned(T),
    Ended(Ended),
}

impl Part {
    pub(super) fn new(seat: Seat) -> Part {
        Part { seat, scope: None }
    }

    #[inline]
    fn with<R>(&mut self, notes: &Notes, f: impl FnOnce(At<'_>) -> R) -> R {
        let core = &self.seat;
        let cancel: &Core = core;
        let place = InPlace { notes, cancel };
        let mut made = None;
        let scope = match self.scope.as_deref() {
            Some(scope) => scope,
            None => made.insert(Scope::new(ScopeKind::InPlace)),
        };
        let result = f(At { core, scope: Inside::of(scope, &place), notes });
        if made.as_ref().is_some_and(|scope| !scope.is_new()) {
            self.scope = made.map(Box::new);
        }
        result
    }

    /// Polls it. If it is cancelled, that is its last poll, unless something in it holds. In the
    /// notes is what the error that its future has ended with may be an echo of.
    #[inline(always)]
    pub(super) fn poll<F: Future>(
        &mut self,
        inside: Pin<&mut Option<F>>,
        notes: &Notes,
    ) -> Polled<F::Output> {
        self.with(notes, |at| at.poll(inside))
    }

    /// Returns `true` if nothing is noted in it from the polls before.
    #[inline(always)]
    pub(super) fn is_plain(&self) -> bool {
        self.scope.is_none()
    }

    /// As [`poll`](Part::poll), for one that is plain, in a scope that has nothing to tell it. What
    /// is made for the poll goes without its destructors if nothing was noted there. The future drops
    /// what is in it when it is ready.
    #[inline(always)]
    pub(super) fn poll_straight<F>(&mut self, inside: &mut Option<F>) -> Straight
    where
        F: Future<Output = Ending> + Unpin,
    {
        let (core, notes) = (&self.seat, Notes::default());
        let cancel: &Core = core;
        let (place, scope) = (InPlace { notes: &notes, cancel }, Scope::new(ScopeKind::InPlace));
        let at = At { core, scope: Inside::of(&scope, &place), notes: &notes };
        core.set_running();
        let polled = at.catch(|cx| {
            context::inside(at.scope, || {
                let future = inside.as_mut().expect("it is there until it was ready");
                Pin::new(future).poll(cx)
            })
        });
        let straight = match &polled {
            Ok(Poll::Ready(Ending::Ok)) => Straight::Well,
            Ok(Poll::Pending) if !core.control().is_stirred() => Straight::Waits,
            _ => return self.poll_aside(notes, scope, Pin::new(inside), polled),
        };
        if !scope.is_new() || notes.leave.get().is_some() {
            return self.poll_aside(notes, scope, Pin::new(inside), polled);
        }
        // The ending that is forgotten with it is `Ok`.
        mem::forget(polled);
        mem::forget(scope);
        notes.forget_nothing();
        straight
    }

    /// What is left to do of a poll that has found something else to do.
    #[cold]
    fn poll_aside<F>(
        &mut self,
        notes: Notes,
        scope: Scope,
        mut inside: Pin<&mut Option<F>>,
        polled: Result<Poll<Ending>, Payload>,
    ) -> Straight
    where
        F: Future<Output = Ending>,
    {
        let core = &self.seat;
        let cancel: &Core = core;
        let place = InPlace { notes: &notes, cancel };
        let at = At { core, scope: Inside::of(&scope, &place), notes: &notes };
        let polled = match polled {
            Ok(Poll::Ready(ending)) => Ok(Poll::Ready(Some(ending))),
            Ok(Poll::Pending) if scope.is_cancelled() => {
                // A part of the poll that is counted already.
                core.set_state(TaskState::Running);
                at.catch(|cx| at.poll_cancelled(inside.as_mut(), cx))
            }
            Ok(Poll::Pending) => Ok(Poll::Pending),
            Err(payload) => Err(payload),
        };
        let polled = at.conclude(inside, polled);
        if !scope.is_new() {
            self.scope = Some(Box::new(scope));
        }
        Straight::Otherwise(polled)
    }

    /// Calls `f` as a part of it.
    pub(super) fn call(&mut self, f: impl FnOnce()) -> Result<(), Payload> {
        self.with(&Notes::default(), |at| panic::catch(|| context::inside(at.scope, f)))
    }

    /// Returns why it is dropped where it waits, in place of a poll, if it is.
    #[inline]
    pub(super) fn cut_for(&self, started: bool) -> Option<Reason> {
        match started {
            false => self.seat.reason(),
            true if self.seat.is_aborted() => self.seat.reason().filter(|why| self.abort(why)),
            true => None,
        }
    }

    /// Aborts what is inside. Returns `true` if it may be dropped: no shield is up in it, and no
    /// nursery inside is out.
    fn abort(&self, reason: &Reason) -> bool {
        let Some(scope) = &self.scope else { return true };
        scope.abort(reason);
        !scope.holds(None)
    }

    /// Drops its future: it ends so.
    pub(super) fn end<F>(&mut self, inside: Pin<&mut Option<F>>, ending: Ending) -> Ended {
        self.with(&Notes::default(), |at| at.end(inside, ending))
    }

    /// Drops its future, unpolled and for this reason, which the destructors see.
    pub(super) fn cut<F>(&mut self, inside: Pin<&mut Option<F>>, reason: &Reason) -> Ended {
        self.with(&Notes::default(), |at| {
            at.scope.cancel(|| reason.clone());
            at.end(inside, Ending::Cancelled(reason.clone()))
        })
    }

    pub(super) fn panic(&self, payload: Payload) -> Panic {
        panicked(&self.seat, payload)
    }
}

fn panicked(core: &Core, payload: Payload) -> Panic {
    let name = core.who().name;
    Panic::new(payload, core.id(), name.as_deref(), core.place())
}

impl At<'_> {
    #[inline(always)]
    fn poll<F: Future>(&self, mut inside: Pin<&mut Option<F>>) -> Polled<F::Output> {
        self.core.set_running();
        let polled = self.catch(|cx| self.poll_scope(inside.as_mut(), cx));
        self.conclude(inside, polled)
    }

    /// Calls `f`, which polls it, with its waker. It is shown as running.
    #[inline(always)]
    fn catch<R>(&self, f: impl FnOnce(&mut Context<'_>) -> R) -> Result<R, Payload> {
        let waker = self.core.lend_waker();
        let mut cx = Context::from_waker(&waker);
        let polled = panic::catch(|| f(&mut cx));
        self.core.set_state(TaskState::Waiting);
        polled
    }

    /// Returns what came of a poll.
    fn conclude<F: Future>(
        &self,
        inside: Pin<&mut Option<F>>,
        polled: Result<Poll<Option<F::Output>>, Payload>,
    ) -> Polled<F::Output> {
        match polled {
            Ok(Poll::Ready(Some(value))) => Polled::Returned(value),
            Ok(Poll::Ready(None)) => {
                let reason = self.scope.reason().expect("it was its last poll");
                Polled::Ended(Ending::Cancelled(reason).into())
            }
            Ok(Poll::Pending) => match self.leaves() {
                Some(ending) => Polled::Ended(self.end(inside, ending)),
                None => Polled::Waits,
            },
            Err(payload) => {
                let ending = Ending::Panicked(panicked(self.core, payload));
                let Ended { ending: second, .. } = self.end(inside, Ending::Ok);
                let second = match second {
                    Ending::Panicked(panic) => Some(panic),
                    _ => None,
                };
                Polled::Ended(Ended { ending, second })
            }
        }
    }

    fn poll_scope<F: Future>(
        &self,
        mut inside: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        if !self.core.is_cancelled() {
            if let Poll::Ready(value) = end::poll_inside(self.scope, inside.as_mut(), cx) {
                return Poll::Ready(Some(value));
            }
            // It may have asked, and found a cancel that came during the poll. One that it has not
            // seen has queued it, or all of it is cancelled.
            if !self.scope.is_cancelled() {
                return Poll::Pending;
            }
        }
        self.poll_cancelled(inside, cx)
    }

    #[cold]
    fn poll_cancelled<F: Future>(
        &self,
        inside: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        if let Some(reason) = self.core.reason().filter(|_| !self.scope.is_told()) {
            self.scope.cancel(|| reason);
        }
        if self.core.is_in_grace() {
            return end::poll_inside(self.scope, inside, cx).map(Some);
        }
        end::poll_last(self.scope, inside, cx)
    }

    /// Returns how it ends, if the poll that was pending wants its end.
    fn leaves(&self) -> Option<Ending> {
        match self.notes.leave.get()? {
            Leave::Told | Leave::ToldOf => None,
            Leave::NoSlot => Some(Ending::Cancelled(self.core.control().no_slot())),
            Leave::Exit(place) => Some(Ending::Cancelled(exited(self.core.id(), place))),
            Leave::Cancelled => {
                let reason = self.notes.take_heard().or_else(|| self.core.reason());
                reason.map(Ending::Cancelled)
            }
            Leave::NoValue => self.notes.take_heard().map(Ending::NoValue),
        }
    }

    /// Drops its future. A panic of a destructor is how it ends, then.
    fn end<F>(&self, inside: Pin<&mut Option<F>>, ending: Ending) -> Ended {
        match panic::catch(|| end::drop_inside(self.scope, inside)) {
            Ok(()) => ending.into(),
            Err(payload) => Ending::Panicked(panicked(self.core, payload)).into(),
        }
    }
}
