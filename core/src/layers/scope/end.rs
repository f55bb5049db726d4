//! The end of what is inside a cancelled scope: one last poll, and then it is dropped where it
//! waits, as a task is. If the task has no budget for that poll, or the budget runs out in it, one
//! more poll follows in the next turn.

use crate::layers::context;
use crate::layers::context::inside::Inside;
use crate::layers::context::scope::Scope;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls what is inside, which is not cancelled as far as the caller knows.
#[inline(always)]
pub(crate) fn poll_inside<'a, F: Future>(
    scope: impl Into<Inside<'a>>,
    mut inside: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    context::inside(scope, || {
        let future = inside.as_mut().as_pin_mut();
        let polled = future.expect("a cancel scope is not polled after it was ready").poll(cx);
        if polled.is_ready() {
            clear(inside);
        }
        polled
    })
}

/// Polls what is inside and must leave. Returns `None` when it was dropped without a value.
#[cold]
pub(crate) fn poll_last<'a, F: Future>(
    scope: impl Into<Inside<'a>>,
    mut inside: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    let scope = scope.into();
    loop {
        if put_off(&scope, cx) {
            return Poll::Pending;
        }
        let held = scope.holds(None);
        if let Poll::Ready(value) = poll_inside(scope, inside.as_mut(), cx) {
            return Poll::Ready(Some(value));
        }
        if scope.holds(Some(cx.waker())) {
            return Poll::Pending;
        }
        if held && scope.has_open() {
            // A nursery ended during the poll, too late for the poll to see it.
            continue;
        }
        if put_off(&scope, cx) {
            return Poll::Pending;
        }
        drop_inside(scope, inside);
        return Poll::Ready(None);
    }
}

fn put_off(scope: &Scope, cx: &Context<'_>) -> bool {
    let mut last_poll = scope.last_poll.get();
    let put_off = last_poll.put_off(None, cx);
    scope.last_poll.set(last_poll);
    put_off
}

/// Drops what is inside, in the context of the scope.
pub(crate) fn drop_inside<'a, F>(scope: impl Into<Inside<'a>>, inside: Pin<&mut Option<F>>) {
    if inside.is_some() {
        context::inside(scope, || clear(inside));
    }
}

/// Drops it. Out of line: the value that replaces it is as large, and in the frame of a poll it
/// would be on the stack of everything that is polled inside.
#[inline(never)]
pub(super) fn clear<F>(mut future: Pin<&mut Option<F>>) {
    future.set(None);
}
