//! What limits a scope: time, and what cancels it from outside.

use super::ScopeBuilder;
use crate::layers::base::sync::Arc;
use crate::layers::cancel::CancelToken;
use crate::layers::group::config::When;
use crate::layers::in_place::mode::Mode;
use crate::layers::limit::Semaphore;
use crate::layers::nursery::condition::Condition;
use allhome_rt::Instant;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

impl<M: Mode> ScopeBuilder<M> {
    /// Sets how long the scope may take, from its first poll on. When the time is over, the body and
    /// the children are [cancelled](crate::Scope::cancel), with a reason of the kind
    /// [`Deadline`](crate::cancel::ReasonKind::Deadline).
    ///
    /// The earliest deadline around holds. Zero cancels the scope in its first poll; [`Duration::MAX`]
    /// is no deadline. If the body returned its value in time, cancelled children alone do not make
    /// the scope fail. Otherwise the error is a [timeout](crate::GroupError::is_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let run = scope()
    ///     .deadline(Duration::from_millis(1))
    ///     .run(async |_: Scope<'_, Infallible>| std::future::pending::<Result<(), _>>().await);
    /// assert!(block_on(run).unwrap_err().is_timeout());
    /// # }
    /// ```
    pub fn deadline(mut self, after: Duration) -> Self {
        self.config.deadline = Some(When::After(after));
        self
    }

    /// Like [`deadline`](ScopeBuilder::deadline), at an instant of the timer. An instant in the past
    /// cancels the scope in its first poll.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.config.deadline = Some(When::At(at));
        self
    }

    /// Sets how long the *children* may take. Like [`deadline`](ScopeBuilder::deadline), but this
    /// deadline does not cancel the body: the body's joins end as its children do, and it returns
    /// what it has. From then on no child is admitted.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, Scope, Simulator, scope};
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    ///
    /// let lengths = Simulator::new().run(async |_: Nursery| {
    ///     let words = ["quick", "slow"];
    ///     let run = scope().children_deadline(Duration::from_secs(1));
    ///     let run = run.run(async |s: Scope<'_, Infallible>| {
    ///         let quick = s.fork(async { Ok(words[0].len()) });
    ///         let slow = s.fork(std::future::pending::<Result<usize, _>>());
    ///         Ok([quick.await.ok(), slow.await.ok()])
    ///     });
    ///     Ok(run.await?)
    /// })?;
    /// assert_eq!(lengths, [Some(5), None]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn children_deadline(mut self, after: Duration) -> Self {
        self.config.deadline = Some(When::After(after));
        self.config.partial = true;
        self
    }

    /// Sets how long the cancelled body and children may go on after the cancel. Default: the grace
    /// of the nursery or scope that this one is a part of, and else zero.
    ///
    /// With zero, what is still waiting after the poll that shows it the cancel is dropped where it
    /// waits. Otherwise it is polled as before when it is woken, with the cancel visible, until it
    /// ends or the time is over; then what is left is [aborted](crate::Scope::abort). The grace also holds
    /// for a child that is cancelled on its own. A scope is a part of the task that awaits it, so it
    /// has less if that task is cancelled and has less.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, cancelled, scope, sleep};
    /// use std::time::Duration;
    ///
    /// let run = scope().grace(Duration::from_secs(10)).run(async |s: Scope<'_>| {
    ///     s.cancel();
    ///     cancelled().await;
    ///     sleep(Duration::from_millis(1)).await;
    ///     Ok("put everything back")
    /// });
    /// assert_eq!(block_on(run)?, "put everything back");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = Some(grace);
        self
    }

    /// Limits how many children run at the same time. A child that is spawned plainly waits for its
    /// slot before its first poll; [`reserve`](crate::Scope::reserve) has the spawner wait. A task
    /// that is in a slot of the same limiter lends it while it awaits the scope.
    ///
    /// # Panics
    ///
    /// Panics if `slots` is 0: no child would begin.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope, yield_now};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    /// let run = scope().limit(2).run(async |s: Scope<'_>| {
    ///     for _ in 0..9 {
    ///         s.go(async {
    ///             most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    ///             yield_now().await;
    ///             running.fetch_sub(1, Ordering::Relaxed);
    ///         });
    ///     }
    ///     Ok(())
    /// });
    /// block_on(run)?;
    /// assert_eq!(most.into_inner(), 2);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn limit(self, slots: usize) -> Self {
        assert!(slots > 0, "a scope with a limit of 0 never begins a child: use at least 1");
        self.limiter(&Arc::new(Semaphore::new(slots)))
    }

    /// Limits the children by the permits of this semaphore, one each, which others may share.
    pub fn limiter(mut self, limiter: &Arc<Semaphore>) -> Self {
        self.config.limiter = Some(limiter.clone());
        self
    }

    /// Has the scope rise with this token: it takes no more children when the token drains, is
    /// cancelled when that is cancelled, and aborted when that is aborted. The scope raises nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{CancelToken, Reason, Scope, block_on, scope};
    ///
    /// let token = CancelToken::new();
    /// let run = scope().token(&token).run(async |_: Scope<'_>| {
    ///     token.cancel_with(Reason::new("closing time"));
    ///     std::future::pending::<Result<(), _>>().await
    /// });
    /// let error = block_on(run).expect_err("it was cancelled");
    /// assert_eq!(error.reason().map(Reason::message), Some("closing time"));
    /// # }
    /// ```
    pub fn token(mut self, token: &CancelToken) -> Self {
        self.config.token = Some(token.clone());
        self
    }

    /// Cancels the scope when this future is ready. It is polled in front of the body, each time that
    /// the scope's future is, and dropped when the scope is cancelled or has ended. It does not
    /// borrow: for one that does, spawn a child that [cancels](crate::Scope::cancel) the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope, sleep};
    /// use std::time::Duration;
    ///
    /// let run = scope().cancel_when(sleep(Duration::from_millis(1))).run(async |s: Scope<'_>| {
    ///     s.spawn(std::future::pending());
    ///     Ok(())
    /// });
    /// assert!(block_on(run).is_ok(), "the body had its value");
    /// # }
    /// ```
    #[track_caller]
    pub fn cancel_when(mut self, future: impl Future<Output = ()> + Send + 'static) -> Self {
        self.condition = Some(Box::new(Condition::new(future, Location::caller())));
        self
    }
}
