//! The end of what is inside a scope that was cancelled: one last poll, and then it is dropped where
//! it waits, as a task is. A poll for which the task has no budget, or in which that runs out, is
//! followed by one more in the next turn.

use crate::layers::base::reason::Reason;
use crate::layers::context;
use crate::layers::context::scope::Scope;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls what is inside. `cancelled` tells whether, and why, it is to leave.
pub(super) fn poll<F: Future>(
    scope: &Scope,
    mut inside: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
    mut cancelled: impl FnMut(&mut Context<'_>) -> Option<Reason>,
) -> Poll<Result<F::Output, Reason>> {
    loop {
        let seen = cancelled(cx);
        if seen.is_some() && put_off(scope, cx) {
            return Poll::Pending;
        }
        let held = seen.is_some() && scope.holds(None);
        let polled = context::inside(scope, || {
            let future = inside.as_mut().as_pin_mut();
            future.expect("a scope is not polled after it was ready").poll(cx)
        });
        if let Poll::Ready(value) = polled {
            drop_inside(scope, inside);
            return Poll::Ready(Ok(value));
        }
        let Some(reason) = seen else {
            if scope.is_cancelled() {
                // Its time was over during the poll, and it has asked: it gets one that shows it.
                continue;
            }
            // A cancel that came during the poll wakes us.
            return Poll::Pending;
        };
        if scope.holds(Some(cx.waker())) {
            return Poll::Pending;
        }
        if held && scope.has_open() {
            // A nursery came home during the poll, which was too early to see that.
            continue;
        }
        if put_off(scope, cx) {
            return Poll::Pending;
        }
        drop_inside(scope, inside);
        return Poll::Ready(Err(reason));
    }
}

fn put_off(scope: &Scope, cx: &Context<'_>) -> bool {
    let mut last_poll = scope.last_poll.get();
    let put_off = last_poll.put_off(None, cx);
    scope.last_poll.set(last_poll);
    put_off
}

/// Drops what is inside, there.
pub(super) fn drop_inside<F>(scope: &Scope, inside: Pin<&mut Option<F>>) {
    if inside.is_some() {
        context::inside(scope, || clear(inside));
    }
}

/// Drops it. Out of line: what is put in its place is as large as it was, and in the frame of a poll
/// would be on the stack of all that is polled inside.
#[inline(never)]
pub(super) fn clear<F>(mut future: Pin<&mut Option<F>>) {
    future.set(None);
}
