//! Opening a scope in place: its settings.

mod limits;

use super::handle::Scope;
use super::mode::Mode;
use super::run::ScopeRun;
use crate::layers::base::as_error::{self, AsError};
use crate::layers::base::mode::{Local, Sendable};
use crate::layers::base::panic::Panic;
use crate::layers::base::sync::Arc;
use crate::layers::group::config::{Config, PanicPolicy, Policy};
use crate::layers::group::failure_info::FailureInfo;
use crate::layers::nursery::condition::Condition;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;

/// Opens a scope, whose children borrow from the caller and are polled by the caller's own task.
///
/// Where a [`nursery`](crate::nursery) runs its children in parallel on a runtime, and so has them
/// own what they use, a scope needs no runtime, and its children may use everything that lives
/// longer than the scope's future. The words and rules are the nursery's: when `run` is ready, every
/// child has ended, and one that fails cancels the others.
///
/// A scope is a part of the task that awaits it, and its children run when that is polled: only the
/// ones that were woken. It is cancelled with the task, and with the cancel scopes around it. So
/// `fail_after(time, scope().run(..))` gives it a deadline.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::{Scope, block_on, scope};
///
/// let text = String::from("the quick brown fox");
/// let run = scope().run(async |s: Scope<'_>| {
///     let words: Vec<_> = text.split(' ').map(|word| s.fork(async move { Ok(word) })).collect();
///     let mut longest = "";
///     for word in words {
///         let word = word.await?;
///         longest = if word.len() > longest.len() { word } else { longest };
///     }
///     Ok(longest)
/// });
/// assert_eq!(block_on(run)?, "quick");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What the body owns is not borrowed: the body may end before its children.
///
/// ```compile_fail,E0373
/// use allhome::{Scope, scope};
///
/// let run = scope().run(async |s: Scope<'_>| {
///     let own = String::from("of the body");
///     s.spawn(async { Ok(drop(own.len())) });
///     Ok(())
/// });
/// ```
#[track_caller]
pub fn scope() -> ScopeBuilder {
    ScopeBuilder { config: Config::new(Location::caller()), condition: None, mode: PhantomData }
}

/// The settings of a scope: created by [`scope`], and opened by [`run`](ScopeBuilder::run).
#[must_use = "no scope is opened until `run` is called and awaited"]
pub struct ScopeBuilder<M: Mode = Sendable> {
    config: Config,
    condition: Option<Box<Condition>>,
    mode: PhantomData<M>,
}

impl ScopeBuilder {
    /// Has the scope take children that are not `Send`. Its future is not `Send` either: it stays on
    /// its thread, so no `tokio::spawn` takes it.
    ///
    /// The future of an `async fn` of a trait, in code that is generic over the trait, is one that
    /// is not known to be `Send`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::in_place::LocalScope;
    /// use allhome::{block_on, scope};
    /// use std::cell::Cell;
    ///
    /// let total = Cell::new(0);
    /// let run = scope().local().run(async |s: LocalScope<'_>| {
    ///     for number in 1..=3 {
    ///         s.spawn(async { Ok(total.set(total.get() + 1)) });
    ///         s.go(async move { assert!(number < 4) });
    ///     }
    ///     Ok(())
    /// });
    /// block_on(run)?;
    /// assert_eq!(total.get(), 3);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn local(self) -> ScopeBuilder<Local> {
        ScopeBuilder { config: self.config, condition: self.condition, mode: PhantomData }
    }
}

impl<M: Mode> ScopeBuilder<M> {
    /// Sets the scope's name, which errors show.
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

