//! Work that blocks its thread, and the context that it is given.

use crate::layers::base::leave::Leave;
use crate::layers::base::reason::Reason;
use crate::layers::base::sync::{Arc, Thread, current_thread, park_thread};
use crate::layers::cancel::CancelToken;
use crate::layers::context;
use crate::layers::context::new_reason::exited;
use crate::layers::context::task::{cancel_reason, cancel_token, cancelled, is_cancelled, task_id};
use crate::layers::scope::cancellable::cancellable;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

/// Blocking work, of any type.
pub(crate) type BoxedWork<T, E> = Box<dyn FnOnce(&BlockingCx) -> Result<T, E> + Send>;

/// The context of [blocking work](crate::Nursery::blocking): with it, the work sees a cancel, and
/// waits for a future.
///
/// What a task can ask about itself ([`is_cancelled`], [`deadline`](crate::time::deadline), a
/// [`ScopedKey`](crate::task::ScopedKey)) is answered on the thread of the work, too.
pub struct BlockingCx {
    /// It belongs to one thread.
    _thread: PhantomData<*const ()>,
}

impl BlockingCx {
    /// Returns an error if the work was cancelled. Call it regularly.
    ///
    /// # Errors
    ///
    /// Returns the reason of the cancel. An error that the work returns after its cancel, whichever
    /// it is, is an [echo](crate::GroupError::echoes): the work has ended as
    /// [`Cancelled`](crate::task::Outcome::Cancelled).
    pub fn check(&self) -> Result<(), Reason> {
        forget();
        let Some(reason) = cancel_reason() else { return Ok(()) };
        context::noted::tell_cancelled();
        Err(reason)
    }

    /// Returns `true` if the work was cancelled.
    pub fn is_cancelled(&self) -> bool {
        is_cancelled()
    }

    /// Returns a token that is cancelled with the work, for code that takes one.
    pub fn token(&self) -> CancelToken {
        cancel_token()
    }

    /// Waits for a future, which runs on this thread as a part of the work: a nursery that it opens
    /// is inside the nursery that the work is a child of.
    ///
    /// When the work is cancelled, the future is polled once more with the cancel visible. If it is
    /// still waiting after that poll, it is dropped where it waits, as a task is.
    ///
    /// # Errors
    ///
    /// Returns the reason if the work was cancelled; the same holds then as for
    /// [`check`](BlockingCx::check). Returns the reason of an exit if the future awaited
    /// [`exit`](crate::task::exit()): if the work then returns an error, it has ended itself. If the future
    /// needed the [value](crate::Child::value) of a child that has none, returns the reason for that.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery| {
    ///     let work = n.blocking(|cx| {
    ///         let inner = nursery().run(async |n: Nursery| {
    ///             Ok(n.fork(async { Ok(7) }).await?)
    ///         });
    ///         Ok(cx.block_on(inner)??)
    ///     });
    ///     Ok(work.await?)
    /// });
    /// assert_eq!(block_on(run)?, 7);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Reason> {
        forget();
        let waker = Waker::from(Arc::new(Unpark(current_thread())));
        let mut cx = Context::from_waker(&waker);
        let (mut future, mut stop) = (pin!(cancellable(future)), pin!(cancelled()));
        loop {
            // Polled for its waker only: `cancellable` decides whether the work stops.
            let _stop = stop.as_mut().poll(&mut cx);
            let polled = future.as_mut().poll(&mut cx);
            if let (Poll::Pending, Some(reason)) = (&polled, asked()) {
                return Err(reason);
            }
            match polled {
                Poll::Ready(Ok(value)) => return Ok(value),
                Poll::Ready(Err(reason)) => {
                    context::noted::tell_cancelled();
                    return Err(reason);
                }
                Poll::Pending if _stop.is_ready() => {
                    // A nursery inside has not ended yet.
                    stop.set(cancelled());
                    park_thread();
                }
                Poll::Pending => park_thread(),
            }
        }
    }
}

/// A waker that unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocking work as a future: its first poll runs all of it.
pub(crate) struct Blocking<F>(Option<F>);

impl<F> Blocking<F> {
    pub(crate) fn new(work: F) -> Blocking<F> {
        Blocking(Some(work))
    }
}

impl<F> Unpin for Blocking<F> {}

impl<T, E, F: FnOnce(&BlockingCx) -> Result<T, E>> Future for Blocking<F> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<T, E>> {
        let work = self.0.take().expect("a child is not polled after it was ready");
        let result = work(&BlockingCx { _thread: PhantomData });
        if result.is_err() && exits() {
            drop(result);
            return Poll::Pending;
        }
        Poll::Ready(result)
    }
}

/// Returns why the future that was polled asked for an end, if it did.
///
/// That it needs a value is up to the work: an error that the work ends with is an echo if it would
/// be one of a task.
fn asked() -> Option<Reason> {
    context::task(|task| {
        let task = task?;
        match task.leave().get()? {
            Leave::Exit(location) => Some(exited(task_id(), location)),
            Leave::Cancelled => {
                let reason = task.take_heard()?;
                task.leave().set(None);
                task.notes().tell(Leave::ToldOf, Some(reason.clone()));
                Some(reason)
            }
            Leave::NoValue => {
                task.leave().set(None);
                task.take_heard()
            }
            Leave::NoSlot | Leave::Told | Leave::ToldOf => None,
        }
    })
}

/// The work asks again, or waits for something else: an error is no echo of what it was told before.
fn forget() {
    context::task(|task| {
        let told = |leave| matches!(leave, Some(Leave::Told | Leave::ToldOf));
        if let Some(task) = task.filter(|task| told(task.leave().get())) {
            task.leave().set(None);
            drop(task.take_heard());
        }
    });
}

/// Returns `true` if the work has asked for its own end.
fn exits() -> bool {
    context::task(|task| {
        task.is_some_and(|task| matches!(task.leave().get(), Some(Leave::Exit(_))))
    })
}

impl fmt::Debug for BlockingCx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingCx")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
