//! Whether the current thread may be held up, as it is by a function that returns when a future is
//! ready.

use std::sync::OnceLock;

static QUESTION: OnceLock<fn() -> Option<String>> = OnceLock::new();

/// Registers what says whether the current thread polls a task: a description of the task, as
/// "task 3.1", or none. The first question that is registered is the one that is asked.
///
/// For a library that polls tasks on the threads of any runtime; only it knows when a thread does.
pub fn refuse_holds_where(question: fn() -> Option<String>) {
    let _ = QUESTION.set(question);
}

/// Checks that the current thread may be held up until a future is ready. To be called first by
/// every function that does so: `call` is its name.
///
/// # Panics
///
/// Panics if the thread polls a task: the future may wait for what only this thread runs, and the
/// call would never return.
///
/// # Examples
///
/// ```
/// fn block_on<F: Future>(future: F) -> F::Output {
///     allhome_rt::assert_may_hold("block_on");
///     // ...
/// #   let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #   let std::task::Poll::Ready(output) = std::pin::pin!(future).poll(&mut cx) else { panic!() };
/// #   output
/// }
/// assert_eq!(block_on(async { 7 }), 7, "no task is polled here");
/// ```
#[track_caller]
pub fn assert_may_hold(call: &str) {
    if let Some(task) = QUESTION.get().and_then(|question| question()) {
        panic!(
            "`{call}` was called in {task}: it would hold up the thread that polls it, and what it \
             waits for may need that thread; await the future instead, or call `{call}` in \
             blocking work"
        );
    }
}
