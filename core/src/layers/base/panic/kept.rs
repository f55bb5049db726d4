//! A panic of user code that was caught, as joiners and errors of nurseries show it.

use super::Payload;
use crate::layers::base::guarded::{Foreign, GlobalGuarded};
use crate::layers::base::id::TaskId;
use crate::layers::base::sync::Arc;
use std::any::Any;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};

/// A panic of a child, of a nursery's body, or of one of their destructors.
///
/// Clones share it: the joiner of a child and the error of its nursery see the same panic.
#[derive(Clone)]
pub struct Panic {
    inner: Arc<Inner>,
}

struct Inner {
    message: Box<str>,
    task: Option<TaskId>,
    name: Option<Box<str>>,
    location: &'static Location<'static>,
    payload: GlobalGuarded<Option<Foreign<Payload>>>,
}

impl Panic {
    pub(crate) fn new(
        payload: Payload,
        task: Option<TaskId>,
        name: Option<&str>,
        location: &'static Location<'static>,
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
            inner: Arc::new(Inner { message, task, name: name.map(Box::from), location, payload }),
        }
    }

    /// Returns the text that the panic was raised with.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns the child that panicked, or `None` if it was the nursery's body.
    pub fn task(&self) -> Option<TaskId> {
        self.inner.task
    }

    /// Returns the name of the child or nursery that panicked, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Returns where the child was spawned, or where the nursery was opened. (The standard panic
    /// hook prints where it panicked.)
    pub fn location(&self) -> &'static Location<'static> {
        self.inner.location
    }

    /// Takes the payload, for [`std::panic::resume_unwind`]. Only the first caller gets it; later
    /// calls return `None`.
    pub fn take_payload(&self) -> Option<Box<dyn Any + Send>> {
        self.inner.payload.locked(Option::take).map(Foreign::into_inner)
    }
}

// The payload is only ever taken out whole, so no other thread can see it half changed.
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
            .field("location", &format_args!("{}", self.inner.location))
            .finish()
    }
}
