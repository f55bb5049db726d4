//! Cancels of a token that say in which task they were asked for; and a guard that cancels when it
//! is dropped.
//!
//! They stand here and not with the token, which does not know of tasks.

use super::new_reason::{by_caller, caller};
use crate::layers::base::reason::{Reason, ReasonKind};
use crate::layers::cancel::CancelToken;
use std::panic::Location;

impl CancelToken {
    /// Cancels the token and everything below it, with a reason of kind
    /// [`Requested`](ReasonKind::Requested) and the caller's place.
    ///
    /// Returns false if it had been cancelled before: the first reason stays. Another thread may
    /// still be about to tell the tokens below of that one.
    ///
    /// Wakers and callbacks run before it returns; what panics in them is caught.
    ///
    /// # Examples
    ///
    /// ```
    /// let token = allhome::CancelToken::new();
    /// assert!(token.cancel());
    /// assert!(!token.cancel());
    /// assert!(token.reason().unwrap().location().line() > 0);
    /// ```
    #[track_caller]
    pub fn cancel(&self) -> bool {
        let place = Location::caller();
        if self.is_cancelled() {
            return false;
        }
        self.cancel_with(by_caller(ReasonKind::Requested, place))
    }

    /// Makes a guard that cancels the token when it is dropped, unless it is
    /// [disarmed](DropGuard::disarm).
    ///
    /// # Examples
    ///
    /// ```
    /// let token = allhome::CancelToken::new();
    /// let guard = token.drop_guard();
    /// drop(guard);
    /// assert!(token.is_cancelled());
    /// ```
    #[track_caller]
    pub fn drop_guard(&self) -> DropGuard {
        DropGuard::new(self.clone(), Location::caller())
    }
}

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
            self.token.cancel_with(Reason::of(kind, message, caller(), self.place));
        }
    }
}
