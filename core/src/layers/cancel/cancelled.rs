//! Waiting for a cancel.

#![allow(unsafe_code)]

use super::CancelToken;
use super::wait::Wait;
use crate::layers::base::reason::Reason;
use crate::layers::base::wait_mark::{self, Kind};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pin_project! {
    /// The future of [`CancelToken::cancelled`].
    #[must_use = "it waits only when it is awaited"]
    pub struct Cancelled<'a> {
        token: &'a CancelToken,
        #[pin]
        wait: Wait,
    }

    impl PinnedDrop for Cancelled<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.as_ref().project_ref();
            // SAFETY: the caller is the owner, and that is the token of every `enter`.
            unsafe { this.wait.leave(&this.token.node) };
        }
    }
}

pin_project! {
    /// The future of [`CancelToken::cancelled_owned`].
    #[must_use = "it waits only when it is awaited"]
    pub struct CancelledOwned {
        token: CancelToken,
        #[pin]
        wait: Wait,
    }

    impl PinnedDrop for CancelledOwned {
        fn drop(this: Pin<&mut Self>) {
            let this = this.as_ref().project_ref();
            // SAFETY: as above; the token's field is dropped after this.
            unsafe { this.wait.leave(&this.token.node) };
        }
    }
}

impl<'a> Cancelled<'a> {
    pub(super) fn new(token: &'a CancelToken) -> Cancelled<'a> {
        Cancelled { token, wait: Wait::new() }
    }
}

impl CancelledOwned {
    pub(super) fn new(token: CancelToken) -> CancelledOwned {
        CancelledOwned { token, wait: Wait::new() }
    }

    pub(super) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Registers the waker, which a cancel wakes. Returns `false` if the token is cancelled
    /// already.
    #[inline(always)]
    pub(super) fn enter(self: Pin<&mut Self>, waker: &Waker) -> bool {
        let this = self.as_ref().project_ref();
        // SAFETY: the caller is the owner, exclusively borrowed; the token is the same each time,
        // and the destructor leaves before the token goes.
        unsafe { this.wait.enter(&this.token.node, waker) }
    }
}

impl Future for Cancelled<'_> {
    type Output = Reason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let this = self.as_ref().project_ref();
        let waits = !this.token.is_cancelled() && {
            // SAFETY: the caller is the owner, exclusively borrowed; the token is the same each
            // time, and is borrowed for longer than this lives.
            unsafe { this.wait.enter(&this.token.node, cx.waker()) }
        };
        outcome(waits, this.token)
    }
}

impl Future for CancelledOwned {
    type Output = Reason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let waits = !self.token.is_cancelled() && self.as_mut().enter(cx.waker());
        outcome(waits, &self.token)
    }
}

fn outcome(waits: bool, token: &CancelToken) -> Poll<Reason> {
    // A token that is cancelled has a reason.
    if waits {
        wait_mark::on(Kind::Token, 0);
        return Poll::Pending;
    }
    token.reason().map_or(Poll::Pending, Poll::Ready)
}

impl fmt::Debug for Cancelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled").field("token", self.token).finish_non_exhaustive()
    }
}

impl fmt::Debug for CancelledOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelledOwned").field("token", &self.token).finish_non_exhaustive()
    }
}
