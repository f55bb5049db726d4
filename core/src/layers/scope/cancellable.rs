//! A part of what a shield protects that gives way to a cancel all the same.

use super::end;
use crate::layers::base::reason::Reason;
use crate::layers::context;
use crate::layers::context::scope::{self, Cut, Scope};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Makes a future that can be cancelled although it is inside a [`shield`](crate::shield): the
/// cancel of the task shows in it, and if it still waits after the poll that shows it, it is dropped
/// and the island ends with the reason. The shield goes on.
///
/// For the part of a cleanup that is only worth while if there is time: ask the peer for a farewell,
/// but do not insist.
///
/// Outside of a shield it does the same, and then the task goes on with its last poll.
///
/// # Cancel safety
///
/// Dropping it drops the future, and nothing else.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{ThreadPool, block_on, island, nursery_on, shield};
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// block_on(nursery_on::<Infallible>(ThreadPool::global()).run(async |n| {
///     n.cancel();
///     let left = shield(Duration::MAX, async {
///         assert!(!allhome::is_cancelled(), "the shield keeps it away");
///         island(std::future::pending::<()>()).await.is_err()
///     });
///     assert!(left.await.unwrap());
///     Ok(())
/// }))
/// .unwrap();
/// # }
/// ```
pub fn island<F: Future>(future: F) -> Island<F> {
    Island { scope: Scope::new(Cut::Island), future: Some(future) }
}

pin_project! {
    /// The future of [`island`].
    #[must_use = "it runs only when it is awaited"]
    pub struct Island<F> {
        scope: Scope,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Island<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            end::drop_inside(this.scope, this.future);
        }
    }
}

impl<F: Future> Future for Island<F> {
    type Output = Result<F::Output, Reason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        end::poll(this.scope, this.future, cx, |_| {
            context::current(|frame| scope::reason(frame, true))
        })
    }
}

impl<F> fmt::Debug for Island<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Island").finish_non_exhaustive()
    }
}
