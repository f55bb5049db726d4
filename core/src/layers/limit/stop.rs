//! What has a wait leave when the task, or the scope in it, that polls it is cancelled.
//!
//! Whoever is cancelled is polled once more, and that poll finds what it awaits: nothing has to be
//! registered for it. Only where a part of the task is polled by a waker of its own (in a
//! `FuturesUnordered`, say) might that poll pass the wait over. There, and only there, it waits for
//! the task's token too, whose waiters are woken before the last poll; that allocates.

use crate::layers::base::reason::Reason;
use crate::layers::cancel::CancelledOwned;
use crate::layers::context;
use crate::layers::context::task::{cancel_reason, own_token, poll_own};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// It is [ended](Stop::end) by whoever leaves the line, and has no destructor: who never waited would
/// pay for it.
pub(crate) struct Stop(ManuallyDrop<Option<Pin<Box<CancelledOwned>>>>);

impl Stop {
    #[inline(always)]
    pub(crate) const fn new() -> Stop {
        Stop(ManuallyDrop::new(None))
    }

    /// Says why the wait is to leave. If it is not, it is polled again when that has changed.
    #[inline(always)]
    pub(crate) fn poll(&mut self, waker: &Waker) -> Option<Reason> {
        if context::is_nowhere() { None } else { self.poll_here(waker) }
    }

    fn poll_here(&mut self, waker: &Waker) -> Option<Reason> {
        if let Some(reason) = cancel_reason() {
            self.end();
            return Some(reason);
        }
        let mut cx = Context::from_waker(waker);
        let waits = match &mut *self.0 {
            None => is_reached(waker),
            // If it is over, the cancel has come just now; or the wait went to another task.
            Some(token) => poll_own(token.as_mut(), &mut cx).is_pending(),
        };
        if waits {
            return None;
        }
        self.end();
        let mut token = Box::pin(own_token()?.cancelled_owned());
        match poll_own(token.as_mut(), &mut cx) {
            Poll::Ready(reason) => Some(reason),
            Poll::Pending => {
                *self.0 = Some(token);
                None
            }
        }
    }

    /// The wait is over.
    pub(crate) fn end(&mut self) {
        *self.0 = None;
    }
}

/// Tells whether the last poll of the task that polls with this waker is sure to come here.
fn is_reached(waker: &Waker) -> bool {
    context::task(|task| task.is_none_or(|task| task.is_woken_by(waker)))
}
