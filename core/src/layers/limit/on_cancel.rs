//! Makes a wait leave when the task that polls it is cancelled. If only a cancel scope in it has
//! ended, the wait stays, and the scope drops it.
//!
//! A task that is cancelled is polled once more, and that poll reaches what the task awaits:
//! nothing has to be registered for it. Only where a part of the task is polled by a waker of its
//! own (in a `FuturesUnordered`, for example) might that poll pass the wait over. There, and only
//! there, the wait also waits for the task's token, whose waiters are woken before the last poll;
//! that allocates.

use crate::layers::base::reason::Reason;
use crate::layers::cancel::{CancelToken, CancelledOwned};
use crate::layers::context::scope;
use crate::layers::context::task::{is_reached, poll_own};
use crate::layers::context::{self, Frame};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The owner [ends](CancelWatch::end) it when it leaves the queue. It has no destructor: an acquire
/// that never waited would pay for it.
pub(crate) struct CancelWatch(ManuallyDrop<Option<Pin<Box<CancelledOwned>>>>);

/// Whose cancel a wait leaves for.
#[derive(Clone, Copy)]
pub(crate) enum CancelOf {
    Task,
    /// The task's, or that of a cancel scope in it: what waits has a value already, and goes on
    /// without.
    Scope,
}

impl CancelOf {
    fn reason(self, frame: Option<&Frame<'_>>) -> Option<Reason> {
        match self {
            CancelOf::Task => scope::task_reason(frame),
            CancelOf::Scope => scope::reason(frame, false),
        }
    }

    fn token(self, frame: Option<&Frame<'_>>) -> Option<CancelToken> {
        match self {
            CancelOf::Task => scope::task_token(frame, false),
            CancelOf::Scope => scope::token(frame, false),
        }
    }
}

impl CancelWatch {
    #[inline(always)]
    pub(crate) const fn new() -> CancelWatch {
        CancelWatch(ManuallyDrop::new(None))
    }

    /// Returns why the wait must leave. If it need not leave, it is polled again when that has
    /// changed.
    #[inline(always)]
    pub(crate) fn poll(&mut self, waker: &Waker, of: CancelOf) -> Option<Reason> {
        if context::is_nowhere() { None } else { self.poll_here(waker, of) }
    }

    fn poll_here(&mut self, waker: &Waker, of: CancelOf) -> Option<Reason> {
        if let Some(reason) = context::current(|frame| of.reason(frame)) {
            self.end();
            return Some(reason);
        }
        let mut cx = Context::from_waker(waker);
        let waits = match &mut *self.0 {
            None => is_reached(waker),
            // If it is over, the cancel has come just now; or the wait moved to another task.
            Some(token) => poll_own(token.as_mut(), &mut cx).is_pending(),
        };
        if waits {
            return None;
        }
        self.end();
        let mut token = Box::pin(context::current(|frame| of.token(frame))?.cancelled_owned());
        match poll_own(token.as_mut(), &mut cx) {
            Poll::Ready(reason) => Some(reason),
            Poll::Pending => {
                *self.0 = Some(token);
                None
            }
        }
    }

    /// Ends it: the wait is over.
    #[inline(always)]
    pub(crate) fn end(&mut self) {
        if self.0.is_some() {
            *self.0 = None;
        }
    }
}
