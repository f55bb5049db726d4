//! Opening a thread scope.

use super::crew::Crew;
use super::handle::ThreadScope;
use super::loan;
use super::outside::Outside;
use super::work::{self, Hook, Panics};
use crate::layers::base::as_error::AsError;
use crate::layers::base::sync::{self, Arc, available_parallelism};
use crate::layers::nursery::Nursery;
use crate::layers::nursery::builder::{Builder, nursery};
use crate::layers::nursery::error::GroupError;
use allhome_rt::RuntimeSource;
use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

/// The name of the threads of a scope that has none.
const NAME: &str = "thread-scope";

/// Opens a thread scope: its children borrow from the caller and run in parallel, and the call
/// blocks until all have ended, as that of [`std::thread::scope`] does.
///
/// The children are futures, of which each thread polls any number. They have what a nursery's
/// children have: errors, names, cancel, limits, deadlines. For settings, begin with
/// [`nursery()`](crate::nursery) and end with [`thread_scope`](crate::Builder::thread_scope).
///
/// # Compared with
///
/// - [`scope`](crate::scope): does not block; the children run in turns, in the caller's own task.
/// - [`nursery`](crate::nursery): does not block; the children are `'static`.
/// - [`std::thread::scope`]: a thread a child, and no cancel.
///
/// # Examples
///
/// ```
/// use allhome::{BoxError, GroupError, ThreadScope, thread_scope};
///
/// fn sum(numbers: &[u64]) -> Result<u64, GroupError<BoxError>> {
///     thread_scope().run(async |s: ThreadScope<'_>| {
///         let parts: Vec<_> = numbers
///             .chunks(1_000)
///             .map(|part| s.fork(async { Ok(part.iter().sum::<u64>()) }))
///             .collect();
///         let mut sum = 0;
///         for part in parts {
///             sum += part.await?;
///         }
///         Ok(sum)
///     })
/// }
///
/// let numbers: Vec<u64> = (1..=10_000).collect();
/// assert_eq!(sum(&numbers)?, 50_005_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn thread_scope() -> ThreadScopeBuilder {
    nursery().thread_scope()
}

impl Builder {
    /// Has the nursery's children borrow from the caller, and run in parallel while the caller's
    /// thread waits: see [`thread_scope`](crate::thread_scope()).
    ///
    /// They run on threads of the scope; if a runtime was named with [`on`](Builder::on), on that
    /// one's threads.
    pub fn thread_scope(self) -> ThreadScopeBuilder {
        ThreadScopeBuilder { nursery: self, threads: None, hook: None }
    }
}

/// The settings of a thread scope: created by [`thread_scope`](crate::thread_scope()), and opened by
/// [`run`](ThreadScopeBuilder::run).
#[must_use = "no scope is opened until `run` is called"]
pub struct ThreadScopeBuilder {
    nursery: Builder,
    threads: Option<usize>,
    hook: Option<Hook>,
}

