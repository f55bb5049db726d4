//! Typed values that are set for a scope and inherited by every task inside it.

use crate::layers::base::big::Inner;
use crate::layers::base::invariant::Invariant;
use crate::layers::base::sync::{Arc, GlobalU64, Ordering};
use crate::layers::context::values::{Values, here};
use crate::layers::context::{self, Kind};
use pin_project_lite::pin_project;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Names a scoped value: a `static`, with which a value is set for a future and found by everything
/// that runs inside it.
///
/// [`scope`](ScopedKey::scope) sets a value. The value is visible to that future, and to the
/// children of every nursery that is opened inside it, their children, and their blocking work, on
/// whichever thread they run. It never changes; a scope inside may set another value, which is
/// visible there. A child has the values of the place where its *nursery was opened*, and not of
/// the place where it was spawned.
///
/// It is what Go does with `context.WithValue`, Java with `ScopedValue` and Swift with task-local
/// values; with a type, and found by the key's identity.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::task::ScopedKey;
/// use allhome::{Nursery, block_on, nursery};
///
/// static REQUEST: ScopedKey<u32> = ScopedKey::new();
///
/// let run = nursery().run(async |n: Nursery| {
///     let child = n.fork(async { Ok(REQUEST.get().as_deref().copied()) });
///     Ok(child.await?)
/// });
/// assert_eq!(block_on(REQUEST.scope(7, run))?, Some(7));
/// assert_eq!(REQUEST.get(), None, "the scope is over");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ScopedKey<T> {
    id: GlobalU64,
    value: Invariant<T>,
}

static LAST: GlobalU64 = GlobalU64::new(0);

impl<T: Send + Sync + 'static> ScopedKey<T> {
    /// Creates a key. Two keys are never the same, even if they have the same type.
    pub const fn new() -> ScopedKey<T> {
        ScopedKey { id: GlobalU64::new(0), value: PhantomData }
    }

    /// Runs a future with the value set.
    ///
    /// The values that are set around it are looked up when it is polled for the first time.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, inside the scope, and the value.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> Scoped<F> {
        Scoped {
            setting: Setting { values: None, value: Some((self.id(), Arc::new(value))) },
            future: Some(Inner::new(future)),
        }
    }

    /// Calls `f` with the value set: for code that does not wait.
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut setting = Setting { values: None, value: Some((self.id(), Arc::new(value))) };
        context::with_values(setting.values(), f)
    }

    /// Returns the value that is set here, or `None` if there is none.
    pub fn get(&'static self) -> Option<Arc<T>> {
        let key = self.id();
        let found = context::current(|frame| {
            let mut at = frame;
            while let Some(frame) = at {
                match &frame.kind {
                    Kind::Values(values) => return values.get(key),
                    Kind::Task(task) => return task.env.values.as_ref()?.get(key),
                    Kind::Scope(_) | Kind::Slot(_) => at = frame.outer(),
                }
            }
            None
        })?;
        found.downcast().ok()
    }

    fn id(&self) -> u64 {
        // Relaxed, all: it is a number and nothing else; a thread that comes second takes the
        // first's.
        match self.id.load(Ordering::Relaxed) {
            0 => {
                let new = LAST.fetch_add(1, Ordering::Relaxed) + 1;
                match self.id.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => new,
                    Err(first) => first,
                }
            }
            id => id,
        }
    }
}

impl<T: Send + Sync + 'static> Default for ScopedKey<T> {
    fn default() -> ScopedKey<T> {
        ScopedKey::new()
    }
}

impl<T> fmt::Debug for ScopedKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedKey").field("type", &std::any::type_name::<T>()).finish()
    }
}

/// A value that will be set, and then the chain that begins with it.
struct Setting {
    value: Option<(u64, Arc<dyn Any + Send + Sync>)>,
    values: Option<Arc<Values>>,
}

impl Setting {
    #[inline(always)]
    fn values(&mut self) -> &Arc<Values> {
        let value = &mut self.value;
        self.values.get_or_insert_with(
            #[cold]
            || {
                let (key, value) = value.take().expect("it is there until the chain is made of it");
                Arc::new(Values { key, value, outer: here() })
            },
        )
    }
}

pin_project! {
    /// The future of [`ScopedKey::scope`].
    #[must_use = "it runs only when it is awaited"]
    pub struct Scoped<F> {
        setting: Setting,
        #[pin]
        future: Option<Inner<F>>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                context::with_values(this.setting.values(), || this.future.set(None));
            }
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        context::with_values(this.setting.values(), || {
            let future = this.future.as_mut().as_pin_mut();
            future.expect("a scoped value is not polled after it was ready").poll(cx)
        })
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}
