//! Work that blocks its thread, and what it is given.

use crate::layers::base::leave::Leave;
use crate::layers::base::reason::{Reason, exited};
use crate::layers::base::sync::{Arc, Thread, current_thread, park_thread};
use crate::layers::cancel::CancelToken;
use crate::layers::context::task::{cancel_reason, cancel_token, cancelled, is_cancelled, task_id};
use crate::layers::context::{self, TaskFrame};
use crate::layers::scope::cancellable::island;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

/// Blocking work, of any kind.
pub(crate) type BoxedWork<T, E> = Box<dyn FnOnce(&BlockingCx) -> Result<T, E> + Send>;

/// What [blocking work](crate::Nursery::blocking) is given: how it hears of a cancel, and how it
/// waits for a future.
///
/// What a task can ask about itself ([`is_cancelled`], [`deadline`](crate::deadline), a
/// [`ScopedKey`](crate::ScopedKey)) is answered on the thread of the work, too.
pub struct BlockingCx {
    /// It has told of the cancel.
    told: Cell<bool>,
    /// It belongs to one thread.
    _thread: PhantomData<*const ()>,
}

impl BlockingCx {
    /// Says whether to go on.
    ///
    /// # Errors
    ///
    /// The reason, if the work was cancelled. If the work then returns an error, whichever, it has
    /// ended because of the cancel, and its outcome is [`Cancelled`](crate::Outcome::Cancelled).
    pub fn check(&self) -> Result<(), Reason> {
        match cancel_reason() {
            None => Ok(()),
            Some(reason) => {
                self.told.set(true);
                Err(reason)
            }
        }
    }

    /// Tells whether the work was cancelled.
    pub fn is_cancelled(&self) -> bool {
        is_cancelled()
    }

    /// Returns a token that is cancelled with the work, for code that takes one.
    pub fn token(&self) -> CancelToken {
        cancel_token()
    }

    /// Waits for a future, which runs on this thread as a part of the work: a nursery that it opens
    /// is inside the one that the work is a child of.
    ///
    /// When the work is cancelled, the future is polled once more with the cancel visible and then
    /// dropped where it waits, as a task is.
    ///
    /// # Errors
    ///
    /// The reason of the cancel; the same holds as for [`check`](BlockingCx::check). And if the future
    /// awaits [`exit`](crate::exit()), the reason of that: if the work then returns an error, it has
    /// ended itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Reason, ThreadPool, block_on, nursery, nursery_on};
    ///
    /// let run = nursery_on::<Reason>(ThreadPool::global()).run(async |n| {
    ///     let work = n.blocking(|cx| {
    ///         let inner = nursery::<Reason>().run(async |n| {
    ///             Ok(n.fork(async { Ok(7) }).join().await.unwrap())
    ///         });
    ///         Ok(cx.block_on(inner)?.unwrap())
    ///     });
    ///     Ok(work.unwrap().join().await.unwrap())
    /// });
    /// assert_eq!(block_on(run).unwrap(), 7);
    /// # }
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Reason> {
        let waker = Waker::from(Arc::new(Unpark(current_thread())));
        let mut cx = Context::from_waker(&waker);
        let (mut future, mut stop) = (pin!(island(future)), pin!(cancelled()));
        loop {
            // For its waker only: whether to stop is the island's to say.
            let _stop = stop.as_mut().poll(&mut cx);
            let polled = future.as_mut().poll(&mut cx);
            if let (Poll::Pending, Some(reason)) = (&polled, exit()) {
                return Err(reason);
            }
            match polled {
                Poll::Ready(Ok(value)) => return Ok(value),
                Poll::Ready(Err(reason)) => {
                    self.told.set(true);
                    return Err(reason);
                }
                Poll::Pending if _stop.is_ready() => {
                    // A nursery inside is not home.
                    stop.set(cancelled());
                    park_thread();
                }
                Poll::Pending => park_thread(),
            }
        }
    }
}

/// A waker of a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocking work as a future: its first poll does it all.
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
        let cx = BlockingCx { told: Cell::new(false), _thread: PhantomData };
        let result = work(&cx);
        if result.is_err() && context::task(|task| task.is_some_and(|task| leaves(task, &cx))) {
            drop(result);
            return Poll::Pending;
        }
        Poll::Ready(result)
    }
}

/// Tells whether work that has returned an error has ended because it exited, or was told of its
/// cancel. What it was told of may have been the cancel of a scope or a nursery inside it alone.
fn leaves(task: &TaskFrame<'_>, cx: &BlockingCx) -> bool {
    let told = match task.leave().get() {
        None => cx.told.get() && task.is_cancelled(),
        Some(leave) => matches!(leave, Leave::Told),
    };
    if told {
        task.leave().set(Some(Leave::Cancelled));
    }
    task.leave().get().is_some()
}

/// Returns the reason of the task's own exit, if there was one.
fn exit() -> Option<Reason> {
    context::task(|task| match task?.leave().get() {
        Some(Leave::Exit(place)) => Some(exited(task_id(), place)),
        Some(Leave::Cancelled | Leave::NoSlot(_) | Leave::Told) | None => None,
    })
}

impl fmt::Debug for BlockingCx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingCx")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
