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
        let waker = self.core.lend_waker();
        let mut cx = Context::from_waker(&waker);
        self.core.set_running();
        let polled = panic::catch(|| self.poll_scope(inside.as_mut(), &mut cx));
        self.core.set_state(TaskState::Waiting);
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
