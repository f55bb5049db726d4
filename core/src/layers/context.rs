//! The ambient context: which task, of which nursery, in which scopes, the present thread is
//! polling or destroying.
//!
//! Each poll, and each destruction of a user's future, sets one thread-local pointer to a frame on
//! its own stack and puts the old one back. A frame names a task (or a nursery's body), or a scope
//! or scoped value inside one, and the frame around it. It is used to *inherit* (runtime,
//! parenthood, cancel, values), never to spawn into a nursery that the caller did not name, and it
//! is never carried in a waker.
//!
//! It is tempting to keep an `Arc` of the nursery in the thread-local, which needs no unsafe
//! code; but that is two read-modify-writes a poll where the pointer costs two plain stores.
//!
//! # Invariants
//!
//! 1. The pointer is null, or points to the frame of an [`enter`] that is still running on this
//!    thread: `enter` puts the old value back before its frame goes, also when it unwinds. So does
//!    `outer` of each frame.

#![allow(unsafe_code)]

pub(crate) mod clock;
pub(crate) mod drop_guard;
pub(crate) mod entered;
pub(crate) mod host;
pub(crate) mod in_place;
pub(crate) mod inside;
pub(crate) mod last_poll;
pub(crate) mod new_reason;
pub(crate) mod noted;
pub(crate) mod notes;
pub(crate) mod scope;
pub(crate) mod shown;
pub(crate) mod task;
pub(crate) mod term;
pub(crate) mod values;
pub(crate) mod yield_now;

use crate::layers::base::id::TaskId;
use crate::layers::base::leave::LeaveCell;
use crate::layers::base::reason::Reason;
use crate::layers::base::stacks::lens;
use crate::layers::base::sync::{Arc, thread_local};
use crate::layers::base::wait_mark;
use crate::layers::cancel::CancelToken;
use crate::layers::record::{Header, Ptr};
use allhome_rt::Instant;
use host::{Host, Inherited};
use in_place::InPlace;
use inside::Inside;
pub(crate) use notes::Notes;
use std::any::Any;
use std::cell::Cell;
use std::task::Waker;
use std::{fmt, ptr};
use values::Values;

/// What the present thread is working for, and inside of what.
pub(crate) struct Frame<'a> {
    outer: *const Frame<'static>,
    pub(crate) kind: Kind<'a>,
}

pub(crate) enum Kind<'a> {
    Task(TaskFrame<'a>),
    Scope(Inside<'a>),
    Values(&'a Arc<Values>),
    /// Where a child of a bounded nursery has its slot: between it and its task. `lending` knows
    /// the type.
    Slot(&'a dyn Any),
}

/// A task, or a nursery's body.
pub(crate) struct TaskFrame<'a> {
    pub(crate) group: &'a dyn Host,
    pub(crate) env: &'a Inherited,
    /// The task, or none while a nursery's body is polled.
    pub(crate) task: Option<Ptr>,
    /// What wakes it, if this is a poll; but for a task that is polled with its own waker.
    waker: Option<&'a Waker>,
    notes: &'a Notes,
}

impl<'a> TaskFrame<'a> {
    pub(crate) fn leave(&self) -> &'a LeaveCell {
        &self.notes.leave
    }

    pub(crate) fn notes(&self) -> &'a Notes {
        self.notes
    }

    /// Takes what it has heard of in this poll.
    pub(crate) fn take_heard(&self) -> Option<Reason> {
        self.notes.take_heard()
    }

    pub(crate) fn header(&self) -> Option<&Header> {
        // SAFETY: `enter`'s caller holds the claim of the task while the frame exists.
        self.task.map(|task| unsafe { task.header() })
    }

    fn id_of(&self, header: &Header) -> TaskId {
        TaskId { nursery: self.group.id(), number: header.number() }
    }

    /// Returns `true` if it was cancelled, or a deadline has passed that cancels it.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.group.is_task_cancelled(self.header())
    }

    /// Returns why it was cancelled, or why a cancel is on its way to it from a nursery around.
    pub(crate) fn leaving(&self) -> Option<Reason> {
        self.group.leaving(self.header())
    }

    /// Returns its id; none if it is a body.
    pub(crate) fn id(&self) -> Option<TaskId> {
        self.header().map(|header| self.id_of(header))
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.group.task_reason(self.header())
    }

    /// Returns the token of the task, or, in a body, of the nursery.
    pub(crate) fn token(&self) -> CancelToken {
        self.group.task_token(self.header())
    }

    /// Returns `true` if a wake leads to another poll of it, and not just of a part of it.
    pub(crate) fn is_woken_by(&self, waker: &Waker) -> bool {
        let waker = lens::behind(waker);
        self.waker.is_some_and(|own| lens::behind(own).will_wake(waker))
            || self.task.is_some_and(|task| task.is_woken_by(waker))
    }
}

