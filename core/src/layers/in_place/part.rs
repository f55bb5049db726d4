//! A child, or the body, as the scope's future has it: its wakers' part and its cancel scope.

use super::control::Core;
use crate::layers::base::leave::Leave;
use crate::layers::base::outcome::{Ending, TaskState};
use crate::layers::base::panic::{self, Panic, Payload};
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::Arc;
use crate::layers::context;
use crate::layers::context::in_place::{InPlace, Requested};
use crate::layers::context::new_reason::exited;
use crate::layers::context::notes::Notes;
use crate::layers::context::scope::Scope;
use crate::layers::record::Ended;
use crate::layers::scope::end;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub(super) struct Part {
    pub(super) core: Arc<Core>,
    waker: Waker,
    scope: Scope,
}

/// What came of a poll. Unless it waits, the future is gone.
pub(super) enum Polled<T> {
    Waits,
    Returned(T),
    Ended(Ended),
}

impl Part {
    pub(super) fn new(core: Arc<Core>) -> Part {
        let place = InPlace {
            scope: core.control.id,
            id: core.id,
            notes: Notes::default(),
            cancel: core.clone(),
        };
        Part { waker: Waker::from(core.clone()), scope: Scope::of_in_place(place), core }
    }

    fn notes(&self) -> &Notes {
        &self.scope.in_place().expect("it was made as one").notes
    }

    /// Returns what the error that its future has ended with is an echo of, whatever it asked for.
    pub(super) fn heard(&self) -> (bool, Option<Reason>) {
        (self.notes().is_told(), self.notes().take_heard())
    }

    /// Polls it. If it is cancelled, that is its last poll, unless something in it holds.
    pub(super) fn poll<F: Future>(&self, mut inside: Pin<&mut Option<F>>) -> Polled<F::Output> {
        self.core.set_state(TaskState::Running);
        self.notes().leave.set(None);
        drop(self.notes().take_heard());
        let mut cx = Context::from_waker(&self.waker);
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
                let panicked = Ending::Panicked(self.panic(payload));
                let Ended { ending: second, .. } = self.end(inside, Ending::Ok);
                let second = match second {
                    Ending::Panicked(panic) => Some(panic),
                    _ => None,
                };
                Polled::Ended(Ended { ending: panicked, second })
            }
        }
    }

    /// Calls `f` as a part of it.
    pub(super) fn call(&self, f: impl FnOnce()) -> Result<(), Payload> {
        self.notes().leave.set(None);
        panic::catch(|| context::inside(&self.scope, f))
    }

    fn poll_scope<F: Future>(
        &self,
        mut inside: Pin<&mut Option<F>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        if !self.core.is_cancelled() {
            if let Poll::Ready(value) = end::poll_inside(&self.scope, inside.as_mut(), cx) {
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
            return end::poll_inside(&self.scope, inside, cx).map(Some);
        }
        end::poll_last(&self.scope, inside, cx)
    }

    /// Returns why it is dropped where it waits, in place of a poll, if it is.
    pub(super) fn cut_for(&self, started: bool) -> Option<Reason> {
        if !started {
            return self.core.reason();
        }
        let reason = if self.core.is_aborted() { self.core.reason() } else { None };
        reason.filter(|reason| self.abort(reason))
    }

    /// Aborts what is inside. Returns `true` if it may be dropped: no shield is up in it, and no
    /// nursery inside is out.
    fn abort(&self, reason: &Reason) -> bool {
        self.scope.abort(reason);
        !self.scope.holds(None)
    }

    /// Returns how it ends, if the poll that was pending wants its end.
    fn leaves(&self) -> Option<Ending> {
        let notes = self.notes();
        match notes.leave.get()? {
            Leave::Told | Leave::ToldOf => None,
            Leave::NoSlot => Some(Ending::Cancelled(self.core.control.no_slot())),
            Leave::Exit(place) => Some(Ending::Cancelled(exited(self.core.id, place))),
            Leave::Cancelled => {
                let reason = notes.take_heard().or_else(|| self.core.reason());
                reason.map(Ending::Cancelled)
            }
            Leave::NoValue => notes.take_heard().map(Ending::NoValue),
        }
    }

    /// Drops its future. A panic of a destructor is how it ends, then.
    pub(super) fn end<F>(&self, inside: Pin<&mut Option<F>>, ending: Ending) -> Ended {
        match panic::catch(|| end::drop_inside(&self.scope, inside)) {
            Ok(()) => ending.into(),
            Err(payload) => Ending::Panicked(self.panic(payload)).into(),
        }
    }

    /// As [`end`](Part::end), unpolled and for this reason, which the destructors see.
    pub(super) fn cut<F>(&self, inside: Pin<&mut Option<F>>, reason: &Reason) -> Ended {
        self.scope.cancel(|| reason.clone());
        self.end(inside, Ending::Cancelled(reason.clone()))
    }

    pub(super) fn panic(&self, payload: Payload) -> Panic {
        let name = self.core.who().name;
        Panic::new(payload, self.core.id, name.as_deref(), self.core.place)
    }
}
