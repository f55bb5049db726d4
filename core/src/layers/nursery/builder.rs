//! Opening a nursery: its settings and its policies.

mod guarded;
mod limits;
mod local;
mod open;
mod stacks;

use super::Nursery;
use super::condition::Condition;
use super::mode::NurseryMode;
use super::run::Run;
use super::setup::Setup;
use crate::layers::base::as_error::{self, AsError};
use crate::layers::base::counted::Strong;
use crate::layers::base::mode::Sendable;
use crate::layers::base::panic::Panic;
use crate::layers::base::sync::Arc;
use crate::layers::group::Group;
use crate::layers::group::config::{Config, PanicPolicy, Policy};
use crate::layers::group::failure_info::{FailureHook, FailureInfo};
use crate::layers::group::hooks::Hook;
use allhome_rt::{IntoRuntime, RuntimeSource};
use std::fmt;
use std::future::Future;
use std::panic::Location;

/// Opens a nursery wherever a runtime is known; [`on`](Builder::on) names another one.
///
/// | called                                                          | runtime                   |
/// |-----------------------------------------------------------------|---------------------------|
/// | in a task or body of a nursery, in blocking work of one         | that nursery's            |
/// | else, inside of `allhome::run` or `allhome::block_on`           | the global `ThreadPool`   |
/// | else, in tokio's context, if the feature `tokio` is on          | tokio's                   |
/// | else                                                            | none: an error            |
///
/// It is looked for when the nursery's future is polled for the first time: so the nursery of a
/// library runs where the future is awaited, in `tokio::spawn`, in an axum handler, in a test. smol
/// and async-std have no context to be found in; name them with [`on`](Builder::on). Which features
/// another crate has switched on changes no runtime: a feature only turns an error into a result.
///
/// A nursery that is opened in a task or body of another is inside of that one: it is listed there,
/// is cancelled with it, and the other waits for it. [`Nursery::nursery`] opens one inside of a
/// nursery from any other task.
///
/// [`run`](Builder::run) finds out the type of the children's errors: by the children, by the body,
/// or by the function that the result goes to. Where nothing names it, the body's parameter does:
/// `async |n: Nursery| ..` for [`BoxError`](crate::BoxError), or `async |n: Nursery<MyError>| ..`.
///
/// # Errors
///
/// Where no runtime is known, [`run`](Builder::run) returns a [`GroupError`](crate::GroupError)
/// whose cause is [`Cause::NoRuntime`](crate::error::Cause::NoRuntime), and the body is not called.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Nursery, block_on, nursery};
/// use allhome::error::Cause;
/// use allhome::runtime::LocalExecutor;
///
/// // A library names no runtime.
/// async fn answer() -> Result<u32, allhome::GroupError<std::io::Error>> {
///     nursery().run(async |_: Nursery<std::io::Error>| Ok(42)).await
/// }
/// assert_eq!(block_on(answer())?, 42);
///
/// // An executor that is not looked for is named.
/// let local = LocalExecutor::new();
/// let lost = local.run(answer()).unwrap_err();
/// assert!(matches!(lost.first().cause(), Cause::NoRuntime(_)));
/// assert_eq!(local.run(nursery().on(&local).run(async |_: Nursery| Ok(42)))?, 42);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn nursery() -> Builder {
    Builder::new()
}

/// The settings of a nursery: created by [`nursery`], and opened by
/// [`run`](Builder::run).
#[must_use = "no nursery is opened until `run` is called and awaited"]
pub struct Builder<P: NurseryMode = Sendable> {
    pub(crate) config: Config,
    /// The nursery that it is opened in, if that is not the one around.
    inside: Option<Strong<Group>>,
    condition: Option<Box<Condition>>,
    pub(crate) runtime: Option<RuntimeSource>,
    /// Where the children run, if they are local.
    on: P::On,
}

impl Builder {
    #[track_caller]
    fn new() -> Builder {
        let config = Config::new(Location::caller());
        Builder { config, inside: None, condition: None, runtime: None, on: () }
    }

    /// Makes one for a nursery that is opened inside of that one.
    #[track_caller]
    pub(super) fn inside(group: Strong<Group>) -> Builder {
        Builder { inside: Some(group), ..Builder::new() }
    }
}

