//! What limits a nursery: time, tokens, the number of children and of threads.

use super::Builder;
use crate::layers::base::sync::Arc;
use crate::layers::cancel::CancelToken;
use crate::layers::group::config::When;
use crate::layers::limit::Semaphore;
use crate::layers::nursery::condition::Condition;
use crate::layers::nursery::mode::NurseryMode;
use allhome_rt::Instant;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

impl<P: NurseryMode> Builder<P> {
    /// Sets how long the nursery may take.
    ///
    /// The time is counted from the first poll of the nursery's future. When it is over, the
    /// nursery and everything in it is [cancelled](crate::Nursery::cancel), with a reason of the
    /// kind [`Deadline`](crate::cancel::ReasonKind::Deadline).
    ///
    /// The earliest deadline around holds: one that is later than the deadline of a nursery or
    /// cancel scope around has no effect. Zero cancels the nursery in its first poll, after which
    /// the body, and every child that was not polled yet, is gone. [`Duration::MAX`] is no
    /// deadline. [`set_deadline`](crate::Nursery::set_deadline) moves the deadline while the
    /// nursery runs.
    ///
    /// If the body returned its value in time, cancelled children alone do not make the nursery
    /// fail. Otherwise the error is a [timeout](crate::GroupError::is_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = nursery()
    ///     .deadline(Duration::from_millis(1))
    ///     .run(async |_: Nursery<Infallible>| std::future::pending::<Result<(), _>>().await);
    /// assert!(block_on(run).unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn deadline(mut self, after: Duration) -> Self {
        self.config.deadline = Some(When::After(after));
        self
    }

    /// Like [`deadline`](Builder::deadline), at an instant of the runtime's timer. An instant in
    /// the past cancels the nursery in its first poll.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.config.deadline = Some(When::At(at));
        self
    }

    /// Sets how long the *children* may take. Like [`deadline`](Builder::deadline), but this
    /// deadline does not cancel the body: the body's joins end as its children do, and it returns
    /// what it has.
    ///
    /// So the results that are there in time are not lost. Any other cancel ends the body too, and
    /// so does the end of the [grace](Builder::grace).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = nursery()
    ///     .children_deadline(Duration::from_millis(50))
    ///     .run(async |n: Nursery<Infallible>| {
    ///         let quick = n.fork(async { Ok(1) });
    ///         let slow = n.fork(std::future::pending::<Result<u32, _>>());
    ///         Ok([quick.await.ok(), slow.await.ok()])
    ///     });
    /// assert_eq!(block_on(run)?, [Some(1), None]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn children_deadline(mut self, after: Duration) -> Self {
        self.config.deadline = Some(When::After(after));
        self.config.partial = true;
        self
    }

    /// Sets how long cancelled tasks may go on after the cancel. Default: the grace of the nursery
    /// that this one is opened in, and zero for a root.
    ///
    /// With zero, a task that is still waiting after the poll that shows it the cancel is dropped
    /// where it waits. Otherwise it is woken and polled as before, with the cancel visible, until
    /// it ends or the time is over; then every task that is left is aborted.
    ///
    /// The grace also holds for a child that is cancelled on its own, and for the body. The body is
    /// a part of the task that awaits the nursery, so it has less if that task is cancelled and has
    /// less. [`Duration::MAX`] sets no end.
    ///
    /// An error that a child ends with in its grace is an [echo](crate::GroupError::echoes) of the
    /// cancel, and no failure. What goes wrong while it tidies up, and must be known, is reported
    /// with [`fail`](crate::Nursery::fail), or done in a finalizer ([`defer`](crate::Nursery::defer)).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, cancelled, nursery, sleep};
    /// use std::time::Duration;
    ///
    /// let run = nursery()
    ///     .grace(Duration::from_secs(10))
    ///     .run(async |n: Nursery| {
    ///         n.cancel();
    ///         cancelled().await;
    ///         sleep(Duration::from_millis(1)).await;
    ///         Ok("put everything back")
    ///     });
    /// assert_eq!(block_on(run)?, "put everything back");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = Some(grace);
        self
    }

    /// Limits how many children run at the same time.
    ///
    /// Each child needs one of the nursery's *slots* and holds it until it has ended. A number
    /// above [`Semaphore::MAX_PERMITS`] counts as that. Default: no limit.
    ///
    /// A child gets its slot in one of two ways. Both wait in one queue, first come first served:
    ///
    /// - [`n.reserve().await?.spawn(..)`](crate::Nursery::reserve) waits for the slot *before* the
    ///   child exists: the producer goes no faster than the children, and nothing piles up. Use it
    ///   for everything that comes from outside.
    /// - `n.spawn(..)`, [`fork`](crate::Nursery::fork) and their kin do not wait, and never refuse
    ///   a child because no slot is free. The *child* waits, in the nursery, and its future is not
    ///   polled before it has a slot. A cancel drops it there unpolled. Use it for a known number
    ///   of children; an endless number piles up.
    ///
    /// The limit does not count the body, finalizers, or [blocking work](crate::Nursery::blocking),
    /// which has a [limit of its own](Builder::blocking_limit);
    /// work with a [reserved](crate::Nursery::reserve) place counts in both. It holds for this nursery alone,
    /// and not for nurseries opened inside it: to share it with them, pass them its
    /// [limiter](crate::Nursery::limiter). [`set_limit`](crate::Nursery::set_limit) changes it
    /// while the nursery runs.
    ///
    /// [`set_limit(0)`](crate::Nursery::set_limit) pauses a nursery that runs.
    ///
    /// # Panics
    ///
    /// Panics if `slots` is 0: no child would begin, and the nursery would wait for ever. To open a
    /// nursery that is paused, pass it a [limiter](Builder::limiter) without permits.
    ///
    /// # Lending
    ///
    /// A child that waits for tasks which need a slot of the same limiter lends them its own. It
    /// does so while it waits in `reserve`, and while a [nursery](Builder::limiter) that it has
    /// opened on the same limiter has a task in it or waiting for a slot. When it goes on, it takes
    /// its slot back, before all other waiters. So nurseries nest on one limiter to any depth, even
    /// with a limit of 1. What the bodies of such nurseries compute meanwhile is beyond the limit.
    ///
    /// A child that *joins a sibling* which has no slot yet lends nothing. With a limit of 1 both
    /// wait for ever: open a nursery inside for tasks that the child joins.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use std::convert::Infallible;
    /// use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    /// use std::sync::Arc;
    ///
    /// let inside = Arc::new(AtomicUsize::new(0));
    /// let run = nursery().limit(4).run(async |n: Nursery<Infallible>| {
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
    /// block_on(run)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn limit(self, slots: usize) -> Self {
        assert!(slots > 0, "a nursery with a limit of 0 never begins a child: use at least 1");
        self.limiter(&Arc::new(Semaphore::new(slots)))
    }

    /// Like [`limit`](Builder::limit), with a limiter that is shared: with other nurseries, above
    /// all with those that children open inside, and with code that acquires its permits itself. A
    /// slot is one permit.
    ///
    /// The limiter is not closed with the nursery. If it is closed, reservations and spawns fail,
    /// and the children that wait for a slot are cancelled.
    ///
    /// # Examples
    ///
    /// Walks a tree with a task for each node, one at a time:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{BoxError, Nursery, Semaphore, block_on, nursery};
    /// use std::future::Future;
    /// use std::pin::Pin;
    /// use std::sync::Arc;
    ///
    /// type Walk = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;
    ///
    /// fn walk(depth: u32, limiter: Arc<Semaphore>) -> Walk {
    ///     Box::pin(async move {
    ///         if depth == 0 {
    ///             return Ok(1);
    ///         }
    ///         let run = nursery().limiter(&limiter).run(async |n: Nursery| {
    ///             let left = n.fork(walk(depth - 1, limiter.clone()));
    ///             let right = n.fork(walk(depth - 1, limiter.clone()));
    ///             Ok(left.await? + right.await?)
    ///         });
    ///         Ok(run.await?)
    ///     })
    /// }
    ///
    /// let one = Arc::new(Semaphore::new(1));
    /// let run = nursery()
    ///     .limiter(&one)
    ///     .run(async |n: Nursery| Ok(n.fork(walk(5, one.clone())).await?));
    /// assert_eq!(block_on(run)?, 32);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limiter(mut self, limiter: &Arc<Semaphore>) -> Self {
        self.config.limiter = Some(limiter.clone());
        self
    }

    /// Sets how many pieces of [blocking work](crate::Nursery::blocking) of this nursery run at
    /// once. The others wait for their turn, first come first served. Default: as many as the
    /// runtime's blocking pool takes.
    ///
    /// It is a limit of its own, because a thread that waits in a system call does not compute.
    ///
    /// # Panics
    ///
    /// Panics if `limit` is 0: no work would ever run.
    #[track_caller]
    pub fn blocking_limit(mut self, limit: usize) -> Self {
        assert!(limit > 0, "`blocking_limit(0)` would let no blocking work run: give at least 1");
        self.config.blocking_limit = limit;
        self
    }

    /// Sets how long after its cancel the nursery waits for tasks that block a thread.
    ///
    /// When the time is over, the nursery ends without the [blocking
    /// work](crate::Nursery::blocking) that is still running, and without the tasks that have been
    /// in one poll, or in their destructors, for half of that time. Default: the nursery waits for
    /// them as long as it takes. A task that is waiting is never given up: an abort ends it.
    ///
    /// Each task that was given up is a [failure](crate::error::Cause::Stuck) that names it. It now
    /// belongs to the ancestors, as if the nursery's future had been dropped: they list it in their
    /// [tree](crate::Nursery::tree) and end after it. If the nursery is a root,
    /// [`orphans`](crate::task::orphans) lists it. The nursery's finalizers, which run when the task has
    /// ended, belong to the ancestors as well.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    /// use allhome::error::Cause;
    /// use std::convert::Infallible;
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    ///
    /// let (answer, question) = channel::<()>();
    /// let run = nursery()
    ///     .stuck_after(Duration::from_millis(10))
    ///     .run(async |n: Nursery<Infallible>| {
    ///         let (begun, begins) = channel();
    ///         let work = n.task("deaf").blocking(move |_| {
    ///             begun.send(()).unwrap();
    ///             Ok(question.recv().is_ok())
    ///         });
    ///         begins.recv().unwrap();
    ///         n.cancel();
    ///         drop(work);
    ///         Ok(())
    ///     });
    /// let error = block_on(run).unwrap_err();
    /// assert!(matches!(error.first().cause(), Cause::Stuck));
    /// assert_eq!(error.first().name(), Some("deaf"));
    /// drop(answer); // It ends, at last.
    /// # }
    /// ```
    pub fn stuck_after(mut self, after: Duration) -> Self {
        self.config.stuck_after = Some(after);
        self
    }

    /// Cancels the nursery with a token: for code that knows nothing of nurseries, or for a tree of
    /// another shape.
    ///
    /// The nursery's [own token](crate::Nursery::token) becomes a child of this one. A token that
    /// is cancelled already cancels the nursery from its start.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, Nursery, block_on, nursery};
    /// use std::convert::Infallible;
    ///
    /// let token = CancelToken::new();
    /// let stop = token.clone();
    /// let run = nursery().token(&token).run(async |n: Nursery<Infallible>| {
    ///     n.spawn(std::future::pending());
    ///     stop.cancel();
    ///     Ok(n.is_cancelled())
    /// });
    /// assert!(block_on(run)?);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn token(mut self, token: &CancelToken) -> Self {
        self.config.token = Some(token.clone());
        self
    }

    /// Cancels the nursery when a future is ready: for the cancel of another library, whose future
    /// knows nothing of a [token](Builder::token) of ours.
    ///
    /// The future is polled where the nursery is awaited, for as long as the nursery lasts, and does
    /// not keep it from ending. Called again, it replaces the first. What the future asks
    /// ([`sleep`](crate::sleep), [`nursery`](crate::nursery)) is answered as in the body.
    ///
    /// # Panics
    ///
    /// A panic of the future is one of the body.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery, sleep};
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// // Any future that says stop: `ctrl_c()`, a button, another library's token.
    /// let stop = sleep(Duration::from_millis(1));
    /// let run = nursery().cancel_when(stop).run(async |n: Nursery| {
    ///     n.go(pending());
    ///     pending::<Result<(), _>>().await
    /// });
    /// assert!(block_on(run).unwrap_err().is_cancel());
    /// # }
    /// ```
    #[track_caller]
    pub fn cancel_when(mut self, future: impl Future<Output = ()> + Send + 'static) -> Self {
        self.condition = Some(Box::new(Condition::new(future, Location::caller())));
        self
    }
}
