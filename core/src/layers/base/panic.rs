//! Panics: caught, kept and resumed here and nowhere else.
//!
//! Rules: a panic of user code (a poll, a destructor, a hook, a waker) is caught where it leaves
//! that code; it is recorded as the outcome of the task it belongs to, and what was going on goes
//! on. A panic that belongs to no task (a waker, a hook, a payload's own destructor) is dropped
//! after the standard panic hook has printed it.

use crate::layers::base::guarded::{Foreign, GlobalGuarded, assert_none};
use crate::layers::base::id::TaskId;
use crate::layers::base::sync::Arc;
use std::any::Any;
use std::fmt;
use std::panic::{
    AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind,
};
use std::task::Waker;

pub(crate) type Payload = Box<dyn Any + Send>;

/// Calls `f`, which is the user's, and catches its panic. No lock is held.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    assert_none("code of the user's is called");
    catch_unwind(AssertUnwindSafe(f))
}

/// Drops a value of the user's and catches its panic.
pub(crate) fn catch_drop<T>(value: T) -> Result<(), Payload> {
    catch(move || drop(value))
}

/// Wakes; a waker that panics harms nobody else.
pub(crate) fn wake(waker: Waker) {
    if let Err(payload) = catch(move || waker.wake()) {
        discard(payload);
    }
}

/// Drops a waker that is not needed any more; one whose destructor panics harms nobody.
pub(crate) fn drop_waker(waker: Option<Waker>) {
    if let Some(Err(payload)) = waker.map(catch_drop) {
        discard(payload);
    }
}

/// As [`wake`], for a waker that is only lent.
pub(crate) fn wake_by_ref(waker: &Waker) {
    if let Err(payload) = catch(|| waker.wake_by_ref()) {
        discard(payload);
    }
}

/// Drops a payload, whose own destructor may panic in turn; so may the payload of that, but not
/// for ever: what is left after a few times is leaked.
pub(crate) fn discard(mut payload: Payload) {
    for _ in 0..8 {
        match catch_drop(payload) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

/// Goes on with a panic that was caught.
pub(crate) fn resume(payload: Payload) -> ! {
    resume_unwind(payload)
}

/// A panic of a child, of a nursery's body or of one of their destructors.
///
/// Cloning shares it: the joiner of a child and the error of its nursery see the same panic.
#[derive(Clone)]
pub struct Panic {
    inner: Arc<Inner>,
}

struct Inner {
    message: Box<str>,
    task: Option<TaskId>,
    name: Option<Box<str>>,
    place: &'static Location<'static>,
    payload: GlobalGuarded<Option<Foreign<Payload>>>,
}

impl Panic {
    pub(crate) fn new(
        payload: Payload,
        task: Option<TaskId>,
        name: Option<&str>,
        place: &'static Location<'static>,
    ) -> Panic {
        let message = match payload.downcast_ref::<&'static str>() {
            Some(text) => Box::from(*text),
            None => match payload.downcast_ref::<String>() {
                Some(text) => Box::from(text.as_str()),
                None => Box::from("a payload that is not text"),
            },
        };
        let payload = GlobalGuarded::new(Some(Foreign::new(payload)));
        Panic {
            inner: Arc::new(Inner { message, task, name: name.map(Box::from), place, payload }),
        }
    }

    /// Returns the text that the panic was raised with.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns the child that panicked; none if it was the nursery's body.
    pub fn task(&self) -> Option<TaskId> {
        self.inner.task
    }

    /// Returns the name of the child or nursery that panicked.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Returns where the child was spawned or the nursery opened (not where it panicked: the
    /// standard panic hook prints that).
    pub fn place(&self) -> &'static Location<'static> {
        self.inner.place
    }

    /// Takes the payload, for [`std::panic::resume_unwind`]. Only the first caller gets it.
    pub fn take_payload(&self) -> Option<Box<dyn Any + Send>> {
        self.inner.payload.locked(Option::take).map(Foreign::into_inner)
    }
}

// The payload is only ever taken out whole, so nobody can see it half changed.
impl UnwindSafe for Panic {}
impl RefUnwindSafe for Panic {}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("message", &self.message())
            .field("task", &self.inner.task)
            .field("name", &self.inner.name)
            .field("place", &format_args!("{}", self.inner.place))
            .finish()
    }
}
