//! The future that cancels a nursery when it is ready: see [`Builder::cancel_when`].
//!
//! The nursery's future polls it, in front of the body, and as a part of the body: what it asks is
//! answered as there. It is tempting to spawn it as a child; but the nursery waits for its children,
//! and would wait for one that only waits for a cancel.
//!
//! [`Builder::cancel_when`]: crate::Builder::cancel_when

use crate::layers::base::counted::Strong;
use crate::layers::base::guarded::Foreign;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::reason::{Level, ReasonKind};
use crate::layers::base::sync::GlobalMutex;
use crate::layers::context::{self, Notes};
use crate::layers::group::Group;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

type BoxedCondition = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The future, and the call that set it.
pub(crate) struct Condition {
    /// The mutex is never locked: it lets the nursery's future be `Sync`, which this future need
    /// not be.
    future: GlobalMutex<Foreign<BoxedCondition>>,
    location: &'static Location<'static>,
}

impl Condition {
    pub(crate) fn new(
        future: impl Future<Output = ()> + Send + 'static,
        location: &'static Location<'static>,
    ) -> Condition {
        let future: BoxedCondition = Box::pin(future);
        Condition { future: GlobalMutex::new(Foreign::new(future)), location }
    }

    /// Polls it, and cancels the nursery if it is ready. `Ready` means that it is not needed any
    /// more. No lock is held.
    pub(super) fn poll(&mut self, group: &Strong<Group>, cx: &mut Context<'_>) -> Poll<()> {
        let (env, notes) = (&group.owned().inherited, Notes::default());
        let polled = panic::catch(|| {
            context::poll(&**group, env, None, cx.waker(), &notes, || self.poll_inside(cx))
        });
        match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => {
                let kind = ReasonKind::Requested;
                let reason = group.reason(kind, String::new(), None, self.location);
                group.raise_tree(Level::Cancelled, &reason);
            }
            Err(payload) => {
                group.fail_body(group.owned(), Ending::Panicked(group.body_panic(payload)));
            }
        }
        Poll::Ready(())
    }
    /// Polls it. The caller has set what it is a part of, and contains its panic.
    pub(crate) fn poll_inside(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.future.get_mut().as_mut().poll(cx)
    }

    /// Returns where it was given.
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }
}