    /// Sets a hook that is called with each panic of a child, of the body or of a finalizer, before
    /// the others are cancelled. A panic of the hook is dropped. The hook is called in a poll of the
    /// scope's future, or in its drop.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::error::PanicPolicy;
    /// use allhome::{Scope, block_on, scope};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let log = seen.clone();
    /// let run = scope()
    ///     .panics(PanicPolicy::Report)
    ///     .on_panic(move |panic| log.lock().unwrap().push(panic.message().to_string()))
    ///     .run(async |s: Scope<'_>| {
    ///         s.go(async { panic!("out of range") });
    ///         Ok(())
    ///     });
    /// assert!(block_on(run).is_err());
    /// assert_eq!(*seen.lock().unwrap(), ["out of range"]);
    /// # }
    /// ```
    pub fn on_panic(mut self, hook: impl Fn(&Panic) + Send + Sync + 'static) -> Self {
        self.config.hooks.on_panic = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that is called with each failure, before it is recorded: see
    /// [`Builder::on_failure`](crate::Builder::on_failure). A failure that is left to a joiner, and
    /// that the joiner does not take, is told when the scope ends.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Policy, Scope, block_on, scope};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let log = seen.clone();
    /// let run = scope()
    ///     .policy(Policy::Supervise)
    ///     .on_failure(move |failure| log.lock().unwrap().push(failure.to_string()))
    ///     .run(async |s: Scope<'_, &str>| {
    ///         s.task("reader").spawn(async { Err("no such file") });
    ///         Ok(())
    ///     });
    /// assert!(block_on(run).is_ok());
    /// assert_eq!(*seen.lock().unwrap(), ["task `reader` failed: no such file"]);
    /// # }
    /// ```
    pub fn on_failure(mut self, hook: impl Fn(&FailureInfo<'_>) + Send + Sync + 'static) -> Self {
        self.config.hooks.on_failure = Some(Arc::new(hook));
        self
    }

    /// Sets how many failures the error keeps; failures beyond that number are only counted. The
    /// least is 1, which is also what 0 means. Default: 64.
    pub fn keep_failures(mut self, count: usize) -> Self {
        self.config.keep = count;
        self
    }

    /// Opens the scope, runs the body in it, and waits until every child has ended.
    ///
    /// The body gets a [handle](Scope) by value. Body and children are polled by the caller's task:
    /// those that were woken, in the order of their wakes. After 64 polls of theirs the caller's task
    /// gets a turn, so a child that wakes itself for ever keeps nothing away.
    ///
    /// # Errors
    ///
    /// Returns a [`GroupError`](crate::GroupError) if the body or a child failed, or if a cancel
    /// ended the body before it returned.
    ///
    /// # Panics
    ///
    /// Resumes the first panic of a child or of the body, after all children have ended, unless
    /// [`panics`](ScopeBuilder::panics) was set to something else.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future early drops the body and all children, where they wait: nothing is left.
    /// Panics of their destructors end there. If the future is forgotten (`mem::forget`), its children
    /// are leaked with it, and are never polled again.
    ///
    /// # Examples
    ///
    /// The first child that fails cancels the others, and its error comes out:
    ///
    /// ```
    /// # #[cfg(feature = "executors")] {
    /// use allhome::{Scope, block_on, scope};
    ///
    /// let texts = ["1", "2", "three"].map(String::from);
    /// let run = scope().run(async |s: Scope<'_, std::num::ParseIntError>| {
    ///     for text in &texts {
    ///         s.task(text).spawn(async move { text.parse::<u32>().map(drop) });
    ///     }
    ///     s.spawn(std::future::pending());
    ///     Ok(())
    /// });
    /// let error = block_on(run).expect_err("`three` is not a number");
    /// assert_eq!(error.first().name(), Some("three"));
    /// assert_eq!(error.cancelled_count(), 1, "the one that is pending");
    /// # }
    /// ```
    pub fn run<'a, R, E, K, F, Fut>(mut self, body: F) -> ScopeRun<'a, E, R, F, Fut, M>
    where
        F: FnOnce(Scope<'a, E, M>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: AsError<K>,
        M: 'a,
    {
        self.config.view = as_error::view::<E, K>;
        ScopeRun::new((self.config, self.condition), body)
    }
}

impl<M: Mode> fmt::Debug for ScopeBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeBuilder")
            .field("name", &self.config.name)
            .field("policy", &self.config.policy)
            .field("panics", &self.config.panics())
            .finish_non_exhaustive()
    }
}
