//! Refuses calls that block their thread where a task is being polled.

use std::sync::OnceLock;

static QUESTION: OnceLock<fn() -> Option<String>> = OnceLock::new();

/// Registers a function that says whether the current thread is polling a task. It returns a
/// description of the task, such as "task 3.1", or `None`. Only the first function that is
/// registered is ever called.
///
/// For a library that polls tasks on the threads of any runtime: only the library knows when a
/// thread does.
pub fn refuse_holds_where(question: fn() -> Option<String>) {
    let _ = QUESTION.set(question);
}

/// Checks that the current thread may block until a future is ready. Every function that blocks in
/// this way calls it first; `call` is the function's name.
///
/// # Panics
///
/// Panics if the thread is polling a task. The future might wait for something that only this
/// thread runs, and the call would never return.
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
            "`{call}` was called in {task}: it would block the thread that polls that task, and the \
             future may need the same thread; await the future instead, or call `{call}` in \
             blocking work"
        );
    }
}