impl ThreadScopeBuilder {
    /// Sets how many threads run children, the caller's among them; 0 counts as 1. Default: as many
    /// as the machine has cores, or as the runtime that was named has threads, and the caller's.
    ///
    /// With 1, no thread is started: the children run in turns on the caller's.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{ThreadScope, thread_scope};
    /// use std::thread;
    ///
    /// let caller = thread::current().id();
    /// thread_scope().threads(1).run(async |s: ThreadScope<'_>| {
    ///     s.go(async move { assert_eq!(thread::current().id(), caller) });
    ///     Ok(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Sets what is called on each thread, with the work that it calls back in turn: to enter
    /// another runtime's context, say, so that the children find it.
    ///
    /// It is called once on each thread of the scope, and on the caller's. If a runtime was
    /// named, it is called on that one's threads for each piece of work, and may be about to return
    /// there when the scope has ended. No panic of a child goes through it.
    ///
    /// # Panics
    ///
    /// [`run`](ThreadScopeBuilder::run) panics if the hook does not call back on the caller's thread,
    /// and resumes the hook's first panic. On another thread, a hook that does not call back leaves
    /// that thread without work.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{ThreadScope, thread_scope};
    /// use std::cell::Cell;
    ///
    /// thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
    ///
    /// thread_scope()
    ///     .each_thread(|work| {
    ///         DEPTH.set(1);
    ///         work();
    ///         DEPTH.set(0);
    ///     })
    ///     .run(async |s: ThreadScope<'_>| {
    ///         s.go(async { assert_eq!(DEPTH.get(), 1) });
    ///         Ok(())
    ///     })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each_thread(mut self, hook: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// Opens the scope, runs the body on the caller's thread, and blocks it until every child has
    /// ended. While it waits, the thread runs children, too.
    ///
    /// So it may be called anywhere, also on the only thread of the runtime that was named, or in a
    /// child of another scope. But it blocks: where the caller is an async task, the other tasks of
    /// its thread wait, and what only that thread does (a timer of a current-thread runtime, a
    /// permit of its [limiter](Builder::limiter) that another task of the thread has) does not come
    /// for the children either. In an async task, mostly, [`scope`](crate::scope) or a nursery is
    /// the better choice.
    ///
    /// A child that blocks its thread until the body does something may block for ever: the body
    /// is polled by the caller's thread, which may be that one. Children that wait for the body
    /// await; work that blocks is for [`blocking`](crate::Nursery::blocking).
    ///
    /// In a task of a nursery, the scope is a nursery inside: it is listed there, and cancelled
    /// with it, with the cancel scopes and scopes in place around the call, and by their deadlines;
    /// but the condition of a `cancel_when` that is around waits until the call has returned. In a
    /// simulation its threads are real, and the clock of the simulation stands still.
    ///
    /// On a runtime that was named, tasks may be left that do nothing, until they are polled once.
    ///
    /// # Errors
    ///
    /// Same as [`Builder::run`]. If a thread cannot be started, the cause is
    /// [`Cause::NoRuntime`](crate::error::Cause::NoRuntime), and the body is not called.
    ///
    /// # Panics
    ///
    /// Same as [`Builder::run`]: the first panic of a child goes on in the caller, when all have
    /// ended. See [`each_thread`](ThreadScopeBuilder::each_thread), too.
    ///
    /// # Examples
    ///
    /// ```
    /// use allhome::{ThreadScope, thread_scope};
    ///
    /// let texts = ["1", "2", "three"];
    /// let error = thread_scope()
    ///     .run(async |s: ThreadScope<'_, std::num::ParseIntError>| {
    ///         for text in &texts {
    ///             s.task(*text).spawn(async move { text.parse::<u32>().map(drop) });
    ///         }
    ///         Ok(())
    ///     })
    ///     .unwrap_err();
    /// assert_eq!(error.first().name(), Some("three"));
    /// ```
    pub fn run<'a, R, E, M, F, Fut>(self, body: F) -> Result<R, GroupError<E>>
    where
        F: FnOnce(ThreadScope<'a, E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        /// Closes the crew when all is over, or when the call unwinds: its threads end then.
        struct Closes<'c>(&'c Crew);

        impl Drop for Closes<'_> {
            fn drop(&mut self) {
                self.0.close();
            }
        }

        let ThreadScopeBuilder { mut nursery, threads, hook } = self;
        let found = nursery.runtime.take().map(RuntimeSource::find).transpose();
        let of = found.as_ref().ok().and_then(Option::as_ref);
        let threads = threads.unwrap_or_else(|| match of {
            Some(runtime) => runtime.threads().saturating_add(1),
            None => available_parallelism().map_or(1, usize::from),
        });
        let crew = Crew::new(threads);
        let panics = Panics::new();
        let hooked = (hook.as_ref(), &panics);
        let output = loan::with(|loans, ledger| {
            sync::thread_scope(|scope| {
                let closes = Closes(&crew);
                let started = match &found {
                    Ok(Some(runtime)) => {
                        work::join_in(&crew, threads - 1, runtime, hooked);
                        Ok(Vec::new())
                    }
                    Ok(None) => {
                        let name = nursery.config.name.as_deref().unwrap_or(NAME);
                        work::start(scope, &crew, threads, name, hooked)
                    }
                    Err(none) => Err(none.clone()),
                };
                let (runtime, threads) = match started {
                    Ok(threads) => (Ok(crew.runtime(of)), threads),
                    Err(none) => (Err(none), Vec::new()),
                };
                let (opened, mut outside) = (OnceCell::new(), Outside::new());
                nursery.runtime = Some(RuntimeSource::Now(runtime.clone()));
                let mut run = pin!(nursery.run(|n: Nursery<E>| {
                    let n = opened.get_or_init(|| n);
                    body(ThreadScope::new(n.clone(), loans))
                }));
                let poll = |cx: &mut Context<'_>| {
                    let polled = run.as_mut().poll_blocking(cx);
                    let Some((n, clock)) = opened.get().zip(runtime.as_ref().ok()) else {
                        return polled;
                    };
                    match polled.is_pending().then(|| outside.poll(clock, cx)) {
                        Some(Poll::Ready(reason)) => {
                            n.cancel_with(reason);
                            run.as_mut().poll_blocking(cx)
                        }
                        Some(Poll::Pending) | None => polled,
                    }
                };
                let output = work::run(poll, (&crew, ledger), hooked);
                drop(closes);
                // They contain every panic, so there is none to report.
                threads.into_iter().for_each(|thread| drop(thread.join()));
                output
            })
        });
        panics.resume();
        output.expect("it is there, unless there was a panic")
    }
}

impl fmt::Debug for ThreadScopeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadScopeBuilder")
            .field("nursery", &self.nursery)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}
