//! What a nursery is limited by: time, tokens, the number of threads.

use super::Builder;
use crate::layers::base::sync::Arc;
use crate::layers::cancel::CancelToken;
use crate::layers::group::config::When;
use crate::layers::limit::Semaphore;
use std::time::{Duration, Instant};

impl<E> Builder<E> {
    /// Sets how long the nursery may take, counted from the first poll of its future: then it is
    /// [cancelled](crate::Nursery::cancel), with a reason of the kind
    /// [`Deadline`](crate::ReasonKind::Deadline), and everything in it.
    ///
    /// The earliest deadline on the way down the tree holds: one that is later than that of a
    /// nursery or scope around has no effect. Zero cancels it in the first poll, after which the body
    /// and whoever was not polled yet are gone; [`Duration::MAX`] is no deadline. It can be moved
    /// while the nursery runs: [`set_deadline`](crate::Nursery::set_deadline).
    ///
    /// A nursery whose body had its value ready in time is not a failure only because children were
    /// cut off; otherwise the error is a [timeout](crate::GroupError::is_timeout).
    ///
    /// # Errors
    ///
    /// A runtime without a timer: [`run`](Builder::run) gives
    /// [`Cause::Unsupported`](crate::Cause::Unsupported), and the body is not called.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = nursery_on::<Infallible>(ThreadPool::global())
    ///     .deadline(Duration::from_millis(1))
    ///     .run(async |_| std::future::pending::<Result<(), _>>().await);
    /// assert!(block_on(run).unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn deadline(mut self, after: Duration) -> Builder<E> {
        self.config.deadline = Some(When::After(after));
        self
    }

    /// As [`deadline`](Builder::deadline), at an instant of the runtime's timer. One in the past
    /// cancels it in the first poll.
    pub fn deadline_at(mut self, at: Instant) -> Builder<E> {
        self.config.deadline = Some(When::At(at));
        self
    }

    /// Sets how long the *children* may take. As [`deadline`](Builder::deadline), but the body is
    /// left out of that cancel: its joins end as their children do, and it returns what there is.
    ///
    /// So the results that are there in time are not lost. Any other cancel, and the end of the
    /// [grace](Builder::grace), ends the body too.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = nursery_on::<Infallible>(ThreadPool::global())
    ///     .timeout(Duration::from_millis(50))
    ///     .run(async |n| {
    ///         let quick = n.fork(async { Ok(1) });
    ///         let slow = n.fork(std::future::pending::<Result<u32, _>>());
    ///         Ok([quick.join().await.ok(), slow.join().await.ok()])
    ///     });
    /// assert_eq!(block_on(run).unwrap(), [Some(1), None]);
    /// # }
    /// ```
    pub fn timeout(mut self, after: Duration) -> Builder<E> {
        self.config.deadline = Some(When::After(after));
        self.config.partial = true;
        self
    }

    /// Sets how long those who are cancelled may go on, from then on. Default: that of the nursery
    /// that it is opened in, and zero for a root.
    ///
    /// With zero, a task that still waits after the poll that shows the cancel is dropped where it
    /// waits. Otherwise it is woken and polled as before, with the cancel visible, until it ends or
    /// the time is over: then everybody who is left is aborted. It holds for the body, too, unless the
    /// task that awaits the nursery, which the body is a part of, is cancelled and has less; and for a
    /// child that is cancelled on its own. [`Duration::MAX`] is as long as they like.
    ///
    /// # Errors
    ///
    /// As [`deadline`](Builder::deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, cancelled, nursery_on, sleep};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = nursery_on::<Infallible>(ThreadPool::global())
    ///     .grace(Duration::from_secs(10))
    ///     .run(async |n| {
    ///         n.cancel();
    ///         cancelled().await;
    ///         sleep(Duration::from_millis(1)).await.unwrap();
    ///         Ok("put everything back")
    ///     });
    /// assert_eq!(block_on(run).unwrap(), "put everything back");
    /// # }
    /// ```
    pub fn grace(mut self, grace: Duration) -> Builder<E> {
        self.config.grace = Some(grace);
        self
    }

    /// Limits how many children run at the same time: each needs one of so many *slots*, and has it
    /// until it is home. More than [`Semaphore::MAX_PERMITS`] is that. Default: no limit.
    ///
    /// A child is let in in one of two ways, which stand in one line, first come first served:
    ///
    /// - [`n.reserve().await?.spawn(..)`](crate::Nursery::reserve) waits for the slot *before* the
    ///   child is made: the producer goes no faster than the children, and nothing piles up. This is
    ///   the way for anything that comes from outside.
    /// - `n.spawn(..)`, [`fork`](crate::Nursery::fork) and their kin do not wait, and refuse nobody for
    ///   want of a slot: the *child* waits, in the nursery, and its future is not polled before it has
    ///   one. A cancel drops it there unpolled. It is for a number of children that is known; one that
    ///   is endless piles up.
    ///
    /// Not counted are the body, finalizers, and [blocking work](crate::Nursery::blocking), which has
    /// a [limit of its own](Builder::blocking_limit); [`Slot::blocking`](crate::Slot::blocking) is
    /// counted in both. The limit holds for this nursery alone, not for those opened inside it: hand
    /// them its [limiter](crate::Nursery::limiter) for that. It can be changed while the nursery runs:
    /// [`set_limit`](crate::Nursery::set_limit).
    ///
    /// With 0 nobody is let in: a reservation fails at once, and a spawn is refused.
    ///
    /// # Lending
    ///
    /// A child that waits for others which need a slot of the same limiter lends them its own, and takes
    /// it back, before all who wait in line, when it goes on: while it waits in `reserve`, and while a
    /// [nursery](Builder::limiter) that it has opened on the same limiter has somebody in it or waiting
    /// to come in. So nurseries nest on one limiter to any depth, with a limit of 1. What the bodies
    /// of such nurseries compute meanwhile is beyond the limit.
    ///
    /// A child that *joins a sibling* which has no slot yet lends nothing, and with a limit of 1 both
    /// wait for ever: open a nursery inside for what is to be joined.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    /// use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    /// use std::sync::Arc;
    ///
    /// let inside = Arc::new(AtomicUsize::new(0));
    /// let run = nursery_on::<Infallible>(ThreadPool::global()).limit(4).run(async |n| {
    ///     for _ in 0..100 {
    ///         let inside = inside.clone();
    ///         n.spawn(async move {
    ///             assert!(inside.fetch_add(1, SeqCst) < 4);
    ///             allhome::yield_now().await;
    ///             inside.fetch_sub(1, SeqCst);
    ///             Ok(())
    ///         });
    ///     }
    ///     Ok(())
    /// });
    /// block_on(run).unwrap();
    /// # }
    /// ```
    pub fn limit(self, slots: usize) -> Builder<E> {
        self.limiter(&Arc::new(Semaphore::new(slots)))
    }

    /// As [`limit`](Builder::limit), with a limiter that is shared: with other nurseries, above all with
    /// those that children open inside, and with code that acquires permits of it itself. A slot is one
    /// permit.
    ///
    /// It is not closed with the nursery. If it is closed, reservations and spawns fail, and the
    /// children that wait for a slot are cancelled.
    ///
    /// # Examples
    ///
    /// Walking a tree, a task a node, one at a time:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Semaphore, ThreadPool, block_on, nursery, nursery_on};
    /// use std::convert::Infallible;
    /// use std::future::Future;
    /// use std::pin::Pin;
    /// use std::sync::Arc;
    ///
    /// type Walk = Pin<Box<dyn Future<Output = Result<u32, Infallible>> + Send>>;
    ///
    /// fn walk(depth: u32, limiter: Arc<Semaphore>) -> Walk {
    ///     Box::pin(async move {
    ///         if depth == 0 {
    ///             return Ok(1);
    ///         }
    ///         let run = nursery::<Infallible>().limiter(&limiter).run(async |n| {
    ///             let left = n.fork(walk(depth - 1, limiter.clone()));
    ///             let right = n.fork(walk(depth - 1, limiter.clone()));
    ///             Ok(left.join().await.unwrap() + right.join().await.unwrap())
    ///         });
    ///         Ok(run.await.unwrap())
    ///     })
    /// }
    ///
    /// let one = Arc::new(Semaphore::new(1));
    /// let run = nursery_on::<Infallible>(ThreadPool::global())
    ///     .limiter(&one)
    ///     .run(async |n| Ok(n.fork(walk(5, one.clone())).join().await.unwrap()));
    /// assert_eq!(block_on(run).unwrap(), 32);
    /// # }
    /// ```
    pub fn limiter(mut self, limiter: &Arc<Semaphore>) -> Builder<E> {
        self.config.limiter = Some(limiter.clone());
        self
    }

    /// Sets how many pieces of [blocking work](crate::Nursery::blocking) of this nursery run at once;
    /// the others wait for their turn, first come first served. Default: as many as the runtime's
    /// blocking pool takes.
    ///
    /// It is a limit of its own: a thread that waits in a system call is not one that computes. With
    /// zero, blocking work is refused with an error.
    pub fn blocking_limit(mut self, limit: usize) -> Builder<E> {
        self.config.blocking_limit = limit;
        self
    }

    /// Has the nursery end without what still holds a thread so long after the nursery was
    /// cancelled: [blocking work](crate::Nursery::blocking), and tasks that have been in one poll, or
    /// in their destructors, for half of that time. Default: the nursery waits for them as long as it takes. A task that waits is not
    /// given up: an abort ends it.
    ///
    /// Each of them is a [failure](crate::Cause::Stuck) that names it. It is not forgotten: it is
    /// the ancestors' then, as if the nursery's future had been dropped; they list it in their
    /// [tree](crate::Nursery::tree) and end after it. That of a root is listed by
    /// [`strays`](crate::strays). So are its finalizers, which run when it has ended.
    ///
    /// # Errors
    ///
    /// As [`deadline`](Builder::deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Cause, ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    ///
    /// let (answer, question) = channel::<()>();
    /// let run = nursery_on::<Infallible>(ThreadPool::global())
    ///     .stuck_after(Duration::from_millis(10))
    ///     .run(async |n| {
    ///         let (begun, begins) = channel();
    ///         let work = n.named("deaf").blocking(move |_| {
    ///             begun.send(()).unwrap();
    ///             Ok(question.recv().is_ok())
    ///         });
    ///         begins.recv().unwrap();
    ///         n.cancel();
    ///         work.map(drop).map_err(|_| unreachable!("the pool has blocking threads"))
    ///     });
    /// let error = block_on(run).unwrap_err();
    /// assert!(matches!(error.first().cause(), Cause::Stuck));
    /// assert_eq!(error.first().name(), Some("deaf"));
    /// drop(answer); // It ends, at last.
    /// # }
    /// ```
    pub fn stuck_after(mut self, after: Duration) -> Builder<E> {
        self.config.stuck_after = Some(after);
        self
    }

    /// Has the nursery cancelled with a token: from code that knows nothing of nurseries, or from a
    /// tree of another shape.
    ///
    /// The nursery's [own token](crate::Nursery::token) is a child of it then. A token that is
    /// cancelled already cancels the nursery from its start.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, ThreadPool, block_on, nursery_on};
    /// use std::convert::Infallible;
    ///
    /// let token = CancelToken::new();
    /// let stop = token.clone();
    /// let run = nursery_on::<Infallible>(ThreadPool::global()).token(&token).run(async |n| {
    ///     n.spawn(std::future::pending());
    ///     stop.cancel();
    ///     Ok(n.is_cancelled())
    /// });
    /// assert!(block_on(run).unwrap());
    /// # }
    /// ```
    pub fn token(mut self, token: &CancelToken) -> Builder<E> {
        self.config.token = Some(token.clone());
        self
    }
}
