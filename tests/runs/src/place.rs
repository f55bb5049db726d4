//! The places that children are spawned in, behind one trait: so that one source tests what is the
//! same in each: a nursery, a scope in place, and a thread scope.
//!
//! A test is a function that is generic over the [`Place`], with a body that does all of it: no place
//! has its children polled by others while the body is not awaiting. [`settle`] lets them have their
//! turns.

use crate::{Clock, world};
use allhome::error::PanicPolicy;
use allhome::in_place::ScopeChild;
use allhome::join::Joinable;
use allhome::threads::ThreadChild;
use allhome::{Child, GroupError, Nursery, Policy, Scope, ThreadScope, nursery, scope, sleep};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

/// A kind of place for children, whose errors are texts.
pub trait Place {
    /// What the body gets.
    type Handle: Forks;

    /// Opens one with this policy and drives it to its end, on a virtual clock. No timer and no task
    /// is left then.
    ///
    /// # Errors
    ///
    /// Gives the failures that are the place's.
    ///
    /// # Panics
    ///
    /// Panics if something is left, and where the body panics.
    fn run<R>(
        policy: Policy,
        body: impl AsyncFnOnce(Self::Handle) -> R,
    ) -> Result<R, GroupError<&'static str>>;
}

/// The handle of a place for children.
pub trait Forks: Clone + Send + Sync + 'static {
    /// The handle of a child.
    type Child<T: Send + 'static>: Joinable<Value = T, Error = &'static str>;

    /// Spawns a child with a value.
    fn fork<T, F>(&self, future: F) -> Self::Child<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, &'static str>> + Send + 'static;

    /// Cancels a child.
    fn cancel<T: Send + 'static>(&self, child: &Self::Child<T>);

    /// Returns how many children have not ended.
    fn len(&self) -> usize;

    /// Returns `true` if all children have ended.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A nursery, on an executor with one thread.
#[derive(Clone, Copy, Debug)]
pub struct InNursery;

impl Place for InNursery {
    type Handle = Nursery<&'static str>;

    fn run<R>(
        policy: Policy,
        body: impl AsyncFnOnce(Self::Handle) -> R,
    ) -> Result<R, GroupError<&'static str>> {
        let (stepped, clock, runtime) = world();
        let run = nursery().policy(policy).panics(PanicPolicy::Report).on(runtime);
        let run = run.run(async |n: Self::Handle| Ok(body(n).await));
        let result = clock.drive(&stepped, run);
        stepped.run_until_stalled();
        assert_eq!((clock.sleeps(), stepped.tasks()), (0, 0), "something is left");
        result
    }
}

impl Forks for Nursery<&'static str> {
    type Child<T: Send + 'static> = Child<T, &'static str>;

    fn fork<T, F>(&self, future: F) -> Self::Child<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, &'static str>> + Send + 'static,
    {
        Nursery::fork(self, future)
    }

    fn cancel<T: Send + 'static>(&self, child: &Self::Child<T>) {
        child.cancel();
    }

    fn len(&self) -> usize {
        Nursery::len(self)
    }
}

/// A scope in place, in the body of a nursery, from which it has its clock.
#[derive(Clone, Copy, Debug)]
pub struct InScope;

impl Place for InScope {
    type Handle = Scope<'static, &'static str>;

    fn run<R>(
        policy: Policy,
        body: impl AsyncFnOnce(Self::Handle) -> R,
    ) -> Result<R, GroupError<&'static str>> {
        let (stepped, clock, runtime) = world();
        let inner = scope().policy(policy).panics(PanicPolicy::Report);
        let inner = inner.run(async |s: Self::Handle| Ok(body(s).await));
        let run = nursery().on(runtime).run(async |_: Nursery<Infallible>| Ok(inner.await));
        let result = clock.drive(&stepped, run).expect("it only waits for the scope");
        stepped.run_until_stalled();
        assert_eq!((clock.sleeps(), stepped.tasks()), (0, 0), "something is left");
        result
    }
}

impl Forks for Scope<'static, &'static str> {
    type Child<T: Send + 'static> = ScopeChild<T, &'static str>;

    fn fork<T, F>(&self, future: F) -> Self::Child<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, &'static str>> + Send + 'static,
    {
        Scope::<'static, &'static str>::fork(self, future)
    }

    fn cancel<T: Send + 'static>(&self, child: &Self::Child<T>) {
        child.cancel();
    }

    fn len(&self) -> usize {
        Scope::len(self)
    }
}

/// A thread scope with no thread but the caller's, on which the body lets the time pass.
#[derive(Clone, Copy, Debug)]
pub struct InThreadScope;

impl Place for InThreadScope {
    type Handle = ThreadScope<'static, &'static str>;

    fn run<R>(
        policy: Policy,
        body: impl AsyncFnOnce(Self::Handle) -> R,
    ) -> Result<R, GroupError<&'static str>> {
        let (stepped, clock, runtime) = world();
        let run = nursery().policy(policy).panics(PanicPolicy::Report).on(runtime);
        let result = run.thread_scope().threads(1).run(async |s: Self::Handle| {
            let result = passing(&clock, body(s.clone())).await;
            // Those that are left have sleeps, too.
            passing(&clock, s.idle()).await;
            Ok(result)
        });
        assert_eq!((clock.sleeps(), stepped.tasks()), (0, 0), "something is left");
        result
    }
}

/// Awaits a future while its thread, which polls children in between, goes on to the next moment
/// whenever they have had their turns.
async fn passing<F: Future>(clock: &Clock, future: F) -> F::Output {
    const TURNS: usize = 200;
    let (mut future, mut turns, mut idle) = (pin!(future), 0, 0);
    poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            cx.waker().wake_by_ref();
            turns += 1;
            if turns % TURNS == 0 {
                idle = if clock.step() { 0 } else { idle + 1 };
                assert!(idle < TURNS, "it waits for ever");
            }
        }
        polled
    })
    .await
}

impl Forks for ThreadScope<'static, &'static str> {
    type Child<T: Send + 'static> = ThreadChild<T, &'static str>;

    fn fork<T, F>(&self, future: F) -> Self::Child<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, &'static str>> + Send + 'static,
    {
        ThreadScope::<'static, &'static str>::fork(self, future)
    }

    fn cancel<T: Send + 'static>(&self, child: &Self::Child<T>) {
        child.cancel();
    }

    fn len(&self) -> usize {
        Nursery::len(self)
    }
}

/// Lets every child that was woken, and those that it wakes, have its turns: no time passes before
/// that but this nanosecond.
pub async fn settle() {
    sleep(Duration::from_nanos(1)).await;
}
