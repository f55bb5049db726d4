//! Opening a nursery: its settings and its policies.

mod limits;

use super::Nursery;
use super::run::{Run, Setup};
use crate::layers::base::invariant::Invariant;
use crate::layers::base::panic::Panic;
use crate::layers::base::sync::Arc;
use crate::layers::group::config::{Config, Hook, PanicPolicy, Policy};
use allhome_rt::{IntoRuntime, NoRuntime, Runtime};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;

/// Opens a nursery on a runtime.
///
/// `E` is the error type of the nursery's children. This is how the first nursery of a program is
/// opened; inside it, [`nursery`] uses the same runtime.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{ThreadPool, block_on, nursery_on};
///
/// type BoxError = Box<dyn std::error::Error + Send + Sync>;
///
/// let sum = block_on(nursery_on::<BoxError>(ThreadPool::global()).run(async |n| {
///     let a = n.fork(async { Ok(1) });
///     let b = n.fork(async { Ok(2) });
///     Ok(a.join().await? + b.join().await?)
/// }));
/// assert_eq!(sum?, 3);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn nursery_on<E>(runtime: impl IntoRuntime) -> Builder<E> {
    Builder::new(Some(runtime.into_runtime()))
}

/// Opens a nursery on the runtime of the nursery around the caller.
///
/// # Errors
///
/// Outside a nursery no runtime is known: [`run`](Builder::run) returns a
/// [`GroupError`](crate::GroupError) whose cause is [`Cause::NoRuntime`](crate::Cause::NoRuntime),
/// and the body is not called.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Cause, block_on, nursery};
///
/// let lost = block_on(nursery::<std::io::Error>().run(async |_| Ok(())));
/// assert!(matches!(lost.unwrap_err().first().cause(), Cause::NoRuntime(_)));
/// # }
/// ```
#[track_caller]
pub fn nursery<E>() -> Builder<E> {
    Builder::new(None)
}

/// The settings of a nursery: created by [`nursery_on`] or [`nursery`], and opened by
/// [`run`](Builder::run).
#[must_use = "no nursery is opened until `run` is called and awaited"]
pub struct Builder<E> {
    pub(crate) config: Config,
    pub(crate) runtime: Option<Result<Runtime, NoRuntime>>,
    error: Invariant<E>,
}

impl<E> Builder<E> {
    #[track_caller]
    fn new(runtime: Option<Result<Runtime, NoRuntime>>) -> Builder<E> {
        let config = Config {
            name: None,
            place: Location::caller(),
            policy: Policy::default(),
            panics: PanicPolicy::default(),
            on_panic: None,
            keep: 64,
            deadline: None,
            partial: false,
            grace: None,
            token: None,
            blocking_limit: usize::MAX,
            limiter: None,
            stuck_after: None,
        };
        Builder { config, runtime, error: PhantomData }
    }

    /// Sets the nursery's name, which errors and dumps show.
    pub fn name(mut self, name: impl Into<String>) -> Builder<E> {
        self.config.name = Some(name.into().into_boxed_str());
        self
    }

    /// Sets what the failure of one child means for the others. Default: [`Policy::FailFast`].
    pub fn policy(mut self, policy: Policy) -> Builder<E> {
        self.config.policy = policy;
        self
    }

    /// Sets what happens to panics. Default: [`PanicPolicy::Resume`].
    pub fn panics(mut self, panics: PanicPolicy) -> Builder<E> {
        self.config.panics = panics;
        self
    }

    /// Sets a hook for panics of a child or of the body.
    ///
    /// The hook is called on the thread that panicked, before anything else follows from the panic.
    /// A panic of the hook itself is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{PanicPolicy, ThreadPool, block_on, nursery_on};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let seen = Arc::new(Mutex::new(String::new()));
    /// let note = seen.clone();
    /// let result = block_on(
    ///     nursery_on::<std::io::Error>(ThreadPool::global())
    ///         .panics(PanicPolicy::Report)
    ///         .on_panic(move |panic| *note.lock().unwrap() = panic.message().to_string())
    ///         .run(async |n| {
    ///             n.spawn(async { panic!("no disk") });
    ///             Ok(())
    ///         }),
    /// );
    /// assert_eq!(*seen.lock().unwrap(), "no disk");
    /// assert_eq!(result.unwrap_err().panics().count(), 1);
    /// # }
    /// ```
    pub fn on_panic(mut self, hook: impl Fn(&Panic) + Send + Sync + 'static) -> Builder<E> {
        let hook: Hook = Arc::new(hook);
        self.config.on_panic = Some(hook);
        self
    }

    /// Sets how many failures the error keeps; failures beyond that number are only counted. The
    /// least is 1, which is also what 0 means. Default: 64.
    pub fn keep_failures(mut self, count: usize) -> Builder<E> {
        self.config.keep = count;
        self
    }

    /// Opens the nursery, runs the body in it, and waits until every child has ended.
    ///
    /// When the result is ready, every child's future has been dropped and its destructors have
    /// finished: nothing of the nursery is left. The exception are children that block their thread
    /// and that [`stuck_after`](Builder::stuck_after) gave up.
    ///
    /// The body gets a [handle](Nursery) by value, which can be cloned and moved into children. The
    /// body runs in the caller's own task, so it may borrow from the caller. Children may not,
    /// because they run in tasks of the runtime. The nursery is opened when the future is polled
    /// for the first time.
    ///
    /// # Errors
    ///
    /// Returns a [`GroupError`](crate::GroupError) if the body or a child failed, if a cancel ended
    /// the body before it returned, or if there is no runtime to open the nursery on.
    ///
    /// # Panics
    ///
    /// Resumes the first panic of a child or of the body, after all children have ended, unless
    /// [`panics`](Builder::panics) was set to something else.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future early (a timeout, a `select!`) cancels all children with the reason
    /// [`ScopeDropped`](crate::ReasonKind::ScopeDropped). Children that are not being polled at
    /// that moment are dropped immediately. The others are dropped when their poll returns; until
    /// then they belong to the nearest nursery around, which cannot end before they do.
    ///
    /// # Examples
    ///
    /// The first child that fails cancels the others, and its error comes out:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{ThreadPool, block_on, nursery_on};
    ///
    /// let run = nursery_on::<std::num::ParseIntError>(ThreadPool::global()).run(async |n| {
    ///     for text in ["1", "2", "three"] {
    ///         n.named(text).spawn(async move { text.parse::<u32>().map(drop) });
    ///     }
    ///     n.spawn(std::future::pending());
    ///     Ok(())
    /// });
    /// let error = block_on(run).expect_err("`three` is not a number");
    /// assert_eq!(error.first().name(), Some("three"));
    /// assert_eq!(error.cancelled_count(), 1);
    /// # }
    /// ```
    pub fn run<R, F, Fut>(self, body: F) -> Run<E, R, F, Fut>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: Send + Sync + 'static,
    {
        Run::new(Setup { config: self.config, runtime: self.runtime }, body)
    }
}

impl<E> fmt::Debug for Builder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.config.name)
            .field("policy", &self.config.policy)
            .field("panics", &self.config.panics)
            .finish_non_exhaustive()
    }
}
