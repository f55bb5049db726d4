//! A part of what a shield protects that a cancel does reach.

use super::end;
use crate::layers::base::big::Inner;
use crate::layers::base::reason::Reason;
use crate::layers::context;
use crate::layers::context::scope::{self, Scope, ScopeKind};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future that can be cancelled although it is inside a [`shield`](crate::shield).
///
/// Use it for the part of a cleanup that is only worth while if there is time: ask the peer for a
/// farewell, but do not insist. The cancel of the task shows in it. If the future is still waiting
/// after the poll that shows the cancel, it is dropped, and `cancellable` ends with the reason. The
/// shield goes on.
///
/// Outside a shield it does the same, and then the task goes on with its last poll.
///
/// # Errors
///
/// Returns the reason if the task was cancelled and the future did not end in its last poll.
///
/// # Cancel safety
///
/// Dropping it drops the future, and nothing else.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery, shield};
/// use allhome::cancel::cancellable;
/// use std::time::Duration;
///
/// block_on(nursery().run(async |n: Nursery| {
///     n.cancel();
///     let left = shield(Duration::MAX, async {
///         assert!(!allhome::is_cancelled(), "the shield keeps it away");
///         cancellable(std::future::pending::<()>()).await.is_err()
///     });
///     assert!(left.await);
///     Ok(())
/// }))?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cancellable<F: Future>(future: F) -> Cancellable<F> {
    Cancellable { scope: Scope::new(ScopeKind::Cancellable), future: Some(Inner::new(future)) }
}

pin_project! {
    /// The future of [`cancellable`].
    #[must_use = "it runs only when it is awaited"]
    pub struct Cancellable<F> {
        scope: Scope,
        #[pin]
        future: Option<Inner<F>>,
    }

    impl<F> PinnedDrop for Cancellable<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            end::drop_inside(&*this.scope, this.future);
        }
    }
}

impl<F: Future> Future for Cancellable<F> {
    type Output = Result<F::Output, Reason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match context::current(|frame| scope::reason(frame, true)) {
            None => end::poll_inside(&*this.scope, this.future, cx).map(Ok),
            Some(reason) => {
                let last = end::poll_last(&*this.scope, this.future, cx);
                last.map(|value| value.ok_or(reason))
            }
        }
    }
}

impl<F> fmt::Debug for Cancellable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellable").finish_non_exhaustive()
    }
}