impl fmt::Display for TaskFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.header() {
            Some(header) => {
                write!(f, "task {}", self.id_of(header))?;
                header.name()
            }
            None => {
                write!(f, "the body of nursery {}", self.group.id())?;
                self.group.name()
            }
        };
        name.map_or(Ok(()), |name| write!(f, " `{name}`"))
    }
}

impl<'a> Frame<'a> {
    /// Returns the frame around it.
    pub(crate) fn outer(&self) -> Option<&Frame<'a>> {
        // SAFETY: by invariant 1 it is null, or its frame outlives this one.
        unsafe { self.outer.cast::<Frame<'a>>().as_ref() }
    }

    /// Returns the frame of this task, or of this nursery's body, if it is here or around.
    pub(crate) fn find(&self, group: &dyn Host, number: Option<u64>) -> Option<&TaskFrame<'a>> {
        let mut at = Some(self);
        while let Some(frame) = at {
            if let Kind::Task(task) = &frame.kind {
                let same = ptr::addr_eq(task.group, group);
                if same && task.header().map(Header::number) == number {
                    return Some(task);
                }
            }
            at = frame.outer();
        }
        None
    }

    /// Returns whose cancel scope this frame is, if it is that of a child or body in place.
    pub(crate) fn in_place(&self) -> Option<&'a InPlace<'a>> {
        match &self.kind {
            Kind::Scope(scope) => scope.in_place(),
            Kind::Task(_) | Kind::Values(_) | Kind::Slot(_) => None,
        }
    }

    /// Returns the slot of the task that this frame is a part of.
    pub(crate) fn slot(&self) -> Option<&'a dyn Any> {
        let mut at = Some(self);
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Slot(slot) => return Some(*slot),
                Kind::Task(TaskFrame { task: Some(_), .. }) => return None,
                Kind::Task(_) | Kind::Scope(_) | Kind::Values(_) => {}
            }
            at = frame.outer();
        }
        None
    }

    /// Returns the task that is at work here: a body is a part of the task that opened it. Only the
    /// body of `group` counts as one of its own.
    pub(crate) fn worker(&self, group: Option<&dyn Host>) -> Option<&TaskFrame<'a>> {
        let mut at = Some(self);
        while let Some(frame) = at {
            if let Kind::Task(task) = &frame.kind {
                let own = group.is_some_and(|group| ptr::addr_eq(task.group, group));
                if task.task.is_some() || own {
                    return Some(task);
                }
            }
            at = frame.outer();
        }
        None
    }

    /// Returns the present instant by the clock of the innermost task's runtime. None outside of
    /// any nursery.
    pub(crate) fn now(&self) -> Option<Instant> {
        Some(self.task()?.group.now())
    }

    /// Returns the innermost task.
    pub(crate) fn task(&self) -> Option<&TaskFrame<'a>> {
        let mut at = Some(self);
        while let Some(frame) = at {
            if let Kind::Task(task) = &frame.kind {
                return Some(task);
            }
            at = frame.outer();
        }
        None
    }
}

thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}

struct Restore(*const Frame<'static>);

impl Drop for Restore {
    // A call of its own is half of what a poll pays for its frame.
    #[inline(always)]
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.0));
    }
}