impl<P: NurseryMode> Builder<P> {
    /// Sets the runtime that the children run on, in place of the one that [`nursery`] finds.
    ///
    /// # Errors
    ///
    /// A runtime that names the one around the caller, as `Tokio` does, is looked for when the
    /// nursery's future is polled for the first time. If it is not there,
    /// [`run`](Builder::run) returns a [`GroupError`](crate::GroupError) whose cause is
    /// [`Cause::NoRuntime`](crate::error::Cause::NoRuntime), and the body is not called.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{BoxError, block_on, nursery};
    /// use allhome::runtime::ThreadPool;
    ///
    /// async fn double(number: u32) -> Result<u32, BoxError> {
    ///     Ok(2 * number)
    /// }
    ///
    /// let sum = nursery().on(ThreadPool::global()).run(async |n| {
    ///     let (a, b) = (n.fork(double(1)), n.fork(double(2)));
    ///     Ok(a.await? + b.await?)
    /// });
    /// assert_eq!(block_on(sum)?, 6);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on(mut self, runtime: impl IntoRuntime) -> Self {
        self.runtime = Some(runtime.source());
        self
    }

    /// Sets the nursery's name, which errors and dumps show.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = Some(name.into().into_boxed_str());
        self
    }

    /// Sets what the failure of one child means for the others. Default: [`Policy::FailFast`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.config.policy = policy;
        self
    }

    /// Sets what happens to panics. Default: [`PanicPolicy::Resume`], and under
    /// [`Policy::Supervise`] [`PanicPolicy::Report`].
    pub fn panics(mut self, panics: PanicPolicy) -> Self {
        self.config.panics = Some(panics);
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
    /// use allhome::{Nursery, block_on, nursery};
    /// use allhome::error::PanicPolicy;
    /// use std::sync::{Arc, Mutex};
    ///
    /// let seen = Arc::new(Mutex::new(String::new()));
    /// let note = seen.clone();
    /// let result = block_on(
    ///     nursery()
    ///         .panics(PanicPolicy::Report)
    ///         .on_panic(move |panic| *note.lock().unwrap() = panic.message().to_string())
    ///         .run(async |n: Nursery<std::io::Error>| {
    ///             n.spawn(async { panic!("no disk") });
    ///             Ok(())
    ///         }),
    /// );
    /// assert_eq!(*seen.lock().unwrap(), "no disk");
    /// assert_eq!(result.unwrap_err().panics().count(), 1);
    /// # }
    /// ```
    pub fn on_panic(mut self, hook: impl Fn(&Panic) + Send + Sync + 'static) -> Self {
        let hook: Hook = Arc::new(hook);
        self.config.hooks.on_panic = Some(hook);
        self
    }

    /// Sets a hook for everything that goes wrong in the nursery: errors and panics of children, of
    /// the body and of finalizers, and tasks that were lost or are stuck.
    ///
    /// The hook is called when the task's future was dropped, and before the task leaves: so every
    /// failure was told when [`run`](Builder::run) is ready, also one that the result does not have,
    /// because the list was full, the policy forgets it, or it is an echo. Under
    /// [`Policy::Isolate`] and [`Policy::Supervise`] a failure of a joined child is its joiner's, and
    /// is told only if the joiner does not take it: by the drop of the [`Child`](crate::Child), if
    /// the nursery is still open.
    ///
    /// A task that was cancelled has not failed, and a panic that aborts the process is told to
    /// [`on_panic`](Builder::on_panic) only. The nurseries inside do not have the hook: what goes
    /// wrong there is the result of their `run`, and fails here if a task fails with it. (A nursery
    /// inside whose future was dropped has no result; its panics are told here.)
    ///
    /// No lock is held during the call. A panic of the hook itself is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Policy, block_on, nursery};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let note = log.clone();
    /// let served = nursery()
    ///     .policy(Policy::Supervise)
    ///     .on_failure(move |failure| note.lock().unwrap().push(format!("{failure:#}")))
    ///     .run(async |n| {
    ///         n.task("connection 1").spawn(async { Err("reset by peer") });
    ///         Ok("served")
    ///     });
    /// assert_eq!(block_on(served)?, "served");
    /// assert_eq!(*log.lock().unwrap(), ["task `connection 1` failed: reset by peer"]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_failure(mut self, hook: impl Fn(&FailureInfo<'_>) + Send + Sync + 'static) -> Self {
        let hook: FailureHook = Arc::new(hook);
        self.config.hooks.on_failure = Some(hook);
        self
    }

    /// Sets how many failures the error keeps; failures beyond that number are only counted. The
    /// least is 1, which is also what 0 means. Default: 64.
    pub fn keep_failures(mut self, count: usize) -> Self {
        self.config.keep = count;
        self
    }
}

impl Builder {
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
    /// [`ScopeDropped`](crate::cancel::ReasonKind::ScopeDropped). Children that are not being polled at
    /// that moment are dropped immediately. The others are dropped when their poll returns; until
    /// then they belong to the nearest nursery around, which cannot end before they do.
    ///
    /// # Examples
    ///
    /// The first child that fails cancels the others, and its error comes out:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Nursery, block_on, nursery};
    ///
    /// let run = nursery().run(async |n: Nursery<std::num::ParseIntError>| {
    ///     for text in ["1", "2", "three"] {
    ///         n.task(text).spawn(async move { text.parse::<u32>().map(drop) });
    ///     }
    ///     n.spawn(std::future::pending());
    ///     Ok(())
    /// });
    /// let error = block_on(run).expect_err("`three` is not a number");
    /// assert_eq!(error.first().name(), Some("three"));
    /// assert_eq!(error.failures().len(), 1, "the others are cancelled, if they are there yet");
    /// # }
    /// ```
    pub fn run<R, E, M, F, Fut>(self, body: F) -> Run<E, R, F, Fut>
    where
        F: FnOnce(Nursery<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<M>,
    {
        Run::new(self.setup::<E, M>(), body)
    }
}

impl<P: NurseryMode> Builder<P> {
    fn setup<E: AsError<M>, M>(mut self) -> Setup<P> {
        self.config.view = as_error::view::<E, M>;
        let Builder { config, inside, condition, runtime, on } = self;
        Setup { config, inside, condition, runtime, on }
    }
}

impl<P: NurseryMode> fmt::Debug for Builder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.config.name)
            .field("policy", &self.config.policy)
            .field("panics", &self.config.panics())
            .finish_non_exhaustive()
    }
}
