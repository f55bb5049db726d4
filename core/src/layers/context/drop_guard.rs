//! A guard that cancels when it is dropped.

use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::cancel::CancelToken;
use crate::layers::context::task::task_id;
use std::panic::Location;

/// Cancels its token when it is dropped; made by [`CancelToken::drop_guard`].
///
/// The place of the reason is where the guard was made.
#[must_use = "it cancels at once when it is dropped at once; `let _ = ..` drops it too"]
#[derive(Debug)]
pub struct DropGuard {
    token: CancelToken,
    armed: bool,
    place: &'static Location<'static>,
}

impl DropGuard {
    pub(crate) fn new(token: CancelToken, place: &'static Location<'static>) -> DropGuard {
        DropGuard { token, armed: true, place }
    }

    /// Returns the token.
    pub fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Ends the guard without a cancel.
    pub fn disarm(mut self) -> CancelToken {
        self.armed = false;
        self.token.clone()
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if self.armed && !self.token.is_cancelled() {
            let message = String::from("a drop guard was dropped");
            let kind = ReasonKind::Requested;
            self.token.cancel_with(Reason::of(kind, message, task_id(), self.place));
        }
    }
}