#[inline(always)]
fn with<R>(kind: Kind<'_>, f: impl FnOnce() -> R) -> R {
    let outer = CURRENT.with(Cell::get);
    let frame = Frame { outer, kind };
    CURRENT.with(|current| current.set(ptr::from_ref(&frame).cast()));
    let _restore = Restore(outer);
    f()
}

/// Calls `f` as outside of any nursery: what it polls is no part of the task that the present
/// thread works for.
pub(crate) fn nowhere<R>(f: impl FnOnce() -> R) -> R {
    let _restore = Restore(CURRENT.with(|current| current.replace(ptr::null())));
    f()
}

/// Calls `f` with the task, or else the nursery's body, as the present thread's context. The caller
/// holds the task's claim.
#[inline]
pub(crate) fn enter<R>(
    group: &dyn Host,
    env: &Inherited,
    task: Option<Ptr>,
    f: impl FnOnce() -> R,
) -> R {
    with(Kind::Task(TaskFrame { group, env, task, waker: None, notes: &Notes::default() }), f)
}

/// As [`enter`], for a poll with this waker, in which the task may ask for its end. What it waits for
/// is in the notes then.
#[inline]
pub(crate) fn poll<R>(
    group: &dyn Host,
    env: &Inherited,
    task: Option<Ptr>,
    waker: &Waker,
    notes: &Notes,
    f: impl FnOnce() -> R,
) -> R {
    let waits = wait_mark::Poll::begin();
    let polled = with(Kind::Task(TaskFrame { group, env, task, waker: Some(waker), notes }), f);
    notes.waits.set(waits.end());
    polled
}

/// Calls `f` inside a scope.
#[inline]
pub(crate) fn inside<'a, R>(scope: impl Into<Inside<'a>>, f: impl FnOnce() -> R) -> R {
    with(Kind::Scope(scope.into()), f)
}

/// Calls `f` with the slot of the task that is polled or destroyed.
#[inline]
pub(crate) fn with_slot<R>(slot: &dyn Any, f: impl FnOnce() -> R) -> R {
    with(Kind::Slot(slot), f)
}

/// Calls `f` with these values in place of those around.
#[inline]
pub(crate) fn with_values<R>(values: &Arc<Values>, f: impl FnOnce() -> R) -> R {
    with(Kind::Values(values), f)
}

/// Calls `f` with the present thread's innermost frame, if there is one.
#[inline]
pub(crate) fn current<R>(f: impl FnOnce(Option<&Frame<'_>>) -> R) -> R {
    let here = CURRENT.with(Cell::get);
    // SAFETY: by invariant 1 the pointer is null or its frame outlives this call, which runs
    // inside that `enter`.
    f(unsafe { here.as_ref() })
}

/// Returns `true` if the present thread works for no nursery.
#[inline]
pub(crate) fn is_nowhere() -> bool {
    CURRENT.with(Cell::get).is_null()
}

/// Returns the present instant by the clock of the nursery that the present thread works for.
pub(crate) fn now() -> Option<Instant> {
    current(|frame| frame?.now())
}

/// Returns what is held up if the present thread is: the innermost task, or body, that it polls.
/// None if that is blocking work, or a body that such work polls.
pub(crate) fn held() -> Option<String> {
    current(|mut at| {
        let mut held = None;
        while let Some(frame) = at {
            match &frame.kind {
                Kind::Task(task) if task.waker.is_some() => {
                    let number = task.header().map(Header::number);
                    if number.is_some_and(|number| task.group.is_work(number)) {
                        return None;
                    }
                    held = held.or_else(|| Some(task.to_string()));
                    if number.is_some() {
                        return held;
                    }
                }
                Kind::Task(_) | Kind::Scope(_) | Kind::Values(_) | Kind::Slot(_) => {}
            }
            at = frame.outer();
        }
        held
    })
}

/// Calls `f` with the task, or nursery's body, that the present thread is working for.
#[inline]
pub(crate) fn task<R>(f: impl FnOnce(Option<&TaskFrame<'_>>) -> R) -> R {
    current(|frame| f(frame.and_then(Frame::task)))
}
