//! Waiting, by a handle, until a nursery takes no more children.

use crate::layers::base::counted::Strong;
use crate::layers::base::reason::Level;
use crate::layers::cancel::Draining;
use crate::layers::context::host::Waiter;
use crate::layers::group::Group;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`Nursery::draining`](crate::Nursery::draining).
#[must_use = "it waits only when it is awaited"]
pub struct NurseryDraining {
    group: Strong<Group>,
    level: Draining,
    /// A nursery that ends was not raised for that.
    end: Waiter,
}

impl NurseryDraining {
    pub(super) fn new(group: Strong<Group>) -> NurseryDraining {
        let level = group.token().draining();
        NurseryDraining { group, level, end: Waiter::new() }
    }
}

impl Future for NurseryDraining {
    type Output = Level;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Level> {
        let level = Pin::new(&mut self.level).poll(cx);
        if level.is_ready() || self.group.is_left(false, self.end, cx.waker()) {
            return level;
        }
        Poll::Ready(Level::Draining)
    }
}

impl Drop for NurseryDraining {
    fn drop(&mut self) {
        self.group.forget_home_waker(self.end);
    }
}

impl fmt::Debug for NurseryDraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NurseryDraining").field("nursery", &self.group.id).finish_non_exhaustive()
    }
}
