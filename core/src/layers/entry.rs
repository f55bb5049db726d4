//! A program's outermost call: `block_on` and `run`, inside of which nurseries are opened on the
//! global pool.

use crate::layers::base::as_error::AsError;
use crate::layers::context::entered::Entered;
use crate::layers::nursery::Nursery;
use crate::layers::nursery::builder::nursery;
use crate::layers::nursery::error::GroupError;
use allhome_executors::ThreadPool;
use allhome_rt::{IntoRuntime, NoRuntime, Runtime};
use std::future::Future;
use std::pin::pin;

fn global() -> Result<Runtime, NoRuntime> {
    ThreadPool::global().into_runtime()
}

/// Runs a future on the calling thread until it is ready and returns its output. Nurseries that
/// are opened inside run on [`ThreadPool::global()`], unless they name another runtime.
///
/// The future need neither be `Send` nor `'static`; it is dropped before `block_on` returns. The
/// thread sleeps while the future waits. The pool is started by the first nursery that needs it.
///
/// # Which runtime?
///
/// [`nursery`] inside finds the pool, also on a thread that is in tokio's context, whichever
/// features are on. In blocking work of a nursery it finds that nursery's runtime, as everywhere in
/// a nursery. To use tokio's, call tokio's own `block_on`, or name it: `nursery().on(Tokio)`.
///
/// [`allhome_executors::block_on`] is the same function without this: it knows no nursery.
///
/// # Panics
///
/// Panics if called in a poll of a nursery's task or body, whichever runtime polls it, and on a
/// worker thread of a [`ThreadPool`]. The call would block the thread, and the future might wait
/// for something that only this thread runs. Await the future instead, or call `block_on` in
/// blocking work, where it is allowed.
///
/// A panic of the future reaches the caller.
///
/// # Examples
///
/// ```
/// use allhome::{GroupError, block_on, nursery};
///
/// async fn squares(numbers: &[u32]) -> Result<u32, GroupError<String>> {
///     let sum = nursery().run(async |n| {
///         let squares: Vec<_> = numbers.iter().map(|&i| n.fork(async move { Ok(i * i) })).collect();
///         let mut sum = 0;
///         for square in squares {
///             sum += square.await.map_err(|error| error.to_string())?;
///         }
///         Ok(sum)
///     });
///     sum.await
/// }
/// assert_eq!(block_on(squares(&[1, 2, 3]))?, 14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let _entered = Entered::enter(global);
    // Pinned here: it is moved once, and dropped while the pool is still entered.
    allhome_executors::block_on(pin!(future))
}

/// Opens a nursery on [`ThreadPool::global()`], runs the body in it on the calling thread, and
/// waits until every child has ended: a program's `main`, or a test.
///
/// It is [`block_on`]`(`[`nursery`]`().run(body))`. Where a nursery needs settings, write that. In
/// blocking work of a nursery, the nursery is opened inside of that one and runs where that one
/// does.
///
/// # Errors
///
/// Those of [`Builder::run`](crate::Builder::run).
///
/// # Panics
///
/// Panics where [`block_on`] panics, and resumes the first panic of a child or of the body.
///
/// # Examples
///
/// ```
/// use allhome::BoxError;
///
/// async fn fetch(page: &'static str) -> Result<usize, BoxError> {
///     Ok(page.len())
/// }
///
/// # fn main() -> Result<(), allhome::GroupError<BoxError>> {
/// let bytes = allhome::run(async |n| {
///     let (a, b) = (n.fork(fetch("index")), n.fork(fetch("about")));
///     Ok(a.await? + b.await?)
/// })?;
/// assert_eq!(bytes, 10);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn run<R, E, M, F, Fut>(body: F) -> Result<R, GroupError<E>>
where
    F: FnOnce(Nursery<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: AsError<M>,
{
    block_on(nursery().run(body))
}
