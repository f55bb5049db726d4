//! Opening a nursery: what it is made of, and its policies.

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

/// Opens a nursery on a runtime. The nursery's error type stands in the turbofish.
///
/// This is how the first nursery of a program is opened; inside it, [`nursery`] takes the runtime
/// over.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{ThreadPool, block_on, nursery_on};
///
/// let sum = block_on(nursery_on::<std::io::Error>(ThreadPool::global()).run(async |n| {
///     let a = n.fork(async { Ok(1) });
///     let b = n.fork(async { Ok(2) });
///     Ok(a.join().await.unwrap() + b.join().await.unwrap())
/// }));
/// assert_eq!(sum.unwrap(), 3);
/// # }
/// ```
#[track_caller]
pub fn nursery_on<E>(runtime: impl IntoRuntime) -> Builder<E> {
    Builder::new(Some(runtime.into_runtime()))
}

/// Opens a nursery on the runtime of the nursery that the caller's task belongs to.
///
/// # Errors
///
/// Outside of any nursery no runtime is known: then awaiting it gives a
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

/// A nursery to be opened: made by [`nursery_on`] and [`nursery`], opened by [`run`](Builder::run).
#[must_use = "nothing is opened until `run` is called and awaited"]
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

    /// Names the nursery, for errors and dumps.
    pub fn name(mut self, name: impl Into<String>) -> Builder<E> {
        self.config.name = Some(name.into().into_boxed_str());
        self
    }

    /// Says what the failure of one child means for the others. Default: [`Policy::FailFast`].
    pub fn policy(mut self, policy: Policy) -> Builder<E> {
        self.config.policy = policy;
        self
    }

    /// Says what happens to panics. Default: [`PanicPolicy::Resume`].
    pub fn panics(mut self, panics: PanicPolicy) -> Builder<E> {
        self.config.panics = panics;
        self
    }

    /// Sets a hook that is called at the moment of a panic of a child or of the body, on the thread
    /// that it happened on, before anything else follows from it. A panic of the hook is dropped.
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

    /// Says how many failures the error keeps; what comes after is counted. At least 1, which is
    /// also what 0 means. Default: 64.
    pub fn keep_failures(mut self, count: usize) -> Builder<E> {
        self.config.keep = count;
        self
    }

    /// Opens the nursery, runs the body in it, and waits until every child is home.
    ///
    /// The body gets a handle by value, which can be cloned and moved into children. It runs in the
    /// caller's own task, so it may borrow from the caller; children may not, because they run in
    /// tasks of the runtime. The nursery is opened at the future's first poll.
    ///
    /// The result is ready only when every child future has been dropped and its destructors have
    /// finished: nothing of the nursery is left.
    ///
    /// # Errors
    ///
    /// A [`GroupError`](crate::GroupError) if the body or a child failed, if the body was cut off
    /// by a cancel, or if there is no runtime to open the nursery on.
    ///
    /// # Panics
    ///
    /// Goes on with the first panic of a child or of the body, after the join, unless
    /// [`panics`](Builder::panics) says otherwise.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future half-way (a timeout, a `select!`) cancels all children with the reason
    /// [`ScopeDropped`](crate::ReasonKind::ScopeDropped) and destroys at once those that are not
    /// being polled at that moment. The others end with that poll; until then they belong to the
    /// nearest nursery around, which cannot end before they do.
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
